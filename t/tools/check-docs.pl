#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The documents against the code: every directive has its block in
# docs/directives.md with the contexts it is allowed in, every variable is in
# docs/variables.md, neither documents what does not exist, and every example
# is run by a test.

use strict;
use warnings;

use FindBin qw($Bin);

chdir "$Bin/../.." or die;

my $errors = 0;
my $code = join '', map { text($_) } glob 'src/*.c';

directives();
variables();
examples();

exit($errors ? 1 : 0);


sub say_error {
    print "@_\n";
    $errors++;
}


sub text {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar <$fh> // '';
}


# entries of the tables of a type: names and the rest of each entry

sub entries {
    my ($type, $name) = @_;
    my %found;

    while ($code =~ /\b$type\s+\w+\s*\[\]\s*=\s*\{(.*?)\n\};/gs) {
        my $table = $1 =~ s{/\*.*?\*/}{}gsr;

        while ($table =~ /\{\s*ngx_string\("($name)"\),(.*?)\}/gs) {
            $found{$1} = $2;
        }
    }

    return %found;
}


sub directives {
    my %want = entries('ngx_command_t', 'guardrail\w*');
    my $doc = text('docs/directives.md');
    my %have = $doc =~ /^### (\S+)\n(.*?)(?=^\#{1,3} |\z)/gms;

    say_error('no directives in src/*.c') unless %want;

    for my $name (sort keys %want) {
        my $block = $have{$name};

        if (!defined $block) {
            say_error("docs/directives.md: no block \"### $name\"");
            next;
        }

        for my $field ('Syntax', 'Default', 'Context', 'Appeared in') {
            say_error("docs/directives.md: $name has no \"$field:\"")
                unless $block =~ /^$field:\s*\S/m;
        }

        say_error("docs/directives.md: the syntax of $name names another")
            if $block =~ /^Syntax:\s*(\S+?);?\s/m && $1 ne $name;

        my %context = (
            HTTP_MAIN => 'http',
            HTTP_SRV  => 'server',
            HTTP_LOC  => 'location',
            HTTP_LIF  => 'if in location',
        );
        my $allowed = join ', ', map { $context{$_} }
            grep { $want{$name} =~ /\bNGX_${_}_CONF\b/ }
            qw(HTTP_MAIN HTTP_SRV HTTP_LOC HTTP_LIF);

        say_error("docs/directives.md: $name is allowed in $allowed")
            if $block =~ /^Context:\s*(.*?)\s*$/m && $1 ne $allowed;
    }

    for my $name (sort grep { /^guardrail/ } keys %have) {
        say_error("docs/directives.md: there is no $name")
            unless exists $want{$name};
    }
}


sub variables {
    my %want = entries('ngx_http_variable_t', 'guardrail_\w+');
    my $doc = text('docs/variables.md');
    my %have = map { $_ => 1 } $doc =~ /\$(guardrail_\w+)/g;

    say_error('no variables in src/*.c') unless %want;

    for my $name (sort keys %want) {
        say_error("docs/variables.md: no \$$name") unless $have{$name};
    }

    for my $name (sort keys %have) {
        say_error("docs/variables.md: there is no \$$name")
            unless exists $want{$name};
    }
}


sub examples {
    my @files = glob 'conf-examples/*.conf';
    my $tests = join '', map { text($_) } glob 't/*.t';

    say_error('no conf-examples/*.conf') unless @files;

    for my $file (@files) {
        my ($name) = $file =~ m{([^/]+)$};

        say_error("$file: no test in t/ runs it")
            unless $tests =~ /\b\Q$name\E\b/;
    }
}
