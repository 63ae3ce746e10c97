/*
 * Xen 9P backend: replies of the 9pfs transport
 *
 * Where a reply is built, what its memory may cost, and how it gets into the
 * ring of its request.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/9pfs/xen-9p-admit.h"
#include "hw/9pfs/xen-9p-flex.h"
#include "trace.h"

uint32_t flex_message_limit(FlexRing *ring)
{
    int32_t msize = ring->flex->pass.session->state.msize;

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
        (ring->waiting.length < REPLY_WAITING &&
         ring->reply_bytes + xen_9p_reply_cost(size) <= ring->reply_budget);
}

void flex_drop_replies(FlexRing *ring)
{
    GList *link;

    while ((link = g_queue_pop_head_link(&ring->waiting))) {
        reply_free(ring, link->data);
    }
}

void flex_reply_publish(FlexRing *ring)
{
    if (!flex_dead(ring->flex) &&
        xen_9p_ring_publish(&ring->in, ring->in.position)) {
        ring->notify = true;
        ring->flex->pass.progress = true;
    }
}

static void publish_all(Flex *flex)
{
    for (unsigned i = 0; i < flex->pass.num_rings; i++) {
        flex_reply_publish(&flex->rings[i]);
    }
}

/*
 * After Rflush the client may use the tag for another request: the reply to
 * the one that had it must be in its ring before.
 */
static bool rflush_waits(const FlexRing *ring, const Xen9pReply *rflush)
{
    for (unsigned i = 0; i < ring->flex->pass.num_rings; i++) {
        const FlexRing *other = &ring->flex->rings[i];

        for (GList *l = other->waiting.head; l && other != ring; l = l->next) {
            const Xen9pReply *reply = l->data;

            /* Only an earlier one: two Rflush do not wait for each other. */
            if (reply->serial > rflush->serial) {
                break;
            }
            /* size[4] type[1] tag[2] */
            if (lduw_le_p(reply->data + 5) == rflush->flushed_tag) {
                return true;
            }
        }
    }
    return false;
}

void flex_reply_flush(FlexRing *ring)
{
    Xen9pReply *reply;
    uint32_t room;

    if (g_queue_is_empty(&ring->waiting) || ring->direct ||
        flex_dead(ring->flex)) {
        return;
    }
    if (!xen_9p_ring_writable(&ring->in, &room)) {
        flex_fail(ring, "in_cons or in_prod is corrupt");
        return;
    }
    while ((reply = g_queue_peek_head(&ring->waiting)) && reply->len <= room) {
        if (reply->flushes && rflush_waits(ring, reply)) {
            ring->flex->pass.stalled = true;
            break;
        }
        if (reply->comes_after) {
            publish_all(ring->flex);
        }
        xen_9p_ring_write(&ring->in, reply->data, reply->len);
        room -= reply->len;
        g_queue_unlink(&ring->waiting, &reply->link);
        reply_free(ring, reply);
    }
    if (reply && reply->len > room) {
        trace_xen_9pfs_ring_full(ring->flex->pass.session->name, ring->index,
                                 reply->len, room);
    }
    if (!flex_in_pass(ring)) {
        flex_reply_publish(ring);
    }
}

/* Whether it is a Tread that will be finished before there is another. */
static bool request_pin(FlexRing *ring, const FlexRequest *req, V9fsPDU *pdu)
{
    Xen9pfsSession *session = ring->flex->pass.session;

    /* size[4] type[1] tag[2] fid[4] offset[8] count[4] */
    return req->msg[4] == P9_TREAD && req->len >= XEN_9P_HEAD &&
        xen_9pfs_call_pin(session, pdu, P9_TREAD, ldl_le_p(req->msg + 7),
                          ldl_le_p(req->msg + 19));
}

static bool reply_fits(FlexRing *ring, uint32_t size)
{
    uint32_t room;

    if (!xen_9p_ring_writable(&ring->in, &room)) {
        flex_fail(ring, "in_cons or in_prod is corrupt");
        return false;
    }
    return room >= size && !ring->direct && g_queue_is_empty(&ring->waiting);
}

/*
 * Large enough that waiting for room is better than copying it, and small
 * enough that the frontend reads one while we write the next.
 */
static bool reply_worth_waiting(const FlexRing *ring, uint32_t size)
{
    return size >= REPLY_LARGE && size <= ring->in.size / 2;
}

