
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast CSV rows are counted: GB/s (10^9 bytes per second of processor
 * time), the median and the best of many runs, of 256 KiB that stay in the
 * cache.
 *
 *     csv [implementation]
 */


#define _POSIX_C_SOURCE  200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "records/guardrail_csv.h"


#define BODY   (256 * 1024)
#define RUNS   101
#define TIMES  10                       /* bodies in a run */


static void measure(const guardrail_csv_ops_t *ops, const char *name,
    const char *row);


static const struct {
    const char  *name;
    const char  *row;
} loads[] = {
    { "numbers, 40 bytes", "1700000000,12,0.250,4711,0.125,77,0,1,2\n" },
    { "numbers, CRLF", "1700000000,12,0.250,4711,0.125,77,0,1\r\n" },
    { "quoted names", "1700000000,\"Doe, Jane\",\"a b\",0.25,\"x\",7\n" },
    { "all quoted", "\"1700000000\",\"Doe, Jane\",\"\"\"b\"\" c\",\"1\"\r\n" },
    { "newlines in quotes", "12,\"first line\nsecond\nthird\",4\n" },
    { "rows of 4 bytes", "a,b\n" },
    { "quotes within fields", "5\" pipe,3' 7\",0.25,12,some text here,1\n" }
};


static void
measure(const guardrail_csv_ops_t *ops, const char *name, const char *row)
{
    size_t                  i, j, len, used;
    double                  start, times[RUNS];
    guardrail_csv_t         s;
    guardrail_csv_limits_t  l = { 1 << 20, 1 << 24, 4096 };

    static uint8_t  body[BODY];

    len = strlen(row);

    for (i = 0; i < BODY; i++) {
        body[i] = (uint8_t) row[i % len];
    }

    for (i = 0; i < RUNS; i++) {
        start = seconds();

        for (j = 0; j < TIMES; j++) {
            guardrail_csv_init(&s, ops, &l);
            (void) guardrail_csv_feed(&s, body, BODY, &used);

            if (guardrail_csv_finish(&s) != GUARDRAIL_OK) {
                abort();
            }
        }

        times[i] = seconds() - start;
    }

    qsort(times, RUNS, sizeof(double), compare);

    printf("%-36s%8.2f %7.2f\n", name,
           (double) BODY * TIMES / times[RUNS / 2] / 1e9,
           (double) BODY * TIMES / times[0] / 1e9);
}


int
main(int argc, char **argv)
{
    size_t                      i;
    const guardrail_csv_ops_t  *ops;

    ops = (argc > 1) ? guardrail_csv_by_name(argv[1]) : guardrail_csv_select();

    if (ops == NULL) {
        return 1;
    }

    printf("%-36s%8s  (best)\n", "GB/s", guardrail_csv_name(ops));

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        measure(ops, loads[i].name, loads[i].row);
    }

    return 0;
}
