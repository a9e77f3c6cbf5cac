
/*
 * Copyright (C) nginx-guardrail authors
 *
 * RFC 8259 to the letter: a text, lines of texts, or RFC 7464's sequence.
 *
 * A byte order mark is skipped at the start of the body (RFC 8259, section
 * 8.1, leaves that open), nowhere else.  Lone surrogates in escapes are valid:
 * the grammar has them (section 8.2).
 *
 * In a sequence, records of white space alone are none; bytes other than
 * white space before the first RS are malformed; and so is a number, true,
 * false or null that no white space follows, which may have been cut off
 * (RFC 7464, section 2.4).
 */


#include <string.h>

#include "json/guardrail_json_strict.h"


static size_t guardrail_json_strict_bytes(guardrail_json_strict_t *v,
    const uint8_t *p, size_t len, unsigned *bad);
static inline unsigned guardrail_json_strict_usual(
    guardrail_json_strict_t *v, uint8_t c);
static unsigned guardrail_json_strict_byte(guardrail_json_strict_t *v,
    uint8_t c);
static unsigned guardrail_json_strict_record(guardrail_json_strict_t *v);
static unsigned guardrail_json_strict_structure(guardrail_json_strict_t *v,
    uint8_t c);
static unsigned guardrail_json_strict_value(guardrail_json_strict_t *v,
    uint8_t c);
static inline unsigned guardrail_json_strict_open(guardrail_json_strict_t *v,
    uint8_t c);
static unsigned guardrail_json_strict_close(guardrail_json_strict_t *v,
    uint8_t c);


void
guardrail_json_strict_init(guardrail_json_strict_t *v,
    guardrail_json_mode_e mode, uint64_t *words, uint64_t levels)
{
    memset(v, 0, sizeof(guardrail_json_strict_t));

    v->mode = mode;
    v->words = words;
    v->levels = levels;
}


size_t
guardrail_json_strict_feed(guardrail_json_strict_t *v,
    const guardrail_json_ops_t *ops, const uint8_t *p, size_t len,
    unsigned *bad)
{
    size_t  i, n, rest;

    for (i = 0; i < len; i += n) {
        rest = len - i;

        if (ops->strict && rest >= 64) {
            n = ops->strict(v, p + i, rest);

            i += n;
            rest = (len - i < 64) ? len - i : 64;
        }

        n = guardrail_json_strict_bytes(v, p + i, rest, bad);

        if (*bad) {
            return i + n;
        }
    }

    return len;
}


static size_t
guardrail_json_strict_bytes(guardrail_json_strict_t *v, const uint8_t *p,
    size_t len, unsigned *bad)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        switch (v->state) {

        case jst_string:
            i += guardrail_json_strict_plain(p + i, len - i);
            break;

        case jst_literal:
            i += guardrail_json_strict_word(v, p + i, len - i);
            break;

        case jst_int:
        case jst_frac:
        case jst_power:

            while (i < len && p[i] >= '0' && p[i] <= '9') {
                i++;
            }

            break;
        }

        if (i == len) {
            break;
        }

        if (guardrail_json_strict_usual(v, p[i])) {
            continue;
        }

        if (!guardrail_json_strict_byte(v, p[i])) {
            *bad = 1;
            break;
        }
    }

    return i;
}


/*
 * What most bytes are between strings and numbers.  Returns 0, with nothing
 * changed, if this one is another.
 */

static inline unsigned
guardrail_json_strict_usual(guardrail_json_strict_t *v, uint8_t c)
{
    switch (v->state) {

    case jst_string:

        if (c != '"') {
            return 0;
        }

        if (v->key) {
            v->state = jst_colon;

        } else {
            guardrail_json_strict_ended(v, 0);
        }

        return 1;

    case jst_colon:

        if (c != ':') {
            return 0;
        }

        v->state = jst_value;

        return 1;

    case jst_member:
    case jst_key:

        if (c != '"') {
            return 0;
        }

        v->state = jst_string;
        v->key = 1;

        return 1;

    case jst_value:
    case jst_item:

        if (c == '"') {
            v->state = jst_string;
            v->key = 0;

            return 1;
        }

        if (c >= '1' && c <= '9') {
            v->state = jst_int;
            return 1;
        }

        return (c == '{' || c == '[') && guardrail_json_strict_open(v, c);

    case jst_start:
        return c == '{' && v->mode >= GUARDRAIL_JSON_LINES
               && guardrail_json_strict_open(v, c);

    case jst_done:

        if (c != '\n' || v->mode < GUARDRAIL_JSON_LINES) {
            return 0;
        }

        v->state = jst_start;

        return 1;

    case jst_point:

        if (c < '0' || c > '9') {
            return 0;
        }

        v->state = jst_frac;

        return 1;

    case jst_int:

        if (c == '.') {
            v->state = jst_point;
            return 1;
        }

        /* fall through */

    case jst_frac:
    case jst_power:

        if (v->level == 0) {
            return 0;
        }

        /* fall through */

    case jst_after:

        if (c == ',') {
            v->state = (v->bits & 1) ? jst_key : jst_value;
            return 1;
        }

        if (c != ((v->bits & 1) ? '}' : ']')) {
            return 0;
        }

        v->level--;

        guardrail_json_pop_kind(v->words, &v->bits, v->level);
        guardrail_json_strict_ended(v, 0);

        return 1;

    default:
        return 0;
    }
}


