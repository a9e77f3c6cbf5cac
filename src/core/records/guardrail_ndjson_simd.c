
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records: the scanners that judge 64 bytes at a time.
 */


#include "records/guardrail_ndjson_private.h"


const guardrail_ndjson_ops_t *
guardrail_ndjson_simd(unsigned n)
{
    (void) n;

    return NULL;
}
