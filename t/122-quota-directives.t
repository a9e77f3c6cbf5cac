#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What "nginx -t" says of tenants, zones and quotas: each mistake is a sentence
# that names the directive and the word at fault.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;

$t->file('secret', 'x' x 16 . "\n");
$t->file('short', 'x' x 15 . "\r\n");
$t->file('long', 'x' x 65_537);

my ($accepted, $refused) = split /^-- refused\n/m, join '', <DATA>;

# A line is a directive less "guardrail_", and quotas have a zone z; what is
# said of those that are refused is indented.

sub conf {
    my ($line) = @_;
    my $text = join ' ', map { "guardrail_$_;" } split /; /, $line;

    $text = "guardrail_zone z size=256k; $text" if $line =~ /^quota/;

    return (http => $text);
}

for my $line (split /\n/, $accepted) {
    my ($ok, $text) = $t->nginx_t(conf($line));

    ok($ok && $text !~ /\[/, $line) or diag($text);
}

for (split /\n(?=\S)/, $refused) {
    my ($line, $says) = /^(.*?)\n\s+(.*)/s;
    my ($directive) = $line =~ /^(\w+)/;

    $says =~ s/\s+/ /g;
    $says =~ s/ \z//;
    $says =~ s/%%/$t->dir/eg;

    my ($ok, $text) = $t->nginx_t(conf($line));

    ok(!$ok, "$line: refused");
    like($text, qr/\[emerg\] [^\n]*\Q$says\E/, $says);
    like($text, qr/"guardrail_$directive"/, 'names the directive');
    like($text, qr/ in \S*check\.conf:\d+$|in "guardrail_zone"$/m,
         'and its place');
}

# only where they may stand

for my $name ('secret %%DIR%%/secret', 'zone z size=1m') {
    my ($ok, $text) = $t->nginx_t(server => "guardrail_$name;");

    ok(!$ok, "$name in a server");
    like($text, qr/directive is not allowed here/, 'not allowed');
}

$t->done;

__DATA__
tenant acme
tenant $arg_a:$arg_b
tenant $arg_t pattern=^([a-z0-9]+)-
tenant $arg_t "pattern=^(?<tenant>.{1,8})"
tenant $arg_t default=reject
tenant $arg_t default=nobody secret=on
tenant $http_x_api_key secret=off
secret %%DIR%%/secret
zone z size=256k
zone z size=262144
zone z size=1M
zone z size=1g
zone z size=300k key=$remote_addr
zone a-Z_0.9 size=256k key=all
zone z rates=1 size=256k
zone z size=256k rates=8 full=share
zone z size=256k full=reject state=%%DIR%%/none
zone z size=256k state=none
quota z requests 5/1s
quota z requests 5/s
quota z requests 600/1m
quota z requests 9/2h
quota z requests 9/3650d
quota z records 9223372036854775807/1d
quota z requests off
quota z requests 0
quota z requests 0/1m
quota z bytes 2g/1h
quota z decoded 64K/1m
quota z uploads 8
quota z concurrency 40
quota z memory 4g
quota z memory off
quota z requests $arg_n
quota z requests 1$arg_n/1m
quota z memory ${arg_n}m
quota z concurrency 4 queue=100 timeout=500ms hold=0
quota z memory 4g queue=0 timeout=1m hold=1h
quota z requests 5/1s status=503
quota z uploads 4 status=599
quota z requests 1/1s; quota z requests 1/1m
quota z requests 1/1s; quota z records 1/1s
quota z requests $arg_a; quota z requests $arg_b
quota y requests 5/1s; zone y size=256k
zone y size=256k rates=1; quota y requests 4/1h; quota y memory 1g
zone y size=256k rates=1; quota y requests 0/1h; quota y bytes 1/1h
headers on
headers off
memory_model 1
memory_model 28
memory_model 0.001
memory_model 1.5
-- refused
tenant
    invalid number of arguments in "guardrail_tenant" directive
tenant $arg_t "pattern=^(a"
    invalid pattern "^(a" in "guardrail_tenant" directive: pcre
tenant $arg_t pattern=
    invalid parameter "pattern=" in "guardrail_tenant" directive, it
    must be "pattern=regex", "default=name" or "secret=on|off"
tenant $arg_t default=
    invalid parameter "default=" in "guardrail_tenant" directive, it
    must be
tenant $arg_t secret=yes
    invalid parameter "secret=yes" in "guardrail_tenant" directive, it
    must be
tenant $arg_t acme
    invalid parameter "acme" in "guardrail_tenant" directive, it must
    be
tenant $arg_t pattern=a pattern=b
    "guardrail_tenant" directive has duplicate "pattern"
tenant $arg_t default=a default=b
    "guardrail_tenant" directive has duplicate "default"
tenant a; tenant b
    "guardrail_tenant" directive is duplicate
secret %%DIR%%/none
    the file "%%/none" of "guardrail_secret" cannot be opened (2: No
    such file
secret %%DIR%%
    the file "%%" of "guardrail_secret" cannot be read (21: Is a
    directory
secret %%DIR%%/short
    the file "%%/short" of "guardrail_secret" has 15 bytes, it must
    have 16 to 65536
secret %%DIR%%/long
    the file "%%/long" of "guardrail_secret" has 65537 bytes, it must
    have 16 to 65536
secret %%DIR%%/secret; secret %%DIR%%/secret
    "guardrail_secret" directive is duplicate
zone "" size=1m
    invalid name "" in "guardrail_zone" directive, it may have
    letters, digits, "_", "-" and "."
zone "a b" size=1m
    invalid name "a b" in "guardrail_zone" directive, it may have
zone z$arg_t size=1m
    invalid name "z$arg_t" in "guardrail_zone" directive, it may have
zone z rates=4
    "guardrail_zone" directive must have "size" parameter
zone z size=255k
    zone "z" is too small in "guardrail_zone" directive, "size" must
    be 256k at least
zone z size=
    invalid parameter "size=" in "guardrail_zone" directive
zone z size=x
    invalid parameter "size=x" in "guardrail_zone" directive
zone z size=-1
    invalid parameter "size=-1" in "guardrail_zone" directive
zone z size=1m size=2m
    invalid parameter "size=2m" in "guardrail_zone" directive
zone z size=1m full=maybe
    invalid parameter "full=maybe" in "guardrail_zone" directive
zone z size=1m state=
    invalid parameter "state=" in "guardrail_zone" directive
zone z size=1m key=
    invalid parameter "key=" in "guardrail_zone" directive
zone z size=1m foo=bar
    invalid parameter "foo=bar" in "guardrail_zone" directive
zone z size=1m rates=0
    invalid parameter "rates=0" in "guardrail_zone" directive, "rates"
    must be 1 to 8
zone z size=1m rates=9
    invalid parameter "rates=9" in "guardrail_zone" directive, "rates"
    must be 1 to 8
zone z size=1m rates=x
    invalid parameter "rates=x" in "guardrail_zone" directive, "rates"
    must be 1 to 8
zone z size=1m; zone z size=1m
    duplicate zone "z" in "guardrail_zone" directive
zone y size=1m state=a; zone z size=1m state=%%DIR%%/a
    the file "%%/a" of "state" in "guardrail_zone" directive is that
    of zone "y" too
zone y size=1m rates=1; quota y requests 1/1s; quota y requests 1/1m
    zone "y" has room for 1 rates, and "guardrail_quota" directives
    name 2 of different unit or period, set "rates=2" in
    "guardrail_zone"
quota y requests 5/1s
    unknown zone "y" in "guardrail_quota" directive in
quota z request 5/1s
    invalid unit "request" in "guardrail_quota" directive, it must be
    "requests", "records", "bytes", "decoded", "uploads",
    "concurrency" or "memory"
quota z requests ""
    LIMIT "" in "guardrail_quota" directive is empty
quota z requests x
    LIMIT "x" in "guardrail_quota" directive must begin with a number,
    or be "off"
quota z requests -1/1s
    LIMIT "-1/1s" in "guardrail_quota" directive must begin with a
    number, or be "off"
quota z requests 5
    LIMIT "5" in "guardrail_quota" directive must have a period, as in
    "600/1m"
quota z requests 5/
    LIMIT "5/" in "guardrail_quota" directive must have a period in s,
    m, h or d, as in "600/1m"
quota z requests 5/1w
    LIMIT "5/1w" in "guardrail_quota" directive must have a period in
    s, m, h or d
quota z requests 5/0s
    LIMIT "5/0s" in "guardrail_quota" directive must have a period of
    at least one second
quota z requests 5/3651d
    LIMIT "5/3651d" in "guardrail_quota" directive must have a period
    of at most 3650d
quota z requests 5k/1m
    LIMIT "5k/1m" in "guardrail_quota" directive must be a whole
    number without a suffix
quota z requests 9223372036854775808/1s
    LIMIT "9223372036854775808/1s" in "guardrail_quota" directive is
    too large
quota z bytes 1.5m/1m
    LIMIT "1.5m/1m" in "guardrail_quota" directive must be a size, a
    whole number in bytes or with k, m or g
quota z concurrency 5/1s
    LIMIT "5/1s" in "guardrail_quota" directive must not have a period
quota z memory 1q
    LIMIT "1q" in "guardrail_quota" directive must be a size
quota z concurrency 5 queue=x
    invalid parameter "queue=x" in "guardrail_quota" directive
quota z concurrency 5 timeout=0
    invalid parameter "timeout=0" in "guardrail_quota" directive
quota z concurrency 5 hold=x
    invalid parameter "hold=x" in "guardrail_quota" directive
quota z concurrency 5 hold=3601s
    invalid parameter "hold=3601s" in "guardrail_quota" directive,
    "hold" must be at most 3600s
quota z requests 5/1s queue=3
    parameter "queue=3" in "guardrail_quota" directive is only for
    "concurrency" and "memory", not for "requests"
quota z bytes 5/1s timeout=3s
    parameter "timeout=3s" in "guardrail_quota" directive is only for
    "concurrency" and "memory", not for "bytes"
quota z uploads 5 hold=1s
    parameter "hold=1s" in "guardrail_quota" directive is only for
    "concurrency" and "memory", not for "uploads"
quota z requests 5/1s status=399
    invalid parameter "status=399" in "guardrail_quota" directive,
    "status" must be 400 to 599, and not 408, 444 or 499
quota z requests 5/1s status=408
    invalid parameter "status=408" in "guardrail_quota" directive,
    "status" must be 400 to 599
quota z requests 5/1s foo
    invalid parameter "foo" in "guardrail_quota" directive
quota z requests 4/1h; quota z requests 9/60m
    "guardrail_quota" limits requests of zone "z" in the same period
    twice in one location
quota z memory 4g; quota z memory 9g
    "guardrail_quota" limits memory of zone "z" twice in one location
headers maybe
    invalid value "maybe" in "guardrail_headers" directive, it must be
    "on" or "off"
memory_model 0
    invalid factor "0" in "guardrail_memory_model" directive, it must
    be a number with at most three decimals, as "28" or "1.5"
memory_model 1.2345
    invalid factor "1.2345" in "guardrail_memory_model" directive, it
    must be a number
