
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Quotas, slowly: a list of all charges, the estimate as a fraction, times
 * found by trying one after the other; and the grammar of LIMIT.
 */


#ifndef GUARDRAIL_QUOTA_MODEL_H
#define GUARDRAIL_QUOTA_MODEL_H


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quota/guardrail_limit.h"
#include "quota/guardrail_window.h"


#define QUOTA_CHARGES  512


__extension__ typedef unsigned __int128  quota_u128_t;


typedef struct {
    uint64_t           window;
    uint64_t           amount;
} quota_charge_t;


typedef struct {
    uint64_t           length;          /* of a window, ms */
    uint64_t           newest;          /* window that was seen */
    size_t             n;
    quota_charge_t     charges[QUOTA_CHARGES];
} quota_model_t;


static inline void
quota_model_init(quota_model_t *m, uint32_t period)
{
    m->length = (uint64_t) period * 1000;
    m->newest = 0;
    m->n = 0;
}


static inline uint64_t
quota_model_sum(const quota_model_t *m, uint64_t window)
{
    size_t    i;
    uint64_t  sum;

    for (sum = 0, i = 0; i < m->n; i++) {
        if (m->charges[i].window == window) {
            sum += m->charges[i].amount;
        }
    }

    return sum;
}


/* nothing is left that could be counted, so nothing holds the clock */

static inline int
quota_model_empty(const quota_model_t *m)
{
    return quota_model_sum(m, m->newest) == 0
           && (m->newest == 0 || quota_model_sum(m, m->newest - 1) == 0);
}


/* the time that counts */

static inline uint64_t
quota_model_time(const quota_model_t *m, uint64_t now)
{
    if (now / m->length < m->newest && !quota_model_empty(m)) {
        return m->newest * m->length;
    }

    return now;
}


/* the estimate, as a multiple of 1 / length */

static inline quota_u128_t
quota_model_estimate(const quota_model_t *m, uint64_t now)
{
    uint64_t      t, window;
    quota_u128_t  n;

    if (quota_model_empty(m)) {
        return 0;
    }

    t = quota_model_time(m, now);
    window = t / m->length;

    n = (quota_u128_t) quota_model_sum(m, window) * m->length;

    if (window) {
        n += (quota_u128_t) quota_model_sum(m, window - 1)
             * ((window + 1) * m->length - t);
    }

    return n;
}


static inline int
quota_model_admits(const quota_model_t *m, uint64_t now, uint64_t limit,
    uint64_t cost)
{
    return quota_model_estimate(m, now) + (quota_u128_t) cost * m->length
           <= (quota_u128_t) limit * m->length;
}


static inline void
quota_model_roll(quota_model_t *m, uint64_t now)
{
    if (quota_model_empty(m)) {
        m->n = 0;
    }

    m->newest = quota_model_time(m, now) / m->length;
}


/* returns the window that was charged */

static inline uint64_t
quota_model_charge(quota_model_t *m, uint64_t now, uint64_t amount)
{
    uint64_t  sum;

    if (m->n == QUOTA_CHARGES) {
        abort();
    }

    quota_model_roll(m, now);

    sum = quota_model_sum(m, m->newest);

    m->charges[m->n].window = m->newest;
    m->charges[m->n].amount = amount < UINT64_MAX - sum ? amount
                                                        : UINT64_MAX - sum;
    m->n++;

    return m->newest;
}


static inline void
quota_model_give_back(quota_model_t *m, uint64_t window, uint64_t amount)
{
    size_t    i;
    uint64_t  part;

    for (i = m->n; i; i--) {
        if (m->charges[i - 1].window == window) {
            part = m->charges[i - 1].amount;
            part = part < amount ? part : amount;

            m->charges[i - 1].amount -= part;
            amount -= part;
        }
    }
}


/*
 * Is t the first of now, now + step, .. at which the cost is admitted?  Each
 * is tried, or, if these are too many, some of them: the estimate never rises
 * while nothing comes.
 */

static inline int
quota_model_first(const quota_model_t *m, uint64_t now, uint64_t t,
    uint64_t step, uint64_t limit, uint64_t cost)
{
    uint64_t  i, n, stride;

    n = (t - now) / step;

    if (t < now || now + n * step != t
        || !quota_model_admits(m, t, limit, cost))
    {
        return 0;
    }

    stride = n / 64 + 1;

    for (i = 0; i < n; i += stride) {
        if (quota_model_admits(m, now + i * step, limit, cost)) {
            return 0;
        }
    }

    return n == 0 || !quota_model_admits(m, t - step, limit, cost);
}


