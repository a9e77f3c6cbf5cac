
/*
 * Copyright (C) nginx-guardrail authors
 *
 * JSON, CSV and their memory in a body: at random limits, the same verdict
 * however it is cut, and the bound on decoded bytes against wide integers.
 */


#include "judge.h"
#include "tap.h"


#if (__SANITIZE_ADDRESS__)
#define SMALL   3000
#define LARGE   120
#define BOUNDS  100000
#else
#define SMALL   12000
#define LARGE   500
#define BOUNDS  1000000
#endif

#define NL      GUARDRAIL_NO_LIMIT


__extension__ typedef unsigned __int128  wide_t;

typedef struct {
    guardrail_body_t     *body;
    uint64_t              wire;
    uint64_t              decoded;
    uint64_t              records;
    unsigned              fault;
} meter_t;


static uint64_t  seed = 5;


static void test_known(void);
static void test_blank_sniffed(void);
static void test_cuts(const char *what, size_t bodies, size_t pieces);
static unsigned cut_body(const guardrail_body_limits_t *l, const bytes_t *in,
    rng_t *rng);
static void test_one_by_one(void);
static void test_quota_sniffed(void);
static void test_bound(void);
static uint64_t edge(rng_t *rng);
static void test_meter(void);
static guardrail_rc_e meter_charge(void *opaque);
static void random_limits(rng_t *rng, guardrail_body_limits_t *l);
static uint64_t some(rng_t *rng, size_t most);
static void random_content(rng_t *rng, size_t pieces, bytes_t *out);


static const guardrail_format_e  formats[] = {
    GUARDRAIL_FORMAT_JSON,
    GUARDRAIL_FORMAT_JSON_SEQ,
    GUARDRAIL_FORMAT_CSV,
    GUARDRAIL_FORMAT_NDJSON,
    GUARDRAIL_FORMAT_SNIFF,
    GUARDRAIL_FORMAT_SNIFF_CSV
};


/* two limits at one byte and at neighbours: the earliest, then the table */

static void
test_known(void)
{
    size_t                   i;
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    static const struct {
        const char          *body;
        guardrail_format_e   format;
        uint64_t             size;
        uint64_t             depth;
        uint64_t             memory;
        guardrail_rc_e       rc;
        uint64_t             decoded;
    } t[] = {
        { "[[[1", GUARDRAIL_FORMAT_NDJSON, 2, 2, NL,
          GUARDRAIL_MAX_RECORD_SIZE, 3 },
        { "[[[1", GUARDRAIL_FORMAT_NDJSON, 3, 2, NL, GUARDRAIL_JSON_DEPTH,
          3 },
        { "[[[1", GUARDRAIL_FORMAT_NDJSON, 1, 2, NL,
          GUARDRAIL_MAX_RECORD_SIZE, 2 },
        { "[[[1", GUARDRAIL_FORMAT_JSON, NL, 2, NL, GUARDRAIL_JSON_DEPTH, 3 },
        { "[[[1", GUARDRAIL_FORMAT_SNIFF, 2, 2, NL,
          GUARDRAIL_MAX_RECORD_SIZE, 3 },
        { "[[[1", GUARDRAIL_FORMAT_SNIFF_CSV, 3, 2, NL,
          GUARDRAIL_JSON_DEPTH, 3 },
        { "a,b,c", GUARDRAIL_FORMAT_CSV, 2, NL, 2,
          GUARDRAIL_MAX_RECORD_SIZE, 3 },
        { "a,b,c", GUARDRAIL_FORMAT_CSV, 3, NL, 2, GUARDRAIL_MAX_MEMORY, 3 },
        { "a,b,c", GUARDRAIL_FORMAT_SNIFF_CSV, 3, NL, 2,
          GUARDRAIL_MAX_MEMORY, 3 },
        { "[[[1", GUARDRAIL_FORMAT_NDJSON, NL, 2, 2, GUARDRAIL_JSON_DEPTH,
          3 },
        { " \n\t", GUARDRAIL_FORMAT_JSON, NL, 2, NL, GUARDRAIL_OK, 3 },
    };

    memset(&cuts, 0, sizeof(cuts_t));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);
        memset(&run, 0, sizeof(judge_run_t));

        memset(&l.json, 0xff, offsetof(guardrail_body_json_t, shape));
        l.json.depth = t[i].depth;
        l.json.shape = (t[i].depth != NL);
        l.format = t[i].format;
        l.max_record_size = t[i].size;
        l.max_memory = t[i].memory;
        l.memory_factor = (t[i].memory != NL) ? 1000 : 0;

        judge_body(&l, (const uint8_t *) t[i].body, strlen(t[i].body), &cuts,
                   &v, &run);

        if (!tap_ok(v.rc == t[i].rc && v.decoded == t[i].decoded
                    && run.fault == NULL, "limits that meet, %zu", i))
        {
            tap_diag("%s at %" PRIu64 " for %s at %" PRIu64 ", %s",
                     guardrail_rc_info(v.rc)->name, v.decoded,
                     guardrail_rc_info(t[i].rc)->name, t[i].decoded,
                     run.fault ? run.fault : "no fault");
        }
    }
}


