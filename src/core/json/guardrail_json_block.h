
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, 64 bytes at a time: one scanner, included once for each
 * instruction set, in a file that defines before
 *
 *     JSON_TARGET         the attributes of its functions
 *     JSON_INLINE         and of those that are inlined
 *     JSON_VEC            a type for 64 bytes
 *     JSON_LOAD(p)        these bytes
 *     JSON_EQ(v, c)       mask of the bytes that are c
 *     JSON_BRACE(v, c)    of those that are c once bit 5 is set
 *     JSON_WHITE(v)       of space, tab, LF, CR
 *     JSON_ODD(v)         of apostrophe, slash, hash, and bytes above 7F
 *     JSON_HIGH(v)        of bytes above 7F
 *     JSON_DIGITS(v)      of digits
 *     JSON_PREFIX(m)      each bit: the exclusive or of it and all below
 *     JSON_ONES(m)        the number of bits
 *     JSON_BELOW(m)       the number of zeros below the lowest bit, 64 if none
 *     JSON_ABOVE(m)       and above the highest
 *
 * A block in which a limit could be exceeded, or that holds what no JSON
 * does, is left to the scalar scanner, from a bracket on.  That is always
 * right, only slower: what sends a block there may be wider than needed,
 * never narrower.
 */


#include <string.h>

#if (JSON_PAIRS)
#include "json/guardrail_json_pairs.h"
#endif

#include "json/guardrail_json_walk.h"
#include "json/guardrail_json_tell.h"


#define JSON_EVEN    ((uint64_t) 0x5555555555555555)
#define JSON_UNEVEN  (JSON_EVEN << 1)

/* so many bytes are not worth a block */

#define JSON_FEW  16


/*
 * The bytes behind a backslash that is not behind one itself: those behind an
 * odd number of them.  A run of backslashes that begins on an even bit is
 * carried to the bit behind it by adding its first one; it was odd if that
 * bit is an odd one, and the other way round.
 */

JSON_INLINE uint64_t
guardrail_json_escapes(uint64_t backslash, uint64_t *carry)
{
    uint64_t  first, even, odd, escaped, start;

    first = *carry;
    backslash &= ~first;
    start = backslash & ~(backslash << 1);

    even = backslash + (start & JSON_EVEN);
    *carry = __builtin_add_overflow(backslash, start & JSON_UNEVEN, &odd);

    escaped = ((even & JSON_UNEVEN) | (odd & JSON_EVEN)) & ~backslash;

    return escaped | first;
}


/*
 * The bytes of a block; of a piece's last one, behind those that are left,
 * spaces, which no mask takes in.
 */

JSON_INLINE JSON_VEC
guardrail_json_load(const uint8_t *p, unsigned size)
{
    uint8_t  block[64];

    if (size == 64) {
        return JSON_LOAD(p);
    }

    memset(block, ' ', 64);
    memcpy(block, p, size);

    return JSON_LOAD(block);
}


/*
 * Finds what is in a block.  Returns 0 if it holds what no JSON does, or a
 * string or a scalar that could be too long.
 */

JSON_INLINE unsigned
guardrail_json_classify(guardrail_json_fast_t *f, const guardrail_json_t *s,
    const uint8_t *p, unsigned size, guardrail_json_masks_t *m,
    guardrail_json_fast_t *n, unsigned lines, unsigned memory)
{
    uint64_t  quote, backslash, escaped, string, outside, white, comma, colon;
    uint64_t  odd, lf, scalars, sum, starts, stop, all, next;
    unsigned  last;
    JSON_VEC  v;

    v = guardrail_json_load(p, size);

    last = size - 1;
    all = UINT64_MAX >> (63 - last);

    quote = JSON_EQ(v, '"');
    backslash = JSON_EQ(v, '\\');

    n->escaped = f->escaped;
    escaped = 0;

    if (backslash | f->escaped) {
        escaped = guardrail_json_escapes(backslash, &n->escaped);

        if (size < 64) {
            n->escaped = escaped >> size & 1;
        }
    }

    quote &= ~escaped;
    string = (JSON_PREFIX(quote) ^ f->string) & all;
    outside = ~(string | quote) & all;

    m->opens = JSON_BRACE(v, '{') & outside;
    m->closes = JSON_BRACE(v, '}') & outside;
#if (JSON_PAIRS)
    m->objects = JSON_OBJECTS(v);
#endif
    comma = JSON_EQ(v, ',') & outside;
    colon = JSON_EQ(v, ':') & outside;
    white = JSON_WHITE(v) & outside;

    odd = (JSON_ODD(v) & outside) | (backslash & ~string);

    if (lines) {
        lf = JSON_EQ(v, '\n');
        m->lf = lf & outside;
        odd |= lf & string;

    } else if (f->seq) {
        odd |= JSON_EQ(v, 0x1e);
    }

    m->scalar = outside & ~(m->opens | m->closes | comma | colon | white);
    scalars = m->scalar & ~((m->scalar << 1) | f->scalar);

    m->string = string;
    m->starts = quote & string;
    m->ends = quote & ~string;
    m->tokens = m->opens | m->starts | scalars;

    /* the sum carries a bit over white space, to the byte behind it */

    starts = (colon << 1) | f->colon;
    next = __builtin_add_overflow(starts, white, &sum) | (colon >> 63);
    n->colon = (size < 64) ? sum >> size & 1 : next;
    m->values = sum & ~white & m->tokens;

    starts = ((m->opens | comma) << 1) | f->lone;
    next = __builtin_add_overflow(starts, white, &sum)
           | ((m->opens | comma) >> 63);
    n->lone = (size < 64) ? sum >> size & 1 : next;
    odd |= sum & ~white & comma;

    if (odd) {
        return 0;
    }

    if (memory) {

        /* what is deeper the model does not follow: it is told bytewise */

        if (f->level > GUARDRAIL_JSON_MEMORY_DEPTH - 64) {
            return 0;
        }

        m->high = JSON_HIGH(v);
        m->odd = (backslash | m->high) & string;
        m->digits = JSON_DIGITS(v);
        m->content = ~white;

        if (!lines) {
            m->lf = 0;
        }

        if (guardrail_json_most(f, s, m) > s->limits.memory) {
            return 0;
        }
    }

    /* what was begun before goes on up to here */

    stop = f->string ? quote : ~m->scalar;

    if (JSON_BELOW(stop) > f->limit - f->length || f->length > f->limit) {
        return 0;
    }

    if (f->small && !guardrail_json_short(f, s, m)) {
        return 0;
    }

    n->string = (uint64_t) 0 - (string >> last);
    n->scalar = m->scalar >> last;

    /* and what is begun here, beyond the end */

    starts = n->string ? m->starts : n->scalar ? scalars : 1;
    n->length = JSON_ABOVE(starts) - (63 - last) + n->scalar;

    if (starts == 0) {
        n->length = f->length + size;

    } else if (!(n->string | n->scalar)) {
        n->length = 0;
    }

    return 1;
}


