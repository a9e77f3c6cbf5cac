#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The guard takes client_max_body_size over where it is configured; in dry_run,
# and when a variable says off, that limit still holds, with nginx's own page,
# as plain nginx would have it.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;

$t->file('too-large.html', "too large\n");

$t->start(http => <<'HTTP', server => <<'SERVER');
    log_format v '$http_x_id $status $guardrail_verdict $guardrail_reason '
                 '$guardrail_limit $guardrail_observed';
    access_log %%DIR%%/v.log v;

    proxy_http_version 1.1;
    client_max_body_size 100;
    client_body_buffer_size 1k;
HTTP
    root %%DIR%%;
    add_header X-Verdict $guardrail_verdict always;

    location /plain/ {
        proxy_pass http://%%BACKEND%%;
    }

    location /dry/ {
        guardrail dry_run;
        proxy_pass http://%%BACKEND%%;

        location /dry/smaller {
            guardrail_max_body 50;
            proxy_pass http://%%BACKEND%%;
        }

        location /dry/larger {
            guardrail_max_body 1m;
            proxy_pass http://%%BACKEND%%;
        }

        location /dry/coded {
            guardrail_max_body 0;
            guardrail_max_decoded 0;
            proxy_pass http://%%BACKEND%%;
        }

        location /dry/stream {
            proxy_pass http://%%BACKEND%%;
            proxy_request_buffering off;
        }

        location /dry/page {
            error_page 413 /too-large.html;
            proxy_pass http://%%BACKEND%%;
        }

        location /dry/named {
            error_page 413 = @named;
            proxy_pass http://%%BACKEND%%;
        }

        location /dry/unlimited {
            client_max_body_size 0;
            guardrail_max_body 50;
            proxy_pass http://%%BACKEND%%;
        }
    }

    location @named {
        proxy_pass http://%%BACKEND%%;
    }

    location /variable/ {
        guardrail $http_x_mode;
        guardrail_max_body 1m;
        proxy_pass http://%%BACKEND%%;

        location /variable/stream {
            proxy_pass http://%%BACKEND%%;
            proxy_request_buffering off;
        }
    }

    location /on/ {
        guardrail on;
        proxy_pass http://%%BACKEND%%;

        location /on/larger {
            guardrail_max_body 200;
            proxy_pass http://%%BACKEND%%;
        }

        location /on/smaller {
            guardrail_max_body 50;
            proxy_pass http://%%BACKEND%%;
        }

        location /on/unlimited {
            client_max_body_size 0;
            proxy_pass http://%%BACKEND%%;
        }
    }
SERVER

my $id = 0;

# the body of nginx's own page, without what it says of a body's size

my $plain = $t->post('/plain/', 'x' x 101);

is($plain->status, 413, 'plain nginx refuses');

