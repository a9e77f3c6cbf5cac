
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON: every limit at its value and one beyond, what no parser
 * should accept, every split of each input, and every implementation against
 * a model that sees the whole body at once.
 */


#include <stdlib.h>

#include "json/guardrail_json.h"
#include "json_model.h"
#include "tap.h"


#define MAX_OPS   4
#define MAX_BODY  8192
#define NL        GUARDRAIL_NO_LIMIT

/* all strings up to this length, and that many random bodies */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED  1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED  1
#endif
#endif

#if (SANITIZED)
#define LENGTH     3
#define BODIES     300
#else
#define LENGTH     4
#define BODIES     4000
#endif


typedef struct {
    guardrail_rc_e  rc;
    size_t          used;               /* bytes judged; the last refused */
    unsigned        finish;             /* refused at the end */
    unsigned        continued;
    uint64_t        limit;
    uint64_t        observed;
    uint64_t        records;
    uint64_t        largest;
    uint64_t        deepest;
    uint64_t        tokens;
} result_t;


/* one limit, and a body that meets it; or is refused at byte "used" */

typedef struct {
    const char             *name;
    const char             *body;
    size_t                  len;
    guardrail_json_mode_e   mode;
    guardrail_rc_e          which;      /* the limit, or 0 */
    uint64_t                limit;
    guardrail_rc_e          rc;
    size_t                  used;
} limit_case_t;


typedef struct {
    const char             *name;
    const char             *body;
    size_t                  len;
    guardrail_json_mode_e   mode;
    uint64_t                records;
    uint64_t                largest;
    uint64_t                deepest;
    uint64_t                tokens;
} measure_case_t;


static void find_ops(void);
static void test_limits(void);
static void test_measures(void);
static void test_order(void);
static void test_utf16(void);
static void test_api(void);
static void test_stack(void);
static void test_deep(void);
static void test_sizes(void);
static void test_lengths(void);
static void test_exhaustive(void);
static void test_random(void);
static void no_limits(guardrail_json_limits_t *limits,
    guardrail_json_mode_e mode);
static uint64_t *limit_of(guardrail_json_limits_t *limits,
    guardrail_rc_e which);
static size_t random_body(uint8_t *p, size_t max);
static void random_limits(guardrail_json_limits_t *limits);
static void judge(const guardrail_json_limits_t *limits, const uint8_t *p,
    size_t len, result_t *r);
static int check_all(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits, const result_t *expected);
static int check_splits(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits, const result_t *expected);
static int check_cuts(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits, const result_t *expected,
    const size_t *cuts, unsigned ncuts);
static void run(const guardrail_json_ops_t *ops,
    const guardrail_json_limits_t *limits, const uint8_t *p, size_t len,
    const size_t *cuts, unsigned ncuts, result_t *r);
static int same(const result_t *a, const result_t *b);
static void show(const char *what, const result_t *r);
static void show_body(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits);
static uint64_t rnd(void);


static const guardrail_json_ops_t  *ops_list[MAX_OPS];
static unsigned                     nops;
static uint64_t                     rnd_state;
static jm_t                         model;


#define B(s)  s, sizeof(s) - 1

#define OK       GUARDRAIL_OK
#define RECORDS  GUARDRAIL_MAX_RECORDS
#define SIZE     GUARDRAIL_MAX_RECORD_SIZE
#define DEPTH    GUARDRAIL_JSON_DEPTH
#define KEYS     GUARDRAIL_JSON_KEYS
#define ITEMS    GUARDRAIL_JSON_ITEMS
#define TOKENS   GUARDRAIL_JSON_TOKENS
#define KEY      GUARDRAIL_JSON_KEY
#define STRING   GUARDRAIL_JSON_STRING
#define NUMBER   GUARDRAIL_JSON_NUMBER
#define BAD      GUARDRAIL_MALFORMED_JSON

#define TEXT     GUARDRAIL_JSON_TEXT
#define SEQ      GUARDRAIL_JSON_SEQ
#define LINES    GUARDRAIL_JSON_LINES
#define AUTO     GUARDRAIL_JSON_LINES_AUTO

#define MARK     "\xef\xbb\xbf"


