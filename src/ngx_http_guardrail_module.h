
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the files of the glue share.  One file per concern:
 *
 *   module       tables, phase and filter registration, the context
 *   conf         directives: the table, merging, cross-checks
 *   setters      directives of limits
 *   value        values that may contain variables: reading, evaluation
 *   head         what the request's header says of its body
 *   gate         PREACCESS and PRECONTENT
 *   read         behind it: reading the body, levels
 *   late         bodies that were read before the gate
 *   body_filter  buffers -> core/body -> HTTP status
 *   decode       guardrail_decode: what is stored and sent on in its place
 *   reject       a verdict: the body that vanishes
 *   log          a verdict: the line in the error log
 *   answer       a verdict: what the client is told
 *   types, json  guardrail_types, guardrail_json
 *   args         guardrail_max_arg, guardrail_max_window
 *   slow         guardrail_min_rate, guardrail_body_timeout
 *   worker       budget, stepping aside, decoder memory of this worker
 *   variables    what logs and other modules are told
 *   stats_zone   the memory of what is counted of all requests
 *   stats        counting
 *   status       ... and shown
 */


#ifndef NGX_HTTP_GUARDRAIL_MODULE_H
#define NGX_HTTP_GUARDRAIL_MODULE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_guardrail_quota.h"
#include "ngx_http_guardrail_stats.h"


/* what only refusals do is kept out of the cache lines of what passes */

#if (__GNUC__)
#define ngx_http_guardrail_cold  __attribute__((cold))
#else
#define ngx_http_guardrail_cold
#endif


#define NGX_HTTP_GUARDRAIL_VERSION  "0.1.0"


#define NGX_HTTP_GUARDRAIL_OFF      0
#define NGX_HTTP_GUARDRAIL_ON       1
#define NGX_HTTP_GUARDRAIL_DRY_RUN  2


#define NGX_HTTP_GUARDRAIL_ERROR_PROBLEM  0
#define NGX_HTTP_GUARDRAIL_ERROR_NGINX    1


#define NGX_HTTP_GUARDRAIL_FORMAT_AUTO    0
#define NGX_HTTP_GUARDRAIL_FORMAT_NONE    1
#define NGX_HTTP_GUARDRAIL_FORMAT_NDJSON  2
#define NGX_HTTP_GUARDRAIL_FORMAT_JSON    3
#define NGX_HTTP_GUARDRAIL_FORMAT_SEQ     4
#define NGX_HTTP_GUARDRAIL_FORMAT_CSV     5


/*
 * The value of a directive that may contain variables: the constant n, or
 * cv, to be evaluated once for each location that a request enters.
 */

typedef struct {
    ngx_http_complex_value_t         *cv;
    uint64_t                          n;
    ngx_uint_t                        set;
} ngx_http_guardrail_value_t;


#define NGX_HTTP_GUARDRAIL_OF_BODY  10


struct ngx_http_guardrail_main_conf_s {
    size_t                            decoder_memory;   /* 0: no limit */
    ngx_int_t                         request_id;       /* variable's index */

    /* of those that tell of the body, and that nginx remembers */

    ngx_int_t                         of_body[NGX_HTTP_GUARDRAIL_OF_BODY];

    ngx_array_t                       zones;            /* pointers */
    ngx_uint_t                        defined;          /* zones, so far */
    ngx_uint_t                        ratio_warned;
    ngx_uint_t                        decoded_warned;
    ngx_uint_t                        depth_warned;
    u_char                            secret[GUARDRAIL_SIPHASH_KEY];
    ngx_http_guardrail_secret_e       secret_from;

    ngx_array_t                       series;           /* pointers */
    ngx_http_guardrail_stats_t       *stats;            /* or NULL */
    ngx_array_t                       pages;            /* of .._page_t */
};


/* where guardrail_status is, and is written */

typedef struct {
    ngx_http_core_loc_conf_t         *location;
    ngx_http_core_srv_conf_t         *server;
    u_char                           *file;
    ngx_uint_t                        line;
} ngx_http_guardrail_page_t;


