
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records with AVX2.  The instructions are those of single functions,
 * by their attributes: the file needs no flags of its own, and the choice is
 * made when it runs.
 */


#include "records/guardrail_ndjson_private.h"


#if defined(__x86_64__)

#include "base/guardrail_avx2.h"
#include "base/guardrail_cpu.h"
#include "records/guardrail_ndjson_fast.h"


/*
 * No two of space, tab, LF and CR have the same low nibble: each byte is
 * compared with the one of them that has its own.  Where none has, that is
 * a byte of another nibble; from 80 on the shuffle gives 0.
 */

GUARDRAIL_AVX2_INLINE __m256i
guardrail_ndjson_avx2_white32(__m256i v, guardrail_ndjson_kind_e kind)
{
    char     cr;
    __m256i  table;

    cr = (kind == ndjson_lf) ? 0 : '\r';

    table = _mm256_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0,
                             0, '\t', '\n', 0, 0, cr, 0, 0,
                             ' ', 0, 0, 0, 0, 0, 0, 0,
                             0, '\t', '\n', 0, 0, cr, 0, 0);

    return _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(table, v));
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_white(guardrail_avx2_t v,
    guardrail_ndjson_kind_e kind)
{
    return guardrail_avx2_mask(guardrail_ndjson_avx2_white32(v.a, kind),
                               guardrail_ndjson_avx2_white32(v.b, kind));
}


/* those that are not odd */

GUARDRAIL_AVX2_INLINE __m256i
guardrail_ndjson_avx2_even32(__m256i v, guardrail_ndjson_kind_e kind)
{
    __m256i  m;

    if (kind == ndjson_utf8) {
        m = _mm256_cmpeq_epi8(_mm256_max_epu8(v, _mm256_set1_epi8(' ')), v);

    } else {

        /* signed: what is above 7F is not above space - 1, either */

        m = _mm256_cmpgt_epi8(v, _mm256_set1_epi8(' ' - 1));
    }

    return _mm256_or_si256(m, guardrail_ndjson_avx2_white32(v, kind));
}


GUARDRAIL_AVX2_INLINE unsigned
guardrail_ndjson_avx2_odd(guardrail_avx2_t v,
    guardrail_ndjson_kind_e kind)
{
    __m256i  m;

    m = _mm256_and_si256(guardrail_ndjson_avx2_even32(v.a, kind),
                         guardrail_ndjson_avx2_even32(v.b, kind));

    return _mm256_movemask_epi8(m) != -1;
}


GUARDRAIL_AVX2_INLINE __m256i
guardrail_ndjson_avx2_seps32(const uint8_t *p)
{
    __m256i  v0, v1, v2, nel, sep;

    v0 = guardrail_avx2_load32(p);
    v1 = guardrail_avx2_load32(p - 1);
    v2 = guardrail_avx2_load32(p - 2);

    nel = _mm256_and_si256(guardrail_avx2_is(v1, 0xc2),
                           guardrail_avx2_is(v0, 0x85));

    /* A8 or A9, FE or FF */

    v0 = _mm256_or_si256(v0, _mm256_set1_epi8(1));

    sep = _mm256_and_si256(guardrail_avx2_is(v2, 0xe2),
                           guardrail_avx2_is(v1, 0x80));
    sep = _mm256_and_si256(sep, guardrail_avx2_is(v0, 0xa9));

    return _mm256_or_si256(_mm256_or_si256(nel, sep),
                           guardrail_avx2_is(v0, 0xff));
}


