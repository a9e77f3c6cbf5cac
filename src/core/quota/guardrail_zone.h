
/*
 * Copyright (C) nginx-guardrail authors
 *
 * A zone: one block of memory that several processes share, carved once into
 * tables of fixed size.  Everything in it is an index or an offset, so it may
 * be mapped anywhere.
 *
 * A process may be killed at any instruction, under the lock too.  No order
 * of plain writes is safe against that, so each line of 64 bytes is saved
 * into an undo log before it changes (guardrail_zone_touch), and the log is
 * emptied when all changes that belong together are made
 * (guardrail_zone_commit).  Who takes the lock next and finds a log puts the
 * old lines back first (guardrail_zone_repair_locked).
 *
 * In this room a function whose name ends in _locked is called with the
 * zone's lock held, by one process at a time.
 */


#ifndef GUARDRAIL_ZONE_H
#define GUARDRAIL_ZONE_H


#include "base/guardrail_base.h"
#include "quota/guardrail_limit.h"

#include <string.h>


#define GUARDRAIL_ZONE_MAGIC      0x6c72647261756731

/* of the layout: all that two programs must agree on to share a zone */

#define GUARDRAIL_ZONE_VERSION    3

#define GUARDRAIL_ZONE_LINE       64        /* bytes */
#define GUARDRAIL_ZONE_UNDO       16        /* lines, most in one change */
#define GUARDRAIL_ZONE_MAX_RATES  8
#define GUARDRAIL_ZONE_MIN_SIZE   (256 * 1024)

/* a page of most machines: all that is in it is found by one entry of a TLB */

#define GUARDRAIL_ZONE_BUCKET     64        /* lines */

/* lines have numbers of 32 bits */

#define GUARDRAIL_ZONE_MAX_SIZE   ((uint64_t) 256 * 1024 * 1024 * 1024)

#define GUARDRAIL_ZONE_WHEEL      64        /* seconds in a turn */

/*
 * No entry, level, lease, ..: indices count from 0.  That of an entry is the
 * number of its first line, from the first bucket on.
 */

#define GUARDRAIL_ZONE_NONE       UINT32_MAX


/* the units of a level, as indices */

#define GUARDRAIL_LEVEL_UPLOADS      0
#define GUARDRAIL_LEVEL_CONCURRENCY  1
#define GUARDRAIL_LEVEL_MEMORY       2
#define GUARDRAIL_LEVEL_UNITS        3

#define guardrail_level_unit(unit)   ((unit) - GUARDRAIL_UNIT_UPLOADS)


/*
 * A (unit, period) that this zone counts.  Entries hold a window for each
 * pair, with a number that is now / period less delta.  When the room of a
 * pair is given to another one, delta is chosen so that all numbers that are
 * left in entries are that many windows old: two of them would do if all
 * processes had the same time.  Numbers wrap: the larger one of two is the
 * one that is less than 2^31 ahead.
 */

#define GUARDRAIL_PAIR_GAP  64

typedef struct {
    uint32_t  unit;                     /* guardrail_unit_e + 1; 0: free */
    uint32_t  period;                   /* seconds */
    uint32_t  delta;
    uint32_t  top;                      /* the largest number stored */
    uint32_t  used;                     /* when it was charged last, s */
    uint32_t  epoch;                    /* of who named it last */
    uint32_t  serial;                   /* counts the pairs that stood here */
    uint32_t  unused;
} guardrail_pair_t;


/*
 * A bucket is a page:
 *
 *     uint16_t   tag, for each way
 *     entries, at the end of the page
 *
 * An entry is the key of a tenant and its rates, one or more lines:
 *
 *     guardrail_entry_t
 *     uint32_t   number of the window, for each pair
 *     { uint64_t previous, current; }, for each pair
 */

