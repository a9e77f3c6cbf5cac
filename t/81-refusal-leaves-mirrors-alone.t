#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A request may be refused, in a location that an error led to, while a mirror
# of it is under way.  The body is the same for both: when it was emptied for
# the one, the other sent its length without the bytes.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend(status => 503);
my $slow = $t->backend(name => 'SLOW', hold => 1, status => 503);
my $copies = $t->backend(name => 'COPIES');

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_max_body 1m;
    proxy_intercept_errors on;

    location / {
        mirror /mirror;
        error_page 503 = @less;
        proxy_pass http://%%BACKEND%%;
    }

    location /file {
        client_body_in_file_only on;
        mirror /mirror;
        error_page 503 = @less;
        proxy_pass http://%%BACKEND%%;
    }

    location @less {
        guardrail_max_body 10;
        proxy_pass http://%%BACKEND%%;
    }

    location = /mirror {
        internal;
        error_page 503 = @copy;
        proxy_pass http://%%SLOW%%;
    }

    location @copy {
        proxy_pass http://%%COPIES%%;
    }
SERVER

my $body = 'x' x 100000;

each_framing {
    my ($f) = @_;

    for my $uri (qw(/ /file)) {
        $_->clear for $slow, $copies;

        my $r = $t->post($uri, $body, framing => $f);

        is($r->status, 413, "$uri: refused where the error led to");

        # the mirror goes on only now

        $slow->wait_requests(1);
        $slow->release;
        $copies->wait_requests(1);

        is($copies->last->{sha1}, sha1_hex($body), "$uri: mirrored");
    }
};

$t->done;
