#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A quota of memory over bodies that stream: the lease of each grows with what
# has come of it, up to what others leave.  The one that finds no room is
# refused in its middle and gives back all it had; the others go on.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    server => zone_views('z') . <<'SERVER');
    location / {
        guardrail_buffering off;
        guardrail_memory_model 1;
        guardrail_quota z memory 300000;
        proxy_request_buffering off;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# an estimate by a factor of 1 is the number of bytes

my $piece = 'x' x 70_000;


sub begin {
    my ($uri, $length) = @_;
    my $c = $t->h1;

    $c->send("POST $uri HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             . "Content-Length: $length\r\n\r\n");

    return $c;
}


# What is leased once the backend has so much of it.  A lease grows in steps of
# at most 64 KiB: more than that is never missing.

sub leased {
    my ($uri, $sent) = @_;

    $backend->wait_requests(sub {
        grep { $_->{uri} eq $uri && $_->{length} == $sent } @_;
    });

    my $n = zone($t, 'z')->{memory};

    ok($n > $sent - 65536 && $n <= $sent, "$sent bytes have come")
        or diag("$n are leased");

    return $n;
}


my $first = begin('/first', 210_000);

$first->send($piece);
leased('/first', 70_000);
$first->send($piece);
leased('/first', 140_000);
$first->send(substr $piece, 1);

my $before = leased('/first', 209_999);

my $second = begin('/second', 140_000);

$second->send($piece);
ok((wait_until { zone($t, 'z')->{memory} > $before }),
   'there is room for a second');
$second->send($piece);

my $r = $second->read;

is($r->status, 503, 'but not for all of it');
is($r->json->{reason}, 'quota_memory', 'reason');
is($r->json->{limit}, 300_000, 'limit');
cmp_ok($r->json->{observed}, '>', 300_000, 'observed: above it');
cmp_ok($r->json->{observed}, '<=', 350_000, 'observed: of both');
like($r->header('Retry-After'), qr/^[1-9]\d*\z/, 'when to come again');
zone_is($t, 'z', { memory => $before }, 'what it had is given back');

$first->send('x');
is($first->read->status, 200, 'the first goes on');

is($t->post('/alone', 'x' x 300_000)->status, 200, 'as much as there is');

$r = $t->post('/never', 'x' x 300_001, framing => 'chunked');

is($r->status, 413, 'more than there ever is');
is($r->json->{reason}, 'max_memory', 'reason');

zone_is_quiet($t, 'z');

$backend->wait_requests(sub { @_ == 4 && !grep { !$_->{closed} } @_ });

my %complete = map { ($_->{uri}, $_->{complete} ? 1 : 0) } $backend->requests;

is_deeply(\%complete, { '/first' => 1, '/second' => 0, '/alone' => 1,
                        '/never' => 0 }, 'the backend saw no other ends');

$t->done;
