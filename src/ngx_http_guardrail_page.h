
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The status page as it is sent: pieces in order.  A text is sent as it
 * stands.  NONCE is the nonce of the header Content-Security-Policy, made of
 * letters, digits, "+", "/", "=", "-" and "_" only, the same one everywhere.
 * TABLES is what readers without JavaScript see: one <table> after another,
 * each with a <caption>, escaped; no style attributes, the policy forbids
 * them.  The script removes them when it has drawn the first answer.
 *
 * The source of the array is made from src/page/ when nginx is configured.
 */


#ifndef _NGX_HTTP_GUARDRAIL_PAGE_H_INCLUDED_
#define _NGX_HTTP_GUARDRAIL_PAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_GUARDRAIL_PAGE_TEXT    0
#define NGX_HTTP_GUARDRAIL_PAGE_NONCE   1
#define NGX_HTTP_GUARDRAIL_PAGE_TABLES  2


/*
 * The policy the page is made for.  The nonce is a literal, like "%V", and is
 * put in twice; connect-src lets the page ask its own URL for the next answer.
 */

#define NGX_HTTP_GUARDRAIL_PAGE_CSP(nonce)                                    \
    "default-src 'none'; style-src 'nonce-" nonce "'; "                       \
    "script-src 'nonce-" nonce "'; connect-src 'self'; img-src 'none'; "      \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


typedef struct {
    const u_char  *data;                /* NULL where something is put in */
    size_t         len;
    ngx_uint_t     kind;                /* NGX_HTTP_GUARDRAIL_PAGE_... */
} ngx_http_guardrail_page_piece_t;


extern const ngx_http_guardrail_page_piece_t  ngx_http_guardrail_page[];
extern const ngx_uint_t                       ngx_http_guardrail_page_pieces;


#endif /* _NGX_HTTP_GUARDRAIL_PAGE_H_INCLUDED_ */
