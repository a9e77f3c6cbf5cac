
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The arguments of a request, as a backend reads them: a number that must not
 * be too large, two ends of a window of time that must not be too far apart.
 */


#ifndef GUARDRAIL_ARGS_H
#define GUARDRAIL_ARGS_H


#include "base/guardrail_base.h"


typedef enum {
    GUARDRAIL_ARG_OK = 0,
    GUARDRAIL_ARG_MISSING,
    GUARDRAIL_ARG_EMPTY,
    GUARDRAIL_ARG_UNREADABLE,           /* no number, or no time */
    GUARDRAIL_ARG_REPEATED,
    GUARDRAIL_ARG_REVERSED,             /* it ends before it starts */
    GUARDRAIL_ARG_LARGE,                /* *observed says how large */

    GUARDRAIL_ARG_RC_MAX
} guardrail_arg_rc_e;


/* what follows "the argument" or "the window" in a sentence; static */

const char *guardrail_arg_error(guardrail_arg_rc_e rc, unsigned window);


/*
 * In both functions args of len bytes is what stands behind "?"; ";" separates
 * arguments like "&".  Names are compared without case.  Names and values are
 * percent-decoded once; "%" without two hex digits stands for itself.  args
 * may be NULL if len is 0.
 */

/*
 * All arguments of a name: each must be ASCII digits of at most max, leading
 * zeros allowed; if there is none, OK, or MISSING if required.
 */

guardrail_arg_rc_e guardrail_arg_number(const uint8_t *args, size_t len,
    const uint8_t *name, size_t name_len, uint64_t max, unsigned required,
    uint64_t *observed);

/*
 * Two arguments that are the ends of a window of at most max milliseconds,
 * *observed in them.  OK if both are absent; MISSING if one is.
 */

guardrail_arg_rc_e guardrail_arg_window(const uint8_t *args, size_t len,
    const uint8_t *from, size_t from_len, const uint8_t *to, size_t to_len,
    uint64_t max, uint64_t *observed);

/*
 * A point of time in milliseconds since 1970: an ISO 8601 date (of UTC), a
 * date-time with "Z" or an offset, or digits, which are seconds, from 1e11 on
 * milliseconds.  Returns 0 if it is none.
 */

unsigned guardrail_arg_time(const uint8_t *p, size_t len, int64_t *ms);


#endif /* GUARDRAIL_ARGS_H */
