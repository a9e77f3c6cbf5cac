
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, byte by byte: how records begin and end, and what they
 * measure.
 */


#include "json/guardrail_json_shape.h"


static void guardrail_json_record_end(guardrail_json_t *s, uint64_t offset);


/* the scalar of three bytes is a byte order mark: it has not been there */

void
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

    if (s->memory) {
        guardrail_json_memory_bom(s->memory);
    }
}


/* so many of its bytes were a scalar after all, of which no model knows yet */

void
guardrail_json_no_mark(guardrail_json_t *s, size_t n)
{
    static const uint8_t  mark[2] = { 0xef, 0xbb };

    if (s->memory) {
        guardrail_json_memory_literal(s->memory);
        guardrail_json_memory_other(s->memory, mark, n);
    }
}


/* a line's end, or the RS of the next record */

void
guardrail_json_end(guardrail_json_t *s, uint64_t offset)
{
    if (s->limits.mode == GUARDRAIL_JSON_LINES_AUTO && s->level) {

        if (s->state != json_between) {
            guardrail_json_ended(s, offset);
        }

        if (s->memory && !s->continued) {
            guardrail_json_memory_join(s->memory, offset - s->line);
        }

        s->continued = 1;
        s->ended = 1;

        return;
    }

    guardrail_json_measure(s, offset);
    guardrail_json_record_end(s, offset);
    guardrail_json_reset(s);

    s->line = offset + 1;
    s->ended = 1;
}


/* what it leaves open is closed by the model itself */

static void
guardrail_json_record_end(guardrail_json_t *s, uint64_t offset)
{
    if (s->memory == NULL) {
        return;
    }

    if (s->state == json_scalar && !(s->flags & GUARDRAIL_JSON_LETTER)) {
        guardrail_json_memory_number_end(s->memory);
    }

    if (s->state != json_between || s->prev != json_prev_none) {
        guardrail_json_memory_record_end(s->memory, offset - s->line);
    }
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


void
guardrail_json_last(guardrail_json_t *s)
{
    if (s->finished) {
        return;
    }

    s->finished = 1;

    /* half a byte order mark is a scalar */

    if (s->flags & (GUARDRAIL_JSON_EF|GUARDRAIL_JSON_EFBB)) {
        guardrail_json_no_mark(s, (s->flags & GUARDRAIL_JSON_EFBB) ? 2 : 1);
    }

    s->flags &= ~(uint32_t) GUARDRAIL_JSON_BEGIN;

    guardrail_json_measure(s, s->offset);
    guardrail_json_record_end(s, s->offset);

    s->line = s->offset;

    if (s->memory) {
        guardrail_json_judge(s);
    }
}


/* does it cost too much, up to here? */

void
guardrail_json_judge(guardrail_json_t *s)
{
    uint64_t  estimate;

    estimate = guardrail_json_estimate(s);

    if (estimate > s->limits.memory) {
        guardrail_json_exceed(s, GUARDRAIL_MAX_MEMORY, s->limits.memory,
                              estimate);
    }
}
