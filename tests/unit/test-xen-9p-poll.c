/*
 * Unit tests of hw/9pfs/xen-9p-poll.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-poll.h"

#define US 1000

/*
 * A guest whose next request comes so long after a reply, if it has a CPU of
 * its own; else so long after the backend has gone to sleep.
 *
 * Returns: how many of @n requests were caught.
 */
static unsigned requests(Xen9pPoll *poll, unsigned n, int64_t after,
                         bool own_cpu)
{
    unsigned caught = 0;

    while (n--) {
        bool here = poll->ns && own_cpu && after <= poll->ns;

        if (poll->ns) {
            xen_9p_poll_stayed(poll, here);
        }
        caught += here;
        if (!here) {
            xen_9p_poll_slept(poll, own_cpu ? after : poll->ns + after);
        }
    }
    return caught;
}

static void test_off(void)
{
    Xen9pPoll poll = { 0 };

    g_assert_cmpuint(requests(&poll, 1000, 1, true), ==, 0);
    g_assert_cmpint(poll.ns, ==, 0);
}

/* Next to all are caught, once it is known how long they take. */
static void test_busy(void)
{
    static const int64_t after[] = { 100, 2 * US, 10 * US, 49 * US };

    for (size_t i = 0; i < G_N_ELEMENTS(after); i++) {
        Xen9pPoll poll = { .max = 50 * US };

        g_assert_cmpuint(requests(&poll, 1000, after[i], true), >, 600);
        g_assert_cmpuint(requests(&poll, 1000, after[i], true), ==, 1000);
        g_assert_cmpint(poll.ns, <=, poll.max);
    }
}

/* Who comes later than that is not waited for. */
static void test_idle(void)
{
    Xen9pPoll poll = { .max = 50 * US };

    requests(&poll, 1000, 10 * US, true);
    requests(&poll, 20, 10000 * US, true);
    g_assert_cmpint(poll.ns, ==, 0);
    g_assert_cmpuint(requests(&poll, 1000, 10000 * US, true), ==, 0);
    g_assert_cmpint(poll.ns, ==, 0);
}

/* How often the backend stays for @n requests that need its own CPU. */
static unsigned stays_in_vain(Xen9pPoll *poll, unsigned n)
{
    unsigned stays = 0;

    while (n--) {
        stays += poll->ns > 0;
        requests(poll, 1, 5 * US, false);
    }
    return stays;
}

/* Nor is one that needs the CPU on which the backend waits for it. */
static void test_one_cpu(void)
{
    Xen9pPoll poll = { .max = 50 * US };
    unsigned few = stays_in_vain(&poll, 10000);

    g_assert_cmpuint(few, >, 0);
    g_assert_cmpuint(few, <, 10000 / (XEN_9P_POLL_REST / 8));
    /* And less and less often. */
    stays_in_vain(&poll, 10 * XEN_9P_POLL_REST_MAX);
    few = stays_in_vain(&poll, 10 * XEN_9P_POLL_REST_MAX);
    g_assert_cmpuint(few, >, 0);
    g_assert_cmpuint(few, <=, 10 * XEN_9P_POLL_VAIN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/poll/off", test_off);
    g_test_add_func("/poll/busy", test_busy);
    g_test_add_func("/poll/idle", test_idle);
    g_test_add_func("/poll/one-cpu", test_one_cpu);
    return g_test_run();
}
