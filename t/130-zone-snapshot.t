#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What status is told of a zone: what is counted, who uses most and how much
# of what, and that a secret key is nowhere in shared memory.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $held = $t->backend(name => 'HELD', hold => 1);

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone rates size=1m state=%%DIR%%/rates.state;
    guardrail_zone given size=1m key=$http_x_token;
    guardrail_zone other size=1m key=$arg_k;
    guardrail_zone level size=1m key=all;
    guardrail_zone each size=1m key=$arg_k;
    guardrail_zone variable size=1m key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
HTTP
    server => zone_views(qw(rates given other level each variable))
              . <<'SERVER');
    location /requests {
        guardrail_tenant $http_x_user;
        guardrail_quota rates requests 3/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /secret {
        guardrail_tenant $http_x_api_key;
        guardrail_quota rates requests 10/1h;
        guardrail_quota given requests 10/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /records {
        guardrail_tenant $http_x_user;
        guardrail_quota rates records 5/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /bytes {
        guardrail_tenant $http_x_user;
        guardrail_quota rates bytes 1000/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /decoded {
        guardrail_tenant $http_x_user;
        guardrail_quota rates decoded 1000/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_tenant $http_x_user;
        guardrail_quota rates requests 3/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /other {
        guardrail_quota other requests 1000/1h;
        proxy_pass http://%%BACKEND%%;
    }

    location /concurrency {
        guardrail_quota level concurrency 2;
        proxy_pass http://%%HELD%%;
    }

    location /uploads {
        guardrail_quota level uploads 1;
        proxy_pass http://%%BACKEND%%;
    }

    location /memory {
        guardrail_quota level memory 1000;
        proxy_pass http://%%HELD%%;
    }

    location /each {
        guardrail_quota each concurrency 3 queue=9 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /variable {
        set $n 7;
        guardrail_quota variable concurrency $n;
        proxy_pass http://%%HELD%%;
    }
SERVER

sub view { return zone($t, $_[0])->{view} }
sub as   { return (headers => ['X-User', $_[0]]) }

sub row {
    my ($zone, $name) = @_;
    my @rows = grep { $_->{name} eq $name } @{ view($zone)->{rows} };

    return $rows[0];
}

sub refusals { return view($_[0])->{refusals}{$_[1]} }

# rates, by item

$t->get('/requests', as('acme')) for 1 .. 3;

my $row = row('rates', 'acme');

is_deeply([@$row{qw(hashed waiting permille)}], [0, 0, 1000], 'all is used');
is($row->{used}[0], 3, 'three');
is($row->{limits}[0], 3, 'of three');
is(refusals('rates', 'requests-3600s'), 0, 'none was refused');

is($t->get('/requests', as('acme'))->status, 429, 'one more') for 1 .. 2;
is(refusals('rates', 'requests-3600s'), 2, 'is counted');

is($t->get('/dry', as('acme'))->status, 200, 'passes in dry_run');
is(refusals('rates', 'requests-3600s'), 3, 'and is counted');

is($t->post('/records', "{}\n" x 6, type => 'application/x-ndjson',
            as('rows'))->status, 413, 'more records than the limit');
is($t->post('/bytes', 'x' x 600, as('wire'))->status, 200, 'bytes');
is($t->post('/bytes', 'x' x 600, as('wire'))->status, 429, 'more bytes');
is($t->post('/decoded', 'x' x 600, as('plain'))->status, 200, 'decoded');
is($t->post('/decoded', 'x' x 600, as('plain'))->status, 429, 'more of them');

is(refusals('rates', $_), 1, "refusals of $_")
    for qw(records-3600s bytes-3600s decoded-3600s);

is(row('rates', 'wire')->{used}[2], 600, 'what bytes one has used');

# the heaviest first

my @shares = map { $_->{permille} } @{ view('rates')->{rows} };

is_deeply(\@shares, [sort { $b <=> $a } @shares], 'in order');

# names as the log has them

$t->get('/requests', as("a\"b\\c\xe4"));
ok(row('rates', 'a\\x22b\\x5Cc\\xE4'), 'a name is escaped');

$t->get('/requests', as('y' x 64));
ok(row('rates', 'y' x 64), 'one of 64 bytes is shown');

$t->get('/requests', as('z' x 65));

my @hashed = grep { $_->{hashed} } @{ view('rates')->{rows} };

is(scalar @hashed, 1, 'a longer one is not');
like($hashed[0]{name}, qr/^[0-9a-f]{16}$/, 'but its hash');

$t->get('/other?k=10.0.0.1');
ok(row('other', '10.0.0.1'), 'a key that is no tenant');

is(view('rates')->{entries}, scalar @{ view('rates')->{rows} }, 'all keys');
cmp_ok(view('rates')->{capacity}, '>', 6000, 'of so many');

# secrets

$t->get('/secret', headers => ['X-Api-Key', 'Sesame-opens-0815',
                               'X-Token', 'Abracadabra-4711']);

like($_->{name}, qr/^[0-9a-f]{16}$/, 'a secret is shown by its hash')
    for grep { $_->{hashed} } map { @{ view($_)->{rows} } } qw(rates given);

my ($row_of_given) = @{ view('given')->{rows} };

is($row_of_given->{hashed}, 1, 'a key that names a secret is one');

SKIP: {
    my $shared = shared_memory(($t->worker_pids)[0]);

    skip 'the memory of a worker cannot be read', 4 unless defined $shared;

    ok(index($shared, 'acme') >= 0, 'shared memory has a name');
    is(index($shared, 'Sesame-opens'), -1, 'a secret tenant is not in it');
    is(index($shared, 'Abracadabra'), -1, 'nor a secret key');
    is(index($shared, 'z' x 65), -1, 'nor a long one');
}

# levels, of one key

my @clients = map { open_request('/concurrency') } 1 .. 2;

$held->wait_requests(2);

is($t->get('/concurrency')->status, 503, 'concurrency');
is(refusals('level', 'concurrency'), 1, 'refusals of concurrency');
is_deeply(view('level')->{level_used}, [0, 2, 0], 'in use of the only key');
is_deeply(view('level')->{level_limits}, [1, 2, 1000], 'of so many');
is_deeply(zone($t, 'level')->{leases}, [0, 2, 0], 'leases by unit');

my $slow = $t->h1;

$slow->send("POST /uploads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
zone_is($t, 'level', { uploads => 1 }, 'a body is being read');
is($t->post('/uploads', 'xxx')->status, 503, 'uploads');
is(refusals('level', 'uploads'), 1, 'refusals of uploads');
$slow->close;

is($t->post('/memory', 'x' x 1200)->status, 413, 'more than all memory');
is(refusals('level', 'memory'), 1, 'refusals of memory');

push @clients, open_request('/memory', 'x' x 800);
$held->wait_requests(3);

is($t->post('/memory', 'x' x 300)->status, 503, 'memory');
is(refusals('level', 'memory'), 2, 'one more');
is(view('level')->{memory}, 800, 'leased memory');

# of many keys

push @clients, map { open_request("/each?k=$_") } 'a', ('b') x 5;
$held->wait_requests(7);
zone_is($t, 'each', { waiting => 2 }, 'two wait');

is(view('each')->{waiting}, 2, 'so many wait');
is_deeply([@{ row('each', 'b') }{qw(waiting permille)}], [2, 1000],
    'of the one who uses all');
is_deeply(row('each', 'a')->{level_used}, [0, 1, 0], 'the other one');
is_deeply(row('each', 'a')->{level_limits}, [0, 3, 0], 'of so many');
is(view('each')->{constant}, 0, 'its key is none of the configuration');

# a LIMIT that the configuration does not tell

push @clients, open_request('/variable');
$held->wait_requests(8);
is_deeply(view('variable')->{level_limits}, [0, 7, 0], 'of a variable');
is_deeply(view('variable')->{level_used}, [0, 1, 0], 'one');

# the state file

cmp_ok(view('rates')->{state_age}, '>=', 0, 'the age of a state');
is(view('other')->{state_age}, -1, 'no state');

$held->set(hold => 0);
$held->release;
$_->read for @clients;
zone_is_quiet($t, $_) for qw(level each variable);

$t->done;


sub open_request {
    my ($uri, $body) = @_;
    my $c = $t->h1;

    $body //= '';
    $c->send("POST $uri HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             . "Content-Length: " . length($body) . "\r\n\r\n$body");

    return $c;
}


# all memory that processes of nginx share, undef if it may not be read

sub shared_memory {
    my ($pid) = @_;
    my $all = '';

    open my $maps, '<', "/proc/$pid/maps" or return;
    open my $mem, '<:raw', "/proc/$pid/mem" or return;

    while (<$maps>) {
        my ($from, $to) = m,^([0-9a-f]+)-([0-9a-f]+) rw-s .*/dev/zero,
            or next;

        no warnings 'portable';
        ($from, $to) = (hex $from, hex $to);

        sysseek $mem, $from, 0 or return;
        sysread $mem, my $part, $to - $from or return;

        $all .= $part;
    }

    return $all;
}
