
/*
 * Copyright (C) nginx-guardrail authors
 */


#ifndef NGX_HTTP_GUARDRAIL_TEST_H
#define NGX_HTTP_GUARDRAIL_TEST_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_uint_t  phase;
    ngx_uint_t  filter;
    size_t      size;
    ngx_flag_t  skip;
    ngx_str_t   uri;
    ngx_str_t   body;
    ngx_msec_t  later;
    ngx_str_t   zone;
} ngx_http_test_loc_conf_t;


extern ngx_module_t  ngx_http_guardrail_test_module;

/* test_zone NAME, test_points */

char *ngx_http_test_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_HTTP_GUARDRAIL_TEST_H */
