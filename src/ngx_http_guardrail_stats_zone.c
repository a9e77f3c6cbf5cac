
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Memory of counters.  The master finds a row for each label when it makes
 * the memory, or takes over that of the configuration before: it takes no
 * lock, and workers of before know nothing of new rows.  Where there is no
 * room for new labels the memory is made anew, and what was counted until
 * then is copied.
 */


#include "ngx_http_guardrail_module.h"


/* of the layout, beside what the sizes of structures tell */

#define NGX_HTTP_GUARDRAIL_STATS_VERSION  2

#define NGX_HTTP_GUARDRAIL_STATS_ROWS     16    /* at least */


static ngx_http_guardrail_stats_t *ngx_http_guardrail_old_stats(void);
static uint32_t ngx_http_guardrail_stats_capacity(
    ngx_http_guardrail_main_conf_t *gmcf, ngx_http_guardrail_stats_t *old);
static uint32_t ngx_http_guardrail_stats_slots(uint32_t capacity);
static size_t ngx_http_guardrail_stats_size(uint32_t capacity,
    uint32_t slots);
static ngx_int_t ngx_http_guardrail_make_stats(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_uint_t ngx_http_guardrail_find_row(
    ngx_http_guardrail_stats_t *stats, ngx_http_guardrail_series_t *series,
    uint32_t *row);
static ngx_int_t ngx_http_guardrail_find_rows(
    ngx_http_guardrail_stats_t *stats);
static void ngx_http_guardrail_find_counters(
    ngx_http_guardrail_main_conf_t *gmcf);
static void ngx_http_guardrail_copy_stats(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_stats_t *old);


/* zones have no space in their names */

static ngx_str_t  ngx_http_guardrail_stats_name =
    ngx_string("guardrail status");

static ngx_http_guardrail_gauges_t  ngx_http_guardrail_no_gauges;

ngx_http_guardrail_gauges_t  *ngx_http_guardrail_gauges =
    &ngx_http_guardrail_no_gauges;

ngx_http_guardrail_stats_head_t  *ngx_http_guardrail_mapped;


ngx_int_t
ngx_http_guardrail_add_series(ngx_conf_t *cf, void *conf, ngx_str_t *label)
{
    char                             *text;
    ngx_str_t                         name;
    ngx_uint_t                        i;
    guardrail_fmt_t                   f;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_guardrail_where_t       *where;
    ngx_http_guardrail_series_t      *s, **series;
    ngx_http_guardrail_loc_conf_t    *glcf = conf;
    ngx_http_guardrail_main_conf_t   *gmcf;

    static const uint8_t  key[GUARDRAIL_SIPHASH_KEY];

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    name.len = cscf->server_name.len + 1 + clcf->name.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(name.data, "%V %V", &cscf->server_name, &clcf->name);

    /* a server without a name, or a place without a location */

    while (name.len && name.data[0] == ' ') {
        name.data++;
        name.len--;
    }

    while (name.len && name.data[name.len - 1] == ' ') {
        name.len--;
    }

    if (name.len == 0) {
        ngx_str_set(&name, "(server)");
    }

    if (label->len == 0) {
        label = &name;
    }

    /* as text: two series of one name are an error for who scrapes them */

    text = ngx_pnalloc(cf->pool, 3 * label->len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    guardrail_fmt_init(&f, text, 3 * label->len);
    guardrail_fmt_name(&f, (char *) label->data, label->len);

    label->data = (u_char *) text;
    label->len = (size_t) (f.pos - text);

    series = gmcf->series.elts;
    s = NULL;

    for (i = 0; i < gmcf->series.nelts; i++) {
        if (series[i]->label.len == label->len
            && ngx_strncmp(series[i]->label.data, label->data, label->len)
               == 0)
        {
            s = series[i];
            break;
        }
    }

    if (s == NULL) {
        s = ngx_pcalloc(cf->pool, sizeof(ngx_http_guardrail_series_t));
        if (s == NULL) {
            return NGX_ERROR;
        }

        s->label = *label;
        guardrail_siphash(key, label->data, label->len, s->hash);

        if (ngx_array_init(&s->confs, cf->pool, 1,
                           sizeof(ngx_http_guardrail_where_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        series = ngx_array_push(&gmcf->series);
        if (series == NULL) {
            return NGX_ERROR;
        }

        *series = s;
    }

    glcf->series = s;

    if (clcf->noname && s->confs.nelts) {

        /* an "if", or limit_except: it has all of its location's */

        return NGX_OK;
    }

    where = ngx_array_push(&s->confs);
    if (where == NULL) {
        return NGX_ERROR;
    }

    where->name = name;
    where->server = (clcf->name.len == 0);
    where->conf = conf;

    return NGX_OK;
}


ngx_int_t
ngx_http_guardrail_add_stats(ngx_conf_t *cf)
{
    ngx_http_guardrail_stats_t      *stats;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guardrail_module);

    if (gmcf->series.nelts == 0 && gmcf->pages.nelts == 0) {
        return NGX_OK;
    }

    stats = ngx_pcalloc(cf->pool, sizeof(ngx_http_guardrail_stats_t));
    if (stats == NULL) {
        return NGX_ERROR;
    }

    stats->gmcf = gmcf;
    stats->capacity = ngx_http_guardrail_stats_capacity(gmcf,
                                            ngx_http_guardrail_old_stats());
    stats->slots = ngx_http_guardrail_stats_slots(stats->capacity);

    stats->shm_zone = ngx_shared_memory_add(cf,
                               &ngx_http_guardrail_stats_name,
                               ngx_http_guardrail_stats_size(stats->capacity,
                                                             stats->slots),
                               &ngx_http_guardrail_stats_name);
    if (stats->shm_zone == NULL) {
        return NGX_ERROR;
    }

    stats->shm_zone->init = ngx_http_guardrail_make_stats;
    stats->shm_zone->data = stats;

    gmcf->stats = stats;

    return NGX_OK;
}


/* those of the configuration before this one */

static ngx_http_guardrail_stats_t *
ngx_http_guardrail_old_stats(void)
{
    ngx_shm_zone_t  *old;

    old = ngx_http_guardrail_old_zone(&ngx_http_guardrail_stats_name,
                                      &ngx_http_guardrail_stats_name);

    return old ? old->data : NULL;
}


/* that of before, if new labels have room beside all that were counted */

static uint32_t
ngx_http_guardrail_stats_capacity(ngx_http_guardrail_main_conf_t *gmcf,
    ngx_http_guardrail_stats_t *old)
{
    uint32_t                       row, rows, capacity;
    ngx_uint_t                     i;
    ngx_http_guardrail_series_t  **series;

    for (capacity = NGX_HTTP_GUARDRAIL_STATS_ROWS;
         capacity < gmcf->series.nelts;
         capacity *= 2)
    {
        /* void */
    }

    if (old == NULL) {
        return capacity;
    }

    series = gmcf->series.elts;
    rows = (uint32_t) old->head->rows;

    for (i = 0; i < gmcf->series.nelts; i++) {
        if (!ngx_http_guardrail_find_row(old, series[i], &row)) {
            rows++;
        }
    }

    if (rows <= old->capacity) {
        return old->capacity;
    }

    /* the memory must be another one: nginx knows it by its size */

    return (capacity == old->capacity) ? 2 * capacity : capacity;
}


static uint32_t
ngx_http_guardrail_stats_slots(uint32_t capacity)
{
    uint32_t  slots;

    slots = NGX_HTTP_GUARDRAIL_STATS_MANY / capacity;
    slots = ngx_min(slots, NGX_HTTP_GUARDRAIL_STATS_SLOTS);

    return ngx_max(slots, 1);
}


/*
 * A slab pool begins it, and describes each page in 32 bytes at most.  Many
 * rows with few slots may be as large as few rows with many: the step is that
 * of the capacity.
 */

static size_t
ngx_http_guardrail_stats_size(uint32_t capacity, uint32_t slots)
{
    size_t      size;
    ngx_uint_t  step;

    size = sizeof(ngx_http_guardrail_stats_head_t)
           + capacity * sizeof(ngx_http_guardrail_stats_row_t)
           + (size_t) capacity * slots
             * sizeof(ngx_http_guardrail_counters_t);

    size += size / 64 + 8 * ngx_pagesize;

    for (step = 0; capacity >>= 1; step++) { /* void */ }

    return ngx_http_guardrail_step_size(size, step);
}


static ngx_int_t
ngx_http_guardrail_make_stats(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_guardrail_stats_t  *old = data;

    u_char                      *p;
    size_t                       size;
    ngx_slab_pool_t             *shpool;
    ngx_http_guardrail_stats_t  *stats;

    stats = shm_zone->data;

    if (old) {
        stats->head = old->head;
        stats->rows = old->rows;
        stats->counters = old->counters;

        if (stats->head->version != NGX_HTTP_GUARDRAIL_STATS_VERSION) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "counters of the guardrail were made by another "
                          "version of the module, restart nginx");
            return NGX_ERROR;
        }

        return ngx_http_guardrail_find_rows(stats);
    }

    shpool = (ngx_slab_pool_t *) (void *) shm_zone->shm.addr;
    shpool->log_nomem = 0;

    size = shpool->pfree * ngx_pagesize;

    p = ngx_slab_alloc_locked(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* pages that nobody has touched are zero, and cost nothing */

    stats->head = (ngx_http_guardrail_stats_head_t *) (void *) p;
    p += sizeof(ngx_http_guardrail_stats_head_t);

    stats->rows = (ngx_http_guardrail_stats_row_t *) (void *) p;
    p += stats->capacity * sizeof(ngx_http_guardrail_stats_row_t);

    stats->counters = (ngx_http_guardrail_counters_t *) (void *) p;
    p += (size_t) stats->capacity * stats->slots
         * sizeof(ngx_http_guardrail_counters_t);

    if ((size_t) (p - (u_char *) stats->head) > size) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "counters of the guardrail cannot be laid out");
        return NGX_ERROR;
    }

    stats->head->version = NGX_HTTP_GUARDRAIL_STATS_VERSION;
    stats->head->start = (uint64_t) ngx_time();

    if (ngx_http_guardrail_find_rows(stats) != NGX_OK) {
        return NGX_ERROR;
    }

    old = ngx_http_guardrail_old_stats();

    if (old) {
        ngx_http_guardrail_copy_stats(stats, old);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_guardrail_find_row(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_series_t *series, uint32_t *row)
{
    uint32_t                         i;
    ngx_http_guardrail_stats_row_t  *rows;

    rows = stats->rows;

    for (i = 0; i < stats->head->rows; i++) {

        if (rows[i].hash[0] == series->hash[0]
            && rows[i].hash[1] == series->hash[1])
        {
            *row = i;
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_guardrail_find_rows(ngx_http_guardrail_stats_t *stats)
{
    uint32_t                       row;
    ngx_uint_t                     i;
    ngx_http_guardrail_series_t  **series;

    series = stats->gmcf->series.elts;

    for (i = 0; i < stats->gmcf->series.nelts; i++) {

        if (ngx_http_guardrail_find_row(stats, series[i], &row)) {
            series[i]->row = row;
            continue;
        }

        row = (uint32_t) stats->head->rows;

        if (row == stats->capacity) {

            /* not reached: the capacity was chosen for them */

            return NGX_ERROR;
        }

        stats->rows[row].hash[0] = series[i]->hash[0];
        stats->rows[row].hash[1] = series[i]->hash[1];

        stats->head->rows = row + 1;
        series[i]->row = row;
    }

    return NGX_OK;
}


/* workers of before may still add to old: that is lost */

static void
ngx_http_guardrail_copy_stats(ngx_http_guardrail_stats_t *stats,
    ngx_http_guardrail_stats_t *old)
{
    uint32_t                         row;
    ngx_uint_t                       i, j, used;
    ngx_http_guardrail_series_t      was, **series;
    ngx_http_guardrail_counters_t   *c;

    stats->head->start = old->head->start;

    series = stats->gmcf->series.elts;

    for (i = 0; i < stats->gmcf->series.nelts; i++) {

        if (!ngx_http_guardrail_find_row(old, series[i], &row)) {
            continue;
        }

        was.row = row;
        row = series[i]->row;
        c = &stats->counters[row];

        if (!ngx_http_guardrail_sum_counters(old, &was, c)) {
            continue;
        }

        used = 0;

        for (j = 0; j < NGX_HTTP_GUARDRAIL_STATS; j++) {

            if (ngx_http_guardrail_sum_histogram(old, &was, j,
                                                 &c->histograms[j]))
            {
                used |= (ngx_uint_t) 1 << j;
            }
        }

        c->used = used;
        stats->rows[row].used[0] = 1;
    }
}


ngx_int_t
ngx_http_guardrail_init_stats(ngx_cycle_t *cycle)
{
    uint64_t                         owner, claim;
    ngx_uint_t                       i;
    ngx_http_guardrail_gauges_t     *g;
    ngx_http_guardrail_main_conf_t  *gmcf;

    ngx_http_guardrail_gauges = &ngx_http_guardrail_no_gauges;
    ngx_http_guardrail_mapped = NULL;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_guardrail_module);

    if (gmcf == NULL || gmcf->stats == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_http_guardrail_mapped = gmcf->stats->head;

    ngx_http_guardrail_find_counters(gmcf);

    claim = (uint64_t) ngx_pid | NGX_HTTP_GUARDRAIL_STATS_CLAIMED;

    for (i = 0; i < NGX_HTTP_GUARDRAIL_STATS_PROCESSES; i++) {
        g = &gmcf->stats->head->gauges[i];

        owner = __atomic_load_n(&g->owner, __ATOMIC_RELAXED);

        if (owner
            && (ngx_pid_t) (owner & ~NGX_HTTP_GUARDRAIL_STATS_CLAIMED)
               != ngx_pid
            && ngx_http_guardrail_alive((ngx_pid_t)
                                 (owner & ~NGX_HTTP_GUARDRAIL_STATS_CLAIMED),
                                 (owner & NGX_HTTP_GUARDRAIL_STATS_CLAIMED)
                                 ? 0 : g->start))
        {
            continue;
        }

        if (!__atomic_compare_exchange_n(&g->owner, &owner, claim, 0,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        {
            continue;
        }

        g->start = ngx_http_guardrail_start;
        g->in_flight = 0;
        g->decoders = 0;

        __atomic_store_n(&g->owner, (uint64_t) ngx_pid, __ATOMIC_RELEASE);

        ngx_http_guardrail_gauges = g;

        return NGX_OK;
    }

    return NGX_OK;
}


static void
ngx_http_guardrail_find_counters(ngx_http_guardrail_main_conf_t *gmcf)
{
    ngx_uint_t                     i, slot;
    ngx_http_guardrail_stats_t    *stats;
    ngx_http_guardrail_series_t  **series;

    stats = gmcf->stats;
    slot = ngx_http_guardrail_stats_slot(stats);
    series = gmcf->series.elts;

    for (i = 0; i < gmcf->series.nelts; i++) {
        series[i]->counters = &stats->counters[slot * stats->capacity
                                               + series[i]->row];
    }
}


ngx_uint_t
ngx_http_guardrail_stats_slot(ngx_http_guardrail_stats_t *stats)
{
    return (ngx_process == NGX_PROCESS_SINGLE) ? 0 : ngx_worker % stats->slots;
}


ngx_int_t
ngx_http_guardrail_renew_stats(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_guardrail_gauges_t       was;
    ngx_http_guardrail_series_t     **series;
    ngx_http_guardrail_main_conf_t   *gmcf;

    if (ngx_http_guardrail_gauges == &ngx_http_guardrail_no_gauges) {
        return NGX_OK;
    }

    /* the memory of before may go away, its requests go on */

    was = *ngx_http_guardrail_gauges;

    gmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_guardrail_module);

    if (gmcf) {
        series = gmcf->series.elts;

        for (i = 0; i < gmcf->series.nelts; i++) {
            series[i]->counters = NULL;
        }
    }

    (void) ngx_http_guardrail_init_stats(cycle);

    ngx_http_guardrail_gauges->in_flight = was.in_flight;
    ngx_http_guardrail_gauges->decoders = was.decoders;

    return NGX_OK;
}


void
ngx_http_guardrail_exit_stats(ngx_cycle_t *cycle)
{
    ngx_http_guardrail_gauges_t  *g;

    g = ngx_http_guardrail_gauges;

    if (g != &ngx_http_guardrail_no_gauges) {
        ngx_http_guardrail_gauges = &ngx_http_guardrail_no_gauges;
        __atomic_store_n(&g->owner, 0, __ATOMIC_RELEASE);
    }
}
