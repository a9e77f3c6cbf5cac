
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Directives of limits.
 */


#include "ngx_http_guardrail_module.h"


char *
ngx_http_guardrail_set_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                   *value;
    ngx_http_guardrail_kind_e   *kind;
    ngx_http_guardrail_value_t  *v;

    v = (ngx_http_guardrail_value_t *) (void *) (p + cmd->offset);

    if (v->set) {
        return "is duplicate";
    }

    value = cf->args->elts;
    kind = cmd->post;

    return ngx_http_guardrail_compile_value(cf, &value[0], &value[1], *kind, v);
}


/* ngx_conf_set_enum_slot() does not say in which directive a value is wrong */

char *
ngx_http_guardrail_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t        *value;
    ngx_uint_t       *np;
    ngx_conf_enum_t  *e;

    np = (ngx_uint_t *) (void *) (p + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (e = cmd->post; e->name.len; e++) {

        if (e->name.len == value[1].len
            && ngx_strcasecmp(e->name.data, value[1].data) == 0)
        {
            *np = e->value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive",
                       &value[1], &value[0]);

    return NGX_CONF_ERROR;
}


/* nor does ngx_conf_set_msec_slot(), which value; and "off" is no limit */

char *
ngx_http_guardrail_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t   *value;
    ngx_int_t    n;
    ngx_msec_t  *msp;

    msp = (ngx_msec_t *) (void *) (p + cmd->offset);

    if (*msp != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        *msp = 0;
        return NGX_CONF_OK;
    }

    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\" directive",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    *msp = (ngx_msec_t) n;

    return NGX_CONF_OK;
}


char *
ngx_http_guardrail_set_ratio(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    ngx_str_t                      *value, floor;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->ratio.set) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_http_guardrail_compile_value(cf, &value[0], &value[1],
                                    ngx_http_guardrail_number, &glcf->ratio);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (glcf->ratio.cv == NULL
        && glcf->ratio.n != GUARDRAIL_NO_LIMIT
        && glcf->ratio.n >= NGX_HTTP_GUARDRAIL_MAX_DEFLATE_RATIO)
    {
        glcf->ratio_large = 1;
    }

    glcf->ratio_floor.set = 1;
    glcf->ratio_floor.n = NGX_HTTP_GUARDRAIL_RATIO_FLOOR;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (value[2].len <= 6 || ngx_strncmp(value[2].data, "floor=", 6) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\" directive, "
                           "it must be \"floor=size\"", &value[2], &value[0]);
        return NGX_CONF_ERROR;
    }

    floor.len = value[2].len - 6;
    floor.data = value[2].data + 6;

    return ngx_http_guardrail_compile_value(cf, &value[0], &floor,
                                            ngx_http_guardrail_floor,
                                            &glcf->ratio_floor);
}


char *
ngx_http_guardrail_set_encodings(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                      *value;
    ngx_uint_t                      i, mask;
    guardrail_coding_e              coding;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->encodings != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    mask = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (cf->args->nelts == 2 && ngx_strcmp(value[i].data, "none") == 0) {
            break;
        }

        if (ngx_strcmp(value[i].data, "gzip") == 0) {
            coding = GUARDRAIL_CODING_GZIP;

        } else if (ngx_strcmp(value[i].data, "deflate") == 0) {
            coding = GUARDRAIL_CODING_DEFLATE;

        } else if (ngx_strcmp(value[i].data, "br") == 0) {
            coding = GUARDRAIL_CODING_BR;

        } else if (ngx_strcmp(value[i].data, "zstd") == 0) {
            coding = GUARDRAIL_CODING_ZSTD;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid encoding \"%V\" in \"%V\" directive, "
                               "it must be \"gzip\", \"deflate\", \"br\" or "
                               "\"zstd\", or \"none\" alone",
                               &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        if (guardrail_codec_get(coding) == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in \"%V\" directive is not supported "
                               "by this build of the module",
                               &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        if (mask & coding) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate encoding \"%V\" in \"%V\" "
                               "directive", &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        mask |= coding;
    }

    glcf->encodings = mask;

    return NGX_CONF_OK;
}


char *
ngx_http_guardrail_set_label(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                      *value;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->label.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty name in \"%V\" directive", &value[0]);
        return NGX_CONF_ERROR;
    }

    glcf->label = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_guardrail_set_decoder_memory(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    uint64_t                         n;
    ngx_str_t                       *value;
    ngx_http_guardrail_main_conf_t  *gmcf = conf;

    if (gmcf->decoder_memory != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_guardrail_parse_value(&value[1], ngx_http_guardrail_size, &n)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in \"%V\" directive",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    gmcf->decoder_memory = (n == GUARDRAIL_NO_LIMIT) ? 0 : (size_t) n;

    return NGX_CONF_OK;
}


char *
ngx_http_guardrail_set_memory_model(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_int_t                       n;
    ngx_str_t                      *value;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    if (glcf->memory_factor != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "cpython") == 0) {
        glcf->memory_factor = 0;
        glcf->per_record = 0;

        if (cf->args->nelts == 2) {
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(value[2].data, "per=record") == 0) {
            glcf->per_record = 1;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(value[2].data, "per=body") == 0) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\" directive, it "
                           "must be \"per=body\" or \"per=record\"",
                           &value[2], &value[0]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "parameter \"%V\" in \"%V\" directive is only for "
                           "\"cpython\"", &value[2], &value[0]);
        return NGX_CONF_ERROR;
    }

    n = ngx_atofp(value[1].data, value[1].len, 3);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid model \"%V\" in \"%V\" directive, it must "
                           "be \"cpython\", or a factor with at most three "
                           "decimals, as \"28\" or \"1.5\"", &value[1],
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    glcf->memory_factor = (ngx_uint_t) n;
    glcf->per_record = 0;

    return NGX_CONF_OK;
}
