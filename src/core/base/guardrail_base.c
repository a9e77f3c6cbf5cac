
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "base/guardrail_base.h"


static const guardrail_rc_info_t  guardrail_rc_infos[GUARDRAIL_RC_MAX] = {

    [GUARDRAIL_OK] =
        { "ok", "The request passed", NULL, 0 },

    [GUARDRAIL_AGAIN] =
        { "again", "The request is being judged", NULL, 0 },

    [GUARDRAIL_MAX_BODY] =
        { "max_body", "Request body size limit exceeded", "bytes", 413 },

    [GUARDRAIL_MAX_DECODED] =
        { "max_decoded", "Decoded body size limit exceeded", "bytes", 413 },

    [GUARDRAIL_MAX_RATIO] =
        { "max_ratio", "Decompression ratio limit exceeded", "ratio", 413 },

    [GUARDRAIL_ENCODING] =
        { "encoding", "Content coding not accepted", NULL, 415 },

    [GUARDRAIL_MALFORMED_ENCODING] =
        { "malformed_encoding", "Malformed content coding", NULL, 400 },

    [GUARDRAIL_TYPE] =
        { "type", "Content type not accepted", NULL, 415 },

    [GUARDRAIL_MAX_RECORDS] =
        { "max_records", "Record count limit exceeded", "records", 413 },

    [GUARDRAIL_MAX_RECORD_SIZE] =
        { "max_record_size", "Record size limit exceeded", "bytes", 413 },

    [GUARDRAIL_MALFORMED_JSON] =
        { "malformed_json", "Malformed JSON", NULL, 400 },

    [GUARDRAIL_DECODER_MEMORY] =
        { "decoder_memory", "Decoder memory exhausted", "bytes", 503 },

    [GUARDRAIL_INTERNAL] =
        { "internal", "The request could not be judged", NULL, 500 }
};


const guardrail_rc_info_t *
guardrail_rc_info(guardrail_rc_e rc)
{
    if ((unsigned) rc >= GUARDRAIL_RC_MAX) {
        rc = GUARDRAIL_INTERNAL;
    }

    return &guardrail_rc_infos[rc];
}
