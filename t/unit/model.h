
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The verdict on a body once more, from a slow model: it has the whole body
 * before it, decodes each prefix from its start, and picks the earliest of
 * the limits that are exceeded.  It shares no code with what it is compared
 * to but zlib's inflate() and the record scanner, which has tests of its own.
 */


#ifndef GUARDRAIL_TEST_MODEL_H
#define GUARDRAIL_TEST_MODEL_H


#include "judge.h"


/* what the first bytes of a coded body decode to */

typedef struct {
    bytes_t             out;
    uint64_t            overhead;       /* headers and trailers that ended */
    int                 bad;            /* malformed within these bytes */
    int                 whole;          /* a body may end here */

    /* of each member: decoded bytes at its end, overhead at its data */

    unsigned            members;
    uint64_t            ends[GUARDRAIL_GZIP_MAX_MEMBERS];
    uint64_t            overheads[GUARDRAIL_GZIP_MAX_MEMBERS];
} model_prefix_t;


typedef enum {
    model_more = 0,
    model_ended,
    model_bad
} model_state_e;


/* inflates p in one go, up to most bytes of output in all */

static inline model_state_e
model_inflate(const uint8_t *p, size_t len, int wbits, bytes_t *out,
    uint64_t most, size_t *consumed)
{
    int       rc;
    uint64_t  room;
    z_stream  zs;

    memset(&zs, 0, sizeof(z_stream));

    if (inflateInit2(&zs, wbits) != Z_OK) {
        abort();
    }

    zs.next_in = (Bytef *) (uintptr_t) p;
    zs.avail_in = (uInt) len;

    do {
        bytes_room(out, 65536);

        room = most - out->len < 65536 ? most - out->len : 65536;

        zs.next_out = out->p + out->len;
        zs.avail_out = (uInt) room;

        rc = inflate(&zs, Z_SYNC_FLUSH);

        out->len += (size_t) room - zs.avail_out;

    } while (rc == Z_OK && zs.avail_out == 0 && out->len < most);

    *consumed = len - zs.avail_in;

    (void) inflateEnd(&zs);

    if (rc == Z_STREAM_END) {
        return model_ended;
    }

    return (rc == Z_OK || rc == Z_BUF_ERROR) ? model_more : model_bad;
}


/* RFC 1952 by the letter; the length of a header that is all there */

static inline model_state_e
model_gzip_header(const uint8_t *p, size_t len, size_t *header)
{
    size_t    i;
    unsigned  flags;

    static const uint8_t  magic[3] = { 0x1f, 0x8b, 8 };

    for (i = 0; i < 3 && i < len; i++) {
        if (p[i] != magic[i]) {
            return model_bad;
        }
    }

    if (len < 4) {
        return model_more;
    }

    flags = p[3];

    if (flags & 0xe0) {
        return model_bad;
    }

    i = GZ_FIXED;

    if (flags & GZ_FEXTRA) {
        if (len < i + 2) {
            return model_more;
        }

        i += 2 + (size_t) p[i] + 256 * (size_t) p[i + 1];
    }

    if (flags & GZ_FNAME) {
        while (i < len && p[i]) {
            i++;
        }

        i++;
    }

    if (flags & GZ_FCOMMENT) {
        while (i < len && p[i]) {
            i++;
        }

        i++;
    }

    if (flags & GZ_FHCRC) {
        if (len >= i + 2
            && (crc32_z(0, p, i) & 0xffff)
               != (p[i] | (unsigned) p[i + 1] << 8))
        {
            return i + 2 > GUARDRAIL_GZIP_MAX_HEADER ? model_more : model_bad;
        }

        i += 2;
    }

    if (len < i) {
        return model_more;
    }

    *header = i;

    return model_ended;
}


static inline void
model_gzip(const uint8_t *p, size_t len, uint64_t most, model_prefix_t *m)
{
    size_t         pos, header, n, start;
    uint32_t       crc, size;
    model_state_e  state;

    m->whole = 1;

    for (pos = 0; pos < len; ) {

        m->whole = 0;

        if (m->members == GUARDRAIL_GZIP_MAX_MEMBERS) {
            m->bad = 1;
            return;
        }

        state = model_gzip_header(p + pos, len - pos, &header);

        if (state == model_more
            && len - pos > GUARDRAIL_GZIP_MAX_HEADER)
        {
            state = model_bad;
        }

        if (state != model_ended || header > GUARDRAIL_GZIP_MAX_HEADER) {
            m->bad = (state != model_more);
            return;
        }

        pos += header;
        start = m->out.len;

        m->overhead += header;
        m->overheads[m->members] = m->overhead;

        state = model_inflate(p + pos, len - pos, -MAX_WBITS, &m->out, most,
                              &n);

        m->ends[m->members++] = m->out.len;

        if (state != model_ended) {
            m->bad = (state == model_bad);
            return;
        }

        pos += n;

        if (len - pos < GZ_TRAILER) {
            return;
        }

        crc = p[pos] | (uint32_t) p[pos + 1] << 8 | (uint32_t) p[pos + 2] << 16
              | (uint32_t) p[pos + 3] << 24;
        size = p[pos + 4] | (uint32_t) p[pos + 5] << 8
               | (uint32_t) p[pos + 6] << 16 | (uint32_t) p[pos + 7] << 24;

        if (crc != (uint32_t) crc32_z(0, m->out.p + start, m->out.len - start)
            || size != (uint32_t) (m->out.len - start))
        {
            m->bad = 1;
            return;
        }

        pos += GZ_TRAILER;

        m->overhead += GZ_TRAILER;
        m->whole = 1;
    }
}