/* what the model says otherwise, or NULL; limit is one */

static inline const char *
quota_model_differ(const quota_model_t *m, const guardrail_window_t *w,
    uint32_t period, uint64_t now, uint64_t limit, uint64_t cost)
{
    uint64_t               n, t, seconds;
    quota_u128_t           estimate;
    guardrail_window_t     before;
    guardrail_window_rc_e  rc;

    before = *w;

    estimate = (quota_model_estimate(m, now) + m->length - 1) / m->length;
    n = (estimate > UINT64_MAX) ? UINT64_MAX : (uint64_t) estimate;

    if (guardrail_window_used(w, period, now) != n) {
        return "used";
    }

    if (guardrail_window_remaining(w, period, now, limit)
        != (n < limit ? limit - n : 0))
    {
        return "remaining";
    }

    t = quota_model_time(m, now);
    n = m->length - t % m->length;

    if (guardrail_window_reset(w, period, now) != (n + 999) / 1000) {
        return "reset";
    }

    rc = guardrail_window_admit(w, period, now, limit, cost);

    if ((rc == GUARDRAIL_WINDOW_NEVER) != (cost > limit)) {
        return "never";
    }

    if ((rc == GUARDRAIL_WINDOW_ADMITTED)
        != quota_model_admits(m, now, limit, cost))
    {
        return "admit";
    }

    if (guardrail_window_retry(w, period, now, limit, cost, &seconds) != rc
        || (seconds != 0) != (rc == GUARDRAIL_WINDOW_REFUSED))
    {
        return "the status of retry";
    }

    if (rc != GUARDRAIL_WINDOW_NEVER
        && !quota_model_first(m, now, now + seconds * 1000, 1000, limit, cost))
    {
        return "retry";
    }

    if (!quota_model_first(m, now,
                           guardrail_window_keep_until(w, period, now, limit),
                           1, limit, 0))
    {
        return "keep_until";
    }

    if (before.previous != w->previous || before.current != w->current
        || before.id != w->id)
    {
        return "the state after questions";
    }

    return NULL;
}


static inline int
quota_model_number(const char **p, quota_u128_t *n)
{
    const char  *start;

    start = *p;

    /* the most that is kept, times 1g, still fits */

    for (*n = 0; **p && strchr("0123456789", **p); (*p)++) {
        *n = *n * 10 + (unsigned) (**p - '0');

        if (*n >> 90) {
            *n = (quota_u128_t) 1 << 90;
        }
    }

    return *p != start;
}


/* is it a LIMIT?  A string; value 0 is none */

static inline int
quota_model_parse(const char *p, const guardrail_unit_info_t *unit,
    uint64_t *value, uint32_t *period)
{
    const char    *found;
    quota_u128_t   n, seconds;

    static const char      units[] = "smhd";
    static const unsigned  lengths[] = { 1, 60, 3600, 86400 };

    *value = 0;
    *period = 0;

    if (strcmp(p, "off") == 0) {
        return 1;
    }

    if (!quota_model_number(&p, &n)) {
        return 0;
    }

    if (unit->size && *p && (found = strchr("kmgKMG", *p)) != NULL) {
        n <<= (strchr("kmgKMG", *p) - "kmgKMG") % 3 * 10 + 10;
        p++;
    }

    if (n > INT64_MAX) {
        return 0;
    }

    *value = (uint64_t) n;

    if (*p == '\0') {
        return !unit->rate || n == 0;
    }

    if (*p++ != '/' || !unit->rate) {
        return 0;
    }

    if (!quota_model_number(&p, &seconds)) {
        seconds = 1;
    }

    if (*p == '\0' || (found = strchr(units, *p)) == NULL || p[1]) {
        return 0;
    }

    seconds *= lengths[found - units];

    if (seconds == 0 || seconds > GUARDRAIL_LIMIT_MAX_PERIOD) {
        return 0;
    }

    *period = (uint32_t) seconds;

    return 1;
}


#endif /* GUARDRAIL_QUOTA_MODEL_H */
