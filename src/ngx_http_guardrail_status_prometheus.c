
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status for Prometheus: its text format 0.0.4, and OpenMetrics
 * 1.0, in which the family of a counter is named without "_total".
 */


#include "ngx_http_guardrail_status.h"


#define NGX_HTTP_GUARDRAIL_BOUNDS  14

/*
 * A histogram's buckets: powers of two, which are bounds of ours, too, so the
 * counts are exact.  The text is as Go, and so OpenMetrics, writes a float.
 */

typedef struct {
    uint64_t                          value;
    const char                       *text;
} ngx_http_guardrail_bound_t;


typedef struct ngx_http_guardrail_section_s  ngx_http_guardrail_section_t;

/* a family of metrics with a label for each location */

struct ngx_http_guardrail_section_s {
    const char                       *name;
    const char                       *help;
    ngx_http_guardrail_type_e         type;
    ngx_uint_t                        stat;
    const ngx_http_guardrail_bound_t *bounds;

    void                            (*write)(ngx_http_guardrail_out_t *out,
                                     ngx_http_guardrail_series_t *series,
                                     const ngx_http_guardrail_section_t *s);
};


static void ngx_http_guardrail_write_requests(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series,
    const ngx_http_guardrail_section_t *section);
static void ngx_http_guardrail_request(ngx_http_guardrail_out_t *out,
    ngx_str_t *location, ngx_uint_t verdict, const char *reason, uint64_t n);
static void ngx_http_guardrail_write_sum(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series,
    const ngx_http_guardrail_section_t *section);
static void ngx_http_guardrail_write_buckets(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series,
    const ngx_http_guardrail_section_t *section);
static void ngx_http_guardrail_write_process(ngx_http_guardrail_out_t *out);


static const ngx_http_guardrail_bound_t  ngx_http_guardrail_bytes[] = {
    { (uint64_t) 1 << 8, "256.0" },
    { (uint64_t) 1 << 10, "1024.0" },
    { (uint64_t) 1 << 12, "4096.0" },
    { (uint64_t) 1 << 14, "16384.0" },
    { (uint64_t) 1 << 16, "65536.0" },
    { (uint64_t) 1 << 18, "262144.0" },
    { (uint64_t) 1 << 20, "1.048576e+06" },
    { (uint64_t) 1 << 22, "4.194304e+06" },
    { (uint64_t) 1 << 24, "1.6777216e+07" },
    { (uint64_t) 1 << 26, "6.7108864e+07" },
    { (uint64_t) 1 << 28, "2.68435456e+08" },
    { (uint64_t) 1 << 30, "1.073741824e+09" },
    { (uint64_t) 1 << 32, "4.294967296e+09" },
    { (uint64_t) 1 << 34, "1.7179869184e+10" }
};


static const ngx_http_guardrail_bound_t  ngx_http_guardrail_counts[] = {
    { (uint64_t) 1 << 0, "1.0" },
    { (uint64_t) 1 << 2, "4.0" },
    { (uint64_t) 1 << 4, "16.0" },
    { (uint64_t) 1 << 6, "64.0" },
    { (uint64_t) 1 << 8, "256.0" },
    { (uint64_t) 1 << 10, "1024.0" },
    { (uint64_t) 1 << 12, "4096.0" },
    { (uint64_t) 1 << 14, "16384.0" },
    { (uint64_t) 1 << 16, "65536.0" },
    { (uint64_t) 1 << 18, "262144.0" },
    { (uint64_t) 1 << 20, "1.048576e+06" },
    { (uint64_t) 1 << 22, "4.194304e+06" },
    { (uint64_t) 1 << 24, "1.6777216e+07" },
    { (uint64_t) 1 << 26, "6.7108864e+07" }
};


static const ngx_http_guardrail_bound_t  ngx_http_guardrail_ratios[] = {
    { (uint64_t) 1 << 10, "1.0" },
    { (uint64_t) 1 << 11, "2.0" },
    { (uint64_t) 1 << 12, "4.0" },
    { (uint64_t) 1 << 13, "8.0" },
    { (uint64_t) 1 << 14, "16.0" },
    { (uint64_t) 1 << 15, "32.0" },
    { (uint64_t) 1 << 16, "64.0" },
    { (uint64_t) 1 << 17, "128.0" },
    { (uint64_t) 1 << 18, "256.0" },
    { (uint64_t) 1 << 19, "512.0" },
    { (uint64_t) 1 << 20, "1024.0" },
    { (uint64_t) 1 << 22, "4096.0" },
    { (uint64_t) 1 << 25, "32768.0" },
    { (uint64_t) 1 << 30, "1.048576e+06" }
};


