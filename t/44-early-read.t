#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# client_body_early_read of nginx reads a body before the location is chosen:
# it is bounded by the server's limit meanwhile, and judged at the gate.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;

$t->skip_all('nginx without client_body_early_read')
    if $t->version < 1031005;

my $backend = $t->backend;
my $h3 = !Guardrail::Http3::missing($t);
my $listen = $h3 ? Guardrail::Http3::listen($t) : '';

$t->start(http => <<'HTTP', server => <<"SERVER");
    map $http_x_late $early { default 1; 1 0; }
    client_body_early_read $early;
HTTP
    $listen
    guardrail on;
    guardrail_max_body 2000000;
    client_body_buffer_size 16k;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_max_ratio off;
        guardrail_max_decoded 3000000;
        proxy_pass http://%%BACKEND%%;
    }

    location /more {
        guardrail_max_body 4000000;
        proxy_pass http://%%BACKEND%%;
    }

    location /less {
        guardrail_max_body 2000;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        guardrail_max_body 2000;
        error_page 413 \@page;
        proxy_pass http://%%BACKEND%%;
    }

    location \@page {
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my %nd = (type => 'application/x-ndjson');
my $fine = ndjson(1000, size => 200);
my $rows = ndjson(1001, size => 200);
my $zeros = gzip_zeros(3000000);

each_framing {
    my ($f) = @_;
    my @o = (framing => $f);
    my $r;

    for my $late (0, 1) {
        my @h = $late ? (headers => ['X-Late', '1']) : ();
        my $n = $late ? 'late' : 'early';

        is($t->post('/records', $fine, @o, %nd, @h)->json->{sha1},
           sha1_hex($fine), "$n: arrived");
        is($t->post('/decoded', $zeros, @o, @h, encoding => 'gzip')
             ->json->{sha1}, sha1_hex($zeros), "$n: a coded one");

        $backend->clear;

        $r = $t->post('/records', $rows, @o, %nd, @h);
        is($r->json->{reason}, 'max_records', "$n: a row more");
        is($r->json->{observed}, 1001, "$n: observed");

        $r = $t->post('/records', gzip($rows), @o, %nd, @h,
                      encoding => 'gzip');
        is($r->json->{reason}, 'max_records', "$n: coded");

        $r = $t->post('/', gzip_zeros(1 << 26), @o, @h, encoding => 'gzip');
        is($r->json->{reason}, 'max_ratio', "$n: a bomb");

        $r = $t->post('/records', substr(gzip($fine), 0, -1), @o, %nd, @h,
                      encoding => 'gzip');
        is($r->status, 400, "$n: cut off");

        $r = $t->post('/', 'x', @o, @h, encoding => 'br');
        is($r->status, 415, "$n: a coding");

        $r = $t->post('/', 'x' x 2000001, @o, @h);
        is($r->status, 413, "$n: too large");
        is($r->json->{reason}, 'max_body', "$n: the reason");

        $r = $t->post('/less', 'x' x 2001, @o, @h);
        is($r->json->{limit}, 2000, "$n: the location's limit");

        is($backend->connections, 0, "$n: the backend was not contacted");

        $r = $t->post('/page', 'x' x 2001, @o, @h);
        is($r->status, 413, "$n: a page");
        is($r->json->{length}, 0, "$n: without the body");

        $r = $t->post('/more', 'x' x 2000001, @o, @h);
        is($r->status, $late ? 200 : 413, "$n: no location is known yet");
    }
} qw(cl chunked h2 h2-cl), $h3 ? qw(h3 h3-cl) : ();


subtest 'it is not read to its end' => sub {
    my $piece = 'x' x 65536;

    for my $f (qw(cl chunked h2)) {
        my $n = 0;
        my $body = sub { $n++ < 640 ? $piece : undef };
        my @length = $f eq 'cl' ? (length => 640 * 65536) : ();
        my $r = $t->post('/', $body, framing => $f, @length);

        is($r->status, 413, "$f: status");
        is($r->{sent_all}, 0, "$f: not all of it was read");
    }
};


subtest 'a connection goes on' => sub {
    my $c = $t->h1;

    for my $case ([$fine, 200], ['<p>', 415], [$fine, 200]) {
        my ($body, $status) = @$case;

        is($t->post('/records', $body, conn => $c)->status, $status,
           length $body);
    }
};

$t->done;
