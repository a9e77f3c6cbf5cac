
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the requests of a worker share: a budget of work for one pass of the
 * event loop, the queue of those who wait for the next, and the memory of
 * decoders.
 *
 * The budget is one for all requests: with one for each, 16 uploads that
 * inflate made others wait for 20 ms.  It is refilled only by an event of our
 * own, which runs once in each iteration of the event loop.
 */


#include "ngx_http_guardrail_module.h"


/* bytes of output of a decoder, or what costs as much, in one pass */

#define NGX_HTTP_GUARDRAIL_BUDGET  (256 * 1024)

/*
 * While requests wait: a timer that is not cancelable, so that an old worker
 * does not exit under them, at which the timeouts of those who were not
 * served are set anew (served ones are re-armed by their readers).
 */

#define NGX_HTTP_GUARDRAIL_KEEP    200          /* ms */

/* decoders with more history than this share half of the memory */

#define NGX_HTTP_GUARDRAIL_SMALL_WINDOW  65536


static void ngx_http_guardrail_resume(ngx_event_t *ev);
static void ngx_http_guardrail_wake(ngx_http_guardrail_ctx_t *ctx);
static void ngx_http_guardrail_keep_handler(ngx_event_t *ev);
static void ngx_http_guardrail_unkeep(void);
static size_t ngx_http_guardrail_decoder_limit(ngx_http_guardrail_ctx_t *ctx);
static void *ngx_http_guardrail_alloc(void *opaque, size_t size,
    size_t window);
static void ngx_http_guardrail_release(void *opaque, void *p, size_t size,
    size_t window);
static ngx_int_t ngx_http_guardrail_check_decoder(ngx_conf_t *cf,
    const guardrail_codec_t *codec, const u_char *data, size_t len);
static void *ngx_http_guardrail_check_alloc(void *opaque, size_t size,
    size_t window);
static void ngx_http_guardrail_check_free(void *opaque, void *p, size_t size,
    size_t window);


ngx_http_guardrail_worker_t  ngx_http_guardrail_worker;

static ngx_event_t           ngx_http_guardrail_event;
static ngx_event_t           ngx_http_guardrail_keep;
static ngx_connection_t      ngx_http_guardrail_dummy;
static ngx_queue_t           ngx_http_guardrail_waiting;
static size_t                ngx_http_guardrail_decoders;
static size_t                ngx_http_guardrail_large_decoders;


ngx_int_t
ngx_http_guardrail_init_worker(ngx_cycle_t *cycle)
{
    ngx_memzero(&ngx_http_guardrail_event, sizeof(ngx_event_t));

    ngx_http_guardrail_event.handler = ngx_http_guardrail_resume;
    ngx_http_guardrail_event.log = cycle->log;

    /* debug builds look at the connection of a timer */

    ngx_memzero(&ngx_http_guardrail_keep, sizeof(ngx_event_t));
    ngx_memzero(&ngx_http_guardrail_dummy, sizeof(ngx_connection_t));

    ngx_http_guardrail_dummy.fd = (ngx_socket_t) -1;

    ngx_http_guardrail_keep.handler = ngx_http_guardrail_keep_handler;
    ngx_http_guardrail_keep.data = &ngx_http_guardrail_dummy;
    ngx_http_guardrail_keep.log = cycle->log;

    ngx_queue_init(&ngx_http_guardrail_waiting);

    ngx_http_guardrail_worker.left = NGX_HTTP_GUARDRAIL_BUDGET;
    ngx_http_guardrail_worker.ndjson = guardrail_ndjson_select();
    ngx_http_guardrail_worker.ops.json = guardrail_json_select();
    ngx_http_guardrail_worker.ops.csv = guardrail_csv_select();

    if (ngx_http_guardrail_init_zones(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_guardrail_init_stats(cycle);
}


void
ngx_http_guardrail_spend(void)
{
    /* ngx_posted_events is drained in one go: it would be the same pass */

    if (!ngx_http_guardrail_event.posted) {
        ngx_post_event(&ngx_http_guardrail_event, &ngx_posted_next_events);
    }
}


void
ngx_http_guardrail_step_aside(ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->waiting) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "guardrail steps aside at %uL", ctx->body.decoded);

    ctx->waiting = 1;
    ngx_queue_insert_tail(&ngx_http_guardrail_waiting, &ctx->queue);

    if (!ngx_http_guardrail_keep.timer_set) {
        ngx_add_timer(&ngx_http_guardrail_keep, NGX_HTTP_GUARDRAIL_KEEP);
    }
}


