#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Bodies of many records cut at every byte, and records across the ends of
# every buffer: the counts stay the same.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict reason records largest_record));

$t->start(server => <<'SERVER');
    add_header X-G "%%G%%" always;
    client_body_buffer_size 1k;

    guardrail on;
    guardrail_format ndjson;

    location / {
        guardrail_max_records 9;
        guardrail_max_record_size 23;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 8;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_record_size 22;
        proxy_pass http://%%BACKEND%%;
    }

    location /large {
        guardrail_max_records 10000;
        guardrail_max_record_size 1500;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# nine records: a line of two by CR, one of 23 bytes and five by other ends,
# two plain ones

my $body = "{}\r\n1\r2\r\n\n a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce\x1cf\x1d"
           . "g\xe2\x80\xa9hi\r\r\n\t\n{}";

each_framing {
    my ($f) = @_;

    for my $coding (undef, 'gzip') {
        my $wire = $coding ? gzip($body) : $body;
        my @opt = (framing => $f, $coding ? (encoding => $coding) : ());
        my $name = $coding || 'identity';

        for my $how ([], [chunk => 1], [cut => 1, pause => 0.0003],
                     map { [cuts => [$_], pause => 0.0005] }
                         1 .. length($wire) - 1)
        {
            my $label = "$name, $how->[0] "
                        . (ref $how->[1] ? $how->[1][0] : $how->[1])
                if @$how;

            $label ||= "$name, whole";

            is($t->post('/', $wire, @opt, @$how)->header('X-G'),
               'pass  9 23', $label);

            next if $coding && @$how && ref $how->[1] && $how->[1][0] % 5;

            is($t->post('/records', $wire, @opt, @$how)->header('X-G'),
               'reject max_records 9 23', "$label: too many");
            is($t->post('/size', $wire, @opt, @$how)->header('X-G'),
               'reject max_record_size 8 23', "$label: too large");
        }
    }

    # records of 1 to 1500 bytes meet each place of a buffer of 1 KiB

    my ($large, $n) = ('', 0);

    for my $size (map({ 3 * $_ + 1 } 0 .. 499), 1500) {
        $large .= 'x' x $size . ($n++ % 2 ? "\r\n" : "\n");
    }

    for my $how ([], [cut => 511], [cut => 1024], [chunk => 1023],
                 [chunk => 7777])
    {
        is($t->post('/large', $large, framing => $f, @$how)->header('X-G'),
           "pass  $n 1500", "@$how: buffers");
        is($t->post('/large', $large . 'y' x 1501, framing => $f,
                    @$how)->header('X-G'),
           "reject max_record_size @{[$n + 1]} 1501", "@$how: too large");
    }
};

$t->done;
