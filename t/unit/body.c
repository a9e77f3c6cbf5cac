
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The verdict on a body: the limits, the byte at which each of them is
 * named, and that the bytes alone decide.
 */


#include "tap.h"
#include "model.h"


#define MIB  ((uint64_t) 1024 * 1024)


static uint64_t  seed = 20240611;


static verdict_t agree(const guardrail_body_limits_t *l, const bytes_t *in,
    const char *what);
static unsigned agree_cut(const guardrail_body_limits_t *l, const bytes_t *in,
    const verdict_t *whole, const cuts_t *cuts, const char *what);
static void is(const verdict_t *v, guardrail_rc_e rc, uint64_t decoded,
    const char *what);
static void is_limit(const verdict_t *v, uint64_t limit, uint64_t observed,
    const char *what);
static void json_lines(bytes_t *b, size_t n);
static void test_bombs(void);
static void test_equality(void);
static void test_equality_of(const guardrail_body_limits_t *limits,
    const bytes_t *in, const char *what);
static void test_floor(void);
static void test_overhead(void);
static void test_unfinished_header(void);
static void test_full_quantum(void);
static void test_last_quantum(void);
static void test_max_body(void);
static void test_max_decoded(void);
static void test_earliest(void);
static void test_malformed(void);
static void test_empty(void);
static void test_memory(void);
static void test_plain(void);
static void test_plain_limits(void);
static void test_calls(void);
static void test_budget(void);
static void test_slow_blocks(void);
static void test_sniff(void);
static void test_sniff_bytes(void);
static void test_sniff_late(void);
static void test_legal(void);
static void test_random(void);
static void random_body(rng_t *rng, guardrail_coding_e coding, bytes_t *out);
static void random_data(rng_t *rng, bytes_t *out);


/* the model and the code agree on a body, in all cuts and budgets */

static verdict_t
agree(const guardrail_body_limits_t *l, const bytes_t *in, const char *what)
{
    size_t        i, n, step;
    rng_t         rng;
    cuts_t        cuts;
    unsigned      bad;
    verdict_t     model, whole;
    const char   *differ;
    judge_run_t   run;

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    judge_body(l, in->p, in->len, &cuts, &whole, &run);
    model_judge(l, in->p, in->len, &model, NULL);

    bad = 0;
    differ = model_differ(&model, &whole);

    if (differ || run.fault) {
        bad++;
        tap_diag("the model differs in %s: %s at %" PRIu64 " for %s at %"
                 PRIu64 "; %s", differ ? differ : "nothing",
                 guardrail_rc_info(whole.rc)->name, whole.decoded,
                 guardrail_rc_info(model.rc)->name, model.decoded,
                 run.fault ? run.fault : "no fault");
    }

    /* in two, at every byte if that is not too much work */

    step = 1;
    n = in->len + (size_t) whole.decoded + 1000;

    while (in->len / step * n > 3000000 && step < in->len) {
        step = step * 2 + 1;
    }

    for (i = 1; i < in->len; i += step) {
        cuts.first = i;
        bad += agree_cut(l, in, &whole, &cuts, what);
    }

    cuts.first = 0;

    /* into small pieces of one size */

    for (i = 1; i < 5000 && i < in->len; i = i * 4 - (i > 4)) {
        cuts.each = i;
        bad += agree_cut(l, in, &whole, &cuts, what);
    }

    cuts.each = 4096;
    bad += agree_cut(l, in, &whole, &cuts, what);

    /* at random, with budgets */

    rng.s = seed + in->len;

    for (i = 0; i < 8; i++) {
        static const int64_t  budgets[] = { 1, 7, 1000, 262144 };

        cuts.budget = budgets[i % 4];
        cuts.each = i < 4 ? 0 : 1 + rng_below(&rng, in->len + 1);
        cuts.rng = i < 4 ? NULL : &rng;

        bad += agree_cut(l, in, &whole, &cuts, what);
    }

    tap_ok(bad == 0, "%s: any cuts, any budget", what);

    return whole;
}


static unsigned
agree_cut(const guardrail_body_limits_t *l, const bytes_t *in,
    const verdict_t *whole, const cuts_t *cuts, const char *what)
{
    int           exact;
    verdict_t     v;
    const char   *differ;
    judge_run_t   run;

    memset(&run, 0, sizeof(judge_run_t));

    judge_body(l, in->p, in->len, cuts, &v, &run);

    exact = (l->coding == GUARDRAIL_CODING_IDENTITY);
    differ = judge_differ(whole, &v, exact);

    if (differ == NULL && run.fault == NULL) {
        return 0;
    }

    tap_diag("%s: cut at %zu, each %zu%s, budget %" PRId64 ": %s differs: %s"
             " at %" PRIu64 " for %s at %" PRIu64 "; %s", what, cuts->first,
             cuts->each, cuts->rng ? " at random" : "", cuts->budget,
             differ ? differ : "nothing", guardrail_rc_info(v.rc)->name,
             v.decoded, guardrail_rc_info(whole->rc)->name, whole->decoded,
             run.fault ? run.fault : "no fault");

    return 1;
}


static void
is(const verdict_t *v, guardrail_rc_e rc, uint64_t decoded, const char *what)
{
    if (!tap_ok(v->rc == rc && v->decoded == decoded, "%s: %s at %" PRIu64,
                what, guardrail_rc_info(rc)->name, decoded))
    {
        tap_diag("%s at %" PRIu64 ", wire %" PRIu64 ", limit %" PRIu64
                 ", observed %" PRIu64 " (%" PRIu64 "), %s",
                 guardrail_rc_info(v->rc)->name, v->decoded, v->wire,
                 v->limit, v->observed, v->input,
                 v->error ? v->error : "no error");
    }
}


static void
is_limit(const verdict_t *v, uint64_t limit, uint64_t observed,
    const char *what)
{
    if (!tap_ok(v->limit == limit && v->observed == observed,
                "%s: limit %" PRIu64 " observed %" PRIu64, what, limit,
                observed))
    {
        tap_diag("limit %" PRIu64 " observed %" PRIu64, v->limit,
                 v->observed);
    }
}


static void
json_lines(bytes_t *b, size_t n)
{
    char    line[64];
    size_t  i;

    for (i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "{\"row\":%zu,\"host\":\"db%zu\"}\n", i,
                 i % 7);
        bytes_text(b, line);
    }
}


/* the numbers of the contract, from gzip -9 of zeros */

