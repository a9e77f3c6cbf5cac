#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A worker is killed inside a section of a zone, at one point after the other:
# who comes next puts the zone right, nobody hangs, and all gauges are sums.

# no-asan no-ubsan no-valgrind no-locks

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

local $ENV{TEST_MODULE} = build_points;

my $t = Guardrail::Test->new(workers => 2);
my $held = $t->backend(name => 'HELD', hold => 1);
my $backend = $t->backend;

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    server => zone_views('z') . <<'SERVER');
    location /points {
        guardrail off;
        test_points;
    }

    location /q {
        guardrail_quota z requests 100000/1h;
        guardrail_quota z bytes 1g/1h;
        guardrail_quota z uploads 100;
        guardrail_quota z concurrency 2 queue=20 timeout=1h hold=1s;
        guardrail_quota z memory 1m hold=1s;
        proxy_pass http://%%HELD%%;
    }

    location /ok {
        guardrail_quota z requests 100000/1h;
        guardrail_quota z concurrency 2 queue=20 timeout=1h;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

$t->expect_log(qr/exited on signal 9/, qr/was locked by/);
$t->workers_may_change;

# what a number of requests does, from their first to the last lease: two are
# served, one waits and leaves, one waits and is served, one leaves its backend

sub story {
    my @conns = map { $t->h1 } 1 .. 4;

    for my $c (@conns) {
        $c->request('POST', '/q', 'body', read => 0);
    }

    select undef, undef, undef, 0.02;
    $conns[3]->close;
    $held->release;
    select undef, undef, undef, 0.03;
    $conns[0]->close;
    $held->release;
    $_->close for @conns;
}

sub passed {
    return $t->get('/points' . ($_[0] // ''))->json->{passed} // 0;
}

sub answers {
    return wait_until { $t->get('/ok', timeout => 5)->status == 200 } 10;
}

my $from = passed();

story();
zone_is_quiet($t, 'z', 'nothing is in use', 10);

my $points = passed() - $from;

cmp_ok($points, '>', 40, "a story passes points: $points");

my ($dead, $bad) = (0, 0);

# a story alone passes about 400: the more that were counted are of the views
# that waited for its end

for (my $n = 1; $n <= 400; $n += 13) {
    my %before = map { $_ => 1 } $t->worker_pids;

    # one worker is told: what another serves brings it no nearer to its point

    passed("?n=$n");

    for (1 .. 20) {
        story();
        last if grep { !$before{$_} } $t->worker_pids;
    }

    # it may not have come so far: it must not die in what follows

    $t->get('/points?n=0') for 1 .. 2;

    my $ok = wait_until { $t->worker_pids == 2 } 10;
    my $served = answers();
    my $zone;

    my $quiet = wait_until {
        $zone = zone($t, 'z');
        return $zone->{check} && !grep { $zone->{$_} }
               qw(uploads concurrency memory holds waiting granted unsaved);
    } 10;

    $dead++ if grep { !$before{$_} } $t->worker_pids;

    if (!$ok || !$served || !$quiet) {
        $bad++;
        diag("point $n: " . join ', ', map { "$_ $zone->{$_}" }
             grep { !ref $zone->{$_} } sort keys %$zone);
    }

    $held->clear;
}

is($bad, 0, 'after each death all is free, and requests are served');
cmp_ok($dead, '>', 20, "workers died: $dead");
cmp_ok(zone($t, 'z')->{repairs}, '>', 5,
       'sections were repaired: ' . zone($t, 'z')->{repairs});

$t->done;
