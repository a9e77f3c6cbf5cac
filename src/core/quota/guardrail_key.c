
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The keys of a zone: which entry is whose, and who makes room.
 */


#include "quota/guardrail_rate.h"

/* GUARDRAIL_ZONE_SCALAR is for tests of what other machines do */

#if defined(__SSE2__) && !defined(GUARDRAIL_ZONE_SCALAR)
#define GUARDRAIL_RATE_SSE2  1
#include <emmintrin.h>
#endif


static inline void guardrail_key_buckets(const guardrail_zone_t *z,
    const uint64_t hash[2], uint32_t b[2]);
static inline uint32_t guardrail_key_tag(const uint64_t hash[2]);
static inline uint32_t guardrail_key_matches(
    const uint32_t bucket[GUARDRAIL_ZONE_WAYS], uint32_t tag);
static uint32_t guardrail_key_lookup(const guardrail_zone_t *z,
    const uint64_t hash[2]);
static uint32_t guardrail_key_room(const guardrail_zone_t *z,
    const uint64_t hash[2], uint32_t second);
static void guardrail_key_insert(guardrail_zone_t *z, guardrail_key_t *key,
    uint32_t i, uint32_t second);


/* two different ones, by multiplication: as many as there are, no division */

static inline void
guardrail_key_buckets(const guardrail_zone_t *z, const uint64_t hash[2],
    uint32_t b[2])
{
    b[0] = (uint32_t) (((hash[0] >> 32) * z->n_buckets) >> 32);
    b[1] = (uint32_t) (((hash[0] & 0xffffffff) * z->n_buckets) >> 32);

    if (b[1] == b[0]) {
        b[1] = (b[0] + 1 == z->n_buckets) ? 0 : b[0] + 1;
    }
}


/* 0 is free room */

static inline uint32_t
guardrail_key_tag(const uint64_t hash[2])
{
    return (uint32_t) (hash[1] >> 32) | 1;
}


/* which of a bucket's tags are this one: a bit for each */

static inline uint32_t
guardrail_key_matches(const uint32_t bucket[GUARDRAIL_ZONE_WAYS],
    uint32_t tag)
{
#if (GUARDRAIL_RATE_SSE2)

    __m128i         a, b, t;
    const __m128i  *p;

    p = (const __m128i *) (const void *) bucket;
    t = _mm_set1_epi32((int) tag);

    a = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(p), t),
                        _mm_cmpeq_epi32(_mm_load_si128(p + 1), t));
    b = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(p + 2), t),
                        _mm_cmpeq_epi32(_mm_load_si128(p + 3), t));

    return (uint32_t) _mm_movemask_epi8(_mm_packs_epi16(a, b));

#else

    uint32_t  i, matches;

    for (matches = 0, i = 0; i < GUARDRAIL_ZONE_WAYS; i++) {
        matches |= (uint32_t) (bucket[i] == tag) << i;
    }

    return matches;

#endif
}


void
guardrail_key_prefetch(const guardrail_zone_t *z, const guardrail_key_t *key)
{
    uint32_t  b[2], k, tag, matches;

    if (key->entry != GUARDRAIL_ZONE_NONE) {
        __builtin_prefetch(guardrail_zone_entry(z, key->entry), 1);
        return;
    }

    guardrail_key_buckets(z, key->hash, b);
    tag = guardrail_key_tag(key->hash);

    __builtin_prefetch(z->buckets[b[1]]);

    /* tags may change meanwhile: this is a guess, and find looks again */

    for (k = 0; k < 2; k++) {
        matches = guardrail_key_matches(z->buckets[b[k]], tag);

        if (matches) {
            __builtin_prefetch(guardrail_zone_entry(z,
                                   b[k] * GUARDRAIL_ZONE_WAYS
                                   + (uint32_t) __builtin_ctz(matches)), 1);
            return;
        }
    }
}


