#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/pagination.conf: requests pass that ask for what they may.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('pagination.conf'));

for ('/items', '/items?limit=500&offset=100000', '/items?page_size=20',
     '/measurements', '/measurements?from=2024-01-01&to=2024-02-01',
     '/measurements?from=1704067200&to=1706745600&limit=10000',
     '/export?rows=100000')
{
    is($t->get($_)->status, 200, $_);
}

$backend->clear;

for (['/items?limit=501', 'max_arg'], ['/items?limit=5&LIMIT=501', 'max_arg'],
     ['/items?limit=-1', 'max_arg'], ['/items?offset=100001', 'max_arg'],
     ['/items?page_size=1e9', 'max_arg'],
     ['/measurements?from=2024-01-01&to=2024-02-02', 'max_window'],
     ['/measurements?from=2014-01-01', 'max_window'],
     ['/measurements?from=1706745600&to=1704067200', 'max_window'],
     ['/export', 'max_arg'], ['/export?rows=100001', 'max_arg'])
{
    my ($uri, $reason) = @$_;

    for my $f (qw(cl h2)) {
        my $r = $t->get($uri, framing => $f);

        is($r->status, 400, "$uri, $f");
        is($r->json->{reason}, $reason, "$uri, $f: reason");
    }
}

is($backend->connections, 0, 'the application was not contacted');

$t->done;
