
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The heaviest keys of a zone by name: a table of a few rows, the only place
 * where a name is kept.
 *
 * The weight of a key is the largest part of a LIMIT that it has used, of all
 * its rates and levels: of a rate both counters of its window over the LIMIT
 * that it was charged under last, so up to two periods.  A key gets a row
 * when its weight is above that of the lightest row, which is given away.
 * Who charges asks guardrail_heavy_charged_locked() behind it: that compares
 * with the lightest weight, and does more only if a counter has grown by
 * about an eighth, so once and again for those who are in the table.
 *
 * Weights are hints, which are not undone when a process is killed: they are
 * measured again all the time, eight rows each 64 ms in which something is
 * charged.  What a row says is undone as all else.
 *
 * now is the zone's time in milliseconds, in all functions.
 */


#ifndef GUARDRAIL_HEAVY_H
#define GUARDRAIL_HEAVY_H


#include "quota/guardrail_level.h"
#include "quota/guardrail_rate.h"


/* contract 4.1 */

#define GUARDRAIL_HEAVY_ROWS   128
#define GUARDRAIL_HEAVY_NAME   64       /* bytes */

/* what is weighed again, and how often: a round of all rows takes a second */

#define GUARDRAIL_HEAVY_STEP   8        /* rows */
#define GUARDRAIL_HEAVY_SHIFT  6        /* 2^6 ms */

/* rows that are looked at when one is to be given away */

#define GUARDRAIL_HEAVY_TRIES  3


/* all bytes zero is an empty one */

typedef struct guardrail_heavy_row_s {
    uint8_t   name[GUARDRAIL_HEAVY_NAME];

    /* the LIMIT that each pair was charged, each level asked under; 0: none */

    uint64_t  limits[GUARDRAIL_ZONE_MAX_RATES];
    uint64_t  levels[GUARDRAIL_LEVEL_UNITS];

    uint32_t  generation;               /* of the entry */
    uint8_t   len;                      /* of the name; 0: it is not kept */
    uint8_t   serials[GUARDRAIL_ZONE_MAX_RATES];        /* of the pairs */
    uint8_t   unused[27];
} guardrail_heavy_row_t;


/* the first line of the table */

struct guardrail_heavy_s {
    uint64_t  floor;                    /* the lightest weight */
    uint32_t  tick;                     /* when rows were weighed, 2^6 ms */
    uint32_t  hand;                     /* the row that comes next */
    uint64_t  unused[6];
};


/* a row as it is copied out of a zone, with what its key has in use */

typedef struct {
    uint64_t            hash[2];        /* of the key */
    guardrail_window_t  windows[GUARDRAIL_ZONE_MAX_RATES];
    uint64_t            limits[GUARDRAIL_ZONE_MAX_RATES];   /* 0: no charge */
    uint64_t            used[GUARDRAIL_LEVEL_UNITS];
    uint64_t            levels[GUARDRAIL_LEVEL_UNITS];      /* LIMIT or 0 */
    uint32_t            waiting;
    uint32_t            last_use;       /* s */
    uint8_t             name[GUARDRAIL_HEAVY_NAME];
    uint8_t             len;            /* 0: it has none, show the hash */
} guardrail_heavy_copy_t;


/* weights are 2^32 times the part of a limit; is this one above the floor? */

__extension__ typedef unsigned __int128  guardrail_heavy_u128_t;

static inline unsigned
guardrail_heavy_above(const guardrail_zone_t *z, uint64_t used,
    uint64_t limit)
{
    return ((guardrail_heavy_u128_t) used << 32)
           >= (guardrail_heavy_u128_t) limit * (z->heavy->floor + 1);
}


/* are the first four binary digits of both not the same? */

static inline unsigned
guardrail_heavy_grown(uint64_t before, uint64_t after)
{
    return ((before ^ after) >> (60 - __builtin_clzll(after | 15))) != 0;
}


static inline unsigned
guardrail_heavy_due(const guardrail_zone_t *z, uint64_t now)
{
    return z->heavy->tick != (uint32_t) (now >> GUARDRAIL_HEAVY_SHIFT);
}


/* the work of those below; unit: of a level, or GUARDRAIL_ZONE_NONE */

void guardrail_heavy_note_locked(guardrail_zone_t *z,
    const guardrail_key_t *key, const uint8_t *name, size_t len,
    const guardrail_limit_t *limit, uint32_t unit, uint64_t now);


/*
 * After amount was charged: r->window is what it has become.  name is the
 * key's as it was given, of up to GUARDRAIL_HEAVY_NAME bytes; len is 0 for
 * one that is longer, and for a secret.  A key on the shared entry is not
 * alone there, and has no row.  Not committed.
 */

static inline void
guardrail_heavy_charged_locked(guardrail_zone_t *z,
    const guardrail_key_t *key, const uint8_t *name, size_t len,
    const guardrail_rate_t *r, uint64_t amount, uint64_t now)
{
    const guardrail_window_t  *w = &r->window;

    if (guardrail_heavy_due(z, now)
        || (guardrail_heavy_above(z, guardrail_add_sat(w->previous,
                                                       w->current),
                                  r->limit.value)
            && guardrail_heavy_grown(w->current - amount, w->current)))
    {
        guardrail_heavy_note_locked(z, key, name, len, &r->limit,
                                    GUARDRAIL_ZONE_NONE, now);
    }
}


/* After amount of a level was taken by key, whose entry is want->entry. */

static inline void
guardrail_heavy_taken_locked(guardrail_zone_t *z, const guardrail_key_t *key,
    const uint8_t *name, size_t len, const guardrail_want_t *want,
    uint64_t now)
{
    uint64_t           used;
    guardrail_limit_t  limit;

    used = guardrail_level_used_locked(z, want);

    if (guardrail_heavy_due(z, now)
        || (guardrail_heavy_above(z, used, want->limit)
            && guardrail_heavy_grown(used - want->amount, used)))
    {
        limit.value = want->limit;
        guardrail_heavy_note_locked(z, key, name, len, &limit, want->unit,
                                    now);
    }
}


/*
 * Copies up to n rows from *from on, which becomes the next one; returns how
 * many there were.  The end is when *from is z->n_heavy.  Windows are as they
 * were charged last; those of pairs that the zone does not count, and of
 * those that this row was not charged for, have limits of 0.
 */

uint32_t guardrail_heavy_copy_locked(const guardrail_zone_t *z,
    uint32_t *from, uint32_t n, guardrail_heavy_copy_t *copy);


#endif /* GUARDRAIL_HEAVY_H */
