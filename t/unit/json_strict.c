
/*
 * Copyright (C) nginx-guardrail authors
 *
 * RFC 8259 to the letter: a case for each choice that its grammar has, for
 * UTF-8 at its bounds, and for what lenient parsers take.  y: valid; n: not,
 * and at which byte that shows, 0 if at the end; i: the RFC leaves it open,
 * and this is what we do.  All at every split.
 */


#include <stdlib.h>

#include "json/guardrail_json.h"
#include "tap.h"


#define NL     GUARDRAIL_NO_LIMIT
#define OK     GUARDRAIL_OK
#define BAD    GUARDRAIL_MALFORMED_JSON

#define TEXT   GUARDRAIL_JSON_TEXT
#define SEQ    GUARDRAIL_JSON_SEQ
#define LINES  GUARDRAIL_JSON_LINES
#define AUTO   GUARDRAIL_JSON_LINES_AUTO

#define B(s)   s, sizeof(s) - 1

#define VALID  ((size_t) -1)
#define END    0

#define MARK   "\xef\xbb\xbf"


typedef struct {
    const char  *name;
    const char  *body;
    size_t       len;
    size_t       bad;                   /* the byte, from 1; END or VALID */
} case_t;


static void test_cases(const char *what, guardrail_json_mode_e mode,
    const case_t *cases, size_t n);
static void test_utf8(void);
static void test_first_bytes(void);
static void test_limits_first(void);
static void test_depth(void);
static int check(guardrail_json_mode_e mode, const uint8_t *p, size_t len,
    size_t bad, const char *name);
static int check_cut(guardrail_json_mode_e mode, const uint8_t *p,
    size_t len, size_t cut, size_t bytewise, size_t bad);


static const guardrail_json_ops_t  *ops;


