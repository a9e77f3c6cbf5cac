
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_rate_private.h"

/* GUARDRAIL_ZONE_SCALAR is for tests of what other machines do */

#if defined(__SSE2__) && !defined(GUARDRAIL_ZONE_SCALAR)
#define GUARDRAIL_RATE_SSE2  1
#include <emmintrin.h>
#endif


typedef struct {
    uint64_t  previous;
    uint64_t  current;
} guardrail_counters_t;


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
static inline unsigned guardrail_pair_free(const guardrail_zone_t *z,
    const guardrail_pair_t *p, uint32_t second);
static void guardrail_rate_note(guardrail_rate_t *r, guardrail_entry_t *e,
    uint64_t amount);


static inline uint32_t *
guardrail_entry_number(guardrail_entry_t *e, uint32_t pair)
{
    return (uint32_t *) (void *) (e + 1) + pair;
}


static inline guardrail_counters_t *
guardrail_entry_counters(const guardrail_zone_t *z, guardrail_entry_t *e,
    uint32_t pair)
{
    uint8_t  *p;

    p = (uint8_t *) e + z->windows;

    return (guardrail_counters_t *) (void *) p + pair;
}


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


uint32_t
guardrail_pair_lookup(const guardrail_zone_t *z,
    const guardrail_limit_t *limit)
{
    uint32_t                 i;
    const guardrail_pair_t  *p;

    for (i = 0; i < z->rates; i++) {
        p = &z->head->pairs[i];

        if (p->unit == (uint32_t) limit->unit + 1
            && p->period == limit->period)
        {
            return i;
        }
    }

    return GUARDRAIL_ZONE_NONE;
}


static inline unsigned
guardrail_pair_free(const guardrail_zone_t *z, const guardrail_pair_t *p,
    uint32_t second)
{
    return p->unit == 0
           || (p->epoch < z->head->epoch
               && (uint64_t) p->used + 2 * (uint64_t) p->period <= second);
}


uint32_t
guardrail_pair_find_locked(guardrail_zone_t *z, const guardrail_limit_t *limit,
    uint64_t now, uint32_t epoch)
{
    uint32_t           i, second;
    guardrail_pair_t  *p;

    second = (uint32_t) (now / 1000);

    if (epoch > z->head->epoch) {
        guardrail_zone_touch(z, &z->head->epoch, sizeof(uint32_t));
        z->head->epoch = epoch;
    }

    i = guardrail_pair_lookup(z, limit);

    if (i != GUARDRAIL_ZONE_NONE) {
        p = &z->head->pairs[i];

        if (epoch > p->epoch) {
            guardrail_zone_touch(z, p, sizeof(guardrail_pair_t));
            p->epoch = epoch;
        }

        if (guardrail_pair_free(z, p, second)) {

            /* not the next pair's, before this one is charged */

            guardrail_zone_touch(z, p, sizeof(guardrail_pair_t));
            p->used = second;
        }

        return i;
    }

    for (i = 0; i < z->rates; i++) {
        if (guardrail_pair_free(z, &z->head->pairs[i], second)) {
            break;
        }
    }

    if (i == z->rates) {
        return GUARDRAIL_ZONE_NONE;
    }

    p = &z->head->pairs[i];

    guardrail_zone_touch(z, p, sizeof(guardrail_pair_t));

    p->unit = (uint32_t) limit->unit + 1;
    p->period = limit->period;
    p->top += GUARDRAIL_PAIR_GAP;
    p->delta = (uint32_t) (second / limit->period) - p->top;
    p->used = second;
    p->epoch = epoch;
    p->serial++;

    z->head->stats.refusals[i] = 0;

    return i;
}


void
guardrail_rate_refused_locked(guardrail_zone_t *z,
    const guardrail_limit_t *limit)
{
    uint32_t  i;

    i = guardrail_pair_lookup(z, limit);

    if (i != GUARDRAIL_ZONE_NONE) {
        z->head->stats.refusals[i]++;
    }
}


void
guardrail_rate_load(const guardrail_zone_t *z, guardrail_entry_t *e,
    uint32_t pair, guardrail_window_t *w)
{
    guardrail_counters_t  *c;

    c = guardrail_entry_counters(z, e, pair);

    w->previous = c->previous;
    w->current = c->current;
    w->id = *guardrail_entry_number(e, pair) + z->head->pairs[pair].delta;
}


void
guardrail_rate_store(guardrail_zone_t *z, guardrail_entry_t *e, uint32_t pair,
    const guardrail_window_t *w)
{
    uint32_t              *number;
    guardrail_pair_t      *p;
    guardrail_counters_t  *c;

    p = &z->head->pairs[pair];
    c = guardrail_entry_counters(z, e, pair);
    number = guardrail_entry_number(e, pair);

    guardrail_zone_touch(z, number, sizeof(uint32_t));
    guardrail_zone_touch(z, c, sizeof(guardrail_counters_t));

    c->previous = w->previous;
    c->current = w->current;
    *number = w->id - p->delta;

    if (*number > p->top) {
        guardrail_zone_touch(z, p, sizeof(guardrail_pair_t));
        p->top = *number;
    }
}