static void
ngx_http_guardrail_resume(ngx_event_t *ev)
{
    ngx_queue_t               *q, pass;
    ngx_http_guardrail_ctx_t  *ctx;

    ngx_http_guardrail_worker.left = NGX_HTTP_GUARDRAIL_BUDGET;

    /* those who step aside again from here on wait for the next pass */

    ngx_queue_init(&pass);
    ngx_queue_add(&pass, &ngx_http_guardrail_waiting);
    ngx_queue_init(&ngx_http_guardrail_waiting);

    while (!ngx_queue_empty(&pass) && ngx_http_guardrail_worker.left > 0) {
        q = ngx_queue_head(&pass);
        ctx = ngx_queue_data(q, ngx_http_guardrail_ctx_t, queue);

        ngx_http_guardrail_leave_queue(ctx);
        ngx_http_guardrail_wake(ctx);
    }

    /* first come, first served: those of this pass stay in front */

    ngx_queue_add(&pass, &ngx_http_guardrail_waiting);
    ngx_queue_init(&ngx_http_guardrail_waiting);
    ngx_queue_add(&ngx_http_guardrail_waiting, &pass);

    ngx_http_guardrail_unkeep();

    if (!ngx_queue_empty(&ngx_http_guardrail_waiting)
        || ngx_http_guardrail_worker.left < NGX_HTTP_GUARDRAIL_BUDGET)
    {
        if (!ev->posted) {
            ngx_post_event(ev, &ngx_posted_next_events);
        }
    }
}


static void
ngx_http_guardrail_keep_handler(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_connection_t          *c;
    ngx_http_guardrail_ctx_t  *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    for (q = ngx_queue_head(&ngx_http_guardrail_waiting);
         q != ngx_queue_sentinel(&ngx_http_guardrail_waiting);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_guardrail_ctx_t, queue);
        c = ctx->request->connection;

        if (c->read->timer_set) {
            clcf = ngx_http_get_module_loc_conf(ctx->request,
                                                ngx_http_core_module);
            ngx_add_timer(c->read, clcf->client_body_timeout);
        }
    }

    if (!ngx_queue_empty(&ngx_http_guardrail_waiting)) {
        ngx_add_timer(ev, NGX_HTTP_GUARDRAIL_KEEP);
    }
}


static void
ngx_http_guardrail_unkeep(void)
{
    if (ngx_queue_empty(&ngx_http_guardrail_waiting)
        && ngx_http_guardrail_keep.timer_set)
    {
        ngx_del_timer(&ngx_http_guardrail_keep);
    }
}


/* the request may be freed here */

static void
ngx_http_guardrail_wake(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    if (ctx->state == ngx_http_guardrail_late) {
        ngx_http_guardrail_wake_phases(ctx);
        return;
    }

    /*
     * Not r->read_event_handler(): the handler of the event may have been
     * replaced (lingering close, a closed HTTP/2 stream with queued frames),
     * and it runs posted requests.
     */

    c->read->handler(c->read);
}


void
ngx_http_guardrail_wake_phases(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    /* the phases go on in the request that was stopped, if not in c */

    (void) ngx_http_post_request(ctx->request, &ctx->posted);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_guardrail_init_alloc(ngx_http_guardrail_ctx_t *ctx)
{
    ctx->alloc.alloc = ngx_http_guardrail_alloc;
    ctx->alloc.free = ngx_http_guardrail_release;
    ctx->alloc.opaque = ctx;
}


void
ngx_http_guardrail_decoder_refused(ngx_http_guardrail_ctx_t *ctx,
    uint64_t wanted)
{
    ctx->limit = ngx_http_guardrail_decoder_limit(ctx);
    ctx->observed = ngx_http_guardrail_decoders + wanted;

    if (ctx->observed <= ctx->limit) {

        /* the whole would have had room: it was the half of large windows */

        ctx->limit /= 2;
        ctx->observed = ngx_http_guardrail_large_decoders + wanted;
    }
}


static size_t
ngx_http_guardrail_decoder_limit(ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_guardrail_module);

    return gmcf->decoder_memory;
}


