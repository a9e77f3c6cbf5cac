
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "ngx_http_guardrail_module.h"


/* what a variable shows; all of them change while a request is served */

typedef enum {
    ngx_http_guardrail_var_verdict = 0,
    ngx_http_guardrail_var_reason,
    ngx_http_guardrail_var_limit,
    ngx_http_guardrail_var_observed,
    ngx_http_guardrail_var_tenant,
    ngx_http_guardrail_var_format,
    ngx_http_guardrail_var_encoding,
    ngx_http_guardrail_var_body_bytes,
    ngx_http_guardrail_var_decoded_bytes,
    ngx_http_guardrail_var_ratio,
    ngx_http_guardrail_var_records,
    ngx_http_guardrail_var_largest_record,
    ngx_http_guardrail_var_policy,
    ngx_http_guardrail_var_memory,
    ngx_http_guardrail_var_queue_time,
    ngx_http_guardrail_var_json_depth,
    ngx_http_guardrail_var_label,
    ngx_http_guardrail_var_version
} ngx_http_guardrail_var_e;


#define NGX_HTTP_GUARDRAIL_VAR_SIZE      256
#define NGX_HTTP_GUARDRAIL_VAR_ENCODING  64     /* bytes of foreign text */


static ngx_int_t ngx_http_guardrail_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_guardrail_text_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_guardrail_fmt_variable(ngx_http_request_t *r,
    guardrail_fmt_t *f, ngx_http_guardrail_ctx_t *ctx, uintptr_t var);
static ngx_uint_t ngx_http_guardrail_fmt_no_body(ngx_http_request_t *r,
    guardrail_fmt_t *f, ngx_http_guardrail_ctx_t *ctx, uintptr_t var);
static ngx_uint_t ngx_http_guardrail_fmt_verdict(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var);
static ngx_uint_t ngx_http_guardrail_fmt_measure(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var);
static ngx_uint_t ngx_http_guardrail_fmt_quota_variable(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var);
static ngx_uint_t ngx_http_guardrail_fmt_encoding(guardrail_fmt_t *f,
    ngx_http_guardrail_head_t *head);
static const char *ngx_http_guardrail_format_name(
    ngx_http_guardrail_ctx_t *ctx);


static ngx_http_variable_t  ngx_http_guardrail_vars[] = {

    { ngx_string("guardrail_verdict"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_verdict,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_reason"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_reason,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_limit"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_limit,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_observed"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_observed,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_tenant"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_tenant,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_format"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_format,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_encoding"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_encoding,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_body_bytes"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_body_bytes,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_decoded_bytes"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_decoded_bytes,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_ratio"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_ratio,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_records"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_records,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_largest_record"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_largest_record,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_policy"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_policy,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_json_depth"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_json_depth,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_memory"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_memory,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_queue_time"), NULL,
      ngx_http_guardrail_variable, ngx_http_guardrail_var_queue_time,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_label"), NULL,
      ngx_http_guardrail_text_variable, ngx_http_guardrail_var_label,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("guardrail_version"), NULL,
      ngx_http_guardrail_text_variable, ngx_http_guardrail_var_version,
      0, 0 },

    ngx_http_null_variable
};


ngx_int_t
ngx_http_guardrail_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_guardrail_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char                       buf[NGX_HTTP_GUARDRAIL_VAR_SIZE];
    size_t                     len;
    guardrail_fmt_t            f;
    ngx_http_guardrail_ctx_t  *ctx;

    guardrail_fmt_init(&f, buf, sizeof(buf));

    ctx = ngx_http_guardrail_find_ctx(r->main);

    if (!ngx_http_guardrail_fmt_variable(r, &f, ctx, data)) {
        v->not_found = 1;
        return NGX_OK;
    }

    len = (size_t) (f.pos - buf);

    v->data = ngx_pnalloc(r->pool, len + 1);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, buf, len);

    v->len = (unsigned) len & 0xfffffff;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/* what the configuration knows: nothing to copy */

