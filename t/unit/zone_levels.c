
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Levels of a zone: random changes against a slow model, each killed at
 * every point of it where the build has such points, and the rules that an
 * operator relies on, one by one.
 */


#include "tap.h"

#include "zone_model.h"


#define NL      GUARDRAIL_NO_LIMIT
#define NOW     UINT64_C(1700000000000)

#if defined(__SANITIZE_ADDRESS__)
#define EPISODES  200
#define STEPS     300
#else
#define EPISODES  400
#define STEPS     400
#endif

#ifdef GUARDRAIL_ZONE_POINTS
#define KILLED    200
#else
#define KILLED    0
#endif


static uint32_t pick(void *data, uint32_t n);
static void start(uint32_t waiters);
static uint32_t take(uint32_t unit, uint32_t slot, uint64_t amount,
    uint64_t limit, uint64_t ticket);
static uint32_t wait_for(uint32_t unit, uint32_t slot, uint64_t amount,
    uint64_t limit, uint64_t *ticket);
static uint32_t state(uint32_t waiter);

static void test_random(unsigned kill);
static void test_order(void);
static void test_grant_expires(void);
static void test_place_is_kept(void);
static void test_nothing_needed(void);
static void test_never(void);
static void test_holds(void);
static void test_retry(void);
static void test_dead_process(void);
static void test_slots(void);
static void test_no_room(void);
static void test_many_grants(void);
static void test_largest(void);
static void test_check_sees(void);


static zone_block_t       b;
static guardrail_entry_t  *entry;
static uint32_t            made;
static uint64_t            seed = 20240817;
static uint64_t            rnd_state;

/* names of what was done, by zone_change_e */

static const char  *changes[] = {
    "take", "accept", "resize", "release", "hold", "expire", "wait", "leave",
    "return", "register", "slot_free"
};


int
main(int argc, char **argv)
{
    const char  *s;

    s = argc > 1 ? argv[1] : getenv("GUARDRAIL_SEED");
    seed = s ? strtoull(s, NULL, 10) : seed;
    rnd_state = seed ? seed : 1;

    tap_diag("seed %" PRIu64, seed);

    test_order();
    test_grant_expires();
    test_place_is_kept();
    test_nothing_needed();
    test_never();
    test_holds();
    test_retry();
    test_dead_process();
    test_slots();
    test_no_room();
    test_many_grants();
    test_largest();
    test_check_sees();

    test_random(0);

#ifdef GUARDRAIL_ZONE_POINTS

    test_random(1);

    tap_ok(zone_kill.lines <= GUARDRAIL_ZONE_UNDO, "%u lines at most",
           zone_kill.lines);
    tap_diag("killed %u times", zone_kill.deaths);

#else

    tap_skip("killed anywhere: built without points");

#endif

    return tap_done();
}


static uint32_t
pick(void *data, uint32_t n)
{
    (void) data;

    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;

    return (uint32_t) ((rnd_state * 0x2545f4914f6cdd1d) >> 32) % n;
}


/* a new zone with two processes and an entry */

static void
start(uint32_t waiters)
{
    guardrail_key_t  key;
    zone_sizes_t     sizes = { 2, 2, 4, 8, 0 };

    memset(b.block, 0, sizeof(b.block));

    sizes.waiters = waiters;
    zone_block_init(&b, &sizes, NOW);

    memset(&key, 0, sizeof(key));
    key.hash[0] = 1;
    key.entry = GUARDRAIL_ZONE_NONE;

    entry = guardrail_key_find_locked(&b.z, &key, NOW, 0);
    guardrail_zone_commit(&b.z);

    (void) guardrail_slot_register_locked(&b.z, 100, 5, 1);
    (void) guardrail_slot_register_locked(&b.z, 101, 5, 1);
}


static uint32_t
take(uint32_t unit, uint32_t slot, uint64_t amount, uint64_t limit,
    uint64_t ticket)
{
    guardrail_want_t  want;

    want.entry = entry;
    want.amount = amount;
    want.limit = limit;
    want.ticket = ticket;
    want.unit = unit;
    want.slot = slot;

    return guardrail_level_take_locked(&b.z, &want, NOW, &made);
}


