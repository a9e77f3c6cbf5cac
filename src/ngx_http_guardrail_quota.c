
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Which quotas a request is under, and its admission: nothing is charged
 * before PRECONTENT, so what other modules refuse is free.
 */


#include "ngx_http_guardrail_module.h"


static ngx_int_t ngx_http_guardrail_enter_quotas(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static ngx_int_t ngx_http_guardrail_eval_limit(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_quota_t *quota,
    guardrail_limit_t *limit);
static ngx_http_guardrail_place_t *ngx_http_guardrail_get_place(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_zone_t *zone);
static ngx_http_guardrail_item_t *ngx_http_guardrail_find_item(
    ngx_http_guardrail_quotas_t *q, ngx_http_guardrail_place_t *place,
    guardrail_limit_t *limit);
static void ngx_http_guardrail_change_item(ngx_http_guardrail_item_t *item,
    ngx_http_guardrail_quota_t *quota, guardrail_limit_t *limit);
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

    if (ngx_http_guardrail_enter_quotas(r, ctx) != NGX_OK
        || ngx_http_guardrail_admit_requests(ctx) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (!body) {
        return NGX_OK;
    }

    if (length > 0 && ngx_http_guardrail_admit_length(ctx, length) != NGX_OK) {
        return NGX_DECLINED;
    }

    q = ctx->quotas;
    items = q->items.elts;

    /* a body that streams has its backend from the start */

    q->streams = (ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN
                  || !ctx->conf->buffering);

    for (i = 0; i < q->items.nelts; i++) {

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


/* the quotas of the location, beside those of locations before it */

static ngx_int_t
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

        /* items are pointed at: there is room for all of this location */

        if (ngx_array_init(&q->items, r->pool, ctx->conf->quotas->nelts,
                           sizeof(ngx_http_guardrail_item_t))
            != NGX_OK
            || ngx_array_init(&q->places, r->pool, 2,
                              sizeof(ngx_http_guardrail_place_t *))
               != NGX_OK)
        {
            goto failed;
        }

        q->request = r;
        q->ctx = ctx;
        q->meter.charge = ngx_http_guardrail_charge;
        q->meter.opaque = ctx;

        ctx->quotas = q;
    }

    item = q->items.elts;

    for (i = 0; i < q->items.nelts; i++) {
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

        item = ngx_array_push(&q->items);
        if (item == NULL) {
            goto failed;
        }

        ngx_memzero(item, sizeof(ngx_http_guardrail_item_t));

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
    ngx_str_t                     key;
    ngx_uint_t                    i;
    ngx_http_guardrail_whose_t   *whose;
    ngx_http_guardrail_place_t   *place, **places;
    ngx_http_guardrail_quotas_t  *q;

    if (zone->tenant) {
        whose = ngx_http_guardrail_whose(r);
        if (whose == NULL) {
            return NULL;
        }

        hash[0] = whose->hash[0];
        hash[1] = whose->hash[1];

    } else {

        if (ngx_http_complex_value(r, &zone->key, &key) != NGX_OK) {
            return NULL;
        }

        if (key.len == 0) {
            ngx_str_set(&key, "anonymous");
        }

        guardrail_siphash(ngx_http_guardrail_secret, key.data, key.len, hash);
    }

    q = ctx->quotas;
    places = q->places.elts;

    for (i = 0; i < q->places.nelts; i++) {
        place = places[i];

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

    places = ngx_array_push(&q->places);
    if (places == NULL) {
        return NULL;
    }

    *places = place;

    place->zone = zone;
    place->key.hash[0] = hash[0];
    place->key.hash[1] = hash[1];
    place->key.entry = GUARDRAIL_ZONE_NONE;

    return place;
}


static ngx_http_guardrail_item_t *
ngx_http_guardrail_find_item(ngx_http_guardrail_quotas_t *q,
    ngx_http_guardrail_place_t *place, guardrail_limit_t *limit)
{
    ngx_uint_t                  i;
    ngx_http_guardrail_item_t  *items;

    items = q->items.elts;

    for (i = 0; i < q->items.nelts; i++) {
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


/* all rates of requests, or none */

static ngx_int_t
ngx_http_guardrail_admit_requests(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_guardrail_place_t  **places;

    places = ctx->quotas->places.elts;
    rc = NGX_OK;

    ngx_http_guardrail_begin_refusing(ctx);

    /* each place is asked: the last to admit again says when to come back */

    for (i = 0; i < ctx->quotas->places.nelts; i++) {
        if (ngx_http_guardrail_admit_place(ctx, places[i], rc == NGX_OK)
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
    items = q->items.elts;
    any = 0;

    /* the others are looked at for what the client is told of them */

    for (i = 0; i < q->items.nelts; i++) {
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

    for (i = 0; e && i < q->items.nelts; i++) {
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

    for (i = 0; e && charge && i < q->items.nelts; i++) {
        item = &items[i];

        if (ngx_http_guardrail_is_request_rate(item, place)
            && !item->charged)
        {
            guardrail_rate_charge_locked(&zone->z, e, &item->rate, now, 1);
            item->charged = 1;
        }
    }

    ngx_http_guardrail_unlock(zone);

    if (e == NULL) {
        return ngx_http_guardrail_zone_full(ctx);
    }

    for (i = 0; i < q->items.nelts; i++) {
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
    items = q->items.elts;
    rc = NGX_OK;

    ngx_http_guardrail_begin_refusing(ctx);

    for (i = 0; i < q->items.nelts; i++) {
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
            ctx->declared = 1;
            rc = NGX_DECLINED;
        }
    }

    return rc;
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
