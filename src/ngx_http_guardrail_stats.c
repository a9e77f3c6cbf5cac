
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Counters of requests: each is added to those of its label at its end, and
 * they are added up for who reads them.
 */


#include "ngx_http_guardrail_module.h"


/* the histograms to which a body counted once belongs, as a mask */

#define NGX_HTTP_GUARDRAIL_OF_SAME                                            \
    (((uint64_t) 1 << ngx_http_guardrail_stat_body)                           \
     | ((uint64_t) 1 << ngx_http_guardrail_stat_decoded))


static ngx_uint_t ngx_http_guardrail_has_gone(
    ngx_http_guardrail_stats_t *stats);
static GUARDRAIL_APART void ngx_http_guardrail_count_first(
    ngx_http_request_t *r, ngx_http_guardrail_series_t *series,
    ngx_http_guardrail_counters_t *c);
static GUARDRAIL_HOT void ngx_http_guardrail_count_body(
    ngx_http_guardrail_counters_t *c, ngx_http_guardrail_ctx_t *ctx);
static GUARDRAIL_APART void ngx_http_guardrail_count_contents(
    ngx_http_guardrail_counters_t *c, guardrail_body_t *b);
static GUARDRAIL_HOT void ngx_http_guardrail_count_value(
    ngx_http_guardrail_counters_t *c, ngx_uint_t stat, uint64_t value);
static GUARDRAIL_APART void ngx_http_guardrail_count_used(
    ngx_http_guardrail_counters_t *c, uint64_t bit);


const char *
ngx_http_guardrail_verdict_name(ngx_uint_t verdict)
{
    static const char  *names[NGX_HTTP_GUARDRAIL_VERDICTS] = {
        "off", "pass", "reject", "would_reject", "aborted"
    };

    return names[verdict];
}


static ngx_uint_t
ngx_http_guardrail_has_gone(ngx_http_guardrail_stats_t *stats)
{
    return ngx_process == NGX_PROCESS_SINGLE
           && stats->head != ngx_http_guardrail_mapped;
}


/* it belongs to where it was judged, not to its error page */

ngx_http_guardrail_series_t *
ngx_http_guardrail_find_series(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx)
{
    ngx_http_guardrail_loc_conf_t  *glcf;

    if (!r->valid_location) {

        /* it could not be read, and came nowhere */

        return NULL;
    }

    glcf = (ctx && ctx->conf)
           ? ctx->conf
           : ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);

    return glcf->series;
}


ngx_int_t
ngx_http_guardrail_count(ngx_http_request_t *r)
{
    ngx_uint_t                      verdict;
    ngx_http_guardrail_ctx_t       *ctx;
    ngx_http_guardrail_series_t    *series;
    ngx_http_guardrail_counters_t  *c;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_guardrail_find_ctx(r);
    series = ngx_http_guardrail_find_series(r, ctx);

    if (series == NULL || series->counters == NULL) {
        return NGX_OK;
    }

    c = series->counters;

    if (!(c->used & NGX_HTTP_GUARDRAIL_STATS_USED)) {
        ngx_http_guardrail_count_first(r, series, c);
    }

    verdict = ngx_http_guardrail_verdict(r, ctx);

    (void) __atomic_fetch_add(&c->requests[verdict], 1, __ATOMIC_RELAXED);

    if (ctx == NULL) {
        return NGX_OK;
    }

    if (verdict == ngx_http_guardrail_verdict_reject) {
        (void) __atomic_fetch_add(&c->rejected[ctx->rc], 1, __ATOMIC_RELAXED);

    } else if (verdict == ngx_http_guardrail_verdict_would) {
        (void) __atomic_fetch_add(&c->would[ctx->rc], 1, __ATOMIC_RELAXED);
    }

    if (ctx->body.alloc) {
        ngx_http_guardrail_count_body(c, ctx);
    }

    /* a full queue has refused some that never stood in it */

    if (ctx->quotas && ctx->quotas->line && ctx->quotas->line->waited) {
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_queue,
                                       (uint64_t) ctx->quotas->queue_time
                                       * NGX_HTTP_GUARDRAIL_STAT_SCALE / 1000);
    }

    return NGX_OK;
}


static void
ngx_http_guardrail_count_first(ngx_http_request_t *r,
    ngx_http_guardrail_series_t *series, ngx_http_guardrail_counters_t *c)
{
    ngx_http_guardrail_stats_t      *stats;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_guardrail_module);
    stats = gmcf->stats;

    stats->rows[series->row].used[ngx_http_guardrail_stats_slot(stats)] = 1;

    ngx_http_guardrail_count_used(c, NGX_HTTP_GUARDRAIL_STATS_USED);
}


static void
ngx_http_guardrail_count_body(ngx_http_guardrail_counters_t *c,
    ngx_http_guardrail_ctx_t *ctx)
{
    guardrail_body_t  *b;

    b = &ctx->body;

    if (b->wire == b->decoded) {
        ngx_http_guardrail_count_value(c, NGX_HTTP_GUARDRAIL_STAT_SAME,
                                       b->wire);

    } else {
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_body,
                                       b->wire);
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_decoded,
                                       b->decoded);
    }

    if (guardrail_body_was_looked_into(b)) {
        ngx_http_guardrail_count_contents(c, b);
    }
}


