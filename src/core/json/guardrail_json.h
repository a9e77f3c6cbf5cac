
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, bounded as the bytes pass: how deep, how many, how long.
 *
 * Without "strict" nothing is refused for being malformed.  What no parser
 * should accept is judged in the way that is worse for the sender: by what
 * the most lenient parser could see in it.
 *
 *   - A closing bracket of the other kind closes nothing.
 *   - What starts in an object and does not follow a colon is a key; a comma
 *     that follows another, or an opening bracket, counts a member as well.
 *   - A string holds control characters.  A line feed ends it in NDJSON, an
 *     RS in a JSON text sequence, behind a backslash too.
 *   - An apostrophe opens a string; comments (slash and asterisk, two
 *     slashes, a hash) are one value each, and skipped: only who knows them
 *     reads on.
 *   - Other bytes, in a row, are one value.  At the top level 0011-1truenull
 *     are seven, as in a loop over Python's raw_decode().
 */


#ifndef GUARDRAIL_JSON_H
#define GUARDRAIL_JSON_H


#include "base/guardrail_base.h"
#include "json/guardrail_json_memory.h"


/*
 * The most containers that may be open where their members are counted, and
 * where the kind of each must be known: CPython's own parser gives up at
 * 1000 in 3.11, and below 10,000 in all later ones.
 */

#define GUARDRAIL_JSON_MAX_COUNTED  1024
#define GUARDRAIL_JSON_MAX_KINDS    16384


typedef enum {
    GUARDRAIL_JSON_TEXT = 0,            /* one document: format json */
    GUARDRAIL_JSON_SEQ,                 /* RFC 7464 */
    GUARDRAIL_JSON_LINES,               /* NDJSON, each line of its own */
    GUARDRAIL_JSON_LINES_AUTO           /* containers stay open over lines */
} guardrail_json_mode_e;


/*
 * Limits; GUARDRAIL_NO_LIMIT where there is none.
 *
 * depth is at most GUARDRAIL_JSON_MAX_COUNTED where keys, items or memory are
 * limited, and at most GUARDRAIL_JSON_MAX_KINDS with strict.  Without these a
 * container deeper than GUARDRAIL_JSON_MAX_KINDS is only counted: what is in
 * it is taken for the items of an array, and any closing bracket closes it.
 *
 * tokens are those of one record; in a document, of the body; where a line
 * leaves containers open, of all lines up to the one that closes them.  keys
 * and items above UINT32_MAX - 1 are no limit.
 *
 * number bounds whatever is no string.  What begins with a letter may have
 * 8 characters (Infinity) whatever the limit.
 *
 * The records of NDJSON are counted elsewhere: with these modes max_records,
 * max_record_size and refuse_utf16 have no effect.
 */

typedef struct {
    uint64_t               depth;       /* containers open at once */
    uint64_t               keys;        /* members of one object */
    uint64_t               items;       /* elements of one array */
    uint64_t               tokens;      /* values and keys */
    uint64_t               key;         /* bytes between the quotes */
    uint64_t               string;      /* bytes between the quotes */
    uint64_t               number;      /* bytes */
    uint64_t               max_records;
    uint64_t               max_record_size;     /* bytes */
    uint64_t               memory;      /* bytes, by the estimate */
    guardrail_json_mode_e  mode;
    unsigned               strict;      /* RFC 8259 to the letter */
    unsigned               refuse_utf16;        /* 400 for UTF-16, -32 */
} guardrail_json_limits_t;


/* one implementation of the scanner; all of them give the same results */

typedef struct guardrail_json_ops_s  guardrail_json_ops_t;


/*
 * The validator.  A container's kind is a bit: those of up to 64 levels are
 * in bits, the others in words of the stack.
 */

typedef struct {
    uint64_t              *words;
    uint64_t               bits;
    uint64_t               level;
    uint64_t               levels;      /* more are never open */
    guardrail_json_mode_e  mode;
    uint8_t                state;
    uint8_t                next;        /* of a literal, a BOM, hex digits */
    uint8_t                low;         /* bounds of the next byte of UTF-8 */
    uint8_t                high;
    uint8_t                more;        /* bytes of UTF-8 to come */
    uint8_t                key;         /* the string is a key */
    uint8_t                begun;       /* the body holds a byte */
    uint8_t                open;        /* the record was introduced by RS */
} guardrail_json_strict_t;


