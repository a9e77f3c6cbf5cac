#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What a client is told of quotas: problem+json, Retry-After by the arithmetic
# of the window and at most a tenth more, RateLimit and RateLimit-Policy; and
# what becomes of its connection.

use strict;
use warnings;

use lib 't/lib';

use POSIX qw(ceil floor);
use Time::HiRes qw(sleep time);

use Guardrail::Test;

my $T = 3650 * 86400;
my @own = ('RateLimit', '"up";r=1', 'ratelimit-policy', '"up";q=2',
           'RateLimit-Policy', '"more";q=3', 'X-Other', 'kept');

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->backend(name => 'OWN', headers => \@own);

my $status = join '', map { <<STATUS } 400, 403, 418, 420, 451, 500, 503, 529;
    location /status/$_ {
        guardrail_quota z requests 1/3650d status=$_;
        guardrail_quota z bytes 100/3650d status=$_;
        proxy_pass http://%%BACKEND%%;
    }
STATUS

$t->start(http => <<'HTTP', server => <<SERVER);
    guardrail_zone z size=1m key=$arg_t rates=8;
    guardrail_zone a-zone size=1m key=$arg_t rates=8;

    log_format v '$http_x_id $request_id $guardrail_policy';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail on;

    location / {
        guardrail_quota z requests 10/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /two {
        guardrail_quota a-zone requests 3/1d;
        guardrail_quota z bytes 1g/1h;
        guardrail_quota z requests 2/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /bytes {
        guardrail_quota z bytes 1000/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /second {
        guardrail_quota z requests 3/2s;
        proxy_pass http://%%BACKEND%%;
    }

    location /huge {
        guardrail_quota z bytes 9223372036854775807/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /level {
        guardrail_quota z concurrency 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /own {
        guardrail_quota z requests 10/3650d;
        proxy_pass http://%%OWN%%;
    }

    location /own/off {
        guardrail_headers off;
        guardrail_quota z requests 1/3650d;
        proxy_pass http://%%OWN%%;
    }

    location /own/none {
        proxy_pass http://%%OWN%%;
    }

    location /page {
        error_page 429 /told;
        guardrail_quota z requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location = /told {
        add_header X-Told "\$guardrail_reason \$guardrail_policy" always;
        return 200 "\$guardrail_limit \$guardrail_observed";
    }

    location /nginx {
        guardrail_error_format nginx;
        guardrail_quota z requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }
    $status
SERVER

my ($key, $id) = (0, 0);


subtest 'problem+json' => sub {
    fill('/', 10);

    my $r = ask('GET', '/');
    my $told = $r->json;
    my $retry = delete $told->{retry_after};

    is(delete $told->{detail}, "The quota is 10 requests in $T seconds, 10 are"
       . " used and 1 more was wanted; try again in $retry seconds.",
       'detail');
    is(delete $told->{request_id}, (line() =~ /(\S+)/)[0], 'request_id');
    is_deeply($told, {
        type     => 'urn:guardrail:quota_requests',
        title    => 'Request quota exceeded',
        status   => 429,
        reason   => 'quota_requests',
        limit    => 10,
        observed => 11,
        unit     => 'requests',
        policy   => "z-requests-${T}s",
    }, 'members');
    is($r->status, 429, 'status');
    is($r->header('Retry-After'), $retry, 'Retry-After');
    is($r->header('Content-Type'), 'application/problem+json', 'type');
    is($r->header('Cache-Control'), 'no-store', 'Cache-Control');
    is((line() =~ /(\S+)\z/)[0], "z-requests-${T}s", '$guardrail_policy');
    like($t->wait_log(qr/rejected: quota_requests/),
         qr/,\ location\ "\/",\ zone\ "z"\ requests-${T}s\ limit\ 10\ used\ 10
            \ wanted\ 1\ retry\ $retry,\ client/x, 'the line in the log');

    my $head = ask('HEAD', '/');

    is($head->status, 429, 'HEAD');
    is($head->body, '', 'HEAD: no body');
    ok($head->header('Retry-After'), 'HEAD: Retry-After');
    cmp_ok($head->header('Content-Length'), '>', 100, 'HEAD: its length');
};


subtest 'Retry-After' => sub {
    my %seen;

    # nothing was counted in the window before: in the next one the part that
    # is left of what was counted in this one has to fall

    fill('/', 10);

    for (1 .. 20) {
        my $from = wait_ms(10, 9);
        my $retry = ask('GET', '/')->header('Retry-After');
        my $to = wait_ms(10, 9);

        $seen{$retry} = 1;

        ok($retry >= ceil(($to - 1000) / 1000)
           && $retry <= floor(ceil(($from + 1000) / 1000) * 1.1),
           "$retry of about " . int($to / 1000));
    }

    cmp_ok(keys %seen, '>', 15, 'not the same for all');

    # bytes: the cost is the whole length

    $key++;
    is($t->post("/bytes?t=$key", 'x' x 600)->status, 200, 'bytes');

    for my $more (401, 700, 1000) {
        my $from = wait_ms(600, 1000 - $more);
        my $retry = ask('POST', '/bytes', 'x' x $more)->header('Retry-After');

        ok($retry >= ceil(($from - 5000) / 1000)
           && $retry <= ceil(($from + 1000) / 1000) * 1.1, "$more: $retry");
    }
};


subtest 'after that time it is admitted' => sub {
    $key++;

    for my $round (1 .. 2) {
        my $r;

        # however many windows they fall into

        for (1 .. 1000) {
            $r = ask('GET', '/second');
            last if $r->status != 200;
        }

        is($r->status, 429, "$round: refused");

        my $retry = $r->header('Retry-After');

        ok($retry >= 1 && $retry <= 4, "$round: Retry-After is $retry");
        sleep $retry + 0.02;
        is(ask('GET', '/second')->status, 200, "$round: admitted");
    }
};


subtest 'RateLimit' => sub {
    $key++;

    my $from = time;
    my $r = ask('POST', '/two', 'x' x 100);
    my @policy = ('"a-zone-requests-86400s";q=3;w=86400',
                  "\"z-requests-${T}s\";q=2;w=$T",
                  '"z-bytes-3600s";q=1073741824;w=3600');

    is_deeply([sort split /, /, $r->header('RateLimit-Policy')],
              [sort @policy], 'the policies');

    my %field = fields($r);

    is($field{'a-zone-requests-86400s'}{r}, 2, 'r of requests');
    is($field{"z-requests-${T}s"}{r}, 1, 'r of the other ones');
    is($field{'z-bytes-3600s'}{r}, 1073741824 - 100, 'r of bytes');

    for my $period (86400, 3600, $T) {
        my ($name) = grep { /-${period}s/ } keys %field;

        is_between($field{$name}{t}, $period - fmod_ms(time, $period),
                   $period - fmod_ms($from, $period), "t of $name");
    }

    ask('GET', '/two');
    $r = ask('GET', '/two');
    %field = fields($r);

    is($r->status, 429, 'refused');
    is_deeply([sort split /, /, $r->header('RateLimit-Policy')],
              [sort @policy], 'the policies');
    is($field{"z-requests-${T}s"}{r}, 0, 'r of what refused');
    is($field{"z-requests-${T}s"}{t}, $r->header('Retry-After'),
       't of what refused is not before Retry-After');
    is($field{'a-zone-requests-86400s'}{r}, 1, 'r of what did not');
    cmp_ok($field{'a-zone-requests-86400s'}{t}, '<=', 86400,
           't of what did not');

    $r = ask('POST', '/huge', 'xx');
    is($r->header('RateLimit-Policy'),
       "\"z-bytes-${T}s\";q=999999999999999;w=$T", 'no more than 15 digits');
    is((fields($r))[1]{r}, 999999999999999, 'in r neither');

    $r = ask('POST', '/level', 'x');
    is($r->header('RateLimit'), undef, 'nothing for levels');
    is($r->header('RateLimit-Policy'), undef, 'in policies neither');
};


subtest "an upstream's own" => sub {
    $key++;

    my $r = ask('GET', '/own');

    is($r->header('RateLimit-Policy'), "\"z-requests-${T}s\";q=10;w=$T",
       'policies are replaced');
    like($r->header('RateLimit'), qr/^"z-requests-${T}s";r=9;t=\d+\z/,
         'so are limits');
    is($r->header('X-Other'), 'kept', 'other fields are not');

    for my $uri ('/own/none', '/own/off') {
        $key++;
        $r = ask('GET', $uri);

        is($r->header('RateLimit'), '"up";r=1', "$uri: limits stay");
        is($r->header('RateLimit-Policy'), '"up";q=2, "more";q=3',
           "$uri: so do policies");
    }

    $r = ask('GET', '/own/off');
    is($r->status, 429, 'refused');
    is($r->header('RateLimit'), undef, 'without fields');
    ok($r->header('Retry-After'), 'but with Retry-After');
};


subtest 'error_page' => sub {
    fill('/page', 1);

    my $r = ask('GET', '/page');

    is($r->status, 429, 'status');
    is($r->body, '1 2', 'its own body');
    is($r->header('X-Told'), "quota_requests z-requests-${T}s", 'variables');
    ok($r->header('Retry-After'), 'Retry-After');
    like($r->header('RateLimit'), qr/r=0;t=/, 'RateLimit');

    fill('/nginx', 1);
    $r = ask('GET', '/nginx');
    is($r->status, 429, "nginx's page");
    like($r->body, qr/<center>nginx/, "nginx's page: body");
    ok($r->header('Retry-After'), "nginx's page: Retry-After");
};


subtest 'status' => sub {
    for my $code (400, 403, 418, 420, 451, 500, 503, 529) {
        fill("/status/$code", 1);

        my $r = ask('GET', "/status/$code");

        is($r->status, $code, "$code: status");
        is($r->json->{status}, $code, "$code: in the body");
        is($r->json->{reason}, 'quota_requests', "$code: reason");
        ok($r->header('Retry-After'), "$code: Retry-After");

        $key++;
        $r = ask('POST', "/status/$code", 'x' x 101);
        is($r->status, 413, "$code: not for what never fits");
        is($r->json->{status}, 413, "$code: in the body neither");
        is($r->header('Retry-After'), undef, "$code: no Retry-After");
        is($r->json->{retry_after}, undef, "$code: in the body neither");
        like($r->json->{detail}, qr/declares 101 bytes, more than .* 100 /,
             "$code: says so");
    }
};


subtest 'the connection' => sub {
    fill('/', 10);

    my $c = $t->h1;

    is(ask('GET', '/', undef, conn => $c)->status, 429, 'refused');
    is(ask('GET', '/', undef, conn => $c)->status, 429, 'it stays open');
    is(ask('DELETE', '/', undef, conn => $c)->status, 429, 'still');

    my $r = ask('POST', '/', 'x' x 9, conn => $c);

    is($r->status, 429, 'before its body was read');
    like($r->header('Connection'), qr/close/, 'Connection: close');
    ok($r->closed, 'closed');

    # by a level: the body was read

    $backend->set(hold => 1);
    $backend->clear;
    $key++;

    my $busy = $t->h1;

    $busy->send("GET /level?t=$key HTTP/1.1\r\nHost: a\r\n\r\n");
    $backend->wait_requests(1);

    $c = $t->h1;
    $r = ask('POST', '/level', 'x' x 9, conn => $c);

    is($r->status, 503, 'refused by a level');
    is($r->json->{reason}, 'quota_concurrency', 'reason');
    is($r->header('Retry-After'), 1, 'Retry-After');
    is(ask('POST', '/level', 'x', conn => $c)->status, 503, 'it stays open');

    $backend->set(hold => 0);
    $backend->release;
    is($busy->read->status, 200, 'the one that had the level');
};


subtest '100 Continue' => sub {
    $key++;

    for my $n (1001, 1000) {
        is($t->post("/bytes?t=$key", 'x')->status, 200, 'one') if $n == 1000;

        my $r = $t->post("/bytes?t=$key", 'x' x $n, expect => 1);

        is($r->status, $n == 1000 ? 429 : 413, "$n bytes");
        is(join(' ', $r->interim), '', "$n bytes: no 100");
    }

    is(join(' ', $t->post("/bytes?t=$key", 'x', expect => 1)->interim), '100',
       'what fits is asked for');
};

$t->done;


sub ask {
    my ($method, $uri, $body, %opt) = @_;

    return $t->request($method, "$uri?t=$key", $body, %opt,
                       headers => ['X-Id', ++$id]);
}


# another key, that has used so many requests

sub fill {
    my ($uri, $n) = @_;

    $key++;
    is(ask('GET', $uri)->status, 200, "$uri: one that passes") for 1 .. $n;
}


# "request_id policy" of the last request

sub line {
    return wait_until {
        my ($line) = map { /^$id (.*)/ ? $1 : () } $t->access_log('v.log');

        return $line;
    };
}


# In milliseconds, when nothing stands in the window before, current in this
# one, and what is there may be at most bound: 2T - e - floor(bound T/current)

sub wait_ms {
    my ($current, $bound) = @_;
    my $length = $T * 1000;

    return 2 * $length - fmod_ms(time, $T) * 1000
           - floor($bound * $length / $current);
}


# seconds since the start of the window

sub fmod_ms {
    my ($now, $period) = @_;

    return $now - $period * floor($now / $period);
}


sub fields {
    my ($r) = @_;
    my %field;

    for my $item (split /, /, $r->header('RateLimit') // '') {
        my ($name, $left, $time) = $item =~ /^"([\w-]+)";r=(\d+);t=(\d+)\z/;

        $field{$name} = { r => $left, t => $time };
    }

    return %field;
}


sub is_between {
    my ($n, $from, $to, $name) = @_;

    ok($n >= $from - 1 && $n <= $to + 1, "$name: $n of $from to $to");
}
