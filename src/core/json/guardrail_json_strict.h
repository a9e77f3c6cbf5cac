
/*
 * Copyright (C) nginx-guardrail authors
 *
 * RFC 8259 to the letter: what the files of the validator share.
 */


#ifndef GUARDRAIL_JSON_STRICT_H
#define GUARDRAIL_JSON_STRICT_H


#include "json/guardrail_json_private.h"


/* what is expected, or within what the last byte was */

typedef enum {
    jst_start = 0,                      /* the record is blank so far */
    jst_mark,                           /* within a byte order mark */
    jst_done,                           /* the text is complete */
    jst_whole,                          /* unless it was cut off here */
    jst_value,
    jst_item,                           /* a value, or ] */
    jst_member,                         /* a key, or } */
    jst_key,
    jst_colon,
    jst_after,                          /* a comma or a closing bracket */
    jst_string,
    jst_escape,
    jst_hex,
    jst_utf8,
    jst_literal,

    /* numbers; those that may end are the last four */

    jst_minus,
    jst_point,
    jst_exp,
    jst_sign,
    jst_zero,
    jst_int,
    jst_frac,
    jst_power
} guardrail_json_strict_e;


/* where a literal is in "true\\0false\\0null" */

GUARDRAIL_INLINE unsigned
guardrail_json_strict_literal_at(uint8_t c)
{
    return (c == 't') ? 0
           : (c == 'f') ? sizeof("true") : sizeof("true") + sizeof("false");
}


/* a value has ended; a scalar may have been cut off */

void guardrail_json_strict_ended(guardrail_json_strict_t *v, unsigned scalar);

/* how many bytes, at least, are in a string as they are */

size_t guardrail_json_strict_plain(const uint8_t *p, size_t len);

/* how many bytes, at least, are those of the literal */

size_t guardrail_json_strict_word(guardrail_json_strict_t *v,
    const uint8_t *p, size_t len);

/* 0 if the byte is not valid */

unsigned guardrail_json_strict_string(guardrail_json_strict_t *v, uint8_t c);
unsigned guardrail_json_strict_literal(guardrail_json_strict_t *v, uint8_t c);

/* the same; sets again, and the state, if the number ended before the byte */

unsigned guardrail_json_strict_number(guardrail_json_strict_t *v, uint8_t c,
    unsigned *again);


#endif /* GUARDRAIL_JSON_STRICT_H */
