
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Rates that survive a restart: state=FILE of guardrail_zone.  One worker
 * writes it every ten seconds, in pieces, and the last one to exit writes it
 * once more.  It becomes the file by its name at the end, so what is there is
 * always whole; its checksum tells if the machine has lost some of it.
 *
 * Two processes may write at a time: those that exit together, or the first
 * workers of two configurations.  Each has made its own temporary file, and
 * one whose name has become that of another's is given up.
 */


#include "ngx_http_guardrail_module.h"

#include "codec/guardrail_crc32.h"
#include "quota/guardrail_state.h"


#define NGX_HTTP_GUARDRAIL_WRITE_EVERY  10000   /* ms */

/* the first time soon: a directory that cannot be written is told at once */

#define NGX_HTTP_GUARDRAIL_WRITE_FIRST  100     /* ms */

/*
 * A piece: buckets that are looked at, keys whose records are copied under
 * the lock at a time, and how long the event loop has for others then.
 */

#define NGX_HTTP_GUARDRAIL_BUCKETS      1024
#define NGX_HTTP_GUARDRAIL_RECORDS      16
#define NGX_HTTP_GUARDRAIL_WRITE_PAUSE  1       /* ms */


typedef struct {
    ngx_event_t                  event;
    ngx_connection_t             dummy;         /* debug builds look at it */
    ngx_http_guardrail_zone_t   *zone;
    u_char                      *tmp;           /* the file until it is done */
    u_char                      *buf;
    size_t                       len;
    ngx_fd_t                     fd;
    ngx_uint_t                   writing;
    ngx_uint_t                   failed;        /* and it was said */
    uint32_t                     bucket;        /* the next one */
    uint32_t                     crc;
    uint64_t                     records;
    guardrail_state_head_t       head;
} ngx_http_guardrail_writer_t;


static ngx_msec_t ngx_http_guardrail_write_in(ngx_http_guardrail_zone_t *zone);
static void ngx_http_guardrail_write_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_guardrail_begin_write(
    ngx_http_guardrail_writer_t *w);
static ngx_int_t ngx_http_guardrail_write_piece(
    ngx_http_guardrail_writer_t *w);
static ngx_int_t ngx_http_guardrail_write_records(
    ngx_http_guardrail_writer_t *w, uint32_t way);
static ngx_int_t ngx_http_guardrail_end_write(ngx_http_guardrail_writer_t *w);
static ngx_int_t ngx_http_guardrail_put(ngx_http_guardrail_writer_t *w,
    void *p, size_t len);
static ngx_int_t ngx_http_guardrail_flush(ngx_http_guardrail_writer_t *w);
static ngx_uint_t ngx_http_guardrail_is_mine(ngx_http_guardrail_writer_t *w);
static void ngx_http_guardrail_stop_write(ngx_http_guardrail_writer_t *w);
static ngx_int_t ngx_http_guardrail_write_failed(
    ngx_http_guardrail_writer_t *w, const char *what);
static ngx_uint_t ngx_http_guardrail_is_newer(ngx_http_guardrail_writer_t *w);


ngx_int_t
ngx_http_guardrail_init_state(ngx_http_guardrail_zone_t *zone,
    ngx_cycle_t *cycle)
{
    size_t                        len;
    ngx_event_t                  *ev;
    ngx_http_guardrail_writer_t  *w;

    if (zone->state.len == 0) {
        return NGX_OK;
    }

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_guardrail_writer_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    len = zone->state.len + sizeof(".tmp");

    w->tmp = ngx_pnalloc(cycle->pool, len);
    w->buf = ngx_pnalloc(cycle->pool, NGX_HTTP_GUARDRAIL_BUFFER);

    if (w->tmp == NULL || w->buf == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(w->tmp, "%V.tmp%Z", &zone->state);

    w->zone = zone;
    w->dummy.fd = (ngx_socket_t) -1;
    w->fd = NGX_INVALID_FILE;

    zone->writer = w;

    /* the first worker of a cycle, and its successor if it dies */

    if (ngx_worker != 0) {
        return NGX_OK;
    }

    ev = &w->event;

    ev->handler = ngx_http_guardrail_write_handler;
    ev->data = &w->dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, ngx_http_guardrail_write_in(zone));

    return NGX_OK;
}


/* however often workers are replaced: ten seconds after it was written last */

static ngx_msec_t
ngx_http_guardrail_write_in(ngx_http_guardrail_zone_t *zone)
{
    uint64_t  now, next;

    if (zone->z.head->written == 0) {
        return NGX_HTTP_GUARDRAIL_WRITE_FIRST;
    }

    now = ngx_http_guardrail_now(zone);
    next = zone->z.head->written + NGX_HTTP_GUARDRAIL_WRITE_EVERY;

    if (next < now + NGX_HTTP_GUARDRAIL_WRITE_FIRST) {
        return NGX_HTTP_GUARDRAIL_WRITE_FIRST;
    }

    return (ngx_msec_t) ngx_min(next - now, NGX_HTTP_GUARDRAIL_WRITE_EVERY);
}


