#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What killed workers had is free when their successor has started, whoever had
# it: leases, a place in line, what was granted, all of which would be theirs
# for an hour.  nginx's own limit_conn, beside it, stays where it was.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my ($t, $held);

my @parts = (main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    limit_conn_zone all$server_port zone=conn:128k;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
    proxy_next_upstream off;
HTTP
    server => zone_views('z') . <<'SERVER');
    location /z {
        guardrail_quota z concurrency 4 queue=20 timeout=1h hold=1h;
        guardrail_quota z memory 1m hold=1h;
        guardrail_quota z uploads 20;
        proxy_pass http://%%HELD%%;
    }

    location /one {
        guardrail_quota z concurrency 1 queue=20 timeout=1h hold=0;
        proxy_pass http://%%HELD%%;
    }

    location /conn {
        limit_conn conn 2;
        proxy_pass http://%%HELD%%;
    }
SERVER

sub setup {
    my ($workers) = @_;

    if ($t) {
        ok($t->stop, 'nginx stopped when asked to');
        is(join('', $t->bad_lines), '', 'nothing bad in the error log');
        $t->_clean;
    }

    $t = Guardrail::Test->new(workers => $workers);
    $held = $t->backend(name => 'HELD', hold => 1);
    $t->start(@parts);
}

sub begin {
    my ($uri, $body) = @_;
    my $c = $t->h1;

    $c->request(defined $body ? 'POST' : 'GET', $uri, $body, read => 0,
                timeout => 1);

    return $c;
}

# the only worker, with leases, an upload and some who wait

setup(1);

my @conns = (map({ begin('/z', 'body') } 1 .. 6), $t->h1);

$conns[-1]->send("POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
zone_is($t, 'z', { concurrency => 4, memory => 16, waiting => 2,
                   uploads => 1 }, 'leases, waiters, an upload');
$t->kill_worker;
zone_is_quiet($t, 'z', 'free again');
is(zone($t, 'z')->{reclaimed}, 9, 'counted as reclaimed');
$_->close for @conns;
$held->release;
$held->clear;

my $c = begin('/z', 'body');

$held->wait_requests(1);
$held->release;
is($c->read->status, 200, 'served as ever');
zone_is_quiet($t, 'z');
$held->clear;

# the same beside limit_conn

@conns = map { begin('/conn') } 1 .. 2;
$held->wait_requests(2);
is($t->get('/conn')->status, 503, 'limit_conn is at its limit');
$t->kill_worker;
$_->close for @conns;
is($t->get('/conn')->status, 503, 'limit_conn stays there for ever');
zone_is_quiet($t, 'z', 'the guardrail does not');

# with two workers: one stays, and is told what the other one had

setup(2);

my %by;

# requests on connections of both workers

while (!$by{0} || !$by{1}) {
    my $conn = $t->h1;
    my $pid = $conn->request('GET', '/.zone/z', undef)->json->{pid};
    my @pids = $t->worker_pids;

    push @{$by{$pid == $pids[0] ? 0 : 1}}, $conn;
}

my ($dead, $alive) = ($by{0}[0], $by{1}[0]);
my ($pid) = $t->worker_pids;

# granted to a process that is stopped, which is no death

$dead->request('POST', '/one', 'body', read => 0);
$held->wait_requests(1);
kill 'STOP', $pid;
$alive->request('POST', '/one?alive', 'body', read => 0);

select undef, undef, undef, 1.5;

is(scalar $held->requests, 1, 'what a stopped process has stays its own');
kill 'CONT', $pid;
$held->release;
is($dead->read->status, 200, 'and it goes on');
$held->wait_requests(2);
$held->release;
is($alive->read->status, 200, 'then the other');
zone_is_quiet($t, 'z');
$held->clear;

# it waits in one that is killed, which frees the place of those behind it

$alive->request('POST', '/one?1', 'body', read => 0);
$held->wait_requests(1);
$dead->request('POST', '/one?2', 'body', read => 0);
zone_is($t, 'z', { waiting => 1 }, 'one waits in the one to be killed');

$c = $t->h1;
$c = $t->h1 until $c->request('GET', '/.zone/z', undef)->json->{pid} != $pid;
$c->request('POST', '/one?3', 'body', read => 0);
zone_is($t, 'z', { waiting => 2 }, 'and one behind it in the other');

kill 'STOP', $pid;

# its turn comes, and it can not take it: 500 ms later it is the next one's

$held->release;
is($alive->read->status, 200, 'the first is served');
$held->wait_requests(2);
is(($held->requests)[1]{uri}, '/one?3',
   'what a stopped process does not take goes to the next');
$t->kill_worker(pid => $pid);
$held->release;
is($c->read->status, 200, 'who is served');
zone_is_quiet($t, 'z', 'nothing is left of the killed one');
$held->clear;

# all at once

@conns = map { begin('/z', 'body') } 1 .. 8;
zone_is($t, 'z', { concurrency => 4, waiting => 4 }, 'leases and waiters');

my @pids = $t->worker_pids;

$t->expect_log(qr/exited on signal 9/, qr/was locked by/);
kill 'KILL', @pids;
$t->kill_worker(pid => $pids[1]);
wait_until { $t->worker_pids == 2 };
zone_is_quiet($t, 'z', 'both killed: all is free');
$_->close for @conns;
$held->release;
$held->clear;

# an old worker after a reload: nobody takes its slot over

@conns = map { begin('/z', 'body') } 1 .. 6;
zone_is($t, 'z', { concurrency => 4, waiting => 2 }, 'leases and waiters');
ok($t->reload, 'reload');
zone_is($t, 'z', { concurrency => 4, waiting => 2 }, 'in old workers');
kill 'KILL', $t->worker_pids(old => 1);
zone_is_quiet($t, 'z', 'old workers killed: all is free');
$_->close for @conns;
$held->release;
$held->clear;

$t->done;
