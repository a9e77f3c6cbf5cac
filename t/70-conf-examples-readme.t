#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The configuration that README.md shows.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

my ($config, $memory, $quotas) = read_file(root . '/README.md')
    =~ /^```nginx\n(.*?)^```$/gms;

die "README.md has no three configurations\n" unless defined $quotas;

my $lines = () = $config =~ /\S.*\n/g;

cmp_ok($lines, '<=', 15, 'it is short');

for (["load_module modules/ngx_http_guardrail_module.so;\n", "%%GLOBALS%%\n"],
     ["http {\n", "http {\n    %%HTTP%%\n"],
     ['listen 80;', 'listen 127.0.0.1:%%PORT%%;'],
     ['127.0.0.1:8000', '%%BACKEND%%'])
{
    my ($from, $to) = @$_;

    $config =~ s/\Q$from\E/$to/ or die "README.md: no \"$from\"\n";
}

$t->start($config);

my $rows = gzip(ndjson(100_000));

is($t->post('/ingest', $rows, encoding => 'gzip')->status, 200, 'rows');
is($backend->last->{length}, length $rows, 'arrived');

$backend->clear;

# rows that repeat, but not so often that they are a bomb

my $row = '{"a":"' . unpack('H*', pseudo_random(1040, 3)) x 30 . "\"}\n";

my %excess = (
    max_body        => ['x' x (10 * 2 ** 20 + 1)],
    max_decoded     => [gzip($row x 1100), encoding => 'gzip'],
    max_record_size => ['{"a":"' . 'x' x 65536 . '"}'],
    max_records     => [gzip(ndjson(100_001)), encoding => 'gzip'],
);

for my $reason (sort keys %excess) {
    my ($body, %opt) = @{$excess{$reason}};
    my $r = $t->post('/ingest', $body, %opt);

    is($r->status, 413, "$reason is refused");
    is($r->json->{reason}, $reason, 'reason');
}

is($backend->connections, 0, 'the backend was not contacted');

ok($t->stop, 'stopped');

# the limits of memory that it shows, and how much a body costs

$t->start(http => "guardrail on; $memory", server => <<'SERVER');
    location / {
        guardrail_max_body 32m;
        add_header Memory $guardrail_memory;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $items = '[' . join(',', ('{"a":[0]}') x 100_000) . ']';
my $r = $t->post('/', $items, type => 'application/json');

is($r->status, 200, 'a million bytes of small objects');
cmp_ok($r->header('Memory') / length $items, '>=', 28, 'cost 28 times as much');

$items = '[' . join(',', ('{"a":[0]}') x 2_000_000) . ']';
$r = $t->post('/', $items, type => 'application/json');

is($r->json->{reason}, 'max_memory', 'twenty million are refused');
is($t->post('/', '[' x 33, type => 'application/json')->json->{reason},
   'json_depth', 'too deep');

ok($t->stop, 'stopped');

# the quotas that it shows

$quotas =~ s{state=/var/lib/nginx/guardrail/}{state=%%DIR%%/}
    or die "README.md: no state file\n";

$t->start(http => "guardrail on; $quotas", server => <<'SERVER');
    location / {
        proxy_pass http://%%BACKEND%%;
        add_header Tenant $guardrail_tenant;
    }
SERVER

$r = $t->post('/', "{}\n", headers => ['X-Api-Key', 'acme-7c1f']);

is($r->status, 200, 'a request under quotas');
is($r->header('Tenant'), 'acme', 'its tenant');
is($r->header('RateLimit-Policy'),
   '"tenants-requests-60s";q=600;w=60, "tenants-records-86400s";q=10000000;'
   . 'w=86400', 'its rates');
like($r->header('RateLimit'), qr/"tenants-requests-60s";r=599;t=\d+/,
     'what is left');
is($t->post('/', "{}\n")->header('Tenant'), 'anonymous', 'without a key');

$t->done;
