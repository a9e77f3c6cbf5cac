
/*
 * Copyright (C) nginx-guardrail authors
 */


#include "quota/guardrail_level_private.h"


void
guardrail_list_append(guardrail_zone_t *z, guardrail_list_t *list, uint32_t i)
{
    guardrail_waiter_t  *w, *last;

    w = &z->waiters[i - 1];

    guardrail_zone_touch(z, w, sizeof(guardrail_waiter_t));
    guardrail_zone_touch(z, list, sizeof(guardrail_list_t));

    w->queue.head = 0;
    w->queue.tail = list->tail;

    if (list->tail) {
        last = &z->waiters[list->tail - 1];
        guardrail_zone_touch(z, last, sizeof(guardrail_waiter_t));
        last->queue.head = i;

    } else {
        list->head = i;
    }

    list->tail = i;
}


void
guardrail_list_insert(guardrail_zone_t *z, guardrail_list_t *list, uint32_t i)
{
    uint32_t             k;
    guardrail_waiter_t  *w, *next, *prev;

    w = &z->waiters[i - 1];

    if (list->tail == 0 || z->waiters[list->tail - 1].ticket < w->ticket) {
        guardrail_list_append(z, list, i);
        return;
    }

    for (k = list->head; z->waiters[k - 1].ticket < w->ticket;
         k = z->waiters[k - 1].queue.head)
    {
        /* void */
    }

    next = &z->waiters[k - 1];

    guardrail_zone_touch(z, w, sizeof(guardrail_waiter_t));
    guardrail_zone_touch(z, next, sizeof(guardrail_waiter_t));

    w->queue.head = k;
    w->queue.tail = next->queue.tail;

    if (next->queue.tail) {
        prev = &z->waiters[next->queue.tail - 1];
        guardrail_zone_touch(z, prev, sizeof(guardrail_waiter_t));
        prev->queue.head = i;

    } else {
        guardrail_zone_touch(z, list, sizeof(guardrail_list_t));
        list->head = i;
    }

    next->queue.tail = i;
}


void
guardrail_list_remove(guardrail_zone_t *z, guardrail_list_t *list, uint32_t i)
{
    guardrail_waiter_t  *w, *other;

    w = &z->waiters[i - 1];

    guardrail_zone_touch(z, w, sizeof(guardrail_waiter_t));
    guardrail_zone_touch(z, list, sizeof(guardrail_list_t));

    if (w->queue.tail) {
        other = &z->waiters[w->queue.tail - 1];
        guardrail_zone_touch(z, other, sizeof(guardrail_waiter_t));
        other->queue.head = w->queue.head;

    } else {
        list->head = w->queue.head;
    }

    if (w->queue.head) {
        other = &z->waiters[w->queue.head - 1];
        guardrail_zone_touch(z, other, sizeof(guardrail_waiter_t));
        other->queue.tail = w->queue.tail;

    } else {
        list->tail = w->queue.tail;
    }
}
