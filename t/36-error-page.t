#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# error_page wins over the problem, in each of its forms, and the place it
# leads to sees the variables and no body.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend(headers => ['Content-Type', 'text/x-backend']);

$t->file('too-large.html', "too large\n");
$t->file('not-read.html', "not read\n");

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$http_x_id $status $guardrail_verdict $guardrail_reason '
                 '$guardrail_limit $guardrail_observed $request_id';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail on;
    guardrail_max_body 10;
    root %%DIR%%;

    proxy_set_header X-Verdict  $guardrail_verdict;
    proxy_set_header X-Reason   $guardrail_reason;
    proxy_set_header X-Limit    $guardrail_limit;
    proxy_set_header X-Observed $guardrail_observed;
    proxy_set_header X-Request  $request_id;
    proxy_set_header X-Length   "length $content_length";

    location /plain/ {
        proxy_pass http://%%BACKEND%%;
    }

    location /uri/ {
        error_page 413 /too-large.html;
        error_page 415 /not-read.html;
        proxy_pass http://%%BACKEND%%;
    }

    location /guarded/ {
        error_page 413 415 /guarded/page;
        proxy_pass http://%%BACKEND%%;
    }

    location = /guarded/page {
        guardrail_max_body 1;
        guardrail_encodings none;
        proxy_pass http://%%BACKEND%%;
    }

    location /named/ {
        error_page 413 415 @named;
        proxy_pass http://%%BACKEND%%;
    }

    location @named {
        guardrail_max_body 1;
        add_header X-Add $guardrail_reason always;
        proxy_pass http://%%BACKEND%%;
    }

    location /any/ {
        error_page 413 = @any;
        proxy_pass http://%%BACKEND%%;
    }

    location @any {
        guardrail off;
        proxy_pass http://%%BACKEND%%;
    }

    location /ok/ {
        error_page 413 =200 /too-large.html;
        proxy_pass http://%%BACKEND%%;
    }

    location /bad/ {
        error_page 413 415 =400 /too-large.html;
        proxy_pass http://%%BACKEND%%;
    }

    location /moved/ {
        error_page 413 https://example.com/limits?r=$guardrail_reason;
        proxy_pass http://%%BACKEND%%;
    }

    location /moved301/ {
        error_page 413 =301 https://example.com/limits;
        proxy_pass http://%%BACKEND%%;
    }

    location /variables/ {
        error_page 413 415 /why/$guardrail_reason?n=$guardrail_observed;
        proxy_pass http://%%BACKEND%%;
    }

    location /why/ {
        return 418 "$uri $arg_n $guardrail_limit $guardrail_verdict";
    }

    location /missing/ {
        error_page 413 /nowhere.html;
        proxy_pass http://%%BACKEND%%;
    }

    location /returns/ {
        error_page 413 @returns;
        proxy_pass http://%%BACKEND%%;
    }

    location @returns {
        return 413;
    }

    location /others/ {
        error_page 400 500 503 /not-read.html;
        proxy_pass http://%%BACKEND%%;
    }

    location /internal/ {
        error_page 500 @named;
        guardrail_max_body $http_x_none;
        proxy_pass http://%%BACKEND%%;
    }

    location /nginx/ {
        guardrail_error_format nginx;
        error_page 413 415 /too-large.html;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;
my $large = 'x' x 20;

each_framing {
    my ($f) = @_;
    my $observed = $f =~ /cl/ ? 20 : 11;
    my @seen = ('reject', 'max_body', 10, $observed);

    subtest 'without error_page' => sub {
        my $r = asks('/plain/', $large, $f, @seen, 413);

        is($r->header('Content-Type'), 'application/problem+json', 'a problem');
        is($backend->connections, 0, 'no backend');
    };

    subtest 'a uri' => sub {
        my $r = asks('/uri/', $large, $f, @seen, 413);

        is($r->header('Content-Type'), 'text/html', 'its type');
        is($r->body, "too large\n", 'its body');
        is($r->header('Cache-Control'), undef, 'its headers');
    };

    subtest 'a guarded uri' => sub {
        my $r = asks('/guarded/', $large, $f, @seen, 413);

        is($r->header('Content-Type'), 'text/x-backend', 'its type');
        forwarded('GET', '/guarded/page', @seen);
    };

    subtest 'a named location' => sub {
        my $r = asks('/named/', $large, $f, @seen, 413);

        is($r->header('Content-Type'), 'text/x-backend', 'its type');
        is($r->header('X-Add'), 'max_body', 'add_header sees the reason');
        forwarded('POST', '/named/', @seen);
    };

    subtest 'whatever the location answers' => sub {
        my $r = asks('/any/', $large, $f, @seen, 200);

        is($r->header('Content-Type'), 'text/x-backend', 'its type');
        forwarded('POST', '/any/', @seen);

        $backend->set(status => 507);
        asks('/any/', $large, $f, @seen, 507);
        $backend->set(status => 200);
    };

    subtest 'another status' => sub {
        is(asks('/ok/', $large, $f, @seen, 200)->body, "too large\n",
           'for 200');
        is(asks('/bad/', $large, $f, @seen, 400)->body, "too large\n",
           'for 400');
    };

    subtest 'a redirect' => sub {
        my $r = asks('/moved/', $large, $f, @seen, 302);

        is($r->header('Location'), 'https://example.com/limits?r=max_body',
           'Location');
        like($r->body, qr/302 Found/, "nginx's page");
        is($r->header('Content-Type'), 'text/html', 'its type');

        $r = asks('/moved301/', $large, $f, @seen, 301);
        like($r->body, qr/301 Moved/, "nginx's page, 301");
        is($backend->connections, 0, 'no backend');
    };

    subtest 'a uri with variables' => sub {
        is(asks('/variables/', $large, $f, @seen, 413)->body,
           "/why/max_body $observed 10 reject", 'they are seen');
    };

    subtest 'a page that is not there' => sub {
        my $r = asks('/missing/', $large, $f, @seen, 404);

        like($r->body, qr/404 Not Found/, "nginx's page");
    };

    subtest 'a location that returns the same status' => sub {
        my $r = asks('/returns/', $large, $f, @seen, 413);

        like($r->body, qr/413 Request Entity/, "nginx's page: it was asked");
    };

    subtest 'pages for other statuses' => sub {
        my $r = asks('/others/', $large, $f, @seen, 413);

        is($r->header('Content-Type'), 'application/problem+json',
           'not for 413');

        $r = asks('/others/', 'no gzip', $f, 'reject', 'malformed_encoding',
                  '-', '-', 400, encoding => 'gzip');
        is($r->body, "not read\n", 'for 400');
    };

    subtest 'a limit that cannot be read' => sub {
        asks('/internal/', 'x', $f, 'reject', 'internal', '-', '-', 500);
        forwarded('POST', '/internal/', 'reject', 'internal', undef, undef);
    };

    subtest 'with error_format nginx' => sub {
        is(asks('/nginx/', $large, $f, @seen, 413)->body, "too large\n",
           'the page');
    };

    subtest 'Accept-Encoding goes with every 415' => sub {
        my @br = (encoding => 'br');

        for my $uri (qw(/plain/ /uri/ /guarded/ /named/ /variables/ /nginx/)) {
            my $r = asks($uri, 'x', $f, 'reject', 'encoding',
                         '"gzip, deflate"', '"br"', 415, @br);

            is($r->header('Accept-Encoding'), 'gzip, deflate', $uri);
        }

        my $r = asks('/uri/', $large, $f, @seen, 413);

        is($r->header('Accept-Encoding'), undef, 'not with a 413');
    };
};

wait_until { logged() == $id };
is(logged(), $id, 'logged once each');

$t->done;


# lines in the error log, and those that the log says it left out

sub logged {
    my $n = $t->log_lines(qr/guardrail: rejected/);

    for my $line ($t->log_lines(qr/refusals not logged/)) {
        $n += $1 if $line =~ /guardrail: (\d+) refusals not logged/;
    }

    return $n;
}


# a refused POST; verdict, reason, limit, observed as the access log has them

sub asks {
    my ($uri, $body, $framing, $verdict, $reason, $limit, $observed, $status,
        %opt) = @_;

    $backend->clear;

    my $r = $t->post($uri, $body, framing => $framing, %opt,
                     headers => ['X-Id', ++$id]);
    my $conn = delete $r->{conn};

    is($r->status, $status, "$uri: status");
    ok($conn->closed, "$uri: closed") if $framing !~ /h2/;
    undef $conn;

    my $line = wait_until {
        my ($found) = grep { s/^$id // } $t->access_log('v.log');

        return $found;
    };

    # the log format does not quote

    s/"//g for $limit, $observed;

    like($line, qr/^$status $verdict $reason \Q$limit $observed\E [0-9a-f]+$/,
         "$uri: access log");

    return $r;
}


# what a backend sees that an error_page leads to

sub forwarded {
    my ($method, $uri, @seen) = @_;
    my $q = $backend->last;

    is("$q->{method} $q->{uri}", "$method $uri", 'request');
    is($q->{length}, 0, 'no body');
    ok(!$q->{declared}, 'no length');
    is($q->{headers}{'transfer-encoding'}, undef, 'not chunked');
    like($q->{headers}{'x-length'}, qr/^length 0?\z/, 'no $content_length');
    is($q->{headers}{'x-' . $_}, shift @seen, $_)
        for qw(verdict reason limit observed);

    my ($line) = reverse $t->access_log('v.log');

    like($line, qr/\b$q->{headers}{'x-request'}\z/, 'the same request');
}
