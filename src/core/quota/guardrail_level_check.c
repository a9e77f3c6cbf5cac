
/*
 * Copyright (C) nginx-guardrail authors
 *
 * A proof for tests that all gauges of a zone are the sums of what they count,
 * and that each record is in the lists that it belongs to, and in no other.
 */


#include "quota/guardrail_level_private.h"
#include "quota/guardrail_rate.h"


typedef struct {
    uint64_t  used;
    uint32_t  waiting;
    uint32_t  records;
} guardrail_level_sums_t;


/* records by kind */

typedef struct {
    uint32_t  leases;
    uint32_t  holds;
    uint32_t  waiters;
    uint32_t  granted;
    uint32_t  levels;
} guardrail_level_counts_t;


static unsigned guardrail_level_check_gauges(const guardrail_zone_t *z,
    guardrail_level_counts_t *n);
static unsigned guardrail_level_check_entries(const guardrail_zone_t *z,
    guardrail_level_counts_t *n);
static unsigned guardrail_level_check_key(const guardrail_zone_t *z,
    const guardrail_entry_t *e);
static unsigned guardrail_level_check_units(const guardrail_zone_t *z,
    uint32_t level);
static void guardrail_level_sum(const guardrail_zone_t *z, uint32_t level,
    uint32_t unit, guardrail_level_sums_t *s);
static unsigned guardrail_level_check_queue(const guardrail_zone_t *z,
    uint32_t level, uint32_t unit);
static unsigned guardrail_level_check_slots(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n);
static unsigned guardrail_level_check_holds(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n);
static unsigned guardrail_level_check_granted(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n);
static unsigned guardrail_level_check_free(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n);


unsigned
guardrail_level_check_locked(const guardrail_zone_t *z)
{
    guardrail_level_counts_t  n;

    memset(&n, 0, sizeof(guardrail_level_counts_t));

    return z->head->undo_count == 0
           && guardrail_level_check_gauges(z, &n)
           && guardrail_level_check_entries(z, &n)
           && guardrail_level_check_slots(z, &n)
           && guardrail_level_check_holds(z, &n)
           && guardrail_level_check_granted(z, &n)
           && guardrail_level_check_free(z, &n);
}


static unsigned
guardrail_level_check_gauges(const guardrail_zone_t *z,
    guardrail_level_counts_t *n)
{
    uint32_t                   i, holds;
    uint32_t                   leases[GUARDRAIL_LEVEL_UNITS];
    uint64_t                   memory;
    const guardrail_lease_t   *lease;
    const guardrail_waiter_t  *w;

    memory = 0;
    holds = 0;
    memset(leases, 0, sizeof(leases));

    for (i = 0; i < z->n_leases; i++) {
        lease = &z->leases[i];

        if (lease->level == 0) {
            continue;
        }

        if (lease->unit >= GUARDRAIL_LEVEL_UNITS
            || lease->level > z->n_levels)
        {
            return 0;
        }

        if (lease->end) {
            n->holds++;
            holds += lease->slot;

        } else {
            n->leases++;
            leases[lease->unit]++;
        }

        if (lease->unit == GUARDRAIL_LEVEL_MEMORY) {
            memory += lease->amount;
        }
    }

    for (i = 0; i < z->n_waiters; i++) {
        w = &z->waiters[i];

        if (w->state == GUARDRAIL_WAITER_FREE) {
            continue;
        }

        n->waiters++;

        if (w->state == GUARDRAIL_WAITER_GRANTED) {
            n->granted++;
            memory += (w->unit == GUARDRAIL_LEVEL_MEMORY) ? w->amount : 0;
        }
    }

    return memory == z->head->memory && holds == z->head->holds
           && n->waiters - n->granted == z->head->waiting
           && memcmp(leases, z->head->leases, sizeof(leases)) == 0;
}


