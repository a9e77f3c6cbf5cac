#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A clock that was set between the writing of a state file and its reading:
# back, and the zone's time goes on from the file's; forward, and what was
# counted is as old as it looks.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Compress::Zlib qw(crc32);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $file = $t->dir . '/z.state';
my $day = 86_400;

$t->file('index.html', '');

my @conf = (http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=256k rates=1 state=%%DIR%%/z.state;
HTTP
    guardrail on;
    guardrail_quota z requests 3/1d;
    root %%DIR%%;
SERVER

$t->start(@conf);

is($t->get('/')->status, 200, 'a request') for 1 .. 3;
is($t->get('/')->status, 429, 'one too many');

ok($t->stop, 'stopped');

my $good = read_file($file);

# The file as it would be, had it been written so many days later.  Its head
# has the times of the zone's making and of its writing at byte 40, in
# milliseconds; a record has two times in seconds at byte 16 and the number of
# its window at byte 40.

sub moved {
    my ($days) = @_;
    my $text = $good;
    my ($created, $written) = unpack 'x40 Q2', $text;

    substr($text, 40, 16) = pack 'Q2', map { $_ + $days * $day * 1000 }
                                           $created, $written;

    for (my $at = 208; $at + 24 < length $text; $at += 48) {
        my ($keep, $last) = unpack "x$at x16 L2", $text;

        substr($text, $at + 16, 8) = pack 'L2', $keep + $days * $day,
                                          $last + $days * $day;
        substr($text, $at + 40, 4) =
            pack 'L', $days + unpack "x$at x40 L", $text;
    }

    substr($text, -8, 4) = pack 'L', crc32(substr $text, 0, -8);

    return $text;
}

sub written { return unpack 'x48 Q', read_file($file) }

is(moved(0), $good, 'this is how a file is made');

for my $case ([0, 429, 'none'], [30, 429, 'back by a month'],
              [3000, 429, 'back by years'], [-1, 429, 'forward by a day'],
              [-2, 200, 'forward by two'], [-3000, 200, 'by years'])
{
    my ($days, $status, $name) = @$case;

    subtest $name => sub {
        my $text = moved($days);
        my $then = unpack 'x48 Q', $text;

        $t->file('z.state', $text);
        $t->start(@conf);

        my $r = $t->get('/');

        # a day that has passed counts for the part that is left of it

        if ($days == -1) {
            $r->status == 200 ? like($r->header('RateLimit'), qr/r=[012]/,
                                     'some of it has passed')
                              : is($r->status, 429, 'most of it is left');

        } else {
            is($r->status, $status, 'what was counted');
        }

        if ($r->status == 429) {
            cmp_ok($r->header('Retry-After'), '<=', 2.2 * $day,
                   'for no more than it takes to pass');
        }

        ok(wait_until { read_file($file) ne $text }, 'written again');

        my $now = written();

        cmp_ok($now, '>=', $then, 'its time goes on');
        cmp_ok($now, '<', $then + 3_600_000, 'from there') if $days > 0;

        ok($t->stop, 'stopped');
        cmp_ok(written(), '>=', $now, 'and on');
    };
}

is(scalar(my @lines = $t->log_lines(qr/\[(?:warn|error)\] .* state /)), 0,
   'nothing was wrong with the files');

$t->done;
