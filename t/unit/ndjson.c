
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records: every rule at its limit and one beyond it, every split of
 * each input, and every implementation against a model that sees the whole
 * body at once.
 */


#include <stdlib.h>

#include "records/guardrail_ndjson.h"
#include "tap.h"


#define MAX_OPS    4
#define MAX_BODY   4096
#define NL         GUARDRAIL_NO_LIMIT

/* all strings up to this length, and that many random bodies */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED  1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED  1
#endif
#endif

#if (SANITIZED)
#define LENGTH     4
#define BODIES     1000
#else
#define LENGTH     6
#define BODIES     12000
#endif


typedef struct {
    guardrail_rc_e  rc;
    size_t          used;               /* bytes judged; the last refused */
    unsigned        finish;             /* refused at the end */
    uint64_t        records;
    uint64_t        lines;
    uint64_t        largest;
    uint64_t        size;
} result_t;


typedef struct {
    const char      *name;
    const char      *body;
    size_t           len;
    uint64_t         max_records;
    uint64_t         max_lines;
    uint64_t         max_record_size;
    unsigned         refuse_utf16;
    guardrail_rc_e   rc;
    size_t           used;
    unsigned         finish;
    uint64_t         records;
    uint64_t         lines;
    uint64_t         largest;
} case_t;


static void find_ops(void);
static void test_cases(void);
static void test_api(void);
static void test_measurements_mid_body(void);
static void test_limits_set_late(void);
static void test_exhaustive(void);
static void test_random(void);
static void test_texts(void);
static void test_one_longer(void);
static void test_records(void);
static void test_records_one_longer(void);
static void test_random_limits_set_late(void);
static void test_blank(void);
static void test_seams(void);
static void test_random_seams(void);
static size_t random_body(uint8_t *p, size_t max);
static size_t random_text(uint8_t *p, size_t max);
static size_t random_seams(uint8_t *p);
static void random_limits(guardrail_ndjson_limits_t *limits,
    const result_t *m);
static int check_all(const uint8_t *p, size_t len,
    const guardrail_ndjson_limits_t *limits, const result_t *expected);
static int check_splits(const uint8_t *p, size_t len,
    const guardrail_ndjson_limits_t *limits, const result_t *expected);
static void run(const guardrail_ndjson_ops_t *ops,
    const guardrail_ndjson_limits_t *limits, const uint8_t *p, size_t len,
    const size_t *cuts, unsigned ncuts, result_t *r);
static void model(const guardrail_ndjson_limits_t *limits, const uint8_t *p,
    size_t len, result_t *r);
static void model_measure(const uint8_t *p, size_t len, unsigned finish,
    result_t *r);
static guardrail_rc_e model_excess(const guardrail_ndjson_limits_t *limits,
    const result_t *r);
static uint64_t model_records(const uint8_t *p, size_t len);
static int is_end(uint8_t c);
static uint64_t model_lines(const uint8_t *p, size_t len, unsigned finish);
static void model_sizes(const uint8_t *p, size_t len, unsigned finish,
    uint64_t *largest, uint64_t *size);
static size_t model_utf16(const uint8_t *p, size_t len);
static int same(const result_t *a, const result_t *b);
static void show(const char *what, const result_t *r);
static void show_body(const uint8_t *p, size_t len,
    const guardrail_ndjson_limits_t *limits);
static uint64_t rnd(void);


static const guardrail_ndjson_ops_t  *ops_list[MAX_OPS];
static unsigned                       nops;
static uint64_t                       rnd_state;


#define B(s)  s, sizeof(s) - 1

#define OK        GUARDRAIL_OK
#define RECORDS   GUARDRAIL_MAX_RECORDS
#define SIZE      GUARDRAIL_MAX_RECORD_SIZE
#define JSON      GUARDRAIL_MALFORMED_JSON

#define A16   "aaaaaaaaaaaaaaaa"
#define A64   A16 A16 A16 A16
#define S64   "                                                                "


/* what matters, alone and in two */

static const char  *const  seams[] = {
    "\r", "\n", "\r\n", "\r\r", "\n\r", " ", "\t", "\v", "\x1e", "\x1f",
    "\xc3\xa9", "\xc2", "\x85", "\xe2", "\xe2\x80", "\x80", "\xa8", "\xff",
    "\xfe", "\xff\xfe"
};

#define NSEAMS  (sizeof(seams) / sizeof(seams[0]))


