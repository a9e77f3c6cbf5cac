#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# HTTP/3: a body gets the verdict that it gets over HTTP/1.1, wherever it is
# read; a refused stream leaves its connection to the others.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $missing = Guardrail::Http3::missing($t);

$t->skip_all($missing) if $missing;

my $backend = $t->backend;
my $listen = Guardrail::Http3::listen($t);

my %store = (
    memory     => 'client_body_buffer_size 2m;',
    small      => 'client_body_buffer_size 1k;',
    unbuffered => 'guardrail_buffering off; proxy_request_buffering off;',
    rewrite    => 'test_read rewrite; client_body_buffer_size 1k;',
    access     => 'test_read access;',
);

my $locations = join '', map { <<"LOCATION" } sort keys %store;
    location /$_ {
        $store{$_}
        proxy_pass http://%%BACKEND%%;

        location /$_/records {
            guardrail_max_records 1000;
            proxy_pass http://%%BACKEND%%;
        }

        location /$_/small {
            guardrail_max_body 1000;
            proxy_pass http://%%BACKEND%%;
        }

        location /$_/size {
            guardrail_max_record_size 100;
            proxy_pass http://%%BACKEND%%;
        }

        location /$_/decoded {
            guardrail_max_ratio off;
            guardrail_max_decoded 3000000;
            proxy_pass http://%%BACKEND%%;
        }
    }
LOCATION

$t->start(main => load_test_module, http => <<'HTTP', server => <<"SERVER");
    log_format v '$guardrail_verdict $guardrail_reason '
                 '$guardrail_decoded_bytes $guardrail_records';
    access_log %%DIR%%/v.log v;
    guardrail_zone z size=1m key=all;
