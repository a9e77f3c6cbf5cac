#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A worker that others took for dead, as where /proc shows them nothing: its
# leases and its place in lines are given back once, whatever its requests do
# later, and it goes on under a slot of its own.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $held = $t->backend(name => 'HELD', hold => 1);
my $backend = $t->backend;

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    server => zone_views('z') . <<'SERVER');
    location /held {
        guardrail_quota z concurrency 2 queue=9 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /read {
        guardrail_quota z uploads 9;
        proxy_pass http://%%BACKEND%%;
    }

    location /stream {
        guardrail_buffering off;
        guardrail_quota z memory 100k;
        proxy_request_buffering off;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

sub begin {
    my ($uri, $length, $part) = @_;
    my $c = $t->h1;

    $c->send("POST $uri HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             . "Content-Length: $length\r\n\r\n$part");

    return $c;
}

my @held = map { begin('/held', 0, '') } 1 .. 2;

$held->wait_requests(2);
zone_is($t, 'z', { concurrency => 2 }, 'two at work');

my @wait = map { begin('/held', 0, '') } 1 .. 2;

zone_is($t, 'z', { waiting => 2 }, 'two wait');

my $read = begin('/read', 10, 'x');
my $stream = begin('/stream', 80_000, 'x' x 70_000);

zone_is($t, 'z', { uploads => 1 }, 'a body is being read');
ok((wait_until { zone($t, 'z')->{memory} } 5), 'and one streams');

my $zone = $t->get('/.zone/z?dead=1')->json;

is_deeply([@$zone{qw(check concurrency uploads memory waiting reclaimed)}],
    [1, 0, 0, 0, 0, 4], 'all is given back');

# those who waited stand in line again, and have room now

$held->wait_requests(4);
zone_is($t, 'z', { concurrency => 2, waiting => 0 }, 'two that waited');

$stream->send('x' x 10_000);
$read->send('x' x 9);

is($stream->read->status, 200, 'a body that streams goes on');
is($read->read->status, 200, 'one that is read, too');

$held->set(hold => 0);
$held->release;

is($_->read->status, 200, 'answered') for @held, @wait;

zone_is_quiet($t, 'z');
is(zone($t, 'z')->{processes}, 1, 'one process');
is(zone($t, 'z')->{reclaimed}, 4, 'nothing was given back twice');

$t->done;
