/*
 * Replies of the Xen 9P transports, from private memory that is used again
 *
 * Pure: no device, no Xen call. A large reply that malloc() takes from the
 * kernel each time costs more in page faults than in copying.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_REPLY_H
#define HW_9PFS_XEN_9P_REPLY_H

/* A reply in the making, or complete and waiting for room in its ring. */
typedef struct Xen9pReply {
    GList link;                 /* for the queue that it is in */
    uint32_t size;              /* room that was asked for in data[] */
    uint32_t len;               /* of the complete reply */
    uint64_t serial;            /* in the order in which they completed */
    bool comes_after;           /* replies in all rings are seen before it */
    bool flushes;               /* Rflush, of the request ... */
    uint16_t flushed_tag;       /* ... that had this tag */
    unsigned size_class;
    uint8_t data[];
} Xen9pReply;

#define XEN_9P_REPLY_CLASSES 12

/* What is kept for the next replies, by size class. */
typedef struct Xen9pReplyPool {
    GQueue idle[XEN_9P_REPLY_CLASSES];
    size_t idle_bytes;
    size_t idle_max;            /* what is over goes back to the system */
} Xen9pReplyPool;

/**
 * xen_9p_reply_pool_init: start with nothing
 * @pool: to fill in
 * @idle_max: how many bytes it may keep that no reply uses
 */
void xen_9p_reply_pool_init(Xen9pReplyPool *pool, size_t idle_max);

/**
 * xen_9p_reply_pool_fini: give all idle memory back
 * @pool: a pool none of whose replies is in use; may be called twice
 */
void xen_9p_reply_pool_fini(Xen9pReplyPool *pool);

/**
 * xen_9p_reply_new: an empty reply
 * @pool: where its memory comes from and goes to
 * @size: how much room it needs, at most XEN_9P_REPLY_MAX
 *
 * Returns: the reply, which the caller gives back to xen_9p_reply_free().
 */
Xen9pReply *xen_9p_reply_new(Xen9pReplyPool *pool, uint32_t size);

/**
 * xen_9p_reply_free: give a reply back
 * @pool: the pool that it is from
 * @reply: the reply
 */
void xen_9p_reply_free(Xen9pReplyPool *pool, Xen9pReply *reply);

/**
 * xen_9p_reply_cost: how much memory a reply of some size takes
 * @size: as for xen_9p_reply_new()
 *
 * Returns: the bytes.
 */
size_t xen_9p_reply_cost(uint32_t size);

/* The largest: all segments of a virtfs transaction. */
#define XEN_9P_REPLY_MAX (4U << 20)

#endif