GUARDRAIL_AVX2_INLINE unsigned
guardrail_ndjson_avx2_seps(const uint8_t *p)
{
    __m256i  m;

    m = _mm256_or_si256(guardrail_ndjson_avx2_seps32(p),
                        guardrail_ndjson_avx2_seps32(p + 32));

    return _mm256_movemask_epi8(m) != 0;
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_high(guardrail_avx2_t v)
{
    return guardrail_avx2_mask(v.a, v.b);
}


/*
 * One more than each byte, so that space is above what may not be behind an
 * LF.  Signed, as above, bytes above 7F are below all others.
 */

GUARDRAIL_AVX2_INLINE __m256i
guardrail_ndjson_avx2_lines32(const uint8_t *p, guardrail_ndjson_kind_e kind,
    __m256i *least)
{
    __m256i  v, lf, one, next, lead;

    one = _mm256_set1_epi8(1);
    v = guardrail_avx2_load32(p);
    next = guardrail_avx2_load32(p + 1);

    if (kind == ndjson_lf) {
        v = _mm256_adds_epi8(v, one);
        lf = guardrail_avx2_is(v, '\n' + 1);

        v = _mm256_max_epi8(v, _mm256_and_si256(lf, next));
        *least = _mm256_min_epi8(*least, v);

    } else {
        v = _mm256_adds_epu8(v, one);
        lf = guardrail_avx2_is(v, '\n' + 1);

        /* C2 or E2, FE or FF */

        lead = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
        lead = _mm256_or_si256(guardrail_avx2_is(lead, 0xe2 + 1),
                               guardrail_avx2_is(v, 0xff));

        v = _mm256_max_epu8(v, _mm256_and_si256(lf, next));
        *least = _mm256_min_epu8(*least, _mm256_andnot_si256(lead, v));
    }

    return lf;
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_lines(const uint8_t *p, guardrail_ndjson_kind_e kind,
    __m256i *least)
{
    __m256i  a, b;

    a = guardrail_ndjson_avx2_lines32(p, kind, least);
    b = guardrail_ndjson_avx2_lines32(p + 32, kind, least);

    return guardrail_avx2_mask(a, b);
}


GUARDRAIL_AVX2_INLINE unsigned
guardrail_ndjson_avx2_unfit(__m256i least, guardrail_ndjson_kind_e kind)
{
    __m256i  m, space;

    space = _mm256_set1_epi8(' ');

    if (kind == ndjson_lf) {
        m = _mm256_cmpgt_epi8(least, space);
        return _mm256_movemask_epi8(m) != -1;
    }

    m = _mm256_cmpeq_epi8(_mm256_min_epu8(least, space), least);

    return _mm256_movemask_epi8(m) != 0;
}


#define NDJSON_TARGET    GUARDRAIL_AVX2
#define NDJSON_INLINE    GUARDRAIL_AVX2_INLINE
#define NDJSON_VEC       guardrail_avx2_t
#define NDJSON_LOAD      guardrail_avx2_load
#define NDJSON_EQ        guardrail_avx2_eq
#define NDJSON_WHITE     guardrail_ndjson_avx2_white
#define NDJSON_ODD       guardrail_ndjson_avx2_odd
#define NDJSON_SEPS      guardrail_ndjson_avx2_seps
#define NDJSON_HIGH      guardrail_ndjson_avx2_high
#define NDJSON_LEAST     __m256i
#define NDJSON_MOST      _mm256_set1_epi8(0x7f)
#define NDJSON_LINES     guardrail_ndjson_avx2_lines
#define NDJSON_UNFIT     guardrail_ndjson_avx2_unfit
#define NDJSON_ONES(m)   (uint64_t) _mm_popcnt_u64(m)
#define NDJSON_BELOW(m)  (uint64_t) _tzcnt_u64(m)
#define NDJSON_ABOVE(m)  (uint64_t) _lzcnt_u64(m)
#define NDJSON_LEAVE     _mm256_zeroupper

#include "records/guardrail_ndjson_block.h"


const guardrail_ndjson_ops_t *
guardrail_ndjson_avx2(void)
{
    static const guardrail_ndjson_ops_t  ops = {
        "avx2",
        guardrail_ndjson_scan
    };

    return guardrail_cpu_avx2() ? &ops : NULL;
}

#else

const guardrail_ndjson_ops_t *
guardrail_ndjson_avx2(void)
{
    return NULL;
}

#endif
