
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the parts of the JSON scanner hand over to each other where blocks and
 * pieces end: what matters stands there, with nothing but text or white space
 * between, so that each loop is entered and left in each state.  By blocks
 * and in pieces a body gives what it gives byte by byte as a whole: verdict,
 * measures, the state that later bytes depend on, and the estimate of memory.
 */


#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "json_ops.h"
#include "json_model.h"
#include "tap.h"


#define NL        GUARDRAIL_NO_LIMIT

#define MAX       2048                  /* and some more */
#define MAX_SLOW  160                   /* bytes for the model */
#define LEVELS    80

#if defined(__SANITIZE_ADDRESS__)
#define BODIES    250
#define STEP      37
#define BLANK_STEP  7
#else
#define BODIES    2500
#define STEP      5
#define BLANK_STEP  1
#endif


typedef struct {
    size_t            used;
    guardrail_rc_e    feed;
    guardrail_rc_e    finish;
    uint64_t          estimate;
    guardrail_json_t  s;                /* after the last piece */
} result_t;


typedef struct {
    size_t  len;
    size_t  seams[64];
    size_t  nseams;
    size_t  base;                       /* blocks begin here, and each 64 */
} body_t;


static void test_blank_piece(void);
static void test_pairs(void);
static void test_random_pieces(void);
static void test_random_values(void);
static void random_pieces(rng_t *r, body_t *b);
static void random_values(rng_t *r, body_t *b, guardrail_json_mode_e mode);
static void random_key(rng_t *r, body_t *b);
static void random_value(rng_t *r, body_t *b);
static void begin(rng_t *r, body_t *b, guardrail_json_mode_e mode);
static size_t seam(rng_t *r, const body_t *b);
static void fill(rng_t *r, body_t *b, unsigned c, size_t most);
static void add(body_t *b, const char *s);
static void spoil(rng_t *r, body_t *b);
static int check_random(rng_t *r, const body_t *b,
    guardrail_json_limits_t *limits);
static int check_model(const guardrail_json_limits_t *limits, size_t len,
    const result_t *r);
static int check(const guardrail_json_limits_t *limits, size_t len,
    const size_t *cuts, const result_t *whole);
static void random_limits(rng_t *r, guardrail_json_limits_t *limits,
    size_t len);
static uint64_t least(guardrail_json_limits_t *limits, uint64_t *limit,
    size_t len);
static void run(unsigned which, const guardrail_json_limits_t *limits,
    size_t len, const size_t *cuts, result_t *r);
static unsigned same(const result_t *a, const result_t *b);
static void show(const guardrail_json_limits_t *limits, size_t len,
    const size_t *cuts);
static void no_limits(guardrail_json_limits_t *limits, unsigned mode,
    unsigned strict);
static uint64_t get_seed(void);


/* those from the first odd one on are what no JSON holds, or not there */

static const char  *const  pieces[] = {
    "\"", "\\", "\\\\", "\\\\\\", "\\\"", "\\\\\"", "\"\"", "\",\"",
    "\":\"", "\":", ",\"", "[", "]", "{", "}", "[[", "]]", "[]", "{}", "[{",
    "}]", "],[", "},{", "}\n{", "]\n[", ",", ":", " ", "\t", "\n", "\r",
    "\r\n", "\n\r", "\n\n", "1", "-", "0", "-1.5e", "12,3", "true", "tru",
    "null", "ul", "{\"a\":", ",\"a\":1", "\"]", "\"}", "\"\n", "\\n",
    "\\u00e9", "\\ud83d", "\\ude00", "\\u", "\\ud83d\\ude00", "257", "-6",

    "\xc3\xa9", "\xc3", "\xa9", "\xe2\x82\xac", "\xe2\x82", "\xed", "\xa0",
    "\xf0\x9f\x98\x80", "\xf0\x9f", "\xef\xbb\xbf", "\xef\xbb", "\n\xef",
    "\n\xef\xbb\xbf", "\x1e", "\n\x1e", "\x1e\xef\xbb\xbf", ",,", "[,", "::",
    "]}", "}}", "'", "/", "/*", "*/", "//", "#", "\x01", "\x7f", "\xff\xfe",
    "--1", "1-2", "Infinity", "N", "00"
};