static const case_t  texts[] = {

    /* values at the top level */

    { "y: null", B("null"), VALID },
    { "y: true", B("true"), VALID },
    { "y: false", B("false"), VALID },
    { "y: a number", B("1"), VALID },
    { "y: a string", B("\"\""), VALID },
    { "y: an object", B("{}"), VALID },
    { "y: an array", B("[]"), VALID },
    { "y: white space around", B(" \t\n\r1 \t\n\r"), VALID },
    { "y: white space everywhere",
      B(" { \"a\" : [ 1 , 2 ] , \"b\" : { } } "), VALID },
    { "y: newlines everywhere", B("[\n1\r\n,\n2\n]\n"), VALID },
    { "i: zero bytes are no body", B(""), VALID },
    { "n: white space alone", B(" \n"), END },
    { "i: a byte order mark is skipped", B(MARK "1"), VALID },
    { "n: a byte order mark alone", B(MARK), END },
    { "n: half a byte order mark", B("\xef\xbb"), END },
    { "n: a broken byte order mark", B("\xef\xbb\xbe" "1"), 3 },
    { "n: two byte order marks", B(MARK MARK "1"), 4 },
    { "n: a byte order mark behind space", B(" " MARK "1"), 2 },
    { "n: a byte order mark in an array", B("[" MARK "1]"), 2 },
    { "n: two values", B("1 2"), 3 },
    { "n: two objects", B("{}{}"), 3 },
    { "n: lines", B("{}\n{}\n"), 4 },
    { "n: a comma behind", B("{},"), 3 },
    { "n: a bracket behind", B("[1]]"), 4 },
    { "n: NUL behind", B("1\0"), 2 },
    { "n: NUL before", B("\0" "1"), 1 },
    { "n: UTF-16", B("\xfe\xff\0" "1"), 1 },
    { "n: VT is no space", B("\v1"), 1 },
    { "n: FF is no space", B("1\f"), 2 },
    { "n: RS is no space", B("\x1e" "1"), 1 },
    { "n: NEL is no space", B("\xc2\x85" "1"), 1 },
    { "n: U+00A0 is no space", B("[\xc2\xa0]"), 2 },
    { "n: U+2028 is no space", B("[1\xe2\x80\xa8]"), 3 },
    { "n: U+2060", B("[\xe2\x81\xa0]"), 2 },
    { "n: SUB at the end", B("1\x1a"), 2 },

    /* literals */

    { "n: capitals", B("True"), 1 },
    { "n: all capitals", B("NULL"), 1 },
    { "n: one capital within", B("nuLl"), 3 },
    { "n: cut off: nul", B("nul"), END },
    { "n: cut off: tru", B("[tru]"), 5 },
    { "n: cut off: fals", B("[fals,1]"), 6 },
    { "n: longer: nulll", B("nulll"), 5 },
    { "n: longer: true1", B("true1"), 5 },
    { "n: longer: falsee", B("[falsee]"), 7 },
    { "n: truefalse", B("[truefalse]"), 6 },
    { "n: NaN", B("[NaN]"), 2 },
    { "n: nan", B("[nan]"), 3 },
    { "n: Infinity", B("[Infinity]"), 2 },
    { "n: -Infinity", B("[-Infinity]"), 3 },
    { "n: inf", B("[inf]"), 2 },
    { "n: None", B("[None]"), 2 },
    { "n: undefined", B("[undefined]"), 2 },
    { "n: a word", B("[abc]"), 2 },

    /* numbers */

    { "y: 0", B("[0]"), VALID },
    { "y: -0", B("[-0]"), VALID },
    { "y: 10", B("[10]"), VALID },
    { "y: -10", B("[-10]"), VALID },
    { "y: 0.0", B("[0.0]"), VALID },
    { "y: 0.5", B("0.5"), VALID },
    { "y: -0.5", B("-0.5"), VALID },
    { "y: 10.25", B("[10.25]"), VALID },
    { "y: 1e1", B("[1e1]"), VALID },
    { "y: 1E1", B("[1E1]"), VALID },
    { "y: 1e+1", B("[1e+1]"), VALID },
    { "y: 1e-1", B("[1e-1]"), VALID },
    { "y: 0e0", B("[0e0]"), VALID },
    { "y: 0e+01", B("[0e+01]"), VALID },
    { "y: 1.5e-007", B("1.5e-007"), VALID },
    { "y: 123456789012345678901234567890",
      B("123456789012345678901234567890"), VALID },
    { "i: 1e400 is a number", B("[1e400]"), VALID },
    { "i: -1e-99999 is a number", B("[-1e-99999]"), VALID },
    { "n: -", B("-"), END },
    { "n: [-]", B("[-]"), 3 },
    { "n: --1", B("[--1]"), 3 },
    { "n: - 1", B("[- 1]"), 3 },
    { "n: +1", B("[+1]"), 2 },
    { "n: -+1", B("[-+1]"), 3 },
    { "n: .5", B("[.5]"), 2 },
    { "n: -.5", B("[-.5]"), 3 },
    { "n: 1.", B("[1.]"), 4 },
    { "n: 1. at the end", B("1."), END },
    { "n: 1.e1", B("[1.e1]"), 4 },
    { "n: 1.5.", B("[1.5.]"), 5 },
    { "n: 1..5", B("[1..5]"), 4 },
    { "n: 00", B("[00]"), 3 },
    { "n: 01", B("[01]"), 3 },
    { "n: -01", B("[-01]"), 4 },
    { "n: -00", B("-00"), 3 },
    { "n: 1e", B("[1e]"), 4 },
    { "n: 1e at the end", B("1e"), END },
    { "n: 1e+", B("[1e+]"), 5 },
    { "n: 1e+ at the end", B("1e+"), END },
    { "n: 1ee1", B("[1ee1]"), 4 },
    { "n: 1e1e1", B("[1e1e1]"), 5 },
    { "n: 1e1.5", B("[1e1.5]"), 5 },
    { "n: 1e++1", B("[1e++1]"), 5 },
    { "n: 1e+-1", B("[1e+-1]"), 5 },
    { "n: 1+1", B("[1+1]"), 3 },
    { "n: 1-1", B("[1-1]"), 3 },
    { "n: 0x1F", B("[0x1F]"), 3 },
    { "n: 1_000", B("[1_000]"), 3 },
    { "n: 1 000", B("[1 000]"), 4 },
    { "n: 1f", B("[1f]"), 3 },
    { "n: 1L", B("1L"), 2 },
    { "n: 0e", B("[0e]"), 4 },
    { "n: e1", B("[e1]"), 2 },
    { "n: a digit of full width", B("[\xef\xbc\x91]"), 2 },
    { "n: an Arabic digit", B("[1\xd9\xa1]"), 3 },
    { "n: a number, then a string", B("[1\"a\"]"), 3 },
    { "n: a number, then NUL", B("[1\0]"), 3 },

    /* strings */

    { "y: every escape", B("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\""), VALID },
    { "y: hex digits", B("\"\\u09af\\uAFaf\\uFFFF\""), VALID },
    { "y: DEL", B("\"\x7f\""), VALID },
    { "y: a slash", B("\"/\""), VALID },
    { "y: an apostrophe", B("\"'\""), VALID },
    { "y: brackets", B("\"[]{},:\""), VALID },
    { "y: a backslash at the end", B("\"\\\\\""), VALID },
    { "y: a surrogate pair", B("\"\\ud83d\\ude00\""), VALID },
    { "i: a lone high surrogate", B("\"\\ud800\""), VALID },
    { "i: a lone low surrogate", B("\"\\udC00\""), VALID },
    { "i: two high ones", B("\"\\ud800\\ud800\""), VALID },
    { "i: an escaped noncharacter", B("\"\\uffff\""), VALID },
    { "i: a noncharacter", B("\"\xef\xbf\xbf\""), VALID },
    { "y: U+2028 in a string", B("\"\xe2\x80\xa8\""), VALID },
    { "y: a mark in a string", B("\"" MARK "\""), VALID },
    { "n: unterminated", B("\"abc"), END },
    { "n: a quote alone", B("\""), END },
    { "n: unterminated escape", B("\"\\"), END },
    { "n: the quote is escaped", B("\"\\\""), END },
    { "n: LF", B("\"a\nb\""), 3 },
    { "n: CR", B("\"a\rb\""), 3 },
    { "n: TAB", B("\"\t\""), 2 },
    { "n: NUL", B("\"a\0b\""), 3 },
    { "n: US", B("\"\x1f\""), 2 },
    { "n: \\a", B("\"\\a\""), 3 },
    { "n: \\v", B("\"\\v\""), 3 },
    { "n: \\0", B("\"\\0\""), 3 },
    { "n: \\'", B("\"\\'\""), 3 },
    { "n: \\x41", B("\"\\x41\""), 3 },
    { "n: \\U0041", B("\"\\U0041\""), 3 },
    { "n: a backslash and LF", B("\"\\\n\""), 3 },
    { "n: a backslash and NUL", B("\"\\\0\""), 3 },
    { "n: a backslash and UTF-8", B("\"\\\xc3\xa9\""), 3 },
    { "n: \\u", B("\"\\u\""), 4 },
    { "n: \\u004", B("\"\\u004\""), 7 },
    { "n: \\u00g0", B("\"\\u00g0\""), 6 },
    { "n: \\u-001", B("\"\\u-001\""), 4 },
    { "n: \\u 041", B("\"\\u 041\""), 4 },
    { "n: \\u then the end", B("\"\\u00"), END },
    { "n: \\u: behind 9", B("\"\\u:000\""), 4 },
    { "n: \\u@ before A", B("\"\\u@000\""), 4 },
    { "n: \\uG behind F", B("\"\\uG000\""), 4 },
    { "n: \\u` before a", B("\"\\u`000\""), 4 },
    { "n: \\u/ before 0", B("\"\\u/000\""), 4 },
    { "n: in apostrophes", B("['a']"), 2 },
    { "n: in curly quotes", B("[\xe2\x80\x9c" "a\xe2\x80\x9d]"), 2 },
    { "n: two strings", B("[\"a\"\"b\"]"), 5 },
    { "n: a word behind", B("\"a\"x"), 4 },
    { "n: a backslash outside", B("[\\n]"), 2 },
    { "n: a quote outside", B("[\\\"a\"]"), 2 },

    /* arrays */

    { "y: nested", B("[[[[]]],[[]]]"), VALID },
    { "y: mixed", B("[1,\"a\",null,{},[],true,-1.5e3]"), VALID },
    { "n: unclosed", B("["), END },
    { "n: unclosed behind a value", B("[1"), END },
    { "n: unclosed behind a comma", B("[1,"), END },
    { "n: a comma at the end", B("[1,]"), 4 },
    { "n: a comma at the start", B("[,1]"), 2 },
    { "n: two commas", B("[1,,2]"), 4 },
    { "n: a comma alone", B("[,]"), 2 },
    { "n: no comma", B("[1 2]"), 4 },
    { "n: a colon", B("[1:2]"), 3 },
    { "n: a key", B("[\"a\":1]"), 5 },
    { "n: a semicolon", B("[1;2]"), 3 },
    { "n: closed by a brace", B("[1}"), 3 },
    { "n: empty, closed by a brace", B("[}"), 2 },
    { "n: closed only", B("]"), 1 },
    { "n: parentheses", B("(1)"), 1 },
    { "n: closed by the inner one", B("[[1]"), END },

    /* objects */

    { "y: one member", B("{\"a\":1}"), VALID },
    { "y: two members", B("{\"a\":1,\"b\":2}"), VALID },
    { "y: an empty key", B("{\"\":0}"), VALID },
    { "y: escapes in a key", B("{\"\\u0041\\n\":0}"), VALID },
    { "i: the same key twice", B("{\"a\":1,\"a\":2}"), VALID },
    { "y: nested objects", B("{\"a\":{\"b\":{\"c\":{}}},\"d\":[{}]}"),
      VALID },
    { "n: open", B("{"), END },
    { "n: open behind a key", B("{\"a\""), END },
    { "n: open behind a colon", B("{\"a\":"), END },
    { "n: open behind a value", B("{\"a\":1"), END },
    { "n: open behind the comma", B("{\"a\":1,"), END },
    { "n: no value", B("{\"a\":}"), 6 },
    { "n: no colon", B("{\"a\" 1}"), 6 },
    { "n: no colon, no value", B("{\"a\"}"), 5 },
    { "n: a comma for a colon", B("{\"a\",1}"), 5 },
    { "n: two colons", B("{\"a\"::1}"), 6 },
    { "n: an equals sign", B("{\"a\"=1}"), 5 },
    { "n: no key", B("{:1}"), 2 },
    { "n: no quotes", B("{a:1}"), 2 },
    { "n: a number as key", B("{1:1}"), 2 },
    { "n: null as key", B("{null:1}"), 2 },
    { "n: an array as key", B("{[]:1}"), 2 },
    { "n: apostrophes", B("{'a':1}"), 2 },
    { "n: a comma behind the last member", B("{\"a\":1,}"), 8 },
    { "n: a comma before the first", B("{,\"a\":1}"), 2 },
    { "n: two commas between members", B("{\"a\":1,,\"b\":2}"), 8 },
    { "n: no comma between members", B("{\"a\":1 \"b\":2}"), 8 },
    { "n: a number as second key", B("{\"a\":1,2:3}"), 8 },
    { "n: a second value", B("{\"a\":1 2}"), 8 },
    { "n: closed by a bracket", B("{\"a\":1]"), 7 },
    { "n: an empty one closed by a bracket", B("{]"), 2 },
    { "n: values, as in a set", B("{\"a\",\"b\"}"), 5 },
    { "n: a closed one only", B("}"), 1 },
    { "n: the kind is that of the outer one", B("[{\"a\":[1]]"), 10 },
    { "n: a key in the outer array", B("[{\"a\":1},\"b\":1]"), 13 },
    { "n: an item in the outer object", B("{\"a\":[1],2}"), 10 },

    /* comments */

    { "n: a comment", B("[1/**/]"), 3 },
    { "n: a comment of a line", B("//\n1"), 1 },
    { "n: a hash", B("#\n1"), 1 },
    { "n: an XML comment", B("<!---->1"), 1 },
    { "n: what guards an answer", B(")]}',\n[1]"), 1 }
};


