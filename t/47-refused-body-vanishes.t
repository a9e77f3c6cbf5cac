#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A refused request has no body any more.  nginx would let error_page forward
# the body that was refused, or its length without its bytes: the next request
# on that connection to the backend became the body.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $pages = $t->backend(name => 'PAGES', keepalive => 1);
my %cgi = map { $_ => $t->peer($_) } qw(fastcgi uwsgi scgi);

my $limits = <<'LIMITS';
        location ~ /declared$ {
            guardrail_max_body 1000;
            proxy_pass http://%%BACKEND%%;
        }

        location ~ /variable$ {
            guardrail_max_body $arg_max;
            proxy_pass http://%%BACKEND%%;
        }

        location ~ /records$ {
            guardrail_max_records 1000;
            proxy_pass http://%%BACKEND%%;
        }

        location ~ /file$ {
            guardrail_max_records 1000;
            client_body_in_file_only clean;
            proxy_pass http://%%BACKEND%%;
        }

        location ~ /persistent$ {
            guardrail_max_records 1000;
            client_body_in_file_only on;
            proxy_pass http://%%BACKEND%%;
        }

        location ~ /unbuffered$ {
            guardrail_max_records 1000;
            guardrail_buffering off;
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://%%BACKEND%%;
        }

        location ~ /late$ {
            guardrail_max_records 1000;
            test_read rewrite;
            proxy_pass http://%%BACKEND%%;
        }
LIMITS

$t->start(main => load_test_module, http => <<'HTTP', server => <<SERVER);
    upstream pages {
        server %%PAGES%%;
        keepalive 1;
    }

    # nginx remembers what variables were before the refusal

    map "$content_length$http_content_length$request_body$request_body_file"
        $before {
        default 1;
    }
HTTP
    guardrail on;
    guardrail_max_body 10m;
    client_body_buffer_size 8k;

    if (\$before = 0) {
        return 404;
    }

    location /named {
        error_page 413 = \@proxied;

$limits
    }

    location /uri {
        error_page 413 = /proxied;

$limits
    }

    location /variables {
        error_page 413 = /proxied/\$guardrail_reason/\$guardrail_limit;

$limits
    }

    location /unbuffered-page {
        error_page 413 = /unguarded;

$limits
    }

    location /recursive {
        recursive_error_pages on;
        error_page 413 = /recursive-2;

$limits
    }

    location /recursive-2 {
        recursive_error_pages on;
        error_page 418 = \@proxied;
        return 418;
    }

    location /fastcgi {
        error_page 413 = \@fastcgi;

$limits
    }

    location /uwsgi {
        error_page 413 = \@uwsgi;

$limits
    }

    location /scgi {
        error_page 413 = \@scgi;

$limits
    }

    location /echo {
        error_page 413 = \@echo;

$limits
    }

    location \@proxied {
        proxy_set_header Connection "";
        proxy_set_header X-Length "[\$content_length]";
        proxy_set_header X-Verdict \$guardrail_verdict;
        proxy_set_header X-Reason \$guardrail_reason;
        proxy_set_header X-Observed \$guardrail_observed;
        proxy_http_version 1.1;
        proxy_pass http://pages;
    }

    location /proxied {
        guardrail_max_body 1;
        proxy_set_header Connection "";
        proxy_set_header X-Length "[\$content_length]";
        proxy_set_header X-Verdict \$guardrail_verdict;
        proxy_set_header X-Reason \$guardrail_reason;
        proxy_set_header X-Observed \$guardrail_observed;
        proxy_http_version 1.1;
        proxy_pass http://pages;
    }

    location /unguarded {
        guardrail off;
        proxy_set_header Connection "";
        proxy_set_header X-Length "[\$content_length]";
        proxy_set_header X-Verdict \$guardrail_verdict;
        proxy_set_header X-Reason \$guardrail_reason;
        proxy_set_header X-Observed \$guardrail_observed;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_pass http://pages;
    }

    location \@fastcgi {
        fastcgi_pass %%FASTCGI%%;
        include /etc/nginx/fastcgi_params;
    }

    location \@uwsgi {
        uwsgi_pass %%UWSGI%%;
        include /etc/nginx/uwsgi_params;
    }

    location \@scgi {
        scgi_pass %%SCGI%%;
        include /etc/nginx/scgi_params;
    }

    location \@echo {
        add_header X-Body "[\$request_body]" always;
        add_header X-File "[\$request_body_file]" always;
        add_header X-Length "[\$content_length]" always;
        return 200 "\$guardrail_reason";
    }

    location /plain {
        proxy_set_header Connection "";
        proxy_http_version 1.1;
        proxy_pass http://pages;
    }
