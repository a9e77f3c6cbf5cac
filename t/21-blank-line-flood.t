#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Blank lines are no records, but all lines, and what splitlines() of Python
# takes for line ends, count against a cap of 16 * max_records + 1024.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict records decoded_bytes));

$t->start(server => <<'SERVER');
    add_header X-G "%%G%%" always;
    client_body_buffer_size 1k;

    location / {
        guardrail on;
        guardrail_format ndjson;
        guardrail_max_records $arg_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail on;
        guardrail_format ndjson;
        guardrail_max_record_size 10;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# name, what begins, one line end, what follows the last of them, records;
# where the end is a line of its own it is one more

my @floods = (
    ['LF',           '',   "\n",               '', 0],
    ['CRLF',         '',   "\r\n",             '', 0],
    ['CR',           '',   "\r",               '', 0],
    ['white space',  '',   " \t\n",            '', 0],
    ['records, LF',  "1\n2\n", "\n",           '', 2, 2],
    ['VT',           '1',  "\x0b",             '', 1],
    ['FF',           '1',  "\x0c",             '', 1],
    ['FS',           '1',  "\x1c",             '', 1],
    ['GS',           '1',  "\x1d",             '', 1],
    ['RS',           '1',  "\x1e",             '', 1],
    ['NEL',          '1',  "\xc2\x85",         '', 1],
    ['U+2028',       '1',  "\xe2\x80\xa8",     '', 1],
    ['U+2029',       '1',  "\xe2\x80\xa9",     '', 1],
    ['NEL and text', '1',  "\xc2\x85x",        '', 1, 0, 1],
    ['LF, no last',  '',   "\n",               '1', 1, 1],
    ['LF and space', '',   "\n",               ' ', 0, 1],
    ['LF and CR',    '',   "\n",               "\r", 0, 1],
);

each_framing {
    my ($f) = @_;

    for (@floods) {
        my ($name, $begin, $line, $end, $records, @more) = @$_;

        # lines beside those of the flood

        my $other = ($more[0] || 0) + ($more[1] || 0);

        for my $n ($name eq 'LF' ? (1, 2, 500) : 2) {
            my $cap = 16 * $n + 1024;
            my $flood = $line x ($cap - $other);

            for my $how ([], [chunk => 100], [cut => 77],
                         [encoding => 'gzip'])
            {
                my $label = "$name, $n records, @$how";
                my $coded = "@$how" =~ /gzip/;
                my $post = sub {
                    my $body = join '', @_;

                    return $t->post("/?n=$n", $coded ? gzip($body) : $body,
                                    framing => $f, @$how);
                };
                my $r = $post->($begin, $flood, $end);
                my $len = length "$begin$flood$end";

                is($r->header('X-G'), "pass $records $len", "$label: the cap");

                $r = $post->($begin, $flood, $line, $end);

                my $json = $r->json;

                is(join(' ', $r->status, @$json{qw(reason limit observed
                                                   unit)}),
                   "413 max_records $cap @{[$cap + 1]} lines",
                   "$label: one line more");
            }
        }

        # no cap without a limit on records

        is($t->post('/?n=off', $begin . $line x 5000 . $end,
                    framing => $f)->status, 200, "$name: no limit");
        is($t->post('/size', $line x 5000, framing => $f)->status, 200,
           "$name: a limit on the size alone")
            if $name =~ /^(?:LF|CRLF|white space)$/;
    }

    # records come first where both caps are reached at one byte

    my $r = $t->post('/?n=1', "\n" x 1040 . "1\r2", framing => $f);

    is($r->json->{unit}, 'records', 'a record and a line too many: records');

    # a flood is refused while it comes

    my $left = 64;

    $r = $t->post('/?n=1', sub { $left-- > 0 ? "\n" x 65536 : undef },
                  framing => $f, $f =~ /cl$/ ? (length => 64 * 65536) : ());

    is($r->status, 413, 'an endless flood');
    is($r->header('X-G'), 'reject 0 1041', 'at the first line too many')
        if $f !~ /cl$/;
};

is($backend->last->{complete}, 1, 'the backend had complete requests only');

$t->done;
