#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A decoded body goes on decoded wherever the request is led, and limits of
# the wire still go by what came over it; a coded one that was stored before
# is decoded where guardrail_decode is on.  A subrequest cannot be.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(log_level => 'debug');
my $backend = $t->backend;
my $mirror = $t->backend(name => 'MIRROR');
my $first = $t->backend(name => 'FIRST', respond => sub {
    my ($q) = @_;

    return 200, ['X-Accel-Redirect', "/in/$1"], ''
        if $q->{uri} =~ /accel-(\w+)/;
    return 503;
});
my $broken = $t->backend(name => 'BROKEN', respond => sub { 'close' });

$t->start(main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    log_format v '$guardrail_verdict $guardrail_reason $guardrail_encoding '
                 '$guardrail_body_bytes $guardrail_decoded_bytes '
                 '$guardrail_records $request_uri';
    access_log %%DIR%%/v.log v;

    guardrail_zone z size=1m key=k;

    upstream retry {
        server %%BROKEN%%;
        server %%BACKEND%%;
    }
HTTP
    guardrail on;
    guardrail_decode on;
    guardrail_max_body 10m;
    guardrail_max_decoded 100m;
    guardrail_max_ratio off;
    guardrail_max_record_size 1m;
    client_body_buffer_size 16k;
    proxy_http_version 1.1;
    recursive_error_pages on;
    error_page 503 = @second;

    location /try {
        try_files /none @second;
    }

    location /accel {
        proxy_pass http://%%FIRST%%;
    }

    location /error {
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /retry {
        proxy_next_upstream error timeout http_503 non_idempotent;
        proxy_pass http://retry;
    }

    location /undecoded {
        guardrail_decode off;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /off {
        guardrail off;
        client_max_body_size 10m;
        proxy_intercept_errors on;
        proxy_pass http://%%FIRST%%;
    }

    location /early {
        test_read rewrite;
        proxy_pass http://%%BACKEND%%;
    }

    location @second {
        proxy_method POST;
        proxy_pass http://%%BACKEND%%;
    }

    location /in/ {
        internal;
        proxy_method POST;

        location /in/same {
            proxy_pass http://%%BACKEND%%;
        }

        location /in/plain {
            guardrail_decode off;
            proxy_pass http://%%BACKEND%%;
        }

        location /in/off {
            guardrail off;
            client_max_body_size 0;
            proxy_pass http://%%BACKEND%%;
        }

        location /in/records {
            guardrail_max_records 19999;
            proxy_pass http://%%BACKEND%%;
        }

        location /in/moreRecords {
            guardrail_max_records 20000;
            proxy_pass http://%%BACKEND%%;
        }

        location /in/wire {
            guardrail_max_body $http_x_wire;
            proxy_pass http://%%BACKEND%%;
        }

        location /in/ratio {
            guardrail_max_ratio 2 floor=1k;
            proxy_pass http://%%BACKEND%%;
        }

        location /in/decoded {
            guardrail_max_decoded 1999999;
            proxy_pass http://%%BACKEND%%;
        }
    }

    location /quota {
        guardrail_quota z bytes 1g/1h;
        guardrail_quota z decoded 1g/1h;
        try_files /none @quota;
    }

    location @quota {
        guardrail_max_records 50000;
        guardrail_quota z bytes 1g/1h;
        guardrail_quota z decoded 1g/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        mirror /copy;
        proxy_pass http://%%BACKEND%%;
    }

    location /undecoded-mirror {
        guardrail_decode off;
        mirror /copy;
        proxy_pass http://%%BACKEND%%;
    }

    location = /copy {
        internal;
        guardrail_max_records 30000;
        proxy_pass http://%%MIRROR%%;
    }
SERVER

my $rows = ndjson(20000, size => 99);
my $large = gzip($rows);
my $small = gzip(substr $rows, 0, 1000);
my %o = (encoding => 'gzip', type => 'application/x-ndjson');
my $wire = length $large;

is(length $rows, 2000000, 'the decoded body');

# 256 KiB of output are decoded in a pass, so often it steps aside at least

my $once = int(2000000 / 262144);


my $requests = 0;

sub passes {
    my ($uri, $body, %opt) = @_;
    my $from = $t->log_end;
    my $asked = "$uri?" . ++$requests;
    my $r = $t->post($asked, $body, %o, %opt);
    my $line;

    wait_until {
        ($line) = grep { / \Q$asked\E$/ } $t->access_log('v.log');
    };

    return ($r, scalar($t->log_lines(qr/guardrail steps aside/, $from)),
            $line);
}


each_framing {
    my ($f) = @_;

    for my $uri (qw(/try/x /accel-same /accel-plain /accel-off /error
                    /accel-moreRecords /undecoded /off /early /retry))
    {
        my ($r, $n, $line) = passes($uri, $large, framing => $f);
        my %h = %{$r->json->{headers} || {}};

        is($r->status, 200, "$uri: accepted");
        is($r->json->{sha1}, sha1_hex($rows), "$uri: decoded");
        is($h{'content-length'}, 2000000, "$uri: its length");
        is($h{'content-encoding'}, undef, "$uri: no coding");
        cmp_ok($n, '>=', $once, "$uri: judged");
        cmp_ok($n, '<', 2 * $once, "$uri: once")
            if $uri !~ /undecoded|more/;
        like($line, qr/^(?:pass|off) - gzip $wire 2000000 20000 /,
             "$uri: variables");

        $r = $t->post($uri, $small, %o, framing => $f);
        is($r->json->{sha1}, sha1_hex(substr $rows, 0, 1000),
           "$uri: in memory");
    }

    for my $case (['accel-records', 'max_records', 19999],
                  ['accel-ratio', 'max_ratio', 2],
                  ['accel-decoded', 'max_decoded', 1999999],
                  ['accel-wire', 'max_body', $wire - 1])
    {
        my ($uri, $reason, $limit) = @$case;

        $backend->clear;

        my $r = $t->post("/$uri", $large, %o, framing => $f,
                         headers => ['x-wire', $wire - 1]);

        is($r->status, 413, "$uri: refused");
        is($r->json->{reason}, $reason, "$uri: reason");
        is($r->json->{limit}, $limit, "$uri: limit");
        is($backend->connections, 0, "$uri: no backend");
    }

    my $r = $t->post('/accel-wire', $large, %o, framing => $f,
                     headers => ['x-wire', $wire]);

    is($r->json->{sha1}, sha1_hex($rows), 'max_body goes by the wire');

    # what expands less than nothing: more on the wire than decoded

    my $noise = pseudo_random(5000, 1);
    my $coded = gzip($noise);

    $r = $t->post('/accel-same', $coded, framing => $f, encoding => 'gzip',
                  type => 'text/csv');
    is($r->json->{sha1}, sha1_hex($noise), 'larger when coded');

    # the body of a request without bytes

    $r = $t->post('/accel-plain', gzip(''), %o, framing => $f);
    is($r->json->{length}, 0, 'empty');
    is($r->json->{headers}{'content-length'}, 0, 'its length');
};


subtest 'subrequests' => sub {
    for my $f (qw(cl chunked h2 h2-cl)) {
        $mirror->clear;

        my $r = $t->post('/mirror', $large, %o, framing => $f);

        is($r->json->{sha1}, sha1_hex($rows), "$f: the main request");

        my ($q) = $mirror->wait_requests(sub { @_ && $_[0]{complete} });

        is($q->{sha1}, sha1_hex($rows), "$f: its mirror");
        is($q->{headers}{'content-length'}, 2000000, "$f: the mirror's length");

        # a coded one is not decoded there, nor does it get there

        $mirror->clear;

        my $n = $t->log_lines(qr/body of a subrequest cannot be decoded/);

        $r = $t->post('/undecoded-mirror', $large, %o, framing => $f);
        is($r->json->{sha1}, sha1_hex($large), "$f: the main request, coded");
        ok((wait_until {
            $n < $t->log_lines(qr/body of a subrequest cannot be decoded/)
        }), "$f: its mirror is refused, and logged");
        is($mirror->connections, 0, "$f: no backend of the mirror");
    }
};


subtest 'quotas are charged once' => sub {
    for my $n (1 .. 3) {
        my $r = $t->post('/quota', $large, %o);

        is($r->json->{sha1}, sha1_hex($rows), "$n: accepted");

        my ($left) = ($r->header('ratelimit') // '') =~ /z-bytes.*?;r=(\d+)/;
        my ($more) = ($r->header('ratelimit') // '') =~ /z-decoded.*?;r=(\d+)/;

        is($left, 2 ** 30 - $n * $wire, "$n: of the wire");
        is($more, 2 ** 30 - $n * 2000000, "$n: decoded");
    }
};

$t->done;
