
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Histograms: each value is in a bucket whose bound is near it and not below,
 * bounds are the powers of two that Prometheus is told of, quantiles are
 * compared with those of all values, sorted, and several threads lose nothing.
 */


#include "tap.h"
#include "bytes.h"

#include "stats/guardrail_histogram.h"

#include <pthread.h>
#include <stdlib.h>


#define VALUES   4000
#define THREADS  4
#define TIMES    20000


static int compare(const void *a, const void *b);
static void *add_many(void *data);
static void test_bounds(void);
static void test_random_values(void);
static void test_powers(void);
static void test_quantiles(void);
static void test_empty(void);
static void test_large(void);
static void test_threads(void);
static void test_suggestions(void);


static rng_t                  rng = { 20261127 };
static guardrail_histogram_t  shared;


static int
compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


static void
test_bounds(void)
{
    uint64_t  bound, before;
    unsigned  i, bad;

    for (bad = 0, before = 0, i = 0; i < GUARDRAIL_HISTOGRAM_BUCKETS; i++) {
        bound = guardrail_histogram_bound(i);

        bad += i > 0 && bound <= before;
        bad += guardrail_histogram_index(bound) != i;
        bad += i > 0 && guardrail_histogram_index(before + 1) != i;

        /* a sixteenth above the smallest value at most */

        bad += i > 0 && (bound - before - 1) * 16 > before + 1;

        before = bound;
    }

    tap_is_u64(bad, 0, "buckets are disjoint, in order, and narrow");
    tap_is_u64(before, (uint64_t) 1 << 40, "the last bound is 2^40");
}


static void
test_random_values(void)
{
    unsigned  i, bad;
    uint64_t  value, bound;

    for (bad = 0, i = 0; i < 200000; i++) {
        value = (rng_next(&rng) & (((uint64_t) 1 << 40) - 1))
                >> (rng_next(&rng) % 41);
        bound = guardrail_histogram_bound(guardrail_histogram_index(value));

        bad += bound < value || (bound - value) * 16 > value;
    }

    tap_is_u64(bad, 0, "a bound is not below a value, nor a sixteenth above");
}


static void
test_powers(void)
{
    unsigned               i, bad;
    guardrail_histogram_t  h;

    memset(&h, 0, sizeof(h));

    for (i = 0; i < 40; i++) {
        guardrail_histogram_add(&h, (uint64_t) 1 << i);
        guardrail_histogram_add(&h, ((uint64_t) 1 << i) + 1);
    }

    for (bad = 0, i = 1; i < 40; i++) {

        /* this one, and two for each power before */

        bad += guardrail_histogram_upto(&h, (uint64_t) 1 << i) != 2 * i + 1;
    }

    tap_is_u64(bad, 0, "values up to a power of two are told exactly");
    tap_is_u64(guardrail_histogram_count(&h), 80, "and all are counted");
}


static void
test_quantiles(void)
{
    static uint64_t        values[VALUES];
    static const unsigned  permilles[] = { 1, 500, 900, 990, 999, 1000 };

    unsigned               i, j, n, bad, round;
    uint64_t               exact, got, above;
    guardrail_histogram_t  h, half[2];

    for (bad = 0, round = 0; round < 60; round++) {
        n = 1 + (unsigned) (rng_next(&rng) % VALUES);

        memset(half, 0, sizeof(half));
        memset(&h, 0, sizeof(h));

        for (i = 0; i < n; i++) {
            values[i] = (rng_next(&rng) & 0xffffffffff)
                        >> (rng_next(&rng) % 41);
            guardrail_histogram_add(&half[i % 2], values[i]);
        }

        guardrail_histogram_merge(&h, &half[0]);
        guardrail_histogram_merge(&h, &half[1]);

        qsort(values, n, sizeof(uint64_t), compare);

        bad += h.max != values[n - 1];
        bad += guardrail_histogram_count(&h) != n;

        for (i = 0; i < 6; i++) {
            exact = values[(n * permilles[i] + 999) / 1000 - 1];
            got = guardrail_histogram_quantile(&h, permilles[i]);

            bad += got < exact || (got - exact) * 16 > exact;
        }

        exact = values[n / 2];

        for (above = 0, j = 0; j < n; j++) {
            above += values[j] > exact;
        }

        got = guardrail_histogram_above(&h, exact);
        bad += got < above;

        for (above = 0, j = 0; j < n; j++) {
            above += values[j] + values[j] / 15 > exact;
        }

        bad += got > above;
    }

    tap_is_u64(bad, 0, "quantiles are near those of the sorted values");
}