static void
test_bombs(void)
{
    size_t                   i, j;
    bytes_t                  gzip = { NULL, 0, 0 };
    bytes_t                  zlib = { NULL, 0, 0 };
    char                     what[80];
    uint8_t                 *zeros;
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    static const struct {
        uint64_t  ratio;
        uint64_t  floor;
        uint64_t  decoded;
        uint64_t  input;
    } bombs[] = {
        { 200, 1, 1867776, 4086 },
        { 100, 1, 1458176, 4086 },
        { 200, 4, 5832704, 8182 }
    };

    static const size_t  pieces[] = { 0, 1024, 1, 4096, 4095, 4097, 1448 };

    /* the start of 1 GiB of them does not differ from that of 6 MiB */

    gz_zeros(&gzip, 6 * MIB);

    zeros = calloc(1, 6 * MIB);

    if (zeros == NULL) {
        abort();
    }

    bytes_deflate(&zlib, zeros, 6 * MIB, MAX_WBITS, 9, 0, Z_FINISH);
    free(zeros);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    for (i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {

        l.ratio = bombs[i].ratio;
        l.ratio_floor = bombs[i].floor * MIB;

        for (j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {

            memset(&cuts, 0, sizeof(cuts_t));
            memset(&run, 0, sizeof(judge_run_t));

            cuts.each = pieces[j];

            judge_body(&l, gzip.p, gzip.len, &cuts, &v, &run);

            snprintf(what, sizeof(what), "zeros at %" PRIu64 " floor=%" PRIu64
                     "m, in pieces of %zu", l.ratio, bombs[i].floor,
                     pieces[j]);

            is(&v, GUARDRAIL_MAX_RATIO, bombs[i].decoded, what);

            tap_ok(v.limit == l.ratio && v.observed == bombs[i].decoded
                   && v.input == bombs[i].input && run.fault == NULL,
                   "%s: %" PRIu64 " out of %" PRIu64, what, v.observed,
                   v.input);
        }

        snprintf(what, sizeof(what), "zeros at %" PRIu64 " floor=%" PRIu64
                 "m", l.ratio, bombs[i].floor);
        agree(&l, &gzip, what);
    }

    l.coding = GUARDRAIL_CODING_DEFLATE;
    l.ratio = 200;
    l.ratio_floor = MIB;

    v = agree(&l, &zlib, "zeros as zlib");

    /* its six bytes are input: 1,048,576 + 200 * 4,096 is 114 quanta */

    is(&v, GUARDRAIL_MAX_RATIO, 115 * 16384, "zeros as zlib");
    tap_is_u64(v.input, 4096, "zeros as zlib: the wrapper is input");

    /* a ratio that cannot be reached, and one that is off */

    l.coding = GUARDRAIL_CODING_GZIP;
    l.ratio = 1032;
    l.ratio_floor = 0;

    v = agree(&l, &gzip, "zeros at 1032");
    is(&v, GUARDRAIL_OK, 6 * MIB, "zeros at 1032");

    l.ratio = GUARDRAIL_NO_LIMIT;

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    judge_body(&l, gzip.p, gzip.len, &cuts, &v, &run);
    is(&v, GUARDRAIL_OK, 6 * MIB, "zeros without a ratio");

    /* numbers so large that their product does not fit */

    l.ratio = UINT64_MAX - 1;
    l.ratio_floor = UINT64_MAX - 1;

    memset(&run, 0, sizeof(judge_run_t));

    judge_body(&l, gzip.p, gzip.len, &cuts, &v, &run);
    is(&v, GUARDRAIL_OK, 6 * MIB, "zeros at a ratio that overflows");

    bytes_free(&gzip);
    bytes_free(&zlib);
}


/* the least floor passes, one less does not */

static void
test_equality_of(const guardrail_body_limits_t *limits, const bytes_t *in,
    const char *what)
{
    char                     name[80];
    uint64_t                 floor;
    verdict_t                v, v0;
    guardrail_body_limits_t  l = *limits;

    floor = 0;
    l.ratio_floor = GUARDRAIL_NO_LIMIT;
    model_judge(&l, in->p, in->len, &v0, &floor);

    if (!tap_ok(floor > 0 && v0.rc == GUARDRAIL_OK, "%s: can be refused",
                what))
    {
        return;
    }

    l.ratio_floor = floor;
    snprintf(name, sizeof(name), "%s, D equals floor + ratio * input", what);

    v = agree(&l, in, name);
    is(&v, GUARDRAIL_OK, v0.decoded, name);

    l.ratio_floor = floor - 1;
    snprintf(name, sizeof(name), "%s, D is one byte more", what);

    v = agree(&l, in, name);
    tap_ok(v.rc == GUARDRAIL_MAX_RATIO
           && v.observed == floor + l.ratio * v.input
           && v.observed == v.decoded,
           "%s: refused, %" PRIu64 " of %" PRIu64, name, v.observed, v.input);
}


static void
test_equality(void)
{
    size_t                   i;
    rng_t                    rng;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    /* by hand: 1 byte of a member's data, at the end of a short body */

    bytes_fill(&data, 'a', 300);
    gz_plain(&in, data.p, data.len, 9);

    i = in.len - GZ_FIXED - GZ_TRAILER;

    l.ratio = 10;
    l.ratio_floor = 300 - 10 * i;

    v = agree(&l, &in, "300 bytes, the end is equal");
    is(&v, GUARDRAIL_OK, 300, "300 bytes, the end is equal");

    l.ratio_floor--;

    v = agree(&l, &in, "300 bytes, the end is one more");
    is(&v, GUARDRAIL_MAX_RATIO, 300, "300 bytes, the end is one more");
    tap_is_u64(v.input, i, "300 bytes: the input is the deflate data alone");

    /* at a quantum inside the first slice */

    in.len = 0;
    gz_zeros(&in, 100000);

    l.ratio = 1;
    l.ratio_floor = 16384 * 6 - 4086;

    v = agree(&l, &in, "a quantum is equal, the end is not");
    is(&v, GUARDRAIL_MAX_RATIO, 100000, "a quantum is equal, the end is not");

    l.ratio_floor--;

    v = agree(&l, &in, "a quantum is one more");
    is(&v, GUARDRAIL_MAX_RATIO, 16384 * 6, "a quantum is one more");
    tap_is_u64(v.input, 4086, "the slice counts as if it were full");

    /* by the model: the end of a slice, a quantum, the end of the body */

    rng.s = 42;
    data.len = 0;

    bytes_fill(&data, 0, 9000);

    for (i = 0; i < 9000; i++) {
        bytes_byte(&data, (unsigned) rng_next(&rng) & 0xff);
    }

    in.len = 0;
    gz_plain(&in, data.p, data.len, 9);

    l.ratio = 1;
    test_equality_of(&l, &in, "the end of the first slice");

    in.len = 0;
    data.len = 0;

    bytes_fill(&data, 0, 40000);

    for (i = 0; i < 9000; i++) {
        bytes_byte(&data, (unsigned) rng_next(&rng) & 0xff);
    }

    gz_plain(&in, data.p, data.len, 9);

    l.ratio = 4;
    test_equality_of(&l, &in, "a quantum of the first slice");

    in.len = 0;
    data.len = 0;

    for (i = 0; i < 9000; i++) {
        bytes_byte(&data, (unsigned) rng_next(&rng) & 0xff);
    }

    bytes_fill(&data, 0, 15000);
    gz_plain(&in, data.p, data.len, 9);

    l.ratio = 1;
    test_equality_of(&l, &in, "the end of the body");

    in.len = 0;
    bytes_deflate(&in, data.p, data.len, -MAX_WBITS, 9, 0, Z_FINISH);

    l.coding = GUARDRAIL_CODING_DEFLATE;
    l.ratio = 1;
    test_equality_of(&l, &in, "raw deflate");

    bytes_free(&in);
    bytes_free(&data);
}


static void
test_floor(void)
{
    bytes_t                  in = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.ratio = 1;
    l.ratio_floor = MIB;

    gz_zeros(&in, MIB);

    v = agree(&l, &in, "a body of the size of the floor");
    is(&v, GUARDRAIL_OK, MIB, "a body of the size of the floor");

    /* the last quantum ends where the body does: more input than it has */

    in.len = 0;
    gz_zeros(&in, MIB + 4096);

    v = agree(&l, &in, "a body a little above the floor");
    is(&v, GUARDRAIL_MAX_RATIO, MIB + 4096, "a body a little above the floor");
    tap_is_u64(v.input, in.len - 18, "a body a little above the floor: input");

    in.len = 0;
    gz_zeros(&in, MIB + 16384);

    v = agree(&l, &in, "a body one quantum above the floor");
    is(&v, GUARDRAIL_MAX_RATIO, MIB + 16384,
       "a body one quantum above the floor");
    tap_is_u64(v.input, 4086, "a body one quantum above the floor: input");

    l.ratio_floor = 0;

    in.len = 0;
    gz_zeros(&in, 1000);

    v = agree(&l, &in, "no floor");
    is(&v, GUARDRAIL_MAX_RATIO, 1000, "no floor");

    bytes_free(&in);
}


/* headers and trailers buy nothing */

static void
test_overhead(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    verdict_t                v;
    gz_member_t              m;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.ratio = 200;
    l.ratio_floor = MIB;

    bytes_fill(&data, 0, 16 * MIB);

    memset(&m, 0, sizeof(gz_member_t));

    m.flags = GZ_FNAME;
    m.name = 60000;
    m.data = data.p;
    m.len = data.len;
    m.level = 9;

    gz_member(&in, &m);

    /* the data start at 60,011, in the slice that ends at 61,440 */

    v = agree(&l, &in, "a header of 60,011 bytes");
    is(&v, GUARDRAIL_MAX_RATIO,
       ((MIB + 200 * (61440 - 60011)) / 16384 + 1) * 16384,
       "a header of 60,011 bytes");
    tap_is_u64(v.input, 61440 - 60011, "a header of 60,011 bytes: the input");

    /* spread over many members, and the data too */

    in.len = 0;
    m.name = 4000;
    m.len = 20000;

    l.ratio = 50;

    for (i = 0; i < 80; i++) {
        gz_member(&in, &m);
    }

    v = agree(&l, &in, "80 members with headers of 4,011 bytes");

    tap_ok(v.rc == GUARDRAIL_MAX_RATIO && v.decoded < 80 * 20000
           && v.input < 80 * 40 + 4096,
           "80 members with headers of 4,011 bytes: refused at %" PRIu64
           " for an input of %" PRIu64, v.decoded, v.input);

    /* 1000 members without options: 18 of their 45 bytes are no input */

    in.len = 0;
    m.flags = 0;
    m.len = 2000;

    for (i = 0; i < 1000; i++) {
        gz_member(&in, &m);
    }

    l.ratio = 50;
    l.ratio_floor = 0;

    v = agree(&l, &in, "1000 small members");
    is(&v, GUARDRAIL_MAX_RATIO, v.decoded, "1000 small members");
    test_equality_of(&l, &in, "1000 small members");

    bytes_free(&in);
    bytes_free(&data);
}


/* a header counts as input until it ends, and no longer */

static void
test_unfinished_header(void)
{
    size_t                   len;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    verdict_t                v;
    gz_member_t              m;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.ratio = 3;
    l.ratio_floor = 0;

    for (len = 3 * 4078; len <= 3 * 4078 + 1; len++) {

        in.len = 0;
        data.len = 0;

        bytes_fill(&data, 0, len);
        gz_plain(&in, data.p, data.len, 9);

        memset(&m, 0, sizeof(gz_member_t));

        m.flags = GZ_FNAME;
        m.name = 60000;

        gz_member(&in, &m);

        if (len == 3 * 4078) {
            v = agree(&l, &in, "an unfinished header, equal");
            is(&v, GUARDRAIL_MAX_RATIO, len, "an unfinished header, equal");

            tap_is_u64(v.wire, in.len, "refused when the header has ended");
            tap_is_u64(v.input, in.len - 2 * 18 - 60001,
                       "and is no input any more");

        } else {
            v = agree(&l, &in, "an unfinished header, one more");
            is(&v, GUARDRAIL_MAX_RATIO, len, "an unfinished header, one more");

            tap_is_u64(v.wire, 4096, "refused at the end of the first slice");
            tap_is_u64(v.input, 4078, "whose bytes are input");
        }
    }

    bytes_free(&in);
    bytes_free(&data);
}


/*
 * A member ends where a quantum does, and the slice in the first bytes of the
 * next one's data: the output is full, but not drained.
 */

static void
test_full_quantum(void)
{
    size_t                   i, first;
    char                     what[64];
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    uint64_t                 floor;
    verdict_t                v;
    gz_member_t              m;
    guardrail_body_limits_t  l;

    bytes_fill(&data, 0, 16384);

    for (i = 0; i < 8; i++) {

        in.len = 0;
        gz_plain(&in, data.p, 16384, 9);
        first = in.len;

        memset(&m, 0, sizeof(gz_member_t));

        m.flags = GZ_FNAME;
        m.name = 4096 - first - GZ_FIXED - 1 - i;
        m.data = (const uint8_t *) "a few letters, no match";
        m.len = 23;
        m.level = 9;
        m.strategy = Z_FIXED;

        gz_member(&in, &m);

        judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

        l.ratio = 1;
        l.ratio_floor = GUARDRAIL_NO_LIMIT;
        floor = 0;

        model_judge(&l, in.p, in.len, &v, &floor);

        snprintf(what, sizeof(what), "a full quantum %zu bytes before", i);

        /* the end of the slice is over, the quantum is not */

        l.ratio_floor = 16384 - (4096 - 18) + 1000;

        v = agree(&l, &in, what);
        tap_ok(v.rc == GUARDRAIL_MAX_RATIO && v.decoded >= 16384
               && v.decoded < 16384 + 24, "%s: refused at %" PRIu64, what,
               v.decoded);

        l.ratio_floor = floor;

        v = agree(&l, &in, what);
        is(&v, GUARDRAIL_OK, 16384 + 23, what);
    }

    bytes_free(&in);
    bytes_free(&data);
}


/*
 * The last quantum of a slice is given by any of its last bytes: once by the
 * very last one, so that the decoder is drained at the end of the slice.
 */

static void
test_last_quantum(void)
{
    size_t                   i;
    rng_t                    rng = { 3 };
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  noise = { NULL, 0, 0 };
    bytes_t                  zeros = { NULL, 0, 0 };
    uint64_t                 quantum;
    verdict_t                v;
    model_prefix_t          *prefix;
    guardrail_body_limits_t  l;

    prefix = malloc(sizeof(model_prefix_t));

    if (prefix == NULL) {
        abort();
    }

    for (i = 0; i < 4000; i++) {
        bytes_byte(&noise, (unsigned) rng_next(&rng) & 0xff);
    }

    bytes_fill(&zeros, 0, 600000);

    judge_no_limits(&l, GUARDRAIL_CODING_DEFLATE);

    l.ratio = 1;

    for (i = 0; i < 18; i++) {

        in.len = 0;

        bytes_deflate(&in, noise.p, 3800 + i, -MAX_WBITS, 0, 0, Z_FULL_FLUSH);
        bytes_deflate(&in, zeros.p, zeros.len, -MAX_WBITS, 9, 0, Z_FINISH);

        model_prefix(l.coding, in.p, 4096, UINT64_MAX, prefix);

        quantum = prefix->out.len / 16384 * 16384;

        tap_ok(prefix->out.len < zeros.len && quantum > 100000,
               "the slice ends among the zeros");

        l.ratio_floor = quantum - 4096 - 1;

        v = agree(&l, &in, "the last quantum of a slice");
        is(&v, GUARDRAIL_MAX_RATIO, quantum, "the last quantum of a slice");

        model_free(prefix);
    }

    free(prefix);
    bytes_free(&in);
    bytes_free(&noise);
    bytes_free(&zeros);
}


static void
test_max_body(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    json_lines(&data, 700);

    for (i = 0; i < 3; i++) {

        in.len = 0;

        if (i == GUARDRAIL_CODING_IDENTITY) {
            bytes_add(&in, data.p, data.len);

        } else if (i == GUARDRAIL_CODING_GZIP) {
            gz_plain(&in, data.p, data.len, 0);

        } else {
            bytes_deflate(&in, data.p, data.len, MAX_WBITS, 0, 0, Z_FINISH);
        }

        judge_no_limits(&l, (guardrail_coding_e) i);

        l.max_body = in.len;

        v = agree(&l, &in, "max_body M bytes");
        is(&v, GUARDRAIL_OK, data.len, "max_body M bytes");
        tap_is_u64(v.wire, in.len, "max_body M bytes: wire");

        l.max_body = in.len - 1;

        v = agree(&l, &in, "max_body M + 1 bytes");
        tap_is_u64(v.rc, GUARDRAIL_MAX_BODY, "max_body M + 1 bytes: refused");
        tap_is_u64(v.wire, in.len, "max_body M + 1 bytes: wire");
        is_limit(&v, in.len - 1, in.len, "max_body M + 1 bytes");

        l.max_body = 4096;

        v = agree(&l, &in, "max_body one slice");
        tap_is_u64(v.rc, GUARDRAIL_MAX_BODY, "max_body one slice: refused");
        tap_is_u64(v.wire, 4097, "max_body one slice: wire");

        l.max_body = 0;

        v = agree(&l, &in, "max_body nothing");
        tap_is_u64(v.rc, GUARDRAIL_MAX_BODY, "max_body nothing: refused");
        tap_is_u64(v.wire, 1, "max_body nothing: wire");
    }

    /* the bytes up to M are drained first: 4 MiB out of 4,096 bytes */

    in.len = 0;
    gz_zeros(&in, 16 * MIB);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.max_body = 4096;

    v = agree(&l, &in, "max_body of a bomb");
    tap_ok(v.rc == GUARDRAIL_MAX_BODY && v.decoded > 4000000,
           "max_body of a bomb: drained to the last byte");

    /* wherever M lies between two quanta of output */

    for (i = 300; i < 320; i++) {
        l.max_body = i;

        v = agree(&l, &in, "max_body inside a bomb");
        tap_ok(v.rc == GUARDRAIL_MAX_BODY && v.wire == i + 1,
               "max_body inside a bomb: %zu bytes", i);
    }

    bytes_free(&in);
    bytes_free(&data);
}


static void
test_max_decoded(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    static const uint64_t  sizes[] = {
        1, 2, 16383, 16384, 16385, 32768, 65536, 100000
    };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {

        judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

        in.len = 0;
        gz_zeros(&in, (size_t) sizes[i]);

        l.max_decoded = sizes[i];

        v = agree(&l, &in, "max_decoded at the limit");
        is(&v, GUARDRAIL_OK, sizes[i], "max_decoded at the limit");

        l.max_decoded = sizes[i] - 1;

        v = agree(&l, &in, "max_decoded one over the limit");
        is(&v, GUARDRAIL_MAX_DECODED, sizes[i],
           "max_decoded one over the limit");
        is_limit(&v, sizes[i] - 1, sizes[i], "max_decoded one over the limit");
    }

    json_lines(&data, 10);

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

    l.max_decoded = data.len;

    v = agree(&l, &data, "max_decoded of identity, at the limit");
    is(&v, GUARDRAIL_OK, data.len, "max_decoded of identity, at the limit");

    l.max_decoded = data.len - 1;

    v = agree(&l, &data, "max_decoded of identity, one over");
    is(&v, GUARDRAIL_MAX_DECODED, data.len,
       "max_decoded of identity, one over");

    l.max_body = data.len - 1;

    v = agree(&l, &data, "max_body and max_decoded at one byte");
    is(&v, GUARDRAIL_MAX_BODY, data.len,
       "max_body and max_decoded at one byte");

    /* two members: counts run over the whole body */

    in.len = 0;
    gz_zeros(&in, 1000);
    gz_zeros(&in, 1000);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.max_decoded = 1999;

    v = agree(&l, &in, "max_decoded over two members");
    is(&v, GUARDRAIL_MAX_DECODED, 2000, "max_decoded over two members");

    bytes_free(&in);
    bytes_free(&data);
}


/* the earliest byte, and at one byte the order of the table */

static void
test_earliest(void)
{
    size_t                   i, at;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    /* the third row starts at byte 20,001 */

    bytes_text(&data, "{}\n\"");
    bytes_fill(&data, 'x', 20000 - 4 - 2);
    bytes_text(&data, "\"\n");
    at = data.len + 1;
    bytes_text(&data, "{}\n");
    bytes_fill(&data, ' ', 20000);

    tap_is_u64(at, 20001, "the third row starts here");

    gz_plain(&in, data.p, data.len, 9);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.format = GUARDRAIL_FORMAT_NDJSON;
    l.max_records = 2;

    v = agree(&l, &in, "records alone");
    is(&v, GUARDRAIL_MAX_RECORDS, at, "records alone");
    is_limit(&v, 2, 3, "records alone");

    l.max_decoded = at;

    v = agree(&l, &in, "records a byte before max_decoded");
    is(&v, GUARDRAIL_MAX_RECORDS, at, "records a byte before max_decoded");

    l.max_decoded = at - 1;

    v = agree(&l, &in, "records and max_decoded at one byte");
    is(&v, GUARDRAIL_MAX_DECODED, at, "records and max_decoded at one byte");

    l.max_decoded = at - 2;

    v = agree(&l, &in, "max_decoded a byte before records");
    is(&v, GUARDRAIL_MAX_DECODED, at - 1, "max_decoded a byte before records");

    /* the same without a coding, and with max_body */

    l.coding = GUARDRAIL_CODING_IDENTITY;
    l.max_decoded = at - 1;

    v = agree(&l, &data, "identity, records and max_decoded at one byte");
    is(&v, GUARDRAIL_MAX_DECODED, at,
       "identity, records and max_decoded at one byte");

    l.max_body = at - 1;

    v = agree(&l, &data, "identity, all three at one byte");
    is(&v, GUARDRAIL_MAX_BODY, at, "identity, all three at one byte");

    l.max_body = at;
    l.max_decoded = at;

    v = agree(&l, &data, "identity, records a byte before the others");
    is(&v, GUARDRAIL_MAX_RECORDS, at,
       "identity, records a byte before the others");

    /* a quantum of the ratio at byte 16,384 */

    l.coding = GUARDRAIL_CODING_GZIP;
    l.max_body = GUARDRAIL_NO_LIMIT;
    l.ratio = 1;
    l.ratio_floor = 0;

    l.max_decoded = 16384;

    v = agree(&l, &in, "the ratio a byte before max_decoded");
    is(&v, GUARDRAIL_MAX_RATIO, 16384, "the ratio a byte before max_decoded");

    l.max_decoded = 16383;

    v = agree(&l, &in, "the ratio and max_decoded at one byte");
    is(&v, GUARDRAIL_MAX_DECODED, 16384,
       "the ratio and max_decoded at one byte");

    l.max_decoded = GUARDRAIL_NO_LIMIT;

    for (i = 16383; i <= 16385; i++) {

        /* a row is too long at byte i */

        l.max_record_size = i - 1 - 3;

        v = agree(&l, &in, "the ratio and a record's size");
        is(&v, i <= 16384 ? GUARDRAIL_MAX_RECORD_SIZE : GUARDRAIL_MAX_RATIO,
           i <= 16384 ? i : 16384, "the ratio and a record's size");
    }

    l.max_record_size = GUARDRAIL_NO_LIMIT;

    /* the ratio at the end of a slice, and max_body behind it */

    in.len = 0;
    gz_zeros(&in, 16 * MIB);

    l.format = GUARDRAIL_FORMAT_NONE;
    l.ratio = 900;
    l.max_body = 4096;

    v = agree(&l, &in, "the ratio of the last slice that max_body leaves");
    tap_is_u64(v.rc, GUARDRAIL_MAX_RATIO,
               "the ratio of the last slice that max_body leaves");

    l.max_body = 300;
    l.ratio = 300;

    v = agree(&l, &in, "max_body before the ratio");
    tap_is_u64(v.rc, GUARDRAIL_MAX_BODY, "max_body before the ratio");

    /* all of 4 MiB in the first slice: max_decoded wherever it is */

    l.max_body = GUARDRAIL_NO_LIMIT;
    l.ratio = 200;
    l.ratio_floor = MIB;

    for (i = 1867776 - 2; i <= 1867776 + 2; i++) {
        l.max_decoded = i;

        v = agree(&l, &in, "max_decoded around the ratio");
        is(&v, i < 1867776 ? GUARDRAIL_MAX_DECODED : GUARDRAIL_MAX_RATIO,
           i < 1867776 ? i + 1 : 1867776, "max_decoded around the ratio");
    }

    bytes_free(&in);
    bytes_free(&data);
}


/* what a decoder gave before it failed is judged first */

static void
test_malformed(void)
{
    size_t                   i, j, end, bad;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    cuts_t                   cuts;
    verdict_t                v;
    gz_member_t              m;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    json_lines(&data, 200);

    memset(&m, 0, sizeof(gz_member_t));

    m.data = data.p;
    m.len = data.len;
    m.level = 6;
    m.crc_xor = 1;

    gz_member(&in, &m);
    end = in.len;
    gz_member(&in, &m);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.format = GUARDRAIL_FORMAT_NDJSON;
    l.max_records = 200;

    v = agree(&l, &in, "a wrong CRC");
    is(&v, GUARDRAIL_MALFORMED_ENCODING, data.len, "a wrong CRC");
    tap_is_u64(v.wire, end, "a wrong CRC: seen at the member's last byte");
    tap_is_u64(v.records, 200, "a wrong CRC: the records before it count");
    tap_is_str(v.error, "the gzip checksum is wrong", "a wrong CRC: why");

    l.max_records = 199;

    v = agree(&l, &in, "records before a wrong CRC");
    tap_is_u64(v.rc, GUARDRAIL_MAX_RECORDS, "records before a wrong CRC");

    l.max_records = 200;
    l.max_body = end - 1;

    v = agree(&l, &in, "max_body at the byte of a wrong CRC");
    is(&v, GUARDRAIL_MAX_BODY, data.len,
       "max_body at the byte of a wrong CRC");

    l.max_body = end;

    v = agree(&l, &in, "max_body a byte behind a wrong CRC");
    is(&v, GUARDRAIL_MALFORMED_ENCODING, data.len,
       "max_body a byte behind a wrong CRC");

    /* the ratio of a quantum in a body that turns out malformed */

    in.len = 0;
    gz_zeros(&in, 100000);
    in.len -= 20;
    bytes_fill(&in, 0xff, 40);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.ratio = 1;
    l.ratio_floor = 50000;

    v = agree(&l, &in, "a bomb with a broken end");
    is(&v, GUARDRAIL_MAX_RATIO, 65536, "a bomb with a broken end");

    l.ratio_floor = MIB;

    v = agree(&l, &in, "broken data below the floor");
    tap_is_u64(v.rc, GUARDRAIL_MALFORMED_ENCODING,
               "broken data below the floor");

    /* the ratio at the end comes before the truncation that is seen there */

    in.len = 0;
    gz_zeros(&in, 10000);
    in.len--;

    l.ratio_floor = 100;

    v = agree(&l, &in, "truncated, and over the ratio");
    is(&v, GUARDRAIL_MAX_RATIO, 10000, "truncated, and over the ratio");

    l.ratio = 1000;

    v = agree(&l, &in, "truncated");
    is(&v, GUARDRAIL_MALFORMED_ENCODING, 10000, "truncated");

    /* cut off at every byte, in any piece */

    in.len = 0;
    m.crc_xor = 0;
    m.len = 500;
    m.flags = GZ_FNAME|GZ_FHCRC|GZ_FEXTRA;
    m.name = 5;
    m.extra = 3;

    gz_member(&in, &m);
    end = in.len;
    gz_member(&in, &m);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    bad = 0;

    for (i = 0; i <= in.len; i++) {
        for (j = 0; j < 3; j++) {
            cuts.each = j;
            judge_body(&l, in.p, i, &cuts, &v, &run);
            run.heap.calls = 0;

            bad += ((v.rc == GUARDRAIL_OK)
                    != (i == 0 || i == end || i == in.len)
                    || v.wire != i || run.fault);
        }
    }

    tap_is_u64(bad, 0, "truncated at every byte");

    /* a byte behind the end, at the start of a slice too */

    for (i = 0; i < 2; i++) {
        in.len = 0;
        data.len = 0;

        for (j = 0; j < 4096 - 5 - (i ? 18 : 6); j++) {
            bytes_byte(&data, (unsigned) (j * j >> 3) & 0xff);
        }

        if (i) {
            gz_plain(&in, data.p, data.len, 0);
        } else {
            bytes_deflate(&in, data.p, data.len, MAX_WBITS, 0, 0, Z_FINISH);
        }

        tap_is_u64(in.len, 4096, "a coded body of one slice");

        bytes_byte(&in, 0);

        l.coding = i ? GUARDRAIL_CODING_GZIP : GUARDRAIL_CODING_DEFLATE;

        v = agree(&l, &in, "junk in a slice of its own");
        is(&v, GUARDRAIL_MALFORMED_ENCODING, data.len,
           "junk in a slice of its own");
        tap_is_u64(v.wire, 4097, "junk in a slice of its own: wire");
    }

    bytes_free(&in);
    bytes_free(&data);
}


static void
test_empty(void)
{
    size_t                   i, j;
    bytes_t                  in = { NULL, 0, 0 };
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    for (i = 0; i < 3; i++) {
        for (j = 0; j < 3; j++) {
            judge_no_limits(&l, (guardrail_coding_e) i);

            l.format = judge_formats[j];
            l.max_body = 0;
            l.max_decoded = 0;
            l.max_records = 0;
            l.max_record_size = 0;
            l.ratio = 1;

            memset(&cuts, 0, sizeof(cuts_t));
            memset(&run, 0, sizeof(judge_run_t));

            judge_body(&l, (const uint8_t *) "", 0, &cuts, &v, &run);

            tap_ok(v.rc == GUARDRAIL_OK && v.wire == 0 && v.decoded == 0
                   && v.records == 0 && run.heap.calls == 0
                   && run.fault == NULL,
                   "coding %zu, format %zu: no bytes are no body", i, j);
        }
    }

    /* a coded body that decodes to nothing */

    gz_plain(&in, "", 0, 6);
    gz_plain(&in, "", 0, 0);

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.format = GUARDRAIL_FORMAT_SNIFF;
    l.max_decoded = 0;
    l.max_records = 1;
    l.ratio = 1;

    v = agree(&l, &in, "empty members");
    is(&v, GUARDRAIL_OK, 0, "empty members");
    tap_is_u64(v.format, GUARDRAIL_FORMAT_NONE, "empty members: no format");

    bytes_free(&in);
}


static void
test_memory(void)
{
    bytes_t                  in = { NULL, 0, 0 };
    cuts_t                   cuts;
    unsigned                 i;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    const guardrail_codec_t  *codec;

    for (i = 1; i < 3; i++) {
        judge_no_limits(&l, (guardrail_coding_e) i);
        codec = guardrail_codec_get(l.coding);

        in.len = 0;

        if (l.coding == GUARDRAIL_CODING_GZIP) {
            gz_zeros(&in, 100000);
        } else {
            bytes_deflate(&in, "x", 1, MAX_WBITS, 9, 0, Z_FINISH);
        }

        memset(&cuts, 0, sizeof(cuts_t));
        memset(&run, 0, sizeof(judge_run_t));

        cuts.each = 5;

        judge_body(&l, in.p, in.len, &cuts, &v, &run);

        tap_ok(v.rc == GUARDRAIL_OK && run.fault == NULL
               && run.heap.calls == 1 && run.heap.size <= codec->memory
               && codec->memory <= 65536, "%s: one allocation of %zu bytes",
               codec->name, run.heap.size);

        memset(&run, 0, sizeof(judge_run_t));

        run.heap.fail = 1;

        judge_body(&l, in.p, in.len, &cuts, &v, &run);

        tap_ok(v.rc == GUARDRAIL_DECODER_MEMORY && run.fault == NULL
               && v.wire == 0 && v.decoded == 0 && run.heap.calls == 1,
               "%s: refused without memory, once and before the first byte",
               codec->name);

        tap_is_u64(guardrail_rc_info(v.rc)->http, 503,
                   "%s: no memory is 503", codec->name);
    }

    bytes_free(&in);
}


/* which bodies are passed by one comparison */

static void
test_plain(void)
{
    unsigned                 i;
    guardrail_body_t         b;
    guardrail_body_meter_t   meter;
    guardrail_body_limits_t  l;

    for (i = GUARDRAIL_FORMAT_NONE; i <= GUARDRAIL_FORMAT_SNIFF_CSV; i++) {
        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);
        l.format = (guardrail_format_e) i;

        guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

        tap_is_u64(guardrail_body_is_plain(&b),
                   i == GUARDRAIL_FORMAT_NONE || i == GUARDRAIL_FORMAT_JSON
                   || i == GUARDRAIL_FORMAT_JSON_SEQ,
                   "format %u is plain or not", i);

        l.max_records = 1;
        guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

        tap_ok(!guardrail_body_is_plain(&b)
               && guardrail_body_was_looked_into(&b),
               "format %u under a limit of records is not plain", i);
    }

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);
    l.format = GUARDRAIL_FORMAT_NONE;
    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

    tap_ok(!guardrail_body_is_plain(&b), "a coded body is not plain");

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);
    l.format = GUARDRAIL_FORMAT_NONE;
    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);
    guardrail_body_set_meter(&b, NULL);

    tap_ok(guardrail_body_is_plain(&b), "no meter: plain as before");

    memset(&meter, 0, sizeof(guardrail_body_meter_t));
    guardrail_body_set_meter(&b, &meter);

    tap_ok(!guardrail_body_is_plain(&b) && b.meter == &meter,
           "a body that is metered is not plain");

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);
    guardrail_body_decoded_before(&b, 10);

    tap_ok(!guardrail_body_is_plain(&b) && b.wire == 10,
           "a body that was decoded before is not plain");
}


