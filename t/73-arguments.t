#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_max_arg and guardrail_max_window: hard caps on what a request may
# ask for, which repetitions, encodings, signs and overflows do not slip past.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    map $arg_mode $mode {
        default on;
        off off;
        dry dry_run;
    }

    log_format verdict "$uri $guardrail_verdict $guardrail_reason";
    access_log %%DIR%%/verdict.log verdict;
HTTP
    guardrail on;
    guardrail_max_arg limit 100;
    guardrail_max_window from to 31d;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /required {
        guardrail_max_arg page_size 50 required;
        proxy_pass http://%%BACKEND%%;
    }

    location /none {
        guardrail_max_arg other 1;
        guardrail_max_window a b 1s;
        proxy_pass http://%%BACKEND%%;
    }

    location /zero {
        guardrail_max_arg limit 0;
        guardrail_max_arg page 0 required;
        guardrail_max_window from to 0;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        proxy_pass http://%%BACKEND%%;
    }

    location /mode {
        guardrail $mode;
        proxy_pass http://%%BACKEND%%;
    }

    location /off {
        guardrail off;
        proxy_pass http://%%BACKEND%%;
    }

    location /page {
        error_page 400 = @page;
        proxy_pass http://%%BACKEND%%;
    }

    location @page {
        return 200 "$guardrail_reason $guardrail_limit $guardrail_observed";
    }

    location /rewritten {
        rewrite ^ /target?limit=1000? last;
    }

    location /target {
        proxy_pass http://%%BACKEND%%;
    }
SERVER


sub refused {
    my ($uri, $reason, $limit, $observed, $name) = @_;

    $backend->clear;

    for my $f (qw(cl h2)) {
        my $r = $t->get($uri, framing => $f);
        my $json = $r->json;

        is($r->status, 400, "$name, $f: status");
        is($json->{reason}, $reason, "$name, $f: reason");
        is($json->{limit}, $limit, "$name, $f: limit");
        is($json->{observed}, $observed, "$name, $f: observed");
    }

    is($backend->connections, 0, "$name: the backend was not contacted");
}


is($t->get("/?$_")->status, 200, "passes: $_")
    for '', 'limit=100', 'a=1000', 'limit=1&limit=2', 'limits=1000',
        'from=2024-01-01&to=2024-02-01', 'from=1700000000&to=1702678400';

refused('/?limit=101', 'max_arg', 100, 101, 'one more');
refused('/?limit=1&limit=101', 'max_arg', 100, 101, 'repeated');
refused('/?limit=1;limit=101', 'max_arg', 100, 101, 'another separator');
refused('/?LI%4Dit=%31%30%31', 'max_arg', 100, 101, 'encoded');
refused('/?limit=18446744073709551617', 'max_arg', 100,
        '18446744073709551615', 'beyond 64 bits');
refused('/?limit=-1', 'max_arg', undef, undef, 'a sign');
refused('/?limit=', 'max_arg', undef, undef, 'nothing');
refused('/?from=2024-01-01&to=2024-02-02', 'max_window', 2678400, 2764800,
        'a day more');
refused('/?from=2024-01-01', 'max_window', undef, undef, 'one end');
refused('/?from=2024-01-02&to=2024-01-01', 'max_window', undef, undef,
        'reversed');
refused('/?from=2024-01-01&to=2024-01-02&to=2034-01-01', 'max_window', undef,
        undef, 'an end twice');
refused('/required', 'max_arg', undef, undef, 'required, and missing');
refused('/required?page_size=51', 'max_arg', 50, 51, 'required, too large');

is($t->get('/required?page_size=50&limit=1000')->status, 200,
   'a location with arguments of its own has no others');
is($t->get('/none?limit=1000&from=1&to=x')->status, 200, 'neither has this');

is($t->get("/zero?page=0&$_")->status, 200, "0 is no limit: $_")
    for 'limit=0', 'limit=1000000', 'limit=18446744073709551617',
        'from=0001-01-01&to=9999-12-31';

refused('/zero?limit=1', 'max_arg', undef, undef, 'no limit, and missing');
refused('/zero?page=1&limit=x', 'max_arg', undef, undef,
        'no limit, and no number');
refused('/zero?page=1&from=2&to=1', 'max_window', undef, undef,
        'no limit, and reversed');

is($t->get('/off?limit=1000')->status, 200, 'the guard is off');
is($t->get('/mode?mode=off&limit=1000')->status, 200, 'off by a variable');
is($t->get('/mode?limit=1000')->status, 400, 'on by a variable');
is($t->get('/mode?mode=dry&limit=1000')->status, 200, 'dry_run by a variable');
is($t->get('/dry?limit=1000')->status, 200, 'dry_run');
is($t->get('/page?limit=1000')->body, 'max_arg 100 1000', 'error_page');
is($t->get('/rewritten')->status, 400, 'what a rewrite adds counts');

like(join('', $t->log_lines(qr/would reject: max_arg limit 100/)),
     qr/observed 1000/, 'dry_run is logged');

# a request with a body too: before anything is read of it

each_framing {
    my ($f) = @_;

    $backend->clear;

    my $r = $t->post('/?limit=1000', 'x' x 1000, framing => $f, expect => 1);

    is($r->status, 400, 'refused');
    is(join(' ', $r->interim), '', 'nothing was asked for');
    is($backend->connections, 0, 'the backend was not contacted');
    is($t->post('/?limit=100', 'x' x 1000, framing => $f)->status, 200,
       'passes');
};

ok((grep { $_ eq '/dry would_reject max_arg' }
    map { s/\s+\z//r } $t->wait_access_log(1, 'verdict.log')),
   'the access log of dry_run');

$t->done;
