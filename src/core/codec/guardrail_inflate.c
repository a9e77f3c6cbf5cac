
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "codec/guardrail_inflate_private.h"

#include <string.h>


static voidpf guardrail_inflate_zalloc(voidpf opaque, uInt items, uInt size);
static void guardrail_inflate_zfree(voidpf opaque, voidpf p);


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


void *
guardrail_inflate_open(const guardrail_alloc_t *alloc)
{
    guardrail_inflate_t  *s;

    s = alloc->alloc(alloc->opaque, sizeof(guardrail_inflate_t),
                     GUARDRAIL_INFLATE_WINDOW);
    if (s == NULL) {
        return NULL;
    }

    memset(s, 0, offsetof(guardrail_inflate_t, arena));

    s->alloc = alloc;

    s->zs.zalloc = guardrail_inflate_zalloc;
    s->zs.zfree = guardrail_inflate_zfree;
    s->zs.opaque = s;

    if (inflateInit2(&s->zs, -MAX_WBITS) != Z_OK) {
        alloc->free(alloc->opaque, s, sizeof(guardrail_inflate_t),
                    GUARDRAIL_INFLATE_WINDOW);
        return NULL;
    }

    return s;
}


void
guardrail_inflate_close(void *state)
{
    guardrail_inflate_t  *s = state;

    (void) inflateEnd(&s->zs);

    s->alloc->free(s->alloc->opaque, s, sizeof(guardrail_inflate_t),
                   GUARDRAIL_INFLATE_WINDOW);
}


guardrail_rc_e
guardrail_inflate_fail(guardrail_inflate_t *s, const char *error)
{
    s->info.error = error;
    s->rc = GUARDRAIL_MALFORMED_ENCODING;

    return s->rc;
}


int
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


const guardrail_codec_info_t *
guardrail_inflate_info(const void *state)
{
    const guardrail_inflate_t  *s = state;

    return &s->info;
}
