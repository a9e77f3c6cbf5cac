
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The zstd decoder: frames, their headers, windows and caps, and that the
 * bytes alone decide, never how they were cut.
 */


#define ZSTD_STATIC_LINKING_ONLY

#include "decoded.h"

#include <zstd.h>


#define MIB  (1024 * 1024)


/* one frame of blocks put together by hand */

typedef struct {
    unsigned   single;                  /* no window, but a content size */
    unsigned   window;                  /* Window_Descriptor */
    int        size;                    /* bytes of the content size, or 0 */
    uint64_t   content;
    int        id;                      /* bytes of the dictionary's id */
    uint32_t   dictionary;
    unsigned   flags;                   /* more bits of the descriptor */
} frame_t;


static uint64_t  seed = 20240815;

static const guardrail_codec_t  *zstd;

static const char  text[] =
    "{\"host\":\"db1\",\"cpu\":0.25,\"note\":\"steady\"}\n"
    "{\"host\":\"db2\",\"cpu\":0.50,\"note\":\"steady\"}\n";


static void frame(bytes_t *b, const frame_t *f);
static void little(bytes_t *b, uint64_t v, int n);
static void block(bytes_t *b, unsigned last, unsigned type, uint32_t size);
static void raw(bytes_t *b, unsigned last, const void *p, size_t len);
static void plain(bytes_t *b, const void *p, size_t len);
static void skippable(bytes_t *b, unsigned nibble, uint32_t size);
static void encode(bytes_t *b, const void *p, size_t len, int level,
    int checksum, int log, int known);
static void test_frames(void);
static void test_windows(void);
static void test_memory(void);
static void test_skippable(void);
static void test_caps(void);
static void test_bad(void);
static void test_output_ends_with_frame(void);
static void test_encoded(void);
static void test_zeros(void);
static void test_random(void);


static void
frame(bytes_t *b, const frame_t *f)
{
    unsigned  flags;

    flags = f->flags | (f->single ? 0x20 : 0);
    flags |= (f->size == 2) ? 0x40 : (f->size == 4) ? 0x80
             : (f->size == 8) ? 0xc0 : 0;
    flags |= (f->id == 4) ? 3 : (unsigned) f->id;

    bytes_add(b, "\x28\xb5\x2f\xfd", 4);
    bytes_byte(b, flags);

    if (!f->single) {
        bytes_byte(b, f->window);
    }

    little(b, f->dictionary, f->id);
    little(b, f->size == 2 ? f->content - 256 : f->content, f->size);
}


static void
little(bytes_t *b, uint64_t v, int n)
{
    for ( /* void */ ; n > 0; n--) {
        bytes_byte(b, v & 0xff);
        v >>= 8;
    }
}


static void
block(bytes_t *b, unsigned last, unsigned type, uint32_t size)
{
    little(b, last | type << 1 | size << 3, 3);
}


static void
raw(bytes_t *b, unsigned last, const void *p, size_t len)
{
    block(b, last, 0, (uint32_t) len);
    bytes_add(b, p, len);
}


/* a frame with a window of 1 KiB and one block */

static void
plain(bytes_t *b, const void *p, size_t len)
{
    frame_t  f;

    memset(&f, 0, sizeof(frame_t));
    frame(b, &f);
    raw(b, 1, p, len);
}


static void
skippable(bytes_t *b, unsigned nibble, uint32_t size)
{
    bytes_byte(b, 0x50 | nibble);
    bytes_add(b, "\x2a\x4d\x18", 3);
    bytes_le32(b, size);
    bytes_fill(b, 0xfd, size);
}


static void
encode(bytes_t *b, const void *p, size_t len, int level, int checksum,
    int log, int known)
{
    size_t          n;
    ZSTD_CCtx      *c;
    ZSTD_inBuffer   in;
    ZSTD_outBuffer  out;

    c = ZSTD_createCCtx();

    if (c == NULL) {
        abort();
    }

    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, checksum);
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, log);

    if (known) {
        ZSTD_CCtx_setPledgedSrcSize(c, len);
    }

    bytes_room(b, ZSTD_compressBound(len) + 64);

    in.src = p;
    in.size = len;
    in.pos = 0;

    out.dst = b->p + b->len;
    out.size = b->cap - b->len;
    out.pos = 0;

    n = ZSTD_compressStream2(c, &out, &in, ZSTD_e_end);

    if (n != 0) {
        abort();
    }

    b->len += out.pos;

    ZSTD_freeCCtx(c);
}