static ngx_int_t
ngx_http_guardrail_text_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                     *s;
    ngx_http_guardrail_series_t   *series;

    static ngx_str_t  version = ngx_string(NGX_HTTP_GUARDRAIL_VERSION);

    s = &version;

    if (data == ngx_http_guardrail_var_label) {
        series = ngx_http_guardrail_find_series(r->main,
                                    ngx_http_guardrail_find_ctx(r->main));

        if (series == NULL) {
            v->not_found = 1;
            return NGX_OK;
        }

        s = &series->label;
    }

    v->data = s->data;
    v->len = (unsigned) s->len & 0xfffffff;
    v->valid = 1;
    v->no_cacheable = (data == ngx_http_guardrail_var_label);
    v->not_found = 0;

    return NGX_OK;
}


ngx_http_guardrail_verdict_e
ngx_http_guardrail_verdict(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_loc_conf_t  *glcf;

    if (ctx) {

        if (ctx->refused) {
            return ngx_http_guardrail_verdict_reject;
        }

        if (ctx->aborted) {
            return ngx_http_guardrail_verdict_aborted;
        }

        if (ctx->would) {
            return ngx_http_guardrail_verdict_would;
        }

        if (ctx->entered) {
            return (ctx->mode == NGX_HTTP_GUARDRAIL_OFF)
                   ? ngx_http_guardrail_verdict_off
                   : ngx_http_guardrail_verdict_pass;
        }
    }

    /* the gate has nothing to do for a request without a body */

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

    return ngx_http_guardrail_configured(glcf)
           ? ngx_http_guardrail_verdict_pass
           : ngx_http_guardrail_verdict_off;
}


static ngx_uint_t
ngx_http_guardrail_fmt_variable(ngx_http_request_t *r, guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var)
{
    switch (var) {

    case ngx_http_guardrail_var_verdict:
        guardrail_fmt_text(f, ngx_http_guardrail_verdict_name(
                                  ngx_http_guardrail_verdict(r->main, ctx)));
        return 1;

    case ngx_http_guardrail_var_tenant:
        ngx_http_guardrail_fmt_tenant(f, r->main);
        return 1;

    case ngx_http_guardrail_var_policy:
    case ngx_http_guardrail_var_queue_time:
        return ctx && ctx->quotas
               && ngx_http_guardrail_fmt_quota_variable(f, ctx, var);

    case ngx_http_guardrail_var_reason:
    case ngx_http_guardrail_var_limit:
    case ngx_http_guardrail_var_observed:
        return ctx && ngx_http_guardrail_fmt_verdict(f, ctx, var);

    default:

        /* a body that nobody looked at is not 0 bytes, but not known */

        if (ctx && (ctx->body.alloc || ctx->refused || ctx->would)) {
            return ngx_http_guardrail_fmt_measure(f, ctx, var);
        }

        return ngx_http_guardrail_fmt_no_body(r->main, f, ctx, var);
    }
}


/* 0 for what a guarded request without a body has */

