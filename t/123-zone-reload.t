#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What becomes of a zone over a reload: counters stay, quotas come and go, and
# another size, other rates or another secret start anew.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $file = $t->dir . '/z.state';

sub conf {
    my ($http, $quotas) = @_;

    return (http => $http, server => <<SERVER);
    guardrail on;
    guardrail_tenant \$arg_t;

    location / {
        $quotas
        proxy_pass http://%%BACKEND%%;
    }

    location /plain {
        guardrail off;
        proxy_pass http://%%BACKEND%%;
    }
SERVER
}

sub left {
    my ($tenant) = @_;

    return join ' ', $t->get("/?t=$tenant")->header('RateLimit')
                     =~ /-(\w+-\d+s)";r=(\d+)/g;
}

# only the workers of the new configuration are left

sub reloaded {
    my (@conf) = @_;

    ok($t->reload(conf(@conf)), 'reloaded');
    ok(wait_until { !$t->worker_pids(old => 1) }, 'the old worker is gone');
}

my $zone = 'guardrail_zone z size=256k rates=2;';
my $hour = 'guardrail_quota z requests 9/1h;';
my $day = 'guardrail_quota z requests 99/1d;';

$t->start(conf($zone, $hour));

is(left('a'), "requests-3600s $_", 'a request') for 8, 7;

reloaded($zone, $hour);
is(left('a'), 'requests-3600s 6', 'the counter is kept');

reloaded($zone, $hour =~ s/9/4/r);
is(left('a'), 'requests-3600s 0', 'under another limit');

reloaded($zone, $hour . $day);
is(left('a'), 'requests-3600s 4 requests-86400s 98', 'a quota that is new');

reloaded($zone, $day);
is(left('a'), 'requests-86400s 97', 'one that is gone');

reloaded($zone, $hour . $day);
is(left('a'), 'requests-3600s 3 requests-86400s 96', 'is where it was');

$t->kill_worker;
is(left('a'), 'requests-3600s 2 requests-86400s 95', 'as after a kill');

# A third pair has no room, though the configuration names two: that of the
# hour is named no more, but was used.

my @warned = $t->log_lines(qr/\[warn\]/);

is(scalar @warned, 0, 'nothing was warned of');

reloaded($zone, "$day guardrail_quota z bytes 1m/1h;");

ok($t->wait_log(qr/\[warn\].* zone "z" has no room yet for bytes in 3600s/),
   'a warning');
is($t->get('/?t=a')->status, 200, 'what brings no bytes passes');

my $r = $t->post('/?t=a', 'x');

is($r->status, 500, 'what does not');
is($r->json->{reason}, 'internal', 'reason');
ok($t->wait_log(qr/rejected: internal \(the zone of a quota has no room for/),
   'the log says why');

# rates of seconds: there is room when two of them have passed

reloaded('guardrail_zone s size=256k rates=1;',
         'guardrail_quota s requests 5/1s;');
is($t->get('/?t=a')->status, 200, 'a second');

reloaded('guardrail_zone s size=256k rates=1;',
         'guardrail_quota s requests 5/3s;');
ok(wait_until { $t->get('/?t=a')->status == 200 }, 'three seconds, later');

# one more pair than there is room for, by a variable

reloaded('guardrail_zone v size=256k rates=1;',
         'guardrail_quota v requests $arg_l;');

is($t->get('/?l=5/1h')->status, 200, 'the first');
is($t->get('/?l=6/1h')->status, 200, 'the same, another limit');
is($t->get('/?l=5/1d')->status, 500, 'one more');
is($t->get('/?l=5/1h')->status, 200, 'the first again');
is($t->get('/?l=off')->status, 200, 'none');

# another size, and other rates

my $log = 0;

for my $changed ('size=512k rates=2', 'size=512k rates=3') {
    reloaded("guardrail_zone z size=256k rates=2;", $hour);
    left('a');
    is(left('a'), 'requests-3600s 7', 'counted');

    reloaded("guardrail_zone z $changed;", $hour);
    is(left('a'), 'requests-3600s 8', "$changed starts empty");

    is(scalar(my @lines = $t->log_lines(qr/\[warn\].*z" has another size or/)),
       ++$log, 'with a warning');

    reloaded('', '');
}

# The file is that of the new zone, also when a worker of the old one exits
# later.  The number of the zone that has written it is at byte 32.

sub written_by {
    return unpack 'x32 H16', read_file($file);
}

my $with = "guardrail_zone z size=256k state=$file;";

reloaded($with, $hour);
left('a');

ok(wait_until { -s $file }, 'a state file');

my $old = written_by();
my $c = $t->h1;

$backend->clear;
$backend->set(hold => 1);
$c->request('GET', '/plain', undef, read => 0);
$backend->wait_requests(1);

ok($t->reload(conf($with =~ s/256k/512k/r, $hour)), 'another size');
ok(wait_until { written_by() ne $old }, 'the file of the new zone');

my $new = written_by();

ok(scalar $t->worker_pids(old => 1), 'the old worker is there');

$backend->set(hold => 0);
$backend->release;

is($c->read->status, 200, 'its last request');
ok(wait_until { !$t->worker_pids(old => 1) }, 'it is gone');
is(written_by(), $new, 'it has not written over the file');

# a zone that is gone for a while has its file

left('a') for 1 .. 3;

reloaded('', '');
reloaded($with, $hour);
is(left('a'), 'requests-3600s 5', 'a zone that comes back');

# a file of before is not read by a zone that was changed

reloaded($with =~ s/256k/1m/r, $hour);
is(left('a'), 'requests-3600s 8', 'one that is changed starts empty');

# another secret

my $secret = $t->file('secret', 'x' x 16);

reloaded("$with guardrail_secret $secret;", $hour);
left('b');
is(left('b'), 'requests-3600s 7', 'counted');

$t->file('secret', 'y' x 16);
reloaded("$with guardrail_secret $secret;", $hour);
is(left('b'), 'requests-3600s 8', 'another secret starts empty');

# a reload that is refused changes nothing

$t->expect_log(qr/\[emerg\]/);
ok(!$t->reload(conf($with, 'guardrail_quota y requests 5/1s;')), 'a mistake');
is(left('b'), 'requests-3600s 7', 'the old configuration goes on');

$t->done;
