#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Each variable, in the access log, for each verdict.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $early = $t->backend(name => 'EARLY', early => 1);

my @names = qw(verdict reason policy limit observed tenant format encoding
               body_bytes decoded_bytes ratio records largest_record json_depth
               memory queue_time);
my $format = join ' ', map { "$_=\$guardrail_$_" } @names;

$t->file('users', "joe:{PLAIN}pass\n");
$t->file('too-large.html', "too large\n");

$t->start(http => <<HTTP, server => <<'SERVER');
    log_format v '\$http_x_id $format';
    access_log %%DIR%%/v.log v;

    proxy_http_version 1.1;
HTTP
    root %%DIR%%;

    location /plain {
        proxy_pass http://%%BACKEND%%;
    }

    location / {
        guardrail on;
        guardrail_max_body 1000;
        guardrail_max_decoded 2000;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail on;
        guardrail_max_records 3;
        guardrail_max_record_size 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /records/none {
        guardrail on;
        guardrail_format none;
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /bomb {
        guardrail on;
        guardrail_max_decoded 1g;
        proxy_pass http://%%BACKEND%%;
    }

    location /mode {
        guardrail $http_x_mode;
        guardrail_max_body 10;
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_max_body 1000;
        guardrail_max_records 3;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry/plain {
        guardrail dry_run;
        client_max_body_size 100;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry/unread {
        guardrail dry_run;
        root %%DIR%%;
    }

    location /stream {
        guardrail on;
        guardrail_buffering off;
        proxy_pass http://%%EARLY%%;
        proxy_request_buffering off;
    }

    location /closed {
        auth_basic           closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail $http_x_mode;
        proxy_pass http://%%BACKEND%%;
    }

    location /closed/on {
        auth_basic           closed;
        auth_basic_user_file %%DIR%%/users;
        guardrail on;
        proxy_pass http://%%BACKEND%%;
    }

    location /internal {
        guardrail on;
        guardrail_max_body $http_x_none;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        guardrail on;
        guardrail_max_body 10;
        error_page 413 /too-large.html;
        proxy_pass http://%%BACKEND%%;
    }

    location /try {
        guardrail on;
        guardrail_max_records 3;
        try_files /nonexistent @app;
    }

    location @app {
        proxy_pass http://%%BACKEND%%;
    }

    location /on-to-off {
        guardrail on;
        error_page 404 = @app;
    }
SERVER

my $id = 0;
my @nd = (type => 'application/jsonl');
my @gz = (encoding => 'gzip');
my $zeros = gzip_zeros(16 << 20);
my $gz = gzip("1\n22\n");

# What is not named is empty; the tenant is always there.  Of what is no JSON a
# decoded byte is a byte of memory; of JSON nobody has asked for it here.

my %identity = (format => 'none', encoding => 'identity', records => 0,
                largest_record => 0);
my %nothing = (%identity, body_bytes => 0, decoded_bytes => 0);

sub bytes { return (body_bytes => $_[0], decoded_bytes => $_[0],
                    $_[0] ? (ratio => '1.000') : ()) }

each_framing {
    my ($f) = @_;
    my $declared = $f =~ /cl/;

    is_seen('no guard', '/plain', 'x' x 50, $f, verdict => 'off');

    is_seen('pass', '/', 'x' x 50, $f, verdict => 'pass', %identity,
            bytes(50));
    is_seen('pass, ndjson', '/', "1\n22\n\n333", $f, [@nd], verdict => 'pass',
            %identity, bytes(9), format => 'ndjson', records => 3,
            largest_record => 3);
    is_seen('pass, gzip', '/', $gz, $f, [@nd, @gz], verdict => 'pass',
            format => 'ndjson', encoding => 'gzip',
            body_bytes => length $gz, decoded_bytes => 5,
            ratio => sprintf('%.3f', 5 / length $gz), records => 2,
            largest_record => 2);
    is_seen('pass, x-gzip', '/', gzip('0' x 1500), $f, [encoding => 'X-GZip'],
            verdict => 'pass', %identity, encoding => 'gzip',
            body_bytes => length gzip('0' x 1500), decoded_bytes => 1500,
            ratio => sprintf('%.3f', 1500 / length gzip('0' x 1500)));
    is_seen('pass, deflate', '/', zlib('xyz'), $f, [encoding => 'deflate'],
            verdict => 'pass', %identity, encoding => 'deflate',
            body_bytes => length zlib('xyz'), decoded_bytes => 3,
            ratio => sprintf('%.3f', 3 / length zlib('xyz')));
    is_seen('pass, by its first byte', '/records', "[1]\n[2]", $f,
            verdict => 'pass', %identity, bytes(7), format => 'ndjson',
            records => 2, largest_record => 3);
    is_seen('pass, blank', '/records', "  \n ", $f, verdict => 'pass',
            %identity, bytes(4));
    is_seen('pass, format none', '/records/none', "1\n" x 9, $f, [@nd],
            verdict => 'pass', %identity, bytes(18));

    is_seen('reject, max_body', '/', 'x' x 1500, $f, verdict => 'reject',
            %identity, reason => 'max_body', limit => 1000,
            $declared ? (%nothing, observed => 1500)
                      : (bytes(1001), observed => 1001));
    is_seen('reject, max_records', '/records', "1\n" x 9, $f, [@nd],
            verdict => 'reject', %identity, reason => 'max_records',
            limit => 3, observed => 4, bytes(7), format => 'ndjson',
            records => 4, largest_record => 1);
    is_seen('reject, max_record_size', '/records', '1' x 90, $f, [@nd],
            verdict => 'reject', %identity, reason => 'max_record_size',
            limit => 10, observed => 11, bytes(11), format => 'ndjson',
            records => 1, largest_record => 11);
    is_seen('reject, max_ratio', '/bomb', $zeros, $f, [@gz],
            verdict => 'reject', %identity, reason => 'max_ratio',
            encoding => 'gzip', limit => 200, observed => '457.1',
            decoded_bytes => 1867776, body_bytes => qr/\d+/,
            ratio => qr/\d+\.\d{3}/);
    is_seen('reject, encoding', '/', 'x', $f, [encoding => 'br'],
            verdict => 'reject', %nothing, reason => 'encoding',
            encoding => 'br', limit => 'gzip, deflate', observed => 'br');
    is_seen('reject, malformed_encoding', '/', 'x', $f, [@gz],
            verdict => 'reject', %identity, reason => 'malformed_encoding',
            encoding => 'gzip', body_bytes => 1, decoded_bytes => 0,
            ratio => '0.000');
    is_seen('reject, internal', '/internal', 'x', $f, verdict => 'reject',
            reason => 'internal', %nothing);

    is_seen('off by a variable', '/mode', "1\n" x 50, $f,
            [headers => ['X-Mode', 'off']], verdict => 'off');
    is_seen('on by a variable', '/mode', '1' x 11, $f, verdict => 'reject',
            %identity, reason => 'max_body', limit => 10, observed => 11,
            $declared ? %nothing
                      : (bytes(11), format => 'ndjson', records => 1,
                         largest_record => 10));

    is_seen('dry_run, pass', '/dry', "1\n", $f, [@nd], verdict => 'pass',
            %identity, bytes(2), format => 'ndjson', records => 1,
            largest_record => 1);
    is_seen('dry_run, excess', '/dry', "1\n" x 99, $f, [@nd],
            verdict => 'would_reject', %identity, reason => 'max_records',
            limit => 3, observed => 4, bytes(7), format => 'ndjson',
            records => 4, largest_record => 1);
    is_seen('dry_run by a variable', '/mode', "1\n" x 4, $f,
            [@nd, headers => ['X-Mode', 'dry_run']], verdict => 'would_reject',
            %identity, reason => 'max_records', limit => 3, observed => 4,
            bytes(7), format => 'ndjson', records => 4, largest_record => 1);

    is_seen('dry_run, client_max_body_size', '/dry/plain', 'x' x 300, $f,
            verdict => 'reject', reason => 'max_body', limit => 100,
            observed => qr/\d+/, format => 'none', records => 0,
            encoding => $declared ? undef : 'identity', body_bytes => qr/\d+/,
            decoded_bytes => qr/\d+/, ratio => $declared ? undef : qr/\S*/,
            largest_record => 0);

    is_seen('after error_page', '/page', 'x' x 11, $f, verdict => 'reject',
            %identity, reason => 'max_body', limit => 10, observed => 11,
            $declared ? %nothing : bytes(11));
    is_seen('after try_files', '/try', "1\n2", $f, [@nd], verdict => 'pass',
            %identity, bytes(3), format => 'ndjson', records => 2,
            largest_record => 1);
    is_seen('in a location without the guard', '/on-to-off', "1\n2", $f, [@nd],
            verdict => 'pass', %identity, bytes(3), format => 'ndjson',
            records => 2, largest_record => 1);

    is_seen('who may not come in', '/closed', 'x' x 50, $f,
            verdict => 'pass');
    is_seen('who may not come in, a constant mode', '/closed/on', 'x' x 50,
            $f, verdict => 'pass');
};


subtest 'without a body' => sub {
    my %none = (body_bytes => 0, decoded_bytes => 0, records => 0,
                largest_record => 0, json_depth => 0);

    for my $f (qw(cl h2)) {
        is_seen("no guard, $f", '/plain', undef, $f, verdict => 'off');
        is_seen("on, $f", '/', undef, $f, verdict => 'pass', %none);
        is_seen("dry_run, $f", '/dry', undef, $f, verdict => 'pass', %none);
        is_seen("off by a variable, $f", '/mode', undef, $f,
                [headers => ['X-Mode', 'off']], verdict => 'off');
        is_seen("on by a variable, $f", '/mode', undef, $f,
                verdict => 'pass', %none);
        is_seen("internal, $f", '/internal', undef, $f, verdict => 'pass',
                %none);
    }
};


# Not all of the body is read, and nobody left.

subtest 'unread' => sub {
    each_framing {
        my ($f) = @_;

        is_seen('by dry_run and a file', '/dry/unread', 'x' x 50, $f,
                verdict => 'pass', %nothing);
    };

    my $c = $t->h1;

    $c->send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n"
             . 'X-Id: ' . ++$id . "\r\n\r\n12345");
    is($c->read->status, 200, 'an early answer');
    $c->close;
    fields('an early answer', verdict => 'pass', %identity, bytes(5));
};


subtest 'aborted' => sub {
    for my $uri ('/', '/dry') {
        my $c = $t->h1;

        $c->send("POST $uri HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n"
                 . "Content-Type: application/jsonl\r\nX-Id: " . ++$id
                 . "\r\n\r\n1\n23");
        $c->drain;
        $c->close;
        fields($uri, verdict => 'aborted', reason => 'client_gone',
               %identity, bytes(4), format => 'ndjson', records => 2,
               largest_record => 2);
    }
};


$t->done;


# one request and the fields of its line; undef is an empty one

sub is_seen {
    my ($name, $uri, $body, $framing, @want) = @_;
    my %opt = ref $want[0] ? @{shift @want} : ();
    my @headers = ('X-Id', ++$id, @{delete $opt{headers} || []});

    $t->request(defined $body ? 'POST' : 'GET', $uri, $body, %opt,
                framing => $framing, headers => \@headers);
    fields($name, @want);
}


sub fields {
    my ($name, %want) = @_;
    my $line = wait_until {
        my ($found) = grep { s/^$id // } $t->access_log('v.log');

        return $found;
    };
    my %seen = ($line // '') =~ /(\w+)=(.*?)(?= \w+=|\z)/g;

    subtest $name => sub {
        for my $field (@names) {
            my $value = $want{$field} // '-';

            $value = 'anonymous' if $field eq 'tenant';
            $value = $want{decoded_bytes} // '-'
                if $field eq 'memory' && ($want{format} // '') ne 'ndjson';

            ref $value ? like($seen{$field}, qr/\A$value\z/, $field)
                       : is($seen{$field}, $value, $field);
        }
    };
}
