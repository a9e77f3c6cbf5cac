package Guardrail::Http2;

# Copyright (C) nginx-guardrail authors

# HTTP/2 over clear text with prior knowledge (RFC 9113), frame by frame.

use strict;
use warnings;

use parent 'Guardrail::Client';

use Time::HiRes qw(time);

use Guardrail::Hpack;
use Guardrail::Response;
use Guardrail::Util qw(scale);

use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9,
    END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8, PRIORITY => 32,
};


sub new {
    my ($class, %opt) = @_;
    my $self = $class->SUPER::new(%opt);

    $self->{hpack} = Guardrail::Hpack->new;
    $self->{streams} = {};
    $self->{last} = -1;
    $self->{window} = 65535;
    $self->{initial} = 65535;
    $self->{max_frame} = 16384;

    # the largest windows: a test that reads late must not stop nginx

    $self->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame(SETTINGS, 0, 0, pack 'nN', 4, 0x7fffffff);
    $self->frame(WINDOW_UPDATE, 0, 0, pack 'N', 0x7fffffff - 65535);

    $self->_wait(5 * scale, sub { $self->{settings} })
        or die "no HTTP/2 SETTINGS from port $opt{port}\n";

    return $self;
}


# sends any frame

sub frame {
    my ($self, $type, $flags, $sid, $payload) = @_;

    return $self->send(_pack_frame($type, $flags, $sid, $payload // ''));
}


sub _pack_frame {
    my ($type, $flags, $sid, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $sid) . $payload;
}


# Opens a stream and returns its id.  The headers are pairs, the pseudo ones
# first; end => 1 ends the stream with them.

sub headers {
    my ($self, $headers, %opt) = @_;
    my $sid = $opt{stream} // ($self->{last} += 2);
    my $block = $self->{hpack}->encode(@$headers);
    my $flags = $opt{end} ? END_STREAM : 0;
    my $type = HEADERS;
    my $out = '';

    $self->{streams}{$sid} ||= {
        window => $self->{initial},
        r      => Guardrail::Response->new(conn => $self, stream => $sid),
    };

    while (length $block > 16384) {
        $out .= _pack_frame($type, $flags, $sid, substr $block, 0, 16384, '');
        ($type, $flags) = (CONTINUATION, 0);
    }

    $self->send($out . _pack_frame($type, $flags | END_HEADERS, $sid, $block));

    return $sid;
}


# Sends DATA on a stream as its windows allow; returns the number of bytes
# that went out.  It stops when the stream has been answered or reset.
#
#   end => 1        END_STREAM on the last frame
#   empty_end => 1  END_STREAM on an empty frame of its own
#   cut => N        frames of N bytes, each sent by itself
#   cuts => [..]    frames that end at these offsets
#   pad => N        bytes of padding in each frame
#   pause, drain    see send() in Client.pm
#   stubborn => 1   do not stop for an answer

sub data {
    my ($self, $sid, $data, %opt) = @_;
    my $s = $self->{streams}{$sid};
    my ($pos, $len) = (0, length $data);
    my @cuts = @{$opt{cuts} || []};
    my $over = defined $opt{pad} ? $opt{pad} + 1 : 0;
    my $end = $opt{end} && !$opt{empty_end};

    if ($len == 0 && $end) {
        $opt{empty_end} = 1;
        $end = 0;
    }

    while ($pos < $len) {
        my $room = sub {
            my $n = $self->{window} < $s->{window} ? $self->{window}
                                                   : $s->{window};

            return ($n < $self->{max_frame} ? $n : $self->{max_frame}) - $over;
        };
        my $stop = sub {
            return $s->{reset} || $self->{gone}
                   || ($s->{ended} && !$opt{stubborn});
        };

        # what has arrived already is looked at without waiting

        $self->_wait(0, sub { 0 });

        $self->_wait(10 * scale, sub { $stop->() || $room->() > 0 });

        last if $stop->() || $room->() <= 0;

        shift @cuts while @cuts && $cuts[0] <= $pos;

        my $n = $opt{cut} || (@cuts ? $cuts[0] - $pos : 16384 - $over);

        $n = $room->() if $n > $room->();
        $n = $len - $pos if $n > $len - $pos;

        $self->_data_frame($sid, substr($data, $pos, $n),
                           $end && $pos + $n == $len, $opt{pad});
        $pos += $n;

        $self->drain if $opt{drain};
        $self->idle($opt{pause}) if $opt{pause} && $pos < $len;
    }

    if ($pos == $len && $opt{empty_end} && !$s->{reset}) {
        $self->_data_frame($sid, '', 1, undef);
    }

    return $pos;
}


sub _data_frame {
    my ($self, $sid, $data, $end, $pad) = @_;
    my $flags = $end ? END_STREAM : 0;

    if (defined $pad) {
        $data = chr($pad) . $data . "\0" x $pad;
        $flags |= PADDED;
    }

    $self->{window} -= length $data;
    $self->{streams}{$sid}{window} -= length $data;
    $self->frame(DATA, $flags, $sid, $data);
}


sub rst {
    my ($self, $sid, $code) = @_;

    $self->frame(RST_STREAM, 0, $sid, pack 'N', $code // 8);
}


# The response on a stream; its error is set when it is not complete, its
# reset is the code of a RST_STREAM that came.

sub read {
    my ($self, $sid, %opt) = @_;
    my $s = $self->{streams}{$sid};
    my $r = $s->{r};

    my $ok = $self->_wait($opt{timeout} // 10 * scale, sub {
        return $s->{ended} || defined $r->{reset} || $self->{eof};
    });

    # a reset may follow the end of the response, in the same write

    $self->_wait(0, sub { 0 });

    $r->{error} = $s->{ended} ? '' : defined $r->{reset} ? 'reset'
                  : $ok ? 'eof' : 'timeout';

    return $r;
}


# true when the stream was ended or reset by the server

sub finished {
    my ($self, $sid) = @_;

    $self->_wait(0, sub { 0 });

    return $self->{streams}{$sid}{ended} || $self->{streams}{$sid}{reset};
}


# Sends a request and reads the answer; see request() in Test.pm for the
# options.

sub request {
    my ($self, $method, $uri, $body, %opt) = @_;
    my @headers = @{$opt{headers} || []};
    my @out = (':method', $method, ':scheme', 'http', ':path', $uri,
               ':authority', $opt{host} // 'localhost');
    my ($sent, $ok) = (0, 1);

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        push @out, lc $name, $value;
    }

    if (defined $opt{length}) {
        push @out, 'content-length', $opt{length};

    } elsif (defined $body && ($opt{framing} || '') eq 'h2-cl') {
        die "the length of a streamed body is needed\n" if ref $body;

        push @out, 'content-length', length $body;
    }

    push @out, 'expect', '100-continue' if $opt{expect};

    my $sid = $self->headers(\@out, end => !defined $body);

    if (ref $body) {
        while ($ok && defined(my $piece = $body->())) {
            my $n = $self->data($sid, $piece, %opt, end => 0, empty_end => 0);

            $sent += $n;
            $ok = $n == length $piece;
        }

        $self->data($sid, '', end => 1) if $ok && ($opt{end} // 1);

    } elsif (defined $body) {
        $sent = $self->data($sid, $body, %opt, end => $opt{end} // 1);
        $ok = $sent == length $body;
    }

    if (exists $opt{read} && !$opt{read}) {
        return $sid;
    }

    my $r = $self->read($sid, timeout => $opt{timeout});

    @$r{'sent', 'sent_all'} = ($sent, $ok ? 1 : 0);

    return $r;
}


# handles frames until the code is true, at most so long

sub _wait {
    my ($self, $seconds, $done) = @_;
    my $end = time + $seconds;

    while (1) {
        $self->_frames;

        if (my $value = $done->()) {
            return $value;
        }

        my $left = $end - time;

        return if $self->{eof} || ($left <= 0 && !$self->pull(0));

        $self->pull($left) if $left > 0;
    }
}


# handles the complete frames that have arrived

sub _frames {
    my ($self) = @_;
    my $in = \$self->{in};

    while (length $$in >= 9) {
        my $len = unpack 'N', "\0" . substr $$in, 0, 3;

        last if length $$in < 9 + $len;

        my ($type, $flags, $sid) = unpack 'x3 CCN', $$in;
        my $payload = substr $$in, 9, $len;

        substr($$in, 0, 9 + $len) = '';
        $self->_handle($type, $flags, $sid, $payload);
    }
}


sub _handle {
    my ($self, $type, $flags, $sid, $payload) = @_;
    my $s = $self->{streams}{$sid};

    if ($type == SETTINGS && !($flags & ACK)) {
        while (my ($id, $value) = unpack 'nN', substr $payload, 0, 6, '') {
            $self->_setting($id, $value);
        }

        $self->{settings} = 1;
        $self->frame(SETTINGS, ACK, 0, '');

    } elsif ($type == PING && !($flags & ACK)) {
        $self->frame(PING, ACK, 0, $payload);

    } elsif ($type == GOAWAY) {
        $self->{goaway} = unpack 'x4 N', $payload;

    } elsif ($type == WINDOW_UPDATE) {
        ($s || $self)->{window} += unpack 'N', $payload if $s || !$sid;

    } elsif ($type == RST_STREAM && $s) {
        $s->{reset} = 1;
        $s->{r}{reset} = unpack 'N', $payload;

    } elsif (($type == HEADERS || $type == CONTINUATION) && $s) {
        $payload = _strip($payload, $flags) if $type == HEADERS;
        $s->{block} = ($s->{block} // '') . $payload;
        $s->{end} = 1 if $type == HEADERS && $flags & END_STREAM;

        if ($flags & END_HEADERS) {
            $self->_response($s, $self->{hpack}->decode(delete $s->{block}));
            $s->{ended} = 1 if $s->{end};
        }

    } elsif ($type == DATA && $s) {
        $s->{r}{body} .= _strip($payload, $flags);
        $s->{ended} = 1 if $flags & END_STREAM;
    }
}


sub _setting {
    my ($self, $id, $value) = @_;

    if ($id == 4) {
        $_->{window} += $value - $self->{initial}
            for values %{$self->{streams}};
        $self->{initial} = $value;

    } elsif ($id == 5) {
        $self->{max_frame} = $value;
    }
}


# the payload without padding and priority

sub _strip {
    my ($payload, $flags) = @_;

    if ($flags & PADDED) {
        my $pad = ord substr $payload, 0, 1, '';
        substr($payload, -$pad) = '' if $pad;
    }

    substr($payload, 0, 5) = '' if $flags & PRIORITY;

    return $payload;
}


sub _response {
    my ($self, $s, @headers) = @_;
    my $r = $s->{r};
    my ($status) = map { $_->[1] } grep { $_->[0] eq ':status' } @headers;

    @headers = grep { $_->[0] ne ':status' } @headers;

    if (!defined $status) {
        push @{$r->{headers}}, @headers;        # trailers

    } elsif ($status < 200) {
        push @{$r->{interim}}, $status;

    } else {
        $r->{status} = $status;
        $r->{headers} = \@headers;
    }
}


1;
