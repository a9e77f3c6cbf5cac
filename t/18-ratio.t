#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A bomb of zeros stops inside its first slices, at the same decoded byte
# however it arrives; equality passes, the floor is not judged, gzip's headers
# and trailers are no input.

use strict;
use warnings;

use lib 't/lib';

use Compress::Raw::Zlib;

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict reason limit observed decoded_bytes));

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format g '$arg_id %%G%%';
    access_log %%DIR%%/g.log g;

    client_max_body_size 64m;

    map $arg_ratio $ratio {
        default $arg_ratio;
        empty   "";
    }
HTTP
    guardrail on;
    guardrail_max_decoded 2g;

    location /200 {
        guardrail_max_ratio 200 floor=1m;
        proxy_pass http://%%BACKEND%%;
    }

    location /default {
        proxy_pass http://%%BACKEND%%;
    }

    location /100 {
        guardrail_max_ratio 100;
        proxy_pass http://%%BACKEND%%;
    }

    location /4m {
        guardrail_max_ratio 200 floor=4m;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        guardrail_max_ratio off;
        proxy_pass http://%%BACKEND%%;
    }

    location /zero {
        guardrail_max_ratio 0;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail_max_ratio $ratio floor=$arg_floor;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my ($id, $at) = (0, 0);


sub judged {
    my ($uri, $body, %opt) = @_;

    $uri .= ($uri =~ /\?/ ? '&' : '?') . 'id=' . ++$id;

    return $t->post($uri, $body, encoding => 'gzip', %opt);
}


# the line of the access log for the last of them

sub line {
    return wait_until {
        my $new = read_file($t->dir . '/g.log', $at);
        my ($line) = $new =~ /^$id (.*)\n/m;

        $at += rindex($new, "\n") + 1 if defined $line;

        return $line;
    };
}


# The first 64 MiB of 1 GiB of zeros under gzip -9, and the same up to where
# the bombs are refused.

my $bomb = gzip_zeros(1 << 26);
my $zeros = gzip_zeros(1 << 24);

my %expected = (
    # location => [ratio, decoded bytes, wire bytes of the slices begun]

    '/200'     => [200, 1867776, 4096],
    '/default' => [200, 1867776, 4096],
    '/100'     => [100, 1458176, 4096],
    '/4m'      => [200, 5832704, 8192],

    '/variable?ratio=200&floor=1m' => [200, 1867776, 4096],
    '/variable?ratio=100&floor=1m' => [100, 1458176, 4096],
);

each_framing {
    my ($f) = @_;

    for my $uri (sort keys %expected) {
        my ($limit, $decoded, $wire) = @{$expected{$uri}};
        my $observed = sprintf '%.1f', $decoded / ($wire - 10);
        my @hows = ([], [cut => 1024], [chunk => 777]);

        push @hows, [cut => 1, pause => 0.0002], [chunk => 1]
            if $uri eq '/200';
        push @hows, [cut => 1], [cut => 4097, drain => 1]
            if $uri eq '/4m';

        for my $how (@hows) {
            my $name = "$uri @$how";

            $backend->clear;

            my $r = judged($uri, $bomb, framing => $f, @$how);
            my $json = $r->json;

            is($r->status, 413, "$name: status");
            is($json->{reason}, 'max_ratio', "$name: reason");
            is($json->{limit}, $limit, "$name: limit");
            is($json->{observed}, $observed, "$name: observed");
            is($json->{unit}, 'ratio', "$name: unit");
            is($r->header('Connection'), $f =~ /h2/ ? undef : 'close',
               "$name: connection");
            is(line, "reject max_ratio $limit $observed $decoded",
               "$name: the log");
            is($backend->connections, 0, "$name: backend");
        }
    }

    for my $uri ('/off', '/zero', '/variable?ratio=off&floor=1m',
                 '/variable?ratio=0&floor=1m')
    {
        is(judged($uri, $zeros, framing => $f)->status, 200, "$uri: status");
        is(line, 'pass - - - ' . (1 << 24), "$uri: the log");
    }

    for my $uri ('/variable?floor=1m', '/variable?ratio=empty&floor=1m',
                 '/variable?ratio=x&floor=1m', '/variable?ratio=200&floor=x',
                 '/variable?ratio=200', '/variable?ratio=-1&floor=1m')
    {
        $backend->clear;
        is(judged($uri, gzip('x'), framing => $f)->status, 500,
           "$uri: status");
        is($backend->connections, 0, "$uri: backend");
    }
};

is(scalar(() = $t->log_lines(qr/\[error\].*in "guardrail_max_ratio"/)), 24,
   'a line in the error log for each value that cannot be read');


# Equality.  Each body decodes to so many bytes from so much input: what is
# between its headers and trailers, and for zlib all of it.

my $text = 'x' x 5000;
my $raw = length deflate_raw($text);
my $half = length deflate_raw('x' x 2500);
my $name = gzip('x' x 2500, name => 'n' x 3000, extra => 'e' x 900);

my @bodies = (
    # name, coding, body, input
    ['gzip', 'gzip', gzip($text), $raw],
    ['gzip with a name', 'gzip', gzip($text, name => 'n' x 3000), $raw],
    ['two members', 'gzip', gzip('x' x 2500) x 2, 2 * $half],
    ['two with names', 'gzip', $name x 2, 2 * $half],
    ['empty members', 'gzip', gzip('') x 10 . gzip($text) . gzip('') x 9,
     $raw + 19 * 2],
    ['zlib', 'deflate', zlib($text), $raw + 6],
    ['raw', 'deflate', deflate_raw($text), $raw],
);

each_framing {
    my ($f) = @_;

    for (@bodies) {
        my ($name, $coding, $body, $input) = @$_;

        for my $ratio (1, 200) {
            my $floor = 5000 - $ratio * $input;

            next if $floor < 1;

            for my $how ([], [chunk => 1]) {
                my $uri = "/variable?ratio=$ratio&floor=";
                my $r = judged($uri . $floor, $body, framing => $f, @$how,
                                 encoding => $coding);

                is($r->status, 200, "$name, $ratio @$how: equality");

                $floor--;
                $r = judged($uri . $floor, $body, framing => $f, @$how,
                              encoding => $coding);
                $floor++;

                is($r->json->{reason}, 'max_ratio',
                   "$name, $ratio @$how: one byte of floor less");
                is($r->json->{observed}, sprintf('%.1f', 5000 / $input),
                   "$name, $ratio @$how: observed");
            }
        }
    }
};


# Equality at the end of a slice.  What follows does not compress, so that
# the end of the body would pass.

my $body = gzip("\0" x 1000000 . pseudo_random(20000, 9));
my ($inflate) = Compress::Raw::Zlib::Inflate->new(
    -WindowBits => WANT_GZIP, -AppendOutput => 1);
my ($slice, $given) = (substr($body, 0, 4096), '');

$inflate->inflate($slice, $given);

my $floor = length($given) - 5 * 4086;

each_framing {
    my ($f) = @_;

    for my $how ([], [cut => 1000], [cut => 4096, drain => 1]) {
        my $r = judged("/variable?ratio=5&floor=$floor", $body,
                       framing => $f, @$how);

        is($r->status, 200, "slice, @$how: equality");

        my $less = $floor - 1;

        $r = judged("/variable?ratio=5&floor=$less", $body,
                    framing => $f, @$how);

        is($r->status, 413, "slice, @$how: one byte of floor less");
        is((split ' ', line)[-1], length $given,
           "slice, @$how: at the end of the slice");
    }
};

$t->done;