static const case_t  lines[] = {
    { "y: nothing", B(""), VALID },
    { "y: blank lines", B("\n \n\r\n\t\n"), VALID },
    { "y: a text on each line", B("{}\n[1]\n\"a\"\n1\nnull"), VALID },
    { "y: CRLF", B("{}\r\n1\r\n"), VALID },
    { "y: CR is space", B("{\"a\":\r1}\n"), VALID },
    { "y: a number at a line's end", B("1\n-0.5\n1e5\n"), VALID },
    { "y: a mark at the body's start", B(MARK "{}\n"), VALID },
    { "n: a mark on the second line", B("{}\n" MARK "{}\n"), 4 },
    { "n: half a mark", B("\xef\n"), 2 },
    { "n: two texts on a line", B("{} {}\n"), 4 },
    { "n: a text on two lines", B("{\"a\":\n1}\n"), 6 },
    { "n: an open array", B("[1\n]"), 3 },
    { "n: an open string", B("\"a\n\""), 3 },
    { "n: half a literal", B("nul\nl"), 4 },
    { "n: half a number", B("1.\n"), 3 },
    { "n: the second line", B("{}\n{]\n"), 5 },
    { "n: the last line is unfinished", B("{}\n["), END },
    { "n: RS", B("\x1e{}\n"), 1 },
    { "n: VT between lines", B("{}\v{}\n"), 3 }
};


