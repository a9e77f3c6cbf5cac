
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "fmt/guardrail_fmt.h"

#include <string.h>


static size_t guardrail_fmt_utf8(const uint8_t *p, size_t len);
static size_t guardrail_fmt_char(guardrail_fmt_t *f, const char *p,
    size_t len);


void
guardrail_fmt_init(guardrail_fmt_t *f, char *p, size_t size)
{
    f->pos = p;
    f->end = p + size;
    f->overflow = 0;
}


void
guardrail_fmt_raw(guardrail_fmt_t *f, const char *p, size_t len)
{
    if (len > (size_t) (f->end - f->pos)) {
        len = (size_t) (f->end - f->pos);
        f->overflow = 1;
    }

    if (len) {
        memcpy(f->pos, p, len);
        f->pos += len;
    }
}


void
guardrail_fmt_text(guardrail_fmt_t *f, const char *s)
{
    size_t  len;

    for (len = 0; s[len]; len++) { /* void */ }

    guardrail_fmt_raw(f, s, len);
}


/* the length of the UTF-8 sequence at p (RFC 3629), 0 if it is none */

static size_t
guardrail_fmt_utf8(const uint8_t *p, size_t len)
{
    size_t   i, n;
    uint8_t  low, high;

    low = 0x80;
    high = 0xbf;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = (p[0] == 0xe0) ? 0xa0 : 0x80;
        high = (p[0] == 0xed) ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = (p[0] == 0xf0) ? 0x90 : 0x80;
        high = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if (n > len || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return n;
}


/* the character at p, '?' for a byte that is none; returns its length */

static size_t
guardrail_fmt_char(guardrail_fmt_t *f, const char *p, size_t len)
{
    size_t  n;

    n = guardrail_fmt_utf8((const uint8_t *) p, len);

    if (n == 0) {
        guardrail_fmt_raw(f, "?", 1);
        return 1;
    }

    guardrail_fmt_raw(f, p, n);

    return n;
}


void
guardrail_fmt_json(guardrail_fmt_t *f, const char *p, size_t len)
{
    static const char  hex[] = "0123456789abcdef";

    char     esc[6];
    size_t   i, n;
    uint8_t  ch;

    guardrail_fmt_raw(f, "\"", 1);

    for (i = 0; i < len; i += n) {
        ch = (uint8_t) p[i];
        n = 1;

        if (ch == '"' || ch == '\\') {
            esc[0] = '\\';
            esc[1] = (char) ch;
            guardrail_fmt_raw(f, esc, 2);
            continue;
        }

        if (ch < 0x20 || ch == 0x7f) {
            memcpy(esc, "\\u00", 4);
            esc[4] = hex[ch >> 4];
            esc[5] = hex[ch & 0x0f];
            guardrail_fmt_raw(f, esc, 6);
            continue;
        }

        n = guardrail_fmt_char(f, p + i, len - i);
    }

    guardrail_fmt_raw(f, "\"", 1);
}


void
guardrail_fmt_label(guardrail_fmt_t *f, const char *p, size_t len)
{
    char     esc[2];
    size_t   i, n;
    uint8_t  ch;

    guardrail_fmt_raw(f, "\"", 1);

    for (i = 0; i < len; i += n) {
        ch = (uint8_t) p[i];
        n = 1;

        if (ch == '"' || ch == '\\' || ch == '\n') {
            esc[0] = '\\';
            esc[1] = (ch == '\n') ? 'n' : (char) ch;
            guardrail_fmt_raw(f, esc, 2);
            continue;
        }

        if (ch < 0x20 || ch == 0x7f) {
            guardrail_fmt_raw(f, "?", 1);
            continue;
        }

        n = guardrail_fmt_char(f, p + i, len - i);
    }

    guardrail_fmt_raw(f, "\"", 1);
}


void
guardrail_fmt_name(guardrail_fmt_t *f, const char *p, size_t len)
{
    static const char  hex[] = "0123456789ABCDEF";

    char     esc[3];
    size_t   i, n;
    uint8_t  ch;

    for (i = 0; i < len; i += n) {
        ch = (uint8_t) p[i];
        n = guardrail_fmt_utf8((const uint8_t *) p + i, len - i);

        if (n == 0 || ch < 0x20 || ch == 0x7f) {
            esc[0] = '%';
            esc[1] = hex[ch >> 4];
            esc[2] = hex[ch & 0x0f];
            guardrail_fmt_raw(f, esc, 3);

            n = 1;
            continue;
        }

        guardrail_fmt_raw(f, p + i, n);
    }
}


void
guardrail_fmt_html(guardrail_fmt_t *f, const char *p, size_t len)
{
    size_t       i, n;
    const char  *esc;

    for (i = 0; i < len; i += n) {

        switch (p[i]) {
        case '&':
            esc = "&amp;";
            break;
        case '<':
            esc = "&lt;";
            break;
        case '>':
            esc = "&gt;";
            break;
        case '"':
            esc = "&quot;";
            break;
        case '\'':
            esc = "&#39;";
            break;
        default:
            esc = NULL;
        }

        n = 1;

        if (esc) {
            guardrail_fmt_text(f, esc);
            continue;
        }

        n = guardrail_fmt_char(f, p + i, len - i);
    }
}


void
guardrail_fmt_printable(guardrail_fmt_t *f, const char *p, size_t len)
{
    char    ch;
    size_t  i;

    for (i = 0; i < len; i++) {
        ch = p[i];

        if (ch < 0x20 || ch > 0x7e || ch == '"') {
            ch = '?';
        }

        guardrail_fmt_raw(f, &ch, 1);
    }
}


void
guardrail_fmt_u64(guardrail_fmt_t *f, uint64_t n)
{
    char   buf[20];
    char  *p;

    p = buf + sizeof(buf);

    do {
        *--p = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    guardrail_fmt_raw(f, p, (size_t) (buf + sizeof(buf) - p));
}


void
guardrail_fmt_quotient(guardrail_fmt_t *f, uint64_t n, uint64_t d,
    unsigned decimals)
{
    char      buf[4];
    uint64_t  whole, rest, scale, part;
    unsigned  i;

    if (decimals > 3) {
        decimals = 3;
    }

    for (scale = 1, i = 0; i < decimals; i++) {
        scale *= 10;
    }

    whole = 0;
    part = 0;

    if (d) {
        whole = n / d;
        rest = n % d;

        /* so that rest * 2 * scale fits */

        while (rest > UINT64_MAX / 4000) {
            rest /= 2;
            d /= 2;
        }

        part = (rest * 2 * scale / d + 1) / 2;

        if (part >= scale) {
            part = 0;
            whole++;
        }
    }

    guardrail_fmt_u64(f, whole);

    if (decimals == 0) {
        return;
    }

    buf[0] = '.';

    for (i = decimals; i; i--) {
        buf[i] = (char) ('0' + part % 10);
        part /= 10;
    }

    guardrail_fmt_raw(f, buf, decimals + 1);
}
