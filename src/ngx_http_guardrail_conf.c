
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_RATIO              200
#define NGX_HTTP_GUARDRAIL_DECODER_MEMORY     (256 * 1024 * 1024)


static ngx_int_t ngx_http_guardrail_check_decode(ngx_conf_t *cf,
    ngx_http_guardrail_loc_conf_t *conf);
static ngx_uint_t ngx_http_guardrail_estimates(
    ngx_http_guardrail_loc_conf_t *conf);
static void ngx_http_guardrail_warn(ngx_conf_t *cf,
    ngx_http_guardrail_loc_conf_t *conf);


static ngx_http_guardrail_kind_e  ngx_http_guardrail_kinds[] = {
    ngx_http_guardrail_size,
    ngx_http_guardrail_number,
    ngx_http_guardrail_mode
};


static ngx_conf_enum_t  ngx_http_guardrail_formats[] = {
    { ngx_string("auto"), NGX_HTTP_GUARDRAIL_FORMAT_AUTO },
    { ngx_string("none"), NGX_HTTP_GUARDRAIL_FORMAT_NONE },
    { ngx_string("ndjson"), NGX_HTTP_GUARDRAIL_FORMAT_NDJSON },
    { ngx_string("json"), NGX_HTTP_GUARDRAIL_FORMAT_JSON },
    { ngx_string("json_seq"), NGX_HTTP_GUARDRAIL_FORMAT_SEQ },
    { ngx_string("csv"), NGX_HTTP_GUARDRAIL_FORMAT_CSV },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_guardrail_error_formats[] = {
    { ngx_string("problem"), NGX_HTTP_GUARDRAIL_ERROR_PROBLEM },
    { ngx_string("nginx"), NGX_HTTP_GUARDRAIL_ERROR_NGINX },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_guardrail_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


ngx_command_t  ngx_http_guardrail_commands[] = {

    { ngx_string("guardrail"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, mode),
      &ngx_http_guardrail_kinds[ngx_http_guardrail_mode] },

    { ngx_string("guardrail_buffering"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, buffering),
      NULL },

    { ngx_string("guardrail_max_body"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, max_body),
      &ngx_http_guardrail_kinds[ngx_http_guardrail_size] },

    { ngx_string("guardrail_max_decoded"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, max_decoded),
      &ngx_http_guardrail_kinds[ngx_http_guardrail_size] },

    { ngx_string("guardrail_max_ratio"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE12,
      ngx_http_guardrail_set_ratio,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_encodings"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_1MORE,
      ngx_http_guardrail_set_encodings,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_decode"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, decode),
      NULL },

    { ngx_string("guardrail_format"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, format),
      &ngx_http_guardrail_formats },

    { ngx_string("guardrail_max_records"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, max_records),
      &ngx_http_guardrail_kinds[ngx_http_guardrail_number] },

    { ngx_string("guardrail_max_record_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, max_record_size),
      &ngx_http_guardrail_kinds[ngx_http_guardrail_size] },

    { ngx_string("guardrail_json"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_ANY,
      ngx_http_guardrail_set_json,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_max_memory"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, max_memory),
      &ngx_http_guardrail_kinds[ngx_http_guardrail_size] },

    { ngx_string("guardrail_decoder_memory"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_guardrail_set_decoder_memory,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_error_format"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, error_format),
      &ngx_http_guardrail_error_formats },

    { ngx_string("guardrail_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, log_level),
      &ngx_http_guardrail_log_levels },

    { ngx_string("guardrail_label"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_label,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, label),
      NULL },

    { ngx_string("guardrail_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_guardrail_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_tenant"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1234,
      ngx_http_guardrail_set_tenant,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_secret"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_guardrail_set_secret,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_guardrail_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_quota"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_2MORE,
      ngx_http_guardrail_set_quota,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, headers),
      NULL },

    { ngx_string("guardrail_memory_model"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE12,
      ngx_http_guardrail_set_memory_model,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_max_arg"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE23,
      ngx_http_guardrail_set_max_arg,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_max_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE3,
      ngx_http_guardrail_set_max_window,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_types"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_1MORE,
      ngx_http_guardrail_set_types,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_min_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE12,
      ngx_http_guardrail_set_min_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("guardrail_body_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_guardrail_set_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_guardrail_loc_conf_t, body_timeout),
      NULL },

    ngx_null_command
};


void *
ngx_http_guardrail_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_guardrail_main_conf_t));
    if (gmcf == NULL) {
        return NULL;
    }

    gmcf->decoder_memory = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&gmcf->zones, cf->pool, 4,
                       sizeof(ngx_http_guardrail_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&gmcf->series, cf->pool, 4,
                       sizeof(ngx_http_guardrail_series_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&gmcf->pages, cf->pool, 1,
                       sizeof(ngx_http_guardrail_page_t))
        != NGX_OK)
    {
        return NULL;
    }

    return gmcf;
}


char *
ngx_http_guardrail_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_guardrail_main_conf_t *gmcf = conf;

    ngx_str_t   name = ngx_string("request_id");
    ngx_uint_t  i;

    static ngx_str_t  of_body[NGX_HTTP_GUARDRAIL_OF_BODY] = {
        ngx_string("content_length"),
        ngx_string("http_content_length"),
        ngx_string("http_transfer_encoding"),
        ngx_string("http_content_encoding"),
        ngx_string("http_content_md5"),
        ngx_string("http_digest"),
        ngx_string("http_content_digest"),
        ngx_string("http_repr_digest"),
        ngx_string("request_body"),
        ngx_string("request_body_file")
    };

    ngx_conf_init_size_value(gmcf->decoder_memory,
                             NGX_HTTP_GUARDRAIL_DECODER_MEMORY);

    if (gmcf->secret_from == ngx_http_guardrail_secret_unset
        && ngx_http_guardrail_secret_from == ngx_http_guardrail_secret_random)
    {
        /* a reload keeps it */

        ngx_memcpy(gmcf->secret, ngx_http_guardrail_secret,
                   GUARDRAIL_SIPHASH_KEY);
        gmcf->secret_from = ngx_http_guardrail_secret_random;
    }

    /* indexed, so that the answer and the access log show the same one */

    gmcf->request_id = ngx_http_get_variable_index(cf, &name);

    if (gmcf->request_id == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < NGX_HTTP_GUARDRAIL_OF_BODY; i++) {
        gmcf->of_body[i] = ngx_http_get_variable_index(cf, &of_body[i]);

        if (gmcf->of_body[i] == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void *
ngx_http_guardrail_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_guardrail_loc_conf_t  *glcf;

    /*
     * set by ngx_pcalloc():
     *
     *     the values: not set
     *     glcf->label = { 0, NULL };
     *     glcf->series = NULL;
     *     glcf->tenant = NULL;
     *     glcf->quotas = NULL;
     *     glcf->client_max_body_size = 0;
     */

    glcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_guardrail_loc_conf_t));
    if (glcf == NULL) {
        return NULL;
    }

    glcf->buffering = NGX_CONF_UNSET;
    glcf->decode = NGX_CONF_UNSET;
    glcf->encodings = NGX_CONF_UNSET_UINT;
    glcf->format = NGX_CONF_UNSET_UINT;
    glcf->log_level = NGX_CONF_UNSET_UINT;
    glcf->error_format = NGX_CONF_UNSET_UINT;
    glcf->headers = NGX_CONF_UNSET;
    glcf->memory_factor = NGX_CONF_UNSET_UINT;
    glcf->per_record = NGX_CONF_UNSET_UINT;
    glcf->min_rate = NGX_CONF_UNSET_UINT;
    glcf->min_rate_grace = NGX_CONF_UNSET_MSEC;
    glcf->body_timeout = NGX_CONF_UNSET_MSEC;

    return glcf;
}


/* a memory limit or quota goes by CPython's model, which bounds the depth */

static ngx_uint_t
ngx_http_guardrail_estimates(ngx_http_guardrail_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_http_guardrail_quota_t  *quota;

    if (conf->memory_factor) {
        return 0;
    }

    if (conf->max_memory.cv || conf->max_memory.n != GUARDRAIL_NO_LIMIT) {
        return 1;
    }

    quota = conf->quotas ? conf->quotas->elts : NULL;

    for (i = 0; quota && i < conf->quotas->nelts; i++) {

        if (quota[i].limit.unit == GUARDRAIL_UNIT_MEMORY
            && (quota[i].cv || quota[i].limit.value != GUARDRAIL_NO_LIMIT))
        {
            return 1;
        }
    }

    return 0;
}


/* what works, and does not do what it seems to; each is said once */

static void
ngx_http_guardrail_warn(ngx_conf_t *cf, ngx_http_guardrail_loc_conf_t *conf)
{
    ngx_uint_t                       i;
    ngx_http_guardrail_quota_t      *quota;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);

    if (conf->ratio_large && !gmcf->ratio_warned
        && (conf->encodings & ~(ngx_uint_t) (GUARDRAIL_CODING_GZIP
                                             |GUARDRAIL_CODING_DEFLATE)) == 0)
    {
        gmcf->ratio_warned = 1;

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"guardrail_max_ratio\" of %uL never refuses "
                           "anything, since gzip and deflate expand by less "
                           "than %d to 1", conf->ratio.n,
                           NGX_HTTP_GUARDRAIL_MAX_DEFLATE_RATIO);
    }

    if (!ngx_http_guardrail_configured(conf)) {
        return;
    }

    if (conf->max_decoded.set && conf->max_decoded.cv == NULL
        && conf->max_decoded.n == GUARDRAIL_NO_LIMIT && conf->encodings
        && !gmcf->decoded_warned)
    {
        gmcf->decoded_warned = 1;

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"guardrail_max_decoded\" is off: a coded body "
                           "may expand without an end, set a limit or "
                           "\"guardrail_encodings none\"");
    }

    if (conf->json && conf->json->depth != GUARDRAIL_NO_LIMIT
        && conf->json->depth > GUARDRAIL_JSON_MAX_COUNTED
        && conf->json->keys == GUARDRAIL_NO_LIMIT
        && conf->json->items == GUARDRAIL_NO_LIMIT
        && !gmcf->depth_warned && ngx_http_guardrail_estimates(conf))
    {
        gmcf->depth_warned = 1;

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"depth\" of \"guardrail_json\" is at most %d "
                           "where memory is limited",
                           GUARDRAIL_JSON_MAX_COUNTED);
    }

    if (conf->quotas == NULL || conf->max_memory.cv) {
        return;
    }

    quota = conf->quotas->elts;

    for (i = 0; i < conf->quotas->nelts; i++) {

        if (quota[i].limit.unit != GUARDRAIL_UNIT_MEMORY || quota[i].cv
            || quota[i].queue == 0 || quota[i].warned
            || quota[i].limit.value == GUARDRAIL_NO_LIMIT
            || conf->max_memory.n <= quota[i].limit.value / 4)
        {
            continue;
        }

        quota[i].warned = 1;

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"guardrail_max_memory\" should be at most a "
                           "quarter of the \"memory\" of zone \"%V\", or large "
                           "requests hold up small ones in its queue",
                           &quota[i].zone->name);
    }
}


