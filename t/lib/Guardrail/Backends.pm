package Guardrail::Backends;

# Copyright (C) nginx-guardrail authors

# What an application behind any of the examples backends-*.conf must see: the
# numbers of the guard, and never those that a client made up.

use strict;
use warnings;

use Exporter qw(import);

use Guardrail::Test;

our @EXPORT = qw(numbers_are_the_guards);

my @forged = map { ("X-Guardrail-$_", 777777) }
             qw(Records Decoded-Bytes Memory);
my @under = map { tr/-/_/r } @forged;
my @mixed = map { /^X/ ? s/X-Guardrail-/x-GUARDRAIL_/r : $_ } @forged;


sub numbers_are_the_guards {
    my ($t) = @_;
    my $rows = ndjson(500, size => 40);
    my $coded = gzip($rows);

    each_framing {
        my ($f) = @_;

        for ([[], 'as usual'], [\@forged, 'forged'],
             [\@under, 'forged with underscores'], [\@mixed, 'and with both'],
             [[@forged, @under], 'all of them'])
        {
            my ($headers, $name) = @$_;
            my $r = $t->post('/ingest', $coded, framing => $f,
                             encoding => 'gzip', headers => $headers,
                             type => 'application/x-ndjson');

            is($r->status, 200, "$name: accepted");

            my $said = $r->json;

            is($said->{rows}, 500, "$name: the application parsed it");
            is($said->{records}, 500, "$name: and was told how many");
            is($said->{bytes}, length $rows, "$name: it has decoded it");
            is($said->{decoded_bytes}, length $rows, "$name: to what it knew");
            cmp_ok($said->{memory}, '>', length $rows, "$name: an estimate");
            cmp_ok($said->{memory}, '<', 700_000, "$name: which is not theirs");
        }

        # what is refused it does not hear of

        my $r = $t->post('/ingest', gzip('{"a":"' . 'x' x (1 << 20)),
                         framing => $f, encoding => 'gzip',
                         type => 'application/x-ndjson');

        is($r->status, 413, 'a row without end');
        is($r->json->{reason}, 'max_record_size', 'is refused');
    };

    # where there is nothing to tell a client's word is none either

    for my $headers (\@forged, \@under) {
        my $r = $t->post('/ingest', '', headers => $headers,
                         type => 'application/x-ndjson');

        is($r->status, 200, 'no body');
        ok(!$r->json->{$_}, "no $_") for qw(records decoded_bytes memory);
    }
}


1;
