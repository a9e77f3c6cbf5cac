#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/minimal.conf: ordinary traffic passes as it is, bodies that
# are or become too large do not reach the application.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('minimal.conf'));

is($t->get('/')->status, 200, 'a request without a body');

my $rows = ndjson(20_000, size => 60);
my $coded = gzip($rows);

# 65 MiB, in a ratio that is allowed: 171 to 1

my $large = gzip(pseudo_random(2080, 3) x 32768);

each_framing {
    my ($f) = @_;

    $backend->clear;

    is($t->post('/', $rows, framing => $f)->status, 200, 'rows');
    is($backend->last->{sha1}, sha1_hex($rows), 'arrived as they are');

    is($t->post('/', $coded, framing => $f, encoding => 'gzip')->status, 200,
       'rows under gzip');
    is($backend->last->{sha1}, sha1_hex($coded), 'arrived as they are');

    $backend->clear;

    my $r = $t->post('/', gzip_zeros(1 << 30), framing => $f,
                     encoding => 'gzip');

    is($r->status, 413, 'a bomb is refused');
    is($r->json->{reason}, 'max_ratio', 'by its ratio');
    is($r->json->{limit}, 200, 'limit');

    $r = $t->post('/', 'x' x (10 * 2 ** 20 + 1), framing => $f);

    is($r->status, 413, 'a byte more than 10m is refused');
    is($r->json->{reason}, 'max_body', 'by its size');
    is($r->json->{limit}, 10 * 2 ** 20, 'client_max_body_size was taken over');

    $r = $t->post('/', $large, framing => $f, encoding => 'gzip');

    is($r->status, 413, 'more than 64m decoded is refused');
    is($r->json->{reason}, 'max_decoded', 'by its decoded size');
    is($r->json->{limit}, 64 * 2 ** 20, 'limit');

    is($backend->connections, 0, 'the application was not contacted');
};

is($t->post('/', 'x', encoding => 'br')->status, 415, 'another coding');

$t->done;
