package Guardrail::Peer;

# Copyright (C) nginx-guardrail authors

# A backend that records: each is one process with a select loop, and tells
# over a socket what it has seen.  See t/README.md for the options.

use strict;
use warnings;

use Digest::MD5;
use Digest::SHA;
use Errno qw(EAGAIN EINTR);
use IO::Select;
use IO::Socket;
use JSON::PP ();
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Storable qw(freeze thaw);
use Time::HiRes qw(time);

use Guardrail::Peer::Protocol;
use Guardrail::Util qw(listen_port wait_until);


sub new {
    my ($class, $protocol, %opt) = @_;
    my ($listen, $port) = listen_port;

    Guardrail::Peer::Protocol->can($protocol)
        or die "no such protocol: $protocol\n";

    socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        CORE::close $ours;
        $SIG{TERM} = $SIG{INT} = 'DEFAULT';
        $SIG{PIPE} = 'IGNORE';

        my $self = bless {
            protocol => $protocol,
            listen   => $listen,
            control  => $theirs,
            opt      => { keep => 1 << 20, %opt },
        }, $class;

        # the END blocks are the test's

        my $ok = eval { $self->_loop; 1 };

        print STDERR "peer $protocol: $@" unless $ok;
        POSIX::_exit($ok ? 0 : 1);
    }

    CORE::close $theirs;
    $listen->close;

    return bless { pid => $pid, port => $port, control => $ours }, $class;
}


sub port { return $_[0]{port} }


# The number of connections that were opened, complete requests or not.

sub connections {
    my ($self) = @_;

    return $self->_ask('connections');
}


# A list of hashes, one for each connection in order: bytes (received), raw
# (the first of them), requests, closed ('' while open, "peer" if we did it,
# else "early" with a request unfinished, or "eof").

sub report {
    my ($self) = @_;

    return @{$self->_ask('report')};
}


# A list of hashes, one for each request whose head arrived: method, uri,
# version, headers (hash of lower-case names), header_list, params, framing
# (none, cl, chunked, stream), declared, length, sha1, md5, body (the first
# bytes), complete, terminator (of chunks or STDIN), answered, closed.

sub requests {
    my ($self) = @_;

    return map { @{$_->{requests}} } $self->report;
}


sub last {
    my ($self) = @_;
    my @requests = $self->requests;

    return $requests[-1];
}


# Waits until there are so many requests, or until code given their list is
# true; returns the list, empty if that did not happen.

sub wait_requests {
    my ($self, $what, $seconds) = @_;

    my $list = wait_until {
        my @requests = $self->requests;
        my $ok = ref $what ? $what->(@requests) : @requests >= $what;

        return $ok ? \@requests : undef;
    } $seconds || 5;

    return $list ? @$list : ();
}


# answers what was held (hold => 1): all, or the first few

sub release {
    my ($self, $n) = @_;

    return $self->_ask('release', $n);
}


# changes options for requests to come

sub set {
    my ($self, %opt) = @_;

    return $self->_ask('set', \%opt);
}


# Forgets what was recorded.  Connections that are open stay, and are
# reported again only when something more arrives on them.

sub clear {
    my ($self) = @_;

    return $self->_ask('clear');
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    CORE::close $self->{control};
}


sub _ask {
    my ($self, @command) = @_;

    local $SIG{PIPE} = 'IGNORE';

    _put($self->{control}, \@command) && defined(my $answer = _get(
        $self->{control})) or die "the peer is gone\n";

    return $answer->[0];
}


sub _put {
    my ($fh, $data) = @_;
    my $out = pack 'N/a*', freeze($data);

    while (length $out) {
        my $n = syswrite $fh, $out;

        return 0 unless defined $n || $! == EINTR;

        substr($out, 0, $n || 0) = '';
    }

    return 1;
}


sub _get {
    my ($fh) = @_;
    my ($in, $want) = ('', 4);

    while (length $in < $want) {
        my $n = sysread $fh, $in, $want - length $in, length $in;

        return if defined $n ? !$n : $! != EINTR;

        $want = 4 + unpack 'N', $in if $want == 4 && length $in == 4;
    }

    return thaw(substr $in, 4);
}


