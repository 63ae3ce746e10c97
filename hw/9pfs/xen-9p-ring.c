/*
 * Byte rings of the Xen 9pfs transport: index and copy arithmetic
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "hw/9pfs/xen-9p-ring.h"

void xen_9p_ring_init(Xen9pRing *ring, void *data, uint32_t size,
                      uint32_t *own, const uint32_t *peer)
{
    uint32_t start = qatomic_read(own);

    *ring = (Xen9pRing) {
        .data = data,
        .size = size,
        .own = own,
        .peer = peer,
        .position = start,
        .published = start,
    };
}

/* Only we may write our index: if it changed, the peer is out of its mind. */
static bool own_index_intact(const Xen9pRing *ring)
{
    return qatomic_read(ring->own) == ring->published;
}

bool xen_9p_ring_readable(const Xen9pRing *ring, uint32_t *bytes)
{
    /* Acquire: the producer's bytes are read after its index. */
    uint32_t prod = qatomic_load_acquire(ring->peer);
    uint32_t unreleased = prod - ring->published;
    uint32_t read_ahead = ring->position - ring->published;

    *bytes = prod - ring->position;
    return own_index_intact(ring) &&
        unreleased <= ring->size && read_ahead <= unreleased;
}

bool xen_9p_ring_writable(const Xen9pRing *ring, uint32_t *bytes)
{
    /* Acquire: the consumer is done with the bytes before we write there. */
    uint32_t cons = qatomic_load_acquire(ring->peer);
    uint32_t used = ring->position - cons;

    *bytes = ring->size - used;
    return own_index_intact(ring) && used <= ring->size;
}

void xen_9p_ring_read(const Xen9pRing *ring, uint32_t from,
                      void *buf, uint32_t len)
{
    struct iovec iov[2];
    unsigned num = xen_9p_ring_iov(ring, from, len, iov);
    uint8_t *to = buf;

    for (unsigned i = 0; i < num; i++) {
        memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
}

void xen_9p_ring_write(Xen9pRing *ring, const void *buf, uint32_t len)
{
    struct iovec iov[2];
    unsigned num = xen_9p_ring_iov(ring, ring->position, len, iov);
    const uint8_t *from = buf;

    for (unsigned i = 0; i < num; i++) {
        memcpy(iov[i].iov_base, from, iov[i].iov_len);
        from += iov[i].iov_len;
    }
    ring->position += len;
}

unsigned xen_9p_ring_iov(const Xen9pRing *ring, uint32_t from, uint32_t len,
                         struct iovec iov[2])
{
    uint32_t offset = from & (ring->size - 1);
    uint32_t to_end = ring->size - offset;

    if (len == 0) {
        return 0;
    }
    iov[0].iov_base = ring->data + offset;
    iov[0].iov_len = MIN(len, to_end);
    if (len <= to_end) {
        return 1;
    }
    iov[1].iov_base = ring->data;
    iov[1].iov_len = len - to_end;
    return 2;
}

bool xen_9p_ring_publish(Xen9pRing *ring, uint32_t index)
{
    if (index == ring->published) {
        return false;
    }
    ring->published = index;
    /* Release: bytes first, then the index that speaks of them. */
    qatomic_store_release(ring->own, index);
    return true;
}
