
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Counters of requests, in shared memory.  A label (guardrail_label) is a
 * series; each worker adds to the counters of its slot without a lock, and
 * who reads adds the slots up.  Nothing is lost when a worker is killed, and
 * a reload keeps all.
 */


#ifndef NGX_HTTP_GUARDRAIL_STATS_H
#define NGX_HTTP_GUARDRAIL_STATS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "base/guardrail_base.h"
#include "stats/guardrail_histogram.h"


typedef enum {
    ngx_http_guardrail_verdict_off = 0,
    ngx_http_guardrail_verdict_pass,
    ngx_http_guardrail_verdict_reject,
    ngx_http_guardrail_verdict_would,
    ngx_http_guardrail_verdict_aborted,

    NGX_HTTP_GUARDRAIL_VERDICTS
} ngx_http_guardrail_verdict_e;


/* what is measured of a request; the units of values are told for each */

typedef enum {
    ngx_http_guardrail_stat_body = 0,   /* bytes of the wire */
    ngx_http_guardrail_stat_decoded,    /* bytes */
    ngx_http_guardrail_stat_ratio,      /* 1024 is 1.0; coded bodies only */
    ngx_http_guardrail_stat_records,
    ngx_http_guardrail_stat_largest,    /* bytes */
    ngx_http_guardrail_stat_memory,     /* bytes */
    ngx_http_guardrail_stat_queue,      /* 1024 is a second; of who waited */

    NGX_HTTP_GUARDRAIL_STATS
} ngx_http_guardrail_stat_e;

#define NGX_HTTP_GUARDRAIL_STAT_SCALE  1024

/* one that counts as two of them: see below */

#define NGX_HTTP_GUARDRAIL_STAT_SAME   NGX_HTTP_GUARDRAIL_STATS


/*
 * Slots of counters.  Workers whose numbers are the same modulo this share
 * one, which is slower and loses nothing.  Many labels have fewer slots: of
 * 38 KiB each, 8192 labels with 8 are 2.4 GiB of address space, which a
 * small machine refuses.
 */

#define NGX_HTTP_GUARDRAIL_STATS_SLOTS  8
#define NGX_HTTP_GUARDRAIL_STATS_MANY   2048    /* slots of all labels */

/* processes whose gauges are known; those beyond are left out */

#define NGX_HTTP_GUARDRAIL_STATS_PROCESSES  256


/*
 * Of one label, in one slot or in all.  A body whose size on the wire is that
 * of what it holds is added to the last histogram alone, which belongs to
 * those of both sizes.
 */

typedef struct {
    uint64_t                requests[NGX_HTTP_GUARDRAIL_VERDICTS];
    uint64_t                used;       /* mask of histograms */
    uint64_t                rejected[GUARDRAIL_RC_MAX];
    uint64_t                would[GUARDRAIL_RC_MAX];
    guardrail_histogram_t   histograms[NGX_HTTP_GUARDRAIL_STATS + 1];
} ngx_http_guardrail_counters_t;

/* beside them in the mask: there was a request, as the row knows too */

#define NGX_HTTP_GUARDRAIL_STATS_USED  ((uint64_t) 1 << 63)


/* what one process has in use; it alone writes */

typedef struct {
    uint64_t                owner;      /* its pid */
    uint64_t                start;      /* tells it from one of that number */
    uint64_t                in_flight;  /* requests */
    uint64_t                decoders;   /* bytes */
    uint64_t                unused[4];
} ngx_http_guardrail_gauges_t;

/* of this process; never NULL */

extern ngx_http_guardrail_own ngx_http_guardrail_gauges_t
    *ngx_http_guardrail_gauges;


/* a label, and the locations that have it */

typedef struct {
    ngx_str_t               label;
    uint64_t                hash[2];
    uint32_t                row;
    ngx_array_t             confs;      /* of .._where_t */

    /* what this process adds to; NULL when the memory may be gone */

    ngx_http_guardrail_counters_t  *counters;
} ngx_http_guardrail_series_t;

typedef struct {
    ngx_str_t               name;       /* "server_name location" */
    ngx_uint_t              server;     /* no location, but its server */
    void                   *conf;       /* ngx_http_guardrail_loc_conf_t */
} ngx_http_guardrail_where_t;


/* the memory: a head, rows, counters */

typedef struct {
    uint64_t                          version;
    uint64_t                          start;        /* s */
    uint64_t                          rows;         /* that have a label */
    uint64_t                          unused[5];
    ngx_http_guardrail_gauges_t       gauges[
                                          NGX_HTTP_GUARDRAIL_STATS_PROCESSES];
} ngx_http_guardrail_stats_head_t;


typedef struct {
    uint64_t                          hash[2];      /* of the label */

    /* slots that were ever added to: what is not is not read */

    uint8_t                           used[NGX_HTTP_GUARDRAIL_STATS_SLOTS];
    uint8_t                           unused[8];
} ngx_http_guardrail_stats_row_t;


typedef struct {
    ngx_shm_zone_t                   *shm_zone;
    ngx_http_guardrail_main_conf_t   *gmcf;
    uint32_t                          capacity;     /* rows */
    uint32_t                          slots;        /* by the capacity */

    ngx_http_guardrail_stats_head_t  *head;
    ngx_http_guardrail_stats_row_t   *rows;
    ngx_http_guardrail_counters_t    *counters;     /* slots x rows */
} ngx_http_guardrail_stats_t;

/*
 * What is mapped.  A single process that has taken a new configuration may
 * serve requests of the one before, whose memory nginx has unmapped.
 */

extern ngx_http_guardrail_stats_head_t  *ngx_http_guardrail_mapped;

/* a process that is not yet done with taking its gauges over */

#define NGX_HTTP_GUARDRAIL_STATS_CLAIMED  ((uint64_t) 1 << 63)


/* stats_zone */

/* at merge: finds or makes the series of a location, and its label */

ngx_int_t ngx_http_guardrail_add_series(ngx_conf_t *cf, void *conf,
    ngx_str_t *label);

/* after all is merged: the shared memory for the series */

ngx_int_t ngx_http_guardrail_add_stats(ngx_conf_t *cf);

ngx_int_t ngx_http_guardrail_init_stats(ngx_cycle_t *cycle);

/* of this process */

ngx_uint_t ngx_http_guardrail_stats_slot(ngx_http_guardrail_stats_t *stats);

void ngx_http_guardrail_exit_stats(ngx_cycle_t *cycle);

/* a single process goes on with another configuration */

ngx_int_t ngx_http_guardrail_renew_stats(ngx_cycle_t *cycle);


/* stats */

const char *ngx_http_guardrail_verdict_name(ngx_uint_t verdict);

/* of a request, NULL where nothing is guarded */

GUARDRAIL_HOT ngx_http_guardrail_series_t *ngx_http_guardrail_find_series(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);

/* the log phase: the request is counted */

GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_count(ngx_http_request_t *r);


/*
 * Adds up the counters of a series, without the histograms: 0 if there was
 * no request.  The other adds up one histogram: 0 if it is empty.
 */

ngx_uint_t ngx_http_guardrail_sum_counters(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_series_t *series, ngx_http_guardrail_counters_t *sum);
ngx_uint_t ngx_http_guardrail_sum_histogram(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_series_t *series, ngx_uint_t stat,
    guardrail_histogram_t *sum);

/* of processes that live */

void ngx_http_guardrail_sum_gauges(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_gauges_t *sum);

/* when the counters began, in seconds of the wall clock */

time_t ngx_http_guardrail_stats_since(ngx_http_guardrail_stats_t *stats);


#endif /* NGX_HTTP_GUARDRAIL_STATS_H */
