#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A body that is refused for what it holds is charged when it is refused, not
# when nginx has seen the last of its connection: whoever keeps refused
# connections open would have the last 64 KiB or 256 records of each for free
# until then.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '60s');

$t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m key=$arg_t;
    guardrail_zone never size=1m key=never;
HTTP
    guardrail on;
    guardrail_quota z bytes 1m/3650d;
    guardrail_quota z decoded 1m/3650d;
    guardrail_quota z records 5000/3650d;

    location / {
        guardrail_max_record_size 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /stream {
        guardrail_max_record_size 10;
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        guardrail_max_record_size 10;
        error_page 413 = @page;
        proxy_pass http://%%BACKEND%%;
    }

    location @page {
        proxy_pass http://%%BACKEND%%;
    }

    location /look {
        guardrail_quota z bytes 1m/3650d;
        guardrail_quota z decoded 1m/3650d;
        guardrail_quota z records 5000/3650d;
        guardrail_quota never requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $key = 0;
my $body = "1\n" x 100 . 'x' x 11;
my %framed = (
    cl      => "Content-Length: 211\r\n\r\n$body",
    chunked => "Transfer-Encoding: chunked\r\n\r\nd3\r\n$body\r\n0\r\n\r\n",
);

is($t->get('/look?t=0')->status, 200, 'the only request to /look that passes');

for my $uri ('/', '/stream', '/page') {
    for my $f (sort keys %framed) {
        my $c = $t->h1;

        $key++;
        $c->send("POST $uri?t=$key HTTP/1.1\r\nHost: a\r\n"
                 . "Content-Type: application/jsonl\r\n$framed{$f}");

        is($c->read->status, $uri eq '/page' ? 200 : 413, "$uri, $f: refused");

        my $field = $t->get("/look?t=$key")->header('RateLimit');

        like($field, qr/"z-bytes-\d+s";r=@{[1048576 - 211]};/, 'bytes');
        like($field, qr/"z-decoded-\d+s";r=@{[1048576 - 211]};/, 'decoded');
        like($field, qr/"z-records-\d+s";r=@{[5000 - 101]};/, 'records');
        $c->close;
    }
}

$t->done;
