
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_heavy.h"
#include "quota/guardrail_rate_private.h"


static void guardrail_heavy_put(guardrail_zone_t *z, uint64_t *value,
    uint64_t n);
static void guardrail_heavy_mark(guardrail_zone_t *z, uint32_t i,
    uint32_t pair);
static void guardrail_heavy_age(guardrail_zone_t *z, uint64_t now);
static void guardrail_heavy_floor(guardrail_zone_t *z);
static uint64_t guardrail_heavy_weigh(const guardrail_zone_t *z, uint32_t i,
    uint64_t now);
static uint64_t guardrail_heavy_weight(uint64_t used, uint64_t limit);
static guardrail_entry_t *guardrail_heavy_entry(const guardrail_zone_t *z,
    uint32_t i);
static unsigned guardrail_heavy_counts(const guardrail_zone_t *z,
    uint32_t i, uint32_t pair);
static uint32_t guardrail_heavy_find(const guardrail_zone_t *z,
    uint32_t entry);
static uint32_t guardrail_heavy_room(guardrail_zone_t *z, uint64_t weight,
    uint64_t now);
static void guardrail_heavy_insert(guardrail_zone_t *z, uint32_t i,
    const guardrail_key_t *key, const uint8_t *name, size_t len);


_Static_assert(sizeof(guardrail_heavy_t) == GUARDRAIL_ZONE_LINE, "heavy");
_Static_assert(sizeof(guardrail_heavy_row_t) % GUARDRAIL_ZONE_LINE == 0,
               "row");
_Static_assert(GUARDRAIL_HEAVY_ROWS % 16 == 0, "weights, entries");
_Static_assert(GUARDRAIL_HEAVY_ROWS % GUARDRAIL_HEAVY_STEP == 0, "steps");


void
guardrail_heavy_note_locked(guardrail_zone_t *z, const guardrail_key_t *key,
    const uint8_t *name, size_t len, const guardrail_limit_t *limit,
    uint32_t unit, uint64_t now)
{
    uint32_t             i, pair;
    uint64_t             used;
    guardrail_window_t   w;
    guardrail_entry_t   *e;

    if (guardrail_heavy_due(z, now)) {
        guardrail_heavy_age(z, now);
    }

    if (key->overflow || limit->value == GUARDRAIL_NO_LIMIT) {
        return;
    }

    e = guardrail_zone_entry(z, key->entry);
    pair = GUARDRAIL_ZONE_NONE;

    if (unit != GUARDRAIL_ZONE_NONE) {
        used = e->level ? z->levels[e->level - 1].used[unit] : 0;

    } else {
        pair = guardrail_pair_lookup(z, limit);

        if (pair == GUARDRAIL_ZONE_NONE) {
            return;
        }

        guardrail_rate_load(z, e, pair, &w);
        guardrail_window_roll(&w, limit->period, now);

        used = guardrail_add_sat(w.previous, w.current);
    }

    i = guardrail_heavy_find(z, key->entry);

    if (i == z->n_heavy) {
        i = guardrail_heavy_room(z, guardrail_heavy_weight(used, limit->value),
                                 now);

        if (i == z->n_heavy) {
            guardrail_heavy_floor(z);
            return;
        }

        guardrail_heavy_insert(z, i, key, name, len);

    } else if (z->heavy_rows[i].generation != e->generation) {
        guardrail_heavy_insert(z, i, key, name, len);
    }

    if (unit != GUARDRAIL_ZONE_NONE) {
        guardrail_heavy_put(z, &z->heavy_rows[i].levels[unit], limit->value);

    } else {
        guardrail_heavy_put(z, &z->heavy_rows[i].limits[pair], limit->value);
        guardrail_heavy_mark(z, i, pair);
    }

    z->weights[i] = guardrail_heavy_weigh(z, i, now);

    guardrail_heavy_floor(z);
}


static void
guardrail_heavy_put(guardrail_zone_t *z, uint64_t *value, uint64_t n)
{
    if (*value != n) {
        guardrail_zone_touch(z, value, sizeof(uint64_t));
        *value = n;
    }
}


/* whose room it was */

static void
guardrail_heavy_mark(guardrail_zone_t *z, uint32_t i, uint32_t pair)
{
    uint8_t  *serial, now;

    serial = &z->heavy_rows[i].serials[pair];
    now = (uint8_t) z->head->pairs[pair].serial;

    if (*serial != now) {
        guardrail_zone_touch(z, serial, 1);
        *serial = now;
    }
}


/* windows end, leases are given back, keys go: some rows are weighed again */

static void
guardrail_heavy_age(guardrail_zone_t *z, uint64_t now)
{
    uint32_t            i, n;
    guardrail_heavy_t  *h;

    h = z->heavy;

    h->tick = (uint32_t) (now >> GUARDRAIL_HEAVY_SHIFT);

    i = (h->hand < z->n_heavy) ? h->hand : 0;

    for (n = 0; n < GUARDRAIL_HEAVY_STEP && i < z->n_heavy; n++, i++) {
        z->weights[i] = guardrail_heavy_weigh(z, i, now);
    }

    h->hand = i;

    guardrail_heavy_floor(z);
}


static void
guardrail_heavy_floor(guardrail_zone_t *z)
{
    uint32_t  i;
    uint64_t  least;

    least = z->weights[0];

    for (i = 1; i < z->n_heavy; i++) {
        least = (z->weights[i] < least) ? z->weights[i] : least;
    }

    z->heavy->floor = least;
}


/* 2^32 is a whole LIMIT; 0: the row is free */

