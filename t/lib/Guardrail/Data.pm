package Guardrail::Data;

# Copyright (C) nginx-guardrail authors

# Bodies: coded, large, and made to annoy.

use strict;
use warnings;

use Compress::Raw::Zlib;
use Exporter qw(import);
use File::Path qw(make_path);

use Guardrail::Util qw(read_file root);

our @EXPORT = qw(deflate_raw gzip gzip_header gzip_members gzip_zeros ndjson
                 pseudo_random zlib);


# Options: level => 1..9 (9 unless told), name, comment, extra => bytes of
# these header fields, of any length; crc and isize to lie about.

sub gzip {
    my ($data, %opt) = @_;

    return gzip_header(%opt) . deflate_raw($data, $opt{level})
           . pack 'VV', $opt{crc} // crc32($data),
                        $opt{isize} // length($data) % 2 ** 32;
}


# ten bytes, and what the options add

sub gzip_header {
    my (%opt) = @_;
    my $flags = (defined $opt{extra} ? 4 : 0) | (defined $opt{name} ? 8 : 0)
                | (defined $opt{comment} ? 16 : 0);
    my $out = pack 'CCCCVCC', 31, 139, 8, $flags, 0, 2, 3;

    $out .= pack 'v/a*', $opt{extra} if defined $opt{extra};
    $out .= "$opt{name}\0" if defined $opt{name};
    $out .= "$opt{comment}\0" if defined $opt{comment};

    return $out;
}


# one body of several members

sub gzip_members {
    my (@data) = @_;

    return join '', map { gzip($_) } @data;
}


sub zlib {
    my ($data, $level) = @_;

    return _deflate($data, $level, MAX_WBITS);
}


sub deflate_raw {
    my ($data, $level) = @_;

    return _deflate($data, $level, -MAX_WBITS());
}


sub _deflate {
    my ($data, $level, $bits) = @_;

    my $d = Compress::Raw::Zlib::Deflate->new(
        -Level        => $level || 9,
        -WindowBits   => $bits,
        -AppendOutput => 1,
    );
    my $out = '';

    $d->deflate($data, $out) == Z_OK or die "deflate failed\n";
    $d->flush($out) == Z_OK or die "deflate failed\n";

    return $out;
}


# So many zeros under gzip: a bomb.  Made piece by piece and kept below
# build/, since a gigabyte takes seconds.

sub gzip_zeros {
    my ($size, $level) = @_;

    $level ||= 9;

    my $dir = $ENV{TEST_CACHE} || root . '/build/cache';
    my $file = "$dir/zeros-$size-$level.gz";

    return read_file($file) if -f $file;

    my $d = Compress::Raw::Zlib::Deflate->new(
        -Level        => $level,
        -WindowBits   => -MAX_WBITS(),
        -AppendOutput => 1,
        -CRC32        => 1,
    );
    my $out = gzip_header();
    my $zeros = "\0" x (1 << 20);

    for (my $left = $size; $left > 0; $left -= length $zeros) {
        substr($zeros, $left) = '' if $left < length $zeros;
        $d->deflate($zeros, $out) == Z_OK or die "deflate failed\n";
    }

    $d->flush($out) == Z_OK or die "deflate failed\n";
    $out .= pack 'VV', $d->crc32, $size % 2 ** 32;

    make_path($dir);

    open my $fh, '>:raw', "$file.$$" or die "open $file.$$: $!\n";
    print $fh $out;
    close $fh or die "write $file.$$: $!\n";
    rename "$file.$$", $file or die "rename $file: $!\n";

    return $out;
}


# Records, each a line with its number and padded to a size without LF, if
# one is given; the last one has no LF with last => 0.

sub ndjson {
    my ($n, %opt) = @_;
    my $out = '';

    for my $i (1 .. $n) {
        my $line = qq({"id":$i});

        if ($opt{size} && $opt{size} > length $line) {
            my $pad = $opt{size} - length($line) - length ',"p":""';

            substr($line, -1, 0) = ',"p":"' . 'x' x $pad . '"' if $pad >= 0;
        }

        $out .= "$line\n";
    }

    chop $out if exists $opt{last} && !$opt{last};

    return $out;
}


# the same bytes for the same seed, not compressible

sub pseudo_random {
    my ($size, $seed) = @_;
    my ($x, $out) = (($seed || 1) & 0xffffffff, '');

    while (length $out < $size) {
        $x ^= ($x << 13) & 0xffffffff;
        $x ^= $x >> 17;
        $x ^= ($x << 5) & 0xffffffff;
        $out .= pack 'N', $x;
    }

    return substr $out, 0, $size;
}


1;
