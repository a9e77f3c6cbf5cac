#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# What the guard costs.  Two nginx run side by side, the same program with the
# same settings, one with the module and one without it.  Load goes to one and
# the other in turn, in slices of a few milliseconds (POSTs) to a fraction of a
# second, so that what else the machine does hits both.  What is printed is
# medians.
#
# One worker each, both on the first processor; clients and backend are on the
# second.  Called by t/tools/bench.sh, which makes what this needs.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

use Guardrail::Client;
use Guardrail::Nginx;
use Guardrail::Util qw(read_file root);

use constant MISSED => 'MISSED';

chdir root or die;

my $quick = grep { $_ eq '--quick' } @ARGV;
my %group = map { $_ => 1 } grep { $_ ne '--quick' } @ARGV;

%group = map { $_ => 1 }
         qw(posts uploads content bombs fairness scan quota quotas)
    unless %group;

my $data = 'build/bench';

# Bodies that are stored go to memory, else the disk would be measured.

my $dir = tempdir('guardrail-bench-XXXXXXXX',
                  DIR => -w '/dev/shm' ? '/dev/shm' : $ENV{TMPDIR} // '/tmp');
my $owner = $$;
my ($core, $other) = cores();
my (%server, %pid, $backend, $missed, @children);

# samples{name}{server} = [ { .. }, .. ]

my %samples;

# What is uploaded, in which format, with what else in the head.

my @binary = ('Content-Type: application/octet-stream');
my @ndjson = ('Content-Type: application/x-ndjson');
my @gzip = ('Content-Encoding: gzip');

# Small requests: name, location, body, type, requests in a slice, slices.

my @posts = (
    ['1 KiB JSON', '/any', '1k.json', 'application/json', 100, 140],
    ['64 KiB NDJSON', '/records', '64k.ndjson', 'application/x-ndjson', 40,
     60],
);

# Without a type whose records are counted nothing but bytes is.  The last word
# is how often: what costs little varies most.

my @uploads = (
    ['identity', '/any', 'body.ndjson', \@binary, 1],
    ['identity, records', '/records', 'body.ndjson', \@ndjson, 1],
    ['identity, unbuffered', '/any/unbuffered', 'body.ndjson', \@binary, 3],
    ['identity, records, unbuffered', '/records/unbuffered', 'body.ndjson',
     \@ndjson, 3],
    ['gzip', '/any', 'body.ndjson.gz', [@binary, @gzip], 1],
    ['gzip, records', '/records', 'body.ndjson.gz', [@ndjson, @gzip], 1],
);

# What looks into a body costs what it costs: there is no bar for it.

my @contents = (
    ['JSON shape', '/shape', 'body.ndjson', \@ndjson, 1],
    ['JSON shape, strict', '/strict', 'body.ndjson', \@ndjson, 1],
    ['memory estimate', '/memory', 'body.ndjson', \@ndjson, 1],
    ['CSV, records', '/records', 'body.csv', ['Content-Type: text/csv'], 1],
    ['br', '/any', 'body.ndjson.br',
     [@binary, 'Content-Encoding: br'], 1],
    ['zstd', '/any', 'body.ndjson.zst',
     [@binary, 'Content-Encoding: zstd'], 1],
    ['gzip, decoded for the backend', '/decode', 'body.ndjson.gz',
     [@binary, @gzip], 1],
);

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';
$| = 1;

main();
exit 0;


END {
    if (defined $owner && $$ == $owner) {
        my $status = $?;

        stop_servers();
        kill 'TERM', @children, $backend ? $backend->{pid} : ();
        waitpid $_, 0 for @children, $backend ? $backend->{pid} : ();
        remove_tree($dir) if $dir;

        $? = $status;
    }
}


sub main {
    my $began = time;
    my $rounds = $quick ? 2 : 6;

    # others on this machine are to disturb less; no matter if it fails

    eval { setpriority 0, 0, -15 };

    start_backend();

    # Another process has its code and data at other addresses, which can be
    # worth a per cent or two.

    for my $round ($group{posts} ? 1 .. $rounds * 2 - 2 : ()) {
        start_servers();
        posts($round);
        stop_servers();
    }

    for my $round ($group{uploads} || $group{bombs} || $group{content}
                   ? 1 .. $rounds : ())
    {
        start_servers();

        uploads($quick ? 1 : 4, @uploads) if $group{uploads};
        uploads(1, @contents) if $group{content};
        bombs($quick ? 20 : 30) if $group{bombs};

        stop_servers();
    }

    machine();

    report_posts() if $group{posts};
    report_uploads() if $group{uploads};
    report_contents() if $group{content};
    report_bombs() if $group{bombs};
    fairness() if $group{fairness};
    scan() if $group{scan};
    quota() if $group{quota};
    quotas() if $group{quotas};

    printf "\n%s, %.0f seconds\n",
           $missed ? "$missed of the bars MISSED" : 'all bars met',
           time - $began;
}


# --- nginx ------------------------------------------------------------------

sub config {
    my ($guarded) = @_;
    my $text = <<'CONF';
%%GLOBALS%%

events {
    worker_connections  1024;
}

http {
    access_log                off;
    sendfile                  on;
    tcp_nopush                on;
    keepalive_requests        1000000000;
    client_max_body_size      200m;
    client_body_buffer_size   128k;
    client_body_temp_path     %%TEMP%%/body;
    proxy_temp_path           %%TEMP%%/proxy;
    fastcgi_temp_path         %%TEMP%%/fastcgi;
    uwsgi_temp_path           %%TEMP%%/uwsgi;
    scgi_temp_path            %%TEMP%%/scgi;
    proxy_http_version        1.1;
    proxy_set_header          Connection "";

    upstream backend {
        server                127.0.0.1:%%BACKEND%%;
        keepalive             64;
        keepalive_requests    1000000000;
    }

    server {
        listen                127.0.0.1:%%PORT%%;

        guardrail on;
        guardrail_encodings gzip deflate br zstd;

        location /any {
            proxy_pass        http://backend;
        }

        location /records {
            guardrail_max_records      10000000;
            guardrail_max_record_size  1m;
            proxy_pass        http://backend;
        }

        location /shape {
            guardrail_json             depth=32 keys=1000 items=100000
                                       tokens=10000 string=64k;
            proxy_pass        http://backend;
        }

        location /strict {
            guardrail_json             strict=on;
            proxy_pass        http://backend;
        }

        location /memory {
            guardrail_max_memory       64g;
            proxy_pass        http://backend;
        }

        location /decode {
            guardrail_decode           on;
            proxy_pass        http://backend;
        }

        location /any/unbuffered {
            guardrail_buffering        off;
            proxy_request_buffering    off;
            proxy_pass        http://backend;
        }

        location /records/unbuffered {
            guardrail_buffering        off;
            guardrail_max_records      10000000;
            guardrail_max_record_size  1m;
            proxy_request_buffering    off;
            proxy_pass        http://backend;
        }

        location /unlimited {
            guardrail_max_ratio        off;
            guardrail_max_decoded      0;
            proxy_pass        http://backend;
        }

        location /judged {
            guardrail_max_ratio        off;
            guardrail_max_decoded      0;
            proxy_pass_request_body    off;
            proxy_set_header           Content-Length "";
            proxy_pass        http://backend;
        }

        location /get {
            return            200 "ok\n";
        }
    }
}
CONF

    $text =~ s/^ *guardrail[^;]*;\n//gm unless $guarded;

    return $text;
}


# "same" is one more nginx without the module: its ratio to the first one is
# what the noise of this machine and this run looks like

sub start_servers {
    for my $name (shuffle(qw(plain same guarded))) {
        my $guarded = ($name eq 'guarded');
        my $nginx = Guardrail::Nginx->new(module => $guarded);

        $server{$name} = $nginx;

        mkdir "$dir/$name";
        $nginx->define(TEMP => "$dir/$name");
        $nginx->define(BACKEND => $backend->{port});
        $nginx->start(config($guarded));

        ($pid{$name}) = $nginx->worker_pids;
        pin($core, $pid{$name});
    }
}


sub stop_servers {
    for my $name (keys %server) {
        my $nginx = delete $server{$name};

        $nginx->kill_all;
        $nginx->remove;
    }
}


sub port { return $server{$_[0]}->port }


sub start_backend {
    my $child = open my $out, '-|', "$data/backend" or die "backend: $!\n";
    my $port = <$out> // die "the backend did not start\n";

    pin($other, $child);
    $backend = { pid => $child, port => $port + 0, out => $out };
}


# connections, requests and bytes of bodies that the backend has seen

sub counters {
    my $sock = connection($backend->{port});

    return split ' ', get($sock, '/counters');
}


# --- measuring --------------------------------------------------------------

sub cores {
    my ($list) = `taskset -pc $$` =~ /: (\S+)$/;
    my @cores = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list // 0;

    warn "one processor only: clients and nginx share it\n" if @cores < 2;

    return ($cores[0], $cores[1] // $cores[0]);
}


sub pin {
    my ($n, $process) = @_;

    system("taskset -pc $n $process > /dev/null") == 0 or die "taskset\n";
}


# nanoseconds of processor time

sub cpu {
    my ($process) = @_;

    return $1 if read_file("/proc/$process/schedstat") =~ /^(\d+) /;

    my @stat = split ' ', read_file("/proc/$process/stat") =~ s/.*\) //r;

    return ($stat[11] + $stat[12]) * 1e9 / POSIX::sysconf(POSIX::_SC_CLK_TCK);
}


# the highest resident size, in KiB, since the last reset

sub peak {
    return read_file("/proc/$_[0]/status") =~ /^VmHWM:\s*(\d+)/m ? $1 : 0;
}


sub reset_peak {
    open my $fh, '>', "/proc/$_[0]/clear_refs" or return;
    print $fh '5';
    close $fh;
}


# Runs code that puts load on a server; a sample of what that cost.

sub sample {
    my ($name, $to, $code) = @_;
    my $process = $pid{$to};

    reset_peak($process);

    my ($cpu, $start) = (cpu($process), time);
    my $n = $code->();
    my $elapsed = time - $start;

    # what is left to do once the answer is out

    sleep 0.005;

    push @{$samples{$name}{$to}}, {
        cpu     => (cpu($process) - $cpu) / $n,
        rate    => $n / $elapsed,
        peak    => peak($process),
    };
}


sub median {
    my @list = sort { $a <=> $b } @_;

    return @list % 2 ? $list[$#list / 2]
                     : ($list[@list / 2 - 1] + $list[@list / 2]) / 2;
}


sub max { return (sort { $b <=> $a } @_)[0] }
sub min { return (sort { $a <=> $b } @_)[0] }


sub field {
    my ($name, $to, $key) = @_;

    return map { $_->{$key} } @{$samples{$name}{$to}};
}


# The median of the ratios of slices that ran one after the other.  What else
# the machine does changes more slowly than that.

sub ratio {
    my ($name, $key, $to) = @_;
    my @x = field($name, $to // 'guarded', $key);
    my @y = field($name, 'plain', $key);

    return median(map { $x[$_] / $y[$_] } 0 .. $#x);
}


sub shuffle {
    my @list = @_;

    return map { splice @list, rand @list, 1 } 0 .. $#list;
}


# --- load -------------------------------------------------------------------

sub output {
    my (@command) = @_;
    my $child = open my $fh, '-|', 'taskset', '-c', $other, 'timeout', 60,
                     @command
        or die "$command[0]: $!\n";
    my $text = do { local $/; <$fh> } // '';

    close $fh or die "$command[0] failed\n$text";

    return $text;
}


sub curl {
    my ($port, $uri, $body, $head) = @_;

    return ('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}\n',
            '-X', 'POST', '-H', 'Expect:', map({ ('-H', $_) } @$head),
            '-T', "$data/$body", "http://127.0.0.1:$port$uri");
}


sub upload {
    my ($port, $uri, $body, $head) = @_;
    my $status = output(curl($port, $uri, $body, $head));

    die "upload to $uri: $status" if $status !~ /^200$/;

    return 1;
}


sub connection {
    my ($port) = @_;
    my $sock = IO::Socket::INET->new("127.0.0.1:$port")
        or die "connect: $!\n";

    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;

    return $sock;
}


sub get {
    my ($sock, $uri) = @_;
    my $answer = '';

    syswrite $sock, "GET $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";

    while (sysread $sock, $answer, 4096, length $answer) {
        next unless $answer =~ /\r\n\r\n/;

        my ($length) = $answer =~ /^Content-Length: (\d+)/mi;

        return $1 if $answer =~ /\r\n\r\n(.{$length})\z/s;
    }

    die "no answer\n";
}


# --- groups -----------------------------------------------------------------

# Slices are so short, and so many, since this machine may be half as fast in
# the next tenth of a second.  See posts.c for their order.

sub posts {
    my ($seed) = @_;
    my @names = sort keys %server;

    reset_peak($pid{$_}) for @names;

    for my $post (@posts) {
        my ($name, $uri, $body, $type, $n, $slices) = @$post;
        my $out = output("$data/posts", $seed, $quick ? $slices / 2 : $slices,
                         $n, 16, $uri, $type, "$data/$body",
                         map { port($_) . ":$pid{$_}" } @names);

        for my $line (split /\n/, $out) {
            my ($i, $elapsed, $cpu) = split ' ', $line;

            push @{$samples{$name}{$names[$i]}}, {
                cpu     => $cpu / $n,
                rate    => $n * 1e9 / $elapsed,
                peak    => 0,
            };
        }

        $samples{$name}{$_}[-1]{peak} = peak($pid{$_}) for @names;
    }
}


sub uploads {
    my ($times, @list) = @_;

    for (1 .. $times) {
        for my $upload (map { ($_) x $_->[4] } @list) {
            my ($name, $uri, $body, $head) = @$upload;

            for my $to (shuffle(keys %server)) {
                sample($name, $to, sub {
                    upload(port($to), $uri, $body, $head);
                });
            }

            next if $name !~ /^gzip/ || $uri eq '/decode';

            zlib($name, $body, 100_000_000);
        }
    }
}


# zlib alone, up to so many bytes

sub zlib {
    my ($name, $body, $most) = @_;
    my $out = `taskset -c $core $data/inflate $data/$body $most`;

    $out =~ /^$most (\d+)$/ or die "inflate: $out\n";
    push @{$samples{$name}{zlib}}, { cpu => $1 };
}


sub bombs {
    my ($n) = @_;

    # where 200 to 1 refuses a gigabyte of zeros

    zlib('bomb', 'bomb.gz', 1_867_776) for 1 .. 5;

    for my $uri ('/any', '/any/unbuffered') {
        my @before = counters();

        sample("bomb $uri", 'guarded', sub {
            my @command = curl(port('guarded'), $uri, 'bomb.gz',
                               [@binary, @gzip]);

            for (1 .. $n) {
                my $status = output(@command);

                die "bomb to $uri: $status" if $status !~ /^413$/;
            }

            return $n;
        });

        # bytes of the last unbuffered ones may still be on their way

        sleep 0.02;

        my @after = counters();

        $samples{"bomb $uri"}{guarded}[-1]{connections} =
            ($after[0] - $before[0]) / $n;
        $samples{"bomb $uri"}{guarded}[-1]{bytes} =
            ($after[2] - $before[2]) / $n;
    }
}


# A small GET every two milliseconds, whether the ones before are answered or
# not, until the code is false: a stall must not hide the GETs that it would
# have kept waiting.  Each takes a connection that is free, or a new one.

sub gets {
    my ($port, $more) = @_;
    my (%busy, %sent, @free, @times);
    my $due = time;

    while ($more->() || %busy) {
        my $now = time;

        if ($now >= $due && $more->()) {
            my $sock = pop @free // connection($port);

            $busy{fileno $sock} = $sock;
            $sent{fileno $sock} = time;
            syswrite $sock, "GET /get HTTP/1.1\r\nHost: localhost\r\n\r\n";

            $due = max($due + 0.002, $now - 0.1);
            next;
        }

        my $bits = '';

        vec($bits, $_, 1) = 1 for keys %busy;
        select $bits, undef, undef, max(0, min($due - $now, 0.01));

        for my $fd (grep { vec $bits, $_, 1 } keys %busy) {
            my $sock = delete $busy{$fd};

            sysread $sock, my $answer, 4096 or die "no answer to a GET\n";
            $answer =~ /^HTTP.1.1 200 .*ok$/s or die "GET: $answer\n";

            push @times, (time - $sent{$fd}) * 1000;
            push @free, $sock;
        }
    }

    return sort { $a <=> $b } @times;
}


sub get_row {
    my ($what, $bar, @times) = @_;
    my $p99 = $times[$#times * 0.99];

    row($what, sprintf('%.2f', $times[$#times / 2]), sprintf('%.2f', $p99),
        sprintf('%.1f', $times[-1]), scalar @times,
        $bar ? bar($p99, '<=', $bar) : ('', ''));
}


sub fairness {
    my @zeros = ('4 x 1 GiB of zeros', 4, 4, 'bomb.gz');
    my @text = $quick ? ('12 x 100 MB of NDJSON', 12, 12, 'body.ndjson.gz')
                      : ('43 x 100 MB of NDJSON', 43, 16, 'body.ndjson.gz');

    start_servers();
    pin($other, $$);

    table('a small GET beside gzip uploads, ms', 'p50', 'p99',
          'max', 'GETs', 'bar', '');

    for my $to (qw(plain guarded)) {
        my $end = time + ($quick ? 1 : 3);

        get_row("$to, no upload", 0,
                gets(port($to), sub { return time < $end }));
    }

    for my $load (\@zeros, \@text) {
        my ($what, @load) = @$load;

        get_row("$what, judged", 5, beside('guarded', '/judged', @load));

        next if $load == \@zeros;

        get_row('  judged and passed on', 5,
                beside('guarded', '/unlimited', @load));
        get_row('  plain, passed on', 0, beside('plain', '/unlimited', @load));
    }

    stop_servers();
}


# GETs while n uploads go on, so many at a time.  The uploads share a processor
# with what times the GETs: another process starts them, and they yield to it.

sub beside {
    my ($to, $uri, $n, $most, $file) = @_;
    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        eval { setpriority 0, 0, 19 };
        POSIX::_exit(upload_all(port($to), $uri, $n, $most, $file));
    }

    push @children, $child;

    my $done = 0;
    my @times = gets(port($to), sub {
        return !($done ||= waitpid $child, WNOHANG);
    });

    die "an upload failed\n" if $?;

    @children = grep { $_ != $child } @children;

    return @times;
}


sub upload_all {
    my ($port, $uri, $n, $most, $file) = @_;
    my $body = read_file("$data/$file");
    my ($running, $failed) = (0, 0);

    while ($n || $running) {

        if ($n && $running < $most) {
            my $child = fork // return 1;

            if ($child == 0) {
                alarm 120;
                POSIX::_exit(send_body($port, $uri, \$body) ? 0 : 1);
            }

            $running++;
            $n--;
            next;
        }

        wait;
        $failed ||= $?;
        $running--;
    }

    return $failed ? 1 : 0;
}


sub send_body {
    my ($port, $uri, $body) = @_;
    my $sock = connection($port);
    my $sent = 0;
    my $answer;

    syswrite $sock, join "\r\n", "POST $uri HTTP/1.1", 'Host: localhost',
                    'Connection: close', 'Content-Length: ' . length $$body,
                    @gzip, '', '';

    while ($sent < length $$body) {
        $sent += syswrite($sock, $$body, 65536, $sent) // return;
    }

    return sysread($sock, $answer, 4096) && $answer =~ /^HTTP.1.1 200 /;
}


# --- the table --------------------------------------------------------------

sub table {
    my ($title, @columns) = @_;

    print "\n";
    row($title, @columns);
    print '-' x 79, "\n";
}


sub row {
    my ($name, @columns) = @_;
    my $width = @columns > 5 ? 8 : 10;
    my $rest = 79 - $width * @columns;
    my $line = join '', map { sprintf "%${width}s", $_ } @columns;

    # a name that is too long has its own line

    if (length $name > $rest) {
        print "$name\n";
        $name = '';
    }

    print sprintf("%-*s%s", $rest, $name, $line) =~ s/ +$//r, "\n";
}


sub bar {
    my ($value, $how, $bar) = @_;
    my $ok = $how eq '<=' ? $value <= $bar : $how eq '<' ? $value < $bar
                                                         : $value >= $bar;

    $missed++ unless $ok;

    return ("$how $bar", $ok ? 'ok' : MISSED);
}


sub us { return sprintf '%.1f', $_[0] / 1e3 }
sub ms { return sprintf '%.1f', $_[0] / 1e6 }
sub mib { return sprintf '%.1f', $_[0] / 1024 }


sub machine {
    my ($cpu) = read_file('/proc/cpuinfo') =~ /^model name\s*: (.*)$/m;
    my ($os) = read_file('/etc/os-release') =~ /^PRETTY_NAME="(.*)"$/m;
    my $nginx = $ENV{TEST_NGINX} || 'nginx';
    my ($version) = `PATH=\$PATH:/usr/sbin $nginx -v 2>&1` =~ m{(nginx/\S+)};
    my $n = () = read_file('/proc/cpuinfo') =~ /^processor/mg;

    printf "%d processors, %s, %s, %s; medians\n", $n, $cpu // 'unknown',
           $os // $^O, $version // $nginx;
}


# how far apart the two that are the same were

sub report_same {
    my (@names) = @_;

    row('  plain against itself', '', '', sprintf('%.3f',
        ratio($names[0], $names[1], 'same')), '', '');
}


sub report_posts {
    table('POST, keep-alive, 16 connections', 'plain', 'guarded', 'ratio',
          'bar', '');

    for my $post (@posts) {
        my $name = $post->[0];
        my $ratio = ratio($name, 'rate');
        my @bar = $name =~ /^1 KiB/ ? bar($ratio, '>=', 0.97) : ('', '');

        row("$name, requests/s",
            map({ sprintf '%.0f', median(field($name, $_, 'rate')) }
                qw(plain guarded)),
            sprintf('%.3f', $ratio), @bar);
        report_same($name, 'rate');

        row("$name, CPU us",
            map({ us(median(field($name, $_, 'cpu'))) } qw(plain guarded)),
            sprintf('%.3f', ratio($name, 'cpu')), '', '');
        report_same($name, 'cpu');

        report_peak($name);
    }
}


sub report_peak {
    my ($name) = @_;

    row('  peak resident memory, MiB',
        map({ mib(max(field($name, $_, 'peak'))) } qw(plain guarded)),
        '', '', '');
}


sub report_uploads {
    table('100 MB of NDJSON, CPU ms of an upload', 'plain', 'guarded',
          'ratio', 'bar', '');

    for my $upload (@uploads) {
        my $name = $upload->[0];
        my $ratio = ratio($name, 'cpu');

        row($name,
            map({ ms(median(field($name, $_, 'cpu'))) } qw(plain guarded)),
            sprintf('%.3f', $ratio),
            $name =~ /^identity/ ? bar($ratio, '<=', 1.05) : ('', ''));
        report_same($name, 'cpu');

        if ($name =~ /^gzip/) {
            my @plain = field($name, 'plain', 'cpu');
            my @own = map { $_ - shift @plain } field($name, 'guarded', 'cpu');
            my @zlib = field($name, 'zlib', 'cpu');
            my $r = median(map { $own[$_] / $zlib[$_] } 0 .. $#own);

            row('  zlib alone, and the guard', ms(median(@zlib)),
                ms(median(@own)), sprintf('%.3f', $r), bar($r, '<=', 1.15));
        }

        report_peak($name);
    }
}


sub report_contents {
    table('100 MB of text, looked into, CPU ms of an upload', 'plain',
          'guarded', 'ratio', '', '');

    for my $upload (@contents) {
        my $name = $upload->[0];

        row($name,
            map({ ms(median(field($name, $_, 'cpu'))) } qw(plain guarded)),
            sprintf('%.3f', ratio($name, 'cpu')), '', '');
        report_same($name, 'cpu');
        report_peak($name);
    }
}


sub report_bombs {
    table('1 GiB of zeros, gzip -9, refused', 'CPU ms', 'backend', 'bytes',
          'bar', '');

    row('zlib alone, as far as that',
        sprintf('%.2f', median(field('bomb', 'zlib', 'cpu')) / 1e6),
        '', '', '', '');

    for my $uri ('/any', '/any/unbuffered') {
        my $cpu = median(field("bomb $uri", 'guarded', 'cpu'));

        row($uri eq '/any' ? 'buffered' : 'unbuffered',
            sprintf('%.2f', $cpu / 1e6),
            map({ sprintf '%.0f', median(field("bomb $uri", 'guarded', $_)) }
                qw(connections bytes)),
            bar($cpu / 1e6, '<', 5));

        row('  peak resident memory, MiB', '',
            mib(max(field("bomb $uri", 'guarded', 'peak'))), '', '', '');
    }
}


sub scan {
    scan_with('ndjson', 'NDJSON scanning', 'records of 100 bytes' => 8);
    scan_with('csv', 'CSV rows');
    scan_with('json', 'The shape of JSON', 'records of 160 bytes' => 1.5,
              'records of 8 bytes' => 0.8);

    my @coded = map { ($_->[0], "$data/body.ndjson.$_->[1]") }
        ['gzip', 'gz'], ['br', 'br'], ['zstd', 'zst'];
    my ($head, @lines) = split /\n/, `taskset -c $core $data/codec @coded`;

    table('Decoding in pieces of 4 and 16 KiB, GB/s of output',
          (split ' ', $head)[1, 2]);

    row(split /\s{2,}/) for @lines;
}


sub scan_with {
    my ($program, $title, %bars) = @_;

    my @yajl;
    my $avx2 = read_file('/proc/cpuinfo') =~ /\bavx2\b/;
    my @lines = split /\n/, `taskset -c $core $data/$program @{[
                                $avx2 ? 'avx2' : '']}`;
    my $head = shift @lines;

    table("$title, 256 KiB in the cache, GB/s",
          (split ' ', $head)[1 .. (split ' ', $head) - 1], 'bar', '');

    for my $line (@lines) {
        my ($name, @speed) = split /\s{2,}/, $line;

        row($name, @speed, $avx2 && $bars{$name}
                           ? bar($speed[0], '>=', $bars{$name}) : ('', ''));

        # of shape alone: the last one is how many times as fast as yajl

        if ($avx2 && $program eq 'json' && $name !~ /strict|memory/
            && $speed[-1] ne '-')
        {
            push @yajl, $speed[-1];
        }
    }

    row('the least of these beside yajl', '', '', '', '', '', min(@yajl),
        bar(min(@yajl), '>=', 3)) if @yajl;
}


# Charges of a zone also take a lock, a hash and a cache miss.

sub quota {
    my ($head, @lines) = split /\n/, `taskset -c $core $data/quota`;
    my (undef, @columns) = split ' ', $head;

    table('Rates, arithmetic alone, in the cache, M/s', @columns);

    row(split /\s{2,}/) for @lines;

    my $some = $quick ? "'1 M'" : '';

    ($head, @lines) = split /\n/, `taskset -c $core $data/zone $some`;
    (undef, @columns) = split ' ', $head;

    table('Charges of a zone, M/s', @columns, 'bar', '');

    for (@lines) {
        my @cells = split /\s{2,}/;

        row(@cells, /^1 M tenants, 256/ ? bar($cells[1], '>=', 2) : ('', ''));
    }
}


# A quota of requests beside limit_req, see limits.pl.

sub quotas {
    my $pairs = $quick ? 30 : 60;

    table('10,000 tenants, requests/s of CPU', 'requests', 'ratio', 'bar', '');

    for (split /\n/, `taskset -c $core,$other t/bench/limits.pl $pairs`) {
        my ($name, $rate, $ratio) = split /\s{2,}/;

        row($name =~ s{^/}{}r, $rate, $ratio,
            $name eq '/quota' ? bar($ratio, '>=', 0.97) : ('', ''));
    }
}
