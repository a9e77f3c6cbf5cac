#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# One line in the error log for each refusal, in one form, at the level that
# was asked for; a client that leaves is told of at level info.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

# the same limits at each level

my $levels = join '', map { <<LOCATION } qw(info notice warn error);
    location /$_ {
        guardrail_log_level $_;
        guardrail_max_body 5;
        proxy_pass http://%%BACKEND%%;
    }
    location /dry/$_ {
        guardrail dry_run;
        guardrail_log_level $_;
        guardrail_max_body 5;
        proxy_pass http://%%BACKEND%%;
    }
LOCATION

my $server = <<SERVER;
    guardrail on;

    location / {
        guardrail_max_body 100;
        guardrail_max_decoded off;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_max_decoded 50;
        proxy_pass http://%%BACKEND%%;
    }

    location /ratio {
        guardrail_max_decoded 100m;
        proxy_pass http://%%BACKEND%%;
    }

    location /encoding {
        guardrail_encodings deflate;
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
        guardrail_max_body \$http_x_n;
        proxy_pass http://%%BACKEND%%;
    }

    location ~ ^/regex/[a-z]+\$ {
        guardrail_max_body 5;
        proxy_pass http://%%BACKEND%%;
    }

    location = /exact {
        guardrail_max_body 5;
        proxy_pass http://%%BACKEND%%;
    }

    location /outer/ {
        location /outer/inner/ {
            guardrail_max_body 5;
            proxy_pass http://%%BACKEND%%;
        }
    }

    location /named {
        try_files /nonexistent \@app;
    }

    location \@app {
        guardrail_max_body 5;
        proxy_pass http://%%BACKEND%%;
    }

    location /silent {
        client_body_timeout 100ms;
        proxy_pass http://%%BACKEND%%;
    }

    location /stream {
        guardrail_buffering off;
        proxy_pass http://%%BACKEND%%;
        proxy_http_version 1.1;
        proxy_request_buffering off;
    }
$levels
SERVER

$t->start(server => $server);

my @nd = (type => 'application/x-ndjson');
my $gz = gzip('x' x 60);

# what stands between the verdict and the tenant; uri, body, options

my @cases = (
    ['max_body limit 100 observed 101, wire 101 decoded 101 records 0',
     '/', 'x' x 300, framing => 'chunked'],
    ['max_body limit 100 observed 300, wire 0 decoded 0 records 0',
     '/', 'x' x 300],
    ['max_body limit 100 observed 101, wire 101 decoded 101 records 11',
     '/', "12345678\n" x 10 . 'x' x 99, framing => 'chunked', @nd],
    ['max_decoded limit 50 observed 51, wire ANY decoded 51 records 0',
     '/decoded', $gz, encoding => 'gzip'],
    ['max_ratio limit 200 observed 457.1, wire ANY decoded 1867776 records 0',
     '/ratio', gzip_zeros(16 << 20), encoding => 'gzip'],
    ['encoding limit "deflate" observed "GZip", wire 0 decoded 0 records 0',
     '/encoding', $gz, encoding => 'GZip'],
    ['encoding limit "deflate" observed "several", wire 0 decoded 0 records 0',
     '/encoding', $gz, encoding => 'deflate, deflate'],
    ['malformed_encoding (ANY), wire ANY decoded 0 records 0',
     '/', 'no gzip', encoding => 'gzip'],
    ['type (ANY), wire ANY decoded ANY records 0', '/records', 'hello'],
    ['max_records limit 3 observed 4, wire 7 decoded 7 records 4',
     '/records', "1\n" x 9, @nd],
    ['max_records limit 1072 observed 1073 lines, wire 1073 decoded 1073'
     . ' records 0', '/records', "\n" x 1073, @nd],
    ['max_record_size limit 20 observed 21, wire 23 decoded 23 records 2',
     '/size', "1\n" . 'x' x 50, @nd],
    ['malformed_json (ANY), wire ANY decoded ANY records ANY',
     '/records', "\0[\0]", @nd],
    ['internal (a limit cannot be read), wire 0 decoded 0 records 0',
     '/internal', 'x'],
);

my $seen = 0;

for my $case (@cases) {
    my ($text, $uri, $body, @opt) = @$case;

    is_logged('rejected', 'error', $uri, $uri, $body, $text, @opt);
}


