
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records: the interface, and the scanner that judges byte by byte.
 * It defines what all the others do, and they leave to it the bytes among
 * which a limit may be exceeded.
 */


#include <string.h>

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


static const guardrail_ndjson_ops_t  guardrail_ndjson_scalar = {
    "scalar",
    guardrail_ndjson_scan_scalar
};


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


uint64_t
guardrail_ndjson_max_lines(uint64_t max_records)
{
    if (max_records == GUARDRAIL_NO_LIMIT) {
        return GUARDRAIL_NO_LIMIT;
    }

    return guardrail_add_sat(guardrail_mul_sat(max_records, 16), 1024);
}


const guardrail_ndjson_ops_t *
guardrail_ndjson_select(void)
{
    const guardrail_ndjson_ops_t  *ops;

    ops = guardrail_ndjson_simd(0);

    return ops ? ops : &guardrail_ndjson_scalar;
}


const guardrail_ndjson_ops_t *
guardrail_ndjson_by_name(const char *name)
{
    size_t                         i;
    unsigned                       n;
    const guardrail_ndjson_ops_t  *ops;

    n = 0;

    do {
        ops = guardrail_ndjson_simd(n++);

        if (ops == NULL) {
            ops = &guardrail_ndjson_scalar;
        }

        for (i = 0; ops->name[i] == name[i]; i++) {

            if (name[i] == '\0') {
                return ops;
            }
        }

    } while (ops != &guardrail_ndjson_scalar);

    return NULL;
}


const char *
guardrail_ndjson_name(const guardrail_ndjson_ops_t *ops)
{
    return ops->name;
}


void
guardrail_ndjson_init(guardrail_ndjson_t *s, const guardrail_ndjson_ops_t *ops,
    const guardrail_ndjson_limits_t *limits)
{
    memset(s, 0, sizeof(guardrail_ndjson_t));

    s->ops = ops;
    s->limits = *limits;
    s->rc = GUARDRAIL_OK;
}


guardrail_rc_e
guardrail_ndjson_feed(guardrail_ndjson_t *s, const uint8_t *p, size_t len,
    size_t *used)
{
    *used = 0;

    if (s->rc == GUARDRAIL_OK && len) {
        *used = s->ops->scan(s, p, len);
    }

    return s->rc;
}


guardrail_rc_e
guardrail_ndjson_finish(guardrail_ndjson_t *s)
{
    if (s->rc != GUARDRAIL_OK) {
        return s->rc;
    }

    if (s->flags & GUARDRAIL_NDJSON_CR) {

        /* no LF follows: the CR is a line's end and a byte of the record */

        s->size++;
    }

    if (s->flags & (GUARDRAIL_NDJSON_CR|GUARDRAIL_NDJSON_HELD)) {
        s->lines++;

        if (s->lines > s->limits.max_lines) {
            s->rc = GUARDRAIL_MAX_RECORDS;
        }
    }

    if (s->flags & GUARDRAIL_NDJSON_CONTENT) {

        if (s->size > s->largest) {
            s->largest = s->size;
        }

        if (s->size > s->limits.max_record_size && s->rc == GUARDRAIL_OK) {
            s->rc = GUARDRAIL_MAX_RECORD_SIZE;
        }
    }

    /* to finish twice changes nothing */

    s->flags &= ~(uint32_t) (GUARDRAIL_NDJSON_CR|GUARDRAIL_NDJSON_HELD);

    return s->rc;
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
