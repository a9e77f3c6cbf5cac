
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_heavy.h"


/*
 * The parts of a zone that are not entries: hundredths of its size, and what
 * a small zone has at least, since a zone of one key may have as many leases
 * as one of a million.
 */

#define GUARDRAIL_ZONE_LEVELS       3
#define GUARDRAIL_ZONE_LEASES       4
#define GUARDRAIL_ZONE_WAITERS      1

#define GUARDRAIL_ZONE_MIN_LEVELS   256
#define GUARDRAIL_ZONE_MIN_LEASES   1024
#define GUARDRAIL_ZONE_MIN_WAITERS  128

/* processes: workers, and those of configurations before this one */

#define GUARDRAIL_ZONE_MIN_SLOTS    64
#define GUARDRAIL_ZONE_MAX_SLOTS    1024
#define GUARDRAIL_ZONE_SLOT_SHARE   16384   /* bytes of the zone for each */


static uint32_t guardrail_zone_share(size_t size, size_t hundredths,
    size_t record, size_t least);


_Static_assert(sizeof(guardrail_level_t) == GUARDRAIL_ZONE_LINE, "level");
_Static_assert(sizeof(guardrail_slot_t) == GUARDRAIL_ZONE_LINE, "slot");
_Static_assert(sizeof(guardrail_waiter_t) == GUARDRAIL_ZONE_LINE, "waiter");
_Static_assert(sizeof(guardrail_lease_t) * 2 == GUARDRAIL_ZONE_LINE, "lease");
_Static_assert(sizeof(guardrail_pair_t) * 2 == GUARDRAIL_ZONE_LINE, "pair");
_Static_assert(sizeof(guardrail_entry_t) * 2 == GUARDRAIL_ZONE_LINE, "entry");
_Static_assert(sizeof(guardrail_zone_stats_t) % GUARDRAIL_ZONE_LINE == 0,
               "stats");
_Static_assert(offsetof(guardrail_zone_head_t, undo_count)
               == GUARDRAIL_ZONE_LINE, "head");
_Static_assert(offsetof(guardrail_zone_head_t, free_levels)
               % GUARDRAIL_ZONE_LINE == 0, "room");
_Static_assert(offsetof(guardrail_zone_head_t, leases)
               % GUARDRAIL_ZONE_LINE == 0, "gauges");
_Static_assert(sizeof(guardrail_zone_head_t) % GUARDRAIL_ZONE_LINE == 0,
               "head");


static uint32_t
guardrail_zone_share(size_t size, size_t hundredths, size_t record,
    size_t least)
{
    size_t  n;

    n = size / 100 * hundredths / record;

    if (n < least) {
        n = least;
    }

    /* whole lines, and an index + 1 that fits */

    n &= ~(size_t) 1;

    return n < UINT32_MAX / 2 ? (uint32_t) n : UINT32_MAX / 2;
}