static const case_t  records[] = {
    { "y: nothing", B(""), VALID },
    { "y: white space", B(" \n"), VALID },
    { "y: records", B("\x1e{}\n\x1e[1,\n2]\n\x1e\"a\"\n"), VALID },
    { "y: RS alone", B("\x1e\x1e\x1e"), VALID },
    { "i: a blank record", B("\x1e \n\x1e{}\n"), VALID },
    { "i: no LF behind what ends by itself", B("\x1e{}\x1e[]\x1e\"\""),
      VALID },
    { "y: scalars with LF", B("\x1e" "1\n\x1etrue\n\x1enull \x1e" "-1e5\n"),
      VALID },
    { "n: a number that may be cut off", B("\x1e" "1\x1e" "2\n"), 3 },
    { "n: true that may be cut off", B("\x1etrue\x1e"), 6 },
    { "n: a number at the end", B("\x1e" "12"), END },
    { "n: null at the end", B("\x1enull"), END },
    { "n: bytes before the first RS", B("{}\x1e{}\n"), 1 },
    { "n: a cut off array", B("\x1e[1,\x1e[1]\n"), 5 },
    { "n: a cut off string", B("\x1e\"a\x1e"), 4 },
    { "n: two texts", B("\x1e{} {}\n"), 5 },
    { "n: two texts on lines", B("\x1e" "1\n2\n"), 4 },
    { "n: unfinished", B("\x1e{"), END }
};


