
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, 64 bytes at a time: brackets that close each other within
 * a block, all innermost ones at once, a part of guardrail_json_block.h, which
 * says what is defined before.  Besides, where it is used:
 *
 *     JSON_GATHER(m, at)   the bits of m at those of at, side by side
 *     JSON_SCATTER(m, at)  and back
 *
 * The brackets of a block stand side by side in a word, one bit each: an
 * opening one before a closing one is a pair.  Taken out they leave those
 * around them side by side, and so on, as often as they are nested.  What is
 * left then are closing ones, of containers that were open before, and behind
 * these opening ones, of those that stay open.
 */


/* so few brackets are walked over as fast */

#define JSON_WALKED  2


typedef struct {
    uint64_t  left;                     /* brackets that are not in pairs */
    uint64_t  pairs;                    /* from an opening to its closing one */
    uint64_t  within;                   /* the same, without the outer [, { */
    uint64_t  nested;                   /* how deep */

    /* the innermost container that is open, and up to where it was counted */

    uint64_t  level;
    uint64_t  bits;
    uint64_t  count;
    uint64_t  done;
} guardrail_json_pairs_t;


/* 0 if a closing bracket is of the other kind */

JSON_INLINE unsigned
guardrail_json_pair(const guardrail_json_masks_t *m, guardrail_json_pairs_t *r)
{
    uint64_t  opens, closes, objects, pair, at, span;

    r->left = m->opens | m->closes;
    r->pairs = 0;
    r->within = 0;
    r->nested = 0;

    opens = JSON_GATHER(m->opens, r->left);
    closes = JSON_GATHER(m->closes, r->left);
    objects = JSON_GATHER(m->objects, r->left);

    for ( ;; ) {
        pair = opens & (closes >> 1);

        if (pair == 0) {
            return 1;
        }

        if ((objects ^ (objects >> 1)) & pair) {
            return 0;
        }

        pair |= pair << 1;

        at = JSON_SCATTER(pair, r->left);
        span = JSON_PREFIX(at);

        r->pairs |= span | at;
        r->within |= span ^ at;
        r->left ^= at;
        r->nested++;

        opens = JSON_GATHER(opens, ~pair);
        closes = JSON_GATHER(closes, ~pair);
        objects = JSON_GATHER(objects, ~pair);
    }
}


/* how deep it is at the deepest byte of the block */

JSON_INLINE uint64_t
guardrail_json_deepest(const guardrail_json_masks_t *m, uint64_t level)
{
    uint64_t  opens, n, deepest;

    n = JSON_ONES(m->opens | m->closes);
    opens = JSON_GATHER(m->opens, m->opens | m->closes);
    deepest = level;

    while (n--) {
        level += 2 * (opens & 1) - 1;
        deepest = (level > deepest) ? level : deepest;
        opens >>= 1;
    }

    return deepest;
}


/*
 * Of a document: those elements of its array that begin and end within these
 * bytes.  Returns 0 if one of them is a string or a scalar.
 */

JSON_INLINE unsigned
guardrail_json_pairs_records(const guardrail_json_masks_t *m,
    const guardrail_json_pairs_t *r, uint64_t segment, uint64_t *records,
    uint64_t *largest)
{
    uint64_t  begins, spans, first, length;

    if ((m->string | m->ends | m->scalar) & segment & ~r->pairs) {
        return 0;
    }

    begins = m->opens & segment & r->pairs & ~r->within;
    spans = r->pairs & segment;

    *records += JSON_ONES(begins);

    if (*largest >= 64 || !guardrail_json_longer(spans, *largest)) {
        return 1;
    }

    /* what is longer may be two, side by side */

    while (begins) {
        first = (uint64_t) __builtin_ctzll(begins);
        begins &= begins - 1;

        length = 1 + JSON_BELOW(~(r->within >> first >> 1));
        *largest = (length > *largest) ? length : *largest;
    }

    return 1;
}


/*
 * The innermost container holds what is up to that bracket: 0 if that is more
 * than it may.  In what it holds, tokens do not show that are in others.
 */

JSON_INLINE unsigned
guardrail_json_pairs_count(guardrail_json_pairs_t *r,
    const guardrail_json_t *s, const guardrail_json_masks_t *m, uint64_t upto)
{
    uint64_t  members;

    members = m->tokens & ~r->within & upto & ~r->done;
    r->done = upto;

    if (r->level == 0) {
        return 1;
    }

    if (r->bits & 1) {
        members &= ~m->values;
    }

    r->count += JSON_ONES(members);

    return r->count <= ((r->bits & 1) ? s->limits.keys : s->limits.items);
}


