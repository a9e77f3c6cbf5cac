#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The size of a record is enforced while it is unfinished: a record that does
# not end is refused long before its upload would.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict records largest_record decoded_bytes));

$t->start(server => <<'SERVER');
    add_header X-G "%%G%%" always;
    client_body_buffer_size 1k;

    guardrail on;
    guardrail_max_body 0;
    guardrail_max_decoded 0;
    guardrail_max_ratio off;
    guardrail_max_record_size 100000;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $zeros = '0' x (1 << 20);

each_framing {
    my ($f) = @_;

    for my $type ('application/x-ndjson', 'text/plain', undef) {
        for my $begin ('"', "{}\n{\"a\":\"", "\n\n[") {
            my $name = join ' ', $type || 'no type', $begin =~ s/\n/\\n/gr;
            my $lines = () = $begin =~ /\n/g;
            my $records = $begin =~ /\}/ ? 2 : 1;
            my $unfinished = length($begin) - rindex($begin, "\n") - 1;
            my $expected = join ' ', 'reject', $records, 100001,
                                100001 + length($begin) - $unfinished;
            my $piece = 0;

            $backend->clear;

            # HTTP/2 never gets to its end, nor does a chunked body

            my $r = $t->post('/', sub { $piece++ ? $zeros : $begin },
                             framing => $f, defined $type ? (type => $type)
                                                          : (),
                             $f =~ /cl$/ ? (length => 1 << 40) : ());

            is($r->status, 413, "$name: status");
            is($r->json->{reason}, 'max_record_size', "$name: reason");
            is($r->json->{limit}, 100000, "$name: limit");
            is($r->json->{observed}, 100001, "$name: observed");
            is($r->header('X-G'), $expected, "$name: variables");
            is($r->{sent_all}, 0, "$name: not all was sent");
            is($backend->connections, 0, "$name: backend");
        }
    }

    # the same under gzip, sent without its end

    my $coded = gzip("{}\n" . '0' x 1000000);

    $backend->clear;

    my $r = $t->post('/', substr($coded, 0, 800), framing => $f, end => 0,
                     encoding => 'gzip', type => 'application/jsonl',
                     $f =~ /cl$/ ? (length => length $coded) : ());

    is($r->status, 413, 'gzip: status');
    is($r->header('X-G'), 'reject 2 100001 100004', 'gzip: variables');
    is($backend->connections, 0, 'gzip: backend');

    # unbuffered the backend sees no more than what passed, and no end

    $backend->clear;

    $r = $t->post('/unbuffered', sub { $zeros }, framing => $f,
                  type => 'application/x-ndjson',
                  $f =~ /cl$/ ? (length => 1 << 40) : ());

    is($r->status, 413, 'unbuffered: status');

    for my $q ($backend->requests) {
        is($q->{complete}, 0, 'unbuffered: incomplete at the backend');
        cmp_ok($q->{length}, '<=', 100000, 'unbuffered: not a byte more');
    }
};

$t->done;
