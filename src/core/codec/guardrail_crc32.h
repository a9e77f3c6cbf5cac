
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The CRC-32 of gzip (RFC 1952, section 8), as zlib's crc32() gives it.
 */


#ifndef GUARDRAIL_CRC32_H
#define GUARDRAIL_CRC32_H


#include "base/guardrail_base.h"


/* crc is that of the bytes before, 0 before the first */

uint32_t guardrail_crc32(uint32_t crc, const uint8_t *p, size_t len);


#endif /* GUARDRAIL_CRC32_H */
