
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status as JSON: all that was counted, the limits in force, and
 * what they could be.
 */


#include "ngx_http_guardrail_status.h"


/* a limit for which the histograms can tell a better one */

typedef struct {
    const char                       *directive;
    size_t                            offset;   /* in .._loc_conf_t */
    size_t                            limit;    /* in .._body_limits_t */
    ngx_http_guardrail_stat_e         stat;
    ngx_uint_t                        size;     /* else a number */
} ngx_http_guardrail_suggestion_t;


static void ngx_http_guardrail_open(ngx_http_guardrail_out_t *out,
    const char *bracket);
static void ngx_http_guardrail_close(ngx_http_guardrail_out_t *out,
    const char *bracket);
static void ngx_http_guardrail_name(ngx_http_guardrail_out_t *out,
    const char *name);
static void ngx_http_guardrail_string(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *value);
static void ngx_http_guardrail_text(ngx_http_guardrail_out_t *out,
    const char *name, const char *value);
static void ngx_http_guardrail_u64(ngx_http_guardrail_out_t *out,
    const char *name, uint64_t value);
static void ngx_http_guardrail_limit(ngx_http_guardrail_out_t *out,
    const char *name, uint64_t value);
static void ngx_http_guardrail_write_location(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series);
static void ngx_http_guardrail_write_refusals(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_counters_t *c);
static void ngx_http_guardrail_write_refused(ngx_http_guardrail_out_t *out,
    ngx_uint_t verdict, const char *reason, uint64_t n);
static void ngx_http_guardrail_write_limits(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_where_t *where);
static void ngx_http_guardrail_write_value(ngx_http_guardrail_out_t *out,
    const char *name, ngx_http_guardrail_value_t *value, uint64_t n);
static void ngx_http_guardrail_write_shape(ngx_http_guardrail_out_t *out,
    guardrail_body_json_t *json);
static void ngx_http_guardrail_write_quotas(ngx_http_guardrail_out_t *out,
    ngx_array_t *quotas);
static void ngx_http_guardrail_write_histogram(ngx_http_guardrail_out_t *out,
    ngx_uint_t stat, guardrail_histogram_t *h);
static void ngx_http_guardrail_write_suggestions(
    ngx_http_guardrail_out_t *out, ngx_http_guardrail_series_t *series,
    ngx_http_guardrail_counters_t *c);
static void ngx_http_guardrail_write_suggestion(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series, guardrail_histogram_t *h,
    const ngx_http_guardrail_suggestion_t *s);


static const ngx_http_guardrail_suggestion_t
    ngx_http_guardrail_suggestions[] =
{
    { "guardrail_max_body",
      offsetof(ngx_http_guardrail_loc_conf_t, max_body),
      offsetof(guardrail_body_limits_t, max_body),
      ngx_http_guardrail_stat_body, 1 },

    { "guardrail_max_decoded",
      offsetof(ngx_http_guardrail_loc_conf_t, max_decoded),
      offsetof(guardrail_body_limits_t, max_decoded),
      ngx_http_guardrail_stat_decoded, 1 },

    { "guardrail_max_ratio",
      offsetof(ngx_http_guardrail_loc_conf_t, ratio),
      offsetof(guardrail_body_limits_t, ratio),
      ngx_http_guardrail_stat_ratio, 0 },

    { "guardrail_max_records",
      offsetof(ngx_http_guardrail_loc_conf_t, max_records),
      offsetof(guardrail_body_limits_t, max_records),
      ngx_http_guardrail_stat_records, 0 },

    { "guardrail_max_record_size",
      offsetof(ngx_http_guardrail_loc_conf_t, max_record_size),
      offsetof(guardrail_body_limits_t, max_record_size),
      ngx_http_guardrail_stat_largest, 1 },

    { "guardrail_max_memory",
      offsetof(ngx_http_guardrail_loc_conf_t, max_memory),
      offsetof(guardrail_body_limits_t, max_memory),
      ngx_http_guardrail_stat_memory, 1 },

    { NULL, 0, 0, 0, 0 }
};


