/*
 * Xen 9P backend: the 9pfs transport ("flex rings")
 *
 * Implements "Ring Usage" and "Request/Response Workflow" of Xen's
 * docs/misc/9pfs.pandoc. Any number of requests is in flight on every
 * ring; each belongs to the ring that it came from, and replies go out in
 * the order in which requests finish.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "hw/9pfs/xen-9p-admit.h"
#include "hw/9pfs/xen-9p-compat.h"
#include "hw/9pfs/xen-9p-flex.h"
#include "trace.h"

static Flex *flex_of(V9fsState *s)
{
    return container_of(s, Xen9pfsSession, state)->connection;
}

static FlexRequest *request_of(V9fsPDU *pdu)
{
    return &flex_of(pdu->s)->requests[pdu->idx];
}

void flex_fail(FlexRing *ring, const char *fmt, ...)
{
    Error *err = NULL;
    va_list ap;
    g_autofree char *why = NULL;

    va_start(ap, fmt);
    why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_setg(&err, "ring %u: %s", ring->index, why);
    xen_9pfs_session_fail(ring->flex->pass.session, err);
}

static void ring_notify(FlexRing *ring)
{
    if (ring->notify && !flex_dead(ring->flex)) {
        ring->notify = false;
        xen_9pfs_stat_add(&ring->flex->pass.session->stats.notifications, 1);
        xen_9p_channel_notify(&ring->channel);
    }
}

/* ---- Requests ---- */

/* Give the bytes back to the frontend that were taken. */
static void ring_release(FlexRing *ring)
{
    uint32_t upto = ring->out.position;
    uint32_t unread, used;

    if (flex_dead(ring->flex) || upto == ring->out.published) {
        return;
    }
    if (!xen_9p_ring_readable(&ring->out, &unread)) {
        flex_fail(ring, "out_prod or out_cons is corrupt");
        return;
    }
    /*
     * A frontend that waits for room needs an event, now that there is some.
     * It does not wait where the largest message had room before.
     */
    used = upto + unread - ring->out.published;
    if (ring->out.size - used < flex_message_limit(ring)) {
        ring->notify = true;
    }
    xen_9p_ring_publish(&ring->out, upto);
}

/* All that a pass over a ring leaves to tell the frontend, told at once. */
static void ring_finish(void *opaque)
{
    FlexRing *ring = opaque;

    flex_reply_flush(ring);
    flex_reply_publish(ring);
    ring_release(ring);
    ring_notify(ring);
}

/*
 * Hand a request that is loaded to the server, which may have answered it by
 * the time that this returns.
 *
 * Returns: false, with nothing kept, if it has to wait.
 */
static bool request_submit(FlexRequest *req, V9fsPDU *pdu)
{
    FlexRing *ring = req->ring;
    Flex *flex = ring->flex;
    Xen9pfsSession *session = flex->pass.session;
    Xen9pAdmission admission;
    const char *lacks = NULL;
    P9MsgHeader header;

    memcpy(&header, req->msg, sizeof(header));
    if (!xen_9p_pass_admit(&flex->pass, ring->index, req->msg, req->len,
                           &admission)) {
        lacks = "requests that it must not meet";
    } else if (!flex_reply_begin(ring, req, pdu)) {
        lacks = "its replies to be read";
    }
    if (lacks) {
        session->pinned = NULL;
        flex_request_unload(req);
        pdu_free(pdu);
        return xen_9p_pass_stall(&flex->pass, ring->index, lacks);
    }
    xen_9p_pass_taken(&flex->pass, ring->index);
    trace_xen_9pfs_request(session->name, ring->index,
                           le16_to_cpu(header.tag_le), header.id,
                           le32_to_cpu(header.size_le));
    xen_9pfs_submit(session, pdu, &header, &admission);
    return true;
}

/* A complete request is the next one in its ring. */
static bool ring_take(FlexRing *ring)
{
    Flex *flex = ring->flex;
    uint32_t size = ring->size;
    V9fsPDU *pdu = pdu_alloc(&flex->pass.session->state);
    FlexRequest *req;

    if (!pdu) {
        return xen_9p_pass_stall(&flex->pass, ring->index, "a free PDU");
    }
    req = &flex->requests[pdu->idx];
    if (!flex_request_load(ring, req, pdu)) {
        pdu_free(pdu);
        return xen_9p_pass_stall(&flex->pass, ring->index, "memory");
    }
    if (!request_submit(req, pdu)) {
        return false;
    }
    ring->out.position += size;
    ring->size = 0;
    return true;
}

/*
 * Take one request.
 *
 * Returns: false if there is none, or none can be taken now.
 */
static bool ring_receive(void *opaque)
{
    FlexRing *ring = opaque;
    Xen9pPass *pass = &ring->flex->pass;
    uint32_t available;

    if (!xen_9p_ring_readable(&ring->out, &available)) {
        flex_fail(ring, "out_prod or out_cons is corrupt");
        return false;
    }
    xen_9p_pass_see(pass, ring->index, ring->out.position,
                    ring->out.position + available);
    if (!flex_header(ring, available)) {
        return false;
    }
    if (ring->header.id != P9_TFLUSH || ring->size < XEN_9P_FLUSH_SIZE ||
        !xen_9p_pass_keeps(pass, ring->index)) {
        return ring_take(ring);
    }
    if (pass->flushes.num >= 2 * XEN_9P_FLUSH_MAX) {
        return xen_9p_pass_stall(pass, ring->index, "other Tflush");
    }
    flex_flush_keep(ring);
    return true;
}

