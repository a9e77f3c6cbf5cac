#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# "guardrail $mode": on, off and dry_run for each request; an empty or unknown
# value is on.  split_clients rolls it out by percent.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$http_x_id $guardrail_verdict $guardrail_reason';
    access_log %%DIR%%/v.log v;

    map $http_x_plan $mode {
        new     dry_run;
        trusted off;
        default on;
    }

    map $http_x_plan $gap {
        trusted off;
    }

    split_clients $http_x_key $rollout {
        50% on;
        *   off;
    }
HTTP
    guardrail_max_body 10;
    proxy_set_header X-Verdict $guardrail_verdict;

    location / {
        guardrail $http_x_mode;
        proxy_pass http://%%BACKEND%%;
    }

    location /map {
        guardrail $mode;
        proxy_pass http://%%BACKEND%%;
    }

    location /gap {
        guardrail $gap;
        proxy_pass http://%%BACKEND%%;
    }

    location /rollout {
        guardrail $rollout;
        proxy_pass http://%%BACKEND%%;
    }

    location = /side {
        return 200 $rollout;
    }

    location /part {
        guardrail o${http_x_mode};
        proxy_pass http://%%BACKEND%%;
    }
SERVER

my $id = 0;

each_framing {
    my ($f) = @_;
    my %want = (
        on      => '413 reject max_body',
        off     => '200 off -',
        dry_run => '200 would_reject max_body',
        map { $_ => '413 reject max_body' }
            '', qw(0 1 no yes On OFF DRY_RUN dry-run offf of), 'off off',
    );

    for my $mode (sort keys %want) {
        is(asks('/', 'x' x 11, 'X-Mode', $mode, $f), $want{$mode},
           "\"$mode\": one byte too many");
        is(asks('/', 'x' x 10, 'X-Mode', $mode, $f),
           $mode eq 'off' ? '200 off -' : '200 pass -',
           "\"$mode\": what fits");
        is($backend->last->{length}, 10, 'arrived');
    }
};


subtest 'no value at all is on' => sub {
    is(asks('/', 'x' x 11), '413 reject max_body', 'no such header');
    is(asks('/gap', 'x' x 11), '413 reject max_body', 'no default in a map');
    is(asks('/gap', 'x' x 11, 'X-Plan', 'trusted'), '200 off -', 'its entry');
};


subtest 'a map' => sub {
    is(asks('/map', 'x' x 11), '413 reject max_body', 'default');
    is(asks('/map', 'x' x 11, 'X-Plan', 'trusted'), '200 off -', 'trusted');
    is(asks('/map', 'x' x 11, 'X-Plan', 'new'), '200 would_reject max_body',
       'new');
};


subtest 'a part of a value' => sub {
    is(asks('/part', 'x' x 11, 'X-Mode', 'ff'), '200 off -', 'off');
    is(asks('/part', 'x' x 11, 'X-Mode', 'n'), '413 reject max_body', 'on');
};


subtest 'split_clients' => sub {
    my %seen;

    for my $key (1 .. 40) {
        my $side = $t->get('/side', headers => ['X-Key', $key])->body;

        is(asks('/rollout', 'x' x 11, 'X-Key', $key),
           $side eq 'on' ? '413 reject max_body' : '200 off -',
           "client $key is on the side \"$side\"");
        $seen{$side}++;
    }

    is(join(' ', sort keys %seen), 'off on', 'both sides were seen');
};


subtest 'without a body' => sub {
    for my $mode ('', qw(on off dry_run)) {
        my $r = $t->get('/', headers => ['X-Mode', $mode]);

        is($r->status, 200, "\"$mode\": status");
        is($backend->last->{headers}{'x-verdict'},
           $mode eq 'off' ? 'off' : 'pass', "\"$mode\": verdict");
    }
};


$t->done;


# "status verdict reason"

sub asks {
    my ($uri, $body, $name, $value, $framing) = @_;
    my @headers = ('X-Id', ++$id, defined $name ? ($name, $value) : ());
    my $status = $t->post($uri, $body, headers => \@headers,
                          framing => $framing || 'cl')->status;
    my $line = wait_until {
        my ($found) = grep { s/^$id // } $t->access_log('v.log');

        return $found;
    };

    return "$status $line";
}
