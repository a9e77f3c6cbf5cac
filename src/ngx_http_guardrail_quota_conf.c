
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_quota: the directive, and what a zone must have room for.
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_TIMEOUT     10000    /* ms */
#define NGX_HTTP_GUARDRAIL_HOLD        10000    /* ms */

/* a hold ends with the second that its time ends in */

#define NGX_HTTP_GUARDRAIL_MAX_HOLD    (GUARDRAIL_LEVEL_MAX_HOLD - 1)


static char *ngx_http_guardrail_quota_limit(ngx_conf_t *cf,
    ngx_http_guardrail_quota_t *quota, ngx_str_t *text);
static char *ngx_http_guardrail_name_pair(ngx_http_guardrail_quota_t *quota);
static char *ngx_http_guardrail_quota_params(ngx_conf_t *cf,
    ngx_http_guardrail_quota_t *quota);
static ngx_uint_t ngx_http_guardrail_names_pair(
    ngx_http_guardrail_zone_t *zone, uint32_t unit, uint32_t period);
static ngx_uint_t ngx_http_guardrail_is_again(ngx_str_t *value, ngx_uint_t i);
static ngx_int_t ngx_http_guardrail_cmp_quotas(const void *one,
    const void *two);


char *
ngx_http_guardrail_set_quota(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                      *value;
    ngx_http_guardrail_quota_t     *quota;
    ngx_http_guardrail_loc_conf_t  *glcf = conf;

    value = cf->args->elts;

    if (cf->args->nelts < 4) {

        /* nginx has no flag for three or more */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" directive",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (glcf->quotas == NULL) {
        glcf->quotas = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_guardrail_quota_t));
        if (glcf->quotas == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    quota = ngx_array_push(glcf->quotas);
    if (quota == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(quota, sizeof(ngx_http_guardrail_quota_t));

    quota->timeout = NGX_HTTP_GUARDRAIL_TIMEOUT;
    quota->hold = NGX_HTTP_GUARDRAIL_HOLD;

    quota->zone = ngx_http_guardrail_get_zone(cf, &value[1]);
    if (quota->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (guardrail_unit_parse(value[2].data, value[2].len, &quota->limit.unit)
        != GUARDRAIL_LIMIT_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid unit \"%V\" in \"%V\" directive, it must "
                           "be \"requests\", \"records\", \"bytes\", "
                           "\"decoded\", \"uploads\", \"concurrency\" or "
                           "\"memory\"", &value[2], &value[0]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_guardrail_quota_limit(cf, quota, &value[3])
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_guardrail_quota_params(cf, quota);
}


static char *
ngx_http_guardrail_quota_limit(ngx_conf_t *cf,
    ngx_http_guardrail_quota_t *quota, ngx_str_t *text)
{
    guardrail_limit_rc_e               rc;
    ngx_http_complex_value_t           cv;
    ngx_http_compile_complex_value_t   ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = &cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv.lengths) {
        quota->cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (quota->cv == NULL) {
            return NGX_CONF_ERROR;
        }

        *quota->cv = cv;

        return NGX_CONF_OK;
    }

    rc = guardrail_limit_parse(&quota->limit, quota->limit.unit, text->data,
                               text->len);

    if (rc != GUARDRAIL_LIMIT_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "LIMIT \"%V\" in \"guardrail_quota\" directive %s",
                           text, guardrail_limit_error(rc));
        return NGX_CONF_ERROR;
    }

    return ngx_http_guardrail_name_pair(quota);
}


/* a zone knows what its directives name: it must have room for it */

static char *
ngx_http_guardrail_name_pair(ngx_http_guardrail_quota_t *quota)
{
    uint64_t           *level;
    ngx_uint_t          i;
    guardrail_limit_t  *limit;

    if (quota->limit.value == GUARDRAIL_NO_LIMIT) {
        return NGX_CONF_OK;
    }

    if (!guardrail_unit_info(quota->limit.unit)->rate) {
        level = &quota->zone->levels[guardrail_level_unit(quota->limit.unit)];
        *level = ngx_max(*level, quota->limit.value);

        return NGX_CONF_OK;
    }

    limit = quota->zone->limits.elts;

    for (i = 0; i < quota->zone->limits.nelts; i++) {
        if (guardrail_limit_same(&limit[i], &quota->limit)) {
            return NGX_CONF_OK;
        }
    }

    limit = ngx_array_push(&quota->zone->limits);
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    *limit = quota->limit;

    return NGX_CONF_OK;
}


static char *
ngx_http_guardrail_quota_params(ngx_conf_t *cf,
    ngx_http_guardrail_quota_t *quota)
{
    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i, level;

    value = cf->args->elts;

    level = !guardrail_unit_info(quota->limit.unit)->rate
            && quota->limit.unit != GUARDRAIL_UNIT_UPLOADS;

    for (i = 4; i < cf->args->nelts; i++) {

        s = value[i];

        if (ngx_http_guardrail_is_again(value, i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" in \"%V\" "
                               "directive", &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        if (ngx_strncmp(s.data, "queue=", 6) == 0) {
            n = ngx_atoi(s.data + 6, s.len - 6);

            if (n == NGX_ERROR) {
                goto invalid;
            }

            quota->queue = (ngx_uint_t) n;

        } else if (ngx_strncmp(s.data, "timeout=", 8) == 0) {
            s.data += 8;
            s.len -= 8;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n == 0) {
                goto invalid;
            }

            quota->timeout = (ngx_msec_t) n;

        } else if (ngx_strncmp(s.data, "hold=", 5) == 0) {
            s.data += 5;
            s.len -= 5;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR) {
                goto invalid;
            }

            if (n > NGX_HTTP_GUARDRAIL_MAX_HOLD * 1000) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid parameter \"%V\" in \"%V\" "
                                   "directive, \"hold\" must be at most %ds",
                                   &value[i], &value[0],
                                   NGX_HTTP_GUARDRAIL_MAX_HOLD);
                return NGX_CONF_ERROR;
            }

            quota->hold = (ngx_msec_t) n;
            s = value[i];

        } else if (ngx_strncmp(s.data, "status=", 7) == 0) {
            n = ngx_atoi(s.data + 7, s.len - 7);

            /* nginx closes at 408, 444 and 499, and makes 400 of 494 to 497 */

            if (n < 400 || n > 599 || n == 408 || n == 444
                || (n >= 494 && n <= 499))
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid parameter \"%V\" in \"%V\" "
                                   "directive, \"status\" must be 400 to 599, "
                                   "and not 408, 444 or 494 to 499",
                                   &value[i], &value[0]);
                return NGX_CONF_ERROR;
            }

            quota->status = (ngx_uint_t) n;
            continue;

        } else {
            goto invalid;
        }

        if (!level) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" in \"%V\" directive is only "
                               "for \"concurrency\" and \"memory\", not for "
                               "\"%V\"", &value[i], &value[0], &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\" directive",
                       &value[i], &value[0]);

    return NGX_CONF_ERROR;
}


