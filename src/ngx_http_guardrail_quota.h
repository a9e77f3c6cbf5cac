
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the files of tenants and quotas share:
 *
 *   tenant     guardrail_tenant: whose request it is
 *   secret     guardrail_secret: under which keys are hashed
 *   zone_conf  guardrail_zone
 *   zone       shared memory and its lock
 *   process    processes that share zones, and what the dead left behind
 *   quota_conf guardrail_quota
 *   enter      which quotas a request is under
 *   quota      its admission
 *   charge     rates of a body, and what is settled at the end
 *   level      leases of concurrency, memory, uploads
 *   queue      waiting for them
 *   snapshot   what status shows of a zone
 *   ratelimit  RateLimit, RateLimit-Policy, Retry-After
 *   state      rates that survive a restart: the file is written
 *   state_load ... and read, when a zone is made
 */


#ifndef NGX_HTTP_GUARDRAIL_QUOTA_H
#define NGX_HTTP_GUARDRAIL_QUOTA_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "body/guardrail_body.h"
#include "fmt/guardrail_fmt.h"
#include "quota/guardrail_heavy.h"
#include "quota/guardrail_level.h"
#include "quota/guardrail_rate.h"
#include "quota/guardrail_siphash.h"
#include "quota/guardrail_state.h"


/* a variable that is reached without a look into the table of addresses */

#if (__GNUC__)
#define ngx_http_guardrail_own  __attribute__((visibility("hidden")))
#else
#define ngx_http_guardrail_own
#endif


typedef struct ngx_http_guardrail_main_conf_s  ngx_http_guardrail_main_conf_t;
typedef struct ngx_http_guardrail_ctx_s     ngx_http_guardrail_ctx_t;
typedef struct ngx_http_guardrail_zone_s    ngx_http_guardrail_zone_t;
typedef struct ngx_http_guardrail_quotas_s  ngx_http_guardrail_quotas_t;


/* guardrail_tenant */

typedef struct {
    ngx_http_complex_value_t          cv;
    ngx_str_t                         name;         /* default= */
    ngx_uint_t                        reject;       /* default=reject */
    ngx_uint_t                        secret;

#if (NGX_PCRE)
    ngx_regex_t                      *regex;
    ngx_uint_t                        captures;     /* of the pattern */
    ngx_uint_t                        capture;      /* that is the key */
#endif
} ngx_http_guardrail_tenant_t;


/* whose request it is, in one location */

typedef struct {
    ngx_str_t                         key;
    ngx_str_t                         shown;        /* printable */
    uint64_t                          hash[2];
    ngx_uint_t                        uri_changes;  /* of r, then */
    ngx_http_guardrail_tenant_t      *conf;         /* then */
    unsigned                          rejected:1;
    unsigned                          hashed:1;     /* that is what is shown */
} ngx_http_guardrail_whose_t;


/* guardrail_zone; shared by all workers but for what is said to be ours */

struct ngx_http_guardrail_zone_s {
    ngx_str_t                         name;
    ngx_uint_t                        number;       /* order of definition */
    ngx_shm_zone_t                   *shm_zone;
    ngx_slab_pool_t                  *shpool;
    guardrail_zone_t                  z;

    ngx_http_complex_value_t          key;
    ngx_uint_t                        tenant;       /* key=$guardrail_tenant */
    ngx_uint_t                        constant;     /* key has no variables */
    ngx_uint_t                        secret;       /* key is one */
    size_t                            size;         /* as configured */
    ngx_uint_t                        rates;
    ngx_uint_t                        share;        /* full=share */
    ngx_str_t                         state;        /* a file, or empty */
    uint64_t                          restore;      /* time of a load, ms */

    ngx_array_t                       limits;       /* guardrail_limit_t */
    uint64_t                          levels[GUARDRAIL_LEVEL_UNITS];
                                                    /* largest LIMIT, or 0 */
    uint32_t                          epoch;
    ngx_http_guardrail_main_conf_t   *gmcf;

    /* where it was named first, for what is said of a mistake */

    u_char                           *file;
    ngx_uint_t                        line;
    ngx_uint_t                        defined;

    /* this process's */

    uint32_t                          slot;
    uint32_t                          generation;
    ngx_queue_t                       waiting;      /* requests */
    ngx_event_t                       poll;
    ngx_event_t                       look;
    void                             *writer;       /* of the state file */
};


/* guardrail_quota */

