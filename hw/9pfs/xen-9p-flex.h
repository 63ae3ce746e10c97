/*
 * Xen 9P backend: one connection of the 9pfs transport
 *
 * Shared by its data path (xen-9p-flex.c) and its set-up
 * (xen-9p-flex-setup.c), and by nothing else.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_FLEX_H
#define HW_9PFS_XEN_9P_FLEX_H

#include "qemu/queue.h"
#include "hw/9pfs/xen-9p-message.h"
#include "hw/9pfs/xen-9p-reply.h"
#include "hw/9pfs/xen-9p-ring.h"
#include "hw/9pfs/xen-9pfs.h"

/*
 * Memory for a ring's replies, those in the making and those that wait for
 * room, in units of the ring's "in" half; and how much of it is kept when no
 * reply needs it.
 */
#define REPLY_BUDGET        8
#define REPLY_IDLE          4

typedef struct FlexRing FlexRing;
typedef struct Flex Flex;

/* A request in flight, one for each PDU of the server, by its index. */
typedef struct FlexRequest {
    FlexRing *ring;             /* where it came from */
    Xen9pReply *reply;
    QTAILQ_ENTRY(FlexRequest) next; /* in ring->held */
    bool held;                  /* its bytes in the ring are still in use */
    uint32_t start;             /* its first byte's index in the ring */
    uint32_t num_out;
    struct iovec out[3];        /* the request: copied part, ring */
    struct iovec in;            /* the reply's data[] */
    uint8_t head[XEN_9P_COPY_MAX];
} FlexRequest;

struct FlexRing {
    Flex *flex;
    unsigned index;

    /* Connection */
    xenevtchn_handle *evtchn;
    int port;                   /* ours, -1: not bound */
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
    bool flush_seen;            /* it is a Tflush that waits for ... */
    uint32_t flush_after[XEN_9PFS_MAX_RINGS]; /* ... these of other rings */
    QTAILQ_HEAD(, FlexRequest) held; /* in the order of the ring */

    /* Replies */
    Xen9pRing in;
    GQueue waiting;             /* for room */
    size_t reply_bytes;         /* memory of all its replies */
    bool notify;                /* the frontend has something to look at */
};

/* One connection. */
struct Flex {
    Xen9pfsSession *session;
    xengnttab_handle *gnttab;
    QEMUBH *bh;                 /* runs all rings */
    unsigned in_flight;
    FlexRing *current;          /* within ring_run() */
    bool scheduled;             /* the bottom half is to run */
    bool stalled;               /* something waits for another request's end */
    bool progress;              /* since flex_run() began */
    bool quiesced;
    Xen9pReplyPool replies;
    unsigned first;             /* ring to begin with: each gets its turn */
    unsigned num_rings;
    FlexRing rings[XEN_9PFS_MAX_RINGS];
    FlexRequest requests[MAX_REQ];
};

/**
 * flex_run: do all that there is to do on all rings
 * @opaque: the Flex
 *
 * A bottom half, for when requests finished or a batch was not enough.
 */
void flex_run(void *opaque);

/**
 * flex_event: the frontend has produced requests or consumed replies
 * @opaque: the FlexRing
 *
 * The handler of its event channel's file descriptor.
 */
void flex_event(void *opaque);

/**
 * flex_drop_replies: free the replies of a ring that are not in it yet
 * @ring: the ring
 */
void flex_drop_replies(FlexRing *ring);

/* Xen9pfsTransport's operations of these names */
int flex_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                 unsigned num_rings, Error **errp);
void flex_quiesce(Xen9pfsSession *session);
void flex_disconnect(Xen9pfsSession *session);

#endif