int
main(void)
{
    ops = guardrail_json_select();

    test_cases("text", TEXT, texts, sizeof(texts) / sizeof(texts[0]));
    test_cases("lines", LINES, lines, sizeof(lines) / sizeof(lines[0]));
    test_cases("lines, auto", AUTO, lines, sizeof(lines) / sizeof(lines[0]));
    test_cases("sequence", SEQ, records,
               sizeof(records) / sizeof(records[0]));

    test_utf8();
    test_first_bytes();
    test_limits_first();
    test_depth();

    return tap_done();
}


static void
test_cases(const char *what, guardrail_json_mode_e mode, const case_t *cases,
    size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        tap_ok(check(mode, (const uint8_t *) cases[i].body, cases[i].len,
                     cases[i].bad, cases[i].name),
               "%s: %s", what, cases[i].name);
    }
}


/*
 * All sequences of up to four bytes from the bounds of RFC 3629's table, in a
 * string: the first byte with which the string cannot go on.
 */

static void
test_utf8(void)
{
    int       pass;
    size_t    i, j, len, bad, need;
    uint8_t   p[16];
    uint32_t  code;
    unsigned  n, count, rest;

    static const uint8_t  bounds[] = {
        0x20, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
        0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
        0xf5, 0xfe, 0xff
    };

    pass = 1;
    count = 1;

    for (i = 0; i < 4; i++) {
        count *= sizeof(bounds);
    }

    p[0] = '"';

    for (n = 0; n < count && pass; n++) {
        rest = n;

        for (i = 1; i <= 4; i++) {
            p[i] = bounds[rest % sizeof(bounds)];
            rest /= sizeof(bounds);
        }

        p[5] = '"';
        len = 6;
        bad = VALID;

        for (i = 1; i < 5 && bad == VALID; i += need) {
            need = 1;
            code = p[i];

            if (code < 0x80) {
                continue;
            }

            need = (code >= 0xf0) ? 4 : (code >= 0xe0) ? 3 : 2;

            if (code < 0xc2 || code > 0xf4) {
                bad = i + 1;
                break;
            }

            code &= 0x7fu >> need;

            for (j = 1; j < need; j++) {

                if (i + j > 5 || (p[i + j] & 0xc0) != 0x80) {
                    bad = i + j + 1;
                    break;
                }

                code = code << 6 | (p[i + j] & 0x3f);

                /* what no code point can begin with */

                if (j == 1 && ((need == 3 && (code < 0x20 || code >> 5 == 27))
                               || (need == 4 && (code < 0x10
                                                 || code > 0x10f))))
                {
                    bad = i + j + 1;
                    break;
                }
            }
        }

        pass = check_cut(TEXT, p, len, len, 0, bad);
        pass &= (n % 97) ? 1 : check(TEXT, p, len, bad, "UTF-8");

        if (!pass) {
            tap_diag("%02x %02x %02x %02x, expected bad at %zu", p[1], p[2],
                     p[3], p[4], bad);
        }
    }

    tap_ok(pass, "UTF-8 at the bounds of its table");
}


