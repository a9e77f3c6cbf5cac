
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Levels, slowly: plain arrays of leases, holds and waiters, each question
 * answered by looking at all of them.  zone_step() makes one random change to
 * a zone and to its model and says what they differ in; where the numbers
 * come from is the caller's.
 */


#ifndef GUARDRAIL_ZONE_MODEL_H
#define GUARDRAIL_ZONE_MODEL_H


#include "zone_block.h"


#define ZONE_KEYS   4                   /* the last one is the shared entry */
#define ZONE_MOST   64                  /* leases, holds, or waiters */
#define ZONE_UNITS  GUARDRAIL_LEVEL_UNITS


typedef enum {
    ZONE_TAKE = 0,
    ZONE_ACCEPT,
    ZONE_RESIZE,
    ZONE_RELEASE,
    ZONE_HOLD,
    ZONE_EXPIRE,
    ZONE_WAIT,
    ZONE_LEAVE,
    ZONE_RETURN,
    ZONE_REGISTER,
    ZONE_SLOT_FREE,
    ZONE_CHANGES
} zone_change_e;


/* a change, and what came of it: in data of zone_killed() */

typedef struct {
    zone_change_e      what;
    uint32_t           key;
    uint32_t           unit;
    uint32_t           slot;
    uint64_t           amount;
    uint64_t           limit;
    uint64_t           ticket;
    uint64_t           most;            /* who may wait */
    uint64_t           now;
    uint32_t           index;           /* of a lease or a waiter */
    uint32_t           end;
    uint32_t           pid;
    uint32_t           n;
    guardrail_entry_t *entry;

    uint32_t           rc;
    uint32_t           made;            /* the index of what was made */
} zone_op_t;


typedef struct {
    unsigned           live;
    uint32_t           key;
    uint32_t           unit;
    uint32_t           slot;
    uint64_t           amount;
    uint32_t           index;
    uint64_t           seq;             /* the largest is the latest */
} zone_lease_t;


typedef struct {
    uint32_t           count;           /* of leases; 0: free */
    uint32_t           key;
    uint32_t           unit;
    uint32_t           end;
    uint64_t           amount;
} zone_hold_t;


typedef struct {
    uint32_t           state;           /* guardrail_waiter_e */
    uint32_t           key;
    uint32_t           unit;
    uint32_t           slot;
    uint64_t           amount;
    uint64_t           limit;
    uint64_t           ticket;
    uint64_t           granted;
    uint64_t           order;           /* of grants */
    uint32_t           index;
    uint64_t           seq;
} zone_waiter_t;


typedef struct {
    zone_block_t      *b;
    guardrail_entry_t *entries[ZONE_KEYS];
    uint64_t           now;
    uint32_t           expired;
    uint64_t           seq;
    uint64_t           ticket;
    uint64_t           spare;           /* of one who tries again */
    uint32_t           pids[ZONE_SLOTS];
    uint32_t           generations[ZONE_SLOTS];
    zone_lease_t       leases[ZONE_MOST];
    zone_hold_t        holds[ZONE_MOST];
    zone_waiter_t      waiters[ZONE_MOST];

    uint32_t         (*pick)(void *data, uint32_t n);   /* below n */
    void              *data;

    /* what happened, so that a test can see that it did */

    unsigned           done[ZONE_CHANGES][4];
    unsigned           grants;
    unsigned           passed;
    unsigned           merged;
    unsigned           ended;
} zone_model_t;


static inline void
zone_model_init(zone_model_t *m, zone_block_t *b, uint64_t now,
    uint32_t (*pick)(void *data, uint32_t n), void *data)
{
    uint32_t         i;
    guardrail_key_t  key;

    memset(m, 0, sizeof(zone_model_t));

    m->b = b;
    m->now = now;
    m->expired = (uint32_t) (now / 1000);
    m->pick = pick;
    m->data = data;

    for (i = 0; i < ZONE_KEYS - 1; i++) {
        memset(&key, 0, sizeof(key));
        key.hash[0] = (i + 1) * 0x9e3779b97f4a7c15;
        key.hash[1] = (i + 1) * 0xc2b2ae3d27d4eb4f;
        key.entry = GUARDRAIL_ZONE_NONE;

        m->entries[i] = guardrail_key_find_locked(&b->z, &key, now, 1);
    }

    m->entries[i] = guardrail_zone_entry(&b->z, b->z.shared);

    guardrail_zone_commit(&b->z);
}


