
/*
 * Copyright (C) nginx-guardrail authors
 *
 * For tests only: what other modules do to request bodies.
 *
 *   test_read server_rewrite|rewrite|access
 *
 *       reads the whole body in that phase, as mirror and njs do
 *
 *   test_filter MODE... [size=N]
 *
 *       a request body filter that changes how the bytes are cut, not the
 *       bytes.  Loaded after the guardrail it stands in front of it, loaded
 *       before it stands behind.
 *
 *       null     also calls the next filter with no chain at all
 *       empty    puts a buffer without bytes in front of each buffer; nginx
 *                cannot send those on
 *       special  the same, of those that have no memory
 *       split    cuts buffers into pieces of N bytes, in one chain
 *       calls    the same, a call for each
 *       last     ends the body with a buffer of its own
 *
 *   test_skip on|off
 *
 *       a PRECONTENT handler that returns NGX_OK, which skips the handlers
 *       behind it; loaded after the guardrail it is in front of its gate
 *
 *   test_subrequest URI BODY
 *
 *       a content handler: its answer is that of a subrequest with a body of
 *       its own
 *
 *   test_zone, test_points: see ngx_http_guardrail_test_zone.c
 *
 *   test_later TIME
 *
 *       a content handler: what this worker's timers wait for comes TIME
 *       sooner, as if so much had passed; the answer is 204
 */


#include "ngx_http_guardrail_test.h"


/* 0x01 is NGX_CONF_BITMASK_SET */

#define NGX_HTTP_TEST_NULL     0x02
#define NGX_HTTP_TEST_EMPTY    0x04
#define NGX_HTTP_TEST_SPECIAL  0x08
#define NGX_HTTP_TEST_SPLIT    0x10
#define NGX_HTTP_TEST_CALLS    0x20
#define NGX_HTTP_TEST_LAST     0x40


