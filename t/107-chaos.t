#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Random requests, aborts, reloads and kills: after each step the gauges of
# the zones are sums, and when all is quiet they are 0.  TEST_SEED repeats a
# run, TEST_SECONDS makes it longer.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;
use Time::HiRes qw(time);

my $seed = $ENV{TEST_SEED} // time % 1000000 ^ $$;
my $seconds = $ENV{TEST_SECONDS} // 10;

diag("TEST_SEED=$seed");
srand $seed;

my $t = Guardrail::Test->new(workers => 2);
my $held = $t->backend(name => 'HELD', hold => 1);
my $backend = $t->backend;

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone a size=256k key=$arg_k;
    guardrail_zone b size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    guardrail_memory_model 2;
    guardrail_quota a requests 100000/1h;
    guardrail_quota a concurrency 2 queue=3 timeout=300ms hold=1s;
    guardrail_quota b bytes 1g/1h;
    guardrail_quota b uploads 12;
    guardrail_quota b concurrency 5 queue=10 timeout=1s hold=2s;
    guardrail_quota b memory 20k queue=10 timeout=500ms hold=1s;
    proxy_http_version 1.1;
HTTP
    server => zone_views(qw(a b)) . <<'SERVER');
    location /held {
        proxy_pass http://%%HELD%%;
    }

    location /ok {
        proxy_pass http://%%BACKEND%%;
    }

    location /late {
        proxy_read_timeout 100ms;
        proxy_pass http://%%HELD%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_pass http://%%HELD%%;
    }

    location /dry {
        guardrail dry_run;
        proxy_pass http://%%BACKEND%%;
    }

    location /try {
        try_files /none @try;
    }

    location @try {
        proxy_pass http://%%HELD%%;
    }
SERVER

$t->expect_log(qr/exited on signal 9/, qr/was locked by/, qr/\[emerg\].*test/);
$t->workers_may_change;

my @open;

sub pick {
    return $_[rand @_];
}

sub start_one {
    my $f = pick(qw(cl chunked h2 h2-cl));
    my $c = eval { $f =~ /h2/ ? $t->h2 : $t->h1 } or return;
    my $body = pick(undef, 'x', 'x' x 1000, 'x' x 4000, 'x' x 9000,
                    'x' x 20000);
    my %part = defined $body && rand > 0.8
               ? (end => 0, $f =~ /cl/ ? (length => 1 + length $body) : ())
               : ();

    my $id = eval {
        $c->request(defined $body ? 'POST' : 'GET',
                    pick(qw(/held /held /ok /late /unbuffered /dry /try))
                    . '?k=' . pick(qw(a b c)),
                    $body, framing => $f, read => 0, timeout => 1, %part);
    };

    push @open, { c => $c, id => $f =~ /h2/ ? $id : undef };
}

sub end_one {
    my $i = int rand @open;
    my ($p) = splice @open, $i, 1 or return;

    if (defined $p->{id} && rand > 0.5) {
        $p->{c}->rst($p->{id});
        push @{$t->{kept}}, $p->{c};

    } elsif (rand > 0.5) {
        $p->{c}->reset;

    } else {
        $p->{c}->close;
    }
}

sub kill_some {
    my @pids = $t->worker_pids(all => 1);

    kill 'KILL', rand > 0.7 ? @pids : pick(@pids);
    wait_until { $t->worker_pids >= 2 };
}

my $end = time + $seconds;
my ($steps, $broken) = (0, 0);
my %did;

while (time < $end) {
    my $step = pick(('start') x 30, ('end') x 14, ('answer') x 10,
                    ('reload') x 1, ('kill') x 1);

    $steps++;
    $did{$step}++;

    if ($step eq 'start') {
        start_one();

    } elsif ($step eq 'end') {
        end_one();

    } elsif ($step eq 'answer') {
        $held->release(1 + int rand 3);

    } elsif ($step eq 'reload') {
        kill 'HUP', $t->{pid};

    } else {
        kill_some();
    }

    next if $step eq 'start' && rand > 0.2;

    for my $name (qw(a b)) {
        my $zone = eval { zone($t, $name) } || {};

        # no answer: the worker was killed, or was about to go

        next if !defined $zone->{check} || $zone->{check};

        $broken++;
        diag("step $steps, $step: " . join ', ', map { "$_ $zone->{$_}" }
             grep { !ref $zone->{$_} } sort keys %$zone);
    }
}

is($broken, 0, "gauges were sums after $steps steps");
diag(join ', ', map { "$_ $did{$_}" } sort keys %did);

$_->{c}->close for @open;
Guardrail::Client::close_all();
$held->release;

zone_is_quiet($t, $_, "$_: nothing is in use", 15) for qw(a b);
is(zone($t, 'b')->{unsaved}, 0, 'no change was too large');

$held->set(hold => 0);
is($t->post('/held?k=a', 'body')->status, 200, 'requests are served');
zone_is_quiet($t, $_) for qw(a b);

$t->done;