/*
 * A reload may find the rooms of a zone taken by what was counted before: by
 * pairs that were charged in their last two periods.  It is said here, since
 * who meets it are clients.  Read without the lock, by the master.
 */

void
ngx_http_guardrail_check_room(ngx_http_guardrail_zone_t *zone, ngx_log_t *log)
{
    uint64_t            second;
    ngx_uint_t          i, k, room;
    guardrail_pair_t   *p;
    guardrail_limit_t  *limit;

    second = ngx_http_guardrail_now(zone) / 1000;
    room = 0;

    for (i = 0; i < zone->z.rates; i++) {
        p = &zone->z.head->pairs[i];

        if (p->unit == 0
            || (!ngx_http_guardrail_names_pair(zone, p->unit, p->period)
                && p->used + 2 * (uint64_t) p->period <= second))
        {
            room++;
        }
    }

    limit = zone->limits.elts;

    for (i = 0; i < zone->limits.nelts; i++) {

        for (k = 0; k < zone->z.rates; k++) {
            p = &zone->z.head->pairs[k];

            if (p->unit == (uint32_t) limit[i].unit + 1
                && p->period == limit[i].period)
            {
                break;
            }
        }

        if (k < zone->z.rates) {
            continue;
        }

        if (room) {
            room--;
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "zone \"%V\" has no room yet for %s in %uDs, requests "
                      "under this quota are refused until a rate that is no "
                      "longer named was not used for two of its periods; set "
                      "more \"rates\" in \"guardrail_zone\" to start with an "
                      "empty zone", &zone->name,
                      guardrail_unit_info(limit[i].unit)->name,
                      limit[i].period);
    }
}


/* does the configuration name a pair of the registry? */

static ngx_uint_t
ngx_http_guardrail_names_pair(ngx_http_guardrail_zone_t *zone, uint32_t unit,
    uint32_t period)
{
    ngx_uint_t          i;
    guardrail_limit_t  *limit;

    limit = zone->limits.elts;

    for (i = 0; i < zone->limits.nelts; i++) {
        if (unit == (uint32_t) limit[i].unit + 1 && period == limit[i].period) {
            return 1;
        }
    }

    return 0;
}


/* is a parameter of the same name before it? */

static ngx_uint_t
ngx_http_guardrail_is_again(ngx_str_t *value, ngx_uint_t i)
{
    u_char      *end;
    size_t       len;
    ngx_uint_t   k;

    end = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

    if (end == NULL) {
        return 0;
    }

    len = (size_t) (end + 1 - value[i].data);

    for (k = 4; k < i; k++) {
        if (value[k].len >= len
            && ngx_strncmp(value[k].data, value[i].data, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* levels are tried in the order of the zones, concurrency before memory */

static ngx_int_t
ngx_http_guardrail_cmp_quotas(const void *one, const void *two)
{
    const ngx_http_guardrail_quota_t  *a = one;
    const ngx_http_guardrail_quota_t  *b = two;

    if (a->zone->number != b->zone->number) {
        return (a->zone->number < b->zone->number) ? -1 : 1;
    }

    return (ngx_int_t) a->limit.unit - (ngx_int_t) b->limit.unit;
}


char *
ngx_http_guardrail_check_quotas(ngx_conf_t *cf, ngx_array_t *quotas)
{
    ngx_uint_t                   i, k;
    ngx_http_guardrail_quota_t  *q;

    q = quotas->elts;

    ngx_sort(q, quotas->nelts, sizeof(ngx_http_guardrail_quota_t),
             ngx_http_guardrail_cmp_quotas);

    for (i = 0; i < quotas->nelts; i++) {

        for (k = i + 1; k < quotas->nelts; k++) {

            if (q[i].zone != q[k].zone || q[i].cv || q[k].cv
                || !guardrail_limit_same(&q[i].limit, &q[k].limit))
            {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"guardrail_quota\" limits %s of zone \"%V\" "
                               "%stwice in one location",
                               guardrail_unit_info(q[i].limit.unit)->name,
                               &q[i].zone->name,
                               q[i].limit.period ? "in the same period " : "");
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
