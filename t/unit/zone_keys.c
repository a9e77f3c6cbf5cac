
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Where keys of a zone stand: at home, elsewhere, and in whose place.
 */


#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "zone_block.h"


#define NOW   UINT64_C(1700000000000)
#define SIZE  (8 * 1024 * 1024)


static void make(zone_block_t *block, uint32_t ways);
static void fill(zone_block_t *block, uint32_t n, uint64_t now);
static uint32_t home(uint64_t n, uint32_t ways);
static void test_ways(void);
static void test_fill(uint32_t rates);
static void test_home(void);
static void test_ties(void);
static void test_last_resort(void);
static void test_zeros(void);
static void test_generations(void);
static void test_prefetch(void);


static zone_block_t  b, empty;


int
main(void)
{
    test_ways();
    test_fill(1);
    test_fill(4);
    test_fill(8);
    test_home();
    test_ties();
    test_last_resort();
    test_zeros();
    test_generations();
    test_prefetch();

    return tap_done();
}


/* two buckets of so many keys */

static void
make(zone_block_t *block, uint32_t ways)
{
    zone_sizes_t  sizes = { 2, 2, 4, 4, 4 };

    memset(block, 0, sizeof(zone_block_t));
    zone_block_init(block, &sizes, NOW);

    block->z.ways = ways;
    block->z.n_entries = 2 * ways;
}


static void
fill(zone_block_t *block, uint32_t n, uint64_t now)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        (void) find_key(&block->z, i, now, 0);
    }
}


/* the place that a key has in an empty zone: an index */

static uint32_t
home(uint64_t n, uint32_t ways)
{
    make(&empty, ways);

    return guardrail_zone_index(&empty.z, find_key(&empty.z, n, NOW, 0));
}


static void
test_ways(void)
{
    size_t            i;
    guardrail_zone_t  z;

    /* of 64 lines those of tags, a free one, and 62 * 1, 31 * 2 or 21 * 3 */

    static const uint32_t  ways[] = { 62, 31, 31, 31, 21, 21, 21, 21 };
    static const uint32_t  first[] = { 2, 2, 2, 2, 1, 1, 1, 1 };

    for (i = 0; i < 8; i++) {
        (void) guardrail_zone_layout(&z, (void *) (uintptr_t) 0x100000000,
                                     SIZE, (uint32_t) i + 1);

        tap_ok(z.ways == ways[i] && z.first == first[i],
               "%zu rates: %u keys in a page", i + 1, z.ways);
    }
}


/* all that the documents promise fits, and each is found again */

static void
test_fill(uint32_t rates)
{
    uint8_t           *p;
    uint32_t           i, n, bad;
    guardrail_zone_t   z;

    p = aligned_alloc(4096, SIZE);

    if (p == NULL || !guardrail_zone_layout(&z, p, SIZE, rates)) {
        abort();
    }

    memset(p, 0, SIZE);
    guardrail_zone_create(&z, SIZE, 1, NOW, 0);

    n = (uint32_t) ((uint64_t) z.n_entries * 85 / 100);
    bad = 0;

    for (i = 0; i < n; i++) {
        bad += (find_key(&z, i, NOW + i, 0) == NULL);
    }

    tap_ok(bad == 0 && z.head->entries == n && z.head->stats.evictions == 0,
           "%u rates: %u keys, 85 %%, without an eviction", rates, n);

    for (i = 0; i < n; i++) {
        bad += (find_key(&z, i, NOW, 0)->last_use
                != (uint32_t) ((NOW + i) / 1000));
    }

    tap_ok(bad == 0 && z.head->entries == n, "and each is found");
    tap_ok(guardrail_level_check_locked(&z), "in order");

    /* every place is used before a key without debt is refused */

    for ( ; z.head->entries < z.n_entries; i++) {
        bad += (find_key(&z, i, NOW, 0) == NULL);
    }

    tap_ok(bad == 0, "up to the last place");

    free(p);
}


/* keys of a zone that is half full are where they need no tag */

static void
test_home(void)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < 400; i++) {
        make(&b, 31);
        fill(&b, 15 + i % 17, NOW);

        n += (guardrail_zone_index(&b.z, find_key(&b.z, 1000 + i, NOW, 0))
              == home(1000 + i, 31));
    }

    /* three of eight places are taken, and 2.5 % for the luck of 400 */

    tap_ok(n > 400 * 60 / 100 && n < 400, "%u of 400 at the first place", n);
}


/* of keys that were used last at the same time the one at home goes */

