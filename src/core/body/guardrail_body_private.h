
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the files of this room share.
 */


#ifndef GUARDRAIL_BODY_PRIVATE_H
#define GUARDRAIL_BODY_PRIVATE_H


#include "body/guardrail_body.h"


/* sets the verdict, and returns it */

guardrail_rc_e guardrail_body_refuse(guardrail_body_t *b, guardrail_rc_e rc,
    uint64_t limit, uint64_t observed);

/* decoded bytes of a format that max_memory allows, whatever is in them */

GUARDRAIL_HOT uint64_t guardrail_body_memory_bound(
    const guardrail_body_limits_t *limits, guardrail_format_e format);

/* JSON, beside the lines of NDJSON or alone; CSV; *used as below */

GUARDRAIL_HOT guardrail_rc_e guardrail_body_json(guardrail_body_t *b,
    const uint8_t *p, size_t len, size_t *used);
guardrail_rc_e guardrail_body_json_refused(guardrail_body_t *b,
    guardrail_rc_e rc);
guardrail_rc_e guardrail_body_csv(guardrail_body_t *b, const uint8_t *p,
    size_t len, size_t *used);
guardrail_rc_e guardrail_body_csv_refused(guardrail_body_t *b,
    guardrail_rc_e rc);

/*
 * Decoded bytes that are within max_decoded: their records, and what is
 * charged.  Moves decoded, and wire of an identity body.  *used as below.
 */

GUARDRAIL_HOT guardrail_rc_e guardrail_body_pass(guardrail_body_t *b,
    const uint8_t *p, size_t len, size_t *used);

/* charges what has passed, if that is due, or in any case */

GUARDRAIL_HOT guardrail_rc_e guardrail_body_meter(guardrail_body_t *b);
guardrail_rc_e guardrail_body_charge(guardrail_body_t *b);

/*
 * Decoded bytes to the record scanner, once the format is known.  *used is
 * len, or on a refusal up to and including the byte that was refused.
 */

GUARDRAIL_HOT guardrail_rc_e guardrail_body_records(guardrail_body_t *b,
    const uint8_t *p, size_t len, size_t *used);
GUARDRAIL_HOT guardrail_rc_e guardrail_body_records_finish(
    guardrail_body_t *b);


#endif /* GUARDRAIL_BODY_PRIVATE_H */
