
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status as a page: its pieces, which were put together when nginx
 * was configured, and between them tables for readers without JavaScript.
 */


#include "ngx_http_guardrail_status.h"
#include "ngx_http_guardrail_page.h"


/* rows for each series, or for each zone; heads end with NULL */

typedef struct {
    const char   *caption;
    const char  **heads;
    void        (*series)(ngx_http_guardrail_out_t *out,
                 ngx_http_guardrail_series_t *series);
    void        (*zone)(ngx_http_guardrail_out_t *out,
                 ngx_http_guardrail_zone_t *zone);
} ngx_http_guardrail_table_t;


static ngx_int_t ngx_http_guardrail_step_tables(
    ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_request_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series);
static void ngx_http_guardrail_refusal_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series);
static void ngx_http_guardrail_refusal_row(ngx_http_guardrail_out_t *out,
    ngx_str_t *location, ngx_uint_t verdict, const char *reason, uint64_t n);
static void ngx_http_guardrail_measure_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series);
static void ngx_http_guardrail_zone_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone);
static void ngx_http_guardrail_tenant_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone);
static void ngx_http_guardrail_tenant_row(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone, ngx_http_guardrail_view_row_t *row,
    ngx_http_guardrail_view_item_t *item);
static void ngx_http_guardrail_begin_table(ngx_http_guardrail_out_t *out,
    const ngx_http_guardrail_table_t *table);
static void ngx_http_guardrail_begin_row(ngx_http_guardrail_out_t *out,
    ngx_str_t *name);
static void ngx_http_guardrail_cell(ngx_http_guardrail_out_t *out,
    const char *text);
static void ngx_http_guardrail_cell_u64(ngx_http_guardrail_out_t *out,
    uint64_t n);
static void ngx_http_guardrail_cell_stat(ngx_http_guardrail_out_t *out,
    ngx_uint_t stat, uint64_t value);


static const char  *ngx_http_guardrail_request_heads[] = {
    "Location", "Passed", "Refused", "Would be refused", "Aborted", "Off",
    NULL
};


static const char  *ngx_http_guardrail_refusal_heads[] = {
    "Location", "Verdict", "Reason", "Requests", NULL
};


static const char  *ngx_http_guardrail_measure_heads[] = {
    "Location", "Measure", "Requests", "Median", "99 %", "Largest", NULL
};


static const char  *ngx_http_guardrail_zone_heads[] = {
    "Zone", "Keys", "Room for keys", "Requests at work", "Memory at work",
    "Waiting", "Timed out", NULL
};


static const char  *ngx_http_guardrail_tenant_heads[] = {
    "Zone", "Tenant", "Quota", "Used", "Limit", NULL
};


static const ngx_http_guardrail_table_t  ngx_http_guardrail_tables[] = {

    { "Requests", ngx_http_guardrail_request_heads,
      ngx_http_guardrail_request_rows, NULL },

    { "Refusals", ngx_http_guardrail_refusal_heads,
      ngx_http_guardrail_refusal_rows, NULL },

    { "Bodies", ngx_http_guardrail_measure_heads,
      ngx_http_guardrail_measure_rows, NULL },

    { "Zones", ngx_http_guardrail_zone_heads,
      NULL, ngx_http_guardrail_zone_rows },

    { "Heaviest tenants", ngx_http_guardrail_tenant_heads,
      NULL, ngx_http_guardrail_tenant_rows },

    { NULL, NULL, NULL, NULL }
};


/* a piece of the page, or a step of the tables in it */

ngx_int_t
ngx_http_guardrail_step_html(ngx_http_guardrail_out_t *out)
{
    guardrail_fmt_t                        *f;
    const ngx_http_guardrail_page_piece_t  *piece;

    if (out->section == ngx_http_guardrail_page_pieces) {
        return NGX_OK;
    }

    piece = &ngx_http_guardrail_page[out->section];

    switch (piece->kind) {

    case NGX_HTTP_GUARDRAIL_PAGE_NONCE:
        f = ngx_http_guardrail_room(out, out->nonce.len);
        guardrail_fmt_raw(f, (char *) out->nonce.data, out->nonce.len);
        break;

    case NGX_HTTP_GUARDRAIL_PAGE_TABLES:

        if (ngx_http_guardrail_step_tables(out) != NGX_OK) {
            return NGX_AGAIN;
        }

        break;

    default: /* NGX_HTTP_GUARDRAIL_PAGE_TEXT */
        f = ngx_http_guardrail_room(out, piece->len);
        guardrail_fmt_raw(f, (const char *) piece->data, piece->len);
    }

    out->section++;

    return NGX_AGAIN;
}


