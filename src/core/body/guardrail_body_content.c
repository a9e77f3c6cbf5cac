
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What a body holds beside lines: JSON and CSV, and what that costs.
 */


#include "body/guardrail_body_private.h"

#include <string.h>


static unsigned guardrail_body_wants_json(
    const guardrail_body_limits_t *limits);
static unsigned guardrail_body_wants_csv(
    const guardrail_body_limits_t *limits);
static unsigned guardrail_body_wants_memory(
    const guardrail_body_limits_t *limits);
static void guardrail_body_json_limits(guardrail_json_limits_t *j,
    const guardrail_body_limits_t *limits);
static guardrail_json_memory_mode_e guardrail_body_memory_mode(
    const guardrail_body_limits_t *limits);
static uint64_t guardrail_body_part(uint64_t n, uint64_t factor);
static unsigned guardrail_body_one_by_one(
    const guardrail_body_limits_t *limits, guardrail_format_e format);
static size_t guardrail_body_aligned(size_t size);


/* CPython's model: JSON costs more than its bytes, all else as much */

uint64_t
guardrail_body_memory_bound(const guardrail_body_limits_t *limits,
    guardrail_format_e format)
{
    uint64_t  factor, whole, rest, n, step;

    if (limits->max_memory == GUARDRAIL_NO_LIMIT
        || guardrail_body_one_by_one(limits, format))
    {
        return GUARDRAIL_NO_LIMIT;
    }

    factor = limits->memory_factor ? limits->memory_factor : 1000;

    /* the largest n for which n * factor / 1000, rounded up, is no more */

    whole = limits->max_memory / factor;
    rest = limits->max_memory % factor;

    n = 0;

    for (step = 512; step; step /= 2) {

        if (n + step < 1000 && guardrail_body_part(n + step, factor) <= rest)
        {
            n += step;
        }
    }

    return guardrail_add_sat(guardrail_mul_sat(whole, 1000), n);
}


/* n * factor / 1000 of an n below 1000: the product itself may not fit */

static uint64_t
guardrail_body_part(uint64_t n, uint64_t factor)
{
    return n * (factor / 1000) + (n * (factor % 1000) + 999) / 1000;
}


/* records that are let go of, by CPython's model: their sum is no matter */

static unsigned
guardrail_body_one_by_one(const guardrail_body_limits_t *limits,
    guardrail_format_e format)
{
    return limits->per_record && limits->memory_factor == 0
           && (format == GUARDRAIL_FORMAT_NDJSON
               || format == GUARDRAIL_FORMAT_JSON_SEQ);
}


static unsigned
guardrail_body_wants_memory(const guardrail_body_limits_t *limits)
{
    return limits->memory_factor == 0
           && (limits->max_memory != GUARDRAIL_NO_LIMIT || limits->estimate);
}


static unsigned
guardrail_body_wants_json(const guardrail_body_limits_t *limits)
{
    switch (limits->format) {

    case GUARDRAIL_FORMAT_JSON:
    case GUARDRAIL_FORMAT_JSON_SEQ:
        return guardrail_body_in_force(limits);

    case GUARDRAIL_FORMAT_NDJSON:
    case GUARDRAIL_FORMAT_SNIFF:
    case GUARDRAIL_FORMAT_SNIFF_CSV:
        return limits->json.shape || guardrail_body_wants_memory(limits);

    default:
        return 0;
    }
}


static unsigned
guardrail_body_wants_csv(const guardrail_body_limits_t *limits)
{
    return limits->format == GUARDRAIL_FORMAT_CSV
           || limits->format == GUARDRAIL_FORMAT_SNIFF_CSV;
}