/*
 * Blank bytes can be refused by the memory they take before a byte says that
 * they lead JSON: then that byte is the one refused, as for their records.
 */

static void
test_blank_sniffed(void)
{
    size_t                   i;
    bytes_t                  in = { NULL, 0, 0 };
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    bytes_fill(&in, ' ', 5000);
    bytes_text(&in, "{}");

    for (i = 0; i < 3; i++) {
        memset(&cuts, 0, sizeof(cuts_t));
        memset(&run, 0, sizeof(judge_run_t));
        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

        l.format = GUARDRAIL_FORMAT_SNIFF;
        l.max_memory = 5001;
        l.max_record_size = (i == 2) ? 5000 : NL;
        cuts.each = i;

        judge_body(&l, in.p, in.len, &cuts, &v, &run);

        if (!tap_ok(v.rc == (i == 2 ? GUARDRAIL_MAX_RECORD_SIZE
                                    : GUARDRAIL_MAX_MEMORY)
                    && v.decoded == 5001 && v.records == 1,
                    "the byte that says JSON is refused, %zu", i))
        {
            tap_diag("%s at %" PRIu64 " records %" PRIu64,
                     guardrail_rc_info(v.rc)->name, v.decoded, v.records);
        }
    }

    bytes_free(&in);
}


static void
test_cuts(const char *what, size_t bodies, size_t pieces)
{
    size_t                   i;
    rng_t                    rng;
    bytes_t                  data = { NULL, 0, 0 };
    bytes_t                  in = { NULL, 0, 0 };
    unsigned                 bad, same;
    guardrail_body_limits_t  l;

    rng.s = seed + pieces;
    bad = 0;

    for (i = 0; i < bodies && bad < 5; i++) {
        data.len = 0;
        in.len = 0;

        random_limits(&rng, &l);
        random_content(&rng, 1 + rng_below(&rng, pieces), &data);

        if (l.coding == GUARDRAIL_CODING_IDENTITY) {
            bytes_add(&in, data.p, data.len);

        } else {
            gz_plain(&in, data.p, data.len, 6);
        }

        bytes_room(&in, 1);

        same = cut_body(&l, &in, &rng);

        if (same) {
            tap_diag("body %zu, \"%.*s\"", i,
                     (int) (data.len < 200 ? data.len : 200),
                     data.len ? (char *) data.p : "");
        }

        bad += same;
    }

    tap_ok(bad == 0, "%s bodies: any cuts", what);

    bytes_free(&data);
    bytes_free(&in);
}


static unsigned
cut_body(const guardrail_body_limits_t *l, const bytes_t *in, rng_t *rng)
{
    size_t        i, tries;
    cuts_t        cuts;
    verdict_t     whole, v;
    const char   *differ;
    judge_run_t   run;

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    judge_body(l, in->p, in->len, &cuts, &whole, &run);

    tries = (in->len <= 100) ? in->len + 1 : 12;

    for (i = 0; i <= tries && run.fault == NULL; i++) {
        memset(&run, 0, sizeof(judge_run_t));

        cuts.first = (i < tries && in->len <= 100) ? i : 0;
        cuts.each = (i == tries && in->len < 9000) ? 1
                    : in->len <= 100 ? 0 : 1 + rng_below(rng, in->len);
        cuts.rng = (in->len > 100 && i < tries) ? rng : NULL;
        cuts.budget = (i % 3) ? 0 : 1 + (int64_t) rng_below(rng, 5000);

        judge_body(l, in->p, in->len, &cuts, &v, &run);

        differ = judge_differ(&whole, &v,
                              l->coding == GUARDRAIL_CODING_IDENTITY);

        if (differ) {
            tap_diag("%s: %s at %" PRIu64 " for %s at %" PRIu64 ", format %d,"
                     " cut at %zu, each %zu", differ,
                     guardrail_rc_info(v.rc)->name, v.decoded,
                     guardrail_rc_info(whole.rc)->name, whole.decoded,
                     (int) l->format, cuts.first, cuts.each);
            return 1;
        }
    }

    if (run.fault) {
        tap_diag("%s, format %d", run.fault, (int) l->format);
        return 1;
    }

    return 0;
}