static uint32_t
wait_for(uint32_t unit, uint32_t slot, uint64_t amount, uint64_t limit,
    uint64_t *ticket)
{
    uint32_t          rc;
    guardrail_want_t  want;

    want.entry = entry;
    want.amount = amount;
    want.limit = limit;
    want.ticket = *ticket;
    want.unit = unit;
    want.slot = slot;

    rc = guardrail_level_wait_locked(&b.z, &want, 100, &made);
    *ticket = want.ticket;

    return rc;
}


static uint32_t
state(uint32_t waiter)
{
    return b.z.waiters[waiter].state;
}


static void
test_random(unsigned kill)
{
    size_t         i, k, n, episodes;
    const char    *wrong;
    unsigned       done[ZONE_CHANGES][4], most[4], some;
    zone_model_t   m;

    zone_sizes_t  sizes = { 3, 1, 0, 0, 0 };

    memset(done, 0, sizeof(done));
    memset(most, 0, sizeof(most));

    wrong = NULL;
    episodes = kill ? KILLED : EPISODES;

    memset(b.block, 0, sizeof(b.block));

    for (i = 0; i < episodes && wrong == NULL; i++) {
        sizes.levels = 1 + pick(NULL, 5);
        sizes.leases = 2 + 2 * pick(NULL, 10);
        sizes.waiters = 1 + pick(NULL, 20);

        zone_block_init(&b, &sizes, NOW);
        zone_model_init(&m, &b, NOW, pick, NULL);

        for (k = 0; k < STEPS && wrong == NULL; k++) {
            wrong = zone_step(&m, kill);
        }

        if (wrong == NULL) {
            wrong = zone_model_end(&m);
        }

        if (wrong) {
            tap_diag("episode %zu, step %zu", i, k);
        }

        for (n = 0; n < ZONE_CHANGES * 4; n++) {
            done[n / 4][n % 4] += m.done[n / 4][n % 4];
        }

        most[0] += m.grants;
        most[1] += m.passed;
        most[2] += m.merged;
        most[3] += m.ended;

        zone_block_free(&b);
    }

    tap_is_str(wrong, NULL, "random changes%s are those of the model",
               kill ? " with a kill at each point" : "");

    for (some = 1, n = 0; n < ZONE_CHANGES; n++) {
        tap_diag("%s: %u, %u, %u, %u", changes[n], done[n][0], done[n][1],
                 done[n][2], done[n][3]);
        some = some && done[n][0];
    }

    tap_diag("%u granted, %u passed, %u holds merged, %u ended", most[0],
             most[1], most[2], most[3]);

    tap_ok(some && most[0] && most[1] && most[2] && most[3]
           && done[ZONE_TAKE][1] && done[ZONE_TAKE][2] && done[ZONE_TAKE][3]
           && done[ZONE_WAIT][1] && done[ZONE_WAIT][3]
           && done[ZONE_ACCEPT][1] && done[ZONE_SLOT_FREE][1],
           "each of them was made, and failed");
}


/* the first who came is the first who gets it, and no newcomer passes */

