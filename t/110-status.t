#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# guardrail_status tells of each request once: where it was judged, what became
# of it, and what was measured; in three formats, as they are asked for.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Metrics;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(http => <<'HTTP', server => <<'SERVER');
    map $arg_mode $mode {
        default  on;
        off      off;
    }
    map $arg_plan $most {
        default  1m;
    }
    map $arg_plan $plan {
        default  10/1m;
    }
    guardrail_zone zone size=256k;
    server_names_hash_bucket_size 64;
HTTP
    guardrail on;
    proxy_http_version 1.1;

    location /ingest {
        guardrail_label "in \"gest\\";
        guardrail_max_body 100k;
        guardrail_max_decoded 1m;
        guardrail_max_records 1000;
        guardrail_max_record_size 500;
        guardrail_max_memory 10m;
        guardrail_json depth=4;
        add_header X-Label $guardrail_label;
        error_page 413 = @sorry;
        proxy_pass http://%%BACKEND%%;
    }

    location @sorry {
        guardrail_label sorry;
        add_header X-Label $guardrail_label always;
        return 413 sorry;
    }

    location /same1 { guardrail_label same; guardrail_max_body 10;
                      proxy_pass http://%%BACKEND%%; }
    location /same2 { guardrail_label same; guardrail_max_body 20;
                      proxy_pass http://%%BACKEND%%; }

    location /dry {
        guardrail dry_run;
        guardrail_max_records 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /variable {
        guardrail $mode;
        guardrail_max_body $most;
        guardrail_body_timeout 1500ms;
        guardrail_quota zone requests $plan;
        proxy_pass http://%%BACKEND%%;
    }

    location /redirected {
        try_files /none @app;
    }

    location @app {
        guardrail_label app;
        proxy_pass http://%%BACKEND%%;
    }

    location /unguarded {
        guardrail off;
        add_header X-Label "$guardrail_label";
        proxy_pass http://%%BACKEND%%;
    }

    location = /status {
        guardrail_status;
    }
SERVER

my $name = 'in "gest\\';

my $l = location($t, $name);

is_deeply($l->{requests}, { off => 0, pass => 0, reject => 0,
                            would_reject => 0, aborted => 0 },
          'nothing yet');
is_deeply([@$l{qw(histograms suggestions refusals)}], [{}, [], []],
          'nothing measured');

# each framing counts

my $body = "{\"a\":1}\n" x 10;

for my $f (qw(cl chunked h2 h2-cl)) {
    is($t->post('/ingest', $body, framing => $f,
                type => 'application/x-ndjson')->status, 200, "$f");
}

is($t->post('/ingest', gzip($body x 10), encoding => 'gzip',
            type => 'application/x-ndjson')->status, 200, 'gzip');
is($t->get('/ingest')->status, 200, 'GET');
is($t->get('/unguarded')->header('X-Label'), undef, 'not guarded');

my $sorry = $t->post('/ingest', 'x' x 200_000);

is($sorry->body, 'sorry', 'declared too large');
is($sorry->header('X-Label'), $name, '$guardrail_label: where it was judged');
is($t->post('/ingest', "[]\n" x 1001, framing => 'chunked',
            type => 'application/x-ndjson')->status, 413, 'too many records');
is($t->post('/ingest', '[[[[[]]]]]', type => 'application/json')->status,
   413, 'too deep');

my $c = $t->h1;

$c->send("POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[");
wait_until(sub { status($t)->{requests_in_flight} == 1 });
is(status($t)->{requests_in_flight}, 1, 'one in flight');
$c->close;

my $s = wait_status($t, sub { $_->{requests_in_flight} == 0 });

($l) = grep { $_->{location} eq $name } @{$s->{locations}};

is_deeply($l->{requests}, { off => 0, pass => 6, reject => 3,
                            would_reject => 0, aborted => 1 }, 'verdicts');

my %refusals = map { ("$_->{verdict} $_->{reason}", $_->{requests}) }
               @{$l->{refusals}};

is_deeply(\%refusals, { 'reject max_body' => 1, 'reject max_records' => 1,
                        'reject json_depth' => 1, 'aborted client_gone' => 1 },
          'reasons');

my $h = $l->{histograms};

# the declared one was not looked at; a GET has no body

is($h->{body_bytes}{count}, 8, 'bodies measured');
is($h->{expansion_ratio}{count}, 1, 'coded ones');
is($h->{records}{max}, 1001, 'the most records');
is($h->{records}{p50}, 10, 'their median');
is($h->{largest_record_bytes}{max}, length '{"a":1}', 'the largest record');
is($h->{decoded_bytes}{sum}, $l->{decoded_bytes}, 'decoded bytes, in sum');
is($l->{records}, 40 + 100 + 1001 + 1 + 1, 'records, in sum');
ok($h->{memory_estimate_bytes}{count} >= 6, 'memory was estimated');

my $sum = 0;
my $before = -1;
my $order = 1;

for (@{$h->{decoded_bytes}{buckets}}) {
    $order &&= $_->[0] > $before;
    $before = $_->[0];
    $sum += $_->[1];
}

ok($order, 'buckets are in order');
is($sum, $h->{decoded_bytes}{count}, 'buckets hold all');

is_deeply([map { $_->{in} } @{$l->{limits}}], ['localhost /ingest'], 'where');
is($l->{limits}[0]{max_body}, 102400, 'max_body in force');
is($l->{limits}[0]{json}{depth}, 4, 'depth in force');
is($l->{limits}[0]{max_records}, 1000, 'max_records in force');
is($l->{limits}[0]{body_timeout}, undef, 'no body_timeout');

my %suggested = map { ($_->{directive}, $_) } @{$l->{suggestions}};

is($suggested{guardrail_max_records}{value}, 5000, 'records suggested');
is($suggested{guardrail_max_records}{would_refuse}, 0, 'refuses none');
is($suggested{guardrail_max_records}{of}, 8, 'of eight');
is($suggested{guardrail_max_record_size}{suggestion}, '1k', 'a size');

# one label, two locations

is($t->post('/same1', 'x' x 15)->status, 413, 'first');
is($t->post('/same2', 'x' x 15)->status, 200, 'second');

$l = location($t, 'same');
is_deeply([@{$l->{requests}}{qw(pass reject)}], [1, 1], 'counted together');
is_deeply([map { $_->{max_body} } @{$l->{limits}}], [10, 20], 'two limits');

# dry_run, a mode that is a variable, an internal redirect

is($t->post('/dry', "[]\n[]\n", type => 'application/x-ndjson')->status, 200,
   'dry_run');
$l = location($t, 'localhost /dry');
is($l->{requests}{would_reject}, 1, 'would_reject');
is_deeply($l->{refusals}, [{ verdict => 'would_reject',
                             reason => 'max_records', requests => 1 }],
          'and why');

is($t->post('/variable?mode=off', 'x')->status, 200, 'off');
is($t->post('/variable?mode=on', 'x')->status, 200, 'on');
is($t->get('/variable?mode=off')->status, 200, 'off, without a body');
$l = location($t, 'localhost /variable');
is_deeply([@{$l->{requests}}{qw(off pass)}], [2, 1], 'off and on');
is($l->{limits}[0]{guardrail}, '$mode', 'the variable is shown');
is($l->{limits}[0]{max_body}, '$most', 'and that of a limit');
is($l->{limits}[0]{quotas}[0]{limit}, '$plan', 'and that of a quota');
is($l->{limits}[0]{body_timeout}, 1.5, 'seconds');

is($t->post('/redirected', 'x')->status, 200, 'redirected');
is(location($t, 'app')->{requests}{pass}, 1, 'counted where it ended');
is(location($t, 'localhost /redirected')->{requests}{pass}, 0, 'and not twice');

is(location($t, 'sorry')->{requests}{reject}, 0,
   'not where its error page was');
is(location($t, 'localhost /unguarded'), undef, 'off is not shown');
is(location($t, 'localhost /status'), undef, 'nor is the status itself');

# formats

my $r = $t->get('/status');

is($r->header('Content-Type'), 'application/json', 'JSON if nobody cares');
is($r->header('Cache-Control'), 'no-store', 'not stored');
is($t->get('/status', headers => [Accept => '*/*'])->header('Content-Type'),
   'application/json', 'JSON for */*');

my $browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

for (['text/plain;version=0.0.4', qr!^text/plain; version=0\.0\.4!],
     ['application/openmetrics-text;version=1.0.0,text/plain;q=0.5',
      qr!^application/openmetrics-text; version=1\.0\.0!],
     ['application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.3',
      qr!^text/plain!],
     ["text/plain;q=0.5\t,text/html;q=0.4", qr!^text/plain!],
     ['text/plain;q=0, application/json', qr!^application/json!],
     [$browser, qr!^text/html!])
{
    my ($accept, $type) = @$_;

    like($t->get('/status', headers => [Accept => $accept])
           ->header('Content-Type'), $type, "Accept: $accept");
}

is($t->get('/status?format=xml')->status, 400, 'another format');
is($t->post('/status', 'x')->status, 405, 'another method');

$r = $t->request('HEAD', '/status?format=json', undef);
is($r->status, 200, 'HEAD');
is($r->body, '', 'has no body');
ok($r->header('Content-Length') > 100, 'but a length');

my $m = metrics($t->get('/status?format=prometheus')->body);
my $at = 'location="in \"gest\\\\"';

is($m->{"guardrail_requests_total{$at,verdict=\"pass\",reason=\"\"}"}, 6,
   'passed, for Prometheus');
is($m->{"guardrail_requests_total{$at,verdict=\"reject\","
        . 'reason="max_records"}'}, 1, 'refused');
is($m->{"guardrail_requests_total{$at,verdict=\"aborted\","
        . 'reason="client_gone"}'}, 1, 'aborted');
is($m->{"guardrail_records_total{$at}"}, 1143, 'records');
is($m->{"guardrail_request_records_bucket{$at,le=\"1.0\"}"}, 2,
   'one record at most');
is($m->{"guardrail_request_records_bucket{$at,le=\"64.0\"}"}, 6, 'up to 64');
is($m->{"guardrail_request_records_bucket{$at,le=\"+Inf\"}"}, 8, 'all');
is($m->{'guardrail_requests_in_flight'}, 0, 'a gauge');
ok(!grep({ /sorry/ } keys %$m), 'what has no traffic is left out');
ok(grep({ /^guardrail_build_info\{version="[\d.]+",nginx="[\d.]+"\}/ }
        keys %$m), 'versions');

my $om = metrics($t->get('/status?format=prometheus',
                         headers => [Accept =>
                                     'application/openmetrics-text'])->body,
                 1);

is_deeply($om, $m, 'OpenMetrics says the same');

is($t->get('/status?format=json', framing => 'h2')->status, 200, 'HTTP/2');

$t->done;
