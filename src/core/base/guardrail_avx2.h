
/*
 * Copyright (C) nginx-guardrail authors
 *
 * 64 bytes at a time with AVX2, for the scanners of all rooms.  The
 * instructions are those of single functions, by their attributes: a file
 * that includes this needs no flags of its own, and the choice is made when
 * it runs, see guardrail_cpu.h.
 *
 * In a mask the lowest bit is the first byte.
 */


#ifndef GUARDRAIL_AVX2_H
#define GUARDRAIL_AVX2_H


#include <immintrin.h>

#include "base/guardrail_base.h"


#define GUARDRAIL_AVX2                                                        \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,pclmul")))

#define GUARDRAIL_AVX2_INLINE                                                 \
    static inline GUARDRAIL_AVX2 __attribute__((always_inline))


typedef struct {
    __m256i  a;
    __m256i  b;
} guardrail_avx2_t;


GUARDRAIL_AVX2_INLINE __m256i
guardrail_avx2_load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *) (const void *) p);
}


GUARDRAIL_AVX2_INLINE guardrail_avx2_t
guardrail_avx2_load(const uint8_t *p)
{
    guardrail_avx2_t  v;

    v.a = guardrail_avx2_load32(p);
    v.b = guardrail_avx2_load32(p + 32);

    return v;
}


/* the highest bits of all bytes */

GUARDRAIL_AVX2_INLINE uint64_t
guardrail_avx2_mask(__m256i a, __m256i b)
{
    return (uint64_t) (uint32_t) _mm256_movemask_epi8(a)
           | (uint64_t) (uint32_t) _mm256_movemask_epi8(b) << 32;
}


GUARDRAIL_AVX2_INLINE __m256i
guardrail_avx2_is(__m256i v, uint8_t c)
{
    return _mm256_cmpeq_epi8(v, _mm256_set1_epi8((char) c));
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_avx2_eq(guardrail_avx2_t v, uint8_t c)
{
    return guardrail_avx2_mask(guardrail_avx2_is(v.a, c),
                               guardrail_avx2_is(v.b, c));
}


#endif /* GUARDRAIL_AVX2_H */
