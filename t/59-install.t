#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# make install: the module goes where nginx looks for it, below DESTDIR, and
# the line that is printed loads it.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;

$t->skip_all('the module is linked in') if $t->{module} eq 'none';

my $module = $t->{module};
my $dest = $t->dir . '/dest';
my ($path) = $t->build_options =~ /--modules-path='?([^\s']+)/;
my ($prefix) = $t->build_options =~ /--prefix='?([^\s']+)/;

$path //= ($prefix // '/usr/local/nginx') . '/modules';

# what is built is not built again

sub make {
    my ($target) = @_;

    return scalar qx{make -s -C "${\ root}" -o all $target DESTDIR="$dest" \\
                     MODULE="$module" TEST_NGINX="$t->{nginx}" 2>&1};
}

my $out = make('install');
my $file = "$dest$path/ngx_http_guardrail_module.so";

is($?, 0, 'installed') or diag($out);
ok(-f $file, 'where nginx looks for it');
is((stat $file)[2] & 07777, 0644, 'its mode');
is(read_file($file), read_file($module), 'it is the module');

my ($line) = $out =~ /^\s*(load_module .*;)$/m;

is($line, "load_module $path/ngx_http_guardrail_module.so;", 'the line');

# as if DESTDIR were the root

$line =~ s/load_module /load_module $dest/;
$t->{module} = 'none';

my ($ok, $text) = $t->nginx_t(main => $line, server => 'guardrail on;');

ok($ok, 'nginx loads it') or diag($text);

make('uninstall');
ok(!-e $file, 'uninstalled');

$t->done;
