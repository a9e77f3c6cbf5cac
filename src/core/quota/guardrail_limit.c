
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_limit.h"

#include <string.h>


/* bytes in use that are not worth an entry: the contract's 4 KiB */

#define GUARDRAIL_LIMIT_FEW_BYTES  4096


static const uint8_t *guardrail_limit_digits(const uint8_t *p,
    const uint8_t *end, uint64_t *n);
static guardrail_limit_rc_e guardrail_limit_value(const uint8_t **pp,
    const uint8_t *end, unsigned size, uint64_t *n);
static guardrail_limit_rc_e guardrail_limit_period(const uint8_t *p,
    const uint8_t *end, uint32_t *period);


static const guardrail_unit_info_t  guardrail_unit_infos[] = {
    [GUARDRAIL_UNIT_REQUESTS]    = { "requests", 1, 0 },
    [GUARDRAIL_UNIT_RECORDS]     = { "records", 1, 0 },
    [GUARDRAIL_UNIT_BYTES]       = { "bytes", 1, 1 },
    [GUARDRAIL_UNIT_DECODED]     = { "decoded", 1, 1 },
    [GUARDRAIL_UNIT_UPLOADS]     = { "uploads", 0, 0 },
    [GUARDRAIL_UNIT_CONCURRENCY] = { "concurrency", 0, 0 },
    [GUARDRAIL_UNIT_MEMORY]      = { "memory", 0, 1 }
};


static const char *const  guardrail_limit_errors[GUARDRAIL_LIMIT_RC_MAX] = {

    [GUARDRAIL_LIMIT_OK] =
        "is valid",

    [GUARDRAIL_LIMIT_UNIT] =
        "has an unknown unit",

    [GUARDRAIL_LIMIT_EMPTY] =
        "is empty",

    [GUARDRAIL_LIMIT_NUMBER] =
        "must begin with a number, or be \"off\"",

    [GUARDRAIL_LIMIT_WHOLE] =
        "must be a whole number without a suffix",

    [GUARDRAIL_LIMIT_SUFFIX] =
        "must be a size, a whole number in bytes or with k, m or g",

    [GUARDRAIL_LIMIT_LARGE] =
        "is too large",

    [GUARDRAIL_LIMIT_NO_PERIOD] =
        "must have a period, as in \"600/1m\"",

    [GUARDRAIL_LIMIT_LEVEL] =
        "must not have a period",

    [GUARDRAIL_LIMIT_PERIOD] =
        "must have a period in s, m, h or d, as in \"600/1m\"",

    [GUARDRAIL_LIMIT_ZERO_PERIOD] =
        "must have a period of at least one second",

    [GUARDRAIL_LIMIT_LONG_PERIOD] =
        "must have a period of at most 3650d"
};


const char *
guardrail_limit_error(guardrail_limit_rc_e rc)
{
    if ((unsigned) rc >= GUARDRAIL_LIMIT_RC_MAX) {
        return "is invalid";
    }

    return guardrail_limit_errors[rc];
}


const guardrail_unit_info_t *
guardrail_unit_info(guardrail_unit_e unit)
{
    return &guardrail_unit_infos[unit];
}


guardrail_limit_rc_e
guardrail_unit_parse(const uint8_t *p, size_t len, guardrail_unit_e *unit)
{
    unsigned     i;
    const char  *name;

    for (i = 0; i < GUARDRAIL_UNIT_MAX; i++) {
        name = guardrail_unit_infos[i].name;

        if (len == strlen(name) && memcmp(p, name, len) == 0) {
            *unit = (guardrail_unit_e) i;
            return GUARDRAIL_LIMIT_OK;
        }
    }

    return GUARDRAIL_LIMIT_UNIT;
}


guardrail_limit_rc_e
guardrail_limit_parse(guardrail_limit_t *limit, guardrail_unit_e unit,
    const uint8_t *p, size_t len)
{
    uint32_t                      period;
    uint64_t                      n;
    const uint8_t                *end;
    guardrail_limit_rc_e          rc;
    const guardrail_unit_info_t  *info;

    info = &guardrail_unit_infos[unit];

    if (len == 0) {
        return GUARDRAIL_LIMIT_EMPTY;
    }

    end = p + len;
    period = 0;

    if (len == 3 && memcmp(p, "off", 3) == 0) {
        n = 0;

    } else {
        rc = guardrail_limit_value(&p, end, info->size, &n);

        if (rc != GUARDRAIL_LIMIT_OK) {
            return rc;
        }

        if (p < end) {

            /* at the slash */

            if (!info->rate) {
                return GUARDRAIL_LIMIT_LEVEL;
            }

            rc = guardrail_limit_period(p + 1, end, &period);

            if (rc != GUARDRAIL_LIMIT_OK) {
                return rc;
            }

        } else if (info->rate && n) {
            return GUARDRAIL_LIMIT_NO_PERIOD;
        }
    }

    limit->value = n ? n : GUARDRAIL_NO_LIMIT;
    limit->period = period;
    limit->unit = unit;

    return GUARDRAIL_LIMIT_OK;
}


