/*
 * Xen 9P backend: one connection of the 9pfs transport
 *
 * Shared by its data path (xen-9p-flex.c), its requests (-request.c), its
 * replies (-reply.c) and its set-up (-setup.c), and by nothing else.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_FLEX_H
#define HW_9PFS_XEN_9P_FLEX_H

#include "qemu/queue.h"
#include "qemu/units.h"
#include "hw/9pfs/xen-9p-channel.h"
#include "hw/9pfs/xen-9p-message.h"
#include "hw/9pfs/xen-9p-pass.h"
#include "hw/9pfs/xen-9p-reply.h"
#include "hw/9pfs/xen-9p-ring.h"
#include "hw/9pfs/xen-9pfs.h"

/*
 * Memory for a ring's replies, those in the making and those that wait for
 * room, in units of the ring's "in" half, and for all rings together; and how
 * much of it is kept when no reply needs it.
 */
#define REPLY_BUDGET        8
#define REPLY_BUDGET_ALL    (12 * MiB)
#define REPLY_IDLE          4
#define REPLY_IDLE_ALL      (4 * MiB)

/*
 * Memory for what of requests does not fit FlexRequest.head. One of them can
 * always have it.
 */
#define BODY_BUDGET         (4 * MiB)

/* A reply of this size is not copied if it can be built in the ring. */
#define REPLY_LARGE         (32 * KiB)

/* Replies of a ring that wait for room before it takes no more requests. */
#define REPLY_WAITING       MAX_REQ

typedef struct FlexRing FlexRing;
typedef struct Flex Flex;

/* A request in flight, one for each PDU of the server, by its index. */
typedef struct FlexRequest {
    FlexRing *ring;             /* where it came from */
    uint8_t *msg;               /* private: all but a large payload */
    uint32_t len;               /* how much that is */
    Xen9pReply *body;           /* memory for what is not in head[], or NULL */
    Xen9pReply *reply;          /* NULL: it is built in the ring */
    uint32_t num_out;
    struct iovec out[3];        /* the request: msg, and its payload */
    uint32_t room;              /* for the reply */
    uint32_t num_in;
    struct iovec in[2];         /* the reply's data[], or the ring */
    uint8_t head[XEN_9P_COPY_MAX];
} FlexRequest;

/* A Tflush that is kept back. */
typedef struct FlexFlush {
    Xen9pFlush flush;
    uint8_t msg[XEN_9P_FLUSH_SIZE];
} FlexFlush;

struct FlexRing {
    Flex *flex;
    unsigned index;             /* in flex->pass */

    /* Connection */
    Xen9pChannel channel;
    uint32_t page_ref;
    Xen9pRingPage *page;
    uint32_t order;
    uint32_t ref[1 << XEN_9P_RING_ORDER_MAX];
    void *in_pages;
    void *out_pages;

    /* Requests */
    Xen9pRing out;
    P9MsgHeader header;         /* of the request at out.position */
    uint32_t size;              /* that request's size, 0: not known yet */

    /* Replies */
    Xen9pRing in;
    GQueue waiting;             /* for room */
    FlexRequest *direct;        /* its reply is being built at in.position */
    size_t reply_bytes;         /* memory of all its replies ... */
    size_t reply_budget;        /* ... and how much that may be */
    bool notify;                /* the frontend has something to look at */
};

/* One connection. */
struct Flex {
    Xen9pPass pass;             /* has the session, and what rings there are */
    xengnttab_handle *gnttab;
    uint64_t replied;           /* the next reply's serial number */
    Xen9pReplyPool replies;     /* for requests' bodies, too */
    size_t body_bytes;
    FlexRing rings[XEN_9PFS_MAX_RINGS];
    FlexRequest requests[MAX_REQ];
};

/* What a pass does for a ring. */
extern const Xen9pPassOps flex_pass_ops;

/**
 * flex_event: the frontend has produced requests or consumed replies
 * @opaque: the FlexRing
 *
 * The handler of its event channel's file descriptor.
 */
