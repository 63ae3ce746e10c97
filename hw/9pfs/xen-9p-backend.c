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
#include "system/system.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/9pfs/xen-9p-ring.h"
#include "hw/9pfs/xen-9p-session.h"
#include "hw/9pfs/xen-9p-throttle.h"
#include "hw/xen/io/virtfs.h"
#include "trace.h"

/* What one device may write to the log: a guest can cause errors at will. */
#define LOG_LINES           10
#define LOG_PERIOD_MS       (60 * 1000)

/* What the two ends of a type of device tell each other in xenstore. */
typedef struct DeviceType {
    const char *name;
    const Xen9pfsTransport *transport;
    struct {
        const char *node;
        int value;
    } offer[6];                 /* ours, before InitWait */
    int (*read_rings)(XenLegacyDevice *xendev, Xen9pfsRingConf *conf,
                      Error **errp);
} DeviceType;

static const DeviceType types[] = {
    {
        .name = "9pfs",
        .transport = &xen_9pfs_flex_transport,
        .offer = {
            { "versions", 1 },
            { "max-rings", XEN_9PFS_MAX_RINGS },
            { "max-ring-page-order", XEN_9P_RING_ORDER_MAX },
        },
        .read_rings = xen_9pfs_config_rings,
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
        .read_rings = xen_9pfs_config_queues,
    },
};

struct Xen9pfsDevice {
    XenLegacyDevice xendev;     /* must be first: the framework allocates */
    const DeviceType *type;
    Xen9pfsSession *session;    /* from init() to disconnect(), or NULL */
    Xen9pfsSession *leaving;    /* closed, but requests still run, or NULL */
    ThrottleState used;         /* of its limits, when a session ended last */
    Notifier exit;
    Error *unplug_blocker;
    bool inherited;             /* connected by a backend that has died */
    int64_t log_start;
    unsigned log_lines;
};

static Xen9pfsDevice *device_of(XenLegacyDevice *xendev)
{
    return container_of(xendev, Xen9pfsDevice, xendev);
}

/* ---- Errors ---- */

/* False where the toolstack has removed the device: then write nothing. */
static bool device_exists(Xen9pfsDevice *dev)
{
    g_autofree char *state = xenstore_read_be_str(&dev->xendev, "state");

    return state != NULL;
}

/*
 * Our idea of the state changes even where xenstore does not take it: what
 * the framework does next has to fit what has been done here.
 */
static void device_set_state(Xen9pfsDevice *dev, enum xenbus_state state)
{
    XenLegacyDevice *xendev = &dev->xendev;

    if (xendev->be_state == state) {
        return;
    }
    if (!device_exists(dev) || xen_be_set_state(xendev, state) < 0) {
        xendev->be_state = state;
    }
}

static bool log_allowed(Xen9pfsDevice *dev)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    if (dev->log_lines == 0 || now - dev->log_start > LOG_PERIOD_MS) {
        dev->log_start = now;
        dev->log_lines = 0;
    }
    return dev->log_lines++ < LOG_LINES;
}

/*
 * Tell the operator: one line in QEMU's log, and the error node that xenbus
 * keeps for a backend, in the form that Linux's backends give it.
 */
static void device_report(Xen9pfsDevice *dev, const Error *err)
{
    XenLegacyDevice *xendev = &dev->xendev;
    const char *why = error_get_pretty(err);
    g_autofree char *base = g_strdup_printf("error/%s", xendev->be);
    g_autofree char *value = g_strdup_printf("%d %s", EINVAL, why);

    trace_xen_9pfs_error(xendev->name, why);
    if (log_allowed(dev)) {
        error_report("xen %s of domain %d: %s%s", xendev->name, xendev->dom,
                     why, dev->log_lines == LOG_LINES ?
                     " (further errors are not logged for a while)" : "");
    }
    if (device_exists(dev)) {
        xenstore_write_str(base, "error", value);
    }
}