guardrail_entry_t *
guardrail_key_find_locked(guardrail_zone_t *z, guardrail_key_t *key,
    uint64_t now, unsigned share)
{
    uint32_t            i, second;
    guardrail_entry_t  *e;

    second = (uint32_t) (now / 1000);

    if (key->entry != GUARDRAIL_ZONE_NONE) {
        e = guardrail_zone_entry(z, key->entry);

        if (key->overflow || (e->generation == key->generation
                              && e->hash[0] == key->hash[0]
                              && e->hash[1] == key->hash[1]))
        {
            return e;
        }
    }

    key->overflow = 0;

    i = guardrail_key_lookup(z, key->hash);

    if (i == GUARDRAIL_ZONE_NONE) {
        i = guardrail_key_room(z, key->hash, second);

        if (i != GUARDRAIL_ZONE_NONE) {
            guardrail_key_insert(z, key, i, second);

        } else {
            z->head->stats.overflows++;

            if (!share) {
                return NULL;
            }

            i = z->n_entries;
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
    uint32_t  i;

    i = guardrail_key_lookup(z, key->hash);

    return (i == GUARDRAIL_ZONE_NONE) ? NULL : guardrail_zone_entry(z, i);
}


static uint32_t
guardrail_key_lookup(const guardrail_zone_t *z, const uint64_t hash[2])
{
    uint32_t            b[2], k, n, tag, matches;
    guardrail_entry_t  *e;

    guardrail_key_buckets(z, hash, b);
    tag = guardrail_key_tag(hash);

    for (k = 0; k < 2; k++) {

        for (matches = guardrail_key_matches(z->buckets[b[k]], tag);
             matches;
             matches &= matches - 1)
        {
            n = b[k] * GUARDRAIL_ZONE_WAYS
                + (uint32_t) __builtin_ctz(matches);
            e = guardrail_zone_entry(z, n);

            if (e->hash[0] == hash[0] && e->hash[1] == hash[1]) {
                return n;
            }
        }
    }

    return GUARDRAIL_ZONE_NONE;
}


/*
 * Free room in the emptier bucket, or that of the key that was not used for
 * the longest time, of those that may go.
 */

static uint32_t
guardrail_key_room(const guardrail_zone_t *z, const uint64_t hash[2],
    uint32_t second)
{
    uint32_t            b[2], free[2], first[2], i, k, n, best, oldest;
    guardrail_entry_t  *e;

    guardrail_key_buckets(z, hash, b);

    for (k = 0; k < 2; k++) {
        free[k] = 0;
        first[k] = 0;

        for (i = GUARDRAIL_ZONE_WAYS; i; i--) {
            if (z->buckets[b[k]][i - 1] == 0) {
                free[k]++;
                first[k] = i - 1;
            }
        }
    }

    k = (free[1] > free[0]);

    if (free[k]) {
        return b[k] * GUARDRAIL_ZONE_WAYS + first[k];
    }

    /* none of these lines waits for another */

    for (k = 0; k < 2; k++) {
        for (i = 0; i < GUARDRAIL_ZONE_WAYS; i++) {
            __builtin_prefetch(guardrail_zone_entry(z,
                                          b[k] * GUARDRAIL_ZONE_WAYS + i));
        }
    }

    best = GUARDRAIL_ZONE_NONE;
    oldest = 0;

    for (k = 0; k < 2; k++) {
        for (i = 0; i < GUARDRAIL_ZONE_WAYS; i++) {
            n = b[k] * GUARDRAIL_ZONE_WAYS + i;
            e = guardrail_zone_entry(z, n);

            if (e->level || e->keep_until > second) {
                continue;
            }

            if (best == GUARDRAIL_ZONE_NONE || e->last_use < oldest) {
                best = n;
                oldest = e->last_use;
            }
        }
    }

    return best;
}


static void
guardrail_key_insert(guardrail_zone_t *z, guardrail_key_t *key, uint32_t i,
    uint32_t second)
{
    uint32_t           *tag, generation;
    guardrail_entry_t  *e;

    tag = &z->buckets[i / GUARDRAIL_ZONE_WAYS][i % GUARDRAIL_ZONE_WAYS];
    e = guardrail_zone_entry(z, i);

    guardrail_zone_touch(z, tag, sizeof(uint32_t));
    guardrail_zone_touch(z, e, z->entry_size);

    if (*tag == 0) {
        guardrail_zone_touch(z, &z->head->entries, sizeof(uint32_t));
        z->head->entries++;

    } else {
        z->head->stats.evictions++;
    }

    generation = e->generation + 1;

    memset(e, 0, z->entry_size);

    *tag = guardrail_key_tag(key->hash);

    e->hash[0] = key->hash[0];
    e->hash[1] = key->hash[1];
    e->generation = generation;
    e->last_use = second;
}
