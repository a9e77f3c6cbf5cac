
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the scanner tells the memory model: the same estimate as from events
 * that are written down by hand, at every split of the body, and where it is
 * judged.
 */


#include <stdlib.h>

#include "json/guardrail_json.h"
#include "tap.h"


#define NL        GUARDRAIL_NO_LIMIT

#define TEXT      GUARDRAIL_JSON_TEXT
#define SEQ       GUARDRAIL_JSON_SEQ
#define LINES     GUARDRAIL_JSON_LINES
#define AUTO      GUARDRAIL_JSON_LINES_AUTO

#define DOCUMENT  GUARDRAIL_JSON_MEMORY_DOCUMENT
#define BODY      GUARDRAIL_JSON_MEMORY_BODY
#define RECORD    GUARDRAIL_JSON_MEMORY_RECORD


/*
 * Events as letters: { [ open, x close, "text" a string, 'text' a key,
 * #digits; a number, ! a literal, ^ a mark, ~text; other bytes, |n; a record's
 * end behind n bytes, +n; one that leaves containers open
 */

typedef struct {
    const char                    *name;
    guardrail_json_mode_e          mode;
    guardrail_json_memory_mode_e   memory;
    const char                    *body;
    const char                    *events;
} case_t;


static void test_events(void);
static void test_judged(void);
static void test_strict(void);
static uint64_t play(const case_t *c);
static guardrail_rc_e run(const uint8_t *p, size_t len, size_t cut,
    size_t most, guardrail_json_mode_e mode,
    guardrail_json_memory_mode_e memory, uint64_t limit, unsigned strict,
    size_t *judged, uint64_t *estimate);


static const case_t  cases[] = {
    { "a document", TEXT, DOCUMENT, "{\"key\":[1,-2.5e3,true,\"a\\nb\"]}",
      "{'key'[#1;#-2.5e3;!\"a\\nb\"xx" },
    { "a string above 7F", TEXT, DOCUMENT, "[\"\xc3\xa9\xe2\x82\xac\"]",
      "[\"\xc3\xa9\xe2\x82\xac\"x" },
    { "a number at the end", TEXT, DOCUMENT, "123456", "#123456;" },
    { "a string that does not end", TEXT, DOCUMENT, "[\"abcdef",
      "[\"abcdef\"" },
    { "a literal", TEXT, DOCUMENT, "[null]", "[!x" },
    { "a byte order mark", TEXT, DOCUMENT, "\xef\xbb\xbf[12345]",
      "^[#12345;x" },
    { "half a mark", TEXT, DOCUMENT, "\xef\xbb", "!~\xef\xbb;" },
    { "the beginning of one", TEXT, DOCUMENT, "\xef[]", "!~\xef;[x" },
    { "bytes in a comment", TEXT, DOCUMENT, "[/*\xe2\x82\xac*/]",
      "[!~\xe2\x82\xac;x" },
    { "a word", TEXT, DOCUMENT, "[\xc3\xa9]", "[!~\xc3\xa9;x" },
    { "a bracket of the other kind", TEXT, DOCUMENT, "[}[]]", "[[xx" },
    { "apostrophes", TEXT, DOCUMENT, "{'k':'v'}", "{'k'\"v\"x" },
    { "numbers side by side", TEXT, DOCUMENT, "12-34", "#12;#-34;" },
    { "lines", LINES, BODY, "{\"a\":1000}\n[]\n", "{'a'#1000;x|10;[x|2;" },
    { "the last line", LINES, BODY, "[1000]\n[2000]",
      "[#1000;x|6;[#2000;x|6;" },
    { "blank lines", LINES, BODY, "\n\n[]\n  \n", "[x|2;" },
    { "lines, one by one", LINES, RECORD, "[1000]\n[\"abcdef\"]\n",
      "[#1000;x|6;[\"abcdef\"x|10;" },
    { "a number at a line's end", LINES, BODY, "1000\n2000\n",
      "#1000;|4;#2000;|4;" },
    { "a line that is cut off", LINES, BODY, "{\"a\":\"bc\n[]\n",
      "{'a'\"bc\"|8;[x|2;" },
    { "a line that goes on", AUTO, BODY, "[1000,\n2000]\n",
      "[#1000;+6;#2000;x" },
    { "a string, a line that goes on", AUTO, BODY, "[]\n[\"ab\n\"cd\"]",
      "[x|2;[\"ab\"+4;\"cd\"x" },
    { "records", SEQ, BODY, "\x1e[1000]\n\x1e" "2000\n",
      "[#1000;x|7;#2000;|5;" }
};


