/*
 * Ring of slots of the Xen virtfs transport: indices, transactions, checks
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "hw/9pfs/xen-9p-slots.h"

void xen_9p_slots_init(Xen9pSlots *slots, struct xen_virtfsif_sring *shared,
                       uint32_t size)
{
    uint32_t start = qatomic_read(&shared->rsp_prod);

    *slots = (Xen9pSlots) {
        .shared = shared,
        .size = size,
        .next = start,
        .answered = start,
        .published = start,
        .slot = g_new(struct xen_virtfsif_request, size),
    };
}

void xen_9p_slots_fini(Xen9pSlots *slots)
{
    g_clear_pointer(&slots->slot, g_free);
}

static union xen_virtfsif_sring_entry *entry_of(const Xen9pSlots *slots,
                                                uint32_t index)
{
    union xen_virtfsif_sring_entry *first = slots->shared->ring;

    return first + (index & (slots->size - 1));
}

static void copy_slot(const Xen9pSlots *slots, uint32_t index,
                      struct xen_virtfsif_request *to)
{
    /* Volatile: the compiler must not read it again where it is used. */
    *to = *(volatile struct xen_virtfsif_request *)&entry_of(slots, index)->req;
}

uint32_t xen_9p_slots_pending(const Xen9pSlots *slots)
{
    return qatomic_read(&slots->shared->req_prod);
}

Xen9pSlotsResult xen_9p_slots_take(Xen9pSlots *slots, uint32_t *num)
{
    /* Acquire: the frontend's slots are read after its index. */
    uint32_t prod = qatomic_load_acquire(&slots->shared->req_prod);
    uint32_t used = prod - slots->answered;

    if (used > slots->size || slots->next - slots->answered > used) {
        return XEN_9P_SLOTS_CORRUPT;
    }
    while (slots->next != prod) {
        struct xen_virtfsif_request *slot = &slots->slot[slots->chain++];

        copy_slot(slots, slots->next++, slot);
        if (!(slot->flags & XEN_VIRTFSF_MORE)) {
            *num = slots->chain;
            slots->chain = 0;
            return XEN_9P_SLOTS_WHOLE;
        }
    }
    return slots->chain == slots->size ? XEN_9P_SLOTS_ENDLESS
                                       : XEN_9P_SLOTS_NONE;
}

bool xen_9p_slots_arm(Xen9pSlots *slots)
{
    qatomic_set(&slots->shared->req_event, slots->next + 1);
    /* The wish is there before we look: no slot comes without an event. */
    smp_mb();
    return xen_9p_slots_pending(slots) != slots->next;
}

void xen_9p_slots_respond(Xen9pSlots *slots,
                          const struct xen_virtfsif_request *slot,
                          uint32_t num, int16_t status)
{
    for (uint32_t i = 0; i < num; i++) {
        struct xen_virtfsif_response *rsp =
            &entry_of(slots, slots->answered++)->rsp;

        qatomic_set(&rsp->id, slot[i].id);
        qatomic_set(&rsp->status, status);
    }
}

bool xen_9p_slots_publish(Xen9pSlots *slots)
{
    uint32_t old = slots->published, event;

    if (slots->answered == old) {
        return false;
    }
    slots->published = slots->answered;
    /* Release: responses and replies first, then the index. */
    qatomic_store_release(&slots->shared->rsp_prod, slots->published);
    /* The index is there before we look whether an event is wanted. */
    smp_mb();
    event = qatomic_read(&slots->shared->rsp_event);
    return slots->published - event < slots->published - old;
}

const char *xen_9p_slots_check(const struct xen_virtfsif_request *slot,
                               uint32_t num)
{
    const uint32_t align = sizeof(struct xen_virtfsif_segment) - 1;
    bool writes = false;

    for (uint32_t i = 0; i < num; i++, slot++) {
        if (slot->flags & ~XEN_VIRTFSF_ALL) {
            return "a flag is unknown";
        }
        if (!xen_9p_segment_check(slot->offset, slot->size)) {
            return "a slot is not within its page";
        }
        if ((slot->flags & XEN_VIRTFSF_INDIRECT) &&
            ((slot->offset | slot->size) & align)) {
            return "descriptors are not aligned";
        }
        if (slot->flags & XEN_VIRTFSF_WRITE) {
            writes = true;
        } else if (writes) {
            return "a request slot follows response slots";
        }
        if (i == 0 && writes) {
            return "there is no request slot";
        }
    }
    return writes ? NULL : "there is no response slot";
}