static const case_t  cases[] = {

    /*
     * name, body, max_records, max_lines, max_record_size, refuse_utf16,
     * rc, used, finish, records, lines, largest
     */

    /* what a record is */

    { "nothing", B(""), 0, 0, 0, 1, OK, 0, 0, 0, 0, 0 },
    { "one record with LF", B("{}\n"), 1, 1, 2, 1, OK, 3, 0, 1, 1, 2 },
    { "one record without LF", B("{}"), 1, 1, 2, 1, OK, 2, 0, 1, 1, 2 },
    { "one record with CRLF", B("{}\r\n"), 1, 1, 2, 1, OK, 4, 0, 1, 1, 2 },
    { "LF alone", B("\n"), 0, 1, 0, 1, OK, 1, 0, 0, 1, 0 },
    { "CR alone", B("\r"), 0, 1, 0, 1, OK, 1, 0, 0, 1, 0 },
    { "CRLF alone", B("\r\n"), 0, 1, 0, 1, OK, 2, 0, 0, 1, 0 },
    { "blank lines are no records", B("\n \n\t\n\r\n \r\n"), 0, NL, 0, 1,
      OK, 10, 0, 0, 5, 0 },
    { "NUL is a record", B("abc\n \t\0\n"), 2, NL, 3, 0,
      OK, 8, 0, 2, 2, 3 },
    { "blank lines between records", B("a\n\n \nb\n"), 2, 4, 1, 1,
      OK, 7, 0, 2, 4, 1 },
    { "white space around counts in the size", B(" \ta \t\r\nb"), 2, 2, 5, 1,
      OK, 8, 0, 2, 2, 5 },
    { "a byte order mark is a record", B("\xef\xbb\xbf"), 1, 1, 3, 1,
      OK, 3, 0, 1, 1, 3 },

    /* max_records */

    { "records: at the limit", B("a\nb\nc\n"), 3, NL, NL, 0,
      OK, 6, 0, 3, 3, 1 },
    { "records: one beyond, at its first byte", B("a\nb\nc\nd\n"), 3, NL, NL,
      0, RECORDS, 7, 0, 4, 3, 1 },
    { "records: white space before does not count", B("a\n  b"), 1, NL, NL, 0,
      RECORDS, 5, 0, 2, 1, 3 },
    { "records: blank lines after are fine", B("a\n\n  \n\r\n"), 1, NL, NL, 0,
      OK, 8, 0, 1, 4, 1 },
    { "records: none allowed", B(" \na"), 0, NL, NL, 0,
      RECORDS, 3, 0, 1, 1, 1 },
    { "records: CR begins one", B("a\rb"), 1, NL, NL, 0,
      RECORDS, 3, 0, 2, 1, 3 },
    { "records: CRLF begins one", B("a\r\nb"), 1, NL, NL, 0,
      RECORDS, 4, 0, 2, 1, 1 },
    { "records: VT begins one", B("a\x0b" "b"), 1, NL, NL, 0,
      RECORDS, 3, 0, 2, 1, 3 },
    { "records: FF begins one", B("a\x0c" "b"), 1, NL, NL, 0,
      RECORDS, 3, 0, 2, 1, 3 },
    { "records: FS begins one", B("a\x1c" "b"), 1, NL, NL, 0,
      RECORDS, 3, 0, 2, 1, 3 },
    { "records: GS begins one", B("a\x1d" "b"), 1, NL, NL, 0,
      RECORDS, 3, 0, 2, 1, 3 },
    { "records: RS begins one", B("a\x1e" "b"), 1, NL, NL, 0,
      RECORDS, 3, 0, 2, 1, 3 },
    { "records: US begins none", B("a\x1f" "b"), 1, NL, NL, 0,
      OK, 3, 0, 1, 1, 3 },
    { "records: NEL begins none", B("a\xc2\x85" "b"), 1, NL, NL, 0,
      OK, 4, 0, 1, 2, 4 },
    { "records: U+2028 and U+2029 begin none",
      B("a\xe2\x80\xa8" "b\xe2\x80\xa9" "c"), 1, NL, NL, 0,
      OK, 9, 0, 1, 3, 9 },
    { "records: a line of ends is none", B("\x0b\x0c\x1c\x1d\x1e\r\n"),
      0, NL, NL, 0, OK, 7, 0, 0, 6, 5 },
    { "records: ends and white space", B("a\x0b \x0c\t\x1c \r b"), 2, NL, NL,
      0, OK, 10, 0, 2, 5, 10 },

    /* lines */

    { "lines: at the limit", B("\n\n\n"), 0, 3, 0, 0, OK, 3, 0, 0, 3, 0 },
    { "lines: one beyond, at its end", B("\n\n\n\n"), 0, 3, 0, 0,
      RECORDS, 4, 0, 0, 4, 0 },
    { "lines: the last one without LF", B("\n\n\n "), 0, 3, 0, 0,
      RECORDS, 4, 1, 0, 4, 0 },
    { "lines: CRLF is one end", B("\r\n\r\n\r\n"), 0, 3, 0, 0,
      OK, 6, 0, 0, 3, 0 },
    { "lines: CRLF beyond, at the LF", B("\r\n\r\n\r\n"), 0, 2, 0, 0,
      RECORDS, 6, 0, 0, 3, 0 },
    { "lines: lone CR, at the byte behind it", B("\r\r\r "), 0, 2, 0, 0,
      RECORDS, 4, 0, 0, 3, 0 },
    { "lines: lone CR, at the end", B("\r\r\r"), 0, 2, 0, 0,
      RECORDS, 3, 1, 0, 3, 0 },
    { "lines: CR ends the last line", B("a\r"), 1, 1, NL, 0,
      OK, 2, 0, 1, 1, 2 },
    { "lines: LF CR is two ends", B("\n\r"), 0, 2, NL, 0,
      OK, 2, 0, 0, 2, 0 },
    { "lines: CR and VT end two at one byte", B("\r\x0b"), 0, 0, NL, 0,
      RECORDS, 2, 0, 0, 2, 2 },
    { "lines: VT, FF, FS, GS, RS at the limit", B("\x0b\x0c\x1c\x1d\x1e"),
      0, 5, NL, 0, OK, 5, 0, 0, 5, 5 },
    { "lines: VT, FF, FS, GS, RS beyond", B("\x0b\x0c\x1c\x1d\x1e"),
      0, 4, NL, 0, RECORDS, 5, 0, 0, 5, 5 },
    { "lines: NEL ends the last one", B("a\xc2\x85"), NL, 1, NL, 0,
      OK, 3, 0, 1, 1, 3 },
    { "lines: NEL beyond, at its last byte", B("a\xc2\x85\xc2\x85"),
      NL, 1, NL, 0, RECORDS, 5, 0, 1, 2, 5 },
    { "lines: U+2028 beyond", B("\xe2\x80\xa8\xe2\x80\xa8"),
      NL, 1, NL, 0, RECORDS, 6, 0, 1, 2, 6 },
    { "lines: U+2029 beyond", B("\xe2\x80\xa9\xe2\x80\xa9"),
      NL, 1, NL, 0, RECORDS, 6, 0, 1, 2, 6 },
    { "lines: half a NEL holds a byte", B("\xc2\x85\xc2"), NL, 1, NL, 0,
      RECORDS, 3, 1, 1, 2, 3 },
    { "lines: leads in a row", B("\xe2\xe2\xc2\xe2\x80\xa8\xc2\xc2\x85"),
      NL, 2, NL, 0, OK, 9, 0, 1, 2, 9 },
    { "lines: what only looks like an end",
      B("\xe2\x80\xaa\xe2\x81\xa8\xc3\x85\xe2\xc2\x80\xa8\xe2\x80 \xa8\x85"),
      NL, 1, NL, 0, OK, 17, 0, 1, 1, 17 },
    { "lines: quotes end none", B("\xe2\x80\x9c" "a\xe2\x80\x9d\n"), 1, 1, 7,
      0, OK, 8, 0, 1, 1, 7 },

    /* max_record_size */

    { "size: at the limit with LF", B("aaaa\n"), NL, NL, 4, 0,
      OK, 5, 0, 1, 1, 4 },
    { "size: at the limit with CRLF", B("aaaa\r\n"), NL, NL, 4, 0,
      OK, 6, 0, 1, 1, 4 },
    { "size: at the limit without LF", B("aaaa"), NL, NL, 4, 0,
      OK, 4, 0, 1, 1, 4 },
    { "size: one beyond, before its end", B("aaaaa\n"), NL, NL, 4, 0,
      SIZE, 5, 0, 1, 0, 5 },
    { "size: the second record", B("aa\naaaaa\n"), NL, NL, 4, 0,
      SIZE, 8, 0, 2, 1, 5 },
    { "size: a CR that no LF follows", B("aaaa\rb"), NL, NL, 4, 0,
      SIZE, 6, 0, 2, 1, 6 },
    { "size: a CR that a CR follows", B("aaaa\r\r\n"), NL, NL, 4, 0,
      SIZE, 6, 0, 1, 1, 5 },
    { "size: one CR before LF is no part of it", B("aaa\r\r\n"), NL, NL, 4, 0,
      OK, 6, 0, 1, 2, 4 },
    { "size: a CR at the end", B("aaaa\r"), NL, NL, 4, 0,
      SIZE, 5, 1, 1, 1, 5 },
    { "size: VT, FF, FS, GS, RS are bytes", B("\x0b\x0c\x1c\x1d\x1e\n"),
      NL, NL, 5, 0, OK, 6, 0, 0, 6, 5 },
    { "size: VT, FF, FS, GS, RS beyond", B("\x0b\x0c\x1c\x1d\x1e\n"),
      NL, NL, 4, 0, SIZE, 5, 0, 0, 5, 5 },
    { "size: white space alone is none", B(S64 "\n" S64), NL, NL, 4, 0,
      OK, 129, 0, 0, 2, 0 },
    { "size: white space before counts", B("     a\n"), NL, NL, 4, 0,
      SIZE, 6, 0, 1, 0, 6 },
    { "size: white space before, at the limit", B("   a\n"), NL, NL, 4, 0,
      OK, 5, 0, 1, 1, 4 },
    { "size: white space behind counts", B("a    "), NL, NL, 4, 0,
      SIZE, 5, 0, 1, 0, 5 },
    { "size: much white space, then a byte", B(S64 S64 "a"), NL, NL, 4, 0,
      SIZE, 129, 0, 1, 0, 129 },
    { "size: CRs alone are none", B("\r\r\r\r\r\r\r\n\r\r\r\r\r\r"), NL, NL, 4,
      0, OK, 14, 0, 0, 13, 0 },
    { "size: CRs before count", B("\r\r\r\r\ra"), NL, NL, 4, 0,
      SIZE, 6, 0, 1, 5, 6 },
    { "size: none allowed", B("\n \n1"), NL, NL, 0, 0,
      SIZE, 4, 0, 1, 2, 1 },
    { "size: a long line, at the limit", B(A64 A64 A64 "\n" A64), NL, NL, 192,
      0, OK, 257, 0, 2, 2, 192 },
    { "size: a long line, beyond", B(A64 A64 A64 "\n" A64), NL, NL, 191,
      0, SIZE, 192, 0, 1, 0, 192 },
    { "size: LF at the end of a block", B(A64 A16 A16 A16 "aaaaaaaaaaaaaaa\n"
      A64), NL, NL, 127, 0, OK, 192, 0, 2, 2, 127 },
    { "size: CR LF over the end of a block", B(A16 A16 A16 "aaaaaaaaaaaaaaa\r"
      "\n" A16 A16 A16 A16), NL, NL, 64, 0, OK, 129, 0, 2, 2, 64 },

    /* UTF-16 and UTF-32 */

    { "utf16: big endian mark", B("\xfe\xff"), NL, NL, NL, 1,
      JSON, 2, 0, 1, 0, 2 },
    { "utf16: little endian mark", B("\xff\xfe"), NL, NL, NL, 1,
      JSON, 2, 0, 1, 0, 2 },
    { "utf16: half a mark", B("\xfe\xfe\n\xff\xff\n\xfe\n\xff\n\xfe" "a\xff"),
      NL, NL, NL, 1, OK, 13, 0, 5, 5, 3 },
    { "utf16: NUL first", B("\0{"), NL, NL, NL, 1, JSON, 1, 0, 1, 0, 1 },
    { "utf16: NUL second", B("{\0"), NL, NL, NL, 1, JSON, 2, 0, 1, 0, 2 },
    { "utf16: NUL third", B("{}\0"), NL, NL, NL, 1, OK, 3, 0, 1, 1, 3 },
    { "utf16: in a later line", B("{}\n{\0"), NL, NL, NL, 1,
      JSON, 5, 0, 2, 1, 2 },
    { "utf16: a mark in a later line", B("{}\r\n\xff\xfe"), NL, NL, NL, 1,
      JSON, 6, 0, 2, 1, 2 },
    { "utf16: a mark behind a lone CR is none", B("{}\r\xff\xfe\r\0"), NL, NL,
      NL, 1, OK, 7, 0, 3, 3, 7 },
    { "utf16: a mark over LF is none", B("\xff\n\xfe\n"), NL, NL, NL, 1,
      OK, 4, 0, 2, 2, 1 },
    { "utf16: a mark within a line is none", B("a\xff\xfe\xfe\xff"), NL, NL,
      NL, 1, OK, 5, 0, 1, 1, 5 },
    { "utf16: NUL behind a space", B(" \0"), NL, NL, NL, 1,
      JSON, 2, 0, 1, 0, 2 },
    { "utf16: NUL behind a CR", B("\r\0"), NL, NL, NL, 1,
      JSON, 2, 0, 1, 1, 2 },
    { "utf16: not refused, bytes like others", B("\0\0\n\xff\xfe\n\xfe\xff"),
      NL, NL, NL, 0, OK, 8, 0, 3, 3, 2 },

    /* several limits at one byte */

    { "order: records before size", B("aa\n   b"), 1, NL, 3, 1,
      RECORDS, 7, 0, 2, 1, 4 },
    { "order: size before utf16", B(" \0"), NL, NL, 1, 1,
      SIZE, 2, 0, 1, 0, 2 },
    { "order: lines before size", B("a\x0b"), NL, 0, 1, 1,
      RECORDS, 2, 0, 1, 1, 2 },
    { "order: records before utf16", B("a\n\0"), 1, NL, NL, 1,
      RECORDS, 3, 0, 2, 1, 1 },
    { "order: lines before size at a lone CR", B("a\rb"), NL, 0, 1, 1,
      RECORDS, 3, 0, 2, 1, 3 },
    { "order: lines before size at the end", B("a\r"), NL, 0, 1, 1,
      RECORDS, 2, 1, 1, 1, 2 }
};


