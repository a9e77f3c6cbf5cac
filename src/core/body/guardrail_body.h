
/*
 * Copyright (C) nginx-guardrail authors
 *
 * A request body: wire bytes in, verdict and measurements out.  The only
 * room that knows the others.
 */


#ifndef GUARDRAIL_BODY_H
#define GUARDRAIL_BODY_H


#include "base/guardrail_base.h"
#include "codec/guardrail_codec.h"
#include "json/guardrail_json.h"
#include "records/guardrail_csv.h"
#include "records/guardrail_ndjson.h"


/*
 * The ratio is judged at each multiple of SLICE of the wire bytes, and, so
 * that a bomb stops inside its slice, at each multiple of QUANTUM of the
 * decoded ones.  Both are part of the contract: they decide the byte at which
 * a bomb is refused.
 */

#define GUARDRAIL_BODY_SLICE    4096
#define GUARDRAIL_BODY_QUANTUM  16384


typedef enum {
    GUARDRAIL_FORMAT_NONE = 0,
    GUARDRAIL_FORMAT_NDJSON,
    GUARDRAIL_FORMAT_JSON,
    GUARDRAIL_FORMAT_JSON_SEQ,
    GUARDRAIL_FORMAT_CSV,

    /* by the first byte that counts: NDJSON if JSON begins with it, else */

    GUARDRAIL_FORMAT_SNIFF,             /* nothing, or a refusal */
    GUARDRAIL_FORMAT_SNIFF_CSV          /* CSV */
} guardrail_format_e;


/* what is known of the JSON in a body, beside its records */

typedef struct {
    uint64_t            depth;
    uint64_t            keys;
    uint64_t            items;
    uint64_t            tokens;
    uint64_t            key;                /* bytes */
    uint64_t            string;             /* bytes */
    uint64_t            number;             /* characters */
    unsigned            shape;              /* any of these, or strict */
    unsigned            strict;
    unsigned            lines;              /* each of its own, in NDJSON */
} guardrail_body_json_t;


/* Limits, GUARDRAIL_NO_LIMIT where there is none.  Equality passes. */

typedef struct {
    uint64_t            max_body;           /* wire bytes */
    uint64_t            max_decoded;        /* bytes */
    uint64_t            ratio;              /* decoded to wire */
    uint64_t            ratio_floor;        /* bytes, never judged by ratio */
    uint64_t            max_records;
    uint64_t            max_record_size;    /* bytes */
    guardrail_format_e  format;
    guardrail_coding_e  coding;
    unsigned            records;            /* are counted for a quota */

    uint64_t            max_memory;         /* bytes */
    uint64_t            memory_factor;      /* thousandths; 0: CPython's */
    unsigned            per_record;         /* one by one, not all kept */
    unsigned            estimate;           /* is asked for by a quota */

    guardrail_body_json_t  json;
} guardrail_body_limits_t;


/* a record, JSON or memory limit or quota: the format matters */

static inline unsigned
guardrail_body_in_force(const guardrail_body_limits_t *limits)
{
    return limits->max_records != GUARDRAIL_NO_LIMIT
           || limits->max_record_size != GUARDRAIL_NO_LIMIT
           || limits->max_memory != GUARDRAIL_NO_LIMIT
           || limits->records
           || limits->estimate
           || limits->json.shape;
}


/*
 * Who counts a body while it streams, for quotas.  charge is called at the
 * end, and before: when 64 KiB of the wire or decoded, or 256 records, would
 * otherwise pass uncharged.  It reads the body's counters, and returns
 * GUARDRAIL_OK or a refusal, which becomes the body's.
 */

#define GUARDRAIL_BODY_METER_BYTES    65536
#define GUARDRAIL_BODY_METER_RECORDS  256

typedef struct {
    guardrail_rc_e  (*charge)(void *opaque);
    void             *opaque;
    unsigned          records;          /* are they charged too? */
} guardrail_body_meter_t;


