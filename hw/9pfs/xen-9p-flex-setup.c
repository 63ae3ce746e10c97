/*
 * Xen 9P backend: set-up of the 9pfs transport
 *
 * Implements "Ring Setup" of Xen's docs/misc/9pfs.pandoc: maps what the
 * frontend granted, binds its event channels, and takes it all down again.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "hw/9pfs/xen-9p-flex.h"
#include "trace.h"

static void *ring_map(FlexRing *ring, uint32_t *refs, unsigned num, int prot)
{
    Xen9pfsSession *session = ring->flex->session;

    return qemu_xen_gnttab_map_refs(ring->flex->gnttab, num, session->domid,
                                    refs, prot);
}

static void ring_unmap(FlexRing *ring, void *pages, uint32_t *refs,
                       unsigned num)
{
    if (pages && qemu_xen_gnttab_unmap(ring->flex->gnttab, pages, refs, num)) {
        warn_report("%s: ring %u: cannot unmap %u pages: %s",
                    ring->flex->session->name, ring->index, num,
                    strerror(errno));
    }
}

/* "Ring Setup": the shared page, then the pages that it names. */
static int ring_map_all(FlexRing *ring, Error **errp)
{
    unsigned half;

    ring->page = ring_map(ring, &ring->page_ref, 1, PROT_READ | PROT_WRITE);
    if (!ring->page) {
        error_setg_errno(errp, errno, "ring-ref%u: grant %" PRIu32
                         " cannot be mapped", ring->index, ring->page_ref);
        return -EINVAL;
    }
    ring->order = qatomic_read(&ring->page->ring_order);
    if (ring->order < XEN_9P_RING_ORDER_MIN ||
        ring->order > XEN_9P_RING_ORDER_MAX) {
        error_setg(errp, "ring %u: ring_order is %" PRIu32
                   ", possible are %d to %d", ring->index, ring->order,
                   XEN_9P_RING_ORDER_MIN, XEN_9P_RING_ORDER_MAX);
        return -EINVAL;
    }
    half = 1U << (ring->order - 1);
    for (unsigned i = 0; i < 2 * half; i++) {
        ring->ref[i] = qatomic_read(&ring->page->ref[i]);
    }

    ring->in_pages = ring_map(ring, ring->ref, half, PROT_READ | PROT_WRITE);
    if (ring->in_pages) {
        ring->out_pages = ring_map(ring, ring->ref + half, half, PROT_READ);
    }
    if (!ring->out_pages) {
        error_setg_errno(errp, errno, "ring %u: the %u grants of ref[] cannot "
                         "be mapped", ring->index, 2 * half);
        return -EINVAL;
    }

    xen_9p_ring_init(&ring->in, ring->in_pages, half * XEN_PAGE_SIZE,
                     &ring->page->in_prod, &ring->page->in_cons);
    xen_9p_ring_init(&ring->out, ring->out_pages, half * XEN_PAGE_SIZE,
                     &ring->page->out_cons, &ring->page->out_prod);
    return 0;
}

static int ring_bind(FlexRing *ring, uint32_t remote_port, Error **errp)
{
    int fd;

    ring->evtchn = qemu_xen_evtchn_open();
    if (!ring->evtchn) {
        error_setg_errno(errp, errno, "cannot open the event-channel device");
        return -EIO;
    }
    fd = qemu_xen_evtchn_fd(ring->evtchn);
    qemu_set_cloexec(fd);
    ring->port = qemu_xen_evtchn_bind_interdomain(ring->evtchn,
                                                  ring->flex->session->domid,
                                                  remote_port);
    if (ring->port < 0) {
        error_setg(errp, "event-channel-%u: port %" PRIu32
                   " cannot be bound", ring->index, remote_port);
        return -EINVAL;
    }
    qemu_set_fd_handler(fd, flex_event, NULL, ring);
    return 0;
}

static void ring_unbind(FlexRing *ring)
{
    if (!ring->evtchn) {
        return;
    }
    qemu_set_fd_handler(qemu_xen_evtchn_fd(ring->evtchn), NULL, NULL, NULL);
    if (ring->port >= 0) {
        qemu_xen_evtchn_unbind(ring->evtchn, ring->port);
    }
    qemu_xen_evtchn_close(ring->evtchn);
    ring->evtchn = NULL;
    ring->port = -1;
}

void flex_quiesce(Xen9pfsSession *session)
{
    Flex *flex = session->connection;

    if (!flex || flex->quiesced) {
        return;
    }
    flex->quiesced = true;
    qemu_bh_delete(flex->bh);
    for (unsigned i = 0; i < flex->num_rings; i++) {
        FlexRing *ring = &flex->rings[i];

        ring_unbind(ring);
        flex_drop_replies(ring);
    }
}

void flex_disconnect(Xen9pfsSession *session)
{
    Flex *flex = session->connection;

    if (!flex) {
        return;
    }
    for (unsigned i = 0; i < flex->num_rings; i++) {
        FlexRing *ring = &flex->rings[i];
        unsigned half = ring->in_pages ? 1U << (ring->order - 1) : 0;

        ring_unmap(ring, ring->out_pages, ring->ref + half, half);
        ring_unmap(ring, ring->in_pages, ring->ref, half);
        ring_unmap(ring, ring->page, &ring->page_ref, 1);
    }
    if (flex->gnttab) {
        qemu_xen_gnttab_close(flex->gnttab);
    }
    xen_9p_reply_pool_fini(&flex->replies);
    session->connection = NULL;
    g_free(flex);
}

int flex_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                        unsigned num_rings, Error **errp)
{
    Flex *flex = g_new0(Flex, 1);
    int ret = 0;

    flex->session = session;
    flex->num_rings = num_rings;
    flex->bh = qemu_bh_new(flex_run, flex);
    session->connection = flex;
    xen_9p_reply_pool_init(&flex->replies, 0);
    for (unsigned i = 0; i < num_rings; i++) {
        FlexRing *ring = &flex->rings[i];

        ring->flex = flex;
        ring->index = i;
        ring->port = -1;
        ring->page_ref = conf[i].ref[0];
        QTAILQ_INIT(&ring->held);
        g_queue_init(&ring->waiting);
    }

    flex->gnttab = qemu_xen_gnttab_open();
    if (!flex->gnttab) {
        error_setg_errno(errp, errno, "cannot open the grant-table device");
        ret = -EIO;
    }
    for (unsigned i = 0; i < num_rings && ret == 0; i++) {
        FlexRing *ring = &flex->rings[i];

        ret = ring_map_all(ring, errp);
        if (ret == 0) {
            ret = ring_bind(ring, conf[i].port, errp);
        }
        if (ret == 0) {
            flex->replies.idle_max += ring->in.size * REPLY_IDLE;
            trace_xen_9pfs_ring(session->name, i, ring->order, ring->page_ref,
                                conf[i].port, ring->port);
        }
    }
    if (ret < 0) {
        flex_quiesce(session);
        flex_disconnect(session);
        return ret;
    }
    /* A frontend may have been early. */
    qemu_bh_schedule(flex->bh);
    return 0;
}
