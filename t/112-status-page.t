#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The status page holds all it needs: a policy that lets nothing else in, a
# nonce that is never the same, and tables for those without JavaScript, in
# which no name can become markup.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(server => <<'SERVER');
    location /a {
        guardrail on;
        guardrail_max_body 10;
        guardrail_label "<script>alert(1)</script>&\"'";
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

$t->post('/a', 'x');
$t->post('/a', 'x' x 11);

my $r = $t->get('/status?format=html');
my $policy = $r->header('Content-Security-Policy');

is($r->status, 200, 'a page');
is($r->header('Content-Type'), 'text/html; charset=utf-8', 'of HTML');
like($policy, qr/default-src 'none'/, 'nothing by default');
like($policy, qr/script-src 'nonce-[0-9a-f]{32}'/, 'scripts by nonce');
unlike($policy, qr/unsafe/, 'nothing unsafe');

my ($nonce) = $policy =~ /script-src 'nonce-([0-9a-f]{32})'/;
my $html = $r->body;

like($html, qr/^<!doctype html>/i, 'a document');
like($html, qr/<\/html>\s*\z/i, 'to its end');

for my $tag (qw(script style)) {
    my @all = $html =~ /<$tag\b([^>]*)>/g;

    ok(@all > 0, "it has a $tag");
    is(scalar(grep { !/nonce="\Q$nonce\E"/ } @all), 0,
       "each $tag has the nonce");
}

unlike($html, qr/\b(?:src|href)\s*=\s*["']?(?:https?:|\/\/)/,
       'it asks nobody else');
unlike($html, qr/\son\w+=/, 'no handlers in attributes');
unlike($html, qr/\sstyle=/, 'no styles in attributes');

my $name = '&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;';

ok(index($html, qq{<th scope="row">$name</th><td>1</td><td>1</td>}) > 0,
   'one passed, one refused, in a table');
ok(index($html, "$name</th><td>reject</td><td>max_body</td><td>1</td>") > 0,
   'and why');
unlike($html, qr/<script>alert/, 'a label is no markup');

isnt($t->get('/status?format=html')->header('Content-Security-Policy'),
     $policy, 'another nonce each time');

$r = $t->request('HEAD', '/status?format=html', undef);
is($r->header('Content-Length'), length $html, 'HEAD knows the length');

$t->done;
