
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Records of state files: what is read back is what was counted, aged by the
 * time that has passed, into zones of the same and of other layouts.
 */


#include "quota/guardrail_state.h"
#include "tap.h"
#include "zone_block.h"


#define NOW    UINT64_C(1726000000123)
#define KEYS   20
#define NAMES  5


/* data of zone_killed() */

typedef struct {
    guardrail_state_head_t    head;
    guardrail_state_record_t  r;
    uint64_t                  now;
} restore_t;


static void test_round_trip(uint32_t from, uint32_t to, uint64_t later);
static void test_clock_set_back(void);
static void test_nothing_left(void);
static void test_room_given_away(void);
static void test_other_pairs_first(void);
static void test_full(void);
static void test_killed(void);
static void test_head(void);


static const guardrail_limit_t  limits[NAMES] = {
    { 5, 1, GUARDRAIL_UNIT_REQUESTS },
    { 50, 60, GUARDRAIL_UNIT_REQUESTS },
    { 900, 3600, GUARDRAIL_UNIT_RECORDS },
    { 65536, 86400, GUARDRAIL_UNIT_BYTES },
    { 1000000, 7, GUARDRAIL_UNIT_DECODED }
};

static zone_block_t   a, b;
static uint64_t       state = 20260917;


int
main(void)
{
    size_t  i;

    static const uint64_t  later[] = {
        0, 1, 877, 1000, 1877, 2000, 7000, 60000, 119999, 3600000, 7200000,
        86400000, 2 * 86400000, 10 * UINT64_C(86400000)
    };

    for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        test_round_trip(NAMES, NAMES, later[i]);
    }

    test_round_trip(NAMES, 8, 500);
    test_round_trip(NAMES, 2, 500);
    test_round_trip(1, NAMES, 500);

    test_clock_set_back();
    test_nothing_left();
    test_room_given_away();
    test_other_pairs_first();
    test_full();
    test_killed();
    test_head();

    return tap_done();
}


static uint64_t
below(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return (state * 0x2545f4914f6cdd1d) % n;
}


static void
make(zone_block_t *block, uint32_t rates, uint32_t buckets, uint64_t now)
{
    zone_sizes_t  sizes = { 0, 0, 2, 2, 2 };

    sizes.rates = rates;
    sizes.buckets = buckets;

    memset(block, 0, sizeof(zone_block_t));
    zone_block_init(block, &sizes, now);
}


static void
charge(guardrail_zone_t *z, uint64_t n, size_t name, uint64_t now,
    uint64_t amount)
{
    guardrail_rate_t  r;

    memset(&r, 0, sizeof(guardrail_rate_t));
    r.limit = limits[name];

    guardrail_rate_charge_locked(z, find_key(z, n, now, 0), &r, now, amount);
    guardrail_zone_commit(z);
}


/* UINT64_MAX: the zone does not count it */

static uint64_t
used(guardrail_zone_t *z, uint64_t n, size_t name, uint64_t now)
{
    guardrail_rate_t     r;
    guardrail_rate_rc_e  rc;

    memset(&r, 0, sizeof(guardrail_rate_t));
    r.limit = limits[name];

    rc = guardrail_rate_admit_locked(z, find_key(z, n, now, 0), &r, now, 0);
    guardrail_zone_commit(z);

    if (rc == GUARDRAIL_RATE_NO_ROOM) {
        return UINT64_MAX;
    }

    return guardrail_window_used(&r.window, r.limit.period, now);
}


/* all of one zone into another, as the file has it; returns the records */

static unsigned
copy(guardrail_zone_t *from, guardrail_zone_t *to, uint64_t now,
    uint64_t later)
{
    uint32_t                  i;
    unsigned                  n;
    guardrail_state_head_t    head;
    guardrail_state_record_t  r, cut;

    memset(&head, 0, sizeof(guardrail_state_head_t));
    guardrail_state_head_locked(from, &head);

    if (!guardrail_state_valid(&head)) {
        return UINT32_MAX;
    }

    n = 0;

    for (i = 0; i < from->n_entries; i++) {

        if (*guardrail_zone_tag(from, guardrail_zone_nth(from, i)) == 0) {
            continue;
        }

        /* what is behind the size of a record is not in the file */

        memset(&r, 0xa5, sizeof(guardrail_state_record_t));

        if (!guardrail_state_record_locked(from, guardrail_zone_nth(from, i),
                                           &head, now, &r))
        {
            continue;
        }

        memset(&cut, 0, sizeof(guardrail_state_record_t));
        memcpy(&cut, &r, guardrail_state_size(head.rates));

        guardrail_state_restore_locked(to, &head, &cut, later);

        n++;
    }

    return n;
}


