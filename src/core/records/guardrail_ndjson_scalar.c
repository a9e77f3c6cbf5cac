
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, byte by byte.  This scanner defines what all the others
 * do, and they leave to it the bytes among which a limit may be exceeded.
 */


#include "records/guardrail_ndjson_private.h"


/* the order matters: the first two are most of a record */

typedef enum {
    ngj_plain = 0,
    ngj_blank,                          /* space, tab */
    ngj_utf16,                          /* NUL, FE, FF */
    ngj_sequence,                       /* of NEL, U+2028 and U+2029 */
    ngj_end,                            /* VT, FF, FS, GS, RS */
    ngj_cr,
    ngj_lf
} guardrail_ndjson_class_e;


#define GUARDRAIL_NDJSON_WITHIN                                               \
    (GUARDRAIL_NDJSON_CONTENT|GUARDRAIL_NDJSON_COUNTED|GUARDRAIL_NDJSON_HELD)


static size_t guardrail_ndjson_skip(const guardrail_ndjson_t *s,
    const uint8_t *p, size_t i, size_t len, uint64_t *size);
static uint32_t guardrail_ndjson_utf16(uint8_t c, uint32_t seen,
    uint64_t size, unsigned *utf16);
static uint32_t guardrail_ndjson_sequence(uint8_t c, uint32_t seen,
    unsigned *ended);


static const uint8_t  guardrail_ndjson_classes[256] = {
    [0x00] = ngj_utf16,
    [0x09] = ngj_blank,
    [0x0a] = ngj_lf,
    [0x0b] = ngj_end,
    [0x0c] = ngj_end,
    [0x0d] = ngj_cr,
    [0x1c] = ngj_end,
    [0x1d] = ngj_end,
    [0x1e] = ngj_end,
    [0x20] = ngj_blank,
    [0x80] = ngj_sequence,
    [0x85] = ngj_sequence,
    [0xa8] = ngj_sequence,
    [0xa9] = ngj_sequence,
    [0xc2] = ngj_sequence,
    [0xe2] = ngj_sequence,
    [0xfe] = ngj_utf16,
    [0xff] = ngj_utf16
};


const guardrail_ndjson_ops_t *
guardrail_ndjson_scalar(void)
{
    static const guardrail_ndjson_ops_t  ops = {
        "scalar",
        guardrail_ndjson_scan_scalar
    };

    return &ops;
}


size_t
guardrail_ndjson_scan_scalar(guardrail_ndjson_t *s, const uint8_t *p,
    size_t len)
{
    size_t                    i;
    uint8_t                   c;
    uint32_t                  flags, seen;
    unsigned                  record, line, ended, utf16;
    uint64_t                  size;
    guardrail_ndjson_class_e  class;

    size = s->size;
    flags = s->flags;

    for (i = 0; i < len; i++) {

        if (flags == GUARDRAIL_NDJSON_WITHIN) {
            i = guardrail_ndjson_skip(s, p, i, len, &size);

            if (i == len) {
                break;
            }
        }

        c = p[i];
        class = guardrail_ndjson_classes[c];

        seen = flags;
        flags &= GUARDRAIL_NDJSON_CONTENT|GUARDRAIL_NDJSON_COUNTED;

        record = 0;
        line = 0;
        ended = 0;
        utf16 = 0;

        if ((seen & GUARDRAIL_NDJSON_CR) && class != ngj_lf) {
            s->lines++;
            line = 1;
            size++;
        }

        /* size is now the number of bytes before this one in its line, too */

        switch (class) {

        case ngj_lf:
            flags &= ~(uint32_t) GUARDRAIL_NDJSON_COUNTED;
            s->lines++;
            line = 1;
            break;

        case ngj_cr:
            flags &= ~(uint32_t) GUARDRAIL_NDJSON_COUNTED;
            flags |= GUARDRAIL_NDJSON_CR;
            break;

        case ngj_end:
            flags &= ~(uint32_t) GUARDRAIL_NDJSON_COUNTED;
            flags |= GUARDRAIL_NDJSON_CONTENT;
            s->lines++;
            line = 1;
            size++;
            break;

        case ngj_blank:
            flags |= GUARDRAIL_NDJSON_HELD;
            size++;
            break;

        case ngj_utf16:
            flags |= guardrail_ndjson_utf16(c, seen, size, &utf16);
            break;

        case ngj_sequence:
            flags |= guardrail_ndjson_sequence(c, seen, &ended);
            s->lines += ended;
            line |= ended;
            break;

        case ngj_plain:
            flags |= GUARDRAIL_NDJSON_HELD;
            break;
        }

        if (class != ngj_blank && class < ngj_end) {

            if (!(flags & GUARDRAIL_NDJSON_COUNTED)) {
                s->records++;
                record = 1;
            }

            flags |= GUARDRAIL_NDJSON_CONTENT|GUARDRAIL_NDJSON_COUNTED;
            size++;
        }

        if ((record && s->records > s->limits.max_records)
            || (line && s->lines > s->limits.max_lines))
        {
            s->rc = GUARDRAIL_MAX_RECORDS;

        } else if ((flags & GUARDRAIL_NDJSON_CONTENT)
                   && size > s->limits.max_record_size)
        {
            s->rc = GUARDRAIL_MAX_RECORD_SIZE;

        } else if (utf16 && s->limits.refuse_utf16) {
            s->rc = GUARDRAIL_MALFORMED_JSON;
        }

        if (s->rc != GUARDRAIL_OK) {
            i++;
            break;
        }

        if (class == ngj_lf) {

            if ((flags & GUARDRAIL_NDJSON_CONTENT) && size > s->largest) {
                s->largest = size;
            }

            flags = 0;
            size = 0;
        }
    }

    if ((flags & GUARDRAIL_NDJSON_CONTENT) && size > s->largest) {
        s->largest = size;
    }

    s->size = size;
    s->flags = flags;

    return i;
}


