
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_types: which Content-Types are accepted.
 */


#include "ngx_http_guardrail_module.h"


typedef struct {
    ngx_str_t     name;

#if (NGX_PCRE)
    ngx_regex_t  *regex;                /* of the whole type, or NULL */
#endif
} ngx_http_guardrail_type_t;


static ngx_int_t ngx_http_guardrail_type_name(ngx_str_t *name);
static char *ngx_http_guardrail_type_regex(ngx_conf_t *cf,
    ngx_http_guardrail_type_t *type, ngx_str_t *pattern);


char *
ngx_http_guardrail_set_types(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                      *value, pattern;
    ngx_uint_t                      i;
    ngx_http_guardrail_type_t      *type;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->types) {
        return "is duplicate";
    }

    value = cf->args->elts;

    glcf->types = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                   sizeof(ngx_http_guardrail_type_t));
    if (glcf->types == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        type = ngx_array_push(glcf->types);
        if (type == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(type, sizeof(ngx_http_guardrail_type_t));

        if (value[i].len > 1 && value[i].data[0] == '~') {
            pattern.data = value[i].data + 1;
            pattern.len = value[i].len - 1;

            if (ngx_http_guardrail_type_regex(cf, type, &pattern)
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_http_guardrail_type_name(&value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid type \"%V\" in \"%V\" directive, it "
                               "must be as \"application/json\", without "
                               "parameters, or \"~regex\"", &value[i],
                               &value[0]);
            return NGX_CONF_ERROR;
        }

        type->name = value[i];
    }

    return NGX_CONF_OK;
}


/*
 * RFC 9110, 8.3.1: type "/" subtype, both of them tokens.  The asterisk is one
 * of a token's characters, but no registered type has it (RFC 6838, 4.2): who
 * writes it means any, and would accept none.
 */

static ngx_int_t
ngx_http_guardrail_type_name(ngx_str_t *name)
{
    u_char      *p, *last;
    ngx_uint_t   slashes;

    slashes = 0;
    last = name->data + name->len;

    for (p = name->data; p < last; p++) {

        if (*p == '/') {
            slashes++;
            continue;
        }

        if (*p <= 0x20 || *p >= 0x7f || ngx_strchr("*(),:;<=>?@[\\]{}\"", *p)) {
            return NGX_DECLINED;
        }
    }

    if (slashes != 1 || name->data[0] == '/' || last[-1] == '/') {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static char *
ngx_http_guardrail_type_regex(ngx_conf_t *cf, ngx_http_guardrail_type_t *type,
    ngx_str_t *pattern)
{
#if (NGX_PCRE)
    u_char               errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t  rc;

    static ngx_str_t  start = ngx_string("(*LIMIT_MATCH=10000)^(?:");
    static ngx_str_t  end = ngx_string(")\\z");

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern.len = start.len + pattern->len + end.len;
    rc.pattern.data = ngx_pnalloc(cf->pool, rc.pattern.len + 1);

    if (rc.pattern.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(rc.pattern.data, "%V%V%V%Z", &start, pattern, &end);

    rc.pool = cf->pool;
    rc.options = NGX_REGEX_CASELESS;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid pattern \"%V\" in \"guardrail_types\" "
                           "directive: %V", pattern, &rc.err);
        return NGX_CONF_ERROR;
    }

    type->regex = rc.regex;

    return NGX_CONF_OK;
#else
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "a pattern in \"guardrail_types\" directive requires "
                       "nginx with the PCRE2 library");
    return NGX_CONF_ERROR;
#endif
}


ngx_int_t
ngx_http_guardrail_match_type(ngx_array_t *types, ngx_str_t *type)
{
    ngx_uint_t                  i;
    ngx_http_guardrail_type_t  *t;

    t = types->elts;

    for (i = 0; i < types->nelts; i++) {

#if (NGX_PCRE)
        if (t[i].regex) {

            if (ngx_regex_exec(t[i].regex, type, NULL, 0) >= 0) {
                return NGX_OK;
            }

            continue;
        }
#endif

        if (t[i].name.len == type->len
            && ngx_strncasecmp(t[i].name.data, type->data, type->len) == 0)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