/*
 * The same as guardrail_json_walk() where nothing can be exceeded and brackets
 * are what they should be.  Returns 1 if all of the block was judged; 0, with
 * nothing changed, if the walk has to look at it.
 */

JSON_INLINE unsigned
guardrail_json_walk_pairs(guardrail_json_fast_t *f, guardrail_json_t *s,
    const guardrail_json_masks_t *m, guardrail_json_walk_e walk,
    uint64_t levels)
{
    uint64_t                closing, opening, closed, bit, level, deepest;
    uint64_t                segment, tokens, lf, records, largest, size;
    unsigned                counted, lines;
    guardrail_json_pairs_t  r;

    lines = (walk < json_walk_text);
    counted = (walk == json_walk_lines_counted
               || walk == json_walk_text_counted);

    tokens = f->tokens + JSON_ONES(m->tokens);

    if (f->level >= 64 || tokens > s->limits.tokens || tokens < f->tokens
        || !guardrail_json_pair(m, &r))
    {
        return 0;
    }

    closing = r.left & m->closes;
    opening = r.left & m->opens;

    level = f->level - JSON_ONES(closing);

    if (level > f->level || level + JSON_ONES(opening) >= 64
        || (!lines && (level < f->base || level == 0)))
    {
        return 0;
    }

    /* how deep it is at most, or, if that is deeper than ever, how deep */

    deepest = level + JSON_ONES(opening);
    deepest = r.nested + (deepest > f->level ? deepest : f->level);

    if (deepest > f->deepest || deepest > levels) {
        deepest = guardrail_json_deepest(m, f->level);

        if (deepest > levels) {
            return 0;
        }
    }

    /* what is between the two: not in a container that was left open */

    segment = (opening & (0 - opening)) - 1;

    if (closing) {
        segment &= ~(UINT64_MAX >> JSON_ABOVE(closing));
    }

    lf = 0;
    records = f->records;
    largest = f->largest;

    if (lines) {
        lf = m->lf;

        if (lf & (level ? UINT64_MAX : ~segment | r.pairs)) {
            return 0;
        }

    } else if (level == f->base) {

        if (f->level == level && f->record) {
            return 0;
        }

        if (!guardrail_json_pairs_records(m, &r, segment, &records, &largest))
        {
            return 0;
        }

        if (closing) {
            size = f->offset + 64 - JSON_ABOVE(closing) - f->start;
            largest = (size > largest) ? size : largest;
        }

        records += (opening != 0);

        if (records > s->limits.max_records) {
            return 0;
        }
    }

    r.level = f->level;
    r.bits = f->bits;
    r.count = f->count;
    r.done = 0;

    for (closed = closing; closed; closed &= closed - 1) {
        bit = closed & (0 - closed);

        if ((r.bits & 1) != ((m->objects & bit) != 0)) {
            return 0;
        }

        if (counted && !guardrail_json_pairs_count(&r, s, m, bit | (bit - 1)))
        {
            return 0;
        }

        r.level--;
        r.bits >>= 1;

        if (counted) {
            r.count = r.level ? s->counts[r.level - 1] : 0;
        }
    }

    bit = opening & (0 - opening);

    if (counted && !guardrail_json_pairs_count(&r, s, m, bit | (bit - 1))) {
        return 0;
    }

    /* from here on it is known to be good */

    if (!lines && level == f->base) {
        f->record = (opening != 0);
        f->start = opening ? f->offset + JSON_BELOW(opening) : f->start;
    }

    while (opening) {
        bit = opening & (0 - opening);
        opening &= opening - 1;

        if (counted && r.level) {
            s->counts[r.level - 1] = (r.count < UINT32_MAX)
                                     ? (uint32_t) r.count : UINT32_MAX;
        }

        r.bits = (r.bits << 1) | ((m->objects & bit) != 0);
        r.level++;
        r.count = 0;

        if (counted) {
            bit = opening & (0 - opening);

            (void) guardrail_json_pairs_count(&r, s, m, bit | (bit - 1));
        }
    }

    f->level = r.level;
    f->bits = r.bits;
    f->count = r.count;
    f->deepest = (deepest > f->deepest) ? deepest : f->deepest;
    f->records = records;
    f->largest = largest;
    f->tokens = tokens;

    if (lf) {
        f->tokens = JSON_ABOVE(lf)
                    ? JSON_ONES(m->tokens & ~(UINT64_MAX >> JSON_ABOVE(lf)))
                    : 0;
    }

    return 1;
}
