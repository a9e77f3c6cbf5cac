#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# no-asan

# A worker that is told to exit serves the requests that it has: also those
# whose bodies step aside between two passes of its event loop.  Nothing but a
# timer keeps it alive.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    keepalive_timeout 0;
HTTP
    guardrail on;
    guardrail_max_ratio off;
    guardrail_max_body 10m;
    guardrail_max_decoded 4g;

    location /buffered {
        proxy_pass http://%%BACKEND%%;
    }

    location /small-buffer {
        client_body_buffer_size 1k;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /late {
        guardrail_max_decoded 3g;
        try_files /none @late;
    }

    location @late {
        proxy_pass http://%%BACKEND%%;
    }

    location /mirrored {
        guardrail off;
        client_max_body_size 10m;
        mirror /mirror;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        internal;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $bomb = gzip_zeros(1 << 26);
my $half = length($bomb) / 2;

for my $at (qw(buffered small-buffer unbuffered late mirrored)) {
    for my $f ($at eq 'unbuffered' ? qw(chunked h2) : qw(cl h2)) {
        my $c = $f eq 'h2' ? $t->h2 : $t->h1;
        my ($old) = $t->worker_pids;
        my @pieces = (substr($bomb, 0, $half), substr($bomb, $half));

        $backend->clear;

        # the second half arrives when the worker is about to exit

        my $sid = $t->post("/$at", sub {
            ok($t->reload, "$at, $f: reloaded") if @pieces == 1;
            return shift @pieces;
        }, framing => $f, conn => $c, encoding => 'gzip', read => 0,
           length => $f eq 'cl' ? length $bomb : undef);

        my $r = $f eq 'h2' ? $c->read($sid, timeout => 60)
                           : $c->read(timeout => 60);

        is($r->status, 200, "$at, $f: answered");
        is($r->json->{sha1}, sha1_hex($bomb), "$at, $f: arrived");

        # the mirror's as well

        ok($t->wait_log(qr/worker process $old exited with code 0/, 30),
           "$at, $f: the old worker is gone");

        my @got = grep { $_->{sha1} eq sha1_hex($bomb) } $backend->requests;

        is(scalar @got, $at eq 'mirrored' ? 2 : 1, "$at, $f: requests");
    }
}

$t->done;
