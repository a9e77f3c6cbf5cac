#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_max_records and guardrail_max_record_size where records are no
# lines: rows of CSV, elements of a JSON array, texts of a JSON sequence.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    guardrail on;
    add_header X-G "$guardrail_format $guardrail_records
                    $guardrail_largest_record" always;

    location /count {
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_record_size 5;
        proxy_pass http://%%BACKEND%%;
    }

    location /csv {
        guardrail_format csv;
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /json {
        guardrail_format json;
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my ($csv, $json, $seq) = qw(text/csv application/json application/json-seq);

my @count = (
    [$csv, "a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4\n5"],
    [$csv, "a\r\nb\r\nc", "a\r\nb\r\nc\r\nd"],
    [$csv, "a\rb\rc", "a\rb\rc\rd"],
    [$csv, "\"a\nb\nc\nd\"\n2\n3\n", "\"a\nb\nc\nd\"\n2\n3\n4"],
    [$csv, "a\"\nb\"\nc\"", "a\"\nb\"\nc\"\nd\""],
    [$csv, "\n\n\n", "\n\n\n\n"],
    ['application/csv', "a\nb\nc\n", "a\nb\nc\nd\n"],
    [$json, '[1,2,3]', '[1,2,3,4]'],
    [$json, '[[1,2,3,4],{"a":[1,2,3,4]},"1,2,3,4"]', '[[],[],[],[]]'],
    [$json, '{"a":[1,2,3,4]}', '{}{}{}{}'],
    [$json, "1\n2\n3", "1\n2\n3\n4"],
    ['application/vnd.api+json', '[1,2,3]', '[1,2,3,4]'],
    [$seq, "\x1e1\n\x1e2\n\x1e3\n", "\x1e1\n\x1e2\n\x1e3\n\x1e4\n"],
    [$seq, "\x1e1 2\n\x1e3\n", "\x1e1 2\n\x1e3 4\n"],
    [$seq, "1\x1e2\x1e3", "1\x1e2\x1e3\x1e4"],
);

my @size = (
    [$csv, "12345\n12345\r\n\"345\"", "123456\n"],
    [$csv, "\"3\n5\"\n", "\"3\n56\"\n"],
    [$json, '[12345,"345"]', '[123456]'],
    [$seq, "\x1e12345\n\x1e1\n", "\x1e123456\n"],
);


sub judge {
    my ($uri, $reason, $f, $type, $good, $bad) = @_;
    my $name = "$type " . ($good =~ s/[^ -~]/./gr);

    is($t->post($uri, $good, framing => $f, type => $type)->status, 200,
       "$name: at the limit");

    $backend->clear;

    my $r = $t->post($uri, $bad, framing => $f, type => $type);

    is($r->status, 413, "$name: one more");
    is($r->json->{reason}, $reason, "$name: reason");
    is($backend->connections, 0, "$name: the backend");
}


each_framing {
    my ($f) = @_;

    judge('/count', 'max_records', $f, @$_) for @count;
    judge('/size', 'max_record_size', $f, @$_) for @size;

    judge('/csv', 'max_records', $f, 'text/html', "a\nb\nc\n", "a\nb\nc\nd");
    judge('/json', 'max_records', $f, 'text/html', '[1,2,3]', '[1,2,3,4]');

    # physical lines are capped too, those in quotes as well

    is($t->post('/count', '"' . "\n" x (16 * 3 + 1023) . '"', framing => $f,
                type => $csv)->status, 200, 'lines in quotes: the cap');
    is($t->post('/count', '"' . "\n" x (16 * 3 + 1024) . '"', framing => $f,
                type => $csv)->status, 413, 'lines in quotes: one more');

    # JSON under another label is counted by its lines

    like($t->post('/count', "{}\n{}\n", framing => $f, type => $csv)
           ->header('X-G'), qr/^ndjson\s+2\s/, 'CSV that is JSON');

    # blank JSON has no records

    like($t->post('/count', "  \n", framing => $f, type => $json)
           ->header('X-G'), qr/^json\s+0\s/, 'blank');
};

for (grep { length $_->[2] < 20 } @count) {
    my ($type, undef, $bad) = @$_;

    for my $i (1 .. length($bad) - 1) {
        is($t->post('/count', $bad, type => $type, cuts => [$i],
                    framing => 'chunked', drain => 1)->status, 413,
           "$type, cut at $i");
    }
}

$t->done;
