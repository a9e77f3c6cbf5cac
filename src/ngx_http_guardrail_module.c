
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "ngx_http_guardrail_module.h"


static ngx_int_t ngx_http_guardrail_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_guardrail_add_handler(
    ngx_http_core_main_conf_t *cmcf, ngx_http_phases phase,
    ngx_http_handler_pt handler);
static ngx_int_t ngx_http_guardrail_init_module(ngx_cycle_t *cycle);
static void ngx_http_guardrail_exit(ngx_cycle_t *cycle);
static GUARDRAIL_HOT void ngx_http_guardrail_end(void *data);
static GUARDRAIL_HOT void ngx_http_guardrail_free(void *data);


static ngx_http_module_t  ngx_http_guardrail_module_ctx = {
    ngx_http_guardrail_add_variables,      /* preconfiguration */
    ngx_http_guardrail_init,               /* postconfiguration */

    ngx_http_guardrail_create_main_conf,   /* create main configuration */
    ngx_http_guardrail_init_main_conf,     /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_guardrail_create_loc_conf,    /* create location configuration */
    ngx_http_guardrail_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_guardrail_module = {
    NGX_MODULE_V1,
    &ngx_http_guardrail_module_ctx,        /* module context */
    ngx_http_guardrail_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_guardrail_init_module,        /* init module */
    ngx_http_guardrail_init_worker,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_guardrail_exit,               /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_guardrail_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_http_guardrail_check_decoders(cf) != NGX_OK
        || ngx_http_guardrail_check_zones(cf) != NGX_OK
        || ngx_http_guardrail_add_stats(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_guardrail_check_pages(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_http_guardrail_add_handler(cmcf, NGX_HTTP_PREACCESS_PHASE,
                                       ngx_http_guardrail_preaccess_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_guardrail_add_handler(cmcf, NGX_HTTP_PRECONTENT_PHASE,
                                       ngx_http_guardrail_precontent_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_guardrail_add_handler(cmcf, NGX_HTTP_LOG_PHASE,
                                       ngx_http_guardrail_count)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_guardrail_next_request_body_filter =
                                             ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_guardrail_request_body_filter;

    ngx_http_guardrail_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_guardrail_header_filter;

    ngx_http_guardrail_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_guardrail_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_add_handler(ngx_http_core_main_conf_t *cmcf,
    ngx_http_phases phase, ngx_http_handler_pt handler)
{
    ngx_http_handler_pt  *h;

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_init_module(ngx_cycle_t *cycle)
{
    if (ngx_http_guardrail_make_secret(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_guardrail_renew_stats(cycle);
}


static void
ngx_http_guardrail_exit(ngx_cycle_t *cycle)
{
    ngx_http_guardrail_log_exit(cycle);
    ngx_http_guardrail_exit_zones(cycle);
    ngx_http_guardrail_exit_stats(cycle);
}


ngx_http_guardrail_ctx_t *
ngx_http_guardrail_find_lost_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_guardrail_ctx_t  *ctx;

    /* the pool's cleanups are not cleared by a redirect */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_guardrail_free) {
            continue;
        }

        ctx = cln->data;

        if (ctx->request != r) {
            continue;
        }

        /* filter_finalize clears r->ctx too, and stays in the location */

        if (ctx->entry != r->uri_changes) {
            ctx->state = ngx_http_guardrail_new;
            ctx->inspect = 0;
        }

        ngx_http_set_ctx(r, ctx, ngx_http_guardrail_module);

        return ctx;
    }

    return NULL;
}


ngx_http_guardrail_ctx_t *
ngx_http_guardrail_make_ctx(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_guardrail_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->last = &ctx->held;

    /* its mirror, or what else it asks by the way, is no request of a client */

    if (r == r->main) {
        ngx_http_guardrail_gauges->in_flight++;
    }

    /* as nginx adds them, yet in the context: one allocation, not three */

    ctx->cleanup.handler = ngx_http_guardrail_end;
    ctx->cleanup.data = ctx;
    ctx->cleanup.next = r->main->cleanup;
    r->main->cleanup = &ctx->cleanup;

    ctx->pool_cleanup.handler = ngx_http_guardrail_free;
    ctx->pool_cleanup.data = ctx;
    ctx->pool_cleanup.next = r->pool->cleanup;
    r->pool->cleanup = &ctx->pool_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_guardrail_module);

    return ctx;
}


/* the request ends, by any way; it is not logged yet */

static void
ngx_http_guardrail_end(void *data)
{
    ngx_http_guardrail_ctx_t *ctx = data;

    ngx_http_guardrail_leave_queue(ctx);

    if (ctx->slow) {
        ngx_http_guardrail_unwatch_pace(ctx);
    }

    if (ctx->request->connection->error || ctx->request->connection->timedout)
    {
        ngx_http_guardrail_log_aborted(ctx->request, ctx);
    }

    guardrail_body_close(&ctx->body);

    if (ctx->quotas) {
        ngx_http_guardrail_settle(ctx);
    }

    if (!ctx->ended && ctx->request == ctx->request->main
        && ngx_http_guardrail_gauges->in_flight)
    {
        ngx_http_guardrail_gauges->in_flight--;
    }

    ctx->ended = 1;
}


/* the marker by which find_ctx() knows our cleanup; end() did the rest */

static void
ngx_http_guardrail_free(void *data)
{
    /* void */
}
