#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_decode: the backend receives the decoded bytes under their own
# length, and nothing in the header tells of the coded ones.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my %cgi = map { $_ => $t->peer($_) } qw(fastcgi uwsgi scgi);

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$guardrail_verdict $guardrail_encoding '
                 '$guardrail_body_bytes $guardrail_decoded_bytes '
                 '$guardrail_ratio $guardrail_records';
    access_log %%DIR%%/v.log v;
    underscores_in_headers on;
HTTP
    guardrail on;
    guardrail_decode on;
    guardrail_encodings gzip deflate br zstd;
    guardrail_max_body 10m;
    guardrail_max_decoded 100m;
    guardrail_max_ratio off;
    client_body_buffer_size 16k;
    proxy_http_version 1.1;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /text {
        proxy_set_header X-Length "[$content_length|$http_content_length]";
        proxy_set_header X-Coded "[$http_content_encoding|$http_digest]";
        proxy_set_header X-More "[$http_content_md5|$http_transfer_encoding]";
        proxy_set_header X-Digests "[$http_content_digest|$http_repr_digest]";
        proxy_set_header X-Early $early;
        proxy_pass http://%%BACKEND%%;
    }

    set $early "[$content_length|$http_content_encoding|$http_digest]";

    location /nodelay {
        proxy_request_buffering off;
        proxy_pass http://%%BACKEND%%;
    }

    location /file-only {
        client_body_in_file_only clean;
        proxy_set_header X-File $request_body_file;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail $arg_mode;
        proxy_pass http://%%BACKEND%%;
    }

    location /fastcgi {
        fastcgi_pass %%FASTCGI%%;
        include /etc/nginx/fastcgi_params;
    }

    location /uwsgi {
        uwsgi_pass %%UWSGI%%;
        include /etc/nginx/uwsgi_params;
    }

    location /scgi {
        scgi_pass %%SCGI%%;
        include /etc/nginx/scgi_params;
    }
SERVER

my %coders = (
    gzip    => \&gzip,
    'x-gzip' => \&gzip,
    deflate => \&zlib,
    br      => \&brotli,
    zstd    => \&zstd,
);

my $page = 16384;

# one byte, what fits the buffer, one more, several buffers, more than 1 MiB

my %sizes = map { $_ => ndjson(1, size => 19) . pseudo_random($_ - 20, $_) }
            (100, $page - 1, $page, $page + 1, 3 * $page, 1_500_000);

$sizes{1} = '{';


# coded once: brotli takes seconds for the largest

my %coded;

for my $coding (keys %coders) {
    $coded{$coding}{$_} = $coders{$coding}->($sizes{$_}) for keys %sizes;
}


sub log_of {
    my ($from) = @_;
    my @lines = $t->wait_access_log($from + 1, 'v.log');

    return $lines[$from];
}


each_framing {
    my ($f) = @_;

    for my $coding (sort keys %coders) {
        for my $size (sort { $a <=> $b } keys %sizes) {
            my $body = $sizes{$size};
            my $coded = $coded{$coding}{$size};
            my $name = "$coding, $size bytes";
            my $from = () = $t->access_log('v.log');

            my $r = $t->post('/', $coded, framing => $f, encoding => $coding,
                             type => 'application/x-ndjson');

            is($r->status, 200, "$name: accepted");
            is($r->json->{sha1}, sha1_hex($body), "$name: decoded");
            is($r->json->{headers}{'content-length'}, length $body,
               "$name: its length");
            is($r->json->{headers}{'content-encoding'}, undef,
               "$name: no coding");
            is($r->json->{headers}{'transfer-encoding'}, undef,
               "$name: not chunked");

            my $shown = $coding =~ s/x-//r;

            like(log_of($from), qr/^pass $shown ${\ length $coded} $size /,
                 "$name: variables tell of both");
        }
    }
};


subtest 'protocols' => sub {
    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $p (sort keys %cgi) {
            for my $size (100, $page, $page + 1, 1_500_000) {
                my $body = $sizes{$size};
                my $name = "$f, $p, $size";

                $cgi{$p}->clear;

                my $r = $t->post("/$p", gzip($body), framing => $f,
                                 encoding => 'gzip',
                                 headers => ['Digest', 'sha-256=x']);

                is($r->status, 200, "$name: accepted");

                my $q = $cgi{$p}->last;
                my %params = %{$q->{params}};

                is($q->{sha1}, sha1_hex($body), "$name: decoded");
                is($params{CONTENT_LENGTH}, $size, "$name: CONTENT_LENGTH");
                is($params{HTTP_CONTENT_LENGTH} // $size, $size,
                   "$name: HTTP_CONTENT_LENGTH");

                my @left = grep { exists $params{$_} }
                           qw(HTTP_CONTENT_ENCODING HTTP_TRANSFER_ENCODING
                              HTTP_DIGEST);

                is("@left", '', "$name: nothing of the coded one");
            }
        }
    }
};


subtest 'more than 1 MiB out of few bytes of the wire' => sub {
    my $zeros = "\0" x (8 << 20);
    my %few = (gzip => gzip_zeros(8 << 20), br => brotli($zeros),
               zstd => zstd_zeros(64));

    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $coding (sort keys %few) {
            for my $at (qw(/ /nodelay)) {
                my $r = $t->post($at, $few{$coding}, framing => $f,
                                 encoding => $coding);

                is($r->status, 200, "$f, $coding, $at: accepted");
                is($r->json->{length}, 8 << 20, "$f, $coding, $at: length");
                is($r->json->{sha1}, sha1_hex($zeros),
                   "$f, $coding, $at: decoded");
            }
        }
    }
};


