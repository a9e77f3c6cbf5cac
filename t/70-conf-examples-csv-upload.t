#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/csv-upload.conf: tables pass, counted by their rows; a row or a
# file without end does not.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('csv-upload.conf'));

my $table = "id,name,note\n"
            . join '', map { "$_,\"Name, $_\",\"two\nlines\"\r\n" } 1 .. 5000;

each_framing {
    my ($f) = @_;

    for (['text/csv', $table], ['application/csv', $table],
         ['text/csv; charset=utf-8', gzip($table), encoding => 'gzip'])
    {
        my ($type, $body, %opt) = @$_;

        is($t->post('/import', $body, framing => $f, type => $type,
                    %opt)->status, 200, "a table, $type");
        is($backend->last->{headers}{'x-guardrail-records'}, 5001,
           "its rows, $type");
    }

    $backend->clear;

    my $r = $t->post('/import', gzip("1\n" x 1_000_001), framing => $f,
                     type => 'text/csv', encoding => 'gzip');

    is($r->json->{reason}, 'max_records', 'a row more than a million');

    $r = $t->post('/import', "a,b\n\"" . "x\n" x 40_000, framing => $f,
                  type => 'text/csv');

    is($r->json->{reason}, 'max_record_size', 'a quote that is never closed');

    $r = $t->post('/import', '[1,2]', framing => $f,
                  type => 'application/json');

    is($r->json->{reason}, 'type', 'another type');

    $r = $t->post('/import/raw', "1\n" x 1001, framing => $f,
                  type => 'application/octet-stream');

    is($r->json->{reason}, 'max_records', 'raw: too many rows');
    is($backend->connections, 0, 'the application was not contacted');

    is($t->post('/import/raw', "1\n" x 1000, framing => $f)->status, 200,
       'raw: as many as may be');
};

$t->done;
