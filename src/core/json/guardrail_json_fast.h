
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, 64 bytes at a time: what does not depend on
 * instructions.
 */


#ifndef GUARDRAIL_JSON_FAST_H
#define GUARDRAIL_JSON_FAST_H


#include "json/guardrail_json_memory_object.h"
#include "json/guardrail_json_shape.h"


/* what the walk over a block has to know; the compiler makes one of each */

typedef enum {
    json_walk_lines = 0,
    json_walk_lines_counted,            /* members, too */
    json_walk_text,                     /* and sequences */
    json_walk_text_counted
} guardrail_json_walk_e;


/*
 * The state while blocks are judged: it stays in registers.  What is a flag
 * elsewhere is 0 or 1 here, so that it can be shifted into a mask.
 */

typedef struct {
    uint64_t               string;      /* all ones: within a string */
    uint64_t               escaped;     /* the next byte is */
    uint64_t               scalar;      /* the last byte was of one */
    uint64_t               colon;       /* is the last byte but space */
    uint64_t               lone;        /* that one is no value */
    uint64_t               length;      /* of the string, or the scalar */
    uint64_t               limit;       /* of that */
    uint64_t               key;         /* the string is one */

    uint64_t               level;
    uint64_t               bits;
    uint64_t               count;
    uint64_t               tokens;
    uint64_t               deepest;
    uint64_t               continued;

    uint64_t               offset;
    uint64_t               records;
    uint64_t               largest;
    uint64_t               start;
    uint64_t               record;      /* one is being measured */
    uint64_t               base;

    unsigned               inside;      /* all of the last block was */
    unsigned               small;       /* a limit is less than a block */
    unsigned               pairs;       /* no limit on what a block can hold */
    unsigned               seq;
    unsigned               lines_auto;
    guardrail_json_walk_e  walk;

    /* with a memory model: of the string or the scalar */

    const uint8_t         *first;       /* of the piece */
    const uint8_t         *from;        /* what the model was not told */
    uint64_t               part;        /* it was told what is before */
    uint64_t               odd;         /* it is not ASCII alone */

    uint64_t               line;        /* begins at that offset */
    uint64_t               content;     /* and is not blank */
} guardrail_json_fast_t;


typedef size_t (*guardrail_json_blocks_pt)(guardrail_json_fast_t *f,
    guardrail_json_t *s, const uint8_t *p, size_t len);


/* of a block; in a mask the lowest bit is the first byte */

typedef struct {
    uint64_t  opens;
    uint64_t  closes;
    uint64_t  objects;                  /* { and }; elsewhere it is not said */
    uint64_t  lf;                       /* in lines: their ends */
    uint64_t  tokens;                   /* first bytes of values and keys */
    uint64_t  values;                   /* those behind a colon */
    uint64_t  string;                   /* in one; its first quote, too */
    uint64_t  starts;                   /* first quotes */
    uint64_t  ends;                     /* last quotes */
    uint64_t  scalar;

    /* with a memory model */

    uint64_t  odd;                      /* in a string: no ASCII, or a \ */
    uint64_t  high;                     /* no ASCII */
    uint64_t  digits;
    uint64_t  content;                  /* no white space */
} guardrail_json_masks_t;


/*
 * Can blocks be judged from this state on?  The memory model has open what the
 * scanner has, unless it takes lines for one document.
 */

GUARDRAIL_INLINE unsigned
guardrail_json_eligible(const guardrail_json_t *s)
{
    uint64_t  base;

    if (s->state > json_scalar || (s->flags & GUARDRAIL_JSON_BEGIN)
        || s->level > s->levels
        || (s->memory && s->memory->depth != s->level))
    {
        return 0;
    }

    if (s->limits.mode >= GUARDRAIL_JSON_LINES) {
        return 1;
    }

    base = guardrail_json_base(s);

    return s->level > base || base;
}


GUARDRAIL_INLINE uint64_t
guardrail_json_limit(const guardrail_json_t *s, uint64_t string, uint64_t key)
{
    return string ? (key ? s->limits.key : s->limits.string)
                  : s->limits.number;
}


GUARDRAIL_INLINE void
guardrail_json_fast_begin(guardrail_json_fast_t *f, const guardrail_json_t *s)
{
    unsigned  text;

    text = (s->limits.mode < GUARDRAIL_JSON_LINES);

    f->string = (uint64_t) 0 - (s->state == json_string
                                || s->state == json_escape);
    f->escaped = (s->state == json_escape);
    f->scalar = (s->state == json_scalar);
    f->colon = (s->state == json_between && s->prev == json_prev_colon);
    f->lone = (s->state == json_between && s->prev < json_prev_colon);
    f->length = s->length;
    f->key = (s->flags & GUARDRAIL_JSON_IN_KEY) != 0;
    f->limit = guardrail_json_limit(s, f->string, f->key);

    f->level = s->level;
    f->bits = s->bits;
    f->count = s->count;
    f->tokens = s->tokens;
    f->deepest = s->deepest;
    f->continued = s->continued;

    f->offset = s->offset;
    f->records = s->records;
    f->largest = s->largest;
    f->start = s->start;
    f->record = (s->flags & GUARDRAIL_JSON_RECORD) != 0;
    f->base = guardrail_json_base(s);

    f->inside = 0;
    f->small = (s->limits.key < 64 || s->limits.string < 64
                || s->limits.number < 64);
    f->pairs = (s->ops->pairs
                && (!s->counted
                    || (s->limits.keys >= 64 && s->limits.items >= 64))
                && (!text || s->limits.max_record_size >= 64));
    f->seq = (s->limits.mode == GUARDRAIL_JSON_SEQ);
    f->lines_auto = (s->limits.mode == GUARDRAIL_JSON_LINES_AUTO);

    if (s->memory) {
        f->part = (s->state != json_between);
        f->odd = (s->memory->string.size || s->memory->string.wide
                  || s->memory->string.high || s->state == json_escape);
        f->line = s->line;
        f->content = (s->state != json_between || s->prev != json_prev_none);
    }

    f->walk = text ? (s->counted ? json_walk_text_counted
                                        : json_walk_text)
                   : (s->counted ? json_walk_lines_counted
                                        : json_walk_lines);
}


