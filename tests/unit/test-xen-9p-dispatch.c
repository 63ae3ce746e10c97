/*
 * Unit tests of hw/9pfs/xen-9p-dispatch.c, with a clock of their own
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-dispatch.h"

#define US          1000LL
#define MS          (1000 * US)
#define TREAD       116
#define TGETATTR    24

/* A device, and the time. */
typedef struct Bench {
    Xen9pDispatch d;
    int64_t now;
    int64_t hop;                /* what a call in a worker takes longer */
} Bench;

/* One call, alone. Returns: whether it ran in place. */
static bool call(Bench *b, uint8_t type, uint32_t size, int64_t took,
                 bool sleeps)
{
    Xen9pDispatchCall c;
    bool here = xen_9p_dispatch_begin(&b->d, type, size, XEN_9P_CALL_LEARN,
                                      b->now, &c);

    b->now += here ? took : took + b->hop;
    xen_9p_dispatch_end(&b->d, &c, took,
                        !c.ask ? XEN_9P_SLEPT_UNKNOWN :
                        sleeps ? XEN_9P_SLEPT_YES : XEN_9P_SLEPT_NO, b->now);
    return here;
}

/* Returns: how many of @n calls ran in place. */
static unsigned calls(Bench *b, unsigned n, int64_t took, bool sleeps)
{
    unsigned here = 0;

    while (n--) {
        here += call(b, TREAD, 4096, took, sleeps);
    }
    return here;
}

/* A class that has gone in place, with nothing held against it. */
static void bench_proven(Bench *b)
{
    *b = (Bench) { .now = 1 };
    g_assert_cmpuint(calls(b, XEN_9P_DISPATCH_PROOF, 5 * US, false), ==, 0);
    g_assert_cmpuint(calls(b, 500, 5 * US, false), ==, 500);
}

/* The two fixed modes learn nothing and ask nothing. */
static void test_fixed(void)
{
    static const struct {
        Xen9pDispatchMode mode;
        bool here;
    } cases[] = {
        { XEN_9P_DISPATCH_WORKER, false },
        { XEN_9P_DISPATCH_INLINE, true },
    };
    static const Xen9pDispatchRule rules[] = {
        XEN_9P_CALL_LEARN, XEN_9P_CALL_MAY_BLOCK,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (unsigned r = 0; r < G_N_ELEMENTS(rules); r++) {
            Xen9pDispatch d = { .mode = cases[i].mode };
            Xen9pDispatchCall c;

            for (unsigned n = 0; n < 100; n++) {
                g_assert_true(xen_9p_dispatch_begin(&d, TREAD, 0, rules[r], n,
                                                    &c) == cases[i].here);
                g_assert_null(c.class);
                g_assert_false(c.ask);
                g_assert_false(xen_9p_dispatch_end(&d, &c, 50 * MS,
                                                   XEN_9P_SLEPT_UNKNOWN, n));
            }
            g_assert_cmpuint(d.in_workers, ==, 0);
        }
    }
}

