#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Another binary takes over (USR2): its zones are memory of its own.  Rates go
# on from the state file, levels start empty, and who holds a lease or waits in
# the old one is served there.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $held = $t->backend(name => 'HELD', hold => 1);
my $backend = $t->backend;

# only a daemon takes the signal: it is started here, not by the harness

my $dir = $t->dir;
my $conf = $t->_config(main => load_test_module, http => <<'HTTP',
    guardrail_zone rates size=256k key=all state=%%DIR%%/rates.state;
    guardrail_zone levels size=256k key=all;
    guardrail on;
    proxy_http_version 1.1;
HTTP
    server => zone_views(qw(rates levels)) . <<'SERVER');
    location / {
        guardrail_quota rates requests 5/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /held {
        guardrail_quota levels concurrency 1 queue=9 timeout=60s;
        proxy_pass http://%%HELD%%;
    }
SERVER

$conf =~ s/^daemon off;$//m or die "it is none\n";

is(system($t->{nginx}, '-p', $dir, '-c', $t->file('nginx.conf', $conf),
          '-e', "$dir/error.log"), 0, 'started');
ok((wait_until { pid_in('nginx.pid') } 10), 'as a daemon');

my $old = pid_in('nginx.pid');
my $worker = zone($t, 'rates')->{pid};

END { kill 'KILL', grep { $_ } pid_in('nginx.pid'), pid_in('nginx.pid.oldbin') }

sub pid_in {
    my ($name) = @_;

    return -s "$dir/$name" ? read_file("$dir/$name") + 0 : 0;
}

sub left {
    return ($t->get('/', headers => ['Connection', 'close'])
              ->header('RateLimit') =~ /r=(\d+)/)[0];
}

is(left(), $_, "$_ left") for 4, 3, 2;

# it is written once more, with these

my $age = zone($t, 'rates')->{view}{state_age};

ok((wait_until {
    my $before = $age;

    $age = zone($t, 'rates')->{view}{state_age};

    return $age < $before && -s "$dir/rates.state";
} 30), 'the state was written');

my $first = $t->h1;
my $second = $t->h1;

$first->request('GET', '/held?first', undef, read => 0);
$held->wait_requests(1);
$second->request('GET', '/held?second', undef, read => 0);
zone_is($t, 'levels', { concurrency => 1, waiting => 1 }, 'one waits');

# both run for a while

kill 'USR2', $old;

ok((wait_until { pid_in('nginx.pid') && pid_in('nginx.pid') != $old } 20),
   'another master runs');

my $new = pid_in('nginx.pid');

kill 'WINCH', $old;

my $zone;

ok((wait_until {
    $zone = zone($t, 'levels');

    return $zone->{pid} != $worker;
} 20), 'and its worker has the port');

# until then the old one accepts, too

ok((wait_until {
    read_file("/proc/$worker/cmdline") =~ /shutting down/
} 20), 'alone');

$zone = zone($t, 'levels');

is_deeply([@$zone{qw(check concurrency waiting)}], [1, 0, 0],
    'its levels are empty');
is(left(), 1, 'its rates are those of before');

# the old one serves what it has

$held->release;
is($first->read->status, 200, 'the first is served');
$held->wait_requests(2);
$held->release;
is($second->read->status, 200, 'the one that waited, too');

$_->close for $first, $second;
kill 'QUIT', $old;

ok((wait_until { !-e "$dir/nginx.pid.oldbin" } 20), 'the old master is gone');
is(left(), 0, 'the new one goes on');
is($t->get('/')->status, 429, 'and refuses');
zone_is_quiet($t, 'levels');

# it is no child of this test

Guardrail::Client::close_all();
kill 'QUIT', $new;
ok((wait_until { !kill 0, $new } 20), 'and exits');

is(join('', $t->bad_lines), '', 'nothing bad in the error log');
$t->done;
