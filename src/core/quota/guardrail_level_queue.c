
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Those who wait for a level: a line for each unit of a key, in the order of
 * first arrival.  Who frees something grants it to the first in line; a grant
 * counts as used, and stands in a list of the zone until it is taken.
 */


#include "quota/guardrail_level_private.h"


static void guardrail_waiter_free(guardrail_zone_t *z, uint32_t i);
static void guardrail_waiter_join(guardrail_zone_t *z, guardrail_level_t *l,
    uint32_t i);
static void guardrail_waiter_quit(guardrail_zone_t *z, guardrail_level_t *l,
    uint32_t i);
static void guardrail_waiter_revoke(guardrail_zone_t *z,
    guardrail_level_t *l, uint32_t i);


guardrail_waiter_t *
guardrail_queue_first(const guardrail_zone_t *z, const guardrail_level_t *l,
    uint32_t unit)
{
    uint32_t             i;
    guardrail_waiter_t  *w;

    if (unit == GUARDRAIL_LEVEL_UPLOADS) {
        return NULL;
    }

    for (i = l->queue[unit - 1].head; i; i = w->queue.head) {
        w = &z->waiters[i - 1];

        if (w->state == GUARDRAIL_WAITER_WAITS) {
            return w;
        }
    }

    return NULL;
}


/* into the line of its level */

static void
guardrail_waiter_join(guardrail_zone_t *z, guardrail_level_t *l, uint32_t i)
{
    guardrail_waiter_t  *w;

    w = &z->waiters[i - 1];

    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));
    guardrail_zone_touch(z, &z->head->waiting, sizeof(uint32_t));

    guardrail_list_insert(z, &l->queue[w->unit - 1], i);

    l->waiting[w->unit - 1]++;
    z->head->waiting++;
}


static void
guardrail_waiter_quit(guardrail_zone_t *z, guardrail_level_t *l, uint32_t i)
{
    guardrail_waiter_t  *w;

    w = &z->waiters[i - 1];

    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));
    guardrail_zone_touch(z, &z->head->waiting, sizeof(uint32_t));

    guardrail_list_remove(z, &l->queue[w->unit - 1], i);

    l->waiting[w->unit - 1]--;
    z->head->waiting--;
}


/* out of the list of its slot, and of what is counted */

static void
guardrail_waiter_free(guardrail_zone_t *z, uint32_t i)
{
    guardrail_slot_t    *s;
    guardrail_waiter_t  *w, *other;

    w = &z->waiters[i - 1];

    guardrail_zone_touch(z, w, sizeof(guardrail_waiter_t));
    guardrail_zone_touch(z, &z->head->free_waiters, sizeof(uint32_t));

    if (w->mine.tail) {
        other = &z->waiters[w->mine.tail - 1];
        guardrail_zone_touch(z, other, sizeof(guardrail_waiter_t));
        other->mine.head = w->mine.head;

    } else {
        s = &z->slots[w->slot - 1];
        guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));
        s->waiters = w->mine.head;
    }

    if (w->mine.head) {
        other = &z->waiters[w->mine.head - 1];
        guardrail_zone_touch(z, other, sizeof(guardrail_waiter_t));
        other->mine.tail = w->mine.tail;
    }

    w->state = GUARDRAIL_WAITER_FREE;
    w->mine.head = z->head->free_waiters;
    z->head->free_waiters = i;
}


uint64_t
guardrail_level_ticket_locked(guardrail_zone_t *z)
{
    uint64_t  ticket;

    guardrail_zone_touch(z, &z->head->ticket, sizeof(uint64_t));

    ticket = ++z->head->ticket;

    guardrail_zone_commit(z);

    return ticket;
}


guardrail_level_rc_e
guardrail_level_wait_locked(guardrail_zone_t *z, guardrail_want_t *want,
    uint64_t max_waiting, uint32_t *waiter)
{
    uint32_t                i;
    guardrail_slot_t       *s;
    guardrail_level_t      *l;
    guardrail_waiter_t     *w, *next;
    guardrail_zone_head_t  *head;

    head = z->head;

    if (want->amount > want->limit) {
        return GUARDRAIL_LEVEL_NEVER;
    }

    if (want->unit == GUARDRAIL_LEVEL_UPLOADS
        || guardrail_level_waiting_locked(z, want) >= max_waiting)
    {
        return GUARDRAIL_LEVEL_FULL;
    }

    if (head->free_waiters) {
        i = head->free_waiters;

    } else if (head->used_waiters < z->n_waiters) {
        i = head->used_waiters + 1;

    } else {
        head->stats.full++;
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    l = guardrail_level_get(z, want->entry);

    if (l == NULL) {
        head->stats.full++;
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    w = &z->waiters[i - 1];
    s = &z->slots[want->slot];

    guardrail_zone_touch(z, &head->free_waiters, sizeof(uint32_t));
    guardrail_zone_touch(z, w, sizeof(guardrail_waiter_t));
    guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));
    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));

    if (head->free_waiters) {
        head->free_waiters = w->mine.head;

    } else {
        head->used_waiters = i;
    }

    if (want->ticket == 0) {
        want->ticket = ++head->ticket;
    }

    w->ticket = want->ticket;
    w->amount = want->amount;
    w->limit = want->limit;
    w->granted = 0;
    w->level = guardrail_level_index(z, l);
    w->slot = want->slot + 1;
    w->unit = want->unit;
    w->state = GUARDRAIL_WAITER_WAITS;

    w->mine.head = s->waiters;
    w->mine.tail = 0;

    if (s->waiters) {
        next = &z->waiters[s->waiters - 1];
        guardrail_zone_touch(z, next, sizeof(guardrail_waiter_t));
        next->mine.tail = i;
    }

    s->waiters = i;
    l->records++;

    guardrail_waiter_join(z, l, i);

    guardrail_zone_commit(z);

    *waiter = i - 1;

    return GUARDRAIL_LEVEL_OK;
}


