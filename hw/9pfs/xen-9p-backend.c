/*
 * Xen 9P backend: the glue
 *
 * Xenbus handshake and errors, on QEMU's legacy backend framework. What
 * travels over the rings is the transport's business (xen-9p-flex.c,
 * xen-9p-virtfs.c). Implements "Xenstore" and "State Machine" of Xen's
 * docs/misc/9pfs.pandoc and of docs/specs/xen-virtfs.rst.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-device.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/9pfs/xen-9p-offer.h"
#include "hw/9pfs/xen-9p-ring.h"
#include "hw/9pfs/xen-9p-start.h"
#include "hw/9pfs/xen-9p-throttle.h"
#include "hw/xen/io/virtfs.h"
#include "system/system.h"
#include "trace.h"

static const Xen9pfsType types[] = {
    {
        .name = "9pfs",
        .transport = &xen_9pfs_flex_transport,
        .offer = {
            { "versions", 1 },
            { "max-rings", XEN_9PFS_MAX_RINGS },
            { "max-ring-page-order", XEN_9P_RING_ORDER_MAX },
        },
        .read_rings = xen_9p_offer_rings,
    }, {
        .name = XEN_VIRTFSIF_TYPE,
        .transport = &xen_9pfs_virtfs_transport,
        .offer = {
            { XEN_VIRTFSIF_NODE_MAX_RING_ORDER, XEN_9PFS_MAX_RING_ORDER },
            { XEN_VIRTFSIF_NODE_MAX_INDIRECT,
              XEN_VIRTFSIF_SEGMENTS_PER_PAGE },
            { XEN_VIRTFSIF_NODE_PERSISTENT, 1 },
            { XEN_VIRTFSIF_NODE_MAX_PERSISTENT, XEN_9P_GRANT_CACHE_MAX },
            { XEN_VIRTFSIF_NODE_MAX_QUEUES, XEN_9PFS_MAX_RINGS },
        },
        .read_rings = xen_9p_offer_queues,
    },
};

static Xen9pfsDevice *device_of(XenLegacyDevice *xendev)
{
    return container_of(xendev, Xen9pfsDevice, xendev);
}

/* ---- Session ---- */

/*
 * End the device's session, if it has one. What its requests need stays
 * until they are done; there is no new session before.
 */
static void session_close(Xen9pfsDevice *dev)
{
    Xen9pfsSession *session = dev->session;
    const Error *failure;

    if (!session) {
        return;
    }
    failure = xen_9pfs_session_failure(session);
    trace_xen_9pfs_disconnect(session->name, failure ?
                              error_get_pretty(failure) : "closed");
    xen_9p_watch_end(&dev->watch);
    dev->session = NULL;
    dev->leaving = session;
    if (!xen_9pfs_session_released(session)) {
        xen_9p_device_await_release(dev);
    }
    xen_9pfs_session_close(session);
}

/* The device goes away, a session that is leaving does not need it. */
static void session_orphan(Xen9pfsDevice *dev)
{
    if (dev->leaving) {
        dev->leaving->dev = NULL;
        dev->leaving = NULL;
    }
}

/* ---- A device that a backend which has died has left ---- */

/* Whether another backend lives: an event channel is bound but once. */
static bool device_is_served(XenLegacyDevice *xendev, const Xen9pfsType *type)
{
    Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS];
    Error *err = NULL;
    int port;

    if (type->read_rings(xendev, conf, &err) <= 0) {
        error_free(err);
        return false;
    }
    port = qemu_xen_evtchn_bind_interdomain(xendev->evtchndev, xendev->dom,
                                            conf[0].port);
    if (port < 0) {
        return true;
    }
    qemu_xen_evtchn_unbind(xendev->evtchndev, port);
    return false;
}

/*
 * The framework takes no device whose backend is not Initialising. Here it is
 * put there, unless it is being removed or another backend serves it.
 */
static void device_inherit(Xen9pfsDevice *dev)
{
    XenLegacyDevice *xendev = &dev->xendev;
    int online, before, fe_state;

    if (xenstore_read_be_int(xendev, "online", &online) < 0 || !online ||
        xenstore_read_be_int(xendev, "state", &before) < 0 ||
        before == XenbusStateInitialising) {
        return;
    }
    xendev->fe = xenstore_read_be_str(xendev, "frontend");
    if (xendev->fe && xenstore_read_fe_int(xendev, "state", &fe_state) == 0) {
        dev->inherited = fe_state == XenbusStateConnected ||
            (fe_state == XenbusStateInitialised &&
             (before == XenbusStateConnected ||
              before == XenbusStateClosing));
        if (dev->inherited && device_is_served(xendev, dev->type)) {
            error_report("xen %s of domain %d: another process serves it",
                         xendev->name, xendev->dom);
        } else {
            trace_xen_9pfs_inherit(xendev->name, before, fe_state);
            xenstore_write_be_int(xendev, "state", XenbusStateInitialising);
        }
    }
    /* The framework finds it for itself. */
    g_free(xendev->fe);
    xendev->fe = NULL;
}

