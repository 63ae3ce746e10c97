/*
 * Xen 9P backend: what the glue and its transports know of each other
 *
 * The glue (xen-9p-backend.c) owns xenstore, states, configuration and a
 * session (xen-9p-session.c). A transport (xen-9p-flex.c, xen-9p-virtfs.c)
 * owns rings, grants, event channels and requests, and never sees xenstore.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9PFS_H
#define HW_9PFS_XEN_9PFS_H

#include "qemu/coroutine.h"
#include "qemu/queue.h"
#include "hw/9pfs/9p.h"
#include "hw/9pfs/xen-9p-dispatch.h"
#include "hw/9pfs/xen-9p-iounit.h"
#include "hw/9pfs/xen-9p-limit.h"
#include "hw/9pfs/xen-9p-mounts.h"
#include "hw/9pfs/xen-9p-order.h"
#include "hw/9pfs/xen-9p-poll.h"
#include "hw/9pfs/xen-9p-stats.h"
#include "hw/9pfs/xen-9p-turn.h"
#include "hw/xen/xen-legacy-backend.h"

typedef struct Xen9pfsDevice Xen9pfsDevice;
typedef struct Xen9pfsSession Xen9pfsSession;
typedef struct Xen9pfsTransport Xen9pfsTransport;

#define XEN_9PFS_MAX_RINGS 8
#define XEN_9PFS_MAX_RING_ORDER 4
#define XEN_9PFS_MAX_RING_PAGES (1 << XEN_9PFS_MAX_RING_ORDER)

/*
 * One ring as the frontend offers it. Any value may be hostile, but for
 * num_refs, which is a power of two.
 */
typedef struct Xen9pfsRingConf {
    uint32_t ref[XEN_9PFS_MAX_RING_PAGES]; /* grants of its shared pages */
    unsigned num_refs;
    uint32_t port;              /* the frontend's event-channel port */
} Xen9pfsRingConf;

/* What a request was admitted with, or refused for. See xen-9p-admit.h. */
typedef struct Xen9pAdmission {
    Xen9pOrderKey key;
    Xen9pClaim claim;
    int err;                    /* an errno: it is refused */
} Xen9pAdmission;

/*
 * A 9P session: one server state with its fids, one fsdev and, once the
 * frontend has connected, one transport. Made when the backend offers itself
 * to the frontend, never used for a second connection.
 *
 * The device owns it. Where requests are still running when it is closed, it
 * stays until they are done, even if the device does not.
 */
struct Xen9pfsSession {
    V9fsState state;
    Xen9pfsDevice *dev;         /* NULL: removed while this was busy */
    const Xen9pfsTransport *transport;
    void *connection;           /* the transport's own, NULL: not connected */
    char *name;                 /* for messages, outlives the device */
    domid_t domid;              /* the frontend's domain */
    int grant_policy;           /* a Xen9pGrantPolicy */
    Xen9pPoll poll;             /* for its next request */
    char *fsdev_id;             /* this session's own entry, or NULL */
    Error *failure;             /* why it has to end, NULL while all is well */
    bool draining;              /* the glue waits for its requests */
    Xen9pOrder order;           /* of its requests */
    Xen9pLimit limit;
    Xen9pAdmission admitted[MAX_REQ]; /* by PDU */
    Xen9pIounit iounit;         /* of files that are open for writing */
    Xen9pDispatch dispatch;     /* of its calls of the file system */
    Xen9pMounts mounts;         /* below its root */
    unsigned calls_done;        /* that workers have made; atomic */
    unsigned calls_ended;       /* those of them that the main loop knows of */
    V9fsPDU *pinned;            /* its calls run in place, or NULL */
    Xen9pTurn turn;             /* among the devices of this QEMU */
    int64_t now;                /* when the clock was last looked at */
    QEMUTimer *next_turn;       /* when that is */
    CoQueue paused;             /* requests whose next call waits for a turn */
    bool resuming;              /* in xen_9pfs_turn_resume() */
    Xen9pfsStats stats;
    QEMUBH *bh;                 /* ends it, or frees it once closed */
};

/* What a transport offers to the glue. All run in the main loop. */
struct Xen9pfsTransport {
    V9fsTransport ops;          /* for the generic 9p server */
    bool has_grant_policy;      /* session->grant_policy means something */

    /*
     * connect: map and bind what @conf names, be ready for requests
     *
     * Returns: 0 with session->connection set, or -errno with @errp set and
     * nothing kept.
     */
    int (*connect)(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                   unsigned num_rings, Error **errp);