typedef struct {
    ngx_http_guardrail_zone_t        *zone;
    ngx_http_complex_value_t         *cv;           /* of LIMIT, or NULL */
    guardrail_limit_t                 limit;        /* without variables */
    ngx_uint_t                        queue;        /* 0: none waits */
    ngx_msec_t                        timeout;
    ngx_msec_t                        hold;
    ngx_uint_t                        status;       /* 0: by the unit */
    ngx_uint_t                        warned;
} ngx_http_guardrail_quota_t;


/* a key of a request in one zone */

typedef struct ngx_http_guardrail_place_s  ngx_http_guardrail_place_t;

struct ngx_http_guardrail_place_s {
    ngx_http_guardrail_place_t       *next;         /* in order of arrival */
    ngx_http_guardrail_zone_t        *zone;
    guardrail_key_t                   key;
    ngx_str_t                         name;         /* empty: not kept */
    uint64_t                          ticket;       /* of the zone's lines */
};


/* a quota that a request is under */

typedef struct {
    ngx_http_guardrail_quota_t       *quota;
    ngx_http_guardrail_place_t       *place;

    /* a level needs its limit only of a rate, and a lease instead */

    union {
        guardrail_rate_t              rate;

        struct {
            guardrail_limit_t         limit;
            uint64_t                  amount;       /* of the lease */
            uint32_t                  lease;
            uint32_t                  generation;   /* of the slot's */
        };
    };

    uint64_t                          counted;      /* of the body, charged */
    uint64_t                          wanted;       /* of it, by this piece */
    guardrail_rate_rc_e               rc;

    unsigned                          here:1;       /* of this location */
    unsigned                          again:1;      /* its limit is less now */
    unsigned                          charged:1;    /* requests */
    unsigned                          refused:1;
    unsigned                          leased:1;
} ngx_http_guardrail_item_t;


/* a request that has come to wait for a level: made then, and kept */

typedef struct {
    ngx_http_guardrail_ctx_t         *ctx;
    ngx_http_guardrail_item_t        *item;         /* whose level */
    uint32_t                          waiter;
    uint32_t                          generation;   /* of the slot's */
    ngx_queue_t                       queue;        /* of the worker */
    ngx_event_t                       timer;
    ngx_msec_t                        since;
    ngx_msec_t                        deadline;

    unsigned                          waited:1;
    unsigned                          listed:1;
    unsigned                          expired:1;
} ngx_http_guardrail_line_t;


struct ngx_http_guardrail_quotas_s {
    ngx_http_guardrail_ctx_t         *ctx;
    ngx_http_guardrail_item_t        *items;
    uint32_t                          n_items;
    uint32_t                          max_items;    /* there is room for */
    ngx_http_guardrail_place_t       *places;
    guardrail_body_meter_t            meter;

    /* the quota that refused, and what is said of it */

    ngx_http_guardrail_item_t        *refusing;
    uint64_t                          used;
    uint64_t                          wanted;
    uint64_t                          retry;        /* seconds; 0: none */
    uint32_t                          waiters;
    unsigned                          never:1;
    unsigned                          overflow:1;
    unsigned                          streams:1;    /* unbuffered: memory */
                                                    /* grows, none waits */
    unsigned                          waits:1;      /* for a level, now */
    ngx_http_guardrail_item_t        *too_large;    /* for a whole level */

    ngx_http_guardrail_line_t        *line;         /* NULL: never waited */
    ngx_msec_t                        queue_time;   /* ms, in sum */
};


/* tenant */

