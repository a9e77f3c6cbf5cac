
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Keys and rates of a zone: where everything is, which keys go when there is
 * no room, and random charges against a list of them, each killed at every
 * point of it where the build has such points.
 */


#include "tap.h"

#include "quota_model.h"
#include "zone_block.h"


#define NOW    UINT64_C(1700000000000)
#define MB     ((size_t) 1024 * 1024)
#define GB     (1024 * MB)
#define KEYS   5
#define NAMES  6
#define RATES  3                        /* of a request, and of the zone */

#if defined(__SANITIZE_ADDRESS__)
#define EPISODES  60
#define FLOOD     200000
#else
#define EPISODES  600
#define FLOOD     1000000
#endif


/* what one request does, in data of zone_killed() */

typedef struct {
    guardrail_key_t    key;
    guardrail_rate_t   rates[RATES];
    uint32_t           n;
    uint64_t           now;
    uint64_t           cost[RATES];
    unsigned           charge;          /* if it is admitted, or not: 2 */
    uint64_t           back;
    uint32_t           epoch;
    guardrail_rate_rc_e  rc[RATES];
} request_t;


typedef struct {
    uint32_t           name;            /* + 1 */
    uint32_t           used;
    uint32_t           epoch;
} pair_t;


/* a request that may give back, as the model sees it */

typedef struct {
    uint64_t           window[2];
    uint64_t           amount[2];
} receipt_t;


static uint64_t rnd(void);
static uint64_t below(uint64_t n);
static uint64_t some_bits(void);
static guardrail_entry_t *nth(const guardrail_zone_t *z, uint32_t n);
static uint8_t *make(guardrail_zone_t *z, size_t size, uint32_t rates);

static void test_layout(void);
static void test_capacity(void);
static void test_create(void);
static void test_edges_of_block(void);
static void test_fill(void);
static void test_flood(void);
static void test_least_recently_used(void);
static void test_no_room(void);
static void test_hints(void);
static void test_keep_until(void);
static void test_give_back_after_eviction(void);
static void test_give_back_other_room(void);
static void test_pairs(void);
static void test_clock_behind_new_pair(void);
static void test_lines(void);
static void test_random(unsigned kill);
static const char *random_step(zone_block_t *b, unsigned kill);
static const char *model_pair(uint32_t name, uint32_t epoch, uint64_t now,
    uint32_t *pair);
static const char *model_request(request_t *q, guardrail_entry_t *e,
    uint32_t key, const uint32_t names[RATES], receipt_t *receipts);
static void change(guardrail_zone_t *z, void *data);
static void test_aligned(void);


static const guardrail_limit_t  limits[NAMES] = {
    { 5, 1, GUARDRAIL_UNIT_REQUESTS },
    { 50, 7, GUARDRAIL_UNIT_REQUESTS },
    { 40, 1, GUARDRAIL_UNIT_RECORDS },
    { 900, 60, GUARDRAIL_UNIT_RECORDS },
    { 65536, 3, GUARDRAIL_UNIT_BYTES },
    { 1000000, 600, GUARDRAIL_UNIT_DECODED }
};

static zone_block_t   b;
static uint64_t       seed = 20240903;
static uint64_t       state;

/* of test_random() */

static quota_model_t  models[KEYS][NAMES];
static pair_t         pairs[RATES];
static uint32_t       epoch;
static uint64_t       now;
static uint64_t       kept[KEYS];
static request_t      open[KEYS];
static receipt_t      receipts[KEYS][RATES];
static unsigned       seen[8];


int
main(int argc, char **argv)
{
    const char  *s;

    s = argc > 1 ? argv[1] : getenv("GUARDRAIL_SEED");
    seed = s ? strtoull(s, NULL, 10) : seed;
    state = seed ? seed : 1;

    tap_diag("seed %" PRIu64, seed);

    test_layout();
    test_capacity();
    test_create();
    test_edges_of_block();
    test_fill();
    test_flood();
    test_least_recently_used();
    test_no_room();
    test_hints();
    test_keep_until();
    test_give_back_after_eviction();
    test_give_back_other_room();
    test_pairs();
    test_clock_behind_new_pair();
    test_lines();
    test_aligned();
    test_random(0);

#ifdef GUARDRAIL_ZONE_POINTS

    test_random(1);
    tap_diag("killed %u times, %u lines at most", zone_kill.deaths,
             zone_kill.lines);

#else

    tap_skip("killed anywhere: built without points");

#endif

    return tap_done();
}


static uint64_t
rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return state * 0x2545f4914f6cdd1d;
}


static uint64_t
below(uint64_t n)
{
    return rnd() % n;
}


static uint64_t
some_bits(void)
{
    uint64_t  n;

    n = rnd() >> below(64);

    return below(4) ? n : UINT64_MAX - (n >> below(64));
}


static guardrail_entry_t *
nth(const guardrail_zone_t *z, uint32_t n)
{
    return guardrail_zone_entry(z, guardrail_zone_nth(z, n));
}


static uint8_t *
make(guardrail_zone_t *z, size_t size, uint32_t rates)
{
    uint8_t  *p;

    p = aligned_alloc(64, size);

    if (p == NULL || !guardrail_zone_layout(z, p, size, rates)) {
        abort();
    }

    memset(p, 0, size);
    guardrail_zone_create(z, size, 1, NOW, 0);

    return p;
}


