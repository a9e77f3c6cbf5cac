#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Decoders with large windows share half of guardrail_decoder_memory, by what
# their headers ask for; small ones have the rest.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

# br takes its window and 2.7 MiB: with windows of 4 MiB one fits into 8 MiB;
# zstd takes its window and half a MiB

$t->start(http => "guardrail_decoder_memory 16m;\n", server => <<'SERVER');
    guardrail on;

    location / {
        guardrail_encodings gzip br zstd;
        add_header X-G "$guardrail_verdict $guardrail_decoded_bytes" always;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $text = "{}\n" x 1000;
my $zstd = zstd_frame('a' x 1000);


# the same with another Window_Descriptor

sub window {
    my ($descriptor) = @_;

    return substr($zstd, 0, 5) . $descriptor . substr $zstd, 6;
}


my %body = (
    gzip => gzip($text),
    br => brotli($text, '-w', 22),
    small => brotli($text, '-w', 16),
    zstd => $zstd,
    wide => window("\x60"),
);

my %coding = (small => 'br', wide => 'zstd');

# what fits beside what

my @beside = (
    # in the hands of nginx, then
    ['br', 'br', 0], ['br', 'wide', 0], ['wide', 'br', 0], ['br', 'gzip', 1],
    ['br', 'small', 1], ['small', 'br', 1], ['gzip', 'br', 1],
    ['br', 'zstd', 1], ['zstd', 'br', 1],
);


sub post {
    my ($what, @opt) = @_;

    return $t->post('/', $body{$what}, encoding => $coding{$what} // $what,
                    @opt);
}


for (@beside) {
    my ($first, $second, $fits) = @$_;
    my $c = $t->h1;

    $t->post('/', substr($body{$first}, 0, 9), conn => $c, read => 0,
             encoding => $coding{$first} // $first, drain => 1, end => 0,
             length => length $body{$first});

    $backend->clear;

    my $r = post($second);
    my $name = "$second beside $first";

    if ($fits) {
        is($r->status, 200, $name);

    } else {
        is($r->status, 503, "$name: status");
        is($r->json->{reason}, 'decoder_memory', "$name: reason");
        is($r->json->{limit}, 8 << 20, "$name: limit");
        cmp_ok($r->json->{observed}, '>', 8 << 20, "$name: observed");
        is($r->header('X-G'), 'reject 0', "$name: nothing was decoded");
        is($backend->connections, 0, "$name: backend");
    }

    $c->send(substr $body{$first}, 9);
    is($c->read->status, 200, "$first goes on");
}

# 16 MiB of window alone are more than half

$body{br} = brotli($text, '-w', 24);

my $r = post('br');

is($r->status, 503, 'a window of 16 MiB: status');
is($r->json->{reason}, 'decoder_memory', 'a window of 16 MiB: reason');

# a frame that asks for more than those before it

is($t->post('/', $zstd . window("\x68") . $zstd, encoding => 'zstd')->status,
   503, 'zstd windows that grow: 8 MiB and half a MiB do not fit');

is($t->post('/', $zstd . $body{wide} . $zstd, encoding => 'zstd')->status, 200,
   'zstd windows that grow, to 4 MiB');

is(post($_)->status, 200, "$_ again") for qw(gzip small zstd);

$t->done;
