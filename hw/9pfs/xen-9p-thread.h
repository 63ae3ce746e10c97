/*
 * Xen 9P backend: the thread of a device
 *
 * An IOThread: one of the device's own, or one that the operator has made for
 * several. Who uses one has a reference to it. A thread that is stuck in the
 * host's file system cannot be ended; it stays, without a name, until those
 * who refer to it are done, and QEMU's own end does not wait for it.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_THREAD_H
#define HW_9PFS_XEN_9P_THREAD_H

#include "hw/xen/xen-legacy-backend.h"
#include "system/iothread.h"

typedef struct Xen9pThread {
    IOThread *iothread;         /* a reference, or NULL: the main loop */
    bool own;                   /* no other device's; it ends with this one */
} Xen9pThread;

/* For the fuzzers: all devices are in the main loop. */
extern bool xen_9p_thread_none;

/**
 * xen_9p_thread_find: the thread that a device's nodes ask for
 * @thread: to fill in, with a reference; all zeroes
 * @xendev: the device
 * @errp: set where there is no such thread: names the node
 *
 * Returns: false where there is none.
 */
bool xen_9p_thread_find(Xen9pThread *thread, XenLegacyDevice *xendev,
                        Error **errp);

/**
 * xen_9p_thread_use: have a reference for something that may outlive the device
 * @thread: the device's
 * @to: set to the same
 *
 * Returns: its event loop.
 */
AioContext *xen_9p_thread_use(const Xen9pThread *thread, Xen9pThread *to);

/**
 * xen_9p_thread_put: give that back
 * @thread: what xen_9p_thread_use() has set, or all zeroes
 */
void xen_9p_thread_put(Xen9pThread *thread);

/**
 * xen_9p_thread_leave: the device does not need it any more
 * @thread: what xen_9p_thread_find() has filled in, or all zeroes
 *
 * If it is the device's own its name is free then; it ends when sessions have
 * given their references back.
 */
void xen_9p_thread_leave(Xen9pThread *thread);

#endif