static void
test_order(void)
{
    uint32_t  unit, lease, i, w[4];
    uint64_t  tickets[4];

    for (unit = 1; unit < ZONE_UNITS; unit++) {
        start(8);

        take(unit, 0, 2, 2, 0);
        lease = made;

        memset(tickets, 0, sizeof(tickets));

        for (i = 0; i < 4; i++) {
            wait_for(unit, i % 2, i == 1 ? 2 : 1, 2, &tickets[i]);
            w[i] = made;
        }

        tap_ok(tickets[0] < tickets[1] && tickets[1] < tickets[2]
               && tickets[2] < tickets[3], "tickets are given in order");

        guardrail_level_release_locked(&b.z, lease, NOW);

        tap_ok(state(w[0]) == GUARDRAIL_WAITER_GRANTED
               && state(w[1]) == GUARDRAIL_WAITER_WAITS
               && state(w[2]) == GUARDRAIL_WAITER_WAITS,
               "a small one behind a large one waits");

        tap_ok(take(unit, 0, 1, 2, 0) == GUARDRAIL_LEVEL_FULL,
               "a newcomer does not pass");
        tap_ok(take(unit, 0, 1, 2, tickets[3]) == GUARDRAIL_LEVEL_FULL,
               "nor does who came last");

        guardrail_level_leave_locked(&b.z, w[0], NOW);

        tap_ok(state(w[1]) == GUARDRAIL_WAITER_GRANTED
               && state(w[2]) == GUARDRAIL_WAITER_WAITS, "the large one");

        guardrail_level_accept_locked(&b.z, w[1], NOW, &lease);
        guardrail_level_release_locked(&b.z, lease, NOW);

        tap_ok(state(w[2]) == GUARDRAIL_WAITER_GRANTED
               && state(w[3]) == GUARDRAIL_WAITER_GRANTED,
               "then both small ones");
    }
}


static void
test_grant_expires(void)
{
    uint32_t  lease, w[2];
    uint64_t  tickets[2] = { 0, 0 };

    start(8);

    take(1, 0, 1, 1, 0);
    lease = made;

    wait_for(1, 0, 1, 1, &tickets[0]);
    w[0] = made;
    wait_for(1, 0, 1, 1, &tickets[1]);
    w[1] = made;

    tap_ok(!guardrail_waiter_called(&b.z, w[0]), "waits");

    guardrail_level_release_locked(&b.z, lease, NOW);

    tap_ok(guardrail_waiter_called(&b.z, w[0])
           && !guardrail_waiter_called(&b.z, w[1]), "is called");

    guardrail_level_expire_locked(&b.z, NOW + 499);
    tap_ok(state(w[0]) == GUARDRAIL_WAITER_GRANTED, "for 499 ms");

    guardrail_level_expire_locked(&b.z, NOW + 500);
    tap_ok(state(w[0]) == GUARDRAIL_WAITER_PASSED
           && state(w[1]) == GUARDRAIL_WAITER_GRANTED,
           "after 500 ms it is the next one's");

    tap_ok(guardrail_level_accept_locked(&b.z, w[0], NOW + 501, &lease)
           == GUARDRAIL_LEVEL_FULL, "and not the first one's");

    guardrail_level_return_locked(&b.z, w[0], NOW + 600);
    guardrail_level_leave_locked(&b.z, w[1], NOW + 600);

    tap_ok(state(w[0]) == GUARDRAIL_WAITER_GRANTED, "until it is back");
}


/* a ticket from another line is older than those that came here before */

static void
test_place_is_kept(void)
{
    uint32_t  lease, first, w[3];
    uint64_t  old, tickets[2] = { 0, 0 };

    start(8);

    take(1, 0, 1, 1, 0);
    take(2, 0, 1, 1, 0);
    lease = made;

    old = 0;
    wait_for(1, 0, 1, 1, &old);
    first = made;

    wait_for(2, 0, 1, 1, &tickets[0]);
    w[0] = made;
    wait_for(2, 0, 1, 1, &tickets[1]);
    w[1] = made;

    guardrail_level_leave_locked(&b.z, first, NOW);
    wait_for(2, 1, 1, 1, &old);
    w[2] = made;

    tap_ok(old < tickets[0], "a ticket is kept");

    guardrail_level_release_locked(&b.z, lease, NOW);

    tap_ok(state(w[2]) == GUARDRAIL_WAITER_GRANTED
           && state(w[0]) == GUARDRAIL_WAITER_WAITS,
           "and is the first in the other line");
}


/* contract 4.4: a request that needs nothing of a level never waits for it */