#define NPIECES  (sizeof(pieces) / sizeof(pieces[0]))
#define NCALM    56


static const char  *const  escapes[] = {
    "", "", "\\\\", "\\\"", "\\n", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa9",
    "\xf0\x9f\x98\x80", "\xe4\xbc\x9a", "\\\\\\\\\\\"", "\xed\xa0\x80"
};

#define NESCAPES  (sizeof(escapes) / sizeof(escapes[0]))


static uint8_t                      body[2 * MAX];
static uint64_t                     words[1024];
static unsigned                     with_memory;
static const guardrail_json_ops_t  *all[4];


int
main(void)
{
    json_ops(all);

    test_blank_piece();
    test_pairs();
    test_random_pieces();
    test_random_values();

    return tap_done();
}


/*
 * A piece of nothing but white space, behind one that leaves a value or none:
 * whether a comma behind it stands for a member of its own depends on that.
 */

static void
test_blank_piece(void)
{
    int                      pass;
    size_t                   len, cuts[3];
    body_t                   b;
    unsigned                 i, k, mode, n;
    result_t                 whole;
    guardrail_json_limits_t  limits;

    static const char  *before[] = {
        "[1", "[1,2", "[1,2,", "[", "[true", "[\"a\"", "[\"a", "{\"a\":1",
        "{\"a\":", "{\"a\"", "{\"a\":1,", "{\"a\":{\"b\":2", "[[1,[2",
        "[[3]", "{\"a\":\"\\", "[-", "[1,[2]\n", "12", "12\n", "12\r\n"
    };
    static const char  *behind[] = {
        ",3]", "]", ":1,\"b\":2}", ",\"b\":3}", "\"c\"", "4]", ",,]", "\n,",
        "}]}]", "\n"
    };

    pass = 1;

    for (i = 0; i < 20 * 10 * 4 * 5; i += BLANK_STEP) {
        mode = i % 4;
        n = i / 4 % 20;
        k = i / 80 % 10;

        b.len = 0;

        add(&b, mode == GUARDRAIL_JSON_SEQ ? "\x1e" : "");
        add(&b, before[n]);

        cuts[0] = b.len;
        len = 15 + i / 800 * 30;

        memset(body + b.len, (i & 1) ? ' ' : '\r', len);
        b.len += len;

        cuts[1] = b.len;
        cuts[2] = NL;

        add(&b, behind[k]);

        no_limits(&limits, mode, 0);

        for (with_memory = 0; with_memory < 2; with_memory++) {
            limits.keys = with_memory ? 1000 : NL;
            run(0, &limits, b.len, NULL, &whole);

            pass &= check_model(&limits, b.len, &whole);
            pass &= check(&limits, b.len, cuts, &whole);
        }
    }

    tap_ok(pass, "a piece of white space behind values and none");
}


/* two pieces around the ends of two blocks, in each place that a text has */

