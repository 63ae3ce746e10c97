/*
 * Xen 9P backend: what a frontend offers, as its nodes in xenstore have it
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_OFFER_H
#define HW_9PFS_XEN_9P_OFFER_H

#include "hw/9pfs/xen-9pfs.h"

/**
 * xen_9p_offer_rings: the rings that a frontend of type 9pfs offers
 * @xendev: the device
 * @conf: filled in, one element a ring
 * @errp: set where a node is missing or out of range
 *
 * Returns: the number of rings, 1 to XEN_9PFS_MAX_RINGS, or -errno.
 */
int xen_9p_offer_rings(XenLegacyDevice *xendev,
                       Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS], Error **errp);

/**
 * xen_9p_offer_queues: the queues that a frontend of type virtfs offers
 *
 * As xen_9p_offer_rings().
 */
int xen_9p_offer_queues(XenLegacyDevice *xendev,
                        Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS],
                        Error **errp);

#endif
