/*
 * Unit tests of hw/9pfs/xen-9p-iounit.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-iounit.h"

#define KIB 1024U
/* size[4] type[1] tag[2] fid[4] offset[8] count[4] */
#define HEAD 23

static const uint32_t rings[] = { 64 * KIB, 128 * KIB, 512 * KIB, 1024 * KIB };
static const uint32_t parts[] = { 1, 2, 3, 8, 100 };

/* The writes of 64 files at once are in a ring, with room for more. */
static void test_fits(void)
{
    for (unsigned r = 0; r < G_N_ELEMENTS(rings); r++) {
        for (unsigned p = 0; p < G_N_ELEMENTS(parts); p++) {
            Xen9pIounit u = { .ring = rings[r] };
            uint32_t most = rings[r] / parts[p] - HEAD, sum = 0, last = most;

            for (unsigned i = 0; i < 64; i++) {
                uint32_t iounit = xen_9p_iounit_take(&u, most);

                g_assert_cmpuint(iounit, >=, MIN(512, most));
                g_assert_cmpuint(iounit, <=, last);
                last = iounit;
                sum += iounit + HEAD;
            }
            g_assert_cmpuint(sum, <=, rings[r] - rings[r] / 32);
        }
    }
}

/* What a stock Linux has: two rings of 1 MiB, msize of 512 KiB. */
static void test_linux(void)
{
    Xen9pIounit u = { .ring = 1024 * KIB };
    static const uint32_t expected[] = { 256, 128, 32, 32, 16, 8, 8, 8 };
    uint32_t got[G_N_ELEMENTS(expected)];

    for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++) {
        got[i] = xen_9p_iounit_take(&u, 508 * KIB);
        g_assert_cmpuint(got[i], ==, expected[i] * KIB);
    }
    for (unsigned i = 0; i < 100; i++) {
        g_assert_cmpuint(xen_9p_iounit_take(&u, 508 * KIB), ==, 8 * KIB);
    }
    /* What is given back can be had again. */
    xen_9p_iounit_give(&u, got[0]);
    g_assert_cmpuint(xen_9p_iounit_take(&u, 508 * KIB), >=, 128 * KIB);
}

static void test_given_back(void)
{
    Xen9pIounit u = { .ring = 1024 * KIB };
    uint32_t got[200];

    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(got); i++) {
            got[i] = xen_9p_iounit_take(&u, 130000);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(got); i++) {
            xen_9p_iounit_give(&u, got[(i * 7) % G_N_ELEMENTS(got)]);
        }
        g_assert_cmpuint(u.taken, ==, 0);
    }
}

static void test_no_bound(void)
{
    Xen9pIounit u = { 0 };

    for (unsigned i = 0; i < 1000; i++) {
        g_assert_cmpuint(xen_9p_iounit_take(&u, 4000000), ==, 4000000);
    }
    xen_9p_iounit_give(&u, 4000000);
    g_assert_cmpuint(u.taken, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iounit/fits", test_fits);
    g_test_add_func("/iounit/linux", test_linux);
    g_test_add_func("/iounit/given-back", test_given_back);
    g_test_add_func("/iounit/no-bound", test_no_bound);
    return g_test_run();
}
