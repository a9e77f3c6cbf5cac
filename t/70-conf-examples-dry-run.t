#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/dry-run.conf: a tenth of the clients is guarded, always the
# same ones; for the others the log says what would have happened.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend(keepalive => 1);

# the clients of this test differ by a header, real ones by their address

my $config = example('dry-run.conf');

$config =~ s{(%%HTTP%%\n)}{$1    set_real_ip_from 127.0.0.1;
    real_ip_header X-Client;\n}
    or die;

$t->start($config);

my @clients = map { "192.0.2.$_" } 1 .. 40;
my $digits = join '', map { '{"a":' . ord($_) % 10 . "}\n" }
             split //, pseudo_random(10_000, 5);
my $coded = gzip($digits x 20 . '{}', level => 1);
my $sha1 = sha1_hex($coded);
my %opt = (type => 'application/x-ndjson', encoding => 'gzip');
my %status;


# the last line of the log, as columns and name=value pairs

sub logged {
    my ($n) = @_;
    my @log = $t->wait_access_log($n, 'example-guardrail.log');
    my ($time, $client, $status, $verdict, @pairs) = split / /, $log[-1];

    return { client => $client, status => $status, verdict => $verdict,
             map { split /=/, $_, 2 } @pairs };
}


# each client sends rows within the limits

my $lines = 0;

for my $client (@clients) {
    my $r = $t->post('/ingest', "{}\n" x 10, headers => ['X-Client', $client]);

    is($r->status, 200, "rows of $client") if $r->status != 200;
    $lines++;
}

my $log = logged($lines);

is($log->{verdict}, 'pass', 'log: rows within the limits');
is($log->{records}, 10, 'log: records');

# each sends too many, some of them twice

for my $client (@clients, @clients[0 .. 9]) {
    $backend->clear;

    my $r = $t->post('/ingest', $coded, %opt,
                     headers => ['X-Client', $client]);
    my $status = $r->status;

    $log = logged(++$lines);

    my $ok = $log->{client} eq $client && $log->{status} == $status
             && $log->{reason} eq 'max_records' && $log->{limit} == 200_000
             && $log->{observed} == 200_001
             && ($status{$client} // $status) == $status;

    if ($status == 413) {
        $ok = $ok && $log->{verdict} eq 'reject'
              && $r->json->{reason} eq 'max_records'
              && $backend->requests == 0;

    } else {
        $ok = $ok && $status == 200 && $log->{verdict} eq 'would_reject'
              && $backend->last->{sha1} eq $sha1;
    }

    ok($ok, "too many rows of $client") if !$ok;

    $status{$client} = $status;
}

my $refused = grep { $_ == 413 } values %status;

cmp_ok($refused, '>', 0, 'some clients are guarded');
cmp_ok($refused, '<', @clients / 2, 'but not most');

# what the error log says of either, at its own level

like(($t->log_lines(qr/would reject/))[0] // '',
     qr/\[warn\] .* guardrail: would reject: max_records limit 200000 /,
     'error log: would reject');
like(($t->log_lines(qr/: rejected/))[0] // '',
     qr/\[warn\] .* guardrail: rejected: max_records limit 200000 /,
     'error log: rejected');

my ($dry) = grep { $status{$_} == 200 } @clients;
my @from = (headers => ['X-Client', $dry]);

# the other limits

my %excess = (
    max_decoded => ['/', gzip(pseudo_random(2080, 3) x 32768),
                    encoding => 'gzip', limit => 64 * 2 ** 20],
    max_record_size => ['/ingest', 'x' x 65537, limit => 65536],
    max_records => ['/ingest', "x\n" x 200_001, type => 'text/csv',
                    limit => 200_000],
);

for my $reason (sort keys %excess) {
    my ($uri, $body, %o) = @{$excess{$reason}};
    my $limit = delete $o{limit};

    is($t->post($uri, $body, %o, @from)->status, 200, "$reason in dry_run");

    $log = logged(++$lines);

    is($log->{verdict}, 'would_reject', 'log: verdict');
    is($log->{reason}, $reason, 'log: reason');
    is($log->{limit}, $limit, 'log: limit');
}

# client_max_body_size is no rehearsal

my $r = $t->post('/', 'x' x (16 * 2 ** 20), @from);

is($r->status, 200, 'a body of client_max_body_size');
is(logged(++$lines)->{verdict}, 'pass', 'log: verdict');

$r = $t->post('/', 'x' x (16 * 2 ** 20 + 1), @from);

is($r->status, 413, 'a byte more');
like($r->header('content-type'), qr{^text/html}, 'is refused by nginx');

$log = logged(++$lines);

is($log->{verdict}, 'reject', 'log: verdict');
is($log->{reason}, 'max_body', 'log: reason');

# a bomb goes where it was meant to go, too

$backend->clear;

$r = $t->post('/', gzip_zeros(1 << 30), encoding => 'gzip', @from);

is($r->status, 200, 'a bomb in dry_run');
is($backend->last->{sha1}, sha1_hex(gzip_zeros(1 << 30)), 'arrived');

$log = logged(++$lines);

is($log->{verdict}, 'would_reject', 'log: verdict');
is($log->{reason}, 'max_ratio', 'log: reason');
is($log->{limit}, 200, 'log: limit');
is($log->{decoded}, 1867776, 'log: it was decoded up to its excess only');

$t->done;
