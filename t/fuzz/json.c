
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON: every implementation, and any cut of the input, against
 * the scalar scanner that is fed the whole; that one against a slow model,
 * which has no strict mode; and the same with an estimate of memory, which
 * must change nothing else, and not depend on the cuts itself.
 *
 * Input: a byte of choices, two that say which limits there are, nine of
 * limits, three for the lengths of the pieces, and the body, which is
 * repeated so that a small one fills several blocks.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/guardrail_json.h"
#include "json_model.h"


#define HEAD      15
#define MAX_BODY  8192
#define MAX_SLOW  300

#define CHOICE_MODE     0x03
#define CHOICE_STRICT   0x04
#define CHOICE_RECORD   0x08
#define CHOICE_UTF16    0x10
#define CHOICE_TIMES    0xe0


typedef struct {
    size_t            used;
    guardrail_rc_e    feed;
    guardrail_rc_e    finish;
    guardrail_json_t  s;
} result_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void set_limits(const uint8_t *head, guardrail_json_limits_t *limits);
static void run(const guardrail_json_ops_t *ops,
    const guardrail_json_limits_t *limits, const uint8_t *head,
    const uint8_t *body, size_t len, unsigned cut,
    guardrail_json_memory_t *memory, result_t *r);
static void run_memory(const guardrail_json_ops_t **ops,
    guardrail_json_limits_t *limits, const uint8_t *head,
    const uint8_t *body, size_t len, const result_t *whole);
static void compare_memory(const result_t *a, const result_t *b);
static size_t piece(const uint8_t *head, unsigned n);
static void compare(const result_t *a, const result_t *b, const char *what);
static void compare_model(const guardrail_json_limits_t *limits,
    const uint8_t *body, size_t len, const result_t *r);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                     size, times;
    uint8_t                   *body;
    unsigned                   i;
    result_t                   whole, r;
    guardrail_json_limits_t    limits;

    static const char                  *names[] = { "scalar", "sse2", "avx2",
                                                    "neon" };
    static const guardrail_json_ops_t  *ops[4];

    if (len < HEAD) {
        return 0;
    }

    if (ops[0] == NULL) {

        /* once: to ask the processor is slow in a virtual machine */

        for (i = 0; i < 4; i++) {
            ops[i] = guardrail_json_by_name(names[i]);
        }
    }

    size = len - HEAD;
    times = 1 + ((data[0] & CHOICE_TIMES) >> 5);

    if (size > MAX_BODY / times) {
        size = MAX_BODY / times;
    }

    /* of the exact length, for the sanitizer */

    body = malloc(size * times + 1);
    if (body == NULL) {
        abort();
    }

    for (i = 0; i < times; i++) {
        memcpy(body + 1 + i * size, data + HEAD, size);
    }

    size *= times;

    set_limits(data, &limits);
    run(ops[0], &limits, data, body + 1, size, 0, NULL, &whole);

    for (i = 0; i < 4; i++) {

        if (ops[i] == NULL) {
            continue;
        }

        run(ops[i], &limits, data, body + 1, size, 0, NULL, &r);
        compare(&whole, &r, names[i]);

        run(ops[i], &limits, data, body + 1, size, 1, NULL, &r);
        compare(&whole, &r, names[i]);
    }

    if (!limits.strict && size <= MAX_SLOW) {
        compare_model(&limits, body + 1, size, &whole);
    }

    run_memory(ops, &limits, data, body + 1, size, &whole);

    free(body);

    return 0;
}


static void
run_memory(const guardrail_json_ops_t **ops, guardrail_json_limits_t *limits,
    const uint8_t *head, const uint8_t *body, size_t len,
    const result_t *whole)
{
    uint64_t  estimate;
    unsigned  i, cut;
    result_t  a, b;

    static guardrail_json_memory_t  m, other;

    run(ops[0], limits, head, body, len, 0, &m, &a);
    estimate = guardrail_json_estimate(&a.s);
    compare(whole, &a, "with an estimate");

    for (i = 0; i < 4; i++) {
        for (cut = 0; cut < 2 && ops[i]; cut++) {
            run(ops[i], limits, head, body, len, cut, &other, &b);
            compare(whole, &b, "with an estimate, cut");
            compare_memory(&a, &b);
        }
    }

    /* below it, or so far above that blocks are not left */

    limits->memory = head[13] * estimate / 128 + head[12] * 256;

    if (limits->depth > GUARDRAIL_JSON_MAX_COUNTED) {
        limits->depth = GUARDRAIL_JSON_MAX_COUNTED;
    }

    run(ops[0], limits, head, body, len, 0, &m, &a);

    for (i = 0; i < 4; i++) {
        for (cut = 0; cut < 2 && ops[i]; cut++) {
            run(ops[i], limits, head, body, len, cut, &other, &b);
            compare(&a, &b, "with a limit of memory");
            compare_memory(&a, &b);
        }
    }

    if (a.finish == GUARDRAIL_OK && estimate > limits->memory) {
        fprintf(stderr, "not refused\n");
        abort();
    }
}


static void
compare_memory(const result_t *a, const result_t *b)
{
    if (guardrail_json_estimate(&a->s) == guardrail_json_estimate(&b->s)) {
        return;
    }

    fprintf(stderr, "estimates %llu and %llu\n",
            (unsigned long long) guardrail_json_estimate(&a->s),
            (unsigned long long) guardrail_json_estimate(&b->s));

    abort();
}


