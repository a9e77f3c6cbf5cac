
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast the shape of JSON is judged: GB/s (10^9 bytes per second of
 * processor time), the median of many runs, for our own the best one, too, of
 * 256 KiB that stay in the cache; beside yajl without callbacks (-DHAVE_YAJL,
 * -lyajl) and simdjson's On-Demand ("iterate") and minify (-DHAVE_SIMDJSON,
 * simdjson.cpp), where they were compiled in.  They take turns, and "x yajl"
 * is the median of what one run is faster than the next one of yajl.  A dash
 * is what a parser does not take, or in pieces: simdjson wants all.
 *
 *     json [implementation]
 */


#define _POSIX_C_SOURCE  200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if (HAVE_YAJL)
#include <yajl/yajl_parse.h>
#endif

#include "clock.h"
#include "json/guardrail_json.h"

#if (HAVE_SIMDJSON)

uint64_t bench_simdjson_ondemand(const char *body, size_t len, size_t room,
    int lines);
size_t bench_simdjson_minify(const char *body, size_t len, char *to);

#endif


#define BODY   (256 * 1024)
#define ROOM   8192
#define RUNS   51
#define TIMES  5                        /* bodies in a run */

#define NL     GUARDRAIL_NO_LIMIT


/* which limits */

typedef enum {
    limit_shape = 0,                    /* depth, tokens and lengths */
    limit_members,                      /* and keys and items */
    limit_strict,                       /* RFC 8259, and all of these */
    limit_memory                        /* the estimate, and all but that */
} limit_e;


typedef size_t (*line_pt)(char *p);


typedef struct {
    const char             *name;
    guardrail_json_mode_e   mode;
    limit_e                 limits;
    line_pt                 line;
    size_t                  piece;
} load_t;


static size_t line_160(char *p);
static size_t line_varying(char *p);
static size_t line_8(char *p);
static size_t line_short(char *p);
static size_t line_numbers(char *p);
static size_t line_strings(char *p);
static size_t line_escapes(char *p);
static size_t line_utf8(char *p);
static size_t line_nested(char *p);
static size_t line_brackets(char *p);
static size_t line_pretty(char *p);
static size_t line_element(char *p);
static size_t line_element_short(char *p);
static size_t line_item(char *p);
static size_t line_apostrophes(char *p);
static size_t line_quotes(char *p);
static const char *word(void);
static void bench(const load_t *load, const guardrail_json_ops_t *ops);
static void touch(void);
static double run_own(const load_t *load, const guardrail_json_ops_t *ops);
static double run_yajl(const load_t *load);
static double run_ondemand(const load_t *load);
static double run_minify(const load_t *load);
static double median(double *values);
static void speed(double time);
static uint32_t rnd(void);


static const load_t  loads[] = {
    { "records of 160 bytes", GUARDRAIL_JSON_LINES, limit_shape, line_160,
      BODY },
    { "records of 160 bytes, keys, items", GUARDRAIL_JSON_LINES,
      limit_members, line_160, BODY },
    { "records of 100 to 250 bytes", GUARDRAIL_JSON_LINES, limit_shape,
      line_varying, BODY },
    { "the same, auto", GUARDRAIL_JSON_LINES_AUTO, limit_shape,
      line_varying, BODY },
    { "records of 8 bytes", GUARDRAIL_JSON_LINES, limit_shape, line_8,
      BODY },
    { "records of 8 bytes, keys, items", GUARDRAIL_JSON_LINES, limit_members,
      line_8, BODY },
    { "records of 3 to 15 bytes", GUARDRAIL_JSON_LINES, limit_shape,
      line_short, BODY },
    { "arrays of numbers", GUARDRAIL_JSON_LINES, limit_members, line_numbers,
      BODY },
    { "strings of 500 bytes", GUARDRAIL_JSON_LINES, limit_shape,
      line_strings, BODY },
    { "many escapes", GUARDRAIL_JSON_LINES, limit_shape, line_escapes,
      BODY },
    { "a third is UTF-8", GUARDRAIL_JSON_LINES, limit_shape, line_utf8,
      BODY },
    { "nested objects", GUARDRAIL_JSON_LINES, limit_members, line_nested,
      BODY },
    { "brackets alone", GUARDRAIL_JSON_LINES, limit_members, line_brackets,
      BODY },
    { "pretty printed, a document", GUARDRAIL_JSON_TEXT, limit_members,
      line_pretty, BODY },
    { "an array of records", GUARDRAIL_JSON_TEXT, limit_members,
      line_element, BODY },
    { "an array of small records", GUARDRAIL_JSON_TEXT, limit_members,
      line_element_short, BODY },
    { "an array of numbers", GUARDRAIL_JSON_TEXT, limit_members, line_item,
      BODY },
    { "no JSON: apostrophes", GUARDRAIL_JSON_LINES, limit_shape,
      line_apostrophes, BODY },
    { "no JSON: quotes cut by newlines", GUARDRAIL_JSON_LINES, limit_shape,
      line_quotes, BODY },
    { "100 to 250, in pieces of 4096", GUARDRAIL_JSON_LINES, limit_shape,
      line_varying, 4096 },
    { "100 to 250, in pieces of 1000", GUARDRAIL_JSON_LINES, limit_shape,
      line_varying, 1000 },
    { "100 to 250, in pieces of 100", GUARDRAIL_JSON_LINES, limit_shape,
      line_varying, 100 },
    { "records of 160 bytes, strict", GUARDRAIL_JSON_LINES, limit_strict,
      line_160, BODY },
    { "records of 8 bytes, strict", GUARDRAIL_JSON_LINES, limit_strict,
      line_8, BODY },
    { "a third is UTF-8, strict", GUARDRAIL_JSON_LINES, limit_strict,
      line_utf8, BODY },
    { "records of 160 bytes, memory", GUARDRAIL_JSON_LINES, limit_memory,
      line_160, BODY },
    { "records of 8 bytes, memory", GUARDRAIL_JSON_LINES, limit_memory,
      line_8, BODY },
    { "a third is UTF-8, memory", GUARDRAIL_JSON_LINES, limit_memory,
      line_utf8, BODY },
    { "an array of records, memory", GUARDRAIL_JSON_TEXT, limit_memory,
      line_element, BODY }
};


