
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What happens to a request that is refused: its body vanishes, and the
 * connection does not outlive it.
 */


#include "ngx_http_guardrail_module.h"


/* bytes that one call drops: what freeing them costs is bounded */

#define NGX_HTTP_GUARDRAIL_DROP  (256 * 1024)


#if (NGX_LINUX)
static void ngx_http_guardrail_drop_input(ngx_http_request_t *r);
static ssize_t ngx_http_guardrail_recv_dropping(ngx_connection_t *c,
    u_char *buf, size_t size);
#endif
static ngx_int_t ngx_http_guardrail_vanish_header(ngx_table_elt_t *h,
    void *data);
static ngx_int_t ngx_http_guardrail_vanish_subrequest(ngx_http_request_t *r);


#if (NGX_LINUX)

/* where bytes that are dropped would go: no page of it is ever touched */

static u_char  ngx_http_guardrail_dropped[NGX_HTTP_GUARDRAIL_DROP];

#endif


void
ngx_http_guardrail_take_verdict(ngx_http_guardrail_ctx_t *ctx)
{
    guardrail_body_t  *b;

    b = &ctx->body;

    if (b->by_meter) {

        /* the quota has said all that is to be said */

        return;
    }

    ngx_http_guardrail_set_verdict(ctx, b->rc, b->limit, b->observed);

    ctx->observed_input = b->observed_input;
    ctx->unit = b->unit;
    ctx->error = b->error;

    if (b->rc == GUARDRAIL_DECODER_MEMORY) {
        ngx_http_guardrail_decoder_refused(ctx, b->observed);
    }
}


void
ngx_http_guardrail_set_verdict(ngx_http_guardrail_ctx_t *ctx,
    guardrail_rc_e rc, uint64_t limit, uint64_t observed)
{
    if (ctx->would && ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN) {

        /* the first excess is the one that is told */

        return;
    }

    ctx->rc = rc;
    ctx->status = guardrail_rc_info(rc)->http;
    ctx->limit = limit;
    ctx->observed = observed;
    ctx->observed_input = 0;
    ctx->declared = 0;
    ctx->unnumbered = 0;
    ctx->unit = NULL;
    ctx->error = NULL;
}


ngx_int_t
ngx_http_guardrail_refuse(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx)
{
    /* the page of an error may be of a location with another tenant */

    if (ctx->conf->tenant && r == r->main) {
        (void) ngx_http_guardrail_whose(r);
    }

    ctx->refused = 1;
    ctx->uri_changes = r->uri_changes;

    ngx_http_guardrail_unwatch_pace(ctx);
    ngx_http_guardrail_log(r, ctx, "rejected", ctx->conf->log_level);
    ngx_http_guardrail_settle_refused(ctx);

    if (r != r->main) {

        if (ngx_http_guardrail_vanish_subrequest(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return (ngx_int_t) ctx->status;
    }

    ngx_http_guardrail_vanish(r, ctx);

    return (ngx_int_t) ctx->status;
}


void
ngx_http_guardrail_refuse_passed(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ctx->refused = 1;
    ctx->inspect = 0;
    ctx->uri_changes = r->uri_changes;

    r->keepalive = 0;

    guardrail_body_close(&ctx->body);

    ngx_http_guardrail_unwatch_pace(ctx);
    ngx_http_guardrail_log(r, ctx, "rejected", ctx->conf->log_level);
    ngx_http_guardrail_settle_refused(ctx);
}


ngx_int_t
ngx_http_guardrail_excess(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx)
{
    guardrail_body_close(&ctx->body);

    if (ctx->mode != NGX_HTTP_GUARDRAIL_DRY_RUN) {
        return ngx_http_guardrail_refuse(r, ctx);
    }

    /* nobody sees the end of a body that passes uninspected */

    ctx->inspect = 0;

    ngx_http_guardrail_unwatch_pace(ctx);
    ngx_http_guardrail_release_uploads(ctx);

    if (!ctx->would) {
        ctx->would = 1;

        ngx_http_guardrail_log(r, ctx, "would reject", ctx->conf->log_level);
        ngx_http_guardrail_settle_refused(ctx);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_guardrail_refuse_plain(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, uint64_t limit, uint64_t observed)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "client intended to send too large body: %uL bytes",
                  observed);

    ctx->would = 0;

    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_BODY, limit, observed);

    ctx->refused = 1;
    ctx->plain = 1;
    ctx->uri_changes = r->uri_changes;

    guardrail_body_close(&ctx->body);
    ngx_http_guardrail_settle_refused(ctx);
    ngx_http_guardrail_vanish(r, ctx);

    return (ngx_int_t) ctx->status;
}


/*
 * A refused body is gone, for error_page too: its location must neither read
 * nor forward it, nor send its length without it.  An empty request_body does
 * that; what the client still sends is read and dropped by lingering close,
 * or by HTTP/2 itself.
 *
 * ngx_http_discard_request_body() would count content_length_n down, and send
 * "100 Continue" to a client that waits for it.
 */

void
ngx_http_guardrail_vanish(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_request_body_t  *rb;

    ngx_http_guardrail_decode_drop(r, ctx);

    rb = r->request_body;

    /* keep-alive stays only if the whole request was read before */

    ctx->close = !ctx->complete;

    if (r->discard_body) {

        /* what ngx_http_discard_request_body() took for its handler */

        r->discard_body = 0;
        r->count--;
        ctx->close = 1;
    }

    if (ctx->close) {
        r->keepalive = 0;
        r->lingering_close = 1;
        r->read_event_handler = ngx_http_block_reading;

#if (NGX_LINUX)
        ngx_http_guardrail_drop_input(r);
#endif
    }

    ctx->held = NULL;
    ctx->last = &ctx->held;
    ctx->inspect = 0;

    if (rb && rb->temp_file && rb->temp_file->persistent
        && rb->temp_file->file.fd != NGX_INVALID_FILE)
    {
        (void) ngx_delete_file(rb->temp_file->file.name.data);
    }

    /*
     * Not emptied: subrequests in flight, as of mirror, have it too, and would
     * send its length without the bytes.  Without memory for another one
     * content_length_n says 0, and nothing is read.
     */

    r->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));

    r->reading_body = 0;
    r->expect_tested = 1;

    r->headers_in.content_length_n = 0;
    r->headers_in.chunked = 0;

    (void) ngx_http_guardrail_edit_headers(r, ngx_http_guardrail_vanish_header,
                                           NULL);
    (void) ngx_http_guardrail_forget_variables(r);

