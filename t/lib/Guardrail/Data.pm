package Guardrail::Data;

# Copyright (C) nginx-guardrail authors

# Bodies: coded, large, and made to annoy.

use strict;
use warnings;

use Compress::Raw::Zlib;
use Exporter qw(import);
use File::Path qw(make_path);
use File::Temp;
use MIME::Base64;

use Guardrail::Util qw(read_file root);

our @EXPORT = qw(brotli brotli_zeros deflate_raw gzip gzip_header gzip_members
                 gzip_zeros ndjson pseudo_random zlib zstd zstd_frame
                 zstd_skippable zstd_zeros);


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


# By the programs of these names; the arguments are theirs.

sub brotli {
    my ($data, @args) = @_;

    return _coded($data, 'brotli', '-c', @args);
}


sub zstd {
    my ($data, @args) = @_;

    return _coded($data, 'zstd', '-q', '-c', @args);
}


sub _coded {
    my ($data, @command) = @_;
    my $file = File::Temp->new;

    binmode $file;
    print $file $data;
    close $file or die "write $file: $!\n";

    open my $fh, '-|:raw', @command, $file->filename
        or die "$command[0]: $!\n";

    my $out = do { local $/; <$fh> };

    close $fh or die "$command[0] failed\n";

    return $out // '';
}


# 1 GiB of zeros as "brotli -q 11 -w 24" has it, in 841 bytes: that takes it
# half a minute.

sub brotli_zeros {
    my $packed = decode_base64(<<'END');
eNo7//9//Q91hkcbHRS+/5v/////D/4MRxIZG979tQdyHs5n6DisxHD3d/2///8P2zMKtLMy7Pr+
/8///+31TAp83Awl7////P+f/z+Lg4wYw4t7/z///y//j7PBQofhwt7/z///t/8jzFAYwbCg+v95
qEUbGBxwWcQ0atGoRUPUInsAVujmqA==
END
    my ($inflate) = Compress::Raw::Zlib::Inflate->new;

    $inflate->inflate($packed, my $out) == Z_STREAM_END or die;

    return $out;
}


# A zstd frame with a window of 128 KiB; blocks are data, or [byte, count].

sub zstd_frame {
    my (@blocks) = @_;
    my $out = "\x28\xb5\x2f\xfd\x00\x38";

    for my $i (0 .. $#blocks) {
        my $b = $blocks[$i];
        my $last = $i == $#blocks;
        my $size = ref $b ? $b->[1] : length $b;

        $out .= substr pack('V', $last | (ref $b ? 2 : 0) | $size << 3), 0, 3;
        $out .= ref $b ? $b->[0] : $b;
    }

    return $out;
}


# of so many bytes, its header included

sub zstd_skippable {
    my ($len) = @_;

    return pack('VV', 0x184d2a50, $len - 8) . "\xee" x ($len - 8);
}


# 128 KiB of zeros in each of n blocks of four bytes: the most there can be

sub zstd_zeros {
    my ($blocks) = @_;

    return zstd_frame((["\0", 131072]) x $blocks);
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
