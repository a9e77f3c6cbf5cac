#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What "nginx -t" says of tenants, zones and quotas: what is accepted, and
# that each mistake is a sentence that names the directive and the word at
# fault.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my @units = qw(requests records bytes decoded uploads concurrency memory);
my @levels = qw(uploads concurrency memory);

$t->file('secret', 'x' x 16);
$t->file('short', 'x' x 15);
$t->file('line', 'x' x 15 . "\n");
$t->file('dos', 'x' x 15 . "\r\n");
$t->file('empty', '');
$t->file('long', 'x' x 65536 . "\n");
$t->file('too_long', 'x' x 65537);


subtest 'accepted' => sub {
    accepts('', 'quota z requests 1/s', 'quota z requests 5/1m',
            'quota z records 10000000/1d', 'quota z bytes 2g/1h',
            'quota z uploads 20', 'quota y concurrency 40 queue=9 timeout=2s'
            . ' hold=20s', 'quota y memory 4G queue=0 hold=0 status=529');
    accepts('', 'quota z requests off', 'quota z requests 0/1h',
            'quota z bytes off', 'quota z memory 0',
            'quota y requests $arg_n status=400', 'quota y requests $arg_m');
    accepts('', 'tenant ""', 'quota z decoded 10K/10s');
    accepts('', 'tenant $arg_n pattern=^(?<tenant>[a-z]+)- default=none'
            . ' secret=on', 'quota z requests 9223372036854775807/3650d');
    accepts('zone later size=1m', 'quota later requests 1/1s');
    accepts('zone large size=1g');
    accepts('zone Az09_-.x size=256k key=$remote_addr$uri rates=8 full=share',
            'quota Az09_-.x requests 1/1s');
    accepts("secret $_") for qw(%%DIR%%/secret %%DIR%%/long secret);

    # the zone of a quota may be defined after it, in a file of its own

    my ($ok, $out) = $t->nginx_t(http => <<'HTTP', server => '');
        guardrail_quota late requests 1/1s;
        guardrail_zone late size=256k;
HTTP

    ok($ok, 'a zone that is defined after its use') or diag($out);

    # room for four rates: off takes none, the same counter takes one

    accepts('', 'quota z requests 4/1h', 'quota z bytes 1/1h',
            'quota z requests 4/1m', 'quota z records 1/2s',
            'quota z decoded off', 'quota z decoded $arg_n');
};


subtest 'LIMIT' => sub {
    for my $limit (q(""), qw(abc -1/1m 1.5/1m 10 10/ 10/1 10/m1 10/1M 10/1w
                            10/1ms 10/0s 10/3651d 10/1m1 99999999999999999999/1s
                            10k/1m OFF 1/1s/1s), '"10 /1m"', '10/1h30m')
    {
        my $word = $limit =~ s/"//gr;

        refuses("quota z requests $limit", qr/LIMIT "\Q$word\E" in /,
                qr/"guardrail_quota" directive /);
    }

    for my $limit (qw(10kk/1h 10x/1h 10t/1h 9223372036854775808/1h
                      8589934592g/1h k/1h))
    {
        refuses("quota z bytes $limit", qr/LIMIT "\Q$limit\E" in /);
    }

    refuses("quota z $_ 10/1m", qr/LIMIT "10\/1m" .* must not have a period/)
        for @levels;
    refuses("quota z $_ 10", qr/LIMIT "10" .* must have a period/)
        for qw(requests records bytes decoded);
    refuses("quota z $_ 1m", qr/LIMIT "1m" .* whole number/)
        for qw(concurrency uploads);
    refuses('quota z requests 1/$nope', qr/unknown "nope" variable/);
};


subtest 'units' => sub {
    refuses("quota z $_ 10/1m", qr/unit "\Q${\ s|"||gr}\E"/,
            qr/"guardrail_quota"/, map { qr/"$_"/ } @units)
        for qw(request Requests upload rps), '""', '$arg_n';
};