/*
 * Judges the block at p, of that many bytes: returns how many, fewer if it
 * cannot tell what the others exceed.
 */

JSON_INLINE unsigned
guardrail_json_block(guardrail_json_fast_t *f, guardrail_json_t *s,
    const uint8_t *p, unsigned size, guardrail_json_walk_e walk,
    unsigned memory)
{
    uint64_t                done, last;
    guardrail_json_fast_t   n;
    guardrail_json_masks_t  m;

    if (!guardrail_json_classify(f, s, p, size, &m, &n,
                                 walk < json_walk_text, memory))
    {
        return 0;
    }

    done = guardrail_json_walk(f, s, p, &m, size, walk, memory);

    if (done == 0) {
        return 0;
    }

    if (memory) {
        guardrail_json_tell(f, s, p, &m, done & (UINT64_MAX >> (64 - size)),
                            walk < json_walk_text);
    }

    if (done != UINT64_MAX) {

        /* up to a bracket, or to a line's end */

        f->string = 0;
        f->escaped = 0;
        f->scalar = 0;
        f->length = 0;
        f->offset += JSON_ONES(done);

        return (unsigned) JSON_ONES(done);
    }

    if (memory) {
        guardrail_json_tell_on(f, p, &m, &n);
    }

    if (n.string && m.starts) {
        last = (uint64_t) 1 << (63 - JSON_ABOVE(m.starts));
        f->key = (f->level != 0) & f->bits & ((m.values & last) == 0);
    }

    f->inside = (f->string & m.string) == UINT64_MAX;
    f->string = n.string;
    f->escaped = n.escaped;
    f->scalar = n.scalar;
    f->colon = n.colon;
    f->lone = n.lone;
    f->length = n.length;
    f->limit = guardrail_json_limit(s, f->string, f->key);
    f->offset += size;

    return size;
}


/* blocks within a long string: how many bytes */

JSON_INLINE size_t
guardrail_json_inside(guardrail_json_fast_t *f, const guardrail_json_t *s,
    const uint8_t *p, size_t len, unsigned lines, unsigned memory)
{
    size_t                  i;
    uint64_t                room, size, odd;
    JSON_VEC                v;
    guardrail_json_masks_t  m;

    room = (f->length < f->limit) ? f->limit - f->length : 0;

    if (f->record) {
        size = f->offset - f->start;
        size = (size < s->limits.max_record_size)
               ? s->limits.max_record_size - size : 0;
        room = (size < room) ? size : room;
    }

    if (memory) {
        memset(&m, 0, sizeof(guardrail_json_masks_t));

        m.odd = 1;
        m.high = 1;

        size = guardrail_json_most(f, s, &m);
        size = (size < s->limits.memory) ? s->limits.memory - size : 0;
        size /= JSON_TELL_BYTE;
        room = (size < room) ? size : room;
    }

    if (len > room) {
        len = (size_t) room;
    }

    for (i = 0; len - i >= 64; i += 64) {
        v = JSON_LOAD(p + i);
        odd = JSON_EQ(v, '"') | JSON_EQ(v, '\\');

        if (lines) {
            odd |= JSON_EQ(v, '\n');

        } else if (f->seq) {
            odd |= JSON_EQ(v, 0x1e);
        }

        if (odd) {
            break;
        }

        if (memory) {
            f->odd |= JSON_HIGH(v);
        }
    }

    f->length += i;
    f->offset += i;

    return i;
}


JSON_INLINE size_t
guardrail_json_blocks(guardrail_json_fast_t *to, guardrail_json_t *s,
    const uint8_t *p, size_t len, guardrail_json_walk_e walk, unsigned memory)
{
    size_t                 i;
    unsigned               n, size;
    guardrail_json_fast_t  f;

    f = *to;

    for (i = 0; i < len; i += n) {

        if (f.inside && !f.escaped) {
            i += guardrail_json_inside(&f, s, p + i, len - i,
                                       walk < json_walk_text, memory);

            if (i == len) {
                break;
            }
        }

        size = (len - i < 64) ? (unsigned) (len - i) : 64;
        n = guardrail_json_block(&f, s, p + i, size, walk, memory);

        if (n < size) {
            i += n;
            break;
        }
    }

    *to = f;

    return i;
}


#include "json/guardrail_json_scan.h"
