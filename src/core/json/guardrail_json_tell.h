
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The memory model and blocks of 64 bytes: what was found in one is told to
 * it in the order of the bytes, a part of guardrail_json_block.h, which says
 * what is defined before.
 *
 * The estimate is not judged here: a block behind which it may be above the
 * limit is left to the scalar scanner, which judges it at each value.
 */


/* what the objects of a block cost at most, growing containers apart */

#define JSON_TELL_OBJECTS  16384

/* and what a byte of a long string adds to the bound, whatever it is */

#define JSON_TELL_BYTE     32


/*
 * The most that the estimate can be at the end of a block, or at any byte
 * before.
 *
 * A container that is open, or the memo, grows once, or by so many small
 * steps as come to the same: those that are closed to, the innermost one, the
 * memo.  A number is read from a copy, a table may be there twice.  A string
 * costs twice what it has, or with escapes and wide characters in a buffer
 * that grows 2 * 4 * 5/4 + 4.  A record's end makes its objects stay, and what
 * comes behind it add to them.
 */

JSON_INLINE uint64_t
guardrail_json_most(const guardrail_json_fast_t *f, const guardrail_json_t *s,
    const guardrail_json_masks_t *m)
{
    uint64_t                        top, need, record, base, text, decoding;
    const guardrail_json_memory_t  *y;

    y = s->memory;

    base = f->offset + 64;
    record = base;

    if (y->mode != GUARDRAIL_JSON_MEMORY_DOCUMENT) {
        record -= f->line;
    }

    if (y->mode == GUARDRAIL_JSON_MEMORY_RECORD) {
        base = record;

    } else if (y->mode == GUARDRAIL_JSON_MEMORY_BODY) {
        base += y->kept;
    }

    need = JSON_TELL_OBJECTS + (JSON_ONES(m->closes) + 4) * y->growth
           + (f->length + 64) * ((f->odd | m->odd) ? 16 : 2);

    text = m->high ? 4 * record : record * guardrail_py_char(y->text.width);
    decoding = record * (m->high ? 7 : y->text.peak);

    top = (y->live > y->peak ? y->live : y->peak) + need + text;
    top = (top > decoding) ? top : decoding;

    top += base + y->extra + GUARDRAIL_PY_CALL + 128;

    if (m->lf) {
        top += y->live + 2 * need + y->records + 1024;
    }

    return (top > y->most) ? top : y->most;
}


/* a string of ASCII without escapes */

JSON_INLINE void
guardrail_json_tell_plain(guardrail_json_memory_t *y, const uint8_t *from,
    size_t len, uint64_t key, const uint8_t *first)
{
    uint64_t  bytes, word, before;

    bytes = (len > 1) ? len + 49 : 0;

    if (!key) {
        y->live += bytes;
        guardrail_json_memory_put(y);
        return;
    }

    if (len - 1 > 14 || from + len - first < 16) {

        /* the empty one, a long one, one at the beginning of the piece */

        guardrail_json_memory_string_begin(y, 1);
        guardrail_json_memory_string(y, from, len);
        guardrail_json_memory_string_end(y);

        return;
    }

    /* the last bytes up to the quote, those before the key shifted out */

    word = guardrail_load64(from + len - 8);

    if (len < 8) {
        word = word >> 8 * (8 - len) | (uint64_t) len << 56;
        before = 0;

    } else {
        before = word;
        word = guardrail_load64(from);
        before = (len > 8) ? before >> 8 * (16 - len) : 0;
        before |= (uint64_t) len << 56;
    }

    guardrail_json_memory_key(y,
                              guardrail_json_memory_hash_of(y, word, before),
                              bytes);
}


/* any string, of which part was told before */

JSON_INLINE void
guardrail_json_tell_any(guardrail_json_memory_t *y, const uint8_t *from,
    size_t len, uint64_t key, uint64_t part)
{
    if (!part) {
        guardrail_json_memory_string_begin(y, (unsigned) key);
    }

    guardrail_json_memory_string(y, from, len);
    guardrail_json_memory_string_end(y);
}


/* the end of a number, or of a word, that begins at b and ends before pos */

JSON_INLINE void
guardrail_json_tell_scalar(guardrail_json_memory_t *y, const uint8_t *p,
    uint64_t b, uint64_t pos, uint64_t others)
{
    uint8_t   c;
    uint64_t  len, first, limit, number;

    c = p[b];
    len = pos - b;
    limit = 256;
    number = len;

    if (others) {

        if (c > '9' || (c < '0' && c != '-' && c != '+' && c != '.')) {
            guardrail_json_memory_put(y);
            return;
        }

        first = (uint64_t) __builtin_ctzll(others);

        if (p[first] != '-') {
            guardrail_json_memory_scalar(y, GUARDRAIL_PY_FLOAT, len);
            return;
        }

        others &= others - 1;

        if (first != b || (others && p[JSON_BELOW(others)] == '-')) {

            /* more than one sign: as it comes */

            guardrail_json_memory_number(y, p + b, len);
            guardrail_json_memory_number_end(y);

            return;
        }

        if (others) {
            guardrail_json_memory_scalar(y, GUARDRAIL_PY_FLOAT, len);
            return;
        }

        limit = 5;
        number--;
        b++;
    }

    if (number > 3) {
        guardrail_json_memory_scalar(y, guardrail_py_int(number), len);
        return;
    }

    for (first = 0; b < pos; b++) {
        first = first * 10 + (uint64_t) (p[b] - '0');
    }

    guardrail_json_memory_scalar(y, first > limit ? guardrail_py_int(1) : 0,
                                 len);
}


