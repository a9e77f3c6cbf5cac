
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON once more, from a slow model: it has the whole of a
 * prefix before it, cuts it into records and those into words, walks over
 * the words with a stack of frames, and compares all it found with the
 * limits.  The verdict on a body is that on its first prefix that exceeds
 * one.  It shares no code with what it is compared to.
 */


#ifndef GUARDRAIL_TEST_JSON_MODEL_H
#define GUARDRAIL_TEST_JSON_MODEL_H


#include <stdio.h>
#include <string.h>

#include "json/guardrail_json.h"


#define JM_WORDS   4096
#define JM_FRAMES  4096


typedef struct {
    char      type;             /* one of {}[],: " for strings, ' # and a */
    size_t    start;
    size_t    end;              /* the byte behind it, or the prefix's end */
    unsigned  closed;
} jm_word_t;


typedef struct {
    char      type;
    uint64_t  members;
} jm_frame_t;


typedef struct {
    guardrail_rc_e  rc;
    uint64_t        limit;
    uint64_t        observed;
    uint64_t        records;
    uint64_t        largest;
    uint64_t        deepest;
    uint64_t        tokens;
    unsigned        continued;
} jm_result_t;


typedef struct {
    const guardrail_json_limits_t  *limits;
    const uint8_t                  *p;
    size_t                          len;

    jm_word_t                       words[JM_WORDS];
    size_t                          nwords;
    jm_frame_t                      frames[JM_FRAMES];
    size_t                          depth;

    unsigned                        value;      /* of a document */
    unsigned                        rows;
    size_t                          record;     /* began there, plus one */
    jm_result_t                     r;
} jm_t;


static inline unsigned
jm_lines(const jm_t *m)
{
    return m->limits->mode == GUARDRAIL_JSON_LINES
           || m->limits->mode == GUARDRAIL_JSON_LINES_AUTO;
}


static inline void
jm_excess(jm_t *m, guardrail_rc_e rc, uint64_t limit, uint64_t observed)
{
    if (observed > limit
        && (m->r.rc == GUARDRAIL_OK || rc < m->r.rc))
    {
        m->r.rc = rc;
        m->r.limit = limit;
        m->r.observed = observed;
    }
}


/* what begins a value in Python */

static inline unsigned
jm_begins(uint8_t c)
{
    return c && strchr("{[\"-0123456789tfnNI", c) != NULL;
}


static inline unsigned
jm_scalar(uint8_t c)
{
    return c == 0 || strchr(" \t\n\r\"{}[],:'/#", c) == NULL;
}


/* the length of what raw_decode() takes from a run, or a bit more */

static inline size_t
jm_first_value(const uint8_t *p, size_t len)
{
    size_t  i;

    i = 0;

    if (p[i] == '-') {
        i++;

        if (i < len && strchr("tfnNI", p[i]) && p[i]) {
            goto literal;
        }

    } else if (p[i] < '0' || p[i] > '9') {
        goto literal;
    }

    if (i < len && p[i] == '0') {
        i++;

        if (i < len && p[i] >= '0' && p[i] <= '9') {
            return i;
        }
    }

    for (i = i ? i : 1; i < len; i++) {

        if (p[i] == '-') {

            if (p[i - 1] != 'e' && p[i - 1] != 'E') {
                return i;
            }

        } else if (strchr("tfnNI", p[i]) && p[i]) {
            return i;
        }
    }

    return len;

literal:

    for (i++; i < len; i++) {

        if ((p[i] >= '0' && p[i] <= '9') || p[i] == '-') {
            return i;
        }

        if (p[i] && strchr("tfnNI", p[i]) && strchr("elNy", p[i - 1])
            && p[i - 1])
        {
            return i;
        }
    }

    return len;
}


static inline void
jm_word(jm_t *m, char type, size_t start, size_t end, unsigned closed)
{
    jm_word_t  *w;

    if (m->nwords == JM_WORDS) {
        return;
    }

    w = &m->words[m->nwords++];

    w->type = type;
    w->start = start;
    w->end = end;
    w->closed = closed;
}


/* one string; returns the byte behind it */

static inline size_t
jm_string(jm_t *m, size_t start, size_t end)
{
    size_t   i;
    uint8_t  quote;

    quote = m->p[start];

    for (i = start + 1; i < end; i++) {

        if (m->p[i] == '\\') {
            i++;
            continue;
        }

        if (m->p[i] == quote) {
            jm_word(m, (char) quote, start, i + 1, 1);
            return i + 1;
        }

        if (quote == '\'' && (m->p[i] == '\n' || m->p[i] == '\r')) {
            jm_word(m, (char) quote, start, i, 0);
            return i;
        }
    }

    jm_word(m, (char) quote, start, end, 0);

    return end;
}


