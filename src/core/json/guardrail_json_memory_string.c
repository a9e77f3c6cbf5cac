
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What a string costs.  One without escapes is cut out of the text.  One
 * with escapes is put together in a buffer that takes a quarter more than it
 * needs whenever it grows, exists twice while it becomes wider, and is cut
 * to what it holds at the end.
 */


#include "json/guardrail_json_memory_object.h"


/* where an escape is: hex digits to come, or ... */

#define GUARDRAIL_JSON_MEMORY_BACKSLASH  5


static void guardrail_json_memory_write(guardrail_json_memory_t *m,
    uint64_t chars, uint8_t width);
static void guardrail_json_memory_flush(guardrail_json_memory_t *m);
static void guardrail_json_memory_high(guardrail_json_memory_t *m);
static void guardrail_json_memory_escape(guardrail_json_memory_t *m,
    uint8_t c);
static void guardrail_json_memory_code(guardrail_json_memory_t *m);
static uint32_t guardrail_json_memory_hex(uint8_t c);


/* appends to the buffer, as _PyUnicodeWriter does */

static void
guardrail_json_memory_write(guardrail_json_memory_t *m, uint64_t chars,
    uint8_t width)
{
    uint64_t                         size, old;
    guardrail_json_memory_string_t  *s;

    s = &m->string;

    s->pos += chars;

    if (s->pos <= s->size && width <= s->width) {
        return;
    }

    size = s->size;
    old = 0;

    if (s->pos > size) {
        size = s->pos + s->pos / 4;
    }

    if (width <= s->width) {
        width = s->width;

    } else if (s->size) {
        old = guardrail_py_str(s->size, s->width);
    }

    s->size = size;
    s->width = width;

    guardrail_json_memory_peak(m, old + guardrail_py_str(size, width));
}


/* what came before an escape or the end */

static void
guardrail_json_memory_flush(guardrail_json_memory_t *m)
{
    guardrail_json_memory_string_t  *s;

    s = &m->string;

    if (s->chars) {
        guardrail_json_memory_high(m);
        guardrail_json_memory_write(m, s->chars, s->wide);

        s->chars = 0;
    }
}


/* a high surrogate that no low one follows */

static void
guardrail_json_memory_high(guardrail_json_memory_t *m)
{
    if (m->string.high) {
        m->string.high = 0;
        guardrail_json_memory_write(m, 1, GUARDRAIL_PY_UCS2);
    }
}


static void
guardrail_json_memory_escape(guardrail_json_memory_t *m, uint8_t c)
{
    guardrail_json_memory_string_t  *s;

    s = &m->string;

    if (s->escape == GUARDRAIL_JSON_MEMORY_BACKSLASH) {

        if (c == 'u') {
            s->escape--;
            s->code = 0;
            return;
        }

        s->escape = 0;

        guardrail_json_memory_high(m);
        guardrail_json_memory_write(m, 1, GUARDRAIL_PY_ASCII);
        return;
    }

    s->escape--;
    s->code = s->code << 4 | guardrail_json_memory_hex(c);

    if (s->escape == 0) {
        guardrail_json_memory_code(m);
    }
}


/* the end of a \uXXXX */

static void
guardrail_json_memory_code(guardrail_json_memory_t *m)
{
    uint32_t                         code;
    guardrail_json_memory_string_t  *s;

    s = &m->string;
    code = s->code;

    if (s->high && code >= 0xdc00 && code <= 0xdfff) {
        s->high = 0;
        guardrail_json_memory_write(m, 1, GUARDRAIL_PY_UCS4);
        return;
    }

    guardrail_json_memory_high(m);

    if (code >= 0xd800 && code <= 0xdbff) {
        s->high = 1;
        return;
    }

    guardrail_json_memory_write(m, 1, (uint8_t) ((code >= 0x80)
                                                 + (code >= 0x100)));
}


/* what is no hex digit makes CPython fail */

static uint32_t
guardrail_json_memory_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return (uint32_t) c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? (uint32_t) c - 'a' + 10 : 0;
}


void
guardrail_json_memory_string_begin(guardrail_json_memory_t *m, unsigned key)
{
    guardrail_json_memory_string_t  *s;

    s = &m->string;

    if (s->within) {
        guardrail_json_memory_string_end(m);
    }

    s->chars = 0;
    s->pos = 0;
    s->size = 0;
    s->high = 0;
    s->width = GUARDRAIL_PY_ASCII;
    s->wide = GUARDRAIL_PY_ASCII;
    s->escape = 0;
    s->key = (key != 0);
    s->within = 1;

    if (key) {
        guardrail_json_memory_hash_init(s);
    }
}


void
guardrail_json_memory_string(guardrail_json_memory_t *m, const uint8_t *p,
    size_t len)
{
    uint8_t                          none;
    uint64_t                         more;
    const uint8_t                   *end, *begin;
    guardrail_json_memory_string_t  *s;

    s = &m->string;
    end = p + len;

    if (s->key) {
        guardrail_json_memory_hash(s, p, len);
    }

    while (p < end) {

        if (s->escape) {
            begin = p++;

            if (*begin >= 0x80) {
                none = GUARDRAIL_PY_ASCII;
                (void) guardrail_json_memory_scan(&m->text, begin, p, &none);
            }

            guardrail_json_memory_escape(m, *begin);
            continue;
        }

        if (*p == '\\' && s->chars == 0) {
            m->text.ed = 0;
            s->escape = GUARDRAIL_JSON_MEMORY_BACKSLASH;
            p++;
            continue;
        }

        begin = p;
        more = m->text.more;

        p = guardrail_json_memory_scan(&m->text, p, end, &s->wide);

        s->chars += (uint64_t) (p - begin) - (m->text.more - more);

        if (p < end) {
            guardrail_json_memory_flush(m);
            s->escape = GUARDRAIL_JSON_MEMORY_BACKSLASH;
            p++;
        }
    }
}


void
guardrail_json_memory_string_end(guardrail_json_memory_t *m)
{
    uint64_t                         bytes;
    guardrail_json_memory_string_t  *s;

    s = &m->string;

    if (!s->within) {
        return;
    }

    s->within = 0;

    if (s->size || s->high) {
        guardrail_json_memory_flush(m);
        guardrail_json_memory_high(m);

        bytes = guardrail_py_str_value(s->pos, s->width);

    } else {
        bytes = guardrail_py_str_value(s->chars, s->wide);
    }

    if (s->key) {
        m->unsure |= (s->size != 0);
        guardrail_json_memory_key(m, guardrail_json_memory_hash_end(s), bytes);
        return;
    }

    m->live += bytes;
    guardrail_json_memory_value(m);
}


/*
 * What a string has cost so far.  It never falls: a value that may yet be a
 * shared object is none.
 */

uint64_t
guardrail_json_memory_partial(const guardrail_json_memory_string_t *s)
{
    uint8_t   width;
    uint64_t  chars;

    if (!s->within) {
        return 0;
    }

    chars = s->pos + s->chars;
    width = (s->chars && s->wide > s->width) ? s->wide : s->width;

    return guardrail_py_str_value(chars, width);
}
