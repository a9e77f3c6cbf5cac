
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows: the interface.
 */


#include <string.h>

#include "records/guardrail_csv_private.h"


typedef const guardrail_csv_ops_t *(*guardrail_csv_get_pt)(void);


/* the fastest first; the last one is everywhere */

static const guardrail_csv_get_pt  guardrail_csv_all[] = {
    guardrail_csv_avx2,
    guardrail_csv_sse2,
    guardrail_csv_neon,
    guardrail_csv_scalar
};

#define GUARDRAIL_CSV_N                                                       \
    (sizeof(guardrail_csv_all) / sizeof(guardrail_csv_all[0]))


const guardrail_csv_ops_t *
guardrail_csv_select(void)
{
    size_t                      n;
    const guardrail_csv_ops_t  *ops;

    n = 0;

    do {
        ops = guardrail_csv_all[n++]();
    } while (ops == NULL);

    return ops;
}


const guardrail_csv_ops_t *
guardrail_csv_by_name(const char *name)
{
    size_t                      i, n;
    const guardrail_csv_ops_t  *ops;

    for (n = 0; n < GUARDRAIL_CSV_N; n++) {
        ops = guardrail_csv_all[n]();

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
guardrail_csv_name(const guardrail_csv_ops_t *ops)
{
    return ops->name;
}


void
guardrail_csv_init(guardrail_csv_t *s, const guardrail_csv_ops_t *ops,
    const guardrail_csv_limits_t *limits)
{
    memset(s, 0, sizeof(guardrail_csv_t));

    s->ops = ops;
    s->limits = *limits;
    s->rc = GUARDRAIL_OK;
}


guardrail_rc_e
guardrail_csv_feed(guardrail_csv_t *s, const uint8_t *p, size_t len,
    size_t *used)
{
    *used = 0;

    if (s->rc == GUARDRAIL_OK && len) {
        *used = s->ops->scan(s, p, len);
    }

    return s->rc;
}


guardrail_rc_e
guardrail_csv_finish(guardrail_csv_t *s)
{
    if (s->rc != GUARDRAIL_OK) {
        return s->rc;
    }

    /* a row of white space alone is one, too; quotes may still be open */

    if (s->size && !(s->flags & GUARDRAIL_CSV_COUNTED)) {
        s->records++;
    }

    if (s->flags & GUARDRAIL_CSV_HELD) {
        s->lines++;
    }

    if (s->records > s->limits.max_records
        || s->lines > s->limits.max_lines)
    {
        s->rc = GUARDRAIL_MAX_RECORDS;
    }

    /* to finish twice changes nothing */

    s->flags |= GUARDRAIL_CSV_COUNTED;
    s->flags &= ~(uint32_t) GUARDRAIL_CSV_HELD;

    return s->rc;
}
