
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records: every implementation, and any cut of the input, against
 * the scalar scanner that is fed the whole.
 *
 * Input: a byte of choices, three bytes for the limits, one for the place at
 * which they are set, three for the lengths of the pieces, and the body,
 * which is repeated so that a small one fills several blocks.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/guardrail_ndjson.h"


#define HEAD      8
#define MAX_BODY  8192

#define CHOICE_RECORDS  0x01
#define CHOICE_LINES    0x02
#define CHOICE_SIZE     0x04
#define CHOICE_UTF16    0x08
#define CHOICE_LATE     0x10
#define CHOICE_TIMES    0xe0


typedef struct {
    size_t              used;
    guardrail_rc_e      feed;
    guardrail_rc_e      finish;
    guardrail_ndjson_t  s;
} result_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run(const guardrail_ndjson_ops_t *ops, const uint8_t *head,
    const uint8_t *body, size_t len, unsigned cut, result_t *r);
static size_t piece(const uint8_t *head, unsigned n);
static void compare(const result_t *a, const result_t *b, const char *what);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                         size, times;
    uint8_t                       *body;
    unsigned                       i;
    result_t                       whole, r;

    static const char                    *names[] = { "scalar", "sse2",
                                                      "avx2", "neon" };
    static const guardrail_ndjson_ops_t  *ops[4];

    if (len < HEAD) {
        return 0;
    }

    if (ops[0] == NULL) {

        /* once: to ask the processor is slow in a virtual machine */

        for (i = 0; i < 4; i++) {
            ops[i] = guardrail_ndjson_by_name(names[i]);
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

    run(ops[0], data, body + 1, size * times, 0, &whole);

    for (i = 0; i < 4; i++) {

        if (ops[i] == NULL) {
            continue;
        }

        run(ops[i], data, body + 1, size * times, 0, &r);
        compare(&whole, &r, names[i]);

        run(ops[i], data, body + 1, size * times, 1, &r);
        compare(&whole, &r, names[i]);
    }

    free(body);

    return 0;
}


static void
run(const guardrail_ndjson_ops_t *ops, const uint8_t *head,
    const uint8_t *body, size_t len, unsigned cut, result_t *r)
{
    size_t                     i, n, late, used;
    unsigned                   k;
    uint8_t                   *copy;
    guardrail_ndjson_limits_t  limits;

    memset(r, 0, sizeof(result_t));
    memset(&limits, 0, sizeof(limits));

    limits.max_records = (head[0] & CHOICE_RECORDS) ? head[1]
                                                    : GUARDRAIL_NO_LIMIT;
    limits.max_lines = (head[0] & CHOICE_LINES) ? head[2]
                                                : GUARDRAIL_NO_LIMIT;
    limits.max_record_size = (head[0] & CHOICE_SIZE) ? head[3]
                                                     : GUARDRAIL_NO_LIMIT;
    limits.refuse_utf16 = (head[0] & CHOICE_UTF16) != 0;

    late = 0;
    guardrail_ndjson_init(&r->s, ops, &limits);

    if (head[0] & CHOICE_LATE) {
        late = (head[4] < len) ? head[4] : len;

        r->s.limits.max_records = GUARDRAIL_NO_LIMIT;
        r->s.limits.max_lines = GUARDRAIL_NO_LIMIT;
        r->s.limits.max_record_size = GUARDRAIL_NO_LIMIT;
        r->s.limits.refuse_utf16 = 0;
    }

    for (i = 0, k = 0; i < len; i += n, k++) {

        if (i == late) {
            r->s.limits = limits;
        }

        n = cut ? piece(head, k) : len;

        if (i < late && n > late - i) {
            n = late - i;
        }

        if (n > len - i) {
            n = len - i;
        }

        copy = malloc(n + 1);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy + 1, body + i, n);

        r->feed = guardrail_ndjson_feed(&r->s, copy + 1, n, &used);

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

    r->s.limits = limits;
    r->finish = guardrail_ndjson_finish(&r->s);
    r->s.ops = NULL;
}


/* empty ones, too, but not for ever */

static size_t
piece(const uint8_t *head, unsigned n)
{
    if (n % 3 == 2 && head[7] == 0) {
        return 1;
    }

    return head[5 + n % 3];
}


static void
compare(const result_t *a, const result_t *b, const char *what)
{
    if (a->used == b->used && a->feed == b->feed && a->finish == b->finish
        && a->s.records == b->s.records && a->s.lines == b->s.lines
        && a->s.largest == b->s.largest && a->s.size == b->s.size
        && a->s.flags == b->s.flags && a->s.rc == b->s.rc)
    {
        return;
    }

    fprintf(stderr, "%s differs from scalar: used %zu %zu, rc %d %d, "
            "finish %d %d, records %llu %llu, lines %llu %llu, largest %llu "
            "%llu, size %llu %llu, flags %x %x\n",
            what, b->used, a->used, (int) b->feed, (int) a->feed,
            (int) b->finish, (int) a->finish,
            (unsigned long long) b->s.records,
            (unsigned long long) a->s.records,
            (unsigned long long) b->s.lines,
            (unsigned long long) a->s.lines,
            (unsigned long long) b->s.largest,
            (unsigned long long) a->s.largest,
            (unsigned long long) b->s.size, (unsigned long long) a->s.size,
            (unsigned) b->s.flags, (unsigned) a->s.flags);

    abort();
}
