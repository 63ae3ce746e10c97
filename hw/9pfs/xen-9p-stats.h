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
#include "qemu/atomic.h"

/* Requests have even types below 128; what is none of 9P's is of type 0. */
#define XEN_9PFS_STATS_TYPES    128

/*
 * Times by powers of two: the first is below 1024 ns, each of the others
 * below twice the time of the one before it, and the last is all the rest,
 * from 4.3 s on.
 */
#define XEN_9PFS_STATS_TIMES    24
#define XEN_9PFS_STATS_SHORTEST 10

typedef struct Xen9pfsStatsTimes {
    uint64_t num[XEN_9PFS_STATS_TIMES];
} Xen9pfsStatsTimes;

/* Of the requests of one type. */
typedef struct Xen9pfsStatsType {
    uint64_t requests;          /* taken */
    uint64_t bytes_received;    /* of them */
    uint64_t bytes_sent;        /* of their replies */
    uint64_t errors;            /* replies that are one */
} Xen9pfsStatsType;

/* A request in flight. */
typedef struct Xen9pfsStatsFlight {
    uint8_t type;
    int64_t begin;              /* when the server got it */
} Xen9pfsStatsFlight;

/* Operations on grants, and how many pages they were about. */
typedef struct Xen9pfsStatsGrants {
    uint64_t mapped;            /* pages that are mapped now */
    uint64_t maps;
    uint64_t unmaps;
    uint64_t copies_from;       /* from the guest */
    uint64_t copies_to;
} Xen9pfsStatsGrants;

/*
 * Since the frontend connected. One thread writes each, the session's event
 * loop where it does not say so, and any thread may read them.
 */
typedef struct Xen9pfsStats {
    uint64_t rings;
    uint64_t msize;             /* 0: no client has asked for a version */
    uint64_t in_flight;         /* requests that are not answered yet */
    uint64_t most_in_flight;    /* at the same time */
    uint64_t fids;
    uint64_t most_fids;
    uint64_t replies_waited;    /* for room, or for access to the guest */
    uint64_t calls_in_place;    /* of the file system */
    uint64_t calls_in_workers;
    uint64_t events;            /* notifications by the frontend */
    uint64_t notifications;     /* to the frontend */
    uint64_t stuck;             /* seconds in one call; the main thread's */
    Xen9pfsStatsGrants grants;
    Xen9pfsStatsType types[XEN_9PFS_STATS_TYPES / 2];
    Xen9pfsStatsTimes server;   /* with the server */
    Xen9pfsStatsTimes queue;    /* before that, once they were seen */
} Xen9pfsStats;

/* By the one thread that writes: no locked instruction is needed. */
static inline void xen_9pfs_stat_add(uint64_t *stat, int64_t value)
{
    qatomic_set(stat, qatomic_read(stat) + value);
}

/* Pages of the guest were mapped, or unmapped, in one operation. */
static inline void xen_9pfs_stats_map(Xen9pfsStatsGrants *stats, unsigned num)
{
    xen_9pfs_stat_add(&stats->mapped, num);
    xen_9pfs_stat_add(&stats->maps, num);
}

static inline void xen_9pfs_stats_unmap(Xen9pfsStatsGrants *stats,
                                        unsigned num)
{
    xen_9pfs_stat_add(&stats->mapped, -(int64_t)num);
    xen_9pfs_stat_add(&stats->unmaps, num);
}

/**
 * xen_9pfs_stats_begin: the server gets a request
 * @stats: the session's
 * @flight: to fill in, for xen_9pfs_stats_end()
 * @type: of the request
 * @size: its bytes
 * @since: when it was first seen
 * @now: the time
 */
void xen_9pfs_stats_begin(Xen9pfsStats *stats, Xen9pfsStatsFlight *flight,
                          uint8_t type, uint32_t size, int64_t since,
                          int64_t now);

/**
 * xen_9pfs_stats_end: the server is done with it
 * @stats: the session's
 * @flight: as for xen_9pfs_stats_begin()
 * @size: the reply's bytes, 0: there is none
 * @error: whether the reply is an error
 * @now: the time
 */
void xen_9pfs_stats_end(Xen9pfsStats *stats, const Xen9pfsStatsFlight *flight,
                        uint32_t size, bool error, int64_t now);

/**
 * xen_9pfs_stats_visit: as the value of a QOM property
 * @stats: the numbers
 * @v, @name, @errp: as of an ObjectPropertyAccessor
 */
void xen_9pfs_stats_visit(const Xen9pfsStats *stats, Visitor *v,
                          const char *name, Error **errp);

#endif
