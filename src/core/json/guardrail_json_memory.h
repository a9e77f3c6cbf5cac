
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What json.loads() of a body costs CPython 3.11 at its peak: the body's
 * bytes, plus the peak that tracemalloc sees during the call.  It is computed
 * from what a scanner finds in the body, as the bytes pass;
 * docs/memory-model.md has the formula and its measured error.
 *
 * The scanner reports, in the order of the bytes:
 *
 *     open, close              containers
 *     string_begin, string..., string_end
 *     number..., number_end
 *     literal                  true, false, null, NaN, Infinity, -Infinity
 *     other...                 bytes in no string and no number
 *     bom                      EF BB BF at the beginning of a document
 *     record_end               the end of a line, or of a text of json_seq
 *
 * Pieces of strings, numbers and other bytes may be cut anywhere: any cut of
 * the same bytes gives the same estimates.  What is no JSON is taken as it
 * comes: nothing is refused here, and an event that cannot be (a close
 * without an open, a value without a key) does no harm.
 */


#ifndef GUARDRAIL_JSON_MEMORY_H
#define GUARDRAIL_JSON_MEMORY_H


#include "base/guardrail_base.h"


/*
 * Containers whose growth is followed.  Those deeper are counted as if each
 * were empty: the scanner refuses them first (contract: depth is at most 1024
 * where a memory limit is in force; CPython 3.11 gives up at 1000).
 */

#define GUARDRAIL_JSON_MEMORY_DEPTH  1024

/*
 * The set of a document's distinct keys: buckets of one cache line.  A key
 * that finds its bucket full counts as a new one each time it comes.
 */

#define GUARDRAIL_JSON_MEMORY_BUCKETS  512
#define GUARDRAIL_JSON_MEMORY_WAYS     8

/* keys whose hash is remembered, so that it need not be made again: 2^n */

#define GUARDRAIL_JSON_MEMORY_HASHES  128


typedef enum {
    GUARDRAIL_JSON_MEMORY_DOCUMENT = 0, /* one text */
    GUARDRAIL_JSON_MEMORY_BODY,         /* records, all kept: per=body */
    GUARDRAIL_JSON_MEMORY_RECORD        /* records, one by one: per=record */
} guardrail_json_memory_mode_e;


/* what the bytes of a document are decoded to */

typedef struct {
    uint64_t  more;                     /* bytes that begin no character */
    uint8_t   width;                    /* of the widest character so far */
    uint8_t   peak;                     /* bytes alive for each wire byte */
    uint8_t   copy;                     /* of the wire bytes, besides: 1 */
    uint8_t   ed;                       /* the last byte was ED */
} guardrail_json_memory_text_t;


/* a string that is being read */

typedef struct {
    uint64_t  chars;                    /* since the last escape */
    uint64_t  pos;                      /* characters in the buffer */
    uint64_t  size;                     /* characters the buffer can hold */
    uint64_t  word;                     /* bytes that are not hashed yet */
    uint64_t  bytes;                    /* hashed */
    uint64_t  hash[4];
    uint32_t  code;                     /* of an escape */
    uint8_t   high;                     /* it was half of a pair */
    uint8_t   width;                    /* of the buffer */
    uint8_t   wide;                     /* of what came since the escape */
    uint8_t   escape;
    uint8_t   key;
    uint8_t   within;
} guardrail_json_memory_string_t;


typedef struct {
    uint32_t  used;                     /* members */
    uint32_t  room;                     /* for so many more */
} guardrail_json_memory_container_t;


/* a key of 1 to 15 bytes, as the two words that are hashed, and its hash */

typedef struct {
    uint64_t  first;
    uint64_t  second;
    uint64_t  hash;
} guardrail_json_memory_hash_t;


/*
 * The state.  Public for its size alone (44 KiB); owned by the caller, holds
 * no pointer into what was fed.
 */

