#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# With guardrail_buffering off a body is judged piece by piece on its way to
# the backend: a slow backend holds the client back, a late refusal ends the
# request to the backend without its end, and answers the client while no
# answer has begun.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);
use IO::Select;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_SNDBUF);

use Guardrail::Test;
use Guardrail::Util;

my $t = Guardrail::Test->new(lingering => '50ms');
my @protocols = qw(http fastcgi);
my %peer = map { $_ => $t->peer($_) } @protocols;
my $early = $t->backend(name => 'EARLY', early => 1);

# accepts connections, and reads when it is told to

my ($deaf, $port) = Guardrail::Util::listen_port();

$deaf->setsockopt(SOL_SOCKET, SO_RCVBUF, 65536);

$t->define(DEAF => "127.0.0.1:$port");

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_buffering off;
    guardrail_max_records 1000;
    guardrail_max_body 1g;
    guardrail_format ndjson;
    client_body_buffer_size 16k;

    proxy_request_buffering off;
    proxy_http_version 1.1;
    fastcgi_request_buffering off;

    location /http {
        proxy_pass http://%%BACKEND%%;
    }

    location /fastcgi {
        fastcgi_pass %%FASTCGI%%;
        include /etc/nginx/fastcgi_params;
    }

    location /early {
        proxy_pass http://%%EARLY%%;
    }

    location /deaf {
        proxy_pass http://%%DEAF%%;
    }
SERVER

my $piece = '{' . ' ' x 998 . "}\n";
my $half = $piece x 500;

each_framing {
    my ($f) = @_;

    for my $p (@protocols) {
        for my $coded (0, 1) {
            my $peer = $peer{$p};
            my $name = $coded ? "$p, coded" : $p;
            my $whole = "$half$half\{";
            my $body = $coded ? gzip($whole, level => 1) : $whole;
            my $cut = length($body) / 2;
            my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
            my $seen;

            $peer->clear;

            # the first half is at the backend when the second is sent

            my @pieces = (substr($body, 0, $cut), substr($body, $cut));
            my $r = $t->post("/$p", sub {
                if (@pieces == 1) {
                    ($seen) = $peer->wait_requests(sub {
                        @_ && $_[0]{length} > 0;
                    });
                }

                return shift @pieces;
            }, framing => $f =~ /h2/ ? 'h2' : $f, conn => $c,
               length => $f =~ /cl/ ? length $body : undef,
               $coded ? (encoding => 'gzip') : ());

            ok($seen, "$name: it was passed on");
            is($r->status, 413, "$name: refused");
            is($r->json->{reason}, 'max_records', "$name: reason");
            ok($r->closed, "$name: closed") if $f !~ /h2/;

            my ($q) = $peer->wait_requests(sub { $_[0]{closed} });

            is($q->{closed}, 'early', "$name: the backend lost its client");
            is($q->{complete}, 0, "$name: before the end");
            is($q->{terminator}, 0, "$name: no last chunk");
            cmp_ok($q->{length}, '<', length $body, "$name: not all of it");
        }

        my $r = $t->post("/$p", $half, framing => $f);

        is($r->json->{sha1}, sha1_hex($half), "$p: accepted");
    }
};


subtest 'a backend that answers early' => sub {
    for my $f (qw(cl chunked h2)) {
        for my $end (0, 1) {
            my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
            my $body = $end ? $half : "$half$half\{";
            my $r = $t->post('/early', $body, framing => $f, conn => $c,
                             stubborn => 1);

            # it knows no better than the head; the answer stands

            like($r->status, $end ? qr/^200$/ : qr/^(?:200|413)$/,
                 "$f: answered");
            is($r->error, '', "$f: complete");
            is($t->post('/http', '{}', framing => $f)->status, 200,
               "$f: the next request");
        }
    }
};


subtest 'a backend that does not read' => sub {
    my $random = pseudo_random(1 << 20, 1) =~ tr/\n\r\x0b\x0c\x1c\x1d\x1e//dr;

    for my $coded (0, 1) {
        my $body = $coded ? gzip("xx$random", level => 1) x 32
                          : ' ' x (32 << 20);

        for my $f (qw(cl chunked h2)) {
            my $name = $coded ? "$f, coded" : $f;
            my $c = $f eq 'h2' ? $t->h2 : $t->h1;
            my @o = (framing => $f, conn => $c, end => 0, read => 0,
                     $coded ? (encoding => 'gzip') : ());

            $c->{sock}->setsockopt(SOL_SOCKET, SO_SNDBUF, 65536);

            my $sid = $t->post('/deaf', '', @o,
                               length => $f eq 'cl' ? length $body : undef);
            my $sent = $f eq 'h2' ? push_frames($c, $sid, $body)
                       : push_bytes($c, $f eq 'cl' ? $body
                           : Guardrail::Http1::chunks($body, 1 << 20));
            my $peer = $deaf->accept;

            # what fits into the buffers of the kernel, and nginx's own

            cmp_ok($sent, '>', 0, "$name: some was taken");
            cmp_ok($sent, '<', length($body) / 2, "$name: not all was taken");

            $peer->close;
            $c->close;
        }
    }
};

$t->done;


# writes until nothing more is taken for a while

sub push_bytes {
    local $SIG{PIPE} = "IGNORE";
    my ($c, $body) = @_;
    my $sel = IO::Select->new($c->{sock});
    my $pos = 0;

    while ($pos < length $body && $sel->can_write(0.5)) {
        my $n = syswrite $c->{sock}, $body, 65536, $pos or last;

        $pos += $n;
    }

    return $pos;
}


# the same, as far as the windows of HTTP/2 allow

sub push_frames {
    my ($c, $sid, $body) = @_;
    my $s = $c->{streams}{$sid};
    my $pos = 0;

    while ($pos < length $body) {
        my $n = $c->_wait(0.5, sub {
            my ($n) = sort { $a <=> $b } $s->{window}, $c->{window}, 16384;

            return $n > 0 ? $n : 0;
        }) or last;

        $c->_data_frame($sid, substr($body, $pos, $n), 0, undef);
        $pos += $n;
    }

    return $pos;
}
