
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "codec/guardrail_brotli.h"


#if (GUARDRAIL_HAVE_BROTLI)

#include <string.h>
#include <brotli/decode.h>


/* RFC 7932, section 9.1: windows of 2^10 to 2^24 bytes */

#define GUARDRAIL_BROTLI_WINDOW_LOG  24
#define GUARDRAIL_BROTLI_WINDOW      (1 << GUARDRAIL_BROTLI_WINDOW_LOG)

/* what the decoder's ring has behind its window: 542 bytes in 1.0.9 */

#define GUARDRAIL_BROTLI_SLACK       1024

/*
 * The tables of a metablock, at most: 256 prefix codes each of literals,
 * insert and copy lengths, and distances, with tables of 632, 1080 and 920
 * entries of 4 bytes, 2.7 MB in all; context maps of 17 KiB; and, for good,
 * the decoder's state and three codes of block types, 18 KiB.
 */

#define GUARDRAIL_BROTLI_TABLES      (2700 * 1024)

/* blocks alive at a time: nine of 1.0.9 */

#define GUARDRAIL_BROTLI_BLOCKS      16

/*
 * A metablock of 80 bytes can ask for a context map of 16,384 entries, moved
 * to front, that takes 230 us: 2,900 ns a byte of input.  Encoders' output
 * takes 24 at most (pieces of 200 bytes, flushed), empty metadata 43.  With
 * the weight of the dearest, 322, 800 bytes would be a pass; with this one
 * 1,600 are, 5 ms of the dearest.
 */

#define GUARDRAIL_BROTLI_WEIGHT      160


typedef struct {
    uint8_t                  *p;
    size_t                    size;
    unsigned                  live;
} guardrail_brotli_block_t;


typedef struct {
    guardrail_codec_info_t    info;
    const guardrail_alloc_t  *alloc;

    BrotliDecoderState       *decoder;
    uint8_t                  *arena;    /* tables, then the ring */
    size_t                    window;

    guardrail_brotli_block_t  blocks[GUARDRAIL_BROTLI_BLOCKS];
    unsigned                  n;        /* of blocks, those that are on top */
    unsigned                  ring;     /* it is taken */

    unsigned                  started;
    unsigned                  ended;
    guardrail_rc_e            rc;
} guardrail_brotli_t;


static void *guardrail_brotli_open(const guardrail_alloc_t *alloc);
static void guardrail_brotli_close(void *state);
static guardrail_rc_e guardrail_brotli_decode(void *state,
    guardrail_codec_io_t *io);
static void guardrail_brotli_drain(guardrail_brotli_t *s,
    guardrail_codec_io_t *io);
static guardrail_rc_e guardrail_brotli_error(guardrail_brotli_t *s);
static guardrail_rc_e guardrail_brotli_begin(guardrail_brotli_t *s,
    uint8_t ch);
static unsigned guardrail_brotli_window_log(uint8_t ch);
static size_t guardrail_brotli_size(const guardrail_brotli_t *s);
static void *guardrail_brotli_alloc(void *opaque, size_t size);
static void guardrail_brotli_free(void *opaque, void *p);
static guardrail_rc_e guardrail_brotli_fail(guardrail_brotli_t *s,
    guardrail_rc_e rc, const char *error);
static guardrail_rc_e guardrail_brotli_finish(void *state);
static const guardrail_codec_info_t *guardrail_brotli_info(const void *state);


const guardrail_codec_t  guardrail_codec_brotli = {
    "br",
    GUARDRAIL_CODING_BR,
    GUARDRAIL_BROTLI_WINDOW + GUARDRAIL_BROTLI_SLACK + GUARDRAIL_BROTLI_TABLES
        + sizeof(guardrail_brotli_t),
    GUARDRAIL_BROTLI_WINDOW,
    GUARDRAIL_BROTLI_WEIGHT,
    guardrail_brotli_open,
    guardrail_brotli_close,
    guardrail_brotli_decode,
    guardrail_brotli_finish,
    guardrail_brotli_info
};


static void *
guardrail_brotli_open(const guardrail_alloc_t *alloc)
{
    guardrail_brotli_t  *s;

    s = alloc->alloc(alloc->opaque, sizeof(guardrail_brotli_t), 0);
    if (s == NULL) {
        return NULL;
    }

    memset(s, 0, sizeof(guardrail_brotli_t));

    s->alloc = alloc;

    return s;
}