/* the rows of a series or a zone in each step */

static ngx_int_t
ngx_http_guardrail_step_tables(ngx_http_guardrail_out_t *out)
{
    ngx_uint_t                         n;
    ngx_http_guardrail_zone_t        **zones;
    ngx_http_guardrail_series_t      **series;
    const ngx_http_guardrail_table_t  *table;

    table = &ngx_http_guardrail_tables[out->table];

    if (table->caption == NULL) {
        return NGX_OK;
    }

    series = out->gmcf->series.elts;
    zones = out->gmcf->zones.elts;

    n = table->series ? out->gmcf->series.nelts : out->gmcf->zones.nelts;

    if (out->index == 0) {
        ngx_http_guardrail_begin_table(out, table);
    }

    if (out->index < n) {

        if (table->series) {
            table->series(out, series[out->index++]);

        } else {
            table->zone(out, zones[out->index++]);
        }

    } else {
        ngx_http_guardrail_put(out, "</tbody>\n</table>\n");

        out->table++;
        out->index = 0;
    }

    return NGX_AGAIN;
}


static void
ngx_http_guardrail_request_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series)
{
    ngx_uint_t                      i;
    ngx_http_guardrail_counters_t  *c;

    static const ngx_http_guardrail_verdict_e  order[] = {
        ngx_http_guardrail_verdict_pass,
        ngx_http_guardrail_verdict_reject,
        ngx_http_guardrail_verdict_would,
        ngx_http_guardrail_verdict_aborted,
        ngx_http_guardrail_verdict_off
    };

    if (!ngx_http_guardrail_is_shown(out, series)) {
        return;
    }

    c = &ngx_http_guardrail_sum;

    (void) ngx_http_guardrail_sum_counters(out->gmcf->stats, series, c);

    ngx_http_guardrail_begin_row(out, &series->label);

    for (i = 0; i < NGX_HTTP_GUARDRAIL_VERDICTS; i++) {
        ngx_http_guardrail_cell_u64(out, c->requests[order[i]]);
    }

    ngx_http_guardrail_put(out, "</tr>\n");
}


static void
ngx_http_guardrail_refusal_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series)
{
    ngx_uint_t                      i;
    ngx_http_guardrail_counters_t  *c;

    c = &ngx_http_guardrail_sum;

    if (!ngx_http_guardrail_sum_counters(out->gmcf->stats, series, c)) {
        return;
    }

    for (i = 0; i < GUARDRAIL_RC_MAX; i++) {
        ngx_http_guardrail_refusal_row(out, &series->label,
                                       ngx_http_guardrail_verdict_reject,
                                       guardrail_rc_info(i)->name,
                                       c->rejected[i]);
        ngx_http_guardrail_refusal_row(out, &series->label,
                                       ngx_http_guardrail_verdict_would,
                                       guardrail_rc_info(i)->name,
                                       c->would[i]);
    }
}


static void
ngx_http_guardrail_refusal_row(ngx_http_guardrail_out_t *out,
    ngx_str_t *location, ngx_uint_t verdict, const char *reason, uint64_t n)
{
    if (n == 0) {
        return;
    }

    ngx_http_guardrail_begin_row(out, location);
    ngx_http_guardrail_cell(out, ngx_http_guardrail_verdict_name(verdict));
    ngx_http_guardrail_cell(out, reason);
    ngx_http_guardrail_cell_u64(out, n);
    ngx_http_guardrail_put(out, "</tr>\n");
}


static void
ngx_http_guardrail_measure_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_series_t *series)
{
    ngx_uint_t              i;
    guardrail_histogram_t  *h;

    for (i = 0; i < NGX_HTTP_GUARDRAIL_STATS; i++) {
        h = &ngx_http_guardrail_sum.histograms[i];

        if (!ngx_http_guardrail_sum_histogram(out->gmcf->stats, series, i, h))
        {
            continue;
        }

        ngx_http_guardrail_begin_row(out, &series->label);
        ngx_http_guardrail_cell(out, ngx_http_guardrail_stat_infos[i].name);
        ngx_http_guardrail_cell_u64(out, guardrail_histogram_count(h));
        ngx_http_guardrail_cell_stat(out, i,
                                     guardrail_histogram_quantile(h, 500));
        ngx_http_guardrail_cell_stat(out, i,
                                     guardrail_histogram_quantile(h, 990));
        ngx_http_guardrail_cell_stat(out, i, h->max);
        ngx_http_guardrail_put(out, "</tr>\n");
    }
}


