
/*
 * Copyright (C) nginx-guardrail authors
 */


#include <stdlib.h>

#include "args/guardrail_args.h"
#include "tap.h"


typedef struct {
    const char          *args;
    guardrail_arg_rc_e   rc;
    uint64_t             observed;
} case_t;


typedef struct {
    const char  *text;
    int64_t      ms;                    /* INT64_MIN: no point of time */
} time_case_t;


static guardrail_arg_rc_e number(const char *args, uint64_t max,
    unsigned required, uint64_t *observed);
static guardrail_arg_rc_e window(const char *args, uint64_t max,
    uint64_t *observed);
static void test_numbers(void);
static void test_required(void);
static void test_windows(void);
static void test_times(void);
static void test_days(void);


/* exactly that much memory, so that a sanitizer sees what reads beyond it */

static guardrail_arg_rc_e
number(const char *args, uint64_t max, unsigned required, uint64_t *observed)
{
    size_t               len;
    uint8_t             *p;
    guardrail_arg_rc_e   rc;

    len = strlen(args);
    p = malloc(len ? len : 1);

    if (p == NULL) {
        abort();
    }

    memcpy(p, args, len);

    rc = guardrail_arg_number(p, len, (const uint8_t *) "limit", 5, max,
                              required, observed);
    free(p);

    return rc;
}


static guardrail_arg_rc_e
window(const char *args, uint64_t max, uint64_t *observed)
{
    size_t               len;
    uint8_t             *p;
    guardrail_arg_rc_e   rc;

    len = strlen(args);
    p = malloc(len ? len : 1);

    if (p == NULL) {
        abort();
    }

    memcpy(p, args, len);

    rc = guardrail_arg_window(p, len, (const uint8_t *) "from", 4,
                              (const uint8_t *) "to", 2, max, observed);
    free(p);

    return rc;
}


static void
test_numbers(void)
{
    size_t    i;
    uint64_t  observed;

    static const case_t  cases[] = {
        { "", GUARDRAIL_ARG_OK, 0 },
        { "limit=0", GUARDRAIL_ARG_OK, 0 },
        { "limit=100", GUARDRAIL_ARG_OK, 0 },
        { "limit=101", GUARDRAIL_ARG_LARGE, 101 },
        { "limit=000000000000000000000000000000000000000000000000000000000000"
          "0000000000000000000100", GUARDRAIL_ARG_OK, 0 },
        { "limit=000101", GUARDRAIL_ARG_LARGE, 101 },
        { "limit=18446744073709551616", GUARDRAIL_ARG_LARGE, UINT64_MAX },
        { "limit=18446744073709551716", GUARDRAIL_ARG_LARGE, UINT64_MAX },
        { "limit=99999999999999999999999999999", GUARDRAIL_ARG_LARGE,
          UINT64_MAX },

        /* names */

        { "LIMIT=101", GUARDRAIL_ARG_LARGE, 101 },
        { "Li%4dIt=101", GUARDRAIL_ARG_LARGE, 101 },
        { "%6c%69%6D%69%74=101", GUARDRAIL_ARG_LARGE, 101 },
        { "limits=101", GUARDRAIL_ARG_OK, 0 },
        { "limi=101", GUARDRAIL_ARG_OK, 0 },
        { "xlimit=101", GUARDRAIL_ARG_OK, 0 },
        { "limit%00=101", GUARDRAIL_ARG_OK, 0 },
        { "=101", GUARDRAIL_ARG_OK, 0 },
        { "limit%3d101", GUARDRAIL_ARG_OK, 0 },
        { "%25limit=101", GUARDRAIL_ARG_OK, 0 },

        /* repetitions and separators */

        { "limit=1&limit=101", GUARDRAIL_ARG_LARGE, 101 },
        { "limit=101&limit=1", GUARDRAIL_ARG_LARGE, 101 },
        { "limit=1;limit=101", GUARDRAIL_ARG_LARGE, 101 },
        { "a=b&limit=101&c", GUARDRAIL_ARG_LARGE, 101 },
        { "&&limit=101", GUARDRAIL_ARG_LARGE, 101 },
        { ";;&limit=101&", GUARDRAIL_ARG_LARGE, 101 },
        { "x=limit=101", GUARDRAIL_ARG_OK, 0 },

        /* values */

        { "limit", GUARDRAIL_ARG_EMPTY, 0 },
        { "limit=", GUARDRAIL_ARG_EMPTY, 0 },
        { "limit&limit=1", GUARDRAIL_ARG_EMPTY, 0 },
        { "limit=%31%30%31", GUARDRAIL_ARG_LARGE, 101 },
        { "limit=%31%30", GUARDRAIL_ARG_OK, 0 },
        { "limit=%2531", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=+5", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=%2b5", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=-1", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=1_0", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=%201", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=1%20", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=0x10", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=1e9", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=5.0", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=1=2", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=\xd9\xa1", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=%D9%A1", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=%", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=%3", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=%3g", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "limit=1%00", GUARDRAIL_ARG_UNREADABLE, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_is_u64(number(cases[i].args, 100, 0, &observed), cases[i].rc,
                   "limit of 100: %s", cases[i].args);
        tap_is_u64(observed, cases[i].observed, "observed: %s",
                   cases[i].args);
    }

    tap_is_u64(guardrail_arg_number(NULL, 0, (const uint8_t *) "limit", 5, 1,
                                    0, &observed),
               GUARDRAIL_ARG_OK, "no arguments at all");

    tap_is_u64(number("limit=18446744073709551615", UINT64_MAX, 0, &observed),
               GUARDRAIL_ARG_OK, "the largest limit");
}


