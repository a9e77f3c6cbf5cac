
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Zones of shared memory: how they are made and kept over a reload, and the
 * lock.
 *
 * The master makes zones and never touches them again: it blocks signals
 * outside sigsuspend(), and could hang for ever on a lock whose holder died.
 * All changes are made by workers, under the mutex of the slab pool, which
 * nginx unlocks when a worker of the present cycle dies, and we where it does
 * not.
 */


#include "ngx_http_guardrail_module.h"


/* how often a zone is tried before the processor is given to others */

#define NGX_HTTP_GUARDRAIL_SPIN    1024

/* a section takes microseconds: a holder of that long is looked for */

#define NGX_HTTP_GUARDRAIL_HOLDER  100          /* ms */

static ngx_int_t ngx_http_guardrail_carve(ngx_http_guardrail_zone_t *zone,
    ngx_uint_t changed);
static void ngx_http_guardrail_name_pairs(ngx_http_guardrail_zone_t *zone,
    uint64_t now);
static ngx_uint_t ngx_http_guardrail_break_lock(
    ngx_http_guardrail_zone_t *zone);
static void ngx_http_guardrail_register(ngx_http_guardrail_zone_t *zone);


size_t
ngx_http_guardrail_step_size(size_t size, ngx_uint_t step)
{
    return ngx_align(size, NGX_HTTP_GUARDRAIL_STEPS * ngx_pagesize)
           + (step + 1) * ngx_pagesize;
}


size_t
ngx_http_guardrail_map_size(ngx_http_guardrail_zone_t *zone)
{
    ngx_uint_t  step;

    step = (zone->rates - 1)
           + GUARDRAIL_ZONE_MAX_RATES * (GUARDRAIL_ZONE_VERSION
                                         % (NGX_HTTP_GUARDRAIL_STEPS
                                            / GUARDRAIL_ZONE_MAX_RATES));

    return ngx_http_guardrail_step_size(zone->size, step);
}


ngx_int_t
ngx_http_guardrail_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_guardrail_zone_t  *old = data;

    u_char                     *p;
    ngx_uint_t                  changed;
    ngx_http_guardrail_zone_t  *zone;

    zone = shm_zone->data;
    zone->shpool = (ngx_slab_pool_t *) (void *) shm_zone->shm.addr;

    if (old) {

        /* its tables are where they were, and in use */

        zone->z = old->z;
        zone->epoch = old->epoch + 1;

        if (!guardrail_zone_valid(&zone->z, shm_zone->shm.size)) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "zone \"%V\" was made by another version of the "
                          "module, give it another name or restart nginx",
                          &zone->name);
            return NGX_ERROR;
        }

        ngx_http_guardrail_check_room(zone, shm_zone->shm.log);

        return NGX_OK;
    }

    zone->epoch = 1;

    changed = (ngx_http_guardrail_old_zone(shm_zone->tag, &shm_zone->shm.name)
               != NULL);

    if (changed) {
        ngx_log_error(NGX_LOG_WARN, shm_zone->shm.log, 0,
                      "zone \"%V\" has another size or other rates than "
                      "before, and starts empty", &zone->name);
    }

    p = ngx_slab_alloc_locked(zone->shpool, sizeof(" in guardrail zone \"\"")
                                            + zone->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(p, " in guardrail zone \"%V\"%Z", &zone->name);

    zone->shpool->log_ctx = p;
    zone->shpool->log_nomem = 0;

    return ngx_http_guardrail_carve(zone, changed);
}


/* all pages that are left, once: nobody else has them yet */