subtest 'parameters of a quota' => sub {
    for my $unit (qw(requests records bytes decoded)) {
        refuses("quota z $unit 10/1m $_", qr/"\Q$_\E"/, qr/"$unit"/,
                qr/only for "concurrency" and "memory"/)
            for qw(queue=1 timeout=1s hold=1s queue=0);
    }

    refuses("quota z uploads 10 $_", qr/"\Q$_\E"/, qr/not for "uploads"/)
        for qw(queue=1 timeout=1s hold=1s);

    my @wrong = qw(queue= queue=-1 queue=1k queue=x timeout= timeout=0
                   timeout=1x timeout=-1 hold= hold=x hold=3601s hold=2h
                   status= status=0 status=200 status=302 status=399
                   status=600 status=408 status=444 status=499 status=494
                   status=495 status=496 status=497 status=498 status=x
                   Queue=1 wait=1 10);

    for my $word (@wrong) {
        refuses("quota z concurrency 10 $word", qr/parameter "\Q$word\E"/,
                qr/"guardrail_quota"/);
    }

    refuses("quota z memory 1g $_ $_", qr/duplicate .*"\Q$_\E"/,
            qr/"guardrail_quota"/)
        for qw(queue=1 timeout=1s hold=1s status=503);
};


subtest 'twice in one location' => sub {
    my @same = ('requests 4/1h', 'requests 9/60m');

    refuses("quota z $same[0]", "quota z $_", qr/"guardrail_quota"/,
            qr/zone "z"/, qr/requests/, qr/twice/)
        for @same, 'requests 4/3600s';
    refuses("quota z $_ 10", "quota z $_ 20", qr/"guardrail_quota"/,
            qr/zone "z"/, qr/$_/, qr/twice/) for @levels;

    for my $level (qw(http server location)) {
        my $text = "guardrail_quota z requests 1/1m;"
                   . "guardrail_quota y requests 1/1m;"
                   . "guardrail_quota z requests 1/60s;";
        my ($ok, $out) = $t->nginx_t(conf($level => $text));

        ok(!$ok, "in $level");
        like($out, qr/\[emerg\].*"guardrail_quota".*zone "z"/,
             "in $level: says so");
    }

    # a level of its own is no second time

    my ($ok, $out) = $t->nginx_t(conf(
        http => 'guardrail_quota z requests 1/1m;',
        location => 'guardrail_quota z requests 2/1m;'));

    ok($ok, 'at two levels') or diag($out);
};


subtest 'unknown zones' => sub {
    refuses('quota nope requests 10/1m', qr/unknown zone "nope"/,
            qr/"guardrail_quota"/);
    refuses('quota Z requests 10/1m', qr/unknown zone "Z"/);
    refuses('quota "" requests 10/1m', qr/zone ""/, qr/"guardrail_quota"/);
    refuses('quota $arg_n requests 10/1m', qr/zone "\$arg_n"/);
};


