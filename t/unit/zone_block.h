
/*
 * Copyright (C) nginx-guardrail authors
 *
 * For the tests of zones: zones of a few kilobytes, and what is left when a
 * process is killed at any point of a change.
 *
 * zone_killed() runs a change once to learn which states it commits.  Then,
 * for each point in it, it starts again, leaves by longjmp at that point,
 * repairs, being killed at each point of that too, and looks if what came
 * out is one of these states, byte by byte.  A write to a line that was not
 * saved before is seen so, since it is not put back.
 */


#ifndef GUARDRAIL_ZONE_BLOCK_H
#define GUARDRAIL_ZONE_BLOCK_H


#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quota/guardrail_heavy.h"
#include "quota/guardrail_level.h"
#include "quota/guardrail_rate.h"


#define ZONE_BLOCK   (48 * 1024)
#define ZONE_HEAVY   16                 /* rows of names */
#define ZONE_WAYS    16                 /* keys in a bucket */
#define ZONE_STATES  512                /* commits in one change */
#define ZONE_SLOTS   3

/* what is compared begins here */

#define ZONE_ROOM    offsetof(guardrail_zone_head_t, free_levels)


typedef struct {
    uint32_t           rates;
    uint32_t           buckets;
    uint32_t           levels;
    uint32_t           leases;          /* even */
    uint32_t           waiters;
} zone_sizes_t;


typedef struct {
    guardrail_zone_t   z;
    size_t             size;            /* of what is used */
    _Alignas(64) uint8_t  block[ZONE_BLOCK];
} zone_block_t;


typedef void (*zone_change_pt)(guardrail_zone_t *z, void *data);


/* a zone of any sizes; its block is zero where it was not used */

static inline void
zone_block_init(zone_block_t *b, const zone_sizes_t *s, uint64_t now)
{
    uint8_t           *p;
    guardrail_zone_t  *z;

    static _Alignas(64) uint8_t  any[64];

    z = &b->z;

    if (!guardrail_zone_layout(z, any, GUARDRAIL_ZONE_MIN_SIZE, s->rates)) {
        abort();
    }

    z->n_heavy = ZONE_HEAVY;
    z->n_slots = ZONE_SLOTS;
    z->n_levels = s->levels;
    z->n_leases = s->leases;
    z->n_waiters = s->waiters;
    z->n_buckets = s->buckets;
    z->ways = ZONE_WAYS;
    z->n_entries = s->buckets * z->ways;
    z->shared = s->buckets * GUARDRAIL_ZONE_BUCKET;

    p = b->block;
    z->head = (guardrail_zone_head_t *) (void *) p;
    p += sizeof(guardrail_zone_head_t);
    z->heavy = (guardrail_heavy_t *) (void *) p;
    p += sizeof(guardrail_heavy_t);
    z->weights = (uint64_t *) (void *) p;
    p += z->n_heavy * sizeof(uint64_t);
    z->heavy_entries = (uint32_t *) (void *) p;
    p += z->n_heavy * sizeof(uint32_t);
    z->heavy_rows = (guardrail_heavy_row_t *) (void *) p;
    p += z->n_heavy * sizeof(guardrail_heavy_row_t);
    z->slots = (guardrail_slot_t *) (void *) p;
    p += z->n_slots * sizeof(guardrail_slot_t);
    z->levels = (guardrail_level_t *) (void *) p;
    p += z->n_levels * sizeof(guardrail_level_t);
    z->leases = (guardrail_lease_t *) (void *) p;
    p += z->n_leases * sizeof(guardrail_lease_t);
    z->waiters = (guardrail_waiter_t *) (void *) p;
    p += z->n_waiters * sizeof(guardrail_waiter_t);
    z->buckets = p;
    p += (size_t) z->shared * GUARDRAIL_ZONE_LINE + z->entry_size;

    b->size = (size_t) (p - b->block);

    if (b->size > ZONE_BLOCK || s->leases % 2) {
        abort();
    }

    guardrail_zone_create(z, b->size, 1, now, 0);
}


static inline void
zone_block_free(zone_block_t *b)
{
    memset(b->block, 0, b->size);
}


/*
 * The block, without the log of changes, the lock's owner and what is never
 * undone: statistics and weights.
 */

static inline uint64_t
zone_block_hash(const zone_block_t *b)
{
    size_t    i;
    uint64_t  h, n;

    for (h = 1, i = 0; i < b->size; i += sizeof(n)) {

        if (i >= offsetof(guardrail_zone_head_t, undo_count)
            && i < ZONE_ROOM)
        {
            continue;
        }

        if (i >= offsetof(guardrail_zone_head_t, stats)
            && i < offsetof(guardrail_zone_head_t, pairs))
        {
            continue;
        }

        if (i >= (size_t) ((uint8_t *) b->z.heavy - b->block)
            && i < (size_t) ((uint8_t *) b->z.heavy_entries - b->block))
        {
            continue;
        }

        memcpy(&n, b->block + i, sizeof(n));

        h = (h ^ n) * 0x9e3779b97f4a7c15;
        h ^= h >> 29;
    }

    return h;
}


