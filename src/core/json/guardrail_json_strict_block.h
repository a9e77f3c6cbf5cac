
/*
 * Copyright (C) nginx-guardrail authors
 *
 * RFC 8259 to the letter, 64 bytes at a time: one validator, included once
 * for each instruction set, behind guardrail_json_block.h, which says what is
 * defined before, and here
 *
 *     JSON_RANGE(v, a, b)  mask of the bytes from a to b
 *
 * No branch depends on where tokens are, but for brackets and literals: the
 * grammar is asked of all tokens of a block at once, by what is in front of
 * each.  A block that is not valid, or that it cannot tell, is left to the
 * validator that goes byte by byte, which then finds the byte: that is always
 * right, only slower.
 */


#include "json/guardrail_json_strict_fast.h"


/* of a block; in a mask the lowest bit is the first byte */

typedef struct {
    uint64_t  string;                   /* in one; its first quote, too */
    uint64_t  starts;                   /* first quotes */
    uint64_t  braces;                   /* { */
    uint64_t  opens;                    /* and [ */
    uint64_t  closes;
    uint64_t  objects;                  /* braces of both kinds */
    uint64_t  comma;
    uint64_t  colon;
    uint64_t  record;                   /* the end of one */
    uint64_t  scalar;
    uint64_t  scalars;                  /* their first bytes */
    uint64_t  tokens;

    /* in front of each token: */

    uint64_t  inner;                    /* an object is the innermost */
    uint64_t  outer;                    /* nothing is open */
} guardrail_json_strict_masks_t;


/* bytes above 7F: RFC 3629, section 4.  Returns those that are not valid. */

JSON_INLINE uint64_t
guardrail_json_strict_high(const guardrail_json_strict_fast_t *f,
    guardrail_json_strict_fast_t *n, JSON_VEC v, uint64_t high,
    const uint8_t *p)
{
    uint64_t  bad, two, three, four, tails;

    two = JSON_RANGE(v, 0xc2, 0xdf);
    three = JSON_RANGE(v, 0xe0, 0xef);
    four = JSON_RANGE(v, 0xf0, 0xf4);
    tails = JSON_RANGE(v, 0x80, 0xbf);

    bad = high & ~(two | three | four | tails);

    two |= three | four;
    three |= four;

    bad |= tails ^ (two << 1 | three << 2 | four << 3 | f->tail);

    n->tail = two >> 63 | three >> 62 | four >> 61;
    n->last = p[63];

    if (three || f->tail) {
        bad |= (JSON_EQ(v, 0xe0) << 1 | (f->last == 0xe0))
               & JSON_RANGE(v, 0x80, 0x9f);
        bad |= (JSON_EQ(v, 0xed) << 1 | (f->last == 0xed))
               & JSON_RANGE(v, 0xa0, 0xbf);
        bad |= (JSON_EQ(v, 0xf0) << 1 | (f->last == 0xf0))
               & JSON_RANGE(v, 0x80, 0x8f);
        bad |= (JSON_EQ(v, 0xf4) << 1 | (f->last == 0xf4))
               & JSON_RANGE(v, 0x90, 0xbf);
    }

    return bad;
}


/* backslashes, and what is behind them: the same */

JSON_INLINE uint64_t
guardrail_json_strict_escapes(const guardrail_json_strict_fast_t *f,
    guardrail_json_strict_fast_t *n, JSON_VEC v, uint64_t backslash,
    uint64_t *escaped)
{
    uint64_t  bad, valid, u, hex;

    n->escaped = f->escaped;
    *escaped = guardrail_json_escapes(backslash, &n->escaped);

    u = JSON_EQ(v, 'u') & *escaped;

    valid = JSON_EQ(v, '"') | backslash | JSON_EQ(v, '/') | JSON_EQ(v, 'b')
            | JSON_EQ(v, 'f') | JSON_EQ(v, 'n') | JSON_EQ(v, 'r')
            | JSON_EQ(v, 't') | u;

    bad = *escaped & ~valid;

    if (u | f->hex) {
        hex = JSON_DIGITS(v) | JSON_RANGE(v, 'a', 'f')
              | JSON_RANGE(v, 'A', 'F');

        bad |= (u << 1 | u << 2 | u << 3 | u << 4 | f->hex) & ~hex;

        n->hex = u >> 63 | u >> 62 | u >> 61 | u >> 60;
    }

    return bad;
}


