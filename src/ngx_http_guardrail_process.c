
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Processes that share zones: which of them live, what the dead have left
 * behind, and what time brings: holds that end, requests that are called.
 */


#include "ngx_http_guardrail_module.h"


/* how often each worker looks; the first time soon, for one that died */

#define NGX_HTTP_GUARDRAIL_SWEEP        500     /* ms */
#define NGX_HTTP_GUARDRAIL_FIRST_SWEEP  50

/* leases that are given back at a time, under the lock */

#define NGX_HTTP_GUARDRAIL_SWEEP_BATCH  32


static ngx_int_t ngx_http_guardrail_read_stat(ngx_pid_t pid, char *state,
    uint64_t *start);
static void ngx_http_guardrail_sweep(ngx_event_t *ev);
static void ngx_http_guardrail_sweep_slots(ngx_http_guardrail_zone_t *zone);
static void ngx_http_guardrail_free_slot(ngx_http_guardrail_zone_t *zone,
    uint32_t slot, uint32_t generation, ngx_uint_t dead);
static void ngx_http_guardrail_poll_handler(ngx_event_t *ev);
static void ngx_http_guardrail_look_handler(ngx_event_t *ev);


uint64_t                 ngx_http_guardrail_start;

static ngx_event_t       ngx_http_guardrail_sweep_event;
static ngx_connection_t  ngx_http_guardrail_dummy;


