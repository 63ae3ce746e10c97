/*
 * Byte rings of the Xen 9pfs transport: index and copy arithmetic
 *
 * Pure: no device, no Xen call, nothing but memory. One Xen9pRing is one
 * direction of a shared ring as one side sees it: the consumer of requests
 * or the producer of replies. Implements "Ring Usage" of Xen's
 * docs/misc/9pfs.pandoc for a peer that is not trusted.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_RING_H
#define HW_9PFS_XEN_9P_RING_H

/*
 * A ring's shared page ("Ring Setup"). Only xen_9p_ring_*() and the code
 * that sets a ring up may look into it, and each field is read once.
 */
typedef struct Xen9pRingPage {
    uint32_t in_cons;           /* replies: moved by the frontend */
    uint32_t in_prod;           /* replies: moved by the backend */
    uint8_t pad1[56];
    uint32_t out_cons;          /* requests: moved by the backend */
    uint32_t out_prod;          /* requests: moved by the frontend */
    uint8_t pad2[56];
    uint32_t ring_order;        /* log2 of the number of pages in ref[] */
    uint32_t ref[];             /* first half "in", second half "out" */
} Xen9pRingPage;

QEMU_BUILD_BUG_ON(offsetof(Xen9pRingPage, out_cons) != 64);
QEMU_BUILD_BUG_ON(offsetof(Xen9pRingPage, ring_order) != 128);
QEMU_BUILD_BUG_ON(offsetof(Xen9pRingPage, ref) != 132);

/* Limits of the specification: at least two pages, refs within one page. */
#define XEN_9P_RING_ORDER_MIN   1
#define XEN_9P_RING_ORDER_MAX   9

/*
 * Indices run freely over 32 bits. @position is ours: the next byte to read
 * or write. @published is what the peer was last told of it: a consumer may
 * have read ahead of what it gave back.
 */
typedef struct Xen9pRing {
    uint8_t *data;              /* @size bytes, shared */
    uint32_t size;              /* a power of two */
    uint32_t *own;              /* our index in the shared page */
    const uint32_t *peer;       /* the peer's index in the shared page */
    uint32_t position;
    uint32_t published;
} Xen9pRing;

/**
 * xen_9p_ring_init: start from the indices that the shared page holds
 * @ring: to fill in
 * @data: the ring's memory, which stays the caller's
 * @size: its size in bytes, a power of two
 * @own: the index that only we move
 * @peer: the index that only the peer moves
 */
void xen_9p_ring_init(Xen9pRing *ring, void *data, uint32_t size,
                      uint32_t *own, const uint32_t *peer);

/**
 * xen_9p_ring_readable: how much the producer has for us
 * @ring: a ring that we consume
 * @bytes: set to the number of bytes from @ring->position on
 *
 * Whatever the producer wrote before it moved its index is visible after
 * this.
 *
 * Returns: false if the indices are corrupt: further apart than the ring is
 * large, moved back over what we have read, or ours was written to.
 */
bool xen_9p_ring_readable(const Xen9pRing *ring, uint32_t *bytes);

/**
 * xen_9p_ring_writable: how much room the consumer has left us
 * @ring: a ring that we produce
 * @bytes: set to the number of bytes that may be written
 *
 * Returns: false if the indices are corrupt, as xen_9p_ring_readable().
 */
bool xen_9p_ring_writable(const Xen9pRing *ring, uint32_t *bytes);

/**
 * xen_9p_ring_read: copy out of the ring, without moving any index
 * @ring: a ring that we consume
 * @from: the index of the first byte
 * @buf: where to
 * @len: how many, which the caller knows to be readable
 */
void xen_9p_ring_read(const Xen9pRing *ring, uint32_t from,
                      void *buf, uint32_t len);

/**
 * xen_9p_ring_write: copy into the ring at @ring->position and move that
 * @ring: a ring that we produce
 * @buf: what
 * @len: how many bytes, which the caller knows to be writable
 *
 * The peer sees nothing of it before xen_9p_ring_publish().
 */
void xen_9p_ring_write(Xen9pRing *ring, const void *buf, uint32_t len);

/**
 * xen_9p_ring_iov: describe bytes where they are in the ring
 * @ring: the ring
 * @from: the index of the first byte
 * @len: how many bytes, at most @ring->size
 * @iov: two elements to fill in
 *
 * Returns: how many elements were used: 0 for no bytes, 2 where the bytes
 * run over the ring's end.
 */
unsigned xen_9p_ring_iov(const Xen9pRing *ring, uint32_t from, uint32_t len,
                         struct iovec iov[2]);

/**
 * xen_9p_ring_publish: tell the peer our index
 * @ring: the ring
 * @index: up to where we have written, or up to where we are done reading
 *
 * All accesses to the ring's bytes before this are complete when the peer
 * sees the index.
 *
 * Returns: true if the peer was told something new.
 */
bool xen_9p_ring_publish(Xen9pRing *ring, uint32_t index);

#endif
