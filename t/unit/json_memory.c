
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The memory model: what each kind of object costs, every split of each
 * input, and that an estimate never falls.  CPython itself is asked in
 * t/memory-model.
 */


#include <stdlib.h>

#include "bytes.h"
#include "json/guardrail_json_memory.h"
#include "json/guardrail_json_memory_private.h"
#include "json_walk.h"
#include "tap.h"


#define DOC     GUARDRAIL_JSON_MEMORY_DOCUMENT
#define BODY    GUARDRAIL_JSON_MEMORY_BODY
#define RECORD  GUARDRAIL_JSON_MEMORY_RECORD

/* what a call costs besides */

#define CALL    1600

#define MAX_NOTES  8192

#if defined(__SANITIZE_ADDRESS__)
#define BODIES  300
#else
#define BODIES  3000
#endif


/* estimates, by the byte at which they were made; 0 for none */

typedef struct {
    uint64_t  at[MAX_NOTES];
    uint64_t  last;
    unsigned  fell;
} notes_t;


/* objects is what lives when all is read, the parser's memo included */

typedef struct {
    const char  *body;
    uint64_t     objects;
} object_t;


typedef struct {
    const char  *body;
    size_t       len;
    unsigned     width;
    unsigned     peak;
    unsigned     more;
} text_t;


static void test_size(void);
static void test_objects(void);
static void test_growth(void);
static void test_spare_tables(void);
static void add_members(unsigned n);
static void test_transients(void);
static void test_escapes(void);
static void test_texts(void);
static void test_random_texts(void);
static void test_hash(void);
static void test_keys(void);
static void test_key_floods(void);
static void test_records(void);
static void test_epochs(void);
static void test_join(void);
static void test_join_late(void);
static void test_partial(void);
static void test_exceeds(void);
static void test_events_that_cannot_be(void);
static void test_saturation(void);
static void test_splits(void);
static void test_random_bodies(void);
static uint64_t estimate(guardrail_json_memory_mode_e mode, const void *p,
    size_t len);
static uint64_t objects(const void *p, size_t len);
static uint64_t list_of(const char *item, size_t n);
static uint64_t dict_of(size_t n);
static uint64_t str(uint64_t chars);
static void note(void *data, size_t at, uint64_t n);
static int check_splits(guardrail_json_memory_mode_e mode, const uint8_t *p,
    size_t len);
static int compare(const notes_t *a, const notes_t *b, size_t len);
static void text_model(const uint8_t *p, size_t len, text_t *t);
static uint64_t key_tag(const void *p, size_t len, size_t cut);
static unsigned add_key(unsigned n);
static size_t random_body(rng_t *r, uint8_t *p, size_t max);


static walk_t                   w;
static guardrail_json_memory_t  m, m2;
static notes_t                  whole, cut;


/* sys.getsizeof() and tracemalloc of CPython 3.11.2 */

static const object_t  objects_list[] = {

    /* containers; a list's first step has room for 4 */

    { "[]", 56 },
    { "{}", 64 },
    { "[[]]", 56 + 32 + 56 },
    { "[{},{}]", 56 + 32 + 64 + 64 },
    { "[null,true,false,NaN]", 56 + 32 },
    { "[Infinity]", 56 + 32 },

    /* ints: shared, then by 30-bit digits that so many digits may need */

    { "[0,256,-5,-0]", 56 + 32 },
    { "[257]", 56 + 32 + 28 },
    { "[-6]", 56 + 32 + 28 },
    { "[-256]", 56 + 32 + 28 },
    { "[1000]", 56 + 32 + 28 },
    { "[123456789]", 56 + 32 + 28 },
    { "[1234567890]", 56 + 32 + 32 },
    { "[123456789012345678]", 56 + 32 + 32 },
    { "[1234567890123456789]", 56 + 32 + 36 },
    { "[-1234567890123456789]", 56 + 32 + 36 },
    { "[4294967297]", 56 + 32 + 32 },

    /* floats */

    { "[0.0]", 56 + 32 + 24 },
    { "[1e5,-1E-5]", 56 + 32 + 24 + 24 },

    /* strings */

    { "[\"\"]", 56 + 32 },
    { "[\"a\"]", 56 + 32 },
    { "[\"ab\"]", 56 + 32 + 51 },
    { "[\"\xc3\xa9\"]", 56 + 32 },
    { "[\"\xc3\xa9\xc3\xa9\"]", 56 + 32 + 75 },
    { "[\"a\xc3\xa9\"]", 56 + 32 + 75 },
    { "[\"\xe4\xbc\x9a\"]", 56 + 32 + 76 },
    { "[\"\xe4\xbc\x9a" "a\"]", 56 + 32 + 78 },
    { "[\"\xf0\x9f\x98\x80\"]", 56 + 32 + 80 },
    { "[\"\xf0\x9f\x98\x80\xe4\xbc\x9a" "a\"]", 56 + 32 + 88 },

    /* keys: the memo's table is a dict's, and a key costs once */

    { "{\"a\":0}", 64 + 120 + 120 },
    { "{\"\":0}", 64 + 120 + 120 },
    { "{\"ab\":0}", 64 + 120 + 120 + 51 },
    { "[{\"ab\":0},{\"ab\":0}]", 56 + 32 + 2 * (64 + 120) + 120 + 51 },
    { "[{\"ab\":0},{\"ac\":0}]", 56 + 32 + 2 * (64 + 120) + 120 + 2 * 51 },
    { "[{\"ab\":\"ab\"},{\"ab\":\"ab\"}]",
      56 + 32 + 2 * (64 + 120) + 120 + 3 * 51 },
    { "{\"\xe4\xbc\x9a\":{\"\xe4\xbc\x9a\":0}}", 2 * (64 + 120) + 120 + 76 }
};