static const ngx_http_guardrail_bound_t  ngx_http_guardrail_seconds[] = {
    { (uint64_t) 1 << 3, "0.0078125" },
    { (uint64_t) 1 << 4, "0.015625" },
    { (uint64_t) 1 << 5, "0.03125" },
    { (uint64_t) 1 << 6, "0.0625" },
    { (uint64_t) 1 << 7, "0.125" },
    { (uint64_t) 1 << 8, "0.25" },
    { (uint64_t) 1 << 9, "0.5" },
    { (uint64_t) 1 << 10, "1.0" },
    { (uint64_t) 1 << 11, "2.0" },
    { (uint64_t) 1 << 12, "4.0" },
    { (uint64_t) 1 << 13, "8.0" },
    { (uint64_t) 1 << 14, "16.0" },
    { (uint64_t) 1 << 15, "32.0" },
    { (uint64_t) 1 << 16, "64.0" }
};


static const ngx_http_guardrail_section_t  ngx_http_guardrail_sections[] = {

    { "guardrail_requests",
      "Requests, by what became of them.",
      ngx_http_guardrail_counter, 0, NULL,
      ngx_http_guardrail_write_requests },

    { "guardrail_body_bytes",
      "Bytes of request bodies on the wire.",
      ngx_http_guardrail_counter, ngx_http_guardrail_stat_body, NULL,
      ngx_http_guardrail_write_sum },

    { "guardrail_decoded_bytes",
      "Bytes of request bodies after their content coding was removed.",
      ngx_http_guardrail_counter, ngx_http_guardrail_stat_decoded, NULL,
      ngx_http_guardrail_write_sum },

    { "guardrail_records",
      "Records of request bodies.",
      ngx_http_guardrail_counter, ngx_http_guardrail_stat_records, NULL,
      ngx_http_guardrail_write_sum },

    { "guardrail_request_body_bytes",
      "Bytes of a request body on the wire.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_body,
      ngx_http_guardrail_bytes, ngx_http_guardrail_write_buckets },

    { "guardrail_request_decoded_bytes",
      "Bytes of a request body after its content coding was removed.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_decoded,
      ngx_http_guardrail_bytes, ngx_http_guardrail_write_buckets },

    { "guardrail_request_expansion_ratio",
      "Decoded bytes to bytes on the wire, of bodies with a content coding.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_ratio,
      ngx_http_guardrail_ratios, ngx_http_guardrail_write_buckets },

    { "guardrail_request_records",
      "Records of a request body.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_records,
      ngx_http_guardrail_counts, ngx_http_guardrail_write_buckets },

    { "guardrail_request_largest_record_bytes",
      "Bytes of the largest record of a request body.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_largest,
      ngx_http_guardrail_bytes, ngx_http_guardrail_write_buckets },

    { "guardrail_request_memory_estimate_bytes",
      "Memory that a backend is estimated to need for a request body.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_memory,
      ngx_http_guardrail_bytes, ngx_http_guardrail_write_buckets },

    { "guardrail_request_queue_wait_seconds",
      "Time that a request waited for a level, of those that waited.",
      ngx_http_guardrail_histogram, ngx_http_guardrail_stat_queue,
      ngx_http_guardrail_seconds, ngx_http_guardrail_write_buckets },

    { NULL, NULL, 0, 0, NULL, NULL }
};


void
ngx_http_guardrail_head(ngx_http_guardrail_out_t *out, const char *name,
    ngx_http_guardrail_type_e type, const char *help)
{
    static const char  *types[] = { "counter", "gauge", "histogram" };

    const char  *total;

    total = (type == ngx_http_guardrail_counter && !out->openmetrics)
            ? "_total" : "";

    ngx_http_guardrail_put(out, "# HELP ");
    ngx_http_guardrail_put(out, name);
    ngx_http_guardrail_put(out, total);
    ngx_http_guardrail_put(out, " ");
    ngx_http_guardrail_put(out, help);
    ngx_http_guardrail_put(out, "\n# TYPE ");
    ngx_http_guardrail_put(out, name);
    ngx_http_guardrail_put(out, total);
    ngx_http_guardrail_put(out, " ");
    ngx_http_guardrail_put(out, types[type]);
    ngx_http_guardrail_put(out, "\n");
}


