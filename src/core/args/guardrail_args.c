
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "args/guardrail_args.h"


/* the longest value that is read: of a time or a number all have less */

#define GUARDRAIL_ARG_VALUE  64


/* name and value as they stand */

typedef struct {
    const uint8_t  *name;
    const uint8_t  *name_end;
    const uint8_t  *value;
    const uint8_t  *value_end;
} guardrail_arg_t;


static unsigned guardrail_arg_next(const uint8_t **pp, const uint8_t *end,
    guardrail_arg_t *a);
static uint8_t guardrail_arg_byte(const uint8_t **pp, const uint8_t *end);
static int guardrail_arg_hex(uint8_t ch);
static uint8_t guardrail_arg_lower(uint8_t ch);
static unsigned guardrail_arg_is(const guardrail_arg_t *a,
    const uint8_t *name, size_t len);
static guardrail_arg_rc_e guardrail_arg_digits(const guardrail_arg_t *a,
    uint64_t *n);
static guardrail_arg_rc_e guardrail_arg_end(const uint8_t *args, size_t len,
    const uint8_t *name, size_t name_len, int64_t *ms);


/* of a number, of a window */

static const char *const  guardrail_arg_errors[GUARDRAIL_ARG_RC_MAX][2] = {

    [GUARDRAIL_ARG_OK] =
        { "is accepted", "is accepted" },

    [GUARDRAIL_ARG_MISSING] =
        { "is missing", "has one end only" },

    [GUARDRAIL_ARG_EMPTY] =
        { "is empty", "has an empty end" },

    [GUARDRAIL_ARG_UNREADABLE] =
        { "is no number", "has an end that is no point of time" },

    [GUARDRAIL_ARG_REPEATED] =
        { "is given more than once", "has an end that is given twice" },

    [GUARDRAIL_ARG_REVERSED] =
        { "is reversed", "is reversed" },

    [GUARDRAIL_ARG_LARGE] =
        { "is too large", "is too large" }
};


const char *
guardrail_arg_error(guardrail_arg_rc_e rc, unsigned window)
{
    if ((unsigned) rc >= GUARDRAIL_ARG_RC_MAX) {
        rc = GUARDRAIL_ARG_UNREADABLE;
    }

    return guardrail_arg_errors[rc][window != 0];
}


/* 0 when there are no more; an empty argument has an empty name */

static unsigned
guardrail_arg_next(const uint8_t **pp, const uint8_t *end, guardrail_arg_t *a)
{
    const uint8_t  *p;

    p = *pp;

    if (p == end) {
        return 0;
    }

    a->name = p;
    a->name_end = NULL;

    for ( /* void */ ; p < end && *p != '&' && *p != ';'; p++) {

        if (*p == '=' && a->name_end == NULL) {
            a->name_end = p;
            a->value = p + 1;
        }
    }

    a->value_end = p;

    if (a->name_end == NULL) {
        a->name_end = p;
        a->value = p;
    }

    *pp = (p < end) ? p + 1 : p;

    return 1;
}


/* the next byte of a name or value, decoded */

static uint8_t
guardrail_arg_byte(const uint8_t **pp, const uint8_t *end)
{
    int             high, low;
    const uint8_t  *p;

    p = *pp;

    if (*p == '%' && end - p >= 3) {
        high = guardrail_arg_hex(p[1]);
        low = guardrail_arg_hex(p[2]);

        if (high >= 0 && low >= 0) {
            *pp = p + 3;
            return (uint8_t) (high << 4 | low);
        }
    }

    *pp = p + 1;

    return *p;
}


static int
guardrail_arg_hex(uint8_t ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch = guardrail_arg_lower(ch);

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}


static uint8_t
guardrail_arg_lower(uint8_t ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (uint8_t) (ch | 0x20) : ch;
}


static unsigned
guardrail_arg_is(const guardrail_arg_t *a, const uint8_t *name, size_t len)
{
    size_t          i;
    const uint8_t  *p;

    p = a->name;

    for (i = 0; i < len; i++) {

        if (p == a->name_end
            || guardrail_arg_lower(guardrail_arg_byte(&p, a->name_end))
               != guardrail_arg_lower(name[i]))
        {
            return 0;
        }
    }

    return p == a->name_end;
}


