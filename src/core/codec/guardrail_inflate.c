
/*
 * Copyright (C) nginx-guardrail authors
 */


#define ZLIB_CONST

#include "codec/guardrail_inflate.h"

#include <string.h>
#include <zlib.h>


/*
 * zlib takes its state (7,152 bytes in 1.2.13) and a window of 32 KiB from
 * an arena behind ours, so that a decoder is one allocation of a known size.
 */

#define GUARDRAIL_INFLATE_WINDOW  32768
#define GUARDRAIL_INFLATE_ARENA   (GUARDRAIL_INFLATE_WINDOW + 12288)


/* RFC 1952, section 2.3 */

#define GUARDRAIL_GZIP_FHCRC      0x02
#define GUARDRAIL_GZIP_FEXTRA     0x04
#define GUARDRAIL_GZIP_FNAME      0x08
#define GUARDRAIL_GZIP_FCOMMENT   0x10
#define GUARDRAIL_GZIP_RESERVED   0xe0

#define GUARDRAIL_GZIP_FIXED      10        /* bytes before the options */
#define GUARDRAIL_GZIP_TRAILER    8


typedef enum {
    guardrail_gzip_fixed = 0,
    guardrail_gzip_extra_len,
    guardrail_gzip_extra,
    guardrail_gzip_name,
    guardrail_gzip_comment,
    guardrail_gzip_hcrc,
    guardrail_gzip_data,
    guardrail_gzip_trailer,
    guardrail_gzip_between
} guardrail_gzip_state_e;


typedef struct {
    z_stream                zs;
    guardrail_codec_info_t  info;

    guardrail_gzip_state_e  state;
    unsigned                flags;      /* FLG of this member */
    unsigned                n;          /* bytes seen of the present field */
    unsigned                extra;      /* length of FEXTRA */
    unsigned                header;     /* bytes of this member's header */
    unsigned                members;

    uint32_t                crc;        /* of the header, then of the data */
    uint32_t                size;       /* of the data, modulo 2^32 */
    uint8_t                 field[GUARDRAIL_GZIP_TRAILER];

    unsigned                started;    /* any input was seen */
    unsigned                ended;      /* deflate: the stream is over */
    guardrail_rc_e          rc;

    size_t                  used;       /* of the arena */
    _Alignas(16) uint8_t    arena[GUARDRAIL_INFLATE_ARENA];
} guardrail_inflate_t;


static voidpf guardrail_inflate_zalloc(voidpf opaque, uInt items, uInt size);
static void guardrail_inflate_zfree(voidpf opaque, voidpf p);
static void *guardrail_inflate_open(const guardrail_alloc_t *alloc);
static void guardrail_inflate_close(void *state,
    const guardrail_alloc_t *alloc);
static guardrail_rc_e guardrail_inflate_fail(guardrail_inflate_t *s,
    const char *error);
