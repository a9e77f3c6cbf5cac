
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The implementations of the JSON scanner that are compared with each other:
 * the scalar one first, NULL for those that do not run here.
 */


#ifndef GUARDRAIL_TEST_JSON_OPS_H
#define GUARDRAIL_TEST_JSON_OPS_H


#include "json/guardrail_json.h"


static void
json_ops(const guardrail_json_ops_t *all[4])
{
    unsigned  k;

    static const char  *names[] = { "scalar", "sse2", "avx2", "neon" };

    for (k = 0; k < 4; k++) {
        all[k] = guardrail_json_by_name(names[k]);
    }
}


#endif /* GUARDRAIL_TEST_JSON_OPS_H */
