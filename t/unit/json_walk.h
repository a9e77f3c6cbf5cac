
/*
 * Copyright (C) nginx-guardrail authors
 *
 * A plain walk over a whole body that tells the memory model what is in it:
 * the tests' own, so that the model is tested without the scanner.  Strings,
 * numbers and other bytes are told in pieces that end at any place the caller
 * names.
 */


#ifndef GUARDRAIL_TEST_JSON_WALK_H
#define GUARDRAIL_TEST_JSON_WALK_H


#include <stdint.h>
#include <string.h>

#include "json/guardrail_json_memory.h"


/* called at the end of each value, at each cut, and at the end of the body */

typedef void (*walk_pt)(void *data, size_t at, uint64_t estimate);


typedef struct {
    guardrail_json_memory_t      *m;
    const uint8_t                *p;
    size_t                        len;
    size_t                        pos;
    size_t                        begin;    /* of this record */

    /* pieces end at cut, and every "every" bytes from there, if not 0 */

    size_t                        cut;
    size_t                        every;

    guardrail_json_memory_mode_e  mode;
    unsigned                      joined;
    unsigned                      content;
    unsigned                      key;      /* the next string is one */
    unsigned                      depth;
    uint8_t                       kinds[4096];

    walk_pt                       note;
    void                         *data;
} walk_t;


typedef void (*walk_piece_pt)(guardrail_json_memory_t *m, const uint8_t *p,
    size_t len);


static inline void
walk_note(walk_t *w)
{
    if (w->note) {
        w->note(w->data, w->pos,
                guardrail_json_memory_estimate(w->m, w->pos,
                                               w->pos - w->begin));
    }
}


/* the bytes up to end */

static inline void
walk_pieces(walk_t *w, size_t end, walk_piece_pt piece)
{
    size_t  n;

    while (w->pos < end) {
        n = end - w->pos;

        if (w->pos < w->cut) {
            n = w->cut - w->pos;

        } else if (w->every) {
            n = w->every - (w->pos - w->cut) % w->every;
        }

        if (n > end - w->pos) {
            n = end - w->pos;
        }

        piece(w->m, w->p + w->pos, n);
        w->pos += n;

        if (w->pos < end) {
            walk_note(w);
        }
    }
}


static inline void
walk_string(walk_t *w)
{
    size_t  end;

    w->pos++;
    end = w->pos;

    while (end < w->len && w->p[end] != '"'
           && !(w->mode != GUARDRAIL_JSON_MEMORY_DOCUMENT
                && w->p[end] == '\n'))
    {
        end += (w->p[end] == '\\' && end + 1 < w->len) ? 2 : 1;
    }

    guardrail_json_memory_string_begin(w->m, w->key);
    w->key = 0;

    walk_pieces(w, end, guardrail_json_memory_string);

    if (end < w->len) {
        w->pos += (w->p[end] == '"');
        guardrail_json_memory_string_end(w->m);
    }
}


static inline size_t
walk_span(walk_t *w, const char *set)
{
    size_t  end;

    end = w->pos;

    while (end < w->len && w->p[end] && strchr(set, w->p[end])) {
        end++;
    }

    return end;
}


static inline void
walk_line_end(walk_t *w)
{
    if (w->content && !w->joined) {

        if (w->depth && w->mode != GUARDRAIL_JSON_MEMORY_DOCUMENT) {
            guardrail_json_memory_join(w->m, w->pos - w->begin);
            w->joined = 1;

        } else {
            guardrail_json_memory_record_end(w->m, w->pos - w->begin);
        }
    }

    if (!w->joined) {
        w->depth = 0;
        w->key = 0;
    }

    w->content = 0;
}


static inline void
walk_token(walk_t *w)
{
    size_t   end;
    uint8_t  c;

    c = w->p[w->pos];

    switch (c) {

    case '{':
    case '[':
        w->pos++;
        guardrail_json_memory_open(w->m, c == '{');

        if (w->depth < sizeof(w->kinds)) {
            w->kinds[w->depth] = (c == '{');
        }

        w->depth++;
        w->key = (c == '{');
        return;

    case '}':
    case ']':
        w->pos++;
        guardrail_json_memory_close(w->m);
        w->depth -= (w->depth != 0);
        w->key = 0;
        return;

    case ',':
        w->pos++;
        w->key = w->depth && w->depth <= sizeof(w->kinds)
                 && w->kinds[w->depth - 1];
        return;

    case ':':
        w->pos++;
        w->key = 0;
        return;

    case '"':
        walk_string(w);
        return;
    }

    end = walk_span(w, "abcdefghijklmnopqrstuvwxyzNI");

    if (end > w->pos) {
        w->pos = end;
        guardrail_json_memory_literal(w->m);
        return;
    }

    end = walk_span(w, "+-.0123456789eE");

    if (end > w->pos && (c != '-' || w->pos + 1 == w->len
                         || w->p[w->pos + 1] != 'I'))
    {
        walk_pieces(w, end, guardrail_json_memory_number);
        guardrail_json_memory_number_end(w->m);
        return;
    }

    walk_pieces(w, w->pos + 1, guardrail_json_memory_other);
}


/* m is initialized here; the estimate of the whole is returned */

static inline uint64_t
walk(walk_t *w, guardrail_json_memory_t *m, guardrail_json_memory_mode_e mode,
    const uint8_t *p, size_t len)
{
    uint64_t  estimate;

    guardrail_json_memory_init(m, mode);

    w->m = m;
    w->mode = mode;
    w->p = p;
    w->len = len;
    w->pos = 0;
    w->begin = 0;
    w->joined = 0;
    w->content = 0;
    w->key = 0;
    w->depth = 0;

    while (w->pos < len) {

        if (w->pos == w->begin && len - w->pos >= 3
            && memcmp(p + w->pos, "\xef\xbb\xbf", 3) == 0)
        {
            guardrail_json_memory_bom(m);
            w->pos += 3;
            continue;
        }

        switch (p[w->pos]) {

        case '\n':

            if (mode != GUARDRAIL_JSON_MEMORY_DOCUMENT) {
                walk_line_end(w);
                w->begin = ++w->pos;
                walk_note(w);
                break;
            }

            /* fall through */

        case ' ':
        case '\t':
        case '\r':
            w->pos++;
            break;

        default:
            w->content = 1;
            walk_token(w);
            walk_note(w);
        }
    }

    if (mode != GUARDRAIL_JSON_MEMORY_DOCUMENT) {
        walk_line_end(w);
        w->begin = len;
    }

    estimate = guardrail_json_memory_estimate(m, len, len - w->begin);

    if (w->note) {
        w->note(w->data, len, estimate);
    }

    return estimate;
}


#endif /* GUARDRAIL_TEST_JSON_WALK_H */