/* How long what a class calls takes, and where it ends up after that. */
static void test_steady(void)
{
    static const struct {
        int64_t took;
        bool sleeps;
        bool here;
        unsigned within;        /* calls in place, if it must not stay there */
    } cases[] = {
        { 1 * US, false, true, 0 },
        { 290 * US, false, true, 0 },
        { 15 * US, true, true, 0 },
        /* Shorter than a pass, but two of them could wait at once. */
        { 60 * US, true, false, 10 },
        { 400 * US, false, false, 25 },
        { 500 * US, true, false, 1 },
        { 1 * MS, true, false, 1 },
        { 20 * MS, true, false, 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        unsigned here;
        Bench b;

        bench_proven(&b);
        here = calls(&b, 2000, cases[i].took, cases[i].sleeps);
        if (cases[i].here) {
            g_assert_cmpuint(here, ==, 2000);
        } else {
            /* Before it is noticed at all, one in SAMPLE is asked. */
            g_assert_cmpuint(here, <=, XEN_9P_DISPATCH_SAMPLE +
                             cases[i].within * XEN_9P_DISPATCH_SAMPLE);
        }
        bench_proven(&b);
        b.d.classes[TREAD / 2][0].watch = XEN_9P_DISPATCH_WATCH;
        here = calls(&b, 10, cases[i].took, cases[i].sleeps);
        if (!cases[i].here && cases[i].within < 10) {
            g_assert_cmpuint(here, ==, cases[i].within);
        }
    }
}

/* Nothing slow gets in place at all, also not the first calls. */
static void test_slow_from_the_start(void)
{
    Bench b = { .now = 1 };

    g_assert_cmpuint(calls(&b, 10000, 1 * MS, true), ==, 0);
}

/*
 * One call that lost its CPU for a while changes nothing, whether it was asked
 * or not; a few that slept as long do, and one that took very long does.
 */
static void test_outliers(void)
{
    Bench b;

    for (unsigned n = 0; n < 2 * XEN_9P_DISPATCH_SAMPLE; n++) {
        bench_proven(&b);
        calls(&b, n, 5 * US, false);
        g_assert_cmpuint(calls(&b, 1, 2 * MS, false), ==, 1);
        g_assert_cmpuint(calls(&b, 100, 5 * US, false), ==, 100);
    }
    bench_proven(&b);
    g_assert_cmpuint(calls(&b, 4, 2 * MS, true), <=, 3);
    g_assert_cmpuint(calls(&b, 1, 5 * US, false), ==, 0);
    bench_proven(&b);
    g_assert_cmpuint(calls(&b, 1, 6 * MS, false), ==, 1);
    g_assert_cmpuint(calls(&b, 1, 5 * US, false), ==, 0);
}

/*
 * One that took very long while others had the CPU, perhaps: it stays, but
 * those that follow are asked, and one of them that slept so long is enough.
 */
static void test_lost(void)
{
    Xen9pDispatchCall c;
    Bench b;

    bench_proven(&b);
    do {
        xen_9p_dispatch_begin(&b.d, TREAD, 4096, XEN_9P_CALL_LEARN, b.now, &c);
        if (c.ask) {
            xen_9p_dispatch_end(&b.d, &c, US, XEN_9P_SLEPT_NO, b.now);
        }
    } while (c.ask);
    g_assert_false(xen_9p_dispatch_end(&b.d, &c, 50 * MS, XEN_9P_SLEPT_MAYBE,
                                       b.now));
    g_assert_true(xen_9p_dispatch_begin(&b.d, TREAD, 4096, XEN_9P_CALL_LEARN,
                                        b.now, &c));
    g_assert_true(c.ask);
    g_assert_true(xen_9p_dispatch_end(&b.d, &c, 50 * MS, XEN_9P_SLEPT_YES,
                                      b.now));
}

/* One in ten sleeps for 20 ms: out soon, and not back but for few trials. */
static void test_mixed(void)
{
    unsigned stalls = 0;
    Bench b;

    bench_proven(&b);
    for (unsigned n = 0; n < 20000; n++) {
        bool slow = n % 10 == 9;

        stalls += call(&b, TREAD, 4096, slow ? 20 * MS : 5 * US, slow) && slow;
    }
    /* 40 s of sleep. The pauses were 0.1 s, 0.2 s, ... 10 s. */
    g_assert_cmpuint(stalls, >, 0);
    g_assert_cmpuint(stalls, <, 30);
}

/* Slow, then fast again: back in place when the pause is over. */
static void test_comes_back(void)
{
    Bench b;

    bench_proven(&b);
    calls(&b, 50, 2 * MS, true);
    b.now += XEN_9P_DISPATCH_PAUSE_MIN;
    g_assert_cmpuint(calls(&b, XEN_9P_DISPATCH_PROOF, 5 * US, false), ==, 0);
    g_assert_cmpuint(calls(&b, 100, 5 * US, false), ==, 100);
}

/* A pause that did not help doubles; one that did is forgiven. */
static void test_pauses(void)
{
    int64_t expected = XEN_9P_DISPATCH_PAUSE_MIN;
    Xen9pDispatchClass *class;
    Bench b;

    bench_proven(&b);
    class = &b.d.classes[TREAD / 2][0];
    g_assert_true(xen_9p_dispatch_here(&b.d, TREAD, 4096));
    g_assert_false(xen_9p_dispatch_here(&b.d, TREAD, 4097));
    for (unsigned n = 0; n < 12; n++) {
        while (class->here) {
            call(&b, TREAD, 4096, 2 * MS, true);
        }
        g_assert_cmpint(class->pause, ==, expected);
        g_assert_cmpint(class->until, ==, b.now + expected);
        /* Fast calls do not end it early. */
        calls(&b, 100, 5 * US, false);
        g_assert_false(class->here);
        b.now = class->until;
        g_assert_cmpuint(calls(&b, 1, 5 * US, false), ==, 1);
        expected = MIN(2 * expected, XEN_9P_DISPATCH_PAUSE_MAX);
    }
    b.now += 9 * XEN_9P_DISPATCH_PAUSE_MAX;
    while (class->here) {
        call(&b, TREAD, 4096, 2 * MS, true);
    }
    g_assert_cmpint(class->pause, ==, XEN_9P_DISPATCH_PAUSE_MIN);
}

/* Where the hops are slow, what is slow is measured by them. */
static void test_slow_hops(void)
{
    static const struct {
        int64_t hop;
        int64_t took;
        bool sleeps;
        bool here;
    } cases[] = {
        { 30 * US, 310 * US, false, false },
        { 1 * MS, 3900 * US, false, true },
        { 1 * MS, 3900 * US, true, false },
        { 1 * MS, 4100 * US, false, false },
        { 50 * MS, 4900 * US, false, true },
        { 50 * MS, 5100 * US, false, false },
    };
    Bench b;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        b = (Bench) { .now = 1, .hop = cases[i].hop };
        calls(&b, 1000, cases[i].took, cases[i].sleeps);
        g_assert_true(b.d.classes[TREAD / 2][0].here == cases[i].here);
    }

    /* Hops that waited for a CPU say nothing, if one of some did not. */
    b = (Bench) { .now = 1 };
    for (unsigned n = 0; n < 1000; n++) {
        b.hop = n % 8 == 0 ? 20 * US : 5 * MS;
        g_assert_false(call(&b, TREAD, 4096, 500 * US, false));
    }
}

