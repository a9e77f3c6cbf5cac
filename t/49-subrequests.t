#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A subrequest that carries the body into a guarded location is inspected
# there.  nginx shares the body between a request and its subrequests: what
# one of them is refused must not change what the others get.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $copies = $t->backend(name => 'COPIES', keepalive => 1);
my $fastcgi = $t->peer('fastcgi');
my $part = $t->backend(name => 'PART', body => 'part');

mkdir $t->dir . '/files';
$t->file('files/ssi', '');
$t->file('files/page.html', "<!--# include virtual=\"/include/plain\" -->,"
         . "<!--# include virtual=\"/include/guarded\" -->,"
         . "<!--# include virtual=\"/include/plain\" -->");

$t->start(main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    log_format v '$guardrail_verdict $guardrail_reason '
                 '$guardrail_body_bytes $guardrail_records';
    access_log %%DIR%%/v.log v;
    log_subrequest on;

    upstream copies {
        server %%COPIES%%;
        keepalive 1;
    }
HTTP
    client_body_buffer_size 1k;

    location /one {
        client_max_body_size 100m;
        mirror /mirror;
        proxy_pass http://%%BACKEND%%;
    }

    location /three {
        guardrail on;
        guardrail_max_records 10000;
        client_max_body_size 100m;
        mirror /mirror;
        mirror /mirror-declared;
        mirror /plain;
        proxy_pass http://%%BACKEND%%;
    }

    location /memory {
        guardrail on;
        client_body_buffer_size 1m;
        mirror /mirror;
        mirror /mirror-declared;
        mirror /plain;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail on;
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        mirror /mirror;
        mirror /plain;
        proxy_pass http://%%BACKEND%%;
    }

    location /lengths {
        guardrail on;
        mirror /mirror-declared;
        mirror /fastcgi;
        proxy_pass http://%%BACKEND%%;
    }

    location = /fastcgi {
        internal;
        fastcgi_pass %%FASTCGI%%;
        include /etc/nginx/fastcgi_params;
    }

    location = /mirror {
        internal;
        guardrail on;
        guardrail_max_body 100m;
        guardrail_max_records 5;
        guardrail_format ndjson;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Verdict $guardrail_verdict;
        proxy_pass http://copies;
    }

    location = /mirror-declared {
        internal;
        guardrail on;
        guardrail_max_body 20;
        error_page 413 = /mirror-page;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://copies;
    }

    location = /mirror-page {
        internal;
        guardrail on;
        guardrail_max_body 10;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Length "[$content_length]";
        proxy_pass http://copies;
    }

    location = /plain {
        internal;
        client_max_body_size 100m;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://copies;
    }

    location /auth-before {
        auth_request /auth;
        guardrail on;
        guardrail_max_records 5;
        proxy_pass http://%%BACKEND%%;
    }

    location = /auth {
        internal;
        guardrail on;
        guardrail_max_body 1;
        guardrail_max_records 1;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Content-Length "";
        proxy_pass_request_body off;
        proxy_pass http://copies;
    }

    location /ssi {
        root %%DIR%%/files;
        ssi on;
        guardrail on;
        test_read rewrite;
        error_page 405 = /page.html;
    }

    location = /page.html {
        root %%DIR%%/files;
        ssi on;
    }

    location = /include/plain {
        proxy_pass http://%%PART%%;
    }

    location = /include/guarded {
        guardrail on;
        guardrail_max_records 5;
        proxy_pass http://%%PART%%;
    }

    location = /own {
        guardrail on;
        guardrail_max_records 5;
        test_subrequest /own-inner '{"a":1}
{"a":2}';
    }

    location = /own-large {
        guardrail on;
        guardrail_max_records 5;
        test_subrequest /own-inner '{}
{}
{}
{}
{}
{}';
    }

    location = /own-inner {
        internal;
        guardrail on;
        guardrail_max_records 5;
        proxy_set_header X-Verdict $guardrail_verdict;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $small = ndjson(5);
my $large = ndjson(6);
my $huge = ndjson(2000, size => 100);
my %nd = (type => 'application/x-ndjson');


# what the mirrors got, by their path

sub copies {
    my (@want) = @_;
    my %got;

    $copies->wait_requests(sub {
        %got = map { $_->{uri} => $_ } grep { $_->{complete} } @_;
        return @want == grep { $got{$_} } @want;
    });

    return %got;
}


each_framing {
    my ($f) = @_;

    for my $at (qw(/one /three /memory /unbuffered)) {
        for my $body ($small, $large, $huge) {
            my $name = "$at, " . length($body) . ' bytes';
            my $plain = $at ne '/one';
            my $passes = $body eq $small;

            $copies->clear;
            $backend->clear;

            my $from = () = $t->access_log('v.log');
            my $r = $t->post($at, $body, framing => $f, %nd);

            is($r->status, 200, "$name: the main request");
            is($r->json->{sha1}, sha1_hex($body), "$name: its body");
            is($r->json->{headers}{'content-length'} // length $body,
               length $body, "$name: its length");

            my %got = copies($plain ? '/plain' : (),
                             $passes ? '/mirror' : ());

            is($got{'/plain'}{sha1}, sha1_hex($body), "$name: a plain mirror")
                if $plain;
            is($got{'/mirror'}{sha1}, $passes ? sha1_hex($body) : undef,
               "$name: a guarded mirror");
            is($got{'/mirror-declared'}, undef, "$name: one for small bodies");

            if ($at =~ /three|memory/) {
                my %page = copies('/mirror-page');

                is($page{'/mirror-page'}{length}, 0, "$name: its error_page");
                is($page{'/mirror-page'}{headers}{'x-length'}, '[0]',
                   "$name: without a length");
            }

            # variables tell of the main request

            wait_until {
                grep { /^(?:pass|off)/ } splice @{[$t->access_log('v.log')]},
                                                $from;
            };

            my @lines = $t->access_log('v.log');

            splice @lines, 0, $from;
            is(scalar(grep { /^reject/ } @lines), 0, "$name: verdict");
        }
    }
};

is($copies->connections, 1, 'one connection to the mirrors');


subtest 'the fields of a header are shared too' => sub {
    for my $f (qw(cl h2-cl)) {
        $fastcgi->clear;
        is($t->post('/lengths', $small, framing => $f, %nd)->status, 200,
           "$f: accepted");

        # the first mirror was refused

        my ($q) = $fastcgi->wait_requests(sub { @_ && $_[0]{complete} });

        is($q->{params}{CONTENT_LENGTH}, length $small, "$f: the length");
        is($q->{sha1}, sha1_hex($small), "$f: the body");
    }
};


subtest 'auth_request' => sub {
    for my $f (qw(cl chunked h2)) {
        for my $at ('/auth-before') {
            my $r = $t->post($at, $small, framing => $f, %nd);

            is($r->status, 200, "$at, $f: accepted");
            is($r->json->{sha1}, sha1_hex($small), "$at, $f: arrived");
            is($copies->last->{length}, 0, "$at, $f: no body for auth");

            $backend->clear;
            $r = $t->post($at, $large, framing => $f, %nd);
            is($r->status, 413, "$at, $f: refused");
            is($backend->connections, 0, "$at, $f: no backend");
        }
    }
};


subtest 'SSI' => sub {
    for my $f (qw(cl chunked h2)) {
        is($t->post('/ssi', $small, framing => $f, %nd)->body,
           'part,part,part', "$f: accepted");

        my $r = $t->post('/ssi', $large, framing => $f, %nd);

        like($r->body, qr/^part,.*,part$/s, "$f: around the one refused");
        unlike($r->body, qr/^part,part/, "$f: the one refused");
        is($r->error, '', "$f: complete");
    }
};


subtest 'a subrequest with a body of its own' => sub {
    for my $f (qw(cl chunked h2)) {
        $backend->clear;

        my $r = $t->post('/own', $small, framing => $f, %nd);

        is($r->json->{length}, 15, "$f: its own body");

        # what the main request's body was found to be says nothing of it

        for my $body ($small, '{"a":"b c d e f"}') {
            $backend->clear;
            $r = $t->post('/own-large', $body, framing => $f, %nd);
            is($r->json->{length}, undef, "$f: refused");
            is($backend->connections, 0, "$f: no backend");
        }
    }
};

$t->done;
