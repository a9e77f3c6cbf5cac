
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Levels and their leases; holds and the queue have files of their own.
 */


#include "quota/guardrail_level_private.h"


guardrail_level_t *
guardrail_level_get(guardrail_zone_t *z, guardrail_entry_t *e)
{
    uint32_t                i;
    guardrail_level_t      *l;
    guardrail_zone_head_t  *head;

    if (e->level) {
        return &z->levels[e->level - 1];
    }

    head = z->head;

    if (head->free_levels) {
        i = head->free_levels;

    } else if (head->used_levels < z->n_levels) {
        i = head->used_levels + 1;

    } else {
        return NULL;
    }

    l = &z->levels[i - 1];

    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));
    guardrail_zone_touch(z, &head->free_levels, sizeof(uint32_t));
    guardrail_zone_touch(z, e, sizeof(guardrail_entry_t));

    if (head->free_levels) {
        head->free_levels = l->entry;

    } else {
        head->used_levels = i;
    }

    memset(l, 0, sizeof(guardrail_level_t));

    l->entry = guardrail_zone_index(z, e);
    e->level = i;

    return l;
}


void
guardrail_level_put(guardrail_zone_t *z, guardrail_level_t *l)
{
    guardrail_entry_t      *e;
    guardrail_zone_head_t  *head;

    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));

    l->records--;

    if (l->records) {
        return;
    }

    head = z->head;
    e = guardrail_zone_entry(z, l->entry);

    guardrail_zone_touch(z, e, sizeof(guardrail_entry_t));
    guardrail_zone_touch(z, &head->free_levels, sizeof(uint32_t));

    e->level = 0;

    l->entry = head->free_levels;
    head->free_levels = guardrail_level_index(z, l);
}


guardrail_lease_t *
guardrail_lease_add(guardrail_zone_t *z, guardrail_level_t *l, uint32_t unit,
    uint32_t slot, uint64_t amount)
{
    uint32_t                i;
    guardrail_slot_t       *s;
    guardrail_lease_t      *lease, *next;
    guardrail_zone_head_t  *head;

    head = z->head;
    s = &z->slots[slot];

    if (head->free_leases) {
        i = head->free_leases;

    } else if (head->used_leases < z->n_leases) {
        i = head->used_leases + 1;

    } else {
        return NULL;
    }

    lease = &z->leases[i - 1];

    guardrail_zone_touch(z, &head->free_leases, sizeof(uint32_t));
    guardrail_zone_touch(z, &head->leases[unit], sizeof(uint32_t));
    guardrail_zone_touch(z, lease, sizeof(guardrail_lease_t));
    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));
    guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));

    if (head->free_leases) {
        head->free_leases = lease->next;

    } else {
        head->used_leases = i;
    }

    lease->amount = amount;
    lease->level = guardrail_level_index(z, l);
    lease->next = s->leases;
    lease->prev = 0;
    lease->end = 0;
    lease->slot = slot + 1;
    lease->unit = unit;

    if (s->leases) {
        next = &z->leases[s->leases - 1];
        guardrail_zone_touch(z, next, sizeof(guardrail_lease_t));
        next->prev = i;
    }

    s->leases = i;
    l->records++;
    head->leases[unit]++;

    return lease;
}


void
guardrail_lease_unlink(guardrail_zone_t *z, guardrail_lease_t *lease)
{
    guardrail_slot_t   *s;
    guardrail_lease_t  *l;

    if (lease->prev) {
        l = &z->leases[lease->prev - 1];
        guardrail_zone_touch(z, l, sizeof(guardrail_lease_t));
        l->next = lease->next;

    } else {
        s = &z->slots[lease->slot - 1];
        guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));
        s->leases = lease->next;
    }

    if (lease->next) {
        l = &z->leases[lease->next - 1];
        guardrail_zone_touch(z, l, sizeof(guardrail_lease_t));
        l->prev = lease->prev;
    }

    guardrail_zone_touch(z, &z->head->leases[lease->unit], sizeof(uint32_t));
    z->head->leases[lease->unit]--;
}


void
guardrail_lease_free(guardrail_zone_t *z, guardrail_lease_t *lease)
{
    guardrail_zone_touch(z, lease, sizeof(guardrail_lease_t));
    guardrail_zone_touch(z, &z->head->free_leases, sizeof(uint32_t));

    lease->level = 0;
    lease->next = z->head->free_leases;
    z->head->free_leases = (uint32_t) (lease - z->leases) + 1;
}


