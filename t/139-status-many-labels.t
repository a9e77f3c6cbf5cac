#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Counters of thousands of labels fit into the address space of a small
# machine, and go with a reload from few slots to many and back.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 3);

sub server {
    my ($labels) = @_;

    return <<'SERVER' . join '', map { <<"MORE" } 1 .. $labels;
    guardrail on;

    location = /status {
        guardrail_status;
    }
SERVER
    location /$_/ {
        guardrail_label l$_;
        return 204;
    }
MORE
}

# KiB of the shared memory of counters, by its mappings

sub mapped {
    my ($pid) = $t->worker_pids;
    my $size = 0;

    no warnings 'portable';     # numbers of 64 bits

    open my $f, '<', "/proc/$pid/maps" or die "maps: $!\n";

    while (<$f>) {
        $size += (hex($2) - hex($1)) / 1024
            if m{^([0-9a-f]+)-([0-9a-f]+) rw-s .*/dev/zero};
    }

    return $size;
}

my $sent = 0;

$t->start(server => server(1));

for my $labels (1, 250, 500, 1000, 3000, 1) {
    $t->reload(server => server($labels));

    for (1 .. 20) {
        $t->get('/1/');
        $sent++;
    }

    my $s = wait_status($t, sub {
        my ($l) = grep { $_->{location} eq 'l1' } @{$_->{locations}};

        return $l->{requests}{pass} >= $sent;
    });
    my ($l) = grep { $_->{location} eq 'l1' } @{$s->{locations}};

    is($l->{requests}{pass}, $sent, "$labels labels: all are counted");
    cmp_ok(mapped(), '<', 300 * 1024, "$labels labels: in 300 MiB");
}

$t->done;