static char      body[BODY + ROOM];
static size_t    length;
static uint32_t  seed;


int
main(int argc, char **argv)
{
    size_t                       i, k;
    const char                  *name;
    const load_t                *load;
    const guardrail_json_ops_t  *ops;

    static const char  *names[] = { "avx2", "neon", "sse2", "scalar" };

    ops = NULL;
    name = (argc > 1) ? argv[1] : NULL;

    for (k = 0; ops == NULL && k < 4; k++) {

        if (name == NULL || strcmp(name, names[k]) == 0) {
            ops = guardrail_json_by_name(names[k]);
        }
    }

    if (ops == NULL) {
        return 1;
    }

    printf("%-36s%8s  (best)  yajl  iterate  minify  x_yajl\n", "GB/s",
           guardrail_json_name(ops));

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        load = &loads[i];
        seed = 1;
        length = 0;

        if (load->mode == GUARDRAIL_JSON_TEXT) {
            body[length++] = '[';
        }

        while (length < BODY) {
            length += load->line(body + length);
        }

        if (load->mode == GUARDRAIL_JSON_TEXT) {
            body[length - 1] = ']';
        }

        bench(load, ops);
    }

    return 0;
}


static void
bench(const load_t *load, const guardrail_json_ops_t *ops)
{
    double    best, yajl;
    unsigned  i;

    static double  own[RUNS], other[RUNS], times[RUNS], iterate[RUNS];
    static double  minify[RUNS];

    best = 0;
    yajl = 1;

    for (i = 0; i < RUNS; i++) {
        touch();
        own[i] = run_own(load, ops);

        touch();
        other[i] = run_yajl(load);

        touch();
        iterate[i] = run_ondemand(load);

        touch();
        minify[i] = run_minify(load);

        times[i] = other[i] / own[i];
        best = (i == 0 || own[i] < best) ? own[i] : best;
        yajl = (other[i] == 0) ? 0 : yajl;
    }

    printf("%-36s", load->name);

    speed(median(own));
    speed(best);
    speed(median(other));
    speed(median(iterate));
    speed(median(minify));

    if (yajl == 0) {
        printf("%8s\n", "-");

    } else {
        printf("%8.2f\n", median(times));
    }

    fflush(stdout);
}


/* who came before has filled the cache with other things */

static void
touch(void)
{
    size_t             i;
    volatile unsigned  sum;

    for (i = 0, sum = 0; i < length; i += 64) {
        sum += (unsigned char) body[i];
    }
}


/* limits that are in force, and not reached */