static void
test_empty(void)
{
    guardrail_histogram_t  h;

    memset(&h, 0, sizeof(h));

    tap_is_u64(guardrail_histogram_quantile(&h, 999), 0, "nothing has no p999");
    tap_is_u64(guardrail_histogram_above(&h, 0), 0, "and nothing above 0");

    guardrail_histogram_add(&h, 0);

    tap_is_u64(guardrail_histogram_count(&h), 1, "0 is a value");
    tap_is_u64(guardrail_histogram_quantile(&h, 500), 0, "its median");
    tap_is_u64(guardrail_histogram_upto(&h, 0), 1, "it is up to 0");
}


static void
test_large(void)
{
    guardrail_histogram_t  h;

    memset(&h, 0, sizeof(h));

    guardrail_histogram_add(&h, UINT64_MAX);

    tap_is_u64(h.max, UINT64_MAX, "the largest number there is");
    tap_is_u64(guardrail_histogram_quantile(&h, 500), UINT64_MAX,
               "of the last bucket the largest value is told");
    tap_is_u64(guardrail_histogram_above(&h, (uint64_t) 1 << 50), 1,
               "it is above 2^50");
    tap_is_u64(guardrail_histogram_upto(&h, (uint64_t) 1 << 40), 0,
               "and not up to 2^40");
}


static void *
add_many(void *data)
{
    unsigned  i;

    for (i = 0; i < TIMES; i++) {
        guardrail_histogram_add(&shared, i % 100);
    }

    return data;
}


static void
test_threads(void)
{
    unsigned   i;
    pthread_t  threads[THREADS];

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, add_many, NULL) != 0) {
            abort();
        }
    }

    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }

    tap_is_u64(guardrail_histogram_count(&shared), THREADS * TIMES,
               "of four that add at once nothing is lost");
    tap_is_u64(shared.sum, (uint64_t) THREADS * TIMES / 100 * 4950,
               "nor of the sum");
    tap_is_u64(shared.max, 99, "the largest");
}


static void
test_suggestions(void)
{
    unsigned  i, bad;
    uint64_t  value, size, number;

    tap_is_u64(guardrail_suggest_size(0), 1024, "1k for nothing");
    tap_is_u64(guardrail_suggest_size(512), 1024, "512 bytes: 1k");
    tap_is_u64(guardrail_suggest_size(513), 2048, "one more: 2k");
    tap_is_u64(guardrail_suggest_size(1025), 3072, "1025: 3k");
    tap_is_u64(guardrail_suggest_size(700000), 1536 * 1024, "1536k");
    tap_is_u64(guardrail_suggest_number(0), 1, "1 for nothing");
    tap_is_u64(guardrail_suggest_number(1), 2, "1: 2");
    tap_is_u64(guardrail_suggest_number(3), 10, "3: 10");
    tap_is_u64(guardrail_suggest_number(50), 100, "50: 100");
    tap_is_u64(guardrail_suggest_number(51), 200, "51: 200");
    tap_is_u64(guardrail_suggest_number(240000), 500000, "240000: 500000");

    for (bad = 0, i = 0; i < 100000; i++) {
        value = 1024 + (rng_next(&rng) >> (8 + rng_next(&rng) % 48));
        size = guardrail_suggest_size(value);
        number = guardrail_suggest_number(value);

        bad += size < 2 * value || size > 3 * value;
        bad += number < 2 * value || number > 5 * value;
    }

    tap_is_u64(bad, 0, "twice the value at least, and not much more");

    tap_ok(guardrail_suggest_size(UINT64_MAX) > (uint64_t) 1 << 60,
           "the largest size ends");
    tap_ok(guardrail_suggest_number(UINT64_MAX) > (uint64_t) 1 << 60,
           "and the largest number");
}


int
main(void)
{
    test_bounds();
    test_random_values();
    test_powers();
    test_quantiles();
    test_empty();
    test_large();
    test_threads();
    test_suggestions();

    return tap_done();
}
