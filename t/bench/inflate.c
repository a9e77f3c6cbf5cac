
/*
 * Copyright (C) nginx-guardrail authors
 *
 * zlib alone: what inflating a gzip file costs, its checksum included.  The
 * file is in memory; the output goes to one buffer, again and again.
 *
 *     inflate FILE [RUNS [SIZE OF THE OUTPUT BUFFER]]
 *
 * Prints for each run the bytes and the CPU time in nanoseconds.
 */


#define _POSIX_C_SOURCE  200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>


static int run(unsigned char *in, size_t len, unsigned char *out, size_t size);
static unsigned long long cpu(void);


int
main(int argc, char **argv)
{
    int             n;
    long            len;
    FILE           *f;
    size_t          size;
    unsigned char  *in, *out;

    if (argc < 2) {
        return 2;
    }

    n = argc > 2 ? atoi(argv[2]) : 1;
    size = argc > 3 ? (size_t) atol(argv[3]) : 65536;

    f = fopen(argv[1], "rb");

    if (f == NULL || fseek(f, 0, SEEK_END) == -1) {
        perror("inflate");
        return 1;
    }

    len = ftell(f);
    rewind(f);

    in = malloc((size_t) len);
    out = malloc(size);

    if (in == NULL || out == NULL
        || fread(in, 1, (size_t) len, f) != (size_t) len)
    {
        perror("inflate");
        return 1;
    }

    while (n--) {
        if (!run(in, (size_t) len, out, size)) {
            fprintf(stderr, "inflate: not one whole gzip member\n");
            return 1;
        }
    }

    return 0;
}


static int
run(unsigned char *in, size_t len, unsigned char *out, size_t size)
{
    int                 rc;
    z_stream            z;
    unsigned long long  start;

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
        z.avail_out = (uInt) size;

        rc = inflate(&z, Z_NO_FLUSH);

    } while (rc == Z_OK);

    start = cpu() - start;

    printf("%lu %llu\n", z.total_out, start);

    inflateEnd(&z);

    return rc == Z_STREAM_END && z.avail_in == 0;
}


static unsigned long long
cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (unsigned long long) ts.tv_sec * 1000000000
           + (unsigned long long) ts.tv_nsec;
}
