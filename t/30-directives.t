#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What "nginx -t" says: which values are accepted, and that each mistake is a
# sentence that names the directive and the word at fault.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;

my @sizes = qw(0 off 1 4096 10k 10K 8m 8M 2g 2G 9223372036854775807
               8589934591g $arg_n ${arg_n}m);
my @numbers = qw(0 off 1 1000 9223372036854775807 $arg_n 1${arg_n});

my %accepted = (
    guardrail                 => [qw(on off dry_run $arg_n), '"on"'],
    guardrail_buffering       => [qw(on off)],
    guardrail_max_body        => \@sizes,
    guardrail_max_decoded     => [grep { !/^(?:0|off)$/ } @sizes],
    guardrail_max_ratio       => ['1', '1031', '0', 'off', '$arg_n',
                                  '200 floor=0', '200 floor=1m',
                                  '200 floor=$arg_n', '$arg_n floor=4m'],
    guardrail_encodings       => ['gzip', 'deflate', 'gzip deflate', 'br',
                                  'zstd', 'zstd br deflate gzip',
                                  'deflate gzip', 'none'],
    guardrail_decode          => [qw(on off)],
    guardrail_format          => [qw(auto none ndjson json_seq json csv)],
    guardrail_max_records     => \@numbers,
    guardrail_max_record_size => \@sizes,
    guardrail_error_format    => [qw(problem nginx)],
    guardrail_log_level       => [qw(info notice warn error)],
    guardrail_label           => ['uploads', '"the uploads"'],
    guardrail_tenant          => ['$arg_n', 'constant',
                                  '$arg_n default=reject',
                                  '$arg_n secret=off default=n pattern=^.'],
    guardrail_quota           => ['zone requests 10/1m', 'zone bytes $arg_n'],
    guardrail_headers         => [qw(on off)],
    guardrail_memory_model    => ['1', '28', '1.5', 'cpython',
                                  'cpython per=body', 'cpython per=record'],
    guardrail_json            => ['off', 'strict=off', 'string=0 number=off',
                                  'depth=9 strict=on'],
    guardrail_max_memory      => \@sizes,
    guardrail_min_rate        => ['off', '500', '500 grace=20s'],
    guardrail_body_timeout    => [qw(0 off 30s 500ms)],
    guardrail_types           => ['text/plain', 'a/b ~^text/'],
    guardrail_max_arg         => ['limit 10', 'n 1 required'],
    guardrail_max_window      => ['from to 1h'],
);

my %only_http = (
    guardrail_decoder_memory => [qw(0 1m 256m 2g)],
    guardrail_secret         => ['%%DIR%%/secret'],
    guardrail_zone           => ['z size=1m', 'z size=256k key=$arg_n rates=8'
                                 . ' full=reject state=%%DIR%%/z.state'],
);

my %only_location = (guardrail_status => ['']);

# with a sentence of their own for what is said twice: 30-quota-directives.t

my %repeatable = map { $_ => 1 } qw(guardrail_quota guardrail_zone
                                    guardrail_max_arg guardrail_max_window);

$t->file('secret', 's' x 16);

my @anywhere = sort keys %accepted;
my @all = sort @anywhere, keys %only_http, keys %only_location;

plan_is_complete();

for my $context (qw(http server location)) {
    subtest "accepted in $context" => sub { accepted($context) };
}

subtest 'accepted in http only' => sub {
    for my $name (keys %only_http) {
        for my $value (@{$only_http{$name}}) {
            accepts(conf("$name $value;"), "$name $value");
        }
    }
};

subtest 'accepted in location only' => sub {
    for my $name (keys %only_location) {
        accepts(conf('', '', "$name;"), $name);
    }
};

subtest 'mistakes in values' => \&mistakes;
subtest 'twice in one place' => \&duplicates;
subtest 'numbers of arguments' => \&arguments;
subtest 'wrong contexts' => \&contexts;
subtest 'unknown names' => \&unknown;
subtest 'a ratio that never refuses' => \&useless_ratio;
subtest 'decoding that cannot work' => \&useless_decode;

$t->done;


# the directives of this test are those of the module

