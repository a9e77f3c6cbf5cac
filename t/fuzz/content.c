
/*
 * Copyright (C) nginx-guardrail authors
 *
 * JSON, CSV, lines and memory in a body: the verdict on it in one piece, and
 * in random pieces with random budgets.
 *
 * The first bytes of an input: format, coding and switches; a choice of
 * limits; a seed.  The rest is the body.
 */


#include "../unit/judge.h"


#define HEAD  16


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static uint64_t choose(unsigned ch);
static void check(const char *differ, const verdict_t *a, const verdict_t *b);


/* nothing, or up to 126, then steps of 64 */

static uint64_t
choose(unsigned ch)
{
    if (ch == 0) {
        return GUARDRAIL_NO_LIMIT;
    }

    return ch < 128 ? ch - 1 : (uint64_t) (ch - 126) * 64;
}


static void
check(const char *differ, const verdict_t *a, const verdict_t *b)
{
    if (differ == NULL) {
        return;
    }

    fprintf(stderr, "%s: %s at %llu, %s at %llu\n", differ,
            guardrail_rc_info(a->rc)->name, (unsigned long long) a->decoded,
            guardrail_rc_info(b->rc)->name, (unsigned long long) b->decoded);
    abort();
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    size_t                   i;
    rng_t                    rng;
    cuts_t                   cuts;
    bytes_t                  in = { NULL, 0, 0 };
    verdict_t                whole, v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    static const uint64_t  factors[] = {
        0, 0, 0, 1, 999, 1000, 1500, 28000
    };

    if (size < HEAD) {
        return 0;
    }

    judge_no_limits(&l, p[0] & 0x80 ? GUARDRAIL_CODING_GZIP
                                    : GUARDRAIL_CODING_IDENTITY);

    l.format = (guardrail_format_e) (1 + p[0] % 6);
    l.max_decoded = choose(p[1]);
    l.max_records = choose(p[2]);
    l.max_record_size = choose(p[3]);
    l.max_memory = choose(p[4]);
    l.memory_factor = factors[p[5] % 8];
    l.per_record = p[5] >> 3 & 1;
    l.estimate = p[5] >> 4 & 1;
    l.records = p[5] >> 5 & 1;

    l.json.depth = choose(p[6]);
    l.json.keys = choose(p[7]);
    l.json.items = choose(p[8]);
    l.json.tokens = choose(p[9]);
    l.json.key = choose(p[10]);
    l.json.string = choose(p[11]);
    l.json.number = choose(p[12]);
    l.json.shape = p[13] & 1;
    l.json.strict = p[13] >> 1 & 1;
    l.json.lines = p[13] >> 2 & 1;

    if (l.max_records == 0) {
        l.max_records = 1;
    }

    rng.s = p[14] * 256u + p[15] + 1;

    if (l.coding == GUARDRAIL_CODING_GZIP) {
        gz_plain(&in, p + HEAD, size - HEAD, 6);

    } else {
        bytes_add(&in, p + HEAD, size - HEAD);
    }

    bytes_room(&in, 1);

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    judge_body(&l, in.p, in.len, &cuts, &whole, &run);
    check(run.fault, &whole, &whole);

    for (i = 0; i < 3; i++) {
        memset(&run, 0, sizeof(judge_run_t));

        cuts.rng = i ? &rng : NULL;
        cuts.each = (i == 0) ? 1 : 1 + rng_below(&rng, i == 1 ? 9 : 5000);
        cuts.budget = (i == 2) ? 1 + (int64_t) rng_below(&rng, 100000) : 0;

        judge_body(&l, in.p, in.len, &cuts, &v, &run);

        check(run.fault, &whole, &v);
        check(judge_differ(&whole, &v,
                           l.coding == GUARDRAIL_CODING_IDENTITY),
              &whole, &v);
    }

    bytes_free(&in);

    return 0;
}