static inline size_t
jm_comment(jm_t *m, size_t start, size_t end)
{
    size_t  i;

    if (m->p[start] == '/') {

        if (start + 1 == end) {
            jm_word(m, '#', start, end, 0);
            return end;
        }

        if (m->p[start + 1] == '*') {

            for (i = start + 3; i < end; i++) {

                if (m->p[i] == '/' && m->p[i - 1] == '*') {
                    jm_word(m, '#', start, i + 1, 1);
                    return i + 1;
                }
            }

            jm_word(m, '#', start, end, 0);
            return end;
        }

        if (m->p[start + 1] != '/') {
            jm_word(m, '#', start, start + 1, 1);
            return start + 1;
        }
    }

    for (i = start + 1; i < end; i++) {

        if (m->p[i] == '\n' || m->p[i] == '\r') {
            jm_word(m, '#', start, i, 1);
            return i;
        }
    }

    jm_word(m, '#', start, end, 0);

    return end;
}


/*
 * Words of a segment: of a line, a record, or all.  Nothing goes on beyond
 * its end.
 */

static inline void
jm_words(jm_t *m, size_t start, size_t end)
{
    size_t   i, n;
    uint8_t  c;

    m->nwords = 0;

    for (i = start; i < end; /* void */) {
        c = m->p[i];

        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            i++;

        } else if (c == '"' || c == '\'') {
            i = jm_string(m, i, end);

        } else if (c == '/' || c == '#') {
            i = jm_comment(m, i, end);

        } else if (!jm_scalar(c)) {
            jm_word(m, (char) c, i, i + 1, 1);
            i++;

        } else {
            for (n = i; n < end && jm_scalar(m->p[n]); n++) { /* void */ }

            jm_word(m, 'a', i, n, n < end);
            i = n;
        }
    }
}


static inline size_t
jm_base(const jm_t *m)
{
    return m->rows ? 1 : 0;
}


static inline void
jm_size(jm_t *m, size_t end)
{
    uint64_t  size;

    size = end - (m->record - 1);

    if (size > m->r.largest) {
        m->r.largest = size;
    }

    jm_excess(m, GUARDRAIL_MAX_RECORD_SIZE, m->limits->max_record_size, size);
}


static inline void
jm_record(jm_t *m, size_t start)
{
    if (jm_lines(m) || m->depth != jm_base(m)) {
        return;
    }

    m->r.records++;
    jm_excess(m, GUARDRAIL_MAX_RECORDS, m->limits->max_records,
              m->r.records);

    if (m->record == 0) {
        m->record = start + 1;
    }
}


static inline void
jm_member(jm_t *m)
{
    jm_frame_t  *f;

    if (m->depth == 0) {
        return;
    }

    f = &m->frames[m->depth - 1];
    f->members++;

    if (f->type == '{') {
        jm_excess(m, GUARDRAIL_JSON_KEYS, m->limits->keys, f->members);

    } else {
        jm_excess(m, GUARDRAIL_JSON_ITEMS, m->limits->items, f->members);
    }
}


/* the value that w is, or its part from start to end */

static inline void
jm_value(jm_t *m, const jm_word_t *w, size_t start, size_t end, char prev)
{
    unsigned  key;
    uint64_t  limit, length;

    key = (m->depth && m->frames[m->depth - 1].type == '{' && prev != ':');

    m->r.tokens++;
    jm_excess(m, GUARDRAIL_JSON_TOKENS, m->limits->tokens, m->r.tokens);

    if (m->depth && (m->frames[m->depth - 1].type == '[' || key)) {
        jm_member(m);
    }

    if (m->limits->mode == GUARDRAIL_JSON_TEXT && m->depth == 0 && !m->value
        && jm_begins(m->p[start]))
    {
        m->value = 1;
        m->rows = (w->type == '[');

        if (m->rows) {
            return;
        }
    }

    jm_record(m, start);

    if (w->type == '"' || w->type == '\'') {
        length = end - start - 1 - w->closed;

        if (key) {
            jm_excess(m, GUARDRAIL_JSON_KEY, m->limits->key, length);

        } else {
            jm_excess(m, GUARDRAIL_JSON_STRING, m->limits->string, length);
        }
    }

    if (w->type == 'a') {
        limit = m->limits->number;

        if (strchr("0123456789-+.", m->p[start]) == NULL || !m->p[start]) {
            limit = (limit < 8) ? 8 : limit;
        }

        jm_excess(m, GUARDRAIL_JSON_NUMBER, limit, end - start);
    }
}


/* a value that is not a container, or a container's end */

static inline void
jm_ended(jm_t *m, size_t end)
{
    if (m->record) {
        jm_size(m, end);

        if (m->limits->mode == GUARDRAIL_JSON_TEXT
            && m->depth == jm_base(m))
        {
            m->record = 0;
        }
    }
}


static inline void
jm_scalar_word(jm_t *m, const jm_word_t *w, char prev)
{
    size_t  i, n;

    if (w->type != 'a' || m->depth || jm_lines(m)) {
        jm_value(m, w, w->start, w->end, prev);
        jm_ended(m, w->end);
        return;
    }

    for (i = w->start; i < w->end; i += n) {
        n = jm_first_value(m->p + i, w->end - i);

        jm_value(m, w, i, i + n, prev);
        jm_ended(m, i + n);
        prev = 'a';
    }
}


