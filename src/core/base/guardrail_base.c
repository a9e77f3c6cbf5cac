
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

    [GUARDRAIL_MIN_RATE] =
        { "min_rate", "Request body arrives too slowly", "bytes", 408 },

    [GUARDRAIL_BODY_TIMEOUT] =
        { "body_timeout", "Request body took too long", "milliseconds", 408 },

    [GUARDRAIL_TYPE] =
        { "type", "Content type not accepted", NULL, 415 },

    [GUARDRAIL_MAX_RECORDS] =
        { "max_records", "Record count limit exceeded", "records", 413 },

    [GUARDRAIL_MAX_RECORD_SIZE] =
        { "max_record_size", "Record size limit exceeded", "bytes", 413 },

    [GUARDRAIL_JSON_DEPTH] =
        { "json_depth", "JSON nesting limit exceeded", "levels", 413 },

    [GUARDRAIL_JSON_KEYS] =
        { "json_keys", "JSON object size limit exceeded", "keys", 413 },

    [GUARDRAIL_JSON_ITEMS] =
        { "json_items", "JSON array size limit exceeded", "items", 413 },

    [GUARDRAIL_JSON_TOKENS] =
        { "json_tokens", "JSON token count limit exceeded", "tokens", 413 },

    [GUARDRAIL_JSON_KEY] =
        { "json_key", "JSON key length limit exceeded", "bytes", 413 },

    [GUARDRAIL_JSON_STRING] =
        { "json_string", "JSON string length limit exceeded", "bytes", 413 },

    [GUARDRAIL_JSON_NUMBER] =
        { "json_number", "JSON number length limit exceeded",
          "characters", 413 },

    [GUARDRAIL_MALFORMED_JSON] =
        { "malformed_json", "Malformed JSON", NULL, 400 },

    [GUARDRAIL_MAX_MEMORY] =
        { "max_memory", "Memory limit exceeded", "bytes", 413 },

    [GUARDRAIL_DECODER_MEMORY] =
        { "decoder_memory", "Decoder memory exhausted", "bytes", 503 },

    [GUARDRAIL_MAX_ARG] =
        { "max_arg", "Request argument limit exceeded", "value", 400 },

    [GUARDRAIL_MAX_WINDOW] =
        { "max_window", "Time window limit exceeded", "seconds", 400 },

    [GUARDRAIL_TENANT] =
        { "tenant", "Tenant not known", NULL, 400 },

    [GUARDRAIL_QUOTA_REQUESTS] =
        { "quota_requests", "Request quota exceeded", "requests", 429 },

    [GUARDRAIL_QUOTA_RECORDS] =
        { "quota_records", "Record quota exceeded", "records", 429 },

    [GUARDRAIL_QUOTA_BYTES] =
        { "quota_bytes", "Upload quota exceeded", "bytes", 429 },

    [GUARDRAIL_QUOTA_DECODED] =
        { "quota_decoded", "Decoded byte quota exceeded", "bytes", 429 },

    [GUARDRAIL_QUOTA_UPLOADS] =
        { "quota_uploads", "Too many uploads at once", "uploads", 503 },

    [GUARDRAIL_QUOTA_CONCURRENCY] =
        { "quota_concurrency", "Too many requests at once", "requests", 503 },

    [GUARDRAIL_QUOTA_MEMORY] =
        { "quota_memory", "Memory in flight is used up", "bytes", 503 },

    [GUARDRAIL_ZONE_FULL] =
        { "zone_full", "Quota zone is full", NULL, 503 },

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
