
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "body/guardrail_body_private.h"

#include <string.h>


/* bytes of input that a call of a decoder takes whatever they may cost */

#define GUARDRAIL_BODY_LEAST  512


static GUARDRAIL_APART void guardrail_body_init_any(guardrail_body_t *b,
    const guardrail_ndjson_ops_t *ops);
static GUARDRAIL_HOT guardrail_rc_e guardrail_body_identity(
    guardrail_body_t *b, const uint8_t *p, size_t len, size_t *used);
static GUARDRAIL_APART guardrail_rc_e guardrail_body_coded(guardrail_body_t *b,
    const uint8_t *p, size_t len, uint8_t *scratch, int64_t *budget,
    size_t *used);
static size_t guardrail_body_affordable(const guardrail_body_t *b, size_t n,
    int64_t budget);
static guardrail_rc_e guardrail_body_open(guardrail_body_t *b);
static guardrail_rc_e guardrail_body_decoder_refused(guardrail_body_t *b,
    guardrail_rc_e rc);
static guardrail_rc_e guardrail_body_output(guardrail_body_t *b,
    const uint8_t *p, size_t len);
static guardrail_rc_e guardrail_body_hand_out(guardrail_body_t *b,
    const uint8_t *p, size_t len);
static guardrail_rc_e guardrail_body_ratio(guardrail_body_t *b,
    uint64_t input);


void
guardrail_body_init(guardrail_body_t *b, const guardrail_body_limits_t *limits,
    const guardrail_ndjson_ops_t *ops, const guardrail_alloc_t *alloc)
{
    memset(b, 0, sizeof(guardrail_body_t));

    guardrail_body_init_zeroed(b, limits, limits->format, limits->coding, ops,
                               alloc);
}


void
guardrail_body_init_zeroed(guardrail_body_t *b,
    const guardrail_body_limits_t *limits, guardrail_format_e format,
    guardrail_coding_e coding, const guardrail_ndjson_ops_t *ops,
    const guardrail_alloc_t *alloc)
{
    uint64_t  most;

    b->limits = *limits;
    b->limits.format = format;
    b->limits.coding = coding;
    b->format = format;
    b->alloc = alloc;

    if (coding == GUARDRAIL_CODING_IDENTITY
        && (format == GUARDRAIL_FORMAT_NONE
            || format == GUARDRAIL_FORMAT_JSON
            || format == GUARDRAIL_FORMAT_JSON_SEQ)
        && !guardrail_body_in_force(limits))
    {
        most = (limits->max_body < limits->max_decoded)
               ? limits->max_body : limits->max_decoded;

        b->plain = guardrail_add_sat(most, 1);
        b->memory_bound = GUARDRAIL_NO_LIMIT;

        return;
    }

    guardrail_body_init_any(b, ops);
}


static void
guardrail_body_init_any(guardrail_body_t *b, const guardrail_ndjson_ops_t *ops)
{
    guardrail_ndjson_limits_t       nl;
    const guardrail_body_limits_t  *limits;

    limits = &b->limits;

    b->looked_into = 1;
    b->codec = guardrail_codec_get(limits->coding);

    nl.max_records = limits->max_records;
    nl.max_lines = guardrail_ndjson_max_lines(limits->max_records);
    nl.max_record_size = limits->max_record_size;
    nl.refuse_utf16 = guardrail_body_in_force(limits);

    guardrail_ndjson_init(&b->nd, ops, &nl);

    b->memory_bound = guardrail_body_memory_bound(limits, limits->format);

    if (b->codec == NULL && limits->coding != GUARDRAIL_CODING_IDENTITY) {
        b->error = "the content coding is not built in";
        (void) guardrail_body_refuse(b, GUARDRAIL_INTERNAL, 0, 0);
    }
}


void
guardrail_body_decoded_before(guardrail_body_t *b, uint64_t wire)
{
    b->wire = wire;
    b->wire_known = 1;
    b->plain = 0;
}


void
guardrail_body_set_meter(guardrail_body_t *b,
    const guardrail_body_meter_t *meter)
{
    b->meter = meter;

    if (meter) {
        b->plain = 0;
    }
}


guardrail_rc_e
guardrail_body_feed_any(guardrail_body_t *b, const uint8_t *p, size_t len,
    uint8_t *scratch, int64_t *budget, size_t *used)
{
    *used = 0;

    if (b->rc != GUARDRAIL_OK) {
        return b->rc;
    }

    if ((b->finished || b->closed) && len) {
        b->error = "there are bytes after the end of the body";
        return guardrail_body_refuse(b, GUARDRAIL_INTERNAL, 0, 0);
    }

    if (p == NULL) {

        /* an empty buffer may have no address */

        p = (const uint8_t *) "";
    }

    if (b->codec == NULL) {
        return guardrail_body_identity(b, p, len, used);
    }

    return guardrail_body_coded(b, p, len, scratch, budget, used);
}


