package Guardrail::Http1;

# Copyright (C) nginx-guardrail authors

# HTTP/1.1 by hand.

use strict;
use warnings;

use parent 'Guardrail::Client';

use Time::HiRes qw(time);

use Guardrail::Response;
use Guardrail::Util qw(scale);


# The next response.  An incomplete one has its error set.
#
#   timeout => S    for the whole response
#   head => 1       the request was a HEAD
#   interim => 1    return a 1xx response too

sub read {
    my ($self, %opt) = @_;
    my $end = time + ($opt{timeout} // 10 * scale);
    my @interim;

    while (1) {
        if (my $r = $self->_take($opt{head})) {
            if (!$opt{interim} && $r->{status} >= 100 && $r->{status} < 200
                && $r->{status} != 101)
            {
                push @interim, $r->{status};
                next;
            }

            $r->{interim} = \@interim;

            return $r;
        }

        my $left = $end - time;

        if ($self->{eof} || $left <= 0) {
            my $r = Guardrail::Response->new(
                conn    => $self,
                interim => \@interim,
                error   => $left <= 0 ? 'timeout'
                           : $self->{reset} ? 'reset' : 'eof',
            );

            # what there is of it

            if ($self->{in} =~ /^HTTP\/1\.\d (\d+)/) {
                $r->{status} = $1;
                $r->{body} = $1 if $self->{in} =~ /\r\n\r\n(.*)/s;
            }

            return $r;
        }

        $self->pull($left);
    }
}


# true if a final response is complete

sub answered {
    my ($self) = @_;
    my $in = $self->{in};

    while (my $r = $self->_take) {
        if ($r->{status} >= 200) {
            $self->{in} = $in;
            return 1;
        }
    }

    $self->{in} = $in;

    return 0;
}


# a complete response from the buffer, or nothing

sub _take {
    my ($self, $no_body) = @_;
    my $in = \$self->{in};

    $$in =~ /^(.*?\r\n)\r\n/s or return;

    my ($head, $pos) = ($1, $+[0]);
    my ($line, @lines) = split /\r\n/, $head;
    my $r = Guardrail::Response->new(conn => $self);

    if ($line !~ m{^HTTP/1\.[01] (\d{3})(?: (.*))?$}) {
        $r->{error} = 'malformed';
        $r->{body} = $$in;
        $$in = '';

        return $r;
    }

    @$r{'status', 'reason'} = ($1, $2 // '');
    $r->{headers} = [map { [split /:\s*/, $_, 2] } @lines];

    my $coding = $r->header('transfer-encoding') // '';
    my $length = $r->header('content-length');

    if ($no_body || $r->{status} < 200 || $r->{status} == 204
        || $r->{status} == 304)
    {
        # no body

    } elsif ($coding =~ /chunked/i) {
        while (1) {
            pos($$in) = $pos;
            $$in =~ /\G([0-9a-f]+)[^\r\n]*\r\n/gci or return;

            my $size = hex $1;
            my $start = pos $$in;

            if ($size == 0) {
                $$in =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc or return;
                $pos = pos $$in;
                last;
            }

            return if length($$in) < $start + $size + 2;

            $r->{body} .= substr $$in, $start, $size;
            $pos = $start + $size + 2;
        }

    } elsif (defined $length) {
        return if length($$in) < $pos + $length;

        $r->{body} = substr $$in, $pos, $length;
        $pos += $length;

    } else {
        return unless $self->{eof};

        $r->{body} = substr $$in, $pos;
        $pos = length $$in;
    }

    substr($$in, 0, $pos) = '';

    return $r;
}


# Sends a request and reads the answer; see request() in Test.pm for the
# options.

sub request {
    my ($self, $method, $uri, $body, %opt) = @_;
    my $chunked = ($opt{framing} || 'cl') eq 'chunked';
    my $until = $opt{stubborn} ? undef : sub { $self->answered };
    my %send = map { $_ => $opt{$_} } grep { $opt{$_} } qw(cut pause drain);
    my $head = "$method $uri HTTP/1.1\r\nHost: "
               . ($opt{host} // 'localhost') . "\r\n";
    my @headers = @{$opt{headers} || []};
    my ($sent, $ok) = (0, 1);

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $head .= "$name: $value\r\n";
    }

    if (!defined $body) {
        $head .= "Content-Length: $opt{length}\r\n" if defined $opt{length};

    } elsif ($chunked) {
        $head .= "Transfer-Encoding: chunked\r\n";

    } else {
        die "the length of a streamed body is needed\n"
            if ref $body && !defined $opt{length};

        $head .= 'Content-Length: ' . ($opt{length} // length $body) . "\r\n";
    }

    $head .= "Expect: 100-continue\r\n" if $opt{expect};
    $head .= "\r\n";

    $self->send($head);

    if ($opt{expect}) {
        my $r = $self->read(%opt, interim => 1);

        if ($r->{status} != 100) {
            @$r{'sent', 'sent_all'} = (0, 0);

            return $r;
        }

        push @{$opt{seen}}, 100;
    }

    if (defined $body) {
        my $next = ref $body ? $body : _once($body);
        my @cuts = @{$opt{cuts} || []};
        my $base = 0;

        while ($ok && defined(my $piece = $next->())) {
            my $wire = $chunked ? chunks($piece, $opt{chunk}) : $piece;
            my $n = $self->send($wire, %send, until => $until,
                                cuts => [map { $_ - $base } @cuts]);

            $base += length $wire;
            $sent += $n > length $piece ? length $piece : $n;
            $ok = $n == length $wire;
        }

        if ($ok && $chunked && ($opt{end} // 1)) {
            $self->send("0\r\n\r\n");
        }
    }

    if (exists $opt{read} && !$opt{read}) {
        return;
    }

    my $r = $self->read(timeout => $opt{timeout}, head => $method eq 'HEAD');

    unshift @{$r->{interim}}, @{$opt{seen} || []};
    @$r{'sent', 'sent_all'} = ($sent, $ok ? 1 : 0);

    return $r;
}


# the chunked coding of some bytes, without the last chunk

sub chunks {
    my ($data, $size) = @_;
    my ($out, $len) = ('', length $data);

    $size ||= 16384;

    for (my $pos = 0; $pos < $len; $pos += $size) {
        my $piece = substr $data, $pos, $size;

        $out .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
    }

    return $out;
}


sub _once {
    my @pieces = @_;

    return sub { return shift @pieces };
}


1;
