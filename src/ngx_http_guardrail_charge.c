
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Rates of a body, charged while it streams; a rate that refuses; and what is
 * settled when a request was refused, or ends by any way.
 */


#include "ngx_http_guardrail_module.h"


static ngx_int_t ngx_http_guardrail_charge_place(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_place_t *place,
    ngx_uint_t judge);
static ngx_int_t ngx_http_guardrail_charge_item(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    guardrail_entry_t *e, uint64_t now, ngx_uint_t judge);
static uint64_t ngx_http_guardrail_measured(ngx_http_guardrail_ctx_t *ctx,
    guardrail_unit_e unit);
static uint64_t ngx_http_guardrail_cost(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item);
static void ngx_http_guardrail_count_refusal(
    ngx_http_guardrail_item_t *item);
static void ngx_http_guardrail_give_back(ngx_http_guardrail_ctx_t *ctx);
static void ngx_http_guardrail_charge_rest(ngx_http_guardrail_ctx_t *ctx);


const guardrail_body_meter_t *
ngx_http_guardrail_meter(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_uint_t                    i;
    guardrail_unit_e              unit;
    ngx_http_guardrail_item_t    *items;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    if (q == NULL) {
        return NULL;
    }

    items = q->items;

    for (i = 0; i < q->n_items; i++) {
        unit = items[i].rate.limit.unit;

        if (unit == GUARDRAIL_UNIT_RECORDS || unit == GUARDRAIL_UNIT_BYTES
            || unit == GUARDRAIL_UNIT_DECODED
            || (unit == GUARDRAIL_UNIT_MEMORY && q->streams))
        {
            return &q->meter;
        }
    }

    return NULL;
}


/* called by the body, with its counters at what has passed */

guardrail_rc_e
ngx_http_guardrail_charge(void *opaque)
{
    ngx_http_guardrail_ctx_t *ctx = opaque;

    ngx_int_t                    rc;
    ngx_http_guardrail_place_t  *place;

    rc = NGX_OK;

    ngx_http_guardrail_begin_refusing(ctx);

    for (place = ctx->quotas->places; place; place = place->next) {
        if (ngx_http_guardrail_charge_place(ctx, place, 1) != NGX_OK) {
            rc = NGX_DECLINED;
        }
    }

    if (rc != NGX_OK) {
        return ctx->rc;
    }

    if (ctx->quotas->streams
        && ngx_http_guardrail_grow_memory(ctx) != NGX_OK)
    {
        return ctx->rc;
    }

    return GUARDRAIL_OK;
}


ngx_int_t
ngx_http_guardrail_charge_judged(ngx_http_guardrail_ctx_t *ctx)
{
    if (ngx_http_guardrail_meter(ctx) == NULL) {
        return NGX_OK;
    }

    return (ngx_http_guardrail_charge(ctx) == GUARDRAIL_OK) ? NGX_OK
                                                            : NGX_DECLINED;
}


/* judge: refuses; else only counts, as at the end of a request */

static ngx_int_t
ngx_http_guardrail_charge_place(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_place_t *place, ngx_uint_t judge)
{
    uint64_t                      now, measured;
    ngx_int_t                     rc;
    ngx_uint_t                    i, any;
    guardrail_unit_e              unit;
    guardrail_entry_t            *e;
    ngx_http_guardrail_item_t    *items, *item;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    items = q->items;
    any = 0;

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];
        unit = item->rate.limit.unit;

        item->wanted = 0;
        item->rc = GUARDRAIL_RATE_ADMITTED;

        if (item->place == place && guardrail_unit_info(unit)->rate
            && unit != GUARDRAIL_UNIT_REQUESTS)
        {
            measured = ngx_http_guardrail_measured(ctx, unit);

            /* a body that is judged once more starts from 0 */

            if (measured > item->counted) {
                item->wanted = measured - item->counted;
            }

            any |= (item->wanted || item->again);
        }
    }

    if (!any) {
        return NGX_OK;
    }

    zone = place->zone;
    now = ngx_http_guardrail_now(zone);
    rc = NGX_OK;

    ngx_http_guardrail_lock(zone);

    e = guardrail_key_find_locked(&zone->z, &place->key, now,
                                  (unsigned) zone->share);

    for (i = 0; e && i < q->n_items; i++) {
        item = &items[i];

        if (item->place == place && (item->wanted || item->again)
            && guardrail_unit_info(item->rate.limit.unit)->rate
            && ngx_http_guardrail_charge_item(ctx, item, e, now, judge)
               != NGX_OK)
        {
            rc = NGX_DECLINED;
        }
    }

    ngx_http_guardrail_unlock(zone);

    if (e == NULL && judge) {
        return ngx_http_guardrail_zone_full(ctx);
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];

        if (item->place == place && item->rc != GUARDRAIL_RATE_ADMITTED) {
            ngx_http_guardrail_refuse_rate(ctx, item, now,
                                           item->wanted ? item->wanted
                                                        : item->counted,
                                           ngx_http_guardrail_cost(ctx, item));
        }
    }

    return NGX_DECLINED;
}


