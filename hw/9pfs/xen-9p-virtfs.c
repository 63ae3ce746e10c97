/*
 * Xen 9P backend: the virtfs transport
 *
 * Transactions come on queues, each a ring of slots, and go to the 9P server;
 * their replies go into the pages that came with them, and their responses on
 * the queue that they came from. Implements docs/specs/xen-virtfs.rst.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/iov.h"
#include "qemu/timer.h"
#include "hw/9pfs/xen-9p-admit.h"
#include "hw/9pfs/xen-9p-compat.h"
#include "hw/9pfs/xen-9p-virtfs.h"
#include "trace.h"

static Virtfs *virtfs_of(V9fsState *s)
{
    return container_of(s, Xen9pfsSession, state)->connection;
}

static VirtfsRequest *request_of(V9fsPDU *pdu)
{
    return virtfs_of(pdu->s)->by_pdu[pdu->idx];
}

static bool virtfs_dead(const Virtfs *virtfs)
{
    return xen_9p_pass_dead(&virtfs->pass);
}

static void queue_fail(VirtfsQueue *queue, const char *why)
{
    Error *err = NULL;

    error_setg(&err, "queue %u: %s", queue->index, why);
    xen_9pfs_session_fail(queue->virtfs->pass.session, err);
}

static int64_t now_ms(void)
{
    return qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

/*
 * A grant could not be accessed, maybe because the host is short of what
 * that takes. Returns whether it is to be tried again.
 */
static bool request_patience(VirtfsRequest *req)
{
    Virtfs *virtfs = req->queue->virtfs;
    int64_t now = now_ms();

    if (req->deadline == 0) {
        req->deadline = now + VIRTFS_PATIENCE_MS;
    }
    if (now >= req->deadline) {
        return false;
    }
    virtfs->pass.delayed = true;
    if (!timer_pending(virtfs->retry)) {
        timer_mod(virtfs->retry, now + VIRTFS_RETRY_MS);
    }
    return true;
}

/* ---- Responses ---- */

static void queue_notify(void *opaque)
{
    VirtfsQueue *queue = opaque;

    if (queue->notify && !virtfs_dead(queue->virtfs)) {
        queue->notify = false;
        xen_9pfs_stat_add(&queue->virtfs->pass.session->stats.notifications,
                          1);
        xen_9p_channel_notify(&queue->channel);
    }
}

/*
 * The end of a transaction. At once: what ends later, on any queue, is seen
 * after it.
 */
static void request_respond(VirtfsRequest *req, int16_t status)
{
    VirtfsQueue *queue = req->queue;
    Xen9pPass *pass = &queue->virtfs->pass;

    trace_xen_9pfs_virtfs_response(pass->session->name, queue->index,
                                   req->slot[0].id, req->num_slots, status);
    virtfs_request_unload(req);
    xen_9p_slots_respond(&queue->slots, req->slot, req->num_slots, status);
    if (xen_9p_slots_publish(&queue->slots)) {
        queue->notify = true;
    }
    pass->progress = true;
    virtfs_request_free(req);
}

/* Let the guest have a reply. False: not yet. */
static bool request_answer(VirtfsRequest *req)
{
    int ret = virtfs_request_close_reply(req);

    if (ret == -EAGAIN && request_patience(req)) {
        return false;
    }
    request_respond(req, ret < 0 ? XEN_VIRTFSIF_RSP_BAD_GRANT
                                 : XEN_VIRTFSIF_RSP_OKAY);
    return true;
}

/* Replies that could not be copied to the guest, in their order. */
static void virtfs_answer_late(void *connection)
{
    Virtfs *virtfs = connection;
    VirtfsRequest *req;

    while (!virtfs_dead(virtfs) && (req = QTAILQ_FIRST(&virtfs->late))) {
        QTAILQ_REMOVE(&virtfs->late, req, next);
        if (!request_answer(req)) {
            QTAILQ_INSERT_HEAD(&virtfs->late, req, next);
            break;
        }
    }
}

/* ---- Requests ---- */

