
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The Test Anything Protocol, for the unit tests of the core.
 *
 *     int
 *     main(void)
 *     {
 *         tap_ok(2 + 2 == 4, "sums");
 *         tap_is_u64(f(7), 49, "f(%d)", 7);
 *
 *         return tap_done();
 *     }
 *
 * tap_plan(n) before the first test is optional: without it the plan is
 * printed last.  tap_done() is 0 when all tests passed and, where planned,
 * n of them were run, else 1.
 */


#ifndef GUARDRAIL_TAP_H
#define GUARDRAIL_TAP_H


#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>


#define TAP_FORMAT(f, a)  __attribute__((format(printf, f, a), unused))


static unsigned  tap_planned;
static unsigned  tap_run;
static unsigned  tap_failed;


static inline void
tap_plan(unsigned n)
{
    tap_planned = n;
    printf("1..%u\n", n);
}


static inline void
tap_vresult(int pass, const char *fmt, va_list args)
{
    tap_run++;

    if (!pass) {
        tap_failed++;
    }

    printf("%s %u - ", pass ? "ok" : "not ok", tap_run);
    vprintf(fmt, args);
    printf("\n");
    fflush(stdout);
}


/* a line that is no test */

static inline void TAP_FORMAT(1, 2)
tap_diag(const char *fmt, ...)
{
    va_list  args;

    printf("# ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}


static inline int TAP_FORMAT(2, 3)
tap_ok(int pass, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_vresult(pass, fmt, args);
    va_end(args);

    return pass;
}


static inline int TAP_FORMAT(3, 4)
tap_is_u64(uint64_t got, uint64_t expected, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_vresult(got == expected, fmt, args);
    va_end(args);

    if (got != expected) {
        tap_diag("got %" PRIu64 ", expected %" PRIu64, got, expected);
    }

    return got == expected;
}


static inline int TAP_FORMAT(3, 4)
tap_is_str(const char *got, const char *expected, const char *fmt, ...)
{
    int      pass;
    va_list  args;

    if (got == NULL || expected == NULL) {
        pass = (got == expected);

    } else {
        pass = (strcmp(got, expected) == 0);
    }

    va_start(args, fmt);
    tap_vresult(pass, fmt, args);
    va_end(args);

    if (!pass) {
        tap_diag("got \"%s\", expected \"%s\"", got ? got : "(null)",
                 expected ? expected : "(null)");
    }

    return pass;
}


static inline int TAP_FORMAT(4, 5)
tap_is_mem(const void *got, const void *expected, size_t len, const char *fmt,
    ...)
{
    int      pass;
    size_t   i;
    va_list  args;

    pass = (len == 0 || memcmp(got, expected, len) == 0);

    va_start(args, fmt);
    tap_vresult(pass, fmt, args);
    va_end(args);

    for (i = 0; !pass && i < len; i++) {
        if (((const uint8_t *) got)[i] != ((const uint8_t *) expected)[i]) {
            tap_diag("byte %zu: got %02x, expected %02x", i,
                     (unsigned) ((const uint8_t *) got)[i],
                     (unsigned) ((const uint8_t *) expected)[i]);
            break;
        }
    }

    return pass;
}


static inline void TAP_FORMAT(1, 2)
tap_skip(const char *fmt, ...)
{
    va_list  args;

    tap_run++;
    printf("ok %u # SKIP ", tap_run);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
    fflush(stdout);
}


static inline int
tap_done(void)
{
    if (tap_planned == 0) {
        printf("1..%u\n", tap_run);

    } else if (tap_planned != tap_run) {
        tap_diag("planned %u tests but ran %u", tap_planned, tap_run);
        return 1;
    }

    if (tap_failed) {
        tap_diag("%u of %u tests failed", tap_failed, tap_run);
        return 1;
    }

    return 0;
}


#endif /* GUARDRAIL_TAP_H */
