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
#include "qemu/main-loop.h"
#include "hw/9pfs/xen-9p-compat.h"
#include "hw/9pfs/xen-9p-flex.h"
#include "trace.h"

/* Requests taken from one ring before the main loop gets its turn. */
#define BATCH               32

static Flex *flex_of(V9fsState *s)
{
    return container_of(s, Xen9pfsSession, state)->connection;
}

static FlexRequest *request_of(V9fsPDU *pdu)
{
    return &flex_of(pdu->s)->requests[pdu->idx];
}

static bool flex_dead(const Flex *flex)
{
    return flex->quiesced || flex->session->failure;
}

static void G_GNUC_PRINTF(2, 3) ring_fail(FlexRing *ring, const char *fmt, ...)
{
    Error *err = NULL;
    va_list ap;
    g_autofree char *why = NULL;

    va_start(ap, fmt);
    why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_setg(&err, "ring %u: %s", ring->index, why);
    xen_9pfs_session_fail(ring->flex->session, err);
}

/* ---- Replies ---- */

/* The largest message that the negotiated session and the ring allow. */
static uint32_t message_limit(FlexRing *ring)
{
    int32_t msize = ring->flex->session->state.msize;

    /* Before Tversion, or where the server refused a smaller one. */
    return MIN(ring->in.size, MAX(msize, P9_MIN_MSIZE));
}

static Xen9pReply *reply_new(FlexRing *ring, uint32_t size)
{
    ring->reply_bytes += xen_9p_reply_cost(size);
    return xen_9p_reply_new(&ring->flex->replies, size);
}

static void reply_free(FlexRing *ring, Xen9pReply *reply)
{
    ring->reply_bytes -= xen_9p_reply_cost(reply->size);
    xen_9p_reply_free(&ring->flex->replies, reply);
}

static bool reply_budget_left(const FlexRing *ring, uint32_t size)
{
    return ring->reply_bytes == 0 ||
        ring->reply_bytes + xen_9p_reply_cost(size) <=
        (size_t)ring->in.size * REPLY_BUDGET;
}

void flex_drop_replies(FlexRing *ring)
{
    GList *link;

    while ((link = g_queue_pop_head_link(&ring->waiting))) {
        reply_free(ring, link->data);
    }
}

/* Whether the reply to a request of this tag waits for room on another ring. */
static bool answer_waits(const FlexRing *ring, uint16_t tag)
{
    for (unsigned i = 0; i < ring->flex->num_rings; i++) {
        const FlexRing *other = &ring->flex->rings[i];

        for (GList *l = other->waiting.head; l && other != ring; l = l->next) {
            Xen9pReply *reply = l->data;

            /* size[4] type[1] tag[2] */
            if (lduw_le_p(reply->data + 5) == tag) {
                return true;
            }
        }
    }
    return false;
}

/* Put the replies that wait into the ring, as many as there is room for. */
static void ring_flush(FlexRing *ring)
{
    Xen9pReply *reply;
    uint32_t room;

    if (g_queue_is_empty(&ring->waiting) || flex_dead(ring->flex)) {
        return;
    }
    if (!xen_9p_ring_writable(&ring->in, &room)) {
        ring_fail(ring, "in_cons or in_prod is corrupt");
        return;
    }
    while ((reply = g_queue_peek_head(&ring->waiting)) && reply->len <= room) {
        if (reply->flushes && answer_waits(ring, reply->flushed_tag)) {
            /* After Rflush the tag may be that of another request. */
            ring->flex->stalled = true;
            break;
        }
        xen_9p_ring_write(&ring->in, reply->data, reply->len);
        room -= reply->len;
        g_queue_unlink(&ring->waiting, &reply->link);
        reply_free(ring, reply);
    }
    if (reply && reply->len > room) {
        trace_xen_9pfs_ring_full(ring->flex->session->name, ring->index,
                                 reply->len, room);
    }
    if (xen_9p_ring_publish(&ring->in, ring->in.position)) {
        ring->notify = true;
        ring->flex->progress = true;
    }
}

static void ring_notify(FlexRing *ring)
{
    if (ring->notify && !flex_dead(ring->flex)) {
        ring->notify = false;
        qemu_xen_evtchn_notify(ring->evtchn, ring->port);
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
        ring_fail(ring, "out_prod or out_cons is corrupt");
        return;
    }
    /*
     * A frontend that waits for room needs an event, now that there is some.
     * It does not wait where the largest message had room before.
     */
    used = ring->out.position + unread - ring->out.published;
    if (ring->out.size - used < message_limit(ring)) {
        ring->notify = true;
    }
    xen_9p_ring_publish(&ring->out, upto);
}

