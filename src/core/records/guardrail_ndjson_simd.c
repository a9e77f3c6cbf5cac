
/*
 * Copyright (C) nginx-guardrail authors
 *
 * NDJSON records: the scanners that judge 64 bytes at a time.
 *
 * The instruction sets are those of single functions, by their attributes:
 * no file needs flags of its own, and the choice is made when it runs.
 */


#include <string.h>

#include "records/guardrail_ndjson_private.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define GUARDRAIL_NDJSON_X86   1

#elif defined(__aarch64__) && defined(__AARCH64EL__)

#include <arm_neon.h>

#define GUARDRAIL_NDJSON_NEON  1

#endif


#if (GUARDRAIL_NDJSON_X86 || GUARDRAIL_NDJSON_NEON)

/* below this the blocks do not pay */

#define GUARDRAIL_NDJSON_SHORT  16


#define GUARDRAIL_NDJSON_INLINE                                               \
    static inline __attribute__((always_inline))


/*
 * The state while blocks are judged: it stays in registers.  What is a flag
 * elsewhere is 0 or 1 here, so that it can be shifted into a mask.
 */

typedef struct {
    uint64_t  records;
    uint64_t  lines;
    uint64_t  run;                      /* bytes of this line, a CR too */

    uint64_t  cr;                       /* the last byte was CR */
    uint64_t  content;                  /* not 0: the line holds a record */
    uint64_t  start;                    /* the segment's is not yet counted */
    uint64_t  ended;                    /* the last byte ended a line */
    uint32_t  sequence;                 /* GUARDRAIL_NDJSON_SEQUENCE */
} guardrail_ndjson_fast_t;


/* no line up to the threshold needs a look */

typedef struct {
    uint64_t  largest;
    uint64_t  threshold;
    uint8_t   steps[6];
} guardrail_ndjson_sizes_t;


GUARDRAIL_NDJSON_INLINE void
guardrail_ndjson_sizes(guardrail_ndjson_sizes_t *z, uint64_t largest,
    uint64_t max)
{
    uint64_t  ones, step;
    unsigned  i;

    z->largest = largest;
    z->threshold = (largest < max) ? largest : max;

    /* runs of 1, 2, 4... ones, up to threshold + 1 */

    for (i = 0, ones = 1; i < 6; i++, ones += step) {
        step = (z->threshold < 63) ? z->threshold + 1 - ones : 0;

        if (step > ones) {
            step = ones;
        }

        z->steps[i] = (uint8_t) step;
    }
}


/* is one of the runs of ones in the mask longer than the threshold? */

GUARDRAIL_NDJSON_INLINE unsigned
guardrail_ndjson_runs(const guardrail_ndjson_sizes_t *z, uint64_t mask)
{
    mask &= mask >> z->steps[0];
    mask &= mask >> z->steps[1];
    mask &= mask >> z->steps[2];
    mask &= mask >> z->steps[3];
    mask &= mask >> z->steps[4];
    mask &= mask >> z->steps[5];

    return mask != 0;
}


GUARDRAIL_NDJSON_INLINE void
guardrail_ndjson_begin(guardrail_ndjson_fast_t *f, guardrail_ndjson_sizes_t *z,
    const guardrail_ndjson_t *s)
{
    f->records = s->records;
    f->lines = s->lines;

    f->cr = (s->flags & GUARDRAIL_NDJSON_CR) != 0;
    f->content = (s->flags & GUARDRAIL_NDJSON_CONTENT) != 0;
    f->start = (s->flags & GUARDRAIL_NDJSON_COUNTED) == 0;
    f->ended = (s->flags & GUARDRAIL_NDJSON_HELD) == 0;
    f->sequence = s->flags & GUARDRAIL_NDJSON_SEQUENCE;

    f->run = s->size + f->cr;

    guardrail_ndjson_sizes(z, s->largest, s->limits.max_record_size);
}


/* the state behind the first len bytes at p; before them it is still s */

GUARDRAIL_NDJSON_INLINE void
guardrail_ndjson_end(const guardrail_ndjson_fast_t *f,
    const guardrail_ndjson_sizes_t *z, guardrail_ndjson_t *s, const uint8_t *p,
    size_t len)
{
    if (len == 0) {
        return;
    }

    s->records = f->records;
    s->lines = f->lines;
    s->largest = z->largest;
    s->size = f->run - f->cr;

    s->flags = f->sequence
               | (f->cr ? GUARDRAIL_NDJSON_CR : 0)
               | (f->content ? GUARDRAIL_NDJSON_CONTENT : 0)
               | (f->start ? 0 : GUARDRAIL_NDJSON_COUNTED)
               | (f->ended ? 0 : GUARDRAIL_NDJSON_HELD);

    if (f->content && s->size > s->largest) {
        s->largest = s->size;
    }

    if (f->run == 1 && p[len - 1] == 0xfe) {
        s->flags |= GUARDRAIL_NDJSON_FE;
    }

    if (f->run == 1 && p[len - 1] == 0xff) {
        s->flags |= GUARDRAIL_NDJSON_FF;
    }
}

