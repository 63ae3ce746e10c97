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
        xen_9p_channel_notify(&ring->channel);
    }
}

/* ---- Requests ---- */

/* Give the bytes back to the frontend that no request needs any more. */
static void ring_release(FlexRing *ring)
{
    FlexRequest *oldest = QTAILQ_FIRST(&ring->held);
    uint32_t upto = oldest ? oldest->start : ring->out.position;
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
    used = ring->out.position + unread - ring->out.published;
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

bool flex_header(FlexRing *ring, uint32_t available)
{
    if (ring->size == 0) {
        if (available < sizeof(ring->header)) {
            return false;
        }
        xen_9p_ring_read(&ring->out, ring->out.position, &ring->header,
                         sizeof(ring->header));
        ring->size = le32_to_cpu(ring->header.size_le);
        if (ring->size < sizeof(ring->header) ||
            ring->size > ring->out.size) {
            flex_fail(ring, "a request claims %" PRIu32 " bytes, possible "
                      "are %zu to %" PRIu32, ring->size,
                      sizeof(ring->header), ring->out.size);
            return false;
        }
    }
    return ring->size <= available;
}

/*
 * Take the latched request from the ring into @req. What the server parses
 * is copied; only a large payload stays where it is.
 *
 * Returns: how many bytes are in req->head.
 */
static uint32_t request_load(FlexRequest *req, FlexRing *ring)
{
    uint32_t size = ring->size;
    uint32_t copied = size <= XEN_9P_COPY_MAX ? size : XEN_9P_HEAD;

    req->ring = ring;
    req->start = ring->out.position;
    req->held = copied < size;
    xen_9p_ring_read(&ring->out, req->start, req->head, copied);
    /* The header was checked: it is not to be what the ring says by now. */
    memcpy(req->head, &ring->header, sizeof(ring->header));

    req->out[0].iov_base = req->head;
    req->out[0].iov_len = copied;
    req->num_out = 1 + xen_9p_ring_iov(&ring->out, req->start + copied,
                                       size - copied, &req->out[1]);
    return copied;
}

/*
 * Take one request and hand it to the server, which may have answered it by
 * the time that this returns.
 *
 * Returns: false if there is none, or none can be taken now.
 */
static bool ring_receive(void *opaque)
{
    FlexRing *ring = opaque;
    Flex *flex = ring->flex;
    V9fsState *s = &flex->pass.session->state;
    uint32_t available, copied;
    P9MsgHeader header;
    FlexRequest *req;
    V9fsPDU *pdu;

    if (!xen_9p_ring_readable(&ring->out, &available)) {
        flex_fail(ring, "out_prod or out_cons is corrupt");
        return false;
    }
    if (!flex_header(ring, available)) {
        return false;
    }
    if (ring->header.id == P9_TFLUSH && flex_flush_waits(ring)) {
        return xen_9p_pass_stall(&flex->pass, ring->index,
                                 "requests of other rings");
    }
    pdu = pdu_alloc(s);
    if (!pdu) {
        return xen_9p_pass_stall(&flex->pass, ring->index, "a free PDU");
    }
    req = &flex->requests[pdu->idx];
    copied = request_load(req, ring);
    if (!flex_reply_begin(ring, req, pdu, copied)) {
        pdu_free(pdu);
        return xen_9p_pass_stall(&flex->pass, ring->index,
                                 "its replies to be read");
    }
    if (req->held) {
        QTAILQ_INSERT_TAIL(&ring->held, req, next);
    }
    header = ring->header;
    ring->out.position += ring->size;
    ring->size = 0;
    xen_9p_pass_taken(&flex->pass, le32_to_cpu(header.size_le));
    trace_xen_9pfs_request(flex->pass.session->name, ring->index,
                           le16_to_cpu(header.tag_le), header.id,
                           le32_to_cpu(header.size_le));
    pdu_submit(pdu, &header);
    flex->pass.session->pinned = NULL;
    return true;
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

const Xen9pPassOps flex_pass_ops = {
    .receive = ring_receive,
    .finish = ring_finish,
    .waiting = ring_has_request,
    .rest = ring_rest,
};

static void flex_run(void *opaque)
{
    Flex *flex = opaque;

    xen_9p_pass_run(&flex->pass);
}

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

/* A request is done. The server frees its PDU after this. */
static void flex_push_and_notify(V9fsPDU *pdu)
{
    Flex *flex = flex_of(pdu->s);
    FlexRequest *req = request_of(pdu);
    FlexRing *ring = req->ring;

    if (req->held) {
        QTAILQ_REMOVE(&ring->held, req, next);
        req->held = false;
    }
    trace_xen_9pfs_reply(flex->pass.session->name, ring->index, pdu->tag,
                         pdu->id, pdu->size);
    flex_reply_end(req, pdu);
    xen_9p_pass_ended(&flex->pass, ring->index);
}

#if XEN_9PFS_HAVE_LIMITS
/* The smallest of all rings: a client may send on any of them. */
static size_t flex_msize_limit(V9fsState *s)
{
    Flex *flex = flex_of(s);
    size_t limit = SIZE_MAX;

    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
        limit = MIN(limit, flex->rings[i].in.size);
    }
    return limit;
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
#if XEN_9PFS_HAVE_LIMITS
        .msize_limit = flex_msize_limit,
        .response_buffer_size = flex_response_buffer_size,
#endif
    },
    .connect = flex_connect,
    .run = flex_run,
    .quiesce = flex_quiesce,
    .disconnect = flex_disconnect,
};
