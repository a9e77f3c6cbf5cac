
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What each value does to the memory model, in a few instructions: for the
 * files of the model, and for the scanner of blocks, which tells it values
 * without a call for each.
 */


#ifndef GUARDRAIL_JSON_MEMORY_OBJECT_H
#define GUARDRAIL_JSON_MEMORY_OBJECT_H


#include "json/guardrail_json_memory_private.h"


/* a document begins; what was of the one before is forgotten */

GUARDRAIL_INLINE void
guardrail_json_memory_reset(guardrail_json_memory_t *m)
{
    m->live = 0;
    m->memo = 0;
    m->peak = 0;
    m->keys = 0;
    m->keys_room = 0;
    m->growth = GUARDRAIL_JSON_MEMORY_GROWTH;
    m->unsure = 0;
    m->depth = 0;
    m->length = 0;
    m->string.within = 0;

    memset(&m->text, 0, sizeof(guardrail_json_memory_text_t));
    m->text.peak = 1;

    if (m->epoch == 0 || m->epoch == GUARDRAIL_JSON_MEMORY_EPOCHS) {
        guardrail_json_memory_forget_keys(m);

    } else {
        m->epoch++;
    }
}


GUARDRAIL_INLINE void
guardrail_json_memory_push(guardrail_json_memory_t *m, unsigned object)
{
    uint32_t   depth;
    uint64_t   bit, *kinds;

    depth = m->depth++;
    m->live += object ? GUARDRAIL_PY_DICT : GUARDRAIL_PY_LIST;

    if (depth >= GUARDRAIL_JSON_MEMORY_DEPTH) {
        return;
    }

    bit = (uint64_t) 1 << depth % 64;
    kinds = &m->kinds[depth / 64];

    *kinds = (*kinds & ~bit) | ((uint64_t) object << depth % 64);

    m->twice[depth / 64] &= ~bit;

    m->stack[depth].used = 0;
    m->stack[depth].room = 0;
}


/* is the innermost container, one of those that are followed, an object? */

GUARDRAIL_INLINE unsigned
guardrail_json_memory_object(const guardrail_json_memory_t *m)
{
    uint32_t  depth;

    depth = m->depth - 1;

    return m->depth && (m->kinds[depth / 64] >> depth % 64 & 1);
}


/* a table of the smallest size: one that was kept, or a new one */

GUARDRAIL_INLINE void
guardrail_json_memory_smallest(guardrail_json_memory_t *m)
{
    if (m->spare) {
        m->spare--;

        /* as if the new one had been made */

        guardrail_json_memory_peak(m, 0);
        return;
    }

    guardrail_json_memory_peak(m, GUARDRAIL_PY_TABLE);
    m->live += GUARDRAIL_PY_TABLE;
}


/* the first member of a container: what most of them get no further than */

GUARDRAIL_INLINE void
guardrail_json_memory_first(guardrail_json_memory_t *m, uint32_t depth)
{
    if (m->kinds[depth / 64] >> depth % 64 & 1) {
        guardrail_json_memory_smallest(m);
        m->stack[depth].room = GUARDRAIL_PY_SMALLEST;

    } else {
        m->live += GUARDRAIL_PY_PLACES * 8;
        m->stack[depth].room = GUARDRAIL_PY_PLACES;
    }
}


/* the innermost container gets one more */

GUARDRAIL_INLINE void
guardrail_json_memory_put(guardrail_json_memory_t *m)
{
    uint32_t                            depth;
    guardrail_json_memory_container_t  *c;

    depth = m->depth - 1;

    if (depth >= GUARDRAIL_JSON_MEMORY_DEPTH) {
        return;
    }

    c = &m->stack[depth];

    if (c->room == 0) {

        if (c->used == 0) {
            guardrail_json_memory_first(m, depth);

        } else {
            guardrail_json_memory_grow(m, depth);
        }
    }

    c->room--;
    c->used += (c->used < UINT32_MAX);

    if (m->twice[depth / 64] >> depth % 64 & 1) {
        guardrail_json_memory_old_table(m, c->used);
    }
}


/* a number of that length, for which such an object was made */

GUARDRAIL_INLINE void
guardrail_json_memory_scalar(guardrail_json_memory_t *m, uint64_t bytes,
    uint64_t length)
{
    m->live += bytes;

    /* it is read from a copy */

    guardrail_json_memory_peak(m, GUARDRAIL_PY_BYTES + length);
    guardrail_json_memory_put(m);
}


/*
 * Was there no such key in this document?  There is now.  Keys of this
 * document are the first ones of a bucket, since nothing is taken out of it.
 */

GUARDRAIL_INLINE unsigned
guardrail_json_memory_add_key(guardrail_json_memory_t *m, uint64_t hash)
{
    uint64_t  tag, *bucket;
    unsigned  i;

    tag = (hash & ~(uint64_t) 0xff) | m->epoch;
    bucket = m->set[hash >> 8 & (GUARDRAIL_JSON_MEMORY_BUCKETS - 1)];

    for (i = 0; i < GUARDRAIL_JSON_MEMORY_WAYS; i++) {

        if (bucket[i] == tag) {
            return 0;
        }

        if ((bucket[i] & 0xff) != m->epoch) {
            bucket[i] = tag;
            return 1;
        }
    }

    m->unsure = 1;

    return 1;
}


/*
 * The parser asks its memo for an equal key, and keeps that one.  Keys that
 * are equal but not known to be, for an escape or a full bucket, make the
 * memo smaller than it is here, as keys that come twice make a dict.
 */

GUARDRAIL_INLINE void
guardrail_json_memory_key(guardrail_json_memory_t *m, uint64_t hash,
    uint64_t bytes)
{
    uint32_t  depth;

    if (!guardrail_json_memory_add_key(m, hash)) {
        depth = m->depth - 1;

        if (depth < GUARDRAIL_JSON_MEMORY_DEPTH) {
            m->twice[depth / 64] |= (uint64_t) 1 << depth % 64;
        }

        guardrail_json_memory_peak(m, bytes);
        return;
    }

    m->live += bytes;

    if (m->keys == m->keys_room) {

        if (m->keys == 0) {
            guardrail_json_memory_smallest(m);
            m->keys_room = GUARDRAIL_PY_SMALLEST;

        } else {
            guardrail_json_memory_memo(m);
        }
    }

    m->keys++;

    if (m->unsure) {
        guardrail_json_memory_old_table(m, m->keys);
    }
}


/* the hash of a key of 1 to 15 bytes */

GUARDRAIL_INLINE uint64_t
guardrail_json_memory_hash_of(guardrail_json_memory_t *m, uint64_t first,
    uint64_t second)
{
    uint64_t                       mix;
    guardrail_json_memory_hash_t  *h;

    mix = (first ^ (second << 29 | second >> 35)) * 0x9e3779b97f4a7c15;
    h = &m->hashes[mix >> 32 & (GUARDRAIL_JSON_MEMORY_HASHES - 1)];

    if (h->first != first || h->second != second) {
        h->first = first;
        h->second = second;
        h->hash = guardrail_json_memory_hash_short(first, second);
    }

    return h->hash;
}


#endif /* GUARDRAIL_JSON_MEMORY_OBJECT_H */
