
/*
 * Copyright (C) nginx-guardrail authors
 *
 * A rate: a sliding window that is estimated from two counters,
 *
 *     previous * (1 - f) + current
 *
 * where f is the part of the present window that has passed.  The previous
 * window is not capped, so what it holds above the limit is a debt that is
 * paid within the next one.  All results are those of exact rational
 * arithmetic (doubles gave another verdict in 140 of 200,000 edge cases).
 *
 * In all functions: period is in seconds, 1 to GUARDRAIL_LIMIT_MAX_PERIOD;
 * now is in milliseconds, and windows are the multiples of the period since
 * its zero.  A now before the window that is stored counts as the start of
 * that window.  The number of a window wraps at 32 bits; a now that is 2^31
 * windows or more ahead is taken for one that is behind.
 */


#ifndef GUARDRAIL_WINDOW_H
#define GUARDRAIL_WINDOW_H


#include "base/guardrail_base.h"


/*
 * All bytes zero is an empty one.  Nothing is kept of a window with nothing
 * in it: if both counters are 0, id may have any value.
 */

typedef struct {
    uint64_t  previous;                 /* charged in window id - 1 */
    uint64_t  current;                  /* charged in window id */
    uint32_t  id;                       /* now / period, its low 32 bits */
} guardrail_window_t;


typedef enum {
    GUARDRAIL_WINDOW_ADMITTED = 0,
    GUARDRAIL_WINDOW_REFUSED,           /* will be admitted, later */
    GUARDRAIL_WINDOW_NEVER              /* the cost is above the limit */
} guardrail_window_rc_e;


/* Moves the counters to the window of now. */

void guardrail_window_roll(guardrail_window_t *w, uint32_t period,
    uint64_t now);

/*
 * Is the estimate plus cost at most limit?  Charges nothing.  With
 * GUARDRAIL_NO_LIMIT everything is admitted.
 */

guardrail_window_rc_e guardrail_window_admit(const guardrail_window_t *w,
    uint32_t period, uint64_t now, uint64_t limit, uint64_t cost);

/*
 * Charges, whatever the limit is; the counter stays at UINT64_MAX.  After the
 * call w->id is the window that was charged, to be kept for a give-back.
 */

void guardrail_window_charge(guardrail_window_t *w, uint32_t period,
    uint64_t now, uint64_t amount);

/*
 * Takes back what was charged to window id: from the present or the previous
 * window, down to 0, or from nothing if the window is older.
 */

void guardrail_window_give_back(guardrail_window_t *w, uint32_t id,
    uint64_t amount);

/* what is in use, rounded up, so that this and what remains are the limit */

uint64_t guardrail_window_used(const guardrail_window_t *w, uint32_t period,
    uint64_t now);

/* limit minus estimate, rounded down, at least 0: the largest cost admitted */

uint64_t guardrail_window_remaining(const guardrail_window_t *w,
    uint32_t period, uint64_t now, uint64_t limit);

/* seconds to the end of the window, rounded up: 1 to period */

uint32_t guardrail_window_reset(const guardrail_window_t *w, uint32_t period,
    uint64_t now);

/*
 * As guardrail_window_admit(); *seconds is the smallest whole number of them
 * after which the cost is admitted if nothing else comes: at least 1 if it is
 * refused, else 0.
 */

guardrail_window_rc_e guardrail_window_retry(const guardrail_window_t *w,
    uint32_t period, uint64_t now, uint64_t limit, uint64_t cost,
    uint64_t *seconds);

/*
 * The first time, from now on, at which the estimate is at most threshold if
 * nothing else comes; in milliseconds, rounded to nothing, UINT64_MAX if it
 * does not fit.
 */

uint64_t guardrail_window_keep_until(const guardrail_window_t *w,
    uint32_t period, uint64_t now, uint64_t threshold);


#endif /* GUARDRAIL_WINDOW_H */
