
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Levels: what requests have in use at a time.  A lease belongs to the slot
 * of a process, and is free when that is gone; a hold belongs to no process,
 * and ends at its time; a waiter stands in line for one unit of one key.
 *
 * An index of a lease, waiter or slot is kept by the request or the process
 * that got it.  Every change here is committed by the function that makes it.
 * now is the zone's time in milliseconds.
 */


#ifndef GUARDRAIL_LEVEL_H
#define GUARDRAIL_LEVEL_H


#include "quota/guardrail_zone.h"


/* how long what was granted waits to be taken, contract 4.4 */

#define GUARDRAIL_LEVEL_GRANT  500          /* ms */

/* the longest time of a hold: the walks over a level's holds are bounded */

#define GUARDRAIL_LEVEL_MAX_HOLD  3601      /* s: an hour, rounded up */


typedef enum {
    GUARDRAIL_LEVEL_OK = 0,
    GUARDRAIL_LEVEL_FULL,               /* or others wait */
    GUARDRAIL_LEVEL_NEVER,              /* more than the limit */
    GUARDRAIL_LEVEL_NO_ROOM             /* the zone has no room for it */
} guardrail_level_rc_e;


/* what a request wants of one unit of a key */

typedef struct {
    guardrail_entry_t  *entry;
    uint64_t            amount;
    uint64_t            limit;          /* GUARDRAIL_NO_LIMIT: only counted */
    uint64_t            ticket;         /* 0: has not waited yet */
    uint32_t            unit;           /* GUARDRAIL_LEVEL_.. */
    uint32_t            slot;
} guardrail_want_t;


/*
 * The slot of a process: the one that it has, or a free one, or
 * GUARDRAIL_ZONE_NONE.  start tells processes with the same pid apart.
 */

uint32_t guardrail_slot_register_locked(guardrail_zone_t *z, uint32_t pid,
    uint64_t start, uint32_t epoch);

/*
 * Gives up to n leases and waiters of a slot back, and when it has no more,
 * the slot itself.  Returns 1 if there is more to do.  If generation is
 * another one, the slot was given to another process: nothing is done.
 * dead: they count as reclaimed.
 */

unsigned guardrail_slot_free_locked(guardrail_zone_t *z, uint32_t slot,
    uint32_t generation, unsigned n, unsigned dead, uint64_t now);


/*
 * Takes amount, if with it no more than the limit is in use, and nobody
 * waits who came before.  *lease is its index.  An amount of 0 waits for
 * nobody, and is never too much; nor does one without a limit wait.
 */

guardrail_level_rc_e guardrail_level_take_locked(guardrail_zone_t *z,
    const guardrail_want_t *want, uint64_t now, uint32_t *lease);

/*
 * The same, where it was granted: the waiter is gone after GUARDRAIL_LEVEL_OK,
 * and else still there.
 */

guardrail_level_rc_e guardrail_level_accept_locked(guardrail_zone_t *z,
    uint32_t waiter, uint64_t now, uint32_t *lease);

/* another amount for a lease: more only if it fits, whoever waits */

guardrail_level_rc_e guardrail_level_resize_locked(guardrail_zone_t *z,
    uint32_t lease, uint64_t amount, uint64_t limit, uint64_t now);

/* Gives a lease back, and grants what is free to those who wait. */

void guardrail_level_release_locked(guardrail_zone_t *z, uint32_t lease,
    uint64_t now);

/*
 * Keeps what a lease has in use until the second end, though the request is
 * gone.  With end in the past, or later than GUARDRAIL_LEVEL_MAX_HOLD, and of
 * uploads, it is released.
 */

void guardrail_level_hold_locked(guardrail_zone_t *z, uint32_t lease,
    uint32_t end, uint64_t now);

/*
 * Ends holds whose time has come, and grants that nobody took, a few hundred
 * in one call; call it before a level is judged.
 */

void guardrail_level_expire_locked(guardrail_zone_t *z, uint64_t now);


/*
 * Stands in line, behind all that came before: want->ticket is 0 at the first
 * time, and kept.  FULL if as many wait as may, and for uploads, which have
 * no line; NEVER as above.
 */

guardrail_level_rc_e guardrail_level_wait_locked(guardrail_zone_t *z,
    guardrail_want_t *want, uint64_t max_waiting, uint32_t *waiter);

/*
 * The next number in the order of arrival, for one that may come to wait: who
 * asks before it tries a level is behind nobody who came later.
 */

uint64_t guardrail_level_ticket_locked(guardrail_zone_t *z);

/* Leaves the line, or gives back what was granted. */

void guardrail_level_leave_locked(guardrail_zone_t *z, uint32_t waiter,
    uint64_t now);

/* The waiter is there again, after what was granted to it was passed on. */

void guardrail_level_return_locked(guardrail_zone_t *z, uint32_t waiter,
    uint64_t now);

/* Without the lock: has something happened to a waiter? */

static inline unsigned
guardrail_waiter_called(const guardrail_zone_t *z, uint32_t waiter)
{
    return __atomic_load_n(&z->waiters[waiter].state, __ATOMIC_RELAXED)
           != GUARDRAIL_WAITER_WAITS;
}


/* what is in use and who waits, of a key's unit */

uint64_t guardrail_level_used_locked(const guardrail_zone_t *z,
    const guardrail_want_t *want);
uint32_t guardrail_level_waiting_locked(const guardrail_zone_t *z,
    const guardrail_want_t *want);

/* seconds until enough holds have ended, else 1; at least 1 */

uint32_t guardrail_level_retry_locked(const guardrail_zone_t *z,
    const guardrail_want_t *want, uint64_t now);


/*
 * For tests: 0 if gauges are not the sums of what they count, a list is
 * broken, or a change is not committed.
 */

unsigned guardrail_level_check_locked(const guardrail_zone_t *z);


#endif /* GUARDRAIL_LEVEL_H */
