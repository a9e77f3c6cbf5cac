
/*
 * Copyright (C) nginx-guardrail authors
 *
 * 64 bytes at a time with NEON, which every arm64 has, for the scanners of all
 * rooms.  In a mask the lowest bit is the first byte.
 */


#ifndef GUARDRAIL_NEON_H
#define GUARDRAIL_NEON_H


#include <arm_neon.h>

#include "base/guardrail_base.h"


typedef struct {
    uint8x16_t  a;
    uint8x16_t  b;
    uint8x16_t  c;
    uint8x16_t  d;
} guardrail_neon_t;


GUARDRAIL_INLINE guardrail_neon_t
guardrail_neon_load(const uint8_t *p)
{
    guardrail_neon_t  v;

    v.a = vld1q_u8(p);
    v.b = vld1q_u8(p + 16);
    v.c = vld1q_u8(p + 32);
    v.d = vld1q_u8(p + 48);

    return v;
}


/* of comparisons: one bit of each byte, then three sums of neighbours */

GUARDRAIL_INLINE uint64_t
guardrail_neon_mask(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    uint8x16_t  bits, ab, cd;

    bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));

    ab = vpaddq_u8(vandq_u8(a, bits), vandq_u8(b, bits));
    cd = vpaddq_u8(vandq_u8(c, bits), vandq_u8(d, bits));
    ab = vpaddq_u8(ab, cd);
    ab = vpaddq_u8(ab, ab);

    return vgetq_lane_u64(vreinterpretq_u64_u8(ab), 0);
}


GUARDRAIL_INLINE uint8x16_t
guardrail_neon_is(uint8x16_t v, uint8_t c)
{
    return vceqq_u8(v, vdupq_n_u8(c));
}


GUARDRAIL_INLINE uint64_t
guardrail_neon_eq(guardrail_neon_t v, uint8_t c)
{
    return guardrail_neon_mask(guardrail_neon_is(v.a, c),
                               guardrail_neon_is(v.b, c),
                               guardrail_neon_is(v.c, c),
                               guardrail_neon_is(v.d, c));
}


#endif /* GUARDRAIL_NEON_H */
