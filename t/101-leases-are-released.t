#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A lease ends with what it stands for: at the last byte that the content
# handler gave, at a refusal by anything, at the request's end by any way.
# After each of them nothing is in use, and all gauges are sums.

# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(workers => 2);
my $big = 'b' x (24 << 20);

my $backend = $t->backend;
my $held = $t->backend(name => 'HELD', hold => 1);
my $large = $t->backend(name => 'LARGE', body => $big);
my $closes = $t->backend(name => 'CLOSES', respond => sub { 'close' });
my $bad = $t->backend(name => 'BAD',
                      respond => sub { (200, ["Bad\0", 1], '') });
my $errs = $t->backend(name => 'ERRS', status => 500);
my $none = $t->backend(name => 'NONE', status => 204, body => '');
my $same = $t->backend(name => 'SAME', status => 304, body => '');
my $accel = $t->backend(name => 'ACCEL', headers => ['X-Accel-Redirect',
                                                     '/inner']);
my $ssi = $t->backend(name => 'SSI', body => '<!--#include virtual="/ok" -->'
                                         . '<!--#include virtual="/ok" -->');
my $deny = $t->backend(name => 'DENY', status => 403);

$t->file('file.txt', 'text' x 1000);
$t->file('file.bin', $big);
$t->define(REFUSED => '127.0.0.1:' . $t->port('PORT9'));

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    guardrail_quota z concurrency 10 hold=1h;
    guardrail_quota z memory 100k hold=1h;
    guardrail_quota z uploads 10;
    proxy_http_version 1.1;
    proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
    root %%DIR%%;

    upstream two {
        server %%CLOSES%%;
        server %%BACKEND%% backup;
    }