/* under the lock: the piece that exceeds is charged too, but not in dry_run */

static ngx_int_t
ngx_http_guardrail_charge_item(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, guardrail_entry_t *e, uint64_t now,
    ngx_uint_t judge)
{
    guardrail_zone_t            *z;
    ngx_http_guardrail_place_t  *place;

    place = item->place;
    z = &place->zone->z;

    if (judge) {
        item->rc = guardrail_rate_admit_locked(z, e, &item->rate, now,
                                               item->wanted);

        if (item->rc != GUARDRAIL_RATE_NO_ROOM
            && item->counted + item->wanted > item->rate.limit.value)
        {
            /* no time helps, nor does it help a body to take long */

            item->rc = GUARDRAIL_RATE_NEVER;
        }

        item->again = 0;

        if (item->rc != GUARDRAIL_RATE_ADMITTED
            && ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN)
        {
            return NGX_DECLINED;
        }
    }

    guardrail_rate_charge_locked(z, e, &item->rate, now, item->wanted);
    guardrail_heavy_charged_locked(z, &place->key, place->name.data,
                                   place->name.len, &item->rate, item->wanted,
                                   now);
    guardrail_zone_commit(z);

    item->counted += item->wanted;

    return (item->rc == GUARDRAIL_RATE_ADMITTED) ? NGX_OK : NGX_DECLINED;
}


static uint64_t
ngx_http_guardrail_measured(ngx_http_guardrail_ctx_t *ctx,
    guardrail_unit_e unit)
{
    switch (unit) {

    case GUARDRAIL_UNIT_RECORDS:
        return guardrail_body_record_count(&ctx->body);

    case GUARDRAIL_UNIT_BYTES:
        return ctx->body.wire;

    default: /* GUARDRAIL_UNIT_DECODED */
        return ctx->body.decoded;
    }
}


/* of a request that would come again */

static uint64_t
ngx_http_guardrail_cost(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item)
{
    off_t     declared;
    uint64_t  cost;

    cost = ngx_http_guardrail_measured(ctx, item->rate.limit.unit);

    if (ctx->decode && ctx->decode->done) {

        /* all was measured; the length is that of the decoded body */

        return cost;
    }

    declared = ctx->request->headers_in.content_length_n;

    if (declared <= 0 || (uint64_t) declared < cost) {
        return cost;
    }

    if (item->rate.limit.unit == GUARDRAIL_UNIT_BYTES
        || (item->rate.limit.unit == GUARDRAIL_UNIT_DECODED
            && ctx->body.codec == NULL))
    {
        return (uint64_t) declared;
    }

    return cost;
}


ngx_int_t
ngx_http_guardrail_zone_full(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_ZONE_FULL, 0, 0);
    ctx->error = "the zone of a quota has no room for another key";

    return NGX_DECLINED;
}


/* in dry_run the first excess is the one that is told */

ngx_uint_t
ngx_http_guardrail_was_told(ngx_http_guardrail_ctx_t *ctx)
{
    return ctx->would && ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN;
}


void
ngx_http_guardrail_begin_refusing(ngx_http_guardrail_ctx_t *ctx)
{
    if (ngx_http_guardrail_was_told(ctx)) {
        return;
    }

    ctx->quotas->refusing = NULL;
    ctx->quotas->retry = 0;
    ctx->quotas->never = 0;
}


/*
 * A rate refuses.  The first to do so is named, or one that will refuse for
 * ever; when to come back is said by the one that takes longest.
 */

void
ngx_http_guardrail_refuse_rate(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint64_t now, uint64_t wanted,
    uint64_t cost)
{
    uint64_t                      used, retry;
    guardrail_rate_t             *rate;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    rate = &item->rate;

    item->refused = 1;

    if (ngx_http_guardrail_was_told(ctx)) {
        return;
    }

    if (item->rc == GUARDRAIL_RATE_NO_ROOM) {
        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
        ctx->error = "the zone of a quota has no room for another unit and"
                     " period: see \"rates\" of guardrail_zone";
        q->refusing = item;
        return;
    }

    (void) guardrail_window_retry(&rate->window, rate->limit.period, now,
                                  rate->limit.value, cost, &retry);

    if (item->rc == GUARDRAIL_RATE_NEVER || cost > rate->limit.value) {
        item->rc = GUARDRAIL_RATE_NEVER;
        retry = 0;

    } else {
        retry = ngx_http_guardrail_jitter(retry);
    }

    if (q->refusing == NULL || (item->rc == GUARDRAIL_RATE_NEVER && !q->never))
    {
        used = guardrail_window_used(&rate->window, rate->limit.period, now);

        /* what was charged of it is not what was there before it */

        if (rate->limit.unit == GUARDRAIL_UNIT_REQUESTS
            ? item->charged
            : (item->counted >= wanted && !ctx->declared
               && ctx->mode == NGX_HTTP_GUARDRAIL_ON))
        {
            used = (used > wanted) ? used - wanted : 0;
        }

        ngx_http_guardrail_set_refusing(ctx, item, used, wanted);

        if (item->rc == GUARDRAIL_RATE_NEVER) {
            q->never = 1;
            ctx->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
            ctx->observed = cost;
        }
    }

    q->retry = q->never ? 0 : ngx_max(q->retry, retry);
}


