
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_window.h"


/*
 * A counter times a period in milliseconds has at most 64 + 42 bits, whatever
 * the period, and the sum of two of them one more.
 */

__extension__ typedef unsigned __int128  guardrail_window_u128_t;


/* a window as it is at a given time */

typedef struct {
    guardrail_window_t  w;
    uint64_t            length;         /* ms */
    uint64_t            elapsed;        /* ms since its start, < length */
    uint64_t            behind;         /* ms to its start, if now is before */
} guardrail_window_view_t;


static void guardrail_window_view(guardrail_window_view_t *v,
    const guardrail_window_t *w, uint32_t period, uint64_t now);
static inline unsigned guardrail_window_small(const guardrail_window_t *w,
    uint64_t bound);
static unsigned guardrail_window_fits(const guardrail_window_view_t *v,
    uint64_t bound);
static uint64_t guardrail_window_wait(const guardrail_window_view_t *v,
    uint64_t bound);


static void
guardrail_window_view(guardrail_window_view_t *v, const guardrail_window_t *w,
    uint32_t period, uint64_t now)
{
    uint32_t  id, ahead;

    /* a period of 0 is a mistake, but not worth a dead worker */

    v->w = *w;
    v->length = (uint64_t) (period ? period : 1) * 1000;
    v->elapsed = now % v->length;
    v->behind = 0;

    id = (uint32_t) (now / v->length);
    ahead = id - w->id;

    if (ahead == 0) {
        return;
    }

    if (ahead == 1) {
        v->w.previous = w->current;
        v->w.current = 0;

    } else if (ahead <= INT32_MAX || (w->previous == 0 && w->current == 0)) {
        v->w.previous = 0;
        v->w.current = 0;

    } else {
        v->behind = guardrail_mul_sat(w->id - id, v->length) - v->elapsed;
        v->elapsed = 0;
        return;
    }

    v->w.id = id;
}


/*
 * Is it at most bound whatever the time is?  The estimate is at most the sum
 * of both counters, and to know that takes no division.
 */

static inline unsigned
guardrail_window_small(const guardrail_window_t *w, uint64_t bound)
{
    return w->current <= bound && w->previous <= bound - w->current;
}


/* is the estimate at most bound? */

static unsigned
guardrail_window_fits(const guardrail_window_view_t *v, uint64_t bound)
{
    guardrail_window_u128_t  previous, room;

    if (v->w.current > bound) {
        return 0;
    }

    previous = (guardrail_window_u128_t) v->w.previous
               * (v->length - v->elapsed);
    room = (guardrail_window_u128_t) (bound - v->w.current) * v->length;

    return previous <= room;
}


/* milliseconds until the estimate is at most bound, rounded up; 0 if it is */

static uint64_t
guardrail_window_wait(const guardrail_window_view_t *v, uint64_t bound)
{
    uint64_t                 at, rest;
    guardrail_window_u128_t  product;

    if (guardrail_window_fits(v, bound)) {
        return 0;
    }

    /*
     * The time at which it fits, from the start of the window.  It is not in
     * the past, so both quotients are below the length of the window.
     */

    if (v->w.current <= bound) {
        product = (guardrail_window_u128_t) (bound - v->w.current)
                  * v->length;
        rest = (uint64_t) (product / v->w.previous);
        at = v->length - rest;

    } else {

        /* when the window in which this is "previous" has gone that far */

        product = (guardrail_window_u128_t) bound * v->length;
        rest = (uint64_t) (product / v->w.current);
        at = 2 * v->length - rest;
    }

    return guardrail_add_sat(at - v->elapsed, v->behind);
}


void
guardrail_window_roll(guardrail_window_t *w, uint32_t period, uint64_t now)
{
    guardrail_window_view_t  v;

    guardrail_window_view(&v, w, period, now);

    *w = v.w;
}


guardrail_window_rc_e
guardrail_window_admit(const guardrail_window_t *w, uint32_t period,
    uint64_t now, uint64_t limit, uint64_t cost)
{
    guardrail_window_view_t  v;

    if (limit == GUARDRAIL_NO_LIMIT) {
        return GUARDRAIL_WINDOW_ADMITTED;
    }

    if (cost > limit) {
        return GUARDRAIL_WINDOW_NEVER;
    }

    if (guardrail_window_small(w, limit - cost)) {
        return GUARDRAIL_WINDOW_ADMITTED;
    }

    guardrail_window_view(&v, w, period, now);

    return guardrail_window_fits(&v, limit - cost) ? GUARDRAIL_WINDOW_ADMITTED
                                                   : GUARDRAIL_WINDOW_REFUSED;
}


void
guardrail_window_charge(guardrail_window_t *w, uint32_t period, uint64_t now,
    uint64_t amount)
{
    guardrail_window_roll(w, period, now);

    w->current = guardrail_add_sat(w->current, amount);
}


void
guardrail_window_give_back(guardrail_window_t *w, uint32_t id,
    uint64_t amount)
{
    uint64_t  *counter;

    if (id == w->id) {
        counter = &w->current;

    } else if (id == w->id - 1) {
        counter = &w->previous;

    } else {
        return;
    }

    *counter = (*counter > amount) ? *counter - amount : 0;
}


uint64_t
guardrail_window_used(const guardrail_window_t *w, uint32_t period,
    uint64_t now)
{
    guardrail_window_u128_t  previous;
    guardrail_window_view_t  v;

    guardrail_window_view(&v, w, period, now);

    previous = (guardrail_window_u128_t) v.w.previous * (v.length - v.elapsed);
    previous = (previous + v.length - 1) / v.length;

    return guardrail_add_sat((uint64_t) previous, v.w.current);
}


uint64_t
guardrail_window_remaining(const guardrail_window_t *w, uint32_t period,
    uint64_t now, uint64_t limit)
{
    uint64_t  used;

    if (limit == GUARDRAIL_NO_LIMIT) {
        return GUARDRAIL_NO_LIMIT;
    }

    used = guardrail_window_used(w, period, now);

    return (limit > used) ? limit - used : 0;
}


uint32_t
guardrail_window_reset(const guardrail_window_t *w, uint32_t period,
    uint64_t now)
{
    guardrail_window_view_t  v;

    guardrail_window_view(&v, w, period, now);

    return (uint32_t) ((v.length - v.elapsed + 999) / 1000);
}


guardrail_window_rc_e
guardrail_window_retry(const guardrail_window_t *w, uint32_t period,
    uint64_t now, uint64_t limit, uint64_t cost, uint64_t *seconds)
{
    uint64_t                 ms;
    guardrail_window_view_t  v;

    *seconds = 0;

    if (limit == GUARDRAIL_NO_LIMIT) {
        return GUARDRAIL_WINDOW_ADMITTED;
    }

    if (cost > limit) {
        return GUARDRAIL_WINDOW_NEVER;
    }

    guardrail_window_view(&v, w, period, now);

    ms = guardrail_window_wait(&v, limit - cost);

    if (ms == 0) {
        return GUARDRAIL_WINDOW_ADMITTED;
    }

    *seconds = ms / 1000 + (ms % 1000 != 0);

    return GUARDRAIL_WINDOW_REFUSED;
}


uint64_t
guardrail_window_keep_until(const guardrail_window_t *w, uint32_t period,
    uint64_t now, uint64_t threshold)
{
    guardrail_window_view_t  v;

    if (guardrail_window_small(w, threshold)) {
        return now;
    }

    guardrail_window_view(&v, w, period, now);

    return guardrail_add_sat(now, guardrail_window_wait(&v, threshold));
}