static void
test_round_trip(uint32_t from, uint32_t to, uint64_t later)
{
    size_t    i, k;
    uint64_t  at, now, x, y, wrong, counted, lost, known, any;

    at = NOW - 3 * 86400000;

    make(&a, from, 4, at);

    known = from < NAMES ? from : NAMES;

    for (i = 0; i < known; i++) {
        charge(&a.z, 0, i, at, 1);
    }

    for (i = 0; i < 2000; i++) {
        at += below(2 * 3 * 86400000 / 2000);
        at = at < NOW ? at : NOW;
        charge(&a.z, below(KEYS), below(known), at, 1 + below(100));
    }

    now = NOW + later;

    make(&b, to, 4, now);
    (void) copy(&a.z, &b.z, NOW, now);

    wrong = 0;
    counted = 0;
    lost = 0;

    for (k = 0; k < KEYS; k++) {
        any = 0;

        for (i = 0; i < known; i++) {
            x = used(&a.z, k, i, now);
            y = used(&b.z, k, i, now);

            if (y == UINT64_MAX) {

                /* no room for the pair */

                lost++;
                continue;
            }

            wrong += (x != y);
            counted += x;
            any |= x;
        }

        /* nor is it evicted earlier */

        wrong += any && find_key(&b.z, k, now, 0)->keep_until
                        != find_key(&a.z, k, now, 0)->keep_until;
    }

    tap_is_u64(wrong, 0, "%u rates into %u, after %" PRIu64 " ms", from, to,
               later);
    tap_ok(known < NAMES || later >= 2 * 86400000 || counted > 0,
           "there was something");
    tap_is_u64(lost, known > to ? (known - to) * KEYS : 0,
               "no more is lost than there is no room for");
    tap_ok(guardrail_level_check_locked(&b.z), "a zone in order");
}


/* a time before that of the file is the time of the file, not a window more */

static void
test_clock_set_back(void)
{
    make(&a, 2, 2, NOW);

    charge(&a.z, 1, 2, NOW - 3600000, 500);
    charge(&a.z, 1, 2, NOW, 100);

    make(&b, 2, 2, NOW - 30 * UINT64_C(86400000));
    (void) copy(&a.z, &b.z, NOW, NOW - 30 * UINT64_C(86400000));

    tap_is_u64(used(&b.z, 1, 2, NOW - 30 * UINT64_C(86400000)), 600,
               "a month before: as at the start of its window");
    tap_is_u64(used(&b.z, 1, 2, NOW), used(&a.z, 1, 2, NOW),
               "when the clock is right again");
    tap_is_u64(used(&b.z, 1, 2, NOW + 2 * 3600000), 0, "and then it ages");
}


static void
test_nothing_left(void)
{
    make(&a, 2, 2, NOW);

    (void) find_key(&a.z, 1, NOW, 0);
    charge(&a.z, 2, 0, NOW, 3);
    charge(&a.z, 3, 1, NOW, 3);

    make(&b, 2, 2, NOW);

    tap_is_u64(copy(&a.z, &b.z, NOW, NOW), 2,
               "no record of a key that was not charged");
    tap_is_u64(copy(&a.z, &b.z, NOW + 2000, NOW), 1,
               "nor of windows that have passed");

    make(&b, 2, 2, NOW);

    tap_is_u64(copy(&a.z, &b.z, NOW, NOW + 2000), 2, "records of before");
    tap_is_u64(b.z.head->entries, 1, "make no key if they are too old");
}


/* a pair whose room is given to another one while the file is written */

static void
test_room_given_away(void)
{
    uint32_t                  i, found;
    guardrail_state_head_t    head;
    guardrail_state_record_t  r;

    make(&a, 1, 1, NOW);

    (void) guardrail_pair_find_locked(&a.z, &limits[0], NOW, 1);
    charge(&a.z, 1, 0, NOW, 3);

    memset(&head, 0, sizeof(guardrail_state_head_t));
    guardrail_state_head_locked(&a.z, &head);

    (void) guardrail_pair_find_locked(&a.z, &limits[1], NOW + 5000, 2);
    charge(&a.z, 1, 1, NOW + 5000, 7);

    found = 0;

    for (i = 0; i < a.z.n_entries; i++) {
        found += guardrail_state_record_locked(&a.z,
                                               guardrail_zone_nth(&a.z, i),
                                               &head, NOW + 5000, &r);
    }

    tap_is_u64(found, 0, "what was counted for another pair is left out");

    guardrail_state_head_locked(&a.z, &head);

    for (i = 0; i < a.z.n_entries; i++) {
        found += guardrail_state_record_locked(&a.z,
                                               guardrail_zone_nth(&a.z, i),
                                               &head, NOW + 5000, &r);
    }

    tap_is_u64(found, 1, "it is there under its own");
}


/* rooms that the configuration has named are not taken by those of a file */

