#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Of several limits the one that is exceeded at the earliest byte is named,
# at one byte the first in the order of their documentation.  Only a declared
# length is known before the first byte.

use strict;
use warnings;

use lib 't/lib';

use Compress::Raw::Zlib;

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    client_body_buffer_size 1k;

    guardrail on;
    guardrail_format ndjson;

    location / {
        guardrail_max_body $arg_b;
        guardrail_max_decoded $arg_d;
        guardrail_max_ratio $arg_r floor=$arg_floor;
        guardrail_max_records $arg_n;
        guardrail_max_record_size $arg_s;
        proxy_pass http://%%BACKEND%%;
    }

    location /constant {
        guardrail_max_body 10;
        guardrail_max_records 1;
        guardrail_format auto;
        proxy_pass http://%%BACKEND%%;
    }

    location /mixed {
        guardrail_max_body $arg_b;
        guardrail_max_decoded 20;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $zeros = gzip("\0" x 100000);

my $ones = gzip('1' x 100000);


# the number of bytes that the first 60 of a body decode to

sub given {
    my ($part, $out) = (substr($_[0], 0, 60), '');
    my ($inflate) = Compress::Raw::Zlib::Inflate->new(
        -WindowBits => WANT_GZIP, -AppendOutput => 1);

    $inflate->inflate($part, $out);

    return length $out;
}


my $given = given($zeros);
my $bomb = gzip("1\n" x 4000000);

# where 200 floor=1m stops it, and how many records have begun there

my $stop = 1867776;
my $begun = $stop / 2;

my @cases = (
    # name, body, limits, reason, reason if a length is declared

    ['a record too large, before one too many', "1\n22\n3",
     'n=2&s=1', 'max_record_size'],
    ['a record too many, before one too large', "1\n22\n3",
     'n=1&s=1', 'max_records'],
    ['a record too many that is too large', "1\n  2",
     'n=1&s=2', 'max_records'],
    ['a record too many at the byte too many', "1\n2",
     'n=1&b=2', 'max_body'],
    ['a record too large at the byte too many', "1\n22",
     's=1&b=3', 'max_body'],
    ['a record too many at the decoded byte too many', "1\n2",
     'n=1&d=2', 'max_decoded'],
    ['both kinds of byte too many', "1\n2", 'b=2&d=2', 'max_body'],
    ['decoded, before the body', '12345', 'b=4&d=3', 'max_decoded',
     'max_body'],
    ['a record, before the body', "1\n2\n" . 'x' x 100, 'n=1&b=50',
     'max_records', 'max_body'],
    ['a record, before what is decoded', "1\n2\n" . 'x' x 100, 'n=1&d=50',
     'max_records', 'max_decoded'],
    ['a record too many in UTF-16', "1\n\0", 'n=1', 'max_records'],
    ['a record too large in UTF-16', "1\n2\0", 's=1', 'max_record_size'],
    ['UTF-16, before a record too large', "1\n\0002", 's=1',
     'malformed_json'],
    ['a blank line too many and a byte too many', "\n" x 1041,
     'n=1&b=1040', 'max_body'],

    ['gzip: a record, before what is decoded', gzip("1\n" x 500),
     'n=400&d=900', 'max_records'],
    ['gzip: decoded, before a record', gzip("1\n" x 500),
     'n=400&d=700', 'max_decoded'],
    ['gzip: the same byte', gzip("1\n" x 500), 'n=400&d=800', 'max_decoded'],
    ['gzip: decoded in the bytes that fit', $zeros,
     "b=60&d=@{[$given - 1]}", 'max_decoded', 'max_body'],
    ['gzip: decoded in the bytes that do not', $zeros,
     "b=60&d=$given", 'max_body'],
    ['gzip: a record size in the bytes that fit', $ones,
     "b=60&s=@{[given($ones) - 1]}", 'max_record_size', 'max_body'],

    ['gzip: the ratio, before what is decoded', $bomb,
     "r=200&floor=1m&d=$stop", 'max_ratio'],
    ['gzip: decoded, at the byte of the ratio', $bomb,
     "r=200&floor=1m&d=@{[$stop - 1]}", 'max_decoded'],
    ['gzip: the ratio, before a record', $bomb,
     "r=200&floor=1m&n=$begun", 'max_ratio'],
    ['gzip: a record, before the ratio', $bomb,
     "r=200&floor=1m&n=@{[$begun - 1]}", 'max_records'],

    ['gzip: a record, before a checksum', gzip("1\n2", crc => 1),
     'n=1', 'max_records'],
    ['gzip: a checksum', gzip("1\n2", crc => 1), 'n=2',
     'malformed_encoding'],
    ['gzip: a record, before junk', gzip("1\n") . gzip("2\n") . 'x', 'n=1',
     'max_records'],
    ['gzip: junk, before a member with a record', gzip("1\n") . 'x'
     . gzip("2\n"), 'n=1', 'malformed_encoding'],
    ['gzip: decoded, before its end is missed', substr($zeros, 0, -4),
     'd=99999', 'max_decoded'],
    ['gzip: the ratio, before its end is missed', substr($zeros, 0, -4),
     'r=2&floor=1', 'max_ratio'],
    ['gzip: what is good of bad data', gzip_header() . "\0\x03\0\xfc\xff"
     . "1\n2" . "\7", 'n=1', 'max_records'],
);

each_framing {
    my ($f) = @_;

    for (@cases) {
        my ($name, $body, $query, $reason, $declared) = @$_;
        my %limit = (b => 'off', d => 'off', r => 'off', floor => 0,
                     n => 'off', s => 'off', map { split /=/ }
                     split /&/, $query);
        my $uri = '/?' . join '&', map { "$_=$limit{$_}" } sort keys %limit;

        $reason = $declared if $declared && $f =~ /cl$/;
        $backend->clear;

        for my $how ([], [chunk => 1], [cut => 61]) {
            my $r = $t->post($uri, $body, framing => $f, @$how,
                             encoding => $name =~ /^gzip/ ? 'gzip' : '',
                             type => 'application/x-ndjson');

            is($r->json->{reason}, $reason, "$name, @$how");
        }

        is($backend->connections, 0, "$name: backend");
    }

    # of the head: the declared length, the coding, the type

    my $len = $f =~ /cl$/;

    for (['br', 'text/csv', 11, $len ? 'max_body' : 'encoding'],
         ['br', 'text/csv', 10, 'encoding'],
         ['br', 'text/plain;charset=x', 10, 'encoding'],
         ['', 'text/plain;charset=x', 11, $len ? 'max_body' : 'type'],
         ['', 'text/plain;charset=x', 10, 'type'])
    {
        my ($coding, $type, $length, $reason) = @$_;

        is($t->post('/constant', '1' x $length, framing => $f, type => $type,
                    encoding => $coding)->json->{reason}, $reason,
           "head: $coding, $type, $length bytes");
    }

    # what is constant is judged before what is not

    for ([5, 6, '', 'max_body'], [5, 6, 'br', 'encoding'],
         [5, 21, '', $len ? 'max_decoded' : 'max_body'],
         ['', 1, '', 'internal'], ['', 1, 'br', 'encoding'])
    {
        my ($b, $length, $coding, $reason) = @$_;

        is($t->post("/mixed?b=$b", '1' x $length, framing => $f,
                    encoding => $coding)->json->{reason}, $reason,
           "constant and not: $b, $length bytes, $coding");
    }
};

$t->done;