/*
 * True where the frontend has yet to let go of what it had with the other
 * backend. Its files and requests are lost; it is told so by Closing.
 */
static bool device_disown(Xen9pfsDevice *dev)
{
    XenLegacyDevice *xendev = &dev->xendev;
    bool inherited = dev->inherited;

    dev->inherited = false;
    if (!inherited || (xendev->fe_state != XenbusStateInitialised &&
                       xendev->fe_state != XenbusStateConnected)) {
        return false;
    }
    xen_9p_device_set_state(dev, XenbusStateClosing);
    return true;
}

/* ---- Device: what the framework calls ---- */

static void device_fail(Xen9pfsDevice *dev, const Error *err)
{
    xen_9p_device_report(dev, err);
    session_close(dev);
    xen_9p_device_leave(dev, XenbusStateClosing);
}

static void device_get_stats(Object *obj, Visitor *v, const char *name,
                             void *opaque G_GNUC_UNUSED, Error **errp)
{
    Xen9pfsSession *session = device_of(XENBACKEND(obj))->session;
    const Xen9pfsStats none = { 0 };

    xen_9pfs_stats_visit(session ? &session->stats : &none, v, name, errp);
}

/* The domain is gone, or going: its error nodes are nobody's from now on. */
static void device_exit(Notifier *notifier, void *data G_GNUC_UNUSED)
{
    xen_9p_device_clear_error(container_of(notifier, Xen9pfsDevice, exit));
}

static void device_alloc(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);

    trace_xen_9pfs_alloc(xendev->name);
    xen_9p_device_init(dev);
    xen_9p_watch_init(&dev->watch);
    dev->exit.notify = device_exit;
    qemu_add_exit_notifier(&dev->exit);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (g_str_equal(xendev->type, types[i].name)) {
            dev->type = &types[i];
        }
    }
    /* Only the framework may remove it, when its nodes have gone. */
    error_setg(&dev->unplug_blocker, "%s is a backend, to end it remove its "
               "nodes from xenstore", xendev->name);
    qdev_add_unplug_blocker(DEVICE(xendev), dev->unplug_blocker);
    object_property_add(OBJECT(xendev), "stats", "Xen9pfsStats",
                        device_get_stats, NULL, NULL, NULL);
    device_inherit(dev);
}

static bool frontend_is_ready(const XenLegacyDevice *xendev)
{
    return xendev->fe_state == XenbusStateInitialised ||
        xendev->fe_state == XenbusStateConnected;
}

/*
 * InitWait -> Connected. Until the session is connected the state is one, in
 * memory alone, that the framework does nothing in.
 */
static void device_connect(Xen9pfsDevice *dev)
{
    Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS];
    XenLegacyDevice *xendev = &dev->xendev;
    Error *err = NULL;
    int num;

    if (xendev->be_state != XenbusStateInitWait || !dev->session ||
        !frontend_is_ready(xendev)) {
        return;
    }
    num = dev->type->read_rings(xendev, conf, &err);
    if (num > 0) {
        xendev->be_state = XenbusStateInitialised;
        xen_9pfs_session_connect(dev->session, conf, num);
    } else {
        device_fail(dev, err);
        error_free(err);
    }
}

/*
 * The framework would connect a frontend as well, but it logs each failure,
 * and a guest can fail as often as it likes.
 */
static int device_initialise(XenLegacyDevice *xendev)
{
    device_connect(device_of(xendev));
    return -1;
}

static void device_connected(Xen9pfsDevice *dev)
{
    if (dev->xendev.be_state == XenbusStateInitialised) {
        trace_xen_9pfs_connect(dev->xendev.name, dev->session->num_rings);
        xen_9p_device_set_state(dev, XenbusStateConnected);
    }
}

/* Initialising -> InitWait, when the share is open */
static void device_opened(Xen9pfsDevice *dev)
{
    XenLegacyDevice *xendev = &dev->xendev;
    V9fsState *s = &dev->session->state;
    Error *err = NULL;

    if (xendev->be_state != XenbusStateInitialising || !xendev->online) {
        return;
    }
    xen_9p_throttle_resume(s->ctx.fst, &dev->used);
    xen_9p_device_clear_error(dev);
    trace_xen_9pfs_init(xendev->name, s->ctx.fs_root, s->tag);
    if (!xen_9p_device_set_state(dev, XenbusStateInitWait)) {
        error_setg(&err, "%s: cannot write to xenstore", xendev->be);
        device_fail(dev, err);
        error_free(err);
        return;
    }
    device_connect(dev);
}

