
/*
 * Copyright (C) nginx-guardrail authors
 *
 * Random texts, valid ones and ones that nearly are, by the strict validator
 * and by Python's json; and the shape of those that are valid.  Each run has
 * a seed of its own, which it prints: GUARDRAIL_SEED repeats it.
 */


#define _POSIX_C_SOURCE  200809L

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "json/guardrail_json.h"
#include "bytes.h"
#include "json_text.h"
#include "tap.h"


#define TEXTS  3000
#define DEPTH  200                      /* Python gives up at 1000 */

#define NL     GUARDRAIL_NO_LIMIT


static int oracle(const bytes_t *input, char *name);
static void text(bytes_t *b);
static int check(const uint8_t *p, size_t len, const char *line);
static guardrail_rc_e judge(const uint8_t *p, size_t len, uint64_t keys,
    uint64_t items, guardrail_json_t *s);
static void show(const uint8_t *p, size_t len, const char *line);


static rng_t                        rng;
static const guardrail_json_ops_t  *ops;


int
main(void)
{
    int          pass;
    char         name[] = "/tmp/guardrail-json-XXXXXX", line[128];
    FILE        *f;
    size_t       at, len;
    bytes_t      all, one;
    uint64_t     seed;
    unsigned     i, valid;
    const char  *env;

    env = getenv("GUARDRAIL_SEED");
    seed = env ? strtoull(env, NULL, 0)
               : (uint64_t) time(NULL) ^ (uint64_t) getpid() << 32;
    rng.s = seed;
    ops = guardrail_json_select();

    memset(&all, 0, sizeof(all));
    memset(&one, 0, sizeof(one));

    for (i = 0; i < TEXTS; i++) {
        one.len = 0;
        text(&one);

        bytes_le32(&all, (uint32_t) one.len);
        bytes_add(&all, one.p, one.len);
    }

    if (!oracle(&all, name)) {
        tap_skip("no python3 here");
        return tap_done();
    }

    f = fopen(name, "r");
    if (f == NULL) {
        abort();
    }

    pass = 1;
    valid = 0;

    for (at = 0, i = 0; at < all.len; at += 4 + len, i++) {

        if (fgets(line, sizeof(line), f) == NULL) {
            pass = 0;
            break;
        }

        len = all.p[at] | (size_t) all.p[at + 1] << 8
              | (size_t) all.p[at + 2] << 16;

        valid += (line[0] != 'b');
        pass &= check(all.p + at + 4, len, line);
    }

    fclose(f);
    unlink(name);

    tap_ok(pass && i == TEXTS, "the same as Python, GUARDRAIL_SEED=%" PRIu64,
           seed);
    tap_ok(valid > TEXTS / 4 && valid < TEXTS * 3 / 4, "%u of %u are valid",
           valid, i);

    bytes_free(&all);
    bytes_free(&one);

    return tap_done();
}


/* puts the answers into a file, whose name is made of name */

static int
oracle(const bytes_t *input, char *name)
{
    int    fd, rc;
    char   command[256];
    FILE  *p;

    if (system("python3 -c '' > /dev/null 2>&1") != 0) {
        return 0;
    }

    fd = mkstemp(name);
    if (fd == -1) {
        abort();
    }

    close(fd);

    snprintf(command, sizeof(command), "python3 t/tools/json-oracle.py > %s",
             name);

    p = popen(command, "w");
    if (p == NULL) {
        abort();
    }

    fwrite(input->p, 1, input->len, p);

    rc = pclose(p);

    return tap_ok(rc == 0, "python3 t/tools/json-oracle.py");
}


static void
text(bytes_t *b)
{
    size_t  i, n;

    switch (rng_below(&rng, 16)) {

    case 0:

        /* deep ones, of both kinds */

        n = rng_below(&rng, DEPTH);

        for (i = 0; i < n; i++) {
            bytes_text(b, rng_below(&rng, 2) ? "[" : "{\"\":");
        }

        json_value(b, &rng, 5);

        for (i = b->len; i-- > 0 && n; /* void */) {

            if (b->p[i] == '[' || b->p[i] == '{') {
                n--;
                bytes_byte(b, b->p[i] + 2u);
            }
        }

        break;

    case 1:

        if (rng_below(&rng, 2)) {
            bytes_text(b, "\xef\xbb\xbf");
        }

        /* fall through */

    default:
        json_space(b, &rng);
        json_value(b, &rng, 0);
        json_space(b, &rng);
    }

    for (n = rng_below(&rng, 4); n > 1; n--) {
        json_spoil(b, &rng, 0);
    }
}


static int
check(const uint8_t *p, size_t len, const char *line)
{
    unsigned          depth, keys, items, tokens;
    guardrail_rc_e    rc;
    guardrail_json_t  s;

    rc = judge(p, len, NL, NL, &s);

    if (line[0] == 'b') {

        /* zero bytes are no body */

        if (rc == GUARDRAIL_MALFORMED_JSON || len == 0) {
            return 1;
        }

        show(p, len, line);

        return 0;
    }

    if (sscanf(line, "%u %u %u %u", &depth, &keys, &items, &tokens) != 4
        || rc != GUARDRAIL_OK || s.deepest != depth || s.tokens != tokens)
    {
        show(p, len, line);
        return 0;
    }

    if (judge(p, len, keys, items, &s) != GUARDRAIL_OK
        || (keys && judge(p, len, keys - 1, NL, &s) != GUARDRAIL_JSON_KEYS)
        || (items && judge(p, len, NL, items - 1, &s)
                     != GUARDRAIL_JSON_ITEMS))
    {
        show(p, len, line);
        return 0;
    }

    return 1;
}


static guardrail_rc_e
judge(const uint8_t *p, size_t len, uint64_t keys, uint64_t items,
    guardrail_json_t *s)
{
    size_t                   used, cut;
    uint64_t                 stack[1024];
    guardrail_json_limits_t  limits;

    memset(&limits, 0xff, sizeof(limits));

    limits.keys = keys;
    limits.items = items;
    limits.mode = GUARDRAIL_JSON_TEXT;
    limits.strict = 1;
    limits.refuse_utf16 = 1;

    if (guardrail_json_stack(&limits) > sizeof(stack)) {
        abort();
    }

    guardrail_json_init(s, ops, &limits, stack);

    cut = rng_below(&rng, len + 1);

    (void) guardrail_json_feed(s, p, cut, &used);
    (void) guardrail_json_feed(s, p + cut, len - cut, &used);

    return guardrail_json_finish(s);
}


static void
show(const uint8_t *p, size_t len, const char *line)
{
    size_t  i;

    printf("# Python says %s# of ", line);

    for (i = 0; i < len; i++) {

        if (p[i] < 0x20 || p[i] > 0x7e) {
            printf("<%02x>", (unsigned) p[i]);

        } else {
            printf("%c", p[i]);
        }
    }

    printf("\n");
}
