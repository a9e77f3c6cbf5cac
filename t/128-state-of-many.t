#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A zone of thousands of tenants is written in many pieces, between which
# requests are served; the file has all of them, and so has the zone that is
# made of it.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::INET;

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $file = $t->dir . '/z.state';
my $keys = 10_000;

$t->file('index.html', '');

my @conf = (main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    access_log off;
    keepalive_requests 1000000;
    guardrail_zone z size=2m rates=1 state=%%DIR%%/z.state;
    guardrail on;
    guardrail_tenant $arg_t;
    root %%DIR%%;
HTTP
    location / {
        guardrail_quota z requests 3/1d;
    }

    location /later {
        guardrail off;
        test_later 10s;
    }
SERVER

$t->start(@conf);

# one request of each, 100 at a time

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                              PeerPort => $t->port('PORT'))
    or die "connect: $!\n";
my $passed = 0;

for (my $i = 0; $i < $keys; $i += 100) {
    print $s map { "HEAD /?t=key-$_ HTTP/1.1\r\nHost: a\r\n\r\n" }
                 $i .. $i + 99;

    for (1 .. 100) {
        $passed++ if <$s> =~ / 200 /;

        while (<$s> ne "\r\n") { }
    }
}

is($passed, $keys, 'all pass');

$s->close;

# a head of 208 bytes, 48 for each tenant, and 24 at the end

my $full = 208 + 48 * $keys + 24;

is($t->get('/later')->status, 204, 'later');
ok(wait_until { -s $file == $full }, 'the file has all of them');

my $text = read_file($file);
my %hashes = map { substr($text, 208 + 48 * $_, 16) => 1 } 0 .. $keys - 1;

is(scalar(keys %hashes), $keys, 'each once');

# a write that is cut off by the death of all leaves the file of before

is($t->get('/later')->status, 204, 'once more');

$t->kill_all;

ok(-s $file == $full, 'the file is whole');

$t->start(@conf);

my $wrong = 0;

for my $n (map { 97 * $_ } 0 .. 102) {
    my $r = $t->get("/?t=key-$n");

    $wrong++ if $r->header('RateLimit') !~ /;r=1;/;
}

is($wrong, 0, 'all are known');
like($t->get('/?t=new')->header('RateLimit'), qr/;r=2;/, 'and no others');

# when it stops all is written at once

ok($t->stop, 'stopped');
is(-s $file, $full + 48, 'with the one that was new');
ok(!-e "$file.tmp", 'nothing else is left');

$t->done;
