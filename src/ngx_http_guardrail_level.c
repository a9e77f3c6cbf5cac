
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Levels: leases of uploads, concurrency and memory, and requests that wait
 * for them.
 *
 * A request that waits holds no level: when it is called it tries all of them
 * again, in order, with the place in line that it got first.  Who frees a
 * level grants it in shared memory; requests of the same worker are told at
 * once, others look every 20 ms.
 */


#include "ngx_http_guardrail_module.h"


/* attempts to take what was free a moment ago, before it gives up */

#define NGX_HTTP_GUARDRAIL_TRIES  8


static ngx_int_t ngx_http_guardrail_try_levels(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t **full);
static guardrail_level_rc_e ngx_http_guardrail_try(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    ngx_uint_t wait);
static guardrail_level_rc_e ngx_http_guardrail_try_locked(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    guardrail_want_t *want, ngx_uint_t wait, uint64_t now);
static guardrail_level_rc_e ngx_http_guardrail_accept_locked(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    uint64_t now);
static guardrail_level_rc_e ngx_http_guardrail_grow(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    uint64_t amount);
static ngx_int_t ngx_http_guardrail_refuse_level(
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_item_t *item,
    guardrail_level_rc_e rc);
static ngx_uint_t ngx_http_guardrail_is_level(
    ngx_http_guardrail_item_t *item);
static ngx_uint_t ngx_http_guardrail_left_behind(ngx_http_request_t *r);
static void ngx_http_guardrail_release(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, ngx_uint_t hold);


/* what a request would take of the memory of its backend */

uint64_t
ngx_http_guardrail_estimate(ngx_http_guardrail_ctx_t *ctx)
{
    return guardrail_body_estimate(&ctx->body);
}


/* one that is taken before the backend is contacted */

static ngx_uint_t
ngx_http_guardrail_is_level(ngx_http_guardrail_item_t *item)
{
    return item->rate.limit.unit == GUARDRAIL_UNIT_CONCURRENCY
           || item->rate.limit.unit == GUARDRAIL_UNIT_MEMORY;
}


ngx_int_t
ngx_http_guardrail_take_levels(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    guardrail_level_rc_e          lrc;
    ngx_http_guardrail_item_t    *item;
    ngx_http_guardrail_line_t    *line;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    item = NULL;

    if (q == NULL || q->streams) {
        return NGX_OK;
    }

    line = q->line;

    if (q->waits && !line->expired
        && !guardrail_waiter_called(&line->item->place->zone->z, line->waiter))
    {
        ngx_http_guardrail_list(line);
        return NGX_AGAIN;
    }

    for (n = 0; n < NGX_HTTP_GUARDRAIL_TRIES; n++) {

        rc = ngx_http_guardrail_try_levels(ctx, &item);

        if (rc != NGX_AGAIN) {

            if (rc == NGX_OK) {
                ngx_http_guardrail_end_waiting(q);
            }

            return rc;
        }

        ngx_http_guardrail_release_levels(ctx);

        if (q->waits && line->item == item && !line->expired) {

            /* it was called, and what was granted has gone to another */

            ngx_http_guardrail_list(line);

            return NGX_AGAIN;
        }

        ngx_http_guardrail_leave_line(ctx);

        if (line && line->expired) {
            (void) ngx_atomic_fetch_add((ngx_atomic_t *)
                             &item->place->zone->z.head->stats.timeouts, 1);
        }

        if (item->quota->queue == 0
            || ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN
            || (line && line->expired))
        {
            return ngx_http_guardrail_refuse_level(ctx, item,
                                                   GUARDRAIL_LEVEL_FULL);
        }

        if (line == NULL) {

            if (ngx_http_guardrail_make_line(ctx) != NGX_OK) {
                ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
                ctx->error = "there is no memory for it to wait";
                return NGX_DECLINED;
            }

            line = q->line;
        }

        lrc = ngx_http_guardrail_try(ctx, item, 1);

        if (q->waits) {
            ngx_http_guardrail_begin_waiting(ctx);
            return NGX_AGAIN;
        }

        if (lrc != GUARDRAIL_LEVEL_OK) {
            return ngx_http_guardrail_refuse_level(ctx, item, lrc);
        }

        /* it has become free meanwhile: all of them again */
    }

    return ngx_http_guardrail_refuse_level(ctx, item, GUARDRAIL_LEVEL_FULL);
}