int
main(void)
{
    find_ops();

    test_api();
    test_cases();
    test_measurements_mid_body();
    test_limits_set_late();
    test_exhaustive();
    test_random();
    test_texts();
    test_one_longer();
    test_records();
    test_records_one_longer();
    test_random_limits_set_late();
    test_blank();
    test_seams();
    test_random_seams();

    return tap_done();
}


static void
find_ops(void)
{
    unsigned                       i;
    const guardrail_ndjson_ops_t  *ops;

    static const char  *names[] = { "scalar", "sse2", "avx2", "neon" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ops = guardrail_ndjson_by_name(names[i]);

        if (ops) {
            tap_diag("implementation: %s", guardrail_ndjson_name(ops));
            ops_list[nops++] = ops;
        }
    }
}


static void
test_api(void)
{
    size_t                     used;
    unsigned                   i, found;
    guardrail_rc_e             rc;
    guardrail_ndjson_t         s;
    guardrail_ndjson_limits_t  limits;

    tap_ok(nops > 0 && ops_list[0] == guardrail_ndjson_by_name("scalar"),
           "scalar is everywhere");
    tap_ok(guardrail_ndjson_by_name("") == NULL
           && guardrail_ndjson_by_name("scala") == NULL
           && guardrail_ndjson_by_name("scalars") == NULL,
           "an unknown name is none");

#if defined(__x86_64__)
    tap_ok(guardrail_ndjson_by_name("sse2") != NULL, "sse2 is on x86-64");
#elif defined(__aarch64__) && defined(__AARCH64EL__)
    tap_ok(guardrail_ndjson_by_name("neon") != NULL, "neon is on arm64");
#endif

    found = 0;

    for (i = 0; i < nops; i++) {
        found |= (guardrail_ndjson_select() == ops_list[i]);
    }

    tap_ok(found && guardrail_ndjson_select() == ops_list[nops - 1],
           "the fastest is selected: %s",
           guardrail_ndjson_name(guardrail_ndjson_select()));

    tap_is_u64(guardrail_ndjson_max_lines(0), 1024, "max_lines of 0");
    tap_is_u64(guardrail_ndjson_max_lines(10), 1184, "max_lines of 10");
    tap_is_u64(guardrail_ndjson_max_lines(NL), NL, "max_lines of no limit");
    tap_is_u64(guardrail_ndjson_max_lines(NL - 1), NL, "max_lines saturates");
    tap_is_u64(guardrail_ndjson_max_lines(NL / 16), NL,
               "max_lines saturates in the sum");

    memset(&limits, 0xff, sizeof(limits));
    limits.max_records = 1;

    for (i = 0; i < nops; i++) {
        guardrail_ndjson_init(&s, ops_list[i], &limits);

        used = 7;
        rc = guardrail_ndjson_feed(&s, NULL, 0, &used);

        tap_ok(rc == OK && used == 0, "%s: an empty piece",
               guardrail_ndjson_name(ops_list[i]));

        (void) guardrail_ndjson_feed(&s, (const uint8_t *) "a\nbc\n", 5, &used);

        tap_ok(s.records == 2 && used == 3, "%s: a refusal",
               guardrail_ndjson_name(ops_list[i]));

        rc = guardrail_ndjson_feed(&s, (const uint8_t *) "a\nb\n", 4, &used);

        tap_ok(rc == RECORDS && used == 0 && s.records == 2
               && guardrail_ndjson_finish(&s) == RECORDS
               && s.lines == 1, "%s: a refusal is for good",
               guardrail_ndjson_name(ops_list[i]));

        limits.max_lines = 0;
        guardrail_ndjson_init(&s, ops_list[i], &limits);
        (void) guardrail_ndjson_feed(&s, (const uint8_t *) "a", 1, &used);
        limits.max_lines = NL;

        rc = guardrail_ndjson_finish(&s);

        tap_ok(rc == RECORDS && s.lines == 1
               && guardrail_ndjson_finish(&s) == RECORDS && s.lines == 1,
               "%s: refused at the end, twice",
               guardrail_ndjson_name(ops_list[i]));

        guardrail_ndjson_init(&s, ops_list[i], &limits);
        (void) guardrail_ndjson_feed(&s, (const uint8_t *) "a\r", 2, &used);

        tap_ok(guardrail_ndjson_finish(&s) == OK && s.lines == 1
               && guardrail_ndjson_finish(&s) == OK && s.lines == 1
               && s.largest == 2, "%s: finished twice",
               guardrail_ndjson_name(ops_list[i]));
    }
}