static inline void
model_deflate(const uint8_t *p, size_t len, uint64_t most, model_prefix_t *m)
{
    int            wbits;
    size_t         n;
    model_state_e  state;

    m->members = 1;
    m->whole = (len == 0);

    if (len < 2) {
        return;
    }

    /* the four conditions of RFC 1950 on CMF and FLG */

    wbits = ((p[0] & 0x0f) == 8 && p[0] < 0x80
             && ((unsigned) p[0] << 8 | p[1]) % 31 == 0)
            ? MAX_WBITS : -MAX_WBITS;

    state = model_inflate(p, len, wbits, &m->out, most, &n);

    m->ends[0] = m->out.len;
    m->whole = (state == model_ended);
    m->bad = (state == model_bad || (state == model_ended && n < len));
}


/* at most "most" bytes are decoded; m is given back by model_free() */

static inline void
model_prefix(guardrail_coding_e coding, const uint8_t *p, size_t len,
    uint64_t most, model_prefix_t *m)
{
    memset(m, 0, offsetof(model_prefix_t, ends));
    bytes_room(&m->out, 1);

    m->overheads[0] = 0;

    if (coding == GUARDRAIL_CODING_GZIP) {
        model_gzip(p, len, most, m);

    } else {
        model_deflate(p, len, most, m);
    }
}


static inline void
model_free(model_prefix_t *m)
{
    bytes_free(&m->out);
}


static inline int
model_space(uint8_t ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}


/*
 * What the records of the first len decoded bytes say; *at is the number of
 * bytes up to and including the one that is refused.
 */

static inline guardrail_rc_e
model_typed_records(const guardrail_body_limits_t *l, const uint8_t *p,
    size_t len, int end, verdict_t *v, size_t *at)
{
    size_t                     i, used;
    guardrail_rc_e             rc;
    guardrail_format_e         format;
    guardrail_ndjson_t         nd;
    guardrail_ndjson_limits_t  nl;

    static const guardrail_ndjson_ops_t  *scalar;

    *at = len;

    i = 0;
    format = l->format;

    if (format == GUARDRAIL_FORMAT_SNIFF) {

        if (len && p[0] == 0) {
            *at = 1;
            return GUARDRAIL_MALFORMED_JSON;
        }

        if (len && (p[0] == 0xfe || p[0] == 0xff)) {

            if (len == 1) {
                return end ? GUARDRAIL_TYPE : GUARDRAIL_OK;
            }

            *at = 2;

            return (p[1] == 0 || p[0] + p[1] == 0xfe + 0xff)
                   ? GUARDRAIL_MALFORMED_JSON : GUARDRAIL_TYPE;
        }

        if (len > 1 && p[1] == 0 && (model_space(p[0]) || p[0] == 0xef)) {
            *at = 2;
            return GUARDRAIL_MALFORMED_JSON;
        }

        while (i < len && model_space(p[i])) {
            i++;
        }

        if (i < len && p[i] == 0xef) {

            if (i + 1 < len && p[i + 1] != 0xbb) {
                *at = i + 2;
                return GUARDRAIL_TYPE;
            }

            if (i + 2 < len && p[i + 2] != 0xbf) {
                *at = i + 3;
                return GUARDRAIL_TYPE;
            }

            if (i + 2 >= len) {
                return end ? GUARDRAIL_TYPE : GUARDRAIL_OK;
            }

            i += 3;

            while (i < len && model_space(p[i])) {
                i++;
            }
        }

        if (i == len) {
            v->format = end ? GUARDRAIL_FORMAT_NONE : GUARDRAIL_FORMAT_SNIFF;
            return GUARDRAIL_OK;
        }

        if (p[i] == 0 || strchr("{[\"-0123456789tfnNI", p[i]) == NULL) {
            *at = i + 1;
            return GUARDRAIL_TYPE;
        }

        i++;
        format = GUARDRAIL_FORMAT_NDJSON;
    }

    v->format = format;

    if (format == GUARDRAIL_FORMAT_NONE) {
        return GUARDRAIL_OK;
    }

    nl.max_records = l->max_records;
    nl.max_lines = guardrail_ndjson_max_lines(l->max_records);
    nl.max_record_size = l->max_record_size;
    nl.refuse_utf16 = (l->max_records != GUARDRAIL_NO_LIMIT
                       || l->max_record_size != GUARDRAIL_NO_LIMIT);

    /* cpuid is slow in a virtual machine */

    if (scalar == NULL) {
        scalar = guardrail_ndjson_by_name("scalar");
    }

    guardrail_ndjson_init(&nd, scalar, &nl);

    rc = guardrail_ndjson_feed(&nd, p, len, &used);

    if (rc == GUARDRAIL_OK && end) {
        rc = guardrail_ndjson_finish(&nd);
    }

    /* refused at the first byte that says it is JSON, not before it */

    *at = used < i ? i : used;

    v->records = nd.records;
    v->largest = nd.largest;

    if (rc == GUARDRAIL_MAX_RECORDS) {
        v->limit = nd.records > nl.max_records ? nl.max_records : nl.max_lines;
        v->observed = nd.records > nl.max_records ? nd.records : nd.lines;

    } else if (rc == GUARDRAIL_MAX_RECORD_SIZE) {
        v->limit = nl.max_record_size;
        v->observed = nd.size;
    }

    return rc;
}


