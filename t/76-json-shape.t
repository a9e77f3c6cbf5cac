#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_json: the shape of JSON is bounded while the body streams, in each
# format that JSON comes in: at the limit it passes, one more is refused, and
# no cut of the bytes changes that.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

# each limit by itself, in a location of its own

my $alone = join '', map { "location = /alone/$_->[0] { "
                           . "guardrail_json $_->[0]=$_->[1]; "
                           . "proxy_pass http://%%BACKEND%%; }\n" }
            (['depth', 3], ['keys', 3], ['items', 4], ['tokens', 12],
             ['key', 5], ['string', 10], ['number', 6]);

$t->start(server => $alone . <<'SERVER');
    guardrail on;
    add_header X-G "$guardrail_format $guardrail_json_depth" always;
    client_body_buffer_size 1k;

    location /shape {
        guardrail_json depth=3 keys=3 items=4 tokens=12 key=5 string=10
                       number=6;
        proxy_pass http://%%BACKEND%%;
    }

    location /strict {
        guardrail_json strict=on;
        proxy_pass http://%%BACKEND%%;
    }

    location /lines {
        guardrail_json depth=3;
        guardrail_format ndjson;
        proxy_pass http://%%BACKEND%%;
    }

    location /seq {
        guardrail_json depth=3 tokens=12;
        guardrail_format json_seq;
        guardrail_max_records 2;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        guardrail_json off;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_json depth=3;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $json = 'application/json';
my $ndjson = 'application/x-ndjson';
my $seq = 'application/json-seq';


# what passes, and what is refused for which reason, by limit and observed

my @cases = (
    ['depth', '{"a":[[1]]}', '{"a":[[[1]]]}', 'json_depth', 3, 4],
    ['keys', '{"a":1,"b":2,"c":3}', '{"a":1,"b":2,"c":3,"d":4}', 'json_keys',
     3, 4],
    ['items', '[1,2,3,4]', '[1,2,3,4,5]', 'json_items', 4, 5],
    ['tokens', '[[1,2,3,4],[1,2,3,4],1]', '[[1,2,3,4],[1,2,3,4],1,2]',
     'json_tokens', 12, 13],
    ['key', '{"abcde":1}', '{"abcdef":1}', 'json_key', 5, 6],
    ['string', '["0123456789"]', '["0123456789x"]', 'json_string', 10, 11],
    ['escapes', '["\\u00e9abcd"]', '["\\u00e9abcde"]', 'json_string', 10, 11],
    ['number', '[123456]', '[1234567]', 'json_number', 6, 7],
);

each_framing {
    my ($f) = @_;

    for (@cases) {
        my ($name, $good, $bad, $reason, $limit, $observed) = @$_;

        for ([$json, ''], [$ndjson, "\n"], ['text/plain', "\n"],
             [$seq, "\n", "\x1e"])
        {
            my ($type, $end, $begin) = @$_;
            my $what = "$name, $type";

            $begin //= '';

            my $r = $t->post('/shape', "$begin$good$end", framing => $f,
                             type => $type);

            is($r->status, 200, "$what: at the limit");

            $backend->clear;
            $r = $t->post('/shape', "$begin$bad$end", framing => $f,
                          type => $type);

            is($r->status, 413, "$what: one more");
            is($r->json->{reason}, $reason, "$what: reason");
            is($r->json->{limit}, $limit, "$what: limit");
            is($r->json->{observed}, $observed, "$what: observed");
            is($backend->connections, 0, "$what: the backend");
        }

        next if $name eq 'escapes';

        is($t->post("/alone/$name", $good, framing => $f,
                    type => $json)->status, 200, "$name alone: at the limit");
        is($t->post("/alone/$name", $bad, framing => $f,
                    type => $json)->json->{reason}, $reason,
           "$name alone: one more");
    }

    # each line is of its own, until one leaves containers open

    is($t->post('/shape', '[[1,2,3,4],[1,2,3,4]]' . "\n" x 2
                          . '[[1,2,3,4],[1,2,3,4]]', framing => $f,
                type => $ndjson)->status, 200, 'tokens are of a line');
    is($t->post('/shape', "[\n" x 4, framing => $f, type => $ndjson)->status,
       413, 'open containers stay open, by auto');
    is($t->post('/lines', "[\n" x 4, framing => $f)->status, 200,
       'not with an explicit format');

    # a sequence by an explicit format, whatever the type says

    for ([200, "\x1e[1]\n\x1e[[2]]\n"], [413, "\x1e1\n\x1e2\n\x1e3\n"],
         [413, "\x1e[[[[\n"])
    {
        my ($status, $body) = @$_;
        my $r = $t->post('/seq', $body, framing => $f, type => 'text/plain');

        is($r->status, $status, 'json_seq');
        like($r->header('X-G'), qr/^json_seq /, 'json_seq: the format');
    }

    is($t->post('/strict', '{"a":1}', framing => $f, type => $json)->status,
       200, 'strict: JSON');

    for ('{"a":01}', '{"a":1,}', "{'a':1}", '{"a":NaN}', '{"a":"' . "\xff\"}",
         '{"a":1}x', '{"a":1')
    {
        my $r = $t->post('/strict', $_, framing => $f, type => $json);

        is($r->status, 400, 'strict: no JSON');
        is($r->json->{reason}, 'malformed_json', 'strict: reason');
    }

    is($t->post('/off', '[' x 100, framing => $f, type => $json)->status, 200,
       'off');
    is($t->post('/dry', '[' x 100, framing => $f, type => $json)->status, 200,
       'dry_run');
    is($t->post('/shape', '[[[[', framing => $f, type => 'text/csv')->status,
       413, 'CSV that is none');
    is($t->post('/shape', "a,b\n", framing => $f, type => 'text/csv')
         ->header('X-G'), 'csv ', 'CSV');
};

# however it is cut

my $good = '{"a":[["01234"]],"b":{"c":1}}';
my $bad = '{"a":[[["01234"]]]}';

for my $i (1 .. length($bad) - 1) {
    is($t->post('/shape', $bad, type => $json, framing => 'chunked',
                cuts => [$i], drain => 1)->header('X-G'), 'json 4',
       "refused, cut at $i");
}

for my $i (1 .. length($good) - 1) {
    is($t->post('/shape', $good, type => $json, cuts => [$i],
                drain => 1)->status, 200, "passes, cut at $i");
}

is($t->post('/shape', gzip($bad), type => $json, encoding => 'gzip')->status,
   413, 'coded');

$t->done;