/* the bytes within a record, up to the first that needs a closer look */

static size_t
guardrail_ndjson_skip(const guardrail_ndjson_t *s, const uint8_t *p, size_t i,
    size_t len, uint64_t *size)
{
    size_t    n;
    uint64_t  room;

    if (*size > s->limits.max_record_size) {
        return i;
    }

    room = s->limits.max_record_size - *size;

    if (len - i > room) {
        len = i + (size_t) room;
    }

    for (n = i; n < len; n++) {

        if (guardrail_ndjson_classes[p[n]] > ngj_blank) {
            break;
        }
    }

    *size += n - i;

    return n;
}


/* Python reads as UTF-16 or -32 what starts like this: RFC 4627, section 3 */

static uint32_t
guardrail_ndjson_utf16(uint8_t c, uint32_t seen, uint64_t size,
    unsigned *utf16)
{
    uint32_t  mark;

    mark = 0;

    if (c == 0x00) {
        *utf16 = (size < 2);

    } else if (c == 0xfe) {
        *utf16 = ((seen & GUARDRAIL_NDJSON_FF) != 0);
        mark = GUARDRAIL_NDJSON_FE;

    } else {
        *utf16 = ((seen & GUARDRAIL_NDJSON_FE) != 0);
        mark = GUARDRAIL_NDJSON_FF;
    }

    return GUARDRAIL_NDJSON_HELD | (size == 0 ? mark : 0);
}


/* NEL is C2 85, LINE SEPARATOR E2 80 A8, PARAGRAPH SEPARATOR E2 80 A9 */

static uint32_t
guardrail_ndjson_sequence(uint8_t c, uint32_t seen, unsigned *ended)
{
    switch (c) {

    case 0xc2:
        return GUARDRAIL_NDJSON_HELD|GUARDRAIL_NDJSON_C2;

    case 0xe2:
        return GUARDRAIL_NDJSON_HELD|GUARDRAIL_NDJSON_E2;

    case 0x80:

        if (seen & GUARDRAIL_NDJSON_E2) {
            return GUARDRAIL_NDJSON_HELD|GUARDRAIL_NDJSON_E280;
        }

        break;

    case 0x85:

        if (seen & GUARDRAIL_NDJSON_C2) {
            *ended = 1;
            return 0;
        }

        break;

    default: /* a8, a9 */

        if (seen & GUARDRAIL_NDJSON_E280) {
            *ended = 1;
            return 0;
        }
    }

    return GUARDRAIL_NDJSON_HELD;
}
