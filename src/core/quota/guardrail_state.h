
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The rates of a zone as bytes, to survive a restart: a head, a record for
 * each key that has something in use, a tail.  Numbers are in the machine's
 * own order, which the head tells; what was written by another program, for
 * another zone or not to its end is not read.
 */


#ifndef GUARDRAIL_STATE_H
#define GUARDRAIL_STATE_H


#include "quota/guardrail_rate.h"


#define GUARDRAIL_STATE_MAGIC    0x6574617473647267
#define GUARDRAIL_STATE_END      0x646e656473647267
#define GUARDRAIL_STATE_ORDER    0x01020304

/* of this format; files of a later one are not read */

#define GUARDRAIL_STATE_VERSION  1


typedef struct {
    uint32_t  unit;                     /* guardrail_unit_e + 1; 0: none */
    uint32_t  period;                   /* seconds */
    uint32_t  delta;                    /* of this zone, while it writes */
    uint32_t  unused;
} guardrail_state_pair_t;


typedef struct {
    uint64_t                magic;
    uint32_t                version;
    uint32_t                order;
    uint64_t                zone[2];    /* hash of its name */
    uint64_t                id;         /* of the zone that wrote */
    uint64_t                created;    /* zone time, ms */
    uint64_t                written;    /* zone time, ms */
    uint32_t                kind;       /* of the secret: the caller's */
    uint32_t                rates;      /* pairs, and counters of a record */
    uint8_t                 secret[16];
    guardrail_state_pair_t  pairs[GUARDRAIL_ZONE_MAX_RATES];
} guardrail_state_head_t;


typedef struct {
    uint64_t  end;                      /* GUARDRAIL_STATE_END */
    uint64_t  records;
    uint32_t  crc;                      /* of all bytes before this one */
    uint32_t  unused;
} guardrail_state_tail_t;


/* a counter of a record */

typedef struct {
    uint64_t  previous;
    uint64_t  current;
    uint32_t  id;                       /* of the window: time / period */
    uint32_t  unused;
} guardrail_state_window_t;


typedef struct {
    uint64_t                  hash[2];
    uint32_t                  keep_until;
    uint32_t                  last_use;
    guardrail_state_window_t  windows[GUARDRAIL_ZONE_MAX_RATES];
} guardrail_state_record_t;


/* bytes of a record with so many counters */

static inline size_t
guardrail_state_size(uint32_t rates)
{
    return offsetof(guardrail_state_record_t, windows)
           + rates * sizeof(guardrail_state_window_t);
}


/* fills in what a zone says of itself: id, created, rates, pairs */

void guardrail_state_head_locked(const guardrail_zone_t *z,
    guardrail_state_head_t *head);

/*
 * The record of entry i: 1, or 0 if nothing of it counts any more at now.
 * What was counted for another pair than head says is left out.
 */

unsigned guardrail_state_record_locked(guardrail_zone_t *z, uint32_t i,
    const guardrail_state_head_t *head, uint64_t now,
    guardrail_state_record_t *r);

/* Is it a head that this program reads? */

unsigned guardrail_state_valid(const guardrail_state_head_t *head);

/*
 * Adds a record to the zone, if there is room for its key and its pairs.
 * Committed.
 */

void guardrail_state_restore_locked(guardrail_zone_t *z,
    const guardrail_state_head_t *head, const guardrail_state_record_t *r,
    uint64_t now);


#endif /* GUARDRAIL_STATE_H */