typedef struct {
    uint64_t  hash[2];
    uint32_t  keep_until;               /* s: not evicted before */
    uint32_t  last_use;                 /* s */
    uint32_t  generation;               /* counts the keys that stood here, */
                                        /* 0: none */
    uint32_t  level;                    /* index + 1, or 0 */
} guardrail_entry_t;


/* first and last of a list by index + 1, 0 for none */

typedef struct {
    uint32_t  head;
    uint32_t  tail;
} guardrail_list_t;


/* what a key has in use: one line, for entries with leases or waiters only */

typedef struct {
    uint64_t          used[GUARDRAIL_LEVEL_UNITS];
    guardrail_list_t  queue[GUARDRAIL_LEVEL_UNITS - 1];
    uint32_t          waiting[GUARDRAIL_LEVEL_UNITS - 1];
    uint32_t          entry;            /* index, or the next free level + 1 */
    uint32_t          records;          /* leases, holds, waiters */

    /* latest first, index + 1 */

    uint32_t          holds[GUARDRAIL_LEVEL_UNITS - 1];
} guardrail_level_t;


/* what one request, or one that has ended, takes of a unit */

typedef struct {
    uint64_t  amount;
    uint32_t  level;                    /* index + 1; 0: free */
    uint32_t  next;                     /* of the slot, the wheel, free ones */
    uint32_t  prev;                     /* of the slot; of a hold: the next */
                                        /* one of the level */
    uint32_t  end;                      /* s, of a hold; 0: a lease */
    uint32_t  slot;                     /* index + 1; of a hold: how many */
                                        /* leases it stands for */
    uint32_t  unit;                     /* GUARDRAIL_LEVEL_.. */
} guardrail_lease_t;


typedef enum {
    GUARDRAIL_WAITER_FREE = 0,
    GUARDRAIL_WAITER_WAITS,
    GUARDRAIL_WAITER_GRANTED,
    GUARDRAIL_WAITER_PASSED             /* did not take what was granted */
} guardrail_waiter_e;


typedef struct {
    uint64_t          ticket;           /* order of first arrival */
    uint64_t          amount;
    uint64_t          limit;            /* its own LIMIT */
    uint64_t          granted;          /* when, ms */
    guardrail_list_t  queue;            /* next, previous: of the queue, or */
                                        /* of the granted ones */
    guardrail_list_t  mine;             /* next, previous: of the slot */
    uint32_t          level;            /* index + 1 */
    uint32_t          slot;             /* index + 1 */
    uint32_t          unit;
    uint32_t          state;            /* guardrail_waiter_e */
} guardrail_waiter_t;


/* a process, while it has leases or waiters here */

typedef struct {
    uint64_t  start;                    /* of the process, to tell it from */
                                        /* a later one with its number */
    uint32_t  pid;                      /* 0: free */
    uint32_t  generation;
    uint32_t  leases;                   /* index + 1 */
    uint32_t  waiters;
    uint32_t  epoch;                    /* of its configuration */
    uint32_t  unused[9];
} guardrail_slot_t;


/* never undone: a counter may be one off when a process was killed */

typedef struct {
    uint64_t  evictions;
    uint64_t  overflows;                /* requests on the shared entry */
    uint64_t  reclaimed;                /* leases of dead processes */
    uint64_t  timeouts;                 /* of those who waited */
    uint64_t  abandoned;                /* their clients left */
    uint64_t  full;                     /* no room for a lease */
    uint64_t  forced;                   /* locks of dead processes */
    uint64_t  repairs;

    /* by pair, and behind them by GUARDRAIL_LEVEL_.. */

    uint64_t  refusals[GUARDRAIL_ZONE_MAX_RATES + GUARDRAIL_LEVEL_UNITS];

    uint64_t  unsaved;                  /* lines; not 0 is a mistake here */
    uint64_t  unused[4];
} guardrail_zone_stats_t;


/* whole lines, in this order */

