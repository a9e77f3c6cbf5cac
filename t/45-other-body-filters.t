#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Other request body filters, in front of ours and behind it: chains may be
# missing, buffers may be empty, without memory, several or tiny, and the end
# may come by itself.  The verdict and the bytes stay the same.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;
use Guardrail::TestModule;

my @filters = ('null', 'special', 'last', 'split size=1', 'calls size=1',
               'split size=4096', 'calls size=4095',
               'null special last calls size=7',
               'null special last split size=1000', 'empty',
               'null empty special last split size=5');

my %nd = (type => 'application/x-ndjson');
my $rows = ndjson(500);
my $big = ndjson(1000, size => 100);

# [name, body, options, status, reason, decoded bytes, records]

my @cases = (
    ['accepted', $rows, { %nd }, 200],
    ['a large one accepted', $big, { }, 200, '/big'],
    ['coded', gzip($rows), { %nd, encoding => 'gzip' }, 200],
    ['members', gzip_members($rows, '', ''), { encoding => 'gzip', %nd }, 200],
    ['one byte', 'x', { type => 'text/plain' }, 415],
    ['a large coded one', gzip_zeros(3000000), { encoding => 'gzip' }, 200,
     '/big'],
    ['one record more', $rows . '{', { %nd }, 413],
    ['one record more, coded', gzip($rows . '{'),
     { %nd, encoding => 'gzip' }, 413],
    ['a bomb', gzip_zeros(1 << 22), { encoding => 'gzip' }, 413,
     '/bomb'],
    ['truncated', substr(gzip($rows), 0, -1), { encoding => 'gzip', %nd },
     400],
    ['a byte more', gzip($rows) . 'x', { encoding => 'gzip', %nd }, 400],
);

my $t = Guardrail::Test->new(lingering => '50ms');
my $backend = $t->backend;
my $module = $t->{module};

for my $place ('in front of ours', 'behind ours') {
    my $main = load_test_module;
    my $locations = '';
    my $n = 0;

    if ($place eq 'behind ours' && $module ne 'none') {
        $main .= "\nload_module $module;";
        $t->{module} = 'none';
    }

    for my $filter ('', @filters) {
        for my $buffering (qw(on off)) {
            my $modes = $filter ? "test_filter $filter;" : '';

            # nginx does not send on buffers that are empty

            $modes .= 'proxy_pass_request_body off;'
                      . 'proxy_set_header Content-Length 0;'
                if $filter =~ /empty/;

            $locations .= <<"LOCATION";
    location /$buffering/$n {
        $modes
        guardrail_buffering $buffering;
        proxy_request_buffering $buffering;
        proxy_http_version 1.1;
        proxy_pass http://%%BACKEND%%;

        location /$buffering/$n/big {
            guardrail_max_records 0;
            guardrail_max_ratio off;
            proxy_pass http://%%BACKEND%%;
        }

        location /$buffering/$n/bomb {
            guardrail_max_records 0;
            proxy_pass http://%%BACKEND%%;
        }
    }
LOCATION
        }

        $n++;
    }

    $t->start(main => $main, http => <<'HTTP', server => <<SERVER);
    log_format v '$guardrail_verdict $guardrail_reason '
                 '$guardrail_decoded_bytes $guardrail_records';
    access_log %%DIR%%/v.log v;
HTTP
    guardrail on;
    guardrail_max_body 10m;
    guardrail_max_records 500;

$locations
SERVER

    for my $buffering (qw(on off)) {
        for my $f ($buffering eq 'on' ? qw(cl h2) : qw(chunked h2-cl)) {
            my @want;

            for my $i (0 .. @filters) {
                my $name = $i ? "$filters[$i - 1], $place, $buffering, $f"
                              : "without, $buffering, $f";
                my $from = () = $t->access_log('v.log');

                # nginx walks along all buffers whenever one is added

                my @these = grep { length $_->[1] < 1e5 || $name !~ /=\d\b/ }
                            @cases;

                for my $case (@these) {
                    my ($what, $body, $opt, $status, $at) = @$case;
                    my $r = $t->post("/$buffering/$i" . ($at || ''), $body,
                                     framing => $f, %$opt);

                    is($r->status, $status, "$what: $name");
                    is($r->json->{sha1}, sha1_hex($body), 'its bytes')
                        if $status == 200 && $name !~ /empty/;
                }

                my @got = $t->wait_access_log($from + @these, 'v.log');

                splice @got, 0, $from;
                @want = @got unless $i;
                splice @got, 1, 0, $want[1] if @these < @cases;
                is_deeply(\@got, \@want, "verdicts: $name");
            }
        }
    }

    ok($t->stop, "$place: stopped");
}

$t->done;
