
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records with SSE2, which every x86-64 has; POPCNT it may not have.
 */


#include "records/guardrail_ndjson_private.h"


#if defined(__x86_64__)

#include "base/guardrail_sse2.h"
#include "records/guardrail_ndjson_fast.h"


GUARDRAIL_INLINE __m128i
guardrail_ndjson_sse2_white16(__m128i v, guardrail_ndjson_kind_e kind)
{
    __m128i  m;

    m = _mm_or_si128(guardrail_sse2_is(v, ' '),
                     guardrail_sse2_is(v, '\t'));
    m = _mm_or_si128(m, guardrail_sse2_is(v, '\n'));

    if (kind != ndjson_lf) {
        m = _mm_or_si128(m, guardrail_sse2_is(v, '\r'));
    }

    return m;
}


GUARDRAIL_INLINE uint64_t
guardrail_ndjson_sse2_white(guardrail_sse2_t v,
    guardrail_ndjson_kind_e kind)
{
    return guardrail_sse2_mask(guardrail_ndjson_sse2_white16(v.a, kind),
                               guardrail_ndjson_sse2_white16(v.b, kind),
                               guardrail_ndjson_sse2_white16(v.c, kind),
                               guardrail_ndjson_sse2_white16(v.d, kind));
}


/* those that are not odd */

GUARDRAIL_INLINE __m128i
guardrail_ndjson_sse2_even16(__m128i v, guardrail_ndjson_kind_e kind)
{
    __m128i  m;

    if (kind == ndjson_utf8) {
        m = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(' ')), v);

    } else {

        /* signed: what is above 7F is not above space - 1, either */

        m = _mm_cmpgt_epi8(v, _mm_set1_epi8(' ' - 1));
    }

    return _mm_or_si128(m, guardrail_ndjson_sse2_white16(v, kind));
}


GUARDRAIL_INLINE unsigned
guardrail_ndjson_sse2_odd(guardrail_sse2_t v,
    guardrail_ndjson_kind_e kind)
{
    __m128i  ab, cd;

    ab = _mm_and_si128(guardrail_ndjson_sse2_even16(v.a, kind),
                       guardrail_ndjson_sse2_even16(v.b, kind));
    cd = _mm_and_si128(guardrail_ndjson_sse2_even16(v.c, kind),
                       guardrail_ndjson_sse2_even16(v.d, kind));

    return _mm_movemask_epi8(_mm_and_si128(ab, cd)) != 0xffff;
}


GUARDRAIL_INLINE __m128i
guardrail_ndjson_sse2_seps16(const uint8_t *p)
{
    __m128i  v0, v1, v2, nel, sep;

    v0 = guardrail_sse2_load16(p);
    v1 = guardrail_sse2_load16(p - 1);
    v2 = guardrail_sse2_load16(p - 2);

    nel = _mm_and_si128(guardrail_sse2_is(v1, 0xc2),
                        guardrail_sse2_is(v0, 0x85));

    /* A8 or A9, FE or FF */

    v0 = _mm_or_si128(v0, _mm_set1_epi8(1));

    sep = _mm_and_si128(guardrail_sse2_is(v2, 0xe2),
                        guardrail_sse2_is(v1, 0x80));
    sep = _mm_and_si128(sep, guardrail_sse2_is(v0, 0xa9));

    return _mm_or_si128(_mm_or_si128(nel, sep),
                        guardrail_sse2_is(v0, 0xff));
}


GUARDRAIL_INLINE unsigned
guardrail_ndjson_sse2_seps(const uint8_t *p)
{
    __m128i  ab, cd;

    ab = _mm_or_si128(guardrail_ndjson_sse2_seps16(p),
                      guardrail_ndjson_sse2_seps16(p + 16));
    cd = _mm_or_si128(guardrail_ndjson_sse2_seps16(p + 32),
                      guardrail_ndjson_sse2_seps16(p + 48));

    return _mm_movemask_epi8(_mm_or_si128(ab, cd)) != 0;
}


