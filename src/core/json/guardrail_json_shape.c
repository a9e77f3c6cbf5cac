
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, byte by byte: what a byte does.
 */


#include "json/guardrail_json_shape.h"


static void guardrail_json_begin(guardrail_json_t *s, uint8_t c);
static void guardrail_json_mark(guardrail_json_t *s);
static void guardrail_json_end(guardrail_json_t *s, uint64_t offset);
static void guardrail_json_in_string(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_in_scalar(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static unsigned guardrail_json_glued(guardrail_json_t *s, uint8_t c);
static void guardrail_json_in_comment(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_in_between(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_scalar_begin(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static guardrail_json_run_e guardrail_json_run(uint8_t c);
static void guardrail_json_scalar_length(guardrail_json_t *s);
static unsigned guardrail_json_value(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_member(guardrail_json_t *s);
static void guardrail_json_record(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_stray(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_open(guardrail_json_t *s, uint8_t c);
static void guardrail_json_close(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
static void guardrail_json_ended(guardrail_json_t *s, uint64_t offset);
static void guardrail_json_size(guardrail_json_t *s, uint64_t size);
static void guardrail_json_exceed(guardrail_json_t *s, guardrail_rc_e rc,
    uint64_t limit, uint64_t observed);
static unsigned guardrail_json_begins_value(uint8_t c);


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

    /* in a sequence, white space behind a record is not known to be in it */

    if ((s->flags & GUARDRAIL_JSON_RECORD)
        && (s->state != json_between || s->level > guardrail_json_base(s)
            || (class != jsc_blank && class != jsc_lf)))
    {
        guardrail_json_size(s, offset + 1 - s->start);
    }

    if ((s->flags & GUARDRAIL_JSON_EFBB) && c == 0xbf) {
        guardrail_json_mark(s);
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

    if (flags & GUARDRAIL_JSON_EFBB) {

        if (c != 0xbf) {
            s->flags &= ~(uint32_t) GUARDRAIL_JSON_EFBB;
        }

    } else if ((flags & GUARDRAIL_JSON_EF) && c == 0xbb) {
        s->flags |= GUARDRAIL_JSON_EFBB;
    }
}


/* the scalar of three bytes is a byte order mark: it has not been there */

static void
guardrail_json_mark(guardrail_json_t *s)
{
    s->flags &= ~(uint32_t) (GUARDRAIL_JSON_EFBB|GUARDRAIL_JSON_LETTER
                             |GUARDRAIL_JSON_RECORD);
    s->state = json_between;
    s->prev = json_prev_none;
    s->length = 0;
    s->size = 0;
    s->start = 0;
    s->run = 0;
    s->last = 0;
    s->tokens--;

    if (s->limits.mode < GUARDRAIL_JSON_LINES) {
        s->records--;
    }
}


/* a line's end, or the RS of the next record */

static void
guardrail_json_end(guardrail_json_t *s, uint64_t offset)
{
    if (s->limits.mode == GUARDRAIL_JSON_LINES_AUTO && s->level) {
        s->continued = 1;

        if (s->state != json_between) {
            s->state = json_between;
            s->prev = json_prev_other;
            s->length = 0;
            s->flags &= ~(uint32_t) (GUARDRAIL_JSON_IN_KEY
                                     |GUARDRAIL_JSON_LETTER);
        }

        return;
    }

    guardrail_json_measure(s, offset);
    guardrail_json_reset(s);
}


void
guardrail_json_reset(guardrail_json_t *s)
{
    s->tokens = 0;
    s->level = 0;
    s->bits = 0;
    s->count = 0;
    s->length = 0;
    s->start = 0;
    s->size = 0;
    s->flags = GUARDRAIL_JSON_FIRST;
    s->state = json_between;
    s->prev = json_prev_none;
    s->run = 0;
    s->last = 0;
}


/* the record that is unfinished at that offset */

void
guardrail_json_measure(guardrail_json_t *s, uint64_t offset)
{
    if (!(s->flags & GUARDRAIL_JSON_RECORD)) {
        return;
    }

    /* perhaps a byte order mark, which is no record */

    if (s->rc == GUARDRAIL_OK
        && (s->flags & (GUARDRAIL_JSON_EF|GUARDRAIL_JSON_EFBB)))
    {
        return;
    }

    if (s->state != json_between || s->level > guardrail_json_base(s)) {
        s->size = offset - s->start;
    }

    if (s->size > s->largest) {
        s->largest = s->size;
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

    s->length++;
    guardrail_json_scalar_length(s);
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
        (void) guardrail_json_value(s, c, offset);
        s->state = json_slash;
        return;

    case jsc_hash:
        (void) guardrail_json_value(s, c, offset);
        s->state = json_comment;
        return;

    default: /* jsc_plain, jsc_backslash, jsc_rs */
        guardrail_json_scalar_begin(s, c, offset);
    }
}


static void
guardrail_json_scalar_begin(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    unsigned  number;

    (void) guardrail_json_value(s, c, offset);

    s->state = json_scalar;

    number = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';

    s->flags |= number ? 0 : GUARDRAIL_JSON_LETTER;

    if (guardrail_json_runs(s)) {
        s->run = (uint8_t) guardrail_json_run(c);
        s->last = c;
    }

    s->length = 1;
    guardrail_json_scalar_length(s);
}


static guardrail_json_run_e
guardrail_json_run(uint8_t c)
{
    if (c == '-') {
        return json_run_minus;
    }

    if (c == '0') {
        return json_run_zero;
    }

    return (c > '0' && c <= '9') ? json_run_number : json_run_literal;
}


static void
guardrail_json_scalar_length(guardrail_json_t *s)
{
    uint64_t  limit;

    limit = s->limits.number;

    if (limit < GUARDRAIL_JSON_LITERAL && (s->flags & GUARDRAIL_JSON_LETTER)) {
        limit = GUARDRAIL_JSON_LITERAL;
    }

    if (s->length > limit) {
        guardrail_json_exceed(s, GUARDRAIL_JSON_NUMBER, limit, s->length);
    }
}


/* a value begins, or a key: returns which */

static unsigned
guardrail_json_value(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    unsigned  object;

    object = guardrail_json_object(s);

    s->tokens++;

    if (s->tokens > s->limits.tokens) {
        guardrail_json_exceed(s, GUARDRAIL_JSON_TOKENS, s->limits.tokens,
                              s->tokens);
    }

    if (!object || s->prev != json_prev_colon) {
        guardrail_json_member(s);
    }

    guardrail_json_record(s, c, offset);

    return object && s->prev != json_prev_colon;
}


/* of an object, or of an array */

static void
guardrail_json_member(guardrail_json_t *s)
{
    if (s->level == 0 || !s->limits.counted) {
        return;
    }

    s->count++;

    if (guardrail_json_object(s)) {

        if (s->count > s->limits.keys) {
            guardrail_json_exceed(s, GUARDRAIL_JSON_KEYS, s->limits.keys,
                                  s->count);
        }

    } else if (s->count > s->limits.items) {
        guardrail_json_exceed(s, GUARDRAIL_JSON_ITEMS, s->limits.items,
                              s->count);
    }
}


/* does a record begin with this value? */

static void
guardrail_json_record(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    if (s->limits.mode >= GUARDRAIL_JSON_LINES) {
        return;
    }

    if (s->limits.mode == GUARDRAIL_JSON_TEXT && s->level == 0
        && !(s->flags & GUARDRAIL_JSON_VALUE)
        && guardrail_json_begins_value(c))
    {
        s->flags |= GUARDRAIL_JSON_VALUE;

        if (c == '[') {
            s->flags |= GUARDRAIL_JSON_ROWS;
            return;
        }
    }

    if (s->level != guardrail_json_base(s)) {
        return;
    }

    s->records++;

    if (s->records > s->limits.max_records) {
        guardrail_json_exceed(s, GUARDRAIL_MAX_RECORDS, s->limits.max_records,
                              s->records);
    }

    if (!(s->flags & GUARDRAIL_JSON_RECORD)) {
        s->flags |= GUARDRAIL_JSON_RECORD;
        s->start = offset;
    }
}


/* what is no value, where one could be: who skips it may take it for one */

static void
guardrail_json_stray(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    uint64_t  base;

    base = guardrail_json_base(s);

    if (s->limits.mode < GUARDRAIL_JSON_LINES && s->level == base) {
        guardrail_json_record(s, c, offset);
        guardrail_json_ended(s, offset + 1);
    }
}


static void
guardrail_json_open(guardrail_json_t *s, uint8_t c)
{
    if (s->level >= s->deepest) {
        s->deepest = s->level + 1;
    }

    if (s->level >= s->limits.depth) {
        guardrail_json_exceed(s, GUARDRAIL_JSON_DEPTH, s->limits.depth,
                              s->level + 1);
        return;
    }

    if (s->level && s->counts) {
        s->counts[s->level - 1] = (s->count < UINT32_MAX)
                                  ? (uint32_t) s->count : UINT32_MAX;
    }

    if (s->level < s->levels) {
        guardrail_json_push_kind(s->words, &s->bits, s->level, c == '{');
    }

    s->level++;
    s->count = 0;
}


static void
guardrail_json_close(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    if (s->level == 0) {

        if (s->prev == json_prev_none) {
            guardrail_json_stray(s, c, offset);
        }

        s->prev = json_prev_other;
        return;
    }

    if (s->level <= s->levels && guardrail_json_object(s) != (c == '}')) {
        s->prev = json_prev_other;
        return;
    }

    s->level--;

    if (s->level < s->levels) {
        guardrail_json_pop_kind(s->words, &s->bits, s->level);
    }

    s->count = (s->level && s->counts) ? s->counts[s->level - 1] : 0;

    guardrail_json_ended(s, offset + 1);

    if (s->level == 0) {
        s->flags &= ~(uint32_t) GUARDRAIL_JSON_ROWS;
    }
}


/* a value's last byte is the one before offset */

static void
guardrail_json_ended(guardrail_json_t *s, uint64_t offset)
{
    s->state = json_between;
    s->prev = json_prev_other;
    s->length = 0;
    s->run = 0;
    s->last = 0;
    s->flags &= ~(uint32_t) (GUARDRAIL_JSON_IN_KEY|GUARDRAIL_JSON_LETTER);

    if (s->limits.mode == GUARDRAIL_JSON_TEXT
        && (s->flags & GUARDRAIL_JSON_RECORD)
        && s->level == guardrail_json_base(s))
    {
        guardrail_json_size(s, offset - s->start);

        if (s->size > s->largest) {
            s->largest = s->size;
        }

        s->flags &= ~(uint32_t) GUARDRAIL_JSON_RECORD;
        s->start = 0;
        s->size = 0;
    }
}


static void
guardrail_json_size(guardrail_json_t *s, uint64_t size)
{
    s->size = size;

    if (size > s->limits.max_record_size) {
        guardrail_json_exceed(s, GUARDRAIL_MAX_RECORD_SIZE,
                              s->limits.max_record_size, size);
    }
}


/* the order of statuses is that in which they are named at one byte */

static void
guardrail_json_exceed(guardrail_json_t *s, guardrail_rc_e rc, uint64_t limit,
    uint64_t observed)
{
    if (s->rc == GUARDRAIL_OK || rc < s->rc) {
        s->rc = rc;
        s->limit = limit;
        s->observed = observed;
    }
}


/* for Python's json */

static unsigned
guardrail_json_begins_value(uint8_t c)
{
    return c == '{' || c == '[' || c == '"' || c == '-'
           || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n'
           || c == 'N' || c == 'I';
}
