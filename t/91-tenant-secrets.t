#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A key that is a secret is written nowhere: neither to a log nor to a client
# nor to a backend.  What is shown are 16 digits of its hash, the same for the
# same key in one instance.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(log_level => 'debug');
my $backend = $t->backend;

# what stands in the value of guardrail_tenant, and whether it is a secret

my %secret = (
    '$http_authorization'       => 1,
    '$http_proxy_authorization' => 1,
    '$http_cookie'              => 1,
    '$cookie_session'           => 1,
    '${cookie_a}'               => 1,
    '$http_x_api_key'           => 1,
    '$http_keyed'               => 1,
    '$http_x_auth_token'        => 1,
    '$http_x_secret_id'         => 1,
    'a$http_x_user$http_token'  => 1,
    '$http_x_user'              => 0,
    '$http_x_tok_en'            => 0,
    '$http_cookies'             => 0,
    '$arg_key'                  => 0,
    '$remote_addr'              => 0,
    'key'                       => 0,
    'http_authorization$arg_a'  => 0,
    '$remote_user'              => 0,
);

my @names = sort keys %secret;
my $locations = '';

for my $i (0 .. $#names) {
    $locations .= "location = /$i {\n guardrail_tenant $names[$i]"
                  . ' default=none;' . 'proxy_pass http://%%BACKEND%%; }';
}

$t->start(http => <<'HTTP', server => <<SERVER);
    guardrail_zone z size=1m;
    guardrail on;

    log_format v '$http_x_id [$guardrail_tenant]';
    access_log %%DIR%%/v.log v;

    proxy_set_header X-Tenant $guardrail_tenant;
HTTP
    $locations

    location /on {
        guardrail_tenant \$http_x_user secret=on default=none;
        guardrail_quota z requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /again {
        guardrail_tenant \$http_x_name secret=on;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        guardrail_tenant \$http_x_api_key secret=off;
        proxy_pass http://%%BACKEND%%;
    }

    location /part {
        guardrail_tenant \$http_authorization pattern=^Bearer.([a-z]+);
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_tenant \$http_x_user secret=on;
        guardrail_quota z bytes 1/1h;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $key = 'Abc123def';
my $id = 0;

my @all = map { ($_, $key) } qw(Authorization Proxy-Authorization X-Api-Key
                                X-Auth-Token X-Secret-Id Token Keyed X-User
                                X-Tok-En Cookies X-Name);

subtest 'by the name of what it is' => sub {
    for my $i (0 .. $#names) {
        my $shown = shown("/$i?key=$key&a=$key", @all, 'Cookie',
                          "session=$key; a=$key");

        if ($secret{$names[$i]}) {
            like($shown, qr/^[0-9a-f]{16}\z/, "$names[$i]: digits");

        } else {
            unlike($shown, qr/^[0-9a-f]{16}\z/, "$names[$i]: as it is");
        }
    }
};


subtest 'by secret=' => sub {
    my $shown = shown('/on', 'X-User', $key);

    like($shown, qr/^[0-9a-f]{16}\z/, 'on');
    is(shown('/on', 'X-User', $key), $shown, 'the same for the same key');
    is(shown('/again', 'X-Name', $key), $shown, 'in another location too');
    is(shown('/part', 'Authorization', 'Bearer abcdef'),
       shown('/again', 'X-Name', 'abcdef'), 'it is the key that is hashed');
    isnt(shown('/on', 'X-User', $key . 'x'), $shown, 'not for another one');
    is(shown('/on'), 'none', 'the name of those without a key is plain');
    is(shown('/off', 'X-Api-Key', $key), $key, 'off');
};


# how keys look where they must not be

my $never = 'N3verShown';

subtest 'nowhere in what is written' => sub {
    my $shown = shown('/on', 'X-User', $never);
    my $r = $t->get('/on', headers => ['X-User', $never]);
    my $told = join '', $r->body, map { @$_ } @{$r->{headers}};

    is($r->status, 429, 'refused');
    is($r->json->{reason}, 'quota_requests', 'reason');
    unlike($told, qr/\Q$never\E|\Q$shown\E/, 'the client is told no key');

    $t->post('/dry', 'xx', headers => ['X-User', $never]);

    like($t->wait_log(qr/would reject/), qr/tenant "$shown"/, 'dry_run');

    my @lines = $t->log_lines(qr/guardrail/);

    like("@lines", qr/rejected: quota_requests .* tenant "$shown"/,
         'the line of the refusal has the digits');
    unlike("@lines", qr/\Q$never\E/, 'none of our lines has the key');

    is($backend->last->{headers}{'x-tenant'}, $shown, 'a backend sees digits');
};


subtest 'over a fleet' => sub {
    my @shown;

    for my $secret ('s' x 16, 's' x 16 . "\n", 's' x 16 . "\r\n", 's' x 17,
                    's' x 16)
    {
        my $node = Guardrail::Test->new;

        $node->file('secret', $secret);
        $node->start(http => 'guardrail_secret %%DIR%%/secret;',
                     server => <<'SERVER');
            location / {
                guardrail_tenant $http_x_user secret=on;
                return 200 $guardrail_tenant;
            }
SERVER
        push @shown, $node->get('/', headers => ['X-User', $key])->body;
        $node->stop;
        $node->_clean;
    }

    like($shown[0], qr/^[0-9a-f]{16}\z/, 'digits');
    is($shown[$_], $shown[0], "the same under the same secret, $_")
        for 1, 2, 4;
    isnt($shown[3], $shown[0], 'others under another one');
    isnt($shown[0], shown('/on', 'X-User', $key), 'or under a random one');
};


subtest 'after a reload' => sub {
    my $shown = shown('/on', 'X-User', $key);

    ok($t->reload, 'reloaded');
    is(shown('/on', 'X-User', $key), $shown, 'the digits are the same');
};

$t->done;


sub shown {
    my ($uri, @headers) = @_;

    $t->get($uri, headers => ['X-Id', ++$id, @headers]);

    return wait_until {
        my ($shown) = map { /^$id \[(.*)\]\z/ ? $1 : () }
                      $t->access_log('v.log');

        return $shown;
    };
}
