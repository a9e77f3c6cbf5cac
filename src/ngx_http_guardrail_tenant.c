
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Whose request it is: the key of a tenant, and how it is shown.
 */


#include "ngx_http_guardrail_module.h"


/*
 * A key is at most as long as a header field, and so is what a pattern may
 * backtrack over: beyond this bound it does not match.
 */

#define NGX_HTTP_GUARDRAIL_MATCH       "(*LIMIT_MATCH=10000)"

/* a longer key is shown as its hash */

#define NGX_HTTP_GUARDRAIL_SHOWN       GUARDRAIL_HEAVY_NAME


static char *ngx_http_guardrail_compile_pattern(ngx_conf_t *cf,
    ngx_http_guardrail_tenant_t *tenant, ngx_str_t *pattern);
static ngx_uint_t ngx_http_guardrail_is_secret_name(u_char *name, size_t len);
static void ngx_http_guardrail_match(ngx_http_request_t *r,
    ngx_http_guardrail_tenant_t *tenant, ngx_str_t *key);
static ngx_int_t ngx_http_guardrail_show(ngx_http_request_t *r,
    ngx_http_guardrail_whose_t *whose, ngx_uint_t hidden);


static ngx_str_t  ngx_http_guardrail_anonymous = ngx_string("anonymous");


