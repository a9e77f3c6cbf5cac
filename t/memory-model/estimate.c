
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The memory model as a library for t/memory-model/model.py.
 */


#include <stdlib.h>

#include "json_walk.h"


uint64_t estimate(const uint8_t *p, size_t len, unsigned mode);


/* mode is a guardrail_json_memory_mode_e */

uint64_t
estimate(const uint8_t *p, size_t len, unsigned mode)
{
    walk_t                   *w;
    uint64_t                  n;
    guardrail_json_memory_t  *m;

    w = calloc(1, sizeof(walk_t));
    m = malloc(sizeof(guardrail_json_memory_t));

    if (w == NULL || m == NULL) {
        abort();
    }

    n = walk(w, m, (guardrail_json_memory_mode_e) mode, p, len);

    free(m);
    free(w);

    return n;
}