subtest 'the name of the location' => sub {
    my %location = (
        '/regex/abc'     => '^/regex/[a-z]+$',
        '/exact'         => '/exact',
        '/outer/inner/x' => '/outer/inner/',
        '/named'         => '@app',
    );
    my $text = 'max_body limit 5 observed 6, wire 6 decoded 6 records 0';

    is_logged('rejected', 'error', $_, $location{$_}, 'x' x 6, $text,
              framing => 'chunked') for sort keys %location;
};


subtest 'the level' => sub {
    my $text = 'max_body limit 5 observed 6, wire 0 decoded 0 records 0';

    for my $level (qw(info notice warn error)) {
        is_logged('rejected', $level, "/$level", "/$level", 'x' x 6, $text);
        is_logged('would reject', $level, "/dry/$level", "/dry/$level",
                  'x' x 6, $text);
    }
};


subtest 'a client that leaves' => sub {
    my $n = 0;

    for my $uri ('/', '/stream', '/dry/error') {
        for my $how (qw(close reset h2)) {
            my $c = $how eq 'h2' ? $t->h2 : $t->h1;
            my $body = "x\nxy";

            if ($how eq 'h2') {
                my $s = $c->headers([':method', 'POST', ':scheme', 'http',
                                     ':path', $uri, ':authority', 'a',
                                     'content-type', 'application/jsonl']);
                $c->data($s, $body);
                $c->drain;
                $c->read($s, timeout => 0.1);
                $c->rst($s);

            } else {
                $c->send("POST $uri HTTP/1.1\r\nHost: a\r\nContent-Type:"
                         . " application/jsonl\r\nContent-Length: 5\r\n\r\n"
                         . $body);
                $c->drain;
                $how eq 'close' ? $c->close : $c->reset;
            }

            $n++;
            ok(wait_until {
                my @lines = $t->log_lines(qr/guardrail: aborted/);

                return @lines >= $n;
            }, "$uri, $how: is told of");

            my @lines = $t->log_lines(qr/guardrail: aborted/);

            is(@lines, $n, "$uri, $how: once");
            like($lines[-1], qr/\[info\]\ [\d#]+:\ \*\d+\ guardrail:\ aborted:
                                \ client_gone,\ wire\ 4\ decoded\ 4
                                \ records\ 2\b/x, "$uri, $how: the line");
        }
    }

    my $c = $t->h1;

    $c->send("POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
    ok($t->wait_log(qr/aborted: client_gone, wire 1 decoded 1 records 0\b/),
       'one that falls silent');
    is(0 + $t->log_lines(qr/guardrail: (?:rejected|would)/), $seen,
       'none of them was a refusal');
};


subtest 'what the error log leaves out' => sub {
    $t->stop;

    my $quiet = Guardrail::Test->new(log_level => 'warn');

    $quiet->backend;
    $quiet->start(server => $server);

    for my $level (qw(info notice warn error)) {
        $quiet->post("/$level", 'x' x 6);
        $quiet->post("/dry/$level", 'x' x 6);
    }

    $quiet->stop;

    is(join(' ', map { /\[(\w+)\].*guardrail: (\w+)/ ? "$1 $2" : () }
                 $quiet->log_lines(qr/guardrail/)),
       'warn rejected warn would error rejected error would',
       'lines below its level, and nothing is said of them');
    $quiet->_clean;
};


$t->done;


# one more line, and all of it

sub is_logged {
    my ($verdict, $level, $uri, $location, $body, $text, %opt) = @_;
    my $re = quotemeta($text) =~ s/ANY/[^()]+?/gr;

    $t->post($uri, $body, %opt);
    $seen++;

    my $line = wait_until {
        my @lines = $t->log_lines(qr/guardrail: (?:rejected|would)/);

        return @lines >= $seen ? $lines[-1] : undef;
    };

    like($line, qr/^\d{4}\/\d\d\/\d\d\ \d\d:\d\d:\d\d\ \[$level\]\ \d+\#\d+:
                   \ \*\d+\ guardrail:\ (?-x:$verdict):\ (?-x:$re),
                   \ tenant\ "anonymous",\ location\ "\Q$location\E"
                   (?:\ while\ [a-z\ ]+)?,\ client:\ 127\.0\.0\.1,
                   \ server:\ localhost,\ request:\ "POST\ \Q$uri\E\ /x,
         "$uri, $level");
    is(0 + $t->log_lines(qr/guardrail: (?:rejected|would)/), $seen,
       "$uri, $level: one line");
}