static void
test_plain_limits(void)
{
    size_t                   used;
    int64_t                  budget;
    uint8_t                  p[16];
    guardrail_body_t         b;
    guardrail_body_limits_t  l;

    budget = JUDGE_PLENTY;
    memset(p, 'x', sizeof(p));

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);
    l.format = GUARDRAIL_FORMAT_NONE;
    l.max_body = 20;
    l.max_decoded = 30;

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

    tap_ok(guardrail_body_feed(&b, p, 16, NULL, &budget, &used)
           == GUARDRAIL_OK && used == 16 && b.wire == 16 && b.decoded == 16,
           "plain: 16 bytes of 20");
    tap_ok(guardrail_body_feed(&b, p, 4, NULL, &budget, &used)
           == GUARDRAIL_OK && used == 4 && guardrail_body_is_plain(&b),
           "plain: all of the 20");
    tap_ok(guardrail_body_feed(&b, p, 9, NULL, &budget, &used)
           == GUARDRAIL_MAX_BODY && used == 1 && b.wire == 21
           && b.decoded == 21 && b.limit == 20 && b.observed == 21,
           "plain: the one that is too many");
    tap_ok(guardrail_body_feed(&b, p, 0, NULL, &budget, &used)
           == GUARDRAIL_MAX_BODY && guardrail_body_finish(&b)
                                    == GUARDRAIL_MAX_BODY,
           "plain: a refusal stays");

    l.max_body = 40;
    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

    (void) guardrail_body_feed(&b, p, 16, NULL, &budget, &used);

    tap_ok(guardrail_body_feed(&b, p, 16, NULL, &budget, &used)
           == GUARDRAIL_MAX_DECODED && used == 15 && b.decoded == 31,
           "plain: max_decoded where it is the lower one");

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

    tap_ok(guardrail_body_feed(&b, p, 16, NULL, &budget, &used)
           == GUARDRAIL_OK
           && guardrail_body_finish(&b) == GUARDRAIL_OK
           && guardrail_body_finish(&b) == GUARDRAIL_OK && b.finished,
           "plain: it ends, and may be ended again");
    tap_ok(guardrail_body_feed(&b, p, 1, NULL, &budget, &used)
           == GUARDRAIL_INTERNAL && b.wire == 16,
           "plain: nothing comes after its end");
}


