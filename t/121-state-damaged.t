#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# A state file that cannot be used is ignored, with a [warn], and nginx starts:
# cut off at any length, with any byte changed, of another zone, another
# secret, a later version, empty, no file at all.  A good one takes its place.

# no-asan
# no-valgrind

use strict;
use warnings;

use lib 't/lib';

use POSIX ();

use Guardrail::Test;
use Guardrail::TestModule;

my $t = Guardrail::Test->new;
my $backend = $t->backend;
my $dir = $t->dir;
my $file = "$dir/z.state";

sub conf {
    my ($http) = @_;

    return (http => <<HTTP, server => <<'SERVER');
    guardrail_zone z size=256k rates=1 state=%%DIR%%/z.state;
    $http
HTTP
    guardrail on;
    guardrail_tenant $arg_t;
    guardrail_quota z requests 3/1d;

    location / {
        proxy_pass http://%%BACKEND%%;
    }
SERVER
}

# a good one, in which a tenant has used all it may

$t->start(conf(''));

is($t->get('/?t=a')->status, 200, 'a request') for 1 .. 3;
is($t->get('/?t=a')->status, 429, 'one too many');

ok($t->stop, 'stopped');

my $good = read_file($file);
my $size = length $good;

cmp_ok($size, '<', 400, 'a small file');

# Each way to damage it is a zone of its own, since damage is found before it
# is known whose file it is; a file that passes would be "that of another
# zone".

my (@bad, @whole);

push @bad, substr($good, 0, $_) for 0 .. $size - 1;

for my $i (0 .. $size - 1) {
    my $text = $good;

    substr($text, $i, 1) = chr(ord(substr $text, $i, 1) ^ 1 << $i % 8);

    # nobody reads what is behind the checksum

    push @bad, $text if $i < $size - 4;
}

push @bad, $good . "\0";
push @bad, $good . $good;
push @bad, substr($good, 0, $size - 24) . substr($good, -24 - 48, 48)
           . substr($good, -24);
push @bad, "\0" x $size;
push @bad, "\xff" x $size;
push @bad, 'x' x 100_000;

sub said { return grep { /is ignored/ } split /^/, read_file("$dir/error.log") }

sub ignored {
    my (@files) = @_;
    my $zones = '';

    $t->file("bad.$_", $files[$_]) for 0 .. $#files;

    $zones .= "guardrail_zone b$_ size=256k rates=1 state=$dir/bad.$_;\n"
        for 0 .. $#files;

    my ($ok, $text) = $t->nginx_t(http => $zones);

    return ($ok, $text =~ /\[warn\]\ the\ state\ file\ "\S+"\ is\ ignored,
                           \ zone\ "\w+"\ starts\ empty:\ (.*)/gx);
}

while (my @part = splice @bad, 0, 200) {
    my ($ok, @why) = ignored(@part);

    ok($ok, 'nginx -t is successful');
    is(scalar @why, scalar @part, 'a [warn] for each');
    is((grep { /another zone|secret/ } @why), 0, 'each was found damaged');
}

my ($ok, $why) = ignored($good);

is($why, 'it is that of another zone', 'another zone');

# the version is the number behind the magic one

my $later = $good;

substr($later, 8, 4) = pack 'L', 2;

($ok, $why) = ignored($later);

is($why, 'a later version of the module has written it', 'a later version');

# and for each kind nginx starts, counts anew, and writes a good one

my %kind = (
    'cut off'        => [substr($good, 0, -1),
                         'it was not written to its end'],
    'empty'          => ['', 'it is too short'],
    'a bit of it'    => [substr($good, 0, 210)
                         . chr(1 ^ ord substr $good, 210, 1)
                         . substr($good, 211), 'its checksum is wrong'],
    'a later one'    => [$later,
                         'a later version of the module has written it'],
    'something else' => ['x' x 1000, 'it is not one of this module on this '
                         . 'kind of machine'],
    'made later'     => [substr($good, 0, 47) . "\x7f" . substr($good, 48),
                         'its checksum is wrong'],
);

for my $name (sort keys %kind) {
    my ($text, $why) = @{$kind{$name}};
    my $log = () = said();

    $t->file('z.state', $text);
    $t->start(conf(''));

    my @lines = said();

    is(@lines - $log, 1, "$name: one line");
    like($lines[-1], qr/\[warn\].*"\Q$file\E" is ignored, zone "z" starts/,
         'a warning');
    like($lines[-1], qr/ empty: \Q$why\E$/, 'which says why');

    is($t->get('/?t=a')->status, 200, 'the zone is empty') for 1 .. 3;

    ok(wait_until { read_file($file) ne $text }, 'another takes its place');
    ok($t->stop, 'stopped');

    $t->start(conf(''));
    is($t->get('/?t=a')->status, 429, 'which is good');
    ok($t->stop, 'stopped');
}

