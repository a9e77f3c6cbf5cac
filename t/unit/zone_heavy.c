
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The names of the heaviest keys: who has a row, what it says, what is never
 * stored, and what is left when a process is killed at any point.
 */


#include "tap.h"
#include "bytes.h"

#include "zone_block.h"


#define NOW    UINT64_C(1700000000000)
#define MB     ((size_t) 1024 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define TENANTS   20000
#define CHARGES   200000
#else
#define TENANTS   100000
#define CHARGES   2000000
#endif

#ifdef GUARDRAIL_ZONE_POINTS
#define KILLED    3000
#endif


/* data of zone_killed() */

typedef struct {
    guardrail_key_t    key;
    guardrail_rate_t   rate;
    char               name[80];
    size_t             len;
    uint64_t           now;
    uint64_t           amount;
    uint32_t           lease;
    unsigned           level;
} charge_t;


static void make(uint32_t rates, uint32_t buckets);
static void change(guardrail_zone_t *z, void *data);
static void charge(guardrail_zone_t *z, uint64_t n, const char *name,
    uint64_t limit, uint64_t amount, uint64_t now);
static uint32_t rows(const guardrail_zone_t *z, guardrail_heavy_copy_t *copy);
static guardrail_heavy_copy_t *row_of(const char *name);

static void test_row(void);
static void test_grown(void);
static void test_long_names(void);
static void test_nothing_stored(void);
static void test_lightest_goes(void);
static void test_ties(void);
static void test_window_ends(void);
static void test_evicted(void);
static void test_shared_entry(void);
static void test_other_pair(void);
static void test_levels(void);
static void test_copies(void);
static void test_refusals(void);
static void test_peek(void);
static void test_heaviest_of_many(void);
static void test_killed(void);


static const guardrail_limit_t  limit = { 100, 60, GUARDRAIL_UNIT_REQUESTS };

static zone_block_t            b;
static guardrail_heavy_copy_t  copies[GUARDRAIL_HEAVY_ROWS];
static uint32_t                n_copies;
static rng_t                   rng = { 20261127 };


int
main(void)
{
    test_row();
    test_grown();
    test_long_names();
    test_nothing_stored();
    test_lightest_goes();
    test_ties();
    test_window_ends();
    test_evicted();
    test_shared_entry();
    test_other_pair();
    test_levels();
    test_copies();
    test_refusals();
    test_peek();
    test_heaviest_of_many();
    test_killed();

    return tap_done();
}


static void
make(uint32_t rates, uint32_t buckets)
{
    zone_sizes_t  sizes = { 0, 0, 4, 8, 4 };

    sizes.rates = rates;
    sizes.buckets = buckets;

    memset(&b, 0, sizeof(b));
    zone_block_init(&b, &sizes, NOW);
    (void) guardrail_slot_register_locked(&b.z, 1, 1, 1);
}


/* what one request does under the lock */

static void
change(guardrail_zone_t *z, void *data)
{
    charge_t          *c = data;
    guardrail_want_t   want;

    memset(&want, 0, sizeof(want));

    want.entry = guardrail_key_find_locked(z, &c->key, c->now, 1);

    if (c->level) {
        want.amount = c->amount;
        want.limit = c->rate.limit.value;
        want.unit = c->level;

        if (guardrail_level_take_locked(z, &want, c->now, &c->lease)
            == GUARDRAIL_LEVEL_OK)
        {
            guardrail_heavy_taken_locked(z, &c->key, (uint8_t *) c->name,
                                         c->len, &want, c->now);
        }

    } else if (guardrail_rate_admit_locked(z, want.entry, &c->rate, c->now, 0)
               != GUARDRAIL_RATE_NO_ROOM)
    {
        guardrail_rate_charge_locked(z, want.entry, &c->rate, c->now,
                                     c->amount);
        guardrail_heavy_charged_locked(z, &c->key, (uint8_t *) c->name, c->len,
                                       &c->rate, c->amount, c->now);
    }

    guardrail_zone_commit(z);
}


static void
charge(guardrail_zone_t *z, uint64_t n, const char *name, uint64_t value,
    uint64_t amount, uint64_t now)
{
    charge_t  c;

    memset(&c, 0, sizeof(c));
    name_key(&c.key, n);
    c.rate.limit = limit;
    c.rate.limit.value = value;
    c.len = strlen(name);
    memcpy(c.name, name, c.len);
    c.now = now;
    c.amount = amount;

    change(z, &c);
}