static void
test_layout(void)
{
    size_t            i, k, at, size, bad, parts[9];
    uint8_t          *base;
    uint32_t          rates;
    guardrail_zone_t  z;

    base = (uint8_t *) &b;
    bad = 0;

    for (i = 0; i < 400; i++) {

        size = GUARDRAIL_ZONE_MIN_SIZE;
        size = i < 15 ? size << i : size + below(4 * GB);

        for (rates = 1; rates <= GUARDRAIL_ZONE_MAX_RATES; rates++) {

            /* only pointers are made: nothing is there */

            base = (uint8_t *) (uintptr_t) 0x100000000;

            if (!guardrail_zone_layout(&z, base, size, rates)) {
                bad++;
                continue;
            }

            at = 0;
            parts[0] = sizeof(guardrail_zone_head_t);
            parts[1] = sizeof(guardrail_heavy_t);
            parts[2] = z.n_heavy * sizeof(uint64_t);
            parts[3] = z.n_heavy * sizeof(uint32_t);
            parts[4] = z.n_heavy * sizeof(guardrail_heavy_row_t);
            parts[5] = z.n_slots * sizeof(guardrail_slot_t);
            parts[6] = z.n_levels * sizeof(guardrail_level_t);
            parts[7] = z.n_leases * sizeof(guardrail_lease_t);
            parts[8] = z.n_waiters * sizeof(guardrail_waiter_t);

            const uint8_t  *starts[] = {
                (uint8_t *) z.head, (uint8_t *) z.heavy,
                (uint8_t *) z.weights, (uint8_t *) z.heavy_entries,
                (uint8_t *) z.heavy_rows, (uint8_t *) z.slots,
                (uint8_t *) z.levels, (uint8_t *) z.leases,
                (uint8_t *) z.waiters
            };

            for (k = 0; k < 9; k++) {
                bad += (starts[k] != base + at);
                bad += (parts[k] == 0 || parts[k] % GUARDRAIL_ZONE_LINE);
                at += parts[k];
            }

            /* buckets are pages, and in each are as many as there is room */

            bad += ((size_t) (z.buckets - base) < at
                    || (size_t) (z.buckets - base) - at >= 4096
                    || (size_t) (z.buckets - base) % 4096);
            at = (size_t) (z.buckets - base) + (size_t) z.n_buckets * 4096
                 + z.entry_size;

            bad += (z.n_entries != z.n_buckets * z.ways);
            bad += (z.entry_size != z.lines * 64);
            bad += (4096 - z.ways * (z.entry_size + 2) >= z.entry_size + 2);
            bad += (z.first * 64 + z.ways * z.entry_size != 4096);
            bad += (z.windows % 8 || z.windows < sizeof(guardrail_entry_t)
                                                 + rates * 4);
            bad += (z.windows + rates * 16 > z.entry_size
                    || z.entry_size % GUARDRAIL_ZONE_LINE
                    || z.entry_size - z.windows - rates * 16
                       >= GUARDRAIL_ZONE_LINE);
            bad += ((uint8_t *) guardrail_zone_entry(&z, z.shared)
                    != base + at - z.entry_size);

            /* inside, and no room for one more bucket */

            bad += (at > size);
            bad += (size - at >= 4096);
        }
    }

    tap_is_u64(bad, 0, "all parts of a zone, of any size and rates");

    bad = guardrail_zone_layout(&z, base, GUARDRAIL_ZONE_MIN_SIZE - 1, 1);
    bad += guardrail_zone_layout(&z, base, 0, 1);
    bad += guardrail_zone_layout(&z, base, MB, 0);
    bad += guardrail_zone_layout(&z, base, MB, GUARDRAIL_ZONE_MAX_RATES + 1);
    bad += guardrail_zone_layout(&z, base, (256 * GB) + 64, 1);

    tap_is_u64(bad, 0, "too small, too large, no rates, too many");
}


static void
test_capacity(void)
{
    uint32_t          rates;
    guardrail_zone_t  z;

    for (rates = 1; rates <= GUARDRAIL_ZONE_MAX_RATES; rates++) {
        (void) guardrail_zone_layout(&z, (void *) (uintptr_t) 0x100000000, GB,
                                     rates);

        tap_diag("%u rates: %u keys in 1 GiB, %.1f bytes each; %u levels, "
                 "%u leases, %u waiters, %u slots", rates, z.n_entries,
                 (double) GB / z.n_entries, z.n_levels, z.n_leases,
                 z.n_waiters, z.n_slots);

        if (rates == 3 || rates == 4) {
            tap_ok(z.n_entries >= 6000000, "six million keys with %u rates",
                   rates);
        }
    }
}


static void
test_create(void)
{
    uint8_t           *p;
    guardrail_zone_t   z, other;

    p = make(&z, MB, 3);

    tap_ok(guardrail_zone_valid(&z, MB), "a zone");
    tap_ok(!guardrail_zone_valid(&z, MB + 64), "of another size");

    (void) guardrail_zone_layout(&other, p, MB, 4);
    tap_ok(!guardrail_zone_valid(&other, MB), "of other rates");

    z.head->version++;
    tap_ok(!guardrail_zone_valid(&z, MB), "of another layout");
    z.head->version--;

    z.head->magic = 0;
    tap_ok(!guardrail_zone_valid(&z, MB), "no zone");

    free(p);
}


/* the last of everything is written, and nothing behind it */

