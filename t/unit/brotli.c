
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The brotli decoder: windows, its arena, what ends a stream, and that the
 * bytes alone decide, never how they were cut.
 */


#include "decoded.h"
#include "brotli_bits.h"

#include "body/guardrail_body.h"

#include <brotli/encode.h>


#define MIB     (1024 * 1024)
#define TABLES  (2700 * 1024 + 1024)


static uint64_t  seed = 20240822;

static const guardrail_codec_t  *br;

static const char  text[] =
    "{\"host\":\"db1\",\"cpu\":0.25,\"note\":\"steady\"}\n"
    "{\"host\":\"db2\",\"cpu\":0.50,\"note\":\"steady\"}\n";


static void encode(bytes_t *b, const void *p, size_t len, unsigned quality,
    unsigned log, size_t flush);
static void any_cut(const bytes_t *in, const char *what);
static void test_windows(void);
static void test_large_window(void);
static void test_memory(void);
static void test_arena(void);
static void test_metadata(void);
static void test_end(void);
static void test_bad(void);
static void test_encoded(void);
static void test_zeros(void);
static void test_work(void);
static void test_random(void);


/* in pieces of flush bytes, or at once */

static void
encode(bytes_t *b, const void *p, size_t len, unsigned quality, unsigned log,
    size_t flush)
{
    size_t                   n, room;
    uint8_t                 *out;
    const uint8_t           *in;
    BrotliEncoderState      *e;
    BrotliEncoderOperation   op;

    e = BrotliEncoderCreateInstance(NULL, NULL, NULL);

    if (e == NULL) {
        abort();
    }

    BrotliEncoderSetParameter(e, BROTLI_PARAM_QUALITY, quality);
    BrotliEncoderSetParameter(e, BROTLI_PARAM_LGWIN, log);
    BrotliEncoderSetParameter(e, BROTLI_PARAM_LARGE_WINDOW, log > 24);

    in = p;

    do {
        n = (flush && flush < len) ? flush : len;
        len -= n;
        op = len ? BROTLI_OPERATION_FLUSH : BROTLI_OPERATION_FINISH;

        do {
            bytes_room(b, 65536);

            room = 65536;
            out = b->p + b->len;

            if (!BrotliEncoderCompressStream(e, op, &n, &in, &room, &out,
                                             NULL))
            {
                abort();
            }

            b->len += 65536 - room;

        } while (n || BrotliEncoderHasMoreOutput(e));

    } while (len);

    BrotliEncoderDestroyInstance(e);
}


/* like every_cut(), for what is malformed: what was given may differ */

static void
any_cut(const bytes_t *in, const char *what)
{
    size_t     i, bad;
    decoded_t  whole, d;

    bad = 0;

    decode(br, in, 0, OUT_PLENTY, &whole);

    for (i = 1; i < 40; i++) {
        decode(br, in, i % 12, 1 + i * i, &d);

        bad += (d.fault != NULL || d.rc != whole.rc
                || d.info.error != whole.info.error);

        bytes_free(&d.out);
    }

    tap_ok(bad == 0 && whole.rc != GUARDRAIL_OK, "br: %s, refused in any cuts",
           what);

    bytes_free(&whole.out);
}


static void
test_windows(void)
{
    char      what[64];
    bits_t    w = { { NULL, 0, 0 }, 0 };
    heap_t    heap;
    void     *state;
    unsigned  log;
    uint8_t   out[256];

    guardrail_rc_e        rc;
    guardrail_alloc_t     alloc;
    guardrail_codec_io_t  io;

    for (log = 10; log <= 24; log++) {
        w.b.len = 0;
        w.bit = 0;

        bits_window(&w, log);
        bits_raw(&w, text, 50);
        bits_last(&w);

        snprintf(what, sizeof(what), "a window of 2^%u", log);

        passes(br, &w.b, text, 50, what);

        if (log < 20) {
            every_cut(br, &w.b, what);
            prefixes(br, &w.b, what);
        }

        memset(&heap, 0, sizeof(heap_t));

        alloc.alloc = heap_alloc;
        alloc.free = heap_free;
        alloc.opaque = &heap;

        state = br->open(&alloc);

        io.in = w.b.p;
        io.in_end = w.b.p + w.b.len;
        io.out = out;
        io.out_end = out + sizeof(out);

        rc = br->decode(state, &io);

        tap_ok(rc == GUARDRAIL_OK && heap.allocs == 2
               && heap.windows == (size_t) 1 << log
               && heap.size <= ((size_t) 1 << log) + TABLES + 1024,
               "br: %s takes %zu bytes", what, heap.size);

        br->close(state);
    }

    /* WBITS of 7 bits that stands for none */

    w.b.len = 0;
    bytes_add(&w.b, "\x91\x03", 2);
    refused(br, &w.b, 1, "window", "a window that is reserved");

    bytes_free(&w.b);
}


