
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The verdict of the code under test on a body, fed in any cuts and budgets,
 * and the faults of the interface that show on the way.
 */


#ifndef GUARDRAIL_TEST_JUDGE_H
#define GUARDRAIL_TEST_JUDGE_H


#include "bytes.h"

#include "body/guardrail_body.h"


/* what must be the same however a body arrives */

typedef struct {
    guardrail_rc_e      rc;
    uint64_t            wire;
    uint64_t            decoded;
    uint64_t            limit;
    uint64_t            observed;
    uint64_t            input;
    const char         *unit;
    const char         *error;
    uint64_t            records;
    uint64_t            largest;
    guardrail_format_e  format;
    uint64_t            estimate;       /* by the code alone */
} verdict_t;


typedef struct {
    unsigned            fail;           /* the next alloc() gives NULL */
    unsigned            calls;
    unsigned            live;
    size_t              size;           /* of the last */
    size_t              bytes;          /* of those that live */
    size_t              windows;        /* the same */
} judge_heap_t;


/*
 * How a body is cut: at first (0: not), then into pieces of each bytes (0:
 * one piece), or if rng is set into random ones of at most each bytes.
 */

typedef struct {
    size_t              first;
    size_t              each;
    rng_t              *rng;
    int64_t             budget;         /* of each call; 0: plenty */
} cuts_t;


/* what the run itself has to say: a text if the interface was broken */

typedef struct {
    const char         *fault;
    unsigned            again;
    judge_heap_t        heap;
} judge_run_t;


#define JUDGE_PLENTY  (INT64_MAX / 2)


static inline void *
judge_alloc(void *opaque, size_t size, size_t window)
{
    judge_heap_t  *h = opaque;

    h->calls++;
    h->size = size;

    if (h->fail) {
        return NULL;
    }

    h->live++;
    h->bytes += size;
    h->windows += window;

    return malloc(size);
}


static inline void
judge_free(void *opaque, void *p, size_t size, size_t window)
{
    judge_heap_t  *h = opaque;

    h->live--;
    h->bytes -= size;
    h->windows -= window;
    free(p);
}


/* formats whose scanner is in the state itself */

static const guardrail_format_e  judge_formats[] = {
    GUARDRAIL_FORMAT_NONE,
    GUARDRAIL_FORMAT_NDJSON,
    GUARDRAIL_FORMAT_SNIFF
};


static inline void
judge_no_limits(guardrail_body_limits_t *l, guardrail_coding_e coding)
{
    l->max_body = GUARDRAIL_NO_LIMIT;
    l->max_decoded = GUARDRAIL_NO_LIMIT;
    l->ratio = GUARDRAIL_NO_LIMIT;
    l->ratio_floor = 0;
    l->max_records = GUARDRAIL_NO_LIMIT;
    l->max_record_size = GUARDRAIL_NO_LIMIT;
    l->format = GUARDRAIL_FORMAT_NONE;
    l->coding = coding;
    l->records = 0;
    l->max_memory = GUARDRAIL_NO_LIMIT;
    l->memory_factor = 0;
    l->per_record = 0;
    l->estimate = 0;
    memset(&l->json, 0, sizeof(l->json));
}


static inline size_t
judge_piece(const cuts_t *c, size_t done, size_t len)
{
    size_t  n;

    n = len - done;

    if (c->first && done == 0) {
        return n < c->first ? n : c->first;
    }

    if (c->rng && c->each) {
        n = rng_below(c->rng, c->each + 1);

    } else if (c->each) {
        n = c->each;
    }

    return n < len - done ? n : len - done;
}


/* one piece, in memory of its own so that a byte too many is seen */

static inline guardrail_rc_e
judge_feed(guardrail_body_t *b, const uint8_t *p, size_t len, uint8_t *scratch,
    int64_t budget, judge_run_t *run)
{
    size_t          done, used, stuck;
    int64_t         left;
    uint64_t        wire, decoded;
    uint8_t        *copy;
    unsigned        pending;
    guardrail_rc_e  rc;

    copy = malloc(len ? len : 1);

    if (copy == NULL) {
        abort();
    }

    if (len) {
        memcpy(copy, p, len);
    }

    done = 0;
    stuck = 0;

    for ( ;; ) {
        left = budget ? budget : JUDGE_PLENTY;
        wire = b->wire;
        decoded = b->decoded;
        pending = b->pending;

        rc = guardrail_body_feed(b, copy + done, len - done, scratch, &left,
                                 &used);

        /* scratch is another body's now */

        if (scratch) {
            memset(scratch, (int) (b->wire & 0xff), 64);
        }

        if (used > len - done) {
            run->fault = "more was used than given";
            break;
        }

        done += used;

        if (rc == GUARDRAIL_OK && done != len) {
            run->fault = "OK, but bytes were left";
        }

        if (b->wire != wire + used) {
            run->fault = "wire bytes are not those used";
        }

        if (rc != GUARDRAIL_AGAIN) {
            break;
        }

        run->again++;

        if (left > 0) {
            run->fault = "AGAIN with budget left";
        }

        stuck = (b->wire == wire && b->decoded == decoded
                 && b->pending == pending) ? stuck + 1 : 0;

        if (stuck) {
            run->fault = "AGAIN without progress";
            break;
        }
    }

    free(copy);

    return rc;
}


