/*
 * Xen 9P backend: the life of a session
 *
 * What xen-9pfs.h declares of sessions is for the transports; this is for the
 * glue, which owns them.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_SESSION_H
#define HW_9PFS_XEN_9P_SESSION_H

#include "hw/9pfs/xen-9pfs.h"

/**
 * xen_9pfs_session_new: all that can be done before there is a frontend
 * @xendev: the device, whose nodes are checked and whose share is opened
 * @transport: of its type
 * @end: runs in a bottom half, with the session, when that has failed, or
 *       when it is closed and a request has ended
 * @errp: set where a node is wrong or the share cannot be opened
 *
 * Returns: a session that is not connected, or NULL.
 */
Xen9pfsSession *xen_9pfs_session_new(XenLegacyDevice *xendev,
                                     const Xen9pfsTransport *transport,
                                     QEMUBHFunc *end, Error **errp);

/**
 * xen_9pfs_session_drain: take no more requests, wait for those in flight
 * @session: the session
 *
 * The wait holds the main loop, but not for long.
 *
 * Returns: false if some still run: @end runs whenever one of them ends.
 */
bool xen_9pfs_session_drain(Xen9pfsSession *session);

/**
 * xen_9pfs_session_busy: whether requests are in flight
 * @session: the session
 */
bool xen_9pfs_session_busy(Xen9pfsSession *session);

/**
 * xen_9pfs_session_free: free a session and all that it has
 * @session: one that is not busy
 */
void xen_9pfs_session_free(Xen9pfsSession *session);

#endif