static double
run_own(const load_t *load, const guardrail_json_ops_t *ops)
{
    double                    start;
    size_t                    i, n, used;
    uint64_t                  stack[1024];
    unsigned                  time;
    guardrail_json_t          s;
    guardrail_json_limits_t   limits;

    static guardrail_json_memory_t  m;

    memset(&limits, 0, sizeof(limits));

    limits.depth = 64;
    limits.tokens = 1000000;
    limits.key = 256;
    limits.string = 1024 * 1024;
    limits.number = 64;
    limits.keys = (load->limits == limit_shape) ? NL : 1000;
    limits.items = (load->limits == limit_shape) ? NL : 1000000;
    limits.max_records = NL;
    limits.max_record_size = NL;
    limits.memory = (load->limits == limit_memory) ? (uint64_t) 1 << 40 : NL;
    limits.mode = load->mode;
    limits.strict = (load->limits == limit_strict);
    limits.refuse_utf16 = 1;

    if (guardrail_json_stack(&limits) > sizeof(stack)) {
        exit(1);
    }

    start = seconds();

    for (time = 0; time < TIMES; time++) {
        guardrail_json_init(&s, ops, &limits, stack);

        if (load->limits == limit_memory) {
            guardrail_json_memory_init(&m, load->mode == GUARDRAIL_JSON_TEXT
                                           ? GUARDRAIL_JSON_MEMORY_DOCUMENT
                                           : GUARDRAIL_JSON_MEMORY_BODY);
            guardrail_json_attach(&s, &m);
        }

        for (i = 0; i < length; i += n) {
            n = (length - i < load->piece) ? length - i : load->piece;

            (void) guardrail_json_feed(&s, (uint8_t *) body + i, n, &used);
        }

        if (guardrail_json_finish(&s) != GUARDRAIL_OK) {
            fprintf(stderr, "refused\n");
            exit(1);
        }
    }

    return seconds() - start;
}


/*
 * Each line is a value of its own; without callbacks it does least.  This and
 * the following: 0 if it cannot.
 */

static double
run_yajl(const load_t *load)
{
#if (HAVE_YAJL)
    double        start;
    size_t        i, n;
    unsigned      time;
    yajl_status   rc;
    yajl_handle   h;

    static const yajl_callbacks  none;

    start = seconds();

    for (time = 0; time < TIMES; time++) {
        h = yajl_alloc(&none, NULL, NULL);
        rc = yajl_status_ok;

        (void) yajl_config(h, yajl_allow_multiple_values, 1);

        for (i = 0; i < length && rc == yajl_status_ok; i += n) {
            n = (length - i < load->piece) ? length - i : load->piece;
            rc = yajl_parse(h, (uint8_t *) body + i, n);
        }

        yajl_free(h);

        if (rc != yajl_status_ok) {
            return 0;
        }
    }

    return seconds() - start;
#else
    (void) load;

    return 0;
#endif
}


static double
run_ondemand(const load_t *load)
{
#if (HAVE_SIMDJSON)
    double    start;
    unsigned  time;

    start = seconds();

    for (time = 0; time < TIMES; time++) {

        if (load->piece != BODY
            || bench_simdjson_ondemand(body, length, BODY + ROOM,
                                       load->mode != GUARDRAIL_JSON_TEXT) == 0)
        {
            return 0;
        }
    }

    return seconds() - start;
#else
    (void) load;

    return 0;
#endif
}


static double
run_minify(const load_t *load)
{
#if (HAVE_SIMDJSON)
    double    start;
    unsigned  time;

    static char  to[BODY + ROOM];

    start = seconds();

    for (time = 0; time < TIMES; time++) {

        if (load->piece != BODY
            || bench_simdjson_minify(body, length, to) == 0)
        {
            return 0;
        }
    }

    return seconds() - start;
#else
    (void) load;

    return 0;
#endif
}


static double
median(double *values)
{
    qsort(values, RUNS, sizeof(double), compare);

    return values[RUNS / 2];
}


static void
speed(double time)
{
    if (time == 0) {
        printf("%8s", "-");
        return;
    }

    printf("%8.2f", (double) length * TIMES / time / 1e9);
}


static size_t
line_160(char *p)
{
    return (size_t) sprintf(p, "{\"id\":%08u,\"time\":\"2026-03-%02uT%02u:%02u:"
                            "%02uZ\",\"host\":\"web-%03u.example.net\","
                            "\"value\":%02u.%04u,\"ok\":true,\"tags\":["
                            "\"alpha\",\"beta\"],\"note\":\"a line of plain "
                            "text, %06u\"}\n",
                            10000000 + rnd() % 1000000, 10 + rnd() % 20,
                            10 + rnd() % 14, 10 + rnd() % 50,
                            10 + rnd() % 50, 100 + rnd() % 900,
                            10 + rnd() % 90, rnd() % 10000,
                            rnd() % 1000000);
}


static size_t
line_varying(char *p)
{
    int       n;
    uint32_t  i, k;

    n = sprintf(p, "{\"id\":%u,\"user\":{\"name\":\"%s %s\",\"age\":%u}",
                rnd() % 1000000, word(), word(), rnd() % 100);

    k = 1 + rnd() % 6;

    for (i = 0; i < k; i++) {

        switch (rnd() % 4) {

        case 0:
            n += sprintf(p + n, ",\"%s_%u\":%u.%u", word(), i,
                         rnd() % 1000, rnd() % 100);
            break;

        case 1:
            n += sprintf(p + n, ",\"%s_%u\":[%u,%u]", word(), i,
                         rnd() % 1000, rnd() % 100);
            break;

        default:
            n += sprintf(p + n, ",\"%s_%u\":\"%s %s %s\"", word(), i,
                         word(), word(), word());
        }
    }

    n += sprintf(p + n, "}\n");

    return (size_t) n;
}


