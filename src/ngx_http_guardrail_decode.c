
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_decode: a coded body is stored, and sent on, as it was decoded.
 *
 * The wire bytes are consumed by our request body filter; what the decoder
 * gives is gathered in one buffer of client_body_buffer_size.  When that is
 * full it goes on as the body's bytes do, and nginx's save filter writes it to
 * the temporary file of client_body_temp_path; the rest goes on with the
 * body's end.  So files are named, kept and removed as those of other bodies,
 * and filters behind ours see decoded bytes.  The decoded form of a late body,
 * of which they have seen the end, is given to the save filter alone, and is
 * another request_body: subrequests in flight have the old one.
 *
 * Lengths and fields of the header change when all is stored, before the
 * phases go on; not in the filter, after whose last call HTTP/2 and HTTP/3
 * set the length once more.
 */


#include "ngx_http_guardrail_module.h"


/*
 * Nothing is gathered in a buffer of 0 bytes, and few bytes are one write for
 * each few: 256 writes in a pass of 256 KiB are as many as we want.
 */

#define NGX_HTTP_GUARDRAIL_LEAST_BUFFER  1024


static guardrail_rc_e ngx_http_guardrail_decode_take(void *opaque,
    const uint8_t *p, size_t len);
static ngx_int_t ngx_http_guardrail_decode_spill(
    ngx_http_guardrail_decode_t *d);
static ngx_int_t ngx_http_guardrail_decode_save(
    ngx_http_guardrail_decode_t *d);
static ngx_int_t ngx_http_guardrail_decode_headers(ngx_http_request_t *r,
    off_t length);
static ngx_int_t ngx_http_guardrail_decode_edit(ngx_table_elt_t *h,
    void *data);
static ngx_int_t ngx_http_guardrail_decode_edit_label(ngx_table_elt_t *h,
    void *data);
static ngx_uint_t ngx_http_guardrail_decode_is(ngx_table_elt_t *h,
    ngx_str_t *name);


static ngx_str_t  ngx_http_guardrail_content_encoding =
                                               ngx_string("content-encoding");


/*
 * Fields that say what is not so any more, or how it was framed.  Python, PHP
 * and others cannot tell "-" and "_" apart.
 */

static ngx_str_t  ngx_http_guardrail_of_coded[] = {
    ngx_string("content-encoding"),
    ngx_string("content-md5"),
    ngx_string("digest"),
    ngx_string("content-digest"),
    ngx_string("repr-digest"),
    ngx_string("transfer-encoding"),
    ngx_string("content-length"),
    ngx_null_string
};


ngx_uint_t
ngx_http_guardrail_decodes(ngx_http_guardrail_ctx_t *ctx)
{
    return ctx->conf->decode && ctx->mode == NGX_HTTP_GUARDRAIL_ON;
}


ngx_http_guardrail_decode_t *
ngx_http_guardrail_decoded(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *mctx;

    mctx = ngx_http_guardrail_find_ctx(r->main);

    /* a module may have put another body in its place */

    return (mctx && mctx->decode && mctx->decode->done
            && r->request_body == mctx->decode->body)
           ? mctx->decode : NULL;
}


ngx_int_t
ngx_http_guardrail_decode_begin(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t late)
{
    ngx_http_guardrail_decode_t  *d;

    d = ngx_pcalloc(r->pool, sizeof(ngx_http_guardrail_decode_t));
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->request = r;
    d->late = late;
    d->sink.take = ngx_http_guardrail_decode_take;
    d->sink.opaque = d;

    if (late) {
        d->body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
        if (d->body == NULL) {
            return NGX_ERROR;
        }
    }

    ctx->decode = d;
    ctx->body.sink = &d->sink;

    return NGX_OK;
}


