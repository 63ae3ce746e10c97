/*
 * Which requests of a 9P session the server may have at the same time
 *
 * Pure: no device, no Xen call. The server's coroutines change a fid in
 * several steps, between which others run. So a request that makes a fid, or
 * changes what it is, has it alone; and Tversion, which ends all fids, has the
 * whole session alone. Whatever would have to wait stays in its ring.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_ORDER_H
#define HW_9PFS_XEN_9P_ORDER_H

#include "qemu/queue.h"

/* Requests at the same time, and the fids that one of them is about. */
#define XEN_9P_ORDER_REQUESTS   128
#define XEN_9P_ORDER_FIDS       2
#define XEN_9P_ORDER_BUCKETS    64

/*
 * Listings of directories at the same time. The server collects the entries
 * of each before it writes the reply, nine times the reply's size.
 */
#define XEN_9P_ORDER_LISTINGS   16

/* What a request does with a fid. */
typedef enum Xen9pUse {
    XEN_9P_USE_SHARED,
    XEN_9P_USE_LISTED,          /* reads a directory: one at a time */
    XEN_9P_USE_HELD,            /* it is not to be clunked meanwhile */
    XEN_9P_USE_ALONE,
    XEN_9P_USE_CLUNKED,         /* by its number it is gone at once */
    XEN_9P_USES
} Xen9pUse;

/* A fid that requests in flight are about. */
typedef struct Xen9pOrderFid {
    QLIST_ENTRY(Xen9pOrderFid) next;
    uint32_t fid;
    uint8_t uses;               /* those there are users of, as bits */
    uint16_t users_by[XEN_9P_USES];
} Xen9pOrderFid;

/* A request, as far as its order is concerned. */
typedef struct Xen9pOrderKey {
    bool session;               /* needs the session alone: Tversion */
    unsigned num;
    struct {
        uint32_t fid;
        Xen9pUse use;
        Xen9pOrderFid *in_use;  /* from begin to end */
    } fids[XEN_9P_ORDER_FIDS];
} Xen9pOrderKey;

typedef struct Xen9pOrder {
    unsigned in_flight;
    unsigned listings;
    bool alone;                 /* a request has the session alone */
    int waiting;                /* the ring whose next one wants it; -1 */
    QLIST_HEAD(, Xen9pOrderFid) by_fid[XEN_9P_ORDER_BUCKETS];
    QLIST_HEAD(, Xen9pOrderFid) unused;
    Xen9pOrderFid fids[XEN_9P_ORDER_REQUESTS * XEN_9P_ORDER_FIDS];
} Xen9pOrder;

/**
 * xen_9p_order_init: no request is in flight
 * @order: to fill in
 */
void xen_9p_order_init(Xen9pOrder *order);

/**
 * xen_9p_order_may: whether the server may have a request now
 * @order: the session's
 * @ring: where the request is the next one
 * @key: what it is about
 * @behind: whether requests that came before it have not been taken yet
 * @owing: whether replies wait that the frontend is to have before its own
 *
 * The last two are for a request that needs the session alone. When all that
 * came before it has been taken it keeps other rings from taking any more, so
 * that its time comes.
 *
 * Returns: false if it has to wait until others have ended.
 */
bool xen_9p_order_may(Xen9pOrder *order, unsigned ring,
                      const Xen9pOrderKey *key, bool behind, bool owing);

/**
 * xen_9p_order_begin: the server gets a request
 * @order: the session's
 * @key: for which xen_9p_order_may() was true, and that is kept until
 *       xen_9p_order_end()
 *
 * No more than XEN_9P_ORDER_REQUESTS at the same time.
 */
void xen_9p_order_begin(Xen9pOrder *order, Xen9pOrderKey *key);

/**
 * xen_9p_order_end: a request has ended
 * @order: the session's
 * @key: as for xen_9p_order_begin()
 */
void xen_9p_order_end(Xen9pOrder *order, const Xen9pOrderKey *key);

#endif
