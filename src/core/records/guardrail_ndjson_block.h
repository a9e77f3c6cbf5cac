
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, 64 bytes at a time: one scanner, included once for each
 * instruction set, in a file that defines before
 *
 *     NDJSON_TARGET     the attributes of its functions
 *     NDJSON_INLINE     and of those that are inlined
 *     NDJSON_VEC        a type for 64 bytes
 *     NDJSON_LOAD(p)    these bytes
 *     NDJSON_EQ(v, c)   mask of the bytes that are c
 *     NDJSON_WHITE(v, kind)
 *                       of space, tab, LF and, but with ndjson_lf, CR
 *     NDJSON_ODD(v, kind)
 *                       not 0 if there is a byte below space that is not in
 *                       NDJSON_WHITE or, but with ndjson_utf8, above 7F
 *     NDJSON_SEPS(p)    not 0 if there is FE, FF, or the last byte of NEL,
 *                       U+2028 or U+2029; the two bytes before p are read
 *     NDJSON_HIGH(v)    of the bytes above 7F
 *     NDJSON_LEAST      a type for the least of bytes
 *     NDJSON_MOST       no byte yet, of that type
 *     NDJSON_LINES(p, kind, least)
 *                       mask of the LFs in the 64 bytes at p.  Counted in
 *                       *least are each byte but LF, plus one, and the byte
 *                       behind each LF; one byte more is read
 *     NDJSON_UNFIT(least, kind)
 *                       not 0 if the least is not above space: if there was a
 *                       byte below space that is no LF, an LF with a byte
 *                       behind it that is not above space or, with ndjson_lf,
 *                       a byte above 7F, else C2, E2, FE or FF
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


#include "records/guardrail_ndjson_plain.h"
#include "records/guardrail_ndjson_lines.h"


/*
 * Measures the lines that end in a block, one by one.  Returns 0, with
 * nothing changed, if one of them is larger than allowed.
 */

static NDJSON_TARGET __attribute__((noinline)) unsigned
guardrail_ndjson_walk(guardrail_ndjson_sizes_t *z, uint64_t before,
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

        if (content && size > z->max) {
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
        guardrail_ndjson_sizes(z, largest);
    }

    return 1;
}


/*
 * Of a block with bytes above 7F: the last bytes of NEL, U+2028 and U+2029,
 * the last bytes of FE FF and FF FE, and what began at the block's end.
 */

NDJSON_INLINE uint32_t
guardrail_ndjson_sequences(NDJSON_VEC v, unsigned shift, uint32_t partial,
    uint64_t *seps, uint64_t *marks)
{
    uint64_t  c2, e2, e280, fe, ff, last;

    c2 = NDJSON_EQ(v, 0xc2) >> shift;
    e2 = NDJSON_EQ(v, 0xe2) >> shift;
    e280 = 0;

    if (c2 | e2 | partial) {
        e280 = (NDJSON_EQ(v, 0x80) >> shift)
               & ((e2 << 1) | ((partial & GUARDRAIL_NDJSON_E2) != 0));

        *seps = ((NDJSON_EQ(v, 0x85) >> shift)
                 & ((c2 << 1) | ((partial & GUARDRAIL_NDJSON_C2) != 0)))
                | (((NDJSON_EQ(v, 0xa8) | NDJSON_EQ(v, 0xa9)) >> shift)
                   & ((e280 << 1) | ((partial & GUARDRAIL_NDJSON_E280) != 0)));
    }

    fe = NDJSON_EQ(v, 0xfe) >> shift;
    ff = NDJSON_EQ(v, 0xff) >> shift;

    *marks = (((fe << 1) | ((partial & GUARDRAIL_NDJSON_FE) != 0)) & ff)
             | (((ff << 1) | ((partial & GUARDRAIL_NDJSON_FF) != 0)) & fe);

    last = 63 - shift;

    return (uint32_t) ((c2 >> last) * GUARDRAIL_NDJSON_C2
                       | (e2 >> last) * GUARDRAIL_NDJSON_E2
                       | (e280 >> last) * GUARDRAIL_NDJSON_E280
                       | (fe >> last) * GUARDRAIL_NDJSON_FE
                       | (ff >> last) * GUARDRAIL_NDJSON_FF);
}


/*
 * Judges the upper 64 - shift of the 64 bytes at p, or, if it cannot tell,
 * changes nothing and returns 0.
 */