static void
test_edges_of_block(void)
{
    size_t              i, size, bad;
    uint8_t            *p;
    uint32_t            rates, k;
    guardrail_zone_t    z;
    guardrail_rate_t    r;
    guardrail_entry_t  *e;

    bad = 0;

    for (rates = 1; rates <= GUARDRAIL_ZONE_MAX_RATES; rates++) {
        size = GUARDRAIL_ZONE_MIN_SIZE + 64 * below(2000);

        /* with a sanitizer the end of the memory is the canary */

        p = aligned_alloc(64, size);
        memset(p, 0, size);
        (void) guardrail_zone_layout(&z, p, size, rates);
        guardrail_zone_create(&z, size, 1, NOW, 0);

        e = guardrail_zone_entry(&z, z.shared);

        for (k = 0; k < rates; k++) {
            memset(&r, 0, sizeof(r));
            r.limit.value = 10;
            r.limit.period = k + 1;

            guardrail_rate_charge_locked(&z, e, &r, NOW, k + 1);
        }

        guardrail_zone_commit(&z);

        for (k = 0; k < rates; k++) {
            memset(&r, 0, sizeof(r));
            r.limit.value = 10;
            r.limit.period = k + 1;

            (void) guardrail_rate_admit_locked(&z, e, &r, NOW, 1);
            bad += (r.window.current != k + 1 || r.window.previous != 0);
        }

        bad += (z.head->undo_count != 0);

        for (i = 0; i < (size_t) z.n_buckets * 4096; i++) {
            bad += (z.buckets[i] != 0);
        }

        free(p);
    }

    tap_is_u64(bad, 0, "each rate of the last entry, and no other entry");
}


static void
test_fill(void)
{
    size_t             i, n, bad;
    uint8_t           *p;
    guardrail_zone_t   z;

    p = make(&z, 8 * MB, 4);
    n = (size_t) z.n_entries * 85 / 100;
    bad = 0;

    for (i = 0; i < n; i++) {
        bad += (find_key(&z, i, NOW + i, 0) == NULL);
    }

    tap_ok(bad == 0 && z.head->stats.evictions == 0
           && z.head->stats.overflows == 0,
           "%zu keys, 85 %%, without an eviction", n);
    tap_is_u64(z.head->entries, n, "all of them counted");

    for (i = 0; i < n; i++) {
        bad += (find_key(&z, i, NOW, 0)->last_use
                != (uint32_t) ((NOW + i) / 1000));
    }

    tap_ok(bad == 0 && z.head->entries == n
           && z.head->stats.evictions == 0, "and found again");

    for ( ; z.head->stats.evictions == 0; i++) {
        (void) find_key(&z, i, NOW, 0);
    }

    tap_diag("the first one goes at %.1f %%", 100.0 * (double) i
                                              / z.n_entries);
    tap_ok(guardrail_level_check_locked(&z), "in order");

    free(p);
}


/* debt, use, and leases outlive any number of keys that are seen once */

static void
test_flood(void)
{
    size_t              i, bad;
    uint8_t            *p;
    uint32_t            lease;
    uint64_t            at;
    guardrail_key_t     key;
    guardrail_zone_t    z;
    guardrail_rate_t    r;
    guardrail_want_t    want;
    guardrail_entry_t  *e;

    p = make(&z, MB, 2);
    (void) guardrail_slot_register_locked(&z, 1, 1, 1);

    for (i = 0; i < 300; i++) {
        memset(&r, 0, sizeof(r));
        r.limit.value = 100;
        r.limit.period = 3600;

        e = find_key(&z, i, NOW, 0);

        if (i % 3 == 0) {

            /* above a tenth */

            guardrail_rate_charge_locked(&z, e, &r, NOW, 11);

        } else if (i % 3 == 1) {

            /* debt */

            guardrail_rate_charge_locked(&z, e, &r, NOW, 200);

        } else {
            memset(&want, 0, sizeof(want));
            want.entry = e;
            want.amount = 1;
            want.limit = 1;
            want.unit = 1;
            (void) guardrail_level_take_locked(&z, &want, NOW, &lease);
        }

        guardrail_zone_commit(&z);
    }

    /* as long as it takes for a tenth to be left: nine minutes and more */

    at = NOW - NOW % 3600000 + 3600000;
    bad = 0;

    for (i = 0; i < FLOOD; i++) {
        memset(&r, 0, sizeof(r));
        r.limit.value = 100;
        r.limit.period = 3600;

        name_key(&key, 1000 + i);
        e = guardrail_key_find_locked(&z, &key, at, 0);

        if (e) {
            guardrail_rate_charge_locked(&z, e, &r, at, 10);
        }

        guardrail_zone_commit(&z);
    }

    tap_ok(z.head->stats.evictions > FLOOD / 2, "%u random keys",
           (unsigned) FLOOD);

    i = (size_t) z.head->stats.evictions;

    for (lease = 0; lease < 300; lease++) {
        memset(&r, 0, sizeof(r));
        r.limit.value = 100;
        r.limit.period = 3600;

        e = find_key(&z, lease, at, 0);
        (void) guardrail_rate_admit_locked(&z, e, &r, at, 1);

        if (lease % 3 == 0) {
            bad += (r.window.current + r.window.previous != 11);

        } else if (lease % 3 == 1) {
            bad += (r.window.current + r.window.previous != 200);

        } else {
            bad += (e->level == 0);
        }
    }

    tap_ok(bad == 0 && z.head->stats.evictions == i,
           "nobody with debt, use or leases was forgotten");
    tap_ok(guardrail_level_check_locked(&z), "in order");

    free(p);
}


/* with two buckets each key may stand in any of 32 places */