/* the first one opens the braces, the value closes them */

void
ngx_http_guardrail_label(ngx_http_guardrail_out_t *out, const char *name,
    ngx_str_t *value)
{
    ngx_http_guardrail_put(out, out->comma ? "," : "{");
    ngx_http_guardrail_put(out, name);
    ngx_http_guardrail_put(out, "=");

    guardrail_fmt_label(ngx_http_guardrail_room(out, 2 * value->len + 2),
                        (char *) value->data, value->len);
    out->comma = 1;
}


void
ngx_http_guardrail_sample(ngx_http_guardrail_out_t *out, const char *name,
    const char *suffix)
{
    ngx_http_guardrail_put(out, name);
    ngx_http_guardrail_put(out, suffix);

    out->comma = 0;
}


void
ngx_http_guardrail_end_sample(ngx_http_guardrail_out_t *out, uint64_t value)
{
    guardrail_fmt_t  *f;

    f = ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER + 3);

    guardrail_fmt_text(f, out->comma ? "} " : " ");
    guardrail_fmt_u64(f, value);
    guardrail_fmt_text(f, "\n");

    out->comma = 0;
}


ngx_int_t
ngx_http_guardrail_step_prometheus(ngx_http_guardrail_out_t *out)
{
    const ngx_http_guardrail_section_t  *section;
    ngx_http_guardrail_series_t        **series;

    section = &ngx_http_guardrail_sections[out->section];

    if (section->name == NULL) {

        if (ngx_http_guardrail_step_zones(out) != NGX_OK) {
            return NGX_AGAIN;
        }

        ngx_http_guardrail_write_process(out);

        if (out->openmetrics) {
            ngx_http_guardrail_put(out, "# EOF\n");
        }

        return NGX_OK;
    }

    if (out->index == 0) {
        ngx_http_guardrail_head(out, section->name, section->type,
                                section->help);
    }

    if (out->index < out->gmcf->series.nelts) {
        series = out->gmcf->series.elts;
        section->write(out, series[out->index++], section);

    } else {
        out->section++;
        out->index = 0;
    }

    return NGX_AGAIN;
}


static void
ngx_http_guardrail_write_requests(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series,
    const ngx_http_guardrail_section_t *section)
{
    ngx_uint_t                      i;
    ngx_http_guardrail_counters_t  *c;

    c = &ngx_http_guardrail_sum;

    if (!ngx_http_guardrail_sum_counters(out->gmcf->stats, series, c)) {
        return;
    }

    ngx_http_guardrail_request(out, &series->label,
                        ngx_http_guardrail_verdict_off, "",
                        c->requests[ngx_http_guardrail_verdict_off]);
    ngx_http_guardrail_request(out, &series->label,
                        ngx_http_guardrail_verdict_pass, "",
                        c->requests[ngx_http_guardrail_verdict_pass]);

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        ngx_http_guardrail_request(out, &series->label,
                                   ngx_http_guardrail_verdict_reject,
                                   guardrail_rc_info(i)->name,
                                   c->rejected[i]);
    }

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        ngx_http_guardrail_request(out, &series->label,
                                   ngx_http_guardrail_verdict_would,
                                   guardrail_rc_info(i)->name, c->would[i]);
    }

    ngx_http_guardrail_request(out, &series->label,
                        ngx_http_guardrail_verdict_aborted, "client_gone",
                        c->requests[ngx_http_guardrail_verdict_aborted]);
}


static void
ngx_http_guardrail_request(ngx_http_guardrail_out_t *out, ngx_str_t *location,
    ngx_uint_t verdict, const char *reason, uint64_t n)
{
    if (n == 0) {
        return;
    }

    ngx_http_guardrail_sample(out, "guardrail_requests", "_total");
    ngx_http_guardrail_label(out, "location", location);
    ngx_http_guardrail_put(out, ",verdict=\"");
    ngx_http_guardrail_put(out, ngx_http_guardrail_verdict_name(verdict));
    ngx_http_guardrail_put(out, "\",reason=\"");
    ngx_http_guardrail_put(out, reason);
    ngx_http_guardrail_put(out, "\"");
    ngx_http_guardrail_end_sample(out, n);
}