ngx_int_t
ngx_http_guardrail_init_zones(ngx_cycle_t *cycle)
{
    char                             state;
    ngx_uint_t                       i;
    ngx_event_t                     *ev;
    ngx_http_guardrail_zone_t       *zone, **zones;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_guardrail_module);

    if (gmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (ngx_http_guardrail_read_stat(ngx_pid, &state,
                                     &ngx_http_guardrail_start)
        != NGX_OK)
    {
        ngx_http_guardrail_start = 0;
    }

    if (gmcf->zones.nelts == 0) {
        return NGX_OK;
    }

    ngx_http_guardrail_watch_output();

    ngx_http_guardrail_dummy.fd = (ngx_socket_t) -1;

    zones = gmcf->zones.elts;

    for (i = 0; i < gmcf->zones.nelts; i++) {
        zone = zones[i];

        ngx_queue_init(&zone->waiting);

        zone->slot = GUARDRAIL_ZONE_NONE;

        zone->poll.handler = ngx_http_guardrail_poll_handler;
        zone->poll.data = &ngx_http_guardrail_dummy;
        zone->poll.log = cycle->log;

        zone->look.handler = ngx_http_guardrail_look_handler;
        zone->look.data = &ngx_http_guardrail_dummy;
        zone->look.log = cycle->log;

        if (ngx_http_guardrail_init_state(zone, cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ev = &ngx_http_guardrail_sweep_event;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_http_guardrail_sweep;
    ev->data = &ngx_http_guardrail_dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_GUARDRAIL_FIRST_SWEEP);

    return NGX_OK;
}


void
ngx_http_guardrail_exit_zones(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_guardrail_zone_t       *zone, **zones;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_guardrail_module);

    if (gmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    zones = gmcf->zones.elts;

    for (i = 0; i < gmcf->zones.nelts; i++) {
        zone = zones[i];

        if (zone->slot != GUARDRAIL_ZONE_NONE) {
            ngx_http_guardrail_free_slot(zone, zone->slot, zone->generation,
                                         0);
            zone->slot = GUARDRAIL_ZONE_NONE;
        }

        ngx_http_guardrail_exit_state(zone, cycle);
    }
}


/* field 3 and field 22 of /proc/PID/stat, see proc(5) */

static ngx_int_t
ngx_http_guardrail_read_stat(ngx_pid_t pid, char *state, uint64_t *start)
{
    u_char      buf[1024], name[64], *p, *last;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_uint_t  field;

    ngx_sprintf(name, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf) - 1);

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return NGX_ERROR;
    }

    buf[n] = '\0';
    last = buf + n;

    /* the name of the program may hold anything, ")" too */

    for (p = last; p > buf && p[-1] != ')'; p--) { /* void */ }

    if (last - p < 3) {
        return NGX_ERROR;
    }

    *state = (char) p[1];

    for (field = 2; field < 22; field++) {
        p = ngx_strlchr(p, last, ' ');

        if (p == NULL) {
            return NGX_ERROR;
        }

        p++;
    }

    for (*start = 0; *p >= '0' && *p <= '9'; p++) {
        *start = *start * 10 + (uint64_t) (*p - '0');
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_guardrail_alive(ngx_pid_t pid, uint64_t start)
{
    char      state;
    uint64_t  then;

    /* kill() succeeds on a zombie; EPERM is somebody who lives */

    if (kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
        return 0;
    }

    if (ngx_http_guardrail_start == 0) {

        /* there is no /proc to ask */

        return 1;
    }

    if (ngx_http_guardrail_read_stat(pid, &state, &then) != NGX_OK) {
        return 1;
    }

    if (state == 'Z' || state == 'X') {
        return 0;
    }

    return start == 0 || then == start;
}


static void
ngx_http_guardrail_sweep(ngx_event_t *ev)
{
    uint64_t                         now;
    ngx_uint_t                       i;
    guardrail_zone_head_t           *head;
    ngx_http_guardrail_zone_t       *zone, **zones;
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_guardrail_module);

    if (gmcf == NULL) {

        /* a single process, and its new configuration has no http */

        ngx_add_timer(ev, NGX_HTTP_GUARDRAIL_SWEEP);
        return;
    }

    zones = gmcf->zones.elts;

    for (i = 0; i < gmcf->zones.nelts; i++) {
        zone = zones[i];
        head = zone->z.head;

        ngx_http_guardrail_sweep_slots(zone);

        now = ngx_http_guardrail_now(zone);

        if (head->undo_count || head->granted.head
            || (head->holds && head->expired < now / 1000))
        {
            ngx_http_guardrail_lock(zone);
            guardrail_level_expire_locked(&zone->z, now);
            ngx_http_guardrail_unlock(zone);

            ngx_http_guardrail_call_waiting(zone);
        }
    }

    ngx_add_timer(ev, NGX_HTTP_GUARDRAIL_SWEEP);
}


/* read without the lock: what is stale is seen as another generation's */

static void
ngx_http_guardrail_sweep_slots(ngx_http_guardrail_zone_t *zone)
{
    uint32_t           i, pid, generation;
    uint64_t           start;
    guardrail_slot_t  *s;

    for (i = 0; i < zone->z.n_slots; i++) {
        s = &zone->z.slots[i];

        generation = s->generation;
        pid = s->pid;
        start = s->start;

        /* a killed one may have had our number */

        if (pid == 0
            || (pid == (uint32_t) ngx_pid && start == ngx_http_guardrail_start)
            || ngx_http_guardrail_alive((ngx_pid_t) pid, start))
        {
            continue;
        }

        ngx_http_guardrail_free_slot(zone, i, generation, 1);
        ngx_http_guardrail_call_waiting(zone);
    }
}


static void
ngx_http_guardrail_free_slot(ngx_http_guardrail_zone_t *zone, uint32_t slot,
    uint32_t generation, ngx_uint_t dead)
{
    uint64_t  now;
    unsigned  more;

    do {
        now = ngx_http_guardrail_now(zone);

        ngx_http_guardrail_lock(zone);

        more = guardrail_slot_free_locked(&zone->z, slot, generation,
                                          NGX_HTTP_GUARDRAIL_SWEEP_BATCH,
                                          (unsigned) dead, now);

        ngx_http_guardrail_unlock(zone);

    } while (more);
}


void
ngx_http_guardrail_call_waiting(ngx_http_guardrail_zone_t *zone)
{
    if (!ngx_queue_empty(&zone->waiting) && !zone->look.posted) {
        ngx_post_event(&zone->look, &ngx_posted_events);
    }
}


/* of what other workers have freed, without a wake-up across processes */

static void
ngx_http_guardrail_poll_handler(ngx_event_t *ev)
{
    ngx_http_guardrail_zone_t  *zone;

    zone = (ngx_http_guardrail_zone_t *) (void *)
           ((u_char *) ev - offsetof(ngx_http_guardrail_zone_t, poll));

    ngx_http_guardrail_look(zone);
}


static void
ngx_http_guardrail_look_handler(ngx_event_t *ev)
{
    ngx_http_guardrail_zone_t  *zone;

    zone = (ngx_http_guardrail_zone_t *) (void *)
           ((u_char *) ev - offsetof(ngx_http_guardrail_zone_t, look));

    ngx_http_guardrail_look(zone);
}