typedef struct {
    ngx_http_guardrail_value_t        mode;
    ngx_http_guardrail_tenant_t      *tenant;
    ngx_array_t                      *quotas;       /* of .._quota_t */
    ngx_array_t                      *args;
    ngx_array_t                      *windows;
    ngx_array_t                      *types;
    ngx_http_guardrail_series_t      *series;       /* counts its requests */
    ngx_flag_t                        buffering;
    ngx_flag_t                        decode;
    ngx_uint_t                        encodings;        /* mask of codings */
    ngx_uint_t                        format;

    /* the limits, evaluated once, where none of them has variables */

    ngx_uint_t                        fixed;
    guardrail_body_limits_t           limits;

    /* from here on little of it is looked at for a small body */

    ngx_http_guardrail_value_t        max_body;
    ngx_http_guardrail_value_t        max_decoded;
    ngx_http_guardrail_value_t        ratio;
    ngx_http_guardrail_value_t        ratio_floor;
    ngx_uint_t                        ratio_large;  /* for gzip and deflate */
    ngx_http_guardrail_value_t        max_records;
    ngx_http_guardrail_value_t        max_record_size;
    ngx_http_guardrail_value_t        max_memory;
    guardrail_body_json_t            *json;         /* or NULL */

    ngx_uint_t                        log_level;
    ngx_uint_t                        error_format;
    ngx_uint_t                        status;       /* its handler */
    ngx_str_t                         label;

    ngx_flag_t                        headers;
    ngx_uint_t                        memory_factor;    /* thousandths, */
                                                    /* 0: CPython's model */
    ngx_uint_t                        per_record;

    ngx_uint_t                        min_rate;     /* bytes a second */
    ngx_msec_t                        min_rate_grace;
    ngx_msec_t                        body_timeout;

    /* the core's, taken over: 0 is no limit */

    off_t                             client_max_body_size;
} ngx_http_guardrail_loc_conf_t;


#define ngx_http_guardrail_configured(glcf)                                   \
    ((glcf)->mode.cv != NULL || (glcf)->mode.n != NGX_HTTP_GUARDRAIL_OFF)


/* what the header says of the body; parsed once for each location */

typedef struct {
    guardrail_coding_e                coding;
    guardrail_format_e                format;       /* that of the type */
    ngx_str_t                         encoding;     /* the first coding */
    ngx_str_t                         type;         /* of the first line */
    ngx_uint_t                        types;        /* Content-Type lines */
    ngx_uint_t                        uri_changes;  /* of r, then */
    guardrail_format_e                judged_as;    /* by judge_head() */

    unsigned                          parsed:1;
    unsigned                          codings:1;    /* more than one */
    unsigned                          unknown:1;    /* not one of ours */
    unsigned                          charset:1;    /* a foreign one */
    unsigned                          underscore_encoding:1;
    unsigned                          underscore_type:1;
} ngx_http_guardrail_head_t;


/* where the request stands in the gate of its present location */

typedef enum {
    ngx_http_guardrail_new = 0,
    ngx_http_guardrail_reading,
    ngx_http_guardrail_late,
    ngx_http_guardrail_levels,          /* it takes them, or waits */
    ngx_http_guardrail_passed
} ngx_http_guardrail_state_e;


typedef struct ngx_http_guardrail_slow_s  ngx_http_guardrail_slow_t;


/* a body that is stored in its decoded form */

typedef struct {
    ngx_http_request_t               *request;
    guardrail_body_sink_t             sink;
    ngx_buf_t                        *buf;          /* not in a file yet */
    ngx_http_request_body_t          *body;         /* of a late body, or */
                                                    /* when it is done */
    uint64_t                          wire;         /* then: coded bytes, */
    guardrail_coding_e                coding;       /* and their coding */

    unsigned                          late:1;
    unsigned                          done:1;
} ngx_http_guardrail_decode_t;


/* what each small body needs is in few lines of the cache, and comes first */

struct ngx_http_guardrail_ctx_s {
    ngx_http_request_t               *request;
    ngx_http_guardrail_loc_conf_t    *conf;         /* judges by it */
    ngx_http_guardrail_state_e        state;

