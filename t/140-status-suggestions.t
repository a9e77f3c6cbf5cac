#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What status suggests: nothing of what was not looked at, beside the limit of
# a location, not of its server.  A page is no guarded location, whatever is
# in its block, and has it for itself.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

# one content handler for one location

for my $other ('proxy_pass http://%%BACKEND%%;', 'fastcgi_pass %%BACKEND%%;') {
    for ("guardrail_status; $other", "$other guardrail_status;") {
        my ($ok, $out) = $t->nginx_t(server => "location /s { $_ }");

        ok(!$ok, $_);
        like($out, qr/\[emerg\].*"guardrail_status".*another handler/, 'why');
    }
}

$t->define(AE => "\xe4");
$t->define(OE => "\xf6");

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_label api;
    guardrail_max_body 1m;

    location /a {
        guardrail_max_body 10k;
        proxy_pass http://%%BACKEND%%;
    }

    location /gzip {
        guardrail_label gzip;
        guardrail_max_ratio off;
        proxy_pass http://%%BACKEND%%;
    }

    location /br {
        guardrail_label br;
        guardrail_max_ratio off;
        guardrail_encodings gzip br;
        proxy_pass http://%%BACKEND%%;
    }

    location /memory {
        guardrail_label memory;
        guardrail_max_memory 1m;
        proxy_pass http://%%BACKEND%%;

        if ($arg_x) {
            set $y 1;
        }

        limit_except GET POST {
            deny all;
        }
    }

    location /ae {
        guardrail_label %%AE%%;
        return 204;
    }

    location /oe {
        guardrail_label %%OE%%;
        return 204;
    }

    location = /status {
        guardrail_label page;
        guardrail_status;

        if ($arg_x) {
            set $y 1;
        }
    }
SERVER

sub suggested {
    my ($location) = @_;

    return { map { ($_->{directive}, $_) }
             @{location($t, $location)->{suggestions}} };
}

is($t->post('/a', 'x' x 100)->status, 200, 'a body of no format');

my $s = suggested('api');

is_deeply([sort keys %$s], [qw(guardrail_max_body guardrail_max_decoded)],
          'nothing of records and memory, which nobody counted');
is($s->{guardrail_max_body}{limit}, 10240, 'the limit is that of a location');

$t->post('/a', "{}\n" x 30, type => 'application/x-ndjson');

$s = suggested('api');

is($s->{guardrail_max_records}{value}, 100, 'of records that were');
is($s->{guardrail_max_records}{of}, 1, 'in one body');
ok(!$s->{guardrail_max_memory}, 'nobody asks for memory');

$t->post('/memory', 'x' x 3000, type => 'application/octet-stream');
is(suggested('memory')->{guardrail_max_memory}{value}, 6144,
   'where somebody does, that of any body');

is($t->post('/memory?x=1', 'x')->status, 200, 'within an "if"');
is(location($t, 'memory')->{requests}{pass}, 2, 'is counted there');
is_deeply([map { $_->{in} } @{location($t, 'memory')->{limits}}],
          ['localhost /memory'], 'which is one location');

# a ratio that deflate can have

for (qw(gzip br)) {
    is($t->post("/$_", gzip_zeros(1_000_000), encoding => 'gzip')->status,
       200, "zeros to $_");
}

is(suggested('gzip')->{guardrail_max_ratio}{value}, 1000, 'of gzip alone');
is(suggested('br')->{guardrail_max_ratio}{value}, 2000, 'and of others');

# labels that are no UTF-8 stay two

is($t->get("/$_")->status, 204, $_) for qw(ae oe);
is_deeply([grep { /%/ } sort map { $_->{location} } @{status($t)->{locations}}],
          ['%E4', '%F6'], 'as text');
ok(metrics($t->get('/status?format=prometheus')->body), 'for Prometheus too');

is($t->get('/status?x=1&format=json')->status, 200, 'a page with an "if"');
is(location($t, 'page'), undef, 'is no guarded location');

$t->done;
