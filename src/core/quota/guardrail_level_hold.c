
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Holds: what backends that were left behind still have in use.  A wheel of
 * 64 seconds finds those that end; the list of a level, latest first, finds
 * those that are one: of the same unit and second.
 */


#include "quota/guardrail_level_private.h"


static guardrail_lease_t *guardrail_hold_find(const guardrail_zone_t *z,
    const guardrail_level_t *l, uint32_t unit, uint32_t end,
    uint32_t **link);
static unsigned guardrail_hold_wheel(guardrail_zone_t *z, uint32_t second,
    uint64_t now, uint32_t *budget);
static void guardrail_hold_end(guardrail_zone_t *z, guardrail_lease_t *n,
    uint32_t *link);


/* *link is what would point to it */

static guardrail_lease_t *
guardrail_hold_find(const guardrail_zone_t *z, const guardrail_level_t *l,
    uint32_t unit, uint32_t end, uint32_t **link)
{
    uint32_t            i;
    guardrail_lease_t  *n;
    guardrail_level_t  *level;

    level = &z->levels[l - z->levels];
    *link = &level->holds[unit - 1];

    for (i = **link; i; i = n->prev) {
        n = &z->leases[i - 1];

        if (n->end <= end) {
            return n->end == end ? n : NULL;
        }

        *link = &n->prev;
    }

    return NULL;
}


void
guardrail_level_hold_locked(guardrail_zone_t *z, uint32_t lease, uint32_t end,
    uint64_t now)
{
    uint32_t           *link, *wheel;
    guardrail_lease_t  *n, *hold;
    guardrail_level_t  *l;

    n = &z->leases[lease];

    if (end <= now / 1000 || end <= z->head->expired
        || end - now / 1000 > GUARDRAIL_LEVEL_MAX_HOLD
        || n->unit == GUARDRAIL_LEVEL_UPLOADS)
    {
        guardrail_level_release_locked(z, lease, now);
        return;
    }

    l = &z->levels[n->level - 1];

    hold = guardrail_hold_find(z, l, n->unit, end, &link);

    guardrail_zone_touch(z, n, sizeof(guardrail_lease_t));
    guardrail_zone_touch(z, &z->head->holds, sizeof(uint32_t));

    guardrail_lease_unlink(z, n);

    z->head->holds++;

    if (hold) {
        guardrail_zone_touch(z, hold, sizeof(guardrail_lease_t));

        hold->amount += n->amount;
        hold->slot++;

        guardrail_lease_free(z, n);
        guardrail_level_put(z, l);

    } else {
        wheel = &z->head->wheel[end % GUARDRAIL_ZONE_WHEEL];

        guardrail_zone_touch(z, link, sizeof(uint32_t));
        guardrail_zone_touch(z, wheel, sizeof(uint32_t));

        n->slot = 1;
        n->end = end;
        n->prev = *link;
        n->next = *wheel;

        *link = lease + 1;
        *wheel = lease + 1;
    }

    guardrail_zone_commit(z);
}


void
guardrail_level_expire_locked(guardrail_zone_t *z, uint64_t now)
{
    uint32_t                second, budget;
    guardrail_zone_head_t  *head;

    head = z->head;
    second = (uint32_t) (now / 1000);
    budget = GUARDRAIL_LEVEL_EXPIRES;

    /* each of the wheel's lists once, however long nobody looked */

    if (second > head->expired
        && second - head->expired > GUARDRAIL_ZONE_WHEEL)
    {
        guardrail_zone_touch(z, &head->expired, sizeof(uint32_t));
        head->expired = second - GUARDRAIL_ZONE_WHEEL;
        guardrail_zone_commit(z);
    }

    while (head->expired < second
           && guardrail_hold_wheel(z, head->expired + 1, now, &budget))
    {
        guardrail_zone_touch(z, &head->expired, sizeof(uint32_t));
        head->expired++;
        guardrail_zone_commit(z);
    }

    if (head->granted.head) {
        guardrail_queue_expire(z, now);
    }
}


/* 0 when the budget is spent: the next call goes on */

static unsigned
guardrail_hold_wheel(guardrail_zone_t *z, uint32_t second, uint64_t now,
    uint32_t *budget)
{
    uint32_t            i, level, unit, *link;
    guardrail_lease_t  *n;

    link = &z->head->wheel[second % GUARDRAIL_ZONE_WHEEL];

    while (*link) {
        i = *link - 1;
        n = &z->leases[i];

        if (n->end > now / 1000) {

            /* another turn of the wheel */

            link = &n->next;
            continue;
        }

        if (*budget == 0) {
            return 0;
        }

        (*budget)--;

        level = n->level;
        unit = n->unit;

        guardrail_hold_end(z, n, link);
        guardrail_zone_commit(z);

        guardrail_queue_grant(z, level, unit, now);
    }

    return 1;
}


static void
guardrail_hold_end(guardrail_zone_t *z, guardrail_lease_t *n, uint32_t *link)
{
    uint32_t           *level_link;
    guardrail_level_t  *l;

    l = &z->levels[n->level - 1];

    (void) guardrail_hold_find(z, l, n->unit, n->end, &level_link);

    guardrail_zone_touch(z, n, sizeof(guardrail_lease_t));
    guardrail_zone_touch(z, link, sizeof(uint32_t));
    guardrail_zone_touch(z, level_link, sizeof(uint32_t));
    guardrail_zone_touch(z, &z->head->holds, sizeof(uint32_t));

    *link = n->next;
    *level_link = n->prev;

    z->head->holds -= n->slot;

    guardrail_level_subtract(z, l, n->unit, n->amount);
    guardrail_lease_free(z, n);
    guardrail_level_put(z, l);
}


uint32_t
guardrail_level_retry_locked(const guardrail_zone_t *z,
    const guardrail_want_t *want, uint64_t now)
{
    uint32_t                  i, seconds;
    uint64_t                  end, held, used;
    const guardrail_level_t  *l;
    const guardrail_lease_t  *n;

    if (want->entry->level == 0 || want->unit == GUARDRAIL_LEVEL_UPLOADS
        || want->amount > want->limit)
    {
        return 1;
    }

    l = &z->levels[want->entry->level - 1];
    held = 0;

    for (i = l->holds[want->unit - 1]; i; i = n->prev) {
        n = &z->leases[i - 1];
        held += n->amount;
    }

    /* without any hold, and then with one more of those that end last */

    used = l->used[want->unit] - held;
    seconds = 1;

    for (i = l->holds[want->unit - 1]; i; i = n->prev) {
        n = &z->leases[i - 1];

        if (used > want->limit - want->amount) {

            /* leases alone are too much: nobody knows when they end */

            break;
        }

        used += n->amount;

        if (used > want->limit - want->amount) {
            end = n->end * (uint64_t) 1000;
            seconds = (end > now) ? (uint32_t) ((end - now + 999) / 1000) : 1;
            break;
        }
    }

    return seconds;
}
