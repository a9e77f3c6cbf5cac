
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Behind the gate: the body is read, or one that was read before is judged,
 * and then levels are taken.
 *
 * Who owns the request while its body is read: as in the mirror module,
 * ngx_http_read_client_request_body() takes a reference and may call our
 * handler at once or later.  At once: the phase handler gives that reference
 * back, and the phases go on.  Later: it gives the phase engine's own back
 * with ngx_http_finalize_request(r, NGX_DONE) and returns NGX_DONE, and the
 * handler runs the phases again, from this handler on.
 */


#include "ngx_http_guardrail_module.h"


static ngx_http_guardrail_cold void ngx_http_guardrail_watch_client(
    ngx_http_request_t *r);
static GUARDRAIL_HOT void ngx_http_guardrail_body_handler(
    ngx_http_request_t *r);


ngx_int_t
ngx_http_guardrail_run_late(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_guardrail_judge_late(r, ctx);

    if (rc == NGX_AGAIN) {

        /* the client may leave meanwhile, or has left: look at once */

        if (r == r->main && ctx->state != ngx_http_guardrail_late) {
            ngx_http_guardrail_watch_client(r);
        }

        /* the queue posts the request */

        ctx->state = ngx_http_guardrail_late;
        r->write_event_handler = ngx_http_core_run_phases;

        return NGX_DONE;
    }

    ctx->state = ngx_http_guardrail_passed;

    if (r == r->main) {
        r->read_event_handler = ngx_http_block_reading;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_guardrail_run_levels(r, ctx);
}


/* the last step before the content handler */

ngx_int_t
ngx_http_guardrail_run_levels(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_uint_t  waited;

    if (ctx->decode && !ctx->decode->done
        && ngx_http_guardrail_decode_end(r, ctx) != NGX_OK)
    {
        ctx->state = ngx_http_guardrail_passed;

        return ngx_http_guardrail_cannot_judge(r, ctx,
                                          "the decoded body cannot be stored");
    }

    if (ctx->quotas == NULL) {
        ctx->state = ngx_http_guardrail_passed;
        return NGX_DECLINED;
    }

    waited = ctx->quotas->waits;

    rc = ngx_http_guardrail_take_levels(r, ctx);

    if (rc == NGX_AGAIN) {

        if (!waited) {
            ngx_http_guardrail_watch_client(r);
        }

        ctx->state = ngx_http_guardrail_levels;
        r->write_event_handler = ngx_http_core_run_phases;

        return NGX_DONE;
    }

    ctx->state = ngx_http_guardrail_passed;

    if (waited) {
        r->read_event_handler = ngx_http_block_reading;
    }

    if (rc != NGX_OK) {
        return ngx_http_guardrail_excess(r, ctx);
    }

    return NGX_DECLINED;
}


/* it may leave while its request waits, or has left: look at once */

static void
ngx_http_guardrail_watch_client(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_test_reading;

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);
    }
}


ngx_int_t
ngx_http_guardrail_read(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->state = ngx_http_guardrail_reading;
    ctx->calling = 1;
    ctx->partial = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_guardrail_body_handler);

    ctx->calling = 0;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    if (ctx->state == ngx_http_guardrail_levels) {

        /* all of it was there: give the reader's reference back, and go on */

        r->main->count--;

        if (ctx->quotas == NULL && ctx->decode == NULL) {
            ctx->state = ngx_http_guardrail_passed;
            return NGX_DECLINED;
        }

        return ngx_http_guardrail_run_levels(r, ctx);
    }

    if (ctx->inspect && !ctx->body.finished
        && ngx_http_guardrail_watch_pace(r, ctx) != NGX_OK)
    {
        r->main->count--;

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_guardrail_body_handler(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_http_guardrail_find_ctx(r);

    ctx->state = ngx_http_guardrail_levels;
    ctx->complete = 1;
    ctx->partial = 0;

    if (ctx->quotas) {
        ngx_http_guardrail_release_uploads(ctx);
    }

    /* another location may read the stored body again */

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;

    if (!ctx->calling) {
        ngx_http_core_run_phases(r);
    }
}
