
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records with AVX2.  The instructions are those of single functions,
 * by their attributes: the file needs no flags of its own, and the choice is
 * made when it runs.
 */


#include "records/guardrail_ndjson_private.h"


#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#include "records/guardrail_ndjson_fast.h"


#define GUARDRAIL_NDJSON_AVX2                                                 \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

#define GUARDRAIL_NDJSON_AVX2_INLINE                                          \
    static inline GUARDRAIL_NDJSON_AVX2 __attribute__((always_inline))


typedef struct {
    __m256i  a;
    __m256i  b;
} guardrail_ndjson_avx2_t;


GUARDRAIL_NDJSON_AVX2_INLINE __m256i
guardrail_ndjson_avx2_load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *) (const void *) p);
}


GUARDRAIL_NDJSON_AVX2_INLINE guardrail_ndjson_avx2_t
guardrail_ndjson_avx2_load(const uint8_t *p)
{
    guardrail_ndjson_avx2_t  v;

    v.a = guardrail_ndjson_avx2_load32(p);
    v.b = guardrail_ndjson_avx2_load32(p + 32);

    return v;
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_mask32(__m256i a, __m256i b)
{
    return (uint64_t) (uint32_t) _mm256_movemask_epi8(a)
           | (uint64_t) (uint32_t) _mm256_movemask_epi8(b) << 32;
}


GUARDRAIL_NDJSON_AVX2_INLINE __m256i
guardrail_ndjson_avx2_is(__m256i v, uint8_t c)
{
    return _mm256_cmpeq_epi8(v, _mm256_set1_epi8((char) c));
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_eq(guardrail_ndjson_avx2_t v, uint8_t c)
{
    return guardrail_ndjson_avx2_mask32(guardrail_ndjson_avx2_is(v.a, c),
                                        guardrail_ndjson_avx2_is(v.b, c));
}


/*
 * No two of space, tab, LF and CR have the same low nibble: each byte is
 * compared with the one of them that has its own.  Where none has, that is
 * a byte of another nibble; from 80 on the shuffle gives 0.
 */

GUARDRAIL_NDJSON_AVX2_INLINE __m256i
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


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_white(guardrail_ndjson_avx2_t v,
    guardrail_ndjson_kind_e kind)
{
    return guardrail_ndjson_avx2_mask32(
                                  guardrail_ndjson_avx2_white32(v.a, kind),
                                  guardrail_ndjson_avx2_white32(v.b, kind));
}


/* those that are not odd */

GUARDRAIL_NDJSON_AVX2_INLINE __m256i
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


GUARDRAIL_NDJSON_AVX2_INLINE unsigned
guardrail_ndjson_avx2_odd(guardrail_ndjson_avx2_t v,
    guardrail_ndjson_kind_e kind)
{
    __m256i  m;

    m = _mm256_and_si256(guardrail_ndjson_avx2_even32(v.a, kind),
                         guardrail_ndjson_avx2_even32(v.b, kind));

    return _mm256_movemask_epi8(m) != -1;
}


GUARDRAIL_NDJSON_AVX2_INLINE __m256i
guardrail_ndjson_avx2_seps32(const uint8_t *p)
{
    __m256i  v0, v1, v2, nel, sep;

    v0 = guardrail_ndjson_avx2_load32(p);
    v1 = guardrail_ndjson_avx2_load32(p - 1);
    v2 = guardrail_ndjson_avx2_load32(p - 2);

    nel = _mm256_and_si256(guardrail_ndjson_avx2_is(v1, 0xc2),
                           guardrail_ndjson_avx2_is(v0, 0x85));

    /* A8 or A9, FE or FF */

    v0 = _mm256_or_si256(v0, _mm256_set1_epi8(1));

    sep = _mm256_and_si256(guardrail_ndjson_avx2_is(v2, 0xe2),
                           guardrail_ndjson_avx2_is(v1, 0x80));
    sep = _mm256_and_si256(sep, guardrail_ndjson_avx2_is(v0, 0xa9));

    return _mm256_or_si256(_mm256_or_si256(nel, sep),
                           guardrail_ndjson_avx2_is(v0, 0xff));
}


GUARDRAIL_NDJSON_AVX2_INLINE unsigned
guardrail_ndjson_avx2_seps(const uint8_t *p)
{
    __m256i  m;

    m = _mm256_or_si256(guardrail_ndjson_avx2_seps32(p),
                        guardrail_ndjson_avx2_seps32(p + 32));

    return _mm256_movemask_epi8(m) != 0;
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_high(guardrail_ndjson_avx2_t v)
{
    return guardrail_ndjson_avx2_mask32(v.a, v.b);
}


/*
 * One more than each byte, so that space is above what may not be behind an
 * LF.  Signed, as above, bytes above 7F are below all others.
 */

GUARDRAIL_NDJSON_AVX2_INLINE __m256i
guardrail_ndjson_avx2_lines32(const uint8_t *p, guardrail_ndjson_kind_e kind,
    __m256i *least)
{
    __m256i  v, lf, one, next, lead;

    one = _mm256_set1_epi8(1);
    v = guardrail_ndjson_avx2_load32(p);
    next = guardrail_ndjson_avx2_load32(p + 1);

    if (kind == ndjson_lf) {
        v = _mm256_adds_epi8(v, one);
        lf = guardrail_ndjson_avx2_is(v, '\n' + 1);

        v = _mm256_max_epi8(v, _mm256_and_si256(lf, next));
        *least = _mm256_min_epi8(*least, v);

    } else {
        v = _mm256_adds_epu8(v, one);
        lf = guardrail_ndjson_avx2_is(v, '\n' + 1);

        /* C2 or E2, FE or FF */

        lead = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
        lead = _mm256_or_si256(guardrail_ndjson_avx2_is(lead, 0xe2 + 1),
                               guardrail_ndjson_avx2_is(v, 0xff));

        v = _mm256_max_epu8(v, _mm256_and_si256(lf, next));
        *least = _mm256_min_epu8(*least, _mm256_andnot_si256(lead, v));
    }

    return lf;
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_lines(const uint8_t *p, guardrail_ndjson_kind_e kind,
    __m256i *least)
{
    __m256i  a, b;

    a = guardrail_ndjson_avx2_lines32(p, kind, least);
    b = guardrail_ndjson_avx2_lines32(p + 32, kind, least);

    return guardrail_ndjson_avx2_mask32(a, b);
}


GUARDRAIL_NDJSON_AVX2_INLINE unsigned
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


#define NDJSON_TARGET    GUARDRAIL_NDJSON_AVX2
#define NDJSON_INLINE    GUARDRAIL_NDJSON_AVX2_INLINE
#define NDJSON_VEC       guardrail_ndjson_avx2_t
#define NDJSON_LOAD      guardrail_ndjson_avx2_load
#define NDJSON_EQ        guardrail_ndjson_avx2_eq
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


/* all that the attribute names, and a system that saves the registers */

static unsigned
guardrail_ndjson_have_avx2(void)
{
    uint32_t  eax, ebx, ecx, edx, need;

    need = bit_OSXSAVE|bit_AVX|bit_POPCNT;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & need) != need) {
        return 0;
    }

    /* XCR0: the states of XMM and YMM */

    __asm__ volatile ("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));

    if ((eax & 0x06) != 0x06) {
        return 0;
    }

    need = bit_AVX2|bit_BMI|bit_BMI2;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)
        || (ebx & need) != need)
    {
        return 0;
    }

    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx)
           && (ecx & bit_LZCNT);
}


const guardrail_ndjson_ops_t *
guardrail_ndjson_avx2(void)
{
    static const guardrail_ndjson_ops_t  ops = {
        "avx2",
        guardrail_ndjson_scan
    };

    return guardrail_ndjson_have_avx2() ? &ops : NULL;
}

#else

const guardrail_ndjson_ops_t *
guardrail_ndjson_avx2(void)
{
    return NULL;
}

#endif