/*
 * Who wants the decoded bytes of a coded body: take is given what was judged
 * and stays within the limits, in order, each byte once, before the call that
 * judged it returns.  GUARDRAIL_OK, or a refusal, which becomes the body's.
 */

typedef struct {
    guardrail_rc_e  (*take)(void *opaque, const uint8_t *p, size_t len);
    void             *opaque;
} guardrail_body_sink_t;


/*
 * The state.  Read wire, decoded, nd.records, nd.largest, format; after a
 * refusal limit, observed (divided by observed_input where that is not 0),
 * unit and error too.  The counters stand at the byte that was refused.  Of
 * GUARDRAIL_DECODER_MEMORY, observed is the block that alloc() did not give.
 */

typedef struct {
    uint64_t                    wire;           /* bytes taken in */
    uint64_t                    decoded;        /* bytes judged */

    guardrail_rc_e              rc;
    guardrail_format_e          format;

    /* private; what each small body needs is in the first line */

    uint64_t                    plain;          /* see below */
    const guardrail_alloc_t    *alloc;
    const guardrail_codec_t    *codec;
    void                       *decoder;

    unsigned                    by_meter:1;     /* it has refused */
    unsigned                    pending:1;      /* the decoder may have more */
    unsigned                    finished:1;
    unsigned                    closed:1;
    unsigned                    looked_into:1;  /* it was never plain */
    unsigned                    wire_known:1;   /* it does not grow */
    unsigned                    sniffed:3;      /* bytes of a BOM */
    unsigned                    first:8;        /* the body's first byte */

    guardrail_body_limits_t     limits;

    /* set after guardrail_body_init(), or left NULL; live as long */

    const guardrail_body_meter_t  *meter;       /* by .._set_meter() */
    const guardrail_body_sink_t   *sink;

    uint64_t                    limit;
    uint64_t                    observed;
    uint64_t                    observed_input; /* bytes, of the ratio */
    const char                 *unit;           /* or NULL: that of rc */
    const char                 *error;          /* why malformed, or NULL */

    /* private */

    uint64_t                    metered_wire;
    uint64_t                    metered_decoded;
    uint64_t                    metered_records;

    uint64_t                    memory_bound;   /* decoded bytes */
    guardrail_json_t           *json;
    guardrail_csv_t            *csv;
    guardrail_ndjson_t          nd;
} guardrail_body_t;


/*
 * Nothing looks into a body of plain bytes, and nobody counts it while it
 * streams: plain is one more than the bytes that may pass then.  It is 0 for
 * all other bodies, and after the end or a refusal.
 */

static inline unsigned
guardrail_body_is_plain(const guardrail_body_t *b)
{
    return b->plain != 0;
}


/*
 * The same of a body that may have ended: what was no more than bytes has
 * neither records nor an estimate that anybody asks for.
 */

static inline unsigned
guardrail_body_was_looked_into(const guardrail_body_t *b)
{
    return b->looked_into;
}


/*
 * The scanners that are not in the state itself, for formats and limits that
 * ask for them: so many bytes, or 0.  A block of that size, aligned to 8, is
 * given to guardrail_body_use() after init, and lives as long as the body.
 */

typedef struct {
    const guardrail_json_ops_t  *json;
    const guardrail_csv_ops_t   *csv;
} guardrail_body_ops_t;

GUARDRAIL_HOT size_t guardrail_body_block(
    const guardrail_body_limits_t *limits);
void guardrail_body_use(guardrail_body_t *b, const guardrail_body_ops_t *ops,
    void *block);


/* records begun so far, and the bytes of the largest, by the format */

GUARDRAIL_HOT uint64_t guardrail_body_record_count(const guardrail_body_t *b);
uint64_t guardrail_body_largest_record(const guardrail_body_t *b);

/* were records looked for at all? */

unsigned guardrail_body_has_records(const guardrail_body_t *b);

/* where nothing asks for it, nobody has looked at what JSON costs */

unsigned guardrail_body_has_estimate(const guardrail_body_t *b);

/* bytes that the body takes of its backend's memory, by what has passed */

