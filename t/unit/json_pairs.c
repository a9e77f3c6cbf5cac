
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Brackets that close each other within a block: containers that hold more
 * than a block does, near limits of 64 and more, give the same verdict and the
 * same measures by blocks as byte by byte.
 */


#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "json/guardrail_json.h"
#include "json_ops.h"
#include "tap.h"


#define NL      GUARDRAIL_NO_LIMIT

#define MAX     4096
#define LEVELS  72                      /* more than a word has bits */

#if defined(__SANITIZE_ADDRESS__)
#define BODIES  4000
#else
#define BODIES  40000
#endif


typedef struct {
    size_t            used;
    guardrail_json_t  s;
} result_t;


static void test_random(void);
static void test_members(void);
static void test_runs_on(void);
static void test_deep(void);
static int same(const guardrail_json_limits_t *limits, size_t len, size_t cut);
static void run(unsigned which, const guardrail_json_limits_t *limits,
    size_t len, size_t cut, result_t *r);
static void no_limits(guardrail_json_limits_t *limits,
    guardrail_json_mode_e mode);
static void near(rng_t *r, guardrail_json_limits_t *limits,
    const guardrail_json_t *s);
static size_t random_body(rng_t *r, guardrail_json_mode_e mode);
static size_t value(rng_t *r, char *p);
static size_t add(size_t len, const char *s);


static uint8_t                      body[MAX + 256];
static uint64_t                     words[1024];
static const guardrail_json_ops_t  *all[4];


int
main(void)
{
    json_ops(all);

    test_random();
    test_members();
    test_runs_on();
    test_deep();

    return tap_done();
}


static void
test_random(void)
{
    int                      pass;
    rng_t                    r;
    size_t                   len;
    unsigned                 i, k;
    uint64_t                 seed;
    result_t                 plain;
    const char              *env;
    guardrail_json_limits_t  limits;

    static const guardrail_json_mode_e  modes[] = {
        GUARDRAIL_JSON_TEXT, GUARDRAIL_JSON_SEQ, GUARDRAIL_JSON_LINES,
        GUARDRAIL_JSON_LINES_AUTO
    };

    env = getenv("GUARDRAIL_SEED");
    seed = env ? strtoull(env, NULL, 0) : 20261128;
    r.s = seed;
    pass = 1;

    for (i = 0; i < BODIES && pass; i++) {
        no_limits(&limits, modes[i % 4]);

        len = random_body(&r, limits.mode);
        run(0, &limits, len, 0, &plain);

        for (k = 0; k < 4 && pass; k++) {
            near(&r, &limits, &plain.s);
            pass &= same(&limits, len, rng_below(&r, 2) ? 0
                                       : rng_below(&r, len + 1));
        }
    }

    tap_ok(pass, "random bodies near limits, GUARDRAIL_SEED=%" PRIu64,
           seed);
}


/* members before, between and behind those that are containers themselves */

static void
test_members(void)
{
    int                      pass;
    size_t                   len, at;
    uint64_t                 limit;
    unsigned                 i, kind;
    guardrail_json_limits_t  limits;

    static const char  *begin[] = { "[", "{" };
    static const char  *plain[] = { "1,", "\"a\":1," };
    static const char  *pairs[] = { "[1,{\"k\":[2,3]}],",
                                    "\"a\":{\"k\":[1,{}],\"l\":2}," };
    static const char  *end[] = { "[]]", "\"a\":{}}" };

    for (kind = 0; kind < 2; kind++) {
        pass = 1;

        for (at = 0; at < 70; at++) {
            len = add(0, "[ ");

            memset(body + len, ' ', at);
            len = add(len + at, begin[kind]);

            for (i = 0; i < 99; i++) {
                len = add(len, (i % 7 < 3) ? plain[kind] : pairs[kind]);
            }

            len = add(add(len, end[kind]), ",[[[[]]]]]");

            for (limit = 98; limit < 102; limit++) {
                no_limits(&limits, GUARDRAIL_JSON_TEXT);

                limits.keys = kind ? limit : 1000;
                limits.items = kind ? 1000 : limit;

                pass &= same(&limits, len, 0);
            }
        }

        tap_ok(pass, "members of one %s, more than its limit",
               kind ? "object" : "array");
    }
}


/* an element that goes on into the next block, and ends before its brackets */

