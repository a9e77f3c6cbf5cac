#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/streaming.conf: a body goes on while it arrives; a refusal
# in its middle leaves the application with a body that does not end.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('streaming.conf'));

my $rows = ndjson(20_000, size => 100);
my $long = '{"a":"' . 'x' x (2 ** 20 - 8) . "\"}\n";

# rows that are all the same: 24 MB in a ratio of 340 to 1, and of 1000 to 1

my $same = gzip(sprintf(qq({"heartbeat":"%.43s"}\n), 'x1' x 22) x 400_000);
my $bomb = gzip("{}\n" x 12_000_000);

my %opt = (type => 'application/x-ndjson');

each_framing {
    my ($f) = @_;

    is($t->post('/stream', $rows, %opt, framing => $f)->status, 200, 'rows');
    is($backend->last->{sha1}, sha1_hex($rows), 'arrived as they are');

    my $coded = gzip($rows);

    is($t->post('/stream', $coded, %opt, framing => $f, encoding => 'gzip')
         ->status, 200, 'rows under gzip');
    is($backend->last->{sha1}, sha1_hex($coded), 'arrived as they are');

    is($t->post('/stream', $long, %opt, framing => $f)->status, 200,
       'a row of 1m');

    # good rows go on at once; the bad one does not, nor the body's end

    $backend->clear;

    my $bad = $rows . $long =~ s/x/xx/r . $rows;
    my $r = $t->post('/stream', $bad, %opt, framing => $f);

    is($r->status, 413, 'a row that is a byte longer, after good ones');
    is($r->json->{reason}, 'max_record_size', 'reason');

    my ($got) = $backend->wait_requests(sub { @_ && $_[0]{closed} });

    ok($got, 'the application was contacted');
    is($got->{closed}, 'early', 'and left with a body that does not end');
    ok(!$got->{complete}, 'it cannot take it for a whole one');
    cmp_ok($got->{length}, '<', length($rows . $long) + 1,
           'nothing went on from the excess on');

    # identical rows, and bombs

    $r = $t->post('/stream', $same, %opt, framing => $f, encoding => 'gzip');

    is($r->status, 200, 'rows that are all the same');

    $r = $t->post('/stream', $bomb, %opt, framing => $f, encoding => 'gzip');

    is($r->json->{reason}, 'max_ratio', 'a bomb of rows');
    is($r->json->{limit}, 400, 'limit');

    $r = $t->post('/stream', gzip_zeros(64 << 20), framing => $f,
                  encoding => 'gzip', type => 'text/plain');

    is($r->json->{reason}, 'malformed_json', 'zeros are no rows');

    $r = $t->post('/', gzip_zeros(1 << 30), framing => $f,
                  encoding => 'gzip');

    is($r->json->{reason}, 'max_decoded', 'a bomb elsewhere');
};

# lines of any type, since the location says so

is($t->post('/stream', "x\n" x 10, type => 'text/csv')->status, 200,
   'lines of another type');
is($t->post('/stream', 'x' x (2 ** 20 + 1), type => 'text/csv')
     ->json->{reason}, 'max_record_size', 'a line of them that is too long');

# a length that is declared needs no bytes to be refused

my $r = $t->post('/stream', '', %opt, length => 2 ** 31 + 1, end => 0);

is($r->json->{reason}, 'max_body', 'a byte more than 2g');
is($r->json->{limit}, 2 ** 31, 'limit');

# it is on its way before its end was sent

$backend->clear;

my $c = $t->h1;

$c->send("POST /stream HTTP/1.1\r\nHost: localhost\r\n"
         . "Content-Type: application/x-ndjson\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n"
         . sprintf("%x\r\n%s\r\n", length $rows, $rows));

ok(scalar $backend->wait_requests(sub { @_ && $_[0]{length} == length $rows }),
   'rows arrive while the body goes on');

$c->send("0\r\n\r\n");

is($c->read->status, 200, 'its end arrives too');

$t->done;
