
/*
 * Copyright (C) nginx-guardrail authors
 *
 * br (RFC 7932), by libbrotlidec in a block of ours, which is taken once the
 * first byte has said how large the window is.
 */


#ifndef GUARDRAIL_BROTLI_H
#define GUARDRAIL_BROTLI_H


#include "codec/guardrail_codec.h"


#if (GUARDRAIL_HAVE_BROTLI)

extern const guardrail_codec_t  guardrail_codec_brotli;

#endif


#endif /* GUARDRAIL_BROTLI_H */