static ngx_int_t
ngx_http_guardrail_carve(ngx_http_guardrail_zone_t *zone, ngx_uint_t changed)
{
    void        *p;
    size_t       size;
    u_char       id[8];
    uint64_t     now, then, random;
    ngx_log_t   *log;

    log = zone->shm_zone->shm.log;

#ifdef MADV_HUGEPAGE

    /* a third of a charge is finding pages; most systems do not allow it */

    (void) madvise(zone->shm_zone->shm.addr, zone->shm_zone->shm.size,
                   MADV_HUGEPAGE);
#endif

    size = zone->shpool->pfree * ngx_pagesize;

    p = ngx_slab_alloc_locked(zone->shpool, size);

    if (p == NULL
        || !guardrail_zone_layout(&zone->z, p, size,
                                  (uint32_t) zone->rates))
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "zone \"%V\" cannot be laid out", &zone->name);
        return NGX_ERROR;
    }

    if (ngx_http_guardrail_random(id, sizeof(id), log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(&random, id, sizeof(id));

    ngx_time_update();

    now = (uint64_t) ngx_cached_time->sec * 1000 + ngx_cached_time->msec;

    /* what the configuration counts comes first into the rooms of pairs */

    ngx_http_guardrail_name_pairs(zone, now);

    then = changed ? now : ngx_http_guardrail_load_state(zone, now, log);

    guardrail_zone_create(&zone->z, zone->shm_zone->shm.size, random, then,
                          then - ngx_current_msec);

    return NGX_OK;
}


ngx_shm_zone_t *
ngx_http_guardrail_old_zone(void *tag, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_t       *list;
    ngx_shm_zone_t   *old;
    ngx_list_part_t  *part;

    if (ngx_cycle == NULL || ngx_cycle->conf_ctx == NULL) {

        /* there was no configuration before this one */

        return NULL;
    }

    list = (ngx_list_t *) (uintptr_t) &ngx_cycle->shared_memory;

    for (part = &list->part; part; part = part->next) {
        old = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (old[i].tag == tag
                && old[i].shm.name.len == name->len
                && ngx_strncmp(old[i].shm.name.data, name->data, name->len)
                   == 0)
            {
                return &old[i];
            }
        }
    }

    return NULL;
}


uint64_t
ngx_http_guardrail_now(ngx_http_guardrail_zone_t *zone)
{
    return zone->z.head->clock + (uint64_t) ngx_current_msec;
}


void
ngx_http_guardrail_lock(ngx_http_guardrail_zone_t *zone)
{
    ngx_uint_t              i, n;
    ngx_msec_t              since;
    guardrail_zone_head_t  *head;

    since = 0;

    for (n = 0; !ngx_shmtx_trylock(&zone->shpool->mutex); n++) {

        if (n < NGX_HTTP_GUARDRAIL_SPIN) {

            for (i = 0; i < (n & 31); i++) {
                ngx_cpu_pause();
            }

            continue;
        }

        ngx_sched_yield();

        if (n % 64 == 0) {
            ngx_time_update();

            if (since == 0) {
                since = ngx_current_msec;

            } else if (ngx_current_msec - since > NGX_HTTP_GUARDRAIL_HOLDER) {
                since = ngx_current_msec;
                (void) ngx_http_guardrail_break_lock(zone);
            }
        }
    }

    head = zone->z.head;

    head->owner = (uint64_t) ngx_pid;
    head->owner_start = ngx_http_guardrail_start;

    if (guardrail_zone_repair_locked(&zone->z)) {
        head->stats.repairs++;
    }

    if (!ngx_http_guardrail_is_ours(zone, zone->generation)) {
        ngx_http_guardrail_register(zone);
    }
}


void
ngx_http_guardrail_unlock(ngx_http_guardrail_zone_t *zone)
{
    guardrail_zone_commit(&zone->z);

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * After a worker has died the master unlocks the zones of its present cycle
 * only: a zone of the one before could stay locked for ever.
 */

static ngx_uint_t
ngx_http_guardrail_break_lock(ngx_http_guardrail_zone_t *zone)
{
    ngx_pid_t               pid;
    uint64_t                start;
    guardrail_zone_head_t  *head;

    pid = (ngx_pid_t) *zone->shpool->mutex.lock;

    if (pid == 0 || pid == ngx_pid) {
        return 0;
    }

    head = zone->z.head;

    /* what is not known of the holder is not held against it */

    start = (head->owner == (uint64_t) pid) ? head->owner_start : 0;

    if (ngx_http_guardrail_alive(pid, start)) {
        return 0;
    }

    if (!ngx_shmtx_force_unlock(&zone->shpool->mutex, pid)) {
        return 0;
    }

    head->stats.forced++;

    return 1;
}


/* this process, and what its configuration counts */

static void
ngx_http_guardrail_register(ngx_http_guardrail_zone_t *zone)
{
    zone->slot = guardrail_slot_register_locked(&zone->z, (uint32_t) ngx_pid,
                                                ngx_http_guardrail_start,
                                                zone->epoch);

    if (zone->slot != GUARDRAIL_ZONE_NONE) {
        zone->generation = zone->z.slots[zone->slot].generation;
    }

    ngx_http_guardrail_name_pairs(zone, ngx_http_guardrail_now(zone));
}


static void
ngx_http_guardrail_name_pairs(ngx_http_guardrail_zone_t *zone, uint64_t now)
{
    ngx_uint_t          i;
    guardrail_limit_t  *limits;

    limits = zone->limits.elts;

    for (i = 0; i < zone->limits.nelts; i++) {
        (void) guardrail_pair_find_locked(&zone->z, &limits[i], now,
                                          zone->epoch);
        guardrail_zone_commit(&zone->z);
    }
}
