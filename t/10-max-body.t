#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_max_body counts the bytes of a body however they are framed and
# cut: at the limit it passes, one byte more is refused and reaches nobody.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    add_header X-G "$guardrail_verdict $guardrail_body_bytes" always;
    client_body_buffer_size 1k;

    location /small {
        guardrail on;
        guardrail_max_body 20;
        proxy_pass http://%%BACKEND%%;
    }

    location /large {
        guardrail on;
        guardrail_max_body 20001;
        proxy_pass http://%%BACKEND%%;
    }

    location /one {
        guardrail on;
        guardrail_max_body 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /huge {
        guardrail on;
        guardrail_max_body 4g;
        guardrail_max_decoded 0;
        proxy_pass http://%%BACKEND%%;
    }

    location /zero {
        guardrail on;
        guardrail_max_body 0;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my %limit = (small => 20, large => 20001, one => 1);

my @small = ([], [cut => 1, drain => 1], [cut => 7, drain => 1], [chunk => 1],
             [chunk => 3, cut => 2, drain => 1], [pad => 9, cut => 11],
             [empty_end => 1], map { [cuts => [$_], drain => 1] } 19 .. 21);
my @large = ([], [cut => 1024, drain => 1], [cut => 4099, drain => 1],
             [cut => 20000, drain => 1], [cut => 1000], [chunk => 1000],
             [chunk => 1 << 20]);


sub refused {
    my ($r, $f, $limit, $sent, $name) = @_;
    my $declared = $f =~ /cl$/;
    my $json = $r->json;

    is($r->status, 413, "$name: status");
    is($json->{reason}, 'max_body', "$name: reason");
    is($json->{limit}, $limit, "$name: limit");
    is($json->{observed}, $declared ? $sent : $limit + 1, "$name: observed");
    is($json->{unit}, 'bytes', "$name: unit");
    is($r->header('X-G'), 'reject ' . ($declared ? 0 : $limit + 1),
       "$name: variables");
    is($r->header('Connection'), $f =~ /h2/ ? undef : 'close',
       "$name: connection");
    is($backend->connections, 0, "$name: the backend was not contacted");
}


each_framing {
    my ($f) = @_;

    for (map({ [small => $_] } @small), map({ [large => $_] } @large),
         [one => []])
    {
        my ($uri, $how) = @$_;
        my $limit = $limit{$uri};
        my $name = "$uri @$how";
        my $body = pseudo_random($limit + 1, 3);

        $name =~ s/ARRAY\S+/@{$how->[1]}/;

        for my $len (@$how ? $limit : ($limit - 1, $limit)) {
            my $part = substr $body, 0, $len;
            my $r = $t->post("/$uri", $part, framing => $f, @$how);

            is($r->status, 200, "$name, $len bytes: status");
            is($r->json->{sha1}, sha1_hex($part), "$name, $len bytes: body");
            is($r->header('X-G'), "pass $len", "$name, $len bytes: variables");
        }

        $backend->clear;
        refused($t->post("/$uri", $body, framing => $f, @$how), $f, $limit,
                $limit + 1, $name);
    }

    my $r = $t->post('/small', 'x' x 21, framing => $f, end => 0);

    ok($r->closed, 'the connection is closed') unless $f =~ /h2/;

    # nobody needs to see the end of what is too large already

    $backend->clear;
    refused($t->post('/small', 'x' x 21, framing => $f, end => 0),
            $f, 20, 21, 'unfinished');

    is($t->post('/zero', 'x' x 3000000, framing => $f)->status, 200,
       'guardrail_max_body 0');
};


# a declared length is enough, beyond 32 bits too

each_framing {
    my ($f) = @_;

    for (['/small', 20, 21], ['/small', 20, 5000000000],
         ['/huge', 4 << 30, (4 << 30) + 1],
         ['/huge', 4 << 30, 9223372036854775807])
    {
        my ($uri, $limit, $length) = @$_;

        for my $expect (0, 1) {
            $backend->clear;

            my $r = $t->post($uri, '', framing => $f, length => $length,
                             end => 0, $expect ? (expect => 1) : ());
            my $name = "$uri, $length declared" . ($expect ? ', Expect' : '');

            refused($r, $f, $limit, $length, $name);
            is(join(' ', $r->interim), '', "$name: nothing was asked for");
        }
    }
} qw(cl h2-cl);


# "100 Continue" is for those that may send

is(join(' ', $t->post('/small', 'x' x 20, expect => 1)->interim), '100',
   'Expect, at the limit');

# what was declared is the end: nothing more is taken for the body

my $c = $t->h1;

$c->send("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n"
         . 'x' x 20 . "GET /small?2 HTTP/1.1\r\nHost: x\r\n\r\n");

is($c->read->json->{length}, 20, 'pipelined: first');
is($c->read->json->{uri}, '/small?2', 'pipelined: second');

# HTTP/2 frames beyond the declared length, 0 included, reach nobody

for my $length (0, 15, 20) {
    $backend->clear;

    my $r = $t->post('/small', 'x' x 21, framing => 'h2-cl',
                     length => $length);

    isnt($r->status, 200, "more than the $length bytes declared: refused");
    is(scalar(grep { $_->{length} } $backend->requests), 0,
       "more than the $length bytes declared: none arrived");
}

$t->done;
