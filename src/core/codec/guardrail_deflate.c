
/*
 * Copyright (C) nginx-guardrail authors
 *
 * deflate: zlib (RFC 1950) or raw (RFC 1951), as the first two bytes say.
 */


#include "codec/guardrail_inflate_private.h"


static guardrail_rc_e guardrail_deflate_decode(void *state,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_deflate_step(guardrail_inflate_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_deflate_begin(guardrail_inflate_t *s);
static guardrail_rc_e guardrail_deflate_finish(void *state);


const guardrail_codec_t  guardrail_codec_deflate = {
    "deflate",
    GUARDRAIL_CODING_DEFLATE,
    sizeof(guardrail_inflate_t),
    GUARDRAIL_INFLATE_WINDOW,
    GUARDRAIL_INFLATE_WEIGHT,
    guardrail_inflate_open,
    guardrail_inflate_close,
    guardrail_deflate_decode,
    guardrail_deflate_finish,
    guardrail_inflate_info
};


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