typedef struct {

    /* set when the zone is made */

    uint64_t                magic;
    uint64_t                size;       /* bytes, as carved */
    uint64_t                id;         /* random */
    uint64_t                clock;      /* zone time less the clock's, ms */
    uint64_t                created;    /* zone time, ms */
    uint32_t                version;
    uint32_t                rates;
    uint64_t                unused[2];

    /* the undo log */

    uint32_t                undo_count;
    uint32_t                undo_unused[15];
    uint32_t                undo_line[GUARDRAIL_ZONE_UNDO];
    uint8_t                 undo[GUARDRAIL_ZONE_UNDO][GUARDRAIL_ZONE_LINE];

    /* who took the lock last; not undone */

    uint64_t                owner;      /* its pid */
    uint64_t                owner_start;
    uint64_t                owner_unused[6];

    /* room: free ones by index + 1, and how many were ever used */

    uint32_t                free_levels;
    uint32_t                free_leases;
    uint32_t                free_waiters;
    uint32_t                used_levels;
    uint32_t                used_leases;
    uint32_t                used_waiters;
    guardrail_list_t        granted;
    uint64_t                ticket;
    uint32_t                epoch;      /* the newest configuration's */
    uint32_t                expired;    /* holds up to this second */
    uint64_t                written;    /* when its state was saved, ms */
    uint64_t                room_unused;

    /* gauges */

    uint32_t                leases[GUARDRAIL_LEVEL_UNITS];
    uint32_t                holds;      /* leases that became holds */
    uint64_t                memory;     /* bytes, of leases and holds */
    uint32_t                waiting;
    uint32_t                entries;
    uint64_t                gauges_unused[4];

    guardrail_zone_stats_t  stats;

    guardrail_pair_t        pairs[GUARDRAIL_ZONE_MAX_RATES];
    uint32_t                wheel[GUARDRAIL_ZONE_WHEEL];
} guardrail_zone_head_t;


/* the names of the heaviest keys, see guardrail_heavy.h */

typedef struct guardrail_heavy_s  guardrail_heavy_t;


/* a zone as one process sees it */

typedef struct {
    guardrail_zone_head_t  *head;
    guardrail_heavy_t      *heavy;
    uint64_t               *weights;    /* of its rows; not undone */
    uint32_t               *heavy_entries;      /* index + 1; 0: free */
    struct guardrail_heavy_row_s  *heavy_rows;
    guardrail_slot_t       *slots;
    guardrail_level_t      *levels;
    guardrail_lease_t      *leases;
    guardrail_waiter_t     *waiters;
    uint8_t                *buckets;    /* at whole pages from head */

    size_t                  entry_size; /* bytes, whole lines */
    size_t                  windows;    /* their offset in an entry */
    uint32_t                rates;
    uint32_t                lines;      /* of an entry */
    uint32_t                ways;       /* entries in a bucket, <= 64 */
    uint32_t                first;      /* line of the first one in there */
    uint32_t                n_buckets;
    uint32_t                n_entries;  /* and one more, the shared one */
    uint32_t                shared;     /* its index */
    uint32_t                n_heavy;
    uint32_t                n_slots;
    uint32_t                n_levels;
    uint32_t                n_leases;
    uint32_t                n_waiters;
} guardrail_zone_t;


/*
 * Where everything is in size bytes at base, which is aligned to a line, and
 * to a page if it shall be fast.
 * The layout follows from size and rates alone.  Nothing is read or written.
 * Returns 0 if size is too small or too large, or rates out of range.
 */

unsigned guardrail_zone_layout(guardrail_zone_t *z, void *base, size_t size,
    uint32_t rates);

/*
 * Makes a zone of memory that is all zero.  now is the wall clock's time and
 * clock the difference of it and the clock that will be used, in ms.
 */

void guardrail_zone_create(guardrail_zone_t *z, uint64_t size, uint64_t id,
    uint64_t now, uint64_t clock);

/* is there a zone of this layout? */

unsigned guardrail_zone_valid(const guardrail_zone_t *z, uint64_t size);

/* puts back what a killed process left half-done; 1 if there was something */

