
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the files of the memory model share; for them only.
 */


#ifndef GUARDRAIL_JSON_MEMORY_PRIVATE_H
#define GUARDRAIL_JSON_MEMORY_PRIVATE_H


#include <string.h>

#include "json/guardrail_json_memory.h"


/*
 * The widths of a str: ASCII, Latin-1, UCS-2 and UCS-4.  All sizes of objects
 * are what tracemalloc counts in CPython 3.11 on a 64-bit machine: the bytes
 * asked for, with the header of the garbage collector, without what the
 * allocator rounds up.
 */

#define GUARDRAIL_PY_ASCII   0
#define GUARDRAIL_PY_LATIN1  1
#define GUARDRAIL_PY_UCS2    2
#define GUARDRAIL_PY_UCS4    3

#define GUARDRAIL_PY_DICT    64
#define GUARDRAIL_PY_LIST    56
#define GUARDRAIL_PY_FLOAT   24
#define GUARDRAIL_PY_BYTES   33         /* and its length */

/*
 * What a call costs besides: 1300 to 1600 bytes were measured with CPython
 * 3.11.2.
 */

#define GUARDRAIL_PY_CALL  1600

/* places in a list that gets its first item */

#define GUARDRAIL_PY_PLACES  4

/*
 * The smallest table, the keys in it, and how many such tables are not given
 * back.
 */

#define GUARDRAIL_PY_TABLE     120
#define GUARDRAIL_PY_SMALLEST  5
#define GUARDRAIL_PY_SPARE     80

/* what one container grows by at most while it gets its first 128 members */

#define GUARDRAIL_JSON_MEMORY_GROWTH  8192


/* bytes as a number, the first one lowest */

static inline uint64_t
guardrail_load64(const uint8_t *p)
{
    uint64_t  v;

    memcpy(&v, p, sizeof(uint64_t));

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif

    return v;
}


static inline uint64_t
guardrail_load32(const uint8_t *p)
{
    uint32_t  v;

    memcpy(&v, p, sizeof(uint32_t));

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif

    return v;
}


/* the same of 0 to 7 bytes, some of them read twice */

static inline uint64_t
guardrail_load_some(const uint8_t *p, size_t len)
{
    if (len >= 4) {
        return guardrail_load32(p)
               | guardrail_load32(p + len - 4) << (8 * (len - 4));
    }

    if (len == 0) {
        return 0;
    }

    return (uint64_t) p[0] | (uint64_t) p[len / 2] << (8 * (len / 2))
           | (uint64_t) p[len - 1] << (8 * (len - 1));
}


/* bytes of a character */

static inline uint64_t
guardrail_py_char(uint8_t width)
{
    return (uint64_t) 1 << (width > 1 ? width - 1 : 0);
}


/* a str of so many characters, whatever they are */

static inline uint64_t
guardrail_py_str(uint64_t chars, uint8_t width)
{
    uint64_t  head;

    /* the terminating NUL is one more character */

    head = (width == GUARDRAIL_PY_ASCII) ? 48 : 72;

    return guardrail_add_sat(head, guardrail_mul_sat(chars + 1,
                                                 guardrail_py_char(width)));
}


/* the same, if it is a value: none and one of Latin-1 are shared objects */

static inline uint64_t
guardrail_py_str_value(uint64_t chars, uint8_t width)
{
    if (chars == 0 || (chars == 1 && width <= GUARDRAIL_PY_LATIN1)) {
        return 0;
    }

    return guardrail_py_str(chars, width);
}


/* of a text in UTF-8, if this is its largest byte */

static inline uint8_t
guardrail_py_width(uint8_t c)
{
    return (uint8_t) ((c >= 0x80) + (c >= 0xc4) + (c >= 0xf0));
}


static inline void
guardrail_json_memory_peak(guardrail_json_memory_t *m, uint64_t transient)
{
    if (m->live + transient > m->peak) {
        m->peak = m->live + transient;
    }
}


/* an int of so many digits that is no shared object */

static inline uint64_t
guardrail_py_int(uint64_t digits)
{
    /* room for digits of 30 bits: log(10) / log(2^30) for each digit */

    return (digits <= 9) ? 28 : 24 + 4 * (digits * 110731 / 1000000 + 1);
}


/* the table of a dict that is full with so many keys and gets one more: 2^n */

