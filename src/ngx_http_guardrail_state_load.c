
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The file of a zone, at its making: it is checked whole, and then loaded.
 */


#include "ngx_http_guardrail_module.h"

#include "codec/guardrail_crc32.h"
#include "quota/guardrail_state.h"


static const char *ngx_http_guardrail_check_secret(
    ngx_http_guardrail_zone_t *zone, guardrail_state_head_t *head);
static void ngx_http_guardrail_restore(ngx_http_guardrail_zone_t *zone,
    ngx_fd_t fd, u_char *buf, guardrail_state_head_t *head);


void
ngx_http_guardrail_hash_name(ngx_http_guardrail_zone_t *zone,
    uint64_t hash[2])
{
    static const uint8_t  key[GUARDRAIL_SIPHASH_KEY];

    guardrail_siphash(key, zone->name.data, zone->name.len, hash);
}


/*
 * When a zone is made: nobody else has it.  The time of the zone goes on from
 * when the file was written, if the clock has been set back since.
 */

uint64_t
ngx_http_guardrail_load_state(ngx_http_guardrail_zone_t *zone, uint64_t now,
    ngx_log_t *log)
{
    u_char                  *buf;
    ngx_fd_t                 fd;
    const char              *error;
    guardrail_state_head_t   head;

    if (zone->state.len == 0) {
        return now;
    }

    /* a pipe of that name would hold up the start for ever */

    fd = ngx_open_file(zone->state.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                          ngx_open_file_n " \"%V\" failed, zone \"%V\" starts "
                          "empty", &zone->state, &zone->name);
        }

        return now;
    }

    buf = ngx_alloc(NGX_HTTP_GUARDRAIL_BUFFER, log);

    if (buf == NULL) {
        error = "there is no memory to read it";

    } else {
        error = ngx_http_guardrail_check_file(fd, buf, &head);

        if (error == NULL) {
            error = ngx_http_guardrail_check_secret(zone, &head);
        }

        if (error == NULL) {
            now = ngx_max(now, head.written);
            zone->restore = now;

            ngx_http_guardrail_restore(zone, fd, buf, &head);
        }
    }

    if (error) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "the state file \"%V\" is ignored, zone \"%V\" starts "
                      "empty: %s", &zone->state, &zone->name, error);
    }

    if (buf) {
        ngx_free(buf);
    }

    (void) ngx_close_file(fd);

    return now;
}


/* NULL, or what is wrong */

const char *
ngx_http_guardrail_check_file(ngx_fd_t fd, u_char *buf,
    guardrail_state_head_t *head)
{
    off_t                    at, end, size;
    size_t                   len;
    ssize_t                  n;
    uint32_t                 crc;
    ngx_file_info_t          fi;
    guardrail_state_tail_t   tail;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        return "it is no regular file";
    }

    size = ngx_file_size(&fi);

    if (size < (off_t) (sizeof(guardrail_state_head_t)
                        + sizeof(guardrail_state_tail_t))
        || pread(fd, head, sizeof(guardrail_state_head_t), 0)
           != (ssize_t) sizeof(guardrail_state_head_t))
    {
        return "it is too short";
    }

    if (head->magic == GUARDRAIL_STATE_MAGIC
        && head->version > GUARDRAIL_STATE_VERSION)
    {
        return "a later version of the module has written it";
    }

    if (!guardrail_state_valid(head)) {
        return "it is not one of this module on this kind of machine";
    }

    end = size - (off_t) sizeof(guardrail_state_tail_t);

    if (pread(fd, &tail, sizeof(guardrail_state_tail_t), end)
        != (ssize_t) sizeof(guardrail_state_tail_t)
        || tail.end != GUARDRAIL_STATE_END
        || tail.records > (uint64_t) size
        || (uint64_t) end != sizeof(guardrail_state_head_t)
                             + tail.records * guardrail_state_size(head->rates))
    {
        return "it was not written to its end";
    }

    end += offsetof(guardrail_state_tail_t, crc);
    crc = 0;

    for (at = 0; at < end; at += n) {
        len = (size_t) ngx_min(end - at, NGX_HTTP_GUARDRAIL_BUFFER);
        n = pread(fd, buf, len, at);

        if (n <= 0) {
            return "it cannot be read";
        }

        crc = guardrail_crc32(crc, buf, (size_t) n);
    }

    return (crc == tail.crc) ? NULL : "its checksum is wrong";
}


/* keys are hashed under a secret: another one would not find them */

static const char *
ngx_http_guardrail_check_secret(ngx_http_guardrail_zone_t *zone,
    guardrail_state_head_t *head)
{
    uint64_t                         hash[2];
    ngx_http_guardrail_main_conf_t  *gmcf;

    gmcf = zone->gmcf;

    ngx_http_guardrail_hash_name(zone, hash);

    if (hash[0] != head->zone[0] || hash[1] != head->zone[1]) {
        return "it is that of another zone";
    }

    if (gmcf->secret_from == ngx_http_guardrail_secret_file) {
        guardrail_siphash(gmcf->secret, NULL, 0, hash);

        if (head->kind == ngx_http_guardrail_secret_file
            && ngx_memcmp(hash, head->secret, sizeof(hash)) == 0)
        {
            return NULL;
        }

        return "its keys were hashed under another secret";
    }

    if (head->kind != ngx_http_guardrail_secret_random) {
        return "its keys were hashed under another secret";
    }

    if (gmcf->secret_from == ngx_http_guardrail_secret_unset) {

        /* the secret of before the restart */

        ngx_memcpy(gmcf->secret, head->secret, GUARDRAIL_SIPHASH_KEY);
        gmcf->secret_from = ngx_http_guardrail_secret_random;

        return NULL;
    }

    if (ngx_memcmp(gmcf->secret, head->secret, GUARDRAIL_SIPHASH_KEY) != 0) {
        return "its keys were hashed under another secret";
    }

    return NULL;
}


static void
ngx_http_guardrail_restore(ngx_http_guardrail_zone_t *zone, ngx_fd_t fd,
    u_char *buf, guardrail_state_head_t *head)
{
    off_t                      at;
    size_t                     len, done;
    ssize_t                    n;
    guardrail_state_record_t   r;

    len = guardrail_state_size(head->rates);
    at = sizeof(guardrail_state_head_t);

    do {
        n = pread(fd, buf, NGX_HTTP_GUARDRAIL_BUFFER, at);

        /* the tail is shorter than a record */

        for (done = 0; (ssize_t) (done + len) <= n; done += len) {
            ngx_memzero(&r, sizeof(guardrail_state_record_t));
            ngx_memcpy(&r, buf + done, len);

            guardrail_state_restore_locked(&zone->z, head, &r, zone->restore);
        }

        at += (off_t) done;

    } while (done);
}