/* a body is decoded as a whole, or not at all */

static ngx_int_t
ngx_http_guardrail_check_decode(ngx_conf_t *cf,
    ngx_http_guardrail_loc_conf_t *conf)
{
    if (conf->mode.cv == NULL
        && conf->mode.n == NGX_HTTP_GUARDRAIL_DRY_RUN)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guardrail_decode on\" cannot work with "
                           "\"guardrail dry_run\", which passes bodies on as "
                           "they came");
        return NGX_ERROR;
    }

    if (!conf->buffering) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guardrail_decode on\" cannot work with "
                           "\"guardrail_buffering off\", which passes bodies "
                           "on while they come");
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_guardrail_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_guardrail_loc_conf_t *prev = parent;
    ngx_http_guardrail_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_http_guardrail_merge_value(&conf->mode, &prev->mode,
                                   NGX_HTTP_GUARDRAIL_OFF);

    /* max_body and max_decoded have defaults that depend on the request */

    ngx_http_guardrail_merge_value(&conf->max_body, &prev->max_body, 0);
    ngx_http_guardrail_merge_value(&conf->max_decoded, &prev->max_decoded, 0);

    if (!conf->ratio.set) {
        conf->ratio_large = prev->ratio_large;
    }

    ngx_http_guardrail_merge_value(&conf->ratio, &prev->ratio,
                                   NGX_HTTP_GUARDRAIL_RATIO);
    ngx_http_guardrail_merge_value(&conf->ratio_floor, &prev->ratio_floor,
                                   NGX_HTTP_GUARDRAIL_RATIO_FLOOR);
    ngx_http_guardrail_merge_value(&conf->max_records, &prev->max_records,
                                   GUARDRAIL_NO_LIMIT);
    ngx_http_guardrail_merge_value(&conf->max_record_size,
                                   &prev->max_record_size,
                                   GUARDRAIL_NO_LIMIT);

    ngx_conf_merge_value(conf->buffering, prev->buffering, 1);
    ngx_conf_merge_value(conf->decode, prev->decode, 0);
    ngx_conf_merge_uint_value(conf->encodings, prev->encodings,
                              GUARDRAIL_CODING_GZIP|GUARDRAIL_CODING_DEFLATE);
    ngx_conf_merge_uint_value(conf->format, prev->format,
                              NGX_HTTP_GUARDRAIL_FORMAT_AUTO);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);
    ngx_conf_merge_uint_value(conf->error_format, prev->error_format,
                              NGX_HTTP_GUARDRAIL_ERROR_PROBLEM);
    ngx_conf_merge_str_value(conf->label, prev->label, "");
    ngx_conf_merge_value(conf->headers, prev->headers, 1);
    ngx_conf_merge_uint_value(conf->memory_factor, prev->memory_factor, 0);
    ngx_conf_merge_uint_value(conf->per_record, prev->per_record, 0);
    ngx_http_guardrail_merge_value(&conf->max_memory, &prev->max_memory,
                                   GUARDRAIL_NO_LIMIT);

    if (conf->json == NULL) {
        conf->json = prev->json;
    }

    ngx_conf_merge_uint_value(conf->min_rate, prev->min_rate,
                              NGX_HTTP_GUARDRAIL_MIN_RATE);
    ngx_conf_merge_msec_value(conf->min_rate_grace, prev->min_rate_grace,
                              NGX_HTTP_GUARDRAIL_GRACE);
    ngx_conf_merge_msec_value(conf->body_timeout, prev->body_timeout, 0);

    if (conf->tenant == NULL) {
        conf->tenant = prev->tenant;
    }

    if (conf->args == NULL) {
        conf->args = prev->args;
    }

    if (conf->windows == NULL) {
        conf->windows = prev->windows;
    }

    if (conf->types == NULL) {
        conf->types = prev->types;
    }

    if (conf->quotas == NULL) {
        conf->quotas = prev->quotas;
    }

    if (conf->quotas
        && ngx_http_guardrail_check_quotas(cf, conf->quotas) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_guardrail_warn(cf, conf);

    if (!ngx_http_guardrail_configured(conf)) {
        return NGX_CONF_OK;
    }

    if (conf->decode && ngx_http_guardrail_check_decode(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /*
     * nginx refuses by client_max_body_size before any phase, where nobody
     * sees it; the core is merged first, for all levels, so its value can be
     * taken over here.
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    conf->client_max_body_size = clcf->client_max_body_size;
    clcf->client_max_body_size = 0;

    ngx_http_guardrail_fix_limits(conf);

    /* an "if" in the location of a page, or its limit_except */

    if (clcf->noname && prev->status) {
        conf->status = 1;
    }

    if (!conf->status
        && ngx_http_guardrail_add_series(cf, conf, &conf->label) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