/* every kind of header */

static void
test_frames(void)
{
    int       size, id;
    char      what[64];
    frame_t   f;
    bytes_t   in = { NULL, 0, 0 };
    size_t    len;
    unsigned  single;

    static const int  sizes[] = { 0, 1, 2, 4, 8 };

    for (single = 0; single < 2; single++) {
        for (size = 0; size < 5; size++) {
            for (id = 0; id < 5; id++) {

                if (id == 3 || (sizes[size] == 1) != (single && size < 2)
                    || (single && size == 0))
                {
                    continue;
                }

                len = sizes[size] == 2 ? 300 : 80;

                memset(&f, 0, sizeof(frame_t));

                f.single = single;
                f.size = sizes[size];
                f.content = len;
                f.id = id;

                in.len = 0;
                frame(&in, &f);
                bytes_room(&in, 512);

                block(&in, 0, 1, (uint32_t) len - 9);
                bytes_byte(&in, 'x');
                block(&in, 0, 0, 0);
                raw(&in, 1, "123456789", 9);

                snprintf(what, sizeof(what), "%s, size of %d, id of %d",
                         single ? "single segment" : "window", sizes[size],
                         id);

                {
                    bytes_t  out = { NULL, 0, 0 };

                    bytes_fill(&out, 'x', len - 9);
                    bytes_add(&out, "123456789", 9);
                    passes(zstd, &in, out.p, out.len, what);
                    bytes_free(&out);
                }

                truncated(zstd, &in, 0, what);
                every_cut(zstd, &in, what);
                prefixes(zstd, &in, what);
            }
        }
    }

    bytes_free(&in);
}


static void
test_windows(void)
{
    size_t    i;
    char      what[64];
    bytes_t   in = { NULL, 0, 0 };
    frame_t   f;
    unsigned  exponent, mantissa;
    uint64_t  window;
    decoded_t d;

    for (i = 0; i < 256; i++) {
        exponent = (unsigned) i >> 3;
        mantissa = i & 7;
        window = (uint64_t) 1 << (10 + exponent);
        window += window / 8 * mantissa;

        memset(&f, 0, sizeof(frame_t));
        f.window = (unsigned) i;

        in.len = 0;
        frame(&in, &f);
        raw(&in, 1, "abc", 3);

        snprintf(what, sizeof(what), "a window of %" PRIu64, window);

        if (window <= 8 * MIB) {
            passes(zstd, &in, "abc", 3, what);
            continue;
        }

        refused_as(zstd, &in, GUARDRAIL_MAX_MEMORY, 6, "too large", what);

        decode(zstd, &in, 0, 16, &d);
        tap_is_u64(d.info.wanted, window, "zstd: %s is named", what);
        bytes_free(&d.out);
    }

    /* of a single segment the content is the window */

    memset(&f, 0, sizeof(frame_t));

    f.single = 1;
    f.size = 4;
    f.content = 8 * MIB + 1;

    in.len = 0;
    frame(&in, &f);
    bytes_add(&in, "abc", 3);

    refused_as(zstd, &in, GUARDRAIL_MAX_MEMORY, 9, "too large",
               "a single segment of 8 MiB + 1");
    every_cut(zstd, &in, "a single segment of 8 MiB + 1");

    f.size = 8;
    f.content = UINT64_MAX;

    in.len = 0;
    plain(&in, "ab", 2);
    frame(&in, &f);
    bytes_add(&in, "abc", 3);

    refused_as(zstd, &in, GUARDRAIL_MAX_MEMORY, in.len - 3, "too large",
               "2^64 - 1 in the second frame");
    every_cut(zstd, &in, "2^64 - 1 in the second frame");

    f.size = 4;
    f.content = 8 * MIB;

    in.len = 0;
    frame(&in, &f);

    for (i = 0; i < 64; i++) {
        block(&in, i == 63, 1, 131072);
        bytes_byte(&in, 0);
    }

    decode(zstd, &in, 7, OUT_PLENTY, &d);
    tap_ok(d.rc == GUARDRAIL_OK && d.fault == NULL && d.out.len == 8 * MIB,
           "zstd: a single segment of 8 MiB");
    bytes_free(&d.out);

    bytes_free(&in);
}


