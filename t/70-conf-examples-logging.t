#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# conf-examples/logging.conf: each line of the access log is JSON, whatever
# became of the request and whatever it held, and numbers are numbers.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP ();

use Guardrail::Example;
use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->start(example('logging.conf',
    'access_log /var/log/nginx/incidents.json guardrail if=$incident' =>
    'access_log %%DIR%%/incidents.json guardrail if=$incident;',
    'guardrail_quota tenants requests 600/1m' =>
    'guardrail_quota tenants requests 8/1h;'));

my %numbers = map { $_ => 1 } qw(status limit observed body_bytes
    decoded_bytes ratio records largest_record memory queue_time request_time
    request_length bytes_sent);
my %texts = map { $_ => 1 } qw(time request_id remote_addr method uri server
    label verdict reason policy tenant format encoding upstream_status
    upstream_response_time guardrail nginx);
my $seen = 0;

# the one line that a request wrote, read as strictly as JSON is meant

sub logged {
    my ($name) = @_;
    my $file = 'example-access.json';
    my @lines = $t->wait_access_log($seen + 1, $file);

    is(scalar @lines, $seen + 1, "$name: one line");
    $seen = @lines;

    my $line = eval { JSON::PP->new->utf8->decode($lines[-1]) };

    is($@, '', "$name: it is JSON") or diag($lines[-1]);
    is(join(' ', sort keys %$line), join(' ', sort(keys %numbers, keys %texts)),
       "$name: with all its members");

    for my $key (sort keys %$line) {
        my ($raw) = $lines[-1] =~ /"$key":("|[^,}]*)/;

        if ($texts{$key}) {
            ok(defined $line->{$key} && $raw eq '"', "$name: $key is a text");

        } else {
            like($raw, qr/^(?:null|\d+(?:\.\d+)?)$/, "$name: $key is a number");
        }
    }

    return $line;
}

my @ndjson = (type => 'application/x-ndjson');
my $key = 'a-key-that-is-secret';
my @acme = (headers => ['X-Api-Key', $key]);

# accepted

is($t->post('/ingest', gzip(ndjson(100)), encoding => 'gzip', @ndjson,
            @acme)->status, 200, 'rows');

my $line = logged('accepted');

is($line->{verdict}, 'pass', 'verdict');
is($line->{reason}, '', 'no reason');
is($line->{limit}, undef, 'no limit');
is($line->{records}, 100, 'records');
is($line->{decoded_bytes}, length ndjson(100), 'decoded bytes');
is($line->{encoding}, 'gzip', 'encoding');
is($line->{format}, 'ndjson', 'format');
is($line->{label}, 'ingest', 'label');
is($line->{upstream_status}, '200', 'the backend\'s answer');
is($line->{queue_time}, 0, 'it did not wait');
cmp_ok($line->{memory}, '>', length ndjson(100), 'memory');
cmp_ok($line->{largest_record}, '>', 1, 'the largest record');
like($line->{tenant}, qr/^[0-9a-f]{16}$/, 'a hash of the tenant\'s key');
is($line->{request_id}, $backend->last->{headers}{'x-request-id'},
   'the id that the backend was told');

# without a body

is($t->get('/')->status, 200, 'without a body');
$line = logged('without a body');
is($line->{label}, 'app', 'label');
is($line->{memory}, 0, 'costs nothing');

# refused: by the body, by its head, by a quota

my $r = $t->post('/', gzip_zeros(1 << 26), encoding => 'gzip');

is($r->status, 413, 'a bomb');
$line = logged('a bomb');
is($line->{verdict}, 'reject', 'verdict');
is($line->{reason}, 'max_ratio', 'reason');
is($line->{limit}, 200, 'limit');
cmp_ok($line->{observed}, '>', 200, 'observed');
is($line->{upstream_status}, '', 'no backend');
is($line->{request_id}, $r->json->{request_id}, 'the id the client was told');

is($t->post('/ingest', gzip(ndjson(100_001)), encoding => 'gzip', @ndjson,
            @acme)->status, 413, 'many rows');
$line = logged('many rows');
is($line->{reason}, 'max_records', 'reason');
is($line->{limit}, 100_000, 'limit');
is($line->{observed}, 100_001, 'observed');

is($t->post('/', 'x', encoding => 'br')->status, 415, 'a coding');
$line = logged('a coding');
is($line->{reason}, 'encoding', 'reason');
is($line->{limit}, undef, 'a limit that is no number');

is($t->post('/', 'x' x (1 << 21), length => 11 * 2 ** 20, end => 0)->status,
   413, 'a declared length');
is(logged('a declared length')->{observed}, 11 * 2 ** 20, 'observed');

for (1 .. 10) {
    $r = $t->post('/ingest', "{}\n", @ndjson, @acme);
    $line = logged("request $_");
    last if $r->status == 429;
}

is($r->status, 429, 'too many requests');
is($line->{reason}, 'quota_requests', 'reason');
is($line->{policy}, 'tenants-requests-3600s', 'policy');

# would be refused

is($t->post('/trial', ndjson(1001), @ndjson)->status, 200, 'a trial');
$line = logged('a trial');
is($line->{verdict}, 'would_reject', 'verdict');
is($line->{reason}, 'max_records', 'reason');
is($line->{upstream_status}, '200', 'it got through');

# aborted: while it uploads

my $c = $t->h1;

$c->send("POST /trial HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
         . "Content-Type: application/x-ndjson\r\n\r\n{\"a\":1}\n");
$backend->wait_requests(1);
$c->close;
$line = logged('aborted');
is($line->{verdict}, 'aborted', 'verdict');
is($line->{reason}, 'client_gone', 'reason');

# what clients can put into a line

for (['quotes', "/\"\\\\\"?\\u0000=\"", 200], ['bytes', "/\xff\xfe\xc3", 200],
     ['markup', '/<a>&\'', 200])
{
    my ($name, $uri, $status) = @$_;

    my $h1 = $t->h1;

    $h1->send("GET $uri HTTP/1.1\r\nHost: a\"b\xff\r\nX-Api-Key: \"\xff\\\r\n"
              . "User-Agent: \"\xfe\r\nConnection: close\r\n\r\n");
    $h1->read;
    logged($name);
}

$c = $t->h1;
$c->send("\x16\x03\x01\"\\\xff\r\n\r\n");
$c->read;
$line = logged('no HTTP');
is($line->{status}, 400, 'no HTTP at all');
is($line->{verdict}, 'pass', 'which is nobody\'s fault');
is($line->{label}, '', 'and of no location');

is($t->get('/%22%5c%0a%ff?%00', framing => 'h2')->status, 200, 'escaped ones');
logged('escaped ones');

# the second file has what went wrong, and that alone

my @all = map { JSON::PP->new->utf8->decode($_) }
          $t->access_log('example-access.json');
my @incidents = map { JSON::PP->new->utf8->decode($_) }
                $t->access_log('incidents.json');

is(join(' ', map { $_->{request_id} } @incidents),
   join(' ', map { $_->{request_id} }
             grep { $_->{verdict} !~ /^(?:pass|off)$/ } @all), 'incidents');
cmp_ok(scalar @incidents, '>=', 7, 'there were some');
ok(!grep({ /\Q$key\E/ } $t->access_log('example-access.json')),
   'no key is in the log');

# the version is a literal in the example

my ($version) = read_file(root . '/src/ngx_http_guardrail_module.h')
    =~ /#define NGX_HTTP_GUARDRAIL_VERSION\s+"(.*)"/;

is($_->{guardrail}, $version, 'the version of the module') for $all[0];

$t->done;
