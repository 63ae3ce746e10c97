/*
 * Unit tests of hw/9pfs/xen-9p-grant-cache.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-grant-cache.h"

#define CAP 4

static uint8_t pages[64];

/* As its user does: get it, or make room and add it. */
static Xen9pCachedGrant *use(Xen9pGrantCache *cache, uint32_t ref,
                             int64_t before)
{
    Xen9pCachedGrant *grant = xen_9p_grant_cache_get(cache, ref);

    if (grant) {
        return grant;
    }
    if (xen_9p_grant_cache_full(cache)) {
        grant = xen_9p_grant_cache_take(cache, before);
        if (!grant) {
            return NULL;
        }
        g_free(grant);
    }
    return xen_9p_grant_cache_add(cache, ref, &pages[ref % sizeof(pages)]);
}

static bool has(Xen9pGrantCache *cache, uint32_t ref, int64_t now)
{
    Xen9pCachedGrant *grant = xen_9p_grant_cache_get(cache, ref);

    if (grant) {
        xen_9p_grant_cache_put(cache, grant, now);
    }
    return grant;
}

static unsigned empty(Xen9pGrantCache *cache)
{
    Xen9pCachedGrant *grant;
    unsigned num = 0;

    while ((grant = xen_9p_grant_cache_take(cache, INT64_MAX))) {
        g_free(grant);
        num++;
    }
    return num;
}

static void test_again(void)
{
    Xen9pGrantCache cache;
    Xen9pCachedGrant *grant;

    xen_9p_grant_cache_init(&cache, CAP);
    g_assert_null(xen_9p_grant_cache_get(&cache, 0));
    grant = xen_9p_grant_cache_add(&cache, 0, &pages[0]);
    g_assert_cmpuint(grant->ref, ==, 0);
    xen_9p_grant_cache_put(&cache, grant, 1);
    g_assert_true(xen_9p_grant_cache_get(&cache, 0) == grant);
    g_assert_true(grant->page == &pages[0]);
    xen_9p_grant_cache_put(&cache, grant, 2);
    g_assert_cmpuint(xen_9p_grant_cache_size(&cache), ==, 1);
    g_assert_cmpuint(empty(&cache), ==, 1);
    g_assert_cmpuint(xen_9p_grant_cache_size(&cache), ==, 0);
    xen_9p_grant_cache_fini(&cache);
    xen_9p_grant_cache_fini(&cache);
}

/* References run over all 32 bits. */
static void test_refs(void)
{
    static const uint32_t refs[] = { 0, 1, INT32_MAX, UINT32_MAX };
    Xen9pGrantCache cache;

    xen_9p_grant_cache_init(&cache, CAP);
    for (unsigned i = 0; i < G_N_ELEMENTS(refs); i++) {
        xen_9p_grant_cache_put(&cache, use(&cache, refs[i], 0), i);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(refs); i++) {
        g_assert_true(has(&cache, refs[i], 9));
    }
    g_assert_cmpuint(empty(&cache), ==, G_N_ELEMENTS(refs));
    xen_9p_grant_cache_fini(&cache);
}

/* The one that was used last stays longest. */
static void test_order(void)
{
    Xen9pGrantCache cache;
    int64_t now = 0;

    xen_9p_grant_cache_init(&cache, CAP);
    for (uint32_t ref = 0; ref < CAP; ref++) {
        xen_9p_grant_cache_put(&cache, use(&cache, ref, 0), now++);
    }
    g_assert_true(has(&cache, 0, now++));
    xen_9p_grant_cache_put(&cache, use(&cache, 10, INT64_MAX), now++);
    g_assert_false(has(&cache, 1, now++));
    g_assert_true(has(&cache, 0, now++));
    g_assert_true(has(&cache, 2, now++));
    g_assert_true(has(&cache, 3, now++));
    g_assert_true(has(&cache, 10, now++));
    g_assert_cmpuint(empty(&cache), ==, CAP);
    xen_9p_grant_cache_fini(&cache);
}

