
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The slots of processes.
 */


#include "quota/guardrail_level_private.h"


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

            if (s->epoch != epoch) {
                guardrail_zone_touch(z, s, sizeof(guardrail_slot_t));
                s->epoch = epoch;
                guardrail_zone_commit(z);
            }

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
