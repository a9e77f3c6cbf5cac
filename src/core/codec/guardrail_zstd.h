
/*
 * Copyright (C) nginx-guardrail authors
 *
 * zstd (RFC 8878), by libzstd's streaming decoder in a block of ours.  Where
 * frames and blocks begin is followed here: frames are counted, windows are
 * judged before memory is taken, skippable frames never reach the library.
 */


#ifndef GUARDRAIL_ZSTD_H
#define GUARDRAIL_ZSTD_H


#include "codec/guardrail_codec.h"


#if (GUARDRAIL_HAVE_ZSTD)

extern const guardrail_codec_t  guardrail_codec_zstd;

#endif


#endif /* GUARDRAIL_ZSTD_H */
