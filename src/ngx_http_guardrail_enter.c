
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Which quotas a request is under: those of its location, beside those of
 * locations before it, with their keys and limits.
 */


#include "ngx_http_guardrail_module.h"


static ngx_int_t ngx_http_guardrail_eval_limit(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_quota_t *quota,
    guardrail_limit_t *limit);
static ngx_http_guardrail_place_t *ngx_http_guardrail_get_place(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_zone_t *zone);
static ngx_http_guardrail_item_t *ngx_http_guardrail_add_item(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static ngx_http_guardrail_item_t *ngx_http_guardrail_find_item(
    ngx_http_guardrail_quotas_t *q, ngx_http_guardrail_place_t *place,
    guardrail_limit_t *limit);
static void ngx_http_guardrail_change_item(ngx_http_guardrail_item_t *item,
    ngx_http_guardrail_quota_t *quota, guardrail_limit_t *limit);


ngx_int_t
ngx_http_guardrail_enter_quotas(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_uint_t                    i;
    guardrail_limit_t             limit;
    ngx_http_guardrail_item_t    *item;
    ngx_http_guardrail_place_t   *place;
    ngx_http_guardrail_quota_t   *quota;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    if (q == NULL) {
        q = ngx_pcalloc(r->pool, sizeof(ngx_http_guardrail_quotas_t));
        if (q == NULL) {
            goto failed;
        }

        q->ctx = ctx;
        q->meter.charge = ngx_http_guardrail_charge;
        q->meter.opaque = ctx;

        ctx->quotas = q;
    }

    item = q->items;

    for (i = 0; i < q->n_items; i++) {
        item[i].here = 0;
    }

    place = NULL;
    quota = ctx->conf->quotas->elts;

    for (i = 0; i < ctx->conf->quotas->nelts; i++) {

        if (ngx_http_guardrail_eval_limit(r, ctx, &quota[i], &limit)
            != NGX_OK)
        {
            goto unreadable;
        }

        if (limit.value == GUARDRAIL_NO_LIMIT) {
            continue;
        }

        /* they are in the order of zones: a key is evaluated once */

        if (place == NULL || place->zone != quota[i].zone) {
            place = ngx_http_guardrail_get_place(r, ctx, quota[i].zone);

            if (place == NULL) {
                goto failed;
            }
        }

        item = ngx_http_guardrail_find_item(q, place, &limit);

        if (item) {
            ngx_http_guardrail_change_item(item, &quota[i], &limit);
            continue;
        }

        item = ngx_http_guardrail_add_item(r, ctx);
        if (item == NULL) {
            goto failed;
        }

        item->quota = &quota[i];
        item->place = place;
        item->rate.limit = limit;
        item->here = 1;

        if (limit.unit == GUARDRAIL_UNIT_RECORDS) {
            q->meter.records = 1;
        }
    }

    return NGX_OK;

unreadable:

    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
    ctx->error = "a limit cannot be read";

    return NGX_ERROR;

failed:

    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
    ctx->error = "there is no memory for its quotas";

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_guardrail_eval_limit(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_quota_t *quota,
    guardrail_limit_t *limit)
{
    ngx_str_t  s;

    if (quota->cv == NULL) {
        *limit = quota->limit;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, quota->cv, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (guardrail_limit_parse(limit, quota->limit.unit, s.data, s.len)
        == GUARDRAIL_LIMIT_OK)
    {
        return NGX_OK;
    }

    ngx_http_guardrail_say_unreadable(r, &quota->cv->value, "guardrail_quota",
                                      &s);

    if (ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN) {
        limit->value = GUARDRAIL_NO_LIMIT;
        return NGX_OK;
    }

    return NGX_ERROR;
}


/* a key is evaluated for each location; the same key is the same place */

static ngx_http_guardrail_place_t *
ngx_http_guardrail_get_place(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_zone_t *zone)
{
    uint64_t                      hash[2];
    ngx_str_t                     key, name;
    ngx_http_guardrail_whose_t   *whose;
    ngx_http_guardrail_place_t   *place, **last;
    ngx_http_guardrail_quotas_t  *q;

    if (zone->tenant) {
        whose = ngx_http_guardrail_whose(r);
        if (whose == NULL) {
            return NULL;
        }

        hash[0] = whose->hash[0];
        hash[1] = whose->hash[1];

        name = whose->key;
        name.len = whose->hashed ? 0 : ngx_min(name.len, GUARDRAIL_HEAVY_NAME);

    } else {

        if (ngx_http_complex_value(r, &zone->key, &key) != NGX_OK) {
            return NULL;
        }

        if (key.len == 0) {
            ngx_str_set(&key, "anonymous");
        }

        guardrail_siphash(ngx_http_guardrail_secret, key.data, key.len, hash);

        name = key;

        if (zone->secret || key.len > GUARDRAIL_HEAVY_NAME) {
            name.len = 0;
        }
    }

    q = ctx->quotas;

    for (last = &q->places; *last; last = &place->next) {
        place = *last;

        if (place->zone == zone && place->key.hash[0] == hash[0]
            && place->key.hash[1] == hash[1])
        {
            return place;
        }
    }

    place = ngx_pcalloc(r->pool, sizeof(ngx_http_guardrail_place_t));
    if (place == NULL) {
        return NULL;
    }

    *last = place;

    place->zone = zone;
    place->name = name;
    place->key.hash[0] = hash[0];
    place->key.hash[1] = hash[1];
    place->key.entry = GUARDRAIL_ZONE_NONE;

    return place;
}


/* each location makes room for all of its own: they are pointed at */

static ngx_http_guardrail_item_t *
ngx_http_guardrail_add_item(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    size_t                        n;
    ngx_http_guardrail_item_t    *items;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    if (q->n_items == q->max_items) {
        n = q->n_items + ctx->conf->quotas->nelts;

        items = ngx_pcalloc(r->pool, n * sizeof(ngx_http_guardrail_item_t));
        if (items == NULL) {
            return NULL;
        }

        if (q->n_items) {
            ngx_memcpy(items, q->items,
                       q->n_items * sizeof(ngx_http_guardrail_item_t));
        }

        q->items = items;
        q->max_items = (uint32_t) n;
    }

    return &q->items[q->n_items++];
}


static ngx_http_guardrail_item_t *
ngx_http_guardrail_find_item(ngx_http_guardrail_quotas_t *q,
    ngx_http_guardrail_place_t *place, guardrail_limit_t *limit)
{
    ngx_uint_t                  i;
    ngx_http_guardrail_item_t  *items;

    items = q->items;

    for (i = 0; i < q->n_items; i++) {
        if (items[i].place == place
            && guardrail_limit_same(&items[i].rate.limit, limit))
        {
            return &items[i];
        }
    }

    return NULL;
}


/*
 * Of several limits of one location on one counter the smallest holds; that
 * of a later location replaces it, and is judged with what was charged.
 */

static void
ngx_http_guardrail_change_item(ngx_http_guardrail_item_t *item,
    ngx_http_guardrail_quota_t *quota, guardrail_limit_t *limit)
{
    ngx_uint_t  less;

    less = (limit->value < item->rate.limit.value);

    if (item->here && !less) {
        return;
    }

    item->again |= less && (item->charged || item->counted);
    item->here = 1;
    item->quota = quota;
    item->rate.limit.value = limit->value;
}


void
ngx_http_guardrail_quota_limits(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t constant,
    guardrail_body_limits_t *limits)
{
    ngx_str_t                    s;
    ngx_uint_t                   i;
    guardrail_limit_t            limit;
    ngx_http_guardrail_quota_t  *quota;

    quota = ctx->conf->quotas->elts;

    for (i = 0; i < ctx->conf->quotas->nelts; i++) {

        limit = quota[i].limit;

        if (limit.unit != GUARDRAIL_UNIT_RECORDS
            && limit.unit != GUARDRAIL_UNIT_MEMORY)
        {
            continue;
        }

        if (quota[i].cv) {

            /* what cannot be read is said, and refused, at admission */

            limit.value = GUARDRAIL_NO_LIMIT;

            if (constant
                || ngx_http_complex_value(r, quota[i].cv, &s) != NGX_OK
                || guardrail_limit_parse(&limit, limit.unit, s.data, s.len)
                   != GUARDRAIL_LIMIT_OK)
            {
                continue;
            }
        }

        if (limit.value == GUARDRAIL_NO_LIMIT) {
            continue;
        }

        if (limit.unit == GUARDRAIL_UNIT_RECORDS) {
            limits->records = 1;

        } else {
            limits->estimate = 1;
        }
    }
}
