
/*
 * Copyright (C) nginx-guardrail authors
 *
 * zlib alone: what inflating a gzip file costs, its checksum included.  The
 * file is in memory; the output goes to one buffer, again and again.
 *
 *     inflate FILE [MOST]
 *
 * Stops after MOST bytes of output, if that is given.  Prints the bytes and
 * the CPU time in nanoseconds.
 */


#define _POSIX_C_SOURCE  200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>


#define OUT  65536


static int run(unsigned char *in, size_t len, unsigned long most);
static unsigned long long cpu(void);


int
main(int argc, char **argv)
{
    long            len;
    FILE           *f;
    unsigned char  *in;

    if (argc < 2) {
        return 2;
    }

    f = fopen(argv[1], "rb");

    if (f == NULL || fseek(f, 0, SEEK_END) == -1) {
        perror("inflate");
        return 1;
    }

    len = ftell(f);
    rewind(f);

    in = malloc((size_t) len);

    if (in == NULL || fread(in, 1, (size_t) len, f) != (size_t) len) {
        perror("inflate");
        return 1;
    }

    if (!run(in, (size_t) len, argc > 2 ? strtoul(argv[2], NULL, 10) : 0)) {
        fprintf(stderr, "inflate: not one whole gzip member\n");
        return 1;
    }

    return 0;
}


static int
run(unsigned char *in, size_t len, unsigned long most)
{
    int                 rc;
    z_stream            z;
    unsigned long long  start;

    static unsigned char  out[OUT];

    z.zalloc = Z_NULL;
    z.zfree = Z_NULL;
    z.next_in = in;
    z.avail_in = (uInt) len;

    start = cpu();

    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        return 0;
    }

    do {
        z.next_out = out;
        z.avail_out = OUT;

        if (most && most - z.total_out < OUT) {
            z.avail_out = (uInt) (most - z.total_out);
        }

        rc = inflate(&z, Z_NO_FLUSH);

    } while (rc == Z_OK && z.total_out != most);

    start = cpu() - start;

    printf("%lu %llu\n", z.total_out, start);

    inflateEnd(&z);

    return z.total_out == most || (rc == Z_STREAM_END && z.avail_in == 0);
}


static unsigned long long
cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (unsigned long long) ts.tv_sec * 1000000000
           + (unsigned long long) ts.tv_nsec;
}