static void
test_least_recently_used(void)
{
    size_t              i, k, bad, gone, none;
    uint32_t            second, oldest, generations[32], uses[32], may[32];
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 1, 2, 2, 2, 2 };

    bad = 0;
    none = 0;

    for (i = 0; i < 3000; i++) {
        zone_block_init(&b, &sizes, NOW);

        /* full: the emptier bucket is taken first */

        for (k = 0; k < 32; k++) {
            (void) find_key(&b.z, i * 100 + k, NOW, 0);
        }

        bad += (b.z.head->entries != 32);

        second = NOW / 1000 + 1000;
        oldest = UINT32_MAX;

        for (k = 0; k < 32; k++) {
            e = nth(&b.z, k);
            e->last_use = second - below(5);
            e->keep_until = second - below(2) + (below(8) != 0) * below(4);
            e->level = (i % 10 == 0 || below(4) == 0);
            generations[k] = e->generation;
            uses[k] = e->last_use;
            may[k] = (e->level == 0 && e->keep_until <= second);

            if (e->level == 0 && e->keep_until <= second
                && e->last_use < oldest)
            {
                oldest = e->last_use;
            }
        }

        e = find_key(&b.z, i * 100 + 99, second * UINT64_C(1000) + below(1000),
                 0);

        if (oldest == UINT32_MAX) {
            bad += (e != NULL || b.z.head->stats.overflows != 1);
            none++;

        } else {
            bad += (e == NULL || b.z.head->stats.evictions != 1);
        }

        for (gone = 0, k = 0; k < 32; k++) {

            if (nth(&b.z, k)->generation == generations[k]) {
                continue;
            }

            gone++;
            bad += (uses[k] != oldest || !may[k]);
            bad += (nth(&b.z, k) != e
                    || e->generation != generations[k] + 1
                    || e->keep_until || e->level || e->last_use != second);
        }

        bad += (gone != (oldest != UINT32_MAX));

        zone_block_free(&b);
    }

    tap_ok(bad == 0, "the least recently used of those that may go");
    tap_diag("%zu times none could", none);
}


static void
test_no_room(void)
{
    size_t              k;
    guardrail_key_t     key, other;
    guardrail_rate_t    r;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 1, 2, 2, 2, 2 };

    zone_block_init(&b, &sizes, NOW);

    for (k = 0; k < 32; k++) {
        find_key(&b.z, k, NOW, 0)->keep_until = UINT32_MAX;
    }

    name_key(&key, 50);
    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW, 0) == NULL,
           "rejected");
    tap_ok(!key.overflow, "which is not the shared entry");

    e = guardrail_key_find_locked(&b.z, &key, NOW, 1);
    tap_ok(e == nth(&b.z, 32) && key.overflow, "shared");

    name_key(&other, 51);
    tap_ok(guardrail_key_find_locked(&b.z, &other, NOW, 1) == e,
           "by all of them");

    memset(&r, 0, sizeof(r));
    r.limit.value = 10;
    r.limit.period = 60;

    guardrail_rate_charge_locked(&b.z, e, &r, NOW, 10);
    guardrail_zone_commit(&b.z);

    /* a request stays where it began, though there is room now */

    nth(&b.z, 7)->keep_until = 0;

    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW, 1) == e
           && key.overflow, "a request stays there");

    guardrail_rate_give_back_locked(&b.z, &key, &r, 4);
    guardrail_zone_commit(&b.z);
    tap_is_u64(r.window.current, 6, "and gives back");

    name_key(&other, 51);
    tap_ok(guardrail_key_find_locked(&b.z, &other, NOW, 1)
           == nth(&b.z, 7) && !other.overflow,
           "the next one takes the room");
    guardrail_zone_commit(&b.z);

    tap_is_u64(b.z.head->stats.overflows, 3, "counted");

    zone_block_free(&b);
}


/* a hint is taken only where the key still stands */

static void
test_hints(void)
{
    size_t              k, bad;
    uint32_t            old;
    guardrail_key_t     key, other;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 1, 2, 2, 2, 2 };

    zone_block_init(&b, &sizes, NOW);

    name_key(&key, 0);
    e = guardrail_key_find_locked(&b.z, &key, NOW, 0);
    old = key.generation;

    for (k = 1; k < 32; k++) {
        find_key(&b.z, k, NOW, 0)->keep_until = UINT32_MAX;
    }

    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW, 0) == e
           && key.generation == old, "found by its hint");

    name_key(&other, 40);
    tap_ok(guardrail_key_find_locked(&b.z, &other, NOW + 2000, 0) == e,
           "another key in its place");
    e->keep_until = UINT32_MAX;

    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW + 2000, 0) == NULL,
           "a hint does not find another key");

    nth(&b.z, 30)->keep_until = 0;

    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW + 2000, 0)
           == nth(&b.z, 30) && key.entry == guardrail_zone_nth(&b.z, 30),
           "but finds its own new room");

    /* the same place and key again, but forgotten between */

    name_key(&key, 40);
    key.entry = guardrail_zone_index(&b.z, e);
    key.generation = e->generation;
    e->generation += 2;

    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW, 0) == e
           && key.generation == e->generation, "an old hint is renewed");

    guardrail_zone_commit(&b.z);

    /* no key is taken for another one with half of its hash */

    for (bad = 0, k = 0; k < 2; k++) {
        name_key(&other, 40);
        other.hash[k] ^= 1;
        bad += (guardrail_key_find_locked(&b.z, &other, NOW, 0) == e);
    }

    tap_is_u64(bad, 0, "half of a hash is not enough");

    guardrail_key_prefetch(&b.z, &key);
    name_key(&key, 1);
    guardrail_key_prefetch(&b.z, &key);

    zone_block_free(&b);
}


