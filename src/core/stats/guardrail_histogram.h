
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Log-linear histograms: counts of values from 0 to 2^40, in buckets whose
 * upper bounds are at most 1/16 above any value in them (values up to 32 are
 * exact).  Several processes may add to one without a lock, and one may be
 * killed at any instruction: what it has added stays.
 *
 * A bucket holds the values above the bound of the one before, up to its own
 * bound, so that powers of two are bounds, as Prometheus' "le" wants them.
 */


#ifndef GUARDRAIL_HISTOGRAM_H
#define GUARDRAIL_HISTOGRAM_H


#include "base/guardrail_base.h"


#define GUARDRAIL_HISTOGRAM_BITS     4          /* 16 buckets in an octave */
#define GUARDRAIL_HISTOGRAM_TOP      40         /* values up to 2^40 */

#define GUARDRAIL_HISTOGRAM_EXACT    (2U << GUARDRAIL_HISTOGRAM_BITS)

#define GUARDRAIL_HISTOGRAM_BUCKETS                                           \
    (1 + GUARDRAIL_HISTOGRAM_EXACT                                            \
     + ((GUARDRAIL_HISTOGRAM_TOP - GUARDRAIL_HISTOGRAM_BITS - 1)              \
        << GUARDRAIL_HISTOGRAM_BITS))


typedef struct {
    uint64_t  sum;                      /* of the values, modulo 2^64 */
    uint64_t  max;
    uint64_t  buckets[GUARDRAIL_HISTOGRAM_BUCKETS];
} guardrail_histogram_t;


/* the bucket of a value; what is above 2^40 is in the last one */

static inline unsigned
guardrail_histogram_index(uint64_t value)
{
    unsigned  e;

    if (value <= GUARDRAIL_HISTOGRAM_EXACT) {
        return (unsigned) value;
    }

    value--;

    if (value >> GUARDRAIL_HISTOGRAM_TOP) {
        return GUARDRAIL_HISTOGRAM_BUCKETS - 1;
    }

    /* value - 1 is 1.xxxx * 2^e */

    e = 63 - (unsigned) __builtin_clzll(value);

    return 1 + ((e - GUARDRAIL_HISTOGRAM_BITS) << GUARDRAIL_HISTOGRAM_BITS)
           + (unsigned) (value >> (e - GUARDRAIL_HISTOGRAM_BITS));
}


/* the largest value of a bucket; of the last one it may be more */

uint64_t guardrail_histogram_bound(unsigned index);

GUARDRAIL_HOT void guardrail_histogram_add(guardrail_histogram_t *h,
    uint64_t value);

/* adds what is in from; nobody else has h */

void guardrail_histogram_merge(guardrail_histogram_t *h,
    const guardrail_histogram_t *from);

/* of the buckets */

uint64_t guardrail_histogram_count(const guardrail_histogram_t *h);

/*
 * The bound that permille of 1000 values do not exceed, never more than the
 * largest value; 0 of an empty histogram.
 */

uint64_t guardrail_histogram_quantile(const guardrail_histogram_t *h,
    unsigned permille);

/* values that may be above a limit: those of its own bucket too */

uint64_t guardrail_histogram_above(const guardrail_histogram_t *h,
    uint64_t limit);

/* values up to a limit; exact where it is the bound of a bucket */

uint64_t guardrail_histogram_upto(const guardrail_histogram_t *h,
    uint64_t limit);


/*
 * A limit that leaves headroom above what is usual: twice the value, rounded
 * up to 1, 1.5 times a power of two (sizes, at least 1024 bytes) or to 1, 2,
 * 5 times a power of ten.
 */

uint64_t guardrail_suggest_size(uint64_t value);
uint64_t guardrail_suggest_number(uint64_t value);


#endif /* GUARDRAIL_HISTOGRAM_H */