static unsigned
guardrail_level_check_entries(const guardrail_zone_t *z,
    guardrail_level_counts_t *n)
{
    uint32_t                  i, k, keys, records;
    const guardrail_entry_t  *e;

    keys = 0;
    records = 0;

    for (k = 0; k <= z->n_entries; k++) {
        i = guardrail_zone_nth(z, k);
        e = guardrail_zone_entry(z, i);

        if (k < z->n_entries && *guardrail_zone_tag(z, i)) {
            keys++;

            if (!guardrail_level_check_key(z, e)) {
                return 0;
            }

        } else if (e->generation) {
            return 0;
        }

        if (e->level == 0) {
            continue;
        }

        if (e->level > z->n_levels || z->levels[e->level - 1].entry != i
            || !guardrail_level_check_units(z, e->level))
        {
            return 0;
        }

        n->levels++;
        records += z->levels[e->level - 1].records;
    }

    /* none belongs to a level that no entry has */

    return records == n->leases + n->holds + n->waiters
           && keys == z->head->entries;
}


/* is it found where it stands? */

static unsigned
guardrail_level_check_key(const guardrail_zone_t *z,
    const guardrail_entry_t *e)
{
    guardrail_key_t  key;

    key.hash[0] = e->hash[0];
    key.hash[1] = e->hash[1];

    return guardrail_key_peek_locked(z, &key) == e;
}


static unsigned
guardrail_level_check_units(const guardrail_zone_t *z, uint32_t level)
{
    uint32_t                  unit, records;
    guardrail_level_sums_t    s;
    const guardrail_level_t  *l;

    l = &z->levels[level - 1];
    records = 0;

    for (unit = 0; unit < GUARDRAIL_LEVEL_UNITS; unit++) {
        guardrail_level_sum(z, level, unit, &s);

        records += s.records;

        if (s.used != l->used[unit]) {
            return 0;
        }

        if (unit != GUARDRAIL_LEVEL_UPLOADS
            && (s.waiting != l->waiting[unit - 1]
                || !guardrail_level_check_queue(z, level, unit)))
        {
            return 0;
        }
    }

    return records && records == l->records;
}


/* all that points to a level */

static void
guardrail_level_sum(const guardrail_zone_t *z, uint32_t level, uint32_t unit,
    guardrail_level_sums_t *s)
{
    uint32_t                   i;
    const guardrail_lease_t   *n;
    const guardrail_waiter_t  *w;

    memset(s, 0, sizeof(guardrail_level_sums_t));

    for (i = 0; i < z->head->used_leases; i++) {
        n = &z->leases[i];

        if (n->level == level && n->unit == unit) {
            s->used += n->amount;
            s->records++;
        }
    }

    for (i = 0; i < z->head->used_waiters; i++) {
        w = &z->waiters[i];

        if (w->state == GUARDRAIL_WAITER_FREE || w->level != level
            || w->unit != unit)
        {
            continue;
        }

        s->records++;

        if (w->state == GUARDRAIL_WAITER_GRANTED) {
            s->used += w->amount;

        } else {
            s->waiting++;
        }
    }
}


/* forwards and backwards the same, in the order of arrival */

static unsigned
guardrail_level_check_queue(const guardrail_zone_t *z, uint32_t level,
    uint32_t unit)
{
    uint32_t                   i, n, prev;
    uint64_t                   ticket;
    const guardrail_level_t   *l;
    const guardrail_waiter_t  *w;

    l = &z->levels[level - 1];
    prev = 0;
    ticket = 0;
    n = 0;

    for (i = l->queue[unit - 1].head; i; i = w->queue.head) {
        w = &z->waiters[i - 1];

        if (w->queue.tail != prev || w->ticket <= ticket
            || w->level != level || w->unit != unit
            || ++n > l->waiting[unit - 1])
        {
            return 0;
        }

        prev = i;
        ticket = w->ticket;
    }

    return l->queue[unit - 1].tail == prev && n == l->waiting[unit - 1];
}