/*
 * Records that are let go of one after the other: what matters is the most
 * expensive one, however many there are, and whoever says what they are.
 */

static void
test_one_by_one(void)
{
    size_t                   i, j;
    bytes_t                  in = { NULL, 0, 0 };
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    static const struct {
        guardrail_format_e   format;
        unsigned             per_record;
        uint64_t             factor;
        guardrail_rc_e       rc;
    } t[] = {
        { GUARDRAIL_FORMAT_NDJSON, 1, 0, GUARDRAIL_OK },
        { GUARDRAIL_FORMAT_SNIFF, 1, 0, GUARDRAIL_OK },
        { GUARDRAIL_FORMAT_SNIFF_CSV, 1, 0, GUARDRAIL_OK },
        { GUARDRAIL_FORMAT_JSON_SEQ, 1, 0, GUARDRAIL_OK },
        { GUARDRAIL_FORMAT_NDJSON, 0, 0, GUARDRAIL_MAX_MEMORY },
        { GUARDRAIL_FORMAT_JSON_SEQ, 0, 0, GUARDRAIL_MAX_MEMORY },
        { GUARDRAIL_FORMAT_NDJSON, 1, 1000, GUARDRAIL_MAX_MEMORY },
        { GUARDRAIL_FORMAT_JSON, 1, 0, GUARDRAIL_MAX_MEMORY },
        { GUARDRAIL_FORMAT_CSV, 1, 0, GUARDRAIL_MAX_MEMORY },
        { GUARDRAIL_FORMAT_NONE, 1, 0, GUARDRAIL_MAX_MEMORY }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        in.len = 0;

        for (j = 0; j < 3000; j++) {
            bytes_text(&in, t[i].format == GUARDRAIL_FORMAT_JSON_SEQ
                            ? "\x1e[1]" : "[1]\n");
        }

        for (j = 0; j < 3; j++) {
            memset(&cuts, 0, sizeof(cuts_t));
            memset(&run, 0, sizeof(judge_run_t));
            judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

            l.format = t[i].format;
            l.max_memory = 4000;
            l.memory_factor = t[i].factor;
            l.per_record = t[i].per_record;
            cuts.each = j * 500;

            judge_body(&l, in.p, in.len, &cuts, &v, &run);

            if (!tap_ok(v.rc == t[i].rc && run.fault == NULL
                        && (v.rc != GUARDRAIL_OK
                            || (v.decoded == in.len && v.estimate < 2000)),
                        "one record after the other, %zu", i))
            {
                tap_diag("%s at %" PRIu64 ", estimate %" PRIu64,
                         guardrail_rc_info(v.rc)->name, v.decoded,
                         v.estimate);
            }
        }
    }

    bytes_free(&in);
}


/* what no JSON begins with has no records, and a quota of them no say in it */

static void
test_quota_sniffed(void)
{
    size_t                   i;
    cuts_t                   cuts;
    verdict_t                v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    memset(&cuts, 0, sizeof(cuts_t));

    for (i = 0; i < 3; i++) {
        memset(&run, 0, sizeof(judge_run_t));
        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

        l.format = GUARDRAIL_FORMAT_SNIFF;
        l.records = 1;
        l.max_records = (i == 1) ? 10 : NL;
        l.max_record_size = (i == 2) ? 10 : NL;

        judge_body(&l, (const uint8_t *) "\n <p>", 5, &cuts, &v, &run);

        tap_ok(v.rc == (i ? GUARDRAIL_TYPE : GUARDRAIL_OK)
               && v.records == 0 && run.fault == NULL,
               "no JSON where records are %s",
               i ? "limited" : "charged");
    }
}


/* the last n for which n * factor / 1000, rounded up, is within the limit */

