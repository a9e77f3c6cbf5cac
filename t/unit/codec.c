
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The gzip and deflate decoders: what is accepted, where it is refused, and
 * that the bytes alone decide, never how they were cut.
 */


#include "decoded.h"


static uint64_t  seed = 20240611;


static void oracle(const bytes_t *in, size_t header, const char *what);
static void test_tokens(void);
static void test_memory(void);
static void test_header_options(void);
static void test_header_caps(void);
static void test_header_bad(void);
static void test_members(void);
static void test_trailer(void);
static void test_junk(void);
static void test_overhead(void);
static void test_deflate_kinds(void);
static void test_deflate_bad(void);
static void test_blocks(void);
static void test_random(void);


static const guardrail_codec_t  *gzip, *deflater;


static const char  text[] =
    "{\"host\":\"db1\",\"cpu\":0.25,\"note\":\"steady\"}\n"
    "{\"host\":\"db2\",\"cpu\":0.50,\"note\":\"steady\"}\n";


/* what zlib itself says of a single member */

static void
oracle(const bytes_t *in, size_t header, const char *what)
{
    int        rc, good;
    bytes_t    out = { NULL, 0, 0 };
    z_stream   zs;
    decoded_t  d;

    memset(&zs, 0, sizeof(z_stream));

    if (inflateInit2(&zs, MAX_WBITS + 16) != Z_OK) {
        abort();
    }

    bytes_room(&out, 1 << 17);

    zs.next_in = in->p;
    zs.avail_in = (uInt) in->len;
    zs.next_out = out.p;
    zs.avail_out = 1 << 17;

    rc = inflate(&zs, Z_FINISH);
    good = (rc == Z_STREAM_END && zs.avail_in == 0);
    out.len = (1 << 17) - zs.avail_out;

    (void) inflateEnd(&zs);

    decode(gzip, in, 0, OUT_PLENTY, &d);

    tap_ok(d.fault == NULL && good == (d.rc == GUARDRAIL_OK)
           && (!good || d.out.len == out.len)
           && (!good || out.len == 0
               || memcmp(d.out.p, out.p, out.len) == 0),
           "gzip: %s, as zlib has it", what);

    if (good && header) {
        tap_is_u64(d.info.overhead, header + GZ_TRAILER,
                   "gzip: %s, its overhead", what);
    }

    bytes_free(&d.out);
    bytes_free(&out);
}


static void
test_tokens(void)
{
    size_t              i;
    guardrail_rc_e      rc;
    guardrail_coding_e  coding;

    static const struct {
        const char          *token;
        guardrail_rc_e       rc;
        guardrail_coding_e   coding;
    } tokens[] = {
        { "gzip", GUARDRAIL_OK, GUARDRAIL_CODING_GZIP },
        { "GZip", GUARDRAIL_OK, GUARDRAIL_CODING_GZIP },
        { "x-gzip", GUARDRAIL_OK, GUARDRAIL_CODING_GZIP },
        { "X-GZIP", GUARDRAIL_OK, GUARDRAIL_CODING_GZIP },
        { "deflate", GUARDRAIL_OK, GUARDRAIL_CODING_DEFLATE },
        { "DEFLATE", GUARDRAIL_OK, GUARDRAIL_CODING_DEFLATE },
        { "identity", GUARDRAIL_OK, GUARDRAIL_CODING_IDENTITY },
        { "", GUARDRAIL_OK, GUARDRAIL_CODING_IDENTITY },
        { "gzi", GUARDRAIL_ENCODING, 0 },
        { "gzipp", GUARDRAIL_ENCODING, 0 },
        { "gzip ", GUARDRAIL_ENCODING, 0 },
        { "gzip;q=1", GUARDRAIL_ENCODING, 0 },
        { "x-deflate", GUARDRAIL_ENCODING, 0 },
        { "compress", GUARDRAIL_ENCODING, 0 },
        { "*", GUARDRAIL_ENCODING, 0 },
        { "x\rgzip", GUARDRAIL_ENCODING, 0 },
        { "x\x0dgzip", GUARDRAIL_ENCODING, 0 },
        { "GZIP\xe9", GUARDRAIL_ENCODING, 0 },
        { "\x47\x5a\x49\x30", GUARDRAIL_ENCODING, 0 }
    };

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        coding = GUARDRAIL_CODING_IDENTITY;
        rc = guardrail_codec_token((const uint8_t *) tokens[i].token,
                                   strlen(tokens[i].token), &coding);

        tap_ok(rc == tokens[i].rc
               && (rc != GUARDRAIL_OK || coding == tokens[i].coding),
               "token %zu is %s", i, guardrail_rc_info(tokens[i].rc)->name);
    }

    rc = guardrail_codec_token((const uint8_t *) "gzip\0", 5, &coding);
    tap_ok(rc == GUARDRAIL_ENCODING, "a NUL behind a token is not ignored");

    tap_ok(guardrail_codec_get(GUARDRAIL_CODING_IDENTITY) == NULL,
           "identity needs no codec");
    tap_ok(gzip && gzip->coding == GUARDRAIL_CODING_GZIP
           && strcmp(gzip->name, "gzip") == 0, "gzip has its codec");
    tap_ok(deflater && deflater->coding == GUARDRAIL_CODING_DEFLATE
           && strcmp(deflater->name, "deflate") == 0, "deflate has its codec");
}