typedef struct {
    guardrail_json_memory_mode_e       mode;

    /* this document: bytes of memory */

    uint64_t                           live;    /* objects and memo */
    uint64_t                           memo;    /* what is freed with it */
    uint64_t                           peak;    /* of live, and transients */
    uint64_t                           keys;    /* in the memo, or more */
    uint64_t                           keys_room;
    uint64_t                           growth;  /* of one container, at most */
    unsigned                           unsure;  /* they may be fewer */
    guardrail_json_memory_text_t       text;

    /* the documents before it, of the same body */

    uint64_t                           kept;    /* their objects */
    uint64_t                           extra;   /* most that one had more */
    uint64_t                           most;    /* most that one cost */
    uint64_t                           records;
    uint64_t                           room;    /* of the list of them */
    uint64_t                           spare;   /* small tables, not used */
    guardrail_json_memory_text_t       before;

    /* a number that is being read */

    uint64_t                           length;
    uint64_t                           digits;
    uint32_t                           number;
    uint32_t                           flags;

    uint32_t                           depth;
    uint32_t                           epoch;
    guardrail_json_memory_string_t     string;
    guardrail_json_memory_hash_t       hashes[GUARDRAIL_JSON_MEMORY_HASHES];
    uint64_t                           kinds[GUARDRAIL_JSON_MEMORY_DEPTH / 64];
    uint64_t                           twice[GUARDRAIL_JSON_MEMORY_DEPTH / 64];
    guardrail_json_memory_container_t  stack[GUARDRAIL_JSON_MEMORY_DEPTH];

    uint64_t                           set[GUARDRAIL_JSON_MEMORY_BUCKETS]
                                          [GUARDRAIL_JSON_MEMORY_WAYS];
} guardrail_json_memory_t;


void guardrail_json_memory_init(guardrail_json_memory_t *m,
    guardrail_json_memory_mode_e mode);


void guardrail_json_memory_open(guardrail_json_memory_t *m, unsigned object);
void guardrail_json_memory_close(guardrail_json_memory_t *m);

/*
 * The bytes between the quotes as they stand in the body, escapes included;
 * key is 1 for the name of a member.
 */

void guardrail_json_memory_string_begin(guardrail_json_memory_t *m,
    unsigned key);
void guardrail_json_memory_string(guardrail_json_memory_t *m,
    const uint8_t *p, size_t len);
void guardrail_json_memory_string_end(guardrail_json_memory_t *m);

/* the bytes of the number; begins with its first piece */

void guardrail_json_memory_number(guardrail_json_memory_t *m,
    const uint8_t *p, size_t len);
void guardrail_json_memory_number_end(guardrail_json_memory_t *m);

void guardrail_json_memory_literal(guardrail_json_memory_t *m);

/*
 * Bytes in no string and no number.  Only those from 80 on matter, and those
 * do: CPython decodes the whole before it reads any of it.  ASCII may be left
 * out.
 */

void guardrail_json_memory_other(guardrail_json_memory_t *m,
    const uint8_t *p, size_t len);

void guardrail_json_memory_bom(guardrail_json_memory_t *m);


/*
 * The end of a record of size bytes, without the line's end; what it left
 * open is closed.  Blank lines are none.  With GUARDRAIL_JSON_MEMORY_DOCUMENT
 * it does nothing.
 */

void guardrail_json_memory_record_end(guardrail_json_memory_t *m,
    uint64_t size);

/*
 * A record left containers open, and the body is to be judged as one
 * document: called in place of record_end() for that record, of size bytes.
 * From here on the mode is GUARDRAIL_JSON_MEMORY_DOCUMENT; the records before
 * count as parts of it.  The estimate never falls.
 */

void guardrail_json_memory_join(guardrail_json_memory_t *m, uint64_t size);


/*
 * Bytes of memory, for what was reported so far: body is the number of bytes
 * of the body so far, record that of the record (0 between two of them; of
 * no effect in a document).  Never falls while a body goes on; at most a few
 * dozen instructions.
 */

uint64_t guardrail_json_memory_estimate(const guardrail_json_memory_t *m,
    uint64_t body, uint64_t record);

/*
 * Is the estimate above limit?  For each value: while a body is far from the
 * limit it takes a few additions.  A byte costs at most itself, 7 while it is
 * decoded, and 4 as the last character of a string that is not ended.
 */

static inline unsigned
guardrail_json_memory_exceeds(const guardrail_json_memory_t *m, uint64_t body,
    uint64_t record, uint64_t limit)
{
    uint64_t  most;

    most = m->live + m->peak + m->kept + m->extra + m->most;

    if (body < limit / 32 && most < limit / 2 && limit > 8192) {
        return 0;
    }

    return guardrail_json_memory_estimate(m, body, record) > limit;
}


#endif /* GUARDRAIL_JSON_MEMORY_H */