/* another type is refused only where records are limited */

static inline guardrail_rc_e
model_records(const guardrail_body_limits_t *l, const uint8_t *p, size_t len,
    int end, verdict_t *v, size_t *at)
{
    guardrail_rc_e  rc;

    rc = model_typed_records(l, p, len, end, v, at);

    if (rc != GUARDRAIL_TYPE || l->max_records != GUARDRAIL_NO_LIMIT
        || l->max_record_size != GUARDRAIL_NO_LIMIT)
    {
        return rc;
    }

    v->format = GUARDRAIL_FORMAT_NONE;
    *at = len;

    return GUARDRAIL_OK;
}


static inline uint64_t
model_bound(const guardrail_body_limits_t *l, uint64_t input)
{
    return guardrail_add_sat(l->ratio_floor,
                             guardrail_mul_sat(l->ratio, input));
}


static inline void
model_refuse_ratio(const guardrail_body_limits_t *l, verdict_t *v,
    uint64_t decoded, uint64_t input)
{
    v->rc = GUARDRAIL_MAX_RATIO;
    v->decoded = decoded;
    v->limit = l->ratio;
    v->observed = decoded;
    v->input = input;
}


/* the floor that this checkpoint needs to pass */

static inline void
model_need(const guardrail_body_limits_t *l, uint64_t decoded, uint64_t input,
    uint64_t *floor)
{
    uint64_t  n;

    n = guardrail_mul_sat(l->ratio, input);

    if (decoded > n && decoded - n > *floor) {
        *floor = decoded - n;
    }
}


/*
 * Judges a slice: the decoded bytes after the first d0 of what m holds, where
 * p, a multiple of the slice, is its end.  1 if the body was refused.
 */

static inline int
model_slice(const guardrail_body_limits_t *l, const model_prefix_t *m,
    uint64_t d0, uint64_t p, verdict_t *v, uint64_t *floor)
{
    size_t          len, at;
    uint64_t        q, refused_at, input;
    unsigned        i;
    guardrail_rc_e  rc;

    refused_at = 0;
    len = m->out.len;
    rc = GUARDRAIL_OK;

    if (len > l->max_decoded) {
        refused_at = l->max_decoded + 1;
        len = (size_t) l->max_decoded;
    }

    rc = model_records(l, m->out.p, len, 0, v, &at);

    if (rc != GUARDRAIL_OK) {
        refused_at = at;
    }

    /* the quanta that come before it */

    for (q = (d0 / GUARDRAIL_BODY_QUANTUM + 1) * GUARDRAIL_BODY_QUANTUM;
         q <= m->out.len && (refused_at == 0 || q < refused_at);
         q += GUARDRAIL_BODY_QUANTUM)
    {
        for (i = 0; m->ends[i] < q; i++) { /* void */ }

        input = p - m->overheads[i];

        model_need(l, q, input, floor);

        if (l->ratio != GUARDRAIL_NO_LIMIT && q > model_bound(l, input)) {

            v->limit = 0;
            v->observed = 0;

            (void) model_records(l, m->out.p, (size_t) q, 0, v, &at);
            model_refuse_ratio(l, v, q, input);

            return 1;
        }
    }

    if (rc != GUARDRAIL_OK) {
        v->rc = rc;
        v->decoded = at;
        return 1;
    }

    v->decoded = m->out.len;

    if (refused_at) {
        v->rc = GUARDRAIL_MAX_DECODED;
        v->decoded = refused_at;
        v->limit = l->max_decoded;
        v->observed = refused_at;
        return 1;
    }

    if (m->bad) {
        v->rc = GUARDRAIL_MALFORMED_ENCODING;
        return 1;
    }

    return 0;
}


