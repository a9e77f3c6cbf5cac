
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What containers and numbers cost CPython 3.11.
 */


#include "json/guardrail_json_memory_object.h"


/* flags of a number */

#define GUARDRAIL_JSON_MEMORY_FLOAT     0x01
#define GUARDRAIL_JSON_MEMORY_NEGATIVE  0x02


void
guardrail_json_memory_init(guardrail_json_memory_t *m,
    guardrail_json_memory_mode_e mode)
{
    /* the rest is read only after it was written */

    memset(m, 0, offsetof(guardrail_json_memory_t, kinds));

    m->mode = mode;
    m->before.peak = 1;

    if (mode == GUARDRAIL_JSON_MEMORY_BODY) {
        m->kept = GUARDRAIL_PY_LIST;
    }

    guardrail_json_memory_reset(m);
}


void
guardrail_json_memory_open(guardrail_json_memory_t *m, unsigned object)
{
    guardrail_json_memory_push(m, object);
}


void
guardrail_json_memory_close(guardrail_json_memory_t *m)
{
    if (m->depth) {
        m->depth--;
        guardrail_json_memory_put(m);
    }
}


void
guardrail_json_memory_value(guardrail_json_memory_t *m)
{
    guardrail_json_memory_put(m);
}


/*
 * For a dict each member is a new one here; if a key came twice, the dict is
 * smaller than that and grows later, when more is alive: the table that it
 * had may always be there still.
 *
 * A container that has more than fit into 32 bits goes on to grow as one of
 * that size.
 */

void
guardrail_json_memory_grow(guardrail_json_memory_t *m, uint32_t depth)
{
    uint64_t                            size, growth;
    guardrail_json_memory_container_t  *c;

    c = &m->stack[depth];

    if (m->kinds[depth / 64] >> depth % 64 & 1) {
        size = guardrail_json_memory_table(m, c->used);
        growth = guardrail_py_table(guardrail_py_table_log(size));

    } else {
        size = guardrail_json_memory_list(c->used);
        m->live += (size - c->used) * 8;

        /* by an eighth and some, eight bytes each */

        growth = size + 1024;
    }

    if (growth > m->growth) {
        m->growth = growth;
    }

    size -= c->used;
    c->room = size < UINT32_MAX ? (uint32_t) size : UINT32_MAX;
}


/*
 * Of a float only the length counts, and of an int the value only if it has
 * up to 3 digits.
 */

void
guardrail_json_memory_number(guardrail_json_memory_t *m, const uint8_t *p,
    size_t len)
{
    size_t   i;
    uint8_t  digit;

    if (m->length == 0) {
        m->digits = 0;
        m->number = 0;
        m->flags = 0;
    }

    m->length += len;

    for (i = 0; i < len; i++) {
        digit = (uint8_t) (p[i] - '0');

        if (digit <= 9) {
            m->digits++;
            m->number = m->number * 10 + digit;
            continue;
        }

        if (p[i] != '-') {
            m->flags = GUARDRAIL_JSON_MEMORY_FLOAT;
        }

        if (m->flags & GUARDRAIL_JSON_MEMORY_FLOAT) {
            return;
        }

        m->flags = GUARDRAIL_JSON_MEMORY_NEGATIVE;
    }
}


void
guardrail_json_memory_number_end(guardrail_json_memory_t *m)
{
    uint32_t  shared;
    uint64_t  bytes;

    if (m->length == 0) {
        return;
    }

    /* ints from -5 to 256 are shared objects */

    shared = (m->flags & GUARDRAIL_JSON_MEMORY_NEGATIVE) ? 5 : 256;

    if (m->flags & GUARDRAIL_JSON_MEMORY_FLOAT) {
        bytes = GUARDRAIL_PY_FLOAT;

    } else if (m->digits <= 3 && m->number <= shared) {
        bytes = 0;

    } else {
        bytes = guardrail_py_int(m->digits);
    }

    guardrail_json_memory_scalar(m, bytes, m->length);

    m->length = 0;
}


void
guardrail_json_memory_literal(guardrail_json_memory_t *m)
{
    guardrail_json_memory_value(m);
}


void
guardrail_json_memory_other(guardrail_json_memory_t *m, const uint8_t *p,
    size_t len)
{
    uint8_t         width;
    const uint8_t  *end;

    width = GUARDRAIL_PY_ASCII;
    end = p + len;

    while (p < end) {
        p = guardrail_json_memory_scan(&m->text, p, end, &width) + 1;
    }
}


/* it is decoded in no copy, and is no character of the text */

void
guardrail_json_memory_bom(guardrail_json_memory_t *m)
{
    m->text.more += 3;
}
