
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Quotas: each LIMIT as it may be written and each mistake, and the sliding
 * window against a slow model that keeps a list of all charges.
 */


#include "tap.h"

#include "quota_model.h"


#define NL         GUARDRAIL_NO_LIMIT
#define DAY        86400
#define ITEMS(a)   (sizeof(a) / sizeof(a[0]))
#define SHOWN      5                    /* of the failures of a test */

#if defined(__SANITIZE_ADDRESS__)
#define EPISODES   4000
#define EDGES      200000
#define LENGTH     4
#else
#define EPISODES   12000
#define EDGES      1000000
#define LENGTH     5
#endif


typedef struct {
    uint64_t              window;
    uint64_t              amount;
} receipt_t;


static uint64_t rnd(void);
static uint64_t below(uint64_t n);
static uint64_t some_bits(void);

static void test_units(void);
static void test_parse(void);
static void test_mistakes(void);
static void test_all_texts(void);
static void test_same(void);
static void test_names(void);
static void test_threshold(void);

static void test_empty(void);
static void test_admit(void);
static void test_retry(void);
static void test_debt(void);
static void test_give_back(void);
static void test_keep_until(void);
static void test_clock_backwards(void);
static void test_wrap(void);
static void test_largest(void);
static void test_random_edges(void);
static uint64_t other_time(uint64_t now, uint64_t length, unsigned back);
static void test_random(void);
static void test_aligned(unsigned streamed);


static const guardrail_unit_e  units[] = {
    GUARDRAIL_UNIT_REQUESTS, GUARDRAIL_UNIT_RECORDS, GUARDRAIL_UNIT_BYTES,
    GUARDRAIL_UNIT_DECODED, GUARDRAIL_UNIT_UPLOADS,
    GUARDRAIL_UNIT_CONCURRENCY, GUARDRAIL_UNIT_MEMORY
};

static const uint32_t  periods[] = {
    1, 1, 2, 3, 7, 60, 3600, DAY, 30 * DAY, GUARDRAIL_LIMIT_MAX_PERIOD
};

static uint64_t  seed = 20240611;
static uint64_t  state;


static uint64_t
rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return state * 0x2545f4914f6cdd1d;
}


static uint64_t
below(uint64_t n)
{
    return rnd() % n;
}


/* of any magnitude, and often at an end of it */

static uint64_t
some_bits(void)
{
    uint64_t  n;

    n = rnd() >> below(64);

    switch (below(8)) {

    case 0:
        return UINT64_MAX - (n >> below(64));

    case 1:
        return UINT64_MAX >> below(64);

    case 2:
        return (uint64_t) 1 << below(64);

    case 3:
        return below(3);

    default:
        return n;
    }
}


static void
test_units(void)
{
    size_t            i, bad;
    const char       *name;
    guardrail_unit_e  unit;

    static const struct {
        const char  *name;
        unsigned     rate;
        unsigned     size;
    } expected[] = {
        { "requests", 1, 0 },
        { "records", 1, 0 },
        { "bytes", 1, 1 },
        { "decoded", 1, 1 },
        { "uploads", 0, 0 },
        { "concurrency", 0, 0 },
        { "memory", 0, 1 }
    };

    static const char  *none[] = {
        "", "request", "requestss", "Requests", "levels", "bytes ", "off"
    };

    bad = (ITEMS(expected) != GUARDRAIL_UNIT_MAX);

    for (i = 0; i < ITEMS(expected); i++) {
        name = expected[i].name;
        unit = GUARDRAIL_UNIT_MAX;

        bad += (guardrail_unit_parse((const uint8_t *) name, strlen(name),
                                     &unit)
                != GUARDRAIL_LIMIT_OK);
        bad += (unit != units[i]);

        bad += (strcmp(guardrail_unit_info(units[i])->name, name) != 0);
        bad += (guardrail_unit_info(units[i])->rate != expected[i].rate);
        bad += (guardrail_unit_info(units[i])->size != expected[i].size);
    }

    tap_is_u64(bad, 0, "units");

    bad = 0;

    for (i = 0; i < ITEMS(none); i++) {
        unit = GUARDRAIL_UNIT_MAX;

        bad += (guardrail_unit_parse((const uint8_t *) none[i],
                                     strlen(none[i]), &unit)
                != GUARDRAIL_LIMIT_UNIT);
        bad += (unit != GUARDRAIL_UNIT_MAX);
    }

    tap_is_u64(bad, 0, "what is no unit");
}