static void
ngx_http_guardrail_write_sum(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series,
    const ngx_http_guardrail_section_t *section)
{
    guardrail_histogram_t  *h;

    h = &ngx_http_guardrail_sum.histograms[section->stat];

    if (ngx_http_guardrail_sum_histogram(out->gmcf->stats, series,
                                         section->stat, h))
    {
        ngx_http_guardrail_sample(out, section->name, "_total");
        ngx_http_guardrail_label(out, "location", &series->label);
        ngx_http_guardrail_end_sample(out, h->sum);
    }
}


static void
ngx_http_guardrail_write_buckets(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series,
    const ngx_http_guardrail_section_t *section)
{
    ngx_uint_t              i;
    guardrail_fmt_t        *f;
    guardrail_histogram_t  *h;

    h = &ngx_http_guardrail_sum.histograms[section->stat];

    if (!ngx_http_guardrail_sum_histogram(out->gmcf->stats, series,
                                          section->stat, h))
    {
        return;
    }

    for (i = 0; i < NGX_HTTP_GUARDRAIL_BOUNDS; i++) {
        ngx_http_guardrail_sample(out, section->name, "_bucket");
        ngx_http_guardrail_label(out, "location", &series->label);
        ngx_http_guardrail_put(out, ",le=\"");
        ngx_http_guardrail_put(out, section->bounds[i].text);
        ngx_http_guardrail_put(out, "\"");
        ngx_http_guardrail_end_sample(out,
                    guardrail_histogram_upto(h, section->bounds[i].value));
    }

    ngx_http_guardrail_sample(out, section->name, "_bucket");
    ngx_http_guardrail_label(out, "location", &series->label);
    ngx_http_guardrail_put(out, ",le=\"+Inf\"");
    ngx_http_guardrail_end_sample(out, guardrail_histogram_count(h));

    ngx_http_guardrail_sample(out, section->name, "_sum");
    ngx_http_guardrail_label(out, "location", &series->label);

    f = ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER + 3);

    guardrail_fmt_text(f, "} ");
    ngx_http_guardrail_fmt_stat(f, section->stat, h->sum);
    guardrail_fmt_text(f, "\n");

    ngx_http_guardrail_sample(out, section->name, "_count");
    ngx_http_guardrail_label(out, "location", &series->label);
    ngx_http_guardrail_end_sample(out, guardrail_histogram_count(h));
}


static void
ngx_http_guardrail_write_process(ngx_http_guardrail_out_t *out)
{
    ngx_http_guardrail_gauges_t  gauges;

    ngx_http_guardrail_sum_gauges(out->gmcf->stats, &gauges);

    ngx_http_guardrail_head(out, "guardrail_requests_in_flight",
                            ngx_http_guardrail_gauge,
                            "Requests that the guard holds a state for.");
    ngx_http_guardrail_sample(out, "guardrail_requests_in_flight", "");
    ngx_http_guardrail_end_sample(out, gauges.in_flight);

    ngx_http_guardrail_head(out, "guardrail_decoder_memory_bytes",
                            ngx_http_guardrail_gauge,
                            "Memory of decoders, in all workers.");
    ngx_http_guardrail_sample(out, "guardrail_decoder_memory_bytes", "");
    ngx_http_guardrail_end_sample(out, gauges.decoders);

    ngx_http_guardrail_head(out, "guardrail_start_time_seconds",
                            ngx_http_guardrail_gauge,
                            "When the counters began, in seconds since 1970.");
    ngx_http_guardrail_sample(out, "guardrail_start_time_seconds", "");
    ngx_http_guardrail_end_sample(out, (uint64_t)
                          ngx_http_guardrail_stats_since(out->gmcf->stats));

    ngx_http_guardrail_head(out, "guardrail_build_info",
                            ngx_http_guardrail_gauge,
                            "Versions of the module and of nginx.");
    ngx_http_guardrail_put(out, "guardrail_build_info{version=\""
                                NGX_HTTP_GUARDRAIL_VERSION
                                "\",nginx=\"" NGINX_VERSION "\"} 1\n");
}
