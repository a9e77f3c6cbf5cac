
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast NDJSON records are counted: GB/s (10^9 bytes per second of
 * processor time), the median and the best of many runs, of 256 KiB that
 * stay in the cache.
 *
 *     ndjson [implementation]
 */


#define _POSIX_C_SOURCE  200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "records/guardrail_ndjson.h"


#define BODY   (256 * 1024)
#define RUNS   101
#define TIMES  10                       /* bodies in a run */


typedef size_t (*line_pt)(uint8_t *p, size_t n);


static size_t line_100(uint8_t *p, size_t n);
static size_t line_8(uint8_t *p, size_t n);
static size_t line_crlf(uint8_t *p, size_t n);
static size_t line_spaces(uint8_t *p, size_t n);
static size_t line_quotes(uint8_t *p, size_t n);
static size_t line_varying(uint8_t *p, size_t n);
static size_t line_varying_short(uint8_t *p, size_t n);
static size_t line_4000(uint8_t *p, size_t n);
static size_t line_latin(uint8_t *p, size_t n);
static size_t line_cr(uint8_t *p, size_t n);
static size_t line_nul(uint8_t *p, size_t n);
static size_t line_white(uint8_t *p, size_t n);
static void text(uint8_t *p, size_t n);
static void measure(const guardrail_ndjson_ops_t *ops, const uint8_t *body,
    size_t piece);
static uint32_t rnd(void);


static const struct {
    const char  *name;
    line_pt      line;
    size_t       piece;
} loads[] = {
    { "records of 100 bytes", line_100, BODY },
    { "records of 60 to 140 bytes", line_varying, BODY },
    { "records of 8 bytes", line_8, BODY },
    { "records of 1 to 15 bytes", line_varying_short, BODY },
    { "records of 4000 bytes", line_4000, BODY },
    { "records of 100 bytes, CRLF", line_crlf, BODY },
    { "many spaces", line_spaces, BODY },
    { "quotes E2 80 9C and 9D", line_quotes, BODY },
    { "a tenth is C3 A9", line_latin, BODY },
    { "many lone CRs", line_cr, BODY },
    { "many NULs, a few within two of LF", line_nul, BODY },
    { "white lines of varying length", line_white, BODY },
    { "60 to 140, in pieces of 4096", line_varying, 4096 },
    { "60 to 140, in pieces of 1000", line_varying, 1000 },
    { "60 to 140, in pieces of 100", line_varying, 100 },
    { "60 to 140, in pieces of 40", line_varying, 40 },
    { "60 to 140, in pieces of 20", line_varying, 20 },
    { "60 to 140, in pieces of 15", line_varying, 15 }
};


static uint32_t  seed;


int
main(int argc, char **argv)
{
    size_t                         i, n;
    uint8_t                       *body;
    unsigned                       k;
    const guardrail_ndjson_ops_t  *ops[4];

    static const char  *names[] = { "scalar", "sse2", "avx2", "neon" };

    body = malloc(BODY + 8192);
    if (body == NULL) {
        return 1;
    }

    printf("%-36s", "GB/s");

    for (k = 0; k < 4; k++) {
        ops[k] = guardrail_ndjson_by_name(names[k]);

        if (argc > 1 && strcmp(argv[1], names[k]) != 0) {
            ops[k] = NULL;
        }

        if (ops[k]) {
            printf("%8s  (best)", names[k]);
        }
    }

    printf("\n");

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        seed = 1;

        for (n = 0; n < BODY; /* void */) {
            n += loads[i].line(body + n, n);
        }

        printf("%-36s", loads[i].name);

        for (k = 0; k < 4; k++) {

            if (ops[k]) {
                measure(ops[k], body, loads[i].piece);
            }
        }

        printf("\n");
    }

    free(body);

    return 0;
}


/* limits that are in force, and not reached */

