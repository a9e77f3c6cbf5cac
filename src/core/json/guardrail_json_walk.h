
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
 * Of a document: the strings and scalars of a segment of its array, each of
 * which is a record.  Returns 0 if the scalar scanner has to look at them.
 */

JSON_INLINE unsigned
guardrail_json_walk_items(guardrail_json_fast_t *f, const guardrail_json_t *s,
    const guardrail_json_masks_t *m, uint64_t segment, unsigned size)
{
    uint64_t  bytes, starts, end, last, largest, length;

    bytes = (m->string | m->ends | m->scalar) & segment;
    starts = m->tokens & segment & ~m->opens;
    largest = f->largest;

    /* two of them side by side look like one, over the block's begin, too */

    if (starts & ((bytes << 1) | f->record)) {
        return 0;
    }

    last = ((m->string | m->scalar) & segment) >> (size - 1);

    /* the one that was begun before */

    if (f->record) {
        end = JSON_BELOW(~bytes);

        if (end == size && last) {
            return 1;
        }

        length = f->offset + end - f->start;
        largest = (length > largest) ? length : largest;
    }

    f->record = last;

    if (last) {

        /* and the one that goes on */

        end = 63 - JSON_ABOVE(starts);
        f->start = f->offset + end;
        bytes &= ((uint64_t) 1 << end) - 1;

        if (size - end > s->limits.max_record_size) {
            return 0;
        }
    }

    if (largest < 64 && guardrail_json_longer(bytes, largest)) {

        while (bytes) {
            end = (uint64_t) __builtin_ctzll(bytes);
            length = JSON_BELOW(~(bytes >> end));
            largest = (length > largest) ? length : largest;
            bytes &= bytes + ((uint64_t) 1 << end);
        }
    }

    f->largest = largest;
    f->records += JSON_ONES(starts);

    return largest <= s->limits.max_record_size
           && f->records <= s->limits.max_records;
}


/*
 * Returns a mask of the bytes that were judged: all of the block, or those up
 * to a bracket or a line's end, behind which a limit is exceeded.
 */

JSON_INLINE uint64_t
guardrail_json_walk(guardrail_json_fast_t *f, guardrail_json_t *s,
    const uint8_t *p, const guardrail_json_masks_t *m,
    unsigned size, guardrail_json_walk_e walk, unsigned memory)
{
    uint64_t  events, bit, upto, done, reset, pos, level, bits, count, cnt;
    uint64_t  members, deepest, tokens, tight, records, largest, start;
    uint64_t  record, levels;
    unsigned  counted, lines, object;

    lines = (walk < json_walk_text);
    counted = (walk == json_walk_lines_counted
               || walk == json_walk_text_counted);

    if (!lines && f->record
        && f->offset + 64 - f->start > s->limits.max_record_size)
    {
        return 0;
    }

    levels = s->levels;

    if (memory && levels > GUARDRAIL_JSON_MEMORY_DEPTH) {
        levels = GUARDRAIL_JSON_MEMORY_DEPTH;
    }

#if (JSON_PAIRS)

    if (f->pairs && JSON_ONES(m->opens | m->closes) > JSON_WALKED
        && guardrail_json_walk_pairs(f, s, m, walk, levels))
    {
        return UINT64_MAX;
    }

#endif

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

        records = f->records;
        largest = f->largest;
        start = f->start;
        record = f->record;

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

        if (!lines && level == f->base) {

            if (!guardrail_json_walk_items(f, s, m, upto & ~done, size)) {
                break;
            }

        } else if (!lines && f->offset + JSON_ONES(upto) - f->start
                             > s->limits.max_record_size)
        {
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

            if (level >= levels) {
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

                /* the model, too, has to hear of the first one */

                if (memory
                    && s->memory->mode != GUARDRAIL_JSON_MEMORY_DOCUMENT)
                {
                    break;
                }

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

    if (!lines && done != UINT64_MAX) {

        /* what comes behind was not judged after all */

        f->records = records;
        f->largest = largest;
        f->start = start;
        f->record = record;
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
