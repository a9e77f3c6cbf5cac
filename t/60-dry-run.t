#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# dry_run refuses and delays nothing: what would be refused is logged once,
# judged up to the first excess, and arrives whole.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$http_x_id $status $guardrail_verdict $guardrail_reason '
                 '$guardrail_limit $guardrail_observed $guardrail_body_bytes '
                 '$guardrail_decoded_bytes $guardrail_records';
    access_log %%DIR%%/v.log v;

    client_max_body_size 0;
    proxy_http_version 1.1;
HTTP
    guardrail dry_run;
    guardrail_max_body 1000;
    guardrail_max_decoded 2000;
    guardrail_max_ratio 50 floor=500;
    guardrail_max_records 10;
    guardrail_max_record_size 100;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /stream {
        proxy_pass http://%%BACKEND%%;
        proxy_request_buffering off;
    }

    # two locations, both in dry_run: judged twice, told of once

    location /app {
        try_files /nonexistent @app;
    }

    location @app {
        proxy_pass http://%%BACKEND%%;
    }

    # a body that the mirror module has read before

    location /late {
        guardrail off;
        mirror /void;
        try_files /nonexistent @app;
    }

    location = /void {
        guardrail off;
        return 204;
    }

    location /ratio {
        guardrail_max_ratio 5 floor=100;
        proxy_pass http://%%BACKEND%%;
    }

    location /bomb {
        guardrail_max_body 0;
        guardrail_max_decoded 1g;
        guardrail_max_ratio 200 floor=1m;
        guardrail_max_records off;
        guardrail_max_record_size off;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;
my $would = 0;
my @nd = (type => 'application/jsonl');
my @gz = (encoding => 'gzip');

each_framing {
    my ($f) = @_;
    my $declared = $f =~ /cl/;

    for my $uri (qw(/ /stream /app /late)) {

        # what passes

        passes($f, $uri, 'pass - - -', "1\n" x 10, @nd);
        passes($f, $uri, 'pass - - -', gzip("1\n" x 10), @nd, @gz);

        # what the head says

        passes($f, $uri, 'would_reject encoding', '{}', encoding => 'br');
        passes($f, $uri, 'would_reject type', '1',
               type => 'application/jsonl; charset=utf-16');

        my $seen = $declared ? 1500 : 1001;

        passes($f, $uri, "would_reject max_body 1000 $seen",
               "1\n" . ' ' x 1498, @nd);

        # what the bytes say; each is followed by more

        passes($f, $uri, 'would_reject max_records 10 11', "1\n" x 400, @nd);
        passes($f, $uri, 'would_reject max_record_size 100 101',
               'x' x 400 . "\n" x 400, @nd);
        passes($f, $uri, 'would_reject max_decoded 2000 2001',
               gzip("\n" . "[ ]\n1\n  22\n" . ' ' x 1989 . 'x' x 999), @nd,
               @gz);
        passes($f, $uri, 'would_reject malformed_encoding', 'no gzip', @gz);
        passes($f, $uri, 'would_reject malformed_json', "\0[\0]" x 99, @nd);
        passes($f, $uri, 'would_reject type', 'hello');
    }

    # a ratio at the very end

    passes($f, '/ratio', 'would_reject max_ratio 5', gzip("\n" x 900), @gz);
    passes($f, '/', 'would_reject malformed_encoding',
           substr(gzip('1'), 0, -1), @gz);
};


subtest 'a bomb is not amplified' => sub {
    my $bomb = gzip_zeros(64 << 20);
    my $length = length $bomb;

    each_framing {
        my ($f) = @_;
        my $line = asks($f, '/bomb', $bomb, @gz);

        $would++;
        like($line, qr/^200 would_reject max_ratio 200 457\.1 \d+ 1867776 0\z/,
             'decoded up to the excess');

        my ($wire) = $line =~ /457\.1 (\d+)/;

        cmp_ok($wire, '<=', 4096, 'wire bytes stop there too');
        arrived($bomb);
    };
};


subtest 'nothing waits' => sub {
    for my $uri (qw(/stream)) {
        my $c = $t->h1;

        $backend->clear;
        $c->send("POST $uri HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                 . "\r\n\r\n5\r\n[1]\n\n\r\n");
        ok(wait_until {
            my @requests = $backend->requests;

            return @requests && $requests[0]{length} == 5;
        }, 'the first bytes are passed on before the rest is there');

        # more than one limit is exceeded meanwhile

        $c->send("400\r\n" . "1\n" x 512 . "\r\n");
        $would++;
        ok(wait_until {
            my @requests = $backend->requests;

            return @requests && $requests[0]{length} == 1029;
        }, 'so are those that exceed a limit');

        $c->send("3\r\n[2]\r\n0\r\n\r\n");
        is($c->read->status, 200, 'status');
        is($backend->last->{length}, 1032, 'all of it arrived');
        ok($c->open, 'the connection stays open');
    }
};


wait_until { logged() == $would };
is(logged(), $would, 'each is logged once');
is(0 + $t->log_lines(qr/guardrail: rejected: /), 0, 'as no refusal');

$t->done;


# lines in the error log, and those that the log says it left out

sub logged {
    my $n = $t->log_lines(qr/guardrail: would reject: /);

    for my $line ($t->log_lines(qr/refusals not logged/)) {
        $n += $1 if $line =~ /guardrail: (\d+) refusals not logged/;
    }

    return $n;
}


# One request: it passes, whatever the verdict, and arrives as it was sent.

sub passes {
    my ($framing, $uri, $want, $body, %opt) = @_;
    my $name = join ' ', $uri, $want;

    is(asks($framing, $uri, $body, %opt) =~ /^200 \Q$want\E / ? 'as wanted'
       : 'else: ' . seen(), 'as wanted', $name);

    $would++ if $want =~ /would/;
    arrived($body);
}


# what the access log says of it

sub asks {
    my ($framing, $uri, $body, %opt) = @_;

    $backend->clear;
    $t->post($uri, $body, framing => $framing, headers => ['X-Id', ++$id],
             %opt);
    wait_until { grep { /^$id / } $t->access_log('v.log') };

    return seen();
}


sub seen {
    my ($line) = grep { s/^$id // } $t->access_log('v.log');

    return $line // '';
}


sub arrived {
    my ($body) = @_;
    my @requests = $backend->requests;

    is(@requests, 1, 'one request');
    is($requests[0]{sha1}, sha1_hex($body), 'as it was sent');
    is($requests[0]{complete}, 1, 'complete');
}