/* each byte as the first one, as a value, in a string, behind a backslash */

static void
test_first_bytes(void)
{
    int       pass;
    uint8_t   p[8];
    unsigned  c, bad;

    pass = 1;

    for (c = 0; c < 256; c++) {
        p[0] = (uint8_t) c;
        bad = !(c && strchr(" \t\n\r{[\"-0123456789tfn\xef", (int) c));

        pass &= check_cut(TEXT, p, 1, 1, 0,
                          bad ? 1 : (c >= '0' && c <= '9') ? VALID : END);

        memcpy(p, "[0]", 3);
        p[1] = (uint8_t) c;
        bad = !(c >= '0' && c <= '9') && !(c && strchr(" \t\n\r", (int) c));

        pass &= check_cut(TEXT, p, 3, 3, 0,
                          !bad ? VALID
                          : (c && strchr("{[-tfn", (int) c))
                            ? (c == '[' ? END : 3)
                            : c == '"' ? END : c == ']' ? 3 : 2);

        memcpy(p, "\"a\"", 3);
        p[1] = (uint8_t) c;

        pass &= check_cut(TEXT, p, 3, 3, 0,
                          c < 0x20 || (c > 0x7f && (c < 0xc2 || c > 0xf4))
                          ? 2 : c > 0x7f || c == '"' ? 3
                          : c == '\\' ? END : VALID);

        memcpy(p, "\"\\a\"", 4);
        p[2] = (uint8_t) c;

        pass &= check_cut(TEXT, p, 4, 4, 0,
                          c == 'u' ? 4
                          : c && strchr("\"\\/bfnrt", (int) c) ? VALID : 3);

        if (!pass) {
            tap_diag("byte %02x", c);
            break;
        }
    }

    tap_ok(pass, "each byte where it may stand and where it may not");
}


/* what comes first is named, and what is in order before at one byte */

