#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# state=FILE: what rates have counted survives a stop and a start, a reload,
# and, but for the last ten seconds, the death of everything.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $file = $t->dir . '/tenants.state';

my @conf = (main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    guardrail_zone tenants size=256k state=%%DIR%%/tenants.state;
    guardrail_zone others size=256k;
HTTP
    guardrail on;
    guardrail_tenant $arg_t;

    location / {
        guardrail_quota tenants requests 5/1h;
        guardrail_quota tenants bytes 1m/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /others {
        guardrail_quota others requests 5/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /later {
        guardrail off;
        test_later 10s;
    }
SERVER

$t->start(@conf);

# it is there at once, so that a directory that cannot be written is seen

ok(wait_until { -s $file }, 'written soon after the start');
is((stat $file)[2] & 07777, 0600, 'mode 0600');

# what is left to a tenant, by RateLimit: of requests and of bytes

sub left {
    my ($r) = @_;

    return join ' ', $r->header('RateLimit') =~ /r=(\d+)/g;
}

sub left_of {
    my ($tenant) = @_;

    return left($t->get("/?t=$tenant", headers => [Guard => 'off']));
}

is($t->post('/?t=acme', 'x' x 1000)->status, 200, 'a request of acme')
    for 1 .. 3;

is($t->get('/others?t=acme')->status, 200, 'in a zone without a file')
    for 1 .. 5;
is($t->get('/others?t=acme')->status, 429, 'which refuses the sixth');

# a stop: the last worker writes

ok($t->stop, 'stopped');

my $text = read_file($file);

unlike($text, qr/acme/, 'no names in the file');
ok(!-e "$file.tmp", 'nothing else is left');
is((stat $file)[2] & 07777, 0600, 'mode 0600');

$t->start(@conf);

my $r = $t->post('/?t=acme', 'x' x 1000);

is($r->status, 200, 'after the start');
like($r->header('RateLimit'), qr/"tenants-requests-3600s";r=1;/,
     'the fourth of five requests');
like($r->header('RateLimit'), qr/"tenants-bytes-86400s";r=1044576;/,
     'with three before it');
is($t->get('/others?t=acme')->status, 200, 'what has no file starts empty');

# a reload

ok($t->reload(@conf), 'reloaded');

is(left($t->get('/?t=acme')), '0 ' . (1048576 - 4000), 'the fifth');
is($t->get('/?t=acme')->status, 429, 'the sixth is refused');

# the death of all of it, after the file was written by its timer

my $inode = (stat $file)[1];

is($t->get('/?t=quick')->status, 200, 'another tenant') for 1 .. 2;
is($t->get('/later')->status, 204, 'ten seconds later');

ok(wait_until { (stat $file)[1] != $inode }, 'it is written');

is($t->get('/?t=quick')->status, 200, 'what came since then');

$t->kill_all;
$t->start(@conf);

is($t->get('/?t=acme')->status, 429, 'acme after the death of all');
like($t->get('/?t=quick')->header('RateLimit'),
     qr/"tenants-requests-3600s";r=2;/, 'what came since then is lost');

# and twice: what was read is written again

$t->kill_all;
$t->start(@conf);
is($t->get('/?t=acme')->status, 429, 'acme after another');

$t->done;