static void
test_large_window(void)
{
    unsigned   log;
    bytes_t    in = { NULL, 0, 0 };
    decoded_t  d;

    for (log = 25; log <= 30; log++) {
        in.len = 0;
        encode(&in, text, sizeof(text) - 1, 5, log, 0);

        refused_as(br, &in, GUARDRAIL_MAX_MEMORY, 1, "large-window",
                   "a large window");
        any_cut(&in, "a large window");

        decode(br, &in, 0, 16, &d);
        tap_ok(d.info.wanted > 16 * MIB, "br: the window is named");
        bytes_free(&d.out);
    }

    bytes_free(&in);
}


static void
test_memory(void)
{
    heap_t                heap;
    void                 *state;
    bytes_t               in = { NULL, 0, 0 };
    uint8_t               out[256];
    guardrail_rc_e        rc;
    guardrail_alloc_t     alloc;
    guardrail_codec_io_t  io;

    alloc.alloc = heap_alloc;
    alloc.free = heap_free;
    alloc.opaque = &heap;

    memset(&heap, 0, sizeof(heap_t));
    heap.fail = 1;

    tap_ok(br->open(&alloc) == NULL, "br: no memory, no decoder");

    heap.fail = 0;
    state = br->open(&alloc);

    tap_ok(state && heap.size < 1024 && heap.windows == 0,
           "br: %zu bytes before the first byte", heap.size);

    heap.fail = 1;

    encode(&in, text, sizeof(text) - 1, 5, 22, 0);

    io.in = in.p;
    io.in_end = in.p + in.len;
    io.out = out;
    io.out_end = out + sizeof(out);

    rc = br->decode(state, &io);

    tap_ok(rc == GUARDRAIL_DECODER_MEMORY && io.out == out
           && br->info(state)->wanted > 4 * MIB
           && br->finish(state) == GUARDRAIL_DECODER_MEMORY,
           "br: refused without memory, before anything is decoded");

    br->close(state);

    tap_ok(heap.size == 0 && heap.frees == 1, "br: all is given back");

    bytes_free(&in);
}


/* metablocks with as many tables as the format has, again and again */

static void
test_arena(void)
{
    char          what[64];
    bits_t        w = { { NULL, 0, 0 }, 0 };
    size_t        i;
    unsigned      log;
    bytes_t       out = { NULL, 0, 0 };
    bits_block_t  m;

    for (log = 10; log <= 24; log++) {
        w.b.len = 0;
        w.bit = 0;
        out.len = 0;

        bits_window(&w, log);

        for (i = 0; i < 6; i++) {
            memset(&m, 0, sizeof(bits_block_t));

            m.len = 3;
            m.literal_types = i % 3 ? 256 : 1;
            m.command_types = i % 3 != 1 ? 256 : 1;
            m.literal_trees = i % 2 ? 256 : 17;
            m.distance_trees = i < 3 ? 256 : 3;
            m.command = 8;              /* insert 1, copy 2, last distance */
            m.postfix = 63;

            if (i == 0) {
                bits_raw(&w, "aaaaaaaa", 8);
                bytes_fill(&out, 'a', 8);
            }

            bits_block(&w, &m);
            bytes_fill(&out, 'a', 3);
        }

        bits_last(&w);

        snprintf(what, sizeof(what), "all tables in a window of 2^%u", log);

        passes(br, &w.b, out.p, out.len, what);
    }

    /* the first metablock of all has tables, the ring comes after them */

    for (log = 10; log <= 24; log += 2) {
        w.b.len = 0;
        w.bit = 0;

        memset(&m, 0, sizeof(bits_block_t));

        m.len = 4;
        m.literal_types = 256;
        m.command_types = 256;
        m.literal_trees = 256;
        m.distance_trees = 256;
        m.command = 32;                 /* insert 4, copy 2 */
        m.postfix = 63;

        bits_window(&w, log);
        bits_block(&w, &m);
        bits_block(&w, &m);
        bits_last(&w);

        snprintf(what, sizeof(what), "all at once in a window of 2^%u", log);

        passes(br, &w.b, "aaaaaaaa", 8, what);
    }

    bytes_free(&w.b);
    bytes_free(&out);
}