static const limit_case_t  limit_cases[] = {

    /* name, body, mode, which, limit, rc, used */

    /* depth */

    { "depth: at the limit", B("[{\"a\":[]}]"), TEXT, DEPTH, 3, OK, 10 },
    { "depth: one beyond", B("[{\"a\":[[]]}]"), TEXT, DEPTH, 3, DEPTH, 8 },
    { "depth: none allowed", B("1 []"), TEXT, DEPTH, 0, DEPTH, 3 },
    { "depth: closed and opened again", B("[[],[],{}]"), TEXT, DEPTH, 2,
      OK, 10 },
    { "depth: brackets in strings", B("[\"[[[\\\"{{[\"]"), TEXT, DEPTH, 1,
      OK, 12 },
    { "depth: the other bracket closes nothing", B("[}[}[}"), TEXT, DEPTH, 2,
      DEPTH, 5 },
    { "depth: too many closed", B("]]]]}}[[]]"), TEXT, DEPTH, 2, OK, 10 },
    { "depth: a line starts again", B("[[\n[[\n"), LINES, DEPTH, 2, OK, 6 },
    { "depth: a line goes on under auto", B("[[\n[[\n"), AUTO, DEPTH, 2,
      DEPTH, 4 },
    { "depth: bracket and newline, auto", B("[\n[\n[\n[\n"), AUTO, DEPTH, 3,
      DEPTH, 7 },
    { "depth: a record of a sequence starts again", B("\x1e[[\x1e[["), SEQ,
      DEPTH, 2, OK, 6 },
    { "depth: LF in a sequence is space", B("\x1e[[\n["), SEQ, DEPTH, 2,
      DEPTH, 5 },
    { "depth: in a string cut by a newline", B("[\"abc\n[["), AUTO, DEPTH, 2,
      DEPTH, 8 },
    { "depth: in one cut behind a backslash", B("[\"abc\\\n[["), AUTO, DEPTH,
      2, DEPTH, 9 },
    { "depth: a newline in a string of a document", B("[\"abc\n[[\"]"), TEXT,
      DEPTH, 2, OK, 10 },
    { "depth: RS cuts a string", B("\x1e\"abc\x1e[["), SEQ, DEPTH, 1,
      DEPTH, 8 },
    { "depth: CR, VT, RS end no line of the state", B("[\r[\v[\x1e["), LINES,
      DEPTH, 3, DEPTH, 7 },
    { "depth: a quote in a comment", B("/*\"*/[[]]"), TEXT, DEPTH, 1,
      DEPTH, 7 },
    { "depth: a quote in a comment of a line", B("//\"\n[[]]"), TEXT, DEPTH,
      1, DEPTH, 6 },
    { "depth: a quote in a comment of a hash", B("#\"\r[[]]"), TEXT, DEPTH,
      1, DEPTH, 5 },
    { "depth: stars in a comment", B("/***\"**/[[]]"), TEXT, DEPTH, 1,
      DEPTH, 10 },
    { "depth: no comment after all", B("/\"[[[\""), TEXT, DEPTH, 0, OK, 6 },
    { "depth: a quote in apostrophes", B("['\"',[]]"), TEXT, DEPTH, 1,
      DEPTH, 6 },
    { "depth: an apostrophe behind a backslash", B("['\\'\"',[]]"), TEXT,
      DEPTH, 1, DEPTH, 8 },
    { "depth: brackets in apostrophes", B("['[[[',1]"), TEXT, DEPTH, 1,
      OK, 9 },
    { "depth: apostrophes in strings", B("[\"it's\",\"isn't\"]"), TEXT, DEPTH,
      1, OK, 16 },
    { "depth: slashes in strings", B("[\"http://a/*b*/#\",[]]"), TEXT, DEPTH,
      2, OK, 21 },
    { "depth: an apostrophe open at a line's end", B("'\n[["), TEXT, DEPTH, 1,
      DEPTH, 4 },
    { "depth: backslash and quote outside strings", B("\\\"[[[\""), TEXT,
      DEPTH, 0, OK, 6 },
    { "depth: escaped quotes", B("\"\\\\\"[\"\\\\\\\"[\"[["), TEXT, DEPTH, 1,
      DEPTH, 13 },

    /* keys */

    { "keys: at the limit", B("{\"a\":1,\"b\":2}"), TEXT, KEYS, 2, OK, 13 },
    { "keys: one beyond, at its quote", B("{\"a\":1,\"b\":2}"), TEXT, KEYS,
      1, KEYS, 8 },
    { "keys: none allowed", B("[{}, {\"a\":1}]"), TEXT, KEYS, 0, KEYS, 7 },
    { "keys: of each object", B("{\"a\":{\"b\":1},\"c\":{\"d\":1}}"), TEXT,
      KEYS, 2, OK, 25 },
    { "keys: after an inner object", B("{\"a\":{\"b\":1},\"c\":2,\"d\":3}"),
      TEXT, KEYS, 2, KEYS, 20 },
    { "keys: strings that are values", B("{\"a\":\"b\",\"c\" : \"d\"}"), TEXT,
      KEYS, 2, OK, 19 },
    { "keys: without quotes", B("{a:1,b:2,c:3}"), TEXT, KEYS, 2, KEYS, 10 },
    { "keys: without commas", B("{\"a\":1 \"b\":2 \"c\":3}"), TEXT, KEYS, 2,
      KEYS, 14 },
    { "keys: without values", B("{\"a\" \"b\" \"c\"}"), TEXT, KEYS, 2,
      KEYS, 10 },
    { "keys: commas alone", B("{,,,}"), TEXT, KEYS, 2, KEYS, 4 },
    { "keys: in an array they are none", B("[\"a\":1,\"b\":2]"), TEXT, KEYS,
      0, OK, 13 },
    { "keys: of a line that goes on", B("{\"a\":1,\n\"b\":2,\n\"c\":3}"),
      AUTO, KEYS, 2, KEYS, 16 },
    { "keys: of each line", B("{\"a\":1,\n\"b\":2,\n\"c\":3}"), LINES, KEYS,
      1, OK, 21 },

    /* items */

    { "items: at the limit", B("[1,\"2\",[],{}]"), TEXT, ITEMS, 4, OK, 13 },
    { "items: one beyond, at its first byte", B("[1,\"2\",[],{}]"), TEXT,
      ITEMS, 3, ITEMS, 11 },
    { "items: none allowed", B("[[]]"), TEXT, ITEMS, 0, ITEMS, 2 },
    { "items: after an inner array", B("[[1,2],3,4]"), TEXT, ITEMS, 2,
      ITEMS, 10 },
    { "items: without commas", B("[1 2 3]"), TEXT, ITEMS, 2, ITEMS, 6 },
    { "items: commas alone", B("[,,,]"), TEXT, ITEMS, 2, ITEMS, 4 },
    { "items: a comma behind the last", B("[1,2,]"), TEXT, ITEMS, 2, OK, 6 },
    { "items: comments", B("[/**//**/]"), TEXT, ITEMS, 1, ITEMS, 6 },
    { "items: values of an object are none", B("{\"a\":1,\"b\":2}"), TEXT,
      ITEMS, 0, OK, 13 },
    { "items: a bracket of the other kind", B("[1}2}3]"), TEXT, ITEMS, 2,
      ITEMS, 6 },
    { "items: in apostrophes", B("['a','b','c']"), TEXT, ITEMS, 2,
      ITEMS, 10 },

    /* tokens */

    { "tokens: values and keys", B("{\"a\":[1,null,\"x\"]}"), TEXT, TOKENS,
      6, OK, 18 },
    { "tokens: one beyond", B("{\"a\":[1,null,\"x\"]}"), TEXT, TOKENS, 5,
      TOKENS, 14 },
    { "tokens: of the body", B("[1,2]\n[3,4]"), TEXT, TOKENS, 5, TOKENS, 10 },
    { "tokens: of each line", B("[1,2]\n[3,4]"), LINES, TOKENS, 3, OK, 11 },
    { "tokens: of each line, auto", B("[1,2]\n[3,4]"), AUTO, TOKENS, 3,
      OK, 11 },
    { "tokens: of a line that goes on", B("[1,2\n,3,4]"), AUTO, TOKENS, 4,
      TOKENS, 9 },
    { "tokens: of each record", B("\x1e[1,2]\n\x1e[3,4]\n"), SEQ, TOKENS, 3,
      OK, 14 },
    { "tokens: zeros side by side", B("0000"), TEXT, TOKENS, 3, TOKENS, 4 },
    { "tokens: minuses side by side", B("1-1-1"), TEXT, TOKENS, 2,
      TOKENS, 4 },
    { "tokens: an exponent is no other value", B("-1.0e-05E"), TEXT, TOKENS,
      1, OK, 9 },
    { "tokens: words side by side", B("truefalsenullNaN-Infinity1"), TEXT,
      TOKENS, 5, TOKENS, 26 },
    { "tokens: literals of Python", B("NaN Infinity -Infinity"), TEXT,
      TOKENS, 3, OK, 22 },

    /* key, string */

    { "key: at the limit", B("{\"abc\":1}"), TEXT, KEY, 3, OK, 9 },
    { "key: one beyond", B("{\"abcd\":1}"), TEXT, KEY, 3, KEY, 6 },
    { "key: the second one", B("{\"a\":1, \"abcd\":1}"), TEXT, KEY, 3,
      KEY, 13 },
    { "key: a value is none", B("{\"a\":\"bcdef\"}"), TEXT, KEY, 1, OK, 13 },
    { "key: an item is none", B("[\"bcdef\"]"), TEXT, KEY, 1, OK, 9 },
    { "key: escapes count as written", B("{\"\\u0041\":1}"), TEXT, KEY, 5,
      KEY, 8 },
    { "key: where a value has no comma", B("{\"a\":1 \"bcd\":1}"), TEXT, KEY,
      2, KEY, 11 },
    { "key: in apostrophes", B("{'abc':1}"), TEXT, KEY, 2, KEY, 5 },
    { "key: unterminated", B("{\"abcdef"), TEXT, KEY, 5, KEY, 8 },
    { "key: behind a newline", B("{\n\n \"abc\" : 1}"), TEXT, KEY, 2, KEY, 8 },
    { "string: at the limit", B("\"abc\""), TEXT, STRING, 3, OK, 5 },
    { "string: one beyond", B("\"abcd\""), TEXT, STRING, 3, STRING, 5 },
    { "string: empty", B("[\"\",\"\"]"), TEXT, STRING, 0, OK, 7 },
    { "string: a key is none", B("{\"abc\":\"d\"}"), TEXT, STRING, 1, OK, 11 },
    { "string: a value", B("{\"a\" : \"dd\"}"), TEXT, STRING, 1,
      STRING, 10 },
    { "string: a quote behind a backslash counts", B("\"a\\\"b\""), TEXT,
      STRING, 3, STRING, 5 },
    { "string: unterminated", B("\"abcdef"), TEXT, STRING, 5, STRING, 7 },
    { "string: control characters", B("\"a\0\n\t\x1e" "f\""), TEXT, STRING,
      5, STRING, 7 },
    { "string: closed by a newline", B("\"ab\ncd\""), LINES, STRING, 3,
      OK, 7 },
    { "string: not cut by CR", B("\"ab\rcd\""), LINES, STRING, 3,
      STRING, 5 },
    { "string: above 7F", B("\"\xc3\xa9\xc3\xa9\""), TEXT, STRING, 3,
      STRING, 5 },

    /* number */

    { "number: at the limit", B("[-12,1.5]"), TEXT, NUMBER, 3, OK, 9 },
    { "number: one beyond", B("[-123,1.5]"), TEXT, NUMBER, 3, NUMBER, 5 },
    { "number: none allowed", B("[\"a\",1]"), TEXT, NUMBER, 0, NUMBER, 6 },
    { "number: digits in strings", B("[\"12345\"]"), TEXT, NUMBER, 3,
      OK, 9 },
    { "number: true, false, null are none", B("[true,false,null]"), TEXT,
      NUMBER, 1, OK, 17 },
    { "number: NaN and Infinity are none", B("[NaN,Infinity]"), TEXT, NUMBER,
      1, OK, 14 },
    { "number: behind a word", B("[null123456]"), TEXT, NUMBER, 5,
      NUMBER, 10 },
    { "number: unterminated", B("123456"), TEXT, NUMBER, 5, NUMBER, 6 },
    { "number: each line", B("123\n456"), LINES, NUMBER, 3, OK, 7 },
    { "number: a plus, a point", B("[+12,.123]"), TEXT, NUMBER, 3,
      NUMBER, 9 },

    /* max_records of a document */

    { "records: elements of an array", B("[1,2,[3,3]]"), TEXT, RECORDS, 3,
      OK, 11 },
    { "records: one element more", B("[1,2,[3,3],4]"), TEXT, RECORDS, 3,
      RECORDS, 12 },
    { "records: none", B(" [ ] "), TEXT, RECORDS, 0, OK, 5 },
    { "records: one value", B("{\"a\":[1,2,3]}"), TEXT, RECORDS, 1, OK, 13 },
    { "records: none allowed", B("\n 1"), TEXT, RECORDS, 0, RECORDS, 3 },
    { "records: lines labelled as a document", B("{}\n{}\n{}\n"), TEXT,
      RECORDS, 2, RECORDS, 7 },
    { "records: values behind the array", B("[1,2]{}[]"), TEXT, RECORDS, 3,
      RECORDS, 8 },
    { "records: a further array is one", B("[1][2,3,4]"), TEXT, RECORDS, 2,
      OK, 10 },
    { "records: strings side by side", B("\"\"\"\"\"\""), TEXT, RECORDS, 2,
      RECORDS, 5 },
    { "records: numbers side by side", B("00"), TEXT, RECORDS, 1,
      RECORDS, 2 },
    { "records: an array behind a comment", B("/**/[1,2]"), TEXT, RECORDS, 2,
      RECORDS, 8 },
    { "records: an array behind what guards it", B(")]}',\n[1,2]"), TEXT,
      RECORDS, 3, RECORDS, 10 },
    { "records: an array behind a mark", B(MARK "[1,2]"), TEXT, RECORDS, 2,
      OK, 8 },
    { "records: commas in the array", B("[,,,]"), TEXT, RECORDS, 2,
      RECORDS, 4 },
    { "records: of a sequence", B("\x1e{}\n\x1e[1,2]\n\x1e 3\n"), SEQ,
      RECORDS, 3, OK, 15 },
    { "records: of a sequence, one beyond", B("\x1e{}\n\x1e[1,2]\n\x1e 3\n"),
      SEQ, RECORDS, 2, RECORDS, 14 },
    { "records: before the first RS", B(" {}\x1e{}"), SEQ, RECORDS, 1,
      RECORDS, 5 },
    { "records: further values in one", B("\x1e" "1 2 3\n"), SEQ, RECORDS, 2,
      RECORDS, 6 },
    { "records: RS alone", B("\x1e\x1e \x1e\n"), SEQ, RECORDS, 0, OK, 5 },
    { "records: of lines are counted elsewhere", B("{}\n{}\n"), LINES,
      RECORDS, 0, OK, 6 },

    /* max_record_size */

    { "size: of an element, at the limit", B("[  123  , {\"a\":1} ]"), TEXT,
      SIZE, 7, OK, 19 },
    { "size: of an element, one beyond", B("[1, {\"a\": 1} ]"), TEXT, SIZE, 7,
      SIZE, 12 },
    { "size: white space in an element", B("[{         }]"), TEXT, SIZE, 5,
      SIZE, 7 },
    { "size: white space between elements", B("[1          ,2        ]"),
      TEXT, SIZE, 1, OK, 23 },
    { "size: a document", B(" {\"a\":[1,2]} "), TEXT, SIZE, 10, SIZE, 12 },
    { "size: a string", B("[\"abc\"]"), TEXT, SIZE, 4, SIZE, 6 },
    { "size: of a record", B("\x1e{}  \n\x1e {   }\n"), SEQ, SIZE, 5,
      OK, 14 },
    { "size: of a record, one beyond", B("\x1e{}  \n\x1e {    }\n"), SEQ,
      SIZE, 5, SIZE, 14 },
    { "size: values of one record", B("\x1e" "1 2  \n3\n"), SEQ, SIZE, 6,
      SIZE, 8 },

    /* order at one byte is in test_order() */

    { "nothing", B(""), TEXT, RECORDS, 0, OK, 0 }
};


