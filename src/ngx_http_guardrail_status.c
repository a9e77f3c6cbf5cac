
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status: what was counted, as JSON, for Prometheus, or as a page.
 */


#include "ngx_http_guardrail_status.h"
#include "ngx_http_guardrail_page.h"


#define NGX_HTTP_GUARDRAIL_OUT    32768

/* steps of one pass of the event loop, and bytes that end it: about a ms */

#define NGX_HTTP_GUARDRAIL_PASS_STEPS  64
#define NGX_HTTP_GUARDRAIL_PASS_BYTES   65536

/*
 * A timer that is not cancelable, until all is written: an old worker exits
 * when it has none, and with it the answer it has begun.
 */

#define NGX_HTTP_GUARDRAIL_KEEP   1000      /* ms */

/* of Content-Security-Policy: 128 bits that nobody can guess, in hex */

#define NGX_HTTP_GUARDRAIL_NONCE  32


typedef enum {
    ngx_http_guardrail_json = 0,
    ngx_http_guardrail_prometheus,
    ngx_http_guardrail_openmetrics,
    ngx_http_guardrail_html,

    NGX_HTTP_GUARDRAIL_MEDIA
} ngx_http_guardrail_media_e;


static ngx_int_t ngx_http_guardrail_run(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_continue(ngx_event_t *ev);
static void ngx_http_guardrail_stop(void *data);
static ngx_int_t ngx_http_guardrail_choose(ngx_http_request_t *r,
    ngx_uint_t *media);
static void ngx_http_guardrail_accept(ngx_http_request_t *r,
    ngx_uint_t *quality);
static void ngx_http_guardrail_accept_line(ngx_str_t *line,
    ngx_uint_t *quality);
static ngx_uint_t ngx_http_guardrail_quality(u_char *p, u_char *last);
static void ngx_http_guardrail_make_nonce(ngx_http_request_t *r,
    u_char *nonce);
static ngx_int_t ngx_http_guardrail_add_policy(ngx_http_request_t *r,
    ngx_http_guardrail_out_t *out);
static ngx_int_t ngx_http_guardrail_send(ngx_http_request_t *r,
    ngx_http_guardrail_out_t *out);


ngx_http_guardrail_counters_t  ngx_http_guardrail_sum;

/* debug builds look at the connection of a timer */

static ngx_connection_t        ngx_http_guardrail_dummy;


const ngx_http_guardrail_stat_info_t
    ngx_http_guardrail_stat_infos[NGX_HTTP_GUARDRAIL_STATS] =
{
    { "body_bytes", 1 },
    { "decoded_bytes", 1 },
    { "expansion_ratio", NGX_HTTP_GUARDRAIL_STAT_SCALE },
    { "records", 1 },
    { "largest_record_bytes", 1 },
    { "memory_estimate_bytes", 1 },
    { "queue_wait_seconds", NGX_HTTP_GUARDRAIL_STAT_SCALE }
};


static ngx_str_t  ngx_http_guardrail_types[NGX_HTTP_GUARDRAIL_MEDIA] = {
    ngx_string("application/json"),
    ngx_string("text/plain; version=0.0.4; charset=utf-8"),
    ngx_string("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ngx_string("text/html; charset=utf-8")
};


ngx_int_t
ngx_http_guardrail_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_uint_t                 media;
    ngx_http_cleanup_t        *cln;
    ngx_http_guardrail_ctx_t  *ctx;
    ngx_http_guardrail_out_t  *out;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_guardrail_choose(r, &media) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    /* who asks how many there are is none of them */

    ctx = ngx_http_guardrail_find_ctx(r);

    if (ctx && r == r->main) {
        ngx_http_guardrail_uncount(ctx);
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_guardrail_out_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out = cln->data;
    ngx_memzero(out, sizeof(ngx_http_guardrail_out_t));

    out->request = r;
    out->gmcf = ngx_http_get_module_main_conf(r, ngx_http_guardrail_module);
    out->last = &out->chain;
    out->media = media;

    out->event.handler = ngx_http_guardrail_continue;
    out->event.data = &ngx_http_guardrail_dummy;
    out->event.log = r->connection->log;

    ngx_http_guardrail_dummy.fd = (ngx_socket_t) -1;

    cln->handler = ngx_http_guardrail_stop;

    switch (media) {

    case ngx_http_guardrail_prometheus:
    case ngx_http_guardrail_openmetrics:
        out->openmetrics = (media == ngx_http_guardrail_openmetrics);
        out->step = ngx_http_guardrail_step_prometheus;
        break;

    case ngx_http_guardrail_html:

        if (ngx_http_guardrail_add_policy(r, out) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        out->step = ngx_http_guardrail_step_html;
        break;

    default: /* ngx_http_guardrail_json */
        out->step = ngx_http_guardrail_step_json;
    }

    if (ngx_http_guardrail_run(out) == NGX_OK) {
        return ngx_http_guardrail_send(r, out);
    }

    r->main->count++;

    return NGX_DONE;
}


/* as many steps as one pass of the event loop may take */

static ngx_int_t
ngx_http_guardrail_run(ngx_http_guardrail_out_t *out)
{
    ngx_uint_t  n;

    out->written = 0;

    for (n = 0; out->step(out) != NGX_OK; n++) {

        if (n == NGX_HTTP_GUARDRAIL_PASS_STEPS
            || out->written > NGX_HTTP_GUARDRAIL_PASS_BYTES)
        {
            ngx_post_event(&out->event, &ngx_posted_next_events);
            ngx_add_timer(&out->event, NGX_HTTP_GUARDRAIL_KEEP);
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}


static void
ngx_http_guardrail_continue(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_guardrail_out_t  *out;

    out = (ngx_http_guardrail_out_t *) (void *)
          ((u_char *) ev - offsetof(ngx_http_guardrail_out_t, event));

    r = out->request;
    c = r->connection;

    ngx_http_guardrail_stop(out);

    if (ngx_http_guardrail_run(out) == NGX_OK) {
        ngx_http_finalize_request(r, ngx_http_guardrail_send(r, out));
        ngx_http_run_posted_requests(c);
    }
}


static void
ngx_http_guardrail_stop(void *data)
{
    ngx_http_guardrail_out_t *out = data;

    if (out->event.posted) {
        ngx_delete_posted_event(&out->event);
    }

    if (out->event.timer_set) {
        ngx_del_timer(&out->event);
    }
}


/* the argument "format" first, then Accept; JSON for who does not care */

static ngx_int_t
ngx_http_guardrail_choose(ngx_http_request_t *r, ngx_uint_t *media)
{
    ngx_str_t   format;
    ngx_uint_t  i, quality[NGX_HTTP_GUARDRAIL_MEDIA];

    ngx_http_guardrail_accept(r, quality);

    if (ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK) {

        if (format.len == 4 && ngx_strncmp(format.data, "json", 4) == 0) {
            *media = ngx_http_guardrail_json;
            return NGX_OK;
        }

        if (format.len == 4 && ngx_strncmp(format.data, "html", 4) == 0) {
            *media = ngx_http_guardrail_html;
            return NGX_OK;
        }

        if (format.len == 10
            && ngx_strncmp(format.data, "prometheus", 10) == 0)
        {
            *media = (quality[ngx_http_guardrail_openmetrics]
                      > quality[ngx_http_guardrail_prometheus])
                     ? ngx_http_guardrail_openmetrics
                     : ngx_http_guardrail_prometheus;
            return NGX_OK;
        }

        return NGX_DECLINED;
    }

    *media = ngx_http_guardrail_json;

    for (i = 0; i < NGX_HTTP_GUARDRAIL_MEDIA; i++) {
        if (quality[i] > quality[*media]) {
            *media = i;
        }
    }

    return NGX_OK;
}


static void
ngx_http_guardrail_accept(ngx_http_request_t *r, ngx_uint_t *quality)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(quality, NGX_HTTP_GUARDRAIL_MEDIA * sizeof(ngx_uint_t));

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 6
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept", 6)
                   == 0)
            {
                ngx_http_guardrail_accept_line(&h[i].value, quality);
            }
        }
    }
}


/* media types by name only: what is any type is left to the default */

static void
ngx_http_guardrail_accept_line(ngx_str_t *line, ngx_uint_t *quality)
{
    u_char      *p, *end, *last;
    size_t       len;
    ngx_uint_t   i, q;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  media;
    } names[] = {
        { ngx_string("application/json"), ngx_http_guardrail_json },
        { ngx_string("text/plain"), ngx_http_guardrail_prometheus },
        { ngx_string("application/openmetrics-text"),
          ngx_http_guardrail_openmetrics },
        { ngx_string("text/html"), ngx_http_guardrail_html },
        { ngx_string("application/xhtml+xml"), ngx_http_guardrail_html }
    };

    last = line->data + line->len;

    for (p = line->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        for (len = 0; p + len < end; len++) {
            if (p[len] == ';' || p[len] == ' ' || p[len] == '\t') {
                break;
            }
        }

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

            if (names[i].name.len != len
                || ngx_strncasecmp(p, names[i].name.data, len) != 0)
            {
                continue;
            }

            q = ngx_http_guardrail_quality(p + len, end);

            if (q > quality[names[i].media]) {
                quality[names[i].media] = q;
            }
        }
    }
}