static void *
ngx_http_guardrail_alloc(void *opaque, size_t size, size_t window)
{
    ngx_http_guardrail_ctx_t *ctx = opaque;

    void    *p;
    size_t   limit;

    limit = ngx_http_guardrail_decoder_limit(ctx);

    if (limit) {

        if (size > limit || ngx_http_guardrail_decoders > limit - size) {
            return NULL;
        }

        if (window > NGX_HTTP_GUARDRAIL_SMALL_WINDOW
            && (size > limit / 2
                || ngx_http_guardrail_large_decoders > limit / 2 - size))
        {
            return NULL;
        }
    }

    p = ngx_palloc(ctx->request->pool, size);
    if (p == NULL) {
        return NULL;
    }

    ngx_http_guardrail_decoders += size;
    ngx_http_guardrail_gauges->decoders = ngx_http_guardrail_decoders;

    if (window > NGX_HTTP_GUARDRAIL_SMALL_WINDOW) {
        ngx_http_guardrail_large_decoders += size;
    }

    return p;
}


static void
ngx_http_guardrail_release(void *opaque, void *p, size_t size, size_t window)
{
    ngx_http_guardrail_ctx_t *ctx = opaque;

    ngx_http_guardrail_decoders -= size;
    ngx_http_guardrail_gauges->decoders = ngx_http_guardrail_decoders;

    if (window > NGX_HTTP_GUARDRAIL_SMALL_WINDOW) {
        ngx_http_guardrail_large_decoders -= size;
    }

    (void) ngx_pfree(ctx->request->pool, p);
}


/*
 * The decoders' memory has a fixed size: other libraries than those of the
 * build may not fit, which is better said by nginx -t than by refusals.  The
 * windows of br and zstd are the largest.
 */

ngx_int_t
ngx_http_guardrail_check_decoders(ngx_conf_t *cf)
{
    ngx_uint_t                i;
    const guardrail_codec_t  *codec;

    static const u_char  gzip[] = {
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b,
        0x2f, 0x4d, 0x2c, 0x4a, 0x29, 0x4a, 0xcc, 0xcc, 0x01, 0x00, 0xbc,
        0x69, 0x3a, 0x45, 0x09, 0x00, 0x00, 0x00
    };

    static const u_char  br[] = {
        0x0f, 0x04, 0x80, 'g', 'u', 'a', 'r', 'd', 'r', 'a', 'i', 'l', 0x03
    };

    static const u_char  zstd[] = {
        0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x49, 0x00, 0x00,
        'g', 'u', 'a', 'r', 'd', 'r', 'a', 'i', 'l'
    };

    static const struct {
        guardrail_coding_e   coding;
        const u_char        *data;
        size_t               len;
    } checks[] = {
        { GUARDRAIL_CODING_GZIP, gzip, sizeof(gzip) },
        { GUARDRAIL_CODING_BR, br, sizeof(br) },
        { GUARDRAIL_CODING_ZSTD, zstd, sizeof(zstd) }
    };

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        codec = guardrail_codec_get(checks[i].coding);

        if (codec == NULL
            || ngx_http_guardrail_check_decoder(cf, codec, checks[i].data,
                                                checks[i].len)
               == NGX_OK)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the library for \"%s\" that is loaded does not "
                           "work with the guardrail module: it needs more "
                           "than %uz bytes for a decoder",
                           codec->name, codec->memory);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_check_decoder(ngx_conf_t *cf,
    const guardrail_codec_t *codec, const u_char *data, size_t len)
{
    void                  *state;
    ngx_uint_t             ok;
    guardrail_alloc_t      alloc;
    guardrail_codec_io_t   io;

    alloc.alloc = ngx_http_guardrail_check_alloc;
    alloc.free = ngx_http_guardrail_check_free;
    alloc.opaque = cf->temp_pool;

    state = codec->open(&alloc);
    if (state == NULL) {
        return NGX_ERROR;
    }

    io.in = data;
    io.in_end = data + len;
    io.out = ngx_http_guardrail_worker.scratch;
    io.out_end = io.out + GUARDRAIL_BODY_QUANTUM;

    ok = codec->decode(state, &io) == GUARDRAIL_OK
         && codec->finish(state) == GUARDRAIL_OK
         && io.out - ngx_http_guardrail_worker.scratch == 9
         && ngx_memcmp(ngx_http_guardrail_worker.scratch, "guardrail", 9) == 0;

    codec->close(state);

    return ok ? NGX_OK : NGX_ERROR;
}


static void *
ngx_http_guardrail_check_alloc(void *opaque, size_t size, size_t window)
{
    return ngx_palloc(opaque, size);
}


static void
ngx_http_guardrail_check_free(void *opaque, void *p, size_t size,
    size_t window)
{
    (void) ngx_pfree(opaque, p);
}