static void
test_keep_until(void)
{
    uint64_t            start;
    guardrail_rate_t    r;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 2, 1, 2, 2, 2 };

    start = NOW - NOW % 3600000;

    zone_block_init(&b, &sizes, start);
    e = find_key(&b.z, 0, start, 0);

    memset(&r, 0, sizeof(r));
    r.limit.value = 100;
    r.limit.period = 3600;

    /* not within this second only */

    guardrail_rate_charge_locked(&b.z, e, &r, start + 1, 10);
    tap_ok(e->keep_until <= start / 1000, "a tenth is forgotten at once");

    guardrail_rate_charge_locked(&b.z, e, &r, start, 30);

    /* 40 (1 - f) = 10 in the next window */

    tap_is_u64(e->keep_until, start / 1000 + 3600 + 2700, "more is not");

    memset(&r, 0, sizeof(r));
    r.limit.value = 1000;
    r.limit.period = 60;

    guardrail_rate_charge_locked(&b.z, e, &r, start, 1000);
    tap_is_u64(e->keep_until, start / 1000 + 3600 + 2700,
               "the later one of two rates");

    /* one request of a small LIMIT */

    memset(&r, 0, sizeof(r));
    r.limit.value = 3;
    r.limit.period = 60;
    guardrail_zone_commit(&b.z);

    e = find_key(&b.z, 1, start, 0);
    guardrail_rate_charge_locked(&b.z, e, &r, start, 1);
    tap_ok(e->keep_until <= start / 1000, "one request");
    guardrail_rate_charge_locked(&b.z, e, &r, start, 1);
    tap_ok(e->keep_until > start / 1000 + 60, "two");

    guardrail_zone_commit(&b.z);
    zone_block_free(&b);
}


/*
 * A key that is forgotten while a request is at work, and comes back: what
 * the request charged before is not taken from what others charged since.
 */

static void
test_give_back_after_eviction(void)
{
    size_t              k;
    guardrail_key_t     key, again;
    guardrail_rate_t    r, other;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 1, 2, 2, 2, 2 };

    zone_block_init(&b, &sizes, NOW);

    memset(&r, 0, sizeof(r));
    r.limit.value = 1000;
    r.limit.period = 3600;
    other = r;

    name_key(&key, 0);
    e = guardrail_key_find_locked(&b.z, &key, NOW, 0);
    guardrail_rate_charge_locked(&b.z, e, &r, NOW, 90);
    guardrail_zone_commit(&b.z);

    for (k = 1; k < 32; k++) {
        find_key(&b.z, k, NOW, 0)->keep_until = UINT32_MAX;
    }

    tap_ok(find_key(&b.z, 99, NOW, 0) == e, "forgotten");

    name_key(&again, 0);
    tap_ok(guardrail_key_find_locked(&b.z, &again, NOW, 0) == e, "back");
    guardrail_rate_charge_locked(&b.z, e, &other, NOW, 70);
    guardrail_zone_commit(&b.z);

    (void) guardrail_key_find_locked(&b.z, &key, NOW, 0);
    guardrail_rate_give_back_locked(&b.z, &key, &r, 90);
    guardrail_zone_commit(&b.z);

    (void) guardrail_rate_admit_locked(&b.z, e, &other, NOW, 1);
    tap_is_u64(other.window.current, 70, "others stay charged");

    guardrail_rate_charge_locked(&b.z, e, &r, NOW, 5);
    guardrail_rate_give_back_locked(&b.z, &key, &r, 95);
    guardrail_zone_commit(&b.z);

    tap_is_u64(r.window.current, 70, "only what was charged since");

    zone_block_free(&b);
}


/* a request so long that its pair was given away, and has other room now */

static void
test_give_back_other_room(void)
{
    uint64_t            at;
    guardrail_key_t     key;
    guardrail_rate_t    r, other, taker;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 2, 2, 2, 2, 2 };

    zone_block_init(&b, &sizes, NOW);

    memset(&r, 0, sizeof(r));
    r.limit.value = 1000;
    r.limit.period = 1;
    other = r;

    memset(&taker, 0, sizeof(taker));
    taker.limit.value = 1000;
    taker.limit.period = 3;

    name_key(&key, 0);
    e = guardrail_key_find_locked(&b.z, &key, NOW, 0);

    tap_is_u64(guardrail_pair_find_locked(&b.z, &r.limit, NOW, 1), 0,
               "a pair");
    guardrail_rate_charge_locked(&b.z, e, &r, NOW + 2000, 90);

    /* another configuration: its room is given away, it takes the next */

    (void) guardrail_pair_find_locked(&b.z, &limits[5], NOW, 1);

    at = NOW + 5000;
    tap_is_u64(guardrail_pair_find_locked(&b.z, &taker.limit, at, 2), 0,
               "another one in its room");

    b.z.head->pairs[1].unit = 0;

    tap_is_u64(guardrail_pair_find_locked(&b.z, &other.limit, at, 2), 1,
               "and it in another's");

    guardrail_rate_charge_locked(&b.z, e, &other, at, 70);
    guardrail_rate_give_back_locked(&b.z, &key, &r, 90);
    guardrail_zone_commit(&b.z);

    (void) guardrail_rate_admit_locked(&b.z, e, &other, at, 1);
    tap_is_u64(other.window.current, 70, "others stay charged");

    zone_block_free(&b);
}


static void
test_pairs(void)
{
    uint32_t            i;
    guardrail_rate_t    r;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 2, 1, 2, 2, 2 };

    zone_block_init(&b, &sizes, NOW);
    e = find_key(&b.z, 0, NOW, 0);

    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[1], NOW, 1), 0, "one");
    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[4], NOW, 1), 1, "two");
    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[1], NOW, 1), 0,
               "the same one");
    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[0], NOW, 1),
               GUARDRAIL_ZONE_NONE, "no room for three");
    guardrail_zone_commit(&b.z);

    memset(&r, 0, sizeof(r));
    r.limit = limits[1];
    guardrail_rate_charge_locked(&b.z, e, &r, NOW, 40);
    guardrail_zone_commit(&b.z);

    memset(&r, 0, sizeof(r));
    r.limit = limits[0];
    tap_ok(guardrail_rate_admit_locked(&b.z, e, &r, NOW, 1)
           == GUARDRAIL_RATE_NO_ROOM, "nor for a variable's");
    guardrail_rate_charge_locked(&b.z, e, &r, NOW, 1);
    guardrail_rate_give_back_locked(&b.z, &(guardrail_key_t) { .entry = 0 },
                                    &r, 1);
    tap_is_u64(b.z.head->undo_count, 0, "and nothing is charged");

    /* the next configuration does not name the first */

    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[4], NOW, 2), 1,
               "the other one is named again");
    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[0], NOW + 13999, 2),
               GUARDRAIL_ZONE_NONE, "its numbers still count");
    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[0], NOW + 14000, 2),
               0, "after two periods it is free");
    guardrail_zone_commit(&b.z);

    for (i = 0; i < 3; i++) {
        memset(&r, 0, sizeof(r));
        r.limit = limits[0];
        (void) guardrail_rate_admit_locked(&b.z, e, &r, NOW + 14000 - i * 900,
                                           1);

        tap_is_u64(guardrail_window_used(&r.window, 1, NOW + 14000 - i * 900),
                   0, "what was counted in its room does not count");
    }

    guardrail_zone_commit(&b.z);
    zone_block_free(&b);
}


