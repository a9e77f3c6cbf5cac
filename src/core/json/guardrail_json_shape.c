
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, byte by byte: what a byte is, and what it does.
 */


#include "json/guardrail_json_shape.h"


static void guardrail_json_begin(guardrail_json_t *s, uint8_t c);
static void guardrail_json_in_string(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_in_scalar(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static unsigned guardrail_json_glued(guardrail_json_t *s, uint8_t c);
static void guardrail_json_in_comment(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_in_between(guardrail_json_t *s, uint8_t c,
    uint64_t offset);


void
guardrail_json_byte(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    guardrail_json_class_e  class;

    class = guardrail_json_classes[c];

    if (s->flags & GUARDRAIL_JSON_BEGIN) {
        guardrail_json_begin(s, c);
    }

    if ((class == jsc_lf && s->limits.mode >= GUARDRAIL_JSON_LINES)
        || (class == jsc_rs && s->limits.mode == GUARDRAIL_JSON_SEQ))
    {
        guardrail_json_end(s, offset);
        return;
    }

    switch (s->state) {

    case json_string:
    case json_escape:
    case json_apostrophe:
    case json_apostrophe_escape:
        guardrail_json_in_string(s, c, offset);
        break;

    case json_scalar:
        guardrail_json_in_scalar(s, c, offset);
        break;

    case json_between:
        guardrail_json_in_between(s, c, offset);
        break;

    default:
        guardrail_json_in_comment(s, c, offset);
    }

    if ((s->flags & GUARDRAIL_JSON_EFBB) && c == 0xbf) {
        guardrail_json_mark(s);
    }

    /* in a sequence, white space behind a record is not known to be in it */

    if ((s->flags & GUARDRAIL_JSON_RECORD)
        && (s->state != json_between || s->level > guardrail_json_base(s)
            || (class != jsc_blank && class != jsc_lf)))
    {
        guardrail_json_size(s, offset + 1 - s->start);
    }
}


/* the first bytes of a record: RFC 4627, section 3, and a byte order mark */

static void
guardrail_json_begin(guardrail_json_t *s, uint8_t c)
{
    uint32_t  flags;
    unsigned  utf16;

    flags = s->flags;
    utf16 = 0;

    s->flags &= ~(uint32_t) (GUARDRAIL_JSON_FIRST|GUARDRAIL_JSON_SECOND
                             |GUARDRAIL_JSON_FE|GUARDRAIL_JSON_FF
                             |GUARDRAIL_JSON_EF);

    if (flags & GUARDRAIL_JSON_FIRST) {

        if (c == 0xef) {
            s->flags |= GUARDRAIL_JSON_EF;
        }

        if (s->limits.refuse_utf16) {
            utf16 = (c == 0);

            s->flags |= GUARDRAIL_JSON_SECOND
                        | (c == 0xfe ? GUARDRAIL_JSON_FE : 0)
                        | (c == 0xff ? GUARDRAIL_JSON_FF : 0);
        }

    } else if (flags & GUARDRAIL_JSON_SECOND) {
        utf16 = (c == 0)
                || ((flags & GUARDRAIL_JSON_FE) && c == 0xff)
                || ((flags & GUARDRAIL_JSON_FF) && c == 0xfe);
    }

    if (utf16) {
        guardrail_json_exceed(s, GUARDRAIL_MALFORMED_JSON, 0, 0);
    }

    if ((flags & GUARDRAIL_JSON_EFBB) && c != 0xbf) {
        s->flags &= ~(uint32_t) GUARDRAIL_JSON_EFBB;
        guardrail_json_no_mark(s, 2);

    } else if ((flags & GUARDRAIL_JSON_EF) && c == 0xbb) {
        s->flags |= GUARDRAIL_JSON_EFBB;

    } else if (flags & GUARDRAIL_JSON_EF) {
        guardrail_json_no_mark(s, 1);
    }
}


static void
guardrail_json_in_string(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    uint64_t                limit;
    unsigned                key;
    guardrail_json_class_e  class;

    class = guardrail_json_classes[c];

    switch (s->state) {

    case json_escape:
        s->state = json_string;
        break;

    case json_apostrophe_escape:
        s->state = json_apostrophe;
        break;

    case json_apostrophe:

        if (class == jsc_apostrophe) {
            guardrail_json_ended(s, offset + 1);
            return;
        }

        /* who knows such strings ends them at a line's end */

        if (c == '\n' || c == '\r') {
            guardrail_json_ended(s, offset);
            return;
        }

        if (class == jsc_backslash) {
            s->state = json_apostrophe_escape;
        }

        break;

    default: /* json_string */

        if (class == jsc_quote) {
            guardrail_json_ended(s, offset + 1);
            return;
        }

        if (class == jsc_backslash) {
            s->state = json_escape;
        }
    }

    if (s->memory) {
        guardrail_json_memory_string(s->memory, &c, 1);
    }

    key = (s->flags & GUARDRAIL_JSON_IN_KEY) != 0;
    limit = key ? s->limits.key : s->limits.string;

    s->length++;

    if (s->length > limit) {
        guardrail_json_exceed(s, key ? GUARDRAIL_JSON_KEY
                                     : GUARDRAIL_JSON_STRING,
                              limit, s->length);
    }
}


static void
guardrail_json_in_scalar(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    guardrail_json_class_e  class;

    class = guardrail_json_classes[c];

    if (class != jsc_plain && class != jsc_backslash && class != jsc_rs) {
        guardrail_json_ended(s, offset);
        guardrail_json_in_between(s, c, offset);
        return;
    }

    if (guardrail_json_runs(s)) {

        if (guardrail_json_glued(s, c)) {
            guardrail_json_ended(s, offset);
            guardrail_json_scalar_begin(s, c, offset);
            return;
        }

        s->last = c;
    }

    guardrail_json_scalar_byte(s, c);
}


/* does this byte of a scalar begin a value, for Python's raw_decode()? */

static unsigned
guardrail_json_glued(guardrail_json_t *s, uint8_t c)
{
    unsigned              ended;
    guardrail_json_run_e  run;

    run = s->run;
    ended = (s->last == 'e' || s->last == 'l' || s->last == 'N'
             || s->last == 'y');

    if (c >= '0' && c <= '9') {

        if (run == json_run_minus) {
            s->run = (uint8_t) guardrail_json_run(c);
        }

        return run == json_run_zero || run == json_run_literal;
    }

    if (c == '-') {
        return run != json_run_number || (s->last != 'e' && s->last != 'E');
    }

    if (guardrail_json_begins_value(c)) {

        if (run == json_run_minus) {
            s->run = json_run_literal;
        }

        return run == json_run_literal ? ended : run != json_run_minus;
    }

    if (run != json_run_literal) {
        s->run = json_run_number;
    }

    return 0;
}


static void
guardrail_json_in_comment(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    if (s->memory) {
        guardrail_json_memory_other(s->memory, &c, 1);
    }

    switch (s->state) {

    case json_slash:

        if (c == '*') {
            s->state = json_block_comment;

        } else if (c == '/') {
            s->state = json_comment;

        } else {
            guardrail_json_ended(s, offset);
            guardrail_json_in_between(s, c, offset);
        }

        break;

    case json_comment:

        if (c == '\n' || c == '\r') {
            guardrail_json_ended(s, offset);
        }

        break;

    default: /* json_block_comment, json_block_star */

        if (c == '*') {
            s->state = json_block_star;

        } else if (c == '/' && s->state == json_block_star) {
            guardrail_json_ended(s, offset + 1);

        } else {
            s->state = json_block_comment;
        }
    }
}


static void
guardrail_json_in_between(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    unsigned  key;

    switch (guardrail_json_classes[c]) {

    case jsc_blank:
    case jsc_lf:
        return;

    case jsc_quote:
    case jsc_apostrophe:
        key = guardrail_json_value(s, c, offset);

        s->state = (c == '"') ? json_string : json_apostrophe;
        s->flags |= key ? GUARDRAIL_JSON_IN_KEY : 0;

        if (s->memory) {
            guardrail_json_memory_string_begin(s->memory, key);
        }

        return;

    case jsc_open:
        (void) guardrail_json_value(s, c, offset);
        guardrail_json_open(s, c);
        s->prev = json_prev_open;
        return;

    case jsc_close:
        guardrail_json_close(s, c, offset);
        return;

    case jsc_comma:

        if (s->prev == json_prev_open || s->prev == json_prev_comma
            || s->prev == json_prev_none)
        {
            guardrail_json_member(s);
            guardrail_json_stray(s, c, offset);
        }

        s->prev = json_prev_comma;
        return;

    case jsc_colon:

        if (s->prev == json_prev_none) {
            guardrail_json_stray(s, c, offset);
        }

        s->prev = json_prev_colon;
        return;

    case jsc_slash:
    case jsc_hash:
        (void) guardrail_json_value(s, c, offset);

        s->state = (c == '/') ? json_slash : json_comment;

        if (s->memory) {
            guardrail_json_memory_literal(s->memory);
        }

        return;

    default: /* jsc_plain, jsc_backslash, jsc_rs */
        guardrail_json_scalar_begin(s, c, offset);
    }
}
