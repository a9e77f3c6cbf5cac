
/*
 * Copyright (C) nginx-guardrail authors
 *
 * JSON text sequences: every rule at its limit and one beyond it, every split
 * of each input, against a model that sees the whole body at once.
 */


#include <stdlib.h>

#include "bytes.h"
#include "tap.h"

#include "records/guardrail_json_seq.h"


#define NL      GUARDRAIL_NO_LIMIT
#define RS      "\x1e"

#if defined(__SANITIZE_ADDRESS__)
#define LENGTH  5
#else
#define LENGTH  6
#endif


typedef struct {
    guardrail_rc_e  rc;
    size_t          used;               /* bytes judged; the last refused */
    uint64_t        records;
    uint64_t        largest;
} result_t;


static void test_cases(void);
static void test_exhaustive(void);
static void test_random(void);
static void measure(const uint8_t *p, size_t len, int end, result_t *r,
    int *utf16);
static void model(const guardrail_json_seq_limits_t *l, const uint8_t *p,
    size_t len, result_t *r);
static void run(const guardrail_json_seq_limits_t *l, const uint8_t *p,
    size_t len, size_t cut, size_t each, result_t *r);
static int same(const result_t *a, const result_t *b);
static int check(const uint8_t *p, size_t len,
    const guardrail_json_seq_limits_t *l);


static uint64_t  seed = 20240917;


/* record by record: what is between two RS, less one LF or CRLF at its end */

static void
measure(const uint8_t *p, size_t len, int end, result_t *r, int *utf16)
{
    size_t  from, to, n, i;
    int     text;

    memset(r, 0, sizeof(result_t));
    *utf16 = 0;

    for (from = 0; from <= len; from = to + 1) {

        for (to = from; to < len && p[to] != 0x1e; to++) { /* void */ }

        n = to - from;
        text = 0;

        for (i = from; i < to; i++) {
            text |= (p[i] != ' ' && p[i] != '\t' && p[i] != '\r'
                     && p[i] != '\n');
        }

        if (n && (p[from] == 0
                  || (n > 1 && (p[from + 1] == 0
                                || (p[from] == 0xfe && p[from + 1] == 0xff)
                                || (p[from] == 0xff && p[from + 1] == 0xfe)))))
        {
            *utf16 = 1;
        }

        if (!text) {
            continue;
        }

        r->records++;

        if (p[to - 1] == '\n') {
            n--;
            n -= (n && p[to - 2] == '\r');

        } else if (p[to - 1] == '\r' && to == len && !end) {

            /* a LF may follow */

            n--;
        }

        if (n > r->largest) {
            r->largest = n;
        }
    }
}


/* the first prefix that exceeds */

static void
model(const guardrail_json_seq_limits_t *l, const uint8_t *p, size_t len,
    result_t *r)
{
    int       utf16;
    size_t    n;
    uint64_t  largest;

    largest = 0;
    memset(r, 0, sizeof(result_t));

    for (n = 1; n <= len + 1; n++) {
        measure(p, n > len ? len : n, n > len, r, &utf16);

        if (r->largest < largest) {
            r->largest = largest;
        }

        largest = r->largest;

        r->used = n > len ? len : n;
        r->rc = (r->records > l->max_records) ? GUARDRAIL_MAX_RECORDS
                : (r->largest > l->max_record_size) ? GUARDRAIL_MAX_RECORD_SIZE
                : (utf16 && l->refuse_utf16) ? GUARDRAIL_MALFORMED_JSON
                : GUARDRAIL_OK;

        if (r->rc != GUARDRAIL_OK) {
            return;
        }
    }
}


static void
run(const guardrail_json_seq_limits_t *l, const uint8_t *p, size_t len,
    size_t cut, size_t each, result_t *r)
{
    size_t                 done, n, used;
    uint8_t               *copy;
    guardrail_json_seq_t   s;

    memset(&s, 0xa5, sizeof(guardrail_json_seq_t));
    guardrail_json_seq_init(&s, l);

    r->rc = GUARDRAIL_OK;

    for (done = 0; done < len && r->rc == GUARDRAIL_OK; done += used) {
        n = len - done;

        if (cut && done < cut) {
            n = cut - done < n ? cut - done : n;

        } else if (each && each < n) {
            n = each;
        }

        copy = malloc(n);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy, p + done, n);

        r->rc = guardrail_json_seq_feed(&s, copy, n, &used);

        free(copy);

        if (r->rc == GUARDRAIL_OK && used != n) {
            r->rc = GUARDRAIL_INTERNAL;
        }
    }

    if (r->rc == GUARDRAIL_OK) {
        r->rc = guardrail_json_seq_finish(&s);
    }

    if (guardrail_json_seq_finish(&s) != r->rc) {
        r->rc = GUARDRAIL_INTERNAL;
    }

    r->used = done;
    r->records = s.records;
    r->largest = s.largest;
}


static int
same(const result_t *a, const result_t *b)
{
    return a->rc == b->rc && a->used == b->used && a->records == b->records
           && a->largest == b->largest;
}


static int
check(const uint8_t *p, size_t len, const guardrail_json_seq_limits_t *l)
{
    size_t    cut, i;
    result_t  m, r;

    model(l, p, len, &m);

    for (cut = 0; cut <= len; cut++) {
        run(l, p, len, cut, cut ? 0 : 1, &r);

        if (!same(&m, &r)) {
            printf("# rc %d %d used %zu %zu records %d %d largest %d %d of",
                   m.rc, r.rc, m.used, r.used, (int) m.records,
                   (int) r.records, (int) m.largest, (int) r.largest);

            for (i = 0; i < len; i++) {
                printf(" %02x", p[i]);
            }

            printf("\n");

            return 0;
        }
    }

    return 1;
}


