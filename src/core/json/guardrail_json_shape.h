
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, byte by byte: what a byte does.  For the files of the
 * scanner only.
 */


#ifndef GUARDRAIL_JSON_SHAPE_H
#define GUARDRAIL_JSON_SHAPE_H


#include "json/guardrail_json_private.h"


/* judges the byte that is the offset-th of the body */

void guardrail_json_byte(guardrail_json_t *s, uint8_t c, uint64_t offset);

/* records: see guardrail_json_record.c */

void guardrail_json_mark(guardrail_json_t *s);
void guardrail_json_no_mark(guardrail_json_t *s, size_t n);
void guardrail_json_end(guardrail_json_t *s, uint64_t offset);
void guardrail_json_reset(guardrail_json_t *s);
void guardrail_json_measure(guardrail_json_t *s, uint64_t offset);
void guardrail_json_last(guardrail_json_t *s);
void guardrail_json_judge(guardrail_json_t *s);

/* the order of statuses is that in which they are named at one byte */

void guardrail_json_exceed(guardrail_json_t *s, guardrail_rc_e rc,
    uint64_t limit, uint64_t observed);


/* values: see guardrail_json_value.c */

void guardrail_json_scalar_begin(guardrail_json_t *s, uint8_t c,
    uint64_t offset);
void guardrail_json_scalar_byte(guardrail_json_t *s, uint8_t c);
guardrail_json_run_e guardrail_json_run(uint8_t c);
unsigned guardrail_json_value(guardrail_json_t *s, uint8_t c, uint64_t offset);
void guardrail_json_member(guardrail_json_t *s);
void guardrail_json_stray(guardrail_json_t *s, uint8_t c, uint64_t offset);
void guardrail_json_open(guardrail_json_t *s, uint8_t c);
void guardrail_json_close(guardrail_json_t *s, uint8_t c, uint64_t offset);
void guardrail_json_ended(guardrail_json_t *s, uint64_t offset);
void guardrail_json_size(guardrail_json_t *s, uint64_t size);
unsigned guardrail_json_begins_value(uint8_t c);


/* is the byte one that a number begins with? */

GUARDRAIL_INLINE unsigned
guardrail_json_begins_number(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
}


/* containers in which a record of the format stands */

GUARDRAIL_INLINE uint64_t
guardrail_json_base(const guardrail_json_t *s)
{
    return (s->flags & GUARDRAIL_JSON_ROWS) ? 1 : 0;
}


/* may several values stand side by side in a scalar? */

GUARDRAIL_INLINE unsigned
guardrail_json_runs(const guardrail_json_t *s)
{
    return s->level == 0 && s->limits.mode < GUARDRAIL_JSON_LINES;
}


/* is the innermost container an object? */

GUARDRAIL_INLINE unsigned
guardrail_json_object(const guardrail_json_t *s)
{
    return s->level && s->level <= s->levels && (s->bits & 1);
}


#endif /* GUARDRAIL_JSON_SHAPE_H */