/* the odd calls that buffers of nginx lead to */

static void
test_calls(void)
{
    size_t                   used;
    int64_t                  budget;
    bytes_t                  in = { NULL, 0, 0 };
    uint8_t                  scratch[GUARDRAIL_BODY_QUANTUM];
    judge_heap_t             heap;
    guardrail_rc_e           rc;
    guardrail_body_t         b;
    guardrail_alloc_t        alloc;
    guardrail_body_limits_t  l;

    memset(&heap, 0, sizeof(judge_heap_t));

    alloc.alloc = judge_alloc;
    alloc.free = judge_free;
    alloc.opaque = &heap;

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);
    gz_zeros(&in, 100000);

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);

    budget = 1000;
    used = 99;

    rc = guardrail_body_feed(&b, NULL, 0, scratch, &budget, &used);
    tap_ok(rc == GUARDRAIL_OK && used == 0 && budget == 1000
           && heap.calls == 0, "an empty piece costs nothing");

    budget = 0;

    rc = guardrail_body_feed(&b, in.p, in.len, scratch, &budget, &used);
    tap_ok(rc == GUARDRAIL_AGAIN && used == 0 && b.wire == 0,
           "no budget, nothing done");

    budget = -1000;

    rc = guardrail_body_feed(&b, in.p, in.len, scratch, &budget, &used);
    tap_ok(rc == GUARDRAIL_AGAIN && used == 0 && budget == -1000,
           "less than no budget, nothing done");

    /* all is taken in, but more is to come: the rest of the piece is empty */

    budget = 1;

    rc = guardrail_body_feed(&b, in.p, in.len, scratch, &budget, &used);

    tap_ok(rc == GUARDRAIL_AGAIN && b.decoded == 16384 && budget < 0,
           "one quantum for the least budget");

    while (rc == GUARDRAIL_AGAIN && b.wire < in.len) {
        budget = 1;
        rc = guardrail_body_feed(&b, in.p + b.wire, in.len - (size_t) b.wire,
                                 scratch, &budget, &used);
    }

    while (rc == GUARDRAIL_AGAIN) {
        budget = 1;
        rc = guardrail_body_feed(&b, NULL, 0, scratch, &budget, &used);
    }

    tap_ok(rc == GUARDRAIL_OK && b.decoded == 100000,
           "the rest comes out with empty pieces");

    rc = guardrail_body_finish(&b);
    tap_is_u64(rc, GUARDRAIL_OK, "and the end is the end");

    guardrail_body_close(&b);
    tap_ok(heap.live == 0 && heap.calls == 1, "nothing is left");

    /* nothing is judged after the end: neither passed nor decoded anew */

    budget = 1000;
    rc = guardrail_body_feed(&b, in.p, in.len, scratch, &budget, &used);
    tap_ok(rc == GUARDRAIL_INTERNAL && heap.calls == 1 && b.wire == in.len,
           "a byte after the end is refused");
    guardrail_body_close(&b);
    tap_is_u64(heap.live, 0, "nothing is left");

    /* an aborted request: closed in the middle, then nothing passes */

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);

    budget = 1000;
    rc = guardrail_body_feed(&b, in.p, 20, scratch, &budget, &used);
    tap_is_u64(rc, GUARDRAIL_OK, "a part of a body");

    guardrail_body_close(&b);
    tap_is_u64(heap.live, 0, "closed in the middle, nothing is left");

    rc = guardrail_body_finish(&b);
    tap_ok(rc != GUARDRAIL_OK, "closed in the middle, it does not pass");

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);

    heap.calls = 0;
    budget = 1000;
    rc = guardrail_body_feed(&b, in.p, 20, scratch, &budget, &used);
    tap_is_u64(rc, GUARDRAIL_OK, "a part of a body");

    guardrail_body_close(&b);

    rc = guardrail_body_feed(&b, in.p + 20, 1, scratch, &budget, &used);
    tap_ok(rc == GUARDRAIL_INTERNAL && heap.calls == 1 && heap.live == 0,
           "closed in the middle, a byte more is refused, not decoded anew");

    /* not begun */

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);
    guardrail_body_close(&b);
    guardrail_body_close(&b);
    tap_is_u64(heap.live, 0, "closed before it began");

    /* identity has no use for scratch, budget or memory */

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);
    l.format = GUARDRAIL_FORMAT_NDJSON;

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

    budget = -5;
    rc = guardrail_body_feed(&b, (const uint8_t *) "{}\n", 3, NULL, &budget,
                             &used);
    tap_ok(rc == GUARDRAIL_OK && used == 3 && budget == -5,
           "identity costs nothing");

    rc = guardrail_body_feed(&b, NULL, 0, NULL, &budget, &used);
    tap_ok(rc == GUARDRAIL_OK && used == 0, "identity, an empty piece");

    rc = guardrail_body_finish(&b);
    tap_ok(rc == GUARDRAIL_OK && b.nd.records == 1, "identity, the end");

    rc = guardrail_body_feed(&b, (const uint8_t *) "{}\n", 3, NULL, &budget,
                             &used);
    tap_ok(rc == GUARDRAIL_INTERNAL && b.nd.records == 1,
           "identity, a byte after the end is refused");

    guardrail_body_close(&b);

    /* a coding that is not built in must not pass as identity */

    judge_no_limits(&l, (guardrail_coding_e) 64);

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), NULL);

    rc = guardrail_body_feed(&b, (const uint8_t *) "x", 1, scratch, &budget,
                             &used);
    tap_is_u64(rc, GUARDRAIL_INTERNAL, "an unknown coding cannot be judged");

    guardrail_body_close(&b);
    bytes_free(&in);
}