static const measure_case_t  measure_cases[] = {

    /* name, body, mode, records, largest, deepest, tokens */

    { "nothing", B(""), TEXT, 0, 0, 0, 0 },
    { "white space", B(" \r\n\t"), TEXT, 0, 0, 0, 0 },
    { "a byte order mark", B(MARK), TEXT, 0, 0, 0, 0 },
    { "half a byte order mark", B("\xef\xbb"), TEXT, 1, 2, 0, 1 },
    { "a mark and a value", B(MARK "{}"), TEXT, 1, 2, 1, 1 },
    { "two marks", B(MARK MARK), TEXT, 1, 3, 0, 1 },
    { "a mark of each line", B(MARK "{}\n" MARK "1"), LINES, 0, 0, 1, 1 },
    { "a mark of each record", B("\x1e" MARK "{}\n\x1e" MARK "1"), SEQ, 2, 2,
      1, 1 },
    { "a scalar", B("12"), TEXT, 1, 2, 0, 1 },
    { "a string", B("\"\\\"\""), TEXT, 1, 4, 0, 1 },
    { "an array", B("[1, {\"a\":[]}, null]"), TEXT, 3, 8, 3, 6 },
    { "an empty array", B("[]"), TEXT, 0, 0, 1, 1 },
    { "an array that does not end", B("[1,{\"a\": "), TEXT, 2, 6, 2, 4 },
    { "an array in an array", B("[[1,2],[3]]"), TEXT, 2, 5, 2, 6 },
    { "a bracket alone", B("]"), TEXT, 1, 1, 0, 0 },
    { "a comma alone", B(","), TEXT, 1, 1, 0, 0 },
    { "a colon alone", B(":"), TEXT, 1, 1, 0, 0 },
    { "a comment", B("/* [ */"), TEXT, 1, 7, 0, 1 },
    { "lines", B("{\"a\":1}\n[[[1]]]\n{\"b\":2}\n"), LINES, 0, 0, 3, 0 },
    { "the last line", B("{\"a\":1}\n{\"b\":2}"), LINES, 0, 0, 1, 3 },
    { "lines that go on", B("{\"a\":1,\n\"b\":[\n2]}"), AUTO, 0, 0, 2, 6 },
    { "records", B("\x1e{\"a\":1}\n\x1e[1]  \n"), SEQ, 2, 7, 1, 2 },
    { "records that do not end", B("\x1e{\"a\":1\n\x1e[1, "), SEQ, 2, 7, 1,
      2 }
};


