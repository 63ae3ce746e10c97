/*
 * The order of Tflush across the rings of a connection
 *
 * Pure: no device, no Xen call. A Tflush must not get to the server before
 * the request that it is about, which the client may have sent on another
 * ring: the server would answer it at once, and the reply to that request
 * would come after its Rflush. Rings have no order among each other. So a
 * Tflush that comes while other rings hold something is taken out of its ring
 * and kept, without holding up what is behind it, until these have given all
 * that they held. Tflush are handed out in the order in which they came.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_FLUSH_H
#define HW_9PFS_XEN_9P_FLUSH_H

#include "qemu/bitmap.h"
#include "qemu/queue.h"

#define XEN_9P_FLUSH_RINGS  8

/*
 * So many may be kept. Beyond that they wait for nothing, and beyond twice as
 * many they stay in their rings.
 */
#define XEN_9P_FLUSH_MAX    1024

/* Part of a Tflush that is kept. */
typedef struct Xen9pFlush {
    QSIMPLEQ_ENTRY(Xen9pFlush) next;
    unsigned ring;              /* where it came from */
    uint16_t tag;               /* its own */
    uint16_t oldtag;            /* of the request that it is about */
    unsigned put_off;           /* times, for another that it may be about */
    int64_t since;              /* it is kept, by the caller's clock */
} Xen9pFlush;

/* A ring at one moment, by indices that run freely. */
typedef struct Xen9pFlushView {
    uint32_t taken;             /* up to where requests were taken */
    uint32_t sent;              /* up to where the frontend has produced */
    bool more;                  /* there is a request to take */
} Xen9pFlushView;

typedef QSIMPLEQ_HEAD(, Xen9pFlush) Xen9pFlushQueue;

typedef struct Xen9pFlushes {
    unsigned num;
    Xen9pFlushQueue batch;      /* wait for the rings to be taken up to ... */
    uint32_t upto[XEN_9P_FLUSH_RINGS]; /* ... here */
    Xen9pFlushQueue later;      /* came after that was noted */
    DECLARE_BITMAP(tags, 1 << 16); /* of all that are kept */
} Xen9pFlushes;

/**
 * xen_9p_flush_init: none is kept
 * @flushes: to fill in
 */
void xen_9p_flush_init(Xen9pFlushes *flushes);

/**
 * xen_9p_flush_free_to_go: whether a Tflush needs not be kept
 * @flushes: the connection's
 * @view: its rings
 * @num_rings: how many they are
 * @ring: where the Tflush is the next request
 */
bool xen_9p_flush_free_to_go(const Xen9pFlushes *flushes,
                             const Xen9pFlushView *view, unsigned num_rings,
                             unsigned ring);

/**
 * xen_9p_flush_keep: keep a Tflush that has been taken out of its ring
 * @flushes: the connection's
 * @flush: its ring, tag and oldtag; the caller's again after
 *         xen_9p_flush_remove()
 */
void xen_9p_flush_keep(Xen9pFlushes *flushes, Xen9pFlush *flush);

/**
 * xen_9p_flush_next: the Tflush that the server is to have next
 * @flushes: the connection's
 * @view: its rings
 * @num_rings: how many they are
 *
 * Returns: NULL if none is kept, or all have to wait.
 */
Xen9pFlush *xen_9p_flush_next(Xen9pFlushes *flushes,
                              const Xen9pFlushView *view, unsigned num_rings);

/**
 * xen_9p_flush_remove: do not keep a Tflush any more
 * @flushes: the connection's
 * @flush: what xen_9p_flush_next() or xen_9p_flush_any() has returned
 */
void xen_9p_flush_remove(Xen9pFlushes *flushes, Xen9pFlush *flush);

/**
 * xen_9p_flush_put_back: keep it after all, as the next one
 * @flushes: the connection's
 * @flush: what xen_9p_flush_remove() has just removed
 */
void xen_9p_flush_put_back(Xen9pFlushes *flushes, Xen9pFlush *flush);

/**
 * xen_9p_flush_any: a Tflush that is kept, whether it has to wait or not
 * @flushes: the connection's
 *
 * Returns: NULL if there is none.
 */
Xen9pFlush *xen_9p_flush_any(Xen9pFlushes *flushes);

#endif
