
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the files of the zstd decoder share: the state, and where it goes at
 * the end of each part of a frame.
 */


#ifndef GUARDRAIL_ZSTD_PRIVATE_H
#define GUARDRAIL_ZSTD_PRIVATE_H


#define ZSTD_STATIC_LINKING_ONLY

#include "codec/guardrail_zstd.h"

#include <zstd.h>
#include <zstd_errors.h>


/* RFC 9659: what a receiver of HTTP content must support, and may refuse */

#define GUARDRAIL_ZSTD_WINDOW      (8 * 1024 * 1024)
#define GUARDRAIL_ZSTD_WINDOW_LOG  23

/* a block for windows up to this is not made smaller */

#define GUARDRAIL_ZSTD_LEAST       65536

/* what libzstd wants besides the window: 489,272 bytes in 1.5.4 */

#define GUARDRAIL_ZSTD_STATE       (640 * 1024)

/* RFC 8878, section 3.1.1: the magic number and the frame's header */

#define GUARDRAIL_ZSTD_HEADER      18           /* bytes, at most */


typedef enum {
    guardrail_zstd_magic = 0,
    guardrail_zstd_skip_size,
    guardrail_zstd_skip,
    guardrail_zstd_header,
    guardrail_zstd_block,               /* the header of a block */
    guardrail_zstd_content,
    guardrail_zstd_tail,                /* the last byte of a frame */
    guardrail_zstd_checksum
} guardrail_zstd_state_e;


typedef struct {
    guardrail_codec_info_t    info;
    const guardrail_alloc_t  *alloc;

    ZSTD_DStream             *ds;       /* in the block */
    void                     *block;
    size_t                    size;     /* of the block, in bytes */
    size_t                    window;   /* that the block is for */

    guardrail_zstd_state_e    state;
    unsigned                  frames;
    unsigned                  n;        /* bytes in field */
    unsigned                  need;     /* that make it whole */
    unsigned                  fed;      /* bytes of it that libzstd has */
    uint32_t                  left;     /* of the content, or to skip */
    uint32_t                  skipped;  /* the length of such a frame */

    uint64_t                  content;  /* bytes that the frame promised */
    uint64_t                  given;    /* bytes of the frame */

    unsigned                  whole:1;      /* field is to be fed */
    unsigned                  last:1;       /* block of its frame */
    unsigned                  checksum:1;
    unsigned                  sized:1;      /* content was promised */
    unsigned                  ended:1;      /* libzstd says the frame is over */
    unsigned                  pending:1;    /* libzstd may have more output */

    guardrail_rc_e            rc;
    uint8_t                   field[GUARDRAIL_ZSTD_HEADER];
} guardrail_zstd_t;


/* a byte of a magic number, a header or a checksum: once whole, it is fed */

guardrail_rc_e guardrail_zstd_collect(guardrail_zstd_t *s, uint8_t ch);

/* what s->state stands for is over: what comes next */

guardrail_rc_e guardrail_zstd_next(guardrail_zstd_t *s);

/* says that the data is malformed, and why; error is static */

guardrail_rc_e guardrail_zstd_fail(guardrail_zstd_t *s, const char *error);


#endif /* GUARDRAIL_ZSTD_PRIVATE_H */
