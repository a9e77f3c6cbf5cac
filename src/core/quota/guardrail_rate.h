
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The keys of a zone, and what their rates have counted.
 *
 * In all functions now is the zone's time in milliseconds, of which the
 * windows are the multiples of their period.
 */


#ifndef GUARDRAIL_RATE_H
#define GUARDRAIL_RATE_H


#include "quota/guardrail_window.h"
#include "quota/guardrail_zone.h"


/*
 * A key, as a request remembers it.  hash is given; the rest is a hint that
 * guardrail_key_prefetch() and guardrail_key_find_locked() keep.
 */

typedef struct {
    uint64_t  hash[2];
    uint32_t  entry;                    /* GUARDRAIL_ZONE_NONE: not known */
    uint32_t  generation;
    unsigned  overflow:1;               /* it is on the shared entry */
} guardrail_key_t;


/* A rate of a request.  limit is given, all else is zero at first. */

typedef struct {
    guardrail_limit_t   limit;

    /* the window as it was looked at last; outside the lock read this one */

    guardrail_window_t  window;

    /* what was charged: in the newest window, and in the one before */

    uint32_t            number[2];      /* guardrail_window_t.id */
    uint64_t            charged[2];

    /* and to whom: an entry may become another key's, and this one's again */

    guardrail_entry_t  *entry;
    uint32_t            generation;
} guardrail_rate_t;


typedef enum {
    GUARDRAIL_RATE_ADMITTED = 0,
    GUARDRAIL_RATE_REFUSED,             /* will be admitted, later */
    GUARDRAIL_RATE_NEVER,               /* the cost is above the limit */
    GUARDRAIL_RATE_NO_ROOM              /* the zone counts other pairs */
} guardrail_rate_rc_e;


/*
 * Before the lock is taken: waits for what find will look at, outside of it.
 * Where the entry was found is a guess, since others may change it meanwhile.
 */

void guardrail_key_prefetch(const guardrail_zone_t *z, guardrail_key_t *key);

/*
 * The entry of a key, made if there is none: in free room, or in that of a
 * key that nobody loses anything by (guardrail_entry_t.keep_until, level).
 * Without such room it is the shared entry, or NULL if share is 0.  The
 * change is not committed.
 */

guardrail_entry_t *guardrail_key_find_locked(guardrail_zone_t *z,
    guardrail_key_t *key, uint64_t now, unsigned share);

/* The entry of a key that is there, or NULL; nothing changes. */

guardrail_entry_t *guardrail_key_peek_locked(const guardrail_zone_t *z,
    const guardrail_key_t *key);

/*
 * The room of a (unit, period), taken if there is none: an index, or
 * GUARDRAIL_ZONE_NONE.  epoch is the number of the configuration that names
 * it, 0 for none.  Room is free again when the newest configuration does not
 * name the pair, and it was not charged for two of its periods; who finds a
 * pair of which this is true has it for two more.  The change is not
 * committed.
 */

uint32_t guardrail_pair_find_locked(guardrail_zone_t *z,
    const guardrail_limit_t *limit, uint64_t now, uint32_t epoch);

/*
 * Would cost be admitted?  Charges nothing, but may take room for the pair;
 * not committed.
 */

guardrail_rate_rc_e guardrail_rate_admit_locked(guardrail_zone_t *z,
    guardrail_entry_t *e, guardrail_rate_t *r, uint64_t now, uint64_t cost);

/* Charges, whatever the limit is; not committed. */

void guardrail_rate_charge_locked(guardrail_zone_t *z, guardrail_entry_t *e,
    guardrail_rate_t *r, uint64_t now, uint64_t amount);

/*
 * Takes back up to amount of what this request charged, the newest first, as
 * far as it still counts; not committed.  Nothing, if the entry of key is not
 * the one that was charged, or was given to another key since.
 */

void guardrail_rate_give_back_locked(guardrail_zone_t *z,
    const guardrail_key_t *key, guardrail_rate_t *r, uint64_t amount);

/*
 * One more request was refused by a rate; nothing, if the zone does not count
 * it.  Not undone.
 */

void guardrail_rate_refused_locked(guardrail_zone_t *z,
    const guardrail_limit_t *limit);


#endif /* GUARDRAIL_RATE_H */
