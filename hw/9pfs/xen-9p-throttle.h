/*
 * Xen 9P backend: what a device has used of its limits
 *
 * QEMU's limits are of an fsdev, and each session has one of its own. What is
 * used of them belongs to the device: a guest must not get it back by
 * connecting again.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_THROTTLE_H
#define HW_9PFS_XEN_9P_THROTTLE_H

#include "fsdev/qemu-fsdev-throttle.h"

/**
 * xen_9p_throttle_resume: let a new session go on where the last ended
 * @fst: the new one's, which no request has used yet
 * @kept: the last one's, at its end; all zeroes if there was none
 *
 * A limit that has changed since then begins with nothing used.
 */
void xen_9p_throttle_resume(FsThrottle *fst, const ThrottleState *kept);

#endif
