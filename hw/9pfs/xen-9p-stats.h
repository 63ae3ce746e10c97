/*
 * Xen 9P backend: what a session has done, for an operator to ask
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_STATS_H
#define HW_9PFS_XEN_9P_STATS_H

#include "qapi/visitor.h"

/* Since the frontend connected. The transport counts, all but the last four. */
typedef struct Xen9pfsStats {
    uint64_t rings;
    uint64_t requests;          /* taken */
    uint64_t bytes_received;    /* of requests */
    uint64_t bytes_sent;        /* of replies */
    uint64_t grants;            /* pages of the guest that are mapped */
    uint64_t msize;             /* 0: no client has asked for a version */
    uint64_t in_flight;         /* requests that are not answered yet */
    uint64_t fids;
    uint64_t most_fids;         /* at the same time */
} Xen9pfsStats;

/**
 * xen_9pfs_stats_visit: as the value of a QOM property
 * @stats: the numbers
 * @v, @name, @errp: as of an ObjectPropertyAccessor
 */
void xen_9pfs_stats_visit(const Xen9pfsStats *stats, Visitor *v,
                          const char *name, Error **errp);

#endif