    unsigned                          entered:1;    /* a mode was evaluated */
    unsigned                          inspect:1;    /* the filter is to judge */
    unsigned                          judged:1;     /* to its end, mode on */
    unsigned                          waiting:1;    /* stands in the queue */
    unsigned                          calling:1;    /* the reader, just now */
    unsigned                          refused:1;
    unsigned                          would:1;      /* dry_run: excess seen */
    unsigned                          declared:1;   /* by Content-Length */
    unsigned                          unnumbered:1; /* no limit, observed */
    unsigned                          plain:1;      /* nginx's own page */
    unsigned                          partial:1;    /* it is being read, or */
                                                    /* nginx broke that off */
    unsigned                          complete:1;   /* all of it is stored */
    unsigned                          close:1;      /* close the connection */
    unsigned                          aborted:1;
    unsigned                          answered:1;
    unsigned                          counted:1;    /* is in flight */
    unsigned                          ended:1;      /* nothing goes on */
    unsigned                          last_buf:1;   /* the filter was given */
    ngx_uint_t                        mode;
    ngx_uint_t                        entry;        /* uri_changes, there */
    ngx_http_guardrail_quotas_t      *quotas;
    ngx_http_guardrail_slow_t        *slow;
    ngx_http_guardrail_decode_t      *decode;

    /* by whose constant limits PREACCESS has judged the head, and of what */

    ngx_http_guardrail_loc_conf_t    *foreseen;     /* or NULL */
    off_t                             declared_length;

    off_t                             bound;        /* of received, or 0 */
    size_t                            offset;       /* judged of held->buf */
    ngx_http_guardrail_whose_t       *whose;
    ngx_buf_t                        *answer;

    ngx_pool_cleanup_t                pool_cleanup;
    ngx_http_cleanup_t                cleanup;

    ngx_http_guardrail_head_t         head;
    guardrail_body_t                  body;

    guardrail_alloc_t                 alloc;
    off_t                             received;     /* seen by the filter */

    /* bufs of a coded body that are not judged to their end */

    ngx_chain_t                      *held;
    ngx_chain_t                     **last;

    /* a late body */

    ngx_chain_t                      *late;
    off_t                             late_offset;

    ngx_queue_t                       queue;        /* of those who wait */
    ngx_http_posted_request_t         posted;       /* wakes a late body, */
                                                    /* or one that waits */

    /* the verdict */

    guardrail_rc_e                    rc;
    ngx_uint_t                        status;
    uint64_t                          limit;
    uint64_t                          observed;
    uint64_t                          observed_input;
    const char                       *unit;
    const char                       *error;
    ngx_str_t                         observed_text;
    ngx_str_t                         limit_text;
    ngx_uint_t                        uri_changes;
};


/* the module */

extern ngx_http_guardrail_own ngx_module_t  ngx_http_guardrail_module;

/* for find_ctx() and get_ctx() */

GUARDRAIL_APART ngx_http_guardrail_ctx_t *ngx_http_guardrail_find_lost_ctx(
    ngx_http_request_t *r);
GUARDRAIL_HOT ngx_http_guardrail_ctx_t *ngx_http_guardrail_make_ctx(
    ngx_http_request_t *r);


/*
 * The context of r, NULL if there is none.  It survives redirects; the state
 * is ngx_http_guardrail_new again after each of them.
 */

static ngx_inline ngx_http_guardrail_ctx_t *
ngx_http_guardrail_find_ctx(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_guardrail_module);

    /* r->ctx is cleared by a redirect */

    if (ctx == NULL && (r->internal || r->filter_finalize)) {
        return ngx_http_guardrail_find_lost_ctx(r);
    }

    return ctx;
}


/* the same, made if there is none; NULL when there is no memory */

static ngx_inline ngx_http_guardrail_ctx_t *
ngx_http_guardrail_get_ctx(ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t  *ctx;

    ctx = ngx_http_guardrail_find_ctx(r);

    return ctx ? ctx : ngx_http_guardrail_make_ctx(r);
}


/* it was thrown away to its end, by which its length became 0 */

GUARDRAIL_APART ngx_uint_t ngx_http_guardrail_was_discarded(
    ngx_http_request_t *r);

/* it is no longer, or not at all, a request in flight */

void ngx_http_guardrail_uncount(ngx_http_guardrail_ctx_t *ctx);


static ngx_inline ngx_uint_t
ngx_http_guardrail_has_body(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0
           || r->headers_in.chunked
           || (r->headers_in.content_length_n == 0
               && ngx_http_guardrail_was_discarded(r));
}


/* conf */

extern ngx_command_t  ngx_http_guardrail_commands[];

void *ngx_http_guardrail_create_main_conf(ngx_conf_t *cf);
char *ngx_http_guardrail_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_guardrail_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_guardrail_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


/* setters */

/* deflate expands by at most 1032 to 1 (zlib's technical details) */

#define NGX_HTTP_GUARDRAIL_MAX_DEFLATE_RATIO  1032