static void
test_cases(void)
{
    size_t                       i;
    result_t                     r;
    guardrail_json_seq_limits_t  l;

    static const struct {
        const char      *name;
        const char      *body;
        uint64_t         max_records;
        uint64_t         max_size;
        guardrail_rc_e   rc;
        size_t           used;
        uint64_t         records;
        uint64_t         largest;
    } cases[] = {
        { "one record", RS "{}\n", 1, 2, GUARDRAIL_OK, 4, 1, 2 },
        { "without LF", RS "{}", 1, 2, GUARDRAIL_OK, 3, 1, 2 },
        { "with CRLF", RS "{}\r\n", 1, 2, GUARDRAIL_OK, 5, 1, 2 },
        { "two records", RS "{}\n" RS "1\n", 2, 2, GUARDRAIL_OK, 7, 2, 2 },
        { "text before the first RS", "1\n" RS "2\n", 2, 1,
          GUARDRAIL_OK, 5, 2, 1 },
        { "white space before it", " \n" RS "2\n", 1, 1,
          GUARDRAIL_OK, 5, 1, 1 },
        { "no RS", "{}\n{}\n", 1, 5, GUARDRAIL_OK, 6, 1, 5 },
        { "RS alone", RS RS RS "\n" RS, 0, 0, GUARDRAIL_OK, 5, 0, 0 },
        { "lines within a record", RS "[\n1\r\n]\n", 1, 6,
          GUARDRAIL_OK, 8, 1, 6 },
        { "an empty line last", RS "1\n\n", 1, 2, GUARDRAIL_OK, 4, 1, 2 },

        { "one too many", RS "1\n" RS "2\n", 1, NL,
          GUARDRAIL_MAX_RECORDS, 5, 2, 1 },
        { "none allowed", RS " \n1", 0, NL, GUARDRAIL_MAX_RECORDS, 4, 1, 3 },
        { "one byte too long", RS "{}\n", NL, 1,
          GUARDRAIL_MAX_RECORD_SIZE, 3, 1, 2 },
        { "an end that is none", RS "1\n2", NL, 2,
          GUARDRAIL_MAX_RECORD_SIZE, 4, 1, 3 },
        { "CR before RS", RS "12\r" RS, NL, 2,
          GUARDRAIL_MAX_RECORD_SIZE, 5, 1, 3 },
        { "CR at the end of all", RS "12\r", NL, 2,
          GUARDRAIL_MAX_RECORD_SIZE, 4, 1, 3 },
        { "UTF-16", RS "\xfe\xff", NL, NL, GUARDRAIL_MALFORMED_JSON, 3, 1, 2 },
        { "UTF-16 in the second", RS "1" RS "\xff\xfe", NL, NL,
          GUARDRAIL_MALFORMED_JSON, 5, 2, 2 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        l.max_records = cases[i].max_records;
        l.max_record_size = cases[i].max_size;
        l.refuse_utf16 = 1;

        run(&l, (const uint8_t *) cases[i].body, strlen(cases[i].body), 0, 0,
            &r);

        if (!tap_ok(r.rc == cases[i].rc && r.used == cases[i].used
                    && r.records == cases[i].records
                    && r.largest == cases[i].largest, "%s", cases[i].name))
        {
            tap_diag("rc %d, used %zu, records %d, largest %d", r.rc, r.used,
                     (int) r.records, (int) r.largest);
        }

        tap_ok(check((const uint8_t *) cases[i].body, strlen(cases[i].body),
                     &l), "%s, at every split", cases[i].name);
    }
}


static void
test_exhaustive(void)
{
    size_t                       i, n, len, all;
    unsigned                     bad, j;
    uint8_t                      p[LENGTH];
    guardrail_json_seq_limits_t  l;

    static const uint8_t  alphabet[] = { 0x1e, 'a', ' ', '\n', '\r', 0, 0xfe,
                                         0xff };

    bad = 0;
    all = 1;

    for (len = 1; len <= LENGTH; len++) {
        all *= 8;

        for (i = 0; i < all && bad < 5; i++) {
            for (j = 0, n = i; j < len; j++, n /= 8) {
                p[j] = alphabet[n % 8];
            }

            l.max_records = (i % 5 == 0) ? NL : i % 3;
            l.max_record_size = (i % 7 < 2) ? NL : i % 4;
            l.refuse_utf16 = (unsigned) (i / 11) % 2;

            bad += !check(p, len, &l);
        }
    }

    tap_ok(bad == 0, "all bodies of up to %d bytes", LENGTH);
}


static void
test_random(void)
{
    size_t                       i, len;
    rng_t                        rng;
    uint8_t                      p[200];
    unsigned                     bad;
    guardrail_json_seq_limits_t  l;

    tap_diag("seed %" PRIu64, seed);

    rng.s = seed;
    bad = 0;

    for (i = 0; i < 1500 && bad < 5; i++) {
        len = 1 + rng_below(&rng, 100);

        memset(p, 'x', len);

        for (size_t j = rng_below(&rng, 12); j; j--) {
            p[rng_below(&rng, len)] = (uint8_t)
                                      "\x1e\n\r \x1e"[rng_below(&rng, 5)];
        }

        l.max_records = rng_below(&rng, 2) ? NL : rng_below(&rng, 5);
        l.max_record_size = rng_below(&rng, 2) ? NL : rng_below(&rng, 60);
        l.refuse_utf16 = 1;

        bad += !check(p, len, &l);
    }

    tap_ok(bad == 0, "random bodies at every split");
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    test_cases();
    test_exhaustive();
    test_random();

    return tap_done();
}
