
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the implementations of the CSV scanner share; for their files only.
 */


#ifndef GUARDRAIL_CSV_PRIVATE_H
#define GUARDRAIL_CSV_PRIVATE_H


#include "records/guardrail_csv.h"


/*
 * Flags of the state.  With neither of the first two the next byte is the
 * first of a field, or stands behind a quote that closes one: a quote opens
 * (two quotes within quotes thus close and open), and any other byte leads
 * where it leads from a field's start.
 *
 * Whatever implementation judged the bytes and however they were cut, the
 * state after them is the same.
 */

#define GUARDRAIL_CSV_FIELD    0x01     /* in a field without quotes */
#define GUARDRAIL_CSV_QUOTED   0x02     /* within quotes */

#define GUARDRAIL_CSV_COUNTED  0x04     /* the row is counted */
#define GUARDRAIL_CSV_CR       0x08     /* the last byte was CR */
#define GUARDRAIL_CSV_HELD     0x10     /* the line has begun */


/*
 * Judges len bytes and returns how many; fewer than len if and only if a
 * refusal, which is then in s->rc, fell before the last of them.
 */

struct guardrail_csv_ops_s {
    const char  *name;
    size_t     (*scan)(guardrail_csv_t *s, const uint8_t *p, size_t len);
};


size_t guardrail_csv_scan_scalar(guardrail_csv_t *s, const uint8_t *p,
    size_t len);


/* one of each file; NULL where the machine cannot run it */

const guardrail_csv_ops_t *guardrail_csv_avx2(void);
const guardrail_csv_ops_t *guardrail_csv_sse2(void);
const guardrail_csv_ops_t *guardrail_csv_neon(void);
const guardrail_csv_ops_t *guardrail_csv_scalar(void);


#endif /* GUARDRAIL_CSV_PRIVATE_H */
