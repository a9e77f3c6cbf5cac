#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_format auto: the type says what records are, or the first byte
# does; what nobody can count is refused where a limit on records is in force.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict reason format records));

$t->start(server => <<'SERVER');
    add_header X-G "%%G%%" always;
    client_body_buffer_size 1k;

    guardrail on;

    location /records {
        guardrail_max_records 2;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_record_size 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail_max_records $arg_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /no_limit {
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        guardrail_format none;
        guardrail_max_records 2;
        guardrail_max_record_size 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /ndjson {
        guardrail_format ndjson;
        guardrail_max_records 2;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @ndjson = qw(application/x-ndjson application/ndjson application/jsonl
                application/jsonlines application/x-jsonlines
                application/x-json-stream);
my @other = ('text/plain', 'application/octet-stream', 'text/html',
             'application/x-www-form-urlencoded', 'multipart/form-data',
             'application/x-ndjson2', 'x/application/ndjson', 'ndjson', '',
             'application/' . 'x' x 200, 'text/csvx', 'json', undef);


# verdict, reason, format and, where there are any, records

sub g {
    my ($uri, $body, %opt) = @_;

    delete $opt{type} if exists $opt{type} && !defined $opt{type};

    my $r = $t->post($uri, $body, %opt);

    return join ' ', $r->status,
                ($r->header('X-G') // '') =~ s/type none\K \d+$//r;
}


each_framing {
    my ($f) = @_;
    my @f = (framing => $f);

    for my $type (@ndjson, 'Application/X-NDJSON', ' application/jsonl ',
                  'application/ndjson;charset=utf-8', 'application/jsonl ; x')
    {
        # whatever it begins with, and with no limit too

        is(g('/records', "a\nb\n", @f, type => $type), '200 pass  ndjson 2',
           "$type: counted");
        is(g('/records', "a\nb\nc", @f, type => $type),
           '413 reject max_records ndjson 3', "$type: one too many");
        is(g('/size', 'x' x 11, @f, type => $type),
           '413 reject max_record_size ndjson 1', "$type: too large");
        is(g('/no_limit', "a\nb\nc", @f, type => $type),
           '200 pass  ndjson 3', "$type: no limit");
        is(g('/none', "a\nb\nc", @f, type => $type), '200 pass  none 0',
           "$type: format none");
    }

    for my $type (@other) {
        my $name = $type // 'no type';
        my @opt = (@f, type => $type);

        # one type or another: the full list for two of them

        my $full = !defined $type || $type eq 'text/plain';

        for my $first ('{', $full ? ('[', '"', '-', 0 .. 9, qw(t f n N I))
                                  : ())
        {
            is(g('/records', "$first\n$first", @opt), '200 pass  ndjson 2',
               "$name, $first: counted");

            next if !$full || $first !~ /[{7N]/;

            for my $white ('', " \t\r\n", "\n" x 1500, "\xef\xbb\xbf",
                           "\xef\xbb\xbf \n")
            {
                is(g('/records', "$white$first\n$first\n$first", @opt),
                   '413 reject max_records ndjson 3',
                   "$name, $first after white space: too many")
                    if length $white < 100;
                is(g('/size', $white . $first x 11, @opt),
                   '413 reject max_record_size ndjson 1',
                   "$name, $first after white space: too large")
                    if $white !~ / $/;
            }
        }

        for my $body ('<a>', !$full ? () : ('x', 'a=1&b=2', "\n\n+1",
                      "\xc3\xa4", 'T',
                      '}', "\xef\xbb{}", "\xef\xbb\xbfx",
                      "\xef\xbb\xbf" x 2 . '{}', "\x0b{}", "\x1e{}",
                      "\xc2\x85{}", "\xef", "\xef\xbb", "\xfe{}", "\xff"))
        {
            my $label = "$name, "
                        . $body =~ s/([^!-~])/sprintf '%02x', ord $1/ger;

            is(g('/records', $body, @opt), '415 reject type none', $label);
            is(g('/size', $body, @opt), '415 reject type none', $label)
                if !defined $type;
            is(g('/no_limit', $body, @opt), '200 pass  none 0',
               "$label: no limit");
        }

        for my $body ("\n", !$full ? () : ' ', "\t \r\n\n ", "\xef\xbb\xbf") {
            is(g('/records', $body, @opt), '200 pass  none 0',
               "$name: white space alone");
        }

        is(g('/no_limit', "{}\n{}\n{}", @opt), '200 pass  none 0',
           "$name: not counted without a limit");
        is(g('/ndjson', "a\nb\n", @opt), '200 pass  ndjson 2',
           "$name: format ndjson");
        is(g('/ndjson', "a\nb\nc", @opt), '413 reject max_records ndjson 3',
           "$name: format ndjson, too many");
    }

    # a limit that is a variable is in force when it says so

    is(g('/variable?n=2', "<\n", @f), '415 reject type none', 'variable');
    is(g('/variable?n=2', "1\n2\n3", @f), '413 reject max_records ndjson 3',
       'variable: too many');
    is(g("/variable?n=$_", "<\n", @f), '200 pass  none 0', "variable: $_")
        for qw(off 0);

    # the first byte counts, however it arrives, and in the decoded body

    for my $how ([chunk => 1], [cut => 1, pause => 0.0005]) {
        is(g('/records', "\xef\xbb\xbf \n\n1\n2\n3\n", @f, @$how),
           '413 reject max_records ndjson 3', "@$how: counted");
        is(g('/records', "\xef\xbb\xbf \n\n<1\n2\n3\n", @f, @$how),
           '415 reject type none', "@$how: not JSON");
        is(g('/records', "\xef\xbb\xbf \n\n", @f, @$how),
           '200 pass  none 0', "@$how: white space alone");
    }

    is(g('/records', gzip("1\n2\n3\n"), @f, encoding => 'gzip'),
       '413 reject max_records ndjson 3', 'gzip: counted');
    is(g('/records', gzip("<1\n2\n3\n"), @f, encoding => 'gzip'),
       '415 reject type none', 'gzip: not JSON');
    is(g('/records', gzip(''), @f, encoding => 'gzip'),
       '200 pass  none 0', 'gzip: nothing');

    # what was refused by its first byte reached nobody

    $backend->clear;
    g('/records', '<' . 'x' x 100000, @f);
    is($backend->connections, 0, 'backend');
};

$t->done;
