
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the implementations of the NDJSON scanner share; for their files only.
 */


#ifndef GUARDRAIL_NDJSON_PRIVATE_H
#define GUARDRAIL_NDJSON_PRIVATE_H


#include "records/guardrail_ndjson.h"


/*
 * Flags of the state.  A line is ended by LF here; a segment by LF, CR, VT,
 * FF, FS, GS or RS.  A CR that the next byte has not judged yet is in no
 * size.  The bytes of the line so far are thus size, plus one for that CR.
 *
 * Together they say all there is to know: whatever implementation judged
 * the bytes and however they were cut, the state after them is the same.
 */

#define GUARDRAIL_NDJSON_CR       0x01  /* the last byte was CR */
#define GUARDRAIL_NDJSON_CONTENT  0x02  /* the line holds a record */
#define GUARDRAIL_NDJSON_COUNTED  0x04  /* the segment's record is counted */
#define GUARDRAIL_NDJSON_HELD     0x08  /* the last byte ended no line */

/* the line is one byte so far, this one */

#define GUARDRAIL_NDJSON_FE       0x10
#define GUARDRAIL_NDJSON_FF       0x20

/* the last bytes were C2, E2 or E2 80: NEL, U+2028 or U+2029 may follow */

#define GUARDRAIL_NDJSON_C2       0x40
#define GUARDRAIL_NDJSON_E2       0x80
#define GUARDRAIL_NDJSON_E280     0x100

#define GUARDRAIL_NDJSON_PARTIAL                                              \
    (GUARDRAIL_NDJSON_FE|GUARDRAIL_NDJSON_FF|GUARDRAIL_NDJSON_C2              \
     |GUARDRAIL_NDJSON_E2|GUARDRAIL_NDJSON_E280)


/*
 * Judges len bytes and returns how many; fewer than len if and only if a
 * refusal, which is then in s->rc, fell before the last of them.
 */

struct guardrail_ndjson_ops_s {
    const char  *name;
    size_t     (*scan)(guardrail_ndjson_t *s, const uint8_t *p, size_t len);
};


size_t guardrail_ndjson_scan_scalar(guardrail_ndjson_t *s, const uint8_t *p,
    size_t len);


/* one of each file; NULL where the machine cannot run it */

const guardrail_ndjson_ops_t *guardrail_ndjson_avx2(void);
const guardrail_ndjson_ops_t *guardrail_ndjson_sse2(void);
const guardrail_ndjson_ops_t *guardrail_ndjson_neon(void);
const guardrail_ndjson_ops_t *guardrail_ndjson_scalar(void);


#endif /* GUARDRAIL_NDJSON_PRIVATE_H */