static void
test_bound(void)
{
    size_t                         i;
    rng_t                          rng;
    wide_t                         most, cost;
    uint64_t                       estimate;
    unsigned                       bad;
    guardrail_body_t               b;
    guardrail_body_limits_t        l;
    const guardrail_ndjson_ops_t  *scalar;

    scalar = guardrail_ndjson_by_name("scalar");

    rng.s = seed;
    bad = 0;

    for (i = 0; i < BOUNDS && bad < 5; i++) {
        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

        l.max_memory = edge(&rng);
        l.memory_factor = edge(&rng);

        if (l.memory_factor == 0) {
            l.memory_factor = 1;
        }

        guardrail_body_init(&b, &l, scalar, NULL);

        most = l.max_memory == NL ? NL
               : (wide_t) l.max_memory * 1000 / l.memory_factor;

        if (most > NL) {
            most = NL;
        }

        b.decoded = (i % 2) ? b.memory_bound : edge(&rng);
        estimate = guardrail_body_estimate(&b);
        cost = ((wide_t) b.decoded * l.memory_factor + 999) / 1000;

        if (cost > NL) {
            cost = NL;
        }

        if (b.memory_bound != (uint64_t) most || estimate != (uint64_t) cost)
        {
            tap_diag("max_memory %" PRIu64 " factor %" PRIu64 ": bound %"
                     PRIu64 " for %" PRIu64 ", estimate %" PRIu64 " for %"
                     PRIu64, l.max_memory, l.memory_factor, b.memory_bound,
                     (uint64_t) most, estimate, (uint64_t) cost);
            bad++;
        }
    }

    tap_ok(bad == 0, "the bound of memory by a factor is exact");
}


static uint64_t
edge(rng_t *rng)
{
    uint64_t  n;

    static const uint64_t  around[] = { 0, 1, 999, 1000, 1001, 1500, 28000 };

    n = around[rng_below(rng, 7)];

    switch (rng_below(rng, 4)) {

    case 0:
        return n;

    case 1:
        return UINT64_MAX - n;

    case 2:
        return rng_next(rng) >> rng_below(rng, 64);

    default:
        return ((uint64_t) 1 << rng_below(rng, 64)) + n;
    }
}


/* nothing passes uncharged beyond what was promised, and all is charged */

static void
test_meter(void)
{
    size_t                         i, n, done, used, piece;
    rng_t                          rng;
    bytes_t                        in = { NULL, 0, 0 };
    int64_t                        budget;
    meter_t                        m;
    unsigned                       bad;
    uint64_t                      *block;
    guardrail_body_t               b;
    guardrail_body_ops_t           ops;
    guardrail_body_meter_t         meter;
    guardrail_body_limits_t        l;
    const guardrail_ndjson_ops_t  *ndjson;

    ndjson = guardrail_ndjson_select();
    ops.json = guardrail_json_select();
    ops.csv = guardrail_csv_select();

    rng.s = seed;
    bad = 0;

    for (i = 0; i < LARGE; i++) {
        in.len = 0;
        random_content(&rng, 40000, &in);

        judge_no_limits(&l, GUARDRAIL_CODING_IDENTITY);

        l.format = formats[i % 6];
        l.records = 1;
        l.estimate = (unsigned) rng_below(&rng, 2);

        block = malloc(guardrail_body_block(&l) + 1);

        if (block == NULL) {
            abort();
        }

        memset(&m, 0, sizeof(meter_t));

        m.body = &b;
        meter.charge = meter_charge;
        meter.opaque = &m;
        meter.records = 1;

        guardrail_body_init(&b, &l, ndjson, NULL);
        guardrail_body_use(&b, &ops, block);

        guardrail_body_set_meter(&b, &meter);
        budget = JUDGE_PLENTY;
        piece = 1 + rng_below(&rng, in.len);

        for (done = 0; done < in.len; done += used) {
            n = (in.len - done < piece) ? in.len - done : piece;

            if (guardrail_body_feed(&b, in.p + done, n, NULL, &budget, &used)
                != GUARDRAIL_OK)
            {
                break;
            }
        }

        if (guardrail_body_finish(&b) == GUARDRAIL_OK
            && (m.decoded != in.len
                || m.records < guardrail_body_record_count(&b)
                || (m.records != guardrail_body_record_count(&b)
                    && l.format != GUARDRAIL_FORMAT_SNIFF_CSV)))
        {
            m.fault = 1;
        }

        bad += m.fault;
        free(block);
    }

    tap_ok(bad == 0, "the meter is asked in time");

    bytes_free(&in);
}