/* What one type or size does is nothing to another. */
static void test_classes(void)
{
    static const uint32_t sizes[] = { 4096, 4097, 32768, 32769, 262144,
                                      262145, UINT32_MAX };
    static const unsigned class[] = { 0, 1, 1, 2, 2, 3, 3 };
    Xen9pDispatchCall c;
    Bench b;

    bench_proven(&b);
    g_assert_true(call(&b, TREAD, 0, 5 * US, false));
    g_assert_false(call(&b, TREAD, 4097, 5 * US, false));
    g_assert_false(call(&b, TGETATTR, 0, 5 * US, false));
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        xen_9p_dispatch_begin(&b.d, TREAD, sizes[i], XEN_9P_CALL_LEARN,
                              b.now, &c);
        g_assert_true(c.class == &b.d.classes[TREAD / 2][class[i]]);
        xen_9p_dispatch_end(&b.d, &c, US, XEN_9P_SLEPT_NO, b.now);
    }
    /* No type that a guest can send is out of bounds. */
    for (unsigned type = 0; type < 256; type++) {
        xen_9p_dispatch_begin(&b.d, type, 0, XEN_9P_CALL_LEARN, b.now, &c);
        g_assert_true(c.class == &b.d.classes[type % 128 / 2][0]);
        xen_9p_dispatch_end(&b.d, &c, US, XEN_9P_SLEPT_NO, b.now);
    }
    g_assert_cmpuint(b.d.in_workers, ==, 0);
}

