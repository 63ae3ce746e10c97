/*
 * Xen 9P backend: requests of the 9pfs transport
 *
 * From the bytes of a ring to a request in private memory. The bytes are the
 * frontend's again as soon as that is done: a stock frontend that has to wait
 * for room in its ring is never woken.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/9pfs/xen-9p-flex.h"

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

static bool body_new(FlexRing *ring, FlexRequest *req, uint32_t size)
{
    Flex *flex = ring->flex;
    size_t cost = xen_9p_reply_cost(size);

    if (flex->body_bytes && flex->body_bytes + cost > BODY_BUDGET) {
        return false;
    }
    flex->body_bytes += cost;
    req->body = xen_9p_reply_new(&flex->replies, size);
    return true;
}

void flex_request_unload(FlexRequest *req)
{
    Flex *flex = req->ring->flex;

    if (req->body) {
        flex->body_bytes -= xen_9p_reply_cost(req->body->size);
        xen_9p_reply_free(&flex->replies, req->body);
        req->body = NULL;
    }
}

/* Have the payload of a Twrite written from where it is, or from a copy. */
static bool load_payload(FlexRing *ring, FlexRequest *req, V9fsPDU *pdu)
{
    uint32_t from = ring->out.position + req->len;
    uint32_t size = ring->size - req->len;

    /* size[4] type[1] tag[2] fid[4] offset[8] count[4] */
    if (xen_9pfs_call_pin(ring->flex->pass.session, pdu, P9_TWRITE,
                          ldl_le_p(req->msg + 7), ldl_le_p(req->msg + 19))) {
        req->num_out += xen_9p_ring_iov(&ring->out, from, size, &req->out[1]);
        return true;
    }
    if (!body_new(ring, req, size)) {
        return false;
    }
    xen_9p_ring_read(&ring->out, from, req->body->data, size);
    req->out[1] = (struct iovec) { req->body->data, size };
    req->num_out = 2;
    return true;
}

bool flex_request_load(FlexRing *ring, FlexRequest *req, V9fsPDU *pdu)
{
    uint32_t size = ring->size;
    bool large = size > XEN_9P_COPY_MAX;
    /* What is larger still is refused, for which its head is enough. */
    bool payload = large && ring->header.id == P9_TWRITE;
    bool body = large && !payload && size <= XEN_9P_LIMIT_MESSAGE;

    req->ring = ring;
    req->body = NULL;
    if (body && !body_new(ring, req, size)) {
        return false;
    }
    req->msg = body ? req->body->data : req->head;
    req->len = large && !body ? XEN_9P_HEAD : size;
    xen_9p_ring_read(&ring->out, ring->out.position, req->msg, req->len);
    /* The header was checked: it is not to be what the ring says by now. */
    memcpy(req->msg, &ring->header, sizeof(ring->header));
    xen_9p_message_curb(req->msg, req->len);
    req->out[0] = (struct iovec) { req->msg, req->len };
    req->num_out = 1;
    return !payload || load_payload(ring, req, pdu);
}

void flex_request_load_flush(FlexRing *ring, FlexRequest *req,
                             FlexFlush *flush)
{
    req->ring = ring;
    req->body = NULL;
    req->msg = req->head;
    req->len = sizeof(flush->msg);
    memcpy(req->msg, flush->msg, req->len);
    req->out[0] = (struct iovec) { req->msg, req->len };
    req->num_out = 1;
}

void flex_flush_keep(FlexRing *ring)
{
    FlexFlush *flush = g_new0(FlexFlush, 1);

    xen_9p_ring_read(&ring->out, ring->out.position, flush->msg,
                     sizeof(flush->msg));
    memcpy(flush->msg, &ring->header, sizeof(ring->header));
    stl_le_p(flush->msg, sizeof(flush->msg));
    flush->flush.ring = ring->index;
    flush->flush.tag = le16_to_cpu(ring->header.tag_le);
    flush->flush.oldtag = lduw_le_p(flush->msg + sizeof(ring->header));
    ring->out.position += ring->size;
    ring->size = 0;
    xen_9p_pass_keep(&ring->flex->pass, &flush->flush);
}
