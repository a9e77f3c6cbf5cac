
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, 64 bytes at a time: what does not depend on instructions.
 */


#ifndef GUARDRAIL_NDJSON_FAST_H
#define GUARDRAIL_NDJSON_FAST_H


#include "records/guardrail_ndjson_private.h"


/* what is plain text: each is slower than the one before, and holds it */

typedef enum {
    ndjson_lf = 0,                      /* ASCII */
    ndjson_crlf,                        /* and CR before LF */
    ndjson_utf8                         /* and bytes above 7F */
} guardrail_ndjson_kind_e;


/*
 * The state while blocks are judged: it stays in registers.  What is a flag
 * elsewhere is 0 or 1 here, so that it can be shifted into a mask.
 */

typedef struct {
    uint64_t  records;
    uint64_t  lines;
    uint64_t  run;                      /* bytes of this line, a CR too */

    uint64_t  cr;                       /* the last byte was CR */
    uint64_t  content;                  /* not 0: the line holds a record */
    uint64_t  start;                    /* the segment's is not yet counted */
    uint64_t  ended;                    /* the last byte ended a line */
    uint32_t  partial;                  /* GUARDRAIL_NDJSON_PARTIAL */

    unsigned                 plain;     /* the last block was */
    guardrail_ndjson_kind_e  kind;
} guardrail_ndjson_fast_t;


/* no line up to the threshold needs a look */

typedef struct {
    uint64_t  largest;
    uint64_t  threshold;
    uint64_t  max;
    uint8_t   steps[6];
} guardrail_ndjson_sizes_t;


GUARDRAIL_INLINE void
guardrail_ndjson_sizes(guardrail_ndjson_sizes_t *z, uint64_t largest)
{
    uint64_t  ones, step;
    unsigned  i;

    z->largest = largest;
    z->threshold = (largest < z->max) ? largest : z->max;

    /* runs of 1, 2, 4... ones, up to threshold + 1 */

    for (i = 0, ones = 1; i < 6; i++, ones += step) {
        step = (z->threshold < 63) ? z->threshold + 1 - ones : 0;

        if (step > ones) {
            step = ones;
        }

        z->steps[i] = (uint8_t) step;
    }
}


/* is one of the runs of ones in the mask longer than the threshold? */

GUARDRAIL_INLINE unsigned
guardrail_ndjson_runs(const guardrail_ndjson_sizes_t *z, uint64_t mask)
{
    mask &= mask >> z->steps[0];
    mask &= mask >> z->steps[1];
    mask &= mask >> z->steps[2];
    mask &= mask >> z->steps[3];
    mask &= mask >> z->steps[4];
    mask &= mask >> z->steps[5];

    return mask != 0;
}


/* what the two bytes before p began */

GUARDRAIL_INLINE uint32_t
guardrail_ndjson_lead(const uint8_t *p)
{
    switch (p[-1]) {

    case 0xc2:
        return GUARDRAIL_NDJSON_C2;

    case 0xe2:
        return GUARDRAIL_NDJSON_E2;

    case 0x80:
        return (p[-2] == 0xe2) ? GUARDRAIL_NDJSON_E280 : 0;

    default:
        return 0;
    }
}


/*
 * Is the last of these bytes that is no space, tab or CR one of a line, not an
 * LF that ends it?
 */

GUARDRAIL_INLINE unsigned
guardrail_ndjson_text_before(const uint8_t *p, size_t len)
{
    while (len--) {

        if (p[len] != ' ' && p[len] != '\t' && p[len] != '\r') {
            return p[len] != '\n';
        }
    }

    return 0;
}


GUARDRAIL_INLINE void
guardrail_ndjson_begin(guardrail_ndjson_fast_t *f, guardrail_ndjson_sizes_t *z,
    const guardrail_ndjson_t *s)
{
    f->records = s->records;
    f->lines = s->lines;

    f->cr = (s->flags & GUARDRAIL_NDJSON_CR) != 0;
    f->content = (s->flags & GUARDRAIL_NDJSON_CONTENT) != 0;
    f->start = (s->flags & GUARDRAIL_NDJSON_COUNTED) == 0;
    f->ended = (s->flags & GUARDRAIL_NDJSON_HELD) == 0;
    f->partial = s->flags & GUARDRAIL_NDJSON_PARTIAL;

    f->run = s->size + f->cr;

    f->plain = 1;
    f->kind = f->cr ? ndjson_crlf : ndjson_lf;

    z->max = s->limits.max_record_size;
    guardrail_ndjson_sizes(z, s->largest);
}


/* of that many blocks, those in which no count can reach its limit */

GUARDRAIL_INLINE size_t
guardrail_ndjson_room(const guardrail_ndjson_fast_t *f,
    const guardrail_ndjson_limits_t *limits, size_t blocks)
{
    uint64_t  records, lines;

    if (f->records > limits->max_records || f->lines > limits->max_lines) {
        return 0;
    }

    records = (limits->max_records - f->records) / 64;
    lines = (limits->max_lines - f->lines) / 64;

    if (lines < records) {
        records = lines;
    }

    return (blocks < records) ? blocks : (size_t) records;
}


GUARDRAIL_INLINE void
guardrail_ndjson_end(const guardrail_ndjson_fast_t *f,
    const guardrail_ndjson_sizes_t *z, guardrail_ndjson_t *s)
{
    s->records = f->records;
    s->lines = f->lines;
    s->largest = z->largest;
    s->size = f->run - f->cr;

    s->flags = f->partial
               | (f->cr ? GUARDRAIL_NDJSON_CR : 0)
               | (f->content ? GUARDRAIL_NDJSON_CONTENT : 0)
               | (f->start ? 0 : GUARDRAIL_NDJSON_COUNTED)
               | (f->ended ? 0 : GUARDRAIL_NDJSON_HELD);

    if (f->content && s->size > s->largest) {
        s->largest = s->size;
    }
}


#endif /* GUARDRAIL_NDJSON_FAST_H */