static void
guardrail_brotli_close(void *state)
{
    guardrail_brotli_t       *s = state;
    const guardrail_alloc_t  *alloc;

    alloc = s->alloc;

    if (s->decoder) {
        BrotliDecoderDestroyInstance(s->decoder);
    }

    if (s->arena) {
        alloc->free(alloc->opaque, s->arena, guardrail_brotli_size(s),
                    s->window);
    }

    alloc->free(alloc->opaque, s, sizeof(guardrail_brotli_t), 0);
}


/*
 * The decoder gives what it has when the input is spent, and says "more
 * output" while it has more: the same bytes give the same output in any cuts.
 */

static guardrail_rc_e
guardrail_brotli_decode(void *state, guardrail_codec_io_t *io)
{
    size_t                in, out;
    guardrail_brotli_t   *s = state;
    BrotliDecoderResult   rc;

    if (s->rc != GUARDRAIL_OK
        || (!s->started && io->in == io->in_end))
    {
        return s->rc;
    }

    if (!s->started && guardrail_brotli_begin(s, *io->in) != GUARDRAIL_OK) {
        io->in++;
        return s->rc;
    }


    guardrail_brotli_drain(s, io);

    if (!s->ended && io->out != io->out_end) {
        in = (size_t) (io->in_end - io->in);
        out = (size_t) (io->out_end - io->out);

        rc = BrotliDecoderDecompressStream(s->decoder, &in, &io->in, &out,
                                           &io->out, NULL);

        /* it decodes until its ring is full, whatever room there is */

        if (rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
            io->ahead += s->window;
        }

        s->ended = (rc == BROTLI_DECODER_RESULT_SUCCESS);

        if (rc == BROTLI_DECODER_RESULT_ERROR) {

            /* what is refused is taken in, as everywhere */

            io->in = io->in_end;

            return guardrail_brotli_error(s);
        }
    }

    if (s->ended && io->in != io->in_end && io->out != io->out_end) {

        /* the byte that is refused is taken in, as everywhere */

        io->in++;

        return guardrail_brotli_fail(s, GUARDRAIL_MALFORMED_ENCODING,
                            "there are bytes after the end of the brotli data");
    }

    return GUARDRAIL_OK;
}


/* what is decoded, and no more: the ring is empty before it is filled again */

static void
guardrail_brotli_drain(guardrail_brotli_t *s, guardrail_codec_io_t *io)
{
    size_t          n;
    const uint8_t  *p;

    while (io->out != io->out_end && BrotliDecoderHasMoreOutput(s->decoder)) {

        n = (size_t) (io->out_end - io->out);
        p = BrotliDecoderTakeOutput(s->decoder, &n);

        if (n == 0) {
            break;
        }

        memcpy(io->out, p, n);
        io->out += n;
    }
}


/* an arena that was too small would be our fault, not the body's */

static guardrail_rc_e
guardrail_brotli_error(guardrail_brotli_t *s)
{
    BrotliDecoderErrorCode  code;

    code = BrotliDecoderGetErrorCode(s->decoder);

    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES
        && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
    {
        return guardrail_brotli_fail(s, GUARDRAIL_DECODER_MEMORY,
                          "the brotli data needs more memory than it may have");
    }

    return guardrail_brotli_fail(s, GUARDRAIL_MALFORMED_ENCODING,
                                 "the brotli data is invalid");
}


