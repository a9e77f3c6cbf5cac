
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What json.loads() costs CPython 3.11: containers, numbers, records and the
 * sum of it all.
 */


#include <string.h>

#include "json/guardrail_json_memory_private.h"


/*
 * What a call costs besides: 1300 to 1600 bytes were measured with CPython
 * 3.11.2.
 */

#define GUARDRAIL_PY_CALL  1600

/* flags of a number */

#define GUARDRAIL_JSON_MEMORY_FLOAT     0x01
#define GUARDRAIL_JSON_MEMORY_NEGATIVE  0x02


static void guardrail_json_memory_reset(guardrail_json_memory_t *m);
static uint64_t guardrail_json_memory_grow_list(uint64_t used);
static void guardrail_json_memory_merge(guardrail_json_memory_t *m);
static uint64_t guardrail_json_memory_cost(const guardrail_json_memory_t *m,
    uint64_t size);


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


/* a document begins */

static void
guardrail_json_memory_reset(guardrail_json_memory_t *m)
{
    m->live = 0;
    m->memo = 0;
    m->peak = 0;
    m->keys = 0;
    m->keys_room = 0;
    m->depth = 0;
    m->length = 0;
    m->string.within = 0;

    memset(&m->text, 0, sizeof(guardrail_json_memory_text_t));
    m->text.peak = 1;

    guardrail_json_memory_forget_keys(m);
}


void
guardrail_json_memory_open(guardrail_json_memory_t *m, unsigned object)
{
    uint32_t  depth;
    uint64_t  bit;

    depth = m->depth++;
    m->live += object ? GUARDRAIL_PY_DICT : GUARDRAIL_PY_LIST;

    if (depth >= GUARDRAIL_JSON_MEMORY_DEPTH) {
        return;
    }

    bit = (uint64_t) 1 << depth % 64;

    if (object) {
        m->kinds[depth / 64] |= bit;

    } else {
        m->kinds[depth / 64] &= ~bit;
    }

    m->stack[depth].used = 0;
    m->stack[depth].room = 0;
}


void
guardrail_json_memory_close(guardrail_json_memory_t *m)
{
    if (m->depth == 0) {
        return;
    }

    m->depth--;
    guardrail_json_memory_value(m);
}


/*
 * The innermost container gets one more: for a dict, each member is a new
 * one.  A container that has more than fit into 32 bits goes on to grow as
 * one of that size.
 */

void
guardrail_json_memory_value(guardrail_json_memory_t *m)
{
    uint32_t                            depth;
    uint64_t                            size;
    guardrail_json_memory_container_t  *c;

    depth = m->depth - 1;

    if (depth >= GUARDRAIL_JSON_MEMORY_DEPTH) {
        return;
    }

    c = &m->stack[depth];

    if (c->room == 0) {

        if (m->kinds[depth / 64] >> depth % 64 & 1) {
            size = guardrail_json_memory_table(m, c->used);

        } else {
            size = guardrail_json_memory_grow_list(c->used);
            m->live += (size - c->used) * 8;
        }

        size -= c->used;
        c->room = size < UINT32_MAX ? (uint32_t) size : UINT32_MAX;
    }

    c->room--;
    c->used += (c->used < UINT32_MAX);
}


/* the room of a full list that gets one more, as list_resize() makes it */

static uint64_t
guardrail_json_memory_grow_list(uint64_t used)
{
    used++;

    return (used + (used >> 3) + 6) & ~(uint64_t) 3;
}


void
guardrail_json_memory_number(guardrail_json_memory_t *m, const uint8_t *p,
    size_t len)
{
    size_t   i;
    uint8_t  c;

    if (m->length == 0) {
        m->digits = 0;
        m->number = 0;
        m->flags = 0;
    }

    m->length += len;

    for (i = 0; i < len; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            m->digits++;

            if (m->number < 1000) {
                m->number = m->number * 10 + c - '0';
            }

        } else if (c == '-') {
            m->flags |= GUARDRAIL_JSON_MEMORY_NEGATIVE;

        } else {
            m->flags |= GUARDRAIL_JSON_MEMORY_FLOAT;
        }
    }
}