/*
 * true, false and null, of those scalars that begin with a letter: their
 * bytes, and those behind them.  Returns 0 if one is another word, or does
 * not end within len, which is what the piece has.
 */

JSON_INLINE unsigned
guardrail_json_strict_literals(guardrail_json_strict_fast_t *n,
    const uint8_t *p, size_t len, uint64_t words, uint64_t *bytes,
    uint64_t *behind)
{
    size_t    at, size;
    uint64_t  end;

    do {
        at = (size_t) JSON_BELOW(words);

        if (len - at >= 4 && (memcmp(p + at, "true", 4) == 0
                              || memcmp(p + at, "null", 4) == 0))
        {
            size = 4;

        } else if (len - at >= 5 && memcmp(p + at, "false", 5) == 0) {
            size = 5;

        } else {
            return 0;
        }

        end = (uint64_t) 1 << size;
        *bytes |= (end - 1) << at;

        if (at + size < 64) {
            *behind |= end << at;

        } else {
            n->behind = (uint64_t) 1 << (at + size - 64);
            n->literal = n->behind - 1;
            n->word = p + at;
        }

        words &= words - 1;

    } while (words);

    return 1;
}


/*
 * The bytes of scalars.  What stands in a number is found from its first byte
 * on: a bit at the first digit of a run is carried by the sum to the byte
 * behind the run.  Returns those that are not valid.
 */

JSON_INLINE uint64_t
guardrail_json_strict_numbers(const guardrail_json_strict_fast_t *f,
    guardrail_json_strict_fast_t *n, JSON_VEC v, uint64_t scalar,
    uint64_t starts, uint64_t digits)
{
    uint64_t  bad, minus, plus, zero, point, exp, sign, first, sum, ends, all;

    minus = JSON_EQ(v, '-') & scalar;
    plus = JSON_EQ(v, '+') & scalar;
    point = JSON_EQ(v, '.') & scalar;
    exp = JSON_BRACE(v, 'e') & scalar;
    digits &= scalar;

    bad = scalar & ~(digits | minus | plus | point | exp);

    /* the integer */

    all = minus & starts;
    n->minus = all >> 63;

    first = (digits & starts) | all << 1 | f->minus;
    bad |= first & ~digits;

    zero = JSON_EQ(v, '0') & first;
    n->zero = zero >> 63;
    bad |= (zero << 1 | f->zero) & digits;

    n->digit = __builtin_add_overflow(first | f->digit, digits, &sum);
    ends = sum & ~digits;

    /* the fraction */

    bad |= point & ~ends;
    n->point = point >> 63;
    ends &= ~point;

    first = point << 1 | f->point;
    bad |= first & ~digits;

    n->frac = __builtin_add_overflow(first | f->frac, digits, &sum);
    ends |= sum & ~digits;

    /* the exponent */

    bad |= exp & ~ends;
    n->exp = exp >> 63;
    ends &= ~exp;

    first = exp << 1 | f->exp;
    sign = first & (minus | plus);
    n->sign = sign >> 63;

    bad |= (minus | plus) & ~(all | sign);

    first = (first & ~sign) | sign << 1 | f->sign;
    bad |= first & ~digits;

    n->power = __builtin_add_overflow(first | f->power, digits, &sum);
    ends |= sum & ~digits;

    return bad | (ends & scalar);
}


/*
 * What is open in front of each token.  Returns 0 if a bracket closes another
 * kind, or what is not open, or if there are more than levels, or than the
 * bits can hold of what the validator must be able to go back to.
 */