/* one that began before the block: the bytes that were not told yet */

GUARDRAIL_INLINE void
guardrail_json_tell_rest(const guardrail_json_fast_t *f,
    const guardrail_json_t *s, const uint8_t *end)
{
    size_t                    len;
    unsigned                  number;
    guardrail_json_memory_t  *y;

    y = s->memory;
    len = (size_t) (end - f->from);

    if (f->part) {
        number = !(s->flags & GUARDRAIL_JSON_LETTER);

    } else {
        number = guardrail_json_begins_number(*f->from);

        if (!number) {
            guardrail_json_memory_literal(y);
        }
    }

    if (number) {
        guardrail_json_memory_number(y, f->from, len);
    }

    guardrail_json_memory_other(y, f->from, len);
}


/*
 * What is in the block up to the last byte of done.  Containers are those of
 * the model: it has closed and opened what the scanner has.
 */

JSON_INLINE void
guardrail_json_tell(guardrail_json_fast_t *f, const guardrail_json_t *s,
    const uint8_t *p, const guardrail_json_masks_t *m, uint64_t done,
    unsigned lines)
{
    uint64_t                  events, begins, ends, starts, bit, pos, b, odd;
    uint64_t                  brackets, before;
    unsigned                  object;
    const uint8_t            *from;
    guardrail_json_memory_t  *y;

    y = s->memory;

    ends = ((m->scalar << 1) | f->scalar) & ~m->scalar & done;
    begins = m->scalar & ~((m->scalar << 1) | f->scalar);
    starts = m->starts;
    brackets = m->opens | m->closes | (lines ? m->lf : 0);
    events = ((brackets | m->ends) & done) | ends;
    before = 0;

    odd = y->text.ed ? UINT64_MAX : m->odd;
    object = guardrail_json_memory_object(y);

    while (events) {
        bit = events & (0 - events);
        pos = (uint64_t) __builtin_ctzll(events);
        events &= events - 1;

        if (bit & m->ends) {
            b = JSON_BELOW(starts);

            if (b < pos) {
                starts &= starts - 1;
                from = p + b + 1;

                if (odd & (bit - ((uint64_t) 1 << b))) {
                    guardrail_json_tell_any(y, from, pos - b - 1,
                                            object & ~(m->values >> b), 0);
                    odd = y->text.ed ? UINT64_MAX : m->odd;
                    continue;
                }

                guardrail_json_tell_plain(y, from, pos - b - 1,
                                          object & ~(m->values >> b), f->first);
                continue;
            }

            from = f->from;

            if (f->part | f->odd | (odd & (bit | (bit - 1)))) {
                guardrail_json_tell_any(y, from, (size_t) (p + pos - from),
                                        f->key, f->part);
                odd = y->text.ed ? UINT64_MAX : m->odd;
                continue;
            }

            guardrail_json_tell_plain(y, from, (size_t) (p + pos - from),
                                      f->key, f->first);
            continue;
        }

        if (bit & ends) {
            b = JSON_BELOW(begins);

            if (b < pos) {
                begins &= begins - 1;
                y->text.ed = 0;

                guardrail_json_tell_scalar(y, p, b, pos,
                                           m->scalar & ~m->digits
                                           & (bit - ((uint64_t) 1 << b)));

            } else {
                guardrail_json_tell_rest(f, s, p + pos);
                guardrail_json_memory_number_end(y);
            }

            if (!(bit & brackets)) {
                continue;
            }
        }

        if (bit & m->opens) {
            object = (p[pos] >> 5) & 1;
            guardrail_json_memory_push(y, object);

        } else if (lines && (bit & m->lf)) {

            if (y->depth && f->lines_auto) {
                continue;
            }

            if (f->content || (m->content & ~before & (bit - 1))) {
                guardrail_json_memory_record_end(y, f->offset + pos
                                                    - f->line);
            }

            f->line = f->offset + pos + 1;
            f->content = 0;
            before = bit | (bit - 1);
            object = 0;

        } else if (y->depth && object == ((p[pos] >> 5) & 1)) {
            y->depth--;
            guardrail_json_memory_put(y);
            object = guardrail_json_memory_object(y);
        }
    }

    if (lines) {
        f->content |= ((m->content & ~before & done) != 0);
    }
}


/* the last bytes of a block that was told: what goes on behind it */

JSON_INLINE void
guardrail_json_tell_on(guardrail_json_fast_t *f, const uint8_t *p,
    const guardrail_json_masks_t *m, const guardrail_json_fast_t *n)
{
    uint64_t  starts, last;

    if (n->string) {
        starts = m->starts;

    } else if (n->scalar) {
        starts = m->scalar & ~((m->scalar << 1) | f->scalar);

    } else {
        return;
    }

    if (starts == 0) {
        f->odd |= m->odd;
        return;
    }

    last = 63 - JSON_ABOVE(starts);

    f->from = p + last + (n->string & 1);
    f->odd = m->odd >> last;
    f->part = 0;
}


/* blocks were told up to there, and it goes on byte by byte */

GUARDRAIL_INLINE void
guardrail_json_tell_end(const guardrail_json_fast_t *f, guardrail_json_t *s,
    const uint8_t *end)
{
    s->line = f->line;

    if (f->string) {

        if (!f->part) {
            guardrail_json_memory_string_begin(s->memory, (unsigned) f->key);
        }

        guardrail_json_memory_string(s->memory, f->from,
                                     (size_t) (end - f->from));

    } else if (f->scalar) {
        guardrail_json_tell_rest(f, s, end);
    }
}