/* thousandths; 1000 without "q=" (RFC 9110, section 12.4.2) */

static ngx_uint_t
ngx_http_guardrail_quality(u_char *p, u_char *last)
{
    u_char     *end;
    ngx_int_t   q;

    for ( ;; ) {

        while (p < last && (*p == ';' || *p == ' ' || *p == '\t')) {
            p++;
        }

        if (p == last) {
            return 1000;
        }

        for (end = p; end < last; end++) {
            if (*end == ';' || *end == ' ' || *end == '\t') {
                break;
            }
        }

        if (end - p >= 3 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=') {
            q = ngx_atofp(p + 2, (size_t) (end - p - 2), 3);

            return (q == NGX_ERROR || q > 1000) ? 0 : (ngx_uint_t) q;
        }

        p = end;
    }
}


guardrail_fmt_t *
ngx_http_guardrail_room(ngx_http_guardrail_out_t *out, size_t size)
{
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = out->buf;
    out->written += size;

    if (b && (size_t) (out->f.end - out->f.pos) >= size) {
        return &out->f;
    }

    if (b) {
        b->last = (u_char *) out->f.pos;
    }

    len = ngx_max(size, NGX_HTTP_GUARDRAIL_OUT);

    b = ngx_create_temp_buf(out->request->pool, len);
    cl = ngx_alloc_chain_link(out->request->pool);

    if (b == NULL || cl == NULL) {
        out->failed = 1;
        out->buf = NULL;
        guardrail_fmt_init(&out->f, (char *) &out->f, 0);
        return &out->f;
    }

    cl->buf = b;
    cl->next = NULL;

    *out->last = cl;
    out->last = &cl->next;
    out->buf = b;

    guardrail_fmt_init(&out->f, (char *) b->pos, len);

    return &out->f;
}