void
guardrail_queue_grant(guardrail_zone_t *z, uint32_t level, uint32_t unit,
    uint64_t now)
{
    uint32_t             i, n;
    guardrail_level_t   *l;
    guardrail_waiter_t  *w;

    if (unit == GUARDRAIL_LEVEL_UPLOADS) {
        return;
    }

    l = &z->levels[level - 1];

    for (n = 0; n < GUARDRAIL_LEVEL_GRANTS; n++) {

        /* a level without records may be another entry's by now */

        if (l->records == 0) {
            return;
        }

        w = guardrail_queue_first(z, l, unit);

        if (w == NULL || l->used[unit] > w->limit - w->amount) {
            return;
        }

        i = (uint32_t) (w - z->waiters) + 1;

        guardrail_waiter_quit(z, l, i);
        guardrail_list_append(z, &z->head->granted, i);
        guardrail_level_add(z, l, unit, w->amount);

        w->granted = now;
        w->state = GUARDRAIL_WAITER_GRANTED;

        guardrail_zone_commit(z);
    }
}


/* what was granted is free again; the waiter is in no list of the level */

static void
guardrail_waiter_revoke(guardrail_zone_t *z, guardrail_level_t *l, uint32_t i)
{
    guardrail_waiter_t  *w;

    w = &z->waiters[i - 1];

    guardrail_list_remove(z, &z->head->granted, i);
    guardrail_level_subtract(z, l, w->unit, w->amount);
}


void
guardrail_queue_expire(guardrail_zone_t *z, uint64_t now)
{
    uint32_t             i, n;
    guardrail_level_t   *l;
    guardrail_waiter_t  *w;

    for (n = 0; n < GUARDRAIL_LEVEL_EXPIRES; n++) {
        i = z->head->granted.head;

        if (i == 0) {
            return;
        }

        w = &z->waiters[i - 1];

        if (w->granted + GUARDRAIL_LEVEL_GRANT > now) {
            return;
        }

        /* it keeps its place, and is passed until it comes back */

        l = &z->levels[w->level - 1];

        guardrail_waiter_revoke(z, l, i);
        guardrail_waiter_join(z, l, i);

        w->state = GUARDRAIL_WAITER_PASSED;

        guardrail_zone_commit(z);

        guardrail_queue_grant(z, w->level, w->unit, now);
    }
}


guardrail_level_rc_e
guardrail_level_accept_locked(guardrail_zone_t *z, uint32_t waiter,
    uint64_t now, uint32_t *lease)
{
    uint32_t             i, level, unit;
    guardrail_level_t   *l;
    guardrail_lease_t   *n;
    guardrail_waiter_t  *w;

    i = waiter + 1;
    w = &z->waiters[waiter];

    if (w->state != GUARDRAIL_WAITER_GRANTED) {
        return GUARDRAIL_LEVEL_FULL;
    }

    level = w->level;
    unit = w->unit;
    l = &z->levels[level - 1];

    n = guardrail_lease_add(z, l, unit, w->slot - 1, w->amount);

    if (n == NULL) {
        z->head->stats.full++;
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    guardrail_list_remove(z, &z->head->granted, i);
    guardrail_waiter_free(z, i);
    guardrail_level_put(z, l);

    guardrail_zone_commit(z);

    *lease = (uint32_t) (n - z->leases);

    /* more than one call may grant at once */

    guardrail_queue_grant(z, level, unit, now);

    return GUARDRAIL_LEVEL_OK;
}


void
guardrail_level_leave_locked(guardrail_zone_t *z, uint32_t waiter,
    uint64_t now)
{
    uint32_t             i, level, unit;
    guardrail_level_t   *l;
    guardrail_waiter_t  *w;

    i = waiter + 1;
    w = &z->waiters[waiter];
    level = w->level;
    unit = w->unit;
    l = &z->levels[level - 1];

    if (w->state == GUARDRAIL_WAITER_GRANTED) {
        guardrail_waiter_revoke(z, l, i);

    } else {
        guardrail_waiter_quit(z, l, i);
    }

    guardrail_waiter_free(z, i);
    guardrail_level_put(z, l);

    guardrail_zone_commit(z);

    guardrail_queue_grant(z, level, unit, now);
}


void
guardrail_level_return_locked(guardrail_zone_t *z, uint32_t waiter,
    uint64_t now)
{
    guardrail_waiter_t  *w;

    w = &z->waiters[waiter];

    if (w->state != GUARDRAIL_WAITER_PASSED) {
        return;
    }

    guardrail_zone_touch(z, w, sizeof(guardrail_waiter_t));
    w->state = GUARDRAIL_WAITER_WAITS;
    guardrail_zone_commit(z);

    guardrail_queue_grant(z, w->level, w->unit, now);
}
