
/*
 * Copyright (C) nginx-guardrail authors
 *
 * For tests only: what a zone of the guardrail holds, as JSON, under its lock
 * and with the proof that all of it fits together.
 *
 *   test_zone NAME
 *
 *       a content handler; loaded after the guardrail.  With ?dead=1 this
 *       process is taken for dead first: what it has is given back.
 *
 *   test_points
 *
 *       a content handler; with ?n=N the process that comes to the N-th point
 *       at which it may die inside a section of a zone is killed there (a
 *       build with GUARDRAIL_ZONE_POINTS); answers how many were passed
 */


#include "ngx_http_guardrail_module.h"
#include "ngx_http_guardrail_test.h"


/* those of a module that is loaded before, or of nginx itself */

#pragma weak ngx_http_guardrail_lock
#pragma weak ngx_http_guardrail_unlock
#pragma weak ngx_http_guardrail_now
#pragma weak ngx_http_guardrail_zone_snapshot
#pragma weak guardrail_level_check_locked
#pragma weak guardrail_slot_free_locked
#pragma weak guardrail_unit_info
#pragma weak guardrail_zone_points_set
#pragma weak guardrail_zone_points_passed

void guardrail_zone_points_set(long n);
long guardrail_zone_points_passed(void);


static ngx_int_t ngx_http_test_zone_handler(ngx_http_request_t *r);
static ngx_http_guardrail_zone_t *ngx_http_test_zone_find(ngx_str_t *name);
static u_char *ngx_http_test_zone_print(u_char *p, u_char *last,
    ngx_http_guardrail_zone_t *zone);
static u_char *ngx_http_test_zone_print_view(u_char *p, u_char *last,
    ngx_http_guardrail_zone_t *zone, ngx_http_guardrail_zone_view_t *view);
static u_char *ngx_http_test_zone_print_numbers(u_char *p, u_char *last,
    const char *name, uint64_t *numbers, ngx_uint_t n);
static ngx_int_t ngx_http_test_points_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_test_zone_send(ngx_http_request_t *r, u_char *p,
    size_t len);


static ngx_int_t
ngx_http_test_zone_handler(ngx_http_request_t *r)
{
    u_char                          *p, *last;
    ngx_str_t                        arg;
    ngx_http_test_loc_conf_t        *tlcf;
    ngx_http_guardrail_zone_t       *zone;
    ngx_http_guardrail_zone_view_t  *view;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_guardrail_test_module);

    zone = ngx_http_test_zone_find(&tlcf->zone);

    if (zone == NULL || ngx_http_guardrail_lock == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    p = ngx_pnalloc(r->pool, 131072);
    view = ngx_palloc(r->pool, sizeof(ngx_http_guardrail_zone_view_t));

    if (p == NULL || view == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_guardrail_lock(zone);

    if (ngx_http_arg(r, (u_char *) "dead", 4, &arg) == NGX_OK) {
        (void) guardrail_slot_free_locked(&zone->z, zone->slot,
                                          zone->generation, 1000, 1,
                                          ngx_http_guardrail_now(zone));
    }

    last = ngx_http_test_zone_print(p, p + 2048, zone);

    ngx_http_guardrail_unlock(zone);

    ngx_http_guardrail_zone_snapshot(zone, view);

    last = ngx_http_test_zone_print_view(last, p + 131072, zone, view);

    return ngx_http_test_zone_send(r, p, last - p);
}


static ngx_http_guardrail_zone_t *
ngx_http_test_zone_find(ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *shm;
    ngx_list_part_t  *part;

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;

    for (shm = part->elts, i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            shm = part->elts;
            i = 0;
        }

        if (shm[i].shm.name.len == name->len
            && ngx_strncmp(shm[i].shm.name.data, name->data, name->len) == 0)
        {
            return shm[i].data;
        }
    }
}


static u_char *
ngx_http_test_zone_print(u_char *p, u_char *last,
    ngx_http_guardrail_zone_t *zone)
{
    uint32_t                 i, k, processes;
    uint64_t                 used[GUARDRAIL_LEVEL_UNITS];
    const char              *before;
    guardrail_zone_t        *z;
    guardrail_level_t       *l;
    guardrail_zone_head_t   *h;
    guardrail_zone_stats_t  *s;

    z = &zone->z;
    h = z->head;
    s = &h->stats;
    processes = 0;

    ngx_memzero(used, sizeof(used));

    for (i = 0; i < h->used_levels; i++) {
        l = &z->levels[i];

        for (k = 0; l->records && k < GUARDRAIL_LEVEL_UNITS; k++) {
            used[k] += l->used[k];
        }
    }

    for (i = 0; i < z->n_slots; i++) {
        processes += (z->slots[i].pid != 0);
    }

    p = ngx_slprintf(p, last, "{\"pid\":%P,\"check\":%ud", ngx_pid,
                     guardrail_level_check_locked(z));

    p = ngx_slprintf(p, last, ",\"uploads\":%uL,\"concurrency\":%uL,"
                     "\"memory\":%uL", used[0], used[1], used[2]);

    before = ",\"leases\":[";

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {
        p = ngx_slprintf(p, last, "%s%uD", before, h->leases[i]);
        before = ",";
    }

    p = ngx_slprintf(p, last, "],\"holds\":%uD,\"leased_memory\":%uL,"
                     "\"waiting\":%uD,\"granted\":%ud,\"entries\":%uD,"
                     "\"processes\":%uD", h->holds, h->memory, h->waiting,
                     h->granted.head != 0, h->entries, processes);

    return ngx_slprintf(p, last, ",\"evictions\":%uL,\"overflows\":%uL,"
                        "\"reclaimed\":%uL,\"timeouts\":%uL,"
                        "\"abandoned\":%uL,\"full\":%uL,\"forced\":%uL,"
                        "\"repairs\":%uL,\"unsaved\":%uL", s->evictions,
                        s->overflows, s->reclaimed, s->timeouts, s->abandoned,
                        s->full, s->forced, s->repairs, s->unsaved);
}


