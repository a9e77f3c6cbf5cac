#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Nothing grows: after thousands of bombs, good bodies and clients that left
# a worker is as large as it was after the first hundreds.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(log_level => 'error', lingering => '20ms');
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    access_log off;
    client_body_buffer_size 8k;
    client_max_body_size 4m;

    location / {
        guardrail on;
        guardrail_max_records 5000;
        guardrail_max_record_size 100k;
        proxy_pass http://%%BACKEND%%;
    }

    location /bomb {
        guardrail on;
        guardrail_max_decoded 1g;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $records = ndjson(4000, size => 40);
my $bomb = gzip_zeros(1 << 26);

my @kinds = (
    # status, body, options
    [200, gzip($records), encoding => 'gzip'],
    [200, zlib($records), encoding => 'deflate'],
    [200, $records],
    [200, gzip_members(('{}') x 500), encoding => 'gzip'],
    [413, gzip('1' x (1 << 23)), encoding => 'gzip'],
    [413, gzip("1\n" x 5001), encoding => 'gzip'],
    [413, $records x 2],
    [413, '1' x 200000],
    [413, $bomb, encoding => 'gzip', uri => '/bomb'],
    [400, gzip($records) . 'x', encoding => 'gzip'],
    [400, gzip('') x 1025, encoding => 'gzip'],
    [400, gzip_header(name => 'n' x 100000), encoding => 'gzip'],
    [415, $records, encoding => 'br'],
    [415, '<' . $records],
    [0, gzip($records), encoding => 'gzip', length => 1 << 20, end => 0,
     read => 0],
);


sub rss {
    my ($pid) = $t->worker_pids;
    my ($kib) = read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m;

    return $kib;
}


my ($n, $wrong) = (0, 0);
my @framings = @Guardrail::Test::framings;


# so many requests of all kinds; those that stay unfinished are cut off

sub run {
    my ($until) = @_;

    while ($n < $until) {
        my ($status, $body, %opt) = @{$kinds[$n % @kinds]};
        my $uri = delete $opt{uri} || '/';
        my $f = $framings[int($n / @kinds) % @framings];

        delete $opt{length} if $f !~ /cl$/;
        $n++;

        if ($status) {
            my $r = $t->post($uri, $body, framing => $f, %opt);

            $wrong++ if $r->status != $status;
            $r->conn->close;
            next;
        }

        my $c = $f =~ /h2/ ? $t->h2 : $t->h1;

        $t->post('/', $body, framing => $f, %opt, conn => $c);
        $n % 2 ? $c->close : $c->reset;
    }
}


run(200);

my $before = rss;

run(2000);

my $after = rss;

is($wrong, 0, 'each was answered as it should be');
SKIP: {
    skip('what was freed is kept for a while', 1) if sanitized;

    cmp_ok($after, '<=', $before + 2048, "$before KiB, and then $after");
}

$t->done;