static void
ngx_http_guardrail_open(ngx_http_guardrail_out_t *out, const char *bracket)
{
    if (out->comma) {
        ngx_http_guardrail_put(out, ",");
    }

    ngx_http_guardrail_put(out, bracket);
    out->comma = 0;
}


static void
ngx_http_guardrail_close(ngx_http_guardrail_out_t *out, const char *bracket)
{
    ngx_http_guardrail_put(out, bracket);
    out->comma = 1;
}


/* a member's name, whose value comes next */

static void
ngx_http_guardrail_name(ngx_http_guardrail_out_t *out, const char *name)
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

static void
ngx_http_guardrail_string(ngx_http_guardrail_out_t *out, const char *name,
    ngx_str_t *value)
{
    ngx_http_guardrail_name(out, name);

    guardrail_fmt_json(ngx_http_guardrail_room(out, 6 * value->len + 2),
                       (char *) value->data, value->len);
    out->comma = 1;
}


static void
ngx_http_guardrail_text(ngx_http_guardrail_out_t *out, const char *name,
    const char *value)
{
    ngx_http_guardrail_name(out, name);
    ngx_http_guardrail_put(out, "\"");
    ngx_http_guardrail_put(out, value);
    ngx_http_guardrail_put(out, "\"");

    out->comma = 1;
}


static void
ngx_http_guardrail_u64(ngx_http_guardrail_out_t *out, const char *name,
    uint64_t value)
{
    ngx_http_guardrail_name(out, name);

    guardrail_fmt_u64(ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER),
                      value);
    out->comma = 1;
}


static void
ngx_http_guardrail_limit(ngx_http_guardrail_out_t *out, const char *name,
    uint64_t value)
{
    if (value != GUARDRAIL_NO_LIMIT) {
        ngx_http_guardrail_u64(out, name, value);
        return;
    }

    ngx_http_guardrail_name(out, name);
    ngx_http_guardrail_put(out, "null");

    out->comma = 1;
}


