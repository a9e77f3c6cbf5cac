#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_max_memory: what a body would cost json.loads() is estimated while
# it streams, and a body that costs too much is refused before it has come to
# its end, let alone to the backend.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m key=all;

    map $arg_plan $memory {
        default "";
        small 100k;
        large 100m;
        none 0;
    }
HTTP
    guardrail on;
    add_header X-G "$guardrail_verdict $guardrail_decoded_bytes
                    $guardrail_memory" always;

    location /cpython {
        guardrail_max_memory 1m;
        proxy_pass http://%%BACKEND%%;
    }

    location /record {
        guardrail_max_body off;
        guardrail_max_memory 1m;
        guardrail_memory_model cpython per=record;
        proxy_pass http://%%BACKEND%%;
    }

    location /factor {
        guardrail_max_memory 28000;
        guardrail_memory_model 28;
        proxy_pass http://%%BACKEND%%;
    }

    location /fraction {
        guardrail_max_memory 1001;
        guardrail_memory_model 1.5;
        proxy_pass http://%%BACKEND%%;
    }

    location /bytes {
        guardrail_max_memory 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /plan {
        guardrail_max_memory $memory;
        proxy_pass http://%%BACKEND%%;
    }

    location /quota {
        guardrail_quota z memory 1m;
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        guardrail_max_memory 1000;
        guardrail_format none;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# 28 times its size, as CPython 3.8 and later have it

my $element = '{"a":[0]}';
my $document = '[' . join(',', ($element) x 8000) . ']';
my $small = '[' . join(',', ($element) x 1000) . ']';


sub numbers {
    my ($r) = @_;

    return $r->header('X-G') =~ /^(\S+)\s+(\d+)\s+(\d+)$/;
}


each_framing {
    my ($f) = @_;

    $backend->clear;

    my $r = $t->post('/cpython', $document, framing => $f,
                     type => 'application/json');
    my ($verdict, $decoded, $memory) = numbers($r);

    is($r->status, 413, 'refused');
    is($r->json->{reason}, 'max_memory', 'reason');
    is($r->json->{limit}, 1048576, 'limit');
    ok($r->json->{observed} > 1048576, 'observed is more');
    is($verdict, 'reject', 'verdict');
    is($memory, $r->json->{observed}, 'the variable');
    ok($decoded < length($document), 'before its end');
    ok($memory / $decoded > 25, 'it costs more than 25 times its size');
    ok($memory / $decoded < 37, 'and not more than it does');
    is($backend->connections, 0, 'the backend was not contacted');

    $r = $t->post('/cpython', $small, framing => $f,
                  type => 'application/json');
    (undef, undef, $memory) = numbers($r);

    is($r->status, 200, 'a smaller one passes');
    ok($memory > 25 * length $small, 'and its cost is known');

    # whatever the label says, and in lines

    for my $type ('text/plain', undef, 'text/csv', 'application/x-ndjson') {
        is($t->post('/cpython', $document, framing => $f, type => $type)
             ->status, 413, 'as ' . ($type // 'nothing'));
    }

    my $lines = "$element\n" x 8000;

    is($t->post('/cpython', $lines, framing => $f,
                type => 'application/x-ndjson')->status, 413,
       'lines that are all kept');
    is($t->post('/record', $lines, framing => $f,
                type => 'application/x-ndjson')->status, 200,
       'lines, one after the other');

    $r = $t->post('/record', $lines x 20, framing => $f,
                  type => 'application/x-ndjson');

    is($r->status, 200, 'together more bytes than the limit');
    cmp_ok((numbers($r))[2], '<', 3000, 'which is not what they cost');

    is($t->post('/record', $document, framing => $f,
                type => 'application/x-ndjson')->status, 413,
       'one line that is too much');

    # a factor, and what is no JSON

    for (['/factor', 1000], ['/fraction', 667], ['/bytes', 1000]) {
        my ($uri, $n) = @$_;

        is($t->post($uri, 'x' x $n, framing => $f)->status, 200,
           "$uri: at the limit");

        $r = $t->post($uri, 'x' x ($n + 1), framing => $f);

        is($r->status, 413, "$uri: one more");
        is($r->json->{reason}, 'max_memory', "$uri: reason");
    }

    is($t->post('/none', '[' . '0,' x 2000, framing => $f,
                type => 'application/json')->status, 413,
       'format none: its bytes count');

    is($t->post('/plan?plan=small', $small, framing => $f,
                type => 'application/json')->status, 413, 'a small plan');
    is($t->post('/plan?plan=large', $small, framing => $f,
                type => 'application/json')->status, 200, 'a large plan');
    is($t->post('/plan?plan=none', $document, framing => $f,
                type => 'application/json')->status, 200, 'no limit');
    is($t->post('/plan', $small, framing => $f)->status, 500, 'no plan');

    is($t->post('/quota', $document, framing => $f,
                type => 'application/json')->json->{reason}, 'max_memory',
       'more than the whole quota of memory');
    is($t->post('/quota', $small, framing => $f,
                type => 'application/json')->status, 200, 'less');
};

# coded, and cut

for my $cut (1000, 4095, 4096, 4097) {
    my $r = $t->post('/cpython', gzip($document), encoding => 'gzip',
                     type => 'application/json', cut => $cut, drain => 1);

    is($r->status, 413, "coded, cut at $cut");
    is((numbers($r))[1],
       (numbers($t->post('/cpython', $document, framing => 'chunked',
                         type => 'application/json')))[1],
       "coded, cut at $cut: at the same byte");
}

$t->done;
