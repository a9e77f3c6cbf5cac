
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows with NEON, which every AArch64 processor has.
 */


#include "records/guardrail_csv_private.h"


#if defined(__aarch64__) && defined(__AARCH64EL__)

#include <arm_neon.h>


#define CSV_TARGET
#define CSV_INLINE    static inline __attribute__((always_inline))


typedef struct {
    uint8x16_t  v[4];
} guardrail_csv_neon_t;


CSV_INLINE guardrail_csv_neon_t
guardrail_csv_neon_load(const uint8_t *p)
{
    guardrail_csv_neon_t  v;

    v.v[0] = vld1q_u8(p);
    v.v[1] = vld1q_u8(p + 16);
    v.v[2] = vld1q_u8(p + 32);
    v.v[3] = vld1q_u8(p + 48);

    return v;
}


/* one bit of each byte of a comparison, then three sums of neighbours */

CSV_INLINE uint64_t
guardrail_csv_neon_eq(guardrail_csv_neon_t v, char c)
{
    unsigned    i;
    uint8x16_t  all, bits, m[4];

    all = vdupq_n_u8((uint8_t) c);
    bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));

    for (i = 0; i < 4; i++) {
        m[i] = vandq_u8(vceqq_u8(v.v[i], all), bits);
    }

    m[0] = vpaddq_u8(vpaddq_u8(m[0], m[1]), vpaddq_u8(m[2], m[3]));
    m[0] = vpaddq_u8(m[0], m[0]);

    return vgetq_lane_u64(vreinterpretq_u64_u8(m[0]), 0);
}


#define CSV_VEC      guardrail_csv_neon_t
#define CSV_LOAD     guardrail_csv_neon_load
#define CSV_EQ       guardrail_csv_neon_eq
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