/* The next transaction in the ring, or NULL. */
static VirtfsRequest *queue_take(VirtfsQueue *queue)
{
    uint32_t num;

    switch (xen_9p_slots_take(&queue->slots, &num)) {
    case XEN_9P_SLOTS_WHOLE:
        return virtfs_request_new(queue, num);
    case XEN_9P_SLOTS_CORRUPT:
        queue_fail(queue, "req_prod is corrupt");
        break;
    case XEN_9P_SLOTS_ENDLESS:
        queue_fail(queue, "a transaction is longer than the ring");
        break;
    default:
        break;
    }
    return NULL;
}

/* Hand a request that is loaded to the server. Returns as queue_advance(). */
static int queue_submit(VirtfsQueue *queue, VirtfsRequest *req)
{
    Virtfs *virtfs = queue->virtfs;
    Xen9pPass *pass = &virtfs->pass;
    P9MsgHeader header = req->header;
    Xen9pAdmission admission;
    V9fsPDU *pdu;
    int ret;

    if (!xen_9p_pass_admit(pass, queue->index, req->msg, req->len,
                           &admission)) {
        return -EBUSY;
    }
    pdu = pdu_alloc(&pass->session->state);
    if (!pdu) {
        return -ENOSR;
    }
    ret = virtfs_request_open_reply(req);
    if (ret < 0) {
        pdu_free(pdu);
        return ret;
    }
    if (queue->head == req) {
        queue->head = NULL;
    }
    req->deadline = 0;
    virtfs->by_pdu[pdu->idx] = req;
    xen_9p_pass_taken(pass, queue->index);
    trace_xen_9pfs_request(pass->session->name, queue->index,
                           le16_to_cpu(header.tag_le), header.id, req->size);
    /* It may have been answered, and @req be gone, when this returns. */
    xen_9pfs_submit(pass->session, pdu, &header, &admission);
    return 0;
}

/* Keep a Tflush back. Returns as queue_advance(). */
static int queue_keep_flush(VirtfsQueue *queue, VirtfsRequest *req)
{
    Xen9pPass *pass = &queue->virtfs->pass;

    if (pass->flushes.num >= 2 * XEN_9P_FLUSH_MAX) {
        return -EBUSY;
    }
    queue->head = NULL;
    req->flush.ring = queue->index;
    req->flush.tag = le16_to_cpu(req->header.tag_le);
    req->flush.oldtag = lduw_le_p(req->msg + sizeof(req->header));
    xen_9p_pass_keep(pass, &req->flush);
    return 0;
}

/* Bring the transaction at a queue's head to the server. */
static int queue_advance(VirtfsQueue *queue, const char **why)
{
    VirtfsRequest *req = queue->head;
    int ret = 0;

    if (!req->loaded) {
        *why = xen_9p_slots_check(req->slot, req->num_slots);
        ret = *why ? -EINVAL : virtfs_request_load(req, why);
    }
    if (ret < 0) {
        return ret;
    }
    if (req->header.id == P9_TFLUSH && req->len >= XEN_9P_FLUSH_SIZE &&
        xen_9p_pass_keeps(&queue->virtfs->pass, queue->index)) {
        return queue_keep_flush(queue, req);
    }
    return queue_submit(queue, req);
}

static void queue_refuse(VirtfsQueue *queue, VirtfsRequest *req,
                         int16_t status)
{
    if (queue->head == req) {
        queue->head = NULL;
    }
    request_respond(req, status);
}

/* What has come of a transaction. Returns: false if it has to wait. */
static bool queue_settle(VirtfsQueue *queue, VirtfsRequest *req, int result,
                         const char *why)
{
    Xen9pPass *pass = &queue->virtfs->pass;

    switch (result) {
    case 0:
        return true;
    case -EINVAL:
        trace_xen_9pfs_virtfs_malformed(pass->session->name, queue->index,
                                        req->slot[0].id, why);
        queue_refuse(queue, req, XEN_VIRTFSIF_RSP_ERROR);
        return true;
    case -EAGAIN:
        if (request_patience(req)) {
            return false;
        }
        /* fall through */
    case -EFAULT:
        queue_refuse(queue, req, XEN_VIRTFSIF_RSP_BAD_GRANT);
        return true;
    case -EBUSY:
        return xen_9p_pass_stall(pass, queue->index,
                                 "requests that it must not meet");
    case -ENOBUFS:
        return xen_9p_pass_stall(pass, queue->index, "memory");
    default:
        return xen_9p_pass_stall(pass, queue->index, "a free PDU");
    }
}