# from here on: the process of the peer

sub _loop {
    my ($self) = @_;

    $self->{listen}->blocking(0);
    $self->{conns} = [];

    while (1) {
        my $now = time;
        my @open = grep { $_->{sock} } @{$self->{conns}};
        my ($next) = sort { $a <=> $b } map { $_->{due} // () } @open;
        my $wait = defined $next ? ($next > $now ? $next - $now : 0) : 60;

        my $read = IO::Select->new($self->{listen}, $self->{control},
            map { $_->{sock} } grep { !$_->{deaf} } @open);
        my $write = IO::Select->new(map { $_->{sock} } grep { length $_->{out} }
                                    @open);

        my ($r) = IO::Select->select($read, $write, undef, $wait);

        $self->_network;

        if (grep { $_ == $self->{control} } @{$r || []}) {
            my $command = _get($self->{control}) or return;

            # what was sent before the question counts

            $self->_network;

            _put($self->{control}, [$self->_command(@$command)]);
        }
    }
}


sub _network {
    my ($self) = @_;

    while (my $sock = $self->{listen}->accept) {
        $sock->blocking(0);

        push @{$self->{conns}}, {
            sock     => $sock,
            in       => '',
            out      => '',
            raw      => '',
            bytes    => 0,
            requests => [],
            closed   => '',
        };
    }

    for my $c (@{$self->{conns}}) {
        $self->_input($c) if $c->{sock} && !$c->{deaf};
        $self->_output($c) if $c->{sock};
    }
}


sub _input {
    my ($self, $c) = @_;

    while (1) {
        my $n = sysread $c->{sock}, my $data, 262144;

        if ($n) {
            my $keep = $self->{opt}{keep} - length $c->{raw};

            $c->{bytes} += $n;
            $c->{raw} .= substr $data, 0, $keep if $keep > 0;
            $c->{in} .= $data;
            $self->_parse($c);
            return unless $c->{sock};

        } elsif (defined $n || ($! != EAGAIN && $! != EINTR)) {

            # a client that shut down only its writing still gets its answer

            my $q = $c->{current};

            $c->{deaf} = 1;
            $self->_closed($c, $q && !$q->{complete} ? 'early' : 'eof')
                unless length $c->{out} || defined $c->{due};
            return;

        } else {
            return;
        }
    }
}


sub _parse {
    my ($self, $c) = @_;
    my $parse = Guardrail::Peer::Protocol->can($self->{protocol});

    while (1) {
        return unless length $c->{in};

        my $q = $c->{current} ||= _request();
        my $new = !$q->{head};

        # one at a time: what is pipelined waits for the answer

        return if $q->{complete};

        $parse->($c, $q, sub { $self->_body($q, @_) });

        push @{$c->{requests}}, $q if $new && $q->{head};

        $self->_answer($c, $q)
            if ($q->{complete} || ($q->{head} && $self->{opt}{early}))
               && !$q->{chosen};

        return unless $q->{complete} && $q->{answered} && $c->{sock};

        delete $c->{current};
    }
}


sub _request {
    return {
        method     => '',
        uri        => '',
        headers    => {},
        body       => '',
        length     => 0,
        complete   => 0,
        terminator => 0,
        answered   => 0,
        framing    => 'none',
        digests    => [Digest::SHA->new(1), Digest::MD5->new],
    };
}


sub _body {
    my ($self, $q, $data) = @_;
    my $keep = $self->{opt}{keep} - length $q->{body};

    $q->{length} += length $data;
    $q->{body} .= substr $data, 0, $keep if $keep > 0;
    $_->add($data) for @{$q->{digests}};
}


sub _answer {
    my ($self, $c, $q) = @_;
    my $opt = $self->{opt};

    $q->{chosen} = 1;

    if ($opt->{hold}) {
        $c->{held} = 1;

    } elsif ($opt->{delay}) {
        $c->{due} = time + $opt->{delay};

    } else {
        $self->_respond($c, $q);
    }
}


sub _respond {
    my ($self, $c, $q) = @_;
    my $opt = $self->{opt};
    my $shown = _public($q);
    my ($status, $headers, $body) = (200, [], undef);

    delete $c->{due};
    delete $c->{held};

    if ($opt->{respond}) {
        ($status, $headers, $body) = $opt->{respond}->($shown);

        if ($status eq 'close') {
            return $self->_closed($c, 'peer');
        }

    } else {
        $status = $opt->{status} if $opt->{status};
        $headers = $opt->{headers} if $opt->{headers};
        $body = $opt->{body};
    }

    my $type = 'text/plain';

    if (!defined $body) {
        $type = 'application/json';
        $body = JSON::PP->new->canonical->encode({
            map { $_ => $shown->{$_} }
            qw(method uri headers framing length sha1 md5)
        });
    }

    # nginx warns of a second Content-Type, and drops it, since 1.23.0

    $headers ||= [];
    $headers = ['Content-Type', $type, @$headers]
        unless grep { lc eq 'content-type' } @$headers;

    my $last = $q->{method} eq 'HEAD' ? '' : $body;
    my $keep = $opt->{keepalive} && $q->{complete}
               && ($q->{headers}{connection} // '') !~ /close/i;

    $c->{out} .= Guardrail::Peer::Protocol::response(
        $self->{protocol}, $q, $status, $headers, $last, length $body, $keep);
    $c->{close} = !$keep;
    $q->{answered} = 1;

    $self->_output($c);
}


sub _output {
    my ($self, $c) = @_;

    if (defined $c->{due} && $c->{due} <= time) {
        $self->_respond($c, $c->{current});
        return unless $c->{sock};
    }

    if (length $c->{out}) {
        my $n = syswrite $c->{sock}, $c->{out};

        if (defined $n) {
            substr($c->{out}, 0, $n) = '';

        } elsif ($! != EAGAIN && $! != EINTR) {
            return $self->_closed($c, 'early');
        }
    }

    my $q = $c->{current};

    if (!length $c->{out} && $q && $q->{answered}) {
        if ($c->{deaf}) {
            $self->_closed($c, $q->{complete} ? 'eof' : 'early');

        } elsif ($q->{complete}) {
            if ($c->{close}) {
                return $self->_closed($c, 'peer');
            }

            delete $c->{current};
            $self->_parse($c);
        }
    }
}


sub _closed {
    my ($self, $c, $why) = @_;

    $c->{closed} = $why;
    $c->{sock}->close;
    delete @$c{qw(sock due held)};
}


sub _public {
    my ($q) = @_;
    my %out = map { $_ => $q->{$_} } grep { $_ ne 'digests' } keys %$q;

    @out{'sha1', 'md5'} = map { $_->clone->hexdigest } @{$q->{digests}};

    return \%out;
}


sub _command {
    my ($self, $name, $arg) = @_;
    my $conns = $self->{conns};

    if ($name eq 'connections') {
        return scalar grep { !$_->{old} } @$conns;
    }

    if ($name eq 'report') {
        return [map {
            my $c = $_;

            +{
                (map { $_ => $c->{$_} } qw(bytes raw closed)),
                requests => [map {
                    +{ %{_public($_)}, closed => $c->{closed} }
                } @{$c->{requests}}],
            }
        } grep { !$_->{old} || $_->{bytes} } @$conns];
    }

    if ($name eq 'release') {
        my $n = 0;

        for my $c (grep { $_->{held} && $_->{sock} } @$conns) {
            last if defined $arg && $n == $arg;

            $self->_respond($c, $c->{current});
            $n++;
        }

        return $n;
    }

    if ($name eq 'set') {
        %{$self->{opt}} = (%{$self->{opt}}, %$arg);

    } elsif ($name eq 'clear') {
        @$conns = grep { $_->{sock} } @$conns;

        %$_ = (%$_, old => 1, bytes => 0, raw => '', requests => [])
            for @$conns;
    }

    return 1;
}


1;
