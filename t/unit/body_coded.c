
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Bodies in br and zstd: where their bombs are refused, and that no cut and
 * no budget changes a verdict or the byte at which it falls.
 */


#include "tap.h"
#include "judge.h"

#include <brotli/encode.h>
#include <zstd.h>


#define MIB  (1024 * 1024)


static uint64_t  seed = 20240924;


static void add_br(bytes_t *b, const void *p, size_t len, int quality,
    int log);
static void add_zstd(bytes_t *b, const void *p, size_t len, int level,
    int log);
static void add_skippable(bytes_t *b, uint32_t size);
static unsigned cuts_differ(const guardrail_body_limits_t *l,
    const bytes_t *in, rng_t *rng, verdict_t *whole);
static void test_bombs(void);
static void test_overhead(void);
static void test_random(void);


static void
add_br(bytes_t *b, const void *p, size_t len, int quality, int log)
{
    size_t  n;

    n = BrotliEncoderMaxCompressedSize(len) + 1024;
    bytes_room(b, n);

    if (!BrotliEncoderCompress(quality, log, BROTLI_MODE_GENERIC, len, p, &n,
                               b->p + b->len))
    {
        abort();
    }

    b->len += n;
}


static void
add_zstd(bytes_t *b, const void *p, size_t len, int level, int log)
{
    size_t      n;
    ZSTD_CCtx  *c;

    c = ZSTD_createCCtx();

    if (c == NULL) {
        abort();
    }

    (void) ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
    (void) ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, log);
    (void) ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, level & 1);

    bytes_room(b, ZSTD_compressBound(len));

    n = ZSTD_compress2(c, b->p + b->len, b->cap - b->len, p, len);

    if (ZSTD_isError(n)) {
        abort();
    }

    b->len += n;

    ZSTD_freeCCtx(c);
}


static void
add_skippable(bytes_t *b, uint32_t size)
{
    bytes_le32(b, 0x184d2a5a);
    bytes_le32(b, size);
    bytes_fill(b, 0x5a, size);
}


/* the number of ways to cut it that change anything */

static unsigned
cuts_differ(const guardrail_body_limits_t *l, const bytes_t *in, rng_t *rng,
    verdict_t *whole)
{
    cuts_t       cuts;
    unsigned     i, bad;
    verdict_t    v;
    const char  *differ;
    judge_run_t  run;

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    judge_body(l, in->p, in->len, &cuts, whole, &run);

    bad = (run.fault != NULL);

    for (i = 0; i < 6; i++) {
        memset(&run, 0, sizeof(judge_run_t));

        cuts.rng = rng;
        cuts.first = rng_below(rng, 30);
        cuts.each = (i == 0 && in->len < 3000) ? 1 : 1 + rng_below(rng, 6000);
        cuts.budget = (i % 2) ? 0 : 1 + (int64_t) rng_below(rng, 300000);

        judge_body(l, in->p, in->len, &cuts, &v, &run);

        differ = run.fault ? run.fault : judge_differ(whole, &v, 0);

        /* of what is malformed, a limit in the same slice may be named */

        if (run.fault == NULL
            && (whole->rc == GUARDRAIL_MALFORMED_ENCODING
                || v.rc == GUARDRAIL_MALFORMED_ENCODING)
            && whole->rc != GUARDRAIL_OK && v.rc != GUARDRAIL_OK)
        {
            differ = NULL;
        }

        if (differ) {
            bad++;
            tap_diag("coding %d: %s: %s at %" PRIu64 ", %s at %" PRIu64,
                     l->coding, differ, guardrail_rc_info(whole->rc)->name,
                     whole->decoded, guardrail_rc_info(v.rc)->name,
                     v.decoded);
        }
    }

    return bad;
}


/*
 * Headers are input: the first slice allows floor + ratio * 4096 bytes, and
 * the quantum behind that is refused.
 */

static void
test_bombs(void)
{
    void                    *zeros;
    size_t                   i, j;
    rng_t                    rng = { seed };
    bytes_t                  in = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    static const struct {
        uint64_t  ratio;
        uint64_t  floor;
        uint64_t  decoded;
    } rules[] = {
        { 200, 1 * MIB, 1884160 },
        { 100, 1 * MIB, 1474560 },
        { 200, 4 * MIB, 5029888 },
        { 1, 0, 16384 }
    };

    zeros = calloc(1, 16 * MIB);

    if (zeros == NULL) {
        abort();
    }

    for (i = 0; i < 2; i++) {
        in.len = 0;

        if (i == 0) {
            add_br(&in, zeros, 16 * MIB, 5, 22);

        } else {
            add_zstd(&in, zeros, 16 * MIB, 3, 21);
        }

        judge_no_limits(&l, i ? GUARDRAIL_CODING_ZSTD : GUARDRAIL_CODING_BR);

        for (j = 0; j < 4; j++) {
            l.ratio = rules[j].ratio;
            l.ratio_floor = rules[j].floor;

            tap_ok(cuts_differ(&l, &in, &rng, &v) == 0,
                   "%s: 16 MiB of zeros in %zu bytes, in any cuts",
                   i ? "zstd" : "br", in.len);

            tap_ok(v.rc == GUARDRAIL_MAX_RATIO
                   && v.decoded == rules[j].decoded && v.input == 4096,
                   "%s: refused after %" PRIu64 " bytes, %" PRIu64 " to 1",
                   i ? "zstd" : "br", v.decoded, l.ratio);
        }
    }

    free(zeros);
    bytes_free(&in);
}


