#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Rates of bodies are charged while they stream, the piece that exceeds
# included.  What a quota refuses costs no request, and of what other quotas
# have counted the last piece is given back; what a body is refused for, and
# what its client abandons, stays charged.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

# /look asks for all, and is always refused by the last

my $quotas = <<'QUOTAS';
    guardrail_quota z requests 1000/3650d;
    guardrail_quota z bytes 1m/3650d;
    guardrail_quota z decoded 4m/3650d;
    guardrail_quota z records 50000/3650d;
    guardrail_quota y requests 1000/3650d;
    guardrail_quota y records 1000/3650d;
QUOTAS

my $common = join '', grep { !/y records/ } split /^/, $quotas;

$t->start(http => <<'HTTP', server => <<SERVER =~ s/GUARD/\$guardrail/gr);
    guardrail_zone z size=1m key=$arg_t rates=8;
    guardrail_zone y size=1m key=$arg_t rates=8;
    guardrail_zone never size=1m key=never;
HTTP
    guardrail on;
    guardrail_max_body 0;
    guardrail_max_decoded 0;

    add_header X-Wire GUARD_body_bytes always;
    add_header X-Records GUARD_records always;

    location / {
    $common
        proxy_pass http://%%BACKEND%%;
    }

    location /limits {
    $common
        guardrail_max_records 2000;
        proxy_pass http://%%BACKEND%%;
    }

    location /stream {
    $common
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /few {
    $quotas
        proxy_pass http://%%BACKEND%%;
    }

    location /few/stream {
    $quotas
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /level {
    $common
        guardrail_memory_model 1;
        guardrail_quota y concurrency 1;
        guardrail_quota y uploads 1;
        guardrail_quota y memory 100k;
        proxy_pass http://%%BACKEND%%;
    }

    location /look {
    $quotas
        guardrail_quota never requests 1/3650d;
        proxy_pass http://%%BACKEND%%;
    }

    location /second {
        guardrail_quota z bytes 100k/1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_quota z decoded 4m/3650d;
        guardrail_quota y decoded 100k/3650d;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $key = 0;
my @nd = (type => 'application/x-ndjson');

is($t->get('/look?t=0')->status, 200, 'the only request to /look that passes');


each_framing {
    my ($f) = @_;

    subtest 'what passes' => sub {
        is_charged('/', "1\n" x 5000, $f, 200, requests => 1, bytes => 10000,
                   decoded => 10000, records => 5000, 'y-requests' => 1);

        my $gz = gzip("1\n" x 5000);

        is_charged('/', $gz, $f, 200, requests => 1, bytes => length $gz,
                   decoded => 10000, records => 5000, encoding => 'gzip');
        is_charged('/stream', "1\n" x 5000, $f, 200, requests => 1,
                   bytes => 10000, decoded => 10000, records => 5000);
    };

    for my $uri (qw(/few /few/stream)) {
        subtest "$uri: a quota refuses" => sub {
            my $body = ('x' x 499 . "\n") x 2000;

            $key++;
            is($t->post("/few?t=$key", "1\n" x 200, @nd)->status, 200, 'some');
            $backend->clear;

            my %was = left();
            my $r = $t->post("$uri?t=$key", $body, @nd, framing => $f);
            my %now = left();
            my $wire = $r->header('X-Wire');
            my $records = $r->header('X-Records');

            if ($uri eq '/few') {
                is($r->status, 429, 'refused');
                is($r->json->{policy}, 'y-records-315360000s', 'policy');
                is($backend->connections, 0, 'before the backend');
            }

            cmp_ok($records, '>', 800, 'at the record that is too many');
            cmp_ok($records, '<=', 801 + 256, 'or the piece that it is in');
            is($now{'y-records'}, 0, 'the piece is charged');
            is($now{$_}, $was{$_}, "$_: given back")
                for qw(requests y-requests);
            is($was{$_} - $now{$_}, $wire - 65536, "$_: the last of them")
                for qw(bytes decoded);
            is($was{records} - $now{records}, $records - 256,
               'records: the last of them');
        };
    }

    subtest 'a short body is given back whole' => sub {
        $key++;
        is($t->post("/few?t=$key", "1\n" x 1000, @nd)->status, 200, 'all');
        is_charged('/few', 'x', $f, 429, requests => 0, bytes => 0,
                   decoded => 0, records => 0, 'y-requests' => 0, keep => 1);
    };

    subtest 'what would be above a limit is not read' => sub {
        is_charged('/', 'x' x 1048577, $f, 413, requests => 0,
                   'y-requests' => 0, bytes => $f =~ /cl/ ? 0 : 1048576);
    };

    subtest 'a level refuses' => sub {
        is_charged('/level', "22222\n" x 20000, $f, 413, requests => 0,
                   'y-requests' => 0, bytes => 120000 - 65536,
                   decoded => 120000 - 65536, records => 20000 - 256);

        my $busy = $t->h1;

        $key++;
        $backend->set(hold => 1);
        $backend->clear;
        $busy->send("GET /level?t=$key HTTP/1.1\r\nHost: a\r\n\r\n");
        $backend->wait_requests(1);
        is_charged('/level', "22222\n" x 20000, $f, 413, requests => 0,
                   keep => 1);
        is_charged('/level', "22222\n" x 13000, $f, 503, requests => 0,
                   'y-requests' => 0, bytes => 78000 - 65536,
                   records => 13000 - 256, keep => 1);
        is_charged('/level', "1\n" x 400, $f, 503, requests => 0, bytes => 0,
                   records => 400 - 256, keep => 1);
        $backend->set(hold => 0);
        $backend->release;
        is($busy->read->status, 200, 'the one that has the level');

        my $slow = $t->h1;

        $slow->send("POST /level?t=$key HTTP/1.1\r\nHost: a\r\n"
                    . "Content-Length: 2\r\n\r\n1");
        $slow->drain;
        is_charged('/level', '1', $f, 503, requests => 0, 'y-requests' => 0,
                   bytes => 0, records => 0, keep => 1);
        $slow->send('1');
        is($slow->read->status, 200, 'the one that was read');
    };

    subtest 'a limit refuses' => sub {
        is_charged('/limits', ("1\n" x 2000) . 'x' x 3000, $f, 413,
                   requests => 1, bytes => 4001, decoded => 4001,
                   records => 2001);
        is_charged('/', gzip("1\n" x 100) . 'x', $f, 400, requests => 1,
                   decoded => 200, records => 100, encoding => 'gzip');
        is_charged('/', '{}', $f, 415, requests => 0, bytes => 0,
                   type => 'text/plain; charset=utf-16');
    };

    subtest 'a client leaves' => sub {
        $key++;
        leave($f, "1\n" x 30000);

        ok(wait_until { left()->{bytes} <= 1048576 - 60000 }, 'charged');

        my %left = left();

        is($left{requests}, 999, 'the request');
        is($left{bytes}, 1048576 - 60000, 'the bytes that came');
        is($left{decoded}, 4194304 - 60000, 'what they were');
        is($left{records}, 50000 - 30000, 'records');
    };
};


subtest 'a body that takes longer than the period' => sub {
    $key++;

    my $r = $t->post("/second?t=$key", 'x' x 102401, framing => 'chunked',
                     chunk => 102401, cut => 51300, pause => 1.1);

    is($r->status, 413, 'more than all is never admitted');
    is($r->json->{reason}, 'quota_bytes', 'reason');
    is($r->header('Retry-After'), undef, 'to come again is of no use');
};


each_framing {
    my ($f) = @_;

    $key++;
    is($t->post("/decoded?t=$key", 'x' x 60000)->status, 200, 'some');

    my $r = $t->post("/decoded?t=$key", 'x' x 110000, framing => $f);

    is($r->status, 413, 'a length that will never fit');
    is($r->json->{reason}, 'quota_decoded', 'reason');
    is($r->json->{policy}, 'y-decoded-315360000s', 'policy');
} qw(cl h2-cl);

$t->done;


# what is left of the key, by the fields of a request that is refused

sub left {
    my %left;
    my $field = $t->get("/look?t=$key")->header('RateLimit') // '';

    $left{$1 eq 'z' ? $2 : "$1-$2"} = $3
        while $field =~ /"([zy])-(\w+)-\d+s";r=(\d+)/g;

    return wantarray ? %left : \%left;
}


# one body, its status, and what was taken of each unit

sub is_charged {
    my ($uri, $body, $f, $status, %opt) = @_;
    my %want = map { exists $opt{$_} ? ($_ => delete $opt{$_}) : () }
               qw(requests bytes decoded records y-requests);
    my $name = "$uri, $status";

    $key++ unless delete $opt{keep};

    my %was = left();
    my $r = $t->post("$uri?t=$key", $body, framing => $f, @nd, %opt);

    is($r->status, $status, $name);

    # nginx may settle a request when its answer was sent

    wait_until {
        my %now = left();

        return !grep { $was{$_} - $now{$_} != $want{$_} } keys %want;
    } 2;

    my %now = left();

    is($was{$_} - $now{$_}, $want{$_}, "$name: $_") for sort keys %want;
}


# sends 60,000 bytes of a longer body, and goes

sub leave {
    my ($f, $body) = @_;

    if ($f =~ /h2/) {
        my $c = $t->h2;
        my $s = $c->headers([':method', 'POST', ':scheme', 'http', ':path',
                             "/?t=$key", ':authority', 'a', 'content-type',
                             'application/jsonl', $f eq 'h2-cl'
                             ? ('content-length', 200000) : ()]);

        $c->data($s, $body);
        $c->drain;
        $c->read($s, timeout => 0.3);
        $c->rst($s);
        return;
    }

    my $c = $t->h1;
    my $length = $f eq 'cl' ? 'Content-Length: 200000'
                            : 'Transfer-Encoding: chunked';

    $body = sprintf "%x\r\n%s\r\n", length $body, $body if $f ne 'cl';

    $c->send("POST /?t=$key HTTP/1.1\r\nHost: a\r\nContent-Type:"
             . " application/jsonl\r\n$length\r\n\r\n$body");
    $c->drain;
    $c->close;
}
