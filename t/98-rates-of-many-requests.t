#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A rate admits exactly its LIMIT, whatever comes at once: over two workers,
# on connections that stay open, in streams of one HTTP/2 connection.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 2, lingering => '50ms');
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m key=$arg_t;

HTTP
    guardrail on;

    location / {
        guardrail_quota z requests 50/3650d;
        guardrail_quota z bytes 10000/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /stream {
        guardrail_quota z requests 50/3650d;
        guardrail_quota z bytes 10000/3650d;
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $key = 0;


subtest 'many connections' => sub {
    $key++;

    my @c = map { $t->h1 } 1 .. 40;

    for my $round (1 .. 2) {
        $_->send("GET /?t=$key HTTP/1.1\r\nHost: a\r\n\r\n") for @c;

        my @status = map { $_->read->status } @c;

        is(scalar(grep { $_ == 200 } @status), $round == 1 ? 40 : 10,
           "round $round: so many pass");
        is(scalar(grep { $_ == 429 } @status), $round == 1 ? 0 : 30,
           "round $round: the others are refused");
    }
};


subtest 'a connection that stays open' => sub {
    $key++;

    my $c = $t->h1;
    my $one = "GET /?t=$key HTTP/1.1\r\nHost: a\r\n\r\n";

    # pipelined: refused ones do not take those behind them along

    $c->send($one x 60);

    is($c->read->status, 200, "request $_") for 1 .. 50;
    is($c->read->status, 429, "request $_") for 51 .. 60;
};


for my $uri (qw(/ /stream)) {
    subtest "streams of one connection, $uri" => sub {
        $key++;

        my $c = $t->h2;
        my @s = map {
            $c->headers([':method', 'POST', ':scheme', 'http',
                         ':path', "$uri?t=$key", ':authority', 'a']);
        } 1 .. 30;

        # 400 bytes each: 25 of them fit, in pieces that come in turn

        for my $piece (1 .. 4) {
            $c->data($_, 'x' x 100, end => $piece == 4) for @s;
        }

        my @status = map { $c->read($_)->status } @s;

        is(scalar(grep { $_ == 200 } @status), 25, '25 pass');
        is(scalar(grep { $_ == 429 } @status), 5, '5 are refused');
    };
}


# what a request takes while it is read counts for those beside it

subtest 'two at once' => sub {
    $key++;

    my @c = map { $t->h1 } 1 .. 2;

    for my $c (@c) {
        $c->send("POST /?t=$key HTTP/1.1\r\nHost: a\r\nContent-Length: 6000"
                 . "\r\n\r\n" . 'x' x 3000);
        $c->drain;
    }

    $_->send('x' x 3000) for @c;

    my @status = map { $_->read->status } @c;

    is(join(' ', sort @status), '200 429', 'one of them fits');
};

$t->done;
