
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What json.loads() costs CPython 3.11: the sum of it all, for one document
 * and for records.
 */


#include "json/guardrail_json_memory_object.h"


static inline void guardrail_json_memory_merge(guardrail_json_memory_t *m);
static inline uint64_t guardrail_json_memory_cost(
    const guardrail_json_memory_t *m, uint64_t size);


void
guardrail_json_memory_record_end(guardrail_json_memory_t *m, uint64_t size)
{
    uint64_t  cost, kept, room;

    if (m->string.within) {
        guardrail_json_memory_string_end(m);
    }

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

    /* the memo is cleared; its table, if it is of the smallest, stays */

    if (m->keys_room == GUARDRAIL_PY_SMALLEST
        && m->spare < GUARDRAIL_PY_SPARE)
    {
        m->spare++;
    }

    if (m->room == m->records) {
        room = guardrail_json_memory_list(m->records);

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

static inline void
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
}


void
guardrail_json_memory_join(guardrail_json_memory_t *m, uint64_t size)
{
    uint64_t  cost, kept;

    guardrail_json_memory_string_end(m);

    if (m->mode == GUARDRAIL_JSON_MEMORY_DOCUMENT) {
        return;
    }

    /* what was estimated so far, apart from the body's bytes */

    if (m->mode == GUARDRAIL_JSON_MEMORY_BODY) {
        cost = guardrail_json_memory_cost(m, size);
        kept = m->live - m->memo;

        m->extra += kept;
        m->extra = m->kept + (cost > m->extra ? cost : m->extra);

    } else {
        m->extra = 0;
    }

    guardrail_json_memory_merge(m);

    m->mode = GUARDRAIL_JSON_MEMORY_DOCUMENT;
    m->text = m->before;
    m->live += m->kept;
    m->peak += m->kept;
}


/* the peak of json.loads() for the document, of that many bytes */

static inline uint64_t
guardrail_json_memory_cost(const guardrail_json_memory_t *m, uint64_t size)
{
    uint64_t  chars, decoding, live;

    chars = size > m->text.more ? size - m->text.more : 0;

    decoding = guardrail_mul_sat(size, m->text.peak);

    live = m->live;

    if (m->string.within) {
        live += guardrail_json_memory_partial(&m->string);
    }

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

        /* a key may turn out to be one that the memo has */

        partial = m->string.key
                  ? 0 : guardrail_json_memory_partial(&m->string);

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