static void
test_required(void)
{
    uint64_t  observed;

    tap_is_u64(number("", 1, 1, &observed), GUARDRAIL_ARG_MISSING,
               "required, no arguments");
    tap_is_u64(number("a=1", 1, 1, &observed), GUARDRAIL_ARG_MISSING,
               "required, others");
    tap_is_u64(number("a=1&limit=1", 1, 1, &observed), GUARDRAIL_ARG_OK,
               "required, and there");
}


static void
test_windows(void)
{
    size_t    i;
    uint64_t  observed;

    static const case_t  cases[] = {
        { "", GUARDRAIL_ARG_OK, 0 },
        { "a=b", GUARDRAIL_ARG_OK, 0 },
        { "from=2024-02-28&to=2024-03-01", GUARDRAIL_ARG_OK, 172800000 },
        { "to=2024-03-01&from=2024-02-28", GUARDRAIL_ARG_OK, 172800000 },
        { "from=2023-02-28&to=2023-03-03", GUARDRAIL_ARG_LARGE, 259200000 },
        { "from=2024-02-28&to=2024-03-01T00:00:00.001Z", GUARDRAIL_ARG_LARGE,
          172800001 },
        { "from=1700000000&to=1700172800", GUARDRAIL_ARG_OK, 172800000 },
        { "from=1700000000&to=1700172801", GUARDRAIL_ARG_LARGE, 172801000 },
        { "from=1700000000000&to=1700172800001", GUARDRAIL_ARG_LARGE,
          172800001 },
        { "from=1700000000&to=1700000000", GUARDRAIL_ARG_OK, 0 },
        { "from=1700000001&to=1700000000", GUARDRAIL_ARG_REVERSED, 0 },
        { "from=2024-01-01", GUARDRAIL_ARG_MISSING, 0 },
        { "to=2024-01-01", GUARDRAIL_ARG_MISSING, 0 },
        { "from=&to=2024-01-01", GUARDRAIL_ARG_EMPTY, 0 },
        { "from=2024-01-01&to", GUARDRAIL_ARG_EMPTY, 0 },
        { "from=2024-01-01&to=now", GUARDRAIL_ARG_UNREADABLE, 0 },
        { "from=2024-01-01&to=2024-01-02&to=2034-01-01",
          GUARDRAIL_ARG_REPEATED, 0 },
        { "from=2024-01-01;from=2024-01-01;to=2024-01-02",
          GUARDRAIL_ARG_REPEATED, 0 },
        { "FROM=2024-01-01&T%4f=2024-01-09", GUARDRAIL_ARG_LARGE, 691200000 },
        { "from=2024-01-01&to=2024-01-01T00:00:00.0000000000000000000000000000"
          "000000000000000000000000000000000000000Z", GUARDRAIL_ARG_UNREADABLE,
          0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_is_u64(window(cases[i].args, 172800000, &observed), cases[i].rc,
                   "two days: %s", cases[i].args);
        tap_is_u64(observed, cases[i].observed, "observed: %s",
                   cases[i].args);
    }
}


static void
test_times(void)
{
    int64_t   ms;
    size_t    i;
    unsigned  good;

    static const time_case_t  cases[] = {
        { "0", 0 },
        { "1", 1000 },
        { "99999999999", 99999999999000 },
        { "100000000000", 100000000000 },
        { "9223372036854775807", INT64_MAX },
        { "9223372036854775808", INT64_MIN },
        { "99999999999999999999999999", INT64_MIN },
        { "1970-01-01", 0 },
        { "1969-12-31", -86400000 },
        { "2000-02-29", 951782400000 },
        { "2001-02-29", INT64_MIN },
        { "1900-02-29", INT64_MIN },
        { "0000-01-01", -62167219200000 },
        { "9999-12-31", 253402214400000 },
        { "2024-13-01", INT64_MIN },
        { "2024-00-01", INT64_MIN },
        { "2024-04-31", INT64_MIN },
        { "2024-1-1", INT64_MIN },
        { "20240101T000000Z", INT64_MIN },
        { "2024-01-01T", INT64_MIN },
        { "2024-01-01T00:00", INT64_MIN },
        { "2024-01-01T00:00:00", INT64_MIN },
        { "2024-01-01T00:00Z", 1704067200000 },
        { "2024-01-01T00:00:00Z", 1704067200000 },
        { "2024-01-01t00:00:00z", 1704067200000 },
        { "2024-01-01 00:00:00Z", 1704067200000 },
        { "2024-01-01T01:00:00+01:00", 1704067200000 },
        { "2024-01-01T01:00:00+0100", 1704067200000 },
        { "2024-01-01T01:00:00+01", 1704067200000 },
        { "2023-12-31T18:30:00-05:30", 1704067200000 },
        { "2024-01-01T00:00:00.5Z", 1704067200500 },
        { "2024-01-01T00:00:00,25Z", 1704067200250 },
        { "2024-01-01T00:00:00.123999Z", 1704067200123 },
        { "2024-01-01T00:00:00.Z", INT64_MIN },
        { "2024-01-01T23:59:59Z", 1704153599000 },
        { "2024-01-01T24:00:00Z", INT64_MIN },
        { "2024-01-01T00:60:00Z", INT64_MIN },
        { "2024-01-01T00:00:60Z", INT64_MIN },
        { "2024-01-01T00:00:00+24:00", INT64_MIN },
        { "2024-01-01T00:00:00Zx", INT64_MIN },
        { "2024-01-01T00:00:00+01:0", INT64_MIN },
        { "2024-01-01x", INT64_MIN },
        { "-1", INT64_MIN },
        { "1.5", INT64_MIN },
        { "1700000000Z", INT64_MIN },
        { "yesterday", INT64_MIN }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ms = 0;
        good = guardrail_arg_time((const uint8_t *) cases[i].text,
                                  strlen(cases[i].text), &ms);

        tap_ok(good == (cases[i].ms != INT64_MIN), "a time or none: %s",
               cases[i].text);
        tap_ok(!good || ms == cases[i].ms, "the time: %s", cases[i].text);
    }

    tap_ok(!guardrail_arg_time(NULL, 0, &ms), "no bytes are no time");
}


/* each day of four centuries is the one after the day before */

static void
test_days(void)
{
    int       year, month, day;
    char      text[64];
    int64_t   ms, expected;
    unsigned  wrong;

    expected = -11676096000000;         /* 1600-01-01 */
    wrong = 0;

    for (year = 1600; year <= 2000; year++) {
        for (month = 1; month <= 12; month++) {
            for (day = 1; day <= 31; day++) {

                (void) snprintf(text, sizeof(text), "%04d-%02d-%02d", year,
                                month, day);

                if (!guardrail_arg_time((uint8_t *) text, 10, &ms)) {
                    wrong += (day < 29);
                    continue;
                }

                wrong += (ms != expected);
                expected += 86400000;
            }
        }
    }

    tap_is_u64(wrong, 0, "the days of 400 years follow each other");
    tap_is_u64((uint64_t) expected, 978307200000, "up to the year 2001");
}


int
main(void)
{
    test_numbers();
    test_required();
    test_windows();
    test_times();
    test_days();

    return tap_done();
}