static const text_t  texts[] = {
    { "", 0, 0, 1, 0 },
    { "abc", 3, 0, 1, 0 },
    { "\x7f", 1, 0, 1, 0 },
    { "\xc2\x80", 2, 1, 2, 1 },
    { "\xc3\xbf", 2, 1, 2, 1 },
    { "\xc4\x80", 2, 2, 3, 1 },
    { "\xef\xbf\xbf", 3, 2, 3, 2 },
    { "\xf0\x90\x80\x80", 4, 3, 5, 3 },
    { "\xc3\xbf\xc4\x80", 4, 2, 3, 2 },
    { "\xc4\x80\xc3\xbf", 4, 2, 3, 2 },
    { "\xc3\xbf\xf0\x90\x80\x80", 6, 3, 5, 4 },
    { "\xc4\x80\xf0\x90\x80\x80", 6, 3, 6, 4 },
    { "\xf0\x90\x80\x80\xc4\x80", 6, 3, 5, 4 },

    /* Hangul begins with ED too; a surrogate does with ED A0 to ED BF */

    { "\xed\x9f\xbf", 3, 2, 3, 2 },
    { "\xed\xa0\x80", 3, 2, 4, 2 },
    { "\xed\xbf\xbf\xed\xbf\xbf", 6, 2, 4, 4 },
    { "\xed\xa0\x80\xf0\x90\x80\x80", 7, 3, 7, 5 },
    { "\xf0\x90\x80\x80\xed\xa0\x80", 7, 3, 6, 5 },
    { "\xed" "a\xa0", 3, 2, 3, 1 }
};


int
main(void)
{
    test_size();
    test_objects();
    test_growth();
    test_spare_tables();
    test_transients();
    test_escapes();
    test_texts();
    test_random_texts();
    test_hash();
    test_keys();
    test_key_floods();
    test_records();
    test_epochs();
    test_join();
    test_join_late();
    test_partial();
    test_exceeds();
    test_events_that_cannot_be();
    test_saturation();
    test_splits();
    test_random_bodies();

    return tap_done();
}


static void
test_size(void)
{
    tap_ok(sizeof(guardrail_json_memory_t) <= 44 * 1024,
           "the state has %zu bytes", sizeof(guardrail_json_memory_t));
    tap_ok(GUARDRAIL_JSON_MEMORY_WAYS * sizeof(uint64_t) == 64,
           "a bucket is a cache line");
}


static void
test_objects(void)
{
    size_t           i;
    uint64_t         n;
    const object_t  *o;

    for (i = 0; i < sizeof(objects_list) / sizeof(objects_list[0]); i++) {
        o = &objects_list[i];
        n = objects(o->body, strlen(o->body));

        tap_is_u64(n, o->objects, "%s", o->body);
    }

    tap_is_u64(estimate(DOC, "[]", 2), 2 + 51 + 56 + CALL, "an estimate");
    tap_is_u64(estimate(DOC, "\xef\xbb\xbf[]", 5), 5 + 51 + 56 + CALL,
               "a byte order mark is in no text");
    tap_is_u64(estimate(DOC, "", 0), 48 + 1 + CALL, "an empty body");
}


/* lists: 0, 4, 8, 16, 24, 32, 40, 52, 64, ...; dicts: 5, 10, 21, 42, ... */

static void
test_growth(void)
{
    size_t  i;

    static const uint64_t  lists[][2] = {
        { 1, 4 }, { 4, 4 }, { 5, 8 }, { 8, 8 }, { 9, 16 }, { 17, 24 },
        { 25, 32 }, { 33, 40 }, { 41, 52 }, { 53, 64 }, { 64, 64 },
        { 65, 76 }, { 1000, 1100 }, { 40000, 43876 }
    };

    static const uint64_t  dicts[][2] = {
        { 1, 120 }, { 5, 120 }, { 6, 208 }, { 10, 208 }, { 11, 400 },
        { 21, 400 }, { 22, 768 }, { 43, 1520 }, { 86, 3264 },
        { 171, 6512 }, { 40000, 961216 }
    };

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        tap_is_u64(list_of("0", lists[i][0]), 56 + lists[i][1] * 8,
                   "a list of %" PRIu64, lists[i][0]);
    }

    for (i = 0; i < sizeof(dicts) / sizeof(dicts[0]); i++) {
        /* the first table stays, for another dict */

        tap_is_u64(dict_of(dicts[i][0]), 64 + 120 + dicts[i][1]
                                         + (dicts[i][0] > 5 ? 120 : 0),
                   "a dict of %" PRIu64, dicts[i][0]);
    }
}


/* up to 80 tables of the smallest size are kept for other dicts */