static inline void
judge_body(const guardrail_body_limits_t *limits, const uint8_t *p,
    size_t len, const cuts_t *cuts, verdict_t *v, judge_run_t *run)
{
    void              *block;
    size_t             n, done;
    uint8_t           *scratch;
    guardrail_rc_e     rc, again;
    guardrail_body_t   b;
    guardrail_alloc_t  alloc;

    static const guardrail_ndjson_ops_t  *ops;
    static guardrail_body_ops_t           more;

    alloc.alloc = judge_alloc;
    alloc.free = judge_free;
    alloc.opaque = &run->heap;

    scratch = NULL;

    if (limits->coding != GUARDRAIL_CODING_IDENTITY) {
        scratch = malloc(GUARDRAIL_BODY_QUANTUM);

        if (scratch == NULL) {
            abort();
        }

        memset(scratch, 0xa5, GUARDRAIL_BODY_QUANTUM);
    }

    memset(&b, 0xa5, sizeof(guardrail_body_t));

    /* cpuid is slow in a virtual machine */

    if (ops == NULL) {
        ops = guardrail_ndjson_select();
        more.json = guardrail_json_select();
        more.csv = guardrail_csv_select();
    }

    guardrail_body_init(&b, limits, ops, &alloc);

    /* of exactly that size, so that a byte too many is seen */

    block = NULL;
    n = guardrail_body_block(limits);

    if (n) {
        block = malloc(n);

        if (block == NULL) {
            abort();
        }

        memset(block, 0xa5, n);
        guardrail_body_use(&b, &more, block);
    }

    if (run->heap.calls) {
        run->fault = "allocated before the first byte";
    }

    rc = GUARDRAIL_OK;

    for (done = 0; rc == GUARDRAIL_OK && done < len; done += n) {
        n = judge_piece(cuts, done, len);
        rc = judge_feed(&b, p + done, n, scratch, cuts->budget, run);
    }

    if (rc == GUARDRAIL_OK) {
        rc = guardrail_body_finish(&b);
    }

    memset(v, 0, sizeof(verdict_t));

    v->rc = rc;
    v->wire = b.wire;
    v->decoded = b.decoded;
    v->records = guardrail_body_record_count(&b);
    v->largest = guardrail_body_largest_record(&b);
    v->estimate = guardrail_body_estimate(&b);
    v->format = b.format;

    if (rc != GUARDRAIL_OK) {
        v->limit = b.limit;
        v->observed = b.observed;
        v->input = b.observed_input;
        v->unit = b.unit;
        v->error = b.error;
    }

    /* sticky, and finish is idempotent */

    again = guardrail_body_finish(&b);

    if (again != rc || b.rc != rc || b.wire != v->wire
        || b.decoded != v->decoded
        || guardrail_body_record_count(&b) != v->records
        || guardrail_body_estimate(&b) != v->estimate)
    {
        run->fault = "finish is not idempotent";
    }

    if (rc != GUARDRAIL_OK) {
        again = judge_feed(&b, (const uint8_t *) "{}\n", 3, scratch, 0, run);

        if (again != rc || b.wire != v->wire || b.decoded != v->decoded) {
            run->fault = "the refusal is not sticky";
        }
    }

    guardrail_body_close(&b);
    guardrail_body_close(&b);

    if (run->heap.live || run->heap.bytes || run->heap.windows) {
        run->fault = "the decoder was not given back";
    }

    /* br and zstd: the state, and a block for the window, which may grow */

    if (run->heap.calls > (limits->coding > GUARDRAIL_CODING_DEFLATE ? 9 : 1))
    {
        run->fault = "more than one allocation";
    }

    if (b.wire != v->wire || b.decoded != v->decoded
        || guardrail_body_record_count(&b) != v->records || b.rc != rc)
    {
        run->fault = "closing changed the measurements";
    }

    free(block);
    free(scratch);
}


static inline int
judge_str_equal(const char *a, const char *b)
{
    return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}


/* NULL, or what differs; the wire may differ inside a slice, see 'exact' */

static inline const char *
judge_differ(const verdict_t *a, const verdict_t *b, int exact)
{
    if (a->rc != b->rc) {
        return "rc";
    }

    if (a->decoded != b->decoded) {
        return "decoded";
    }

    if (exact || a->rc == GUARDRAIL_OK || a->rc == GUARDRAIL_MAX_BODY) {
        if (a->wire != b->wire) {
            return "wire";
        }

    } else if ((a->wire + GUARDRAIL_BODY_SLICE - 1) / GUARDRAIL_BODY_SLICE
               != (b->wire + GUARDRAIL_BODY_SLICE - 1) / GUARDRAIL_BODY_SLICE)
    {
        return "slice";
    }

    if (a->limit != b->limit) {
        return "limit";
    }

    if (a->observed != b->observed) {
        return "observed";
    }

    if (a->input != b->input) {
        return "observed_input";
    }

    if (!judge_str_equal(a->unit, b->unit)) {
        return "unit";
    }

    if (!judge_str_equal(a->error, b->error)) {
        return "error";
    }

    if (a->records != b->records) {
        return "records";
    }

    if (a->largest != b->largest) {
        return "largest";
    }

    if (a->format != b->format) {
        return "format";
    }

    if (a->estimate != b->estimate) {
        return "estimate";
    }

    return NULL;
}


#endif /* GUARDRAIL_TEST_JUDGE_H */