void
guardrail_json_memory_number_end(guardrail_json_memory_t *m)
{
    uint64_t  bytes;

    /* ints from -5 to 256 are shared objects */

    if (m->flags & GUARDRAIL_JSON_MEMORY_FLOAT) {
        bytes = GUARDRAIL_PY_FLOAT;

    } else if (m->number <= (m->flags & GUARDRAIL_JSON_MEMORY_NEGATIVE ? 5
                                                                       : 256))
    {
        bytes = 0;

    } else {

        /* room for digits of 30 bits: log(10) / log(2^30) for each digit */

        bytes = 24 + 4 * (m->digits * 110731 / 1000000 + 1);
    }

    m->live += bytes;

    /* it is read from a copy */

    guardrail_json_memory_peak(m, GUARDRAIL_PY_BYTES + m->length);

    m->length = 0;
    guardrail_json_memory_value(m);
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


void
guardrail_json_memory_record_end(guardrail_json_memory_t *m, uint64_t size)
{
    uint64_t  cost, kept, room;

    guardrail_json_memory_string_end(m);

    if (m->mode == GUARDRAIL_JSON_MEMORY_DOCUMENT) {
        return;
    }

    cost = guardrail_json_memory_cost(m, size);
    kept = m->live - m->memo;

    if (cost - kept > m->extra) {
        m->extra = cost - kept;
    }

    if (size + cost > m->most && m->mode == GUARDRAIL_JSON_MEMORY_RECORD) {
        m->most = size + cost;
    }

    m->kept += kept;

    if (m->room == m->records) {
        room = guardrail_json_memory_grow_list(m->records);

        if (m->mode == GUARDRAIL_JSON_MEMORY_BODY) {
            m->kept += (room - m->records) * 8;
        }

        m->room = room;
    }

    m->records++;

    guardrail_json_memory_merge(m);
    guardrail_json_memory_reset(m);
}


/* the text of this document comes behind that of those before it */

static void
guardrail_json_memory_merge(guardrail_json_memory_t *m)
{
    guardrail_json_memory_text_t  *t;

    t = &m->before;

    if (m->text.width > t->width) {
        guardrail_json_memory_widen(t, m->text.width);
    }

    if (m->text.peak > t->peak) {
        t->peak = m->text.peak;
    }

    t->more += m->text.more;
    t->copy |= m->text.copy;
    t->ed = m->text.ed;
}


void
guardrail_json_memory_join(guardrail_json_memory_t *m, uint64_t size)
{
    uint64_t  cost, kept;

    if (m->mode == GUARDRAIL_JSON_MEMORY_DOCUMENT) {
        return;
    }

    /* what it was so far, apart from the body's bytes */

    cost = guardrail_json_memory_cost(m, size);
    kept = m->live - m->memo;

    if (m->mode == GUARDRAIL_JSON_MEMORY_BODY) {
        m->extra += kept;
        m->extra = m->kept + (cost > m->extra ? cost : m->extra);

    } else {
        m->extra = cost;
    }

    guardrail_json_memory_merge(m);

    m->mode = GUARDRAIL_JSON_MEMORY_DOCUMENT;
    m->text = m->before;
    m->live += m->kept;
    m->peak += m->kept;
}


/* the peak of json.loads() for the document, of that many bytes */

static uint64_t
guardrail_json_memory_cost(const guardrail_json_memory_t *m, uint64_t size)
{
    uint64_t  chars, decoding, live;

    chars = size > m->text.more ? size - m->text.more : 0;

    decoding = guardrail_mul_sat(size, m->text.peak);

    live = m->live + guardrail_json_memory_partial(&m->string);

    if (m->peak > live) {
        live = m->peak;
    }

    live = guardrail_add_sat(live, guardrail_py_str(chars, m->text.width));

    return guardrail_add_sat(live > decoding ? live : decoding,
                             GUARDRAIL_PY_CALL);
}


uint64_t
guardrail_json_memory_estimate(const guardrail_json_memory_t *m, uint64_t body,
    uint64_t record)
{
    uint64_t  cost, more, partial;

    switch (m->mode) {

    case GUARDRAIL_JSON_MEMORY_BODY:
        partial = guardrail_json_memory_partial(&m->string);

        cost = guardrail_json_memory_cost(m, record);
        more = m->live - m->memo + partial + m->extra;

        cost = guardrail_add_sat(m->kept, cost > more ? cost : more);

        return guardrail_add_sat(body, cost);

    case GUARDRAIL_JSON_MEMORY_RECORD:
        cost = guardrail_json_memory_cost(m, record);
        cost = guardrail_add_sat(record, cost);

        return cost > m->most ? cost : m->most;

    default: /* GUARDRAIL_JSON_MEMORY_DOCUMENT */
        cost = guardrail_json_memory_cost(m, body);
        cost = guardrail_add_sat(body, cost > m->extra ? cost : m->extra);

        return cost > m->most ? cost : m->most;
    }
}
