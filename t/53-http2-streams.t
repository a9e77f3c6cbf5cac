#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# HTTP/2: the end of a body is where its declared length ends, whatever
# END_STREAM does; a refused stream leaves the others alone, what still comes
# on it is dropped, and the connection stays usable.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $slow = $t->backend(name => 'SLOW', hold => 1);

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_max_records 100;
    guardrail_max_body 10m;
    guardrail_max_ratio off;
    guardrail_format ndjson;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        error_page 413 415 = @slow;
        proxy_pass http://%%BACKEND%%;

        location /page/unbuffered {
            guardrail_buffering off;
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://%%BACKEND%%;
        }
    }

    location @slow {
        proxy_pass http://%%SLOW%%;
    }

    location /small-buffer {
        client_body_buffer_size 1k;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @at = qw(/ /small-buffer /unbuffered);
my $fine = ndjson(100, size => 500);


sub start_stream {
    my ($c, $uri, @headers) = @_;

    return $c->headers([':method', 'POST', ':scheme', 'http', ':path', $uri,
                        ':authority', 'x', @headers]);
}


subtest 'END_STREAM withheld' => sub {
    for my $at (@at) {

        # an end that is found only at the end: truncated, one row too many
        # by its last byte

        for my $case ([substr(gzip($fine), 0, -1), 400, 'malformed_encoding',
                       'content-encoding', 'gzip'],
                      ["$fine\{", 413, 'max_records'],
                      [gzip("$fine\{"), 413, 'max_records',
                       'content-encoding', 'gzip'])
        {
            my ($body, $status, $reason, @headers) = @$case;
            my $c = $t->h2;
            my $sid = start_stream($c, $at, 'content-length', length $body,
                                   @headers);

            $backend->clear;
            $c->data($sid, $body, end => 0);

            my $r = $c->read($sid);

            is($r->status, $status, "$at, $status: status");
            is($r->json->{reason}, $reason, "$at, $status: reason");
            is(scalar(grep { $_->{complete} } $backend->requests), 0,
               "$at, $status: the backend never had all of it");
        }

        # an accepted one goes on as in plain nginx

        my $c = $t->h2;
        my $sid = start_stream($c, $at, 'content-length', length $fine);

        $c->data($sid, $fine, end => 0);
        is($c->read($sid, timeout => 0.1)->error, 'timeout', "$at: waits")
            if $at ne '/unbuffered';
        $c->data($sid, '', end => 1);
        is($c->read($sid)->json->{sha1}, sha1_hex($fine), "$at: arrived");
    }
};


subtest 'how frames are cut' => sub {
    my $short = ndjson(100);

    for my $at (@at) {
        for my $body ($short, gzip($short)) {
            my @o = $body eq $short ? () : (encoding => 'gzip');

            for my $how ({ cut => 1 }, { cut => 7, pad => 255 },
                         { cut => 1000, pad => 0 }, { empty_end => 1 },
                         { pad => 100, cut => 4096, empty_end => 1 },
                         { cut => 4096, drain => 1 })
            {
                for my $f (qw(h2 h2-cl)) {
                    my $name = join ' ', "$at, $f", @o ? 'coded' : (),
                               map { "$_ $how->{$_}" } sort keys %$how;
                    my $r = $t->post($at, $body, framing => $f, @o, %$how);

                    is($r->json->{sha1}, sha1_hex($body), $name);
                    is($r->error, '', "$name: complete");
                }
            }
        }
    }
};


subtest 'one of several streams is refused' => sub {
    for my $at (@at) {
        for my $coded (0, 1) {
            my $c = $t->h2;
            my $name = $coded ? "$at, coded" : $at;
            my @h = $coded ? ('content-encoding', 'gzip') : ();
            my $body = $coded ? gzip($fine) : $fine;
            my $bad = $coded ? gzip("$fine\{}\n", level => 1) : "$fine\{}\n";
            my @good = map { start_stream($c, "$at?$_", @h) } 1 .. 4;
            my $sid = start_stream($c, "$at?bad", @h);
            my $half = int length($body) / 2;

            $c->data($_, substr($body, 0, $half), end => 0) for @good;
            $c->data($sid, $bad, end => 0);
            is($c->read($sid)->status, 413, "$name: refused");

            # nginx does not mind what comes on it still

            $c->frame(0, 0, $sid, 'x' x 100) for 1 .. 20;

            $c->data($_, substr($body, $half), end => 1) for @good;

            for my $good (@good) {
                is($c->read($good)->json->{sha1}, sha1_hex($body),
                   "$name: another stream");
            }

            my $r = $c->request('POST', "$at?next", $body, framing => 'h2',
                                headers => \@h);

            is($r->json->{sha1}, sha1_hex($body), "$name: the next stream");
            ok(!defined $c->{goaway}, "$name: the connection stays");
        }
    }
};


subtest 'what comes on refused streams takes no window' => sub {
    my $c = $t->h2;

    # more than the connection's window in sum, each stream within its own

    for my $n (1 .. 40) {
        my $sid = start_stream($c, '/', 'content-encoding', 'br');

        $c->data($sid, 'x' x 60000, end => 0, stubborn => 1);
        is($c->read($sid)->status, 415, "stream $n") if $n % 10 == 0;
    }

    is($c->request('POST', '/', $fine, framing => 'h2')->json->{sha1},
       sha1_hex($fine), 'the next stream');
};


subtest 'what comes on a refused stream while its error_page is made' => sub {
    for my $case (['/page', '', 'content-length', 20 << 20],
                  ['/page', '', 'content-encoding', 'br'],
                  ['/page', "$fine\{"],
                  ['/page/unbuffered', "$fine\{"],
                  ['/page', gzip("$fine\{"), 'content-encoding', 'gzip'])
    {
        my ($uri, $body, @headers) = @$case;

        for my $end (0, 1) {
            $slow->clear;

            my $c = $t->h2;
            my $sid = start_stream($c, $uri, @headers);
            my $name = join ' ', $uri, length $body, @headers, $end;

            $c->data($sid, $body, end => 0) if length $body;
            ok($slow->wait_requests(1), "$name: the page is asked for");

            $c->data($sid, 'x' x 1000, end => 0) for 1 .. 3;
            $c->data($sid, 'x', end => 1) if $end;

            # answered, thus nginx has read them

            is($c->request('POST', '/', $fine, framing => 'h2')->status, 200,
               "$name: another stream");
            $slow->release;

            my $r = $c->read($sid);

            is($r->status, 200, "$name: the page");
            is($r->json->{length}, 0, "$name: without a body");
        }
    }
};


subtest 'a body longer or shorter than declared' => sub {
    for my $at (@at) {
        for my $n (-1, 1) {
            my $c = $t->h2;
            my $sid = start_stream($c, $at, 'content-length',
                                   length($fine) + $n);

            $backend->clear;
            $c->data($sid, $fine, end => 1);

            my $r = $c->read($sid);

            ok($r->status == 400 || $r->error eq 'reset', "$at, $n: refused");
            is($c->request('POST', '/', '{}')->status, 200,
               "$at, $n: the next stream");
            is(scalar(grep { $_->{complete} && $_->{length} > 2 }
                      $backend->requests), 0, "$at, $n: not at the backend");
        }
    }
};

$t->done;
