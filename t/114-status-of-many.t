#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The status of many locations is written in steps: it is whole in each format,
# and a client that leaves meanwhile, over HTTP/1.1 or HTTP/2, harms nobody.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend(keepalive => 1);
my $n = 300;

$t->start(server => join '', <<'SERVER', map { <<"LOCATION" } 1 .. $n);
    guardrail on;
    guardrail_max_records 100;

    location = /status {
        guardrail_status;
    }
SERVER
    location /$_/ {
        guardrail_label label$_;
        proxy_pass http://%%BACKEND%%;
    }
LOCATION

my $c = $t->h1;

for (1 .. $n) {
    $c->request('POST', "/$_/", "{}\n" x ($_ % 7),
                headers => ['Content-Type' => 'application/x-ndjson'])
      ->status == 200 or die "location $_\n";
}

my $s = status($t);
my %records = map { ($_->{location}, $_->{records}) } @{$s->{locations}};

is(scalar(grep { ($records{"label$_"} // -1) != $_ % 7 } 1 .. $n), 0,
   'each location is there');

my $m = metrics($t->get('/status?format=prometheus')->body);

is(scalar(grep { ($m->{"guardrail_records_total{location=\"label$_\"}"} // 0)
                 != $_ % 7 } 1 .. $n), 0, 'for Prometheus too');

my $rows = () = $t->get('/status?format=html')->body
                  =~ m{<th scope="row">label\d+</th><td>1</td>}g;

is($rows, $n, 'and as a table');

# it leaves before the answer is ready, or has begun

for my $format (qw(json prometheus html)) {
    for (1 .. 10) {
        my $gone = $t->h1;

        $gone->send("GET /status?format=$format HTTP/1.1\r\nHost: a\r\n\r\n");
        $gone->close;
    }

    my $h2 = $t->h2;

    $h2->request('GET', "/status?format=$format", undef, read => 0)
        for 1 .. 5;
    $h2->close;
}

is($t->get('/status?format=json', framing => 'h2')->status, 200, 'it goes on');
is($t->request('HEAD', '/status?format=prometheus', undef)->status, 200,
   'HEAD of many');

# pipelined: the second waits for the first

$c = $t->h1;
$c->send("GET /status?format=json HTTP/1.1\r\nHost: a\r\n\r\n" x 2);
like($c->read->body, qr/label300/, 'the first');
like($c->read->body, qr/label300/, 'and the second');

$t->done;