/* All that a pass over a ring leaves to tell the frontend, told at once. */
static void ring_finish(FlexRing *ring)
{
    ring_flush(ring);
    ring_release(ring);
    ring_notify(ring);
}

/* Latch the next request's header. False: not there yet, or unusable. */
static bool ring_header(FlexRing *ring, uint32_t available)
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
            ring_fail(ring, "a request claims %" PRIu32 " bytes, possible "
                      "are %zu to %" PRIu32, ring->size,
                      sizeof(ring->header), ring->out.size);
            return false;
        }
    }
    return ring->size <= available;
}

/*
 * A Tflush must not get to the server before the request that it is about,
 * which the client may have sent on another ring. What the other rings hold
 * when the Tflush is first seen goes before it, as far as it is complete.
 *
 * Returns: true if there is some left.
 */
static bool ring_early(FlexRing *ring)
{
    Flex *flex = ring->flex;
    bool early = false;

    for (unsigned i = 0; i < flex->num_rings; i++) {
        FlexRing *other = &flex->rings[i];
        uint32_t available;

        if (other == ring ||
            !xen_9p_ring_readable(&other->out, &available)) {
            continue;
        }
        if (!ring->flush_seen) {
            ring->flush_after[i] = other->out.position + available;
        }
        if ((int32_t)(ring->flush_after[i] - other->out.position) > 0 &&
            ring_header(other, available) && other->header.id != P9_TFLUSH) {
            /* (Two Tflush do not wait for each other.) */
            early = true;
        }
    }
    ring->flush_seen = early;
    return early;
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

/* There is a request, but nothing to take it with: go on when that changes. */
static bool ring_stall(FlexRing *ring, const char *what)
{
    trace_xen_9pfs_stall(ring->flex->session->name, ring->index, what);
    ring->flex->stalled = true;
    return false;
}

/*
 * Take one request and hand it to the server, which may have answered it by
 * the time that this returns.
 *
 * Returns: false if there is none, or none can be taken now.
 */
static bool ring_receive(FlexRing *ring)
{
    Flex *flex = ring->flex;
    V9fsState *s = &flex->session->state;
    uint32_t available, copied, bound;
    P9MsgHeader header;
    FlexRequest *req;
    V9fsPDU *pdu;

    if (!xen_9p_ring_readable(&ring->out, &available)) {
        ring_fail(ring, "out_prod or out_cons is corrupt");
        return false;
    }
    if (!ring_header(ring, available)) {
        return false;
    }
    if (ring->header.id == P9_TFLUSH && ring_early(ring)) {
        return ring_stall(ring, "requests of other rings");
    }
    pdu = pdu_alloc(s);
    if (!pdu) {
        return ring_stall(ring, "a free PDU");
    }
    req = &flex->requests[pdu->idx];
    copied = request_load(req, ring);
    bound = xen_9p_message_bound(req->head, copied, message_limit(ring));
    if (!reply_budget_left(ring, bound)) {
        pdu_free(pdu);
        return ring_stall(ring, "its replies to be read");
    }

    req->reply = reply_new(ring, bound);
    req->in.iov_base = req->reply->data;
    req->in.iov_len = bound;
    if (req->held) {
        QTAILQ_INSERT_TAIL(&ring->held, req, next);
    }
    header = ring->header;
    ring->out.position += ring->size;
    ring->size = 0;
    flex->in_flight++;
    flex->progress = true;
    trace_xen_9pfs_request(flex->session->name, ring->index,
                           le16_to_cpu(header.tag_le), header.id,
                           le32_to_cpu(header.size_le));
    pdu_submit(pdu, &header);
    return true;
}

/* Everything that there is to do on a ring. Returns the requests taken. */
static unsigned ring_run(FlexRing *ring)
{
    Flex *flex = ring->flex;
    unsigned taken = 0;

    flex->current = ring;
    ring_flush(ring);
    while (!flex_dead(flex) && taken < BATCH && ring_receive(ring)) {
        taken++;
    }
    flex->current = NULL;
    ring_finish(ring);
    return taken;
}

/* qemu_bh_schedule() makes a system call even if it is scheduled already. */
static void flex_schedule(Flex *flex)
{
    if (!flex->scheduled) {
        flex->scheduled = true;
        qemu_bh_schedule(flex->bh);
    }
}

void flex_run(void *opaque)
{
    Flex *flex = opaque;
    bool more = false;

    flex->scheduled = false;
    flex->stalled = false;
    flex->progress = false;
    for (unsigned i = 0; i < flex->num_rings; i++) {
        unsigned n = (flex->first + i) % flex->num_rings;

        more |= ring_run(&flex->rings[n]) == BATCH;
    }
    flex->first = (flex->first + 1) % flex->num_rings;
    /* One ring may have waited for what another one has just done. */
    if (more || (flex->stalled && flex->progress)) {
        flex_schedule(flex);
    }
}

void flex_event(void *opaque)
{
    FlexRing *ring = opaque;
    int port = qemu_xen_evtchn_pending(ring->evtchn);

    if (port != ring->port) {
        return;
    }
    /* Unmask first: what comes from here on notifies again. */
    qemu_xen_evtchn_unmask(ring->evtchn, port);
    if (ring_run(ring) == BATCH || ring->flex->stalled) {
        flex_schedule(ring->flex);
    }
}

/*
 * A reply is ready, outside of the ring's own ring_run(). Those that become
 * ready together are told to the frontend together, by a bottom half; one
 * that is alone does not wait for it.
 */
static void flex_answer(Flex *flex, FlexRing *ring)
{
    if (flex->in_flight || flex->stalled || flex->current) {
        flex_schedule(flex);
    } else {
        ring_finish(ring);
    }
}

/* ---- What the generic 9p server asks of a transport ---- */

static ssize_t flex_vmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                             va_list ap)
{
    return v9fs_iov_vmarshal(&request_of(pdu)->in, 1, offset, 1, fmt, ap);
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
    *piov = &request_of(pdu)->in;
    *pniov = 1;
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
    Xen9pReply *reply = req->reply;

    if (req->held) {
        QTAILQ_REMOVE(&ring->held, req, next);
        req->held = false;
    }
    req->reply = NULL;
    flex->in_flight--;
    trace_xen_9pfs_reply(flex->session->name, ring->index, pdu->tag, pdu->id,
                         pdu->size);

    if (pdu->size == 0 && !pdu->cancelled) {
        xen_9p_message_mend(pdu, &req->in, 1);
    }
    if (flex_dead(flex) || pdu->size == 0) {
        /* Nobody to tell; or cancelled, which has no reply (Tflush). */
        reply_free(ring, reply);
    } else if (pdu->size > reply->size) {
        reply_free(ring, reply);
        ring_fail(ring, "no room for a reply of %" PRIu32 " bytes", pdu->size);
    } else {
        /* At once: what is ready later, on any ring, comes after it. */
        reply->len = pdu->size;
        if (pdu->id == P9_RFLUSH) {
            reply->flushes = true;
            reply->flushed_tag = lduw_le_p(req->head + sizeof(P9MsgHeader));
        }
        g_queue_push_tail_link(&ring->waiting, &reply->link);
        ring_flush(ring);
    }

    if (flex->quiesced) {
        xen_9pfs_session_drained(flex->session);
    } else if (flex->current != ring) {
        flex_answer(flex, ring);
    }
}

#if XEN_9PFS_HAVE_LIMITS
/* The smallest of all rings: a client may send on any of them. */
static size_t flex_msize_limit(V9fsState *s)
{
    Flex *flex = flex_of(s);
    size_t limit = SIZE_MAX;

    for (unsigned i = 0; i < flex->num_rings; i++) {
        limit = MIN(limit, flex->rings[i].in.size);
    }
    return limit;
}

static size_t flex_response_buffer_size(V9fsPDU *pdu)
{
    return request_of(pdu)->reply->size;
}
#endif

const Xen9pfsTransport xen_9pfs_flex_transport = {
    .ops = {
        .pdu_vmarshal = flex_vmarshal,
        .pdu_vunmarshal = flex_vunmarshal,
        .init_in_iov_from_pdu = flex_init_in_iov,
        .init_out_iov_from_pdu = flex_init_out_iov,
        .push_and_notify = flex_push_and_notify,
#if XEN_9PFS_HAVE_LIMITS
        .msize_limit = flex_msize_limit,
        .response_buffer_size = flex_response_buffer_size,
#endif
    },
    .connect = flex_connect,
    .quiesce = flex_quiesce,
    .disconnect = flex_disconnect,
};