static void
ngx_http_guardrail_write_handler(ngx_event_t *ev)
{
    ngx_int_t                     rc;
    ngx_http_guardrail_writer_t  *w;

    w = (ngx_http_guardrail_writer_t *) (void *)
        ((u_char *) ev - offsetof(ngx_http_guardrail_writer_t, event));

    if (ngx_exiting) {

        /* a worker of the new configuration does it */

        ngx_http_guardrail_stop_write(w);
        return;
    }

    rc = w->writing ? ngx_http_guardrail_write_piece(w)
                    : ngx_http_guardrail_begin_write(w);

    ngx_add_timer(ev, (rc == NGX_AGAIN) ? NGX_HTTP_GUARDRAIL_WRITE_PAUSE
                                        : NGX_HTTP_GUARDRAIL_WRITE_EVERY);
}


/* the last one out */

void
ngx_http_guardrail_exit_state(ngx_http_guardrail_zone_t *zone,
    ngx_cycle_t *cycle)
{
    uint32_t                      i;
    guardrail_slot_t             *s;
    ngx_http_guardrail_writer_t  *w;

    w = zone->writer;

    if (w == NULL) {
        return;
    }

    ngx_http_guardrail_stop_write(w);

    for (i = 0; i < zone->z.n_slots; i++) {
        s = &zone->z.slots[i];

        if (s->pid && s->pid != (uint32_t) ngx_pid
            && ngx_http_guardrail_alive((ngx_pid_t) s->pid, s->start))
        {
            return;
        }
    }

    if (!ngx_http_guardrail_is_newer(w)
        && ngx_http_guardrail_begin_write(w) == NGX_AGAIN)
    {
        while (ngx_http_guardrail_write_piece(w) == NGX_AGAIN) { /* void */ }
    }
}


/* NGX_AGAIN: there is more to write */

