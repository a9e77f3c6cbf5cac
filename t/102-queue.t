#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Requests that wait for a level: in the order in which they came, over two
# workers, for as long as they are told, and holding nothing meanwhile.

use strict;
use warnings;

use lib 't/lib';

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new(workers => 2);
my $held = $t->backend(name => 'HELD', hold => 1);
my $other = $t->backend(name => 'OTHER', hold => 1);

$t->start(main => load_test_module, http => <<'HTTP',
    guardrail_zone a size=256k key=$arg_k;
    guardrail_zone b size=256k key=all;
    guardrail_zone m size=256k key=all;
    guardrail on;
    guardrail_max_body 1m;
    proxy_http_version 1.1;
    log_format q '$uri $status $guardrail_verdict $guardrail_queue_time';
    access_log %%DIR%%/q.log q;
HTTP
    server => zone_views(qw(a b m)) . <<'SERVER');
    location /one {
        guardrail_quota b concurrency 1 queue=20 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /short {
        guardrail_quota b concurrency 1 queue=20 timeout=100ms;
        proxy_pass http://%%HELD%%;
    }

    location /few {
        guardrail_quota b concurrency 1 queue=1 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /dry {
        guardrail dry_run;
        guardrail_quota b concurrency 1 queue=20 timeout=60s;
        proxy_pass http://%%OTHER%%;
    }

    location /both {
        guardrail_quota a concurrency 1 queue=20 timeout=60s;
        guardrail_quota b concurrency 1 queue=20 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /first {
        guardrail_quota a concurrency 1 queue=20 timeout=60s;
        proxy_pass http://%%OTHER%%;
    }

    location /strict {
        guardrail_quota a concurrency 1;
        guardrail_quota b concurrency 1 queue=20 timeout=1h;
        proxy_pass http://%%HELD%%;
    }

    location /mem {
        guardrail_quota m memory 1000 queue=20 timeout=60s;
        proxy_pass http://%%HELD%%;
    }

    location /mem-short {
        guardrail_quota m memory 1000 queue=20 timeout=100ms;
        proxy_pass http://%%HELD%%;
    }

    location /never {
        guardrail_quota b concurrency 1 queue=20 timeout=60s;
        guardrail_quota m memory 1000 queue=20 timeout=60s;
        proxy_pass http://%%HELD%%;
    }
SERVER

my @framings = qw(cl h2 chunked h2-cl);
my $waiting = 0;

sub begin {
    my ($uri, $body, $f) = @_;

    $f ||= 'cl';

    my $c = $f =~ /h2/ ? $t->h2 : $t->h1;
    my $id = $c->request(defined $body ? 'POST' : 'GET', $uri, $body,
                         framing => $f, read => 0);

    return { c => $c, id => $f =~ /h2/ ? $id : undef };
}

sub status {
    my ($p) = @_;

    return (defined $p->{id} ? $p->{c}->read($p->{id}) : $p->{c}->read)
           ->status;
}

# starts one, and waits until it stands in line

sub wait_in {
    my ($zone, $n, @args) = @_;
    my $p = begin(@args);

    zone_is($t, $zone, { waiting => $n }, "$n wait in $zone");

    return $p;
}

sub hold_one {
    my ($uri, $body) = @_;
    my $n = $held->requests;
    my $p = begin($uri, $body);

    $held->wait_requests($n + 1);

    return $p;
}

sub serve {
    my ($peer, $n) = @_;

    $peer->wait_requests($n);
    $peer->release;
}

# one at a time, in the order of arrival

my $first = hold_one('/one?0');
my @line = map { wait_in('b', $_, "/one?$_", $_ % 3 ? 'body' : undef,
                         $framings[$_ % 4]) } 1 .. 12;

is($t->get('/few?refused')->status, 503, 'the line of another location is'
   . ' full: it is one line');
zone_is($t, 'b', { concurrency => 1, waiting => 12 }, 'nobody else');

serve_turn($held, $_) for 1 .. 13;

is(join(' ', map { status($_) } $first, @line), join(' ', (200) x 13),
   'all are served');
served_in_order($held, join(' ', 0 .. 12), 'in the order in which they came');
zone_is_quiet($t, 'b');
$held->clear;

# one who is there stays in front of those who come when it becomes free

$first = hold_one('/one?0');

my $last = wait_in('b', 1, '/few?1');

is($t->get('/few?2')->status, 503, 'one may wait, the second is refused');
serve_turn($held, 1);

my $new = begin('/one?3');

serve_turn($held, $_) for 2, 3;
is(join(' ', map { status($_) } $first, $last, $new), '200 200 200',
   'all are served');
served_in_order($held, '0 1 3', 'in order');
zone_is_quiet($t, 'b');
$held->clear;

# a deadline

$first = hold_one('/one');

my $r = $t->post('/short', 'body');

is($r->status, 503, 'it has waited as long as it may');
is($r->header('retry-after'), 1, 'Retry-After');
is($r->json->{reason}, 'quota_concurrency', 'reason');
ok($r->conn->open, 'the connection is kept');
zone_is($t, 'b', { concurrency => 1, waiting => 0, timeouts => 1 },
        'its place is free');

my $line = wait_until { (grep { /short/ } $t->access_log('q.log'))[0] };

ok($line =~ / 503 reject (\d+\.\d+)/ && $1 >= 0.09, "the time is told: $line");

my $dry = begin('/dry');

$other->wait_requests(1);
is(scalar $other->requests, 1, 'dry_run does not wait');
$other->release;
is(status($dry), 200, 'the backend has it');
$other->clear;
serve($held, 1);
is(status($first), 200, 'the first is served');
zone_is_quiet($t, 'b');
$held->clear;

# clients that leave while they wait, however they do it

my $n = zone($t, 'b')->{abandoned};

for my $how (qw(close reset h2-close h2-rst)) {
    for my $uri (qw(/one /short)) {
        $first = hold_one('/one');

        my $was = zone($t, 'b')->{timeouts};
        my $p = begin($uri, 'body', $how =~ /h2/ ? 'h2' : 'cl');
        my $behind;

        # it must have come to the line, or it would be served when it is free

        ok((wait_until {
            my $zone = zone($t, 'b');

            return $zone->{waiting} || $zone->{timeouts} > $was;
        }), "$how $uri: in line");

        zone_is($t, 'b', { waiting => 1 }, "$how: waits") if $uri eq '/one';
        $behind = wait_in('b', 2, '/one?behind') if $uri eq '/one';

        if ($how eq 'h2-rst') {
            $p->{c}->rst($p->{id});

        } elsif ($how eq 'reset') {
            $p->{c}->reset;

        } else {
            $p->{c}->close;
        }

        zone_is($t, 'b', { waiting => 1, concurrency => 1 },
                "$how $uri: its place is free") if $behind;
        serve($held, 1);
        is(status($first), 200, 'the one before it');

        if ($behind) {
            serve($held, 2);
            is(status($behind), 200, 'the one behind it');
        }

        # its timer would have come by now

        sleep 1 if $uri eq '/short';
        zone_is_quiet($t, 'b');
        $held->clear;
    }
}

cmp_ok(zone($t, 'b')->{abandoned}, '>=', $n + 4, 'they are counted');

# one whose turn comes and that is refused by a level without a line: its
# timer, far away, must not outlive it

$first = hold_one('/one');

my $strict = wait_in('b', 1, '/strict?k=s', 'body');

my $block = begin('/first?k=s');

$other->wait_requests(1);
serve($held, 1);
is(status($first), 200, 'the first is served');
is(status($strict), 503, 'the first level is full, and has no line');
$other->release;
is(status($block), 200, 'the one in its way');
zone_is_quiet($t, $_) for qw(a b);
$_->clear for $held, $other;

# a request that waits holds nothing: the tenant's own level stays free

$first = hold_one('/one');

my $both = wait_in('b', 1, '/both?k=x');

zone_is($t, 'a', { concurrency => 0, waiting => 0 },
        'it waits for the second, and does not hold the first');

$block = begin('/first?k=x');
$other->wait_requests(1);

my $late = wait_in('a', 1, '/first?k=x&late');

# its turn at the second comes; it came before the one that waits here

serve($held, 1);
is(status($first), 200, 'the first is served');
zone_is($t, 'a', { concurrency => 1, waiting => 2 },
        'it waits at the first level now');
zone_is($t, 'b', { concurrency => 0, waiting => 0 },
        'and holds nothing of the second');

$first = hold_one('/one?meanwhile');
serve($held, 2);
is(status($first), 200, 'others are served meanwhile');

serve($other, 1);
is(status($block), 200, 'the one in its way');
$held->wait_requests(3);
is(($held->requests)[2]{uri}, '/both?k=x',
   'it has the place that it got first');
is(scalar $other->requests, 1, 'who came later waits');
$held->release;
is(status($both), 200, 'served');
serve($other, 2);
is(status($late), 200, 'and then the other');
zone_is_quiet($t, $_) for qw(a b);
$_->clear for $held, $other;

# memory: small ones do not pass large ones, those without any do

$first = hold_one('/mem?0', 'x' x 600);

my @mem = (wait_in('m', 1, '/mem?1', 'x' x 900),
           wait_in('m', 2, '/mem?2', 'x' x 100));

my $get = begin('/mem?get');

$held->wait_requests(2);
is(($held->requests)[1]{uri}, '/mem?get', 'what needs nothing does not wait');

is($t->post('/mem', 'x' x 1001)->status, 413, 'what can never fit neither');
is($t->post('/mem-short', 'x' x 100)->status, 503,
   'a small one waits behind a large one until its time is over');

$held->release;
is(join(' ', map { status($_) } $first, $get), '200 200', 'served');
$held->wait_requests(4);

# granted at one time, to two workers: either may reach the backend first

is(join(' ', sort map { $_->{uri} =~ s/.*\?//r } ($held->requests)[2, 3]),
   '1 2', 'both fit now');
$held->release;
is(join(' ', map { status($_) } @mem), '200 200', 'served');
zone_is_quiet($t, 'm');
$held->clear;

# nothing waits for what can never fit

$first = hold_one('/one');
is($t->post('/never', 'x' x 1001, timeout => 10)->status, 413,
   'refused by the second level, not made to wait for the first');
serve($held, 1);
is(status($first), 200, 'served');
zone_is_quiet($t, $_) for qw(a b m);

$t->done;
