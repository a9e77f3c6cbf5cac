
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The slots of processes, and a proof for tests that all gauges are right.
 */


#include "quota/guardrail_level_private.h"


typedef struct {
    uint64_t  used;
    uint64_t  leases;
    uint64_t  holds;
    uint64_t  waiting;
    uint64_t  granted;
} guardrail_level_sums_t;


static unsigned guardrail_level_check_units(const guardrail_zone_t *z,
    uint32_t level);
static void guardrail_level_sum(const guardrail_zone_t *z, uint32_t level,
    uint32_t unit, guardrail_level_sums_t *s, uint32_t *records);
static unsigned guardrail_level_check_queue(const guardrail_zone_t *z,
    uint32_t level, uint32_t unit);


uint32_t
guardrail_slot_register_locked(guardrail_zone_t *z, uint32_t pid,
    uint64_t start, uint32_t epoch)
{
    uint32_t           i, free;
    guardrail_slot_t  *s;

    free = GUARDRAIL_ZONE_NONE;

    for (i = 0; i < z->n_slots; i++) {
        s = &z->slots[i];

        if (s->pid == pid && s->start == start) {
            return i;
        }

        if (s->pid == 0 && free == GUARDRAIL_ZONE_NONE) {
            free = i;
        }
    }

    if (free == GUARDRAIL_ZONE_NONE) {
        return GUARDRAIL_ZONE_NONE;
    }

    s = &z->slots[free];

    guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));

    s->pid = pid;
    s->start = start;
    s->generation++;
    s->epoch = epoch;
    s->leases = 0;
    s->waiters = 0;

    guardrail_zone_commit(z);

    return free;
}


unsigned
guardrail_slot_free_locked(guardrail_zone_t *z, uint32_t slot,
    uint32_t generation, unsigned n, unsigned dead, uint64_t now)
{
    guardrail_slot_t  *s;

    s = &z->slots[slot];

    if (s->pid == 0 || s->generation != generation) {
        return 0;
    }

    while (s->waiters && n) {
        guardrail_level_leave_locked(z, s->waiters - 1, now);
        n--;
    }

    while (s->leases && n) {
        guardrail_level_release_locked(z, s->leases - 1, now);
        n--;

        if (dead) {
            z->head->stats.reclaimed++;
        }
    }

    if (s->waiters || s->leases) {
        return 1;
    }

    guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));
    s->pid = 0;
    guardrail_zone_commit(z);

    return 0;
}


unsigned
guardrail_level_check_locked(const guardrail_zone_t *z)
{
    uint32_t                      i, unit, holds, records, waiting;
    uint32_t                      leases[GUARDRAIL_LEVEL_UNITS];
    uint64_t                      memory;
    guardrail_level_sums_t        sums;
    const guardrail_entry_t      *e;
    const guardrail_zone_head_t  *head;

    head = z->head;

    if (head->undo_count) {
        return 0;
    }

    memory = 0;
    holds = 0;
    waiting = 0;
    memset(leases, 0, sizeof(leases));

    for (i = 0; i < z->n_leases; i++) {

        if (z->leases[i].level == 0) {
            continue;
        }

        if (z->leases[i].end) {
            holds += z->leases[i].slot;

        } else {
            leases[z->leases[i].unit]++;
        }

        if (z->leases[i].unit == GUARDRAIL_LEVEL_MEMORY) {
            memory += z->leases[i].amount;
        }
    }

    for (i = 0; i < z->n_waiters; i++) {

        if (z->waiters[i].state == GUARDRAIL_WAITER_WAITS
            || z->waiters[i].state == GUARDRAIL_WAITER_PASSED)
        {
            waiting++;

        } else if (z->waiters[i].state == GUARDRAIL_WAITER_GRANTED
                   && z->waiters[i].unit == GUARDRAIL_LEVEL_MEMORY)
        {
            memory += z->waiters[i].amount;
        }
    }

    if (memory != head->memory || holds != head->holds
        || waiting != head->waiting
        || memcmp(leases, head->leases, sizeof(leases)) != 0)
    {
        return 0;
    }

    records = 0;

    for (i = 0; i <= z->n_entries; i++) {
        e = guardrail_zone_entry(z, i);

        if (e->level == 0) {
            continue;
        }

        if (z->levels[e->level - 1].entry != i
            || !guardrail_level_check_units(z, e->level))
        {
            return 0;
        }

        records += z->levels[e->level - 1].records;
    }

    /* none belongs to a level that no entry has */

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {
        for (unit = 1; unit <= z->n_levels; unit++) {
            guardrail_level_sum(z, unit, i, &sums, &records);
        }
    }

    return records == 0;
}


static unsigned
guardrail_level_check_units(const guardrail_zone_t *z, uint32_t level)
{
    uint32_t                  unit, records;
    guardrail_level_sums_t    s;
    const guardrail_level_t  *l;

    l = &z->levels[level - 1];
    records = l->records;

    if (records == 0) {
        return 0;
    }

    for (unit = 0; unit < GUARDRAIL_LEVEL_UNITS; unit++) {
        guardrail_level_sum(z, level, unit, &s, &records);

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

    return records == 0;
}


/* all that points to a level; records is lessened by them */

static void
guardrail_level_sum(const guardrail_zone_t *z, uint32_t level, uint32_t unit,
    guardrail_level_sums_t *s, uint32_t *records)
{
    uint32_t                   i;
    const guardrail_lease_t   *n;
    const guardrail_waiter_t  *w;

    memset(s, 0, sizeof(guardrail_level_sums_t));

    for (i = 0; i < z->head->used_leases; i++) {
        n = &z->leases[i];

        if (n->level == level && n->unit == unit) {
            s->used += n->amount;
            (*records)--;
        }
    }

    for (i = 0; i < z->head->used_waiters; i++) {
        w = &z->waiters[i];

        if (w->state == GUARDRAIL_WAITER_FREE || w->level != level
            || w->unit != unit)
        {
            continue;
        }

        (*records)--;

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