static void
test_spare_tables(void)
{
    unsigned  i;
    uint64_t  live;

    guardrail_json_memory_init(&m, DOC);

    for (i = 0; i < 100; i++) {
        add_members(5);
    }

    tap_is_u64(m.live, 100 * (64 + 120), "100 dicts of 5");

    for (i = 0; i < 100; i++) {
        add_members(1);
        guardrail_json_memory_close(&m);
    }

    /* each is a member of the next one, whose sixth is there already */

    tap_is_u64(m.live, 100 * (64 + 208) + 80 * 120, "80 tables are kept");

    live = m.live;

    for (i = 0; i < 80; i++) {
        guardrail_json_memory_open(&m, 1);
        guardrail_json_memory_literal(&m);
        guardrail_json_memory_close(&m);
    }

    tap_is_u64(m.live, live + 80 * 64, "and used again");

    guardrail_json_memory_open(&m, 1);
    guardrail_json_memory_literal(&m);

    tap_is_u64(m.live, live + 81 * 64 + 120, "until there are none");
}


/* so many members for the innermost dict, a new one if it is full */

static void
add_members(unsigned n)
{
    unsigned  i;

    if (n == 5) {
        guardrail_json_memory_open(&m, 1);
    }

    for (i = 0; i < n; i++) {
        guardrail_json_memory_literal(&m);
    }
}


/* what does not live to the end */

static void
test_transients(void)
{
    bytes_t   b;
    unsigned  i;

    memset(&b, 0, sizeof(bytes_t));

    /* an int is read from bytes, one of them for the sign */

    bytes_text(&b, "-");
    bytes_fill(&b, '9', 1000);

    tap_is_u64(estimate(DOC, b.p, b.len),
               1001 + str(1001) + 24 + 4 * 111 + 33 + 1001 + CALL,
               "the digits of an int are copied");

    b.len = 0;
    bytes_text(&b, "0.");
    bytes_fill(&b, '1', 998);

    tap_is_u64(estimate(DOC, b.p, b.len),
               1000 + str(1000) + 24 + 33 + 1000 + CALL,
               "those of a float as well");

    /*
     * Whether a key came twice in its object is not known, only that it came
     * before: the dict's table may grow at any later member.
     */

    b.len = 0;
    bytes_text(&b, "{\"a\":[],\"a\":[]");

    for (i = 1; i < 11; i++) {
        bytes_text(&b, ",\"");
        bytes_byte(&b, 'a' + i);
        bytes_text(&b, "\":[]");
    }

    bytes_text(&b, "}");

    tap_is_u64(objects(b.p, b.len),
               64 + 400 + 400 + 2 * 120 + 12 * 56 + 208,
               "a key that came twice makes a dict grow later");

    /* the same of the memo, for an escape */

    b.len = 0;
    bytes_text(&b, "[{\"\\u0061\":0},{\"a\":0}");

    for (i = 1; i < 11; i++) {
        bytes_text(&b, ",{\"");
        bytes_byte(&b, 'a' + i);
        bytes_text(&b, "\":0}");
    }

    bytes_text(&b, "]");

    tap_is_u64(objects(b.p, b.len),
               56 + 16 * 8 + 12 * 64 + 11 * 120 + 400 + 208,
               "a key that may be another makes the memo grow later");

    /* a key that is known is made before it is looked up */

    b.len = 0;
    bytes_text(&b, "[{\"");
    bytes_fill(&b, 'k', 1000);
    bytes_text(&b, "\":0},{\"");
    bytes_fill(&b, 'k', 1000);
    bytes_text(&b, "\":0}]");

    tap_is_u64(objects(b.p, b.len), 56 + 32 + 64 + 120 + 120 + 64
                                    + 2 * str(1000),
               "a known key lives for a moment");

    /* two tables while a dict grows: the last step is the highest */

    b.len = 0;
    bytes_text(&b, "{");

    for (i = 0; i < 6; i++) {
        bytes_byte(&b, '"');
        bytes_byte(&b, 'a' + i);
        bytes_text(&b, i < 5 ? "\":0," : "\":0}");
    }

    tap_is_u64(objects(b.p, b.len), 64 + 2 * 120 + 208 + 208,
               "two tables while a dict grows");

    bytes_free(&b);
}


/* sizes as tracemalloc saw them: {wire, peak} less the text and CALL */

static void
test_escapes(void)
{
    size_t  i;

    static const object_t  list[] = {

        /* one character is no object; its buffer was one */

        { "\"\\n\"", 50 },
        { "\"\\u00e9\"", 74 },
        { "\"\\u4f1a\"", 76 },
        { "\"\\ud83d\\ude00\"", 80 },

        /* a buffer of 8 and a quarter, and 9 characters in the end */

        { "\"aaaaaaaa\\n\"", 49 + 10 },

        /* it is full at 10: 11 and a quarter, ASCII and UCS-2 */

        { "\"aaaaaaaa\\n\\n\\u4f1a\"", 49 + 10 + 74 + 2 * 13 },
        { "\"aaaaaaaa\\u4f1a\"", 49 + 10 + 74 + 2 * 10 },

        /* halves of pairs */

        { "\"\\ud83d\"", 76 },
        { "\"\\ude00\\ud83d\"", 74 + 2 * 2 },
        { "\"\\ud83d\\ud83d\\ude00\"", 76 + 4 * 2 + 74 + 2 },
        { "\"\\ud83d\\n\"", 74 + 2 * 2 },
        { "\"\\ud83dx\"", 74 + 2 * 2 },
        { "\"\\ud83d\\u0041\"", 74 + 2 * 2 },
        { "\"\\uD83D\\uDE00\"", 80 },
        { "\"\\ud800\\udc00\"", 80 },
        { "\"\\udbff\\udfff\"", 80 },
        { "\"\\udbff\\ue000\"", 74 + 2 * 2 },
        { "\"\\udbff\\udbff\"", 74 + 2 * 2 },
        { "\"\\udc00\\udc00\"", 74 + 2 * 2 },
        { "\"\\ud7ff\\udc00\"", 74 + 2 * 2 }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        tap_is_u64(objects(list[i].body, strlen(list[i].body)),
                   list[i].objects, "%s", list[i].body);
    }
}


