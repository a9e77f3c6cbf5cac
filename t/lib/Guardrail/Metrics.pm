package Guardrail::Metrics;

# Copyright (C) nginx-guardrail authors

# Reads what guardrail_status gives: JSON, and Prometheus' text format by the
# letter of its grammar, so that what a scraper would not take dies here.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Guardrail::Util qw(scale);

our @EXPORT = qw(location metrics status wait_status);

my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;
my $number = qr/[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)/;


sub status {
    my ($t, %opt) = @_;
    my $r = $t->get('/status?format=json', %opt);

    die 'status: ' . $r->status . "\n" unless $r->status == 200;

    return JSON::PP->new->utf8->decode($r->body);
}


# one location of it

sub location {
    my ($t, $name, %opt) = @_;

    for my $l (@{status($t, %opt)->{locations}}) {
        return $l if $l->{location} eq $name;
    }

    return undef;
}


# a request is counted after its last byte was sent

sub wait_status {
    my ($t, $code) = @_;
    my $end = time + 10 * scale;

    while (1) {
        local $_ = status($t);

        return $_ if $code->($_) || time > $end;
        select undef, undef, undef, 0.02;
    }
}


# { 'name{labels}' => value }; dies of what breaks the rules

sub metrics {
    my ($text, $openmetrics) = @_;
    my (%value, %type, %done, $family);

    die "no line feed at the end\n" unless $text =~ /\n\z/;

    my @lines = split /\n/, $text;

    if ($openmetrics) {
        die "no EOF\n" unless pop(@lines) eq '# EOF';
    }

    for my $line (@lines) {
        if ($line =~ /^# HELP (\S+) (.+)$/) {
            die "$1 comes twice\n" if $done{$1}++;
            $family = $1;
            next;
        }

        if ($line =~ /^# TYPE (\S+) (counter|gauge|histogram)$/) {
            die "TYPE of $1 is not after its HELP\n" unless $1 eq $family;
            $type{$1} = $2;
            next;
        }

        die "cannot be read: $line\n"
            unless $line =~ /^(\w+)((?:\{$label(?:,$label)*\})?)[ ]($number)$/;

        my ($name, $labels, $n) = ($1, $2, $3);
        my $type = $type{$family} // '';
        my $suffix = $type eq 'counter' ? ($openmetrics ? '_total' : '')
                     : $type eq 'histogram' ? '_(?:bucket|sum|count)' : '';

        die "$name is not of $family, a $type\n"
            unless $name =~ /^$family$suffix$/;
        die "$name$labels comes twice\n" if exists $value{"$name$labels"};

        $value{"$name$labels"} = $n;
    }

    check_histogram(\%value, $_)
        for grep { $type{$_} eq 'histogram' } keys %type;

    return \%value;
}


# counts grow with their bounds, and the last one is that of all

sub check_histogram {
    my ($value, $name) = @_;
    my %buckets;

    for (keys %$value) {
        next unless /^${name}_bucket\{(.*),?le="([^"]+)"\}$/;

        my ($labels, $le) = ($1, $2);

        $labels =~ s/,$//;
        push @{$buckets{$labels}}, [$le eq '+Inf' ? 9e99 : $le,
                                    $value->{$_}];
    }

    for my $labels (keys %buckets) {
        my @b = sort { $a->[0] <=> $b->[0] } @{$buckets{$labels}};

        die "$name has more than 16 buckets\n" if @b > 16;
        die "$name has no +Inf\n" unless $b[-1][0] == 9e99;

        for (1 .. $#b) {
            die "$name: $b[$_][0] has less than before\n"
                if $b[$_][1] < $b[$_ - 1][1];
        }

        die "$name: the count is another\n"
            unless $value->{"${name}_count\{$labels\}"} == $b[-1][1];
        die "$name has no sum\n"
            unless exists $value->{"${name}_sum\{$labels\}"};
    }
}


1;