static void
test_nothing_needed(void)
{
    uint64_t  ticket;

    start(8);

    take(2, 0, 5, 5, 0);
    ticket = 0;
    wait_for(2, 0, 5, 5, &ticket);

    tap_ok(take(2, 0, 0, 5, 0) == GUARDRAIL_LEVEL_OK,
           "none of it, where others wait");
    tap_ok(take(2, 0, 0, 3, 0) == GUARDRAIL_LEVEL_OK,
           "none of it, where more is in use than the limit");
    tap_ok(take(2, 0, 7, NL, 0) == GUARDRAIL_LEVEL_OK,
           "without a limit it is only counted");
    tap_ok(take(2, 0, 1, 20, 0) == GUARDRAIL_LEVEL_FULL,
           "a limit that is not reached: others wait");
}


static void
test_never(void)
{
    uint64_t  ticket;

    start(8);

    ticket = 0;

    tap_ok(take(2, 0, 6, 5, 0) == GUARDRAIL_LEVEL_NEVER, "more than all");
    tap_ok(wait_for(2, 0, 6, 5, &ticket) == GUARDRAIL_LEVEL_NEVER,
           "in line for more than all");
    tap_ok(wait_for(0, 0, 1, 5, &ticket) == GUARDRAIL_LEVEL_FULL,
           "there is no line for uploads");
    tap_ok(ticket == 0 && entry->level == 0, "and nothing was made");
}


static void
test_holds(void)
{
    uint32_t  i, end, w;
    uint64_t  ticket;

    start(8);

    end = NOW / 1000 + 2;

    for (i = 0; i < 3; i++) {
        take(1, 0, 1, 3, 0);
        guardrail_level_hold_locked(&b.z, made, end, NOW);
    }

    tap_ok(b.z.head->holds == 3 && b.z.levels[0].records == 1,
           "holds of one second are one record");
    tap_is_u64(b.z.head->leases[1], 0, "and no leases");

    ticket = 0;
    wait_for(1, 0, 2, 3, &ticket);
    w = made;

    guardrail_level_expire_locked(&b.z, end * UINT64_C(1000) - 1);
    tap_ok(state(w) == GUARDRAIL_WAITER_WAITS, "counted until its second");

    guardrail_level_expire_locked(&b.z, end * UINT64_C(1000));
    tap_ok(state(w) == GUARDRAIL_WAITER_GRANTED && b.z.head->holds == 0,
           "and then granted");

    /* nobody looked for an hour, and turns of the wheel between */

    start(8);

    take(1, 0, 1, 3, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 70, NOW);
    take(1, 0, 1, 3, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 6, NOW);

    guardrail_level_expire_locked(&b.z, NOW + 6000);
    tap_is_u64(b.z.head->holds, 1, "one of two on the same spoke");

    guardrail_level_expire_locked(&b.z, NOW + 3600 * 1000);
    tap_is_u64(b.z.head->holds, 0, "the other one an hour later");

    /* a hold of a process that is gone stays */

    take(1, 0, 1, 3, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 3610,
                                NOW + 3600 * 1000);
    guardrail_slot_free_locked(&b.z, 0, b.z.slots[0].generation, 9, 1, NOW);
    tap_ok(b.z.head->holds == 1 && b.z.slots[0].pid == 0,
           "a hold belongs to no process");
}


static void
test_retry(void)
{
    guardrail_want_t  want;

    start(8);

    memset(&want, 0, sizeof(want));
    want.entry = entry;
    want.unit = 1;
    want.amount = 1;
    want.limit = 3;

    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW), 1,
               "nothing in use");

    take(1, 0, 1, 3, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 9, NOW);
    take(1, 0, 1, 3, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 4, NOW);
    take(1, 0, 1, 3, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 20, NOW);

    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW), 4,
               "the first one that ends");
    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW + 1), 4,
               "rounded up");

    want.amount = 2;
    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW), 9, "two");

    want.amount = 3;
    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW), 20, "three");

    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW + 21000), 1,
               "one that should have ended is no time in the past");

    want.limit = 2;
    tap_is_u64(guardrail_level_retry_locked(&b.z, &want, NOW), 1, "never");
}


