
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the tests of decoders and bodies are made of: bytes that grow, a
 * generator of random numbers, and gzip and deflate put together by hand.
 */


#ifndef GUARDRAIL_TEST_BYTES_H
#define GUARDRAIL_TEST_BYTES_H


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>


#define GZ_FTEXT     0x01
#define GZ_FHCRC     0x02
#define GZ_FEXTRA    0x04
#define GZ_FNAME     0x08
#define GZ_FCOMMENT  0x10

#define GZ_FIXED     10
#define GZ_TRAILER   8


typedef struct {
    uint8_t  *p;
    size_t    len;
    size_t    cap;
} bytes_t;


typedef struct {
    uint64_t  s;
} rng_t;


/* one gzip member; zeroed, it is a plain one of no data at level 0 */

typedef struct {
    unsigned       flags;
    size_t         extra;               /* bytes of FEXTRA's data */
    size_t         name;                /* bytes, less the NUL */
    size_t         comment;             /* bytes, less the NUL */
    unsigned       bad_hcrc;

    const uint8_t *data;
    size_t         len;
    int            level;
    int            strategy;

    uint32_t       crc_xor;
    uint32_t       size_xor;
} gz_member_t;


static inline void
bytes_room(bytes_t *b, size_t n)
{
    size_t    cap;
    uint8_t  *p;

    if (n <= b->cap - b->len) {
        return;
    }

    cap = (b->len + n) * 2;
    p = realloc(b->p, cap);

    if (p == NULL) {
        abort();
    }

    b->p = p;
    b->cap = cap;
}


static inline void
bytes_add(bytes_t *b, const void *p, size_t n)
{
    if (n) {
        bytes_room(b, n);
        memcpy(b->p + b->len, p, n);
        b->len += n;
    }
}


static inline void
bytes_fill(bytes_t *b, int ch, size_t n)
{
    if (n) {
        bytes_room(b, n);
        memset(b->p + b->len, ch, n);
        b->len += n;
    }
}


static inline void
bytes_byte(bytes_t *b, unsigned ch)
{
    uint8_t  c = (uint8_t) ch;

    bytes_add(b, &c, 1);
}


static inline void
bytes_le32(bytes_t *b, uint32_t n)
{
    bytes_byte(b, n & 0xff);
    bytes_byte(b, n >> 8 & 0xff);
    bytes_byte(b, n >> 16 & 0xff);
    bytes_byte(b, n >> 24);
}


static inline void
bytes_text(bytes_t *b, const char *s)
{
    bytes_add(b, s, strlen(s));
}


static inline void
bytes_free(bytes_t *b)
{
    free(b->p);
    memset(b, 0, sizeof(bytes_t));
}


/* xorshift64*; a seed of 0 is taken as 1 */

static inline uint64_t
rng_next(rng_t *r)
{
    if (r->s == 0) {
        r->s = 1;
    }

    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;

    return r->s * 0x2545f4914f6cdd1d;
}


/* 0 .. n - 1 */

static inline size_t
rng_below(rng_t *r, size_t n)
{
    return n ? (size_t) ((rng_next(r) >> 11) % n) : 0;
}


/*
 * Compresses in one go; wbits as of deflateInit2().  With flush other than
 * Z_FINISH the stream stays open: what comes after is the caller's.
 */

static inline void
bytes_deflate(bytes_t *b, const void *p, size_t len, int wbits, int level,
    int strategy, int flush)
{
    int       rc;
    uint8_t   out[16384];
    z_stream  zs;

    memset(&zs, 0, sizeof(z_stream));

    if (deflateInit2(&zs, level, Z_DEFLATED, wbits, 8, strategy) != Z_OK) {
        abort();
    }

    zs.next_in = (Bytef *) (uintptr_t) p;
    zs.avail_in = (uInt) len;

    do {
        zs.next_out = out;
        zs.avail_out = sizeof(out);

        rc = deflate(&zs, flush);

        bytes_add(b, out, sizeof(out) - zs.avail_out);

    } while (rc == Z_OK && zs.avail_out == 0);

    (void) deflateEnd(&zs);
}


static inline void
gz_head(bytes_t *b, const gz_member_t *m)
{
    size_t    start;
    uint32_t  crc;

    start = b->len;

    bytes_byte(b, 0x1f);
    bytes_byte(b, 0x8b);
    bytes_byte(b, 8);
    bytes_byte(b, m->flags);
    bytes_le32(b, 0x01020304);
    bytes_byte(b, 2);
    bytes_byte(b, 3);

    if (m->flags & GZ_FEXTRA) {
        bytes_byte(b, m->extra & 0xff);
        bytes_byte(b, (unsigned) (m->extra >> 8));
        bytes_fill(b, 0, m->extra);
    }

    if (m->flags & GZ_FNAME) {
        bytes_fill(b, 'n', m->name);
        bytes_byte(b, 0);
    }

    if (m->flags & GZ_FCOMMENT) {
        bytes_fill(b, 'c', m->comment);
        bytes_byte(b, 0);
    }

    if (m->flags & GZ_FHCRC) {
        crc = (uint32_t) crc32_z(0, b->p + start, b->len - start);

        if (m->bad_hcrc) {
            crc ^= 1;
        }

        bytes_byte(b, crc & 0xff);
        bytes_byte(b, crc >> 8 & 0xff);
    }
}


static inline void
gz_trailer(bytes_t *b, const gz_member_t *m)
{
    bytes_le32(b, (uint32_t) crc32_z(0, m->data ? m->data : Z_NULL, m->len)
                  ^ m->crc_xor);
    bytes_le32(b, (uint32_t) m->len ^ m->size_xor);
}


static inline void
gz_member(bytes_t *b, const gz_member_t *m)
{
    gz_head(b, m);
    bytes_deflate(b, m->data, m->len, -MAX_WBITS, m->level, m->strategy,
                  Z_FINISH);
    gz_trailer(b, m);
}


/* a member without options */

static inline void
gz_plain(bytes_t *b, const void *p, size_t len, int level)
{
    gz_member_t  m;

    memset(&m, 0, sizeof(gz_member_t));

    m.data = p;
    m.len = len;
    m.level = level;

    gz_member(b, &m);
}


/* "gzip -9" of zeros */

static inline void
gz_zeros(bytes_t *b, size_t len)
{
    void  *p;

    p = calloc(1, len ? len : 1);

    if (p == NULL) {
        abort();
    }

    gz_plain(b, p, len, 9);
    free(p);
}


#endif /* GUARDRAIL_TEST_BYTES_H */
