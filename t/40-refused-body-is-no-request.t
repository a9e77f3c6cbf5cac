#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Smuggling: what follows in and behind a refused body is never parsed as a
# request.  nginx drops keep-alive by itself for a few statuses only.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $server = <<'SERVER';
    guardrail on;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /small {
        guardrail_max_body 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail_max_body $arg_max;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /timeout {
        client_body_timeout 200ms;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $t = Guardrail::Test->new(lingering => '100ms');
my $backend = $t->backend;

$t->start(server => $server);

my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
my $inside = $smuggled x 50;
my $gz = gzip('x' x 1000);
my $ndjson = ['Content-Type', 'application/x-ndjson'];
my $gzip = ['Content-Encoding', 'gzip'];

# what follows the body is a request of its own in all of them

my @cases = (
    ['413 declared', 413, 'max_body', '/small', $inside],
    ['413 by a variable', 413, 'max_body', '/variable?max=10', $inside],
    ['413 inside', 413, 'max_records', '/records', "{}\n{}\n$inside", $ndjson],
    ['413 at the last byte', 413, 'max_records', '/records', "{}\n{", $ndjson],
    ['415 encoding', 415, 'encoding', '/', $inside,
     ['Content-Encoding', 'br']],
    ['415 type', 415, 'type', '/records', $inside,
     ['Content-Type', 'text/csv; charset=utf-16']],
    ['415 by the first byte', 415, 'type', '/records', "<$inside"],
    ['415 at the only byte', 415, 'type', '/records', '<'],
    ['400 inside', 400, 'malformed_encoding', '/', "\r\n$inside", $gzip],
    ['400 behind a member', 400, 'malformed_encoding', '/', "$gz\r\n$inside",
     $gzip],
    ['400 at the last byte', 400, 'malformed_encoding', '/',
     substr($gz, 0, -1), $gzip],
);

# where no decoder fits

my @poor = (
    ['503', 503, 'decoder_memory', '/', "$gz$inside", $gzip],
    ['503 at the only byte', 503, 'decoder_memory', '/', "\x1f", $gzip],
);

refused(@cases);


subtest 'a client that stops sending' => sub {
    my $conn = $t->h1;

    # nginx's own 408 is no answer, it only closes

    $conn->send("POST /timeout HTTP/1.1\r\nHost: localhost\r\n"
                . "Content-Length: 100000\r\n\r\n$inside");

    ok($conn->closed, 'closed');
    is($conn->{in}, '', 'no answer');
    is($backend->connections, 0, 'nothing went to the backend');

    my $logged = wait_until {
        grep { m{"POST /timeout HTTP/1.1" 408 } } $t->access_log;
    };

    ok($logged, 'logged');
};


subtest 'a body that is accepted does not end the connection' => sub {
    my $conn = $t->h1;

    $conn->send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                . length($inside) . "\r\n\r\n$inside"
                . "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n");

    is($conn->read->json->{length}, length $inside, 'the body is a body');
    is($conn->read->json->{uri}, '/next', 'what follows is a request');
    is(scalar($backend->requests), 2, 'two requests');
    $backend->clear;
};

$t->stop;
$t->start(http => 'guardrail_decoder_memory 1;', server => $server);

refused(@poor);

$t->done;


sub refused {
    my @cases = @_;

    for my $framing (qw(cl chunked)) {
        for my $how ({}, { drain => 1 }, { cut => 7 }) {
            my @open;

            for my $case (@cases) {
                my ($name, $status, $reason, $uri, $body, $headers) = @$case;
                my $conn = $t->h1;
                my $length = length $body;
                my @headers = @{$headers || []};
                my $head = "POST $uri HTTP/1.1\r\nHost: localhost\r\n";
                my $out = $framing eq 'cl' ? $body
                          : Guardrail::Http1::chunks($body, 100) . "0\r\n\r\n";

                while (my ($n, $v) = splice @headers, 0, 2) {
                    $head .= "$n: $v\r\n";
                }

                $head .= $framing eq 'cl' ? "Content-Length: $length\r\n\r\n"
                         : "Transfer-Encoding: chunked\r\n\r\n";

                # a refusal must not depend on what has arrived

                $conn->send($head, drain => $how->{drain});
                $conn->send($out . $smuggled, %$how);
                push @open, [$case, $conn];
            }

            for my $one (@open) {
                my ($case, $conn) = @$one;
                my ($name, $status, $reason) = @$case;
                my $r = $conn->read;

                $name = join ' ', "$name, $framing", %$how;

                is($r->status, $status, "$name: status");
                is($r->json->{reason}, $reason, "$name: reason");
                is($r->header('Connection'), 'close', "$name: Connection");
                ok($conn->closed, "$name: closed");
                is($conn->{in}, '', "$name: nothing else was answered");
            }
        }
    }

    is($backend->connections, 0, 'nothing went to the backend');
    $backend->clear;
}
