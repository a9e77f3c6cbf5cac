#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What is a record of ndjson and how large it is, to the byte: each body at
# its limits and one below, and the same numbers in the variables.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict format records largest_record));

$t->start(http => <<'HTTP', server => <<'SERVER');
    add_header X-G "%%G%%" always;
HTTP
    client_body_buffer_size 1k;

    location / {
        guardrail on;
        guardrail_format ndjson;
        guardrail_max_records $arg_n;
        guardrail_max_record_size $arg_s;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @bodies = (
    # name, body, records, bytes of the largest

    ['two records', "{}\n{}\n", 2, 2],
    ['no last newline', "{}\n{\"a\":1}", 2, 7],
    ['the first is the largest', "{\"a\":1}\n{}", 2, 7],
    ['CRLF', "{}\r\n{\"a\":1}\r\n", 2, 7],
    ['CRLF and LF', "{}\r\n[]\n[1]\r\n", 3, 3],
    ['one CR of two belongs to the end', "12\r\r\n3\n", 2, 3],
    ['blank lines', "\n{}\n\n\n{}\n\n", 2, 2],
    ['lines of white space', " \n\t\n \t \r\n{}\n  \n\r\n[]", 2, 2],
    ['a last line of white space', "{}\n{}\n   \t", 2, 2],
    ['white space within a record', " {} \n\t[1,\t2]\t\n", 2, 8],
    ['white space alone', " \n\t\r\n\n  ", 0, 0],
    ['newlines alone', "\n" x 50, 0, 0],
    ['one byte', '1', 1, 1],
    ['a document of several lines', "[\n1,\n2\n]", 4, 2],
    ['a BOM', "\xef\xbb\xbf{}\n[]\n", 2, 5],

    # Python's splitlines() sees these as lines, for the size they are bytes

    ['lone CRs', "1\r2\r3\n", 3, 5],
    ['a lone CR and CRLF', "1\r2\r\n3\r\n", 3, 3],
    ['a last lone CR', "1\r2\r", 2, 4],
    ['CR, and LF after a space', "1\r \n2\n", 2, 3],
    (map { [sprintf('%02x', ord), "1${_}2${_}3\n4", 4, 5] }
         "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"),
    ['all of them', "1\x0b2\x0c3\x1c4\x1d5\x1e6\r7\n", 7, 13],
    ['blank between them', "1\x0b\x0c \x1e\t2\n", 2, 7],

    # these are none for the count

    ['NEL', "1\xc2\x852\n3\n", 2, 4],
    ['U+2028', "1\xe2\x80\xa82\n3\n", 2, 5],
    ['U+2029', "1\xe2\x80\xa92\n3\n", 2, 5],
    ['a record that is a NEL', "\xc2\x85\n3\n", 2, 2],
    ['NUL within', "1\n12\0", 2, 3],
    ['bytes above 7f', "\xe4\xf6\xfc\n\x85\xa8\n", 2, 3],

    # across buffers and blocks

    (map { [$_ . ' bytes', 'x' x $_ . "\n" . 'y' x ($_ - 1) . "\r\n1", 3, $_] }
         2, 31, 63, 64, 65, 128, 1023, 1024, 1025, 70000),
    ['many small', "1\n" x 3000, 3000, 1],
    ['many lone CRs', "1\r" x 3000 . "\n", 3000, 5999],
    ['of all sizes', join('', map { 'x' x $_ . "\n" } 1 .. 130), 130, 130],
    ['blank and not', join('', map { ' ' x $_ . ($_ % 3 ? "\r\n" : "x\n") }
                               1 .. 130), 43, 130],
);

each_framing {
    my ($f) = @_;

    for (@bodies) {
        my ($name, $body, $n, $s) = @$_;
        my $len = length $body;

        my @hows = $len <= 30 ? ([chunk => 1, cut => 1, pause => 0.0003],
                                 [encoding => 'gzip'])
                              : ([cut => 1000, chunk => 1023]);

        for my $how ([], @hows) {
            my $label = "$name, @$how";
            my $wire = "@$how" =~ /gzip/ ? gzip($body) : $body;
            my $judged = sub {
                my ($max_n, $max_s) = @_;

                return $t->post("/?n=$max_n&s=$max_s", $wire, framing => $f,
                                @$how);
            };
            my $refused = sub {
                my ($r) = @_;
                my ($json, @g) = ($r->json, split ' ', $r->header('X-G'));

                return join ' ', $r->status, @$json{qw(reason limit observed
                                                       unit)}, @g[0, 2, 3];
            };

            my $r = $judged->($n || 'off', $s || 'off');

            is($r->header('X-G'), "pass ndjson $n $s", "$label: at the limits");
            is($r->json->{sha1}, sha1_hex($wire), "$label: arrived");

            like($refused->($judged->($n - 1, $s)),
                 qr/^413 max_records ${\($n - 1)} $n records reject $n \d+$/,
                 "$label: one record too many") if $n > 1;

            like($refused->($judged->('off', $s - 1)),
                 qr/^413 max_record_size ${\($s - 1)} $s bytes reject \d+ $s$/,
                 "$label: one byte too large") if $s > 1;
        }
    }

    is($t->post('/?n=off&s=0', "1\n" x 100000, framing => $f)->header('X-G'),
       'pass ndjson 100000 1', 'measured without a limit');

    for my $query ('n=&s=1', 'n=1&s=', 'n=1k&s=1', 'n=1&s=x', 'n=1.5&s=1',
                   's=1')
    {
        $backend->clear;
        is($t->post("/?$query", '1', framing => $f)->status, 500, $query);
        is($backend->connections, 0, "$query: backend");
    }
};

is(scalar(() = $t->log_lines(qr/\[error\].*in "guardrail_max_record/)), 24,
   'a line in the error log for each value that cannot be read');

$t->done;
