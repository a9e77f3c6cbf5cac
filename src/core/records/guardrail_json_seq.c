
/*
 * Copyright (C) nginx-guardrail authors
 */


#include <string.h>

#include "records/guardrail_json_seq.h"


#define GUARDRAIL_JSON_SEQ_RS  0x1e

/* what may be the end of a record: not in its size until more follows */

#define GUARDRAIL_JSON_SEQ_CR    1
#define GUARDRAIL_JSON_SEQ_LF    2
#define GUARDRAIL_JSON_SEQ_CRLF  3


static size_t guardrail_json_seq_text(guardrail_json_seq_t *s,
    const uint8_t *p, size_t len);
static void guardrail_json_seq_byte(guardrail_json_seq_t *s, uint8_t c);
static void guardrail_json_seq_hold(guardrail_json_seq_t *s, uint8_t c);
static unsigned guardrail_json_seq_utf16(const guardrail_json_seq_t *s,
    uint8_t c);
static void guardrail_json_seq_measure(guardrail_json_seq_t *s);
static void guardrail_json_seq_end(guardrail_json_seq_t *s);


void
guardrail_json_seq_init(guardrail_json_seq_t *s,
    const guardrail_json_seq_limits_t *limits)
{
    memset(s, 0, sizeof(guardrail_json_seq_t));

    s->limits = *limits;
    s->rc = GUARDRAIL_OK;
}


guardrail_rc_e
guardrail_json_seq_feed(guardrail_json_seq_t *s, const uint8_t *p, size_t len,
    size_t *used)
{
    size_t  i;

    for (i = 0; i < len && s->rc == GUARDRAIL_OK; ) {

        if (p[i] == GUARDRAIL_JSON_SEQ_RS) {
            guardrail_json_seq_end(s);
            i++;
            continue;
        }

        if (s->counted && s->held == 0 && s->run > 1) {
            i += guardrail_json_seq_text(s, p + i, len - i);

            if (i == len || s->rc != GUARDRAIL_OK) {
                break;
            }

            if (p[i] == GUARDRAIL_JSON_SEQ_RS) {
                continue;
            }
        }

        guardrail_json_seq_byte(s, p[i++]);
    }

    *used = i;

    return s->rc;
}


/* of a record that is counted: up to what may end it, or its limit */

static size_t
guardrail_json_seq_text(guardrail_json_seq_t *s, const uint8_t *p, size_t len)
{
    size_t    i;
    uint64_t  room;

    room = s->limits.max_record_size - s->size;

    if (len > room) {
        len = (size_t) room;
    }

    for (i = 0; i < len; i++) {

        if (p[i] == GUARDRAIL_JSON_SEQ_RS || p[i] == '\n' || p[i] == '\r') {
            break;
        }
    }

    s->size += i;
    s->run += i;

    guardrail_json_seq_measure(s);

    return i;
}


static void
guardrail_json_seq_byte(guardrail_json_seq_t *s, uint8_t c)
{
    unsigned  white, utf16;

    white = (c == ' ' || c == '\t' || c == '\r' || c == '\n');
    utf16 = guardrail_json_seq_utf16(s, c);

    if (s->run == 0) {
        s->first = c;
    }

    s->run++;

    guardrail_json_seq_hold(s, c);

    if (!white && !s->counted) {
        s->counted = 1;
        s->records++;
    }

    guardrail_json_seq_measure(s);

    if (s->records > s->limits.max_records) {
        s->rc = GUARDRAIL_MAX_RECORDS;

    } else if (s->counted && s->size > s->limits.max_record_size) {
        s->rc = GUARDRAIL_MAX_RECORD_SIZE;

    } else if (utf16 && s->limits.refuse_utf16) {
        s->rc = GUARDRAIL_MALFORMED_JSON;
    }
}


/* CR, LF and CR LF are in the size once something follows */

static void
guardrail_json_seq_hold(guardrail_json_seq_t *s, uint8_t c)
{
    if (c == '\n' && s->held == GUARDRAIL_JSON_SEQ_CR) {
        s->held = GUARDRAIL_JSON_SEQ_CRLF;
        return;
    }

    s->size += (s->held == GUARDRAIL_JSON_SEQ_CRLF) ? 2 : (s->held != 0);

    s->held = (c == '\n') ? GUARDRAIL_JSON_SEQ_LF
              : (c == '\r') ? GUARDRAIL_JSON_SEQ_CR : 0;

    s->size += (s->held == 0);
}


/* Python reads as UTF-16 or -32 what starts like this */

static unsigned
guardrail_json_seq_utf16(const guardrail_json_seq_t *s, uint8_t c)
{
    if (s->run > 1) {
        return 0;
    }

    return c == 0
           || (s->run == 1 && ((s->first == 0xfe && c == 0xff)
                               || (s->first == 0xff && c == 0xfe)));
}


static void
guardrail_json_seq_measure(guardrail_json_seq_t *s)
{
    if (s->counted && s->size > s->largest) {
        s->largest = s->size;
    }
}


guardrail_rc_e
guardrail_json_seq_finish(guardrail_json_seq_t *s)
{
    if (s->rc == GUARDRAIL_OK) {
        guardrail_json_seq_end(s);
    }

    return s->rc;
}


static void
guardrail_json_seq_end(guardrail_json_seq_t *s)
{
    /* no LF follows: a CR is a byte of the record */

    if (s->held == GUARDRAIL_JSON_SEQ_CR) {
        s->size++;

        guardrail_json_seq_measure(s);

        if (s->counted && s->size > s->limits.max_record_size) {
            s->rc = GUARDRAIL_MAX_RECORD_SIZE;
            return;
        }
    }

    s->size = 0;
    s->run = 0;
    s->held = 0;
    s->counted = 0;
}