static void
test_texts(void)
{
    size_t         i;
    const text_t  *t;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        t = &texts[i];

        guardrail_json_memory_init(&m, DOC);
        guardrail_json_memory_other(&m, (const uint8_t *) t->body, t->len);

        tap_ok(m.text.width == t->width && m.text.peak == t->peak
               && m.text.more == t->more,
               "text %zu: width %u, peak %u, more %u", i, m.text.width,
               m.text.peak, (unsigned) m.text.more);
    }

    /* what looks like half a surrogate on both sides of a backslash */

    (void) estimate(DOC, "\"\xed\\\xa0\"", 5);
    tap_ok(m.text.copy == 0, "ED before a backslash is no surrogate");

    (void) estimate(DOC, "\"\\\xed\\\xa0\"", 6);
    tap_ok(m.text.copy == 0, "ED behind a backslash is none either");

    /* decoding may be what costs most, and objects may be */

    tap_is_u64(estimate(DOC, "   \xf0\x9f\x98\x80", 7),
               7 + 76 + 4 * 4 + CALL, "a short text is dear for its head");

    tap_is_u64(estimate(DOC, "                                        "
                        "\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a"
                        "\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a"
                        "\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a"
                        "\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a\xe4\xbc\x9a",
                        40 + 48),
               88 + 3 * 88 + CALL, "two buffers while it is decoded");
}


/* any bytes in any pieces, by both scans, against one that sees them all */

static void
test_random_texts(void)
{
    rng_t     r;
    text_t    t;
    size_t    i, j, n, len, from;
    uint8_t   p[200], width, wide;
    unsigned  bad, k;

    static const uint8_t  some[] = "aaaa\xc3\xa9\xed\xa0\x80\xe4\xbc\x9a"
                                   "\xf0\x9f\x98\x80\xed\x9f\xbf\x80\xbf\xff";

    r.s = 1;
    bad = 0;

    for (i = 0; i < BODIES * 4; i++) {
        len = rng_below(&r, sizeof(p));
        n = 1 + rng_below(&r, sizeof(some) - 1);

        /* mostly those that come first, so that rare ones come late */

        for (j = 0; j < len; j++) {
            p[j] = rng_below(&r, 20) ? some[rng_below(&r, n)]
                                     : some[rng_below(&r, sizeof(some) - 1)];
        }

        text_model(p, len, &t);

        for (k = 0; k < 3; k++) {
            guardrail_json_memory_init(&m, DOC);
            width = 0;

            for (from = 0; from < len; from += n) {
                n = k == 0 ? len : 1 + rng_below(&r, 40);
                n = n < len - from ? n : len - from;

                if (k == 2) {
                    (void) guardrail_json_memory_scan8(&m.text, p + from,
                                                      p + from + n, &width);

                } else {
                    (void) guardrail_json_memory_scan(&m.text, p + from,
                                                     p + from + n, &width);
                }
            }

            wide = (uint8_t) t.width;

            bad += (m.text.width != wide || width != wide
                    || m.text.peak != t.peak || m.text.more != t.more);
        }
    }

    tap_ok(bad == 0, "%d random texts, %u bad", BODIES * 4, bad);
}


/* SipHash-2-4 with a key of zero, as OpenSSL 3.0 gives it */

static void
test_hash(void)
{
    size_t  i;

    tap_is_u64(key_tag("", 0, 0), 0x1e924b9d737700d7 & ~(uint64_t) 0xff,
               "hash of nothing");
    tap_is_u64(key_tag("abcdefghijk", 11, 0),
               0x51ae28071eb6f5fa & ~(uint64_t) 0xff, "hash of 11 bytes");

    for (i = 0; i <= 11; i++) {
        if (key_tag("abcdefghijk", 11, i) != key_tag("abcdefghijk", 11, 0)) {
            break;
        }
    }

    tap_ok(i == 12, "hash of two pieces");
}


static void
test_keys(void)
{
    unsigned  i, again, first;

    /* as many as half of the ways: few buckets are full */

    guardrail_json_memory_init(&m, DOC);

    first = 0;
    again = 0;

    for (i = 0; i < 2048; i++) {
        first += add_key(i);
    }

    for (i = 0; i < 2048; i++) {
        again += add_key(i);
    }

    tap_ok(first == 2048, "2048 keys are new");
    tap_ok(again < 2048 / 50, "%u of them are forgotten", again);

    guardrail_json_memory_forget_keys(&m);

    tap_ok(add_key(0) == 1 && add_key(0) == 0, "a document is forgotten");
}


/*
 * Whatever keys come: none is taken for another, so that a flood of new ones
 * costs what it is, and the time for a key is that of a bucket.
 */

static void
test_key_floods(void)
{
    unsigned  i, n;

    guardrail_json_memory_init(&m, DOC);

    n = 0;

    for (i = 0; i < 1000000; i++) {
        n += add_key(i);
    }

    tap_ok(n == 1000000, "a million keys are new");
}


