
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, byte by byte: values, and what they count for.
 */


#include "json/guardrail_json_shape.h"


static void guardrail_json_record(guardrail_json_t *s, uint8_t c,
    uint64_t offset);


void
guardrail_json_scalar_begin(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    unsigned  number;

    (void) guardrail_json_value(s, c, offset);

    s->state = json_scalar;

    number = guardrail_json_begins_number(c);

    s->flags |= number ? 0 : GUARDRAIL_JSON_LETTER;

    if (guardrail_json_runs(s)) {
        s->run = (uint8_t) guardrail_json_run(c);
        s->last = c;
    }

    s->length = 0;

    if (s->memory && !number && !(s->flags & GUARDRAIL_JSON_EF)) {
        guardrail_json_memory_literal(s->memory);
    }

    guardrail_json_scalar_byte(s, c);
}


guardrail_json_run_e
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


void
guardrail_json_scalar_byte(guardrail_json_t *s, uint8_t c)
{
    uint64_t  limit;

    s->length++;

    if (s->memory) {

        if (!(s->flags & GUARDRAIL_JSON_LETTER)) {
            guardrail_json_memory_number(s->memory, &c, 1);
        }

        if (!(s->flags & (GUARDRAIL_JSON_EF|GUARDRAIL_JSON_EFBB))) {
            guardrail_json_memory_other(s->memory, &c, 1);
        }
    }

    limit = s->limits.number;

    if (limit < GUARDRAIL_JSON_LITERAL && (s->flags & GUARDRAIL_JSON_LETTER)) {
        limit = GUARDRAIL_JSON_LITERAL;
    }

    if (s->length > limit) {
        guardrail_json_exceed(s, GUARDRAIL_JSON_NUMBER, limit, s->length);
    }
}


/* a value begins, or a key: returns which */

unsigned
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

void
guardrail_json_member(guardrail_json_t *s)
{
    if (s->level == 0 || !s->counted) {
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

void
guardrail_json_stray(guardrail_json_t *s, uint8_t c, uint64_t offset)
{
    uint64_t  base;

    base = guardrail_json_base(s);

    if (s->limits.mode < GUARDRAIL_JSON_LINES && s->level == base) {
        guardrail_json_record(s, c, offset);
        guardrail_json_ended(s, offset + 1);
    }
}


void
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

    if (s->memory) {
        guardrail_json_memory_open(s->memory, c == '{');
    }
}


void
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

    if (s->memory) {
        guardrail_json_memory_close(s->memory);
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

void
guardrail_json_ended(guardrail_json_t *s, uint64_t offset)
{
    if (s->memory && s->state == json_scalar) {

        if (!(s->flags & GUARDRAIL_JSON_LETTER)) {
            guardrail_json_memory_number_end(s->memory);
        }

    } else if (s->memory && s->state != json_between
               && s->state < json_slash)
    {
        guardrail_json_memory_string_end(s->memory);
    }

    s->ended = 1;
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


void
guardrail_json_size(guardrail_json_t *s, uint64_t size)
{
    s->size = size;

    if (size > s->limits.max_record_size) {
        guardrail_json_exceed(s, GUARDRAIL_MAX_RECORD_SIZE,
                              s->limits.max_record_size, size);
    }
}


/* the order of statuses is that in which they are named at one byte */

void
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

unsigned
guardrail_json_begins_value(uint8_t c)
{
    return c == '{' || c == '[' || c == '"' || c == '-'
           || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n'
           || c == 'N' || c == 'I';
}