static void
test_pairs(void)
{
    int                      pass;
    size_t                   cuts[3];
    body_t                   b;
    unsigned                 i, first, second, at;
    result_t                 whole;
    guardrail_json_limits_t  limits;

    static const struct {
        const char  *begin;
        int          text;
    } places[] = {
        { "[\"", 'a' }, { "{\"", 'a' }, { "{\"a\":\"", 'a' },
        { "[1,", ' ' }, { "{\"a\":", ' ' }, { "{\"a\":1,", ' ' },
        { "[1", '1' }, { "[[{\"a\":[1],", ' ' },
        { "{\"a\":[{\"b\":\"", 'a' }, { "[-", '0' }, { "[t", 'r' },
        { "1\n", ' ' }, { "{}\n{\"", 'a' }
    };

    pass = 1;

    for (i = 0; i < 13 * NPIECES * NPIECES && pass; i += STEP) {
        first = i / 13 % NPIECES;
        second = i / 13 / NPIECES;

        for (at = 0; at < 25; at += 1 + i % 4) {

            /* the first 16 bytes of a record are judged one by one */

            memset(body, ' ', 16);
            body[0] = (i & 1) ? 0x1e : ' ';
            b.len = 16 - strlen(places[i % 13].begin);
            add(&b, places[i % 13].begin);

            memset(body + 16, places[i % 13].text, 240);

            b.len = 16 + 64 + at % 5 - 2;
            add(&b, pieces[first]);

            cuts[0] = (i & 2) ? 16 + 64 + at / 5 - 2 : NL;

            b.len = 16 + 128 + at / 5 - 2;
            add(&b, pieces[second]);

            cuts[1] = (i & 4) ? b.len + at % 3 : NL;

            /* and what follows */

            b.len = 16 + 192 + at % 5 - 2;
            add(&b, (i & 8) ? ",\"b\":1}],2\n" : "\",3]}");

            if (cuts[0] == NL) {
                cuts[0] = cuts[1];
                cuts[1] = NL;
            }

            cuts[2] = NL;

            no_limits(&limits, i / 2 % 4, 0);

            with_memory = at & 1;
            limits.keys = (at & 2) ? 1000 : NL;

            run(0, &limits, b.len, NULL, &whole);
            pass &= check(&limits, b.len, cuts, &whole);
        }
    }

    tap_ok(pass, "pairs of what matters, where blocks end");
}


static void
test_random_pieces(void)
{
    int                      pass;
    rng_t                    r;
    body_t                   b;
    unsigned                 i;
    guardrail_json_limits_t  limits;

    r.s = get_seed();
    pass = 1;

    for (i = 0; i < BODIES && pass; i++) {
        no_limits(&limits, i % 4, 0);

        begin(&r, &b, limits.mode);
        random_pieces(&r, &b);

        pass &= check_random(&r, &b, &limits);
    }

    tap_ok(pass, "what matters where blocks end, GUARDRAIL_SEED=%" PRIu64,
           get_seed());
}


static void
test_random_values(void)
{
    int                      pass;
    rng_t                    r;
    body_t                   b;
    unsigned                 i;
    guardrail_json_limits_t  limits;

    r.s = get_seed() + 1;
    pass = 1;

    for (i = 0; i < BODIES && pass; i++) {
        no_limits(&limits, i % 4, i / 4 % 2);

        begin(&r, &b, limits.mode);
        random_values(&r, &b, limits.mode);

        if (rng_below(&r, 3) == 0) {
            spoil(&r, &b);
        }

        pass &= check_random(&r, &b, &limits);
    }

    tap_ok(pass, "values that end where blocks do, GUARDRAIL_SEED=%" PRIu64,
           get_seed());
}


/* where blocks begin: after 16 bytes of a record, or where a piece does */

static void
begin(rng_t *r, body_t *b, guardrail_json_mode_e mode)
{
    b->base = rng_below(r, 3) ? 16 : rng_below(r, 64);
    b->len = 0;
    b->nseams = 0;

    if (mode == GUARDRAIL_JSON_SEQ) {
        add(b, "\x1e");
    }

    if (mode == GUARDRAIL_JSON_TEXT && rng_below(r, 4)) {
        add(b, "[");
    }
}


/* up to two bytes before or behind the end of one of the next blocks */

static size_t
seam(rng_t *r, const body_t *b)
{
    size_t  at;

    at = (b->len + 128 - b->base) / 64 * 64 + b->base - 64;
    at += rng_below(r, 4) ? 64 : 64 * rng_below(r, 5);
    at += rng_below(r, 5);

    return (at - 2 > b->len) ? at - 2 : b->len;
}