    /* run: a pass over all rings; @connection is the session's */
    QEMUBHFunc *run;

    /*
     * quiesce: take no more requests and events, drop replies from now on
     *
     * Requests in flight still reach their memory. May be called again.
     */
    void (*quiesce)(Xen9pfsSession *session);

    /*
     * disconnect: unmap and free everything, session->connection included
     *
     * Only after quiesce() and when no request is in flight.
     */
    void (*disconnect)(Xen9pfsSession *session);
};

extern const Xen9pfsTransport xen_9pfs_flex_transport;
extern const Xen9pfsTransport xen_9pfs_virtfs_transport;

/**
 * xen_9pfs_session_fail: the frontend broke the protocol, end the session
 * @session: the session
 * @err: why; taken over. Only a session's first failure is reported.
 *
 * Safe anywhere, also inside a request: the end comes from a bottom half.
 * The transport must treat the session as dead from here on.
 */
void xen_9pfs_session_fail(Xen9pfsSession *session, Error *err);

/**
 * xen_9pfs_session_drained: a request ended on a session that is quiesced
 * @session: the session
 *
 * The glue frees the session when that was the last one.
 */
void xen_9pfs_session_drained(Xen9pfsSession *session);

/**
 * xen_9pfs_call_init: decide how a session's calls of the file system run
 * @session: a session whose share is open, with dispatch.mode as configured
 */
void xen_9pfs_call_init(Xen9pfsSession *session);

/**
 * xen_9pfs_call_pin: whether a request can be finished inside pdu_submit()
 * @session: the session
 * @pdu: of a request that is about to be submitted
 * @type: P9_TREAD or P9_TWRITE
 * @fid: what it reads or writes
 * @count: how much
 *
 * If so, session->pinned is set to @pdu, and no call of it goes to a worker:
 * it may use a ring where nothing else may wait for it. That ends with
 * xen_9pfs_submit(), or where the caller clears session->pinned.
 *
 * Returns: true if it is pinned.
 */
bool xen_9pfs_call_pin(Xen9pfsSession *session, V9fsPDU *pdu, uint8_t type,
                       uint32_t fid, uint32_t count);

/**
 * xen_9pfs_call_ready: whether the main loop is to go on with a request
 * @session: the session
 *
 * Returns: true if a worker has made a call that the main loop does not know
 * of yet.
 */
bool xen_9pfs_call_ready(const Xen9pfsSession *session);

/**
 * xen_9pfs_turn_begin: whether a transport may do a pass now
 * @session: the session
 *
 * Returns: false if it is not its turn: its operation run() is called when it
 * is. Otherwise the pass ends with xen_9pfs_turn_end().
 */
bool xen_9pfs_turn_begin(Xen9pfsSession *session);

/**
 * xen_9pfs_turn_over: whether a pass is to end, after one thing at least
 * @session: the session, in a pass
 *
 * By the time at which the last call of the file system began or ended, which
 * saves looking at the clock again.
 */
bool xen_9pfs_turn_over(Xen9pfsSession *session);

/**
 * xen_9pfs_turn_resume: let requests go on that earlier turns were too short
 * for, before new ones are taken
 * @session: the session, in a pass
 *
 * They may end, and all else that a request may do. session->resuming is set
 * meanwhile: the pass will tell the frontend of their replies.
 */
void xen_9pfs_turn_resume(Xen9pfsSession *session);

/**
 * xen_9pfs_turn_end: a pass is over
 * @session: the session
 * @more: whether there is more to do
 *
 * Returns: whether there is more to do, of which paused requests are a part.
 */
bool xen_9pfs_turn_end(Xen9pfsSession *session, bool more);

/**
 * xen_9pfs_turn_leave: no pass will follow, nothing pauses from now on
 * @session: the session
 *
 * Those that are paused go on now.
 */
void xen_9pfs_turn_leave(Xen9pfsSession *session);

/*
 * What every transport has for V9fsTransport's operations of these names,
 * which scripts/integrate adds. See xen-9p-call.h, xen-9p-limit.h.
 */
bool xen_9pfs_call_begin(V9fsPDU *pdu, V9fsCall *call);
void xen_9pfs_call_end(V9fsPDU *pdu, V9fsCall *call);
void xen_9pfs_fid_freed(V9fsState *s, V9fsFidState *f);

#endif
