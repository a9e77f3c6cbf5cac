#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_decoder_memory: the decoder that would be one too many is refused
# before anything is decoded, and memory is given back however a body ends.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

# a state of zlib takes 7 KiB and a window of 32 KiB: one fits, two do not

my $conf = <<'SERVER';
    guardrail on;

    location / {
        guardrail_max_records 100000;
        add_header X-G "$guardrail_verdict $guardrail_decoded_bytes" always;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

$t->start(http => "guardrail_decoder_memory 64k;\n", server => $conf);

my %body = (gzip => gzip("{}\n" x 1000), deflate => zlib("[]\n" x 1000));


sub refused {
    my ($r, $name) = @_;
    my $json = $r->json;

    is($r->status, 503, "$name: status");
    is($json->{reason}, 'decoder_memory', "$name: reason");
    is($json->{limit}, 65536, "$name: limit");
    cmp_ok($json->{observed} // 0, '>', 65536, "$name: observed");
    is($r->header('X-G'), 'reject 0', "$name: nothing was decoded");
    is($backend->connections, 0, "$name: backend");
}


# half an upload, in the hands of nginx

sub half {
    my ($f, $coding, $c) = @_;
    my $body = $body{$coding};
    my $part = substr $body, 0, length($body) / 2;

    return $t->post('/', $part, framing => $f, encoding => $coding,
                    conn => $c, end => 0, read => 0, drain => 1,
                    $f =~ /cl$/ ? (length => length $body) : ());
}


# the other half, and the answer

sub rest {
    my ($f, $coding, $c, $stream) = @_;
    my $body = $body{$coding};
    my $part = substr $body, length($body) / 2;

    if ($f =~ /h2/) {
        $c->data($stream, $part, end => 1);
        return $c->read($stream);
    }

    $c->send($f eq 'cl' ? $part
                        : Guardrail::Http1::chunks($part) . "0\r\n\r\n");

    return $c->read;
}


each_framing {
    my ($f) = @_;
    my $post = sub {
        my ($coding, %opt) = @_;

        return $t->post('/', $body{$coding}, framing => $f,
                        encoding => $coding, %opt);
    };

    for my $first (sort keys %body) {
        my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
        my $stream = half($f, $first, $c);

        for my $second (sort keys %body) {
            $backend->clear;
            refused($post->($second), "$second beside $first");

            my $r = $post->($second, end => 0);

            refused($r, "$second beside $first, unfinished");
        }

        # those without a decoder have nothing to wait for

        is($t->post('/', "{}\n", framing => $f)->status, 200,
           "identity beside $first");
        is($t->post('/', '', framing => $f, encoding => 'gzip')->status, 200,
           "nothing beside $first");

        is(rest($f, $first, $c, $stream)->status, 200, "$first goes on");
        is($post->($first)->status, 200, "$first again");
    }

    # after many bodies of all kinds, one at a time

    my $bomb = gzip('1' x (1 << 21));
    my @ends = (
        ['good', 200, $body{gzip}],
        ['a bomb', 413, $bomb],
        ['a checksum', 400, gzip('1', crc => 1)],
        ['too much', 413, gzip("1\n" x 100001)],
        ['junk', 400, "$body{gzip}x"],
        ['malformed', 400, 'x'],
        ['not JSON', 415, gzip('<')],
        ['unfinished junk', 400, 'x', end => 0],
    );

    for (1 .. 25) {
        for (@ends) {
            my ($name, $status, $body, %opt) = @$_;

            is($t->post('/', $body, framing => $f, encoding => 'gzip',
                        type => 'text/plain', %opt)->status, $status, $name);
        }
    }

    # after clients that left

    for my $how ('close', 'reset', $f =~ /h2/ ? 'rst' : ()) {
        my $gone = () = $t->log_lines(qr/client_gone/);
        my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
        my $stream = half($f, 'gzip', $c);

        $backend->clear;
        refused($post->('gzip'), "before $how");

        $how eq 'rst' ? $c->rst($stream) : $c->$how;

        ok(wait_until {
            $t->log_lines(qr/client_gone/) > $gone;
        }, "$how: seen") or next;

        is($post->('gzip')->status, 200, "after $how");
    }
};


# too little for any decoder, and no limit

for (['16k', 503], ['0', 200], ['off', 200]) {
    my ($size, $status) = @$_;

    $t->stop;
    $t->start(http => "guardrail_decoder_memory $size;\n", server => $conf);

    my @c = map { $t->h1 } 1 .. 3;

    $t->post('/', substr($body{gzip}, 0, 20), encoding => 'gzip',
             conn => $_, length => 100, read => 0, drain => 1)
        for @c;

    is($t->post('/', $body{gzip}, encoding => 'gzip')->status, $status,
       "$size: gzip");
    is($t->post('/', $body{deflate}, encoding => 'deflate')->status,
       $status, "$size: deflate");
    is($t->post('/', '{}')->status, 200, "$size: identity");
}

$t->done;
