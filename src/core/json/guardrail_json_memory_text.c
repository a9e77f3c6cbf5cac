
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the body's bytes become when CPython decodes them.
 *
 * A character is as wide as its first byte says: C2 and C3 begin one of
 * Latin-1, C4 to EF one of UCS-2, F0 and above one of UCS-4, and a byte that
 * continues a character is less than any that begins one.  So the largest
 * byte of a text tells its width, and nothing has to be decoded here.  Bytes
 * that are no UTF-8 make CPython fail; they count as what they look like.
 */


#include "json/guardrail_json_memory_private.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif


#define GUARDRAIL_BYTES(c)  (0x0101010101010101 * (uint64_t) (c))


static const uint8_t *guardrail_json_memory_bytes(
    guardrail_json_memory_text_t *t, const uint8_t *p, const uint8_t *end,
    uint8_t *width);
static unsigned guardrail_json_memory_plain(uint64_t v);


/*
 * The buffer has as many characters as the body has bytes.  Where a character
 * does not fit into it, it is copied into a wider one.
 */

void
guardrail_json_memory_widen(guardrail_json_memory_text_t *t, uint8_t width)
{
    uint8_t  peak;

    peak = (uint8_t) (guardrail_py_char(t->width) + guardrail_py_char(width)
                      + t->copy);

    if (peak > t->peak) {
        t->peak = peak;
    }

    t->width = width;
}


/*
 * A surrogate in UTF-8 (ED, then A0 or above) is an error that the handler
 * "surrogatepass" undoes: from the first one to the end of the decoding an
 * exception holds a copy of the body.  Its first byte may have made the text
 * wider, when the copy was not known of: it is added to any peak before.
 */

static const uint8_t *
guardrail_json_memory_bytes(guardrail_json_memory_text_t *t, const uint8_t *p,
    const uint8_t *end, uint8_t *width)
{
    uint8_t  c, w;

    for ( /* void */ ; p < end; p++) {
        c = *p;

        if (c == '\\') {
            t->ed = 0;
            break;
        }

        if (c >= 0x80 && c < 0xc0) {
            t->more++;

            if (t->ed && c >= 0xa0 && t->copy == 0) {
                t->copy = 1;
                t->peak++;
            }
        }

        w = guardrail_py_width(c);

        if (w > *width) {
            *width = w;
        }

        if (w > t->width) {
            guardrail_json_memory_widen(t, w);
        }

        t->ed = (c == 0xed);
    }

    return p;
}


/* are 8 bytes ASCII without a backslash? */

static inline unsigned
guardrail_json_memory_plain(uint64_t v)
{
    uint64_t  x;

    x = v ^ GUARDRAIL_BYTES('\\');

    return ((v | (x - GUARDRAIL_BYTES(0x01))) & GUARDRAIL_BYTES(0x80)) == 0;
}


/*
 * 8 bytes a step: everywhere, and for what is left of 16.  The last bytes are
 * looked at together with those before them, if there are any.
 */

const uint8_t *
guardrail_json_memory_scan8(guardrail_json_memory_text_t *t, const uint8_t *p,
    const uint8_t *end, uint8_t *width)
{
    size_t          len;
    const uint8_t  *q;

    len = (size_t) (end - p);

    while (end - p >= 8) {

        if (!t->ed && guardrail_json_memory_plain(guardrail_load64(p))) {
            p += 8;
            continue;
        }

        q = guardrail_json_memory_bytes(t, p, p + 8, width);

        if (q < p + 8) {
            return q;
        }

        p = q;
    }

    if (p < end && !t->ed
        && guardrail_json_memory_plain(len >= 8
                                       ? guardrail_load64(end - 8)
                                       : guardrail_load_some(p, len)))
    {
        return end;
    }

    return guardrail_json_memory_bytes(t, p, end, width);
}


#if defined(__SSE2__)

static unsigned guardrail_json_memory_above(__m128i v, uint8_t c);
static uint32_t guardrail_json_memory_is(__m128i v, uint8_t c);
static uint8_t guardrail_json_memory_width16(__m128i v);
static uint64_t guardrail_json_memory_more16(__m128i v);


static inline unsigned
guardrail_json_memory_above(__m128i v, uint8_t c)
{
    v = _mm_subs_epu8(v, _mm_set1_epi8((char) c));

    return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) != 0xffff;
}


/* a bit for each byte that is this one */

static inline uint32_t
guardrail_json_memory_is(__m128i v, uint8_t c)
{
    return (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v,
                                                   _mm_set1_epi8((char) c)));
}


static inline uint8_t
guardrail_json_memory_width16(__m128i v)
{
    return (uint8_t) (guardrail_json_memory_above(v, 0x7f)
                      + guardrail_json_memory_above(v, 0xc3)
                      + guardrail_json_memory_above(v, 0xef));
}


/* how many are 80 to BF: as signed bytes, those below C0 */

static inline uint64_t
guardrail_json_memory_more16(__m128i v)
{
    v = _mm_cmplt_epi8(v, _mm_set1_epi8((char) 0xc0));
    v = _mm_sad_epu8(_mm_and_si128(v, _mm_set1_epi8(1)), _mm_setzero_si128());

    return (uint64_t) _mm_cvtsi128_si64(v)
           + (uint64_t) _mm_cvtsi128_si64(_mm_unpackhi_epi64(v, v));
}


/*
 * 16 bytes a step.  Those that hold a backslash or an ED, and those that make
 * the text wider than it was, where the order counts, are read one by one.
 */

const uint8_t *
guardrail_json_memory_scan(guardrail_json_memory_text_t *t, const uint8_t *p,
    const uint8_t *end, uint8_t *width)
{
    uint8_t         w;
    __m128i         v;
    uint32_t        back, high;
    const uint8_t  *q;

    while (end - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) (const void *) p);
        back = guardrail_json_memory_is(v, '\\');
        high = (uint32_t) _mm_movemask_epi8(v);

        if (high == 0 && !t->ed) {

            if (back) {
                return p + __builtin_ctz(back);
            }

            p += 16;
            continue;
        }

        w = guardrail_json_memory_width16(v);

        if (back == 0 && !t->ed && w <= t->width
            && guardrail_json_memory_is(v, 0xed) == 0)
        {
            if (w > *width) {
                *width = w;
            }

            t->more += guardrail_json_memory_more16(v);
            p += 16;
            continue;
        }

        q = guardrail_json_memory_bytes(t, p, p + 16, width);

        if (back) {
            return q;
        }

        p = q;
    }

    return guardrail_json_memory_scan8(t, p, end, width);
}

#else

const uint8_t *
guardrail_json_memory_scan(guardrail_json_memory_text_t *t, const uint8_t *p,
    const uint8_t *end, uint8_t *width)
{
    return guardrail_json_memory_scan8(t, p, end, width);
}

#endif
