#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A request that is led from one location to another is judged once under the
# same limits, and again under others; what was found stays visible.  nginx
# forgets a module's context at each internal redirect.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

# each pass of a decoder over these bodies shows in the log

my $t = Guardrail::Test->new(log_level => 'debug');
my $backend = $t->backend;
my $first = $t->backend(name => 'FIRST', respond => sub {
    my ($q) = @_;

    return 503 if $q->{uri} =~ /error/;

    return 200, ['X-Accel-Redirect', "/accel/$1"], ''
        if $q->{uri} =~ /accel-(\w+)/;
    return 200, ['X-Accel-Redirect', '@named'], '';
});

mkdir $t->dir . '/files';

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$uri $guardrail_verdict $guardrail_reason '
                 '$guardrail_decoded_bytes $guardrail_records';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail on;
    guardrail_max_ratio off;
    guardrail_max_body 1m;
    guardrail_max_decoded 100m;
    guardrail_max_record_size 1m;

    root %%DIR%%/files;
    recursive_error_pages on;

    location /try {
        try_files $uri @named;
    }

    location /error {
        error_page 503 = @named;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /uri-error {
        error_page 503 = /accel/same;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /chain-error {
        error_page 503 = @chain;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location @chain {
        error_page 503 = /try;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /accel-same {
        proxy_pass http://%%FIRST%%;
    }

    location /accel-less {
        proxy_pass http://%%FIRST%%;
    }

    location /accel-format {
        proxy_pass http://%%FIRST%%;
    }

    location /named-accel {
        proxy_pass http://%%FIRST%%;
    }

    location /variable {
        guardrail_max_decoded $arg_a;
        try_files $uri @variable;
    }

    location @variable {
        guardrail_max_decoded $arg_b;
        proxy_pass http://%%BACKEND%%;
    }

    location /rewrite {
        rewrite ^ /accel/same last;
    }

    location /dry {
        guardrail dry_run;
        guardrail_max_decoded 1000;
        try_files $uri @named;
    }

    location /off {
        guardrail off;
        client_max_body_size 1m;
        try_files $uri @named;
    }

    location /less {
        try_files $uri @less;
    }

    location @less {
        guardrail_max_decoded 1000000;
        proxy_pass http://%%BACKEND%%;
    }

    location @named {
        proxy_pass http://%%BACKEND%%;
        proxy_method POST;
    }

    location /accel {
        internal;

        location /accel/same {
            proxy_pass http://%%BACKEND%%;
            proxy_method POST;
        }

        location /accel/less {
            guardrail_max_decoded 1000000;
            proxy_pass http://%%BACKEND%%;
            proxy_method POST;
        }

        location /accel/format {
            guardrail_format none;
            proxy_pass http://%%BACKEND%%;
            proxy_method POST;
        }
    }
SERVER

my $large = gzip(ndjson(20000, size => 99));
my %o = (encoding => 'gzip', type => 'application/x-ndjson');


# The worker's budget is 256 KiB of output for one pass of its event loop: so
# often a request steps aside at least while its body is judged.

my $once = int(2000000 / 262144);


sub passes {
    my ($uri, %opt) = @_;
    my $from = $t->log_end;
    my $r = $t->post($uri, $large, %o, %opt);

    return ($r, scalar($t->log_lines(qr/guardrail steps aside/, $from)));
}


each_framing {
    my ($f) = @_;
    my ($r, $n);

    for my $uri (qw(/try/x /error /uri-error /chain-error /accel-same
                    /named-accel /rewrite /variable?a=3m&b=3072k))
    {
        ($r, $n) = passes($uri, framing => $f);

        is($r->status, 200, "$uri: accepted");
        is($r->json->{sha1}, sha1_hex($large), "$uri: arrived");
        cmp_ok($n, '>=', $once, "$uri: judged");
        cmp_ok($n, '<', 2 * $once, "$uri: only once");
    }

    for my $uri (qw(/variable?a=3m&b=4m /variable?a=off&b=3m)) {
        ($r, $n) = passes($uri, framing => $f);

        is($r->status, 200, "$uri: accepted");
        is($r->json->{sha1}, sha1_hex($large), "$uri: arrived");
        cmp_ok($n, '>=', 2 * $once, "$uri: judged again");
    }

    for my $uri (qw(/off /dry)) {
        ($r, $n) = passes($uri, framing => $f);

        is($r->status, 200, "$uri: accepted");
        cmp_ok($n, '>=', $once, "$uri: judged where it is on");
    }

    $backend->clear;

    for my $uri (qw(/less /accel-less /variable?a=3m&b=1000000)) {
        $r = $t->post($uri, $large, %o, framing => $f);
        is($r->status, 413, "$uri: refused");
        is($r->json->{reason}, 'max_decoded', "$uri: reason");
        is($r->json->{limit}, 1000000, "$uri: by the second location");
    }

    is($backend->connections, 0, 'none of them came to the backend');

    # the format is a limit too

    is($t->post('/accel-format', $large, %o, framing => $f)->status, 200,
       'another format');
};


subtest 'variables after redirects' => sub {
    my @uris = qw(/try/x /error /uri-error /chain-error /accel-same
                  /named-accel /rewrite /less /accel-format);
    my $from = $t->quiet_access_log('v.log');

    $t->post($_, $large, %o) for @uris;

    my @lines = $t->wait_access_log($from + @uris, 'v.log');

    splice @lines, 0, $from;

    for my $uri (@uris) {
        my $line = shift @lines;
        my $want = $uri eq '/less' ? 'reject max_decoded 1000001 10000'
                   : $uri =~ /format/ ? 'pass - 2000000 0'
                   : 'pass - 2000000 20000';

        like($line, qr/ \Q$want\E$/, $uri);
    }
};

$t->done;
