
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, byte by byte: how bytes are told apart, and runs of them
 * that can change nothing.  This scanner defines what all the others do, and
 * they leave to it the bytes among which a limit may be exceeded, and those
 * that no JSON holds.
 */


#include "json/guardrail_json_shape.h"


static size_t guardrail_json_scan_bytes(guardrail_json_t *s,
    const uint8_t *p, size_t len);
static void guardrail_json_tell_bytes(guardrail_json_t *s, const uint8_t *p,
    size_t len);
static size_t guardrail_json_skip(guardrail_json_t *s, const uint8_t *p,
    size_t len, uint64_t offset);
static uint64_t guardrail_json_room(const guardrail_json_t *s,
    uint64_t offset);


const uint8_t  guardrail_json_classes[256] = {
    [0x09] = jsc_blank,
    [0x0a] = jsc_lf,
    [0x0d] = jsc_blank,
    [0x1e] = jsc_rs,
    [0x20] = jsc_blank,
    [0x22] = jsc_quote,
    [0x23] = jsc_hash,
    [0x27] = jsc_apostrophe,
    [0x2c] = jsc_comma,
    [0x2f] = jsc_slash,
    [0x3a] = jsc_colon,
    [0x5b] = jsc_open,
    [0x5c] = jsc_backslash,
    [0x5d] = jsc_close,
    [0x7b] = jsc_open,
    [0x7d] = jsc_close
};


const guardrail_json_ops_t *
guardrail_json_scalar(void)
{
    static const guardrail_json_ops_t  ops = {
        "scalar",
        guardrail_json_scan_bytes,
        NULL,
        0
    };

    return &ops;
}


static size_t
guardrail_json_scan_bytes(guardrail_json_t *s, const uint8_t *p, size_t len)
{
    return s->memory ? guardrail_json_scan_memory(s, p, len)
                     : guardrail_json_scan_scalar(s, p, len);
}


size_t
guardrail_json_scan_scalar(guardrail_json_t *s, const uint8_t *p, size_t len)
{
    size_t    i, n;
    uint64_t  offset;

    offset = s->offset;

    for (i = 0; i < len && s->rc == GUARDRAIL_OK; i += n) {
        n = guardrail_json_skip(s, p + i, len - i, offset + i);

        if (n == 0) {
            guardrail_json_byte(s, p[i], offset + i);
            n = 1;
        }
    }

    s->offset = offset + i;

    guardrail_json_measure(s, s->offset);

    return i;
}


size_t
guardrail_json_scan_memory(guardrail_json_t *s, const uint8_t *p, size_t len)
{
    size_t    i, n, most;
    uint64_t  offset;

    for (i = 0; i < len && s->rc == GUARDRAIL_OK; i += n) {
        offset = s->offset;

        /* a piece ends where the estimate is judged */

        most = GUARDRAIL_JSON_QUANTUM
               - (size_t) (offset % GUARDRAIL_JSON_QUANTUM);

        if (most > len - i) {
            most = len - i;
        }

        s->ended = 0;
        n = guardrail_json_skip(s, p + i, most, offset);

        if (n == 0) {
            guardrail_json_byte(s, p[i], offset);
            n = 1;

        } else {
            guardrail_json_tell_bytes(s, p + i, n);
        }

        s->offset = offset + n;

        if (s->ended || s->offset % GUARDRAIL_JSON_QUANTUM == 0) {
            guardrail_json_judge(s);
        }
    }

    guardrail_json_measure(s, s->offset);

    return i;
}


/* bytes that were skipped */

static void
guardrail_json_tell_bytes(guardrail_json_t *s, const uint8_t *p, size_t len)
{
    switch (s->state) {

    case json_string:
        guardrail_json_memory_string(s->memory, p, len);
        break;

    case json_scalar:

        if (!(s->flags & GUARDRAIL_JSON_LETTER)) {
            guardrail_json_memory_number(s->memory, p, len);
        }

        guardrail_json_memory_other(s->memory, p, len);
    }
}


/* the bytes that change nothing but a length */

static size_t
guardrail_json_skip(guardrail_json_t *s, const uint8_t *p, size_t len,
    uint64_t offset)
{
    size_t                  n;
    uint64_t                room, limit;
    guardrail_json_class_e  class;

    if (s->flags & GUARDRAIL_JSON_BEGIN) {
        return 0;
    }

    switch (s->state) {

    case json_string:
        limit = (s->flags & GUARDRAIL_JSON_IN_KEY) ? s->limits.key
                                                : s->limits.string;
        break;

    case json_scalar:

        if (guardrail_json_runs(s)) {
            return 0;
        }

        limit = s->limits.number;
        break;

    case json_between:
        limit = GUARDRAIL_NO_LIMIT;
        break;

    default:
        return 0;
    }

    room = (s->length < limit) ? limit - s->length : 0;
    limit = guardrail_json_room(s, offset);

    if (limit < room) {
        room = limit;
    }

    if (len > room) {
        len = (size_t) room;
    }

    if (s->state == json_string) {

        for (n = 0; n < len; n++) {
            class = guardrail_json_classes[p[n]];

            if (class == jsc_quote || class == jsc_backslash
                || class == jsc_lf || class == jsc_rs)
            {
                break;
            }
        }

        s->length += n;

        return n;
    }

    class = (s->state == json_scalar) ? jsc_plain : jsc_blank;

    for (n = 0; n < len; n++) {

        if (guardrail_json_classes[p[n]] != class) {
            break;
        }
    }

    if (class == jsc_plain) {
        s->length += n;
    }

    return n;
}


/* the bytes that the record may still grow by */

static uint64_t
guardrail_json_room(const guardrail_json_t *s, uint64_t offset)
{
    uint64_t  size;

    if (!(s->flags & GUARDRAIL_JSON_RECORD)) {
        return GUARDRAIL_NO_LIMIT;
    }

    size = offset - s->start;

    return (size < s->limits.max_record_size)
           ? s->limits.max_record_size - size : 0;
}