static void device_clear_error(Xen9pfsDevice *dev)
{
    XenLegacyDevice *xendev = &dev->xendev;
    g_autofree char *domain = g_strdup_printf("error/backend/%s/%d",
                                              xendev->type, xendev->dom);
    g_autofree char *base = g_strdup_printf("error/%s", xendev->be);
    g_autofree char *old = xenstore_read_str(base, "error");
    unsigned int others;
    char **names;

    if (!old) {
        return;
    }
    qemu_xen_xs_destroy(xenstore, XBT_NULL, base);
    names = qemu_xen_xs_directory(xenstore, XBT_NULL, domain, &others);
    if (names && others == 0) {
        qemu_xen_xs_destroy(xenstore, XBT_NULL, domain);
    }
    free(names);
}

/* ---- Session ---- */

static void device_fail(Xen9pfsDevice *dev, const Error *err);

/* No request of it runs; @dev is NULL where the device has gone. */
static void session_end(Xen9pfsDevice *dev, Xen9pfsSession *session)
{
    if (dev) {
        dev->used = session->state.ctx.fst->ts;
    }
    xen_9pfs_session_free(session);
}

/*
 * End the device's session, if it has one. What its requests need stays
 * until they are done; there is no new session before.
 */
static void session_close(Xen9pfsDevice *dev)
{
    Xen9pfsSession *session = dev->session;

    if (!session) {
        return;
    }
    trace_xen_9pfs_disconnect(session->name, session->failure ?
                              error_get_pretty(session->failure) : "closed");
    dev->session = NULL;
    if (xen_9pfs_session_drain(session)) {
        session_end(dev, session);
        return;
    }
    dev->leaving = session;
    if (log_allowed(dev)) {
        warn_report("%s: the host's file system is busy with its requests, "
                    "its memory stays mapped until they end", session->name);
    }
}

/* The device goes away, a session that is leaving does not need it. */
static void session_orphan(Xen9pfsDevice *dev)
{
    if (dev->leaving) {
        dev->leaving->dev = NULL;
        dev->leaving = NULL;
    }
}

static void session_bh(void *opaque)
{
    Xen9pfsSession *session = opaque;
    Xen9pfsDevice *dev = session->dev;

    if (dev && dev->session == session) {
        device_fail(dev, session->failure);
    } else if (!session->draining && !xen_9pfs_session_busy(session)) {
        session_end(dev, session);
        if (dev) {
            dev->leaving = NULL;
            xen_be_check_state(&dev->xendev);
        }
    }
}

/* ---- A device that a backend which has died has left ---- */

/* Whether another backend lives: an event channel is bound but once. */
static bool device_is_served(XenLegacyDevice *xendev, const DeviceType *type)
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
    device_set_state(dev, XenbusStateClosing);
    return true;
}

/* ---- Device: what the framework calls ---- */

static void device_fail(Xen9pfsDevice *dev, const Error *err)
{
    device_report(dev, err);
    session_close(dev);
    device_set_state(dev, XenbusStateClosing);
}

static void device_get_stats(Object *obj, Visitor *v, const char *name,
                             void *opaque G_GNUC_UNUSED, Error **errp)
{
    Xen9pfsSession *session = device_of(XENBACKEND(obj))->session;
    Xen9pfsStats stats = { 0 };
    V9fsPDU *pdu;

    if (session) {
        stats = session->stats;
        stats.msize = session->state.msize;
        stats.fids = g_hash_table_size(session->state.fids);
        stats.most_fids = session->limit.most_fids;
        QLIST_FOREACH(pdu, &session->state.active_list, next) {
            stats.in_flight++;
        }
    }
    xen_9pfs_stats_visit(&stats, v, name, errp);
}

/* The domain is gone, or going: its error nodes are nobody's from now on. */
static void device_exit(Notifier *notifier, void *data G_GNUC_UNUSED)
{
    device_clear_error(container_of(notifier, Xen9pfsDevice, exit));
}

