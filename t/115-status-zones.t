#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_status tells of zones what their counters say, and of the heaviest
# tenants how much they have used: in JSON and in the page, never as labels.
# A secret key is shown as its hash, a hostile name as text.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend(keepalive => 1);
my $held = $t->backend(name => 'HELD', hold => 1);

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone tenants size=1m state=%%DIR%%/z.state;
    guardrail_zone backend size=256k key=all;
    guardrail_zone secret size=256k;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    location /t {
        guardrail_tenant $http_x_t;
        guardrail_quota tenants requests 3/1h;
        guardrail_quota tenants records 1000/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /held {
        guardrail_tenant $http_x_t;
        guardrail_quota tenants concurrency 10;
        guardrail_quota backend concurrency 2 queue=5 timeout=60s;
        guardrail_quota backend memory 1m;
        proxy_pass http://%%HELD%%;
    }

    location /full {
        guardrail_quota backend concurrency 2;
        proxy_pass http://%%HELD%%;
    }

    location /secret {
        guardrail_tenant $http_x_api_key;
        guardrail_quota secret requests 100/1m;
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

sub zone {
    my ($name) = @_;
    my ($z) = grep { $_->{zone} eq $name } @{status($t)->{zones}};

    return $z;
}

my $z = zone('tenants');

is_deeply([map { $_->{zone} } @{status($t)->{zones}}],
          [qw(tenants backend secret)], 'zones, as they are defined');
is($z->{entries}, 0, 'no key yet');
cmp_ok($z->{capacity_entries}, '>', 4000, 'but room');
is_deeply($z->{tenants}, [], 'no tenant');

$t->post('/t', "{}\n", type => 'application/x-ndjson',
         headers => ['X-T' => 'slim']);
$t->post('/t', "{}\n" x 7, type => 'application/x-ndjson',
         headers => ['X-T' => 'heavy']) for 1 .. 5;
$t->get('/t', headers => ['X-T' => '<script>"']);
$t->get('/secret', headers => ['X-Api-Key' => 'geheim']);

my @conns = map {
    my $c = $t->h1;

    $c->request('POST', '/held', 'x' x 1000, read => 0,
                headers => ['X-T' => 'heavy']);
    $c;
} 1 .. 3;

my $s = wait_status($t, sub {
    $_->{zones}[1]{waiting} == 1 && $_->{zones}[1]{levels}[1]{leases} == 2;
});

$z = $s->{zones}[0];

is($z->{entries}, 3, 'three keys');
is_deeply([map { "$_->{item} $_->{refusals}" } @{$z->{rates}}],
          ['requests-3600s 2', 'records-86400s 0'], 'refusals of its rates');
is($z->{tenants}[0]{tenant}, 'heavy', 'the heaviest first');

my %items = map { ($_->{item}, "$_->{used}/" . ($_->{limit} // '')) }
            @{$z->{tenants}[0]{items}};

is($items{'requests-3600s'}, '3/3', 'its requests');
is($items{'records-86400s'}, '21/1000', 'its records');
is($items{concurrency}, '2/10', 'its requests at work');
is(scalar(@{$z->{tenants}}), 3, 'the others too');
ok($z->{state_age_seconds} >= 0, 'its state was written, or is young');

$z = $s->{zones}[1];

is($z->{waiting}, 1, 'one waits');
is($z->{state_age_seconds}, undef, 'it has no file');

my %levels = map { ($_->{unit}, $_) } @{$z->{levels}};

is_deeply([@{$levels{concurrency}}{qw(leases used limit)}], [2, 2, 2],
          'concurrency, whose key is a constant');
is($levels{memory}{limit}, 1048576, 'memory');
is($levels{memory}{used}, $z->{leased_memory_bytes}, 'of it in use');
cmp_ok($z->{leased_memory_bytes}, '>=', 2000, 'by two bodies');
ok(!exists $levels{uploads}{limit}, 'no limit of uploads');

$z = $s->{zones}[2];

like($z->{tenants}[0]{tenant}, qr/^[0-9a-f]{16}$/, 'a secret is a hash');

# Prometheus: no tenant is a label

is($t->get('/full')->status, 503, 'both places are taken');

my $m = metrics($t->get('/status?format=prometheus')->body);

is($m->{'guardrail_zone_entries{zone="tenants"}'}, 3, 'keys');
is($m->{'guardrail_zone_refusals_total{zone="tenants",item="requests-3600s"}'},
   2, 'refusals');
is($m->{'guardrail_zone_refusals_total{zone="backend",item="concurrency"}'},
   1, 'refusals of a level');
is($m->{'guardrail_zone_leases{zone="backend",unit="concurrency"}'}, 2,
   'leases');
is($m->{'guardrail_zone_waiting{zone="backend"}'}, 1, 'waiting');
is($m->{'guardrail_zone_level_used{zone="backend",unit="concurrency"}'}, 2,
   'used');
is($m->{'guardrail_zone_level_limit{zone="backend",unit="memory"}'}, 1048576,
   'limit');
is(scalar(grep { /heavy|slim|script|geheim/ } keys %$m), 0, 'no tenant');

for my $name (qw(entries capacity_entries evictions_total
                 overflow_requests_total leased_memory_bytes holds
                 leases_reclaimed_total waiting queue_timeouts_total
                 queue_abandoned_total lock_forced_total repairs_total))
{
    ok(exists $m->{"guardrail_zone_$name\{zone=\"tenants\"}"}, $name);
}

ok(exists $m->{'guardrail_zone_state_age_seconds{zone="tenants"}'},
   'age of a state');
ok(!exists $m->{'guardrail_zone_state_age_seconds{zone="backend"}'},
   'but not without a file');

# the page

my $html = $t->get('/status?format=html')->body;

like($html, qr{">tenants</th><td>heavy</td><td>requests-3600s</td><td>3</td>},
     'a row');
like($html, qr{<td>&lt;script&gt;}, 'a hostile name is text');
unlike($html, qr{<script>"|geheim}, 'and no secret is told');

# all goes back to 0

for (1 .. 3) {
    $held->wait_requests($_);
    $held->release;
}

$_->read for @conns;

$s = wait_status($t, sub {
    $_->{zones}[1]{levels}[1]{leases} == 0
    && $_->{zones}[1]{leased_memory_bytes} == 0;
});
is($s->{zones}[1]{waiting}, 0, 'none waits');
is($s->{zones}[1]{leased_memory_bytes}, 0, 'no memory is in use');

$t->done;
