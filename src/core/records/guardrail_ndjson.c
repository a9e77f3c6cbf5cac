
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records: the interface.
 */


#include <string.h>

#include "records/guardrail_ndjson_private.h"


typedef const guardrail_ndjson_ops_t *(*guardrail_ndjson_get_pt)(void);


/* the fastest first; the last one is everywhere */

static const guardrail_ndjson_get_pt  guardrail_ndjson_all[] = {
    guardrail_ndjson_avx2,
    guardrail_ndjson_sse2,
    guardrail_ndjson_neon,
    guardrail_ndjson_scalar
};

#define GUARDRAIL_NDJSON_N                                                    \
    (sizeof(guardrail_ndjson_all) / sizeof(guardrail_ndjson_all[0]))


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
    size_t                         n;
    const guardrail_ndjson_ops_t  *ops;

    n = 0;

    do {
        ops = guardrail_ndjson_all[n++]();
    } while (ops == NULL);

    return ops;
}


const guardrail_ndjson_ops_t *
guardrail_ndjson_by_name(const char *name)
{
    size_t                         i, n;
    const guardrail_ndjson_ops_t  *ops;

    for (n = 0; n < GUARDRAIL_NDJSON_N; n++) {
        ops = guardrail_ndjson_all[n]();

        if (ops == NULL) {
            continue;
        }

        for (i = 0; ops->name[i] == name[i]; i++) {

            if (name[i] == '\0') {
                return ops;
            }
        }
    }

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
