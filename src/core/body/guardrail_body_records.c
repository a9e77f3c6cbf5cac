
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The records of a body: which format it has, and what the scanner says.
 */


#include "body/guardrail_body_private.h"


static guardrail_rc_e guardrail_body_sniff(guardrail_body_t *b,
    const uint8_t *p, size_t len, size_t *used);
static guardrail_rc_e guardrail_body_sniff_byte(guardrail_body_t *b,
    uint8_t ch, uint64_t offset);
static guardrail_rc_e guardrail_body_sniff_refused(guardrail_body_t *b,
    guardrail_rc_e rc);
static unsigned guardrail_body_starts_json(uint8_t ch);
static guardrail_rc_e guardrail_body_ndjson_refused(guardrail_body_t *b,
    guardrail_rc_e rc);


guardrail_rc_e
guardrail_body_records(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t          n;
    guardrail_rc_e  rc;

    *used = 0;

    if (b->format == GUARDRAIL_FORMAT_SNIFF) {
        rc = guardrail_body_sniff(b, p, len, used);

        if (rc != GUARDRAIL_OK || *used == len) {
            return rc;
        }
    }

    if (b->format == GUARDRAIL_FORMAT_NONE) {
        *used = len;
        return GUARDRAIL_OK;
    }

    rc = guardrail_ndjson_feed(&b->nd, p + *used, len - *used, &n);

    *used += n;

    return rc == GUARDRAIL_OK ? rc : guardrail_body_ndjson_refused(b, rc);
}


/*
 * Looks for the first byte that is neither white space nor part of a BOM.
 * The record scanner is fed meanwhile; what it refuses counts only once that
 * byte says that there are records, so that the body is judged as if its
 * format had been explicit.
 */

static guardrail_rc_e
guardrail_body_sniff(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t          i, n;
    guardrail_rc_e  rc, records;

    rc = GUARDRAIL_OK;

    for (i = 0; i < len; i++) {

        rc = guardrail_body_sniff_byte(b, p[i], b->decoded + i);

        if (rc != GUARDRAIL_OK || b->format != GUARDRAIL_FORMAT_SNIFF) {
            break;
        }
    }

    records = guardrail_ndjson_feed(&b->nd, p, i, &n);

    *used = i;

    if (rc != GUARDRAIL_OK) {
        *used += 1;
        return guardrail_body_sniff_refused(b, rc);
    }

    if (b->format != GUARDRAIL_FORMAT_SNIFF && records != GUARDRAIL_OK) {
        *used += 1;
        return guardrail_body_ndjson_refused(b, records);
    }

    return GUARDRAIL_OK;
}


static guardrail_rc_e
guardrail_body_sniff_byte(guardrail_body_t *b, uint8_t ch, uint64_t offset)
{
    static const uint8_t  bom[3] = { 0xef, 0xbb, 0xbf };

    if (offset == 0) {
        b->first = ch;
    }

    /* UTF-16 and UTF-32 show in two bytes, as in Python */

    if (offset < 2 && ch == 0) {
        return GUARDRAIL_MALFORMED_JSON;
    }

    if (offset < 2 && b->first >= 0xfe) {

        if (offset == 0) {
            return GUARDRAIL_OK;
        }

        return ((b->first ^ ch) == 1) ? GUARDRAIL_MALFORMED_JSON
                                      : GUARDRAIL_TYPE;
    }

    if (b->sniffed % 3 || (b->sniffed == 0 && ch == bom[0])) {

        if (ch == bom[b->sniffed]) {
            b->sniffed++;
            return GUARDRAIL_OK;
        }

        return GUARDRAIL_TYPE;
    }

    if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r') {
        return GUARDRAIL_OK;
    }

    if (guardrail_body_starts_json(ch)) {
        b->format = GUARDRAIL_FORMAT_NDJSON;
        return GUARDRAIL_OK;
    }

    return GUARDRAIL_TYPE;
}


static guardrail_rc_e
guardrail_body_sniff_refused(guardrail_body_t *b, guardrail_rc_e rc)
{
    b->error = (rc == GUARDRAIL_TYPE)
               ? "the body does not begin as JSON does, and its type is not"
                 " one whose records can be counted"
               : "the body is not in UTF-8 but in UTF-16 or UTF-32";

    /* what a BOM and white space looked like is no record */

    b->nd.records = 0;
    b->nd.largest = 0;

    return guardrail_body_refuse(b, rc, 0, 0);
}


/* what Python's json accepts as the first byte of a value */

static unsigned
guardrail_body_starts_json(uint8_t ch)
{
    return ch == '{' || ch == '[' || ch == '"' || ch == '-'
           || (ch >= '0' && ch <= '9') || ch == 't' || ch == 'f' || ch == 'n'
           || ch == 'N' || ch == 'I';
}


static guardrail_rc_e
guardrail_body_ndjson_refused(guardrail_body_t *b, guardrail_rc_e rc)
{
    guardrail_ndjson_limits_t  *nl;

    nl = &b->nd.limits;

    switch (rc) {

    case GUARDRAIL_MAX_RECORDS:

        if (b->nd.records > nl->max_records) {
            return guardrail_body_refuse(b, rc, nl->max_records,
                                         b->nd.records);
        }

        b->unit = "lines";

        return guardrail_body_refuse(b, rc, nl->max_lines, b->nd.lines);

    case GUARDRAIL_MAX_RECORD_SIZE:
        return guardrail_body_refuse(b, rc, nl->max_record_size, b->nd.size);

    default: /* GUARDRAIL_MALFORMED_JSON */
        b->error = "a record is not in UTF-8 but in UTF-16 or UTF-32";
        return guardrail_body_refuse(b, rc, 0, 0);
    }
}


guardrail_rc_e
guardrail_body_records_finish(guardrail_body_t *b)
{
    guardrail_rc_e  rc;

    if (b->format == GUARDRAIL_FORMAT_SNIFF) {

        if (b->sniffed % 3 || (b->decoded == 1 && b->first >= 0xfe)) {
            return guardrail_body_sniff_refused(b, GUARDRAIL_TYPE);
        }

        /* white space alone */

        b->format = GUARDRAIL_FORMAT_NONE;
        b->nd.records = 0;
        b->nd.largest = 0;
    }

    if (b->format == GUARDRAIL_FORMAT_NDJSON) {
        rc = guardrail_ndjson_finish(&b->nd);

        if (rc != GUARDRAIL_OK) {
            return guardrail_body_ndjson_refused(b, rc);
        }
    }

    return GUARDRAIL_OK;
}