subtest 'empty bodies' => sub {
    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $coding (sort keys %coders) {
            my $r = $t->post('/', $coders{$coding}->(''), framing => $f,
                             encoding => $coding);

            is($r->status, 200, "$f, $coding: accepted");
            is($r->json->{length}, 0, "$f, $coding: empty");
            is($r->json->{headers}{'content-length'}, 0,
               "$f, $coding: length");
            is($r->json->{headers}{'content-encoding'}, undef,
               "$f, $coding: no coding");

            # no bytes at all

            $r = $t->post('/', '', framing => $f, encoding => $coding);

            is($r->status, 200, "$f, $coding: no bytes");
            is($r->json->{length}, 0, "$f, $coding: nothing");
            is($r->json->{headers}{'content-encoding'}, undef,
               "$f, $coding: no coding of nothing");
        }

        is($t->post('/', '', framing => $f, encoding => 'foo')->status,
           $f =~ /cl/ ? 200 : 415, "$f: what cannot be decoded");
    }

    my $r = $t->get('/', headers => ['Content-Encoding', 'gzip',
                                     'Accept-Encoding', 'gzip']);

    is($r->status, 200, 'a GET');
    is($r->json->{headers}{'content-encoding'}, undef, 'has no coding');
    is($r->json->{headers}{'accept-encoding'}, 'gzip', 'but the rest');
};


subtest 'fields of the coded body' => sub {
    my $body = '{"a":1}';
    my @drop = qw(Content-MD5 Digest Content-Digest Repr-Digest
                  CONTENT_MD5 Content_Digest Repr_digest repr-digest
                  Content_Length Transfer_Encoding);
    my @keep = qw(Want-Digest Content-Type ETag X-Digest Content-Language
                  Content-Location Digests);

    for my $f (qw(cl chunked h2 h2-cl)) {
        my $r = $t->post('/text', gzip($body), framing => $f,
                         headers => [(map { ($f =~ /h2/ ? lc $_ : $_, '3') }
                                          @drop, @keep),
                                     'Content-Encoding', 'gzip',
                                     'Content-Encoding', 'identity']);

        is($r->status, 200, "$f: accepted");

        my %h = %{$r->json->{headers}};
        my @left = grep { exists $h{lc $_} && lc ne 'content-length' } @drop;
        my @lost = grep { !exists $h{lc $_} } @keep;

        is("@left", '', "$f: dropped");
        is("@lost", '', "$f: kept");
        is($h{'content-encoding'}, undef, "$f: both lines of the coding");
        is($r->json->{sha1}, sha1_hex($body), "$f: the body");

        my $text = $f =~ /cl/ ? '7' : '';

        is($h{'x-length'}, "[7|$text]", "$f: \$content_length");
        is($h{$_}, '[|]', "$f: variables, $_")
            for qw(x-coded x-more x-digests);
    }
};


subtest 'what needs no decoding' => sub {
    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $label (undef, 'identity', '', 'Identity, identity') {
            my $r = $t->post('/', 'plain', framing => $f, encoding => $label,
                             headers => ['Digest', 'sha-256=x',
                                         'Content-Digest', 'y']);

            my $name = "$f, " . ($label // 'no label');

            is($r->status, 200, "$name: accepted");
            is($r->json->{body}, 'plain', "$name: as it was")
                if exists $r->json->{body};
            is($r->json->{length}, 5, "$name: length");
            is($r->json->{headers}{digest}, 'sha-256=x', "$name: digest");
            is($r->json->{headers}{'content-digest'}, 'y', "$name: digests");
            is($r->json->{headers}{'content-encoding'}, undef,
               "$name: no coding");
        }
    }
};


subtest 'client_body_in_file_only' => sub {
    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $size (1, 100, $page, 1_500_000) {
            my $r = $t->post('/file-only', gzip($sizes{$size}),
                             framing => $f, encoding => 'gzip');

            is($r->json->{sha1}, sha1_hex($sizes{$size}), "$f, $size: bytes");
            like($r->json->{headers}{'x-file'}, qr{/\d{10}$},
                 "$f, $size: in a file");
            ok((wait_until { !-e $r->json->{headers}{'x-file'} }),
               "$f, $size: and gone");
        }
    }
};


subtest 'a mode that is a variable' => sub {
    my $coded = gzip($sizes{100});
    my @o = (encoding => 'gzip', headers => ['Digest', 'x']);

    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $mode (qw(dry_run off)) {
            my $r = $t->post("/variable?mode=$mode", $coded, @o,
                             framing => $f);

            is($r->json->{sha1}, sha1_hex($coded), "$f, $mode: untouched");
            is($r->json->{headers}{'content-encoding'}, 'gzip',
               "$f, $mode: its coding");
            is($r->json->{headers}{digest}, 'x', "$f, $mode: its digest");
        }

        my $r = $t->post('/variable?mode=on', $coded, @o, framing => $f);

        is($r->json->{sha1}, sha1_hex($sizes{100}), "$f, on: decoded");
        is($r->json->{headers}{'content-encoding'}, undef, "$f, on: no coding");
    }
};


subtest 'cut anywhere' => sub {
    my $coded = gzip($sizes{1_500_000} . 'x' x 100_000);
    my $want = sha1_hex($sizes{1_500_000} . 'x' x 100_000);

    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $cut (997, 65536) {
            my $r = $t->post('/', $coded, framing => $f, cut => $cut,
                             encoding => 'gzip');

            is($r->status, 200, "$f, $cut: accepted");
            is($r->json->{sha1}, $want, "$f, $cut: decoded");
        }
    }
};

$t->done;
