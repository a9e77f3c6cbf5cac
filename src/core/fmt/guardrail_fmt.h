
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Text into a caller's buffer: numbers, and strings as JSON wants them.
 */


#ifndef GUARDRAIL_FMT_H
#define GUARDRAIL_FMT_H


#include "base/guardrail_base.h"


/*
 * A writer.  What does not fit is cut off, and sets overflow; nothing is
 * terminated by NUL.
 */

typedef struct {
    char      *pos;
    char      *end;
    unsigned   overflow;
} guardrail_fmt_t;


/* room for any number that is written here */

#define GUARDRAIL_FMT_NUMBER  32


void guardrail_fmt_init(guardrail_fmt_t *f, char *p, size_t size);

/* bytes as they are */

void guardrail_fmt_raw(guardrail_fmt_t *f, const char *p, size_t len);
void guardrail_fmt_text(guardrail_fmt_t *f, const char *s);

/* a JSON string with its quotes (RFC 8259, section 7); not UTF-8: '?' */

void guardrail_fmt_json(guardrail_fmt_t *f, const char *p, size_t len);

/*
 * The value of a label in Prometheus' text format, with its quotes; not
 * UTF-8, or a control character but line feed: '?'
 */

void guardrail_fmt_label(guardrail_fmt_t *f, const char *p, size_t len);

/*
 * A name that may hold any byte, as text: control characters, and what is not
 * UTF-8, as "%E4", so that names that differ still do; 3 bytes each at most.
 */

void guardrail_fmt_name(guardrail_fmt_t *f, const char *p, size_t len);

/* text in HTML, or in an attribute's quotes; not UTF-8: '?' */

void guardrail_fmt_html(guardrail_fmt_t *f, const char *p, size_t len);

/* what a log line may hold: printable ASCII, all else (and '"') as '?' */

void guardrail_fmt_printable(guardrail_fmt_t *f, const char *p, size_t len);

void guardrail_fmt_u64(guardrail_fmt_t *f, uint64_t n);

/*
 * n / d with a fixed number of decimals (at most 3), rounded half up; 0 for
 * d == 0.
 */

void guardrail_fmt_quotient(guardrail_fmt_t *f, uint64_t n, uint64_t d,
    unsigned decimals);


#endif /* GUARDRAIL_FMT_H */
