#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/memory-budget.conf: uploads pass while there is memory for
# them, then they wait in order; a tenant has no more than its share.

# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new(log_level => 'debug');
my $backend = $t->backend;

$t->start(example('memory-budget.conf'));

# 19.7 MB of rows, which are taken for 315 MB: six fit into 2g, and two into
# the share of a tenant

my $row = '{"a":"' . unpack('H*', pseudo_random(1000, 7)) . "\"}\n";
my $rows = gzip($row x 9_820, level => 1);
my $memory = 9_820 * length($row) * 16;

sub upload {
    my ($key, $body, @coding) = @_;
    my $c = $t->h1;

    $c->request('POST', '/ingest', $body, read => 0,
                headers => ['X-Api-Key', $key, @coding]);

    return $c;
}

my @gzip = ('Content-Encoding', 'gzip');

is(upload('a', $rows, @gzip)->read->status, 200, 'an upload');

my $r = $t->post('/ingest', gzip($row x 10_500, level => 1),
                 encoding => 'gzip');

is($r->status, 413, 'one that is larger than may be');
is($r->json->{reason}, 'max_decoded', 'reason');

# a share

$backend->clear;
$backend->set(hold => 1);

my @work = map { upload('greedy', $rows, @gzip) } 1, 2;

ok(scalar $backend->wait_requests(2), 'two of a tenant are in work');

$r = upload('greedy', $rows, @gzip)->read;

is($r->status, 503, 'the third is refused');
is($r->json->{reason}, 'quota_memory', 'reason');
is($r->json->{policy}, 'tenants-memory', 'policy');
is($r->json->{limit}, 680 << 20, 'limit');
is($r->header('Retry-After'), 1, 'Retry-After');

# the budget of all

push @work, map { upload("tenant-$_", $rows, @gzip) } 1 .. 4;

ok(scalar $backend->wait_requests(6), 'six uploads are in work');

# in order: a small one does not pass, nor does it wait for its own tenant

my $seventh = upload('tenant-5', $rows, @gzip);

ok($t->wait_log(qr/guardrail waits for memory of zone "backend"/),
   'the seventh waits');

my $small = upload('tenant-6', qq({"a":1}\n));

ok(wait_until { 2 == $t->log_lines(qr/guardrail waits for memory/) },
   'a small one waits behind it');

is(scalar(my @all = $backend->requests), 6, 'the application sees six');

# what sends nothing needs no memory

my $get = $t->h1;

$get->request('GET', '/ingest', undef, read => 0);

ok(scalar $backend->wait_requests(7), 'a request without a body passes');

$backend->set(hold => 0);
$backend->release;

is($_->read->status, 200, 'answered') for @work, $get, $seventh, $small;

# what the access log says of those that waited

my @log = $t->wait_access_log(11, 'example-access.log');

ok((grep { m{ 200 "[0-9a-f]{16}" pass "-" \d+ $memory 0\.000 } } @log),
   'the memory that an upload was taken to cost');
ok((grep { m{ 200 "[0-9a-f]{16}" pass "-" 8 128 \d\.\d\d\d } } @log),
   'and the small one');
ok((grep { / 503 "[0-9a-f]{16}" reject "tenants-memory" / } @log),
   'and who had more than its share');
unlike("@log", qr/greedy|tenant-/, 'no keys in it');
unlike(join('', grep { /\[error\]/ } split /^/, $t->error_log),
       qr/tenant "(?:greedy|tenant-\d)"/, 'nor in the error log');

# nothing is left in use

is(upload('greedy', $rows, @gzip)->read->status, 200, 'all is free again')
    for 1 .. 7;

$t->done;
