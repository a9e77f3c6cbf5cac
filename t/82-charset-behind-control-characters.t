#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# nginx lets control characters pass in a field's value, and Python strips
# more than space and tab before it compares the name of a parameter: a
# charset behind one of them is a charset.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    location / {
        guardrail on;
        guardrail_max_records 5;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# all that str.strip() takes away, as WSGI decodes it, but CR and LF

for my $c (0x09, 0x0b, 0x0c, 0x1c .. 0x20, 0x85, 0xa0) {
    my ($ch, $name) = (chr $c, sprintf '%02x', $c);

    for my $f (qw(cl h2)) {
        my $r = $t->post('/', "{}\n", framing => $f,
                      type => "application/x-ndjson;${ch}charset=utf-7");

        is($r->status, 415, "$f: $name before a charset");

        $r = $t->post('/', "{}\n", framing => $f,
                      type => "application/x-ndjson;${ch}charset=utf-8");

        is($r->status, 200, "$f: $name before one that is read");
    }
}

$t->done;
