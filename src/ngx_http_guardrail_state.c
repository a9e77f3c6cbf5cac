
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "ngx_http_guardrail_module.h"


void
ngx_http_guardrail_load_state(ngx_http_guardrail_zone_t *zone, ngx_log_t *log)
{
}


ngx_int_t
ngx_http_guardrail_init_state(ngx_http_guardrail_zone_t *zone,
    ngx_cycle_t *cycle)
{
    return NGX_OK;
}


void
ngx_http_guardrail_exit_state(ngx_http_guardrail_zone_t *zone,
    ngx_cycle_t *cycle)
{
}