void
ngx_http_guardrail_put(ngx_http_guardrail_out_t *out, const char *text)
{
    guardrail_fmt_text(ngx_http_guardrail_room(out, ngx_strlen(text)), text);
}


void
ngx_http_guardrail_fmt_stat(guardrail_fmt_t *f, ngx_uint_t stat,
    uint64_t value)
{
    ngx_uint_t  scale;

    scale = ngx_http_guardrail_stat_infos[stat].scale;

    if (scale == 1) {
        guardrail_fmt_u64(f, value);

    } else {
        guardrail_fmt_quotient(f, value, scale, 3);
    }
}


ngx_uint_t
ngx_http_guardrail_is_shown(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series)
{
    ngx_uint_t                   i;
    ngx_http_guardrail_where_t  *where;

    where = series->confs.elts;

    for (i = 0; i < series->confs.nelts; i++) {
        if (!where[i].server) {
            return 1;
        }
    }

    return ngx_http_guardrail_sum_counters(out->gmcf->stats, series,
                                           &ngx_http_guardrail_sum);
}


/* a keyed hash of what is never the same twice */

static void
ngx_http_guardrail_make_nonce(ngx_http_request_t *r, u_char *nonce)
{
    uint64_t  hash[2];

    struct {
        uint64_t  pid;
        uint64_t  connection;
        uint64_t  requests;
        uint64_t  time;
        uint64_t  count;
    } of;

    static uint64_t  count;

    of.pid = (uint64_t) ngx_pid;
    of.connection = (uint64_t) r->connection->number;
    of.requests = (uint64_t) r->connection->requests;
    of.time = (uint64_t) ngx_time();
    of.count = ++count;

    guardrail_siphash(ngx_http_guardrail_secret, (const uint8_t *) &of,
                      sizeof(of), hash);

    (void) ngx_hex_dump(nonce, (u_char *) hash, sizeof(hash));
}


static ngx_int_t
ngx_http_guardrail_add_policy(ngx_http_request_t *r,
    ngx_http_guardrail_out_t *out)
{
    u_char            *p;
    ngx_str_t          value;

    static ngx_str_t   name = ngx_string("Content-Security-Policy");
    static const char  policy[] = NGX_HTTP_GUARDRAIL_PAGE_CSP("%V");

    p = ngx_pnalloc(r->pool, sizeof(policy) + 3 * NGX_HTTP_GUARDRAIL_NONCE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->nonce.data = p;
    out->nonce.len = NGX_HTTP_GUARDRAIL_NONCE;

    ngx_http_guardrail_make_nonce(r, p);

    value.data = p + NGX_HTTP_GUARDRAIL_NONCE;
    value.len = (size_t) (ngx_sprintf(value.data, policy, &out->nonce,
                                      &out->nonce)
                          - value.data);

    return ngx_http_guardrail_add_header(r, &name, &value);
}


static ngx_int_t
ngx_http_guardrail_send(ngx_http_request_t *r, ngx_http_guardrail_out_t *out)
{
    off_t         length;
    ngx_int_t     rc;
    ngx_uint_t    i;
    ngx_chain_t  *cl;

    static ngx_str_t  names[] = {
        ngx_string("Cache-Control"),
        ngx_string("X-Content-Type-Options"),
        ngx_string("Vary")
    };

    static ngx_str_t  values[] = {
        ngx_string("no-store"),
        ngx_string("nosniff"),
        ngx_string("Accept")
    };

    if (out->failed || out->buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out->buf->last = (u_char *) out->f.pos;
    out->buf->last_buf = (r == r->main);
    out->buf->last_in_chain = 1;

    for (length = 0, cl = out->chain; cl; cl = cl->next) {
        length += cl->buf->last - cl->buf->pos;
    }

    for (i = 0; i < 3; i++) {
        if (ngx_http_guardrail_add_header(r, &names[i], &values[i])
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = length;
    r->headers_out.content_type = ngx_http_guardrail_types[out->media];

    /* without its parameters: no charset is added then */

    r->headers_out.content_type_len = strcspn(
                             (char *) ngx_http_guardrail_types[out->media].data,
                             ";");
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out->chain);
}
