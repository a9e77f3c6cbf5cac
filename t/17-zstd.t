#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# zstd bodies: what is sound arrives as it was sent, what is not is refused,
# and the backend hears nothing of it.

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
        guardrail_encodings zstd;
        guardrail_max_body 1m;
        guardrail_max_decoded 2g;
        proxy_pass http://%%BACKEND%%;
    }

    location /ratio {
        guardrail on;
        guardrail_encodings zstd;
        guardrail_max_ratio 10 floor=$arg_floor;
        proxy_pass http://%%BACKEND%%;
    }

    location /two {
        guardrail on;
        guardrail_encodings zstd deflate;
        guardrail_max_records 100;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $text = "a line of a log, and the next\n" x 400;
my $noise = pseudo_random(30000, 5);
my $one = zstd($text);
my $a = zstd_frame('a');


# a frame with a window of so many bytes: 2^(10 + e) * (1 + m / 8)

sub window {
    my ($e, $m) = @_;

    return substr($a, 0, 5) . chr($e << 3 | $m) . substr $a, 6;
}


my @good = (
    # name, body, decoded bytes
    ['text', $one, length $text],
    ['fast', zstd($text, '-1'), length $text],
    ['level 19', zstd($text, '-19'), length $text],
    ['no checksum', zstd($text, '--no-check'), length $text],
    ['noise', zstd($noise), length $noise],
    ['nothing', zstd(''), 0],
    ['a frame of three blocks', zstd_frame('a', ['b', 100], 'c'), 102],
    ['three frames', $one . $a . $one, 1 + 2 * length $text],
    ['1024 frames', $a x 1024, 1024],
    ['1024 empty frames', zstd_frame('') x 1024, 0],
    ['a skippable frame', zstd_skippable(20), 0],
    ['skippable frames', zstd_skippable(8) . $a . zstd_skippable(1000), 1],
    ['1024, most skippable', $a . zstd_skippable(9) x 1023, 1],
    ['a skippable frame of 65536', $a . zstd_skippable(65536), 1],
    ['a window of 8 MiB', window(13, 0), 1],
    ['a window of 1 KiB', window(0, 0), 1],
);

my @bad = (
    # name, body
    ['1025 frames', $a x 1025],
    ['1025, the last skippable', $a x 1024 . zstd_skippable(8)],
    ['a skippable frame of 65537', $a . zstd_skippable(65537)],
    ['a checksum that is wrong', substr($one, 0, -1) . "\0"],
    ['a byte after the end', "$one\0"],
    ['a newline after the end', "$one\n"],
    ['half a magic number after the end', "$one\x28\xb5"],
    ['no zstd', $text],
    ['gzip', gzip($text)],
    ['reserved flags', substr($a, 0, 4) . "\x08" . substr $a, 5],
    ['a dictionary', substr($a, 0, 4) . "\x01\x38\x07" . substr $a, 6],
    ['a block of the reserved type', substr($a, 0, 6) . "\x0f\0\0a"],
    ['an unfinished skippable frame', $a . substr zstd_skippable(20), 0, 19],
    ['all but the last byte', substr $one, 0, -1],
    ['only a magic number', substr $one, 0, 4],
);


sub refused {
    my ($r, $f, $name, $status, $reason) = @_;

    is($r->status, $status, "$name: status");
    is($r->json->{reason}, $reason, "$name: reason");
    is($backend->connections, 0, "$name: backend");
    is($r->header('Connection'), $f =~ /h2/ ? undef : 'close',
       "$name: connection");
}


each_framing {
    my ($f) = @_;

    for (@good) {
        my ($name, $body, $decoded) = @$_;
        my $len = length $body;

        for my $how ([], [cut => 997], [chunk => 333],
                     $len < 200 ? ([cut => 1, pause => 0.0003], [chunk => 1])
                                : [cut => 8192, pause => 0.0003])
        {
            my $r = $t->post('/', $body, framing => $f, encoding => 'zstd',
                             @$how);

            is($r->status, 200, "$name, @$how: status");
            is($r->json->{sha1}, sha1_hex($body),
               "$name, @$how: arrived as it was");
            is($r->json->{headers}{'content-encoding'}, 'zstd',
               "$name, @$how: its field");
            is($r->header('X-G'), "pass zstd $len $decoded",
               "$name, @$how: variables");
        }
    }

    for (@bad) {
        my ($name, $body) = @$_;

        $backend->clear;
        refused($t->post('/', $body, framing => $f, encoding => 'zstd',
                         @$_), $f, "$name, @$_", 400, 'malformed_encoding')
            for [], [cut => 997], [chunk => 7];
    }

    # RFC 9659: at most 8 MiB, whichever frame asks

    for (['9 MiB', window(13, 1), 9 << 20],
         ['2 TiB', window(31, 0), 2 ** 41],
         ['128 MiB in the second frame', $a . window(17, 0), 1 << 27],
         ['9 MiB as the content of a single segment',
          "\x28\xb5\x2f\xfd\xa0" . pack('V', 9 << 20) . "\x09\0\0a", 9 << 20])
    {
        my ($name, $body, $window) = @$_;

        $backend->clear;

        for my $how ([], [chunk => 1]) {
            my $r = $t->post('/', $body, framing => $f, encoding => 'zstd',
                             @$how);

            refused($r, $f, "a window of $name", 413, 'max_memory');
            is($r->json->{limit}, 8 << 20, "$name: limit");
            is($r->json->{observed}, $window, "$name: observed");
        }
    }

    # 1 GiB of zeros in 32,774 bytes.  The ratio allows 1 MiB + 200 * 4096
    # bytes, 1,867,776, of the first slice: a multiple of 16 KiB, which passes.

    my $bomb = zstd_zeros(8192);

    is(length $bomb, 32774, 'the bomb');

    for my $how ([], [cut => 1000], [chunk => 100], [cut => 4096, drain => 1]) {
        my $r = $t->post('/', $bomb, framing => $f, encoding => 'zstd', @$how);

        refused($r, $f, "a bomb, @$how", 413, 'max_ratio');
        like($r->header('X-G'), qr/^reject zstd \d+ 1884160$/,
             "a bomb, @$how: where it is refused");
        is($r->json->{observed}, 460, "a bomb, @$how: observed");
    }

    # skippable frames are no input: 5000 bytes from 10 of a frame

    my $run = zstd_frame(['x', 5000]);
    my $padded = zstd_skippable(60000) . $run . zstd_skippable(3000);

    for my $body ($run, $padded) {
        my $floor = 5000 - 10 * length $run;

        is($t->post("/ratio?floor=$floor", $body, framing => $f,
                    encoding => 'zstd')->status, 200, 'ratio: equality');

        $floor--;
        $backend->clear;
        refused($t->post("/ratio?floor=$floor", $body, framing => $f,
                         encoding => 'zstd'),
                $f, 'ratio: one byte of floor less', 413, 'max_ratio');
    }

    # records are counted in what was decoded

    my $r = $t->post('/two', zstd("{}\n" x 100), framing => $f,
                     encoding => 'zstd', type => 'application/x-ndjson');
    is($r->status, 200, '100 records');

    $backend->clear;
    $r = $t->post('/two', zstd("{}\n" x 101), framing => $f,
                  encoding => 'zstd', type => 'application/x-ndjson');
    refused($r, $f, '101 records', 413, 'max_records');

    $r = $t->post('/two', 'x', framing => $f, encoding => 'br');
    is($r->header('Accept-Encoding'), 'deflate, zstd', 'what is accepted');
};


# every prefix, and every body in two pieces

my $small = zstd('hello, ' x 3) . zstd_skippable(12) . zstd_frame('world');
my $first = length zstd('hello, ' x 3);

each_framing {
    my ($f) = @_;

    $backend->clear;

    for my $n (1 .. length($small) - 1) {
        my $whole = $n == $first || $n == $first + 12;

        is($t->post('/', substr($small, 0, $n), framing => $f,
                    encoding => 'zstd', chunk => 5)->status,
           $whole ? 200 : 400, "the first $n bytes");
    }

    is($backend->connections, 2, 'only what was complete arrived');

    for my $n (1 .. length($small) - 1) {
        is($t->post('/', $small, framing => $f, encoding => 'zstd',
                    cuts => [$n], pause => 0.001)->json->{sha1},
           sha1_hex($small), "cut after $n bytes");
    }
};

$t->done;
