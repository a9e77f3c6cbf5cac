#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_quota is inherited as a set, only where a level has none of its
# own; guardrail_tenant as a whole; guardrail_headers on its own.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m;
    guardrail_zone y size=1m;

    guardrail on;
    guardrail_quota z requests 100/1d;
    guardrail_quota z bytes 1m/1d;
    guardrail_tenant $http_x_user pattern=^[a-z]+ default=http secret=on;
    guardrail_headers off;

    add_header X-Tenant $guardrail_tenant always;
    guardrail_log_level notice;
HTTP
    guardrail_headers on;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /one {
        guardrail_quota y requests 50/1h;
        proxy_pass http://%%BACKEND%%;

        location /one/nested {
            proxy_pass http://%%BACKEND%%;
        }

        location /one/off {
            guardrail_quota y requests off;
            proxy_pass http://%%BACKEND%%;
        }

        location /one/if {
            if ($http_x_never = '') {
                proxy_pass http://%%BACKEND%%;
            }
        }
    }

    location /tenant {
        guardrail_tenant $http_x_team;
        proxy_pass http://%%BACKEND%%;

        location /tenant/nested {
            proxy_pass http://%%BACKEND%%;
        }

        location /tenant/default {
            guardrail_tenant $http_x_team default=inner;
            proxy_pass http://%%BACKEND%%;
        }
    }

    location /headers {
        guardrail_headers off;
        proxy_pass http://%%BACKEND%%;

        location /headers/on {
            guardrail_headers on;
            proxy_pass http://%%BACKEND%%;
        }
    }
SERVER

my $all = '"z-requests-86400s";q=100;w=86400, '
          . '"z-bytes-86400s";q=1048576;w=86400';
my $one = '"y-requests-3600s";q=50;w=3600';

is(policy('/'), $all, 'of http');
is(policy('/one'), $one, 'its own, without those above');
is(policy('/one/nested'), $one, 'of the location around it');
is(policy('/one/if'), $one, 'in "if"');
is(policy('/one/off'), undef, 'one that is off is a set of its own');
is(policy('/tenant'), $all, 'other directives do not matter');

like(tenant('/', 'abc1'), qr/^[0-9a-f]{16}\z/, 'tenant of http');
is(tenant('/', '1'), 'http', 'its default');
is(tenant('/', 'abc1'), tenant('/', 'abc2'), 'its pattern');
is(tenant('/tenant', 'a', 'Team 1'), 'Team 1',
   'a tenant of its own, without the pattern and the secret above');
is(tenant('/tenant', 'a'), 'anonymous', 'nor the default');
is(tenant('/tenant/nested', 'a', 'Team 1'), 'Team 1', 'inherited again');
is(tenant('/tenant/default', 'a'), 'inner', 'replaced again');

is(policy('/headers'), undef, 'no fields');
is(policy('/headers/on'), $all, 'fields');

$t->done;


sub policy {
    my ($uri) = @_;

    return $t->get($uri)->header('RateLimit-Policy');
}


sub tenant {
    my ($uri, $user, $team) = @_;

    return $t->get($uri, headers => ['X-User', $user,
                                     defined $team ? ('X-Team', $team) : ()])
             ->header('X-Tenant');
}