/*
 * The last byte before p that is no white space; behind a line that left
 * nothing open there is none.  Those before from were judged before: where
 * there is only white space, they may have left a scalar that it has ended.
 */

GUARDRAIL_INLINE guardrail_json_prev_e
guardrail_json_fast_prev(const guardrail_json_t *s, const uint8_t *from,
    const uint8_t *p)
{
    guardrail_json_class_e  class;

    while (p > from) {
        class = guardrail_json_classes[*--p];

        switch (class) {

        case jsc_lf:

            if (s->level == 0 && s->limits.mode >= GUARDRAIL_JSON_LINES) {
                return json_prev_none;
            }

            break;

        case jsc_blank:
            break;

        case jsc_open:
            return json_prev_open;

        case jsc_comma:
            return json_prev_comma;

        case jsc_colon:
            return json_prev_colon;

        default:
            return json_prev_other;
        }
    }

    return (s->state == json_between) ? s->prev : json_prev_other;
}


/* blocks were judged from from to p */

GUARDRAIL_INLINE void
guardrail_json_fast_end(const guardrail_json_fast_t *f, guardrail_json_t *s,
    const uint8_t *from, const uint8_t *p)
{
    uint8_t   c;
    uint32_t  flags;

    flags = s->flags & (GUARDRAIL_JSON_VALUE|GUARDRAIL_JSON_ROWS);

    s->level = f->level;
    s->bits = f->bits;
    s->count = f->count;
    s->tokens = f->tokens;
    s->deepest = f->deepest;
    s->continued = (unsigned) f->continued;

    if (f->string) {
        s->state = f->escaped ? json_escape : json_string;
        s->prev = json_prev_other;
        flags |= f->key ? GUARDRAIL_JSON_IN_KEY : 0;

    } else if (f->scalar) {
        s->state = json_scalar;
        s->prev = json_prev_other;

        if (f->length <= (uint64_t) (p - from)) {
            c = *(p - f->length);

            flags |= guardrail_json_begins_number(c) ? 0
                                                     : GUARDRAIL_JSON_LETTER;

        } else {
            flags |= s->flags & GUARDRAIL_JSON_LETTER;
        }

    } else {
        s->prev = (uint8_t) guardrail_json_fast_prev(s, from, p);
        s->state = json_between;
    }

    /* a line's end: the next one may begin with a byte order mark */

    if (s->state == json_between && s->level == 0 && p > from
        && s->limits.mode >= GUARDRAIL_JSON_LINES && *(p - 1) == '\n')
    {
        flags |= GUARDRAIL_JSON_FIRST;
    }

    s->length = f->length;

    s->offset = f->offset;
    s->records = f->records;
    s->largest = f->largest;

    if (f->record) {
        flags |= GUARDRAIL_JSON_RECORD;

    } else {
        s->size = 0;
    }

    s->start = f->record ? f->start : 0;
    s->flags = flags;
}


/* each bit: the exclusive or of it and all below */

GUARDRAIL_INLINE uint64_t
guardrail_json_prefix(uint64_t m)
{
    m ^= m << 1;
    m ^= m << 2;
    m ^= m << 4;
    m ^= m << 8;
    m ^= m << 16;
    m ^= m << 32;

    return m;
}


/* not 0 if the mask holds a run of more than n ones; n is at most 63 */

GUARDRAIL_INLINE uint64_t
guardrail_json_longer(uint64_t mask, uint64_t n)
{
    uint64_t  have, step;

    for (have = 1; have <= n; have += step) {
        step = n + 1 - have;
        step = (step < have) ? step : have;
        mask &= mask >> step;
    }

    return mask;
}


/*
 * Is everything that begins in the block as short as its limit?  What is not
 * behind a colon may be a key.
 */

GUARDRAIL_INLINE unsigned
guardrail_json_short(const guardrail_json_fast_t *f, const guardrail_json_t *s,
    const guardrail_json_masks_t *m)
{
    uint64_t  bytes, keys, scalar;

    bytes = m->string & ~m->starts;
    scalar = m->scalar;

    /* not what began before it */

    if (f->string) {
        bytes &= bytes + 1;
    }

    if (f->scalar) {
        scalar &= scalar + 1;
    }

    if (s->limits.string < 64
        && guardrail_json_longer(bytes, s->limits.string))
    {
        return 0;
    }

    if (s->limits.key < 64) {
        keys = bytes & ~(bytes + (((m->starts & ~m->values) << 1) & bytes));

        if (guardrail_json_longer(keys, s->limits.key)) {
            return 0;
        }
    }

    return s->limits.number >= 64
           || !guardrail_json_longer(scalar, s->limits.number);
}


#endif /* GUARDRAIL_JSON_FAST_H */