/* in the zone */

static inline void
zone_op_run(guardrail_zone_t *z, void *data)
{
    zone_op_t         *op = data;
    guardrail_want_t   want;

    memset(&want, 0, sizeof(want));
    want.entry = op->entry;
    want.amount = op->amount;
    want.limit = op->limit;
    want.ticket = op->ticket;
    want.unit = op->unit;
    want.slot = op->slot;

    switch (op->what) {

    case ZONE_TAKE:
        op->rc = guardrail_level_take_locked(z, &want, op->now, &op->made);
        break;

    case ZONE_ACCEPT:
        op->rc = guardrail_level_accept_locked(z, op->index, op->now,
                                               &op->made);
        break;

    case ZONE_RESIZE:
        op->rc = guardrail_level_resize_locked(z, op->index, op->amount,
                                               op->limit, op->now);
        break;

    case ZONE_RELEASE:
        guardrail_level_release_locked(z, op->index, op->now);
        break;

    case ZONE_HOLD:
        guardrail_level_hold_locked(z, op->index, op->end, op->now);
        break;

    case ZONE_EXPIRE:
        guardrail_level_expire_locked(z, op->now);
        break;

    case ZONE_WAIT:
        op->rc = guardrail_level_wait_locked(z, &want, op->most, &op->made);
        op->ticket = want.ticket;
        break;

    case ZONE_LEAVE:
        guardrail_level_leave_locked(z, op->index, op->now);
        break;

    case ZONE_RETURN:
        guardrail_level_return_locked(z, op->index, op->now);
        break;

    case ZONE_REGISTER:
        op->made = guardrail_slot_register_locked(z, op->pid, op->pid * 7,
                                                  op->pid);
        break;

    default: /* ZONE_SLOT_FREE */
        op->rc = guardrail_slot_free_locked(z, op->slot, op->index, op->n,
                                            op->pid, op->now);
    }
}


/* what points to a key's level; of a unit, or of any: ZONE_UNITS */

static inline uint32_t
zone_model_records(const zone_model_t *m, uint32_t key)
{
    uint32_t  i, n;

    for (n = 0, i = 0; i < ZONE_MOST; i++) {
        n += m->leases[i].live && m->leases[i].key == key;
        n += m->holds[i].count && m->holds[i].key == key;
        n += m->waiters[i].state && m->waiters[i].key == key;
    }

    return n;
}


static inline uint64_t
zone_model_held(const zone_model_t *m, uint32_t key, uint32_t unit,
    uint64_t at)
{
    uint32_t  i;
    uint64_t  n;

    for (n = 0, i = 0; i < ZONE_MOST; i++) {
        if (m->holds[i].count && m->holds[i].key == key
            && m->holds[i].unit == unit
            && m->holds[i].end * (uint64_t) 1000 > at)
        {
            n += m->holds[i].amount;
        }
    }

    return n;
}


/* leases and grants */

static inline uint64_t
zone_model_leased(const zone_model_t *m, uint32_t key, uint32_t unit)
{
    uint32_t  i;
    uint64_t  n;

    for (n = 0, i = 0; i < ZONE_MOST; i++) {
        if (m->leases[i].live && m->leases[i].key == key
            && m->leases[i].unit == unit)
        {
            n += m->leases[i].amount;
        }

        if (m->waiters[i].state == GUARDRAIL_WAITER_GRANTED
            && m->waiters[i].key == key && m->waiters[i].unit == unit)
        {
            n += m->waiters[i].amount;
        }
    }

    return n;
}


