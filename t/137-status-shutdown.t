#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A worker that was told to go writes the status of many locations to its end,
# though nothing else keeps it.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $n = 1500;

$t->start(server => join '', <<'SERVER', map { <<"LOCATION" } 1 .. $n);
    guardrail on;
    guardrail_max_records 100;

    location = /status {
        guardrail_status;
    }
SERVER
    location /$_/ {
        guardrail_label label$_;
        return 204;
    }
LOCATION

my %end = (json => qr/\]\}\n$/, prometheus => qr/ 1\n$/,
           html => qr{</html>\n$});

for my $format (sort keys %end) {
    my $c = $t->h1;

    # half of its head holds the worker, as a timer; then nothing does

    $c->send("GET /status?format=$format HTTP/1.1\r\nX: ");
    $t->get('/1/');

    $t->reload;
    $c->send("a\r\nHost: a\r\nConnection: close\r\n\r\n");

    my $r = $c->read;

    is($r->status, 200, "$format: answered");
    like($r->body, $end{$format}, "$format: to its end");
}

$t->done;
