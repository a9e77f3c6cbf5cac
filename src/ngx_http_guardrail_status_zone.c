
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status of zones: as JSON, with the heaviest tenants, and for
 * Prometheus, without them.  A zone is copied first, under its lock; all is
 * written from the copy.
 */


#include "ngx_http_guardrail_status.h"


typedef struct {
    const char                   *name;
    const char                   *help;
    ngx_http_guardrail_type_e     type;
    size_t                        offset;           /* in the view */
    size_t                        size;             /* of the number there */

    /* or what writes the samples */

    void                        (*write)(ngx_http_guardrail_out_t *out,
                                 const char *name, ngx_str_t *zone,
                                 ngx_http_guardrail_zone_view_t *view);
} ngx_http_guardrail_zone_family_t;


static void ngx_http_guardrail_write_counters(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_write_rates(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_write_levels(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_write_tenant(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view, ngx_uint_t row);
static void ngx_http_guardrail_zone_refusals(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_zone_leases(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_zone_used(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_zone_limit(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_zone_levels(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view,
    uint64_t *values);
static void ngx_http_guardrail_zone_age(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view);
static void ngx_http_guardrail_zone_sample(ngx_http_guardrail_out_t *out,
    const char *name, ngx_http_guardrail_type_e type, ngx_str_t *zone);
static void ngx_http_guardrail_unit_sample(ngx_http_guardrail_out_t *out,
    const char *name, const char *suffix, ngx_str_t *zone, const char *label,
    const char *value, uint64_t n);
static uint64_t ngx_http_guardrail_number_at(
    ngx_http_guardrail_zone_view_t *view, size_t offset, size_t size);


#define ngx_http_guardrail_of(field)                                          \
    offsetof(ngx_http_guardrail_zone_view_t, field),                          \
    sizeof(((ngx_http_guardrail_zone_view_t *) 0)->field), NULL


static const ngx_http_guardrail_zone_family_t
    ngx_http_guardrail_zone_families[] =
{
    { "guardrail_zone_entries",
      "Keys that a zone holds.",
      ngx_http_guardrail_gauge, ngx_http_guardrail_of(entries) },

    { "guardrail_zone_capacity_entries",
      "Keys that a zone has room for.",
      ngx_http_guardrail_gauge, ngx_http_guardrail_of(capacity) },

    { "guardrail_zone_evictions",
      "Keys that made room for others.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.evictions) },

    { "guardrail_zone_overflow_requests",
      "Requests of keys that found no room, on the shared entry.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.overflows) },

    { "guardrail_zone_refusals",
      "Requests that a quota refused.",
      ngx_http_guardrail_counter, 0, 0, ngx_http_guardrail_zone_refusals },

    { "guardrail_zone_leases",
      "Requests that have a level leased.",
      ngx_http_guardrail_gauge, 0, 0, ngx_http_guardrail_zone_leases },

    { "guardrail_zone_leased_memory_bytes",
      "Memory of backends in use, by estimate.",
      ngx_http_guardrail_gauge, ngx_http_guardrail_of(memory) },

    { "guardrail_zone_holds",
      "Leases of requests that are gone while their backend may be at work.",
      ngx_http_guardrail_gauge, ngx_http_guardrail_of(holds) },

    { "guardrail_zone_leases_reclaimed",
      "Leases of workers that died.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.reclaimed) },

    { "guardrail_zone_waiting",
      "Requests in queues.",
      ngx_http_guardrail_gauge, ngx_http_guardrail_of(waiting) },

    { "guardrail_zone_queue_timeouts",
      "Requests that waited too long.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.timeouts) },

    { "guardrail_zone_queue_abandoned",
      "Requests whose client left the queue.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.abandoned) },

    { "guardrail_zone_level_used",
      "What is used of a level, where the key of the zone is a constant.",
      ngx_http_guardrail_gauge, 0, 0, ngx_http_guardrail_zone_used },

    { "guardrail_zone_level_limit",
      "Limit of a level, where the key of the zone is a constant.",
      ngx_http_guardrail_gauge, 0, 0, ngx_http_guardrail_zone_limit },

    { "guardrail_zone_lock_forced",
      "Locks that were taken from workers that died.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.forced) },

    { "guardrail_zone_repairs",
      "Changes that were undone because a worker died in them.",
      ngx_http_guardrail_counter, ngx_http_guardrail_of(stats.repairs) },

    { "guardrail_zone_state_age_seconds",
      "Time since the state of a zone was written to its file.",
      ngx_http_guardrail_gauge, 0, 0, ngx_http_guardrail_zone_age },

    { NULL, NULL, 0, 0, 0, NULL }
};


ngx_http_guardrail_zone_view_t  ngx_http_guardrail_view;


void
ngx_http_guardrail_write_zone(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone)
{
    ngx_uint_t                       i;
    ngx_http_guardrail_zone_view_t  *view;

    view = &ngx_http_guardrail_view;

    ngx_http_guardrail_zone_snapshot(zone, view);

    ngx_http_guardrail_json_open(out, "{");
    ngx_http_guardrail_json_string(out, "zone", &zone->name);

    ngx_http_guardrail_write_counters(out, view);

    ngx_http_guardrail_json_name(out, "rates");
    ngx_http_guardrail_json_open(out, "[");
    ngx_http_guardrail_write_rates(out, view);
    ngx_http_guardrail_json_close(out, "]");

    ngx_http_guardrail_json_name(out, "levels");
    ngx_http_guardrail_json_open(out, "[");
    ngx_http_guardrail_write_levels(out, view);
    ngx_http_guardrail_json_close(out, "]");

    ngx_http_guardrail_json_name(out, "tenants");
    ngx_http_guardrail_json_open(out, "[");

    for (i = 0; i < view->n_rows && i < NGX_HTTP_GUARDRAIL_SHOWN; i++) {
        ngx_http_guardrail_write_tenant(out, view, i);
    }

    ngx_http_guardrail_json_close(out, "]");
    ngx_http_guardrail_json_close(out, "}");
}


static void
ngx_http_guardrail_write_counters(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view)
{
    size_t                                   prefix;
    const ngx_http_guardrail_zone_family_t  *family;

    /* named as for Prometheus, without what all have in common */

    prefix = sizeof("guardrail_zone_") - 1;

    for (family = ngx_http_guardrail_zone_families; family->name; family++) {

        if (family->write == NULL) {
            ngx_http_guardrail_json_u64(out, family->name + prefix,
                          ngx_http_guardrail_number_at(view, family->offset,
                                                       family->size));
        }
    }

    ngx_http_guardrail_json_name(out, "state_age_seconds");

    if (view->state_age < 0) {
        ngx_http_guardrail_put(out, "null");

    } else {
        guardrail_fmt_quotient(
                       ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER),
                       (uint64_t) view->state_age, 1000, 1);
    }

    out->comma = 1;
}


static void
ngx_http_guardrail_write_rates(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view)
{
    char                             name[GUARDRAIL_LIMIT_NAME + 1];
    ngx_uint_t                       i;
    ngx_http_guardrail_view_pair_t  *pair;

    for (i = 0; i < GUARDRAIL_ZONE_MAX_RATES; i++) {
        pair = &view->pairs[i];

        if (pair->period == 0) {
            continue;
        }

        name[guardrail_limit_name(pair->unit, pair->period, name)] = '\0';

        ngx_http_guardrail_json_open(out, "{");
        ngx_http_guardrail_json_text(out, "item", name);
        ngx_http_guardrail_json_text(out, "unit",
                                     guardrail_unit_info(pair->unit)->name);
        ngx_http_guardrail_json_u64(out, "period", pair->period);
        ngx_http_guardrail_json_u64(out, "refusals", pair->refusals);
        ngx_http_guardrail_json_close(out, "}");
    }
}


static void
ngx_http_guardrail_write_levels(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view)
{
    ngx_uint_t  i;

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {
        ngx_http_guardrail_json_open(out, "{");
        ngx_http_guardrail_json_text(out, "unit",
                             ngx_http_guardrail_level_name(i));
        ngx_http_guardrail_json_u64(out, "leases", view->leases[i]);
        ngx_http_guardrail_json_u64(out, "refusals", view->level_refusals[i]);

        if (view->constant && view->level_limits[i]) {
            ngx_http_guardrail_json_u64(out, "used", view->level_used[i]);
            ngx_http_guardrail_json_limit(out, "limit",
                                          view->level_limits[i]);
        }

        ngx_http_guardrail_json_close(out, "}");
    }
}


static void
ngx_http_guardrail_write_tenant(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_view_t *view, ngx_uint_t row)
{
    ngx_str_t                        tenant;
    ngx_uint_t                       i, n;
    ngx_http_guardrail_view_row_t   *r;
    ngx_http_guardrail_view_item_t   items[NGX_HTTP_GUARDRAIL_VIEW_ITEMS];

    r = &view->rows[row];

    tenant.data = r->name;
    tenant.len = r->len;

    ngx_http_guardrail_json_open(out, "{");
    ngx_http_guardrail_json_string(out, "tenant", &tenant);

    ngx_http_guardrail_json_name(out, "items");
    ngx_http_guardrail_json_open(out, "[");

    n = ngx_http_guardrail_view_items(view, r, items);

    for (i = 0; i < n; i++) {
        ngx_http_guardrail_json_open(out, "{");
        ngx_http_guardrail_json_text(out, "item", items[i].name);
        ngx_http_guardrail_json_u64(out, "used", items[i].used);

        if (items[i].limit) {
            ngx_http_guardrail_json_limit(out, "limit", items[i].limit);
        }

        ngx_http_guardrail_json_close(out, "}");
    }

    ngx_http_guardrail_json_close(out, "]");
    ngx_http_guardrail_json_u64(out, "waiting", r->waiting);
    ngx_http_guardrail_json_close(out, "}");
}


ngx_uint_t
ngx_http_guardrail_view_items(ngx_http_guardrail_zone_view_t *view,
    ngx_http_guardrail_view_row_t *row, ngx_http_guardrail_view_item_t *items)
{
    ngx_uint_t                       i, n;
    ngx_http_guardrail_view_pair_t  *pair;

    for (n = 0, i = 0; i < GUARDRAIL_ZONE_MAX_RATES; i++) {
        pair = &view->pairs[i];

        if (pair->period && (row->used[i] || row->limits[i])) {
            items[n].name[guardrail_limit_name(pair->unit, pair->period,
                                               items[n].name)] = '\0';
            items[n].used = row->used[i];
            items[n++].limit = row->limits[i];
        }
    }

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {

        if (row->level_used[i] || row->level_limits[i]) {
            items[n].name[guardrail_limit_name(GUARDRAIL_UNIT_UPLOADS + i, 0,
                                               items[n].name)] = '\0';
            items[n].used = row->level_used[i];
            items[n++].limit = row->level_limits[i];
        }
    }

    return n;
}


const char *
ngx_http_guardrail_level_name(ngx_uint_t level)
{
    return guardrail_unit_info(GUARDRAIL_UNIT_UPLOADS + level)->name;
}


/*
 * A family for all zones in each step, named even if there are none; before
 * them, each zone is copied.  Copies leave tenants out, which are no labels.
 */

ngx_int_t
ngx_http_guardrail_step_zones(ngx_http_guardrail_out_t *out)
{
    u_char                                  *p;
    size_t                                   size;
    ngx_uint_t                               i, n;
    ngx_http_guardrail_zone_t              **zones;
    ngx_http_guardrail_zone_view_t          *view;
    const ngx_http_guardrail_zone_family_t  *family;

    n = out->gmcf->zones.nelts;
    zones = out->gmcf->zones.elts;

    size = offsetof(ngx_http_guardrail_zone_view_t, n_rows);

    if (out->failed) {
        return NGX_OK;
    }

    if (n && out->views == NULL) {
        out->views = ngx_palloc(out->request->pool, n * size);

        if (out->views == NULL) {
            out->failed = 1;
            return NGX_OK;
        }
    }

    p = out->views;

    if (out->index < n) {
        ngx_http_guardrail_zone_snapshot(zones[out->index],
                                         &ngx_http_guardrail_view);
        ngx_memcpy(p + out->index++ * size, &ngx_http_guardrail_view, size);

        return NGX_AGAIN;
    }

    family = &ngx_http_guardrail_zone_families[out->index - n];

    if (family->name == NULL) {
        return NGX_OK;
    }

    out->index++;

    ngx_http_guardrail_head(out, family->name, family->type, family->help);

    for (i = 0; i < n; i++) {
        view = (ngx_http_guardrail_zone_view_t *) (void *) (p + i * size);

        if (family->write) {
            family->write(out, family->name, &zones[i]->name, view);
            continue;
        }

        ngx_http_guardrail_zone_sample(out, family->name, family->type,
                                       &zones[i]->name);
        ngx_http_guardrail_end_sample(out,
                          ngx_http_guardrail_number_at(view, family->offset,
                                                       family->size));
    }

    return NGX_AGAIN;
}


static void
ngx_http_guardrail_zone_refusals(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view)
{
    char        item[GUARDRAIL_LIMIT_NAME + 1];
    ngx_uint_t  i;

    for (i = 0; i < GUARDRAIL_ZONE_MAX_RATES; i++) {

        if (view->pairs[i].period && view->pairs[i].refusals) {
            item[guardrail_limit_name(view->pairs[i].unit,
                                      view->pairs[i].period, item)] = '\0';

            ngx_http_guardrail_unit_sample(out, name, "_total", zone, "item",
                                           item, view->pairs[i].refusals);
        }
    }

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {

        if (view->level_refusals[i]) {
            ngx_http_guardrail_unit_sample(out, name, "_total", zone, "item",
                                           ngx_http_guardrail_level_name(i),
                                           view->level_refusals[i]);
        }
    }
}


static void
ngx_http_guardrail_zone_leases(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view)
{
    ngx_uint_t  i;

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {
        ngx_http_guardrail_unit_sample(out, name, "", zone, "unit",
                                       ngx_http_guardrail_level_name(i),
                                       view->leases[i]);
    }
}


static void
ngx_http_guardrail_zone_used(ngx_http_guardrail_out_t *out, const char *name,
    ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view)
{
    ngx_http_guardrail_zone_levels(out, name, zone, view, view->level_used);
}


static void
ngx_http_guardrail_zone_limit(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view)
{
    ngx_http_guardrail_zone_levels(out, name, zone, view, view->level_limits);
}


/* where the key is a constant, of levels that have a limit */

static void
ngx_http_guardrail_zone_levels(ngx_http_guardrail_out_t *out,
    const char *name, ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view,
    uint64_t *values)
{
    ngx_uint_t  i;

    for (i = 0; i < GUARDRAIL_LEVEL_UNITS; i++) {

        if (view->constant && view->level_limits[i]
            && values[i] != GUARDRAIL_NO_LIMIT)
        {
            ngx_http_guardrail_unit_sample(out, name, "", zone, "unit",
                                           ngx_http_guardrail_level_name(i),
                                           values[i]);
        }
    }
}


static void
ngx_http_guardrail_zone_age(ngx_http_guardrail_out_t *out, const char *name,
    ngx_str_t *zone, ngx_http_guardrail_zone_view_t *view)
{
    guardrail_fmt_t  *f;

    if (view->state_age < 0) {
        return;
    }

    ngx_http_guardrail_zone_sample(out, name, ngx_http_guardrail_gauge, zone);

    f = ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER + 3);

    guardrail_fmt_text(f, "} ");
    guardrail_fmt_quotient(f, (uint64_t) view->state_age, 1000, 1);
    guardrail_fmt_text(f, "\n");
}


static void
ngx_http_guardrail_zone_sample(ngx_http_guardrail_out_t *out,
    const char *name, ngx_http_guardrail_type_e type, ngx_str_t *zone)
{
    ngx_http_guardrail_sample(out, name, (type == ngx_http_guardrail_counter)
                                         ? "_total" : "");
    ngx_http_guardrail_label(out, "zone", zone);
}


static void
ngx_http_guardrail_unit_sample(ngx_http_guardrail_out_t *out,
    const char *name, const char *suffix, ngx_str_t *zone, const char *label,
    const char *value, uint64_t n)
{
    ngx_str_t  s;

    s.data = (u_char *) (uintptr_t) value;
    s.len = ngx_strlen(value);

    ngx_http_guardrail_sample(out, name, suffix);
    ngx_http_guardrail_label(out, "zone", zone);
    ngx_http_guardrail_label(out, label, &s);
    ngx_http_guardrail_end_sample(out, n);
}


static uint64_t
ngx_http_guardrail_number_at(ngx_http_guardrail_zone_view_t *view,
    size_t offset, size_t size)
{
    u_char  *p;

    p = (u_char *) view + offset;

    return (size == sizeof(uint32_t)) ? *(uint32_t *) (void *) p
                                      : *(uint64_t *) (void *) p;
}
