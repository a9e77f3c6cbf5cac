#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The place of temporary files is gone, or a file there is cut short before
# the gate has read it: what cannot be stored or read is not inspected, so it
# is refused, the backend hears nothing of it, and the next request on the
# backend's connection is not made of it.

use strict;
use warnings;

use lib 't/lib';

use File::Path qw(make_path remove_tree);

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend(keepalive => 1);
my $auth = $t->peer('http', name => 'AUTH');
my $dir = $t->dir . '/bodies';

$t->start(main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    upstream kept {
        server %%BACKEND%%;
        keepalive 1;
    }
HTTP
    guardrail on;
    guardrail_max_ratio off;
    client_body_buffer_size 16k;
    client_body_temp_path %%DIR%%/bodies;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / {
        guardrail_decode on;
        proxy_pass http://kept;
    }

    location /error {
        guardrail_decode on;
        error_page 500 = @error;
        proxy_pass http://kept;
    }

    location @error {
        guardrail_max_body 2m;
        proxy_pass http://kept;
    }

    # each body has a file

    location /file {
        client_body_in_file_only clean;
        guardrail_decode on;
        proxy_pass http://kept;
    }

    # read by another module, into memory, and decoded at the gate

    location /late {
        test_read rewrite;
        guardrail_decode on;
        proxy_pass http://kept;
    }

    # read into a file, and another module waits meanwhile

    location /cut {
        test_read rewrite;
        client_body_in_file_only clean;
        guardrail_max_records 1000;
        guardrail_format ndjson;
        auth_request /auth;
        proxy_pass http://kept;
    }

    location = /auth {
        guardrail off;
        proxy_pass http://%%AUTH%%;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
SERVER

my $text = pseudo_random(200_000, 1);
my $coded = gzip($text);
my $zeros = gzip_zeros(500_000);
my @gzip = (encoding => 'gzip');


sub refused {
    my ($name, $r) = @_;

    is($r->status, 500, "$name: status");
    is($r->json->{reason}, 'internal', "$name: reason");
    is(scalar($backend->requests), 0, "$name: the backend hears nothing");
}


each_framing {
    my ($f) = @_;

    is($t->post($_, $coded, @gzip, framing => $f)->json->{length},
       length $text, "$_: stored and decoded") for '/', '/error';
    is($t->post('/late', $zeros, @gzip, framing => $f)->json->{length},
       500_000, 'late: stored and decoded');

    remove_tree($dir);
    $backend->clear;

    refused('decoded', $t->post('/', $coded, @gzip, framing => $f));
    refused('late', $t->post('/late', $zeros, @gzip, framing => $f));

    refused('a small one of a file',
            $t->post('/file', gzip('abc'), @gzip, framing => $f));

    # what fits into memory needs none

    is($t->post('/', gzip('abc'), @gzip, framing => $f)->json->{length}, 3,
       'a small one');

    $backend->clear;

    my $r = $t->post('/error', $coded, @gzip, framing => $f);

    is($r->json->{length}, 0, 'error_page: no body');
    is($r->json->{headers}{'content-length'} // 0, 0, 'error_page: length');

    make_path($dir);
    chmod 0777, $dir;

    $backend->clear;
    is($t->post('/', $coded, @gzip, framing => $f)->json->{length},
       length $text, 'there is a place again');
};


each_framing {
    my ($f) = @_;

    $auth->set(hold => 1);
    $auth->clear;
    $backend->clear;

    my $pid = fork // die;

    if (!$pid) {
        require POSIX;
        $auth->wait_requests(1);

        for my $file (glob "$dir/*") {
            truncate $file, 10_000;
        }

        $auth->release;
        POSIX::_exit(0);
    }

    refused('a file cut short', $t->post('/cut', ndjson(1000, size => 100),
                                         framing => $f));
    waitpid $pid, 0;

    $auth->set(hold => 0);
    is($t->post('/cut', ndjson(1000, size => 100), framing => $f)->status, 200,
       'one that is not');
};

my $log = qr/guardrail: rejected: internal \(the \w+ body cannot be/;

is(scalar($t->log_lines(qr/$log read\)/)), 4, 'the log says what failed');
is(scalar($t->log_lines(qr/$log stored\)/)), 16, 'each time');

$t->done;
