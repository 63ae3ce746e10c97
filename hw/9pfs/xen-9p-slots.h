/*
 * Ring of slots of the Xen virtfs transport: indices, transactions, checks
 *
 * Pure: no device, no Xen call, nothing but memory. A frontend that is not
 * trusted writes requests of several slots each, and gets one response a
 * slot. docs/specs/xen-virtfs.rst has the rules.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_SLOTS_H
#define HW_9PFS_XEN_9P_SLOTS_H

#include "hw/xen/io/virtfs.h"

/*
 * The backend's end. Indices run freely over 32 bits and are ours: those in
 * the shared page are only ever written. Slots from @answered on are in use,
 * those up to @next have been copied, the last @chain of which are not yet a
 * whole transaction.
 */
typedef struct Xen9pSlots {
    struct xen_virtfsif_sring *shared;
    uint32_t size;              /* how many slots, a power of two */
    uint32_t next;
    uint32_t answered;          /* responses written */
    uint32_t published;         /* responses that the frontend was told of */
    uint32_t chain;
    struct xen_virtfsif_request *slot; /* private, @size elements */
} Xen9pSlots;

typedef enum Xen9pSlotsResult {
    XEN_9P_SLOTS_NONE,          /* no whole transaction */
    XEN_9P_SLOTS_WHOLE,
    XEN_9P_SLOTS_CORRUPT,       /* an index is not possible */
    XEN_9P_SLOTS_ENDLESS,       /* a transaction is longer than the ring */
} Xen9pSlotsResult;

/**
 * xen_9p_slots_init: start from the index that the shared page holds
 * @slots: to fill in
 * @shared: the ring's memory, which stays the caller's
 * @size: how many slots it has
 */
void xen_9p_slots_init(Xen9pSlots *slots, struct xen_virtfsif_sring *shared,
                       uint32_t size);

/**
 * xen_9p_slots_fini: free the private copies; may be called twice
 * @slots: the ring
 */
void xen_9p_slots_fini(Xen9pSlots *slots);

/**
 * xen_9p_slots_take: copy the next transaction, each slot once
 * @slots: the ring
 * @num: set to its number of slots, which are slots->slot[0] and on until
 *       the next call
 *
 * Returns: XEN_9P_SLOTS_WHOLE if there is one. Where the end of a transaction
 * is not there yet, what is there is kept for the next call.
 */
Xen9pSlotsResult xen_9p_slots_take(Xen9pSlots *slots, uint32_t *num);

/**
 * xen_9p_slots_arm: ask the frontend for an event with its next slot
 * @slots: the ring
 *
 * Returns: true if there are more slots already, and no event may come.
 */
bool xen_9p_slots_arm(Xen9pSlots *slots);

/**
 * xen_9p_slots_pending: up to where the frontend has written slots
 * @slots: the ring
 *
 * Returns: its index, which may make no sense; @slots->next where there is
 * nothing new.
 */
uint32_t xen_9p_slots_pending(const Xen9pSlots *slots);

/**
 * xen_9p_slots_respond: write the responses of a transaction
 * @slots: the ring
 * @slot: its slots
 * @num: how many there are
 * @status: XEN_VIRTFSIF_RSP_*
 *
 * The frontend sees nothing of it before xen_9p_slots_publish().
 */
void xen_9p_slots_respond(Xen9pSlots *slots,
                          const struct xen_virtfsif_request *slot,
                          uint32_t num, int16_t status);

/**
 * xen_9p_slots_publish: tell the frontend of the responses
 * @slots: the ring
 *
 * Returns: true if it wants an event for them.
 */
bool xen_9p_slots_publish(Xen9pSlots *slots);

/**
 * xen_9p_slots_check: whether slots make a transaction, as far as they tell
 * @slot: the slots
 * @num: how many there are, at least one
 *
 * Returns: NULL if they do, or what is wrong with them.
 */
const char *xen_9p_slots_check(const struct xen_virtfsif_request *slot,
                               uint32_t num);

/**
 * xen_9p_segment_check: whether a segment is within its page
 * @offset: where it begins
 * @size: its size
 */
static inline bool xen_9p_segment_check(uint16_t offset, uint16_t size)
{
    return size > 0 && (uint32_t)offset + size <= XEN_VIRTFSIF_PAGE_SIZE;
}

#endif
