package Guardrail::TestModule;

# Copyright (C) nginx-guardrail authors

# The module in t/modules, for tests of what other modules do to bodies:
#
#     $t->start(main => load_test_module, ...);

use strict;
use warnings;

use Exporter qw(import);
use Test::More;
use Time::HiRes qw(time);

use Guardrail::Util qw(root wait_until);

our @EXPORT = qw(build_points load_test_module served_in_order serve_turn
                 zone_views zone zone_is zone_is_quiet);

# seconds in which a worker has to take its turn: GUARDRAIL_LEVEL_GRANT

my $turn = 0.5;
my ($freed, $late);


# a line for the configuration's main part; builds the module if it must

sub load_test_module {
    my $name = qx{"${\ root}/t/tools/build-test-module.sh"};

    die "the module of the tests was not built\n" if $?;

    chomp $name;

    return "load_module $name;";
}


# A build of its own, in which a process can be told to die inside a section
# of a zone; it is the same for all stages.  To be called first of all: where
# the module is linked in, it skips the test.

sub build_points {
    plan(skip_all => 'the module is linked in')
        if ($ENV{TEST_MODULE} // '') eq 'none';

    system("'${\ root}/t/tools/build.sh' points > /dev/null") == 0
        or die "the build with points failed\n";

    return root . '/build/points/ngx_http_guardrail_module.so';
}


# locations that show these zones, for the configuration's server part

sub zone_views {
    return join '', map {
        "    location = /.zone/$_ {\n        guardrail off;\n"
            . "        test_zone $_;\n    }\n"
    } @_;
}


# What a zone holds: uploads, concurrency and memory in use, leases, holds,
# waiting, granted, statistics; check is 1 if all of it fits together.

sub zone {
    my ($t, $name) = @_;

    return $t->get("/.zone/$name", headers => ['Connection', 'close'])->json;
}


# Waits until these gauges of a zone have these values, and tests them:
#
#     zone_is($t, 'z', { concurrency => 2, waiting => 1 }, 'one waits');

sub zone_is {
    my ($t, $name, $want, $label, $seconds) = @_;
    my $got;

    wait_until {
        my $zone = zone($t, $name);

        $got = { map { $_ => $zone->{$_} } 'check', keys %$want };

        return !grep { ($got->{$_} // '') ne $want->{$_} } keys %$want;
    } $seconds || 5;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply($got, { check => 1, %$want }, $label);
}


sub zone_is_quiet {
    my ($t, $name, $label, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    zone_is($t, $name, { uploads => 0, concurrency => 0, memory => 0,
                         holds => 0, leased_memory => 0, waiting => 0,
                         granted => 0 },
            $label || "nothing is in use in $name", $seconds);
}


# Waits until a peer that holds requests has so many, and answers: the place
# goes to the one that waits next.

sub serve_turn {
    my ($peer, $n) = @_;

    $peer->wait_requests($n);
    $late = 1 if defined $freed && time - $freed >= $turn;
    $freed = time;
    $peer->release;
}


# Tests that the peer got what stands behind the "?" of its URIs in this order.
# Where a turn was over before a request came, as on a machine that stood
# still, it was another's by right: then all must have come, in any order.

sub served_in_order {
    my ($peer, $want, $label) = @_;
    my @got = map { $_->{uri} =~ s/.*\?//r } $peer->requests;
    my @want = split / /, $want;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    if ($late) {
        diag("a turn was not taken in time: @got");
        @$_ = sort @$_ for \@got, \@want;
    }

    is("@got", "@want", $label);
    ($freed, $late) = ();
}


1;
