/*
 * Xen 9P backend: which calls of the file system run where they stand
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-dispatch.h"

/* Weight of the latest call in a mean: 1/16. */
#define MEAN_SHIFT  4

/*
 * A class in place for so many times its last pause is forgiven: the next
 * pause is short again.
 */
#define FORGIVE     8

/* A call that takes so many hops is worth them. */
#define WORTH       4

/*
 * Calls that run in workers at once wait for one another, for instance for
 * an inode's lock. So many of them are allowed to.
 */
#define PARALLEL_MAX 16

static Xen9pDispatchClass *class_of(Xen9pDispatch *d, uint8_t type,
                                    uint32_t size)
{
    unsigned n = 0;

    /* Up to 4 KiB, 32 KiB, 256 KiB, and more. */
    for (uint32_t limit = 4096; n < XEN_9P_DISPATCH_SIZES - 1 && size > limit;
         limit *= 8) {
        n++;
    }
    return &d->classes[type % XEN_9P_DISPATCH_TYPES / 2][n];
}

static void class_enter(Xen9pDispatchClass *class, int64_t now)
{
    class->here = true;
    class->since = now;
    class->mean = 0;
    class->asleep = 0;
    class->watch = XEN_9P_DISPATCH_WATCH;
}

static void class_leave(Xen9pDispatchClass *class, int64_t now)
{
    int64_t pause = class->pause * 2;

    if (now - class->since > class->pause * FORGIVE) {
        pause = 0;
    }
    class->pause = CLAMP(pause, XEN_9P_DISPATCH_PAUSE_MIN,
                         XEN_9P_DISPATCH_PAUSE_MAX);
    class->until = now + class->pause;
    class->here = false;
    class->proof = 0;
}

bool xen_9p_dispatch_begin(Xen9pDispatch *d, uint8_t type, uint32_t size,
                           Xen9pDispatchRule rule, int64_t now,
                           Xen9pDispatchCall *call)
{
    Xen9pDispatchClass *class = class_of(d, type, size);

    *call = (Xen9pDispatchCall) { .begin = now };
    if (d->mode == XEN_9P_DISPATCH_AUTO && rule != XEN_9P_CALL_MAY_BLOCK) {
        call->class = class;
        if (!class->here && class->proof >= XEN_9P_DISPATCH_PROOF &&
            now >= class->until) {
            class_enter(class, now);
        }
        call->here = class->here;
    }
    if (d->mode == XEN_9P_DISPATCH_INLINE || rule == XEN_9P_CALL_PINNED) {
        call->here = true;
    }
    if (call->here && call->class) {
        class->calls = (class->calls + 1) % XEN_9P_DISPATCH_SAMPLE;
        call->ask = class->watch > 0 || class->calls == 0;
    }
    if (!call->here) {
        d->in_workers++;
        d->peak = MAX(d->peak, d->in_workers);
    }
    return call->here;
}

bool xen_9p_dispatch_here(Xen9pDispatch *d, uint8_t type, uint32_t size)
{
    return d->mode == XEN_9P_DISPATCH_INLINE ||
        (d->mode == XEN_9P_DISPATCH_AUTO && class_of(d, type, size)->here);
}

static void mean_add(int64_t *mean, int64_t value)
{
    *mean += (value - *mean) / (1 << MEAN_SHIFT);
}

/*
 * Where hops are slow, so is everything: it is a slow CPU, or a virtual one.
 * A call that is worth a few hops is better off in place there, too.
 */
static void learn_hop(Xen9pDispatch *d, int64_t hop)
{
    d->hop = d->hops == 0 ? hop : MIN(d->hop, hop);
    d->hops = (d->hops + 1) % XEN_9P_DISPATCH_HOPS;
    if (d->hops == 0) {
        d->slow = CLAMP(WORTH * d->hop, XEN_9P_DISPATCH_SLOW,
                        XEN_9P_DISPATCH_SLOW_MAX);
    }
}

static int64_t slow(const Xen9pDispatch *d)
{
    return d->slow ? d->slow : XEN_9P_DISPATCH_SLOW;
}

/* Returns: true if the class had enough of it. */
static bool learn_here(Xen9pDispatch *d, Xen9pDispatchClass *class,
                       int64_t took, Xen9pDispatchSlept slept, int64_t now)
{
    int64_t counts = took;

    if (!class->here) {
        return false;
    }
    if (class->watch > 0) {
        class->watch--;
    }
    if (took > slow(d)) {
        class->watch = XEN_9P_DISPATCH_WATCH;
    }
    if (took <= XEN_9P_DISPATCH_LONG * slow(d) ||
        slept == XEN_9P_SLEPT_MAYBE) {
        if (slept == XEN_9P_SLEPT_UNKNOWN || slept == XEN_9P_SLEPT_MAYBE) {
            counts = MIN(took, XEN_9P_DISPATCH_CAP * slow(d));
        } else if (slept == XEN_9P_SLEPT_NO) {
            counts = MIN(took, XEN_9P_DISPATCH_CAP_AWAKE * slow(d));
        }
    }
    mean_add(&class->mean, counts);
    if (slept == XEN_9P_SLEPT_YES || slept == XEN_9P_SLEPT_NO) {
        mean_add(&class->asleep, slept == XEN_9P_SLEPT_YES ? took : 0);
    }
    if (class->mean <= slow(d) &&
        class->asleep <= XEN_9P_DISPATCH_WAIT) {
        return false;
    }
    class_leave(class, now);
    return true;
}

static void learn_worker(const Xen9pDispatch *d, Xen9pDispatchClass *class,
                         int64_t took)
{
    if (took > slow(d) * MIN(d->peak, PARALLEL_MAX)) {
        class->proof = 0;
    } else if (class->proof < XEN_9P_DISPATCH_PROOF) {
        class->proof++;
    }
}

bool xen_9p_dispatch_end(Xen9pDispatch *d, const Xen9pDispatchCall *call,
                         int64_t took, Xen9pDispatchSlept slept, int64_t now)
{
    if (call->here) {
        return call->class && learn_here(d, call->class, took, slept, now);
    }
    if (call->class) {
        learn_hop(d, now - call->begin - took);
        learn_worker(d, call->class, took);
    }
    if (--d->in_workers == 0) {
        d->peak = 0;
    }
    return false;
}