void
ngx_http_guardrail_set_refusing(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint64_t used, uint64_t wanted)
{
    uint64_t                      observed;
    guardrail_rc_e                rc;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    item->refused = 1;

    if (ngx_http_guardrail_was_told(ctx)) {
        return;
    }

    rc = (guardrail_rc_e) (GUARDRAIL_QUOTA_REQUESTS + item->rate.limit.unit);
    observed = guardrail_add_sat(used, wanted);

    ngx_http_guardrail_set_verdict(ctx, rc, item->rate.limit.value, observed);

    if (item->quota->status) {
        ctx->status = item->quota->status;
    }

    q->refusing = item;
    q->used = used;
    q->wanted = wanted;
    q->waiters = 0;
    q->overflow = item->place->key.overflow;
}


void
ngx_http_guardrail_settle_refused(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_uint_t  by_quota;

    if (ctx->quotas == NULL) {
        return;
    }

    by_quota = (ctx->rc >= GUARDRAIL_QUOTA_REQUESTS
                && ctx->rc <= GUARDRAIL_INTERNAL)
               || (ctx->rc == GUARDRAIL_MAX_MEMORY && ctx->quotas->too_large);

    if (ctx->refused) {

        /* in dry_run it passes, and is at work as any other */

        ngx_http_guardrail_stop_waiting(ctx);
        ngx_http_guardrail_release_uploads(ctx);
        ngx_http_guardrail_release_levels(ctx);
    }

    /* what a body is refused for was no mistake of the quotas */

    if (by_quota) {
        ngx_http_guardrail_count_refusal(ctx->quotas->too_large
                                         ? ctx->quotas->too_large
                                         : ctx->quotas->refusing);
        ngx_http_guardrail_give_back(ctx);
        return;
    }

    /* now: its connection may linger for as long as lingering_time */

    ngx_http_guardrail_charge_rest(ctx);
}


/* the one that is named; NULL where a zone had no room, or a value */

static void
ngx_http_guardrail_count_refusal(ngx_http_guardrail_item_t *item)
{
    guardrail_unit_e            unit;
    ngx_http_guardrail_zone_t  *zone;

    if (item == NULL) {
        return;
    }

    zone = item->place->zone;
    unit = item->rate.limit.unit;

    ngx_http_guardrail_lock(zone);

    if (guardrail_unit_info(unit)->rate) {
        guardrail_rate_refused_locked(&zone->z, &item->rate.limit);

    } else {
        zone->z.head->stats.refusals[GUARDRAIL_ZONE_MAX_RATES
                                     + guardrail_level_unit(unit)]++;
    }

    ngx_http_guardrail_unlock(zone);
}


/*
 * The quotas that did not refuse: the request, and of what was streamed the
 * last piece, no more, or one's own quota of records would make bytes free.
 */

static void
ngx_http_guardrail_give_back(ngx_http_guardrail_ctx_t *ctx)
{
    uint64_t                      amount;
    ngx_uint_t                    i;
    guardrail_unit_e              unit;
    ngx_http_guardrail_item_t    *items, *item;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    items = q->items;

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];
        unit = item->rate.limit.unit;

        /* requests are all charged or none */

        if ((item->refused && unit != GUARDRAIL_UNIT_REQUESTS)
            || (!item->charged && item->counted == 0))
        {
            continue;
        }

        amount = (unit == GUARDRAIL_UNIT_REQUESTS) ? 1
                 : (unit == GUARDRAIL_UNIT_RECORDS)
                   ? GUARDRAIL_BODY_METER_RECORDS
                   : GUARDRAIL_BODY_METER_BYTES;

        zone = item->place->zone;

        ngx_http_guardrail_lock(zone);

        guardrail_rate_give_back_locked(&zone->z, &item->place->key,
                                        &item->rate, amount);

        ngx_http_guardrail_unlock(zone);
    }
}


void
ngx_http_guardrail_settle(ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->quotas == NULL) {
        return;
    }

    ngx_http_guardrail_stop_waiting(ctx);
    ngx_http_guardrail_release_uploads(ctx);
    ngx_http_guardrail_release_levels(ctx);

    ngx_http_guardrail_charge_rest(ctx);
}


/* what came in since the last charge; a quota that refused has its own */

static void
ngx_http_guardrail_charge_rest(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_guardrail_item_t    *items;
    ngx_http_guardrail_place_t   *place;
    ngx_http_guardrail_quotas_t  *q;

    if (ctx->mode == NGX_HTTP_GUARDRAIL_OFF) {
        return;
    }

    q = ctx->quotas;
    items = q->items;

    for (i = 0; i < q->n_items; i++) {
        if (items[i].refused) {
            return;
        }
    }

    for (place = q->places; place; place = place->next) {
        (void) ngx_http_guardrail_charge_place(ctx, place, 0);
    }
}
