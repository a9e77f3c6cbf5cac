#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Whoever asks before it sends a body hears "100 Continue" once, and never
# when the head alone is refused: not on the way through error_page either.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    limit_req_zone $server_port zone=once:64k rate=1r/m;
HTTP
    guardrail on;
    guardrail_max_body 1000;
    guardrail_encodings gzip;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail_max_body $arg_max;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /twice {
        guardrail_max_body 500;
        try_files /none @again;
    }

    location @again {
        proxy_pass http://%%BACKEND%%;
    }

    location /mirrored {
        mirror /mirror;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        internal;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        guardrail_max_body $arg_max;
        error_page 413 /fallback;
        proxy_pass http://%%BACKEND%%;
    }

    location /named {
        guardrail_max_body 10;
        error_page 413 = @fallback;
        proxy_pass http://%%BACKEND%%;
    }

    location /fallback {
        proxy_pass http://%%BACKEND%%;
    }

    location @fallback {
        proxy_pass http://%%BACKEND%%;
    }

    location /once {
        limit_req zone=once;
        proxy_pass http://%%BACKEND%%;
    }

    location /denied {
        deny all;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $body = 'x' x 300;

for my $f (qw(cl chunked)) {
    for my $uri ('/', '/variable?max=300', '/unbuffered', '/twice',
                 '/mirrored')
    {
        my $r = $t->post($uri, $body, framing => $f, expect => 1);

        is($r->status, 200, "$uri, $f: accepted");
        is(join(' ', $r->interim), '100', "$uri, $f: 100 Continue, once");
        is($r->json->{sha1}, sha1_hex($body), "$uri, $f: arrived");
        ok(!defined $r->json->{headers}{expect}, "$uri, $f: it ends here");
    }

    # what is found in the body is found after 100 Continue

    my $r = $t->post('/records', "{}\n{}", framing => $f, expect => 1);

    is($r->status, 413, "a record too many, $f: refused");
    is(join(' ', $r->interim), '100', "a record too many, $f: after 100");
}

$backend->clear;

# [name, uri, options, status]

my @refused = (
    ['declared length', '/', {}, 413, 1001],
    ['by a variable', '/variable?max=299', {}, 413],
    ['not buffered', '/unbuffered', {}, 413, 1001],
    ['encoding', '/', { encoding => 'br' }, 415],
    ['encoding, chunked', '/', { encoding => 'br', framing => 'chunked' },
     415],
    ['encoding, not buffered', '/unbuffered',
     { encoding => 'br', framing => 'chunked' }, 415],
    ['type', '/records',
     { type => 'text/csv; charset=utf-16', framing => 'chunked' }, 415],
    ['unreadable', '/variable', { framing => 'chunked' }, 500],
);

for my $case (@refused) {
    my ($name, $uri, $opt, $status, $size) = @$case;
    my $r = $t->post($uri, 'x' x ($size || 300), expect => 1, %$opt);

    is($r->status, $status, "$name: status");
    is(join(' ', $r->interim), '', "$name: no 100 Continue");
    is($r->{sent}, 0, "$name: nothing was sent");
    ok($r->closed, "$name: closed");
}

is($backend->connections, 0, 'nothing came to the backend');

for my $uri ('/page?max=299', '/named') {
    my $r = $t->post($uri, $body, expect => 1);

    is($r->status, $uri =~ /page/ ? 413 : 200, "$uri: status");
    is(join(' ', $r->interim), '', "$uri: no 100 Continue");
    is($r->{sent}, 0, "$uri: nothing was sent");
    is($r->json->{length}, 0, "$uri: answered by the backend, without a body");
}


subtest 'what others refuse is not read by us' => sub {
    is($t->post('/once', $body)->status, 200, 'the first');

    my $r = $t->post('/once', $body, expect => 1);

    is($r->status, 503, 'limit_req refuses');

    $r = $t->post('/denied', $body, expect => 1);
    is($r->status, 403, 'access refuses');
};


subtest 'a body that is sent without waiting' => sub {
    my $c = $t->h1;

    $c->send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             . "Content-Length: 3\r\n\r\nabcPOST /variable?max=1 HTTP/1.1\r\n"
             . "Host: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
             . "abcGET /next HTTP/1.1\r\nHost: x\r\n\r\n");

    my $r = $c->read;

    is($r->status, 200, 'accepted');
    is(join(' ', $r->interim), '100', '100 Continue, once');

    $r = $c->read;

    is($r->status, 413, 'refused');
    is(join(' ', $r->interim), '', 'no 100 Continue');
    ok($c->closed, 'closed');
    is($c->{in}, '', 'nothing else was answered');
};

$t->done;