#if (NGX_HTTP_V2)
    if (r->stream) {
        r->stream->skip_data = 1;
    }
#endif
}


#if (NGX_LINUX)

/*
 * A client that was refused goes on sending.  Lingering close reads that in
 * pieces of 4 KiB, which for a bomb of a megabyte are 256 system calls and
 * copies.  TCP can drop it unread, all that is there at once (tcp(7),
 * MSG_TRUNC); a stream of another kind, TLS or HTTP/2 is read as ever.
 */

static void
ngx_http_guardrail_drop_input(ngx_http_request_t *r)
{
    int                family;
    ngx_connection_t  *c;

    c = r->connection;

#if (NGX_HTTP_V2)
    if (r->stream) {
        return;
    }
#endif

    /* the address of a client may be what a header said */

    family = c->listening->sockaddr->sa_family;

    if (c->recv == ngx_recv && (family == AF_INET
#if (NGX_HAVE_INET6)
                                || family == AF_INET6
#endif
                               ))
    {
        c->recv = ngx_http_guardrail_recv_dropping;
    }
}


/* the call that follows says how it stands with the connection */

static ssize_t
ngx_http_guardrail_recv_dropping(ngx_connection_t *c, u_char *buf, size_t size)
{
    (void) recv(c->fd, ngx_http_guardrail_dropped, NGX_HTTP_GUARDRAIL_DROP,
                MSG_TRUNC);

    return ngx_recv(c, buf, size);
}

#endif


static ngx_int_t
ngx_http_guardrail_vanish_header(ngx_table_elt_t *h, void *data)
{
    if (ngx_http_guardrail_is_content_length(h)) {
        ngx_str_set(&h->value, "0");

    } else if (h->key.len == 17
               && ngx_strncmp(h->lowcase_key, "transfer-encoding", 17) == 0)
    {
        ngx_str_set(&h->value, "");
    }

    return NGX_OK;
}


/*
 * Backends are sent the header as it came, or as text.  The list is copied,
 * since subrequests in flight have the old one.
 */

ngx_int_t
ngx_http_guardrail_edit_headers(ngx_http_request_t *r,
    ngx_http_guardrail_edit_pt edit, void *data)
{
    ngx_uint_t        i;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *length, *copy, edited;

    if (ngx_list_init(&list, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    length = r->headers_in.content_length;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            edited = h[i];

            if (edit(&edited, data) != NGX_OK) {
                continue;
            }

            copy = ngx_list_push(&list);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = edited;

            if (ngx_http_guardrail_is_content_length(copy)) {
                length = copy;
            }
        }
    }

    r->headers_in.headers = list;
    r->headers_in.content_length = length;

    /* in a list of one part last points into the structure */

    if (list.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_guardrail_is_content_length(ngx_table_elt_t *h)
{
    return h->key.len == 14
           && ngx_strncmp(h->lowcase_key, "content-length", 14) == 0;
}


/* the main request's body, header and variables stay as they are */

static ngx_int_t
ngx_http_guardrail_vanish_subrequest(ngx_http_request_t *r)
{
    r->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));

    if (r->request_body == NULL
        || ngx_http_guardrail_forget_variables(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.content_length_n = 0;
    r->headers_in.content_length = NULL;
    r->headers_in.chunked = 0;

    return NGX_OK;
}


/*
 * What a "map" or an "if" has asked for before would be sent to backends.  A
 * request and its subrequests share what was evaluated, yet from now on they
 * have other bodies: this one gets its own.  Nobody else is there while the
 * only reference is the request's.
 */

ngx_int_t
ngx_http_guardrail_forget_variables(ngx_http_request_t *r)
{
    size_t                           size;
    ngx_uint_t                       i;
    ngx_http_variable_value_t       *v;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_guardrail_main_conf_t  *gmcf;

    if (r != r->main || r->count > 1) {
        cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
        size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

        v = ngx_palloc(r->pool, size);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(v, r->variables, size);
        r->variables = v;
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_guardrail_module);

    for (i = 0; i < NGX_HTTP_GUARDRAIL_OF_BODY; i++) {
        v = &r->variables[gmcf->of_body[i]];

        v->valid = 0;
        v->not_found = 0;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_guardrail_cannot_judge(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, const char *error)
{
    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
    ctx->error = error;

    return ngx_http_guardrail_excess(r, ctx);
}