static guardrail_rc_e
guardrail_body_identity(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t          n;
    uint64_t        most;
    guardrail_rc_e  rc;

    most = (!b->wire_known && b->limits.max_body < b->limits.max_decoded)
           ? b->limits.max_body : b->limits.max_decoded;

    n = (len > most - b->decoded) ? (size_t) (most - b->decoded) : len;

    rc = guardrail_body_pass(b, p, n, used);

    if (rc != GUARDRAIL_OK || n == len) {
        return rc;
    }

    /* the byte that is one too many */

    *used += 1;
    b->decoded++;

    if (b->wire_known) {
        return guardrail_body_refuse(b, GUARDRAIL_MAX_DECODED, most,
                                     b->decoded);
    }

    b->wire = b->decoded;

    if (most == b->limits.max_body) {
        return guardrail_body_refuse(b, GUARDRAIL_MAX_BODY, most, b->wire);
    }

    return guardrail_body_refuse(b, GUARDRAIL_MAX_DECODED, most, b->wire);
}


static guardrail_rc_e
guardrail_body_coded(guardrail_body_t *b, const uint8_t *p, size_t len,
    uint8_t *scratch, int64_t *budget, size_t *used)
{
    size_t                         n, part, taken, given;
    guardrail_rc_e                 rc, decoder;
    guardrail_codec_io_t           io;
    const guardrail_codec_info_t  *info;

    if (len && b->decoder == NULL) {
        rc = guardrail_body_open(b);

        if (rc != GUARDRAIL_OK) {
            return rc;
        }
    }

    while (b->pending || *used < len) {

        if (*budget <= 0) {
            return GUARDRAIL_AGAIN;
        }

        /* up to the end of the slice; at its end only what is pending */

        part = (size_t) (b->wire % GUARDRAIL_BODY_SLICE);
        n = (part == 0 && b->pending) ? 0 : GUARDRAIL_BODY_SLICE - part;

        if (n > len - *used) {
            n = len - *used;
        }

        if (n > b->limits.max_body - b->wire) {
            n = (size_t) (b->limits.max_body - b->wire);

            if (n == 0 && !b->pending) {
                *used += 1;
                b->wire++;

                return guardrail_body_refuse(b, GUARDRAIL_MAX_BODY,
                                             b->limits.max_body, b->wire);
            }
        }

        n = guardrail_body_affordable(b, n, *budget);

        io.in = p + *used;
        io.in_end = io.in + n;
        io.out = scratch;
        io.out_end = scratch + GUARDRAIL_BODY_QUANTUM
                     - b->decoded % GUARDRAIL_BODY_QUANTUM;

        io.ahead = 0;

        decoder = b->codec->decode(b->decoder, &io);

        taken = (size_t) (io.in - (p + *used));
        given = (size_t) (io.out - scratch);

        b->pending = (io.out == io.out_end);
        b->wire += taken;
        *used += taken;
        *budget -= (int64_t) (given + taken * b->codec->weight + io.ahead);

        rc = guardrail_body_output(b, scratch, given);

        if (rc == GUARDRAIL_OK && b->sink && given) {
            rc = guardrail_body_hand_out(b, scratch, given);
        }

        if (rc != GUARDRAIL_OK) {
            return rc;
        }

        if (decoder != GUARDRAIL_OK) {
            return guardrail_body_decoder_refused(b, decoder);
        }

        /* input that gives nothing is charged too */

        rc = guardrail_body_meter(b);

        if (rc != GUARDRAIL_OK) {
            return rc;
        }

        info = b->codec->info(b->decoder);

        if (!b->pending && b->wire % GUARDRAIL_BODY_SLICE == 0) {
            rc = guardrail_body_ratio(b, b->wire - info->overhead);

            if (rc != GUARDRAIL_OK) {
                return rc;
            }
        }
    }

    return GUARDRAIL_OK;
}


/* no more input than there is budget for, but so much that calls pay */

static size_t
guardrail_body_affordable(const guardrail_body_t *b, size_t n, int64_t budget)
{
    uint64_t  most;

    most = (uint64_t) budget / b->codec->weight;

    if (most < GUARDRAIL_BODY_LEAST) {
        most = GUARDRAIL_BODY_LEAST;
    }

    return n < most ? n : (size_t) most;
}