void flex_event(void *opaque);

/* Nothing is to be done any more but to end what is in flight. */
static inline bool flex_dead(const Flex *flex)
{
    return xen_9p_pass_dead(&flex->pass);
}

/**
 * flex_fail: the frontend broke the protocol on a ring, end the session
 * @ring: the ring
 * @fmt: what it did
 */
void G_GNUC_PRINTF(2, 3) flex_fail(FlexRing *ring, const char *fmt, ...);

/**
 * flex_message_limit: the largest message that session and ring allow
 * @ring: the ring
 *
 * Returns: its size.
 */
uint32_t flex_message_limit(FlexRing *ring);

/**
 * flex_smallest_ring: the size of a connection's smallest ring
 * @flex: the connection
 *
 * Returns: how many bytes each of its halves has.
 */
uint32_t flex_smallest_ring(const Flex *flex);

/**
 * flex_reply_begin: make room for the reply to a request
 * @ring: where the request came from
 * @req: the request, loaded
 * @pdu: its PDU, not submitted yet
 *
 * Returns: false if there is neither room in the ring nor memory for it now;
 * or if the frontend has broken the ring.
 */
bool flex_reply_begin(FlexRing *ring, FlexRequest *req, V9fsPDU *pdu);

/**
 * flex_reply_end: the server is done with a request, send the reply if any
 * @req: the request
 * @pdu: its PDU
 */
void flex_reply_end(FlexRequest *req, V9fsPDU *pdu);

/**
 * flex_reply_flush: put the replies that wait into the ring
 * @ring: the ring; as many as it has room for
 *
 * The frontend sees them at once, or, in a pass over the ring, when that
 * publishes them.
 */
void flex_reply_flush(FlexRing *ring);

/* Whether a pass over the ring will publish its replies, and tell of them. */
static inline bool flex_in_pass(const FlexRing *ring)
{
    return ring->flex->pass.current == (int)ring->index;
}

/**
 * flex_reply_publish: let the frontend see the replies that are in the ring
 * @ring: the ring
 */
void flex_reply_publish(FlexRing *ring);

/**
 * flex_drop_replies: free the replies of a ring that are not in it yet
 * @ring: the ring
 */
void flex_drop_replies(FlexRing *ring);

/**
 * flex_header: latch the header of a ring's next request
 * @ring: the ring
 * @available: how many bytes the frontend has produced past out.position
 *
 * Returns: true if that request is complete; ring->header and ring->size are
 * its own then. False where it is not, or where it claims a size that cannot
 * be, which ends the session.
 */
bool flex_header(FlexRing *ring, uint32_t available);

/**
 * flex_request_load: copy a ring's next request out of it
 * @ring: the ring, whose header is latched and whose request is complete
 * @req: to fill in
 * @pdu: its PDU
 *
 * Only the payload of a large Twrite may stay where it is: if the request is
 * sure to be done with it before another is taken (session->pinned).
 *
 * Returns: false if there is no memory for it now.
 */
bool flex_request_load(FlexRing *ring, FlexRequest *req, V9fsPDU *pdu);

/**
 * flex_request_load_flush: the same for a Tflush that was kept back
 * @ring: the ring that it came from
 * @req: to fill in
 * @flush: the Tflush
 */
void flex_request_load_flush(FlexRing *ring, FlexRequest *req,
                             FlexFlush *flush);

/**
 * flex_request_unload: free what a request has beside its reply
 * @req: a request that is loaded
 */
void flex_request_unload(FlexRequest *req);

/**
 * flex_flush_keep: take a Tflush out of a ring, to be submitted later
 * @ring: the ring, whose next request that is
 */
void flex_flush_keep(FlexRing *ring);

/* Xen9pfsTransport's operations of these names */
int flex_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                 unsigned num_rings, Error **errp);
void flex_quiesce(Xen9pfsSession *session);
void flex_disconnect(Xen9pfsSession *session);

#endif
