/*
 * The guest's data path over flex rings
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "link.h"

static void flex_begin(Link *link)
{
    uint32_t room = link->fe->client.msize;
    unsigned i;

    for (i = 0; i < link->nr_slots; i++) {
        link->slots[i].rx = g_malloc(room);
        link->slots[i].rx_room = room;
    }
}

static void flex_end(Link *link)
{
    unsigned i;

    for (i = 0; i < link->nr_slots; i++) {
        g_free(link->slots[i].rx);
    }
}

static bool flex_try(Link *link, Slot *slot)
{
    if (!flex_send(&link->fe->rings[slot->ring], slot->tx, slot->tx_len)) {
        return false;
    }
    fe_kick(link->fe, slot->ring);
    return true;
}

/* A reply's header is there: whose is it, and can it be? */
static void begin_reply(Link *link, LinkRing *ring, unsigned number)
{
    uint32_t size;
    uint16_t tag;
    Slot *slot;

    memcpy(&size, ring->header, sizeof(size));
    memcpy(&tag, ring->header + 5, sizeof(tag));
    size = GUINT32_FROM_LE(size);
    tag = GUINT16_FROM_LE(tag);
    if (tag >= link->nr_slots || link->slots[tag].ring != number) {
        link_fail(link, "a reply that nobody waits for on this ring");
    }
    slot = &link->slots[tag];
    if (size < P9_HEADER_SIZE || size > slot->rx_room) {
        link_fail(link, "a reply of an impossible size");
    }
    slot->rx_len = size;
    memcpy(slot->rx, ring->header, P9_HEADER_SIZE);
    ring->slot = slot;
}

/* Take up to @ready bytes of the present reply; returns how many. */
static uint32_t take_bytes(Link *link, unsigned number, uint32_t ready)
{
    LinkRing *ring = &link->rings[number];
    uint32_t wanted = ring->slot ? ring->slot->rx_len : P9_HEADER_SIZE;
    uint8_t *to = ring->slot ? ring->slot->rx : ring->header;
    uint32_t take = MIN(ready, wanted - ring->have);

    flex_get(&link->fe->rings[number], to + ring->have, take);
    flex_consume(&link->fe->rings[number], take);
    ring->have += take;
    if (!ring->slot && ring->have == P9_HEADER_SIZE) {
        begin_reply(link, ring, number);
    }
    if (ring->slot && ring->have == ring->slot->rx_len) {
        link_list_add(&ring->done, ring->slot);
        ring->slot = NULL;
        ring->have = 0;
    }
    return take;
}

/* Take all that is in the ring, and tell the backend that there is room. */
static void flex_drain(Link *link, unsigned number)
{
    int64_t ready;
    bool taken = false;

    while ((ready = flex_ready(&link->fe->rings[number])) > 0) {
        while (ready > 0) {
            ready -= take_bytes(link, number, ready);
        }
        taken = true;
    }
    if (ready < 0) {
        link_fail(link, "in_prod makes no sense");
    }
    if (taken) {
        fe_kick(link->fe, number);
    }
}

const LinkWire link_flex = {
    .init = flex_begin,
    .fini = flex_end,
    .send = flex_try,
    .drain = flex_drain,
};
