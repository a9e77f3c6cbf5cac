#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A reload, and a graceful stop, while requests wait: the old worker serves
# them, in the order in which all came, and no connection is forgotten.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(workers => 2);
my $held = $t->backend(name => 'HELD', hold => 1);

sub config {
    my ($size) = @_;

    return (main => load_test_module, http => <<HTTP,
    guardrail_zone z size=$size key=all;
    guardrail on;
    proxy_http_version 1.1;
HTTP
            server => zone_views('z') . <<'SERVER');
    location /one {
        guardrail_quota z concurrency 1 queue=20 timeout=1h;
        proxy_pass http://%%HELD%%;
    }

    location /short {
        guardrail_quota z concurrency 1 queue=20 timeout=3s;
        proxy_pass http://%%HELD%%;
    }
SERVER
}

sub begin {
    my ($uri, $f) = @_;
    my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
    my $id = $c->request('POST', $uri, 'body', framing => $f, read => 0);

    return { c => $c, id => $f =~ /h2/ ? $id : undef };
}

sub status {
    my ($p) = @_;

    return (defined $p->{id} ? $p->{c}->read($p->{id}) : $p->{c}->read)
           ->status;
}

$t->start(config('256k'));

my @framings = qw(cl h2 chunked h2-cl);
my @pending = begin('/one?0', 'cl');

$held->wait_requests(1);

sub wait_in {
    my ($n) = @_;

    push @pending, begin("/one?$n", $framings[$n % 4]);
    zone_is($t, 'z', { waiting => $n }, "$n wait");
}

wait_in($_) for 1 .. 4;
ok($t->reload, 'reload');
wait_in($_) for 5 .. 8;
ok($t->reload, 'and once more');

my $short = begin('/short', 'cl');

zone_is($t, 'z', { waiting => 9 }, 'a short one');
ok($t->reload, 'and once more');
is(status($short), 503, 'the deadline comes in an old worker too');

serve_turn($held, $_) for 1 .. 9;

is(join(' ', map { status($_) } @pending), join(' ', (200) x 9),
   'all are served');
served_in_order($held, join(' ', 0 .. 8), 'in order, over old and new workers');
zone_is_quiet($t, 'z');
$held->clear;
@pending = ();

# a zone of another size is another zone, which the old workers do not see

push @pending, begin('/one?0', 'cl');
$held->wait_requests(1);
wait_in(1);
ok($t->reload(config('1m')), 'reload with another size');
ok($t->wait_log(qr/\[warn\].*starts empty/), 'which is told');
zone_is_quiet($t, 'z', 'the new zone is empty');
push @pending, begin('/one?2', 'cl');
$held->wait_requests(2);
$held->release;
$held->wait_requests(3);
$held->release;
is(join(' ', map { status($_) } @pending), '200 200 200', 'all are served');
zone_is_quiet($t, 'z');
$held->clear;
@pending = ();

# a process of the old zone that dies with it locked: nobody hangs.  What it
# had in use is free.

push @pending, begin('/one?0', 'h2');
$held->wait_requests(1);
ok($t->reload(config('2m')), 'reload with another size');

my @old = $t->worker_pids(old => 1);

ok(@old, 'an old worker has a request');
$t->expect_log(qr/exited on signal 9/, qr/was locked by/);
kill 'KILL', @old;
wait_until { !grep { kill 0, $_ } @old };
zone_is_quiet($t, 'z');
$held->release;
$held->clear;
@pending = ();

# graceful stop: those who wait are served

push @pending, begin('/one?0', 'cl');
$held->wait_requests(1);

for my $n (1, 2) {
    push @pending, begin("/one?$n", 'cl');
    zone_is($t, 'z', { waiting => $n }, "$n wait before the stop");
}

kill 'QUIT', $t->{pid};
wait_until { !$t->worker_pids };

serve_turn($held, $_) for 1 .. 3;

is(join(' ', map { status($_) } @pending), '200 200 200', 'all are served');
served_in_order($held, '0 1 2', 'in order');

$t->done;