static size_t
line_8(char *p)
{
    return (size_t) sprintf(p, "{\"a\":%u}\n", 10 + rnd() % 90);
}


static size_t
line_short(char *p)
{
    switch (rnd() % 4) {

    case 0:
        return (size_t) sprintf(p, "[%u]\n", rnd() % 10000);

    case 1:
        return (size_t) sprintf(p, "{\"%c\":%u}\n", 'a' + rnd() % 26,
                                rnd() % 1000);

    case 2:
        return (size_t) sprintf(p, "\"%s\"\n", word());

    default:
        return (size_t) sprintf(p, "{\"a\":[%u]}\n", rnd() % 100);
    }
}


static size_t
line_numbers(char *p)
{
    int       n;
    uint32_t  i;

    n = sprintf(p, "{\"vector\":[");

    for (i = 0; i < 64; i++) {
        n += sprintf(p + n, "%s%u.%u", i ? "," : "", rnd() % 10,
                     rnd() % 1000000);
    }

    n += sprintf(p + n, "]}\n");

    return (size_t) n;
}


static size_t
line_strings(char *p)
{
    size_t  n;

    n = (size_t) sprintf(p, "{\"text\":\"");

    while (n < 500) {
        n += (size_t) sprintf(p + n, "%s, it's ", word());
    }

    n += (size_t) sprintf(p + n, "\"}\n");

    return n;
}


static size_t
line_escapes(char *p)
{
    size_t  n;

    n = (size_t) sprintf(p, "{\"text\":\"");

    while (n < 200) {
        n += (size_t) sprintf(p + n, "%s\\n\\\"%s\\\\\\\"", word(), word());
    }

    n += (size_t) sprintf(p + n, "\"}\n");

    return n;
}


static size_t
line_utf8(char *p)
{
    size_t  n;

    n = (size_t) sprintf(p, "{\"text\":\"");

    while (n < 200) {
        n += (size_t) sprintf(p + n, "%s\xc3\xa9\xe2\x82\xac", word());
    }

    n += (size_t) sprintf(p + n, "\"}\n");

    return n;
}


static size_t
line_nested(char *p)
{
    return (size_t) sprintf(p, "{\"a\":{\"b\":{\"c\":[{\"d\":%u},{\"e\":[]}]}"
                            ",\"f\":{\"g\":{}}},\"h\":[[%u],[%u]]}\n",
                            rnd() % 1000, rnd() % 10, rnd() % 100);
}


static size_t
line_brackets(char *p)
{
    size_t    n;
    uint32_t  depth;

    n = 0;
    p[n++] = '[';

    for (depth = 1; depth; /* void */) {

        if (n < 200 && depth < 40 && rnd() % 2) {

            if (p[n - 1] == ']') {
                p[n++] = ',';
            }

            p[n++] = '[';
            depth++;

        } else {
            p[n++] = ']';
            depth--;
        }
    }

    p[n++] = '\n';

    return n;
}


static size_t
line_pretty(char *p)
{
    return (size_t) sprintf(p, "\n    {\n        \"id\": %u,\n"
                            "        \"name\": \"%s\",\n        \"tags\": [\n"
                            "            \"%s\",\n            \"%s\"\n"
                            "        ]\n    },",
                            rnd() % 100000, word(), word(), word());
}


static size_t
line_element(char *p)
{
    size_t  n;

    n = line_varying(p);
    p[n - 1] = ',';

    return n;
}


static size_t
line_element_short(char *p)
{
    return (size_t) sprintf(p, "{\"a\":%u},", rnd() % 1000);
}


static size_t
line_item(char *p)
{
    return (size_t) sprintf(p, "%u.%u,", rnd() % 10, rnd() % 1000000);
}


static size_t
line_apostrophes(char *p)
{
    return (size_t) sprintf(p, "{'%s':'%s',\"%s\":%u}\n", word(), word(),
                            word(), rnd() % 1000);
}


static size_t
line_quotes(char *p)
{
    return (size_t) sprintf(p, "{\"%s\":\"%s\n", word(), word());
}


static const char *
word(void)
{
    static const char  *words[] = {
        "time", "year", "people", "way", "day", "man", "thing", "woman",
        "life", "child", "world", "school", "state", "family", "student",
        "group", "country", "problem", "hand", "part", "place", "case",
        "week", "company", "system", "program", "question", "work",
        "government", "number", "night", "point"
    };

    return words[rnd() % (sizeof(words) / sizeof(words[0]))];
}


static uint32_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;

    return seed;
}
