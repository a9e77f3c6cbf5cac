
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The decoders against their libraries' own reading of the same bytes: what
 * is accepted, what comes out, and that no cut changes either.
 *
 * The first bytes of an input: how the rest is taken, the flags of a gzip
 * header, the size of pieces, and that of outputs.
 */


#include "../unit/bytes.h"

#include "codec/guardrail_codec.h"

#include <brotli/decode.h>
#include <zstd.h>


#define OUT_MOST  (1 << 20)


typedef struct {
    guardrail_rc_e          rc;
    bytes_t                 out;
    guardrail_codec_info_t  info;
} decoded_t;


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static void *fuzz_alloc(void *opaque, size_t size, size_t window);
static void fuzz_free(void *opaque, void *p, size_t size, size_t window);
static void decode(const guardrail_codec_t *codec, const bytes_t *in,
    size_t cut, size_t out_size, decoded_t *d);
static int zlib_stream(const uint8_t *p, size_t len, int wbits, bytes_t *out,
    size_t *consumed);
static int zlib_body(guardrail_coding_e coding, const bytes_t *in,
    bytes_t *out);
static int brotli_body(const bytes_t *in, bytes_t *out);
static int zstd_body(const bytes_t *in, bytes_t *out);
static void wrap(guardrail_coding_e coding, const uint8_t *p, size_t len,
    unsigned flags, bytes_t *in);
static void check(int good, const char *what);


static void
check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}


static void *
fuzz_alloc(void *opaque, size_t size, size_t window)
{
    *(size_t *) opaque += size + window;

    return malloc(size);
}


static void
fuzz_free(void *opaque, void *p, size_t size, size_t window)
{
    *(size_t *) opaque -= size + window;

    free(p);
}


static void
decode(const guardrail_codec_t *codec, const bytes_t *in, size_t cut,
    size_t out_size, decoded_t *d)
{
    void                  *state;
    size_t                 live, done, n;
    uint8_t               *piece, *out;
    const uint8_t         *before;
    guardrail_alloc_t      alloc;
    guardrail_codec_io_t   io;

    memset(d, 0, sizeof(decoded_t));

    live = 0;
    alloc.alloc = fuzz_alloc;
    alloc.free = fuzz_free;
    alloc.opaque = &live;

    state = codec->open(&alloc);
    out = malloc(out_size);

    check(state && out && live, "an allocation");

    for (done = 0; done < in->len && d->rc == GUARDRAIL_OK; done += n) {

        n = (cut && cut < in->len - done) ? cut : in->len - done;
        piece = malloc(n);

        if (piece == NULL) {
            abort();
        }

        memcpy(piece, in->p + done, n);

        io.in = piece;
        io.in_end = piece + n;

        do {
            before = io.in;
            io.out = out;
            io.out_end = out + out_size;

            d->rc = codec->decode(state, &io);

            check(io.in >= before && io.in <= io.in_end && io.out >= out
                  && io.out <= io.out_end, "the io went astray");

            check(d->rc != GUARDRAIL_OK || io.in != before || io.out != out
                  || io.in == io.in_end, "no progress");

            bytes_add(&d->out, out, (size_t) (io.out - out));

        } while (d->rc == GUARDRAIL_OK && d->out.len < OUT_MOST
                 && (io.in != io.in_end || io.out == io.out_end));

        free(piece);

        if (d->out.len >= OUT_MOST) {
            break;
        }
    }

    if (d->rc == GUARDRAIL_OK) {
        d->rc = codec->finish(state);
    }

    d->info = *codec->info(state);

    check((d->rc == GUARDRAIL_OK) == (d->info.error == NULL),
          "a refusal without a reason");
    check(d->info.overhead <= in->len
          && d->info.member_overhead <= d->info.overhead, "the overhead");

    codec->close(state);
    free(out);

    check(live == 0, "a leak");
}


/* 1 if the stream ended; *out is what it gave in any case */

