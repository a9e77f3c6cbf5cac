#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The variables outside of the access log: sent to backends, in headers, in
# maps and conditions of logs, after redirects and in subrequests.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $other = $t->backend(name => 'OTHER');

$t->file('page.shtml', '<!--#include virtual="/part" -->'
                       . '<!--#echo var="guardrail_verdict" -->');

$t->define(SHOWN => join ' ', map { "\$guardrail_$_" }
                       qw(verdict reason body_bytes decoded_bytes ratio records
                          largest_record format encoding tenant));

$t->start(http => <<'HTTP', server => <<'SERVER');
    map $guardrail_verdict $unusual {
        pass    0;
        off     0;
        default 1;
    }

    map "$guardrail_verdict:$guardrail_reason" $class {
        ~^reject:max_  size;
        ~^reject:      other;
        default        fine;
    }

    log_format v '$http_x_id $guardrail_verdict $class';
    access_log %%DIR%%/all.log v;
    access_log %%DIR%%/v.log v if=$unusual;

    proxy_set_header X-G "%%SHOWN%%";
HTTP
    guardrail on;
    guardrail_max_body 100;
    root %%DIR%%;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /header {
        add_header X-Verdict "$guardrail_verdict" always;
        add_header X-Reason  "$guardrail_reason" always;
        add_header X-Records "$guardrail_records" always;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_max_body 10;
        proxy_pass http://%%BACKEND%%;
    }

    # X-Accel-Redirect leads to another location, and body

    location /accel {
        proxy_pass http://%%OTHER%%;
    }

    location /inner/ {
        internal;
        proxy_pass http://%%BACKEND%%;
    }

    location /mirror {
        mirror /copy;
        proxy_pass http://%%BACKEND%%;
    }

    location = /copy {
        internal;
        proxy_pass http://%%OTHER%%;
    }

    location /auth {
        auth_request /ask;
        proxy_pass http://%%BACKEND%%;
    }

    location = /ask {
        internal;
        proxy_pass http://%%OTHER%%;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-G "$guardrail_verdict $guardrail_body_bytes";
    }

    location /ssi/ {
        ssi on;
        ssi_types *;
        alias %%DIR%%/;
    }

    location = /part {
        guardrail off;
        proxy_pass http://%%OTHER%%;
    }

    location /rewritten {
        if ($guardrail_verdict = pass) {
            rewrite ^ /if-pass last;
        }
        proxy_pass http://%%BACKEND%%;
    }

    location /return {
        return 200 "$guardrail_verdict $guardrail_body_bytes";
    }
SERVER

my $id = 0;
my @nd = (type => 'application/jsonl');
my $gz = gzip("1\n22\n");
my $seen = sprintf 'pass  %d 5 %.3f 2 2 ndjson gzip anonymous',
                   length $gz, 5 / length $gz;

each_framing {
    my ($f) = @_;
    my @gz = (@nd, encoding => 'gzip', framing => $f);

    $_->clear for $backend, $other;

    is($t->post('/', $gz, @gz)->status, 200, 'passes');
    is(sent($backend), $seen, 'proxy_set_header, after the body was read');

    is($t->post('/mirror', $gz, @gz)->status, 200, 'mirror');
    is(sent($backend), $seen, 'the main request');
    $other->wait_requests(1);
    is(sent($other), $seen, 'the subrequest shows the same');

    is($t->post('/auth', $gz, @gz)->status, 200, 'auth_request');
    is(sent($backend), $seen, 'the main request');
    is(sent($other), 'pass ', 'the subrequest comes before the body');

    $other->set(headers => ['X-Accel-Redirect', '/inner/x']);
    is($t->post('/accel', $gz, @gz)->status, 200, 'X-Accel-Redirect');
    is($backend->last->{uri}, '/inner/x', 'is followed');
    is(sent($backend), $seen, 'the request shows the same');
    $other->set(headers => []);

    is($t->post('/dry', 'x' x 11, framing => $f)->status, 200, 'dry_run');
    like(sent($backend), qr/^would_reject max_body \d/, 'is told of');

    my $r = $t->post('/header', "1\n2\n", @nd, framing => $f);

    is(join(' ', map { $r->header("X-$_") // '' } qw(Verdict Reason Records)),
       'pass  2', 'add_header, a pass');

    $r = $t->post('/header', "1\n" x 100, @nd, framing => $f);
    is(join(' ', map { $r->header("X-$_") // '' } qw(Verdict Reason)),
       'reject max_body', 'add_header, a refusal');

    $r = $t->post('/return', "1\n2\n", @nd, framing => $f);
    is($r->body, 'pass ', 'before anything was read');

    is($t->post('/rewritten', 'x', framing => $f)->status, 200, 'if');
    is($backend->last->{uri}, '/if-pass', 'in a condition');
};


subtest 'ssi' => sub {
    $other->set(body => 'PART');

    my $r = $t->get('/ssi/page.shtml');

    is($r->body, 'PARTpass', 'a page without a body, and its part');
    is(sent($other), 'pass  0 0  0 0   anonymous',
       'the guard of the main request, though the part has none');
};


subtest 'a log of what is unusual' => sub {
    my @sent = ([200, 'pass fine', '/', 'x'],
                [413, 'reject size', '/', 'x' x 101],
                [415, 'reject other', '/', 'x', encoding => 'br'],
                [200, 'would_reject fine', '/dry', 'x' x 11],
                [200, 'pass fine', '/dry', 'x']);
    my @want;

    for my $case (@sent) {
        my ($status, $line, $uri, $body, @opt) = @$case;

        is($t->post($uri, $body, headers => ['X-Id', ++$id], @opt)->status,
           $status, $line);
        push @want, "$id $line" if $line !~ /^pass/;
    }

    wait_until { grep { /^$id / } $t->access_log('all.log') };
    is(join("\n", grep { /^\d/ } $t->access_log('v.log')), join("\n", @want),
       'and nothing else');
};


$t->done;


# the variables as a backend was sent them

sub sent {
    my ($peer) = @_;

    return $peer->last->{headers}{'x-g'};
}
