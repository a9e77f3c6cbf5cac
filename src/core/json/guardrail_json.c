
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON: the interface.
 */


#include <string.h>

#include "json/guardrail_json_shape.h"


typedef const guardrail_json_ops_t *(*guardrail_json_get_pt)(void);


static uint64_t guardrail_json_depth(const guardrail_json_limits_t *limits);
static unsigned guardrail_json_counted(const guardrail_json_limits_t *limits);
static size_t guardrail_json_words(uint64_t levels);


/* the fastest first; the last one is everywhere */

static const guardrail_json_get_pt  guardrail_json_all[] = {
    guardrail_json_avx2,
    guardrail_json_sse2,
    guardrail_json_neon,
    guardrail_json_scalar
};

#define GUARDRAIL_JSON_N                                                      \
    (sizeof(guardrail_json_all) / sizeof(guardrail_json_all[0]))


const guardrail_json_ops_t *
guardrail_json_select(void)
{
    size_t                       n;
    const guardrail_json_ops_t  *ops;

    n = 0;

    do {
        ops = guardrail_json_all[n++]();
    } while (ops == NULL);

    return ops;
}


const guardrail_json_ops_t *
guardrail_json_by_name(const char *name)
{
    size_t                       i, n;
    const guardrail_json_ops_t  *ops;

    for (n = 0; n < GUARDRAIL_JSON_N; n++) {
        ops = guardrail_json_all[n]();

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
guardrail_json_name(const guardrail_json_ops_t *ops)
{
    return ops->name;
}


/* the limit on depth that is in force */

static uint64_t
guardrail_json_depth(const guardrail_json_limits_t *limits)
{
    uint64_t  depth;

    depth = limits->depth;

    if (limits->strict && depth > GUARDRAIL_JSON_MAX_KINDS) {
        depth = GUARDRAIL_JSON_MAX_KINDS;
    }

    if ((guardrail_json_counted(limits)
         || limits->memory != GUARDRAIL_NO_LIMIT)
        && depth > GUARDRAIL_JSON_MAX_COUNTED)
    {
        depth = GUARDRAIL_JSON_MAX_COUNTED;
    }

    return depth;
}


static unsigned
guardrail_json_counted(const guardrail_json_limits_t *limits)
{
    return limits->keys < UINT32_MAX || limits->items < UINT32_MAX;
}


/* 64-bit words for the kinds of that many containers */

static size_t
guardrail_json_words(uint64_t levels)
{
    if (levels > GUARDRAIL_JSON_MAX_KINDS) {
        levels = GUARDRAIL_JSON_MAX_KINDS;
    }

    return levels ? (size_t) (levels - 1) / 64 : 0;
}


size_t
guardrail_json_stack(const guardrail_json_limits_t *limits)
{
    size_t    words, counts;
    uint64_t  depth;

    depth = guardrail_json_depth(limits);

    words = guardrail_json_words(depth) * (limits->strict ? 2 : 1);
    counts = 0;

    /* of the containers around the innermost, two to a word */

    if (guardrail_json_counted(limits)) {
        counts = (size_t) depth / 2;
    }

    return (words + counts) * sizeof(uint64_t);
}


void
guardrail_json_init(guardrail_json_t *s, const guardrail_json_ops_t *ops,
    const guardrail_json_limits_t *limits, void *stack)
{
    size_t     words;
    uint64_t  *p;

    memset(s, 0, sizeof(guardrail_json_t));

    s->ops = ops;
    s->rc = GUARDRAIL_OK;

    s->limits = *limits;
    s->limits.depth = guardrail_json_depth(limits);
    s->counted = (uint8_t) guardrail_json_counted(limits);

    if (limits->keys >= UINT32_MAX) {
        s->limits.keys = GUARDRAIL_NO_LIMIT;
    }

    if (limits->items >= UINT32_MAX) {
        s->limits.items = GUARDRAIL_NO_LIMIT;
    }

    if (limits->mode >= GUARDRAIL_JSON_LINES) {
        s->limits.max_records = GUARDRAIL_NO_LIMIT;
        s->limits.max_record_size = GUARDRAIL_NO_LIMIT;
        s->limits.refuse_utf16 = 0;
    }

    s->levels = s->limits.depth;

    if (s->levels > GUARDRAIL_JSON_MAX_KINDS) {
        s->levels = GUARDRAIL_JSON_MAX_KINDS;
    }

    p = stack;
    words = guardrail_json_words(s->levels);

    if (words) {
        s->words = p;
        p += words;
    }

    if (limits->strict) {
        guardrail_json_strict_init(&s->strict, limits->mode, words ? p : NULL,
                                   s->levels);

        if (words) {
            p += words;
        }
    }

    if (s->counted && s->limits.depth > 1) {
        s->counts = (uint32_t *) p;
    }

    guardrail_json_reset(s);
}


void
guardrail_json_attach(guardrail_json_t *s, guardrail_json_memory_t *m)
{
    s->memory = m;
}


guardrail_rc_e
guardrail_json_feed(guardrail_json_t *s, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t                  n;
    unsigned                bad;
    guardrail_json_scan_pt  scan;

    *used = 0;

    if (s->rc != GUARDRAIL_OK || len == 0) {
        return s->rc;
    }

    scan = s->ops->scan;

    if (!s->limits.strict) {
        *used = scan(s, p, len);
        return s->rc;
    }

    /*
     * A byte that is malformed is judged by the limits, too: all of them
     * but memory come before that in order.
     */

    bad = 0;
    n = guardrail_json_strict_feed(&s->strict, s->ops, p, len, &bad)
        + bad;

    *used = scan(s, p, n);

    if (bad && *used == n) {
        guardrail_json_exceed(s, GUARDRAIL_MALFORMED_JSON, 0, 0);
    }

    return s->rc;
}


guardrail_rc_e
guardrail_json_finish(guardrail_json_t *s)
{
    if (s->rc != GUARDRAIL_OK) {
        return s->rc;
    }

    guardrail_json_last(s);

    if (s->limits.strict && !guardrail_json_strict_finish(&s->strict)) {
        guardrail_json_exceed(s, GUARDRAIL_MALFORMED_JSON, 0, 0);
    }

    return s->rc;
}


uint64_t
guardrail_json_estimate(const guardrail_json_t *s)
{
    if (s->memory == NULL) {
        return 0;
    }

    return guardrail_json_memory_estimate(s->memory, s->offset,
                                          s->offset - s->line);
}
