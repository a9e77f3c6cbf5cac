
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The decoded bytes of a body, as they are handed out: those that were judged
 * good, each once, however the body is cut; and bodies decoded before.
 */


#include "tap.h"
#include "judge.h"

#include <zlib.h>


#define PLAIN  100000


typedef struct {
    bytes_t    got;
    size_t     most;        /* then it fails */
    unsigned   calls;
} sink_t;


static uint64_t  seed = 20250311;


static guardrail_rc_e sink_take(void *opaque, const uint8_t *p, size_t len);
static void sink_feed(guardrail_body_t *b, const guardrail_body_limits_t *l,
    guardrail_body_sink_t *sink, const bytes_t *in, size_t each,
    int64_t budget);
static void make(bytes_t *plain, bytes_t *coded);
static void test_whole(const bytes_t *plain, const bytes_t *coded);
static void test_refused(const bytes_t *plain, const bytes_t *coded);
static void test_fails(const bytes_t *coded);
static void test_decoded_before(const bytes_t *plain);


static guardrail_rc_e
sink_take(void *opaque, const uint8_t *p, size_t len)
{
    sink_t  *s = opaque;

    s->calls++;

    if (s->got.len + len > s->most) {
        return GUARDRAIL_INTERNAL;
    }

    bytes_add(&s->got, p, len);

    return GUARDRAIL_OK;
}


static void
sink_feed(guardrail_body_t *b, const guardrail_body_limits_t *l,
    guardrail_body_sink_t *sink, const bytes_t *in, size_t each,
    int64_t budget)
{
    size_t                  n, done;
    guardrail_rc_e          rc;
    static judge_run_t      run;
    static uint8_t          scratch[GUARDRAIL_BODY_QUANTUM];
    static guardrail_alloc_t  alloc;

    memset(&run, 0, sizeof(judge_run_t));

    alloc.alloc = judge_alloc;
    alloc.free = judge_free;
    alloc.opaque = &run.heap;

    guardrail_body_init(b, l, guardrail_ndjson_select(), &alloc);
    b->sink = sink;

    rc = GUARDRAIL_OK;

    for (done = 0; rc == GUARDRAIL_OK && done < in->len; done += n) {
        n = in->len - done < each ? in->len - done : each;
        rc = judge_feed(b, in->p + done, n, scratch, budget, &run);
    }

    (void) guardrail_body_finish(b);
    guardrail_body_close(b);

    if (run.fault) {
        tap_ok(0, "%s", run.fault);
    }
}


static void
make(bytes_t *plain, bytes_t *coded)
{
    uLongf  n;
    rng_t   rng;
    size_t  i;

    rng.s = seed;

    for (i = 0; i < PLAIN; i++) {
        bytes_fill(plain, (uint8_t) ('a' + rng_below(&rng, 20)), 1);
    }

    n = compressBound(PLAIN);
    bytes_room(coded, n);

    if (compress2(coded->p, &n, plain->p, PLAIN, 6) != Z_OK) {
        abort();
    }

    coded->len = n;
}


static void
test_whole(const bytes_t *plain, const bytes_t *coded)
{
    size_t                   i, bad;
    sink_t                   s;
    guardrail_body_t         b;
    guardrail_body_sink_t    sink;
    guardrail_body_limits_t  l;

    static const size_t   each[] = { 1, 7, 4095, 4096, 5000, 1000000 };
    static const int64_t  budget[] = { 0, 1, 10000 };

    judge_no_limits(&l, GUARDRAIL_CODING_DEFLATE);

    sink.take = sink_take;
    sink.opaque = &s;
    bad = 0;

    for (i = 0; i < 18; i++) {
        memset(&s, 0, sizeof(sink_t));
        s.most = SIZE_MAX;

        sink_feed(&b, &l, &sink, coded, each[i % 6], budget[i / 6]);

        bad += (b.rc != GUARDRAIL_OK || s.got.len != plain->len
                || memcmp(s.got.p, plain->p, plain->len) != 0);
        bytes_free(&s.got);
    }

    tap_ok(bad == 0, "all of it, however it is cut");
}


static void
test_refused(const bytes_t *plain, const bytes_t *coded)
{
    size_t                   i, bad;
    sink_t                   s;
    guardrail_body_t         b;
    guardrail_body_sink_t    sink;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_DEFLATE);

    sink.take = sink_take;
    sink.opaque = &s;
    bad = 0;

    for (i = 0; i < PLAIN; i += 997) {
        memset(&s, 0, sizeof(sink_t));
        s.most = SIZE_MAX;
        l.max_decoded = i;

        sink_feed(&b, &l, &sink, coded, 3000, 0);

        bad += (b.rc != GUARDRAIL_MAX_DECODED || s.got.len > i
                || (s.got.len
                    && memcmp(s.got.p, plain->p, s.got.len) != 0));
        bytes_free(&s.got);
    }

    tap_ok(bad == 0, "nothing that is over a limit");
}


static void
test_fails(const bytes_t *coded)
{
    sink_t                   s;
    guardrail_body_t         b;
    guardrail_body_sink_t    sink;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_DEFLATE);

    sink.take = sink_take;
    sink.opaque = &s;

    memset(&s, 0, sizeof(sink_t));
    s.most = 40000;

    sink_feed(&b, &l, &sink, coded, 1000, 0);

    tap_ok(b.rc == GUARDRAIL_INTERNAL && b.error != NULL,
           "a sink that fails refuses the body");
    tap_ok(s.calls && s.got.len <= 40000, "and is not asked again");
    bytes_free(&s.got);
}


static void
test_decoded_before(const bytes_t *plain)
{
    size_t                   used;
    int64_t                  budget;
    guardrail_rc_e           rc;
    guardrail_body_t         b;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);
    budget = JUDGE_PLENTY;

    l.max_body = 10;
    l.max_decoded = PLAIN;

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);
    guardrail_body_decoded_before(&b, 7);

    rc = guardrail_body_feed(&b, plain->p, PLAIN, NULL, &budget, &used);

    tap_ok(rc == GUARDRAIL_OK && guardrail_body_finish(&b) == GUARDRAIL_OK,
           "max_body says nothing of a body that was decoded before");
    tap_ok(b.wire == 7 && b.decoded == PLAIN, "whose wire bytes stay");

    l.max_decoded = PLAIN - 1;

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);
    guardrail_body_decoded_before(&b, PLAIN * 2);

    rc = guardrail_body_feed(&b, plain->p, PLAIN, NULL, &budget, &used);

    tap_ok(rc == GUARDRAIL_MAX_DECODED && b.observed == PLAIN
           && b.wire == PLAIN * 2, "max_decoded does");
}


int
main(int argc, char **argv)
{
    bytes_t  plain, coded;

    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    memset(&plain, 0, sizeof(bytes_t));
    memset(&coded, 0, sizeof(bytes_t));

    make(&plain, &coded);

    test_whole(&plain, &coded);
    test_refused(&plain, &coded);
    test_fails(&coded);
    test_decoded_before(&plain);

    bytes_free(&plain);
    bytes_free(&coded);

    return tap_done();
}