unsigned guardrail_zone_repair_locked(guardrail_zone_t *z);


static inline guardrail_entry_t *
guardrail_zone_entry(const guardrail_zone_t *z, uint32_t i)
{
    return (guardrail_entry_t *) (void *) (z->buckets
                                           + (size_t) i * GUARDRAIL_ZONE_LINE);
}


static inline uint32_t
guardrail_zone_index(const guardrail_zone_t *z, const guardrail_entry_t *e)
{
    return (uint32_t) ((size_t) ((const uint8_t *) e - z->buckets)
                       / GUARDRAIL_ZONE_LINE);
}


/* the index of an entry by its bucket, and its number in there: its way */

static inline uint32_t
guardrail_zone_place(const guardrail_zone_t *z, uint32_t bucket, uint32_t way)
{
    return bucket * GUARDRAIL_ZONE_BUCKET + z->first + way * z->lines;
}


/* of all entries, from 0 to n_entries, which is the shared one */

static inline uint32_t
guardrail_zone_nth(const guardrail_zone_t *z, uint32_t n)
{
    return (n < z->n_entries) ? guardrail_zone_place(z, n / z->ways,
                                                     n % z->ways)
                              : z->shared;
}


/* one for each way, 0: it is free */

static inline uint16_t *
guardrail_zone_tags(const guardrail_zone_t *z, uint32_t bucket)
{
    return (uint16_t *) (void *) (z->buckets
                                  + (size_t) bucket * GUARDRAIL_ZONE_BUCKET
                                    * GUARDRAIL_ZONE_LINE);
}


/* that of an entry: the shared one has none */

static inline uint16_t *
guardrail_zone_tag(const guardrail_zone_t *z, uint32_t i)
{
    return guardrail_zone_tags(z, i / GUARDRAIL_ZONE_BUCKET)
           + (i % GUARDRAIL_ZONE_BUCKET - z->first) / z->lines;
}


/* a point at which a process may die: builds for tests are told */

#ifdef GUARDRAIL_ZONE_POINTS

void guardrail_zone_point_hit(void) __attribute__((weak));

#define guardrail_zone_point()                                                \
    if (guardrail_zone_point_hit) guardrail_zone_point_hit()

#else
#define guardrail_zone_point()
#endif

/* the compiler must not move writes; the processor retires them in order */

#define guardrail_zone_barrier()  __atomic_signal_fence(__ATOMIC_SEQ_CST)


/* before the bytes at p change: all lines that they are in */

static inline void
guardrail_zone_touch(guardrail_zone_t *z, const void *p, size_t len)
{
    size_t                  line, last;
    uint32_t                i, n;
    guardrail_zone_head_t  *head;

    head = z->head;

    line = (size_t) ((const uint8_t *) p - (const uint8_t *) head);
    last = (line + len - 1) / GUARDRAIL_ZONE_LINE;

    for (line /= GUARDRAIL_ZONE_LINE; line <= last; line++) {

        n = head->undo_count;

        for (i = 0; i < n && head->undo_line[i] != line; i++) { /* void */ }

        if (i < n) {
            continue;
        }

        if (n == GUARDRAIL_ZONE_UNDO) {

            /* not reached: no change has so many lines; see the tests */

            head->stats.unsaved++;
            return;
        }

        memcpy(head->undo[n], (uint8_t *) head + line * GUARDRAIL_ZONE_LINE,
               GUARDRAIL_ZONE_LINE);
        head->undo_line[n] = (uint32_t) line;

        guardrail_zone_barrier();

        head->undo_count = n + 1;
    }

    guardrail_zone_barrier();
    guardrail_zone_point();
}


static inline void
guardrail_zone_commit(guardrail_zone_t *z)
{
    guardrail_zone_point();
    guardrail_zone_barrier();

    z->head->undo_count = 0;

    guardrail_zone_barrier();
    guardrail_zone_point();
}


#endif /* GUARDRAIL_ZONE_H */
