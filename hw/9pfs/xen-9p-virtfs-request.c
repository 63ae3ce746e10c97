/*
 * Xen 9P backend: transactions of the virtfs transport
 *
 * From slots to the segments of a request and of a reply, and access to
 * these. Implements "A transaction" and "Segments" of
 * docs/specs/xen-virtfs.rst.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/iov.h"
#include "hw/9pfs/xen-9p-virtfs.h"

/* A transaction with more than this gives its memory back when it is done. */
#define KEEP_SLOTS      64
#define KEEP_SEGMENTS   256

/* ---- Memory ---- */

VirtfsRequest *virtfs_request_new(VirtfsQueue *queue, uint32_t num)
{
    Virtfs *virtfs = queue->virtfs;
    VirtfsRequest *req = QTAILQ_FIRST(&virtfs->unused);

    if (req) {
        QTAILQ_REMOVE(&virtfs->unused, req, next);
    } else {
        req = g_new0(VirtfsRequest, 1);
        req->in.write = true;
    }
    if (num > req->max_slots) {
        req->slot = g_renew(struct xen_virtfsif_request, req->slot, num);
        req->max_slots = num;
    }
    memcpy(req->slot, queue->slots.slot, num * sizeof(*req->slot));
    req->num_slots = num;
    req->queue = queue;
    req->deadline = 0;
    req->loaded = false;
    req->written = 0;
    req->flushes = false;
    return req;
}

static void request_shrink(VirtfsRequest *req)
{
    xen_9p_buffer_fini(&req->out);
    xen_9p_buffer_fini(&req->in);
    g_clear_pointer(&req->iov, g_free);
    g_clear_pointer(&req->slot, g_free);
    req->max_iov = 0;
    req->max_slots = 0;
}

void virtfs_request_free(VirtfsRequest *req)
{
    g_clear_pointer(&req->body, g_free);
    if (req->max_slots > KEEP_SLOTS || req->out.max > KEEP_SEGMENTS ||
        req->in.max > KEEP_SEGMENTS) {
        request_shrink(req);
    }
    QTAILQ_INSERT_HEAD(&req->queue->virtfs->unused, req, next);
}

void virtfs_request_pool_fini(Virtfs *virtfs)
{
    VirtfsRequest *req;

    while ((req = QTAILQ_FIRST(&virtfs->unused))) {
        QTAILQ_REMOVE(&virtfs->unused, req, next);
        request_shrink(req);
        g_free(req);
    }
}

static void request_clear(VirtfsRequest *req)
{
    req->out.num = req->in.num = 0;
    req->out.size = req->in.size = 0;
}

void virtfs_request_unload(VirtfsRequest *req)
{
    Xen9pGrants *grants = &req->queue->virtfs->grants;

    xen_9p_buffer_end(grants, &req->out, 0);
    xen_9p_buffer_end(grants, &req->in, 0);
}

/* ---- Segments ---- */

static bool add_segment(VirtfsRequest *req,
                        const struct xen_virtfsif_request *slot,
                        uint32_t ref, uint16_t offset, uint16_t size)
{
    Xen9pBuffer *buffer = slot->flags & XEN_VIRTFSF_WRITE ? &req->in
                                                          : &req->out;

    if (buffer->num == XEN_VIRTFSIF_SEGMENTS_MAX) {
        return false;
    }
    xen_9p_buffer_add(buffer, &(Xen9pSegment) {
        .ref = ref,
        .offset = offset,
        .size = size,
        .persistent = slot->flags & XEN_VIRTFSF_PERSISTENT,
    });
    return true;
}

/* The segments that an indirect slot names, from a copy of its page. */
static int add_indirect(VirtfsRequest *req,
                        const struct xen_virtfsif_request *slot,
                        const char **why)
{
    Xen9pGrants *grants = &req->queue->virtfs->grants;
    struct xen_virtfsif_segment desc[XEN_VIRTFSIF_SEGMENTS_PER_PAGE];
    unsigned num = slot->size / sizeof(*desc);
    Xen9pBuffer page = { 0 };
    int ret;

    xen_9p_buffer_add(&page, &(Xen9pSegment) {
        .ref = slot->gref, .offset = slot->offset, .size = slot->size,
    });
    ret = xen_9p_buffer_begin(grants, &page, slot->size);
    if (ret == 0) {
        iov_to_buf(page.iov, page.num_iov, 0, desc, slot->size);
        xen_9p_buffer_end(grants, &page, 0);
    }
    xen_9p_buffer_fini(&page);
    for (unsigned i = 0; i < num && ret == 0; i++) {
        if (!xen_9p_segment_check(desc[i].offset, desc[i].size)) {
            *why = "a segment is not within its page";
            ret = -EINVAL;
        } else if (!add_segment(req, slot, desc[i].gref, desc[i].offset,
                                desc[i].size)) {
            *why = "there are too many segments";
            ret = -EINVAL;
        }
    }
    return ret;
}

