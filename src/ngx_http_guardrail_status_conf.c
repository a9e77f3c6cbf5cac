
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status: the directive, and a warning where anybody may read it.
 */


#include "ngx_http_guardrail_status.h"


static ngx_uint_t ngx_http_guardrail_is_private(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_guardrail_is_local(
    ngx_http_core_main_conf_t *cmcf, ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_guardrail_is_loopback(struct sockaddr *sa);


char *
ngx_http_guardrail_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_guardrail_page_t       *page;
    ngx_http_guardrail_loc_conf_t   *glcf = conf;
    ngx_http_guardrail_main_conf_t  *gmcf;

    if (glcf->status) {
        return "is duplicate";
    }

    glcf->status = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is not possible beside another handler of the location";
    }

    clcf->handler = ngx_http_guardrail_status_handler;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);

    page = ngx_array_push(&gmcf->pages);
    if (page == NULL) {
        return NGX_CONF_ERROR;
    }

    page->location = clcf;
    page->server = ngx_http_conf_get_module_srv_conf(cf,
                                                     ngx_http_core_module);
    page->file = cf->conf_file->file.name.data;
    page->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


/* after all is merged, and all addresses are known */

ngx_int_t
ngx_http_guardrail_check_pages(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_guardrail_page_t       *page;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    page = gmcf->pages.elts;

    for (i = 0; i < gmcf->pages.nelts; i++) {

        if (page[i].location->handler != ngx_http_guardrail_status_handler) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"guardrail_status\" in %s:%ui is not possible "
                          "beside another handler of the location",
                          page[i].file, page[i].line);
            return NGX_ERROR;
        }

        if (ngx_http_guardrail_is_private(cf, page[i].location)
            || ngx_http_guardrail_is_local(cmcf, page[i].server))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"guardrail_status\" in %s:%ui is open to everybody "
                      "and shows names of tenants, restrict it with \"allow\" "
                      "and \"deny\" or \"auth_basic\"",
                      page[i].file, page[i].line);
    }

    return NGX_OK;
}


/*
 * Configurations of other modules are their own.  What is known of these
 * three is that the first word is zero where nothing is restricted: rules,
 * a realm, a URI.  A mistake would be a warning too many, or one too few.
 */

static ngx_uint_t
ngx_http_guardrail_is_private(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
    void        **conf;
    ngx_uint_t    i, j;

    static const char  *names[] = {
        "ngx_http_access_module",
        "ngx_http_auth_basic_module",
        "ngx_http_auth_request_module"
    };

    if (clcf->internal) {
        return 1;
    }

    for (i = 0; cf->cycle->modules[i]; i++) {

        for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {

            if (ngx_strcmp(cf->cycle->modules[i]->name, names[j]) != 0) {
                continue;
            }

            conf = clcf->loc_conf[cf->cycle->modules[i]->ctx_index];

            if (conf && conf[0]) {
                return 1;
            }
        }
    }

    return 0;
}


/* is the server asked by addresses of this machine only? */

static ngx_uint_t
ngx_http_guardrail_is_local(ngx_http_core_main_conf_t *cmcf,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                  i, j, k;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_srv_conf_t  **servers;

    if (cmcf->ports == NULL) {
        return 1;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (j = 0; j < port[i].addrs.nelts; j++) {
            servers = addr[j].servers.elts;

            for (k = 0; k < addr[j].servers.nelts; k++) {

                if (servers[k] == cscf
                    && !ngx_http_guardrail_is_loopback(addr[j].opt.sockaddr))
                {
                    return 0;
                }
            }
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_guardrail_is_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) (void *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) (void *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr) != 0;
#endif

    default: /* AF_UNIX */
        return 1;
    }
}
