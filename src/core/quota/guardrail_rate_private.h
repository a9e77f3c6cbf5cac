
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The window of an entry for a pair, as the numbers of other files have it.
 */


#ifndef GUARDRAIL_RATE_PRIVATE_H
#define GUARDRAIL_RATE_PRIVATE_H


#include "quota/guardrail_rate.h"


void guardrail_rate_load(const guardrail_zone_t *z, guardrail_entry_t *e,
    uint32_t pair, guardrail_window_t *w);

/* not committed */

void guardrail_rate_store(guardrail_zone_t *z, guardrail_entry_t *e,
    uint32_t pair, const guardrail_window_t *w);


#endif /* GUARDRAIL_RATE_PRIVATE_H */