/* the number up to the first other byte, UINT64_MAX if it does not fit */

static const uint8_t *
guardrail_limit_digits(const uint8_t *p, const uint8_t *end, uint64_t *n)
{
    *n = 0;

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {
        *n = guardrail_add_sat(guardrail_mul_sat(*n, 10),
                               (uint64_t) (*p - '0'));
    }

    return p;
}


/* leaves *pp at the slash or at the end */

static guardrail_limit_rc_e
guardrail_limit_value(const uint8_t **pp, const uint8_t *end, unsigned size,
    uint64_t *n)
{
    unsigned        shift;
    const uint8_t  *p;

    p = guardrail_limit_digits(*pp, end, n);

    if (p == *pp) {
        return GUARDRAIL_LIMIT_NUMBER;
    }

    if (p < end && *p != '/') {

        if (!size) {
            return GUARDRAIL_LIMIT_WHOLE;
        }

        switch (*p++) {

        case 'k':
        case 'K':
            shift = 10;
            break;

        case 'm':
        case 'M':
            shift = 20;
            break;

        case 'g':
        case 'G':
            shift = 30;
            break;

        default:
            return GUARDRAIL_LIMIT_SUFFIX;
        }

        if (p < end && *p != '/') {
            return GUARDRAIL_LIMIT_SUFFIX;
        }

        *n = guardrail_mul_sat(*n, (uint64_t) 1 << shift);
    }

    if (*n > GUARDRAIL_LIMIT_MAX) {
        return GUARDRAIL_LIMIT_LARGE;
    }

    *pp = p;

    return GUARDRAIL_LIMIT_OK;
}


static guardrail_limit_rc_e
guardrail_limit_period(const uint8_t *p, const uint8_t *end, uint32_t *period)
{
    uint64_t        n, unit;
    const uint8_t  *start;

    start = p;
    p = guardrail_limit_digits(p, end, &n);

    if (p == start) {
        n = 1;
    }

    if (end - p != 1) {
        return GUARDRAIL_LIMIT_PERIOD;
    }

    switch (*p) {

    case 's':
        unit = 1;
        break;

    case 'm':
        unit = 60;
        break;

    case 'h':
        unit = 3600;
        break;

    case 'd':
        unit = 86400;
        break;

    default:
        return GUARDRAIL_LIMIT_PERIOD;
    }

    n = guardrail_mul_sat(n, unit);

    if (n == 0) {
        return GUARDRAIL_LIMIT_ZERO_PERIOD;
    }

    if (n > GUARDRAIL_LIMIT_MAX_PERIOD) {
        return GUARDRAIL_LIMIT_LONG_PERIOD;
    }

    *period = (uint32_t) n;

    return GUARDRAIL_LIMIT_OK;
}


size_t
guardrail_limit_name(guardrail_unit_e unit, uint32_t period,
    char buf[GUARDRAIL_LIMIT_NAME])
{
    char         digits[10];
    size_t       len, n;
    const char  *name;

    name = guardrail_unit_infos[unit].name;

    len = strlen(name);
    memcpy(buf, name, len);

    if (period == 0) {
        return len;
    }

    buf[len++] = '-';

    for (n = sizeof(digits); period; period /= 10) {
        digits[--n] = (char) ('0' + period % 10);
    }

    memcpy(buf + len, digits + n, sizeof(digits) - n);
    len += sizeof(digits) - n;

    buf[len++] = 's';

    return len;
}


uint64_t
guardrail_limit_threshold(const guardrail_limit_t *limit)
{
    uint64_t  few;

    few = guardrail_unit_infos[limit->unit].size ? GUARDRAIL_LIMIT_FEW_BYTES
                                                 : 1;

    return (limit->value / 10 > few) ? limit->value / 10 : few;
}
