
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Bodies that something read before the gate of this location: another
 * module, an earlier location, the main request of a subrequest.  They are
 * judged from where they are stored, in memory or in a temporary file, in
 * bounded pieces.
 */


#include "ngx_http_guardrail_module.h"


static ngx_int_t ngx_http_guardrail_late_piece(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, u_char **p, size_t *len);
static ngx_int_t ngx_http_guardrail_late_feed(ngx_http_guardrail_ctx_t *ctx,
    u_char *p, size_t len, size_t *used);


/*
 * Whether nginx could throw away a body at once, or has more to come, depends
 * on what had arrived: a request must not pass in the one case, without its
 * body, and be refused in the other.
 */

ngx_uint_t
ngx_http_guardrail_was_discarded(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.content_length;

    return r == r->main
           && r->request_body == NULL
           && r->headers_in.content_length_n == 0
           && h
           && ngx_atoof(h->value.data, h->value.len) > 0;
}


off_t
ngx_http_guardrail_stored(ngx_http_request_t *r)
{
    off_t                     stored;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    /* ngx_http_discard_request_body() parses chunks without a handler */

    if (rb == NULL || r->discard_body
        || (rb->chunked && rb->post_handler == NULL))
    {
        return -1;
    }

    stored = 0;

    for (cl = rb->bufs; cl; cl = cl->next) {

        if (cl->buf->in_file && cl->buf->file->fd == NGX_INVALID_FILE) {
            return -1;
        }

        stored += ngx_buf_size(cl->buf);
    }

    /* auth_request gives its subrequest an empty body of its own */

    if (rb != r->main->request_body) {
        return stored;
    }

    if (r->main->reading_body
        || stored < r->main->headers_in.content_length_n
        || stored < rb->received)
    {
        return -1;
    }

    return stored;
}


ngx_int_t
ngx_http_guardrail_judge_late(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    u_char     *p;
    size_t      len, used;
    ngx_int_t   rc;

    for ( ;; ) {

        ngx_http_guardrail_spend();

        if (ngx_http_guardrail_worker.left <= 0) {
            ngx_http_guardrail_step_aside(ctx);
            return NGX_AGAIN;
        }

        rc = ngx_http_guardrail_late_piece(r, ctx, &p, &len);

        if (rc == NGX_ERROR) {
            ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
            ctx->error = "the stored body cannot be read";

            return ngx_http_guardrail_excess(r, ctx);
        }

        if (rc == NGX_DONE) {
            break;
        }

        rc = ngx_http_guardrail_late_feed(ctx, p, len, &used);

        ctx->late_offset += used;

        if (rc == NGX_AGAIN) {
            ngx_http_guardrail_step_aside(ctx);
            return NGX_AGAIN;
        }

        if (rc != NGX_OK) {
            return ngx_http_guardrail_excess(r, ctx);
        }
    }

    if (guardrail_body_finish(&ctx->body) != GUARDRAIL_OK) {
        ngx_http_guardrail_take_verdict(ctx);
        return ngx_http_guardrail_excess(r, ctx);
    }

    guardrail_body_close(&ctx->body);

    ctx->judged = (ctx->mode == NGX_HTTP_GUARDRAIL_ON);

    return NGX_OK;
}


/* the next bytes that are not judged; NGX_DONE when there are no more */

static ngx_int_t
ngx_http_guardrail_late_piece(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, u_char **p, size_t *len)
{
    off_t        size;
    ssize_t      n;
    ngx_buf_t   *b;
    ngx_file_t   file;

    while (ctx->late && ctx->late_offset == ngx_buf_size(ctx->late->buf)) {

        if (ctx->late->next == NULL && ctx->body.pending) {

            /* all is taken in, yet the decoder may have more */

            *p = ngx_http_guardrail_worker.read;
            *len = 0;

            return NGX_OK;
        }

        ctx->late = ctx->late->next;
        ctx->late_offset = 0;
    }

    if (ctx->late == NULL) {
        return NGX_DONE;
    }

    b = ctx->late->buf;
    size = ngx_buf_size(b) - ctx->late_offset;

    if (size > NGX_HTTP_GUARDRAIL_READ) {
        size = NGX_HTTP_GUARDRAIL_READ;
    }

    *len = (size_t) size;

    if (ngx_buf_in_memory(b)) {
        *p = b->pos + ctx->late_offset;
        return NGX_OK;
    }

    if (!b->in_file) {
        return NGX_ERROR;
    }

    /* a copy: reading moves the offset of a file */

    file = *b->file;
    file.log = r->connection->log;

    n = ngx_read_file(&file, ngx_http_guardrail_worker.read, *len,
                      b->file_pos + ctx->late_offset);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *p = ngx_http_guardrail_worker.read;
    *len = (size_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_late_feed(ngx_http_guardrail_ctx_t *ctx, u_char *p,
    size_t len, size_t *used)
{
    int64_t         *left;
    guardrail_rc_e   rc;

    left = &ngx_http_guardrail_worker.left;

    /* that it is read from a file costs too */

    *left -= (int64_t) len;

    rc = guardrail_body_feed(&ctx->body, p, len,
                             ngx_http_guardrail_worker.scratch, left, used);

    switch (rc) {

    case GUARDRAIL_OK:
        return NGX_OK;

    case GUARDRAIL_AGAIN:
        return NGX_AGAIN;

    default:
        ngx_http_guardrail_take_verdict(ctx);
        return NGX_DECLINED;
    }
}


/* to its end, with the guard on, under equal limits */

ngx_uint_t
ngx_http_guardrail_is_judged(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, guardrail_body_limits_t *limits,
    off_t length)
{
    uint64_t                   judged;
    ngx_uint_t                 decoded;
    guardrail_coding_e         coding;
    ngx_http_guardrail_ctx_t  *mctx;

    mctx = (r == r->main) ? ctx : ngx_http_guardrail_find_ctx(r->main);

    /*
     * A subrequest may have been given a body of its own, and a module may
     * have put another one in the place of what was judged.
     */

    if (mctx == NULL || !mctx->judged
        || r->request_body != r->main->request_body)
    {
        return 0;
    }

    /* one that was decoded has lost its coding since */

    decoded = (ngx_http_guardrail_decoded(r) != NULL);
    judged = decoded ? mctx->body.decoded : mctx->body.wire;
    coding = limits->coding;

    if (decoded) {
        limits->coding = mctx->body.limits.coding;
    }

    if (judged == (uint64_t) length
        && ngx_memcmp(&mctx->body.limits, limits,
                      sizeof(guardrail_body_limits_t))
           == 0)
    {
        return 1;
    }

    limits->coding = coding;

    return 0;
}