/* NGX_OK: all are leased; NGX_AGAIN: *full is full; NGX_DECLINED: refused */

static ngx_int_t
ngx_http_guardrail_try_levels(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t **full)
{
    ngx_uint_t                    i;
    guardrail_level_rc_e          rc;
    ngx_http_guardrail_item_t    *items, *item;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    items = q->items;

    /* what can never fit is told at once, whatever is full before it */

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];

        if (!ngx_http_guardrail_is_level(item) || item->leased) {
            continue;
        }

        item->amount = (item->rate.limit.unit == GUARDRAIL_UNIT_MEMORY)
                       ? ngx_http_guardrail_estimate(ctx) : 1;

        if (item->amount > item->rate.limit.value) {
            return ngx_http_guardrail_refuse_level(ctx, item,
                                                   GUARDRAIL_LEVEL_NEVER);
        }
    }

    for (i = 0; i < q->n_items; i++) {
        item = &items[i];

        if (!ngx_http_guardrail_is_level(item) || item->leased
            || item->amount == 0)
        {
            continue;
        }

        rc = ngx_http_guardrail_try(ctx, item, 0);

        if (rc == GUARDRAIL_LEVEL_OK) {
            continue;
        }

        if (rc == GUARDRAIL_LEVEL_FULL) {
            *full = item;
            return NGX_AGAIN;
        }

        return ngx_http_guardrail_refuse_level(ctx, item, rc);
    }

    return NGX_OK;
}


/* takes one level; wait: or stands in line for it, which sets q->waits */

static guardrail_level_rc_e
ngx_http_guardrail_try(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, ngx_uint_t wait)
{
    uint64_t                      now;
    guardrail_want_t              want;
    guardrail_level_rc_e          rc;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_place_t   *place;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    place = item->place;
    zone = place->zone;
    now = ngx_http_guardrail_now(zone);

    ngx_http_guardrail_lock(zone);

    guardrail_level_expire_locked(&zone->z, now);

    want.entry = guardrail_key_find_locked(&zone->z, &place->key, now,
                                           (unsigned) zone->share);

    if (want.entry == NULL || zone->slot == GUARDRAIL_ZONE_NONE) {
        rc = GUARDRAIL_LEVEL_NO_ROOM;
        zone->z.head->stats.full++;

    } else {

        /* its place at all levels is that of its first attempt */

        if (place->ticket == 0 && item->quota->queue) {
            place->ticket = guardrail_level_ticket_locked(&zone->z);
        }

        want.amount = item->amount;
        want.limit = item->rate.limit.value;
        want.ticket = place->ticket;
        want.unit = (uint32_t) guardrail_level_unit(item->rate.limit.unit);
        want.slot = zone->slot;

        rc = ngx_http_guardrail_try_locked(ctx, item, &want, wait, now);

        place->ticket = want.ticket;

        if (item->leased) {
            guardrail_heavy_taken_locked(&zone->z, &place->key,
                                         place->name.data, place->name.len,
                                         &want, now);
        }

        /* what is said of a refusal */

        q->used = guardrail_level_used_locked(&zone->z, &want);
        q->waiters = guardrail_level_waiting_locked(&zone->z, &want);
        q->retry = guardrail_level_retry_locked(&zone->z, &want, now);
    }

    ngx_http_guardrail_unlock(zone);

    return rc;
}


static guardrail_level_rc_e
ngx_http_guardrail_try_locked(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, guardrail_want_t *want, ngx_uint_t wait,
    uint64_t now)
{
    guardrail_zone_t             *z;
    guardrail_level_rc_e          rc;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    z = &item->place->zone->z;

    if (q->waits && q->line->item == item) {
        return ngx_http_guardrail_accept_locked(ctx, item, now);
    }

    rc = guardrail_level_take_locked(z, want, now, &item->lease);

    if (rc == GUARDRAIL_LEVEL_OK) {
        item->leased = 1;
        item->generation = item->place->zone->generation;
        return rc;
    }

    if (rc != GUARDRAIL_LEVEL_FULL || !wait) {
        return rc;
    }

    rc = guardrail_level_wait_locked(z, want, item->quota->queue,
                                     &q->line->waiter);

    if (rc == GUARDRAIL_LEVEL_OK) {
        q->waits = 1;
        q->line->item = item;
        q->line->generation = item->place->zone->generation;
    }

    return rc;
}


