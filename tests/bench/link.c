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

void link_list_add(SlotList *list, Slot *slot)
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
    }
    link->wire = target->fe->virtfs ? &link_virtfs : &link_flex;
    link->wire->init(link);
    set_timer(TICK_US);
}

void link_fini(Link *link)
{
    set_timer(0);
    link->wire->fini(link);
    g_free(link->slots);
}

void link_fail(Link *link, const char *what)
{
    P9Client *client = &link->fe->client;
    g_autofree char *why = client->transport->why(client->opaque);

    g_error("%s, %u in flight; %s", what, link->in_flight, why);
}

void link_send(Link *link, Slot *slot, const void *tx, uint32_t len)
{
    SlotList *waiting = &link->rings[slot->ring].waiting;

    slot->tx = tx;
    slot->tx_len = len;
    link->in_flight++;
    if (waiting->first || !link->wire->send(link, slot)) {
        link_list_add(waiting, slot);
    }
}

static void send_waiting(Link *link, LinkRing *ring)
{
    while (ring->waiting.first &&
           link->wire->send(link, ring->waiting.first)) {
        list_take(&ring->waiting);
    }
}

static void run_ring(Link *link, unsigned number)
{
    LinkRing *ring = &link->rings[number];
    Slot *slot;

    link->wire->drain(link, number);
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
