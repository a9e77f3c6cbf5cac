
/*
 * Copyright (C) nginx-guardrail authors
 *
 * RFC 8259 to the letter: strings, literals and numbers.
 */


#include <string.h>

#include "json/guardrail_json_strict.h"


static size_t guardrail_json_strict_ascii(const uint8_t *p, size_t len);
static size_t guardrail_json_strict_sequence(const uint8_t *p, size_t len);
static unsigned guardrail_json_strict_lead(guardrail_json_strict_t *v,
    uint8_t c);


static const char  guardrail_json_literals[] = "true\0false\0null";


/* how many bytes, at least, are in a string as they are */

size_t
guardrail_json_strict_plain(const uint8_t *p, size_t len)
{
    size_t  i, n;

    i = 0;

    do {
        i += guardrail_json_strict_ascii(p + i, len - i);
        n = guardrail_json_strict_sequence(p + i, len - i);
        i += n;

    } while (n);

    return i;
}


/* eight at a time, as long as that goes */

static size_t
guardrail_json_strict_ascii(const uint8_t *p, size_t len)
{
    size_t    i;
    uint64_t  v, quote, backslash, odd;

    const uint64_t  ones = 0x0101010101010101;

    for (i = 0; len - i >= sizeof(v); i += sizeof(v)) {
        memcpy(&v, p + i, sizeof(v));

        quote = v ^ ones * '"';
        backslash = v ^ ones * '\\';

        /* a byte less than what is taken away borrows into its highest bit */

        odd = ((v - ones * 0x20) | (quote - ones) | (backslash - ones) | v)
              & (ones << 7);

        if (odd) {

            /* what is borrowed comes from below: the first one is right */

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            break;
#else
            return i + (size_t) __builtin_ctzll(odd) / 8;
#endif
        }
    }

    while (i < len && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"'
           && p[i] != '\\')
    {
        i++;
    }

    return i;
}


/* a character of two or three bytes whose second one may be any */

static size_t
guardrail_json_strict_sequence(const uint8_t *p, size_t len)
{
    if (len < 3 || p[0] < 0xc2 || (p[1] & 0xc0) != 0x80) {
        return 0;
    }

    if (p[0] < 0xe0) {
        return 2;
    }

    if (p[0] == 0xe0 || p[0] == 0xed || p[0] > 0xef
        || (p[2] & 0xc0) != 0x80)
    {
        return 0;
    }

    return 3;
}


unsigned
guardrail_json_strict_string(guardrail_json_strict_t *v, uint8_t c)
{
    uint8_t  hex;

    switch (v->state) {

    case jst_escape:
        v->state = jst_string;

        if (c == 'u') {
            v->state = jst_hex;
            v->next = 4;
            return 1;
        }

        return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f'
               || c == 'n' || c == 'r' || c == 't';

    case jst_hex:
        hex = c | 0x20;
        v->next--;

        if (v->next == 0) {
            v->state = jst_string;
        }

        return (c >= '0' && c <= '9') || (hex >= 'a' && hex <= 'f');

    case jst_utf8:

        if (c < v->low || c > v->high) {
            return 0;
        }

        v->low = 0x80;
        v->high = 0xbf;
        v->more--;

        if (v->more == 0) {
            v->state = jst_string;
        }

        return 1;

    default: /* jst_string */

        if (c == '"') {

            if (v->key) {
                v->state = jst_colon;

            } else {
                guardrail_json_strict_ended(v, 0);
            }

            return 1;
        }

        if (c == '\\') {
            v->state = jst_escape;
            return 1;
        }

        return c < 0x80 ? c >= 0x20 : guardrail_json_strict_lead(v, c);
    }
}


/* RFC 3629, section 4 */

static unsigned
guardrail_json_strict_lead(guardrail_json_strict_t *v, uint8_t c)
{
    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }

    v->state = jst_utf8;
    v->more = (c < 0xe0) ? 1 : (c < 0xf0) ? 2 : 3;
    v->low = (c == 0xe0) ? 0xa0 : (c == 0xf0) ? 0x90 : 0x80;
    v->high = (c == 0xed) ? 0x9f : (c == 0xf4) ? 0x8f : 0xbf;

    return 1;
}


size_t
guardrail_json_strict_word(guardrail_json_strict_t *v, const uint8_t *p,
    size_t len)
{
    size_t  i;

    for (i = 0; i < len && v->state == jst_literal; i++) {

        if (!guardrail_json_strict_literal(v, p[i])) {
            break;
        }
    }

    return i;
}


unsigned
guardrail_json_strict_literal(guardrail_json_strict_t *v, uint8_t c)
{
    if (c != (uint8_t) guardrail_json_literals[v->next]) {
        return 0;
    }

    v->next++;

    if (guardrail_json_literals[v->next] == '\0') {
        guardrail_json_strict_ended(v, 1);
    }

    return 1;
}


/* sets again, and the state, if the number ended before this byte */

unsigned
guardrail_json_strict_number(guardrail_json_strict_t *v, uint8_t c,
    unsigned *again)
{
    unsigned  digit;

    digit = (c >= '0' && c <= '9');

    switch (v->state) {

    case jst_minus:
        v->state = (c == '0') ? jst_zero : jst_int;
        return digit;

    case jst_point:
        v->state = jst_frac;
        return digit;

    case jst_exp:
        v->state = digit ? jst_power : jst_sign;
        return digit || c == '+' || c == '-';

    case jst_sign:
        v->state = jst_power;
        return digit;

    case jst_zero:
    case jst_int:

        if (digit && v->state == jst_int) {
            return 1;
        }

        if (c == '.') {
            v->state = jst_point;
            return 1;
        }

        /* fall through */

    case jst_frac:

        if (digit && v->state == jst_frac) {
            return 1;
        }

        if (c == 'e' || c == 'E') {
            v->state = jst_exp;
            return 1;
        }

        /* fall through */

    default: /* jst_power */

        if (digit && v->state == jst_power) {
            return 1;
        }
    }

    guardrail_json_strict_ended(v, 1);

    *again = 1;

    return 0;
}
