/*
 * Which requests of a 9P session the server may have at the same time
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-order.h"

/* All requests may be about one fid. */
QEMU_BUILD_BUG_ON(XEN_9P_ORDER_REQUESTS * XEN_9P_ORDER_FIDS > UINT16_MAX);

#define BIT_OF(use) (1U << XEN_9P_USE_##use)

/* What must not be in flight when a request begins, by its own use. */
static const unsigned excludes[XEN_9P_USES] = {
    [XEN_9P_USE_SHARED] = BIT_OF(ALONE),
    [XEN_9P_USE_LISTED] = BIT_OF(ALONE) | BIT_OF(LISTED),
    [XEN_9P_USE_HELD] = BIT_OF(ALONE),
    [XEN_9P_USE_ALONE] = BIT_OF(SHARED) | BIT_OF(LISTED) | BIT_OF(HELD) |
                         BIT_OF(ALONE),
    [XEN_9P_USE_CLUNKED] = BIT_OF(HELD) | BIT_OF(ALONE),
};

void xen_9p_order_init(Xen9pOrder *order)
{
    memset(order, 0, sizeof(*order));
    order->waiting = -1;
    for (size_t i = 0; i < ARRAY_SIZE(order->fids); i++) {
        QLIST_INSERT_HEAD(&order->unused, &order->fids[i], next);
    }
}

static unsigned bucket_of(uint32_t fid)
{
    return fid % XEN_9P_ORDER_BUCKETS;
}

static Xen9pOrderFid *find(Xen9pOrder *order, uint32_t fid)
{
    Xen9pOrderFid *f;

    QLIST_FOREACH(f, &order->by_fid[bucket_of(fid)], next) {
        if (f->fid == fid) {
            return f;
        }
    }
    return NULL;
}

static bool fid_is_free(Xen9pOrder *order, uint32_t fid, Xen9pUse use)
{
    const Xen9pOrderFid *f = find(order, fid);

    return !f || !(f->uses & excludes[use]);
}

static bool fids_are_free(Xen9pOrder *order, const Xen9pOrderKey *key)
{
    for (unsigned i = 0; i < key->num; i++) {
        if (!fid_is_free(order, key->fids[i].fid, key->fids[i].use) ||
            (key->fids[i].use == XEN_9P_USE_LISTED &&
             order->listings >= XEN_9P_ORDER_LISTINGS)) {
            return false;
        }
    }
    return true;
}

bool xen_9p_order_may(Xen9pOrder *order, unsigned ring,
                      const Xen9pOrderKey *key, bool behind, bool owing)
{
    if (order->alone ||
        (order->waiting >= 0 && order->waiting != (int)ring)) {
        return false;
    }
    if (!key->session) {
        /* It may have been one that is gone, without having been served. */
        order->waiting = -1;
        return fids_are_free(order, key);
    }
    if (behind) {
        /* Which may need other rings to go on. */
        order->waiting = -1;
        return false;
    }
    order->waiting = order->in_flight || owing ? (int)ring : -1;
    return order->waiting < 0;
}

/* Returns: where it is counted. */
static Xen9pOrderFid *use_begin(Xen9pOrder *order, uint32_t fid, Xen9pUse use)
{
    Xen9pOrderFid *f = find(order, fid);

    if (!f) {
        f = QLIST_FIRST(&order->unused);
        QLIST_REMOVE(f, next);
        f->fid = fid;
        QLIST_INSERT_HEAD(&order->by_fid[bucket_of(fid)], f, next);
    }
    f->users_by[use]++;
    f->uses |= 1U << use;
    order->listings += use == XEN_9P_USE_LISTED;
    return f;
}

static void use_end(Xen9pOrder *order, Xen9pOrderFid *f, Xen9pUse use)
{
    order->listings -= use == XEN_9P_USE_LISTED;
    if (--f->users_by[use] == 0) {
        f->uses &= ~(1U << use);
    }
    if (f->uses == 0) {
        QLIST_REMOVE(f, next);
        QLIST_INSERT_HEAD(&order->unused, f, next);
    }
}

void xen_9p_order_begin(Xen9pOrder *order, Xen9pOrderKey *key)
{
    order->in_flight++;
    order->alone = key->session;
    for (unsigned i = 0; i < key->num; i++) {
        key->fids[i].in_use = use_begin(order, key->fids[i].fid,
                                        key->fids[i].use);
    }
}

void xen_9p_order_end(Xen9pOrder *order, const Xen9pOrderKey *key)
{
    order->in_flight--;
    if (key->session) {
        order->alone = false;
    }
    for (unsigned i = 0; i < key->num; i++) {
        use_end(order, key->fids[i].in_use, key->fids[i].use);
    }
}
