
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What clients are told of quotas: RateLimit and RateLimit-Policy, as in
 * draft-ietf-httpapi-ratelimit-headers-10, and Retry-After.
 */


#include "ngx_http_guardrail_module.h"


/* an integer of a structured field has at most 15 digits, RFC 9651 */

#define NGX_HTTP_GUARDRAIL_MAX_INTEGER  999999999999999

/* "-requests-4294967295s";q=15 digits;w=10, and as much for the other */

#define NGX_HTTP_GUARDRAIL_FIELD_ITEM   80


static void ngx_http_guardrail_hide_field(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_int_t ngx_http_guardrail_add_field(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_str_t *name, ngx_uint_t policy);
static ngx_int_t ngx_http_guardrail_add_retry_after(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static void ngx_http_guardrail_fmt_field(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    ngx_uint_t policy);


uint64_t
ngx_http_guardrail_jitter(uint64_t seconds)
{
    /* up to a tenth more, so that those who are refused do not come at once */

    return seconds + (uint64_t) ngx_random() % (seconds / 10 + 1);
}


ngx_int_t
ngx_http_guardrail_add_ratelimit(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    static ngx_str_t  policy = ngx_string("RateLimit-Policy");
    static ngx_str_t  limit = ngx_string("RateLimit");

    if (ctx->conf->headers) {

        if (ngx_http_guardrail_add_field(r, ctx, &policy, 1) != NGX_OK
            || ngx_http_guardrail_add_field(r, ctx, &limit, 0) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ctx->refused && ctx->quotas->retry
        && ctx->rc >= GUARDRAIL_QUOTA_REQUESTS && ctx->rc <= GUARDRAIL_INTERNAL)
    {
        return ngx_http_guardrail_add_retry_after(r, ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_add_field(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_str_t *name, ngx_uint_t policy)
{
    char                       *p;
    size_t                      size;
    ngx_str_t                   value;
    ngx_uint_t                  i, n;
    guardrail_fmt_t             f;
    ngx_http_guardrail_item_t  *items;

    items = ctx->quotas->items;
    size = 0;
    n = 0;

    for (i = 0; i < ctx->quotas->n_items; i++) {

        if (guardrail_unit_info(items[i].rate.limit.unit)->rate) {
            size += items[i].place->zone->name.len
                    + NGX_HTTP_GUARDRAIL_FIELD_ITEM;
            n++;
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    ngx_http_guardrail_hide_field(r, name);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    guardrail_fmt_init(&f, p, size);

    for (i = 0; i < ctx->quotas->n_items; i++) {

        if (!guardrail_unit_info(items[i].rate.limit.unit)->rate) {
            continue;
        }

        if (f.pos != p) {
            guardrail_fmt_text(&f, ", ");
        }

        ngx_http_guardrail_fmt_field(&f, ctx, &items[i], policy);
    }

    value.data = (u_char *) p;
    value.len = (size_t) (f.pos - p);

    return ngx_http_guardrail_add_header(r, name, &value);
}


static void
ngx_http_guardrail_fmt_field(guardrail_fmt_t *f, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, ngx_uint_t policy)
{
    uint64_t           now, n, reset;
    guardrail_rate_t  *rate;

    rate = &item->rate;

    guardrail_fmt_text(f, "\"");
    ngx_http_guardrail_fmt_policy(f, item);

    if (policy) {
        guardrail_fmt_text(f, "\";q=");
        guardrail_fmt_u64(f, ngx_min(rate->limit.value,
                                     NGX_HTTP_GUARDRAIL_MAX_INTEGER));
        guardrail_fmt_text(f, ";w=");
        guardrail_fmt_u64(f, rate->limit.period);

        return;
    }

    now = ngx_http_guardrail_now(item->place->zone);

    n = guardrail_window_remaining(&rate->window, rate->limit.period, now,
                                   rate->limit.value);
    reset = guardrail_window_reset(&rate->window, rate->limit.period, now);

    /* a client that goes by "t" must not come before Retry-After */

    if (ctx->refused && item->refused) {
        reset = ngx_max(reset, ctx->quotas->retry);
    }

    guardrail_fmt_text(f, "\";r=");
    guardrail_fmt_u64(f, ngx_min(n, NGX_HTTP_GUARDRAIL_MAX_INTEGER));
    guardrail_fmt_text(f, ";t=");
    guardrail_fmt_u64(f, reset);
}


/* an upstream's own fields speak of other limits */

static void
ngx_http_guardrail_hide_field(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash && h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_int_t
ngx_http_guardrail_add_retry_after(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   value;

    static ngx_str_t  name = ngx_string("Retry-After");

    ngx_http_guardrail_hide_field(r, &name);

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = (size_t) (ngx_sprintf(p, "%uL", ctx->quotas->retry) - p);

    return ngx_http_guardrail_add_header(r, &name, &value);
}


void
ngx_http_guardrail_fmt_policy(guardrail_fmt_t *f,
    ngx_http_guardrail_item_t *item)
{
    char                buf[GUARDRAIL_LIMIT_NAME];
    size_t              len;
    ngx_str_t          *name;
    guardrail_limit_t  *limit;

    name = &item->place->zone->name;
    limit = &item->rate.limit;

    guardrail_fmt_raw(f, (char *) name->data, name->len);
    guardrail_fmt_text(f, "-");

    len = guardrail_limit_name(limit->unit, limit->period, buf);
    guardrail_fmt_raw(f, buf, len);
}


void
ngx_http_guardrail_fmt_quota(guardrail_fmt_t *f,
    ngx_http_guardrail_quotas_t *q)
{
    char                        buf[GUARDRAIL_LIMIT_NAME];
    size_t                      len;
    ngx_str_t                  *name;
    guardrail_limit_t          *limit;
    ngx_http_guardrail_item_t  *item;

    item = q->refusing;
    name = &item->place->zone->name;
    limit = &item->rate.limit;

    guardrail_fmt_text(f, ", zone \"");
    guardrail_fmt_raw(f, (char *) name->data, name->len);
    guardrail_fmt_text(f, "\" ");

    len = guardrail_limit_name(limit->unit, limit->period, buf);
    guardrail_fmt_raw(f, buf, len);

    guardrail_fmt_text(f, " limit ");
    guardrail_fmt_u64(f, limit->value);

    /* what never fits is refused whatever is used */

    if (q->too_large == NULL) {
        guardrail_fmt_text(f, " used ");
        guardrail_fmt_u64(f, q->used);
    }

    guardrail_fmt_text(f, " wanted ");
    guardrail_fmt_u64(f, q->wanted);

    if (!guardrail_unit_info(limit->unit)->rate && q->too_large == NULL) {
        guardrail_fmt_text(f, " waiting ");
        guardrail_fmt_u64(f, q->waiters);
    }

    if (q->retry) {
        guardrail_fmt_text(f, " retry ");
        guardrail_fmt_u64(f, q->retry);
    }

    if (q->overflow) {
        guardrail_fmt_text(f, " overflow");
    }
}


void
ngx_http_guardrail_fmt_quota_detail(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx)
{
    guardrail_limit_t             *limit;
    const guardrail_rc_info_t     *info;
    ngx_http_guardrail_quotas_t   *q;

    q = ctx->quotas;
    limit = &q->refusing->rate.limit;
    info = guardrail_rc_info(ctx->rc);

    if (q->never) {
        guardrail_fmt_text(f, ctx->declared ? "The request declares "
                                            : "The request has ");
        guardrail_fmt_u64(f, ctx->observed);
        guardrail_fmt_text(f, " ");
        guardrail_fmt_text(f, info->unit);
        guardrail_fmt_text(f, ", more than the whole quota of ");
        guardrail_fmt_u64(f, limit->value);

    } else {
        guardrail_fmt_text(f, "The quota is ");
        guardrail_fmt_u64(f, limit->value);
        guardrail_fmt_text(f, " ");
        guardrail_fmt_text(f, info->unit);
        guardrail_fmt_text(f, limit->period ? "" : " at a time");
    }

    if (limit->period) {
        guardrail_fmt_text(f, " in ");
        guardrail_fmt_u64(f, limit->period);
        guardrail_fmt_text(f, " seconds");
    }

    if (!q->never) {
        guardrail_fmt_text(f, ", ");
        guardrail_fmt_u64(f, q->used);
        guardrail_fmt_text(f, q->used == 1 ? " is" : " are");
        guardrail_fmt_text(f, " used and ");
        guardrail_fmt_u64(f, q->wanted);
        guardrail_fmt_text(f, q->wanted == 1 ? " more was wanted"
                                             : " more were wanted");

        if (q->retry) {
            guardrail_fmt_text(f, "; try again in ");
            guardrail_fmt_u64(f, q->retry);
            guardrail_fmt_text(f, q->retry == 1 ? " second" : " seconds");
        }
    }

    guardrail_fmt_text(f, ".");
}