static void
test_limits_first(void)
{
    size_t                    used;
    uint64_t                  stack[1];
    guardrail_rc_e            rc;
    guardrail_json_t          s;
    guardrail_json_limits_t   limits;

    memset(&limits, 0xff, sizeof(limits));
    limits.mode = TEXT;
    limits.strict = 1;
    limits.refuse_utf16 = 0;
    limits.depth = 2;
    limits.items = 2;

    (void) guardrail_json_stack(&limits);

    guardrail_json_init(&s, ops, &limits, stack);
    rc = guardrail_json_feed(&s, (const uint8_t *) "[1,2,3,]", 8, &used);
    tap_ok(rc == GUARDRAIL_JSON_ITEMS && used == 6, "items, then malformed");

    guardrail_json_init(&s, ops, &limits, stack);
    rc = guardrail_json_feed(&s, (const uint8_t *) "[1,,2,3]", 8, &used);
    tap_ok(rc == BAD && used == 4, "malformed, then items");
    tap_ok(s.tokens == 2, "measured up to there");

    guardrail_json_init(&s, ops, &limits, stack);
    rc = guardrail_json_feed(&s, (const uint8_t *) "[[[", 3, &used);
    tap_ok(rc == GUARDRAIL_JSON_DEPTH && used == 3, "depth");

    guardrail_json_init(&s, ops, &limits, stack);
    rc = guardrail_json_feed(&s, (const uint8_t *) "[1,2 3", 6, &used);
    tap_ok(rc == GUARDRAIL_JSON_ITEMS && used == 6, "both at one byte");

    tap_ok(guardrail_json_finish(&s) == GUARDRAIL_JSON_ITEMS,
           "a refusal stays");
}


/* kinds beyond 64 levels */

static void
test_depth(void)
{
    size_t    i, n, len;
    uint8_t   p[4096];

    for (n = 60; n < 200; n += 67) {
        len = 0;

        for (i = 0; i < n; i++) {

            if (i % 3 == 0) {
                memcpy(p + len, "{\"a\":", 5);
                len += 5;

            } else {
                p[len++] = '[';
            }
        }

        p[len++] = '1';

        for (i = n; i > 0; i--) {
            p[len++] = ((i - 1) % 3 == 0) ? '}' : ']';
        }

        tap_ok(check(TEXT, p, len, VALID, "deep"), "%zu levels", n);

        p[len - 10] = (p[len - 10] == ']') ? '}' : ']';

        tap_ok(check(TEXT, p, len, len - 9, "deep"),
               "%zu levels, one closed as the other kind", n);
    }
}


/* whole, in two pieces at each place, and byte by byte */

static int
check(guardrail_json_mode_e mode, const uint8_t *p, size_t len, size_t bad,
    const char *name)
{
    int     pass;
    size_t  i;

    pass = check_cut(mode, p, len, 0, 1, bad);

    for (i = 0; i <= len; i++) {
        pass &= check_cut(mode, p, len, i, 0, bad);
    }

    if (!pass) {
        tap_diag("failed: %s", name);
    }

    return pass;
}


static int
check_cut(guardrail_json_mode_e mode, const uint8_t *p, size_t len,
    size_t cut, size_t bytewise, size_t bad)
{
    size_t                    i, n, used, judged;
    uint8_t                  *copy;
    uint64_t                 *stack;
    guardrail_rc_e            rc;
    guardrail_json_t          s;
    guardrail_json_limits_t   limits;

    memset(&limits, 0xff, sizeof(limits));
    limits.mode = mode;
    limits.strict = 1;
    limits.refuse_utf16 = 0;

    stack = malloc(guardrail_json_stack(&limits));
    if (stack == NULL) {
        abort();
    }

    guardrail_json_init(&s, ops, &limits, stack);

    judged = 0;
    rc = OK;

    for (i = 0; i < len && rc == OK; i += n) {
        n = bytewise ? 1 : (i < cut) ? cut - i : len - i;

        copy = malloc(n + 1);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy + 1, p + i, n);

        rc = guardrail_json_feed(&s, copy + 1, n, &used);

        free(copy);

        judged += used;
    }

    n = 0;

    if (rc == OK) {
        n = 1;
        rc = guardrail_json_finish(&s);
    }

    free(stack);

    if (bad == VALID) {
        i = (rc == OK && judged == len);

    } else if (bad == END) {
        i = (rc == BAD && judged == len && n);

    } else {
        i = (rc == BAD && judged == bad && !n);
    }

    if (!i) {
        tap_diag("cut %zu: rc %u, judged %zu, expected %zu", cut,
                 (unsigned) rc, judged, bad);
    }

    return (int) i;
}
