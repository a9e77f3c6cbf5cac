
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The CRC-32 of gzip against a definition of its own, bit by bit: every
 * length around the sizes that are treated differently, at every alignment,
 * and in pieces.
 */


#include "tap.h"

#include <stdlib.h>

#include "codec/guardrail_crc32.h"


#define LONGEST  600


static uint32_t bitwise(uint32_t crc, const uint8_t *p, size_t len);
static void test_known(void);
static void test_lengths(void);
static void test_pieces(void);


int
main(void)
{
    test_known();
    test_lengths();
    test_pieces();

    return tap_done();
}


/* RFC 1952, section 8: the polynomial is EDB88320, reflected */

static uint32_t
bitwise(uint32_t crc, const uint8_t *p, size_t len)
{
    int  bit;

    crc = ~crc;

    while (len--) {
        crc ^= *p++;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0xedb88320 : 0);
        }
    }

    return ~crc;
}


/* the check value that every catalogue of CRCs names, and zeros */

static void
test_known(void)
{
    uint8_t  zeros[1024];

    memset(zeros, 0, sizeof(zeros));

    tap_is_u64(guardrail_crc32(0, (const uint8_t *) "123456789", 9),
               0xcbf43926, "123456789");
    tap_is_u64(guardrail_crc32(0, zeros, 0), 0, "nothing");
    tap_is_u64(guardrail_crc32(0, zeros, sizeof(zeros)),
               bitwise(0, zeros, sizeof(zeros)), "zeros");
}


/* each in an allocation of its own size, so that sanitizers see overruns */

static void
test_lengths(void)
{
    size_t    i, len, shift;
    uint8_t  *p;
    unsigned  wrong;

    wrong = 0;

    for (len = 0; len <= LONGEST; len++) {
        for (shift = 0; shift < 16; shift++) {

            p = malloc(shift + len ? shift + len : 1);
            if (p == NULL) {
                abort();
            }

            for (i = 0; i < shift + len; i++) {
                p[i] = (uint8_t) (i * i + i / 7 + len);
            }

            if (guardrail_crc32(0x12345678, p + shift, len)
                != bitwise(0x12345678, p + shift, len))
            {
                wrong++;
            }

            free(p);
        }
    }

    tap_is_u64(wrong, 0, "lengths up to %d", LONGEST);
}


static void
test_pieces(void)
{
    size_t    i, cut;
    uint8_t   text[LONGEST];
    uint32_t  crc;
    unsigned  wrong;

    wrong = 0;

    for (i = 0; i < LONGEST; i++) {
        text[i] = (uint8_t) (i * 31 + i / 13);
    }

    for (cut = 0; cut <= LONGEST; cut++) {
        crc = guardrail_crc32(0, text, cut);
        crc = guardrail_crc32(crc, text + cut, LONGEST - cut);

        if (crc != bitwise(0, text, LONGEST)) {
            wrong++;
        }
    }

    tap_is_u64(wrong, 0, "cut anywhere");
}
