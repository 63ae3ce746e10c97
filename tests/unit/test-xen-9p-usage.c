/*
 * Xen 9P backend: what a thread has had of the CPU: unit tests
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib.h>
#include <sched.h>
#include <time.h>
#include "hw/9pfs/xen-9p-usage.h"

#define MS      1000000LL
#define OTHERS  3

static bool stop;

static int64_t now_ns(void)
{
    return g_get_monotonic_time() * 1000;
}

static void *burn(void *opaque)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        continue;
    }
    return opaque;
}

/* On one CPU with three others, a thread has about a quarter of it. */
static void test_others(void)
{
    cpu_set_t all, one;
    GThread *others[OTHERS];
    Xen9pUsage begin;
    int64_t since, took, own;
    bool slept = true;

    g_assert_cmpint(sched_getaffinity(0, sizeof(all), &all), ==, 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
            break;
        }
    }
    g_assert_cmpint(sched_setaffinity(0, sizeof(one), &one), ==, 0);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = g_thread_new("burn", burn, NULL);
    }
    begin = xen_9p_usage_now();
    since = now_ns();
    do {
        took = now_ns() - since;
    } while (took < 300 * MS);
    own = xen_9p_usage_own(&begin, took, &slept);
    g_assert_false(slept);
    g_assert_cmpint(own, >, 10 * MS);
    g_assert_cmpint(own, <, took * 2 / 3);
    g_assert_cmpint(xen_9p_usage_now().losses, >, begin.losses);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < OTHERS; i++) {
        g_thread_join(others[i]);
    }
    g_assert_cmpint(sched_setaffinity(0, sizeof(all), &all), ==, 0);
}

/* A time with a sleep is its own, all of it. */
static void test_sleep(void)
{
    Xen9pUsage begin = xen_9p_usage_now();
    bool slept = false;

    g_usleep(2000);
    g_assert_cmpint(xen_9p_usage_own(&begin, 2 * MS, &slept), ==, 2 * MS);
    g_assert_true(slept);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/usage/others", test_others);
    g_test_add_func("/usage/sleep", test_sleep);
    return g_test_run();
}