static void
test_memory(void)
{
    void               *state;
    heap_t              heap;
    unsigned            i;
    guardrail_alloc_t   alloc;

    const guardrail_codec_t  *codecs[2];

    codecs[0] = gzip;
    codecs[1] = deflater;

    alloc.alloc = heap_alloc;
    alloc.free = heap_free;
    alloc.opaque = &heap;

    for (i = 0; i < 2; i++) {
        tap_ok(codecs[i]->memory <= 65536, "%s: at most 64 KiB (%zu)",
               codecs[i]->name, codecs[i]->memory);

        tap_ok(codecs[i]->window == 32768, "%s: the window is 32 KiB",
               codecs[i]->name);

        memset(&heap, 0, sizeof(heap_t));
        heap.fail = 1;

        tap_ok(codecs[i]->open(&alloc) == NULL, "%s: no memory, no decoder",
               codecs[i]->name);

        heap.fail = 0;
        state = codecs[i]->open(&alloc);

        tap_ok(state && heap.allocs == 1 && heap.size <= codecs[i]->memory,
               "%s: one allocation, as large as declared", codecs[i]->name);

        tap_ok(codecs[i]->finish(state) == GUARDRAIL_OK,
               "%s: nothing at all is well-formed", codecs[i]->name);

        codecs[i]->close(state);

        tap_is_u64(heap.frees, 1, "%s: and given back", codecs[i]->name);
    }
}


static void
test_header_options(void)
{
    char         what[64];
    size_t       header;
    bytes_t      in = { NULL, 0, 0 };
    unsigned     flags;
    gz_member_t  m;

    for (flags = 0; flags < 0x20; flags++) {

        memset(&m, 0, sizeof(gz_member_t));

        m.flags = flags;
        m.extra = flags & 1 ? 0 : 5;
        m.name = flags & 1 ? 0 : 7;
        m.comment = flags & 1 ? 0 : 9;
        m.data = (const uint8_t *) text;
        m.len = sizeof(text) - 1;
        m.level = 6;

        header = GZ_FIXED + (flags & GZ_FEXTRA ? 2 + m.extra : 0)
                 + (flags & GZ_FNAME ? 1 + m.name : 0)
                 + (flags & GZ_FCOMMENT ? 1 + m.comment : 0)
                 + (flags & GZ_FHCRC ? 2 : 0);

        in.len = 0;
        gz_member(&in, &m);

        snprintf(what, sizeof(what), "header flags %02x", flags);

        passes(gzip, &in, text, sizeof(text) - 1, what);
        oracle(&in, header, what);
        truncated(gzip, &in, 0, what);

        if (flags & GZ_FHCRC) {
            m.bad_hcrc = 1;

            in.len = 0;
            gz_member(&in, &m);

            snprintf(what, sizeof(what), "header flags %02x, wrong FHCRC",
                     flags);

            refused(gzip, &in, header, "header checksum", what);
            oracle(&in, 0, what);
        }

        if (flags == 0x1e) {
            in.len = 0;
            m.bad_hcrc = 0;
            gz_member(&in, &m);

            every_cut(gzip, &in, "all header options");
            flipped(gzip, &in, "all header options and FHCRC");
        }
    }

    /* the order of the options is that of the RFC: a NUL in FEXTRA */

    in.len = 0;

    bytes_add(&in, "\x1f\x8b\x08\x0c\0\0\0\0\0\xff" "\3\0" "\0n\0" "f\0", 17);
    bytes_deflate(&in, "", 0, -MAX_WBITS, 6, 0, Z_FINISH);
    bytes_fill(&in, 0, 8);

    passes(gzip, &in, "", 0, "NULs in FEXTRA end no name");
    oracle(&in, 17, "NULs in FEXTRA");

    bytes_free(&in);
}


