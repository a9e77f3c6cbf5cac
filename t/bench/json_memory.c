
/*
 * Copyright (C) nginx-guardrail authors
 *
 * How fast the memory model is, apart from the scanner that feeds it: bodies
 * are read into a list of events, which is told to it again and again.  GB/s
 * (10^9 bytes of the body per second of processor time), the median and the
 * best of many runs.
 *
 *     json_memory FILE...
 *
 * "t/memory-model/model.py speed" compiles and runs it.
 */


#define _POSIX_C_SOURCE  200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json/guardrail_json_memory.h"


#define RUNS   31
#define BYTES  4000000                  /* in a run, at least */
#define LIMIT  (1 << 30)


typedef enum {
    ev_open = 0,
    ev_close,
    ev_begin,
    ev_string,
    ev_end,
    ev_number,
    ev_number_end,
    ev_literal,
    ev_other,
    ev_record
} event_e;


typedef struct {
    event_e         type;
    size_t          n;
    const uint8_t  *p;
} event_t;


static void add(event_e type, const uint8_t *p, size_t n);


static event_t  *events;
static size_t    nevents;
static size_t    room;


/* the walk of the tests, with a list in the place of the model */

#define guardrail_json_memory_open(m, object)     add(ev_open, NULL, object)
#define guardrail_json_memory_close(m)            add(ev_close, NULL, 0)
#define guardrail_json_memory_string_begin(m, k)  add(ev_begin, NULL, k)
#define guardrail_json_memory_string_end(m)       add(ev_end, NULL, 0)
#define guardrail_json_memory_number_end(m)       add(ev_number_end, NULL, 0)
#define guardrail_json_memory_literal(m)          add(ev_literal, NULL, 0)
#define guardrail_json_memory_record_end(m, n)    add(ev_record, NULL, n)
#define guardrail_json_memory_string              add_string
#define guardrail_json_memory_number              add_number
#define guardrail_json_memory_other               add_other


static void
add_string(guardrail_json_memory_t *m, const uint8_t *p, size_t len)
{
    (void) m;
    add(ev_string, p, len);
}


static void
add_number(guardrail_json_memory_t *m, const uint8_t *p, size_t len)
{
    (void) m;
    add(ev_number, p, len);
}


static void
add_other(guardrail_json_memory_t *m, const uint8_t *p, size_t len)
{
    (void) m;

    if (p[0] >= 0x80) {
        add(ev_other, p, len);
    }
}


#include "json_walk.h"


#undef guardrail_json_memory_open
#undef guardrail_json_memory_close
#undef guardrail_json_memory_string_begin
#undef guardrail_json_memory_string_end
#undef guardrail_json_memory_number_end
#undef guardrail_json_memory_literal
#undef guardrail_json_memory_record_end
#undef guardrail_json_memory_string
#undef guardrail_json_memory_number
#undef guardrail_json_memory_other


static void measure(const char *name);
static uint64_t replay(guardrail_json_memory_t *m, size_t len,
    guardrail_json_memory_mode_e mode);
static uint8_t *load(const char *name, size_t *len);


static walk_t                   w;
static guardrail_json_memory_t  memory;


int
main(int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc; i++) {
        measure(argv[i]);
    }

    return 0;
}


static void
add(event_e type, const uint8_t *p, size_t n)
{
    if (nevents == room) {
        room = room ? room * 2 : 1024;
        events = realloc(events, room * sizeof(event_t));

        if (events == NULL) {
            abort();
        }
    }

    events[nevents].type = type;
    events[nevents].p = p;
    events[nevents].n = n;
    nevents++;
}


static void
measure(const char *name)
{
    size_t                        len, times, j;
    double                        gbs[RUNS], start;
    uint8_t                      *p;
    uint64_t                      n;
    unsigned                      i;
    guardrail_json_memory_mode_e  mode;

    p = load(name, &len);

    if (p == NULL || len == 0) {
        fprintf(stderr, "%s: cannot read it\n", name);
        exit(1);
    }

    mode = strstr(name, ".ndjson") ? GUARDRAIL_JSON_MEMORY_BODY
                                   : GUARDRAIL_JSON_MEMORY_DOCUMENT;

    nevents = 0;
    n = 0;

    (void) walk(&w, &memory, mode, p, len);

    times = BYTES / len + 1;

    for (i = 0; i < RUNS; i++) {
        start = seconds();

        for (j = 0; j < times; j++) {
            n = replay(&memory, len, mode);
        }

        gbs[i] = (double) (len * times) / (seconds() - start) / 1e9;
    }

    qsort(gbs, RUNS, sizeof(double), compare);

    name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;

    printf("%-32s %8zu bytes  %8zu events  median %6.2f  best %6.2f GB/s  "
           "%" PRIu64 "\n", name, len, nevents, gbs[RUNS / 2], gbs[RUNS - 1],
           n);

    free(p);
}


/* far from its limit, it is asked at the end of each value */

static uint64_t
replay(guardrail_json_memory_t *m, size_t len,
    guardrail_json_memory_mode_e mode)
{
    uint64_t        n;
    const event_t  *e, *last;

    guardrail_json_memory_init(m, mode);

    n = 0;
    last = events + nevents;

    for (e = events; e < last; e++) {

        switch (e->type) {

        case ev_open:
            guardrail_json_memory_open(m, (unsigned) e->n);
            continue;

        case ev_close:
            guardrail_json_memory_close(m);
            break;

        case ev_begin:
            guardrail_json_memory_string_begin(m, (unsigned) e->n);
            continue;

        case ev_string:
            guardrail_json_memory_string(m, e->p, e->n);
            continue;

        case ev_end:
            guardrail_json_memory_string_end(m);
            break;

        case ev_number:
            guardrail_json_memory_number(m, e->p, e->n);
            continue;

        case ev_number_end:
            guardrail_json_memory_number_end(m);
            break;

        case ev_literal:
            guardrail_json_memory_literal(m);
            break;

        case ev_other:
            guardrail_json_memory_other(m, e->p, e->n);
            continue;

        case ev_record:
            guardrail_json_memory_record_end(m, e->n);
            break;
        }

        n += guardrail_json_memory_exceeds(m, len, 0, LIMIT);
    }

    return n ? 0 : guardrail_json_memory_estimate(m, len, 0);
}


static uint8_t *
load(const char *name, size_t *len)
{
    long      size;
    FILE     *f;
    uint8_t  *p;

    f = fopen(name, "rb");

    if (f == NULL) {
        return NULL;
    }

    p = NULL;
    *len = 0;

    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0
        && fseek(f, 0, SEEK_SET) == 0)
    {
        p = malloc((size_t) size);

        if (p) {
            *len = fread(p, 1, (size_t) size, f);
        }
    }

    (void) fclose(f);

    return p;
}
