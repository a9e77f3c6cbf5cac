
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status: what its files share.
 *
 *   status_conf        the directive
 *   status             the handler: what is asked for, headers
 *   status_json        JSON
 *   status_limits      ... the limits in force, and what they could be
 *   status_prometheus  Prometheus' text format, and OpenMetrics
 *   status_html        the page
 *   status_zone        zones, in each of them
 */


#ifndef NGX_HTTP_GUARDRAIL_STATUS_H
#define NGX_HTTP_GUARDRAIL_STATUS_H


#include "ngx_http_guardrail_module.h"


/*
 * The answer while it is written: buffers of the request's pool.  It is
 * written in steps, of one location or zone each, so that a configuration
 * with a thousand of them does not hold the worker: section and index tell
 * the next step.
 */

typedef struct ngx_http_guardrail_out_s  ngx_http_guardrail_out_t;

/* NGX_OK: all is written; NGX_AGAIN: there is more */

typedef ngx_int_t (*ngx_http_guardrail_step_pt)(ngx_http_guardrail_out_t *out);

struct ngx_http_guardrail_out_s {
    ngx_http_request_t               *request;
    ngx_http_guardrail_main_conf_t   *gmcf;
    ngx_chain_t                      *chain;
    ngx_chain_t                     **last;
    ngx_buf_t                        *buf;
    ngx_uint_t                        failed;       /* no memory */
    ngx_uint_t                        comma;        /* before what comes */
    ngx_uint_t                        openmetrics;
    ngx_str_t                         nonce;        /* of HTML */
    guardrail_fmt_t                   f;

    ngx_http_guardrail_step_pt        step;
    ngx_uint_t                        section;
    ngx_uint_t                        index;
    size_t                            written;      /* in this pass */
    ngx_uint_t                        table;        /* of HTML */
    u_char                           *views;        /* copies of zones */
    ngx_uint_t                        media;
    ngx_event_t                       event;
};


/*
 * Room for so many bytes, at least.  Without memory there is none, and the
 * answer fails at its end.
 */

guardrail_fmt_t *ngx_http_guardrail_room(ngx_http_guardrail_out_t *out,
    size_t size);

/* text of any length */

void ngx_http_guardrail_put(ngx_http_guardrail_out_t *out, const char *text);

/* for what is added up of a series: of this worker, one at a time */

extern ngx_http_guardrail_counters_t  ngx_http_guardrail_sum;

/* names of what is measured, as in JSON; how much 1.0 is */

typedef struct {
    const char                       *name;
    ngx_uint_t                        scale;
} ngx_http_guardrail_stat_info_t;

extern const ngx_http_guardrail_stat_info_t
    ngx_http_guardrail_stat_infos[NGX_HTTP_GUARDRAIL_STATS];

/* as a number, with three decimals where it is scaled */

void ngx_http_guardrail_fmt_stat(guardrail_fmt_t *f, ngx_uint_t stat,
    uint64_t value);

/* has it something to tell: a location, or requests? */

ngx_uint_t ngx_http_guardrail_is_shown(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series);


ngx_int_t ngx_http_guardrail_status_handler(ngx_http_request_t *r);


/* JSON: commas come by themselves */

void ngx_http_guardrail_json_open(ngx_http_guardrail_out_t *out,
    const char *bracket);
void ngx_http_guardrail_json_close(ngx_http_guardrail_out_t *out,
    const char *bracket);

/* the name of a member, whose value comes next */

void ngx_http_guardrail_json_name(ngx_http_guardrail_out_t *out,
    const char *name);

/* members; a limit is null where there is none */

void ngx_http_guardrail_json_string(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *value);
void ngx_http_guardrail_json_text(ngx_http_guardrail_out_t *out,
    const char *name, const char *value);
void ngx_http_guardrail_json_u64(ngx_http_guardrail_out_t *out,
    const char *name, uint64_t value);
void ngx_http_guardrail_json_limit(ngx_http_guardrail_out_t *out,
    const char *name, uint64_t value);

ngx_int_t ngx_http_guardrail_step_json(ngx_http_guardrail_out_t *out);
void ngx_http_guardrail_write_limits(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_where_t *where);
void ngx_http_guardrail_write_suggestions(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series, ngx_http_guardrail_counters_t *c);


/* Prometheus: the first label opens the braces, the number closes them */

typedef enum {
    ngx_http_guardrail_counter = 0,
    ngx_http_guardrail_gauge,
    ngx_http_guardrail_histogram
} ngx_http_guardrail_type_e;

/* what begins a family; a counter is named without "_total" */

void ngx_http_guardrail_head(ngx_http_guardrail_out_t *out, const char *name,
    ngx_http_guardrail_type_e type, const char *help);

void ngx_http_guardrail_sample(ngx_http_guardrail_out_t *out,
    const char *name, const char *suffix);
void ngx_http_guardrail_label(ngx_http_guardrail_out_t *out, const char *name,
    ngx_str_t *value);
void ngx_http_guardrail_end_sample(ngx_http_guardrail_out_t *out,
    uint64_t value);

ngx_int_t ngx_http_guardrail_step_prometheus(ngx_http_guardrail_out_t *out);
ngx_int_t ngx_http_guardrail_step_html(ngx_http_guardrail_out_t *out);


/* zones: a copy of one at a time, of this worker */

extern ngx_http_guardrail_zone_view_t  ngx_http_guardrail_view;

/*
 * What a tenant has used, by the items of its quotas; what it was never
 * charged for is left out.  No limit is known where limit is 0.
 */

typedef struct {
    char                              name[GUARDRAIL_LIMIT_NAME + 1];
    uint64_t                          used;
    uint64_t                          limit;
} ngx_http_guardrail_view_item_t;

#define NGX_HTTP_GUARDRAIL_VIEW_ITEMS                                         \
    (GUARDRAIL_ZONE_MAX_RATES + GUARDRAIL_LEVEL_UNITS)

ngx_uint_t ngx_http_guardrail_view_items(ngx_http_guardrail_zone_view_t *view,
    ngx_http_guardrail_view_row_t *row, ngx_http_guardrail_view_item_t *items);

/* tenants of a zone that are shown */

#define NGX_HTTP_GUARDRAIL_SHOWN  50

void ngx_http_guardrail_write_zone(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone);
ngx_int_t ngx_http_guardrail_step_zones(ngx_http_guardrail_out_t *out);

/* of GUARDRAIL_LEVEL_.. */

const char *ngx_http_guardrail_level_name(ngx_uint_t level);


#endif /* NGX_HTTP_GUARDRAIL_STATUS_H */
