#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Refusals of other methods and of HTTP/1.0 clients: HEAD gets the header of
# the answer alone, HTTP/1.0 an answer with a length and a close.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_max_body 10;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /nginx {
        guardrail_error_format nginx;
        proxy_pass http://%%BACKEND%%;
    }

    location /cookie {
        add_header Set-Cookie a=b always;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

for my $uri (qw(/ /nginx)) {
    subtest "HEAD $uri" => sub {
        each_framing {
            my ($f) = @_;
            my $post = $t->post($uri, 'x' x 11, framing => $f);
            my $head = $t->request('HEAD', $uri, 'x' x 11, framing => $f);

            is($head->status, 413, 'status');
            is($head->header($_), $post->header($_), $_)
                for qw(Content-Type Content-Length Cache-Control Connection);
            is($head->body, '', 'no body');

            if ($f !~ /h2/) {
                ok($head->closed, 'closed');
                is($head->conn->{in}, '', 'nothing follows the header');
            }
        };
    };
}


subtest 'other methods' => sub {
    each_framing {
        my ($f) = @_;

        for my $method (qw(GET PUT PATCH DELETE OPTIONS PROPFIND)) {
            my $r = $t->request($method, '/', 'x' x 11, framing => $f);

            is($r->status, 413, "$method: refused");
            is($r->json->{reason}, 'max_body', "$method: reason");
            is($t->request($method, '/', 'x' x 10, framing => $f)->status,
               200, "$method: what fits passes");
        }
    };
};


subtest 'HTTP/1.0' => sub {
    for my $more ('', "Connection: keep-alive\r\n", "Host: localhost\r\n") {
        for my $uri (qw(/ /nginx /cookie)) {
            my $c = $t->h1;

            $c->send("POST $uri HTTP/1.0\r\n${more}Content-Length: 11\r\n\r\n"
                     . 'x' x 11);

            my $r = $c->read;

            is($r->status, 413, "$uri: status");
            is($r->header('Connection'), 'close', "$uri: Connection");
            is($r->header('Content-Length'), length $r->body, "$uri: length");
            is($r->header('Transfer-Encoding'), undef, "$uri: not chunked");
            is($r->json->{reason}, $uri eq '/nginx' ? undef : 'max_body',
               "$uri: body");
            ok($c->closed, "$uri: closed");
        }
    }

    my $c = $t->h1;

    $c->send("POST / HTTP/1.0\r\nContent-Length: 10\r\n\r\n" . 'x' x 10);
    is($c->read->status, 200, 'what fits passes');
};


subtest 'Internet Explorer' => sub {

    # nginx pads short pages for it, which is not for ours

    my @ie = (headers => ['User-Agent', 'Mozilla/4.0 (compatible; MSIE 6.0)']);

    each_framing {
        my ($f) = @_;
        my $r = $t->post('/', 'x' x 11, framing => $f, @ie);

        is($r->header('Content-Length'), length $r->body, 'length');
        is($r->json->{reason}, 'max_body', 'body');
        unlike($r->body, qr/padding/, 'no padding');
    };
};


subtest 'a request without a body' => sub {
    for my $method (qw(GET HEAD DELETE)) {
        is($t->request($method, '/')->status, 200, $method);
    }

    is($t->post('/', '')->status, 200, 'a length of 0');
    is($t->post('/', '', framing => 'chunked')->status, 200, 'empty chunked');
};


$t->done;
