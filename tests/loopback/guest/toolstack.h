/*
 * What a toolstack does for a guest: the domain, its nodes, its 9pfs devices
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_TOOLSTACK_H
#define LOOPBACK_TOOLSTACK_H

#include <glib.h>
#include <xenstore.h>

#include "gxs.h"

/* A domain as the toolstack knows it. */
typedef struct Guest {
    Loop *loop;
    struct xs_handle *xsh;      /* the toolstack's, not the guest's */
    domid_t domid;
    uint32_t xs_gfn;
    evtchn_port_t xs_port;
    GuestXs *xs;                /* the guest's own connection */
} Guest;

/*
 * guest_new: make domain @domid, introduce it to xenstored and open its own
 *     connection. Ends the test when it cannot.
 * guest_free: destroy the domain and drop its nodes.
 */
Guest *guest_new(Loop *loop, struct xs_handle *xsh, domid_t domid);
void guest_free(Guest *guest);

/* A device to be made; what is NULL or 0 has the value in brackets. */
typedef struct DeviceOpts {
    const char *type;           /* of the backend ["9pfs"] */
    int devid;
    const char *path;           /* node is left out if NULL */
    const char *security_model; /* ["none"] */
    const char *tag;            /* ["share"] */
    const char *const *more;    /* further backend nodes: name, value, ... */
} DeviceOpts;

/*
 * device_add: write the nodes of both ends as libxl does, with permissions
 *     and in one transaction.
 * device_offline: ask the backend to let go: online 0, state Closing.
 * device_remove: drop the nodes of both ends.
 * device_node: the value of a node of the backend, to be freed, or NULL.
 */
void device_add(Guest *guest, const DeviceOpts *opts);
void device_offline(Guest *guest, const char *type, int devid);
void device_remove(Guest *guest, const char *type, int devid);
char *device_node(Guest *guest, const char *type, int devid,
                  const char *node);

/* Paths of the two ends, to be freed. */
char *device_frontend(const char *type, domid_t domid, int devid);
char *device_backend(const char *type, domid_t domid, int devid);

#endif
