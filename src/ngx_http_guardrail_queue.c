
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Those who wait for a level.  A request stands in line in shared memory;
 * who frees a level grants it there, and workers look whether theirs were
 * called.
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_POLL   20            /* ms */


static void ngx_http_guardrail_unlist(ngx_http_guardrail_line_t *line);
static void ngx_http_guardrail_timeout_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_guardrail_make_line(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_connection_t           *c;
    ngx_http_guardrail_line_t  *line;

    c = ctx->request->connection;

    line = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_guardrail_line_t));
    if (line == NULL) {
        return NGX_ERROR;
    }

    line->ctx = ctx;
    line->timer.handler = ngx_http_guardrail_timeout_handler;
    line->timer.data = c;
    line->timer.log = c->log;

    ctx->quotas->line = line;

    return NGX_OK;
}


void
ngx_http_guardrail_begin_waiting(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_msec_int_t               left;
    ngx_http_guardrail_line_t   *line;
    ngx_http_guardrail_quota_t  *quota;

    line = ctx->quotas->line;
    quota = line->item->quota;

    if (line->since == 0) {
        line->since = ngx_current_msec;
    }

    /* one deadline, that of the level where it waited first */

    if (!line->waited) {
        line->waited = 1;
        line->deadline = ngx_current_msec + quota->timeout;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "guardrail waits for %s of zone \"%V\"",
                   guardrail_unit_info(line->item->rate.limit.unit)->name,
                   &line->item->place->zone->name);

    if (!line->timer.timer_set) {
        left = (ngx_msec_int_t) (line->deadline - ngx_current_msec);
        ngx_add_timer(&line->timer, (ngx_msec_t) ngx_max(left, 1));
    }

    ngx_http_guardrail_list(line);
}


void
ngx_http_guardrail_list(ngx_http_guardrail_line_t *line)
{
    ngx_http_guardrail_zone_t  *zone;

    zone = line->item->place->zone;

    if (!line->listed) {
        line->listed = 1;
        ngx_queue_insert_tail(&zone->waiting, &line->queue);
    }

    if (!zone->poll.timer_set) {
        ngx_add_timer(&zone->poll, NGX_HTTP_GUARDRAIL_POLL);
    }
}


/* it has got all, was refused, or ends: no timer may outlive it */

void
ngx_http_guardrail_end_waiting(ngx_http_guardrail_quotas_t *q)
{
    ngx_http_guardrail_line_t  *line;

    line = q->line;

    if (line == NULL) {
        return;
    }

    ngx_http_guardrail_unlist(line);

    if (line->timer.timer_set) {
        ngx_del_timer(&line->timer);
    }

    if (line->since) {
        q->queue_time += ngx_current_msec - line->since;
        line->since = 0;
    }
}


static void
ngx_http_guardrail_unlist(ngx_http_guardrail_line_t *line)
{
    if (line->listed) {
        line->listed = 0;
        ngx_queue_remove(&line->queue);
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
    ngx_http_guardrail_line_t    *line;
    ngx_http_guardrail_zone_t    *zone;
    ngx_http_guardrail_quotas_t  *q;

    q = ctx->quotas;
    line = q->line;

    if (line == NULL) {
        return;
    }

    if (q->waits) {
        zone = line->item->place->zone;
        now = ngx_http_guardrail_now(zone);

        ngx_http_guardrail_lock(zone);

        /* whoever took this process for dead has taken it out already */

        if (ngx_http_guardrail_is_ours(zone, line->generation)) {
            guardrail_level_leave_locked(&zone->z, line->waiter, now);
        }

        if (ctx->aborted) {
            zone->z.head->stats.abandoned++;
        }

        ngx_http_guardrail_unlock(zone);

        q->waits = 0;

        ngx_http_guardrail_call_waiting(zone);
    }

    ngx_http_guardrail_unlist(line);
}


static void
ngx_http_guardrail_timeout_handler(ngx_event_t *ev)
{
    ngx_http_guardrail_line_t  *line;

    line = (ngx_http_guardrail_line_t *) (void *)
           ((u_char *) ev - offsetof(ngx_http_guardrail_line_t, timer));

    line->expired = 1;

    ngx_http_guardrail_unlist(line);

    ngx_http_guardrail_wake_phases(line->ctx);
}


void
ngx_http_guardrail_look(ngx_http_guardrail_zone_t *zone)
{
    ngx_queue_t                *item, *next, called;
    ngx_http_guardrail_line_t  *line;

    ngx_queue_init(&called);

    for (item = ngx_queue_head(&zone->waiting);
         item != ngx_queue_sentinel(&zone->waiting);
         item = next)
    {
        next = ngx_queue_next(item);
        line = ngx_queue_data(item, ngx_http_guardrail_line_t, queue);

        if (guardrail_waiter_called(&zone->z, line->waiter)) {
            ngx_queue_remove(item);
            ngx_queue_insert_tail(&called, item);
        }
    }

    /* each may end others, and take itself out */

    while (!ngx_queue_empty(&called)) {
        item = ngx_queue_head(&called);
        line = ngx_queue_data(item, ngx_http_guardrail_line_t, queue);

        ngx_queue_remove(item);
        line->listed = 0;

        ngx_http_guardrail_wake_phases(line->ctx);
    }

    if (!ngx_queue_empty(&zone->waiting)) {

        if (!zone->poll.timer_set) {
            ngx_add_timer(&zone->poll, NGX_HTTP_GUARDRAIL_POLL);
        }

    } else if (zone->poll.timer_set) {
        ngx_del_timer(&zone->poll);
    }
}
