
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The scanner of blocks with a memory model: each implementation gives the
 * verdict, the byte and the estimates that the scalar one gives, at every
 * split of the body and whatever the limit is.
 */


#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "json/guardrail_json.h"
#include "json_ops.h"
#include "tap.h"


#define NL    GUARDRAIL_NO_LIMIT

#define MAX   20000

#if defined(__SANITIZE_ADDRESS__)
#define BODIES  40
#else
#define BODIES  300
#endif


typedef struct {
    size_t          used;
    uint64_t        estimate;
    uint64_t        tokens;
    uint64_t        observed;
    guardrail_rc_e  rc;
} result_t;


typedef struct {
    const char  *name;
    const char  *begin;
    const char  *item;
    const char  *end;
    unsigned     n;
} large_t;


static void test_marks(void);
static void test_splits(void);
static void test_limits(void);
static void test_large(void);
static void test_deep(void);
static int same(const guardrail_json_limits_t *limits, const uint8_t *p,
    size_t len, size_t cut, size_t piece);
static void run(unsigned which, const guardrail_json_limits_t *limits,
    const uint8_t *p, size_t len, size_t cut, size_t piece, result_t *r);
static void set_limits(guardrail_json_limits_t *limits,
    guardrail_json_mode_e mode);
static size_t random_body(rng_t *r, uint8_t *p, size_t max);
static size_t large_body(uint8_t *p, const large_t *l);


static const guardrail_json_ops_t  *all[4];
static uint8_t                      body[MAX];


/* containers that grow much at once, and values that are told in pieces */

#define WIDE   "\xc3\xa9\xe4\xbc\x9a\xc3\xa9\xe4\xbc\x9a\xc3\xa9\xe4\xbc\x9a"
#define EMOJI  "\xf0\x9f\x98\x80"
#define SPACE  "                                                              "
#define FIRST  "[\"what comes before it\","

static const large_t  large[] = {
    { "small ints", "[", "%u,", "1]", 4000 },
    { "long ints", "[", "1234567890123456789%u,", "1]", 600 },
    { "objects holding a list", "[", "{\"a\":[%u]},", "1]", 1000 },
    { "different keys", "{", "\"k%u\":1,", "\"a\":1}", 1200 },
    { "objects of different keys", "[", "{\"k%u\":1},", "1]", 1000 },
    { "lists in lists", "[", "[[[%u]]],", "1]", 1000 },
    { "strings", "[", "\"a longer string of plain text %u\",", "1]", 400 },
    { "escapes", "[", "\"\\n\\u00e9\\ud83d\\ude00%u\",", "1]", 500 },
    { "wide characters", "[", "\"" WIDE " %u\",", "1]", 500 },
    { "floats and words", "[", "1.25e%u,true,null,", "1]", 700 },
    { "lines of many lists", "", "[[],[],[],[],[],[],[],[],[],[],[%u],",
      "1]\n[]\n", 500 },
    { "an emoji behind ASCII", "[", "%u,", "\"" EMOJI "\"]", 3500 },
    { "a long string", FIRST "\"", "%u ", "\"]", 3500 },
    { "a long string that grows wider", FIRST "\"", "%u ", EMOJI "\"]", 3500 },
    { "a long string that is wide in its middle", FIRST "\"", "%u ",
      EMOJI SPACE SPACE "\",[]," SPACE "1]", 3000 },
    { "a long string behind an escaped emoji", FIRST "\"\\ud83d\\ude00", "%u ",
      "\\n\"]", 3000 },
    { "an emoji behind much white space", "[", SPACE,
      "\"" EMOJI "\"]", 300 },
    { "half a surrogate, a string, and its other half",
      FIRST "\"\xed\",\"abc\",\"\xa0" EMOJI "\"", SPACE, "]", 300 },
    { "half a surrogate, a number, and its other half",
      FIRST "\"\xed\",12,\"\xa0" EMOJI "\"", SPACE, "]", 300 },
    { "a long string of all widths", FIRST "\"", WIDE "%u" EMOJI, "\"]", 500 },
    { "a long string of escapes", FIRST "\"", "\\u%04u", "\"]", 2500 },
    { "a long key", "{\"", "%u", "\":1}", 1000 },
    { "a long number", "[", "%u", "]", 1000 }
};


int
main(void)
{
    json_ops(all);

    test_marks();
    test_splits();
    test_limits();
    test_large();
    test_deep();

    return tap_done();
}


/* a line begins where a block or a piece ends */