unsigned
guardrail_zone_layout(guardrail_zone_t *z, void *base, size_t size,
    uint32_t rates)
{
    size_t    n, slots, bucket, fixed;
    uint8_t  *p;

    if (size < GUARDRAIL_ZONE_MIN_SIZE || size > GUARDRAIL_ZONE_MAX_SIZE
        || rates == 0 || rates > GUARDRAIL_ZONE_MAX_RATES)
    {
        return 0;
    }

    z->rates = rates;

    n = sizeof(guardrail_entry_t) + rates * sizeof(uint32_t);
    z->windows = (n + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);

    n = z->windows + rates * 2 * sizeof(uint64_t);
    z->entry_size = (n + GUARDRAIL_ZONE_LINE - 1)
                    & ~(size_t) (GUARDRAIL_ZONE_LINE - 1);

    slots = size / GUARDRAIL_ZONE_SLOT_SHARE;

    if (slots < GUARDRAIL_ZONE_MIN_SLOTS) {
        slots = GUARDRAIL_ZONE_MIN_SLOTS;

    } else if (slots > GUARDRAIL_ZONE_MAX_SLOTS) {
        slots = GUARDRAIL_ZONE_MAX_SLOTS;
    }

    z->n_slots = (uint32_t) slots;
    z->n_heavy = GUARDRAIL_HEAVY_ROWS;

    z->n_levels = guardrail_zone_share(size, GUARDRAIL_ZONE_LEVELS,
                                       sizeof(guardrail_level_t),
                                       GUARDRAIL_ZONE_MIN_LEVELS);
    z->n_leases = guardrail_zone_share(size, GUARDRAIL_ZONE_LEASES,
                                       sizeof(guardrail_lease_t),
                                       GUARDRAIL_ZONE_MIN_LEASES);
    z->n_waiters = guardrail_zone_share(size, GUARDRAIL_ZONE_WAITERS,
                                        sizeof(guardrail_waiter_t),
                                        GUARDRAIL_ZONE_MIN_WAITERS);

    fixed = sizeof(guardrail_zone_head_t)
            + sizeof(guardrail_heavy_t)
            + z->n_heavy * (sizeof(uint64_t) + sizeof(uint32_t)
                            + sizeof(guardrail_heavy_row_t))
            + z->n_slots * sizeof(guardrail_slot_t)
            + z->n_levels * sizeof(guardrail_level_t)
            + z->n_leases * sizeof(guardrail_lease_t)
            + z->n_waiters * sizeof(guardrail_waiter_t);

    bucket = GUARDRAIL_ZONE_BUCKET * GUARDRAIL_ZONE_LINE;
    fixed = (fixed + bucket - 1) & ~(bucket - 1);

    z->lines = (uint32_t) (z->entry_size / GUARDRAIL_ZONE_LINE);
    z->ways = (uint32_t) (bucket / (z->entry_size + sizeof(uint16_t)));
    z->first = GUARDRAIL_ZONE_BUCKET - z->ways * z->lines;

    /* the shared entry stands behind the others */

    n = (size - fixed - z->entry_size) / bucket;

    z->n_buckets = (uint32_t) n;
    z->n_entries = z->n_buckets * z->ways;
    z->shared = z->n_buckets * GUARDRAIL_ZONE_BUCKET;

    p = base;
    z->head = base;
    p += sizeof(guardrail_zone_head_t);

    z->heavy = (guardrail_heavy_t *) (void *) p;
    p += sizeof(guardrail_heavy_t);

    z->weights = (uint64_t *) (void *) p;
    p += z->n_heavy * sizeof(uint64_t);

    z->heavy_entries = (uint32_t *) (void *) p;
    p += z->n_heavy * sizeof(uint32_t);

    z->heavy_rows = (guardrail_heavy_row_t *) (void *) p;
    p += z->n_heavy * sizeof(guardrail_heavy_row_t);

    z->slots = (guardrail_slot_t *) (void *) p;
    p += z->n_slots * sizeof(guardrail_slot_t);

    z->levels = (guardrail_level_t *) (void *) p;
    p += z->n_levels * sizeof(guardrail_level_t);

    z->leases = (guardrail_lease_t *) (void *) p;
    p += z->n_leases * sizeof(guardrail_lease_t);

    z->waiters = (guardrail_waiter_t *) (void *) p;

    z->buckets = (uint8_t *) base + fixed;

    return 1;
}


void
guardrail_zone_create(guardrail_zone_t *z, uint64_t size, uint64_t id,
    uint64_t now, uint64_t clock)
{
    guardrail_zone_head_t  *head;

    head = z->head;

    head->size = size;
    head->id = id;
    head->created = now;
    head->clock = clock;
    head->version = GUARDRAIL_ZONE_VERSION;
    head->rates = z->rates;
    head->expired = (uint32_t) (now / 1000);

    guardrail_zone_barrier();

    head->magic = GUARDRAIL_ZONE_MAGIC;
}


unsigned
guardrail_zone_valid(const guardrail_zone_t *z, uint64_t size)
{
    return z->head->magic == GUARDRAIL_ZONE_MAGIC
           && z->head->version == GUARDRAIL_ZONE_VERSION
           && z->head->size == size
           && z->head->rates == z->rates;
}


unsigned
guardrail_zone_repair_locked(guardrail_zone_t *z)
{
    uint32_t                n;
    guardrail_zone_head_t  *head;

    head = z->head;

    if (head->undo_count == 0) {
        return 0;
    }

    /* once more from the start, if this process is killed here */

    for (n = head->undo_count; n; n--) {
        memcpy((uint8_t *) head
               + (size_t) head->undo_line[n - 1] * GUARDRAIL_ZONE_LINE,
               head->undo[n - 1], GUARDRAIL_ZONE_LINE);
        guardrail_zone_barrier();
        guardrail_zone_point();
    }

    head->undo_count = 0;

    guardrail_zone_barrier();

    return 1;
}
