#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The harness itself, before plain nginx: what the other tests take for
# granted.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(module => 0);
my $backend = $t->backend;
my $second = $t->backend(name => 'SECOND', keepalive => 1);
my $slow = $t->backend(name => 'SLOW', hold => 1);
my %cgi = map { $_ => $t->peer($_) } qw(fastcgi uwsgi scgi);

$t->start(http => <<'HTTP', server => <<'SERVER');
    client_max_body_size 8m;

    upstream second {
        server %%SECOND%%;
        keepalive 4;
    }
HTTP
    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /second {
        proxy_pass http://second;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }

    location /unbuffered {
        proxy_pass http://%%BACKEND%%;
        proxy_http_version 1.1;
        proxy_request_buffering off;
    }

    location /slow {
        proxy_pass http://%%SLOW%%;
    }

    location /fastcgi {
        fastcgi_pass %%FASTCGI%%;
        include /etc/nginx/fastcgi_params;
    }

    location /uwsgi {
        uwsgi_pass %%UWSGI%%;
        include /etc/nginx/uwsgi_params;
    }

    location /scgi {
        scgi_pass %%SCGI%%;
        include /etc/nginx/scgi_params;
    }

    location /small {
        client_max_body_size 10;
        proxy_pass http://%%BACKEND%%;
    }

    location /files {
        root %%DIR%%;
    }
SERVER

my $big = pseudo_random(1 << 20, 7);
my $sha1 = sha1_hex($big);

each_framing {
    my ($f) = @_;

    for my $body ('', 'x', 'hello, world', $big) {
        my $len = length $body;
        my $r = $t->post('/', $body, framing => $f, type => 'text/plain');

        is($r->status, 200, "$len bytes: status");
        is($r->json->{sha1}, sha1_hex($body), "$len bytes: arrived");
        is($r->json->{length}, $len, "$len bytes: length");
        is($r->header('Content-Type'), 'application/json', "$len bytes: type");
    }

    is($backend->last->{headers}{'content-type'}, 'text/plain',
       'a request header');

    for my $p (qw(fastcgi uwsgi scgi)) {
        for my $body ('hello, world', $big) {
            my $r = $t->post("/$p/x?y=z", $body, framing => $f,
                             encoding => 'gzip');
            my $q = $cgi{$p}->last;
            my $len = length $body;

            is($r->status, 200, "$p, $len bytes: status");
            is($q->{sha1}, sha1_hex($body), "$p, $len bytes: arrived");
            is($q->{complete}, 1, "$p, $len bytes: complete");
            is($q->{headers}{'content-encoding'}, 'gzip', "$p: a header");
            is("$q->{method} $q->{uri}", "POST /$p/x?y=z", "$p: request");
        }
    }

    for my $how ({ cut => 1 }, { cut => 3, drain => 1 }, { cuts => [1, 5] },
                 { chunk => 1 }, { pad => 7, cut => 2 }, { empty_end => 1 })
    {
        my $r = $t->post('/', 'hello, world', framing => $f, %$how);

        is($r->json->{sha1}, sha1_hex('hello, world'),
           join ' ', 'cut:', sort keys %$how);
    }

    my @pieces = ('a', 'bc', 'def');
    my $r = $t->post('/', sub { shift @pieces }, framing => $f,
                     $f =~ /^(cl|h2-cl)$/ ? (length => 6) : ());

    is($r->json->{sha1}, sha1_hex('abcdef'), 'streamed body');

    is($t->post('/small', 'hello, world', framing => $f)->status, 413,
       'a refusal');
};


subtest 'an early answer stops a large body' => sub {
    my $n = 0;
    my $r = $t->post('/small', sub { $n++ < 4096 ? 'x' x 65536 : undef },
                     length => 4096 * 65536);

    is($r->status, 413, 'status');
    is($r->{sent_all}, 0, 'not all was sent');
    ok($r->closed, 'closed');

    is($t->post('/', $big, framing => 'chunked')->status, 200, 'lives on');
};


subtest 'the backend was never contacted' => sub {
    $backend->clear;

    is($backend->connections, 0, 'cleared');
    is($t->post('/small', 'hello, world')->status, 413, 'refused');
    is($backend->connections, 0, 'no connection');
    is($t->post('/small', 'hello')->status, 200, 'accepted');
    is($backend->connections, 1, 'one connection');
};


subtest 'keepalive to the backend' => sub {
    $second->clear;

    for (1 .. 5) {
        is($t->post('/second', $big)->json->{sha1}, $sha1, "request $_");
    }

    is($second->connections, 1, 'one connection');
    is(scalar($second->requests), 5, 'five requests');
};


subtest 'an aborted upload is seen as incomplete' => sub {
    for my $f (qw(chunked h2)) {
        $backend->clear;

        my $c = $f eq 'h2' ? $t->h2 : $t->h1;

        $t->post('/unbuffered', 'x' x 1000, framing => $f, conn => $c,
                 end => 0, read => 0);

        my ($q) = $backend->wait_requests(sub { @_ && $_[0]{length} == 1000 });

        is($q->{framing}, 'chunked', "$f: framing");
        is($q->{complete}, 0, "$f: not complete yet");

        $c->close;

        ($q) = $backend->wait_requests(sub { $_[0]{closed} });

        is($q->{closed}, 'early', "$f: closed early");
        is($q->{terminator}, 0, "$f: no last chunk");
        is($q->{length}, 1000, "$f: length");
    }
};


subtest 'a held request' => sub {
    my @c = map { $t->h1 } 1, 2;

    $_->request('POST', '/slow', 'x', read => 0) for @c;

    is(scalar($slow->wait_requests(2)), 2, 'both arrived');
    is($c[0]->read(timeout => 0.1)->error, 'timeout', 'no answer');
    is($slow->release, 2, 'released');
    is($_->read->status, 200, 'answered') for @c;
};


subtest 'pipelined requests' => sub {
    my $c = $t->h1;

    $c->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
             . "GET /two HTTP/1.1\r\nHost: x\r\n\r\n");

    is($c->read->json->{length}, 3, 'first');
    is($c->read->json->{uri}, '/two', 'second');
    ok($c->open, 'still open');

    $c->send("nonsense\r\n\r\n");
    is($c->read->status, 400, 'third');
    ok($c->closed, 'closed');
};