static void
set_limits(const uint8_t *head, guardrail_json_limits_t *limits)
{
    uint64_t  *all[9];
    unsigned   i, which;

    memset(limits, 0, sizeof(guardrail_json_limits_t));

    all[0] = &limits->depth;
    all[1] = &limits->keys;
    all[2] = &limits->items;
    all[3] = &limits->tokens;
    all[4] = &limits->key;
    all[5] = &limits->string;
    all[6] = &limits->number;
    all[7] = &limits->max_records;
    all[8] = &limits->max_record_size;

    which = head[1] | (unsigned) head[2] << 8;

    for (i = 0; i < 9; i++) {
        *all[i] = (which & (1u << i)) ? head[3 + i] : GUARDRAIL_NO_LIMIT;
    }

    limits->mode = head[0] & CHOICE_MODE;
    limits->memory = GUARDRAIL_NO_LIMIT;
    limits->strict = (head[0] & CHOICE_STRICT) != 0;
    limits->refuse_utf16 = (head[0] & CHOICE_UTF16) != 0;
}


static void
run(const guardrail_json_ops_t *ops, const guardrail_json_limits_t *limits,
    const uint8_t *head, const uint8_t *body, size_t len, unsigned cut,
    guardrail_json_memory_t *memory, result_t *r)
{
    size_t     i, n, used, size;
    unsigned   k;
    uint8_t   *copy;
    uint64_t  *stack;

    memset(r, 0, sizeof(result_t));

    size = guardrail_json_stack(limits);
    stack = malloc(size ? size : 1);
    if (stack == NULL) {
        abort();
    }

    memset(stack, 0xa5, size);

    guardrail_json_init(&r->s, ops, limits, size ? stack : NULL);

    if (memory) {
        guardrail_json_memory_init(memory,
                                   limits->mode == GUARDRAIL_JSON_TEXT
                                   ? GUARDRAIL_JSON_MEMORY_DOCUMENT
                                   : (head[0] & CHOICE_RECORD)
                                     ? GUARDRAIL_JSON_MEMORY_RECORD
                                     : GUARDRAIL_JSON_MEMORY_BODY);
        guardrail_json_attach(&r->s, memory);
    }

    for (i = 0, k = 0; i < len; i += n, k++) {
        n = cut ? piece(head, k) : len;

        if (n > len - i) {
            n = len - i;
        }

        copy = malloc(n + 1);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy + 1, body + i, n);

        r->feed = guardrail_json_feed(&r->s, copy + 1, n, &used);

        free(copy);

        r->used += used;

        if ((r->feed == GUARDRAIL_OK && used != n) || used > n) {
            fprintf(stderr, "used %zu of %zu\n", used, n);
            abort();
        }

        if (r->feed != GUARDRAIL_OK) {
            break;
        }
    }

    r->finish = guardrail_json_finish(&r->s);

    free(stack);
}


/* empty ones, too, but not for ever */

static size_t
piece(const uint8_t *head, unsigned n)
{
    if (n % 3 == 2 && head[14] == 0) {
        return 1;
    }

    return head[12 + n % 3];
}


static void
compare(const result_t *a, const result_t *b, const char *what)
{
    if (a->used == b->used && a->feed == b->feed && a->finish == b->finish
        && a->s.records == b->s.records && a->s.largest == b->s.largest
        && a->s.deepest == b->s.deepest && a->s.tokens == b->s.tokens
        && a->s.continued == b->s.continued && a->s.limit == b->s.limit
        && a->s.observed == b->s.observed && a->s.level == b->s.level
        && a->s.bits == b->s.bits && a->s.count == b->s.count
        && a->s.length == b->s.length && a->s.state == b->s.state
        && a->s.flags == b->s.flags && a->s.offset == b->s.offset
        && (a->s.state != 0 || a->s.prev == b->s.prev))
    {
        return;
    }

    fprintf(stderr, "%s differs from scalar: used %zu %zu, rc %d %d, finish "
            "%d %d, records %d %d, largest %d %d, deepest %d %d, tokens %d "
            "%d, state %d %d, prev %d %d, flags %x %x\n",
            what, b->used, a->used, (int) b->feed, (int) a->feed,
            (int) b->finish, (int) a->finish, (int) b->s.records,
            (int) a->s.records, (int) b->s.largest, (int) a->s.largest,
            (int) b->s.deepest, (int) a->s.deepest, (int) b->s.tokens,
            (int) a->s.tokens, b->s.state, a->s.state, b->s.prev,
            a->s.prev, (unsigned) b->s.flags, (unsigned) a->s.flags);

    abort();
}


static void
compare_model(const guardrail_json_limits_t *limits, const uint8_t *body,
    size_t len, const result_t *r)
{
    size_t  used;

    static jm_t  m;

    jm_judge(&m, limits, body, len, &used);

    if (m.r.rc == r->finish && used == r->used && m.r.limit == r->s.limit
        && m.r.observed == r->s.observed && m.r.records == r->s.records
        && m.r.largest == r->s.largest && m.r.deepest == r->s.deepest
        && m.r.tokens == r->s.tokens && m.r.continued == r->s.continued)
    {
        return;
    }

    fprintf(stderr, "the model says: used %zu %zu, rc %d %d, records %d %d, "
            "largest %d %d, deepest %d %d, tokens %d %d\n", used, r->used,
            (int) m.r.rc, (int) r->finish, (int) m.r.records,
            (int) r->s.records, (int) m.r.largest, (int) r->s.largest,
            (int) m.r.deepest, (int) r->s.deepest, (int) m.r.tokens,
            (int) r->s.tokens);

    abort();
}