int
main(void)
{
    find_ops();

    test_limits();
    test_measures();
    test_order();
    test_utf16();
    test_api();
    test_stack();
    test_deep();
    test_sizes();
    test_lengths();
    test_exhaustive();
    test_random();

    return tap_done();
}


static void
find_ops(void)
{
    unsigned  i;

    static const char  *names[] = { "scalar", "sse2", "avx2", "neon" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ops_list[nops] = guardrail_json_by_name(names[i]);

        if (ops_list[nops] == NULL) {
            tap_diag("no %s here", names[i]);
            continue;
        }

        tap_is_str(guardrail_json_name(ops_list[nops]), names[i],
                   "implementation %s", names[i]);
        nops++;
    }

    tap_ok(guardrail_json_by_name("none") == NULL, "none of another name");
    tap_ok(guardrail_json_select() == ops_list[nops - 1],
           "the fastest is selected");
}


static void
no_limits(guardrail_json_limits_t *limits, guardrail_json_mode_e mode)
{
    memset(limits, 0, sizeof(guardrail_json_limits_t));

    limits->depth = NL;
    limits->keys = NL;
    limits->items = NL;
    limits->tokens = NL;
    limits->key = NL;
    limits->string = NL;
    limits->number = NL;
    limits->max_records = NL;
    limits->max_record_size = NL;
    limits->memory = NL;
    limits->mode = mode;
}


static uint64_t *
limit_of(guardrail_json_limits_t *limits, guardrail_rc_e which)
{
    switch (which) {

    case RECORDS:
        return &limits->max_records;

    case SIZE:
        return &limits->max_record_size;

    case DEPTH:
        return &limits->depth;

    case KEYS:
        return &limits->keys;

    case ITEMS:
        return &limits->items;

    case TOKENS:
        return &limits->tokens;

    case KEY:
        return &limits->key;

    case STRING:
        return &limits->string;

    default: /* NUMBER */
        return &limits->number;
    }
}


static void
test_limits(void)
{
    int                       pass;
    unsigned                  i;
    result_t                  r;
    const limit_case_t       *c;
    guardrail_json_limits_t   limits;

    for (i = 0; i < sizeof(limit_cases) / sizeof(limit_cases[0]); i++) {
        c = &limit_cases[i];

        no_limits(&limits, c->mode);
        *limit_of(&limits, c->which) = c->limit;

        run(ops_list[0], &limits, (const uint8_t *) c->body, c->len, NULL, 0,
            &r);

        pass = (r.rc == c->rc && r.used == c->used);

        if (c->rc != OK) {
            pass &= (r.observed == r.limit + 1 && r.limit >= c->limit);
        }

        if (!pass) {
            show("got", &r);
        }

        judge(&limits, (const uint8_t *) c->body, c->len, &r);
        pass &= check_splits((const uint8_t *) c->body, c->len, &limits, &r);

        tap_ok(pass, "%s", c->name);
    }
}


static void
test_measures(void)
{
    unsigned                   i;
    result_t                   r;
    const measure_case_t      *c;
    guardrail_json_limits_t    limits;

    for (i = 0; i < sizeof(measure_cases) / sizeof(measure_cases[0]); i++) {
        c = &measure_cases[i];

        no_limits(&limits, c->mode);

        memset(&r, 0, sizeof(r));
        r.used = c->len;
        r.records = c->records;
        r.largest = c->largest;
        r.deepest = c->deepest;
        r.tokens = c->tokens;
        r.continued = (c->mode == AUTO);

        tap_ok(check_splits((const uint8_t *) c->body, c->len, &limits, &r),
               "measured: %s", c->name);
    }
}


/* one byte that exceeds everything: which limit is named */