/*
 * The state.  Public for its size and for the measurements; owned by the
 * caller, holds no pointer into what was fed.
 *
 * A record's size: in a document, the bytes of an element of the top-level
 * array, or of another top-level value, from its first to its last byte; in
 * a sequence, those from a record's first byte that is not white space to
 * its last one.  Neither is measured in NDJSON.
 */

typedef struct {
    const guardrail_json_ops_t  *ops;
    guardrail_json_limits_t      limits;        /* those in force */
    guardrail_json_strict_t      strict;
    guardrail_json_memory_t     *memory;        /* or NULL */

    uint64_t                     records;       /* begun so far */
    uint64_t                     largest;       /* bytes, of any record */
    uint64_t                     deepest;       /* containers, of any record */
    uint64_t                     tokens;        /* of this record */
    uint64_t                     offset;        /* bytes judged */
    unsigned                     continued;     /* a line left one open */

    /* of a refusal: what was exceeded, and by what */

    uint64_t                     limit;
    uint64_t                     observed;

    /* scanner's own; see guardrail_json_private.h */

    uint64_t                    *words;
    uint32_t                    *counts;
    uint64_t                     levels;
    uint64_t                     bits;
    uint64_t                     level;
    uint64_t                     count;
    uint64_t                     length;
    uint64_t                     start;
    uint64_t                     size;
    uint64_t                     line;
    uint32_t                     flags;
    uint8_t                      state;
    uint8_t                      prev;
    uint8_t                      run;
    uint8_t                      last;
    uint8_t                      counted;
    uint8_t                      ended;
    uint8_t                      finished;
    guardrail_rc_e               rc;
} guardrail_json_t;


/*
 * The fastest implementation that this processor runs; never NULL.  Asks the
 * processor, which takes a virtual machine 0.1 ms or more: once in a process,
 * not for each body.
 */

const guardrail_json_ops_t *guardrail_json_select(void);

/* by name: "scalar" (everywhere), "sse2", "avx2", "neon"; NULL if not here */

const guardrail_json_ops_t *guardrail_json_by_name(const char *name);

const char *guardrail_json_name(const guardrail_json_ops_t *ops);


/*
 * The bytes of the stack that these limits need, a multiple of 8: at most
 * 4336; 0 for up to 64 levels whose members are not counted.
 */

size_t guardrail_json_stack(const guardrail_json_limits_t *limits);

/* stack: that many bytes, aligned to 8, and the caller's; NULL for none */

void guardrail_json_init(guardrail_json_t *s, const guardrail_json_ops_t *ops,
    const guardrail_json_limits_t *limits, void *stack);

/*
 * After init: the memory model that is to hear of all values; owned by the
 * caller, and alive as long as s is fed.  Its mode is DOCUMENT for format
 * json.  Without one, limits.memory has no effect; with one, bytes near the
 * limit are judged one by one.
 */

void guardrail_json_attach(guardrail_json_t *s, guardrail_json_memory_t *m);

/* what the model says of the bytes so far; 0 without one */

uint64_t guardrail_json_estimate(const guardrail_json_t *s);

/*
 * Feeds one piece.  Pieces may be cut anywhere: any split of the same bytes
 * gives the same verdict at the same byte, and the same measurements.
 *
 * Returns GUARDRAIL_OK, GUARDRAIL_MAX_RECORDS, GUARDRAIL_MAX_RECORD_SIZE,
 * one of GUARDRAIL_JSON_..., GUARDRAIL_MALFORMED_JSON or
 * GUARDRAIL_MAX_MEMORY, which is judged at the end of each value and after
 * each 4096 bytes of the body.  *used is the number of bytes of the piece
 * that were judged: len on success, and on a refusal up to and including the
 * byte that exceeded the limit, at which the measurements stand.  After a
 * refusal the state is dead: it keeps returning that refusal, with *used = 0.
 */

guardrail_rc_e guardrail_json_feed(guardrail_json_t *s, const uint8_t *p,
    size_t len, size_t *used);

/*
 * The end of the body.  Returns the refusal there was, or, with strict,
 * GUARDRAIL_MALFORMED_JSON if a text is unfinished, or if a body of format
 * json is blank; a body of zero bytes is none, and passes.  The estimate is
 * judged once more: GUARDRAIL_MAX_MEMORY.
 */

guardrail_rc_e guardrail_json_finish(guardrail_json_t *s);


#endif /* GUARDRAIL_JSON_H */
