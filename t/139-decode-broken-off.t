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

        my $r = $c->read;

        ok($r->status == 200 || $r->status == 500,
           "$uri, $name: answered, " . $r->status);

        if ($r->status == 200) {
            $backend->wait_requests(1);

            my ($q) = $backend->requests;

            is($q->{headers}{'content-length'} // 0, 0, "$uri, $name: length");
            is($q->{headers}{'x-length'}, '[0]', "$uri, $name: its text");
            is($q->{headers}{'content-encoding'}, undef,
               "$uri, $name: no coding") if $uri eq '/decoded';
        }

        ok((wait_until { files() == 0 }), "$uri, $name: no file is open");

        $r = $t->post('/good', gzip($good), encoding => 'gzip');
        is($r->status, 200, "$uri, $name: the next one");
        ok((wait_until {
            grep { $_->{uri} eq '/good' && $_->{sha1} eq sha1_hex($good) }
                 $backend->requests
        }), "$uri, $name: as it was sent");
    }
}

$t->done;
