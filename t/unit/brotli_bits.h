
/*
 * Copyright (C) nginx-guardrail authors
 *
 * brotli streams bit by bit (RFC 7932): what no encoder writes.
 */


#ifndef GUARDRAIL_TEST_BROTLI_BITS_H
#define GUARDRAIL_TEST_BROTLI_BITS_H


#include "bytes.h"


typedef struct {
    bytes_t   b;
    unsigned  bit;                      /* bits used of the last byte */
} bits_t;


/* a metablock of codes of one symbol each */

typedef struct {
    uint32_t  len;                      /* MLEN */
    unsigned  literal_types;            /* NBLTYPESL */
    unsigned  command_types;            /* NBLTYPESI */
    unsigned  literal_trees;            /* NTREESL */
    unsigned  distance_trees;           /* NTREESD */
    unsigned  command;                  /* the insert and copy code */
    unsigned  postfix;                  /* NPOSTFIX, 2 bits, NDIRECT, 4 */
} bits_block_t;


static inline void
bits_put(bits_t *w, uint64_t v, unsigned n)
{
    for ( /* void */ ; n; n--) {
        if (w->bit == 0) {
            bytes_byte(&w->b, 0);
        }

        w->b.p[w->b.len - 1] |= (uint8_t) ((v & 1) << w->bit);
        w->bit = (w->bit + 1) % 8;
        v >>= 1;
    }
}


static inline void
bits_align(bits_t *w)
{
    w->bit = 0;
}


/* WBITS of a window of 2^n bytes */

static inline void
bits_window(bits_t *w, unsigned n)
{
    if (n == 16) {
        bits_put(w, 0, 1);

    } else if (n >= 18) {
        bits_put(w, 1 | (n - 17) << 1, 4);

    } else {
        bits_put(w, 1 | (n == 17 ? 0 : n - 8) << 4, 7);
    }
}


/* the number of block types or trees, 1 to 256 */

static inline void
bits_count(bits_t *w, unsigned n)
{
    unsigned  k;

    if (n == 1) {
        bits_put(w, 0, 1);
        return;
    }

    for (k = 0; (2u << k) <= n - 1; k++) { /* void */ }

    bits_put(w, 1, 1);
    bits_put(w, k, 3);
    bits_put(w, n - 1 - (1u << k), k);
}


/* a simple prefix code of one symbol, which then takes no bits */

static inline void
bits_code(bits_t *w, unsigned symbol, unsigned width)
{
    bits_put(w, 1, 2);
    bits_put(w, 0, 2);
    bits_put(w, symbol, width);
}


static inline void
bits_length(bits_t *w, uint32_t len)
{
    unsigned  nibbles;

    for (nibbles = 4; (len - 1) >> nibbles * 4; nibbles++) { /* void */ }

    bits_put(w, 0, 1);
    bits_put(w, nibbles - 4, 2);
    bits_put(w, len - 1, nibbles * 4);
}


static inline void
bits_raw(bits_t *w, const void *p, size_t len)
{
    bits_length(w, (uint32_t) len);
    bits_put(w, 1, 1);
    bits_align(w);
    bytes_add(&w->b, p, len);
}


static inline void
bits_metadata(bits_t *w, size_t len)
{
    bits_put(w, 6, 4);
    bits_put(w, len ? 1 : 0, 2);

    if (len) {
        bits_put(w, len - 1, 8);
    }

    bits_align(w);
    bytes_fill(&w->b, 0x55, len);
}


static inline void
bits_last(bits_t *w)
{
    bits_put(w, 3, 2);
}


static inline void
bits_types(bits_t *w, unsigned types)
{
    bits_count(w, types);

    if (types > 1) {
        bits_code(w, 0, types + 1 < 4 ? 2 : types + 1 < 256 ? 8 : 9);
        bits_code(w, 25, 5);
        bits_put(w, 0xffffff, 24);      /* the first block's length */
    }
}


static inline void
bits_map(bits_t *w, unsigned trees)
{
    unsigned  width;

    bits_count(w, trees);

    if (trees > 1) {
        for (width = 0; (1u << width) < trees; width++) { /* void */ }

        bits_put(w, 0, 1);              /* no runs */
        bits_code(w, trees - 1, width);
        bits_put(w, 1, 1);              /* moved to the front */
    }
}


static inline void
bits_block(bits_t *w, const bits_block_t *m)
{
    unsigned  i, width;

    bits_length(w, m->len);
    bits_put(w, 0, 1);

    bits_types(w, m->literal_types);
    bits_types(w, m->command_types);
    bits_types(w, 1);

    bits_put(w, m->postfix, 6);

    for (i = 0; i < m->literal_types; i++) {
        bits_put(w, 0, 2);
    }

    bits_map(w, m->literal_trees);
    bits_map(w, m->distance_trees);

    for (i = 0; i < m->literal_trees; i++) {
        bits_code(w, 'a', 8);
    }

    for (i = 0; i < m->command_types; i++) {
        bits_code(w, m->command, 10);
    }

    /* 16, NDIRECT, and 48 << NPOSTFIX distances */

    i = 16 + ((m->postfix >> 2) << (m->postfix & 3))
        + (48u << (m->postfix & 3)) - 1;

    for (width = 0; i >> width; width++) { /* void */ }

    for (i = 0; i < m->distance_trees; i++) {
        bits_code(w, 0, width);
    }
}


#endif /* GUARDRAIL_TEST_BROTLI_BITS_H */
