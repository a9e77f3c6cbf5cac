
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records with NEON, which every arm64 has.
 */


#include "records/guardrail_ndjson_private.h"


#if defined(__aarch64__) && defined(__AARCH64EL__)

#include "base/guardrail_neon.h"
#include "records/guardrail_ndjson_fast.h"


/*
 * No two of space, tab, LF and CR have the same low nibble: each byte is
 * compared with the one of them that has its own.  Where none has, that is
 * a byte of another nibble.
 */

GUARDRAIL_INLINE uint8x16_t
guardrail_ndjson_neon_white16(uint8x16_t v, guardrail_ndjson_kind_e kind)
{
    uint8x16_t  table, low;

    static const uint8_t  white[2][16] = {
        { ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0 },
        { ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, 0, 0, 0 }
    };

    table = vld1q_u8(white[kind == ndjson_lf]);
    low = vandq_u8(v, vdupq_n_u8(0x0f));

    return vceqq_u8(v, vqtbl1q_u8(table, low));
}


GUARDRAIL_INLINE uint64_t
guardrail_ndjson_neon_white(guardrail_neon_t v,
    guardrail_ndjson_kind_e kind)
{
    return guardrail_neon_mask(guardrail_ndjson_neon_white16(v.a, kind),
                               guardrail_ndjson_neon_white16(v.b, kind),
                               guardrail_ndjson_neon_white16(v.c, kind),
                               guardrail_ndjson_neon_white16(v.d, kind));
}


GUARDRAIL_INLINE uint8x16_t
guardrail_ndjson_neon_odd16(uint8x16_t v, guardrail_ndjson_kind_e kind)
{
    uint8x16_t  m;

    if (kind == ndjson_utf8) {
        m = vcltq_u8(v, vdupq_n_u8(' '));

    } else {

        /* signed: what is above 7F is below space, too */

        m = vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(' '));
    }

    return vbicq_u8(m, guardrail_ndjson_neon_white16(v, kind));
}


GUARDRAIL_INLINE unsigned
guardrail_ndjson_neon_odd(guardrail_neon_t v,
    guardrail_ndjson_kind_e kind)
{
    uint8x16_t  ab, cd;

    ab = vorrq_u8(guardrail_ndjson_neon_odd16(v.a, kind),
                  guardrail_ndjson_neon_odd16(v.b, kind));
    cd = vorrq_u8(guardrail_ndjson_neon_odd16(v.c, kind),
                  guardrail_ndjson_neon_odd16(v.d, kind));

    return vmaxvq_u8(vorrq_u8(ab, cd)) != 0;
}


GUARDRAIL_INLINE uint8x16_t
guardrail_ndjson_neon_seps16(const uint8_t *p)
{
    uint8x16_t  v0, v1, v2, nel, sep;

    v0 = vld1q_u8(p);
    v1 = vld1q_u8(p - 1);
    v2 = vld1q_u8(p - 2);

    nel = vandq_u8(guardrail_neon_is(v1, 0xc2),
                   guardrail_neon_is(v0, 0x85));

    /* A8 or A9, FE or FF */

    v0 = vorrq_u8(v0, vdupq_n_u8(1));

    sep = vandq_u8(guardrail_neon_is(v2, 0xe2),
                   guardrail_neon_is(v1, 0x80));
    sep = vandq_u8(sep, guardrail_neon_is(v0, 0xa9));

    return vorrq_u8(vorrq_u8(nel, sep), guardrail_neon_is(v0, 0xff));
}


GUARDRAIL_INLINE unsigned
guardrail_ndjson_neon_seps(const uint8_t *p)
{
    uint8x16_t  ab, cd;

    ab = vorrq_u8(guardrail_ndjson_neon_seps16(p),
                  guardrail_ndjson_neon_seps16(p + 16));
    cd = vorrq_u8(guardrail_ndjson_neon_seps16(p + 32),
                  guardrail_ndjson_neon_seps16(p + 48));

    return vmaxvq_u8(vorrq_u8(ab, cd)) != 0;
}