/* skippable frames are no input, once they have ended */

static void
test_overhead(void)
{
    size_t                   frame;
    rng_t                    rng = { seed };
    bytes_t                  in = { NULL, 0, 0 };
    uint8_t                  data[40000];
    verdict_t                v;
    guardrail_body_limits_t  l;

    memset(data, 'x', sizeof(data));

    add_zstd(&in, data, 5000, 3, 10);
    frame = in.len;

    add_skippable(&in, 60000);
    add_skippable(&in, 3000);

    judge_no_limits(&l, GUARDRAIL_CODING_ZSTD);

    l.ratio = 10;
    l.ratio_floor = 5000 - 10 * frame;

    tap_ok(cuts_differ(&l, &in, &rng, &v) == 0 && v.rc == GUARDRAIL_OK,
           "zstd: equality, skippable frames behind");

    l.ratio_floor--;

    tap_ok(cuts_differ(&l, &in, &rng, &v) == 0
           && v.rc == GUARDRAIL_MAX_RATIO && v.input == frame,
           "zstd: one byte of floor less");

    /* within a slice: less what came before the frame that gave the quantum */

    in.len = 0;
    add_skippable(&in, 92);
    add_zstd(&in, data, sizeof(data), 3, 10);
    add_skippable(&in, 200);

    l.ratio = 1;
    l.ratio_floor = 16384 - (4096 - 100);

    tap_ok(cuts_differ(&l, &in, &rng, &v) == 0
           && v.rc == GUARDRAIL_MAX_RATIO && v.decoded == 32768
           && v.input == 3996, "zstd: the first quantum is equal");

    l.ratio_floor--;

    tap_ok(cuts_differ(&l, &in, &rng, &v) == 0
           && v.rc == GUARDRAIL_MAX_RATIO && v.decoded == 16384,
           "zstd: the first quantum is one too many");

    bytes_free(&in);
}


static void
test_random(void)
{
    size_t                   i, j, n;
    rng_t                    rng = { seed };
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    unsigned                 bad, seen[GUARDRAIL_RC_MAX];
    verdict_t                v;
    guardrail_body_limits_t  l;

    tap_diag("seed %" PRIu64, seed);

    bad = 0;
    memset(seen, 0, sizeof(seen));

    for (i = 0; i < 300; i++) {
        judge_no_limits(&l, i % 2 ? GUARDRAIL_CODING_ZSTD
                                  : GUARDRAIL_CODING_BR);

        in.len = 0;
        n = (i % 2) ? 1 + rng_below(&rng, 4) : 1;

        for (j = 0; j < n; j++) {
            data.len = 0;
            bytes_room(&data, 1);

            while (rng_below(&rng, 4)) {
                bytes_fill(&data, rng_below(&rng, 2) ? 0 : '\n',
                           rng_below(&rng, 40000));
                bytes_text(&data, "{\"row\":1}\n{\"row\":2}\n");

                for (size_t k = rng_below(&rng, 3000); k; k--) {
                    bytes_byte(&data, (unsigned) rng_next(&rng) & 0xff);
                }
            }

            if (i % 2 == 0) {
                add_br(&in, data.p, data.len, (int) rng_below(&rng, 10),
                       10 + (int) rng_below(&rng, 10));

            } else if (rng_below(&rng, 3) == 0) {
                add_skippable(&in, (uint32_t) rng_below(&rng, 9000));

            } else {
                add_zstd(&in, data.p, data.len, (int) rng_below(&rng, 10),
                         10 + (int) rng_below(&rng, 10));
            }
        }

        if (rng_below(&rng, 2)) {
            l.ratio = 1 + rng_below(&rng, 60);
            l.ratio_floor = rng_below(&rng, 30000);
        }

        if (rng_below(&rng, 3) == 0) {
            l.max_decoded = rng_below(&rng, 100000);
        }

        if (rng_below(&rng, 3) == 0) {
            l.max_body = rng_below(&rng, 9000);
        }

        if (rng_below(&rng, 3) == 0) {
            l.format = GUARDRAIL_FORMAT_NDJSON;
            l.max_records = 1 + rng_below(&rng, 9);
        }

        if (rng_below(&rng, 8) == 0) {
            in.len = rng_below(&rng, in.len);
        }

        bad += cuts_differ(&l, &in, &rng, &v);
        seen[v.rc]++;
    }

    tap_ok(bad == 0, "random bodies and limits in random cuts");

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        if (seen[i]) {
            tap_diag("%u of %s", seen[i],
                     guardrail_rc_info((guardrail_rc_e) i)->name);
        }
    }

    bytes_free(&in);
    bytes_free(&data);
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    test_bombs();
    test_overhead();
    test_random();

    return tap_done();
}