/* one block, of the window's size, and another only for a larger window */

static void
test_memory(void)
{
    heap_t                heap;
    void                 *state;
    bytes_t               in = { NULL, 0, 0 };
    frame_t               f;
    uint8_t               out[64];
    unsigned              i;
    guardrail_rc_e        rc;
    guardrail_alloc_t     alloc;
    guardrail_codec_io_t  io;

    static const struct {
        unsigned  window;
        unsigned  allocs;
        size_t    most;
    } frames[] = {
        { 0, 2, 65536 }, { 5 << 3, 2, 65536 }, { 6 << 3, 2, 65536 },
        { 6 << 3 | 1, 3, 131072 }, { 0, 3, 131072 },
        { 13 << 3, 4, 8 * MIB }, { 12 << 3 | 7, 4, 8 * MIB },
        { 0, 4, 8 * MIB }
    };

    alloc.alloc = heap_alloc;
    alloc.free = heap_free;
    alloc.opaque = &heap;

    memset(&heap, 0, sizeof(heap_t));
    memset(&f, 0, sizeof(frame_t));

    state = zstd->open(&alloc);

    tap_ok(state && heap.size < 1024 && heap.windows == 0,
           "zstd: %zu bytes before the first header", heap.size);

    for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        f.window = frames[i].window;

        in.len = 0;
        frame(&in, &f);
        raw(&in, 1, text, 40);

        io.in = in.p;
        io.in_end = in.p + in.len;
        io.out = out;
        io.out_end = out + sizeof(out);

        rc = zstd->decode(state, &io);

        tap_ok(rc == GUARDRAIL_OK && heap.allocs == frames[i].allocs
               && heap.windows == frames[i].most
               && heap.size < frames[i].most + 640 * 1024
               && io.out - out == 40 && memcmp(out, text, 40) == 0,
               "zstd: %zu bytes for a window of descriptor %u", heap.size,
               f.window);
    }

    tap_ok(heap.most <= zstd->memory, "zstd: never more than declared");

    zstd->close(state);

    tap_ok(heap.size == 0 && heap.windows == 0 && heap.frees == 4,
           "zstd: all is given back");

    /* none to be had: at first, and for the block */

    memset(&heap, 0, sizeof(heap_t));
    heap.fail = 1;

    tap_ok(zstd->open(&alloc) == NULL, "zstd: no memory, no decoder");

    heap.fail = 0;
    state = zstd->open(&alloc);
    heap.fail = 1;

    io.in = in.p;
    io.in_end = in.p + in.len;
    io.out = out;
    io.out_end = out + sizeof(out);

    rc = zstd->decode(state, &io);

    tap_ok(rc == GUARDRAIL_DECODER_MEMORY && io.out == out
           && zstd->info(state)->wanted > 65536
           && zstd->finish(state) == GUARDRAIL_DECODER_MEMORY,
           "zstd: refused without memory, before anything is decoded");

    zstd->close(state);

    bytes_free(&in);
}


static void
test_skippable(void)
{
    char       what[64];
    bytes_t    in = { NULL, 0, 0 };
    decoded_t  d;
    unsigned   i;

    for (i = 0; i < 16; i++) {
        in.len = 0;
        skippable(&in, i, i * 3);

        snprintf(what, sizeof(what), "skippable frame %x", i);

        passes(zstd, &in, "", 0, what);
        truncated(zstd, &in, 0, what);
    }

    in.len = 0;
    skippable(&in, 0, 5);
    plain(&in, "abc", 3);
    skippable(&in, 7, 0);
    skippable(&in, 7, 100);
    plain(&in, "", 0);
    skippable(&in, 1, 1);

    passes(zstd, &in, "abc", 3, "skippable frames around data");
    every_cut(zstd, &in, "skippable frames around data");
    prefixes(zstd, &in, "skippable frames around data");

    decode(zstd, &in, 0, 16, &d);
    tap_is_u64(d.info.overhead, 13 + 8 + 108 + 9,
               "zstd: skippable frames are overhead");
    tap_is_u64(d.info.member_overhead, 13,
               "zstd: only those before the last output");
    bytes_free(&d.out);

    /* one that is unfinished is input */

    in.len--;
    decode(zstd, &in, 0, 16, &d);
    tap_is_u64(d.info.overhead, 13 + 8 + 108, "zstd: once they have ended");
    bytes_free(&d.out);

    in.len = 0;
    skippable(&in, 3, 65528);
    passes(zstd, &in, "", 0, "a skippable frame of 65536");

    in.len = 0;
    plain(&in, "abc", 3);
    skippable(&in, 3, 65529);
    refused(zstd, &in, 12 + 8, "too long", "a skippable frame of 65537");
    every_cut(zstd, &in, "a skippable frame of 65537");

    in.len = 0;
    bytes_add(&in, "\x50\x2a\x4d\x18\xff\xff\xff\xff", 8);
    refused(zstd, &in, 8, "too long", "a skippable frame of 4 GiB");

    bytes_free(&in);
}


