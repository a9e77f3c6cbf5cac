#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# No request can put the connection to the backend out of step: after each
# hostile one a good one arrives as it was sent, over the same connection.
# What is refused leaves neither a body nor a file behind.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 1, lingering => '50ms');
my $backend = $t->backend(keepalive => 1);

$t->start(http => <<'HTTP', server => <<'SERVER');
    upstream kept {
        server %%BACKEND%%;
        keepalive 1;
    }
HTTP
    guardrail on;
    guardrail_decode on;
    guardrail_encodings gzip deflate br zstd;
    guardrail_max_body 4m;
    guardrail_max_decoded 4m;
    guardrail_max_ratio off;
    client_body_buffer_size 16k;
    client_body_temp_path %%DIR%%/bodies;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / {
        proxy_pass http://kept;
    }

    location /slow {
        lingering_timeout 30s;
        lingering_time 60s;
        proxy_pass http://kept;
    }

    location /file-only {
        client_body_in_file_only on;
        proxy_pass http://kept;
    }

    location /page {
        error_page 400 413 415 = @page;
        proxy_pass http://kept;
    }

    location @page {
        proxy_method POST;
        proxy_set_header X-Reason $guardrail_reason;
        proxy_set_header X-Text "[$content_length|$http_content_encoding]";
        proxy_pass http://kept;
    }
SERVER

my $text = pseudo_random(100_000, 1);
my $coded = gzip($text);
my $large = gzip_zeros(8 << 20);
my $good = '{"good":1}';
my $asked = 0;


# what the backend got is either nothing, or the one right body

sub in_step {
    my ($name) = @_;

    $backend->clear if $asked++ % 50 == 0;

    my $r = $t->post('/', gzip($good), encoding => 'gzip');

    is($r->status, 200, "$name: the next one");
    is($r->json->{sha1}, sha1_hex($good), "$name: as it was sent");
}


# of the files that nginx has open, those of bodies

sub files {
    my ($pid) = $t->worker_pids;

    return grep { defined && m{/bodies/} }
           map { readlink } glob "/proc/$pid/fd/*";
}


in_step('at first');

my @bodies = (
    ['whole', $coded, 200],
    ['short', substr($coded, 0, -1), 400],
    ['half', substr($coded, 0, length($coded) / 2), 400],
    ['its header', substr($coded, 0, 10), 400],
    ['one byte', "\x1f", 400],
    ['a byte more', $coded . 'x', 400],
    ['a request behind it',
     $coded . "POST /evil HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ['a request inside', gzip("\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n"),
     200],
    ['two members', $coded . gzip('x' x 50_000), 200],
    ['a wrong checksum', gzip($text, crc => 1), 400],
    ['a wrong length', gzip($text, isize => 5), 400],
    ['not coded', $text, 400],
    ['too much', $large, 413],
);

for my $at (qw(/ /page /file-only)) {
    each_framing {
        my ($f) = @_;

        for my $case (@bodies) {
            my ($name, $body, $status) = @$case;
            my $r = $t->post($at, $body, framing => $f, encoding => 'gzip');

            if ($at eq '/page' && $status != 200) {
                my %h = %{$r->json->{headers}};

                is($r->status, 200, "$name: the page of the error");
                like($h{'x-reason'}, qr/^(?:malformed_encoding|max_decoded)$/,
                     "$name: which knows why");
                is($r->json->{length}, 0, "$name: and has no body");
                is($h{'content-length'} // 0, 0, "$name: nor a length");
                like($h{'x-text'}, qr/^\[0\|/, "$name: nor a text of it");

            } else {
                is($r->status, $status, "$name: status");
            }

            in_step($name);
        }
    };
}


subtest 'files are gone' => sub {
    my @kept = glob $t->dir . '/bodies/*';

    # "client_body_in_file_only on" keeps those that were accepted

    is(scalar(@kept), 4 * 3, 'nothing of what was refused is left');
    ok((wait_until { files() == 0 }), 'none is open');

    # a client that is refused and stays

    my $c = $t->h1;

    $c->send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
             . 'Content-Length: ' . (length($coded) + 1000) . "\r\n\r\n"
             . $coded);

    ok((wait_until { files() == 1 }), 'a file while it comes');

    $c->send('x');

    is($c->read->status, 400, 'refused');
    ok((wait_until { files() == 0 }), 'no file');
    $c->close;

    # one that leaves

    for my $n (1 .. 3) {
        my $away = $t->h1;

        $away->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                    . 'Content-Length: ' . length($coded) . "\r\n\r\n"
                    . substr $coded, 0, -$n * 100);
        wait_until { files() == 1 };
        $n == 1 ? $away->close : $away->reset;
        ok((wait_until { files() == 0 }), "$n: no file of one that left");
        in_step("$n: a client that left");
    }
};


