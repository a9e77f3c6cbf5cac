#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What the head alone forbids is named in the order of the documentation:
# the length, the coding, the type, the arguments, the tenant, whether the
# mode is known before authentication or not, and in dry_run.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

my $limits = <<'LIMITS';
        guardrail_max_body 10;
        guardrail_types a/b;
        guardrail_max_arg limit 5;
        guardrail_max_window from to 1d;
        guardrail_tenant $arg_t default=reject;
        proxy_pass http://%%BACKEND%%;
LIMITS

$t->start(http => <<'HTTP', server => <<"SERVER");
    map $arg_mode $mode {
        default on;
        dry dry_run;
    }

    log_format verdict "$uri $guardrail_verdict $guardrail_reason";
    access_log %%DIR%%/verdict.log verdict;
HTTP
    location /constant {
        guardrail on;
$limits
    }

    location /variable {
        guardrail \$mode;
$limits
    }

    location /dry {
        guardrail dry_run;
        client_max_body_size 100;
$limits
    }
SERVER

my $bad = 'limit=6&from=1&to=x';

my @cases = (
    # arguments, body, coding, type, reason, status

    [$bad, 'x' x 11, 'foo', 'x/y', 'max_body', 413],
    [$bad, 'x' x 10, 'foo', 'x/y', 'encoding', 415],
    [$bad, 'x' x 10, undef, 'x/y', 'type', 415],
    [$bad, 'x' x 10, undef, 'a/b', 'max_arg', 400],
    ['from=1&to=x', 'x' x 10, undef, 'a/b', 'max_window', 400],
    ['limit=5', 'x' x 10, undef, 'a/b', 'tenant', 400],
    [$bad, '', 'foo', 'x/y', 'max_arg', 400],
    ['t=me', 'x' x 10, undef, 'a/b', '', 200],
);

my @log;

each_framing {
    my ($f) = @_;

    # the length of a body that has none is judged at its bytes

    my $known = $f eq 'cl' || $f eq 'h2-cl';

    for my $case (@cases) {
        my ($args, $body, $coding, $type, $reason, $status) = @$case;

        next if !$known && ($reason eq 'max_body' || $body eq '');

        my @send = (framing => $f, type => $type,
                    headers => [$coding ? ('Content-Encoding' => $coding)
                                        : ()]);

        for my $uri ('/constant?', '/variable?') {
            my $r = $t->post("$uri$args", $body, @send);

            is($r->status, $status, "$uri $reason: status");
            is($reason ? $r->json->{reason} : '', $reason,
               "$uri $reason: reason");
        }

        for my $uri ('/dry?', '/variable?mode=dry&') {
            is($t->post("$uri$args", $body, @send)->status, 200,
               "$uri $reason: passes");
            push @log, $reason;
        }
    }
};

my @dry = grep { m{^/dry|would_reject} || m{^/variable pass} }
          map { s/\s+\z//r } $t->wait_access_log(1, 'verdict.log');

for my $uri ('/dry', '/variable') {
    my %seen;

    $seen{$_}++ for map { m{^\Q$uri\E would_reject (\w+)} ? $1 : () } @dry;

    is_deeply([sort keys %seen],
              [qw(encoding max_arg max_body max_window tenant type)],
              "$uri in dry_run: all of them");

    is($seen{max_arg}, grep({ $_ eq 'max_arg' } @log) / 2,
       "$uri in dry_run: arguments only where nothing came before");
}

$t->done;