/* a pass of the event loop ends soon after its budget does */

static void
test_budget(void)
{
    size_t                   i, used, done, passes;
    int64_t                  budget, worst;
    bytes_t                  in = { NULL, 0, 0 };
    uint64_t                 decoded, most;
    uint8_t                  scratch[GUARDRAIL_BODY_QUANTUM];
    judge_heap_t             heap;
    guardrail_rc_e           rc;
    guardrail_body_t         b;
    guardrail_alloc_t        alloc;
    guardrail_body_limits_t  l;

    static const int64_t  budgets[] = { 1, 7, 1000, 262144 };

    alloc.alloc = judge_alloc;
    alloc.free = judge_free;
    alloc.opaque = &heap;

    gz_zeros(&in, 16 * MIB);
    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    for (i = 0; i < 4; i++) {
        memset(&heap, 0, sizeof(judge_heap_t));

        guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);

        rc = GUARDRAIL_AGAIN;
        passes = 0;
        worst = 0;
        most = 0;

        for (done = 0; rc == GUARDRAIL_AGAIN && passes < 100000; passes++) {
            budget = budgets[i];
            decoded = b.decoded;

            rc = guardrail_body_feed(&b, in.p + done, in.len - done, scratch,
                                     &budget, &used);

            done += used;

            if (b.decoded - decoded > most) {
                most = b.decoded - decoded;
            }

            if (-budget > worst) {
                worst = -budget;
            }
        }

        tap_ok(rc == GUARDRAIL_OK && done == in.len
               && most <= (uint64_t) budgets[i] + GUARDRAIL_BODY_QUANTUM
               && worst <= GUARDRAIL_BODY_QUANTUM + 8 * GUARDRAIL_BODY_SLICE,
               "a budget of %" PRId64 ": %zu passes, at most %" PRIu64
               " bytes in one", budgets[i], passes, most);

        tap_is_u64(guardrail_body_finish(&b), GUARDRAIL_OK, "all of it");
        guardrail_body_close(&b);
    }

    bytes_free(&in);
}


