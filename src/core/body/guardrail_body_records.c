
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The records of a body: which format it has, and what the scanner says.
 */


#include "body/guardrail_body_private.h"


static GUARDRAIL_APART guardrail_rc_e guardrail_body_lines(guardrail_body_t *b,
    const uint8_t *p, size_t len, size_t *used);
static GUARDRAIL_APART guardrail_rc_e guardrail_body_sniff(guardrail_body_t *b,
    const uint8_t *p, size_t len, size_t *used);
static guardrail_rc_e guardrail_body_sniff_byte(guardrail_body_t *b,
    uint8_t ch, uint64_t offset);
static guardrail_rc_e guardrail_body_sniff_refused(guardrail_body_t *b,
    guardrail_rc_e rc);
static unsigned guardrail_body_sniff_other(guardrail_body_t *b);
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

    if (b->format >= GUARDRAIL_FORMAT_SNIFF) {
        rc = guardrail_body_sniff(b, p, len, used);

        if (rc != GUARDRAIL_OK || *used == len) {
            return rc;
        }
    }

    switch (b->format) {

    case GUARDRAIL_FORMAT_NDJSON:
        rc = guardrail_body_lines(b, p + *used, len - *used, &n);
        break;

    case GUARDRAIL_FORMAT_JSON:
    case GUARDRAIL_FORMAT_JSON_SEQ:
        rc = guardrail_body_json(b, p + *used, len - *used, &n);
        break;

    case GUARDRAIL_FORMAT_CSV:
        rc = guardrail_body_csv(b, p + *used, len - *used, &n);
        break;

    default: /* GUARDRAIL_FORMAT_NONE */
        n = len - *used;
        rc = GUARDRAIL_OK;
    }

    *used += n;

    return rc;
}


/* the lines of NDJSON, and the JSON in them: the first byte that is refused */

static guardrail_rc_e
guardrail_body_lines(guardrail_body_t *b, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t              n;
    guardrail_rc_e      rc, json;
    guardrail_ndjson_t  before;

    if (b->json == NULL) {
        rc = guardrail_ndjson_feed(&b->nd, p, len, used);

        return rc == GUARDRAIL_OK ? rc : guardrail_body_ndjson_refused(b, rc);
    }

    before = b->nd;

    rc = guardrail_ndjson_feed(&b->nd, p, len, used);
    json = guardrail_json_feed(b->json, p, *used, &n);

    if (json != GUARDRAIL_OK
        && (rc == GUARDRAIL_OK || n < *used || json < rc))
    {
        /* the lines stand at that byte, too */

        b->nd = before;
        (void) guardrail_ndjson_feed(&b->nd, p, n, used);

        *used = n;

        return guardrail_body_json_refused(b, json);
    }

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
    guardrail_rc_e  rc, rows, json, records;

    rc = GUARDRAIL_OK;
    json = GUARDRAIL_OK;

    for (i = 0; i < len; i++) {

        rc = guardrail_body_sniff_byte(b, p[i], b->decoded + i);

        if (rc != GUARDRAIL_OK || b->format < GUARDRAIL_FORMAT_SNIFF) {
            b->memory_bound = guardrail_body_memory_bound(&b->limits,
                                                          b->format);
            break;
        }
    }

    records = guardrail_ndjson_feed(&b->nd, p, i, &n);

    if (b->json) {
        json = guardrail_json_feed(b->json, p, i, &n);
    }

    *used = i;

    /* its rows may be blank: those count while nothing says that it is JSON */

    if (b->csv) {
        rows = guardrail_csv_feed(b->csv, p, i, &n);

        if (rows != GUARDRAIL_OK) {
            b->format = GUARDRAIL_FORMAT_CSV;
            *used = n;

            return guardrail_body_csv_refused(b, rows);
        }
    }

    if (rc == GUARDRAIL_TYPE && guardrail_body_sniff_other(b)) {
        return GUARDRAIL_OK;
    }

    if (rc != GUARDRAIL_OK) {
        *used += 1;
        return guardrail_body_sniff_refused(b, rc);
    }

    if (b->format != GUARDRAIL_FORMAT_NDJSON
        || (records == GUARDRAIL_OK && json == GUARDRAIL_OK))
    {
        return GUARDRAIL_OK;
    }

    /* that byte is the one refused, and a record's */

    *used += 1;

    if (records == GUARDRAIL_OK) {
        records = guardrail_ndjson_feed(&b->nd, p + i, 1, &n);
    }

    if (json != GUARDRAIL_OK && (records == GUARDRAIL_OK || json < records)) {
        return guardrail_body_json_refused(b, json);
    }

    return guardrail_body_ndjson_refused(b, records);
}


