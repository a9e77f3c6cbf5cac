#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Quotas in dry_run: nothing is refused or delayed; all is counted as it would
# be, so what a quota would refuse is not charged, to no other quota either.
# Where a variable says off there are no quotas.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m key=$arg_t rates=8;
    guardrail_zone y size=1m key=$arg_t rates=8;
    guardrail_zone never size=1m key=never;

    log_format v '$http_x_id $guardrail_verdict $guardrail_reason '
                 '$guardrail_policy $guardrail_limit $guardrail_observed';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail dry_run;
    guardrail_max_body 0;

    location / {
        guardrail_quota z requests 3/3650d;
        guardrail_quota z bytes 1000/3650d;
        guardrail_quota y requests 2/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_quota z requests 100/3650d;
        guardrail_quota z bytes 100k/3650d;
        guardrail_quota y records 100/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /limit {
        guardrail_max_records 10;
        guardrail_quota z requests 100/3650d;
        guardrail_quota z bytes 100k/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /tenant {
        guardrail_tenant $http_x_none default=reject;
        guardrail_quota z requests 100/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /level {
        guardrail_quota z requests 1/3650d;
        guardrail_quota y concurrency 1;
        guardrail_quota y uploads 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /mode {
        guardrail $arg_mode;
        guardrail_tenant $http_x_none default=reject;
        guardrail_quota z requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /look {
        guardrail on;
        guardrail_quota z requests 1000/3650d;
        guardrail_quota z bytes 100k/3650d;
        guardrail_quota y requests 1000/3650d;
        guardrail_quota y records 100/3650d;
        guardrail_quota never requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my ($key, $id) = (0, 0);
my @nd = (type => 'application/x-ndjson');

is($t->get('/look?t=0')->status, 200, 'the only request to /look that passes');


subtest 'without a body' => sub {
    $key++;

    my @would = ('would_reject quota_requests y-requests-315360000s 2 3');

    is(get('/'), 'pass - - - -', "request $_") for 1 .. 2;
    is(get('/'), $would[0], "request $_") for 3 .. 5;
    is(used('z-requests'), 2, 'the other zone has what passed');
    is(used('y-requests'), 2, 'so has this one');
    is(0 + $t->log_lines(qr/guardrail: would reject: quota_requests/), 3,
       'logged');
    like($t->wait_log(qr/would reject/),
         qr/"y" requests-315360000s limit 2 used 2 wanted 1 retry \d+/,
         'with its numbers');
};


each_framing {
    my ($f) = @_;

    subtest 'a length, or bytes' => sub {
        $key++;
        is(post('/', 'x' x 600, $f), 'pass - - - -', 'fits');
        is(post('/', 'x' x 401, $f),
           'would_reject quota_bytes z-bytes-315360000s 1000 1001', 'does not');
        is(used('z-bytes', 102400), 600, 'is not charged');
        is(used('z-requests'), 1, 'the request neither');
        is(used('y-requests'), 1, 'in the other zone neither');
        is(post('/', 'x' x 400, $f), 'pass - - - -', 'what is left');
        is($backend->last->{length}, 400, 'it arrived');
    };

    subtest 'the first excess is told' => sub {
        $key++;
        get('/') for 1 .. 2;
        is(post('/', 'x' x 1001, $f),
           'would_reject quota_requests y-requests-315360000s 2 3',
           'requests come before bytes');
        is(used('z-bytes', 102400), 0, 'what would not be read costs nothing');
        is($backend->last->{length}, 1001, 'it arrived');
    };

    subtest 'records' => sub {
        $key++;
        is(post('/records', "1\n" x 99, $f, @nd), 'pass - - - -', 'fit');
        is(post('/records', "1\n" x 2, $f, @nd),
           'would_reject quota_records y-records-315360000s 100 101', 'do not');
        is(used('y-records', 100), 99, 'are not charged');
        is(used('z-bytes', 102400), 198, 'the bytes were given back');
        is(used('z-requests'), 1, 'the request too');
    };

    subtest 'a limit' => sub {
        $key++;
        is(post('/limit', "1\n" x 11, $f, @nd),
           'would_reject max_records - 10 11', 'is told');
        is(used('z-bytes', 102400), 21, 'what came before it stays charged');
        is(used('z-requests'), 1, 'the request too');
    };
};


subtest 'no tenant' => sub {
    $key++;
    is(get('/tenant'), 'would_reject tenant - - -', 'is told');
};


subtest 'levels' => sub {
    $key++;
    $backend->set(hold => 1);

    my @c = map { $t->h1 } 1 .. 3;

    $_->send("POST /level?t=$key HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
             . "X-Id: l$key\r\n\r\nx") for @c;
    $backend->wait_requests(3);
    $backend->release;
    $backend->set(hold => 0);

    is($_->read->status, 200, 'none waits, none is refused') for @c;
};


subtest 'by a variable' => sub {
    $key++;
    is(get('/mode', 'off'), 'off - - - -', "off: request $_") for 1 .. 3;
    is($t->get("/mode?t=$key&mode=off")->header('RateLimit'), undef,
       'off: no fields');
    is(get('/mode', 'dry_run'), 'would_reject tenant - - -', 'dry_run');
    is(get('/mode', 'on'), 'reject tenant - - -', 'on');
    is(get('/mode', 'what'), 'reject tenant - - -', 'anything else');
};

$t->done;


sub get {
    my ($uri, $mode) = @_;

    $uri .= "?t=$key" . ($mode ? "&mode=$mode" : '');
    $t->get($uri, headers => ['X-Id', ++$id]);

    return line();
}


sub post {
    my ($uri, $body, $f, %opt) = @_;
    my $r = $t->post("$uri?t=$key", $body, framing => $f, %opt,
                     headers => ['X-Id', ++$id]);

    is($r->status, 200, 'passes');
    is($r->header('Retry-After'), undef, 'no Retry-After');

    return line();
}


sub line {
    return wait_until {
        my ($line) = map { /^$id (.*)/ ? $1 : () } $t->access_log('v.log');

        return $line;
    };
}


sub used {
    my ($item, $limit) = @_;
    my $field = $t->get("/look?t=$key")->header('RateLimit') // '';

    return $field =~ /"$item-\d+s";r=(\d+)/ ? ($limit // 1000) - $1 : undef;
}
