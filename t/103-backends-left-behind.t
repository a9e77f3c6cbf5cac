#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A backend that was left behind works on: what it has in use stays counted
# for hold=TIME, over a reload too.  One that answered, refused or closed the
# connection holds nothing.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(workers => 2);
my $held = $t->backend(name => 'HELD', hold => 1);

my @config = (main => load_test_module, http => <<'HTTP',
    guardrail_zone z size=256k key=all;
    guardrail_zone long size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    server => zone_views(qw(z long)) . <<'SERVER');
    location /hold {
        guardrail_quota z concurrency 4 hold=3s;
        guardrail_quota z memory 1000 hold=3s;
        proxy_pass http://%%HELD%%;
    }

    location /full {
        guardrail_quota z concurrency 1 hold=3s;
        proxy_pass http://%%HELD%%;
    }

    location /long {
        guardrail_quota long concurrency 2 hold=1h;
        proxy_pass http://%%HELD%%;
    }

    location /none {
        guardrail_quota z concurrency 4 hold=0;
        proxy_pass http://%%HELD%%;
    }

    location /late {
        guardrail_quota z concurrency 4 hold=3s;
        proxy_read_timeout 200ms;
        proxy_pass http://%%HELD%%;
    }

    location /ignore {
        guardrail_quota z concurrency 4 hold=1h;
        proxy_ignore_client_abort on;
        proxy_pass http://%%HELD%%;
    }

    location /unbuffered {
        guardrail_buffering off;
        proxy_request_buffering off;
        guardrail_quota z concurrency 4 hold=0;
        guardrail_quota z memory 100 hold=0 queue=5 timeout=1h;
        proxy_pass http://%%HELD%%;
    }

    location /page {
        guardrail_quota z concurrency 4 hold=3s;
        proxy_read_timeout 200ms;
        error_page 504 = /text;
        proxy_pass http://%%HELD%%;
    }

    location /text {
        return 200 "text";
    }
SERVER

$t->start(@config);

sub begin {
    my ($uri, $body, $f, %opt) = @_;

    $f ||= 'cl';

    my $n = $held->requests;
    my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
    my $id = $c->request(defined $body ? 'POST' : 'GET', $uri, $body,
                         framing => $f, read => 0, %opt);

    $held->wait_requests($n + 1);

    return { c => $c, id => $id };
}

sub leave {
    my ($how, $p) = @_;

    return $p->{c}->rst($p->{id}) if $how eq 'h2-rst';
    return $p->{c}->reset if $how eq 'reset';
    $p->{c}->close;
}

# the client leaves while the backend works

for my $how (qw(close reset h2-close h2-rst)) {
    my $p = begin('/hold', 'x' x 400, $how =~ /h2/ ? 'h2' : 'cl');

    zone_is($t, 'z', { concurrency => 1, memory => 400, holds => 0 },
            "$how: leased");
    leave($how, $p);
    zone_is($t, 'z', { concurrency => 1, memory => 400, holds => 2,
                       leased_memory => 400 }, "$how: held");

    my $r = $t->get('/full');

    is($r->status, 503, 'still counted');

    my $after = $r->header('retry-after');

    ok($after >= 1 && $after <= 4, "Retry-After is the hold's end: $after");
    zone_is_quiet($t, 'z', "$how: nothing after its time", 10);
    $held->release;
    $held->clear;
}

# it leaves, and nothing is to be held

for my $how (qw(close reset h2-close h2-rst)) {
    leave($how, begin('/none', 'body', $how =~ /h2/ ? 'h2' : 'cl'));
    zone_is_quiet($t, 'z', "$how: hold=0");
    $held->release;
    $held->clear;
}

# the client is ignored

my $p = begin('/ignore', 'body');

leave('close', $p);
zone_is($t, 'z', { concurrency => 1, holds => 0 }, 'the request goes on');
$held->release;
zone_is_quiet($t, 'z', 'until the backend has answered');
$held->clear;

# the backend takes too long

for my $case (['/late', 504], ['/page', 200]) {
    my ($uri, $status) = @$case;

    is($t->post($uri, 'body')->status, $status, "$uri: status");
    zone_is($t, 'z', { concurrency => 1, holds => 1 }, "$uri: held");
    zone_is_quiet($t, 'z', "$uri: nothing after its time", 10);
    $held->release;
    $held->clear;
}

# unbuffered: concurrency at once, memory as it streams, none waits

each_framing {
    my ($f) = @_;
    my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
    my %part = $f =~ /cl/ ? (length => 200) : ();
    my $id = $c->request('POST', '/unbuffered', 'x' x 60, framing => $f,
                         end => 0, read => 0, %part);

    zone_is($t, 'z', { concurrency => 1 }, 'concurrency at admission');
    $held->wait_requests(1);

    if ($f =~ /h2/) {
        $c->data($id, 'x' x 100, end => 0);

    } else {
        $c->send($f eq 'chunked' ? "64\r\n" . 'x' x 100 . "\r\n" : 'x' x 140);
    }

    if ($f =~ /h2-cl/) {
        $c->data($id, 'x' x 40, end => 1);
    } elsif ($f eq 'h2') {
        $c->data($id, '', end => 1);
    } elsif ($f eq 'chunked') {
        $c->send("0\r\n\r\n");
    }

    my $r = $f =~ /h2/ ? $c->read($id) : $c->read;

    is($r->status, 413, 'more than all memory');
    is($r->json->{reason}, 'max_memory', 'reason');
    zone_is_quiet($t, 'z');

    $held->wait_requests(sub { $_[0]{closed} });
    ok(!($held->requests)[0]{complete}, 'the backend did not see an end');
    $held->release;
    $held->clear;
};

# over a reload

leave('close', begin('/long', 'body'));
zone_is($t, 'long', { concurrency => 1, holds => 1 }, 'held');
ok($t->reload, 'reload');
zone_is($t, 'long', { concurrency => 1, holds => 1 }, 'held after it');
$held->release;
$held->clear;

$p = begin('/long', 'body');
ok($t->reload, 'reload');
zone_is($t, 'long', { concurrency => 2, holds => 1 },
        'the lease of an old worker');
is($t->get('/long')->status, 503, 'counts too');
$held->release;
is($p->{c}->read->status, 200, 'answered by the old worker');
zone_is($t, 'long', { concurrency => 1, holds => 1 }, 'released');

$t->done;