static void
test_records(void)
{
    bytes_t   a, b;
    uint64_t  one, two;
    unsigned  i;

    static const char  small[] = "{\"a\":1}\n";
    static const char  large[] = "[\"larger\",\"than\",\"that\",1000,2000]\n";

    /* a list of records: 56, and room for 4 */

    one = estimate(BODY, small, 8);

    tap_is_u64(one, 8 + 56 + 32 + str(7) + 64 + 120 + 120 + CALL,
               "one record");

    two = estimate(BODY, "{\"a\":1}\n{\"a\":1}\n", 16);

    tap_is_u64(two - one, 8 + 64 + 120, "a second one costs its objects");

    tap_is_u64(estimate(BODY, "{\"ab\":1}\n{\"ab\":1}\n", 18)
               - estimate(BODY, "{\"ab\":1}\n", 9), 9 + 64 + 120 + 51,
               "keys are not shared between records");

    tap_is_u64(estimate(BODY, "{\"a\":1}\n\n  \n{\"a\":1}", 19), two + 3,
               "a blank line costs its bytes");

    /* the order makes no difference */

    memset(&a, 0, sizeof(bytes_t));
    memset(&b, 0, sizeof(bytes_t));

    bytes_text(&a, large);

    for (i = 0; i < 10; i++) {
        bytes_text(&a, small);
        bytes_text(&b, small);
    }

    bytes_text(&b, large);

    tap_is_u64(estimate(BODY, a.p, a.len), estimate(BODY, b.p, b.len),
               "the largest record may be the first or the last");

    tap_is_u64(estimate(RECORD, a.p, a.len),
               estimate(DOC, large, strlen(large) - 1),
               "one by one: the largest record, when it is the first");
    tap_is_u64(estimate(RECORD, b.p, b.len),
               estimate(DOC, large, strlen(large) - 1), "and when the last");

    bytes_free(&a);
    bytes_free(&b);
}


/* the set of keys is cleared when the number of the record comes again */

static void
test_epochs(void)
{
    unsigned  i, k, bad;

    guardrail_json_memory_init(&m, BODY);

    bad = 0;

    for (i = 0; i < 1000; i++) {
        bad += (add_key(7) != 1);
        bad += (add_key(i) != (i != 7));
        bad += (add_key(i) != 0);

        /* so many that each bucket holds some */

        for (k = 2000; i % 100 == 0 && k < 2800; k++) {
            bad += (add_key(k) != 1);
        }

        for (k = 2000; i % 100 == 0 && k < 2800; k++) {
            bad += (add_key(k) != 0);
        }

        guardrail_json_memory_record_end(&m, 1);
    }

    tap_ok(bad == 0, "1000 records, each with its own keys");
}


/* a line that leaves a container open: one document */

static void
test_join(void)
{
    uint64_t  doc, joined;

    static const char  body[] = "[\n{\"ab\":\"cd\"},\n{\"ab\":\"cd\"}\n]\n";

    doc = estimate(DOC, body, sizeof(body) - 1);
    joined = estimate(BODY, body, sizeof(body) - 1);

    tap_ok(joined >= doc && joined <= doc + 56 + 32,
           "joined in its first line: %" PRIu64 ", as one %" PRIu64, joined,
           doc);

    tap_is_u64(estimate(RECORD, body, sizeof(body) - 1), doc,
               "one by one, it is one document");
}


static void
test_join_late(void)
{
    bytes_t   b;
    uint64_t  before, after;
    unsigned  i;

    memset(&b, 0, sizeof(bytes_t));

    for (i = 0; i < 100; i++) {
        bytes_text(&b, "{\"\xe4\xbc\x9a\xe4\xbc\x9a\":\"\\u4f1a\\n\"}\n");
    }

    bytes_text(&b, "\"\xf0\x9f\x98\x80\"\n");

    before = estimate(BODY, b.p, b.len);
    bytes_text(&b, "[\n");
    after = estimate(BODY, b.p, b.len);

    tap_ok(after >= before, "it does not fall: %" PRIu64 ", then %" PRIu64,
           before, after);
    tap_ok(m.text.width == 3 && m.text.peak == 6,
           "the text of all lines is one");
    tap_is_u64(m.text.more, 4 * 100 + 3, "all of it");

    /* decoding: within a line, and over lines */

    (void) estimate(BODY, "\"\xe4\xbc\x9a\xf0\x9f\x98\x80\"\n[\n", 12);
    tap_ok(m.text.peak == 6, "a line had CJK and an emoji");

    (void) estimate(BODY, "\"\xed\xa0\x80\"\n[\n\"\xf0\x9f\x98\x80\"", 14);
    tap_ok(m.text.peak == 7, "a surrogate, and an emoji in a later line");

    /* as many objects before it as behind it */

    b.len = 0;

    for (i = 0; i < 100; i++) {
        bytes_text(&b, "[\"ab\"]\n");
    }

    bytes_text(&b, "[\n");

    for (i = 0; i < 100; i++) {
        bytes_text(&b, "[\"ab\"],\n");
    }

    before = estimate(DOC, b.p, b.len);
    after = estimate(BODY, b.p, b.len);

    tap_ok(after >= before && after - before < before / 20,
           "the records before count: %" PRIu64 ", as one %" PRIu64, after,
           before);

    after = estimate(RECORD, b.p, b.len);

    tap_ok(after >= before && after - before < before / 20,
           "also one by one: %" PRIu64, after);

    /* the number lives in three copies, beside all records */

    b.len = 0;

    for (i = 0; i < 100; i++) {
        bytes_text(&b, "[\"ab\"]\n");
    }

    bytes_text(&b, "[0.");
    bytes_fill(&b, '1', 3000);
    bytes_text(&b, "\n");

    before = estimate(DOC, b.p, b.len);
    after = estimate(RECORD, b.p, b.len);

    tap_ok(after >= before && after - before < before / 20,
           "what lives for a moment counts beside them: %" PRIu64
           ", as one %" PRIu64, after, before);

    /* a number that lives twice for a moment */

    b.len = 0;
    bytes_text(&b, "0.");
    bytes_fill(&b, '1', 3000);
    bytes_text(&b, "\n");

    before = estimate(RECORD, b.p, b.len);
    bytes_text(&b, "[\n");
    after = estimate(RECORD, b.p, b.len);

    tap_ok(after >= before, "one by one, it does not fall: %" PRIu64
           ", then %" PRIu64, before, after);

    bytes_free(&b);
}


