#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# With guardrail_buffering on a refused request never opens a connection to
# its backend, though the proxy itself is told not to buffer.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my @protocols = qw(http fastcgi uwsgi scgi);
my %peer = map { $_ => $t->peer($_) } @protocols;

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_max_records 5;
    guardrail_max_body 1m;

    location /http {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /fastcgi {
        fastcgi_request_buffering off;
        fastcgi_pass %%FASTCGI%%;
        include /etc/nginx/fastcgi_params;
    }

    location /uwsgi {
        uwsgi_request_buffering off;
        uwsgi_pass %%UWSGI%%;
        include /etc/nginx/uwsgi_params;
    }

    location /scgi {
        scgi_request_buffering off;
        scgi_pass %%SCGI%%;
        include /etc/nginx/scgi_params;
    }
SERVER

my $fine = ndjson(5, size => 20000);
my %refused = (
    'a record too many'    => [413, "$fine\{}", {}],
    'a byte too many'      => [413, 'x' x ((1 << 20) + 1), {}],
    'a bomb'               => [413, gzip(' ' x (1 << 23)),
                               { encoding => 'gzip' }],
    'truncated'            => [400, substr(gzip($fine), 0, -1),
                               { encoding => 'gzip' }],
    'an unknown encoding'  => [415, $fine, { encoding => 'br' }],
);

each_framing {
    my ($f) = @_;

    for my $p (@protocols) {
        my $peer = $peer{$p};

        for my $name (sort keys %refused) {
            my ($status, $body, $opt) = @{$refused{$name}};

            $peer->clear;
            is($t->post("/$p", $body, framing => $f, %$opt,
                        type => 'application/x-ndjson')->status, $status,
               "$p, $name: refused");
            is($peer->connections, 0, "$p, $name: no connection");
        }

        for my $body ($fine, gzip($fine)) {
            my $r = $t->post("/$p", $body, framing => $f,
                             type => 'application/x-ndjson',
                             $body eq $fine ? () : (encoding => 'gzip'));

            is($r->status, 200, "$p: accepted");
            is($r->json->{sha1}, sha1_hex($body), "$p: arrived");
        }

        # the connection is opened when the end has been judged

        $peer->clear;

        my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
        my $sid = $t->post("/$p", $fine, framing => $f, conn => $c, end => 0,
                           read => 0, length => $f =~ /cl/
                                                ? length($fine) + 1 : undef);

        $c->drain;
        is($peer->connections, 0, "$p: no connection yet");

        $f =~ /h2/ ? $c->data($sid, ' ', end => 1)
                   : $c->send($f eq 'cl' ? ' ' : "1\r\n \r\n0\r\n\r\n");
        is(($f =~ /h2/ ? $c->read($sid) : $c->read)->json->{length},
           length($fine) + 1, "$p: then it is");
    }
};

$t->done;
