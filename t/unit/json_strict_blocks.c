
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The validator of blocks: each implementation gives the verdict, and the
 * byte, that the scalar one gives.  What a block may hold, or begin, or end
 * with, stands at each of its places; and random texts are cut anywhere.
 */


#include <inttypes.h>

#include "json/guardrail_json.h"
#include "json_ops.h"
#include "json_text.h"
#include "tap.h"


#define LEVELS  200

#if defined(__SANITIZE_ADDRESS__)
#define TEXTS  400
#else
#define TEXTS  6000
#endif


typedef struct {
    size_t             used;
    guardrail_rc_e     rc;
    guardrail_json_t   s;
} result_t;


static void test_places(guardrail_json_mode_e mode, const char *name);
static void test_depth(void);
static void test_random(void);
static void random_body(bytes_t *b, rng_t *rng, guardrail_json_mode_e mode);
static int same(guardrail_json_mode_e mode, uint64_t depth, const uint8_t *p,
    size_t len, const size_t *cuts, unsigned ncuts);
static void run(const guardrail_json_ops_t *ops, guardrail_json_mode_e mode,
    uint64_t depth, const uint8_t *p, size_t len, const size_t *cuts,
    unsigned ncuts, result_t *r);


static const guardrail_json_ops_t  *all[4];


/* valid ones, and those that differ from them by little */

static const char  *const  pieces[] = {
    "{}", "[]", "{", "}", "[", "]", "[}", "{]", ",", ":", "[,", "[1,]",
    "{,", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1,\"b\":2}",
    "{\"a\":1,2}", "{\"a\":1:2}", "{\"a\" \"b\"}", "{1:2}", "{true:1}",
    "{{}:1}", "{[]:1}", "{\"a\":{\"b\":[{\"c\":[]}]},\"d\":[[],{}]}",
    "[1,2]", "[1 2]", "[1,,2]", "[:1]", "[\"a\":1]", "[1:2]", "[{}{}]",
    "[[][]]", "[{},{}]", "[\"a\"\"b\"]", "[\"a\",\"b\"]", "[\"a\"1]",
    "[1\"a\"]", "[1{}]", "[{}1]", "[1[]]", "[1] ,", "{\"a\":[1,\"b\":2]}",
    "[{\"a\":1,\"b\"},1]",

    "0", "-0", "00", "01", "-01", "0.", "0.1", "0.10e5", ".1", "-.1", "-",
    "--1", "1-", "1-1", "1.", "1.e1", "1.2.3", "1e", "1e+", "1e-", "1e+1",
    "1E-01", "1e1.5", "1e1e1", "1e+-1", "1+1", "+1", "1.5e+10", "1a", "0x1",
    "1_", "12345678901234567890.12345678901234567890e-1234567890",
    "123456789012345678901234567890123456789012345678901234567890123456789",

    "true", "false", "null", "tru", "fals", "nul", "truex", "true1", "nulll",
    "falsee", "True", "nUll", "truefalse", "t", "f", "n", "true\"\"", "[true]",
    "[true,false,null]", "[truefalse]", "{\"a\":true}", "[true[]]", "-true",

    "\"\"", "\"a\"", "\"\\\"\"", "\"\\\\\"", "\"\\\\\\\"\"", "\"\\/\\b\\f\"",
    "\"\\n\\r\\t\"", "\"\\a\"", "\"\\'\"", "\"\\", "\"", "\"\\u12aF\"",
    "\"\\u12a\"", "\"\\u12ag\"", "\"\\uD800\"", "\"\\U0000\"", "\"\\u00\\n\"",
    "\"\\\\u12\"", "\"\\u0000\\u0000\"", "\\", "\\\"", "\"\n\"", "\"\t\"",
    "\"\x01\"", "\"\x1f\"", "\"\x1e\"", "\"\x7f\"", "\"{}[],:\"", "\"'\"",
    "'a'", "/**/", "//", "#", "\x0b", "\x0c", "\x1e", "\x1f", "\x7f", "\n",
    "1\x1e", "true\x1e", "1\x1e[2]", "\"\"\x1e", "1 \x1e",

    "\r", "\t", " \n ", "\n1", "1\n", "{\n}", "[1,\n2]", "\n\n",

    "\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xc1\xbf\"", "\"\xc0\x80\"",
    "\"\xe0\xa0\x80\"", "\"\xe0\x9f\xbf\"", "\"\xed\x9f\xbf\"",
    "\"\xed\xa0\x80\"", "\"\xef\xbf\xbf\"", "\"\xf0\x90\x80\x80\"",
    "\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"", "\"\xff\"", "\"\xfe\"", "\"\x80\"", "\"\xbf\"",
    "\"\xc2\"", "\"\xc2\xc2\x80\"", "\"\xe2\x82\"", "\"\xe2\x82\xac\x80\"",
    "\"\xf0\x9f\x98\"", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"",
    "\"\\\xc3\xa9\"",
    "\xc3\xa9", "\xef\xbb\xbf", "\xef\xbb\xbf{}", "\xc2\xa0", "[\xc3\xa9]"
};

