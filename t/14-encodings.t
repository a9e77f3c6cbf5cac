#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Content-Encoding: one coding that is accepted, or 415 with a field that
# says which are, before anything is read.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    add_header X-G "$guardrail_verdict $guardrail_encoding" always;
HTTP
    guardrail on;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        guardrail_encodings none;
        proxy_pass http://%%BACKEND%%;
    }

    location /gzip {
        guardrail_encodings gzip;
        proxy_pass http://%%BACKEND%%;
    }

    location /deflate {
        guardrail_encodings deflate;
        proxy_pass http://%%BACKEND%%;
    }

    location /gate {
        guardrail $arg_g;
        guardrail_max_body $arg_max;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /nginx {
        guardrail_error_format nginx;
        proxy_pass http://%%BACKEND%%;
    }

    location /format_none {
        guardrail_format none;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $data = 'some data, ' x 100;
my %body = (gzip => gzip($data), zlib => zlib($data), identity => $data,
            raw => deflate_raw($data));
my %shown = (gzip => 'gzip', zlib => 'deflate', raw => 'deflate',
             identity => 'identity');

my @uris = (
    # uri, what is accepted
    ['/', 'gzip, deflate'], ['/none', 'identity'], ['/gzip', 'gzip'],
    ['/deflate', 'deflate'], ['/gate?max=5000', 'gzip, deflate'],
    ['/gate?g=on&max=off', 'gzip, deflate'], ['/unbuffered', 'gzip, deflate'],
    ['/nginx', 'gzip, deflate'], ['/format_none', 'gzip, deflate'],
);

# each a list of lines, and what the body is

my @good = (
    (map { [$_, 'gzip'] } ['gzip'], ['GZIP'], ['GziP'], ['x-gzip'],
        ['X-GZip'], [" \tgzip\t "], ['gzip, identity'], ['identity,gzip'],
        [', ,gzip,,'], [' , Identity ,  gzip'], ['', 'gzip'], ['gzip', ''],
        ['identity', 'gzip'], ['gzip', 'IDENTITY', ',']),
    (map { [$_, 'zlib'] } ['deflate'], ['Deflate'], ['identity', 'deflate']),
    (map { [$_, 'raw'] } ['deflate'], ['DEFLATE,']),
    (map { [$_, 'identity'] } ['identity'], ['Identity, identity'], [''],
        [','], [' ,, '], ['identity', 'identity'], []),
);

my @bad = (
    ['gzip, gzip'], ['gzip', 'gzip'], ['gzip,x-gzip'], ['deflate, gzip'],
    ['gzip', 'identity', 'deflate'], ['gzip', '', 'br'], ['br', 'gzip'],
    ['gzip;q=1'], ['gzip; q=1.0'], ['gzip;'], ['gzip ;level=9'],
    ['identity;q=1'], ['br'], ['zstd'], ['compress'], ['x-compress'],
    ['x-deflate'], ['dcb'], ['exi'], ['aws-chunked'], ['*'], ['gzipp'],
    ['gzi'], ['gzip br'], ["gzip\tgzip"], ['"gzip"'], ['identity identity'],
    ['none'], ["gzip\x80"], ['gz' . 'i' x 500 . 'p'],
);


sub lines {
    my ($name, $lines) = @_;

    return headers => [map { ($name, $_) } @$lines];
}


each_framing {
    my ($f) = @_;

    for (@uris) {
        my ($uri, $accepted) = @$_;

        for (@good) {
            my ($lines, $coding) = @$_;
            my $name = "$uri, " . join('|', @$lines) . ", $coding";
            my $ok = $coding eq 'identity'
                     || index($accepted, $shown{$coding}) >= 0;

            # the full list where it matters, three of it elsewhere

            next if $uri ne '/' && $uri !~ /max=5/
                    && join('|', @$lines) !~ /^(?:gzip|deflate|identity)$/;

            my $r = $t->post($uri, $body{$coding}, framing => $f,
                             lines('Content-Encoding', $lines));

            is($r->status, $ok ? 200 : 415, "$name: status");
            is($r->header('Accept-Encoding'), $ok ? undef : $accepted,
               "$name: Accept-Encoding");

            next if !$ok;

            is($r->json->{sha1}, sha1_hex($body{$coding}),
               "$name: arrived as it was");
            is($r->json->{headers}{'content-encoding'} =~ tr/ \t//dr,
               $lines->[0] =~ tr/ \t//dr, "$name: the field too")
                if @$lines == 1;
            is($r->header('X-G'), "pass $shown{$coding}", "$name: variables");
        }

        for my $lines ($uri eq '/' ? @bad : @bad[0, 1, 7, 12]) {
            my $name = "$uri, " . join '|', @$lines;

            $backend->clear;

            my $r = $t->post($uri, $body{gzip}, framing => $f, end => 0,
                             lines('Content-Encoding', $lines));

            is($r->status, 415, "$name: status");
            is($r->header('Accept-Encoding'), $accepted,
               "$name: Accept-Encoding");
            is($r->json->{reason}, $uri eq '/nginx' ? undef : 'encoding',
               "$name: reason");
            is($backend->connections, 0, "$name: backend");
            is($r->header('Connection'), $f =~ /h2/ ? undef : 'close',
               "$name: connection");
        }
    }
};


# the head is enough

for my $uri ('/', '/gate?max=5000', '/unbuffered') {
    for my $f (qw(cl chunked)) {
        my $r = $t->post($uri, $body{gzip}, framing => $f, expect => 1,
                         encoding => 'gzip, gzip');

        is($r->status, 415, "Expect, $uri, $f: status");
        is(join(' ', $r->interim), '', "Expect, $uri, $f: not asked for");
        is($r->{sent}, 0, "Expect, $uri, $f: not sent");
    }
}


# where there is no body nothing is judged; a length that is not known is a
# body, though it may turn out to be empty

each_framing {
    my ($f) = @_;

    for my $uri ('/', '/none', '/gate?max=5', '/unbuffered') {
        for my $coding ('gzip', 'br', 'gzip, gzip') {
            my @opt = (framing => $f, encoding => $coding);
            my $r = $t->get($uri, @opt);

            is($r->status, 200, "$uri, $coding: no body");

            $r = $t->post($uri, '', @opt);

            my $status = $f =~ /cl$/ ? 200
                         : $coding eq 'gzip' && $uri ne '/none' ? 200 : 415;

            is($r->status, $status, "$uri, $coding: an empty body");
            is($r->json->{length}, 0, "$uri, $coding: arrived")
                if $status == 200;
        }
    }
};

$t->done;
