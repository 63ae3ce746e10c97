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
#include "hw/9pfs/xen-9p-order.h"

/* Of a larger Twrite not more than the fixed part, its head, is parsed. */
#define XEN_9P_COPY_MAX         (4096 + P9_IOHDRSZ)
#define XEN_9P_HEAD             23

/* A Tflush: size[4] type[1] tag[2] oldtag[2] */
#define XEN_9P_FLUSH_SIZE       9

/**
 * xen_9p_message_bound: the most that the reply to a request can need
 * @msg: our own copy of the request's first bytes, its header at least
 * @len: how many there are
 * @limit: the largest message that there is room for
 */
uint32_t xen_9p_message_bound(const uint8_t *msg, uint32_t len,
                              uint32_t limit);

/**
 * xen_9p_message_curb: ask for no more than the server is to give at once
 * @msg: our own copy of a request, from its header on
 * @len: how much of it that is
 *
 * A Treaddir may have a smaller count than it asks for; the client asks again.
 */
void xen_9p_message_curb(uint8_t *msg, uint32_t len);

/**
 * xen_9p_message_key: which fids a request is about, and what it does there
 * @msg: our own copy of a request, from its header on
 * @len: how much of it that is
 * @key: to fill in; has no fids where the message is too short for them
 */
void xen_9p_message_key(const uint8_t *msg, uint32_t len, Xen9pOrderKey *key);

/**
 * xen_9p_message_mend: put in what the server has left out of a reply
 * @pdu: a request that was completed with a size of 0, and that was not
 *       cancelled
 * @iov: room for the reply
 * @num: elements of @iov
 * @err: an errno, for where it has to be an error
 *
 * Returns: false if there is no room for it.
 */
bool xen_9p_message_mend(V9fsPDU *pdu, struct iovec *iov, unsigned num,
                         int err);

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
