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
#include "block/aio.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "hw/9pfs/xen-9p-virtfs.h"
#include "trace.h"

static int queue_map(VirtfsQueue *queue, const Xen9pfsRingConf *conf,
                     Error **errp)
{
    Virtfs *virtfs = queue->virtfs;
    Xen9pfsSession *session = virtfs->pass.session;

    memcpy(queue->ref, conf->ref, conf->num_refs * sizeof(*queue->ref));
    queue->num_pages = conf->num_refs;
    queue->pages = qemu_xen_gnttab_map_refs(virtfs->grants.gnttab,
                                            queue->num_pages, session->domid,
                                            queue->ref,
                                            PROT_READ | PROT_WRITE);
    if (!queue->pages) {
        error_setg_errno(errp, errno, "queue %u: the %u grants of the ring, "
                         "the first of which is %" PRIu32 ", cannot be mapped",
                         queue->index, queue->num_pages, queue->ref[0]);
        return -EINVAL;
    }
    xen_9pfs_stats_map(&session->stats.grants, queue->num_pages);
    xen_9p_slots_init(&queue->slots, queue->pages,
                      XEN_VIRTFSIF_RING_SLOTS(ctz32(queue->num_pages)));
    return 0;
}

static void queue_unmap(VirtfsQueue *queue)
{
    Virtfs *virtfs = queue->virtfs;
    Xen9pfsSession *session = virtfs->pass.session;

    if (!queue->pages) {
        return;
    }
    if (qemu_xen_gnttab_unmap(virtfs->grants.gnttab, queue->pages, queue->ref,
                              queue->num_pages)) {
        warn_report("%s: queue %u: cannot unmap the ring: %s",
                    session->name, queue->index, strerror(errno));
    }
    xen_9pfs_stats_unmap(&session->stats.grants, queue->num_pages);
    queue->pages = NULL;
    xen_9p_slots_fini(&queue->slots);
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

    if (!virtfs || virtfs->pass.quiesced) {
        return;
    }
    xen_9p_pass_quiesce(&virtfs->pass);
    timer_free(virtfs->retry);
    for (unsigned i = 0; i < virtfs->pass.num_rings; i++) {
        VirtfsQueue *queue = &virtfs->queues[i];

        xen_9p_channel_unbind(&queue->channel);
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
    for (unsigned i = 0; i < virtfs->pass.num_rings; i++) {
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
    Xen9pfsSession *session = queue->virtfs->pass.session;
    g_autofree char *node = g_strdup_printf("queue %u: event-channel",
                                            queue->index);
    int ret = queue_map(queue, conf, errp);

    if (ret == 0) {
        ret = xen_9p_channel_bind(&queue->channel, session->ctx, session->domid,
                                  conf->port, virtfs_event, queue, node,
                                  errp);
    }
    if (ret == 0) {
        trace_xen_9pfs_ring(session->name, queue->index,
                            ctz32(queue->num_pages), queue->ref[0],
                            conf->port, queue->channel.port);
    }
    return ret;
}

int virtfs_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                   unsigned num_queues, Error **errp)
{
    Virtfs *virtfs = g_new0(Virtfs, 1);
    int ret;

    xen_9p_pass_init(&virtfs->pass, session, &virtfs_pass_ops, virtfs);
    virtfs->retry = aio_timer_new(session->ctx, QEMU_CLOCK_REALTIME, SCALE_MS,
                                  virtfs_run, virtfs);
    QTAILQ_INIT(&virtfs->late);
    QTAILQ_INIT(&virtfs->unused);
    for (unsigned i = 0; i < num_queues; i++) {
        VirtfsQueue *queue = &virtfs->queues[i];

        queue->virtfs = virtfs;
        queue->index = xen_9p_pass_add(&virtfs->pass, queue);
        xen_9p_channel_init(&queue->channel);
    }
    session->connection = virtfs;
    qatomic_set(&session->stats.rings, num_queues);

    ret = xen_9p_grants_init(&virtfs->grants, session->ctx, session->domid,
                             session->grant_policy,
                             &session->stats.grants);
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
    xen_9p_pass_schedule(&virtfs->pass);
    return 0;
}
