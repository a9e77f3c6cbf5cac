#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A module may read the body before our gate, and before the location is
# known.  What it stored is judged at the gate, as if it had just come.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

# a location of each way to read, before one that is stored in each way

my $location = <<'LOCATION';
    location /NAME {
        test_read PHASE;
        STORE;

        location /NAME/records {
            guardrail_max_records 1000;
            proxy_pass http://%%BACKEND%%;
        }

        location /NAME/size {
            guardrail_max_record_size 100;
            proxy_pass http://%%BACKEND%%;
        }

        location /NAME/decoded {
            guardrail_encodings gzip br zstd;
            guardrail_max_ratio off;
            guardrail_max_decoded 3000000;
            proxy_pass http://%%BACKEND%%;
        }

        location /NAME/small {
            guardrail_max_body 2000;
            proxy_pass http://%%BACKEND%%;
        }

        location /NAME/variable {
            client_max_body_size 3000;
            guardrail_max_body $arg_max;
            proxy_pass http://%%BACKEND%%;
        }

        proxy_pass http://%%BACKEND%%;
    }
LOCATION

my %stores = (
    memory => 'client_body_buffer_size 2m',
    mixed  => 'client_body_buffer_size 1k',
    file   => 'client_body_in_file_only clean',
);

my $locations = '';

for my $phase (qw(off rewrite access)) {
    for my $store (sort keys %stores) {
        my %with = (NAME => "$phase-$store", PHASE => $phase,
                    STORE => $stores{$store});

        $locations .= $location =~ s/(NAME|PHASE|STORE)/$with{$1}/gr;
    }
}

my $server = <<'SERVER';
    location /records {
        client_body_buffer_size 1k;
        guardrail_max_records 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_encodings gzip br zstd;
        guardrail_max_ratio off;
        guardrail_max_decoded 3000000;
        proxy_pass http://%%BACKEND%%;
    }

    location /more {
        guardrail_max_body 4000000;
        proxy_pass http://%%BACKEND%%;
    }

    location /less {
        guardrail_max_body 2000;
        proxy_pass http://%%BACKEND%%;
    }

    location / {
        proxy_pass http://%%BACKEND%%;
    }
SERVER

$t->start(main => load_test_module, http => <<HTTP, server => <<SERVER);
    log_format v '\$guardrail_verdict \$guardrail_reason '
                 '\$guardrail_body_bytes \$guardrail_decoded_bytes '
                 '\$guardrail_records';
    access_log %%DIR%%/v.log v;

    server {
        listen 127.0.0.1:%%PORT2%%;
        listen 127.0.0.1:%%H2PORT2%% http2;

        guardrail on;
        guardrail_max_body 2000000;
        test_read server_rewrite;

$server
    }
HTTP
    guardrail on;
    guardrail_max_body 2000000;

$locations
SERVER

my %nd = (type => 'application/x-ndjson');
my $fine = ndjson(1000, size => 200);
my $rows = ndjson(1001, size => 200);
my $long = ndjson(999, size => 100) . 'x' x 101 . "\n";
my $zeros = gzip_zeros(3000000);
my $bomb = gzip_zeros(1 << 26);
my @stores = sort keys %stores;
my @early = (map("/rewrite-$_", @stores), map("/access-$_", @stores));
my @all = ('', @early, map("/off-$_", @stores));

# the name '' is the server whose body is read before any location is chosen

each_framing {
    my ($f) = @_;

    for my $at (@all) {
        my @port = $at ? () : (port => $t->port($f =~ /h2/ ? 'H2PORT2'
                                                           : 'PORT2'));
        my @o = (framing => $f, @port);
        my $n = $at || '/server';

        $backend->clear;

        my $r = $t->post("$at/records", $fine, @o, %nd);

        is($r->status, 200, "$n: records");
        is($r->json->{sha1}, sha1_hex($fine), "$n: arrived");

        $r = $t->post("$at/decoded", $zeros, @o, encoding => 'gzip');
        is($r->json->{sha1}, sha1_hex($zeros), "$n: a coded body arrived");

        # a decoder has taken all of it in, and most is still to come

        for (['br', brotli_zeros()], ['zstd', zstd_zeros(23)]) {
            my ($coding, $body) = @$_;

            $backend->clear;
            $r = $t->post("$at/decoded", $body, @o, encoding => $coding);
            is($r->json->{reason}, 'max_decoded', "$n: $coding: too much");
            is($backend->connections, 0, "$n: $coding: the backend");
        }

        my $small = zstd_zeros(22);

        $r = $t->post("$at/decoded", $small, @o, encoding => 'zstd');
        is($r->json->{sha1}, sha1_hex($small), "$n: zstd arrived");

        $backend->clear;

        $r = $t->post("$at/records", $rows, @o, %nd);
        is($r->status, 413, "$n: one record more");
        is($r->json->{reason}, 'max_records', "$n: reason");
        is($r->json->{observed}, 1001, "$n: observed");

        $r = $t->post("$at/", $bomb, @o, encoding => 'gzip');
        is($r->status, 413, "$n: a bomb");
        is($r->json->{reason}, 'max_ratio', "$n: its reason");

        $r = $t->post("$at/decoded", gzip_zeros(3000001), @o,
                      encoding => 'gzip');
        is($r->json->{reason}, 'max_decoded', "$n: one decoded byte more");

        $r = $t->post("$at/decoded", substr($zeros, 0, -1), @o,
                      encoding => 'gzip');
        is($r->status, 400, "$n: truncated");

        is($backend->connections, 0, "$n: the backend was not contacted");
    }
};