static int
zlib_stream(const uint8_t *p, size_t len, int wbits, bytes_t *out,
    size_t *consumed)
{
    int       rc;
    z_stream  zs;

    memset(&zs, 0, sizeof(z_stream));

    if (inflateInit2(&zs, wbits) != Z_OK) {
        abort();
    }

    zs.next_in = (Bytef *) (uintptr_t) p;
    zs.avail_in = (uInt) len;

    do {
        bytes_room(out, 65536);

        zs.next_out = out->p + out->len;
        zs.avail_out = 65536;

        rc = inflate(&zs, Z_SYNC_FLUSH);

        out->len += 65536 - zs.avail_out;

    } while (rc == Z_OK && zs.avail_out == 0 && out->len < OUT_MOST);

    *consumed = len - zs.avail_in;

    (void) inflateEnd(&zs);

    return rc == Z_STREAM_END;
}


/* 1 if zlib accepts the whole, in its gzip mode if it is gzip */

static int
zlib_body(guardrail_coding_e coding, const bytes_t *in, bytes_t *out)
{
    int       wbits;
    size_t    pos, n;
    unsigned  members;

    if (in->len == 0) {
        return 1;
    }

    if (coding == GUARDRAIL_CODING_DEFLATE) {
        wbits = (in->len > 1 && (in->p[0] & 0x0f) == 8 && in->p[0] < 0x80
                 && (in->p[0] * 256u + in->p[1]) % 31 == 0)
                ? MAX_WBITS : -MAX_WBITS;

        return zlib_stream(in->p, in->len, wbits, out, &n) && n == in->len;
    }

    members = 0;

    for (pos = 0; pos < in->len; pos += n) {

        if (++members > GUARDRAIL_GZIP_MAX_MEMBERS) {
            return 0;
        }

        if (!zlib_stream(in->p + pos, in->len - pos, MAX_WBITS + 16, out, &n))
        {
            return 0;
        }
    }

    return 1;
}


/* 1 if one stream ends with the last byte */

static int
brotli_body(const bytes_t *in, bytes_t *out)
{
    size_t                left, room;
    uint8_t              *next_out;
    const uint8_t        *next;
    BrotliDecoderState   *s;
    BrotliDecoderResult   rc;

    if (in->len == 0) {
        return 1;
    }

    s = BrotliDecoderCreateInstance(NULL, NULL, NULL);

    if (s == NULL) {
        abort();
    }

    next = in->p;
    left = in->len;

    do {
        bytes_room(out, 65536);

        next_out = out->p + out->len;
        room = 65536;

        rc = BrotliDecoderDecompressStream(s, &left, &next, &room, &next_out,
                                           NULL);

        out->len += 65536 - room;

    } while (rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT
             && out->len < OUT_MOST);

    BrotliDecoderDestroyInstance(s);

    return rc == BROTLI_DECODER_RESULT_SUCCESS && left == 0;
}


/* 1 if the frames are whole; dictionaries and large windows are errors */

static int
zstd_body(const bytes_t *in, bytes_t *out)
{
    size_t           rc;
    ZSTD_DCtx       *d;
    ZSTD_inBuffer    zin;
    ZSTD_outBuffer   zout;

    if (in->len == 0) {
        return 1;
    }

    d = ZSTD_createDCtx();

    if (d == NULL) {
        abort();
    }

    (void) ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 23);

    zin.src = in->p;
    zin.size = in->len;
    zin.pos = 0;

    rc = 0;

    while (out->len < OUT_MOST) {
        bytes_room(out, 65536);

        zout.dst = out->p + out->len;
        zout.size = 65536;
        zout.pos = 0;

        rc = ZSTD_decompressStream(d, &zout, &zin);

        out->len += zout.pos;

        if (ZSTD_isError(rc)
            || (zin.pos == zin.size && zout.pos < zout.size))
        {
            break;
        }
    }

    ZSTD_freeDCtx(d);

    return rc == 0;
}


/* raw deflate with the header and the checksums that make it a body */