/* A session has come further. */
static void device_follow(Xen9pfsSession *session)
{
    Xen9pfsDevice *dev = session->dev;
    const Error *failure = xen_9pfs_session_failure(session);

    if (!dev) {
        return;
    }
    if (dev->leaving == session) {
        if (xen_9pfs_session_released(session)) {
            xen_9p_device_settle(dev);
        }
    } else if (failure) {
        device_fail(dev, failure);
    } else if (xen_9pfs_session_phase(session) == XEN_9PFS_OPEN) {
        device_opened(dev);
    } else if (xen_9pfs_session_phase(session) == XEN_9PFS_CONNECTED) {
        device_connected(dev);
        xen_9p_watch_begin(&dev->watch, session);
    }
}

static void device_gone(Xen9pfsSession *session)
{
    Xen9pfsDevice *dev = session->dev;

    if (!dev) {
        return;
    }
    if (session->state.ctx.fst) {
        dev->used = session->state.ctx.fst->ts;
    }
    dev->leaving = NULL;
    xen_9p_device_settle(dev);
    xen_be_check_state(&dev->xendev);
}

/*
 * Begin to open the share. The framework is told that it failed, for it is
 * not done when this returns; device_opened() does what is left.
 */
static int device_init(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);
    Error *err = NULL;

    if (dev->session) {
        device_follow(dev->session);
        return -1;
    }
    /* The framework tries again when a session that leaves is gone. */
    if (dev->leaving || device_disown(dev)) {
        return -1;
    }
    if (dev->thread.iothread ||
        xen_9p_thread_find(&dev->thread, xendev, &err)) {
        dev->session = xen_9pfs_session_new(xendev, dev->type->transport,
                                            &dev->thread, device_follow,
                                            device_gone, &err);
    }
    if (dev->session) {
        dev->session->dev = dev;
        if (dev->thread.iothread && xen_9p_start_goes_on()) {
            xen_9p_start_await(&dev->session->opened);
            device_follow(dev->session);
        }
    } else {
        device_fail(dev, err);
        error_free(err);
    }
    return -1;
}

/* The framework goes to the frontend's state after this. */
static void device_disconnect(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);

    session_close(dev);
    xen_9p_device_leave(dev, xendev->fe_state);
}

static int device_free(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);

    session_close(dev);
    session_orphan(dev);
    xen_9p_device_fini(dev);
    xen_9p_watch_fini(&dev->watch);
    xen_9p_thread_leave(&dev->thread);
    qemu_remove_exit_notifier(&dev->exit);
    xen_9p_device_clear_error(dev);
    qdev_del_unplug_blocker(DEVICE(xendev), dev->unplug_blocker);
    error_free(dev->unplug_blocker);
    trace_xen_9pfs_free(xendev->name);
    return 0;
}

/*
 * What the framework's state machine leaves out. It runs right after this,
 * with the states as they are left here.
 */
static void device_frontend_changed(XenLegacyDevice *xendev, const char *node)
{
    Xen9pfsDevice *dev = device_of(xendev);

    if (!g_str_equal(node, "state")) {
        return;
    }
    switch (xendev->fe_state) {
    case XenbusStateInitialised:
    case XenbusStateConnected:
        device_connect(dev);
        if (xendev->be_state == XenbusStateClosed &&
            xendev->fe_state == XenbusStateInitialised) {
            /* Older Linux, loaded again: it does not ask for a new start. */
            xen_9p_device_set_state(dev, XenbusStateInitialising);
        }
        break;
    case XenbusStateInitialising:
        /* A new frontend whose predecessor did not say goodbye: kexec. */
        if (xendev->be_state == XenbusStateInitialised ||
            xendev->be_state == XenbusStateConnected ||
            xendev->be_state == XenbusStateClosing) {
            session_close(dev);
            xen_9p_device_leave(dev, XenbusStateClosed);
        }
        break;
    case XenbusStateClosed:
        /* The framework would not wait. */
        if (xendev->be_state == XenbusStateClosing) {
            xen_9p_device_leave(dev, XenbusStateClosed);
        }
        break;
    case XenbusStateUnknown:
        /* Removed, and soon the backend's too: then write nothing there. */
        session_close(dev);
        xen_9p_device_leave(dev, XenbusStateClosed);
        break;
    default:
        break;
    }
}

static const struct XenDevOps xen_9pfs_ops = {
    .size = sizeof(Xen9pfsDevice),
    .alloc = device_alloc,
    .init = device_init,
    .initialise = device_initialise,
    .disconnect = device_disconnect,
    .free = device_free,
    .frontend_changed = device_frontend_changed,
};

static void xen_9pfs_register(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        xen_be_register(types[i].name, &xen_9pfs_ops);
    }
}
xen_backend_init(xen_9pfs_register);
