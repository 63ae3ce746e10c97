/*
 * Xen 9P backend: what a thread has had of the CPU
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/resource.h>
#include <time.h>
#include "hw/9pfs/xen-9p-usage.h"

Xen9pUsage xen_9p_usage_now(void)
{
    struct rusage usage = { 0 };
    struct timespec ts = { 0 };

    getrusage(RUSAGE_THREAD, &usage);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (Xen9pUsage) {
        .sleeps = usage.ru_nvcsw,
        .losses = usage.ru_nivcsw,
        .cpu = ts.tv_sec * 1000000000LL + ts.tv_nsec,
    };
}

int64_t xen_9p_usage_own(const Xen9pUsage *begin, int64_t took, bool *slept)
{
    Xen9pUsage now = xen_9p_usage_now();

    *slept = now.sleeps != begin->sleeps;
    return *slept ? took : MIN(took, now.cpu - begin->cpu);
}
