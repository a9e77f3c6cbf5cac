
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Quotas: any text as a LIMIT against the grammar, and any sequence of
 * charges against a model that keeps a list of them.
 *
 * Input: a byte of choices.  Even: the unit is in it, and a text follows.
 * Odd: the period is in it, 8 bytes of a limit and 8 of a time follow, and
 * then steps of 4 bytes: what to do, how the time moves, an amount.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quota_model.h"


#define STEPS     64
#define RECEIPTS  8


typedef struct {
    uint64_t           window;
    uint64_t           amount;
} receipt_t;


int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

static void check(int good, const char *what);
static void read_text(guardrail_unit_e unit, const uint8_t *p, size_t len);
static void charge(uint32_t period, const uint8_t *p, size_t len);
static uint64_t move(uint64_t now, uint64_t length, unsigned how);


static const uint32_t  periods[] = {
    1, 2, 3, 7, 60, 3600, 86400, 30 * 86400, GUARDRAIL_LIMIT_MAX_PERIOD
};


static void
check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}


static void
read_text(guardrail_unit_e unit, const uint8_t *p, size_t len)
{
    int                           n, valid;
    char                          name[GUARDRAIL_LIMIT_NAME];
    char                          expected[64];
    char                         *s;
    size_t                        used;
    uint8_t                      *text;
    uint32_t                      period;
    uint64_t                      value;
    guardrail_limit_t             l, again;
    guardrail_limit_rc_e          rc;
    const guardrail_unit_info_t  *info;

    info = guardrail_unit_info(unit);

    /* exactly that much memory, and a string of it */

    text = malloc(len ? len : 1);
    s = malloc(len + 1);

    if (text == NULL || s == NULL) {
        abort();
    }

    if (len) {
        memcpy(text, p, len);
        memcpy(s, p, len);
    }

    s[len] = '\0';

    memset(&l, 0xee, sizeof(l));
    rc = guardrail_limit_parse(&l, unit, text, len);

    valid = (strlen(s) == len && quota_model_parse(s, info, &value, &period));

    free(text);
    free(s);

    check((rc == GUARDRAIL_LIMIT_OK) == valid, "a LIMIT or none");
    check(rc < GUARDRAIL_LIMIT_RC_MAX && guardrail_limit_error(rc), "a text");

    if (!valid) {
        memset(&again, 0xee, sizeof(again));
        check(memcmp(&l, &again, sizeof(l)) == 0, "a mistake wrote something");
        return;
    }

    check(l.value == (value ? value : GUARDRAIL_NO_LIMIT), "the number");
    check(l.period == period && l.unit == unit, "the period");

    used = guardrail_limit_name(l.unit, l.period, name);
    n = period ? snprintf(expected, sizeof(expected), "%s-%us", info->name,
                          period)
               : snprintf(expected, sizeof(expected), "%s", info->name);

    check(used == (size_t) n && memcmp(name, expected, used) == 0, "the name");

    /* written in other words it is the same */

    n = period ? snprintf(expected, sizeof(expected), "0%llu/%us",
                          (unsigned long long) value, period)
               : snprintf(expected, sizeof(expected), "0%llu",
                          (unsigned long long) value);

    check(guardrail_limit_parse(&again, unit, (uint8_t *) expected, (size_t) n)
          == GUARDRAIL_LIMIT_OK, "in other words");
    check(guardrail_limit_same(&l, &again) && l.value == again.value,
          "the same in other words");
}


static uint64_t
move(uint64_t now, uint64_t length, unsigned how)
{
    uint64_t  d;

    d = how >> 3;

    switch (how & 7) {

    case 0:
        d = 0;
        break;

    case 1:
        d = length * d / 32;
        break;

    case 2:
        d = length - now % length + d / 16;
        break;

    case 3:
        d = length - now % length - 1;
        break;

    case 4:
        d = length * (d & 7);
        break;

    case 5:
        return now > d ? now - d : 0;

    case 6:
        d = length * d / 8;
        return now > d ? now - d : 0;

    default:
        break;
    }

    return now + d;
}


static void
charge(uint32_t period, const uint8_t *p, size_t len)
{
    size_t              i, n;
    uint64_t            limit, now, amount;
    receipt_t           receipts[RECEIPTS], *r;
    const char         *wrong;
    quota_model_t       m;
    guardrail_window_t  w;

    if (len < 16) {
        return;
    }

    memcpy(&limit, p, 8);
    memcpy(&now, p + 8, 8);

    p += 16;
    len -= 16;

    if (limit == GUARDRAIL_NO_LIMIT) {
        limit--;
    }

    /* no time of the model's is beyond the last one */

    now >>= 2;

    quota_model_init(&m, period);
    memset(&w, 0, sizeof(w));
    memset(receipts, 0, sizeof(receipts));

    for (i = 0, n = 0; i < STEPS && len >= 4; i++, p += 4, len -= 4) {
        now = move(now, m.length, p[1]);

        amount = (uint64_t) p[2] << (p[3] & 63);
        amount = (p[3] & 64) ? limit - amount : amount;
        amount = (p[3] & 128) ? amount / 3 : amount;

        wrong = quota_model_differ(&m, &w, period, now, limit, amount);
        check(wrong == NULL, wrong);

        r = &receipts[p[0] / 4 % RECEIPTS];

        switch (p[0] & 3) {

        case 0:
            if (guardrail_window_admit(&w, period, now, limit, amount)
                != GUARDRAIL_WINDOW_ADMITTED)
            {
                break;
            }

            /* fall through */

        case 1:
            guardrail_window_charge(&w, period, now, amount);

            r = &receipts[n++ % RECEIPTS];
            r->window = quota_model_charge(&m, now, amount);
            r->amount = amount;
            break;

        case 2:
            guardrail_window_give_back(&w, (uint32_t) r->window, r->amount);

            if (r->window == m.newest || r->window + 1 == m.newest) {
                quota_model_give_back(&m, r->window, r->amount);
            }

            break;

        default:
            guardrail_window_roll(&w, period, now);
            quota_model_roll(&m, now);
        }

        check(w.current == quota_model_sum(&m, m.newest), "the counter");
        check(w.previous == (m.newest ? quota_model_sum(&m, m.newest - 1) : 0),
              "the counter before it");
        check(quota_model_empty(&m) || w.id == (uint32_t) m.newest,
              "the window");
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    unsigned  choice;

    if (size == 0) {
        return 0;
    }

    choice = p[0] >> 1;

    if (p[0] & 1) {
        charge(periods[choice % (sizeof(periods) / sizeof(periods[0]))],
               p + 1, size - 1);

    } else {
        read_text((guardrail_unit_e) (choice % GUARDRAIL_UNIT_MAX), p + 1,
                  size - 1);
    }

    return 0;
}