static guardrail_rc_e
meter_charge(void *opaque)
{
    meter_t   *m = opaque;
    uint64_t   records;

    records = guardrail_body_record_count(m->body);

    /* blank rows that turn out to lead JSON stay charged */

    if (records < m->records) {
        records = m->records;
    }

    if (records - m->records > GUARDRAIL_BODY_METER_RECORDS
        || m->body->decoded - m->decoded > GUARDRAIL_BODY_METER_BYTES
        || m->body->wire - m->wire > GUARDRAIL_BODY_METER_BYTES)
    {
        if (m->fault == 0) {
            tap_diag("format %d: %" PRIu64 " records after %" PRIu64 ", %"
                     PRIu64 " bytes after %" PRIu64, (int) m->body->format,
                     records, m->records, m->body->decoded, m->decoded);
        }

        m->fault = 1;
    }

    m->wire = m->body->wire;
    m->decoded = m->body->decoded;
    m->records = records;

    return GUARDRAIL_OK;
}


static void
random_limits(rng_t *rng, guardrail_body_limits_t *l)
{
    static const uint64_t  factors[] = {
        0, 0, 0, 1, 999, 1000, 1001, 1500, 28000
    };

    judge_no_limits(l, rng_below(rng, 4) ? GUARDRAIL_CODING_IDENTITY
                                         : GUARDRAIL_CODING_GZIP);

    l->format = formats[rng_below(rng, 6)];
    l->max_body = some(rng, 200);
    l->max_decoded = some(rng, 200);
    l->max_records = some(rng, 6);
    l->max_record_size = some(rng, 40);
    l->records = (rng_below(rng, 4) == 0);
    l->memory_factor = factors[rng_below(rng, 9)];
    l->max_memory = some(rng, rng_below(rng, 2) ? 200 : 6000);
    l->per_record = (unsigned) rng_below(rng, 2);
    l->estimate = (rng_below(rng, 3) == 0);

    if (l->max_records == 0) {
        l->max_records = 1;
    }

    l->json.depth = some(rng, 6);
    l->json.keys = some(rng, 6);
    l->json.items = some(rng, 6);
    l->json.tokens = some(rng, 20);
    l->json.key = some(rng, 6);
    l->json.string = some(rng, 6);
    l->json.number = some(rng, 10);
    l->json.strict = (unsigned) rng_below(rng, 2);
    l->json.shape = (unsigned) rng_below(rng, 2);
    l->json.lines = (l->format == GUARDRAIL_FORMAT_NDJSON)
                    ? (unsigned) rng_below(rng, 2) : 0;
}


static uint64_t
some(rng_t *rng, size_t most)
{
    return rng_below(rng, 3) ? NL : rng_below(rng, most);
}


static void
random_content(rng_t *rng, size_t pieces, bytes_t *out)
{
    size_t       i, n;
    const char  *s;

    static const char *const  words[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\"ab\"", "1", "-2.5e3",
        "true", "null", " ", "\n", "\r", "\r\n", "\t", "\x1e", "a", "a,b\n",
        "{\"k\":1}\n", "[1,2]\n", "\"x\ny\",", "\v", "\xc3\xa9", "\\u00e9",
        "\xff", "\xe2\x80\xa8", "\n\n", "N", "Infinity"
    };

    static const char *const  heads[] = {
        "\xef\xbb\xbf", "\xef\xbb", "\xef", "\xfe\xff", "\xff\xfe", "\xfe",
        "  \n", "\n\n\n\n", "\t ", "\xef\xbb\xbf \xef\xbb\xbf", "{", "["
    };

    if (rng_below(rng, 3) == 0) {
        bytes_text(out, heads[rng_below(rng, 12)]);
    }

    if (rng_below(rng, 30) == 0) {
        bytes_byte(out, 0);
    }

    if (rng_below(rng, 12) == 0) {
        bytes_fill(out, " \n\r\t"[rng_below(rng, 4)],
                   rng_below(rng, pieces > 20 ? 9000 : 9));
    }

    for (i = 0; i < pieces; i++) {
        s = words[rng_below(rng, 32)];
        bytes_text(out, s);

        if (rng_below(rng, 100) == 0) {
            bytes_byte(out, 0);
        }
    }

    if (pieces > 20 && rng_below(rng, 3) == 0) {
        n = rng_below(rng, 6000);
        bytes_fill(out, "x 1"[rng_below(rng, 3)], n);
    }

    bytes_room(out, 1);
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    tap_diag("seed %" PRIu64, seed);

    test_known();
    test_blank_sniffed();
    test_one_by_one();
    test_quota_sniffed();
    test_bound();
    test_meter();
    test_cuts("small", SMALL, 12);
    test_cuts("large", LARGE, 3000);

    return tap_done();
}
