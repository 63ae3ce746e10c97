/*
 * Xen 9P backend: what a thread has had of the CPU
 *
 * While others wait for its CPU, a call can seem to take many times what it
 * does. Where a call did not sleep, it took what its thread had of the CPU.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_USAGE_H
#define HW_9PFS_XEN_9P_USAGE_H

/* Of a thread, since it began. */
typedef struct Xen9pUsage {
    long sleeps;                /* times that it went to sleep by itself */
    long losses;                /* times that it lost the CPU to others */
    int64_t cpu;                /* nanoseconds that it ran */
} Xen9pUsage;

/**
 * xen_9p_usage_now: what the calling thread has had until now
 *
 * Two system calls, half a microsecond.
 */
Xen9pUsage xen_9p_usage_now(void);

/**
 * xen_9p_usage_own: how much of a time was the calling thread's own
 * @begin: when it began
 * @took: how long it was, in nanoseconds
 * @slept: set to whether it slept then
 *
 * Returns: @took if it slept, which can be told from waiting for the CPU by
 * nothing; else the time that it ran.
 */
int64_t xen_9p_usage_own(const Xen9pUsage *begin, int64_t took, bool *slept);

#endif
