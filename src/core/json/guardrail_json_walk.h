
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, 64 bytes at a time: the walk over brackets and lines'
 * ends, a part of guardrail_json_block.h, which says what is defined before.
 */


/*
 * Of a document: a bracket that may open or close a record.  Returns 0, with
 * nothing changed, if the scalar scanner has to look at it.
 */

JSON_INLINE unsigned
guardrail_json_walk_record(guardrail_json_fast_t *f, const guardrail_json_t *s,
    uint64_t level, uint64_t offset, unsigned open)
{
    uint64_t  size;

    if (open) {

        if (level != f->base) {
            return 1;
        }

        if (f->records >= s->limits.max_records
            || s->limits.max_record_size == 0)
        {
            return 0;
        }

        f->records++;
        f->record = 1;
        f->start = offset;

        return 1;
    }

    if (level != f->base + 1) {
        return level > f->base;
    }

    if (f->base == 0) {

        /* what is at the top level is looked at byte by byte */

        return 0;
    }

    size = offset + 1 - f->start;

    if (size > s->limits.max_record_size) {
        return 0;
    }

    f->largest = (size > f->largest) ? size : f->largest;
    f->record = 0;

    return 1;
}


/*
 * Returns a mask of the bytes that were judged: all of them, or those up to
 * a bracket or a line's end, behind which a limit is exceeded.
 */

JSON_INLINE uint64_t
guardrail_json_walk(guardrail_json_fast_t *f, const guardrail_json_t *s,
    const uint8_t *p, const guardrail_json_masks_t *m,
    guardrail_json_walk_e walk)
{
    uint64_t  events, bit, upto, done, reset, pos, level, bits, count, cnt;
    uint64_t  members, deepest, tokens, tight;
    unsigned  counted, lines, object;

    lines = (walk < json_walk_text);
    counted = (walk == json_walk_lines_counted
               || walk == json_walk_text_counted);

    if (!lines && f->record
        && f->offset + 64 - f->start > s->limits.max_record_size)
    {
        return 0;
    }

    level = f->level;
    bits = f->bits;
    count = f->count;
    deepest = f->deepest;

    tokens = JSON_ONES(m->tokens);
    tight = (f->tokens > s->limits.tokens
             || tokens > s->limits.tokens - f->tokens);

    events = m->opens | m->closes | (lines ? m->lf : 0);
    done = 0;
    reset = 0;

    for ( ;; ) {

        /* those in the innermost container, up to this event */

        bit = events & (0 - events);
        upto = bit | (bit - 1);

        if (tight) {
            tokens = JSON_ONES(m->tokens & upto & ~reset)
                     + (reset ? 0 : f->tokens);

            if (tokens > s->limits.tokens) {
                break;
            }
        }

        cnt = 0;

        if (counted && level) {
            members = m->tokens & upto & ~done;

            if (bits & 1) {
                members &= ~m->values;
            }

            cnt = count + JSON_ONES(members);

            if (cnt > ((bits & 1) ? s->limits.keys : s->limits.items)) {
                break;
            }
        }

        if (!lines && level == f->base
            && (m->tokens & upto & ~done & ~m->opens))
        {
            /* a record that is no container */

            break;
        }

        if (events == 0) {
            count = cnt;
            done = UINT64_MAX;
            break;
        }

        pos = (uint64_t) __builtin_ctzll(events);
        object = (p[pos] >> 5) & 1;

        if (bit & m->opens) {

            if (level >= s->levels) {
                break;
            }

            if (!lines
                && !guardrail_json_walk_record(f, s, level, f->offset + pos,
                                               1))
            {
                break;
            }

            if (counted && level) {
                s->counts[level - 1] = (cnt < UINT32_MAX) ? (uint32_t) cnt
                                                          : UINT32_MAX;
            }

            guardrail_json_push_kind(s->words, &bits, level, object);

            level++;
            cnt = 0;
            deepest = (level > deepest) ? level : deepest;

        } else if (lines && (bit & m->lf)) {

            if (f->lines_auto && level) {
                f->continued = 1;

            } else {
                level = 0;
                bits = 0;
                cnt = 0;
                reset = upto;
            }

        } else if (level && (bits & 1) == object) {

            if (!lines
                && !guardrail_json_walk_record(f, s, level, f->offset + pos,
                                               0))
            {
                break;
            }

            level--;
            guardrail_json_pop_kind(s->words, &bits, level);

            if (counted) {
                cnt = level ? s->counts[level - 1] : 0;
            }

        } else if (!lines && level == 0) {
            break;
        }

        count = cnt;
        done = upto;
        events &= events - 1;
    }

    if (done == 0) {
        return 0;
    }

    f->level = level;
    f->bits = bits;
    f->count = count;
    f->deepest = deepest;
    f->tokens = JSON_ONES(m->tokens & done & ~reset)
                + (reset ? 0 : f->tokens);

    return done;
}