void
ngx_http_guardrail_write_json(ngx_http_guardrail_out_t *out)
{
    ngx_uint_t                     i;
    ngx_time_t                    *tp;
    guardrail_fmt_t               *f;
    ngx_http_guardrail_gauges_t    gauges;
    ngx_http_guardrail_series_t  **series;

    ngx_http_guardrail_open(out, "{");

    ngx_http_guardrail_text(out, "guardrail", NGX_HTTP_GUARDRAIL_VERSION);
    ngx_http_guardrail_text(out, "nginx", NGINX_VERSION);

    tp = ngx_timeofday();

    ngx_http_guardrail_name(out, "time");
    f = ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER);
    guardrail_fmt_quotient(f, (uint64_t) tp->sec * 1000 + tp->msec, 1000, 3);
    out->comma = 1;

    ngx_http_guardrail_u64(out, "start_time", (uint64_t)
                          ngx_http_guardrail_stats_since(out->gmcf->stats));

    ngx_http_guardrail_sum_gauges(out->gmcf->stats, &gauges);

    ngx_http_guardrail_u64(out, "requests_in_flight", gauges.in_flight);
    ngx_http_guardrail_u64(out, "decoder_memory_bytes", gauges.decoders);
    ngx_http_guardrail_limit(out, "decoder_memory_limit_bytes",
                             out->gmcf->decoder_memory
                             ? out->gmcf->decoder_memory
                             : GUARDRAIL_NO_LIMIT);

    ngx_http_guardrail_name(out, "locations");
    ngx_http_guardrail_open(out, "[");

    series = out->gmcf->series.elts;

    for (i = 0; i < out->gmcf->series.nelts; i++) {
        if (ngx_http_guardrail_is_shown(out, series[i])) {
            ngx_http_guardrail_write_location(out, series[i]);
        }
    }

    ngx_http_guardrail_close(out, "]");

    ngx_http_guardrail_close(out, "}");
    ngx_http_guardrail_put(out, "\n");
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

    ngx_http_guardrail_open(out, "{");
    ngx_http_guardrail_string(out, "location", &series->label);

    ngx_http_guardrail_name(out, "requests");
    ngx_http_guardrail_open(out, "{");

    for (i = 0; i < NGX_HTTP_GUARDRAIL_VERDICTS; i++) {
        ngx_http_guardrail_u64(out, ngx_http_guardrail_verdict_name(i),
                               c->requests[i]);
    }

    ngx_http_guardrail_close(out, "}");

    ngx_http_guardrail_write_refusals(out, c);

    h = c->histograms;

    ngx_http_guardrail_u64(out, "body_bytes",
                           h[ngx_http_guardrail_stat_body].sum);
    ngx_http_guardrail_u64(out, "decoded_bytes",
                           h[ngx_http_guardrail_stat_decoded].sum);
    ngx_http_guardrail_u64(out, "records",
                           h[ngx_http_guardrail_stat_records].sum);

    ngx_http_guardrail_name(out, "limits");
    ngx_http_guardrail_open(out, "[");

    where = series->confs.elts;

    for (i = 0; i < series->confs.nelts; i++) {
        if (!where[i].server || series->confs.nelts == 1) {
            ngx_http_guardrail_write_limits(out, &where[i]);
        }
    }

    ngx_http_guardrail_close(out, "]");

    ngx_http_guardrail_name(out, "histograms");
    ngx_http_guardrail_open(out, "{");

    for (i = 0; i < NGX_HTTP_GUARDRAIL_STATS; i++) {
        if (c->used & ((uint64_t) 1 << i)) {
            ngx_http_guardrail_write_histogram(out, i, &h[i]);
        }
    }

    ngx_http_guardrail_close(out, "}");

    ngx_http_guardrail_write_suggestions(out, series, c);

    ngx_http_guardrail_close(out, "}");
}


static void
ngx_http_guardrail_write_refusals(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_counters_t *c)
{
    ngx_uint_t  i;

    ngx_http_guardrail_name(out, "refusals");
    ngx_http_guardrail_open(out, "[");

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

    ngx_http_guardrail_close(out, "]");
}


static void
ngx_http_guardrail_write_refused(ngx_http_guardrail_out_t *out,
    ngx_uint_t verdict, const char *reason, uint64_t n)
{
    if (n == 0) {
        return;
    }

    ngx_http_guardrail_open(out, "{");
    ngx_http_guardrail_text(out, "verdict",
                            ngx_http_guardrail_verdict_name(verdict));
    ngx_http_guardrail_text(out, "reason", reason);
    ngx_http_guardrail_u64(out, "requests", n);
    ngx_http_guardrail_close(out, "}");
}


