
/*
 * Copyright (C) nginx-guardrail authors
 *
 * zstd's frames: their headers, their blocks, and the memory they ask for.
 */


#include "codec/guardrail_zstd.h"


#if (GUARDRAIL_HAVE_ZSTD)

#include "codec/guardrail_zstd_private.h"


static guardrail_rc_e guardrail_zstd_magic_byte(guardrail_zstd_t *s);
static guardrail_rc_e guardrail_zstd_skippable(guardrail_zstd_t *s);
static guardrail_rc_e guardrail_zstd_frame(guardrail_zstd_t *s);
static guardrail_rc_e guardrail_zstd_memory(guardrail_zstd_t *s,
    uint64_t window);
static void guardrail_zstd_expect(guardrail_zstd_t *s,
    guardrail_zstd_state_e state, unsigned need);
static uint64_t guardrail_zstd_le(const uint8_t *p, unsigned n);


/* bytes of Dictionary_ID and Frame_Content_Size, by their flags */

static const uint8_t  guardrail_zstd_ids[4] = { 0, 1, 2, 4 };
static const uint8_t  guardrail_zstd_sizes[4] = { 0, 2, 4, 8 };


guardrail_rc_e
guardrail_zstd_collect(guardrail_zstd_t *s, uint8_t ch)
{
    s->field[s->n++] = ch;

    if (s->state == guardrail_zstd_magic) {
        return guardrail_zstd_magic_byte(s);
    }

    if (s->state == guardrail_zstd_header && s->n == 5) {

        if (ch & 0x08) {
            return guardrail_zstd_fail(s, "reserved zstd flags are set");
        }

        /* of a single segment there is no window, but always a size */

        s->need = 5u + guardrail_zstd_ids[ch & 3]
                  + guardrail_zstd_sizes[ch >> 6]
                  + ((ch & 0x20) == 0 || ch >> 6 == 0);
    }

    if (s->n < s->need) {
        return GUARDRAIL_OK;
    }

    switch (s->state) {

    case guardrail_zstd_skip_size:
        return guardrail_zstd_skippable(s);

    case guardrail_zstd_header:
        return guardrail_zstd_frame(s);

    case guardrail_zstd_block:
        s->last = (s->field[0] & 1) != 0;
        s->left = (uint32_t) guardrail_zstd_le(s->field, 3) >> 3;

        /* of a run there is one byte; a type that is reserved is refused */

        if ((s->field[0] >> 1 & 3) == 1) {
            s->left = 1;
        }

        break;

    default:
        break;
    }

    s->whole = 1;

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_zstd_magic_byte(guardrail_zstd_t *s)
{
    uint8_t  ch;

    static const uint8_t  frame[4] = { 0x28, 0xb5, 0x2f, 0xfd };
    static const uint8_t  skip[4] = { 0x50, 0x2a, 0x4d, 0x18 };

    ch = s->field[s->n - 1];

    if (s->n == 1) {

        if (s->frames == GUARDRAIL_ZSTD_MAX_FRAMES) {
            return guardrail_zstd_fail(s, "too many zstd frames");
        }

        ch = (ch & 0xf0) == skip[0] ? skip[0] : ch;
        s->field[0] = ch;
    }

    if (ch != (s->field[0] == skip[0] ? skip : frame)[s->n - 1]) {
        return guardrail_zstd_fail(s, s->frames
                            ? "there are bytes after the end of the zstd data"
                            : "there is no zstd header");
    }

    if (s->n == 4) {
        s->frames++;

        if (ch == skip[3]) {
            guardrail_zstd_expect(s, guardrail_zstd_skip_size, 4);

        } else {
            s->state = guardrail_zstd_header;
            s->need = GUARDRAIL_ZSTD_HEADER;
        }
    }

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_zstd_skippable(guardrail_zstd_t *s)
{
    s->left = (uint32_t) guardrail_zstd_le(s->field, 4);

    if (s->left > GUARDRAIL_ZSTD_MAX_SKIPPABLE - 8) {
        return guardrail_zstd_fail(s, "a skippable zstd frame is too long");
    }

    s->skipped = 8 + s->left;
    s->state = guardrail_zstd_skip;

    return s->left ? GUARDRAIL_OK : guardrail_zstd_next(s);
}


/* the header of a frame is whole: RFC 8878, section 3.1.1.1 */

static guardrail_rc_e
guardrail_zstd_frame(guardrail_zstd_t *s)
{
    unsigned  flags, id, single, size, log;
    uint64_t  window;
    uint8_t  *p;

    flags = s->field[4];
    single = flags & 0x20;
    id = guardrail_zstd_ids[flags & 3];
    p = s->field + 5;

    s->checksum = (flags & 4) != 0;

    window = 0;

    if (!single) {
        log = 10 + (*p >> 3);
        window = (uint64_t) 1 << log;
        window += (window >> 3) * (*p++ & 7);
    }

    if (guardrail_zstd_le(p, id)) {
        return guardrail_zstd_fail(s, "zstd dictionaries are not accepted");
    }

    p += id;
    size = (unsigned) (s->field + s->n - p);

    /* in two bytes it begins at 256 */

    s->content = guardrail_zstd_le(p, size) + (size == 2 ? 256 : 0);
    s->sized = (size != 0);
    s->given = 0;

    if (single) {
        window = s->content;
    }

    if (window > GUARDRAIL_ZSTD_WINDOW) {
        s->info.wanted = window;
        s->info.error = "the zstd window is too large";
        s->rc = GUARDRAIL_MAX_MEMORY;

        return s->rc;
    }

    s->whole = 1;

    return guardrail_zstd_memory(s, window);
}


/*
 * Frames may ask for ever larger windows: in powers of two that is at most
 * seven blocks after the first.
 */

static guardrail_rc_e
guardrail_zstd_memory(guardrail_zstd_t *s, uint64_t window)
{
    size_t                    n;
    const guardrail_alloc_t  *alloc;

    if (s->block && window <= s->window) {
        return GUARDRAIL_OK;
    }

    alloc = s->alloc;

    if (s->block) {
        alloc->free(alloc->opaque, s->block, s->size, s->window);
        s->block = NULL;
    }

    for (n = GUARDRAIL_ZSTD_LEAST; n < window; n *= 2) { /* void */ }

    s->window = n;
    s->size = ZSTD_estimateDStreamSize(n);
    s->block = alloc->alloc(alloc->opaque, s->size, s->window);

    if (s->block) {
        s->ds = ZSTD_initStaticDStream(s->block, s->size);

        if (s->ds && !ZSTD_isError(ZSTD_DCtx_setParameter(s->ds,
                                                  ZSTD_d_windowLogMax,
                                                  GUARDRAIL_ZSTD_WINDOW_LOG)))
        {
            return GUARDRAIL_OK;
        }
    }

    s->info.wanted = s->size;
    s->info.error = "there is no memory for a zstd decoder";
    s->rc = GUARDRAIL_DECODER_MEMORY;

    return s->rc;
}


guardrail_rc_e
guardrail_zstd_next(guardrail_zstd_t *s)
{
    unsigned  tail;

    /* the last byte of a frame is fed on its own, as checksums are */

    tail = s->last && !s->checksum;

    switch (s->state) {

    case guardrail_zstd_skip:
        s->info.overhead += s->skipped;
        guardrail_zstd_expect(s, guardrail_zstd_magic, 4);
        return GUARDRAIL_OK;

    case guardrail_zstd_header:
        guardrail_zstd_expect(s, guardrail_zstd_block, 3);
        return GUARDRAIL_OK;

    case guardrail_zstd_block:

        if (s->left) {
            s->left -= tail;
            guardrail_zstd_expect(s, s->left ? guardrail_zstd_content
                                             : guardrail_zstd_tail, 1);
            return GUARDRAIL_OK;
        }

        tail = 0;

        /* fall through */

    case guardrail_zstd_content:

        if (tail) {
            guardrail_zstd_expect(s, guardrail_zstd_tail, 1);
            return GUARDRAIL_OK;
        }

        if (!s->last) {
            guardrail_zstd_expect(s, guardrail_zstd_block, 3);
            return GUARDRAIL_OK;
        }

        if (s->checksum) {
            guardrail_zstd_expect(s, guardrail_zstd_checksum, 4);
            return GUARDRAIL_OK;
        }

        break;

    default: /* guardrail_zstd_tail, guardrail_zstd_checksum */
        break;
    }

    if (!s->ended) {
        return guardrail_zstd_fail(s, "the zstd data is invalid");
    }

    /* libzstd does not look where the last block is empty */

    if (s->sized && s->given != s->content) {
        return guardrail_zstd_fail(s, "the zstd length is wrong");
    }

    s->last = 0;
    guardrail_zstd_expect(s, guardrail_zstd_magic, 4);

    return GUARDRAIL_OK;
}


static void
guardrail_zstd_expect(guardrail_zstd_t *s, guardrail_zstd_state_e state,
    unsigned need)
{
    s->state = state;
    s->need = need;
    s->n = 0;
    s->fed = 0;
    s->whole = 0;
}


static uint64_t
guardrail_zstd_le(const uint8_t *p, unsigned n)
{
    uint64_t  v;

    for (v = 0; n; n--) {
        v = v << 8 | p[n - 1];
    }

    return v;
}

#else

/* nothing: ISO C wants a declaration */

typedef int  guardrail_zstd_no_frame_t;

#endif /* GUARDRAIL_HAVE_ZSTD */