/* a string counts as it comes, beside what an earlier record took */

static void
test_partial(void)
{
    size_t    i;
    uint64_t  before, after;
    uint8_t   p[600];

    memset(p, '1', sizeof(p));

    guardrail_json_memory_init(&m, BODY);

    for (i = 0; i < 100; i++) {
        guardrail_json_memory_number(&m, p, sizeof(p));
    }

    guardrail_json_memory_number_end(&m);
    guardrail_json_memory_record_end(&m, 100 * sizeof(p));

    guardrail_json_memory_string_begin(&m, 0);
    guardrail_json_memory_string(&m, p, sizeof(p));

    before = guardrail_json_memory_estimate(&m, 101 * sizeof(p), sizeof(p));

    guardrail_json_memory_string_end(&m);

    after = guardrail_json_memory_estimate(&m, 101 * sizeof(p), sizeof(p));

    tap_is_u64(before, after, "a string that is not ended");
}


/* near the limit, for its bytes or for its objects */

static void
test_exceeds(void)
{
    unsigned  i;
    uint64_t  n;

    guardrail_json_memory_init(&m, DOC);
    guardrail_json_memory_other(&m, (const uint8_t *) "\xf0\x9f\x98\x80", 4);

    n = guardrail_json_memory_estimate(&m, 100000, 0);

    tap_ok(!guardrail_json_memory_exceeds(&m, 100000, 0, n)
           && guardrail_json_memory_exceeds(&m, 100000, 0, n - 1)
           && guardrail_json_memory_exceeds(&m, 100000, 0, n / 2)
           && guardrail_json_memory_exceeds(&m, 100000, 0, 100001),
           "a text near its limit");

    guardrail_json_memory_init(&m, DOC);

    for (i = 0; i < 10000; i++) {
        guardrail_json_memory_open(&m, 0);
        guardrail_json_memory_close(&m);
    }

    n = guardrail_json_memory_estimate(&m, 1000, 0);

    tap_ok(n / 32 > 1000 && !guardrail_json_memory_exceeds(&m, 1000, 0, n)
           && guardrail_json_memory_exceeds(&m, 1000, 0, n - 1),
           "objects near their limit");
}


static void
test_events_that_cannot_be(void)
{
    unsigned  i;

    guardrail_json_memory_init(&m, DOC);

    guardrail_json_memory_close(&m);
    guardrail_json_memory_string_end(&m);
    guardrail_json_memory_number_end(&m);
    guardrail_json_memory_literal(&m);
    guardrail_json_memory_record_end(&m, 0);

    tap_is_u64(guardrail_json_memory_estimate(&m, 0, 0), 49 + CALL,
               "ends without a beginning cost nothing");

    guardrail_json_memory_open(&m, 0);
    guardrail_json_memory_literal(&m);

    for (i = 0; i < 3000; i++) {
        guardrail_json_memory_open(&m, 0);
        guardrail_json_memory_literal(&m);
    }

    tap_ok(m.stack[0].used == 1 && m.live == 3001 * 56 + 1024 * 32,
           "what is too deep is an empty container");

    for (i = 0; i < 4000; i++) {
        guardrail_json_memory_close(&m);
    }

    tap_ok(m.depth == 0, "more containers than are followed");

    guardrail_json_memory_init(&m, BODY);
    guardrail_json_memory_open(&m, 1);
    guardrail_json_memory_string_begin(&m, 1);
    guardrail_json_memory_string(&m, (const uint8_t *) "ab\\", 3);
    guardrail_json_memory_record_end(&m, 4);

    tap_is_u64(m.kept, 56 + 32 + 64 + 120 + 51,
               "a record that ends in a string keeps it");
    tap_ok(m.depth == 0 && m.live == 0, "and is over");
}


