
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the processor can do.
 */


#include <stdint.h>

#include "base/guardrail_cpu.h"


#if defined(__x86_64__)

#include <cpuid.h>


unsigned
guardrail_cpu_avx2(void)
{
    uint32_t  eax, ebx, ecx, edx, need;

    need = bit_OSXSAVE|bit_AVX|bit_POPCNT|bit_PCLMUL;

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


/* AMD before its family 19 gathers bits in a loop, one at a time */

unsigned
guardrail_cpu_gathers(void)
{
    uint32_t  eax, ebx, ecx, edx, family;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        return 0;
    }

    family = eax >> 8 & 0x0f;
    family += (family == 0x0f) ? (eax >> 20 & 0xff) : 0;

    return family < 0x15 || family > 0x18;
}

#else

unsigned
guardrail_cpu_avx2(void)
{
    return 0;
}


unsigned
guardrail_cpu_gathers(void)
{
    return 0;
}

#endif
