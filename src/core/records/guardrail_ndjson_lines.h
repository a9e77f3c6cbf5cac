
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records, 128 bytes at a time: the loop over lines that are nothing
 * but records, a part of guardrail_ndjson_block.h, which says what is defined
 * before.
 */


/* so many blocks are judged by the next loop before this one is tried again */

#define NDJSON_RETRY  64


/*
 * Judges pairs of blocks in which no byte is below space but LF, and none
 * behind an LF is white: each line is a record then.  With ndjson_utf8, C2,
 * E2, FE and FF end the loop, too.
 *
 * A line within a block is not measured, as it is smaller than one that was
 * seen: the caller has made sure that largest is 63 or more.  Also, that max
 * is 128 or more, that there is a byte behind the last pair, and that there
 * is room for 128 records and lines in each of them.
 */

NDJSON_INLINE size_t
guardrail_ndjson_lines(guardrail_ndjson_fast_t *f, guardrail_ndjson_sizes_t *z,
    const uint8_t *p, size_t pairs, guardrail_ndjson_kind_e kind)
{
    size_t        i;
    uint64_t      a, b, run, size, lines, largest, max;
    NDJSON_LEAST  least;

    /* a CR in front of these blocks may have ended a line: it does not see */

    if (f->partial || f->cr || (f->start && *p <= ' ')) {
        return 0;
    }

    run = f->run;
    lines = 0;
    largest = z->largest;
    max = z->max - 128;

    for (i = 0; i < pairs && run <= max; i++) {
        least = NDJSON_MOST;

        a = NDJSON_LINES(p + i * 128, kind, &least);
        b = NDJSON_LINES(p + i * 128 + 64, kind, &least);

        if (NDJSON_UNFIT(least, kind)) {
            break;
        }

        lines += NDJSON_ONES(a) + NDJSON_ONES(b);

        /*
         * the line that a block finds, up to its end or that of the block,
         * and the one that it leaves
         */

        size = run + NDJSON_BELOW(a);
        run = NDJSON_ABOVE(a) + (a ? 0 : run);

        largest = (size > largest) ? size : largest;

        size = run + NDJSON_BELOW(b);
        run = NDJSON_ABOVE(b) + (b ? 0 : run);

        largest = (size > largest) ? size : largest;
    }

    if (i) {

        /* a line is a record from its first byte on */

        f->records += lines + f->start - (run == 0);
        f->lines += lines;
        f->run = run;
        f->start = (run == 0);
        f->content = (run != 0);
        f->ended = (run == 0);

        if (largest != z->largest) {
            guardrail_ndjson_sizes(z, largest);
        }
    }

    return i;
}


/* that loop, and where it does not reach the one for all plain text */

NDJSON_INLINE size_t
guardrail_ndjson_text(guardrail_ndjson_fast_t *f, guardrail_ndjson_sizes_t *z,
    const uint8_t *p, size_t blocks, size_t len, guardrail_ndjson_kind_e kind)
{
    size_t  n, pairs;

    n = 0;
    pairs = (blocks * 64 < len ? blocks : blocks - 1) / 2;

    if (pairs && z->largest >= 63 && z->max >= 128) {
        n = guardrail_ndjson_lines(f, z, p, pairs, kind) * 2;
    }

    blocks -= n;

    if (blocks > NDJSON_RETRY) {
        blocks = NDJSON_RETRY;
    }

    return n + guardrail_ndjson_plain(f, z, p + n * 64, blocks, kind);
}


static NDJSON_TARGET __attribute__((noinline)) size_t
guardrail_ndjson_text_lf(guardrail_ndjson_fast_t *f,
    guardrail_ndjson_sizes_t *z, const uint8_t *p, size_t blocks, size_t len)
{
    return guardrail_ndjson_text(f, z, p, blocks, len, ndjson_lf);
}


static NDJSON_TARGET __attribute__((noinline)) size_t
guardrail_ndjson_text_utf8(guardrail_ndjson_fast_t *f,
    guardrail_ndjson_sizes_t *z, const uint8_t *p, size_t blocks, size_t len)
{
    return guardrail_ndjson_text(f, z, p, blocks, len, ndjson_utf8);
}


static NDJSON_TARGET __attribute__((noinline)) size_t
guardrail_ndjson_plain_crlf(guardrail_ndjson_fast_t *f,
    const guardrail_ndjson_sizes_t *z, const uint8_t *p, size_t blocks)
{
    return guardrail_ndjson_plain(f, z, p, blocks, ndjson_crlf);
}
