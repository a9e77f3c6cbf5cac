#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Style, as far as a machine can see it.

use strict;
use warnings;

use File::Find;
use FindBin qw($Bin);

# lines of a file and of a function from which on we say something

use constant { GLUE => 500, CORE => 350, FUNCTION => 100 };

chdir "$Bin/../.." or die;

my $errors = 0;

find({ no_chdir => 1, wanted => sub {
    my $file = s{^\./}{}r;

    if ($file =~ m{^(?:\.git|build|t/fuzz/corpus)$}) {
        $File::Find::prune = 1;

    } elsif (-f $file && -T $file) {
        check($file);
    }
} }, '.');

exit($errors ? 1 : 0);


sub say_error {
    my ($file, $line, $text) = @_;

    print "$file:$line: $text\n";
    $errors++;
}


sub warning {
    my ($file, $text) = @_;

    print "$file: warning: $text\n";
}


sub check {
    my ($file) = @_;

    open my $fh, '<', $file or die "open $file: $!\n";
    my $text = do { local $/; <$fh> } // '';
    utf8::decode($text);

    return if $text eq '';

    my $c = $file =~ /\.[ch]$/;
    my $make = $file =~ m{(^|/)(?:Makefile|rules)$|\.mk$};
    my $code = $c || $make || $file =~ /\.(?:pl|pm|t|sh|py|conf)$/
               || $file eq 'config' || $text =~ /\A#!/;
    my $n = 0;

    for my $line (split /\n/, $text) {
        $n++;

        my $width = length($line =~ s/\t/        /gr);

        say_error($file, $n, "$width columns") if $code && $width > 80;
        say_error($file, $n, 'tab') if !$make && $line =~ /\t/;
        say_error($file, $n, 'white space at the end') if $line =~ /\s$/;
    }

    say_error($file, $n, 'no newline at the end') if $text !~ /\n\z/;
    say_error($file, $n, 'blank lines at the end') if $text =~ /\n\n\z/;

    check_c($file, $text) if $c;
}


sub check_c {
    my ($file, $text) = @_;
    my @lines = split /\n/, $text;

    # comments and strings become blanks of the same shape

    my $bare = $text =~ s{(/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
                         {$1 =~ s/[^\n]/ /gr}gser;
    my $n = 0;

    for my $line (split /\n/, $bare) {
        $n++;

        say_error($file, $n, 'comment with //') if $line =~ m{//};
    }

    my $start = 0;

    for my $i (0 .. $#lines) {
        $start = $i if $lines[$i] eq '{';

        if ($i >= 2 && "@lines[$i - 2 .. $i]" =~ /^\s*$/) {
            say_error($file, $i + 1, 'three blank lines');
        }

        next unless $lines[$i] eq '}';

        if ($i - $start > FUNCTION) {
            warning($file, 'a function of ' . ($i - $start)
                           . ' lines ends at ' . ($i + 1));
        }

        my ($next) = grep { $lines[$_] =~ /\S/ } $i + 1 .. $#lines;

        next if !defined $next || $lines[$next] =~ /^#/;

        say_error($file, $i + 1, 'not two blank lines after a function')
            if $next - $i != 3;
    }

    my $budget = $file =~ m{^src/core/} ? CORE : $file =~ m{^src/} ? GLUE : 0;

    warning($file, @lines . " lines, the budget is $budget")
        if $budget && @lines > $budget;
}