static guardrail_rc_e
ngx_http_guardrail_decode_take(void *opaque, const uint8_t *p, size_t len)
{
    ngx_http_guardrail_decode_t *d = opaque;

    size_t                     n;
    ngx_buf_t                 *b;
    ngx_http_core_loc_conf_t  *clcf;

    b = d->buf;

    if (b == NULL) {
        clcf = ngx_http_get_module_loc_conf(d->request, ngx_http_core_module);

        b = ngx_create_temp_buf(d->request->pool,
                                ngx_max(clcf->client_body_buffer_size,
                                        NGX_HTTP_GUARDRAIL_LEAST_BUFFER));
        if (b == NULL) {
            return GUARDRAIL_INTERNAL;
        }

        d->buf = b;
    }

    while (len) {

        if (b->last == b->end && ngx_http_guardrail_decode_spill(d) != NGX_OK)
        {
            return GUARDRAIL_INTERNAL;
        }

        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, p, n);
        p += n;
        len -= n;
    }

    return GUARDRAIL_OK;
}


/*
 * The save filter writes when the buffer into which the body is read is full:
 * it is shown ours, which is.
 */

static ngx_int_t
ngx_http_guardrail_decode_spill(ngx_http_guardrail_decode_t *d)
{
    off_t                     rest;
    ngx_int_t                 rc;
    ngx_buf_t                *b, *buf;
    ngx_chain_t               out;
    ngx_http_request_t       *r;
    ngx_http_request_body_t  *rb, *stored;

    r = d->request;
    b = d->buf;

    stored = r->request_body;
    rb = d->late ? d->body : stored;

    out.buf = b;
    out.next = NULL;

    buf = rb->buf;
    rest = rb->rest;

    r->request_body = rb;
    rb->buf = b;
    rb->rest = 1;

    rc = d->late ? ngx_http_request_body_save_filter(r, &out)
                 : ngx_http_guardrail_next_request_body_filter(r, &out);

    rb->rest = rest;
    rb->buf = buf;
    r->request_body = stored;

    /* a filter that holds it back would have us take more and more memory */

    if (rc != NGX_OK || b->pos != b->last) {
        return NGX_ERROR;
    }

    b->pos = b->start;
    b->last = b->start;

    return NGX_OK;
}


ngx_buf_t *
ngx_http_guardrail_decode_last(ngx_http_guardrail_decode_t *d)
{
    ngx_buf_t  *b;

    b = d->buf;

    if (b == NULL || b->pos == b->last) {
        b = ngx_calloc_buf(d->request->pool);
        if (b == NULL) {
            return NULL;
        }
    }

    b->last_buf = 1;

    return b;
}


