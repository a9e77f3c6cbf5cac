#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Where the guard is configured it takes client_max_body_size over, inherited
# or not, as the default of guardrail_max_body; an explicit value replaces it.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    server {
        listen 127.0.0.1:%%PORT2%%;
        listen 127.0.0.1:%%H2PORT2%% http2;

        guardrail on;
        guardrail_max_body 25;

        location / {
            proxy_pass http://%%BACKEND%%;
        }

        location /core {
            client_max_body_size 10;
            proxy_pass http://%%BACKEND%%;
        }

        location /own {
            guardrail_max_body 26;
            proxy_pass http://%%BACKEND%%;
        }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        listen 127.0.0.1:%%H2PORT3%% http2;

        location / {
            guardrail on;
            proxy_pass http://%%BACKEND%%;
        }
    }
HTTP
    client_max_body_size 30;

    location /inherited {
        guardrail on;
        proxy_pass http://%%BACKEND%%;

        location /inherited/nested {
            client_max_body_size 33;
            proxy_pass http://%%BACKEND%%;
        }

        location /inherited/deeper {
            location ~ /again$ {
                proxy_pass http://%%BACKEND%%;
            }
        }
    }

    location /own {
        client_max_body_size 50;
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }

    location /unlimited {
        client_max_body_size 0;
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }

    location /smaller {
        client_max_body_size 50;
        guardrail on;
        guardrail_max_body 40;
        proxy_pass http://%%BACKEND%%;
    }

    location /larger {
        client_max_body_size 20;
        guardrail on;
        guardrail_max_body 60;
        proxy_pass http://%%BACKEND%%;
    }

    location /zero {
        client_max_body_size 20;
        guardrail on;
        guardrail_max_body 0;
        proxy_pass http://%%BACKEND%%;
    }

    location /in_if {
        guardrail on;

        if ($arg_x) {
            proxy_pass http://%%BACKEND%%;
        }

        proxy_pass http://%%BACKEND%%;
    }

    location /named {
        try_files /none @named;
    }

    location @named {
        guardrail on;
        guardrail_max_body 29;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        guardrail off;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail $arg_g;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $m = 1 << 20;

my @locations = (
    # uri, limit (0: none), port
    ['/inherited', 30], ['/inherited/nested', 33],
    ['/inherited/deeper/again', 30], ['/own', 50], ['/unlimited', 0],
    ['/smaller', 40], ['/larger', 60], ['/zero', 0], ['/in_if', 30],
    ['/in_if?x=1', 30], ['/named', 29], ['/variable', 30],
    ['/variable?g=on', 30], ['/', 25, 2], ['/core', 25, 2], ['/own', 26, 2],
    ['/', $m, 3],
);

each_framing {
    my ($f) = @_;

    for (@locations) {
        my ($uri, $limit, $port) = @$_;
        my $name = $uri . ($port ? " of server $port" : '');
        my %opt = (framing => $f);

        $opt{port} = $t->port(($f =~ /h2/ ? 'H2PORT' : 'PORT') . $port)
            if $port;

        is($t->post($uri, 'x' x ($limit || 2 * $m), %opt)->status, 200,
           "$name: at the limit");

        next if !$limit;

        $backend->clear;

        my $r = $t->post($uri, 'x' x ($limit + 1), %opt);

        is($r->status, 413, "$name: one more byte");
        is($r->header('Content-Type'), 'application/problem+json',
           "$name: type");
        is($r->json->{reason}, 'max_body', "$name: reason");
        is($r->json->{limit}, $limit, "$name: limit");
        is($backend->connections, 0, "$name: backend not contacted");
    }

    # a guard that is off leaves all to nginx, or does as nginx does

    for my $uri ('/off', '/variable?g=off', '/variable?g=dry_run') {
        is($t->post($uri, 'x' x 30, framing => $f)->status, 200,
           "$uri: at the limit");

        my $r = $t->post($uri, 'x' x 31, framing => $f);

        is($r->status, 413, "$uri: one more byte");
        is($r->header('Content-Type'), 'text/html', "$uri: nginx's page");
    }
};

$t->done;