static guardrail_rc_e
guardrail_body_open(guardrail_body_t *b)
{
    b->decoder = b->codec->open(b->alloc);

    if (b->decoder == NULL) {
        return guardrail_body_refuse(b, GUARDRAIL_DECODER_MEMORY, 0,
                                     b->codec->memory);
    }

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_body_decoder_refused(guardrail_body_t *b, guardrail_rc_e rc)
{
    const guardrail_codec_info_t  *info;

    info = b->codec->info(b->decoder);

    b->error = info->error;

    return guardrail_body_refuse(b, rc, rc == GUARDRAIL_MAX_MEMORY
                                        ? b->codec->window : 0, info->wanted);
}


/*
 * Judges what the decoder gave: at most up to the next multiple of QUANTUM.
 * Limits on decoded bytes come before the ratio.
 */

static guardrail_rc_e
guardrail_body_output(guardrail_body_t *b, const uint8_t *p, size_t len)
{
    size_t                         n, used;
    uint64_t                       slices;
    guardrail_rc_e                 rc;
    const guardrail_codec_info_t  *info;

    if (len == 0) {
        return GUARDRAIL_OK;
    }

    n = (len > b->limits.max_decoded - b->decoded)
        ? (size_t) (b->limits.max_decoded - b->decoded) : len;

    rc = guardrail_body_pass(b, p, n, &used);

    if (rc != GUARDRAIL_OK) {
        return rc;
    }

    if (n != len) {
        b->decoded++;

        return guardrail_body_refuse(b, GUARDRAIL_MAX_DECODED,
                                     b->limits.max_decoded, b->decoded);
    }

    if (b->decoded % GUARDRAIL_BODY_QUANTUM) {
        return GUARDRAIL_OK;
    }

    /* wire stands in the slice, or at its end */

    slices = (b->wire + GUARDRAIL_BODY_SLICE - 1) / GUARDRAIL_BODY_SLICE;
    info = b->codec->info(b->decoder);

    return guardrail_body_ratio(b, slices * GUARDRAIL_BODY_SLICE
                                   - info->member_overhead);
}


static guardrail_rc_e
guardrail_body_hand_out(guardrail_body_t *b, const uint8_t *p, size_t len)
{
    guardrail_rc_e  rc;

    rc = b->sink->take(b->sink->opaque, p, len);

    if (rc == GUARDRAIL_OK) {
        return rc;
    }

    b->error = "the decoded body cannot be stored";

    return guardrail_body_refuse(b, rc, 0, 0);
}


static guardrail_rc_e
guardrail_body_ratio(guardrail_body_t *b, uint64_t input)
{
    uint64_t  bound;

    if (b->limits.ratio == GUARDRAIL_NO_LIMIT) {
        return GUARDRAIL_OK;
    }

    bound = guardrail_add_sat(b->limits.ratio_floor,
                              guardrail_mul_sat(b->limits.ratio, input));

    if (b->decoded <= bound) {
        return GUARDRAIL_OK;
    }

    b->observed_input = input;

    return guardrail_body_refuse(b, GUARDRAIL_MAX_RATIO, b->limits.ratio,
                                 b->decoded);
}


guardrail_rc_e
guardrail_body_refuse(guardrail_body_t *b, guardrail_rc_e rc, uint64_t limit,
    uint64_t observed)
{
    b->rc = rc;
    b->plain = 0;
    b->limit = limit;
    b->observed = observed;

    return rc;
}


guardrail_rc_e
guardrail_body_finish_any(guardrail_body_t *b)
{
    guardrail_rc_e                 rc;
    const guardrail_codec_info_t  *info;

    if (b->rc != GUARDRAIL_OK || b->finished) {
        return b->rc;
    }

    if (b->closed) {
        b->error = "the decoder was closed before the end of the body";
        return guardrail_body_refuse(b, GUARDRAIL_INTERNAL, 0, 0);
    }

    b->finished = 1;

    if (b->decoder) {
        info = b->codec->info(b->decoder);

        rc = guardrail_body_ratio(b, b->wire - info->overhead);

        if (rc != GUARDRAIL_OK) {
            return rc;
        }

        rc = b->codec->finish(b->decoder);

        if (rc != GUARDRAIL_OK) {
            return guardrail_body_decoder_refused(b, rc);
        }
    }

    rc = guardrail_body_records_finish(b);

    if (rc != GUARDRAIL_OK || b->meter == NULL) {
        return rc;
    }

    return guardrail_body_charge(b);
}


void
guardrail_body_close_decoder(guardrail_body_t *b)
{
    b->codec->close(b->decoder);
    b->decoder = NULL;
    b->pending = 0;
    b->closed = 1;
}
