#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A body that was passed on unbuffered is gone.  When the request is led into
# a guarded location after that, nginx would send the old length without the
# bytes, and the next request on that connection would become the body.  The
# guarded location refuses, and the body is made to vanish.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $second = $t->backend(name => 'SECOND', keepalive => 1);
my $first = $t->backend(name => 'FIRST', respond => sub { answer(@_) });
my $early = $t->backend(name => 'EARLY', early => 1,
                        respond => sub { answer(@_) });


sub answer {
    my ($q) = @_;

    return $q->{uri} =~ m{accel/(\w+)} ? (200, ['X-Accel-Redirect', "/$1"], '')
                                       : (503, [], '');
}


# passed on by a location with the guard, or by one without

my $pass = <<'PASS';
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_intercept_errors on;

        location ~ /error/guarded/all {
            error_page 503 = /guarded;
            proxy_pass http://%%FIRST%%;
        }

        location ~ /error/other/all {
            error_page 503 = @other;
            proxy_pass http://%%FIRST%%;
        }

        location ~ /error/page/all {
            error_page 503 = /page;
            proxy_pass http://%%FIRST%%;
        }

        location ~ /accel/.*/all {
            proxy_pass http://%%FIRST%%;
        }

        location ~ /error/guarded/early {
            error_page 503 = /guarded;
            proxy_pass http://%%EARLY%%;
        }

        location ~ /error/other/early {
            error_page 503 = @other;
            proxy_pass http://%%EARLY%%;
        }

        location ~ /error/page/early {
            error_page 503 = /page;
            proxy_pass http://%%EARLY%%;
        }

        location ~ /accel/.*/early {
            proxy_pass http://%%EARLY%%;
        }
PASS

$t->start(http => <<'HTTP', server => <<SERVER);
    upstream second {
        server %%SECOND%%;
        keepalive 1;
    }
HTTP
    recursive_error_pages on;
    proxy_set_header Connection "";

    location /on {
        guardrail on;
        guardrail_buffering off;

$pass
    }

    location /off {

$pass
    }

    location /guarded {
        guardrail on;
        guardrail_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://second;
    }

    location /other {
        guardrail on;
        guardrail_max_records 5;
        proxy_http_version 1.1;
        proxy_pass http://second;
    }

    location \@other {
        guardrail on;
        guardrail_max_records 5;
        proxy_http_version 1.1;
        proxy_pass http://second;
    }

    location /page {
        guardrail on;
        error_page 500 = /fallback;
        proxy_http_version 1.1;
        proxy_pass http://second;
    }

    location /fallback {
        guardrail off;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Length "[\$content_length]";
        proxy_set_header X-Reason \$guardrail_reason;
        proxy_pass http://second;
    }

    location /discarded {
        set \$memcached_key key;
        error_page 502 = /guarded;
        memcached_pass 127.0.0.1:1;
    }

    location /refused-connection {
        guardrail on;
        guardrail_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        error_page 502 = /guarded;
        proxy_pass http://127.0.0.1:1;
    }

    location /plain {
        proxy_http_version 1.1;
        proxy_pass http://second;
    }
SERVER

my $body = 'x' x 100000;

each_framing {
    my ($f) = @_;

    for my $from (qw(on off)) {
        for my $to (qw(error/guarded error/other accel/guarded accel/other
                       error/page accel/page))
        {
            for my $when (qw(all early)) {
                my $uri = "/$from/$to/$when";

                # while the body is still read, some of it is withheld

                my %part = $when eq 'all' ? ()
                           : $f =~ /cl/ ? (length => 200000, end => 0)
                           : (end => 0);

                my $r = $t->post($uri, $body, framing => $f, stubborn => 1,
                                 %part);

                if ($to =~ /page/) {
                    is($r->status, 200, "$uri: its error_page");
                    is($r->json->{length}, 0, "$uri: without a body");
                    is($r->json->{headers}{'x-length'}, '[0]',
                       "$uri: without its length");
                    is($r->json->{headers}{'x-reason'}, 'internal',
                       "$uri: reason");

                } else {
                    is($r->status, 500, "$uri: refused");
                    is($r->json->{reason}, 'internal', "$uri: reason");
                }

                ok($r->closed, "$uri: closed") if $f !~ /h2/;

                my $next = $t->post('/plain', 'next');

                is($next->json->{uri}, '/plain', "$uri: the next request");
                is($next->json->{length}, 4, "$uri: is a request");
            }
        }
    }
};

ok($t->log_lines(qr/guardrail: rejected: \w+ \(.*it is gone\)/), 'logged');
is(scalar(grep { $_->{uri} !~ m{^/(?:plain|fallback)$} } $second->requests), 0,
   'nothing else came to the second backend');
is($second->connections, 1, 'which saw one connection');


subtest 'a body that was thrown away' => sub {
    $second->clear;

    for my $f (qw(cl chunked h2 h2-cl)) {

        # all of it has arrived, or not: nginx forgets what it was

        for my $part ({}, { drain => 1, cut => 1000 },
                      $f =~ /cl/ ? { length => 5000, end => 0 } : { end => 0 })
        {
            my $r = $t->request('GET', '/discarded', 'x' x 3000, %$part,
                                framing => $f, stubborn => 1);
            my $name = join ' ', $f, sort keys %$part;

            is($r->status, 500, "$name: refused");
            is($r->json->{reason}, 'internal', "$name: reason");
            ok($r->closed, "$name: closed") if $f !~ /h2/;
        }

        is($t->get('/discarded', framing => $f)->json->{length}, 0,
           "$f: a request without a body is not");
    }

    is(scalar($second->requests), 4, 'nothing else came to the backend');
};


subtest 'a body that was thrown away at once' => sub {
    for my $rest ("Content-Length: 3\r\n\r\nabc",
                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    {
        my $c = $t->h1;

        # with its head

        $c->send("GET /discarded HTTP/1.1\r\nHost: x\r\n$rest");

        my $r = $c->read;

        is($r->status, 500, 'refused');
        is($r->json->{reason}, 'internal', 'reason');
        ok($c->closed, 'closed');
    }
};


subtest 'a body that was not passed on yet' => sub {
    for my $rest ("Content-Length: 3\r\n\r\nabc",
                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    {
        my $c = $t->h1;

        # all of it has arrived when the connection is refused

        $c->send("POST /refused-connection HTTP/1.1\r\nHost: x\r\n$rest");

        my $r = $c->read;

        is($r->status, 200, 'accepted');
        is($r->json->{sha1}, sha1_hex('abc'), 'arrived');
    }
};

$t->done;
