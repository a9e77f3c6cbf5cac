
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast the shape of JSON is judged: GB/s (10^9 bytes per second of
 * processor time), the median and the best of many runs, of 256 KiB that
 * stay in the cache; beside yajl without callbacks (-DHAVE_YAJL, -lyajl) and
 * simdjson's On-Demand ("iterate") and minify (-DHAVE_SIMDJSON,
 * simdjson.cpp), where they were compiled in.  A dash is what a parser does
 * not take, or in pieces: simdjson wants all.
 *
 *     json [implementation]
 */


#define _POSIX_C_SOURCE  200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if (HAVE_YAJL)
#include <yajl/yajl_parse.h>
#endif

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
    limit_strict                        /* RFC 8259, and all of these */
} limit_e;


typedef size_t (*line_pt)(char *p);


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
static void measure(const guardrail_json_ops_t *ops, limit_e which,
    guardrail_json_mode_e mode, const uint8_t *body, size_t piece);
static void measure_yajl(const uint8_t *body, size_t piece);
static void measure_simdjson(const char *body, guardrail_json_mode_e mode,
    size_t piece);
static void report(double *times);
static double seconds(void);
static int compare(const void *a, const void *b);
static uint32_t rnd(void);


static const struct {
    const char             *name;
    guardrail_json_mode_e   mode;
    limit_e                 limits;
    line_pt                 line;
    size_t                  piece;
} loads[] = {
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
      line_utf8, BODY }
};


static size_t    length;
static uint32_t  seed;


int
main(int argc, char **argv)
{
    char                        *body;
    size_t                       i;
    unsigned                     k;
    const guardrail_json_ops_t  *ops[4];

    static const char  *names[] = { "scalar", "sse2", "avx2", "neon" };

    body = malloc(BODY + ROOM);
    if (body == NULL) {
        return 1;
    }

    printf("%-36s", "GB/s");

    for (k = 0; k < 4; k++) {
        ops[k] = guardrail_json_by_name(names[k]);

        if (argc > 1 && strcmp(argv[1], names[k]) != 0) {
            ops[k] = NULL;
        }

        if (ops[k]) {
            printf("%8s  (best)", names[k]);
        }
    }

#if (HAVE_YAJL)
    printf("%8s  (best)", "yajl");
#endif

#if (HAVE_SIMDJSON)
    printf("%8s  (best)%8s  (best)", "iterate", "minify");
#endif

    printf("\n");

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        seed = 1;
        length = 0;

        if (loads[i].mode == GUARDRAIL_JSON_TEXT) {
            body[length++] = '[';
        }

        while (length < BODY) {
            length += loads[i].line(body + length);
        }

        if (loads[i].mode == GUARDRAIL_JSON_TEXT) {
            body[length - 1] = ']';
        }

        printf("%-36s", loads[i].name);

        for (k = 0; k < 4; k++) {

            if (ops[k]) {
                measure(ops[k], loads[i].limits, loads[i].mode,
                        (const uint8_t *) body, loads[i].piece);
            }
        }

        measure_yajl((const uint8_t *) body, loads[i].piece);
        measure_simdjson(body, loads[i].mode, loads[i].piece);

        printf("\n");
    }

    free(body);

    return 0;
}


/* limits that are in force, and not reached */

static void
measure(const guardrail_json_ops_t *ops, limit_e which,
    guardrail_json_mode_e mode, const uint8_t *body, size_t piece)
{
    double                    times[RUNS], start;
    size_t                    i, n, used;
    uint64_t                  stack[1024];
    unsigned                  run, time;
    guardrail_json_t          s;
    guardrail_json_limits_t   limits;

    memset(&limits, 0, sizeof(limits));

    limits.depth = 64;
    limits.tokens = 1000000;
    limits.key = 256;
    limits.string = 1024 * 1024;
    limits.number = 64;
    limits.keys = (which == limit_shape) ? NL : 1000;
    limits.items = (which == limit_shape) ? NL : 1000000;
    limits.max_records = NL;
    limits.max_record_size = NL;
    limits.memory = NL;
    limits.mode = mode;
    limits.strict = (which == limit_strict);
    limits.refuse_utf16 = 1;

    if (guardrail_json_stack(&limits) > sizeof(stack)) {
        exit(1);
    }

    for (run = 0; run < RUNS; run++) {
        start = seconds();

        for (time = 0; time < TIMES; time++) {
            guardrail_json_init(&s, ops, &limits, stack);

            for (i = 0; i < length; i += n) {
                n = (length - i < piece) ? length - i : piece;

                (void) guardrail_json_feed(&s, body + i, n, &used);
            }

            if (guardrail_json_finish(&s) != GUARDRAIL_OK) {
                fprintf(stderr, "refused\n");
                exit(1);
            }
        }

        times[run] = seconds() - start;
    }

    report(times);
}


/* each line is a value of its own; without callbacks it does least */

static void
measure_yajl(const uint8_t *body, size_t piece)
{
#if (HAVE_YAJL)
    double        times[RUNS], start;
    size_t        i, n;
    unsigned      run, time;
    yajl_handle   h;

    static const yajl_callbacks  none;

    for (run = 0; run < RUNS; run++) {
        start = seconds();

        for (time = 0; time < TIMES; time++) {
            h = yajl_alloc(&none, NULL, NULL);

            (void) yajl_config(h, yajl_allow_multiple_values, 1);

            for (i = 0; i < length; i += n) {
                n = (length - i < piece) ? length - i : piece;

                if (yajl_parse(h, body + i, n) != yajl_status_ok) {
                    yajl_free(h);
                    printf("%16s", "-");
                    return;
                }
            }

            yajl_free(h);
        }

        times[run] = seconds() - start;
    }

    report(times);
#else
    (void) body;
    (void) piece;
#endif
}


static void
measure_simdjson(const char *body, guardrail_json_mode_e mode, size_t piece)
{
#if (HAVE_SIMDJSON)
    int         good;
    double      times[2][RUNS], start;
    unsigned    run, time;

    static char  to[BODY + ROOM];

    if (piece != BODY) {
        printf("%16s%16s", "-", "-");
        return;
    }

    for (good = 1, run = 0; run < RUNS && good; run++) {
        start = seconds();

        for (time = 0; time < TIMES; time++) {
            good &= bench_simdjson_ondemand(body, length, BODY + ROOM,
                                            mode != GUARDRAIL_JSON_TEXT) > 0;
        }

        times[0][run] = seconds() - start;
    }

    if (good) {
        report(times[0]);

    } else {
        printf("%16s", "-");
    }

    for (good = 1, run = 0; run < RUNS && good; run++) {
        start = seconds();

        for (time = 0; time < TIMES; time++) {
            good &= bench_simdjson_minify(body, length, to) > 0;
        }

        times[1][run] = seconds() - start;
    }

    if (good) {
        report(times[1]);

    } else {
        printf("%16s", "-");
    }
#else
    (void) body;
    (void) mode;
    (void) piece;
#endif
}


static void
report(double *times)
{
    qsort(times, RUNS, sizeof(double), compare);

    printf("%8.2f %7.2f", (double) length * TIMES / times[RUNS / 2] / 1e9,
           (double) length * TIMES / times[0] / 1e9);
    fflush(stdout);
}


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
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
