
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The keys of a zone: which entry is whose, and who makes room.
 *
 * A key may stand anywhere in two buckets, and in each of them there is one
 * place, its home, that it takes if it is free.  What decides how long a
 * charge takes is memory that is waited for, one line after the other: a tag
 * tells where the entry is.  The two homes are known from the hash alone, so
 * they are fetched together with the tags, and most keys of a zone that is
 * not full are found there.
 */


#include "quota/guardrail_rate.h"

/* GUARDRAIL_ZONE_SCALAR is for tests of what other machines do */

#if defined(__SSE2__) && !defined(GUARDRAIL_ZONE_SCALAR)
#define GUARDRAIL_RATE_SSE2  1
#include <emmintrin.h>
#endif


/* entries of each bucket that are looked at together for one that may go */

#define GUARDRAIL_KEY_TRIES  16


/* where a key may stand */

typedef struct {
    uint32_t  bucket[2];
    uint32_t  way;                      /* of its homes */
    uint16_t  tag;
} guardrail_place_t;


static inline void guardrail_key_place(const guardrail_zone_t *z,
    const uint64_t hash[2], guardrail_place_t *p);
static inline uint32_t guardrail_key_nth(const guardrail_zone_t *z,
    const guardrail_place_t *p, uint32_t k, uint32_t n);
static inline uint64_t guardrail_key_matches(const guardrail_zone_t *z,
    uint32_t bucket, uint16_t tag);
static inline unsigned guardrail_key_is(const guardrail_entry_t *e,
    const uint64_t hash[2]);
static uint32_t guardrail_key_lookup(const guardrail_zone_t *z,
    const guardrail_place_t *p, const uint64_t hash[2]);
static uint32_t guardrail_key_room(const guardrail_zone_t *z,
    const guardrail_place_t *p, uint32_t second);
static uint32_t guardrail_key_oldest(const guardrail_zone_t *z,
    const guardrail_place_t *p, uint32_t second);
static void guardrail_key_insert(guardrail_zone_t *z, guardrail_key_t *key,
    uint32_t i, uint16_t tag, uint32_t second);


/* two different buckets, by multiplication: any number of them, no division */

static inline void
guardrail_key_place(const guardrail_zone_t *z, const uint64_t hash[2],
    guardrail_place_t *p)
{
    p->bucket[0] = (uint32_t) (((hash[0] >> 32) * z->n_buckets) >> 32);
    p->bucket[1] = (uint32_t) (((hash[0] & 0xffffffff) * z->n_buckets) >> 32);

    if (p->bucket[1] == p->bucket[0]) {
        p->bucket[1] = (p->bucket[0] + 1 == z->n_buckets) ? 0
                                                          : p->bucket[0] + 1;
    }

    p->way = (uint32_t) (((hash[1] & 0xffffffff) * z->ways) >> 32);

    /* 0 is free room */

    p->tag = (uint16_t) (hash[1] >> 48);
    p->tag = p->tag ? p->tag : 1;
}


/* the n-th place of a bucket, from home on */

static inline uint32_t
guardrail_key_nth(const guardrail_zone_t *z, const guardrail_place_t *p,
    uint32_t k, uint32_t n)
{
    n += p->way;

    return guardrail_zone_place(z, p->bucket[k],
                                (n < z->ways) ? n : n - z->ways);
}


/* which of a bucket's tags are this one: a bit for each */