int
main(void)
{
    test_events();
    test_judged();
    test_strict();

    return tap_done();
}


static void
test_events(void)
{
    int              pass;
    size_t           i, len, judged;
    unsigned         k;
    uint64_t         expected, estimate;
    const case_t    *c;
    const uint8_t   *p;

    for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        c = &cases[k];
        p = (const uint8_t *) c->body;
        len = strlen(c->body);
        pass = 1;

        expected = play(c);

        for (i = 0; i <= len; i++) {
            pass &= (run(p, len, i, len, c->mode, c->memory, NL, 0, &judged,
                         &estimate)
                     == GUARDRAIL_OK);
            pass &= (estimate == expected);
        }

        pass &= (run(p, len, 0, 1, c->mode, c->memory, NL, 0, &judged,
                     &estimate)
                 == GUARDRAIL_OK);

        if (!tap_ok(pass && estimate == expected, "%s", c->name)) {
            tap_diag("got %" PRIu64 ", expected %" PRIu64, estimate,
                     expected);
        }
    }
}


/* the model, told by hand */

static uint64_t
play(const case_t *c)
{
    size_t       n;
    char         event;
    const char  *e;

    static guardrail_json_memory_t  m;

    guardrail_json_memory_init(&m, c->memory);

    for (e = c->events; *e; /* void */) {
        event = *e++;

        switch (event) {

        case '{':
        case '[':
            guardrail_json_memory_open(&m, event == '{');
            break;

        case 'x':
            guardrail_json_memory_close(&m);
            break;

        case '"':
        case '\'':
            n = strcspn(e, event == '"' ? "\"" : "'");

            guardrail_json_memory_string_begin(&m, event == '\'');
            guardrail_json_memory_string(&m, (const uint8_t *) e, n);

            e += n;

            if (*e) {
                guardrail_json_memory_string_end(&m);
                e++;
            }

            break;

        case '!':
            guardrail_json_memory_literal(&m);
            break;

        case '^':
            guardrail_json_memory_bom(&m);
            break;

        default: /* #, ~, |, + */
            n = strcspn(e, ";");

            if (event == '#') {
                guardrail_json_memory_number(&m, (const uint8_t *) e, n);
                guardrail_json_memory_number_end(&m);

            } else if (event == '~') {
                guardrail_json_memory_other(&m, (const uint8_t *) e, n);

            } else if (event == '|') {
                guardrail_json_memory_record_end(&m, (uint64_t) atoi(e));

            } else {
                guardrail_json_memory_join(&m, (uint64_t) atoi(e));
            }

            e += n + 1;
        }
    }

    return guardrail_json_memory_estimate(&m, strlen(c->body), 0);
}


