
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows: every rule, every split of each input, and every implementation
 * against a model that reads the whole body field by field.
 */


#include <stdlib.h>

#include "bytes.h"
#include "tap.h"

#include "records/guardrail_csv.h"


#define MAX_OPS  4
#define NL       GUARDRAIL_NO_LIMIT

#if defined(__SANITIZE_ADDRESS__)
#define LENGTH   4
#define BODIES   1500
#else
#define LENGTH   6
#define BODIES   20000
#endif


typedef struct {
    guardrail_rc_e  rc;
    size_t          used;               /* bytes judged; the last refused */
    uint64_t        records;
    uint64_t        lines;
    uint64_t        largest;
} result_t;


static void test_cases(void);
static void test_exhaustive(void);
static void test_random(void);
static void test_api(void);
static void measure(const uint8_t *p, size_t len, int end, result_t *r);
static void model(const guardrail_csv_limits_t *l, const uint8_t *p,
    size_t len, result_t *r);
static void run(const guardrail_csv_ops_t *ops,
    const guardrail_csv_limits_t *l, const uint8_t *p, size_t len, size_t cut,
    size_t each, result_t *r);
static int same(const result_t *a, const result_t *b);
static int check(const uint8_t *p, size_t len,
    const guardrail_csv_limits_t *l, unsigned splits);
static void show(const uint8_t *p, size_t len, const char *name,
    const result_t *m, const result_t *r);
static size_t random_body(rng_t *rng, uint8_t *p, size_t most);


static uint64_t                    seed = 20240903;
static const guardrail_csv_ops_t  *ops_list[MAX_OPS];
static unsigned                    nops;

static const guardrail_csv_limits_t  none = { NL, NL, NL };


/*
 * What a prefix holds, read field by field from its start.  The end of a row
 * is a LF, a CR, or a CR with the LF behind it.
 */

static void
measure(const uint8_t *p, size_t len, int end, result_t *r)
{
    size_t  i, from, j;
    int     text;

    memset(r, 0, sizeof(result_t));

    /* lines: a CR, and a LF with no CR before it */

    for (i = 0; i < len; i++) {
        r->lines += (p[i] == '\r'
                     || (p[i] == '\n' && (i == 0 || p[i - 1] != '\r')));
    }

    if (end && len && p[len - 1] != '\n' && p[len - 1] != '\r') {
        r->lines++;
    }

    i = 0;

    while (i < len) {
        from = i;

        for ( ;; ) {

            /* a field */

            if (i < len && p[i] == '"') {
                i++;

                while (i < len) {
                    if (p[i] != '"') {
                        i++;
                        continue;
                    }

                    if (i + 1 < len && p[i + 1] == '"') {
                        i += 2;
                        continue;
                    }

                    i++;
                    break;
                }
            }

            while (i < len && p[i] != ',' && p[i] != '\n' && p[i] != '\r') {
                i++;
            }

            if (i == len || p[i] != ',') {
                break;
            }

            i++;
        }

        if (i - from > r->largest) {
            r->largest = i - from;
        }

        text = 0;

        for (j = from; j < i; j++) {
            text |= (memchr(" \t\r\n", p[j], 4) == NULL);
        }

        if (text || i < len || end) {
            r->records++;
        }

        if (i < len) {
            i += (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n') ? 2 : 1;
        }
    }
}


/* the first prefix that exceeds */

static void
model(const guardrail_csv_limits_t *l, const uint8_t *p, size_t len,
    result_t *r)
{
    size_t  n;

    for (n = 1; n <= len + 1; n++) {
        measure(p, n > len ? len : n, n > len, r);

        r->used = n > len ? len : n;
        r->rc = GUARDRAIL_OK;

        if (r->records > l->max_records || r->lines > l->max_lines) {
            r->rc = GUARDRAIL_MAX_RECORDS;

        } else if (r->largest > l->max_record_size) {
            r->rc = GUARDRAIL_MAX_RECORD_SIZE;
        }

        if (r->rc != GUARDRAIL_OK) {
            return;
        }
    }
}


/* cut once (0: not), then into pieces of each bytes (0: one) */

static void
run(const guardrail_csv_ops_t *ops, const guardrail_csv_limits_t *l,
    const uint8_t *p, size_t len, size_t cut, size_t each, result_t *r)
{
    size_t           done, n, used;
    uint8_t         *copy;
    guardrail_csv_t  s;

    memset(&s, 0xa5, sizeof(guardrail_csv_t));
    guardrail_csv_init(&s, ops, l);

    r->rc = GUARDRAIL_OK;

    for (done = 0; done < len && r->rc == GUARDRAIL_OK; done += used) {
        n = len - done;

        if (cut && done < cut) {
            n = cut - done < n ? cut - done : n;

        } else if (each && each < n) {
            n = each;
        }

        /* memory of its own, so that a byte too many is seen */

        copy = malloc(n);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy, p + done, n);

        r->rc = guardrail_csv_feed(&s, copy, n, &used);

        free(copy);

        if (r->rc == GUARDRAIL_OK && used != n) {
            r->rc = GUARDRAIL_INTERNAL;
        }
    }

    if (r->rc == GUARDRAIL_OK) {
        r->rc = guardrail_csv_finish(&s);
    }

    if (guardrail_csv_finish(&s) != r->rc) {
        r->rc = GUARDRAIL_INTERNAL;
    }

    r->used = done;
    r->records = s.records;
    r->lines = s.lines;
    r->largest = s.largest;
}


