#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A client that is refused and goes on sending, without reading, still gets
# the answer: nginx keeps reading for a while.  It does not for 400 by itself,
# and a reset would take the answer with it.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '5s');

our $unix;

my $server = <<'SERVER';
    guardrail on;

    location / {
        return 204;
    }

    location /gate {
        guardrail_max_body 1000;
        guardrail_max_records 1;
        proxy_pass http://127.0.0.1:1;
    }

    location /variable {
        guardrail_max_body $arg_max;
        proxy_pass http://127.0.0.1:1;
    }

    location /unbuffered {
        guardrail_max_body 1g;
        guardrail_buffering off;
        guardrail_max_records 1;
        proxy_request_buffering off;
        proxy_pass http://127.0.0.1:1;
    }
SERVER

my $piece = 'x' x 65536;
my $gzip = 'Content-Encoding: gzip';
my $ndjson = 'Content-Type: application/x-ndjson';

my @cases = (
    ['the declared length', 413, '/gate', ''],
    ['a limit that is a variable', 413, '/variable?max=10', ''],
    ['a record too many', 413, '/gate', $ndjson, "{}\n{}\n", 'chunked'],
    ['not buffered', 413, '/unbuffered', $ndjson, "{}\n{}\n"],
    ['the encoding', 415, '/variable?max=1g', 'Content-Encoding: br'],
    ['the first byte', 415, '/unbuffered', 'Content-Type: text/plain', '<'],
    ['malformed', 400, '/variable?max=1g', $gzip, 'xxxx'],
    ['malformed, chunked', 400, '/gate', $gzip, 'xxxx', 'chunked'],
);

# what comes is dropped unread where the connection is TCP, which the address
# that a proxy names does not tell

my $path = $t->dir . '/socket';

$t->start(server => $server, http => <<HTTP);
    set_real_ip_from unix:;

    server {
        listen unix:$path;
$server
    }
HTTP

goes_on(@$_) for @cases;

{
    local $unix = $path;

    goes_on("a socket of the system, $_->[0]", @$_[1 .. $#$_]) for @cases;
}

$t->stop;

$t->start(http => 'guardrail_decoder_memory 1;', server => $server);
goes_on('no decoder', 503, '/variable?max=1g', $gzip, "\x1f");
goes_on('no decoder, chunked', 503, '/gate', $gzip, "\x1f", 'chunked');

$t->done;


sub goes_on {
    my ($name, $status, $uri, $header, $body, $chunked) = @_;
    my $c = $t->h1(path => $unix);
    my $out = $piece;

    $body //= '';

    if ($chunked) {
        $body = Guardrail::Http1::chunks($body);
        $out = Guardrail::Http1::chunks($piece, 65536);
    }

    my $framed = $chunked ? 'Transfer-Encoding: chunked'
                          : 'Content-Length: 100000000';

    $c->send(join "\r\n", "POST $uri HTTP/1.1", 'Host: localhost',
             'X-Real-IP: 192.0.2.1', $header || (), $framed, '', $body);

    # the answer is there, and is not read

    ok(IO::Select->new($c->{sock})->can_read(5 * scale), "$name: refused");

    my $sent = 0;

    local $SIG{PIPE} = 'IGNORE';

    for (1 .. 4) {
        my $pos = 0;

        while ($pos < length $out) {
            IO::Select->new($c->{sock})->can_write(5 * scale) or last;

            my $n = syswrite $c->{sock}, $out, length($out) - $pos, $pos
                or last;

            $pos += $n;
        }

        last if $pos < length $out;

        $sent++;
        $c->drain;
    }

    is($sent, 4, "$name: all was taken");

    my $r = $c->read;

    is($r->status, $status, "$name: status");
    is($r->json->{status}, $status, "$name: the whole answer");
    $c->close;
}