sub plan_is_complete {
    my $code = join '', map { read_file($_) } glob root . '/src/*.c';
    my ($table) = $code =~ /\bngx_http_guardrail_commands\[\] = \{(.*?)\n\};/s;
    my @names = sort $table =~ /ngx_string\("(guardrail\w*)"\)/g;

    is("@all", "@names", 'all directives are tested here');
}


# a whole configuration, with texts for its blocks

sub conf {
    my ($http, $server, $location, $main, $events) = @_;

    $_ //= '' for $server, $location, $main, $events;

    return <<CONF;
%%GLOBALS%%
$main
events {
    $events
}

http {
    %%HTTP%%
    guardrail_zone zone size=1m;
    $http

    server {
        listen 127.0.0.1:%%PORT%%;
        $server

        location / {
            $location
        }
    }
}
CONF
}


sub in_context {
    my ($context, $text) = @_;

    return conf($context eq 'http' ? $text : '',
                $context eq 'server' ? $text : '',
                $context eq 'location' ? $text : '');
}


sub accepts {
    my ($conf, $what) = @_;
    my ($ok, $out) = $t->nginx_t($conf);

    ok($ok, $what) or diag($out);
    unlike($out, qr/\[warn\]/, "$what: no warning");
}


# one configuration for the first value of all, one for the second, ...

sub accepted {
    my ($context) = @_;
    my ($most) = sort { $b <=> $a } map { scalar @$_ } values %accepted;

    for my $i (0 .. $most - 1) {
        my @lines = map { "$_ $accepted{$_}[$i];" }
                    grep { defined $accepted{$_}[$i] } @anywhere;

        accepts(in_context($context, "@lines"), "@lines");
    }
}


