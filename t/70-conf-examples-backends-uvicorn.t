#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/backends-uvicorn.conf before FastAPI in uvicorn: what it is
# told.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::App;
use Guardrail::Backends;
use Guardrail::Example;
use Guardrail::Test;

# no-valgrind

Guardrail::App->needs('uvicorn', qw(fastapi uvicorn));

my $t = Guardrail::Test->new;

my $app = Guardrail::App->start($t, command => [
    'uvicorn', '--uds', '%%SOCKET%%', 'asgi:app']);

$t->start(example('backends-uvicorn.conf'));

is($t->get('/')->status, 200, 'the application');
numbers_are_the_guards($t);

is($t->post('/ingest', gzip(ndjson(100_001)), encoding => 'gzip',
            type => 'application/x-ndjson')->status, 413, 'too many');

$t->done;
