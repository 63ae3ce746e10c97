/*
 * One device from the toolstack's and the guest's side, for the fuzzer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include "guest/flex.h"

/* It needs what flex.h includes. */
#include <xen/io/xenbus.h>

#include "request.h"

#define DEVICE_DOMID    7
#define DEVICE_RINGS    8
#define DEVICE_FRONT    "/local/domain/7/device/9pfs/0"
#define DEVICE_BACK     "/local/domain/0/backend/9pfs/7/0"

typedef struct Device {
    Loop *loop;
    int handle;                 /* of the event channels */
    int ports[DEVICE_RINGS];
    unsigned nr_rings;          /* 0: there are none now */
    Flex rings[DEVICE_RINGS];
    bool honest;                /* what is shared is as the guest made it */
    bool exact;                 /* every request has to be answered */
    unsigned requests, replies; /* since the rings were made */
} Device;

/*
 * device_init: once in a process: the guest's memory and event channels.
 * device_add: what the toolstack writes, as the input says.
 * device_connect: rings, as the input says, and the frontend's nodes.
 * device_remove: everything goes. Asserts that the backend holds nothing.
 */
void device_init(Device *d);
void device_add(Device *d, Input *in);
void device_connect(Device *d, Input *in);
void device_remove(Device *d);

/*
 * device_drop_rings: the frontend's rings, after the backend has closed.
 * device_state: write the frontend's state.
 * device_notify: raise the event of a ring.
 * device_consume: take replies, at most @max, and check that they are whole.
 * device_finish: take replies until no more come; assert that none is
 *     missing.
 */
void device_drop_rings(Device *d);
void device_state(int state);
void device_notify(Device *d, unsigned ring);
void device_consume(Device *d, unsigned ring, unsigned max);
void device_finish(Device *d);

#endif
