package Guardrail::Peer::Protocol;

# Copyright (C) nginx-guardrail authors

# Minimal readers of what nginx sends to a backend.  Each takes the
# connection, the request to fill and a function for pieces of the body; it
# takes from $c->{in} what it understands, sets head when the head is
# complete and complete at the end.

use strict;
use warnings;


sub http {
    my ($c, $q, $body) = @_;
    my $in = \$c->{in};

    if (!$q->{head}) {
        $$in =~ s/^(.*?)\r\n\r\n//s or return;

        my ($line, @lines) = split /\r\n/, $1;

        @$q{'method', 'uri', 'version'} = split / /, $line;
        _headers($q, map { [split /:\s*/, $_, 2] } @lines);

        my $coding = $q->{headers}{'transfer-encoding'} // '';

        if ($coding =~ /chunked/i) {
            $q->{framing} = 'chunked';

        } elsif (defined $q->{headers}{'content-length'}) {
            $q->{framing} = 'cl';
        }
    }

    if ($q->{framing} eq 'chunked') {
        return _chunks($in, $q, $body);
    }

    _counted($in, $q, $body);
}


sub fastcgi {
    my ($c, $q, $body) = @_;
    my $in = \$c->{in};

    while (length $$in >= 8) {
        my ($type, $id, $len, $pad) = unpack 'x C n n C', $$in;

        last if length $$in < 8 + $len + $pad;

        my $data = substr $$in, 8, $len;

        substr($$in, 0, 8 + $len + $pad) = '';

        if ($type == 1) {
            $q->{id} = $id;

        } elsif ($type == 4) {
            if ($len) {
                $q->{raw_params} .= $data;

            } else {
                _params($q, _fastcgi_pairs(delete $q->{raw_params}));
                $q->{framing} = 'stream';
            }

        } elsif ($type == 5) {
            if ($len) {
                $body->($data);

            } else {
                $q->{terminator} = $q->{complete} = 1;
                last;
            }
        }
    }
}


sub uwsgi {
    my ($c, $q, $body) = @_;
    my $in = \$c->{in};

    if (!$q->{head}) {
        return if length $$in < 4;

        my $len = unpack 'x v', $$in;

        return if length $$in < 4 + $len;

        _params($q, unpack '(v/a*)*', substr $$in, 4, $len);
        substr($$in, 0, 4 + $len) = '';
    }

    _counted($in, $q, $body);
}


sub scgi {
    my ($c, $q, $body) = @_;
    my $in = \$c->{in};

    if (!$q->{head}) {
        $$in =~ /^(\d+):/ or return;

        my ($start, $len) = ($+[0], $1);

        return if length $$in < $start + $len + 1;

        _params($q, split /\0/, substr($$in, $start, $len), -1);
        substr($$in, 0, $start + $len + 1) = '';
    }

    _counted($in, $q, $body);
}


# the bytes of an answer

sub response {
    my ($protocol, $q, $status, $headers, $body, $length, $keep) = @_;
    my @headers = @$headers;
    my $out = $protocol eq 'http' || $protocol eq 'uwsgi'
              ? "HTTP/1.1 $status Status\r\n" : "Status: $status\r\n";

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $out .= "$name: $value\r\n";
    }

    $out .= "Content-Length: $length\r\n";
    $out .= 'Connection: ' . ($keep ? 'keep-alive' : 'close') . "\r\n"
        if $protocol eq 'http';
    $out .= "\r\n$body";

    return $out unless $protocol eq 'fastcgi';

    my $records = '';

    while (length $out) {
        my $piece = substr $out, 0, 32768, '';

        $records .= pack 'CCnnCx', 1, 6, $q->{id}, length $piece, 0;
        $records .= $piece;
    }

    return $records . pack('CCnnCx', 1, 6, $q->{id}, 0, 0)
           . pack('CCnnCx NCx3', 1, 3, $q->{id}, 8, 0, 0, 0);
}


sub _headers {
    my ($q, @pairs) = @_;

    $q->{head} = 1;
    $q->{header_list} = \@pairs;

    for my $pair (@pairs) {
        my $name = lc $pair->[0];

        $q->{headers}{$name} = exists $q->{headers}{$name}
                               ? "$q->{headers}{$name}, $pair->[1]"
                               : $pair->[1];
    }

    $q->{declared} = $q->{headers}{'content-length'};
}


# CGI variables, as pairs, are headers by another name

sub _params {
    my ($q, @flat) = @_;
    my @pairs;

    pop @flat if @flat % 2;

    while (@flat) {
        my ($name, $value) = splice @flat, 0, 2;

        # SCGI has its own CONTENT_LENGTH, scgi_params adds another

        next if exists $q->{params}{$name} && $q->{params}{$name} eq $value;

        $q->{params}{$name} = $value;

        # nginx gives both by two names each: as a variable and as a header

        next if $name =~ /^HTTP_CONTENT_(?:TYPE|LENGTH)$/;

        if ($name =~ /^HTTP_(.+)/
            || ($name =~ /^(CONTENT_(?:TYPE|LENGTH))$/ && length $value))
        {
            push @pairs, [lc($1) =~ tr/_/-/r, $value];
        }
    }

    _headers($q, @pairs);

    $q->{method} = $q->{params}{REQUEST_METHOD} // '';
    $q->{uri} = $q->{params}{REQUEST_URI} // '';
    $q->{version} = $q->{params}{SERVER_PROTOCOL} // '';
    $q->{framing} = 'cl' if defined $q->{declared};
}


sub _counted {
    my ($in, $q, $body) = @_;
    my $left = ($q->{declared} || 0) - $q->{length};

    $body->(substr $$in, 0, $left, '') if $left > 0 && length $$in;
    $q->{complete} = 1 if $q->{length} >= ($q->{declared} || 0);
}


sub _chunks {
    my ($in, $q, $body) = @_;

    while (1) {
        if ($q->{chunk}) {
            my $piece = substr $$in, 0, $q->{chunk}, '';

            $body->($piece) if length $piece;
            $q->{chunk} -= length $piece;
            return if $q->{chunk};

            $q->{chunk_end} = 1;
        }

        if ($q->{chunk_end}) {
            $$in =~ s/^\r\n// or return;
            $q->{chunk_end} = 0;
        }

        if ($$in =~ s/^0[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n//) {
            $q->{terminator} = $q->{complete} = 1;
            return;
        }

        return if $$in =~ /^0+[;\r]/ || $$in !~ s/^([0-9a-f]+)[^\r\n]*\r\n//i;

        $q->{chunk} = hex $1;
    }
}


sub _fastcgi_pairs {
    my ($data) = @_;
    my ($pos, @out) = (0);

    while ($pos < length $data) {
        my @len;

        for (0, 1) {
            my $n = ord substr $data, $pos++, 1;

            if ($n & 128) {
                $n = unpack('N', substr $data, $pos - 1, 4) & 0x7fffffff;
                $pos += 3;
            }

            push @len, $n;
        }

        for my $n (@len) {
            push @out, substr $data, $pos, $n;
            $pos += $n;
        }
    }

    return @out;
}


1;