HTTP
    server => zone_views('z') . <<'SERVER');
    location /ok {
        proxy_pass http://%%BACKEND%%;
    }

    location /held {
        proxy_pass http://%%HELD%%;
    }

    location /large {
        proxy_pass http://%%LARGE%%;
    }

    location /large-gzip {
        gzip on;
        gzip_types text/plain;
        proxy_pass http://%%LARGE%%;
    }

    location = /file.txt { }

    location = /file.bin { }

    location /return {
        return 200 "text";
    }

    location /refused {
        proxy_pass http://%%REFUSED%%;
    }

    location /closes {
        proxy_pass http://%%CLOSES%%;
    }

    location /bad {
        proxy_pass http://%%BAD%%;
    }

    location /errs {
        proxy_pass http://%%ERRS%%;
    }

    location /errs-page {
        proxy_intercept_errors on;
        error_page 500 = @page;
        proxy_pass http://%%ERRS%%;
    }

    location @page {
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        proxy_pass http://%%NONE%%;
    }

    location /same {
        proxy_pass http://%%SAME%%;
    }

    location /next {
        proxy_next_upstream error non_idempotent;
        proxy_pass http://two;
    }

    location /accel {
        proxy_pass http://%%ACCEL%%;
    }

    location /inner {
        internal;
        proxy_pass http://%%BACKEND%%;
    }

    location /try {
        try_files /no-such-file @held;
    }

    location @held {
        proxy_pass http://%%HELD%%;
    }

    location /cached {
        proxy_cache cache;
        proxy_cache_valid any 1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /ssi {
        ssi on;
        ssi_types *;
        proxy_pass http://%%SSI%%;
    }

    location /mirrored {
        mirror /mirror;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        internal;
        proxy_pass http://%%BACKEND%%;
    }

    location /auth {
        auth_request /deny;
        proxy_pass http://%%BACKEND%%;
    }

    location /deny {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass http://%%DENY%%;
    }

    location /json {
        guardrail_max_records 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_pass http://%%BACKEND%%;
    }

    location /unread {
        guardrail_buffering off;
        return 200 "text";
    }

    location /dry {
        guardrail dry_run;
        guardrail_max_records 1;
        proxy_request_buffering off;
        proxy_pass http://%%HELD%%;
    }
SERVER

# whatever the answer is, nothing stays in use

my @cases = (
    ['GET', '/ok', undef, 200],
    ['POST', '/ok', 'body', 200],
    ['HEAD', '/ok', undef, 200],
    ['GET', '/none', undef, 204],
    ['POST', '/none', 'body', 204],
    ['GET', '/same', undef, 304],
    ['GET', '/file.txt', undef, 200],
    ['HEAD', '/file.txt', undef, 200],
    ['POST', '/return', 'body', 200],
    ['GET', '/refused', undef, 502],
    ['POST', '/refused', 'body', 502],
    ['GET', '/closes', undef, 502],
    ['POST', '/closes', 'body', 502],
    ['GET', '/bad', undef, 502],
    ['GET', '/errs', undef, 500],
    ['POST', '/errs-page', 'body', 200],
    ['POST', '/next', 'body', 200],
    ['POST', '/accel', 'body', 200],
    ['GET', '/cached', undef, 200],
    ['GET', '/cached', undef, 200],
    ['GET', '/ssi', undef, 200],
    ['POST', '/ssi', 'body', 200],
    ['POST', '/mirrored', 'body', 200],
    ['POST', '/auth', 'body', 403],
    ['POST', '/json', '{}' . "\n" . '{}' . "\n", 413,
     type => 'application/x-ndjson'],
    ['POST', '/ok', 'x' x 2000000, 413],
    ['POST', '/ok', 'x' x 200000, 413],
    ['POST', '/ok', 'x', 415, encoding => 'compress'],
    ['POST', '/unbuffered', 'body', 200],
    ['POST', '/unbuffered', 'x' x 200000, 413],
    ['POST', '/unread', 'body', 200],
);

for my $case (@cases) {
    my ($method, $uri, $body, $status, %opt) = @$case;
    my $name = "$method $uri" . (defined $body ? ' ' . length $body : '');

    for my $f (defined $body ? qw(cl chunked h2 h2-cl) : qw(cl h2)) {
        my $r = $t->request($method, $uri, $body, framing => $f, %opt);

        is($r->status, $status, "$f $name");
        zone_is_quiet($t, 'z', "$f $name: nothing is in use");
        $r->conn->close;
    }
}

# by the last byte that came from the backend: the client reads nothing yet

for my $uri ('/large', '/large-gzip', '/file.bin') {
    my $c = $t->h1;

    $c->request('GET', $uri, undef, read => 0,
                headers => ['Accept-Encoding', 'gzip']);

    $large->wait_requests(sub { grep { $_->{answered} } @_ }) if $uri =~ /la/;
    zone_is_quiet($t, 'z', "$uri: a slow reader holds nothing");

    my $r = $c->read(timeout => 60);

    is($r->status, 200, "$uri: status");
    is(length $r->body, length $big, "$uri: all of it") if $uri !~ /gzip/;
    $large->clear;
    $c->close;
}

# leased once by a request that is led on; no upload while a backend works

each_framing {
    my ($f) = @_;
    my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
    my $id = $c->request('POST', '/try', 'body', framing => $f, read => 0);

    $held->wait_requests(1);
    zone_is($t, 'z', { concurrency => 1, memory => 4, uploads => 0 },
            'one of each, and no upload');
    $held->release;

    my $r = $f =~ /h2/ ? $c->read($id) : $c->read;

    is($r->status, 200, 'answered');
    zone_is_quiet($t, 'z');
    $held->clear;
    $c->close;

    # in dry_run a body is not judged beyond its first excess

    $c = $f =~ /h2/ ? $t->h2 : $t->h1;
    $id = $c->request('POST', '/dry', "{}\n{}\n{}\n", framing => $f, read => 0,
                      type => 'application/x-ndjson');

    $held->wait_requests(1);
    zone_is($t, 'z', { concurrency => 1, uploads => 0 },
            'dry_run: no upload either');
    $held->release;

    $r = $f =~ /h2/ ? $c->read($id) : $c->read;

    is($r->status, 200, 'answered');
    zone_is_quiet($t, 'z');
    $held->clear;
};

$t->done;
