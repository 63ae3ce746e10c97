/*
 * Xen 9P backend: does a session's event loop go on?
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "hw/9pfs/xen-9p-watch.h"

#define WATCH_MS    1000

static void look_later(Xen9pWatch *watch)
{
    timer_mod(watch->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + WATCH_MS);
}

/*
 * With nothing in flight, and no pass for WATCH_MS, there is nothing to watch
 * until xen_9pfs_session_watch() has it looked at again.
 */
static bool is_idle(Xen9pWatch *watch)
{
    Xen9pfsSession *session = watch->session;
    unsigned passes = qatomic_read(&session->passes);

    if (passes != watch->passes || qatomic_read(&session->stats.in_flight)) {
        watch->passes = passes;
        return false;
    }
    qatomic_set(&session->watched, false);
    /* The next pass counts itself before it looks at that. */
    smp_mb();
    return qatomic_read(&session->passes) == passes;
}

static void look(void *opaque)
{
    Xen9pWatch *watch = opaque;
    Xen9pfsSession *session = watch->session;
    unsigned calls = qatomic_read(&session->calls_here);
    bool stuck = calls % 2 && calls == watch->calls;

    watch->calls = calls;
    qatomic_set(&session->stats.stuck,
                stuck ? qatomic_read(&session->stats.stuck) + 1 : 0);
    if (stuck && !watch->told) {
        watch->told = true;
        warn_report("%s: a call of the host's file system has not returned "
                    "for a second, this share waits for it, no other does",
                    session->name);
    }
    if (!is_idle(watch)) {
        look_later(watch);
    }
}

void xen_9p_watch_init(Xen9pWatch *watch)
{
    *watch = (Xen9pWatch) { 0 };
    watch->timer = timer_new_ms(QEMU_CLOCK_REALTIME, look, watch);
}

void xen_9p_watch_fini(Xen9pWatch *watch)
{
    timer_free(watch->timer);
}

void xen_9p_watch_begin(Xen9pWatch *watch, Xen9pfsSession *session)
{
    if (watch->session != session) {
        watch->session = session;
        watch->told = false;
    }
    if (!timer_pending(watch->timer)) {
        look_later(watch);
    }
}

void xen_9p_watch_end(Xen9pWatch *watch)
{
    timer_del(watch->timer);
    watch->session = NULL;
}
