#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The limits are those of the location where a request ends up: nested, by a
# regular expression, in "if", in limit_except, after rewrite.  nginx's own
# check of client_max_body_size comes before all of them, and is switched off
# wherever the guard took it over.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    client_max_body_size 100;

    location / {
        guardrail on;
        proxy_pass http://%%BACKEND%%;

        location /nested {
            guardrail_max_body 200;
            proxy_pass http://%%BACKEND%%;

            location /nested/deeper {
                client_max_body_size 300;
                proxy_pass http://%%BACKEND%%;
            }

            location /nested/off {
                guardrail off;
                proxy_pass http://%%BACKEND%%;
            }

            location ~ /nested/regex\d {
                guardrail_max_body 50;
                proxy_pass http://%%BACKEND%%;
            }
        }

        location /taken-over {
            client_max_body_size 300;
            proxy_pass http://%%BACKEND%%;
        }

        location /unlimited {
            client_max_body_size 0;
            proxy_pass http://%%BACKEND%%;
        }
    }

    location ~ ^/regex/(\d+) {
        guardrail on;
        guardrail_max_body $1;
        proxy_pass http://%%BACKEND%%;
    }

    location ~ ^/named/(?<size>\d+) {
        guardrail on;
        guardrail_max_body $size;
        proxy_pass http://%%BACKEND%%;
    }

    location ^~ /prefix {
        guardrail on;
        guardrail_max_body 50;
        proxy_pass http://%%BACKEND%%;
    }

    location = /exact {
        guardrail on;
        guardrail_max_body 50;
        proxy_pass http://%%BACKEND%%;
    }

    location /if {
        guardrail on;
        guardrail_max_body 200;

        if ($arg_inherits) {
            proxy_pass http://%%BACKEND%%;
        }

        proxy_pass http://%%BACKEND%%;
    }

    location /except {
        guardrail on;
        guardrail_max_body 200;
        proxy_pass http://%%BACKEND%%;

        limit_except POST {
            allow 127.0.0.1;
            deny all;
        }
    }

    location /denied {
        guardrail on;
        guardrail_max_body 200;
        proxy_pass http://%%BACKEND%%;

        limit_except PUT {
            deny all;
        }
    }

    location /rewritten {
        client_max_body_size 1m;
        rewrite ^ /exact last;
    }

    location /to-larger {
        guardrail on;
        guardrail_max_body 10;
        rewrite ^ /nested last;
    }

    location /plain {
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# [uri, largest body, method]

my @cases = (
    ['/', 100],
    ['/nested', 200],
    ['/nested/deeper', 200],
    ['/nested/off', 100, 'POST', 'plain'],
    ['/nested/regex1', 50],
    ['/taken-over', 300],
    ['/regex/120', 120],
    ['/named/130', 130],
    ['/prefix/regex/120', 50],
    ['/exact', 50],
    ['/if', 200],
    ['/if?inherits=1', 200],
    ['/except', 200],
    ['/except', 200, 'PUT'],
    ['/except', 200, 'DELETE'],
    ['/denied', 200, 'PUT'],
    ['/rewritten', 50],
    ['/plain', 100, 'POST', 'plain'],
);

each_framing {
    my ($f) = @_;

    for my $case (@cases) {
        my ($uri, $max, $method, $plain) = @$case;

        $method ||= 'POST';
        $backend->clear;

        my $name = "$method $uri, $max";
        my $r = $t->request($method, $uri, 'x' x $max, framing => $f);

        is($r->status, 200, "$name: accepted");
        is($r->json->{length}, $max, "$name: arrived");

        $backend->clear;
        $r = $t->request($method, $uri, 'x' x ($max + 1), framing => $f);

        is($r->status, 413, "$name: refused");
        is($r->json->{reason}, $plain ? undef : 'max_body',
           "$name: " . ($plain ? 'by nginx' : 'by the guard'));
        is($r->json->{limit}, $plain ? undef : $max, "$name: limit");
        is($backend->connections, 0, "$name: no backend");
    }

    is($t->post('/unlimited', 'x' x 2000000, framing => $f)->status, 200,
       'no limit');
    is($t->post('/denied', 'x', framing => $f)->status, 403, 'denied');
    is($t->post('/to-larger', 'x' x 11, framing => $f)->status, 200,
       'a location that is rewritten does not judge');
};



subtest 'not in "if", nor in limit_except' => sub {
    for my $block ('if ($arg_x)', 'limit_except POST') {
        my ($ok, $out) = $t->nginx_t(server =>
                             "location / { $block { guardrail on; } }");

        ok(!$ok, $block);
        like($out, qr/"guardrail" directive is not allowed here/, 'says so');
    }
};

$t->done;
