package Guardrail::Nginx;

# Copyright (C) nginx-guardrail authors

# nginx under test: one temporary directory, one process group, its logs.
# Environment: see t/README.md.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Guardrail::Util qw(listen_port read_file root scale wait_until
                       write_file);

my $sanitizer = qr/(?:Address|Leak|UndefinedBehavior)Sanitizer
                   |runtime\ error:/x;


# Options: workers => N, module => 0 to leave the module out, log_level,
# lingering => TIME.

sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        owner     => $$,
        workers   => 1,
        lingering => '300ms',
        names     => {},
        expected  => [],
        dir       => tempdir('guardrail-XXXXXXXX', TMPDIR => 1),
        nginx     => $ENV{TEST_NGINX} || _nginx(),
        %opt,
    }, $class;

    my $module = $ENV{TEST_MODULE} // 'build/ngx_http_guardrail_module.so';

    $module = root . "/$module" unless $module =~ m{^(/|none$)};
    $module = 'none' if exists $opt{module} && !$opt{module};

    $self->{module} = $module;
    $self->{dir} = abs_path($self->{dir});

    chmod 0755, $self->{dir};

    return $self;
}


sub _nginx {
    for my $dir (split(/:/, $ENV{PATH} // ''), '/usr/sbin',
                 '/usr/local/nginx/sbin')
    {
        return "$dir/nginx" if -x "$dir/nginx";
    }

    die "no nginx found; set TEST_NGINX\n";
}


sub dir { return $_[0]{dir} }


# writes a file below the directory of the test, returns its whole name

sub file {
    my ($self, $name, $data) = @_;

    return write_file("$self->{dir}/$name", $data);
}


# the port behind %%PORT%%, %%H2PORT%%, %%PORT2%%, ...

sub port {
    my ($self, $name) = @_;

    $name ||= 'PORT';

    if (!$self->{ports}{$name}) {
        my ($sock, $port) = listen_port;

        $sock->close;
        $self->{ports}{$name} = $port;
    }

    return $self->{ports}{$name};
}


# gives %%NAME%% a value in configurations

sub define {
    my ($self, $name, $value) = @_;

    $self->{names}{$name} = $value;
}


# A whole configuration from its parts: http =>, server =>, main => and
# events => are put into the blocks of these names; or from one text.

sub _config {
    my ($self, @args) = @_;
    my $text = $args[0];

    if (@args > 1 || !@args) {
        my %part = (main => '', events => '', http => '', server => '', @args);

        $text = <<CONF;
%%GLOBALS%%
$part{main}
events {
    $part{events}
}

http {
    %%HTTP%%
    $part{http}

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%H2PORT%% http2;
        server_name localhost;

        $part{server}
    }
}
CONF
    }

    # the parameter is deprecated where there is the directive

    $text =~ s/^(.*\blisten [^;]*) http2;/$1; http2 on;/gm
        if $self->version >= 1025001;
    $text =~ s/%%([A-Za-z0-9_]+)%%/$self->_value($1)/eg;

    return $text;
}


# the version as in nginx_version: 1022001 is 1.22.1

sub version {
    my ($self) = @_;

    $self->{version} ||= do {
        $self->build_options =~ m{^nginx version: .*/(\d+)\.(\d+)\.(\d+)}m
            or die "no version of nginx\n";

        $1 * 1000000 + $2 * 1000 + $3;
    };

    return $self->{version};
}


# what "nginx -V" says

sub build_options {
    my ($self) = @_;

    $self->{build_options} //= qx{'$self->{nginx}' -V 2>&1};

    return $self->{build_options};
}


sub _value {
    my ($self, $name) = @_;
    my $dir = $self->{dir};

    return $self->{names}{$name} if defined $self->{names}{$name};
    return $self->port($name) if $name =~ /^(?:H[23])?PORT\d*$/;
    return $dir if $name eq 'DIR';

    if ($name eq 'GLOBALS') {
        my $level = $ENV{TEST_DEBUG} ? 'debug' : $self->{log_level} || 'info';
        my $out = "daemon off;\nworker_processes $self->{workers};\n"
                  . "pid $dir/nginx.pid;\nerror_log $dir/error.log $level;\n";

        $out .= "user root;\n" if $> == 0;
        $out .= "master_process off;\n" if $ENV{TEST_VALGRIND};
        $out .= "load_module $self->{module};\n" if $self->{module} ne 'none';

        return $out;
    }

    if ($name eq 'HTTP') {

        # nginx keeps reading for a while from a client it has refused: 5s
        # unless told, which is how long closed() would wait

        return join "\n    ", "access_log $dir/access.log;",
            "lingering_timeout $self->{lingering};",
            map { "${_}_temp_path $dir/${_}_temp;" }
                qw(client_body proxy fastcgi uwsgi scgi);
    }

    die "unknown name in a configuration: %%$name%%\n";
}