/* JSON does not begin like that: is there another way to judge the body? */

static unsigned
guardrail_body_sniff_other(guardrail_body_t *b)
{
    if (b->format == GUARDRAIL_FORMAT_SNIFF_CSV) {
        b->format = GUARDRAIL_FORMAT_CSV;

    } else if (b->limits.max_records == GUARDRAIL_NO_LIMIT
               && b->limits.max_record_size == GUARDRAIL_NO_LIMIT)
    {
        b->format = GUARDRAIL_FORMAT_NONE;

    } else {
        return 0;
    }

    /* what a BOM and white space looked like is no record */

    b->nd.records = 0;
    b->nd.largest = 0;

    return 1;
}


static guardrail_rc_e
guardrail_body_sniff_byte(guardrail_body_t *b, uint8_t ch, uint64_t offset)
{
    static const uint8_t  bom[3] = { 0xef, 0xbb, 0xbf };

    if (offset == 0) {
        b->first = ch;
    }

    /* UTF-16 and UTF-32 show in two bytes, as in Python; not of CSV */

    if (b->format == GUARDRAIL_FORMAT_SNIFF_CSV) {

        if (ch == '{' || ch == '[') {
            b->format = GUARDRAIL_FORMAT_NDJSON;
            return GUARDRAIL_OK;
        }

        /* as below, but nothing else is taken for JSON */

    } else if (offset < 2 && ch == 0) {
        return GUARDRAIL_MALFORMED_JSON;
    }

    if (b->format == GUARDRAIL_FORMAT_SNIFF && offset < 2
        && b->first >= 0xfe)
    {
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

    if (b->format == GUARDRAIL_FORMAT_SNIFF && guardrail_body_starts_json(ch))
    {
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
    guardrail_rc_e  rc, json;

    if (b->format >= GUARDRAIL_FORMAT_SNIFF) {

        if ((b->sniffed % 3 || (b->decoded == 1 && b->first >= 0xfe))
            && !guardrail_body_sniff_other(b))
        {
            return guardrail_body_sniff_refused(b, GUARDRAIL_TYPE);
        }

        if (b->format == GUARDRAIL_FORMAT_SNIFF_CSV) {
            b->format = GUARDRAIL_FORMAT_CSV;

        } else if (b->format == GUARDRAIL_FORMAT_SNIFF) {

            /* white space alone */

            b->format = GUARDRAIL_FORMAT_NONE;
            b->nd.records = 0;
            b->nd.largest = 0;
        }
    }

    switch (b->format) {

    case GUARDRAIL_FORMAT_NDJSON:
        rc = guardrail_ndjson_finish(&b->nd);
        json = b->json ? guardrail_json_finish(b->json) : GUARDRAIL_OK;

        if (json != GUARDRAIL_OK && (rc == GUARDRAIL_OK || json < rc)) {
            return guardrail_body_json_refused(b, json);
        }

        if (rc != GUARDRAIL_OK) {
            return guardrail_body_ndjson_refused(b, rc);
        }

        break;

    case GUARDRAIL_FORMAT_JSON:
    case GUARDRAIL_FORMAT_JSON_SEQ:
        rc = b->json ? guardrail_json_finish(b->json) : GUARDRAIL_OK;

        if (rc != GUARDRAIL_OK) {
            return guardrail_body_json_refused(b, rc);
        }

        break;

    case GUARDRAIL_FORMAT_CSV:
        rc = b->csv ? guardrail_csv_finish(b->csv) : GUARDRAIL_OK;

        if (rc != GUARDRAIL_OK) {
            return guardrail_body_csv_refused(b, rc);
        }

        break;

    default: /* GUARDRAIL_FORMAT_NONE */
        break;
    }

    return GUARDRAIL_OK;
}
