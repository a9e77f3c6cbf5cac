#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A request is charged once, however it is led from location to location;
# subrequests are not charged, nor is what other modules refuse.  A body that
# was read before the gate is charged as any other.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $first = $t->backend(name => 'FIRST', respond => sub {
    my ($q) = @_;

    return 503 if $q->{uri} =~ /error/;
    return 200, ['X-Accel-Redirect', "/last?$1"], '' if $q->{uri} =~ /\?(.*)/;
});

$t->file('users', "joe:{PLAIN}pass\n");
mkdir $t->dir . '/files';
$t->file('files/page.shtml', '<!--#include virtual="/sub?${QUERY_STRING}" -->');
$t->file('files/page.html', 'ok');

my $quotas = <<'QUOTAS';
    guardrail_quota z requests 1000/3650d;
    guardrail_quota z bytes 1m/3650d;
    guardrail_quota z decoded 1m/3650d;
    guardrail_quota z records 50000/3650d;
QUOTAS

$t->start(main => load_test_module, http => <<'HTTP', server => <<SERVER);
    guardrail_zone z size=1m key=$arg_t;
    guardrail_zone y size=1m key=$arg_t;
    guardrail_zone never size=1m key=never;
    limit_req_zone $arg_t zone=req:1m rate=1r/m;

    guardrail on;
    recursive_error_pages on;
    root %%DIR%%/files;
HTTP
    $quotas

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /look {
    $quotas
        guardrail_quota y requests 1000/3650d;
        guardrail_quota never requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /try {
        try_files /nonexistent \@app;
    }

    location \@app {
        proxy_pass http://%%BACKEND%%;
    }

    location /limits {
        try_files /nonexistent \@limits;
    }

    location \@limits {
        guardrail_max_records 5000;
        proxy_pass http://%%BACKEND%%;
    }

    location /error {
        error_page 503 = \@app;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /accel {
        proxy_pass http://%%FIRST%%;
    }

    location /last {
        internal;
        proxy_method POST;
        proxy_pass http://%%BACKEND%%;
    }

    location /rewrite {
        rewrite ^ /try last;
    }

    location /other {
        try_files /nonexistent \@other;
    }

    location \@other {
    $quotas
        guardrail_quota y requests 1000/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /less {
        try_files /nonexistent \@less;
    }

    location \@less {
        guardrail_quota z requests 2/3650d;
        guardrail_quota z bytes 1000/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        mirror /sub;
        proxy_pass http://%%BACKEND%%;
    }

    location /ask {
        auth_request /auth;
        proxy_pass http://%%BACKEND%%;
    }

    location = /auth {
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        ssi on;
        try_files \$uri.shtml =404;
    }

    location /sub {
        proxy_pass http://%%BACKEND%%;
    }

    location /basic {
        auth_basic closed;
        auth_basic_user_file %%DIR%%/users;
        proxy_pass http://%%BACKEND%%;
    }

    location /limit {
        limit_req zone=req;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_body 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /types {
        guardrail_encodings none;
        proxy_pass http://%%BACKEND%%;
    }

    location /page-of-refusal {
        error_page 413 429 /fallback;
        guardrail_max_records 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /fallback {
    $quotas
        guardrail_quota y requests 1000/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /early/off {
        test_read off;
        proxy_pass http://%%BACKEND%%;
    }

    location /early/rewrite {
        test_read rewrite;
        proxy_pass http://%%BACKEND%%;
    }

    location /early/access {
        test_read access;
        client_body_buffer_size 1k;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $key = 0;
my $body = "{}\n" x 1000;
my @nd = (type => 'application/x-ndjson');
my %once = (requests => 1, bytes => 3000, decoded => 3000, records => 1000);

is($t->get('/look?t=0')->status, 200, 'the only request to /look that passes');


each_framing {
    my ($f) = @_;

    subtest 'charged once' => sub {
        is_charged($_, $f, 200, %once)
            for qw(/ /try /limits /error /accel /rewrite /mirror /ask);
        is_charged('/other', $f, 200, %once, 'y-requests' => 1);
        is_charged("/early/$_", $f, 200, %once) for qw(off rewrite access);
    };

    subtest 'not charged' => sub {
        is_charged('/basic', $f, 401);
        is_charged('/size', $f, 413) if $f =~ /cl/;
        is_charged('/types', $f, 415, encoding => 'gzip');

        $key++;
        is($t->post("/limit?t=$key", '1')->status, 200, 'limit_req: one');
        is_charged('/limit', $f, 503, keep => 1);
    };

    subtest 'the page of a refusal' => sub {
        is_charged('/page-of-refusal', $f, 413, requests => 1, bytes => 31,
                   decoded => 31, records => 11);
    };

    subtest 'a smaller limit of a later location' => sub {
        $key++;
        is($t->post("/less?t=$key", '1' x 1000, framing => $f)->status, 200,
           'at the limit');

        my $r = $t->post("/less?t=$key", '1', framing => $f);

        is($r->status, 429, 'bytes: one more');
        is($r->json->{reason}, 'quota_bytes', 'reason');

        $key++;
        is($t->get("/less?t=$key")->status, 200, "request $_") for 1 .. 2;
        $backend->clear;
        $r = $t->post("/less?t=$key", '1', framing => $f);
        is($r->status, 429, 'requests: one more');
        is($r->json->{reason}, 'quota_requests', 'reason');
        is($r->json->{observed}, 3, 'observed');
        is($backend->connections, 0, 'the backend was not contacted');

        my %left = left();

        is($left{requests}, 998, 'it is not charged');

        $key++;
        $r = $t->post("/less?t=$key", '1' x 1001, framing => $f);
        is($r->status, 413, 'more than all of it');
    };
};


subtest 'without a body' => sub {
    for my $uri (qw(/try /error /rewrite /ask /page)) {
        $key++;
        is($t->get("$uri?t=$key")->status, 200, $uri);
        is(left()->{requests}, 999, "$uri: once");
    }
};

$t->done;


sub left {
    my %left;
    my $field = $t->get("/look?t=$key")->header('RateLimit') // '';

    $left{$1 eq 'z' ? $2 : "$1-$2"} = $3
        while $field =~ /"([zy])-(\w+)-\d+s";r=(\d+)/g;

    return wantarray ? %left : \%left;
}


sub is_charged {
    my ($uri, $f, $status, %opt) = @_;
    my %want = map { $_ => delete $opt{$_} // 0 }
               qw(requests bytes decoded records y-requests);

    $key++ unless delete $opt{keep};

    my %was = left();

    is($t->post("$uri?t=$key", $body, framing => $f, @nd, %opt)->status,
       $status, "$uri, $status");

    # nginx may settle a request when its answer was sent

    wait_until {
        my %now = left();

        return !grep { $was{$_} - $now{$_} != $want{$_} } keys %want;
    } 1;

    my %now = left();

    is($was{$_} - $now{$_}, $want{$_}, "$uri: $_") for sort keys %want;
}
