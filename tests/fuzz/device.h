/*
 * One device from the toolstack's and the guest's side, for the fuzzers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include <glib.h>

#include "core/loop.h"

/* It needs what loop.h includes. */
#include <xen/io/xenbus.h>

#include "request.h"

#define DEVICE_DOMID    7
#define DEVICE_RINGS    8

typedef struct Device Device;

/*
 * What the types of devices differ in.
 *
 * add: more of the backend's nodes, as the input says; or NULL.
 * connect: make d->nr_rings rings and the frontend's nodes, all of it as the
 *     input says.
 * drop: end the rings' grants, free their pages; returns how many of them the
 *     backend still uses.
 * send: a request in the plainest way, if there is room; without an event.
 * consume: take replies of a ring, at most @max, and check them.
 */
typedef struct DeviceType {
    const char *name;
    const char *const *front_nodes;
    unsigned num_front_nodes;
    void (*add)(Device *d, Input *in);
    void (*connect)(Device *d, Input *in);
    unsigned (*drop)(Device *d);
    void (*send)(Device *d, unsigned ring, const GByteArray *bytes);
    void (*consume)(Device *d, unsigned ring, unsigned max);
} DeviceType;

struct Device {
    const DeviceType *type;
    char *front, *back;         /* where the nodes are */
    Loop *loop;
    int handle;                 /* of the event channels */
    int ports[DEVICE_RINGS];
    unsigned nr_rings;          /* 0: there are none now */
    bool throttled;             /* requests may have to wait for long */
    bool honest;                /* what is shared is as the guest made it */
    bool exact;                 /* every request has to be answered */
    unsigned requests, replies; /* since the rings were made */
};

/*
 * device_init: once in a process: the guest's memory and event channels.
 * device_add: what the toolstack writes, as the input says.
 * device_connect: rings, as the input says, and the frontend's nodes.
 * device_remove: everything goes. Asserts that the backend holds nothing.
 */
void device_init(Device *d, const DeviceType *type);
void device_add(Device *d, Input *in);
void device_connect(Device *d, Input *in);
void device_remove(Device *d);

/*
 * device_write_front, device_write_back: a node of the device.
 * device_number_front: the same, a number.
 * device_remove_front: a node goes.
 * device_state: write the frontend's state.
 * device_is_connected: whether the backend says so.
 * device_dishonest: the guest no longer knows what is in its rings.
 * device_notify: raise the event of a ring.
 * device_finish: take replies until no more come; assert that none is
 *     missing.
 */
void device_write_front(Device *d, const char *node, const char *value);
void device_write_back(Device *d, const char *node, const char *value);
void device_number_front(Device *d, const char *node, unsigned number);
void device_remove_front(Device *d, const char *node);
void device_state(Device *d, int state);
bool device_is_connected(Device *d);
void device_dishonest(Device *d);
void device_notify(Device *d, unsigned ring);
void device_finish(Device *d);

#endif
