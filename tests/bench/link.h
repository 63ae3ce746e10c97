/*
 * The guest's data path, made for speed: the loopback's rings as Linux's
 * frontends use them, with nothing allocated once it runs
 *
 * The handshake, and what comes before and after a measurement, is the
 * loopback's frontend (fe.h). Both may use the rings in turn, while nothing
 * is in flight.
 *
 * Over flex rings, as Linux does, a request is one notification, and so is a
 * pass over a ring that took replies out of it; a reply is copied out of the
 * ring. Over virtfs it does as our driver does, see link-virtfs.c.
 *
 * floor-link.c has the same calls for the floor.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "target.h"

/* A place for one request in flight. Its number is its tag. */
typedef struct Slot {
    uint16_t tag;
    unsigned ring;
    const void *tx;             /* what is sent, or waits for room */
    uint32_t tx_len;
    uint8_t *rx;                /* its reply */
    uint32_t rx_len, rx_room;
    struct Slot *next;          /* in one list of its ring */
} Slot;

typedef struct SlotList {
    Slot *first, *last;
} SlotList;

typedef struct LinkRing {
    uint8_t header[P9_HEADER_SIZE];
    uint32_t have;              /* bytes of the reply that is coming in */
    Slot *slot;                 /* whose it is, once that is known */
    SlotList waiting;           /* requests without room in the ring */
    SlotList done;              /* replies to be looked at */
} LinkRing;

typedef void LinkReply(void *opaque, Slot *slot);

typedef struct Link Link;

/*
 * What a protocol has of its own.
 *
 * init, fini: of a link and its slots.
 * send: a slot's message, and notify the backend; false: there is no room.
 * drain: put all slots whose reply is there on the ring's list of them.
 */
typedef struct LinkWire {
    void (*init)(Link *link);
    void (*fini)(Link *link);
    bool (*send)(Link *link, Slot *slot);
    void (*drain)(Link *link, unsigned ring);
} LinkWire;

extern const LinkWire link_flex, link_virtfs;

struct Link {
    Fe *fe;                     /* NULL for the floor */
    Slot *slots;
    unsigned nr_slots;
    unsigned in_flight;
    LinkReply *reply;           /* called for each reply; may send again */
    void *opaque;
    LinkRing rings[FE_MAX_RINGS];
    const LinkWire *wire;       /* NULL for the floor */
    void *wire_data;
};

/*
 * link_init: @slots requests may be in flight. Slot n is of ring n modulo the
 *     number of rings.
 * link_send: send a message, now or when there is room. It has to carry the
 *     slot's tag and to stay as it is until the reply is there.
 * link_wait: wait for an event, and take in what it brings. Ends the program
 *     if none comes for long, or a reply is not one.
 */
void link_init(Link *link, Target *target, unsigned slots,
               LinkReply *reply, void *opaque);
void link_fini(Link *link);
void link_send(Link *link, Slot *slot, const void *tx, uint32_t len);
void link_wait(Link *link);

/* For a LinkWire: the end of a list; the end of the program. */
void link_list_add(SlotList *list, Slot *slot);
void link_fail(Link *link, const char *what) G_GNUC_NORETURN;

#endif