uint64_t guardrail_body_estimate(const guardrail_body_t *b);


/*
 * Makes a body ready.  Nothing is allocated before its first byte; alloc
 * must live as long as the body does, and may be NULL for identity.
 */

void guardrail_body_init(guardrail_body_t *b,
    const guardrail_body_limits_t *limits, const guardrail_ndjson_ops_t *ops,
    const guardrail_alloc_t *alloc);

/* the same where the state is zero, with what the limits leave open */

GUARDRAIL_HOT void guardrail_body_init_zeroed(guardrail_body_t *b,
    const guardrail_body_limits_t *limits, guardrail_format_e format,
    guardrail_coding_e coding, const guardrail_ndjson_ops_t *ops,
    const guardrail_alloc_t *alloc);

/*
 * What will be fed to an identity body was decoded before: wire bytes that
 * another one took in.  They stay what they are, and max_body is not judged.
 * To be called after init.
 */

void guardrail_body_decoded_before(guardrail_body_t *b, uint64_t wire);

/* counts the body for quotas from now on, or NULL; to be called after init */

void guardrail_body_set_meter(guardrail_body_t *b,
    const guardrail_body_meter_t *meter);

/*
 * Feeds one piece.  scratch is GUARDRAIL_BODY_QUANTUM bytes, shared by all
 * bodies of a worker, not used between calls.  *budget is lessened by what
 * the piece cost, in bytes of output of a decoder (identity costs nothing:
 * what is read bounds it).
 *
 * Returns GUARDRAIL_OK when the piece was judged and drained;
 * GUARDRAIL_AGAIN when the budget is spent: call again with the rest of the
 * piece, which may be empty; else a refusal, which is sticky.  *used is the
 * number of bytes of the piece that were taken in.
 *
 * The same bytes give the same verdict and counters however they are cut.
 */

static inline guardrail_rc_e guardrail_body_feed(guardrail_body_t *b,
    const uint8_t *p, size_t len, uint8_t *scratch, int64_t *budget,
    size_t *used);

/* The end of the body, after the last piece gave GUARDRAIL_OK; idempotent. */

static inline guardrail_rc_e guardrail_body_finish(guardrail_body_t *b);

/* Gives the decoder back; the measurements stay.  Idempotent. */

static inline void guardrail_body_close(guardrail_body_t *b);


/* private: what the three are for a body that is not plain */

GUARDRAIL_HOT guardrail_rc_e guardrail_body_feed_any(guardrail_body_t *b,
    const uint8_t *p, size_t len, uint8_t *scratch, int64_t *budget,
    size_t *used);
GUARDRAIL_HOT guardrail_rc_e guardrail_body_finish_any(guardrail_body_t *b);
GUARDRAIL_HOT void guardrail_body_close_decoder(guardrail_body_t *b);


/* Feeds so many bytes of a plain body: 0 if that takes more to judge. */

static inline unsigned
guardrail_body_pass_plain(guardrail_body_t *b, size_t len)
{
    if (b->decoded + len >= b->plain) {
        return 0;
    }

    b->decoded += len;
    b->wire = b->decoded;

    return 1;
}


static inline guardrail_rc_e
guardrail_body_feed(guardrail_body_t *b, const uint8_t *p, size_t len,
    uint8_t *scratch, int64_t *budget, size_t *used)
{
    if (guardrail_body_pass_plain(b, len)) {
        *used = len;
        return GUARDRAIL_OK;
    }

    return guardrail_body_feed_any(b, p, len, scratch, budget, used);
}


static inline guardrail_rc_e
guardrail_body_finish(guardrail_body_t *b)
{
    if (b->plain) {
        b->plain = 0;
        b->finished = 1;

        return GUARDRAIL_OK;
    }

    return guardrail_body_finish_any(b);
}


static inline void
guardrail_body_close(guardrail_body_t *b)
{
    if (b->decoder) {
        guardrail_body_close_decoder(b);
    }
}


#endif /* GUARDRAIL_BODY_H */