#define NPIECES  (sizeof(pieces) / sizeof(pieces[0]))


/* what is in front of the piece, and behind it */

static const struct {
    const char  *before;
    const char  *behind;
} frames[] = {
    { "", "" },
    { "[", "]" },
    { "[1,", ",2]" },
    { "{\"a\":", "}" },
    { "{\"a\":[],\"b\":", ",\"c\":\"\"}" },
    { "{", ":1}" },
    { "[{\"a\":{},", ":1}]" },
    { "\"", "\"" }
};

#define NFRAMES  (sizeof(frames) / sizeof(frames[0]))


int
main(void)
{
    json_ops(all);

    test_places(GUARDRAIL_JSON_TEXT, "a text");
    test_places(GUARDRAIL_JSON_SEQ, "a sequence");
    test_places(GUARDRAIL_JSON_LINES, "lines");
    test_depth();
    test_random();

    return tap_done();
}


static void
test_places(guardrail_json_mode_e mode, const char *name)
{
    int       pass;
    char      body[512];
    size_t    at, len, cut, blank;
    unsigned  i, k;

    pass = 1;

    for (i = 0; i < NPIECES * NFRAMES; i++) {
        k = i / NPIECES;

        for (at = 0; at < 72 && pass; at++) {

            /* something valid, so that the piece is within what is known */

            len = (size_t) snprintf(body, sizeof(body), "%s",
                                    (mode == GUARDRAIL_JSON_TEXT) ? ""
                                    : (mode == GUARDRAIL_JSON_SEQ)
                                      ? "\x1e{\"x\":1}\n\x1e" : "{\"x\":1}\n");

            blank = 130 - at - len;

            memset(body + len, ' ', blank);
            len += blank;

            len += (size_t) snprintf(body + len, sizeof(body) - len,
                                     "%s%s%s", frames[k].before,
                                     pieces[i % NPIECES], frames[k].behind);

            memset(body + len, ' ', 150);
            len += 150;

            pass &= same(mode, LEVELS, (const uint8_t *) body, len, NULL, 0);

            cut = 64 + at;
            pass &= same(mode, LEVELS, (const uint8_t *) body, len, &cut, 1);
        }
    }

    tap_ok(pass, "%s: each piece at each place of a block", name);
}


/* around each level at which the kinds of those outside go to the stack */

static void
test_depth(void)
{
    int       pass;
    size_t    i, n, len, depth;
    uint8_t   body[4096];
    uint64_t  limit;

    pass = 1;

    for (depth = 0; depth < 140 && pass; depth++) {
        len = 0;

        for (i = 0; i < depth; i++) {

            if (i % 3) {
                body[len++] = '[';

            } else {
                memcpy(body + len, "{\"k\":", 5);
                len += 5;
            }
        }

        /* up and down for some blocks */

        for (n = 0; n < 40; n++) {
            memcpy(body + len, "[[{},[]],{\"a\":[1]}],", 20);
            len += 20;
        }

        body[len++] = '1';

        for (i = depth; i > 0; i--) {
            body[len++] = ((i - 1) % 3) ? ']' : '}';
        }

        limit = (depth & 1) ? LEVELS : depth + 2;

        pass &= same(GUARDRAIL_JSON_TEXT, limit, body, len, NULL, 0);

        /* within an array they are valid, and then one closes another */

        if (depth && (depth - 1) % 3) {
            pass &= same(GUARDRAIL_JSON_TEXT, LEVELS, body, len, NULL, 0);

            body[len - depth] ^= 'A' ^ 'a';
            body[len - depth] = (body[len - depth] == '}') ? ']' : '}';

            pass &= same(GUARDRAIL_JSON_TEXT, LEVELS, body, len, NULL, 0);
        }
    }

    tap_ok(pass, "any depth");
}


static void
test_random(void)
{
    int                    pass;
    rng_t                  rng;
    size_t                 cuts[3];
    bytes_t                b;
    uint64_t               seed;
    unsigned               i;
    const char            *env;
    guardrail_json_mode_e  mode;

    env = getenv("GUARDRAIL_SEED");
    seed = env ? strtoull(env, NULL, 0) : 20261128;
    rng.s = seed;
    pass = 1;

    memset(&b, 0, sizeof(b));

    for (i = 0; i < TEXTS && pass; i++) {
        mode = (guardrail_json_mode_e) (i % 4);

        b.len = 0;
        random_body(&b, &rng, mode);

        pass &= same(mode, LEVELS, b.p, b.len, NULL, 0);

        cuts[0] = rng_below(&rng, b.len + 1);
        cuts[1] = cuts[0] + rng_below(&rng, b.len + 1 - cuts[0]);
        cuts[2] = cuts[1] + rng_below(&rng, b.len + 1 - cuts[1]);

        pass &= same(mode, LEVELS, b.p, b.len, cuts, 3);
    }

    bytes_free(&b);

    tap_ok(pass, "random texts, GUARDRAIL_SEED=%" PRIu64, seed);
}


