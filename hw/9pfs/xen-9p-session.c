/*
 * Xen 9P backend: the life of a session
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/prctl.h>
#include "block/aio.h"
#include "block/thread-pool.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/throttle.h"
#include "fsdev/qemu-fsdev.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/9pfs/xen-9p-session.h"

/* ---- In workers: what may take for ever ---- */

static int share_open(void *opaque)
{
    Xen9pfsSession *session = opaque;
    Error *err = NULL;

    if (!xen_9pfs_config_open(session->path, &err)) {
        error_prepend(&err, "%s/", session->path_node);
    } else if (v9fs_device_realize_common(&session->state,
                                          &session->transport->ops,
                                          &err) == 0) {
        xen_9pfs_call_init(session);
    }
    /* The main thread may look at any time. */
    qatomic_store_release(&session->failure, err);
    return 0;
}

static int share_close(void *opaque)
{
    Xen9pfsSession *session = opaque;

    v9fs_device_unrealize_common(&session->state);
    return 0;
}

/* ---- In the event loop ---- */

static void work_done(void *opaque, int ret G_GNUC_UNUSED)
{
    qemu_coroutine_enter(opaque);
}

static void coroutine_fn in_worker(ThreadPoolFunc *func,
                                   Xen9pfsSession *session)
{
    thread_pool_submit_aio(func, session, work_done, qemu_coroutine_self());
    qemu_coroutine_yield();
}

/* Tell the main thread how far it is. */
static void session_reach(Xen9pfsSession *session, Xen9pfsPhase phase)
{
    qatomic_store_release(&session->phase, phase);
    qemu_bh_schedule(session->report_bh);
}

static bool session_busy(Xen9pfsSession *session)
{
    return session->state.transport &&
        !QLIST_EMPTY(&session->state.active_list);
}

/* Until something has changed. */
static void coroutine_fn session_wait(Xen9pfsSession *session)
{
    session->waiting = true;
    qemu_coroutine_yield();
}

static void session_step(void *opaque)
{
    Xen9pfsSession *session = opaque;

    if (session->waiting) {
        session->waiting = false;
        qemu_coroutine_enter(session->life);
    }
}

static Xen9pfsWant coroutine_fn session_await(Xen9pfsSession *session,
                                              Xen9pfsWant least)
{
    Xen9pfsWant want;

    while ((want = qatomic_load_acquire(&session->want)) < least) {
        session_wait(session);
    }
    return want;
}

/* The limits' timers were made for the main loop. */
static void throttle_follow(Xen9pfsSession *session)
{
    FsThrottle *fst = session->state.ctx.fst;

    if (throttle_enabled(&fst->cfg)) {
        throttle_timers_detach_aio_context(&fst->tt);
        throttle_timers_attach_aio_context(&fst->tt, session->ctx);
    }
}

static void session_do_connect(Xen9pfsSession *session)
{
    Error *err = NULL;

    throttle_follow(session);
    if (session->transport->connect(session, session->conf,
                                    session->num_rings, &err) < 0) {
        xen_9pfs_session_fail(session, err);
    } else {
        session_reach(session, XEN_9PFS_CONNECTED);
    }
}

static void session_gone(void *opaque);

/* From its first to its last moment in the event loop. */
static void coroutine_fn session_live(void *opaque)
{
    Xen9pfsSession *session = opaque;

    if (session->thread.own) {
        /* QEMU names its threads only if it is told to. */
        prctl(PR_SET_NAME, session->thread_name);
    }
    in_worker(share_open, session);
    session_reach(session, XEN_9PFS_OPEN);
    qemu_sem_post(&session->opened);

    if (session_await(session, XEN_9PFS_WANT_CONNECT) ==
        XEN_9PFS_WANT_CONNECT) {
        session_do_connect(session);
    }
    session_await(session, XEN_9PFS_WANT_CLOSE);

    if (session->connection) {
        session->transport->quiesce(session);
    }
    xen_9pfs_session_hurry(session);
    while (session_busy(session)) {
        session_wait(session);
    }
    session_reach(session, XEN_9PFS_RELEASING);
    session->transport->disconnect(session);
    session_reach(session, XEN_9PFS_RELEASED);

    if (session->state.transport) {
        v9fs_co_reset(&session->state);
        in_worker(share_close, session);
    }
    /* The main thread may free it before this returns. */
    aio_bh_schedule_oneshot(qemu_get_aio_context(), session_gone, session);
}

void xen_9pfs_session_hurry(Xen9pfsSession *session G_GNUC_UNUSED)
{
#ifdef V9FS_HAS_LOCKS
    v9fs_locks_stop(&session->state);
#endif
}

