
/*
 * Copyright (C) nginx-guardrail authors
 *
 * gzip (RFC 1952) and deflate (zlib of RFC 1950, or raw RFC 1951), by zlib's
 * inflate(); headers, trailers and checksums are ours, so that each byte of
 * them is counted.
 */


#ifndef GUARDRAIL_INFLATE_H
#define GUARDRAIL_INFLATE_H


#include "codec/guardrail_codec.h"


extern const guardrail_codec_t  guardrail_codec_gzip;
extern const guardrail_codec_t  guardrail_codec_deflate;


#endif /* GUARDRAIL_INFLATE_H */
