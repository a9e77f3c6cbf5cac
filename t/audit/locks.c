
/*
 * Copyright (C) nginx-guardrail authors
 *
 * For tests only, x86-64: the lock audit.  The linker leads the calls between
 * the module's files through here (see locks.sh), and a process that breaks a
 * rule of the zones' locks says which one in the error log, and aborts:
 *
 *   - a function named *_locked runs under the lock of its zone, which is its
 *     first argument; a zone that is being made has none yet
 *   - no process has two locks of zones
 *   - under one, nothing is allocated, logged or evaluated
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "quota/guardrail_zone.h"


void guardrail_audit_locked(const guardrail_zone_t *z, const char *name);
void guardrail_audit_outside(const char *name);
ngx_uint_t __wrap_ngx_shmtx_trylock(ngx_shmtx_t *mtx);
ngx_uint_t __real_ngx_shmtx_trylock(ngx_shmtx_t *mtx);
void __wrap_ngx_shmtx_lock(ngx_shmtx_t *mtx);
void __wrap_ngx_shmtx_unlock(ngx_shmtx_t *mtx);
void __real_ngx_shmtx_unlock(ngx_shmtx_t *mtx);

static void guardrail_audit_fail(const char *rule, const char *name);


static ngx_shmtx_t  *guardrail_audit_held;


static void
guardrail_audit_fail(const char *rule, const char *name)
{
    char    line[256];
    int     n;

    n = snprintf(line, sizeof(line),
                 "0000/00/00 00:00:00 [alert] %d#0: lock audit: %s: %s\n",
                 (int) getpid(), name, rule);

    if (write(ngx_cycle->log->file->fd, line, (size_t) n) == -1) {
        /* void */
    }

    abort();
}


void
guardrail_audit_locked(const guardrail_zone_t *z, const char *name)
{
    u_char           *p;
    ngx_slab_pool_t  *pool;

    if (z->head->magic != GUARDRAIL_ZONE_MAGIC) {
        return;
    }

    if (guardrail_audit_held == NULL) {
        guardrail_audit_fail("called without a lock", name);
    }

    pool = (ngx_slab_pool_t *) (void *)
           ((u_char *) guardrail_audit_held
            - offsetof(ngx_slab_pool_t, mutex));

    p = (u_char *) z->head;

    if (p < pool->start || p >= pool->end) {
        guardrail_audit_fail("called under the lock of another zone", name);
    }
}


void
guardrail_audit_outside(const char *name)
{
    if (guardrail_audit_held) {
        guardrail_audit_fail("called under the lock of a zone", name);
    }
}


ngx_uint_t
__wrap_ngx_shmtx_trylock(ngx_shmtx_t *mtx)
{
    guardrail_audit_outside("ngx_shmtx_trylock");

    if (!__real_ngx_shmtx_trylock(mtx)) {
        return 0;
    }

    guardrail_audit_held = mtx;

    return 1;
}


/* the master must not wait, and workers look for dead holders */

void
__wrap_ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    guardrail_audit_fail("a lock that waits for ever", "ngx_shmtx_lock");
}


void
__wrap_ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    if (guardrail_audit_held != mtx) {
        guardrail_audit_fail("another lock is held, or none",
                             "ngx_shmtx_unlock");
    }

    guardrail_audit_held = NULL;

    __real_ngx_shmtx_unlock(mtx);
}
