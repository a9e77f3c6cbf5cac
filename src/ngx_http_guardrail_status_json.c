
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status as JSON: all that was counted.
 */


#include "ngx_http_guardrail_status.h"


static void ngx_http_guardrail_write_head(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_write_location(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series);
static void ngx_http_guardrail_write_refusals(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_counters_t *c);
static void ngx_http_guardrail_write_refused(ngx_http_guardrail_out_t *out,
    ngx_uint_t verdict, const char *reason, uint64_t n);
static void ngx_http_guardrail_write_histogram(ngx_http_guardrail_out_t *out,
    ngx_uint_t stat, guardrail_histogram_t *h);


void
ngx_http_guardrail_json_open(ngx_http_guardrail_out_t *out, const char *bracket)
{
    if (out->comma) {
        ngx_http_guardrail_put(out, ",");
    }

    ngx_http_guardrail_put(out, bracket);
    out->comma = 0;
}


void
ngx_http_guardrail_json_close(ngx_http_guardrail_out_t *out,
    const char *bracket)
{
    ngx_http_guardrail_put(out, bracket);
    out->comma = 1;
}


/* a member's name, whose value comes next */

void
ngx_http_guardrail_json_name(ngx_http_guardrail_out_t *out, const char *name)
{
    if (out->comma) {
        ngx_http_guardrail_put(out, ",");
    }

    ngx_http_guardrail_put(out, "\"");
    ngx_http_guardrail_put(out, name);
    ngx_http_guardrail_put(out, "\":");

    out->comma = 0;
}


/* a byte is six at most when it is escaped */

void
ngx_http_guardrail_json_string(ngx_http_guardrail_out_t *out, const char *name,
    ngx_str_t *value)
{
    ngx_http_guardrail_json_name(out, name);

    guardrail_fmt_json(ngx_http_guardrail_room(out, 6 * value->len + 2),
                       (char *) value->data, value->len);
    out->comma = 1;
}


void
ngx_http_guardrail_json_text(ngx_http_guardrail_out_t *out, const char *name,
    const char *value)
{
    ngx_http_guardrail_json_name(out, name);
    ngx_http_guardrail_put(out, "\"");
    ngx_http_guardrail_put(out, value);
    ngx_http_guardrail_put(out, "\"");

    out->comma = 1;
}


void
ngx_http_guardrail_json_u64(ngx_http_guardrail_out_t *out, const char *name,
    uint64_t value)
{
    ngx_http_guardrail_json_name(out, name);

    guardrail_fmt_u64(ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER),
                      value);
    out->comma = 1;
}


void
ngx_http_guardrail_json_limit(ngx_http_guardrail_out_t *out, const char *name,
    uint64_t value)
{
    if (value != GUARDRAIL_NO_LIMIT) {
        ngx_http_guardrail_json_u64(out, name, value);
        return;
    }

    ngx_http_guardrail_json_name(out, name);
    ngx_http_guardrail_put(out, "null");

    out->comma = 1;
}


ngx_int_t
ngx_http_guardrail_step_json(ngx_http_guardrail_out_t *out)
{
    ngx_http_guardrail_zone_t    **zones;
    ngx_http_guardrail_series_t  **series;

    switch (out->section) {

    case 0:
        ngx_http_guardrail_write_head(out);

        ngx_http_guardrail_json_name(out, "locations");
        ngx_http_guardrail_json_open(out, "[");

        out->section++;
        return NGX_AGAIN;

    case 1:

        if (out->index < out->gmcf->series.nelts) {
            series = out->gmcf->series.elts;
            series += out->index++;

            if (ngx_http_guardrail_is_shown(out, *series)) {
                ngx_http_guardrail_write_location(out, *series);
            }

            return NGX_AGAIN;
        }

        ngx_http_guardrail_json_close(out, "]");

        ngx_http_guardrail_json_name(out, "zones");
        ngx_http_guardrail_json_open(out, "[");

        out->section++;
        out->index = 0;
        return NGX_AGAIN;

    case 2:

        if (out->index < out->gmcf->zones.nelts) {
            zones = out->gmcf->zones.elts;
            ngx_http_guardrail_write_zone(out, zones[out->index++]);

            return NGX_AGAIN;
        }

        ngx_http_guardrail_json_close(out, "]");

        out->section++;
        return NGX_AGAIN;

    default:
        ngx_http_guardrail_json_close(out, "}");
        ngx_http_guardrail_put(out, "\n");

        return NGX_OK;
    }
}


