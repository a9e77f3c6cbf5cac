
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON with NEON, which every arm64 has; a carry-less
 * multiplication it may not have.
 */


#include "json/guardrail_json_fast.h"


#if defined(__aarch64__) && defined(__AARCH64EL__)

#include "base/guardrail_neon.h"


GUARDRAIL_INLINE uint64_t
guardrail_json_neon_brace(guardrail_neon_t v, uint8_t c)
{
    uint8x16_t  bit;

    bit = vdupq_n_u8(0x20);

    v.a = vorrq_u8(v.a, bit);
    v.b = vorrq_u8(v.b, bit);
    v.c = vorrq_u8(v.c, bit);
    v.d = vorrq_u8(v.d, bit);

    return guardrail_neon_eq(v, c);
}


/*
 * No two of the bytes that are looked for have the same low nibble: each byte
 * is compared with the one that has its own.  Where none has, that is a byte
 * of another nibble.
 */

GUARDRAIL_INLINE uint8x16_t
guardrail_json_neon_same16(uint8x16_t v, const uint8_t *table)
{
    uint8x16_t  low;

    low = vandq_u8(v, vdupq_n_u8(0x0f));

    return vceqq_u8(v, vqtbl1q_u8(vld1q_u8(table), low));
}


GUARDRAIL_INLINE uint64_t
guardrail_json_neon_white(guardrail_neon_t v)
{
    static const uint8_t  table[16] = {
        ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0
    };

    return guardrail_neon_mask(guardrail_json_neon_same16(v.a, table),
                               guardrail_json_neon_same16(v.b, table),
                               guardrail_json_neon_same16(v.c, table),
                               guardrail_json_neon_same16(v.d, table));
}


GUARDRAIL_INLINE uint8x16_t
guardrail_json_neon_odd16(uint8x16_t v)
{
    static const uint8_t  table[16] = {
        1, 0, 0, '#', 0, 0, 0, '\'', 0, 0, 0, 0, 0, 0, 0, '/'
    };

    return vorrq_u8(guardrail_json_neon_same16(v, table),
                    vcgeq_u8(v, vdupq_n_u8(0x80)));
}


GUARDRAIL_INLINE uint64_t
guardrail_json_neon_odd(guardrail_neon_t v)
{
    return guardrail_neon_mask(guardrail_json_neon_odd16(v.a),
                               guardrail_json_neon_odd16(v.b),
                               guardrail_json_neon_odd16(v.c),
                               guardrail_json_neon_odd16(v.d));
}


GUARDRAIL_INLINE uint64_t
guardrail_json_neon_high(guardrail_neon_t v)
{
    uint8x16_t  first;

    first = vdupq_n_u8(0x80);

    return guardrail_neon_mask(vcgeq_u8(v.a, first),
                               vcgeq_u8(v.b, first),
                               vcgeq_u8(v.c, first),
                               vcgeq_u8(v.d, first));
}


/* those that are 0 to n when the first is taken away */

GUARDRAIL_INLINE uint8x16_t
guardrail_json_neon_range16(uint8x16_t v, uint8_t from, uint8_t to)
{
    return vcleq_u8(vsubq_u8(v, vdupq_n_u8(from)),
                    vdupq_n_u8((uint8_t) (to - from)));
}


GUARDRAIL_INLINE uint64_t
guardrail_json_neon_range(guardrail_neon_t v, uint8_t from, uint8_t to)
{
    return guardrail_neon_mask(guardrail_json_neon_range16(v.a, from, to),
                               guardrail_json_neon_range16(v.b, from, to),
                               guardrail_json_neon_range16(v.c, from, to),
                               guardrail_json_neon_range16(v.d, from, to));
}


#define JSON_TARGET
#define JSON_INLINE      GUARDRAIL_INLINE
#define JSON_VEC         guardrail_neon_t
#define JSON_LOAD        guardrail_neon_load
#define JSON_EQ          guardrail_neon_eq
#define JSON_BRACE       guardrail_json_neon_brace
#define JSON_WHITE       guardrail_json_neon_white
#define JSON_ODD         guardrail_json_neon_odd
#define JSON_HIGH        guardrail_json_neon_high
#define JSON_DIGITS(v)   guardrail_json_neon_range(v, '0', '9')
#define JSON_RANGE       guardrail_json_neon_range
#define JSON_PREFIX      guardrail_json_prefix
#define JSON_ONES(m)     (uint64_t) __builtin_popcountll(m)
#define JSON_BELOW(m)    ((m) ? (uint64_t) __builtin_ctzll(m) : 64)
#define JSON_ABOVE(m)    ((m) ? (uint64_t) __builtin_clzll(m) : 64)

#include "json/guardrail_json_block.h"
#include "json/guardrail_json_strict_block.h"


const guardrail_json_ops_t *
guardrail_json_neon(void)
{
    static const guardrail_json_ops_t  ops = {
        "neon",
        guardrail_json_scan,
        guardrail_json_strict_scan,
        0
    };

    return &ops;
}

#else

const guardrail_json_ops_t *
guardrail_json_neon(void)
{
    return NULL;
}

#endif