JSON_INLINE unsigned
guardrail_json_strict_brackets(guardrail_json_strict_fast_t *f,
    const guardrail_json_strict_t *v, guardrail_json_strict_masks_t *m)
{
    uint64_t  level, bits, brackets, bit, below, object;

    level = f->level;
    bits = f->bits;
    brackets = m->opens | m->closes;

    m->inner = (level != 0) ? (uint64_t) 0 - (bits & 1) : 0;
    m->outer = (uint64_t) 0 - (level == 0);

    while (brackets) {
        bit = brackets & (0 - brackets);
        brackets ^= bit;

        object = (m->objects & bit) != 0;

        if (m->opens & bit) {

            if (level >= v->levels || (level && level % 64 == 0)) {
                return 0;
            }

            bits = bits << 1 | object;
            level++;

        } else {

            if (level == 0 || object != (bits & 1)
                || (level % 64 == 1 && level > 1))
            {
                return 0;
            }

            bits >>= 1;
            level--;
        }

        below = bit | (bit - 1);

        m->inner = (m->inner & below)
                   | (~below & ((uint64_t) 0 - (level != 0 && (bits & 1))));
        m->outer = (m->outer & below)
                   | (~below & ((uint64_t) 0 - (level == 0)));
    }

    f->level = level;
    f->bits = bits;

    return 1;
}


/* the tokens in front of which, but for what fills the space, is one of m */

JSON_INLINE uint64_t
guardrail_json_strict_next(uint64_t m, uint64_t fill, uint64_t carry,
    uint64_t *on)
{
    uint64_t  sum;

    *on = __builtin_add_overflow(m << 1 | carry, fill, &sum) | m >> 63;

    return sum & ~fill;
}


/* Returns the tokens that may not stand where they do. */

JSON_INLINE uint64_t
guardrail_json_strict_grammar(const guardrail_json_strict_fast_t *f,
    guardrail_json_strict_fast_t *n, const guardrail_json_strict_masks_t *m)
{
    uint64_t  bad, fill, object, array, comma, colon, key, value, record;
    uint64_t  keys, values;

    fill = ~m->tokens;

    object = guardrail_json_strict_next(m->braces, fill, f->object,
                                        &n->object);
    array = guardrail_json_strict_next(m->opens ^ m->braces, fill, f->array,
                                       &n->array);
    comma = guardrail_json_strict_next(m->comma, fill, f->comma, &n->comma);
    colon = guardrail_json_strict_next(m->colon, fill, f->colon, &n->colon);
    record = guardrail_json_strict_next(m->record, fill, f->record,
                                        &n->record);

    keys = m->starts & (object | (comma & m->inner));
    values = m->opens | m->scalars | (m->starts ^ keys);

    key = guardrail_json_strict_next(keys, fill, f->key, &n->key);
    value = guardrail_json_strict_next((values ^ m->opens) | m->closes, fill,
                                       f->value, &n->value);

    bad = values & ~(array | colon | record | (comma & ~m->inner));
    bad |= m->closes & ~(object | array | value);
    bad |= m->comma & (m->outer | ~value);
    bad |= m->colon & ~key;
    bad |= m->record & ~(record | (value & m->outer));

    return bad;
}


/* finds what is between strings */

JSON_INLINE void
guardrail_json_strict_classify(const guardrail_json_strict_fast_t *f,
    const guardrail_json_strict_t *v, JSON_VEC vec, uint64_t quote,
    guardrail_json_strict_masks_t *m)
{
    uint64_t  outside, white;

    m->string = JSON_PREFIX(quote) ^ f->string;

    outside = ~(m->string | quote);
    white = JSON_WHITE(vec) & outside;

    m->starts = quote & m->string;
    m->braces = JSON_EQ(vec, '{') & outside;
    m->opens = JSON_BRACE(vec, '{') & outside;
    m->closes = JSON_BRACE(vec, '}') & outside;
    m->objects = m->braces | (JSON_EQ(vec, '}') & outside);
    m->comma = JSON_EQ(vec, ',') & outside;
    m->colon = JSON_EQ(vec, ':') & outside;

    m->record = 0;

    if (v->mode >= GUARDRAIL_JSON_LINES) {
        m->record = JSON_EQ(vec, '\n') & outside;

    } else if (v->mode == GUARDRAIL_JSON_SEQ) {
        m->record = JSON_EQ(vec, 0x1e) & outside;
    }

    m->tokens = m->starts | m->opens | m->closes | m->comma | m->colon
                | m->record;

    m->scalar = outside & ~(m->tokens | white);
    m->scalars = m->scalar & ~(m->scalar << 1 | f->scalar);
    m->tokens |= m->scalars;
}