static void
test_judged(void)
{
    size_t          i, judged, whole;
    uint8_t        *p;
    uint64_t        estimate;
    guardrail_rc_e  rc;

    const char     *text = "[\"abc\", 123456, {\"a\":[]}]";

    /* a string of 20,000 bytes */

    p = malloc(20000);
    if (p == NULL) {
        abort();
    }

    memset(p, 'a', 20000);
    p[0] = '"';

    rc = run(p, 20000, 0, 20000, TEXT, DOCUMENT, 10000, 0, &judged,
             &estimate);
    whole = judged;

    tap_ok(rc == GUARDRAIL_MAX_MEMORY && judged % 4096 == 0,
           "judged after 4096 bytes, refused at %zu", judged);

    for (i = 1; i < 9000; i += 37) {
        (void) run(p, 20000, i, i, TEXT, DOCUMENT, 10000, 0, &judged,
                   &estimate);

        if (judged != whole) {
            break;
        }
    }

    tap_ok(i >= 9000, "wherever it is cut");

    free(p);

    /* at the end of the first value that is too much */

    (void) run((const uint8_t *) text, 25, 0, 25, TEXT, DOCUMENT, NL, 0,
               &judged, &estimate);
    rc = run((const uint8_t *) text, 25, 0, 25, TEXT, DOCUMENT, estimate, 0,
             &judged, &estimate);
    tap_ok(rc == GUARDRAIL_OK, "at the limit");

    rc = run((const uint8_t *) text, 25, 0, 25, TEXT, DOCUMENT,
             estimate - 1, 0, &judged, &estimate);
    tap_ok(rc == GUARDRAIL_MAX_MEMORY && judged <= 25, "one below it");

    rc = run((const uint8_t *) text, 25, 0, 25, TEXT, DOCUMENT, 0, 0,
             &judged, &estimate);
    tap_ok(rc == GUARDRAIL_MAX_MEMORY && judged == 6,
           "judged at the end of a string");

    rc = run((const uint8_t *) "[123456 ]", 9, 0, 9, TEXT, DOCUMENT, 0, 0,
             &judged, &estimate);
    tap_ok(rc == GUARDRAIL_MAX_MEMORY && judged == 8,
           "at the byte that ends a number");

    rc = run((const uint8_t *) "1", 1, 0, 1, TEXT, DOCUMENT, 0, 0, &judged,
             &estimate);
    tap_ok(rc == GUARDRAIL_MAX_MEMORY && judged == 1, "at the body's end");
}


/* malformed comes before memory at one byte */

static void
test_strict(void)
{
    size_t          judged;
    uint64_t        estimate;
    guardrail_rc_e  rc;

    rc = run((const uint8_t *) "[1}", 3, 0, 3, TEXT, DOCUMENT, 0, 1, &judged,
             &estimate);
    tap_ok(rc == GUARDRAIL_MALFORMED_JSON && judged == 3,
           "malformed before memory");

    rc = run((const uint8_t *) "[1 }", 4, 0, 4, TEXT, DOCUMENT, 0, 1,
             &judged, &estimate);
    tap_ok(rc == GUARDRAIL_MAX_MEMORY && judged == 3,
           "memory at an earlier byte");
}


/* in two pieces, or in pieces of at most most bytes */

static guardrail_rc_e
run(const uint8_t *p, size_t len, size_t cut, size_t most,
    guardrail_json_mode_e mode, guardrail_json_memory_mode_e memory,
    uint64_t limit, unsigned strict, size_t *judged, uint64_t *estimate)
{
    size_t                    i, n, used;
    uint64_t                  stack[64];
    guardrail_rc_e            rc;
    guardrail_json_t          s;
    guardrail_json_limits_t   limits;

    static guardrail_json_memory_t  m;

    memset(&limits, 0xff, sizeof(limits));
    limits.mode = mode;
    limits.strict = strict;
    limits.refuse_utf16 = 0;
    limits.depth = 64;
    limits.memory = limit;

    if (guardrail_json_stack(&limits) > sizeof(stack)) {
        abort();
    }

    guardrail_json_memory_init(&m, memory);
    guardrail_json_init(&s, guardrail_json_select(), &limits, stack);
    guardrail_json_attach(&s, &m);

    *judged = 0;
    rc = GUARDRAIL_OK;

    for (i = 0; i < len && rc == GUARDRAIL_OK; i += n) {
        n = (i < cut) ? cut - i : len - i;
        n = (n < most) ? n : most;

        rc = guardrail_json_feed(&s, p + i, n, &used);

        *judged += used;
    }

    if (rc == GUARDRAIL_OK) {
        rc = guardrail_json_finish(&s);
    }

    *estimate = guardrail_json_estimate(&s);

    return rc;
}
