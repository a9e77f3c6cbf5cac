#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Concurrency, memory and uploads: as many as the limit says, and one more is
# told so; over every framing, counted over two workers.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(workers => 2);
my $backend = $t->backend(hold => 1);

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail_zone mem size=256k key=all;
    guardrail_zone up size=256k key=all;
    guardrail_zone own size=256k key=$arg_k;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    server => zone_views(qw(z mem up own)) . <<'SERVER');
    location /z {
        guardrail_quota z concurrency 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /status {
        guardrail_quota z concurrency 1 status=429;
        proxy_pass http://%%BACKEND%%;
    }

    location /own {
        guardrail_quota own concurrency 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /mem {
        guardrail_quota mem memory 10k;
        guardrail_memory_model 2;
        proxy_pass http://%%BACKEND%%;
    }

    location /up {
        guardrail_quota up uploads 2;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# requests that nobody answers yet, on connections that are returned

sub start_request {
    my ($framing, $uri, $body, %opt) = @_;
    my $c = $framing =~ /h2/ ? $t->h2 : $t->h1;
    my $stream = $c->request(defined $body ? 'POST' : 'GET', $uri, $body,
                             framing => $framing, read => 0, %opt);

    return [$c, $stream];
}

sub answer {
    my ($pending) = @_;
    my ($c, $stream) = @$pending;

    return defined $stream && $c->isa('Guardrail::Http2') ? $c->read($stream)
                                                          : $c->read;
}

sub finish {
    my ($n, @pending) = @_;

    $backend->wait_requests($n);
    $backend->release;

    is(join(' ', map { answer($_)->status } @pending),
       join(' ', (200) x @pending), 'all are answered');
    $backend->clear;
}

each_framing {
    my ($f) = @_;
    my @pending = map { start_request($f, '/z', "body $_") } 1 .. 3;

    zone_is($t, 'z', { concurrency => 3, 'waiting' => 0 }, 'three');

    my $r = $t->post('/z', 'one more', framing => $f);

    is($r->status, 503, 'one more is refused');
    is($r->header('retry-after'), 1, 'Retry-After');
    is($r->json->{reason}, 'quota_concurrency', 'reason');
    is($r->json->{policy}, 'z-concurrency', 'policy');
    is($r->json->{limit}, 3, 'limit');
    is($r->json->{retry_after}, 1, 'retry_after');
    ok($r->conn->open, 'the connection is kept: the body was read');

    $r = $t->get('/z');

    is($r->status, 503, 'a GET needs a place too');
    ok($r->conn->open, 'its connection is kept');

    finish(3, @pending);
    zone_is_quiet($t, 'z');
    is($backend->connections, 0, 'no other request came to the backend');
};

subtest 'status=' => sub {
    my $pending = start_request('cl', '/status');

    zone_is($t, 'z', { concurrency => 1 }, 'one');
    is($t->get('/status')->status, 429, 'the status of the directive');
    finish(1, $pending);
    zone_is_quiet($t, 'z');
};

subtest 'each key has its own' => sub {
    my @pending = map { start_request('cl', "/own?k=$_") } qw(a b c);

    zone_is($t, 'own', { concurrency => 3 }, 'one of each');
    is($t->get("/own?k=$_")->status, 503, "another one of $_") for qw(a c);
    finish(3, @pending);
    zone_is_quiet($t, 'own');
};

each_framing {
    my ($f) = @_;
    my @pending = (start_request($f, '/mem', 'x' x 2560),
                   start_request($f, '/mem', 'x' x 2560));

    zone_is($t, 'mem', { memory => 10240, leased_memory => 10240 },
            'exactly the limit');

    my $r = $t->post('/mem', 'x', framing => $f);

    is($r->status, 503, 'one byte more is refused');
    is($r->json->{reason}, 'quota_memory', 'reason');
    is($r->header('retry-after'), 1, 'Retry-After');
    ok($r->conn->open, 'the connection is kept');

    push @pending, start_request($f, '/mem');
    finish(3, @pending);
    zone_is_quiet($t, 'mem');

    $r = $t->post('/mem', 'x' x 5121, framing => $f);

    is($r->status, 413, 'more than the whole limit');
    is($r->json->{reason}, 'max_memory', 'reason');
    is($r->json->{limit}, 10240, 'limit');
    is($r->json->{observed}, 10242, 'observed');
    is($r->header('retry-after'), undef, 'no time helps');
    is($r->json->{policy}, 'mem-memory', 'which of the two limits it was');
    is($r->json->{retry_after}, undef, 'no time in the body');
    $t->wait_log(qr/zone "mem" memory limit 10240 wanted 10242, client/);
    is($backend->connections, 0, 'the backend was not contacted');
    zone_is_quiet($t, 'mem');
};

# of uploads: the body is not sent to its end

each_framing {
    my ($f) = @_;
    my @cut = $f eq 'cl' ? (length => 100) : $f eq 'h2-cl'
              ? (length => 100, end => 0) : (end => 0);
    my @pending = map { start_request($f, '/up', 'half', @cut) } 1 .. 2;

    zone_is($t, 'up', { uploads => 2 }, 'two');

    my $r = $t->post('/up', 'one more', framing => $f);

    is($r->status, 503, 'one more is refused');
    is($r->json->{reason}, 'quota_uploads', 'reason');
    is($r->header('retry-after'), 1, 'Retry-After');
    ok($r->closed, 'closed, as the body was not read') if $f !~ /h2/;

    push my @others, start_request('cl', '/up');
    push @others, start_request('cl', '/up', '');

    $backend->wait_requests(2);
    pass('what has no body takes none');

    for (@pending) {
        my ($c, $stream) = @$_;

        $c->send('x' x 96) if $f eq 'cl';
        $c->send("0\r\n\r\n") if $f eq 'chunked';
        $c->data($stream, '', end => 1) if $f eq 'h2';
        $c->data($stream, 'x' x 96, end => 1) if $f eq 'h2-cl';
    }

    $backend->wait_requests(4);
    zone_is($t, 'up', { uploads => 0 }, 'none while the backends work');
    finish(4, @pending, @others);
};

$t->done;
