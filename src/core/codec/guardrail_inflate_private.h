
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What gzip and deflate share: zlib's inflate() in an arena of our own.
 */


#ifndef GUARDRAIL_INFLATE_PRIVATE_H
#define GUARDRAIL_INFLATE_PRIVATE_H


#define ZLIB_CONST

#include "codec/guardrail_inflate.h"

#include <zlib.h>


/*
 * zlib takes its state (7,152 bytes in 1.2.13) and a window of 32 KiB from
 * an arena behind ours, so that a decoder is one allocation of a known size.
 */

#define GUARDRAIL_INFLATE_WINDOW  32768
#define GUARDRAIL_INFLATE_ARENA   (GUARDRAIL_INFLATE_WINDOW + 12288)

/*
 * Empty dynamic Huffman blocks take 72 ns a byte of input, as much as 8 bytes
 * of usual output.
 */

#define GUARDRAIL_INFLATE_WEIGHT  8

#define GUARDRAIL_GZIP_TRAILER    8         /* bytes: CRC32, ISIZE */


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
    z_stream                 zs;
    guardrail_codec_info_t   info;
    const guardrail_alloc_t *alloc;

    guardrail_gzip_state_e   state;
    unsigned                 flags;      /* FLG of this member */
    unsigned                 n;          /* bytes seen of the present field */
    unsigned                 extra;      /* length of FEXTRA */
    unsigned                 header;     /* bytes of this member's header */
    unsigned                 members;

    uint32_t                 crc;        /* of the header, then of the data */
    uint32_t                 size;       /* of the data, modulo 2^32 */
    uint8_t                 field[GUARDRAIL_GZIP_TRAILER];

    unsigned                 started;    /* any input was seen */
    unsigned                 ended;      /* deflate: the stream is over */
    guardrail_rc_e           rc;

    size_t                   used;       /* of the arena */
    _Alignas(16) uint8_t     arena[GUARDRAIL_INFLATE_ARENA];
} guardrail_inflate_t;


void *guardrail_inflate_open(const guardrail_alloc_t *alloc);
void guardrail_inflate_close(void *state);
const guardrail_codec_info_t *guardrail_inflate_info(const void *state);

/* says that the data is malformed, and why; error is static */

guardrail_rc_e guardrail_inflate_fail(guardrail_inflate_t *s,
    const char *error);

/* one call of inflate(); no progress is Z_OK here */

int guardrail_inflate_run(guardrail_inflate_t *s, guardrail_codec_io_t *io);


#endif /* GUARDRAIL_INFLATE_PRIVATE_H */
