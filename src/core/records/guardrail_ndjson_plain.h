
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, 64 bytes at a time: the loop over plain text, a part of
 * guardrail_ndjson_block.h, which says what is defined before.
 */


/*
 * Judges blocks as long as they are plain: no byte of NDJSON_ODD, nothing
 * of NDJSON_SEPS, no lone CR, and no line with a size that matters.  Returns
 * how many they were.  The caller has seen to it that there is room for 64
 * records and lines in each of them.
 *
 * No branch depends on where lines end, which a processor cannot foresee.
 */

NDJSON_INLINE size_t
guardrail_ndjson_plain(guardrail_ndjson_fast_t *f,
    const guardrail_ndjson_sizes_t *z, const uint8_t *p, size_t blocks,
    guardrail_ndjson_kind_e kind)
{
    size_t      i;
    uint64_t    lf, cr, white, blank, text, end, same, starts, sum, carry;
    uint64_t    records, lines, run, first, next, start, last, max, threshold;
    NDJSON_VEC  v;

    records = f->records;
    lines = f->lines;
    run = f->run;
    start = f->start;
    last = (kind == ndjson_lf) ? 0 : f->cr;

    max = z->max;
    threshold = z->threshold;

    for (i = 0; i < blocks; i++) {
        v = NDJSON_LOAD(p + i * 64);

        lf = NDJSON_EQ(v, '\n');
        cr = (kind == ndjson_lf) ? 0 : NDJSON_EQ(v, '\r');
        white = NDJSON_WHITE(v, kind);

        if (NDJSON_ODD(v, kind)) {
            break;
        }

        if (kind == ndjson_utf8 && NDJSON_SEPS(p + i * 64)) {
            break;
        }

        if (kind != ndjson_lf && (((cr << 1) | last) & ~lf)) {
            break;
        }

        text = ~white;
        blank = white ^ lf ^ cr;

        /* the size of a line ends at its LF, or at the CR before that */

        end = lf | (cr & (lf >> 1));
        same = (uint64_t) 0 - (lf == 0);

        first = (run + NDJSON_BELOW(end) - (last & lf)) & ~same;
        next = (run & same) + NDJSON_ABOVE(lf);

        if (first > threshold || next > max) {
            break;
        }

        if (threshold < 63 && guardrail_ndjson_runs(z, ~end)) {
            break;
        }

        starts = (lf << 1) | start;
        carry = __builtin_add_overflow(starts, blank, &sum);

        start = (lf >> 63) | carry;
        records += NDJSON_ONES(sum & text);
        lines += NDJSON_ONES(lf);
        run = next;
        last = cr >> 63;
    }

    if (i) {

        /*
         * Within a line by LF there was but one segment, if it began here.  A
         * CR at the end has stopped the sum: no bit says what is before it.
         */

        if (lines != f->lines) {
            f->content = 0;
        }

        f->content |= last ? guardrail_ndjson_text_before(p, i * 64 - 1)
                           : (start == 0);

        f->records = records;
        f->lines = lines;
        f->run = run;
        f->cr = last;
        f->start = start | last;
        f->ended = (run == 0) | last;
        f->partial = 0;

        if (kind == ndjson_utf8) {
            f->partial = guardrail_ndjson_lead(p + i * 64);
        }
    }

    return i;
}
