#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The status page in Chromium, while requests are accepted and refused: it
# shows what nginx counted, and nginx serves it as it was made.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Browser;
use Guardrail::Test;

# no-asan: what is tested here is the page
# no-ubsan
# no-locks
# no-valgrind

needs_browser;

my $t = Guardrail::Test->new(log_level => 'error');
my $backend = $t->backend;
my $slow = $t->peer('http', name => 'SLOW', delay => 0.4);

$t->start(http => <<'HTTP', server => <<'SERVER');
    guardrail_tenant $http_x_api_key pattern=^([a-z]+)- secret=off;
    guardrail_zone tenants size=1m;
    guardrail_zone backend size=256k key=all;
HTTP
    guardrail on;
    guardrail_max_body 1m;
    guardrail_max_decoded 8m;

    location /ingest {
        guardrail_label ingest;
        guardrail_max_records 1000;
        guardrail_max_record_size 4k;
        guardrail_max_memory 4m;
        proxy_pass http://%%BACKEND%%;
    }

    location /upload {
        guardrail_label "<img src=x onerror=alert(1)>";
        proxy_pass http://%%BACKEND%%;
    }

    location /tenants {
        guardrail_label tenants;
        guardrail_quota tenants requests 20/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /slow {
        guardrail_label slow;
        guardrail_quota backend concurrency 2 queue=20 timeout=30s;
        proxy_pass http://%%SLOW%%;
    }

    location /trial {
        guardrail dry_run;
        guardrail_label trial;
        guardrail_max_records 10;
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

run_node('real.mjs', 'http://127.0.0.1:' . $t->port('PORT'));

$t->done;