static uint32_t
rows(const guardrail_zone_t *z, guardrail_heavy_copy_t *copy)
{
    uint32_t  from, n;

    for (from = 0, n = 0; from < z->n_heavy; /* void */ ) {
        n += guardrail_heavy_copy_locked(z, &from, 7, copy + n);
    }

    n_copies = n;

    return n;
}


static guardrail_heavy_copy_t *
row_of(const char *name)
{
    uint32_t  i;

    (void) rows(&b.z, copies);

    for (i = 0; i < n_copies; i++) {
        if (copies[i].len == strlen(name)
            && memcmp(copies[i].name, name, copies[i].len) == 0)
        {
            return &copies[i];
        }
    }

    return NULL;
}


static void
test_row(void)
{
    guardrail_heavy_copy_t  *row;

    make(2, 2);

    tap_is_u64(rows(&b.z, copies), 0, "nobody");

    charge(&b.z, 1, "acme", 100, 1, NOW);
    charge(&b.z, 2, "beta", 200, 5, NOW);
    charge(&b.z, 1, "acme", 100, 6, NOW);

    tap_is_u64(rows(&b.z, copies), 2, "two keys");

    row = row_of("acme");

    tap_ok(row && row->windows[0].current == 7 && row->limits[0] == 100
           && row->limits[1] == 0 && row->waiting == 0
           && row->last_use == NOW / 1000, "what one has used of what");

    /* a LIMIT may be a variable */

    charge(&b.z, 1, "acme", 50, 10, NOW);
    row = row_of("acme");
    tap_ok(row && row->limits[0] == 50 && row->windows[0].current == 17,
           "the LIMIT that it was charged under last");
    tap_ok(row && b.z.weights[0] == ((uint64_t) 17 << 32) / 50,
           "its weight");

    charge(&b.z, 3, "none", GUARDRAIL_NO_LIMIT, 1000, NOW);
    tap_ok(row_of("none") == NULL, "nothing without a limit");
}


static void
test_grown(void)
{
    size_t    i, n, bad;
    uint64_t  from;

    bad = !guardrail_heavy_grown(0, 1) + guardrail_heavy_grown(5, 5)
          + !guardrail_heavy_grown(1, UINT64_MAX)
          + guardrail_heavy_grown(UINT64_MAX - 1, UINT64_MAX);

    /* one by one: each of the first 16, then eight times until it is twice */

    for (i = 0, n = 0; i < 1024; i++) {
        n += guardrail_heavy_grown(i, i + 1);
        bad += (i < 15 && n != i + 1);
    }

    bad += (n != 16 + 6 * 8);

    /* never more than an eighth is missed */

    for (i = 0; i < 100000; i++) {
        from = (rng_next(&rng) >> rng_below(&rng, 64)) | 8;
        from -= (from > UINT64_MAX / 2) ? UINT64_MAX / 2 : 0;
        from |= 8;
        bad += !guardrail_heavy_grown(from, from + from / 8 + 1);
    }

    tap_is_u64(bad, 0, "a counter has grown");
}


static void
test_long_names(void)
{
    char                     name[72];
    guardrail_heavy_copy_t  *row;

    make(1, 2);

    memset(name, 'x', sizeof(name));

    name[64] = '\0';
    charge(&b.z, 1, name, 100, 1, NOW);
    row = row_of(name);
    tap_ok(row && row->len == 64, "a name of 64 bytes");

    name[64] = 'x';
    name[65] = '\0';
    charge(&b.z, 2, name, 100, 1, NOW);
    row = row_of("");
    tap_ok(row && row->len == 0 && row->hash[0], "a longer one has none");
}


/* what is given no name, and what has made room, is nowhere in the block */

static void
test_nothing_stored(void)
{
    size_t  i, found;

    make(1, 4);

    charge(&b.z, 1, "", 100, 3, NOW);

    tap_ok(row_of("") && row_of("")->hash[0]
           && row_of("")->windows[0].current == 3, "a secret key has a row");

    charge(&b.z, 2, "goes", 1000, 1, NOW);

    for (i = 0; i < ZONE_HEAVY; i++) {
        charge(&b.z, 10 + i, "stays", 100, 5, NOW);
    }

    for (i = 0, found = 0; i + 4 <= b.size; i++) {
        found += (memcmp(b.block + i, "goes", 4) == 0);
    }

    tap_ok(found == 0 && row_of("goes") == NULL,
           "nothing is left of one that was pushed out");
}


