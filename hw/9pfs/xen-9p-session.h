/*
 * Xen 9P backend: the life of a session
 *
 * What xen-9pfs.h declares of sessions is for the transports; this is for the
 * glue, which owns them. All of it is called in the main thread, and none of
 * it waits.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_SESSION_H
#define HW_9PFS_XEN_9P_SESSION_H

#include "hw/9pfs/xen-9pfs.h"

/**
 * xen_9pfs_session_new: a session that begins to open its share
 * @xendev: the device, whose nodes are checked
 * @transport: of its type
 * @thread: whose event loop it is to have
 * @report: called when it has come further, or has failed
 * @gone: called last, before it is freed
 * @errp: set where a node is wrong
 *
 * Returns: the session, or NULL.
 */
Xen9pfsSession *xen_9pfs_session_new(XenLegacyDevice *xendev,
                                     const Xen9pfsTransport *transport,
                                     const Xen9pThread *thread,
                                     void (*report)(Xen9pfsSession *session),
                                     void (*gone)(Xen9pfsSession *session),
                                     Error **errp);

/**
 * xen_9pfs_session_connect: map and bind what the frontend offers
 * @session: a session that is OPEN
 * @conf: its rings
 * @num_rings: how many they are
 */
void xen_9pfs_session_connect(Xen9pfsSession *session,
                              const Xen9pfsRingConf *conf, unsigned num_rings);

/**
 * xen_9pfs_session_close: take no more requests, and go when those in flight
 * have ended
 * @session: the session
 */
void xen_9pfs_session_close(Xen9pfsSession *session);

/**
 * xen_9pfs_session_phase: how far it has come
 * @session: the session
 */
Xen9pfsPhase xen_9pfs_session_phase(const Xen9pfsSession *session);

/**
 * xen_9pfs_session_released: whether it uses nothing of the frontend
 * @session: a session that is closed
 */
bool xen_9pfs_session_released(const Xen9pfsSession *session);

/**
 * xen_9pfs_session_failure: why it has to end
 * @session: the session, which keeps it
 *
 * Returns: NULL if all is well.
 */
const Error *xen_9pfs_session_failure(const Xen9pfsSession *session);

#endif