/*
 * One process registers a pair, and another one, whose time is windows behind,
 * is the first to charge a key.  Then the room is given away: what stands
 * there must not look like the future.
 */

static void
test_clock_behind_new_pair(void)
{
    uint32_t            i;
    guardrail_rate_t    r;
    guardrail_entry_t  *e, *f;
    zone_sizes_t        sizes = { 1, 1, 2, 2, 2 };

    zone_block_init(&b, &sizes, NOW);
    e = find_key(&b.z, 0, NOW, 0);
    f = find_key(&b.z, 1, NOW, 0);

    (void) guardrail_pair_find_locked(&b.z, &limits[0], NOW, 1);

    memset(&r, 0, sizeof(r));
    r.limit = limits[0];
    guardrail_rate_charge_locked(&b.z, e, &r, NOW - 5000, 1);

    memset(&r, 0, sizeof(r));
    r.limit = limits[0];

    for (i = 0; i < 1000; i++) {
        guardrail_rate_charge_locked(&b.z, f, &r, NOW + i * 1000, 5);
        guardrail_zone_commit(&b.z);
    }

    tap_is_u64(b.z.head->pairs[0].used, NOW / 1000 + 999, "used");
    guardrail_rate_charge_locked(&b.z, e, &r, NOW + 990 * 1000, 5);
    tap_is_u64(b.z.head->pairs[0].used, NOW / 1000 + 999,
               "a time does not run back");

    tap_is_u64(guardrail_pair_find_locked(&b.z, &limits[2],
                                          NOW + 1002 * 1000, 2), 0,
               "another pair");
    guardrail_zone_commit(&b.z);

    memset(&r, 0, sizeof(r));
    r.limit = limits[2];

    tap_ok(guardrail_rate_admit_locked(&b.z, f, &r, NOW + 1002 * 1000, 40)
           == GUARDRAIL_RATE_ADMITTED, "old numbers are not ahead of it");

    zone_block_free(&b);
}


/* the most that may stand between two commits */

static void
test_lines(void)
{
    size_t              k;
    uint32_t            lines, lease;
    guardrail_key_t     key;
    guardrail_rate_t    r;
    guardrail_want_t    want;
    guardrail_entry_t  *e;
    zone_sizes_t        sizes = { 8, 2, 4, 4, 4 };

    zone_block_init(&b, &sizes, NOW);

    for (k = 0; k < 32; k++) {
        (void) find_key(&b.z, k, NOW, 0);
    }

    (void) guardrail_slot_register_locked(&b.z, 1, 1, 1);

    memset(&want, 0, sizeof(want));
    want.entry = nth(&b.z, 3);
    want.amount = 1;
    want.limit = 9;
    want.unit = 2;
    (void) guardrail_level_take_locked(&b.z, &want, NOW, &lease);

    name_key(&key, 99);
    e = guardrail_key_find_locked(&b.z, &key, NOW + 1000, 0);

    for (k = 1; k <= 8; k++) {
        memset(&r, 0, sizeof(r));
        r.limit.value = 10;
        r.limit.period = (uint32_t) k;

        (void) guardrail_pair_find_locked(&b.z, &r.limit, NOW + 1000, 1);
        (void) guardrail_rate_admit_locked(&b.z, e, &r, NOW + 1000, 1);
        guardrail_rate_charge_locked(&b.z, e, &r, NOW + 1000, 1);
    }

    lines = b.z.head->undo_count;
    tap_ok(lines <= GUARDRAIL_ZONE_UNDO && b.z.head->stats.unsaved == 0,
           "%u lines for a new key, 8 rates, 8 new pairs", lines);

    want.entry = e;
    (void) guardrail_level_take_locked(&b.z, &want, NOW, &lease);

    tap_is_u64(b.z.head->stats.unsaved, 0, "and a level in the same change");

    zone_block_free(&b);
}


static void
test_random(unsigned kill)
{
    size_t         i, k, steps;
    const char    *wrong;

    zone_sizes_t  sizes = { RATES, 2, 2, 2, 2 };

    wrong = NULL;
    steps = 0;
    memset(seen, 0, sizeof(seen));

    for (i = 0; i < EPISODES && wrong == NULL; i++) {
        now = NOW + below(100000);
        epoch = 0;

        zone_block_init(&b, &sizes, now);

        memset(pairs, 0, sizeof(pairs));
        memset(open, 0, sizeof(open));
        memset(receipts, 0, sizeof(receipts));
        memset(kept, 0, sizeof(kept));

        for (k = 0; k < KEYS * NAMES; k++) {
            quota_model_init(&models[k / NAMES][k % NAMES],
                             limits[k % NAMES].period);
        }

        for (k = 0; k < QUOTA_CHARGES / RATES && wrong == NULL; k++) {
            wrong = random_step(&b, kill);
            steps++;
        }

        zone_block_free(&b);
    }

    tap_is_str(wrong, NULL, "random charges%s are those of the model",
               kill ? " with a kill at each point" : "");

    for (i = 0; i < 8 && seen[i]; i++) { /* void */ }

    tap_diag("%zu steps: %u admitted, %u refused, %u never, %u no room, %u "
             "given back, %u pairs moved, %u behind, %u of a new epoch",
             steps, seen[0], seen[1], seen[2], seen[3], seen[4], seen[5],
             seen[6], seen[7]);
    tap_ok(i == 8, "of each kind");
}


