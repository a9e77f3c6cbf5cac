
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Charges of a zone: millions per second on one core, the median of several
 * runs.  Each is what a request costs that has one rate: a hash of its key of
 * 16 bytes, the lock, the entry, the verdict, the charge, whether it is one
 * of the heaviest, the end of the change, the lock again.  Keys are uniform
 * and random, which is the worst case: each request misses the cache.  A zone
 * that was full when its tenants came is the worst one: they stand wherever
 * others had to go.
 */


#define _GNU_SOURCE

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "quota/guardrail_heavy.h"
#include "quota/guardrail_rate.h"
#include "quota/guardrail_siphash.h"


#define MB     ((size_t) 1024 * 1024)
#define RUNS   7
#define TIMES  1000000                  /* charges in a run */
#define HELD   500000                   /* times that the lock was held */


typedef struct {
    const char  *name;
    size_t       size;
    uint32_t     rates;
    uint32_t     tenants;
    uint32_t     others;                /* who were there before */
    unsigned     prefetch;
} load_t;


static void fill(guardrail_zone_t *z, const load_t *load);
static double measure(guardrail_zone_t *z, const load_t *load);
static double held_p99(guardrail_zone_t *z, const load_t *load);
static void charge(guardrail_zone_t *z, uint64_t tenant, unsigned prefetch);
static void lock(uint64_t *word);


static const load_t  loads[] = {
    { "1,000 tenants, in the cache", 16 * MB, 4, 1000, 0, 1 },
    { "1 M tenants, 256 MiB", 256 * MB, 4, 1000000, 0, 1 },
    { "1 M tenants, no prefetch", 256 * MB, 4, 1000000, 0, 0 },
    { "1 M tenants, of a full zone", 256 * MB, 4, 1000000, 3000000, 1 },
    { "6 M tenants, 1 GiB", 1024 * MB, 4, 6000000, 0, 1 }
};

static uint8_t   secret[GUARDRAIL_SIPHASH_KEY] = "0123456789abcde";
static uint64_t  word;
static uint64_t  now = 1700000000000;
static uint64_t  rnd = 1;
static uint64_t  admitted;

/* nanoseconds that the lock was held, if they are asked for */

static double    *held;
static uint32_t   n_held;


int
main(int argc, char **argv)
{
    void              *p;
    size_t             i;
    double             rates[RUNS];
    uint64_t           evictions;
    unsigned           run;
    guardrail_zone_t   z;

    printf("%-36s%8s%8s%8s%13s\n", "M/s", "rate", "best", "bytes",
           "held-p99,us");

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {

        if (argc > 1 && strstr(loads[i].name, argv[1]) == NULL) {
            continue;
        }

        /* zeros of the system, in pages of 4 KiB as an nginx zone has them */

        p = mmap(NULL, loads[i].size, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED) {
            perror("mmap");
            return 1;
        }

        if (!guardrail_zone_layout(&z, p, loads[i].size, loads[i].rates)) {
            return 1;
        }

        guardrail_zone_create(&z, loads[i].size, 1, now, 0);
        fill(&z, &loads[i]);
        evictions = z.head->stats.evictions;

        for (run = 0; run < RUNS; run++) {
            rates[run] = measure(&z, &loads[i]);
        }

        qsort(rates, RUNS, sizeof(double), compare);

        printf("%-36s%8.2f%8.2f%8.1f%13.2f\n", loads[i].name,
               rates[RUNS / 2], rates[RUNS - 1],
               (double) loads[i].size / z.n_entries,
               held_p99(&z, &loads[i]) / 1000);

        evictions = z.head->stats.evictions - evictions;

        if (evictions || z.head->stats.overflows || z.head->stats.unsaved) {
            printf("%" PRIu64 " evictions, %" PRIu64 " overflows\n",
                   evictions, z.head->stats.overflows);
        }

        fflush(stdout);
        munmap(p, loads[i].size);
    }

    /* so that nothing is left out */

    return admitted == 0;
}


/* over an hour, if there were others: the oldest of them make room */

static void
fill(guardrail_zone_t *z, const load_t *load)
{
    uint32_t  i;

    for (i = 0; i < load->others; i++) {
        now += (i % 1024 == 0) * 1000;
        charge(z, UINT32_MAX + (uint64_t) i, 0);
    }

    for (i = 0; i < load->tenants; i++) {
        now += (load->others && i % 1024 == 0) * 1000;
        charge(z, i, 0);
    }
}


static double
measure(guardrail_zone_t *z, const load_t *load)
{
    double    start;
    unsigned  i;

    start = seconds();

    for (i = 0; i < TIMES; i++) {
        rnd ^= rnd << 13;
        rnd ^= rnd >> 7;
        rnd ^= rnd << 17;

        /* a million in a second */

        now += (i % 1024 == 0);

        charge(z, ((rnd >> 32) * load->tenants) >> 32, load->prefetch);
    }

    return TIMES / (seconds() - start) / 1e6;
}


/* how long others wait for the lock, by the wall clock, which costs too */

static double
held_p99(guardrail_zone_t *z, const load_t *load)
{
    double    p99;
    unsigned  i;

    held = malloc(HELD * sizeof(double));

    if (held == NULL) {
        abort();
    }

    for (i = 0, n_held = 0; i < HELD; i++) {
        rnd ^= rnd << 13;
        rnd ^= rnd >> 7;
        rnd ^= rnd << 17;

        charge(z, ((rnd >> 32) * load->tenants) >> 32, load->prefetch);
    }

    qsort(held, n_held, sizeof(double), compare);
    p99 = held[n_held / 100 * 99];

    free(held);
    held = NULL;

    return p99;
}


static void
charge(guardrail_zone_t *z, uint64_t tenant, unsigned prefetch)
{
    uint8_t             name[16];
    guardrail_key_t     key;
    struct timespec     from, to;
    guardrail_rate_t    rate;
    guardrail_entry_t  *e;

    memset(name, 'k', sizeof(name));
    memcpy(name + 8, &tenant, sizeof(tenant));

    memset(&rate, 0, sizeof(rate));
    rate.limit.value = 1000;
    rate.limit.period = 60;
    rate.limit.unit = GUARDRAIL_UNIT_REQUESTS;

    guardrail_siphash(secret, name, sizeof(name), key.hash);
    key.entry = GUARDRAIL_ZONE_NONE;
    key.overflow = 0;

    if (prefetch) {
        guardrail_key_prefetch(z, &key);
    }

    lock(&word);

    if (held) {
        clock_gettime(CLOCK_MONOTONIC, &from);
    }

    (void) guardrail_zone_repair_locked(z);

    e = guardrail_key_find_locked(z, &key, now, 1);

    if (guardrail_rate_admit_locked(z, e, &rate, now, 1)
        == GUARDRAIL_RATE_ADMITTED)
    {
        guardrail_rate_charge_locked(z, e, &rate, now, 1);
        guardrail_heavy_charged_locked(z, &key, name, sizeof(name), &rate, 1,
                                       now);
        admitted++;
    }

    guardrail_zone_commit(z);

    if (held) {
        clock_gettime(CLOCK_MONOTONIC, &to);
        held[n_held++] = (double) (to.tv_sec - from.tv_sec) * 1e9
                         + (double) (to.tv_nsec - from.tv_nsec);
    }

    /* unlock, as nginx does it */

    (void) __sync_bool_compare_and_swap(&word, 1, 0);
}


static void
lock(uint64_t *w)
{
    while (!__sync_bool_compare_and_swap(w, 0, 1)) { /* void */ }
}