/*
 * Take one transaction and hand it to the server, which may have answered it
 * by the time that this returns.
 *
 * Returns: false if there is none, or none can be taken now.
 */
static bool queue_receive(void *opaque)
{
    VirtfsQueue *queue = opaque;
    VirtfsRequest *req;
    const char *why = NULL;

    queue->armed = false;
    if (!queue->head) {
        xen_9p_pass_see(&queue->virtfs->pass, queue->index, queue->slots.next,
                        xen_9p_slots_pending(&queue->slots));
        queue->head = queue_take(queue);
    }
    req = queue->head;
    return req && queue_settle(queue, req, queue_advance(queue, &why), why);
}

static bool queue_flush(void *opaque, Xen9pFlush *kept)
{
    VirtfsQueue *queue = opaque;
    VirtfsRequest *req = container_of(kept, VirtfsRequest, flush);

    return queue_settle(queue, req, queue_submit(queue, req), NULL);
}

static void queue_forget(Xen9pFlush *kept)
{
    VirtfsRequest *req = container_of(kept, VirtfsRequest, flush);

    virtfs_request_unload(req);
    virtfs_request_free(req);
}

static void queue_view(void *opaque, Xen9pFlushView *view)
{
    const VirtfsQueue *queue = opaque;
    uint32_t next = queue->slots.next;

    *view = (Xen9pFlushView) {
        .taken = queue->head ? next - queue->head->num_slots : next,
        .sent = xen_9p_slots_pending(&queue->slots),
    };
    view->more = view->sent != view->taken;
}

/* ---- Passes ---- */

/* What waits at the head goes on without an event. */
static bool queue_has_request(void *opaque)
{
    const VirtfsQueue *queue = opaque;

    return !queue->head &&
        xen_9p_slots_pending(&queue->slots) != queue->slots.next;
}

static bool queue_rest(void *opaque)
{
    VirtfsQueue *queue = opaque;

    xen_9p_channel_rest(&queue->channel);
    if (queue->armed || queue->head) {
        return false;
    }
    queue->armed = true;
    return xen_9p_slots_arm(&queue->slots);
}

static bool virtfs_owing(void *opaque)
{
    const Virtfs *virtfs = opaque;

    return !QTAILQ_EMPTY(&virtfs->late);
}

const Xen9pPassOps virtfs_pass_ops = {
    .resume = virtfs_answer_late,
    .receive = queue_receive,
    .view = queue_view,
    .flush = queue_flush,
    .forget = queue_forget,
    .owing = virtfs_owing,
    .finish = queue_notify,
    .waiting = queue_has_request,
    .rest = queue_rest,
};

void virtfs_run(void *opaque)
{
    Virtfs *virtfs = opaque;

    xen_9p_pass_run(&virtfs->pass);
}

void virtfs_event(void *opaque)
{
    VirtfsQueue *queue = opaque;

    if (xen_9p_channel_take(&queue->channel)) {
        xen_9p_pass_event(&queue->virtfs->pass, queue->index);
    }
}

/* ---- What the generic 9p server asks of a transport ---- */

static ssize_t virtfs_vmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                               va_list ap)
{
    Xen9pBuffer *in = &request_of(pdu)->in;

    return v9fs_iov_vmarshal(in->iov, in->num_iov, offset, 1, fmt, ap);
}

static ssize_t virtfs_vunmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                                 va_list ap)
{
    VirtfsRequest *req = request_of(pdu);

    return v9fs_iov_vunmarshal(req->iov, req->num_iov, offset, 1, fmt, ap);
}

/* All room of the reply: where that is less than asked for, a short read. */
static void virtfs_init_in_iov(V9fsPDU *pdu, struct iovec **piov,
                               unsigned int *pniov, size_t size G_GNUC_UNUSED)
{
    Xen9pBuffer *in = &request_of(pdu)->in;

    *piov = in->iov;
    *pniov = in->num_iov;
}

/* All of the request: where that is less than it claims, a short write. */
static void virtfs_init_out_iov(V9fsPDU *pdu, struct iovec **piov,
                                unsigned int *pniov, size_t size G_GNUC_UNUSED)
{
    VirtfsRequest *req = request_of(pdu);

    *piov = req->iov;
    *pniov = req->num_iov;
}

