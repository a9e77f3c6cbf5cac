#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What a client is told of each refusal: application/problem+json with exactly
# these members, the numbers right, and the request id of the access log.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$http_x_id $request_id';
    access_log %%DIR%%/v.log v;

    guardrail on;
HTTP
    location / {
        guardrail_max_body 100;
        guardrail_max_decoded off;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_max_body 1m;
        guardrail_max_decoded 50;
        proxy_pass http://%%BACKEND%%;
    }

    location /ratio {
        guardrail_max_decoded 100m;
        proxy_pass http://%%BACKEND%%;
    }

    location /ratio7 {
        guardrail_max_ratio 7 floor=100;
        proxy_pass http://%%BACKEND%%;
    }

    location /encoding {
        guardrail_encodings gzip;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /size {
        guardrail_max_record_size 20;
        proxy_pass http://%%BACKEND%%;
    }

    location /internal {
        guardrail_max_body $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my @nd = (type => 'application/x-ndjson');
my @gz = (encoding => 'gzip');
my $id = 0;

# 1 GiB of zeros under gzip -9 is refused after 1,867,776 bytes; the first
# megabytes are enough

my $zeros = gzip_zeros(16 << 20);

# header and trailer are no input, so there is less of it

my $short = gzip('0' x 9000);

# reason, status, limit, observed, unit; uri, body, options

my @cases = (
    ['max_body', 413, '100', '101', 'bytes', '/', 'x' x 150],
    ['max_decoded', 413, '50', '51', 'bytes', '/decoded', 'x' x 70],
    ['max_decoded', 413, '50', '51', 'bytes', '/decoded',
     gzip('x' x 60), @gz],
    ['max_ratio', 413, '200', '457.1', 'ratio', '/ratio', $zeros, @gz],

    ['max_ratio', 413, '7', sprintf('%.1f', 9000 / (length($short) - 18)),
     'ratio', '/ratio7', $short, @gz],
    ['encoding', 415, undef, undef, undef, '/encoding', 'x',
     encoding => 'br'],
    ['encoding', 415, undef, undef, undef, '/encoding', 'x',
     encoding => 'gzip, gzip'],
    ['malformed_encoding', 400, undef, undef, undef, '/', 'no gzip', @gz],
    ['malformed_encoding', 400, undef, undef, undef, '/',
     substr(gzip('x' x 99), 0, -1), @gz],
    ['type', 415, undef, undef, undef, '/records', 'hello'],
    ['type', 415, undef, undef, undef, '/records', '[1]',
     type => 'application/x-ndjson; charset=utf-16'],
    ['max_records', 413, '3', '4', 'records', '/records', "1\n2\n3\n4\n", @nd],
    ['max_records', 413, '1072', '1073', 'lines', '/records',
     "\n" x 1073, @nd],
    ['max_record_size', 413, '20', '21', 'bytes', '/size',
     "1\n" . 'x' x 21, @nd],
    ['malformed_json', 400, undef, undef, undef, '/records', "\0[\0]", @nd],
    ['internal', 500, undef, undef, undef, '/internal', 'x'],
);

for my $case (@cases) {
    my ($reason, $status, $limit, $observed, $unit, $uri, $body, %opt) = @$case;

    subtest join(' ', $reason, 'at', $uri, %opt) => sub {
        each_framing {
            my ($f) = @_;

            my $r = $t->post($uri, $body, framing => $f, %opt,
                             headers => ['X-Id', ++$id]);
            my $conn = delete $r->{conn};

            is($r->status, $status, 'status');
            is($r->header('Content-Type'), 'application/problem+json', 'type');
            is($r->header('Cache-Control'), 'no-store', 'Cache-Control');
            is($r->header('Content-Length'), length $r->body, 'length');
            is($r->header('Transfer-Encoding'), undef, 'not chunked');

            my $json = $r->json;
            my @members = qw(detail reason request_id status title type);

            push @members, qw(limit observed unit) if defined $limit;
            is("@{[sort keys %$json]}", "@{[sort @members]}", 'members');
            is($json->{type}, "urn:guardrail:$reason", 'type of the problem');
            is($json->{reason}, $reason, 'reason');
            like($json->{title}, qr/^[A-Z][A-Za-z ]+\z/, 'title');
            like($json->{detail}, qr/^[A-Z][^\n]+\.\z/, 'detail is a sentence');
            number($r->body, status => $status);

            if (defined $limit) {
                my $seen = declared($f, $opt{encoding}, $reason)
                           ? length $body : $observed;

                number($r->body, limit => $limit);
                number($r->body, observed => $seen);
                is($json->{unit}, $unit, 'unit');
                like($json->{detail}, qr/\b\Q$limit\E\b/, 'detail: limit');
                like($json->{detail}, qr/\b\Q$seen\E\b/,
                     'detail: observed');
            }

            if ($f !~ /h2/) {
                is($r->header('Connection'), 'close', 'Connection');
                ok($conn->closed, 'closed');
            }

            undef $conn;
            logged_id($json->{request_id});
        };
    };
}

is($backend->connections, 0, 'the backend was never contacted');


# No decoder fits: those alive hold all of the memory.

subtest 'decoder_memory' => sub {
    my $limit = 64 << 10;

    $t->stop;
    $t->start(http => <<HTTP, server => <<'SERVER');
    log_format v '\$http_x_id \$request_id';
    access_log %%DIR%%/v.log v;
    guardrail_decoder_memory $limit;
HTTP
    location / {
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

    my $body = gzip('x' x 99);
    my (@open, $r);

    for (1 .. 100) {
        my $c = $t->h1;

        $c->send("POST / HTTP/1.1\r\nHost: localhost\r\n"
                 . "Content-Encoding: gzip\r\nX-Id: " . ++$id . "\r\n"
                 . 'Content-Length: ' . length($body) . "\r\n\r\n"
                 . substr $body, 0, -1);
        push @open, $c;

        $r = $c->read(timeout => 0.2);
        last if $r->status;
    }

    is($r->status, 503, 'status');
    is($r->header('Content-Type'), 'application/problem+json', 'type');
    is($r->json->{reason}, 'decoder_memory', 'reason');
    is($r->json->{unit}, 'bytes', 'unit');
    number($r->body, limit => $limit);
    cmp_ok($r->json->{observed}, '>', $limit, 'observed');

    my $failed = $id;

    cmp_ok(@open, '>', 1, 'it was not the first');
    $open[0]->send(substr $body, -1);
    is($open[0]->read->status, 200, 'one that was admitted ends');
    is($t->post('/', $body, @gz)->status, 200, 'and makes room');

    $_->close for @open;
    $id = $failed;
    logged_id($r->json->{request_id});
};


$t->done;


# the very bytes of a number: no quotes, no zeros, no exponent

sub number {
    my ($body, $name, $value) = @_;

    like($body, qr/[{,]"$name":\Q$value\E[,}]/, "$name is the number $value");
}


# by a declared length all is seen at once, not one byte too many

sub declared {
    my ($framing, $encoding, $reason) = @_;

    return $framing =~ /cl/ && !$encoding && $reason =~ /^max_(body|decoded)/;
}


sub logged_id {
    my ($want) = @_;

    like($want, qr/^[0-9a-f]{32}\z/, 'a request id');

    my $line = wait_until {
        my ($found) = grep { /^$id / } $t->access_log('v.log');

        return $found;
    };

    is($line, "$id $want", 'it is the one of the access log');
}
