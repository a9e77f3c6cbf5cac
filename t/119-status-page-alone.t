#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The status page before a server that pretends: what it makes of answers that
# are rare, broken, hostile or missing, how it looks, and who can read it.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use Guardrail::Browser;

# no-asan: nginx has no part in it
# no-ubsan
# no-locks
# no-valgrind

needs_browser;

run_node('data.mjs');
run_node('browser.mjs');

done_testing;
