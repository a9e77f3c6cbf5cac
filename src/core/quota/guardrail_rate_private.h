
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The window of an entry for a pair, as the numbers of other files have it.
 */


#ifndef GUARDRAIL_RATE_PRIVATE_H
#define GUARDRAIL_RATE_PRIVATE_H


#include "quota/guardrail_rate.h"


/* the room of a pair that the zone counts, or GUARDRAIL_ZONE_NONE */

uint32_t guardrail_pair_lookup(const guardrail_zone_t *z,
    const guardrail_limit_t *limit);

void guardrail_rate_load(const guardrail_zone_t *z, guardrail_entry_t *e,
    uint32_t pair, guardrail_window_t *w);

/* not committed */

void guardrail_rate_store(guardrail_zone_t *z, guardrail_entry_t *e,
    uint32_t pair, const guardrail_window_t *w);


#endif /* GUARDRAIL_RATE_PRIVATE_H */
