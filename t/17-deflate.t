#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# deflate is zlib if the first two bytes are a zlib header, else raw.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict encoding body_bytes decoded_bytes));

$t->start(server => <<'SERVER');
    add_header X-G "%%G%%" always;
    client_body_buffer_size 1k;

    location / {
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $text = "a line of a log, and the next\n" x 40;
my $noise = pseudo_random(30000, 5);
my $zlib = zlib('hello, world');
my $raw = deflate_raw('hello, world');


# one stored block; raw deflate says so in the first byte, of which all but
# three bits are free

sub stored {
    my ($data, $first) = @_;

    return pack('Cvv', $first, length $data, ~length($data) & 0xffff) . $data;
}


my @good = (
    ['zlib', $zlib, 12],
    ['raw', $raw, 12],
    ['zlib, nothing', zlib(''), 0],
    ['raw, nothing', deflate_raw(''), 0],
    ['zlib, text', zlib($text), length $text],
    ['raw, text', deflate_raw($text), length $text],
    ['zlib, fast', zlib($text, 1), length $text],
    ['zlib, stored', zlib($noise), length $noise],
    ['raw, stored', deflate_raw($noise), length $noise],

    # nearly a zlib header: wrong check bits, a window of 64k

    ['raw, 78 9d', stored('x' x 0x9d, 0x78) . stored('', 1), 0x9d],
    ['raw, 88 1c', stored('x' x 0x1c, 0x88) . stored('', 1), 0x1c],
);

# a stored block of 0x69c bytes that begins with a zlib header, behind which
# comes what is no deflate

my $polyglot = stored('x' x 0x69c, 0x78) . stored('', 1);

my @bad = (
    ['zlib, checksum', substr($zlib, 0, -1) . chr(ord(substr $zlib, -1) ^ 1)],
    ['zlib, a byte after the end', "$zlib\0"],
    ['zlib twice', $zlib x 2],
    ['raw, a byte after the end', "$raw\0"],
    ['raw twice', $raw x 2],
    ['zlib with a dictionary', "\x78\xbb\0\0\0\1" . $raw],
    ['gzip', gzip($text)],
    ['a zlib header before raw data', $polyglot],
    ['a zlib header', "\x78\x9c"],
    ['half a header', "\x78"],
    ['text', $text],
    ['NULs', "\0" x 100],
    ['a block of no type', "\7" . 'x' x 20],
);

each_framing {
    my ($f) = @_;

    for (@good) {
        my ($name, $body, $decoded) = @$_;
        my $len = length $body;

        for my $how ([], [cut => 997], [chunk => 333], [cuts => [1, 2, 3]],
                     $len < 200 ? ([cut => 1, pause => 0.0003], [chunk => 1])
                                : ())
        {
            my $cut = $how->[0] || 'whole';
            my $r = $t->post('/', $body, framing => $f, @$how,
                             encoding => 'deflate');

            is($r->status, 200, "$name, $cut: status");
            is($r->json->{sha1}, sha1_hex($body),
               "$name, $cut: arrived as it was");
            is($r->json->{headers}{'content-encoding'}, 'deflate',
               "$name, $cut: its field");
            is($r->header('X-G'), "pass deflate $len $decoded",
               "$name, $cut: variables");
        }
    }

    $backend->clear;

    for (@bad) {
        my ($name, $body) = @$_;

        for my $how ([], [cut => 1, pause => 0.0003], [chunk => 1]) {
            my $r = $t->post('/', $body, framing => $f, @$how,
                             encoding => 'deflate');

            is($r->status, 400, "$name, @$how: status");
            is($r->json->{reason}, 'malformed_encoding',
               "$name, @$how: reason");
        }
    }

    # every prefix, and every body in two pieces

    for my $body ($zlib, $raw) {
        for my $n (1 .. length($body) - 1) {
            is($t->post('/', substr($body, 0, $n), framing => $f,
                        encoding => 'deflate')->status, 400,
               "the first $n bytes");
        }
    }

    is($backend->connections, 0, 'nothing arrived');

    for my $body ($zlib, $raw) {
        for my $n (1 .. length($body) - 1) {
            is($t->post('/', $body, framing => $f, encoding => 'deflate',
                        cuts => [$n], pause => 0.001)->json->{sha1},
               sha1_hex($body), "cut after $n bytes");
        }
    }
};

$t->done;