static void
test_parse(void)
{
    size_t                i;
    guardrail_limit_t     l;
    guardrail_limit_rc_e  rc;

    static const struct {
        guardrail_unit_e  unit;
        const char       *text;
        uint64_t          value;
        uint32_t          period;
    } cases[] = {
        { GUARDRAIL_UNIT_REQUESTS, "600/1m", 600, 60 },
        { GUARDRAIL_UNIT_REQUESTS, "5/s", 5, 1 },
        { GUARDRAIL_UNIT_REQUESTS, "4/1h", 4, 3600 },
        { GUARDRAIL_UNIT_REQUESTS, "4/60m", 4, 3600 },
        { GUARDRAIL_UNIT_REQUESTS, "4/3600s", 4, 3600 },
        { GUARDRAIL_UNIT_REQUESTS, "4/h", 4, 3600 },
        { GUARDRAIL_UNIT_REQUESTS, "4/m", 4, 60 },
        { GUARDRAIL_UNIT_REQUESTS, "4/d", 4, DAY },
        { GUARDRAIL_UNIT_REQUESTS, "4/0007d", 4, 7 * DAY },
        { GUARDRAIL_UNIT_REQUESTS, "007/1m", 7, 60 },
        { GUARDRAIL_UNIT_REQUESTS, "1/3650d", 1, 3650 * DAY },
        { GUARDRAIL_UNIT_REQUESTS, "1/315360000s", 1, 3650 * DAY },
        { GUARDRAIL_UNIT_RECORDS, "10000000/1d", 10000000, DAY },
        { GUARDRAIL_UNIT_RECORDS, "9223372036854775807/1s", INT64_MAX, 1 },
        { GUARDRAIL_UNIT_BYTES, "2g/1h", 2147483648, 3600 },
        { GUARDRAIL_UNIT_BYTES, "2G/1h", 2147483648, 3600 },
        { GUARDRAIL_UNIT_BYTES, "5/s", 5, 1 },
        { GUARDRAIL_UNIT_BYTES, "16k/10s", 16384, 10 },
        { GUARDRAIL_UNIT_BYTES, "16K/10s", 16384, 10 },
        { GUARDRAIL_UNIT_DECODED, "3m/2m", 3145728, 120 },
        { GUARDRAIL_UNIT_DECODED, "3M/2m", 3145728, 120 },
        { GUARDRAIL_UNIT_DECODED, "8589934591g/1d", 8589934591u << 30, DAY },
        { GUARDRAIL_UNIT_UPLOADS, "100", 100, 0 },
        { GUARDRAIL_UNIT_CONCURRENCY, "40", 40, 0 },
        { GUARDRAIL_UNIT_MEMORY, "4g", 4294967296, 0 },
        { GUARDRAIL_UNIT_MEMORY, "4096", 4096, 0 },

        { GUARDRAIL_UNIT_REQUESTS, "off", NL, 0 },
        { GUARDRAIL_UNIT_REQUESTS, "0", NL, 0 },
        { GUARDRAIL_UNIT_REQUESTS, "000", NL, 0 },
        { GUARDRAIL_UNIT_REQUESTS, "0/1h", NL, 3600 },
        { GUARDRAIL_UNIT_REQUESTS, "0/s", NL, 1 },
        { GUARDRAIL_UNIT_BYTES, "off", NL, 0 },
        { GUARDRAIL_UNIT_BYTES, "0k", NL, 0 },
        { GUARDRAIL_UNIT_BYTES, "0g/1d", NL, DAY },
        { GUARDRAIL_UNIT_CONCURRENCY, "0", NL, 0 },
        { GUARDRAIL_UNIT_CONCURRENCY, "off", NL, 0 },
        { GUARDRAIL_UNIT_MEMORY, "0m", NL, 0 },
        { GUARDRAIL_UNIT_MEMORY, "off", NL, 0 }
    };

    for (i = 0; i < ITEMS(cases); i++) {
        memset(&l, 0xee, sizeof(l));

        rc = guardrail_limit_parse(&l, cases[i].unit,
                                   (const uint8_t *) cases[i].text,
                                   strlen(cases[i].text));

        tap_ok(rc == GUARDRAIL_LIMIT_OK && l.unit == cases[i].unit
               && l.value == cases[i].value && l.period == cases[i].period,
               "%s %s", guardrail_unit_info(cases[i].unit)->name,
               cases[i].text);
    }
}


