#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/backends-streaming.conf before an application that writes
# uploads away as they come: whole ones are kept, refused and abandoned ones
# leave nothing behind.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::App;
use Guardrail::Example;
use Guardrail::Test;

# no-valgrind

Guardrail::App->needs('uvicorn', qw(fastapi uvicorn));

my $t = Guardrail::Test->new;
my $uploads = $t->dir . '/uploads';

mkdir $uploads or die "$uploads: $!\n";

my $app = Guardrail::App->start($t, env => { UPLOADS => $uploads },
    command => ['uvicorn', '--uds', '%%SOCKET%%', 'asgi:app']);

$t->start(example('backends-streaming.conf', 'guardrail_max_body 1g' =>
    'guardrail_max_body 1m;'));

sub kept {
    my ($name) = @_;

    return [grep { defined } glob "$uploads/*"];
}

my $data = pseudo_random(1 << 20, 5);

each_framing {
    my ($f) = @_;
    my $r = $t->post('/stream', $data, framing => $f, headers =>
                     ['X-Guardrail-Records', 5, 'X_Guardrail_Records', 6]);

    is($r->status, 200, 'a megabyte');
    is($r->json->{bytes}, length $data, 'arrived');
    is($r->json->{records}, undef, 'nothing is told of it');
    is(sha1_hex(read_file("$uploads/" . $r->json->{kept})), sha1_hex($data),
       'as it was');

    unlink "$uploads/" . $r->json->{kept};

    $r = $t->post('/stream', $data . 'x', framing => $f);

    is($r->status, 413, 'a byte more');

    $r = $t->post('/stream', gzip_zeros(1 << 28), framing => $f,
                  encoding => 'gzip');

    is($r->status, 413, 'a bomb');

    # the application has heard of it, and is told by the end that came early

    ok(wait_until { !@{kept()} }, 'nothing is left of them');
};

# a client that goes away in the middle

my $c = $t->h1;

$c->send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
         . 'x' x 500_000);
ok(wait_until { @{kept()} == 1 }, 'an upload has begun');
$c->close;
ok(wait_until { @{kept()} == 0 }, 'and is given up');

$t->done;
