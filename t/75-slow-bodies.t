#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_min_rate and guardrail_body_timeout: a client that drips bytes is
# answered 408 while nobody else has the request, and its connection is closed.
# How long that takes is not tested, only that it happens, and to whom.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format verdict "$uri $guardrail_verdict $guardrail_reason";
    access_log %%DIR%%/verdict.log verdict;
HTTP
    guardrail on;

    location /rate {
        guardrail_min_rate 1000 grace=1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /total {
        guardrail_min_rate off;
        guardrail_body_timeout 1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /streams {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        guardrail_min_rate 1000 grace=1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /handler {
        guardrail_buffering off;
        guardrail_min_rate 1000 grace=1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_min_rate 1000 grace=1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        guardrail_min_rate 1000 grace=1s;
        error_page 408 = @page;
        proxy_pass http://%%BACKEND%%;
    }

    location @page {
        proxy_pass http://%%BACKEND%%;
        proxy_set_header X-Reason $guardrail_reason;
    }

    location /patient {
        guardrail_min_rate 1 grace=60s;
        guardrail_body_timeout 60s;
        proxy_pass http://%%BACKEND%%;
    }
SERVER


sub unfinished {
    my ($uri, $f) = @_;

    return $t->post($uri, 'x' x 100, framing => $f, end => 0,
                    $f =~ /cl/ ? (length => 200) : ());
}


each_framing {
    my ($f) = @_;

    for (['/rate', 'min_rate', 1000], ['/total', 'body_timeout', 1000],
         ['/handler', 'min_rate', 1000])
    {
        my ($uri, $reason, $limit) = @$_;

        $backend->clear;

        my $r = unfinished($uri, $f);

        is($r->status, 408, "$uri: status");
        is($r->json->{reason}, $reason, "$uri: reason");
        is($r->json->{limit}, $limit, "$uri: limit");
        ok($r->closed, "$uri: the connection is closed") if $f !~ /h2/;
        is($backend->connections, 0, "$uri: the backend was not contacted");
    }

    $backend->clear;

    my $r = unfinished('/streams', $f);

    ok($r->closed || $r->error, 'streamed: the request is gone');

    ok((wait_until { grep { $_->{closed} } $backend->requests }),
       'streamed: the backend sees it closed');
    is(scalar(grep { $_->{complete} } $backend->requests), 0,
       'streamed: and not complete');

    # an error page reads nothing, and forwards nothing

    $backend->clear;
    $r = unfinished('/page', $f);

    is($r->status, 200, 'error_page');
    is($backend->last->{length}, 0, 'error_page: without the body');

    for my $uri ('/rate', '/total', '/streams', '/handler', '/patient') {
        is($t->post($uri, 'x' x 3000, framing => $f)->status, 200,
           "$uri: a body that is there");
    }

    # in pieces, but fast enough

    is($t->post('/patient', 'x' x 40, framing => $f, cut => 10,
                pause => 0.05)->status, 200, 'slow, and allowed');

    # dry_run says it, and lets it come

    my $c = $f =~ /h2/ ? $t->h2 : undef;

    is($t->post('/dry', 'x' x 20, framing => $f, cut => 10,
                pause => 1.5)->status, 200, 'dry_run');
};

is(scalar($t->log_lines(qr/guardrail: would reject: min_rate limit 1000/)),
   scalar(@Guardrail::Test::framings), 'dry_run is logged');
is(scalar($t->log_lines(qr/guardrail: rejected: min_rate/)),
   4 * @Guardrail::Test::framings, 'the others too');

my @lines = map { s/\s+\z//r } $t->wait_access_log(1, 'verdict.log');

ok((grep { $_ eq '/streams reject min_rate' } @lines),
   'the access log of a streamed body');

# the rest of such a body is no request

my $c = $t->h1;

$c->send("POST /rate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx");
is($c->read->status, 408, 'one byte');
$c->send("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
ok($c->closed, 'closed');
is(scalar(grep { $_->{uri} eq '/smuggled' } $backend->requests), 0,
   'nothing was smuggled');

$t->done;