/* What can block by its nature goes to a worker, and counts for nothing. */
static void test_may_block(void)
{
    Xen9pDispatchCall c;
    Bench b;

    bench_proven(&b);
    for (unsigned n = 0; n < 100; n++) {
        g_assert_false(xen_9p_dispatch_begin(&b.d, TREAD, 0,
                                             XEN_9P_CALL_MAY_BLOCK, b.now,
                                             &c));
        xen_9p_dispatch_end(&b.d, &c, 500 * MS, XEN_9P_SLEPT_UNKNOWN, b.now);
    }
    g_assert_cmpuint(calls(&b, 100, 5 * US, false), ==, 100);
}

/* What must not yield runs in place, whatever the mode; and is learnt from. */
static void test_pinned(void)
{
    for (unsigned mode = 0; mode < 3; mode++) {
        Bench b = { .d = { .mode = mode }, .now = 1 };
        Xen9pDispatchCall c;

        g_assert_true(xen_9p_dispatch_begin(&b.d, TREAD, 0,
                                            XEN_9P_CALL_PINNED, b.now, &c));
        xen_9p_dispatch_end(&b.d, &c, MS, XEN_9P_SLEPT_YES, b.now);
        g_assert_cmpuint(b.d.in_workers, ==, 0);
        g_assert_true(xen_9p_dispatch_here(&b.d, TREAD, 0) ==
                      (mode == XEN_9P_DISPATCH_INLINE));
    }
}

/*
 * Calls that run at once may wait for one another: sixteen that take long
 * together prove what one that takes as long does not.
 */
static void test_parallel(void)
{
    static const struct {
        unsigned parallel;
        int64_t took;
        bool proves;
    } cases[] = {
        { 1, 290 * US, true }, { 1, 310 * US, false },
        { 16, 4700 * US, true }, { 16, 4900 * US, false },
        { 64, 4900 * US, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Bench b = { .now = 1 };
        unsigned proof = MIN(cases[i].parallel, XEN_9P_DISPATCH_PROOF);
        Xen9pDispatchCall c[64];

        for (unsigned n = 0; n < cases[i].parallel; n++) {
            xen_9p_dispatch_begin(&b.d, TREAD, 0, XEN_9P_CALL_LEARN, b.now,
                                  &c[n]);
        }
        b.now += cases[i].took;
        for (unsigned n = 0; n < cases[i].parallel; n++) {
            xen_9p_dispatch_end(&b.d, &c[n], cases[i].took,
                                XEN_9P_SLEPT_UNKNOWN, b.now);
        }
        g_assert_cmpuint(b.d.in_workers, ==, 0);
        g_assert_cmpuint(b.d.classes[TREAD / 2][0].proof, ==,
                         proof * cases[i].proves);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dispatch/fixed", test_fixed);
    g_test_add_func("/dispatch/steady", test_steady);
    g_test_add_func("/dispatch/slow-from-the-start", test_slow_from_the_start);
    g_test_add_func("/dispatch/outliers", test_outliers);
    g_test_add_func("/dispatch/lost", test_lost);
    g_test_add_func("/dispatch/mixed", test_mixed);
    g_test_add_func("/dispatch/comes-back", test_comes_back);
    g_test_add_func("/dispatch/pauses", test_pauses);
    g_test_add_func("/dispatch/slow-hops", test_slow_hops);
    g_test_add_func("/dispatch/classes", test_classes);
    g_test_add_func("/dispatch/may-block", test_may_block);
    g_test_add_func("/dispatch/pinned", test_pinned);
    g_test_add_func("/dispatch/parallel", test_parallel);
    return g_test_run();
}
