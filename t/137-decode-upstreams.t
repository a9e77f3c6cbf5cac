#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What a decoded body leaves to others who use its buffers: upstreams that
# read its file, in HTTP/2 too, and buffers of any size.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    server {
        listen 127.0.0.1:%%PORT9%% http2;
        client_max_body_size 0;
        location / {
            proxy_pass http://%%BACKEND%%;
        }
    }
HTTP
    guardrail on;
    guardrail_decode on;
    guardrail_max_body 10m;
    guardrail_max_decoded 100m;
    guardrail_max_ratio off;
    client_body_buffer_size 16k;

    location /grpc {
        grpc_pass grpc://127.0.0.1:%%PORT9%%;
    }

    location /none {
        client_body_buffer_size 0;
        proxy_pass http://%%BACKEND%%;
    }

    location /tiny {
        client_body_buffer_size 1;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

each_framing {
    my ($f) = @_;

    for my $size (1, 100, 16384, 16385, 50_000, 1_000_000) {
        my $body = pseudo_random($size, $size);
        my $r = $t->post('/grpc', gzip($body), framing => $f,
                         encoding => 'gzip');

        is($r->status, 200, "gRPC, $size: accepted");
        is($r->json->{sha1}, sha1_hex($body), "gRPC, $size: decoded")
            if $r->status == 200;
    }
};

subtest 'buffers of few bytes' => sub {

    # in one write: nginx itself cannot read into a buffer of 0 bytes

    for my $at (qw(/none /tiny)) {
        for my $size (1, 2, 300, 1024, 1025, 3000) {
            my $body = 'x' x $size;
            my $coded = gzip($body);
            my $c = $t->h1;

            $c->send("POST $at HTTP/1.1\r\nHost: x\r\n"
                     . "Content-Encoding: gzip\r\nConnection: close\r\n"
                     . 'Content-Length: ' . length($coded)
                     . "\r\n\r\n$coded");

            my $r = $c->read;

            is($r->status, 200, "$at, $size: accepted");
            is($r->json->{sha1}, sha1_hex($body), "$at, $size: decoded")
                if $r->status == 200;
        }
    }
};

$t->done;