static void
test_lightest_goes(void)
{
    char    name[8];
    size_t  i, bad;

    make(1, 4);

    for (i = 0; i < ZONE_HEAVY; i++) {
        (void) sprintf(name, "k%zu", i);
        charge(&b.z, i, name, 100, 20 + i, NOW);
    }

    tap_is_u64(rows(&b.z, copies), ZONE_HEAVY, "all rows are taken");

    /* relative to its own LIMIT */

    charge(&b.z, 50, "light", 1000, 100, NOW);
    tap_ok(row_of("light") == NULL && row_of("k0"), "a tenth is too little");

    charge(&b.z, 51, "heavy", 10, 9, NOW);
    tap_ok(row_of("heavy") && row_of("k0") == NULL, "nine tenths are not");

    charge(&b.z, 50, "light", 1000, 700, NOW);
    tap_ok(row_of("light") && row_of("k1") == NULL, "nor is what has grown");

    for (i = 2, bad = 0; i < ZONE_HEAVY; i++) {
        (void) sprintf(name, "k%zu", i);
        bad += (row_of(name) == NULL);
    }

    tap_is_u64(bad, 0, "the others stay");
}


/* those that have used the same do not push each other out */

static void
test_ties(void)
{
    char    name[8];
    size_t  i;

    make(1, 4);

    for (i = 0; i < 50; i++) {
        (void) sprintf(name, "k%zu", i);
        charge(&b.z, i, name, 100, 1, NOW);
    }

    for (i = 0; i < ZONE_HEAVY; i++) {
        (void) sprintf(name, "k%zu", i);

        if (row_of(name) == NULL) {
            break;
        }
    }

    tap_is_u64(i, ZONE_HEAVY, "the first of many equals stay");
}


/* those who were heavy make room, though nobody looks at them again */

static void
test_window_ends(void)
{
    char      name[8];
    size_t    i;
    uint64_t  later;

    make(1, 8);

    for (i = 0; i < ZONE_HEAVY; i++) {
        (void) sprintf(name, "k%zu", i);
        charge(&b.z, i, name, 100, 90, NOW);
    }

    charge(&b.z, 90, "next", 100, 80, NOW + 10);
    tap_ok(row_of("next") == NULL, "less than any");

    later = NOW + 3 * 60000;

    for (i = 0; i < 3; i++) {
        charge(&b.z, 91, "some", 100, 1, later + i * 64);
    }

    tap_ok(row_of("some") != NULL, "more than what has ended");
}


static void
test_evicted(void)
{
    size_t    i;
    uint64_t  later;

    make(1, 1);

    charge(&b.z, 1, "first", 100, 60, NOW);
    later = NOW + 10 * 60000;

    for (i = 0; i < 64; i++) {
        charge(&b.z, 100 + i, "flood", 100, 1, later + i * 64);
    }

    tap_ok(b.z.head->stats.evictions > 0 && row_of("first") == NULL,
           "one whose entry has gone is not shown");
    (void) rows(&b.z, copies);

    for (i = 0; i < n_copies; i++) {
        if (copies[i].windows[0].current != 1 || copies[i].len != 5) {
            break;
        }
    }

    tap_ok(n_copies && i == n_copies, "nor is what another one has used");
}


static void
test_shared_entry(void)
{
    size_t    i;
    charge_t  c;

    make(1, 1);

    for (i = 0; i < 40; i++) {
        charge(&b.z, i, "full", 10, 9, NOW);
    }

    memset(&c, 0, sizeof(c));
    name_key(&c.key, 1000);
    c.rate.limit = limit;
    c.now = NOW;
    c.amount = 99;
    c.len = 4;
    memcpy(c.name, "many", 4);
    change(&b.z, &c);

    tap_ok(c.key.overflow && b.z.head->stats.overflows, "no room for a key");
    tap_ok(row_of("many") == NULL, "nor for its name: it is not alone there");
}


/* the room of a pair is another's: the LIMIT of before says nothing of it */