static void
test_metadata(void)
{
    bits_t     w = { { NULL, 0, 0 }, 0 };
    size_t     i;
    decoded_t  d;

    bits_window(&w, 16);
    bits_raw(&w, text, 20);

    for (i = 0; i < 40; i++) {
        bits_metadata(&w, i % 3 * 100);
    }

    bits_raw(&w, text + 20, 20);
    bits_last(&w);

    passes(br, &w.b, text, 40, "metadata");
    every_cut(br, &w.b, "metadata");
    truncated(br, &w.b, 0, "metadata");
    prefixes(br, &w.b, "metadata");

    decode(br, &w.b, 0, 16, &d);
    tap_ok(d.info.overhead == 0 && d.info.member_overhead == 0,
           "br: metadata is input");
    bytes_free(&d.out);

    bytes_free(&w.b);
}


static void
test_end(void)
{
    bytes_t  in = { NULL, 0, 0 };
    size_t   len;

    encode(&in, text, sizeof(text) - 1, 11, 22, 0);
    len = in.len;

    bytes_byte(&in, 0);
    refused(br, &in, len + 1, "after the end", "a byte after the end");
    every_cut(br, &in, "a byte after the end");

    in.len = len;
    bytes_add(&in, in.p, len);
    refused(br, &in, len + 1, "after the end", "a second stream");

    in.len = 0;
    bytes_byte(&in, 6);
    passes(br, &in, "", 0, "the stream of one byte");

    bytes_byte(&in, 6);
    refused(br, &in, 2, "after the end", "two of them");

    /* bits after the end, in its last byte */

    in.len = 0;
    bytes_byte(&in, 0x86);
    refused(br, &in, 1, "invalid", "padding that is not zero");

    bytes_free(&in);
}


static void
test_bad(void)
{
    bytes_t  in = { NULL, 0, 0 };

    encode(&in, text, sizeof(text) - 1, 5, 16, 0);

    truncated(br, &in, 0, "some text");

    in.len = 0;
    bytes_text(&in, "{\"no\": \"brotli\"}");
    any_cut(&in, "text that is not brotli");

    in.len = 0;
    gz_plain(&in, text, sizeof(text) - 1, 6);
    any_cut(&in, "gzip under the name of br");

    bytes_free(&in);
}


static void
test_encoded(void)
{
    char      what[64];
    size_t    i;
    bytes_t   in = { NULL, 0, 0 };
    bytes_t   data = { NULL, 0, 0 };
    unsigned  quality, log;

    static const unsigned  qualities[] = { 0, 1, 5, 9, 11 };

    for (i = 0; i < 60; i++) {
        bytes_add(&data, text, sizeof(text) - 1);
        bytes_byte(&data, (unsigned) (i * 7919) & 0xff);
    }

    for (i = 0; i < 20; i++) {
        quality = qualities[i % 5];
        log = i < 15 ? 10 + (unsigned) i % 7 : 24;

        in.len = 0;
        encode(&in, data.p, data.len, quality, log, i % 2 ? 777 : 0);

        snprintf(what, sizeof(what), "quality %u, window 2^%u%s", quality, log,
                 i % 2 ? ", flushed" : "");

        passes(br, &in, data.p, data.len, what);
        every_cut(br, &in, what);
        prefixes(br, &in, what);
        truncated(br, &in, 0, what);
    }

    bytes_free(&in);
    bytes_free(&data);
}


static void
test_zeros(void)
{
    void       *zeros;
    size_t      i;
    bytes_t     in = { NULL, 0, 0 };
    decoded_t   d;

    zeros = calloc(1, 32 * MIB);

    if (zeros == NULL) {
        abort();
    }

    encode(&in, zeros, 32 * MIB, 11, 24, 0);

    for (i = 0; i < 4; i++) {
        decode(br, &in, i, OUT_PLENTY, &d);

        tap_ok(d.rc == GUARDRAIL_OK && d.fault == NULL && d.at == in.len
               && d.out.len == 32 * MIB
               && memcmp(d.out.p, zeros, d.out.len) == 0,
               "br: 32 MiB of zeros in %zu bytes, in pieces of %zu", in.len,
               i);

        bytes_free(&d.out);
    }

    free(zeros);
    bytes_free(&in);
}


/* a pass of the event loop holds one filling of the ring, at most */

