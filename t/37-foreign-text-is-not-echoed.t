#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A Content-Encoding or Content-Type with quotes, control and high bytes, or
# very long, breaks neither the JSON nor the log; nothing of a body is echoed.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP ();
use Time::HiRes qw(sleep);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v escape=none '$http_x_id|$guardrail_reason|'
                             '$guardrail_observed|$guardrail_encoding|';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail on;
    guardrail_error_format problem;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_max_records 3;
        guardrail_max_record_size 100;
        proxy_pass http://%%BACKEND%%;
    }

    location /nginx {
        guardrail_error_format nginx;
        proxy_pass http://%%BACKEND%%;
    }

    location "/a \"quoted\" place/" {
        guardrail_max_body 1;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;

# what is sent, and what a log may show of it

my %odd = (
    'a"b\\'                     => 'a?b\\',
    '"}, "reason": "none'       => '"',
    "x\x01\x02\x1b[31mred"      => 'x???[31mred',
    "\x7f\x80\xff\xc0\xaf"      => '?????',
    "gz\xc3\xafp"               => 'gz??p',
    '%n%s%V%00'                 => '%n%s%V%00',
    '$request_id'               => '$request_id',
    'gzip;q=1'                  => 'gzip;q=1',
    'guardrail: 9 refusals'     => 'guardrail: 9 refusals',
    'y' x 65                    => 'y' x 64,
    'z' x 7000                  => 'z' x 64,
    "\xff" x 3000               => '?' x 64,
);

for my $value (sort keys %odd) {
    my $shown = $odd{$value};
    my $name = printable(substr $value, 0, 20);

    $shown = 'several' if $value =~ /,/;

    subtest "Content-Encoding: $name" => sub {
        each_framing {
            my ($f) = @_;

            asks('/', 'x', $f, 415, 'encoding', encoding => $value);
            is(field(2), $shown, 'observed');
            ok(length(field(3)) <= 64, 'encoding');

            my ($line) = reverse $t->log_lines(qr/guardrail: rejected/);

            like($line, qr/rejected:\ encoding\ limit\ "gzip,\ deflate"
                           \ observed\ "\Q$shown\E",\ wire\ 0\ decoded\ 0
                           \ records\ 0,\ tenant\ "anonymous",
                           \ location\ "\/",/x, 'log line');
        };

        # nginx's page has no place for it

        sleep 0.012;

        my $r = $t->post('/nginx', 'x', encoding => $value,
                         headers => ['X-Id', ++$id]);

        is($r->status, 415, "nginx's page: status");
        unlike($r->body, qr/\Q$value\E/, "nginx's page: body");
    };
}


for my $value ('"', "text/\x01\xff", "a\"b; charset=\"utf-16\x02\"",
               'x' x 7000, 'text/plain; ' . 'charset=latin-9;' x 300)
{
    my $name = printable(substr $value, 0, 20);

    subtest "Content-Type: $name" => sub {
        each_framing {
            my ($f) = @_;

            asks('/records', 'hello', $f, 415, 'type', type => $value);
        };
    };
}


subtest 'a body that is malformed' => sub {
    my $secret = 'password"\\' . "\x01\xff";

    each_framing {
        my ($f) = @_;

        asks('/', $secret, $f, 400, 'malformed_encoding', encoding => 'gzip');
        asks('/', gzip('x') . $secret, $f, 400, 'malformed_encoding',
             encoding => 'gzip');
        asks('/', gzip('x', name => $secret, crc => 1), $f, 400,
             'malformed_encoding', encoding => 'gzip');
        asks('/records', "\0$secret", $f, 400, 'malformed_json');
        asks('/records', "$secret\n" x 9, $f, 413, 'max_records',
             type => 'application/jsonl');
        asks('/records', $secret x 50, $f, 413, 'max_record_size',
             type => 'application/jsonl');
    };
};


subtest 'the request line' => sub {
    asks('/a%20%22quoted%22%20place/', 'xx', 'cl', 413, 'max_body');

    my ($line) = reverse $t->log_lines(qr/guardrail: rejected/);

    like($line, qr{tenant "anonymous", location "/a \?quoted\? place/",},
         'a location with quotes');
};


$t->done;


# Asks, and looks for what was sent in all that comes back.

sub asks {
    my ($uri, $body, $framing, $status, $reason, %opt) = @_;

    # a line of each refusal is wanted, and 100 a second are written

    sleep 0.012;

    my $r = $t->post($uri, $body, framing => $framing, %opt,
                     headers => ['X-Id', ++$id]);

    delete $r->{conn};
    is($r->status, $status, "$reason: status");

    my $json = eval { JSON::PP->new->utf8->decode($r->body) };

    is($@, '', "$reason: strict JSON");
    is($json->{reason}, $reason, "$reason: reason");
    unlike($r->body, qr/[^\x20-\x7e\n]/, "$reason: plain ASCII");
    like($r->body, qr/\A[^\n]+\n\z/, "$reason: one line");

    my $all = $r->body . join '', map { "@$_\n" } @{$r->{headers}};

    unlike($all, qr/password|red|yyy|zzz|latin-9|quoted/, "$reason: no echo");

    wait_until { grep { /^$id\|/ } $t->access_log('v.log') };
    is(field(1), $reason, "$reason: access log");

    my @lines = $t->log_lines(qr/guardrail: rejected/);

    is(@lines, $id, "$reason: one line in the error log");
    like($lines[-1] =~ s/, client: .*//sr, qr/\A[\x20-\x7e]+\z/,
         "$reason: plain ASCII there");
}


sub field {
    my ($n) = @_;
    my ($line) = grep { /^$id\|/ } $t->access_log('v.log');

    return (split /\|/, $line, -1)[$n];
}


sub printable {
    return $_[0] =~ s/[^ -~]/?/gr;
}