SERVER

my $rows = ndjson(1001, size => 100);
my %nd = (type => 'application/x-ndjson');
my @how = qw(declared variable records file persistent unbuffered late);
my %reason = map { $_ => /declared|variable/ ? 'max_body' : 'max_records' }
             @how;

each_framing {
    my ($f) = @_;

    for my $how (@how) {
        for my $page (qw(named uri variables unbuffered-page recursive)) {
            my $uri = "/$page/$how";

            # the first is refused, the second uses the same connection to
            # the backend of the page

            my $r = $t->post("$uri?max=1000", $rows, framing => $f, %nd);

            is($r->status, 200, "$uri: answered by the page");

            my $h = $r->json->{headers} || {};

            is($r->json->{length}, 0, "$uri: without a body");
            is($h->{'content-length'} // 0, 0, "$uri: without its length");
            is($h->{'transfer-encoding'}, undef, "$uri: without its coding");
            is($h->{'x-length'}, '[0]', "$uri: the variable");
            is($h->{'x-verdict'}, 'reject', "$uri: verdict");
            is($h->{'x-reason'}, $reason{$how}, "$uri: reason");

            like($r->json->{uri}, qr{^/proxied/$reason{$how}/1000$},
                 "$uri: variables in error_page") if $page eq 'variables';
            is($r->header('Connection'), 'close', "$uri: Connection")
                if $f !~ /h2/ && $how ne 'late';

            my $next = $t->post('/plain', 'next', framing => $f);

            is($next->json->{uri}, '/plain', "$uri: the next request");
            is($next->json->{length}, 4, "$uri: is a request");
        }

        for my $name (qw(fastcgi uwsgi scgi)) {
            my $r = $t->post("/$name/$how?max=1000", $rows, framing => $f,
                             %nd);
            my $q = $cgi{$name}->last;

            is($r->status, 200, "$name, $how: answered by the page");
            is($q->{length}, 0, "$name, $how: without a body");
            is($q->{params}{CONTENT_LENGTH} || 0, 0,
               "$name, $how: without its length");
            is($q->{headers}{'content-length'} || 0, 0,
               "$name, $how: without the field");
            ok($q->{complete}, "$name, $how: complete");
        }

        my $r = $t->post("/echo/$how?max=1000", $rows, framing => $f, %nd);

        is($r->body, $reason{$how}, "echo, $how: reason");
        is($r->header("X-$_"), '[]', "echo, $how: \$$_") for qw(Body File);
        is($r->header('X-Length'), '[0]', "echo, $how: length");
    }
};

is($pages->connections, 1, 'all pages came over one connection');
is(scalar(grep { $_->{length} && $_->{uri} !~ /plain/ } $pages->requests), 0,
   'none of them with a body');

# client_body_in_file_only leaves its files to the operator, but not these

is(join(' ', glob $t->dir . '/client_body_temp/*'), '',
   'no file of a refused body is left');
is($t->post('/named/persistent', '{}')->status, 200, 'accepted');
is(scalar(() = glob $t->dir . '/client_body_temp/*'), 1,
   'one that was accepted is');

$t->done;