static ngx_uint_t
ngx_http_guardrail_fmt_no_body(ngx_http_request_t *r, guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var)
{
    ngx_table_elt_t  *h;

    /* not content_length_n: what is discarded is counted down there */

    h = r->headers_in.content_length;

    if (r->headers_in.chunked
        || (h && ngx_atoof(h->value.data, h->value.len) != 0)
        || ngx_http_guardrail_verdict(r, ctx)
           != ngx_http_guardrail_verdict_pass)
    {
        return 0;
    }

    switch (var) {

    case ngx_http_guardrail_var_body_bytes:
    case ngx_http_guardrail_var_decoded_bytes:
    case ngx_http_guardrail_var_records:
    case ngx_http_guardrail_var_largest_record:
    case ngx_http_guardrail_var_json_depth:
    case ngx_http_guardrail_var_memory:
        guardrail_fmt_u64(f, 0);
        return 1;

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_http_guardrail_fmt_verdict(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var)
{
    if (ctx->aborted && var == ngx_http_guardrail_var_reason) {
        guardrail_fmt_text(f, "client_gone");
        return 1;
    }

    if (!ctx->refused && !ctx->would) {
        return 0;
    }

    switch (var) {

    case ngx_http_guardrail_var_reason:
        guardrail_fmt_text(f, guardrail_rc_info(ctx->rc)->name);
        return 1;

    case ngx_http_guardrail_var_limit:
        ngx_http_guardrail_fmt_limit(f, ctx);
        break;

    default: /* ngx_http_guardrail_var_observed */
        ngx_http_guardrail_fmt_observed(f, ctx);
    }

    return ngx_http_guardrail_has_limit(ctx)
           || ctx->rc == GUARDRAIL_ENCODING;
}


static ngx_uint_t
ngx_http_guardrail_fmt_measure(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var)
{
    guardrail_body_t  *b;

    b = &ctx->body;

    switch (var) {

    case ngx_http_guardrail_var_format:
        guardrail_fmt_text(f, ngx_http_guardrail_format_name(ctx));
        return 1;

    case ngx_http_guardrail_var_encoding:

        if (ctx->decode && ctx->decode->done) {
            guardrail_fmt_text(f,
                            guardrail_codec_get(ctx->decode->coding)->name);
            return 1;
        }

        return ngx_http_guardrail_fmt_encoding(f, &ctx->head);

    case ngx_http_guardrail_var_body_bytes:
        guardrail_fmt_u64(f, b->wire);
        return 1;

    case ngx_http_guardrail_var_decoded_bytes:
        guardrail_fmt_u64(f, b->decoded);
        return 1;

    case ngx_http_guardrail_var_ratio:

        if (b->wire == 0) {
            return 0;
        }

        guardrail_fmt_quotient(f, b->decoded, b->wire, 3);
        return 1;

    case ngx_http_guardrail_var_records:
        guardrail_fmt_u64(f, guardrail_body_record_count(b));
        return guardrail_body_has_records(b);

    case ngx_http_guardrail_var_json_depth:
        guardrail_fmt_u64(f, b->json ? b->json->deepest : 0);
        return b->json && b->format != GUARDRAIL_FORMAT_NONE
               && b->format != GUARDRAIL_FORMAT_CSV
               && b->format < GUARDRAIL_FORMAT_SNIFF;

    case ngx_http_guardrail_var_memory:

        guardrail_fmt_u64(f, guardrail_body_estimate(b));
        return guardrail_body_has_estimate(b);

    default: /* ngx_http_guardrail_var_largest_record */
        guardrail_fmt_u64(f, guardrail_body_largest_record(b));
        return guardrail_body_has_records(b);
    }
}


static ngx_uint_t
ngx_http_guardrail_fmt_quota_variable(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, uintptr_t var)
{
    ngx_msec_t                    ms;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    switch (var) {

    case ngx_http_guardrail_var_policy:

        if (q->refusing == NULL) {
            return 0;
        }

        ngx_http_guardrail_fmt_policy(f, q->refusing);
        return 1;

    default: /* ngx_http_guardrail_var_queue_time */

        ms = q->queue_time;

        if (q->line && q->line->since) {
            ms += ngx_current_msec - q->line->since;
        }

        guardrail_fmt_quotient(f, ms, 1000, 3);
        return 1;
    }
}


/* what the head says, whether it is accepted or not */

static ngx_uint_t
ngx_http_guardrail_fmt_encoding(guardrail_fmt_t *f,
    ngx_http_guardrail_head_t *head)
{
    size_t                    len;
    const guardrail_codec_t  *codec;

    if (!head->parsed) {
        return 0;
    }

    codec = guardrail_codec_get(head->coding);

    if (codec) {
        guardrail_fmt_text(f, codec->name);

    } else if (head->encoding.len) {
        len = ngx_min(head->encoding.len, NGX_HTTP_GUARDRAIL_VAR_ENCODING);
        guardrail_fmt_printable(f, (char *) head->encoding.data, len);

    } else {
        guardrail_fmt_text(f, "identity");
    }

    return 1;
}


static const char *
ngx_http_guardrail_format_name(ngx_http_guardrail_ctx_t *ctx)
{
    switch (ctx->body.format) {

    case GUARDRAIL_FORMAT_NDJSON:
        return "ndjson";

    case GUARDRAIL_FORMAT_JSON:
        return "json";

    case GUARDRAIL_FORMAT_JSON_SEQ:
        return "json_seq";

    case GUARDRAIL_FORMAT_CSV:
    case GUARDRAIL_FORMAT_SNIFF_CSV:    /* blank so far */
        return "csv";

    default:
        return "none";
    }
}