static int
same(const result_t *a, const result_t *b)
{
    return a->rc == b->rc && a->used == b->used && a->records == b->records
           && a->lines == b->lines && a->largest == b->largest;
}


static void
show(const uint8_t *p, size_t len, const char *name, const result_t *m,
    const result_t *r)
{
    size_t  i;

    printf("# %s: rc %d %d used %zu %zu records %d %d lines %d %d largest"
           " %d %d of ", name, m->rc, r->rc, m->used, r->used,
           (int) m->records, (int) r->records, (int) m->lines, (int) r->lines,
           (int) m->largest, (int) r->largest);

    for (i = 0; i < len; i++) {
        if (p[i] == '\n') {
            printf("\\n");
        } else if (p[i] == '\r') {
            printf("\\r");
        } else {
            putchar(p[i]);
        }
    }

    printf("\n");
}


/* every implementation, whole and cut; with splits at every byte */

static int
check(const uint8_t *p, size_t len, const guardrail_csv_limits_t *l,
    unsigned splits)
{
    int       good;
    size_t    cut;
    unsigned  i;
    result_t  m, r;

    good = 1;

    model(l, p, len, &m);

    for (i = 0; i < nops && good; i++) {

        for (cut = 0; cut <= (splits ? len : 0) && good; cut++) {
            run(ops_list[i], l, p, len, cut, 0, &r);
            good = same(&m, &r);
        }

        if (good) {
            run(ops_list[i], l, p, len, 0, 1, &r);
            good = same(&m, &r);
        }

        if (!good) {
            show(p, len, guardrail_csv_name(ops_list[i]), &m, &r);
        }
    }

    return good;
}