static bool ring_flush(void *opaque, Xen9pFlush *kept)
{
    FlexRing *ring = opaque;
    Flex *flex = ring->flex;
    FlexFlush *flush = container_of(kept, FlexFlush, flush);
    V9fsPDU *pdu = pdu_alloc(&flex->pass.session->state);
    FlexRequest *req;

    if (!pdu) {
        return xen_9p_pass_stall(&flex->pass, ring->index, "a free PDU");
    }
    req = &flex->requests[pdu->idx];
    flex_request_load_flush(ring, req, flush);
    if (!request_submit(req, pdu)) {
        return false;
    }
    g_free(flush);
    return true;
}

static void ring_forget(Xen9pFlush *kept)
{
    g_free(container_of(kept, FlexFlush, flush));
}

static void ring_view(void *opaque, Xen9pFlushView *view)
{
    FlexRing *ring = opaque;
    uint32_t available;

    *view = (Xen9pFlushView) {
        .taken = ring->out.position,
        .sent = ring->out.position,
    };
    if (xen_9p_ring_readable(&ring->out, &available) &&
        flex_header(ring, available)) {
        view->sent += available;
        view->more = true;
    }
}

static bool ring_has_request(void *opaque)
{
    const FlexRing *ring = opaque;
    uint32_t available;

    return xen_9p_ring_readable(&ring->out, &available) &&
        available >= MAX(ring->size, sizeof(ring->header));
}

/* ---- Passes ---- */

static bool ring_rest(void *opaque)
{
    FlexRing *ring = opaque;

    /* What the frontend has notified meanwhile is delivered now. */
    xen_9p_channel_rest(&ring->channel);
    return false;
}

static bool flex_owing(void *opaque)
{
    const Flex *flex = opaque;

    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
        if (flex->rings[i].waiting.length) {
            return true;
        }
    }
    return false;
}

const Xen9pPassOps flex_pass_ops = {
    .receive = ring_receive,
    .view = ring_view,
    .flush = ring_flush,
    .forget = ring_forget,
    .owing = flex_owing,
    .finish = ring_finish,
    .waiting = ring_has_request,
    .rest = ring_rest,
};

void flex_event(void *opaque)
{
    FlexRing *ring = opaque;

    if (xen_9p_channel_take(&ring->channel)) {
        xen_9p_pass_event(&ring->flex->pass, ring->index);
    }
}

/* ---- What the generic 9p server asks of a transport ---- */

static ssize_t flex_vmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                             va_list ap)
{
    FlexRequest *req = request_of(pdu);

    return v9fs_iov_vmarshal(req->in, req->num_in, offset, 1, fmt, ap);
}

static ssize_t flex_vunmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                               va_list ap)
{
    FlexRequest *req = request_of(pdu);

    return v9fs_iov_vunmarshal(req->out, req->num_out, offset, 1, fmt, ap);
}

/* All room of the reply: where that is less than asked for, a short read. */
static void flex_init_in_iov(V9fsPDU *pdu, struct iovec **piov,
                             unsigned int *pniov, size_t size G_GNUC_UNUSED)
{
    FlexRequest *req = request_of(pdu);

    *piov = req->in;
    *pniov = req->num_in;
}

/* All of the request: where that is less than it claims, a short write. */
static void flex_init_out_iov(V9fsPDU *pdu, struct iovec **piov,
                              unsigned int *pniov, size_t size G_GNUC_UNUSED)
{
    FlexRequest *req = request_of(pdu);

    *piov = req->out;
    *pniov = req->num_out;
}

uint32_t flex_smallest_ring(const Flex *flex)
{
    uint32_t size = UINT32_MAX;

    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
        size = MIN(size, flex->rings[i].in.size);
    }
    return size;
}

/* A request is done. The server frees its PDU after this. */
static void flex_push_and_notify(V9fsPDU *pdu)
{
    Flex *flex = flex_of(pdu->s);
    FlexRequest *req = request_of(pdu);
    FlexRing *ring = req->ring;

    flex_request_unload(req);
    trace_xen_9pfs_reply(flex->pass.session->name, ring->index, pdu->tag,
                         pdu->id, pdu->size);
    flex_reply_end(req, pdu);
    xen_9pfs_finished(flex->pass.session, pdu);
    xen_9p_pass_ended(&flex->pass, ring->index);
}

#if XEN_9PFS_HAVE_LIMITS
/* A client may send on any of its rings. */
static size_t flex_msize_limit(V9fsState *s)
{
    return flex_smallest_ring(flex_of(s));
}

static size_t flex_response_buffer_size(V9fsPDU *pdu)
{
    return request_of(pdu)->room;
}
#endif

const Xen9pfsTransport xen_9pfs_flex_transport = {
    .ops = {
        .pdu_vmarshal = flex_vmarshal,
        .pdu_vunmarshal = flex_vunmarshal,
        .init_in_iov_from_pdu = flex_init_in_iov,
        .init_out_iov_from_pdu = flex_init_out_iov,
        .push_and_notify = flex_push_and_notify,
        .call_begin = xen_9pfs_call_begin,
        .call_end = xen_9pfs_call_end,
        .fid_freed = xen_9pfs_fid_freed,
#if XEN_9PFS_HAVE_LIMITS
        .msize_limit = flex_msize_limit,
        .response_buffer_size = flex_response_buffer_size,
#endif
    },
    .connect = flex_connect,
    .quiesce = flex_quiesce,
    .disconnect = flex_disconnect,
};