/* where the model has the pair; its numbers are gone when it moves */

static const char *
model_pair(uint32_t name, uint32_t of, uint64_t at, uint32_t *pair)
{
    uint32_t  i, k, second;

    second = (uint32_t) (at / 1000);
    epoch = of > epoch ? of : epoch;
    *pair = GUARDRAIL_ZONE_NONE;

    for (i = 0; i < RATES; i++) {
        if (pairs[i].name == name + 1) {
            pairs[i].epoch = of > pairs[i].epoch ? of : pairs[i].epoch;

            if (pairs[i].epoch < epoch
                && pairs[i].used + 2 * limits[name].period <= second)
            {
                pairs[i].used = second;
            }

            *pair = i;
            return NULL;
        }
    }

    for (i = 0; i < RATES; i++) {

        if (pairs[i].name
            && (pairs[i].epoch >= epoch
                || pairs[i].used + 2 * limits[pairs[i].name - 1].period
                   > second))
        {
            continue;
        }

        if (pairs[i].name) {
            seen[5]++;

            for (k = 0; k < KEYS; k++) {
                quota_model_init(&models[k][pairs[i].name - 1],
                                 limits[pairs[i].name - 1].period);
            }
        }

        pairs[i].name = name + 1;
        pairs[i].used = second;
        pairs[i].epoch = of;
        *pair = i;

        return NULL;
    }

    return NULL;
}


/* in the zone */

static void
change(guardrail_zone_t *z, void *data)
{
    uint32_t            i;
    unsigned            admitted;
    request_t          *q = data;
    guardrail_entry_t  *e;

    if (q->epoch) {
        (void) guardrail_pair_find_locked(z, &q->rates[0].limit, q->now,
                                          q->epoch);
    }

    e = guardrail_key_find_locked(z, &q->key, q->now, 0);
    admitted = 1;

    for (i = 0; i < q->n; i++) {
        q->rc[i] = guardrail_rate_admit_locked(z, e, &q->rates[i], q->now,
                                               q->cost[i]);
        admitted = admitted && q->rc[i] == GUARDRAIL_RATE_ADMITTED;
    }

    for (i = 0; i < q->n; i++) {
        if (q->charge == 2 || (q->charge && admitted)) {
            guardrail_rate_charge_locked(z, e, &q->rates[i], q->now,
                                         q->cost[i]);
        }

        if (q->back) {
            guardrail_rate_give_back_locked(z, &q->key, &q->rates[i],
                                            q->back);
        }
    }

    guardrail_zone_commit(z);
}


/* what the model says otherwise */

static const char *
model_request(request_t *q, guardrail_entry_t *e, uint32_t key,
    const uint32_t names[RATES], receipt_t *rcpt)
{
    uint32_t        i, k, pair[RATES];
    uint64_t        until, window, part, left;
    unsigned        admitted;
    quota_model_t  *m;

    if (q->epoch) {
        (void) model_pair(names[0], q->epoch, q->now, &pair[0]);
        seen[7]++;
    }

    admitted = 1;

    for (i = 0; i < q->n; i++) {
        (void) model_pair(names[i], 0, q->now, &pair[i]);

        m = &models[key][names[i]];

        if (pair[i] == GUARDRAIL_ZONE_NONE) {
            if (q->rc[i] != GUARDRAIL_RATE_NO_ROOM) {
                return "no room";
            }

        } else if (q->cost[i] > q->rates[i].limit.value) {
            if (q->rc[i] != GUARDRAIL_RATE_NEVER) {
                return "never";
            }

        } else if ((q->rc[i] == GUARDRAIL_RATE_ADMITTED)
                   != quota_model_admits(m, q->now, q->rates[i].limit.value,
                                         q->cost[i]))
        {
            return "the verdict";
        }

        admitted = admitted && q->rc[i] == GUARDRAIL_RATE_ADMITTED;
        seen[q->rc[i]]++;
    }

    for (i = 0; i < q->n; i++) {
        m = &models[key][names[i]];

        if (pair[i] == GUARDRAIL_ZONE_NONE) {
            continue;
        }

        if (q->charge == 2 || (q->charge && admitted)) {
            window = quota_model_charge(m, q->now, q->cost[i]);
            seen[6] += window > q->now / m->length;

            if (pairs[pair[i]].used < q->now / 1000) {
                pairs[pair[i]].used = (uint32_t) (q->now / 1000);
            }

            if (window != rcpt[i].window[0]) {
                rcpt[i].window[1] = rcpt[i].window[0];
                rcpt[i].amount[1] = rcpt[i].amount[0];
                rcpt[i].window[0] = window;
                rcpt[i].amount[0] = 0;
            }

            rcpt[i].amount[0] = guardrail_add_sat(rcpt[i].amount[0],
                                                  q->cost[i]);

            /* the window itself is compared below; here what is stored */

            if (q->back == 0) {
                until = guardrail_window_keep_until(&q->rates[i].window,
                              limits[names[i]].period, q->now,
                              guardrail_limit_threshold(&q->rates[i].limit));
                until = until > q->now ? (until + 999) / 1000 : 0;
                until = until < UINT32_MAX ? until : UINT32_MAX;
                kept[key] = kept[key] > until ? kept[key] : until;
            }
        }

        for (left = q->back, k = 0; k < 2 && left; k++) {
            part = rcpt[i].amount[k] < left ? rcpt[i].amount[k] : left;

            if (part && (rcpt[i].window[k] == m->newest
                         || rcpt[i].window[k] + 1 == m->newest))
            {
                quota_model_give_back(m, rcpt[i].window[k], part);
                seen[4]++;
            }

            rcpt[i].amount[k] -= part;
            left -= part;
        }
    }

    return (q->back || kept[key] <= e->keep_until) ? NULL : "keep_until";
}


