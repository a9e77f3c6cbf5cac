
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Those who wait for a level.  A request stands in line in shared memory;
 * who frees a level grants it there, and workers look whether theirs were
 * called.
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_POLL   20            /* ms */


static void ngx_http_guardrail_timeout_handler(ngx_event_t *ev);


void
ngx_http_guardrail_begin_waiting(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_msec_int_t                left;
    ngx_http_request_t           *r;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    r = q->request;

    if (!q->waited) {
        q->waited = 1;
        q->since = ngx_current_msec;
        q->deadline = ngx_current_msec + q->waits_for->quota->timeout;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "guardrail waits for %s of zone \"%V\"",
                   guardrail_unit_info(q->waits_for->rate.limit.unit)->name,
                   &q->waits_for->place->zone->name);

    if (!q->timer.timer_set) {
        q->timer.handler = ngx_http_guardrail_timeout_handler;
        q->timer.data = r->connection;
        q->timer.log = r->connection->log;

        left = (ngx_msec_int_t) (q->deadline - ngx_current_msec);
        ngx_add_timer(&q->timer, (ngx_msec_t) ngx_max(left, 1));
    }

    ngx_http_guardrail_list(q);
}


void
ngx_http_guardrail_list(ngx_http_guardrail_quotas_t *q)
{
    ngx_http_guardrail_zone_t  *zone;

    zone = q->waits_for->place->zone;

    if (!q->listed) {
        q->listed = 1;
        ngx_queue_insert_tail(&zone->waiting, &q->queue);
    }

    if (!zone->poll.timer_set) {
        ngx_add_timer(&zone->poll, NGX_HTTP_GUARDRAIL_POLL);
    }
}


/* it has got all, was refused, or ends: no timer may outlive it */

void
ngx_http_guardrail_end_waiting(ngx_http_guardrail_quotas_t *q)
{
    if (q->listed) {
        q->listed = 0;
        ngx_queue_remove(&q->queue);
    }

    if (q->timer.timer_set) {
        ngx_del_timer(&q->timer);
    }

    if (q->since) {
        q->queue_time += ngx_current_msec - q->since;
        q->since = 0;
    }
}


void
ngx_http_guardrail_stop_waiting(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_leave_line(ctx);
    ngx_http_guardrail_end_waiting(ctx->quotas);
}


/* its time, and the timer, go on: it may stand in another line next */

void
ngx_http_guardrail_leave_line(ngx_http_guardrail_ctx_t *ctx)
{
    uint64_t                      now;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;

    if (q->waits) {
        zone = q->waits_for->place->zone;
        now = ngx_http_guardrail_now(zone);

        ngx_http_guardrail_lock(zone);

        guardrail_level_leave_locked(&zone->z, q->waiter, now);

        if (ctx->aborted) {
            zone->z.head->stats.abandoned++;
        }

        ngx_http_guardrail_unlock(zone);

        q->waits = 0;

        ngx_http_guardrail_call_waiting(zone);
    }

    if (q->listed) {
        q->listed = 0;
        ngx_queue_remove(&q->queue);
    }
}


static void
ngx_http_guardrail_timeout_handler(ngx_event_t *ev)
{
    ngx_http_guardrail_quotas_t  *q;

    q = (ngx_http_guardrail_quotas_t *) (void *)
        ((u_char *) ev - offsetof(ngx_http_guardrail_quotas_t, timer));

    q->expired = 1;

    if (q->listed) {
        q->listed = 0;
        ngx_queue_remove(&q->queue);
    }

    ngx_http_guardrail_wake_phases(q->ctx);
}


void
ngx_http_guardrail_look(ngx_http_guardrail_zone_t *zone)
{
    ngx_queue_t                  *item, *next, called;
    ngx_http_guardrail_quotas_t  *q;

    ngx_queue_init(&called);

    for (item = ngx_queue_head(&zone->waiting);
         item != ngx_queue_sentinel(&zone->waiting);
         item = next)
    {
        next = ngx_queue_next(item);
        q = ngx_queue_data(item, ngx_http_guardrail_quotas_t, queue);

        if (guardrail_waiter_called(&zone->z, q->waiter)) {
            ngx_queue_remove(item);
            ngx_queue_insert_tail(&called, item);
        }
    }

    /* each may end others, and take itself out */

    while (!ngx_queue_empty(&called)) {
        item = ngx_queue_head(&called);
        q = ngx_queue_data(item, ngx_http_guardrail_quotas_t, queue);

        ngx_queue_remove(item);
        q->listed = 0;

        ngx_http_guardrail_wake_phases(q->ctx);
    }

    if (!ngx_queue_empty(&zone->waiting)) {

        if (!zone->poll.timer_set) {
            ngx_add_timer(&zone->poll, NGX_HTTP_GUARDRAIL_POLL);
        }

    } else if (zone->poll.timer_set) {
        ngx_del_timer(&zone->poll);
    }
}
