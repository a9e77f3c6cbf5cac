
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, counted and measured as the bytes pass.
 */


#ifndef GUARDRAIL_NDJSON_H
#define GUARDRAIL_NDJSON_H


#include "base/guardrail_base.h"


/*
 * Limits; GUARDRAIL_NO_LIMIT where there is none.  max_lines is the cap on
 * all lines, blank ones included: see guardrail_ndjson_max_lines().
 */

typedef struct {
    uint64_t  max_records;              /* records */
    uint64_t  max_lines;                /* lines */
    uint64_t  max_record_size;          /* bytes */
    unsigned  refuse_utf16;             /* 400 for records in UTF-16, -32 */
} guardrail_ndjson_limits_t;


/* one implementation of the scanner; all of them give the same results */

typedef struct guardrail_ndjson_ops_s  guardrail_ndjson_ops_t;


/*
 * The state.  Public for its size alone and for the three measurements;
 * owned by the caller, holds no pointer into what was fed.
 */

typedef struct {
    const guardrail_ndjson_ops_t  *ops;
    guardrail_ndjson_limits_t      limits;

    uint64_t                       records;     /* counted so far */
    uint64_t                       lines;       /* ended so far */
    uint64_t                       largest;     /* bytes, of any record */

    uint64_t                       size;        /* bytes, of this line */

    /* scanner's own; see guardrail_ndjson.c */

    uint32_t                       flags;
    guardrail_rc_e                 rc;
} guardrail_ndjson_t;


/* 16 * max_records + 1024, saturating; no limit for no limit */

GUARDRAIL_HOT uint64_t guardrail_ndjson_max_lines(uint64_t max_records);

/*
 * The fastest implementation that this processor runs; never NULL.  Asks the
 * processor, which takes a virtual machine 0.1 ms or more: once in a process,
 * not for each body.
 */

const guardrail_ndjson_ops_t *guardrail_ndjson_select(void);

/* by name: "scalar" (everywhere), "sse2", "avx2", "neon"; NULL if not here */

const guardrail_ndjson_ops_t *guardrail_ndjson_by_name(const char *name);

const char *guardrail_ndjson_name(const guardrail_ndjson_ops_t *ops);


GUARDRAIL_HOT void guardrail_ndjson_init(guardrail_ndjson_t *s,
    const guardrail_ndjson_ops_t *ops,
    const guardrail_ndjson_limits_t *limits);

/*
 * Feeds one piece.  Pieces may be cut anywhere: any split of the same bytes
 * gives the same verdict at the same byte, and the same measurements.
 *
 * Returns GUARDRAIL_OK, GUARDRAIL_MAX_RECORDS, GUARDRAIL_MAX_RECORD_SIZE or
 * GUARDRAIL_MALFORMED_JSON.  *used is the number of bytes of the piece that
 * were judged: len on success, and on a refusal up to and including the byte
 * that exceeded the limit, at which the measurements stand.  After a refusal
 * the state is dead: it keeps returning that refusal, with *used = 0.
 */

guardrail_rc_e guardrail_ndjson_feed(guardrail_ndjson_t *s,
    const uint8_t *p, size_t len, size_t *used);

/* The end of the body: the last line, without LF.  Same statuses. */

guardrail_rc_e guardrail_ndjson_finish(guardrail_ndjson_t *s);


#endif /* GUARDRAIL_NDJSON_H */
