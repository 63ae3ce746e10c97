/*
 * Xen 9P backend: what QEMU's start waits for
 *
 * At its end QEMU gives up its rights, or its root: shares that are there by
 * then are opened before. Of the command line's, what cannot be used is an
 * error. Later, nothing of the main thread waits for a share.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_START_H
#define HW_9PFS_XEN_9P_START_H

#include "qemu/thread.h"

/**
 * xen_9p_start_goes_on: whether QEMU is starting
 */
bool xen_9p_start_goes_on(void);

/**
 * xen_9p_start_await: have the start wait, ten seconds for all shares together
 * @done: what another thread posts; it may do so later
 *
 * Returns: false if it has not done so.
 */
bool xen_9p_start_await(QemuSemaphore *done);

/**
 * xen_9p_start_look: whether the folder of a share can be used
 * @path: the folder
 * @errp: set where not
 *
 * Returns: true if it can, or if that is for the backend to find out: after
 * the start, or where it takes too long.
 */
bool xen_9p_start_look(const char *path, Error **errp);

#endif
