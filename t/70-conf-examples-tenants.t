#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/tenants.conf: plans by map, a tenant that has used its plan,
# and others that do not notice.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

my $zone = "guardrail_zone tenants size=16m\n"
           . '                   state=/var/lib/nginx/guardrail/tenants.state';

$t->start(example('tenants.conf', $zone =>
    'guardrail_zone tenants size=16m state=%%DIR%%/tenants.state;'));

my %key = (acme => 'f4a0-3c1d-acme', globex => '9d2e-77b0-globex',
           initech => '51c8-e4f3-initech');

sub as {
    my ($tenant) = @_;

    return (headers => ['X-Api-Key', $key{$tenant}]);
}

# nobody, and a key that is nobody's

for my $headers ([], ['X-Api-Key', 'guessed']) {
    my $r = $t->get('/', headers => $headers);

    is($r->status, 400, 'no tenant');
    is($r->json->{reason}, 'tenant', 'reason');
}

is($backend->requests, 0, 'the application did not hear of it');

# the application is told who it is, and not how they proved it

my $r = $t->get('/', headers => ['X-Api-Key', $key{acme}, 'X-Tenant', 'root']);

is($r->status, 200, 'acme');
is($backend->last->{headers}{'x-tenant'}, 'acme', 'is acme to the backend');
ok(!exists $backend->last->{headers}{'x-api-key'}, 'which sees no key');
is($r->header('RateLimit-Policy'), '"tenants-requests-60s";q=600;w=60',
   'its plan');
like($r->header('RateLimit'), qr/^"tenants-requests-60s";r=599;t=\d+$/,
     'and what is left');

# rows: one plan's are counted per day

my $rows = "{}\n" x 400_000;
my %opt = (type => 'application/x-ndjson');

for my $n (1, 2) {
    is($t->post('/ingest', $rows, %opt, as('globex'))->status, 200,
       "400,000 rows, $n");
}

$backend->clear;
$r = $t->post('/ingest', $rows, %opt, as('globex'));

is($r->status, 429, '400,000 more are too many for a day');
is($r->json->{reason}, 'quota_records', 'reason');
is($r->json->{policy}, 'tenants-records-86400s', 'policy');
is($r->json->{limit}, 1_000_000, 'limit');
like($r->header('Retry-After'), qr/^\d{4,6}$/, 'it says when');
is($backend->connections, 0, 'nothing of it reached the application');

ok($t->wait_log(qr/: quota_records limit .*, tenant "globex", location/),
   'the log names the tenant');
ok($t->wait_log(qr/, zone "tenants" records-86400s limit 1000000 used \d+/),
   'and the quota');

is($t->post('/ingest', $rows, %opt, as($_))->status, 200, "$_ may")
    for qw(acme initech);

# requests: what was refused gave its own back

$r = $t->get('/', as('globex'));

like($r->header('RateLimit'), qr/^"tenants-requests-60s";r=5[789];/,
     'three of sixty are used');

# a minute may begin meanwhile, and make room for some more

my $passed = 3;

do {
    $r = $t->get('/', as('globex'));
    $passed++;
} while ($r->status == 200 && $passed < 200);

cmp_ok($passed, '>', 60, 'sixty pass');
is($r->status, 429, 'then it is too many');
is($r->json->{reason}, 'quota_requests', 'reason');
cmp_ok($r->header('Retry-After'), '<=', 67, 'it says when');

is($t->get('/', as('acme'))->status, 200, 'acme may');

$r = undef;
$r = $t->get('/', as('initech')) for 1 .. 100;

is($r->status, 200, 'initech may as often as it likes');
is($r->header('RateLimit'), undef, 'and is told of no limits');

# at a time: two of globex are at the application, and others of it wait

ok($t->stop, 'stopped');

is((stat $t->dir . '/tenants.state')[2] & 07777, 0600, 'a state file');

unlink $t->dir . '/tenants.state';
$t->start(example('tenants.conf', $zone =>
                  'guardrail_zone tenants size=16m;'));

$backend->clear;
$backend->set(hold => 1);

my @waiting = map { $t->h1 } 1 .. 3;

for my $c (@waiting) {
    $c->send("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: $key{globex}\r\n\r\n");
    $backend->wait_requests(2) if $c == $waiting[1];
}

my $other = $t->h1;

$other->send("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: $key{acme}\r\n\r\n");

ok(scalar $backend->wait_requests(3), 'another tenant passes');

is(join(' ', sort map { $_->{headers}{'x-tenant'} } $backend->requests),
   'acme globex globex', 'the third of globex waits');

$backend->set(hold => 0);
$backend->release;

is($_->read->status, 200, 'answered') for @waiting, $other;

my @log = $t->wait_access_log(1, 'example-access.log');

ok((grep { / 200 "globex" free pass "-" / } @log), 'the access log');
ok((grep { / 429 "globex" free reject "tenants-records-86400s" / } @log),
   'names the policy');

$t->done;
