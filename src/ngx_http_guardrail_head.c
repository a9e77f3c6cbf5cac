
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "ngx_http_guardrail_module.h"


/* a type that is longer is none that guardrail_types could name */

#define NGX_HTTP_GUARDRAIL_MAX_TYPE  128


static GUARDRAIL_APART void ngx_http_guardrail_parse_encoding(
    ngx_http_guardrail_head_t *head, ngx_str_t *value);
static GUARDRAIL_HOT void ngx_http_guardrail_parse_type(
    ngx_http_guardrail_head_t *head, ngx_str_t *value);
static GUARDRAIL_APART void ngx_http_guardrail_parse_any_type(
    ngx_http_guardrail_head_t *head, ngx_str_t *value);
static ngx_uint_t ngx_http_guardrail_is_blank(u_char ch);
static GUARDRAIL_APART void ngx_http_guardrail_parse_parameters(
    ngx_http_guardrail_head_t *head, u_char *next, u_char *last);
static ngx_uint_t ngx_http_guardrail_known_charset(u_char *p, u_char *end);
static guardrail_format_e ngx_http_guardrail_type_format(ngx_str_t *type);
static GUARDRAIL_HOT guardrail_rc_e ngx_http_guardrail_judge_encoding(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_HOT guardrail_rc_e ngx_http_guardrail_judge_type(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf,
    const guardrail_body_limits_t *limits);
static GUARDRAIL_APART guardrail_format_e ngx_http_guardrail_named_format(
    ngx_http_guardrail_loc_conf_t *glcf);
static u_char *ngx_http_guardrail_token_end(u_char *p, u_char *last,
    u_char c);
static void ngx_http_guardrail_trim(u_char **p, u_char **end);


/* contract of "auto" */

static const struct {
    ngx_str_t           name;
    guardrail_format_e  format;
} ngx_http_guardrail_types[] = {

    { ngx_string("application/json"), GUARDRAIL_FORMAT_JSON },

    { ngx_string("application/x-ndjson"), GUARDRAIL_FORMAT_NDJSON },
    { ngx_string("application/ndjson"), GUARDRAIL_FORMAT_NDJSON },
    { ngx_string("application/jsonl"), GUARDRAIL_FORMAT_NDJSON },
    { ngx_string("application/jsonlines"), GUARDRAIL_FORMAT_NDJSON },
    { ngx_string("application/x-jsonlines"), GUARDRAIL_FORMAT_NDJSON },
    { ngx_string("application/x-json-stream"), GUARDRAIL_FORMAT_NDJSON },

    { ngx_string("application/json-seq"), GUARDRAIL_FORMAT_JSON_SEQ },

    { ngx_string("text/csv"), GUARDRAIL_FORMAT_SNIFF_CSV },
    { ngx_string("application/csv"), GUARDRAIL_FORMAT_SNIFF_CSV },

    { ngx_null_string, GUARDRAIL_FORMAT_SNIFF }
};


/* single-byte supersets of ASCII, and UTF-8: a byte scanner sees through */

static ngx_str_t  ngx_http_guardrail_charsets[] = {
    ngx_string("utf-8"),
    ngx_string("utf8"),
    ngx_string("us-ascii"),
    ngx_string("ascii"),
    ngx_string("iso-8859-1"),
    ngx_string("windows-1252"),
    ngx_null_string
};


/* Accept-Encoding for each mask of codings */

static ngx_str_t  ngx_http_guardrail_accepted[] = {
    ngx_string("identity"),
    ngx_string("gzip"),
    ngx_string("deflate"),
    ngx_string("gzip, deflate"),
    ngx_string("br"),
    ngx_string("gzip, br"),
    ngx_string("deflate, br"),
    ngx_string("gzip, deflate, br"),
    ngx_string("zstd"),
    ngx_string("gzip, zstd"),
    ngx_string("deflate, zstd"),
    ngx_string("gzip, deflate, zstd"),
    ngx_string("br, zstd"),
    ngx_string("gzip, br, zstd"),
    ngx_string("deflate, br, zstd"),
    ngx_string("gzip, deflate, br, zstd")
};


void
ngx_http_guardrail_parse_head(ngx_http_request_t *r,
    ngx_http_guardrail_head_t *head)
{
    u_char           *key;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    /* a module may edit the header before a redirect leads on */

    if (head->parsed && head->uri_changes == r->uri_changes) {
        return;
    }

    ngx_memzero(head, sizeof(ngx_http_guardrail_head_t));

    head->parsed = 1;
    head->uri_changes = r->uri_changes;
    head->coding = GUARDRAIL_CODING_IDENTITY;
    head->format = GUARDRAIL_FORMAT_SNIFF;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            /* WSGI makes one name of "Content-Type" and "Content_Type" */

            key = h[i].lowcase_key;

            if (h[i].key.len == 16
                && ngx_memcmp(key, "content", 7) == 0
                && ngx_memcmp(key + 8, "encoding", 8) == 0)
            {
                if (key[7] == '-') {
                    ngx_http_guardrail_parse_encoding(head, &h[i].value);

                } else if (key[7] == '_') {
                    head->underscore_encoding = 1;
                }

            } else if (h[i].key.len == 12
                       && ngx_memcmp(key, "content", 7) == 0
                       && ngx_memcmp(key + 8, "type", 4) == 0)
            {
                if (key[7] == '-') {
                    ngx_http_guardrail_parse_type(head, &h[i].value);

                } else if (key[7] == '_') {
                    head->underscore_type = 1;
                }
            }
        }
    }
}