# another secret than the file's

my @secret = map { $t->file("secret.$_", $_ x 16 . "\n") } 'a', 'b';

sub starts {
    my ($http, $name, $status, $why) = @_;
    my $log = () = said();

    $t->start(conf($http));

    my @lines = said();

    is(@lines - $log, $why ? 1 : 0, "$name: what is said");
    like($lines[-1], qr/: its keys were hashed under another secret/, 'why')
        if $why;

    is($t->get('/?t=a')->status, $status, $name);
    $t->get('/?t=a') for 1 .. 3;

    ok($t->stop, 'stopped');
}

$t->file('z.state', $good);

starts('', 'the random secret of before', 429);
starts("guardrail_secret $secret[0];", 'a secret in a file', 200, 1);
starts("guardrail_secret $secret[0];", 'the same', 429);
starts("guardrail_secret $secret[1];", 'another one', 200, 1);
starts("guardrail_secret $secret[1];", 'the same', 429);
starts('', 'none', 200, 1);
starts('', 'the same', 429);

unlike(read_file($file), qr/bbbb/, 'the secret of a file is not in it');

# a directory in its place, and a pipe: nobody waits for a writer

unlink $file;
mkdir $file;

$t->start(conf(''));

like(($t->log_lines(qr/is ignored/))[-1], qr/: it is no regular file/,
     'a directory');
is($t->get('/?t=a')->status, 200, 'nginx serves');

ok($t->wait_log(qr/\[error\].* the state of zone "z" cannot be written: /),
   'it is not replaced');
ok($t->wait_log(qr/: rename\(\) "\S+" failed \(21: Is a directory\)/), 'why');
ok(!-e "$file.tmp", 'nothing is left beside it');

ok($t->stop, 'stopped');

rmdir $file;
POSIX::mkfifo($file, 0600);

$t->start(conf(''));

like(($t->log_lines(qr/is ignored/))[-1], qr/: it is no regular file/,
     'a pipe');
is($t->get('/?t=a')->status, 200, 'nginx serves');

ok(wait_until { -f $file }, 'it is replaced');

# a directory that is not there: nginx serves, says so once, and tries again

ok($t->stop, 'stopped');

my @later = (main => load_test_module, http => <<'HTTP', server => <<'SERVER');
    guardrail_zone z size=256k state=%%DIR%%/none/z.state;
HTTP
    guardrail on;
    guardrail_quota z requests 3/1d;

    location / {
        proxy_pass http://%%BACKEND%%;
    }

    location /later {
        guardrail off;
        test_later 10s;
    }
SERVER

$t->start(@later);

my $cannot = qr/\[error\].* cannot be written: open\(\) .* \(2: No such/;

ok($t->wait_log($cannot), 'it is said');
is($t->get('/')->status, 200, 'a request') for 1 .. 3;
is($t->get('/later')->status, 204, 'later') for 1 .. 3;
is($t->get('/')->status, 429, 'it is counted');

mkdir "$dir/none";

ok(wait_until {
    $t->get('/later');

    return -s "$dir/none/z.state";
}, 'it is written when it can be');

is(scalar(my @said = $t->log_lines($cannot)), 1, 'it was said once');

# what somebody has put where the file is made is not followed

ok($t->stop, 'stopped');

$t->file('precious', 'x');
symlink "$dir/precious", "$file.tmp";
unlink $file;

$t->start(conf(''));

ok(wait_until { -s $file }, 'written');
is(read_file("$dir/precious"), 'x', 'a link was not followed');
is((stat $file)[2] & 07777, 0600, 'mode 0600');

# nginx -t writes nothing

ok($t->stop, 'stopped');

unlink $file;

is(($t->nginx_t(conf('')))[0], 1, 'nginx -t');
ok(!-e $file && !-e "$file.tmp", 'has written nothing');

$t->file('z.state', 'x');

my ($good_conf, $text) = $t->nginx_t(conf(''));

ok($good_conf, 'nginx -t with a bad file');
like($text, qr/\[warn\].*it is too short/, 'warns');
is(read_file($file), 'x', 'and leaves it alone');

$t->done;