static void
test_header_caps(void)
{
    size_t       over;
    bytes_t      in = { NULL, 0, 0 };
    gz_member_t  m;

    const size_t  cap = GUARDRAIL_GZIP_MAX_HEADER;

    tap_is_u64(cap, 65536, "the cap on a header is 65,536 bytes");

    for (over = 0; over < 2; over++) {

        /* one option alone */

        memset(&m, 0, sizeof(gz_member_t));

        m.flags = GZ_FNAME;
        m.name = cap - GZ_FIXED - 1 + over;

        in.len = 0;
        gz_member(&in, &m);

        if (over) {
            refused(gzip, &in, cap + 1, "header is too long",
                    "FNAME one over the cap");
        } else {
            passes(gzip, &in, "", 0, "FNAME at the cap");
            oracle(&in, cap, "FNAME at the cap");
        }

        m.flags = GZ_FCOMMENT;
        m.comment = m.name;

        in.len = 0;
        gz_member(&in, &m);

        if (over) {
            refused(gzip, &in, cap + 1, "header is too long",
                    "FCOMMENT one over the cap");
        } else {
            passes(gzip, &in, "", 0, "FCOMMENT at the cap");
        }

        m.flags = GZ_FEXTRA;
        m.extra = cap - GZ_FIXED - 2 + over;

        in.len = 0;
        gz_member(&in, &m);

        if (over) {
            refused(gzip, &in, cap + 1, "header is too long",
                    "FEXTRA one over the cap");
        } else {
            passes(gzip, &in, "", 0, "FEXTRA at the cap");
        }

        /* all together, the checksum the last byte of it */

        m.flags = GZ_FEXTRA|GZ_FNAME|GZ_FCOMMENT|GZ_FHCRC;
        m.extra = 30000;
        m.name = 30000;
        m.comment = cap - GZ_FIXED - 2 - 30000 - 30001 - 1 - 2 + over;

        in.len = 0;
        gz_member(&in, &m);

        if (over) {
            refused(gzip, &in, cap + 1, "header is too long",
                    "all options one over the cap");
        } else {
            passes(gzip, &in, "", 0, "all options at the cap");
            oracle(&in, cap, "all options at the cap");
        }
    }

    /* a name that never ends is not waited for */

    in.len = 0;

    bytes_add(&in, "\x1f\x8b\x08\x08\0\0\0\0\0\3", 10);
    bytes_fill(&in, 'n', 100000);

    refused(gzip, &in, cap + 1, "header is too long", "a name without end");

    /* a new header for each member */

    in.len = 0;
    m.flags = GZ_FNAME;
    m.name = cap - GZ_FIXED - 1;

    gz_member(&in, &m);
    gz_member(&in, &m);

    passes(gzip, &in, "", 0, "two members, each header at the cap");

    over = in.len;
    m.name++;
    gz_member(&in, &m);

    refused(gzip, &in, over + cap + 1, "header is too long",
            "a third one over the cap");

    bytes_free(&in);
}


