
/*
 * Copyright (C) nginx-guardrail authors
 *
 * gzip, RFC 1952: the members' headers and trailers.
 */


#include "codec/guardrail_crc32.h"
#include "codec/guardrail_inflate_private.h"


/* RFC 1952, section 2.3 */

#define GUARDRAIL_GZIP_FHCRC      0x02
#define GUARDRAIL_GZIP_FEXTRA     0x04
#define GUARDRAIL_GZIP_FNAME      0x08
#define GUARDRAIL_GZIP_FCOMMENT   0x10
#define GUARDRAIL_GZIP_RESERVED   0xe0

#define GUARDRAIL_GZIP_FIXED      10        /* bytes before the options */


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


const guardrail_codec_t  guardrail_codec_gzip = {
    "gzip",
    GUARDRAIL_CODING_GZIP,
    sizeof(guardrail_inflate_t),
    GUARDRAIL_INFLATE_WINDOW,
    GUARDRAIL_INFLATE_WEIGHT,
    guardrail_inflate_open,
    guardrail_inflate_close,
    guardrail_gzip_decode,
    guardrail_gzip_finish,
    guardrail_inflate_info
};


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
        s->crc = guardrail_crc32(s->crc, out, n);
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