static void
test_other_pair(void)
{
    guardrail_limit_t        other = { 7, 5, GUARDRAIL_UNIT_BYTES };
    guardrail_heavy_copy_t  *row;

    make(1, 2);

    charge(&b.z, 1, "acme", 100, 60, NOW);
    b.z.head->stats.refusals[0] = 5;

    tap_is_u64(guardrail_pair_find_locked(&b.z, &other, NOW + 200000, 2), 0,
               "its room");
    guardrail_zone_commit(&b.z);

    row = row_of("acme");
    tap_ok(row && row->limits[0] == 0, "no LIMIT of another pair");
    tap_is_u64(b.z.head->stats.refusals[0], 0, "nor its refusals");
}


static void
test_levels(void)
{
    charge_t                 c;
    guardrail_heavy_copy_t  *row;

    make(1, 2);

    memset(&c, 0, sizeof(c));
    name_key(&c.key, 1);
    c.len = 4;
    memcpy(c.name, "acme", 4);
    c.now = NOW;
    c.level = GUARDRAIL_LEVEL_MEMORY;
    c.rate.limit.value = 4096;
    c.amount = 1024;

    change(&b.z, &c);
    change(&b.z, &c);

    row = row_of("acme");
    tap_ok(row && row->used[GUARDRAIL_LEVEL_MEMORY] == 2048
           && row->levels[GUARDRAIL_LEVEL_MEMORY] == 4096
           && row->levels[GUARDRAIL_LEVEL_CONCURRENCY] == 0,
           "what is leased of which limit");
    tap_is_u64(b.z.weights[0], (uint64_t) 1 << 31, "its weight");

    guardrail_level_release_locked(&b.z, c.lease, NOW);
    row = row_of("acme");
    tap_ok(row && row->used[GUARDRAIL_LEVEL_MEMORY] == 1024, "given back");

    (void) guardrail_slot_free_locked(&b.z, 0, b.z.slots[0].generation, 9, 1,
                                      NOW);
    tap_is_u64(b.z.head->stats.reclaimed, 1, "one of a dead process");
    row = row_of("acme");
    tap_ok(row && row->used[GUARDRAIL_LEVEL_MEMORY] == 0, "nothing in use");
}


static void
test_copies(void)
{
    char      name[8];
    size_t    i, n, bad;
    uint32_t  from;

    make(1, 4);

    for (i = 0; i < ZONE_HEAVY; i++) {
        (void) sprintf(name, "k%zu", i);
        charge(&b.z, i, name, 100, i + 1, NOW);
    }

    for (n = 1, bad = 0; n < 2 * ZONE_HEAVY; n++) {

        for (from = 0, i = 0; from < b.z.n_heavy; /* void */ ) {
            i += guardrail_heavy_copy_locked(&b.z, &from, (uint32_t) n,
                                             copies + i);
        }

        bad += (i != ZONE_HEAVY || from != b.z.n_heavy);

        for (i = 0; i < ZONE_HEAVY; i++) {
            bad += (copies[i].windows[0].current != i + 1);
        }
    }

    tap_is_u64(bad, 0, "rows a few at a time");
}


static void
test_refusals(void)
{
    guardrail_limit_t  other = { 1, 1, GUARDRAIL_UNIT_BYTES };

    make(2, 2);

    charge(&b.z, 1, "acme", 100, 1, NOW);
    (void) guardrail_pair_find_locked(&b.z, &other, NOW, 1);
    guardrail_zone_commit(&b.z);

    guardrail_rate_refused_locked(&b.z, &limit);
    guardrail_rate_refused_locked(&b.z, &other);
    guardrail_rate_refused_locked(&b.z, &other);

    other.period = 77;
    guardrail_rate_refused_locked(&b.z, &other);

    tap_ok(b.z.head->stats.refusals[0] == 1
           && b.z.head->stats.refusals[1] == 2
           && b.z.head->stats.refusals[2] == 0, "refusals by pair");
}


static void
test_peek(void)
{
    guardrail_key_t  key;

    make(1, 2);
    charge(&b.z, 1, "acme", 100, 1, NOW);

    name_key(&key, 1);
    tap_ok(guardrail_key_peek_locked(&b.z, &key) != NULL, "a key is there");

    name_key(&key, 2);
    tap_ok(guardrail_key_peek_locked(&b.z, &key) == NULL
           && b.z.head->entries == 1, "and one is not, and is not made");
}


