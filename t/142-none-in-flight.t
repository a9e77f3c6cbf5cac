#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A context that is made when nothing ends it any more: $guardrail_tenant in
# the access log, of what something else answered; and whoever asks for the
# status of a guarded server is no request in flight.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format tenant '$status $guardrail_tenant';
    access_log %%DIR%%/tenant.log tenant;
HTTP
    guardrail on;
    guardrail_tenant $http_x_id;

    location /returned {
        return 200 done;
    }

    location /off {
        guardrail off;
        proxy_pass http://%%BACKEND%%;
    }

    location /denied {
        deny all;
    }

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

is(status($t)->{requests_in_flight}, 0, 'who asks is not counted');

for my $path (qw(/returned /off /denied /)) {
    for my $f (qw(cl h2)) {
        $t->get($path, framing => $f, headers => ['X-Id' => 'acme']);
        $t->post($path, 'x' x 10, framing => $f);
    }

    wait_until(sub { status($t)->{requests_in_flight} == 0 });
    is(status($t)->{requests_in_flight}, 0, "none is left of $path");
}

$t->done;
