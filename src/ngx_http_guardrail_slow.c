
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_min_rate, guardrail_body_timeout: bodies that arrive too slowly.
 *
 * One timer for a request whose body is not there at once, at the time at
 * which it would be too slow if nothing came until then.  Time in which nginx
 * does not read, because it decodes, or because the backend does not take
 * what there is, is not the client's.
 */


#include "ngx_http_guardrail_module.h"


/* how often it is looked whether nginx reads, where it may be that it does
 * not */

#define NGX_HTTP_GUARDRAIL_LOOK  200            /* ms */


struct ngx_http_guardrail_slow_s {
    ngx_event_t                timer;
    ngx_http_guardrail_ctx_t  *ctx;
    ngx_msec_t                 seen;            /* the last look */
    uint64_t                   elapsed;         /* ms of the client's */
};


static void ngx_http_guardrail_slow_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_guardrail_is_awaited(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static ngx_uint_t ngx_http_guardrail_is_reading(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static uint64_t ngx_http_guardrail_received(ngx_http_guardrail_ctx_t *ctx);
static guardrail_rc_e ngx_http_guardrail_judge_pace(
    ngx_http_guardrail_slow_t *slow, uint64_t *left);
static void ngx_http_guardrail_refuse_slow(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);


char *
ngx_http_guardrail_set_min_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_int_t                       grace;
    uint64_t                        n;
    ngx_str_t                      *value, s;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->min_rate != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_guardrail_parse_value(&value[1], ngx_http_guardrail_size, &n)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\" in \"%V\" directive",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    glcf->min_rate = (n == GUARDRAIL_NO_LIMIT) ? 0 : (ngx_uint_t) n;
    glcf->min_rate_grace = NGX_HTTP_GUARDRAIL_GRACE;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "grace=", 6) == 0) {
        s.data = value[2].data + 6;
        s.len = value[2].len - 6;

        grace = ngx_parse_time(&s, 0);

        if (grace != NGX_ERROR) {
            glcf->min_rate_grace = (ngx_msec_t) grace;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\" directive, it must "
                       "be \"grace=time\"", &value[2], &value[0]);

    return NGX_CONF_ERROR;
}


/* after what has come of the body was judged, and there is more to come */

ngx_int_t
ngx_http_guardrail_watch_pace(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    uint64_t                    left;
    ngx_http_guardrail_slow_t  *slow;

    if (ctx->slow || (ctx->conf->min_rate == 0 && ctx->conf->body_timeout == 0))
    {
        return NGX_OK;
    }

    slow = ngx_pcalloc(r->pool, sizeof(ngx_http_guardrail_slow_t));
    if (slow == NULL) {
        return NGX_ERROR;
    }

    slow->ctx = ctx;
    slow->seen = ngx_current_msec;

    slow->timer.handler = ngx_http_guardrail_slow_handler;
    slow->timer.data = r->connection;
    slow->timer.log = r->connection->log;

    ctx->slow = slow;

    (void) ngx_http_guardrail_judge_pace(slow, &left);

    ngx_add_timer(&slow->timer, (ngx_msec_t) left);

    return NGX_OK;
}


void
ngx_http_guardrail_unwatch_pace(ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->slow && ctx->slow->timer.timer_set) {
        ngx_del_timer(&ctx->slow->timer);
    }
}


static void
ngx_http_guardrail_slow_handler(ngx_event_t *ev)
{
    uint64_t                    left;
    ngx_msec_t                  now;
    guardrail_rc_e              rc;
    ngx_http_request_t         *r;
    ngx_http_guardrail_ctx_t   *ctx;
    ngx_http_guardrail_slow_t  *slow;

    slow = (ngx_http_guardrail_slow_t *) (void *)
           ((u_char *) ev - offsetof(ngx_http_guardrail_slow_t, timer));

    ctx = slow->ctx;
    r = ctx->request;
    now = ngx_current_msec;

    if (!ngx_http_guardrail_is_awaited(r, ctx)) {
        return;
    }

    if (ngx_http_guardrail_is_reading(r, ctx)) {
        slow->elapsed += now - slow->seen;
    }

    slow->seen = now;

    rc = ngx_http_guardrail_judge_pace(slow, &left);

    if (rc == GUARDRAIL_OK) {
        ngx_add_timer(ev, (ngx_msec_t) left);
        return;
    }

    if (rc == GUARDRAIL_BODY_TIMEOUT) {
        ngx_http_guardrail_set_verdict(ctx, rc, ctx->conf->body_timeout,
                                       slow->elapsed);
    } else {
        ngx_http_guardrail_set_verdict(ctx, rc, ctx->conf->min_rate,
                                       ngx_http_guardrail_received(ctx) * 1000
                                       / ngx_max(slow->elapsed, 1));
    }

    ngx_http_guardrail_refuse_slow(r, ctx);
}


