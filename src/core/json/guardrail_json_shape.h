
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


/* containers in which a record of the format stands */

GUARDRAIL_JSON_INLINE uint64_t
guardrail_json_base(const guardrail_json_t *s)
{
    return (s->flags & GUARDRAIL_JSON_ROWS) ? 1 : 0;
}


/* may several values stand side by side in a scalar? */

GUARDRAIL_JSON_INLINE unsigned
guardrail_json_runs(const guardrail_json_t *s)
{
    return s->level == 0 && s->limits.mode < GUARDRAIL_JSON_LINES;
}


/* is the innermost container an object? */

GUARDRAIL_JSON_INLINE unsigned
guardrail_json_object(const guardrail_json_t *s)
{
    return s->level && s->level <= s->levels && (s->bits & 1);
}


#endif /* GUARDRAIL_JSON_SHAPE_H */
