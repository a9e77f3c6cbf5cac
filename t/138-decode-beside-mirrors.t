#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A coded body is decoded, or refused, in a location that an error led to,
# while a mirror of it is under way.  nginx shares variables between the two:
# each must be sent the length of its own body.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend(status => 503);
my $slow = $t->backend(name => 'SLOW', hold => 1, status => 503);
my $decoded = $t->backend(name => 'DECODED');
my $copies = $t->peer('uwsgi');

$t->start(server => <<'SERVER');
    client_max_body_size 10m;
    proxy_intercept_errors on;
    recursive_error_pages on;

    location /decoded {
        mirror /mirror;
        error_page 503 = @decoded;
        proxy_pass http://%%BACKEND%%;
    }

    location /refused {
        mirror /mirror;
        error_page 503 = @refused;
        proxy_pass http://%%BACKEND%%;
    }

    location @decoded {
        guardrail on;
        guardrail_decode on;
        proxy_set_header X-Length $content_length;
        proxy_set_header X-Coding "[$http_content_encoding]";
        proxy_method POST;
        proxy_pass http://%%DECODED%%;
    }

    location @refused {
        guardrail on;
        guardrail_max_body 1;
        error_page 413 = @page;
        proxy_pass http://%%DECODED%%;
    }

    location @page {
        proxy_set_header X-Length $content_length;
        proxy_pass http://%%DECODED%%;
    }

    location = /mirror {
        internal;
        error_page 503 = @copy;
        proxy_pass http://%%SLOW%%;
    }

    location @copy {
        uwsgi_param CONTENT_LENGTH $content_length;
        uwsgi_param CODING "[$http_content_encoding]";
        uwsgi_pass %%UWSGI%%;
    }
SERVER

my $body = 'x' x 100_000;
my $coded = gzip($body);

each_framing {
    my ($f) = @_;

    for my $uri (qw(/decoded /refused)) {
        $_->clear for $slow, $copies, $decoded;

        my $r = $t->post($uri, $coded, framing => $f, encoding => 'gzip');

        is($r->status, 200, "$uri: answered");
        is($r->json->{sha1}, sha1_hex($uri eq '/decoded' ? $body : ''),
           "$uri: the main request");
        is($r->json->{headers}{'x-length'},
           $uri eq '/decoded' ? length $body : 0, "$uri: its variable");

        # the mirror goes on only now

        $slow->wait_requests(1);
        $slow->release;
        $copies->wait_requests(1);

        my $q = $copies->last;

        is($q->{sha1}, sha1_hex($coded), "$uri: mirrored");
        is($q->{params}{CONTENT_LENGTH}, length $coded, "$uri: its length");
        is($q->{params}{CODING}, '[gzip]', "$uri: its coding");
    }
};

$t->done;