static void
test_order(void)
{
    unsigned                  i;
    result_t                  r;
    guardrail_json_limits_t   limits;

    static const guardrail_rc_e  arrays[] = {
        RECORDS, SIZE, DEPTH, ITEMS, TOKENS
    };

    no_limits(&limits, TEXT);
    limits.strict = 1;

    for (i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        *limit_of(&limits, arrays[i]) = (arrays[i] == DEPTH
                                         || arrays[i] == TOKENS);
    }

    /* the second bracket: a record, its size, depth, an item, a token */

    for (i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        run(ops_list[0], &limits, (const uint8_t *) "[[", 2, NULL, 0, &r);

        tap_ok(r.rc == arrays[i] && r.used == 2, "named at one byte: %s",
               guardrail_rc_info(arrays[i])->name);

        *limit_of(&limits, arrays[i]) = NL;
    }

    no_limits(&limits, TEXT);
    limits.strict = 1;
    limits.number = 0;
    limits.tokens = 0;

    run(ops_list[0], &limits, (const uint8_t *) "+", 1, NULL, 0, &r);
    tap_ok(r.rc == TOKENS, "tokens before number");

    limits.tokens = NL;
    run(ops_list[0], &limits, (const uint8_t *) "+", 1, NULL, 0, &r);
    tap_ok(r.rc == NUMBER, "number before malformed");

    limits.number = NL;
    run(ops_list[0], &limits, (const uint8_t *) "+", 1, NULL, 0, &r);
    tap_ok(r.rc == BAD, "malformed is the last");

    limits.string = 0;
    run(ops_list[0], &limits, (const uint8_t *) "\"\n", 2, NULL, 0, &r);
    tap_ok(r.rc == STRING && r.used == 2, "string before malformed");

    run(ops_list[0], &limits, (const uint8_t *) ",\"a", 3, NULL, 0, &r);
    tap_ok(r.rc == BAD && r.used == 1 && r.tokens == 0,
           "malformed at an earlier byte comes first");
}