static void
test_mistakes(void)
{
    size_t                i, k, bad;
    guardrail_limit_t     l, before;
    guardrail_limit_rc_e  rc;

    static const struct {
        guardrail_unit_e      unit;
        const char           *text;
        guardrail_limit_rc_e  rc;
    } cases[] = {
        { GUARDRAIL_UNIT_REQUESTS, "", GUARDRAIL_LIMIT_EMPTY },
        { GUARDRAIL_UNIT_MEMORY, "", GUARDRAIL_LIMIT_EMPTY },

        { GUARDRAIL_UNIT_REQUESTS, "x", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "/1h", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "-5/1h", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "+5/1h", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, " 5/1h", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "off/1h", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "OFF", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "of", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_REQUESTS, "offf", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_BYTES, "g/1h", GUARDRAIL_LIMIT_NUMBER },
        { GUARDRAIL_UNIT_CONCURRENCY, "/1h", GUARDRAIL_LIMIT_NUMBER },

        { GUARDRAIL_UNIT_REQUESTS, "6k/1h", GUARDRAIL_LIMIT_WHOLE },
        { GUARDRAIL_UNIT_REQUESTS, "6 /1h", GUARDRAIL_LIMIT_WHOLE },
        { GUARDRAIL_UNIT_RECORDS, "1.5/1h", GUARDRAIL_LIMIT_WHOLE },
        { GUARDRAIL_UNIT_RECORDS, "1e6/1h", GUARDRAIL_LIMIT_WHOLE },
        { GUARDRAIL_UNIT_CONCURRENCY, "4k", GUARDRAIL_LIMIT_WHOLE },
        { GUARDRAIL_UNIT_UPLOADS, "4 ", GUARDRAIL_LIMIT_WHOLE },

        { GUARDRAIL_UNIT_BYTES, "2t/1h", GUARDRAIL_LIMIT_SUFFIX },
        { GUARDRAIL_UNIT_BYTES, "2gb/1h", GUARDRAIL_LIMIT_SUFFIX },
        { GUARDRAIL_UNIT_BYTES, "2kk/1h", GUARDRAIL_LIMIT_SUFFIX },
        { GUARDRAIL_UNIT_BYTES, "2.5g/1h", GUARDRAIL_LIMIT_SUFFIX },
        { GUARDRAIL_UNIT_MEMORY, "4gb", GUARDRAIL_LIMIT_SUFFIX },
        { GUARDRAIL_UNIT_MEMORY, "4b", GUARDRAIL_LIMIT_SUFFIX },

        { GUARDRAIL_UNIT_REQUESTS, "9223372036854775808/1s",
          GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_REQUESTS, "18446744073709551616/1s",
          GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_REQUESTS, "18446744073709551615/1s",
          GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_REQUESTS, "55340232221128654850/1s",
          GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_REQUESTS, "36893488147419103232000000000000000/1s",
          GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_BYTES, "8589934592g/1d", GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_BYTES, "17179869184g/1d", GUARDRAIL_LIMIT_LARGE },
        { GUARDRAIL_UNIT_MEMORY, "18014398509481984k",
          GUARDRAIL_LIMIT_LARGE },

        { GUARDRAIL_UNIT_REQUESTS, "600", GUARDRAIL_LIMIT_NO_PERIOD },
        { GUARDRAIL_UNIT_BYTES, "2g", GUARDRAIL_LIMIT_NO_PERIOD },

        { GUARDRAIL_UNIT_CONCURRENCY, "40/1h", GUARDRAIL_LIMIT_LEVEL },
        { GUARDRAIL_UNIT_CONCURRENCY, "0/1h", GUARDRAIL_LIMIT_LEVEL },
        { GUARDRAIL_UNIT_UPLOADS, "40/", GUARDRAIL_LIMIT_LEVEL },
        { GUARDRAIL_UNIT_MEMORY, "4g/1h", GUARDRAIL_LIMIT_LEVEL },

        { GUARDRAIL_UNIT_REQUESTS, "5/", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/60", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5//1h", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1h ", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/ 1h", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1hh", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1h30m", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1M", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1H", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1w", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1y", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/100ms", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/-1h", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/1.5h", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "0/", GUARDRAIL_LIMIT_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "0/never", GUARDRAIL_LIMIT_PERIOD },

        { GUARDRAIL_UNIT_REQUESTS, "5/0s", GUARDRAIL_LIMIT_ZERO_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/000d", GUARDRAIL_LIMIT_ZERO_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "0/0s", GUARDRAIL_LIMIT_ZERO_PERIOD },

        { GUARDRAIL_UNIT_REQUESTS, "5/3651d", GUARDRAIL_LIMIT_LONG_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/315360001s",
          GUARDRAIL_LIMIT_LONG_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/4294967297s",
          GUARDRAIL_LIMIT_LONG_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/18446744073709551617s",
          GUARDRAIL_LIMIT_LONG_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/55340232221128654850s",
          GUARDRAIL_LIMIT_LONG_PERIOD },
        { GUARDRAIL_UNIT_REQUESTS, "5/5124095576030432h",
          GUARDRAIL_LIMIT_LONG_PERIOD }
    };

    for (i = 0; i < ITEMS(cases); i++) {
        memset(&l, 0xee, sizeof(l));
        memset(&before, 0xee, sizeof(l));

        rc = guardrail_limit_parse(&l, cases[i].unit,
                                   (const uint8_t *) cases[i].text,
                                   strlen(cases[i].text));

        tap_ok(rc == cases[i].rc && memcmp(&l, &before, sizeof(l)) == 0,
               "%s \"%s\" %s", guardrail_unit_info(cases[i].unit)->name,
               cases[i].text, guardrail_limit_error(rc));
    }

    /* what is behind the text is not read, and a NUL is no end */

    tap_ok(guardrail_limit_parse(&l, GUARDRAIL_UNIT_REQUESTS,
                                 (const uint8_t *) "5/1s0", 4)
           == GUARDRAIL_LIMIT_OK && l.value == 5 && l.period == 1,
           "a text has no end of its own");

    tap_ok(guardrail_limit_parse(&l, GUARDRAIL_UNIT_REQUESTS,
                                 (const uint8_t *) "5/1s", 5)
           == GUARDRAIL_LIMIT_PERIOD, "a NUL behind it");

    bad = 0;

    for (i = 0; i <= GUARDRAIL_LIMIT_RC_MAX; i++) {
        for (k = 0; k < i; k++) {
            bad += (strcmp(guardrail_limit_error((guardrail_limit_rc_e) i),
                           guardrail_limit_error((guardrail_limit_rc_e) k))
                    == 0);
        }
    }

    tap_is_u64(bad, 0, "each mistake has a text of its own");
}


/* all short texts of what means something, against the grammar */

static void
test_all_texts(void)
{
    char                          text[LENGTH + 1];
    size_t                        i, k, n, len, all, bad, good;
    uint32_t                      period;
    uint64_t                      value;
    unsigned                      valid;
    guardrail_limit_t             l;
    const guardrail_unit_info_t  *unit;

    static const char  alphabet[] = "059/kMgsmhdofx";

    bad = 0;
    good = 0;

    for (len = 1, all = 1; len <= LENGTH; len++) {
        all *= sizeof(alphabet) - 1;

        for (i = 0; i < all; i++) {
            n = i;

            for (k = 0; k < len; k++) {
                text[k] = alphabet[n % (sizeof(alphabet) - 1)];
                n /= sizeof(alphabet) - 1;
            }

            text[len] = '\0';

            for (k = 0; k < GUARDRAIL_UNIT_MAX; k++) {
                unit = guardrail_unit_info(units[k]);

                valid = (guardrail_limit_parse(&l, units[k],
                                               (uint8_t *) text, len)
                         == GUARDRAIL_LIMIT_OK);

                if (quota_model_parse(text, unit, &value, &period)
                    ? (valid && l.value == (value ? value : NL)
                       && l.period == period && l.unit == units[k])
                    : !valid)
                {
                    good += valid;
                    continue;
                }

                if (++bad <= SHOWN) {
                    tap_diag("%s %s", unit->name, text);
                }
            }
        }
    }

    tap_is_u64(bad, 0, "all texts of up to %d bytes", LENGTH);
    tap_ok(good > 500, "%zu of them are a LIMIT", good);
}


static void
test_same(void)
{
    size_t             i, k, bad;
    guardrail_limit_t  l[4];

    static const char  *same[] = { "4/1h", "9/60m", "0/3600s", "1/h" };

    bad = 0;

    for (i = 0; i < 4; i++) {
        bad += (guardrail_limit_parse(&l[i], GUARDRAIL_UNIT_REQUESTS,
                                      (const uint8_t *) same[i],
                                      strlen(same[i]))
                != GUARDRAIL_LIMIT_OK);

        for (k = 0; k <= i; k++) {
            bad += !guardrail_limit_same(&l[i], &l[k]);
        }
    }

    tap_is_u64(bad, 0, "a period in other words is the same one");

    l[1].period++;
    l[2].unit = GUARDRAIL_UNIT_RECORDS;

    tap_ok(!guardrail_limit_same(&l[0], &l[1])
           && !guardrail_limit_same(&l[0], &l[2]),
           "another period or unit is not");
}


static void
test_names(void)
{
    char    buf[GUARDRAIL_LIMIT_NAME + 1];
    size_t  i, n;

    static const struct {
        guardrail_unit_e  unit;
        uint32_t          period;
        const char       *name;
    } cases[] = {
        { GUARDRAIL_UNIT_REQUESTS, 3600, "requests-3600s" },
        { GUARDRAIL_UNIT_RECORDS, 1, "records-1s" },
        { GUARDRAIL_UNIT_BYTES, 10, "bytes-10s" },
        { GUARDRAIL_UNIT_DECODED, 86400, "decoded-86400s" },
        { GUARDRAIL_UNIT_REQUESTS, UINT32_MAX, "requests-4294967295s" },
        { GUARDRAIL_UNIT_REQUESTS, 0, "requests" },
        { GUARDRAIL_UNIT_UPLOADS, 0, "uploads" },
        { GUARDRAIL_UNIT_CONCURRENCY, 0, "concurrency" },
        { GUARDRAIL_UNIT_CONCURRENCY, UINT32_MAX, "concurrency-4294967295s" },
        { GUARDRAIL_UNIT_MEMORY, 0, "memory" }
    };

    for (i = 0; i < ITEMS(cases); i++) {
        memset(buf, '#', sizeof(buf));

        n = guardrail_limit_name(cases[i].unit, cases[i].period, buf);

        if (n > GUARDRAIL_LIMIT_NAME || buf[n] != '#') {
            tap_ok(0, "the length of %s", cases[i].name);
            continue;
        }

        buf[n] = '\0';

        tap_is_str(buf, cases[i].name, "%s", cases[i].name);
    }
}


static void
test_threshold(void)
{
    size_t             i;
    guardrail_limit_t  l;

    static const struct {
        guardrail_unit_e  unit;
        uint64_t          value;
        uint64_t          threshold;
    } cases[] = {
        { GUARDRAIL_UNIT_REQUESTS, 1, 1 },
        { GUARDRAIL_UNIT_REQUESTS, 19, 1 },
        { GUARDRAIL_UNIT_REQUESTS, 20, 2 },
        { GUARDRAIL_UNIT_REQUESTS, 600, 60 },
        { GUARDRAIL_UNIT_RECORDS, 9, 1 },
        { GUARDRAIL_UNIT_BYTES, 40969, 4096 },
        { GUARDRAIL_UNIT_BYTES, 40970, 4097 },
        { GUARDRAIL_UNIT_DECODED, 1, 4096 },
        { GUARDRAIL_UNIT_DECODED, 1048576, 104857 }
    };

    for (i = 0; i < ITEMS(cases); i++) {
        l.unit = cases[i].unit;
        l.value = cases[i].value;
        l.period = 60;

        tap_is_u64(guardrail_limit_threshold(&l), cases[i].threshold,
                   "what may be evicted of %" PRIu64 " %s", cases[i].value,
                   guardrail_unit_info(cases[i].unit)->name);
    }
}


/* zeros are a window in which nothing happened, at any time */

static void
test_empty(void)
{
    size_t              i, bad;
    uint64_t            now, seconds;
    guardrail_window_t  w;

    bad = 0;

    for (i = 0; i < 1000; i++) {
        now = some_bits();
        memset(&w, 0, sizeof(w));

        if (i % 2) {
            w.id = (uint32_t) rnd();
        }

        bad += (guardrail_window_admit(&w, 60, now, 5, 5)
                != GUARDRAIL_WINDOW_ADMITTED);
        bad += (guardrail_window_admit(&w, 60, now, 5, 6)
                != GUARDRAIL_WINDOW_NEVER);
        bad += (guardrail_window_retry(&w, 60, now, 5, 5, &seconds)
                != GUARDRAIL_WINDOW_ADMITTED || seconds != 0);
        bad += (guardrail_window_used(&w, 60, now) != 0);
        bad += (guardrail_window_remaining(&w, 60, now, 5) != 5);
        bad += (guardrail_window_keep_until(&w, 60, now, 0) != now);
        bad += (guardrail_window_reset(&w, 60, now)
                != (60000 - now % 60000 + 999) / 1000);

        guardrail_window_charge(&w, 60, now, 5);

        bad += (w.id != (uint32_t) (now / 60000) || w.current != 5
                || w.previous != 0);
    }

    tap_is_u64(bad, 0, "nothing was charged");
}


static void
test_admit(void)
{
    size_t              i;
    guardrail_window_t  w;

    static const struct {
        uint64_t               previous;
        uint64_t               current;
        uint64_t               now;      /* periods of 10 s, window 7 */
        uint64_t               limit;
        uint64_t               cost;
        guardrail_window_rc_e  rc;
        uint64_t               used;
        uint64_t               remaining;
    } cases[] = {
        { 0, 4, 70000, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 4, 1 },
        { 0, 5, 70000, 5, 1, GUARDRAIL_WINDOW_REFUSED, 5, 0 },
        { 0, 5, 70000, 5, 0, GUARDRAIL_WINDOW_ADMITTED, 5, 0 },
        { 0, 6, 70000, 5, 0, GUARDRAIL_WINDOW_REFUSED, 6, 0 },
        { 0, 5, 79999, 5, 1, GUARDRAIL_WINDOW_REFUSED, 5, 0 },
        { 0, 0, 70000, 5, 6, GUARDRAIL_WINDOW_NEVER, 0, 5 },
        { 0, 5, 70000, NL, 1, GUARDRAIL_WINDOW_ADMITTED, 5, NL },
        { 0, 5, 70000, NL, NL, GUARDRAIL_WINDOW_ADMITTED, 5, NL },

        /* the previous window, by the part of it that is in sight */

        { 5, 0, 70000, 5, 1, GUARDRAIL_WINDOW_REFUSED, 5, 0 },
        { 5, 0, 71999, 5, 1, GUARDRAIL_WINDOW_REFUSED, 5, 0 },
        { 5, 0, 72000, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 4, 1 },
        { 5, 0, 72001, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 4, 1 },
        { 5, 1, 73999, 5, 1, GUARDRAIL_WINDOW_REFUSED, 5, 0 },
        { 5, 1, 74000, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 4, 1 },
        { 3, 0, 73333, 3, 1, GUARDRAIL_WINDOW_REFUSED, 3, 0 },
        { 3, 0, 73334, 3, 1, GUARDRAIL_WINDOW_ADMITTED, 2, 1 },

        /* the next one, and the one behind it */

        { 9, 5, 80000, 5, 1, GUARDRAIL_WINDOW_REFUSED, 5, 0 },
        { 9, 5, 82000, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 4, 1 },
        { 9, 5, 89999, 5, 4, GUARDRAIL_WINDOW_ADMITTED, 1, 4 },
        { 9, 5, 89999, 5, 5, GUARDRAIL_WINDOW_REFUSED, 1, 4 },
        { 9, 5, 90000, 5, 5, GUARDRAIL_WINDOW_ADMITTED, 0, 5 }
    };

    for (i = 0; i < ITEMS(cases); i++) {
        w.previous = cases[i].previous;
        w.current = cases[i].current;
        w.id = 7;

        tap_ok(guardrail_window_admit(&w, 10, cases[i].now, cases[i].limit,
                                      cases[i].cost)
               == cases[i].rc
               && guardrail_window_used(&w, 10, cases[i].now) == cases[i].used
               && guardrail_window_remaining(&w, 10, cases[i].now,
                                             cases[i].limit)
                  == cases[i].remaining,
               "%" PRIu64 " and %" PRIu64 " at %" PRIu64 ", %" PRIu64
               " of %" PRIu64, cases[i].previous, cases[i].current,
               cases[i].now, cases[i].cost, cases[i].limit);
    }
}


/* by hand */

static void
test_retry(void)
{
    size_t                 i;
    uint64_t               seconds;
    guardrail_window_t     w;
    guardrail_window_rc_e  rc;

    static const struct {
        uint64_t               previous;
        uint64_t               current;
        uint32_t               period;
        uint64_t               elapsed;
        uint64_t               limit;
        uint64_t               cost;
        guardrail_window_rc_e  rc;
        uint64_t               seconds;
    } cases[] = {
        { 0, 4, 3600, 0, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 0 },
        { 0, 5, 3600, 0, 5, 1, GUARDRAIL_WINDOW_REFUSED, 3600 + 720 },
        { 0, 5, 3600, 3599999, 5, 1, GUARDRAIL_WINDOW_REFUSED, 721 },
        { 0, 5, 3600, 3599000, 5, 1, GUARDRAIL_WINDOW_REFUSED, 721 },
        { 0, 5, 3600, 0, 5, 5, GUARDRAIL_WINDOW_REFUSED, 7200 },
        { 0, 5, 3600, 0, 5, 6, GUARDRAIL_WINDOW_NEVER, 0 },
        { 0, 5, 3600, 0, NL, 6, GUARDRAIL_WINDOW_ADMITTED, 0 },
        { 5, 0, 3600, 0, 5, 1, GUARDRAIL_WINDOW_REFUSED, 720 },
        { 5, 0, 3600, 719999, 5, 1, GUARDRAIL_WINDOW_REFUSED, 1 },
        { 5, 0, 3600, 720000, 5, 1, GUARDRAIL_WINDOW_ADMITTED, 0 },
        { 5, 0, 3600, 0, 5, 5, GUARDRAIL_WINDOW_REFUSED, 3600 },
        { 5, 4, 3600, 0, 5, 1, GUARDRAIL_WINDOW_REFUSED, 3600 },
        { 3, 0, 10, 0, 3, 1, GUARDRAIL_WINDOW_REFUSED, 4 },
        { 3, 0, 10, 3333, 3, 1, GUARDRAIL_WINDOW_REFUSED, 1 },
        { 3, 0, 10, 3334, 3, 1, GUARDRAIL_WINDOW_ADMITTED, 0 },
        { 50, 0, 10, 0, 5, 1, GUARDRAIL_WINDOW_REFUSED, 10 },
        { 0, 50, 10, 0, 5, 1, GUARDRAIL_WINDOW_REFUSED, 20 },
        { 0, 50, 10, 0, 5, 5, GUARDRAIL_WINDOW_REFUSED, 20 },
        { 0, 1, 1, 0, 1, 1, GUARDRAIL_WINDOW_REFUSED, 2 },
        { 1, 0, 1, 999, 1, 1, GUARDRAIL_WINDOW_REFUSED, 1 }
    };

    for (i = 0; i < ITEMS(cases); i++) {
        w.previous = cases[i].previous;
        w.current = cases[i].current;
        w.id = 1000;
        seconds = 12345;

        rc = guardrail_window_retry(&w, cases[i].period,
                                    (uint64_t) cases[i].period * 1000000
                                    + cases[i].elapsed,
                                    cases[i].limit, cases[i].cost, &seconds);

        tap_ok(rc == cases[i].rc && seconds == cases[i].seconds,
               "retry after %" PRIu64 ": %" PRIu64 " and %" PRIu64
               " in %us at %" PRIu64 ", %" PRIu64 " of %" PRIu64,
               cases[i].seconds, cases[i].previous, cases[i].current,
               cases[i].period, cases[i].elapsed, cases[i].cost,
               cases[i].limit);
    }
}


static void
test_debt(void)
{
    uint64_t            seconds;
    guardrail_window_t  w;

    memset(&w, 0, sizeof(w));

    guardrail_window_charge(&w, 10, 70000, 100);

    tap_ok(guardrail_window_admit(&w, 10, 79999, 5, 1)
           == GUARDRAIL_WINDOW_REFUSED
           && guardrail_window_remaining(&w, 10, 79999, 5) == 0,
           "more than the limit, until the end of the window");

    tap_ok(guardrail_window_admit(&w, 10, 89599, 5, 1)
           == GUARDRAIL_WINDOW_REFUSED
           && guardrail_window_admit(&w, 10, 89600, 5, 1)
              == GUARDRAIL_WINDOW_ADMITTED,
           "it is a debt in the next one");

    guardrail_window_retry(&w, 10, 70000, 5, 1, &seconds);

    tap_is_u64(seconds, 20, "and known from the start");

    tap_ok(guardrail_window_remaining(&w, 10, 90000, 5) == 5,
           "which is forgiven after that");

    guardrail_window_charge(&w, 10, 89600, 1);

    tap_ok(w.previous == 100 && w.current == 1 && w.id == 8,
           "the debt is not capped");

    guardrail_window_roll(&w, 10, 90000);

    tap_ok(w.previous == 1 && w.current == 0 && w.id == 9,
           "the next window has forgotten it");
}


static void
test_give_back(void)
{
    guardrail_window_t  w;

    memset(&w, 0, sizeof(w));

    guardrail_window_charge(&w, 10, 70000, 5);
    guardrail_window_charge(&w, 10, 80000, 7);

    guardrail_window_give_back(&w, 8, 3);
    tap_ok(w.previous == 5 && w.current == 4, "to the present window");

    guardrail_window_give_back(&w, 7, 3);
    tap_ok(w.previous == 2 && w.current == 4, "to the previous one");

    guardrail_window_give_back(&w, 6, 1);
    guardrail_window_give_back(&w, 9, 1);
    guardrail_window_give_back(&w, 7 + 0x80000000, 1);
    tap_ok(w.previous == 2 && w.current == 4, "to no other");

    guardrail_window_give_back(&w, 7, 0);
    guardrail_window_give_back(&w, 8, 0);
    tap_ok(w.previous == 2 && w.current == 4, "nothing");

    guardrail_window_give_back(&w, 7, 3);
    tap_ok(w.previous == 0 && w.current == 4, "not below 0");

    guardrail_window_give_back(&w, 8, UINT64_MAX);
    tap_ok(w.previous == 0 && w.current == 0, "not below 0, all");

    guardrail_window_charge(&w, 10, 80000, 2);
    guardrail_window_charge(&w, 10, 100000, 6);
    guardrail_window_give_back(&w, 8, 2);
    tap_ok(w.previous == 0 && w.current == 6 && w.id == 10,
           "what is two windows old is gone");

    w.previous = 3;
    w.current = 4;
    w.id = 0;

    guardrail_window_give_back(&w, UINT32_MAX, 1);
    guardrail_window_give_back(&w, 0, 1);
    guardrail_window_give_back(&w, 1, 1);
    tap_ok(w.previous == 2 && w.current == 3, "where the number wraps");
}


static void
test_keep_until(void)
{
    guardrail_window_t  w;

    w.previous = 0;
    w.current = 10;
    w.id = 7;

    tap_is_u64(guardrail_window_keep_until(&w, 10, 71234, 1), 89000,
               "a tenth is left in the next window");
    tap_is_u64(guardrail_window_keep_until(&w, 10, 85678, 1), 89000,
               "it is the same time when that has come");
    tap_is_u64(guardrail_window_keep_until(&w, 10, 89500, 1), 89500,
               "it is now when that is past");
    tap_is_u64(guardrail_window_keep_until(&w, 10, 71234, 10), 71234,
               "it is now if nothing is worth keeping");
    tap_is_u64(guardrail_window_keep_until(&w, 10, 71234, 0), 90000,
               "nothing is left");

    w.previous = 3;
    w.current = 0;

    tap_is_u64(guardrail_window_keep_until(&w, 10, 71234, 1), 76667,
               "a time is rounded up to a millisecond");
}


/* a time before the window is its start */

static void
test_clock_backwards(void)
{
    uint64_t            seconds, ahead;
    guardrail_window_t  w;

    w.previous = 5;
    w.current = 1;
    w.id = 7;

    tap_ok(guardrail_window_used(&w, 10, 69999) == 6
           && guardrail_window_used(&w, 10, 5) == 6
           && guardrail_window_remaining(&w, 10, 5, 7) == 1
           && guardrail_window_admit(&w, 10, 5, 7, 1)
              == GUARDRAIL_WINDOW_ADMITTED
           && guardrail_window_admit(&w, 10, 5, 6, 1)
              == GUARDRAIL_WINDOW_REFUSED,
           "a clock that is behind: the estimate at the start");

    tap_is_u64(guardrail_window_reset(&w, 10, 69999), 10,
               "a whole window is left");

    guardrail_window_retry(&w, 10, 69999, 5, 1, &seconds);
    tap_is_u64(seconds, 5, "Retry-After has the way to the start in it");

    guardrail_window_retry(&w, 10, 65000, 5, 1, &seconds);
    tap_is_u64(seconds, 9, "and a longer one");

    tap_is_u64(guardrail_window_keep_until(&w, 10, 65000, 1), 80000,
               "and so has the time to keep it");

    guardrail_window_charge(&w, 10, 5, 2);
    tap_ok(w.previous == 5 && w.current == 3 && w.id == 7,
           "charges go to the window that is stored");

    guardrail_window_roll(&w, 10, 5);
    tap_ok(w.previous == 5 && w.current == 3 && w.id == 7,
           "which does not go back");

    guardrail_window_give_back(&w, 7, 3);
    guardrail_window_give_back(&w, 6, 5);
    guardrail_window_charge(&w, 10, 5, 2);
    tap_ok(w.previous == 0 && w.current == 2 && w.id == 0,
           "if nothing is in it, there is nothing that holds the clock");

    /* the farthest, with the longest windows: UINT64_MAX or so */

    w.previous = 0;
    w.current = 1;
    w.id = 0x80000000;

    ahead = guardrail_window_keep_until(&w, GUARDRAIL_LIMIT_MAX_PERIOD, 0, 0);
    tap_is_u64(ahead, UINT64_MAX, "as far ahead as can be");

    guardrail_window_retry(&w, GUARDRAIL_LIMIT_MAX_PERIOD, 0, 1, 1, &seconds);
    tap_is_u64(seconds, UINT64_MAX / 1000 + 1, "Retry-After has no end");
}


static void
test_wrap(void)
{
    uint64_t            now;
    guardrail_window_t  w;

    memset(&w, 0, sizeof(w));

    now = ((uint64_t) UINT32_MAX + 1) * 1000;

    guardrail_window_charge(&w, 1, now - 1, 8);
    tap_ok(w.id == UINT32_MAX && w.current == 8, "the last window number");

    tap_is_u64(guardrail_window_used(&w, 1, now + 500), 4,
               "the first one comes after the last");

    guardrail_window_charge(&w, 1, now + 500, 1);
    tap_ok(w.id == 0 && w.previous == 8 && w.current == 1, "and is charged");

    tap_ok(guardrail_window_used(&w, 1, now - 1) == 9, "but not before it");

    /* half of the numbers are ahead, the others behind */

    now += (uint64_t) INT32_MAX * 1000;

    tap_is_u64(guardrail_window_used(&w, 1, now), 0,
               "2^31 - 1 windows later all is forgotten");
    tap_is_u64(guardrail_window_used(&w, 1, now + 1000), 9,
               "2^31 windows are before");
}


static void
test_largest(void)
{
    uint64_t            seconds;
    guardrail_window_t  w;

    memset(&w, 0, sizeof(w));

    guardrail_window_charge(&w, 10, 70000, UINT64_MAX - 1);
    guardrail_window_charge(&w, 10, 70000, 1);
    guardrail_window_charge(&w, 10, 70000, 1);
    tap_is_u64(w.current, UINT64_MAX, "a counter that is full");

    guardrail_window_charge(&w, 10, 80000, UINT64_MAX);

    tap_is_u64(guardrail_window_used(&w, 10, 80000), UINT64_MAX,
               "twice the most is the most");
    tap_is_u64(guardrail_window_remaining(&w, 10, 80000, UINT64_MAX - 1), 0,
               "and nothing remains");

    tap_ok(guardrail_window_retry(&w, 10, 80000, 1, 1, &seconds)
           == GUARDRAIL_WINDOW_REFUSED && seconds == 20,
           "it ends after two windows");
    tap_ok(guardrail_window_retry(&w, 10, 80000, UINT64_MAX - 1, 0, &seconds)
           == GUARDRAIL_WINDOW_REFUSED && seconds == 11,
           "or little more than one");

    tap_is_u64(guardrail_window_keep_until(&w, 10, 80000, UINT64_MAX), 90000,
               "a threshold that all but fits");

    memset(&w, 0, sizeof(w));

    guardrail_window_charge(&w, 10, UINT64_MAX, 7);

    tap_ok(w.id == (uint32_t) (UINT64_MAX / 10000) && w.current == 7
           && guardrail_window_used(&w, 10, UINT64_MAX) == 7,
           "the end of time");
    tap_is_u64(guardrail_window_keep_until(&w, 10, UINT64_MAX, 0), UINT64_MAX,
               "what would be after it");
    tap_is_u64(guardrail_window_reset(&w, 10, UINT64_MAX),
               (10000 - UINT64_MAX % 10000 + 999) / 1000,
               "the end of a window after it");

    memset(&w, 0, sizeof(w));

    guardrail_window_charge(&w, 0, 70000, 7);
    tap_ok(w.current == 7 && guardrail_window_reset(&w, 0, 70000) == 1,
           "no period is one second, not a fault");
}


/* any counters, limits and times, against the definition */

static void
test_random_edges(void)
{
    size_t              i, bad;
    uint32_t            period;
    uint64_t            length, elapsed, limit, cost, now, used, until;
    unsigned            fits;
    quota_u128_t        estimate;
    guardrail_window_t  w;

    bad = 0;

    for (i = 0; i < EDGES; i++) {
        period = periods[below(ITEMS(periods))];
        length = (uint64_t) period * 1000;
        now = some_bits();
        elapsed = now % length;

        w.previous = some_bits();
        w.current = some_bits();
        w.id = (uint32_t) (now / length);

        limit = some_bits();
        cost = some_bits();

        estimate = (quota_u128_t) w.previous * (length - elapsed)
                   + (quota_u128_t) w.current * length;

        /* ties and their neighbours */

        if (below(3) == 0) {
            used = (uint64_t) (estimate / length);
            limit = used + below(4) - 2 + (cost >>= below(64));
        }

        if (limit == NL) {
            continue;
        }

        fits = (estimate + (quota_u128_t) cost * length
                <= (quota_u128_t) limit * length);

        if ((guardrail_window_admit(&w, period, now, limit, cost)
             == GUARDRAIL_WINDOW_ADMITTED) != fits)
        {
            bad++;
            tap_diag("%" PRIu64 " %" PRIu64 " limit %" PRIu64 " cost %" PRIu64,
                     w.previous, w.current, limit, cost);
        }

        estimate = (estimate + length - 1) / length;
        used = estimate > UINT64_MAX ? UINT64_MAX : (uint64_t) estimate;

        bad += (guardrail_window_used(&w, period, now) != used);
        bad += (guardrail_window_remaining(&w, period, now, limit)
                != (limit > used ? limit - used : 0));

        /* the first time, by what is at it and one millisecond before it */

        until = guardrail_window_keep_until(&w, period, now, limit);

        if (until == UINT64_MAX) {
            continue;
        }

        bad += (until < now);
        bad += (guardrail_window_used(&w, period, until) > limit);
        bad += (until > now
                && guardrail_window_used(&w, period, until - 1) <= limit
                && guardrail_window_admit(&w, period, until - 1, limit, 0)
                   == GUARDRAIL_WINDOW_ADMITTED);
    }

    tap_is_u64(bad, 0, "any numbers of 64 bits");
}


static uint64_t
other_time(uint64_t now, uint64_t length, unsigned back)
{
    uint64_t  t;

    switch (below(back ? 12 : 10)) {

    case 0:
        return now;

    case 1:
        return now + 1;

    case 2:
        return now + below(length * 2);

    case 3:
        return now + below(length * 5);

    case 4:
        return now + length - now % length;

    case 5:
        return now + length - now % length - 1;

    case 6:
        return now + 2 * length - now % length - 1;

    case 10:
        t = below(20);
        return now > t ? now - t : 0;

    case 11:
        t = below(length * 5);
        return now > t ? now - t : 0;

    default:
        return now + below(length / 4);
    }
}


/* requests of all kinds, at times of all kinds */

static void
test_random(void)
{
    size_t              i, k, n, bad, admitted, refused, returned;
    uint32_t            period;
    uint64_t            now, limit, cost, window;
    receipt_t           receipts[8], *r;
    const char         *wrong;
    quota_model_t       m;
    guardrail_window_t  w;

    bad = 0;
    admitted = 0;
    refused = 0;
    returned = 0;

    for (i = 0; i < EPISODES && bad < SHOWN; i++) {
        period = periods[below(ITEMS(periods))];

        quota_model_init(&m, period);
        memset(&w, 0, sizeof(w));
        memset(receipts, 0, sizeof(receipts));

        now = below(4) ? rnd() >> 20 >> below(30) : 1700000000000 + rnd() % DAY;

        /* where the number of the window wraps */

        if (m.length < UINT32_MAX && below(4) == 0) {
            now = ((uint64_t) UINT32_MAX + 1) * m.length - below(m.length * 3);
        }

        limit = below(4) ? 1 + below(30) : 1 + (rnd() >> 1 >> below(62));
        n = 0;

        for (k = 0; k < 60; k++) {
            now = other_time(now, m.length, i % 2);

            cost = below(8) ? below(limit / (1 + below(10)) + 1) : below(limit)
                                                                 + below(50);

            wrong = quota_model_differ(&m, &w, period, now, limit,
                                       cost);

            if (wrong) {
                bad++;
                tap_diag("episode %zu, step %zu: %s: %" PRIu64 " and %" PRIu64
                         " in window %" PRIu32 " of %us at %" PRIu64
                         ", limit %" PRIu64 " cost %" PRIu64, i, k, wrong,
                         w.previous, w.current, w.id, period, now, limit,
                         cost);
                break;
            }

            r = &receipts[n++ % ITEMS(receipts)];

            switch (below(6)) {

            case 0:

                /* some of it is not given back, some twice */

                r = &receipts[below(ITEMS(receipts))];
                r->amount >>= below(3);

                guardrail_window_give_back(&w, (uint32_t) r->window,
                                           r->amount);

                if (r->window == m.newest || r->window + 1 == m.newest) {
                    quota_model_give_back(&m, r->window, r->amount);
                    returned++;
                }

                break;

            case 1:
                guardrail_window_roll(&w, period, now);
                quota_model_roll(&m, now);
                break;

            case 2:

                /* the piece that exceeds is charged too */

                guardrail_window_charge(&w, period, now, cost);
                window = quota_model_charge(&m, now, cost);

                r->window = window;
                r->amount = cost;
                break;

            default:

                if (guardrail_window_admit(&w, period, now, limit, cost)
                    != GUARDRAIL_WINDOW_ADMITTED)
                {
                    refused++;
                    break;
                }

                guardrail_window_charge(&w, period, now, cost);
                window = quota_model_charge(&m, now, cost);

                r->window = window;
                r->amount = cost;
                admitted++;
            }

            if (w.current != quota_model_sum(&m, m.newest)
                || (w.id != (uint32_t) m.newest && !quota_model_empty(&m)))
            {
                bad++;
                tap_diag("episode %zu, step %zu: the counters", i, k);
                break;
            }
        }
    }

    tap_is_u64(bad, 0, "random requests, as the model has it");
    tap_ok(admitted > EPISODES && refused > EPISODES && returned > EPISODES / 4,
           "%zu admitted, %zu refused, %zu given back", admitted, refused,
           returned);
}


/*
 * Of requests that are admitted, an aligned window never holds more than the
 * limit; of a body that is charged piece by piece, the one that exceeds too,
 * never more than the limit and one piece, if the client then stays away for
 * as long as it was told.
 */

static void
test_aligned(unsigned streamed)
{
    size_t                 i, k, bad, full, refused;
    uint32_t               period;
    uint64_t               length, now, limit, most, cost, window, sum;
    uint64_t               seconds;
    guardrail_window_t     w;
    guardrail_window_rc_e  rc;

    bad = 0;
    full = 0;
    refused = 0;

    for (i = 0; i < EPISODES; i++) {
        period = periods[below(ITEMS(periods))];
        length = (uint64_t) period * 1000;
        now = rnd() >> 16;
        limit = 1 + (rnd() >> 1 >> below(62));
        most = 1 + below(limit);

        memset(&w, 0, sizeof(w));
        window = now / length;
        sum = 0;

        for (k = 0; k < 300; k++) {
            now += below(4) ? below(1 + length / 50) : below(length);

            cost = 1 + below(most);

            if (now / length != window) {
                window = now / length;
                sum = 0;
            }

            rc = guardrail_window_retry(&w, period, now, limit, cost,
                                        &seconds);

            if (rc == GUARDRAIL_WINDOW_ADMITTED || streamed) {
                guardrail_window_charge(&w, period, now, cost);
                sum += cost;
            }

            bad += (sum > limit + (streamed ? most : 0));
            full += (sum >= limit - limit / 10);

            if (rc != GUARDRAIL_WINDOW_ADMITTED && streamed) {
                refused++;

                guardrail_window_retry(&w, period, now, limit, cost,
                                       &seconds);
                now += seconds * 1000;
            }
        }
    }

    tap_is_u64(bad, 0, "%s of an aligned window",
               streamed ? "pieces" : "requests");
    tap_ok(full > EPISODES && (refused > EPISODES || !streamed),
           "which were full");
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    state = seed ? seed : 1;
    tap_diag("seed %" PRIu64, seed);

    test_units();
    test_parse();
    test_mistakes();
    test_all_texts();
    test_same();
    test_names();
    test_threshold();

    test_empty();
    test_admit();
    test_retry();
    test_debt();
    test_give_back();
    test_keep_until();
    test_clock_backwards();
    test_wrap();
    test_largest();
    test_random_edges();
    test_random();
    test_aligned(0);
    test_aligned(1);

    return tap_done();
}