static void
ngx_http_guardrail_write_limits(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_where_t *where)
{
    guardrail_body_limits_t         limits;
    ngx_http_guardrail_loc_conf_t  *glcf;

    static const char  *modes[] = { "off", "on", "dry_run" };

    glcf = where->conf;

    /* what has variables is told as it is written */

    (void) ngx_http_guardrail_eval_limits(NULL, glcf, NGX_HTTP_GUARDRAIL_ON,
                                          1, &limits);

    ngx_http_guardrail_open(out, "{");
    ngx_http_guardrail_string(out, "in", &where->name);

    if (glcf->mode.cv) {
        ngx_http_guardrail_string(out, "guardrail", &glcf->mode.cv->value);

    } else {
        ngx_http_guardrail_text(out, "guardrail", modes[glcf->mode.n]);
    }

    ngx_http_guardrail_name(out, "buffering");
    ngx_http_guardrail_put(out, glcf->buffering ? "true" : "false");
    out->comma = 1;

    ngx_http_guardrail_write_value(out, "max_body", &glcf->max_body,
                                   limits.max_body);
    ngx_http_guardrail_write_value(out, "max_decoded", &glcf->max_decoded,
                                   limits.max_decoded);
    ngx_http_guardrail_write_value(out, "max_ratio", &glcf->ratio,
                                   limits.ratio);
    ngx_http_guardrail_write_value(out, "ratio_floor", &glcf->ratio_floor,
                                   limits.ratio_floor);
    ngx_http_guardrail_write_value(out, "max_records", &glcf->max_records,
                                   limits.max_records);
    ngx_http_guardrail_write_value(out, "max_record_size",
                                   &glcf->max_record_size,
                                   limits.max_record_size);
    ngx_http_guardrail_write_value(out, "max_memory", &glcf->max_memory,
                                   limits.max_memory);

    ngx_http_guardrail_limit(out, "min_rate", glcf->min_rate
                                              ? glcf->min_rate
                                              : GUARDRAIL_NO_LIMIT);

    ngx_http_guardrail_name(out, "body_timeout");

    if (glcf->body_timeout) {
        guardrail_fmt_quotient(
                       ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER),
                       glcf->body_timeout, 1000, 3);

    } else {
        ngx_http_guardrail_put(out, "null");
    }

    out->comma = 1;

    if (glcf->json && (glcf->json->shape || glcf->json->strict)) {
        ngx_http_guardrail_write_shape(out, glcf->json);
    }

    if (glcf->quotas) {
        ngx_http_guardrail_write_quotas(out, glcf->quotas);
    }

    ngx_http_guardrail_close(out, "}");
}


static void
ngx_http_guardrail_write_value(ngx_http_guardrail_out_t *out,
    const char *name, ngx_http_guardrail_value_t *value, uint64_t n)
{
    if (value->cv) {
        ngx_http_guardrail_string(out, name, &value->cv->value);

    } else {
        ngx_http_guardrail_limit(out, name, n);
    }
}


static void
ngx_http_guardrail_write_shape(ngx_http_guardrail_out_t *out,
    guardrail_body_json_t *json)
{
    ngx_uint_t  i;

    const struct {
        const char  *name;
        uint64_t     value;
    } limits[] = {
        { "depth", json->depth },
        { "keys", json->keys },
        { "items", json->items },
        { "tokens", json->tokens },
        { "key", json->key },
        { "string", json->string },
        { "number", json->number }
    };

    ngx_http_guardrail_name(out, "json");
    ngx_http_guardrail_open(out, "{");

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (limits[i].value != GUARDRAIL_NO_LIMIT) {
            ngx_http_guardrail_u64(out, limits[i].name, limits[i].value);
        }
    }

    ngx_http_guardrail_name(out, "strict");
    ngx_http_guardrail_put(out, json->strict ? "true" : "false");

    ngx_http_guardrail_close(out, "}");
}


static void
ngx_http_guardrail_write_quotas(ngx_http_guardrail_out_t *out,
    ngx_array_t *quotas)
{
    char                         name[GUARDRAIL_LIMIT_NAME + 1];
    size_t                       len;
    ngx_uint_t                   i;
    ngx_http_guardrail_quota_t  *quota;

    ngx_http_guardrail_name(out, "quotas");
    ngx_http_guardrail_open(out, "[");

    quota = quotas->elts;

    for (i = 0; i < quotas->nelts; i++) {
        len = guardrail_limit_name(quota[i].limit.unit, quota[i].limit.period,
                                   name);
        name[len] = '\0';

        ngx_http_guardrail_open(out, "{");
        ngx_http_guardrail_string(out, "zone", &quota[i].zone->name);
        ngx_http_guardrail_text(out, "item", name);

        if (quota[i].cv) {
            ngx_http_guardrail_string(out, "limit", &quota[i].cv->value);

        } else {
            ngx_http_guardrail_limit(out, "limit", quota[i].limit.value);
        }

        if (quota[i].queue) {
            ngx_http_guardrail_u64(out, "queue", quota[i].queue);
        }

        ngx_http_guardrail_close(out, "}");
    }

    ngx_http_guardrail_close(out, "]");
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

    ngx_http_guardrail_name(out, ngx_http_guardrail_stat_infos[stat].name);
    ngx_http_guardrail_open(out, "{");

    ngx_http_guardrail_u64(out, "count", guardrail_histogram_count(h));

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

    ngx_http_guardrail_name(out, "buckets");
    ngx_http_guardrail_open(out, "[");

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

    ngx_http_guardrail_close(out, "]");
    ngx_http_guardrail_close(out, "}");
}