static void
test_ties(void)
{
    uint32_t            i, bad;
    guardrail_entry_t  *e;

    bad = 0;

    for (i = 0; i < 100; i++) {
        make(&b, 31);
        fill(&b, 62, NOW);

        e = find_key(&b.z, 1000 + i, NOW + 1000, 0);
        bad += (b.z.head->entries != 62 || b.z.head->stats.evictions != 1
                || guardrail_zone_index(&b.z, e) != home(1000 + i, 31));

        /* but not before one that was used earlier, and close to home */

        make(&b, 16);
        fill(&b, 32, NOW);

        e = guardrail_zone_entry(&b.z, guardrail_zone_nth(&b.z, i % 32));
        e->last_use--;
        bad += (find_key(&b.z, 1000 + i, NOW + 1000, 0) != e);
    }

    tap_is_u64(bad, 0, "of equals the one at home goes");
}


/* the only key that may go is found wherever it is */

static void
test_last_resort(void)
{
    uint32_t            i, k, bad;
    guardrail_entry_t  *e;

    bad = 0;

    for (k = 0; k < 62; k++) {
        make(&b, 31);
        fill(&b, 62, NOW);

        for (i = 0; i < 62; i++) {
            e = guardrail_zone_entry(&b.z, guardrail_zone_nth(&b.z, i));
            e->keep_until = UINT32_MAX;
        }

        bad += (find_key(&b.z, 1000, NOW, 0) != NULL);

        e = guardrail_zone_entry(&b.z, guardrail_zone_nth(&b.z, k));
        e->keep_until = 0;

        bad += (find_key(&b.z, 1000, NOW, 0) != e);
        bad += !guardrail_level_check_locked(&b.z);
    }

    tap_is_u64(bad, 0, "the last one that may go goes");
}


/* room that nobody has used looks like a key whose hash is all zeros */

static void
test_zeros(void)
{
    guardrail_key_t     key;
    guardrail_entry_t  *e;

    make(&b, 31);

    memset(&key, 0, sizeof(key));
    key.entry = GUARDRAIL_ZONE_NONE;

    tap_ok(guardrail_key_peek_locked(&b.z, &key) == NULL,
           "a hash of zeros is not there");

    e = guardrail_key_find_locked(&b.z, &key, NOW, 0);
    guardrail_zone_commit(&b.z);

    tap_ok(e && b.z.head->entries == 1, "then it is made");
    tap_ok(guardrail_key_peek_locked(&b.z, &key) == e, "and found");
    tap_ok(guardrail_level_check_locked(&b.z), "in order");
}


/* a place that had 2^32 keys is not one that had none */

static void
test_generations(void)
{
    guardrail_entry_t  *e;

    make(&b, 31);
    fill(&b, 62, NOW);

    e = guardrail_zone_entry(&b.z, home(1000, 31));
    e->generation = UINT32_MAX;

    tap_ok(find_key(&b.z, 1000, NOW + 1000, 0) == e && e->generation,
           "counted on from the first");
    tap_ok(find_key(&b.z, 1000, NOW + 1000, 0) == e
           && guardrail_level_check_locked(&b.z), "and found");
}


static void
test_prefetch(void)
{
    size_t              k, bad;
    uint32_t            place;
    uint64_t            hash;
    guardrail_key_t     key, other;
    guardrail_entry_t  *e;

    make(&b, 31);
    fill(&b, 62, NOW);

    hash = zone_block_hash(&b);
    bad = 0;

    for (k = 0; k < 62; k++) {
        name_key(&key, k);
        guardrail_key_prefetch(&b.z, &key);

        bad += (key.entry == GUARDRAIL_ZONE_NONE);
        bad += (guardrail_zone_entry(&b.z, key.entry)
                != guardrail_key_find_locked(&b.z, &key, NOW, 0));
        bad += (guardrail_zone_entry(&b.z, key.entry)->hash[0] != key.hash[0]);
    }

    tap_is_u64(bad, 0, "all keys are found outside of the lock");

    name_key(&key, 1000);
    guardrail_key_prefetch(&b.z, &key);

    tap_ok(key.entry == GUARDRAIL_ZONE_NONE, "one that is not there is not");
    tap_is_u64(zone_block_hash(&b), hash, "nothing has changed");

    /* another one comes before the lock is taken */

    place = home(1000, 31);

    for (k = 0; key.entry != place; k++) {
        name_key(&key, k);
        guardrail_key_prefetch(&b.z, &key);
    }

    e = guardrail_zone_entry(&b.z, place);

    name_key(&other, 1000);

    tap_ok(guardrail_key_find_locked(&b.z, &other, NOW + 1000, 0) == e,
           "its place is given away");
    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW + 1000, 0) != e,
           "and not taken for its own");
    guardrail_zone_commit(&b.z);
    tap_ok(guardrail_level_check_locked(&b.z), "in order");

    /* as old as the hint says, after 2^32 others */

    name_key(&key, 2000);
    key.entry = place;
    key.generation = e->generation;

    tap_ok(guardrail_key_find_locked(&b.z, &key, NOW + 1000, 0) != e,
           "nor is one of the same generation");
    guardrail_zone_commit(&b.z);
}
