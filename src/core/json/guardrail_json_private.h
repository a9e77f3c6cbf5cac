
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the implementations of the JSON scanner share; for their files only.
 */


#ifndef GUARDRAIL_JSON_PRIVATE_H
#define GUARDRAIL_JSON_PRIVATE_H


#include "json/guardrail_json.h"


/* within what the last byte left the scanner */

typedef enum {
    json_between = 0,
    json_string,
    json_escape,                        /* behind a backslash in a string */
    json_scalar,
    json_apostrophe,                    /* a string in apostrophes */
    json_apostrophe_escape,
    json_slash,                         /* perhaps a comment */
    json_comment,                       /* up to the line's end */
    json_block_comment,
    json_block_star
} guardrail_json_state_e;


/* the last byte between values that was no white space */

typedef enum {
    json_prev_none = 0,                 /* the record has none yet */
    json_prev_open,
    json_prev_comma,
    json_prev_colon,
    json_prev_other
} guardrail_json_prev_e;


/* a top-level scalar: which values could stand in it side by side */

typedef enum {
    json_run_number = 0,
    json_run_minus,                     /* that began a number */
    json_run_zero,                      /* that is all of its integer */
    json_run_literal
} guardrail_json_run_e;


/* the order matters: those up to blank are dull, those from end on are not */

typedef enum {
    jsc_plain = 0,
    jsc_blank,                          /* space, tab, CR */
    jsc_lf,
    jsc_rs,
    jsc_quote,
    jsc_backslash,
    jsc_open,
    jsc_close,
    jsc_comma,
    jsc_colon,
    jsc_apostrophe,
    jsc_slash,
    jsc_hash
} guardrail_json_class_e;


/*
 * Flags.  Together with the other fields they say all there is to know:
 * whatever implementation judged the bytes and however they were cut, the
 * state after them is the same.
 */

#define GUARDRAIL_JSON_IN_KEY   0x01    /* the string is a key */
#define GUARDRAIL_JSON_LETTER   0x02    /* the scalar begins with a letter */
#define GUARDRAIL_JSON_RECORD   0x04    /* a record is being measured */
#define GUARDRAIL_JSON_VALUE    0x08    /* the document's first has begun */
#define GUARDRAIL_JSON_ROWS     0x10    /* it is an array, and still open */

/* the record's first bytes were these; of the last two, the body's */

#define GUARDRAIL_JSON_EF       0x20
#define GUARDRAIL_JSON_EFBB     0x40
#define GUARDRAIL_JSON_FIRST    0x80    /* no byte yet */
#define GUARDRAIL_JSON_FE       0x100
#define GUARDRAIL_JSON_FF       0x200
#define GUARDRAIL_JSON_SECOND   0x400   /* one byte */

#define GUARDRAIL_JSON_BEGIN                                                  \
    (GUARDRAIL_JSON_EF|GUARDRAIL_JSON_EFBB|GUARDRAIL_JSON_FIRST               \
     |GUARDRAIL_JSON_FE|GUARDRAIL_JSON_FF|GUARDRAIL_JSON_SECOND)


/* what begins with a letter: "Infinity" is the longest that Python reads */

#define GUARDRAIL_JSON_LITERAL  8

/* bytes of the body after which the estimate of its memory is judged */

#define GUARDRAIL_JSON_QUANTUM  4096


/*
 * Judges len bytes and returns how many; fewer than len if and only if a
 * refusal, which is then in s->rc, fell before the last of them.
 */

typedef size_t (*guardrail_json_scan_pt)(guardrail_json_t *s,
    const uint8_t *p, size_t len);


/*
 * Judges blocks by RFC 8259 and returns how many bytes that were: a multiple
 * of 64.  What is behind them it leaves to the validator that goes byte by
 * byte, be it valid or not.
 */

typedef size_t (*guardrail_json_strict_pt)(guardrail_json_strict_t *v,
    const uint8_t *p, size_t len);


/* the scanner tells the memory model, too, if there is one */

struct guardrail_json_ops_s {
    const char                *name;
    guardrail_json_scan_pt     scan;
    guardrail_json_strict_pt   strict;  /* or NULL */
    unsigned                   pairs;   /* brackets by gathering bits */
};


extern const uint8_t  guardrail_json_classes[256];


size_t guardrail_json_scan_scalar(guardrail_json_t *s, const uint8_t *p,
    size_t len);

/* the same, and tells the memory model */

size_t guardrail_json_scan_memory(guardrail_json_t *s, const uint8_t *p,
    size_t len);

void guardrail_json_strict_init(guardrail_json_strict_t *v,
    guardrail_json_mode_e mode, uint64_t *words, uint64_t levels);

/*
 * Returns how many bytes are valid, and sets *bad if the one behind them is
 * not, or opens more containers than there are levels.
 */

size_t guardrail_json_strict_feed(guardrail_json_strict_t *v,
    const guardrail_json_ops_t *ops, const uint8_t *p, size_t len,
    unsigned *bad);

/* 0 if the body may not end here */

unsigned guardrail_json_strict_finish(const guardrail_json_strict_t *v);


/* one of each file; NULL where the machine cannot run it */

const guardrail_json_ops_t *guardrail_json_avx2(void);
const guardrail_json_ops_t *guardrail_json_sse2(void);
const guardrail_json_ops_t *guardrail_json_neon(void);
const guardrail_json_ops_t *guardrail_json_scalar(void);


/*
 * The kinds of the open containers, 1 for an object, as bits: the innermost
 * is the lowest one.  The first 64 of them go to words when they are pushed
 * out, and so on.
 */

GUARDRAIL_INLINE void
guardrail_json_push_kind(uint64_t *words, uint64_t *bits, uint64_t level,
    unsigned object)
{
    if (level && level % 64 == 0) {
        words[level / 64 - 1] = *bits;
    }

    *bits = (*bits << 1) | object;
}


/* level is that without the container */

GUARDRAIL_INLINE void
guardrail_json_pop_kind(const uint64_t *words, uint64_t *bits, uint64_t level)
{
    *bits >>= 1;

    if (level && level % 64 == 0) {
        *bits = words[level / 64 - 1];
    }
}


#endif /* GUARDRAIL_JSON_PRIVATE_H */
