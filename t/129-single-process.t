#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# "master_process off": one process, which takes a new configuration and
# starts no worker for it.  nginx accepts nothing more then, but serves the
# connections it has; what is looked after in the zones of the new one must
# not be more than what was set up.

# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(workers => 0);
my $held = $t->backend(name => 'HELD', hold => 1);

my @config = (main => 'master_process off;', http => <<'HTTP',
    guardrail_zone z size=256k key=all;
HTTP
              server => <<'SERVER');
    location / {
        guardrail on;
        guardrail_quota z concurrency 1 hold=1s;
        proxy_pass http://%%HELD%%;
    }

    location /alive {
        keepalive_requests 1000;
        return 200 alive;
    }
SERVER

for my $next ([@config],
              ["%%GLOBALS%%\nmaster_process off;\nevents {\n}\n"])
{
    my $name = @$next > 1 ? 'the same' : 'without http';

    $t->start(@config);

    # a client leaves its backend at work, which is held for a while

    my ($c, $kept) = ($t->h1, $t->h1);

    is($kept->request('GET', '/alive')->status, 200, "$name: before");

    $held->clear;
    $c->request('POST', '/', 'body', read => 0);
    $held->wait_requests(1);
    $c->close;
    ok((wait_until { $t->post('/', 'body')->status == 503 }), "$name: held");

    $t->reload(@$next);
    ok((wait_until { $t->log_lines(qr/reconfiguring$/) }), "$name: reloaded");

    # longer than the hold and a few looks at it

    my $ok = 0;

    for (1 .. 30) {
        select undef, undef, undef, 0.1;
        $ok += $kept->request('GET', '/alive')->status == 200;
    }

    is($ok, 30, "$name: it lives");

    $t->stop;
    unlink $t->dir . '/error.log';
}

$t->done;