/* only of what was measured: a histogram knows nothing of other limits */

static void
ngx_http_guardrail_write_suggestions(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series, ngx_http_guardrail_counters_t *c)
{
    const ngx_http_guardrail_suggestion_t  *s;

    ngx_http_guardrail_name(out, "suggestions");
    ngx_http_guardrail_open(out, "[");

    for (s = ngx_http_guardrail_suggestions; s->directive; s++) {
        if (c->used & ((uint64_t) 1 << s->stat)) {
            ngx_http_guardrail_write_suggestion(out, series,
                                                &c->histograms[s->stat], s);
        }
    }

    ngx_http_guardrail_close(out, "]");
}


static void
ngx_http_guardrail_write_suggestion(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series, guardrail_histogram_t *h,
    const ngx_http_guardrail_suggestion_t *s)
{
    char                            buf[GUARDRAIL_FMT_NUMBER + 1];
    uint64_t                        value, p999, scale;
    guardrail_fmt_t                 f;
    guardrail_body_limits_t         limits;
    ngx_http_guardrail_where_t     *where;
    ngx_http_guardrail_value_t     *v;
    ngx_http_guardrail_loc_conf_t  *glcf;

    where = series->confs.elts;
    glcf = where[0].conf;

    v = (ngx_http_guardrail_value_t *) (void *) ((u_char *) glcf + s->offset);

    (void) ngx_http_guardrail_eval_limits(NULL, glcf, NGX_HTTP_GUARDRAIL_ON,
                                          1, &limits);

    scale = ngx_http_guardrail_stat_infos[s->stat].scale;
    p999 = guardrail_histogram_quantile(h, 999);

    value = s->size ? guardrail_suggest_size(p999)
                    : guardrail_suggest_number((p999 + scale - 1) / scale);

    ngx_http_guardrail_open(out, "{");
    ngx_http_guardrail_text(out, "directive", s->directive);
    ngx_http_guardrail_write_value(out, "limit", v,
                     *(uint64_t *) (void *) ((u_char *) &limits + s->limit));

    ngx_http_guardrail_name(out, "p999");
    ngx_http_guardrail_fmt_stat(
                       ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER),
                       s->stat, p999);
    out->comma = 1;

    guardrail_fmt_init(&f, buf, GUARDRAIL_FMT_NUMBER);

    if (s->size && value % (1024 * 1024 * 1024) == 0) {
        guardrail_fmt_u64(&f, value / (1024 * 1024 * 1024));
        guardrail_fmt_text(&f, "g");

    } else if (s->size && value % (1024 * 1024) == 0) {
        guardrail_fmt_u64(&f, value / (1024 * 1024));
        guardrail_fmt_text(&f, "m");

    } else if (s->size) {
        guardrail_fmt_u64(&f, value / 1024);
        guardrail_fmt_text(&f, "k");

    } else {
        guardrail_fmt_u64(&f, value);
    }

    *f.pos = '\0';

    ngx_http_guardrail_text(out, "suggestion", buf);
    ngx_http_guardrail_u64(out, "value", value);
    ngx_http_guardrail_u64(out, "would_refuse",
                           guardrail_histogram_above(h, value * scale));
    ngx_http_guardrail_u64(out, "of", guardrail_histogram_count(h));
    ngx_http_guardrail_close(out, "}");
}
