#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Whose request it is: what a pattern finds, what stands in for a key that is
# not there, and that each key, however long or odd, is a tenant of its own.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=1m;

    log_format v '$http_x_id [$guardrail_tenant] $status';
    access_log %%DIR%%/v.log v;

    large_client_header_buffers 4 16k;
    ignore_invalid_headers off;
HTTP
    guardrail on;
    guardrail_quota z requests 1/1h;
    guardrail_tenant $http_x_user;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /named {
        guardrail_tenant $http_x_user
                         pattern=^([a-z]+):(?<tenant>[a-z0-9]*)/(.*)$;
        proxy_pass http://%%BACKEND%%;
    }

    location /first {
        guardrail_tenant $http_x_user pattern=^(?:id-)?([a-z0-9]*)-(.*)$
                         default=nobody;
        proxy_pass http://%%BACKEND%%;
    }

    location /whole {
        guardrail_tenant $http_x_user pattern=[0-9]+ default=nobody;
        proxy_pass http://%%BACKEND%%;
    }

    location /optional {
        guardrail_tenant $http_x_user pattern=^a(b)?(c)?$ default=nobody;
        proxy_pass http://%%BACKEND%%;
    }

    location /reject {
        guardrail_tenant $http_x_user pattern=^ok default=reject;
        proxy_pass http://%%BACKEND%%;
    }

    location /two {
        guardrail_tenant $http_x_user-$http_x_team;
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        guardrail_tenant $http_x_none;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;

# what pattern finds: uri, key, tenant

my @found = (
    ['/named', 'aa:bb/cc', 'bb'],
    ['/named', 'aa:/cc', 'anonymous'],
    ['/named', 'aabb', 'anonymous'],
    ['/first', 'id-x1-y', 'x1'],
    ['/first', 'x1-y', 'x1'],
    ['/first', '-y', 'nobody'],
    ['/first', 'nothing', 'nobody'],
    ['/whole', 'ab12cd34', '12'],
    ['/whole', 'abcd', 'nobody'],
    ['/optional', 'abc', 'b'],
    ['/optional', 'ac', 'nobody'],
    ['/optional', 'a', 'nobody'],
    ['/', 'as it is', 'as it is'],
    ['/', '', 'anonymous'],
    ['/', undef, 'anonymous'],
    ['/none', 'x', 'anonymous'],
    ['/two', 'a', 'a-'],
);

is(shown($_->[0], $_->[1]), $_->[2], "$_->[0] of " . ($_->[1] // 'nothing'))
    for @found;


subtest 'the same tenant from two places' => sub {
    is(status('/named', 'x:common/y'), 200, 'one');
    is(status('/first', 'common-z'), 429, 'another location, the same key');
    is(status('/', 'common'), 429, 'and without a pattern');
    is(status('/', 'Common'), 200, 'keys are compared with case');
    is(status('/', 'common '), 429, 'nginx strips a space at the end');
};


subtest 'default=reject' => sub {
    for my $key (undef, '', 'no', 'Ok') {
        my $name = defined $key ? "\"$key\"" : 'nothing';

        for my $method (qw(GET HEAD DELETE)) {
            my $r = ask($method, '/reject', $key);

            is($r->status, 400, "$method of $name");
            is($r->json->{reason}, 'tenant', "$method of $name: reason")
                if $method ne 'HEAD';
        }
    }

    each_framing {
        my ($f) = @_;

        $backend->clear;

        my $r = ask('POST', '/reject', 'no', body => 'x' x 300, framing => $f);

        is($r->status, 400, 'with a body');
        is($r->json->{reason}, 'tenant', 'reason');
        is($r->header('Retry-After'), undef, 'no Retry-After');
        is($backend->connections, 0, 'the backend was not contacted');
        ok($r->closed, 'connection closed') if $f !~ /h2/;
        is(ask('POST', '/reject', "ok $f", body => 'x' x 9, framing => $f)
               ->status, $f eq 'cl' ? 200 : 429, 'one that says who it is');
    };

    my ($line) = $t->wait_log(qr/rejected: tenant/);

    like($line, qr/guardrail:\ rejected:\ tenant\ \(.*\),\ wire\ 0
                   \ decoded\ 0\ records\ 0,\ tenant\ "reject",
                   \ location\ "\/reject"/x,
         'the line in the log');

    my $r = $t->post('/reject', 'x', expect => 1);

    is($r->status, 400, 'with Expect');
    is(join(' ', $r->interim), '', 'without 100 Continue');
};


subtest 'long keys' => sub {
    for my $len (64, 65, 255, 256, 1000, 8000) {
        my $key = 'k' x ($len - 1);

        is(status('/', $key . 'a'), 200, "$len bytes");
        is(status('/', $key . 'a'), 429, "$len bytes: not skipped");
        is(status('/', $key . 'b'), 200, "$len bytes: the last byte counts");

        my $shown = shown('/', $key . 'a');

        if ($len > 64) {
            like($shown, qr/^[0-9a-f]{16}\z/, "$len bytes: shown as digits");
            isnt($shown, shown('/', $key . 'b'), "$len bytes: of the hash");

        } else {
            is($shown, $key . 'a', "$len bytes: shown");
        }
    }
};


subtest 'odd bytes' => sub {
    my @keys = ("\xff\xfe", "\xff\xff", "a\x01b", "a\x02b", "\xc3\xa4",
                'a"b', 'a\\b', "a\tb", "\x7f", '", tenant "root', '%s%n',
                '\\x01', "a?b", '{"a":1}');

    is(status('/', $_), 200, printable($_)) for @keys;
    is(status('/', $_), 429, printable($_) . ': again') for @keys;

    my @shown = map { shown('/', $_) } @keys;

    unlike($_, qr/[^\x20-\x7e]|"/, 'shown: ' . printable($_)) for @shown;

    my %seen = map { $_ => 1 } @shown;

    is(keys %seen, @keys, 'no two are shown alike');

    my $long = "\xfe" x 64;

    is(status('/', $long), 200, '64 bytes');
    like(shown('/', $long), qr/^(?:\\xFE){64}\z/i, 'all of them are shown');
};

$t->done;


sub ask {
    my ($method, $uri, $key, %opt) = @_;
    my @key = defined $key ? ('X-User', $key) : ();

    return $t->request($method, $uri, delete $opt{body},
                       headers => ['X-Id', ++$id, @key], %opt);
}


sub status {
    my ($uri, $key) = @_;

    return ask('GET', $uri, $key)->status;
}


# as it stands in the access log

sub shown {
    my ($uri, $key) = @_;

    ask('GET', $uri, $key);

    return wait_until {
        my ($shown) = map { /^$id \[(.*)\] \d+\z/ ? $1 : () }
                      $t->access_log('v.log');

        return $shown && $shown =~ s/\\x5C/\\/gr;
    };
}


sub printable {
    my ($text) = @_;

    return $text =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger;
}
