#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A worker dies while it holds the lock of a zone of the cycle before: nginx
# unlocks those of its present cycle only.  The other old worker takes the lock
# from the dead one, and serves what it has.

# no-asan no-ubsan no-valgrind no-locks

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

local $ENV{TEST_MODULE} = build_points;

my $t = Guardrail::Test->new(workers => 2);
my $held = $t->backend(name => 'HELD', hold => 1);

sub conf {
    my ($size) = @_;

    return (main => load_test_module, http => <<"HTTP",
    guardrail_zone z size=$size key=all;
    guardrail on;
    proxy_http_version 1.1;
HTTP
            server => zone_views('z') . <<'SERVER');
    location /points {
        guardrail off;
        test_points;
        keepalive_timeout 0;
    }

    location /held {
        guardrail_quota z concurrency 9;
        proxy_pass http://%%HELD%%;
    }
SERVER
}

$t->start(conf('256k'));
$t->expect_log(qr/exited on signal 9/, qr/has another size/);
$t->workers_may_change;

# a connection to each worker

my %conn;

ok((wait_until {
    my $c = $t->h1;

    $conn{$c->request('GET', '/.zone/z')->json->{pid}} //= $c;

    return keys %conn == 2;
} 20), 'a connection to each worker');

my ($dies, $lives) = sort { $a <=> $b } keys %conn;

# which tells its worker to die at the next point

for my $pid ($dies, $lives) {
    $conn{$pid}->request('GET', '/held', undef, read => 0);
    $held->wait_requests($pid == $dies ? 1 : 2);
}

ok((wait_until {
    my $c = $t->h1;
    my $pid = $c->request('GET', '/.zone/z')->json->{pid};

    return 0 if $pid != $dies;

    $c->request('GET', '/points?n=1');

    return 1;
} 20), 'one will die');

ok($t->reload(conf('512k')), 'the zone is another one now');
is_deeply([sort { $a <=> $b } $t->worker_pids(old => 1)], [$dies, $lives],
    'both old workers have requests');

$held->release(1);

ok((wait_until { !kill 0, $dies } 20), 'it died in a section');
ok((grep { $_ == $lives } $t->worker_pids(old => 1)), 'the other one lives');

$held->release;

is($conn{$lives}->read->status, 200, 'and serves its request');
$conn{$lives}->close;

ok((wait_until { !$t->worker_pids(old => 1) } 20), 'and exits');

zone_is_quiet($t, 'z');

$t->done;
