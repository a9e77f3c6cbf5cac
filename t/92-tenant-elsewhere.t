#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# $guardrail_tenant for other modules, before and after the gate: in keys of
# limit_req and of zones, after redirects, in error_page.  For quotas it is
# read after authentication.  No pattern can hold a worker.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

my $auth = $t->backend(name => 'AUTH', respond => sub {
    my ($q) = @_;

    return 204, ['X-Who', $q->{headers}{'x-name'}], '';
});

$t->file('users', "joe:{PLAIN}pass\nann:{PLAIN}pass\n");

my $parts = <<'HTTP';
    guardrail_zone z size=1m;
    guardrail_zone team size=1m key=team-$guardrail_tenant;
    guardrail_zone one size=1m key=everyone;

    limit_req_zone $guardrail_tenant zone=req:1m rate=1r/m;

    map $guardrail_tenant $class {
        default  plain;
        ~^big    large;
    }

    log_format v '$http_x_id $uri [$guardrail_tenant] $class $status '
                 '$guardrail_verdict';
    access_log %%DIR%%/v.log v;

    guardrail on;
    guardrail_tenant $http_x_user;
    proxy_set_header X-Tenant $guardrail_tenant;
HTTP

my $server = <<'SERVER';
    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /limit {
        limit_req zone=req;
        proxy_pass http://%%BACKEND%%;
    }

    location /key {
        guardrail_quota team requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /one {
        guardrail_quota one requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /early {
        if ($guardrail_tenant = nobody) {
            return 403;
        }
        guardrail_quota z requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        guardrail off;
        if ($guardrail_tenant = nobody) {
            return 403;
        }
        proxy_pass http://%%BACKEND%%;
    }

    location /basic {
        auth_basic closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail_tenant $remote_user;
        guardrail_quota z requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /ask {
        auth_request /auth;
        auth_request_set $who $upstream_http_x_who;
        limit_req zone=req burst=100 nodelay;
        guardrail_tenant $who;
        guardrail_quota z requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location = /auth {
        internal;
        proxy_pass http://%%AUTH%%;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }

    location /try {
        guardrail_quota z requests 2/1h;
        try_files /nonexistent @app;
    }

    location @app {
        guardrail_tenant app-$http_x_user;
        guardrail_quota z requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        error_page 429 /slow;
        guardrail_quota z requests 1/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location = /slow {
        guardrail_tenant $arg_none default=other;
        proxy_pass http://%%BACKEND%%;
    }

    location /backtrack {
        guardrail_tenant $http_x_user pattern=^(a+)+$ default=none;
        proxy_pass http://%%BACKEND%%;
    }

    location /wide {
        guardrail_tenant $http_x_user pattern=(x+x+)+y default=none;
        proxy_pass http://%%BACKEND%%;
    }

    location /steps {
        guardrail_tenant $http_x_user "pattern=^(?:a?){18}a{18}$" default=none;
        proxy_pass http://%%BACKEND%%;
    }

    location /deep {
        guardrail_tenant $http_x_user pattern=^((?:a|b|ab)*)c$ default=none;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;

$t->start(http => $parts, server => $server);


subtest 'in keys of other modules' => sub {
    is(status('/limit', 'a'), 200, 'limit_req: one');
    is(status('/limit', 'a'), 503, 'limit_req: one more');
    is(status('/limit', 'b'), 200, 'limit_req: of another tenant');
    is(shown('/', 'bigone'), '/ [bigone] large 200', 'map');
    is($backend->last->{headers}{'x-tenant'}, 'bigone', 'proxy_set_header');
    is(shown('/off', 'bigone'), '/off [bigone] large 200', 'without a guard');
};


subtest 'where the guard is off' => sub {
    my $c = $t->h1;

    $id++;
    $c->send("POST /off HTTP/1.1\r\nHost: a\r\nX-User: a\r\nX-Id: $id\r\n"
             . "Content-Length: 100000\r\n\r\n" . 'x' x 50000);
    $c->drain;
    $c->close;

    my $line = wait_until {
        my ($shown) = map { /^$id (.*)\z/ ? $1 : () } $t->access_log('v.log');

        return $shown;
    };

    is($line, '/off [a] plain 400 off', 'a client that leaves');
    is(0 + $t->log_lines(qr/guardrail: aborted/), 0, 'is not told of');
};


subtest 'requests that never were' => sub {
    my $n = () = $t->access_log('v.log');
    my @bad = ("\x16\x03\x01\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\n",
               "GET / HTTP/1.1\r\nX-User: a\r\nHost: a b\r\n\r\n",
               "GET / HTTP/1.1\r\nX-User: a\r\n\r\n",
               "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n");

    for my $bad (@bad) {
        my $c = $t->h1;

        $c->send($bad);
        $c->drain;
        $c->shutdown;
        ok($c->closed, 'is closed');
    }

    $n += @bad;
    is(0 + $t->wait_access_log($n, 'v.log'), $n, 'all are in the log');
};


subtest 'keys of zones' => sub {
    is(status('/key', 'a'), 200, 'with a variable: one');
    is(status('/key', 'a'), 429, 'one more');
    is(status('/key', 'b'), 200, 'another tenant');
    is(status('/one', 'a'), 200, 'a constant: one');
    is(status('/one', 'b'), 429, 'it is the same for all');
};


subtest 'before the gate' => sub {
    is(status('/early', 'nobody'), 403, 'in "if"');
    is(status('/early', 'somebody'), 200, 'passes');
    is(status('/early', 'somebody'), 429, 'is counted');
    is(shown('/early', 'somebody'), '/early [somebody] plain 429', 'shown');
};


subtest 'after authentication' => sub {
    my @joe = ('Authorization', 'Basic am9lOnBhc3M=');
    my @ann = ('Authorization', 'Basic YW5uOnBhc3M=');
    my @bad = ('Authorization', 'Basic am9lOnBhc3N4');

    is(status('/basic', 'x'), 401, 'nobody');
    is(status('/basic', 'x', @bad), 401, 'with a wrong password');
    is(status('/basic', 'x', @joe), 200, 'neither was charged');
    is(status('/basic', 'x', @joe), 429, 'one more');
    is(status('/basic', 'x', @ann), 200, 'another user');

    # limit_req asks for the name before it is known

    is(status('/ask', 'x', 'X-Name', 'kim'), 200, 'by auth_request');
    is(status('/ask', 'x', 'X-Name', 'lee'), 200, 'another one');
    is(status('/ask', 'x', 'X-Name', 'kim'), 429, 'one more');
    is(shown('/ask', 'x', 'X-Name', 'kim'), '/ask [kim] plain 429', 'shown');
};


subtest 'after redirects' => sub {
    is(shown('/try', 'a'), '/try [app-a] plain 200', 'of the second location');
    is($backend->last->{headers}{'x-tenant'}, 'app-a', 'for the backend');
    is(status('/try', 'a'), 429, 'counted there');

    is(status('/page', 'p'), 200, 'error_page: one');
    is(shown('/page', 'p'), '/slow [p] plain 429',
       'it is told whose request was refused');
    is($backend->last->{headers}{'x-tenant'}, 'p', 'so is a backend');
};

backtracks();

$t->stop;


subtest 'whether a refusal is in the log or not' => sub {
    for my $level (qw(info error)) {
        my $n = Guardrail::Test->new(log_level => $level, lingering => '50ms');

        $n->start(http => 'guardrail on;', server => <<'SERVER');
            guardrail_tenant $http_x_user;
            guardrail_log_level info;
            error_page 413 /told;

            location /body {
                guardrail_max_body 1;
                root %%DIR%%;
            }

            location /told {
                guardrail_tenant $arg_none default=other;
                return 200 $guardrail_tenant;
            }
SERVER

        is($n->post('/body', 'xx', headers => ['X-User', 'me'])->body, 'me',
           "error_log at $level");
        $n->stop;
        $n->_clean;
    }
};

$t->start(main => 'pcre_jit on;', http => $parts, server => $server);

backtracks('with JIT');

$t->done;


# these would take longer than anybody can wait

sub backtracks {
    my $jit = $_[0] // 'without JIT';

    subtest "patterns that backtrack, $jit" => sub {
        my $a = 'a' x 4000;

        is(shown('/backtrack', 'aaa'), '/backtrack [aaa] plain 200', 'match');
        is(shown('/backtrack', "$a!"), '/backtrack [none] plain 200', '(a+)+');
        is(shown('/wide', 'x' x 4000), '/wide [none] plain 200', '(x+x+)+y');
        is(shown('/deep', 'ab' x 2000), '/deep [none] plain 200', '(a|b|ab)*');
        # it would match, after some 2 ** 18 steps

        is(shown('/steps', 'a' x 18), '/steps [none] plain 200', 'too many');
        is(shown('/steps', 'a' x 36), '/steps [' . 'a' x 36 . '] plain 200',
           'few');
        is(shown('/backtrack', 'aa!'), '/backtrack [none] plain 200',
           'no match');
    };
}


sub ask {
    my ($uri, $key, @headers) = @_;

    return $t->get($uri, timeout => 20, headers => ['X-Id', ++$id, 'X-User',
                                                    $key, @headers]);
}


sub status {
    return ask(@_)->status;
}


sub shown {
    ask(@_);

    return wait_until {
        my ($shown) = map { /^$id (.*)\z/ ? $1 : () } $t->access_log('v.log');

        return $shown && $shown =~ s/ \w+\z//r;
    };
}