static int guardrail_inflate_run(guardrail_inflate_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_gzip_decode(void *state,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_gzip_header(guardrail_inflate_t *s,
    uint8_t ch);
static guardrail_rc_e guardrail_gzip_magic(guardrail_inflate_t *s);
static void guardrail_gzip_next_field(guardrail_inflate_t *s);
static guardrail_rc_e guardrail_gzip_data_step(guardrail_inflate_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_gzip_check(guardrail_inflate_t *s);
static guardrail_rc_e guardrail_gzip_finish(void *state);
static guardrail_rc_e guardrail_deflate_decode(void *state,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_deflate_step(guardrail_inflate_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_deflate_begin(guardrail_inflate_t *s);
static guardrail_rc_e guardrail_deflate_finish(void *state);
static const guardrail_codec_info_t *guardrail_inflate_info(const void *state);


const guardrail_codec_t  guardrail_codec_gzip = {
    "gzip",
    GUARDRAIL_CODING_GZIP,
    sizeof(guardrail_inflate_t),
    GUARDRAIL_INFLATE_WINDOW,
    8,
    guardrail_inflate_open,
    guardrail_inflate_close,
    guardrail_gzip_decode,
    guardrail_gzip_finish,
    guardrail_inflate_info
};


const guardrail_codec_t  guardrail_codec_deflate = {
    "deflate",
    GUARDRAIL_CODING_DEFLATE,
    sizeof(guardrail_inflate_t),
    GUARDRAIL_INFLATE_WINDOW,
    8,
    guardrail_inflate_open,
    guardrail_inflate_close,
    guardrail_deflate_decode,
    guardrail_deflate_finish,
    guardrail_inflate_info
};


static voidpf
guardrail_inflate_zalloc(voidpf opaque, uInt items, uInt size)
{
    size_t                len;
    uint8_t              *p;
    guardrail_inflate_t  *s = opaque;

    len = ((size_t) items * size + 15) & ~(size_t) 15;

    if (len > GUARDRAIL_INFLATE_ARENA - s->used) {
        return NULL;
    }

    p = s->arena + s->used;
    s->used += len;

    return p;
}


static void
guardrail_inflate_zfree(voidpf opaque, voidpf p)
{
    /* the arena goes as a whole */

    (void) opaque;
    (void) p;
}


static void *
guardrail_inflate_open(const guardrail_alloc_t *alloc)
{
    guardrail_inflate_t  *s;

    s = alloc->alloc(alloc->opaque, sizeof(guardrail_inflate_t));
    if (s == NULL) {
        return NULL;
    }

    memset(s, 0, offsetof(guardrail_inflate_t, arena));

    s->zs.zalloc = guardrail_inflate_zalloc;
    s->zs.zfree = guardrail_inflate_zfree;
    s->zs.opaque = s;

    if (inflateInit2(&s->zs, -MAX_WBITS) != Z_OK) {
        alloc->free(alloc->opaque, s);
        return NULL;
    }

    return s;
}


static void
guardrail_inflate_close(void *state, const guardrail_alloc_t *alloc)
{
    guardrail_inflate_t  *s = state;

    (void) inflateEnd(&s->zs);

    alloc->free(alloc->opaque, s);
}


static guardrail_rc_e
guardrail_inflate_fail(guardrail_inflate_t *s, const char *error)
{
    s->info.error = error;
    s->rc = GUARDRAIL_MALFORMED_ENCODING;

    return s->rc;
}


/* one call of inflate(); Z_BUF_ERROR, no progress, is no error here */

static int
guardrail_inflate_run(guardrail_inflate_t *s, guardrail_codec_io_t *io)
{
    int  rc;

    s->zs.next_in = io->in;
    s->zs.avail_in = (uInt) (io->in_end - io->in);
    s->zs.next_out = io->out;
    s->zs.avail_out = (uInt) (io->out_end - io->out);

    rc = inflate(&s->zs, Z_NO_FLUSH);

    io->in = s->zs.next_in;
    io->out = s->zs.next_out;

    return rc == Z_BUF_ERROR ? Z_OK : rc;
}


static guardrail_rc_e
guardrail_gzip_decode(void *state, guardrail_codec_io_t *io)
{
    guardrail_rc_e        rc;
    guardrail_inflate_t  *s = state;

    rc = s->rc;

    while (rc == GUARDRAIL_OK) {

        if (s->state == guardrail_gzip_data) {
            rc = guardrail_gzip_data_step(s, io);

            if (s->state == guardrail_gzip_data) {
                break;
            }

            continue;
        }

        if (io->in == io->in_end) {
            break;
        }

        if (s->state != guardrail_gzip_trailer) {
            rc = guardrail_gzip_header(s, *io->in++);
            continue;
        }

        s->field[s->n++] = *io->in++;

        if (s->n == GUARDRAIL_GZIP_TRAILER) {
            rc = guardrail_gzip_check(s);
        }
    }

    return rc;
}


static guardrail_rc_e
guardrail_gzip_header(guardrail_inflate_t *s, uint8_t ch)
{
    if (s->state == guardrail_gzip_between) {
        s->state = guardrail_gzip_fixed;
        s->n = 0;
    }

    if (s->state == guardrail_gzip_fixed && s->n == 0) {

        if (s->members == GUARDRAIL_GZIP_MAX_MEMBERS) {
            return guardrail_inflate_fail(s, "too many gzip members");
        }

        s->started = 1;
        s->flags = 0;
        s->header = 0;
        s->crc = (uint32_t) crc32(0, NULL, 0);
    }

    if (++s->header > GUARDRAIL_GZIP_MAX_HEADER) {
        return guardrail_inflate_fail(s, "the gzip header is too long");
    }

    if (s->state != guardrail_gzip_hcrc) {

        /* FLG is not known before the fourth byte */

        if (s->header <= 4 || (s->flags & GUARDRAIL_GZIP_FHCRC)) {
            s->crc = (uint32_t) crc32(s->crc, &ch, 1);
        }
    }

    switch (s->state) {

    case guardrail_gzip_fixed:

        s->field[s->n < 4 ? s->n : 4] = ch;
        s->n++;

        if (s->n <= 4) {
            return guardrail_gzip_magic(s);
        }

        if (s->n == GUARDRAIL_GZIP_FIXED) {
            guardrail_gzip_next_field(s);
        }

        break;

    case guardrail_gzip_extra_len:

        s->field[s->n++] = ch;

        if (s->n == 2) {
            s->extra = s->field[0] | (unsigned) s->field[1] << 8;
            s->n = 0;
            s->state = guardrail_gzip_extra;

            if (s->extra == 0) {
                guardrail_gzip_next_field(s);
            }
        }

        break;

    case guardrail_gzip_extra:

        if (++s->n == s->extra) {
            guardrail_gzip_next_field(s);
        }

        break;

    case guardrail_gzip_name:
    case guardrail_gzip_comment:

        if (ch == 0) {
            guardrail_gzip_next_field(s);
        }

        break;

    default: /* guardrail_gzip_hcrc */

        s->field[s->n++] = ch;

        if (s->n == 2) {
            if ((s->field[0] | (unsigned) s->field[1] << 8)
                != (s->crc & 0xffff))
            {
                return guardrail_inflate_fail(s,
                                          "the gzip header checksum is wrong");
            }

            guardrail_gzip_next_field(s);
        }
    }

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_gzip_magic(guardrail_inflate_t *s)
{
    switch (s->n) {

    case 1:
        if (s->field[0] == 0x1f) {
            return GUARDRAIL_OK;
        }
        break;

    case 2:
        if (s->field[1] == 0x8b) {
            return GUARDRAIL_OK;
        }
        break;

    case 3:
        if (s->field[2] == Z_DEFLATED) {
            return GUARDRAIL_OK;
        }

        return guardrail_inflate_fail(s, "the gzip method is unknown");

    default: /* 4 */
        s->flags = s->field[3];

        if (s->flags & GUARDRAIL_GZIP_RESERVED) {
            return guardrail_inflate_fail(s, "reserved gzip flags are set");
        }

        return GUARDRAIL_OK;
    }

    return guardrail_inflate_fail(s, s->members
                            ? "there are bytes after the end of the gzip data"
                            : "there is no gzip header");
}


/* the field after s->state, in the order of RFC 1952, or the data */

static void
guardrail_gzip_next_field(guardrail_inflate_t *s)
{
    s->n = 0;

    switch (s->state) {

    case guardrail_gzip_fixed:
        if (s->flags & GUARDRAIL_GZIP_FEXTRA) {
            s->state = guardrail_gzip_extra_len;
            return;
        }

        /* fall through */

    case guardrail_gzip_extra:
        if (s->flags & GUARDRAIL_GZIP_FNAME) {
            s->state = guardrail_gzip_name;
            return;
        }

        /* fall through */

    case guardrail_gzip_name:
        if (s->flags & GUARDRAIL_GZIP_FCOMMENT) {
            s->state = guardrail_gzip_comment;
            return;
        }

        /* fall through */

    case guardrail_gzip_comment:
        if (s->flags & GUARDRAIL_GZIP_FHCRC) {
            s->state = guardrail_gzip_hcrc;
            return;
        }

        /* fall through */

    default:
        break;
    }

    s->state = guardrail_gzip_data;
    s->members++;
    s->crc = (uint32_t) crc32(0, NULL, 0);
    s->size = 0;
    s->info.overhead += s->header;
}


static guardrail_rc_e
guardrail_gzip_data_step(guardrail_inflate_t *s, guardrail_codec_io_t *io)
{
    int       rc;
    size_t    n;
    uint8_t  *out;

    out = io->out;

    rc = guardrail_inflate_run(s, io);

    n = (size_t) (io->out - out);

    if (n) {
        s->crc = (uint32_t) crc32_z(s->crc, out, n);
        s->size += (uint32_t) n;

        /* of the member that gave the last byte, even if it ends here */

        s->info.member_overhead = s->info.overhead;
    }

    if (rc == Z_OK) {
        return GUARDRAIL_OK;
    }

    if (rc == Z_STREAM_END && inflateReset(&s->zs) == Z_OK) {
        s->state = guardrail_gzip_trailer;
        s->n = 0;
        return GUARDRAIL_OK;
    }

    return guardrail_inflate_fail(s, "the deflate data is invalid");
}


static guardrail_rc_e
guardrail_gzip_check(guardrail_inflate_t *s)
{
    uint32_t  crc, size;

    crc = s->field[0] | (uint32_t) s->field[1] << 8
          | (uint32_t) s->field[2] << 16 | (uint32_t) s->field[3] << 24;

    size = s->field[4] | (uint32_t) s->field[5] << 8
           | (uint32_t) s->field[6] << 16 | (uint32_t) s->field[7] << 24;

    if (crc != s->crc) {
        return guardrail_inflate_fail(s, "the gzip checksum is wrong");
    }

    if (size != s->size) {
        return guardrail_inflate_fail(s, "the gzip length is wrong");
    }

    s->info.overhead += GUARDRAIL_GZIP_TRAILER;
    s->state = guardrail_gzip_between;

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_gzip_finish(void *state)
{
    guardrail_inflate_t  *s = state;

    if (s->rc != GUARDRAIL_OK || !s->started
        || s->state == guardrail_gzip_between)
    {
        return s->rc;
    }

    return guardrail_inflate_fail(s, "the gzip data is truncated");
}


static guardrail_rc_e
guardrail_deflate_decode(void *state, guardrail_codec_io_t *io)
{
    guardrail_rc_e         rc;
    guardrail_codec_io_t   head;
    guardrail_inflate_t   *s = state;

    if (s->rc != GUARDRAIL_OK) {
        return s->rc;
    }

    /* the first two bytes say whether this is zlib or raw deflate */

    while (s->n < 2) {

        if (io->in == io->in_end) {
            return GUARDRAIL_OK;
        }

        s->started = 1;
        s->field[s->n++] = *io->in++;

        if (s->n == 2) {
            rc = guardrail_deflate_begin(s);

            if (rc != GUARDRAIL_OK) {
                return rc;
            }
        }
    }

    while (s->n < 4) {
        head.in = s->field + (s->n - 2);
        head.in_end = s->field + 2;
        head.out = io->out;
        head.out_end = io->out_end;

        rc = guardrail_deflate_step(s, &head);

        io->out = head.out;
        s->n += (unsigned) (head.in - (s->field + (s->n - 2)));

        if (rc != GUARDRAIL_OK) {
            return rc;
        }

        if (s->ended && s->n < 4) {
            return guardrail_inflate_fail(s,
                           "there are bytes after the end of the deflate data");
        }

        if (io->out == io->out_end) {
            return GUARDRAIL_OK;
        }
    }

    rc = guardrail_deflate_step(s, io);

    if (rc == GUARDRAIL_OK && s->ended && io->in != io->in_end) {

        /* the byte that is refused is taken in, as everywhere */

        io->in++;

        rc = guardrail_inflate_fail(s,
                           "there are bytes after the end of the deflate data");
    }

    return rc;
}


static guardrail_rc_e
guardrail_deflate_step(guardrail_inflate_t *s, guardrail_codec_io_t *io)
{
    int  rc;

    if (s->ended) {
        return GUARDRAIL_OK;
    }

    rc = guardrail_inflate_run(s, io);

    if (rc == Z_OK) {
        return GUARDRAIL_OK;
    }

    if (rc == Z_STREAM_END) {
        s->ended = 1;
        return GUARDRAIL_OK;
    }

    return guardrail_inflate_fail(s, "the deflate data is invalid");
}


/* RFC 1950, section 2.2: CM 8, a window of up to 32 KiB, the check bits */

static guardrail_rc_e
guardrail_deflate_begin(guardrail_inflate_t *s)
{
    unsigned  cmf, flg;

    cmf = s->field[0];
    flg = s->field[1];

    if ((cmf & 0x0f) == Z_DEFLATED && (cmf >> 4) <= 7
        && (cmf * 256 + flg) % 31 == 0
        && inflateReset2(&s->zs, MAX_WBITS) != Z_OK)
    {
        return guardrail_inflate_fail(s, "the zlib header is invalid");
    }

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_deflate_finish(void *state)
{
    guardrail_inflate_t  *s = state;

    if (s->rc != GUARDRAIL_OK || !s->started || s->ended) {
        return s->rc;
    }

    return guardrail_inflate_fail(s, "the deflate data is truncated");
}


static const guardrail_codec_info_t *
guardrail_inflate_info(const void *state)
{
    const guardrail_inflate_t  *s = state;

    return &s->info;
}
