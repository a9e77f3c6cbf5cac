#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Floods of random keys against zones with room for 1,856: what a tenant owes
# is not forgotten, keys that came once make room, and when there is none new
# keys share an entry or are refused.  Nothing grows.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::INET;

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(log_level => 'error');

$t->file('index.html', '');
$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone share size=256k;
    guardrail_zone reject size=256k full=reject;
    guardrail_zone once size=256k;
    guardrail_zone levels size=256k full=reject;
HTTP
    server => zone_views(qw(share reject once levels)) . <<'SERVER');
    access_log off;
    keepalive_requests 1000000;
    root %%DIR%%;
    guardrail on;
    guardrail_tenant $arg_t;

    location /share/ {
        alias %%DIR%%/;
        guardrail_quota share requests 5/1d;
    }

    location /reject/ {
        alias %%DIR%%/;
        guardrail_quota reject requests 5/1d;
    }

    location /once/ {
        alias %%DIR%%/;
        guardrail_quota once requests 100/1d;
    }

    location /levels/ {
        alias %%DIR%%/;
        guardrail_quota levels concurrency 1;
    }
SERVER

# So many requests, 100 at a time on one connection, and as many of each key
# as are told; how many were answered with each status.

sub flood {
    my ($uri, $n, $each) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $t->port('PORT'))
        or die "connect: $!\n";
    my %count;

    for (my $i = 0; $i < $n; $i += 100) {
        print $s map {
            (sprintf "GET %s?t=%08x%d HTTP/1.1\r\nHost: a\r\n\r\n", $uri,
                     rand(2 ** 32), $i + $_) x $each
        } 1 .. 100 / $each;

        $s->flush;

        for (1 .. 100) {
            defined(my $line = <$s>) or die "closed\n";
            my ($length, $status) = (0, (split / /, $line)[1]);

            while (($line = <$s>) ne "\r\n") {
                $length = $1 if $line =~ /^Content-Length: (\d+)/;
            }

            read $s, $line, $length;
            $count{$status}++;
        }
    }

    return \%count;
}

sub status { return $t->get("$_[0]?t=$_[1]")->status }

sub left {
    return ($t->get("$_[0]?t=$_[1]")->header('RateLimit') =~ /r=(\d+)/)[0];
}

sub rss {
    my ($pid) = $t->worker_pids;
    my ($kib) = read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m;

    return $kib;
}

my $capacity = zone($t, 'share')->{view}{capacity};

# keys that are there before: one has used all, one has three left

for my $uri ('/share/', '/reject/') {
    status($uri, 'victim') for 1 .. 5;

    is(status($uri, 'victim'), 429, "$uri: the victim has used all");
    is(left($uri, 'other'), $_, 'another one has some left') for 4, 3;
}

flood('/share/', 1000, 2);

my $before = rss;
my $n = flood('/share/', 20_000, 2);

cmp_ok($n->{200}, '>', 2 * 1000, 'keys had room');
cmp_ok($n->{200}, '<=', 2 * $capacity, 'no more than there is');
is($n->{200} + $n->{429}, 20_000, 'the others were refused');

my $zone = zone($t, 'share');

is($zone->{entries}, $capacity, 'no room is left');
is($zone->{evictions}, 0, 'none was taken');
is($zone->{overflows}, 20_000 - ($zone->{entries} - 502) * 2,
    'requests on the shared entry are counted');

is(status('/share/', 'victim'), 429, 'the victim is not forgotten');
is(left('/share/', 'other'), 2, 'nor what the other has');

my @lines = $t->log_lines(qr/tenant "victim"/);

unlike($lines[-1], qr/overflow/, 'it was not refused for others');

my $r = $t->get('/share/?t=newcomer');

is($r->status, 429, 'a new key is refused for what others used');
is($r->json->{policy}, 'share-requests-86400s', 'by the same limit');

@lines = $t->log_lines(qr/quota_requests .* retry \d+ overflow,/);

ok(@lines > 0, 'the log says so');

# reject

$n = flood('/reject/', 20_000, 2);

cmp_ok($n->{200}, '>', 2 * 1500, 'more than 83 in 100 are in use');
cmp_ok($n->{200}, '<=', 2 * $capacity, 'no more than there is');
is($n->{200} + $n->{503}, 20_000, 'the others were refused');

is(status('/reject/', 'victim'), 429, 'the victim is not forgotten');
is(left('/reject/', 'other'), 2, 'nor what the other has');

$r = $t->get('/reject/?t=newcomer');

is($r->status, 503, 'a new key is refused');
is($r->json->{reason}, 'zone_full', 'reason');

# Keys that came once make room: nobody loses more than one request, and who
# has used more is there.

status('/once/', 'victim') for 1 .. 50;

$n = flood('/once/', 20_000, 1);

is($n->{200}, 20_000, 'all pass');
is(left('/once/', 'victim'), 49, 'and the victim has what it had');

$zone = zone($t, 'once');

is($zone->{evictions}, 20_001 - $zone->{entries}, 'evictions are counted');

# so do those whose leases are over

$n = flood('/levels/', 20_000, 1);

is($n->{200}, 20_000, 'all pass');

is(scalar(@{ zone($t, $_)->{view}{rows} }), 128, "128 names of $_")
    for qw(share reject);

is(zone($t, 'once')->{view}{rows}[0]{name}, 'victim', 'the heaviest of them');

my $after = rss;

SKIP: {
    skip('what was freed is kept for a while', 1) if sanitized;

    cmp_ok($after, '<=', $before + 2048, "$before KiB, and then $after");
}

$t->done;
