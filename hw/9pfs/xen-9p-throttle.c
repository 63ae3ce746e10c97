/*
 * Xen 9P backend: what a device has used of its limits
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-throttle.h"

static bool same_limit(const LeakyBucket *a, const LeakyBucket *b)
{
    return a->avg == b->avg && a->max == b->max &&
        a->burst_length == b->burst_length;
}

void xen_9p_throttle_resume(FsThrottle *fst, const ThrottleState *kept)
{
    if (!throttle_enabled(&fst->cfg)) {
        return;
    }
    for (size_t i = 0; i < BUCKETS_COUNT; i++) {
        LeakyBucket *bucket = &fst->ts.cfg.buckets[i];
        const LeakyBucket *before = &kept->cfg.buckets[i];

        /* By another limit, what was used might block for hours. */
        if (same_limit(bucket, before)) {
            bucket->level = before->level;
            bucket->burst_level = before->burst_level;
        }
    }
    /* The time between the two sessions counts, too. */
    fst->ts.previous_leak = kept->previous_leak;
}
