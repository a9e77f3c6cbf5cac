
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Which quotas a request is under, and its admission: nothing is charged
 * before PRECONTENT, so what other modules refuse is free.
 */


#include "ngx_http_guardrail_module.h"


static ngx_int_t ngx_http_guardrail_admit_requests(
    ngx_http_guardrail_ctx_t *ctx);
static ngx_uint_t ngx_http_guardrail_is_request_rate(
    ngx_http_guardrail_item_t *item, ngx_http_guardrail_place_t *place);
static ngx_int_t ngx_http_guardrail_admit_place(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_place_t *place, ngx_uint_t charge);
static ngx_int_t ngx_http_guardrail_admit_length(
    ngx_http_guardrail_ctx_t *ctx, off_t length);


ngx_int_t
ngx_http_guardrail_admit(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    off_t length, ngx_uint_t body)
{
    ngx_uint_t                    i;
    ngx_http_guardrail_item_t    *items;
    ngx_http_guardrail_whose_t   *whose;
    ngx_http_guardrail_quotas_t  *q;

    if (ctx->conf->tenant) {
        whose = ngx_http_guardrail_whose(r);

        if (whose == NULL) {
            ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
            ctx->error = "the tenant cannot be told";
            return NGX_DECLINED;
        }

        if (whose->rejected) {
            ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_TENANT, 0, 0);
            ctx->error = "it does not say whose it is";
            return NGX_DECLINED;
        }
    }

    if (ctx->conf->quotas == NULL) {
        return NGX_OK;
    }

    if (ngx_http_guardrail_enter_quotas(r, ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    q = ctx->quotas;
    items = q->items;

    ngx_http_guardrail_begin_refusing(ctx);

    if (ngx_http_guardrail_admit_requests(ctx) != NGX_OK) {

        /* who comes back does so with the same body */

        if (length > 0 && ctx->mode == NGX_HTTP_GUARDRAIL_ON && q->refusing
            && q->refusing->rc != GUARDRAIL_RATE_NO_ROOM)
        {
            (void) ngx_http_guardrail_admit_length(ctx, length);
        }

        return NGX_DECLINED;
    }

    if (!body) {
        return NGX_OK;
    }

    if (length > 0 && ngx_http_guardrail_admit_length(ctx, length) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* a body that streams has its backend from the start */

    q->streams = (ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN
                  || !ctx->conf->buffering);

    for (i = 0; i < q->n_items; i++) {

        /* one that was read before is no upload any more */

        if ((items[i].rate.limit.unit != GUARDRAIL_UNIT_UPLOADS
             || ctx->complete)
            && (items[i].rate.limit.unit != GUARDRAIL_UNIT_CONCURRENCY
                || !q->streams))
        {
            continue;
        }

        if (ngx_http_guardrail_take_level(ctx, &items[i]) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* all rates of requests, or none */

static ngx_int_t
ngx_http_guardrail_admit_requests(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_guardrail_place_t  *place;

    rc = NGX_OK;

    /* each place is asked: the last to admit again says when to come back */

    for (place = ctx->quotas->places; place; place = place->next) {
        if (ngx_http_guardrail_admit_place(ctx, place, rc == NGX_OK)
            != NGX_OK)
        {
            rc = NGX_DECLINED;
        }
    }

    return rc;
}


/* not charged yet, or under another limit */

static ngx_uint_t
ngx_http_guardrail_is_request_rate(ngx_http_guardrail_item_t *item,
    ngx_http_guardrail_place_t *place)
{
    return item->place == place
           && (!item->charged || item->again)
           && item->rate.limit.unit == GUARDRAIL_UNIT_REQUESTS;
}


static ngx_int_t
ngx_http_guardrail_admit_place(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_place_t *place, ngx_uint_t charge)
{
    uint64_t                      now;
    ngx_uint_t                    i, any;
    guardrail_entry_t            *e;
    ngx_http_guardrail_item_t    *items, *item;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    items = q->items;
    any = 0;

    /* the others are looked at for what the client is told of them */

    for (i = 0; i < q->n_items; i++) {
        any |= (items[i].place == place
                && guardrail_unit_info(items[i].rate.limit.unit)->rate
                && (ctx->conf->headers
                    || items[i].rate.limit.unit == GUARDRAIL_UNIT_REQUESTS));
    }

    if (!any) {
        return NGX_OK;
    }

    zone = place->zone;
    now = ngx_http_guardrail_now(zone);

    guardrail_key_prefetch(&zone->z, &place->key);

    ngx_http_guardrail_lock(zone);

    e = guardrail_key_find_locked(&zone->z, &place->key, now,
                                  (unsigned) zone->share);

    for (i = 0; e && i < q->n_items; i++) {
        item = &items[i];

        if (ngx_http_guardrail_is_request_rate(item, place)) {
            item->rc = guardrail_rate_admit_locked(&zone->z, e, &item->rate,
                                                   now, !item->charged);
            charge &= (item->rc == GUARDRAIL_RATE_ADMITTED);

        } else if (item->place == place
                   && guardrail_unit_info(item->rate.limit.unit)->rate)
        {
            (void) guardrail_rate_admit_locked(&zone->z, e, &item->rate, now,
                                               0);
        }
    }

    for (i = 0; e && charge && i < q->n_items; i++) {
        item = &items[i];

        if (ngx_http_guardrail_is_request_rate(item, place)
            && !item->charged)
        {
            guardrail_rate_charge_locked(&zone->z, e, &item->rate, now, 1);
            guardrail_heavy_charged_locked(&zone->z, &place->key,
                                           place->name.data, place->name.len,
                                           &item->rate, 1, now);
            item->charged = 1;
        }
    }

    ngx_http_guardrail_unlock(zone);

    if (e == NULL) {
        return ngx_http_guardrail_zone_full(ctx);
    }

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];

        if (ngx_http_guardrail_is_request_rate(item, place)
            && item->rc != GUARDRAIL_RATE_ADMITTED)
        {
            ngx_http_guardrail_refuse_rate(ctx, item, now, 1, !item->charged);
        }

        if (item->place == place) {
            item->again &= (item->rate.limit.unit != GUARDRAIL_UNIT_REQUESTS);
        }
    }

    return q->refusing ? NGX_DECLINED : NGX_OK;
}


/* what is declared must fit into what is left, or it need not be read */

static ngx_int_t
ngx_http_guardrail_admit_length(ngx_http_guardrail_ctx_t *ctx, off_t length)
{
    uint64_t                      now;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    guardrail_entry_t            *e;
    ngx_http_guardrail_item_t    *items, *item;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    items = q->items;
    rc = NGX_OK;

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];

        if (item->rate.limit.unit != GUARDRAIL_UNIT_BYTES
            || item->counted)
        {
            continue;
        }

        zone = item->place->zone;
        now = ngx_http_guardrail_now(zone);

        ngx_http_guardrail_lock(zone);

        e = guardrail_key_find_locked(&zone->z, &item->place->key, now,
                                      (unsigned) zone->share);

        if (e) {
            item->rc = guardrail_rate_admit_locked(&zone->z, e, &item->rate,
                                                   now, (uint64_t) length);
        }

        ngx_http_guardrail_unlock(zone);

        if (e == NULL) {
            return ngx_http_guardrail_zone_full(ctx);
        }

        if (item->rc != GUARDRAIL_RATE_ADMITTED) {
            ngx_http_guardrail_refuse_rate(ctx, item, now, (uint64_t) length,
                                           (uint64_t) length);
            ctx->declared |= (q->refusing == item);
            rc = NGX_DECLINED;
        }
    }

    return rc;
}