ngx_int_t
ngx_http_guardrail_decode_end(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    off_t                         length;
    ngx_chain_t                  *cl;
    ngx_http_request_body_t      *rb;
    ngx_http_guardrail_decode_t  *d;

    d = ctx->decode;

    if (d->late && ngx_http_guardrail_decode_save(d) != NGX_OK) {
        return NGX_ERROR;
    }

    rb = d->late ? d->body : r->request_body;

    /* not ctx->body.decoded: a filter behind ours may have changed it */

    length = 0;

    for (cl = rb->bufs; cl; cl = cl->next) {
        length += ngx_buf_size(cl->buf);
    }

    if (ngx_http_guardrail_decode_headers(r, length) != NGX_OK
        || ngx_http_guardrail_forget_variables(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * An upstream reads the file through this buffer, whose bytes are there;
     * the one into which the body was read may be of a few bytes only.  What
     * is read into it first is not the end: HTTP/2 would close the stream.
     */

    if (rb->temp_file && d->buf) {
        d->buf->last_buf = 0;
        rb->buf = d->buf;
    }

    rb->received = length;

    r->request_body = rb;
    r->headers_in.content_length_n = length;
    r->headers_in.chunked = 0;
    r->preserve_body = 1;

    d->body = rb;
    d->wire = ctx->body.wire;
    d->coding = ctx->body.limits.coding;
    d->done = 1;

    ctx->head.parsed = 0;

    return NGX_OK;
}


/* the end of the decoded form of a late body */

static ngx_int_t
ngx_http_guardrail_decode_save(ngx_http_guardrail_decode_t *d)
{
    ngx_int_t                 rc;
    ngx_chain_t               out;
    ngx_http_request_t       *r;
    ngx_http_request_body_t  *stored;

    r = d->request;
    stored = r->request_body;

    out.buf = ngx_http_guardrail_decode_last(d);
    out.next = NULL;

    if (out.buf == NULL) {
        return NGX_ERROR;
    }

    r->request_body = d->body;

    rc = ngx_http_request_body_save_filter(r, &out);

    r->request_body = stored;

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


/* the room on the disk is given back before a slow client has gone */

void
ngx_http_guardrail_decode_drop(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_file_t                   *file;
    ngx_http_request_body_t      *rb;
    ngx_http_guardrail_decode_t  *d;

    d = ctx->decode;

    if (d == NULL || d->done) {
        return;
    }

    rb = d->late ? d->body : r->request_body;
    ctx->decode = NULL;

    if (rb == NULL || rb->temp_file == NULL
        || rb->temp_file->file.fd == NGX_INVALID_FILE)
    {
        return;
    }

    file = &rb->temp_file->file;

    if (rb->temp_file->persistent) {
        (void) ngx_delete_file(file->name.data);
    }

    /* of a file that is "clean" the pool's cleanup is another one */

    if (!rb->temp_file->clean) {
        ngx_pool_run_cleanup_file(r->pool, file->fd);
        file->fd = NGX_INVALID_FILE;
    }
}


static ngx_int_t
ngx_http_guardrail_decode_headers(ngx_http_request_t *r, off_t length)
{
    ngx_str_t  text;

    text.data = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    text.len = (size_t) (ngx_sprintf(text.data, "%O", length) - text.data);

    return ngx_http_guardrail_edit_headers(r, ngx_http_guardrail_decode_edit,
                                           &text);
}


static ngx_int_t
ngx_http_guardrail_decode_edit(ngx_table_elt_t *h, void *data)
{
    ngx_str_t  *length = data;
    ngx_str_t  *name;

    if (ngx_http_guardrail_is_content_length(h)) {
        h->value = *length;
        return NGX_OK;
    }

    for (name = ngx_http_guardrail_of_coded; name->len; name++) {
        if (ngx_http_guardrail_decode_is(h, name)) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_decode_edit_label(ngx_table_elt_t *h, void *data)
{
    return ngx_http_guardrail_decode_is(h,
                                        &ngx_http_guardrail_content_encoding)
           ? NGX_DECLINED : NGX_OK;
}


static ngx_uint_t
ngx_http_guardrail_decode_is(ngx_table_elt_t *h, ngx_str_t *name)
{
    size_t  i;
    u_char  c;

    if (h->key.len != name->len) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = h->lowcase_key[i];

        if (c != name->data[i] && !(c == '_' && name->data[i] == '-')) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_guardrail_is_labelled(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_guardrail_decode_is(&h[i],
                                       &ngx_http_guardrail_content_encoding))
            {
                return 1;
            }
        }
    }

    return 0;
}


/*
 * There is nothing to decode: no body, one of zero bytes, or one that is
 * labelled "identity".  A coding that is not accepted stays as it is.
 */

ngx_int_t
ngx_http_guardrail_unlabel(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_head_t  *head;

    if (r != r->main || !ngx_http_guardrail_decodes(ctx)
        || !ngx_http_guardrail_is_labelled(r))
    {
        return NGX_OK;
    }

    head = &ctx->head;

    ngx_http_guardrail_parse_head(r, head);

    if (head->codings || head->unknown || head->underscore_encoding) {
        return NGX_OK;
    }

    if (ngx_http_guardrail_forget_variables(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (head->coding == GUARDRAIL_CODING_IDENTITY) {
        return ngx_http_guardrail_edit_headers(r,
                                  ngx_http_guardrail_decode_edit_label, NULL);
    }

    if ((ctx->conf->encodings & head->coding) == 0) {
        return NGX_OK;
    }

    return ngx_http_guardrail_decode_headers(r, 0);
}