static void
test_marks(void)
{
    int                      pass;
    size_t                   n, cut;
    result_t                 r;
    guardrail_json_limits_t  limits;

    set_limits(&limits, GUARDRAIL_JSON_LINES);
    pass = 1;

    for (n = 40; n < 200; n++) {
        memset(body, ' ', n);
        memcpy(body, "[1]", 3);
        memcpy(body + n - 4, "[2]\n", 4);
        memcpy(body + n, "\xef\xbb\xbf[3]", 6);

        for (cut = 0; cut <= n; cut++) {
            pass &= same(&limits, body, n + 6, cut, n + 6);
        }

        run(0, &limits, body, n + 6, 0, n + 6, &r);
        pass &= (r.tokens == 2);
    }

    tap_ok(pass, "a byte order mark at the beginning of any line");
}


static void
test_splits(void)
{
    size_t                   len, cut;
    rng_t                    r;
    unsigned                 i, bad;
    guardrail_json_limits_t  limits;

    r.s = 20;
    bad = 0;

    for (i = 0; i < BODIES; i++) {
        len = random_body(&r, body, 300);
        set_limits(&limits, (guardrail_json_mode_e) rng_below(&r, 4));

        for (cut = 0; cut <= len; cut++) {
            bad += !same(&limits, body, len, cut, len);
        }

        for (cut = 1; cut < 130; cut++) {
            bad += !same(&limits, body, len, 0, cut);
        }
    }

    tap_ok(bad == 0, "every split of %d random bodies, %u bad", BODIES, bad);
}


/* up to the estimate of the whole, near enough for blocks to be left */

static void
test_limits(void)
{
    size_t                   len;
    rng_t                    r;
    unsigned                 i, k, bad;
    result_t                 whole;
    guardrail_json_limits_t  limits;

    r.s = 21;
    bad = 0;

    for (i = 0; i < BODIES; i++) {
        len = random_body(&r, body, MAX);
        set_limits(&limits, (guardrail_json_mode_e) rng_below(&r, 4));
        run(0, &limits, body, len, 0, len, &whole);

        for (k = 0; k < 8; k++) {
            limits.memory = k ? rng_below(&r, (size_t) whole.estimate + 2)
                              : whole.estimate - 1;
            bad += !same(&limits, body, len, rng_below(&r, len + 1), len);
        }

        limits.memory = whole.estimate + rng_below(&r, 200000);
        bad += !same(&limits, body, len, 0, 1 + rng_below(&r, 5000));
    }

    tap_ok(bad == 0, "limits for %d random bodies, %u bad", BODIES, bad);
}


static void
test_large(void)
{
    int                      pass;
    size_t                   i, len;
    rng_t                    r;
    unsigned                 k;
    result_t                 whole;
    guardrail_json_limits_t  limits;

    r.s = 22;

    for (i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        len = large_body(body, &large[i]);
        set_limits(&limits, body[len - 1] == '\n' ? GUARDRAIL_JSON_LINES
                                                 : GUARDRAIL_JSON_TEXT);
        run(0, &limits, body, len, 0, len, &whole);
        pass = same(&limits, body, len, 0, len);

        for (k = 1; k <= 100; k++) {
            limits.memory = whole.estimate * k / 100 - rng_below(&r, 100);
            pass &= same(&limits, body, len, 0, len);
        }

        tap_ok(pass, "%s", large[i].name);
    }
}


/* deeper than the model follows, which is possible where it has no limit */

static void
test_deep(void)
{
    int                      pass;
    size_t                   len, depth;
    unsigned                 i;
    guardrail_json_limits_t  limits;

    pass = 1;

    for (depth = 900; depth < 1400; depth += 31) {
        len = 0;

        for (i = 0; i < depth; i++) {
            memcpy(body + len, (i % 3) ? "{\"key\":" : "[1,\"\",", 7);
            len += 7;
        }

        body[len++] = '1';

        while (i-- > 0) {
            body[len++] = (i % 3) ? '}' : ']';

            if (i % 5 == 0) {
                memcpy(body + len, ",\"key\":[2]", 10);
                len += (i && (i - 1) % 3) ? 10 : 0;
            }
        }

        set_limits(&limits, (depth & 1) ? GUARDRAIL_JSON_LINES
                                        : GUARDRAIL_JSON_TEXT);
        limits.depth = NL;

        pass &= same(&limits, body, len, 0, len);
        pass &= same(&limits, body, len, len / 2, 100);
    }

    tap_ok(pass, "deeper than the model follows");
}


/* all of them, against the scalar one that was given the whole */