/* coded bytes that cost time and give nothing: empty dynamic blocks */

static void
test_slow_blocks(void)
{
    size_t                   i, used, done, most;
    int64_t                  budget;
    bytes_t                  in = { NULL, 0, 0 };
    uint8_t                  scratch[GUARDRAIL_BODY_QUANTUM];
    unsigned                 bits, n;
    judge_heap_t             heap;
    guardrail_rc_e           rc;
    guardrail_body_t         b;
    guardrail_alloc_t        alloc;
    guardrail_body_limits_t  l;

    /*
     * Not the last, dynamic; HLIT 0, HDIST 0, HCLEN 14 (18 lengths): 18 and 1
     * have length 1 each; 138 and 118 zeros, 1 for the end of block, 1 for a
     * distance; end of block.
     */

    static const struct {
        unsigned  value;
        unsigned  bits;
    } block[] = {
        { 0, 1 }, { 2, 2 }, { 0, 5 }, { 0, 5 }, { 14, 4 },
        { 0, 3 }, { 0, 3 }, { 1, 3 }, { 0, 3 }, { 0, 3 }, { 0, 3 }, { 0, 3 },
        { 0, 3 }, { 0, 3 }, { 0, 3 }, { 0, 3 }, { 0, 3 }, { 0, 3 }, { 0, 3 },
        { 0, 3 }, { 0, 3 }, { 0, 3 }, { 1, 3 },
        { 1, 1 }, { 127, 7 }, { 1, 1 }, { 107, 7 }, { 0, 1 }, { 0, 1 },
        { 0, 1 }
    };

    bits = 0;
    n = 0;

    while (in.len < 65536) {
        for (i = 0; i < sizeof(block) / sizeof(block[0]); i++) {
            bits |= block[i].value << n;
            n += block[i].bits;

            while (n >= 8) {
                bytes_byte(&in, bits & 0xff);
                bits >>= 8;
                n -= 8;
            }
        }
    }

    bits |= 3u << n;            /* the last one: fixed, of nothing */
    n += 10;

    for ( ;; ) {
        bytes_byte(&in, bits & 0xff);
        bits >>= 8;

        if (n <= 8) {
            break;
        }

        n -= 8;
    }

    alloc.alloc = judge_alloc;
    alloc.free = judge_free;
    alloc.opaque = &heap;

    memset(&heap, 0, sizeof(judge_heap_t));

    judge_no_limits(&l, GUARDRAIL_CODING_DEFLATE);
    guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);

    rc = GUARDRAIL_AGAIN;
    most = 0;

    for (done = 0; rc == GUARDRAIL_AGAIN; done += used) {
        budget = 8192;
        rc = guardrail_body_feed(&b, in.p + done, in.len - done, scratch,
                                 &budget, &used);

        if (used > most) {
            most = used;
        }
    }

    tap_ok(rc == GUARDRAIL_OK && b.decoded == 0 && most <= 4096,
           "empty dynamic blocks: at most %zu bytes in a pass", most);
    tap_is_u64(guardrail_body_finish(&b), GUARDRAIL_OK,
               "empty dynamic blocks are well-formed");

    guardrail_body_close(&b);
    bytes_free(&in);
}


/* types whose format is found in the body */