void xen_9pfs_session_drained(Xen9pfsSession *session)
{
    /* The server frees the request's PDU after this. */
    qemu_bh_schedule(session->step);
}

void xen_9pfs_session_fail(Xen9pfsSession *session, Error *err)
{
    if (session->failure) {
        error_free(err);
        return;
    }
    qatomic_store_release(&session->failure, err);
    qemu_bh_schedule(session->report_bh);
}

/* ---- In the main thread ---- */

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

/* The share, as far as the nodes have it. */
static bool session_find_share(Xen9pfsSession *session,
                               XenLegacyDevice *xendev, Error **errp)
{
    V9fsState *s = &session->state;

    s->fsconf.tag = xen_9pfs_config_tag(xendev, errp);
    if (s->fsconf.tag) {
        session->fsdev_id = xen_9pfs_config_fsdev(xendev, errp);
    }
    if (!session->fsdev_id) {
        return false;
    }
    s->fsconf.fsdev_id = session->fsdev_id;
    session->path = g_strdup(get_fsdev_fsentry(session->fsdev_id)->path);
    session->path_node = g_strdup(xendev->be);
    return true;
}

static void session_report(void *opaque)
{
    Xen9pfsSession *session = opaque;

    session->report(session);
}

static void session_free(Xen9pfsSession *session)
{
    qemu_bh_delete(session->report_bh);
    qemu_bh_delete(session->step);
    if (session->fsdev_id) {
        qemu_fsdev_remove(session->fsdev_id);
    }
    xen_9p_thread_put(&session->thread);
    xen_9p_mounts_fini(&session->mounts);
    qemu_sem_destroy(&session->opened);
    error_free(session->failure);
    g_free(session->state.fsconf.tag);
    g_free(session->path);
    g_free(session->path_node);
    g_free(session->fsdev_id);
    g_free(session->name);
    g_free(session->thread_name);
    g_free(session);
}

static void session_gone(void *opaque)
{
    Xen9pfsSession *session = opaque;

    session->gone(session);
    session_free(session);
}

Xen9pfsSession *xen_9pfs_session_new(XenLegacyDevice *xendev,
                                     const Xen9pfsTransport *transport,
                                     const Xen9pThread *thread,
                                     void (*report)(Xen9pfsSession *session),
                                     void (*gone)(Xen9pfsSession *session),
                                     Error **errp)
{
    Xen9pfsSession *session = g_new0(Xen9pfsSession, 1);

    session->transport = transport;
    session->domid = xendev->dom;
    session->name = g_strdup_printf("xen %s of domain %d", xendev->name,
                                    xendev->dom);
    session->thread_name = g_strdup_printf("xen-%s", xendev->name);
    session->report = report;
    session->gone = gone;
    session->ctx = xen_9p_thread_use(thread, &session->thread);
    session->report_bh = qemu_bh_new(session_report, session);
    session->step = aio_bh_new(session->ctx, session_step, session);
    qemu_sem_init(&session->opened, 0);
    xen_9p_order_init(&session->order);
    if (!session_configure(session, xendev, errp) ||
        !session_find_share(session, xendev, errp)) {
        session_free(session);
        return NULL;
    }
    xen_9p_mounts_init(&session->mounts);
    session->life = qemu_coroutine_create(session_live, session);
    aio_co_schedule(session->ctx, session->life);
    return session;
}

static void session_want(Xen9pfsSession *session, Xen9pfsWant want)
{
    qatomic_store_release(&session->want, want);
    qemu_bh_schedule(session->step);
}

void xen_9pfs_session_connect(Xen9pfsSession *session,
                              const Xen9pfsRingConf *conf, unsigned num_rings)
{
    memcpy(session->conf, conf, num_rings * sizeof(*conf));
    session->num_rings = num_rings;
    session_want(session, XEN_9PFS_WANT_CONNECT);
}

void xen_9pfs_session_close(Xen9pfsSession *session)
{
    session_want(session, XEN_9PFS_WANT_CLOSE);
}

Xen9pfsPhase xen_9pfs_session_phase(const Xen9pfsSession *session)
{
    return qatomic_load_acquire(&session->phase);
}

bool xen_9pfs_session_released(const Xen9pfsSession *session)
{
    /* It was never told what there is of the frontend's. */
    return session->num_rings == 0 ||
        xen_9pfs_session_phase(session) == XEN_9PFS_RELEASED;
}

const Error *xen_9pfs_session_failure(const Xen9pfsSession *session)
{
    /* qatomic_load_acquire() would have to know what an Error is. */
    return __atomic_load_n(&session->failure, __ATOMIC_ACQUIRE);
}
