
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The distinct keys of a document.  CPython's parser has one str for all keys
 * that are equal, so a key costs once for each document.
 *
 * A bucket holds what identifies a key: 56 bits of its hash, of which the
 * bucket's number is 9, and the number of the document in the low 8 bits, so
 * that nothing is cleared between two records.  A key that finds its bucket
 * full is taken for a new one.  So a sender who chooses keys for their
 * buckets raises his own estimate; to lower it he would need keys of one
 * hash.  That is why it is SipHash-2-4 and nothing faster (with a key of
 * zero: the same body has the same estimate everywhere).  Keys are compared
 * as they are written, so an escape makes another key: it errs upwards.
 */


#include "json/guardrail_json_memory_object.h"


static void guardrail_json_memory_round(uint64_t *v);
static void guardrail_json_memory_word(guardrail_json_memory_string_t *s,
    uint64_t word);


/* SipHash, J.-P. Aumasson and D. J. Bernstein, 2012 */

static inline void
guardrail_json_memory_round(uint64_t *v)
{
    v[0] += v[1];
    v[1] = v[1] << 13 | v[1] >> 51;
    v[1] ^= v[0];
    v[0] = v[0] << 32 | v[0] >> 32;

    v[2] += v[3];
    v[3] = v[3] << 16 | v[3] >> 48;
    v[3] ^= v[2];

    v[0] += v[3];
    v[3] = v[3] << 21 | v[3] >> 43;
    v[3] ^= v[0];

    v[2] += v[1];
    v[1] = v[1] << 17 | v[1] >> 47;
    v[1] ^= v[2];
    v[2] = v[2] << 32 | v[2] >> 32;
}


static inline void
guardrail_json_memory_word(guardrail_json_memory_string_t *s, uint64_t word)
{
    s->hash[3] ^= word;
    guardrail_json_memory_round(s->hash);
    guardrail_json_memory_round(s->hash);
    s->hash[0] ^= word;
}


void
guardrail_json_memory_hash_init(guardrail_json_memory_string_t *s)
{
    s->word = 0;
    s->bytes = 0;

    s->hash[0] = 0x736f6d6570736575;
    s->hash[1] = 0x646f72616e646f6d;
    s->hash[2] = 0x6c7967656e657261;
    s->hash[3] = 0x7465646279746573;
}


void
guardrail_json_memory_hash(guardrail_json_memory_string_t *s, const uint8_t *p,
    size_t len)
{
    size_t    n;
    unsigned  have;

    have = (unsigned) s->bytes % 8;
    s->bytes += len;

    if (have) {
        n = len < 8 - have ? len : 8 - have;
        s->word |= guardrail_load_some(p, n) << (8 * have);

        if (have + n < 8) {
            return;
        }

        guardrail_json_memory_word(s, s->word);
        p += n;
        len -= n;
    }

    while (len >= 8) {
        guardrail_json_memory_word(s, guardrail_load64(p));
        p += 8;
        len -= 8;
    }

    s->word = guardrail_load_some(p, len);
}


uint64_t
guardrail_json_memory_hash_end(guardrail_json_memory_string_t *s)
{
    unsigned  i;

    guardrail_json_memory_word(s, s->word | s->bytes << 56);

    s->hash[2] ^= 0xff;

    for (i = 0; i < 4; i++) {
        guardrail_json_memory_round(s->hash);
    }

    return s->hash[0] ^ s->hash[1] ^ s->hash[2] ^ s->hash[3];
}


uint64_t
guardrail_json_memory_hash_short(uint64_t first, uint64_t second)
{
    guardrail_json_memory_string_t  s;

    guardrail_json_memory_hash_init(&s);

    /* the length is in the last word already */

    if (second) {
        guardrail_json_memory_word(&s, first);
        first = second;
    }

    s.word = first;

    return guardrail_json_memory_hash_end(&s);
}


unsigned
guardrail_json_memory_key_is_new(guardrail_json_memory_t *m)
{
    return guardrail_json_memory_add_key(m,
                                  guardrail_json_memory_hash_end(&m->string));
}


void
guardrail_json_memory_memo(guardrail_json_memory_t *m)
{
    uint64_t  growth;

    m->keys_room = guardrail_json_memory_table(m, m->keys);
    m->memo = guardrail_py_table(guardrail_py_table_log(m->keys));

    growth = guardrail_py_table(guardrail_py_table_log(m->keys_room));

    if (growth > m->growth) {
        m->growth = growth;
    }
}


void
guardrail_json_memory_forget_keys(guardrail_json_memory_t *m)
{
    memset(m->set, 0, sizeof(m->set));
    m->epoch = 1;
}