static void
ngx_http_guardrail_write_head(ngx_http_guardrail_out_t *out)
{
    guardrail_fmt_t              *f;
    ngx_http_guardrail_gauges_t   gauges;

    ngx_http_guardrail_json_open(out, "{");

    ngx_http_guardrail_json_text(out, "guardrail", NGX_HTTP_GUARDRAIL_VERSION);
    ngx_http_guardrail_json_text(out, "nginx", NGINX_VERSION);

    ngx_http_guardrail_json_name(out, "time");
    f = ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER);
    guardrail_fmt_quotient(f, (uint64_t) ngx_cached_time->sec * 1000
                              + ngx_cached_time->msec, 1000, 3);
    out->comma = 1;

    ngx_http_guardrail_json_u64(out, "start_time", (uint64_t)
                          ngx_http_guardrail_stats_since(out->gmcf->stats));

    ngx_http_guardrail_sum_gauges(out->gmcf->stats, &gauges);

    ngx_http_guardrail_json_u64(out, "requests_in_flight", gauges.in_flight);
    ngx_http_guardrail_json_u64(out, "decoder_memory_bytes", gauges.decoders);

    ngx_http_guardrail_json_limit(out, "decoder_memory_limit_bytes",
                                  out->gmcf->decoder_memory
                                  ? out->gmcf->decoder_memory
                                  : GUARDRAIL_NO_LIMIT);
}


static void
ngx_http_guardrail_write_location(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series)
{
    ngx_uint_t                      i;
    guardrail_histogram_t          *h;
    ngx_http_guardrail_stats_t     *stats;
    ngx_http_guardrail_where_t     *where;
    ngx_http_guardrail_counters_t  *c;

    stats = out->gmcf->stats;
    c = &ngx_http_guardrail_sum;

    (void) ngx_http_guardrail_sum_counters(stats, series, c);

    for (i = 0; i < NGX_HTTP_GUARDRAIL_STATS; i++) {
        (void) ngx_http_guardrail_sum_histogram(stats, series, i,
                                                &c->histograms[i]);
    }

    ngx_http_guardrail_json_open(out, "{");
    ngx_http_guardrail_json_string(out, "location", &series->label);

    ngx_http_guardrail_json_name(out, "requests");
    ngx_http_guardrail_json_open(out, "{");

    for (i = 0; i < NGX_HTTP_GUARDRAIL_VERDICTS; i++) {
        ngx_http_guardrail_json_u64(out, ngx_http_guardrail_verdict_name(i),
                               c->requests[i]);
    }

    ngx_http_guardrail_json_close(out, "}");

    ngx_http_guardrail_write_refusals(out, c);

    h = c->histograms;

    ngx_http_guardrail_json_u64(out, "body_bytes",
                           h[ngx_http_guardrail_stat_body].sum);
    ngx_http_guardrail_json_u64(out, "decoded_bytes",
                           h[ngx_http_guardrail_stat_decoded].sum);
    ngx_http_guardrail_json_u64(out, "records",
                           h[ngx_http_guardrail_stat_records].sum);

    ngx_http_guardrail_json_name(out, "limits");
    ngx_http_guardrail_json_open(out, "[");

    where = series->confs.elts;

    for (i = 0; i < series->confs.nelts; i++) {
        if (!where[i].server || series->confs.nelts == 1) {
            ngx_http_guardrail_write_limits(out, &where[i]);
        }
    }

    ngx_http_guardrail_json_close(out, "]");

    ngx_http_guardrail_json_name(out, "histograms");
    ngx_http_guardrail_json_open(out, "{");

    for (i = 0; i < NGX_HTTP_GUARDRAIL_STATS; i++) {
        if (c->used & ((uint64_t) 1 << i)) {
            ngx_http_guardrail_write_histogram(out, i, &h[i]);
        }
    }

    ngx_http_guardrail_json_close(out, "}");

    ngx_http_guardrail_write_suggestions(out, series, c);

    ngx_http_guardrail_json_close(out, "}");
}


