
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the benchmarks measure with.  Included behind _POSIX_C_SOURCE.
 */


#ifndef GUARDRAIL_BENCH_CLOCK_H
#define GUARDRAIL_BENCH_CLOCK_H


#include <time.h>


/* of the processor: others may use it, too */

static double
seconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


/* of two doubles, for qsort() */

static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


#endif /* GUARDRAIL_BENCH_CLOCK_H */
