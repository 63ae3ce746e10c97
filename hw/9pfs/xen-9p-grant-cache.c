/*
 * Cache of mapped grants of the Xen virtfs transport: the bookkeeping
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-grant-cache.h"

void xen_9p_grant_cache_init(Xen9pGrantCache *cache, unsigned cap)
{
    cache->by_ref = g_hash_table_new(NULL, NULL);
    g_queue_init(&cache->unused);
    cache->cap = cap;
}

void xen_9p_grant_cache_fini(Xen9pGrantCache *cache)
{
    g_clear_pointer(&cache->by_ref, g_hash_table_unref);
}

unsigned xen_9p_grant_cache_size(const Xen9pGrantCache *cache)
{
    return g_hash_table_size(cache->by_ref);
}

bool xen_9p_grant_cache_full(const Xen9pGrantCache *cache)
{
    return xen_9p_grant_cache_size(cache) >= cache->cap;
}

Xen9pCachedGrant *xen_9p_grant_cache_get(Xen9pGrantCache *cache, uint32_t ref)
{
    Xen9pCachedGrant *grant = g_hash_table_lookup(cache->by_ref,
                                                  GUINT_TO_POINTER(ref));

    if (grant && grant->users++ == 0) {
        g_queue_unlink(&cache->unused, &grant->link);
    }
    return grant;
}

Xen9pCachedGrant *xen_9p_grant_cache_add(Xen9pGrantCache *cache, uint32_t ref,
                                         void *page)
{
    Xen9pCachedGrant *grant = g_new(Xen9pCachedGrant, 1);

    *grant = (Xen9pCachedGrant) {
        .link.data = grant,
        .ref = ref,
        .page = page,
        .users = 1,
    };
    g_hash_table_insert(cache->by_ref, GUINT_TO_POINTER(ref), grant);
    return grant;
}

void xen_9p_grant_cache_put(Xen9pGrantCache *cache, Xen9pCachedGrant *grant,
                            int64_t now)
{
    if (--grant->users == 0) {
        grant->used = now;
        g_queue_push_tail_link(&cache->unused, &grant->link);
    }
}

Xen9pCachedGrant *xen_9p_grant_cache_take(Xen9pGrantCache *cache,
                                          int64_t before)
{
    Xen9pCachedGrant *grant = g_queue_peek_head(&cache->unused);

    if (!grant || grant->used >= before) {
        return NULL;
    }
    g_queue_pop_head_link(&cache->unused);
    g_hash_table_remove(cache->by_ref, GUINT_TO_POINTER(grant->ref));
    return grant;
}