static void
test_utf16(void)
{
    unsigned                  i;
    result_t                  r, m;
    guardrail_json_limits_t   limits;

    static const struct {
        const char             *name;
        const char             *body;
        size_t                  len;
        guardrail_json_mode_e   mode;
        guardrail_rc_e          rc;
        size_t                  used;
    } cases[] = {
        { "FE FF", B("\xfe\xff\0{"), TEXT, BAD, 2 },
        { "FF FE", B("\xff\xfe{\0"), TEXT, BAD, 2 },
        { "NUL first", B("\0{\0}"), TEXT, BAD, 1 },
        { "NUL second", B("{\0}\0"), TEXT, BAD, 2 },
        { "NUL third", B("{}\0\0"), TEXT, OK, 4 },
        { "FE alone", B("\xfe{}"), TEXT, OK, 3 },
        { "FF FF", B("\xff\xff"), TEXT, OK, 2 },
        { "FF, then FE", B("\xff \xfe"), TEXT, OK, 3 },
        { "a mark behind white space", B(" \xfe\xff"), TEXT, OK, 3 },
        { "NUL in a second value", B("{}\n\0{"), TEXT, OK, 5 },
        { "a record of a sequence", B("\x1e{}\n\x1e\xfe\xff"), SEQ, BAD, 7 },
        { "NUL in a record", B("\x1e{}\n\x1e{\0"), SEQ, BAD, 7 },
        { "before the first RS", B("\0{"), SEQ, BAD, 1 },
        { "RS, then NUL", B("\x1e\0"), SEQ, BAD, 2 },
        { "lines are looked at elsewhere", B("\0{\n\0{"), LINES, OK, 5 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        no_limits(&limits, cases[i].mode);
        limits.refuse_utf16 = 1;

        run(ops_list[0], &limits, (const uint8_t *) cases[i].body,
            cases[i].len, NULL, 0, &r);
        judge(&limits, (const uint8_t *) cases[i].body, cases[i].len, &m);

        tap_ok(r.rc == cases[i].rc && r.used == cases[i].used
               && check_splits((const uint8_t *) cases[i].body, cases[i].len,
                               &limits, &m),
               "UTF-16: %s", cases[i].name);

        limits.refuse_utf16 = 0;

        run(ops_list[0], &limits, (const uint8_t *) cases[i].body,
            cases[i].len, NULL, 0, &r);

        tap_ok(r.rc == OK, "UTF-16 not looked for: %s", cases[i].name);
    }
}


static void
test_api(void)
{
    size_t                    used;
    guardrail_json_t          s;
    guardrail_json_limits_t   limits;

    no_limits(&limits, TEXT);
    limits.depth = 1;

    guardrail_json_init(&s, ops_list[0], &limits, NULL);

    used = 1;
    tap_ok(guardrail_json_feed(&s, NULL, 0, &used) == OK && used == 0,
           "an empty piece");

    tap_ok(guardrail_json_feed(&s, (const uint8_t *) "[[1,", 4, &used)
           == DEPTH && used == 2, "refused");
    tap_ok(s.limit == 1 && s.observed == 2, "limit and observed");
    tap_ok(guardrail_json_feed(&s, (const uint8_t *) "[[1,", 4, &used)
           == DEPTH && used == 0, "a refusal stays");
    tap_ok(guardrail_json_finish(&s) == DEPTH, "to the end");

    guardrail_json_init(&s, ops_list[0], &limits, NULL);

    (void) guardrail_json_feed(&s, (const uint8_t *) "[1,2", 4, &used);

    tap_ok(s.records == 2 && s.largest == 1 && s.deepest == 1
           && s.tokens == 3, "measured while the body goes on");
    tap_ok(guardrail_json_finish(&s) == OK && guardrail_json_finish(&s) == OK,
           "to finish twice changes nothing");

    tap_ok(sizeof(guardrail_json_t) <= 512, "the state is %zu bytes",
           sizeof(guardrail_json_t));
}


static void
test_stack(void)
{
    unsigned                  i;
    guardrail_json_limits_t   limits;

    static const struct {
        uint64_t  depth;
        uint64_t  keys;
        uint64_t  items;
        unsigned  strict;
        unsigned  memory;
        size_t    stack;
    } cases[] = {
        { 0, NL, NL, 0, 0, 0 },
        { 64, NL, NL, 0, 0, 0 },
        { 65, NL, NL, 0, 0, 8 },
        { 128, NL, NL, 1, 0, 16 },
        { 1024, NL, NL, 0, 0, 120 },
        { NL, NL, NL, 0, 0, 2040 },
        { NL, NL, NL, 1, 0, 4080 },
        { 1, 5, NL, 0, 0, 0 },
        { 2, 5, NL, 0, 0, 8 },
        { 3, NL, 5, 0, 0, 8 },
        { 64, NL, 5, 0, 0, 256 },
        { NL, NL, 5, 0, 0, 4216 },
        { NL, NL, NL, 0, 1, 120 },
        { NL, 5, 5, 1, 1, 4336 },
        { 64, UINT32_MAX, NL, 0, 0, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        no_limits(&limits, TEXT);

        limits.depth = cases[i].depth;
        limits.keys = cases[i].keys;
        limits.items = cases[i].items;
        limits.strict = cases[i].strict;
        limits.memory = cases[i].memory ? 1000 : NL;

        tap_is_u64(guardrail_json_stack(&limits), cases[i].stack,
                   "the stack's size, %u", i);
    }
}


/* as deep as the stack goes, and beyond, up and down */

static void
test_deep(void)
{
    size_t                    i, n, used, len;
    uint8_t                  *p;
    unsigned                  k, c;
    uint64_t                  observed, limit;
    result_t                  r;
    guardrail_rc_e            rc;
    guardrail_json_limits_t   limits;

    static const struct {
        const char      *name;
        uint64_t         depth;
        uint64_t         items;
        unsigned         strict;
        unsigned         kind;          /* 2: by turns */
        size_t           n;
        guardrail_rc_e   rc;
        size_t           used;
    } cases[] = {
        { "no limit", NL, NL, 0, 2, 100000, OK, 0 },
        { "no limit, arrays", NL, NL, 0, 1, 100000, OK, 0 },
        { "a limit above the kinds", 20000, NL, 0, 1, 20000, OK, 0 },
        { "one beyond that", 20000, NL, 0, 1, 20001, DEPTH, 20001 },
        { "counted, at the limit", NL, 5, 0, 1, 1024, OK, 0 },
        { "counted, one beyond", NL, 5, 0, 1, 1025, DEPTH, 1025 },
        { "strict, at the limit", NL, NL, 1, 1, 16384, OK, 0 },
        { "strict, one beyond", NL, NL, 1, 1, 16385, DEPTH, 16385 },
        { "strict, 65", 65, NL, 1, 1, 65, OK, 0 },
        { "strict, 66 of 65", 65, NL, 1, 1, 66, DEPTH, 66 }
    };

    p = malloc(1024 * 1024);
    if (p == NULL) {
        abort();
    }

    for (c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        no_limits(&limits, TEXT);
        limits.depth = cases[c].depth;
        limits.items = cases[c].items;
        limits.strict = cases[c].strict;

        n = cases[c].n;
        len = 0;

        /* up, down, up again: the kinds must be the same ones */

        for (k = 0; k < 2; k++) {

            p[len++] = (k == 0) ? '[' : ',';

            for (i = 1; i < n; i++) {
                p[len++] = '[';
            }

            for (i = 1; i < n; i++) {
                p[len++] = ']';
            }
        }

        p[len++] = ']';
        used = (cases[c].rc == OK) ? len : cases[c].used;
        rc = OK;
        observed = (cases[c].rc == OK) ? n : cases[c].used;
        limit = (cases[c].rc == OK) ? 0 : cases[c].used - 1;

        for (k = 0; k < nops; k++) {
            run(ops_list[k], &limits, p, len, NULL, 0, &r);

            rc |= (r.rc != cases[c].rc || r.used != used
                   || r.deepest != observed || r.limit != limit);

            if (rc) {
                show("got", &r);
            }
        }

        tap_ok(rc == OK, "deep: %s", cases[c].name);
    }

    free(p);
}


/* one element that is larger than all before, at each place of a block */

static void
test_sizes(void)
{
    int                       pass;
    size_t                    i, n, len;
    uint8_t                   body[512];
    unsigned                  k;
    result_t                  m;
    guardrail_json_limits_t   limits;

    static const char  *large[] = {
        "\"aaaaaaaaaaaaaaaaaaaa\"", "12345678901234567890", "[1,1,1,1,1,1]",
        "{\"a\":12345}"
    };

    for (k = 0; k < sizeof(large) / sizeof(large[0]); k++) {
        pass = 1;

        for (n = 90; n < 200; n++) {
            len = 0;
            body[len++] = '[';

            /* of each evenness */

            if (n & 1) {
                body[len++] = ' ';
            }

            for (i = 0; i < n / 2; i++) {
                body[len++] = '1';
                body[len++] = ',';
            }

            memcpy(body + len, large[k], strlen(large[k]));
            len += strlen(large[k]);

            for (i = 0; i < 40; i++) {
                body[len++] = ',';
                body[len++] = '1';
            }

            body[len++] = ']';

            no_limits(&limits, TEXT);
            judge(&limits, body, len, &m);
            pass &= check_all(body, len, &limits, &m);

            limits.max_record_size = strlen(large[k]);
            judge(&limits, body, len, &m);
            pass &= check_all(body, len, &limits, &m);

            limits.max_record_size = strlen(large[k]) - 1;
            judge(&limits, body, len, &m);
            pass &= (m.rc == SIZE) && check_all(body, len, &limits, &m);

            limits.max_record_size = 4;
            judge(&limits, body, len, &m);
            pass &= (m.rc == SIZE) && check_all(body, len, &limits, &m);
        }

        tap_ok(pass, "one large element: %s", large[k]);
    }

    /* elements side by side */

    no_limits(&limits, TEXT);
    pass = 1;

    for (n = 60; n < 260; n++) {
        memset(body, ' ', sizeof(body));
        body[0] = '[';
        memcpy(body + n, (n & 1) ? "1,111\"aa\",1" : "2,\"b\"22 ,1  ", 12);
        body[300] = ']';

        judge(&limits, body, 301, &m);
        pass &= check_all(body, 301, &limits, &m);
    }

    tap_ok(pass, "elements side by side");
}


/*
 * A key, a string and a number, as long as their limit or one byte longer, at
 * each place of a block.
 */

static void
test_lengths(void)
{
    int                       pass;
    size_t                    i, n, len, used;
    uint8_t                   body[1024];
    unsigned                  k, over;
    result_t                  m;
    guardrail_json_limits_t   limits;

    static const size_t  lengths[] = { 1, 10, 62, 63, 64, 65, 70, 130 };

    for (k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
        pass = 1;

        for (n = 0; n < 3 * 130; n++) {
            len = 0;

            /* the first block is always looked at byte by byte */

            for (i = 0; i < 70 + n / 3; i++) {
                body[len++] = ' ';
            }

            over = (unsigned) (n % 3);

            body[len++] = '{';
            body[len++] = '"';
            memset(body + len, 'k', lengths[k]);
            len += lengths[k];
            memcpy(body + len, "\":[\"", 4);
            len += 4;
            memset(body + len, 's', lengths[k]);
            len += lengths[k];
            memcpy(body + len, "\",", 2);
            len += 2;
            memset(body + len, '1', lengths[k]);
            len += lengths[k];
            body[len++] = ']';
            body[len++] = '}';

            no_limits(&limits, n & 1 ? AUTO : LINES);
            limits.key = lengths[k];
            limits.string = lengths[k];
            limits.number = lengths[k];

            memset(&m, 0, sizeof(m));
            m.used = len;
            m.deepest = 2;
            m.tokens = 5;

            pass &= check_all(body, len, &limits, &m);

            used = 70 + n / 3 + 2 + lengths[k];
            *limit_of(&limits, over == 0 ? KEY : over == 1 ? STRING : NUMBER)
                = lengths[k] - 1;

            m.rc = (over == 0) ? KEY : (over == 1) ? STRING : NUMBER;
            m.used = used + over * lengths[k] + (over == 2 ? 2 : 0)
                     + (over ? 4 : 0);
            m.limit = lengths[k] - 1;
            m.observed = lengths[k];
            m.deepest = over ? 2 : 1;
            m.tokens = over ? 3 + over : 2;

            pass &= check_all(body, len, &limits, &m);
        }

        tap_ok(pass, "as long as the limit, and longer: %zu", lengths[k]);
    }
}


/* all short strings, as such and around the end of a block */

static void
test_exhaustive(void)
{
    int                        pass;
    size_t                     i, len;
    uint8_t                    body[256];
    uint64_t                   n, all, rest;
    unsigned                   a, k;
    result_t                   m;
    guardrail_json_limits_t    limits;

    static const struct {
        const char  *name;
        size_t       chars;
        const char  *set;
    } alphabets[] = {
        { "brackets, quotes and such", 11, "{}[]\",:1 \n\\" },
        { "apostrophes, comments and such", 9, "'/*#\n[\"a," },
        { "values side by side", 8, "0-etN1 \x1e" },
        { "marks and NUL", 8, "\xef\xbb\xbf\xfe\xff\0{\x1e" }
    };

    for (a = 0; a < sizeof(alphabets) / sizeof(alphabets[0]); a++) {
        pass = 1;
        all = 1;

        for (len = 0; len <= LENGTH && pass; len++, all *= alphabets[a].chars) {

            for (n = 0; n < all && pass; n++) {
                rest = n;

                for (i = 0; i < len; i++) {
                    body[i] = (uint8_t)
                              alphabets[a].set[rest % alphabets[a].chars];
                    rest /= alphabets[a].chars;
                }

                for (k = TEXT; k <= AUTO; k++) {
                    no_limits(&limits, k);
                    limits.refuse_utf16 = (a == 3);

                    judge(&limits, body, len, &m);
                    pass &= check_splits(body, len, &limits, &m);

                    random_limits(&limits);

                    judge(&limits, body, len, &m);
                    pass &= check_splits(body, len, &limits, &m);
                }

                if (len == LENGTH) {
                    continue;
                }

                /*
                 * the string around the end of a block, of which the first
                 * is looked at byte by byte
                 */

                memmove(body + 126, body, len);
                memset(body, 'b', 126);
                memset(body + 126 + len, 'b', 80);
                body[0] = '[';
                body[104] = (n & 1) ? '[' : ',';
                body[121] = "\"{ "[n / 2 % 3];
                body[126 + len + 5] = '"';
                body[126 + len + 9] = '\n';

                no_limits(&limits, n % 4);
                limits.items = 1000000;

                judge(&limits, body, 126 + len + 80, &m);
                pass &= check_all(body, 126 + len + 80, &limits, &m);

                /* and a comma or a bracket right before its end */

                body[125] = ",[{:"[n / 4 % 4];
                limits.items = 2 + n % 5;
                limits.keys = 2 + n % 5;

                judge(&limits, body, 126 + len + 80, &m);
                pass &= check_all(body, 126 + len + 80, &limits, &m);

                memmove(body, body + 126, len);
            }
        }

        tap_ok(pass, "all short strings: %s", alphabets[a].name);
    }
}


static void
random_limits(guardrail_json_limits_t *limits)
{
    unsigned  i, n;

    static const guardrail_rc_e  all[] = {
        RECORDS, SIZE, DEPTH, KEYS, ITEMS, TOKENS, KEY, STRING, NUMBER
    };

    n = (unsigned) (1 + rnd() % 3);

    for (i = 0; i < n; i++) {
        *limit_of(limits, all[rnd() % (sizeof(all) / sizeof(all[0]))])
            = rnd() % (1 + rnd() % 12);
    }
}


static size_t
random_body(uint8_t *p, size_t max)
{
    size_t       i, len;
    unsigned     valid;
    const char  *piece;

    static const char  *pieces[] = {

        /* of valid JSON */

        "{\"a\":1}", "{\"key\":\"value\",", "\"b\":[1,2,3]", "}", "{", "]",
        "[", "[", ",", ":", " ", "\n", "\r\n", "1", "-12.5e-7", "true",
        "false", "null", "\"\"", "\"abc\"", "\"a\\\"b\\\\\"", "\"\\\\\\\"\"",
        "\"it's / # http://\"", "\"\xc3\xa9\xe2\x82\xac\"", "\n", "},\n{",
        "[[[]]]", "{\"x\":{\"y\":{}}}", "          ", "12345678901234567890",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaa\"", "                                   ",
        "\"\\u0041\\n\"", "0", ",", ",", "\x1e", "\n\x1e",

        /* and of what is not */

        "\"", "\\", "'", "/*", "*/", "//", "#", "\\\"", "00", "--", "NaN",
        "Infinity", "\"a\nb\"", "\"a\\\nb\"", "]]", "}}", "{]", ",,", "::",
        "\xef\xbb\xbf", "\xef", "\xfe\xff", "\x01", "\v", "\x7f", "tf", "-0",
        "\\\\\\", "abc", "\"a\x1e" "b\"", "\"a\\\x1e" "b\""
    };

    len = (size_t) (rnd() % (max - 128));
    valid = (unsigned) (rnd() % 4);
    i = 0;

    /* a document of many records, more often than not */

    if (rnd() % 3 && len) {
        p[i++] = '[';
    }

    while (i < len) {
        piece = pieces[rnd() % ((valid == 0 || rnd() % (1u << (valid * 2)) == 0)
                                ? sizeof(pieces) / sizeof(pieces[0]) : 38)];

        while (*piece) {
            p[i++] = (uint8_t) *piece++;
        }

        if (valid == 0 && rnd() % 32 == 0) {
            p[i++] = '\0';
        }
    }

    return i;
}


static void
test_random(void)
{
    int                       pass;
    size_t                    len, cuts[4];
    uint8_t                   body[1024];
    unsigned                  i, j;
    uint64_t                  seed;
    result_t                  m;
    const char               *env;
    guardrail_json_limits_t   limits;

    env = getenv("GUARDRAIL_SEED");
    seed = env ? strtoull(env, NULL, 0) : 20240229;
    rnd_state = seed;
    pass = 1;

    for (i = 0; i < BODIES && pass; i++) {
        len = random_body(body, (i & 7) ? 320 : sizeof(body));

        for (j = 0; j < 3 && pass; j++) {
            no_limits(&limits, rnd() % 4);
            limits.refuse_utf16 = (unsigned) (rnd() & 1);

            if (j) {
                random_limits(&limits);
            }

            if (rnd() & 1) {
                limits.keys = 1000000;
            }

            judge(&limits, body, len, &m);
            pass &= check_all(body, len, &limits, &m);

            cuts[0] = (size_t) (rnd() % (len + 1));
            cuts[1] = cuts[0] + (size_t) (rnd() % (len + 1 - cuts[0]));
            cuts[2] = cuts[1] + (size_t) (rnd() % (len + 1 - cuts[1]));

            pass &= check_cuts(body, len, &limits, &m, cuts, 3);
        }
    }

    tap_ok(pass, "random bodies, GUARDRAIL_SEED=%" PRIu64, seed);
}


/* what the model says */

static void
judge(const guardrail_json_limits_t *limits, const uint8_t *p, size_t len,
    result_t *r)
{
    memset(r, 0, sizeof(result_t));

    jm_judge(&model, limits, p, len, &r->used);

    r->rc = model.r.rc;
    r->limit = model.r.limit;
    r->observed = model.r.observed;
    r->records = model.r.records;
    r->largest = model.r.largest;
    r->deepest = model.r.deepest;
    r->tokens = model.r.tokens;
    r->continued = model.r.continued;
}


static int
check_cuts(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits, const result_t *expected,
    const size_t *cuts, unsigned ncuts)
{
    int       pass;
    unsigned  k;
    result_t  r;

    pass = 1;

    for (k = 0; k < nops; k++) {
        run(ops_list[k], limits, p, len, cuts, ncuts, &r);

        if (same(&r, expected)) {
            continue;
        }

        pass = 0;

        tap_diag("%s, %u cuts, the first at %zu",
                 guardrail_json_name(ops_list[k]), ncuts,
                 ncuts ? cuts[0] : 0);
        show("got", &r);
        show("expected", expected);
        show_body(p, len, limits);
    }

    return pass;
}


static int
check_all(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits, const result_t *expected)
{
    return check_cuts(p, len, limits, expected, NULL, 0);
}


/* whole, in two pieces at each place, and byte by byte */

static int
check_splits(const uint8_t *p, size_t len,
    const guardrail_json_limits_t *limits, const result_t *expected)
{
    int     pass;
    size_t  i, cuts[256];

    pass = check_all(p, len, limits, expected);

    for (i = 1; i < len; i++) {
        pass &= check_cuts(p, len, limits, expected, &i, 1);
    }

    for (i = 0; i < len && i < 256; i++) {
        cuts[i] = i;
    }

    pass &= check_cuts(p, len, limits, expected, cuts, (unsigned) i);

    return pass;
}


static void
run(const guardrail_json_ops_t *ops, const guardrail_json_limits_t *limits,
    const uint8_t *p, size_t len, const size_t *cuts, unsigned ncuts,
    result_t *r)
{
    size_t             i, n, used, size;
    uint8_t           *copy;
    uint64_t          *stack;
    unsigned           k;
    guardrail_json_t   s;

    memset(r, 0, sizeof(result_t));

    size = guardrail_json_stack(limits);
    stack = malloc(size ? size : 1);
    if (stack == NULL) {
        abort();
    }

    memset(stack, 0xa5, size);

    guardrail_json_init(&s, ops, limits, size ? stack : NULL);

    for (i = 0, k = 0; i <= len; i += n, k++) {
        n = (k < ncuts) ? cuts[k] - i : len - i;

        /* of the exact length, for the sanitizer */

        copy = malloc(n + 1);
        if (copy == NULL) {
            abort();
        }

        if (n) {
            memcpy(copy + 1, p + i, n);
        }

        r->rc = guardrail_json_feed(&s, copy + 1, n, &used);

        free(copy);

        r->used += used;

        if (r->rc != OK) {
            break;
        }

        if (used != n) {
            tap_ok(0, "used %zu of %zu", used, n);
        }

        if (i + n == len && k >= ncuts) {
            break;
        }
    }

    if (r->rc == OK) {
        r->rc = guardrail_json_finish(&s);
        r->finish = (r->rc != OK);
    }

    r->limit = s.limit;
    r->observed = s.observed;
    r->records = s.records;
    r->largest = s.largest;
    r->deepest = s.deepest;
    r->tokens = s.tokens;
    r->continued = s.continued;

    free(stack);
}


static int
same(const result_t *a, const result_t *b)
{
    return a->rc == b->rc && a->used == b->used && a->finish == b->finish
           && a->continued == b->continued && a->limit == b->limit
           && a->observed == b->observed && a->records == b->records
           && a->largest == b->largest && a->deepest == b->deepest
           && a->tokens == b->tokens;
}


static void
show(const char *what, const result_t *r)
{
    tap_diag("%s: rc:%u used:%zu finish:%u continued:%u limit:%" PRIu64
             " observed:%" PRIu64 " records:%" PRIu64 " largest:%" PRIu64
             " deepest:%" PRIu64 " tokens:%" PRIu64,
             what, (unsigned) r->rc, r->used, r->finish, r->continued,
             r->limit, r->observed, r->records, r->largest, r->deepest,
             r->tokens);
}


static void
show_body(const uint8_t *p, size_t len, const guardrail_json_limits_t *limits)
{
    size_t  i;

    tap_diag("mode:%u utf16:%u depth:%" PRId64 " keys:%" PRId64
             " items:%" PRId64 " tokens:%" PRId64 " key:%" PRId64
             " string:%" PRId64 " number:%" PRId64 " records:%" PRId64
             " size:%" PRId64, (unsigned) limits->mode,
             limits->refuse_utf16, (int64_t) limits->depth,
             (int64_t) limits->keys, (int64_t) limits->items,
             (int64_t) limits->tokens, (int64_t) limits->key,
             (int64_t) limits->string, (int64_t) limits->number,
             (int64_t) limits->max_records,
             (int64_t) limits->max_record_size);

    printf("# ");

    for (i = 0; i < len; i++) {

        if (p[i] < 0x20 || p[i] > 0x7e) {
            printf("<%02x>", (unsigned) p[i]);

        } else {
            printf("%c", p[i]);
        }
    }

    printf("\n");
}


static uint64_t
rnd(void)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;

    return rnd_state;
}
