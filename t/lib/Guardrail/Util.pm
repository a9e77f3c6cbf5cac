package Guardrail::Util;

# Copyright (C) nginx-guardrail authors

# What the other modules share: ports, waiting, how slow this run is.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock O_CREAT O_RDWR);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Spec;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(listen_port root read_file sanitized scale wait_until
                    write_file);

my @locks;


# the top of the source tree

sub root {
    return abs_path(dirname(__FILE__) . '/../../..');
}


# how many times longer than usual to wait before giving up

sub scale {
    return $ENV{TEST_VALGRIND} ? 20 : $ENV{TEST_PRELOAD} ? 4 : 2;
}


# true under AddressSanitizer, which keeps for a while what was freed

sub sanitized {
    return defined $ENV{ASAN_OPTIONS} || defined $ENV{TEST_PRELOAD};
}


# A listening socket on a free loopback port, and its number.  Tests run in
# parallel and nginx binds later than we look, so a port belongs to the
# process that holds its lock; the range is below the ephemeral one.

sub listen_port {
    my $dir = File::Spec->tmpdir . "/guardrail-ports-$>";

    make_path($dir, { mode => 0700 });

    for (1 .. 1000) {
        my $port = 10000 + int rand 20000;

        sysopen my $lock, "$dir/$port", O_CREAT|O_RDWR, 0600 or next;
        flock $lock, LOCK_EX|LOCK_NB or next;

        my $sock = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Proto     => 'tcp',
            Listen    => 511,
            ReuseAddr => 1,
        ) or next;

        push @locks, $lock;

        return ($sock, $port);
    }

    die "no free port\n";
}


# calls the code until it is true, its value or nothing after the seconds

sub wait_until (&;$) {
    my ($code, $seconds) = @_;
    my $end = time + ($seconds || 5) * scale;

    while (1) {
        my $value = $code->();

        return $value if $value;
        return if time > $end;

        sleep 0.01;
    }
}


sub read_file {
    my ($name, $offset) = @_;

    open my $fh, '<:raw', $name or return '';
    seek $fh, $offset, 0 if $offset;

    local $/;

    return scalar <$fh> // '';
}


sub write_file {
    my ($name, $data) = @_;

    open my $fh, '>:raw', $name or die "open $name: $!\n";
    print $fh $data;
    close $fh or die "write $name: $!\n";

    return $name;
}


1;
