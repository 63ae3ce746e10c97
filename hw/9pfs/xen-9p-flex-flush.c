/*
 * Xen 9P backend: what the 9pfs transport owes a Tflush
 *
 * In 9P a Tflush comes after the request that it is about, and Rflush comes
 * after that request's reply, if it has one. The server keeps to that for
 * what it has been given; several rings have no order among each other, so
 * that the transport has to.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/9pfs/xen-9p-flex.h"

bool flex_flush_waits(FlexRing *ring)
{
    Flex *flex = ring->flex;
    bool early = false;

    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
        FlexRing *other = &flex->rings[i];
        uint32_t available;

        if (other == ring ||
            !xen_9p_ring_readable(&other->out, &available)) {
            continue;
        }
        if (!ring->flush_seen) {
            ring->flush_after[i] = other->out.position + available;
        }
        if ((int32_t)(ring->flush_after[i] - other->out.position) > 0 &&
            flex_header(other, available) && other->header.id != P9_TFLUSH) {
            /* (Two Tflush do not wait for each other.) */
            early = true;
        }
    }
    ring->flush_seen = early;
    return early;
}

bool flex_flush_reply_waits(const FlexRing *ring, const Xen9pReply *rflush)
{
    for (unsigned i = 0; i < ring->flex->pass.num_rings; i++) {
        const FlexRing *other = &ring->flex->rings[i];

        for (GList *l = other->waiting.head; l && other != ring; l = l->next) {
            const Xen9pReply *reply = l->data;

            /* Only an earlier one: two Rflush do not wait for each other. */
            if (reply->serial > rflush->serial) {
                break;
            }
            /* size[4] type[1] tag[2] */
            if (lduw_le_p(reply->data + 5) == rflush->flushed_tag) {
                return true;
            }
        }
    }
    return false;
}
