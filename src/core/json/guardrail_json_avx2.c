
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON with AVX2.  The instructions are those of single
 * functions, by their attributes: the file needs no flags of its own, and the
 * choice is made when it runs.
 */


#include "json/guardrail_json_fast.h"


#if defined(__x86_64__)

#include "base/guardrail_avx2.h"
#include "base/guardrail_cpu.h"


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_brace(guardrail_avx2_t v, uint8_t c)
{
    __m256i  bit;

    bit = _mm256_set1_epi8(0x20);

    v.a = _mm256_or_si256(v.a, bit);
    v.b = _mm256_or_si256(v.b, bit);

    return guardrail_avx2_eq(v, c);
}


/* of brackets: those with bit 5 set, moved to where the mask takes it */

GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_objects(guardrail_avx2_t v)
{
    return guardrail_avx2_mask(_mm256_slli_epi16(v.a, 2),
                               _mm256_slli_epi16(v.b, 2));
}


/*
 * No two of the bytes that are looked for have the same low nibble: each byte
 * is compared with the one that has its own.  Where none has, that is a byte
 * of another nibble; from 80 on the shuffle gives 0.
 */

GUARDRAIL_AVX2_INLINE __m256i
guardrail_json_avx2_white32(__m256i v)
{
    __m256i  table;

    table = _mm256_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0,
                             0, '\t', '\n', 0, 0, '\r', 0, 0,
                             ' ', 0, 0, 0, 0, 0, 0, 0,
                             0, '\t', '\n', 0, 0, '\r', 0, 0);

    return _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(table, v));
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_white(guardrail_avx2_t v)
{
    return guardrail_avx2_mask(guardrail_json_avx2_white32(v.a),
                               guardrail_json_avx2_white32(v.b));
}


/* the mask takes the highest bit, which bytes above 7F have set */

GUARDRAIL_AVX2_INLINE __m256i
guardrail_json_avx2_odd32(__m256i v)
{
    __m256i  table;

    table = _mm256_setr_epi8(1, 0, 0, '#', 0, 0, 0, '\'',
                             0, 0, 0, 0, 0, 0, 0, '/',
                             1, 0, 0, '#', 0, 0, 0, '\'',
                             0, 0, 0, 0, 0, 0, 0, '/');

    return _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(table, v)),
                           v);
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_odd(guardrail_avx2_t v)
{
    return guardrail_avx2_mask(guardrail_json_avx2_odd32(v.a),
                               guardrail_json_avx2_odd32(v.b));
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_high(guardrail_avx2_t v)
{
    return guardrail_avx2_mask(v.a, v.b);
}


/* those that are 0 to n when the first is taken away */

GUARDRAIL_AVX2_INLINE __m256i
guardrail_json_avx2_range32(__m256i v, uint8_t from, uint8_t to)
{
    v = _mm256_sub_epi8(v, _mm256_set1_epi8((char) from));

    return _mm256_cmpeq_epi8(v, _mm256_min_epu8(v,
                             _mm256_set1_epi8((char) (to - from))));
}


GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_range(guardrail_avx2_t v, uint8_t from, uint8_t to)
{
    return guardrail_avx2_mask(guardrail_json_avx2_range32(v.a, from, to),
                               guardrail_json_avx2_range32(v.b, from, to));
}


/* multiplied by all ones without carries, a bit reaches all above it */

GUARDRAIL_AVX2_INLINE uint64_t
guardrail_json_avx2_prefix(uint64_t m)
{
    __m128i  product;

    product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t) m),
                                   _mm_set1_epi8(-1), 0);

    return (uint64_t) _mm_cvtsi128_si64(product);
}


#define JSON_TARGET      GUARDRAIL_AVX2
#define JSON_INLINE      GUARDRAIL_AVX2_INLINE
#define JSON_VEC         guardrail_avx2_t
#define JSON_LOAD        guardrail_avx2_load
#define JSON_EQ          guardrail_avx2_eq
#define JSON_BRACE       guardrail_json_avx2_brace
#define JSON_WHITE       guardrail_json_avx2_white
#define JSON_ODD         guardrail_json_avx2_odd
#define JSON_HIGH        guardrail_json_avx2_high
#define JSON_DIGITS(v)   guardrail_json_avx2_range(v, '0', '9')
#define JSON_RANGE       guardrail_json_avx2_range
#define JSON_PREFIX      guardrail_json_avx2_prefix
#define JSON_ONES(m)     (uint64_t) _mm_popcnt_u64(m)
#define JSON_BELOW(m)    (uint64_t) _tzcnt_u64(m)
#define JSON_ABOVE(m)    (uint64_t) _lzcnt_u64(m)

#define JSON_PAIRS       1
#define JSON_OBJECTS     guardrail_json_avx2_objects
#define JSON_GATHER(m, at)   _pext_u64(m, at)
#define JSON_SCATTER(m, at)  _pdep_u64(m, at)

#include "json/guardrail_json_block.h"
#include "json/guardrail_json_strict_block.h"


const guardrail_json_ops_t *
guardrail_json_avx2(void)
{
    static const guardrail_json_ops_t  ops[] = {
        { "avx2", guardrail_json_scan, guardrail_json_strict_scan, 0 },
        { "avx2", guardrail_json_scan, guardrail_json_strict_scan, 1 }
    };

    return guardrail_cpu_avx2() ? &ops[guardrail_cpu_gathers()] : NULL;
}

#else

const guardrail_json_ops_t *
guardrail_json_avx2(void)
{
    return NULL;
}

#endif
