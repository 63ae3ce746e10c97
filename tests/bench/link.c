/*
 * The guest's data path, made for speed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "link.h"

/* A wait is interrupted this often, to see whether the backend lives. */
#define TICK_US 250000
#define MAX_TICKS 40

static volatile sig_atomic_t ticks;

static void on_tick(int signo)
{
    ticks++;
}

static void set_timer(suseconds_t period)
{
    struct itimerval timer = { { 0, period }, { 0, period } };
    struct sigaction action = { .sa_handler = on_tick };

    /* Without SA_RESTART: the event channel's read returns. */
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void list_add(SlotList *list, Slot *slot)
{
    slot->next = NULL;
    if (list->first) {
        list->last->next = slot;
    } else {
        list->first = slot;
    }
    list->last = slot;
}

static Slot *list_take(SlotList *list)
{
    Slot *slot = list->first;

    if (slot) {
        list->first = slot->next;
    }
    return slot;
}

void link_init(Link *link, Target *target, unsigned slots,
               LinkReply *reply, void *opaque)
{
    uint32_t room = target->client->msize;
    unsigned i;

    memset(link, 0, sizeof(*link));
    link->fe = target->fe;
    link->nr_slots = slots;
    link->slots = g_new0(Slot, slots);
    link->reply = reply;
    link->opaque = opaque;
    for (i = 0; i < slots; i++) {
        link->slots[i].tag = i;
        link->slots[i].ring = i % target->fe->nr_rings;
        link->slots[i].rx = g_malloc(room);
        link->slots[i].rx_room = room;
    }
    set_timer(TICK_US);
}

void link_fini(Link *link)
{
    unsigned i;

    set_timer(0);
    for (i = 0; i < link->nr_slots; i++) {
        g_free(link->slots[i].rx);
    }
    g_free(link->slots);
}

static void G_GNUC_NORETURN link_fail(Link *link, const char *what)
{
    P9Client *client = &link->fe->client;
    g_autofree char *why = client->transport->why(client->opaque);

    g_error("%s, %u in flight; %s", what, link->in_flight, why);
}

static bool try_send(Link *link, Slot *slot)
{
    if (!flex_send(&link->fe->rings[slot->ring], slot->tx, slot->tx_len)) {
        return false;
    }
    fe_kick(link->fe, slot->ring);
    return true;
}

void link_send(Link *link, Slot *slot, const void *tx, uint32_t len)
{
    SlotList *waiting = &link->rings[slot->ring].waiting;

    slot->tx = tx;
    slot->tx_len = len;
    link->in_flight++;
    if (waiting->first || !try_send(link, slot)) {
        list_add(waiting, slot);
    }
}

static void send_waiting(Link *link, LinkRing *ring)
{
    while (ring->waiting.first && try_send(link, ring->waiting.first)) {
        list_take(&ring->waiting);
    }
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
        list_add(&ring->done, ring->slot);
        ring->slot = NULL;
        ring->have = 0;
    }
    return take;
}

/* Take all that is in the ring, and tell the backend that there is room. */
static void drain(Link *link, unsigned number)
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

static void run_ring(Link *link, unsigned number)
{
    LinkRing *ring = &link->rings[number];
    Slot *slot;

    drain(link, number);
    send_waiting(link, ring);
    while ((slot = list_take(&ring->done))) {
        link->in_flight--;
        link->reply(link->opaque, slot);
    }
}

/* The next event's port, or -1 when there is none for now. */
static int next_port(Link *link)
{
    int port = loop_evtchn_pending(link->fe->guest->loop, link->fe->handle);

    if (port >= 0) {
        ticks = 0;
        loop_evtchn_unmask(link->fe->guest->loop, link->fe->handle, port);
        return port;
    }
    if (port != -EINTR) {
        link_fail(link, "the event channel cannot be read");
    }
    if (!fe_is_alive(link->fe) || ticks > MAX_TICKS) {
        link_fail(link, "no reply");
    }
    return -1;
}

void link_wait(Link *link)
{
    int port = next_port(link);
    unsigned i;

    for (i = 0; i < link->fe->nr_rings; i++) {
        if (port == (int)link->fe->ports[i]) {
            run_ring(link, i);
        }
    }
}
