/*
 * Xen 9P backend: one connection of the virtfs transport
 *
 * Shared by its queues (xen-9p-virtfs.c), its transactions
 * (xen-9p-virtfs-request.c) and its set-up (xen-9p-virtfs-setup.c), and by
 * nothing else.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_VIRTFS_H
#define HW_9PFS_XEN_9P_VIRTFS_H

#include "qemu/queue.h"
#include "hw/9pfs/xen-9p-channel.h"
#include "hw/9pfs/xen-9p-flush.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/9pfs/xen-9p-message.h"
#include "hw/9pfs/xen-9p-pass.h"
#include "hw/9pfs/xen-9p-slots.h"
#include "hw/9pfs/xen-9pfs.h"

/* For how long a grant that cannot be accessed is tried again, how often. */
#define VIRTFS_PATIENCE_MS  200
#define VIRTFS_RETRY_MS     10

typedef struct VirtfsQueue VirtfsQueue;
typedef struct Virtfs Virtfs;

/* A transaction, from when its slots are taken until they are answered. */
typedef struct VirtfsRequest {
    QTAILQ_ENTRY(VirtfsRequest) next; /* in virtfs->late or ->unused */
    VirtfsQueue *queue;
    uint32_t num_slots;
    uint32_t max_slots;
    struct xen_virtfsif_request *slot;
    int64_t deadline;           /* of what is tried again, 0: nothing was */

    /* The request */
    bool loaded;
    P9MsgHeader header;
    uint32_t size;
    Xen9pBuffer out;
    uint8_t *msg;               /* private: all but a large payload */
    uint32_t len;               /* how much that is */
    unsigned num_iov;
    unsigned max_iov;
    struct iovec *iov;          /* msg, then what follows it */
    Xen9pFlush flush;           /* of a Tflush that is kept back */
    uint8_t *body;              /* memory for what does not fit ... */
    uint8_t head[XEN_9P_COPY_MAX]; /* ... this */

    /* The reply */
    Xen9pBuffer in;
    size_t written;
    bool flushes;               /* it is an Rflush */
} VirtfsRequest;

struct VirtfsQueue {
    Virtfs *virtfs;
    unsigned index;             /* in virtfs->pass */

    /* Connection */
    Xen9pChannel channel;
    unsigned num_pages;
    uint32_t ref[XEN_9PFS_MAX_RING_PAGES];
    void *pages;
    Xen9pSlots slots;

    VirtfsRequest *head;        /* taken, but not with the server yet */
    bool armed;                 /* the frontend's next slot brings an event */
    bool notify;                /* the frontend wants an event */
};

/* One connection. */
struct Virtfs {
    Xen9pPass pass;             /* has the session, and what queues there are */
    Xen9pGrants grants;
    QEMUTimer *retry;           /* a pass, later */
    QTAILQ_HEAD(, VirtfsRequest) late;  /* replies that are tried again */
    QTAILQ_HEAD(, VirtfsRequest) unused;
    VirtfsRequest *by_pdu[MAX_REQ];
    VirtfsQueue queues[XEN_9PFS_MAX_RINGS];
};

/* ---- Transactions (xen-9p-virtfs-request.c) ---- */

/**
 * virtfs_request_new: a transaction of slots that were taken from a ring
 * @queue: the queue, whose slots.slot[] has them
 * @num: how many there are
 */
VirtfsRequest *virtfs_request_new(VirtfsQueue *queue, uint32_t num);

/**
 * virtfs_request_unload: end the access to all pages, the guest sees nothing
 * @req: a transaction
 */
void virtfs_request_unload(VirtfsRequest *req);

/**
 * virtfs_request_free: forget a transaction
 * @req: a transaction that accesses nothing
 */
void virtfs_request_free(VirtfsRequest *req);

/**
 * virtfs_request_pool_fini: free the memory that is kept of transactions
 * @virtfs: the connection; may be called twice
 */
void virtfs_request_pool_fini(Virtfs *virtfs);

/**
 * virtfs_request_load: find all segments and read the request
 * @req: a transaction that is not loaded
 *
 * Returns: 0; -EINVAL with @why set for a malformed transaction; -EFAULT if
 * the guest has not granted it; -EAGAIN, -ENOBUFS if that may be worth another
 * try, after some time or when other requests have ended.
 */
int virtfs_request_load(VirtfsRequest *req, const char **why);

/**
 * virtfs_request_open_reply: get access to where the reply goes
 * @req: a transaction that is loaded
 *
 * Returns: as virtfs_request_load().
 */
int virtfs_request_open_reply(VirtfsRequest *req);

/**
 * virtfs_request_close_reply: let the guest have the reply
 * @req: a transaction with @req->written set
 *
 * Returns: 0, -EFAULT or -EAGAIN.
 */
int virtfs_request_close_reply(VirtfsRequest *req);

/* ---- Queues (xen-9p-virtfs.c) ---- */

/* What a pass does for a queue. */
extern const Xen9pPassOps virtfs_pass_ops;

/**
 * virtfs_run: a pass over all queues
 * @opaque: the Virtfs
 */
void virtfs_run(void *opaque);

/**
 * virtfs_event: the frontend has produced requests
 * @opaque: the VirtfsQueue
 *
 * The handler of its event channel's file descriptor.
 */
void virtfs_event(void *opaque);

/* Xen9pfsTransport's operations of these names */
int virtfs_connect(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                   unsigned num_queues, Error **errp);
void virtfs_quiesce(Xen9pfsSession *session);
void virtfs_disconnect(Xen9pfsSession *session);

#endif
