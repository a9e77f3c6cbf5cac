
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_zone: the directive, and what must be true of all zones when a
 * configuration was read.
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_ZONE_NAME  64        /* bytes */


static ngx_uint_t ngx_http_guardrail_is_name(ngx_str_t *name);
static char *ngx_http_guardrail_zone_param(ngx_conf_t *cf,
    ngx_http_guardrail_zone_t *zone, ngx_str_t *value);
static char *ngx_http_guardrail_zone_state(ngx_conf_t *cf,
    ngx_http_guardrail_zone_t *zone, ngx_str_t *name);


char *
ngx_http_guardrail_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value, key;
    ngx_uint_t                         i, full;
    ngx_http_guardrail_zone_t         *zone;
    ngx_http_guardrail_main_conf_t    *gmcf;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;
    full = 0;

    /* it is part of what clients are told, and of the lines of the log */

    if (value[1].len == 0 || value[1].len > NGX_HTTP_GUARDRAIL_ZONE_NAME) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"%V\" directive, it must "
                           "have 1 to %d characters", &value[1], &value[0],
                           NGX_HTTP_GUARDRAIL_ZONE_NAME);
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_guardrail_is_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"%V\" directive, it may "
                           "have letters, digits, \"_\", \"-\" and \".\"",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    zone = ngx_http_guardrail_get_zone(cf, &value[1]);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\" in \"%V\" directive",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    gmcf = conf;

    zone->defined = 1;
    zone->number = gmcf->defined++;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "full=", 5) == 0 && full++) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" in \"%V\" "
                               "directive", &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_guardrail_zone_param(cf, zone, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (zone->size == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive must have \"size\" parameter",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (zone->rates == 0) {
        zone->rates = 4;
    }

    if (zone->key.value.data == NULL) {
        ngx_str_set(&key, "$guardrail_tenant");

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &key;
        ccv.complex_value = &zone->key;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    key = zone->key.value;

    zone->constant = (zone->key.lengths == NULL);
    zone->secret = ngx_http_guardrail_is_secret(&key);
    zone->tenant = (ngx_strcmp(key.data, "$guardrail_tenant") == 0
                    || ngx_strcmp(key.data, "${guardrail_tenant}") == 0);

    zone->shm_zone = ngx_shared_memory_add(cf, &zone->name,
                                           ngx_http_guardrail_map_size(zone),
                                           &ngx_http_guardrail_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\" in \"%V\" directive",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_http_guardrail_init_zone;
    zone->shm_zone->data = zone;

    return NGX_CONF_OK;
}


/* it is part of header fields and of labels */

static ngx_uint_t
ngx_http_guardrail_is_name(ngx_str_t *name)
{
    return name->len
           && strspn((char *) name->data,
                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789_-.")
              == name->len;
}


static char *
ngx_http_guardrail_zone_param(ngx_conf_t *cf, ngx_http_guardrail_zone_t *zone,
    ngx_str_t *value)
{
    off_t                              size;
    ngx_int_t                          n;
    ngx_str_t                          s;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_strncmp(value->data, "size=", 5) == 0 && zone->size == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        size = ngx_parse_offset(&s);

        if (size == NGX_ERROR || size <= 0) {
            goto invalid;
        }

        if (size < 256 * 1024) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "zone \"%V\" is too small in \"guardrail_zone\""
                               " directive, \"%V\" must be \"size=256k\" at "
                               "least", &zone->name, value);
            return NGX_CONF_ERROR;
        }

        zone->size = (size_t) size;

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "key=", 4) == 0
        && zone->key.value.data == NULL)
    {
        s.data = value->data + 4;
        s.len = value->len - 4;

        if (s.len == 0) {
            goto invalid;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &s;
        ccv.complex_value = &zone->key;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "rates=", 6) == 0 && zone->rates == 0) {
        n = ngx_atoi(value->data + 6, value->len - 6);

        if (n < 1 || n > GUARDRAIL_ZONE_MAX_RATES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"guardrail_zone\" directive, \"rates\" must "
                               "be 1 to %d", value, GUARDRAIL_ZONE_MAX_RATES);
            return NGX_CONF_ERROR;
        }

        zone->rates = (ngx_uint_t) n;

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "full=share") == 0) {
        zone->share = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "full=reject") == 0) {
        zone->share = 0;
        return NGX_CONF_OK;
    }

    if (value->len > 6 && ngx_strncmp(value->data, "state=", 6) == 0
        && zone->state.len == 0)
    {
        s.data = value->data + 6;
        s.len = value->len - 6;

        return ngx_http_guardrail_zone_state(cf, zone, &s);
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"guardrail_zone\" "
                       "directive", value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_guardrail_zone_state(ngx_conf_t *cf, ngx_http_guardrail_zone_t *zone,
    ngx_str_t *name)
{
    ngx_uint_t                        i;
    ngx_http_guardrail_zone_t       **zones;

    zone->state = *name;

    if (ngx_conf_full_name(cf->cycle, &zone->state, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    zones = zone->gmcf->zones.elts;

    for (i = 0; i < zone->gmcf->zones.nelts; i++) {

        if (zones[i] != zone && zones[i]->state.len == zone->state.len
            && ngx_strncmp(zones[i]->state.data, zone->state.data,
                           zone->state.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the file \"%V\" of \"state\" in "
                               "\"guardrail_zone\" directive is that of zone "
                               "\"%V\" too", &zone->state, &zones[i]->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_http_guardrail_zone_t *
ngx_http_guardrail_get_zone(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                        i;
    ngx_http_guardrail_zone_t        *zone, **zones;
    ngx_http_guardrail_main_conf_t   *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);

    zones = gmcf->zones.elts;

    for (i = 0; i < gmcf->zones.nelts; i++) {
        if (zones[i]->name.len == name->len
            && ngx_strncmp(zones[i]->name.data, name->data, name->len) == 0)
        {
            return zones[i];
        }
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_guardrail_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    zones = ngx_array_push(&gmcf->zones);
    if (zones == NULL) {
        return NULL;
    }

    *zones = zone;

    if (ngx_array_init(&zone->limits, cf->pool, 4, sizeof(guardrail_limit_t))
        != NGX_OK)
    {
        return NULL;
    }

    zone->name = *name;
    zone->share = 1;
    zone->slot = GUARDRAIL_ZONE_NONE;

    /* with "master_process off" no worker is started for it */

    ngx_queue_init(&zone->waiting);

    zone->file = cf->conf_file->file.name.data;
    zone->line = cf->conf_file->line;
    zone->gmcf = gmcf;

    return zone;
}


ngx_int_t
ngx_http_guardrail_check_zones(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_guardrail_zone_t      **zones;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);

    zones = gmcf->zones.elts;

    for (i = 0; i < gmcf->zones.nelts; i++) {

        if (!zones[i]->defined) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown zone \"%V\" in \"guardrail_quota\" "
                          "directive in %s:%ui", &zones[i]->name,
                          zones[i]->file, zones[i]->line);
            return NGX_ERROR;
        }

        if (zones[i]->limits.nelts > GUARDRAIL_ZONE_MAX_RATES) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "zone \"%V\" has room for %ui rates, and "
                          "\"guardrail_quota\" directives name %ui of "
                          "different unit or period, use another "
                          "\"guardrail_zone\" beside it, as none has more "
                          "than %d", &zones[i]->name, zones[i]->rates,
                          zones[i]->limits.nelts, GUARDRAIL_ZONE_MAX_RATES);
            return NGX_ERROR;
        }

        if (zones[i]->limits.nelts > zones[i]->rates) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "zone \"%V\" has room for %ui rates, and "
                          "\"guardrail_quota\" directives name %ui of "
                          "different unit or period, set \"rates=%ui\" in "
                          "\"guardrail_zone\"", &zones[i]->name,
                          zones[i]->rates, zones[i]->limits.nelts,
                          zones[i]->limits.nelts);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
