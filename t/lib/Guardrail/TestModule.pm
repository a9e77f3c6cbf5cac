package Guardrail::TestModule;

# Copyright (C) nginx-guardrail authors

# The module in t/modules, for tests of what other modules do to bodies:
#
#     $t->start(main => load_test_module, ...);

use strict;
use warnings;

use Exporter qw(import);

use Guardrail::Util qw(root);

our @EXPORT = qw(load_test_module);


# a line for the configuration's main part; builds the module if it must

sub load_test_module {
    my $name = qx{"${\ root}/t/tools/build-test-module.sh"};

    die "the module of the tests was not built\n" if $?;

    chomp $name;

    return "load_module $name;";
}


1;