static void
test_work(void)
{
    size_t                   used, passes, worst;
    heap_t                   heap;
    bits_t                   w = { { NULL, 0, 0 }, 0 };
    int64_t                  budget;
    uint64_t                 decoded;
    uint8_t                  scratch[GUARDRAIL_BODY_QUANTUM];
    guardrail_rc_e           rc;
    bits_block_t             m;
    guardrail_body_t         b;
    guardrail_alloc_t        alloc;
    guardrail_body_limits_t  l;

    alloc.alloc = heap_alloc;
    alloc.free = heap_free;
    alloc.opaque = &heap;

    memset(&heap, 0, sizeof(heap_t));
    memset(&l, 0xff, sizeof(guardrail_body_limits_t));
    memset(&m, 0, sizeof(bits_block_t));

    l.format = GUARDRAIL_FORMAT_NONE;
    l.coding = GUARDRAIL_CODING_BR;

    /* 16 MiB of commands that take no bits, in a window of 64 KiB */

    m.len = 16 * MIB;
    m.literal_types = 1;
    m.command_types = 1;
    m.literal_trees = 1;
    m.distance_trees = 1;

    bits_window(&w, 16);
    bits_raw(&w, "aaaaaaaa", 8);
    bits_block(&w, &m);
    bits_last(&w);

    guardrail_body_init(&b, &l, guardrail_ndjson_select(), &alloc);

    used = 0;
    worst = 0;
    passes = 0;

    do {
        budget = 262144;
        decoded = b.decoded;

        rc = guardrail_body_feed(&b, w.b.p + b.wire, w.b.len - b.wire, scratch,
                                 &budget, &used);

        if (b.decoded - decoded > worst) {
            worst = (size_t) (b.decoded - decoded);
        }

        passes++;

    } while (rc == GUARDRAIL_AGAIN);

    tap_ok(rc == GUARDRAIL_OK && guardrail_body_finish(&b) == GUARDRAIL_OK
           && b.decoded == 16 * MIB + 8, "br: 16 MiB in %zu bytes", w.b.len);

    tap_ok(passes > 100 && worst <= 262144 - 65536,
           "br: %zu passes, at most %zu bytes in one, what is in the ring"
           " counted", passes, worst);

    guardrail_body_close(&b);

    bytes_free(&w.b);
}


static void
test_random(void)
{
    size_t     i, j, bad;
    rng_t      rng;
    bytes_t    in = { NULL, 0, 0 };
    bytes_t    data = { NULL, 0, 0 };
    decoded_t  whole, d;

    tap_diag("seed %" PRIu64, seed);

    rng.s = seed;
    bad = 0;

    for (i = 0; i < 400; i++) {
        in.len = 0;
        data.len = 0;

        for (j = 0; j < 1 + i % 3; j++) {
            bytes_fill(&data, (int) rng_below(&rng, 256),
                       rng_below(&rng, 2000));
            bytes_add(&data, text, rng_below(&rng, sizeof(text)));
        }

        encode(&in, data.p, data.len, (unsigned) rng_below(&rng, 12),
               10 + (unsigned) rng_below(&rng, 9), rng_below(&rng, 700));

        if (rng_below(&rng, 3) == 0) {
            in.p[rng_below(&rng, in.len)] ^= (uint8_t) rng_next(&rng);
        }

        if (rng_below(&rng, 4) == 0) {
            in.len = rng_below(&rng, in.len);
        }

        decode(br, &in, 0, OUT_PLENTY, &whole);

        for (j = 0; j < 4; j++) {
            decode(br, &in, rng_below(&rng, 64), 1 + rng_below(&rng, 600),
                   &d);

            if (whole.rc != GUARDRAIL_OK && d.rc == whole.rc) {
                d.at = whole.at;
            }

            if (whole.rc == GUARDRAIL_OK ? !same(&whole, &d)
                                         : d.rc != whole.rc || d.fault)
            {
                bad++;
                tap_diag("body %zu: %s and %s", i,
                         guardrail_rc_info(whole.rc)->name,
                         guardrail_rc_info(d.rc)->name);
            }

            bytes_free(&d.out);
        }

        bytes_free(&whole.out);
    }

    tap_ok(bad == 0, "br: random bodies in random cuts");

    bytes_free(&in);
    bytes_free(&data);
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    br = guardrail_codec_get(GUARDRAIL_CODING_BR);

    if (br == NULL) {
        tap_skip("br is not built in");
        return tap_done();
    }

    test_windows();
    test_large_window();
    test_memory();
    test_arena();
    test_metadata();
    test_end();
    test_bad();
    test_encoded();
    test_zeros();
    test_work();
    test_random();

    return tap_done();
}
