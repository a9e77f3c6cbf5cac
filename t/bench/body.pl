#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# NDJSON of about 125 bytes a record, one JSON document, or CSV with the same
# values: SIZE bytes that are the same every time.  gzip -6 makes NDJSON 5.6
# times smaller.
#
#     body.pl SIZE [json | csv]

use strict;
use warnings;

# more than any window of a decoder, and quickly made

use constant BLOCK => 8_000_000;

my ($size, $format) = (@ARGV, 'ndjson');
my @kinds = qw(temperature humidity pressure wind_speed battery);
my $seed = 7;
my $id = 0;

binmode STDOUT;

if ($format eq 'json') {
    my $text = '[' . join ',', map { record() =~ s/\n//r } 1 .. $size / 140;

    print $text, ' ' x ($size - 1 - length $text), ']';

} else {
    my $text = '';
    my $block = $size < BLOCK ? $size : BLOCK;

    while (length $text < $block) {
        $text .= $format eq 'csv' ? csv(record()) : record();
    }

    while ($size > length $text) {
        print $text;
        $size -= length $text;
    }

    # whole records, and spaces for what is left

    $text = substr $text, 0, $size - 1;
    $text =~ s/([^\n]*)\z/' ' x length $1/e;

    print $text, "\n";
}


# names away; tags, which hold a comma, in quotes

sub csv {
    my ($record) = @_;

    $record =~ s/[{}]//g;
    $record =~ s/\["(.*?)","(.*?)"\]/"$1,$2"/;
    $record =~ s/"\w+"://g;

    return $record;
}


sub record {
    return sprintf '{"id":%d,"time":"2024-05-%02dT%02d:%02d:%02d.%03dZ",'
                   . '"sensor":"%s-%04d","value":%d.%03d,"tags":["%s",'
                   . '"site-%d"],"ok":%s}' . "\n",
                   ++$id, 1 + rnd(28), rnd(24), rnd(60), rnd(60), rnd(1000),
                   $kinds[rnd(5)], rnd(2000), rnd(1000), rnd(1000),
                   $kinds[rnd(5)], rnd(40), rnd(10) ? 'true' : 'false';
}


# not Perl's own, which differs between systems

sub rnd {
    my ($n) = @_;

    $seed ^= $seed << 13 & 0xffffffff;
    $seed ^= $seed >> 17;
    $seed ^= $seed << 5 & 0xffffffff;

    return $seed % $n;
}
