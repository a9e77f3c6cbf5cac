
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON with SSE2, which every x86-64 has; POPCNT and a carry-less
 * multiplication it may not have.
 */


#include "json/guardrail_json_fast.h"


#if defined(__x86_64__)

#include "base/guardrail_sse2.h"


GUARDRAIL_INLINE uint64_t
guardrail_json_sse2_brace(guardrail_sse2_t v, uint8_t c)
{
    __m128i  bit;

    bit = _mm_set1_epi8(0x20);

    v.a = _mm_or_si128(v.a, bit);
    v.b = _mm_or_si128(v.b, bit);
    v.c = _mm_or_si128(v.c, bit);
    v.d = _mm_or_si128(v.d, bit);

    return guardrail_sse2_eq(v, c);
}


GUARDRAIL_INLINE __m128i
guardrail_json_sse2_white16(__m128i v)
{
    __m128i  a, b;

    a = _mm_or_si128(guardrail_sse2_is(v, ' '),
                     guardrail_sse2_is(v, '\t'));
    b = _mm_or_si128(guardrail_sse2_is(v, '\n'),
                     guardrail_sse2_is(v, '\r'));

    return _mm_or_si128(a, b);
}


GUARDRAIL_INLINE uint64_t
guardrail_json_sse2_white(guardrail_sse2_t v)
{
    return guardrail_sse2_mask(guardrail_json_sse2_white16(v.a),
                               guardrail_json_sse2_white16(v.b),
                               guardrail_json_sse2_white16(v.c),
                               guardrail_json_sse2_white16(v.d));
}


/* the mask takes the highest bit, which bytes above 7F have set */

GUARDRAIL_INLINE __m128i
guardrail_json_sse2_odd16(__m128i v)
{
    __m128i  m;

    m = _mm_or_si128(guardrail_sse2_is(v, '\''),
                     guardrail_sse2_is(v, '/'));
    m = _mm_or_si128(m, guardrail_sse2_is(v, '#'));

    return _mm_or_si128(m, v);
}


GUARDRAIL_INLINE uint64_t
guardrail_json_sse2_odd(guardrail_sse2_t v)
{
    return guardrail_sse2_mask(guardrail_json_sse2_odd16(v.a),
                               guardrail_json_sse2_odd16(v.b),
                               guardrail_json_sse2_odd16(v.c),
                               guardrail_json_sse2_odd16(v.d));
}


GUARDRAIL_INLINE uint64_t
guardrail_json_sse2_high(guardrail_sse2_t v)
{
    return guardrail_sse2_mask(v.a, v.b, v.c, v.d);
}


/* those that are 0 to n when the first is taken away */

GUARDRAIL_INLINE __m128i
guardrail_json_sse2_range16(__m128i v, uint8_t from, uint8_t to)
{
    v = _mm_sub_epi8(v, _mm_set1_epi8((char) from));

    return _mm_cmpeq_epi8(v, _mm_min_epu8(v,
                          _mm_set1_epi8((char) (to - from))));
}


GUARDRAIL_INLINE uint64_t
guardrail_json_sse2_range(guardrail_sse2_t v, uint8_t from, uint8_t to)
{
    return guardrail_sse2_mask(guardrail_json_sse2_range16(v.a, from, to),
                               guardrail_json_sse2_range16(v.b, from, to),
                               guardrail_json_sse2_range16(v.c, from, to),
                               guardrail_json_sse2_range16(v.d, from, to));
}


#define JSON_TARGET
#define JSON_INLINE      GUARDRAIL_INLINE
#define JSON_VEC         guardrail_sse2_t
#define JSON_LOAD        guardrail_sse2_load
#define JSON_EQ          guardrail_sse2_eq
#define JSON_BRACE       guardrail_json_sse2_brace
#define JSON_WHITE       guardrail_json_sse2_white
#define JSON_ODD         guardrail_json_sse2_odd
#define JSON_HIGH        guardrail_json_sse2_high
#define JSON_DIGITS(v)   guardrail_json_sse2_range(v, '0', '9')
#define JSON_RANGE       guardrail_json_sse2_range
#define JSON_PREFIX      guardrail_json_prefix
#define JSON_ONES        guardrail_sse2_ones
#define JSON_BELOW(m)    ((m) ? (uint64_t) __builtin_ctzll(m) : 64)
#define JSON_ABOVE(m)    ((m) ? (uint64_t) __builtin_clzll(m) : 64)

#include "json/guardrail_json_block.h"
#include "json/guardrail_json_strict_block.h"


const guardrail_json_ops_t *
guardrail_json_sse2(void)
{
    static const guardrail_json_ops_t  ops = {
        "sse2",
        guardrail_json_scan,
        guardrail_json_strict_scan,
        0
    };

    return &ops;
}

#else

const guardrail_json_ops_t *
guardrail_json_sse2(void)
{
    return NULL;
}

#endif