static void
test_sniff(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  gzip = { NULL, 0, 0 };
    verdict_t                v;
    guardrail_body_limits_t  l;

    static const struct {
        const char          *what;
        const char          *body;
        size_t               len;
        guardrail_rc_e       rc;
        uint64_t             decoded;
        uint64_t             records;
        guardrail_format_e   format;
    } sniffs[] = {

#define BODY(s)  s, sizeof(s) - 1
#define RECORDS  GUARDRAIL_FORMAT_NDJSON
#define NONE     GUARDRAIL_FORMAT_NONE
#define SNIFF    GUARDRAIL_FORMAT_SNIFF
#define OK       GUARDRAIL_OK
#define TYPE     GUARDRAIL_TYPE
#define UTF16    GUARDRAIL_MALFORMED_JSON

        { "an object", BODY("{}"), OK, 2, 1, RECORDS },
        { "an array", BODY("[1]"), OK, 3, 1, RECORDS },
        { "rows", BODY("{}\n{}\n{}\n"), OK, 9, 3, RECORDS },
        { "rows after space", BODY(" \t\r\n {}\n{}"), OK, 10, 2, RECORDS },
        { "a string", BODY("\"a\""), OK, 3, 1, RECORDS },
        { "a number", BODY("-1"), OK, 2, 1, RECORDS },
        { "a digit", BODY("7"), OK, 1, 1, RECORDS },
        { "true", BODY("true"), OK, 4, 1, RECORDS },
        { "false", BODY("false"), OK, 5, 1, RECORDS },
        { "null", BODY("null"), OK, 4, 1, RECORDS },
        { "NaN", BODY("NaN"), OK, 3, 1, RECORDS },
        { "Infinity", BODY("Infinity"), OK, 8, 1, RECORDS },
        { "a form", BODY("a=1&b=2"), TYPE, 1, 0, SNIFF },
        { "XML", BODY("<a/>"), TYPE, 1, 0, SNIFF },
        { "XML after space", BODY("\n\n<a/>"), TYPE, 3, 0, SNIFF },
        { "TRUE", BODY("TRUE"), TYPE, 1, 0, SNIFF },
        { "a plus", BODY("+1"), TYPE, 1, 0, SNIFF },
        { "a point", BODY(".5"), TYPE, 1, 0, SNIFF },
        { "a bracket that closes", BODY("]"), TYPE, 1, 0, SNIFF },
        { "a comment", BODY("/* */{}"), TYPE, 1, 0, SNIFF },
        { "RS", BODY("\x1e{}"), TYPE, 1, 0, SNIFF },
        { "VT is no space", BODY("\x0b{}"), TYPE, 1, 0, SNIFF },
        { "FF is no space", BODY("\n\x0c{}"), TYPE, 2, 0, SNIFF },
        { "NBSP is no space", BODY("\xc2\xa0{}"), TYPE, 1, 0, SNIFF },
        { "a NUL later", BODY("\n\n\0{}"), TYPE, 3, 0, SNIFF },
        { "space", BODY(" "), OK, 1, 0, NONE },
        { "white space alone", BODY(" \t\r\n\r \n"), OK, 7, 0, NONE },
        { "a BOM", BODY("\xef\xbb\xbf{}\n"), OK, 6, 1, RECORDS },
        { "a BOM and space", BODY("\xef\xbb\xbf \n"), OK, 5, 0, NONE },
        { "a BOM alone", BODY("\xef\xbb\xbf"), OK, 3, 0, NONE },
        { "a BOM and XML", BODY("\xef\xbb\xbf<"), TYPE, 4, 0, SNIFF },
        { "half a BOM", BODY("\xef\xbb{}"), TYPE, 3, 0, SNIFF },
        { "a third of a BOM", BODY("\xef{}"), TYPE, 2, 0, SNIFF },
        { "a BOM cut off", BODY("\xef\xbb"), TYPE, 2, 0, SNIFF },
        { "a BOM cut shorter", BODY("\xef"), TYPE, 1, 0, SNIFF },
        { "the tail of a BOM", BODY("\xbb\xbf{}"), TYPE, 1, 0, SNIFF },
        { "two BOMs", BODY("\xef\xbb\xbf\xef\xbb\xbf{}"), TYPE, 4, 0, SNIFF },
        { "UTF-16BE with a BOM", BODY("\xfe\xff\0{"), UTF16, 2, 1, SNIFF },
        { "UTF-16LE with a BOM", BODY("\xff\xfe{\0"), UTF16, 2, 1, SNIFF },
        { "UTF-32LE with a BOM", BODY("\xff\xfe\0\0{\0\0\0"), UTF16, 2, 1,
          SNIFF },
        { "UTF-32BE with a BOM", BODY("\0\0\xfe\xff\0\0\0{"), UTF16, 1, 1,
          SNIFF },
        { "UTF-16BE", BODY("\0{\0}"), UTF16, 1, 1, SNIFF },
        { "UTF-16LE", BODY("{\0}\0"), UTF16, 2, 1, RECORDS },
        { "UTF-16LE after space", BODY(" \0{\0"), UTF16, 2, 1, SNIFF },
        { "FE alone", BODY("\xfe"), TYPE, 1, 0, SNIFF },
        { "FF alone", BODY("\xff"), TYPE, 1, 0, SNIFF },
        { "FE FE", BODY("\xfe\xfe"), TYPE, 2, 0, SNIFF },
        { "FF {", BODY("\xff{}"), TYPE, 2, 0, SNIFF },
        { "FE FF after space", BODY(" \xfe\xff"), TYPE, 2, 0, SNIFF }

#undef BODY
#undef RECORDS
#undef NONE
#undef SNIFF
#undef OK
#undef TYPE
#undef UTF16
    };

    for (i = 0; i < sizeof(sniffs) / sizeof(sniffs[0]); i++) {

        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

        l.format = GUARDRAIL_FORMAT_SNIFF;
        l.max_records = 1000;

        in.len = 0;
        bytes_add(&in, sniffs[i].body, sniffs[i].len);

        v = agree(&l, &in, sniffs[i].what);
        is(&v, sniffs[i].rc, sniffs[i].decoded, sniffs[i].what);

        tap_is_u64(v.format, sniffs[i].format, "%s: its format",
                   sniffs[i].what);

        if (v.rc == GUARDRAIL_OK) {
            tap_is_u64(v.records, sniffs[i].records, "%s: its records",
                       sniffs[i].what);

        } else {
            tap_ok(v.error != NULL, "%s: why", sniffs[i].what);
        }

        /* the decoded bytes are what is looked at */

        l.coding = GUARDRAIL_CODING_GZIP;

        gzip.len = 0;
        gz_plain(&gzip, in.p, in.len, 6);

        v = agree(&l, &gzip, sniffs[i].what);
        is(&v, sniffs[i].rc, sniffs[i].decoded, sniffs[i].what);
    }

    bytes_free(&in);
    bytes_free(&gzip);
}


/* every first byte, and every second one after it */

static void
test_sniff_bytes(void)
{
    cuts_t                   cuts;
    uint8_t                  body[4];
    unsigned                 i, j, bad;
    verdict_t                v, model;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

    l.format = GUARDRAIL_FORMAT_SNIFF;
    l.max_records = 1000;

    memset(&cuts, 0, sizeof(cuts_t));

    body[2] = '{';
    body[3] = '}';
    bad = 0;

    for (i = 0; i < 256; i++) {
        for (j = 0; j < 256; j++) {
            body[0] = (uint8_t) i;
            body[1] = (uint8_t) j;

            model_judge(&l, body, 4, &model, NULL);

            memset(&run, 0, sizeof(judge_run_t));
            cuts.each = (i ^ j) & 1;

            judge_body(&l, body, 4, &cuts, &v, &run);

            if (run.fault || model_differ(&model, &v)) {
                bad++;
            }
        }
    }

    tap_is_u64(bad, 0, "every two bytes at the start");
}


/* what came before the first byte that counts is judged as explicit ndjson */

static void
test_sniff_late(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    verdict_t                v, explicit;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

    l.format = GUARDRAIL_FORMAT_SNIFF;
    l.max_records = 1;

    bytes_fill(&in, '\n', 5000);

    v = agree(&l, &in, "5000 blank lines");
    is(&v, GUARDRAIL_OK, 5000, "5000 blank lines");
    tap_is_u64(v.records, 0, "5000 blank lines: no records");

    bytes_text(&in, "{}");

    v = agree(&l, &in, "5000 blank lines and a record");
    is(&v, GUARDRAIL_MAX_RECORDS, 5001, "5000 blank lines and a record");
    is_limit(&v, 16 + 1024, 16 + 1024 + 1, "5000 blank lines and a record");
    tap_is_str(v.unit, "lines", "5000 blank lines and a record: the unit");

    /* the same, where a record's size is over its limit behind them */

    l.max_record_size = 1;

    v = agree(&l, &in, "5000 blank lines and a large record");
    is(&v, GUARDRAIL_MAX_RECORDS, 5001, "5000 blank lines and a large record");

    /* space before a record is of its line */

    in.len = 0;
    bytes_fill(&in, ' ', 100);
    bytes_text(&in, "{}");

    l.max_record_size = 100;

    v = agree(&l, &in, "a record behind 100 spaces");
    is(&v, GUARDRAIL_MAX_RECORD_SIZE, 101, "a record behind 100 spaces");

    /* a line of a BOM and space, if it is a record, has that size */

    in.len = 0;
    bytes_text(&in, "\xef\xbb\xbf");
    bytes_fill(&in, ' ', 200);
    bytes_text(&in, "\n{}\n");

    l.max_records = 100;

    for (i = 0; i < 3; i++) {
        l.format = GUARDRAIL_FORMAT_SNIFF;
        v = agree(&l, &in, "a line of a BOM");

        l.format = GUARDRAIL_FORMAT_NDJSON;
        explicit = agree(&l, &in, "a line of a BOM, explicit");

        tap_ok(v.rc == explicit.rc && v.limit == explicit.limit
               && v.observed == explicit.observed
               && v.records == explicit.records
               && v.largest == explicit.largest,
               "a line of a BOM: as if the format had been explicit");

        l.max_record_size += 51;
    }

    bytes_free(&in);
}


/* what compresses well and is no attack passes at 200 floor=4m */

static void
test_legal(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    bytes_t                  data = { NULL, 0, 0 };
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    judge_no_limits(&l, GUARDRAIL_CODING_GZIP);

    l.format = GUARDRAIL_FORMAT_NDJSON;
    l.ratio = 200;
    l.ratio_floor = 4 * MIB;

    for (i = 0; i < 60000; i++) {
        bytes_text(&data, "{\"service\":\"api\",\"status\":\"ok\","
                          "\"load\":0.0,\"errors\":0,"
                          "\"note\":\"heartbeat\"}\n");
    }

    gz_plain(&in, data.p, data.len, 6);

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    judge_body(&l, in.p, in.len, &cuts, &v, &run);

    tap_ok(v.rc == GUARDRAIL_OK && v.records == 60000
           && data.len / in.len > 200, "heartbeats at %zu:1 pass",
           data.len / in.len);

    data.len = 0;
    in.len = 0;

    for (i = 0; i < 500000; i++) {
        bytes_text(&data, "0,0,0,0\n");
    }

    gz_plain(&in, data.p, data.len, 6);

    memset(&run, 0, sizeof(judge_run_t));

    l.format = GUARDRAIL_FORMAT_NONE;

    judge_body(&l, in.p, in.len, &cuts, &v, &run);

    tap_ok(v.rc == GUARDRAIL_OK && data.len / in.len > 400,
           "rows of zeros at %zu:1 pass", data.len / in.len);

    bytes_free(&in);
    bytes_free(&data);
}


/* zeros, text, noise, lines, white space */