static inline unsigned
guardrail_py_table_log(uint64_t used)
{
    /* three times the keys or more, 8 or more */

    return used ? 64 - (unsigned) __builtin_clzll(used * 3 - 1) : 3;
}


/* a head, an index of bytes or wider ones, and two thirds of entries */

static inline uint64_t
guardrail_py_table(unsigned log)
{
    uint64_t  size;

    size = (uint64_t) 1 << log;

    return 32 + (size << ((log >= 8) + (log >= 16) + (log >= 32)))
           + 16 * (size * 2 / 3);
}


/*
 * A dict that is full with used keys, at least one, gets one more: a new
 * table, and the old one lives until that is filled.  CPython does not give
 * up to 80 tables of the smallest size back, but keeps them for the next
 * dicts.  Returns the number of keys for which the new one has room.
 */

static inline uint64_t
guardrail_json_memory_table(guardrail_json_memory_t *m, uint64_t used)
{
    unsigned  log;
    uint64_t  bytes;

    log = guardrail_py_table_log(used);
    bytes = guardrail_py_table(log);

    guardrail_json_memory_peak(m, bytes);
    m->live += bytes;

    if (used == GUARDRAIL_PY_SMALLEST && m->spare < GUARDRAIL_PY_SPARE) {
        m->spare++;

    } else {
        m->live -= guardrail_py_table(log - 1);
    }

    return ((uint64_t) 1 << log) * 2 / 3;
}


/*
 * The table before that of a dict of so many keys may be alive still; one of
 * the smallest is anyway.
 */

static inline void
guardrail_json_memory_old_table(guardrail_json_memory_t *m, uint64_t used)
{
    unsigned  log;

    /* the next one has twice the size, and the one before it half */

    log = guardrail_py_table_log(used) - 2;

    if (used > GUARDRAIL_PY_SMALLEST && log > 3) {
        guardrail_json_memory_peak(m, guardrail_py_table(log));
    }
}


/* the room of a full list that gets one more, as list_resize() makes it */

static inline uint64_t
guardrail_json_memory_list(uint64_t used)
{
    used++;

    return (used + (used >> 3) + 6) & ~(uint64_t) 3;
}


/* puts what was read into the innermost container */

void guardrail_json_memory_value(guardrail_json_memory_t *m);

/*
 * The container that is so deep is full, and is to get one more; it is not
 * empty.
 */

void guardrail_json_memory_grow(guardrail_json_memory_t *m, uint32_t depth);


/*
 * Takes note of bytes as they stand in the body.  Returns the first backslash
 * or, if there is none, the end.  *width is raised to that of the widest
 * character before it.
 */

const uint8_t *guardrail_json_memory_scan(guardrail_json_memory_text_t *t,
    const uint8_t *p, const uint8_t *end, uint8_t *width);

/* the same, where there are no vectors */

const uint8_t *guardrail_json_memory_scan8(guardrail_json_memory_text_t *t,
    const uint8_t *p, const uint8_t *end, uint8_t *width);

/* the text has got a wider character */

void guardrail_json_memory_widen(guardrail_json_memory_text_t *t,
    uint8_t width);

uint64_t guardrail_json_memory_partial(
    const guardrail_json_memory_string_t *s);


void guardrail_json_memory_hash_init(guardrail_json_memory_string_t *s);
void guardrail_json_memory_hash(guardrail_json_memory_string_t *s,
    const uint8_t *p, size_t len);

/* of the whole key */

uint64_t guardrail_json_memory_hash_end(guardrail_json_memory_string_t *s);

/* the same of a key of up to 15 bytes: see guardrail_json_memory_hash_t */

uint64_t guardrail_json_memory_hash_short(uint64_t first, uint64_t second);

/* 1 if the document had no such key so far; it has now */

unsigned guardrail_json_memory_key_is_new(guardrail_json_memory_t *m);

/* the memo is full and gets one more; it is not empty */

void guardrail_json_memory_memo(guardrail_json_memory_t *m);

/*
 * After so many documents, and before the first, when it is 0, the set is
 * cleared.
 */

#define GUARDRAIL_JSON_MEMORY_EPOCHS  255

void guardrail_json_memory_forget_keys(guardrail_json_memory_t *m);


#endif /* GUARDRAIL_JSON_MEMORY_PRIVATE_H */