# "nginx -t": true and its output, or false and its output.

sub nginx_t {
    my ($self, @config) = @_;
    my $conf = $self->file('check.conf', $self->_config(@config));
    my $out = "$self->{dir}/check.out";

    unlink $out;

    my $pid = $self->_exec($out, $self->{nginx}, '-t', '-p', $self->{dir},
                           '-c', $conf, '-e', 'stderr');

    waitpid $pid, 0;

    my $status = $?;
    my $text = read_file($out);

    die "nginx -t: signal " . ($status & 127) . "\n$text" if $status & 127;
    die "nginx -t: $text" if $text =~ $sanitizer;

    return (!$status, $text);
}


sub _exec {
    my ($self, $out, @command) = @_;
    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    eval {
        open STDIN, '<', '/dev/null' or die;
        open STDOUT, '>>', $out or die;
        open STDERR, '>&', \*STDOUT or die;

        $SIG{INT} = $SIG{TERM} = $SIG{HUP} = $SIG{PIPE} = 'DEFAULT';

        $ENV{LD_PRELOAD} = $ENV{TEST_PRELOAD} if $ENV{TEST_PRELOAD};
        $ENV{ASAN_OPTIONS} //= 'detect_leaks=0:detect_odr_violation=0';
        $ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';

        exec { $command[0] } @command;
    };

    POSIX::_exit(127);
}


# Starts nginx with a configuration (see _config) and waits until it serves.

sub start {
    my ($self, @config) = @_;
    my $dir = $self->{dir};
    my $conf = $self->file('nginx.conf', $self->_config(@config));
    my @command = ($self->{nginx}, '-p', $dir, '-c', $conf,
                   '-e', "$dir/error.log");

    die "nginx runs already\n" if $self->{pid};
    die "no module $self->{module}; run make, or set TEST_MODULE\n"
        if $self->{module} ne 'none' && !-f $self->{module};

    # a single process does not wait for its connections when it is asked to
    # stop: what they hold is possibly lost

    if ($ENV{TEST_VALGRIND}) {
        unshift @command, _which('valgrind'), '-q', '--num-callers=30',
            "--log-file=$dir/valgrind.%p",
            '--suppressions=' . root . '/t/tools/valgrind.supp',
            split ' ', $ENV{TEST_VALGRIND_ARGS}
                       // '--leak-check=full --show-leak-kinds=definite';
    }

    unlink "$dir/nginx.pid";
    $self->{pid} = $self->_exec("$dir/stderr", @command);

    my $ok = wait_until {
        if (waitpid($self->{pid}, WNOHANG) > 0) {
            delete $self->{pid};
            return -1;
        }

        return -s "$dir/nginx.pid"
               && ($ENV{TEST_VALGRIND}
                   || $self->worker_pids == $self->{workers});
    } 10;

    die "nginx did not start:\n" . $self->error_log
        if !$ok || $ok == -1;

    $self->{started} = [$self->worker_pids];
    $self->{ran} = 1;

    return $self;
}


sub _which {
    my ($name) = @_;

    for my $dir (split /:/, $ENV{PATH} // '/usr/bin') {
        return "$dir/$name" if -x "$dir/$name";
    }

    die "no $name\n";
}


# Reloads, with another configuration if one is given; true when workers of
# the new cycle run and the old ones accept nothing more, false when nginx
# refused it.  Old workers may live on.

sub reload {
    my ($self, @config) = @_;
    my %old = map { $_ => 1 } $self->worker_pids;
    my $from = $self->log_end;

    $self->file('nginx.conf', $self->_config(@config)) if @config;
    $self->{changed} = 1;

    kill 'HUP', $self->{pid};

    my $ok = wait_until {
        my @pids = $self->worker_pids;

        return 1 if @pids >= $self->{workers} && !grep { $old{$_} } @pids;
        return -1 if $self->log_lines(qr/\[emerg\]/, $from);
        return 0;
    } 10;

    die "nginx did not reload:\n" . $self->error_log unless $ok;

    return $ok == 1;
}


# Kills a worker, the first unless told, and waits for its successor.

sub kill_worker {
    my ($self, %opt) = @_;
    my $pid = $opt{pid} || ($self->worker_pids)[0];
    my $signal = $opt{signal} || 'KILL';

    $self->{changed} = 1;
    $self->expect_log(qr/\b$pid exited on signal/);
    $self->expect_log(qr/\bshared memory zone .* was locked by $pid\b/);

    kill $signal, $pid;

    wait_until {
        my @pids = $self->worker_pids;

        return @pids >= $self->{workers} && !grep { $_ == $pid } @pids;
    } 10 or die "no successor of worker $pid\n";

    return $pid;
}