static void
test_caps(void)
{
    unsigned   i;
    bytes_t    in = { NULL, 0, 0 };
    bytes_t    out = { NULL, 0, 0 };
    decoded_t  d;

    for (i = 0; i < 1024; i++) {
        if (i % 2) {
            skippable(&in, i % 16, i % 7);

        } else {
            plain(&in, text, i % 5);
            bytes_add(&out, text, i % 5);
        }
    }

    passes(zstd, &in, out.p, out.len, "1024 frames");

    plain(&in, "", 0);
    refused(zstd, &in, in.len - 8, "too many", "1025 frames");
    every_cut(zstd, &in, "1025 frames");

    in.len -= 9;
    skippable(&in, 0, 0);
    refused(zstd, &in, in.len - 7, "too many", "1025, the last skippable");

    /* empty frames want no memory of their own: decode() counts blocks */

    in.len = 0;

    for (i = 0; i < 1024; i++) {
        plain(&in, "", 0);
    }

    decode(zstd, &in, 1, 16, &d);
    tap_ok(d.rc == GUARDRAIL_OK && d.fault == NULL && d.out.len == 0,
           "zstd: 1024 empty frames");
    bytes_free(&d.out);

    bytes_free(&in);
    bytes_free(&out);
}


static void
test_bad(void)
{
    size_t    i;
    frame_t   f;
    bytes_t   in = { NULL, 0, 0 };

    static const char  *magics[] = {
        "\x1f\x8b\x08\0", "\x78\x9c\x03\0", "text", "\x27\xb5\x2f\xfd",
        "\x22\xb5\x2f\xfd", "\xfd\x2f\xb5\x28", "\x37\xa4\x30\xec"
    };

    static const size_t  at[] = { 1, 1, 1, 1, 1, 1, 1 };

    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        in.len = 0;
        bytes_add(&in, magics[i], 4);
        refused(zstd, &in, at[i], "no zstd header", "another magic number");
    }

    for (i = 1; i < 4; i++) {
        in.len = 0;
        bytes_add(&in, "\x28\xb5\x2f\xfd", 4);
        in.p[i] ^= 0x10;
        refused(zstd, &in, i + 1, "no zstd header", "a wrong magic number");

        in.len = 0;
        plain(&in, "abc", 3);
        bytes_add(&in, "\x5f\x2a\x4d\x18", 4);
        in.p[in.len - 4 + i] ^= 0x10;
        refused(zstd, &in, in.len - 3 + i, "after the end",
                "a wrong magic number after the end");
    }

    in.len = 0;
    plain(&in, "abc", 3);
    bytes_byte(&in, 0);
    refused(zstd, &in, in.len, "after the end", "a byte after the end");
    every_cut(zstd, &in, "a byte after the end");

    memset(&f, 0, sizeof(frame_t));

    f.flags = 8;
    in.len = 0;
    frame(&in, &f);
    refused(zstd, &in, 5, "reserved", "the reserved bit");

    /* the unused bit says nothing */

    f.flags = 0x10;
    in.len = 0;
    frame(&in, &f);
    raw(&in, 1, "abc", 3);
    passes(zstd, &in, "abc", 3, "the unused bit");

    for (i = 1; i <= 4; i <<= 1) {
        memset(&f, 0, sizeof(frame_t));

        f.id = (int) i;
        f.dictionary = (uint32_t) 1 << (8 * (i - 1));

        in.len = 0;
        frame(&in, &f);
        refused(zstd, &in, in.len, "dictionaries", "a dictionary");
        every_cut(zstd, &in, "a dictionary");
    }

    memset(&f, 0, sizeof(frame_t));

    in.len = 0;
    frame(&in, &f);
    block(&in, 1, 3, 5);
    bytes_add(&in, "12345", 5);
    refused(zstd, &in, 9, "invalid", "a block of the reserved type");

    f.window = 7 << 3;

    in.len = 0;
    frame(&in, &f);
    block(&in, 1, 0, 131073);
    refused(zstd, &in, 9, "invalid", "a block above 128 KiB");

    in.len = 0;
    frame(&in, &f);
    block(&in, 0, 2, 3);
    bytes_add(&in, "\xff\xff\xff", 3);
    refused(zstd, &in, 12, "invalid", "a compressed block of junk");

    /* the content size is a promise */

    f.single = 1;
    f.size = 1;
    f.content = 5;

    in.len = 0;
    frame(&in, &f);
    raw(&in, 1, "1234", 4);
    refused(zstd, &in, SIZE_MAX, "invalid", "less than was promised");
    every_cut(zstd, &in, "less than was promised");

    in.len = 0;
    frame(&in, &f);
    raw(&in, 0, "1234", 4);
    block(&in, 1, 0, 0);
    refused(zstd, &in, SIZE_MAX, "length", "less, and an empty block");
    every_cut(zstd, &in, "less, and an empty block");

    in.len = 0;
    frame(&in, &f);
    raw(&in, 1, "123456", 6);
    refused(zstd, &in, 9, "invalid", "more than was promised");

    bytes_free(&in);
}


