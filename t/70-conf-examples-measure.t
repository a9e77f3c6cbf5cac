#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/measure.conf, and docs/guide.md with it: nothing is refused,
# what is sent is measured, the suggestions are limits that nginx takes, and at
# which what was seen passes.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP;

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend(keepalive => 1);

$t->start(example('measure.conf'));

my $bomb = gzip(' ' x 50_000_000 . '{}', level => 9);

for my $rows (1, 10, 100, 1000) {
    is($t->post('/ingest', "{\"row\":1}\n" x $rows,
                type => 'application/x-ndjson')->status, 200, "$rows rows");
}

is($t->post('/ingest', $bomb, type => 'application/x-ndjson',
            encoding => 'gzip')->status, 200, 'a bomb passes');
is($t->post('/', '{"a":[1,2,3]}', type => 'application/json')->status, 200,
   'another location');
is($t->post('/ingest', 'x' x 17_000_000)->status, 413,
   'client_max_body_size holds');

# a refusal of nginx's own, and what could not be judged to its end

my $r = $t->get('/guardrail?format=json');

is($r->status, 200, 'the status');

my %at = map { ($_->{location}, $_) } @{decode_json($r->body)->{locations}};
my %s = map { ($_->{directive}, $_) } @{$at{ingest}{suggestions}};

is($at{ingest}{requests}{pass}, 5, 'five passed');
is($at{ingest}{histograms}{decoded_bytes}{max}, 50_000_002,
   'a bomb is measured whole');
is($s{guardrail_max_records}{suggestion}, '2000', 'records');
is_deeply([sort keys %s], [map { "guardrail_max_$_" } sort
                           qw(body decoded ratio records record_size memory)],
          'a suggestion for each limit');
is($at{web}{requests}{pass}, 1, 'the other label');

my $lines = join '', map { "$_->{directive} $_->{suggestion};\n" } values %s;

my ($ok, $out) = $t->nginx_t(server => "guardrail on;\n$lines");

ok($ok, 'nginx takes what is suggested') or diag($out);

# 0 of all: what was seen passes

for (sort keys %s) {
    is($s{$_}{would_refuse}, 0, "$_ refuses none of what was seen");
    cmp_ok($s{$_}{value}, '>=', 2 * $s{$_}{p999}, "$_ has headroom");
}

$t->done;
