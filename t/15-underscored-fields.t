#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Content_Encoding and Content_Type: WSGI makes one name of these and of the
# fields with a hyphen, so that the backend may obey what nobody judged.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

my $locations = <<'SERVER';
        guardrail on;

        location / {
            proxy_pass http://%%BACKEND%%;
        }

        location /gate {
            guardrail $arg_g;
            guardrail_max_body $arg_max;
            proxy_pass http://%%BACKEND%%;
        }

        location /format_none {
            guardrail_encodings none;
            guardrail_format none;
            proxy_pass http://%%BACKEND%%;
        }
SERVER

$t->start(http => <<HTTP, server => $locations);
    server {
        listen 127.0.0.1:%%PORT2%%;
        listen 127.0.0.1:%%H2PORT2%% http2;
        underscores_in_headers on;
$locations
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        listen 127.0.0.1:%%H2PORT3%% http2;
        ignore_invalid_headers off;
$locations
    }
HTTP

each_framing {
    my ($f) = @_;
    my $kind = $f =~ /h2/ ? 'H2PORT' : 'PORT';

    for my $field ('Content_Encoding', 'CONTENT_TYPE')
    {
        my $type = lc $field eq 'content_type';

        for my $value ($type ? ('text/plain', 'application/json', '')
                             : ('gzip', 'br', 'identity', ''))
        {
            for my $uri ('/', '/gate?max=off', '/format_none') {
                for my $server (1 .. 3) {
                    my $name = "server $server, $uri, $field: $value";
                    my @opt = (
                        framing => $f, headers => [$field, $value],
                        port => $t->port($kind . ($server > 1 && $server)),
                    );

                    is($t->get($uri, @opt)->status, 200, "$name: no body")
                        if $uri ne '/format_none';

                    $backend->clear;

                    my $r = $t->post($uri, 'x', @opt);

                    # the first server takes no notice of such fields

                    if ($server == 1) {
                        is($r->status, 200, "$name: ignored");
                        is($backend->last->{headers}{lc $field}, undef,
                           "$name: not passed on");
                        next;
                    }

                    is($r->status, 415, "$name: status");
                    is($r->json->{reason}, $type ? 'type' : 'encoding',
                       "$name: reason");
                    is($backend->connections, 0, "$name: backend");
                }
            }
        }
    }
};

$t->done;
