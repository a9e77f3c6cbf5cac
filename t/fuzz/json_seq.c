
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Records of JSON text sequences: whole and in pieces, under limits.
 *
 * The first bytes of an input: two limits, whether UTF-16 is refused, and
 * the size of pieces.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/guardrail_json_seq.h"


#define HEAD  4


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static size_t run(guardrail_json_seq_t *s,
    const guardrail_json_seq_limits_t *l, const uint8_t *p, size_t len,
    size_t each);


static size_t
run(guardrail_json_seq_t *s, const guardrail_json_seq_limits_t *l,
    const uint8_t *p, size_t len, size_t each)
{
    size_t           done, n, used;
    uint8_t         *copy;
    guardrail_rc_e   rc;

    guardrail_json_seq_init(s, l);

    rc = GUARDRAIL_OK;

    for (done = 0; done < len && rc == GUARDRAIL_OK; done += used) {
        n = (each && each < len - done) ? each : len - done;
        copy = malloc(n);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy, p + done, n);
        rc = guardrail_json_seq_feed(s, copy, n, &used);
        free(copy);

        if (used > n || (rc == GUARDRAIL_OK && used != n)) {
            abort();
        }
    }

    if (rc == GUARDRAIL_OK) {
        rc = guardrail_json_seq_finish(s);
    }

    if (guardrail_json_seq_finish(s) != rc
        || (rc == GUARDRAIL_OK && s->largest > l->max_record_size)
        || (rc == GUARDRAIL_OK && s->records > l->max_records))
    {
        abort();
    }

    return done;
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    size_t                       whole, done, each;
    guardrail_json_seq_t         a, b;
    guardrail_json_seq_limits_t  l;

    if (size < HEAD) {
        return 0;
    }

    l.max_records = p[0] ? p[0] - 1u : GUARDRAIL_NO_LIMIT;
    l.max_record_size = p[1] ? p[1] - 1u : GUARDRAIL_NO_LIMIT;
    l.refuse_utf16 = p[2] & 1;
    each = 1 + p[3] % 80u;

    whole = run(&a, &l, p + HEAD, size - HEAD, 0);
    done = run(&b, &l, p + HEAD, size - HEAD, each);

    if (done != whole || a.rc != b.rc || a.records != b.records
        || a.largest != b.largest)
    {
        fprintf(stderr, "pieces of %zu: rc %d %d, at %zu %zu\n", each, a.rc,
                b.rc, whole, done);
        abort();
    }

    return 0;
}
