
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The gate: PREACCESS refuses by the head alone and by constant limits,
 * before "100 Continue"; PRECONTENT evaluates the rest and reads the body.
 *
 * Who owns the request while its body is read: as in the mirror module,
 * ngx_http_read_client_request_body() takes a reference and may call our
 * handler at once or later.  At once: the phase handler gives that reference
 * back, and the phases go on.  Later: it gives the phase engine's own back
 * with ngx_http_finalize_request(r, NGX_DONE) and returns NGX_DONE, and the
 * handler runs the phases again, from this handler on.
 */


#include "ngx_http_guardrail_module.h"


static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_enter_args(
    ngx_http_request_t *r, ngx_http_guardrail_loc_conf_t *glcf,
    ngx_uint_t mode);
static GUARDRAIL_APART void ngx_http_guardrail_leave_partial(
    ngx_http_request_t *r);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_enter(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_judge(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t late, off_t length);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_prepare(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    guardrail_body_limits_t *limits);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_judge_decoded(
    ngx_http_guardrail_ctx_t *ctx, guardrail_body_limits_t *limits,
    uint64_t wire, uint64_t decoded);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_plain_bound(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_APART ngx_uint_t ngx_http_guardrail_is_judged(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    guardrail_body_limits_t *limits, off_t length);
static ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_cannot_judge(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, const char *error);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_enter_without_body(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_run_late(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_run_levels(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static ngx_http_guardrail_cold void ngx_http_guardrail_watch_client(
    ngx_http_request_t *r);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_read(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_HOT void ngx_http_guardrail_body_handler(
    ngx_http_request_t *r);


ngx_int_t
ngx_http_guardrail_preaccess_handler(ngx_http_request_t *r)
{
    off_t                           declared;
    ngx_int_t                       rc;
    ngx_http_guardrail_ctx_t       *ctx;
    guardrail_body_limits_t         limits;
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

    /* a mode that is a variable is evaluated after authentication */

    if (!ngx_http_guardrail_configured(glcf)
        || glcf->mode.cv
        || r != r->main)
    {
        return NGX_DECLINED;
    }

    if (glcf->args || glcf->windows) {
        rc = ngx_http_guardrail_enter_args(r, glcf, (ngx_uint_t) glcf->mode.n);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (!ngx_http_guardrail_has_body(r)
        || r->request_body
        || r->discard_body)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_guardrail_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused) {
        return NGX_DECLINED;
    }

    declared = r->headers_in.content_length_n;
    ctx->conf = glcf;

    if (glcf->mode.n == NGX_HTTP_GUARDRAIL_DRY_RUN) {
        return ngx_http_guardrail_plain_bound(r, ctx);
    }

    if (ngx_http_guardrail_eval_limits(r, glcf, NGX_HTTP_GUARDRAIL_ON, 1,
                                       &limits)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (glcf->quotas) {
        ngx_http_guardrail_quota_limits(r, ctx, 1, &limits);
    }

    if (ngx_http_guardrail_judge_head(r, ctx, glcf, &limits, declared)
        != GUARDRAIL_OK)
    {
        ctx->mode = NGX_HTTP_GUARDRAIL_ON;
        ctx->entered = 1;

        return ngx_http_guardrail_refuse(r, ctx);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_guardrail_enter_args(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_uint_t mode)
{
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_http_guardrail_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused || mode == NGX_HTTP_GUARDRAIL_OFF
        || ngx_http_guardrail_judge_args(r, ctx, glcf) == NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->conf = glcf;
    ctx->mode = mode;
    ctx->entered = 1;

    if (!ngx_http_guardrail_has_body(r)) {
        ctx->complete = 1;
    }

    return ngx_http_guardrail_excess(r, ctx);
}


ngx_int_t
ngx_http_guardrail_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t       *ctx;
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

    if (!ngx_http_guardrail_configured(glcf)) {

        if (r->internal && r == r->main) {
            ngx_http_guardrail_leave_partial(r);
        }

        return NGX_DECLINED;
    }

    if (!ngx_http_guardrail_has_body(r)
        && (r != r->main
            || (glcf->mode.cv == NULL && glcf->quotas == NULL
                && glcf->tenant == NULL
                && !(glcf->decode && ngx_http_guardrail_is_labelled(r)))))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_guardrail_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused) {
        return NGX_DECLINED;
    }

    switch (ctx->state) {

    case ngx_http_guardrail_new:
        return ngx_http_guardrail_enter(r, ctx, glcf);

    case ngx_http_guardrail_reading:

        /* the phases were run by something else than our handler */

        return NGX_DONE;

    case ngx_http_guardrail_late:

        if (ctx->waiting) {
            return NGX_DONE;
        }

        return ngx_http_guardrail_run_late(r, ctx);

    case ngx_http_guardrail_levels:
        return ngx_http_guardrail_run_levels(r, ctx);

    default: /* ngx_http_guardrail_passed */
        return NGX_DECLINED;
    }
}


/*
 * The body is not sound, says nginx while it is read, and an error_page leads
 * to where nobody judges.  Its length would be sent there, of what was held,
 * or decoded, not the bytes.
 */

static void
ngx_http_guardrail_leave_partial(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_http_guardrail_find_ctx(r);

    if (ctx && ctx->partial && !ctx->refused) {
        ctx->partial = 0;
        ngx_http_guardrail_vanish(r, ctx);
    }
}


/* the request enters a location: once for each */

static ngx_int_t
ngx_http_guardrail_enter(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf)
{
    off_t       length;
    ngx_int_t   rc;
    ngx_uint_t  late;

    ctx->state = ngx_http_guardrail_passed;
    ctx->conf = glcf;
    ctx->entry = r->uri_changes;
    ctx->entered = 1;
    ctx->inspect = 0;
    ctx->complete = 0;
    ctx->bound = 0;

    /* what asked for it before did so before authentication */

    ctx->whose = NULL;

    if (ngx_http_guardrail_eval_mode(r, glcf, &ctx->mode) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (glcf->mode.cv && r == r->main && (glcf->args || glcf->windows)) {
        rc = ngx_http_guardrail_enter_args(r, glcf, ctx->mode);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (ctx->partial) {

        /* where the guard is on, what is missing is seen */

        if (ctx->mode != NGX_HTTP_GUARDRAIL_ON) {
            ngx_http_guardrail_leave_partial(r);
        }

        ctx->partial = 0;
        ngx_http_guardrail_decode_drop(r, ctx);
    }

    if (!ngx_http_guardrail_has_body(r)) {
        return ngx_http_guardrail_enter_without_body(r, ctx);
    }

    length = r->headers_in.content_length_n;
    late = ngx_http_guardrail_is_late(r);

    if (ctx->mode != NGX_HTTP_GUARDRAIL_ON) {
        rc = ngx_http_guardrail_plain_bound(r, ctx);

        if (rc != NGX_DECLINED || ctx->mode == NGX_HTTP_GUARDRAIL_OFF) {
            return rc;
        }
    }

    if (late) {
        length = ngx_http_guardrail_stored(r);

        if (length < 0) {
            return ngx_http_guardrail_cannot_judge(r, ctx,
                                "the body was passed on before, it is gone");
        }

        ctx->complete = 1;
    }

    if (r != r->main && (!late || length == 0)) {

        /* a subrequest that carries no body */

        return NGX_DECLINED;
    }

    return ngx_http_guardrail_judge(r, ctx, late, length);
}


static ngx_int_t
ngx_http_guardrail_enter_without_body(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    if (r != r->main || ctx->mode == NGX_HTTP_GUARDRAIL_OFF) {
        return NGX_DECLINED;
    }

    ctx->complete = 1;

    if (ngx_http_guardrail_unlabel(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_guardrail_admit(r, ctx, 0, 0) != NGX_OK) {
        return ngx_http_guardrail_excess(r, ctx);
    }

    return ngx_http_guardrail_run_levels(r, ctx);
}


static ngx_int_t
ngx_http_guardrail_judge(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_uint_t late, off_t length)
{
    off_t                         wire;
    ngx_uint_t                    decode;
    guardrail_body_limits_t       limits;
    ngx_http_guardrail_decode_t  *d;

    /* later limits of the wire go by what came over it */

    d = late ? ngx_http_guardrail_decoded(r) : NULL;
    wire = d ? (off_t) d->wire : length;

    if (ngx_http_guardrail_eval_limits(r, ctx->conf, ctx->mode, 0, &limits)
        != NGX_OK)
    {
        return ngx_http_guardrail_cannot_judge(r, ctx,
                                               "a limit cannot be read");
    }

    if (r == r->main && ctx->conf->quotas) {
        ngx_http_guardrail_quota_limits(r, ctx, 0, &limits);
    }

    if (ngx_http_guardrail_judge_head(r, ctx, ctx->conf, &limits, wire)
        != GUARDRAIL_OK
        || (d && ngx_http_guardrail_judge_decoded(ctx, &limits, d->wire,
                                                  (uint64_t) length)
                 != NGX_OK))
    {
        return ngx_http_guardrail_excess(r, ctx);
    }

    decode = ngx_http_guardrail_decodes(ctx)
             && limits.coding != GUARDRAIL_CODING_IDENTITY;

    if (decode && r != r->main) {

        /* its body and header are those of the main request */

        return ngx_http_guardrail_cannot_judge(r, ctx,
                              "the body of a subrequest cannot be decoded");
    }

    if (!decode && ngx_http_guardrail_unlabel(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r == r->main
        && (ctx->conf->quotas || ctx->conf->tenant)
        && ngx_http_guardrail_admit(r, ctx, wire, 1) != NGX_OK)
    {
        return ngx_http_guardrail_excess(r, ctx);
    }

    if (late && !decode
        && ngx_http_guardrail_is_judged(r, ctx, &limits, length))
    {

        if (r == r->main && ngx_http_guardrail_charge_judged(ctx) != NGX_OK) {
            return ngx_http_guardrail_excess(r, ctx);
        }

        return ngx_http_guardrail_run_levels(r, ctx);
    }

    if (ngx_http_guardrail_prepare(r, ctx, &limits) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (decode
        && ngx_http_guardrail_decode_begin(r, ctx, late) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (late) {

        if (d) {
            guardrail_body_decoded_before(&ctx->body, d->wire);
        }

        ctx->late = r->request_body->bufs;
        ctx->late_offset = 0;

        return ngx_http_guardrail_run_late(r, ctx);
    }

    ctx->inspect = 1;

    if (ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN || !ctx->conf->buffering) {
        return NGX_DECLINED;
    }

    return ngx_http_guardrail_read(r, ctx);
}


static ngx_int_t
ngx_http_guardrail_prepare(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, guardrail_body_limits_t *limits)
{
    void    *block;
    size_t   size;

    guardrail_body_close(&ctx->body);

    ngx_http_guardrail_init_alloc(ctx);

    guardrail_body_init(&ctx->body, limits, ngx_http_guardrail_worker.ndjson,
                        &ctx->alloc);

    size = guardrail_body_block(limits);

    if (size) {
        block = ngx_palloc(r->pool, size);
        if (block == NULL) {
            return NGX_ERROR;
        }

        guardrail_body_use(&ctx->body, &ngx_http_guardrail_worker.ops, block);
    }

    if (r == r->main) {
        ctx->body.meter = ngx_http_guardrail_meter(ctx);
    }

    ctx->judged = 0;
    ctx->offset = 0;

    return NGX_OK;
}


/*
 * The wire form of a body that was decoded before is gone.  What is left of
 * it, its length, is judged under another ratio.
 */

static ngx_int_t
ngx_http_guardrail_judge_decoded(ngx_http_guardrail_ctx_t *ctx,
    guardrail_body_limits_t *limits, uint64_t wire, uint64_t decoded)
{
    uint64_t  bound;

    if (limits->ratio == GUARDRAIL_NO_LIMIT) {
        return NGX_OK;
    }

    bound = guardrail_add_sat(limits->ratio_floor,
                              guardrail_mul_sat(limits->ratio, wire));

    if (decoded <= bound) {
        return NGX_OK;
    }

    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_RATIO, limits->ratio,
                                   decoded);
    ctx->observed_input = wire;

    return NGX_DECLINED;
}


/*
 * In dry_run, and where a variable says off, client_max_body_size holds, as
 * in plain nginx.  That compares a length, of a body that was read before,
 * too, when it looks for a location, which it does not for a named one; what
 * has no length is counted by the filter.
 */

static ngx_int_t
ngx_http_guardrail_plain_bound(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    off_t                         length;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_guardrail_decode_t  *d;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    d = ngx_http_guardrail_decoded(r);
    length = d ? (off_t) d->wire : r->headers_in.content_length_n;

    if (r != r->main || r->discard_body || (clcf->named && length >= 0)) {
        return NGX_DECLINED;
    }

    ctx->bound = ctx->conf->client_max_body_size;

    if (ctx->bound && length > ctx->bound) {
        return ngx_http_guardrail_refuse_plain(r, ctx, (uint64_t) ctx->bound,
                                               (uint64_t) length);
    }

    return NGX_DECLINED;
}


/* to its end, with the guard on, under equal limits */

static ngx_uint_t
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


static ngx_int_t
ngx_http_guardrail_cannot_judge(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, const char *error)
{
    ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_INTERNAL, 0, 0);
    ctx->error = error;

    return ngx_http_guardrail_excess(r, ctx);
}


static ngx_int_t
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

static ngx_int_t
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


static ngx_int_t
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

    ngx_http_guardrail_release_uploads(ctx);

    /* another location may read the stored body again */

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;

    if (!ctx->calling) {
        ngx_http_core_run_phases(r);
    }
}