/* Have the reply built where the frontend reads it, which saves copying it. */
static void reply_direct(FlexRing *ring, FlexRequest *req)
{
    ring->direct = req;
    req->reply = NULL;
    req->num_in = xen_9p_ring_iov(&ring->in, ring->in.position, req->room,
                                  req->in);
}

static bool reply_private(FlexRing *ring, FlexRequest *req)
{
    if (!reply_budget_left(ring, req->room)) {
        return false;
    }
    req->reply = reply_new(ring, req->room);
    req->in[0].iov_base = req->reply->data;
    req->in[0].iov_len = req->room;
    req->num_in = 1;
    return true;
}

bool flex_reply_begin(FlexRing *ring, FlexRequest *req, V9fsPDU *pdu)
{
    req->room = xen_9p_message_bound(req->msg, req->len,
                                     flex_message_limit(ring));
    if (request_pin(ring, req, pdu)) {
        if (reply_fits(ring, req->room)) {
            reply_direct(ring, req);
            return true;
        }
        ring->flex->pass.session->pinned = NULL;
        if (flex_dead(ring->flex) || reply_worth_waiting(ring, req->room)) {
            return false;
        }
    }
    return reply_private(ring, req);
}

/*
 * A file has been opened. The room that its writer may need in the ring is
 * what the reply says.
 */
static void reply_set_iounit(FlexRequest *req, V9fsPDU *pdu)
{
    Xen9pfsSession *session = req->ring->flex->pass.session;
    /* size[4] type[1] tag[2] qid[13] iounit[4] */
    uint8_t *iounit = req->reply->data + 20;
    V9fsFidState *f;

    if (pdu->id != P9_RLOPEN && pdu->id != P9_RLCREATE &&
        pdu->id != P9_ROPEN && pdu->id != P9_RCREATE) {
        return;
    }
    f = xen_9p_fid(&session->state, ldl_le_p(req->msg + 7));
    if (pdu->size == 24 && f && f->fid_type == P9_FID_FILE &&
        (f->open_flags & O_ACCMODE) != O_RDONLY) {
        f->iounit = xen_9p_iounit_take(&session->iounit, ldl_le_p(iounit));
        stl_le_p(iounit, f->iounit);
    }
}

/* A reply in private memory is complete. */
static void reply_queue(FlexRequest *req, V9fsPDU *pdu)
{
    FlexRing *ring = req->ring;
    Xen9pReply *reply = req->reply;

    reply_set_iounit(req, pdu);
    reply->len = pdu->size;
    reply->serial = ring->flex->replied++;
    reply->comes_after = pdu->id == P9_RFLUSH || pdu->id == P9_RVERSION;
    if (pdu->id == P9_RFLUSH) {
        reply->flushes = true;
        reply->flushed_tag = lduw_le_p(req->msg + sizeof(P9MsgHeader));
    }
    g_queue_push_tail_link(&ring->waiting, &reply->link);
    /* At once: what is ready later, on any ring, comes after it. */
    flex_reply_flush(ring);
    if (!g_queue_is_empty(&ring->waiting)) {
        xen_9pfs_stat_add(&ring->flex->pass.session->stats.replies_waited, 1);
    }
}

/* One that was built in the ring is complete: the next comes behind it. */
static void reply_direct_done(FlexRing *ring, uint32_t size)
{
    ring->direct = NULL;
    ring->in.position += size;
    if (!flex_in_pass(ring)) {
        flex_reply_publish(ring);
    }
}

void flex_reply_end(FlexRequest *req, V9fsPDU *pdu)
{
    FlexRing *ring = req->ring;
    uint32_t size;

    if (pdu->size == 0 && !pdu->cancelled) {
        xen_9pfs_mend(ring->flex->pass.session, pdu, req->in, req->num_in);
    }
    size = flex_dead(ring->flex) ? 0 : pdu->size;
    if (size > req->room) {
        flex_fail(ring, "no room for a reply of %" PRIu32 " bytes", size);
        size = 0;
    }
    /* Without one there is nobody to tell, or it was cancelled (Tflush). */
    if (!req->reply) {
        reply_direct_done(ring, size);
    } else if (size == 0) {
        reply_free(ring, req->reply);
    } else {
        reply_queue(req, pdu);
    }
    req->reply = NULL;
}
