#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/ndjson-ingest.conf: what the application is told of a body
# that passed, what clients are told of one that did not, what the log says.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);
use JSON::PP ();

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('ndjson-ingest.conf'));

my $type = 'application/x-ndjson';
my $lines = 0;


# the line of the access log that the last request left

sub logged {
    my @log = $t->wait_access_log(++$lines, 'example-access.log');

    return JSON::PP->new->decode($log[-1]);
}


# rows that gzip makes ten times smaller, not hundreds

my $digits = join '', map { '{"a":' . ord($_) % 10 . "}\n" }
             split //, pseudo_random(100_000, 5);
my $rows = $digits x 2;
my $coded = gzip($rows, level => 1);
my $flood = gzip("$rows\{}", level => 1);

# 65 MiB, in a ratio that is allowed: 171 to 1

my $large = gzip(pseudo_random(2080, 3) x 32768);

my $longest = '{"a":"' . 'x' x (65536 - 8) . "\"}\n";

each_framing {
    my ($f) = @_;
    my %opt = (framing => $f, type => $type);

    for my $uri ('/ingest', '/v1/ingest') {
        my $r = $t->post($uri, $coded, %opt, encoding => 'gzip',
                         headers => ['X-Guardrail-Records', '7']);

        is($r->status, 200, "$uri: as many rows as are allowed");

        my $got = $backend->last;

        is($got->{sha1}, sha1_hex($coded), 'arrived as they are');
        is($got->{headers}{'x-guardrail-records'}, 200_000,
           'their number is passed on, and not what the client says');
        is($got->{headers}{'x-guardrail-decoded-bytes'}, length $rows,
           'decoded bytes');
        is($got->{headers}{'x-guardrail-largest-record'}, 7,
           'largest record');

        my $log = logged;

        is($log->{verdict}, 'pass', 'log: verdict');
        is($log->{reason}, '', 'log: no reason');
        is($log->{records}, 200_000, 'log: records');
        is($log->{wire}, length $coded, 'log: wire bytes');
        is($log->{encoding}, 'gzip', 'log: encoding');
        is($log->{format}, 'ndjson', 'log: format');
        is($log->{id}, $got->{headers}{'x-request-id'}, 'log: request id');
    }

    is($t->post('/ingest', $longest, %opt)->status, 200, 'a row of 64k');
    is(logged->{largest}, 65536, 'log: the largest record');

    $backend->clear;

    # a row too many

    my $r = $t->post('/ingest', $flood, %opt, encoding => 'gzip');

    is($r->status, 413, 'a row more is refused');
    is($r->header('content-type'), 'application/problem+json', 'as a problem');
    is($r->json->{reason}, 'max_records', 'reason');
    is($r->json->{observed}, 200_001, 'observed');

    my $log = logged;

    is($log->{verdict}, 'reject', 'log: verdict');
    is($log->{reason}, 'max_records', 'log: reason');
    is($log->{limit}, 200_000, 'log: limit');
    is($log->{status}, 413, 'log: status');
    is($log->{id}, $r->json->{request_id}, 'log: request id');

    # the same, for clients of the old service

    $r = $t->post('/v1/ingest', $flood, %opt, encoding => 'gzip');

    is($r->status, 413, 'a row more is refused by the old service too');
    is($r->header('content-type'), 'application/json', 'type');
    is($r->body, '{"error":"max_records","max":200000}', 'its own answer');
    is(logged->{reason}, 'max_records', 'log: reason, after error_page');

    my $longer = $longest =~ s/x/xx/r;

    $r = $t->post('/ingest', $longer, %opt);

    is($r->status, 413, 'a row that is a byte longer is refused');
    is($r->json->{reason}, 'max_record_size', 'reason');
    is(logged->{reason}, 'max_record_size', 'log: reason');

    $r = $t->post('/v1/ingest', $longer, %opt);

    is($r->body, '{"error":"max_record_size","max":65536}',
       'by the old service too');
    is(logged->{reason}, 'max_record_size', 'log: reason');

    # other locations have the limits of the http block

    $r = $t->post('/upload', gzip_zeros(1 << 30), framing => $f,
                  encoding => 'gzip');

    is($r->json->{reason}, 'max_ratio', 'a bomb is refused elsewhere');
    is($r->json->{limit}, 200, 'limit');
    is(logged->{decoded}, 1867776, 'log: where it was stopped');

    $r = $t->post('/upload', $large, framing => $f, encoding => 'gzip');

    is($r->json->{reason}, 'max_decoded', 'what decodes to too much, too');
    is(logged->{limit}, 64 * 2 ** 20, 'log: limit');

    is($backend->connections, 0, 'the application was not contacted');
};

# whatever it is called, and whatever it looks like, it is split into lines

my $r;

for my $uri ('/ingest', '/v1/ingest') {
    is($t->post($uri, 'x' . "\nx" x 9, type => 'text/csv')->status, 200,
       "$uri: lines of another type");

    my $log = logged;

    is($log->{format}, 'ndjson', 'log: format');
    is($log->{records}, 10, 'log: records');

    $r = $t->post($uri, "x\n" x 200_001, type => 'text/csv');

    is($r->status, 413, 'too many of them');
    is(logged->{reason}, 'max_records', 'log: reason');
}

is($t->post('/upload', 'x' x (16 * 2 ** 20))->status, 200, '16m');
is(logged->{wire}, 16 * 2 ** 20, 'log: wire bytes');

$r = $t->post('/upload', 'x' x (16 * 2 ** 20 + 1));

is($r->json->{reason}, 'max_body', 'a byte more');
is(logged->{reason}, 'max_body', 'log: reason');

$r = $t->post('/ingest', 'x', encoding => 'deflate');

is($r->status, 415, 'only gzip');
is($r->header('accept-encoding'), 'gzip', 'says so');
is(logged->{reason}, 'encoding', 'log: reason');

# without a body there are no records

$t->get('/', headers => ['X-Guardrail-Records', '7']);

is($backend->last->{headers}{'x-guardrail-records'}, 0,
   'a client cannot invent measurements');
is(logged->{records}, 0, 'log: no records');

$t->done;