#endif


#if (GUARDRAIL_NDJSON_X86)

/* SSE2 is in every x86-64, POPCNT is not */

typedef struct {
    __m128i  v[4];
} guardrail_ndjson_sse2_t;


GUARDRAIL_NDJSON_INLINE guardrail_ndjson_sse2_t
guardrail_ndjson_sse2_load(const uint8_t *p)
{
    unsigned                 i;
    guardrail_ndjson_sse2_t  v;

    for (i = 0; i < 4; i++) {
        v.v[i] = _mm_loadu_si128((const __m128i *) (const void *)
                                 (p + i * 16));
    }

    return v;
}


GUARDRAIL_NDJSON_INLINE uint64_t
guardrail_ndjson_sse2_mask(guardrail_ndjson_sse2_t v)
{
    return (uint64_t) (uint32_t) _mm_movemask_epi8(v.v[0])
           | (uint64_t) (uint32_t) _mm_movemask_epi8(v.v[1]) << 16
           | (uint64_t) (uint32_t) _mm_movemask_epi8(v.v[2]) << 32
           | (uint64_t) (uint32_t) _mm_movemask_epi8(v.v[3]) << 48;
}


GUARDRAIL_NDJSON_INLINE uint64_t
guardrail_ndjson_sse2_eq(guardrail_ndjson_sse2_t v, uint8_t c)
{
    __m128i   m;
    unsigned  i;

    m = _mm_set1_epi8((char) c);

    for (i = 0; i < 4; i++) {
        v.v[i] = _mm_cmpeq_epi8(v.v[i], m);
    }

    return guardrail_ndjson_sse2_mask(v);
}


GUARDRAIL_NDJSON_INLINE uint64_t
guardrail_ndjson_sse2_white(guardrail_ndjson_sse2_t v)
{
    __m128i   sp, tab, lf, cr;
    unsigned  i;

    sp = _mm_set1_epi8(' ');
    tab = _mm_set1_epi8('\t');
    lf = _mm_set1_epi8('\n');
    cr = _mm_set1_epi8('\r');

    for (i = 0; i < 4; i++) {
        v.v[i] = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v.v[i], sp),
                                           _mm_cmpeq_epi8(v.v[i], tab)),
                              _mm_or_si128(_mm_cmpeq_epi8(v.v[i], lf),
                                           _mm_cmpeq_epi8(v.v[i], cr)));
    }

    return guardrail_ndjson_sse2_mask(v);
}


GUARDRAIL_NDJSON_INLINE uint64_t
guardrail_ndjson_sse2_odd(guardrail_ndjson_sse2_t v)
{
    __m128i   sp;
    unsigned  i;

    sp = _mm_set1_epi8(' ');

    /* signed: 80 to FF are below space, too */

    for (i = 0; i < 4; i++) {
        v.v[i] = _mm_cmplt_epi8(v.v[i], sp);
    }

    return guardrail_ndjson_sse2_mask(v);
}


GUARDRAIL_NDJSON_INLINE uint64_t
guardrail_ndjson_sse2_ones(uint64_t m)
{
    m -= (m >> 1) & 0x5555555555555555;
    m = (m & 0x3333333333333333) + ((m >> 2) & 0x3333333333333333);
    m = (m + (m >> 4)) & 0x0f0f0f0f0f0f0f0f;

    return (m * 0x0101010101010101) >> 56;
}


#define NDJSON(name)     guardrail_ndjson_sse2_##name
#define NDJSON_TARGET
#define NDJSON_VEC       guardrail_ndjson_sse2_t
#define NDJSON_LOAD      guardrail_ndjson_sse2_load
#define NDJSON_EQ        guardrail_ndjson_sse2_eq
#define NDJSON_WHITE     guardrail_ndjson_sse2_white
#define NDJSON_ODD       guardrail_ndjson_sse2_odd
#define NDJSON_HIGH      guardrail_ndjson_sse2_mask
#define NDJSON_ONES      guardrail_ndjson_sse2_ones
#define NDJSON_BELOW(m)  ((m) ? (uint64_t) __builtin_ctzll(m) : 64)
#define NDJSON_ABOVE(m)  ((m) ? (uint64_t) __builtin_clzll(m) : 64)
#define NDJSON_LEAVE()

#include "records/guardrail_ndjson_block.h"

#undef NDJSON
#undef NDJSON_TARGET
#undef NDJSON_VEC
#undef NDJSON_LOAD
#undef NDJSON_EQ
#undef NDJSON_WHITE
#undef NDJSON_ODD
#undef NDJSON_HIGH
#undef NDJSON_ONES
#undef NDJSON_BELOW
#undef NDJSON_ABOVE
#undef NDJSON_LEAVE


#define GUARDRAIL_NDJSON_AVX2                                                 \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

#define GUARDRAIL_NDJSON_AVX2_INLINE                                          \
    static inline GUARDRAIL_NDJSON_AVX2 __attribute__((always_inline))