/*
 * Each case alone, then within many lines, so that what matters falls at
 * every place of a block.
 */

static void
test_cases(void)
{
    int                        pass;
    uint8_t                    body[MAX_BODY];
    size_t                     pad;
    unsigned                   i;
    result_t                   r, m;
    const case_t              *c;
    guardrail_ndjson_limits_t  limits;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];

        limits.max_records = c->max_records;
        limits.max_lines = c->max_lines;
        limits.max_record_size = c->max_record_size;
        limits.refuse_utf16 = c->refuse_utf16;

        memcpy(body, c->body, c->len);

        run(ops_list[0], &limits, body, c->len, NULL, 0, &r);

        pass = r.rc == c->rc && r.used == c->used && r.finish == c->finish
               && r.records == c->records && r.lines == c->lines
               && r.largest == c->largest;

        if (!pass) {
            show("got", &r);
        }

        pass &= check_splits(body, c->len, &limits, &r);

        model(&limits, body, c->len, &m);

        if (!same(&r, &m)) {
            show("model", &m);
            pass = 0;
        }

        /* behind blank lines, and before others */

        for (pad = 1; pad < 131; pad++) {
            memset(body, '\n', pad);
            memcpy(body + pad, c->body, c->len);
            memcpy(body + pad + c->len, "\n" A64 "\n" A64 A64, 194);

            limits.max_lines = (c->max_lines == NL) ? NL : c->max_lines + pad;

            model(&limits, body, pad + c->len, &m);
            pass &= m.rc == c->rc && m.used == c->used + pad;
            pass &= check_all(body, pad + c->len, &limits, &m);

            model(&limits, body, pad + c->len + 194, &m);
            pass &= check_all(body, pad + c->len + 194, &limits, &m);
        }

        tap_ok(pass, "%s", c->name);
    }
}


/* what is read between two pieces depends on the place alone */

static void
test_measurements_mid_body(void)
{
    int                        pass;
    size_t                     i, n, used;
    unsigned                   k;
    uint64_t                   largest, size;
    guardrail_ndjson_t         s;
    guardrail_ndjson_limits_t  limits;

    static const uint8_t  body[] = "  \r\n \r a\r\r\nbbb\r\nbbbb\r" A64 A64
                                   "\r\n" A64 A64 "\x0b\n \xe2\x80\xa8 " S64
                                   "\n" S64 S64 S64 "b" S64 "\xc2\x85\r";

    memset(&limits, 0xff, sizeof(limits));
    limits.refuse_utf16 = 1;

    for (k = 0; k < nops; k++) {
        pass = 1;

        for (n = 0; n < sizeof(body); n++) {
            guardrail_ndjson_init(&s, ops_list[k], &limits);
            (void) guardrail_ndjson_feed(&s, body, n, &used);

            model_sizes(body, n, 0, &largest, &size);

            pass &= used == n && s.records == model_records(body, n)
                    && s.lines == model_lines(body, n, 0)
                    && s.largest == largest && s.size == size;

            guardrail_ndjson_init(&s, ops_list[k], &limits);

            for (i = 0; i < n; i++) {
                (void) guardrail_ndjson_feed(&s, body + i, 1, &used);
            }

            pass &= s.largest == largest && s.size == size;
        }

        tap_ok(pass, "%s: measurements after every byte",
               guardrail_ndjson_name(ops_list[k]));
    }
}


static void
test_limits_set_late(void)
{
    size_t                     used;
    unsigned                   i, k;
    guardrail_rc_e             rc;
    guardrail_ndjson_t         s;
    guardrail_ndjson_limits_t  none;

    static const struct {
        const char                 *name;
        const char                 *before;
        const char                 *after;
        guardrail_ndjson_limits_t   limits;
        guardrail_rc_e              rc;
        size_t                      used;
    } late[] = {
        { "records, at the next record", "a\nb\nc", "c\n \nd",
          { 2, NL, NL, 0 }, RECORDS, 5 },
        { "records, none follows", "a\nb\nc", "c\n \n" S64 S64,
          { 2, NL, NL, 0 }, OK, 132 },
        { "lines, at the next line end", "\n\n\na", "aa\n",
          { NL, 2, NL, 0 }, RECORDS, 3 },
        { "lines, at the next NEL", "\n\n\na", "aa\xc2\x85",
          { NL, 2, NL, 0 }, RECORDS, 4 },
        { "lines, at a lone CR", "\n\n\na\r", "b",
          { NL, 2, NL, 0 }, RECORDS, 1 },
        { "lines, none follows", "\n\n\na", A64 A64,
          { NL, 2, NL, 0 }, OK, 128 },
        { "size, at a byte", "aaaa", A64,
          { NL, NL, 3, 0 }, SIZE, 1 },
        { "size, at a space", "aaaa", S64,
          { NL, NL, 3, 0 }, SIZE, 1 },
        { "size, at LF", "aaaa", "\n" A64,
          { NL, NL, 3, 0 }, SIZE, 1 },
        { "size, at CR", "aaaa", "\r\n" S64,
          { NL, NL, 3, 0 }, SIZE, 1 },
        { "size, at the LF of CRLF", "aaaa\r", "\n" S64,
          { NL, NL, 3, 0 }, SIZE, 1 },
        { "size, a record that is done", "aaaa\n", "aaa\n" S64 S64 "\n",
          { NL, NL, 3, 0 }, OK, 133 },
        { "size, white space alone", S64, "  \n" S64 S64,
          { NL, NL, 3, 0 }, OK, 131 },
        { "size, white space, then a byte", S64, S64 "a",
          { NL, NL, 3, 0 }, SIZE, 65 },
        { "utf16, a mark half seen", "\xff", "\xfe" A64,
          { NL, NL, NL, 1 }, JSON, 1 },
        { "utf16, a mark that is over", "\xff\xfe", A64 A64,
          { NL, NL, NL, 1 }, OK, 128 },
        { "utf16, NUL that is over", "\0", A64 A64,
          { NL, NL, NL, 1 }, OK, 128 }
    };

    memset(&none, 0xff, sizeof(none));
    none.refuse_utf16 = 0;

    for (i = 0; i < sizeof(late) / sizeof(late[0]); i++) {

        for (k = 0; k < nops; k++) {
            guardrail_ndjson_init(&s, ops_list[k], &none);

            (void) guardrail_ndjson_feed(&s, (const uint8_t *) late[i].before,
                                         late[i].before[0]
                                         ? strlen(late[i].before) : 1, &used);
            s.limits = late[i].limits;

            rc = guardrail_ndjson_feed(&s, (const uint8_t *) late[i].after,
                                       strlen(late[i].after), &used);

            if (!tap_ok(rc == late[i].rc && used == late[i].used,
                        "%s: set late: %s",
                        guardrail_ndjson_name(ops_list[k]), late[i].name))
            {
                tap_diag("rc:%u used:%zu", (unsigned) rc, used);
            }
        }
    }

    /* at the end, too */

    guardrail_ndjson_init(&s, ops_list[0], &none);
    (void) guardrail_ndjson_feed(&s, (const uint8_t *) "aaaa", 4, &used);
    s.limits.max_record_size = 3;

    tap_ok(guardrail_ndjson_finish(&s) == SIZE, "set late: size, at the end");
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
    guardrail_ndjson_limits_t  limits;

    static const struct {
        const char  *name;
        size_t       chars;
        const char  *set;
    } alphabets[] = {
        { "a space LF CR VT NUL", 6, "a \n\r\v\0" },
        { "LF CR C2 85 E2 80 A8", 7, "\n\r\xc2\x85\xe2\x80\xa8" },
        { "LF CR FE FF NUL a", 6, "\n\r\xfe\xff\0a" }
    };

    static const guardrail_ndjson_limits_t  sets[] = {
        { NL, NL, NL, 0 },
        { 1, NL, NL, 1 },
        { NL, 2, NL, 0 },
        { NL, NL, 2, 0 },
        { NL, NL, NL, 1 },
        { 2, 3, 3, 1 }
    };

    for (a = 0; a < sizeof(alphabets) / sizeof(alphabets[0]); a++) {
        pass = 1;
        all = 1;

        for (len = 0; len <= LENGTH && pass; len++, all *= alphabets[a].chars) {

            if (len == 6 && alphabets[a].chars > 6) {
                break;
            }

            for (n = 0; n < all && pass; n++) {
                rest = n;

                for (i = 0; i < len; i++) {
                    body[i] = (uint8_t)
                              alphabets[a].set[rest % alphabets[a].chars];
                    rest /= alphabets[a].chars;
                }

                for (k = 0; k < sizeof(sets) / sizeof(sets[0]); k++) {
                    limits = sets[k];

                    model(&limits, body, len, &m);
                    pass &= (len < 6) ? check_splits(body, len, &limits, &m)
                                      : check_all(body, len, &limits, &m);
                }

                /* the string around the end of a block */

                memmove(body + 61, body, len);
                memset(body, 'b', 61);
                memset(body + 61 + len, 'b', 80);
                body[59] = '\n';
                body[61 + len + 9] = '\n';

                limits = sets[n % 6];

                if (limits.max_record_size != NL) {
                    limits.max_record_size = 70;
                }

                model(&limits, body, 61 + len + 80, &m);
                pass &= check_all(body, 61 + len + 80, &limits, &m);

                memmove(body, body + 61, len);
            }
        }

        tap_ok(pass, "all short strings of %s", alphabets[a].name);
    }
}