static void
ngx_http_guardrail_count_contents(ngx_http_guardrail_counters_t *c,
    guardrail_body_t *b)
{
    if (b->limits.coding != GUARDRAIL_CODING_IDENTITY && b->wire) {
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_ratio,
                     guardrail_mul_sat(b->decoded,
                                       NGX_HTTP_GUARDRAIL_STAT_SCALE)
                     / b->wire);
    }

    /* zeros of bodies nobody has looked into would suggest limits of nothing */

    if (guardrail_body_has_records(b)
        && b->format != GUARDRAIL_FORMAT_NONE)
    {
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_records,
                                       guardrail_body_record_count(b));
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_largest,
                                       guardrail_body_largest_record(b));
    }

    if (guardrail_body_has_estimate(b)
        && (b->limits.max_memory != GUARDRAIL_NO_LIMIT || b->limits.estimate))
    {
        ngx_http_guardrail_count_value(c, ngx_http_guardrail_stat_memory,
                                       guardrail_body_estimate(b));
    }
}


static void
ngx_http_guardrail_count_value(ngx_http_guardrail_counters_t *c,
    ngx_uint_t stat, uint64_t value)
{
    uint64_t  bit;

    bit = (uint64_t) 1 << stat;

    if (!(c->used & bit)) {
        ngx_http_guardrail_count_used(c, bit);
    }

    guardrail_histogram_add(&c->histograms[stat], value);
}


static void
ngx_http_guardrail_count_used(ngx_http_guardrail_counters_t *c, uint64_t bit)
{
    (void) __atomic_fetch_or(&c->used, bit, __ATOMIC_RELAXED);
}


ngx_uint_t
ngx_http_guardrail_sum_counters(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_series_t *series, ngx_http_guardrail_counters_t *sum)
{
    ngx_uint_t                       i, slot, some;
    ngx_http_guardrail_counters_t   *c;

    ngx_memzero(sum, offsetof(ngx_http_guardrail_counters_t, histograms));

    if (ngx_http_guardrail_has_gone(stats)) {
        return 0;
    }

    for (some = 0, slot = 0; slot < stats->slots; slot++) {

        if (!stats->rows[series->row].used[slot]) {
            continue;
        }

        some = 1;
        c = &stats->counters[slot * stats->capacity + series->row];

        for (i = 0; i < NGX_HTTP_GUARDRAIL_VERDICTS; i++) {
            sum->requests[i] += __atomic_load_n(&c->requests[i],
                                                __ATOMIC_RELAXED);
        }

        for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
            sum->rejected[i] += __atomic_load_n(&c->rejected[i],
                                                __ATOMIC_RELAXED);
            sum->would[i] += __atomic_load_n(&c->would[i], __ATOMIC_RELAXED);
        }

        sum->used |= __atomic_load_n(&c->used, __ATOMIC_RELAXED);
    }

    if (sum->used & ((uint64_t) 1 << NGX_HTTP_GUARDRAIL_STAT_SAME)) {
        sum->used |= NGX_HTTP_GUARDRAIL_OF_SAME;
    }

    return some;
}


ngx_uint_t
ngx_http_guardrail_sum_histogram(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_series_t *series, ngx_uint_t stat,
    guardrail_histogram_t *sum)
{
    ngx_uint_t                      slot, some;
    ngx_http_guardrail_counters_t  *c;

    ngx_memzero(sum, sizeof(guardrail_histogram_t));

    if (ngx_http_guardrail_has_gone(stats)) {
        return 0;
    }

    for (some = 0, slot = 0; slot < stats->slots; slot++) {

        if (!stats->rows[series->row].used[slot]) {
            continue;
        }

        c = &stats->counters[slot * stats->capacity + series->row];

        if (c->used & ((uint64_t) 1 << stat)) {
            some = 1;
            guardrail_histogram_merge(sum, &c->histograms[stat]);
        }

        if ((NGX_HTTP_GUARDRAIL_OF_SAME & ((uint64_t) 1 << stat))
            && (c->used & ((uint64_t) 1 << NGX_HTTP_GUARDRAIL_STAT_SAME)))
        {
            some = 1;
            guardrail_histogram_merge(sum,
                               &c->histograms[NGX_HTTP_GUARDRAIL_STAT_SAME]);
        }
    }

    return some;
}


void
ngx_http_guardrail_sum_gauges(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_gauges_t *sum)
{
    uint64_t                      owner, start;
    ngx_uint_t                    i;
    ngx_http_guardrail_gauges_t  *g;

    ngx_memzero(sum, sizeof(ngx_http_guardrail_gauges_t));

    if (ngx_http_guardrail_has_gone(stats)) {
        return;
    }

    for (i = 0; i < NGX_HTTP_GUARDRAIL_STATS_PROCESSES; i++) {
        g = &stats->head->gauges[i];

        owner = __atomic_load_n(&g->owner, __ATOMIC_ACQUIRE);
        start = g->start;

        if (owner == 0 || (owner & NGX_HTTP_GUARDRAIL_STATS_CLAIMED)
            || (owner != (uint64_t) ngx_pid
                && !ngx_http_guardrail_alive((ngx_pid_t) owner, start)))
        {
            continue;
        }

        sum->in_flight += __atomic_load_n(&g->in_flight, __ATOMIC_RELAXED);
        sum->decoders += __atomic_load_n(&g->decoders, __ATOMIC_RELAXED);
    }
}


time_t
ngx_http_guardrail_stats_since(ngx_http_guardrail_stats_t *stats)
{
    return ngx_http_guardrail_has_gone(stats) ? ngx_time()
                                              : (time_t) stats->head->start;
}
