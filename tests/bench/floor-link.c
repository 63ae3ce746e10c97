/*
 * What link.h and the 9P client ask for, with the server in this process
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "floor-link.h"
#include "floor-server.h"
#include "link.h"

/* The client's calls, one at a time, take the last place. */
#define CALL (FLOOR_MAX_REQUESTS - 1)
#define CALL_ROOM (1u << 20)

static uint8_t call_reply[CALL_ROOM];
static bool calling;

static bool call_send(void *opaque, unsigned ring, const void *data,
                      uint32_t len)
{
    if (calling) {
        return false;
    }
    calling = true;
    floor_submit(CALL, data, len, call_reply, CALL_ROOM);
    return true;
}

static void call_done(void *opaque, unsigned number, uint32_t len)
{
    P9Client *client = opaque;
    GByteArray *bytes = p9_client_buffer(client);

    g_assert(number == CALL);
    calling = false;
    g_byte_array_append(bytes, call_reply, len);
    p9_client_input(client, 0, bytes);
}

static int call_wait(void *opaque, int timeout_ms)
{
    floor_run(call_done, opaque);
    return !calling;
}

static char *call_why(void *opaque)
{
    return g_strdup("the server is in this process");
}

const P9Transport floor_transport = {
    .send = call_send,
    .wait = call_wait,
    .why = call_why,
};

void link_init(Link *link, Target *target, unsigned slots, LinkReply *reply,
               void *opaque)
{
    uint32_t room = target->client->msize;
    unsigned i;

    memset(link, 0, sizeof(*link));
    g_assert(slots <= CALL);
    link->nr_slots = slots;
    link->slots = g_new0(Slot, slots);
    link->reply = reply;
    link->opaque = opaque;
    for (i = 0; i < slots; i++) {
        link->slots[i].tag = i;
        link->slots[i].rx = g_malloc(room);
        link->slots[i].rx_room = room;
    }
}

void link_fini(Link *link)
{
    unsigned i;

    for (i = 0; i < link->nr_slots; i++) {
        g_free(link->slots[i].rx);
    }
    g_free(link->slots);
}

void link_send(Link *link, Slot *slot, const void *tx, uint32_t len)
{
    link->in_flight++;
    floor_submit(slot->tag, tx, len, slot->rx, slot->rx_room);
}

static void slot_done(void *opaque, unsigned number, uint32_t len)
{
    Link *link = opaque;
    Slot *slot = &link->slots[number];

    slot->rx_len = len;
    link->in_flight--;
    link->reply(link->opaque, slot);
}

void link_wait(Link *link)
{
    floor_run(slot_done, link);
}
