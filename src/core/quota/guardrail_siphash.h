
/*
 * Copyright (C) nginx-guardrail authors
 *
 * SipHash-2-4 with 128 bits of output: a keyed hash of short strings, whose
 * collisions nobody can make without the key.  J.-P. Aumasson and D. J.
 * Bernstein, "SipHash: a fast short-input PRF" (2012).
 */


#ifndef GUARDRAIL_SIPHASH_H
#define GUARDRAIL_SIPHASH_H


#include "base/guardrail_base.h"


/* bytes of a key */

#define GUARDRAIL_SIPHASH_KEY  16


/* p may be NULL if len is 0; the same on machines of either byte order */

void guardrail_siphash(const uint8_t key[GUARDRAIL_SIPHASH_KEY],
    const uint8_t *p, size_t len, uint64_t hash[2]);


#endif /* GUARDRAIL_SIPHASH_H */
