/*
 * Xen 9P backend: what a session has done, for an operator to ask
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-stats.h"

void xen_9pfs_stats_visit(const Xen9pfsStats *stats, Visitor *v,
                          const char *name, Error **errp)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        { "rings", stat64_get(&stats->rings) },
        { "msize", stat64_get(&stats->msize) },
        { "requests", stat64_get(&stats->requests) },
        { "bytes-received", stat64_get(&stats->bytes_received) },
        { "bytes-sent", stat64_get(&stats->bytes_sent) },
        { "in-flight", stat64_get(&stats->in_flight) },
        { "fids", stat64_get(&stats->fids) },
        { "most-fids", stat64_get(&stats->most_fids) },
        { "grants", stat64_get(&stats->grants) },
        { "stuck", stat64_get(&stats->stuck) },
    };

    if (!visit_start_struct(v, name, NULL, 0, errp)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        uint64_t value = all[i].value;

        if (!visit_type_uint64(v, all[i].name, &value, errp)) {
            goto out;
        }
    }
    visit_check_struct(v, errp);
out:
    visit_end_struct(v, NULL);
}
