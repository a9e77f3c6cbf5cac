
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows with SSE2, which every x86-64 processor has.
 */


#include "records/guardrail_csv_private.h"


#if defined(__x86_64__)

#include "base/guardrail_sse2.h"


#define CSV_TARGET
#define CSV_INLINE   GUARDRAIL_INLINE
#define CSV_VEC       guardrail_sse2_t
#define CSV_LOAD      guardrail_sse2_load
#define CSV_EQ        guardrail_sse2_eq
#define CSV_ONES      guardrail_sse2_ones
#define CSV_LEAVE()

#include "records/guardrail_csv_block.h"


const guardrail_csv_ops_t *
guardrail_csv_sse2(void)
{
    static const guardrail_csv_ops_t  ops = {
        "sse2",
        guardrail_csv_scan
    };

    return &ops;
}

#else

const guardrail_csv_ops_t *
guardrail_csv_sse2(void)
{
    return NULL;
}

#endif
