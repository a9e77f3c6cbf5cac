
/*
 * Copyright (C) nginx-guardrail authors
 *
 * zlib's crc32() takes an eighth of the time in which a gzip body is judged.
 * With carry-less multiplication it takes a quarter of that: V. Gopal et al.,
 * "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
 * Intel, 2009, from which the names and the values of the constants are.
 */


#define ZLIB_CONST

#include "codec/guardrail_crc32.h"

#include <zlib.h>


#if defined(__x86_64__)

#include <immintrin.h>


#define GUARDRAIL_CRC32_TARGET                                                \
    __attribute__((target("sse4.1,pclmul")))

#define GUARDRAIL_CRC32_INLINE                                                \
    static inline GUARDRAIL_CRC32_TARGET __attribute__((always_inline))

#define GUARDRAIL_CRC32_LEAST  64       /* bytes; of fewer zlib's is used */


GUARDRAIL_CRC32_INLINE __m128i
guardrail_crc32_load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *) (const void *) p);
}


/* moves x on by as many bits as k says, to where next is */

GUARDRAIL_CRC32_INLINE __m128i
guardrail_crc32_fold(__m128i x, __m128i k, __m128i next)
{
    __m128i  low, high;

    low = _mm_clmulepi64_si128(x, k, 0x00);
    high = _mm_clmulepi64_si128(x, k, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}


/* crc without its inversions; len is a multiple of 16 and at least LEAST */

static GUARDRAIL_CRC32_TARGET uint32_t
guardrail_crc32_clmul(uint32_t crc, const uint8_t *p, size_t len)
{
    __m128i  a, b, c, d, k, low;

    a = _mm_xor_si128(guardrail_crc32_load(p), _mm_cvtsi32_si128((int) crc));
    b = guardrail_crc32_load(p + 16);
    c = guardrail_crc32_load(p + 32);
    d = guardrail_crc32_load(p + 48);

    /* k2, k1 */

    k = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);

    for (p += 64, len -= 64; len >= 64; p += 64, len -= 64) {
        a = guardrail_crc32_fold(a, k, guardrail_crc32_load(p));
        b = guardrail_crc32_fold(b, k, guardrail_crc32_load(p + 16));
        c = guardrail_crc32_fold(c, k, guardrail_crc32_load(p + 32));
        d = guardrail_crc32_fold(d, k, guardrail_crc32_load(p + 48));
    }

    /* k4, k3 */

    k = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);

    a = guardrail_crc32_fold(a, k, b);
    a = guardrail_crc32_fold(a, k, c);
    a = guardrail_crc32_fold(a, k, d);

    for ( /* void */ ; len; p += 16, len -= 16) {
        a = guardrail_crc32_fold(a, k, guardrail_crc32_load(p));
    }

    /* 128 bits to 64; k5 */

    low = _mm_set_epi32(0, -1, 0, -1);

    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, k, 0x10));

    b = _mm_srli_si128(a, 4);
    k = _mm_set_epi64x(0, 0x0163cd6124);

    a = _mm_clmulepi64_si128(_mm_and_si128(a, low), k, 0x00);
    a = _mm_xor_si128(a, b);

    /* Barrett's reduction to 32; mu, P */

    k = _mm_set_epi64x(0x01f7011641, 0x01db710641);

    b = _mm_clmulepi64_si128(_mm_and_si128(a, low), k, 0x10);
    b = _mm_clmulepi64_si128(_mm_and_si128(b, low), k, 0x00);

    return (uint32_t) _mm_extract_epi32(_mm_xor_si128(a, b), 1);
}

#endif


uint32_t
guardrail_crc32(uint32_t crc, const uint8_t *p, size_t len)
{
#if defined(__x86_64__)

    size_t  n;

    n = len & ~(size_t) 15;

    if (n >= GUARDRAIL_CRC32_LEAST
        && __builtin_cpu_supports("pclmul")
        && __builtin_cpu_supports("sse4.1"))
    {
        crc = ~guardrail_crc32_clmul(~crc, p, n);
        p += n;
        len -= n;
    }

#endif

    return (uint32_t) crc32_z(crc, p, len);
}
