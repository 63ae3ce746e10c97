/*
 * Xen 9P backend: a device, and what is told of it
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "hw/9pfs/xen-9p-device.h"
#include "hw/9pfs/xen-9p-store.h"
#include "hw/xen/xen-bus-helper.h"
#include "trace.h"

/*
 * How long a frontend waits for its grants before it is told that it is over,
 * though the host's file system still has them.
 */
#define RELEASE_MS          200

/* What one device may write to the log: a guest can cause errors at will. */
#define LOG_LINES           10
#define LOG_PERIOD_MS       (60 * 1000)

/* ---- States ---- */

/* A state, with InitWait what is offered then; or an error. */
typedef struct Word {
    Xen9pfsDevice *dev;
    enum xenbus_state state;
    const char *error;          /* NULL: the state */
} Word;

static void write_offer(const Word *word, xs_transaction_t t, Error **errp)
{
    ERRP_GUARD();
    const Xen9pfsType *type = word->dev->type;
    const char *be = word->dev->xendev.be;

    xs_node_printf(xenstore, t, be, "hotplug-status", errp, "connected");
    for (size_t i = 0; i < ARRAY_SIZE(type->offer) && type->offer[i].node &&
         !*errp; i++) {
        xs_node_printf(xenstore, t, be, type->offer[i].node, errp, "%d",
                       type->offer[i].value);
    }
}

/*
 * Unless the toolstack has removed the device, or does so now: it is not to be
 * there again.
 */
static void write_word(void *opaque, xs_transaction_t t, Error **errp)
{
    ERRP_GUARD();
    const Word *word = opaque;
    const char *be = word->dev->xendev.be;

    if (!xen_9p_store_has(t, "%s/state", be)) {
        return;
    }
    if (word->error) {
        /* In the form that Linux's backends give it. */
        g_autofree char *base = g_strdup_printf("error/%s", be);

        xs_node_printf(xenstore, t, base, "error", errp, "%d %s", EINVAL,
                       word->error);
        return;
    }
    xs_node_printf(xenstore, t, be, "state", errp, "%d", word->state);
    if (word->state == XenbusStateInitWait && !*errp) {
        write_offer(word, t, errp);
    }
}

static bool device_publish(Xen9pfsDevice *dev, enum xenbus_state state)
{
    return xen_9p_store_transact(write_word, &(Word) { dev, state, NULL },
                                 NULL);
}

bool xen_9p_device_set_state(Xen9pfsDevice *dev, enum xenbus_state state)
{
    if (dev->xendev.be_state == state) {
        return true;
    }
    dev->xendev.be_state = state;
    return device_publish(dev, state);
}

/* Unmapping takes its time, but no file system can hold it up. */
static bool device_unmaps(Xen9pfsDevice *dev)
{
    return dev->leaving &&
        xen_9pfs_session_phase(dev->leaving) == XEN_9PFS_RELEASING;
}

void xen_9p_device_leave(Xen9pfsDevice *dev, enum xenbus_state state)
{
    bool hopeful = timer_pending(dev->overdue) || device_unmaps(dev);

    if (dev->leaving && !xen_9pfs_session_released(dev->leaving) && hopeful) {
        dev->xendev.be_state = state;
        dev->owed = true;
    } else {
        xen_9p_device_set_state(dev, state);
    }
}

void xen_9p_device_settle(Xen9pfsDevice *dev)
{
    XenLegacyDevice *xendev = &dev->xendev;

    timer_del(dev->overdue);
    if (dev->owed && (xendev->be_state == XenbusStateClosing ||
                      xendev->be_state == XenbusStateClosed)) {
        device_publish(dev, xendev->be_state);
    }
    dev->owed = false;
}

/* ---- Errors ---- */

static bool log_allowed(Xen9pfsDevice *dev)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    if (dev->log_lines == 0 || now - dev->log_start > LOG_PERIOD_MS) {
        dev->log_start = now;
        dev->log_lines = 0;
    }
    return dev->log_lines++ < LOG_LINES;
}

void xen_9p_device_report(Xen9pfsDevice *dev, const Error *err)
{
    XenLegacyDevice *xendev = &dev->xendev;
    const char *why = error_get_pretty(err);

    trace_xen_9pfs_error(xendev->name, why);
    if (log_allowed(dev)) {
        error_report("xen %s of domain %d: %s%s", xendev->name, xendev->dom,
                     why, dev->log_lines == LOG_LINES ?
                     " (further errors are not logged for a while)" : "");
    }
    xen_9p_store_transact(write_word, &(Word) { dev, 0, why }, NULL);
}

void xen_9p_device_clear_error(Xen9pfsDevice *dev)
{
    XenLegacyDevice *xendev = &dev->xendev;
    g_autofree char *domain = g_strdup_printf("error/backend/%s/%d",
                                              xendev->type, xendev->dom);
    g_autofree char *base = g_strdup_printf("error/%s", xendev->be);

    if (xen_9p_store_has(XBT_NULL, "%s/error", base)) {
        qemu_xen_xs_destroy(xenstore, XBT_NULL, base);
        xen_9p_store_prune(XBT_NULL, domain);
    }
}

static void device_overdue(void *opaque)
{
    Xen9pfsDevice *dev = opaque;

    if (device_unmaps(dev)) {
        xen_9p_device_await_release(dev);
        return;
    }
    if (dev->leaving && log_allowed(dev)) {
        warn_report("%s: the host's file system is busy with its requests, "
                    "its memory stays mapped until they end",
                    dev->leaving->name);
    }
    xen_9p_device_settle(dev);
}

void xen_9p_device_await_release(Xen9pfsDevice *dev)
{
    timer_mod(dev->overdue, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
              RELEASE_MS);
}

void xen_9p_device_init(Xen9pfsDevice *dev)
{
    dev->overdue = timer_new_ms(QEMU_CLOCK_REALTIME, device_overdue, dev);
}

void xen_9p_device_fini(Xen9pfsDevice *dev)
{
    timer_free(dev->overdue);
}
