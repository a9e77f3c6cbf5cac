
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast a rate is judged and charged: millions per second on one core, the
 * median of several runs, of windows that stay in the cache.  No lock, no
 * hash, no table: what the arithmetic alone costs.
 */


#define _POSIX_C_SOURCE  200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quota/guardrail_window.h"


#define WINDOWS  256                    /* 6 KiB */
#define RUNS     15
#define TIMES    1000000                /* charges in a run */


typedef struct {
    const char  *name;
    uint64_t     limit;
    unsigned     retry;
} load_t;


static double measure(const load_t *load, uint64_t *admitted);
static double seconds(void);
static int compare(const void *a, const void *b);


/* a LIMIT that is never reached, one that is at times, and one always */

static const load_t  loads[] = {
    { "admitted and charged", UINT64_MAX - 1, 0 },
    { "a third refused", 1950, 0 },
    { "a third refused, Retry-After", 1950, 1 },
    { "all refused, Retry-After", 1, 1 }
};


int
main(void)
{
    size_t    i;
    double    rates[RUNS];
    uint64_t  admitted;
    unsigned  run;

    printf("%-36s%8s%10s\n", "M/s", "rate", "admitted");

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {

        for (run = 0; run < RUNS; run++) {
            rates[run] = measure(&loads[i], &admitted);
        }

        qsort(rates, RUNS, sizeof(double), compare);

        printf("%-36s%8.1f%9.0f%%\n", loads[i].name, rates[RUNS / 2],
               100.0 * (double) admitted / TIMES);
    }

    return 0;
}


static double
measure(const load_t *load, uint64_t *admitted)
{
    double              start;
    uint32_t            rnd;
    uint64_t            now, retry, sum;
    unsigned            i;
    guardrail_window_t  *w, windows[WINDOWS];

    memset(windows, 0, sizeof(windows));

    now = 1700000000000;
    rnd = 1;
    sum = 0;
    *admitted = 0;

    start = seconds();

    for (i = 0; i < TIMES; i++) {
        rnd = rnd * 1664525 + 1013904223;
        w = &windows[rnd >> 24];

        /* a million in 60 seconds */

        now += (rnd >> 16) % 16 == 0;

        if (guardrail_window_admit(w, 60, now, load->limit, 1)
            == GUARDRAIL_WINDOW_ADMITTED)
        {
            guardrail_window_charge(w, 60, now, 1);
            (*admitted)++;

        } else if (load->retry) {
            (void) guardrail_window_retry(w, 60, now, load->limit, 1, &retry);
            sum += retry;
        }
    }

    start = seconds() - start;

    /* so that nothing is left out */

    if (sum == UINT64_MAX) {
        printf("%" PRIu64 "\n", sum);
    }

    return TIMES / start / 1e6;
}


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}
