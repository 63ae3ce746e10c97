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
#include "hw/9pfs/xen-9p-flex.h"
#include "trace.h"

static void *ring_map(FlexRing *ring, uint32_t *refs, unsigned num, int prot)
{
    Xen9pfsSession *session = ring->flex->pass.session;
    void *pages = qemu_xen_gnttab_map_refs(ring->flex->gnttab, num,
                                           session->domid, refs, prot);

    if (pages) {
        xen_9pfs_stats_map(&session->stats.grants, num);
    }
    return pages;
}

static void ring_unmap(FlexRing *ring, void *pages, uint32_t *refs,
                       unsigned num)
{
    Xen9pfsSession *session = ring->flex->pass.session;

    if (!pages) {
        return;
    }
    if (qemu_xen_gnttab_unmap(ring->flex->gnttab, pages, refs, num)) {
        warn_report("%s: ring %u: cannot unmap %u pages: %s", session->name,
                    ring->index, num, strerror(errno));
    } else {
        xen_9pfs_stats_unmap(&session->stats.grants, num);
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

void flex_quiesce(Xen9pfsSession *session)
{
    Flex *flex = session->connection;

    if (!flex || flex->pass.quiesced) {
        return;
    }
    xen_9p_pass_quiesce(&flex->pass);
    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
        FlexRing *ring = &flex->rings[i];

        xen_9p_channel_unbind(&ring->channel);
        flex_drop_replies(ring);
    }
}

void flex_disconnect(Xen9pfsSession *session)
{
    Flex *flex = session->connection;

    if (!flex) {
        return;
    }
    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
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

static int ring_connect(FlexRing *ring, const Xen9pfsRingConf *conf,
                        Error **errp)
{
    Flex *flex = ring->flex;
    g_autofree char *node = g_strdup_printf("event-channel-%u", ring->index);
    int ret = ring_map_all(ring, errp);

    if (ret == 0) {
        ret = xen_9p_channel_bind(&ring->channel, flex->pass.session->ctx,
                                  flex->pass.session->domid, conf->port,
                                  flex_event, ring, node, errp);
    }
    if (ret == 0) {
        ring->reply_budget = MIN((size_t)ring->in.size * REPLY_BUDGET,
                                 REPLY_BUDGET_ALL / flex->pass.num_rings);
        flex->replies.idle_max = MIN(REPLY_IDLE_ALL, flex->replies.idle_max +
                                     ring->in.size * REPLY_IDLE);
        trace_xen_9pfs_ring(flex->pass.session->name, ring->index, ring->order,
                            ring->page_ref, conf->port, ring->channel.port);
    }
    return ret;
}

int flex_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                 unsigned num_rings, Error **errp)
{
    Flex *flex = g_new0(Flex, 1);
    int ret = 0;

    xen_9p_pass_init(&flex->pass, session, &flex_pass_ops, flex);
    session->connection = flex;
    qatomic_set(&session->stats.rings, num_rings);
    xen_9p_reply_pool_init(&flex->replies, 0);
    for (unsigned i = 0; i < num_rings; i++) {
        FlexRing *ring = &flex->rings[i];

        ring->flex = flex;
        ring->index = xen_9p_pass_add(&flex->pass, ring);
        xen_9p_channel_init(&ring->channel);
        ring->page_ref = conf[i].ref[0];
        g_queue_init(&ring->waiting);
    }

    flex->gnttab = qemu_xen_gnttab_open();
    if (!flex->gnttab) {
        error_setg_errno(errp, errno, "cannot open the grant-table device");
        ret = -EIO;
    }
    for (unsigned i = 0; i < num_rings && ret == 0; i++) {
        ret = ring_connect(&flex->rings[i], &conf[i], errp);
    }
    if (ret < 0) {
        flex_quiesce(session);
        flex_disconnect(session);
        return ret;
    }
    session->iounit.ring = flex_smallest_ring(flex);
    /* A frontend may have been early. */
    xen_9p_pass_schedule(&flex->pass);
    return 0;
}
