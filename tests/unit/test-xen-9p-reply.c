/*
 * Unit tests of hw/9pfs/xen-9p-reply.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-reply.h"

/* Every byte that was asked for is there, and the cost covers it. */
static void test_sizes(void)
{
    static const uint32_t sizes[] = {
        0, 1, 512, 1023, 1024, 1025, 4096, 4608, 5120, 5121, 65536 + 11,
        131072 + 11, 524288, 524288 + 11, XEN_9P_REPLY_MAX - 1,
        XEN_9P_REPLY_MAX,
    };
    Xen9pReplyPool pool;

    xen_9p_reply_pool_init(&pool, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Xen9pReply *reply = xen_9p_reply_new(&pool, sizes[i]);

        g_assert_cmpuint(reply->size, ==, sizes[i]);
        g_assert_cmpuint(reply->len, ==, 0);
        g_assert_cmpuint(xen_9p_reply_cost(sizes[i]), >, sizes[i]);
        memset(reply->data, 0xaa, sizes[i]);    /* ASan looks on */
        xen_9p_reply_free(&pool, reply);
    }
    g_assert_cmpuint(pool.idle_bytes, ==, 0);
    xen_9p_reply_pool_fini(&pool);
}

/* What was given back is used again, the latest first. */
static void test_reuse(void)
{
    Xen9pReplyPool pool;
    Xen9pReply *a, *b;

    xen_9p_reply_pool_init(&pool, 1 << 20);
    a = xen_9p_reply_new(&pool, 65536 + 11);
    b = xen_9p_reply_new(&pool, 65536 + 11);
    g_assert_true(a != b);
    xen_9p_reply_free(&pool, a);
    xen_9p_reply_free(&pool, b);
    g_assert_cmpuint(pool.idle_bytes, ==, 2 * xen_9p_reply_cost(65536 + 11));
    g_assert_true(xen_9p_reply_new(&pool, 65536) == b);
    g_assert_true(xen_9p_reply_new(&pool, 65536) == a);
    g_assert_cmpuint(pool.idle_bytes, ==, 0);
    xen_9p_reply_free(&pool, a);
    xen_9p_reply_free(&pool, b);
    xen_9p_reply_pool_fini(&pool);
    xen_9p_reply_pool_fini(&pool);
    g_assert_cmpuint(pool.idle_bytes, ==, 0);
}

/* No more is kept than allowed, in whatever sizes. */
static void test_idle_limit(void)
{
    const size_t limit = 100000;
    Xen9pReply *replies[64];
    Xen9pReplyPool pool;

    xen_9p_reply_pool_init(&pool, limit);
    for (unsigned i = 0; i < G_N_ELEMENTS(replies); i++) {
        replies[i] = xen_9p_reply_new(&pool, i * 1000);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(replies); i++) {
        xen_9p_reply_free(&pool, replies[i]);
        g_assert_cmpuint(pool.idle_bytes, <=, limit);
    }
    g_assert_cmpuint(pool.idle_bytes, >, 0);
    xen_9p_reply_pool_fini(&pool);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-9p-reply/sizes", test_sizes);
    g_test_add_func("/xen-9p-reply/reuse", test_reuse);
    g_test_add_func("/xen-9p-reply/idle-limit", test_idle_limit);
    return g_test_run();
}