typedef struct {
    __m256i  v[2];
} guardrail_ndjson_avx2_t;


GUARDRAIL_NDJSON_AVX2_INLINE guardrail_ndjson_avx2_t
guardrail_ndjson_avx2_load(const uint8_t *p)
{
    guardrail_ndjson_avx2_t  v;

    v.v[0] = _mm256_loadu_si256((const __m256i *) (const void *) p);
    v.v[1] = _mm256_loadu_si256((const __m256i *) (const void *) (p + 32));

    return v;
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_mask(guardrail_ndjson_avx2_t v)
{
    return (uint64_t) (uint32_t) _mm256_movemask_epi8(v.v[0])
           | (uint64_t) (uint32_t) _mm256_movemask_epi8(v.v[1]) << 32;
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_eq(guardrail_ndjson_avx2_t v, uint8_t c)
{
    __m256i  m;

    m = _mm256_set1_epi8((char) c);

    v.v[0] = _mm256_cmpeq_epi8(v.v[0], m);
    v.v[1] = _mm256_cmpeq_epi8(v.v[1], m);

    return guardrail_ndjson_avx2_mask(v);
}


/*
 * No two of space, tab, LF and CR have the same low nibble: each byte is
 * compared with the one of them that has its own.  Where none has, that is
 * a byte of another nibble; from 80 on the shuffle gives 0.
 */

GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_white(guardrail_ndjson_avx2_t v)
{
    __m256i  table;

    table = _mm256_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0,
                             0, '\t', '\n', 0, 0, '\r', 0, 0,
                             ' ', 0, 0, 0, 0, 0, 0, 0,
                             0, '\t', '\n', 0, 0, '\r', 0, 0);

    v.v[0] = _mm256_cmpeq_epi8(v.v[0], _mm256_shuffle_epi8(table, v.v[0]));
    v.v[1] = _mm256_cmpeq_epi8(v.v[1], _mm256_shuffle_epi8(table, v.v[1]));

    return guardrail_ndjson_avx2_mask(v);
}


GUARDRAIL_NDJSON_AVX2_INLINE uint64_t
guardrail_ndjson_avx2_odd(guardrail_ndjson_avx2_t v)
{
    __m256i  sp;

    sp = _mm256_set1_epi8(' ');

    v.v[0] = _mm256_cmpgt_epi8(sp, v.v[0]);
    v.v[1] = _mm256_cmpgt_epi8(sp, v.v[1]);

    return guardrail_ndjson_avx2_mask(v);
}


#define NDJSON(name)     guardrail_ndjson_avx2_##name
#define NDJSON_TARGET    GUARDRAIL_NDJSON_AVX2
#define NDJSON_VEC       guardrail_ndjson_avx2_t
#define NDJSON_LOAD      guardrail_ndjson_avx2_load
#define NDJSON_EQ        guardrail_ndjson_avx2_eq
#define NDJSON_WHITE     guardrail_ndjson_avx2_white
#define NDJSON_ODD       guardrail_ndjson_avx2_odd
#define NDJSON_HIGH      guardrail_ndjson_avx2_mask
#define NDJSON_ONES(m)   (uint64_t) _mm_popcnt_u64(m)
#define NDJSON_BELOW(m)  (uint64_t) _tzcnt_u64(m)
#define NDJSON_ABOVE(m)  (uint64_t) _lzcnt_u64(m)
#define NDJSON_LEAVE     _mm256_zeroupper

#include "records/guardrail_ndjson_block.h"


static const guardrail_ndjson_ops_t  guardrail_ndjson_sse2 = {
    "sse2",
    guardrail_ndjson_sse2_scan
};


static const guardrail_ndjson_ops_t  guardrail_ndjson_avx2 = {
    "avx2",
    guardrail_ndjson_avx2_scan
};


/* all that the attribute names, and a system that saves the registers */

static unsigned
guardrail_ndjson_have_avx2(void)
{
    uint32_t  eax, ebx, ecx, edx, need;

    need = bit_OSXSAVE|bit_AVX|bit_POPCNT;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & need) != need) {
        return 0;
    }

    /* XCR0: the states of XMM and YMM */

    __asm__ volatile ("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));

    if ((eax & 0x06) != 0x06) {
        return 0;
    }

    need = bit_AVX2|bit_BMI|bit_BMI2;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)
        || (ebx & need) != need)
    {
        return 0;
    }

    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx)
           && (ecx & bit_LZCNT);
}


const guardrail_ndjson_ops_t *
guardrail_ndjson_simd(unsigned n)
{
    if (!guardrail_ndjson_have_avx2()) {
        n++;
    }

    switch (n) {

    case 0:
        return &guardrail_ndjson_avx2;

    case 1:
        return &guardrail_ndjson_sse2;

    default:
        return NULL;
    }
}

#elif (GUARDRAIL_NDJSON_NEON)

#else

const guardrail_ndjson_ops_t *
guardrail_ndjson_simd(unsigned n)
{
    (void) n;

    return NULL;
}

#endif
