#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/backends-uwsgi.conf before Flask in uWSGI, over its own
# protocol: what it is told.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::App;
use Guardrail::Backends;
use Guardrail::Example;
use Guardrail::Test;

# no-valgrind

Guardrail::App->needs('uwsgi', 'flask');

my $t = Guardrail::Test->new;

my $app = Guardrail::App->start($t, command => [
    'uwsgi', '--plugin', 'python3', '--socket', '%%SOCKET%%', '--processes',
    2, '--master', '--die-on-term', '--need-app', '--module', 'wsgi:app']);

# the file that comes with nginx

$t->file('uwsgi_params', <<'PARAMS');
uwsgi_param  QUERY_STRING       $query_string;
uwsgi_param  REQUEST_METHOD     $request_method;
uwsgi_param  CONTENT_TYPE       $content_type;
uwsgi_param  CONTENT_LENGTH     $content_length;
uwsgi_param  REQUEST_URI        $request_uri;
uwsgi_param  PATH_INFO          $document_uri;
uwsgi_param  DOCUMENT_ROOT      $document_root;
uwsgi_param  SERVER_PROTOCOL    $server_protocol;
uwsgi_param  REQUEST_SCHEME     $scheme;
uwsgi_param  HTTPS              $https if_not_empty;
uwsgi_param  REMOTE_ADDR        $remote_addr;
uwsgi_param  REMOTE_PORT        $remote_port;
uwsgi_param  SERVER_PORT        $server_port;
uwsgi_param  SERVER_NAME        $server_name;
PARAMS

$t->start(example('backends-uwsgi.conf', 'include uwsgi_params' =>
    'include %%DIR%%/uwsgi_params;'));

is($t->get('/')->status, 200, 'the application');
numbers_are_the_guards($t);

is($t->post('/ingest', gzip(ndjson(100_001)), encoding => 'gzip',
            type => 'application/x-ndjson')->status, 413, 'too many');

ok($t->stop, 'stopped');

# a parameter replaces a field in any spelling, even where nginx lets
# underscores through

my $text = example('backends-uwsgi.conf', 'include uwsgi_params' =>
                   'include %%DIR%%/uwsgi_params;');

$text =~ s/listen 127/underscores_in_headers on;\n        listen 127/ or die;
$t->start($text);
numbers_are_the_guards($t);

$t->done;