static void device_alloc(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);

    trace_xen_9pfs_alloc(xendev->name);
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

/* InitWait -> Connected. A failure leads to Closing instead. */
static int device_connect(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);
    Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS];
    Error *err = NULL;
    int num;

    if (!dev->session) {
        return -1;
    }
    if (dev->session->connection) {
        return 0;
    }
    num = dev->type->read_rings(xendev, conf, &err);
    if (num > 0) {
        dev->type->transport->connect(dev->session, conf, num, &err);
    }
    if (err) {
        device_fail(dev, err);
        error_free(err);
        return -1;
    }
    trace_xen_9pfs_connect(xendev->name, num);
    return 0;
}

static bool device_offer(Xen9pfsDevice *dev, Error **errp)
{
    const DeviceType *type = dev->type;

    for (size_t i = 0; i < ARRAY_SIZE(type->offer) && type->offer[i].node;
         i++) {
        if (xenstore_write_be_int(&dev->xendev, type->offer[i].node,
                                  type->offer[i].value) < 0) {
            error_setg(errp, "%s: cannot write to xenstore", dev->xendev.be);
            return false;
        }
    }
    return true;
}

/* Initialising -> InitWait */
static int device_init(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);
    Error *err = NULL;

    session_close(dev);
    /* The framework tries again when a session that leaves is gone. */
    if (dev->leaving || device_disown(dev)) {
        return -1;
    }
    dev->session = xen_9pfs_session_new(xendev, dev->type->transport,
                                        session_bh, &err);
    if (dev->session) {
        dev->session->dev = dev;
        xen_9p_throttle_resume(dev->session->state.ctx.fst, &dev->used);
        device_offer(dev, &err);
    }
    if (err) {
        device_fail(dev, err);
        error_free(err);
        return -1;
    }
    device_clear_error(dev);
    trace_xen_9pfs_init(xendev->name, dev->session->state.ctx.fs_root,
                        dev->session->state.tag);
    /*
     * A frontend that is there already is connected here, for the reason
     * that device_frontend_changed() has.
     */
    return xendev->fe_state == XenbusStateInitialised ||
        xendev->fe_state == XenbusStateConnected ? device_connect(xendev) : 0;
}

static void device_disconnect(XenLegacyDevice *xendev)
{
    session_close(device_of(xendev));
}

static int device_free(XenLegacyDevice *xendev)
{
    Xen9pfsDevice *dev = device_of(xendev);

    session_close(dev);
    session_orphan(dev);
    qemu_remove_exit_notifier(&dev->exit);
    device_clear_error(dev);
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
        /*
         * The framework would do this as well, but it logs each failure,
         * and a guest can fail as often as it likes.
         */
        if (xendev->be_state == XenbusStateInitWait && dev->session) {
            device_connect(xendev);
        } else if (xendev->be_state == XenbusStateClosed &&
                   xendev->fe_state == XenbusStateInitialised) {
            /* Older Linux, loaded again: it does not ask for a new start. */
            device_set_state(dev, XenbusStateInitialising);
        }
        break;
    case XenbusStateInitialising:
        /* A new frontend whose predecessor did not say goodbye: kexec. */
        if (xendev->be_state == XenbusStateConnected ||
            xendev->be_state == XenbusStateClosing) {
            session_close(dev);
            device_set_state(dev, XenbusStateClosed);
        }
        break;
    case XenbusStateUnknown:
        /* Removed, and soon the backend's too: then write nothing there. */
        session_close(dev);
        device_set_state(dev, XenbusStateClosed);
        break;
    default:
        break;
    }
}

static const struct XenDevOps xen_9pfs_ops = {
    .size = sizeof(Xen9pfsDevice),
    .alloc = device_alloc,
    .init = device_init,
    .initialise = device_connect,
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