static void
ngx_http_guardrail_write_refusals(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_counters_t *c)
{
    ngx_uint_t  i;

    ngx_http_guardrail_json_name(out, "refusals");
    ngx_http_guardrail_json_open(out, "[");

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        ngx_http_guardrail_write_refused(out,
                                         ngx_http_guardrail_verdict_reject,
                                         guardrail_rc_info(i)->name,
                                         c->rejected[i]);
    }

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        ngx_http_guardrail_write_refused(out,
                                         ngx_http_guardrail_verdict_would,
                                         guardrail_rc_info(i)->name,
                                         c->would[i]);
    }

    ngx_http_guardrail_write_refused(out, ngx_http_guardrail_verdict_aborted,
                       "client_gone",
                       c->requests[ngx_http_guardrail_verdict_aborted]);

    ngx_http_guardrail_json_close(out, "]");
}


static void
ngx_http_guardrail_write_refused(ngx_http_guardrail_out_t *out,
    ngx_uint_t verdict, const char *reason, uint64_t n)
{
    if (n == 0) {
        return;
    }

    ngx_http_guardrail_json_open(out, "{");
    ngx_http_guardrail_json_text(out, "verdict",
                            ngx_http_guardrail_verdict_name(verdict));
    ngx_http_guardrail_json_text(out, "reason", reason);
    ngx_http_guardrail_json_u64(out, "requests", n);
    ngx_http_guardrail_json_close(out, "}");
}


static void
ngx_http_guardrail_write_histogram(ngx_http_guardrail_out_t *out,
    ngx_uint_t stat, guardrail_histogram_t *h)
{
    unsigned          i;
    guardrail_fmt_t  *f;

    static const struct {
        const char  *name;
        unsigned     permille;
    } quantiles[] = {
        { "\"p50\":", 500 },
        { ",\"p90\":", 900 },
        { ",\"p99\":", 990 },
        { ",\"p999\":", 999 },
    };

    ngx_http_guardrail_json_name(out, ngx_http_guardrail_stat_infos[stat].name);
    ngx_http_guardrail_json_open(out, "{");

    ngx_http_guardrail_json_u64(out, "count", guardrail_histogram_count(h));

    f = ngx_http_guardrail_room(out, 512);

    guardrail_fmt_text(f, ",\"sum\":");
    ngx_http_guardrail_fmt_stat(f, stat, h->sum);
    guardrail_fmt_text(f, ",\"max\":");
    ngx_http_guardrail_fmt_stat(f, stat, h->max);
    guardrail_fmt_text(f, ",");

    for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        guardrail_fmt_text(f, quantiles[i].name);
        ngx_http_guardrail_fmt_stat(f, stat,
                  guardrail_histogram_quantile(h, quantiles[i].permille));
    }

    out->comma = 1;

    ngx_http_guardrail_json_name(out, "buckets");
    ngx_http_guardrail_json_open(out, "[");

    for (i = 0; i < GUARDRAIL_HISTOGRAM_BUCKETS; i++) {

        if (h->buckets[i] == 0) {
            continue;
        }

        f = ngx_http_guardrail_room(out, 80);

        guardrail_fmt_text(f, out->comma ? ",[" : "[");
        ngx_http_guardrail_fmt_stat(f, stat, guardrail_histogram_bound(i));
        guardrail_fmt_text(f, ",");
        guardrail_fmt_u64(f, h->buckets[i]);
        guardrail_fmt_text(f, "]");

        out->comma = 1;
    }

    ngx_http_guardrail_json_close(out, "]");
    ngx_http_guardrail_json_close(out, "}");
}
