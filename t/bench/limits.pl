#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A quota of requests against nginx's limit_req, for 10,000 tenants, in the
# same nginx and the same worker: requests for each second of its processor.
# Slices of one and the other alternate; a row is the median of neighbours.
#
#     t/bench/limits.pl [PAIRS]

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Guardrail::Http1;
use Guardrail::Nginx;
use Guardrail::Util qw(read_file root);

use constant { TENANTS => 10000, BATCH => 100, SLICE => 40 };

chdir root or die;

my $pairs = shift // 60;
my $t = Guardrail::Nginx->new(log_level => 'error');

$t->start(http => <<'HTTP', server => <<'SERVER');
    access_log off;
    keepalive_requests 1000000000;
    guardrail_zone z size=16m key=$arg_k;
    limit_req_zone $arg_k zone=l:16m rate=1000000r/s;
HTTP
    location /plain {
        empty_gif;
    }

    location /quota {
        guardrail on;
        guardrail_headers off;
        guardrail_quota z requests 1000000000/1h;
        empty_gif;
    }

    location /fields {
        guardrail on;
        guardrail_quota z requests 1000000000/1h;
        empty_gif;
    }

    location /limit {
        limit_req zone=l burst=1000000 nodelay;
        empty_gif;
    }
SERVER

my ($worker) = $t->worker_pids;
my $c = Guardrail::Http1->new(port => $t->port);
my %rate;

sub slice {
    my ($uri) = @_;
    my $began = cpu();

    for (1 .. SLICE) {
        $c->send(join '', map {
            "GET $uri?k=tenant-" . int(rand TENANTS)
            . " HTTP/1.1\r\nHost: a\r\n\r\n"
        } 1 .. BATCH);

        for (1 .. BATCH) {
            my $status = $c->read->status;

            die "$uri: $status\n" if $status != 200;
        }
    }

    return SLICE * BATCH * 1e9 / (cpu() - $began);
}

sub cpu {
    return read_file("/proc/$worker/schedstat") =~ /^(\d+) / ? $1 : die;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[$#sorted / 2];
}

slice($_) for ('/plain', '/quota', '/fields', '/limit') x 3;

for (1 .. $pairs) {
    push @{$rate{$_}}, slice($_) for '/plain', '/quota', '/limit', '/fields';
}

for my $uri ('/plain', '/limit', '/quota', '/fields') {
    my @ratio = map { $rate{$uri}[$_] / $rate{'/limit'}[$_] } 0 .. $pairs - 1;

    printf "%s  %.0f  %.3f\n", $uri, median(@{$rate{$uri}}), median(@ratio);
}

$t->stop;
$t->remove;