static uint64_t
guardrail_heavy_weigh(const guardrail_zone_t *z, uint32_t i, uint64_t now)
{
    uint32_t                      k;
    uint64_t                      weight, most;
    guardrail_entry_t            *e;
    guardrail_window_t            w;
    const guardrail_level_t      *l;
    const guardrail_heavy_row_t  *row;

    e = guardrail_heavy_entry(z, i);

    if (e == NULL) {
        return 0;
    }

    row = &z->heavy_rows[i];
    most = 0;

    for (k = 0; k < z->rates; k++) {

        if (!guardrail_heavy_counts(z, i, k)) {
            continue;
        }

        guardrail_rate_load(z, e, k, &w);
        guardrail_window_roll(&w, z->head->pairs[k].period, now);

        weight = guardrail_heavy_weight(guardrail_add_sat(w.previous,
                                                          w.current),
                                        row->limits[k]);
        most = (weight > most) ? weight : most;
    }

    if (e->level == 0) {
        return most;
    }

    l = &z->levels[e->level - 1];

    for (k = 0; k < GUARDRAIL_LEVEL_UNITS; k++) {

        if (row->levels[k]) {
            weight = guardrail_heavy_weight(l->used[k], row->levels[k]);
            most = (weight > most) ? weight : most;
        }
    }

    return most;
}


static uint64_t
guardrail_heavy_weight(uint64_t used, uint64_t limit)
{
    guardrail_heavy_u128_t  weight;

    weight = ((guardrail_heavy_u128_t) used << 32) / (limit ? limit : 1);

    return (weight < INT64_MAX) ? (uint64_t) weight : INT64_MAX;
}


/* of a row, or NULL if it is free, or its key has gone */

static guardrail_entry_t *
guardrail_heavy_entry(const guardrail_zone_t *z, uint32_t i)
{
    guardrail_entry_t  *e;

    if (z->heavy_entries[i] == 0) {
        return NULL;
    }

    e = guardrail_zone_entry(z, z->heavy_entries[i] - 1);

    return (e->generation == z->heavy_rows[i].generation) ? e : NULL;
}


/* was the key of row i charged for what the zone counts as this pair? */

static unsigned
guardrail_heavy_counts(const guardrail_zone_t *z, uint32_t i, uint32_t pair)
{
    const guardrail_pair_t       *p;
    const guardrail_heavy_row_t  *row;

    p = &z->head->pairs[pair];
    row = &z->heavy_rows[i];

    return p->unit && row->limits[pair]
           && row->serials[pair] == (uint8_t) p->serial;
}


static uint32_t
guardrail_heavy_find(const guardrail_zone_t *z, uint32_t entry)
{
    uint32_t  i;

    for (i = 0; i < z->n_heavy && z->heavy_entries[i] != entry + 1; i++) {
        /* void */
    }

    return i;
}


/* the lightest row, if it is lighter than weight; else z->n_heavy */

static uint32_t
guardrail_heavy_room(guardrail_zone_t *z, uint64_t weight, uint64_t now)
{
    uint32_t  i, k, n;
    uint64_t  before;

    for (n = 0; n < GUARDRAIL_HEAVY_TRIES; n++) {

        for (k = 0, i = 1; i < z->n_heavy; i++) {
            k = (z->weights[i] < z->weights[k]) ? i : k;
        }

        /* it may have been charged a little since, or have ended long ago */

        before = z->weights[k];
        z->weights[k] = guardrail_heavy_weigh(z, k, now);

        if (z->weights[k] <= before) {
            return (z->weights[k] < weight) ? k : z->n_heavy;
        }
    }

    return z->n_heavy;
}


static void
guardrail_heavy_insert(guardrail_zone_t *z, uint32_t i,
    const guardrail_key_t *key, const uint8_t *name, size_t len)
{
    guardrail_heavy_row_t  *row;

    row = &z->heavy_rows[i];

    guardrail_zone_touch(z, row, sizeof(guardrail_heavy_row_t));
    guardrail_zone_touch(z, &z->heavy_entries[i], sizeof(uint32_t));

    memset(row, 0, sizeof(guardrail_heavy_row_t));

    if (len && len <= GUARDRAIL_HEAVY_NAME) {
        memcpy(row->name, name, len);
        row->len = (uint8_t) len;
    }

    row->generation = guardrail_zone_entry(z, key->entry)->generation;
    z->heavy_entries[i] = key->entry + 1;
}


uint32_t
guardrail_heavy_copy_locked(const guardrail_zone_t *z, uint32_t *from,
    uint32_t n, guardrail_heavy_copy_t *copy)
{
    uint32_t                      i, k, last;
    guardrail_entry_t            *e;
    const guardrail_level_t      *l;
    guardrail_heavy_copy_t       *c;
    const guardrail_heavy_row_t  *row;

    c = copy;
    last = (z->n_heavy - *from < n) ? z->n_heavy : *from + n;

    for (i = *from; i < last; i++) {
        e = guardrail_heavy_entry(z, i);

        if (e == NULL) {
            continue;
        }

        row = &z->heavy_rows[i];

        memset(c, 0, sizeof(guardrail_heavy_copy_t));

        memcpy(c->hash, e->hash, sizeof(c->hash));
        memcpy(c->name, row->name, row->len);
        memcpy(c->levels, row->levels, sizeof(c->levels));

        c->len = row->len;
        c->last_use = e->last_use;

        for (k = 0; k < z->rates; k++) {

            if (guardrail_heavy_counts(z, i, k)) {
                guardrail_rate_load(z, e, k, &c->windows[k]);
                c->limits[k] = row->limits[k];
            }
        }

        if (e->level) {
            l = &z->levels[e->level - 1];

            memcpy(c->used, l->used, sizeof(c->used));
            c->waiting = l->waiting[0] + l->waiting[1];
        }

        c++;
    }

    *from = last;

    return (uint32_t) (c - copy);
}
