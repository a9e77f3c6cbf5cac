
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Text into a buffer: numbers to their last digit, strings that cannot break
 * out of the JSON or the log line they are put into, and buffers of any size.
 */


#include "tap.h"

#include "fmt/guardrail_fmt.h"

#include <stdlib.h>


__extension__ typedef unsigned __int128  u128_t;

typedef void (*write_pt)(guardrail_fmt_t *f, const char *p, size_t len);


static size_t put(write_pt fn, const char *p, size_t len, char *out,
    size_t size, unsigned *overflow);
static void cut(write_pt fn, const char *p, size_t len, const char *what);
static void writes(write_pt fn, const char *p, size_t len,
    const char *expected, const char *what);
static void text(guardrail_fmt_t *f, const char *p, size_t len);
static unsigned utf8(const uint8_t *p, size_t len);
static void quotient(uint64_t n, uint64_t d, unsigned decimals,
    const char *expected);
static int quotient_is_exact(uint64_t n, uint64_t d, unsigned decimals);
static void test_raw(void);
static void test_json(void);
static void test_json_bytes(void);
static void test_json_utf8(void);
static void test_printable(void);
static void test_label(void);
static void test_name(void);
static void test_html(void);
static void test_u64(void);
static void test_quotient(void);
static void test_quotient_random(void);
static void test_cut(void);


/* writes into memory of exactly that size, to be seen by ASan */

static size_t
put(write_pt fn, const char *p, size_t len, char *out, size_t size,
    unsigned *overflow)
{
    char             *buf, *in;
    size_t            n;
    guardrail_fmt_t   f;

    buf = malloc(size ? size : 1);
    in = malloc(len ? len : 1);

    if (buf == NULL || in == NULL) {
        abort();
    }

    if (len) {
        memcpy(in, p, len);
    }

    guardrail_fmt_init(&f, buf, size);

    fn(&f, in, len);

    n = (size_t) (f.pos - buf);

    if (n > size || f.end != buf + size) {
        abort();
    }

    *overflow = f.overflow;

    if (n) {
        memcpy(out, buf, n);
    }

    free(buf);
    free(in);

    return n;
}


/* what does not fit is cut off, and that is said; at every size */

static void
cut(write_pt fn, const char *p, size_t len, const char *what)
{
    char      full[1024], part[1024];
    size_t    n, size, got, bad;
    unsigned  overflow;

    n = put(fn, p, len, full, sizeof(full), &overflow);

    bad = (overflow != 0);

    for (size = 0; size <= n + 2; size++) {
        got = put(fn, p, len, part, size, &overflow);

        if (got != (size < n ? size : n) || memcmp(part, full, got) != 0
            || (overflow != 0) != (size < n))
        {
            bad++;
            tap_diag("%zu bytes of %zu: %zu, overflow %u", size, n, got,
                     overflow);
        }
    }

    tap_is_u64(bad, 0, "%s, cut off at every size", what);
}


static void
writes(write_pt fn, const char *p, size_t len, const char *expected,
    const char *what)
{
    char      out[1024];
    size_t    n;
    unsigned  overflow;

    n = put(fn, p, len, out, sizeof(out) - 1, &overflow);
    out[n] = '\0';

    tap_is_str(out, expected, "%s", what);
    tap_ok(overflow == 0 && n == strlen(expected), "%s: its length", what);
}


static void
text(guardrail_fmt_t *f, const char *p, size_t len)
{
    char  *s;

    s = malloc(len + 1);

    if (s == NULL) {
        abort();
    }

    memcpy(s, p, len);
    s[len] = '\0';

    guardrail_fmt_text(f, s);

    free(s);
}


