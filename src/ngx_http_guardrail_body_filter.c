
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The request body filter.  The same bufs go on as came in: an identity body
 * is judged in place; the bufs of a coded one are held until the decoder has
 * been drained of them, which may take several passes of the event loop.
 */


#include "ngx_http_guardrail_module.h"


static ngx_http_guardrail_cold ngx_uint_t ngx_http_guardrail_skipped(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_bounded(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_chain_t *in);
static ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_over_bound(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_identity(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_coded(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_consume(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *cl);
static ngx_int_t ngx_http_guardrail_hold(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_guardrail_pass(ngx_http_request_t *r,
    ngx_chain_t *out);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_feed_whole(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_buf_t *b);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_feed(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_buf_t *b,
    size_t *offset);
static ngx_inline ngx_uint_t ngx_http_guardrail_is_end(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_buf_t *b);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_end_of_body(
    ngx_http_guardrail_ctx_t *ctx);


ngx_http_request_body_filter_pt  ngx_http_guardrail_next_request_body_filter;


ngx_int_t
ngx_http_guardrail_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                       rc;
    ngx_http_guardrail_ctx_t       *ctx;
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

    if (!ngx_http_guardrail_configured(glcf)) {
        return ngx_http_guardrail_next_request_body_filter(r, in);
    }

    ctx = ngx_http_guardrail_get_ctx(r);

    if (ctx == NULL || ctx->ended) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused) {
        return (ngx_int_t) ctx->status;
    }

    /* in may be NULL: HTTP/2 asks the filters before the first byte */

    if (!ctx->inspect || ctx->bound) {

        if (ngx_http_guardrail_skipped(r, ctx, glcf)) {
            ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
            ctx->error = "another module has skipped the guard";
            ctx->conf = glcf;

            return ngx_http_guardrail_refuse(r, ctx);
        }

        if (ngx_http_guardrail_bounded(r, ctx, glcf, in) != NGX_OK) {
            return ngx_http_guardrail_over_bound(r, ctx, glcf);
        }

        if (!ctx->inspect) {
            return ngx_http_guardrail_next_request_body_filter(r, in);
        }
    }

    rc = (ctx->body.codec == NULL) ? ngx_http_guardrail_identity(r, ctx, in)
                                   : ngx_http_guardrail_coded(r, ctx, in);

    /* the gate looks itself once the reader has returned */

    if (ctx->inspect && !ctx->body.finished && !ctx->calling
        && ctx->slow == NULL
        && ngx_http_guardrail_watch_pace(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return rc;
}


/*
 * A content handler reads a body that the gate has never seen: a handler of
 * another module ended its phase with NGX_OK before it came to the gate.
 */

static ngx_uint_t
ngx_http_guardrail_skipped(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    if (ctx->state != ngx_http_guardrail_new
        || (glcf->mode.cv == NULL
            && glcf->mode.n == NGX_HTTP_GUARDRAIL_DRY_RUN))
    {
        return 0;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ph = &cmcf->phase_engine.handlers[r->phase_handler];

    return ph->checker == ngx_http_core_content_phase
           && (r->headers_in.chunked || r->headers_in.content_length_n > 0);
}


/*
 * Bytes under client_max_body_size, in dry_run and where a variable says
 * off, and those that are read before the gate, which judges them later.
 */

static ngx_int_t
ngx_http_guardrail_bounded(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf,
    ngx_chain_t *in)
{
    ngx_chain_t  *cl;

    if (ctx->state == ngx_http_guardrail_new) {

        /* read before the gate, maybe before the location was chosen */

        ctx->inspect = 0;
        ctx->bound = ngx_http_guardrail_early_bound(glcf);

        if (ctx->bound && r->headers_in.content_length_n > ctx->bound) {
            ctx->received = r->headers_in.content_length_n;
            return NGX_DECLINED;
        }
    }

    for (cl = in; cl; cl = cl->next) {
        ctx->received += ngx_buf_size(cl->buf);
    }

    if (ctx->bound && ctx->received > ctx->bound) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_over_bound(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf)
{
    if (ctx->state == ngx_http_guardrail_new
        && glcf->mode.cv == NULL
        && glcf->mode.n == NGX_HTTP_GUARDRAIL_ON)
    {
        ctx->mode = NGX_HTTP_GUARDRAIL_ON;
        ctx->conf = glcf;
        ctx->entered = 1;

        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_BODY,
                                       (uint64_t) ctx->bound,
                                       (uint64_t) ctx->received);

        return ngx_http_guardrail_refuse(r, ctx);
    }

    return ngx_http_guardrail_refuse_plain(r, ctx, (uint64_t) ctx->bound,
                                           (uint64_t) ctx->received);
}


static ngx_int_t
ngx_http_guardrail_identity(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = in; cl && ctx->inspect; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file
            && guardrail_body_pass_plain(&ctx->body,
                                         (size_t) (b->last - b->pos)))
        {
            rc = ngx_http_guardrail_is_end(r, ctx, b)
                 ? ngx_http_guardrail_end_of_body(ctx) : NGX_OK;

        } else {
            rc = ngx_http_guardrail_feed_whole(r, ctx, b);
        }

        if (rc != NGX_OK) {
            rc = ngx_http_guardrail_excess(r, ctx);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    return ngx_http_guardrail_next_request_body_filter(r, in);
}


static ngx_int_t
ngx_http_guardrail_coded(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_int_t      rc;
    ngx_chain_t   *cl, *out, **ll;

    /* needed before the core allocates rb->buf, that is, in the first call */

    r->request_body->filter_need_buffering = 1;

    if (ngx_http_guardrail_hold(r, ctx, in) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

#if (NGX_HTTP_V3)

    /*
     * Calling the filters without new bytes, HTTP/3 forgets that it has seen
     * the end: once we have passed the last buf on, it would wait for more.
     */

    if (r->http_version == NGX_HTTP_VERSION_30 && ctx->last_buf) {
        r->request_body->rest = 0;
    }

#endif

    out = NULL;
    ll = &out;

    while (ctx->held && !ctx->waiting) {

        if (ctx->inspect) {
            rc = ngx_http_guardrail_feed(r, ctx, ctx->held->buf,
                                         &ctx->offset);

            if (rc == NGX_AGAIN) {
                ngx_http_guardrail_step_aside(ctx);
                break;
            }

            if (rc != NGX_OK) {
                rc = ngx_http_guardrail_excess(r, ctx);

                if (rc != NGX_DECLINED) {
                    return rc;
                }
            }
        }

        cl = ctx->held;
        ctx->held = cl->next;
        ctx->offset = 0;

        if (ctx->decode) {
            rc = ngx_http_guardrail_consume(r, ctx, cl);

            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }

        *ll = cl;
        ll = &cl->next;
    }

    *ll = NULL;

    if (ctx->held == NULL) {
        ctx->last = &ctx->held;
    }

    rc = ngx_http_guardrail_pass(r, out);

    if (rc != NGX_OK && ctx->decode) {

        /* what is stored is neither the one body nor the other */

        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
        ctx->error = "the decoded body cannot be stored";

        return ngx_http_guardrail_excess(r, ctx);
    }

    return rc;
}


/*
 * The decoder has what was in this buf, and another one ends the body; else
 * NGX_DECLINED, and nothing is passed on in its place.
 */

static ngx_int_t
ngx_http_guardrail_consume(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_chain_t *cl)
{
    cl->buf->pos = cl->buf->last;

    if (!cl->buf->last_buf) {
        ngx_free_chain(r->pool, cl);
        return NGX_DECLINED;
    }

    cl->buf = ngx_http_guardrail_decode_last(ctx->decode);

    return (cl->buf != NULL) ? NGX_OK : NGX_ERROR;
}


/*
 * The caller links its chain anew right after we return: the links are
 * copied.  A buf with bytes stays busy until they are passed on, which holds
 * the client back; an empty one is reused at once, and is copied too.
 */

static ngx_int_t
ngx_http_guardrail_hold(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *tl;

    for (cl = in; cl; cl = cl->next) {

        tl = ngx_alloc_chain_link(r->pool);
        if (tl == NULL) {
            return NGX_ERROR;
        }

        b = cl->buf;

        if (b->last_buf) {
            ctx->last_buf = 1;
        }

        if (ngx_buf_size(b) == 0) {
            tl->buf = ngx_alloc_buf(r->pool);
            if (tl->buf == NULL) {
                return NGX_ERROR;
            }

            *tl->buf = *b;
            tl->buf->tag = (ngx_buf_tag_t) &ngx_http_guardrail_module;

        } else {
            tl->buf = b;
        }

        tl->next = NULL;
        *ctx->last = tl;
        ctx->last = &tl->next;
    }

    return NGX_OK;
}


/* also with NULL: the save filter writes out what it has */

static ngx_int_t
ngx_http_guardrail_pass(ngx_http_request_t *r, ngx_chain_t *out)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl, *next;

    rc = ngx_http_guardrail_next_request_body_filter(r, out);

    for (cl = out; cl; cl = next) {
        next = cl->next;
        ngx_free_chain(r->pool, cl);
    }

    return rc;
}


static ngx_int_t
ngx_http_guardrail_feed_whole(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_buf_t *b)
{
    size_t  offset;

    offset = 0;

    return ngx_http_guardrail_feed(r, ctx, b, &offset);
}


/* NGX_OK, NGX_AGAIN, or NGX_DECLINED with the verdict in ctx */

static ngx_int_t
ngx_http_guardrail_feed(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_buf_t *b, size_t *offset)
{
    u_char          *p;
    size_t           used;
    guardrail_rc_e   rc;

    if (!ngx_buf_in_memory(b) && b->in_file) {
        ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
        ctx->error = "another filter has put the body into a file";
        return NGX_DECLINED;
    }

    if (ctx->body.codec) {
        ngx_http_guardrail_spend();
    }

    /* a special buf has no memory */

    p = b->pos ? b->pos + *offset : ngx_http_guardrail_worker.scratch;

    rc = guardrail_body_feed(&ctx->body, p,
                             (size_t) (b->last - b->pos) - *offset,
                             ngx_http_guardrail_worker.scratch,
                             &ngx_http_guardrail_worker.left, &used);

    *offset += used;

    if (rc == GUARDRAIL_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != GUARDRAIL_OK) {
        ngx_http_guardrail_take_verdict(ctx);
        return NGX_DECLINED;
    }

    return ngx_http_guardrail_is_end(r, ctx, b)
           ? ngx_http_guardrail_end_of_body(ctx) : NGX_OK;
}


/*
 * A declared length ends the body at its last byte: HTTP/2 may bring
 * END_STREAM later, or never, when the backend has all of it.
 */

static ngx_inline ngx_uint_t
ngx_http_guardrail_is_end(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_buf_t *b)
{
    return b->last_buf
           || (r->headers_in.content_length_n > 0 && !r->headers_in.chunked
               && ctx->body.wire
                  >= (uint64_t) r->headers_in.content_length_n);
}


static ngx_int_t
ngx_http_guardrail_end_of_body(ngx_http_guardrail_ctx_t *ctx)
{
    if (guardrail_body_finish(&ctx->body) != GUARDRAIL_OK) {
        ngx_http_guardrail_take_verdict(ctx);
        return NGX_DECLINED;
    }

    guardrail_body_close(&ctx->body);

    if (ctx->slow) {
        ngx_http_guardrail_unwatch_pace(ctx);
    }

    if (ctx->quotas) {
        ngx_http_guardrail_release_uploads(ctx);
    }

    if (ctx->mode == NGX_HTTP_GUARDRAIL_ON) {
        ctx->judged = 1;
    }

    return NGX_OK;
}
