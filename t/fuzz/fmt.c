
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Strings and numbers into buffers that may be too small: what was written
 * is a prefix of what would have been, and that is well-formed.
 */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmt/guardrail_fmt.h"


__extension__ typedef unsigned __int128  u128_t;


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static void check(int good, const char *what);
static void put(unsigned op, guardrail_fmt_t *f, const uint8_t *p,
    size_t len);
static size_t sequence(const uint8_t *p, size_t len);
static void read_back(const uint8_t *out, size_t n, const uint8_t *p,
    size_t len);
static void read_number(const uint8_t *out, size_t n, const uint8_t *p,
    unsigned decimals);


static void
check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}


static void
put(unsigned op, guardrail_fmt_t *f, const uint8_t *p, size_t len)
{
    uint64_t  n, d;

    switch (op % 4) {

    case 0:
        guardrail_fmt_json(f, (const char *) p, len);
        break;

    case 1:
        guardrail_fmt_printable(f, (const char *) p, len);
        break;

    case 2:
        guardrail_fmt_raw(f, (const char *) p, len);
        break;

    default:

        if (len >= 16) {
            memcpy(&n, p, 8);
            memcpy(&d, p + 8, 8);

            guardrail_fmt_quotient(f, n, d, op / 4 % 4);
        }
    }
}


/* bytes of the UTF-8 sequence at p, by its code point, or 0 */

static size_t
sequence(const uint8_t *p, size_t len)
{
    size_t    n, i;
    uint32_t  c;

    if (p[0] < 0x80) {
        return 1;
    }

    n = (p[0] >> 5 == 6) ? 2 : (p[0] >> 4 == 14) ? 3 : (p[0] >> 3 == 30) ? 4
                                                                         : 0;

    if (n == 0 || n > len) {
        return 0;
    }

    c = p[0] & (0x7fu >> n);

    for (i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < (n == 2 ? 0x80u : n == 3 ? 0x800u : 0x10000u) || c > 0x10ffff
        || c >> 11 == 0x1b)
    {
        return 0;
    }

    return n;
}


/* a JSON string that says what was put in, with '?' for what is no UTF-8 */

static void
read_back(const uint8_t *out, size_t n, const uint8_t *p, size_t len)
{
    char      hex[3];
    size_t    i, k, used;
    unsigned  ch;

    check(n >= 2 && out[0] == '"' && out[n - 1] == '"', "no quotes");

    i = 1;

    for (used = 0; used < len; used += k) {
        check(i < n - 1, "the string is too short");

        k = sequence(p + used, len - used);

        if (k == 0) {
            check(out[i] == '?', "an invalid byte is no '?'");
            i++;
            k = 1;
            continue;
        }

        if (out[i] != '\\') {
            check(out[i] >= 0x20 && out[i] != '"' && out[i] != 0x7f,
                  "a byte that needs an escape");
            check(i + k <= n - 1 && memcmp(out + i, p + used, k) == 0,
                  "another byte");
            i += k;
            continue;
        }

        if (out[i + 1] == 'u') {
            check(i + 6 <= n - 1 && out[i + 2] == '0' && out[i + 3] == '0',
                  "a short escape");

            memcpy(hex, out + i + 4, 2);
            hex[2] = '\0';
            ch = (unsigned) strtoul(hex, NULL, 16);

            check(ch == p[used], "another byte in an escape");
            i += 6;
            continue;
        }

        check((out[i + 1] == '"' || out[i + 1] == '\\')
              && out[i + 1] == p[used], "an escape that is none");
        i += 2;
    }

    check(i == n - 1, "the string is too long");
}


static void
read_number(const uint8_t *out, size_t n, const uint8_t *p, unsigned decimals)
{
    size_t    i;
    u128_t    got, x;
    uint64_t  a, d;
    unsigned  scale;

    memcpy(&a, p, 8);
    memcpy(&d, p + 8, 8);

    scale = decimals == 0 ? 1 : decimals == 1 ? 10 : decimals == 2 ? 100
                                                                   : 1000;

    check(n > decimals && (out[0] != '0' || n == 1 || out[1] == '.'),
          "a number with zeros before it");

    for (got = 0, i = 0; i < n; i++) {
        if (decimals && i == n - decimals - 1) {
            check(out[i] == '.', "no point");
            continue;
        }

        check(out[i] >= '0' && out[i] <= '9', "no digit");
        got = got * 10 + (unsigned) (out[i] - '0');
    }

    x = d ? ((u128_t) a * scale * 2 / d + 1) / 2 : 0;

    /* very large numbers may be rounded the other way */

    check(x == got || (d && a % d > UINT64_MAX / 4000
                       && (x == got + 1 || x + 1 == got)), "another number");
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    char             *full, *part;
    size_t            n, len, room;
    unsigned          op;
    guardrail_fmt_t   f;

    if (size < 3) {
        return 0;
    }

    op = p[0];
    room = p[1] * 4u + p[2] % 4;
    p += 3;
    len = size - 3;

    n = len * 6 + GUARDRAIL_FMT_NUMBER;
    full = malloc(n);
    part = malloc(room ? room : 1);

    if (full == NULL || part == NULL) {
        abort();
    }

    guardrail_fmt_init(&f, full, n);
    put(op, &f, p, len);

    check(!f.overflow, "more than six bytes for one");

    n = (size_t) (f.pos - full);

    guardrail_fmt_init(&f, part, room);
    put(op, &f, p, len);

    check((f.overflow != 0) == (room < n), "overflow");
    check((size_t) (f.pos - part) == (room < n ? room : n), "the length");
    check(memcmp(part, full, (size_t) (f.pos - part)) == 0, "the bytes");

    switch (op % 4) {

    case 0:
        read_back((uint8_t *) full, n, p, len);
        break;

    case 1:
        check(n == len, "a line of another length");

        for (room = 0; room < n; room++) {
            check(full[room] >= 0x20 && full[room] <= 0x7e
                  && full[room] != '"', "not printable");
        }

        break;

    case 2:
        check(n == len && memcmp(full, p, n) == 0, "bytes as they are");
        break;

    default:

        if (len >= 16) {
            read_number((uint8_t *) full, n, p, op / 4 % 4);
        }
    }

    free(full);
    free(part);

    return 0;
}
