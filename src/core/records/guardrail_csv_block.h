
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows, 64 bytes at a time: one scanner, included once for each
 * instruction set, in a file that defines before
 *
 *     CSV_TARGET      the attributes of its functions
 *     CSV_INLINE      and of those that are inlined
 *     CSV_VEC         a type for 64 bytes
 *     CSV_LOAD(p)     these bytes
 *     CSV_EQ(v, c)    mask of the bytes that are c
 *     CSV_ONES(m)     the number of bits
 *     CSV_LEAVE()     before code of the baseline runs
 *
 * In a mask the lowest bit is the first byte.
 *
 * Quotes are taken in pairs, and what is between them as quoted.  So they are
 * read if each that opens stands at the start of a field, or right behind one
 * that closes, which makes the two a character.  A block with any other, or
 * in which a limit would be exceeded, is left to the scalar scanner.
 */


#include "records/guardrail_csv_private.h"


/* the state between blocks; what is a flag elsewhere is 0 or 1 here */

typedef struct {
    uint64_t  records;
    uint64_t  lines;
    uint64_t  largest;
    uint64_t  size;

    uint64_t  quoted;                   /* 0, or all bits */
    uint64_t  start;                    /* a quote may open here */
    uint64_t  counted;
    uint64_t  cr;
    uint64_t  held;
} guardrail_csv_fast_t;


CSV_INLINE void
guardrail_csv_begin(guardrail_csv_fast_t *f, const guardrail_csv_t *s)
{
    f->records = s->records;
    f->lines = s->lines;
    f->largest = s->largest;
    f->size = s->size;

    f->quoted = (s->flags & GUARDRAIL_CSV_QUOTED) ? UINT64_MAX : 0;
    f->start = (s->flags & (GUARDRAIL_CSV_QUOTED|GUARDRAIL_CSV_FIELD)) == 0;
    f->counted = (s->flags & GUARDRAIL_CSV_COUNTED) != 0;
    f->cr = (s->flags & GUARDRAIL_CSV_CR) != 0;
    f->held = (s->flags & GUARDRAIL_CSV_HELD) != 0;
}


CSV_INLINE void
guardrail_csv_end(const guardrail_csv_fast_t *f, guardrail_csv_t *s)
{
    s->records = f->records;
    s->lines = f->lines;
    s->largest = (f->size > f->largest) ? f->size : f->largest;
    s->size = f->size;

    s->flags = (f->quoted ? GUARDRAIL_CSV_QUOTED
                : f->start ? 0 : GUARDRAIL_CSV_FIELD)
               | (f->counted ? GUARDRAIL_CSV_COUNTED : 0)
               | (f->cr ? GUARDRAIL_CSV_CR : 0)
               | (f->held ? GUARDRAIL_CSV_HELD : 0);
}


/* each bit becomes the sum of those up to it, modulo 2 */

CSV_INLINE uint64_t
guardrail_csv_parity(uint64_t m)
{
    m ^= m << 1;
    m ^= m << 2;
    m ^= m << 4;
    m ^= m << 8;
    m ^= m << 16;
    m ^= m << 32;

    return m;
}


/*
 * The sizes of the rows in a block: ends are their last bytes, crlf the LF
 * behind them.  Returns 0 if one is larger than allowed.
 */

CSV_INLINE unsigned
guardrail_csv_sizes(uint64_t *size, uint64_t *largest, uint64_t ends,
    uint64_t crlf, uint64_t max)
{
    uint64_t  at, from;

    from = crlf & 1;

    while (ends) {
        at = (uint64_t) __builtin_ctzll(ends);
        *size += at - from;

        if (*size > max) {
            return 0;
        }

        if (*size > *largest) {
            *largest = *size;
        }

        *size = 0;
        from = at + 1 + ((crlf >> at >> 1) & 1);
        ends &= ends - 1;
    }

    *size += 64 - from;

    return *size <= max;
}


/* judges 64 bytes, or, if it cannot tell, changes nothing and returns 0 */

CSV_INLINE unsigned
guardrail_csv_block(guardrail_csv_fast_t *f,
    const guardrail_csv_limits_t *limits, const uint8_t *p)
{
    CSV_VEC   v;
    uint64_t  quotes, quoted, closes, lf, cr, crlf, lines, ends, starts, text;
    uint64_t  tail, size, largest, nlines, records, begun;

    v = CSV_LOAD(p);

    quotes = CSV_EQ(v, '"');
    lf = CSV_EQ(v, '\n');
    cr = CSV_EQ(v, '\r');

    /* from each quote that opens to the byte before the one that closes */

    quoted = guardrail_csv_parity(quotes) ^ f->quoted;
    closes = quotes & ~quoted;

    crlf = lf & ((cr << 1) | f->cr);
    lines = (lf | cr) ^ crlf;
    ends = lines & ~quoted;
    crlf &= ~quoted;

    starts = (CSV_EQ(v, ',') & ~quoted) | ends | crlf | closes;

    if (quotes & quoted & ~((starts << 1) | f->start)) {
        return 0;
    }

    /* a row counts at its first text or where it ends */

    text = ~(CSV_EQ(v, ' ') | CSV_EQ(v, '\t') | lf | cr);

    tail = ends ? ~(UINT64_MAX >> __builtin_clzll(ends)) : UINT64_MAX;
    begun = (text & tail) != 0;

    records = f->records + CSV_ONES(ends) + begun
              - (f->counted & (begun | (ends != 0)));

    if (ends == 0) {
        begun |= f->counted;
    }

    nlines = f->lines + CSV_ONES(lines);

    if (records > limits->max_records || nlines > limits->max_lines) {
        return 0;
    }

    size = f->size;
    largest = f->largest;

    if (!guardrail_csv_sizes(&size, &largest, ends, crlf,
                             limits->max_record_size))
    {
        return 0;
    }

    f->records = records;
    f->lines = nlines;
    f->largest = largest;
    f->size = size;

    f->quoted = (uint64_t) 0 - (quoted >> 63);
    f->start = starts >> 63;
    f->counted = begun;
    f->cr = cr >> 63;
    f->held = ((lf | cr) >> 63) ^ 1;

    return 1;
}


static CSV_TARGET size_t
guardrail_csv_scan(guardrail_csv_t *s, const uint8_t *p, size_t len)
{
    size_t                i, n;
    guardrail_csv_fast_t  f;

    i = 0;

    while (len - i >= 64) {
        guardrail_csv_begin(&f, s);

        while (len - i >= 64 && guardrail_csv_block(&f, &s->limits, p + i)) {
            i += 64;
        }

        guardrail_csv_end(&f, s);

        if (len - i < 64) {
            break;
        }

        CSV_LEAVE();

        n = guardrail_csv_scan_scalar(s, p + i, 64);
        i += n;

        if (s->rc != GUARDRAIL_OK) {
            return i;
        }
    }

    CSV_LEAVE();

    return i + guardrail_csv_scan_scalar(s, p + i, len - i);
}
