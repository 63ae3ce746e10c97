/*
 * xen-virtfs: the 9P devices of domains, as they are in xenstore
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_DEVICE_H
#define XEN_VIRTFS_DEVICE_H

#include <xen/io/xenbus.h>

#include "host.h"

typedef struct Device {
    unsigned domid;
    unsigned devid;
    const char *type;           /* of the backend, as in its path */
    const char *protocol;       /* what the guest speaks: 9pfs, virtfs */
    const char *server;         /* qemu, xen-9pfsd */
    char *back;                 /* path of the backend's nodes */
    char *front;                /* and of the frontend's */
    char *tag;                  /* these: NULL where the node is missing */
    char *path;
    char *security_model;
} Device;

/**
 * device_list: all 9P devices, whoever has made them, in order
 * @domid: of one domain; -1: of all
 *
 * Returns: an array of Device, which it owns.
 */
GPtrArray *device_list(Host *host, int domid);
void device_free(Device *dev);

/**
 * device_find: the device that a word of the command line means
 * @word: tag or number, or with a protocol: "virtfs/share"
 * @err: TOOL_NO_DEVICE if there is none, TOOL_REFUSED if there are two
 */
Device *device_find(Host *host, unsigned domid, const char *word,
                    GError **err);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Device, device_free)

/**
 * device_at: a device by the parts of its path; NULL if there is none
 */
Device *device_at(Host *host, const char *protocol, unsigned domid,
                  unsigned devid);

/**
 * device_state: of its backend or its frontend, as of now
 * @end: the path of that end's nodes
 */
XenbusState device_state(Host *host, const char *end);

/**
 * device_state_name: in words
 */
const char *device_state_name(XenbusState state);

/**
 * device_error: what xenbus's error node says of the backend, to be freed;
 *               NULL: nothing
 */
char *device_error(Host *host, const Device *dev);

/**
 * device_await: wait until its backend or its frontend has one of some states
 * @end: the path of that end's nodes
 * @mask: bits 1 << XenbusState
 *
 * Returns: whether it has, in host->timeout_ms.
 */
bool device_await(Host *host, const char *end, unsigned mask);

#define STATE(name) (1u << XenbusState##name)

/**
 * device_close: ask both ends to let go, as libxl does
 */
bool device_close(Host *host, const Device *dev, GError **err);

/**
 * device_is_libxl: whether libxl has made it
 */
bool device_is_libxl(Host *host, const Device *dev);

/**
 * device_remove: remove the nodes of both ends, and libxl's note
 */
bool device_remove(Host *host, const Device *dev, GError **err);

#endif