unsigned
guardrail_json_strict_finish(const guardrail_json_strict_t *v)
{
    switch (v->state) {

    case jst_start:
        return v->mode != GUARDRAIL_JSON_TEXT || !v->begun;

    case jst_done:
        return 1;

    case jst_zero:
    case jst_int:
    case jst_frac:
    case jst_power:
        return v->level == 0 && v->mode != GUARDRAIL_JSON_SEQ;

    default:
        return 0;
    }
}


/* 0 if the byte is not valid */

static unsigned
guardrail_json_strict_byte(guardrail_json_strict_t *v, uint8_t c)
{
    unsigned  begun, again;

    begun = v->begun;
    v->begun = 1;

    if ((c == '\n' && v->mode >= GUARDRAIL_JSON_LINES)
        || (c == 0x1e && v->mode == GUARDRAIL_JSON_SEQ))
    {
        return guardrail_json_strict_record(v);
    }

    if (!begun && c == 0xef) {
        v->state = jst_mark;
        v->next = 0xbb;
        return 1;
    }

    switch (v->state) {

    case jst_mark:

        if (c != v->next) {
            return 0;
        }

        if (c == 0xbf) {
            v->state = jst_start;
        }

        v->next = 0xbf;
        return 1;

    case jst_string:
    case jst_escape:
    case jst_hex:
    case jst_utf8:
        return guardrail_json_strict_string(v, c);

    case jst_literal:
        return guardrail_json_strict_literal(v, c);

    default:

        if (v->state < jst_minus) {
            return guardrail_json_strict_structure(v, c);
        }
    }

    again = 0;

    if (guardrail_json_strict_number(v, c, &again)) {
        return 1;
    }

    return again && guardrail_json_strict_structure(v, c);
}


/* a line's end, or RS */

static unsigned
guardrail_json_strict_record(guardrail_json_strict_t *v)
{
    unsigned  done;

    done = (v->state == jst_start) || guardrail_json_strict_finish(v);

    v->state = jst_start;
    v->open = (v->mode == GUARDRAIL_JSON_SEQ);

    return done;
}


static unsigned
guardrail_json_strict_structure(guardrail_json_strict_t *v, uint8_t c)
{
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {

        if (v->state == jst_whole) {
            v->state = jst_done;
        }

        return 1;
    }

    switch (v->state) {

    case jst_start:

        if (v->mode == GUARDRAIL_JSON_SEQ && !v->open) {
            return 0;
        }

        return guardrail_json_strict_value(v, c);

    case jst_item:

        if (c == ']') {
            return guardrail_json_strict_close(v, c);
        }

        return guardrail_json_strict_value(v, c);

    case jst_value:
        return guardrail_json_strict_value(v, c);

    case jst_member:
    case jst_key:

        if (c == '}' && v->state == jst_member) {
            return guardrail_json_strict_close(v, c);
        }

        v->state = jst_string;
        v->key = 1;

        return c == '"';

    case jst_colon:
        v->state = jst_value;
        return c == ':';

    case jst_after:

        if (c == ',') {
            v->state = (v->bits & 1) ? jst_key : jst_value;
            return 1;
        }

        return guardrail_json_strict_close(v, c);

    default: /* jst_done, jst_whole */
        return 0;
    }
}


static unsigned
guardrail_json_strict_value(guardrail_json_strict_t *v, uint8_t c)
{
    switch (c) {

    case '{':
    case '[':
        return guardrail_json_strict_open(v, c);

    case '"':
        v->state = jst_string;
        v->key = 0;
        return 1;

    case '-':
        v->state = jst_minus;
        return 1;

    case '0':
        v->state = jst_zero;
        return 1;

    case 't':
    case 'f':
    case 'n':
        v->state = jst_literal;
        v->next = (uint8_t) (guardrail_json_strict_literal_at(c) + 1);
        return 1;

    default:
        v->state = jst_int;
        return c >= '1' && c <= '9';
    }
}


static inline unsigned
guardrail_json_strict_open(guardrail_json_strict_t *v, uint8_t c)
{
    if (v->level >= v->levels) {
        return 0;
    }

    guardrail_json_push_kind(v->words, &v->bits, v->level, c == '{');

    v->level++;
    v->state = (c == '{') ? jst_member : jst_item;
    v->begun = 1;

    return 1;
}


static unsigned
guardrail_json_strict_close(guardrail_json_strict_t *v, uint8_t c)
{
    if (c != ((v->bits & 1) ? '}' : ']')) {
        return 0;
    }

    v->level--;

    guardrail_json_pop_kind(v->words, &v->bits, v->level);
    guardrail_json_strict_ended(v, 0);

    return 1;
}


void
guardrail_json_strict_ended(guardrail_json_strict_t *v, unsigned scalar)
{
    if (v->level) {
        v->state = jst_after;

    } else if (scalar && v->mode == GUARDRAIL_JSON_SEQ) {
        v->state = jst_whole;

    } else {
        v->state = jst_done;
    }
}
