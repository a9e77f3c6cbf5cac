
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What status shows of a zone.  Under the lock it is only copied, and a few
 * rows at a time; windows are read and names are made printable outside.
 */


#include "ngx_http_guardrail_module.h"


/* each may miss the cache: 16 of a million keys took 2 to 3 us, measured */

#define NGX_HTTP_GUARDRAIL_ROWS  16


static void ngx_http_guardrail_copy_head(ngx_http_guardrail_zone_t *zone,
    ngx_http_guardrail_zone_view_t *view, guardrail_pair_t *pairs);
static void ngx_http_guardrail_copy_rows(ngx_http_guardrail_zone_t *zone,
    ngx_http_guardrail_zone_view_t *view, guardrail_pair_t *pairs);
static void ngx_http_guardrail_read_row(ngx_http_guardrail_view_row_t *row,
    guardrail_heavy_copy_t *copy, ngx_http_guardrail_zone_view_t *view);
static uint32_t ngx_http_guardrail_permille(uint64_t used, uint64_t limit);
static int ngx_libc_cdecl ngx_http_guardrail_cmp_rows(const void *one,
    const void *two);


void
ngx_http_guardrail_zone_snapshot(ngx_http_guardrail_zone_t *zone,
    ngx_http_guardrail_zone_view_t *view)
{
    guardrail_pair_t  pairs[GUARDRAIL_ZONE_MAX_RATES];

    ngx_memzero(view, offsetof(ngx_http_guardrail_zone_view_t, rows));

    view->now = ngx_http_guardrail_now(zone);
    view->capacity = zone->z.n_entries;
    view->constant = zone->constant;

    ngx_http_guardrail_copy_head(zone, view, pairs);
    ngx_http_guardrail_copy_rows(zone, view, pairs);

    ngx_qsort(view->rows, view->n_rows, sizeof(ngx_http_guardrail_view_row_t),
              ngx_http_guardrail_cmp_rows);
}


static void
ngx_http_guardrail_copy_head(ngx_http_guardrail_zone_t *zone,
    ngx_http_guardrail_zone_view_t *view, guardrail_pair_t *pairs)
{
    uint64_t                written;
    ngx_uint_t              i;
    guardrail_key_t         key;
    guardrail_entry_t      *e;
    guardrail_zone_head_t  *head;

    head = zone->z.head;
    e = NULL;

    if (zone->constant) {
        guardrail_siphash(ngx_http_guardrail_secret, zone->key.value.data,
                          zone->key.value.len, key.hash);
    }

    ngx_http_guardrail_lock(zone);

    /* what has ended, and nobody has looked since */

    guardrail_level_expire_locked(&zone->z, view->now);

    view->entries = head->entries;
    view->holds = head->holds;
    view->waiting = head->waiting;
    view->memory = head->memory;
    view->stats = head->stats;

    ngx_memcpy(view->leases, head->leases, sizeof(view->leases));
    ngx_memcpy(pairs, head->pairs, sizeof(head->pairs));

    written = head->written ? head->written : head->created;

    if (zone->constant) {
        e = guardrail_key_peek_locked(&zone->z, &key);
    }

    if (e && e->level) {
        ngx_memcpy(view->level_used, zone->z.levels[e->level - 1].used,
                   sizeof(view->level_used));
    }

    ngx_http_guardrail_unlock(zone);

    for (i = 0; i < zone->z.rates; i++) {

        if (pairs[i].unit) {
            view->pairs[i].unit = (guardrail_unit_e) (pairs[i].unit - 1);
            view->pairs[i].period = pairs[i].period;
            view->pairs[i].refusals = view->stats.refusals[i];
        }
    }

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {
        view->level_refusals[i] =
                           view->stats.refusals[GUARDRAIL_ZONE_MAX_RATES + i];

        if (zone->constant) {
            view->level_limits[i] = zone->levels[i];
        }
    }

    view->state_age = -1;

    if (zone->state.len) {
        view->state_age = (view->now > written)
                          ? (int64_t) (view->now - written) : 0;
    }
}