static void
random_data(rng_t *rng, bytes_t *out)
{
    size_t    i, n;
    unsigned  kind;

    kind = (unsigned) rng_below(rng, 6);
    n = rng_below(rng, 3) ? rng_below(rng, 3000) : rng_below(rng, 60000);

    switch (kind) {

    case 0:
        bytes_fill(out, 0, n * 4);
        break;

    case 1:
        for (i = 0; i < n / 4; i++) {
            bytes_byte(out, (unsigned) rng_next(rng) & 0xff);
        }
        break;

    case 2:
        json_lines(out, n / 30);
        break;

    case 3:
        bytes_fill(out, rng_below(rng, 2) ? ' ' : '\n', n);
        break;

    case 4:
        for (i = 0; i < n; i++) {
            bytes_byte(out, (unsigned) ("\n\r {\"a:1}"[rng_below(rng, 9)]));
        }
        break;

    default:
        bytes_fill(out, (int) rng_below(rng, 256), n);
    }
}


static void
random_body(rng_t *rng, guardrail_coding_e coding, bytes_t *out)
{
    int           wbits;
    size_t        i, n;
    bytes_t       data = { NULL, 0, 0 };
    bytes_t       part = { NULL, 0, 0 };
    gz_member_t   m;

    n = 1 + rng_below(rng, 4);

    if (coding == GUARDRAIL_CODING_IDENTITY) {
        for (i = 0; i < n; i++) {
            random_data(rng, out);
        }

        return;
    }

    if (coding == GUARDRAIL_CODING_GZIP) {

        if (rng_below(rng, 8) == 0) {
            n = 1 + rng_below(rng, 60);
        }

        for (i = 0; i < n; i++) {
            data.len = 0;

            if (n < 6) {
                random_data(rng, &data);
            } else {
                bytes_fill(&data, 0, rng_below(rng, 20000));
            }

            memset(&m, 0, sizeof(gz_member_t));

            if (rng_below(rng, 3) == 0) {
                m.flags = (unsigned) rng_below(rng, 0x20);
                m.extra = rng_below(rng, 3000);
                m.name = rng_below(rng, 2) ? 5 : rng_below(rng, 20000);
                m.comment = rng_below(rng, 300);
            }

            m.data = data.p;
            m.len = data.len;
            m.level = (int) rng_below(rng, 10);
            m.strategy = (int) rng_below(rng, 5);

            gz_member(out, &m);
        }

    } else {

        /* blocks of all kinds behind one another, flushed */

        wbits = rng_below(rng, 2) ? MAX_WBITS : -MAX_WBITS;

        if (wbits == MAX_WBITS) {
            bytes_add(out, "\x78\x9c", 2);
        }

        for (i = 0; i < n; i++) {
            part.len = 0;

            random_data(rng, &part);
            bytes_deflate(out, part.p, part.len, -MAX_WBITS,
                          (int) rng_below(rng, 10), (int) rng_below(rng, 5),
                          rng_below(rng, 2) ? Z_FULL_FLUSH : Z_SYNC_FLUSH);
            bytes_add(&data, part.p, part.len);
        }

        bytes_add(out, "\x03\0", 2);

        if (wbits == MAX_WBITS) {
            n = adler32_z(1, data.p ? data.p : (const Bytef *) "", data.len);

            bytes_byte(out, n >> 24 & 0xff);
            bytes_byte(out, n >> 16 & 0xff);
            bytes_byte(out, n >> 8 & 0xff);
            bytes_byte(out, n & 0xff);
        }
    }

    bytes_free(&data);
    bytes_free(&part);
}


static void
test_random(void)
{
    size_t                   i, j, bad, refused;
    rng_t                    rng;
    cuts_t                   cuts;
    bytes_t                  in = { NULL, 0, 0 };
    uint64_t                 floor, wrong;
    verdict_t                whole, model, free_of, v;
    const char              *differ;
    judge_run_t              run;
    guardrail_body_limits_t  l;
    size_t                   counts[GUARDRAIL_RC_MAX];

    static const uint64_t  ratios[] = { 1, 2, 5, 20, 100, 500 };

    rng.s = seed;
    bad = 0;
    wrong = 0;
    refused = 0;

    memset(counts, 0, sizeof(counts));
    tap_diag("seed %" PRIu64, seed);

    for (i = 0; i < 100; i++) {

        in.len = 0;
        random_body(&rng, (guardrail_coding_e) (i % 5 == 4 ? 0 : 1 + i % 2),
                    &in);

        if (in.len == 0) {
            continue;
        }

        judge_no_limits(&l, (guardrail_coding_e) (i % 5 == 4 ? 0 : 1 + i % 2));

        /* some broken, some cut off, some with more behind the end */

        if (rng_below(&rng, 5) == 0) {
            in.p[rng_below(&rng, in.len)] ^= (uint8_t) rng_next(&rng);
        }

        if (rng_below(&rng, 8) == 0) {
            in.len = 1 + rng_below(&rng, in.len);
        }

        if (rng_below(&rng, 8) == 0) {
            bytes_fill(&in, 0x1f, 1 + rng_below(&rng, 5000));
        }

        /* the floor that is just enough, and what there is to limit */

        floor = 0;
        l.ratio = ratios[rng_below(&rng, 6)];
        l.ratio_floor = GUARDRAIL_NO_LIMIT;
        l.format = GUARDRAIL_FORMAT_NDJSON;

        model_judge(&l, in.p, in.len, &free_of, &floor);

        for (j = 0; j < 6; j++) {

            l.ratio_floor = (j == 0) ? floor
                            : (j == 1 && floor) ? floor - 1
                            : rng_below(&rng, (size_t) floor * 2 + 2);

            l.max_body = GUARDRAIL_NO_LIMIT;
            l.max_decoded = GUARDRAIL_NO_LIMIT;
            l.max_records = GUARDRAIL_NO_LIMIT;
            l.max_record_size = GUARDRAIL_NO_LIMIT;
            l.format = judge_formats[rng_below(&rng, 3)];

            if (j > 1) {
                if (rng_below(&rng, 2)) {
                    l.max_body = rng_below(&rng, in.len + 2);
                }

                if (rng_below(&rng, 2)) {
                    l.max_decoded = rng_below(&rng,
                                              (size_t) free_of.decoded + 2);
                }

                if (rng_below(&rng, 2)) {
                    l.max_records = 1 + rng_below(&rng,
                                              (size_t) free_of.records + 2);
                }

                if (rng_below(&rng, 2)) {
                    l.max_record_size = 1 + rng_below(&rng,
                                              (size_t) free_of.largest + 2);
                }
            }

            model_judge(&l, in.p, in.len, &model, NULL);

            memset(&cuts, 0, sizeof(cuts_t));
            memset(&run, 0, sizeof(judge_run_t));

            judge_body(&l, in.p, in.len, &cuts, &whole, &run);

            differ = model_differ(&model, &whole);
            counts[whole.rc]++;

            if (differ || run.fault) {
                wrong++;
                tap_diag("body %zu, limits %zu: the model differs in %s: %s at"
                         " %" PRIu64 " for %s at %" PRIu64 "; %s", i, j,
                         differ ? differ : "nothing",
                         guardrail_rc_info(whole.rc)->name, whole.decoded,
                         guardrail_rc_info(model.rc)->name, model.decoded,
                         run.fault ? run.fault : "no fault");
            }

            if (j == 1 && floor && l.coding != GUARDRAIL_CODING_IDENTITY
                && l.format == GUARDRAIL_FORMAT_NONE)
            {
                refused += (whole.rc != GUARDRAIL_MAX_RATIO);
            }

            cuts.rng = &rng;
            cuts.each = rng_below(&rng, 3) ? rng_below(&rng, in.len + 1)
                                           : 1 + rng_below(&rng, 100);
            cuts.budget = (int64_t) rng_below(&rng, 3)
                          * (int64_t) (1 + rng_below(&rng, 100000));

            memset(&run, 0, sizeof(judge_run_t));

            judge_body(&l, in.p, in.len, &cuts, &v, &run);

            differ = judge_differ(&whole, &v,
                                  l.coding == GUARDRAIL_CODING_IDENTITY);

            if (differ || run.fault) {
                bad++;
                tap_diag("body %zu, limits %zu: cuts change %s; %s", i, j,
                         differ ? differ : "nothing",
                         run.fault ? run.fault : "no fault");
            }
        }
    }

    tap_is_u64(wrong, 0, "random bodies: as the model has it");
    tap_is_u64(bad, 0, "random bodies: in any cuts");
    tap_is_u64(refused, 0, "random bodies: one byte less of floor is refused");

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        if (counts[i]) {
            tap_diag("%zu of %s", counts[i],
                     guardrail_rc_info((guardrail_rc_e) i)->name);
        }
    }

    tap_ok(counts[GUARDRAIL_OK] && counts[GUARDRAIL_MAX_BODY]
           && counts[GUARDRAIL_MAX_DECODED] && counts[GUARDRAIL_MAX_RATIO]
           && counts[GUARDRAIL_MALFORMED_ENCODING] && counts[GUARDRAIL_TYPE]
           && counts[GUARDRAIL_MAX_RECORDS]
           && counts[GUARDRAIL_MAX_RECORD_SIZE],
           "random bodies: every verdict was among them");

    bytes_free(&in);
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    test_bombs();
    test_equality();
    test_floor();
    test_overhead();
    test_unfinished_header();
    test_full_quantum();
    test_last_quantum();
    test_max_body();
    test_max_decoded();
    test_earliest();
    test_malformed();
    test_empty();
    test_memory();
    test_plain();
    test_plain_limits();
    test_calls();
    test_budget();
    test_slow_blocks();
    test_sniff();
    test_sniff_bytes();
    test_sniff_late();
    test_legal();
    test_random();

    return tap_done();
}