/* What is in use is never taken out, however old. */
static void test_in_use(void)
{
    Xen9pGrantCache cache;
    Xen9pCachedGrant *grant[CAP], *again;

    xen_9p_grant_cache_init(&cache, CAP);
    for (uint32_t ref = 0; ref < CAP; ref++) {
        grant[ref] = use(&cache, ref, 0);
    }
    g_assert_true(xen_9p_grant_cache_full(&cache));
    g_assert_null(use(&cache, 10, INT64_MAX));
    again = xen_9p_grant_cache_get(&cache, 2);
    g_assert_true(again == grant[2]);
    xen_9p_grant_cache_put(&cache, grant[2], 1);
    g_assert_null(xen_9p_grant_cache_take(&cache, INT64_MAX));
    xen_9p_grant_cache_put(&cache, again, 2);
    g_assert_nonnull(use(&cache, 10, INT64_MAX));
    g_assert_false(has(&cache, 2, 3));
    xen_9p_grant_cache_put(&cache, xen_9p_grant_cache_get(&cache, 10), 3);
    for (uint32_t ref = 0; ref < CAP; ref++) {
        if (ref != 2) {
            xen_9p_grant_cache_put(&cache, grant[ref], 4);
        }
    }
    /* 10 still has the user that added it. */
    g_assert_cmpuint(empty(&cache), ==, CAP - 1);
    xen_9p_grant_cache_put(&cache, xen_9p_grant_cache_get(&cache, 10), 5);
    again = xen_9p_grant_cache_get(&cache, 10);
    xen_9p_grant_cache_put(&cache, again, 5);
    xen_9p_grant_cache_put(&cache, again, 5);
    g_assert_cmpuint(empty(&cache), ==, 1);
    xen_9p_grant_cache_fini(&cache);
}

/* Those that were used a short time ago stay, for both kinds of dropping. */
static void test_age(void)
{
    Xen9pGrantCache cache;

    xen_9p_grant_cache_init(&cache, CAP);
    for (uint32_t ref = 0; ref < CAP; ref++) {
        xen_9p_grant_cache_put(&cache, use(&cache, ref, 0), 100 + ref);
    }
    g_assert_null(xen_9p_grant_cache_take(&cache, 100));
    g_assert_null(use(&cache, 10, 100));
    for (uint32_t ref = 0; ref < 2; ref++) {
        Xen9pCachedGrant *grant = xen_9p_grant_cache_take(&cache, 102);

        g_assert_cmpuint(grant->ref, ==, ref);
        g_free(grant);
    }
    g_assert_null(xen_9p_grant_cache_take(&cache, 102));
    g_assert_cmpuint(empty(&cache), ==, 2);
    xen_9p_grant_cache_fini(&cache);
}

/* Any order of use, against a plain model of it. */
static void test_random(void)
{
    enum { REFS = 12, STEPS = 200000 };
    Xen9pCachedGrant *held[REFS] = { NULL };
    Xen9pGrantCache cache;
    unsigned num_held = 0;

    xen_9p_grant_cache_init(&cache, CAP);
    for (int step = 0; step < STEPS; step++) {
        uint32_t ref = g_test_rand_int_range(0, REFS);

        if (held[ref]) {
            xen_9p_grant_cache_put(&cache, held[ref], step);
            held[ref] = NULL;
            num_held--;
        } else {
            held[ref] = use(&cache, ref, INT64_MAX);
            g_assert_true(!held[ref] == (num_held == CAP));
            num_held += held[ref] != NULL;
        }
        g_assert_cmpuint(xen_9p_grant_cache_size(&cache), <=, CAP);
        g_assert_cmpuint(g_queue_get_length(&cache.unused) + num_held, ==,
                         xen_9p_grant_cache_size(&cache));
    }
    for (uint32_t ref = 0; ref < REFS; ref++) {
        if (held[ref]) {
            g_assert_cmpuint(held[ref]->ref, ==, ref);
            xen_9p_grant_cache_put(&cache, held[ref], STEPS);
        }
    }
    empty(&cache);
    g_assert_cmpuint(xen_9p_grant_cache_size(&cache), ==, 0);
    xen_9p_grant_cache_fini(&cache);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grant-cache/again", test_again);
    g_test_add_func("/grant-cache/refs", test_refs);
    g_test_add_func("/grant-cache/order", test_order);
    g_test_add_func("/grant-cache/in-use", test_in_use);
    g_test_add_func("/grant-cache/age", test_age);
    g_test_add_func("/grant-cache/random", test_random);
    return g_test_run();
}
