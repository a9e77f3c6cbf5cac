#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A PRECONTENT handler of another module that returns NGX_OK ends the phase:
# the gate never runs, and a content handler reads a body that nobody judges.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    map $http_x_mode $mode {
        default on;
        off off;
    }
HTTP
    guardrail_max_records 2;
    test_skip on;

    location /on {
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail $mode;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $body = "{}\n" x 3;

each_framing {
    my ($f) = @_;
    my @opt = (framing => $f, type => 'application/x-ndjson');

    for my $uri ('/on', '/variable') {
        $backend->clear;

        my $r = $t->post($uri, $body, @opt);

        is($r->status, 500, "$uri is refused");
        is($r->json->{reason}, 'internal', "$uri, reason");
        is($backend->requests, 0, "$uri, the backend saw nothing");
    }

    for my $uri ('/dry', '/off') {
        is($t->post($uri, $body, @opt)->status, 200, "$uri passes");
    }

    is($t->get('/on', framing => $f)->status, 200, 'nothing to judge');
};

like($t->error_log, qr/rejected: internal \(another module/, 'logged');

$t->done;