static void
ngx_http_guardrail_parse_encoding(ngx_http_guardrail_head_t *head,
    ngx_str_t *value)
{
    u_char              *p, *end, *next, *last;
    guardrail_rc_e       rc;
    guardrail_coding_e   coding;

    last = value->data + value->len;

    for (p = value->data; p <= last; p = next + 1) {

        next = ngx_http_guardrail_token_end(p, last, ',');

        end = next;
        ngx_http_guardrail_trim(&p, &end);

        rc = guardrail_codec_token(p, (size_t) (end - p), &coding);

        if (rc == GUARDRAIL_OK && coding == GUARDRAIL_CODING_IDENTITY) {
            continue;
        }

        if (head->encoding.data) {
            head->codings = 1;
            continue;
        }

        head->encoding.data = p;
        head->encoding.len = (size_t) (end - p);

        if (rc == GUARDRAIL_OK) {
            head->coding = coding;

        } else {
            head->unknown = 1;
        }
    }
}


static void
ngx_http_guardrail_parse_type(ngx_http_guardrail_head_t *head,
    ngx_str_t *value)
{
    head->types++;

    /* as most clients write it */

    if (head->types == 1
        && value->len == 16
        && ngx_memcmp(value->data, "application/json", 16) == 0)
    {
        head->type = *value;
        head->format = GUARDRAIL_FORMAT_JSON;

        return;
    }

    ngx_http_guardrail_parse_any_type(head, value);
}


static void
ngx_http_guardrail_parse_any_type(ngx_http_guardrail_head_t *head,
    ngx_str_t *value)
{
    u_char     *p, *end, *next, *last;
    ngx_str_t   type;

    last = value->data + value->len;

    next = ngx_http_guardrail_token_end(value->data, last, ';');

    if (head->types == 1) {
        p = value->data;
        end = next;
        ngx_http_guardrail_trim(&p, &end);

        if (end - p <= NGX_HTTP_GUARDRAIL_MAX_TYPE) {
            head->type.data = p;
            head->type.len = (size_t) (end - p);
        }

        /* a backend may strip more, and does not stop at a length */

        while (p < end && ngx_http_guardrail_is_blank(end[-1])) {
            end--;
        }

        while (p < end && ngx_http_guardrail_is_blank(*p)) {
            p++;
        }

        type.data = p;
        type.len = (size_t) (end - p);
        head->format = ngx_http_guardrail_type_format(&type);
    }

    if (next < last) {
        ngx_http_guardrail_parse_parameters(head, next, last);
    }
}


/* what Python's strip() takes away: nginx lets all of it pass */

static ngx_uint_t
ngx_http_guardrail_is_blank(u_char ch)
{
    return ch <= ' ' || ch == 0x85 || ch == 0xa0;
}