static size_t
random_body(uint8_t *p, size_t max)
{
    size_t        i, len;
    uint64_t      kind;
    unsigned      dense;
    const char   *piece;

    static const char  *pieces[] = {
        "\n", "\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f",
        " ", "\t", "    ", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xc2",
        "\xe2", "\x80", "\x85", "\xa8", "\xe2\x80", "\xe2\x80\x9c", "\xfe",
        "\xff", "\xfe\xff", "\xff\xfe", "\x7f", "\x1b", "\x01", "\n\n\n", S64
    };

    len = (size_t) (rnd() % (max - 64));
    dense = (unsigned) (rnd() % 5);
    i = 0;

    while (i < len) {
        kind = rnd();

        if (kind % (1 + dense * dense * 8) != 0) {
            p[i++] = (uint8_t) ((dense & 1) ? 'a' : 33 + (kind >> 32) % 94);
            continue;
        }

        kind = (kind >> 32) % (sizeof(pieces) / sizeof(pieces[0]) + 1);

        if (kind == sizeof(pieces) / sizeof(pieces[0])) {
            p[i++] = '\0';
            continue;
        }

        piece = pieces[kind];

        while (*piece && i < max) {
            p[i++] = (uint8_t) *piece++;
        }
    }

    return i;
}


static void
random_limits(guardrail_ndjson_limits_t *limits, const result_t *m)
{
    memset(limits, 0xff, sizeof(guardrail_ndjson_limits_t));

    if (rnd() & 1) {
        limits->max_records = rnd() % (m->records + 2);
    }

    if (rnd() & 1) {
        limits->max_lines = rnd() % (m->lines + 2);
    }

    if (rnd() & 1) {
        limits->max_record_size = rnd() % (m->largest + 2);
    }

    limits->refuse_utf16 = (unsigned) (rnd() & 1);
}


static void
test_random(void)
{
    int                        pass;
    size_t                     len, cuts[4];
    uint8_t                    body[1024];
    unsigned                   i, j, k;
    uint64_t                   seed;
    const char                *env;
    result_t                   m, r;
    guardrail_ndjson_limits_t  limits, none;

    env = getenv("GUARDRAIL_SEED");
    seed = env ? strtoull(env, NULL, 0) : 20240229;
    rnd_state = seed;
    pass = 1;

    memset(&none, 0xff, sizeof(none));
    none.refuse_utf16 = 0;

    for (i = 0; i < BODIES && pass; i++) {
        len = random_body(body, (i & 7) ? 320 : sizeof(body));

        model(&none, body, len, &m);
        pass &= check_all(body, len, &none, &m);

        for (j = 0; j < 2 && pass; j++) {
            random_limits(&limits, &m);

            model(&limits, body, len, &r);
            pass &= check_all(body, len, &limits, &r);

            cuts[0] = (size_t) (rnd() % (len + 1));
            cuts[1] = cuts[0] + (size_t) (rnd() % (len + 1 - cuts[0]));
            cuts[2] = cuts[1] + (size_t) (rnd() % (len + 1 - cuts[1]));

            for (k = 0; k < nops; k++) {
                run(ops_list[k], &limits, body, len, cuts, 3, &m);

                if (!same(&m, &r)) {
                    tap_diag("%s, cut at %zu, %zu, %zu",
                             guardrail_ndjson_name(ops_list[k]), cuts[0],
                             cuts[1], cuts[2]);
                    show("got", &m);
                    show("expected", &r);
                    show_body(body, len, &limits);
                    pass = 0;
                }
            }

            model(&none, body, len, &m);
        }
    }

    tap_ok(pass, "random bodies, GUARDRAIL_SEED=%" PRIu64, seed);
}


/*
 * Long texts of one kind, as most bodies are, with a single exception, and
 * limits that are met or just exceeded.
 */

