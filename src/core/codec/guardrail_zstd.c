
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "codec/guardrail_zstd.h"


#if (GUARDRAIL_HAVE_ZSTD)

#include "codec/guardrail_zstd_private.h"

#include <string.h>


/*
 * Empty blocks, and blocks of 72 bytes that bring tables of their own, take
 * 24 ns a byte of input, as much as 3 bytes of usual output.  Tables of all
 * sizes fit into some 30 bytes; 16 has room for them.
 */

#define GUARDRAIL_ZSTD_WEIGHT      16


static void *guardrail_zstd_open(const guardrail_alloc_t *alloc);
static void guardrail_zstd_close(void *state);
static guardrail_rc_e guardrail_zstd_decode(void *state,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_zstd_run(guardrail_zstd_t *s,
    guardrail_codec_io_t *io, const uint8_t **p, size_t len);
static guardrail_rc_e guardrail_zstd_feed(guardrail_zstd_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_zstd_content_step(guardrail_zstd_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_zstd_finish(void *state);
static const guardrail_codec_info_t *guardrail_zstd_info(const void *state);


const guardrail_codec_t  guardrail_codec_zstd = {
    "zstd",
    GUARDRAIL_CODING_ZSTD,
    GUARDRAIL_ZSTD_WINDOW + GUARDRAIL_ZSTD_STATE,
    GUARDRAIL_ZSTD_WINDOW,
    GUARDRAIL_ZSTD_WEIGHT,
    guardrail_zstd_open,
    guardrail_zstd_close,
    guardrail_zstd_decode,
    guardrail_zstd_finish,
    guardrail_zstd_info
};


static void *
guardrail_zstd_open(const guardrail_alloc_t *alloc)
{
    guardrail_zstd_t  *s;

    s = alloc->alloc(alloc->opaque, sizeof(guardrail_zstd_t), 0);
    if (s == NULL) {
        return NULL;
    }

    memset(s, 0, sizeof(guardrail_zstd_t));

    s->alloc = alloc;
    s->need = 4;

    return s;
}


static void
guardrail_zstd_close(void *state)
{
    guardrail_zstd_t         *s = state;
    const guardrail_alloc_t  *alloc;

    alloc = s->alloc;

    /* a static context owns nothing */

    if (s->block) {
        alloc->free(alloc->opaque, s->block, s->size, s->window);
    }

    alloc->free(alloc->opaque, s, sizeof(guardrail_zstd_t), 0);
}


static guardrail_rc_e
guardrail_zstd_decode(void *state, guardrail_codec_io_t *io)
{
    size_t             n;
    guardrail_rc_e     rc;
    guardrail_zstd_t  *s = state;

    rc = s->rc;

    while (rc == GUARDRAIL_OK && io->out != io->out_end) {

        if (s->pending) {

            /* libzstd forgets what it gave in a call that fails: drain first */

            rc = guardrail_zstd_run(s, io, &io->in, 0);
            continue;
        }

        if (s->whole) {
            rc = guardrail_zstd_feed(s, io);
            continue;
        }

        if (io->in == io->in_end) {
            break;
        }

        switch (s->state) {

        case guardrail_zstd_skip:
            n = (size_t) (io->in_end - io->in);

            if (n > s->left) {
                n = s->left;
            }

            io->in += n;
            s->left -= (uint32_t) n;

            if (s->left == 0) {
                rc = guardrail_zstd_next(s);
            }

            break;

        case guardrail_zstd_content:
            rc = guardrail_zstd_content_step(s, io);
            break;

        default:
            rc = guardrail_zstd_collect(s, *io->in++);
        }
    }

    return rc;
}


/*
 * One call of libzstd.  It counts calls that neither take nor give, and fails
 * at the sixteenth: without input it is called only if it may have output.
 */

static guardrail_rc_e
guardrail_zstd_run(guardrail_zstd_t *s, guardrail_codec_io_t *io,
    const uint8_t **p, size_t len)
{
    size_t          rc;
    ZSTD_inBuffer   in;
    ZSTD_outBuffer  out;

    in.src = *p;
    in.size = len;
    in.pos = 0;

    out.dst = io->out;
    out.size = (size_t) (io->out_end - io->out);
    out.pos = 0;

    rc = ZSTD_decompressStream(s->ds, &out, &in);

    *p += in.pos;
    io->out += out.pos;
    s->given += out.pos;

    s->pending = (out.pos == out.size);
    s->ended = (rc == 0);

    if (out.pos) {
        s->info.member_overhead = s->info.overhead;
    }

    if (ZSTD_isError(rc)) {

        /* what is refused is taken in, as everywhere */

        *p += len - in.pos;

        return guardrail_zstd_fail(s,
                               ZSTD_getErrorCode(rc)
                               == ZSTD_error_checksum_wrong
                               ? "the zstd checksum is wrong"
                               : "the zstd data is invalid");
    }

    return GUARDRAIL_OK;
}


/*
 * What was collected goes to libzstd.  Its last byte is not taken while
 * output of a frame that ends with it is still to be given.
 */

static guardrail_rc_e
guardrail_zstd_feed(guardrail_zstd_t *s, guardrail_codec_io_t *io)
{
    const uint8_t   *p;
    guardrail_rc_e   rc;

    p = s->field + s->fed;

    rc = guardrail_zstd_run(s, io, &p, s->n - s->fed);

    if (rc != GUARDRAIL_OK) {
        return rc;
    }

    s->fed = (unsigned) (p - s->field);

    return (s->fed == s->n) ? guardrail_zstd_next(s) : GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_zstd_content_step(guardrail_zstd_t *s, guardrail_codec_io_t *io)
{
    size_t           n;
    guardrail_rc_e   rc;
    const uint8_t   *start;

    n = (size_t) (io->in_end - io->in);
    start = io->in;

    if (n > s->left) {
        n = s->left;
    }

    rc = guardrail_zstd_run(s, io, &io->in, n);

    if (rc != GUARDRAIL_OK) {
        return rc;
    }

    s->left -= (uint32_t) (io->in - start);

    return s->left ? GUARDRAIL_OK : guardrail_zstd_next(s);
}


guardrail_rc_e
guardrail_zstd_fail(guardrail_zstd_t *s, const char *error)
{
    s->info.error = error;
    s->rc = GUARDRAIL_MALFORMED_ENCODING;

    return s->rc;
}


static guardrail_rc_e
guardrail_zstd_finish(void *state)
{
    guardrail_zstd_t  *s = state;

    if (s->rc != GUARDRAIL_OK
        || (s->state == guardrail_zstd_magic && s->n == 0))
    {
        return s->rc;
    }

    return guardrail_zstd_fail(s, "the zstd data is truncated");
}


static const guardrail_codec_info_t *
guardrail_zstd_info(const void *state)
{
    const guardrail_zstd_t  *s = state;

    return &s->info;
}

#else

/* nothing: ISO C wants a declaration */

typedef int  guardrail_zstd_none_t;

#endif /* GUARDRAIL_HAVE_ZSTD */
