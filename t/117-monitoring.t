#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# docs/grafana: the dashboard is JSON and its panels have room, each metric and
# label that it or an alert asks for is one that guardrail_status gives, and
# promtool, where it is installed, takes the queries and sees the alerts fire.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP ();

use Guardrail::Test;

# the names and their labels; histograms are the three names of each

my %metrics = (
    (map { ("guardrail_$_" => [qw(location)]) }
     qw(body_bytes_total decoded_bytes_total records_total)),
    guardrail_requests_total => [qw(location verdict reason)],
    (map { my $name = "guardrail_request_$_";
           ("${name}_bucket" => [qw(location le)],
            "${name}_sum" => [qw(location)],
            "${name}_count" => [qw(location)]) }
     qw(body_bytes decoded_bytes expansion_ratio records largest_record_bytes
        memory_estimate_bytes queue_wait_seconds)),
    (map { ("guardrail_zone_$_" => [qw(zone)]) }
     qw(entries capacity_entries evictions_total overflow_requests_total
        leased_memory_bytes holds leases_reclaimed_total waiting
        queue_timeouts_total queue_abandoned_total lock_forced_total
        repairs_total state_age_seconds)),
    (map { ("guardrail_zone_$_" => [qw(zone unit)]) }
     qw(leases level_used level_limit)),
    guardrail_zone_refusals_total => [qw(zone item)],
    (map { ("guardrail_$_" => []) }
     qw(requests_in_flight decoder_memory_bytes start_time_seconds)),
    guardrail_build_info => [qw(version nginx)],
);

my %used;

# the names in a query, and the labels that are asked of them; those of the
# scrape itself are always there

sub look {
    my ($where, $query) = @_;
    my %allowed = map { $_ => 1 } qw(job instance);
    my @names = $query =~ /\b(guardrail_\w+)/g;

    ok(scalar @names, "$where: asks for something");

    for my $name (@names) {
        ok($metrics{$name}, "$where: $name exists");
        $used{$name} = 1;
        $allowed{$_} = 1 for @{$metrics{$name} || []};
    }

    my @labels = ($query =~ /[{,]\s*(\w+)\s*(?:=~|!=|!~|=)/g,
                  map { split /\s*,\s*/ }
                  $query =~ /\b(?:by|on|without)\s*\(([^)]*)\)/g);

    is(join(' ', grep { !$allowed{$_} } @labels), '', "$where: labels exist");
}

my $dashboard = eval {
    JSON::PP->new->utf8->decode(read_file(root
                                          . '/docs/grafana/dashboard.json'));
};

is($@, '', 'the dashboard is JSON');

my @panels = @{$dashboard->{panels}};
my (%ids, %taken, @queries);

for my $panel (@panels) {
    my $title = $panel->{title};

    ok($title, 'a panel has a title');
    ok(!$ids{$panel->{id}}++, "$title: an id of its own");

    my ($x, $y, $w, $h) = @{$panel->{gridPos}}{qw(x y w h)};

    cmp_ok($x + $w, '<=', 24, "$title: inside");

    for my $column ($x .. $x + $w - 1) {
        for my $line ($y .. $y + $h - 1) {
            ok(0, "$title: on top of another") if $taken{"$column $line"}++;
        }
    }

    my %refs;

    for my $target (@{$panel->{targets} || []}) {
        ok(!$refs{$target->{refId}}++, "$title: a name of its own");
        look($title, $target->{expr});
        push @queries, $target->{expr};
    }
}

for my $variable (@{$dashboard->{templating}{list}}) {
    next if $variable->{type} eq 'datasource';

    like($variable->{definition}, qr/^label_values\(guardrail_\w+/,
         "$variable->{name}: values of a metric");
    look($variable->{name}, $variable->{definition} =~ s/, \w+\)$//r);
}

# alerts, without a parser of YAML: an expression is what follows "expr:"

my $alerts = read_file(root . '/docs/grafana/alerts.yml');
my @blocks = split /^      - alert: /m, $alerts;
my $doc = read_file(root . '/docs/monitoring.md');

shift @blocks;
cmp_ok(scalar @blocks, '>=', 10, 'alerts');

for my $block (@blocks) {
    my ($name) = $block =~ /^(\w+)/;
    my ($one, $more) = $block
        =~ /^        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)/m;

    look($name, $one // $more);
    like($block, qr/severity: (?:critical|warning|info)$/m,
         "$name: a severity");
    like($doc, qr/\b$name\b/, "$name: docs/monitoring.md tells what to do");
}

# what is not shown anywhere is nothing to be proud of

is(join(' ', grep { !$used{$_} && !/_(?:sum|count)$/ } sort keys %metrics), '',
   'all metrics are used');

# the names are those that a running one gives

my $t = Guardrail::Test->new;

$t->start(http => 'guardrail_zone z size=256k key=all;', server => <<'SERVER');
    location = /status {
        guardrail_status;
    }
SERVER

my %given = map { $_ => 1 }
            $t->get('/status?format=prometheus')->body
                =~ /^# TYPE (guardrail_\w+) /mg;

for my $name (sort keys %used) {
    my $family = $name =~ s/_bucket$//r;

    ok($given{$family}, "nginx gives $family");
}

# promtool

SKIP: {
    skip 'no promtool (Debian: prometheus)', 3
        if system('command -v promtool > /dev/null 2>&1') != 0;

    my $out = `promtool check rules docs/grafana/alerts.yml 2>&1`;

    is($?, 0, 'promtool takes the alerts') or diag($out);

    $out = `promtool test rules t/grafana/alerts.yml 2>&1`;
    is($?, 0, 'they fire when they should') or diag($out);

    # queries of the dashboard, as rules

    my $rules = "groups:\n  - name: dashboard\n    rules:\n";
    my $n = 0;

    for my $query (@queries) {
        my $text = $query =~ s/\$__rate_interval/5m/gr =~ s/\$\w+/x/gr;

        $rules .= '      - { record: "q' . $n++ . '", expr: '
                  . JSON::PP->new->allow_nonref->encode($text) . " }\n";
    }

    $t->file('rules.yml', $rules);
    $out = `promtool check rules $t->{dir}/rules.yml 2>&1`;
    is($?, 0, "promtool takes the $n queries of the dashboard") or diag($out);
}

$t->done;
