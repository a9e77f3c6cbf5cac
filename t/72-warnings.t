#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What works, and does not do what it seems to, is a [warn] of nginx -t.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;

$t->define('ANY', $t->port('ANYPORT'));

sub warned {
    my ($server, $re, $name) = @_;
    my ($ok, $out) = $t->nginx_t(
        http => 'guardrail_zone z size=1m key=all;',
        server => "guardrail on; $server"
    );

    ok($ok, "$name: accepted");

    if ($re) {
        like($out, qr/\[warn\].*$re/, "$name: and warned of");
        is(scalar(() = $out =~ /\[warn\]/g), 1, "$name: once");

    } else {
        unlike($out, qr/\[warn\]/, "$name: and nothing said");
    }
}

my $memory = 'guardrail_quota z memory 400m queue=10;';
my $places = 'location /a { } location /b { }';

warned("guardrail_max_ratio 1032; $places", 'guardrail_max_ratio.*1032',
       'a ratio that is never reached');
warned('guardrail_max_ratio 1031;', undef, 'one that is');
warned('guardrail_max_ratio 1032; guardrail_encodings gzip br;', undef,
       'one that brotli reaches');
warned("$memory $places", 'guardrail_max_memory.*zone "z"',
       'a queue for memory, and no limit for one request');
warned("$memory guardrail_max_memory 101m;", 'guardrail_max_memory.*"z"',
       'a limit that is too large');
warned("$memory guardrail_max_memory 100m;", undef, 'a quarter');
warned('guardrail_quota z memory 400m;', undef, 'without a queue');
warned('guardrail_json keys=5 depth=2000;', 'depth.*guardrail_json.*1024',
       'a depth that is not reached');
warned("guardrail_json depth=2000; guardrail_max_memory 1m; $places",
       'depth.*guardrail_json.*1024', 'nor where memory is limited');
warned('guardrail_json depth=2000; guardrail_quota z memory 1m;',
       'depth.*guardrail_json.*1024', 'nor under a quota of memory');
warned('guardrail_json depth=2000; guardrail_max_memory 1m; '
       . 'guardrail_memory_model 2;', undef, 'by a factor it is');
warned('guardrail_json depth=1024; guardrail_max_memory 1m;', undef,
       'a depth that is reached');

warned("guardrail_max_decoded off; $places", 'guardrail_max_decoded.*off',
       'decoding without an end');
warned('guardrail_max_decoded off; guardrail_encodings none;', undef,
       'without decoding');

my $status = 'location = /status { guardrail_status; %s }';
my $world = 'listen 0.0.0.0:%%ANY%%;';

warned(sprintf($status, ''), undef, 'a status on loopback addresses');
warned('listen [::1]:%%ANY%%; listen unix:%%DIR%%/socket; '
       . sprintf($status, ''), undef, 'IPv6 and a socket of this machine');
warned('listen [::]:%%ANY%%; ' . sprintf($status, ''),
       'guardrail_status.*open to everybody', 'all addresses of IPv6');
warned("$world " . sprintf($status, ''), 'guardrail_status.*open to everybody',
       'a status that is open to the world');
warned("$world " . sprintf($status, 'allow 127.0.0.1; deny all;'), undef,
       'a status for some addresses');
warned("$world deny all; " . sprintf($status, ''), undef,
       'a status below a server that is closed');
warned("$world " . sprintf($status, 'auth_basic a; auth_basic_user_file b;'),
       undef, 'a status for who has a password');
warned("$world " . sprintf($status, 'internal;'), undef,
       'a status for redirects only');

$t->done;
