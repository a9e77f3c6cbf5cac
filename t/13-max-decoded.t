#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_max_decoded: what a body decodes to, gzip, deflate or identity.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    map $http_x_limit $decoded {
        off      off;
        zero     0;
        empty    "";
        thousand 1000;
    }

    add_header X-G "$guardrail_verdict $guardrail_decoded_bytes" always;
HTTP
    client_body_buffer_size 1k;

    location /small {
        guardrail on;
        guardrail_max_decoded 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /large {
        guardrail on;
        guardrail_max_body 0;
        guardrail_max_decoded 300001;
        guardrail_max_ratio off;
        proxy_pass http://%%BACKEND%%;
    }

    # the default is the max_body in force

    location /explicit {
        guardrail on;
        guardrail_max_body 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /core {
        guardrail on;
        client_max_body_size 1000;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable_body {
        guardrail on;
        guardrail_max_body $arg_body;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail on;
        guardrail_max_body 5000;
        guardrail_max_decoded $decoded;
        proxy_pass http://%%BACKEND%%;
    }

    # or 1g

    location /none {
        guardrail on;
        guardrail_max_body 0;
        guardrail_max_ratio off;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# the bytes that a coder makes of this are fewer than 1000 and many

my $data = join '', map { "$_ " } 1 .. 60000;
my %coder = (gzip => \&gzip, 'x-gzip' => sub { gzip($_[0], name => 'a') },
             deflate => \&zlib, DEFLATE => \&deflate_raw);
my %large;

for my $len (300001, 300002) {
    $large{$_}{$len} = $coder{$_}->(substr $data, 0, $len)
        for qw(gzip deflate);
}


sub refused {
    my ($r, $limit, $observed, $name) = @_;
    my $json = $r->json;

    is($r->status, 413, "$name: status");
    is($json->{reason}, 'max_decoded', "$name: reason");
    is($json->{limit}, $limit, "$name: limit");
    is($json->{observed}, $observed, "$name: observed");
    is($json->{unit}, 'bytes', "$name: unit");
    is($backend->connections, 0, "$name: backend");
}


each_framing {
    my ($f) = @_;

    for my $coding (sort keys %coder) {
        my $at = $coder{$coding}->(substr $data, 0, 1000);
        my $over = $coder{$coding}->(substr $data, 0, 1001);
        my @cuts = ([cut => 101, drain => 1]);

        push @cuts, [cut => 1, pause => 0.0002] if $coding eq 'gzip';

        for my $how ([], [chunk => 1], @cuts) {
            my $name = "$coding @$how";
            my $r = $t->post('/small', $at, framing => $f,
                             encoding => $coding, @$how);

            is($r->status, 200, "$name: status");
            is($r->json->{sha1}, sha1_hex($at), "$name: arrived as it was");
            is($r->header('X-G'), 'pass 1000', "$name: variables");

            $backend->clear;
            $r = $t->post('/small', $over, framing => $f,
                          encoding => $coding, @$how);
            refused($r, 1000, 1001, $name);
            is($r->header('X-G'), 'reject 1001', "$name: variables");
        }
    }

    for my $coding ('gzip', 'deflate') {
        my ($at, $over) = @{$large{$coding}}{300001, 300002};

        for my $how ([], [cut => 10007], [chunk => 1000]) {
            my $name = "300001 bytes of $coding, @$how";
            my $r = $t->post('/large', $at, framing => $f,
                             encoding => $coding, @$how);

            is($r->status, 200, "$name: status");
            is($r->json->{sha1}, sha1_hex($at), "$name: arrived as it was");

            $backend->clear;
            refused($t->post('/large', $over, framing => $f,
                             encoding => $coding, @$how),
                    300001, 300002, $name);
        }
    }

    # identity: a declared length says it all

    for my $how ([], [cut => 99], [cut => 333, drain => 1]) {
        is($t->post('/small', substr($data, 0, 1000), framing => $f,
                    @$how)->status, 200, "identity @$how: at the limit");

        $backend->clear;

        my $r = $t->post('/small', substr($data, 0, 2000), framing => $f,
                         encoding => ' identity ,', @$how);

        refused($r, 1000, $f =~ /cl$/ ? 2000 : 1001, "identity @$how");
    }

    # defaults

    my $wire = gzip('x' x 1001);

    for my $uri ('/explicit', '/core', '/variable_body?body=1000') {
        is($t->post($uri, gzip('x' x 1000), framing => $f,
                    encoding => 'gzip')->status, 200, "$uri: at the default");
        $backend->clear;
        refused($t->post($uri, $wire, framing => $f, encoding => 'gzip'),
                1000, 1001, "$uri, default");
    }

    # variables

    for (['thousand', 1000, 413], ['off', 5001, 200], ['zero', 5001, 200]) {
        my ($name, $len, $status) = @$_;
        my @opt = (framing => $f, encoding => 'gzip',
                   headers => ['X-Limit', $name]);

        is($t->post('/variable', gzip('x' x $len), @opt)->status, 200,
           "variable, $name: $len bytes");
        is($t->post('/variable', gzip('x' x ($len + 1)), @opt)->status,
           $status, "variable, $name: one more");
    }

    for my $name ('empty', 'unknown') {
        $backend->clear;
        is($t->post('/variable', gzip('x'), framing => $f, encoding => 'gzip',
                    headers => ['X-Limit', $name])->status, 500,
           "variable, $name");
        is($backend->connections, 0, "variable, $name: backend");
    }
};

is(scalar(() = $t->log_lines(qr/\[error\].*guardrail_max_decoded/)), 8,
   'a line in the error log for each value that cannot be read');


# a declared length is refused with nothing read

for my $uri ('/small', '/variable') {
    my $r = $t->post($uri, 'x' x 1001, expect => 1,
                     headers => ['X-Limit', 'thousand']);

    refused($r, 1000, 1001, "$uri, Expect");
    is(join(' ', $r->interim), '', "$uri: nothing was asked for");
}

# of a coded body the declared length says nothing

is($t->post('/small', gzip(pseudo_random(1000)), encoding => 'gzip')->status,
   200, '1000 bytes that did not compress');


# without a limit on the body 1g is the default, and a declared length tells

my $c = $t->h1;

$c->send("POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
         . "Content-Length: 1073741824\r\n\r\n");
is($c->read(interim => 1)->status, 100, '1g may be sent');

$backend->clear;
refused($t->post('/none', '', length => (1 << 30) + 1, end => 0),
        1 << 30, (1 << 30) + 1, 'a byte more than 1g');

$t->done;