/*
 * libzstd takes the last byte of a frame only when all output was given:
 * nobody outside may see that, neither where the output is full just there.
 */

static void
test_output_ends_with_frame(void)
{
    size_t     i, bad;
    frame_t    f;
    bytes_t    in = { NULL, 0, 0 };
    decoded_t  d;

    memset(&f, 0, sizeof(frame_t));
    bad = 0;

    for (i = 1; i < 200; i++) {
        in.len = 0;

        frame(&in, &f);
        block(&in, 1, 1, 100);
        bytes_byte(&in, 'r');
        plain(&in, text, 50);
        frame(&in, &f);
        raw(&in, 0, text, 20);
        block(&in, 1, 0, 0);
        encode(&in, text, sizeof(text) - 1, 3, 1, 10, 1);

        decode(zstd, &in, 0, i, &d);

        if (d.rc != GUARDRAIL_OK || d.fault || d.at != in.len
            || d.out.len != 170 + sizeof(text) - 1)
        {
            bad++;
            tap_diag("outputs of %zu: %s, %zu of %zu in", i,
                     d.fault ? d.fault : guardrail_rc_info(d.rc)->name, d.at,
                     in.len);
        }

        bytes_free(&d.out);
    }

    tap_ok(bad == 0, "zstd: outputs that are full where a frame ends");

    bytes_free(&in);
}


static void
test_encoded(void)
{
    int       level;
    char      what[64];
    size_t    i;
    bytes_t   in = { NULL, 0, 0 };
    bytes_t   data = { NULL, 0, 0 };

    for (i = 0; i < 60; i++) {
        bytes_add(&data, text, sizeof(text) - 1);
        bytes_byte(&data, (unsigned) (i * 7919) & 0xff);
    }

    for (level = -5; level <= 19; level += 6) {
        for (i = 0; i < 4; i++) {
            in.len = 0;
            encode(&in, data.p, data.len, level, i & 1, 12, (int) i >> 1);

            snprintf(what, sizeof(what), "level %d, checksum %zu, known %zu",
                     level, i & 1, i >> 1);

            passes(zstd, &in, data.p, data.len, what);
            every_cut(zstd, &in, what);
            truncated(zstd, &in, 0, what);
            prefixes(zstd, &in, what);
        }
    }

    in.len = 0;
    encode(&in, text, sizeof(text) - 1, 3, 1, 10, 1);
    flipped(zstd, &in, "a frame with a checksum");

    in.p[in.len - 1] ^= 1;
    refused(zstd, &in, SIZE_MAX, "checksum", "a wrong checksum");
    every_cut(zstd, &in, "a wrong checksum");

    bytes_free(&in);
    bytes_free(&data);
}