char *
ngx_http_guardrail_set_tenant(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value, pattern;
    ngx_uint_t                         i, named, secret;
    ngx_http_guardrail_tenant_t       *tenant;
    ngx_http_guardrail_loc_conf_t     *glcf = conf;
    ngx_http_compile_complex_value_t   ccv;

    if (glcf->tenant) {
        return "is duplicate";
    }

    tenant = ngx_pcalloc(cf->pool, sizeof(ngx_http_guardrail_tenant_t));
    if (tenant == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &tenant->cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tenant->name = ngx_http_guardrail_anonymous;
    tenant->secret = ngx_http_guardrail_is_secret(&tenant->cv.value);
    named = 0;
    secret = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (value[i].len > 8 && ngx_strncmp(value[i].data, "pattern=", 8) == 0)
        {
            pattern.data = value[i].data + 8;
            pattern.len = value[i].len - 8;

            if (ngx_http_guardrail_compile_pattern(cf, tenant, &pattern)
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (value[i].len > 8 && ngx_strncmp(value[i].data, "default=", 8) == 0)
        {
            if (named) {
                return "has duplicate \"default\"";
            }

            named = 1;

            tenant->name.data = value[i].data + 8;
            tenant->name.len = value[i].len - 8;
            tenant->reject = (ngx_strcmp(tenant->name.data, "reject") == 0);

            continue;
        }

        if (ngx_strcmp(value[i].data, "secret=on") == 0
            || ngx_strcmp(value[i].data, "secret=off") == 0)
        {
            if (secret) {
                return "has duplicate \"secret\"";
            }

            secret = 1;
            tenant->secret = (value[i].len == sizeof("secret=on") - 1);

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\" directive, it "
                           "must be \"pattern=regex\", \"default=name\" or "
                           "\"secret=on|off\"", &value[i], &value[0]);
        return NGX_CONF_ERROR;
    }

    glcf->tenant = tenant;

    return NGX_CONF_OK;
}


static char *
ngx_http_guardrail_compile_pattern(ngx_conf_t *cf,
    ngx_http_guardrail_tenant_t *tenant, ngx_str_t *pattern)
{
#if (NGX_PCRE)
    u_char               *p, *end, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_uint_t            i;
    ngx_regex_compile_t   rc;

    if (tenant->regex) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guardrail_tenant\" directive has duplicate "
                           "\"pattern\"");
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern.len = sizeof(NGX_HTTP_GUARDRAIL_MATCH) - 1 + pattern->len;
    rc.pattern.data = ngx_pnalloc(cf->pool, rc.pattern.len + 1);

    if (rc.pattern.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(rc.pattern.data, NGX_HTTP_GUARDRAIL_MATCH,
                   sizeof(NGX_HTTP_GUARDRAIL_MATCH) - 1);
    p = ngx_cpymem(p, pattern->data, pattern->len);
    *p = '\0';

    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {

        /* what is wrong is said of the pattern as it was written */

        rc.pattern = *pattern;
        rc.err.len = NGX_MAX_CONF_ERRSTR;

        if (ngx_regex_compile(&rc) == NGX_OK) {
            ngx_str_set(&rc.err, "it cannot be bounded");
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid pattern \"%V\" in \"guardrail_tenant\" "
                           "directive: %V", pattern, &rc.err);
        return NGX_CONF_ERROR;
    }

    tenant->regex = rc.regex;
    tenant->captures = (ngx_uint_t) rc.captures;

    /* the group "tenant", else the first one, else the whole match */

    tenant->capture = rc.captures ? 1 : 0;

    for (i = 0; i < (ngx_uint_t) rc.named_captures; i++) {
        p = rc.names + i * (ngx_uint_t) rc.name_size;
        end = p + rc.name_size;

        if (end - p > 2 && ngx_strcmp(p + 2, "tenant") == 0) {
            tenant->capture = ((ngx_uint_t) p[0] << 8) + p[1];
        }
    }

    return NGX_CONF_OK;
#else
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"pattern\" in \"guardrail_tenant\" directive requires "
                       "nginx with the PCRE2 library");
    return NGX_CONF_ERROR;
#endif
}


ngx_uint_t
ngx_http_guardrail_is_secret(ngx_str_t *text)
{
    u_char  *p, *last, *name;

    last = text->data + text->len;

    for (p = text->data; p < last; /* void */ ) {

        if (*p++ != '$') {
            continue;
        }

        if (p < last && *p == '{') {
            p++;
        }

        name = p;

        while (p < last && (*p == '_' || (*p >= '0' && *p <= '9')
                            || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
        {
            p++;
        }

        if (ngx_http_guardrail_is_secret_name(name, (size_t) (p - name))) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_guardrail_is_secret_name(u_char *name, size_t len)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("http_authorization"),
        ngx_string("http_proxy_authorization"),
        ngx_string("http_cookie"),
        ngx_null_string
    };

    static ngx_str_t  parts[] = {
        ngx_string("key"),
        ngx_string("token"),
        ngx_string("secret"),
        ngx_null_string
    };

    for (i = 0; names[i].len; i++) {
        if (len == names[i].len
            && ngx_strncasecmp(name, names[i].data, len) == 0)
        {
            return 1;
        }
    }

    if (len > 7 && ngx_strncasecmp(name, (u_char *) "cookie_", 7) == 0) {
        return 1;
    }

    if (len <= 5 || ngx_strncasecmp(name, (u_char *) "http_", 5) != 0) {
        return 0;
    }

    for (i = 0; parts[i].len; i++) {
        if (ngx_strlcasestrn(name + 5, name + len, parts[i].data,
                             parts[i].len - 1)
            != NULL)
        {
            return 1;
        }
    }

    return 0;
}


ngx_http_guardrail_whose_t *
ngx_http_guardrail_whose(ngx_http_request_t *r)
{
    ngx_uint_t                      hidden;
    ngx_http_guardrail_ctx_t       *ctx;
    ngx_http_guardrail_whose_t     *whose;
    ngx_http_guardrail_tenant_t    *tenant;
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);
    tenant = glcf->tenant;

    ctx = ngx_http_guardrail_get_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    whose = ctx->whose;

    if (whose && whose->uri_changes == r->uri_changes
        && whose->conf == tenant)
    {
        return whose;
    }

    whose = ngx_pcalloc(r->pool, sizeof(ngx_http_guardrail_whose_t));
    if (whose == NULL) {
        return NULL;
    }

    whose->uri_changes = r->uri_changes;
    whose->conf = tenant;

    if (tenant) {

        if (ngx_http_complex_value(r, &tenant->cv, &whose->key) != NGX_OK) {
            return NULL;
        }

        ngx_http_guardrail_match(r, tenant, &whose->key);
    }

    hidden = (tenant && tenant->secret);

    if (whose->key.len == 0) {
        whose->key = tenant ? tenant->name : ngx_http_guardrail_anonymous;
        whose->rejected = (tenant && tenant->reject);
        hidden = 0;

        whose->shown = whose->key;
    }

    guardrail_siphash(ngx_http_guardrail_secret, whose->key.data,
                      whose->key.len, whose->hash);

    if (whose->shown.len == 0
        && ngx_http_guardrail_show(r, whose, hidden) != NGX_OK)
    {
        return NULL;
    }

    ctx->whose = whose;

    return whose;
}


/* the part of a key that a pattern finds; empty if it does not match */

static void
ngx_http_guardrail_match(ngx_http_request_t *r,
    ngx_http_guardrail_tenant_t *tenant, ngx_str_t *key)
{
#if (NGX_PCRE)
    int         *captures, from, to;
    ngx_int_t    rc;
    ngx_uint_t   n;

    if (tenant->regex == NULL || key->len == 0) {
        return;
    }

    n = (tenant->captures + 1) * 3;

    captures = ngx_palloc(r->pool, n * sizeof(int));
    if (captures == NULL) {
        key->len = 0;
        return;
    }

    rc = ngx_regex_exec(tenant->regex, key, captures, n);

    /* no match, one that took too long, or a group that is not in it */

    if (rc < 0 || (rc > 0 && (ngx_uint_t) rc <= tenant->capture)) {
        key->len = 0;
        return;
    }

    from = captures[2 * tenant->capture];
    to = captures[2 * tenant->capture + 1];

    if (from < 0 || to <= from) {
        key->len = 0;
        return;
    }

    key->data += from;
    key->len = (size_t) (to - from);
#endif
}


static ngx_int_t
ngx_http_guardrail_show(ngx_http_request_t *r,
    ngx_http_guardrail_whose_t *whose, ngx_uint_t hidden)
{
    u_char  *p, *last;

    /* "\\x00" of each byte at most, or 16 digits */

    p = ngx_pnalloc(r->pool, ngx_max(4 * ngx_min(whose->key.len,
                                                 NGX_HTTP_GUARDRAIL_SHOWN),
                                     16));
    if (p == NULL) {
        return NGX_ERROR;
    }

    whose->shown.data = p;

    if (hidden || whose->key.len > NGX_HTTP_GUARDRAIL_SHOWN) {
        last = ngx_sprintf(p, "%016xL", whose->hash[0]);
        whose->hashed = 1;

    } else {
        last = ngx_http_guardrail_escape(p, whose->key.data, whose->key.len);
    }

    whose->shown.len = (size_t) (last - p);

    return NGX_OK;
}


/* no two keys look the same */

u_char *
ngx_http_guardrail_escape(u_char *p, u_char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (data[i] < ' ' || data[i] > '~' || data[i] == '"'
            || data[i] == '\\')
        {
            p = ngx_sprintf(p, "\\x%02Xd", (ngx_uint_t) data[i]);

        } else {
            *p++ = data[i];
        }
    }

    return p;
}


void
ngx_http_guardrail_fmt_tenant(guardrail_fmt_t *f, ngx_http_request_t *r)
{
    ngx_http_guardrail_ctx_t       *ctx;
    ngx_http_guardrail_whose_t     *whose;
    ngx_http_guardrail_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_module);
    ctx = ngx_http_guardrail_find_ctx(r);

    /* what was refused was refused to that one */

    whose = ctx ? ctx->whose : NULL;

    if (glcf->tenant && (whose == NULL || !ctx->refused)) {
        whose = ngx_http_guardrail_whose(r);
    }

    if (whose) {
        guardrail_fmt_raw(f, (char *) whose->shown.data, whose->shown.len);

    } else {
        guardrail_fmt_text(f, (char *) ngx_http_guardrail_anonymous.data);
    }
}