void
guardrail_level_add(guardrail_zone_t *z, guardrail_level_t *l, uint32_t unit,
    uint64_t amount)
{
    guardrail_zone_touch(z, l, sizeof(guardrail_level_t));
    l->used[unit] += amount;

    if (unit == GUARDRAIL_LEVEL_MEMORY) {
        guardrail_zone_touch(z, &z->head->memory, sizeof(uint64_t));
        z->head->memory += amount;
    }
}


void
guardrail_level_subtract(guardrail_zone_t *z, guardrail_level_t *l,
    uint32_t unit, uint64_t amount)
{
    guardrail_level_add(z, l, unit, 0 - amount);
}


guardrail_level_rc_e
guardrail_level_take_locked(guardrail_zone_t *z, const guardrail_want_t *want,
    uint64_t now, uint32_t *lease)
{
    guardrail_level_t   *l;
    guardrail_lease_t   *n;
    guardrail_waiter_t  *first;

    (void) now;

    if (want->amount > want->limit) {
        return GUARDRAIL_LEVEL_NEVER;
    }

    l = NULL;

    if (want->entry->level) {
        l = &z->levels[want->entry->level - 1];

        /* what needs nothing of it neither fails nor waits */

        if (want->amount && l->used[want->unit] > want->limit - want->amount) {
            return GUARDRAIL_LEVEL_FULL;
        }

        /* the line is in order of arrival */

        first = guardrail_queue_first(z, l, want->unit);

        if (first && want->amount && want->limit != GUARDRAIL_NO_LIMIT
            && (want->ticket == 0 || first->ticket < want->ticket))
        {
            return GUARDRAIL_LEVEL_FULL;
        }
    }

    /* a level without records must not stay */

    if (z->head->free_leases == 0 && z->head->used_leases == z->n_leases) {
        z->head->stats.full++;
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    if (l == NULL) {
        l = guardrail_level_get(z, want->entry);

        if (l == NULL) {
            z->head->stats.full++;
            return GUARDRAIL_LEVEL_NO_ROOM;
        }
    }

    n = guardrail_lease_add(z, l, want->unit, want->slot, want->amount);
    guardrail_level_add(z, l, want->unit, want->amount);

    guardrail_zone_commit(z);

    *lease = (uint32_t) (n - z->leases);

    return GUARDRAIL_LEVEL_OK;
}


guardrail_level_rc_e
guardrail_level_resize_locked(guardrail_zone_t *z, uint32_t lease,
    uint64_t amount, uint64_t limit, uint64_t now)
{
    uint32_t            level, unit;
    uint64_t            before;
    guardrail_level_t  *l;
    guardrail_lease_t  *n;

    n = &z->leases[lease];
    level = n->level;
    l = &z->levels[level - 1];
    unit = n->unit;
    before = n->amount;

    if (amount == before) {
        return GUARDRAIL_LEVEL_OK;
    }

    if (amount > before) {

        if (amount > limit) {
            return GUARDRAIL_LEVEL_NEVER;
        }

        if (l->used[unit] > limit - (amount - before)) {
            return GUARDRAIL_LEVEL_FULL;
        }
    }

    guardrail_zone_touch(z, n, sizeof(guardrail_lease_t));
    n->amount = amount;

    guardrail_level_add(z, l, unit, amount - before);

    guardrail_zone_commit(z);

    if (amount < before) {
        guardrail_queue_grant(z, level, unit, now);
    }

    return GUARDRAIL_LEVEL_OK;
}


void
guardrail_level_release_locked(guardrail_zone_t *z, uint32_t lease,
    uint64_t now)
{
    uint32_t            level, unit;
    guardrail_level_t  *l;
    guardrail_lease_t  *n;

    n = &z->leases[lease];
    level = n->level;
    l = &z->levels[level - 1];
    unit = n->unit;

    guardrail_zone_touch(z, n, sizeof(guardrail_lease_t));

    guardrail_lease_unlink(z, n);
    guardrail_level_subtract(z, l, unit, n->amount);
    guardrail_lease_free(z, n);
    guardrail_level_put(z, l);

    guardrail_zone_commit(z);

    guardrail_queue_grant(z, level, unit, now);
}


uint64_t
guardrail_level_used_locked(const guardrail_zone_t *z,
    const guardrail_want_t *want)
{
    if (want->entry->level == 0) {
        return 0;
    }

    return z->levels[want->entry->level - 1].used[want->unit];
}


uint32_t
guardrail_level_waiting_locked(const guardrail_zone_t *z,
    const guardrail_want_t *want)
{
    if (want->entry->level == 0 || want->unit == GUARDRAIL_LEVEL_UPLOADS) {
        return 0;
    }

    return z->levels[want->entry->level - 1].waiting[want->unit - 1];
}
