#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Each directive is inherited from the level above and replaced at any level,
# on its own: http, server, location, a location in it, "if", limit_except.

use strict;
use warnings;

use lib 't/lib';

use Time::HiRes qw(sleep);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

my $proxy = 'proxy_pass http://%%BACKEND%%;';

$t->start(http => <<'HTTP', server => <<"SERVER");
    guardrail on;
    guardrail_buffering on;
    guardrail_max_body 4k;
    guardrail_max_decoded 3k;
    guardrail_max_ratio 3 floor=100;
    guardrail_encodings gzip;
    guardrail_format ndjson;
    guardrail_max_records 7;
    guardrail_max_record_size 1k;
    guardrail_error_format nginx;
    guardrail_log_level warn;

    proxy_http_version 1.1;
    proxy_request_buffering off;

    log_format v '$http_x_id $guardrail_reason $guardrail_limit';
    access_log %%DIR%%/v.log v;

    server {
        listen 127.0.0.1:%%PORT2%%;
        client_max_body_size 77;

        guardrail dry_run;
        guardrail_buffering off;
        guardrail_max_body 8k;
        guardrail_max_decoded 5k;
        guardrail_max_ratio 4 floor=200;
        guardrail_encodings deflate;
        guardrail_format none;
        guardrail_max_records 9;
        guardrail_max_record_size 2k;
        guardrail_error_format problem;
        guardrail_log_level notice;

        location / {
            guardrail on;
            proxy_pass http://%%BACKEND%%;
        }

        location /dry/ {
            client_max_body_size 8k;
            proxy_pass http://%%BACKEND%%;
        }
    }
HTTP
    location / {
        $proxy
    }

    location /own/ {
        guardrail_buffering off;
        guardrail_max_body 6k;
        guardrail_max_decoded 4k;
        guardrail_max_ratio 5 floor=300;
        guardrail_encodings gzip deflate;
        guardrail_format ndjson;
        guardrail_max_records 11;
        guardrail_max_record_size 1500;
        guardrail_error_format problem;
        guardrail_log_level error;
        $proxy

        location /own/nested/ {
        $proxy
        }

        location /own/one/ {
            guardrail_max_records 13;
        $proxy
        }

        location /own/if/ {
            if (\$http_x_never = '') {
        $proxy
            }
        }

        location /own/except/ {
            limit_except GET {
                allow all;
        $proxy
            }
        }
    }

    location /named/ {
        guardrail_max_records 500;
        try_files /nonexistent \@app;
    }

    location \@app {
        $proxy
    }

    location /off/ {
        guardrail off;
        client_max_body_size 77;
        $proxy

        location /off/on/ {
            guardrail on;
        $proxy
        }
    }

    location /floor/ {
        guardrail_max_ratio 4;
        guardrail_max_decoded 1m;
        guardrail_max_record_size off;
        $proxy
    }

    location /none/ {
        guardrail_max_body off;
        guardrail_max_decoded 0;
        guardrail_max_ratio off;
        guardrail_encodings none;
        guardrail_max_records 0;
        guardrail_max_record_size off;
        $proxy
    }
SERVER

my %http = (
    max_body => 4096, max_decoded => 3072, max_ratio => 3, floor => 100,
    encodings => 'gzip', max_records => 7, max_record_size => 1024,
    page => 'text/html', level => 'warn', buffering => 'on',
);

my %own = (
    max_body => 6144, max_decoded => 4096, max_ratio => 5, floor => 300,
    encodings => 'gzip, deflate', max_records => 11, max_record_size => 1500,
    page => 'application/problem+json', level => 'error', buffering => 'off',
);

my %server = (
    max_body => 8192, max_decoded => 5120, max_ratio => 4, floor => 200,
    encodings => 'deflate', max_records => '-', max_record_size => '-',
    page => 'application/problem+json', level => 'notice', buffering => 'off',
);

my $id = 0;