/* a key of its own for each n; a hash is as good as random */

static inline void
name_key(guardrail_key_t *key, uint64_t n)
{
    uint64_t  h;

    memset(key, 0, sizeof(guardrail_key_t));

    h = (n + 1) * 0x9e3779b97f4a7c15;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9;
    h = (h ^ h >> 27) * 0x94d049bb133111eb;

    key->hash[0] = h ^ h >> 31;
    key->hash[1] = (h ^ h >> 29) * 0xff51afd7ed558ccd;
    key->hash[1] ^= key->hash[1] >> 32;
    key->entry = GUARDRAIL_ZONE_NONE;
}


/* the entry of that key, made if there is none */

static inline guardrail_entry_t *
find_key(guardrail_zone_t *z, uint64_t n, uint64_t now, unsigned share)
{
    guardrail_key_t     key;
    guardrail_entry_t  *e;

    name_key(&key, n);

    e = guardrail_key_find_locked(z, &key, now, share);
    guardrail_zone_commit(z);

    return e;
}


#ifdef GUARDRAIL_ZONE_POINTS


static struct {
    zone_block_t         *b;
    unsigned              count;        /* of points passed */
    unsigned              die;          /* at this one; 0: learn */
    jmp_buf               out;
    size_t                n;
    uint64_t              states[ZONE_STATES];
    uint32_t              lines;        /* the most that were saved */
    unsigned              deaths;
} zone_kill;


void guardrail_zone_point_hit(void);


void
guardrail_zone_point_hit(void)
{
    uint32_t  lines;

    if (zone_kill.b == NULL) {
        return;
    }

    zone_kill.count++;

    if (zone_kill.die) {
        if (zone_kill.count == zone_kill.die) {
            longjmp(zone_kill.out, 1);
        }

        return;
    }

    lines = zone_kill.b->z.head->undo_count;
    zone_kill.lines = lines > zone_kill.lines ? lines : zone_kill.lines;

    if (lines == 0) {
        if (zone_kill.n == ZONE_STATES) {
            abort();
        }

        zone_kill.states[zone_kill.n++] = zone_block_hash(zone_kill.b);
    }
}


static inline void
zone_kill_repair(guardrail_zone_t *z)
{
    unsigned volatile  point;

    /* once more and once more, and each gets one line further */

    for (point = 1; ; point++) {
        zone_kill.count = 0;
        zone_kill.die = point;

        if (setjmp(zone_kill.out) == 0) {
            (void) guardrail_zone_repair_locked(z);
            return;
        }

        zone_kill.deaths++;
    }
}


static inline const char *
zone_kill_each(zone_block_t *b, zone_change_pt change, void *data, size_t size)
{
    size_t             i;
    uint64_t           hash;
    unsigned volatile  point, points;

    static uint8_t     before[ZONE_BLOCK], after[ZONE_BLOCK];
    static uint8_t     given[512], made[512];

    if (size > sizeof(given)) {
        abort();
    }

    memcpy(before, b->block, b->size);
    memcpy(given, data, size);

    zone_kill.b = b;
    zone_kill.count = 0;
    zone_kill.die = 0;
    zone_kill.n = 1;
    zone_kill.states[0] = zone_block_hash(b);

    change(&b->z, data);

    points = zone_kill.count;

    memcpy(after, b->block, b->size);
    memcpy(made, data, size);

    if (b->z.head->undo_count) {
        return "not committed";
    }

    if (zone_block_hash(b) != zone_kill.states[zone_kill.n - 1]) {
        return "a change after the last commit";
    }

    for (point = 1; point <= points; point++) {
        memcpy(b->block, before, b->size);
        memcpy(data, given, size);

        zone_kill.count = 0;
        zone_kill.die = point;

        if (setjmp(zone_kill.out) == 0) {
            change(&b->z, data);
            return "another way at the second time";
        }

        zone_kill.deaths++;
        zone_kill_repair(&b->z);

        hash = zone_block_hash(b);

        for (i = 0; i < zone_kill.n && zone_kill.states[i] != hash; i++) {
            /* void */
        }

        if (i == zone_kill.n) {
            return "half of a change";
        }

        if (!guardrail_level_check_locked(&b->z)) {
            return "a zone that is not in order";
        }
    }

    memcpy(b->block, after, b->size);
    memcpy(data, made, size);

    return NULL;
}


/*
 * What is wrong, or NULL; the change has been made then, once.  data of size
 * bytes is what the change reads and writes outside of the zone.
 */

static inline const char *
zone_killed(zone_block_t *b, zone_change_pt change, void *data, size_t size)
{
    const char  *wrong;

    wrong = zone_kill_each(b, change, data, size);
    zone_kill.b = NULL;

    return wrong;
}


#else


static inline const char *
zone_killed(zone_block_t *b, zone_change_pt change, void *data, size_t size)
{
    (void) size;

    change(&b->z, data);

    return b->z.head->undo_count ? "not committed" : NULL;
}


#endif


#endif /* GUARDRAIL_ZONE_BLOCK_H */
