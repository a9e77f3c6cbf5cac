#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# CSV is CSV without any limit, too, and while its rows are blank; white space
# of no type is nothing until something says that it is JSON.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    guardrail on;
    add_header X-G "$guardrail_format $guardrail_records
                    $guardrail_largest_record $guardrail_json_depth
                    $guardrail_memory" always;

    location /none {
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        proxy_pass http://%%BACKEND%%;
    }

    location /opt-out {
        guardrail_format none;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_json depth=9;
        guardrail_max_decoded 5;
        proxy_pass http://%%BACKEND%%;
    }

    location /memory {
        guardrail_max_memory 5;
        proxy_pass http://%%BACKEND%%;
    }
SERVER

each_framing {
    my ($f) = @_;

    for my $type ('text/csv', 'application/csv; charset=utf-8') {
        is_seen('/none', "a,b\n\n\"1\n2\"\n", $f, $type, 200,
                'csv 3 5 - 11');
        is_seen('/dry', "a,b\n", $f, $type, 200, 'csv 1 3 - 4');
        is_seen('/none', "[1]\n[2,\n3]", $f, $type, 200, 'csv 3 3 - 10');
        is_seen('/opt-out', "a,b\n", $f, $type, 200, 'none 0 0 - 4');
    }

    is_seen('/none', "[1]\n", $f, 'text/plain', 200, 'none 0 0 - 4');

    # what only the bytes tell: where they are declared nothing is read

    return if $f =~ /cl/;

    is_seen('/decoded', " \n" x 9, $f, 'text/csv', 413, 'csv 2 1 - 6');
    is_seen('/decoded', " \n" x 9, $f, 'text/plain', 413, 'none 0 0 - 6');
    is_seen('/memory', " \n" x 9, $f, 'text/plain', 413, 'none 0 0 - 6', 6);
    is_seen('/memory', "\xef\xbb\xbf \n \n", $f, undef, 413, 'none 0 0 - 6',
            6);
};

$t->done;


sub is_seen {
    my ($uri, $body, $f, $type, $status, $seen, $observed) = @_;

    my $r = $t->post($uri, $body, framing => $f, type => $type);
    my $got = $r->header('X-G') // '';
    my @got = split(/\s+/, $got);

    @got = (@got[0 .. 2], '-', $got[3] // '') if @got == 4;

    is($r->status, $status, "$uri of " . ($type // 'no type'));
    is("@got", $seen, 'what is seen');
    is($r->json->{observed}, $observed, 'observed') if defined $observed;
}
