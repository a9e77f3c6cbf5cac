#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The histogram of waiting times has those who waited, and not those whom a
# full queue turned away.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $held = $t->backend(name => 'HELD', hold => 1);

$t->start(http => 'guardrail_zone z size=256k key=all rates=1;',
          server => <<'SERVER');
    location /held {
        guardrail on;
        guardrail_label held;
        guardrail_quota z concurrency 1 queue=1 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

my @conns = map {
    my $n = $_;
    my $c = $t->h1;

    $c->request('GET', '/held', undef, read => 0);

    if ($n == 1) {
        $held->wait_requests(1);

    } else {
        wait_until(sub { status($t)->{zones}[0]{waiting} == 1 });
    }

    $c;
} 1, 2;

is($t->get('/held')->status, 503, 'no place') for 1 .. 3;

for (1, 2) {
    $held->wait_requests($_);
    $held->release;
    is($conns[$_ - 1]->read->status, 200, "answered $_");
}

wait_until(sub { location($t, 'held')->{requests}{pass} == 2 });

my $l = location($t, 'held');

is($l->{requests}{reject}, 3, 'three turned away');
is($l->{histograms}{queue_wait_seconds}{count}, 1, 'one has waited');

$t->done;