static size_t
random_text(uint8_t *p, size_t max)
{
    size_t       i, n, len, line, at;
    uint64_t     kind, lines;
    const char  *piece;

    static const char  *exceptions[] = {
        "", "\r", "\v", "\x1e", "\x1f", "\xc2\x85", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80", "\xc2", "\n\xff\xfe", "\n\xfe\xff",
        "\n\xfe\xfe", "\n\xff\xff", "\nab\xff\xfe", "\n\n\n", "\n \n",
        S64, "\n" S64 S64 "\n", A64, A16, "a", "\r\n", "\n\r\n"
    };

    len = max - 200 - (size_t) (rnd() % 100);
    at = (size_t) (rnd() % len);
    kind = rnd() % 6;
    lines = 1 + rnd() % 80;
    line = (size_t) (rnd() % lines);

    for (i = 0, n = 0; i < len; /* void */) {

        if (at && i >= at) {
            at = 0;
            piece = exceptions[rnd() % (sizeof(exceptions)
                                        / sizeof(exceptions[0]))];

            while (*piece) {
                p[i++] = (uint8_t) *piece++;
            }

            if (rnd() % 8 == 0) {
                p[i++] = '\0';
            }
        }

        if (n++ >= line) {

            if (kind & 1) {
                p[i++] = '\r';
            }

            p[i++] = '\n';
            n = 0;
            line = (kind < 2) ? (size_t) lines : (size_t) (rnd() % lines);
            continue;
        }

        if (kind >= 4 && rnd() % 6 == 0) {
            memcpy(p + i, (rnd() & 1) ? "\xe2\x80\x9c" : "\xc3\xa9\xa8", 3);
            i += 3;
            continue;
        }

        p[i++] = (rnd() % 5 == 0) ? ' ' : 'a';
    }

    return i;
}


static void
test_texts(void)
{
    int                        pass;
    size_t                     len;
    uint8_t                    body[1024];
    unsigned                   i;
    uint64_t                   less;
    result_t                   m, r;
    guardrail_ndjson_limits_t  limits;

    pass = 1;

    for (i = 0; i < BODIES && pass; i++) {
        len = random_text(body, (i & 1) ? 500 : 1000);

        memset(&limits, 0xff, sizeof(limits));
        limits.refuse_utf16 = i & 1;

        model(&limits, body, len, &m);
        pass &= check_all(body, len, &limits, &m);

        if (m.rc != GUARDRAIL_OK) {
            continue;
        }

        /* each limit in turn, at what there is or one below */

        less = (rnd() & 1);

        switch (rnd() % 3) {

        case 0:
            limits.max_records = (m.records > less) ? m.records - less : 0;
            break;

        case 1:
            limits.max_lines = (m.lines > less) ? m.lines - less : 0;
            break;

        default:
            limits.max_record_size = (m.largest > less) ? m.largest - less
                                                        : 0;
        }

        model(&limits, body, len, &r);
        pass &= check_all(body, len, &limits, &r);
    }

    tap_ok(pass, "texts with one exception each");
}


/* a line that is one byte longer than all before, at each place of a block */

static void
test_one_longer(void)
{
    int                        pass;
    size_t                     n, shift, len;
    uint8_t                    body[512];
    result_t                   r;
    unsigned                   k;
    guardrail_ndjson_limits_t  limits;

    pass = 1;
    memset(&limits, 0xff, sizeof(limits));

    for (n = 1; n < 70; n++) {

        for (shift = 0; shift < 64; shift++) {
            memset(body, 'a', sizeof(body));

            body[n] = '\n';
            memset(body + n + 1, '\n', 128 + shift - (n + 1));

            len = 128 + shift + n + 1;
            body[len] = '\n';
            memset(body + len + 1, '\n', 150);
            len += 150;

            for (k = 0; k < nops; k++) {
                limits.max_record_size = n + 1;
                run(ops_list[k], &limits, body, len, NULL, 0, &r);
                pass &= r.rc == OK && r.largest == n + 1;

                limits.max_record_size = n;
                run(ops_list[k], &limits, body, len, NULL, 0, &r);
                pass &= r.rc == SIZE && r.largest == n + 1
                        && r.used == 128 + shift + n + 1;
            }
        }
    }

    tap_ok(pass, "a line one byte longer than all before");
}


/* against scalar: the model knows one set of limits for a body */

/*
 * Nothing but records, in ASCII and in UTF-8, but for one exception, at each
 * place.  Records are larger than a block, so that few need a measure.
 */

static void
test_records(void)
{
    int                        pass;
    size_t                     i, at, len;
    uint8_t                    body[704];
    unsigned                   n, utf8;
    result_t                   r;
    guardrail_ndjson_limits_t  limits;

    static const char  *exceptions[] = {
        "\n", "\n\n", "\n ", "\n\t", "\n\r", "\n!", "\n\x7f", "\x1f", "\v",
        "\r", "\t", "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xc2", "\xff",
        "\n\xff\xfe", "\n\xfe\xff", "\n\x80", "\n\xc3\xa9", "\x80"
    };

    pass = 1;
    memset(&limits, 0xff, sizeof(limits));

    for (n = 0; n < sizeof(exceptions) / sizeof(exceptions[0]); n++) {

        for (at = 192; at < 192 + 3 * 64 && pass; at++) {

            for (utf8 = 0; utf8 < 2; utf8++) {
                memset(body, 'a', sizeof(body));

                for (i = 70; i < sizeof(body); i += 71 + i % 3) {
                    body[i] = '\n';
                    body[i - 9] = utf8 ? 0xc3 : ' ';
                    body[i - 8] = utf8 ? 0xa9 : ' ';
                }

                for (i = 0; exceptions[n][i]; i++) {
                    body[at + i] = (uint8_t) exceptions[n][i];
                }

                len = sizeof(body) - at % 67;
                limits.refuse_utf16 = at & 1;

                /* as the scalar one, which is compared with the model */

                run(ops_list[0], &limits, body, len, NULL, 0, &r);
                pass &= check_all(body, len, &limits, &r);
            }
        }
    }

    tap_ok(pass, "records with one exception each");
}


static void
test_records_one_longer(void)
{
    int                        pass;
    size_t                     i, n, at, len;
    uint8_t                    body[1024];
    unsigned                   k;
    result_t                   r;
    guardrail_ndjson_limits_t  limits;

    pass = 1;
    memset(&limits, 0xff, sizeof(limits));

    for (n = 58; n < 200; n++) {

        for (at = 320; at < 320 + 128; at++) {

            /* short ones, and that one */

            memset(body, 'a', sizeof(body));

            for (i = at - 1; i > n + 1; i -= 2) {
                body[i] = '\n';
            }

            body[n] = '\n';
            len = at + n + 1;

            for (i = len; i < len + 300; i += 2) {
                body[i] = '\n';
            }

            len = i;

            for (k = 0; k < nops; k++) {
                limits.max_record_size = GUARDRAIL_NO_LIMIT;
                run(ops_list[k], &limits, body, len, NULL, 0, &r);
                pass &= r.rc == OK && r.largest == n + 1;

                limits.max_record_size = n + 1;
                run(ops_list[k], &limits, body, len, NULL, 0, &r);
                pass &= r.rc == OK && r.largest == n + 1;

                limits.max_record_size = n;
                run(ops_list[k], &limits, body, len, NULL, 0, &r);
                pass &= r.rc == SIZE && r.largest == n + 1
                        && r.used == at + n + 1;
            }
        }
    }

    tap_ok(pass, "a record one byte longer than all before");
}


static void
test_random_limits_set_late(void)
{
    int                        pass;
    size_t                     len, cut, used;
    uint8_t                    body[1024];
    unsigned                   i, k;
    result_t                   m;
    guardrail_rc_e             rc;
    guardrail_ndjson_t         s[MAX_OPS];
    guardrail_ndjson_limits_t  limits, none;

    pass = 1;
    memset(&none, 0xff, sizeof(none));
    none.refuse_utf16 = 0;

    for (i = 0; i < BODIES && pass; i++) {
        len = random_body(body, 400);
        cut = (size_t) (rnd() % (len + 1));

        model(&none, body, len, &m);
        random_limits(&limits, &m);

        for (k = 0; k < nops; k++) {
            memset(&s[k], 0, sizeof(s[k]));
            guardrail_ndjson_init(&s[k], ops_list[k], &none);
            (void) guardrail_ndjson_feed(&s[k], body, cut, &used);
            s[k].limits = limits;
            (void) guardrail_ndjson_feed(&s[k], body + cut, len - cut, &used);
            rc = guardrail_ndjson_finish(&s[k]);

            s[k].ops = NULL;

            if (rc != s[k].rc || memcmp(&s[k], &s[0], sizeof(s[0])) != 0) {
                tap_diag("%s differs, cut at %zu",
                         guardrail_ndjson_name(ops_list[k]), cut);
                show_body(body, len, &limits);
                pass = 0;
            }
        }
    }

    tap_ok(pass, "random bodies, limits set late");
}


