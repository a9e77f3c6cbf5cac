
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What a quota counts, and its LIMIT as an operator writes it.
 */


#ifndef GUARDRAIL_LIMIT_H
#define GUARDRAIL_LIMIT_H


#include "base/guardrail_base.h"


/* the largest LIMIT that can be written, as for nginx's own sizes */

#define GUARDRAIL_LIMIT_MAX         INT64_MAX

/*
 * The longest period, in seconds: ten years.  A time two periods ahead of the
 * wall clock still fits into 32 bits of seconds.
 */

#define GUARDRAIL_LIMIT_MAX_PERIOD  (3650 * 86400)

/* room for the name of any item: "requests-4294967295s" is 20 bytes */

#define GUARDRAIL_LIMIT_NAME        24


typedef enum {
    GUARDRAIL_UNIT_REQUESTS = 0,
    GUARDRAIL_UNIT_RECORDS,
    GUARDRAIL_UNIT_BYTES,               /* of the wire */
    GUARDRAIL_UNIT_DECODED,             /* bytes */
    GUARDRAIL_UNIT_UPLOADS,             /* bodies being read */
    GUARDRAIL_UNIT_CONCURRENCY,
    GUARDRAIL_UNIT_MEMORY,              /* bytes, of estimates in flight */

    GUARDRAIL_UNIT_MAX
} guardrail_unit_e;


typedef struct {
    const char  *name;                  /* "requests", ASCII and static */
    unsigned     rate:1;                /* N/PERIOD; else a level, N alone */
    unsigned     size:1;                /* bytes, k, m and g are allowed */
} guardrail_unit_info_t;


typedef struct {
    uint64_t          value;            /* GUARDRAIL_NO_LIMIT: none */
    uint32_t          period;           /* seconds; 0: a level, or none said */
    guardrail_unit_e  unit;
} guardrail_limit_t;


/* one for each mistake, so that a message can name it */

typedef enum {
    GUARDRAIL_LIMIT_OK = 0,
    GUARDRAIL_LIMIT_UNIT,               /* no such unit */
    GUARDRAIL_LIMIT_EMPTY,
    GUARDRAIL_LIMIT_NUMBER,             /* does not begin with a digit */
    GUARDRAIL_LIMIT_WHOLE,              /* more than digits, not a size */
    GUARDRAIL_LIMIT_SUFFIX,             /* a size, but not in k, m or g */
    GUARDRAIL_LIMIT_LARGE,              /* above GUARDRAIL_LIMIT_MAX */
    GUARDRAIL_LIMIT_NO_PERIOD,          /* a rate without one */
    GUARDRAIL_LIMIT_LEVEL,              /* a level with a period */
    GUARDRAIL_LIMIT_PERIOD,             /* not a count and s, m, h or d */
    GUARDRAIL_LIMIT_ZERO_PERIOD,
    GUARDRAIL_LIMIT_LONG_PERIOD,        /* above GUARDRAIL_LIMIT_MAX_PERIOD */

    GUARDRAIL_LIMIT_RC_MAX
} guardrail_limit_rc_e;


/* what follows 'LIMIT "..." ' in a message; ASCII and static, never NULL */

const char *guardrail_limit_error(guardrail_limit_rc_e rc);


/* never NULL; unit must be one of the enum */

const guardrail_unit_info_t *guardrail_unit_info(guardrail_unit_e unit);

/* GUARDRAIL_LIMIT_OK, or GUARDRAIL_LIMIT_UNIT and *unit is not touched */

guardrail_limit_rc_e guardrail_unit_parse(const uint8_t *p, size_t len,
    guardrail_unit_e *unit);


/*
 * Reads the LIMIT of a unit: "600/1m", "2g/1h" or "5/s" of a rate, "40" or
 * "4g" of a level; "off", 0 and 0/PERIOD are GUARDRAIL_NO_LIMIT.  The count
 * of a period may be left out.  k, m and g are powers of 1024, of any case;
 * s, m, h and d are lower case, since M is a month to nginx.  *limit is not
 * touched by a mistake.
 */

guardrail_limit_rc_e guardrail_limit_parse(guardrail_limit_t *limit,
    guardrail_unit_e unit, const uint8_t *p, size_t len);


/*
 * Writes "requests-3600s", or the unit alone where the period is 0, without
 * a NUL; returns the length.
 */

size_t guardrail_limit_name(guardrail_unit_e unit, uint32_t period,
    char buf[GUARDRAIL_LIMIT_NAME]);


/*
 * What a rate may have in use when its entry is evicted: a tenth of the
 * LIMIT, or one request, one record or 4096 bytes if that is more.
 */

uint64_t guardrail_limit_threshold(const guardrail_limit_t *limit);


/* do both count the same?  In a zone, these are one counter: 4/1h, 9/60m */

static inline unsigned
guardrail_limit_same(const guardrail_limit_t *a, const guardrail_limit_t *b)
{
    return a->unit == b->unit && a->period == b->period;
}


#endif /* GUARDRAIL_LIMIT_H */