static guardrail_rc_e
guardrail_brotli_begin(guardrail_brotli_t *s, uint8_t ch)
{
    unsigned                  log;
    const guardrail_alloc_t  *alloc;

    s->started = 1;

    log = guardrail_brotli_window_log(ch);

    if (log == 0) {
        return guardrail_brotli_fail(s, GUARDRAIL_MALFORMED_ENCODING,
                                     "the brotli window is invalid");
    }

    s->window = (size_t) 1 << log;

    if (s->window > GUARDRAIL_BROTLI_WINDOW) {
        s->info.wanted = s->window;

        return guardrail_brotli_fail(s, GUARDRAIL_MAX_MEMORY,
                                     "large-window brotli is not accepted");
    }

    alloc = s->alloc;
    s->info.wanted = guardrail_brotli_size(s);

    s->arena = alloc->alloc(alloc->opaque, guardrail_brotli_size(s),
                            s->window);

    if (s->arena) {
        s->decoder = BrotliDecoderCreateInstance(guardrail_brotli_alloc,
                                                 guardrail_brotli_free, s);
    }

    /* the ring is made once, as large as the window */

    if (s->decoder == NULL
        || !BrotliDecoderSetParameter(s->decoder,
                          BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION,
                          1))
    {
        return guardrail_brotli_fail(s, GUARDRAIL_DECODER_MEMORY,
                                   "there is no memory for a brotli decoder");
    }

    return GUARDRAIL_OK;
}


/*
 * WBITS, RFC 7932, section 9.1; 0 if there is no such.  Of a large window 25
 * stands for all: how large it is would be in the byte that follows.
 */

static unsigned
guardrail_brotli_window_log(uint8_t ch)
{
    if ((ch & 1) == 0) {
        return 16;
    }

    if (ch & 0x0e) {
        return 17 + (ch >> 1 & 7);
    }

    switch (ch >> 4 & 7) {

    case 0:
        return 17;

    case 1:
        return (ch & 0x80) ? 0 : GUARDRAIL_BROTLI_WINDOW_LOG + 1;

    default:
        return 8 + (ch >> 4 & 7);
    }
}


static size_t
guardrail_brotli_size(const guardrail_brotli_t *s)
{
    return GUARDRAIL_BROTLI_TABLES + s->window + GUARDRAIL_BROTLI_SLACK;
}


/*
 * Blocks are put on each other, and go when all above them have gone: the
 * decoder frees all tables of a metablock before the next.  The ring, which
 * stays, has a place of its own.  It is told by its size, which is not a
 * multiple of 4; all else is, or is smaller than any window.
 */

static void *
guardrail_brotli_alloc(void *opaque, size_t size)
{
    size_t                     top;
    guardrail_brotli_t        *s = opaque;
    guardrail_brotli_block_t  *b;

    if (!s->ring && size > s->window && size % 4
        && size <= s->window + GUARDRAIL_BROTLI_SLACK)
    {
        s->ring = 1;
        return s->arena + GUARDRAIL_BROTLI_TABLES;
    }

    top = 0;

    if (s->n) {
        b = &s->blocks[s->n - 1];
        top = (size_t) (b->p - s->arena) + b->size;
    }

    if (s->n == GUARDRAIL_BROTLI_BLOCKS || size > GUARDRAIL_BROTLI_TABLES) {
        return NULL;
    }

    /* never empty: an address is one block's */

    size = (size + 16) & ~(size_t) 15;

    if (size > GUARDRAIL_BROTLI_TABLES - top) {
        return NULL;
    }

    b = &s->blocks[s->n++];

    b->p = s->arena + top;
    b->size = size;
    b->live = 1;

    return b->p;
}


static void
guardrail_brotli_free(void *opaque, void *p)
{
    unsigned             i;
    guardrail_brotli_t  *s = opaque;

    for (i = 0; i < s->n; i++) {
        if (s->blocks[i].p == p) {
            s->blocks[i].live = 0;
        }
    }

    while (s->n && !s->blocks[s->n - 1].live) {
        s->n--;
    }
}


static guardrail_rc_e
guardrail_brotli_fail(guardrail_brotli_t *s, guardrail_rc_e rc,
    const char *error)
{
    s->info.error = error;
    s->rc = rc;

    return rc;
}


static guardrail_rc_e
guardrail_brotli_finish(void *state)
{
    guardrail_brotli_t  *s = state;

    if (s->rc != GUARDRAIL_OK || !s->started || s->ended) {
        return s->rc;
    }

    return guardrail_brotli_fail(s, GUARDRAIL_MALFORMED_ENCODING,
                                 "the brotli data is truncated");
}


static const guardrail_codec_info_t *
guardrail_brotli_info(const void *state)
{
    const guardrail_brotli_t  *s = state;

    return &s->info;
}

#else

/* nothing: ISO C wants a declaration */

typedef int  guardrail_brotli_none_t;

#endif /* GUARDRAIL_HAVE_BROTLI */
