#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Whatever a filter finds, and whenever, the client gets an answer: nginx's
# readers ignore a filter's NGX_ERROR, and the client would wait for ever.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

my $server = <<'SERVER';
    guardrail on;
    guardrail_max_records 10;
    guardrail_max_body 100k;
    guardrail_format ndjson;

    # would be the end of a wait
    client_body_timeout 1h;
    proxy_read_timeout 1h;

    location /gate {
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered-1.0 {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_pass http://%%BACKEND%%;
    }

    location /passed {
        guardrail_buffering off;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        guardrail_buffering off;
        mirror /copy;
        proxy_pass http://%%BACKEND%%;
    }

    location /early {
        test_read rewrite;
        proxy_pass http://%%BACKEND%%;
    }

    location = /copy {
        internal;
        guardrail off;
        proxy_pass http://%%BACKEND%%;
    }

    location /unreadable {
        guardrail_max_body $arg_none;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        error_page 400 413 415 500 503 /gate;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $fine = ndjson(10, size => 100);
my $large = ndjson(10, size => 10300);
my %refused = (
    'a record too many' => ["$fine\{}\n", 413],
    'a byte too many'   => [$large, 413],
    'no gzip'           => ['x' x 100, 400, 'gzip'],
    'truncated'         => [substr(gzip($fine), 0, -4), 400, 'gzip'],
    'unknown'           => [$fine, 415, 'zstd'],
    'UTF-16'            => ["\xff\xfe{\0}\0", 400],
);

$t->start(main => load_test_module, server => $server);

each_framing {
    my ($f) = @_;

    for my $at (qw(gate unbuffered unbuffered-1.0 passed mirror early page)) {
        for my $name (sort keys %refused) {
            my ($body, $status, $coding) = @{$refused{$name}};

            # the end is withheld, or the rest of it: nothing more will come

            for my $how ({}, { end => 0 }, { cut => 100, drain => 1 }) {
                my %o = (framing => $f, %$how);

                # what is judged at its end only needs one

                next if exists $how->{end}
                        && ($name eq 'truncated' || $at eq 'early');

                $o{encoding} = $coding if $coding;
                $o{length} = length($body) + 1
                    if $f =~ /cl/ && exists $how->{end};

                my $r = $t->post("/$at", $body, %o);

                my $told = join ' ', "$at, $name:", %$how;

                is($r->status, $status, $told);
                is($r->error, '', "$told: complete");
            }
        }
    }

    is($t->post('/unreadable', $fine, framing => $f)->status, 500,
       'unreadable');
};

$t->stop;
$t->start(main => load_test_module, http => 'guardrail_decoder_memory 1;',
          server => $server);

each_framing {
    my ($f) = @_;

    for my $at (qw(gate unbuffered passed mirror early)) {
        is($t->post("/$at", gzip($fine), framing => $f, encoding => 'gzip')
             ->status, 503, "$at: no decoder");
    }
};

$t->done;