static void
test_saturation(void)
{
    guardrail_json_memory_init(&m, DOC);
    guardrail_json_memory_other(&m, (const uint8_t *) "\xf0\x9f\x98\x80", 4);

    tap_is_u64(guardrail_json_memory_estimate(&m, UINT64_MAX / 4, 0),
               UINT64_MAX, "a body without end");

    guardrail_json_memory_init(&m, BODY);
    guardrail_json_memory_open(&m, 0);
    guardrail_json_memory_record_end(&m, UINT64_MAX - 5);
    guardrail_json_memory_open(&m, 0);
    guardrail_json_memory_record_end(&m, UINT64_MAX - 5);

    tap_is_u64(guardrail_json_memory_estimate(&m, UINT64_MAX - 5, 0),
               UINT64_MAX, "records without end");

    m.stack[0].used = UINT32_MAX;
    m.stack[0].room = 0;

    guardrail_json_memory_open(&m, 0);
    m.stack[0].used = UINT32_MAX;
    m.stack[0].room = 0;
    m.live = 0;
    guardrail_json_memory_literal(&m);

    tap_ok(m.live > 8 * (uint64_t) (UINT32_MAX / 8)
           && m.stack[0].room == m.live / 8 - 1
           && m.stack[0].used == UINT32_MAX,
           "a list of more than 32 bits grows on");
}


static void
test_splits(void)
{
    size_t  i;

    static const char  *bodies[] = {
        "{\"a\":[1,2.5,-1e10,257,\"\",\"x\",\"xy\",true,null]}",
        "{\"key\\u00e9\":\"a\\ud83d\\ude00b\\n\\\"\\\\\",\"key\\u00e9\":1}",
        "[\"\\ud83d\\ud83d\\ude00\\ud83d\\n\\ud83dx\\ud83d\\u0041\\ud83d\"]",
        "[\"\xc3\xa9\xe4\xbc\x9a\xf0\x9f\x98\x80\xed\xa0\x80\xed\x9f\xbf\"]",
        "\xef\xbb\xbf{\"0123456789abcdef0123456789\":\"0123456789abcdef"
            "0123456789abcdef\xe4\xbc\x9a" "0123456789abcde\\n0123\"}",
        "[{\"abcdefgh\":1},{\"abcdefgh\":2},{\"abcdefghi\":3},{\"\":4}]",
        "{\"a\":1}\n{\"a\":1}\n\n[1234567890123456789,\"\xe4\xbc\x9a\"]\n",
        "[\n{\"a\":1},\n{\"b\":\"\xf0\x9f\x98\x80\"}\n]\n1\n",
        "{\"a\":1}\n\"\xe4\xbc\x9a\"\n[\n{\"b\":\"\xf0\x9f\x98\x80\"}\n]\n1\n",
        "\xed\xa0\x80{\"a\\", "[1,\"abc\\u12", "\"\\u12\n\"\\\n\"\\ud83d\n1",
        "-Infinity NaN - 5", "\xff\xfe\xed\xed\xa0\"\xed\"\xa0"
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        tap_ok(check_splits(DOC, (const uint8_t *) bodies[i],
                            strlen(bodies[i]))
               && check_splits(BODY, (const uint8_t *) bodies[i],
                               strlen(bodies[i]))
               && check_splits(RECORD, (const uint8_t *) bodies[i],
                               strlen(bodies[i])),
               "every split of body %zu", i);
    }
}


static void
test_random_bodies(void)
{
    rng_t                         r;
    size_t                        len, i, j;
    uint8_t                       p[120];
    unsigned                      bad;
    guardrail_json_memory_mode_e  mode;

    r.s = 2;
    bad = 0;

    for (i = 0; i < BODIES; i++) {
        len = random_body(&r, p, sizeof(p));
        mode = (guardrail_json_memory_mode_e) rng_below(&r, 3);

        if (!check_splits(mode, p, len)) {
            bad++;

            printf("# mode %d:", mode);

            for (j = 0; j < len; j++) {
                printf(" %02x", p[j]);
            }

            printf("\n");
        }
    }

    tap_ok(bad == 0, "every split of %d random bodies, %u bad", BODIES, bad);
}


static uint64_t
estimate(guardrail_json_memory_mode_e mode, const void *p, size_t len)
{
    memset(&w, 0, sizeof(walk_t));

    return walk(&w, &m, mode, p, len);
}


/* what is in the estimate besides the bytes, the text and the call */

static uint64_t
objects(const void *p, size_t len)
{
    uint64_t  n, text;

    n = estimate(DOC, p, len);
    text = guardrail_py_str(len - m.text.more, m.text.width);

    /* numbers are read from bytes; here what lives when all is read */

    return n - len - text - CALL > m.live
           && n - len - text - CALL <= m.live + 33 + 32
           && memchr(p, '"', len) == NULL
           ? m.live : n - len - text - CALL;
}


static uint64_t
list_of(const char *item, size_t n)
{
    size_t  i;

    guardrail_json_memory_init(&m, DOC);
    guardrail_json_memory_open(&m, 0);

    for (i = 0; i < n; i++) {
        guardrail_json_memory_number(&m, (const uint8_t *) item,
                                     strlen(item));
        guardrail_json_memory_number_end(&m);
    }

    guardrail_json_memory_close(&m);

    return m.live;
}


/* all keys are one, which is no object */

static uint64_t
dict_of(size_t n)
{
    size_t  i;

    guardrail_json_memory_init(&m, DOC);
    guardrail_json_memory_open(&m, 1);

    for (i = 0; i < n; i++) {
        guardrail_json_memory_string_begin(&m, 1);
        guardrail_json_memory_string_end(&m);
        guardrail_json_memory_literal(&m);
    }

    guardrail_json_memory_close(&m);

    return m.live;
}