static int
same(const guardrail_json_limits_t *limits, const uint8_t *p, size_t len,
    size_t cut, size_t piece)
{
    int       pass;
    result_t  a, b;
    unsigned  k;

    pass = 1;
    memset(&a, 0, sizeof(result_t));
    memset(&b, 0, sizeof(result_t));

    run(0, limits, p, len, 0, len, &a);

    for (k = 0; k < 4; k++) {

        if (all[k] == NULL) {
            continue;
        }

        run(k, limits, p, len, cut, piece, &b);

        if (memcmp(&a, &b, sizeof(result_t)) != 0) {
            tap_diag("%s, cut %zu, pieces of %zu: rc %d %d, used %zu %zu, "
                     "estimate %" PRIu64 " %" PRIu64,
                     guardrail_json_name(all[k]), cut, piece, (int) a.rc,
                     (int) b.rc, a.used, b.used, a.estimate, b.estimate);
            pass = 0;
        }
    }

    return pass;
}


static void
run(unsigned which, const guardrail_json_limits_t *limits, const uint8_t *p,
    size_t len, size_t cut, size_t piece, result_t *r)
{
    size_t                   i, n, used;
    uint8_t                 *copy;
    uint64_t                 stack[600];
    guardrail_json_t         s;

    static guardrail_json_memory_t  m;

    if (guardrail_json_stack(limits) > sizeof(stack)) {
        abort();
    }

    guardrail_json_memory_init(&m, limits->mode == GUARDRAIL_JSON_TEXT
                                   ? GUARDRAIL_JSON_MEMORY_DOCUMENT
                                   : (len & 1) ? GUARDRAIL_JSON_MEMORY_BODY
                                               : GUARDRAIL_JSON_MEMORY_RECORD);
    guardrail_json_init(&s, all[which], limits, stack);
    guardrail_json_attach(&s, &m);

    r->rc = GUARDRAIL_OK;
    r->used = 0;

    for (i = 0; i < len && r->rc == GUARDRAIL_OK; i += n) {
        n = (i < cut) ? cut - i : len - i;
        n = (n < piece) ? n : piece;

        /* of the exact length, for the sanitizer */

        copy = malloc(n ? n : 1);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy, p + i, n);

        r->rc = guardrail_json_feed(&s, copy, n, &used);
        r->used += used;

        free(copy);
    }

    r->tokens = s.tokens;
    r->rc = guardrail_json_finish(&s);
    r->estimate = guardrail_json_estimate(&s);
    r->observed = s.observed;
}


static void
set_limits(guardrail_json_limits_t *limits, guardrail_json_mode_e mode)
{
    memset(limits, 0xff, sizeof(guardrail_json_limits_t));

    limits->mode = mode;
    limits->strict = 0;
    limits->refuse_utf16 = 0;
    limits->depth = 1024;
    limits->memory = NL;
}


/* most of it is JSON */

static size_t
random_body(rng_t *r, uint8_t *p, size_t max)
{
    size_t       len, n, want, odd;
    const char  *s;

    static const char  *words[] = {
        "{\"a\":", "{\"key\":", "[", "]", "}", "}", ",", ",", ",\"b\":",
        "\"abc\"", "\"\"", "\"x\"", "\"a string of some length\"", "1", "257",
        "-5", "-6", "123456", "-1.5e3", "0.25", "true", "null", "\n", "\n",
        " ", "\"keys of more than 16 bytes\":", "\"k\":[1,2,3]", "[]", "{}",
        "\"\\u00e9\\n\"", "\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"",
        "{\"id\":12345678,\"time\":\"2026-03-04\",\"tags\":[\"a\",\"bc\"]}\n",

        /* and these are not, or may not be */

        "\"", "\\", "'", "/*", "#", "--1", "1-2", "x", "\"\xed\"",
        "\"\xa0\"", "\xef\xbb\xbf", "\x1e", "\"a\nb\""
    };

    odd = rng_below(r, 2) ? 0 : 13;
    want = 1 + rng_below(r, max - 1);

    for (len = 0; len < want; len += n) {
        s = words[rng_below(r, sizeof(words) / sizeof(words[0]) - 13 + odd)];
        n = strlen(s);

        if (n > want - len) {
            n = want - len;
        }

        memcpy(p + len, s, n);
    }

    return len;
}


static size_t
large_body(uint8_t *p, const large_t *l)
{
    int       n;
    size_t    len;
    unsigned  i;

    len = strlen(l->begin);
    memcpy(p, l->begin, len);

    for (i = 0; i < l->n && len < MAX - 100; i++) {

        /* the format is one of the table above */

        n = snprintf((char *) p + len, MAX - len, l->item, i);
        len += (size_t) n;
    }

    memcpy(p + len, l->end, strlen(l->end));

    return len + strlen(l->end);
}
