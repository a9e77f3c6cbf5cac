
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_rate_private.h"
#include "quota/guardrail_state.h"


_Static_assert(sizeof(guardrail_state_head_t) % 8 == 0, "head");
_Static_assert(sizeof(guardrail_state_window_t) == 24, "window");


void
guardrail_state_head_locked(const guardrail_zone_t *z,
    guardrail_state_head_t *head)
{
    uint32_t                 i;
    const guardrail_pair_t  *p;

    head->magic = GUARDRAIL_STATE_MAGIC;
    head->version = GUARDRAIL_STATE_VERSION;
    head->order = GUARDRAIL_STATE_ORDER;
    head->id = z->head->id;
    head->created = z->head->created;
    head->rates = z->rates;

    memset(head->pairs, 0, sizeof(head->pairs));

    for (i = 0; i < z->rates; i++) {
        p = &z->head->pairs[i];

        head->pairs[i].unit = p->unit;
        head->pairs[i].period = p->period;
        head->pairs[i].delta = p->delta;
    }
}


unsigned
guardrail_state_valid(const guardrail_state_head_t *head)
{
    uint32_t  i;

    if (head->magic != GUARDRAIL_STATE_MAGIC
        || head->version != GUARDRAIL_STATE_VERSION
        || head->order != GUARDRAIL_STATE_ORDER
        || head->rates == 0 || head->rates > GUARDRAIL_ZONE_MAX_RATES)
    {
        return 0;
    }

    for (i = 0; i < head->rates; i++) {

        if (head->pairs[i].unit
            && (head->pairs[i].unit > GUARDRAIL_UNIT_MAX
                || !guardrail_unit_info(head->pairs[i].unit - 1)->rate
                || head->pairs[i].period == 0
                || head->pairs[i].period > GUARDRAIL_LIMIT_MAX_PERIOD))
        {
            return 0;
        }
    }

    return 1;
}


unsigned
guardrail_state_record_locked(guardrail_zone_t *z, uint32_t i,
    const guardrail_state_head_t *head, uint64_t now,
    guardrail_state_record_t *r)
{
    uint32_t                   k, any;
    guardrail_pair_t          *p;
    guardrail_entry_t         *e;
    guardrail_window_t         w;
    guardrail_state_window_t  *to;

    e = guardrail_zone_entry(z, i);

    r->hash[0] = e->hash[0];
    r->hash[1] = e->hash[1];
    r->keep_until = e->keep_until;
    r->last_use = e->last_use;

    any = 0;

    for (k = 0; k < head->rates; k++) {
        p = &z->head->pairs[k];
        to = &r->windows[k];

        memset(to, 0, sizeof(guardrail_state_window_t));

        if (p->unit == 0 || p->unit != head->pairs[k].unit
            || p->period != head->pairs[k].period
            || p->delta != head->pairs[k].delta)
        {
            continue;
        }

        guardrail_rate_load(z, e, k, &w);
        guardrail_window_roll(&w, p->period, now);

        if (w.previous == 0 && w.current == 0) {
            continue;
        }

        to->previous = w.previous;
        to->current = w.current;
        to->id = w.id;

        any = 1;
    }

    return any;
}


void
guardrail_state_restore_locked(guardrail_zone_t *z,
    const guardrail_state_head_t *head, const guardrail_state_record_t *r,
    uint64_t now)
{
    uint32_t                         k, i;
    guardrail_key_t                  key;
    guardrail_limit_t                limit;
    guardrail_entry_t               *e;
    guardrail_window_t               w;
    const guardrail_state_window_t  *from;

    key.hash[0] = r->hash[0];
    key.hash[1] = r->hash[1];
    key.entry = GUARDRAIL_ZONE_NONE;
    key.overflow = 0;

    e = NULL;

    for (k = 0; k < head->rates; k++) {
        from = &r->windows[k];

        if (head->pairs[k].unit == 0
            || (from->previous == 0 && from->current == 0))
        {
            continue;
        }

        limit.unit = (guardrail_unit_e) (head->pairs[k].unit - 1);
        limit.period = head->pairs[k].period;
        limit.value = 0;

        w.previous = from->previous;
        w.current = from->current;
        w.id = from->id;

        guardrail_window_roll(&w, limit.period, now);

        if (w.previous == 0 && w.current == 0) {
            continue;
        }

        i = guardrail_pair_find_locked(z, &limit, now, 0);

        if (i == GUARDRAIL_ZONE_NONE) {
            continue;
        }

        if (e == NULL) {
            e = guardrail_key_find_locked(z, &key, now, 0);

            if (e == NULL) {
                break;
            }
        }

        guardrail_rate_store(z, e, i, &w);

        guardrail_zone_touch(z, e, sizeof(guardrail_entry_t));

        e->keep_until = r->keep_until;
        e->last_use = r->last_use;
    }

    guardrail_zone_commit(z);
}
