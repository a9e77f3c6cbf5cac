
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Records of JSON text sequences (RFC 7464), counted and measured as the
 * bytes pass: each is introduced by RS (1E).
 */


#ifndef GUARDRAIL_JSON_SEQ_H
#define GUARDRAIL_JSON_SEQ_H


#include "base/guardrail_base.h"


/* limits; GUARDRAIL_NO_LIMIT where there is none */

typedef struct {
    uint64_t  max_records;              /* records */
    uint64_t  max_record_size;          /* bytes */
    unsigned  refuse_utf16;             /* 400 for records in UTF-16, -32 */
} guardrail_json_seq_limits_t;


/*
 * The state; owned by the caller, holds no pointer into what was fed.
 *
 * A record holds at least one byte other than white space (space, tab, CR,
 * LF), at the first of which it counts; bytes other than white space before
 * the first RS are one.  Its size is that of all bytes between two RS, less
 * the LF that RFC 7464 puts last and a CR before that.  Further values within
 * a record are counted by who reads JSON, not here.
 */

typedef struct {
    guardrail_json_seq_limits_t  limits;

    uint64_t                     records;   /* counted so far */
    uint64_t                     largest;   /* bytes, of any record */
    uint64_t                     size;      /* bytes, of this record */

    /* private */

    unsigned                     counted;   /* this record is */
    unsigned                     held;      /* bytes of its end, not in size */
    uint64_t                     run;       /* bytes since RS */
    uint8_t                      first;     /* the first of them */
    guardrail_rc_e               rc;
} guardrail_json_seq_t;


void guardrail_json_seq_init(guardrail_json_seq_t *s,
    const guardrail_json_seq_limits_t *limits);

/*
 * Feeds one piece, cut anywhere.  Returns GUARDRAIL_OK,
 * GUARDRAIL_MAX_RECORDS, GUARDRAIL_MAX_RECORD_SIZE or
 * GUARDRAIL_MALFORMED_JSON; *used as of guardrail_ndjson_feed().
 */

guardrail_rc_e guardrail_json_seq_feed(guardrail_json_seq_t *s,
    const uint8_t *p, size_t len, size_t *used);

/* The end of the body.  Same statuses; idempotent. */

guardrail_rc_e guardrail_json_seq_finish(guardrail_json_seq_t *s);


#endif /* GUARDRAIL_JSON_SEQ_H */