/* it was called: by a grant, or because it had not taken one in time */

static guardrail_level_rc_e
ngx_http_guardrail_accept_locked(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint64_t now)
{
    guardrail_zone_t             *z;
    guardrail_level_rc_e          rc;
    ngx_http_guardrail_line_t    *line;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    line = q->line;
    z = &item->place->zone->z;

    if (!ngx_http_guardrail_is_ours(item->place->zone, line->generation)) {

        /* its place was given back with what a dead process had */

        q->waits = 0;

        return GUARDRAIL_LEVEL_FULL;
    }

    guardrail_level_return_locked(z, line->waiter, now);

    rc = guardrail_level_accept_locked(z, line->waiter, now, &item->lease);

    if (rc == GUARDRAIL_LEVEL_OK) {
        item->leased = 1;
        item->generation = line->generation;
        q->waits = 0;
    }

    return rc;
}


ngx_int_t
ngx_http_guardrail_take_level(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item)
{
    guardrail_level_rc_e  rc;

    if (item->leased) {
        return NGX_OK;
    }

    item->amount = 1;

    rc = ngx_http_guardrail_try(ctx, item, 0);

    if (rc == GUARDRAIL_LEVEL_OK) {
        return NGX_OK;
    }

    return ngx_http_guardrail_refuse_level(ctx, item, rc);
}


ngx_int_t
ngx_http_guardrail_grow_memory(ngx_http_guardrail_ctx_t *ctx)
{
    uint64_t                      amount;
    ngx_uint_t                    i;
    guardrail_level_rc_e          rc;
    ngx_http_guardrail_item_t    *items, *item;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    items = q->items;
    amount = ngx_http_guardrail_estimate(ctx);

    for (i = 0; amount && i < q->n_items; i++) {
        item = &items[i];

        if (item->rate.limit.unit != GUARDRAIL_UNIT_MEMORY) {
            continue;
        }

        if (item->leased) {
            rc = ngx_http_guardrail_grow(ctx, item, amount);

        } else {
            item->amount = amount;
            rc = ngx_http_guardrail_try(ctx, item, 0);
        }

        if (rc != GUARDRAIL_LEVEL_OK) {
            return ngx_http_guardrail_refuse_level(ctx, item, rc);
        }
    }

    return NGX_OK;
}


/* more of what is leased; item->wanted is what is said of a refusal */

static guardrail_level_rc_e
ngx_http_guardrail_grow(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint64_t amount)
{
    uint64_t                      now;
    guardrail_want_t              want;
    guardrail_level_rc_e          rc;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    zone = item->place->zone;
    now = ngx_http_guardrail_now(zone);

    want.unit = GUARDRAIL_LEVEL_MEMORY;
    want.amount = amount - item->amount;
    want.limit = item->rate.limit.value;

    ngx_http_guardrail_lock(zone);

    guardrail_level_expire_locked(&zone->z, now);

    /* whoever took this process for dead has given it back already */

    if (!ngx_http_guardrail_is_ours(zone, item->generation)) {
        ngx_http_guardrail_unlock(zone);

        item->leased = 0;
        item->amount = amount;

        return ngx_http_guardrail_try(ctx, item, 0);
    }

    want.entry = guardrail_zone_entry(&zone->z, item->place->key.entry);

    rc = guardrail_level_resize_locked(&zone->z, item->lease, amount,
                                       item->rate.limit.value, now);
    q->used = 0;
    q->waiters = 0;
    q->retry = 1;

    if (rc == GUARDRAIL_LEVEL_OK) {
        guardrail_heavy_taken_locked(&zone->z, &item->place->key,
                                     item->place->name.data,
                                     item->place->name.len, &want, now);

    } else if (rc == GUARDRAIL_LEVEL_FULL) {
        q->used = guardrail_level_used_locked(&zone->z, &want);
        q->waiters = guardrail_level_waiting_locked(&zone->z, &want);
        q->retry = guardrail_level_retry_locked(&zone->z, &want, now);
    }

    ngx_http_guardrail_unlock(zone);

    if (rc == GUARDRAIL_LEVEL_OK) {
        item->amount = amount;

    } else {
        item->wanted = (rc == GUARDRAIL_LEVEL_FULL) ? want.amount : amount;
    }

    return rc;
}


