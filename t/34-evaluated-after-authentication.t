#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Values with variables are read after authentication and once for each
# location that a request enters; constant limits, and what the head alone
# forbids, are judged before it.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->file('users', "joe:{PLAIN}pass\n");

$t->start(http => <<'HTTP', server => <<'SERVER');
    proxy_http_version 1.1;
    proxy_request_buffering off;
HTTP
    guardrail on;

    location /limit {
        auth_basic           closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail_max_body   $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /mode {
        auth_basic           closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail            $http_x_mode;
        guardrail_max_body   10;
        proxy_pass http://%%BACKEND%%;
    }

    location /user {
        auth_basic           closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail_max_body   1$remote_user;
        proxy_pass http://%%BACKEND%%;
    }

    location /constant {
        auth_basic           closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail_max_body   10;
        proxy_pass http://%%BACKEND%%;
    }

    location /subrequest {
        auth_request /ask;
        guardrail_max_body $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location = /ask {
        internal;
        proxy_pass http://%%BACKEND%%;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }

    # dry_run says of each evaluation that it could not read the value

    location /once {
        guardrail dry_run;
        guardrail_max_body $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /late {
        guardrail dry_run;
        guardrail_max_body $http_x_n;
        proxy_pass http://%%BACKEND%%;
        proxy_request_buffering on;
    }

    location /twice {
        guardrail dry_run;
        guardrail_max_body $http_x_n;
        try_files /nonexistent @app;
    }

    location @app {
        guardrail dry_run;
        guardrail_max_body $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /rewrite {
        guardrail dry_run;
        guardrail_max_body $http_x_n;
        rewrite ^ /once;
    }
SERVER

my @joe = (Authorization => 'Basic am9lOnBhc3M=');

for my $uri (qw(/limit /mode /constant)) {
    is($t->post($uri, 'x', headers => [@joe, 'X-N', 10])->status, 200,
       "$uri lets joe in");
    is($t->post($uri, 'x', headers => ['X-N', 10])->status, 401,
       "$uri lets nobody else in");
}

subtest 'limits with variables' => sub {
    is(asks('/limit', 10), 401, 'who is too large and unknown is unknown');
    is(asks('/limit', 10, @joe), 413, 'joe is told');
    is(asks('/limit', 'bad'), 401, 'an unreadable value');
    is(0 + $t->log_lines(qr/the value of/), 0, 'nobody read it');
    is(asks('/limit', 'bad', @joe), 500, 'joe is told');
    is(0 + $t->log_lines(qr/the value of/), 1, 'it was read');
};

subtest 'a mode that is a variable' => sub {
    is(asks('/mode', 0), 401, 'unknown');
    is(asks('/mode', 0, @joe), 413, 'joe');
    is(asks('/mode', 0, 'X-Mode', 'off'), 401, 'unknown, off');
    is(asks('/mode', 0, 'X-Mode', 'off', @joe), 200, 'joe, off');
};

subtest 'the limit of a user' => sub {
    is(asks('/user', 0), 401, 'unknown');
    is(asks('/user', 0, @joe), 500, '"1joe" is no size');

    my ($line) = reverse $t->log_lines(qr/the value of/);

    like($line, qr/"1joe", the value of "1\$remote_user"/, 'it is known');
};

subtest 'auth_request' => sub {
    $backend->set(status => 403);
    is(asks('/subrequest', 10), 403, 'forbidden comes first');
    $backend->set(status => 200);
    is(asks('/subrequest', 10), 413, 'then the limit');
    is(asks('/subrequest', 11), 200, 'which may be larger');
};

subtest 'constants come before authentication' => sub {
    is(asks('/constant', 0), 413, 'a declared length');
    is($t->post('/constant', 'x', encoding => 'br')->status, 415, 'encoding');
    is($t->post('/constant', 'x' x 11, framing => 'chunked')->status, 401,
       'the bytes themselves come after it');
};

subtest 'once for each location' => sub {
    my %times = ('/once' => 1, '/late' => 1, '/twice' => 2, '/rewrite' => 1);

    for my $uri (sort keys %times) {
        each_framing {
            my ($f) = @_;
            my $seen = () = $t->log_lines(qr/the value of/);

            is($t->post($uri, 'x' x 5000, framing => $f, cut => 977,
                        chunk => 500, drain => 1, headers => ['X-N', '?'])
                   ->status, 200, "$uri passes");
            is(0 + $t->log_lines(qr/the value of/), $seen + $times{$uri},
               "$uri: read $times{$uri} times");
        };
    }
};


$t->done;


# the status of a POST of 11 bytes; N is for X-N

sub asks {
    my ($uri, $n, @headers) = @_;

    return $t->post($uri, 'x' x 11, headers => ['X-N', $n, @headers])->status;
}