static void
fill(rng_t *r, body_t *b, unsigned c, size_t most)
{
    size_t  to;

    to = seam(r, b);

    if (to > b->len + most) {
        to = b->len + most;
    }

    memset(body + b->len, (int) c, to - b->len);
    b->len = to;

    if (b->nseams < 64) {
        b->seams[b->nseams++] = to;
    }
}


static void
add(body_t *b, const char *s)
{
    memcpy(body + b->len, s, strlen(s));
    b->len += strlen(s);
}


static void
random_pieces(rng_t *r, body_t *b)
{
    size_t    want, choice;
    unsigned  n;

    want = rng_below(r, 4) ? 400 : 1200;
    want = rng_below(r, 4) ? want : MAX_SLOW - 60;
    choice = rng_below(r, 3) ? NCALM : NPIECES;

    while (b->len < want) {

        for (n = (unsigned) rng_below(r, 4); n; n--) {
            add(b, pieces[rng_below(r, choice)]);
        }

        fill(r, b, (uint8_t) "    aaaa1\r\t\n"[rng_below(r, 12)], 512);
    }
}


/* JSON, most of it, whose strings, numbers and spaces go up to seams */

static void
random_values(rng_t *r, body_t *b, guardrail_json_mode_e mode)
{
    char      kinds[LEVELS];
    size_t    want;
    unsigned  level, deepest, begun;

    want = rng_below(r, 4) ? 400 : 1400;
    want = rng_below(r, 4) ? want : MAX_SLOW - 60;
    deepest = (unsigned) (rng_below(r, 8) ? 2 + rng_below(r, 6) : LEVELS);
    level = 0;
    begun = 0;

    if (b->len && body[b->len - 1] == '[') {
        kinds[level++] = '[';
    }

    while (b->len < want || begun) {

        if (b->len > MAX) {
            want = 0;
        }

        if (rng_below(r, 6) == 0) {
            fill(r, b, (uint8_t) "   \t\r"[rng_below(r, 5)], 300);
        }

        if (begun && (b->len > want || rng_below(r, 3) == 0)) {

            /* the container ends, or the record */

            if (level == 0) {
                add(b, mode == GUARDRAIL_JSON_TEXT ? " "
                       : mode == GUARDRAIL_JSON_SEQ ? "\n\x1e"
                       : rng_below(r, 3) ? "\n" : "\r\n");
                begun = 0;
                continue;
            }

            level--;
            add(b, kinds[level] == '[' ? "]" : "}");
            continue;
        }

        if (begun) {
            add(b, level ? "," : mode == GUARDRAIL_JSON_SEQ ? "\x1e" : "\n");
        }

        if (level && kinds[level - 1] == '{') {
            random_key(r, b);
        }

        if (level < deepest && b->len <= want && rng_below(r, 3) == 0) {
            kinds[level] = rng_below(r, 2) ? '[' : '{';
            add(b, kinds[level] == '[' ? "[" : "{");
            level++;
            begun = 0;
            continue;
        }

        random_value(r, b);
        begun = 1;
    }
}


static void
random_key(rng_t *r, body_t *b)
{
    unsigned  n;

    n = (unsigned) rng_below(r, 10);

    add(b, "\"");
    add(b, escapes[rng_below(r, n == 1 ? NESCAPES : 2)]);

    if (n < 4) {
        fill(r, b, 'k', 200);
    }

    add(b, n % 2 ? "\":" : "key\" : ");

    if (n == 5) {
        fill(r, b, ' ', 200);
    }
}


