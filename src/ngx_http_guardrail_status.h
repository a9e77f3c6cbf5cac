
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status: what its files share.
 *
 *   status_conf        the directive
 *   status             the handler: what is asked for, headers
 *   status_json        JSON
 *   status_prometheus  Prometheus' text format, and OpenMetrics
 *   status_html        the page
 */


#ifndef NGX_HTTP_GUARDRAIL_STATUS_H
#define NGX_HTTP_GUARDRAIL_STATUS_H


#include "ngx_http_guardrail_module.h"


/* the answer while it is written: buffers of the request's pool */

typedef struct {
    ngx_http_request_t               *request;
    ngx_http_guardrail_main_conf_t   *gmcf;
    ngx_chain_t                      *chain;
    ngx_chain_t                     **last;
    ngx_buf_t                        *buf;
    ngx_uint_t                        failed;       /* no memory */
    ngx_uint_t                        comma;        /* before what comes */
    ngx_uint_t                        openmetrics;
    guardrail_fmt_t                   f;
} ngx_http_guardrail_out_t;


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

void ngx_http_guardrail_write_json(ngx_http_guardrail_out_t *out);
void ngx_http_guardrail_write_prometheus(ngx_http_guardrail_out_t *out);
void ngx_http_guardrail_write_html(ngx_http_guardrail_out_t *out,
    ngx_str_t *nonce);


#endif /* NGX_HTTP_GUARDRAIL_STATUS_H */
