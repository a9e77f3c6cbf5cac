#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A flood of refusals is no flood of log lines: a worker writes at most 100 a
# second and then says how many it left out, to the last one.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');

my @parts = (http => <<'HTTP', server => <<'SERVER');
    access_log off;
    keepalive_requests 100000;
HTTP
    guardrail on;
    guardrail_max_body 5;

    location / {
        return 200;
    }

    location /on {
        proxy_pass http://127.0.0.1:%%PORT%%/;
    }

    location /dry {
        guardrail dry_run;
        guardrail_log_level warn;
        proxy_pass http://127.0.0.1:%%PORT%%/;
    }
SERVER

$t->start(@parts);

my $refused = 0;

subtest 'refusals' => sub {
    flood(\&refuse);

    my $told = qr/guardrail: \d+ refusals not logged/;

    ok($t->wait_log($told), 'it is told while nginx runs');
    wait_until { counted() == $refused };
    is(counted(), $refused, 'lines and what was not logged are all refusals');
    at_most_100();
};


subtest 'would be refusals' => sub {
    flood(\&would_refuse);
    wait_until { counted() == $refused };
    is(counted(), $refused, 'lines and what was not logged are all refusals');
    at_most_100();
};


subtest 'a worker that exits tells the rest' => sub {
    flood(\&refuse);
    $t->reload(@parts);
    wait_until { counted() == $refused };
    is(counted(), $refused, 'after a reload');

    flood(\&would_refuse);
    $t->stop;
    is(counted(), $refused, 'after the end');
    at_most_100();
};


subtest 'where none is logged none is counted' => sub {
    my $quiet = Guardrail::Test->new(log_level => 'error');

    $quiet->start(http => 'keepalive_requests 100000;', server => <<'SERVER');
    location / {
        return 200;
    }

    location /dry {
        guardrail dry_run;
        guardrail_log_level info;
        guardrail_max_body 5;
        proxy_pass http://127.0.0.1:%%PORT%%/;
    }
SERVER

    would_refuse($quiet) for 1 .. 2;
    $quiet->stop;
    is(0 + $quiet->log_lines(qr/guardrail: /), 0, 'nothing');
    $quiet->_clean;
};


$t->done;


# Bursts, at least 500 refusals, until some of them are not logged: how many
# fit into a second is the machine's affair.

sub flood {
    my ($burst) = @_;
    my $lines = lines();
    my $here = 0;

    for (1 .. 50) {
        $here += $burst->($t);
        last if $here >= 500 && lines() - $lines < $here;
    }

    $refused += $here;

    # the log is written before the answer

    cmp_ok(lines() - $lines, '<', $here, 'not all are logged');
}


# declared lengths, each on its own connection: it is closed

sub refuse {
    for my $n (1 .. 10) {
        my @all = map { $t->h1 } 1 .. 25;

        $_->send("POST /on HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
            for @all;
        is(join(' ', map { $_->read->status } @all), join(' ', (413) x 25),
           'refused');
        $_->close for @all;
    }

    return 250;
}


# pipelined on one connection: dry_run closes nothing

sub would_refuse {
    my ($t) = @_;
    my $c = $t->h1;
    my $n = 250;

    $c->send("POST /dry HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nxxxxxx"
             x $n);
    is(join(' ', map { $c->read->status } 1 .. $n), join(' ', (200) x $n),
       'passed');
    $c->close;

    return $n;
}


sub lines {
    return 0 + $t->log_lines(qr/guardrail: (?:rejected|would reject):/);
}


# lines, and the sum of those that were not written

sub counted {
    my $n = lines();

    for my $line ($t->log_lines(qr/refusals not logged/)) {
        $n += $1 if $line =~ /guardrail: (\d+) refusals not logged/;
    }

    return $n;
}


sub at_most_100 {
    my (%lines, %sums);

    for my $line ($t->log_lines(qr/guardrail: /)) {
        my ($key) = $line =~ /^(\S+ \S+ )/;

        $key .= $line =~ / (\d+)#/ ? $1 : '';
        $line =~ /not logged/ ? $sums{$key}++ : $lines{$key}++;
    }

    my ($most) = sort { $b <=> $a } values %lines;

    cmp_ok($most, '<=', 100, 'lines a second');

    # one at the end of a worker, too

    ($most) = sort { $b <=> $a } values %sums;
    cmp_ok($most, '<=', 2, 'sums a second');
}
