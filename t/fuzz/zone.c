
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Zones: any sequence of changes of levels against a slow model, and charges
 * between them that share the block.  Built with points at which a process
 * may die, each change is killed at each of them before it is made.
 *
 * Input: four bytes of sizes, one of kills, and then the numbers that the
 * model asks for, one byte each.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zone_model.h"


#define NOW    UINT64_C(1700000000000)
#define STEPS  120


typedef struct {
    const uint8_t  *p;
    const uint8_t  *last;
} input_t;


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static uint32_t next(void *data, uint32_t n);
static void check(const char *wrong, size_t step);
static const char *charge(zone_model_t *m, guardrail_zone_t *z);
static const char *heaviest(guardrail_zone_t *z);


static zone_block_t  b;
static zone_model_t  m;


/* zeros at the end: the same as takes of nothing */

static uint32_t
next(void *data, uint32_t n)
{
    input_t  *in = data;

    return in->p < in->last ? *in->p++ % n : 0;
}


static void
check(const char *wrong, size_t step)
{
    if (wrong) {
        fprintf(stderr, "step %zu: %s\n", step, wrong);
        abort();
    }
}


/* of a random key: it may take the place of another one, but never of ours */

static const char *
charge(zone_model_t *model, guardrail_zone_t *z)
{
    char                name[16];
    uint32_t            i;
    uint64_t            before, amount;
    guardrail_key_t     key;
    guardrail_rate_t    r;
    guardrail_entry_t  *e;

    i = model->pick(model->data, 200);
    (void) sprintf(name, "%u", i);

    memset(&key, 0, sizeof(key));
    key.hash[0] = i * 0x9e3779b97f4a7c15;
    key.hash[1] = key.hash[0] ^ 0xc2b2ae3d27d4eb4f;
    key.entry = GUARDRAIL_ZONE_NONE;

    memset(&r, 0, sizeof(r));
    r.limit.unit = model->pick(model->data, 2) ? GUARDRAIL_UNIT_BYTES
                                               : GUARDRAIL_UNIT_REQUESTS;
    r.limit.period = 1 + model->pick(model->data, 60);
    r.limit.value = 1 + model->pick(model->data, 40);
    amount = model->pick(model->data, 50);

    e = guardrail_key_find_locked(z, &key, model->now, 1);

    if (e == NULL) {
        return "no shared entry";
    }

    (void) guardrail_pair_find_locked(z, &r.limit, model->now,
                                      model->pick(model->data, 4));

    if (guardrail_rate_admit_locked(z, e, &r, model->now, amount)
        != GUARDRAIL_RATE_NO_ROOM)
    {
        before = guardrail_window_used(&r.window, r.limit.period, model->now);
        guardrail_rate_charge_locked(z, e, &r, model->now, amount);
        guardrail_rate_give_back_locked(z, &key, &r, amount);

        if (guardrail_window_used(&r.window, r.limit.period, model->now)
            != before)
        {
            return "a charge given back";
        }

        guardrail_rate_charge_locked(z, e, &r, model->now, amount);
        guardrail_heavy_charged_locked(z, &key, (uint8_t *) name, strlen(name),
                                       &r, amount, model->now);
    }

    guardrail_zone_commit(z);

    for (i = 0; i < ZONE_KEYS - 1; i++) {
        if (model->entries[i]->hash[0] != (i + 1) * 0x9e3779b97f4a7c15) {
            return "a key that was in use is gone";
        }
    }

    return heaviest(z);
}


/* a row is of a key that is there, by its own name, and no key has two */

static const char *
heaviest(guardrail_zone_t *z)
{
    char                    name[16];
    uint32_t                i, k, n, from;
    guardrail_heavy_copy_t  copies[ZONE_HEAVY];

    for (from = 0, n = 0; from < z->n_heavy; /* void */ ) {
        n += guardrail_heavy_copy_locked(z, &from, 5, copies + n);
    }

    for (i = 0; i < n; i++) {

        for (k = 0; copies[i].hash[0] != k * 0x9e3779b97f4a7c15; k++) {
            if (k == 200) {
                return "a row of no key";
            }
        }

        if (copies[i].len != (size_t) sprintf(name, "%u", k)
            || memcmp(copies[i].name, name, copies[i].len) != 0)
        {
            return "a row of another name";
        }

        for (k = 0; k < i; k++) {
            if (copies[k].hash[0] == copies[i].hash[0]) {
                return "two rows of a key";
            }
        }
    }

    return NULL;
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    size_t        i;
    uint32_t      kill;
    input_t       in;
    zone_sizes_t  sizes;

    in.p = p;
    in.last = p + size;

    sizes.rates = 1 + next(&in, 4);
    sizes.buckets = 2;
    sizes.levels = 1 + next(&in, 5);
    sizes.leases = 2 + 2 * next(&in, 10);
    sizes.waiters = 1 + next(&in, 20);
    kill = next(&in, 8) == 0;

    zone_block_init(&b, &sizes, NOW);
    zone_model_init(&m, &b, NOW, next, &in);

    /* the keys of the model stay, with or without leases */

    for (i = 0; i < ZONE_KEYS - 1; i++) {
        m.entries[i]->keep_until = UINT32_MAX;
    }

    for (i = 0; i < STEPS && in.p < in.last; i++) {

        if (next(&in, 8) == 0) {
            check(charge(&m, &b.z), i);
        }

        check(zone_step(&m, kill), i);
    }

    check(zone_model_end(&m), i);

    /* only what was used: the block is zero elsewhere */

    zone_block_free(&b);

    return 0;
}
