#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/json-api.conf: documents pass with what they cost, and what
# would cost too much, or has no shape that the API knows, does not.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('json-api.conf'));


sub refused {
    my ($uri, $body, $f, $status, $reason, $name, %opt) = @_;

    $backend->clear;

    my $r = $t->post($uri, $body, framing => $f, type => 'application/json',
                     %opt);

    is($r->status, $status, "$name: status");
    is($r->json->{reason}, $reason, "$name: reason");
    is($backend->connections, 0, "$name: the application was not contacted");
}


sub header {
    my ($name) = @_;

    return $backend->last->{headers}{$name};
}


my $objects = '[' . join(',', ('{"a":[0]}') x 99_999) . ']';
my $dear = '[' . join(',', ("[$objects]") x 4) . ']';

each_framing {
    my ($f) = @_;

    is($t->post('/api/x', $objects, framing => $f, type => 'application/json',
                headers => ['X-Guardrail-Memory', 1])->status, 200,
       'a document');
    ok(header('x-guardrail-memory') > 25 * length $objects,
       'what it costs is told, and the client\'s own word is not');
    is(header('x-guardrail-depth'), 3, 'its depth');

    is($t->post('/api/x', '{}', framing => $f,
                type => 'application/vnd.api+json')->status, 200, '+json');
    is($t->post('/webhooks/x', '{"a":[1,2,"\u00e9"]}', framing => $f,
                type => 'application/json')->status, 200, 'a webhook');

    refused('/api/x', $dear, $f, 413, 'max_memory', 'a dear document');
    refused('/api/x', '{}', $f, 415, 'type', 'another type',
            type => 'text/plain');
    refused('/api/x', '[' x 33, $f, 413, 'json_depth', 'nested');
    refused('/api/x', '[' . '1' x 41 . ']', $f, 413, 'json_number', 'digits');
    refused('/api/x', '[' . '0,' x 100_000 . '0]', $f, 413, 'json_items',
            'items');
    refused('/api/x', '{' . join(',', map { "\"$_\":0" } 1 .. 1001) . '}', $f,
            413, 'json_keys', 'keys');
    refused('/webhooks/x', '{"a":NaN}', $f, 400, 'malformed_json',
            'a webhook that is no JSON');
};

$t->done;
