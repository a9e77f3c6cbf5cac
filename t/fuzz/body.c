
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The verdict on a body: from the slow model, from the code with the body in
 * one piece, and in random pieces with random budgets.
 *
 * The first bytes of an input: coding, format and what the rest is; a choice
 * of limits; a seed.  The rest is the body itself, or a script that makes
 * one that is well-formed but for the last touch.
 */


#include "../unit/model.h"


#define HEAD     12
#define MOST     (96 * 1024)            /* decoded: the model is slow */
#define WIRE     (16 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static uint64_t choose(unsigned ch, uint64_t most);
static void member_ends(bytes_t *in, bytes_t *data, const guardrail_coding_e c,
    unsigned arg, int level);
static void script(guardrail_coding_e coding, const uint8_t *p, size_t len,
    uint64_t seed, bytes_t *in);
static void check(const char *differ, const verdict_t *a, const verdict_t *b,
    const char *what);


/* nothing, everything, powers of two and their neighbours */

static uint64_t
choose(unsigned ch, uint64_t most)
{
    uint64_t  n;

    if (ch == 0) {
        return GUARDRAIL_NO_LIMIT;
    }

    n = (ch < 64) ? ch - 1
        : ((uint64_t) 1 << (ch - 64) / 9) + (ch - 64) % 9 * 1000 - 1;

    return n < most ? n : most;
}


static void
member_ends(bytes_t *in, bytes_t *data, const guardrail_coding_e coding,
    unsigned arg, int level)
{
    gz_member_t  m;

    if (coding == GUARDRAIL_CODING_IDENTITY) {
        bytes_add(in, data->p, data->len);

    } else if (coding == GUARDRAIL_CODING_DEFLATE) {
        bytes_deflate(in, data->p, data->len, arg & 1 ? MAX_WBITS : -MAX_WBITS,
                      level, (int) (arg >> 1) % 5, Z_FINISH);

    } else {
        memset(&m, 0, sizeof(gz_member_t));

        m.flags = arg & 0x1f;
        m.extra = arg;
        m.name = (arg & 0x80) ? (size_t) arg * 64 : 3;
        m.comment = arg;
        m.bad_hcrc = (arg == 0x42);
        m.data = data->p;
        m.len = data->len;
        m.level = level;
        m.strategy = (int) (arg >> 5) % 5;
        m.crc_xor = (arg == 0x41);
        m.size_xor = (arg == 0x61);

        gz_member(in, &m);
    }

    data->len = 0;
}


static void
script(guardrail_coding_e coding, const uint8_t *p, size_t len, uint64_t seed,
    bytes_t *in)
{
    int       level;
    rng_t     rng = { seed };
    size_t    i, n, members;
    bytes_t   data = { NULL, 0, 0 };
    unsigned  op, arg;

    level = 6;
    members = 0;

    bytes_room(&data, 1);

    for (i = 0; i + 1 < len; i += 2) {

        if (in->len + members * 512 > WIRE || data.len > MOST) {
            break;
        }

        op = p[i];
        arg = p[i + 1];

        switch (op % 8) {

        case 0:
            bytes_fill(&data, 0, (size_t) arg * 32 * (op / 8 + 1));
            break;

        case 1:
            n = arg < len - i - 2 ? arg : len - i - 2;
            bytes_add(&data, p + i + 2, n);
            i += n;
            break;

        case 2:
            bytes_fill(&data, " \n\r\t"[op / 8 % 4], (size_t) arg * 16);
            break;

        case 3:
            for (n = 0; n < (size_t) arg * 16; n++) {
                bytes_byte(&data, (unsigned) rng_next(&rng) & 0xff);
            }

            break;

        case 4:
            for (n = 0; n < arg; n++) {
                bytes_text(&data, "{\"row\":1,\"name\":\"n\"}\n");
            }

            break;

        case 5:
            member_ends(in, &data, coding, arg, level);
            members++;
            break;

        case 6:
            level = (int) arg % 10;
            break;

        default:
            bytes_fill(&data, (int) arg, op / 8 + 1);
        }
    }

    if (in->len == 0 || data.len) {
        member_ends(in, &data, coding, 0, level);
    }

    bytes_free(&data);
}


static void
check(const char *differ, const verdict_t *a, const verdict_t *b,
    const char *what)
{
    if (differ == NULL) {
        return;
    }

    fprintf(stderr, "%s: %s: %s at %llu wire %llu, %s at %llu wire %llu\n",
            what, differ, guardrail_rc_info(a->rc)->name,
            (unsigned long long) a->decoded, (unsigned long long) a->wire,
            guardrail_rc_info(b->rc)->name, (unsigned long long) b->decoded,
            (unsigned long long) b->wire);
    abort();
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    int                      exact;
    size_t                   i;
    rng_t                    rng;
    cuts_t                   cuts;
    bytes_t                  in = { NULL, 0, 0 };
    verdict_t                model, whole, v;
    judge_run_t              run;
    guardrail_body_limits_t  l;

    static const uint64_t  ratios[] = { 1, 2, 3, 10, 50, 200, 1000 };

    if (size < HEAD) {
        return 0;
    }

    judge_no_limits(&l, (guardrail_coding_e) (p[0] % 3));

    l.format = judge_formats[p[0] / 3 % 3];
    l.max_body = choose(p[1], GUARDRAIL_NO_LIMIT);
    l.max_decoded = choose(p[2], MOST);
    l.ratio = p[3] ? ratios[p[3] % 7] : GUARDRAIL_NO_LIMIT;
    l.ratio_floor = p[4] ? choose(p[4], MOST) : 0;
    l.max_records = choose(p[5], GUARDRAIL_NO_LIMIT);
    l.max_record_size = choose(p[6], GUARDRAIL_NO_LIMIT);

    if (l.max_decoded > MOST) {
        l.max_decoded = MOST;
    }

    if (l.max_records == 0) {
        l.max_records = 1;
    }

    rng.s = p[7] * 256u + p[8] + 1;

    if (p[0] & 0x80) {
        script(l.coding, p + HEAD, size - HEAD, rng.s, &in);

        if (in.len && p[9] & 1) {
            in.p[p[10] * in.len / 256] ^= p[11];
        }

        if (in.len && p[9] & 2) {
            in.len -= p[10] * in.len / 256;
        }

        if (p[9] & 4) {
            bytes_fill(&in, p[11], p[10]);
        }

    } else {
        bytes_add(&in, p + HEAD, size - HEAD);
    }

    bytes_room(&in, 1);

    memset(&cuts, 0, sizeof(cuts_t));
    memset(&run, 0, sizeof(judge_run_t));

    model_judge(&l, in.p, in.len, &model, NULL);
    judge_body(&l, in.p, in.len, &cuts, &whole, &run);

    check(run.fault, &model, &whole, "in one piece");
    check(model_differ(&model, &whole), &model, &whole, "the model");

    exact = (l.coding == GUARDRAIL_CODING_IDENTITY);

    for (i = 0; i < 2; i++) {
        memset(&run, 0, sizeof(judge_run_t));

        cuts.rng = &rng;
        cuts.each = (i == 0 && in.len < 2000) ? 1 + rng_below(&rng, 9)
                                              : rng_below(&rng, 5000);
        cuts.budget = (rng_below(&rng, 2) == 0) ? 0
                      : 1 + (int64_t) rng_below(&rng, 100000);

        judge_body(&l, in.p, in.len, &cuts, &v, &run);

        check(run.fault, &whole, &v, "in pieces");
        check(judge_differ(&whole, &v, exact), &whole, &v, "the pieces");
    }

    bytes_free(&in);

    return 0;
}
