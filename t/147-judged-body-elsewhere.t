#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A body that was judged is led to where the limits are the same and a quota
# is not: it is not judged again, but charged, and may be too much.  One that
# was decoded is led to where another ratio is the limit: that goes by what
# came over the wire, and by what it became.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $first = $t->backend(name => 'FIRST', status => 404);

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=256k key=$arg_k;
    guardrail on;
    guardrail_max_body 1m;
HTTP
    proxy_intercept_errors on;

    location /judged {
        error_page 404 = @charged;
        proxy_pass http://%%FIRST%%;
    }

    location @charged {
        guardrail_quota z bytes 1000/1d;
        guardrail_quota z decoded 2000/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_decode on;
        guardrail_max_ratio off;
        error_page 404 = @ratio;
        proxy_pass http://%%FIRST%%;
    }

    location @ratio {
        guardrail_decode on;
        guardrail_max_ratio 100 floor=1000;
        guardrail_max_decoded 4m;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

each_framing {
    my ($f) = @_;
    my $r = $t->post("/judged?k=$f", 'x' x 1000, framing => $f);

    is($r->status, 200, 'as much as the quota has');
    is($r->json->{length}, 1000, 'with its body');

    $backend->clear;

    $r = $t->post("/judged?k=$f", 'x', framing => $f);

    is($r->status, 429, 'one byte more');
    is($r->json->{reason}, 'quota_bytes', 'reason');
    is($r->json->{limit}, 1000, 'limit');
    is($backend->connections, 0, 'the second backend was not contacted');

    # what it decoded to is known too, and no length says it

    my $large = gzip('x' x 1500);

    $r = $t->post("/judged?k=$f.z", $large, framing => $f, encoding => 'gzip');
    is($r->status, 200, 'decoded bytes of the quota');

    $backend->clear;

    $r = $t->post("/judged?k=$f.z", $large, framing => $f, encoding => 'gzip');
    is($r->status, 429, 'and too many');
    is($r->json->{reason}, 'quota_decoded', 'reason');
    is($backend->connections, 0, 'the second backend was not contacted');

    # as long as 1000 and a hundred times what is sent of it

    my ($n, $coded) = (0, gzip(''));

    while ($n != 1000 + 100 * length $coded) {
        $n = 1000 + 100 * length $coded;
        $coded = gzip('x' x $n);
    }

    $r = $t->post('/decoded', $coded, framing => $f, encoding => 'gzip');
    is($r->status, 200, 'at the other ratio');
    is($r->json->{length}, $n, 'decoded');

    $backend->clear;
    $coded = gzip('x' x ($n + 1));

    $r = $t->post('/decoded', $coded, framing => $f, encoding => 'gzip');
    is($r->status, 413, 'above it');
    is($r->json->{reason}, 'max_ratio', 'reason');
    is($backend->connections, 0, 'the second backend was not contacted');
};

$t->done;