sub refuses {
    my ($conf, $what, @re) = @_;
    my ($ok, $out) = $t->nginx_t($conf);
    my ($line) = grep { /\[emerg\]/ } split /^/, $out;

    ok(!$ok, "$what: fails");
    like($line // $out, $_, "$what: says why") for @re;
}


sub mistakes {
    my @wrong_number = ('""', qw(abc -1 +1 1.5 0x10 1e3 99999999999999999999
                                 9223372036854775808), '" 1"', '"1 "', 'OFF');
    my @wrong_size = (@wrong_number, qw(k 10x 10mb 10kk 1t m10
                                        9007199254740992k 8589934592g));
    my @some = ('""', qw(abc -1 10x 99999999999999999999));
    my %wrong = (
        guardrail              => ['""', qw(yes On ON 1 dryrun dry-run)],
        guardrail_buffering    => ['""', qw(yes dry_run $arg_n)],
        guardrail_decode       => ['""', qw(yes dry_run $arg_n)],
        guardrail_max_body     => \@wrong_size,
        guardrail_max_decoded  => \@some,
        guardrail_max_ratio    => [@some, '10k', 'floor=1m'],
        guardrail_encodings    => ['""', qw(snappy compress identity x-gzip
                                            off $arg_n), '"gzip,br"'],
        guardrail_format       => ['""', qw(xml jsonl $arg_n)],
        guardrail_max_records  => [@wrong_number, '10k'],
        guardrail_max_record_size => \@some,
        guardrail_decoder_memory  => [@some, '$arg_n'],
        guardrail_error_format => ['""', qw(json html $arg_n)],
        guardrail_log_level    => ['""', qw(debug crit warning $arg_n)],
        guardrail_label        => ['""'],
        guardrail_body_timeout => ['""', qw(abc -1 10x 1.5s OFF $arg_n)],
        guardrail_headers      => ['""', qw(yes 1 $arg_n)],
        guardrail_memory_model => ['""', qw(0 -1 1.2345 1k pypy $arg_n)],
        guardrail_secret       => ['%%DIR%%/absent', '%%DIR%%'],
    );

    for my $name (@all) {
        for my $value (@{$wrong{$name}}) {
            my $word = $value =~ s/^"(.*)"\z/$1/r
                              =~ s/%%DIR%%/$t->dir/er;

            refuses(conf("$name $value;"), "$name $value", qr/"\Q$name\E"/,
                    $word eq '' ? qr/""|empty/ : qr/"\Q$word\E"/);
        }
    }

    # what stands in the second place

    for my $word (qw(flor=1m Floor=1m floor floor= 1m floor:1m)) {
        refuses(conf("guardrail_max_ratio 200 $word;"), "ratio with $word",
                qr/"guardrail_max_ratio"/, qr/"\Q$word\E"/);
    }

    for my $size (qw(abc -1 10x 99999999999999999999)) {
        refuses(conf("guardrail_max_ratio 200 floor=$size;"), "floor $size",
                qr/"guardrail_max_ratio"/, qr/[="]\Q$size\E"/);
    }

    # what several words say; the one at fault is the last but where it is told

    my @words = (
        map({ ["guardrail_max_arg limit $_"] } 'abc', '-1', '1.5', '1k',
            '10 requird', '10 10'),
        ['guardrail_max_arg "" 10', 'empty name in '],
        map({ ["guardrail_max_window from to $_"] } 'abc', '-1', '1x', '1.5h'),
        ['guardrail_max_window from to ""', '""'],
        ['guardrail_max_window "" to 1h', 'empty name in '],
        ['guardrail_max_window from "" 1h', 'empty name in '],
        ['guardrail_max_window from FROM 1h', '"from"'],
        map({ ["guardrail_types text/csv $_"] } 'json', '~', 'text/', '/csv',
            'text/*', '*/*', 'text/csv/x', 'text/csv,a/b'),
        ['guardrail_types "text/ csv"', '"text/ csv"'],
        ['guardrail_types "text/csv; charset=utf-8"',
         '"text/csv; charset=utf-8"'],
        ['guardrail_types ~text/(', '"text/("'],
        map({ ["guardrail_json keys=3 $_"] } 'depth=x', 'depth=-1', 'depth=',
            'depth', 'depht=3', 'Depth=3', 'strict', 'strict=yes', 'off',
            'string=1x', 'number=1k', 'keys=4'),
        ['guardrail_json strict=on strict=off', '"strict=off"'],
        map({ ["guardrail_min_rate $_"] } 'abc', '-1', '1x', '$arg_n',
            '500 grace', '500 grace=', '500 grace=x', '500 grace=-1',
            '500 gracee=1s', '500 20s'),
        map({ ["guardrail_memory_model $_"] } 'cpython per=line',
            'cpython per=', 'cpython record', '2 per=record', '2 per=body'),
    );

    for (@words) {
        my ($text, $word) = @$_;
        my ($name, $last) = $text =~ /^(\S+) .*?(\S+)\z/;

        refuses(conf("$text;"), $text, qr/"\Q$name\E"/,
                defined $word ? qr/\Q$word\E/ : qr/"\Q$last\E"/);
    }

    for my $list ('gzip none', 'none gzip', 'gzip gzip', 'br zstd br',
                  'none none', 'gzip GZIP')
    {
        refuses(conf("guardrail_encodings $list;"), "encodings $list",
                qr/"guardrail_encodings"/,
                $list =~ /none/ ? qr/"none"/ : qr/"(?:gzip|GZIP|br)"/);
    }
}


sub values_of {
    my ($name) = @_;

    return $accepted{$name} || $only_http{$name} || $only_location{$name};
}


sub duplicates {
    my %value = map { $_ => values_of($_)->[-1] } @all;

    for my $name (grep { !$repeatable{$_} } @all) {
        my $context = $only_http{$name} ? 'http' : 'location';
        my $text = "$name $value{$name}; $name $value{$name};";

        refuses(in_context($context, $text), $name,
                qr/"\Q$name\E" directive is duplicate/);
    }

    # unset and set to the default are not the same

    for my $text ('guardrail off; guardrail off;',
                  'guardrail_max_body 0; guardrail_max_body 1m;',
                  'guardrail_max_ratio off; guardrail_max_ratio off;',
                  'guardrail_encodings none; guardrail_encodings gzip;',
                  'guardrail_format auto; guardrail_format auto;',
                  'guardrail_decoder_memory 0; guardrail_decoder_memory 0;')
    {
        refuses(conf($text), $text, qr/^.*"guardrail\w*" .* duplicate/);
    }
}


sub arguments {
    my %many = (guardrail_max_ratio => '1 floor=1 1', guardrail_encodings => 0,
                guardrail_tenant => 'a b c d e', guardrail_zone => 0,
                guardrail_quota => 'zone requests', guardrail_types => 0,
                guardrail_json => 0, guardrail_memory_model => '1 2 3',
                guardrail_min_rate => '1 2 3', guardrail_max_arg => 'a',
                guardrail_max_window => 'a b');

    for my $name (@all) {
        my $many = $many{$name} // '1 1';
        my $re = $name eq 'guardrail_json'
                 ? qr/"guardrail_json" directive must have a parameter/
                 : qr/invalid number of arguments in "\Q$name\E" directive/;

        refuses(conf("$name;"), "$name without a value", $re)
            unless $only_location{$name};
        my $context = $only_location{$name} ? 'location' : 'http';

        refuses(in_context($context, "$name $many;"), "$name $many", $re)
            if $many;
    }
}


sub contexts {
    my %value = map { $_ => values_of($_)->[0] } @all;

    for my $name (@all) {
        my $line = "$name $value{$name};";
        my $re = qr/"\Q$name\E" directive is not allowed here/;
        my %place = (
            main         => conf('', '', '', $line),
            events       => conf('', '', '', '', $line),
            upstream     => conf("upstream u { server 127.0.0.1:1; $line }"),
            if           => conf('', '', "if (\$arg_n) { $line }"),
            'server if'  => conf('', "if (\$arg_n) { $line }"),
            limit_except => conf('', '', "limit_except GET { $line }"),
        );

        if ($only_http{$name}) {
            $place{server} = conf('', $line);
            $place{location} = conf('', '', $line);
        }

        if ($only_location{$name}) {
            $place{http} = conf($line);
            $place{server} = conf('', $line);
        }

        refuses($place{$_}, "$name in $_", $re) for sort keys %place;
    }
}


sub unknown {
    for my $name (grep { "@{$accepted{$_}}" =~ /\$/ } @anywhere) {
        my $before = $name eq 'guardrail_quota' ? 'zone requests ' : '';

        refuses(conf("$name $before\$nope;"), "$name: an unknown variable",
                qr/unknown "nope" variable/);
    }

    refuses(conf('guardrail_max_ratio 1 floor=$nope;'), 'floor likewise',
            qr/unknown "nope" variable/);
    refuses(conf('guardrail_max_bdy 1m;'), 'a directive that is misspelt',
            qr/unknown directive "guardrail_max_bdy"/);
}


# deflate cannot expand by more: said once, where it was written

sub useless_ratio {
    for my $context (qw(http server location)) {
        for my $n (1032, 100000) {
            my $text = "guardrail_max_ratio $n floor=4m;";
            my ($ok, $out) = $t->nginx_t(in_context($context, $text));
            my @warnings = grep { /\[warn\]/ } split /^/, $out;

            ok($ok, "$n in $context: accepted");
            is(@warnings, 1, "$n in $context: one warning");
            like($warnings[0], qr/"guardrail_max_ratio".*\b$n\b/,
                 "$n in $context: names both");
        }

        accepts(in_context($context, "guardrail_max_ratio $_;"),
                "$_ in $context") for qw(1031 off 0 $arg_n);
    }
}


# a body is decoded as a whole, before the backend has any of it

sub useless_decode {
    my $decode = 'guardrail_decode on;';

    for my $case (['guardrail on; guardrail_buffering off;', 'buffering off'],
                  ['guardrail $arg_n; guardrail_buffering off;',
                   'buffering off'],
                  ['guardrail dry_run;', 'guardrail dry_run'])
    {
        my ($others, $word) = @$case;

        for my $conf (conf('', '', "$others $decode"),
                      conf($decode, '', $others),
                      conf('', "$others $decode", ''))
        {
            my ($ok, $out) = $t->nginx_t($conf);

            ok(!$ok, "$others fails");
            like($out, qr/\[emerg\] .*"guardrail_decode on" .*$word/,
                 "$others: says why");
        }
    }

    accepts(conf('', '', "guardrail off; guardrail_buffering off; $decode"),
            'where the guard is off');
    accepts(conf($decode, '', 'guardrail dry_run; guardrail_decode off;'),
            'turned off in dry_run');
    accepts(conf($decode, '', 'guardrail $arg_n;'),
            'a mode that is a variable');
}
