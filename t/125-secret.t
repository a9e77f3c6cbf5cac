#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The secret under which keys are hashed: a hidden tenant is shown alike where
# it is the same, whatever ends its file, and by nobody else.  A random one is
# kept over a reload, and over a restart by a state file.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;

my $text = 'correct horse battery staple';

sub conf {
    my ($http) = @_;

    return (http => $http, server => <<'SERVER');
    guardrail on;
    guardrail_tenant $http_x_api_key;
    add_header Tenant $guardrail_tenant;
    return 204;
SERVER
}

sub shown {
    my $r = $t->get('/', headers => ['X-Api-Key', 'k-1']);

    like($r->header('Tenant'), qr/^[0-9a-f]{16}$/, '16 hex digits');

    return $r->header('Tenant');
}

sub started {
    my ($http) = @_;

    $t->start(conf($http));

    my $shown = shown();

    ok($t->reload(conf($http)), 'reloaded');
    ok(wait_until { !$t->worker_pids(old => 1) }, 'the old worker is gone');
    is(shown(), $shown, 'the same after a reload');
    ok($t->stop, 'stopped');

    return $shown;
}

# files

my %shown;

for (['a', $text], ['b', "$text\n"], ['c', "$text\r\n"], ['d', "$text\n\n"],
     ['e', " $text"])
{
    my ($name, $data) = @$_;

    $t->file($name, $data);
    $shown{$name} = started("guardrail_secret %%DIR%%/$name;");
}

is($shown{b}, $shown{a}, 'a line end is no part of it');
is($shown{c}, $shown{a}, 'nor is that of another system');
isnt($shown{d}, $shown{a}, 'a second one is');
isnt($shown{e}, $shown{a}, 'as everything else');
is(started('guardrail_secret %%DIR%%/a;'), $shown{a}, 'after a restart');

# random

my $first = started('');

isnt($first, $shown{a}, 'a random one');
isnt(started(''), $first, 'is another one after a restart');

my $zone = 'guardrail_zone z size=256k state=%%DIR%%/z.state;';

$first = started($zone);

is(started($zone), $first, 'a state file keeps it');
is(started('guardrail_zone y size=256k state=%%DIR%%/y.state;' . $zone),
   $first, 'for all zones');

# the second zone has the file of another secret

unlink $t->dir . '/z.state';

my $lines = () = $t->log_lines(qr/hashed under another secret/);

is($lines, 0, 'all were of the same');

started($zone);
started('guardrail_zone y size=256k state=%%DIR%%/y.state;' . $zone);

my ($line) = $t->log_lines(qr/hashed under another secret/);

like($line, qr/z\.state" is ignored, zone "z" starts empty/,
     'the first file decides');

$t->done;
