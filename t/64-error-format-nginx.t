#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_error_format nginx: nginx's own page, as "return" would give it,
# with the headers of a refusal.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_decoder_memory 1k;
HTTP
    guardrail on;
    guardrail_error_format nginx;

    location / {
        guardrail_max_body 100;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /ratio {
        guardrail_max_ratio 5 floor=100;
        proxy_pass http://%%BACKEND%%;
    }

    location /internal {
        guardrail_max_body $http_x_none;
        proxy_pass http://%%BACKEND%%;
    }

    location /tokens-off {
        server_tokens off;
        guardrail_max_body 100;
        proxy_pass http://%%BACKEND%%;
    }

    location ~ ^/return/(?<code>413|415|400|500|503)$ {
        guardrail off;
        if ($code = 413) { return 413; }
        if ($code = 415) { return 415; }
        if ($code = 400) { return 400; }
        if ($code = 500) { return 500; }
        return 503;
    }
SERVER

my @cases = (
    [413, '/', 'x' x 200],
    [413, '/records', "1\n" x 9],
    [415, '/', 'x', encoding => 'br'],
    [415, '/records', 'hello'],
    [400, '/records', "\0[\0]"],
    [503, '/', gzip('x'), encoding => 'gzip'],
    [500, '/internal', 'x'],
);

each_framing {
    my ($f) = @_;

    for my $case (@cases) {
        my ($status, $uri, $body, %opt) = @$case;
        my $name = join ' ', $status, $uri, %opt;
        my $r = $t->post($uri, $body, framing => $f, %opt);
        my $own = $t->post("/return/$status", 'x', framing => $f);

        is($r->status, $status, "$name: status");
        like($r->body, qr/<title>$status /, "$name: a page");
        is($r->body, $own->body, "$name: it is nginx's own");
        is($r->header('Content-Type'), 'text/html', "$name: type");
        is($r->header('Content-Length'), length $r->body, "$name: length");
        is($r->header('Cache-Control'), 'no-store', "$name: Cache-Control");
        is($r->header('Accept-Encoding'),
           $opt{encoding} && $status == 415 ? 'gzip, deflate' : undef,
           "$name: Accept-Encoding");

        if ($f !~ /h2/) {
            is($r->header('Connection'), 'close', "$name: Connection");
            ok($r->closed, "$name: closed");
        }
    }

    my $r = $t->post('/tokens-off', 'x' x 200, framing => $f);

    is($r->status, 413, 'server_tokens off: status');
    like($r->body, qr{<center>nginx</center>}, 'server_tokens off: page');
    is($r->header('Server'), 'nginx', 'server_tokens off: Server');
};

is($backend->connections, 0, 'the backend was never contacted');

$t->done;
