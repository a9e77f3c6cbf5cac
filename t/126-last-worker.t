#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Workers that exit together: the file is whole each time, and has all that
# each of them has counted.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 4);
my $backend = $t->backend;

my @conf = (events => 'accept_mutex off;', http => <<'HTTP',
    guardrail_zone z size=256k state=%%DIR%%/z.state;
HTTP
    server => <<'SERVER');
    guardrail on;
    guardrail_quota z requests 100000/3650d;

    location / {
        proxy_pass http://%%BACKEND%%;
        add_header Worker $pid;
    }
SERVER

my $left = 100_000;

for my $round (1 .. 10) {
    $t->start(@conf);

    my (%workers, $wrong);

    for (1 .. 20) {
        my $r = $t->get('/');

        $left--;
        $wrong++ if $r->header('RateLimit') !~ /;r=$left;/;
        $workers{$r->header('Worker')} = 1;
    }

    is($wrong, undef, "round $round: counted by " . keys(%workers)
       . ' workers');
    ok($t->stop, 'stopped');
}

is(scalar(my @ignored = $t->log_lines(qr/is ignored|cannot be written/)), 0,
   'nothing was lost');
is(join(' ', glob $t->dir . '/z.state*'), $t->dir . '/z.state',
   'and nothing left behind');

# and with the other signal

for my $round (1 .. 10) {
    $t->start(@conf);

    my $r = $t->get('/');

    $left--;
    like($r->header('RateLimit'), qr/;r=$left;/, "round $round");

    kill 'TERM', $t->{pid};
    ok($t->stop, 'stopped');
}

is(scalar(@ignored = $t->log_lines(qr/is ignored|cannot be written/)), 0,
   'nothing was lost');

$t->done;