# workers that accept connections; with old => 1 those that are shutting
# down; with all => 1 both

sub worker_pids {
    my ($self, %opt) = @_;

    return ($self->{pid}) if $ENV{TEST_VALGRIND};

    my $want = $opt{all} ? qr/^nginx: worker process/
               : $opt{old} ? qr/^nginx: worker process is shutting down/
               : qr/^nginx: worker process\s*$/;
    my @pids;

    for my $pid (_children($self->{pid})) {
        my $title = read_file("/proc/$pid/cmdline") =~ tr/\0/ /r;

        push @pids, $pid if $title =~ $want;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


sub _children {
    my ($parent) = @_;
    my @pids;

    opendir my $dh, '/proc' or return;

    for my $pid (grep { /^\d+$/ } readdir $dh) {
        read_file("/proc/$pid/stat") =~ /^\d+ \(.*\) (\S) (\d+) /s or next;

        push @pids, $pid if $2 == $parent && $1 ne 'Z';
    }

    return @pids;
}


# the test changes workers by other means than reload() and kill_worker()

sub workers_may_change {
    my ($self) = @_;

    $self->{changed} = 1;
}


# SIGQUIT, then less polite; true if the polite way was enough.

sub stop {
    my ($self) = @_;
    my $polite = 1;

    return 1 unless $self->{pid};

    # SIGQUIT waits for connections

    Guardrail::Client::close_all();

    for my $step (['QUIT', 10], ['TERM', 5], ['KILL', 5]) {
        my @workers = $step->[0] eq 'KILL' ? $self->worker_pids(all => 1) : ();

        kill $step->[0], $self->{pid}, @workers;

        my $gone = wait_until {
            return waitpid($self->{pid}, WNOHANG) != 0;
        } $step->[1];

        last if $gone;

        $polite = 0;
    }

    delete $self->{pid};

    return $polite;
}


# stops nginx, now and with no questions

sub kill_all {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid, _children($pid);
    waitpid $pid, 0;
}


# what nginx wrote to its standard error and to the error log

sub error_log {
    my ($self) = @_;

    return join '', map { read_file("$self->{dir}/$_") }
                    qw(stderr error.log);
}


# the lines of the error log that match; with a place, those written since

sub log_lines {
    my ($self, $re, $from) = @_;
    my $log = defined $from ? read_file("$self->{dir}/error.log", $from)
                            : $self->error_log;

    return grep { $_ =~ $re } split /^/, $log;
}


# the place in the error log up to which it is written

sub log_end {
    my ($self) = @_;

    return -s "$self->{dir}/error.log" || 0;
}


# waits until a line of the error log matches; the first one that does

sub wait_log {
    my ($self, $re, $seconds) = @_;

    return wait_until { ($self->log_lines($re))[0] } $seconds || 5;
}


# the lines of the access log, or of another log in the directory

sub access_log {
    my ($self, $name) = @_;
    my @lines = map { s/\n\z//r } split /^/,
                read_file("$self->{dir}/" . ($name || 'access.log'));

    return @lines;
}


# Waits until there are so many lines in the access log: nginx writes them
# after the answer.

sub wait_access_log {
    my ($self, $n, $name) = @_;

    wait_until { $self->access_log($name) >= $n };

    return $self->access_log($name);
}


# The number of lines once no more come: a refused request is logged when its
# connection has been lingered out, after the answer.

sub quiet_access_log {
    my ($self, $name) = @_;
    my ($lines, $since) = (-1, time);

    wait_until {
        my $n = () = $self->access_log($name);

        ($lines, $since) = ($n, time) if $n != $lines;

        return time > $since + scale;
    } 60;

    return $lines;
}


# lines of the error log that match are not held against the test

sub expect_log {
    my ($self, @re) = @_;

    push @{$self->{expected}}, @re;
}


# the lines of the error log that no test should leave behind

sub bad_lines {
    my ($self) = @_;
    my $bad = qr/\[(?:alert|emerg)\]|open\ socket|exited\ on\ signal
                 |$sanitizer/x;
    my @lines = $self->log_lines($bad);

    for my $re (@{$self->{expected}}) {
        @lines = grep { $_ !~ $re } @lines;
    }

    return @lines;
}


sub valgrind_reports {
    my ($self) = @_;

    return join '', map { read_file($_) } glob "$self->{dir}/valgrind.*";
}


sub remove {
    my ($self) = @_;

    remove_tree($self->{dir});
}


1;
