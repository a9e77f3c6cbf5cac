
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_max_arg, guardrail_max_window: what a request without a body may
 * ask for.
 */


#include "ngx_http_guardrail_module.h"

#include "args/guardrail_args.h"


typedef struct {
    ngx_str_t    name;
    uint64_t     max;
    ngx_uint_t   required;
} ngx_http_guardrail_arg_t;


typedef struct {
    ngx_str_t    from;
    ngx_str_t    to;
    uint64_t     max;                  /* milliseconds */
} ngx_http_guardrail_window_t;


static ngx_int_t ngx_http_guardrail_say_arg(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, guardrail_arg_rc_e rc, const char *what,
    ngx_str_t *name, ngx_str_t *other);


char *
ngx_http_guardrail_set_max_arg(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    off_t                           n;
    ngx_str_t                      *value;
    ngx_http_guardrail_arg_t       *arg;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    value = cf->args->elts;

    if (glcf->args == NULL) {
        glcf->args = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_guardrail_arg_t));
        if (glcf->args == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    arg = ngx_array_push(glcf->args);
    if (arg == NULL) {
        return NGX_CONF_ERROR;
    }

    n = ngx_atoof(value[2].data, value[2].len);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"%V\" directive",
                           &value[2], &value[0]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 4 && ngx_strcmp(value[3].data, "required") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\" directive, it "
                           "must be \"required\"", &value[3], &value[0]);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty name in \"%V\" directive", &value[0]);
        return NGX_CONF_ERROR;
    }

    arg->name = value[1];
    arg->max = n ? (uint64_t) n : GUARDRAIL_NO_LIMIT;
    arg->required = (cf->args->nelts == 4);

    return NGX_CONF_OK;
}


char *
ngx_http_guardrail_set_max_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_int_t                       n;
    ngx_str_t                      *value;
    ngx_http_guardrail_window_t    *w;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    value = cf->args->elts;

    if (glcf->windows == NULL) {
        glcf->windows = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_http_guardrail_window_t));
        if (glcf->windows == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    w = ngx_array_push(glcf->windows);
    if (w == NULL) {
        return NGX_CONF_ERROR;
    }

    n = ngx_parse_time(&value[3], 0);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\" directive",
                           &value[3], &value[0]);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 0 || value[2].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty name in \"%V\" directive", &value[0]);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == value[2].len
        && ngx_strncasecmp(value[1].data, value[2].data, value[1].len) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "both ends are \"%V\" in \"%V\" directive",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    w->from = value[1];
    w->to = value[2];
    w->max = n ? (uint64_t) n : GUARDRAIL_NO_LIMIT;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_guardrail_judge_args(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_http_guardrail_loc_conf_t *glcf)
{
    uint64_t                      observed;
    ngx_uint_t                    i;
    guardrail_arg_rc_e            rc;
    ngx_http_guardrail_arg_t     *arg;
    ngx_http_guardrail_window_t  *w;

    arg = glcf->args ? glcf->args->elts : NULL;

    for (i = 0; arg && i < glcf->args->nelts; i++) {

        rc = guardrail_arg_number(r->args.data, r->args.len,
                                  arg[i].name.data, arg[i].name.len,
                                  arg[i].max, (unsigned) arg[i].required,
                                  &observed);

        if (rc != GUARDRAIL_ARG_OK) {
            ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_ARG, arg[i].max,
                                           observed);
            return ngx_http_guardrail_say_arg(r, ctx, rc, "the argument",
                                              &arg[i].name, NULL);
        }
    }

    w = glcf->windows ? glcf->windows->elts : NULL;

    for (i = 0; w && i < glcf->windows->nelts; i++) {

        rc = guardrail_arg_window(r->args.data, r->args.len,
                                  w[i].from.data, w[i].from.len,
                                  w[i].to.data, w[i].to.len, w[i].max,
                                  &observed);

        if (rc != GUARDRAIL_ARG_OK) {
            ngx_http_guardrail_set_verdict(ctx, GUARDRAIL_MAX_WINDOW,
                                           w[i].max / 1000,
                                           observed / 1000
                                           + (observed % 1000 != 0));
            return ngx_http_guardrail_say_arg(r, ctx, rc, "the window of",
                                              &w[i].from, &w[i].to);
        }
    }

    return NGX_OK;
}


/* the names are the configuration's, nothing is the client's */

static ngx_int_t
ngx_http_guardrail_say_arg(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, guardrail_arg_rc_e rc, const char *what,
    ngx_str_t *name, ngx_str_t *other)
{
    size_t   len;
    u_char  *p;

    ctx->unnumbered = (rc != GUARDRAIL_ARG_LARGE);

    len = ngx_strlen(what) + name->len + (other ? other->len : 0)
          + ngx_strlen(guardrail_arg_error(rc, other != NULL))
          + sizeof(" \"\" and \"\" \0");

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        ctx->error = "an argument is not accepted";
        return NGX_DECLINED;
    }

    ctx->error = (char *) p;

    if (other) {
        ngx_sprintf(p, "%s \"%V\" and \"%V\" %s%Z", what, name, other,
                    guardrail_arg_error(rc, 1));
    } else {
        ngx_sprintf(p, "%s \"%V\" %s%Z", what, name,
                    guardrail_arg_error(rc, 0));
    }

    return NGX_DECLINED;
}