/* some texts in one array, or as many records; half of them spoiled */

static void
random_body(bytes_t *b, rng_t *rng, guardrail_json_mode_e mode)
{
    size_t    from;
    unsigned  i, n, lines;

    n = 1 + (unsigned) rng_below(rng, 12);
    lines = (mode >= GUARDRAIL_JSON_LINES);

    for (i = rng_below(rng, 2) ? 0 : (unsigned) rng_below(rng, 64); i; i--) {
        bytes_byte(b, ' ');
    }

    if (mode == GUARDRAIL_JSON_TEXT) {
        bytes_byte(b, '[');
    }

    for (i = 0; i < n; i++) {

        if (i && mode == GUARDRAIL_JSON_TEXT) {
            bytes_byte(b, ',');

        } else if (mode == GUARDRAIL_JSON_SEQ) {
            bytes_byte(b, 0x1e);
        }

        from = b->len;
        json_value(b, rng, (unsigned) rng_below(rng, 6));

        /* white space as there may be in a text is none in lines */

        while (lines && from < b->len) {

            if (b->p[from] == '\n') {
                b->p[from] = '\t';
            }

            from++;
        }

        if (mode != GUARDRAIL_JSON_TEXT) {
            bytes_byte(b, '\n');
        }
    }

    if (mode == GUARDRAIL_JSON_TEXT) {
        bytes_byte(b, ']');
    }

    if (rng_below(rng, 2)) {
        json_spoil(b, rng, 0);
    }
}


/* as the scalar one */

static int
same(guardrail_json_mode_e mode, uint64_t depth, const uint8_t *p, size_t len,
    const size_t *cuts, unsigned ncuts)
{
    int       pass;
    unsigned  k;
    result_t  r, scalar;

    pass = 1;

    run(all[0], mode, depth, p, len, NULL, 0, &scalar);

    for (k = 0; k < 4; k++) {

        if (all[k] == NULL) {
            continue;
        }

        run(all[k], mode, depth, p, len, cuts, ncuts, &r);

        if (r.rc == scalar.rc && r.used == scalar.used
            && r.s.strict.level == scalar.s.strict.level
            && r.s.strict.bits == scalar.s.strict.bits
            && (r.rc != GUARDRAIL_OK
                || r.s.strict.state == scalar.s.strict.state))
        {
            continue;
        }

        pass = 0;

        tap_diag("%s, mode %u, %u cuts from %zu: rc %u, used %zu, expected %u "
                 "and %zu", guardrail_json_name(all[k]), (unsigned) mode,
                 ncuts, ncuts ? cuts[0] : 0, (unsigned) r.rc, r.used,
                 (unsigned) scalar.rc, scalar.used);
        tap_diag("%.*s", (int) len, (const char *) p);
    }

    return pass;
}


static void
run(const guardrail_json_ops_t *ops, guardrail_json_mode_e mode,
    uint64_t depth, const uint8_t *p, size_t len, const size_t *cuts,
    unsigned ncuts, result_t *r)
{
    size_t                   start, end, used;
    uint8_t                 *copy;
    unsigned                 i;
    guardrail_json_limits_t  limits;

    static uint64_t  stack[64];

    memset(r, 0, sizeof(result_t));
    memset(&limits, 0xff, sizeof(limits));

    limits.mode = mode;
    limits.strict = 1;
    limits.refuse_utf16 = 0;
    limits.depth = depth;

    if (guardrail_json_stack(&limits) > sizeof(stack)) {
        abort();
    }

    /* nothing of the run before */

    memset(stack, 0x55, sizeof(stack));

    guardrail_json_init(&r->s, ops, &limits, stack);

    start = 0;

    for (i = 0; i <= ncuts; i++) {
        end = (i < ncuts) ? cuts[i] : len;

        /* of the exact length, for the sanitizer */

        copy = malloc(end - start + 1);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy + 1, p + start, end - start);

        r->rc = guardrail_json_feed(&r->s, copy + 1, end - start, &used);

        free(copy);

        r->used += used;

        if (r->rc != GUARDRAIL_OK) {
            return;
        }

        start = end;
    }

    r->rc = guardrail_json_finish(&r->s);
}