static int find_segments(VirtfsRequest *req, const char **why)
{
    request_clear(req);
    for (uint32_t i = 0; i < req->num_slots; i++) {
        const struct xen_virtfsif_request *slot = &req->slot[i];
        int ret = 0;

        if (slot->flags & XEN_VIRTFSF_INDIRECT) {
            ret = add_indirect(req, slot, why);
        } else if (!add_segment(req, slot, slot->gref, slot->offset,
                                slot->size)) {
            *why = "there are too many segments";
            ret = -EINVAL;
        }
        if (ret < 0) {
            return ret;
        }
    }
    if (req->out.size < XEN_VIRTFSIF_REQUEST_MIN ||
        req->in.size < XEN_VIRTFSIF_RESPONSE_MIN) {
        *why = "a buffer is too small";
        return -EINVAL;
    }
    return 0;
}

/* ---- The request ---- */

/*
 * What the server parses is copied; only a large payload stays where it is.
 */
static void request_latch(VirtfsRequest *req)
{
    bool large = req->size > XEN_9P_COPY_MAX;
    /* What is larger still is refused, for which its head is enough. */
    bool payload = large && req->header.id == P9_TWRITE;

    req->len = large ? XEN_9P_HEAD : req->size;
    if (large && !payload && req->size <= XEN_9P_LIMIT_MESSAGE) {
        req->len = req->size;
        req->body = g_malloc(req->size);
    }
    req->msg = req->body ?: req->head;
    iov_to_buf(req->out.iov, req->out.num_iov, 0, req->msg, req->len);
    /* The header was checked: it is not to be what the page says by now. */
    memcpy(req->msg, &req->header, sizeof(req->header));
    xen_9p_message_curb(req->msg, req->len);

    if (req->out.num_iov + 1 > req->max_iov) {
        req->max_iov = req->out.num_iov + 1;
        req->iov = g_renew(struct iovec, req->iov, req->max_iov);
    }
    req->iov[0].iov_base = req->msg;
    req->iov[0].iov_len = req->len;
    req->num_iov = 1;
    if (payload) {
        req->num_iov += iov_copy(req->iov + 1, req->max_iov - 1,
                                 req->out.iov, req->out.num_iov,
                                 req->len, req->size - req->len);
    } else {
        xen_9p_buffer_end(&req->queue->virtfs->grants, &req->out, 0);
    }
}

int virtfs_request_load(VirtfsRequest *req, const char **why)
{
    Xen9pGrants *grants = &req->queue->virtfs->grants;
    int ret = find_segments(req, why);

    if (ret < 0) {
        return ret;
    }
    if (!xen_9p_buffer_fits(grants, &req->out, req->out.size)) {
        return -ENOBUFS;
    }
    ret = xen_9p_buffer_begin(grants, &req->out, req->out.size);
    if (ret < 0) {
        return ret;
    }
    iov_to_buf(req->out.iov, req->out.num_iov, 0, &req->header,
               sizeof(req->header));
    req->size = le32_to_cpu(req->header.size_le);
    if (req->size < sizeof(req->header) || req->size > req->out.size) {
        *why = "the request's size is not that of its buffer";
        xen_9p_buffer_end(grants, &req->out, 0);
        return -EINVAL;
    }
    request_latch(req);
    req->loaded = true;
    return 0;
}

/* ---- The reply ---- */

int virtfs_request_open_reply(VirtfsRequest *req)
{
    Virtfs *virtfs = req->queue->virtfs;
    int32_t msize = virtfs->pass.session->state.msize;
    /* Before Tversion, or where the server refused a smaller one. */
    uint32_t limit = MIN(req->in.size, MAX(msize, P9_MIN_MSIZE));
    uint32_t bound = xen_9p_message_bound(req->msg, req->len, limit);

    if (!xen_9p_buffer_fits(&virtfs->grants, &req->in, bound)) {
        return -ENOBUFS;
    }
    return xen_9p_buffer_begin(&virtfs->grants, &req->in, bound);
}

int virtfs_request_close_reply(VirtfsRequest *req)
{
    return xen_9p_buffer_end(&req->queue->virtfs->grants, &req->in,
                             req->written);
}