static void
random_value(rng_t *r, body_t *b)
{
    unsigned  n;

    static const char  *scalars[] = {
        "1", "257", "-6", "true", "null", "1.5", "0", "[]", "{}", "\"\"",
        "[1,[2]]", "{\"a\":{}}", "\"b\""
    };

    switch (rng_below(r, 4)) {

    case 0:
        add(b, rng_below(r, 3) ? "1" : "-2");
        fill(r, b, '0' + (unsigned) rng_below(r, 10), 200);
        break;

    case 1:
        add(b, scalars[rng_below(r, sizeof(scalars) / sizeof(scalars[0]))]);
        break;

    default:
        add(b, "\"");
        fill(r, b, 'a', 600);

        for (n = (unsigned) rng_below(r, 3); n; n--) {
            add(b, escapes[rng_below(r, NESCAPES)]);

            if (rng_below(r, 2)) {
                fill(r, b, 'b', 300);
            }
        }

        add(b, "\"");
    }
}


/* one byte, or some, are something else, mostly where a block ends */

static void
spoil(rng_t *r, body_t *b)
{
    size_t       at, n;
    const char  *s;

    at = rng_below(r, b->len);

    if (b->nseams && rng_below(r, 3)) {
        at = b->seams[rng_below(r, b->nseams)] + rng_below(r, 4);
        at = (at > 2) ? at - 2 : 0;
    }

    s = pieces[rng_below(r, NPIECES)];

    for (n = 0; s[n] && at + n < b->len; n++) {
        body[at + n] = (uint8_t) s[n];
    }
}


/* without limits, and near some; whole, and cut where blocks end */

static int
check_random(rng_t *r, const body_t *b, guardrail_json_limits_t *limits)
{
    int                      pass;
    size_t                   i, n, at, cuts[5];
    unsigned                 k, each;
    result_t                 whole;
    guardrail_json_limits_t  l;

    pass = 1;

    for (each = 0; each < 4 && pass; each++) {
        with_memory = each & 1;

        l = *limits;
        l.refuse_utf16 = (unsigned) rng_below(r, 2);

        if (each > 1) {
            random_limits(r, &l, b->len);
        }

        run(0, &l, b->len, NULL, &whole);

        if (b->len <= MAX_SLOW && !l.strict && l.memory == NL) {
            pass &= check_model(&l, b->len, &whole);
        }

        cuts[0] = NL;
        pass &= check(&l, b->len, cuts, &whole);

        for (k = 0; k < 4; k++) {
            at = 0;

            if (k == 0 && b->base != 16) {
                cuts[0] = b->base;
                cuts[1] = NL;

                pass &= check(&l, b->len, cuts, &whole);
                continue;
            }

            for (n = 0; n < k + 1 && b->nseams; n++) {
                i = b->seams[rng_below(r, b->nseams)] + rng_below(r, 5);
                i = (i > 2) ? i - 2 : i;
                at = (i > at) ? i : at + 15 + rng_below(r, 130);
                cuts[n] = at;
            }

            cuts[n] = NL;
            pass &= check(&l, b->len, cuts, &whole);
        }
    }

    return pass;
}


/* one limit, or two, at the least that does not refuse, or one below */

static void
random_limits(rng_t *r, guardrail_json_limits_t *limits, size_t len)
{
    uint64_t   v, *all_limits[10];
    unsigned   n, i;

    all_limits[0] = &limits->depth;
    all_limits[1] = &limits->keys;
    all_limits[2] = &limits->items;
    all_limits[3] = &limits->tokens;
    all_limits[4] = &limits->key;
    all_limits[5] = &limits->string;
    all_limits[6] = &limits->number;
    all_limits[7] = &limits->max_records;
    all_limits[8] = &limits->max_record_size;
    all_limits[9] = &limits->memory;

    for (n = 1 + (unsigned) rng_below(r, 2); n; n--) {
        i = (unsigned) rng_below(r, 9 + with_memory);
        v = least(limits, all_limits[i], len);

        switch (rng_below(r, 5)) {

        case 0:
            v += (i == 9) ? rng_below(r, 120000) : 1 + rng_below(r, 64);
            break;

        case 1:
            v = (i == 9 && v) ? rng_below(r, (size_t) v) : v;
            break;

        case 2:
        case 3:
            v -= (v != 0);
        }

        *all_limits[i] = v;
    }

    if (rng_below(r, 4) == 0 && limits->keys == NL) {
        limits->keys = 100000;
    }
}