/* a line of white space, longer than any record, whose CR ends a block */

static void
test_blank(void)
{
    int                        pass;
    size_t                     i, first, blanks, len, cut;
    uint8_t                    body[512];
    unsigned                   k;
    result_t                   m, r;
    guardrail_ndjson_limits_t  limits;

    static const char  *begins[] = { "", "\r\n", "a\r\n", "\xc3\xa9\r\n",
                                     "\r\na" };
    static const char  *ends[] = { "\n", "\n\n", "\nb", "b\n",
                                   "\nbcd\r\n" };

    /* only where no line within a block is the largest there are loops */

    limits.max_records = NL;
    limits.max_lines = NL;
    limits.refuse_utf16 = 0;
    pass = 1;

    for (i = 0; i < 25; i++) {

        for (blanks = 100; blanks < 260; blanks++) {
            first = 70 + strlen(begins[i % 5]);

            memset(body, 'x', 70);
            memcpy(body + 70, begins[i % 5], first - 70);
            memset(body + first, (i & 1) ? '\t' : ' ', blanks);

            len = first + blanks;
            body[len++] = '\r';

            memcpy(body + len, ends[i / 5], strlen(ends[i / 5]));
            len += strlen(ends[i / 5]);

            /* white space in front of what ends a block is white, too */

            memset(body + len, ' ', 70);
            len += 70;

            limits.max_record_size = (blanks & 1) ? NL : 90;

            model(&limits, body, len, &m);
            pass &= check_all(body, len, &limits, &m);

            for (k = 0; k < nops; k++) {
                cut = first + 1;
                run(ops_list[k], &limits, body, len, &cut, 1, &r);
                pass &= same(&r, &m);
            }
        }
    }

    tap_ok(pass, "long blank lines with a CR, at each place of a block");
}


/*
 * What the loops hand over to each other where a block ends, in each state
 * there is: two of the pieces that matter, with nothing but text between them.
 */

static void
test_seams(void)
{
    int                        pass;
    size_t                     at, len, first, gap, second;
    uint8_t                    body[896];
    unsigned                   i, k, n, fill;
    result_t                   r;
    guardrail_ndjson_limits_t  limits;

    pass = 1;
    memset(&limits, 0xff, sizeof(limits));

    for (i = 0; i < NSEAMS * NSEAMS * 8; i++) {
        n = i / 8 % NSEAMS;
        k = i / 8 / NSEAMS;

        limits.refuse_utf16 = i & 1;
        fill = (i & 2) ? ' ' : 'a';

        for (at = 0; at < 4 * 4 * 4 && pass; at++) {
            first = 190 + at % 4;
            gap = 64 + at / 4 % 4 * 192;
            second = gap + at / 16 - 2;

            /* no line within a block is the largest there, with or without */

            memset(body, 'a', sizeof(body));
            body[70] = '\n';

            /* the text is known as UTF-8 or not when it comes to the first */

            if (i & 4) {
                body[150] = 0xc3;
                body[151] = 0xa9;
            }

            len = first;
            memcpy(body + len, seams[n], strlen(seams[n]));
            len += strlen(seams[n]);

            second += 192;
            memset(body + len, (int) fill, second - len);
            len = second;

            memcpy(body + len, seams[k], strlen(seams[k]));
            len += strlen(seams[k]) + at % 7;

            /* as the scalar one, which is compared with the model */

            run(ops_list[0], &limits, body, len, NULL, 0, &r);
            pass &= check_all(body, len, &limits, &r);
        }
    }

    tap_ok(pass, "all pairs of what matters, where blocks end");
}


static size_t
random_seams(uint8_t *p)
{
    size_t       i, len, seam;
    unsigned     n, runs;
    const char  *piece;

    i = 0;
    runs = 2 + (unsigned) (rnd() % 4);

    while (runs--) {

        /* up to two bytes before or behind a block's end */

        seam = (i / 64 + 1 + (size_t) (rnd() % 4)) * 64 + (size_t) (rnd() % 5)
               - 2;
        len = (seam > i) ? seam - i : 0;

        memset(p + i, " aaa"[rnd() % 4], len);
        i += len;

        for (n = (unsigned) (rnd() % 4); n; n--) {
            piece = seams[rnd() % NSEAMS];

            while (*piece) {
                p[i++] = (uint8_t) *piece++;
            }
        }
    }

    return i;
}


static void
test_random_seams(void)
{
    int                        pass;
    size_t                     len;
    uint8_t                    body[2048];
    unsigned                   i;
    uint64_t                   seed;
    result_t                   m, r;
    const char                *env;
    guardrail_ndjson_limits_t  limits, none;

    env = getenv("GUARDRAIL_SEED");
    seed = env ? strtoull(env, NULL, 0) : 20240301;
    rnd_state = seed;
    pass = 1;

    memset(&none, 0xff, sizeof(none));
    none.refuse_utf16 = 0;

    for (i = 0; i < BODIES && pass; i++) {
        len = random_seams(body);

        model(&none, body, len, &m);
        pass &= check_all(body, len, &none, &m);

        random_limits(&limits, &m);

        model(&limits, body, len, &r);
        pass &= check_all(body, len, &limits, &r);
    }

    tap_ok(pass, "what matters where blocks end, GUARDRAIL_SEED=%" PRIu64,
           seed);
}


/* whole, and in pieces of several lengths */

static int
check_all(const uint8_t *p, size_t len,
    const guardrail_ndjson_limits_t *limits, const result_t *expected)
{
    int       pass;
    size_t    cut;
    unsigned  k, n;
    result_t  r;

    pass = 1;

    for (k = 0; k < nops; k++) {

        for (n = 0; n < 3; n++) {
            cut = (n == 1) ? len / 2 : len - len / 3;

            run(ops_list[k], limits, p, len, &cut, n ? 1 : 0, &r);

            if (!same(&r, expected)) {
                tap_diag("%s, cut at %zu", guardrail_ndjson_name(ops_list[k]),
                         n ? cut : 0);
                show("got", &r);
                show("expected", expected);
                show_body(p, len, limits);
                pass = 0;
            }
        }
    }

    return pass;
}


static int
check_splits(const uint8_t *p, size_t len,
    const guardrail_ndjson_limits_t *limits, const result_t *expected)
{
    int       pass;
    size_t    i, cuts[MAX_BODY];
    unsigned  k;
    result_t  r;

    pass = 1;

    for (k = 0; k < nops; k++) {

        for (i = 0; i <= len + 1; i++) {

            if (i <= len) {
                run(ops_list[k], limits, p, len, &i, 1, &r);

            } else {
                for (i = 0; i < len; i++) {
                    cuts[i] = i;
                }

                run(ops_list[k], limits, p, len, cuts, (unsigned) len, &r);
                i = len + 1;
            }

            if (!same(&r, expected)) {
                tap_diag("%s, cut at %zu", guardrail_ndjson_name(ops_list[k]),
                         i);
                show("got", &r);
                show("expected", expected);
                show_body(p, len, limits);
                pass = 0;
            }
        }
    }

    return pass;
}