static ngx_int_t
ngx_http_guardrail_begin_write(ngx_http_guardrail_writer_t *w)
{
    ngx_http_guardrail_zone_t  *zone;

    zone = w->zone;

    /* what a killed process left, or anybody: its mode is not ours */

    (void) ngx_delete_file(w->tmp);

    w->fd = ngx_open_file(w->tmp, NGX_FILE_WRONLY,
                          NGX_FILE_CREATE_OR_OPEN|O_EXCL, 0600);

    if (w->fd == NGX_INVALID_FILE) {

        if (ngx_errno == NGX_EEXIST) {

            /* another process has begun just now */

            return NGX_OK;
        }

        return ngx_http_guardrail_write_failed(w, ngx_open_file_n);
    }

    w->writing = 1;
    w->bucket = 0;
    w->crc = 0;
    w->len = 0;
    w->records = 0;

    ngx_memzero(&w->head, sizeof(guardrail_state_head_t));
    ngx_http_guardrail_hash_name(zone, w->head.zone);

    ngx_http_guardrail_lock(zone);
    guardrail_state_head_locked(&zone->z, &w->head);
    ngx_http_guardrail_unlock(zone);

    w->head.written = ngx_http_guardrail_now(zone);
    w->head.kind = ngx_http_guardrail_secret_from;

    if (ngx_http_guardrail_secret_from == ngx_http_guardrail_secret_file) {

        /* it is kept elsewhere: enough to know it again */

        guardrail_siphash(ngx_http_guardrail_secret, NULL, 0,
                          (uint64_t *) (void *) w->head.secret);
    } else {
        ngx_memcpy(w->head.secret, ngx_http_guardrail_secret,
                   GUARDRAIL_SIPHASH_KEY);
    }

    if (ngx_http_guardrail_put(w, &w->head, sizeof(guardrail_state_head_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_guardrail_write_piece(ngx_http_guardrail_writer_t *w)
{
    uint32_t           i, n;
    guardrail_zone_t  *z;

    z = &w->zone->z;

    for (n = 0;
         n < NGX_HTTP_GUARDRAIL_BUCKETS && w->bucket < z->n_buckets;
         n++, w->bucket++)
    {

        /* empty ones are passed; no lock is needed */

        for (i = 0; i < z->ways && guardrail_zone_tags(z, w->bucket)[i] == 0;
             i++)
        {
            /* void */
        }

        if (i == z->ways) {
            continue;
        }

        /* a bucket with keys costs as much as many without */

        n += z->ways;

        for (i = 0; i < z->ways; i += NGX_HTTP_GUARDRAIL_RECORDS) {
            if (ngx_http_guardrail_write_records(w, i) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    if (w->bucket < z->n_buckets) {
        return NGX_AGAIN;
    }

    return ngx_http_guardrail_end_write(w);
}


/* of the bucket, from this way on */

static ngx_int_t
ngx_http_guardrail_write_records(ngx_http_guardrail_writer_t *w, uint32_t way)
{
    size_t                      size;
    uint32_t                    i, n, last;
    uint64_t                    now;
    ngx_http_guardrail_zone_t  *zone;
    guardrail_state_record_t    records[NGX_HTTP_GUARDRAIL_RECORDS];

    zone = w->zone;
    now = ngx_http_guardrail_now(zone);
    last = ngx_min(way + NGX_HTTP_GUARDRAIL_RECORDS, zone->z.ways);
    n = 0;

    ngx_http_guardrail_lock(zone);

    for (i = way; i < last; i++) {
        if (guardrail_zone_tags(&zone->z, w->bucket)[i]) {
            n += guardrail_state_record_locked(&zone->z,
                                    guardrail_zone_place(&zone->z, w->bucket,
                                                         i),
                                    &w->head, now, &records[n]);
        }
    }

    ngx_http_guardrail_unlock(zone);

    size = guardrail_state_size(w->head.rates);

    for (i = 0; i < n; i++) {
        if (ngx_http_guardrail_put(w, &records[i], size) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    w->records += n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_end_write(ngx_http_guardrail_writer_t *w)
{
    guardrail_state_tail_t  tail;

    ngx_memzero(&tail, sizeof(guardrail_state_tail_t));

    tail.end = GUARDRAIL_STATE_END;
    tail.records = w->records;

    if (ngx_http_guardrail_put(w, &tail,
                               offsetof(guardrail_state_tail_t, crc))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    tail.crc = w->crc;

    if (ngx_http_guardrail_put(w, &tail.crc,
                               sizeof(guardrail_state_tail_t)
                               - offsetof(guardrail_state_tail_t, crc))
        != NGX_OK
        || ngx_http_guardrail_flush(w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_guardrail_is_mine(w)) {
        ngx_http_guardrail_stop_write(w);
        return NGX_OK;
    }

    if (ngx_rename_file(w->tmp, w->zone->state.data) == NGX_FILE_ERROR) {
        return ngx_http_guardrail_write_failed(w, ngx_rename_file_n);
    }

    (void) ngx_close_file(w->fd);

    w->fd = NGX_INVALID_FILE;
    w->writing = 0;
    w->failed = 0;
    w->zone->z.head->written = w->head.written;

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_put(ngx_http_guardrail_writer_t *w, void *p, size_t len)
{
    if (len > NGX_HTTP_GUARDRAIL_BUFFER - w->len
        && ngx_http_guardrail_flush(w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(w->buf + w->len, p, len);

    w->len += len;
    w->crc = guardrail_crc32(w->crc, p, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_guardrail_flush(ngx_http_guardrail_writer_t *w)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; done < w->len; done += (size_t) n) {
        n = ngx_write_fd(w->fd, w->buf + done, w->len - done);

        if (n <= 0) {
            return ngx_http_guardrail_write_failed(w, "write()");
        }
    }

    w->len = 0;

    return NGX_OK;
}


/* has nobody else begun to write meanwhile? */

static ngx_uint_t
ngx_http_guardrail_is_mine(ngx_http_guardrail_writer_t *w)
{
    ngx_file_info_t  mine, there;

    return ngx_fd_info(w->fd, &mine) != NGX_FILE_ERROR
           && ngx_file_info(w->tmp, &there) != NGX_FILE_ERROR
           && ngx_file_uniq(&mine) == ngx_file_uniq(&there);
}


static void
ngx_http_guardrail_stop_write(ngx_http_guardrail_writer_t *w)
{
    if (w->fd != NGX_INVALID_FILE) {

        if (ngx_http_guardrail_is_mine(w)) {
            (void) ngx_delete_file(w->tmp);
        }

        (void) ngx_close_file(w->fd);
        w->fd = NGX_INVALID_FILE;
    }

    w->writing = 0;
}


/* said once: it is tried again every ten seconds */

static ngx_int_t
ngx_http_guardrail_write_failed(ngx_http_guardrail_writer_t *w,
    const char *what)
{
    if (!w->failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "guardrail: the state of zone \"%V\" cannot be written: "
                      "%s \"%s\" failed", &w->zone->name, what, w->tmp);
        w->failed = 1;
    }

    ngx_http_guardrail_stop_write(w);

    return NGX_ERROR;
}


/*
 * Is there the file of a zone that was made after this one, by a reload that
 * has changed its size?  Only a whole one counts, or damage in its head could
 * keep the state from being written for ever.
 */

static ngx_uint_t
ngx_http_guardrail_is_newer(ngx_http_guardrail_writer_t *w)
{
    ngx_fd_t                 fd;
    ngx_uint_t               newer;
    guardrail_state_head_t   head;

    fd = ngx_open_file(w->zone->state.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    newer = pread(fd, &head, sizeof(guardrail_state_head_t), 0)
            == (ssize_t) sizeof(guardrail_state_head_t)
            && head.id != w->zone->z.head->id
            && head.created > w->zone->z.head->created
            && ngx_http_guardrail_check_file(fd, w->buf, &head) == NULL;

    (void) ngx_close_file(fd);

    return newer;
}