static inline void
jm_close(jm_t *m, const jm_word_t *w, char prev)
{
    if (m->depth == 0) {

        if (prev == 0) {
            jm_record(m, w->start);
        }

        jm_ended(m, w->end);
        return;
    }

    if (m->frames[m->depth - 1].type != (w->type == '}' ? '{' : '[')) {
        return;
    }

    m->depth--;

    jm_ended(m, w->end);

    if (m->depth == 0) {
        m->rows = 0;
    }
}


/* of a record, or of a line that goes on with the ones before */

static inline void
jm_walk(jm_t *m, char prev)
{
    size_t            i;
    const jm_word_t  *w;

    for (i = 0; i < m->nwords; i++, prev = w->type) {
        w = &m->words[i];

        switch (w->type) {

        case '{':
        case '[':
            jm_value(m, w, w->start, w->end, prev);

            jm_excess(m, GUARDRAIL_JSON_DEPTH, m->limits->depth,
                      m->depth + 1);

            if (m->depth < JM_FRAMES) {
                m->frames[m->depth].type = w->type;
                m->frames[m->depth].members = 0;
                m->depth++;
            }

            if (m->depth > m->r.deepest) {
                m->r.deepest = m->depth;
            }

            break;

        case '}':
        case ']':
            jm_close(m, w, prev);
            break;

        case ',':

            if (prev == 0 || prev == ',' || prev == '{' || prev == '[') {
                jm_member(m);
                jm_record(m, w->start);

                if (m->depth == jm_base(m)) {
                    jm_ended(m, w->end);
                }
            }

            break;

        case ':':

            if (prev == 0) {
                jm_record(m, w->start);

                if (m->depth == jm_base(m)) {
                    jm_ended(m, w->end);
                }
            }

            break;

        default:
            jm_scalar_word(m, w, prev);
        }

        /* a byte of the record, whatever it is */

        if (m->record) {
            jm_size(m, w->end);
        }
    }
}


/* white space within the record at the end of the prefix is in it, too */

static inline void
jm_tail(jm_t *m, size_t end)
{
    if (m->record && m->depth > jm_base(m)) {
        jm_size(m, end);
    }
}


static inline void
jm_utf16(jm_t *m, size_t start, size_t end)
{
    const uint8_t  *p;

    if (!m->limits->refuse_utf16 || jm_lines(m) || start == end) {
        return;
    }

    p = m->p + start;

    if (p[0] == 0
        || (end - start > 1
            && (p[1] == 0 || (p[0] == 0xfe && p[1] == 0xff)
                || (p[0] == 0xff && p[1] == 0xfe))))
    {
        if (m->r.rc == GUARDRAIL_OK) {
            m->r.rc = GUARDRAIL_MALFORMED_JSON;
        }
    }
}


/* everything there is to know of the first len bytes */

static inline void
jm_measure(jm_t *m, const guardrail_json_limits_t *limits, const uint8_t *p,
    size_t len)
{
    char    prev;
    size_t  start, end;
    int     sep;

    memset(&m->r, 0, sizeof(m->r));

    m->limits = limits;
    m->p = p;
    m->len = len;
    m->depth = 0;
    m->value = 0;
    m->rows = 0;
    m->record = 0;

    sep = jm_lines(m) ? '\n' : limits->mode == GUARDRAIL_JSON_SEQ ? 0x1e : -1;
    prev = 0;

    for (start = 0; /* void */; start = end + 1) {

        for (end = start; end < len && p[end] != sep; end++) { /* void */ }

        jm_utf16(m, start, end);

        if (m->depth == 0 && end - start >= 3
            && memcmp(p + start, "\xef\xbb\xbf", 3) == 0)
        {
            start += 3;
        }

        jm_words(m, start, end);
        jm_walk(m, prev);
        jm_tail(m, end);

        if (m->nwords) {
            prev = m->words[m->nwords - 1].type;
        }

        if (end == len) {
            break;
        }

        m->record = 0;

        if (limits->mode == GUARDRAIL_JSON_LINES_AUTO && m->depth) {
            m->r.continued = 1;
            continue;
        }

        m->depth = 0;
        m->r.tokens = 0;
        prev = 0;
    }
}


/* the first prefix that exceeds; *used is its length, or len */

static inline void
jm_judge(jm_t *m, const guardrail_json_limits_t *limits, const uint8_t *p,
    size_t len, size_t *used)
{
    size_t  n;

    for (n = 0; n <= len; n++) {
        jm_measure(m, limits, p, n);

        if (m->r.rc != GUARDRAIL_OK) {
            *used = n;
            return;
        }
    }

    *used = len;
}


#endif /* GUARDRAIL_TEST_JSON_MODEL_H */
