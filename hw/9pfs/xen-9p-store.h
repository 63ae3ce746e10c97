/*
 * Xen 9P backend: several nodes of xenstore at once
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_STORE_H
#define HW_9PFS_XEN_9P_STORE_H

#include "hw/xen/xen-legacy-backend.h"

/* What is done at once: none of it where @errp is set. */
typedef void Xen9pStoreFunc(void *opaque, xs_transaction_t t, Error **errp);

/**
 * xen_9p_store_transact: do all of something in xenstore, or nothing
 * @act: what to do; again where others were at the same nodes, which is to be
 *       nodes that the guest cannot write
 * @opaque: for @act
 * @errp: set where @act sets it, or where xenstore does not take it
 *
 * Returns: true if it is done.
 */
bool xen_9p_store_transact(Xen9pStoreFunc *act, void *opaque, Error **errp);

/**
 * xen_9p_store_has: whether there is a node
 * @t: the transaction, or XBT_NULL
 * @fmt: its path
 */
bool G_GNUC_PRINTF(2, 3) xen_9p_store_has(xs_transaction_t t,
                                          const char *fmt, ...);

/**
 * xen_9p_store_prune: remove a folder if nothing is in it
 * @t: the transaction, or XBT_NULL
 * @path: the folder
 */
void xen_9p_store_prune(xs_transaction_t t, const char *path);

#endif
