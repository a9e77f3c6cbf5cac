#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Coded bodies step aside between passes of the event loop.  Many of them at
# once, on both versions of HTTP, cut in any way, some of them refused or left
# in the middle: each arrives once and byte by byte, and connections go on.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend(keep => 0);

my %store = (
    memory     => 'client_body_buffer_size 2m;',
    small      => 'client_body_buffer_size 1k;',
    unbuffered => 'guardrail_buffering off; proxy_request_buffering off;',
    one        => 'guardrail_buffering off; proxy_request_buffering off;'
                  . 'client_body_buffer_size 1k;',
    passed     => 'guardrail_buffering off;',
);

$t->start(server => join "\n", <<'SERVER', map { <<"LOCATION" } keys %store);
    guardrail on;
    guardrail_max_ratio off;
    guardrail_max_body 10m;
    guardrail_max_decoded 6m;
    proxy_http_version 1.1;
    keepalive_requests 100000;
SERVER
    location /$_ {
        $store{$_}
        proxy_pass http://%%BACKEND%%;
    }
LOCATION

# text that inflates to megabytes, noise that does not, empty blocks that cost
# work and give nothing

my @bodies = (
    gzip_zeros(6 << 20),
    gzip_members(map { 'x' x 300000 } 1 .. 20),
    gzip(pseudo_random(300000, 3), level => 1),
    gzip(ndjson(20000, size => 100)),
    gzip_header() . "\x00\x00\x00\xff\xff" x 100000 . "\x03\x00" . "\0" x 8,
    gzip('x'),
);
my $over = gzip_zeros((6 << 20) + 1);
my $bad = gzip(ndjson(50000, size => 100), crc => 1);


subtest 'each by itself' => sub {
    for my $at (sort keys %store) {
        for my $f (qw(cl chunked h2 h2-cl)) {
            my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
            my @o = (framing => $f, conn => $c, encoding => 'gzip');

            for my $body (@bodies) {
                my $r = $t->post("/$at", $body, @o);

                is($r->json->{sha1}, sha1_hex($body),
                   "$at, $f: " . length $body);
            }

            is($t->post("/$at", $over, framing => $f, encoding => 'gzip')
                 ->status, 413, "$at, $f: a byte too many");
            is($t->post("/$at", $bad, framing => $f, encoding => 'gzip')
                 ->status, 400, "$at, $f: malformed at its end");
        }
    }
};


subtest 'byte by byte' => sub {
    my $body = gzip_zeros(1 << 20);

    for my $at (sort keys %store) {
        for my $f (qw(cl chunked h2)) {
            my @cut = $f eq 'chunked' ? (chunk => 1) : (cut => 1);
            my $r = $t->post("/$at", $body, framing => $f, @cut,
                             encoding => 'gzip');

            is($r->json->{sha1}, sha1_hex($body), "$at, $f");
        }
    }
};


subtest 'pipelined behind it' => sub {
    for my $at (sort keys %store) {
        my $c = $t->h1;

        $c->send(join '', map {
            "POST /$at HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
            . 'Content-Length: ' . length($_) . "\r\n\r\n$_"
        } @bodies, @bodies);

        is($c->read->json->{sha1}, sha1_hex($_), "$at: " . length $_)
            for @bodies, @bodies;
    }
};


subtest 'many at once' => sub {
    for my $round (1) {
        my (@h1, @h2, %want);

        $backend->clear;

        # on 40 connections, and on 4 with ten streams each

        for my $n (0 .. 39) {
            my $at = (sort keys %store)[$n % keys %store];
            my $body = $bodies[$n % @bodies];
            my $c = $t->h1;
            my $sid;

            $t->post("/$at?$n", $n % 7 == 6 ? $over : $body, conn => $c,
                     framing => $n % 2 ? 'cl' : 'chunked', read => 0,
                     encoding => 'gzip');
            push @h1, [$n, $c, undef, $body, $at];
        }

        for my $m (0 .. 3) {
            my $c = $t->h2;

            for my $n (0 .. 9) {
                my $at = (sort keys %store)[($m + $n) % keys %store];
                my $body = $bodies[$n % @bodies];
                my $sid = $t->post("/$at?$m-$n", $n % 7 == 6 ? $over : $body,
                                   conn => $c, framing => 'h2', read => 0,
                                   encoding => 'gzip');

                push @h2, [$n, $c, $sid, $body, $at];
            }
        }

        # some leave in the middle, each in its own way

        for my $one (@h1, @h2) {
            my ($n, $c, $sid) = @$one;

            next unless $n % 7 == 5;

            $sid ? $c->rst($sid) : $n % 2 ? $c->reset : $c->close;
        }

        for my $one (@h1, @h2) {
            my ($n, $c, $sid, $body, $at) = @$one;

            next if $n % 7 == 5;

            my $r = $sid ? $c->read($sid) : $c->read;
            my $name = "round $round, $at, $n" . ($sid ? ', h2' : '');

            if ($n % 7 == 6) {
                is($r->status, 413, "$name: refused");

            } else {
                is($r->json->{sha1}, sha1_hex($body), "$name: arrived");
                is($t->post("/$at", 'next', conn => $c,
                            framing => $sid ? 'h2' : 'cl')->json->{length}, 4,
                   "$name: the next request");
            }
        }

        my %seen;

        $seen{$_->{uri}}++ for grep { $_->{complete} && $_->{uri} =~ /\?/ }
                               $backend->requests;

        is(scalar(grep { $_ > 1 } values %seen), 0, 'each came once');
    }
};

$t->done;