static unsigned
guardrail_level_check_slots(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n)
{
    uint32_t                   i, k, prev, leases, waiters;
    const guardrail_slot_t    *s;
    const guardrail_lease_t   *lease;
    const guardrail_waiter_t  *w;

    leases = 0;
    waiters = 0;

    for (i = 0; i < z->n_slots; i++) {
        s = &z->slots[i];

        if (s->pid == 0 && (s->leases || s->waiters)) {
            return 0;
        }

        for (prev = 0, k = s->leases; k; prev = k, k = lease->next) {
            lease = &z->leases[k - 1];

            if (lease->level == 0 || lease->end || lease->slot != i + 1
                || lease->prev != prev || ++leases > n->leases)
            {
                return 0;
            }
        }

        for (prev = 0, k = s->waiters; k; prev = k, k = w->mine.head) {
            w = &z->waiters[k - 1];

            if (w->state == GUARDRAIL_WAITER_FREE || w->slot != i + 1
                || w->mine.tail != prev || ++waiters > n->waiters)
            {
                return 0;
            }
        }
    }

    return leases == n->leases && waiters == n->waiters;
}


/* each on its spoke of the wheel, and in the list of its level */

static unsigned
guardrail_level_check_holds(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n)
{
    uint32_t                  i, k, unit, end, wheel, lists;
    const guardrail_level_t  *l;
    const guardrail_lease_t  *hold;

    wheel = 0;
    lists = 0;

    for (i = 0; i < GUARDRAIL_ZONE_WHEEL; i++) {

        for (k = z->head->wheel[i]; k; k = hold->next) {
            hold = &z->leases[k - 1];

            if (hold->level == 0 || hold->end % GUARDRAIL_ZONE_WHEEL != i
                || hold->end <= z->head->expired || ++wheel > n->holds)
            {
                return 0;
            }
        }
    }

    for (i = 0; i <= z->n_entries; i++) {
        k = guardrail_zone_entry(z, guardrail_zone_nth(z, i))->level;

        if (k == 0) {
            continue;
        }

        l = &z->levels[k - 1];

        for (unit = 1; unit < GUARDRAIL_LEVEL_UNITS; unit++) {
            end = UINT32_MAX;

            for (k = l->holds[unit - 1]; k; k = hold->prev) {
                hold = &z->leases[k - 1];

                if (hold->level != guardrail_level_index(z, l)
                    || hold->unit != unit || hold->end >= end
                    || ++lists > n->holds)
                {
                    return 0;
                }

                end = hold->end;
            }
        }
    }

    return wheel == n->holds && lists == n->holds;
}


static unsigned
guardrail_level_check_granted(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n)
{
    uint32_t                   i, prev, granted;
    const guardrail_waiter_t  *w;

    granted = 0;
    prev = 0;

    for (i = z->head->granted.head; i; prev = i, i = w->queue.head) {
        w = &z->waiters[i - 1];

        if (w->state != GUARDRAIL_WAITER_GRANTED || w->queue.tail != prev
            || ++granted > n->granted)
        {
            return 0;
        }
    }

    return z->head->granted.tail == prev && granted == n->granted;
}


/* what was ever used is in use or free, and nothing is both */

static unsigned
guardrail_level_check_free(const guardrail_zone_t *z,
    const guardrail_level_counts_t *n)
{
    uint32_t                      i, free;
    const guardrail_zone_head_t  *head;

    head = z->head;

    if (head->used_levels > z->n_levels || head->used_leases > z->n_leases
        || head->used_waiters > z->n_waiters)
    {
        return 0;
    }

    for (free = 0, i = head->free_levels; i; i = z->levels[i - 1].entry) {
        if (z->levels[i - 1].records || free++ > head->used_levels) {
            return 0;
        }
    }

    if (free + n->levels != head->used_levels) {
        return 0;
    }

    for (free = 0, i = head->free_leases; i; i = z->leases[i - 1].next) {
        if (z->leases[i - 1].level || free++ > head->used_leases) {
            return 0;
        }
    }

    if (free + n->leases + n->holds != head->used_leases) {
        return 0;
    }

    for (free = 0, i = head->free_waiters; i;
         i = z->waiters[i - 1].mine.head)
    {
        if (z->waiters[i - 1].state || free++ > head->used_waiters) {
            return 0;
        }
    }

    return free + n->waiters == head->used_waiters;
}