static void
ngx_http_guardrail_copy_rows(ngx_http_guardrail_zone_t *zone,
    ngx_http_guardrail_zone_view_t *view, guardrail_pair_t *pairs)
{
    uint32_t                        from, i, k, n, other;
    guardrail_heavy_copy_t          copies[NGX_HTTP_GUARDRAIL_ROWS];
    ngx_http_guardrail_view_row_t  *row;

    for (from = 0; from < zone->z.n_heavy; /* void */ ) {

        ngx_http_guardrail_lock(zone);

        n = guardrail_heavy_copy_locked(&zone->z, &from,
                                        NGX_HTTP_GUARDRAIL_ROWS, copies);

        /* the room of a pair may be another's by now */

        for (other = 0, k = 0; k < zone->z.rates; k++) {
            other |= (uint32_t) (zone->z.head->pairs[k].serial
                                 != pairs[k].serial) << k;
        }

        ngx_http_guardrail_unlock(zone);

        for (i = 0; i < n; i++) {
            row = &view->rows[view->n_rows++];

            ngx_memzero(row, sizeof(ngx_http_guardrail_view_row_t));

            for (k = 0; k < zone->z.rates; k++) {
                if (other & ((uint32_t) 1 << k)) {
                    copies[i].limits[k] = 0;
                }
            }

            ngx_http_guardrail_read_row(row, &copies[i], view);
        }
    }

    /* of a variable LIMIT the directives do not tell */

    for (i = 0; view->constant && view->n_rows == 1
                && i < GUARDRAIL_LEVEL_UNITS;
         i++)
    {
        if (view->level_limits[i] == 0) {
            view->level_limits[i] = view->rows[0].level_limits[i];
        }
    }
}


static void
ngx_http_guardrail_read_row(ngx_http_guardrail_view_row_t *row,
    guardrail_heavy_copy_t *copy, ngx_http_guardrail_zone_view_t *view)
{
    u_char    *last;
    uint32_t   k, permille;
    uint64_t   then;

    if (copy->len) {
        last = ngx_http_guardrail_escape(row->name, copy->name, copy->len);

    } else {
        last = ngx_sprintf(row->name, "%016xL", copy->hash[0]);
        row->hashed = 1;
    }

    row->len = (size_t) (last - row->name);
    row->waiting = copy->waiting;

    then = (uint64_t) copy->last_use * 1000;
    row->idle = (view->now > then) ? view->now - then : 0;
    row->idle -= row->idle % 1000;

    for (k = 0; k < GUARDRAIL_ZONE_MAX_RATES; k++) {

        if (copy->limits[k] == 0 || view->pairs[k].period == 0) {
            continue;
        }

        row->limits[k] = copy->limits[k];
        row->used[k] = guardrail_window_used(&copy->windows[k],
                                             view->pairs[k].period, view->now);

        permille = ngx_http_guardrail_permille(row->used[k], row->limits[k]);
        row->permille = ngx_max(row->permille, permille);
    }

    for (k = 0; k < GUARDRAIL_LEVEL_UNITS; k++) {
        row->level_used[k] = copy->used[k];
        row->level_limits[k] = copy->levels[k];

        if (copy->levels[k]) {
            permille = ngx_http_guardrail_permille(copy->used[k],
                                                   copy->levels[k]);
            row->permille = ngx_max(row->permille, permille);
        }
    }
}


/* it is for an order and a bar: a double will do */

static uint32_t
ngx_http_guardrail_permille(uint64_t used, uint64_t limit)
{
    double  part;

    part = (double) used * 1000 / (double) limit;

    return (part < 1e9) ? (uint32_t) part : 1000000000;
}


static int ngx_libc_cdecl
ngx_http_guardrail_cmp_rows(const void *one, const void *two)
{
    const ngx_http_guardrail_view_row_t  *a = one;
    const ngx_http_guardrail_view_row_t  *b = two;

    if (a->permille != b->permille) {
        return (a->permille > b->permille) ? -1 : 1;
    }

    /* those below a thousandth, too */

    return (a->idle > b->idle) - (a->idle < b->idle);
}