/* the least for which the body is not refused; 0 if it is anyway */

static uint64_t
least(guardrail_json_limits_t *limits, uint64_t *limit, size_t len)
{
    uint64_t  low, high, before;
    result_t  r;

    low = 0;
    high = (limit == &limits->memory) ? 1 << 20 : sizeof(body);
    before = *limit;

    while (low < high) {
        *limit = (low + high) / 2;

        run(0, limits, len, NULL, &r);

        if (r.finish == GUARDRAIL_OK) {
            high = *limit;

        } else {
            low = *limit + 1;
        }
    }

    *limit = before;

    return (low < sizeof(body) || limit == &limits->memory) ? low : 0;
}


static int
check_model(const guardrail_json_limits_t *limits, size_t len,
    const result_t *r)
{
    size_t  used;

    static jm_t  m;

    jm_judge(&m, limits, body, len, &used);

    if (m.r.rc == r->finish && used == r->used && m.r.limit == r->s.limit
        && m.r.observed == r->s.observed && m.r.records == r->s.records
        && m.r.largest == r->s.largest && m.r.deepest == r->s.deepest
        && m.r.tokens == r->s.tokens && m.r.continued == r->s.continued)
    {
        return 1;
    }

    tap_diag("the model: used %zu, rc %d, records %" PRIu64 ", tokens %"
             PRIu64 "; scalar: used %zu, rc %d, records %" PRIu64
             ", tokens %" PRIu64, used, (int) m.r.rc, m.r.records, m.r.tokens,
             r->used, (int) r->finish, r->s.records, r->s.tokens);
    show(limits, len, NULL);

    return 0;
}


/* each implementation in these pieces, against the whole, byte by byte */

static int
check(const guardrail_json_limits_t *limits, size_t len, const size_t *cuts,
    const result_t *whole)
{
    int       pass;
    result_t  r;
    unsigned  k;

    pass = 1;

    for (k = 0; k < 4; k++) {

        if (all[k] == NULL) {
            continue;
        }

        run(k, limits, len, cuts, &r);

        if (same(&r, whole)) {
            continue;
        }

        pass = 0;

        tap_diag("%s: rc %d %d, used %zu %zu, estimate %" PRIu64 " %" PRIu64
                 ", records %" PRIu64 " %" PRIu64 ", tokens %" PRIu64 " %"
                 PRIu64 ", state %u %u, prev %u %u, flags %x %x",
                 guardrail_json_name(all[k]), (int) r.finish,
                 (int) whole->finish, r.used, whole->used, r.estimate,
                 whole->estimate, r.s.records, whole->s.records, r.s.tokens,
                 whole->s.tokens, (unsigned) r.s.state,
                 (unsigned) whole->s.state, (unsigned) r.s.prev,
                 (unsigned) whole->s.prev, (unsigned) r.s.flags,
                 (unsigned) whole->s.flags);
        show(limits, len, cuts);
    }

    return pass;
}


static unsigned
same(const result_t *a, const result_t *b)
{
    return a->used == b->used && a->feed == b->feed && a->finish == b->finish
           && a->estimate == b->estimate && a->s.records == b->s.records
           && a->s.largest == b->s.largest && a->s.deepest == b->s.deepest
           && a->s.tokens == b->s.tokens && a->s.continued == b->s.continued
           && a->s.limit == b->s.limit && a->s.observed == b->s.observed
           && a->s.level == b->s.level && a->s.bits == b->s.bits
           && a->s.count == b->s.count && a->s.length == b->s.length
           && a->s.start == b->s.start && a->s.state == b->s.state
           && a->s.flags == b->s.flags && a->s.run == b->s.run
           && a->s.last == b->s.last && a->s.offset == b->s.offset
           && (a->s.memory == NULL || a->s.line == b->s.line)
           && (a->s.state != 0 || a->s.prev == b->s.prev)
           && (a->feed != GUARDRAIL_OK
               || (a->s.strict.state == b->s.strict.state
                   && a->s.strict.level == b->s.strict.level
                   && a->s.strict.bits == b->s.strict.bits
                   && a->s.strict.begun == b->s.strict.begun
                   && a->s.strict.open == b->s.strict.open));
}