static guardrail_arg_rc_e
guardrail_arg_digits(const guardrail_arg_t *a, uint64_t *n)
{
    uint8_t         ch;
    const uint8_t  *p;

    p = a->value;

    if (p == a->value_end) {
        return GUARDRAIL_ARG_EMPTY;
    }

    for (*n = 0; p < a->value_end; /* void */ ) {
        ch = guardrail_arg_byte(&p, a->value_end);

        if (ch < '0' || ch > '9') {
            return GUARDRAIL_ARG_UNREADABLE;
        }

        *n = guardrail_add_sat(guardrail_mul_sat(*n, 10),
                               (uint64_t) (ch - '0'));
    }

    return GUARDRAIL_ARG_OK;
}


guardrail_arg_rc_e
guardrail_arg_number(const uint8_t *args, size_t len, const uint8_t *name,
    size_t name_len, uint64_t max, unsigned required, uint64_t *observed)
{
    unsigned             found;
    uint64_t             n;
    const uint8_t       *end;
    guardrail_arg_t      a;
    guardrail_arg_rc_e   rc;

    *observed = 0;
    found = 0;

    if (len) {
        end = args + len;

        while (guardrail_arg_next(&args, end, &a)) {

            if (!guardrail_arg_is(&a, name, name_len)) {
                continue;
            }

            found = 1;

            rc = guardrail_arg_digits(&a, &n);

            if (rc != GUARDRAIL_ARG_OK) {
                return rc;
            }

            if (n > max) {
                *observed = n;
                return GUARDRAIL_ARG_LARGE;
            }
        }
    }

    return (required && !found) ? GUARDRAIL_ARG_MISSING : GUARDRAIL_ARG_OK;
}


guardrail_arg_rc_e
guardrail_arg_window(const uint8_t *args, size_t len, const uint8_t *from,
    size_t from_len, const uint8_t *to, size_t to_len, uint64_t max,
    uint64_t *observed)
{
    int64_t             start, end;
    guardrail_arg_rc_e  first, second;

    *observed = 0;

    first = guardrail_arg_end(args, len, from, from_len, &start);
    second = guardrail_arg_end(args, len, to, to_len, &end);

    if (first == GUARDRAIL_ARG_MISSING && second == GUARDRAIL_ARG_MISSING) {
        return GUARDRAIL_ARG_OK;
    }

    if (first != GUARDRAIL_ARG_OK) {
        return first;
    }

    if (second != GUARDRAIL_ARG_OK) {
        return second;
    }

    if (end < start) {
        return GUARDRAIL_ARG_REVERSED;
    }

    *observed = (uint64_t) end - (uint64_t) start;

    return (*observed > max) ? GUARDRAIL_ARG_LARGE : GUARDRAIL_ARG_OK;
}


static guardrail_arg_rc_e
guardrail_arg_end(const uint8_t *args, size_t len, const uint8_t *name,
    size_t name_len, int64_t *ms)
{
    size_t           n;
    uint8_t          value[GUARDRAIL_ARG_VALUE];
    unsigned         found;
    const uint8_t   *p, *end;
    guardrail_arg_t  a;

    found = 0;
    n = 0;

    if (len) {
        end = args + len;

        while (guardrail_arg_next(&args, end, &a)) {

            if (!guardrail_arg_is(&a, name, name_len)) {
                continue;
            }

            if (found) {
                return GUARDRAIL_ARG_REPEATED;
            }

            found = 1;

            for (p = a.value, n = 0; p < a.value_end; n++) {

                if (n == sizeof(value)) {
                    return GUARDRAIL_ARG_UNREADABLE;
                }

                value[n] = guardrail_arg_byte(&p, a.value_end);
            }
        }
    }

    if (!found) {
        return GUARDRAIL_ARG_MISSING;
    }

    if (n == 0) {
        return GUARDRAIL_ARG_EMPTY;
    }

    return guardrail_arg_time(value, n, ms) ? GUARDRAIL_ARG_OK
                                            : GUARDRAIL_ARG_UNREADABLE;
}
