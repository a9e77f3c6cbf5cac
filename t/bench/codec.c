
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast coded bodies are decoded as the guard does it: GB/s (10^9 bytes of
 * output per second of processor time), the median and the best of many runs;
 * input up to the next multiple of 4096, output in pieces of 16 KiB.
 *
 *     codec CODING FILE...                 such as: codec gzip body.gz
 *
 * Several codings: codec gzip FILE br FILE.  Of a file, a megabyte at most.
 */


#define _POSIX_C_SOURCE  200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "codec/guardrail_codec.h"


#define MOST   (1024 * 1024)
#define SLICE  4096
#define OUT    16384
#define RUNS   15


static int bench(const char *name, const char *path);
static size_t decode(const guardrail_codec_t *codec, const uint8_t *p,
    size_t len);
static void *get(void *opaque, size_t size, size_t window);
static void put(void *opaque, void *p, size_t size, size_t window);


static uint8_t  body[MOST];
static uint8_t  out[OUT];


int
main(int argc, char **argv)
{
    int  i;

    printf("%-36s%8s  (best)\n", "GB/s", "decoded");

    for (i = 1; i + 1 < argc; i += 2) {

        if (!bench(argv[i], argv[i + 1])) {
            fprintf(stderr, "codec: %s: cannot decode\n", argv[i + 1]);
            return 1;
        }
    }

    return 0;
}


static int
bench(const char *name, const char *path)
{
    FILE                     *f;
    size_t                    len, n;
    double                    start, times[RUNS];
    unsigned                  i;
    guardrail_coding_e        coding;
    const guardrail_codec_t  *codec;

    f = fopen(path, "rb");
    if (f == NULL) {
        return 0;
    }

    len = fread(body, 1, MOST, f);
    fclose(f);

    if (guardrail_codec_token((const uint8_t *) name, strlen(name), &coding)
        != GUARDRAIL_OK)
    {
        return 0;
    }

    codec = guardrail_codec_get(coding);
    if (codec == NULL) {
        return 0;
    }

    for (i = 0, n = 0; i < RUNS; i++) {
        start = seconds();
        n = decode(codec, body, len);
        times[i] = seconds() - start;

        if (n == 0) {
            return 0;
        }
    }

    qsort(times, RUNS, sizeof(double), compare);

    printf("%-36s%8.2f %7.2f\n", name, (double) n / times[RUNS / 2] / 1e9,
           (double) n / times[0] / 1e9);

    return 1;
}


/* bytes of output; the file may be cut, so its end is not judged */

static size_t
decode(const guardrail_codec_t *codec, const uint8_t *p, size_t len)
{
    void                  *state;
    size_t                 i, n, sum;
    guardrail_rc_e         rc;
    guardrail_alloc_t      alloc;
    guardrail_codec_io_t   io;

    alloc.alloc = get;
    alloc.free = put;
    alloc.opaque = NULL;

    state = codec->open(&alloc);
    if (state == NULL) {
        return 0;
    }

    rc = GUARDRAIL_OK;

    for (i = 0, sum = 0; i < len && rc == GUARDRAIL_OK; i += n) {
        n = (len - i < SLICE) ? len - i : SLICE;

        io.in = p + i;
        io.in_end = p + i + n;
        io.ahead = 0;

        do {
            io.out = out;
            io.out_end = out + OUT;

            rc = codec->decode(state, &io);
            sum += (size_t) (io.out - out);

        } while (rc == GUARDRAIL_OK && io.out == io.out_end);
    }

    codec->close(state);

    return (rc == GUARDRAIL_OK) ? sum : 0;
}


static void *
get(void *opaque, size_t size, size_t window)
{
    (void) opaque;
    (void) window;

    return malloc(size);
}


static void
put(void *opaque, void *p, size_t size, size_t window)
{
    (void) opaque;
    (void) size;
    (void) window;

    free(p);
}
