#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A backend that answers before it has the whole body: from then on nobody
# waits for the rest, and how slowly it comes is no reason to refuse a request
# that was answered, or to cut an answer that is on its way.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '5s');
my $big = 8 << 20;

my $early = $t->backend(name => 'EARLY', early => 1, body => 'early');
my $large = $t->backend(name => 'LARGE', early => 1, body => 'x' x $big);
my $busy = $t->backend(name => 'BUSY', early => 1, status => 503);
my $slow = $t->backend(name => 'SLOW', delay => 3, body => 'slow');

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format verdict "$uri $status $guardrail_verdict";
    access_log %%DIR%%/verdict.log verdict;
HTTP
    guardrail on;
    guardrail_buffering off;
    guardrail_min_rate off;
    guardrail_body_timeout 2s;
    proxy_request_buffering off;
    proxy_http_version 1.1;

    location /small {
        proxy_pass http://%%EARLY%%;
    }

    location /large {
        sendfile off;
        proxy_pass http://%%LARGE%%;
        proxy_max_temp_file_size 16m;
    }

    location /page {
        proxy_intercept_errors on;
        error_page 503 = @page;
        proxy_pass http://%%BUSY%%;
    }

    location @page {
        guardrail off;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass http://%%SLOW%%;
    }
SERVER

# bytes still come, a few at a time, while nginx lingers

sub drip {
    my ($c, $n) = @_;

    for (1 .. $n) {
        $c->send('x');
        select undef, undef, undef, 0.1;
    }
}

my $c = $t->h1;

$c->request('POST', '/small', 'x' x 100, length => 1000, read => 0);

my $r = $c->read;

is($r->status, 200, 'small: answered');
drip($c, 30);
$c->close;

$c = $t->h1;
$c->request('POST', '/large', 'x' x 100, length => 1000, read => 0);
select undef, undef, undef, 3;
$r = $c->read;

is($r->status, 200, 'large: answered');
is(length $r->body, $big, 'large: all of it, though it is read late');
$c->close;

# another location answers, and takes its time

$c = $t->h1;
$c->request('POST', '/page', 'x' x 100, length => 1000, read => 0);
$r = $c->read;

is($r->status, 200, 'page: answered');
is($r->body, 'slow', 'page: by the other location');
$c->close;

$t->wait_access_log(3, 'verdict.log');

is(join(';', sort $t->access_log('verdict.log')),
   '/large 200 pass;/page 200 pass;/small 200 pass', 'none is a refusal');
is(scalar($t->log_lines(qr/guardrail: rejected/)), 0, 'nothing is logged');

$t->done;