static void
measure(const guardrail_ndjson_ops_t *ops, const uint8_t *body, size_t piece)
{
    double                     times[RUNS], start;
    size_t                     i, n, used;
    unsigned                   run, time;
    guardrail_ndjson_t         s;
    guardrail_ndjson_limits_t  limits;

    limits.max_records = 10000000;
    limits.max_lines = guardrail_ndjson_max_lines(limits.max_records);
    limits.max_record_size = 1024 * 1024;
    limits.refuse_utf16 = 1;

    for (run = 0; run < RUNS; run++) {
        start = seconds();

        for (time = 0; time < TIMES; time++) {
            guardrail_ndjson_init(&s, ops, &limits);

            for (i = 0; i < BODY; i += n) {
                n = (BODY - i < piece) ? BODY - i : piece;

                (void) guardrail_ndjson_feed(&s, body + i, n, &used);
            }

            if (guardrail_ndjson_finish(&s) != GUARDRAIL_OK) {
                fprintf(stderr, "refused\n");
                exit(1);
            }
        }

        times[run] = seconds() - start;
    }

    qsort(times, RUNS, sizeof(double), compare);

    printf("%8.2f %7.2f", (double) BODY * TIMES / times[RUNS / 2] / 1e9,
           (double) BODY * TIMES / times[0] / 1e9);
    fflush(stdout);
}


static void
text(uint8_t *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        p[i] = (uint8_t) ('!' + rnd() % 94);
    }
}


static size_t
line_100(uint8_t *p, size_t n)
{
    (void) n;

    text(p, 100);
    p[100] = '\n';

    return 101;
}


static size_t
line_8(uint8_t *p, size_t n)
{
    (void) n;

    text(p, 8);
    p[8] = '\n';

    return 9;
}


static size_t
line_4000(uint8_t *p, size_t n)
{
    (void) n;

    text(p, 4000);
    p[4000] = '\n';

    return 4001;
}


static size_t
line_crlf(uint8_t *p, size_t n)
{
    (void) n;

    text(p, 100);
    p[100] = '\r';
    p[101] = '\n';

    return 102;
}


static size_t
line_varying(uint8_t *p, size_t n)
{
    (void) n;

    n = 60 + rnd() % 81;
    text(p, n);
    p[n] = '\n';

    return n + 1;
}


static size_t
line_varying_short(uint8_t *p, size_t n)
{
    (void) n;

    n = 1 + rnd() % 15;
    text(p, n);
    p[n] = '\n';

    return n + 1;
}


/* a third of all bytes, and indented */

static size_t
line_spaces(uint8_t *p, size_t n)
{
    size_t  i;

    n = line_varying(p, n);

    for (i = 0; i < n - 1; i++) {

        if (i < 4 || rnd() % 3 == 0) {
            p[i] = ' ';
        }
    }

    return n;
}


static size_t
line_quotes(uint8_t *p, size_t n)
{
    size_t  i;

    n = line_varying(p, n);

    for (i = 0; i + 20 < n; i += 14) {
        p[i] = 0xe2;
        p[i + 1] = 0x80;
        p[i + 2] = (i & 1) ? 0x9c : 0x9d;
    }

    return n;
}


static size_t
line_latin(uint8_t *p, size_t n)
{
    size_t  i;

    n = line_varying(p, n);

    for (i = 0; i + 2 < n; i++) {

        if (rnd() % 20 == 0) {
            p[i++] = 0xc3;
            p[i] = 0xa9;
        }
    }

    return n;
}


static size_t
line_cr(uint8_t *p, size_t n)
{
    size_t  i;

    n = line_varying(p, n);

    for (i = 0; i < n - 2; i++) {

        if (rnd() % 16 == 0) {
            p[i] = '\r';
        }
    }

    return n;
}


static size_t
line_nul(uint8_t *p, size_t n)
{
    size_t  i;

    n = line_varying(p, n);

    for (i = 2; i < n - 1; i++) {

        if (rnd() % 16 == 0) {
            p[i] = 0;
        }
    }

    return n;
}


static size_t
line_white(uint8_t *p, size_t n)
{
    n = 1 + rnd() % 7;
    memset(p, ' ', n);
    p[n] = '\n';

    return n + 1;
}


static uint32_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;

    return seed;
}
