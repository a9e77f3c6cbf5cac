#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The memory of a zone asks for large pages, in the worker that uses it, and
# after a reload too; nothing else of nginx's shared memory does.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;

$t->skip_all('no large pages in this system')
    if !-e '/sys/kernel/mm/transparent_hugepage/enabled';

$t->start(http => <<'HTTP',
    guardrail_zone z size=8m key=all;
    limit_req_zone all zone=other:8m rate=1r/s;
    guardrail on;
HTTP
    server => <<'SERVER');
    location / {
        guardrail_quota z requests 100/1h;
        return 204;
    }
SERVER

# shared mappings of a worker of that many KiB and a little more, and their
# flags

sub flags {
    my ($pid) = $t->worker_pids;
    my (%flags, $size);

    for (split /\n/, read_file("/proc/$pid/smaps")) {
        $size = $1 if /^Size:\s+(\d+) kB/;
        push @{$flags{$size}}, $_ if /^VmFlags: .*\bsh\b/;
    }

    return map { @{$flags{$_}} } sort { $a <=> $b }
           grep { $_ >= 8192 && $_ < 8192 + 512 } keys %flags;
}

for ('at first', 'after a reload') {
    my ($other, $zone) = flags;

    unlike($other, qr/\bhg\b/, "$_: another zone does not ask");
    like($zone, qr/\bhg\b/, "$_: the zone asks for large pages");

    $t->reload if $_ eq 'at first';
}

$t->done;