/* in pieces up to cuts, each of the exact length, for the sanitizer */

static void
run(unsigned which, const guardrail_json_limits_t *limits, size_t len,
    const size_t *cuts, result_t *r)
{
    size_t            i, n, used;
    uint8_t          *copy;
    guardrail_json_t  s;

    static guardrail_json_memory_t  m;

    if (guardrail_json_stack(limits) > sizeof(words)) {
        abort();
    }

    guardrail_json_init(&s, all[which], limits, words);

    if (with_memory) {
        guardrail_json_memory_init(&m, limits->mode == GUARDRAIL_JSON_TEXT
                                       ? GUARDRAIL_JSON_MEMORY_DOCUMENT
                                       : (len & 1)
                                         ? GUARDRAIL_JSON_MEMORY_BODY
                                         : GUARDRAIL_JSON_MEMORY_RECORD);
        guardrail_json_attach(&s, &m);
    }

    r->used = 0;
    r->feed = GUARDRAIL_OK;

    for (i = 0; i < len && r->feed == GUARDRAIL_OK; i += n) {

        while (cuts && *cuts <= i) {
            cuts++;
        }

        n = (cuts && *cuts < len) ? *cuts - i : len - i;

        copy = malloc(n);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy, body + i, n);

        r->feed = guardrail_json_feed(&s, copy, n, &used);
        r->used += used;

        free(copy);
    }

    r->s = s;
    r->finish = guardrail_json_finish(&s);
    r->estimate = guardrail_json_estimate(&s);

    /* the last one may be refused for what is missing */

    r->s.limit = s.limit;
    r->s.observed = s.observed;
    r->s.largest = s.largest;
}


static void
show(const guardrail_json_limits_t *limits, size_t len, const size_t *cuts)
{
    size_t  i;

    tap_diag("mode:%u strict:%u memory:%u depth:%" PRId64 " keys:%" PRId64
             " items:%" PRId64 " tokens:%" PRId64 " key:%" PRId64
             " string:%" PRId64 " number:%" PRId64 " records:%" PRId64
             " size:%" PRId64 " bytes:%" PRId64, (unsigned) limits->mode,
             limits->strict, with_memory, (int64_t) limits->depth,
             (int64_t) limits->keys, (int64_t) limits->items,
             (int64_t) limits->tokens, (int64_t) limits->key,
             (int64_t) limits->string, (int64_t) limits->number,
             (int64_t) limits->max_records,
             (int64_t) limits->max_record_size, (int64_t) limits->memory);

    for (i = 0; cuts && cuts[i] != NL; i++) {
        tap_diag("cut at %zu", cuts[i]);
    }

    printf("# ");

    for (i = 0; i < len; i++) {

        if (body[i] < 0x20 || body[i] > 0x7e) {
            printf("<%02x>", (unsigned) body[i]);

        } else {
            printf("%c", body[i]);
        }
    }

    printf("\n");
}


static void
no_limits(guardrail_json_limits_t *limits, unsigned mode, unsigned strict)
{
    memset(limits, 0xff, sizeof(guardrail_json_limits_t));

    limits->mode = (guardrail_json_mode_e) mode;
    limits->strict = strict;
    limits->refuse_utf16 = 0;
    limits->depth = 1024;
}


static uint64_t
get_seed(void)
{
    const char  *env;

    env = getenv("GUARDRAIL_SEED");

    return env ? strtoull(env, NULL, 0) : 20261128;
}
