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
#include "qemu/stats64.h"

/*
 * Since the frontend connected. One thread writes each, the session's event
 * loop where it does not say so, and any thread may read them.
 */
typedef struct Xen9pfsStats {
    Stat64 rings;
    Stat64 requests;            /* taken */
    Stat64 bytes_received;      /* of requests */
    Stat64 bytes_sent;          /* of replies */
    Stat64 grants;              /* pages of the guest that are mapped */
    Stat64 msize;               /* 0: no client has asked for a version */
    Stat64 in_flight;           /* requests that are not answered yet */
    Stat64 fids;
    Stat64 most_fids;           /* at the same time */
    Stat64 stuck;               /* seconds in one call; the main thread's */
} Xen9pfsStats;

/* By the one thread that writes: no locked instruction is needed. */
static inline void xen_9pfs_stat_add(Stat64 *stat, int64_t value)
{
    stat64_set(stat, stat64_get(stat) + value);
}

/**
 * xen_9pfs_stats_visit: as the value of a QOM property
 * @stats: the numbers
 * @v, @name, @errp: as of an ObjectPropertyAccessor
 */
void xen_9pfs_stats_visit(const Xen9pfsStats *stats, Visitor *v,
                          const char *name, Error **errp);

#endif
