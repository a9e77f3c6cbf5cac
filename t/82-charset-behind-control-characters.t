#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# nginx lets control characters pass in a field's value, and Python strips
# more than space and tab before it compares the name of a parameter: a
# charset behind one of them is a charset, and a type in front of one is that
# type.  One of any length that ends in "+json" is JSON.

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

    location /strict {
        guardrail on;
        guardrail_json strict=on;
        add_header X-Format $guardrail_format always;
        proxy_pass http://%%BACKEND%%;
    }
SERVER


# what is taken for JSON by its first byte alone is not judged strictly

sub strict {
    my ($f, $type, $name) = @_;
    my $r = $t->post('/strict', '[1,]', framing => $f, type => $type);

    is($r->status, 400, "$f: $name: refused");
    is($r->header('X-Format'), 'json', "$f: $name: format");
}


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

        strict($f, "application/json$ch", "$name behind a type");
        strict($f, "${ch}application/json", "$name before a type");
        strict($f, "application/x+json $ch; a=b", "$name before a parameter");
    }
}

for my $f (qw(cl h2)) {
    strict($f, 'application/' . 'x' x $_ . '+json', "$_ characters")
        for 111, 112, 1000;
}

$t->done;