/* pieces are copies of their own length, for the sanitizers */

static void
run(const guardrail_ndjson_ops_t *ops, const guardrail_ndjson_limits_t *limits,
    const uint8_t *p, size_t len, const size_t *cuts, unsigned ncuts,
    result_t *r)
{
    size_t               start, end, used;
    uint8_t             *piece;
    unsigned             i;
    guardrail_ndjson_t   s;

    memset(r, 0, sizeof(result_t));

    guardrail_ndjson_init(&s, ops, limits);
    start = 0;

    for (i = 0; i <= ncuts; i++) {
        end = (i < ncuts) ? cuts[i] : len;

        piece = malloc(end - start + 1);
        if (piece == NULL) {
            abort();
        }

        memcpy(piece + 1, p + start, end - start);

        r->rc = guardrail_ndjson_feed(&s, piece + 1, end - start, &used);

        free(piece);

        r->used += used;

        if (r->rc != GUARDRAIL_OK) {
            break;
        }

        start = end;
    }

    if (r->rc == GUARDRAIL_OK) {
        r->rc = guardrail_ndjson_finish(&s);
        r->finish = (r->rc != GUARDRAIL_OK);
    }

    r->records = s.records;
    r->lines = s.lines;
    r->largest = s.largest;
    r->size = s.size;
}


/*
 * The model: the shortest prefix of the body that exceeds a limit, each one
 * measured from its very start.  More bytes never measure less, so that it
 * is found by halving.
 */

static void
model(const guardrail_ndjson_limits_t *limits, const uint8_t *p, size_t len,
    result_t *r)
{
    size_t    n, low, high;
    uint64_t  none;

    /* low passes, high does not */

    low = 0;
    high = len + 1;

    while (high - low > 1) {
        n = low + (high - low) / 2;

        model_measure(p, n, 0, r);

        if (model_excess(limits, r) == GUARDRAIL_OK) {
            low = n;

        } else {
            high = n;
        }
    }

    n = limits->refuse_utf16 ? model_utf16(p, len) : len + 1;

    if (n < high) {
        high = n;
    }

    if (high > len) {
        model_measure(p, len, 1, r);

        r->rc = model_excess(limits, r);
        r->finish = (r->rc != GUARDRAIL_OK);

        return;
    }

    model_measure(p, high, 0, r);

    r->rc = model_excess(limits, r);

    if (r->rc == GUARDRAIL_OK) {
        r->rc = GUARDRAIL_MALFORMED_JSON;
    }

    if (p[high - 1] == '\n') {

        /* the size stays that of the line refused */

        model_sizes(p, high - 1, 0, &none, &r->size);
    }
}


static void
model_measure(const uint8_t *p, size_t len, unsigned finish, result_t *r)
{
    memset(r, 0, sizeof(result_t));

    r->used = len;
    r->records = model_records(p, len);
    r->lines = model_lines(p, len, finish);

    model_sizes(p, len, finish, &r->largest, &r->size);
}


static guardrail_rc_e
model_excess(const guardrail_ndjson_limits_t *limits, const result_t *r)
{
    if (r->records > limits->max_records || r->lines > limits->max_lines) {
        return GUARDRAIL_MAX_RECORDS;
    }

    if (r->largest > limits->max_record_size) {
        return GUARDRAIL_MAX_RECORD_SIZE;
    }

    return GUARDRAIL_OK;
}


static int
is_end(uint8_t c)
{
    return c == '\n' || c == '\r' || c == 0x0b || c == 0x0c
           || (c >= 0x1c && c <= 0x1e);
}


static uint64_t
model_records(const uint8_t *p, size_t len)
{
    size_t    i, j;
    uint64_t  n;

    n = 0;

    for (i = 0; i < len; i = j + 1) {

        for (j = i; j < len && !is_end(p[j]); j++) { /* void */ }

        while (i < j && (p[i] == ' ' || p[i] == '\t')) {
            i++;
        }

        n += (i < j);
    }

    return n;
}


static uint64_t
model_lines(const uint8_t *p, size_t len, unsigned finish)
{
    size_t    i;
    uint64_t  n;
    unsigned  end;

    n = 0;
    end = 1;

    for (i = 0; i < len; i++) {

        if (p[i] == '\r') {

            /* counted with what follows */

            end = (i + 1 == len) ? finish : (p[i + 1] != '\n');
            n += end;
            end = 1;
            continue;
        }

        end = is_end(p[i])
              || (i >= 1 && memcmp(p + i - 1, "\xc2\x85", 2) == 0)
              || (i >= 2 && memcmp(p + i - 2, "\xe2\x80\xa8", 3) == 0)
              || (i >= 2 && memcmp(p + i - 2, "\xe2\x80\xa9", 3) == 0);
        n += end;
    }

    return (finish && !end) ? n + 1 : n;
}


static void
model_sizes(const uint8_t *p, size_t len, unsigned finish, uint64_t *largest,
    uint64_t *size)
{
    size_t          n, blank;
    const uint8_t  *lf;

    *largest = 0;

    for ( ;; ) {
        lf = len ? memchr(p, '\n', len) : NULL;
        n = lf ? (size_t) (lf - p) : len;

        for (blank = 0;
             blank < n && (p[blank] == ' ' || p[blank] == '\t'
                           || p[blank] == '\r');
             blank++)
        {
            /* void */
        }

        *size = n;

        if (n && p[n - 1] == '\r' && (lf || !finish)) {
            (*size)--;
        }

        if (blank < n && *size > *largest) {
            *largest = *size;
        }

        if (lf == NULL) {
            return;
        }

        len -= n + 1;
        p = lf + 1;
    }
}


/* the length of the shortest prefix that shows it, or len + 1 */

static size_t
model_utf16(const uint8_t *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (i > 0 && p[i - 1] != '\n') {
            continue;
        }

        if (p[i] == 0) {
            return i + 1;
        }

        if (i + 1 < len
            && ((p[i] != '\n' && p[i + 1] == 0)
                || memcmp(p + i, "\xfe\xff", 2) == 0
                || memcmp(p + i, "\xff\xfe", 2) == 0))
        {
            return i + 2;
        }
    }

    return len + 1;
}


static int
same(const result_t *a, const result_t *b)
{
    return a->rc == b->rc && a->used == b->used && a->finish == b->finish
           && a->records == b->records && a->lines == b->lines
           && a->largest == b->largest && a->size == b->size;
}


static void
show(const char *what, const result_t *r)
{
    tap_diag("%s: rc:%u used:%zu finish:%u records:%" PRIu64 " lines:%" PRIu64
             " largest:%" PRIu64 " size:%" PRIu64, what, (unsigned) r->rc,
             r->used, r->finish, r->records, r->lines, r->largest, r->size);
}


static void
show_body(const uint8_t *p, size_t len,
    const guardrail_ndjson_limits_t *limits)
{
    size_t  i;

    tap_diag("limits: %" PRIu64 " %" PRIu64 " %" PRIu64 " %u",
             limits->max_records, limits->max_lines, limits->max_record_size,
             limits->refuse_utf16);

    printf("# body: ");

    for (i = 0; i < len; i++) {

        if (p[i] >= 0x21 && p[i] < 0x7f && p[i] != '\\') {
            printf("%c", p[i]);

        } else {
            printf("\\x%02x", (unsigned) p[i]);
        }
    }

    printf("\n");
}


/* splitmix64 */

static uint64_t
rnd(void)
{
    uint64_t  z;

    rnd_state += 0x9e3779b97f4a7c15;
    z = rnd_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}