static void
test_header_bad(void)
{
    size_t    i;
    bytes_t   in = { NULL, 0, 0 };
    unsigned  bit;

    static const struct {
        size_t       byte;
        uint8_t      value;
        const char  *error;
    } bad[] = {
        { 0, 0x1e, "no gzip header" },
        { 0, 0x00, "no gzip header" },
        { 0, 0x8b, "no gzip header" },
        { 1, 0x8a, "no gzip header" },
        { 1, 0x1f, "no gzip header" },
        { 1, 0x9d, "no gzip header" },
        { 2, 0x00, "method" },
        { 2, 0x07, "method" },
        { 2, 0x09, "method" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        in.len = 0;
        gz_plain(&in, text, sizeof(text) - 1, 6);
        in.p[bad[i].byte] = bad[i].value;

        refused(gzip, &in, bad[i].byte + 1, bad[i].error, "a bad magic");
        oracle(&in, 0, "a bad magic");
    }

    for (bit = 0x20; bit <= 0x80; bit <<= 1) {
        in.len = 0;
        gz_plain(&in, text, sizeof(text) - 1, 6);
        in.p[3] = (uint8_t) bit;

        refused(gzip, &in, 4, "reserved", "a reserved flag");
        oracle(&in, 0, "a reserved flag");
    }

    /* what is no gzip at all */

    in.len = 0;
    bytes_text(&in, text);
    refused(gzip, &in, 1, "no gzip header", "JSON as it is");

    in.len = 0;
    bytes_deflate(&in, text, sizeof(text) - 1, MAX_WBITS, 6, 0, Z_FINISH);
    refused(gzip, &in, 1, "no gzip header", "zlib under the name of gzip");

    bytes_free(&in);
}


static void
test_members(void)
{
    size_t     i;
    bytes_t    in = { NULL, 0, 0 };
    bytes_t    out = { NULL, 0, 0 };
    decoded_t  d;

    tap_is_u64(GUARDRAIL_GZIP_MAX_MEMBERS, 1024, "at most 1024 members");

    for (i = 0; i < 1024; i++) {
        gz_plain(&in, "", 0, 6);
    }

    tap_is_u64(in.len, 20 * 1024, "an empty member is 20 bytes");

    passes(gzip, &in, "", 0, "1024 empty members");

    decode(gzip, &in, 0, OUT_PLENTY, &d);
    tap_is_u64(d.info.overhead, 18 * 1024, "gzip: 1024 empty members, all but"
               " 2 bytes of each are overhead");
    tap_is_u64(d.info.member_overhead, 0, "gzip: none of them gave a byte");
    bytes_free(&d.out);

    every_cut(gzip, &in, "1024 empty members");

    gz_plain(&in, "", 0, 6);
    refused(gzip, &in, 20 * 1024 + 1, "too many", "1025 empty members");

    in.len = 20 * 1024;
    bytes_byte(&in, 0);
    refused(gzip, &in, 20 * 1024 + 1, NULL, "a byte after 1024 members");

    /* with data in them, and a partial one at the end */

    in.len = 0;

    for (i = 0; i < 1024; i++) {
        gz_plain(&in, text, sizeof(text) - 1, (int) (i % 10));
        bytes_add(&out, text, sizeof(text) - 1);
    }

    passes(gzip, &in, out.p, out.len, "1024 members of text");

    i = in.len;
    gz_plain(&in, text, sizeof(text) - 1, 6);
    refused(gzip, &in, i + 1, "too many", "1025 members of text");

    /* a body may end after any member, and nowhere else */

    in.len = 0;
    out.len = 0;

    gz_plain(&in, text, sizeof(text) - 1, 9);
    i = in.len;
    gz_plain(&in, text, sizeof(text) - 1, 0);

    bytes_add(&out, text, sizeof(text) - 1);
    bytes_add(&out, text, sizeof(text) - 1);

    passes(gzip, &in, out.p, out.len, "two members are one body");
    truncated(gzip, &in, i, "two members");
    every_cut(gzip, &in, "two members");
    prefixes(gzip, &in, "two members");
    flipped(gzip, &in, "two members");

    /* the second does not see the first one's window */

    in.len = 0;

    gz_plain(&in, text, sizeof(text) - 1, 9);
    i = in.len;
    bytes_add(&in, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
    bytes_add(&in, "\x03\x02\0", 3);        /* a match at distance 1 */
    bytes_fill(&in, 0, 8);

    refused(gzip, &in, i + 12, "invalid", "a match into the member before");

    bytes_free(&in);
    bytes_free(&out);
}


static void
test_trailer(void)
{
    size_t       i;
    bytes_t      in = { NULL, 0, 0 };
    gz_member_t  m;

    memset(&m, 0, sizeof(gz_member_t));

    m.data = (const uint8_t *) text;
    m.len = sizeof(text) - 1;
    m.level = 6;

    for (i = 0; i < 32; i++) {
        m.crc_xor = (uint32_t) 1 << i;
        m.size_xor = 0;

        in.len = 0;
        gz_member(&in, &m);

        refused(gzip, &in, SIZE_MAX, "gzip checksum", "a wrong CRC");

        m.crc_xor = 0;
        m.size_xor = (uint32_t) 1 << i;

        in.len = 0;
        gz_member(&in, &m);

        refused(gzip, &in, SIZE_MAX, "gzip length", "a wrong ISIZE");
    }

    /* in the first of two members, and what it gave is given */

    m.crc_xor = 1;
    m.size_xor = 0;

    in.len = 0;
    gz_member(&in, &m);
    i = in.len;
    gz_plain(&in, text, sizeof(text) - 1, 6);

    refused(gzip, &in, i, "gzip checksum", "a wrong CRC in the first member");
    every_cut(gzip, &in, "a wrong CRC in the first member");

    /* an empty member has a checksum too */

    m.len = 0;

    in.len = 0;
    gz_member(&in, &m);

    refused(gzip, &in, SIZE_MAX, "gzip checksum", "a wrong CRC of nothing");

    bytes_free(&in);
}


static void
test_junk(void)
{
    size_t      i;
    bytes_t     in = { NULL, 0, 0 };
    bytes_t     zlib = { NULL, 0, 0 };
    unsigned    ch;

    for (ch = 0; ch < 256; ch++) {

        in.len = 0;
        gz_plain(&in, text, sizeof(text) - 1, 6);
        i = in.len;
        bytes_byte(&in, ch);

        if (ch == 0x1f) {
            refused(gzip, &in, SIZE_MAX, "truncated",
                    "one byte of a new member");

        } else {
            refused(gzip, &in, i + 1, "after the end", "a byte of junk");
        }
    }

    in.len = 0;
    gz_plain(&in, text, sizeof(text) - 1, 6);
    i = in.len;
    bytes_fill(&in, 0, 512 - i);
    refused(gzip, &in, i + 1, "after the end", "padding by zeros, as tar's");
    every_cut(gzip, &in, "padding by zeros");

    in.len = i;
    bytes_add(&in, "\x1f\x8b\x08", 3);
    refused(gzip, &in, SIZE_MAX, "truncated", "three bytes of a new member");

    in.len = i;
    bytes_add(&in, "\x1f\x8c\x08", 3);
    refused(gzip, &in, i + 2, "after the end", "nearly a new member");

    /* deflate has one stream, whatever follows */

    bytes_deflate(&zlib, text, sizeof(text) - 1, MAX_WBITS, 6, 0, Z_FINISH);
    i = zlib.len;

    bytes_byte(&zlib, 0);
    refused(deflater, &zlib, i + 1, "after the end", "a zero after zlib");

    zlib.len = i;
    bytes_deflate(&zlib, text, sizeof(text) - 1, MAX_WBITS, 6, 0, Z_FINISH);
    refused(deflater, &zlib, i + 1, "after the end", "two zlib streams");
    every_cut(deflater, &zlib, "two zlib streams");

    zlib.len = 0;
    bytes_deflate(&zlib, text, sizeof(text) - 1, -MAX_WBITS, 6, 0, Z_FINISH);
    i = zlib.len;

    bytes_byte(&zlib, '\n');
    refused(deflater, &zlib, i + 1, "after the end", "a byte after raw");
    every_cut(deflater, &zlib, "a byte after raw");

    bytes_free(&in);
    bytes_free(&zlib);
}


/* what is no input to the ratio: headers and trailers that have ended */

static void
test_overhead(void)
{
    size_t       i, header, data, end;
    bytes_t      in = { NULL, 0, 0 };
    bytes_t      part;
    decoded_t    d;
    gz_member_t  m;
    uint64_t     expected;
    unsigned     bad;

    memset(&m, 0, sizeof(gz_member_t));

    m.flags = GZ_FEXTRA|GZ_FNAME|GZ_FCOMMENT|GZ_FHCRC;
    m.extra = 20;
    m.name = 10;
    m.comment = 10;
    m.data = (const uint8_t *) text;
    m.len = sizeof(text) - 1;
    m.level = 6;

    gz_member(&in, &m);
    header = GZ_FIXED + 22 + 11 + 11 + 2;
    data = in.len - header - GZ_TRAILER;
    end = in.len;
    gz_member(&in, &m);

    bad = 0;

    for (i = 0; i <= in.len; i++) {
        part = in;
        part.len = i;

        decode(gzip, &part, 1, OUT_PLENTY, &d);

        expected = (i >= header ? header : 0)
                   + (i >= end ? GZ_TRAILER : 0)
                   + (i >= end + header ? header : 0)
                   + (i == in.len ? GZ_TRAILER : 0);

        if (d.info.overhead != expected) {
            bad++;
            tap_diag("overhead of %zu bytes: %" PRIu64 " for %" PRIu64, i,
                     d.info.overhead, expected);
        }

        expected = (d.out.len > m.len) ? 2 * header + GZ_TRAILER
                                       : d.out.len ? header : 0;

        if (d.info.member_overhead != expected) {
            bad++;
            tap_diag("member overhead of %zu bytes: %" PRIu64 " for %" PRIu64,
                     i, d.info.member_overhead, expected);
        }

        bytes_free(&d.out);
    }

    tap_ok(bad == 0, "gzip: overhead is what has ended, at every byte"
           " (%zu of data)", data);

    in.len = 0;
    bytes_deflate(&in, text, sizeof(text) - 1, MAX_WBITS, 6, 0, Z_FINISH);

    decode(deflater, &in, 1, OUT_PLENTY, &d);

    tap_ok(d.info.overhead == 0 && d.info.member_overhead == 0,
           "deflate: the six bytes of a zlib wrapper are input");

    bytes_free(&d.out);
    bytes_free(&in);
}


static void
test_deflate_kinds(void)
{
    int        wbits, level;
    char       what[64];
    size_t     i, n;
    bytes_t    in = { NULL, 0, 0 };
    bytes_t    data = { NULL, 0, 0 };
    unsigned   cmf, flg, zlib;
    uint64_t   agree;
    decoded_t  d;
    rng_t      rng = { 7 };

    for (level = 0; level <= 9; level++) {
        snprintf(what, sizeof(what), "level %d", level);

        in.len = 0;
        bytes_deflate(&in, text, sizeof(text) - 1, MAX_WBITS, level, 0,
                      Z_FINISH);
        passes(deflater, &in, text, sizeof(text) - 1, what);

        in.len = 0;
        bytes_deflate(&in, text, sizeof(text) - 1, -MAX_WBITS, level, 0,
                      Z_FINISH);
        passes(deflater, &in, text, sizeof(text) - 1, what);
    }

    /* all windows that a zlib header may name, and what lies beyond them */

    for (i = 0; i < 40000; i++) {
        bytes_byte(&data, (unsigned) rng_below(&rng, 4));
    }

    for (wbits = 9; wbits <= 15; wbits++) {
        snprintf(what, sizeof(what), "zlib with a window of %d bits", wbits);

        in.len = 0;
        bytes_deflate(&in, data.p, data.len, wbits, 6, 0, Z_FINISH);
        passes(deflater, &in, data.p, data.len, what);
    }

    /* nothing, one byte, two bytes */

    in.len = 0;
    passes(deflater, &in, "", 0, "no byte at all");
    passes(gzip, &in, "", 0, "no byte at all");

    n = 0;

    for (cmf = 0; cmf < 256; cmf++) {
        in.len = 0;
        bytes_byte(&in, cmf);

        decode(deflater, &in, 0, OUT_PLENTY, &d);

        if (d.fault || d.rc != GUARDRAIL_MALFORMED_ENCODING || d.out.len) {
            n++;
        }

        bytes_free(&d.out);
    }

    tap_is_u64(n, 0, "deflate: one byte is always truncated");

    /* every pair of bytes: raw where it is no zlib header, as zlib has it */

    agree = 0;

    for (cmf = 0; cmf < 256; cmf++) {
        for (flg = 0; flg < 256; flg++) {
            int       rc;
            uint8_t   head[2], out[64];
            z_stream  zs;

            head[0] = (uint8_t) cmf;
            head[1] = (uint8_t) flg;

            zlib = ((cmf & 0x0f) == 8 && cmf >> 4 <= 7
                    && (cmf << 8 | flg) % 31 == 0);

            memset(&zs, 0, sizeof(z_stream));

            if (inflateInit2(&zs, zlib ? MAX_WBITS : -MAX_WBITS) != Z_OK) {
                abort();
            }

            zs.next_in = head;
            zs.avail_in = 2;
            zs.next_out = out;
            zs.avail_out = sizeof(out);

            rc = inflate(&zs, Z_FINISH);

            (void) inflateEnd(&zs);

            in.len = 0;
            bytes_add(&in, head, 2);

            decode(deflater, &in, 0, OUT_PLENTY, &d);

            agree += (d.fault == NULL
                      && d.out.len == sizeof(out) - zs.avail_out
                      && (d.rc == GUARDRAIL_OK) == (rc == Z_STREAM_END));

            bytes_free(&d.out);
        }
    }

    tap_is_u64(agree, 65536, "deflate: all bodies of two bytes");

    in.len = 0;
    bytes_add(&in, "\x03\0", 2);
    passes(deflater, &in, "", 0, "the shortest raw stream, two bytes");

    in.len = 0;
    bytes_add(&in, "\x78\x01", 2);
    refused(deflater, &in, SIZE_MAX, "truncated", "a zlib header alone");

    /* a window above 32 KiB is no zlib header, whatever its check bits say */

    in.len = 0;
    bytes_add(&in, "\x88\x1c\0\xe3\xff", 5);
    bytes_fill(&in, 'r', 28);
    bytes_add(&in, "\x03\0", 2);

    tap_ok((0x88 << 8 | 0x1c) % 31 == 0, "the check bits of 88 1c are right");
    passes(deflater, &in, "rrrrrrrrrrrrrrrrrrrrrrrrrrrr", 28,
           "CINFO 8 is raw deflate");

    /*
     * A polyglot: as raw deflate 78 is a stored block (the bits above the
     * first three are padding) of 789c bytes, but 78 9c is a zlib header.
     */

    in.len = 0;
    bytes_add(&in, "\x78\x9c\x78\x63\x87", 5);
    bytes_fill(&in, 'r', 0x789c);
    bytes_add(&in, "\x03\0", 2);

    {
        size_t    used;
        z_stream  zs;

        /* as raw it is 30,876 bytes ... */

        bytes_room(&data, 65536);
        memset(&zs, 0, sizeof(z_stream));

        if (inflateInit2(&zs, -MAX_WBITS) != Z_OK) {
            abort();
        }

        zs.next_in = in.p;
        zs.avail_in = (uInt) in.len;
        zs.next_out = data.p;
        zs.avail_out = 65536;

        used = (size_t) inflate(&zs, Z_FINISH);
        tap_ok(used == Z_STREAM_END && zs.total_out == 0x789c,
               "the polyglot is well-formed as raw deflate");

        (void) inflateEnd(&zs);
    }

    /* ... but it starts like zlib */

    decode(deflater, &in, 0, OUT_PLENTY, &d);
    tap_ok(d.rc == GUARDRAIL_MALFORMED_ENCODING && d.out.len == 0,
           "deflate: a polyglot is zlib, and nothing of the raw one is given");
    bytes_free(&d.out);

    every_cut(deflater, &in, "a polyglot");

    bytes_free(&in);
    bytes_free(&data);
}


static void
test_deflate_bad(void)
{
    size_t     i, legal;
    bytes_t    in = { NULL, 0, 0 };
    bytes_t    fdict = { NULL, 0, 0 };

    bytes_deflate(&in, text, sizeof(text) - 1, MAX_WBITS, 6, 0, Z_FINISH);

    truncated(deflater, &in, 0, "zlib");
    prefixes(deflater, &in, "zlib");
    every_cut(deflater, &in, "zlib");

    for (i = 1; i <= 4; i++) {
        in.p[in.len - i] ^= 1;

        refused(deflater, &in, SIZE_MAX, "invalid", "a wrong Adler-32");
        every_cut(deflater, &in, "a wrong Adler-32");

        in.p[in.len - i] ^= 1;
    }

    flipped(deflater, &in, "zlib");

    in.len = 0;
    bytes_deflate(&in, text, sizeof(text) - 1, -MAX_WBITS, 6, 0, Z_FINISH);

    legal = in.len;
    truncated(deflater, &in, legal, "raw");
    prefixes(deflater, &in, "raw");
    every_cut(deflater, &in, "raw");

    /* a preset dictionary, which nobody has: 78 bb is FDICT and checks */

    bytes_add(&fdict, "\x78\xbb\x01\x02\x03\x04", 6);
    bytes_add(&fdict, in.p, in.len);

    tap_ok((0x78 << 8 | 0xbb) % 31 == 0, "78 bb is a zlib header");

    refused(deflater, &fdict, 6, "invalid", "a preset dictionary");
    every_cut(deflater, &fdict, "a preset dictionary");

    /* gzip under the name of deflate */

    in.len = 0;
    gz_plain(&in, text, sizeof(text) - 1, 6);
    refused(deflater, &in, 2, "invalid", "gzip under the name of deflate");

    bytes_free(&in);
    bytes_free(&fdict);
}


/* block types and flushes, and blocks that hold nothing */

static void
test_blocks(void)
{
    size_t    i;
    bytes_t   in = { NULL, 0, 0 };
    bytes_t   out = { NULL, 0, 0 };

    for (i = 0; i < 100; i++) {
        bytes_deflate(&in, text, i % 3 ? sizeof(text) - 1 : 0, -MAX_WBITS,
                      (int) (i % 10), i % 2 ? Z_FIXED : Z_DEFAULT_STRATEGY,
                      i % 7 ? Z_FULL_FLUSH : Z_SYNC_FLUSH);

        bytes_add(&out, text, i % 3 ? sizeof(text) - 1 : 0);
    }

    bytes_add(&in, "\x03\0", 2);

    /* 0x03 alone decides that this is raw: see the first byte */

    passes(deflater, &in, out.p, out.len, "flushed and empty blocks");
    every_cut(deflater, &in, "flushed and empty blocks");

    in.len = 0;

    for (i = 0; i < 2000; i++) {
        bytes_add(&in, "\0\0\0\xff\xff", 5);
    }

    bytes_add(&in, "\x01\0\0\xff\xff", 5);

    passes(deflater, &in, "", 0, "2001 empty stored blocks");
    every_cut(deflater, &in, "2001 empty stored blocks");

    in.len = 0;
    bytes_add(&in, "\x06", 1);
    refused(deflater, &in, SIZE_MAX, "truncated", "block type 3, one byte");

    bytes_byte(&in, 0);
    refused(deflater, &in, SIZE_MAX, "invalid", "block type 3");

    in.len = 0;
    bytes_add(&in, "\x01\x05\0\xfa\xff" "ab", 7);
    refused(deflater, &in, SIZE_MAX, "truncated", "a stored block cut off");

    in.len = 0;
    bytes_add(&in, "\x01\x05\0\xfb\xff", 5);
    refused(deflater, &in, 5, "invalid", "LEN and NLEN disagree");

    bytes_free(&in);
    bytes_free(&out);
}


static void
test_random(void)
{
    size_t       i, j, n, bad;
    rng_t        rng;
    bytes_t      in = { NULL, 0, 0 };
    bytes_t      data = { NULL, 0, 0 };
    decoded_t    whole, d;
    gz_member_t  m;

    const guardrail_codec_t  *codec;

    tap_diag("seed %" PRIu64, seed);

    rng.s = seed;
    bad = 0;

    for (i = 0; i < 400; i++) {
        in.len = 0;
        data.len = 0;

        n = 1 + rng_below(&rng, 3);

        for (j = 0; j < n; j++) {
            bytes_fill(&data, (int) rng_below(&rng, 256),
                       rng_below(&rng, 2000));
            bytes_add(&data, text, rng_below(&rng, sizeof(text)));
        }

        codec = (i % 2) ? gzip : deflater;

        if (codec == gzip) {
            for (j = 0; j < n; j++) {
                memset(&m, 0, sizeof(gz_member_t));

                m.flags = (unsigned) rng_below(&rng, 0x20);
                m.extra = rng_below(&rng, 40);
                m.name = rng_below(&rng, 40);
                m.comment = rng_below(&rng, 40);
                m.data = data.p;
                m.len = rng_below(&rng, data.len + 1);
                m.level = (int) rng_below(&rng, 10);
                m.strategy = (int) rng_below(&rng, 5);

                gz_member(&in, &m);
            }

        } else {
            bytes_deflate(&in, data.p, data.len, i % 4 ? -MAX_WBITS
                                                       : MAX_WBITS,
                          (int) rng_below(&rng, 10),
                          (int) rng_below(&rng, 5), Z_FINISH);
        }

        /* some with a byte changed, some cut off */

        if (rng_below(&rng, 3) == 0) {
            in.p[rng_below(&rng, in.len)] ^= (uint8_t) rng_next(&rng);
        }

        if (rng_below(&rng, 4) == 0) {
            in.len = rng_below(&rng, in.len);
        }

        decode(codec, &in, 0, OUT_PLENTY, &whole);

        for (j = 0; j < 4; j++) {
            decode(codec, &in, rng_below(&rng, 64), 1 + rng_below(&rng, 600),
                   &d);

            if (whole.rc != GUARDRAIL_OK && d.rc == whole.rc) {
                d.at = whole.at;
            }

            if (!same(&whole, &d)) {
                bad++;
            }

            bytes_free(&d.out);
        }

        bytes_free(&whole.out);
    }

    tap_ok(bad == 0, "random bodies in random cuts");

    bytes_free(&in);
    bytes_free(&data);
}


int
main(int argc, char **argv)
{
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }

    gzip = guardrail_codec_get(GUARDRAIL_CODING_GZIP);
    deflater = guardrail_codec_get(GUARDRAIL_CODING_DEFLATE);

    test_tokens();
    test_memory();
    test_header_options();
    test_header_caps();
    test_header_bad();
    test_members();
    test_trailer();
    test_junk();
    test_overhead();
    test_deflate_kinds();
    test_deflate_bad();
    test_blocks();
    test_random();

    return tap_done();
}
