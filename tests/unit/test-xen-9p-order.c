/*
 * Unit tests of hw/9pfs/xen-9p-order.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-order.h"

static Xen9pOrderKey key_of(uint32_t fid, Xen9pUse use)
{
    return (Xen9pOrderKey) { .num = 1, .fids = { { fid, use } } };
}

static Xen9pOrderKey session_key = { .session = true };

/* Whether a request may begin beside one in flight, on the same fid. */
static void test_uses(void)
{
    enum { S, L, H, A, C };
    static const bool may[XEN_9P_USES][XEN_9P_USES] = {
        /* in flight:  S L H A C */
        [S] = { true, true, true, false, true },
        [L] = { true, false, true, false, true },
        [H] = { true, true, true, false, true },
        [A] = { false, false, false, false, true },
        [C] = { true, true, false, false, true },
    };
    Xen9pOrder order;

    for (unsigned in_flight = 0; in_flight < XEN_9P_USES; in_flight++) {
        for (unsigned next = 0; next < XEN_9P_USES; next++) {
            Xen9pOrderKey first = key_of(5, in_flight);
            Xen9pOrderKey same = key_of(5, next);
            Xen9pOrderKey other = key_of(5 + XEN_9P_ORDER_BUCKETS, next);

            xen_9p_order_init(&order);
            g_assert_true(xen_9p_order_may(&order, 0, &first, false, false));
            xen_9p_order_begin(&order, &first);
            g_assert_true(xen_9p_order_may(&order, 1, &same, false, false) ==
                          may[next][in_flight]);
            g_assert_true(xen_9p_order_may(&order, 1, &other, false, false));
            xen_9p_order_end(&order, &first);
            g_assert_true(xen_9p_order_may(&order, 1, &same, false, false));
        }
    }
}

/* As many as there can be, each twice on one fid, as Trename can be. */
static void test_most(void)
{
    Xen9pOrderKey keys[XEN_9P_ORDER_REQUESTS];
    Xen9pOrderKey alone = key_of(1, XEN_9P_USE_ALONE);
    Xen9pOrder order;

    xen_9p_order_init(&order);
    for (unsigned i = 0; i < XEN_9P_ORDER_REQUESTS; i++) {
        keys[i] = key_of(1, XEN_9P_USE_HELD);
        keys[i].fids[keys[i].num++] = keys[i].fids[0];
        g_assert_true(xen_9p_order_may(&order, 0, &keys[i], false, false));
        xen_9p_order_begin(&order, &keys[i]);
        g_assert_false(xen_9p_order_may(&order, 0, &alone, false, false));
    }
    for (unsigned i = 0; i < XEN_9P_ORDER_REQUESTS; i++) {
        g_assert_false(xen_9p_order_may(&order, 0, &alone, false, false));
        xen_9p_order_end(&order, &keys[i]);
    }
    g_assert_true(xen_9p_order_may(&order, 0, &alone, false, false));
}

static void test_session(void)
{
    Xen9pOrderKey shared = key_of(1, XEN_9P_USE_SHARED);
    Xen9pOrder order;

    xen_9p_order_init(&order);
    xen_9p_order_begin(&order, &shared);
    /* It waits, and no other ring takes anything. */
    g_assert_false(xen_9p_order_may(&order, 0, &session_key, false, false));
    g_assert_false(xen_9p_order_may(&order, 1, &shared, false, false));
    g_assert_false(xen_9p_order_may(&order, 1, &session_key, false, false));
    xen_9p_order_end(&order, &shared);
    g_assert_false(xen_9p_order_may(&order, 1, &shared, false, false));
    g_assert_false(xen_9p_order_may(&order, 0, &session_key, false, true));
    g_assert_true(xen_9p_order_may(&order, 0, &session_key, false, false));
    xen_9p_order_begin(&order, &session_key);
    g_assert_false(xen_9p_order_may(&order, 0, &shared, false, false));
    g_assert_false(xen_9p_order_may(&order, 1, &session_key, false, false));
    xen_9p_order_end(&order, &session_key);
    g_assert_true(xen_9p_order_may(&order, 1, &shared, false, false));
}

/* What is kept back comes first, and may need the other rings. */
static void test_behind(void)
{
    Xen9pOrderKey shared = key_of(1, XEN_9P_USE_SHARED);
    Xen9pOrder order;

    xen_9p_order_init(&order);
    g_assert_false(xen_9p_order_may(&order, 0, &session_key, true, false));
    g_assert_true(xen_9p_order_may(&order, 1, &shared, true, false));
    xen_9p_order_begin(&order, &shared);
    /* One that waits, and then has something to come before it again. */
    g_assert_false(xen_9p_order_may(&order, 0, &session_key, false, false));
    g_assert_false(xen_9p_order_may(&order, 0, &session_key, true, false));
    g_assert_true(xen_9p_order_may(&order, 1, &shared, false, false));
    /* One that waits, and then is gone without having been served. */
    g_assert_false(xen_9p_order_may(&order, 0, &session_key, false, false));
    g_assert_true(xen_9p_order_may(&order, 0, &shared, false, false));
    g_assert_true(xen_9p_order_may(&order, 1, &shared, false, false));
    xen_9p_order_end(&order, &shared);
}

static void test_listings(void)
{
    Xen9pOrderKey keys[XEN_9P_ORDER_LISTINGS + 1];
    Xen9pOrder order;

    xen_9p_order_init(&order);
    for (unsigned i = 0; i <= XEN_9P_ORDER_LISTINGS; i++) {
        keys[i] = key_of(i, XEN_9P_USE_LISTED);
        g_assert_cmpint(xen_9p_order_may(&order, 0, &keys[i], false, false), ==,
                        i < XEN_9P_ORDER_LISTINGS);
        if (i < XEN_9P_ORDER_LISTINGS) {
            xen_9p_order_begin(&order, &keys[i]);
        }
    }
    xen_9p_order_end(&order, &keys[0]);
    g_assert_true(xen_9p_order_may(&order, 0,
                                   &keys[XEN_9P_ORDER_LISTINGS], false, false));
}

/* As many as there can be, each with two fids of its own. */
static void test_full(void)
{
    Xen9pOrderKey keys[XEN_9P_ORDER_REQUESTS];
    Xen9pOrder order;

    xen_9p_order_init(&order);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < XEN_9P_ORDER_REQUESTS; i++) {
            keys[i] = (Xen9pOrderKey) {
                .num = 2, .fids = { { 2 * i, XEN_9P_USE_ALONE },
                                    { 2 * i + 1, XEN_9P_USE_SHARED } },
            };
            g_assert_true(xen_9p_order_may(&order, 0, &keys[i], false, false));
            xen_9p_order_begin(&order, &keys[i]);
        }
        for (unsigned i = 0; i < XEN_9P_ORDER_REQUESTS; i++) {
            Xen9pOrderKey again = key_of(2 * i, XEN_9P_USE_SHARED);

            g_assert_false(xen_9p_order_may(&order, 0, &again, false, false));
            xen_9p_order_end(&order, &keys[i]);
            g_assert_true(xen_9p_order_may(&order, 0, &again, false, false));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/order/uses", test_uses);
    g_test_add_func("/order/most", test_most);
    g_test_add_func("/order/session", test_session);
    g_test_add_func("/order/behind", test_behind);
    g_test_add_func("/order/listings", test_listings);
    g_test_add_func("/order/full", test_full);
    return g_test_run();
}