static inline uint64_t
zone_model_used(const zone_model_t *m, uint32_t key, uint32_t unit)
{
    return zone_model_leased(m, key, unit) + zone_model_held(m, key, unit, 0);
}


static inline uint32_t
zone_model_waiting(const zone_model_t *m, uint32_t key, uint32_t unit)
{
    uint32_t  i, n;

    for (n = 0, i = 0; i < ZONE_MOST; i++) {
        n += m->waiters[i].key == key && m->waiters[i].unit == unit
             && (m->waiters[i].state == GUARDRAIL_WAITER_WAITS
                 || m->waiters[i].state == GUARDRAIL_WAITER_PASSED);
    }

    return n;
}


/* who came first, of those who are there */

static inline zone_waiter_t *
zone_model_first(zone_model_t *m, uint32_t key, uint32_t unit)
{
    uint32_t        i;
    zone_waiter_t  *w, *first;

    first = NULL;

    for (i = 0; i < ZONE_MOST; i++) {
        w = &m->waiters[i];

        if (w->state == GUARDRAIL_WAITER_WAITS && w->key == key
            && w->unit == unit && (first == NULL || w->ticket < first->ticket))
        {
            first = w;
        }
    }

    return first;
}


static inline void
zone_model_grant(zone_model_t *m, uint32_t key, uint32_t unit)
{
    zone_waiter_t  *w;

    for ( ;; ) {
        w = zone_model_first(m, key, unit);

        if (w == NULL || w->amount > w->limit
            || zone_model_used(m, key, unit) > w->limit - w->amount)
        {
            return;
        }

        w->state = GUARDRAIL_WAITER_GRANTED;
        w->granted = m->now;
        w->order = ++m->seq;
        m->grants++;
    }
}


static inline uint32_t
zone_model_levels(const zone_model_t *m)
{
    uint32_t  i, n;

    for (n = 0, i = 0; i < ZONE_KEYS; i++) {
        n += zone_model_records(m, i) != 0;
    }

    return n;
}


static inline unsigned
zone_model_lease_room(const zone_model_t *m)
{
    uint32_t  i, n;

    for (n = 0, i = 0; i < ZONE_MOST; i++) {
        n += m->leases[i].live;
        n += m->holds[i].count != 0;
    }

    return n < m->b->z.n_leases;
}


static inline unsigned
zone_model_level_room(const zone_model_t *m, uint32_t key)
{
    return zone_model_records(m, key)
           || zone_model_levels(m) < m->b->z.n_levels;
}


static inline void
zone_model_lease(zone_model_t *m, uint32_t key, uint32_t unit, uint32_t slot,
    uint64_t amount, uint32_t index)
{
    uint32_t       i;
    zone_lease_t  *n;

    for (i = 0; m->leases[i].live; i++) { /* there is room in the zone */ }

    n = &m->leases[i];
    n->live = 1;
    n->key = key;
    n->unit = unit;
    n->slot = slot;
    n->amount = amount;
    n->index = index;
    n->seq = ++m->seq;
}


static inline zone_lease_t *
zone_model_find_lease(zone_model_t *m, uint32_t index)
{
    uint32_t  i;

    for (i = 0; !m->leases[i].live || m->leases[i].index != index; i++) {
        /* void */
    }

    return &m->leases[i];
}


static inline zone_waiter_t *
zone_model_find_waiter(zone_model_t *m, uint32_t index)
{
    uint32_t  i;

    for (i = 0; !m->waiters[i].state || m->waiters[i].index != index; i++) {
        /* void */
    }

    return &m->waiters[i];
}


