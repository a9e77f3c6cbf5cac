package Guardrail::Client;

# Copyright (C) nginx-guardrail authors

# A connection to nginx: bytes go out in the pieces that were asked for, and
# whatever arrives meanwhile is read, so that an early answer is never lost.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EPIPE);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Scalar::Util qw(weaken);
use Socket qw(IPPROTO_TCP SHUT_WR TCP_NODELAY);
use Time::HiRes qw(time sleep);

use Guardrail::Util qw(scale);

my @all;


# port => N, or path => the socket's

sub new {
    my ($class, %opt) = @_;
    my $sock = defined $opt{path} ? _unix($opt{path}) : _tcp($opt{port});

    $sock->blocking(0);

    my $self = bless {
        sock => $sock,
        port => $opt{port},
        from => defined $opt{path} ? undef : $sock->sockport,
        in   => '',             # what arrived and was not taken yet
        eof  => 0,              # the other end closed, or reset
        gone => 0,              # writing is of no use any more
    }, $class;

    @all = grep { defined } @all;
    push @all, $self;
    weaken($all[-1]);

    return $self;
}


sub _tcp {
    my ($port) = @_;

    my $sock = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Proto    => 'tcp',
        Timeout  => 5 * scale,
    ) or die "connect to port $port: $!\n";

    $sock->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);

    return $sock;
}


sub _unix {
    my ($path) = @_;

    return IO::Socket::UNIX->new(Peer => $path)
           || die "connect to $path: $!\n";
}


# closes what the test left open, so that nginx can stop

sub close_all {
    $_->close for grep { defined } @all;
    @all = ();
}


sub close {
    my ($self) = @_;

    $self->{sock}->close if $self->{sock};
    delete $self->{sock};
    $self->{eof} = $self->{gone} = 1;
}


# closes with a reset, as a client does that crashed

sub reset {
    my ($self) = @_;

    $self->{sock}->setsockopt(Socket::SOL_SOCKET(), Socket::SO_LINGER(),
                              pack 'ii', 1, 0);
    $self->close;
}


sub shutdown {
    my ($self) = @_;

    $self->{sock}->shutdown(SHUT_WR) if $self->{sock};
}


# Sends bytes as they are; returns how many went out.
#
#   cut => N        pieces of N bytes
#   cuts => [..]    pieces that end at these offsets
#   pause => S      seconds between the pieces
#   drain => 1      the next piece goes when nginx has read this one
#   until => sub    stop when it returns true, asked after each read

sub send {
    my ($self, $data, %opt) = @_;
    my ($pos, $len) = (0, length $data);
    my @cuts = @{$opt{cuts} || []};

    while ($pos < $len && !$self->{gone}) {
        my $end = $len;

        if ($opt{cut}) {
            $end = $pos + $opt{cut};

        } elsif (@cuts) {
            $end = shift @cuts;
        }

        $end = $len if $end > $len;
        next if $end <= $pos;

        $pos += $self->_write(substr($data, $pos, $end - $pos), $opt{until});

        last if $pos < $end;

        $self->drain if $opt{drain};
        $self->idle($opt{pause}) if $opt{pause} && $pos < $len;

        last if $opt{until} && $opt{until}->();
    }

    return $pos;
}


sub _write {
    my ($self, $piece, $until) = @_;
    my ($pos, $len) = (0, length $piece);
    my $sel = IO::Select->new($self->{sock});
    my $end = time + 30 * scale;

    local $SIG{PIPE} = 'IGNORE';

    while ($pos < $len) {
        my ($r, $w) = IO::Select->select($self->{eof} ? undef : $sel, $sel,
                                         undef, 1);

        last if time > $end;
        last if $r && @$r && $self->_read_once && $until && $until->();
        next unless $w && @$w;

        my $n = syswrite $self->{sock}, $piece, 65536 < $len - $pos
                                                ? 65536 : $len - $pos, $pos;

        if (defined $n) {
            $pos += $n;
            $end = time + 30 * scale;

        } elsif ($! != EAGAIN && $! != EINTR) {
            $self->{gone} = 1;
            last;
        }
    }

    return $pos;
}


# true if something has changed: bytes or the end

sub _read_once {
    my ($self) = @_;

    return 0 if $self->{eof};

    my $n = sysread $self->{sock}, $self->{in}, 262144, length $self->{in};

    if (!defined $n) {
        return 0 if $! == EAGAIN || $! == EINTR;

        $self->{reset} = "$!";
    }

    $self->{eof} = 1 if !$n;

    return 1;
}


# waits for bytes or the end, at most so long

sub pull {
    my ($self, $seconds) = @_;

    return 0 if $self->{eof};
    return 0 unless IO::Select->new($self->{sock})->can_read($seconds);

    return $self->_read_once;
}


# does nothing but read

sub idle {
    my ($self, $seconds) = @_;
    my $end = time + $seconds;

    while ((my $left = $end - time) > 0) {
        if ($self->{eof}) {
            sleep $left;

        } else {
            $self->pull($left);
        }
    }
}


# Waits until nginx has read what was sent: the receive queue of its end of
# the connection is empty.  At most a second, nginx need not want to read.

sub drain {
    my ($self) = @_;
    my $end = time + 1;

    # a full socket of the system stops the writer anyway

    return if !defined $self->{port};

    while (!$self->{eof} && time < $end) {
        return unless $self->_unread;

        sleep 0.0002;
    }
}


# The bytes that wait in the other end's receive queue, asked of the kernel's
# sock_diag; /proc/net/tcp has them too, but grows with closed connections.

my $diag;

sub _unread {
    my ($self) = @_;
    my @ends = ($self->{port}, $self->{from});

    if (!defined $diag) {
        socket($diag, 16, Socket::SOCK_RAW(), 4) or $diag = 0;
    }

    if ($diag) {
        my $id = pack 'nn a16 a16 L LL', @ends, ("\x7f\0\0\1") x 2, 0,
                      (0xffffffff) x 2;
        my $ask = pack 'CCCC L a48', 2, 6, 0, 0, 0xffffffff, $id;

        my $n = syswrite $diag, pack('LSSLL a*', 16 + length $ask, 20, 1, 1, 0,
                                     $ask);
        my $answer = '';

        $n = IO::Select->new($diag)->can_read(1)
             && sysread $diag, $answer, 8192 if $n;

        my ($type, $state) = unpack 'x4 S x10 x C', $answer;

        # only the listener is there: the connection is gone

        return $state == 10 ? 0 : unpack 'x72 L', $answer
            if $n && $type == 20;

        # gone too, or not answered by this kernel

        $diag = 0 if !$n;
    }

    my $name = sprintf '0100007F:%04X 0100007F:%04X', @ends;

    CORE::open(my $fh, '<', '/proc/net/tcp') or return 0;

    my ($line) = grep { index($_, $name) > 0 } <$fh>;

    return $line && $line =~ / [0-9A-F]{8}:([0-9A-F]{8}) / ? hex $1 : 0;
}


# true if the other end closes within so many seconds; bytes that arrive
# stay for the next read

sub closed {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 5 * scale);

    while (!$self->{eof} && (my $left = $end - time) > 0) {
        $self->pull($left);
    }

    return $self->{eof};
}


# true if the connection is still open after a moment

sub open {
    my ($self, $seconds) = @_;

    return !$self->closed($seconds // 0.2);
}


1;