static ngx_int_t ngx_http_test_server_rewrite(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_rewrite(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_access(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_skip(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_read(ngx_http_request_t *r, ngx_uint_t phase);
static void ngx_http_test_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_filter(ngx_http_request_t *r, ngx_chain_t *in);
static ngx_int_t ngx_http_test_add(ngx_http_request_t *r, ngx_chain_t ***ll,
    u_char *p, size_t len);
static ngx_int_t ngx_http_test_pass(ngx_http_request_t *r, ngx_chain_t *out,
    ngx_uint_t calls);
static ngx_int_t ngx_http_test_content(ngx_http_request_t *r);
static void ngx_http_test_content_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_subrequest(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_later(ngx_http_request_t *r);
static void *ngx_http_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_test_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_test_set_filter(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_test_set_subrequest(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_test_set_later(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_test_init(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_http_test_phases[] = {
    { ngx_string("off"), 0 },
    { ngx_string("server_rewrite"), NGX_HTTP_SERVER_REWRITE_PHASE + 1 },
    { ngx_string("rewrite"), NGX_HTTP_REWRITE_PHASE + 1 },
    { ngx_string("access"), NGX_HTTP_ACCESS_PHASE + 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_test_filters[] = {
    { ngx_string("null"), NGX_HTTP_TEST_NULL },
    { ngx_string("empty"), NGX_HTTP_TEST_EMPTY },
    { ngx_string("special"), NGX_HTTP_TEST_SPECIAL },
    { ngx_string("split"), NGX_HTTP_TEST_SPLIT },
    { ngx_string("calls"), NGX_HTTP_TEST_CALLS },
    { ngx_string("last"), NGX_HTTP_TEST_LAST },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_test_commands[] = {

    { ngx_string("test_read"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_test_loc_conf_t, phase),
      &ngx_http_test_phases },

    { ngx_string("test_filter"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_test_set_filter,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("test_skip"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_test_loc_conf_t, skip),
      NULL },

    { ngx_string("test_subrequest"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_test_set_subrequest,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("test_zone"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_test_set_zone,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("test_points"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_test_set_zone,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("test_later"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_test_set_later,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_null_command
};


static ngx_http_module_t  ngx_http_guardrail_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_test_init,                    /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_test_create_loc_conf,         /* create location configuration */
    ngx_http_test_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_guardrail_test_module = {
    NGX_MODULE_V1,
    &ngx_http_guardrail_test_module_ctx,   /* module context */
    ngx_http_test_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


static ngx_int_t
ngx_http_test_server_rewrite(ngx_http_request_t *r)
{
    return ngx_http_test_read(r, NGX_HTTP_SERVER_REWRITE_PHASE + 1);
}


static ngx_int_t
ngx_http_test_rewrite(ngx_http_request_t *r)
{
    return ngx_http_test_read(r, NGX_HTTP_REWRITE_PHASE + 1);
}


static ngx_int_t
ngx_http_test_skip(ngx_http_request_t *r)
{
    ngx_http_test_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_test_module);

    return conf->skip ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_test_access(ngx_http_request_t *r)
{
    return ngx_http_test_read(r, NGX_HTTP_ACCESS_PHASE + 1);
}


static ngx_int_t
ngx_http_test_read(ngx_http_request_t *r, ngx_uint_t phase)
{
    ngx_int_t                  rc;
    ngx_http_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_test_module);

    if (tlcf->phase != phase || r != r->main || r->request_body) {
        return NGX_DECLINED;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_test_read_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_test_read_handler(ngx_http_request_t *r)
{
    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/*
 * The bytes are copied: what nginx reads into next is not what a later filter
 * may still hold.
 */

static ngx_int_t
ngx_http_test_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t                     n, size;
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_uint_t                 last;
    ngx_chain_t               *cl, *out, **ll;
    ngx_http_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_test_module);

    if (tlcf->filter == 0 || tlcf->filter == NGX_CONF_BITMASK_SET) {
        return ngx_http_next_request_body_filter(r, in);
    }

    if (in && tlcf->filter & NGX_HTTP_TEST_NULL) {
        rc = ngx_http_next_request_body_filter(r, NULL);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    out = NULL;
    ll = &out;
    last = 0;

    size = (tlcf->filter & (NGX_HTTP_TEST_SPLIT|NGX_HTTP_TEST_CALLS))
           ? tlcf->size : NGX_MAX_SIZE_T_VALUE;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (b->last_buf) {
            last = 1;
        }

        if (tlcf->filter & NGX_HTTP_TEST_EMPTY
            && ngx_http_test_add(r, &ll, (u_char *) "", 0) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (tlcf->filter & NGX_HTTP_TEST_SPECIAL
            && ngx_http_test_add(r, &ll, NULL, 0) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        while (b->pos != b->last) {
            n = ngx_min(size, (size_t) (b->last - b->pos));

            if (ngx_http_test_add(r, &ll, b->pos, n) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            b->pos += n;
        }
    }

    if (last) {

        if ((out == NULL || tlcf->filter & NGX_HTTP_TEST_LAST)
            && ngx_http_test_add(r, &ll, NULL, 0) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        for (cl = out; cl->next; cl = cl->next) { /* void */ }

        cl->buf->last_buf = 1;
    }

    rc = ngx_http_test_pass(r, out, tlcf->filter & NGX_HTTP_TEST_CALLS);

    /* behind the last buffer nginx does not stand it */

    if (rc == NGX_OK && !last && tlcf->filter & NGX_HTTP_TEST_NULL) {
        rc = ngx_http_next_request_body_filter(r, NULL);
    }

    return rc;
}


/* a copy of some bytes, or a special buf if p is NULL */

static ngx_int_t
ngx_http_test_add(ngx_http_request_t *r, ngx_chain_t ***ll, u_char *p,
    size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    if (p) {
        b = ngx_create_temp_buf(r->pool, len + 1);
        if (b == NULL) {
            return NGX_ERROR;
        }

        b->last = ngx_cpymem(b->pos, p, len);

    } else {
        b = ngx_calloc_buf(r->pool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        b->sync = 1;
    }

    b->flush = r->request_body_no_buffering;
    b->tag = (ngx_buf_tag_t) &ngx_http_guardrail_test_module;

    cl->buf = b;
    cl->next = NULL;

    **ll = cl;
    *ll = &cl->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_test_pass(ngx_http_request_t *r, ngx_chain_t *out, ngx_uint_t calls)
{
    ngx_int_t    rc;
    ngx_chain_t  one, *cl;

    if (!calls || out == NULL) {
        return ngx_http_next_request_body_filter(r, out);
    }

    for (cl = out; cl; cl = cl->next) {
        one.buf = cl->buf;
        one.next = NULL;

        rc = ngx_http_next_request_body_filter(r, &one);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_test_content(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_http_test_content_body);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_test_content_body(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_test_subrequest(r));
}


static ngx_int_t
ngx_http_test_subrequest(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_http_request_t        *sr;
    ngx_http_request_body_t   *rb;
    ngx_http_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_test_module);

    r->headers_out.status = NGX_HTTP_OK;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    b = ngx_calloc_buf(r->pool);

    if (rb == NULL || b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->last_buf = 1;
    b->pos = b->start = tlcf->body.data;
    b->last = b->end = tlcf->body.data + tlcf->body.len;

    rb->bufs = ngx_alloc_chain_link(r->pool);
    if (rb->bufs == NULL) {
        return NGX_ERROR;
    }

    rb->bufs->buf = b;
    rb->bufs->next = NULL;

    if (ngx_http_subrequest(r, &tlcf->uri, NULL, &sr, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    sr->method = r->method;
    sr->method_name = r->method_name;
    sr->request_body = rb;
    sr->headers_in.content_length = NULL;
    sr->headers_in.content_length_n = tlcf->body.len;
    sr->headers_in.chunked = 0;

    return ngx_http_send_special(r, NGX_HTTP_LAST);
}


/* all by the same, so their order in the tree stays */

static ngx_int_t
ngx_http_test_later(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_rbtree_node_t         *node;
    ngx_http_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_test_module);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_event_timer_rbtree.root != ngx_event_timer_rbtree.sentinel) {

        for (node = ngx_rbtree_min(ngx_event_timer_rbtree.root,
                                   ngx_event_timer_rbtree.sentinel);
             node;
             node = ngx_rbtree_next(&ngx_event_timer_rbtree, node))
        {
            node->key -= tlcf->later;
        }
    }

    return NGX_HTTP_NO_CONTENT;
}


static void *
ngx_http_test_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_test_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_test_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->phase = NGX_CONF_UNSET_UINT;
    conf->skip = NGX_CONF_UNSET;
    conf->size = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_http_test_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_test_loc_conf_t *prev = parent;
    ngx_http_test_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->phase, prev->phase, 0);
    ngx_conf_merge_value(conf->skip, prev->skip, 0);
    ngx_conf_merge_size_value(conf->size, prev->size, 1);
    ngx_conf_merge_bitmask_value(conf->filter, prev->filter, 0);

    return NGX_CONF_OK;
}


static char *
ngx_http_test_set_filter(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_test_loc_conf_t *tlcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t   i, m;

    value = cf->args->elts;
    tlcf->filter = NGX_CONF_BITMASK_SET;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len > 5 && ngx_strncmp(value[i].data, "size=", 5) == 0) {
            n = ngx_atoi(value[i].data + 5, value[i].len - 5);

            if (n < 1) {
                return "has a bad size";
            }

            tlcf->size = n;
            continue;
        }

        for (m = 0; ngx_http_test_filters[m].name.len; m++) {
            if (value[i].len == ngx_http_test_filters[m].name.len
                && ngx_strcmp(value[i].data, ngx_http_test_filters[m].name.data)
                   == 0)
            {
                tlcf->filter |= ngx_http_test_filters[m].mask;
                break;
            }
        }

        if (ngx_http_test_filters[m].name.len == 0) {
            return "has an unknown mode";
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_test_set_subrequest(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_test_loc_conf_t *tlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    tlcf->uri = value[1];
    tlcf->body = value[2];

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_test_content;

    return NGX_CONF_OK;
}


static char *
ngx_http_test_set_later(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_test_loc_conf_t *tlcf = conf;

    ngx_int_t                  n;
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR) {
        return "has a bad time";
    }

    tlcf->later = (ngx_msec_t) n;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_test_later;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_test_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static struct {
        ngx_http_phases      phase;
        ngx_http_handler_pt  handler;
    } handlers[] = {
        { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_test_server_rewrite },
        { NGX_HTTP_REWRITE_PHASE, ngx_http_test_rewrite },
        { NGX_HTTP_ACCESS_PHASE, ngx_http_test_access },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_http_test_skip }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        h = ngx_array_push(&cmcf->phases[handlers[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = handlers[i].handler;
    }

    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_test_filter;

    return NGX_OK;
}
