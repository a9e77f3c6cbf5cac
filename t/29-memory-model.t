#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The memory model against CPython itself: what json.loads() of each document
# costs, as tracemalloc sees it, and what was estimated.  See
# docs/memory-model.md.

# no-asan
# no-valgrind

use strict;
use warnings;

use FindBin qw($Bin);

my $python = '/usr/bin/python3';
my $version = `$python --version 2>&1` // '';

if ($version !~ /^Python 3\.11\./) {
    chomp $version;
    print "1..0 # SKIP the tables are those of CPython 3.11, not of $version\n";
    exit 0;
}

exec $python, "$Bin/memory-model/model.py", 'test' or die "$python: $!\n";
