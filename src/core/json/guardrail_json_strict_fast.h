
/*
 * Copyright (C) nginx-guardrail authors
 *
 * RFC 8259 to the letter, 64 bytes at a time: what does not depend on
 * instructions.
 */


#ifndef GUARDRAIL_JSON_STRICT_FAST_H
#define GUARDRAIL_JSON_STRICT_FAST_H


#include <string.h>

#include "json/guardrail_json_strict.h"


/*
 * The state between blocks.  What is a flag elsewhere is 0 or 1 here, so that
 * it can be added to a mask, whose lowest bit is the block's first byte.
 */

typedef struct {
    uint64_t        string;             /* all ones: within a string */
    uint64_t        escaped;            /* the next byte is */
    uint64_t        hex;                /* so many bits: digits of \u to come */
    uint64_t        tail;               /* bytes of a character to come */
    uint8_t         last;               /* the last byte, where tail is not 0 */

    /* what the last token was, 1 for one of them */

    uint64_t        object;             /* { */
    uint64_t        array;              /* [ */
    uint64_t        comma;
    uint64_t        colon;
    uint64_t        key;
    uint64_t        value;              /* the end of one */
    uint64_t        record;             /* the end of one, or nothing yet */

    /* what the last byte was of a scalar */

    uint64_t        scalar;             /* any of it */
    uint64_t        minus;
    uint64_t        zero;               /* that is all of its integer */
    uint64_t        digit;              /* of the integer, zero, too */
    uint64_t        point;
    uint64_t        frac;
    uint64_t        exp;
    uint64_t        sign;
    uint64_t        power;

    uint64_t        literal;            /* so many bits: bytes to come */
    uint64_t        behind;             /* the one behind them */
    const uint8_t  *word;               /* where it begins */

    uint64_t        level;
    uint64_t        bits;
} guardrail_json_strict_fast_t;


/* Returns 0 if blocks cannot be judged from this state on. */

GUARDRAIL_INLINE unsigned
guardrail_json_strict_begin(guardrail_json_strict_fast_t *f,
    const guardrail_json_strict_t *v)
{
    memset(f, 0, sizeof(guardrail_json_strict_fast_t));

    f->level = v->level;
    f->bits = v->bits;

    switch (v->state) {

    case jst_start:
        f->record = 1;
        return v->mode != GUARDRAIL_JSON_SEQ || v->open;

    case jst_item:
        f->array = 1;
        return 1;

    case jst_member:
        f->object = 1;
        return 1;

    case jst_key:
        f->comma = 1;
        return 1;

    case jst_colon:
        f->key = 1;
        return 1;

    case jst_value:
        f->colon = v->bits & 1;
        f->comma = !f->colon;
        return 1;

    case jst_after:
    case jst_done:
        f->value = 1;
        return 1;

    case jst_string:
    case jst_escape:
    case jst_hex:
    case jst_utf8:
        f->string = UINT64_MAX;
        f->key = v->key;
        f->value = !v->key;

        if (v->state == jst_escape) {
            f->escaped = 1;

        } else if (v->state == jst_hex) {
            f->hex = ((uint64_t) 1 << v->next) - 1;

        } else if (v->state == jst_utf8) {
            f->tail = ((uint64_t) 1 << v->more) - 1;
            return v->low == 0x80 && v->high == 0xbf;
        }

        return 1;

    default:
        f->value = 1;
        f->scalar = 1;
    }

    switch (v->state) {

    case jst_minus:
        f->minus = 1;
        break;

    case jst_zero:
        f->zero = 1;
        f->digit = 1;
        break;

    case jst_int:
        f->digit = 1;
        break;

    case jst_point:
        f->point = 1;
        break;

    case jst_frac:
        f->frac = 1;
        break;

    case jst_exp:
        f->exp = 1;
        break;

    case jst_sign:
        f->sign = 1;
        break;

    case jst_power:
        f->power = 1;
        break;

    default: /* jst_mark, jst_whole, jst_literal */
        return 0;
    }

    /* at the end of one of a sequence there must be white space */

    return v->level || v->mode != GUARDRAIL_JSON_SEQ;
}


/* of a mask of so many ones */

GUARDRAIL_INLINE uint8_t
guardrail_json_strict_count(uint64_t m)
{
    uint8_t  n;

    for (n = 0; m; n++) {
        m >>= 1;
    }

    return n;
}


/* within a string, or a scalar */

GUARDRAIL_INLINE guardrail_json_strict_e
guardrail_json_strict_within(const guardrail_json_strict_fast_t *f)
{
    if (f->string) {
        return f->escaped ? jst_escape
               : f->hex ? jst_hex : f->tail ? jst_utf8 : jst_string;
    }

    if (f->digit) {
        return f->zero ? jst_zero : jst_int;
    }

    return f->literal ? jst_literal
           : f->minus ? jst_minus
           : f->point ? jst_point
           : f->frac ? jst_frac
           : f->exp ? jst_exp
           : f->sign ? jst_sign
           : f->power ? jst_power : jst_start;
}


/* blocks were judged up to p */

GUARDRAIL_INLINE void
guardrail_json_strict_end(const guardrail_json_strict_fast_t *f,
    guardrail_json_strict_t *v, const uint8_t *p)
{
    v->level = f->level;
    v->bits = f->bits;
    v->begun = 1;

    v->state = (uint8_t) guardrail_json_strict_within(f);

    switch (v->state) {

    case jst_hex:
        v->next = guardrail_json_strict_count(f->hex);
        break;

    case jst_utf8:
        v->more = guardrail_json_strict_count(f->tail);
        v->low = (f->last == 0xe0) ? 0xa0 : (f->last == 0xf0) ? 0x90 : 0x80;
        v->high = (f->last == 0xed) ? 0x9f : (f->last == 0xf4) ? 0x8f : 0xbf;
        break;

    case jst_literal:
        v->next = (uint8_t) (guardrail_json_strict_literal_at(*f->word)
                             + (p - f->word));
        break;

    default:
        break;
    }

    if (f->string) {
        v->key = (uint8_t) f->key;
    }

    if (v->state != jst_start) {
        return;
    }

    /* between them */

    if (f->value) {
        guardrail_json_strict_ended(v, 0);

    } else {
        v->state = f->object ? jst_member
                   : f->array ? jst_item
                   : f->key ? jst_colon
                   : f->colon ? jst_value
                   : f->comma ? ((f->bits & 1) ? jst_key : jst_value)
                   : jst_start;
    }
}


#endif /* GUARDRAIL_JSON_STRICT_FAST_H */
