
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows with SSE2, which every x86-64 processor has.
 */


#include "records/guardrail_csv_private.h"


#if defined(__x86_64__)

#include <emmintrin.h>


#define CSV_TARGET
#define CSV_INLINE    static inline __attribute__((always_inline))


typedef struct {
    __m128i  v[4];
} guardrail_csv_sse2_t;


CSV_INLINE guardrail_csv_sse2_t
guardrail_csv_sse2_load(const uint8_t *p)
{
    const __m128i         *q;
    guardrail_csv_sse2_t   v;

    q = (const __m128i *) (const void *) p;

    v.v[0] = _mm_loadu_si128(q);
    v.v[1] = _mm_loadu_si128(q + 1);
    v.v[2] = _mm_loadu_si128(q + 2);
    v.v[3] = _mm_loadu_si128(q + 3);

    return v;
}


CSV_INLINE uint64_t
guardrail_csv_sse2_eq(guardrail_csv_sse2_t v, char c)
{
    __m128i   all;
    uint64_t  m;
    unsigned  i;

    m = 0;
    all = _mm_set1_epi8(c);

    for (i = 0; i < 4; i++) {
        m |= (uint64_t) (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v.v[i],
                                                                   all))
             << (i * 16);
    }

    return m;
}


/* the baseline has no instruction for it */

CSV_INLINE uint64_t
guardrail_csv_sse2_ones(uint64_t m)
{
    m -= (m >> 1) & 0x5555555555555555;
    m = (m & 0x3333333333333333) + ((m >> 2) & 0x3333333333333333);
    m = (m + (m >> 4)) & 0x0f0f0f0f0f0f0f0f;

    return (m * 0x0101010101010101) >> 56;
}


#define CSV_VEC       guardrail_csv_sse2_t
#define CSV_LOAD      guardrail_csv_sse2_load
#define CSV_EQ        guardrail_csv_sse2_eq
#define CSV_ONES      guardrail_csv_sse2_ones
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
