#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# In dry_run a declared length is too much; in the location that the request
# is led to its decoded bytes are.  The answer must not say that these were
# declared.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    root %%DIR%%;

    location / {
        guardrail dry_run;
        guardrail_max_body 10;
        try_files /none @on;
    }

    location @on {
        guardrail on;
        guardrail_max_decoded 1000;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

each_framing {
    my ($f) = @_;

    my $r = $t->post('/', gzip('x' x 2000), framing => $f, encoding => 'gzip');

    is($r->status, 413, 'refused');
    is($r->json->{reason}, 'max_decoded', 'reason');
    unlike($r->json->{detail}, qr/declare/, 'nothing of that was declared');

    $r = $t->post('/', 'x' x 1001, framing => $f);

    is($r->json->{detail} =~ /declare/ ? 1 : 0, $f =~ /cl/ ? 1 : 0,
       'this was, if it was');
};

$t->done;
