
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Random texts of JSON, and how to spoil them.
 */


#ifndef GUARDRAIL_TEST_JSON_TEXT_H
#define GUARDRAIL_TEST_JSON_TEXT_H


#include "bytes.h"


static void
json_string(bytes_t *b, rng_t *rng)
{
    size_t  i, n;

    static const char  *pieces[] = {
        "a", "key", "\\\"", "\\\\", "\\/", "\\b\\f\\n\\r\\t", "\\u00e9",
        "\\uD83D\\uDE00", "\\uDC00", "\xc3\xa9", "\xe2\x82\xac",
        "\xf0\x9f\x98\x80", "[]{}:,", "'", "/*", "\x7f",
        "a text of some length, so that a string crosses a block or two, "
    };

    bytes_byte(b, '"');

    n = rng_below(rng, 6);

    for (i = 0; i < n; i++) {
        bytes_text(b, pieces[rng_below(rng, sizeof(pieces)
                                             / sizeof(pieces[0]))]);
    }

    bytes_byte(b, '"');
}


static void
json_number(bytes_t *b, rng_t *rng)
{
    size_t  i, n;

    if (rng_below(rng, 2)) {
        bytes_byte(b, '-');
    }

    if (rng_below(rng, 4) == 0) {
        bytes_byte(b, '0');

    } else {
        n = rng_below(rng, 12);
        bytes_byte(b, '1' + (unsigned) rng_below(rng, 9));

        for (i = 0; i < n; i++) {
            bytes_byte(b, '0' + (unsigned) rng_below(rng, 10));
        }
    }

    if (rng_below(rng, 2)) {
        bytes_byte(b, '.');
        bytes_byte(b, '0' + (unsigned) rng_below(rng, 10));
    }

    if (rng_below(rng, 3) == 0) {
        bytes_byte(b, rng_below(rng, 2) ? 'e' : 'E');

        if (rng_below(rng, 2)) {
            bytes_byte(b, rng_below(rng, 2) ? '+' : '-');
        }

        bytes_byte(b, '0' + (unsigned) rng_below(rng, 10));
    }
}


static void
json_space(bytes_t *b, rng_t *rng)
{
    static const char  *spaces[] = { "", "", "", " ", "\n", "\t \r\n" };

    bytes_text(b, spaces[rng_below(rng, 6)]);
}


static void
json_value(bytes_t *b, rng_t *rng, unsigned depth)
{
    size_t  i, n, kind;

    kind = rng_below(rng, (depth < 5) ? 12 : 6);

    switch (kind) {

    case 0:
        bytes_text(b, "null");
        return;

    case 1:
        bytes_text(b, rng_below(rng, 2) ? "true" : "false");
        return;

    case 2:
    case 3:
        json_string(b, rng);
        return;

    case 4:
    case 5:
        json_number(b, rng);
        return;
    }

    n = rng_below(rng, 5);

    bytes_byte(b, (kind & 1) ? '[' : '{');
    json_space(b, rng);

    for (i = 0; i < n; i++) {

        if (i) {
            bytes_byte(b, ',');
            json_space(b, rng);
        }

        if (!(kind & 1)) {
            json_string(b, rng);
            json_space(b, rng);
            bytes_byte(b, ':');
            json_space(b, rng);
        }

        json_value(b, rng, depth + 1);
        json_space(b, rng);
    }

    bytes_byte(b, (kind & 1) ? ']' : '}');
}


/* one byte that is gone, doubled, another one, or more */

static void
json_spoil(bytes_t *b, rng_t *rng, size_t from)
{
    size_t   at, len;
    bytes_t  tail;

    static const char  bytes[] = "{}[]:,\"\\0-+.eE1tfn \n\x01'/\x80\xc3\xed"
                                 "\xef\xf4\xff\x1f\xa0";

    if (b->len <= from) {
        return;
    }

    at = from + rng_below(rng, b->len - from);
    len = b->len;

    memset(&tail, 0, sizeof(tail));
    bytes_add(&tail, b->p + at, len - at);

    b->len = at;

    switch (rng_below(rng, 4)) {

    case 0:
        bytes_add(b, tail.p + 1, tail.len - 1);
        break;

    case 1:
        bytes_byte(b, tail.p[0]);
        bytes_add(b, tail.p, tail.len);
        break;

    case 2:
        bytes_byte(b, (uint8_t) bytes[rng_below(rng, sizeof(bytes))]);
        bytes_add(b, tail.p, tail.len);
        break;

    default:
        bytes_byte(b, (uint8_t) bytes[rng_below(rng, sizeof(bytes))]);
        bytes_add(b, tail.p + 1, tail.len - 1);
    }

    bytes_free(&tail);
}


#endif /* GUARDRAIL_TEST_JSON_TEXT_H */
