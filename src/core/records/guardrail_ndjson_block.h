
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, 64 bytes at a time: one scanner, included once for each
 * instruction set, which defines before
 *
 *     NDJSON(name)      the names of its functions
 *     NDJSON_TARGET     their attributes
 *     NDJSON_VEC        a type for 64 bytes
 *     NDJSON_LOAD(p)    these bytes
 *     NDJSON_EQ(v, c)   mask of the bytes that are c
 *     NDJSON_WHITE(v)   of space, tab, LF and CR
 *     NDJSON_ODD(v)     of the bytes below space and above 7F; those of
 *                       NDJSON_WHITE may be in it or not
 *     NDJSON_HIGH(v)    of the bytes above 7F
 *     NDJSON_ONES(m)    the number of bits
 *     NDJSON_BELOW(m)   the number of zeros below the lowest bit, 64 if none
 *     NDJSON_ABOVE(m)   and above the highest
 *     NDJSON_LEAVE()    before code of the baseline runs
 *
 * In a mask the lowest bit is the first byte.
 *
 * A block in which a limit could be exceeded is left to the scalar scanner.
 * That is always right, only slower: what sends a block there may be wider
 * than needed, never narrower.
 */


/*
 * Measures the lines that end in a block, one by one.  Returns 0, with
 * nothing changed, if one of them is larger than allowed.
 */

static NDJSON_TARGET __attribute__((noinline)) unsigned
NDJSON(walk)(guardrail_ndjson_sizes_t *z, uint64_t max, uint64_t before,
    uint64_t content, uint64_t lf, uint64_t cr, uint64_t text)
{
    uint64_t  largest, end, size, from;

    largest = z->largest;
    from = 0;

    while (lf) {
        end = (uint64_t) __builtin_ctzll(lf);

        /* in cr, the bytes behind a CR */

        size = before + end - from - ((cr >> end) & 1);

        /* the text before this end; that of earlier lines was taken away */

        content |= text & (lf ^ (lf - 1));
        text &= ~(lf ^ (lf - 1));

        if (content && size > max) {
            return 0;
        }

        if (content && size > largest) {
            largest = size;
        }

        before = 0;
        content = 0;
        from = end + 1;
        lf &= lf - 1;
    }

    if (largest != z->largest) {
        guardrail_ndjson_sizes(z, largest, max);
    }

    return 1;
}


/*
 * Judges the upper 64 - shift of the 64 bytes at p, or, if it cannot tell,
 * changes nothing and returns 0.
 */

