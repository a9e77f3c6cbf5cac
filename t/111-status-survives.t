#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What was counted survives: a reload, one that brings more labels than there
# was room for, and workers that are killed while they count.

# no-asan no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 2);
my $backend = $t->backend;

sub server {
    my ($labels) = @_;

    return <<'SERVER' . join '', map { <<"MORE" } 1 .. $labels;
    guardrail on;
    guardrail_max_body 1k;
    proxy_http_version 1.1;

    location /a {
        guardrail_label a;
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER
    location /more$_ {
        guardrail_label more$_;
        proxy_pass http://%%BACKEND%%;
    }
MORE
}

$t->start(server => server(1));

$t->post('/a', 'x' x 10) for 1 .. 5;
$t->post('/a', 'x' x 2000);
$t->post('/more1', 'x' x 7);

my $since = status($t)->{start_time};

sub same {
    my ($pass, $what) = @_;

    # a request is counted after its last byte was sent, by any worker

    my $s = wait_status($t, sub {
        my ($a) = grep { $_->{location} eq 'a' } @{$_->{locations}};

        return $a->{requests}{pass} >= $pass && $a->{requests}{reject} >= 1
               && location($t, 'more1')->{requests}{pass} >= 1;
    });
    my ($l) = grep { $_->{location} eq 'a' } @{$s->{locations}};

    is($l->{requests}{pass}, $pass, "$what: passed");
    is($l->{requests}{reject}, 1, "$what: refused");
    is($l->{body_bytes}, 10 * $pass, "$what: bytes");
    is($l->{histograms}{body_bytes}{count}, $pass, "$what: measured");
    is($l->{histograms}{body_bytes}{max}, 10, "$what: the largest");
    is(location($t, 'more1')->{body_bytes}, 7, "$what: of another label");
}

same(5, 'before');

$t->reload;
same(5, 'reloaded');

$t->reload(server => server(3));
same(5, 'more labels');
$t->post('/more3', 'x' x 3);
wait_status($t, sub { location($t, 'more3')->{requests}{pass} });
is(location($t, 'more3')->{body_bytes}, 3, 'a new one counts');

$t->reload(server => server(40));
same(5, 'more than there was room for');
is(location($t, 'more3')->{body_bytes}, 3, 'it was copied');
is(status($t)->{start_time}, $since, 'it began when it began');

$t->reload(server => server(1));
same(5, 'fewer again');

# workers of before and workers of now count in one place

my $held = $t->h1;

$held->send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx");
wait_until(sub { status($t)->{requests_in_flight} == 1 });
$t->reload;
is(status($t)->{requests_in_flight}, 1, 'an old worker has one in flight');
$held->send('x' x 9);
like($held->read->body, qr/./, 'and answers it');
wait_status($t, sub { $_->{requests_in_flight} == 0 });
same(6, 'of both');

# killed with requests in flight: these are gone, what was counted is not

for my $round (1 .. 3) {
    my @held = map {
        my $c = $t->h1;

        $c->send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
        $c;
    } 1 .. 6;

    wait_until(sub { status($t)->{requests_in_flight} == 6 });
    is(status($t)->{requests_in_flight}, 6, "round $round: six in flight");

    $t->kill_worker(pid => $_) for $t->worker_pids;
    $_->close for @held;

    is(wait_status($t, sub { $_->{requests_in_flight} == 0 })
         ->{requests_in_flight}, 0, 'none after the workers were killed');
    same(6, "round $round");
}

$t->done;
