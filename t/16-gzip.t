#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# gzip bodies: what is sound arrives as it was sent, what is not is refused,
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
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $text = "a line of a log, and the next\n" x 40;
my $noise = pseudo_random(30000, 5);
my $one = gzip('hello, world');

# a header of so many bytes: 10, the name and its NUL

sub header {
    my ($len) = @_;

    return gzip_header(name => 'n' x ($len - 11));
}


# the header's own checksum

sub with_hcrc {
    my ($flip) = @_;
    my $head = pack 'CCCCVCC', 31, 139, 8, 2, 0, 2, 3;
    my $crc = Compress::Raw::Zlib::crc32($head) & 0xffff;

    return $head . pack('v', $crc ^ $flip) . substr $one, 10;
}


my $rest = substr $one, 10;

my @good = (
    # name, body, decoded bytes
    ['one member', $one, 12],
    ['nothing', gzip(''), 0],
    ['text', gzip($text), length $text],
    ['stored', gzip($noise), length $noise],
    ['fast', gzip($text, level => 1), length $text],
    ['three members', gzip_members('a', $text, $noise),
     1 + length($text) + length $noise],
    ['empty members', gzip_members('', 'a', '', '', 'b', ''), 2],
    ['1024 members', gzip('a') x 1024, 1024],
    ['1024 empty members', gzip('') x 1024, 0],
    ['name, comment, extra', gzip($text, name => 'n', comment => 'c',
                                  extra => 'e' x 300), length $text],
    ['empty ones', gzip($text, name => '', comment => '', extra => ''),
     length $text],
    ['an extra field of 65524', gzip('a', extra => 'e' x 65524), 1],
    ['headers of 65536', join('', (header(65536) . $rest) x 3), 36],
    ['a checksum of the header', with_hcrc(0), 12],
);

my $crc = Compress::Raw::Zlib::crc32($text);

my @bad = (
    # name, body
    ['1025 members', gzip('a') x 1025],
    ['1025 empty members', gzip('') x 1025],
    ['a header of 65537', header(65537) . $rest],
    ['a header of 65537 in the second', $one . header(65537) . $rest],
    ['an extra field and a name of 65537',
     gzip('a', extra => 'e' x 65000, name => 'n' x 524)],
    ['a checksum that is wrong', gzip($text, crc => $crc ^ 1)],
    ['a checksum that is wrong, of nothing', gzip('', crc => 1)],
    ['in the first of two', gzip($text, crc => $crc ^ 0x80000000) . $one],
    ['in the second of two', $one . gzip($text, crc => $crc ^ 256)],
    ['a length that is wrong', gzip($text, isize => length($text) + 1)],
    ['a length of zero', gzip($text, isize => 0)],
    ['a checksum of the header that is wrong', with_hcrc(1)],
    ['a byte after the end', "$one\0"],
    ['a newline after the end', "$one\n"],
    ['padding after the end', $one . "\0" x 512],
    ['half a magic number after the end', "$one\x1f"],
    ['a magic number after the end', "$one\x1f\x8b"],
    ['text after the end', "$one$text"],
    ['a member without data', $one . gzip_header()],
    ['no gzip', $text],
    ['zlib', zlib($text)],
    ['raw deflate', deflate_raw($text)],
    ['another method', substr($one, 0, 2) . "\7" . substr $one, 3],
    ['reserved flags', substr($one, 0, 3) . "\x20" . substr $one, 4],
    ['a block of no type', gzip_header() . "\7" . 'x' x 20],
    ['a distance too far', gzip_header() . "\x63\x00\x02" . "\xff" x 20],
    ['only a magic number', "\x1f\x8b"],
);


sub malformed {
    my ($r, $f, $name) = @_;

    is($r->status, 400, "$name: status");
    is($r->json->{reason}, 'malformed_encoding', "$name: reason");
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
            my $r = $t->post('/', $body, framing => $f, encoding => 'gzip',
                             @$how);

            is($r->status, 200, "$name, @$how: status");
            is($r->json->{sha1}, sha1_hex($body),
               "$name, @$how: arrived as it was");
            is($r->json->{headers}{'content-encoding'}, 'gzip',
               "$name, @$how: its field");
            is($r->header('X-G'), "pass gzip $len $decoded",
               "$name, @$how: variables");
        }
    }

    for (@bad) {
        my ($name, $body) = @$_;

        $backend->clear;
        malformed($t->post('/', $body, framing => $f, encoding => 'gzip',
                           @$_), $f, "$name, @$_")
            for [], [cut => 997], [chunk => 7];
    }

    # the end is judged where the length says, whatever END_STREAM does

    my $r = $t->post('/', substr($one, 0, -1), framing => $f, end => 0,
                     encoding => 'gzip', $f =~ /cl$/ ? () : (timeout => 1));

    if ($f =~ /cl$/) {
        is($r->status, 400, 'truncated, END_STREAM withheld');

    } else {
        is($r->error, 'timeout', 'there may be more to come');
    }

    $r = $t->post('/', $text, framing => $f, encoding => 'gzip');
    ok($r->closed, 'the connection is closed') if $f !~ /h2/;
};


# every prefix, and every body in two pieces

my $small = gzip('hello, ' x 3, name => 'n', extra => 'xy') . gzip('world');

each_framing {
    my ($f) = @_;

    $backend->clear;

    for my $n (1 .. length($small) - 1) {
        my $r = $t->post('/', substr($small, 0, $n), framing => $f,
                         encoding => 'gzip', chunk => 5);
        my $whole = $n == length($small) - length gzip('world');

        is($r->status, $whole ? 200 : 400, "the first $n bytes");
    }

    is($backend->connections, 1, 'only what was complete arrived');

    for my $n (1 .. length($small) - 1) {
        is($t->post('/', $small, framing => $f, encoding => 'gzip',
                    cuts => [$n], pause => 0.001)->json->{sha1},
           sha1_hex($small), "cut after $n bytes");
    }
};

$t->done;