GUARDRAIL_INLINE uint64_t
guardrail_ndjson_neon_high(guardrail_neon_t v)
{
    uint8x16_t  bit;

    bit = vdupq_n_u8(0x80);

    return guardrail_neon_mask(vcgeq_u8(v.a, bit),
                               vcgeq_u8(v.b, bit),
                               vcgeq_u8(v.c, bit),
                               vcgeq_u8(v.d, bit));
}


/*
 * One more than each byte, so that space is above what may not be behind an
 * LF.
 */

GUARDRAIL_INLINE uint8x16_t
guardrail_ndjson_neon_lines16(const uint8_t *p, guardrail_ndjson_kind_e kind,
    uint8x16_t *least)
{
    uint8x16_t  v, lf, high, next;

    v = vld1q_u8(p);
    next = vld1q_u8(p + 1);

    if (kind == ndjson_lf) {
        high = vcgeq_u8(v, vdupq_n_u8(0x80));
        v = vqaddq_u8(v, vdupq_n_u8(1));

    } else {

        /* C2 or E2, FE or FF */

        v = vqaddq_u8(v, vdupq_n_u8(1));
        high = vorrq_u8(v, vdupq_n_u8(0x20));
        high = vorrq_u8(guardrail_neon_is(high, 0xe2 + 1),
                        guardrail_neon_is(v, 0xff));
    }

    lf = guardrail_neon_is(v, '\n' + 1);

    v = vmaxq_u8(v, vandq_u8(lf, next));
    *least = vminq_u8(*least, vbicq_u8(v, high));

    return lf;
}


GUARDRAIL_INLINE uint64_t
guardrail_ndjson_neon_lines(const uint8_t *p, guardrail_ndjson_kind_e kind,
    uint8x16_t *least)
{
    uint8x16_t  a, b, c, d;

    a = guardrail_ndjson_neon_lines16(p, kind, least);
    b = guardrail_ndjson_neon_lines16(p + 16, kind, least);
    c = guardrail_ndjson_neon_lines16(p + 32, kind, least);
    d = guardrail_ndjson_neon_lines16(p + 48, kind, least);

    return guardrail_neon_mask(a, b, c, d);
}


GUARDRAIL_INLINE unsigned
guardrail_ndjson_neon_unfit(uint8x16_t least, guardrail_ndjson_kind_e kind)
{
    (void) kind;

    return vminvq_u8(least) <= ' ';
}


#define NDJSON_TARGET
#define NDJSON_INLINE    GUARDRAIL_INLINE
#define NDJSON_VEC       guardrail_neon_t
#define NDJSON_LOAD      guardrail_neon_load
#define NDJSON_EQ        guardrail_neon_eq
#define NDJSON_WHITE     guardrail_ndjson_neon_white
#define NDJSON_ODD       guardrail_ndjson_neon_odd
#define NDJSON_SEPS      guardrail_ndjson_neon_seps
#define NDJSON_HIGH      guardrail_ndjson_neon_high
#define NDJSON_LEAST     uint8x16_t
#define NDJSON_MOST      vdupq_n_u8(0x7f)
#define NDJSON_LINES     guardrail_ndjson_neon_lines
#define NDJSON_UNFIT     guardrail_ndjson_neon_unfit
#define NDJSON_ONES(m)   (uint64_t) __builtin_popcountll(m)
#define NDJSON_BELOW(m)  ((m) ? (uint64_t) __builtin_ctzll(m) : 64)
#define NDJSON_ABOVE(m)  ((m) ? (uint64_t) __builtin_clzll(m) : 64)
#define NDJSON_LEAVE()

#include "records/guardrail_ndjson_block.h"


const guardrail_ndjson_ops_t *
guardrail_ndjson_neon(void)
{
    static const guardrail_ndjson_ops_t  ops = {
        "neon",
        guardrail_ndjson_scan
    };

    return &ops;
}

#else

const guardrail_ndjson_ops_t *
guardrail_ndjson_neon(void)
{
    return NULL;
}

#endif
