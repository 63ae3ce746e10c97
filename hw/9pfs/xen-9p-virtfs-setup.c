/*
 * Xen 9P backend: set-up of the virtfs transport
 *
 * Maps the rings that the frontend granted, binds its event channels, and
 * takes it all down again.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "hw/9pfs/xen-9p-virtfs.h"
#include "trace.h"

static int queue_map(VirtfsQueue *queue, const Xen9pfsRingConf *conf,
                     Error **errp)
{
    Virtfs *virtfs = queue->virtfs;

    memcpy(queue->ref, conf->ref, conf->num_refs * sizeof(*queue->ref));
    queue->num_pages = conf->num_refs;
    queue->pages = qemu_xen_gnttab_map_refs(virtfs->grants.gnttab,
                                            queue->num_pages,
                                            virtfs->session->domid,
                                            queue->ref,
                                            PROT_READ | PROT_WRITE);
    if (!queue->pages) {
        error_setg_errno(errp, errno, "queue %u: the %u grants of the ring, "
                         "the first of which is %" PRIu32 ", cannot be mapped",
                         queue->index, queue->num_pages, queue->ref[0]);
        return -EINVAL;
    }
    xen_9p_slots_init(&queue->slots, queue->pages,
                      XEN_VIRTFSIF_RING_SLOTS(ctz32(queue->num_pages)));
    return 0;
}

static void queue_unmap(VirtfsQueue *queue)
{
    Virtfs *virtfs = queue->virtfs;

    if (!queue->pages) {
        return;
    }
    if (qemu_xen_gnttab_unmap(virtfs->grants.gnttab, queue->pages, queue->ref,
                              queue->num_pages)) {
        warn_report("%s: queue %u: cannot unmap the ring: %s",
                    virtfs->session->name, queue->index, strerror(errno));
    }
    queue->pages = NULL;
    xen_9p_slots_fini(&queue->slots);
}

static int queue_bind(VirtfsQueue *queue, uint32_t remote_port, Error **errp)
{
    int fd;

    queue->evtchn = qemu_xen_evtchn_open();
    if (!queue->evtchn) {
        error_setg_errno(errp, errno, "cannot open the event-channel device");
        return -EIO;
    }
    fd = qemu_xen_evtchn_fd(queue->evtchn);
    qemu_set_cloexec(fd);
    queue->port = qemu_xen_evtchn_bind_interdomain(queue->evtchn,
        queue->virtfs->session->domid, remote_port);
    if (queue->port < 0) {
        error_setg(errp, "queue %u: event-channel %" PRIu32
                   " cannot be bound", queue->index, remote_port);
        return -EINVAL;
    }
    qemu_set_fd_handler(fd, virtfs_event, NULL, queue);
    return 0;
}

static void queue_unbind(VirtfsQueue *queue)
{
    if (!queue->evtchn) {
        return;
    }
    qemu_set_fd_handler(qemu_xen_evtchn_fd(queue->evtchn), NULL, NULL, NULL);
    if (queue->port >= 0) {
        qemu_xen_evtchn_unbind(queue->evtchn, queue->port);
    }
    qemu_xen_evtchn_close(queue->evtchn);
    queue->evtchn = NULL;
    queue->port = -1;
}

static void request_drop(VirtfsRequest *req)
{
    virtfs_request_unload(req);
    virtfs_request_free(req);
}

void virtfs_quiesce(Xen9pfsSession *session)
{
    Virtfs *virtfs = session->connection;
    VirtfsRequest *req;

    if (!virtfs || virtfs->quiesced) {
        return;
    }
    virtfs->quiesced = true;
    qemu_bh_delete(virtfs->bh);
    timer_free(virtfs->retry);
    for (unsigned i = 0; i < virtfs->num_queues; i++) {
        VirtfsQueue *queue = &virtfs->queues[i];

        queue_unbind(queue);
        if (queue->head) {
            request_drop(queue->head);
            queue->head = NULL;
        }
    }
    while ((req = QTAILQ_FIRST(&virtfs->late))) {
        QTAILQ_REMOVE(&virtfs->late, req, next);
        request_drop(req);
    }
}

void virtfs_disconnect(Xen9pfsSession *session)
{
    Virtfs *virtfs = session->connection;

    if (!virtfs) {
        return;
    }
    for (unsigned i = 0; i < virtfs->num_queues; i++) {
        queue_unmap(&virtfs->queues[i]);
    }
    virtfs_request_pool_fini(virtfs);
    xen_9p_grants_fini(&virtfs->grants);
    session->connection = NULL;
    g_free(virtfs);
}

static int queue_connect(VirtfsQueue *queue, const Xen9pfsRingConf *conf,
                         Error **errp)
{
    int ret = queue_map(queue, conf, errp);

    if (ret == 0) {
        ret = queue_bind(queue, conf->port, errp);
    }
    if (ret == 0) {
        trace_xen_9pfs_ring(queue->virtfs->session->name, queue->index,
                            ctz32(queue->num_pages), queue->ref[0],
                            conf->port, queue->port);
    }
    return ret;
}

int virtfs_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                   unsigned num_queues, Error **errp)
{
    Virtfs *virtfs = g_new0(Virtfs, 1);
    int ret;

    virtfs->session = session;
    virtfs->num_queues = num_queues;
    virtfs->bh = qemu_bh_new(virtfs_run, virtfs);
    virtfs->retry = timer_new_ms(QEMU_CLOCK_REALTIME, virtfs_run, virtfs);
    QTAILQ_INIT(&virtfs->late);
    QTAILQ_INIT(&virtfs->unused);
    for (unsigned i = 0; i < num_queues; i++) {
        virtfs->queues[i].virtfs = virtfs;
        virtfs->queues[i].index = i;
        virtfs->queues[i].port = -1;
    }
    session->connection = virtfs;

    ret = xen_9p_grants_init(&virtfs->grants, session->domid,
                             session->grant_policy);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot open the grant-table device");
    }
    for (unsigned i = 0; i < num_queues && ret == 0; i++) {
        ret = queue_connect(&virtfs->queues[i], &conf[i], errp);
    }
    if (ret < 0) {
        virtfs_quiesce(session);
        virtfs_disconnect(session);
        return ret;
    }
    /* A frontend may have been early. */
    qemu_bh_schedule(virtfs->bh);
    return 0;
}
