#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# An upload that decodes to gigabytes does not stop other connections of its
# worker: they are answered while it is still being judged.

# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    client_body_buffer_size 4m;

    location /upload {
        guardrail on;
        guardrail_max_body 0;
        guardrail_max_decoded 0;
        guardrail_max_ratio off;
        proxy_pass http://%%BACKEND%%;
    }

    location /get {
        return 200 "here\n";
    }

    location /small {
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# 512 MiB of zeros, thousands of passes of the event loop; a GET takes a few

my $upload = gzip_zeros(1 << 26) x 8;

for my $f (qw(cl chunked h2)) {
    my $c = $f eq 'h2' ? $t->h2 : $t->h1;

    $backend->clear;

    # all of it is sent, and most of it in the hands of nginx

    my $stream = $t->post('/upload', $upload, framing => $f, conn => $c,
                          encoding => 'gzip', read => 0);

    my ($get, $small) = (0, 0);
    my $h1 = $t->h1;
    my $h2 = $t->h2;

    for my $n (1 .. 25) {
        $get++ if $h1->request('GET', '/get')->status == 200;
        $get++ if $h2->request('GET', '/get')->status == 200;
    }

    for my $n (1 .. 5) {
        $small++ if $t->post('/small', gzip('hello'),
                             encoding => 'gzip')->status == 200;
    }

    # nothing of the upload came back or went on meanwhile

    is($get, 50, "$f: 50 GETs were answered");
    is($small, 5, "$f: and uploads that were small");
    ok(!($f eq 'h2' ? $c->finished($stream) : $c->answered),
       "$f: while the large one was judged");
    is(scalar(grep { $_->{uri} eq '/upload' } $backend->requests), 0,
       "$f: before the backend heard of it");

    my $r = $c->read($f eq 'h2' ? $stream : (), timeout => 60 * scale);

    is($r->status, 200, "$f: the large one passes");
    is($r->json->{length}, length $upload, "$f: all of it");
}

$t->done;
