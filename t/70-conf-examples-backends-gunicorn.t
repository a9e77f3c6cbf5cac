#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/backends-gunicorn.conf before Flask in gunicorn: what it is
# told, and that it has as many requests as it has workers.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::App;
use Guardrail::Backends;
use Guardrail::Example;
use Guardrail::Test;

# no-valgrind

Guardrail::App->needs('gunicorn', qw(flask gunicorn));

my $t = Guardrail::Test->new;

my $app = Guardrail::App->start($t, command => [
    'gunicorn', '--workers', 2, '--bind', 'unix:%%SOCKET%%', 'wsgi:app']);

$t->start(example('backends-gunicorn.conf'));

is($t->get('/')->status, 200, 'the application');
numbers_are_the_guards($t);

# more rows than it parses at once: it knew before it read them

my $r = $t->post('/ingest', ndjson(1001), type => 'application/x-ndjson');

is($r->status, 202, 'many rows are for later');
is($r->json->{records}, 1001, 'as it was told');
is($r->json->{stored}, length ndjson(1001), 'and stored as they came');

is($t->post('/ingest', gzip(ndjson(100_001)), encoding => 'gzip',
            type => 'application/x-ndjson')->status, 413, 'too many');

$t->done;