GUARDRAIL_INLINE uint64_t
guardrail_ndjson_sse2_high(guardrail_sse2_t v)
{
    return guardrail_sse2_mask(v.a, v.b, v.c, v.d);
}


/*
 * One more than each byte, so that space is above what may not be behind an
 * LF.  Least and greatest are of unsigned bytes in SSE2.
 */

GUARDRAIL_INLINE __m128i
guardrail_ndjson_sse2_lines16(const uint8_t *p, guardrail_ndjson_kind_e kind,
    __m128i *least)
{
    __m128i  v, lf, high, next;

    v = guardrail_sse2_load16(p);
    next = guardrail_sse2_load16(p + 1);

    if (kind == ndjson_lf) {
        high = _mm_cmpgt_epi8(_mm_setzero_si128(), v);
        v = _mm_adds_epu8(v, _mm_set1_epi8(1));

    } else {

        /* C2 or E2, FE or FF */

        v = _mm_adds_epu8(v, _mm_set1_epi8(1));
        high = _mm_or_si128(v, _mm_set1_epi8(0x20));
        high = _mm_or_si128(guardrail_sse2_is(high, 0xe2 + 1),
                            guardrail_sse2_is(v, 0xff));
    }

    lf = guardrail_sse2_is(v, '\n' + 1);

    v = _mm_max_epu8(v, _mm_and_si128(lf, next));
    *least = _mm_min_epu8(*least, _mm_andnot_si128(high, v));

    return lf;
}


GUARDRAIL_INLINE uint64_t
guardrail_ndjson_sse2_lines(const uint8_t *p, guardrail_ndjson_kind_e kind,
    __m128i *least)
{
    __m128i  a, b, c, d;

    a = guardrail_ndjson_sse2_lines16(p, kind, least);
    b = guardrail_ndjson_sse2_lines16(p + 16, kind, least);
    c = guardrail_ndjson_sse2_lines16(p + 32, kind, least);
    d = guardrail_ndjson_sse2_lines16(p + 48, kind, least);

    return guardrail_sse2_mask(a, b, c, d);
}


GUARDRAIL_INLINE unsigned
guardrail_ndjson_sse2_unfit(__m128i least, guardrail_ndjson_kind_e kind)
{
    __m128i  m;

    (void) kind;

    m = _mm_cmpeq_epi8(_mm_min_epu8(least, _mm_set1_epi8(' ')), least);

    return _mm_movemask_epi8(m) != 0;
}


#define NDJSON_TARGET
#define NDJSON_INLINE    GUARDRAIL_INLINE
#define NDJSON_VEC       guardrail_sse2_t
#define NDJSON_LOAD      guardrail_sse2_load
#define NDJSON_EQ        guardrail_sse2_eq
#define NDJSON_WHITE     guardrail_ndjson_sse2_white
#define NDJSON_ODD       guardrail_ndjson_sse2_odd
#define NDJSON_SEPS      guardrail_ndjson_sse2_seps
#define NDJSON_HIGH      guardrail_ndjson_sse2_high
#define NDJSON_LEAST     __m128i
#define NDJSON_MOST      _mm_set1_epi8(0x7f)
#define NDJSON_LINES     guardrail_ndjson_sse2_lines
#define NDJSON_UNFIT     guardrail_ndjson_sse2_unfit
#define NDJSON_ONES      guardrail_sse2_ones
#define NDJSON_BELOW(m)  ((m) ? (uint64_t) __builtin_ctzll(m) : 64)
#define NDJSON_ABOVE(m)  ((m) ? (uint64_t) __builtin_clzll(m) : 64)
#define NDJSON_LEAVE()

#include "records/guardrail_ndjson_block.h"


const guardrail_ndjson_ops_t *
guardrail_ndjson_sse2(void)
{
    static const guardrail_ndjson_ops_t  ops = {
        "sse2",
        guardrail_ndjson_scan
    };

    return &ops;
}

#else

const guardrail_ndjson_ops_t *
guardrail_ndjson_sse2(void)
{
    return NULL;
}

#endif