/*
 * Not when the request was answered before its body had come, and lingers or
 * is still being answered, nor when it has gone to another location: none of
 * these can be refused any more.
 */

static ngx_uint_t
ngx_http_guardrail_is_awaited(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    if (r->done || ctx->entry != r->uri_changes) {
        return 0;
    }

    return !r->header_sent || (r->upstream && r->upstream->cleanup);
}


/*
 * Not while it waits for its turn to be decoded, nor while there is something
 * to read: the backend does not take what there is.
 */

static ngx_uint_t
ngx_http_guardrail_is_reading(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->waiting) {
        return 0;
    }

#if (NGX_HTTP_V2)
    if (r->stream) {
        return (ssize_t) r->stream->recv_window > 0;
    }
#endif

    return !r->connection->read->ready;
}


/* bytes of the body, judged or not */

static uint64_t
ngx_http_guardrail_received(ngx_http_guardrail_ctx_t *ctx)
{
    uint64_t      n;
    ngx_chain_t  *cl;

    n = ctx->body.wire;

    for (cl = ctx->held; cl; cl = cl->next) {
        n += (uint64_t) ngx_buf_size(cl->buf);
    }

    return n - ctx->offset;
}


/* *left: milliseconds until it would be too slow, or until the next look */

static guardrail_rc_e
ngx_http_guardrail_judge_pace(ngx_http_guardrail_slow_t *slow, uint64_t *left)
{
    uint64_t                        bound;
    ngx_http_guardrail_ctx_t       *ctx;
    ngx_http_guardrail_loc_conf_t  *glcf;

    ctx = slow->ctx;
    glcf = ctx->conf;
    *left = (uint64_t) -1;

    if (glcf->min_rate) {
        bound = glcf->min_rate_grace
                + guardrail_mul_sat(ngx_http_guardrail_received(ctx), 1000)
                  / glcf->min_rate;

        if (slow->elapsed > bound) {
            return GUARDRAIL_MIN_RATE;
        }

        *left = bound - slow->elapsed + 1;
    }

    if (glcf->body_timeout) {

        if (slow->elapsed > glcf->body_timeout) {
            return GUARDRAIL_BODY_TIMEOUT;
        }

        *left = ngx_min(*left, glcf->body_timeout - slow->elapsed + 1);
    }

    if (ctx->body.codec || !glcf->buffering || ctx->request->stream) {
        *left = ngx_min(*left, NGX_HTTP_GUARDRAIL_LOOK);
    }

    /* nginx's timers are of 31 bits and more, but never that far away */

    *left = ngx_min(*left, 3600 * 1000);

    return GUARDRAIL_OK;
}


/* ngx_http_finalize_request() closes silently for 408 */

static void
ngx_http_guardrail_refuse_slow(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN) {
        (void) ngx_http_guardrail_excess(r, ctx);
        return;
    }

    if (r->upstream && r->upstream->cleanup) {

        /*
         * The backend has begun to read the request: its reader ends it, as
         * when client_body_timeout is over.
         */

        ngx_http_guardrail_refuse_passed(r, ctx);

        c->read->timedout = 1;
        ngx_post_event(c->read, &ngx_posted_events);

        return;
    }

    (void) ngx_http_guardrail_excess(r, ctx);

    ngx_http_finalize_request(r,
           ngx_http_special_response_handler(r, NGX_HTTP_REQUEST_TIME_OUT));

    ngx_http_run_posted_requests(c);
}
