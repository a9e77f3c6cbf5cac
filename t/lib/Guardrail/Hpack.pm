package Guardrail::Hpack;

# Copyright (C) nginx-guardrail authors

# HPACK (RFC 7541).  Writes literals without indexing, no Huffman; reads
# whatever a server may send.

use strict;
use warnings;


# Appendix B: the code is canonical, so the lengths of the symbols 0 to 256
# are all there is to know

my @lengths = qw(
    13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28
    28 28 28 28 28 28 28 28 6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6
    6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7
    7 7 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7
    7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24
    24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23
    22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23 26
    26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21
    21 26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26
    27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30);

# Appendix A

my @static = (undef, map { [split /=/, $_, 2] } split /;\s*/, q{:authority=;
    :method=GET; :method=POST; :path=/; :path=/index.html;
    :scheme=http; :scheme=https; :status=200; :status=204; :status=206;
    :status=304; :status=400; :status=404; :status=500; accept-charset=;
    accept-encoding=gzip, deflate; accept-language=; accept-ranges=; accept=;
    access-control-allow-origin=; age=; allow=; authorization=;
    cache-control=; content-disposition=; content-encoding=;
    content-language=; content-length=; content-location=; content-range=;
    content-type=; cookie=; date=; etag=; expect=; expires=; from=; host=;
    if-match=; if-modified-since=; if-none-match=; if-range=;
    if-unmodified-since=; last-modified=; link=; location=; max-forwards=;
    proxy-authenticate=; proxy-authorization=; range=; referer=; refresh=;
    retry-after=; server=; set-cookie=; strict-transport-security=;
    transfer-encoding=; user-agent=; vary=; via=; www-authenticate=});

my %symbols;

{
    my ($code, $last) = (0, 0);

    for my $sym (sort { $lengths[$a] <=> $lengths[$b] || $a <=> $b } 0 .. 256) {
        my $len = $lengths[$sym];

        $code <<= $len - $last;
        $symbols{sprintf '%0*b', $len, $code++} = $sym;
        $last = $len;
    }
}


sub new {
    my ($class) = @_;

    return bless { dynamic => [], size => 0, max => 4096 }, $class;
}


sub encode_int {
    my ($first, $bits, $value) = @_;
    my $max = (1 << $bits) - 1;

    return chr($first | $value) if $value < $max;

    my $out = chr($first | $max);

    for ($value -= $max; $value >= 128; $value >>= 7) {
        $out .= chr($value & 127 | 128);
    }

    return $out . chr($value);
}


# pairs of names and values -> a header block

sub encode {
    my ($self, @pairs) = @_;
    my $out = '';

    while (@pairs) {
        my ($name, $value) = splice @pairs, 0, 2;

        $out .= "\0" . encode_int(0, 7, length $name) . $name
                . encode_int(0, 7, length $value) . $value;
    }

    return $out;
}


# a header block -> a list of [name, value]

sub decode {
    my ($self, $in) = @_;
    my ($pos, @out) = (0);

    while ($pos < length $in) {
        my $b = ord substr $in, $pos, 1;

        if ($b & 0x80) {
            push @out, $self->_entry(_int(\$in, \$pos, 7));

        } elsif (($b & 0xe0) == 0x20) {
            $self->{max} = _int(\$in, \$pos, 5);
            $self->_evict;

        } else {
            my $index = _int(\$in, \$pos, $b & 0x40 ? 6 : 4);
            my $name = $index ? $self->_entry($index)->[0]
                              : _string(\$in, \$pos);
            my $pair = [$name, _string(\$in, \$pos)];

            if ($b & 0x40) {
                unshift @{$self->{dynamic}}, $pair;
                $self->{size} += _size($pair);
                $self->_evict;
            }

            push @out, $pair;
        }
    }

    return @out;
}


sub huffman_decode {
    my ($in) = @_;
    my ($out, $code) = ('', '');

    for my $bit (split //, unpack 'B*', $in) {
        $code .= $bit;

        if (defined(my $sym = $symbols{$code})) {
            die "huffman: EOS\n" if $sym == 256;

            $out .= chr $sym;
            $code = '';
        }
    }

    die "huffman: bad padding\n" if $code !~ /^1{0,7}$/;

    return $out;
}


sub _entry {
    my ($self, $i) = @_;

    my $pair = $i < @static ? $static[$i] : $self->{dynamic}[$i - @static];

    die "hpack: no entry $i\n" unless $pair;

    return $pair;
}


sub _size {
    my ($pair) = @_;

    return 32 + length($pair->[0]) + length $pair->[1];
}


sub _evict {
    my ($self) = @_;

    while ($self->{size} > $self->{max}) {
        $self->{size} -= _size(pop @{$self->{dynamic}});
    }
}


sub _int {
    my ($in, $pos, $bits) = @_;
    my $max = (1 << $bits) - 1;
    my $value = ord(substr $$in, $$pos++, 1) & $max;

    return $value if $value < $max;

    for (my $shift = 0; ; $shift += 7) {
        die "hpack: cut\n" if $$pos >= length $$in;

        my $b = ord substr $$in, $$pos++, 1;

        $value += ($b & 127) << $shift;

        return $value unless $b & 128;
    }
}


sub _string {
    my ($in, $pos) = @_;

    die "hpack: cut\n" if $$pos >= length $$in;

    my $huffman = ord(substr $$in, $$pos, 1) & 0x80;
    my $len = _int($in, $pos, 7);
    my $s = substr $$in, $$pos, $len;

    die "hpack: cut\n" if length $s != $len;

    $$pos += $len;

    return $huffman ? huffman_decode($s) : $s;
}


1;
