
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Streaming decoders behind one interface: a coding is one file that fills
 * in a guardrail_codec_t, and one line in guardrail_codec.c.
 */


#ifndef GUARDRAIL_CODEC_H
#define GUARDRAIL_CODEC_H


#include "base/guardrail_base.h"


/* RFC 1952 sets no caps: 52,000 empty members fit into one MiB */

#define GUARDRAIL_GZIP_MAX_MEMBERS  1024
#define GUARDRAIL_GZIP_MAX_HEADER   65536

/* RFC 8878 sets none either; a skippable frame has a header of 8 bytes */

#define GUARDRAIL_ZSTD_MAX_FRAMES     1024
#define GUARDRAIL_ZSTD_MAX_SKIPPABLE  65536     /* bytes, with the header */


/* content codings, as bits so that a set of them is a mask */

typedef enum {
    GUARDRAIL_CODING_IDENTITY = 0,
    GUARDRAIL_CODING_GZIP     = 1,
    GUARDRAIL_CODING_DEFLATE  = 2,
    GUARDRAIL_CODING_BR       = 4,
    GUARDRAIL_CODING_ZSTD     = 8
} guardrail_coding_e;


/*
 * The memory of decoders.  alloc() returns NULL when there is none; free() is
 * told what alloc() was: size in bytes, window the bytes of history that the
 * block is for.  A coding whose header says how much it needs allocates when
 * that is known, before it decodes, and again only if a later header asks for
 * more.
 */

typedef struct {
    void  *(*alloc)(void *opaque, size_t size, size_t window);
    void   (*free)(void *opaque, void *p, size_t size, size_t window);
    void    *opaque;
} guardrail_alloc_t;


/*
 * One step of a decoder: input from .. in_end, output to .. out_end.  A
 * decoder that cannot stop where the output is full adds to ahead the bytes
 * that it may have decoded but not given: they were work, too.
 */

typedef struct {
    const uint8_t  *in;
    const uint8_t  *in_end;
    uint8_t        *out;
    uint8_t        *out_end;
    size_t          ahead;
} guardrail_codec_io_t;


/*
 * What the ratio rule needs to know of the wire bytes taken in so far:
 *
 *   overhead         bytes of headers and trailers that have ended
 *   member_overhead  the same at the first byte of the present member's data,
 *                    so without the trailer that may follow the last output
 *
 * and of a refusal:
 *
 *   wanted           bytes: the window of GUARDRAIL_MAX_MEMORY, the block of
 *                    GUARDRAIL_DECODER_MEMORY
 */

typedef struct {
    uint64_t        overhead;
    uint64_t        member_overhead;
    uint64_t        wanted;
    const char     *error;              /* why refused, static, or NULL */
} guardrail_codec_info_t;


typedef struct guardrail_codec_s  guardrail_codec_t;

struct guardrail_codec_s {
    const char         *name;           /* as in Content-Encoding */
    guardrail_coding_e  coding;

    size_t              memory;         /* bytes it holds, at most */
    size_t              window;         /* bytes of history, at most */

    /*
     * The cost of a byte of input in bytes of output, for coded data that
     * costs time and yields nothing (empty dynamic Huffman blocks take 72 ns
     * a byte, as much as 8 bytes of usual output).
     */

    unsigned            weight;

    /*
     * NULL when there is no memory; the state is owned by the caller, alloc
     * must live as long as it does.
     */

    void *(*open)(const guardrail_alloc_t *alloc);
    void (*close)(void *state);

    /*
     * Takes input and gives output until the input is spent and drained, or
     * the output is full; moves io->in and io->out.  With io->in at the end
     * it drains only.  Returns GUARDRAIL_OK or GUARDRAIL_MALFORMED_ENCODING,
     * GUARDRAIL_MAX_MEMORY (a window above .window), GUARDRAIL_DECODER_MEMORY
     * (alloc() gave nothing); output given by a call that fails is valid.
     * What was given for the first p bytes does not depend on how they were
     * cut.
     */

    guardrail_rc_e (*decode)(void *state, guardrail_codec_io_t *io);

    /* the end of the input: same statuses; nothing is given any more */

    guardrail_rc_e (*finish)(void *state);

    const guardrail_codec_info_t *(*info)(const void *state);
};


/* the codec of a coding, NULL for identity or one that is not built in */

GUARDRAIL_HOT const guardrail_codec_t *guardrail_codec_get(
    guardrail_coding_e coding);


/*
 * The coding of one token of Content-Encoding, compared without case;
 * GUARDRAIL_ENCODING when it is none we know.  "x-gzip" is gzip.
 */

guardrail_rc_e guardrail_codec_token(const uint8_t *p, size_t len,
    guardrail_coding_e *coding);


#endif /* GUARDRAIL_CODEC_H */
