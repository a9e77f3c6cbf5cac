#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_max_body with variables: a limit for each request.  A value that
# is empty or that nobody can read does not open the door.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    map $http_x_tenant $max_body {
        small   20;
        large   2k;
        off     off;
        zero    0;
        empty   "";
        word    lots;
        unit    12q;
        minus   -1;
        space   " 20";
        huge    99999999999999999999;
    }
HTTP
    client_max_body_size 5;

    location / {
        guardrail on;
        guardrail_max_body $max_body;
        proxy_pass http://%%BACKEND%%;
    }

    location /part {
        guardrail on;
        guardrail_max_body 1$arg_digit;
        proxy_pass http://%%BACKEND%%;
    }

    location /mode {
        guardrail $arg_g;
        guardrail_max_body $max_body;
        proxy_pass http://%%BACKEND%%;
    }

    location /first {
        guardrail on;
        guardrail_max_body $max_body;
        try_files /none @second;
    }

    location @second {
        guardrail on;
        guardrail_max_body $arg_second;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @unreadable = qw(empty word unit minus space huge unknown);
my $lines = 0;

each_framing {
    my ($f) = @_;

    my $post = sub {
        my ($tenant, $len, %opt) = @_;

        return $t->post($opt{uri} || '/', 'x' x $len, framing => $f,
                        headers => ['X-Tenant', $tenant], %opt);
    };

    for (['small', 20], ['large', 2048]) {
        my ($tenant, $limit) = @$_;

        for my $how ([], [cut => 7], [cut => 1024, drain => 1]) {
            is($post->($tenant, $limit, @$how)->status, 200,
               "$tenant @$how: at the limit");

            $backend->clear;

            my $r = $post->($tenant, $limit + 1, @$how);

            is($r->status, 413, "$tenant @$how: one more byte");
            is($r->json->{reason}, 'max_body', "$tenant @$how: reason");
            is($r->json->{limit}, $limit, "$tenant @$how: limit");
            is($backend->connections, 0, "$tenant @$how: backend");
        }
    }

    is($post->($_, 3000000)->status, 200, "$_: no limit") for qw(off zero);

    for my $tenant (@unreadable) {
        $backend->clear;

        my $r = $post->($tenant, 1);

        is($r->status, 500, "$tenant: status");
        is($r->header('Content-Type'), 'application/problem+json',
           "$tenant: type");
        is($backend->connections, 0, "$tenant: backend");
        is(scalar(() = $t->log_lines(qr/\[error\].*guardrail_max_body/)),
           ++$lines, "$tenant: a line in the error log");
    }

    # parts of a value, and a value for each location

    is($post->('', 10, uri => '/part?digit=0')->status, 200, '10 of 10');
    is($post->('', 11, uri => '/part?digit=0')->status, 413, '11 of 10');
    is($post->('', 19, uri => '/part?digit=9')->status, 200, '19 of 19');
    is($post->('', 1024, uri => '/part?digit=k')->status, 200, '1k of 1k');
    is($post->('', 1025, uri => '/part?digit=k')->json->{limit}, 1024,
       'one more');

    for ([20, 10, 20], [10, 20, 20], [20, 20, 20]) {
        my ($len, $second, $first) = @$_;
        my $r = $post->('small', $len, uri => "/first?second=$second");

        is($r->status, $len <= $second ? 200 : 413,
           "$len bytes, $first and then $second");
    }

    is($post->('small', 10, uri => '/first?second=')->status, 500,
       'the second location has no limit to read');
    $lines++;

    # where the guard is off no value is needed

    is($post->('unknown', 5, uri => '/mode?g=off')->status, 200, 'off');
    is($post->('unknown', 6, uri => '/mode?g=off')->status, 413,
       'off: client_max_body_size');
    is($post->('unknown', 5, uri => '/mode?g=dry_run')->status, 200,
       'dry_run: logged and ignored');
    is($post->('unknown', 5, uri => '/mode?g=what')->status, 500,
       'an unknown mode is on');
    $lines += 2;

    is($t->get('/', framing => $f)->status, 200, 'no body, no limit needed');
};


# variables are read after PREACCESS, yet nothing is asked for

for my $tenant ('small', 'unknown') {
    my $r = $t->post('/', 'x' x 21, expect => 1,
                     headers => ['X-Tenant', $tenant]);

    is($r->status, $tenant eq 'small' ? 413 : 500, "Expect, $tenant: status");
    is(join(' ', $r->interim), '', "Expect, $tenant: nothing was asked for");
    is($r->{sent}, 0, "Expect, $tenant: nothing was sent");
}

$t->done;