guardrail_rate_rc_e
guardrail_rate_admit_locked(guardrail_zone_t *z, guardrail_entry_t *e,
    guardrail_rate_t *r, uint64_t now, uint64_t cost)
{
    uint32_t  pair;

    pair = guardrail_pair_find_locked(z, &r->limit, now, 0);

    if (pair == GUARDRAIL_ZONE_NONE) {
        return GUARDRAIL_RATE_NO_ROOM;
    }

    guardrail_rate_load(z, e, pair, &r->window);

    switch (guardrail_window_admit(&r->window, r->limit.period, now,
                                   r->limit.value, cost))
    {

    case GUARDRAIL_WINDOW_ADMITTED:
        return GUARDRAIL_RATE_ADMITTED;

    case GUARDRAIL_WINDOW_REFUSED:
        return GUARDRAIL_RATE_REFUSED;

    default: /* GUARDRAIL_WINDOW_NEVER */
        return GUARDRAIL_RATE_NEVER;
    }
}


void
guardrail_rate_charge_locked(guardrail_zone_t *z, guardrail_entry_t *e,
    guardrail_rate_t *r, uint64_t now, uint64_t amount)
{
    uint32_t               i, *number, second;
    uint64_t               until;
    unsigned               newer;
    guardrail_pair_t      *p;
    guardrail_counters_t  *c;

    i = guardrail_pair_find_locked(z, &r->limit, now, 0);

    if (i == GUARDRAIL_ZONE_NONE) {
        return;
    }

    p = &z->head->pairs[i];
    c = guardrail_entry_counters(z, e, i);
    number = guardrail_entry_number(e, i);
    second = (uint32_t) (now / 1000);

    guardrail_rate_load(z, e, i, &r->window);
    guardrail_window_charge(&r->window, r->limit.period, now, amount);

    until = guardrail_window_keep_until(&r->window, r->limit.period, now,
                                        guardrail_limit_threshold(&r->limit));

    /* what may go now may go at once: a flood of keys has no second to wait */

    until = (until > now) ? until / 1000 + (until % 1000 != 0) : 0;
    until = (until < UINT32_MAX) ? until : UINT32_MAX;

    guardrail_zone_touch(z, e, sizeof(guardrail_entry_t)
                               + (i + 1) * sizeof(uint32_t));
    guardrail_zone_touch(z, c, sizeof(guardrail_counters_t));

    c->previous = r->window.previous;
    c->current = r->window.current;
    *number = r->window.id - p->delta;

    e->last_use = second;

    if (until > e->keep_until) {
        e->keep_until = (uint32_t) until;
    }

    newer = (*number - p->top - 1 < INT32_MAX);

    if (newer || second > p->used) {
        guardrail_zone_touch(z, p, sizeof(guardrail_pair_t));

        p->top = newer ? *number : p->top;
        p->used = (second > p->used) ? second : p->used;
    }

    guardrail_rate_note(r, e, amount);
}


/* what this request has charged, for a give-back */

static void
guardrail_rate_note(guardrail_rate_t *r, guardrail_entry_t *e,
    uint64_t amount)
{
    if (r->entry != e || r->generation != e->generation) {

        /* what was charged before was forgotten with the entry */

        r->entry = e;
        r->generation = e->generation;
        r->charged[0] = 0;
        r->charged[1] = 0;
    }

    if (r->number[0] != r->window.id) {
        r->number[1] = r->number[0];
        r->charged[1] = r->charged[0];
        r->number[0] = r->window.id;
        r->charged[0] = 0;
    }

    r->charged[0] = guardrail_add_sat(r->charged[0], amount);
}


void
guardrail_rate_give_back_locked(guardrail_zone_t *z,
    const guardrail_key_t *key, guardrail_rate_t *r, uint64_t amount)
{
    uint32_t               i, k;
    uint64_t               part;
    guardrail_entry_t     *e;
    guardrail_window_t     w;
    guardrail_counters_t  *c;

    i = guardrail_pair_lookup(z, &r->limit);

    if (i == GUARDRAIL_ZONE_NONE || key->entry == GUARDRAIL_ZONE_NONE) {
        return;
    }

    e = guardrail_zone_entry(z, key->entry);

    if (r->entry != e || r->generation != e->generation) {
        return;
    }

    c = guardrail_entry_counters(z, e, i);

    guardrail_zone_touch(z, c, sizeof(guardrail_counters_t));
    guardrail_rate_load(z, e, i, &w);

    for (k = 0; k < 2 && amount; k++) {
        part = (r->charged[k] < amount) ? r->charged[k] : amount;

        guardrail_window_give_back(&w, r->number[k], part);

        r->charged[k] -= part;
        amount -= part;
    }

    c->previous = w.previous;
    c->current = w.current;

    r->window = w;
}
