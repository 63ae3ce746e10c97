/*
 * Xen 9P backend: the life of a session
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "fsdev/qemu-fsdev.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/9pfs/xen-9p-session.h"

/* How long a close may hold the main loop for requests still running. */
#define DRAIN_MS            200

/* What the backend's nodes say of a session, but for the share. */
static bool session_configure(Xen9pfsSession *session, XenLegacyDevice *xendev,
                              Error **errp)
{
    int mode = xen_9pfs_config_word(xendev, "dispatch", XEN_9P_DISPATCH_MODES,
                                    errp);

    session->poll.max = XEN_9P_POLL_DEFAULT;
    session->limit.max_fids = XEN_9P_LIMIT_FIDS;
    if (mode < 0 ||
        !xen_9pfs_config_number(xendev, "poll-max-ns", &session->poll.max,
                                errp) ||
        !xen_9pfs_config_number(xendev, "max-fids", &session->limit.max_fids,
                                errp)) {
        return false;
    }
    session->dispatch.mode = mode;
    if (session->transport->has_grant_policy) {
        session->grant_policy = xen_9pfs_config_word(xendev, "grant-policy",
                                                     XEN_9P_GRANT_POLICIES,
                                                     errp);
    }
    return session->grant_policy >= 0;
}

static bool session_open_share(Xen9pfsSession *session,
                               XenLegacyDevice *xendev, Error **errp)
{
    V9fsState *s = &session->state;

    s->fsconf.tag = xen_9pfs_config_tag(xendev, errp);
    if (s->fsconf.tag) {
        session->fsdev_id = xen_9pfs_config_fsdev(xendev, errp);
    }
    s->fsconf.fsdev_id = session->fsdev_id;
    return session->fsdev_id &&
        v9fs_device_realize_common(s, &session->transport->ops, errp) == 0;
}

Xen9pfsSession *xen_9pfs_session_new(XenLegacyDevice *xendev,
                                     const Xen9pfsTransport *transport,
                                     QEMUBHFunc *end, Error **errp)
{
    Xen9pfsSession *session = g_new0(Xen9pfsSession, 1);

    session->transport = transport;
    session->domid = xendev->dom;
    session->name = g_strdup_printf("xen %s of domain %d", xendev->name,
                                    xendev->dom);
    session->bh = qemu_bh_new(end, session);
    xen_9p_order_init(&session->order);
    if (!session_configure(session, xendev, errp) ||
        !session_open_share(session, xendev, errp)) {
        xen_9pfs_session_free(session);
        return NULL;
    }
    xen_9pfs_call_init(session);
    return session;
}

void xen_9pfs_session_free(Xen9pfsSession *session)
{
    V9fsState *s = &session->state;

    /* First: v9fs_reset() polls, which must not come back here. */
    qemu_bh_delete(session->bh);
    xen_9pfs_turn_leave(session);
    session->transport->disconnect(session);
    if (s->transport) {
        v9fs_reset(s);
        v9fs_device_unrealize_common(s);
    }
    if (session->fsdev_id) {
        qemu_fsdev_remove(session->fsdev_id);
    }
    xen_9p_mounts_fini(&session->mounts);
    error_free(session->failure);
    g_free(s->fsconf.tag);
    g_free(session->fsdev_id);
    g_free(session->name);
    g_free(session);
}

bool xen_9pfs_session_busy(Xen9pfsSession *session)
{
    return !QLIST_EMPTY(&session->state.active_list);
}

static void drain_timeout(void *opaque)
{
    *(bool *)opaque = true;
}

bool xen_9pfs_session_drain(Xen9pfsSession *session)
{
    AioContext *ctx = qemu_get_aio_context();
    bool timeout = false;
    QEMUTimer timer;

    if (session->connection) {
        session->transport->quiesce(session);
    }
    xen_9pfs_turn_leave(session);
    if (!xen_9pfs_session_busy(session)) {
        return true;
    }
    session->draining = true;
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_MS,
                   drain_timeout, &timeout);
    timer_mod(&timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + DRAIN_MS);
    while (xen_9pfs_session_busy(session) && !timeout) {
        aio_poll(ctx, true);
    }
    timer_del(&timer);
    session->draining = false;
    return !xen_9pfs_session_busy(session);
}

void xen_9pfs_session_drained(Xen9pfsSession *session)
{
    qemu_bh_schedule(session->bh);
}

void xen_9pfs_session_fail(Xen9pfsSession *session, Error *err)
{
    if (session->failure) {
        error_free(err);
        return;
    }
    session->failure = err;
    qemu_bh_schedule(session->bh);
}