char *ngx_http_guardrail_set_tenant(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/*
 * Whose request it is in the present location; NULL when there is no memory
 * or no value.  Of an internal redirect it is asked anew.
 */

ngx_http_guardrail_whose_t *ngx_http_guardrail_whose(ngx_http_request_t *r);

/* does a text with variables name one that carries a secret? */

ngx_uint_t ngx_http_guardrail_is_secret(ngx_str_t *text);

/* as in nginx's logs; p has room for 4 bytes of each; returns the end */

u_char *ngx_http_guardrail_escape(u_char *p, u_char *data, size_t len);

/* as it may be shown; "anonymous" where there is none */

void ngx_http_guardrail_fmt_tenant(guardrail_fmt_t *f, ngx_http_request_t *r);


/* secret */

char *ngx_http_guardrail_set_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the secret of this instance, after make_secret() */

extern u_char  ngx_http_guardrail_secret[GUARDRAIL_SIPHASH_KEY];

typedef enum {
    ngx_http_guardrail_secret_unset = 0,
    ngx_http_guardrail_secret_random,
    ngx_http_guardrail_secret_file
} ngx_http_guardrail_secret_e;

extern ngx_http_guardrail_secret_e  ngx_http_guardrail_secret_from;

ngx_int_t ngx_http_guardrail_random(u_char *p, size_t len, ngx_log_t *log);
ngx_int_t ngx_http_guardrail_make_secret(ngx_cycle_t *cycle);


/* zone_conf */

char *ngx_http_guardrail_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the zone of a name, made if there is none yet: it may be defined later */

ngx_http_guardrail_zone_t *ngx_http_guardrail_get_zone(ngx_conf_t *cf,
    ngx_str_t *name);

/* all that is named is defined, and has room for what is counted */

ngx_int_t ngx_http_guardrail_check_zones(ngx_conf_t *cf);


/* zone */

/* bytes to map, which tell the layout; what makes or keeps the zone in them */

size_t ngx_http_guardrail_map_size(ngx_http_guardrail_zone_t *zone);

/*
 * On a reload nginx takes memory of the same name and size for the same one,
 * while workers of before still write to it.  Another layout must never be
 * that: sizes are rounded to so many pages, and the page beyond these, the
 * step, tells the layout.
 */

#define NGX_HTTP_GUARDRAIL_STEPS  64

size_t ngx_http_guardrail_step_size(size_t size, ngx_uint_t step);

/* memory of that name in the configuration before this one, or NULL */

ngx_shm_zone_t *ngx_http_guardrail_old_zone(void *tag, ngx_str_t *name);
ngx_int_t ngx_http_guardrail_init_zone(ngx_shm_zone_t *shm_zone, void *data);

/*
 * Takes the lock, puts right what a killed process left, and registers this
 * process and its configuration at the first time.  Between lock and unlock
 * there is no logging, no allocation, and no other zone.
 */

void ngx_http_guardrail_lock(ngx_http_guardrail_zone_t *zone);
void ngx_http_guardrail_unlock(ngx_http_guardrail_zone_t *zone);

/*
 * Under the lock: does what this process took under a generation still belong
 * to it?  Whoever takes it for dead gives its leases back.
 */

static ngx_inline ngx_uint_t
ngx_http_guardrail_is_ours(ngx_http_guardrail_zone_t *zone,
    uint32_t generation)
{
    guardrail_slot_t  *s;

    if (zone->slot == GUARDRAIL_ZONE_NONE) {
        return 0;
    }

    s = &zone->z.slots[zone->slot];

    return s->generation == generation && s->pid == (uint32_t) ngx_pid;
}


/* the zone's time in milliseconds */

uint64_t ngx_http_guardrail_now(ngx_http_guardrail_zone_t *zone);


/* process */

extern uint64_t  ngx_http_guardrail_start;      /* of this one; 0: not known */

ngx_int_t ngx_http_guardrail_init_zones(ngx_cycle_t *cycle);
void ngx_http_guardrail_exit_zones(ngx_cycle_t *cycle);

/* does a process run that was started then?  start may be 0 */

ngx_uint_t ngx_http_guardrail_alive(ngx_pid_t pid, uint64_t start);

/* something may have become free in this process: those who wait look soon */

void ngx_http_guardrail_call_waiting(ngx_http_guardrail_zone_t *zone);


/* quota_conf */

char *ngx_http_guardrail_set_quota(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* warns of what a reload finds no room for yet */

void ngx_http_guardrail_check_room(ngx_http_guardrail_zone_t *zone,
    ngx_log_t *log);

/* a location's own quotas: in order, each pair once; at merge */

char *ngx_http_guardrail_check_quotas(ngx_conf_t *cf, ngx_array_t *quotas);


/* enter */

/* NGX_OK, or NGX_ERROR with the verdict in ctx */

ngx_int_t ngx_http_guardrail_enter_quotas(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);

/*
 * What the quotas of the location must know of a body: its records, what it
 * costs.  constant: only those without variables.
 */

void ngx_http_guardrail_quota_limits(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, ngx_uint_t constant,
    guardrail_body_limits_t *limits);


/* quota */

/*
 * Admits a request to its location: rates of requests, uploads, what its
 * declared length must fit into (-1: none; a body may come all the same).
 * NGX_OK, or NGX_DECLINED with the verdict in ctx.
 */

ngx_int_t ngx_http_guardrail_admit(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx, off_t length, ngx_uint_t body);

/* called by the body, with its counters at what has passed; opaque is ctx */

guardrail_rc_e ngx_http_guardrail_charge(void *opaque);

/* what was judged under these limits before is charged to new quotas */

ngx_int_t ngx_http_guardrail_charge_judged(ngx_http_guardrail_ctx_t *ctx);

/* the meter for the body of ctx, NULL where nothing is charged by it */

GUARDRAIL_HOT const guardrail_body_meter_t *ngx_http_guardrail_meter(
    ngx_http_guardrail_ctx_t *ctx);

/* a refusal by anything, in dry_run too: what is given back, what is free */

void ngx_http_guardrail_settle_refused(ngx_http_guardrail_ctx_t *ctx);

/* the request ends, by any way */

GUARDRAIL_HOT void ngx_http_guardrail_settle(ngx_http_guardrail_ctx_t *ctx);

/*
 * A rate that does not admit: item->rc says how, wanted is what it did not
 * admit, cost what a request would want that comes again.  begin comes before
 * the rates that are asked together: of these one is named.
 */

void ngx_http_guardrail_begin_refusing(ngx_http_guardrail_ctx_t *ctx);
void ngx_http_guardrail_refuse_rate(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint64_t now, uint64_t wanted,
    uint64_t cost);

/* NGX_DECLINED, with the verdict of a zone without room in ctx */

ngx_int_t ngx_http_guardrail_zone_full(ngx_http_guardrail_ctx_t *ctx);

/* in dry_run: something would have refused it before */

ngx_uint_t ngx_http_guardrail_was_told(ngx_http_guardrail_ctx_t *ctx);

/* sets the verdict of a quota that refuses */

void ngx_http_guardrail_set_refusing(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint64_t used, uint64_t wanted);


/* level */

/*
 * Takes concurrency and memory.  NGX_OK; NGX_AGAIN: it waits, and the phases
 * are run again; NGX_DECLINED: the verdict is in ctx.
 */

ngx_int_t ngx_http_guardrail_take_levels(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);

/* what a request takes of its backend's memory, in bytes */

uint64_t ngx_http_guardrail_estimate(ngx_http_guardrail_ctx_t *ctx);

/* one level, at once or not at all; the same without NGX_AGAIN */

ngx_int_t ngx_http_guardrail_take_level(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item);

/* memory of a body that streams */

ngx_int_t ngx_http_guardrail_grow_memory(ngx_http_guardrail_ctx_t *ctx);

void ngx_http_guardrail_release_level(ngx_http_guardrail_ctx_t *ctx,
    ngx_http_guardrail_item_t *item, uint32_t hold_until);

/* the body was read; the backend has answered; all */

GUARDRAIL_HOT void ngx_http_guardrail_release_uploads(
    ngx_http_guardrail_ctx_t *ctx);
void ngx_http_guardrail_release_levels(ngx_http_guardrail_ctx_t *ctx);


/* queue */

/* its part of a request; NGX_ERROR without memory */

ngx_int_t ngx_http_guardrail_make_line(ngx_http_guardrail_ctx_t *ctx);

/* stands in line, as q->line says */

void ngx_http_guardrail_begin_waiting(ngx_http_guardrail_ctx_t *ctx);

/* this worker looks for it; once for all lines in which it stands */

void ngx_http_guardrail_list(ngx_http_guardrail_line_t *line);

/* leaves one line; its time goes on, since another may come */

void ngx_http_guardrail_leave_line(ngx_http_guardrail_ctx_t *ctx);

/* waits no more */

void ngx_http_guardrail_end_waiting(ngx_http_guardrail_quotas_t *q);

/* both */

void ngx_http_guardrail_stop_waiting(ngx_http_guardrail_ctx_t *ctx);

/* wakes the requests of this worker that were called */

void ngx_http_guardrail_look(ngx_http_guardrail_zone_t *zone);


/* snapshot */

/*
 * A zone as it was at one time, in a memory of the caller's; but rows, which
 * are copied a few at a time, may be some microseconds apart.
 */

typedef struct {
    guardrail_unit_e                  unit;
    uint32_t                          period;       /* s */
    uint64_t                          refusals;     /* requests */
} ngx_http_guardrail_view_pair_t;

/*
 * One of the heaviest keys.  What it has used of rates is by the index of
 * pairs in the view, in the unit of the pair, as of now and rounded up; of
 * levels by GUARDRAIL_LEVEL_.., memory in bytes.  A limit is what it was
 * charged or leased under last, 0 where it never was.
 */

typedef struct {
    u_char                            name[4 * GUARDRAIL_HEAVY_NAME];
    size_t                            len;          /* printable, as in logs */
    ngx_uint_t                        hashed;       /* 16 digits of its hash */
    uint64_t                          used[GUARDRAIL_ZONE_MAX_RATES];
    uint64_t                          limits[GUARDRAIL_ZONE_MAX_RATES];
    uint64_t                          level_used[GUARDRAIL_LEVEL_UNITS];
    uint64_t                          level_limits[GUARDRAIL_LEVEL_UNITS];
    uint32_t                          waiting;      /* requests */
    uint32_t                          permille;     /* the largest part of a */
                                                    /* limit, may be > 1000 */
    uint64_t                          idle;         /* ms since it was */
                                                    /* charged, whole seconds */
} ngx_http_guardrail_view_row_t;

typedef struct {
    uint64_t                          now;          /* of the zone, ms */
    uint32_t                          entries;      /* keys */
    uint32_t                          capacity;     /* keys */
    uint32_t                          leases[GUARDRAIL_LEVEL_UNITS];
    uint32_t                          holds;        /* leases of requests */
                                                    /* that are gone */
    uint32_t                          waiting;      /* requests */
    uint64_t                          memory;       /* bytes, of leases and */
                                                    /* holds */
    guardrail_zone_stats_t            stats;        /* since it was made */

    /* what it counts; the room of a pair that is none has period 0 */

    ngx_http_guardrail_view_pair_t    pairs[GUARDRAIL_ZONE_MAX_RATES];
    uint64_t                          level_refusals[GUARDRAIL_LEVEL_UNITS];

    /* where its key is a constant, else 0; no limit was named: 0 */

    ngx_uint_t                        constant;
    uint64_t                          level_used[GUARDRAIL_LEVEL_UNITS];
    uint64_t                          level_limits[GUARDRAIL_LEVEL_UNITS];

    /* ms since its state was written, or it was made; -1 without a file */

    int64_t                           state_age;

    /* the heaviest first */

    uint32_t                          n_rows;
    ngx_http_guardrail_view_row_t     rows[GUARDRAIL_HEAVY_ROWS];
} ngx_http_guardrail_zone_view_t;

/*
 * In a worker.  Takes the lock of the zone for the copying only, several
 * times; a view is some 60 KiB, so not for the stack.
 */

void ngx_http_guardrail_zone_snapshot(ngx_http_guardrail_zone_t *zone,
    ngx_http_guardrail_zone_view_t *view);


/* ratelimit */

/* seconds, with jitter if it is for a rate */

uint64_t ngx_http_guardrail_jitter(uint64_t seconds);

ngx_int_t ngx_http_guardrail_add_ratelimit(ngx_http_request_t *r,
    ngx_http_guardrail_ctx_t *ctx);

/* "zone-requests-3600s": what $guardrail_policy shows */

void ngx_http_guardrail_fmt_policy(guardrail_fmt_t *f,
    ngx_http_guardrail_item_t *item);

/* a sentence with the numbers of the quota that refused */

void ngx_http_guardrail_fmt_quota_detail(guardrail_fmt_t *f,
    ngx_http_guardrail_ctx_t *ctx);

/* how a quota's line in the log goes on */

void ngx_http_guardrail_fmt_quota(guardrail_fmt_t *f,
    ngx_http_guardrail_quotas_t *q);


/* state */

/* of what is written and read at a time */

#define NGX_HTTP_GUARDRAIL_BUFFER  65536

ngx_int_t ngx_http_guardrail_init_state(ngx_http_guardrail_zone_t *zone,
    ngx_cycle_t *cycle);
void ngx_http_guardrail_exit_state(ngx_http_guardrail_zone_t *zone,
    ngx_cycle_t *cycle);


/* state_load */

/* at the making of a zone; returns its time then, now or later */

uint64_t ngx_http_guardrail_load_state(ngx_http_guardrail_zone_t *zone,
    uint64_t now, ngx_log_t *log);

/* by which a file is known as that of a zone */

void ngx_http_guardrail_hash_name(ngx_http_guardrail_zone_t *zone,
    uint64_t hash[2]);

/* NULL, or what is wrong; buf has room for NGX_HTTP_GUARDRAIL_BUFFER */

const char *ngx_http_guardrail_check_file(ngx_fd_t fd, u_char *buf,
    guardrail_state_head_t *head);


#endif /* NGX_HTTP_GUARDRAIL_QUOTA_H */
