
/*
 * Copyright (C) nginx-guardrail authors
 *
 * 64 bytes at a time with SSE2, which every x86-64 has, for the scanners of
 * all rooms.  In a mask the lowest bit is the first byte.
 */


#ifndef GUARDRAIL_SSE2_H
#define GUARDRAIL_SSE2_H


#include <emmintrin.h>

#include "base/guardrail_base.h"


typedef struct {
    __m128i  a;
    __m128i  b;
    __m128i  c;
    __m128i  d;
} guardrail_sse2_t;


GUARDRAIL_INLINE __m128i
guardrail_sse2_load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *) (const void *) p);
}


GUARDRAIL_INLINE guardrail_sse2_t
guardrail_sse2_load(const uint8_t *p)
{
    guardrail_sse2_t  v;

    v.a = guardrail_sse2_load16(p);
    v.b = guardrail_sse2_load16(p + 16);
    v.c = guardrail_sse2_load16(p + 32);
    v.d = guardrail_sse2_load16(p + 48);

    return v;
}


/* the highest bits of all bytes */

GUARDRAIL_INLINE uint64_t
guardrail_sse2_mask(__m128i a, __m128i b, __m128i c, __m128i d)
{
    return (uint64_t) (uint32_t) _mm_movemask_epi8(a)
           | (uint64_t) (uint32_t) _mm_movemask_epi8(b) << 16
           | (uint64_t) (uint32_t) _mm_movemask_epi8(c) << 32
           | (uint64_t) (uint32_t) _mm_movemask_epi8(d) << 48;
}


GUARDRAIL_INLINE __m128i
guardrail_sse2_is(__m128i v, uint8_t c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8((char) c));
}


GUARDRAIL_INLINE uint64_t
guardrail_sse2_eq(guardrail_sse2_t v, uint8_t c)
{
    return guardrail_sse2_mask(guardrail_sse2_is(v.a, c),
                               guardrail_sse2_is(v.b, c),
                               guardrail_sse2_is(v.c, c),
                               guardrail_sse2_is(v.d, c));
}


/* the number of bits: POPCNT a processor with SSE2 may not have */

GUARDRAIL_INLINE uint64_t
guardrail_sse2_ones(uint64_t m)
{
    m -= (m >> 1) & 0x5555555555555555;
    m = (m & 0x3333333333333333) + ((m >> 2) & 0x3333333333333333);
    m = (m + (m >> 4)) & 0x0f0f0f0f0f0f0f0f;

    return (m * 0x0101010101010101) >> 56;
}


#endif /* GUARDRAIL_SSE2_H */
