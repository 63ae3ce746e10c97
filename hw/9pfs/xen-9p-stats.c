/*
 * Xen 9P backend: what a session has done, for an operator to ask
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "hw/9pfs/9p.h"
#include "hw/9pfs/xen-9p-stats.h"

/* What the 9P specifications call them, without the T; NULL: none. */
static const char *const type_names[XEN_9PFS_STATS_TYPES / 2] = {
    [0] = "other",
    [P9_TSTATFS / 2] = "statfs",
    [P9_TLOPEN / 2] = "lopen",
    [P9_TLCREATE / 2] = "lcreate",
    [P9_TSYMLINK / 2] = "symlink",
    [P9_TMKNOD / 2] = "mknod",
    [P9_TRENAME / 2] = "rename",
    [P9_TREADLINK / 2] = "readlink",
    [P9_TGETATTR / 2] = "getattr",
    [P9_TSETATTR / 2] = "setattr",
    [P9_TXATTRWALK / 2] = "xattrwalk",
    [P9_TXATTRCREATE / 2] = "xattrcreate",
    [P9_TREADDIR / 2] = "readdir",
    [P9_TFSYNC / 2] = "fsync",
    [P9_TLOCK / 2] = "lock",
    [P9_TGETLOCK / 2] = "getlock",
    [P9_TLINK / 2] = "link",
    [P9_TMKDIR / 2] = "mkdir",
    [P9_TRENAMEAT / 2] = "renameat",
    [P9_TUNLINKAT / 2] = "unlinkat",
    [P9_TVERSION / 2] = "version",
    [P9_TAUTH / 2] = "auth",
    [P9_TATTACH / 2] = "attach",
    [P9_TFLUSH / 2] = "flush",
    [P9_TWALK / 2] = "walk",
    [P9_TOPEN / 2] = "open",
    [P9_TCREATE / 2] = "create",
    [P9_TREAD / 2] = "read",
    [P9_TWRITE / 2] = "write",
    [P9_TCLUNK / 2] = "clunk",
    [P9_TREMOVE / 2] = "remove",
    [P9_TSTAT / 2] = "stat",
    [P9_TWSTAT / 2] = "wstat",
};

/* ---- Requests, in the event loop ---- */

static void times_add(Xen9pfsStatsTimes *times, int64_t ns)
{
    unsigned at = ns <= 0 ? 0 : 64 - clz64(ns >> XEN_9PFS_STATS_SHORTEST);

    xen_9pfs_stat_add(&times->num[MIN(at, XEN_9PFS_STATS_TIMES - 1)], 1);
}

void xen_9pfs_stats_begin(Xen9pfsStats *stats, Xen9pfsStatsFlight *flight,
                          uint8_t type, uint32_t size, int64_t since,
                          int64_t now)
{
    bool known = type < XEN_9PFS_STATS_TYPES && type % 2 == 0 &&
        type_names[type / 2];
    Xen9pfsStatsType *of = &stats->types[known ? type / 2 : 0];
    uint64_t in_flight = qatomic_read(&stats->in_flight) + 1;

    flight->type = known ? type : 0;
    flight->begin = now;
    xen_9pfs_stat_add(&of->requests, 1);
    xen_9pfs_stat_add(&of->bytes_received, size);
    times_add(&stats->queue, now - since);
    qatomic_set(&stats->in_flight, in_flight);
    if (in_flight > qatomic_read(&stats->most_in_flight)) {
        qatomic_set(&stats->most_in_flight, in_flight);
    }
}

void xen_9pfs_stats_end(Xen9pfsStats *stats, const Xen9pfsStatsFlight *flight,
                        uint32_t size, bool error, int64_t now)
{
    Xen9pfsStatsType *of = &stats->types[flight->type / 2];

    xen_9pfs_stat_add(&of->bytes_sent, size);
    xen_9pfs_stat_add(&of->errors, error);
    times_add(&stats->server, now - flight->begin);
    xen_9pfs_stat_add(&stats->in_flight, -1);
}

/* ---- As a property, in any thread ---- */

typedef struct Number {
    const char *name;
    uint64_t value;
} Number;

static bool visit_numbers(Visitor *v, const Number *numbers, size_t num,
                          Error **errp)
{
    for (size_t i = 0; i < num; i++) {
        uint64_t value = numbers[i].value;

        if (!visit_type_uint64(v, numbers[i].name, &value, errp)) {
            return false;
        }
    }
    return true;
}