static void
guardrail_body_json_limits(guardrail_json_limits_t *j,
    const guardrail_body_limits_t *limits)
{
    memset(j, 0, sizeof(guardrail_json_limits_t));

    j->depth = limits->json.depth;
    j->keys = limits->json.keys;
    j->items = limits->json.items;
    j->tokens = limits->json.tokens;
    j->key = limits->json.key;
    j->string = limits->json.string;
    j->number = limits->json.number;
    j->strict = limits->json.strict;
    j->memory = GUARDRAIL_NO_LIMIT;

    if (!limits->json.shape) {
        j->depth = GUARDRAIL_NO_LIMIT;
        j->keys = GUARDRAIL_NO_LIMIT;
        j->items = GUARDRAIL_NO_LIMIT;
        j->tokens = GUARDRAIL_NO_LIMIT;
        j->key = GUARDRAIL_NO_LIMIT;
        j->string = GUARDRAIL_NO_LIMIT;
        j->number = GUARDRAIL_NO_LIMIT;
        j->strict = 0;
    }

    if (guardrail_body_wants_memory(limits)) {

        /* one below none is none to meet, and bounds the depth */

        j->memory = (limits->max_memory != GUARDRAIL_NO_LIMIT)
                    ? limits->max_memory : GUARDRAIL_NO_LIMIT - 1;
    }

    j->max_records = limits->max_records;
    j->max_record_size = limits->max_record_size;
    j->refuse_utf16 = guardrail_body_in_force(limits);

    switch (limits->format) {

    case GUARDRAIL_FORMAT_JSON:
        j->mode = GUARDRAIL_JSON_TEXT;
        break;

    case GUARDRAIL_FORMAT_JSON_SEQ:
        j->mode = GUARDRAIL_JSON_SEQ;
        break;

    case GUARDRAIL_FORMAT_NDJSON:
        j->mode = limits->json.lines ? GUARDRAIL_JSON_LINES
                                     : GUARDRAIL_JSON_LINES_AUTO;
        break;

    default:

        /* nobody said that it was JSON */

        j->mode = GUARDRAIL_JSON_LINES_AUTO;
        j->strict = 0;
    }
}


static guardrail_json_memory_mode_e
guardrail_body_memory_mode(const guardrail_body_limits_t *limits)
{
    if (limits->format == GUARDRAIL_FORMAT_JSON) {
        return GUARDRAIL_JSON_MEMORY_DOCUMENT;
    }

    return limits->per_record ? GUARDRAIL_JSON_MEMORY_RECORD
                              : GUARDRAIL_JSON_MEMORY_BODY;
}


static size_t
guardrail_body_aligned(size_t size)
{
    return (size + 15) & ~(size_t) 15;
}


size_t
guardrail_body_block(const guardrail_body_limits_t *limits)
{
    size_t                   size;
    guardrail_json_limits_t  j;

    size = 0;

    if (guardrail_body_wants_csv(limits)) {
        size += guardrail_body_aligned(sizeof(guardrail_csv_t));
    }

    if (guardrail_body_wants_json(limits)) {
        guardrail_body_json_limits(&j, limits);

        size += guardrail_body_aligned(sizeof(guardrail_json_t));
        size += guardrail_body_aligned(guardrail_json_stack(&j));

        if (guardrail_body_wants_memory(limits)) {
            size += sizeof(guardrail_json_memory_t);
        }
    }

    return size;
}


void
guardrail_body_use(guardrail_body_t *b, const guardrail_body_ops_t *ops,
    void *block)
{
    void                     *stack;
    size_t                    size;
    uint8_t                  *p;
    guardrail_csv_limits_t    c;
    guardrail_json_limits_t   j;
    guardrail_json_memory_t  *m;

    p = block;

    if (guardrail_body_wants_csv(&b->limits)) {
        b->csv = (guardrail_csv_t *) (void *) p;
        p += guardrail_body_aligned(sizeof(guardrail_csv_t));

        c.max_records = b->limits.max_records;
        c.max_lines = b->nd.limits.max_lines;
        c.max_record_size = b->limits.max_record_size;

        guardrail_csv_init(b->csv, ops->csv, &c);
    }

    if (!guardrail_body_wants_json(&b->limits)) {
        return;
    }

    guardrail_body_json_limits(&j, &b->limits);

    b->json = (guardrail_json_t *) (void *) p;
    p += guardrail_body_aligned(sizeof(guardrail_json_t));

    size = guardrail_json_stack(&j);
    stack = size ? p : NULL;
    p += guardrail_body_aligned(size);

    guardrail_json_init(b->json, ops->json, &j, stack);

    if (guardrail_body_wants_memory(&b->limits)) {
        m = (guardrail_json_memory_t *) (void *) p;

        guardrail_json_memory_init(m, guardrail_body_memory_mode(&b->limits));
        guardrail_json_attach(b->json, m);
    }
}