static void
test_cases(void)
{
    size_t                  i;
    result_t                m;
    guardrail_csv_limits_t  l;

    static const struct {
        const char      *body;
        uint64_t         max_records;
        uint64_t         max_lines;
        uint64_t         max_size;
        guardrail_rc_e   rc;
        size_t           used;
        uint64_t         records;
        uint64_t         lines;
        uint64_t         largest;
    } cases[] = {
        { "", 0, 0, 0, GUARDRAIL_OK, 0, 0, 0, 0 },
        { "a,b\n", 1, 1, 3, GUARDRAIL_OK, 4, 1, 1, 3 },
        { "a,b", 1, 1, 3, GUARDRAIL_OK, 3, 1, 1, 3 },
        { "a,b\r\n", 1, 1, 3, GUARDRAIL_OK, 5, 1, 1, 3 },
        { "a,b\r", 1, 1, 3, GUARDRAIL_OK, 4, 1, 1, 3 },
        { "a\rb\rc", 3, 3, 1, GUARDRAIL_OK, 5, 3, 3, 1 },
        { "a\n\r\nb", 3, 3, 1, GUARDRAIL_OK, 5, 3, 3, 1 },
        { "\n", 1, 1, 0, GUARDRAIL_OK, 1, 1, 1, 0 },
        { "\r\n", 1, 1, 0, GUARDRAIL_OK, 2, 1, 1, 0 },
        { "\n\r", 2, 2, 0, GUARDRAIL_OK, 2, 2, 2, 0 },
        { "   ", 1, 1, 3, GUARDRAIL_OK, 3, 1, 1, 3 },
        { "\"a\nb\"\n", 1, 2, 5, GUARDRAIL_OK, 6, 1, 2, 5 },
        { "\"a\r\nb\"\n", 1, 2, 6, GUARDRAIL_OK, 7, 1, 2, 6 },
        { "\"a\"\"\nb\"\n", 1, 2, 7, GUARDRAIL_OK, 8, 1, 2, 7 },
        { "x\"a\nb\"\n", 2, 2, 3, GUARDRAIL_OK, 7, 2, 2, 3 },
        { " \"a\nb\"\n", 2, 2, 3, GUARDRAIL_OK, 7, 2, 2, 3 },
        { "a,\"b\n", 1, 1, 5, GUARDRAIL_OK, 5, 1, 1, 5 },
        { "\"a\"b\"\nc", 2, 2, 5, GUARDRAIL_OK, 7, 2, 2, 5 },
        { "\"\"\n\"\n\"", 2, 3, 3, GUARDRAIL_OK, 6, 2, 3, 3 },
        { ",\"\n\",\n", 1, 2, 5, GUARDRAIL_OK, 6, 1, 2, 5 },

        { "a\nb\n", 1, NL, NL, GUARDRAIL_MAX_RECORDS, 3, 2, 1, 1 },
        { "a\n  \n", 1, NL, NL, GUARDRAIL_MAX_RECORDS, 5, 2, 2, 2 },
        { "a\n  ", 1, NL, NL, GUARDRAIL_MAX_RECORDS, 4, 2, 2, 2 },
        { "a\n  b", 1, NL, NL, GUARDRAIL_MAX_RECORDS, 5, 2, 1, 3 },
        { "\n\n", 1, NL, NL, GUARDRAIL_MAX_RECORDS, 2, 2, 2, 0 },
        { "\"\n\n\n\"", 1, 2, NL, GUARDRAIL_MAX_RECORDS, 4, 1, 3, 4 },
        { "\"\r\n\r\"", 1, 2, NL, GUARDRAIL_MAX_RECORDS, 5, 1, 3, 5 },
        { "abcd\n", NL, NL, 3, GUARDRAIL_MAX_RECORD_SIZE, 4, 1, 0, 4 },
        { "abc\n", NL, NL, 3, GUARDRAIL_OK, 4, 1, 1, 3 },
        { "\"a\n\n", NL, NL, 3, GUARDRAIL_MAX_RECORD_SIZE, 4, 1, 2, 4 },
        { "    ", NL, NL, 3, GUARDRAIL_MAX_RECORD_SIZE, 4, 0, 0, 4 },
        { "a\nbc", 1, NL, 1, GUARDRAIL_MAX_RECORDS, 3, 2, 1, 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        l.max_records = cases[i].max_records;
        l.max_lines = cases[i].max_lines;
        l.max_record_size = cases[i].max_size;

        model(&l, (const uint8_t *) cases[i].body, strlen(cases[i].body), &m);

        if (cases[i].body[0] == '\0') {
            memset(&m, 0, sizeof(result_t));
        }

        tap_ok(m.rc == cases[i].rc && m.used == cases[i].used
               && m.records == cases[i].records && m.lines == cases[i].lines
               && m.largest == cases[i].largest, "case %zu: the model", i);

        if (cases[i].body[0]) {
            tap_ok(check((const uint8_t *) cases[i].body,
                         strlen(cases[i].body), &l, 1),
                   "case %zu: at every split", i);
        }
    }
}


/* all strings of what matters */

static void
test_exhaustive(void)
{
    size_t                  i, n, len, all;
    unsigned                bad, j;
    uint8_t                 p[LENGTH];
    guardrail_csv_limits_t  l;

    static const char  alphabet[] = "a,\"\n\r ";

    bad = 0;
    all = 1;

    for (len = 1; len <= LENGTH; len++) {
        all *= 6;

        for (i = 0; i < all && bad < 5; i++) {
            for (j = 0, n = i; j < len; j++, n /= 6) {
                p[j] = (uint8_t) alphabet[n % 6];
            }

            bad += !check(p, len, &none, 1);

            l.max_records = i % 3;
            l.max_lines = (i / 3) % 4;
            l.max_record_size = (i / 12) % 5;

            bad += !check(p, len, &l, 0);
        }
    }

    tap_ok(bad == 0, "all bodies of up to %d bytes", LENGTH);
}


static size_t
random_body(rng_t *rng, uint8_t *p, size_t most)
{
    size_t       len, n;
    unsigned     odd;
    const char  *end;

    static const char  *ends[] = { "\n", "\r\n", "\r" };

    len = 0;
    odd = (unsigned) rng_below(rng, 4);
    end = ends[rng_below(rng, 3)];
    most = rng_below(rng, most);

    while (len + 40 < most) {

        if (rng_below(rng, 3) == 0) {
            p[len++] = '"';

            for (n = rng_below(rng, 12); n; n--) {
                p[len++] = (uint8_t) "ab ,\n\r\t;"[rng_below(rng, 8)];

                if (rng_below(rng, 9) == 0) {
                    p[len++] = '"';
                    p[len++] = '"';
                }
            }

            p[len++] = '"';

        } else {
            n = rng_below(rng, 12);
            memset(p + len, 'a' + (int) n, n);
            len += n;
        }

        if (odd == 1 && rng_below(rng, 30) == 0) {
            p[len++] = (uint8_t) "\"\r\n x"[rng_below(rng, 5)];
        }

        if (rng_below(rng, 4) == 0) {
            memcpy(p + len, end, strlen(end));
            len += strlen(end);

        } else {
            p[len++] = ',';
        }
    }

    return len;
}


static void
test_random(void)
{
    size_t                  i, len, each;
    rng_t                   rng;
    unsigned                bad, j;
    result_t                whole, r, m;
    guardrail_csv_limits_t  l;

    static uint8_t  p[2048];

    tap_diag("seed %" PRIu64, seed);

    rng.s = seed;
    bad = 0;

    for (i = 0; i < BODIES && bad < 5; i++) {
        len = random_body(&rng, p, i % 10 ? 400 : sizeof(p));
        l = none;

        if (len == 0) {
            continue;
        }

        /* limits at what the body holds, or one below */

        measure(p, len, 1, &m);

        if (rng_below(&rng, 2)) {
            l.max_records = m.records - rng_below(&rng, 2) - (m.records > 9)
                            * rng_below(&rng, 5);
        }

        if (rng_below(&rng, 2)) {
            l.max_lines = m.lines - rng_below(&rng, 2);
        }

        if (rng_below(&rng, 2)) {
            l.max_record_size = m.largest
                                - (m.largest ? rng_below(&rng, 2) : 0);
        }

        /* the model is slow: here and there */

        if (i % 8 == 0 && len < 500) {
            bad += !check(p, len, &l, 0);
        }

        run(guardrail_csv_by_name("scalar"), &l, p, len, 0, 0, &whole);

        for (j = 0; j < nops * 3; j++) {
            each = rng_below(&rng, 200);
            run(ops_list[j / 3], &l, p, len, rng_below(&rng, 70), each, &r);

            if (!same(&whole, &r)) {
                bad++;
                show(p, len, guardrail_csv_name(ops_list[j / 3]), &whole, &r);
                break;
            }
        }
    }

    tap_ok(bad == 0, "random bodies, limits and cuts");
}


static void
test_api(void)
{
    size_t                  used;
    guardrail_csv_t         s;
    guardrail_csv_limits_t  l;

    tap_ok(guardrail_csv_select() != NULL, "the fastest is %s",
           guardrail_csv_name(guardrail_csv_select()));
    tap_ok(guardrail_csv_by_name("none") == NULL, "an unknown name");

    l = none;
    l.max_records = 0;

    guardrail_csv_init(&s, guardrail_csv_select(), &l);

    tap_ok(guardrail_csv_feed(&s, NULL, 0, &used) == GUARDRAIL_OK && used == 0,
           "an empty piece may have no address");
    tap_ok(guardrail_csv_feed(&s, (const uint8_t *) "ab", 2, &used)
           == GUARDRAIL_MAX_RECORDS && used == 1, "refused");
    tap_ok(guardrail_csv_feed(&s, (const uint8_t *) "ab", 2, &used)
           == GUARDRAIL_MAX_RECORDS && used == 0 && s.records == 1,
           "for good");
}


int
main(int argc, char **argv)
{
    unsigned  i;

    static const char  *names[MAX_OPS] = { "scalar", "sse2", "avx2", "neon" };

    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    for (i = 0; i < MAX_OPS; i++) {
        if (guardrail_csv_by_name(names[i])) {
            ops_list[nops++] = guardrail_csv_by_name(names[i]);
        }
    }

    test_api();
    test_cases();
    test_exhaustive();
    test_random();

    return tap_done();
}