#define NGX_HTTP_GUARDRAIL_RATIO_FLOOR        (1024 * 1024)

char *ngx_http_guardrail_set_value(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_enum(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_msec(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_ratio(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_encodings(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_label(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_decoder_memory(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_guardrail_set_memory_model(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* value */

/* what a value is read as; sizes and numbers: off and 0 are no limit */

typedef enum {
    ngx_http_guardrail_size = 0,        /* 10m */
    ngx_http_guardrail_number,          /* 1000 */
    ngx_http_guardrail_mode,            /* on, off, dry_run */
    ngx_http_guardrail_floor            /* 1m; off and 0 are 0 */
} ngx_http_guardrail_kind_e;

/* name is the directive's, for what is said of a mistake */

char *ngx_http_guardrail_compile_value(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text, ngx_http_guardrail_kind_e kind,
    ngx_http_guardrail_value_t *value);

ngx_int_t ngx_http_guardrail_parse_value(ngx_str_t *text,
    ngx_http_guardrail_kind_e kind, uint64_t *n);

/* n is the default */

void ngx_http_guardrail_merge_value(ngx_http_guardrail_value_t *conf,
    ngx_http_guardrail_value_t *prev, uint64_t n);

/* on, off or dry_run; what cannot be read is on */

GUARDRAIL_APART ngx_int_t ngx_http_guardrail_eval_mode(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_uint_t *mode);

/* at merge, after max_body is known: sets limits and fixed */

void ngx_http_guardrail_fix_limits(ngx_http_guardrail_loc_conf_t *glcf);

/*
 * The limits in force, without format and coding.  constant: only those
 * without variables, the others as no limit.  NGX_ERROR, logged, if a value
 * cannot be read; in dry_run such a value is no limit.
 */

GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_eval_limits(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_uint_t mode, ngx_uint_t constant,
    guardrail_body_limits_t *limits);

/* of max_body while nobody knows yet under which limits a body is read */

off_t ngx_http_guardrail_early_bound(ngx_http_guardrail_loc_conf_t *glcf);


/* head */

char *ngx_http_guardrail_set_json(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_guardrail_set_types(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* NGX_OK if a Content-Type is one of those, NGX_DECLINED if not */

ngx_int_t ngx_http_guardrail_match_type(ngx_array_t *types, ngx_str_t *type);

GUARDRAIL_HOT void ngx_http_guardrail_parse_head(ngx_http_request_t *r,
    ngx_http_guardrail_head_t *head);

/*
 * Judges the head by limits, without their format and coding: which these
 * are is in ctx->head then.  declared is the length of the body, -1 if it is
 * not known.  Sets the verdict in ctx when it is not GUARDRAIL_OK.
 */

GUARDRAIL_HOT guardrail_rc_e ngx_http_guardrail_judge_head(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_loc_conf_t *glcf,
    const guardrail_body_limits_t *limits, off_t declared);

/* "gzip, deflate": what Accept-Encoding says of a mask of codings */

void ngx_http_guardrail_encodings(ngx_uint_t mask, ngx_str_t *s);


/* value: a value of a request that cannot be read */

void ngx_http_guardrail_say_unreadable(ngx_http_request_t *r,
    ngx_str_t *source, const char *name, ngx_str_t *value);


/* gate */

GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_preaccess_handler(
    ngx_http_request_t *r);
GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_precontent_handler(
    ngx_http_request_t *r);


/* read */

/*
 * The steps behind the gate; each goes on with the next: a body that was read
 * before, or the body is read; then levels.  NGX_DECLINED, NGX_DONE (the
 * phases are run again), or a status.
 */

GUARDRAIL_APART ngx_int_t ngx_http_guardrail_run_late(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_read(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
GUARDRAIL_APART ngx_int_t ngx_http_guardrail_run_levels(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);


/* late */

/* it was judged to its end, with the guard on, under equal limits */

GUARDRAIL_APART ngx_uint_t ngx_http_guardrail_is_judged(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx,
    guardrail_body_limits_t *limits, off_t length);

/* something read the body, or threw it away, before the gate */

static ngx_inline ngx_uint_t
ngx_http_guardrail_is_late(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    if (r->stream && r->stream->skip_data) {
        return 1;
    }
#endif

    return r->request_body != NULL
           || r->discard_body
           || (r->headers_in.content_length_n == 0
               && ngx_http_guardrail_was_discarded(r));
}


/* the bytes that are stored, -1 if some of the body is gone */

off_t ngx_http_guardrail_stored(ngx_http_request_t *r);

/*
 * NGX_OK, NGX_DECLINED in dry_run, NGX_AGAIN (it waits, and the phases run
 * again), or a status.
 */

ngx_int_t ngx_http_guardrail_judge_late(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);


/* body_filter */

extern ngx_http_guardrail_own ngx_http_request_body_filter_pt
    ngx_http_guardrail_next_request_body_filter;

GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_request_body_filter(
    ngx_http_request_t *r, ngx_chain_t *in);


/* reject */

/* takes the verdict of ctx->body over */

ngx_http_guardrail_cold void ngx_http_guardrail_take_verdict(
    ngx_http_guardrail_ctx_t *ctx);

/* sets a verdict that is not the body's */

ngx_http_guardrail_cold void ngx_http_guardrail_set_verdict(
    ngx_http_guardrail_ctx_t *ctx, guardrail_rc_e rc, uint64_t limit,
    uint64_t observed);

/*
 * Refuses by the verdict in ctx: logs, makes the body vanish, drops
 * keep-alive.  Returns the HTTP status, to be returned by the caller.
 */

ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_refuse(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);

/*
 * The same in the mode of ctx: NGX_DECLINED in dry_run, where the verdict is
 * logged, once, and the body passes uninspected.
 */

ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_excess(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);

/* refuses as what cannot be judged: why is for the log */

ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_cannot_judge(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, const char *error);

/* the backend has it: logs the verdict, and leaves the body to its reader */

ngx_http_guardrail_cold void ngx_http_guardrail_refuse_passed(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);

/* 413 as plain nginx does it, by client_max_body_size */

ngx_http_guardrail_cold ngx_int_t ngx_http_guardrail_refuse_plain(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx, uint64_t limit,
    uint64_t observed);


/*
 * The header that backends are sent is copied, since subrequests in flight
 * have the old one.  Each field goes to edit first: NGX_OK, or NGX_DECLINED
 * to leave it out.
 */

typedef ngx_int_t (*ngx_http_guardrail_edit_pt)(ngx_table_elt_t *h,
    void *data);

ngx_int_t ngx_http_guardrail_edit_headers(ngx_http_request_t *r,
    ngx_http_guardrail_edit_pt edit, void *data);

ngx_uint_t ngx_http_guardrail_is_content_length(ngx_table_elt_t *h);

/* what was evaluated before the body and its header changed */

ngx_int_t ngx_http_guardrail_forget_variables(ngx_http_request_t *r);

/* from now on the main request has no body, neither its bytes nor its length */

ngx_http_guardrail_cold void ngx_http_guardrail_vanish(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);


/* decode */

/* guardrail_decode is on, and in force in the mode of the request */

ngx_uint_t ngx_http_guardrail_decodes(ngx_http_guardrail_ctx_t *ctx);

/* of the body that r has, if it is what was decoded before; else NULL */

ngx_http_guardrail_decode_t *ngx_http_guardrail_decoded(ngx_http_request_t *r);

/* ctx->body, a coded one, is about to be fed; late: from where it is stored */

ngx_int_t ngx_http_guardrail_decode_begin(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t late);

/* the buf that ends the decoded body, to be passed on; NULL: no memory */

ngx_buf_t *ngx_http_guardrail_decode_last(ngx_http_guardrail_decode_t *d);

/* all is judged and stored: from now on the request has the decoded body */

ngx_int_t ngx_http_guardrail_decode_end(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);

/* the body is refused */

void ngx_http_guardrail_decode_drop(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);

/* there is a Content-Encoding field */

ngx_uint_t ngx_http_guardrail_is_labelled(ngx_http_request_t *r);

/* takes it away where there is nothing to decode */

ngx_int_t ngx_http_guardrail_unlabel(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);


/* log */

/* verdict is "rejected" or "would reject" */

void ngx_http_guardrail_log(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, const char *verdict, ngx_uint_t level);

/* a client that went away while its body was read; at the end of a request */

GUARDRAIL_HOT void ngx_http_guardrail_log_aborted(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);

/* limit and observed as text, as in the log; nothing where there is none */

void ngx_http_guardrail_fmt_limit(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx);
void ngx_http_guardrail_fmt_observed(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx);
ngx_uint_t ngx_http_guardrail_has_limit(ngx_http_guardrail_ctx_t *ctx);

/*
 * A line of a kind may be written to the log, 100 in a second; if not, it is
 * counted as left out, which a line a second tells.
 */

#define NGX_HTTP_GUARDRAIL_LOG_REFUSAL  0
#define NGX_HTTP_GUARDRAIL_LOG_VALUE    1
#define NGX_HTTP_GUARDRAIL_LOG_KINDS    2

ngx_uint_t ngx_http_guardrail_log_allowed(ngx_uint_t kind);

void ngx_http_guardrail_log_exit(ngx_cycle_t *cycle);


/* args */

char *ngx_http_guardrail_set_max_arg(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_guardrail_set_max_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* NGX_OK, or NGX_DECLINED with the verdict in ctx */

ngx_int_t ngx_http_guardrail_judge_args(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf);


/* slow */

#define NGX_HTTP_GUARDRAIL_MIN_RATE  500        /* bytes a second */
#define NGX_HTTP_GUARDRAIL_GRACE     20000      /* ms */

char *ngx_http_guardrail_set_min_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* there is more of a body to come: from now on it must come fast enough */

ngx_int_t ngx_http_guardrail_watch_pace(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);
GUARDRAIL_HOT void ngx_http_guardrail_unwatch_pace(
    ngx_http_guardrail_ctx_t *ctx);


/* answer */

ngx_int_t ngx_http_guardrail_add_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);

extern ngx_http_guardrail_own ngx_http_output_header_filter_pt
    ngx_http_guardrail_next_header_filter;
extern ngx_http_guardrail_own ngx_http_output_body_filter_pt
    ngx_http_guardrail_next_body_filter;

GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_header_filter(
    ngx_http_request_t *r);
GUARDRAIL_HOT ngx_int_t ngx_http_guardrail_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);

/* the end of a response, as its content handler gives it; in each worker */

void ngx_http_guardrail_watch_output(void);


/* worker */

/* bytes read at a time of a late body in a file */

#define NGX_HTTP_GUARDRAIL_READ  32768

typedef struct {
    int64_t                           left;         /* of this pass */
    const guardrail_ndjson_ops_t     *ndjson;
    guardrail_body_ops_t              ops;
    u_char                            scratch[GUARDRAIL_BODY_QUANTUM];
    u_char                            read[NGX_HTTP_GUARDRAIL_READ];
} ngx_http_guardrail_worker_t;

extern ngx_http_guardrail_own ngx_http_guardrail_worker_t
    ngx_http_guardrail_worker;

ngx_int_t ngx_http_guardrail_init_worker(ngx_cycle_t *cycle);

/* decodes something with the libraries that are loaded; logs a failure */

ngx_int_t ngx_http_guardrail_check_decoders(ngx_conf_t *cf);

/* the budget was touched: have it refilled in the next pass */

void ngx_http_guardrail_spend(void);

/* stands in line for the next pass */

void ngx_http_guardrail_step_aside(ngx_http_guardrail_ctx_t *ctx);

static ngx_inline void
ngx_http_guardrail_leave_queue(ngx_http_guardrail_ctx_t *ctx)
{
    if (ctx->waiting) {
        ngx_queue_remove(&ctx->queue);
        ctx->waiting = 0;
    }
}


/* runs the phases of a request that waited; it may be freed here */

void ngx_http_guardrail_wake_phases(ngx_http_guardrail_ctx_t *ctx);

/* the decoder memory of ctx, out of this worker's */

GUARDRAIL_HOT void ngx_http_guardrail_init_alloc(
    ngx_http_guardrail_ctx_t *ctx);

/* limit and observed of ctx, whose decoder did not get so many bytes */

void ngx_http_guardrail_decoder_refused(ngx_http_guardrail_ctx_t *ctx,
    uint64_t wanted);


/* status */

char *ngx_http_guardrail_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_guardrail_check_pages(ngx_conf_t *cf);


/* variables */

ngx_int_t ngx_http_guardrail_add_variables(ngx_conf_t *cf);

/* ctx may be NULL: nothing had to be judged */

GUARDRAIL_HOT ngx_http_guardrail_verdict_e ngx_http_guardrail_verdict(
    ngx_http_request_t *r, ngx_http_guardrail_ctx_t *ctx);


#endif /* NGX_HTTP_GUARDRAIL_MODULE_H */
