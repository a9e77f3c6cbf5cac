
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What a client is told of a refusal: application/problem+json (RFC 9457) in
 * the place of nginx's own page.  nginx makes the response, so HEAD, HTTP/2,
 * error_page and keep-alive work as ever; the filters change what it says.
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_ANSWER  1536
#define NGX_HTTP_GUARDRAIL_DETAIL  512


static ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_refused_header(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static ngx_uint_t ngx_http_guardrail_is_own(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static ngx_int_t ngx_http_guardrail_make_answer(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static void ngx_http_guardrail_fmt_member(guardrail_fmt_t *f,
    const char *name, const char *value);
static void ngx_http_guardrail_fmt_detail(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx);
static const char *ngx_http_guardrail_json_where(guardrail_rc_e rc);
static void ngx_http_guardrail_fmt_sentence(guardrail_fmt_t *f,
    const char *before, uint64_t n, const char *after);
static ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_refused_body(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_output(ngx_http_request_t *r,
    ngx_chain_t *in);


ngx_http_output_header_filter_pt  ngx_http_guardrail_next_header_filter;
ngx_http_output_body_filter_pt    ngx_http_guardrail_next_body_filter;

static ngx_http_output_body_filter_pt  ngx_http_guardrail_next_output;


ngx_int_t
ngx_http_guardrail_header_filter(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_guardrail_next_header_filter(r);
    }

    ctx = ngx_http_guardrail_find_ctx(r);

    if (ctx && ctx->quotas
        && ngx_http_guardrail_add_ratelimit(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx && ctx->refused) {
        return ngx_http_guardrail_refused_header(r, ctx);
    }

    return ngx_http_guardrail_next_header_filter(r);
}


static ngx_int_t
ngx_http_guardrail_refused_header(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_str_t  name, value;

    if (ctx->close) {

        /* special_response clears it for 400: a slow client got EPIPE */

        r->keepalive = 0;
        r->lingering_close = 1;
    }

    if (ctx->plain) {
        return ngx_http_guardrail_next_header_filter(r);
    }

    if (ctx->rc == GUARDRAIL_ENCODING
        && (r->headers_out.status == ctx->status
            || r->err_status == ctx->status))
    {
        ngx_http_guardrail_encodings(ctx->conf->encodings, &value);

        ngx_str_set(&name, "Accept-Encoding");

        if (ngx_http_guardrail_add_header(r, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!ngx_http_guardrail_is_own(r, ctx)) {
        return ngx_http_guardrail_next_header_filter(r);
    }

    ngx_str_set(&name, "Cache-Control");
    ngx_str_set(&value, "no-store");

    if (ngx_http_guardrail_add_header(r, &name, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->conf->error_format == NGX_HTTP_GUARDRAIL_ERROR_PROBLEM
        && ngx_http_guardrail_make_answer(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_guardrail_next_header_filter(r);
}


/* nginx's own page for our status, and not what an error_page led to */

static ngx_uint_t
ngx_http_guardrail_is_own(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    return !ctx->answered
           && r->uri_changes == ctx->uri_changes
           && r->err_status == ctx->status
           && r->headers_out.location == NULL;
}


ngx_int_t
ngx_http_guardrail_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_make_answer(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    char                             *p;
    char                              detail[NGX_HTTP_GUARDRAIL_DETAIL];
    ngx_buf_t                        *b;
    guardrail_fmt_t                   f, d;
    ngx_http_variable_value_t        *id;
    const guardrail_rc_info_t        *info;
    ngx_http_guardrail_main_conf_t   *gmcf;

    info = guardrail_rc_info(ctx->rc);

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_GUARDRAIL_ANSWER);
    if (b == NULL) {
        return NGX_ERROR;
    }

    p = (char *) b->pos;
    guardrail_fmt_init(&f, p, NGX_HTTP_GUARDRAIL_ANSWER);

    guardrail_fmt_text(&f, "{\"type\":\"urn:guardrail:");
    guardrail_fmt_text(&f, info->name);
    guardrail_fmt_text(&f, "\"");

    ngx_http_guardrail_fmt_member(&f, "title", info->title);

    guardrail_fmt_text(&f, ",\"status\":");
    guardrail_fmt_u64(&f, ctx->status);

    guardrail_fmt_init(&d, detail, sizeof(detail));
    ngx_http_guardrail_fmt_detail(&d, ctx);

    guardrail_fmt_text(&f, ",\"detail\":");
    guardrail_fmt_json(&f, detail, (size_t) (d.pos - detail));

    ngx_http_guardrail_fmt_member(&f, "reason", info->name);

    if (ngx_http_guardrail_has_limit(ctx)) {
        guardrail_fmt_text(&f, ",\"limit\":");
        ngx_http_guardrail_fmt_limit(&f, ctx);

        guardrail_fmt_text(&f, ",\"observed\":");
        ngx_http_guardrail_fmt_observed(&f, ctx);

        ngx_http_guardrail_fmt_member(&f, "unit",
                                      ctx->unit ? ctx->unit : info->unit);
    }

    if (ctx->quotas && ctx->quotas->refusing) {
        guardrail_fmt_text(&f, ",\"policy\":\"");
        ngx_http_guardrail_fmt_policy(&f, ctx->quotas->refusing);
        guardrail_fmt_text(&f, "\"");

        if (ctx->quotas->retry) {
            guardrail_fmt_text(&f, ",\"retry_after\":");
            guardrail_fmt_u64(&f, ctx->quotas->retry);
        }
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_guardrail_module);

    id = ngx_http_get_indexed_variable(r, (ngx_uint_t) gmcf->request_id);

    if (id && !id->not_found) {
        guardrail_fmt_text(&f, ",\"request_id\":");
        guardrail_fmt_json(&f, (char *) id->data, id->len);
    }

    guardrail_fmt_text(&f, "}\n");

    if (f.overflow) {
        return NGX_ERROR;
    }

    b->last = (u_char *) f.pos;
    b->last_buf = 1;
    b->last_in_chain = 1;

    ctx->answer = b;

    r->headers_out.content_length_n = b->last - b->pos;

    if (r->headers_out.content_length) {
        r->headers_out.content_length->hash = 0;
        r->headers_out.content_length = NULL;
    }

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    return NGX_OK;
}


/* both are ours, and need no escapes */

static void
ngx_http_guardrail_fmt_member(guardrail_fmt_t *f, const char *name,
    const char *value)
{
    guardrail_fmt_text(f, ",\"");
    guardrail_fmt_text(f, name);
    guardrail_fmt_text(f, "\":\"");
    guardrail_fmt_text(f, value);
    guardrail_fmt_text(f, "\"");
}


static void
ngx_http_guardrail_fmt_detail(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx)
{
    switch (ctx->rc) {

    case GUARDRAIL_MAX_BODY:
    case GUARDRAIL_MAX_DECODED:

        if (ctx->declared) {
            ngx_http_guardrail_fmt_sentence(f, "The request declares a body"
                                            " of ", ctx->observed, " bytes");
        } else {
            ngx_http_guardrail_fmt_sentence(f,
                                   ctx->rc == GUARDRAIL_MAX_BODY
                                   ? "The request body reached "
                                   : "The decoded request body reached ",
                                   ctx->observed, " bytes");
        }

        ngx_http_guardrail_fmt_sentence(f, ", at most ", ctx->limit,
                                        " are accepted.");
        break;

    case GUARDRAIL_MAX_RATIO:

        ngx_http_guardrail_fmt_sentence(f, "The body has decoded to ",
                                        ctx->observed, " bytes");
        ngx_http_guardrail_fmt_sentence(f, " from ", ctx->observed_input,
                                        ", ");
        guardrail_fmt_quotient(f, ctx->observed, ctx->observed_input, 1);
        ngx_http_guardrail_fmt_sentence(f, " to 1; beyond the first ",
                                        ctx->body.limits.ratio_floor,
                                        " bytes");
        ngx_http_guardrail_fmt_sentence(f, " at most ", ctx->limit,
                                        " to 1 is accepted.");
        break;

    case GUARDRAIL_ENCODING:

        guardrail_fmt_text(f, "The request was refused: ");
        guardrail_fmt_text(f, ctx->error);
        guardrail_fmt_text(f, "; accepted: ");
        ngx_http_guardrail_fmt_limit(f, ctx);
        guardrail_fmt_text(f, ".");
        break;

    case GUARDRAIL_MAX_RECORDS:

        ngx_http_guardrail_fmt_sentence(f, "The body reached ",
                                        ctx->observed,
                                        ctx->unit ? " lines, blank ones "
                                                    "included"
                                                  : " records");
        ngx_http_guardrail_fmt_sentence(f, ", at most ", ctx->limit,
                                        " are accepted.");
        break;

    case GUARDRAIL_MAX_RECORD_SIZE:

        ngx_http_guardrail_fmt_sentence(f, "Record ",
                                   guardrail_body_record_count(&ctx->body),
                                        " reached ");
        ngx_http_guardrail_fmt_sentence(f, "", ctx->observed, " bytes");
        ngx_http_guardrail_fmt_sentence(f, ", at most ", ctx->limit,
                                        " are accepted.");
        break;

    case GUARDRAIL_QUOTA_REQUESTS:
    case GUARDRAIL_QUOTA_RECORDS:
    case GUARDRAIL_QUOTA_BYTES:
    case GUARDRAIL_QUOTA_DECODED:
    case GUARDRAIL_QUOTA_UPLOADS:
    case GUARDRAIL_QUOTA_CONCURRENCY:
    case GUARDRAIL_QUOTA_MEMORY:

        ngx_http_guardrail_fmt_quota_detail(f, ctx);
        break;

    case GUARDRAIL_MAX_MEMORY:

        ngx_http_guardrail_fmt_sentence(f, "The request would take ",
                                        ctx->observed,
                                        " bytes of the backend's memory");
        ngx_http_guardrail_fmt_sentence(f, ", at most ", ctx->limit,
                                        " are allowed.");
        break;

    case GUARDRAIL_JSON_DEPTH:
    case GUARDRAIL_JSON_KEYS:
    case GUARDRAIL_JSON_ITEMS:
    case GUARDRAIL_JSON_TOKENS:
    case GUARDRAIL_JSON_KEY:
    case GUARDRAIL_JSON_STRING:
    case GUARDRAIL_JSON_NUMBER:

        guardrail_fmt_text(f, "The JSON in the body reached ");
        guardrail_fmt_u64(f, ctx->observed);
        guardrail_fmt_text(f, " ");
        guardrail_fmt_text(f, guardrail_rc_info(ctx->rc)->unit);
        guardrail_fmt_text(f, ngx_http_guardrail_json_where(ctx->rc));
        ngx_http_guardrail_fmt_sentence(f, ", at most ", ctx->limit,
                                        " are accepted.");
        break;

    case GUARDRAIL_MIN_RATE:

        ngx_http_guardrail_fmt_sentence(f, "The body arrives at ",
                                        ctx->observed, " bytes a second");
        ngx_http_guardrail_fmt_sentence(f, ", at least ", ctx->limit,
                                        " are expected.");
        break;

    case GUARDRAIL_BODY_TIMEOUT:

        ngx_http_guardrail_fmt_sentence(f, "The body was not complete after ",
                                        ctx->observed, " milliseconds");
        ngx_http_guardrail_fmt_sentence(f, ", at most ", ctx->limit,
                                        " are allowed.");
        break;

    case GUARDRAIL_MAX_ARG:
    case GUARDRAIL_MAX_WINDOW:

        guardrail_fmt_text(f, "The request was refused: ");
        guardrail_fmt_text(f, ctx->error);

        if (ctx->unnumbered) {
            guardrail_fmt_text(f, ".");
            break;
        }

        ngx_http_guardrail_fmt_sentence(f, ", ", ctx->observed,
                                        ctx->rc == GUARDRAIL_MAX_ARG
                                        ? "" : " seconds");
        ngx_http_guardrail_fmt_sentence(f, "; at most ", ctx->limit,
                                        " is accepted.");
        break;

    case GUARDRAIL_DECODER_MEMORY:

        guardrail_fmt_text(f, "Too many coded bodies are being decoded at"
                           " this moment; try again later.");
        break;

    default:

        guardrail_fmt_text(f, "The request was refused: ");
        guardrail_fmt_text(f, ctx->error ? ctx->error
                              : guardrail_rc_info(ctx->rc)->title);
        guardrail_fmt_text(f, ".");
    }
}


static const char *
ngx_http_guardrail_json_where(guardrail_rc_e rc)
{
    switch (rc) {

    case GUARDRAIL_JSON_DEPTH:
        return " of nesting";

    case GUARDRAIL_JSON_KEYS:
        return " in one object";

    case GUARDRAIL_JSON_ITEMS:
        return " in one array";

    case GUARDRAIL_JSON_TOKENS:
        return " in one record";

    case GUARDRAIL_JSON_KEY:
        return " in one key";

    case GUARDRAIL_JSON_STRING:
        return " in one string";

    default: /* GUARDRAIL_JSON_NUMBER */
        return " in one number";
    }
}


static void
ngx_http_guardrail_fmt_sentence(guardrail_fmt_t *f, const char *before,
    uint64_t n, const char *after)
{
    guardrail_fmt_text(f, before);
    guardrail_fmt_u64(f, n);
    guardrail_fmt_text(f, after);
}


ngx_int_t
ngx_http_guardrail_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_guardrail_ctx_t  *ctx;

    if (r != r->main || in == NULL) {
        return ngx_http_guardrail_next_body_filter(r, in);
    }

    ctx = ngx_http_guardrail_find_ctx(r);

    if (ctx && ctx->answer) {
        return ngx_http_guardrail_refused_body(r, ctx, in);
    }

    return ngx_http_guardrail_next_body_filter(r, in);
}


static ngx_int_t
ngx_http_guardrail_refused_body(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_chain_t   out, *cl;

    /* nginx's page goes nowhere */

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
    }

    if (ctx->answered) {
        return ngx_http_guardrail_next_body_filter(r, NULL);
    }

    ctx->answered = 1;

    b = ctx->answer;

    out.buf = b;
    out.next = NULL;

    return ngx_http_guardrail_next_body_filter(r, &out);
}


/*
 * Our body filter stands behind the one that copies, which brings what it
 * reads from a file only as fast as the client reads.  This one is put before
 * all others by each worker, so it sees what leaves the content handler.
 */

void
ngx_http_guardrail_watch_output(void)
{
    if (ngx_http_top_body_filter != ngx_http_guardrail_output) {
        ngx_http_guardrail_next_output = ngx_http_top_body_filter;
        ngx_http_top_body_filter = ngx_http_guardrail_output;
    }
}


static ngx_int_t
ngx_http_guardrail_output(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t               *cl;
    ngx_http_guardrail_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_guardrail_next_output(r, in);
    }

    for (cl = in; cl; cl = cl->next) {

        if (!cl->buf->last_buf) {
            continue;
        }

        /* the backend is done, though the client may read on for minutes */

        ctx = ngx_http_guardrail_find_ctx(r);

        if (ctx) {
            ngx_http_guardrail_release_levels(ctx);
        }
    }

    return ngx_http_guardrail_next_output(r, in);
}
