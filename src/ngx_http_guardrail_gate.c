
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The gate: PREACCESS refuses by the head alone and by constant limits,
 * before "100 Continue"; PRECONTENT evaluates the rest and reads the body.
 */


#include "ngx_http_guardrail_module.h"


static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_preaccess_body(
    ngx_http_request_t *r, ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_enter_args(
    ngx_http_request_t *r, ngx_http_guardrail_loc_conf_t *glcf,
    ngx_uint_t mode);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_late_args(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_APART void ngx_http_guardrail_leave_partial(
    ngx_http_request_t *r);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_enter(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_judge(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t late, off_t length);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_judge_anew(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, ngx_uint_t late,
    off_t length);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_begin(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_prepare(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    const guardrail_body_limits_t *limits);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_prepare_scanners(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_judge_decoded(
    ngx_http_guardrail_ctx_t *ctx, guardrail_body_limits_t *limits,
    uint64_t wire, uint64_t decoded);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_foresee_some(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_plain_bound(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_enter_without_body(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);


ngx_int_t
ngx_http_guardrail_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

    /* a mode that is a variable is evaluated after authentication */

    if (!ngx_http_guardrail_configured(glcf)
        || glcf->mode.cv
        || r != r->main)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_guardrail_has_body(r)
        && r->request_body == NULL
        && !r->discard_body)
    {
        rc = ngx_http_guardrail_preaccess_body(r, glcf);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (glcf->args || glcf->windows) {
        return ngx_http_guardrail_enter_args(r, glcf,
                                             (ngx_uint_t) glcf->mode.n);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_guardrail_preaccess_body(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf)
{
    ngx_int_t                  rc;
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_http_guardrail_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused) {
        return NGX_DECLINED;
    }

    ctx->conf = glcf;

    if (glcf->mode.n == NGX_HTTP_GUARDRAIL_DRY_RUN) {
        rc = ngx_http_guardrail_plain_bound(r, ctx);

        /* PRECONTENT comes in time, unless an argument were told first */

        if (rc != NGX_DECLINED || (!glcf->args && !glcf->windows)) {
            return rc;
        }

        return ngx_http_guardrail_foresee_some(r, ctx, glcf);
    }

    if (!glcf->fixed || glcf->quotas) {
        return ngx_http_guardrail_foresee_some(r, ctx, glcf);
    }

    ctx->foreseen = glcf;
    ctx->declared_length = r->headers_in.content_length_n;

    if (ngx_http_guardrail_judge_head(r, ctx, glcf, &glcf->limits,
                                      ctx->declared_length)
        != GUARDRAIL_OK)
    {
        ctx->mode = NGX_HTTP_GUARDRAIL_ON;
        ctx->entered = 1;

        return ngx_http_guardrail_refuse(r, ctx);
    }

    return NGX_DECLINED;
}


/* by those limits that are known before authentication */

static ngx_int_t
ngx_http_guardrail_foresee_some(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf)
{
    guardrail_body_limits_t  limits;

    if (ngx_http_guardrail_eval_limits(r, glcf, (ngx_uint_t) glcf->mode.n, 1,
                                       &limits)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (glcf->quotas) {
        ngx_http_guardrail_quota_limits(r, ctx, 1, &limits);
    }

    if (ngx_http_guardrail_judge_head(r, ctx, glcf, &limits,
                                      r->headers_in.content_length_n)
        != GUARDRAIL_OK)
    {
        ctx->mode = (ngx_uint_t) glcf->mode.n;
        ctx->entered = 1;

        return ngx_http_guardrail_excess(r, ctx);
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


/* where the mode is a variable, and was not known in PREACCESS */

static ngx_int_t
ngx_http_guardrail_late_args(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->conf->mode.cv == NULL
        || r != r->main
        || (ctx->conf->args == NULL && ctx->conf->windows == NULL))
    {
        return NGX_DECLINED;
    }

    return ngx_http_guardrail_enter_args(r, ctx->conf, ctx->mode);
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

    if (glcf->mode.cv == NULL) {
        ctx->mode = (ngx_uint_t) glcf->mode.n;

    } else if (ngx_http_guardrail_eval_mode(r, glcf, &ctx->mode) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
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
    ngx_int_t  rc;

    if (r != r->main || ctx->mode == NGX_HTTP_GUARDRAIL_OFF) {
        return NGX_DECLINED;
    }

    ctx->complete = 1;

    rc = ngx_http_guardrail_late_args(r, ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

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
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ctx->conf;

    if (late
        || ctx->foreseen != glcf
        || ctx->declared_length != length
        || ctx->head.uri_changes != r->uri_changes
        || glcf->tenant
        || glcf->decode)
    {
        return ngx_http_guardrail_judge_anew(r, ctx, late, length);
    }

    /* PREACCESS has judged this head by all of the limits */

    if (ngx_http_guardrail_prepare(r, ctx, &glcf->limits) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_guardrail_begin(r, ctx);
}


static ngx_int_t
ngx_http_guardrail_judge_anew(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t late, off_t length)
{
    off_t                         wire;
    ngx_int_t                     rc;
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

    rc = ngx_http_guardrail_late_args(r, ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    limits.coding = ctx->head.coding;
    limits.format = ctx->head.judged_as;

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

    return ngx_http_guardrail_begin(r, ctx);
}


/* all is known: the body may come */

static ngx_int_t
ngx_http_guardrail_begin(ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx)
{
    ctx->inspect = 1;

    if (ctx->mode == NGX_HTTP_GUARDRAIL_DRY_RUN || !ctx->conf->buffering) {
        return NGX_DECLINED;
    }

    return ngx_http_guardrail_read(r, ctx);
}


static ngx_int_t
ngx_http_guardrail_prepare(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, const guardrail_body_limits_t *limits)
{
    if (ctx->body.alloc) {

        /* that of another location */

        guardrail_body_close(&ctx->body);
        ngx_memzero(&ctx->body, sizeof(guardrail_body_t));
    }

    guardrail_body_init_zeroed(&ctx->body, limits, ctx->head.judged_as,
                               ctx->head.coding,
                               ngx_http_guardrail_worker.ndjson, &ctx->alloc);

    ctx->judged = 0;
    ctx->offset = 0;

    if (ctx->quotas == NULL && guardrail_body_is_plain(&ctx->body)) {
        return NGX_OK;
    }

    return ngx_http_guardrail_prepare_scanners(r, ctx);
}


static ngx_int_t
ngx_http_guardrail_prepare_scanners(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    void    *block;
    size_t   size;

    ngx_http_guardrail_init_alloc(ctx);

    size = guardrail_body_block(&ctx->body.limits);

    if (size) {
        block = ngx_palloc(r->pool, size);
        if (block == NULL) {
            return NGX_ERROR;
        }

        guardrail_body_use(&ctx->body, &ngx_http_guardrail_worker.ops, block);
    }

    if (r == r->main) {
        guardrail_body_set_meter(&ctx->body, ngx_http_guardrail_meter(ctx));
    }

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
