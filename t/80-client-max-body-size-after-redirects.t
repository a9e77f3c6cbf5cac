#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# In dry_run, and where a variable says off, client_max_body_size holds as in
# plain nginx: when a request is led into a location by its name nothing is
# compared with a length that was declared, and when it is led there by a URI
# the length of a body that was read before is.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $first = $t->backend(name => 'FIRST', respond => sub {
    my ($q) = @_;

    return 200, ['X-Accel-Redirect', $q->{uri} =~ s{^/\w+}{}r], '';
});

# a location without the guard, and the same with it

my $locations = '';

for (['plain', 'off'], ['dry', 'dry_run'], ['variable', '$http_x_mode']) {
    my ($name, $mode) = @$_;

    $locations .= <<"LOCATION";
    location /$name {
        guardrail $mode;
        client_max_body_size 100;
        proxy_pass http://%%BACKEND%%;
    }

    location \@$name {
        guardrail $mode;
        client_max_body_size 100;
        proxy_pass http://%%BACKEND%%;
    }

    location /try/$name {
        try_files /none \@$name;
    }

    location /read/$name {
        test_read rewrite;
        try_files /none \@$name;
    }
LOCATION
}

$t->start(main => load_test_module, server => <<SERVER);
    client_max_body_size 1m;
    guardrail_max_body 1m;
    root %%DIR%%;

    location /accel {
        proxy_pass http://%%FIRST%%;
    }

    location /judged {
        guardrail on;
        proxy_pass http://%%FIRST%%;
    }

    location /rewrite {
        test_read rewrite;
        rewrite ^/rewrite(.*) \$1 last;
    }

$locations
SERVER

each_framing {
    my ($f) = @_;

    for my $from (qw(/accel /judged /rewrite /try /read)) {
        for my $size (100, 101) {
            my @o = ('x' x $size, framing => $f, headers => ['X-Mode', 'off']);
            my $want = $t->post("$from/plain", @o)->status;

            is($want, 413, "$from: plain nginx refuses")
                if $size > 100 && $from !~ /try|read/;

            $backend->clear;

            for my $name (qw(dry variable)) {
                my $r = $t->post("$from/$name", @o);

                is($r->status, $want, "$from: $name, $size bytes");
                is($backend->last->{length}, $size, 'all of them')
                    if $want == 200;
            }

            is($backend->connections, 0, 'no backend') if $want == 413;
        }
    }
};

$t->done;
