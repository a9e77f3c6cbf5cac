#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A client that goes away while it uploads, or while its body is judged, is
# no refusal: verdict aborted, reason client_gone, at level info.  Whatever it
# leaves half done is cleaned up, in every state in which a body can be.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(workers => 1);
my $backend = $t->backend;
my $slow = $t->backend(name => 'SLOW', hold => 1);

$t->start(main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    log_format v '$uri $guardrail_verdict $guardrail_reason $status';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail on;
    guardrail_max_body 10m;
    guardrail_max_ratio off;
    guardrail_max_decoded 8g;

    location /gate {
        proxy_pass http://%%BACKEND%%;
    }

    location /small-buffer {
        client_body_buffer_size 1k;
        proxy_pass http://%%BACKEND%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;
    }

    location /late {
        test_read rewrite;
        proxy_pass http://%%BACKEND%%;
    }

    location /late-file {
        test_read access;
        client_body_in_file_only clean;
        proxy_pass http://%%BACKEND%%;
    }

    location /passed {
        proxy_pass http://%%SLOW%%;
    }

    location /mirrored {
        guardrail_max_decoded 9g;
        mirror /mirror;
        proxy_pass http://%%SLOW%%;
    }

    location /mirror {
        internal;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

# Four gigabytes, which nobody judges before the client is seen to be gone;
# and some that nginx has to take in first, since the end stands behind them.

my $long = gzip(' ' x (1 << 26)) x 64;
my $some = gzip(' ' x (1 << 24)) x 2;
my $text = 'x' x 50000;

# [location, body, all of it is sent, coded]

my @cases = (

    ['/gate', $text, 0],
    ['/gate', $some, 0, 1],
    ['/small-buffer', $text, 0],
    ['/small-buffer', $some, 0, 1],
    ['/unbuffered', $text, 0],
    ['/unbuffered', $some, 0, 1],
    ['/late', $long, 1, 1],
    ['/late-file', $long, 1, 1],
);

my %leave = (
    FIN          => sub { $_[0]->close },
    RST          => sub { $_[0]->reset },
    RST_STREAM   => sub { $_[0]->rst($_[1]) },
);

for my $case (@cases) {
    my ($uri, $body, $all, $coded) = @$case;

    for my $f (qw(cl chunked h2 h2-cl)) {
        for my $how ($f =~ /h2/ ? qw(FIN RST RST_STREAM) : qw(FIN RST)) {
            my $name = join ', ', $uri, $f, $how, $coded ? 'coded' : (),
                                  $all ? 'all sent' : 'half';
            my $from = () = $t->access_log('v.log');
            my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
            my $part = $all ? $body : substr $body, 0, length($body) / 2;
            my $sid = $t->post($uri, $part, framing => $f, conn => $c,
                               read => 0, end => $all,
                               $coded ? (encoding => 'gzip') : (),
                               $f =~ /cl/ ? (length => length $body) : ());

            $leave{$how}->($c, $sid);

            my @lines = $t->wait_access_log($from + 1, 'v.log');

            like($lines[$from], qr/^\Q$uri\E aborted client_gone [45]\d\d$/,
                 "$name: verdict");
            ok(@lines == $from + 1, "$name: one line");

            if ($how eq 'RST_STREAM') {
                is($c->request('GET', '/gate', undef)->status, 200,
                   "$name: the connection lives on");
                $t->wait_access_log($from + 2, 'v.log');
            }
        }
    }
}

my @aborted = $t->log_lines(qr/guardrail: aborted: client_gone, wire \d+/);

is(scalar @aborted, @cases * 10, 'a line for each in the error log');
is(scalar(grep { !/\[info\]/ } @aborted), 0, 'at level info');
is(scalar($t->log_lines(qr/guardrail: rejected/)), 0, 'nothing was refused');
is(scalar(grep { $_->{complete} && $_->{method} eq 'POST' }
          $backend->requests), 0, 'nothing came to the backend whole');


subtest 'a client that goes when its body was judged is none' => sub {
    my $from = $t->quiet_access_log('v.log');
    my $c = $t->h1;

    $t->post('/passed', $text, conn => $c, read => 0);
    is(scalar($slow->wait_requests(sub { @_ && $_[0]{complete} })), 1,
       'at the backend');
    $c->close;
    like(($t->wait_access_log($from + 1, 'v.log'))[$from],
         qr{^/passed pass - 499$}, 'verdict');
};


subtest 'a subrequest that judges is left alone' => sub {
    $slow->clear;

    my $c = $t->h1;
    my $from = $t->quiet_access_log('v.log');
    my $body = gzip(' ' x (1 << 25));

    $t->post('/mirrored', $body, conn => $c, encoding => 'gzip', read => 0);
    $slow->wait_requests(sub { @_ && $_[0]{complete} });
    $c->reset;

    my @lines = $t->wait_access_log($from + 1, 'v.log');

    like($lines[$from], qr{^/mirrored pass - 499$}, 'verdict');
    is($t->post('/gate', 'x')->status, 200, 'the next request');
};

$t->done;
