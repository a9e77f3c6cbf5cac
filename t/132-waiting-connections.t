#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Requests that wait, and what else is on their connection: pipelined ones
# behind them, other streams, a body that was slow; and the page of an error
# for one that a level refused.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $held = $t->backend(name => 'HELD', hold => 1);
my $backend = $t->backend;

$t->file('busy.html', 'busy');
$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
    log_format q '$uri $guardrail_verdict $guardrail_queue_time';
HTTP
    server => zone_views('z') . <<'SERVER');
    access_log %%DIR%%/q.log q;

    location /one {
        guardrail_quota z concurrency 1 queue=20 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /free {
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        error_page 503 = @page;
        guardrail_quota z concurrency 1;
        proxy_pass http://%%HELD%%;
    }

    location /static {
        error_page 503 /busy.html;
        guardrail_quota z concurrency 1;
        proxy_pass http://%%HELD%%;
    }

    location /queued {
        error_page 503 = @page;
        guardrail_quota z concurrency 1 queue=20 timeout=100ms;
        proxy_pass http://%%HELD%%;
    }

    location @page {
        guardrail_quota z concurrency 1;
        proxy_set_header X-Reason $guardrail_reason;
        proxy_pass http://%%BACKEND%%;
    }

    location = /busy.html {
        root %%DIR%%;
    }
SERVER

# nobody else, while it is at work

sub hold_one {
    my $n = $held->requests;
    my $c = $t->h1;

    $c->request('GET', '/one?first', undef, read => 0);
    $held->wait_requests($n + 1);

    return $c;
}

sub serve {
    my ($n) = @_;

    $held->wait_requests($n);
    $held->release;
}

# pipelined

my $first = hold_one();
my $c = $t->h1;

$c->send("POST /one?a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
         . "GET /free?b HTTP/1.1\r\nHost: a\r\n\r\n"
         . "POST /free?c HTTP/1.1\r\nHost: a\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n");

zone_is($t, 'z', { waiting => 1 }, 'one waits');
is(scalar $backend->requests, 0, 'those behind it are not read');

serve($_) for 1 .. 2;

is($first->read->status, 200, 'the first is served');
is($c->read->json->{uri}, '/one?a', 'then the one that waited');
is($c->read->json->{uri}, '/free?b', 'the next one');
is($c->read->json->{length}, 3, 'and one with a body');
ok($c->open, 'the connection is kept');
is(($held->requests)[1]{body}, 'body', 'its own body, no more');
zone_is_quiet($t, 'z');
$held->clear;

# the client leaves, with requests behind the one that waits

$first = hold_one();
$c = $t->h1;
$c->send("GET /one?a HTTP/1.1\r\nHost: a\r\n\r\n"
         . "GET /one?b HTTP/1.1\r\nHost: a\r\n\r\n");
zone_is($t, 'z', { waiting => 1 }, 'one waits');
$c->close;
zone_is($t, 'z', { waiting => 0, abandoned => 1 }, 'its client has gone');
serve(1);
is($first->read->status, 200, 'the first is served');
is(scalar $held->requests, 1, 'the others never came');
zone_is_quiet($t, 'z');
$held->clear;

# streams of one connection

$first = hold_one();
$c = $t->h2;

my @streams;

for my $i (0 .. 4) {
    push @streams, $c->request('POST', "/one?$i", "body $i", read => 0,
                               framing => 'h2');
    zone_is($t, 'z', { waiting => $i + 1 }, 'streams wait: ' . ($i + 1));
}

is($c->read($c->request('GET', '/free', undef, read => 0))->status, 200,
   'another stream passes them');

$c->rst($streams[2]);
zone_is($t, 'z', { waiting => 4, abandoned => 2 }, 'one is reset');

serve($_) for 1 .. 5;

is($first->read->status, 200, 'the first is served');
is(join(' ', map { $c->read($streams[$_])->status } 0, 1, 3, 4),
   '200 200 200 200', 'all but that one');
is(join(' ', map { $_->{uri} =~ s/.*\?//r } $held->requests),
   'first 0 1 3 4', 'in order');
zone_is_quiet($t, 'z');
$held->clear;

# all of them at once

$first = hold_one();
$c = $t->h2;
@streams = map { $c->request('GET', "/one?$_", undef, read => 0) } 1 .. 5;
zone_is($t, 'z', { waiting => 5 }, 'streams wait');
$c->close;
zone_is($t, 'z', { waiting => 0, abandoned => 7 }, 'their client has gone');
serve(1);
is($first->read->status, 200, 'the first is served');
zone_is_quiet($t, 'z');
$held->clear;

# a body that is slow, and waits when it is there

$first = hold_one();
$c = $t->h1;
$c->send("POST /one?slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");

for my $part (qw(a b c d)) {
    $c->send($part);
    is(zone($t, 'z')->{waiting}, 0, 'it does not wait while it is read');
}

my $next = $t->h1;

$next->request('GET', '/one?next', undef, read => 0);
zone_is($t, 'z', { waiting => 1 }, 'another one waits');
$c->send('e');
zone_is($t, 'z', { waiting => 2 }, 'and now it does');

serve($_) for 1 .. 3;

is($_->read->status, 200, 'served') for $first, $next, $c;
is(join(' ', map { $_->{uri} =~ s/.*\?//r } $held->requests),
   'first next slow', 'as they came to the line');
is(($held->requests)[2]{body}, 'abcde', 'with its body');
zone_is_quiet($t, 'z');
$held->clear;

# an error page

$backend->clear;
$first = hold_one();

for my $uri (qw(/page /queued)) {
    my $r = $t->post($uri, 'body');

    is($r->status, 200, "$uri: the page of another location");
    is($r->json->{length}, 0, 'without the body');
    is($backend->last->{headers}{'x-reason'}, 'quota_concurrency',
       'which knows why');
    zone_is($t, 'z', { concurrency => 1, waiting => 0 },
            'and is not under its quota');
}

my $r = $t->post('/static', 'body');

is($r->status, 503, 'a page of nginx');
is($r->body, 'busy', 'is shown');
is($r->header('retry-after'), 1, 'Retry-After');

is(zone($t, 'z')->{view}{refusals}{concurrency}, 3, 'refusals are counted');

serve(1);
is($first->read->status, 200, 'the first is served');
zone_is_quiet($t, 'z');

$t->done;