in_force('http', '/', %http);
in_force('location', '/own/', %own);
in_force('location in a location', '/own/nested/', %own);
in_force('one directive of its own', '/own/one/', %own, max_records => 13);
in_force('if', '/own/if/', %own);
in_force('limit_except', '/own/except/', %own);
in_force('on below off', '/off/on/', %http);
in_force('a location that try_files leads to', '/named/', %http);
in_force('server', '/', %server, port => $t->port('PORT2'));


subtest 'the mode of the server' => sub {
    is(verdict('/dry/', 'x' x 5121, port => $t->port('PORT2')),
       'max_decoded 5120', 'dry_run judges by the limits of the server');
    is($backend->last->{length}, 5121, 'and lets it pass');
};


subtest 'off replaces on' => sub {
    is($t->post('/off/', "1\n" x 20)->status, 200, 'records are not counted');

    my $r = $t->post('/off/', 'x' x 78);

    is($r->status, 413, 'client_max_body_size is');
    is($r->header('Cache-Control'), undef, "by nginx's own check");
};


subtest 'the floor goes with its ratio' => sub {
    my $body = gzip('0' x 900);

    is(verdict('/', $body, encoding => 'gzip'), 'max_ratio 3', 'inherited');
    is(verdict('/floor/', $body, encoding => 'gzip'), '- -',
       'a ratio without one has the default floor, not the one above');
};


subtest 'no limit replaces a limit' => sub {
    is(verdict('/none/', 'x' x 9000), '- -', 'bytes, size of a record');
    is(verdict('/none/', "1\n" x 999), '- -', 'records');

    my $r = $t->post('/none/', 'x', encoding => 'gzip');

    is($r->status, 415, 'no encoding at all');
    is($r->header('Accept-Encoding'), 'identity', 'Accept-Encoding');
};


$t->done;


# "reason limit" of a request

sub verdict {
    my ($uri, $body, %opt) = @_;

    # a line of each refusal is wanted, and 100 a second are written

    sleep 0.012;
    $t->post($uri, $body, headers => ['X-Id', ++$id], %opt);

    return wait_until {
        my ($line) = grep { s/^$id // } $t->access_log('v.log');

        return $line;
    };
}


# what is in force, as it is seen from outside

sub in_force {
    my ($name, $uri, %want) = @_;
    my %port = (port => delete $want{port});
    my $none = $want{max_records} eq '-';
    my $coding = $want{encodings} =~ /gzip/ ? 'gzip' : 'deflate';
    my $code = $coding eq 'gzip' ? \&gzip : \&zlib;

    subtest $name => sub {
        is(verdict($uri, undef, %port, length => 1 << 40),
           "max_body $want{max_body}", 'max_body');
        is(verdict($uri, undef, %port, length => $want{max_body}),
           "max_decoded $want{max_decoded}", 'max_decoded');
        is(verdict($uri, $code->('0' x 900), %port, encoding => $coding),
           "max_ratio $want{max_ratio}", 'max_ratio');
        is(verdict($uri, $code->('0' x $want{floor}), %port,
                   encoding => $coding), '- -', 'up to the floor');
        is(verdict($uri, $code->('0' x ($want{floor} + 99)), %port,
                   encoding => $coding),
           "max_ratio $want{max_ratio}", 'above the floor');
        is(verdict($uri, "1\n" x 20, %port),
           $none ? '- -' : "max_records $want{max_records}", 'max_records');
        is(verdict($uri, 'x' x 2500, %port),
           $none ? '- -' : "max_record_size $want{max_record_size}",
           'max_record_size');

        my $r = $t->post($uri, 'x', encoding => 'br', %port);

        is($r->header('Accept-Encoding'), $want{encodings}, 'encodings');
        is($r->header('Content-Type'), $want{page}, 'error_format');

        my ($line) = reverse $t->log_lines(qr/rejected: encoding/);

        like($line, qr/\[$want{level}\]/, 'log_level');

        $backend->clear;
        like(verdict($uri, 'x' x 9000, framing => 'chunked', chunk => 1000,
                     cut => 1007, drain => 1, %port), qr/^max_/, 'a late one');

        # the backend may not have accepted it yet

        wait_until { $backend->connections } if $want{buffering} eq 'off';
        is($backend->connections ? 'off' : 'on', $want{buffering},
           'buffering');
    };
}
