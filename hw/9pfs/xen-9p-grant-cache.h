/*
 * Cache of mapped grants of the Xen virtfs transport: the bookkeeping
 *
 * Pure: no device, no Xen call. It knows which persistent grants are mapped
 * and where, which of them are in use, and which one goes next. Mapping and
 * unmapping is its user's business.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_GRANT_CACHE_H
#define HW_9PFS_XEN_9P_GRANT_CACHE_H

/* A page that is mapped. Owned by the cache, or by who took it out. */
typedef struct Xen9pCachedGrant {
    GList link;                 /* in the cache's list while not in use */
    uint32_t ref;
    void *page;
    unsigned users;
    int64_t used;               /* when it was given back last */
} Xen9pCachedGrant;

typedef struct Xen9pGrantCache {
    GHashTable *by_ref;
    GQueue unused;              /* the one that was used last is at the tail */
    unsigned cap;               /* how many there may be */
} Xen9pGrantCache;

/**
 * xen_9p_grant_cache_init: start with nothing
 * @cache: to fill in
 * @cap: how many grants it may hold
 */
void xen_9p_grant_cache_init(Xen9pGrantCache *cache, unsigned cap);

/**
 * xen_9p_grant_cache_fini: free the bookkeeping; may be called twice
 * @cache: a cache that all grants have been taken out of
 */
void xen_9p_grant_cache_fini(Xen9pGrantCache *cache);

/**
 * xen_9p_grant_cache_get: begin to use a grant that is there
 * @cache: the cache
 * @ref: the grant
 *
 * Returns: the grant, to be given back with xen_9p_grant_cache_put(); or NULL.
 */
Xen9pCachedGrant *xen_9p_grant_cache_get(Xen9pGrantCache *cache, uint32_t ref);

/**
 * xen_9p_grant_cache_full: whether one must be taken out before one is added
 * @cache: the cache
 */
bool xen_9p_grant_cache_full(const Xen9pGrantCache *cache);

/**
 * xen_9p_grant_cache_add: put in a grant that is not there, and use it
 * @cache: a cache that is not full
 * @ref: the grant
 * @page: where it is mapped
 *
 * Returns: the grant, as xen_9p_grant_cache_get().
 */
Xen9pCachedGrant *xen_9p_grant_cache_add(Xen9pGrantCache *cache, uint32_t ref,
                                         void *page);

/**
 * xen_9p_grant_cache_put: end the use of a grant
 * @cache: the cache
 * @grant: what xen_9p_grant_cache_get() or _add() returned
 * @now: the time, in any unit
 */
void xen_9p_grant_cache_put(Xen9pGrantCache *cache, Xen9pCachedGrant *grant,
                            int64_t now);

/**
 * xen_9p_grant_cache_take: take out the grant that was not used for longest
 * @cache: the cache
 * @before: only if that was before this time
 *
 * It cannot be found any more when this returns, so that nobody uses it while
 * it is unmapped.
 *
 * Returns: the grant, to be freed with g_free(), or NULL: none was unused for
 * so long.
 */
Xen9pCachedGrant *xen_9p_grant_cache_take(Xen9pGrantCache *cache,
                                          int64_t before);

/**
 * xen_9p_grant_cache_size: how many grants are in it
 * @cache: the cache
 */
unsigned xen_9p_grant_cache_size(const Xen9pGrantCache *cache);

#endif
