
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows (RFC 4180), counted and measured as the bytes pass.
 *
 * A row ends at LF, CRLF or a lone CR that is not in quotes; a quote opens a
 * field at its very start only, elsewhere it is a character; within quotes
 * two quotes are one.  What follows a closing quote belongs to the field, as
 * in Python's csv.  The delimiter is the comma.
 */


#ifndef GUARDRAIL_CSV_H
#define GUARDRAIL_CSV_H


#include "base/guardrail_base.h"


/*
 * Limits; GUARDRAIL_NO_LIMIT where there is none.  max_lines is the cap on
 * physical lines, those in quotes included, which bounds the rows of a reader
 * with another delimiter or without quotes: guardrail_ndjson_max_lines().
 */

typedef struct {
    uint64_t  max_records;              /* rows: the header's, blank ones */
    uint64_t  max_lines;                /* lines */
    uint64_t  max_record_size;          /* bytes, without the row's end */
} guardrail_csv_limits_t;


/* one implementation of the scanner; all of them give the same results */

typedef struct guardrail_csv_ops_s  guardrail_csv_ops_t;


/*
 * The state.  Public for its size alone and for the measurements; owned by
 * the caller, holds no pointer into what was fed.
 *
 * A row counts at its first byte that is not white space (space, tab, CR,
 * LF), or where it ends; a line where it ends.
 */

typedef struct {
    const guardrail_csv_ops_t  *ops;
    guardrail_csv_limits_t      limits;

    uint64_t                    records;    /* counted so far */
    uint64_t                    lines;      /* ended so far */
    uint64_t                    largest;    /* bytes, of any row */
    uint64_t                    size;       /* bytes, of this row */

    /* scanner's own; see guardrail_csv_private.h */

    uint32_t                    flags;
    guardrail_rc_e              rc;
} guardrail_csv_t;


/* the fastest that this processor runs; asks it: once in a process */

const guardrail_csv_ops_t *guardrail_csv_select(void);

/* by name: "scalar" (everywhere), "sse2", "avx2", "neon"; NULL if not here */

const guardrail_csv_ops_t *guardrail_csv_by_name(const char *name);

const char *guardrail_csv_name(const guardrail_csv_ops_t *ops);


void guardrail_csv_init(guardrail_csv_t *s, const guardrail_csv_ops_t *ops,
    const guardrail_csv_limits_t *limits);

/*
 * Feeds one piece.  Pieces may be cut anywhere: any split of the same bytes
 * gives the same verdict at the same byte, and the same measurements.
 *
 * Returns GUARDRAIL_OK, GUARDRAIL_MAX_RECORDS or GUARDRAIL_MAX_RECORD_SIZE.
 * *used is the number of bytes of the piece that were judged: len on success,
 * and on a refusal up to and including the byte that exceeded the limit, at
 * which the measurements stand.  After a refusal the state is dead: it keeps
 * returning that refusal, with *used = 0.
 */

guardrail_rc_e guardrail_csv_feed(guardrail_csv_t *s, const uint8_t *p,
    size_t len, size_t *used);

/* The end of the body: the last row, if it has no end.  Same statuses. */

guardrail_rc_e guardrail_csv_finish(guardrail_csv_t *s);


#endif /* GUARDRAIL_CSV_H */