static ngx_int_t
ngx_http_guardrail_refuse_level(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, guardrail_level_rc_e rc)
{
    uint64_t                      used, waiters, wanted;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    switch (rc) {

    case GUARDRAIL_LEVEL_NEVER:

        wanted = item->wanted ? item->wanted : item->amount;

        if (!ngx_http_guardrail_was_told(ctx)) {
            q->refusing = item;
            q->wanted = wanted;
            q->overflow = 0;
        }

        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_MEMORY,
                                       item->rate.limit.value, wanted);
        q->retry = 0;
        q->too_large = item;
        break;

    case GUARDRAIL_LEVEL_NO_ROOM:

        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_ZONE_FULL, 0, 0);
        ctx->error = "the zone of a quota has no room for another lease";
        q->retry = 1;
        break;

    default: /* GUARDRAIL_LEVEL_FULL */

        used = q->used;
        waiters = q->waiters;
        wanted = item->wanted ? item->wanted : item->amount;

        ngx_http_guardrail_set_refusing(ctx, item, used, wanted);

        q->waiters = waiters;
    }

    return NGX_DECLINED;
}


void
ngx_http_guardrail_release_uploads(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_guardrail_item_t    *items;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    if (q == NULL) {
        return;
    }

    items = q->items;

    for (i = 0; i < q->n_items; i++) {
        if (items[i].leased
            && items[i].rate.limit.unit == GUARDRAIL_UNIT_UPLOADS)
        {
            ngx_http_guardrail_release(ctx, &items[i], 0);
        }
    }
}


void
ngx_http_guardrail_release_levels(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_uint_t                    i, hold;
    ngx_http_guardrail_item_t    *items;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    if (q == NULL) {
        return;
    }

    items = q->items;
    hold = !ctx->refused && ngx_http_guardrail_left_behind(ctx->request);

    for (i = 0; i < q->n_items; i++) {
        if (items[i].leased && ngx_http_guardrail_is_level(&items[i])) {
            ngx_http_guardrail_release(ctx, &items[i], hold);
        }
    }
}


static void
ngx_http_guardrail_release(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, ngx_uint_t hold)
{
    uint64_t                    now, end;
    ngx_http_guardrail_zone_t  *zone;

    zone = item->place->zone;

    item->leased = 0;

    ngx_http_guardrail_lock(zone);

    now = ngx_http_guardrail_now(zone);

    /* whoever took this process for dead has given it back already */

    if (ngx_http_guardrail_is_ours(zone, item->generation)) {
        end = hold ? now + item->quota->hold : 0;

        if (hold && item->quota->hold) {
            guardrail_level_hold_locked(&zone->z, item->lease,
                                        (uint32_t) ((end + 999) / 1000), now);
        } else {
            guardrail_level_release_locked(&zone->z, item->lease, now);
        }
    }

    ngx_http_guardrail_unlock(zone);

    ngx_http_guardrail_call_waiting(zone);
}


/*
 * A backend has the request and has not begun to answer, and nobody waits for
 * it any more: the client left (0), or nginx did (504).  One that refused or
 * closed the connection (502) does nothing.
 */

static ngx_uint_t
ngx_http_guardrail_left_behind(ngx_http_request_t *r)
{
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL || r->upstream_states->nelts == 0) {
        return 0;
    }

    state = r->upstream_states->elts;
    state += r->upstream_states->nelts - 1;

    return state->peer
           && state->connect_time != (ngx_msec_t) -1
           && state->header_time == (ngx_msec_t) -1
           && (state->status == 0
               || state->status == NGX_HTTP_GATEWAY_TIME_OUT);
}
