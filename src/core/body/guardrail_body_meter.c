
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The bytes and records of a body, as they are charged to quotas.
 */


#include "body/guardrail_body_private.h"


/*
 * A piece may bring a record with each byte, and a decoder takes a slice or
 * gives a quantum at a time: so much is left when it is charged.
 */

#define GUARDRAIL_BODY_METER_PIECE  (GUARDRAIL_BODY_METER_RECORDS / 2)


static unsigned guardrail_body_is_due(const guardrail_body_t *b);


guardrail_rc_e
guardrail_body_pass(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t          n, part, piece;
    guardrail_rc_e  rc;

    *used = 0;

    piece = (b->meter == NULL) ? len
            : b->meter->records ? GUARDRAIL_BODY_METER_PIECE
            : GUARDRAIL_BODY_QUANTUM;

    while (*used < len) {
        n = (len - *used < piece) ? len - *used : piece;

        /* with the byte that is too much, which others may refuse first */

        if (n > b->memory_bound - b->decoded) {
            n = (size_t) (b->memory_bound - b->decoded) + 1;
        }

        rc = guardrail_body_records(b, p + *used, n, &part);

        *used += part;
        b->decoded += part;

        if (b->codec == NULL && !b->wire_known) {
            b->wire = b->decoded;
        }

        if (rc == GUARDRAIL_OK && b->decoded > b->memory_bound) {
            rc = guardrail_body_refuse(b, GUARDRAIL_MAX_MEMORY,
                                       b->limits.max_memory,
                                       guardrail_body_estimate(b));
        }

        if (rc == GUARDRAIL_OK) {
            rc = guardrail_body_meter(b);
        }

        if (rc != GUARDRAIL_OK) {
            return rc;
        }
    }

    return GUARDRAIL_OK;
}


guardrail_rc_e
guardrail_body_meter(guardrail_body_t *b)
{
    return guardrail_body_is_due(b) ? guardrail_body_charge(b) : GUARDRAIL_OK;
}


static unsigned
guardrail_body_is_due(const guardrail_body_t *b)
{
    uint64_t  records;

    /* fewer than were charged, when blank rows turn out to lead JSON */

    records = guardrail_body_record_count(b);

    return b->meter
           && (b->decoded - b->metered_decoded
               > GUARDRAIL_BODY_METER_BYTES - GUARDRAIL_BODY_QUANTUM
               || b->wire - b->metered_wire
                  > GUARDRAIL_BODY_METER_BYTES - 2 * GUARDRAIL_BODY_SLICE
               || (b->meter->records
                   && records > b->metered_records
                   && records - b->metered_records
                      >= GUARDRAIL_BODY_METER_PIECE));
}


guardrail_rc_e
guardrail_body_charge(guardrail_body_t *b)
{
    uint64_t        records;
    guardrail_rc_e  rc;

    b->metered_wire = b->wire;
    b->metered_decoded = b->decoded;
    records = guardrail_body_record_count(b);

    if (b->metered_records < records) {
        b->metered_records = records;
    }

    rc = b->meter->charge(b->meter->opaque);

    if (rc == GUARDRAIL_OK) {
        return rc;
    }

    b->by_meter = 1;

    return guardrail_body_refuse(b, rc, 0, 0);
}
