#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The status as a subrequest (SSI, auth_request, mirror) of so many locations
# that it takes several passes; and a subrequest is no request in flight.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $held = $t->backend(name => 'HELD', hold => 1);

$t->start(http => 'log_subrequest on;',
          server => join '', <<'SERVER', map { <<"LOCATION" } 1 .. 300);
    guardrail on;
    guardrail_max_records 100;

    location /page {
        guardrail off;
        ssi on;
        default_type text/html;
        root %%DIR%%;
    }

    location /auth {
        auth_request /status;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirrored {
        guardrail_label mirrored;
        mirror /copy;
        mirror /status;
        proxy_pass http://%%HELD%%;
    }

    location /copy {
        guardrail_label copy;
        proxy_pass http://%%HELD%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER
    location /$_/ {
        guardrail_label label$_;
        return 204;
    }
LOCATION

$t->file('page', <<'PAGE');
A<!--# include virtual="/status?format=html" -->
B<!--# include virtual="/status?format=prometheus" -->
C<!--# include virtual="/status?format=json" -->D
PAGE

for my $f (qw(cl h2)) {
    like($t->get('/page', framing => $f)->body,
         qr{A<!doctype.*</html>\s*B\# HELP.* 1\n\s*C\{.*\}\s*D\s*$}is,
         "SSI, $f");
    is($t->get('/auth', framing => $f)->status, 200, "auth_request, $f");
}

# who leaves meanwhile harms nobody

for (1 .. 5) {
    my $c = $t->h1;

    $c->send("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    $c->close;

    my $h2 = $t->h2;
    my @streams = map { $h2->headers([':method', 'GET', ':path', $_,
                                      ':scheme', 'http', ':authority', 'a'],
                                     end => 1) } qw(/page /status /auth);

    $h2->rst($_) for @streams;
    $h2->close;
}

# a request and its mirror

my $c = $t->h1;

$c->request('POST', '/mirrored', "{}\n", read => 0,
            headers => ['Content-Type' => 'application/x-ndjson']);
$held->wait_requests(2);
is(status($t)->{requests_in_flight}, 1, 'one in flight');

$held->release;
is($c->read->status, 200, 'which is answered');

my $s = wait_status($t, sub { $_->{requests_in_flight} == 0 });

is($s->{requests_in_flight}, 0, 'none is left');
is(location($t, 'mirrored')->{requests}{pass}, 1, 'it is counted');
is(location($t, 'copy')->{requests}{pass}, 0, 'its mirror is not');

$t->done;
