#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A zone has room for so many leases: the request after the last one is 503
# zone_full, it is counted, and there is room again when the others have gone.

# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(log_level => 'error');
my $backend = $t->backend;

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    guardrail_min_rate off;
    http2_max_concurrent_streams 2000;
    keepalive_requests 10000;
HTTP
    server => zone_views('z') . <<'SERVER');
    access_log off;

    location / {
        guardrail_quota z uploads 100000;
        proxy_pass http://%%BACKEND%%;
    }

    location /level {
        guardrail_quota z concurrency 10 queue=10;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# bodies that have begun, each holds one lease

my $c = $t->h2;
my $n = 0;

sub begin {
    $n++;

    return $c->headers([':method', 'POST', ':scheme', 'http', ':path', '/',
                        ':authority', 'x', 'content-length', 4]);
}

my @streams = map { begin() } 1 .. 1000;

zone_is($t, 'z', { uploads => 1000 }, 'a thousand bodies are being read');

my $r;

while ($n < 2000) {
    my $zone = zone($t, 'z');

    last if $zone->{full};

    push @streams, begin();
    wait_until { zone($t, 'z')->{uploads} + zone($t, 'z')->{full} >= $n };
}

my $leases = zone($t, 'z')->{uploads};

cmp_ok($leases, '>=', 1024, "room for $leases leases");
is($n, $leases + 1, 'and not for one more');

$r = $c->read($streams[-1]);

is($r->status, 503, 'which is refused');
is($r->json->{reason}, 'zone_full', 'reason');
is($r->header('retry-after'), 1, 'Retry-After');

$r = $t->get('/level');

is($r->status, 503, 'a level has no room either, nor waits for it');
is($r->json->{reason}, 'zone_full', 'reason');

my $zone = zone($t, 'z');

is_deeply([@$zone{qw(check full uploads concurrency waiting)}],
    [1, 2, $leases, 0, 0], 'both are counted');

# one ends, and there is room for one

$c->data($streams[0], 'body', end => 1);
is($c->read($streams[0])->status, 200, 'one is served');
is($t->get('/level')->status, 200, 'there is room');
is($t->get('/level')->status, 200, 'and again');

$c->close;
zone_is_quiet($t, 'z');
is(zone($t, 'z')->{full}, 2, 'no more were refused');

$t->done;
