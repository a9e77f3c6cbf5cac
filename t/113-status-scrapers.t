#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What Prometheus reads is taken by strict parsers: that of OpenMetrics in
# Prometheus' own Python client, and promtool where it is installed.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => 'guardrail_zone z size=256k key=all;', server => <<'SERVER');
    guardrail on;
    guardrail_max_records 5;

    location /odd {
        guardrail_label "a \"label\\ of\n\xc3\xa4 \xff odd bytes";
        proxy_pass http://%%BACKEND%%;
    }

    location /quota {
        guardrail_quota z requests 2/1h;
        guardrail_quota z concurrency 5;
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

$t->post('/odd', gzip("{}\n" x 5), type => 'application/x-ndjson',
         encoding => 'gzip');
$t->post('/odd', "{}\n" x 6, type => 'application/x-ndjson');
$t->post('/quota', '{}', type => 'application/json') for 1 .. 4;

# Debian's own: another Python may come first

my $python = -x '/usr/bin/python3' ? '/usr/bin/python3' : 'python3';

sub parsed {
    my ($module, $text) = @_;

    $t->file('metrics', $text);

    my $out = `$python - $t->{dir}/metrics $module 2>&1 <<'PYTHON'
import importlib, sys
module = importlib.import_module(sys.argv[2])
text = open(sys.argv[1], encoding="utf-8").read()
names = set()
for family in module.text_string_to_metric_families(text):
    assert family.documentation, family.name
    names.update(sample.name for sample in family.samples)
print(len(names))
PYTHON`;

    return $out;
}

my $text = $t->get('/status?format=prometheus')->body;
my $open = $t->get('/status?format=prometheus',
                   headers => [Accept => 'application/openmetrics-text'])
             ->body;

SKIP: {
    skip 'no python3-prometheus-client', 2
        if system("$python -c 'import prometheus_client' 2>/dev/null");

    like(parsed('prometheus_client.openmetrics.parser', $open), qr/^\d\d+$/,
         'OpenMetrics');
    like(parsed('prometheus_client.parser', $text), qr/^\d\d+$/,
         'the text format');
}

SKIP: {
    skip 'no promtool', 1 if system('promtool --version >/dev/null 2>&1');

    $t->file('metrics', $text);

    my $out = `promtool check metrics < $t->{dir}/metrics 2>&1`;

    is($out, '', 'promtool has nothing to say');
}

# HELP and TYPE lines do not come and go with zones and traffic

$t->stop;
$t->start(server => <<'SERVER');
    location = /status {
        guardrail_status;
    }
SERVER

my $bare = $t->get('/status?format=prometheus')->body;

for my $word (qw(HELP TYPE)) {
    is_deeply([$bare =~ /^# $word (\S+)/mg], [$text =~ /^# $word (\S+)/mg],
              "all $word lines without a zone");
}

unlike($bare, qr/^guardrail_zone/m, 'and nothing else of zones');

$t->done;
