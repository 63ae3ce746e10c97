/*
 * A frontend: handshake, rings, and the transport of a 9P client
 *
 * Of either protocol, as the device's type says: flex rings for 9pfs, slots
 * for virtfs, whose queues are called rings here.
 *
 * A whole connection is fe_connect() and fe_disconnect(); an attack takes
 * the steps that these are made of, and what it likes of the rings.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FE_H
#define LOOPBACK_FE_H

#include <xen/io/xenbus.h>

#include "../9p/client.h"
#include "flex.h"
#include "toolstack.h"
#include "vring.h"

#define FE_MAX_RINGS 16

/* Tells whether the backend's process lives. */
typedef bool FeAlive(void *opaque);

typedef struct Fe {
    P9Client client;
    Guest *guest;
    char *type;                 /* of the backend */
    int devid;
    bool virtfs;                /* then the rings are in vrings[] */
    unsigned nr_rings;
    uint32_t flex_order;        /* what fe_alloc() was asked for */
    Flex rings[FE_MAX_RINGS];
    VRing vrings[FE_MAX_RINGS];
    evtchn_port_t ports[FE_MAX_RINGS];
    GByteArray *partial[FE_MAX_RINGS];  /* of a reply that is not whole */
    int handle;                 /* of the event channels */
    FeAlive *alive;
    void *alive_opaque;
    const char *broken;         /* what the backend did wrong; or NULL */
    bool hold;                  /* leave replies in the ring */
    int timeout_ms;             /* of a change of state */
} Fe;

/*
 * fe_new: the frontend of a device that the toolstack has added.
 * fe_free: drops what it has; returns how many grants the backend still
 *     uses.
 */
Fe *fe_new(Guest *guest, const char *type, int devid);
uint32_t fe_free(Fe *fe);

/*
 * fe_msize: the largest message for which there is always room. A virtfs ring
 *     gets the order, and the frontend uses of the protocol, what fits to
 *     messages of the size that a flex ring of @order has.
 */
uint32_t fe_msize(const Fe *fe);

/*
 * fe_connect: wait for the backend's InitWait, make @rings of @order and
 *     bring both ends to Connected. False if the backend does not get there.
 * fe_disconnect: bring both ends to Closed, then free the rings. Returns how
 *     many grants the backend still used, or -1 if it did not close.
 * fe_reset: as a guest that comes up again: back to Initialising, for
 *     another fe_connect().
 */
bool fe_connect(Fe *fe, unsigned rings, uint32_t order);
int fe_disconnect(Fe *fe);
void fe_reset(Fe *fe);

/*
 * The steps of these:
 *
 * fe_alloc: make rings and event channels.
 * fe_publish: write the frontend's nodes, in one transaction.
 * fe_drop: end the grants, close the ports; returns grants still in use.
 * fe_write: write one node of the frontend, as the guest; 0 or -errno.
 * fe_set_state: of the frontend.
 * fe_state: of the backend, as the guest sees it; Unknown if there is none.
 * fe_wait_state: until the backend has one of the states in @mask (bits
 *     1 << XenbusState); returns it, or -1 after @timeout_ms or when the
 *     backend's process has died.
 */
void fe_alloc(Fe *fe, unsigned rings, uint32_t order);
void fe_publish(Fe *fe);
uint32_t fe_drop(Fe *fe);
int fe_write(Fe *fe, const char *node, const char *value);
int fe_write_int(Fe *fe, const char *node, int value);
void fe_set_state(Fe *fe, XenbusState state);
XenbusState fe_state(Fe *fe);
int fe_wait_state(Fe *fe, unsigned mask, int timeout_ms);

#define FE_STATE(name) (1u << XenbusState##name)

/* fe_kick: notify the backend on @ring. fe_is_alive: its process lives. */
void fe_kick(Fe *fe, unsigned ring);
bool fe_is_alive(Fe *fe);

/*
 * fe_wait_event: wait for an event on any port, and take it; whether one came.
 *     Rings are to be looked at afterwards.
 * fe_pump: take in what is in the rings; wait up to @timeout_ms if there is
 *     nothing. How many replies came; -1 if none will ever come again.
 */
bool fe_wait_event(Fe *fe, int timeout_ms);
int fe_pump(Fe *fe, int timeout_ms);

#endif
