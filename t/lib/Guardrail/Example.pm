package Guardrail::Example;

# Copyright (C) nginx-guardrail authors

# The files of conf-examples/ as they stand, under the harness: only what
# names this machine is replaced, and each replacement must find its text.

use strict;
use warnings;

use Exporter qw(import);

use Guardrail::Util qw(read_file root);

our @EXPORT = qw(example);


# The text of an example for start().  More replacements, each of a directive
# by a text: example('x.conf', 'client_max_body_size' => 'client_...;').

sub example {
    my ($name, @more) = @_;
    my $text = read_file(root . "/conf-examples/$name");

    die "no conf-examples/$name\n" if $text eq '';

    # what %%GLOBALS%% and %%HTTP%% say; logs keep their formats

    $text =~ s{^load_module modules/ngx_http_guardrail_module\.so;\n}{}m
        or die "$name: no load_module\n";

    _replace($name, \$text, 'user www-data', '');
    _replace($name, \$text, 'worker_processes auto', '');

    $text =~ s{^error_log /var/log/nginx/error\.log( warn)?;\n}{}m
        or die "$name: no error_log\n";
    $text =~ s{^(\s+access_log )/var/log/nginx/}{$1%%DIR%%/example-}m
        or die "$name: no access_log\n";
    $text =~ s{^http \{\n}{http \{\n    %%HTTP%%\n}m
        or die "$name: no http block\n";

    _replace($name, \$text, 'listen 80',
             'listen 127.0.0.1:%%PORT%%; listen 127.0.0.1:%%H2PORT%% http2;');
    _replace($name, \$text, 'server 127.0.0.1:8000', 'server %%BACKEND%%;');

    while (my ($directive, $by) = splice @more, 0, 2) {
        _replace($name, \$text, $directive, $by);
    }

    return "%%GLOBALS%%\n$text";
}


sub _replace {
    my ($name, $text, $directive, $by) = @_;

    $$text =~ s{^(\s*)\Q$directive\E;}{$1$by}m
        or die "$name: no \"$directive;\"\n";
}


1;
