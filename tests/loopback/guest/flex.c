/*
 * The frontend's end of one flex ring of the Xen 9pfs protocol
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "flex.h"

/* To check our layout against; it needs what flex.h includes. */
#include <xen/io/9pfs.h>

G_STATIC_ASSERT(sizeof(FlexIntf) <= LOOP_PAGE_SIZE);
G_STATIC_ASSERT(offsetof(FlexIntf, in_prod) ==
                offsetof(struct xen_9pfs_data_intf, in_prod));
G_STATIC_ASSERT(offsetof(FlexIntf, out_cons) ==
                offsetof(struct xen_9pfs_data_intf, out_cons));
G_STATIC_ASSERT(offsetof(FlexIntf, ring_order) ==
                offsetof(struct xen_9pfs_data_intf, ring_order));
G_STATIC_ASSERT(offsetof(FlexIntf, ref) ==
                offsetof(struct xen_9pfs_data_intf, ref));

static grant_ref_t grant_page(Flex *ring, uint32_t gfn)
{
    int ref = loop_grant(ring->loop, ring->domid, 0, gfn, false);

    if (ref < 0) {
        g_error("frontend: no grant: %s", g_strerror(-ref));
    }
    return ref;
}

static uint32_t take_pages(Flex *ring, uint32_t count)
{
    int64_t gfn = loop_pages_alloc(ring->loop, ring->domid, count);

    if (gfn < 0) {
        g_error("frontend: domain %u has no %u pages", ring->domid, count);
    }
    return gfn;
}

void flex_init(Flex *ring, Loop *loop, domid_t domid, uint32_t order)
{
    uint32_t pages = 1u << order, i;

    g_assert_cmpuint(order, <=, FLEX_MAX_ORDER);
    memset(ring, 0, sizeof(*ring));
    ring->loop = loop;
    ring->domid = domid;
    ring->order = order;
    ring->size = pages * LOOP_PAGE_SIZE / 2;
    ring->intf_gfn = take_pages(ring, 1);
    ring->data_gfn = take_pages(ring, pages);
    ring->intf = loop_page(loop, domid, ring->intf_gfn);
    ring->in = loop_page(loop, domid, ring->data_gfn);
    ring->out = ring->in + ring->size;
    memset(ring->intf, 0, LOOP_PAGE_SIZE);
    ring->intf->ring_order = order;
    ring->intf_ref = grant_page(ring, ring->intf_gfn);
    for (i = 0; i < pages; i++) {
        ring->refs[i] = grant_page(ring, ring->data_gfn + i);
        ring->intf->ref[i] = ring->refs[i];
    }
}

uint32_t flex_fini(Flex *ring)
{
    uint32_t pages = 1u << ring->order, i, busy = 0;

    if (!ring->loop) {
        return 0;
    }
    for (i = 0; i < pages; i++) {
        if (loop_grant_end(ring->loop, ring->domid, ring->refs[i]) < 0) {
            busy++;
        } else {
            loop_pages_free(ring->loop, ring->domid, ring->data_gfn + i, 1);
        }
    }
    if (loop_grant_end(ring->loop, ring->domid, ring->intf_ref) < 0) {
        busy++;
    } else {
        loop_pages_free(ring->loop, ring->domid, ring->intf_gfn, 1);
    }
    ring->loop = NULL;
    return busy;
}

uint32_t flex_room(const Flex *ring)
{
    uint32_t cons = __atomic_load_n(&ring->intf->out_cons, __ATOMIC_ACQUIRE);
    uint32_t used = ring->out_prod - cons;

    return used <= ring->size ? ring->size - used : 0;
}

void flex_put(Flex *ring, uint32_t offset, const void *data, uint32_t len)
{
    uint32_t start = (ring->out_prod + offset) & (ring->size - 1);
    uint32_t first = MIN(len, ring->size - start);

    memcpy(ring->out + start, data, first);
    memcpy(ring->out, (const uint8_t *)data + first, len - first);
}

void flex_publish(Flex *ring, uint32_t len)
{
    ring->out_prod += len;
    /* The bytes are there before the index says so. */
    __atomic_store_n(&ring->intf->out_prod, ring->out_prod,
                     __ATOMIC_RELEASE);
}

bool flex_send(Flex *ring, const void *data, uint32_t len)
{
    if (len > flex_room(ring)) {
        return false;
    }
    flex_put(ring, 0, data, len);
    flex_publish(ring, len);
    return true;
}

int64_t flex_ready(const Flex *ring)
{
    uint32_t prod = __atomic_load_n(&ring->intf->in_prod, __ATOMIC_ACQUIRE);
    uint32_t ready = prod - ring->in_cons;

    return ready <= ring->size ? (int64_t)ready : -1;
}

void flex_get(const Flex *ring, void *data, uint32_t len)
{
    uint32_t start = ring->in_cons & (ring->size - 1);
    uint32_t first = MIN(len, ring->size - start);

    memcpy(data, ring->in + start, first);
    memcpy((uint8_t *)data + first, ring->in, len - first);
}

void flex_consume(Flex *ring, uint32_t len)
{
    ring->in_cons += len;
    /* The bytes were read before the room is given back. */
    __atomic_store_n(&ring->intf->in_cons, ring->in_cons, __ATOMIC_SEQ_CST);
}