static void
test_dead_process(void)
{
    uint32_t  i, w, generation;
    uint64_t  ticket, tickets[3] = { 0, 0, 0 };

    start(8);

    generation = b.z.slots[0].generation;

    for (i = 0; i < 4; i++) {
        take(i % 3, 0, 1, 2, 0);
    }

    for (i = 0; i < 3; i++) {
        wait_for(1, 0, 1, 1, &tickets[i]);
    }

    ticket = 0;
    wait_for(1, 1, 2, 2, &ticket);
    w = made;

    tap_ok(guardrail_slot_free_locked(&b.z, 0, generation - 1, 9, 1, NOW) == 0
           && b.z.slots[0].leases, "another generation's slot is not freed");

    for (i = 1; guardrail_slot_free_locked(&b.z, 0, generation, 2, 1, NOW);
         i++)
    {
        /* void */
    }

    tap_is_u64(i, 4, "leases and waiters of a dead process, two at a time");
    tap_ok(state(w) == GUARDRAIL_WAITER_GRANTED, "are another one's then");
    tap_is_u64(b.z.head->stats.reclaimed, 4, "leases were reclaimed");
    tap_ok(b.z.slots[0].pid == 0, "and the slot is free");
}


static void
test_slots(void)
{
    uint32_t  generation;

    start(8);

    generation = b.z.slots[0].generation;

    tap_is_u64(guardrail_slot_register_locked(&b.z, 101, 5, 2), 1,
               "a process has one slot");
    tap_is_u64(b.z.slots[1].epoch, 2, "of the configuration that it has");
    tap_is_u64(guardrail_slot_register_locked(&b.z, 101, 6, 1), 2,
               "a later one with its number has another");
    tap_is_u64(guardrail_slot_register_locked(&b.z, 103, 6, 1),
               GUARDRAIL_ZONE_NONE, "no slot is free");

    guardrail_slot_free_locked(&b.z, 0, generation, 1, 0, NOW);

    tap_is_u64(guardrail_slot_register_locked(&b.z, 103, 6, 1), 0,
               "one is");
    tap_is_u64(b.z.slots[0].generation, generation + 1, "in a new generation");
}


static void
test_no_room(void)
{
    uint32_t  i, w;
    uint64_t  ticket;

    start(2);

    for (i = 0; i < 8; i++) {
        take(1, 0, 1, 8, 0);
    }

    tap_ok(take(2, 0, 1, 8, 0) == GUARDRAIL_LEVEL_NO_ROOM, "no lease");

    ticket = 0;
    wait_for(1, 0, 1, 8, &ticket);
    w = made;

    /* what was freed is granted, and then another one takes the room */

    guardrail_level_release_locked(&b.z, 0, NOW);
    take(0, 0, 1, NL, 0);

    tap_ok(guardrail_level_accept_locked(&b.z, w, NOW, &made)
           == GUARDRAIL_LEVEL_NO_ROOM, "no lease for a grant");
    tap_ok(state(w) == GUARDRAIL_WAITER_GRANTED, "which stays");

    ticket = 0;
    wait_for(1, 0, 1, 8, &ticket);

    ticket = 0;
    tap_ok(wait_for(1, 0, 1, 8, &ticket) == GUARDRAIL_LEVEL_NO_ROOM,
           "no waiter");
    tap_is_u64(ticket, 0, "and no ticket");
    tap_is_u64(b.z.head->stats.full, 3, "all of them counted");
    tap_ok(guardrail_level_check_locked(&b.z), "in order");
}


/* more than one call grants: whoever takes one lets the next ones in */