static inline NDJSON_TARGET __attribute__((always_inline)) unsigned
NDJSON(block)(guardrail_ndjson_fast_t *f, guardrail_ndjson_sizes_t *z,
    const guardrail_ndjson_limits_t *limits, const uint8_t *p, unsigned shift)
{
    uint64_t    lf, cr, white, blank, odd, ends, seps, starts, sum, valid;
    uint64_t    crlf, lone, text, records, lines, first, run, content, start;
    uint32_t    sequence;
    NDJSON_VEC  v;

    v = NDJSON_LOAD(p);

    lf = NDJSON_EQ(v, '\n') >> shift;
    cr = NDJSON_EQ(v, '\r') >> shift;
    white = NDJSON_WHITE(v) >> shift;
    odd = (NDJSON_ODD(v) >> shift) & ~white;

    valid = UINT64_MAX >> shift;
    blank = white ^ lf ^ cr;
    text = ~white & valid;

    ends = 0;
    seps = 0;
    sequence = 0;

    if (odd) {
        uint64_t  c2, e2, e280, high, second;

        high = NDJSON_HIGH(v) >> shift;

        /* the first and the second byte of the lines */

        starts = (lf << 1) | (f->run == 0);
        second = ((starts & ~lf) << 1) | (f->run == 1);

        if (odd & ~high) {
            ends = NDJSON_EQ(v, 0x0b) | NDJSON_EQ(v, 0x0c)
                   | NDJSON_EQ(v, 0x1c) | NDJSON_EQ(v, 0x1d)
                   | NDJSON_EQ(v, 0x1e);
            ends >>= shift;

            if (limits->refuse_utf16
                && (NDJSON_EQ(v, 0x00) >> shift) & (starts | second))
            {
                return 0;
            }
        }

        if (high) {
            c2 = NDJSON_EQ(v, 0xc2) >> shift;
            e2 = NDJSON_EQ(v, 0xe2) >> shift;

            e280 = (NDJSON_EQ(v, 0x80) >> shift)
                   & ((e2 << 1)
                      | ((f->sequence & GUARDRAIL_NDJSON_E2) != 0));

            seps = ((NDJSON_EQ(v, 0x85) >> shift)
                    & ((c2 << 1)
                       | ((f->sequence & GUARDRAIL_NDJSON_C2) != 0)))
                   | (((NDJSON_EQ(v, 0xa8) | NDJSON_EQ(v, 0xa9)) >> shift)
                      & ((e280 << 1)
                         | ((f->sequence & GUARDRAIL_NDJSON_E280) != 0)));

            /* of the last byte; one of them at most */

            c2 >>= 63 - shift;
            e2 >>= 63 - shift;
            e280 >>= 63 - shift;

            sequence = (uint32_t) (c2 * GUARDRAIL_NDJSON_C2
                                   + e2 * GUARDRAIL_NDJSON_E2
                                   + e280 * GUARDRAIL_NDJSON_E280);

            if (limits->refuse_utf16
                && ((NDJSON_EQ(v, 0xfe) | NDJSON_EQ(v, 0xff)) >> shift)
                   & second)
            {
                return 0;
            }
        }
    }

    /* a lone CR ends its line at the byte that is behind it */

    lone = ((cr << 1) | f->cr) & ~lf & valid;

    lines = f->lines + NDJSON_ONES(lf | ends | seps) + NDJSON_ONES(lone);

    /*
     * A segment starts behind each end.  The sum carries its start over the
     * blanks that follow, to its first other byte; if that is no end, it is
     * a record.
     */

    ends |= lf | cr;
    starts = (ends << 1) | f->start;

    start = __builtin_add_overflow(starts, blank, &sum);

    if (shift) {
        start = (sum >> (64 - shift)) & 1;

    } else {
        start |= ends >> 63;
    }

    records = f->records + NDJSON_ONES(sum & text & ~ends);

    if (lines > limits->max_lines || records > limits->max_records) {
        return 0;
    }

    /* the sizes: the line that was begun before, then those from here on */

    crlf = lf | (cr & (lf >> 1));

    if (lf) {
        first = f->run + NDJSON_BELOW(crlf) - (f->cr & lf);
        run = NDJSON_ABOVE(lf) - shift;
        content = (text > lf);

    } else {
        first = 0;
        run = f->run + 64 - shift;
        content = f->content | (text != 0);
    }

    if (first > z->threshold
        || run > limits->max_record_size
        || (z->threshold < 63 && guardrail_ndjson_runs(z, ~crlf & valid)))
    {
        if (content
            && run - (cr >> (63 - shift)) > limits->max_record_size)
        {
            return 0;
        }

        if (!NDJSON(walk)(z, limits->max_record_size, f->run, f->content, lf,
                          (cr << 1) | f->cr, text))
        {
            return 0;
        }
    }

    f->records = records;
    f->lines = lines;
    f->run = run;
    f->content = content;
    f->start = start;
    f->sequence = sequence;
    f->cr = cr >> (63 - shift);
    f->ended = (ends | seps) >> (63 - shift);

    return 1;
}


static NDJSON_TARGET size_t
NDJSON(scan)(guardrail_ndjson_t *s, const uint8_t *p, size_t len)
{
    size_t                    i, n, used;
    uint8_t                   tail[64];
    const uint8_t            *block;
    guardrail_ndjson_fast_t   f;
    guardrail_ndjson_sizes_t  z;

    if (len < GUARDRAIL_NDJSON_SHORT) {
        return guardrail_ndjson_scan_scalar(s, p, len);
    }

    i = 0;

    for ( ;; ) {
        guardrail_ndjson_begin(&f, &z, s);

        for (n = 64; len - i >= 64; i += 64) {

            if (!NDJSON(block)(&f, &z, &s->limits, p + i, 0)) {
                goto scalar;
            }
        }

        n = len - i;

        if (n == 0) {
            break;
        }

        block = p + i - (64 - n);

        if (len < 64) {
            memset(tail, ' ', 64);
            memcpy(tail + 64 - n, p, n);
            block = tail;
        }

        if (NDJSON(block)(&f, &z, &s->limits, block, (unsigned) (64 - n))) {
            i = len;
            break;
        }

    scalar:

        guardrail_ndjson_end(&f, &z, s, p, i);
        NDJSON_LEAVE();

        used = guardrail_ndjson_scan_scalar(s, p + i, n);
        i += used;

        if (s->rc != GUARDRAIL_OK || i == len) {
            return i;
        }
    }

    guardrail_ndjson_end(&f, &z, s, p, len);
    NDJSON_LEAVE();

    return len;
}