static bool visit_totals(const Xen9pfsStats *stats, Visitor *v, Error **errp)
{
    uint64_t requests = 0, received = 0, sent = 0, errors = 0;

    for (size_t i = 0; i < ARRAY_SIZE(stats->types); i++) {
        requests += qatomic_read(&stats->types[i].requests);
        received += qatomic_read(&stats->types[i].bytes_received);
        sent += qatomic_read(&stats->types[i].bytes_sent);
        errors += qatomic_read(&stats->types[i].errors);
    }
    const Number all[] = {
        { "rings", qatomic_read(&stats->rings) },
        { "msize", qatomic_read(&stats->msize) },
        { "requests", requests },
        { "bytes-received", received },
        { "bytes-sent", sent },
        { "errors", errors },
        { "in-flight", qatomic_read(&stats->in_flight) },
        { "most-in-flight", qatomic_read(&stats->most_in_flight) },
        { "fids", qatomic_read(&stats->fids) },
        { "most-fids", qatomic_read(&stats->most_fids) },
        { "replies-waited", qatomic_read(&stats->replies_waited) },
        { "calls-in-place", qatomic_read(&stats->calls_in_place) },
        { "calls-in-workers", qatomic_read(&stats->calls_in_workers) },
        { "events", qatomic_read(&stats->events) },
        { "notifications", qatomic_read(&stats->notifications) },
        { "grants", qatomic_read(&stats->grants.mapped) },
        { "grant-maps", qatomic_read(&stats->grants.maps) },
        { "grant-unmaps", qatomic_read(&stats->grants.unmaps) },
        { "grant-copies-from", qatomic_read(&stats->grants.copies_from) },
        { "grant-copies-to", qatomic_read(&stats->grants.copies_to) },
        { "stuck", qatomic_read(&stats->stuck) },
    };

    return visit_numbers(v, all, ARRAY_SIZE(all), errp);
}

static bool visit_type(const Xen9pfsStats *stats, size_t at, Visitor *v,
                       Error **errp)
{
    const Xen9pfsStatsType *of = &stats->types[at];
    const Number all[] = {
        { "requests", qatomic_read(&of->requests) },
        { "bytes-received", qatomic_read(&of->bytes_received) },
        { "bytes-sent", qatomic_read(&of->bytes_sent) },
        { "errors", qatomic_read(&of->errors) },
    };
    bool done;

    if (qatomic_read(&of->requests) == 0) {
        return true;
    }
    if (!visit_start_struct(v, type_names[at], NULL, 0, errp)) {
        return false;
    }
    done = visit_numbers(v, all, ARRAY_SIZE(all), errp) &&
        visit_check_struct(v, errp);
    visit_end_struct(v, NULL);
    return done;
}

static bool visit_types(const Xen9pfsStats *stats, Visitor *v, Error **errp)
{
    bool done = true;

    if (!visit_start_struct(v, "operations", NULL, 0, errp)) {
        return false;
    }
    for (size_t i = 0; done && i < ARRAY_SIZE(type_names); i++) {
        done = !type_names[i] || visit_type(stats, i, v, errp);
    }
    done = done && visit_check_struct(v, errp);
    visit_end_struct(v, NULL);
    return done;
}

static bool visit_times(const Xen9pfsStatsTimes *times, const char *name,
                        Visitor *v, Error **errp)
{
    bool done = true;

    if (!visit_start_list(v, name, NULL, 0, errp)) {
        return false;
    }
    for (size_t i = 0; done && i < ARRAY_SIZE(times->num); i++) {
        uint64_t num = qatomic_read(&times->num[i]);

        done = visit_type_uint64(v, NULL, &num, errp);
    }
    visit_end_list(v, NULL);
    return done;
}

void xen_9pfs_stats_visit(const Xen9pfsStats *stats, Visitor *v,
                          const char *name, Error **errp)
{
    if (!visit_start_struct(v, name, NULL, 0, errp)) {
        return;
    }
    if (visit_totals(stats, v, errp) && visit_types(stats, v, errp) &&
        visit_times(&stats->server, "server-time", v, errp) &&
        visit_times(&stats->queue, "queue-time", v, errp)) {
        visit_check_struct(v, errp);
    }
    visit_end_struct(v, NULL);
}
