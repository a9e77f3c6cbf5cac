#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# The walls between the rooms of src/core, and between core and nginx:
#
#   - a room includes base/ and itself; only body includes other rooms
#   - core knows nothing of nginx, and includes only a few system headers
#   - its objects need nothing but mem*, the decoders' libraries, and core
#   - they have no variables
#
# The argument is the directory of the objects.

use strict;
use warnings;

use File::Find;
use FindBin qw($Bin);

my %system = map { $_ => 1 } qw(stddef.h stdint.h stdbool.h string.h limits.h
    inttypes.h float.h zlib.h brotli/decode.h zstd.h zstd_errors.h
    emmintrin.h immintrin.h nmmintrin.h smmintrin.h tmmintrin.h
    x86intrin.h arm_neon.h cpuid.h);

# arithmetic of the compiler's own is no library, and a loop to the zero byte
# becomes strlen

my $allowed = qr/^(?:mem(?:cpy|move|set|cmp|chr|rchr)|strlen|inflate\w*|crc32\w*
                 |adler32\w*|zlib\w*|Brotli\w*|ZSTD_\w*
                 |__(?:u?div|u?mod|u?divmod|mul)ti\d|__(?:cpu_\w+)
                 |__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$/x;

chdir "$Bin/../.." or die;

my $errors = 0;
my $objects = shift or die "usage: check-layers.pl DIRECTORY\n";

find({ no_chdir => 1, wanted => sub {
    check_source($_) if /\.[ch]$/;
} }, 'src/core');

check_glue($_) for glob 'src/*.c src/*.h';
check_objects();

exit($errors ? 1 : 0);


sub say_error {
    print "@_\n";
    $errors++;
}


sub lines {
    my ($file) = @_;

    open my $fh, '<', $file or die "open $file: $!\n";

    return <$fh>;
}


sub check_source {
    my ($file) = @_;
    my ($room) = $file =~ m{^src/core/([^/]+)/[^/]+$};
    my $n = 0;

    return say_error("$file: in no room") unless $room;

    for my $line (lines($file)) {
        $n++;

        say_error("$file:$n: core knows no ngx_") if $line =~ /\bngx_/i;

        if ($line =~ /^\s*#\s*include\s*<(.+)>/) {
            say_error("$file:$n: <$1> is not for core") unless $system{$1};
            next;
        }

        $line =~ /^\s*#\s*include\s*"(.+)"/ or next;

        my $other = $1;

        if ($other !~ m{^([^/]+)/[^/]+$}) {
            say_error("$file:$n: \"$other\" is not written as room/file.h");

        } elsif ($1 ne 'base' && $1 ne $room && $room ne 'body') {
            say_error("$file:$n: $room must not know $1");
        }

        say_error("$file:$n: there is no src/core/$other")
            unless -f "src/core/$other";
    }
}


sub check_glue {
    my ($file) = @_;
    my $n = 0;

    for my $line (lines($file)) {
        $n++;

        $line =~ /^\s*#\s*include\s*"(.+)"/ or next;

        my $name = $1;

        say_error("$file:$n: there is no $name")
            unless -f "src/$name" || -f "src/core/$name";
    }
}


sub check_objects {
    my (@files, %defined, @undefined);

    find({ no_chdir => 1, wanted => sub { push @files, $_ if /\.o$/ } },
         $objects) if -d $objects;

    # those of sources that are gone do not count

    @files = grep {
        my $source = s/^\Q$objects\E/src\/core/r =~ s/\.o$/.c/r;
        -f $source;
    } @files;

    say_error("no objects in $objects") unless @files;

    for my $file (@files) {
        for (grep { /\|/ } `nm -f sysv $file`) {
            my ($name, $section) = /^([^\s|]+)\s*\|.*\|\s*(\S*)$/ or next;

            if ($section eq '*UND*') {
                push @undefined, [$file, $name];
                next;
            }

            $defined{$name} = 1;

            # constant tables of addresses are relocated, then read-only

            say_error("$file: $name is a variable")
                if $section =~ /^(?:\.t?(?:data|bss)|\*COM\*)/
                   && $section !~ /^\.data\.rel\.ro/;
        }
    }

    for (@undefined) {
        my ($file, $name) = @$_;

        say_error("$file: core must not need $name")
            unless $defined{$name} || $name =~ $allowed;
    }
}
