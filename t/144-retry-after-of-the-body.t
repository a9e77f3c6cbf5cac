#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Who is refused by a rate of requests comes back with the same body: if its
# declared length does not fit into another rate until later, Retry-After is of
# then, and a length that never fits is told so at once.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m;
    guardrail_zone b size=1m;
HTTP
    guardrail on;
    guardrail_tenant $http_x_t;

    location / {
        guardrail_quota z requests 1/1h;
        guardrail_quota b bytes 1000/1d;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

each_framing {
    my ($f) = @_;
    my @as = (framing => $f, headers => ['X-T' => "tenant $f"]);

    is($t->post('/', 'x' x 1000, @as)->status, 200, 'both are used up');

    my $r = $t->get('/', @as);

    is($r->json->{policy}, 'z-requests-3600s', 'the rate of requests refuses');
    cmp_ok($r->header('Retry-After'), '<=', 7920, 'what has no body');

    $r = $t->post('/', 'x' x 500, @as);

    is($r->json->{policy}, 'z-requests-3600s', 'is named with a body, too');

    if ($f =~ /^(?:cl|h2-cl)$/) {

        # two hours at most for the one, half a day at least for the other

        cmp_ok($r->header('Retry-After'), '>=', 43200, 'the body fits then');
        is($r->json->{retry_after}, $r->header('Retry-After'), 'in the body');
        unlike($r->json->{detail}, qr/declares/, 'in words of requests');

        my ($for) = $r->header('RateLimit') =~ /"b-bytes-86400s";r=0;t=(\d+)/;

        cmp_ok($for, '>=', $r->header('Retry-After'), 'RateLimit says so');

        $r = $t->post('/', 'x' x 1001, @as);

        is($r->status, 413, 'never');
        is($r->json->{reason}, 'quota_bytes', 'by that rate');
        is($r->header('Retry-After'), undef, 'no time helps');
        like($r->json->{detail}, qr/declares 1001 bytes/, 'detail');

    } else {
        cmp_ok($r->header('Retry-After'), '<=', 7920, 'nobody knows its size');
    }
};

$t->done;
