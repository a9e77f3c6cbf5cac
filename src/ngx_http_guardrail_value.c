
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Values of directives that may contain variables: how they are read, at
 * configuration time and for a request.
 */


#include "ngx_http_guardrail_module.h"


/* decoded bytes, where neither max_decoded nor max_body says more */

#define NGX_HTTP_GUARDRAIL_MAX_DECODED  (1024 * 1024 * 1024)

#define NGX_HTTP_GUARDRAIL_VALUE_TEXT   64      /* bytes of it in the log */


static GUARDRAIL_APART ngx_int_t ngx_http_guardrail_eval_all(
    ngx_http_request_t *r, ngx_http_guardrail_loc_conf_t *glcf,
    ngx_uint_t mode, ngx_uint_t constant, guardrail_body_limits_t *limits);
static ngx_int_t ngx_http_guardrail_parse_mode(ngx_str_t *text, uint64_t *n);
static ngx_int_t ngx_http_guardrail_eval(ngx_http_request_t *r,
    ngx_http_guardrail_value_t *value, ngx_http_guardrail_kind_e kind,
    const char *name, ngx_uint_t mode, ngx_uint_t constant, uint64_t *n);


char *
ngx_http_guardrail_compile_value(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text, ngx_http_guardrail_kind_e kind,
    ngx_http_guardrail_value_t *value)
{
    ngx_http_complex_value_t           cv;
    ngx_http_compile_complex_value_t   ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = &cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    value->set = 1;

    if (cv.lengths) {
        value->cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (value->cv == NULL) {
            return NGX_CONF_ERROR;
        }

        *value->cv = cv;

        return NGX_CONF_OK;
    }

    value->cv = NULL;

    if (ngx_http_guardrail_parse_value(text, kind, &value->n) == NGX_OK) {
        return NGX_CONF_OK;
    }

    switch (kind) {

    case ngx_http_guardrail_mode:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it must "
                           "be \"on\", \"off\" or \"dry_run\"", text, name);
        break;

    case ngx_http_guardrail_number:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"%V\" directive",
                           text, name);
        break;

    default: /* ngx_http_guardrail_size, ngx_http_guardrail_floor */
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in \"%V\" directive",
                           text, name);
    }

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_guardrail_parse_value(ngx_str_t *text,
    ngx_http_guardrail_kind_e kind, uint64_t *n)
{
    off_t      value;
    uint64_t   zero;
    ngx_str_t  s;

    if (kind == ngx_http_guardrail_mode) {
        return ngx_http_guardrail_parse_mode(text, n);
    }

    /* a floor of 0 judges from the first byte on */

    zero = (kind == ngx_http_guardrail_floor) ? 0 : GUARDRAIL_NO_LIMIT;

    s = *text;

    if (s.len == 3 && ngx_strncmp(s.data, "off", 3) == 0) {
        *n = zero;
        return NGX_OK;
    }

    if (s.len == 0 || s.data[0] < '0' || s.data[0] > '9') {
        return NGX_ERROR;
    }

    value = (kind == ngx_http_guardrail_number) ? ngx_atoof(s.data, s.len)
                                                : ngx_parse_offset(&s);

    if (value == NGX_ERROR) {
        return NGX_ERROR;
    }

    *n = (value == 0) ? zero : (uint64_t) value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_parse_mode(ngx_str_t *text, uint64_t *n)
{
    if (text->len == 2 && ngx_strncmp(text->data, "on", 2) == 0) {
        *n = NGX_HTTP_GUARDRAIL_ON;
        return NGX_OK;
    }

    if (text->len == 3 && ngx_strncmp(text->data, "off", 3) == 0) {
        *n = NGX_HTTP_GUARDRAIL_OFF;
        return NGX_OK;
    }

    if (text->len == 7 && ngx_strncmp(text->data, "dry_run", 7) == 0) {
        *n = NGX_HTTP_GUARDRAIL_DRY_RUN;
        return NGX_OK;
    }

    return NGX_ERROR;
}


void
ngx_http_guardrail_merge_value(ngx_http_guardrail_value_t *conf,
    ngx_http_guardrail_value_t *prev, uint64_t n)
{
    if (conf->set) {
        return;
    }

    if (prev->set) {
        *conf = *prev;
        return;
    }

    conf->n = n;
}


ngx_int_t
ngx_http_guardrail_eval_mode(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_uint_t *mode)
{
    uint64_t   n;
    ngx_str_t  s;

    if (glcf->mode.cv == NULL) {
        *mode = (ngx_uint_t) glcf->mode.n;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, glcf->mode.cv, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_guardrail_parse_mode(&s, &n) != NGX_OK) {
        n = NGX_HTTP_GUARDRAIL_ON;
    }

    *mode = (ngx_uint_t) n;

    return NGX_OK;
}


void
ngx_http_guardrail_fix_limits(ngx_http_guardrail_loc_conf_t *glcf)
{
    if (glcf->max_body.cv || glcf->max_decoded.cv || glcf->ratio.cv
        || glcf->ratio_floor.cv || glcf->max_records.cv
        || glcf->max_record_size.cv || glcf->max_memory.cv)
    {
        return;
    }

    /* without variables no request is needed, and nothing can fail */

    (void) ngx_http_guardrail_eval_limits(NULL, glcf, NGX_HTTP_GUARDRAIL_ON,
                                          1, &glcf->limits);
    glcf->fixed = 1;
}


ngx_int_t
ngx_http_guardrail_eval_limits(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_uint_t mode, ngx_uint_t constant,
    guardrail_body_limits_t *limits)
{
    if (glcf->fixed) {
        *limits = glcf->limits;
        return NGX_OK;
    }

    return ngx_http_guardrail_eval_all(r, glcf, mode, constant, limits);
}


static ngx_int_t
ngx_http_guardrail_eval_all(ngx_http_request_t *r,
    ngx_http_guardrail_loc_conf_t *glcf, ngx_uint_t mode, ngx_uint_t constant,
    guardrail_body_limits_t *limits)
{
    ngx_int_t  rc;

    /* padding too: limits are compared as bytes */

    ngx_memzero(limits, sizeof(guardrail_body_limits_t));

    rc = ngx_http_guardrail_eval(r, &glcf->ratio, ngx_http_guardrail_number,
                                 "guardrail_max_ratio", mode, constant,
                                 &limits->ratio);

    rc |= ngx_http_guardrail_eval(r, &glcf->ratio_floor,
                                  ngx_http_guardrail_floor,
                                  "guardrail_max_ratio", mode, constant,
                                  &limits->ratio_floor);

    rc |= ngx_http_guardrail_eval(r, &glcf->max_records,
                                  ngx_http_guardrail_number,
                                  "guardrail_max_records", mode, constant,
                                  &limits->max_records);

    rc |= ngx_http_guardrail_eval(r, &glcf->max_record_size,
                                  ngx_http_guardrail_size,
                                  "guardrail_max_record_size", mode, constant,
                                  &limits->max_record_size);

    rc |= ngx_http_guardrail_eval(r, &glcf->max_memory,
                                  ngx_http_guardrail_size,
                                  "guardrail_max_memory", mode, constant,
                                  &limits->max_memory);

    limits->memory_factor = glcf->memory_factor;
    limits->per_record = (unsigned) glcf->per_record;

    if (glcf->json) {
        limits->json = *glcf->json;
    }

    limits->json.lines = (glcf->format == NGX_HTTP_GUARDRAIL_FORMAT_NDJSON);

    if (glcf->max_body.set) {
        rc |= ngx_http_guardrail_eval(r, &glcf->max_body,
                                      ngx_http_guardrail_size,
                                      "guardrail_max_body", mode, constant,
                                      &limits->max_body);

    } else {
        limits->max_body = glcf->client_max_body_size
                           ? (uint64_t) glcf->client_max_body_size
                           : GUARDRAIL_NO_LIMIT;
    }

    if (glcf->max_decoded.set) {
        rc |= ngx_http_guardrail_eval(r, &glcf->max_decoded,
                                      ngx_http_guardrail_size,
                                      "guardrail_max_decoded", mode, constant,
                                      &limits->max_decoded);

    } else if (limits->max_body != GUARDRAIL_NO_LIMIT) {
        limits->max_decoded = limits->max_body;

    } else if (constant && glcf->max_body.cv) {
        limits->max_decoded = GUARDRAIL_NO_LIMIT;

    } else {
        limits->max_decoded = NGX_HTTP_GUARDRAIL_MAX_DECODED;
    }

    return rc ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_eval(ngx_http_request_t *r,
    ngx_http_guardrail_value_t *value, ngx_http_guardrail_kind_e kind,
    const char *name, ngx_uint_t mode, ngx_uint_t constant, uint64_t *n)
{
    ngx_str_t  s;

    if (value->cv == NULL) {
        *n = value->n;
        return NGX_OK;
    }

    *n = GUARDRAIL_NO_LIMIT;

    if (constant) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, value->cv, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_guardrail_parse_value(&s, kind, n) == NGX_OK) {
        return NGX_OK;
    }

    ngx_http_guardrail_say_unreadable(r, &value->cv->value, name, &s);

    return (mode == NGX_HTTP_GUARDRAIL_DRY_RUN) ? NGX_OK : NGX_ERROR;
}


void
ngx_http_guardrail_say_unreadable(ngx_http_request_t *r, ngx_str_t *source,
    const char *name, ngx_str_t *value)
{
    char             text[NGX_HTTP_GUARDRAIL_VALUE_TEXT];
    guardrail_fmt_t  f;

    /* a client may be able to choose the value, and must not flood the log */

    if (!ngx_http_guardrail_log_allowed(NGX_HTTP_GUARDRAIL_LOG_VALUE)) {
        return;
    }

    guardrail_fmt_init(&f, text, sizeof(text));
    guardrail_fmt_printable(&f, (char *) value->data, value->len);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "guardrail: \"%*s\", the value of \"%V\" in \"%s\", %s",
                  (size_t) (f.pos - text), text, source, name,
                  value->len ? "cannot be read" : "is empty");
}


off_t
ngx_http_guardrail_early_bound(ngx_http_guardrail_loc_conf_t *glcf)
{
    if (glcf->mode.cv == NULL
        && glcf->mode.n == NGX_HTTP_GUARDRAIL_DRY_RUN)
    {
        return glcf->client_max_body_size;
    }

    if (glcf->max_body.set && glcf->max_body.cv == NULL) {
        return (glcf->max_body.n == GUARDRAIL_NO_LIMIT)
               ? 0 : (off_t) glcf->max_body.n;
    }

    return glcf->client_max_body_size;
}
