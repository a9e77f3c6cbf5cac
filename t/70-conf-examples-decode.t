#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/decode.conf: compressed uploads reach the application decoded;
# those that are or become too large do not reach it.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('decode.conf'));

my $rows = ndjson(20_000, size => 60);
my $large = gzip(pseudo_random(2080, 3) x 32768);

each_framing {
    my ($f) = @_;

    for my $coding (undef, 'gzip', 'deflate') {
        my $body = !$coding ? $rows : $coding eq 'gzip' ? gzip($rows)
                                                        : zlib($rows);
        my $name = $coding // 'plain';
        my $r = $t->post('/', $body, framing => $f, encoding => $coding);

        is($r->status, 200, "$name: accepted");
        is($r->json->{sha1}, sha1_hex($rows), "$name: arrived plain");
        is($r->json->{headers}{'content-length'}, length $rows,
           "$name: under its length");
        is($r->json->{headers}{'content-encoding'}, undef,
           "$name: without a coding");
    }

    $backend->clear;

    my $r = $t->post('/', gzip_zeros(1 << 30), framing => $f,
                     encoding => 'gzip');

    is($r->json->{reason}, 'max_ratio', 'a bomb is refused');

    $r = $t->post('/', $large, framing => $f, encoding => 'gzip');

    is($r->json->{reason}, 'max_decoded', 'a body of 65 MiB');
    is($backend->connections, 0, 'neither came to the application');

    is($t->post('/', $rows, framing => $f, encoding => 'br')->status, 415,
       'a coding that is not accepted');
};

like(($t->access_log('example-access.log'))[1],
     qr/ pass gzip \d+ ${\ length $rows}$/, 'the log tells of both sizes');

$t->done;
