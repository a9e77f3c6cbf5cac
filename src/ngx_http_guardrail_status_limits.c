
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status as JSON: the limits in force, and what they could be.
 */


#include "ngx_http_guardrail_status.h"


/* what is suggested of a ratio that deflate can still exceed */

#define NGX_HTTP_GUARDRAIL_MOST_RATIO  1000


/* a limit for which the histograms can tell a better one */

typedef struct {
    const char                       *directive;
    size_t                            offset;   /* in .._loc_conf_t */
    size_t                            limit;    /* in .._body_limits_t */
    ngx_http_guardrail_stat_e         stat;
    ngx_uint_t                        size;     /* else a number */
} ngx_http_guardrail_suggestion_t;


static void ngx_http_guardrail_write_value(ngx_http_guardrail_out_t *out,
    const char *name, ngx_http_guardrail_value_t *value, uint64_t n);
static void ngx_http_guardrail_write_shape(ngx_http_guardrail_out_t *out,
    guardrail_body_json_t *json);
static void ngx_http_guardrail_write_quotas(ngx_http_guardrail_out_t *out,
    ngx_array_t *quotas);
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


void
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

    ngx_http_guardrail_json_open(out, "{");
    ngx_http_guardrail_json_string(out, "in", &where->name);

    if (glcf->mode.cv) {
        ngx_http_guardrail_json_string(out, "guardrail", &glcf->mode.cv->value);

    } else {
        ngx_http_guardrail_json_text(out, "guardrail", modes[glcf->mode.n]);
    }

    ngx_http_guardrail_json_name(out, "buffering");
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

    ngx_http_guardrail_json_limit(out, "min_rate", glcf->min_rate
                                              ? glcf->min_rate
                                              : GUARDRAIL_NO_LIMIT);

    ngx_http_guardrail_json_name(out, "body_timeout");

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

    ngx_http_guardrail_json_close(out, "}");
}


static void
ngx_http_guardrail_write_value(ngx_http_guardrail_out_t *out,
    const char *name, ngx_http_guardrail_value_t *value, uint64_t n)
{
    if (value->cv) {
        ngx_http_guardrail_json_string(out, name, &value->cv->value);

    } else {
        ngx_http_guardrail_json_limit(out, name, n);
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

    ngx_http_guardrail_json_name(out, "json");
    ngx_http_guardrail_json_open(out, "{");

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (limits[i].value != GUARDRAIL_NO_LIMIT) {
            ngx_http_guardrail_json_u64(out, limits[i].name, limits[i].value);
        }
    }

    ngx_http_guardrail_json_name(out, "strict");
    ngx_http_guardrail_put(out, json->strict ? "true" : "false");

    ngx_http_guardrail_json_close(out, "}");
}


static void
ngx_http_guardrail_write_quotas(ngx_http_guardrail_out_t *out,
    ngx_array_t *quotas)
{
    char                         name[GUARDRAIL_LIMIT_NAME + 1];
    size_t                       len;
    ngx_uint_t                   i;
    ngx_http_guardrail_quota_t  *quota;

    ngx_http_guardrail_json_name(out, "quotas");
    ngx_http_guardrail_json_open(out, "[");

    quota = quotas->elts;

    for (i = 0; i < quotas->nelts; i++) {
        len = guardrail_limit_name(quota[i].limit.unit, quota[i].limit.period,
                                   name);
        name[len] = '\0';

        ngx_http_guardrail_json_open(out, "{");
        ngx_http_guardrail_json_string(out, "zone", &quota[i].zone->name);
        ngx_http_guardrail_json_text(out, "item", name);

        if (quota[i].cv) {
            ngx_http_guardrail_json_string(out, "limit", &quota[i].cv->value);

        } else {
            ngx_http_guardrail_json_limit(out, "limit", quota[i].limit.value);
        }

        if (quota[i].queue) {
            ngx_http_guardrail_json_u64(out, "queue", quota[i].queue);
        }

        ngx_http_guardrail_json_close(out, "}");
    }

    ngx_http_guardrail_json_close(out, "]");
}


/* only of what was measured: a histogram knows nothing of other limits */

void
ngx_http_guardrail_write_suggestions(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series, ngx_http_guardrail_counters_t *c)
{
    const ngx_http_guardrail_suggestion_t  *s;

    ngx_http_guardrail_json_name(out, "suggestions");
    ngx_http_guardrail_json_open(out, "[");

    for (s = ngx_http_guardrail_suggestions; s->directive; s++) {
        if (c->used & ((uint64_t) 1 << s->stat)) {
            ngx_http_guardrail_write_suggestion(out, series,
                                                &c->histograms[s->stat], s);
        }
    }

    ngx_http_guardrail_json_close(out, "]");
}


static void
ngx_http_guardrail_write_suggestion(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series, guardrail_histogram_t *h,
    const ngx_http_guardrail_suggestion_t *s)
{
    char                            buf[GUARDRAIL_FMT_NUMBER + 1];
    uint64_t                        value, p999, scale;
    ngx_uint_t                      i;
    guardrail_fmt_t                 f;
    guardrail_body_limits_t         limits;
    ngx_http_guardrail_where_t     *where;
    ngx_http_guardrail_value_t     *v;
    ngx_http_guardrail_loc_conf_t  *glcf;

    where = series->confs.elts;

    /* a label of a server is that of its locations, whose limits count */

    for (i = 0; i < series->confs.nelts - 1 && where[i].server; i++) {
        /* void */
    }

    glcf = where[i].conf;

    v = (ngx_http_guardrail_value_t *) (void *) ((u_char *) glcf + s->offset);

    (void) ngx_http_guardrail_eval_limits(NULL, glcf, NGX_HTTP_GUARDRAIL_ON,
                                          1, &limits);

    scale = ngx_http_guardrail_stat_infos[s->stat].scale;
    p999 = guardrail_histogram_quantile(h, 999);

    value = s->size ? guardrail_suggest_size(p999)
                    : guardrail_suggest_number((p999 + scale - 1) / scale);

    /* deflate cannot exceed it: nginx -t would warn of a limit above */

    if (s->stat == ngx_http_guardrail_stat_ratio
        && value >= NGX_HTTP_GUARDRAIL_MAX_DEFLATE_RATIO
        && (glcf->encodings & ~(ngx_uint_t) (GUARDRAIL_CODING_GZIP
                                             |GUARDRAIL_CODING_DEFLATE))
           == 0)
    {
        value = NGX_HTTP_GUARDRAIL_MOST_RATIO;
    }

    ngx_http_guardrail_json_open(out, "{");
    ngx_http_guardrail_json_text(out, "directive", s->directive);
    ngx_http_guardrail_write_value(out, "limit", v,
                     *(uint64_t *) (void *) ((u_char *) &limits + s->limit));

    ngx_http_guardrail_json_name(out, "p999");
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

    ngx_http_guardrail_json_text(out, "suggestion", buf);
    ngx_http_guardrail_json_u64(out, "value", value);
    ngx_http_guardrail_json_u64(out, "would_refuse",
                           guardrail_histogram_above(h, value * scale));
    ngx_http_guardrail_json_u64(out, "of", guardrail_histogram_count(h));
    ngx_http_guardrail_json_close(out, "}");
}