static uint64_t
str(uint64_t chars)
{
    return 49 + chars;
}


static void
note(void *data, size_t at, uint64_t n)
{
    notes_t  *notes;

    notes = data;

    if (n < notes->last) {
        notes->fell++;
    }

    notes->last = n;

    if (at < MAX_NOTES) {
        notes->at[at] = n;
    }

    /* at the limit, one below it, and where it is far */

    if (guardrail_json_memory_exceeds(w.m, at, at - w.begin, n)
        || !guardrail_json_memory_exceeds(w.m, at, at - w.begin, n - 1)
        || guardrail_json_memory_exceeds(w.m, at, at - w.begin, n * 64)
        || guardrail_json_memory_exceeds(w.m, at, at - w.begin, UINT64_MAX))
    {
        notes->fell++;
    }
}


/* the estimates at all bytes where the whole has one are the same */

static int
check_splits(guardrail_json_memory_mode_e mode, const uint8_t *p, size_t len)
{
    size_t    i;
    uint64_t  n;

    memset(&whole, 0, sizeof(notes_t));
    memset(&w, 0, sizeof(walk_t));

    w.note = note;
    w.data = &whole;

    n = walk(&w, &m, mode, p, len);

    if (whole.fell) {
        tap_diag("the estimate fell");
        return 0;
    }

    for (i = 0; i <= len + 3; i++) {
        memset(&cut, 0, sizeof(notes_t));
        memset(&w, 0, sizeof(walk_t));

        w.note = note;
        w.data = &cut;

        if (i <= len) {
            w.cut = i;

        } else {
            w.every = i - len;
        }

        if (walk(&w, &m2, mode, p, len) != n || cut.fell
            || !compare(&whole, &cut, len))
        {
            tap_diag("split %zu: fell %u times", i, cut.fell);
            return 0;
        }
    }

    return 1;
}


static int
compare(const notes_t *a, const notes_t *b, size_t len)
{
    size_t  i;

    for (i = 0; i <= len; i++) {
        if (a->at[i] && a->at[i] != b->at[i]) {
            tap_diag("at %zu: %" PRIu64 " and %" PRIu64, i, a->at[i],
                     b->at[i]);
            return 0;
        }
    }

    return 1;
}


/* decodes as CPython does, one byte after the other */

static void
text_model(const uint8_t *p, size_t len, text_t *t)
{
    size_t    i;
    unsigned  width, copy, peak;

    static const unsigned  bytes[] = { 1, 1, 2, 4 };

    memset(t, 0, sizeof(text_t));

    t->peak = 1;
    copy = 0;

    for (i = 0; i < len; i++) {
        width = p[i] < 0x80 ? 0 : p[i] < 0xc4 ? 1 : p[i] < 0xf0 ? 2 : 3;

        t->more += (p[i] >= 0x80 && p[i] <= 0xbf);

        if (i && p[i - 1] == 0xed && p[i] >= 0xa0 && p[i] <= 0xbf && !copy) {
            copy = 1;
            t->peak++;
        }

        if (width > t->width) {
            peak = bytes[t->width] + bytes[width] + copy;
            t->width = width;
            t->peak = peak > t->peak ? peak : t->peak;
        }
    }
}


static uint64_t
key_tag(const void *p, size_t len, size_t at)
{
    size_t  i, j;

    guardrail_json_memory_init(&m, DOC);
    guardrail_json_memory_string_begin(&m, 1);
    guardrail_json_memory_string(&m, p, at);
    guardrail_json_memory_string(&m, (const uint8_t *) p + at, len - at);

    (void) guardrail_json_memory_key_is_new(&m);

    for (i = 0; i < GUARDRAIL_JSON_MEMORY_BUCKETS; i++) {
        for (j = 0; j < GUARDRAIL_JSON_MEMORY_WAYS; j++) {
            if (m.set[i][j]) {
                return m.set[i][j] & ~(uint64_t) 0xff;
            }
        }
    }

    return 0;
}


static unsigned
add_key(unsigned n)
{
    char      key[16];
    uint64_t  keys;

    keys = m.keys;

    (void) snprintf(key, sizeof(key), "key%u", n);

    guardrail_json_memory_string_begin(&m, 1);
    guardrail_json_memory_string(&m, (const uint8_t *) key, strlen(key));
    guardrail_json_memory_string_end(&m);

    return (unsigned) (m.keys - keys);
}


/* words of JSON, most of them where they belong */

static size_t
random_body(rng_t *r, uint8_t *p, size_t max)
{
    size_t       len, n, want;
    const char  *s;

    static const char  *words[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\"", "\"a\":", "\"ab\":",
        "\"ab\"", "1", "-5", "256", "257", "1.5", "1e9", "123456789012",
        "true", "null", "\n", "\n", " ", "\\", "\\n", "\\u", "\\u00e9",
        "\\ud83d", "\\ude00", "\\u4f1a", "\xc3\xa9", "\xe4\xbc\x9a",
        "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xed", "\x80", "\xff",
        "aaaaaaaaaaaaaaaaaaaa", "\xef\xbb\xbf", "x"
    };

    want = rng_below(r, max);

    for (len = 0; len < want; len += n) {
        s = words[rng_below(r, sizeof(words) / sizeof(words[0]))];
        n = strlen(s);

        if (n > want - len) {
            n = want - len;
        }

        memcpy(p + len, s, n);
    }

    return len;
}
