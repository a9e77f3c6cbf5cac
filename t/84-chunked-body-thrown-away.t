#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A handler throws a chunked body away, and error_page leads to a guarded
# location: what had arrived by then must not decide whether it refuses.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    location / {
        set $memcached_key key;
        memcached_pass 127.0.0.1:%%PORT%%;
        memcached_next_upstream off;
        error_page 502 = @guarded;
    }

    location @guarded {
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $head = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
my $end = "0\r\n\r\n";

for (['all of it has come', "4\r\nbody\r\n$end", ''],
     ['its end has not', "4\r\nbody\r\n", $end],
     ['nothing has', '', "4\r\nbody\r\n$end"])
{
    my ($name, $first, $rest) = @$_;
    my $c = $t->h1;

    $c->send($head . $first);

    my $r = $c->read;

    is($r->status, 500, $name);
    is($r->json->{reason}, 'internal', "$name: reason");
    is($r->header('Connection'), 'close', "$name: Connection");
    is($backend->connections, 0, "$name: the backend was not contacted");
}

is($t->get('/')->status, 200, 'without a body');

$t->done;
