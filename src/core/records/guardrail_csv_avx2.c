
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows with AVX2.
 */


#include "records/guardrail_csv_private.h"


#if defined(__x86_64__)

#include <immintrin.h>

#include "records/guardrail_ndjson_private.h"


#define CSV_TARGET  __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

#define CSV_INLINE  static inline CSV_TARGET __attribute__((always_inline))


typedef struct {
    __m256i  a;
    __m256i  b;
} guardrail_csv_avx2_t;


CSV_INLINE guardrail_csv_avx2_t
guardrail_csv_avx2_load(const uint8_t *p)
{
    guardrail_csv_avx2_t  v;

    v.a = _mm256_loadu_si256((const __m256i *) (const void *) p);
    v.b = _mm256_loadu_si256((const __m256i *) (const void *) (p + 32));

    return v;
}


CSV_INLINE uint64_t
guardrail_csv_avx2_eq(guardrail_csv_avx2_t v, char c)
{
    __m256i  all;

    all = _mm256_set1_epi8(c);

    return (uint64_t) (uint32_t) _mm256_movemask_epi8(
                                                _mm256_cmpeq_epi8(v.a, all))
           | (uint64_t) (uint32_t) _mm256_movemask_epi8(
                                                _mm256_cmpeq_epi8(v.b, all))
             << 32;
}


#define CSV_VEC      guardrail_csv_avx2_t
#define CSV_LOAD     guardrail_csv_avx2_load
#define CSV_EQ       guardrail_csv_avx2_eq
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

    /* who runs that of NDJSON runs this: the same instructions */

    return guardrail_ndjson_avx2() ? &ops : NULL;
}

#else

const guardrail_csv_ops_t *
guardrail_csv_avx2(void)
{
    return NULL;
}

#endif
