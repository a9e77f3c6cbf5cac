package Guardrail::Browser;

# Copyright (C) nginx-guardrail authors

# Tests in a browser: they need Node, Debian's Chromium, and playwright-core
# from npm below build/page, which "make page-test" puts there.  Where one of
# them is missing a test is skipped, unless TEST_BROWSER is set.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

use Guardrail::Util qw(root);

our @EXPORT = qw(needs_browser run_node);


sub needs_browser {
    my $chromium = $ENV{CHROMIUM} // '/usr/bin/chromium';
    my $playwright = $ENV{PLAYWRIGHT} // root . '/build/page/';
    my $why = !needs_node(18) ? 'no node, or one before 18'
              : !-x $chromium ? "no $chromium"
              : !-d "${playwright}node_modules/playwright-core"
                ? 'no playwright-core: make page-test gets it'
              : undef;

    return if !defined $why;

    die "$why\n" if $ENV{TEST_BROWSER};
    plan(skip_all => $why);
}


sub needs_node {
    my ($least) = @_;
    my $version = qx{node --version 2>/dev/null} // '';

    return $version =~ /^v(\d+)\./ && $1 >= $least;
}


# runs a file below t/page, whose tests are a subtest here

sub run_node {
    my ($file, @args) = @_;

    subtest $file => sub {
        open my $out, '-|', 'node', root . "/t/page/$file", @args
            or die "node: $!\n";

        my $planned;

        while (my $line = <$out>) {
            chomp $line;

            if ($line =~ /^(not )?ok \d+(?: - (.*))?$/) {
                ok(!$1, $2);

            } elsif ($line =~ /^1\.\.(\d+)$/) {
                $planned = $1;

            } else {
                diag($line =~ s/^# //r) if $line =~ /^#? {2,}|^# \S+ at /;
                note($line);
            }
        }

        ok(close $out, 'it ended well');
        is(Test::More->builder->current_test - 1, $planned, 'all were run');
    };
}


1;