static inline uint32_t
zone_model_take(zone_model_t *m, const zone_op_t *op)
{
    zone_waiter_t  *first;

    if (op->amount > op->limit) {
        return GUARDRAIL_LEVEL_NEVER;
    }

    first = zone_model_first(m, op->key, op->unit);

    if (op->amount) {

        if (zone_model_used(m, op->key, op->unit) > op->limit - op->amount) {
            return GUARDRAIL_LEVEL_FULL;
        }

        if (op->limit != GUARDRAIL_NO_LIMIT && first
            && (op->ticket == 0 || first->ticket < op->ticket))
        {
            return GUARDRAIL_LEVEL_FULL;
        }
    }

    if (!zone_model_lease_room(m) || !zone_model_level_room(m, op->key)) {
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    zone_model_lease(m, op->key, op->unit, op->slot, op->amount, op->made);

    return GUARDRAIL_LEVEL_OK;
}


static inline uint32_t
zone_model_accept(zone_model_t *m, const zone_op_t *op)
{
    zone_waiter_t  *w;

    w = zone_model_find_waiter(m, op->index);

    if (w->state != GUARDRAIL_WAITER_GRANTED) {
        return GUARDRAIL_LEVEL_FULL;
    }

    if (!zone_model_lease_room(m)) {
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    zone_model_lease(m, w->key, w->unit, w->slot, w->amount, op->made);
    w->state = GUARDRAIL_WAITER_FREE;
    zone_model_grant(m, w->key, w->unit);

    return GUARDRAIL_LEVEL_OK;
}


static inline uint32_t
zone_model_resize(zone_model_t *m, const zone_op_t *op)
{
    uint64_t       others;
    zone_lease_t  *n;

    n = zone_model_find_lease(m, op->index);
    others = zone_model_used(m, n->key, n->unit) - n->amount;

    if (op->amount > n->amount) {

        if (op->amount > op->limit) {
            return GUARDRAIL_LEVEL_NEVER;
        }

        if (others > op->limit - op->amount) {
            return GUARDRAIL_LEVEL_FULL;
        }

        n->amount = op->amount;

    } else if (op->amount < n->amount) {
        n->amount = op->amount;
        zone_model_grant(m, n->key, n->unit);
    }

    return GUARDRAIL_LEVEL_OK;
}


static inline void
zone_model_hold(zone_model_t *m, const zone_op_t *op)
{
    uint32_t       i;
    zone_hold_t   *h;
    zone_lease_t  *n;

    n = zone_model_find_lease(m, op->index);
    n->live = 0;

    if (op->end <= op->now / 1000 || op->end <= m->expired
        || op->end - op->now / 1000 > GUARDRAIL_LEVEL_MAX_HOLD
        || n->unit == GUARDRAIL_LEVEL_UPLOADS)
    {
        zone_model_grant(m, n->key, n->unit);
        return;
    }

    for (i = 0; i < ZONE_MOST; i++) {
        h = &m->holds[i];

        if (h->count && h->key == n->key && h->unit == n->unit
            && h->end == op->end)
        {
            h->count++;
            h->amount += n->amount;
            m->merged++;
            return;
        }
    }

    for (i = 0; m->holds[i].count; i++) { /* void */ }

    h = &m->holds[i];
    h->count = 1;
    h->key = n->key;
    h->unit = n->unit;
    h->end = op->end;
    h->amount = n->amount;
}


static inline void
zone_model_expire(zone_model_t *m)
{
    uint32_t        i;
    zone_waiter_t  *w, *first;

    if (m->now / 1000 > m->expired) {
        m->expired = (uint32_t) (m->now / 1000);

        for (i = 0; i < ZONE_MOST; i++) {
            if (m->holds[i].count && m->holds[i].end <= m->expired) {
                m->holds[i].count = 0;
                m->ended++;
                zone_model_grant(m, m->holds[i].key, m->holds[i].unit);
            }
        }
    }

    for ( ;; ) {
        first = NULL;

        for (i = 0; i < ZONE_MOST; i++) {
            w = &m->waiters[i];

            if (w->state == GUARDRAIL_WAITER_GRANTED
                && (first == NULL || w->order < first->order))
            {
                first = w;
            }
        }

        if (first == NULL || first->granted + 500 > m->now) {
            return;
        }

        first->state = GUARDRAIL_WAITER_PASSED;
        m->passed++;
        zone_model_grant(m, first->key, first->unit);
    }
}


static inline uint32_t
zone_model_wait(zone_model_t *m, const zone_op_t *op)
{
    uint32_t        i, n;
    zone_waiter_t  *w;

    if (op->amount > op->limit) {
        return GUARDRAIL_LEVEL_NEVER;
    }

    if (zone_model_waiting(m, op->key, op->unit) >= op->most
        || op->unit == GUARDRAIL_LEVEL_UPLOADS)
    {
        return GUARDRAIL_LEVEL_FULL;
    }

    for (n = 0, i = 0; i < ZONE_MOST; i++) {
        n += m->waiters[i].state != 0;
    }

    if (n == m->b->z.n_waiters || !zone_model_level_room(m, op->key)) {
        return GUARDRAIL_LEVEL_NO_ROOM;
    }

    for (i = 0; m->waiters[i].state; i++) { /* void */ }

    w = &m->waiters[i];
    w->state = GUARDRAIL_WAITER_WAITS;
    w->key = op->key;
    w->unit = op->unit;
    w->slot = op->slot;
    w->amount = op->amount;
    w->limit = op->limit;
    w->ticket = op->ticket;
    w->index = op->made;
    w->seq = ++m->seq;

    return GUARDRAIL_LEVEL_OK;
}


static inline uint32_t
zone_model_slot_free(zone_model_t *m, const zone_op_t *op)
{
    uint32_t        i, n;
    zone_lease_t   *lease;
    zone_waiter_t  *w;

    if (m->pids[op->slot] == 0 || m->generations[op->slot] != op->index) {
        return 0;
    }

    for (n = op->n; ; n--) {
        w = NULL;
        lease = NULL;

        for (i = 0; i < ZONE_MOST; i++) {

            if (m->waiters[i].state && m->waiters[i].slot == op->slot
                && (w == NULL || m->waiters[i].seq > w->seq))
            {
                w = &m->waiters[i];
            }

            if (m->leases[i].live && m->leases[i].slot == op->slot
                && (lease == NULL || m->leases[i].seq > lease->seq))
            {
                lease = &m->leases[i];
            }
        }

        if (n == 0 || (w == NULL && lease == NULL)) {
            break;
        }

        if (w) {
            w->state = GUARDRAIL_WAITER_FREE;
            zone_model_grant(m, w->key, w->unit);

        } else {
            lease->live = 0;
            zone_model_grant(m, lease->key, lease->unit);
        }
    }

    if (w || lease) {
        return 1;
    }

    m->pids[op->slot] = 0;

    return 0;
}


static inline uint32_t
zone_model_register(zone_model_t *m, const zone_op_t *op)
{
    uint32_t  i;

    for (i = 0; i < ZONE_SLOTS; i++) {
        if (m->pids[i] == op->pid) {
            return i;
        }
    }

    for (i = 0; i < ZONE_SLOTS; i++) {
        if (m->pids[i] == 0) {
            m->pids[i] = op->pid;
            m->generations[i]++;
            return i;
        }
    }

    return GUARDRAIL_ZONE_NONE;
}


/* the same in the model: what differs, or NULL */

static inline const char *
zone_model_run(zone_model_t *m, const zone_op_t *op)
{
    uint32_t        rc;
    zone_lease_t   *n;
    zone_waiter_t  *w;

    rc = 0;

    switch (op->what) {

    case ZONE_TAKE:
        rc = zone_model_take(m, op);
        break;

    case ZONE_ACCEPT:
        rc = zone_model_accept(m, op);
        break;

    case ZONE_RESIZE:
        rc = zone_model_resize(m, op);
        break;

    case ZONE_RELEASE:
        n = zone_model_find_lease(m, op->index);
        n->live = 0;
        zone_model_grant(m, n->key, n->unit);
        break;

    case ZONE_HOLD:
        zone_model_hold(m, op);
        break;

    case ZONE_EXPIRE:
        zone_model_expire(m);
        break;

    case ZONE_WAIT:
        rc = zone_model_wait(m, op);
        break;

    case ZONE_LEAVE:
        w = zone_model_find_waiter(m, op->index);
        w->state = GUARDRAIL_WAITER_FREE;
        zone_model_grant(m, w->key, w->unit);
        break;

    case ZONE_RETURN:
        w = zone_model_find_waiter(m, op->index);

        if (w->state == GUARDRAIL_WAITER_PASSED) {
            w->state = GUARDRAIL_WAITER_WAITS;
            zone_model_grant(m, w->key, w->unit);
        }

        break;

    case ZONE_REGISTER:
        if (zone_model_register(m, op) != op->made) {
            return "the slot";
        }

        break;

    default: /* ZONE_SLOT_FREE */
        rc = zone_model_slot_free(m, op);
    }

    m->done[op->what][rc]++;

    return rc == op->rc ? NULL : "the status";
}


/* is the zone what the model is? */

static inline const char *
zone_model_differ(zone_model_t *m)
{
    uint32_t                i, k, unit, waiting, leases[ZONE_UNITS], holds;
    uint64_t                memory;
    guardrail_zone_t       *z;
    guardrail_want_t        want;
    guardrail_zone_head_t  *head;

    z = &m->b->z;
    head = z->head;

    if (!guardrail_level_check_locked(z)) {
        return "the order of the zone";
    }

    waiting = 0;
    memory = 0;

    for (k = 0; k < ZONE_KEYS; k++) {
        memset(&want, 0, sizeof(want));
        want.entry = m->entries[k];

        for (unit = 0; unit < ZONE_UNITS; unit++) {
            want.unit = unit;

            if (guardrail_level_used_locked(z, &want)
                != zone_model_used(m, k, unit))
            {
                return "used";
            }

            if (guardrail_level_waiting_locked(z, &want)
                != zone_model_waiting(m, k, unit))
            {
                return "waiting";
            }

            waiting += zone_model_waiting(m, k, unit);
        }

        memory += zone_model_used(m, k, GUARDRAIL_LEVEL_MEMORY);

        if ((m->entries[k]->level != 0) != (zone_model_records(m, k) != 0)) {
            return "a level";
        }
    }

    memset(leases, 0, sizeof(leases));
    holds = 0;

    for (i = 0; i < ZONE_MOST; i++) {

        if (m->leases[i].live) {
            leases[m->leases[i].unit]++;

            if (z->leases[m->leases[i].index].level == 0
                || z->leases[m->leases[i].index].amount
                   != m->leases[i].amount)
            {
                return "a lease";
            }
        }

        holds += m->holds[i].count;

        if (m->waiters[i].state
            && (z->waiters[m->waiters[i].index].state != m->waiters[i].state
                || z->waiters[m->waiters[i].index].ticket
                   != m->waiters[i].ticket))
        {
            return "a waiter";
        }
    }

    if (memcmp(leases, head->leases, sizeof(leases)) != 0
        || holds != head->holds || memory != head->memory
        || waiting != head->waiting)
    {
        return "the gauges";
    }

    return head->stats.unsaved ? "a line that was not saved" : NULL;
}


/* seconds, by trying each */

static inline uint32_t
zone_model_retry(const zone_model_t *m, const zone_op_t *op)
{
    uint32_t  s;
    uint64_t  room, leased;

    room = op->limit - op->amount;
    leased = zone_model_leased(m, op->key, op->unit);

    if (op->unit == GUARDRAIL_LEVEL_UPLOADS || op->amount > op->limit
        || leased > room)
    {
        return 1;
    }

    for (s = 0; leased + zone_model_held(m, op->key, op->unit,
                                         m->now + s * (uint64_t) 1000) > room;
         s++)
    {
        /* void */
    }

    return s ? s : 1;
}


static inline uint32_t
zone_pick_slot(zone_model_t *m)
{
    uint32_t  slot;

    slot = m->pick(m->data, ZONE_SLOTS);

    return m->pids[slot] ? slot : GUARDRAIL_ZONE_NONE;
}


/* a change that callers may ask for; 0 if there is nothing to do it to */

static inline unsigned
zone_pick(zone_model_t *m, zone_op_t *op)
{
    uint32_t        n;
    zone_lease_t   *lease;
    zone_waiter_t  *w;

    static const zone_change_e  often[] = {
        ZONE_TAKE, ZONE_TAKE, ZONE_TAKE, ZONE_TAKE, ZONE_ACCEPT, ZONE_ACCEPT,
        ZONE_ACCEPT, ZONE_RESIZE, ZONE_RELEASE, ZONE_RELEASE, ZONE_HOLD,
        ZONE_EXPIRE, ZONE_WAIT, ZONE_WAIT, ZONE_WAIT, ZONE_LEAVE,
        ZONE_RETURN, ZONE_RETURN, ZONE_REGISTER, ZONE_SLOT_FREE
    };

    static const uint64_t  limits[] = {
        0, 1, 3, 3, 5, 5, 7, 12, GUARDRAIL_NO_LIMIT
    };

    memset(op, 0, sizeof(zone_op_t));

    op->what = often[m->pick(m->data, sizeof(often) / sizeof(often[0]))];
    op->now = m->now;

    switch (op->what) {

    case ZONE_TAKE:
    case ZONE_WAIT:
        op->key = m->pick(m->data, ZONE_KEYS);
        op->unit = m->pick(m->data, ZONE_UNITS);
        op->slot = zone_pick_slot(m);
        op->amount = m->pick(m->data, 5);
        op->limit = limits[m->pick(m->data, 9)];
        op->most = m->pick(m->data, 8);
        op->entry = m->entries[op->key];

        if (m->spare && m->pick(m->data, 2)) {
            op->ticket = m->spare;
        }

        return op->slot != GUARDRAIL_ZONE_NONE;

    case ZONE_ACCEPT:
    case ZONE_LEAVE:
    case ZONE_RETURN:
        n = m->pick(m->data, ZONE_MOST);

        for (w = &m->waiters[n]; n && w->state == 0; w--, n--) { /* void */ }

        if (op->what == ZONE_ACCEPT && m->pick(m->data, 8)) {

            /* mostly one that was granted */

            for (n = 0; n < ZONE_MOST; n++) {
                if (m->waiters[n].state == GUARDRAIL_WAITER_GRANTED) {
                    w = &m->waiters[n];
                }
            }
        }

        op->index = w->index;

        return w->state != 0;

    case ZONE_RESIZE:
    case ZONE_RELEASE:
    case ZONE_HOLD:
        n = m->pick(m->data, ZONE_MOST);

        for (lease = &m->leases[n]; n && !lease->live; lease--, n--) {
            /* void */
        }

        op->index = lease->index;
        op->amount = m->pick(m->data, 8);
        op->limit = limits[m->pick(m->data, 9)];
        op->end = (uint32_t) (m->now / 1000) + m->pick(m->data, 5);

        switch (m->pick(m->data, 8)) {

        case 2:
        case 3:
        case 4:
        case 5:
            op->end |= 3;
            break;

        case 0:
            op->end += m->pick(m->data, 200);
            break;

        case 1:
            op->end += 3590 + m->pick(m->data, 20);
        }

        return lease->live;

    case ZONE_REGISTER:
        op->pid = 1 + m->pick(m->data, ZONE_SLOTS + 1);
        return 1;

    case ZONE_SLOT_FREE:
        op->slot = m->pick(m->data, ZONE_SLOTS);
        op->n = 1 + m->pick(m->data, 6);
        op->pid = m->pick(m->data, 2);
        op->index = m->generations[op->slot] - (m->pick(m->data, 8) == 0);
        return m->pick(m->data, 4) == 0;

    default:
        return 1;
    }
}


/* one change, or some time: what was wrong, or NULL */

static inline const char *
zone_step(zone_model_t *m, unsigned kill)
{
    zone_op_t          op;
    const char        *wrong;
    zone_waiter_t     *w;
    guardrail_want_t   want;

    static const uint32_t  waits[] = {
        0, 0, 1, 20, 100, 499, 500, 501, 1000, 3000, 64000, 65000, 200000
    };

    if (m->pick(m->data, 4) == 0) {
        m->now += waits[m->pick(m->data, 13)];

        /* another worker's clock is a bit behind */

        if (m->pick(m->data, 16) == 0) {
            m->now -= m->pick(m->data, 1500);
        }
    }

    if (!zone_pick(m, &op)) {
        return NULL;
    }

    if (kill) {
        wrong = zone_killed(m->b, zone_op_run, &op, sizeof(op));

        if (wrong) {
            return wrong;
        }

    } else {
        zone_op_run(&m->b->z, &op);
    }

    /* somebody who leaves may wait again with its ticket, and only once */

    if (op.what == ZONE_WAIT || op.what == ZONE_TAKE) {

        if (op.ticket == m->spare && op.rc == GUARDRAIL_LEVEL_OK) {
            m->spare = 0;
        }

        if (op.what == ZONE_WAIT && op.rc == GUARDRAIL_LEVEL_OK
            && op.ticket > m->ticket && op.ticket != ++m->ticket)
        {
            return "a ticket";
        }

    } else if (op.what == ZONE_LEAVE) {
        w = zone_model_find_waiter(m, op.index);
        m->spare = w->ticket;
    }

    wrong = zone_model_run(m, &op);

    if (wrong == NULL) {
        wrong = zone_model_differ(m);
    }

    if (wrong) {
        return wrong;
    }

    /* questions */

    if (m->now / 1000 >= m->expired
        && (op.what == ZONE_TAKE || op.what == ZONE_EXPIRE))
    {
        op.what = ZONE_EXPIRE;
        zone_op_run(&m->b->z, &op);
        zone_model_expire(m);

        if (op.entry == NULL) {
            return zone_model_differ(m);
        }

        memset(&want, 0, sizeof(want));
        want.entry = op.entry;
        want.amount = op.amount;
        want.limit = op.limit;
        want.unit = op.unit;

        if (guardrail_level_retry_locked(&m->b->z, &want, m->now)
            != zone_model_retry(m, &op))
        {
            return "retry";
        }

        return zone_model_differ(m);
    }

    return NULL;
}


/* all leave: what is left, or NULL */

static inline const char *
zone_model_end(zone_model_t *m)
{
    uint32_t           i, n;
    guardrail_zone_t  *z;

    z = &m->b->z;

    for (i = 0; i < ZONE_SLOTS; i++) {

        for (n = 0; guardrail_slot_free_locked(z, i, m->generations[i], 3, 1,
                                               m->now);
             n++)
        {
            if (n == ZONE_MOST) {
                return "a slot that is never free";
            }
        }

        if (z->slots[i].pid) {
            return "a slot";
        }
    }

    if (m->now / 1000 < m->expired) {
        m->now = m->expired * (uint64_t) 1000;
    }

    /* as late as any hold may end, as a clock was seen to run back */

    guardrail_level_expire_locked(z, m->now + 3602 * 1000);

    for (i = 0; i < ZONE_KEYS; i++) {
        if (m->entries[i]->level) {
            return "a level at the end";
        }
    }

    if (z->head->memory || z->head->holds || z->head->waiting
        || z->head->leases[0] || z->head->leases[1] || z->head->leases[2]
        || z->head->granted.head || z->head->granted.tail)
    {
        return "a gauge at the end";
    }

    return guardrail_level_check_locked(z) ? NULL : "the order at the end";
}


#endif /* GUARDRAIL_ZONE_MODEL_H */
