#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The histogram of waiting times has those who waited, and not those whom a
# full queue turned away.  The log has the time of those who left meanwhile.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $held = $t->backend(name => 'HELD', hold => 1);

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=256k key=all rates=1;
    log_format waited "$guardrail_verdict $guardrail_queue_time";
    access_log %%DIR%%/waited.log waited;
HTTP
    location /held {
        guardrail on;
        guardrail_label held;
        guardrail_quota z concurrency 1 queue=1 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

my @conns = map {
    my $n = $_;
    my $c = $t->h1;

    $c->request('GET', '/held', undef, read => 0);

    if ($n == 1) {
        $held->wait_requests(1);

    } else {
        wait_until(sub { status($t)->{zones}[0]{waiting} == 1 });
    }

    $c;
} 1, 2;

is($t->get('/held')->status, 503, 'no place') for 1 .. 3;

for (1, 2) {
    $held->wait_requests($_);
    $held->release;
    is($conns[$_ - 1]->read->status, 200, "answered $_");
}

wait_until(sub { location($t, 'held')->{requests}{pass} == 2 });

my $l = location($t, 'held');

is($l->{requests}{reject}, 3, 'three turned away');
is($l->{histograms}{queue_wait_seconds}{count}, 1, 'one has waited');

# one at work again, one that waits and leaves

my @two = map {
    my $c = $t->h1;

    $c->request('GET', '/held', undef, read => 0);
    $held->wait_requests(3) if $_ == 1;
    $c;
} 1, 2;

wait_until(sub { status($t)->{zones}[0]{waiting} == 1 });
select undef, undef, undef, 0.1;
$two[1]->close;

ok(wait_until {
    grep { /^aborted (\S+)/ && $1 > 0 } $t->access_log('waited.log');
}, 'how long it waited');

$held->release;
is($two[0]->read->status, 200, 'the other is answered');

$t->done;