subtest 'counters stand at the same byte as without' => sub {
    my $from = $t->quiet_access_log('v.log');
    my @at = ('/off-memory', @early);

    for my $at (@at) {
        $t->post("$at/", $bomb, encoding => 'gzip');
        $t->post("$at/size", $long, %nd);
        $t->post("$at/records", $rows, %nd);
    }

    my @lines = $t->wait_access_log($from + 3 * @at, 'v.log');

    splice @lines, 0, $from;

    my @want = splice @lines, 0, 3;

    # 200 to 1 and a floor of 1 MiB: see docs/limits.md

    like($want[0], qr/^reject max_ratio \d+ 1867776 0$/, 'the bomb');
    like($want[1], qr/^reject max_record_size (\d+) \1 1000$/, 'the long one');
    like($want[2], qr/^reject max_records (\d+) \1 1001$/, 'the rows');

    for my $at (@early) {
        my @got = splice @lines, 0, 3;

        # of the wire more may have arrived

        my ($bomb, $without) = map { s/^(\D+) \d+/$1/r } $got[0], $want[0];

        is($bomb, $without, "$at: the bomb");
        is($got[$_], $want[$_], "$at: $_") for 1, 2;
    }
};


subtest 'a body that is read before the gate is bounded meanwhile' => sub {
    my $piece = 'x' x 65536;

    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $at ('', @early) {
            my $n = 0;
            my @port = $at ? () : (port => $t->port($f =~ /h2/ ? 'H2PORT2'
                                                               : 'PORT2'));
            my $body = $f eq 'h2-cl' ? $piece x 64
                       : sub { $n++ < 640 ? $piece : undef };
            my @length = $f eq 'cl' ? (length => 640 * 65536) : ();

            $backend->clear;

            my $r = $t->post("$at/", $body, framing => $f, @port, @length);

            is($r->status, 413, "$f $at: status");
            is($r->json->{reason}, 'max_body', "$f $at: reason");
            is($r->{sent_all}, 0, "$f $at: it was not read to its end")
                if $f ne 'h2-cl';
            is($backend->connections, 0, "$f $at: no backend");
        }
    }
};


subtest 'no location is known yet' => sub {
    my @port = (port => $t->port('PORT2'));

    for my $f (qw(cl chunked)) {
        is($t->post('/more', 'x' x 2000000, framing => $f, @port)->status, 200,
           "$f: the server's limit");
        is($t->post('/more', 'x' x 2000001, framing => $f, @port)->status, 413,
           "$f: one byte more, whatever the location says");
        is($t->post('/less', 'x' x 2000, framing => $f, @port)->status, 200,
           "$f: the location's limit");

        my $r = $t->post('/less', 'x' x 2001, framing => $f, @port);

        is($r->status, 413, "$f: one byte more");
        is($r->json->{limit}, 2000, "$f: by the location");
    }
};


subtest 'a limit that is a variable' => sub {
    for my $at (@early) {
        for my $f (qw(cl chunked h2)) {
            my @o = (framing => $f);

            is($t->post("$at/variable?max=1000", 'x' x 1000, @o)->status, 200,
               "$at $f: at the limit");

            my $r = $t->post("$at/variable?max=1000", 'x' x 1001, @o);

            is($r->status, 413, "$at $f: one byte more");
            is($r->json->{limit}, 1000, "$at $f: judged at the gate");

            # client_max_body_size is what nginx would have applied

            is($t->post("$at/variable?max=9000", 'x' x 3001, @o)->status, 413,
               "$at $f: while it is read");
            is($t->post("$at/variable?max=9000", 'x' x 3000, @o)->status, 200,
               "$at $f: read");
        }
    }
};


subtest 'pipelined requests behind a stored body' => sub {
    for my $at (@early) {
        my $c = $t->h1;

        for my $body ($fine, '<p>') {
            $c->send("POST $at/records HTTP/1.1\r\nHost: x\r\nContent-Length: "
                     . length($body) . "\r\n\r\n$body");
        }

        $c->send("GET $at/next HTTP/1.1\r\nHost: x\r\n\r\n");

        is($c->read->json->{sha1}, sha1_hex($fine), "$at: accepted");
        is($c->read->status, 415, "$at: refused");

        # it was read to its end before, so nothing can be mistaken

        is($c->read->json->{uri}, "$at/next", "$at: the next request");
    }
};

$t->done;
