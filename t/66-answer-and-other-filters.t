#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The problem passes through nginx's other filters: it may be compressed,
# changed and added to, and stays one whole answer.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->file('page.html', 'page ' x 100);

$t->start(http => <<'HTTP', server => <<'SERVER');
    gzip            on;
    gzip_types      application/problem+json text/plain;
    gzip_min_length 1;
    gzip_proxied    any;
    gzip_vary       on;
    etag            on;
    output_buffers  1 64;
    postpone_output 0;
HTTP
    guardrail on;
    guardrail_max_body 10;
    root %%DIR%%;

    add_header X-Always   "$guardrail_reason $request_id" always;
    add_header X-Verdict  $guardrail_verdict always;
    add_header X-Ok       only;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /charset {
        charset utf-8;
        charset_types *;
        proxy_pass http://%%BACKEND%%;
    }

    location = /page.html {
    }

    location /sub {
        sub_filter        max_body MAX-BODY;
        sub_filter_once   off;
        sub_filter_types  *;
        proxy_pass http://%%BACKEND%%;
    }

    location /addition {
        add_after_body /page.html;
        addition_types *;
        proxy_pass http://%%BACKEND%%;
    }

    location /own {
        add_header Cache-Control "private" always;
        expires 1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /ssi {
        ssi on;
        ssi_types *;
        proxy_pass http://%%BACKEND%%;
    }

    location /error {
        error_page 413 =200 /page.html;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @accept = (headers => ['Accept-Encoding', 'gzip, deflate, br',
                          'If-None-Match', '*', 'Range', 'bytes=0-3',
                          'If-Modified-Since',
                          'Thu, 01 Jan 2037 00:00:00 GMT']);

each_framing {
    my ($f) = @_;

    subtest 'gzip, ranges and conditions' => sub {
        my $r = refused('/', $f, @accept);

        is($r->header($_), undef, "no $_")
            for qw(Content-Encoding Content-Range ETag Last-Modified
                   Accept-Ranges);
        is($r->header('Content-Length'), length $r->body, 'length');
    };

    subtest 'add_header' => sub {
        my $r = refused('/', $f);

        is($r->header('X-Always'), "max_body $r->{json}{request_id}",
           'always: with the reason and the same id');
        is($r->header('X-Verdict'), 'reject', 'always: the verdict');
        is($r->header('X-Ok'), undef, 'not without "always"');
    };

    subtest 'headers of the location' => sub {
        my $r = refused('/own', $f);

        like($r->header('Cache-Control'), qr/\bno-store\b/, 'no-store stays');
    };

    subtest 'charset' => sub {
        my $r = $t->post('/charset', 'x' x 11, framing => $f);

        is($r->header('Content-Type'),
           'application/problem+json; charset=utf-8', 'type');
        is($r->json->{reason}, 'max_body', 'body');
        is($r->header('Content-Length'), length $r->body, 'length');
    };

    subtest 'sub_filter' => sub {
        my $r = $t->post('/sub', 'x' x 11, framing => $f);

        is($r->error, '', 'a whole answer');
        is($r->json->{reason}, 'MAX-BODY', 'changed');
        is($r->json->{type}, 'urn:guardrail:MAX-BODY', 'everywhere');
    };

    subtest 'addition, SSI' => sub {
        refused('/addition', $f);
        refused('/ssi', $f);
    };

    subtest 'the page of an error_page' => sub {
        my $r = $t->post('/error', 'x' x 11, framing => $f,
                         headers => ['Accept-Encoding', 'gzip']);

        is($r->status, 200, 'status');
        is($r->header('Content-Encoding'), 'gzip', 'is compressed');
        is($r->header('X-Verdict'), 'reject', 'add_header');
        is($r->header('X-Ok'), 'only', 'add_header without "always"');
    };
};


# What a filter does to an ordinary answer before and after is not changed.

subtest 'answers of the backend' => sub {
    $backend->set(headers => ['Content-Type', 'text/plain'],
                  body => 'y' x 1000);

    my $r = $t->post('/', 'x' x 10, headers => ['Accept-Encoding', 'gzip']);

    is($r->status, 200, 'status');
    is($r->header('Content-Encoding'), 'gzip', 'compressed');
    is($r->header('Cache-Control'), undef, 'no field of ours');
    is($r->header('X-Verdict'), 'pass', 'the verdict');

    # a refusal of the backend is not ours

    for my $status (413, 415, 400, 500, 503) {
        $backend->set(status => $status);
        $r = $t->post('/', 'x' x 10);
        is($r->status, $status, "$status of a backend");
        is($r->body, 'y' x 1000, "$status: its body");
        is($r->header('Content-Type'), 'text/plain', "$status: its type");
        is($r->header('Accept-Encoding'), undef, "$status: nothing added");
    }
};


$t->done;


# a refusal whose body is one problem

sub refused {
    my ($uri, $framing, @opt) = @_;
    my $r = $t->post($uri, 'x' x 11, framing => $framing, @opt);

    is($r->status, 413, "$uri: status");
    is($r->error, '', "$uri: a whole answer");
    is($r->header('Content-Type'), 'application/problem+json', "$uri: type");
    $r->{json} = $r->json;
    is($r->{json}{reason}, 'max_body', "$uri: reason");
    like($r->body, qr/\A\{[^{}]*\}\n\z/, "$uri: nothing before or after");

    return $r;
}