subtest 'heads' => sub {
    my $n = length $coded;
    my $chunks = sprintf "%x\r\n%s\r\n", $n, $coded;

    my @heads = (
        ["Content-Encoding: GZip\r\n", 200],
        ["content-encoding:gzip\r\n", 200],
        ["Content-Encoding: \t gzip \t\r\n", 200],
        ["Content-Encoding: ,gzip,\r\n", 200],
        ["Content-Encoding: identity, gzip\r\n", 200],
        ["Content-Encoding: gzip\r\nContent-Encoding: identity\r\n", 200],
        ["Content-Encoding:\r\nContent-Encoding: x-gzip\r\n", 200],
        ["Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", 415],
        ["Content-Encoding: gzip;q=1\r\n", 415],
        ["Content-Encoding: gzip gzip\r\n", 415],
        ["Content-Encoding: \"gzip\"\r\n", 415],
    );

    for my $case (@heads) {
        my ($head, $want) = @$case;

        for my $framing ("Content-Length: $n\r\n\r\n$coded",
                         "Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n",
                         "Transfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
                         . "${chunks}0\r\nDigest: x\r\nContent-Length: 3\r\n"
                         . "\r\n")
        {
            my $name = $head =~ s/\r\n/|/gr . substr $framing, 0, 9;
            my $c = $t->h1;

            $c->send("POST / HTTP/1.1\r\nHost: x\r\n$head$framing");

            my $r = $c->read;

            is($r->status, $want, "$name: status");
            is($r->json->{sha1}, sha1_hex($text), "$name: decoded")
                if $want == 200;
            in_step($name);
        }
    }

    # both framings, lengths that are none

    for my $both ("Content-Length: $n\r\nTransfer-Encoding: chunked",
                  "Content-Length: $n\r\nContent-Length: 3",
                  "Content-Length: +$n", "Content-Length: $n, $n",
                  'Transfer-Encoding: gzip, chunked',
                  "Transfer-Encoding: chunked\r\nTransfer-Encoding: x")
    {
        my $c = $t->h1;

        $c->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                 . "$both\r\n\r\n$coded");

        my $r = $c->read;

        cmp_ok($r->status || 400, '>=', 400, $both =~ s/\r\n/|/gr);
        in_step($both =~ s/\r\n/|/gr);
    }
};


subtest 'pipelined requests behind it' => sub {
    for my $f ('cl', 'chunked') {
        my $c = $t->h1;
        my $all = '';

        for my $body ($text, 'small', '') {
            my $z = gzip($body);

            $all .= "POST /p HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                    . ($f eq 'cl'
                       ? 'Content-Length: ' . length($z) . "\r\n\r\n$z"
                       : sprintf "Transfer-Encoding: chunked\r\n\r\n"
                                 . "%x\r\n%s\r\n0\r\n\r\n", length $z, $z);
        }

        $c->send($all . "GET /end HTTP/1.1\r\nHost: x\r\n\r\n");

        for my $body ($text, 'small', '') {
            is($c->read->json->{sha1}, sha1_hex($body),
               "$f: " . length $body);
        }

        is($c->read->json->{uri}, '/end', "$f: the last one");
        in_step($f);
    }
};


subtest 'HTTP/2 streams' => sub {
    for my $declare (0, 1) {
        for my $case ([$coded, 200], [substr($coded, 0, -1), 400],
                      [$coded . 'x', 400], [$large, 413], [gzip(''), 200])
        {
            my ($body, $status) = @$case;
            my $c = $t->h2;
            my $name = "$declare, " . length $body;
            my @length = $declare ? ('content-length', length $body) : ();
            my $r = $t->post('/', $body, conn => $c, encoding => 'gzip',
                             framing => $declare ? 'h2-cl' : 'h2',
                             empty_end => 1);

            is($r->status, $status, "$name: status");
            is($t->post('/', gzip($good), conn => $c, encoding => 'gzip',
                        framing => 'h2')->json->{sha1}, sha1_hex($good),
               "$name: another stream");
            in_step($name);
        }
    }
};

ok(!grep({ $_->{uri} =~ /evil/ } $backend->requests), 'no smuggled request');

$t->done;
