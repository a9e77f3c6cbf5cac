
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_json: the shape that JSON may have.
 */


#include "ngx_http_guardrail_module.h"


typedef struct {
    ngx_str_t                  name;
    ngx_http_guardrail_kind_e  kind;
    size_t                     offset;
} ngx_http_guardrail_json_param_t;


static char *ngx_http_guardrail_json_param(ngx_conf_t *cf,
    guardrail_body_json_t *json, ngx_str_t *value, ngx_uint_t *seen);
static ngx_int_t ngx_http_guardrail_json_seen(ngx_conf_t *cf,
    ngx_str_t *value, ngx_uint_t *seen, ngx_uint_t n);


static ngx_http_guardrail_json_param_t  ngx_http_guardrail_json_params[] = {

    { ngx_string("depth="), ngx_http_guardrail_number,
      offsetof(guardrail_body_json_t, depth) },

    { ngx_string("keys="), ngx_http_guardrail_number,
      offsetof(guardrail_body_json_t, keys) },

    { ngx_string("items="), ngx_http_guardrail_number,
      offsetof(guardrail_body_json_t, items) },

    { ngx_string("tokens="), ngx_http_guardrail_number,
      offsetof(guardrail_body_json_t, tokens) },

    { ngx_string("key="), ngx_http_guardrail_size,
      offsetof(guardrail_body_json_t, key) },

    { ngx_string("string="), ngx_http_guardrail_size,
      offsetof(guardrail_body_json_t, string) },

    { ngx_string("number="), ngx_http_guardrail_number,
      offsetof(guardrail_body_json_t, number) },

    { ngx_null_string, ngx_http_guardrail_number, 0 }
};


char *
ngx_http_guardrail_set_json(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                      *value;
    ngx_uint_t                      i, seen;
    guardrail_body_json_t          *json;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->json) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts < 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive must have a parameter, or be "
                           "\"off\"", &value[0]);
        return NGX_CONF_ERROR;
    }

    json = ngx_pcalloc(cf->pool, sizeof(guardrail_body_json_t));
    if (json == NULL) {
        return NGX_CONF_ERROR;
    }

    json->depth = GUARDRAIL_NO_LIMIT;
    json->keys = GUARDRAIL_NO_LIMIT;
    json->items = GUARDRAIL_NO_LIMIT;
    json->tokens = GUARDRAIL_NO_LIMIT;
    json->key = GUARDRAIL_NO_LIMIT;
    json->string = GUARDRAIL_NO_LIMIT;
    json->number = GUARDRAIL_NO_LIMIT;

    glcf->json = json;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    seen = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_guardrail_json_param(cf, json, &value[i], &seen)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    json->shape = json->strict
                  || json->depth != GUARDRAIL_NO_LIMIT
                  || json->keys != GUARDRAIL_NO_LIMIT
                  || json->items != GUARDRAIL_NO_LIMIT
                  || json->tokens != GUARDRAIL_NO_LIMIT
                  || json->key != GUARDRAIL_NO_LIMIT
                  || json->string != GUARDRAIL_NO_LIMIT
                  || json->number != GUARDRAIL_NO_LIMIT;

    if ((json->keys != GUARDRAIL_NO_LIMIT || json->items != GUARDRAIL_NO_LIMIT)
        && json->depth != GUARDRAIL_NO_LIMIT
        && json->depth > GUARDRAIL_JSON_MAX_COUNTED)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"depth\" of \"%V\" is at most %d where \"keys\" "
                           "or \"items\" are limited", &value[0],
                           GUARDRAIL_JSON_MAX_COUNTED);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_guardrail_json_param(ngx_conf_t *cf, guardrail_body_json_t *json,
    ngx_str_t *value, ngx_uint_t *seen)
{
    char                             *p;
    uint64_t                          n;
    ngx_str_t                         s;
    ngx_uint_t                        i, on;
    ngx_http_guardrail_json_param_t  *param;

    param = ngx_http_guardrail_json_params;

    for (i = 0; param[i].name.len; i++) {

        if (value->len <= param[i].name.len
            || ngx_strncmp(value->data, param[i].name.data, param[i].name.len)
               != 0)
        {
            continue;
        }

        if (ngx_http_guardrail_json_seen(cf, value, seen, i) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        s.data = value->data + param[i].name.len;
        s.len = value->len - param[i].name.len;

        if (ngx_http_guardrail_parse_value(&s, param[i].kind, &n) != NGX_OK) {
            break;
        }

        p = (char *) json + param[i].offset;
        *(uint64_t *) (void *) p = n;

        return NGX_CONF_OK;
    }

    on = (ngx_strcmp(value->data, "strict=on") == 0);

    if (on || ngx_strcmp(value->data, "strict=off") == 0) {

        /* its bit is the one behind those of the table */

        if (ngx_http_guardrail_json_seen(cf, value, seen, i) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        json->strict = on;

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"guardrail_json\" "
                       "directive", value);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_guardrail_json_seen(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t *seen, ngx_uint_t n)
{
    if (*seen & ((ngx_uint_t) 1 << n)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate parameter \"%V\" in "
                           "\"guardrail_json\" directive", value);
        return NGX_ERROR;
    }

    *seen |= (ngx_uint_t) 1 << n;

    return NGX_OK;
}
