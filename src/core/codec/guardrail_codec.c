
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "codec/guardrail_brotli.h"
#include "codec/guardrail_codec.h"
#include "codec/guardrail_inflate.h"
#include "codec/guardrail_zstd.h"


typedef struct {
    const char          *name;
    size_t               len;
    guardrail_coding_e   coding;
} guardrail_codec_name_t;


static const guardrail_codec_name_t  guardrail_codec_names[] = {
    { "", 0, GUARDRAIL_CODING_IDENTITY },
    { "identity", 8, GUARDRAIL_CODING_IDENTITY },
    { "gzip", 4, GUARDRAIL_CODING_GZIP },
    { "x-gzip", 6, GUARDRAIL_CODING_GZIP },
    { "deflate", 7, GUARDRAIL_CODING_DEFLATE },
    { "br", 2, GUARDRAIL_CODING_BR },
    { "zstd", 4, GUARDRAIL_CODING_ZSTD }
};


static unsigned
guardrail_codec_equal(const uint8_t *p, const char *name, size_t len)
{
    uint8_t  ch;
    size_t   i;

    for (i = 0; i < len; i++) {
        ch = p[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch = (uint8_t) (ch | 0x20);
        }

        if (ch != (uint8_t) name[i]) {
            return 0;
        }
    }

    return 1;
}


const guardrail_codec_t *
guardrail_codec_get(guardrail_coding_e coding)
{
    switch (coding) {

    case GUARDRAIL_CODING_GZIP:
        return &guardrail_codec_gzip;

    case GUARDRAIL_CODING_DEFLATE:
        return &guardrail_codec_deflate;

#if (GUARDRAIL_HAVE_BROTLI)

    case GUARDRAIL_CODING_BR:
        return &guardrail_codec_brotli;

#endif

#if (GUARDRAIL_HAVE_ZSTD)

    case GUARDRAIL_CODING_ZSTD:
        return &guardrail_codec_zstd;

#endif

    default: /* GUARDRAIL_CODING_IDENTITY */
        return NULL;
    }
}


guardrail_rc_e
guardrail_codec_token(const uint8_t *p, size_t len, guardrail_coding_e *coding)
{
    size_t                         i, n;
    const guardrail_codec_name_t  *name;

    n = sizeof(guardrail_codec_names) / sizeof(guardrail_codec_names[0]);

    for (i = 0; i < n; i++) {
        name = &guardrail_codec_names[i];

        if (len == name->len && guardrail_codec_equal(p, name->name, len)) {
            *coding = name->coding;
            return GUARDRAIL_OK;
        }
    }

    return GUARDRAIL_ENCODING;
}
