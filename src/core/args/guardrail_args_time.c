
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Points of time, as ISO 8601 (its profile RFC 3339) and the epoch have them.
 */


#include "args/guardrail_args.h"


#define GUARDRAIL_TIME_DAY  86400

/* from here on an epoch is in milliseconds: 1e11 s are in the year 5138 */

#define GUARDRAIL_TIME_MS   100000000000


static unsigned guardrail_time_number(const uint8_t **pp, const uint8_t *end,
    size_t digits, int64_t *n);
static unsigned guardrail_time_epoch(const uint8_t *p, const uint8_t *end,
    int64_t *ms);
static unsigned guardrail_time_date(const uint8_t **pp, const uint8_t *end,
    int64_t *seconds);
static unsigned guardrail_time_clock(const uint8_t **pp, const uint8_t *end,
    int64_t *ms);
static unsigned guardrail_time_offset(const uint8_t *p, const uint8_t *end,
    int64_t *seconds);
static int64_t guardrail_time_days(int64_t year, int64_t month, int64_t day);
static int64_t guardrail_time_month(int64_t year, int64_t month);


unsigned
guardrail_arg_time(const uint8_t *p, size_t len, int64_t *ms)
{
    int64_t         date, clock, offset;
    const uint8_t  *end, *start;

    if (len == 0) {
        return 0;
    }

    end = p + len;
    start = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    if (p == end) {
        return guardrail_time_epoch(start, end, ms);
    }

    p = start;

    if (!guardrail_time_date(&p, end, &date)) {
        return 0;
    }

    if (p == end) {
        *ms = date * 1000;
        return 1;
    }

    /* RFC 3339, section 5.6: also in lower case, also a space */

    if (*p != 'T' && *p != 't' && *p != ' ') {
        return 0;
    }

    p++;

    if (!guardrail_time_clock(&p, end, &clock)
        || !guardrail_time_offset(p, end, &offset))
    {
        return 0;
    }

    *ms = (date - offset) * 1000 + clock;

    return 1;
}


/* exactly so many digits */

static unsigned
guardrail_time_number(const uint8_t **pp, const uint8_t *end, size_t digits,
    int64_t *n)
{
    const uint8_t  *p;

    p = *pp;

    if ((size_t) (end - p) < digits) {
        return 0;
    }

    for (*n = 0; digits; digits--, p++) {

        if (*p < '0' || *p > '9') {
            return 0;
        }

        *n = *n * 10 + (*p - '0');
    }

    *pp = p;

    return 1;
}


static unsigned
guardrail_time_epoch(const uint8_t *p, const uint8_t *end, int64_t *ms)
{
    uint64_t  n;

    for (n = 0; p < end; p++) {
        n = guardrail_add_sat(guardrail_mul_sat(n, 10),
                              (uint64_t) (*p - '0'));
    }

    if (n < GUARDRAIL_TIME_MS) {
        n *= 1000;
    }

    if (n > INT64_MAX) {
        return 0;
    }

    *ms = (int64_t) n;

    return 1;
}


static unsigned
guardrail_time_date(const uint8_t **pp, const uint8_t *end, int64_t *seconds)
{
    int64_t         year, month, day;
    const uint8_t  *p;

    p = *pp;

    if (!guardrail_time_number(&p, end, 4, &year)
        || p == end || *p++ != '-'
        || !guardrail_time_number(&p, end, 2, &month)
        || p == end || *p++ != '-'
        || !guardrail_time_number(&p, end, 2, &day))
    {
        return 0;
    }

    if (month < 1 || month > 12 || day < 1
        || day > guardrail_time_month(year, month))
    {
        return 0;
    }

    *seconds = guardrail_time_days(year, month, day) * GUARDRAIL_TIME_DAY;
    *pp = p;

    return 1;
}


/* hh:mm, hh:mm:ss or hh:mm:ss.fraction, of which three digits count */

static unsigned
guardrail_time_clock(const uint8_t **pp, const uint8_t *end, int64_t *ms)
{
    int64_t         hour, minute, second, fraction, unit;
    const uint8_t  *p;

    p = *pp;
    second = 0;
    fraction = 0;

    if (!guardrail_time_number(&p, end, 2, &hour)
        || p == end || *p++ != ':'
        || !guardrail_time_number(&p, end, 2, &minute))
    {
        return 0;
    }

    if (p < end && *p == ':') {
        p++;

        if (!guardrail_time_number(&p, end, 2, &second)) {
            return 0;
        }

        if (p < end && (*p == '.' || *p == ',')) {
            p++;

            if (p == end || *p < '0' || *p > '9') {
                return 0;
            }

            for (unit = 100; p < end && *p >= '0' && *p <= '9'; p++) {
                fraction += (*p - '0') * unit;
                unit /= 10;
            }
        }
    }

    if (hour > 23 || minute > 59 || second > 59) {
        return 0;
    }

    *ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    *pp = p;

    return 1;
}


/* Z, +hh:mm, +hhmm or +hh, to the end; a time without one is nobody's */

static unsigned
guardrail_time_offset(const uint8_t *p, const uint8_t *end, int64_t *seconds)
{
    int64_t  sign, hour, minute;

    if (end - p == 1 && (*p == 'Z' || *p == 'z')) {
        *seconds = 0;
        return 1;
    }

    if (p == end || (*p != '+' && *p != '-')) {
        return 0;
    }

    sign = (*p++ == '+') ? 1 : -1;
    minute = 0;

    if (!guardrail_time_number(&p, end, 2, &hour)) {
        return 0;
    }

    if (p < end) {

        if (*p == ':') {
            p++;
        }

        if (!guardrail_time_number(&p, end, 2, &minute)) {
            return 0;
        }
    }

    if (p != end || hour > 23 || minute > 59) {
        return 0;
    }

    *seconds = sign * (hour * 60 + minute) * 60;

    return 1;
}


/* since 1970-01-01, by counting leap years of the Gregorian calendar */

static int64_t
guardrail_time_days(int64_t year, int64_t month, int64_t day)
{
    int64_t  y, m, days;

    y = year - 1;
    days = y * 365 + y / 4 - y / 100 + y / 400;

    if (year == 0) {

        /* -1 / 4 is 0 */

        days = -366;
    }

    for (m = 1; m < month; m++) {
        days += guardrail_time_month(year, m);
    }

    /* 719,162 days from 0001-01-01 to 1970-01-01 */

    return days + day - 1 - 719162;
}


static int64_t
guardrail_time_month(int64_t year, int64_t month)
{
    static const uint8_t  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return days[month - 1];
}
