
/*
 * Copyright (C) nginx-guardrail authors
 *
 * For tests only, linked into a build with GUARDRAIL_ZONE_POINTS: the process
 * that comes to the n-th point of a section from now on is killed there.  The
 * counters are shared by all processes that come from the one that loaded the
 * module.
 */


#define _GNU_SOURCE

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct {
    long  left;                         /* 0: nobody is killed */
    long  passed;
} guardrail_zone_points_t;


void guardrail_zone_point_hit(void);
void guardrail_zone_points_set(long n);
long guardrail_zone_points_passed(void);


static guardrail_zone_points_t  *guardrail_zone_points;


__attribute__((constructor)) static void
guardrail_zone_points_init(void)
{
    void  *p;

    p = mmap(NULL, sizeof(guardrail_zone_points_t), PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    guardrail_zone_points = (p == MAP_FAILED) ? NULL : p;
}


void
guardrail_zone_point_hit(void)
{
    guardrail_zone_points_t  *p;

    p = guardrail_zone_points;

    if (p == NULL) {
        return;
    }

    (void) __atomic_fetch_add(&p->passed, 1, __ATOMIC_SEQ_CST);

    if (__atomic_load_n(&p->left, __ATOMIC_SEQ_CST) > 0
        && __atomic_sub_fetch(&p->left, 1, __ATOMIC_SEQ_CST) == 0)
    {
        (void) kill(getpid(), SIGKILL);
    }
}


void
guardrail_zone_points_set(long n)
{
    __atomic_store_n(&guardrail_zone_points->left, n, __ATOMIC_SEQ_CST);
}


long
guardrail_zone_points_passed(void)
{
    return __atomic_load_n(&guardrail_zone_points->passed, __ATOMIC_SEQ_CST);
}
