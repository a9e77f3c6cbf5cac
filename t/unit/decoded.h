
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the tests of decoders share: a body through a decoder, in pieces and
 * into outputs of any size, and what must come of it.
 */


#ifndef GUARDRAIL_TEST_DECODED_H
#define GUARDRAIL_TEST_DECODED_H


#include "tap.h"
#include "bytes.h"

#include "codec/guardrail_codec.h"


#define OUT_PLENTY  16384


typedef struct {
    guardrail_rc_e          rc;         /* of decode() or finish() */
    size_t                  at;         /* bytes taken in */
    bytes_t                 out;
    guardrail_codec_info_t  info;
    const char             *fault;
} decoded_t;


typedef struct {
    unsigned                fail;
    unsigned                allocs;
    unsigned                frees;
    size_t                  size;       /* held, in bytes */
    size_t                  most;       /* the most that was held */
    size_t                  windows;
} heap_t;


/*
 * The last large blocks are taken again: under ASan a new one is megabytes of
 * pages to be touched, for each of thousands of decoders.
 */

#define HEAP_KEPT   2
#define HEAP_LARGE  (128 * 1024)


static struct {
    void                   *p;
    size_t                  size;
} heap_kept[HEAP_KEPT];


static inline void *
heap_take(size_t size)
{
    void      *p;
    unsigned   i;

    for (i = 0; i < HEAP_KEPT; i++) {

        if (heap_kept[i].p && heap_kept[i].size == size) {
            p = heap_kept[i].p;
            heap_kept[i].p = NULL;

            return p;
        }
    }

    return malloc(size);
}


static inline void
heap_give(void *p, size_t size)
{
    unsigned  i;

    if (size >= HEAP_LARGE) {

        for (i = 0; i < HEAP_KEPT && heap_kept[i].p; i++) { /* void */ }

        if (i == HEAP_KEPT) {
            i = 0;
            free(heap_kept[i].p);
        }

        heap_kept[i].p = p;
        heap_kept[i].size = size;

        return;
    }

    free(p);
}


static inline void *
heap_alloc(void *opaque, size_t size, size_t window)
{
    heap_t  *h = opaque;

    if (h->fail) {
        return NULL;
    }

    h->allocs++;
    h->size += size;
    h->windows += window;

    if (h->size > h->most) {
        h->most = h->size;
    }

    return heap_take(size);
}


static inline void
heap_free(void *opaque, void *p, size_t size, size_t window)
{
    heap_t  *h = opaque;

    h->frees++;
    h->size -= size;
    h->windows -= window;

    heap_give(p, size);
}


/* a piece in memory of its own, into outputs of their own */

static inline void
decode_piece(const guardrail_codec_t *codec, void *state, const uint8_t *p,
    size_t len, size_t out_size, decoded_t *d)
{
    size_t                 stuck;
    uint8_t               *in, *out;
    guardrail_codec_io_t   io;

    in = malloc(len ? len : 1);
    out = malloc(out_size);

    if (in == NULL || out == NULL) {
        abort();
    }

    if (len) {
        memcpy(in, p, len);
    }

    io.in = in;
    io.in_end = in + len;
    stuck = 0;

    do {
        io.out = out;
        io.out_end = out + out_size;

        p = io.in;
        d->rc = codec->decode(state, &io);

        if (io.in < p || io.in > io.in_end || io.out < out
            || io.out > io.out_end)
        {
            d->fault = "the io went astray";
            break;
        }

        stuck = (io.in == p && io.out == out && io.in != io.in_end)
                ? stuck + 1 : 0;

        if (stuck && d->rc == GUARDRAIL_OK) {
            d->fault = "no progress";
            break;
        }

        bytes_add(&d->out, out, (size_t) (io.out - out));

        /* done when the input is spent and the output came back not full */

    } while (d->rc == GUARDRAIL_OK
             && (io.in != io.in_end || io.out == io.out_end));

    d->at += (size_t) (io.in - in);

    free(in);
    free(out);
}


/* pieces of cut bytes (0: one), outputs of out_size bytes */

