
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_siphash.h"


typedef struct {
    uint64_t  v0;
    uint64_t  v1;
    uint64_t  v2;
    uint64_t  v3;
} guardrail_siphash_t;


static inline uint64_t guardrail_siphash_word(const uint8_t *p);
static inline uint64_t guardrail_siphash_load(const uint8_t *p, size_t len);
static inline uint64_t guardrail_siphash_rotate(uint64_t x, unsigned n);
static inline void guardrail_siphash_rounds(guardrail_siphash_t *s,
    unsigned n);


/* little-endian; compilers make one load of it */

static inline uint64_t
guardrail_siphash_word(const uint8_t *p)
{
    return (uint64_t) p[0] | (uint64_t) p[1] << 8
           | (uint64_t) p[2] << 16 | (uint64_t) p[3] << 24
           | (uint64_t) p[4] << 32 | (uint64_t) p[5] << 40
           | (uint64_t) p[6] << 48 | (uint64_t) p[7] << 56;
}


/* the same of less than 8 bytes */

static inline uint64_t
guardrail_siphash_load(const uint8_t *p, size_t len)
{
    size_t    i;
    uint64_t  n;

    for (n = 0, i = 0; i < len; i++) {
        n |= (uint64_t) p[i] << (8 * i);
    }

    return n;
}


static inline uint64_t
guardrail_siphash_rotate(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}


static inline void
guardrail_siphash_rounds(guardrail_siphash_t *s, unsigned n)
{
    while (n--) {
        s->v0 += s->v1;
        s->v1 = guardrail_siphash_rotate(s->v1, 13) ^ s->v0;
        s->v0 = guardrail_siphash_rotate(s->v0, 32);

        s->v2 += s->v3;
        s->v3 = guardrail_siphash_rotate(s->v3, 16) ^ s->v2;

        s->v0 += s->v3;
        s->v3 = guardrail_siphash_rotate(s->v3, 21) ^ s->v0;

        s->v2 += s->v1;
        s->v1 = guardrail_siphash_rotate(s->v1, 17) ^ s->v2;
        s->v2 = guardrail_siphash_rotate(s->v2, 32);
    }
}


void
guardrail_siphash(const uint8_t key[GUARDRAIL_SIPHASH_KEY], const uint8_t *p,
    size_t len, uint64_t hash[2])
{
    size_t               left;
    uint64_t             k0, k1, m;
    guardrail_siphash_t  s;

    k0 = guardrail_siphash_word(key);
    k1 = guardrail_siphash_word(key + 8);

    /* "somepseudorandomlygeneratedbytes", and what makes it 128 bits */

    s.v0 = k0 ^ 0x736f6d6570736575;
    s.v1 = k1 ^ 0x646f72616e646f6d ^ 0xee;
    s.v2 = k0 ^ 0x6c7967656e657261;
    s.v3 = k1 ^ 0x7465646279746573;

    for (left = len; left >= 8; left -= 8, p += 8) {
        m = guardrail_siphash_word(p);

        s.v3 ^= m;
        guardrail_siphash_rounds(&s, 2);
        s.v0 ^= m;
    }

    m = (uint64_t) len << 56 | guardrail_siphash_load(p, left);

    s.v3 ^= m;
    guardrail_siphash_rounds(&s, 2);
    s.v0 ^= m;

    s.v2 ^= 0xee;
    guardrail_siphash_rounds(&s, 4);
    hash[0] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;

    s.v1 ^= 0xdd;
    guardrail_siphash_rounds(&s, 4);
    hash[1] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