static inline uint64_t
guardrail_key_matches(const guardrail_zone_t *z, uint32_t bucket,
    uint16_t tag)
{
    uint32_t         i;
    uint64_t         matches;
    const uint16_t  *tags;

    tags = guardrail_zone_tags(z, bucket);
    matches = 0;

#if (GUARDRAIL_RATE_SSE2)

    __m128i         a, b, t;
    const __m128i  *p;

    p = (const __m128i *) (const void *) tags;
    t = _mm_set1_epi16((int16_t) tag);

    for (i = 0; i < z->ways; i += 16) {
        a = _mm_cmpeq_epi16(_mm_load_si128(p++), t);
        b = _mm_cmpeq_epi16(_mm_load_si128(p++), t);

        matches |= (uint64_t) (uint32_t)
                       _mm_movemask_epi8(_mm_packs_epi16(a, b)) << i;
    }

    /* behind them may be no tags */

    return matches & (UINT64_MAX >> (64 - z->ways));

#else

    for (i = 0; i < z->ways; i++) {
        matches |= (uint64_t) (tags[i] == tag) << i;
    }

    return matches;

#endif
}


/* what was never used has no generation, and a hash of zeros */

static inline unsigned
guardrail_key_is(const guardrail_entry_t *e, const uint64_t hash[2])
{
    return e->hash[0] == hash[0] && e->hash[1] == hash[1] && e->generation;
}


void
guardrail_key_prefetch(const guardrail_zone_t *z, guardrail_key_t *key)
{
    uint32_t                  i;
    guardrail_place_t         p;
    const guardrail_entry_t  *e;

    if (key->entry == GUARDRAIL_ZONE_NONE) {

        guardrail_key_place(z, key->hash, &p);

        /* none of these lines waits for another */

        for (i = 0; i < 2; i++) {
            e = guardrail_zone_entry(z, guardrail_key_nth(z, &p, i, 0));

            __builtin_prefetch(e);
            __builtin_prefetch(guardrail_zone_tags(z, p.bucket[i]));
        }

        i = guardrail_key_lookup(z, &p, key->hash);

        if (i == GUARDRAIL_ZONE_NONE) {
            return;
        }

        /* others may change it meanwhile: a guess, and find looks again */

        key->entry = i;
        key->generation = guardrail_zone_entry(z, i)->generation;
    }

    e = guardrail_zone_entry(z, key->entry);

    for (i = 0; i < z->lines; i++) {
        __builtin_prefetch((const uint8_t *) e + i * GUARDRAIL_ZONE_LINE, 1);
    }
}


guardrail_entry_t *
guardrail_key_find_locked(guardrail_zone_t *z, guardrail_key_t *key,
    uint64_t now, unsigned share)
{
    uint32_t            i, second;
    guardrail_entry_t  *e;
    guardrail_place_t   p;

    if (key->entry != GUARDRAIL_ZONE_NONE) {
        e = guardrail_zone_entry(z, key->entry);

        if (key->overflow || (e->generation == key->generation
                              && guardrail_key_is(e, key->hash)))
        {
            return e;
        }
    }

    key->overflow = 0;

    guardrail_key_place(z, key->hash, &p);

    i = guardrail_key_lookup(z, &p, key->hash);

    if (i == GUARDRAIL_ZONE_NONE) {
        second = (uint32_t) (now / 1000);
        i = guardrail_key_room(z, &p, second);

        if (i != GUARDRAIL_ZONE_NONE) {
            guardrail_key_insert(z, key, i, p.tag, second);

        } else {
            z->head->stats.overflows++;

            if (!share) {
                return NULL;
            }

            i = z->shared;
            key->overflow = 1;
        }
    }

    e = guardrail_zone_entry(z, i);

    key->entry = i;
    key->generation = e->generation;

    return e;
}


guardrail_entry_t *
guardrail_key_peek_locked(const guardrail_zone_t *z,
    const guardrail_key_t *key)
{
    uint32_t           i;
    guardrail_place_t  p;

    guardrail_key_place(z, key->hash, &p);

    i = guardrail_key_lookup(z, &p, key->hash);

    return (i == GUARDRAIL_ZONE_NONE) ? NULL : guardrail_zone_entry(z, i);
}