subtest '100 Continue' => sub {
    my $r = $t->post('/', 'hello', expect => 1);

    is(join(' ', $r->interim), '100', 'seen');
    is($r->json->{length}, 5, 'body');

    $r = $t->post('/small', 'hello, world', expect => 1);
    is(join(' ', $r->interim), '', 'not before a refusal');
    is($r->status, 413, 'refused');
    is($r->{sent}, 0, 'nothing was sent');
};


subtest 'streams of one HTTP/2 connection' => sub {
    my $c = $t->h2;
    my @s = map {
        $c->request('POST', "/$_", undef, read => 0, length => 2)
    } 1 .. 3;

    # the streams above ended without their two bytes

    is($c->read($_)->status, 400, 'too short') for @s;

    my @pseudo = (':method', 'POST', ':scheme', 'http', ':authority', 'x');

    @s = map { $c->headers([@pseudo, ':path', "/s$_"]) } 1 .. 3;

    $c->data($_, "ab", end => 0) for @s;
    is($c->read($s[0], timeout => 0.1)->error, 'timeout', 'END_STREAM is due');
    $c->data($s[1], 'cd', end => 1);
    is($c->read($s[1])->json->{uri}, '/s2', 'second');
    $c->rst($s[0]);
    $c->data($s[2], '', end => 1);
    is($c->read($s[2])->json->{length}, 2, 'third');
};


subtest 'large responses' => sub {
    my $name = $t->dir . '/files';

    mkdir $name;
    write_file("$name/big", $big);

    is(sha1_hex($t->get('/files/big')->body), $sha1, 'h1');
    is(sha1_hex($t->get('/files/big', framing => 'h2')->body), $sha1, 'h2');
    is($t->request('HEAD', '/files/big')->status, 200, 'HEAD');
};


subtest 'configurations' => sub {
    my ($ok, $out) = $t->nginx_t(server => 'location / { return 200; }');

    ok($ok, 'a good one');
    like($out, qr/test is successful/, 'its output');

    ($ok, $out) = $t->nginx_t(server => 'nonsense on;');

    ok(!$ok, 'a bad one');
    like($out, qr/\[emerg\].*unknown directive "nonsense"/, 'its output');
};


subtest 'the decoder of header blocks' => sub {
    my $d = Guardrail::Hpack->new;

    # RFC 7541, appendix C.6

    my @h = $d->decode(pack 'H*', '488264025885aec3771a4b6196d07abe941054d444'
                       . 'a8200595040b8166e082a62d1bff6e919d29ad171863c78f0'
                       . 'b97c8e9ae82ae43d3');

    is_deeply(\@h, [[':status', '302'], ['cache-control', 'private'],
                    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
                    ['location', 'https://www.example.com']], 'Huffman');
    is_deeply([$d->decode("\xbe")], [$h[3]], 'an entry that was added');
};


subtest 'builders' => sub {
    my $zeros = gzip_zeros(1 << 20);
    my $data = ndjson(10, size => 40);

    is(length $data, 410, 'records');

    for my $coded (gzip($data), gzip($data, name => 'x' x 70000, extra => 'y',
                                     comment => ''),
                   gzip_members(map { "$_\n" } split /\n/, $data))
    {
        my $file = $t->file('data.gz', $coded);

        is(`gzip -dc $file`, $data, length($coded) . ' bytes of gzip');
    }

    $t->file('data.gz', $zeros);
    is(`gzip -dc $t->{dir}/data.gz | wc -c` + 0, 1 << 20, 'zeros');
};

$t->done;
