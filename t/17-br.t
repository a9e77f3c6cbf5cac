#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# br bodies: what is sound arrives as it was sent, what is not is refused, and
# the backend hears nothing of it.

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
        guardrail_encodings br;
        guardrail_max_body 1m;
        guardrail_max_decoded 2g;
        proxy_pass http://%%BACKEND%%;
    }

    location /two {
        guardrail on;
        guardrail_encodings br gzip;
        guardrail_max_records 100;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $text = "a line of a log, and the next\n" x 400;
my $noise = pseudo_random(30000, 5);
my $one = brotli($text);

my @good = (
    # name, body, decoded bytes
    ['text', $one, length $text],
    ['fast', brotli($text, '-1'), length $text],
    ['a window of 1 KiB', brotli($text, '-w', 10), length $text],
    ['a window of 16 MiB', brotli($text, '-w', 24), length $text],
    ['noise', brotli($noise), length $noise],
    ['nothing', "\x06", 0],
    ['metadata', "\x0c" . "\x06" x 500 . "\x03", 0],
);

my @bad = (
    # name, body
    ['a byte after the end', "$one\0"],
    ['a newline after the end', "$one\n"],
    ['two streams', $one . $one],
    ['no brotli', $text],
    ['gzip', gzip($text)],
    ['a window that is reserved', "\x91\x03"],
    ['a first byte alone', substr $one, 0, 1],
    ['all but the last byte', substr $one, 0, -1],
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
            my $r = $t->post('/', $body, framing => $f, encoding => 'br',
                             @$how);

            is($r->status, 200, "$name, @$how: status");
            is($r->json->{sha1}, sha1_hex($body),
               "$name, @$how: arrived as it was");
            is($r->json->{headers}{'content-encoding'}, 'br',
               "$name, @$how: its field");
            is($r->header('X-G'), "pass br $len $decoded",
               "$name, @$how: variables");
        }
    }

    for (@bad) {
        my ($name, $body) = @$_;

        $backend->clear;
        refused($t->post('/', $body, framing => $f, encoding => 'br',
                         @$_), $f, "$name, @$_", 400, 'malformed_encoding')
            for [], [cut => 997], [chunk => 7];
    }

    # RFC 7932 has no window above 2^24: the first byte says so

    $backend->clear;

    my $large = brotli($text, '--large_window=30');

    for my $body ($large, substr $large, 0, 1) {
        my $r = $t->post('/', $body, framing => $f, encoding => 'br');

        refused($r, $f, 'a large window', 413, 'max_memory');
        is($r->json->{limit}, 1 << 24, 'a large window: limit');
    }

    # 1 GiB of zeros in 841 bytes.  The ratio allows 1 MiB + 200 * 4096 bytes,
    # 1,867,776, of the first slice: a multiple of 16 KiB, which passes.

    my $bomb = brotli_zeros();

    is(length $bomb, 841, 'the bomb');

    for my $how ([], [cut => 1], [chunk => 100], [cut => 13, drain => 1]) {
        my $r = $t->post('/', $bomb, framing => $f, encoding => 'br', @$how);

        refused($r, $f, "a bomb, @$how", 413, 'max_ratio');
        like($r->header('X-G'), qr/^reject br \d+ 1884160$/,
             "a bomb, @$how: where it is refused");
        is($r->json->{observed}, 460, "a bomb, @$how: observed");
    }

    # records are counted in what was decoded

    my $r = $t->post('/two', brotli("{}\n" x 100), framing => $f,
                     encoding => 'br', type => 'application/x-ndjson');
    is($r->status, 200, '100 records');

    $backend->clear;
    $r = $t->post('/two', brotli("{}\n" x 101), framing => $f,
                  encoding => 'br', type => 'application/x-ndjson');
    refused($r, $f, '101 records', 413, 'max_records');

    $r = $t->post('/two', 'x', framing => $f, encoding => 'zstd');
    is($r->header('Accept-Encoding'), 'gzip, br', 'what is accepted');
};


# every prefix, and every body in two pieces

my $small = brotli('hello, ' x 3 . 'world');

each_framing {
    my ($f) = @_;

    $backend->clear;

    for my $n (1 .. length($small) - 1) {
        is($t->post('/', substr($small, 0, $n), framing => $f,
                    encoding => 'br', chunk => 5)->status, 400,
           "the first $n bytes");
    }

    is($backend->connections, 0, 'nothing arrived');

    for my $n (1 .. length($small) - 1) {
        is($t->post('/', $small, framing => $f, encoding => 'br',
                    cuts => [$n], pause => 0.001)->json->{sha1},
           sha1_hex($small), "cut after $n bytes");
    }
};

$t->done;
