
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "stats/guardrail_histogram.h"


/* room for what is usual to grow */

#define GUARDRAIL_HEADROOM  2

#define GUARDRAIL_SUGGEST_SIZE  1024            /* bytes, at least */


uint64_t
guardrail_histogram_bound(unsigned index)
{
    unsigned  e, part;

    if (index <= GUARDRAIL_HISTOGRAM_EXACT) {
        return index;
    }

    index -= 1 + GUARDRAIL_HISTOGRAM_EXACT;

    e = (index >> GUARDRAIL_HISTOGRAM_BITS) + 1;
    part = index & ((1U << GUARDRAIL_HISTOGRAM_BITS) - 1);

    return ((uint64_t) (1U << GUARDRAIL_HISTOGRAM_BITS) + part + 1) << e;
}


void
guardrail_histogram_add(guardrail_histogram_t *h, uint64_t value)
{
    uint64_t  max;

    __atomic_fetch_add(&h->buckets[guardrail_histogram_index(value)], 1,
                       __ATOMIC_RELAXED);

    /* a sum that wraps is a counter that has started again */

    __atomic_fetch_add(&h->sum, value, __ATOMIC_RELAXED);

    max = __atomic_load_n(&h->max, __ATOMIC_RELAXED);

    while (value > max
           && !__atomic_compare_exchange_n(&h->max, &max, value, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
    {
        /* void */
    }
}


void
guardrail_histogram_merge(guardrail_histogram_t *h,
    const guardrail_histogram_t *from)
{
    uint64_t  n;
    unsigned  i;

    for (i = 0; i < GUARDRAIL_HISTOGRAM_BUCKETS; i++) {
        n = __atomic_load_n(&from->buckets[i], __ATOMIC_RELAXED);
        h->buckets[i] += n;
    }

    h->sum += __atomic_load_n(&from->sum, __ATOMIC_RELAXED);

    n = __atomic_load_n(&from->max, __ATOMIC_RELAXED);

    if (n > h->max) {
        h->max = n;
    }
}


uint64_t
guardrail_histogram_count(const guardrail_histogram_t *h)
{
    uint64_t  n;
    unsigned  i;

    for (n = 0, i = 0; i < GUARDRAIL_HISTOGRAM_BUCKETS; i++) {
        n += h->buckets[i];
    }

    return n;
}


uint64_t
guardrail_histogram_quantile(const guardrail_histogram_t *h,
    unsigned permille)
{
    uint64_t  n, count, rank, bound;
    unsigned  i;

    count = guardrail_histogram_count(h);

    /* as many values as are at least permille of all, rounded up */

    rank = count / 1000 * permille + (count % 1000 * permille + 999) / 1000;

    if (rank == 0) {
        return 0;
    }

    for (n = 0, i = 0; i < GUARDRAIL_HISTOGRAM_BUCKETS - 1; i++) {
        n += h->buckets[i];

        if (n >= rank) {
            bound = guardrail_histogram_bound(i);
            return (bound < h->max) ? bound : h->max;
        }
    }

    return h->max;
}


uint64_t
guardrail_histogram_above(const guardrail_histogram_t *h, uint64_t limit)
{
    uint64_t  n;
    unsigned  i;

    if (limit >= h->max) {
        return 0;
    }

    i = guardrail_histogram_index(limit);

    if (i < GUARDRAIL_HISTOGRAM_BUCKETS - 1
        && guardrail_histogram_bound(i) <= limit)
    {
        i++;
    }

    for (n = 0; i < GUARDRAIL_HISTOGRAM_BUCKETS; i++) {
        n += h->buckets[i];
    }

    return n;
}


uint64_t
guardrail_histogram_upto(const guardrail_histogram_t *h, uint64_t limit)
{
    uint64_t  n;
    unsigned  i;

    for (n = 0, i = 0;
         i < GUARDRAIL_HISTOGRAM_BUCKETS - 1
         && guardrail_histogram_bound(i) <= limit;
         i++)
    {
        n += h->buckets[i];
    }

    return n;
}


uint64_t
guardrail_suggest_size(uint64_t value)
{
    uint64_t  n;

    value = guardrail_mul_sat(value, GUARDRAIL_HEADROOM);

    for (n = GUARDRAIL_SUGGEST_SIZE; n < value; n *= 2) {

        if (n > UINT64_MAX / 4) {
            return n;
        }

        if (n >= 2 * GUARDRAIL_SUGGEST_SIZE && n + n / 2 >= value) {
            return n + n / 2;
        }
    }

    return n;
}


uint64_t
guardrail_suggest_number(uint64_t value)
{
    uint64_t  n;

    value = guardrail_mul_sat(value, GUARDRAIL_HEADROOM);

    for (n = 1; n < value; n *= 10) {

        if (n > UINT64_MAX / 10) {
            return n;
        }

        if (2 * n >= value) {
            return 2 * n;
        }

        if (5 * n >= value) {
            return 5 * n;
        }
    }

    return n;
}