static void
test_many_grants(void)
{
    uint32_t         i, n, lease, granted;
    guardrail_key_t  key;
    zone_sizes_t     sizes = { 2, 1, 4, 202, 200 };

    memset(b.block, 0, sizeof(b.block));
    zone_block_init(&b, &sizes, NOW);

    memset(&key, 0, sizeof(key));
    key.entry = GUARDRAIL_ZONE_NONE;
    entry = guardrail_key_find_locked(&b.z, &key, NOW, 0);
    guardrail_zone_commit(&b.z);
    (void) guardrail_slot_register_locked(&b.z, 100, 5, 1);

    take(2, 0, 200, 200, 0);
    lease = made;

    for (i = 0; i < 200; i++) {
        guardrail_level_wait_locked(&b.z, &(guardrail_want_t) {
                                        .entry = entry, .amount = 1,
                                        .limit = 200, .unit = 2 }, 200, &n);
    }

    guardrail_level_release_locked(&b.z, lease, NOW);

    for (granted = 0, i = 0; i < 200; i++) {
        granted += (state(i) == GUARDRAIL_WAITER_GRANTED);
    }

    tap_ok(granted > 0 && granted < 200, "%u of 200 granted at once", granted);

    for (n = 0, i = 0; i < 200; i++) {
        if (state(i) == GUARDRAIL_WAITER_GRANTED) {
            n += (guardrail_level_accept_locked(&b.z, i, NOW, &lease)
                  == GUARDRAIL_LEVEL_OK);
        }
    }

    tap_is_u64(n, 200, "and all of them in the end");
    tap_ok(guardrail_level_check_locked(&b.z), "in order");
}


static void
test_largest(void)
{
    start(8);

    tap_ok(take(2, 0, UINT64_MAX - 1, NL, 0) == GUARDRAIL_LEVEL_OK
           && take(2, 0, 1, NL, 0) == GUARDRAIL_LEVEL_OK
           && take(2, 0, 1, NL, 0) == GUARDRAIL_LEVEL_FULL,
           "a sum never wraps");
    tap_ok(guardrail_level_resize_locked(&b.z, 1, 2, NL, NOW)
           == GUARDRAIL_LEVEL_FULL, "nor by another amount");
    tap_ok(guardrail_level_check_locked(&b.z), "in order");
}


/* the proof that the other tests rely on sees what is wrong */

static void
test_check_sees(void)
{
    size_t    i, seen;
    uint32_t  k, n, save;
    uint64_t  ticket;

    uint32_t  *fields[16];

    start(8);

    take(1, 0, 1, 2, 0);
    take(2, 0, 5, 9, 0);
    take(1, 0, 1, 2, 0);
    guardrail_level_hold_locked(&b.z, made, NOW / 1000 + 5, NOW);

    for (k = 0; k < 3; k++) {
        ticket = 0;
        wait_for(1, 0, 1, 2, &ticket);
    }

    tap_ok(guardrail_level_check_locked(&b.z), "all is well");

    n = 0;
    fields[n++] = &b.z.head->leases[0];
    fields[n++] = &b.z.head->leases[1];
    fields[n++] = &b.z.head->holds;
    fields[n++] = &b.z.head->waiting;
    fields[n++] = (uint32_t *) (void *) &b.z.head->memory;
    fields[n++] = (uint32_t *) (void *) &b.z.levels[0].used[1];
    fields[n++] = &b.z.levels[0].waiting[0];
    fields[n++] = &b.z.levels[0].records;
    fields[n++] = &b.z.levels[0].entry;
    fields[n++] = &b.z.levels[0].queue[0].tail;
    fields[n++] = &b.z.waiters[1].queue.tail;
    fields[n++] = &b.z.levels[0].holds[0];
    fields[n++] = &b.z.slots[0].leases;
    fields[n++] = &b.z.slots[0].waiters;
    fields[n++] = &b.z.head->wheel[(NOW / 1000 + 5) % GUARDRAIL_ZONE_WHEEL];
    fields[n++] = &b.z.head->undo_count;

    for (seen = 0, i = 0; i < n; i++) {
        save = *fields[i];
        *fields[i] ^= 1;

        if (guardrail_level_check_locked(&b.z)) {
            tap_diag("not seen: %zu", i);

        } else {
            seen++;
        }

        *fields[i] = save;
    }

    tap_is_u64(seen, n, "each number that is wrong is seen");
}
