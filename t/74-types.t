#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_types: bodies of other types are refused, by the head alone.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_types application/json ~text/(csv|plain);

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /any {
        guardrail_types ~.*;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

each_framing {
    my ($f) = @_;

    for (['application/json', 200], ['APPLICATION/Json', 200],
         ['application/json; charset=utf-8', 200],
         ['application/json;x', 200], [' application/json ', 200],
         ['text/csv', 200], ['TEXT/plain; a=b', 200],
         ['text/csvx', 415], ['xtext/csv', 415], ['application/jsonx', 415],
         ['application/problem+json', 415], ['text/html', 415],
         ['application', 415], ['', 415], [undef, 415],
         ['text/html, application/json', 415])
    {
        my ($type, $status) = @$_;
        my $name = $type // 'none';

        $backend->clear;

        my $r = $t->post('/', '{}', framing => $f, type => $type,
                         expect => $f =~ /h2/ ? 0 : 1);

        is($r->status, $status, "type \"$name\"");

        next if $status == 200;

        is($r->json->{reason}, 'type', "type \"$name\": reason");
        is($backend->connections, 0, "type \"$name\": backend");
        is(join(' ', $r->interim), '', "type \"$name\": not asked for");
    }

    is($t->post('/', '{}', framing => $f, type => 'application/json',
                headers => ['Content-Type', 'text/html'])->status, 415,
       'two lines');
    is($t->post('/any', '{}', framing => $f, type => 'x/y')->status, 200,
       'any type');
    is($t->post('/any', '{}', framing => $f)->status, 415, 'but one');
};

is($t->get('/')->status, 200, 'without a body there is no type');
is($t->post('/', '')->status, 200, 'no bytes are no body');

$t->done;
