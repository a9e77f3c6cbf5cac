
/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the processor can do.  Each call asks it, which takes a virtual machine
 * 0.1 ms or more: once in a process, not for each body.
 */


#ifndef GUARDRAIL_CPU_H
#define GUARDRAIL_CPU_H


/*
 * All that guardrail_avx2.h names (AVX2, BMI1, BMI2, LZCNT, POPCNT, PCLMUL),
 * and a system that saves the registers?
 */

unsigned guardrail_cpu_avx2(void);

/* and are PEXT and PDEP a few cycles, and no loop over the bits? */

unsigned guardrail_cpu_gathers(void);


#endif /* GUARDRAIL_CPU_H */
