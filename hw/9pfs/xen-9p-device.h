/*
 * Xen 9P backend: a device, and what is told of it
 *
 * The glue's own (xen-9p-backend.c). Its states and errors are in xenstore, for
 * the frontend and for the toolstack, and errors in QEMU's log.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_DEVICE_H
#define HW_9PFS_XEN_9P_DEVICE_H

#include "hw/9pfs/xen-9p-session.h"
#include "hw/9pfs/xen-9p-thread.h"
#include "hw/9pfs/xen-9p-watch.h"

/* What the two ends of a type of device tell each other in xenstore. */
typedef struct Xen9pfsType {
    const char *name;
    const Xen9pfsTransport *transport;
    struct {
        const char *node;
        int value;
    } offer[6];                 /* ours, before InitWait */
    int (*read_rings)(XenLegacyDevice *xendev, Xen9pfsRingConf *conf,
                      Error **errp);
} Xen9pfsType;

struct Xen9pfsDevice {
    XenLegacyDevice xendev;     /* must be first: the framework allocates */
    const Xen9pfsType *type;
    Xen9pThread thread;         /* from init() on */
    Xen9pfsSession *session;    /* from init() to disconnect(), or NULL */
    Xen9pfsSession *leaving;    /* closed, but not gone yet, or NULL */
    QEMUTimer *overdue;         /* when that has taken too long */
    bool owed;                  /* xenstore does not have be_state yet */
    Xen9pWatch watch;           /* of its session's event loop */
    ThrottleState used;         /* of its limits, when a session ended last */
    Notifier exit;
    Error *unplug_blocker;
    bool inherited;             /* connected by a backend that has died */
    int64_t log_start;
    unsigned log_lines;
};


/**
 * xen_9p_device_init: be ready for what follows
 * @dev: a device, all zeroes but for what the framework has set
 */
void xen_9p_device_init(Xen9pfsDevice *dev);

/**
 * xen_9p_device_fini: free what xen_9p_device_init() has made
 * @dev: the device
 */
void xen_9p_device_fini(Xen9pfsDevice *dev);

/**
 * xen_9p_device_set_state: go to a state, in memory and in xenstore
 * @dev: the device
 * @state: the state; with InitWait goes what its type offers
 *
 * Our idea of the state changes even where xenstore does not take it: what
 * the framework does next has to fit what has been done here.
 *
 * Returns: false if xenstore does not take it. Where the toolstack has removed
 * the device it is not made anew.
 */
bool xen_9p_device_set_state(Xen9pfsDevice *dev, enum xenbus_state state);

/**
 * xen_9p_device_await_release: dev->leaving still uses the frontend's grants
 * @dev: the device
 *
 * The frontend waits for them: not for long where calls of the host's file
 * system have them, to the end where they are being unmapped.
 */
void xen_9p_device_await_release(Xen9pfsDevice *dev);

/**
 * xen_9p_device_leave: go to a state by which the frontend is told that its
 * grants are its own again: in memory, and in xenstore as soon as that is true
 * @dev: the device
 * @state: Closing or Closed
 */
void xen_9p_device_leave(Xen9pfsDevice *dev, enum xenbus_state state);

/**
 * xen_9p_device_settle: that is true now
 * @dev: the device
 */
void xen_9p_device_settle(Xen9pfsDevice *dev);

/**
 * xen_9p_device_report: tell the operator: one line in QEMU's log, and the
 * error node that xenbus keeps for a backend
 * @dev: the device
 * @err: what is wrong
 */
void xen_9p_device_report(Xen9pfsDevice *dev, const Error *err);

/**
 * xen_9p_device_clear_error: remove that node
 * @dev: the device
 */
void xen_9p_device_clear_error(Xen9pfsDevice *dev);

#endif
