#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# There is no room for the state file: it is said, what was written before is
# whole, requests are counted as always, and it is written when there is room.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $disk = $t->dir . '/disk';

mkdir $disk;

# a small one, if this system lets us

if (system("mount -t tmpfs -o size=256k none '$disk' 2>/dev/null") != 0) {
    $t->skip_all('no file system can be mounted');
}

my $mounted = 1;

sub unmount { system('umount', $disk) if $mounted; $mounted = 0 }

END { unmount() }

$t->file('index.html', '');

my @conf = (http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m state=%%DIR%%/disk/z.state;
HTTP
    root %%DIR%%;
    guardrail on;
    guardrail_tenant $arg_t;
    guardrail_quota z requests 100/3650d;
    location / {
    }
SERVER

sub left {
    return ($t->get('/?t=' . ($_[0] // 'a'))->header('RateLimit')
            =~ /r=(\d+)/)[0];
}

$t->start(@conf);
is(left(), 99, 'the first');
ok($t->stop, 'stopped');
ok(-s "$disk/z.state", 'its state was written');

my $before = read_file("$disk/z.state");

# a file takes all that is left

open my $fill, '>', "$disk/fill" or die "$disk: $!\n";

$fill->autoflush(1);
1 while syswrite $fill, 'x' x 4096;
close $fill;

$t->start(@conf);
$t->expect_log(qr/\[(?:crit|alert|error|emerg)\].*z\.state/);
is(left(), 98, 'what was counted before');

# so many keys that a page of the old file would not do

left("k$_") for 1 .. 300;

ok($t->wait_log(qr/z\.state.*cannot be written|write.*z\.state/), 'it is said');
is(read_file("$disk/z.state"), $before, 'the file of before is whole');
is(left(), 97, 'requests are counted');
ok($t->stop, 'stopped');
is(read_file("$disk/z.state"), $before, 'the file is as it was');
is(join(' ', glob "$disk/*"), "$disk/fill $disk/z.state",
   'and nothing was left behind');

unlink "$disk/fill";

$t->start(@conf);
is(left(), 98, 'from the last state that was written');
ok($t->stop, 'stopped');
isnt(read_file("$disk/z.state"), $before, 'written again');

$t->start(@conf);
is(left(), 97, 'and read');

$t->stop;
unmount();
$t->done;