static inline void
decode(const guardrail_codec_t *codec, const bytes_t *in, size_t cut,
    size_t out_size, decoded_t *d)
{
    void                  *state;
    size_t                 done, n;
    heap_t                 heap;
    guardrail_rc_e         rc;
    guardrail_alloc_t      alloc;
    guardrail_codec_io_t   io;
    uint8_t                ch;

    memset(d, 0, sizeof(decoded_t));
    memset(&heap, 0, sizeof(heap_t));

    alloc.alloc = heap_alloc;
    alloc.free = heap_free;
    alloc.opaque = &heap;

    state = codec->open(&alloc);

    if (state == NULL) {
        abort();
    }

    for (done = 0; done < in->len && d->rc == GUARDRAIL_OK && !d->fault;
         done += n)
    {
        n = (cut && cut < in->len - done) ? cut : in->len - done;

        decode_piece(codec, state, in->p + done, n, out_size, d);
    }

    if (d->rc == GUARDRAIL_OK) {
        d->rc = codec->finish(state);
    }

    d->info = *codec->info(state);

    if ((d->rc == GUARDRAIL_OK) != (d->info.error == NULL)) {
        d->fault = "an error without a refusal, or the other way round";
    }

    if (d->rc != GUARDRAIL_OK) {

        /* for good */

        ch = 0;
        io.in = &ch;
        io.in_end = &ch + 1;
        io.out = &ch;
        io.out_end = &ch + 1;

        rc = codec->decode(state, &io);

        if (rc != d->rc || io.in != &ch || io.out != &ch
            || codec->finish(state) != d->rc)
        {
            d->fault = "the refusal is not sticky";
        }
    }

    codec->close(state);

    if (heap.allocs != heap.frees || heap.size || heap.windows
        || heap.most > codec->memory)
    {
        d->fault = "more memory than declared, or a leak";
    }
}


static inline int
same(const decoded_t *a, const decoded_t *b)
{
    return a->fault == NULL && b->fault == NULL
           && a->rc == b->rc && a->at == b->at && a->out.len == b->out.len
           && (a->out.len == 0
               || memcmp(a->out.p, b->out.p, a->out.len) == 0)
           && a->info.overhead == b->info.overhead
           && a->info.member_overhead == b->info.member_overhead
           && (a->info.error == b->info.error
               || (a->info.error && b->info.error
                   && strcmp(a->info.error, b->info.error) == 0));
}


static inline void
passes(const guardrail_codec_t *codec, const bytes_t *in, const void *out,
    size_t len, const char *what)
{
    int        good;
    decoded_t  d;

    decode(codec, in, 0, OUT_PLENTY, &d);

    good = d.fault == NULL && d.rc == GUARDRAIL_OK && d.at == in->len
           && d.out.len == len && (len == 0 || memcmp(d.out.p, out, len) == 0);

    if (!tap_ok(good, "%s: %s", codec->name, what)) {
        tap_diag("rc %s, %zu of %zu in, %zu of %zu out, %s, %s",
                 guardrail_rc_info(d.rc)->name, d.at, in->len, d.out.len, len,
                 d.info.error ? d.info.error : "no error",
                 d.fault ? d.fault : "no fault");
    }

    bytes_free(&d.out);
}


/* refused after "at" bytes were taken in, or only at the end (SIZE_MAX) */

static inline void
refused_as(const guardrail_codec_t *codec, const bytes_t *in,
    guardrail_rc_e rc, size_t at, const char *error, const char *what)
{
    int        good;
    decoded_t  d;

    decode(codec, in, 1, OUT_PLENTY, &d);

    if (at == SIZE_MAX) {
        at = in->len;
    }

    good = d.fault == NULL && d.rc == rc && d.at == at && d.info.error
           && (error == NULL || strstr(d.info.error, error) != NULL);

    if (!tap_ok(good, "%s: %s", codec->name, what)) {
        tap_diag("rc %s, refused after %zu (expected %zu), %s, %s",
                 guardrail_rc_info(d.rc)->name, d.at, at,
                 d.info.error ? d.info.error : "no error",
                 d.fault ? d.fault : "no fault");
    }

    bytes_free(&d.out);
}


static inline void
refused(const guardrail_codec_t *codec, const bytes_t *in, size_t at,
    const char *error, const char *what)
{
    refused_as(codec, in, GUARDRAIL_MALFORMED_ENCODING, at, error, what);
}


/* any cut, any room for the output: the same bytes, verdict and counts */

