
/*
 * Copyright (C) nginx-guardrail authors
 *
 * guardrail_status as a page: its pieces, which were put together when nginx
 * was configured, and between them tables for readers without JavaScript.
 */


#include "ngx_http_guardrail_status.h"
#include "ngx_http_guardrail_page.h"


static void ngx_http_guardrail_write_tables(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_request_rows(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_refusal_rows(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_refusal_row(ngx_http_guardrail_out_t *out,
    ngx_str_t *location, ngx_uint_t verdict, const char *reason, uint64_t n);
static void ngx_http_guardrail_measure_rows(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_begin_table(ngx_http_guardrail_out_t *out,
    const char *caption, const char **heads);
static void ngx_http_guardrail_end_table(ngx_http_guardrail_out_t *out);
static void ngx_http_guardrail_begin_row(ngx_http_guardrail_out_t *out,
    ngx_str_t *name);
static void ngx_http_guardrail_cell(ngx_http_guardrail_out_t *out,
    const char *text);
static void ngx_http_guardrail_cell_u64(ngx_http_guardrail_out_t *out,
    uint64_t n);
static void ngx_http_guardrail_cell_stat(ngx_http_guardrail_out_t *out,
    ngx_uint_t stat, uint64_t value);


void
ngx_http_guardrail_write_html(ngx_http_guardrail_out_t *out, ngx_str_t *nonce)
{
    ngx_uint_t                              i;
    guardrail_fmt_t                        *f;
    const ngx_http_guardrail_page_piece_t  *piece;

    for (i = 0; i < ngx_http_guardrail_page_pieces; i++) {
        piece = &ngx_http_guardrail_page[i];

        switch (piece->kind) {

        case NGX_HTTP_GUARDRAIL_PAGE_NONCE:
            f = ngx_http_guardrail_room(out, nonce->len);
            guardrail_fmt_raw(f, (char *) nonce->data, nonce->len);
            break;

        case NGX_HTTP_GUARDRAIL_PAGE_TABLES:
            ngx_http_guardrail_write_tables(out);
            break;

        default: /* NGX_HTTP_GUARDRAIL_PAGE_TEXT */
            f = ngx_http_guardrail_room(out, piece->len);
            guardrail_fmt_raw(f, (const char *) piece->data, piece->len);
        }
    }
}


static void
ngx_http_guardrail_write_tables(ngx_http_guardrail_out_t *out)
{
    static const char  *requests[] = {
        "Location", "Passed", "Refused", "Would be refused", "Aborted", "Off",
        NULL
    };

    static const char  *refusals[] = {
        "Location", "Verdict", "Reason", "Requests", NULL
    };

    static const char  *measures[] = {
        "Location", "Measure", "Requests", "Median", "99 %", "Largest", NULL
    };

    ngx_http_guardrail_begin_table(out, "Requests", requests);
    ngx_http_guardrail_request_rows(out);
    ngx_http_guardrail_end_table(out);

    ngx_http_guardrail_begin_table(out, "Refusals", refusals);
    ngx_http_guardrail_refusal_rows(out);
    ngx_http_guardrail_end_table(out);

    ngx_http_guardrail_begin_table(out, "Bodies", measures);
    ngx_http_guardrail_measure_rows(out);
    ngx_http_guardrail_end_table(out);
}


static void
ngx_http_guardrail_request_rows(ngx_http_guardrail_out_t *out)
{
    ngx_uint_t                      i;
    ngx_http_guardrail_counters_t  *c;
    ngx_http_guardrail_series_t   **series;

    c = &ngx_http_guardrail_sum;
    series = out->gmcf->series.elts;

    for (i = 0; i < out->gmcf->series.nelts; i++) {

        if (!ngx_http_guardrail_is_shown(out, series[i])) {
            continue;
        }

        (void) ngx_http_guardrail_sum_counters(out->gmcf->stats, series[i], c);

        ngx_http_guardrail_begin_row(out, &series[i]->label);
        ngx_http_guardrail_cell_u64(out,
                          c->requests[ngx_http_guardrail_verdict_pass]);
        ngx_http_guardrail_cell_u64(out,
                          c->requests[ngx_http_guardrail_verdict_reject]);
        ngx_http_guardrail_cell_u64(out,
                          c->requests[ngx_http_guardrail_verdict_would]);
        ngx_http_guardrail_cell_u64(out,
                          c->requests[ngx_http_guardrail_verdict_aborted]);
        ngx_http_guardrail_cell_u64(out,
                          c->requests[ngx_http_guardrail_verdict_off]);
        ngx_http_guardrail_put(out, "</tr>\n");
    }
}


static void
ngx_http_guardrail_refusal_rows(ngx_http_guardrail_out_t *out)
{
    ngx_uint_t                      i, j;
    ngx_http_guardrail_counters_t  *c;
    ngx_http_guardrail_series_t   **series;

    c = &ngx_http_guardrail_sum;
    series = out->gmcf->series.elts;

    for (i = 0; i < out->gmcf->series.nelts; i++) {

        if (!ngx_http_guardrail_sum_counters(out->gmcf->stats, series[i], c)) {
            continue;
        }

        for (j = 0; j < GUARDRAIL_RC_MAX; j++) {
            ngx_http_guardrail_refusal_row(out, &series[i]->label,
                                           ngx_http_guardrail_verdict_reject,
                                           guardrail_rc_info(j)->name,
                                           c->rejected[j]);
            ngx_http_guardrail_refusal_row(out, &series[i]->label,
                                           ngx_http_guardrail_verdict_would,
                                           guardrail_rc_info(j)->name,
                                           c->would[j]);
        }
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
ngx_http_guardrail_measure_rows(ngx_http_guardrail_out_t *out)
{
    ngx_uint_t                     i, j;
    guardrail_histogram_t         *h;
    ngx_http_guardrail_series_t  **series;

    series = out->gmcf->series.elts;

    for (i = 0; i < out->gmcf->series.nelts; i++) {

        for (j = 0; j < NGX_HTTP_GUARDRAIL_STATS; j++) {
            h = &ngx_http_guardrail_sum.histograms[j];

            if (!ngx_http_guardrail_sum_histogram(out->gmcf->stats, series[i],
                                                  j, h))
            {
                continue;
            }

            ngx_http_guardrail_begin_row(out, &series[i]->label);
            ngx_http_guardrail_cell(out,
                                    ngx_http_guardrail_stat_infos[j].name);
            ngx_http_guardrail_cell_u64(out, guardrail_histogram_count(h));
            ngx_http_guardrail_cell_stat(out, j,
                                     guardrail_histogram_quantile(h, 500));
            ngx_http_guardrail_cell_stat(out, j,
                                     guardrail_histogram_quantile(h, 990));
            ngx_http_guardrail_cell_stat(out, j, h->max);
            ngx_http_guardrail_put(out, "</tr>\n");
        }
    }
}


static void
ngx_http_guardrail_begin_table(ngx_http_guardrail_out_t *out,
    const char *caption, const char **heads)
{
    ngx_http_guardrail_put(out, "<table>\n<caption>");
    ngx_http_guardrail_put(out, caption);
    ngx_http_guardrail_put(out, "</caption>\n<thead><tr>");

    for ( /* void */ ; *heads; heads++) {
        ngx_http_guardrail_put(out, "<th scope=\"col\">");
        ngx_http_guardrail_put(out, *heads);
        ngx_http_guardrail_put(out, "</th>");
    }

    ngx_http_guardrail_put(out, "</tr></thead>\n<tbody>\n");
}


static void
ngx_http_guardrail_end_table(ngx_http_guardrail_out_t *out)
{
    ngx_http_guardrail_put(out, "</tbody>\n</table>\n");
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
