#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What nginx sends is what src/page holds, put together by a shell and awk; a
# mistake there ends nginx's configure; and the script has no means to make
# markup, or to ask for something else, out of what it is told.

use strict;
use warnings;

use lib 't/lib';

use File::Copy qw(copy);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $dir = root . '/src/page';
my $html = `sh $dir/generate.sh html`;
my $c = `sh $dir/generate.sh c`;

is($?, 0, 'it is made');
is(() = $html =~ /\@NONCE\@/g, 2, 'two nonces');
is(() = $html =~ /\@TABLES\@/g, 1, 'one place for tables');
unlike($html, qr/\@(?:STYLE|SCRIPT)\@/, 'no other place is left');

# the pieces of the array are the document

my (%text, $joined);

while ($c =~ /(ngx_http_guardrail_page_\d+)\[\] = \{(.*?)\};/gs) {
    my ($name, $bytes) = ($1, $2);

    $text{$name} = pack 'C*', $bytes =~ /\d+/g;
}

for ($c =~ /^    \{ (.*?) \},$/gms) {
    my ($name, $length, $kind) = split /,\s*/;

    if ($name eq 'NULL') {
        $joined .= '@' . ($kind =~ /_([A-Z]+)$/)[0] . '@';

    } else {
        is($length, length $text{$name}, "$name: its length");
        $joined .= $text{$name};
    }
}

is($joined, $html, 'the same in C');

my ($pieces) = $c =~ /ngx_http_guardrail_page_pieces = (\d+);/;

is($pieces, () = $c =~ /^    \{ /gm, 'and as many pieces');

# what is sent

$t->start(server => <<'SERVER');
    location = /status {
        guardrail_status;
    }
SERVER

my $r = $t->get('/status?format=html');
my ($nonce) = $r->header('Content-Security-Policy') =~ /nonce-([^']+)/;
my ($before, $after) = split /\@TABLES\@/, $html =~ s/\@NONCE\@/$nonce/gr;

ok(index($r->body, $before) == 0, 'nginx sends what is before the tables');
ok(substr($r->body, -length $after) eq $after, 'and what follows');

# the script

my $script = join '', map { read_file("$dir/$_.js") } qw(data draw page);

unlike($script, qr/$_/, "no $_") for qw{innerHTML outerHTML insertAdjacentHTML
    document\.write eval\( Function\( DOMParser createContextualFragment
    srcdoc XMLHttpRequest WebSocket EventSource sendBeacon import\( \bimport\s
    localStorage sessionStorage cookie};

is(() = $script =~ /\bfetch\(/g, 1, 'one place that asks');

my @urls = $html =~ m{\b(\w+://[^'"\s]*)}g;

is("@urls", 'http://www.w3.org/2000/svg', 'one URL, which is a name');
unlike($html, qr/\s(?:on\w+|style|src)=["']/, 'nothing in attributes');

# mistakes

my $bad = $t->dir . '/page';

mkdir $bad or die "$bad: $!\n";
copy($_, $bad) or die "$_: $!\n" for glob "$dir/*";

$t->file('page/page.css', read_file("$dir/page.css") . "/* \xc3\xa4 */\n");

my $out = `sh $bad/generate.sh c 2>&1 >/dev/null`;

isnt($?, 0, 'a byte that is not ASCII');
like($out, qr/not ASCII/, 'is told');

unlink "$bad/draw.js";
$out = `sh $bad/generate.sh c 2>&1 >/dev/null`;

isnt($?, 0, 'a file that is missing');
like($out, qr/cannot read .*draw\.js/, 'is told');

$t->done;
