
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_rate_private.h"


typedef struct {
    uint64_t  previous;
    uint64_t  current;
} guardrail_counters_t;


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
