/*
 * Xen 9P backend: what a transport has to know of the messages it carries
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_MESSAGE_H
#define HW_9PFS_XEN_9P_MESSAGE_H

#include "hw/9pfs/9p.h"

/*
 * Requests up to this size are copied out of the guest's memory. Of larger
 * ones only the fixed part of a Twrite is copied; the payload is written to
 * the file from where it is.
 */
#define XEN_9P_COPY_MAX         (4096 + P9_IOHDRSZ)
#define XEN_9P_HEAD             23

/**
 * xen_9p_message_bound: the most that the reply to a request can need
 * @msg: our own copy of the request's first bytes, its header at least
 * @len: how many there are
 * @limit: the largest message that there is room for
 */
uint32_t xen_9p_message_bound(const uint8_t *msg, uint32_t len,
                              uint32_t limit);

/**
 * xen_9p_message_mend: put in what the server has left out of a reply
 * @pdu: a request that the server has completed with a size of 0, and that
 *       was not cancelled
 * @iov: room for the reply
 * @num: elements of @iov
 *
 * Returns: false if there is no room for it.
 */
bool xen_9p_message_mend(V9fsPDU *pdu, struct iovec *iov, unsigned num);

/**
 * xen_9p_message_error: put an error in the place of a reply
 * @pdu: a request that the server has completed
 * @iov: room for the reply, 11 bytes at least
 * @num: elements of @iov
 * @err: an errno
 *
 * The text that 9P2000.u has with it is cut where there is no room for it.
 *
 * Returns: false if there is no room even then, which 9P2000.L never needs.
 */
bool xen_9p_message_error(V9fsPDU *pdu, struct iovec *iov, unsigned num,
                          int err);

#endif
