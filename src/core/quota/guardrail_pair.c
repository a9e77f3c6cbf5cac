
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What a zone counts: its (unit, period) pairs, and the rooms of those that
 * nobody names any more.
 */


#include "quota/guardrail_rate_private.h"


static inline unsigned guardrail_pair_free(const guardrail_zone_t *z,
    const guardrail_pair_t *p, uint32_t second);


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
