
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The memory model: any bytes, cut anywhere, give the estimates of the whole,
 * and no estimate is below one before it.
 *
 * Input: a byte for the mode, two for the first cut, one for the length of
 * the pieces behind it, and the body.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/guardrail_json_memory.h"
#include "json_walk.h"


#define HEAD      4
#define MAX_BODY  4096


typedef struct {
    uint64_t  last;
    uint64_t  at[MAX_BODY + 1];
} notes_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void note(void *data, size_t at, uint64_t n);
static uint64_t run(const uint8_t *head, const uint8_t *body, size_t len,
    unsigned cut, notes_t *notes);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t    i;
    uint8_t  *body;
    uint64_t  a, b;

    static notes_t  whole, cut;

    if (len < HEAD) {
        return 0;
    }

    len -= HEAD;

    if (len > MAX_BODY) {
        len = MAX_BODY;
    }

    /* of the exact length, for the sanitizer */

    body = malloc(len ? len : 1);

    if (body == NULL) {
        abort();
    }

    memcpy(body, data + HEAD, len);

    a = run(data, body, len, 0, &whole);
    b = run(data, body, len, 1, &cut);

    for (i = 0; i <= len; i++) {
        if (a != b || (whole.at[i] && whole.at[i] != cut.at[i])) {
            fprintf(stderr, "at %zu: %llu and %llu\n", i,
                    (unsigned long long) whole.at[i],
                    (unsigned long long) cut.at[i]);
            abort();
        }
    }

    free(body);

    return 0;
}


static void
note(void *data, size_t at, uint64_t n)
{
    notes_t  *notes;

    notes = data;

    if (n < notes->last) {
        fprintf(stderr, "at %zu: fell from %llu to %llu\n", at,
                (unsigned long long) notes->last, (unsigned long long) n);
        abort();
    }

    notes->last = n;
    notes->at[at] = n;
}


static uint64_t
run(const uint8_t *head, const uint8_t *body, size_t len, unsigned cut,
    notes_t *notes)
{
    static walk_t                   w;
    static guardrail_json_memory_t  m;

    memset(&w, 0, sizeof(walk_t));
    memset(notes, 0, sizeof(notes_t));

    w.note = note;
    w.data = notes;

    if (cut) {
        w.cut = (size_t) head[1] << 8 | head[2];
        w.every = head[3];
    }

    return walk(&w, &m, (guardrail_json_memory_mode_e) (head[0] % 3), body,
                len);
}
