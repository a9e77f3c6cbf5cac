package Guardrail::App;

# Copyright (C) nginx-guardrail authors

# The applications of conf-examples/app in the servers they are written for.
# Where a server or a package is missing the test is skipped.

use strict;
use warnings;

use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

use Guardrail::Util qw(read_file root scale wait_until);

my @apps;


sub needs {
    my ($class, $program, @modules) = @_;
    my $python = $ENV{PYTHON} // '/usr/bin/python3';

    plan(skip_all => "no $program")
        if system("command -v $program > /dev/null 2>&1") != 0;

    for my $module (@modules) {
        plan(skip_all => "no $module for $python")
            if system("$python -I -c 'import $module' > /dev/null 2>&1") != 0;
    }
}


# Starts a server, %%BACKEND%% of the test; %%SOCKET%% in its arguments is where
# it is to listen.  Its output is the file app.log of the test's directory.

sub start {
    my ($class, $t, %opt) = @_;
    my $dir = $t->dir;
    my $socket = "$dir/app.sock";
    my @command = map { s/%%SOCKET%%/$socket/gr } @{$opt{command}};
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        setpgrp;
        chdir root . '/conf-examples/app';

        %ENV = (%ENV, PYTHONDONTWRITEBYTECODE => 1, %{$opt{env} || {}});

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/app.log";
        open STDERR, '>&', \*STDOUT;
        { exec @command };
        POSIX::_exit(127);
    }

    my $self = bless { pid => $pid, owner => $$ }, $class;

    push @apps, $self;
    $t->define(BACKEND => "unix:$socket");

    my $up = wait_until {
        kill(0, $pid) && waitpid($pid, POSIX::WNOHANG()) == 0 or die
            "the application ended:\n" . read_file("$dir/app.log");
        -S $socket && IO::Socket::UNIX->new(Peer => $socket);
    } 30;

    die "the application does not listen:\n" . read_file("$dir/app.log")
        unless $up;

    return $self;
}


# with all its processes

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'TERM', -$pid;

    for (1 .. 100 * scale) {
        last if waitpid($pid, POSIX::WNOHANG()) == $pid;
        select undef, undef, undef, 0.1;
    }

    kill 'KILL', -$pid;
}


END {
    my $status = $?;

    $_->stop for grep { $_->{owner} == $$ } @apps;
    $? = $status;
}


1;