/* what status is shown: names as they are, a backslash twice for JSON */

static u_char *
ngx_http_test_zone_print_view(u_char *p, u_char *last,
    ngx_http_guardrail_zone_t *zone, ngx_http_guardrail_zone_view_t *view)
{
    size_t                          k;
    ngx_uint_t                      i;
    ngx_http_guardrail_view_row_t  *row;

    p = ngx_slprintf(p, last, ",\"view\":{\"entries\":%uD,"
                     "\"capacity\":%uD,\"waiting\":%uD,\"memory\":%uL,"
                     "\"holds\":%uD,\"constant\":%ui,\"state_age\":%L,"
                     "\"refusals\":{\"\":0", view->entries, view->capacity,
                     view->waiting, view->memory, view->holds,
                     view->constant, view->state_age);

    for (i = 0; i < zone->z.rates; i++) {
        if (view->pairs[i].period) {
            p = ngx_slprintf(p, last, ",\"%s-%uDs\":%uL",
                             guardrail_unit_info(view->pairs[i].unit)->name,
                             view->pairs[i].period, view->pairs[i].refusals);
        }
    }

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {
        p = ngx_slprintf(p, last, ",\"%s\":%uL",
                         guardrail_unit_info(GUARDRAIL_UNIT_UPLOADS + i)->name,
                         view->level_refusals[i]);
    }

    p = ngx_slprintf(p, last, "}");
    p = ngx_http_test_zone_print_numbers(p, last, "level_used",
                                         view->level_used,
                                         GUARDRAIL_LEVEL_UNITS);
    p = ngx_http_test_zone_print_numbers(p, last, "level_limits",
                                         view->level_limits,
                                         GUARDRAIL_LEVEL_UNITS);
    p = ngx_slprintf(p, last, ",\"rows\":[");

    for (i = 0; i < view->n_rows; i++) {
        row = &view->rows[i];

        p = ngx_slprintf(p, last, "%s{\"name\":\"", i ? "," : "");

        for (k = 0; k < row->len; k++) {
            p = ngx_slprintf(p, last, row->name[k] == '\\' ? "\\%c" : "%c",
                             row->name[k]);
        }

        p = ngx_slprintf(p, last, "\",\"hashed\":%ui,\"waiting\":%uD,"
                         "\"permille\":%uD,\"idle\":%uL", row->hashed,
                         row->waiting, row->permille, row->idle);
        p = ngx_http_test_zone_print_numbers(p, last, "used", row->used,
                                             zone->z.rates);
        p = ngx_http_test_zone_print_numbers(p, last, "limits", row->limits,
                                             zone->z.rates);
        p = ngx_http_test_zone_print_numbers(p, last, "level_used",
                                             row->level_used,
                                             GUARDRAIL_LEVEL_UNITS);
        p = ngx_http_test_zone_print_numbers(p, last, "level_limits",
                                             row->level_limits,
                                             GUARDRAIL_LEVEL_UNITS);
        p = ngx_slprintf(p, last, "}");
    }

    return ngx_slprintf(p, last, "]}}\n");
}


static u_char *
ngx_http_test_zone_print_numbers(u_char *p, u_char *last, const char *name,
    uint64_t *numbers, ngx_uint_t n)
{
    ngx_uint_t  i;

    p = ngx_slprintf(p, last, ",\"%s\":[", name);

    for (i = 0; i < n; i++) {
        p = ngx_slprintf(p, last, "%s%uL", i ? "," : "", numbers[i]);
    }

    return ngx_slprintf(p, last, "]");
}


static ngx_int_t
ngx_http_test_points_handler(ngx_http_request_t *r)
{
    u_char     *p, *last;
    ngx_int_t   n;
    ngx_str_t   arg;

    if (guardrail_zone_points_set == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    p = ngx_pnalloc(r->pool, 64);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = ngx_sprintf(p, "{\"passed\":%l}\n", guardrail_zone_points_passed());

    if (ngx_http_arg(r, (u_char *) "n", 1, &arg) == NGX_OK) {
        n = ngx_atoi(arg.data, arg.len);

        if (n == NGX_ERROR) {
            return NGX_HTTP_BAD_REQUEST;
        }

        guardrail_zone_points_set((long) n);
    }

    return ngx_http_test_zone_send(r, p, last - p);
}


static ngx_int_t
ngx_http_test_zone_send(ngx_http_request_t *r, u_char *p, size_t len)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) len;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = p;
    b->last = p + len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


char *
ngx_http_test_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_test_loc_conf_t *tlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (cf->args->nelts == 1) {
        clcf->handler = ngx_http_test_points_handler;
        return NGX_CONF_OK;
    }

    tlcf->zone = value[1];
    clcf->handler = ngx_http_test_zone_handler;

    return NGX_CONF_OK;
}
