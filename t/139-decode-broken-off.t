#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A body whose framing turns out to be broken after some of it was decoded:
# nginx itself answers, and an error_page may lead on.  What had come of the
# body is neither the coded nor the decoded one; its length must not be sent
# without it, or the next request on that connection becomes the body.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 1, lingering => '50ms');
my $backend = $t->backend(keepalive => 1, early => 1);

$t->start(http => <<'HTTP', server => <<'SERVER');
    upstream kept {
        server %%BACKEND%%;
        keepalive 1;
    }

    map $request_uri $mode {
        ~/variable/(?<m>.*)$ $m;
    }
HTTP
    guardrail on;
    guardrail_decode on;
    guardrail_max_body 4m;
    guardrail_max_ratio off;
    client_body_buffer_size 16k;
    client_body_temp_path %%DIR%%/bodies;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Length "[$content_length]";

    location / {
        proxy_pass http://kept;
    }

    location /off {
        error_page 400 = @off;
        proxy_pass http://kept;
    }

    location /variable/ {
        error_page 400 = @variable;
        proxy_pass http://kept;
    }

    location /undecoded {
        error_page 400 = @undecoded;
        proxy_pass http://kept;
    }

    location /decoded {
        error_page 400 = @decoded;
        proxy_pass http://kept;
    }

    location @off {
        guardrail off;
        proxy_pass http://kept;
    }

    location @variable {
        guardrail $mode;
        proxy_pass http://kept;
    }

    location @undecoded {
        guardrail_decode off;
        proxy_pass http://kept;
    }

    location @decoded {
        proxy_pass http://kept;
    }
SERVER

my $text = pseudo_random(100_000, 1);
my $coded = gzip($text);
my $good = 'x' x 5000;


sub chunk {
    my ($body) = @_;

    return sprintf "%x\r\n%s\r\n", length $body, $body;
}


# of the files that nginx has open, those of bodies

sub files {
    my ($pid) = $t->worker_pids;

    return grep { defined && m{/bodies/} }
           map { readlink } glob "/proc/$pid/fd/*";
}


my %broken = (
    'at its start'      => ['zz'],
    'after a piece'     => [chunk(substr $coded, 0, 5000), 'zz'],
    'after all of it'   => [chunk($coded), 'zz'],
    'after a small one' => [chunk(gzip('abc')), 'zz'],
    'in one write'      => [chunk(gzip('abc')) . 'zz'],
);


# what the page of the error was sent, if it was asked, has neither bytes nor
# a length; and the next request arrives as it was sent

sub no_body {
    my ($name, $uri, $r) = @_;

    ok($r->status == 200 || $r->status == 500,
       "$name: answered, " . $r->status);

    if ($r->status == 200) {
        $backend->wait_requests(1);

        my ($q) = $backend->requests;

        is($q->{headers}{'content-length'} // 0, 0, "$name: length");
        is($q->{headers}{'x-length'}, '[0]', "$name: its text");
        is($q->{headers}{'content-encoding'}, undef, "$name: no coding")
            if $uri eq '/decoded';
    }

    ok((wait_until { files() == 0 }), "$name: no file is open");

    $r = $t->post('/good', gzip($good), encoding => 'gzip');

    is($r->status, 200, "$name: the next one");
    ok((wait_until {
        grep { $_->{uri} eq '/good' && $_->{sha1} eq sha1_hex($good) }
             $backend->requests
    }), "$name: as it was sent");
}


for my $uri (qw(/off /variable/off /variable/dry_run /undecoded /decoded)) {
    for my $name (sort keys %broken) {
        my $c = $t->h1;

        $backend->clear;

        $c->send("POST $uri HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                 . "Transfer-Encoding: chunked\r\n\r\n");

        for my $piece (@{$broken{$name}}) {
            $c->send($piece);
            wait_until { files() } 0.1;
        }

        no_body("$uri, $name", $uri, $c->read);
    }

    # HTTP/2: a stream that ends before its length

    for my $n (100, 50_000) {
        my $c = $t->h2;

        $backend->clear;

        my $sid = $c->headers([':method', 'POST', ':scheme', 'http',
                               ':path', $uri, ':authority', 'x',
                               'content-length', length $coded,
                               'content-encoding', 'gzip']);

        $c->data($sid, substr($coded, 0, $n), end => 1);

        no_body("$uri, HTTP/2, $n", $uri, $c->read($sid));
    }
}

$t->done;
