#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# "master_process off": a single process goes on with requests it has while it
# takes a new configuration.  They stay in flight, and what they count in
# memory that has gone away with theirs harms nobody.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 0);
my $held = $t->backend(name => 'HELD', hold => 1);

sub config {
    my ($labels) = @_;

    return (main => 'master_process off;',
            server => join '', <<'SERVER', map { <<"MORE" } 1 .. $labels);
    guardrail on;
    guardrail_max_body 1k;

    location / {
        guardrail_label a;
        proxy_pass http://%%HELD%%;
    }

    location /alive {
        guardrail off;
        return 200 alive;
    }

    location = /status {
        guardrail_status;
    }
SERVER
    location /more$_ {
        guardrail_label more$_;
        return 204;
    }
MORE
}

for (['the same memory', config(1)],
     ['other memory', config(40)],
     ['no http', "%%GLOBALS%%\nmaster_process off;\nevents {\n}\n"])
{
    my ($name, @next) = @$_;

    $t->start(config(1));

    my ($first, $second, $kept) = map { $t->h1 } 1 .. 3;
    my $in_flight = sub {
        $kept->request('GET', '/status?format=json')
             ->json->{requests_in_flight};
    };

    is($in_flight->(), 0, "$name: none in flight");

    $held->clear;
    $_->request('POST', '/', 'body', read => 0) for $first, $second;
    $held->wait_requests(2);
    is($in_flight->(), 2, "$name: two");

    $t->reload(@next);
    ok((wait_until { $t->log_lines(qr/reconfiguring$/) }), "$name: reloaded");

    # nothing is accepted any more, and no backend asked; the others go on

    is($in_flight->(), 2, "$name: still two") if $name =~ /same/;

    $held->release(1);
    is($first->read->status, 200, "$name: the first is answered");
    is($in_flight->(), 1, "$name: one of two") if $name =~ /same/;

    $held->release;
    is($second->read->status, 200, "$name: the second too");
    is($in_flight->(), 0, "$name: none is left");
    is($kept->request('GET', '/alive')->status, 200, "$name: it lives");

    $t->stop;
    unlink $t->dir . '/error.log';
}

$t->done;
