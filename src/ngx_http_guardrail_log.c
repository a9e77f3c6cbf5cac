
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What is written to the error log: one line for each verdict, and one for a
 * client that went away; a flood of them is cut.
 */


#include "ngx_http_guardrail_module.h"


/* a flood of refusals must not become a flood of log lines */

#define NGX_HTTP_GUARDRAIL_LOG_RATE   100       /* a second, of a worker */

#define NGX_HTTP_GUARDRAIL_LOG_LINE   1024
#define NGX_HTTP_GUARDRAIL_LOG_TEXT   64        /* bytes of foreign text */


typedef struct {
    time_t                          sec;
    ngx_uint_t                      lines;      /* written in that second */
    ngx_uint_t                      hidden;     /* not written, not told */
} ngx_http_guardrail_log_count_t;


typedef struct {
    ngx_http_guardrail_log_count_t  counts[NGX_HTTP_GUARDRAIL_LOG_KINDS];
    ngx_event_t                     event;
    ngx_connection_t                dummy;      /* debug builds look at it */
} ngx_http_guardrail_log_t;


static ngx_uint_t ngx_http_guardrail_is_uploading(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static void ngx_http_guardrail_log_hidden(ngx_event_t *ev);


static ngx_http_guardrail_log_t  ngx_http_guardrail_log_state;


ngx_uint_t
ngx_http_guardrail_has_limit(ngx_http_guardrail_ctx_t *ctx)
{
    return guardrail_rc_info(ctx->rc)->unit != NULL && !ctx->unnumbered;
}


void
ngx_http_guardrail_fmt_limit(guardrail_fmt_t *f, ngx_http_guardrail_ctx_t *ctx)
{
    if (ngx_http_guardrail_has_limit(ctx)) {
        guardrail_fmt_u64(f, ctx->limit);

    } else if (ctx->rc == GUARDRAIL_ENCODING) {
        guardrail_fmt_printable(f, (char *) ctx->limit_text.data,
                                ctx->limit_text.len);
    }
}


void
ngx_http_guardrail_fmt_observed(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx)
{
    size_t  len;

    if (ctx->rc == GUARDRAIL_MAX_RATIO) {
        guardrail_fmt_quotient(f, ctx->observed, ctx->observed_input, 1);

    } else if (ngx_http_guardrail_has_limit(ctx)) {
        guardrail_fmt_u64(f, ctx->observed);

    } else if (ctx->rc == GUARDRAIL_ENCODING) {
        len = ngx_min(ctx->observed_text.len, NGX_HTTP_GUARDRAIL_LOG_TEXT);
        guardrail_fmt_printable(f, (char *) ctx->observed_text.data, len);
    }
}


void
ngx_http_guardrail_log(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    const char *verdict, ngx_uint_t level)
{
    char                       buf[NGX_HTTP_GUARDRAIL_LOG_LINE];
    guardrail_fmt_t            f;
    ngx_http_core_loc_conf_t  *clcf;

    if (r->connection->log->log_level < level
        || !ngx_http_guardrail_log_allowed(NGX_HTTP_GUARDRAIL_LOG_REFUSAL))
    {
        return;
    }

    guardrail_fmt_init(&f, buf, sizeof(buf));
    guardrail_fmt_text(&f, guardrail_rc_info(ctx->rc)->name);

    if (ngx_http_guardrail_has_limit(ctx)) {
        guardrail_fmt_text(&f, " limit ");
        ngx_http_guardrail_fmt_limit(&f, ctx);
        guardrail_fmt_text(&f, " observed ");
        ngx_http_guardrail_fmt_observed(&f, ctx);

        if (ctx->unit) {
            guardrail_fmt_text(&f, " ");
            guardrail_fmt_text(&f, ctx->unit);
        }

    } else if (ctx->rc == GUARDRAIL_ENCODING) {
        guardrail_fmt_text(&f, " limit \"");
        ngx_http_guardrail_fmt_limit(&f, ctx);
        guardrail_fmt_text(&f, "\" observed \"");
        ngx_http_guardrail_fmt_observed(&f, ctx);
        guardrail_fmt_text(&f, "\"");

    } else if (ctx->error) {
        guardrail_fmt_text(&f, " (");
        guardrail_fmt_text(&f, ctx->error);
        guardrail_fmt_text(&f, ")");
    }

    guardrail_fmt_text(&f, ", wire ");
    guardrail_fmt_u64(&f, ctx->body.wire);
    guardrail_fmt_text(&f, " decoded ");
    guardrail_fmt_u64(&f, ctx->body.decoded);
    guardrail_fmt_text(&f, " records ");
    guardrail_fmt_u64(&f, guardrail_body_record_count(&ctx->body));
    guardrail_fmt_text(&f, ", tenant \"");
    ngx_http_guardrail_fmt_tenant(&f, r);
    guardrail_fmt_text(&f, "\", location \"");

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    guardrail_fmt_printable(&f, (char *) clcf->name.data, clcf->name.len);
    guardrail_fmt_text(&f, "\"");

    if (ctx->quotas && ctx->quotas->refusing) {
        ngx_http_guardrail_fmt_quota(&f, ctx->quotas);
    }

    ngx_log_error(level, r->connection->log, 0, "guardrail: %s: %*s", verdict,
                  (size_t) (f.pos - buf), buf);
}


ngx_uint_t
ngx_http_guardrail_log_allowed(ngx_uint_t kind)
{
    ngx_http_guardrail_log_t         *log;
    ngx_http_guardrail_log_count_t   *n;

    log = &ngx_http_guardrail_log_state;
    n = &log->counts[kind];

    if (n->sec != ngx_time()) {
        n->sec = ngx_time();
        n->lines = 0;
    }

    if (n->lines < NGX_HTTP_GUARDRAIL_LOG_RATE) {
        n->lines++;
        return 1;
    }

    n->hidden++;

    if (!log->event.timer_set) {
        log->event.handler = ngx_http_guardrail_log_hidden;
        log->event.log = ngx_cycle->log;
        log->event.data = &log->dummy;
        log->dummy.fd = (ngx_socket_t) -1;
        log->event.cancelable = 1;

        ngx_add_timer(&log->event, 1000);
    }

    return 0;
}


static void
ngx_http_guardrail_log_hidden(ngx_event_t *ev)
{
    ngx_uint_t                       i;
    ngx_http_guardrail_log_count_t  *n;

    static const char  *what[] = { "refusals", "values that cannot be read" };

    for (i = 0; i < NGX_HTTP_GUARDRAIL_LOG_KINDS; i++) {
        n = &ngx_http_guardrail_log_state.counts[i];

        if (n->hidden) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "guardrail: %ui %s not logged", n->hidden, what[i]);
            n->hidden = 0;
        }
    }
}


void
ngx_http_guardrail_log_exit(ngx_cycle_t *cycle)
{
    ngx_http_guardrail_log_hidden(NULL);
}


void
ngx_http_guardrail_log_aborted(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->ended || ctx->refused
        || !ngx_http_guardrail_is_uploading(r, ctx))
    {
        return;
    }

    ctx->aborted = 1;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "guardrail: aborted: client_gone, wire %uL decoded %uL "
                  "records %uL", ctx->body.wire, ctx->body.decoded,
                  guardrail_body_record_count(&ctx->body));
}


/* or its body is being judged */

static ngx_uint_t
ngx_http_guardrail_is_uploading(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_loc_conf_t  *glcf;

    switch (ctx->state) {

    case ngx_http_guardrail_new:

        /* something reads before the gate, if there is one */

        glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

        return ngx_http_guardrail_configured(glcf)
               && r->request_body
               && !r->request_body->last_saved
               && !ctx->entered;

    case ngx_http_guardrail_late:
        return 1;

    case ngx_http_guardrail_levels:
        return ctx->quotas && ctx->quotas->waits;

    default:
        return ctx->inspect && !ctx->body.finished;
    }
}
