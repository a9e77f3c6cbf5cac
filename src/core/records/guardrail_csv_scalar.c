
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows, byte by byte: what all other implementations are compared to.
 */


#include "records/guardrail_csv_private.h"


static uint32_t guardrail_csv_where(uint32_t flags, uint8_t c);


const guardrail_csv_ops_t *
guardrail_csv_scalar(void)
{
    static const guardrail_csv_ops_t  ops = {
        "scalar",
        guardrail_csv_scan_scalar
    };

    return &ops;
}


size_t
guardrail_csv_scan_scalar(guardrail_csv_t *s, const uint8_t *p, size_t len)
{
    size_t    i;
    uint8_t   c;
    unsigned  end, crlf, white;
    uint64_t  size;
    uint32_t  flags;

    size = s->size;
    flags = s->flags;

    for (i = 0; i < len && s->rc == GUARDRAIL_OK; i++) {
        c = p[i];

        end = (c == '\n' || c == '\r');
        crlf = (c == '\n' && (flags & GUARDRAIL_CSV_CR));
        white = (end || c == ' ' || c == '\t');

        flags &= ~(uint32_t) GUARDRAIL_CSV_CR;

        if (c == '\r') {
            flags |= GUARDRAIL_CSV_CR;
        }

        /* a LF behind a CR is of that line, and of no row but in quotes */

        if (end) {
            s->lines += !crlf;
            flags &= ~(uint32_t) GUARDRAIL_CSV_HELD;

        } else {
            flags |= GUARDRAIL_CSV_HELD;
        }

        if (end && !(flags & GUARDRAIL_CSV_QUOTED)) {

            if (!crlf) {

                if (!(flags & GUARDRAIL_CSV_COUNTED)) {
                    s->records++;
                }

                if (size > s->largest) {
                    s->largest = size;
                }

                size = 0;
                flags &= GUARDRAIL_CSV_CR;
            }

        } else {
            size++;

            if (!white && !(flags & GUARDRAIL_CSV_COUNTED)) {
                s->records++;
                flags |= GUARDRAIL_CSV_COUNTED;
            }

            flags = guardrail_csv_where(flags, c);
        }

        if (s->records > s->limits.max_records
            || s->lines > s->limits.max_lines)
        {
            s->rc = GUARDRAIL_MAX_RECORDS;

        } else if (size > s->limits.max_record_size) {
            s->rc = GUARDRAIL_MAX_RECORD_SIZE;
        }
    }

    if (size > s->largest) {
        s->largest = size;
    }

    s->size = size;
    s->flags = flags;

    return i;
}


/* where a byte of a row that is not its end leads to */

static uint32_t
guardrail_csv_where(uint32_t flags, uint8_t c)
{
    uint32_t  rest;

    rest = flags & ~(uint32_t) (GUARDRAIL_CSV_FIELD|GUARDRAIL_CSV_QUOTED);

    if (flags & GUARDRAIL_CSV_QUOTED) {
        return (c == '"') ? rest : flags;
    }

    if (c == ',') {
        return rest;
    }

    if (c == '"' && !(flags & GUARDRAIL_CSV_FIELD)) {
        return rest | GUARDRAIL_CSV_QUOTED;
    }

    return rest | GUARDRAIL_CSV_FIELD;
}