/* scalars: numbers and words.  Returns 0 if one is not valid. */

JSON_INLINE unsigned
guardrail_json_strict_scalars(const guardrail_json_strict_fast_t *f,
    guardrail_json_strict_fast_t *n, JSON_VEC vec,
    const guardrail_json_strict_masks_t *m, const uint8_t *p, size_t len)
{
    uint64_t  digits, words, literal, behind;

    digits = JSON_DIGITS(vec);
    words = m->scalars & ~(digits | JSON_EQ(vec, '-'));
    literal = f->literal;
    behind = f->behind;

    if (words
        && !guardrail_json_strict_literals(n, p, len, words, &literal,
                                           &behind))
    {
        return 0;
    }

    return !(behind & m->scalar)
           && !guardrail_json_strict_numbers(f, n, vec, m->scalar & ~literal,
                                             m->scalars & ~literal, digits);
}


/* Judges the block at p, or, if it cannot tell, returns 0. */

JSON_INLINE unsigned
guardrail_json_strict_block(guardrail_json_strict_fast_t *f,
    const guardrail_json_strict_t *v, const uint8_t *p, size_t len)
{
    uint64_t                       bad, quote, backslash, high, escaped;
    JSON_VEC                       vec;
    guardrail_json_strict_fast_t   n;
    guardrail_json_strict_masks_t  m;

    vec = JSON_LOAD(p);

    quote = JSON_EQ(vec, '"');
    backslash = JSON_EQ(vec, '\\');
    high = JSON_HIGH(vec);

    /* one by one: to clear all that is there takes as long as a block */

    n.escaped = 0;
    n.hex = 0;
    n.tail = 0;
    n.last = 0;
    n.minus = 0;
    n.zero = 0;
    n.digit = 0;
    n.point = 0;
    n.frac = 0;
    n.exp = 0;
    n.sign = 0;
    n.power = 0;
    n.literal = 0;
    n.behind = 0;
    n.word = NULL;

    bad = 0;

    if (high | f->tail) {
        bad |= guardrail_json_strict_high(f, &n, vec, high, p);
    }

    if (backslash | f->escaped | f->hex) {
        bad |= guardrail_json_strict_escapes(f, &n, vec, backslash, &escaped);
        quote &= ~escaped;
    }

    guardrail_json_strict_classify(f, v, vec, quote, &m);

    bad |= m.string & JSON_RANGE(vec, 0x00, 0x1f);

    if (bad) {
        return 0;
    }

    n.level = f->level;
    n.bits = f->bits;
    n.string = (uint64_t) 0 - (m.string >> 63);
    n.scalar = m.scalar >> 63;

    if ((m.scalar | f->scalar)
        && !guardrail_json_strict_scalars(f, &n, vec, &m, p, len))
    {
        return 0;
    }

    if (!guardrail_json_strict_brackets(&n, v, &m)
        || guardrail_json_strict_grammar(f, &n, &m))
    {
        return 0;
    }

    /* in a sequence white space must follow: it is looked at bytewise */

    if (v->mode == GUARDRAIL_JSON_SEQ && (m.scalars & m.outer)) {
        return 0;
    }

    *f = n;

    return 1;
}


static JSON_TARGET GUARDRAIL_APART size_t
guardrail_json_strict_scan(guardrail_json_strict_t *v, const uint8_t *p,
    size_t len)
{
    size_t                        i;
    guardrail_json_strict_fast_t  f;

    if (!guardrail_json_strict_begin(&f, v)) {
        return 0;
    }

    for (i = 0; len - i >= 64; i += 64) {

        if (!guardrail_json_strict_block(&f, v, p + i, len - i)) {
            break;
        }
    }

    if (i) {
        guardrail_json_strict_end(&f, v, p + i);
    }

    return i;
}