static void
test_other_pairs_first(void)
{
    make(&a, 3, 1, NOW);

    charge(&a.z, 1, 2, NOW, 3);
    charge(&a.z, 1, 3, NOW, 5);
    charge(&a.z, 1, 1, NOW, 7);

    make(&b, 2, 1, NOW);

    (void) guardrail_pair_find_locked(&b.z, &limits[0], NOW, 1);
    (void) guardrail_pair_find_locked(&b.z, &limits[1], NOW, 1);
    guardrail_zone_commit(&b.z);

    (void) copy(&a.z, &b.z, NOW, NOW);

    tap_is_u64(used(&b.z, 1, 1, NOW), 7, "what is named is read");
    tap_is_u64(used(&b.z, 1, 0, NOW), 0, "what is new is empty");
    tap_is_u64(used(&b.z, 1, 2, NOW), UINT64_MAX, "what is neither is not");
}


static void
test_full(void)
{
    size_t    i;
    uint64_t  hash;

    make(&a, 2, 1, NOW);
    make(&b, 2, 1, NOW);

    for (i = 0; i < ZONE_WAYS; i++) {
        charge(&b.z, 100 + i, 1, NOW, 50);
    }

    for (i = 0; i < 5; i++) {
        charge(&a.z, i, 1, NOW, 50);
    }

    hash = zone_block_hash(&b);

    tap_is_u64(copy(&a.z, &b.z, NOW, NOW), 5, "five records");
    tap_is_u64(zone_block_hash(&b), hash, "nobody's debt makes room for them");
    tap_is_u64(b.z.head->entries, ZONE_WAYS, "nothing was evicted");
}


static void
restore(guardrail_zone_t *z, void *data)
{
    restore_t *t = data;

    guardrail_state_restore_locked(z, &t->head, &t->r, t->now);
}


static void
test_killed(void)
{
    size_t     i;
    uint32_t   k;
    restore_t  t;

    make(&a, NAMES, 1, NOW);
    make(&b, NAMES, 1, NOW);

    for (i = 0; i < NAMES; i++) {
        charge(&a.z, 1, i, NOW, 10 + i);
    }

    memset(&t, 0, sizeof(restore_t));
    t.now = NOW;
    guardrail_state_head_locked(&a.z, &t.head);

    for (k = 0; k < a.z.n_entries; k++) {

        if (*guardrail_zone_tag(&a.z, guardrail_zone_nth(&a.z, k))) {
            (void) guardrail_state_record_locked(&a.z,
                                                 guardrail_zone_nth(&a.z, k),
                                                 &t.head, NOW, &t.r);
        }
    }

    tap_is_str(zone_killed(&b, restore, &t, sizeof(restore_t)), NULL,
               "all of a record or nothing");
    tap_is_u64(used(&b.z, 1, 4, NOW), 14, "it is there");
}


static void
test_head(void)
{
    size_t                  i;
    guardrail_state_head_t  head, h;

    static const struct {
        size_t       offset;
        uint32_t     value;
        const char  *name;
    } bad[] = {
        { offsetof(guardrail_state_head_t, magic), 1, "magic" },
        { offsetof(guardrail_state_head_t, version), 0, "an older version" },
        { offsetof(guardrail_state_head_t, version),
          GUARDRAIL_STATE_VERSION + 1, "a later version" },
        { offsetof(guardrail_state_head_t, order), 0x04030201, "byte order" },
        { offsetof(guardrail_state_head_t, rates), 0, "no rates" },
        { offsetof(guardrail_state_head_t, rates),
          GUARDRAIL_ZONE_MAX_RATES + 1, "too many rates" },
        { offsetof(guardrail_state_head_t, pairs[0].unit),
          GUARDRAIL_UNIT_MAX + 1, "no such unit" },
        { offsetof(guardrail_state_head_t, pairs[0].unit),
          GUARDRAIL_UNIT_MEMORY + 1, "a level" },
        { offsetof(guardrail_state_head_t, pairs[0].period), 0, "no period" },
        { offsetof(guardrail_state_head_t, pairs[0].period),
          GUARDRAIL_LIMIT_MAX_PERIOD + 1, "a long period" }
    };

    make(&a, 2, 1, NOW);
    charge(&a.z, 1, 1, NOW, 1);

    memset(&head, 0, sizeof(guardrail_state_head_t));
    guardrail_state_head_locked(&a.z, &head);

    tap_ok(guardrail_state_valid(&head), "a head");

    tap_is_u64(head.id, a.z.head->id, "says which zone");
    tap_is_u64(head.created, NOW, "when it was made");
    tap_is_u64(head.pairs[0].unit, GUARDRAIL_UNIT_REQUESTS + 1, "what");
    tap_is_u64(head.pairs[0].period, 60, "and in which period it counts");
    tap_is_u64(head.pairs[1].unit, 0, "room that is free");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        h = head;
        memcpy((uint8_t *) &h + bad[i].offset, &bad[i].value,
               sizeof(uint32_t));
        tap_ok(!guardrail_state_valid(&h), "%s", bad[i].name);
    }

    h = head;
    memset(&h.pairs[1], 0xff, sizeof(guardrail_state_pair_t));
    tap_ok(!guardrail_state_valid(&h), "rubbish in another pair");

    memset(&h, 0, sizeof(guardrail_state_head_t));
    tap_ok(!guardrail_state_valid(&h), "zeros");
}
