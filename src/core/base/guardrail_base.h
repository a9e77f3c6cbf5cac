
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What all rooms of the core share: the statuses, their texts, and
 * arithmetic that saturates.  Plain C11: no allocation, no clock, no
 * logging, no globals.
 */


#ifndef GUARDRAIL_BASE_H
#define GUARDRAIL_BASE_H


#include <stddef.h>
#include <stdint.h>


/*
 * What each small body runs through stands together, in few lines of the
 * cache and few pages; what only others need is kept apart from it.
 */

#if defined(__GNUC__)
#define GUARDRAIL_HOT    __attribute__((hot))
#define GUARDRAIL_APART  __attribute__((noinline))
#else
#define GUARDRAIL_HOT
#define GUARDRAIL_APART
#endif


#define GUARDRAIL_INLINE  static inline __attribute__((always_inline))


/* "no limit": a size, a count or a ratio that nothing exceeds */

#define GUARDRAIL_NO_LIMIT  UINT64_MAX


/*
 * The statuses.  Those from GUARDRAIL_MAX_BODY on are refusals, in the order
 * in which they are named when several limits are exceeded at one byte.
 */

typedef enum {
    GUARDRAIL_OK = 0,
    GUARDRAIL_AGAIN,                    /* the budget of this pass is spent */

    GUARDRAIL_MAX_BODY,
    GUARDRAIL_MAX_DECODED,
    GUARDRAIL_MAX_RATIO,
    GUARDRAIL_ENCODING,
    GUARDRAIL_MALFORMED_ENCODING,
    GUARDRAIL_MIN_RATE,
    GUARDRAIL_BODY_TIMEOUT,
    GUARDRAIL_TYPE,
    GUARDRAIL_MAX_RECORDS,
    GUARDRAIL_MAX_RECORD_SIZE,
    GUARDRAIL_JSON_DEPTH,
    GUARDRAIL_JSON_KEYS,
    GUARDRAIL_JSON_ITEMS,
    GUARDRAIL_JSON_TOKENS,
    GUARDRAIL_JSON_KEY,
    GUARDRAIL_JSON_STRING,
    GUARDRAIL_JSON_NUMBER,
    GUARDRAIL_MALFORMED_JSON,
    GUARDRAIL_MAX_MEMORY,
    GUARDRAIL_DECODER_MEMORY,
    GUARDRAIL_MAX_ARG,
    GUARDRAIL_MAX_WINDOW,
    GUARDRAIL_TENANT,

    /* in the order of guardrail_unit_e */

    GUARDRAIL_QUOTA_REQUESTS,
    GUARDRAIL_QUOTA_RECORDS,
    GUARDRAIL_QUOTA_BYTES,
    GUARDRAIL_QUOTA_DECODED,
    GUARDRAIL_QUOTA_UPLOADS,
    GUARDRAIL_QUOTA_CONCURRENCY,
    GUARDRAIL_QUOTA_MEMORY,

    GUARDRAIL_ZONE_FULL,
    GUARDRAIL_INTERNAL,                 /* the guard cannot judge */

    GUARDRAIL_RC_MAX
} guardrail_rc_e;


/* what a status is called; all strings are ASCII and static */

typedef struct {
    const char  *name;                  /* "max_body" */
    const char  *title;                 /* a short sentence, no numbers */
    const char  *unit;                  /* of limit and observed, or NULL */
    uint16_t     http;                  /* the HTTP status of a refusal, or 0 */
} guardrail_rc_info_t;


/* never NULL: an unknown status is shown as GUARDRAIL_INTERNAL */

const guardrail_rc_info_t *guardrail_rc_info(guardrail_rc_e rc);


/* a + b and a * b, UINT64_MAX where the result would not fit */

static inline uint64_t
guardrail_add_sat(uint64_t a, uint64_t b)
{
    return (a > UINT64_MAX - b) ? UINT64_MAX : a + b;
}


static inline uint64_t
guardrail_mul_sat(uint64_t a, uint64_t b)
{
    uint64_t  r;

    return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}


#endif /* GUARDRAIL_BASE_H */