each_framing {
    my ($f) = @_;
    my $declared = $f =~ /cl/;
    my $seen = $declared ? 300 : '\d+';

    for my $uri (qw(/dry/ /dry/larger /dry/coded /dry/stream)) {
        is(asks($f, $uri, 'x' x 100), '200 pass - - -', "$uri: at the limit");
        is($backend->last->{length}, 100, "$uri: arrives");
        refused($f, $uri, $seen, 'x' x 300);
    }

    # a body that decodes to more than it is: the wire bytes count

    is(asks($f, '/dry/coded', gzip('x' x 999), encoding => 'gzip'),
       '200 pass - - -', 'a coded one passes');
    refused($f, '/dry/coded', $seen, pad(gzip('x'), 300), encoding => 'gzip');

    subtest 'an excess first, then client_max_body_size' => sub {
        is(asks($f, '/dry/smaller', 'x' x 51),
           '200 would_reject max_body 50 51', 'the guard alone');
        refused($f, '/dry/smaller', $seen, 'x' x 300);
        is(asks($f, '/dry/unlimited', 'x' x 300),
           '200 would_reject max_body 50 ' . ($declared ? 300 : 51),
           'without client_max_body_size');
    };

    for my $mode ('off', 'dry_run') {
        for my $uri ('/variable/', '/variable/stream') {
            my @mode = (headers => ['X-Mode', $mode]);
            my $verdict = $mode eq 'off' ? 'off' : 'pass';

            is(asks($f, $uri, 'x' x 100, @mode), "200 $verdict - - -",
               "$uri, $mode: at the limit");
            refused($f, $uri, $seen, 'x' x 300, @mode);
        }
    }

    subtest 'on takes it over' => sub {
        is(asks($f, '/on/', 'x' x 100), '200 pass - - -', 'at the limit');
        like(asks($f, '/on/', 'x' x 300),
             qr/^413 reject max_body 100 (?:300|101)$/, 'as a limit of ours');
        is(asks($f, '/on/larger', 'x' x 200), '200 pass - - -',
           'replaced by a larger one');
        like(asks($f, '/on/larger', 'x' x 300), qr/max_body 200/,
             'which holds');
        like(asks($f, '/on/smaller', 'x' x 51), qr/max_body 50 51/,
             'replaced by a smaller one');
        is(asks($f, '/on/unlimited', 'x' x 3000), '200 pass - - -',
           'no limit stays no limit');
        is(asks($f, '/variable/', 'x' x 300), '200 pass - - -',
           'a mode that is a variable, on');
    };

    subtest 'error_page' => sub {
        my $r = $t->post('/dry/page', 'x' x 300, framing => $f);

        is($r->status, 413, 'status');
        is($r->body, "too large\n", 'page');

        $backend->clear;
        $r = $t->post('/dry/named', 'x' x 300, framing => $f);
        is($r->status, 200, 'a named location');
        is($backend->last->{length}, 0, 'gets no body');
    };
};

is(0 + $t->log_lines(qr/guardrail: rejected: .*(?:dry|variable)/), 0,
   'none of these is a refusal of the guard');

$t->done;


# the access log's line

sub asks {
    my ($framing, $uri, $body, %opt) = @_;
    my @headers = ('X-Id', ++$id, @{delete $opt{headers} || []});

    $backend->clear;
    $t->post($uri, $body, framing => $framing, headers => \@headers, %opt);

    return wait_until {
        my ($line) = grep { s/^$id // } $t->access_log('v.log');

        return $line;
    };
}


# as plain nginx refuses

sub refused {
    my ($framing, $uri, $seen, $body, %opt) = @_;
    my @mode = @{delete $opt{headers} || []};
    my $name = join ' ', $uri, @mode;

    subtest "$name: refused" => sub {
        my $own = $t->post('/plain/', $body, framing => $framing, %opt);

        $backend->clear;

        my $r = $t->post($uri, $body, framing => $framing, %opt,
                         headers => ['X-Id', ++$id, @mode]);

        is($r->status, 413, 'status');
        is($r->body, $plain->body, "nginx's own page");
        is(headers($r) =~ s/reject/off/r, headers($own), 'and its headers');
        is(!!$r->closed, !!$own->closed, 'connection') if $framing !~ /h2/;
        undef $r;

        my $line = wait_until {
            my ($found) = grep { s/^$id // } $t->access_log('v.log');

            return $found;
        };

        like($line, qr/^413 reject max_body 100 $seen\z/, 'access log');

        my ($last) = reverse $t->log_lines(qr/too large (?:chunked )?body/);

        like($last, qr/\[error\].* client intended to send too large/,
             'error log');
        is($backend->connections, 0, 'no backend') if $framing =~ /cl/;
    };
}


# names and values, but for the date

sub headers {
    my ($r) = @_;

    return join "\n", grep { !/^date/i } map { "$_->[0]: $_->[1]" }
                      @{$r->{headers}};
}


# gzip data followed by what is of no interest in dry_run

sub pad {
    my ($data, $size) = @_;

    return $data . 'x' x ($size - length $data);
}