static void
test_runs_on(void)
{
    int                      pass;
    size_t                   len, at;
    unsigned                 k;
    guardrail_json_limits_t  limits;

    static const char  *items[] = { "123456789012", "\"abcdefghijk\"",
                                    "-1.25e+100", "\"abcdefghijk" };

    no_limits(&limits, GUARDRAIL_JSON_TEXT);
    pass = 1;

    for (k = 0; k < 4; k++) {

        for (at = 40; at < 80; at++) {
            len = add(0, "[[],");
            memset(body + len, ' ', at);

            len = add(len + at, items[k]);
            len = add(len, (k == 3) ? "\"" : "");
            len = add(len, k % 2 ? "[],[1],{\"a\":[]}" : ",[],[1],{},[[]]");
            len = add(len, ",[],[[]],[[[3]]],{}");

            /* and the array itself later */

            memset(body + len, ' ', 80);
            len = add(len + 80, "]");

            pass &= same(&limits, len, 0);
            pass &= same(&limits, len, at + 6);
        }
    }

    tap_ok(pass, "an element that ends where a block does");
}


static void
test_deep(void)
{
    int                      pass;
    size_t                   len, i;
    unsigned                 depth, limit;
    guardrail_json_limits_t  limits;

    pass = 1;

    for (depth = 30; depth < 140; depth++) {
        len = 0;

        for (i = 0; i < depth; i++) {
            body[len++] = (i % 3) ? '[' : '{';
        }

        len = add(len, "[[[]]],[],[{}],[[]]");

        for (i = depth; i; i--) {
            body[len++] = ((i - 1) % 3) ? ']' : '}';
        }

        for (limit = depth - 1; limit < depth + 5; limit++) {
            no_limits(&limits, GUARDRAIL_JSON_TEXT);

            limits.depth = limit;
            limits.items = 70;

            pass &= same(&limits, len, 0);
            pass &= same(&limits, len, len / 2);

            /* where members are not counted */

            limits.items = NL;
            limits.mode = GUARDRAIL_JSON_LINES;

            pass &= same(&limits, len, 0);
        }
    }

    tap_ok(pass, "containers around 64 levels, pairs within");
}


/* are they all the same, the states that later bytes depend on, too? */

static int
same(const guardrail_json_limits_t *limits, size_t len, size_t cut)
{
    int       pass;
    unsigned  k;

    static result_t  got, want;

    run(0, limits, len, cut, &want);
    pass = 1;

    for (k = 1; k < 4; k++) {

        if (all[k] == NULL) {
            continue;
        }

        run(k, limits, len, cut, &got);

        if (got.used == want.used && got.s.rc == want.s.rc
            && got.s.limit == want.s.limit
            && got.s.observed == want.s.observed
            && got.s.records == want.s.records
            && got.s.largest == want.s.largest
            && got.s.deepest == want.s.deepest
            && got.s.tokens == want.s.tokens
            && got.s.continued == want.s.continued
            && got.s.level == want.s.level
            && got.s.bits == want.s.bits
            && got.s.count == want.s.count
            && got.s.start == want.s.start)
        {
            continue;
        }

        pass = 0;

        tap_diag("%s, mode %u, cut at %zu of %zu: rc %u, %u; used %zu, %zu; "
                 "records %" PRIu64 ", %" PRIu64 "; largest %" PRIu64
                 ", %" PRIu64 "; deepest %" PRIu64 ", %" PRIu64
                 "; count %" PRIu64 ", %" PRIu64,
                 guardrail_json_name(all[k]), (unsigned) limits->mode, cut,
                 len, (unsigned) got.s.rc, (unsigned) want.s.rc, got.used,
                 want.used, got.s.records, want.s.records, got.s.largest,
                 want.s.largest, got.s.deepest, want.s.deepest, got.s.count,
                 want.s.count);
        tap_diag("%.*s", (int) (len < 300 ? len : 300), (char *) body);
    }

    return pass;
}


/* in two pieces, each of the exact length, for the sanitizer */

