
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The secret under which keys are hashed, one for an instance.
 */


#include "ngx_http_guardrail_module.h"


#define NGX_HTTP_GUARDRAIL_MIN_SECRET  16       /* bytes */
#define NGX_HTTP_GUARDRAIL_MAX_SECRET  65536


u_char                       ngx_http_guardrail_secret[GUARDRAIL_SIPHASH_KEY];
ngx_http_guardrail_secret_e  ngx_http_guardrail_secret_from;


char *
ngx_http_guardrail_set_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                           buf[NGX_HTTP_GUARDRAIL_MAX_SECRET + 1];
    ssize_t                          n;
    uint64_t                         hash[2];
    ngx_fd_t                         fd;
    ngx_str_t                       *value, name;
    ngx_http_guardrail_main_conf_t  *gmcf = conf;

    static const uint8_t  zero[GUARDRAIL_SIPHASH_KEY];

    if (gmcf->secret_from != ngx_http_guardrail_secret_unset) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "the file \"%V\" of \"%V\" cannot be opened",
                           &name, &value[0]);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (ngx_close_file(fd) == NGX_FILE_ERROR || n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "the file \"%V\" of \"%V\" cannot be read",
                           &name, &value[0]);
        return NGX_CONF_ERROR;
    }

    if (n && buf[n - 1] == LF) {
        n--;

        if (n && buf[n - 1] == CR) {
            n--;
        }
    }

    if (n < NGX_HTTP_GUARDRAIL_MIN_SECRET
        || n > NGX_HTTP_GUARDRAIL_MAX_SECRET)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the file \"%V\" of \"%V\" has %z bytes, it must "
                           "have %d to %d", &name, &value[0], n,
                           NGX_HTTP_GUARDRAIL_MIN_SECRET,
                           NGX_HTTP_GUARDRAIL_MAX_SECRET);
        return NGX_CONF_ERROR;
    }

    /* all nodes of a fleet must come to the same */

    guardrail_siphash(zero, buf, (size_t) n, hash);
    ngx_memzero(buf, sizeof(buf));

    ngx_memcpy(gmcf->secret, hash, GUARDRAIL_SIPHASH_KEY);
    gmcf->secret_from = ngx_http_guardrail_secret_file;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_guardrail_random(u_char *p, size_t len, ngx_log_t *log)
{
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file((u_char *) "/dev/urandom", NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "/dev/urandom cannot be opened");
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, p, len);

    if (ngx_close_file(fd) == NGX_FILE_ERROR || n != (ssize_t) len) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "/dev/urandom cannot be read");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * When all of a configuration was read, and the state files, which may have
 * brought the secret of before a restart.  Workers that are started from now
 * on use it; those of the old configuration have a copy of theirs.
 */

ngx_int_t
ngx_http_guardrail_make_secret(ngx_cycle_t *cycle)
{
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_guardrail_module);

    if (gmcf == NULL) {
        return NGX_OK;
    }

    if (gmcf->secret_from == ngx_http_guardrail_secret_unset) {

        if (ngx_http_guardrail_random(gmcf->secret, GUARDRAIL_SIPHASH_KEY,
                                      cycle->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        gmcf->secret_from = ngx_http_guardrail_secret_random;
    }

    ngx_memcpy(ngx_http_guardrail_secret, gmcf->secret,
               GUARDRAIL_SIPHASH_KEY);
    ngx_http_guardrail_secret_from = gmcf->secret_from;

    return NGX_OK;
}