/*
 * Without respect for quotes: what a lenient parser could take for a charset
 * is one.
 */

static void
ngx_http_guardrail_parse_parameters(ngx_http_guardrail_head_t *head,
    u_char *next, u_char *last)
{
    u_char  *p, *end, *eq;

    while (next < last) {
        p = next + 1;

        next = ngx_http_guardrail_token_end(p, last, ';');

        end = next;

        while (p < end && ngx_http_guardrail_is_blank(*p)) {
            p++;
        }

        ngx_http_guardrail_trim(&p, &end);

        if (end - p < 7 || ngx_strncasecmp(p, (u_char *) "charset", 7) != 0) {
            continue;
        }

        /* "charset*" of RFC 2231 is none that we read */

        p += 7;
        eq = p;
        ngx_http_guardrail_trim(&eq, &end);

        if (eq == end || *eq != '='
            || !ngx_http_guardrail_known_charset(eq + 1, end))
        {
            head->charset = 1;
        }
    }
}


static ngx_uint_t
ngx_http_guardrail_known_charset(u_char *p, u_char *end)
{
    ngx_str_t  *cs;

    ngx_http_guardrail_trim(&p, &end);

    while (p < end && (*p == '"' || *p == '\'')) {
        p++;
    }

    while (p < end && (end[-1] == '"' || end[-1] == '\'')) {
        end--;
    }

    ngx_http_guardrail_trim(&p, &end);

    for (cs = ngx_http_guardrail_charsets; cs->len; cs++) {

        if ((size_t) (end - p) == cs->len
            && ngx_strncasecmp(p, cs->data, cs->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static u_char *
ngx_http_guardrail_token_end(u_char *p, u_char *last, u_char c)
{
    u_char  *end;

    end = memchr(p, c, (size_t) (last - p));

    return end ? end : last;
}


static void
ngx_http_guardrail_trim(u_char **p, u_char **end)
{
    while (*p < *end && (**p == ' ' || **p == '\t')) {
        (*p)++;
    }

    while (*p < *end && ((*end)[-1] == ' ' || (*end)[-1] == '\t')) {
        (*end)--;
    }
}


/* what "auto" makes of a type where records are counted */

static guardrail_format_e
ngx_http_guardrail_type_format(ngx_str_t *type)
{
    size_t      len;
    ngx_uint_t  i;

    len = type->len;

    for (i = 0; ngx_http_guardrail_types[i].name.len; i++) {

        if (len != ngx_http_guardrail_types[i].name.len) {
            continue;
        }

        /* as nearly all clients write it, or as few do */

        if (ngx_memcmp(type->data, ngx_http_guardrail_types[i].name.data, len)
            == 0
            || ngx_strncasecmp(type->data,
                               ngx_http_guardrail_types[i].name.data, len)
               == 0)
        {
            return ngx_http_guardrail_types[i].format;
        }
    }

    if (len > 5
        && ngx_strncasecmp(type->data + len - 5, (u_char *) "+json", 5) == 0)
    {
        return GUARDRAIL_FORMAT_JSON;
    }

    return GUARDRAIL_FORMAT_SNIFF;
}


guardrail_rc_e
ngx_http_guardrail_judge_head(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf,
    const guardrail_body_limits_t *limits, off_t declared)
{
    uint64_t        length;
    guardrail_rc_e  rc;

    ngx_http_guardrail_parse_head(r, &ctx->head);

    length = (declared > 0) ? (uint64_t) declared : 0;

    if (length > limits->max_body) {
        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_BODY,
                                       limits->max_body, length);
        ctx->declared = 1;

        return GUARDRAIL_MAX_BODY;
    }

    /* the wire's length says nothing of what was decoded before */

    if (length > limits->max_decoded
        && ctx->head.encoding.data == NULL
        && ngx_http_guardrail_decoded(r) == NULL)
    {
        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_DECODED,
                                       limits->max_decoded, length);
        ctx->declared = 1;

        return GUARDRAIL_MAX_DECODED;
    }

    rc = ngx_http_guardrail_judge_encoding(ctx, glcf);

    if (rc != GUARDRAIL_OK) {
        return rc;
    }

    return ngx_http_guardrail_judge_type(ctx, glcf, limits);
}


static guardrail_rc_e
ngx_http_guardrail_judge_encoding(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf)
{
    ngx_http_guardrail_head_t  *head;

    head = &ctx->head;

    if (!head->underscore_encoding
        && (head->encoding.data == NULL
            || (!head->codings && !head->unknown
                && (glcf->encodings & head->coding))))
    {
        return GUARDRAIL_OK;
    }

    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_ENCODING, 0, 0);

    ngx_http_guardrail_encodings(glcf->encodings, &ctx->limit_text);

    if (head->underscore_encoding) {
        ngx_str_set(&ctx->observed_text, "Content_Encoding");
        ctx->error = "\"Content_Encoding\" is refused, since backends take it"
                     " for \"Content-Encoding\"";

    } else if (head->codings) {
        ngx_str_set(&ctx->observed_text, "several");
        ctx->error = "more than one content coding is never accepted";

    } else {
        ctx->observed_text = head->encoding;
        ctx->error = "the content coding of the body is not accepted";
    }

    return GUARDRAIL_ENCODING;
}


/*
 * Chooses the format.  Frameworks parse bodies whatever their label says:
 * where a limit on records is in force, what cannot be seen through is
 * refused.
 */

static guardrail_rc_e
ngx_http_guardrail_judge_type(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf,
    const guardrail_body_limits_t *limits)
{
    const char                 *error;
    ngx_uint_t                  in_force;
    ngx_http_guardrail_head_t  *head;

    head = &ctx->head;
    error = NULL;

    if (glcf->types
        && (head->types != 1
            || ngx_http_guardrail_match_type(glcf->types, &head->type)
               != NGX_OK))
    {
        error = head->types == 0 ? "there is no Content-Type"
                : head->types > 1 ? "there is more than one Content-Type"
                : "its Content-Type is not one that is accepted";
    }

    in_force = glcf->format != NGX_HTTP_GUARDRAIL_FORMAT_NONE
               && guardrail_body_in_force(limits);

    if (head->underscore_type) {
        error = "\"Content_Type\" is refused, since backends take it for"
                " \"Content-Type\"";

    } else if (in_force && head->types > 1) {
        error = "there is more than one Content-Type";

    } else if (in_force && head->charset) {
        error = "the charset is not one whose records can be counted";
    }

    if (error) {
        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_TYPE, 0, 0);
        ctx->error = error;
        return GUARDRAIL_TYPE;
    }

    if (glcf->format != NGX_HTTP_GUARDRAIL_FORMAT_AUTO) {
        head->judged_as = ngx_http_guardrail_named_format(glcf);

    } else if (!in_force && head->format == GUARDRAIL_FORMAT_SNIFF) {
        head->judged_as = GUARDRAIL_FORMAT_NONE;

    } else if (!in_force && head->format == GUARDRAIL_FORMAT_SNIFF_CSV) {

        /* nobody asks whether it is JSON: its rows count as those of NDJSON */

        head->judged_as = GUARDRAIL_FORMAT_CSV;

    } else {
        head->judged_as = head->format;
    }

    return GUARDRAIL_OK;
}


static guardrail_format_e
ngx_http_guardrail_named_format(ngx_http_guardrail_loc_conf_t *glcf)
{
    switch (glcf->format) {

    case NGX_HTTP_GUARDRAIL_FORMAT_NDJSON:
        return GUARDRAIL_FORMAT_NDJSON;

    case NGX_HTTP_GUARDRAIL_FORMAT_JSON:
        return GUARDRAIL_FORMAT_JSON;

    case NGX_HTTP_GUARDRAIL_FORMAT_SEQ:
        return GUARDRAIL_FORMAT_JSON_SEQ;

    case NGX_HTTP_GUARDRAIL_FORMAT_CSV:
        return GUARDRAIL_FORMAT_CSV;

    default: /* NGX_HTTP_GUARDRAIL_FORMAT_NONE */
        return GUARDRAIL_FORMAT_NONE;
    }
}


void
ngx_http_guardrail_encodings(ngx_uint_t mask, ngx_str_t *s)
{
    *s = ngx_http_guardrail_accepted[mask & 15];
}
