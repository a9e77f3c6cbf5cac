#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Rates: what is admitted at a limit and what is refused beyond it, in each
# unit and framing; which locations share a counter; limits that are
# variables.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 2);
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m key=$arg_t rates=8;
    guardrail_zone y size=1m key=$arg_t;
    guardrail_zone x size=1m key=$arg_none rates=1;

    map $arg_plan $plan {
        free    3/1d;
        small   10k/1d;
        paid    5/1d;
        none    off;
        zero    0;
        period  0/1h;
        wrong   many;
        empty   '';
        level   10;
        other   3/1h;
    }
HTTP
    guardrail on;
    guardrail_max_body 0;

    location /requests {
        guardrail_quota z requests 3/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /more {
        guardrail_quota z requests 5/24h;
        proxy_pass http://%%BACKEND%%;
    }

    location /week {
        guardrail_quota z requests 3/7d;
        proxy_pass http://%%BACKEND%%;
    }

    location /zone {
        guardrail_quota y requests 3/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /several {
        guardrail_quota z requests 5/7d;
        guardrail_quota z requests 3/1d;
        guardrail_quota y requests 4/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /bytes {
        guardrail_quota z bytes 100k/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_quota z decoded 100k/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_quota z records 1000/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /records/limited {
        guardrail_quota z records 1000/1d;
        guardrail_max_records 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /records/none {
        guardrail_format none;
        guardrail_quota z records 1000/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /plan {
        guardrail_quota z requests $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /plan/bytes {
        guardrail_quota z bytes $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /plan/records {
        guardrail_quota z records $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /plan/dry {
        guardrail dry_run;
        guardrail_quota z requests $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /plan/two {
        guardrail_quota z requests 1/1d;
        guardrail_quota z requests $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /room {
        guardrail_quota x bytes 1g/1d;
        proxy_pass http://%%BACKEND%%;
    }

    location /room/more {
        guardrail_quota x requests $plan;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $key = 0;


each_framing {
    my ($f) = @_;

    subtest 'requests' => sub {
        $key++;
        is(post('/requests', 'x', $f), 200, "request $_") for 1 .. 3;
        $backend->clear;
        refused('/requests', 'x', $f, 429, 'requests', 'one more');
        is($t->get("/requests?t=$key")->status, 429, 'without a body');
        $key++;
        is(post('/requests', 'x', $f), 200, 'another key');
    };

    subtest 'bytes' => sub {
        $key++;
        is(post('/bytes', 'x' x 61440, $f), 200, 'below');
        is(post('/bytes', 'x' x 40960, $f), 200, 'at the limit');
        is($t->get("/bytes?t=$key")->status, 200, 'a request without a body');
        refused('/bytes', 'x', $f, 429, 'bytes', 'one more');

        $key++;
        is(post('/bytes', 'x' x 102400, $f), 200, 'at the limit at once');

        $key++;
        refused('/bytes', 'x' x 102401, $f, 413, 'bytes', 'more than all');

        $key++;
        is(post('/bytes', 'x' x 30000, $f), 200, 'some');
        refused('/bytes', 'x' x 90000, $f, 429, 'bytes', 'more than is left');
    };

    subtest 'decoded' => sub {
        $key++;
        is(post('/decoded', gzip('x' x 61440), $f, encoding => 'gzip'), 200,
           'below, coded');
        is(post('/decoded', 'x' x 40960, $f), 200, 'at the limit, plain');
        refused('/decoded', 'x', $f, 429, 'decoded', 'one more');
        refused('/decoded', gzip('x'), $f, 429, 'decoded', 'one more, coded',
                encoding => 'gzip');

        $key++;
        refused('/decoded', gzip('x' x 102401), $f, 413, 'decoded',
                'more than all', encoding => 'gzip');

        $key++;
        is(post('/bytes', gzip('x' x 300000), $f, encoding => 'gzip'), 200,
           'bytes are those of the wire');
    };

    subtest 'records' => sub {
        my @nd = (type => 'application/x-ndjson');

        $key++;
        is(post('/records', "1\n\n \n" x 600, $f, @nd), 200, 'below');
        is(post('/records', "{}\n" x 399 . '1', $f), 200, 'at the limit');
        is(post('/records', "\n" x 99, $f, @nd), 200, 'blank lines are free');
        refused('/records', '1', $f, 429, 'records', 'one more', @nd);

        $key++;
        refused('/records', "1\n" x 1001, $f, 413, 'records', 'more than all',
                @nd);

        $key++;
        is(post('/records', gzip("1\n" x 1000), $f, encoding => 'gzip', @nd),
           200, 'coded');

        $key++;
        is(post('/records', 'hello', $f,
                type => 'application/x-ndjson; charset=utf-16'), 415,
           'a charset that hides records');
        is(post('/records', '{}', $f, type => 'text/plain'), 200,
           'text/plain that looks like JSON');
        $key++;
        is(post('/records', '[' . '1,' x 599 . '2]', $f,
                type => 'application/json'), 200, 'elements of an array');
        is(post('/records', "a,b\n" x 400, $f, type => 'text/csv'), 200,
           'rows');
        refused('/records', '{}', $f, 429, 'records', 'one more',
                type => 'application/json');

        is(post('/records/none', "1\n" x 2000, $f, type => 'application/json'),
           200, 'with format none nothing is counted');
        is(post('/records', "<row/>\n" x 2000, $f, type => $_), 200,
           ($_ // 'no type') . ', no JSON: has no records')
            for 'text/xml', 'application/octet-stream', undef;
        is(post('/records/limited', "<row/>\n" x 10, $f, type => 'text/xml'),
           415, 'and is refused where they are limited');
    };
};


subtest 'which of them share a counter' => sub {
    $key++;
    is(post('/requests', 'x', 'cl'), 200, "request $_") for 1 .. 3;
    is(post('/requests', 'x', 'cl'), 429, 'all are used');
    is(post('/more', 'x', 'cl'), 200, 'another limit on the counter: 4');
    is(post('/more', 'x', 'cl'), 200, 'another limit on the counter: 5');
    is(post('/more', 'x', 'cl'), 429, 'another limit on the counter: 6');
    is(post('/week', 'x', 'cl'), 200, 'another period has its own');
    is(post('/zone', 'x', 'cl'), 200, 'another zone has its own');
};


subtest 'all of several rates, or none' => sub {
    $key++;
    is(post('/several', 'x', 'cl'), 200, "request $_") for 1 .. 3;
    refused('/several', 'x', 'cl', 429, 'requests', 'the least of them');

    # of the others nothing was taken: 4 - 3 and 5 - 3 are left

    is(left('/zone', 4), 1, 'in the other zone one is left');

    $key++;
    is(post('/zone', 'x', 'cl'), 200, "other zone $_") for 1 .. 3;
    is(post('/several', 'x', 'cl'), 200, 'one');
    refused('/several', 'x', 'cl', 429, 'requests', 'refused by the last');
    is(post('/requests', 'x', 'cl'), 200, 'the first was given back: 2');
    is(post('/requests', 'x', 'cl'), 200, 'the first was given back: 3');
    is(post('/requests', 'x', 'cl'), 429, 'the first was given back: 4');
    is(post('/week', 'x', 'cl'), 200, 'the second was given back: 2');
    is(post('/week', 'x', 'cl'), 200, 'the second was given back: 3');
    is(post('/week', 'x', 'cl'), 429, 'the second was given back: 4');
};


subtest 'plans' => sub {
    $key++;
    is(on_plan('free'), 200, "free $_") for 1 .. 3;
    is(on_plan('free'), 429, 'free: one more');
    is(on_plan('paid'), 200, 'paid: 4');
    is(on_plan('other'), 200, 'another period');
    is(on_plan($_), 200, "$_: no limit") for qw(none zero period) x 3;

    for my $plan (qw(wrong empty level unknown small)) {
        my $r = $t->post("/plan?t=$key&plan=$plan", 'x');

        is($r->status, 500, "$plan: not read");
        is($r->json->{reason}, 'internal', "$plan: reason");
        is($t->post("/plan/dry?t=$key&plan=$plan", 'x')->status, 200,
           "$plan: ignored in dry_run");
    }

    my @lines = $t->log_lines(qr/"many",\ the\ value\ of\ "\$plan"\ in
                                 \ "guardrail_quota",\ cannot\ be\ read/x);

    is(@lines, 2, 'said in the log');
    is($t->post("/plan/bytes?t=$key&plan=small", 'x' x 10240)->status, 200,
       'a size');
    is($t->post("/plan/bytes?t=$key&plan=small", 'x')->status, 429,
       'a size: one more');
};


subtest 'records under a plan' => sub {
    $key++;
    for (['free', 415, 'a charset that hides records'],
         ['none', 200, 'where the plan says off there is nothing to count'])
    {
        my ($plan, $status, $what) = @$_;

        is($t->post("/plan/records?t=$key&plan=$plan", 'hello',
                    type => 'text/plain; charset=utf-16')->status, $status,
           $what);
    }
};


subtest 'a variable that brings the same rate once more' => sub {
    $key++;
    is($t->get("/plan/two?t=$key&plan=free")->status, 200, 'one');
    is($t->get("/plan/two?t=$key&plan=free")->status, 429,
       'the smaller one holds');
};


subtest 'a variable that brings one rate too many' => sub {
    my $r = $t->get('/room/more?plan=free');

    is($r->status, 500, 'refused');
    is($r->json->{reason}, 'internal', 'reason');
    like($t->wait_log(qr/rejected: internal .*room/), qr/"rates" of guard/,
         'the log says what to do');
    is($t->get('/room/more?plan=none')->status, 200, 'without it');
};

$t->done;


sub post {
    my ($uri, $body, $f, %opt) = @_;

    return $t->post("$uri?t=$key", $body, framing => $f, %opt)->status;
}


sub on_plan {
    my ($plan) = @_;

    return $t->get("/plan?t=$key&plan=$plan")->status;
}


# how many more are admitted, up to so many

sub left {
    my ($uri, $most) = @_;
    my $n = 0;

    for (1 .. $most) {
        $n++ if $t->get("$uri?t=$key")->status == 200;
    }

    # what is admitted where the limit is 3 is one less than where it is 4

    return $n + ($uri eq '/zone' ? 1 : 0);
}


sub refused {
    my ($uri, $body, $f, $status, $unit, $name, %opt) = @_;

    $backend->clear;

    my $r = $t->post("$uri?t=$key", $body, framing => $f, %opt);

    is($r->status, $status, "$name: refused");
    is($r->json->{reason}, "quota_$unit", "$name: reason");
    is($backend->connections, 0, "$name: the backend was not contacted");
    is(!defined $r->header('Retry-After'), $status == 413,
       "$name: Retry-After");
    ok($r->closed, "$name: connection closed") if $f !~ /h2/;
}
