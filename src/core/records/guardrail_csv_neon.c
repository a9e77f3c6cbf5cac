
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows with NEON, which every AArch64 processor has.
 */


#include "records/guardrail_csv_private.h"


#if defined(__aarch64__) && defined(__AARCH64EL__)

#include "base/guardrail_neon.h"


#define CSV_TARGET
#define CSV_INLINE   GUARDRAIL_INLINE
#define CSV_VEC      guardrail_neon_t
#define CSV_LOAD     guardrail_neon_load
#define CSV_EQ       guardrail_neon_eq
#define CSV_ONES(m)  (uint64_t) __builtin_popcountll(m)
#define CSV_LEAVE()

#include "records/guardrail_csv_block.h"


const guardrail_csv_ops_t *
guardrail_csv_neon(void)
{
    static const guardrail_csv_ops_t  ops = {
        "neon",
        guardrail_csv_scan
    };

    return &ops;
}

#else

const guardrail_csv_ops_t *
guardrail_csv_neon(void)
{
    return NULL;
}

#endif