static uint32_t
guardrail_key_lookup(const guardrail_zone_t *z, const guardrail_place_t *p,
    const uint64_t hash[2])
{
    uint32_t  k, i;
    uint64_t  matches;

    /* at home no tag is waited for */

    for (k = 0; k < 2; k++) {
        i = guardrail_key_nth(z, p, k, 0);

        if (guardrail_key_is(guardrail_zone_entry(z, i), hash)) {
            return i;
        }
    }

    for (k = 0; k < 2; k++) {

        for (matches = guardrail_key_matches(z, p->bucket[k], p->tag);
             matches;
             matches &= matches - 1)
        {
            i = guardrail_zone_place(z, p->bucket[k],
                                     (uint32_t) __builtin_ctzll(matches));

            if (guardrail_key_is(guardrail_zone_entry(z, i), hash)) {
                return i;
            }
        }
    }

    return GUARDRAIL_ZONE_NONE;
}


/* at home, or anywhere in the emptier bucket, or where another key stands */

static uint32_t
guardrail_key_room(const guardrail_zone_t *z, const guardrail_place_t *p,
    uint32_t second)
{
    uint32_t  k;
    uint64_t  free[2], one, other;

    for (k = 0; k < 2; k++) {
        free[k] = guardrail_key_matches(z, p->bucket[k], 0);

        if (free[k] >> p->way & 1) {
            return guardrail_key_nth(z, p, k, 0);
        }
    }

    /* taken away in pairs: what is left is of the emptier bucket */

    one = free[0];
    other = free[1];

    while (one && other) {
        one &= one - 1;
        other &= other - 1;
    }

    k = (other != 0);

    if (free[k]) {
        return guardrail_zone_place(z, p->bucket[k],
                                    (uint32_t) __builtin_ctzll(free[k]));
    }

    return guardrail_key_oldest(z, p, second);
}


/*
 * Of the key that was not used for the longest time, of those that may go:
 * of a part of both buckets, and of the next part if none there may.
 */

static uint32_t
guardrail_key_oldest(const guardrail_zone_t *z, const guardrail_place_t *p,
    uint32_t second)
{
    uint32_t            i, k, n, from, last, best, oldest;
    guardrail_entry_t  *e;

    best = GUARDRAIL_ZONE_NONE;
    oldest = 0;

    for (from = 0; from < z->ways && best == GUARDRAIL_ZONE_NONE; from = last)
    {
        last = from + GUARDRAIL_KEY_TRIES;
        last = (last < z->ways) ? last : z->ways;

        /* none of these lines waits for another */

        for (i = from; i < last; i++) {
            for (k = 0; k < 2; k++) {
                n = guardrail_key_nth(z, p, k, i);
                __builtin_prefetch(guardrail_zone_entry(z, n));
            }
        }

        for (i = from; i < last; i++) {
            for (k = 0; k < 2; k++) {
                n = guardrail_key_nth(z, p, k, i);
                e = guardrail_zone_entry(z, n);

                if (e->level || e->keep_until > second) {
                    continue;
                }

                /* of two that are as old it is the one at home */

                if (best == GUARDRAIL_ZONE_NONE || e->last_use < oldest) {
                    best = n;
                    oldest = e->last_use;
                }
            }
        }
    }

    return best;
}


static void
guardrail_key_insert(guardrail_zone_t *z, guardrail_key_t *key, uint32_t i,
    uint16_t tag, uint32_t second)
{
    uint16_t           *to;
    uint32_t            generation;
    guardrail_entry_t  *e;

    to = guardrail_zone_tag(z, i);
    e = guardrail_zone_entry(z, i);

    guardrail_zone_touch(z, to, sizeof(uint16_t));
    guardrail_zone_touch(z, e, z->entry_size);

    if (*to == 0) {
        guardrail_zone_touch(z, &z->head->entries, sizeof(uint32_t));
        z->head->entries++;

    } else {
        z->head->stats.evictions++;
    }

    generation = e->generation + 1;

    memset(e, 0, z->entry_size);

    *to = tag;

    e->hash[0] = key->hash[0];
    e->hash[1] = key->hash[1];
    e->generation = generation ? generation : 1;
    e->last_use = second;
}
