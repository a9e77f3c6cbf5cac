
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the files of the levels share.  Nothing here is committed.
 */


#ifndef GUARDRAIL_LEVEL_PRIVATE_H
#define GUARDRAIL_LEVEL_PRIVATE_H


#include "quota/guardrail_level.h"


/* grants in one call: others wait for the lock meanwhile */

#define GUARDRAIL_LEVEL_GRANTS   64

/* holds, or grants that nobody took, that end in one call, likewise */

#define GUARDRAIL_LEVEL_EXPIRES  256


#define guardrail_level_index(z, l)                                           \
    ((uint32_t) ((l) - (z)->levels) + 1)


/* the level of an entry, made if there is none; NULL without room */

guardrail_level_t *guardrail_level_get(guardrail_zone_t *z,
    guardrail_entry_t *e);

/* one record less points to it; without any it is free */

void guardrail_level_put(guardrail_zone_t *z, guardrail_level_t *l);

/* a lease in the list of a slot, NULL without room; a record more of l */

guardrail_lease_t *guardrail_lease_add(guardrail_zone_t *z,
    guardrail_level_t *l, uint32_t unit, uint32_t slot, uint64_t amount);

/* out of the list of its slot */

void guardrail_lease_unlink(guardrail_zone_t *z, guardrail_lease_t *lease);
void guardrail_lease_free(guardrail_zone_t *z, guardrail_lease_t *lease);

/* what is in use of a unit, and in the zone */

void guardrail_level_add(guardrail_zone_t *z, guardrail_level_t *l,
    uint32_t unit, uint64_t amount);
void guardrail_level_subtract(guardrail_zone_t *z, guardrail_level_t *l,
    uint32_t unit, uint64_t amount);

/*
 * Lists of waiters, i is an index + 1: at the end, before the first that came
 * later (those who came back are near the front), out of it.
 */

void guardrail_list_append(guardrail_zone_t *z, guardrail_list_t *list,
    uint32_t i);
void guardrail_list_insert(guardrail_zone_t *z, guardrail_list_t *list,
    uint32_t i);
void guardrail_list_remove(guardrail_zone_t *z, guardrail_list_t *list,
    uint32_t i);

/* the first in line who is there, or NULL */

guardrail_waiter_t *guardrail_queue_first(const guardrail_zone_t *z,
    const guardrail_level_t *l, uint32_t unit);

/* grants what is free; commits before, between and after */

void guardrail_queue_grant(guardrail_zone_t *z, uint32_t level, uint32_t unit,
    uint64_t now);

/* ends grants that nobody took; commits */

void guardrail_queue_expire(guardrail_zone_t *z, uint64_t now);


#endif /* GUARDRAIL_LEVEL_PRIVATE_H */