static void
wrap(guardrail_coding_e coding, const uint8_t *p, size_t len, unsigned flags,
    bytes_t *in)
{
    size_t       n;
    bytes_t      out = { NULL, 0, 0 };
    uint32_t     adler;
    gz_member_t  m;

    (void) zlib_stream(p, len, -MAX_WBITS, &out, &n);

    if (coding == GUARDRAIL_CODING_GZIP) {
        memset(&m, 0, sizeof(gz_member_t));

        m.flags = flags & 0x1f;
        m.extra = flags;
        m.name = flags / 3;
        m.data = out.p;
        m.len = out.len;

        gz_head(in, &m);
        bytes_add(in, p, n);
        gz_trailer(in, &m);

    } else {
        adler = (uint32_t) adler32_z(1, out.p, out.len);

        bytes_add(in, "\x78\x9c", 2);
        bytes_add(in, p, n);
        bytes_byte(in, adler >> 24);
        bytes_byte(in, adler >> 16 & 0xff);
        bytes_byte(in, adler >> 8 & 0xff);
        bytes_byte(in, adler & 0xff);
    }

    /* what follows is judged too */

    bytes_add(in, p + n, len - n);

    bytes_free(&out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    int                  accepted, exact;
    size_t               cut, room;
    bytes_t              in = { NULL, 0, 0 };
    bytes_t              expected = { NULL, 0, 0 };
    decoded_t            whole, d;
    guardrail_coding_e   coding;

    const guardrail_codec_t  *codec;

    if (size < 4) {
        return 0;
    }

    coding = (guardrail_coding_e) (1u << (p[0] >> 2 & 3));
    codec = guardrail_codec_get(coding);
    cut = p[2];
    room = 1 + (size_t) p[3] * 8;

    if ((p[0] & 2) && coding <= GUARDRAIL_CODING_DEFLATE) {
        wrap(coding, p + 4, size - 4, p[1], &in);

    } else {
        bytes_add(&in, p + 4, size - 4);
    }

    bytes_room(&in, 1);
    bytes_room(&expected, 1);

    decode(codec, &in, 0, 16384, &whole);
    decode(codec, &in, cut, room, &d);

    /* what zlib gives before it fails does not depend on the cuts either */

    exact = (coding <= GUARDRAIL_CODING_DEFLATE
             || whole.rc == GUARDRAIL_OK);

    accepted = (coding == GUARDRAIL_CODING_BR) ? brotli_body(&in, &expected)
               : (coding == GUARDRAIL_CODING_ZSTD) ? zstd_body(&in, &expected)
               : zlib_body(coding, &in, &expected);

    if (whole.out.len < OUT_MOST && expected.len < OUT_MOST
        && d.out.len < OUT_MOST)
    {
        /* libzstd has no caps, nor looks at every length that was promised */

        check(accepted == (whole.rc == GUARDRAIL_OK)
              || (coding == GUARDRAIL_CODING_ZSTD && accepted
                  && (strstr(whole.info.error, "too long")
                      || strstr(whole.info.error, "length")
                      || strstr(whole.info.error, "too many"))),
              "the library accepts it and we do not, or the other way round");

        check(!exact
              || (whole.out.len == expected.len
                  && (expected.len == 0
                      || memcmp(whole.out.p, expected.p, expected.len) == 0)),
              "the output is not the library's");

        check(d.rc == whole.rc, "the cuts change the verdict");

        check(!exact || (d.out.len == whole.out.len
              && (d.out.len == 0
                  || memcmp(d.out.p, whole.out.p, d.out.len) == 0)),
              "the cuts change the output");

        check(!exact || (d.info.overhead == whole.info.overhead
              && d.info.member_overhead == whole.info.member_overhead),
              "the cuts change the overhead");

        check(d.info.error == whole.info.error,
              "the cuts change the reason");
    }

    bytes_free(&in);
    bytes_free(&expected);
    bytes_free(&whole.out);
    bytes_free(&d.out);

    return 0;
}
