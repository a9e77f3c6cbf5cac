#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_decode before uWSGI itself: a WSGI application reads the decoded
# body to its CONTENT_LENGTH, and sees no coding.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;
use Guardrail::Util qw(listen_port);

my $t = Guardrail::Test->new;

my ($uwsgi) = grep { -x } '/usr/bin/uwsgi', '/usr/local/bin/uwsgi';

if (!$uwsgi || !glob '/usr/lib/uwsgi/plugins/python3*_plugin.so') {
    $t->skip_all('uwsgi with its plugin for Python 3 is not installed');
}

$t->file('app.py', <<'PYTHON');
import hashlib
import json


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    rest = environ["wsgi.input"].read(1)
    left = [n for n in ("HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING",
                        "HTTP_DIGEST", "HTTP_CONTENT_MD5") if n in environ]
    text = json.dumps({"length": length, "sha1": hashlib.sha1(body).hexdigest(),
                       "got": len(body), "rest": len(rest), "left": left})
    start_response("200 OK", [("Content-Type", "application/json")])
    return [text.encode()]
PYTHON

my ($listen, $port) = listen_port;

$listen->close;
$t->define(WSGI => "127.0.0.1:$port");

our $pid = fork // die "fork: $!";

if ($pid == 0) {
    open STDOUT, '>', $t->dir . '/uwsgi.log';
    open STDERR, '>&', \*STDOUT;
    exec $uwsgi, '--plugin', 'python3', '--socket', "127.0.0.1:$port",
         '--wsgi-file', $t->dir . '/app.py', '--master', '--die-on-term',
         '--processes', 1, '--need-app';
    exit 1;
}

ok((wait_until {
    read_file($t->dir . '/uwsgi.log') =~ /spawned uWSGI worker/
} scale 30), 'uWSGI started');

$t->start(server => <<'SERVER');
    guardrail on;
    guardrail_decode on;
    guardrail_max_ratio off;
    guardrail_max_body 4m;
    client_body_buffer_size 16k;

    location / {
        uwsgi_pass %%WSGI%%;
        include /etc/nginx/uwsgi_params;
    }
SERVER

each_framing {
    my ($f) = @_;

    for my $body ('', '{"a":1}', pseudo_random(16384, 1),
                  pseudo_random(16385, 2), 'x' x (3 << 20))
    {
        my $n = length $body;
        my $r = $t->post('/', gzip($body), framing => $f, encoding => 'gzip',
                         headers => ['Digest', 'x', 'Content-MD5', 'y']);

        is($r->status, 200, "$n: accepted");

        my $got = $r->json;

        is($got->{length}, $n, "$n: CONTENT_LENGTH");
        is($got->{sha1}, sha1_hex($body), "$n: decoded");
        is($got->{rest}, 0, "$n: nothing behind it");
        is("@{$got->{left}}", '', "$n: nothing of the coded one");
    }
};

stop_uwsgi();

$t->done;


sub stop_uwsgi {
    if ($pid) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
        $pid = 0;
    }
}


# a test that died leaves nothing running either

END {
    local $?;

    stop_uwsgi();
}