HTTP
    $listen

    guardrail on;
    guardrail_max_body 4m;
    guardrail_format ndjson;
    proxy_http_version 1.1;

    $locations

    location /rate {
        guardrail_min_rate 1000 grace=300ms;
        proxy_pass http://%%BACKEND%%;
    }

    location /rate/streams {
        guardrail_buffering off;
        proxy_request_buffering off;
        guardrail_min_rate 1000 grace=300ms;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        guardrail_max_body 10;
        error_page 413 415 /refused;
        proxy_pass http://%%BACKEND%%;
    }

    location /refused {
        proxy_pass http://%%BACKEND%%;
    }

    location /discards {
        guardrail off;
        error_page 405 = /memory/records;
        return 405;
    }

    location /dry {
        guardrail dry_run;
        guardrail_max_records 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /uploads {
        guardrail_quota z uploads 1;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @at = map { "/$_" } sort keys %store;
my $fine = ndjson(1000, size => 200);
my $rows = ndjson(1001, size => 200);
my $long = ndjson(999, size => 100) . 'x' x 101 . "\n";
my $bomb = gzip_zeros(1 << 26);

my @refused = (
    ['records', $rows, 413, 'max_records'],
    ['size', $long, 413, 'max_record_size'],
    ['small', 'x' x 1001, 413, 'max_body'],
    ['records', gzip($rows), 413, 'max_records', encoding => 'gzip'],
    ['', $bomb, 413, 'max_ratio', encoding => 'gzip'],
    ['decoded', gzip_zeros(3000001), 413, 'max_decoded', encoding => 'gzip'],
    ['records', substr(gzip($fine), 0, -1), 400, 'malformed_encoding',
     encoding => 'gzip'],
    ['records', gzip($fine) . 'x', 400, 'malformed_encoding',
     encoding => 'gzip'],
    ['', 'x', 415, 'encoding', encoding => 'br'],
);


subtest 'accepted' => sub {
    my $c = $t->h3;

    for my $at (@at) {
        for my $f (qw(h3 h3-cl)) {
            for my $cut (0, 7, 1000) {
                for my $body ($fine, gzip($fine)) {
                    my @o = $body eq $fine ? () : (encoding => 'gzip');

                    next if $cut == 7 && !@o;

                    my $r = $t->post("$at/records", $body, framing => $f,
                                     cut => $cut, conn => $c, @o);

                    is($r->json->{sha1}, sha1_hex($body),
                       "$at, $f, cut $cut, @o");
                }
            }
        }
    }

    is($t->post('/memory', '', framing => 'h3', conn => $c)->status, 200,
       'an empty one');
    is($t->get('/memory', framing => 'h3', conn => $c)->status, 200, 'none');
};


subtest 'refused as over HTTP/1.1' => sub {
    my $seen = $t->quiet_access_log('v.log');

    for my $at (@at) {
        my $c = $t->h3;

        for my $case (@refused) {
            my ($uri, $body, $status, $reason, @o) = @$case;

            $backend->clear;

            for my $f (qw(cl h3 h3-cl)) {
                my $r = $t->post("$at/$uri", $body, framing => $f, @o,
                                 $f eq 'cl' ? () : (conn => $c));

                is($r->status, $status, "$at, $f, $reason: status");
                is($r->json->{reason}, $reason, "$at, $f, $reason: reason");
            }

            is(scalar(grep { $_->{complete} } $backend->requests), 0,
               "$at, $reason: not at the backend");

            my @lines = $t->wait_access_log($seen + 3, 'v.log');
            my %verdict = map { $_ => 1 } splice @lines, $seen;

            # a declared length is refused before the first byte, and known
            # of a body that another has read

            my $apart = $reason eq 'max_body' && $at !~ /access|rewrite/;

            is(scalar(keys %verdict), $apart ? 2 : 1,
               "$at, $reason: the counters");
            $seen += 3;
        }

        ok(!$c->closed, "$at: the connection is as it was");
    }
};


subtest 'nothing need have come' => sub {
    for my $at ('/memory', '/unbuffered') {
        my $c = $t->h3;

        for my $case ([length => 5 << 20, 'max_body'],
                      [encoding => 'br', 'encoding'])
        {
            my ($name, $value, $reason) = @$case;
            my $r = $t->post($at, '', framing => 'h3', $name => $value,
                             end => 0, conn => $c);

            is($r->json->{reason}, $reason, "$at: $reason");
            is($r->error, '', "$at, $reason: complete");
            ok(defined $r->{stopped}, "$at, $reason: the sender is stopped");
        }
    }
};


subtest 'the end is judged where the declared length ends' => sub {
    for my $at (@at) {
        for my $case (["$fine\{", 413, 'max_records'],
                      [gzip("$fine\{"), 413, 'max_records',
                       encoding => 'gzip'],
                      [substr(gzip($fine), 0, -1), 400, 'malformed_encoding',
                       encoding => 'gzip'])
        {
            my ($body, $status, $reason, @o) = @$case;

            # what was read by another waits for the end of the stream

            next if $at =~ /rewrite|access/;

            my $r = $t->post("$at/records", $body, framing => 'h3-cl',
                             end => 0, @o);

            is($r->status, $status, "$at, $reason: status");
            is($r->json->{reason}, $reason, "$at, $reason: reason");
        }
    }
};


subtest 'one of several streams is refused' => sub {
    for my $at (@at) {
        for my $coded (0, 1) {
            my $c = $t->h3;
            my @o = (framing => 'h3', conn => $c, read => 0, end => 0,
                     $coded ? (encoding => 'gzip') : ());
            my $body = $coded ? gzip($fine) : $fine;
            my $bad = $coded ? gzip($rows, level => 1) : $rows;
            my $half = int length($body) / 2;
            my $name = $coded ? "$at, coded" : $at;
            my @good = map { $t->post("$at/records?$_",
                                      substr($body, 0, $half), @o) } 1 .. 4;
            my $sid = $t->post("$at/records", $bad, @o, end => 1);

            is($c->read($sid)->status, 413, "$name: refused");

            $c->data($_, substr($body, $half), end => 1) for @good;

            for my $good (@good) {
                is($c->read($good)->json->{sha1}, sha1_hex($body),
                   "$name: another stream");
            }

            my $r = $t->post("$at/records", $body, @o, end => 1, read => 1);

            is($r->json->{sha1}, sha1_hex($body), "$name: the next stream");
        }
    }
};


subtest 'what comes on refused streams takes no window' => sub {
    my $c = $t->h3;

    # more than the connection's window in sum

    for my $n (1 .. 200) {
        my $sid = $c->headers([':method', 'POST', ':scheme', 'https',
                               ':authority', 'x', ':path', '/memory',
                               'content-encoding', 'br']);

        $c->data($sid, 'x' x 60000, end => 0);
        is($c->read($sid)->status, 415, "stream $n") if $n % 50 == 0;
    }

    is($t->post('/memory/records', $fine, framing => 'h3', conn => $c)
         ->json->{sha1}, sha1_hex($fine), 'the next stream');
};


subtest 'coded bodies that step aside' => sub {
    my @bodies = (
        gzip_zeros(3000000),
        gzip_members(map { 'x' x 300000 } 1 .. 10),
        gzip_header() . "\x00\x00\x00\xff\xff" x 100000 . "\x03\x00"
        . "\0" x 8,
    );

    for my $at (@at) {
        my $c = $t->h3;
        my @o = (encoding => 'gzip', conn => $c);

        for my $f (qw(h3 h3-cl)) {
            for my $body (@bodies) {
                my $r = $t->post("$at/decoded", $body, framing => $f, @o);

                is($r->json->{sha1}, sha1_hex($body),
                   "$at, $f: " . length $body);
            }
        }

        my @streams = map { $t->post("$at/decoded", $bodies[$_ % 3], @o,
                                     framing => 'h3', read => 0) } 0 .. 8;

        for my $n (0 .. 8) {
            is($c->read($streams[$n], timeout => 60)->json->{sha1},
               sha1_hex($bodies[$n % 3]), "$at: at once, $n");
        }
    }
};


subtest 'a client that goes away' => sub {
    for my $n (1 .. 3) {
        my $c = $t->h3;
        my $sid = $t->post('/uploads', "{}\n", framing => 'h3', conn => $c,
                           end => 0, read => 0);

        # only one at a time

        my $r;

        wait_until {
            $r = $t->post('/uploads', "{}\n");

            return $r->status == 503;
        };
        is($r->json->{reason}, 'quota_uploads', "$n: an upload is under way");

        $n == 1 ? $c->rst($sid) : $c->close;

        ok(wait_until { $t->post('/uploads', "{}\n")->status == 200 },
           "$n: it is given back");
    }
};


subtest 'too slow' => sub {
    for my $at ('/rate', '/rate/streams') {
        my $c = $t->h3;

        $backend->clear;

        my $r = $t->post($at, "{}\n", framing => 'h3', conn => $c, end => 0,
                         timeout => 30);

        # the backend has begun to read: there is no answer, as over HTTP/1.1

        is($r->status, $at eq '/rate' ? 408 : 0, "$at: refused");
        ok($at eq '/rate' || $r->error eq 'reset', "$at: reset");
        is(scalar(grep { $_->{complete} } $backend->requests), 0,
           "$at: the backend never had all of it");
        is($t->post('/memory', "{}\n", framing => 'h3', conn => $c)->status,
           200, "$at: the next stream");
    }
};


subtest 'elsewhere' => sub {
    my $c = $t->h3;

    for my $f (qw(h3 h3-cl)) {
        my @o = (framing => $f, conn => $c);

        $backend->clear;

        my $r = $t->post('/page', 'x' x 11, @o);

        is($r->status, 413, "$f: with a page");
        is($r->json->{uri}, '/refused', "$f: the page");
        is($r->json->{length}, 0, "$f: without the body");
        is($r->json->{headers}{'content-length'} // 0, 0, "$f: or its length");

        is($t->post('/dry', $rows, @o)->json->{sha1}, sha1_hex($rows),
           "$f: dry_run");

        # HTTP/3 reads nothing when nginx discards a body

        $backend->clear;
        $r = $t->post('/discards', $rows, @o);
        isnt($r->status, 200, "$f: refused after another location");
        is($backend->connections, 0, "$f: not at the backend");
    }

    ok((wait_until { ($t->access_log('v.log'))[-1] =~ /^reject / }),
       'the verdict');
};

$t->done;