static void
ngx_http_guardrail_zone_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone)
{
    ngx_http_guardrail_zone_view_t  *view;

    view = &ngx_http_guardrail_view;

    ngx_http_guardrail_zone_snapshot(zone, view);

    ngx_http_guardrail_begin_row(out, &zone->name);
    ngx_http_guardrail_cell_u64(out, view->entries);
    ngx_http_guardrail_cell_u64(out, view->capacity);
    ngx_http_guardrail_cell_u64(out,
                                view->leases[GUARDRAIL_LEVEL_CONCURRENCY]);
    ngx_http_guardrail_cell_u64(out, view->memory);
    ngx_http_guardrail_cell_u64(out, view->waiting);
    ngx_http_guardrail_cell_u64(out, view->stats.timeouts);
    ngx_http_guardrail_put(out, "</tr>\n");
}


static void
ngx_http_guardrail_tenant_rows(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone)
{
    ngx_uint_t                       i, j, n;
    ngx_http_guardrail_zone_view_t  *view;
    ngx_http_guardrail_view_item_t   items[NGX_HTTP_GUARDRAIL_VIEW_ITEMS];

    view = &ngx_http_guardrail_view;

    ngx_http_guardrail_zone_snapshot(zone, view);

    for (i = 0; i < view->n_rows && i < NGX_HTTP_GUARDRAIL_SHOWN; i++) {
        n = ngx_http_guardrail_view_items(view, &view->rows[i], items);

        for (j = 0; j < n; j++) {

            if (items[j].used) {
                ngx_http_guardrail_tenant_row(out, zone, &view->rows[i],
                                              &items[j]);
            }
        }
    }
}


static void
ngx_http_guardrail_tenant_row(ngx_http_guardrail_out_t *out,
    ngx_http_guardrail_zone_t *zone, ngx_http_guardrail_view_row_t *row,
    ngx_http_guardrail_view_item_t *item)
{
    ngx_http_guardrail_begin_row(out, &zone->name);

    ngx_http_guardrail_put(out, "<td>");
    guardrail_fmt_html(ngx_http_guardrail_room(out, 6 * row->len),
                       (char *) row->name, row->len);
    ngx_http_guardrail_put(out, "</td>");

    ngx_http_guardrail_cell(out, item->name);
    ngx_http_guardrail_cell_u64(out, item->used);

    if (item->limit && item->limit != GUARDRAIL_NO_LIMIT) {
        ngx_http_guardrail_cell_u64(out, item->limit);

    } else {
        ngx_http_guardrail_cell(out, "");
    }

    ngx_http_guardrail_put(out, "</tr>\n");
}


static void
ngx_http_guardrail_begin_table(ngx_http_guardrail_out_t *out,
    const ngx_http_guardrail_table_t *table)
{
    const char  **head;

    ngx_http_guardrail_put(out, "<table>\n<caption>");
    ngx_http_guardrail_put(out, table->caption);
    ngx_http_guardrail_put(out, "</caption>\n<thead><tr>");

    for (head = table->heads; *head; head++) {
        ngx_http_guardrail_put(out, "<th scope=\"col\">");
        ngx_http_guardrail_put(out, *head);
        ngx_http_guardrail_put(out, "</th>");
    }

    ngx_http_guardrail_put(out, "</tr></thead>\n<tbody>\n");
}


/* a byte is six at most when it is escaped */

static void
ngx_http_guardrail_begin_row(ngx_http_guardrail_out_t *out, ngx_str_t *name)
{
    ngx_http_guardrail_put(out, "<tr><th scope=\"row\">");

    guardrail_fmt_html(ngx_http_guardrail_room(out, 6 * name->len),
                       (char *) name->data, name->len);

    ngx_http_guardrail_put(out, "</th>");
}


/* text of ours */

static void
ngx_http_guardrail_cell(ngx_http_guardrail_out_t *out, const char *text)
{
    ngx_http_guardrail_put(out, "<td>");
    ngx_http_guardrail_put(out, text);
    ngx_http_guardrail_put(out, "</td>");
}


static void
ngx_http_guardrail_cell_u64(ngx_http_guardrail_out_t *out, uint64_t n)
{
    ngx_http_guardrail_put(out, "<td>");
    guardrail_fmt_u64(ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER), n);
    ngx_http_guardrail_put(out, "</td>");
}


static void
ngx_http_guardrail_cell_stat(ngx_http_guardrail_out_t *out, ngx_uint_t stat,
    uint64_t value)
{
    ngx_http_guardrail_put(out, "<td>");
    ngx_http_guardrail_fmt_stat(
                       ngx_http_guardrail_room(out, GUARDRAIL_FMT_NUMBER),
                       stat, value);
    ngx_http_guardrail_put(out, "</td>");
}