/*
 * A few of many use more than all others.  What they have used is known to
 * the caller, who compares; the last period counts as long as it does for
 * their weight.
 */

static void
test_heaviest_of_many(void)
{
    char              name[24];
    size_t            i, k, missing;
    uint8_t          *p;
    uint64_t          now, n;
    guardrail_zone_t  z;

    p = aligned_alloc(64, 64 * MB);

    if (p == NULL || !guardrail_zone_layout(&z, p, 64 * MB, 1)) {
        abort();
    }

    memset(p, 0, 64 * MB);
    guardrail_zone_create(&z, 64 * MB, 1, NOW, 0);

    now = NOW;

    for (i = 0; i < CHARGES; i++) {
        now += (i % 64 == 0);

        /* 100 keys have a quarter of all, of two LIMITs */

        n = rng_below(&rng, 4) ? 100 + rng_below(&rng, TENANTS)
                               : rng_below(&rng, 100);

        (void) sprintf(name, "k%" PRIu64, n);
        charge(&z, n, name, n % 2 ? 10000 : 12000, 1, now);
    }

    (void) rows(&z, copies);
    missing = 0;

    for (i = 0; i < 100; i++) {
        (void) sprintf(name, "k%zu", i);

        for (k = 0; k < n_copies; k++) {
            if (copies[k].len == strlen(name)
                && memcmp(copies[k].name, name, copies[k].len) == 0)
            {
                break;
            }
        }

        missing += (k == n_copies);
    }

    tap_is_u64(n_copies, GUARDRAIL_HEAVY_ROWS, "128 of %u", TENANTS);
    tap_is_u64(missing, 0, "the hundred heaviest among them");
    tap_is_u64(z.head->stats.unsaved, 0, "all lines saved");

    free(p);
}


/* random charges, each killed at any point of it */

static void
test_killed(void)
{
#ifdef GUARDRAIL_ZONE_POINTS

    size_t       i, k;
    uint64_t     n;
    charge_t     c;
    const char  *wrong;

    make(GUARDRAIL_ZONE_MAX_RATES, 1);
    wrong = NULL;
    memset(&c, 0, sizeof(c));

    for (i = 0; i < KILLED && wrong == NULL; i++) {

        memset(&c, 0, sizeof(c));
        n = rng_below(&rng, 40);
        name_key(&c.key, n);
        c.len = rng_below(&rng, 2)
                ? (size_t) sprintf(c.name, "key-%" PRIu64, n) : 0;
        c.rate.limit = limit;
        c.rate.limit.period = 1 + (uint32_t) rng_below(&rng, 12);
        c.rate.limit.value = 5 + rng_below(&rng, 100);
        c.now = NOW + i * 97;
        c.amount = rng_below(&rng, 20);
        c.level = rng_below(&rng, 4) ? 0 : (unsigned) (1 + rng_below(&rng, 2));

        wrong = zone_killed(&b, change, &c, sizeof(c));

        for (k = 0; k < b.z.n_slots && i % 16 == 0; k++) {
            (void) guardrail_slot_free_locked(&b.z, (uint32_t) k,
                                              b.z.slots[k].generation, 99, 1,
                                              c.now);
        }

        (void) guardrail_slot_register_locked(&b.z, 1, 1, 1);

        /* each row has the name of the key whose entry it has */

        (void) rows(&b.z, copies);

        for (k = 0; k < n_copies; k++) {
            for (n = 0; n < 40; n++) {
                name_key(&c.key, n);

                if (c.key.hash[0] == copies[k].hash[0]) {
                    break;
                }
            }

            c.len = (size_t) sprintf(c.name, "key-%" PRIu64, n);

            if (copies[k].len && (copies[k].len != c.len
                                  || memcmp(copies[k].name, c.name, c.len)))
            {
                wrong = "the name of another key";
            }
        }
    }

    tap_ok(wrong == NULL, "killed anywhere: %s", wrong ? wrong : "rows");
    tap_ok(b.z.head->stats.unsaved == 0
           && zone_kill.lines <= GUARDRAIL_ZONE_UNDO, "%u lines at most",
           zone_kill.lines);
    tap_diag("killed %u times", zone_kill.deaths);

#else

    tap_skip("killed anywhere: built without points");

#endif
}
