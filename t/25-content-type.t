#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What a Content-Type may not say where records are limited: a charset that
# hides line ends, one type to nginx and another to the backend, or a format
# whose records nobody counts.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    guardrail on;

    location /records {
        guardrail_max_records 2;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_record_size 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /ndjson {
        guardrail_format ndjson;
        guardrail_max_records 2;
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
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @limited = ('/records', '/size', '/ndjson', '/variable?n=2');
my @free = ('/no_limit', '/none', '/variable?n=off');

my @known = (
    'utf-8', 'UTF-8', 'utf8', 'Utf8', 'us-ascii', 'ASCII', 'iso-8859-1',
    'ISO-8859-1', 'windows-1252', '"utf-8"', '" utf-8 "', "'utf-8'", ' utf-8',
);
my @foreign = (
    'utf-16', 'UTF-16LE', 'utf-16be', 'utf-32', 'utf-7', 'ebcdic-cp-us',
    'cp500', 'iso-8859-2', 'iso-8859-15', 'windows-1251', 'shift_jis', 'x',
    '', '""', '"utf-16"', 'utf-8 utf-16', 'utf-8,utf-16', 'utf_8', 'utf-88',
    'latin1',
);

my @types = (
    # the field, whether it is accepted
    (map { ["application/x-ndjson; charset=$_", 1] } @known),
    (map { ["application/x-ndjson; charset=$_", 0] } @foreign),
    (map { ["text/plain;charset=$_", 1] } @known[0 .. 5]),
    (map { ["text/plain;CHARSET=$_", 0] } @foreign[0 .. 5]),
    ['text/plain; charset=utf-8; charset=utf-16', 0],
    ['text/plain; charset=utf-16; charset=utf-8', 0],
    ['text/plain; x=y; charset = "utf-16"', 0],
    ['text/plain; x="; charset=utf-16; y="', 0],
    ['text/plain; charset', 0],
    ['text/plain; xcharset=utf-16', 1],
    ['text/plain; boundary=x', 1],
    [';charset=utf-16', 0],
    ['; charset=utf-8', 1],
);

each_framing {
    my ($f) = @_;

    my $post = sub {
        my ($uri, @types) = @_;

        return $t->post($uri, "1\n2\n", framing => $f,
                        headers => [map { ('Content-Type', $_) } @types]);
    };

    for my $uri (@limited, @free) {
        my $free = grep { $_ eq $uri } @free;

        for (@types) {
            my ($type, $ok) = @$_;

            # the full list for one location, a part for others

            next if $uri ne '/records' && $type !~ /=(?:utf-8|utf-16)$/;

            $backend->clear if !$ok;

            my $r = $post->($uri, $type);

            $ok ||= $free;

            is($r->status, $ok ? 200 : 415, "$uri, $type");

            next if $ok;

            is($r->json->{reason}, 'type', "$uri, $type: reason");
            is($r->header('Accept-Encoding'), undef,
               "$uri, $type: no Accept-Encoding");
            is($backend->connections, 0, "$uri, $type: backend");
        }

        # more than one line, equal ones too

        for my $lines (['application/x-ndjson', 'text/html'],
                       ['text/html', 'application/x-ndjson'],
                       ['application/x-ndjson', 'application/x-ndjson'],
                       ['application/x-ndjson', ''], ['', ''],
                       ('text/plain') x 3)
        {
            my @lines = ref $lines ? @$lines : ($lines) x 3;
            my $r = $post->($uri, @lines);

            is($r->status, $free ? 200 : 415, "$uri: " . join '|', @lines);
            is($r->json->{reason}, $free ? undef : 'type', "$uri: reason");
        }

        # without a body nobody minds

        is($t->get($uri, framing => $f,
                   headers => ['Content-Type', 'text/plain;charset=utf-16',
                               'Content-Type', 'text/xml'])->status, 200,
           "$uri: no body");
    }

    # types with records of another kind are judged by that

    for my $type ('application/json', 'application/json-seq', 'text/csv',
                  'application/csv', 'application/vnd.api+json',
                  'Application/JSON; charset=utf-8')
    {
        is($post->('/records', $type)->status, 200, "records, $type");
        is($post->('/size', $type)->status, 200, "size, $type");
        is($post->('/no_limit', $type)->status, 200, "no limit, $type");
        is($post->('/none', $type)->status, 200, "format none, $type");
        is($post->('/ndjson', $type)->status, 200, "format ndjson, $type");
    }
};


# the head is enough

for my $uri ('/records', '/variable?n=2') {
    my $r = $t->post($uri, '1', expect => 1,
                     type => 'text/plain; charset=utf-16');

    is($r->status, 415, "Expect, $uri");
    is(join(' ', $r->interim), '', "Expect, $uri: nothing was asked for");
}

$t->done;