static void
run(unsigned which, const guardrail_json_limits_t *limits, size_t len,
    size_t cut, result_t *r)
{
    size_t    i, n, used;
    uint8_t  *copy;

    if (guardrail_json_stack(limits) > sizeof(words)) {
        abort();
    }

    guardrail_json_init(&r->s, all[which], limits, words);

    r->used = 0;

    for (i = 0; i < len; i += n) {
        n = (i < cut) ? cut - i : len - i;

        copy = malloc(n);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy, body + i, n);

        (void) guardrail_json_feed(&r->s, copy, n, &used);
        free(copy);

        r->used += used;
    }
}


static void
no_limits(guardrail_json_limits_t *limits, guardrail_json_mode_e mode)
{
    memset(limits, 0xff, sizeof(guardrail_json_limits_t));

    limits->mode = mode;
    limits->strict = 0;
    limits->refuse_utf16 = 0;
    limits->keys = 100000;
    limits->items = 100000;
    limits->memory = NL;
}


/* at what the body has, or one less, or one more */

static void
near(rng_t *r, guardrail_json_limits_t *limits, const guardrail_json_t *s)
{
    no_limits(limits, limits->mode);

    switch (rng_below(r, 8)) {

    case 0:
        limits->depth = s->deepest + rng_below(r, 3) - 1;
        break;

    case 1:
        limits->tokens = s->tokens + rng_below(r, 3) - 1;
        break;

    case 2:
        limits->max_records = s->records + rng_below(r, 3) - 1;
        break;

    case 3:
        limits->max_record_size = s->largest + rng_below(r, 3) - 1;
        break;

    case 4:
        limits->keys = 62 + rng_below(r, 80);
        limits->items = 62 + rng_below(r, 80);
        break;

    case 5:
        limits->keys = NL;
        limits->items = 62 + rng_below(r, 40);
        break;

    case 6:
        limits->keys = NL;
        limits->items = NL;
        break;
    }
}


/* containers within containers, rarely one that closes another kind */

static size_t
random_body(rng_t *r, guardrail_json_mode_e mode)
{
    char      kinds[LEVELS];
    size_t    len, want;
    unsigned  level, deepest, closes, odd, flat;

    want = 1 + rng_below(r, rng_below(r, 4) ? 600 : MAX);
    deepest = rng_below(r, 8) ? 1 + rng_below(r, 6) : LEVELS;
    closes = 2 + rng_below(r, 6);
    odd = rng_below(r, 3) ? 0 : 200;
    flat = 1 + rng_below(r, 4);

    len = 0;
    level = 0;

    if (mode == GUARDRAIL_JSON_SEQ) {
        body[len++] = 0x1e;
    }

    if (mode < GUARDRAIL_JSON_LINES) {
        kinds[level++] = '[';
        body[len++] = '[';
    }

    while (len < want) {

        if (odd && rng_below(r, odd) == 0) {
            body[len++] = (uint8_t) "[]{},:\n \"1"[rng_below(r, 10)];
        }

        if (level && rng_below(r, closes) == 0
            && (level > 1 || mode >= GUARDRAIL_JSON_LINES))
        {
            level--;
            body[len++] = (kinds[level] == '[') ? ']' : '}';

            if (level == 0) {
                body[len++] = '\n';
                continue;
            }

            body[len++] = ',';
            continue;
        }

        if (level && kinds[level - 1] == '{') {
            len = add(len, rng_below(r, 2) ? "\"k\":" : "\"key\" : ");
        }

        if (level < deepest && rng_below(r, flat) == 0) {
            kinds[level] = rng_below(r, 2) ? '[' : '{';
            body[len++] = (uint8_t) kinds[level++];
            continue;
        }

        len += value(r, (char *) body + len);
        body[len++] = level ? ',' : '\n';
    }

    while (level-- && rng_below(r, 20)) {
        body[len++] = (kinds[level] == '[') ? ']' : '}';
    }

    return len;
}


static size_t
value(rng_t *r, char *p)
{
    const char  *s;

    static const char  *values[] = {
        "1", "23", "true", "-4.5e6", "\"\"", "\"a\"", "\"[{]}\"", "{}", "[]",
        "[1,2]", "{\"a\":[]}", "\"a string that is longer\"", "[[]]", "[{}]"
    };

    s = values[rng_below(r, sizeof(values) / sizeof(values[0]))];

    return (size_t) sprintf(p, "%s", s);
}


static size_t
add(size_t len, const char *s)
{
    memcpy(body + len, s, strlen(s));

    return len + strlen(s);
}