/*
 * Bring a reply into a form that the guest can have. A cancelled request has
 * none, and the guest sees a size of 0.
 *
 * Returns: false if there is no room for any.
 */
static bool reply_complete(VirtfsRequest *req, V9fsPDU *pdu)
{
    Xen9pBuffer *in = &req->in;
    const uint32_t none = 0;
    bool fits = true;

    if (pdu->size == 0 && pdu->cancelled) {
        req->written = iov_from_buf(in->iov, in->num_iov, 0, &none,
                                    sizeof(none));
        return true;
    }
    if (pdu->size == 0) {
        fits = xen_9pfs_mend(req->queue->virtfs->pass.session, pdu, in->iov,
                             in->num_iov);
    } else if (pdu->id == req->header.id) {
        /* Still the request: not even the error had room. */
        fits = xen_9p_message_error(pdu, in->iov, in->num_iov, ENOBUFS);
    }
    req->written = pdu->size;
    req->flushes = pdu->id == P9_RFLUSH;
    return fits && pdu->size <= in->room;
}

/* A request is done. The server frees its PDU after this. */
static void virtfs_push_and_notify(V9fsPDU *pdu)
{
    Virtfs *virtfs = virtfs_of(pdu->s);
    VirtfsRequest *req = request_of(pdu);
    VirtfsQueue *queue = req->queue;

    virtfs->by_pdu[pdu->idx] = NULL;
    if (virtfs_dead(virtfs)) {
        /* Nobody to tell. */
        virtfs_request_unload(req);
        virtfs_request_free(req);
    } else {
        if (!reply_complete(req, pdu)) {
            request_respond(req, XEN_VIRTFSIF_RSP_ERROR);
        } else if ((req->flushes && !QTAILQ_EMPTY(&virtfs->late)) ||
                   !request_answer(req)) {
            /* After Rflush there is to be no reply to what it flushed. */
            QTAILQ_INSERT_TAIL(&virtfs->late, req, next);
            xen_9pfs_stat_add(&virtfs->pass.session->stats.replies_waited, 1);
        }
        trace_xen_9pfs_reply(virtfs->pass.session->name, queue->index, pdu->tag,
                             pdu->id, pdu->size);
    }
    xen_9pfs_finished(virtfs->pass.session, pdu);
    xen_9p_pass_ended(&virtfs->pass, queue->index);
}

#if XEN_9PFS_HAVE_LIMITS
/*
 * What fits into one direction, the header of the other one aside: of direct
 * slots, or of one indirect one. The smallest of all queues, since a client
 * may send on any of them.
 */
static size_t virtfs_msize_limit(V9fsState *s)
{
    Virtfs *virtfs = virtfs_of(s);
    size_t pages = XEN_VIRTFSIF_SEGMENTS_MAX - 1;

    for (unsigned i = 0; i < virtfs->pass.num_rings; i++) {
        size_t direct = virtfs->queues[i].slots.size - 3;
        size_t indirect = XEN_VIRTFSIF_SEGMENTS_PER_PAGE - 1;

        pages = MIN(pages, MAX(direct, indirect));
    }
    return pages * XEN_VIRTFSIF_PAGE_SIZE;
}

static size_t virtfs_response_buffer_size(V9fsPDU *pdu)
{
    return request_of(pdu)->in.room;
}
#endif

const Xen9pfsTransport xen_9pfs_virtfs_transport = {
    .ops = {
        .pdu_vmarshal = virtfs_vmarshal,
        .pdu_vunmarshal = virtfs_vunmarshal,
        .init_in_iov_from_pdu = virtfs_init_in_iov,
        .init_out_iov_from_pdu = virtfs_init_out_iov,
        .push_and_notify = virtfs_push_and_notify,
        .call_begin = xen_9pfs_call_begin,
        .call_end = xen_9pfs_call_end,
        .fid_freed = xen_9pfs_fid_freed,
#if XEN_9PFS_HAVE_LIMITS
        .msize_limit = virtfs_msize_limit,
        .response_buffer_size = virtfs_response_buffer_size,
#endif
    },
    .has_grant_policy = true,
    .connect = virtfs_connect,
    .quiesce = virtfs_quiesce,
    .disconnect = virtfs_disconnect,
};
