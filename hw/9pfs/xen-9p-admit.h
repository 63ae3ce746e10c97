/*
 * Xen 9P backend: which requests the server gets, and when
 *
 * Every request of either transport goes through here: it may have to wait
 * for others (xen-9p-order.h), or ask for more than a session may have
 * (xen-9p-limit.h) and be refused.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_ADMIT_H
#define HW_9PFS_XEN_9P_ADMIT_H

#include "hw/9pfs/xen-9pfs.h"

/**
 * xen_9pfs_admit: whether a request may go to the server now
 * @session: the session
 * @ring: where it is the next request
 * @msg: our own copy of it, from its header on
 * @len: how much of it that is, all but the payload of a Twrite
 * @behind: as for xen_9p_order_may()
 * @owing: likewise
 * @admission: to fill in, for xen_9pfs_submit()
 *
 * Returns: false if it has to wait until others have ended.
 */
bool xen_9pfs_admit(Xen9pfsSession *session, unsigned ring, const uint8_t *msg,
                    uint32_t len, bool behind, bool owing,
                    Xen9pAdmission *admission);

/**
 * xen_9pfs_submit: hand a request to the server, or answer it with an error
 * @session: the session
 * @pdu: its PDU, with room for a reply
 * @header: its header
 * @admission: of xen_9pfs_admit()
 *
 * It may have been answered when this returns.
 */
void xen_9pfs_submit(Xen9pfsSession *session, V9fsPDU *pdu,
                     const P9MsgHeader *header,
                     const Xen9pAdmission *admission);

/**
 * xen_9pfs_finished: a request has been answered
 * @session: the session
 * @pdu: its PDU, in push_and_notify()
 */
void xen_9pfs_finished(Xen9pfsSession *session, V9fsPDU *pdu);

/**
 * xen_9pfs_mend: put in what was left out of a reply, see xen_9p_message_mend()
 * @session: the session
 * @pdu: a request that was completed with a size of 0
 * @iov: room for the reply
 * @num: elements of @iov
 *
 * Returns: false if there is no room for it.
 */
bool xen_9pfs_mend(Xen9pfsSession *session, V9fsPDU *pdu, struct iovec *iov,
                   unsigned num);

#endif