uint64_t
guardrail_body_record_count(const guardrail_body_t *b)
{
    switch (b->format) {

    case GUARDRAIL_FORMAT_JSON:
    case GUARDRAIL_FORMAT_JSON_SEQ:
        return b->json ? b->json->records : 0;

    case GUARDRAIL_FORMAT_CSV:
    case GUARDRAIL_FORMAT_SNIFF_CSV:    /* blank rows so far */
        return b->csv ? b->csv->records : 0;

    case GUARDRAIL_FORMAT_SNIFF:        /* white space, perhaps a BOM */
        return 0;

    default:
        return b->nd.records;
    }
}


uint64_t
guardrail_body_largest_record(const guardrail_body_t *b)
{
    switch (b->format) {

    case GUARDRAIL_FORMAT_JSON:
    case GUARDRAIL_FORMAT_JSON_SEQ:
        return b->json ? b->json->largest : 0;

    case GUARDRAIL_FORMAT_CSV:
    case GUARDRAIL_FORMAT_SNIFF_CSV:
        return b->csv ? b->csv->largest : 0;

    case GUARDRAIL_FORMAT_SNIFF:
        return 0;

    default:
        return b->nd.largest;
    }
}


unsigned
guardrail_body_has_records(const guardrail_body_t *b)
{
    return b->json != NULL
           || (b->format != GUARDRAIL_FORMAT_JSON
               && b->format != GUARDRAIL_FORMAT_JSON_SEQ);
}


unsigned
guardrail_body_has_estimate(const guardrail_body_t *b)
{
    return b->limits.memory_factor
           || (b->json && b->json->memory)
           || b->format == GUARDRAIL_FORMAT_NONE
           || b->format == GUARDRAIL_FORMAT_CSV
           || b->format >= GUARDRAIL_FORMAT_SNIFF;
}


uint64_t
guardrail_body_estimate(const guardrail_body_t *b)
{
    uint64_t  n, factor;

    factor = b->limits.memory_factor;

    if (factor) {
        n = b->decoded;

        return guardrail_add_sat(guardrail_mul_sat(n / 1000, factor),
                                 guardrail_body_part(n % 1000, factor));
    }

    /* while nothing says that it is JSON, it costs what other bodies do */

    if (b->json && b->json->memory && b->format != GUARDRAIL_FORMAT_NONE
        && b->format != GUARDRAIL_FORMAT_CSV
        && b->format < GUARDRAIL_FORMAT_SNIFF)
    {
        n = guardrail_json_estimate(b->json);

        return (n > b->decoded
                || guardrail_body_one_by_one(&b->limits, b->format))
               ? n : b->decoded;
    }

    return b->decoded;
}


guardrail_rc_e
guardrail_body_json(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    guardrail_rc_e  rc;

    if (b->json == NULL) {
        *used = len;
        return GUARDRAIL_OK;
    }

    rc = guardrail_json_feed(b->json, p, len, used);

    return rc == GUARDRAIL_OK ? rc : guardrail_body_json_refused(b, rc);
}


guardrail_rc_e
guardrail_body_json_refused(guardrail_body_t *b, guardrail_rc_e rc)
{
    if (rc == GUARDRAIL_MALFORMED_JSON) {
        b->error = b->json->limits.strict
                   ? "the body is not JSON by the letter of RFC 8259"
                   : "the body is not in UTF-8 but in UTF-16 or UTF-32";

        return guardrail_body_refuse(b, rc, 0, 0);
    }

    return guardrail_body_refuse(b, rc, b->json->limit, b->json->observed);
}


guardrail_rc_e
guardrail_body_csv(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    guardrail_rc_e  rc;

    if (b->csv == NULL) {
        b->error = "its rows cannot be counted here";
        *used = 0;

        return guardrail_body_refuse(b, GUARDRAIL_INTERNAL, 0, 0);
    }

    rc = guardrail_csv_feed(b->csv, p, len, used);

    return rc == GUARDRAIL_OK ? rc : guardrail_body_csv_refused(b, rc);
}


guardrail_rc_e
guardrail_body_csv_refused(guardrail_body_t *b, guardrail_rc_e rc)
{
    guardrail_csv_t  *c;

    c = b->csv;

    if (rc == GUARDRAIL_MAX_RECORD_SIZE) {
        return guardrail_body_refuse(b, rc, c->limits.max_record_size,
                                     c->size);
    }

    if (c->records > c->limits.max_records) {
        return guardrail_body_refuse(b, rc, c->limits.max_records,
                                     c->records);
    }

    b->unit = "lines";

    return guardrail_body_refuse(b, rc, c->limits.max_lines, c->lines);
}