static inline void
every_cut(const guardrail_codec_t *codec, const bytes_t *in, const char *what)
{
    size_t     i, j, bad;
    decoded_t  whole, d;

    static const size_t  outs[] = { 1, 2, 3, 7, 257, 258, 259, 4096 };

    decode(codec, in, 0, OUT_PLENTY, &whole);

    bad = 0;

    for (i = 0; i < 12; i++) {
        for (j = 0; j < sizeof(outs) / sizeof(outs[0]); j++) {

            if (in->len > 4096 && outs[j] < 257) {
                continue;
            }

            decode(codec, in, i, outs[j], &d);

            /* a call may take in more than it has room for the output of */

            if (whole.rc != GUARDRAIL_OK && d.rc == whole.rc) {
                d.at = whole.at;
            }

            if (!same(&whole, &d)) {
                bad++;
                tap_diag("pieces of %zu, outputs of %zu: %s", i, outs[j],
                         d.fault ? d.fault : "differs");
            }

            bytes_free(&d.out);
        }
    }

    tap_ok(bad == 0, "%s: %s, in any cuts", codec->name, what);

    bytes_free(&whole.out);
}


/* cut off at every byte: malformed, but at 0 and at the end of a member */

static inline void
truncated(const guardrail_codec_t *codec, const bytes_t *in, size_t legal,
    const char *what)
{
    size_t     i, bad;
    bytes_t    part;
    decoded_t  d;

    bad = 0;

    for (i = 0; i < in->len; i++) {
        part = *in;
        part.len = i;

        decode(codec, &part, 0, OUT_PLENTY, &d);

        if (d.fault || (d.rc == GUARDRAIL_OK) != (i == 0 || i == legal)
            || (d.rc != GUARDRAIL_OK
                && (d.info.error == NULL
                    || strstr(d.info.error, "truncated") == NULL)))
        {
            bad++;
            tap_diag("cut off at %zu of %zu: %s", i, in->len,
                     d.fault ? d.fault : guardrail_rc_info(d.rc)->name);
        }

        bytes_free(&d.out);
    }

    tap_ok(bad == 0, "%s: %s, cut off at every byte", codec->name, what);
}


/*
 * Every bit turned: refused, or, where the bit carries nothing (the time and
 * the system in a gzip header), the same bytes.
 */

static inline void
flipped(const guardrail_codec_t *codec, const bytes_t *in, const char *what)
{
    size_t     i, bad, harmless;
    decoded_t  d, whole;

    decode(codec, in, 0, OUT_PLENTY, &whole);

    bad = 0;
    harmless = 0;

    for (i = 0; i < in->len * 8; i++) {
        in->p[i / 8] ^= (uint8_t) (1 << i % 8);

        decode(codec, in, 0, OUT_PLENTY, &d);

        if (d.rc == GUARDRAIL_OK) {
            harmless++;

            if (d.out.len == 0 || d.out.len != whole.out.len
                || memcmp(d.out.p, whole.out.p, d.out.len) != 0)
            {
                bad++;
                tap_diag("bit %zu of byte %zu", i % 8, i / 8);
            }
        }

        in->p[i / 8] ^= (uint8_t) (1 << i % 8);

        bytes_free(&d.out);
    }

    tap_ok(bad == 0, "%s: %s, no flipped bit changes what is passed (%zu are"
           " harmless)", codec->name, what, harmless);

    bytes_free(&whole.out);
}


/*
 * D(p): what a decoder has given for p bytes is the same whether they came
 * at once or byte by byte.
 */

static inline void
prefixes(const guardrail_codec_t *codec, const bytes_t *in, const char *what)
{
    size_t     i, bad;
    bytes_t    part;
    decoded_t  one, each;

    bad = 0;

    for (i = 0; i <= in->len; i++) {
        part = *in;
        part.len = i;

        decode(codec, &part, 0, OUT_PLENTY, &one);
        decode(codec, &part, 1, 16, &each);

        if (!same(&one, &each)) {
            bad++;
            tap_diag("after %zu bytes: %zu and %zu", i, one.out.len,
                     each.out.len);
        }

        bytes_free(&one.out);
        bytes_free(&each.out);
    }

    tap_ok(bad == 0, "%s: %s, the output of every prefix", codec->name, what);
}


#endif /* GUARDRAIL_TEST_DECODED_H */