static const char *
random_step(zone_block_t *block, unsigned kill)
{
    uint32_t             i, k, n, key, names[RATES];
    uint64_t             limit;
    request_t           *q;
    const char          *wrong;
    receipt_t           *rcpt;
    guardrail_rate_t     r;
    guardrail_pair_t    *p;
    guardrail_entry_t   *e;

    static uint32_t  last[KEYS][RATES];

    /* time: a bit, some windows, or another process's time */

    now += below(3) ? below(300) : below(2500);

    if (below(20) == 0) {
        now += below(below(2) ? 20000 : 200000);
    }

    if (below(10) == 0) {
        now -= below(3000);
    }

    key = (uint32_t) below(KEYS);
    q = &open[key];
    rcpt = receipts[key];

    if (q->n == 0 || below(3)) {

        /* another request */

        memset(q, 0, sizeof(request_t));
        memset(receipts[key], 0, sizeof(receipts[key]));
        name_key(&q->key, key);
        q->n = 1 + (uint32_t) below(RATES);

        for (i = 0; i < q->n; i++) {
            do {
                last[key][i] = (uint32_t) below(below(3) ? 4 : NAMES);

                for (k = 0; k < i && last[key][k] != last[key][i]; k++) {
                    /* void */
                }
            } while (k < i);

            q->rates[i].limit = limits[last[key][i]];

            if (below(8) == 0) {
                q->rates[i].limit.value = 1 + some_bits() / 2;
            }
        }
    }

    memcpy(names, last[key], sizeof(names));

    q->now = now;
    q->charge = (unsigned) below(3);
    q->back = below(4) ? 0 : 1 + below(60);
    q->epoch = below(16) ? 0 : epoch + (uint32_t) below(2);

    for (i = 0; i < q->n; i++) {
        q->cost[i] = below(16) ? below(q->rates[i].limit.value / 3 + 2)
                               : some_bits();
    }

    if (kill) {
        wrong = zone_killed(block, change, q, sizeof(request_t));

        if (wrong) {
            return wrong;
        }

    } else {
        change(&block->z, q);
    }

    e = guardrail_zone_entry(&block->z, q->key.entry);

    wrong = model_request(q, e, key, names, rcpt);

    if (wrong) {
        return wrong;
    }

    if (!guardrail_level_check_locked(&block->z)
        || block->z.head->stats.unsaved)
    {
        return "the order of the zone";
    }

    /* all of the key's rates that the zone counts */

    for (i = 0; i < RATES; i++) {
        p = &block->z.head->pairs[i];

        if (pairs[i].name == 0) {
            continue;
        }

        k = pairs[i].name - 1;

        if (p->unit != (uint32_t) limits[k].unit + 1
            || p->period != limits[k].period || p->used != pairs[i].used
            || p->epoch != pairs[i].epoch)
        {
            return "the pairs";
        }

        (void) model_pair(k, 0, now, &n);

        memset(&r, 0, sizeof(r));
        r.limit = limits[k];
        limit = r.limit.value;

        if (guardrail_rate_admit_locked(&block->z, e, &r, now, 1)
            == GUARDRAIL_RATE_NO_ROOM)
        {
            return "a pair";
        }

        wrong = quota_model_differ(&models[key][k], &r.window,
                                   r.limit.period, now, limit, 1);

        if (wrong) {
            return wrong;
        }
    }

    guardrail_zone_commit(&block->z);

    return NULL;
}


/* all or none: never more than the LIMIT in an aligned window */

static void
test_aligned(void)
{
    size_t              i, k, bad, full;
    uint32_t            n;
    uint64_t            sums[KEYS][2], windows[KEYS][2];
    request_t           q;

    zone_sizes_t  sizes = { 2, 1, 2, 2, 2 };

    static const uint32_t  both[2] = { 1, 4 };

    bad = 0;
    full = 0;

    for (i = 0; i < EPISODES; i++) {
        now = NOW + below(100000);
        zone_block_init(&b, &sizes, now);
        memset(sums, 0, sizeof(sums));
        memset(windows, 0, sizeof(windows));

        for (k = 0; k < 400; k++) {
            now += below(200);
            n = (uint32_t) below(KEYS);

            memset(&q, 0, sizeof(q));
            name_key(&q.key, n);
            q.n = 2;
            q.now = now;
            q.charge = 1;
            q.rates[0].limit = limits[1];
            q.rates[1].limit = limits[4];
            q.cost[0] = 1;
            q.cost[1] = 1 + below(20000);

            change(&b.z, &q);

            if (q.rc[0] || q.rc[1]) {
                continue;
            }

            for (size_t j = 0; j < 2; j++) {
                if (windows[n][j] != now / 1000 / limits[both[j]].period) {
                    windows[n][j] = now / 1000 / limits[both[j]].period;
                    sums[n][j] = 0;
                }

                sums[n][j] += q.cost[j];
                bad += (sums[n][j] > limits[both[j]].value);
                full += (sums[n][j] > limits[both[j]].value * 9 / 10);
            }
        }

        zone_block_free(&b);
    }

    tap_ok(bad == 0 && full > EPISODES, "never more than the LIMIT");
}
