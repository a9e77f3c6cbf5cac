#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The gate stands before the backend and beside other modules: "satisfy any"
# neither bypasses nor is opened by it, limit_req and limit_conn are not
# skipped, mirror and try_files come after it.

use strict;
use warnings;

use lib 't/lib';

use MIME::Base64 qw(encode_base64);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $copies = $t->backend(name => 'COPIES');
my $slow = $t->backend(name => 'SLOW', hold => 1);

$t->file('users', "user:{PLAIN}secret\n");
mkdir $t->dir . '/files';
$t->file('files/there', 'a file');

my $guarded = <<'GUARDED';
            location ~ /constant$ {
                guardrail_max_body 10;
                proxy_pass http://%%BACKEND%%;
            }

            location ~ /variable$ {
                guardrail_max_body $arg_max;
                proxy_pass http://%%BACKEND%%;
            }

            location ~ /records$ {
                guardrail_max_records 1;
                proxy_pass http://%%BACKEND%%;
            }

            location ~ /unbuffered$ {
                guardrail_max_records 1;
                guardrail_buffering off;
                proxy_request_buffering off;
                proxy_http_version 1.1;
                proxy_pass http://%%BACKEND%%;
            }
GUARDED

$t->start(http => <<'HTTP', server => <<SERVER);
    limit_req_zone $arg_key zone=req:64k rate=1r/m;
    limit_conn_zone $arg_key zone=conn:64k;
HTTP
    guardrail on;

    location /any-denied {
        satisfy any;
        deny all;
        auth_basic users;
        auth_basic_user_file %%DIR%%/users;

$guarded
    }

    location /any-allowed {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        auth_basic users;
        auth_basic_user_file %%DIR%%/users;

$guarded
    }

    location /all {
        satisfy all;
        allow 127.0.0.1;
        deny all;
        auth_basic users;
        auth_basic_user_file %%DIR%%/users;

$guarded
    }

    location /denied {
        deny all;

$guarded
    }

    location /req {
        limit_req zone=req;

$guarded
    }

    location /conn {
        limit_conn conn 1;
        guardrail_max_records 1;
        proxy_pass http://%%SLOW%%;
    }

    location /mirror {
        mirror /copy;

$guarded
    }

    location = /copy {
        internal;
        guardrail off;
        client_max_body_size 0;
        proxy_pass http://%%COPIES%%;
    }

    location /try {
        root %%DIR%%/files;
        try_files /there =404;

        location ~ constant {
            guardrail_max_body 10;
            try_files /none /there =404;
        }

        location ~ variable {
            guardrail_max_body \$arg_max;
            try_files /none /there =404;
        }

        location ~ records {
            guardrail_max_records 1;
            try_files /none /there =404;
        }
    }
SERVER

my @auth = ('Authorization', 'Basic ' . encode_base64('user:secret', ''));
my %large = (
    constant   => 'x' x 11,
    variable   => 'x' x 11,
    records    => "{}\n{}",
    unbuffered => "{}\n{}",
);

each_framing {
    my ($f) = @_;

    for my $how (qw(constant variable records unbuffered)) {
        my $large = $large{$how};
        my $q = "$how?max=10";
        my %o = (framing => $f);
        my %user = (%o, headers => \@auth);

        # a length that is declared is seen before authentication

        my $before = $how eq 'constant' && $f =~ /cl/ ? 413 : 0;

        $backend->clear;

        is($t->post("/any-denied/$q", '{}', %o)->status, 401,
           "any, denied, $how: a body that passes opens nothing");
        is($t->post("/any-denied/$q", $large, %o)->status, $before || 401,
           "any, denied, $how: a large one");
        is($t->post("/any-denied/$q", $large, %user)->status, 413,
           "any, by password, $how: judged");
        is($t->post("/any-allowed/$q", $large, %o)->status, 413,
           "any, by address, $how: judged");
        is($t->post("/all/$q", '{}', %o)->status, 401,
           "all, no password, $how: a body that passes opens nothing");
        is($t->post("/all/$q", $large, %user)->status, 413,
           "all, $how: judged");
        is($t->post("/denied/$q", '{}', %o)->status, 403,
           "denied, $how: a body that passes opens nothing");
        is($t->post("/denied/$q", $large, %o)->status, $before || 403,
           "denied, $how: a large one");

        is(scalar(grep { $_->{complete} } $backend->requests), 0,
           "$how: the backend got none of them");

        is($t->post("/any-denied/$q", '{}', %user)->status, 200,
           "any, by password, $how: accepted");
        is($t->post("/any-allowed/$q", '{}', %o)->status, 200,
           "any, by address, $how: accepted");
        is($t->post("/all/$q", '{}', %user)->status, 200,
           "all, $how: accepted");
    }
};


subtest 'limit_req is not skipped' => sub {
    for my $how (qw(constant variable records unbuffered)) {
        my $q = "/req/$how?max=10&key=$how";

        is($t->post($q, '{}')->status, 200, "$how: the first");

        my $r = $t->post($q, '{}');

        is($r->status, 503, "$how: the second");
        is($r->json->{reason}, undef, "$how: is not refused by us");
    }
};


subtest 'limit_conn is not skipped' => sub {
    my $c = $t->h1;

    $c->request('POST', '/conn?key=1', '{}', read => 0);
    is(scalar($slow->wait_requests(1)), 1, 'the first is at the backend');
    is($t->post('/conn?key=1', '{}')->status, 503, 'the second');
    is($slow->release, 1, 'released');
    is($c->read->status, 200, 'the first is answered');
};


subtest 'a body that is refused is not mirrored' => sub {
    for my $f (qw(cl chunked h2)) {
        for my $how (qw(constant variable records unbuffered)) {
            my $q = "/mirror/$how?max=10";

            $copies->clear;

            is($t->post($q, $large{$how}, framing => $f)->status, 413,
               "$how, $f: refused");
            is($copies->connections, 0, "$how, $f: no copy");

            is($t->post($q, '{}', framing => $f)->status, 200,
               "$how, $f: accepted");
            is(($copies->wait_requests(sub { @_ && $_[0]{complete} }))[0]{body},
               '{}', "$how, $f: copied");
        }
    }
};


subtest 'try_files comes after the gate' => sub {
    for my $f (qw(cl chunked h2)) {
        for my $how (qw(constant variable records)) {
            my $q = "/try/$how?max=10";

            is($t->request('POST', $q, $large{$how}, framing => $f)->status,
               413, "$how, $f: refused");
            is($t->request('GET', $q, undef, framing => $f)->body, 'a file',
               "$how, $f: the file");
        }
    }
};

$t->done;