static inline void
model_finish(const guardrail_body_limits_t *l, const uint8_t *p, size_t len,
    int whole, verdict_t *v)
{
    size_t          at;
    guardrail_rc_e  rc;

    if (!whole) {
        v->rc = GUARDRAIL_MALFORMED_ENCODING;
        return;
    }

    rc = model_records(l, p, len, 1, v, &at);

    v->rc = rc;
}


static inline void
model_coded(const guardrail_body_limits_t *l, const uint8_t *p, size_t len,
    verdict_t *v, uint64_t *floor)
{
    size_t           w, end;
    uint64_t         d0, pos, most, input;
    model_prefix_t  *m;

    m = malloc(sizeof(model_prefix_t));

    if (m == NULL) {
        abort();
    }

    w = len < l->max_body ? len : (size_t) l->max_body;
    most = guardrail_add_sat(l->max_decoded, 1);
    d0 = 0;

    for (pos = GUARDRAIL_BODY_SLICE; ; pos += GUARDRAIL_BODY_SLICE) {

        end = w < pos ? w : (size_t) pos;

        model_prefix(l->coding, p, end, most, m);

        v->wire = pos;      /* the slice, for what is refused in it */

        if (model_slice(l, m, d0, pos, v, floor)) {
            break;
        }

        d0 = m->out.len;
        v->wire = end;

        if (end == pos || end == len) {
            input = end - m->overhead;

            model_need(l, d0, input, floor);

            if (l->ratio != GUARDRAIL_NO_LIMIT && d0 > model_bound(l, input)) {
                model_refuse_ratio(l, v, d0, input);
                break;
            }
        }

        if (end == w && w < len) {
            v->wire = w + 1;
            v->rc = GUARDRAIL_MAX_BODY;
            v->limit = l->max_body;
            v->observed = w + 1;
            break;
        }

        if (end == len) {
            model_finish(l, m->out.p, m->out.len, m->whole, v);
            break;
        }

        model_free(m);
    }

    model_free(m);
    free(m);
}


static inline void
model_identity(const guardrail_body_limits_t *l, const uint8_t *p, size_t len,
    verdict_t *v)
{
    size_t          w, at;
    uint64_t        most;
    guardrail_rc_e  rc;

    most = l->max_body < l->max_decoded ? l->max_body : l->max_decoded;
    w = len < most ? len : (size_t) most;

    rc = model_records(l, p, w, 0, v, &at);

    v->wire = at;
    v->rc = rc;

    if (rc == GUARDRAIL_OK && w < len) {
        v->wire = w + 1;
        v->rc = l->max_body == most ? GUARDRAIL_MAX_BODY
                                    : GUARDRAIL_MAX_DECODED;
        v->limit = most;
        v->observed = w + 1;

    } else if (rc == GUARDRAIL_OK) {
        model_finish(l, p, len, 1, v);
    }

    v->decoded = v->wire;
}


/*
 * Judges a whole body.  *floor, if given, becomes the least ratio_floor at
 * which no checkpoint that was reached refuses it.
 */

static inline void
model_judge(const guardrail_body_limits_t *l, const uint8_t *p, size_t len,
    verdict_t *v, uint64_t *floor)
{
    uint64_t  unused;

    memset(v, 0, sizeof(verdict_t));

    v->format = l->format;
    unused = 0;

    if (l->coding == GUARDRAIL_CODING_IDENTITY) {
        model_identity(l, p, len, v);
        return;
    }

    model_coded(l, p, len, v, floor ? floor : &unused);
}


/*
 * NULL, or what differs.  The model gives no texts and, for a refusal within
 * a coded body, the end of its slice as the wire count; records and largest
 * are compared where a record scanner was at work.
 */

static inline const char *
model_differ(const verdict_t *model, const verdict_t *v)
{
    verdict_t  m = *model;

    m.unit = v->unit;
    m.error = v->error;
    m.estimate = v->estimate;

    if (m.format == GUARDRAIL_FORMAT_SNIFF
        || m.format == GUARDRAIL_FORMAT_NONE)
    {
        m.records = v->records;
        m.largest = v->largest;

        if (v->rc == GUARDRAIL_OK && v->records) {
            return "records without a scanner";
        }
    }

    return judge_differ(&m, v, 0);
}


#endif /* GUARDRAIL_TEST_MODEL_H */
