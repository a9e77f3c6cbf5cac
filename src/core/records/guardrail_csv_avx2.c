
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows with AVX2.
 */


#include "records/guardrail_csv_private.h"


#if defined(__x86_64__)

#include "base/guardrail_avx2.h"
#include "base/guardrail_cpu.h"


#define CSV_TARGET   GUARDRAIL_AVX2
#define CSV_INLINE   GUARDRAIL_AVX2_INLINE
#define CSV_VEC      guardrail_avx2_t
#define CSV_LOAD     guardrail_avx2_load
#define CSV_EQ       guardrail_avx2_eq
#define CSV_ONES(m)  (uint64_t) _mm_popcnt_u64(m)
#define CSV_LEAVE    _mm256_zeroupper

#include "records/guardrail_csv_block.h"


const guardrail_csv_ops_t *
guardrail_csv_avx2(void)
{
    static const guardrail_csv_ops_t  ops = {
        "avx2",
        guardrail_csv_scan
    };

    return guardrail_cpu_avx2() ? &ops : NULL;
}

#else

const guardrail_csv_ops_t *
guardrail_csv_avx2(void)
{
    return NULL;
}

#endif