/* runs of 128 KiB in four bytes each: the most that zstd can say */

static void
test_zeros(void)
{
    size_t     i, n;
    frame_t    f;
    bytes_t    in = { NULL, 0, 0 };
    decoded_t  d;

    memset(&f, 0, sizeof(frame_t));
    f.window = 7 << 3;

    for (n = 1; n <= 65; n += 32) {
        in.len = 0;
        frame(&in, &f);

        for (i = 0; i < n; i++) {
            block(&in, i + 1 == n, 1, 131072);
            bytes_byte(&in, 0);
        }

        for (i = 0; i < 3; i++) {
            decode(zstd, &in, i, OUT_PLENTY, &d);

            tap_ok(d.rc == GUARDRAIL_OK && d.fault == NULL
                   && d.out.len == n * 131072 && d.at == 6 + 4 * n,
                   "zstd: %zu runs of 128 KiB, in pieces of %zu", n, i);

            bytes_free(&d.out);
        }
    }

    bytes_free(&in);
}


static void
test_random(void)
{
    size_t     i, j, n, bad;
    rng_t      rng;
    frame_t    f;
    bytes_t    in = { NULL, 0, 0 };
    bytes_t    data = { NULL, 0, 0 };
    decoded_t  whole, d;

    tap_diag("seed %" PRIu64, seed);

    rng.s = seed;
    bad = 0;

    for (i = 0; i < 600; i++) {
        in.len = 0;
        data.len = 0;
        bytes_room(&in, 1);

        n = rng_below(&rng, 4);

        for (j = 0; j < n; j++) {
            bytes_fill(&data, (int) rng_below(&rng, 256),
                       rng_below(&rng, 2000));
            bytes_add(&data, text, rng_below(&rng, sizeof(text)));

            switch (rng_below(&rng, 4)) {

            case 0:
                skippable(&in, (unsigned) rng_below(&rng, 16),
                          (uint32_t) rng_below(&rng, 90));
                break;

            case 1:
                memset(&f, 0, sizeof(frame_t));
                f.window = (unsigned) rng_below(&rng, 64);
                frame(&in, &f);
                block(&in, 0, 1, (uint32_t) rng_below(&rng, 900));
                bytes_byte(&in, 'q');
                raw(&in, 1, data.p, rng_below(&rng, data.len < 1024
                                                    ? data.len : 1024));
                break;

            default:
                encode(&in, data.p, data.len, (int) rng_below(&rng, 19),
                       (int) rng_below(&rng, 2),
                       10 + (int) rng_below(&rng, 5),
                       (int) rng_below(&rng, 2));
            }
        }

        if (in.len && rng_below(&rng, 3) == 0) {
            in.p[rng_below(&rng, in.len)] ^= (uint8_t) rng_next(&rng);
        }

        if (in.len && rng_below(&rng, 4) == 0) {
            in.len = rng_below(&rng, in.len);
        }

        decode(zstd, &in, 0, OUT_PLENTY, &whole);

        for (j = 0; j < 4; j++) {
            decode(zstd, &in, rng_below(&rng, 64), 1 + rng_below(&rng, 600),
                   &d);

            if (whole.rc != GUARDRAIL_OK && d.rc == whole.rc) {
                d.at = whole.at;
            }

            if (!same(&whole, &d)) {
                bad++;
                tap_diag("body %zu: %s and %s", i,
                         guardrail_rc_info(whole.rc)->name,
                         guardrail_rc_info(d.rc)->name);
            }

            bytes_free(&d.out);
        }

        bytes_free(&whole.out);
    }

    tap_ok(bad == 0, "zstd: random bodies in random cuts");

    bytes_free(&in);
    bytes_free(&data);
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    zstd = guardrail_codec_get(GUARDRAIL_CODING_ZSTD);

    if (zstd == NULL) {
        tap_skip("zstd is not built in");
        return tap_done();
    }

    test_frames();
    test_windows();
    test_memory();
    test_skippable();
    test_caps();
    test_bad();
    test_output_ends_with_frame();
    test_encoded();
    test_zeros();
    test_random();

    return tap_done();
}