static void
test_raw(void)
{
    char             buf[16];
    guardrail_fmt_t  f;

    writes(guardrail_fmt_raw, "abc", 3, "abc", "bytes as they are");
    writes(guardrail_fmt_raw, "", 0, "", "no bytes");
    writes(text, "abc", 3, "abc", "text");

    guardrail_fmt_init(&f, buf, sizeof(buf));

    guardrail_fmt_raw(&f, NULL, 0);
    guardrail_fmt_text(&f, "12345678");
    guardrail_fmt_raw(&f, "\0\xff", 2);

    tap_ok(f.pos == buf + 10 && f.overflow == 0
           && memcmp(buf, "12345678\0\xff", 10) == 0,
           "one after the other, and any byte");

    guardrail_fmt_text(&f, "abcdefgh");

    tap_ok(f.pos == buf + 16 && f.overflow
           && memcmp(buf + 10, "abcdef", 6) == 0, "what fits of the last one");

    guardrail_fmt_text(&f, "");
    guardrail_fmt_u64(&f, 7);

    tap_ok(f.pos == buf + 16 && f.overflow, "and nothing behind it");
}


static void
test_json(void)
{
    writes(guardrail_fmt_json, "", 0, "\"\"", "an empty string");
    writes(guardrail_fmt_json, "abc", 3, "\"abc\"", "a string");
    writes(guardrail_fmt_json, "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"",
           "quotes and backslashes");
    writes(guardrail_fmt_json, "\0\n\r\t\x1f\x7f", 6,
           "\"\\u0000\\u000a\\u000d\\u0009\\u001f\\u007f\"", "controls");
    writes(guardrail_fmt_json, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
           "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "UTF-8");
    writes(guardrail_fmt_json, "\xff\xfe\x80", 3, "\"???\"", "no UTF-8");
    writes(guardrail_fmt_json, "\xc3\"", 2, "\"?\\\"\"",
           "a quote is not swallowed by a byte that leads");
    writes(guardrail_fmt_json, "\xe2\x82\"", 3, "\"\?\?\\\"\"",
           "nor by two of them");
    writes(guardrail_fmt_json, "\xf0\x9f\x98\\", 4, "\"\?\?\?\\\\\"",
           "nor a backslash by three");
    writes(guardrail_fmt_json, "a\xc3", 2, "\"a?\"", "cut off after one");
    writes(guardrail_fmt_json, "a\xe2\x82", 3, "\"a\?\?\"",
           "cut off after two");
    writes(guardrail_fmt_json, "a\xf0\x9f\x98", 4, "\"a\?\?\?\"",
           "cut off after three");
    writes(guardrail_fmt_json, "\xc0\x80", 2, "\"\?\?\"", "a long NUL");
    writes(guardrail_fmt_json, "\xc0\xa2", 2, "\"\?\?\"", "a long quote");
    writes(guardrail_fmt_json, "\xe0\x80\xa2", 3, "\"\?\?\?\"",
           "a longer quote");
    writes(guardrail_fmt_json, "\xf0\x80\x80\xa2", 4, "\"\?\?\?\?\"",
           "the longest quote");
    writes(guardrail_fmt_json, "\xed\xa0\x80", 3, "\"\?\?\?\"",
           "a surrogate");
    writes(guardrail_fmt_json, "\xf4\x90\x80\x80", 4, "\"\?\?\?\?\"",
           "beyond U+10FFFF");
    writes(guardrail_fmt_json, "\xef\xbf\xbf", 3, "\"\xef\xbf\xbf\"",
           "U+FFFF");
    writes(guardrail_fmt_json, "\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\"",
           "U+10FFFF");
}


/* each byte alone */

static void
test_json_bytes(void)
{
    char      in, out[16], expected[16];
    size_t    n;
    unsigned  ch, bad, overflow;

    bad = 0;

    for (ch = 0; ch < 256; ch++) {
        in = (char) ch;

        if (ch == '"' || ch == '\\') {
            snprintf(expected, sizeof(expected), "\"\\%c\"", in);

        } else if (ch < 0x20 || ch == 0x7f) {
            snprintf(expected, sizeof(expected), "\"\\u%04x\"", ch);

        } else {
            snprintf(expected, sizeof(expected), "\"%c\"",
                     ch < 0x80 ? in : '?');
        }

        n = put(guardrail_fmt_json, &in, 1, out, sizeof(out), &overflow);

        bad += (n != strlen(expected) || memcmp(out, expected, n) != 0);
    }

    tap_is_u64(bad, 0, "a string of each byte");
}


/* the code points of RFC 3629, by arithmetic; the length or 0 */

static unsigned
utf8(const uint8_t *p, size_t len)
{
    unsigned  n, i;
    uint32_t  c;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0
        ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

    if (n < 2 || n > len) {
        return n == 1;
    }

    c = p[0] & (0x7fu >> n);

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    return (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
           ? 0 : n;
}


/* all two bytes; three and four where the first one leads them */

static void
test_json_utf8(void)
{
    char      out[32];
    size_t    got;
    uint8_t   in[4];
    unsigned  i, j, k, n, bad, overflow;

    static const uint8_t  tails[] = {
        0x00, 0x22, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff
    };

    bad = 0;

    for (i = 0x80; i < 256; i++) {
        for (j = 0; j < 256; j++) {
            for (k = 0; k < sizeof(tails) * sizeof(tails); k++) {
                in[0] = (uint8_t) i;
                in[1] = (uint8_t) j;
                in[2] = tails[k / sizeof(tails)];
                in[3] = tails[k % sizeof(tails)];

                n = utf8(in, 4);

                if (n == 0 && k) {
                    continue;
                }

                got = put(guardrail_fmt_json, (char *) in, n ? n : 1, out,
                          sizeof(out), &overflow);

                bad += (n == 0 && (got != 3 || out[1] != '?'));
                bad += (n && (got != n + 2 || memcmp(out + 1, in, n) != 0));

                if (n > 1) {
                    got = put(guardrail_fmt_json, (char *) in, n - 1, out,
                              sizeof(out), &overflow);

                    bad += (got < n + 1 || out[1] != '?');
                }
            }

            /* what leads to nothing valid is no UTF-8, whatever follows */

            in[2] = 0x80;
            in[3] = 0x80;
            n = utf8(in, 4);

            got = put(guardrail_fmt_json, (char *) in, 4, out, sizeof(out),
                      &overflow);

            bad += (n == 0 && out[1] != '?');
            bad += (n && memcmp(out + 1, in, n) != 0);
        }
    }

    tap_is_u64(bad, 0, "strings of valid and invalid UTF-8");
}


static void
test_printable(void)
{
    char      in[256], out[256];
    size_t    n;
    unsigned  i, bad, overflow;

    for (i = 0; i < 256; i++) {
        in[i] = (char) i;
    }

    n = put(guardrail_fmt_printable, in, 256, out, 256, &overflow);
    bad = (n != 256 || overflow);

    for (i = 0; i < 256; i++) {
        bad += (out[i] != ((i < 0x20 || i > 0x7e || i == '"') ? '?' : in[i]));
    }

    tap_is_u64(bad, 0, "a log line holds printable ASCII and no quote");

    writes(guardrail_fmt_printable, "a\r\nb\x1b[0m\"c", 10, "a\?\?b?[0m?c",
           "no line of its own, no escape");
}


static void
test_label(void)
{
    char      in[256], out[600];
    size_t    i, n;
    unsigned  bad, overflow;

    writes(guardrail_fmt_label, "a\"b\\c\nd", 7, "\"a\\\"b\\\\c\\nd\"",
           "a label cannot end its quotes or its line");
    writes(guardrail_fmt_label, "\xc3\xa4\xff\t\x7f", 5, "\"\xc3\xa4\?\?\?\"",
           "UTF-8 stays in a label, nothing else");
    writes(guardrail_fmt_label, "", 0, "\"\"", "an empty label");

    for (i = 0; i < 256; i++) {
        in[i] = (char) i;
    }

    n = put(guardrail_fmt_label, in, 256, out, sizeof(out), &overflow);

    for (bad = overflow, i = 1; i < n - 1; i++) {
        bad += (uint8_t) out[i] < 0x20 || (uint8_t) out[i] > 0x7e;
        bad += out[i] == '"' && out[i - 1] != '\\';
    }

    tap_is_u64(bad, 0, "no byte breaks out of a label");
}


static void
test_name(void)
{
    writes(guardrail_fmt_name, "a b/\"<%", 7, "a b/\"<%", "a name is text");
    writes(guardrail_fmt_name, "\xc3\xa4\xe2\x82\xac", 5,
           "\xc3\xa4\xe2\x82\xac", "UTF-8 too");
    writes(guardrail_fmt_name, "\xe4\xf6\n\x7f", 4, "%E4%F6%0A%7F",
           "what is none stays apart");
    writes(guardrail_fmt_name, "\xe2\x82", 2, "%E2%82", "half of it");
    writes(guardrail_fmt_name, "", 0, "", "an empty name");
}


static void
test_html(void)
{
    char      in[256], out[600];
    size_t    i, n;
    unsigned  bad, overflow;

    writes(guardrail_fmt_html, "<a b='c' d=\"e\">&", 16,
           "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;",
           "markup becomes text");
    writes(guardrail_fmt_html, "\xe2\x82\xac\xe2\x82", 5,
           "\xe2\x82\xac\?\?", "UTF-8 stays in HTML, half of it does not");

    for (i = 0; i < 256; i++) {
        in[i] = (char) i;
    }

    n = put(guardrail_fmt_html, in, 256, out, sizeof(out), &overflow);

    for (bad = overflow, i = 0; i < n; i++) {
        bad += out[i] == '<' || out[i] == '>' || out[i] == '"'
               || out[i] == '\'' || (uint8_t) out[i] > 0x7f;
    }

    tap_is_u64(bad, 0, "no byte becomes markup");
}


static void
test_u64(void)
{
    char             buf[GUARDRAIL_FMT_NUMBER], expected[32];
    size_t           i, j, bad;
    uint64_t         n;
    guardrail_fmt_t  f;

    bad = 0;
    n = 1;

    for (i = 0; i < 21; i++) {
        for (j = 0; j < 3; j++) {
            guardrail_fmt_init(&f, buf, sizeof(buf));
            guardrail_fmt_u64(&f, n + j - 1);

            snprintf(expected, sizeof(expected), "%" PRIu64, n + j - 1);

            bad += (f.overflow || (size_t) (f.pos - buf) != strlen(expected)
                    || memcmp(buf, expected, strlen(expected)) != 0);
        }

        n = (i < 19) ? n * 10 : UINT64_MAX - 1;
    }

    tap_is_u64(bad, 0, "whole numbers around the powers of ten");

    guardrail_fmt_init(&f, buf, 3);
    guardrail_fmt_u64(&f, 12345);

    tap_ok(f.overflow && f.pos == buf + 3 && memcmp(buf, "123", 3) == 0,
           "a number that does not fit says so");
}


static void
quotient(uint64_t n, uint64_t d, unsigned decimals, const char *expected)
{
    char             buf[GUARDRAIL_FMT_NUMBER + 1];
    guardrail_fmt_t  f;

    guardrail_fmt_init(&f, buf, GUARDRAIL_FMT_NUMBER);
    guardrail_fmt_quotient(&f, n, d, decimals);
    *f.pos = '\0';

    tap_is_str(buf, expected, "%" PRIu64 " / %" PRIu64 ", %u decimals", n, d,
               decimals);
}


static void
test_quotient(void)
{
    quotient(0, 1, 3, "0.000");
    quotient(1, 1, 3, "1.000");
    quotient(1, 3, 3, "0.333");
    quotient(2, 3, 3, "0.667");
    quotient(2, 3, 2, "0.67");
    quotient(2, 3, 1, "0.7");
    quotient(2, 3, 0, "1");
    quotient(1, 2, 0, "1");
    quotient(1, 2, 1, "0.5");
    quotient(1, 20, 1, "0.1");
    quotient(1, 21, 1, "0.0");
    quotient(1, 2000, 3, "0.001");
    quotient(1, 2001, 3, "0.000");
    quotient(999, 1000, 2, "1.00");
    quotient(9995, 10000, 3, "1.000");
    quotient(9994, 10000, 3, "0.999");
    quotient(1867776, 4086, 1, "457.1");
    quotient(1867776, 4086, 3, "457.116");
    quotient(5, 0, 3, "0.000");
    quotient(5, 0, 0, "0");
    quotient(7, 2, 4, "3.500");
    quotient(7, 2, 100, "3.500");
    quotient(UINT64_MAX, 1, 3, "18446744073709551615.000");
    quotient(UINT64_MAX, 2, 3, "9223372036854775807.500");
    quotient(UINT64_MAX, 2, 0, "9223372036854775808");
    quotient(UINT64_MAX, UINT64_MAX, 3, "1.000");
    quotient(UINT64_MAX - 1, UINT64_MAX, 3, "1.000");
    quotient(UINT64_MAX / 2, UINT64_MAX, 3, "0.500");
    quotient(1, UINT64_MAX, 3, "0.000");
    quotient(UINT64_MAX / 3, UINT64_MAX, 3, "0.333");
}


/*
 * Half up in 128 bits; where the halves of very large numbers were cut off
 * the code may be one off in the last decimal, if that is nearly a tie.
 */

static int
quotient_is_exact(uint64_t n, uint64_t d, unsigned decimals)
{
    char             buf[GUARDRAIL_FMT_NUMBER];
    char            *p;
    u128_t           got, x, scale, off, rest;
    unsigned         i, points;
    guardrail_fmt_t  f;

    guardrail_fmt_init(&f, buf, sizeof(buf));
    guardrail_fmt_quotient(&f, n, d, decimals);

    for (scale = 1, i = 0; i < decimals; i++) {
        scale *= 10;
    }

    got = 0;
    points = 0;

    for (p = buf; p < f.pos; p++) {
        if (*p == '.') {
            points++;

            if ((unsigned) (f.pos - p) != decimals + 1) {
                return 0;
            }

        } else if (*p >= '0' && *p <= '9') {
            got = got * 10 + (unsigned) (*p - '0');

        } else {
            return 0;
        }
    }

    if (f.overflow || points != (decimals ? 1 : 0)) {
        return 0;
    }

    x = ((u128_t) n * scale * 2 / d + 1) / 2;

    if (x == got) {
        return 1;
    }

    if (n % d <= UINT64_MAX / 4000) {
        return 0;
    }

    /* a millionth of the last decimal from the tie */

    off = (x > got) ? x - got : got - x;
    rest = (u128_t) n * scale * 2 % ((u128_t) d * 2);
    rest = rest > d ? rest - d : d - rest;

    return off == 1 && rest < d / 1000000;
}


static void
test_quotient_random(void)
{
    size_t    i, bad;
    uint64_t  n, d, s;

    s = 88172645463325252;
    bad = 0;

    for (i = 0; i < 300000; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        n = s;

        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        d = s;

        n >>= i % 61;
        d >>= (i / 61) % 61;

        if (d == 0) {
            continue;
        }

        /* ties, and their neighbours */

        if (i % 5 == 0 && d < UINT64_MAX / 4000) {
            d *= 2000;
            n = (d / 2000) * (2 * (n % 1000) + 1) + i % 3 - 1;
        }

        if (!quotient_is_exact(n, d, (unsigned) (i % 4))) {
            bad++;
            tap_diag("%" PRIu64 " / %" PRIu64 ", %zu decimals", n, d, i % 4);
        }
    }

    tap_is_u64(bad, 0, "quotients of random numbers");
}


static void
test_cut(void)
{
    cut(guardrail_fmt_raw, "abc\0def", 7, "bytes");
    cut(text, "abcdef", 6, "text");
    cut(guardrail_fmt_json, "a\"\\\n\x01\xc3\xa9\xf0\x9f\x98\x80\xff", 12,
        "a string");
    cut(guardrail_fmt_printable, "ab\ncd", 5, "a line");
}


int
main(void)
{
    test_raw();
    test_json();
    test_json_bytes();
    test_json_utf8();
    test_printable();
    test_label();
    test_name();
    test_html();
    test_u64();
    test_quotient();
    test_quotient_random();
    test_cut();

    return tap_done();
}
