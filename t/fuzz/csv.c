
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The CSV scanners against each other: whole and in pieces, under limits.
 *
 * The first bytes of an input: three limits and the size of pieces.
 *
 * fuzz-options: -max_len=1024
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/guardrail_csv.h"


#define HEAD  4


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static size_t run(guardrail_csv_t *s, const char *name,
    const guardrail_csv_limits_t *l, const uint8_t *p, size_t len,
    size_t each);


/* 0 where this machine has no such; else one more than the bytes judged */

static size_t
run(guardrail_csv_t *s, const char *name, const guardrail_csv_limits_t *l,
    const uint8_t *p, size_t len, size_t each)
{
    size_t           done, n, used;
    uint8_t         *copy;
    guardrail_rc_e   rc;

    if (guardrail_csv_by_name(name) == NULL) {
        return 0;
    }

    guardrail_csv_init(s, guardrail_csv_by_name(name), l);

    rc = GUARDRAIL_OK;

    for (done = 0; done < len && rc == GUARDRAIL_OK; done += used) {
        n = (each && each < len - done) ? each : len - done;
        copy = malloc(n);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy, p + done, n);
        rc = guardrail_csv_feed(s, copy, n, &used);
        free(copy);

        if (used > n || (rc == GUARDRAIL_OK && used != n)) {
            abort();
        }
    }

    if (rc == GUARDRAIL_OK) {
        rc = guardrail_csv_finish(s);
    }

    if (guardrail_csv_finish(s) != rc) {
        abort();
    }

    return done + 1;
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    size_t                  i, j, expected, done, each;
    guardrail_csv_t         a, b;
    guardrail_csv_limits_t  l;

    static const char  *names[] = { "scalar", "sse2", "avx2", "neon" };

    if (size < HEAD) {
        return 0;
    }

    l.max_records = p[0] ? p[0] - 1u : GUARDRAIL_NO_LIMIT;
    l.max_lines = p[1] ? p[1] - 1u : GUARDRAIL_NO_LIMIT;
    l.max_record_size = p[2] ? p[2] - 1u : GUARDRAIL_NO_LIMIT;
    each = p[3];

    expected = run(&a, "scalar", &l, p + HEAD, size - HEAD, 0);

    for (i = 0; i < 4; i++) {
        for (j = 0; j < 2; j++) {
            done = run(&b, names[i], &l, p + HEAD, size - HEAD,
                       j ? each : 0);

            if (done && (done != expected || a.rc != b.rc
                         || a.records != b.records || a.lines != b.lines
                         || a.largest != b.largest || a.size != b.size
                         || a.flags != b.flags))
            {
                fprintf(stderr, "%s in pieces of %zu: rc %d %d, at %zu %zu\n",
                        names[i], j ? each : 0, a.rc, b.rc, expected, done);
                abort();
            }
        }
    }

    return 0;
}