subtest 'zones' => sub {
    zone_refused('x', qr/"guardrail_zone" directive/, qr/number of arguments/);
    zone_refused('x rates=4', qr/"guardrail_zone" .* "size"/);
    zone_refused("x size=$_", qr/"guardrail_zone"/, qr/"(?:size=$_|x)"/)
        for qw(0 1 255k 262143 -1 1x abc 99999999999999999999);
    zone_refused("x size=255k", qr/256k/, qr/"x"/, qr/"size=255k"/);
    zone_refused("x size=1m $_", qr/"guardrail_zone"/, qr/"\Q$_\E"/)
        for qw(rates=0 rates=9 rates=-1 rates= rates=x rates=1k key= full=
               full=yes full=Share state= size=1m Size=1m fleet=maybe nope);
    zone_refused('x size=1m key=$nope', qr/unknown "nope" variable/);
    zone_refused("x size=1m $_ $_", qr/"guardrail_zone"/, qr/"\Q$_\E"/)
        for qw(rates=2 key=a state=a full=share full=reject);
    zone_refused('x size=1m full=share full=reject', qr/"full=reject"/);

    zone_refused("'$_' size=1m", qr/"guardrail_zone"/, qr/name "\Q$_\E" in/)
        for '', 'a b', 'a,b', 'a;b', '"', 'a/b', '$arg_n', "a\xc3\xa4",
            'x' x 65;
    zone_refused('z size=1m', qr/duplicate zone "z"/, qr/"guardrail_zone"/);

    # one file for both would be written by both

    zone_refused('x size=1m state=a; guardrail_zone w size=1m state=a',
                 qr/[\/]a" of "state" in "guardrail_zone"/, qr/zone "x" too/);

    my ($ok, $out) = $t->nginx_t(conf(http => <<'HTTP'));
        limit_req_zone $uri zone=x:1m rate=1r/s;
        guardrail_zone x size=1m;
HTTP

    ok(!$ok, 'the zone of another module');
    like($out, qr/\[emerg\].* zone "x"/, 'says so');
};


subtest 'more rates than a zone has room for' => sub {
    my @many = map { "quota z requests 1/${_}m" } 1 .. 5;

    refuses(@many, qr/zone "z" has room for 4 rates/, qr/"guardrail_quota"/,
            qr/"rates=5"/);

    # a zone cannot have so many, so it is not told to

    refuses((map { "quota z requests 1/${_}m" } 1 .. 9),
            qr/zone "z" has room for 4 rates.* name 9 .*none has more than 8/,
            qr/"guardrail_quota".*"guardrail_zone"/);

    my ($ok, $out) = $t->nginx_t(conf(
        http => 'guardrail_zone one size=1m rates=1;'
                . 'guardrail_quota one requests 1/1m;',
        location => 'guardrail_quota one bytes 1/1m;'));

    ok(!$ok, 'in two locations');
    like($out, qr/zone "one" has room for 1 rates/, 'says so');
};


subtest 'tenants' => sub {
    refuses("tenant \$arg_n $_", qr/"\Q${\ s|'||gr}\E"/, qr/"guardrail_tenant"/)
        for qw(secret= secret=yes secret=ON default= pattern= nope Default=a
               $arg_n);
    refuses("tenant \$arg_n pattern=$_", qr/"\Q$_\E"/, qr/"guardrail_tenant"/,
            qr/^(?!.*LIMIT_MATCH)/)
        for '((', '[', '(?<tenant>', '*';
    refuses("tenant \$arg_n $_ $_", qr/duplicate/, qr/"guardrail_tenant"/)
        for qw(default=a pattern=a secret=on secret=off);
    refuses('tenant $nope', qr/unknown "nope" variable/);
    refuses('tenant a', 'tenant b', qr/"guardrail_tenant" .* duplicate/);
};


subtest 'the secret' => sub {
    for my $name (qw(short line dos empty too_long)) {
        my ($ok, $out) = $t->nginx_t(conf(
            http => "guardrail_secret %%DIR%%/$name;"));

        ok(!$ok, "$name: fails");
        like($out, qr/\[emerg\] .*\/$name" of "guardrail_secret" .*\b16\b/,
             "$name: says why");
    }

    my ($ok, $out) = $t->nginx_t(conf(http => <<'HTTP'));
        guardrail_secret %%DIR%%/secret;
        guardrail_secret %%DIR%%/secret;
HTTP

    like($out, qr/"guardrail_secret" directive is duplicate/, 'twice');
};

$t->done;


# a configuration, with texts for its levels; zones z and y are there

sub conf {
    my %at = (http => '', server => '', location => '', @_);

    return <<CONF;
%%GLOBALS%%
events {
}

http {
    %%HTTP%%
    guardrail_zone z size=1m;
    guardrail_zone y size=256k;
    $at{http}

    server {
        listen 127.0.0.1:%%PORT%%;
        $at{server}

        location / {
            $at{location}
        }
    }
}
CONF
}


# what there is in http, then what is tried at each level

sub accepts {
    my ($http, @lines) = @_;

    $http = "guardrail_$http;" if $http;

    for my $level (@lines ? qw(http server location) : 'http') {
        my $text = join ' ', map { "guardrail_$_;" } @lines;
        my %at = (http => $http);

        $at{$level} .= $text;

        my ($ok, $out) = $t->nginx_t(conf(%at));

        ok($ok, "$level: $http $text") or diag($out);
        unlike($out, qr/\[warn\]/, "$level: no warning");
    }
}


# lines of a location, then what is to be said of them

sub refuses {
    my @re = grep { ref } @_;
    my @lines = grep { !ref } @_;
    my $text = join ' ', map { "guardrail_$_;" } @lines;
    my ($ok, $out) = $t->nginx_t(conf(location => $text));

    is_sentence($ok, $out, $text, @re);
}


sub zone_refused {
    my ($zone, @re) = @_;
    my $text = "guardrail_zone $zone;";
    my ($ok, $out) = $t->nginx_t(conf(http => $text));

    is_sentence($ok, $out, $text, @re);
}


sub is_sentence {
    my ($ok, $out, $text, @re) = @_;
    my ($line) = grep { /\[emerg\]/ } split /^/, $out;

    ok(!$ok, "$text fails");
    like($line // $out, $_, "$text: says why") for @re;
}