static NDJSON_TARGET __attribute__((noinline)) unsigned
guardrail_ndjson_block(guardrail_ndjson_fast_t *f, guardrail_ndjson_sizes_t *z,
    const guardrail_ndjson_limits_t *limits, const uint8_t *p, unsigned shift)
{
    uint64_t    lf, cr, white, blank, ends, seps, starts, sum, valid, last;
    uint64_t    crlf, lone, text, records, lines, first, run, content, start;
    uint64_t    begins, second, marks;
    uint32_t    partial;
    unsigned    plain;
    NDJSON_VEC  v;

    v = NDJSON_LOAD(p);

    valid = UINT64_MAX >> shift;
    last = 63 - shift;

    lf = NDJSON_EQ(v, '\n') >> shift;
    cr = NDJSON_EQ(v, '\r') >> shift;
    white = NDJSON_WHITE(v, ndjson_crlf) >> shift;

    blank = white ^ lf ^ cr;
    text = ~white & valid;

    plain = 1;
    ends = 0;
    seps = 0;
    partial = 0;

    /* the first and the second byte of the lines */

    begins = (lf << 1) | (f->run == 0);
    second = ((begins & ~lf) << 1) | (f->run == 1);

    if (NDJSON_ODD(v, ndjson_utf8)) {
        plain = 0;

        ends = NDJSON_EQ(v, 0x0b) | NDJSON_EQ(v, 0x0c) | NDJSON_EQ(v, 0x1c)
               | NDJSON_EQ(v, 0x1d) | NDJSON_EQ(v, 0x1e);
        ends >>= shift;

        if (limits->refuse_utf16
            && ((NDJSON_EQ(v, 0x00) >> shift) & (begins | second)))
        {
            return 0;
        }
    }

    if (NDJSON_HIGH(v)) {
        f->kind = ndjson_utf8;

        partial = guardrail_ndjson_sequences(v, shift, f->partial, &seps,
                                             &marks);

        if (limits->refuse_utf16 && (marks & second)) {
            return 0;
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

    /* the line that was begun before, those within, and the one begun here */

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
        || run > z->max
        || (z->threshold < 63 && guardrail_ndjson_runs(z, ~crlf & valid)))
    {
        plain = 0;

        if (content && run - (cr >> last) > z->max) {
            return 0;
        }

        if (!guardrail_ndjson_walk(z, f->run, f->content, lf,
                                   (cr << 1) | f->cr, text))
        {
            return 0;
        }
    }

    f->records = records;
    f->lines = lines;
    f->run = run;
    f->cr = cr >> last;
    f->content = content;
    f->start = start;
    f->ended = (ends | seps) >> last;
    f->partial = partial;

    if (run != 1) {
        f->partial &= ~(uint32_t) (GUARDRAIL_NDJSON_FE|GUARDRAIL_NDJSON_FF);
    }

    f->plain = plain && (lone | seps) == 0;

    if (cr && f->kind == ndjson_lf) {
        f->kind = ndjson_crlf;
    }

    return 1;
}


static NDJSON_TARGET size_t
guardrail_ndjson_scan(guardrail_ndjson_t *s, const uint8_t *p, size_t len)
{
    size_t                    i, n;
    unsigned                  judged;
    const uint8_t            *block;
    guardrail_ndjson_fast_t   f;
    guardrail_ndjson_sizes_t  z;

    if (len < 64) {
        return guardrail_ndjson_scan_scalar(s, p, len);
    }

    guardrail_ndjson_begin(&f, &z, s);

    for (i = 0; i < len; i += n) {

        if (f.plain) {
            n = guardrail_ndjson_room(&f, &s->limits, (len - i) / 64);

            switch (f.kind) {

            case ndjson_lf:
                n = guardrail_ndjson_text_lf(&f, &z, p + i, n, len - i);
                break;

            case ndjson_crlf:
                n = guardrail_ndjson_plain_crlf(&f, &z, p + i, n);
                break;

            default: /* ndjson_utf8, set by a block of this piece */
                n = guardrail_ndjson_text_utf8(&f, &z, p + i, n, len - i);
            }

            i += n * 64;

            if (i == len) {
                break;
            }
        }

        n = 64;
        block = p + i;

        if (len - i < 64) {
            n = len - i;
            block = p + len - 64;
        }

        judged = guardrail_ndjson_block(&f, &z, &s->limits, block,
                                        (unsigned) (64 - n));

        if (!judged) {
            guardrail_ndjson_end(&f, &z, s);
            NDJSON_LEAVE();

            n = guardrail_ndjson_scan_scalar(s, p + i, n);

            if (s->rc != GUARDRAIL_OK) {
                return i + n;
            }

            guardrail_ndjson_begin(&f, &z, s);
        }
    }

    guardrail_ndjson_end(&f, &z, s);
    NDJSON_LEAVE();

    return len;
}
