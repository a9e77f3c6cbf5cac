#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Python's json reads UTF-16 and UTF-32 too, in which a byte scanner sees
# neither quotes nor line ends: a record, or a body, that starts like that is
# refused where records are limited.

use strict;
use warnings;

use lib 't/lib';

use Encode qw(encode);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    client_body_buffer_size 1k;

    guardrail on;

    location /records {
        guardrail_max_records 100;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_record_size 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /no_limit {
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        guardrail_format none;
        guardrail_max_records 100;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $json = '{"a":[1,2]}';
my @codes = qw(UTF-16BE UTF-16LE UTF-32BE UTF-32LE UTF-16 UTF-32);
my @heads = ("\xfe\xff", "\xff\xfe", "\0", "\0{", "{\0", "1\0", "\xff\xfe\0\0",
             "\0\0\xfe\xff", "\0\n");

my @bad = ((map { ["$_" => encode($_, $json)] } @codes),
           map { [unpack('H*', $_) => $_] } @heads);

my @good = (
    ['a NUL later', "12\0\n"],
    ['one byte FE', "1\n\xfe1\n"],
    ['one byte FF', "1\n\xff\n\xfe\n"],
    ['FE FF later', "1\xfe\xff\n\t\xff\xfe\n"],
    ['NUL in the second line, later', "1\n  \0\n"],
);

# where: as ndjson in any line, as a body of any type at its start

my @places = (['application/x-ndjson', ''],
              ['application/x-ndjson', "{}\n"],
              ['application/x-ndjson', "\n\r\n"],
              ['application/x-ndjson', 'x' x 1023 . "\n"],
              ['text/plain', ''], [undef, ''], ['text/plain', "[]\n"]);

each_framing {
    my ($f) = @_;

    my $post = sub {
        my ($uri, $body, $type, @opt) = @_;

        return $t->post($uri, $body, framing => $f, @opt,
                        defined $type ? (type => $type) : ());
    };

    $backend->clear;

    for (@bad) {
        my ($name, $body) = @$_;

        for my $place (@places) {
            my ($type, $before) = @$place;
            my $label = join ', ', $type // 'no type', $name . ' after '
                                   . length($before) . ' bytes';

            for my $how ([], length $before > 3 ? () : [cut => 1, chunk => 1])
            {
                my $r = $post->('/records', $before . $body, $type, @$how);

                is($r->status . ' ' . ($r->json->{reason} // ''),
                   '400 malformed_json', "$label, @$how");
            }
        }

        is($post->('/size', $body)->status, 400, "$name: by size");
        is($post->('/records', gzip("1\n$body"), 'application/jsonl',
                   encoding => 'gzip')->status, 400, "$name, gzip");
    }

    is($backend->connections, 0, 'the backend saw nothing');

    for (@bad) {
        my ($name, $body) = @$_;

        is($post->('/no_limit', $body)->status, 200, "$name: no limit");
        is($post->('/none', $body)->status, 200, "$name: format none");
    }

    for (@good) {
        my ($name, $body) = @$_;

        is($post->($_, $body, 'application/x-ndjson')->status, 200,
           "$_, $name") for '/records', '/size';
    }
};

$t->done;
