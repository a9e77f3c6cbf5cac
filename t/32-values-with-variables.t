#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Limits whose value holds variables: read for each request, "off" and 0 are
# no limit, and what is empty or cannot be read refuses (500): a map without
# a default must not open the door.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$http_x_id $guardrail_verdict $guardrail_reason '
                 '$guardrail_limit';
    access_log %%DIR%%/v.log v;

    map $http_x_plan $plan {
        small  100;
        large  200;
        free   off;
        zero   0;
        broken 1x;
    }

    guardrail on;
HTTP
    guardrail_max_decoded off;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /plan {
        guardrail_max_body $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /max_body {
        guardrail_max_body $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /max_decoded {
        guardrail_max_decoded $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /ratio {
        guardrail_max_ratio $http_x_n floor=100;
        proxy_pass http://%%BACKEND%%;
    }

    location /floor {
        guardrail_max_ratio 3 floor=$http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /max_records {
        guardrail_format ndjson;
        guardrail_max_records $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /max_record_size {
        guardrail_format ndjson;
        guardrail_max_record_size $http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location /part {
        guardrail_max_body 1${http_x_n}k;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_max_body $http_x_n;
        guardrail_max_records $http_x_n;
        guardrail_format ndjson;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry-floor {
        guardrail dry_run;
        guardrail_max_ratio 3 floor=$http_x_n;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;
my @unreadable = ('', qw(abc -1 1.5 10x 99999999999999999999 on OFF), '1 1');

# what exceeds a limit of N, and the options it is sent with

my %excess = (
    max_body        => sub { 'x' x ($_[0] + 1) },
    max_decoded     => sub { 'x' x ($_[0] + 1) },
    ratio           => sub { (gzip('0' x 2000), encoding => 'gzip') },
    floor           => sub { (gzip('0' x ($_[0] + 99)), encoding => 'gzip') },
    max_records     => sub { "1\n" x ($_[0] + 1) },
    max_record_size => sub { 'x' x ($_[0] + 1) },
);
my %fits = (
    max_body        => sub { 'x' x $_[0] },
    max_decoded     => sub { 'x' x $_[0] },
    ratio           => sub { (gzip('0' x 100), encoding => 'gzip') },
    floor           => sub { (gzip('0' x $_[0]), encoding => 'gzip') },
    max_records     => sub { "1\n" x $_[0] },
    max_record_size => sub { 'x' x $_[0] },
);

for my $name (sort keys %excess) {
    subtest $name => sub {
        my $reason = $name =~ /ratio|floor/ ? 'max_ratio' : $name;
        my $limit = $name eq 'floor' ? 3 : 7;

        is(asks("/$name", 7, $excess{$name}->(7)),
           "413 reject $reason $limit", '7: one more is refused');
        is(asks("/$name", 7, $fits{$name}->(7)), '200 pass - -',
           '7: what fits passes');
        is(asks("/$name", 9, $fits{$name}->(9)), '200 pass - -',
           '9, for another request');

        if ($name eq 'floor') {
            is(asks('/floor', $_, $excess{floor}->(0)),
               '413 reject max_ratio 3', "$_ judges from the first byte on")
                for qw(0 off);

        } else {
            is(asks("/$name", $_, $excess{$name}->(7)), '200 pass - -',
               "$_ is no limit") for qw(0 off);
        }

        for my $value (@unreadable) {
            my $seen = () = $t->log_lines(qr/the value of/);

            $backend->clear;
            is(asks("/$name", $value, $fits{$name}->(1)),
               '500 reject internal -', "\"$value\" refuses");
            is($backend->connections, 0, 'the backend was not contacted');

            my @lines = $t->log_lines(qr/the value of/);
            my $directive = $name =~ /ratio|floor/ ? 'guardrail_max_ratio'
                            : "guardrail_$name";

            is(@lines, $seen + 1, 'one log line more');
            like($lines[-1], qr/\[error\]\ .*\ guardrail:\ "\Q$value\E",\ the
                                \ value\ of\ "\$http_x_n"\ in\ "$directive",
                                \ (?:is\ empty|cannot\ be\ read),/x,
                 'it names the value and the directive');
        }
    };
}


subtest 'a map' => sub {
    my @plan = (headers => ['X-Plan']);
    my $with = sub {
        my ($plan, $n) = @_;

        return asks('/plan', undef, 'x' x $n, plan => $plan);
    };

    is($with->('small', 100), '200 pass - -', 'small');
    is($with->('small', 101), '413 reject max_body 100', 'small, one more');
    is($with->('large', 200), '200 pass - -', 'large');
    is($with->('large', 201), '413 reject max_body 200', 'large, one more');
    is($with->($_, 9999), '200 pass - -', $_) for qw(free zero);
    is($with->('broken', 1), '500 reject internal -', 'an unreadable value');
    is($with->('who', 1), '500 reject internal -', 'no default');

    is($t->get('/plan', headers => ['X-Plan', 'who'])->status, 200,
       'a request without a body has nothing to judge');
};


subtest 'a part of a value' => sub {
    is(asks('/part', 0, 'x' x 10240), '200 pass - -', '10k');
    is(asks('/part', 0, 'x' x 10241), '413 reject max_body 10240', 'more');
    is(asks('/part', 'k', 'x'), '500 reject internal -', '1kk');
    is(asks('/part', '', 'x' x 1025), '413 reject max_body 1024', '1k');
};


subtest 'however it is framed' => sub {
    each_framing {
        my ($f) = @_;

        is(asks('/max_body', 5, 'x' x 6, framing => $f),
           '413 reject max_body 5', 'refused');
        is(asks('/max_body', 6, 'x' x 6, framing => $f), '200 pass - -',
           'passes');
        is(asks('/max_body', '?', 'x' x 6, framing => $f),
           '500 reject internal -', 'unreadable');
    };
};


subtest 'the answer to a value that cannot be read' => sub {
    my $r = $t->post('/max_body', 'x', headers => ['X-N', 'secret-plan']);

    is($r->status, 500, 'status');
    is($r->json->{reason}, 'internal', 'reason');
    unlike($r->body, qr/secret-plan/, 'the value is for the log only');
    ok($r->closed, 'closed');
};


subtest 'dry_run logs and ignores' => sub {
    my $seen = () = $t->log_lines(qr/the value of/);

    is(asks('/dry', '?', "1\n" x 9), '200 pass - -', 'passes');

    my @lines = $t->log_lines(qr/the value of/);

    is(@lines, $seen + 2, 'a line for each');
    is(asks('/dry', 8, "1\n" x 9), '200 would_reject max_body 8',
       'what can be read is judged');

    # an unreadable floor must not become the strictest

    is(asks('/dry-floor', '?', gzip('0' x 999), encoding => 'gzip'),
       '200 pass - -', 'a floor');
    is(asks('/dry-floor', '9', gzip('0' x 999), encoding => 'gzip'),
       '200 would_reject max_ratio 3', 'a floor that can be read');
};


subtest 'foreign bytes in a value' => sub {
    is(asks('/max_body', "1\"\x01\x7f\xff", 'x'), '500 reject internal -',
       'refused');

    my ($line) = reverse $t->log_lines(qr/the value of/);

    like($line, qr/guardrail: "1\?\?\?\?", the value/, 'none is logged');

    is(asks('/max_body', '9' x 3000, 'x'), '500 reject internal -', 'long');

    ($line) = reverse $t->log_lines(qr/the value of/);

    like($line, qr/guardrail: "9{64}", the value/, '64 bytes are logged');
};


$t->done;


# "status verdict reason limit" of a request with this value

sub asks {
    my ($uri, $n, $body, %opt) = @_;
    my $plan = delete $opt{plan};
    my @headers = ('X-Id', ++$id, defined $n ? ('X-N', $n) : (),
                   defined $plan ? ('X-Plan', $plan) : ());
    my $status = $t->post($uri, $body, headers => \@headers, %opt)->status;
    my $line = wait_until {
        my ($found) = grep { s/^$id // } $t->access_log('v.log');

        return $found;
    };

    return "$status $line";
}
